/*
 * contract_polled.c - one who never sleeps: what a consumer that only tries is told, and one in a callback of
 * torc_consumer_poll(). They are answered by short paths of the library, which have to say what the long ones would.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include "abi.h"
#include "ring.h"

#include <sys/mman.h>

static struct torc_stream_config blocking(void)
{
        return test_stream(4096, TORC_LAG_BLOCK, 0);
}

static int try(struct torc_consumer *c, uint64_t *got)
{
        size_t len;
        return torc_consumer_try_recv(c, got, sizeof *got, &len, NULL);
}

/* ---- what stands still without anybody's store ----------------------------------------------------------- */

static void die_in_a_claim(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "dying");
        struct torc_producer *p = NULL;
        void *data;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 8, NULL, 0, &data), 0);
        link_say(link, 0);
        link_hear(link);
}

/* Try until a message comes, with a pause after each try. Returns how many ms that took. */
static int64_t try_until(struct torc_consumer *c, uint64_t number, long pause_ns)
{
        int64_t begin = test_now_ms();
        uint64_t got;
        int rc;
        while ((rc = try(c, &got)) == -EAGAIN && test_now_ms() - begin < TEST_WAIT_MS)
                if (pause_ns)
                        nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
        assert_ok(rc);
        assert_int_equal(got, number);
        return test_now_ms() - begin;
}

/* A dead producer's claim is in the way of a message that stands behind it, and nobody sleeps who would look by himself. */
static void hole(struct test *t, int tries_before, long pause_ns, int64_t within_ms)
{
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = blocking();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (int i = 0; i < tries_before; i++)
                test_expect_nothing(c);
        struct child child = child_start(t, die_in_a_claim, NULL);
        child_hear(&child);
        assert_ok(test_send(p, 7, 0));
        for (int i = 0; i < 3; i++)
                test_expect_nothing(c);
        child_kill(&child);
        assert_true(try_until(c, 7, pause_ns) < within_ms);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void hole_when_tried_without_pause_is_mended(void **state)
{
        hole(*state, 1000, 0, 2000);
}

static void hole_when_tried_now_and_then_is_mended(void **state)
{
        hole(*state, 1, 10000000, 2000);
}

static void hole_when_the_trying_becomes_rare_is_mended(void **state)
{
        hole(*state, 100000, 10000000, 3000);
}

static struct abi_seg *map_segment(struct test *t, size_t *size)
{
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s/bus/@s/0.1", t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fstat(fd, &st), 0);
        *size = (size_t)st.st_size;
        void *map = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(map != MAP_FAILED);
        close(fd);
        return map;
}

/* A limit that was computed before a reader of history joined is raised after it did, as J2 allows: history is overwritten
 * under it while it is connected. There is something to read: the oldest that is left. */
static void history_when_overwritten_is_no_reason_to_find_nothing(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = blocking();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        uint64_t got, sent = 0;
        size_t size;
        for (; sent < 100; sent++)
                assert_ok(test_send(p, sent, 0));
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        assert_ok(try(c, &got));
        assert_int_equal(got, 0);
        struct abi_seg *seg = map_segment(t, &size);
        struct ring r;
        assert_int_equal(ring_attach(&r, seg, size), RING_OK);
        ring_raise_limit(&r, ring_tail(&r, NULL) + r.capacity);
        for (; sent < 150; sent++)
                assert_ok(test_send(p, sent, 0));
        uint64_t first = UINT64_MAX;
        for (int rc; (rc = try(c, &got)) != -EAGAIN; first = first == UINT64_MAX ? got : first)
                assert_ok(rc);
        assert_true(first > 1 && first != UINT64_MAX);
        assert_int_equal(got, 149);
        assert_int_equal(torc_consumer_missed(c), first - 1);
        munmap(seg, size);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- the descriptor -------------------------------------------------------------------------------------- */

static bool readable(struct torc_consumer *c)
{
        struct pollfd p = {.fd = torc_consumer_fd(c), .events = POLLIN};
        assert_true(p.fd >= 0);
        return poll(&p, 1, 0) == 1;
}

/* Asked for by one who has found nothing several times: his next try arms it all the same. */
static void fd_when_asked_for_after_a_miss_is_armed_by_the_next(void **state)
{
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = blocking();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (int i = 0; i < 5; i++)
                test_expect_nothing(c);
        assert_true(readable(c)); /* the first look is the caller's */
        test_expect_nothing(c);
        assert_false(readable(c));
        assert_ok(test_send(p, 1, 0));
        assert_true(readable(c));
        test_expect(c, 1);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- in the callback ------------------------------------------------------------------------------------- */

struct scene {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *c;
        int calls;
        pid_t child;
};

/* Three messages wait behind one that was read. Those with metadata are handed over by the long path. */
static struct scene scene_begin(struct test *t, bool meta)
{
        static const struct torc_property some_property = {"key", "value"};
        struct torc_stream_config config = blocking();
        struct scene s = {.bus = test_bus(t, "me")};
        struct torc_meta with = {.properties = &some_property, .n_properties = meta};
        s.p = test_producer(s.bus, "s", TORC_SHARED, &config);
        s.c = test_consumer(s.bus, "s", TORC_START_LIVE, NULL);
        assert_ok(test_send(s.p, 9, 0));
        test_expect(s.c, 9);
        for (uint64_t n = 0; n < 3; n++)
                assert_ok(torc_producer_send_meta(s.p, &n, sizeof n, meta ? &with : NULL, 0, NULL));
        return s;
}

static void scene_clear(struct test *t)
{
        test_remove_tree(t->root);
        assert_int_equal(mkdir(t->root, 0755), 0);
}

static void scene_end(struct scene *s)
{
        torc_consumer_close(&s->c);
        torc_producer_close(&s->p);
        torc_bus_close(&s->bus);
}

static int close_the_bus(const struct torc_view *view, void *arg)
{
        struct scene *s = arg;
        (void)view;
        s->calls++;
        torc_bus_close(&s->bus);
        return 0;
}

static void poll_when_the_callback_closes_the_bus_is_edetached(void **state)
{
        for (int meta = 0; meta < 2; meta++) {
                struct scene s = scene_begin(*state, meta);
                size_t handled = 9;
                assert_rc(torc_consumer_poll(s.c, close_the_bus, &s, 5, &handled), TORC_EDETACHED);
                assert_int_equal(s.calls, 1);
                assert_int_equal(handled, 0);
                assert_rc(torc_consumer_poll(s.c, close_the_bus, &s, 0, &handled), TORC_EDETACHED);
                scene_end(&s);
                scene_clear(*state);
        }
}

static int fork_in_it(const struct torc_view *view, void *arg)
{
        struct scene *s = arg;
        (void)view;
        s->calls++;
        s->child = fork();
        return 0;
}

static uint64_t cursor(struct test *t)
{
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *info = test_find_stream(snapshot, "s");
        assert_non_null(info);
        assert_int_equal(info->n_consumers, 1);
        uint64_t at = info->consumers[0].cursor;
        torc_snapshot_free(&snapshot);
        return at;
}

/* The copy in the child does nothing to the parent's place: what the parent's callback still reads is not given away. */
static void poll_when_the_callback_forks_is_eforked_in_the_child(void **state)
{
        struct test *t = *state;
        for (int meta = 0; meta < 2; meta++) {
                struct scene s = scene_begin(t, meta);
                size_t handled = 9;
                int status;
                uint64_t before = cursor(t);
                pid_t self = getpid();
                int rc = torc_consumer_poll(s.c, fork_in_it, &s, 1, &handled);
                if (getpid() != self)
                        _exit(rc == TORC_EFORKED && handled == 0 && s.calls == 1 ? 0 : 99);
                assert_ok(rc);
                assert_int_equal(handled, 1);
                assert_true(s.child > 0);
                assert_int_equal(waitpid(s.child, &status, 0), s.child);
                assert_int_equal(status, 0);
                assert_true(cursor(t) > before);
                scene_end(&s);
                scene_clear(t);
        }
}

/* Nothing may be taken while a callback has a message, nor that be given back; sending is no matter of the consumer's. */
static int use_it(const struct torc_view *view, void *arg)
{
        struct scene *s = arg;
        struct torc_view other;
        uint64_t got, number;
        size_t n;
        assert_int_equal(view->len, sizeof number);
        memcpy(&number, view->data, sizeof number);
        assert_int_equal(number, s->calls++);
        assert_rc(try(s->c, &got), -EBUSY);
        assert_rc(torc_consumer_view(s->c, &other, -1), -EBUSY);
        assert_rc(torc_consumer_release(s->c), -EINVAL);
        assert_rc(torc_consumer_poll(s->c, use_it, s, 1, &n), -EBUSY);
        assert_rc(torc_consumer_reattach(s->c, 0), -EBUSY);
        if (number < 3)
                assert_ok(test_send(s->p, number + 3, 0));
        return 0;
}

static void poll_when_the_callback_reads_is_busy_and_may_send(void **state)
{
        struct test *t = *state;
        for (int meta = 0; meta < 2; meta++) {
                struct scene s = scene_begin(t, meta);
                size_t handled = 0;
                assert_ok(torc_consumer_poll(s.c, use_it, &s, 10, &handled));
                assert_int_equal(handled, 6);
                assert_int_equal(s.calls, 6);
                assert_rc(torc_consumer_poll(s.c, use_it, &s, 10, &handled), -EAGAIN);
                scene_end(&s);
                scene_clear(t);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(hole_when_tried_without_pause_is_mended),
                TEST(hole_when_tried_now_and_then_is_mended),
                TEST(hole_when_the_trying_becomes_rare_is_mended),
                TEST(history_when_overwritten_is_no_reason_to_find_nothing),
                TEST(fd_when_asked_for_after_a_miss_is_armed_by_the_next),
                TEST(poll_when_the_callback_closes_the_bus_is_edetached),
                TEST(poll_when_the_callback_forks_is_eforked_in_the_child),
                TEST(poll_when_the_callback_reads_is_busy_and_may_send),
        };
        return TEST_MAIN(tests);
}
