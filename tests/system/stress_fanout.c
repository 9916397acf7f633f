/*
 * stress_fanout.c - producers and consumers in processes of their own, on a ring so small that it wraps thousands of
 * times, under TORC_LAG_BLOCK: nothing lost, nothing doubled, nothing torn, the same order for all.
 *
 *      stress_fanout [PRODUCERS CONSUMERS MESSAGES RING-BYTES]     (or TORC_PRODUCERS, ... in the environment)
 *
 * The producers send in turns by all four ways of the interface, the consumers read by all four.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stress_message.h"
#include "torc_test.h"

#define FANOUT_WAIT_MS 10000 /* no message for so long: one is lost, or somebody hangs */
#define FANOUT_BATCH 7
#define FANOUT_MAX 64

static long n_producers = 4, n_consumers = 4, n_messages = 100000, ring_bytes = 16384;

enum way { WAY_COPY, WAY_PLACE, WAY_MANY, WAY_EXTRA, WAYS };

/* ---- producers ------------------------------------------------------------------------------------------- */

static void send_batch(struct torc_producer *p, uint64_t sender, uint64_t seq, size_t n, uint64_t *seed, size_t max)
{
        static unsigned char bytes[FANOUT_BATCH][65536];
        struct torc_span spans[FANOUT_BATCH];
        size_t accepted;
        for (size_t i = 0; i < n; i++) {
                spans[i] = (struct torc_span){bytes[i], message_size(test_random(seed), max)};
                message_fill(bytes[i], spans[i].len, sender, seq + i);
        }
        CHECK_RC(torc_producer_send_batch(p, spans, n, FANOUT_WAIT_MS, &accepted), 0);
        CHECK(accepted == n);
}

static void send_one(struct torc_producer *p, enum way way, uint64_t sender, uint64_t seq, size_t len)
{
        static unsigned char bytes[65536];
        struct torc_property property = {"sender", "stress"};
        struct torc_meta meta = {.properties = &property, .n_properties = 1, .event_time_ns = (int64_t)seq + 1};
        void *place;
        switch (way) {
        case WAY_PLACE:
                CHECK_RC(torc_producer_claim(p, len, NULL, FANOUT_WAIT_MS, &place), 0);
                message_fill(place, len, sender, seq);
                CHECK_RC(torc_producer_commit(p, NULL), 0);
                break;
        case WAY_EXTRA:
                message_fill(bytes, len, sender, seq);
                CHECK_RC(torc_producer_send_meta(p, bytes, len, &meta, FANOUT_WAIT_MS, NULL), 0);
                break;
        default:
                message_fill(bytes, len, sender, seq);
                CHECK_RC(torc_producer_send(p, bytes, len, FANOUT_WAIT_MS, NULL), 0);
        }
}

static void producer_main(struct child *link, struct test *t, void *arg)
{
        uint64_t sender = (uint64_t)(uintptr_t)arg, seed = sender * 77 + 1;
        enum way way = (enum way)(sender % WAYS);
        struct torc_stream_config stream =
                test_stream((uint64_t)ring_bytes, TORC_LAG_BLOCK, (uint32_t)n_consumers);
        struct torc_producer_config config = {.stream = &stream};
        struct torc_bus *bus = child_bus(t, "producer");
        struct torc_producer *p;
        size_t max = (size_t)ring_bytes / 16;
        alarm(0);
        CHECK_RC(torc_producer_open(&p, bus, "fanout", &config), 0);
        link_say(link, 0);
        link_hear(link);
        for (uint64_t seq = 0; seq < (uint64_t)n_messages;) {
                size_t n = 1, left = (size_t)((uint64_t)n_messages - seq);
                if (way == WAY_MANY) {
                        n = left < FANOUT_BATCH ? left : FANOUT_BATCH;
                        send_batch(p, sender, seq, n, &seed, max);
                } else {
                        send_one(p, way, sender, seq, message_size(test_random(&seed), max));
                }
                seq += n;
        }
        CHECK_RC(torc_producer_flush(p, NULL, FANOUT_WAIT_MS), 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

/* What a consumer has seen. */
struct seen {
        uint64_t next[FANOUT_MAX]; /* of each producer */
        uint64_t n, order, position;
};

static int seen_message(struct seen *s, const void *data, size_t len, const struct torc_id *id)
{
        struct message_head head;
        CHECK(message_whole(data, len, &head)); /* torn */
        CHECK(head.sender < (uint64_t)n_producers);
        CHECK(head.seq == s->next[head.sender]); /* lost, doubled or out of order */
        CHECK(s->n == 0 || id->position > s->position);
        s->next[head.sender]++;
        s->n++;
        s->position = id->position;
        s->order = message_mix(s->order ^ message_mix(head.sender << 48 ^ head.seq) ^ id->position);
        return 0;
}

static int seen_view(const struct torc_view *view, void *arg)
{
        return seen_message(arg, view->data, view->len, &view->id);
}

static void read_copy(struct torc_consumer *c, struct seen *s)
{
        static unsigned char bytes[65536];
        struct torc_id id;
        size_t len;
        CHECK_RC(torc_consumer_recv(c, bytes, sizeof bytes, &len, FANOUT_WAIT_MS, &id), 0);
        seen_message(s, bytes, len, &id);
}

static void read_place(struct torc_consumer *c, struct seen *s)
{
        struct torc_view view;
        CHECK_RC(torc_consumer_view(c, &view, FANOUT_WAIT_MS), 0);
        seen_view(&view, s);
        CHECK_RC(torc_consumer_release(c), 0);
}

/* Poll the descriptor, then read until it is dry. */
static void read_fd(struct torc_consumer *c, struct seen *s)
{
        struct pollfd p = {.fd = torc_consumer_fd(c), .events = POLLIN};
        size_t handled;
        int rc;
        CHECK(p.fd >= 0);
        CHECK(poll(&p, 1, FANOUT_WAIT_MS) == 1);
        do
                rc = torc_consumer_poll(c, seen_view, s, 32, &handled);
        while (rc == 0);
        CHECK_RC(rc, -EAGAIN);
}

/* Spin a little, then block. */
static void read_spin(struct torc_consumer *c, struct seen *s)
{
        size_t handled;
        int rc = torc_consumer_poll(c, seen_view, s, 32, &handled);
        if (rc == -EAGAIN)
                read_copy(c, s);
        else
                CHECK_RC(rc, 0);
}

static void consumer_main(struct child *link, struct test *t, void *arg)
{
        static void (*const reads[WAYS])(struct torc_consumer *, struct seen *) = {
                [WAY_COPY] = read_copy, [WAY_PLACE] = read_place, [WAY_MANY] = read_fd, [WAY_EXTRA] = read_spin};
        static struct seen s;
        uintptr_t number = (uintptr_t)arg;
        uint64_t all = (uint64_t)n_producers * (uint64_t)n_messages;
        struct torc_stream_config stream =
                test_stream((uint64_t)ring_bytes, TORC_LAG_BLOCK, (uint32_t)n_consumers);
        struct torc_consumer_config config = {.stream = &stream};
        struct torc_bus *bus = child_bus(t, "consumer");
        struct torc_consumer *c;
        struct torc_consumer_stats stats;
        unsigned char byte;
        size_t len;
        alarm(0);
        CHECK_RC(torc_consumer_open(&c, bus, "fanout", &config), 0);
        link_say(link, 0);
        while (s.n < all)
                reads[number % WAYS](c, &s);
        CHECK_RC(torc_consumer_try_recv(c, &byte, 1, &len, NULL), -EAGAIN); /* none more */
        CHECK_RC(torc_consumer_stats(c, &stats), 0);
        CHECK(stats.messages == all && stats.missed_messages == 0 && stats.lag_bytes == 0);
        link_say(link, (int64_t)s.order);
        link_say(link, (int64_t)s.position);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- the test -------------------------------------------------------------------------------------------- */

static void check_books(struct test *t, uint64_t position)
{
        struct torc_inspector *in;
        struct torc_snapshot *snap;
        assert_ok(torc_inspector_open(&in, t->root, "bus"));
        assert_ok(torc_inspector_take(in, &snap));
        assert_int_equal(snap->n_streams, 1);
        const struct torc_stream_info *s = &snap->streams[0];
        assert_int_equal(s->error, 0);
        assert_int_equal(s->messages, n_producers * n_messages);
        for (int i = 0; i < TORC_LOSS_COUNT; i++)
                assert_int_equal(s->losses[i], 0);
        assert_int_equal(s->n_producers + s->n_consumers + s->n_waiters, 0);
        assert_int_equal(s->n_segments, 1);
        assert_true(s->tail > position);
        print_message("%ld producers, %ld consumers, %ld messages each, ring of %ld bytes wrapped %" PRIu64 " times\n",
                      n_producers, n_consumers, n_messages, ring_bytes, s->tail / s->capacity_bytes);
        torc_snapshot_free(&snap);
        torc_inspector_close(&in);
}

static void fanout_when_ring_wraps_delivers_all_in_one_order(void **state)
{
        struct test *t = *state;
        struct child producer[FANOUT_MAX], consumer[FANOUT_MAX];
        int64_t order = 0, position = 0, begin = test_now_ms();
        test_seconds(60 + (unsigned)(n_producers * n_messages / 5000));
        for (long i = 0; i < n_consumers; i++)
                consumer[i] = child_start(t, consumer_main, (void *)(uintptr_t)i);
        for (long i = 0; i < n_consumers; i++)
                child_hear(&consumer[i]);
        for (long i = 0; i < n_producers; i++)
                producer[i] = child_start(t, producer_main, (void *)(uintptr_t)i);
        for (long i = 0; i < n_producers; i++)
                child_hear(&producer[i]);
        for (long i = 0; i < n_producers; i++)
                child_say(&producer[i], 0);
        for (long i = 0; i < n_consumers; i++) {
                struct pollfd p = {.fd = consumer[i].in, .events = POLLIN};
                while (poll(&p, 1, -1) < 0 && errno == EINTR)
                        ;
                int64_t its_order = child_hear(&consumer[i]), its_position = child_hear(&consumer[i]);
                if (i > 0 && (its_order != order || its_position != position))
                        fail_msg("consumer %ld saw another order than consumer 0", i);
                order = its_order;
                position = its_position;
        }
        for (long i = 0; i < n_producers; i++)
                child_join(&producer[i]);
        for (long i = 0; i < n_consumers; i++)
                child_join(&consumer[i]);
        print_message("%" PRId64 " ms\n", test_now_ms() - begin);
        check_books(t, (uint64_t)position);
}

int main(int argc, char **argv)
{
        static const char *const names[] = {"TORC_PRODUCERS", "TORC_CONSUMERS", "TORC_MESSAGES", "TORC_RING"};
        long *const values[] = {&n_producers, &n_consumers, &n_messages, &ring_bytes};
        const struct CMUnitTest tests[] = {TEST(fanout_when_ring_wraps_delivers_all_in_one_order)};
        for (int i = 0; i < 4; i++) {
                char *end = NULL;
                *values[i] = i + 1 < argc ? strtol(argv[i + 1], &end, 10) : test_param(names[i], *values[i]);
                if (*values[i] < 1 || (end && *end)) {
                        fprintf(stderr, "usage: %s [PRODUCERS CONSUMERS MESSAGES RING-BYTES]\n", argv[0]);
                        return 2;
                }
        }
        if (n_producers > FANOUT_MAX || n_consumers > FANOUT_MAX || ring_bytes < 4096 || ring_bytes > 1048576) {
                fprintf(stderr, "%s: at most %d producers and consumers, a ring of 4096 to 1048576 bytes\n", argv[0],
                        FANOUT_MAX);
                return 2;
        }
        return TEST_MAIN(tests);
}
