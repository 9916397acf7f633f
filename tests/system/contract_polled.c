/*
 * contract_polled.c - one who never sleeps: what a consumer that only tries is told. It is answered by short paths of the
 * library, which have to say what the long ones would.
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(hole_when_tried_without_pause_is_mended),
                TEST(hole_when_tried_now_and_then_is_mended),
                TEST(hole_when_the_trying_becomes_rare_is_mended),
                TEST(history_when_overwritten_is_no_reason_to_find_nothing),
                TEST(fd_when_asked_for_after_a_miss_is_armed_by_the_next),
        };
        return TEST_MAIN(tests);
}
