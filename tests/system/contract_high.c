/*
 * contract_high.c - numbers near the end of their range, where nobody gets by sending: positions near 2^63, generations
 * before they wrap, the last epoch. The files of a new stream are given such numbers before anybody attaches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include "abi.h"
#include "ring.h"

#include <sys/mman.h>

#define RING 128 /* messages of 8 bytes in the smallest ring */
/* Less than 2^63, not on the ring's boundary, room for everything these tests send. */
#define HIGH (ABI_POSITION_MAX - (1ull << 20) + 48)

static void *map_file(struct test *t, const char *name, size_t *size)
{
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s/bus/@s/%s", t->root, name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(map != MAP_FAILED);
        close(fd);
        *size = (size_t)st.st_size;
        return map;
}

/* A new stream whose only segment begins at a high position. */
static void make_high(struct test *t, struct torc_bus *bus, const struct torc_stream_config *config)
{
        size_t size;
        assert_ok(torc_stream_create(bus, "s", config));
        struct abi_seg *seg = map_file(t, "0.1", &size);
        seg->base = HIGH;
        seg->checksum = ring_seg_checksum(seg);
        atomic_store(&seg->tail, HIGH);
        atomic_store(&seg->limit, HIGH + seg->capacity);
        munmap(seg, size);
}

static void with_ctl(struct test *t, void (*fn)(struct abi_ctl *ctl))
{
        size_t size;
        struct abi_ctl *ctl = map_file(t, "ctl", &size);
        fn(ctl);
        munmap(ctl, size);
}

static void send_numbers(struct torc_producer *p, uint64_t from, uint64_t to)
{
        for (; from < to; from++)
                assert_ok(test_send(p, from, 0));
}

static void expect_numbers(struct torc_consumer *c, uint64_t from, uint64_t to)
{
        for (; from < to; from++)
                test_expect(c, from);
}

/* ---- positions near 2^63 --------------------------------------------------------------------------------- */

static void high_when_sent_and_read_wraps_and_blocks_as_ever(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        make_high(t, bus, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_id id, last = {.position = 0};
        for (uint64_t lap = 0; lap < 20; lap++) {
                for (uint64_t n = 0; n < RING - 1; n++) {
                        assert_ok(torc_producer_send(p, &n, sizeof n, 0, &id));
                        assert_true(id.position >= HIGH && id.position < ABI_POSITION_MAX);
                        assert_true(id.position > last.position);
                        last = id;
                }
                while (test_send(p, RING - 1, 0) == 0) /* 48 bytes off the boundary: one more, or not */
                        ;
                assert_rc(test_send(p, 0, 0), TORC_EFULL);
                assert_rc(torc_producer_flush(p, &last, 0), -EAGAIN);
                expect_numbers(c, 0, RING - 1);
                uint64_t got;
                size_t len;
                while (torc_consumer_try_recv(c, &got, sizeof got, &len, NULL) == 0)
                        assert_int_equal(got, RING - 1);
                assert_ok(torc_producer_flush(p, NULL, 0));
        }
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->error, 0);
        assert_int_equal(s->segments[0].base, HIGH);
        assert_int_equal(s->consumers[0].cursor, s->segments[0].tail);
        torc_snapshot_free(&snapshot);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void high_when_joined_finds_live_earliest_and_ids(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_SKIP, 0);
        struct torc_consumer *c = NULL;
        struct torc_id ids[100];
        make_high(t, bus, &config);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        for (uint64_t n = 0; n < 100; n++)
                assert_ok(torc_producer_send(p, &n, sizeof n, 0, &ids[n]));
        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        expect_numbers(c, 0, 100);
        torc_consumer_close(&c);
        for (uint64_t n = 0; n < 100; n += 13) {
                struct torc_consumer_config at = {.start = TORC_START_ID, .start_id = ids[n]};
                assert_ok(torc_consumer_open(&c, bus, "s", &at));
                expect_numbers(c, n, 100);
                test_expect_nothing(c);
                torc_consumer_close(&c);
        }
        struct torc_consumer *live = test_consumer(bus, "s", TORC_START_LIVE, NULL),
                             *late = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        test_expect(late, 0);
        for (uint64_t n = 100; n < 400; n++) {
                assert_ok(test_send(p, n, 0));
                test_expect(live, n);
        }
        /* History was overwritten under the late one: it goes on at what is left and knows how many it missed. */
        uint64_t got;
        size_t len;
        assert_ok(torc_consumer_try_recv(late, &got, sizeof got, &len, NULL));
        assert_true(got > 1);
        assert_int_equal(torc_consumer_missed(late), got - 1);
        expect_numbers(late, got + 1, 400);
        assert_rc(torc_consumer_open(&c, bus, "s",
                                     &(struct torc_consumer_config){.start = TORC_START_ID, .start_id = ids[0]}),
                  TORC_EGONE);
        torc_consumer_close(&live);
        torc_consumer_close(&late);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void high_when_sealed_goes_on_in_the_successor(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *old = NULL;
        make_high(t, bus, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t n = 0;
        for (int round = 0; round < 50; round++) {
                struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE_WITH_FENCING, NULL);
                if (old)
                        assert_rc(test_send(old, 666, 0), TORC_EFENCED);
                torc_producer_close(&old);
                send_numbers(p, n, n + 5);
                if (round % 3 == 0)
                        expect_numbers(c, n, n + 5);
                else if (round % 3 == 2)
                        expect_numbers(c, n - 5, n + 5);
                n += 5;
                old = p;
        }
        expect_numbers(c, n - 5, n); /* the 50th round is a second one: its five are read here */
        test_expect_nothing(c);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        uint64_t base = s->segments[s->n_segments - 1].base, bytes = 49 * 5 * 32;
        assert_in_range(base, HIGH + bytes, HIGH + bytes + 256); /* and padding */
        torc_snapshot_free(&snapshot);
        torc_producer_close(&old);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void high_when_it_grows_keeps_order_and_frees(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        config.capacity_max_bytes = 65536;
        make_high(t, bus, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        uint64_t n = 0;
        while (test_send(p, n, 0) == 0)
                n++;
        assert_rc(test_send(p, n, 0), TORC_EFULL);
        assert_true(n * 32 > 65536);
        expect_numbers(c, 0, n);
        test_expect_nothing(c);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->n_segments, 1);
        assert_true(s->segments[0].base > HIGH && s->segments[0].tail < ABI_POSITION_MAX);
        torc_snapshot_free(&snapshot);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void claim_and_wait(struct child *link, struct test *t, void *arg)
{
        void *data;
        struct torc_bus *bus = child_bus(t, "dead");
        struct torc_producer *p = NULL;
        (void)arg;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 100, NULL, 0, &data), 0);
        link_say(link, 1);
        link_hear(link);
}

static void high_when_one_dies_in_a_claim_is_recovered(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        make_high(t, bus, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        for (uint64_t n = 0; n < 60; n++) { /* some of them at the ring's end */
                struct child dead = child_start(t, claim_and_wait, NULL);
                child_hear(&dead);
                assert_ok(test_send(p, n, 0));
                child_kill(&dead);
                test_expect(c, n);
        }
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(test_find_stream(snapshot, "s")->losses[TORC_LOSS_ABORTED], 60);
        torc_snapshot_free(&snapshot);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void high_when_disconnected_tells_exactly_what_was_missed(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        uint64_t got, delivered = 0, sent = 0;
        size_t len;
        int rc;
        make_high(t, bus, &config);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *slow = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (int round = 0; round < 20; round++) {
                send_numbers(p, sent, sent + RING + 40);
                sent += RING + 40;
                assert_rc(torc_consumer_try_recv(slow, &got, sizeof got, &len, NULL), TORC_ELAGGED);
                assert_ok(torc_consumer_reattach(slow, 0));
                while ((rc = torc_consumer_try_recv(slow, &got, sizeof got, &len, NULL)) == 0)
                        assert_int_equal(got, delivered++ + torc_consumer_missed(slow));
                assert_rc(rc, -EAGAIN);
        }
        assert_int_equal(delivered + torc_consumer_missed(slow), sent);
        torc_consumer_close(&slow);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- generations and epochs ------------------------------------------------------------------------------ */

/* The next occupant of each slot has the last generation, and the one after it the first. */
static void last_generations(struct abi_ctl *ctl)
{
        for (unsigned i = 0; i < ABI_CONSUMERS; i++)
                atomic_store(&ctl->consumer[i].word, ABI_CONSUMER_WORD(ABI_CONSUMER_FREE, 0xffffe, 0));
}

static uint64_t ref_of_the_only(struct test *t, enum torc_connection connection)
{
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->n_consumers, 1);
        assert_int_equal(s->consumers[0].connection, connection);
        uint64_t ref = s->consumers[0].ref;
        torc_snapshot_free(&snapshot);
        return ref;
}

static void generation_when_it_wraps_is_told_from_the_last(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        with_ctl(t, last_generations);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        uint64_t refs[3], n = 0;
        for (int i = 0; i < 3; i++) {
                struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
                refs[i] = ref_of_the_only(t, TORC_CONNECTED);
                assert_int_equal(refs[i] & 0xffff, 0);
                if (i > 0)
                        assert_rc(torc_stream_kick(bus, "s", refs[i - 1]), -ENOENT);
                send_numbers(p, n, n + 10);
                expect_numbers(c, n, n + 10);
                n += 10;
                torc_consumer_close(&c);
                assert_rc(torc_stream_kick(bus, "s", refs[i]), -ENOENT);
        }
        assert_int_equal(refs[0] >> 16, 0xfffff);
        assert_int_equal(refs[1] >> 16, 0);
        assert_int_equal(refs[2] >> 16, 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Disconnected by the last generation, back by the first. */
static void generation_when_it_wraps_in_a_reattach_counts_on(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        with_ctl(t, last_generations);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        send_numbers(p, 0, 3);
        test_expect(c, 0);
        assert_ok(torc_stream_kick(bus, "s", ref_of_the_only(t, TORC_CONNECTED)));
        uint64_t got;
        size_t len;
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
        ref_of_the_only(t, TORC_TERMINATED);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_int_equal(ref_of_the_only(t, TORC_CONNECTED) >> 16, 0);
        send_numbers(p, 3, 6);
        uint64_t delivered = 1;
        while (torc_consumer_try_recv(c, &got, sizeof got, &len, NULL) == 0)
                assert_int_equal(got, delivered++ + torc_consumer_missed(c));
        assert_int_equal(delivered + torc_consumer_missed(c), 6);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void last_epoch_but_one(struct abi_ctl *ctl)
{
        atomic_store(&ctl->epoch, UINT32_MAX - 1);
}

/* Epochs never go back to a smaller one: after the last there is no new owner, and all else goes on. */
static void owner_when_epochs_are_used_up_is_enocapacity(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = NULL, *more = NULL;
        struct torc_producer_config first = {.access = TORC_EXCLUSIVE, .name = "first"},
                                    last = {.access = TORC_EXCLUSIVE, .name = "last"},
                                    fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING, .name = "more"};
        uint32_t epoch = 0;
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, &config);
        assert_ok(torc_producer_open(&p, bus, "s", &first));
        assert_ok(test_send(p, 0, 0));
        test_expect(c, 0);
        torc_producer_close(&p);
        with_ctl(t, last_epoch_but_one);
        assert_ok(torc_producer_open(&p, bus, "s", &last));
        struct torc_id id;
        assert_ok(torc_producer_send(p, "a", 1, 0, &id));
        assert_int_equal(id.epoch, UINT32_MAX);
        assert_rc(torc_producer_open(&more, bus, "s", &fencing), TORC_ENOCAPACITY);
        assert_null(more);
        assert_rc(torc_stream_fence(bus, "s", &epoch), TORC_ENOCAPACITY);
        assert_ok(torc_producer_send(p, "b", 1, 0, &id));
        assert_int_equal(id.epoch, UINT32_MAX);
        char got;
        size_t len;
        for (char wanted = 'a'; wanted <= 'b'; wanted++) {
                assert_ok(torc_consumer_try_recv(c, &got, 1, &len, NULL));
                assert_int_equal(got, wanted);
        }
        torc_producer_close(&p);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->error, 0);
        assert_int_equal(s->epoch, UINT32_MAX);
        assert_int_equal(s->n_producers, 0);
        torc_snapshot_free(&snapshot);
        p = test_producer(bus, "s", TORC_SHARED, NULL);
        assert_ok(test_send(p, 7, 0));
        test_expect(c, 7);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* A consumer's word holds 40 bits of the number at which it was cut off; its own count has 64. */
static void cut_off_when_counts_pass_2_to_the_40_is_exact(void **state)
{
        (void)state;
        static const uint64_t counts[] = {0, 1, (1ull << 40) - 3, 1ull << 40, (1ull << 41) - 1, UINT64_MAX - 1000};
        static const uint64_t missed[] = {0, 1, 2, 5, 128, 1ull << 38};
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
                for (size_t j = 0; j < sizeof missed / sizeof missed[0]; j++) {
                        uint64_t word = ABI_CONSUMER_WORD(ABI_CONSUMER_KICKED, 0xfffff, counts[i] + missed[j]);
                        assert_int_equal(ABI_CONSUMER_STATE(word), ABI_CONSUMER_KICKED);
                        assert_int_equal(ABI_CONSUMER_GEN(word), 0xfffff);
                        assert_int_equal(ABI_CONSUMER_CUT_OFF(word, counts[i]), missed[j]);
                        /* One that read on beyond the cut missed nothing. */
                        assert_int_equal(ABI_CONSUMER_CUT_OFF(word, counts[i] + missed[j] + 1), 0);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(high_when_sent_and_read_wraps_and_blocks_as_ever),
                TEST(high_when_joined_finds_live_earliest_and_ids),
                TEST(high_when_sealed_goes_on_in_the_successor),
                TEST(high_when_it_grows_keeps_order_and_frees),
                TEST(high_when_one_dies_in_a_claim_is_recovered),
                TEST(high_when_disconnected_tells_exactly_what_was_missed),
                TEST(generation_when_it_wraps_is_told_from_the_last),
                TEST(generation_when_it_wraps_in_a_reattach_counts_on),
                TEST(owner_when_epochs_are_used_up_is_enocapacity),
                TEST(cut_off_when_counts_pass_2_to_the_40_is_exact),
        };
        return TEST_MAIN(tests);
}
