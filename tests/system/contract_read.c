/*
 * contract_read.c - consuming: where to start, what a call returns, the pollable descriptor, the callback, the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <pthread.h>

static struct torc_stream_config free_running(void)
{
        return test_stream(4096, TORC_LAG_BLOCK, 0);
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
        test_expect_nothing(c);
}

/* ---- where to start -------------------------------------------------------------------------------------- */

static void start_when_live_sees_only_what_comes(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        send_numbers(p, 0, 10);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        test_expect_nothing(c);
        send_numbers(p, 10, 20);
        expect_numbers(c, 10, 20);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void start_when_earliest_sees_all_that_is_left(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        test_expect_nothing(c);
        send_numbers(p, 0, 100);
        expect_numbers(c, 0, 100);
        torc_consumer_close(&c);
        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        expect_numbers(c, 0, 100);
        torc_consumer_close(&c);
        /* Many laps later: the last of them, without a gap, and most of a ring. */
        send_numbers(p, 100, 1000);
        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        uint64_t first;
        size_t len;
        assert_ok(torc_consumer_try_recv(c, &first, sizeof first, &len, NULL));
        assert_true(first >= 1000 - 128 && first <= 1000 - 64);
        expect_numbers(c, first + 1, 1000);
        assert_int_equal(torc_consumer_missed(c), 0);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static int open_at(struct torc_bus *bus, struct torc_consumer **c, struct torc_id id)
{
        return torc_consumer_open(c, bus, "s",
                                  &(struct torc_consumer_config){.start = TORC_START_ID, .start_id = id});
}

static void start_when_at_an_id_begins_with_that_message(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_id ids[50], bad;
        struct torc_consumer *c = NULL;
        for (uint64_t n = 0; n < 50; n++)
                assert_ok(torc_producer_send(p, &n, sizeof n, 0, &ids[n]));
        for (uint64_t n = 0; n < 50; n += 7) {
                assert_ok(open_at(bus, &c, ids[n]));
                expect_numbers(c, n, 50);
                torc_consumer_close(&c);
        }
        bad = ids[49];
        bad.position += 32; /* not yet */
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        bad = ids[10];
        bad.position += 16; /* in the middle of a message */
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        bad = ids[10];
        bad.position += 1;
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        bad = ids[10];
        bad.epoch = 2;
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        bad = ids[10];
        bad.shard = 1;
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        bad.position = UINT64_MAX;
        assert_rc(open_at(bus, &c, bad), TORC_EGONE);
        send_numbers(p, 50, 500);
        assert_rc(open_at(bus, &c, ids[10]), TORC_EGONE); /* overwritten */
        assert_null(c);
        assert_rc(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.start = (enum torc_start)3}),
                  -EINVAL);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* A reader of history is overtaken: it goes on at what is left and knows how many it missed. */
static void start_when_earliest_is_overwritten_counts_the_gap(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_SKIP, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        send_numbers(p, 0, 100);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        test_expect(c, 0);
        send_numbers(p, 100, 400);
        uint64_t got;
        size_t len;
        assert_ok(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL));
        assert_true(got > 1);
        assert_int_equal(torc_consumer_missed(c), got - 1);
        expect_numbers(c, got + 1, 400);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- receiving ------------------------------------------------------------------------------------------- */

static void recv_when_buffer_is_small_keeps_the_message(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        char buf[16] = "untouched";
        size_t len = 0;
        assert_ok(torc_producer_send(p, "0123456789", 10, 0, NULL));
        for (int i = 0; i < 3; i++) {
                assert_rc(torc_consumer_recv(c, buf, 9, &len, -1, NULL), -EMSGSIZE);
                assert_int_equal(len, 10);
                assert_string_equal(buf, "untouched");
        }
        assert_rc(torc_consumer_recv(c, NULL, 0, &len, 0, NULL), -EMSGSIZE);
        assert_ok(torc_consumer_recv(c, buf, len, &len, 0, NULL));
        assert_memory_equal(buf, "0123456789", 10);
        struct torc_consumer_stats stats;
        assert_ok(torc_consumer_stats(c, &stats));
        assert_int_equal(stats.messages, 1);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void recv_when_nothing_comes_times_out(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        char buf[8];
        size_t len;
        struct torc_view view;
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, 0, NULL), -EAGAIN);
        int64_t from = test_now_ms();
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, 30, NULL), -ETIMEDOUT);
        assert_rc(torc_consumer_view(c, &view, 30), -ETIMEDOUT);
        assert_true(test_now_ms() - from >= 58);
        assert_true(test_now_ms() - from < 2000);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void echo_reader(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "reader");
        struct torc_consumer *c = NULL;
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        link_say(link, 0);
        for (;;) {
                uint64_t got = 0;
                size_t len;
                int rc = torc_consumer_recv(c, &got, sizeof got, &len, -1, NULL);
                link_say(link, rc ? rc : (int64_t)got);
                if (rc)
                        break;
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* Each message finds the reader asleep and wakes it, soon. */
static void recv_when_asleep_is_woken_by_each_message(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct child c = child_start(t, echo_reader, NULL);
        child_hear(&c);
        int64_t from = test_now_ms();
        for (int64_t n = 1; n <= 200; n++) {
                child_until_asleep(&c);
                assert_ok(test_send(p, (uint64_t)n, TEST_WAIT_MS));
                assert_int_equal(child_hear(&c), n);
        }
        assert_true(test_now_ms() - from < 5000); /* 200 slices would take 10 s */
        assert_ok(torc_stream_end(bus, "s"));
        assert_int_equal(child_hear(&c), TORC_ECLOSED);
        child_join(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void recv_when_stream_is_removed_wakes(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct child c = child_start(t, echo_reader, NULL);
        child_hear(&c);
        child_until_asleep(&c);
        assert_ok(torc_stream_remove(bus, "s"));
        assert_int_equal(child_hear(&c), TORC_EREMOVED);
        child_join(&c);
        torc_bus_close(&bus);
}

static void *canceller(void *arg)
{
        torc_consumer_cancel(arg);
        return NULL;
}

static void recv_when_cancelled_is_ecanceled_once(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        char buf[8];
        size_t len;
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, canceller, c), 0);
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, -1, NULL), TORC_ECANCELED);
        pthread_join(thread, NULL);
        torc_consumer_cancel(c);
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, -1, NULL), TORC_ECANCELED);
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, 10, NULL), -ETIMEDOUT);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void view_when_released_tells_who_sent_what(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *a = test_producer(bus, "s", TORC_SHARED, &config),
                             *b = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_view first, second;
        struct torc_id id;
        assert_ok(torc_producer_send(a, "from a", 6, 0, NULL));
        assert_ok(torc_producer_send(b, "from b", 6, 0, &id));
        assert_ok(torc_consumer_view(c, &first, 0));
        assert_memory_equal(first.data, "from a", 6);
        assert_int_equal((uintptr_t)first.data % 8, 0);
        assert_ok(torc_consumer_release(c));
        assert_ok(torc_consumer_view(c, &second, 0));
        assert_memory_equal(second.data, "from b", 6);
        assert_memory_equal(&second.id, &id, sizeof id);
        assert_true(first.producer != second.producer);
        assert_ok(torc_consumer_release(c));
        torc_consumer_close(&c);
        torc_producer_close(&a);
        torc_producer_close(&b);
        torc_bus_close(&bus);
}

/* ---- the callback ---------------------------------------------------------------------------------------- */

struct seen {
        uint64_t next, stop_at;
        int stop_with;
};

static int see(const struct torc_view *view, void *arg)
{
        struct seen *seen = arg;
        assert_int_equal(view->len, 8);
        assert_int_equal(*(const uint64_t *)view->data, seen->next);
        return seen->next++ == seen->stop_at ? seen->stop_with : 0;
}

static void poll_when_callback_stops_stops(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct seen seen = {.stop_at = 4, .stop_with = 7};
        size_t handled = 9;
        assert_rc(torc_consumer_poll(c, see, &seen, 10, &handled), -EAGAIN);
        assert_int_equal(handled, 0);
        send_numbers(p, 0, 20);
        assert_rc(torc_consumer_poll(c, see, &seen, 3, &handled), 0);
        assert_int_equal(handled, 3);
        assert_rc(torc_consumer_poll(c, see, &seen, 10, &handled), 7);
        assert_int_equal(handled, 2); /* the one that stopped counts */
        assert_rc(torc_consumer_poll(c, see, &seen, 100, &handled), 0);
        assert_int_equal(handled, 15);
        assert_int_equal(seen.next, 20);
        assert_rc(torc_consumer_poll(c, see, &seen, 0, &handled), 0);
        assert_int_equal(handled, 0);
        seen.stop_at = 20;
        seen.stop_with = -EIO;
        send_numbers(p, 20, 22);
        assert_rc(torc_consumer_poll(c, see, &seen, 10, &handled), -EIO);
        assert_int_equal(handled, 1);
        expect_numbers(c, 21, 22);
        assert_ok(torc_stream_end(bus, "s"));
        assert_rc(torc_consumer_poll(c, see, &seen, 10, &handled), TORC_ECLOSED);
        assert_int_equal(handled, 0);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- the descriptor -------------------------------------------------------------------------------------- */

static int readable(int fd, int timeout_ms)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, timeout_ms);
        assert_true(n >= 0);
        return n;
}

/* Quiet: armed and nothing there. It may wake by itself now and then, so look until it is. */
static void until_quiet(struct torc_consumer *c, int fd)
{
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        do {
                test_expect_nothing(c);
                assert_true(test_now_ms() < deadline);
        } while (readable(fd, 0));
}

static void fd_when_messages_come_wakes_and_arms_again(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        int fd = torc_consumer_fd(c);
        assert_true(fd >= 0);
        assert_int_equal(torc_consumer_fd(c), fd);
        assert_int_equal(readable(fd, 0), 1); /* the first look is the caller's */
        for (uint64_t n = 0; n < 300; n += 3) {
                until_quiet(c, fd);
                send_numbers(p, n, n + 3);
                assert_int_equal(readable(fd, 0), 1); /* at once, not by its timer */
                expect_numbers(c, n, n + 3);
        }
        /* A message that is already there when it is asked for. */
        send_numbers(p, 300, 301);
        assert_int_equal(readable(fd, 0), 1);
        expect_numbers(c, 300, 301);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void fd_when_stream_ends_wakes(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        int fd = torc_consumer_fd(c);
        assert_true(fd >= 0);
        until_quiet(c, fd);
        assert_ok(torc_stream_end(bus, "s"));
        assert_int_equal(readable(fd, 0), 1);
        char buf[8];
        size_t len;
        assert_rc(torc_consumer_try_recv(c, buf, sizeof buf, &len, NULL), TORC_ECLOSED);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void burst_sender(struct child *link, struct test *t, void *arg)
{
        uint64_t *total = arg;
        struct torc_bus *bus = child_bus(t, "sender");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        for (uint64_t n = 0; n < *total; n++)
                CHECK_RC(test_send(p, n, -1), 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
        link_say(link, 0);
}

/* Another process sends as fast as it can; an event loop on the descriptor gets every message, and never hangs. */
static void fd_when_sender_is_another_process_loses_no_wakeup(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, &config);
        uint64_t total = 20000, next = 0;
        int fd = torc_consumer_fd(c);
        struct child sender = child_start(t, burst_sender, &total);
        while (next < total) {
                uint64_t got;
                size_t len;
                int rc;
                assert_int_equal(readable(fd, TEST_WAIT_MS), 1);
                while ((rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL)) == 0)
                        assert_int_equal(got, next++);
                assert_rc(rc, -EAGAIN);
        }
        child_hear(&sender);
        child_join(&sender);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static unsigned count_files(struct test *t, const char *prefix)
{
        char path[128];
        unsigned n = 0;
        snprintf(path, sizeof path, "%s/bus/@s", t->root);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                n += strncmp(e->d_name, prefix, strlen(prefix)) == 0;
        closedir(dir);
        return n;
}

static void polling_reader(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "polling");
        struct torc_consumer *c = NULL;
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        CHECK(torc_consumer_fd(c) >= 0);
        link_say(link, 0);
        link_hear(link);
}

static void fd_when_consumer_closes_or_dies_leaves_no_file(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_true(torc_consumer_fd(c) >= 0);
        assert_int_equal(count_files(t, "poll"), 1);
        torc_consumer_close(&c);
        assert_int_equal(count_files(t, "poll"), 0);
        struct child child = child_start(t, polling_reader, NULL);
        child_hear(&child);
        assert_int_equal(count_files(t, "poll"), 1);
        child_kill(&child);
        assert_ok(torc_bus_reap(bus, NULL));
        assert_int_equal(count_files(t, "poll"), 0);
        torc_bus_close(&bus);
}

/* ---- the end, and after it ------------------------------------------------------------------------------- */

static void stream_when_ended_and_opened_again_goes_on(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        char buf[8];
        size_t len;
        struct torc_id before, after;
        uint64_t n = 0;
        for (int lap = 0; lap < 5; lap++) {
                assert_ok(torc_producer_send(p, &n, sizeof n, 0, &before));
                assert_ok(torc_stream_end(bus, "s"));
                assert_ok(torc_stream_end(bus, "s")); /* ended it stays */
                assert_rc(test_send(p, 666, 0), TORC_ECLOSED);
                test_expect(c, n++);
                assert_rc(torc_consumer_try_recv(c, buf, sizeof buf, &len, NULL), TORC_ECLOSED);
                assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, -1, NULL), TORC_ECLOSED);
                torc_producer_close(&p);
                p = test_producer(bus, "s", lap % 2 ? TORC_EXCLUSIVE : TORC_SHARED, NULL);
                assert_ok(torc_producer_send(p, &n, sizeof n, 0, &after));
                assert_true(after.position > before.position);
                test_expect(c, n++);
                test_expect_nothing(c);
        }
        assert_int_equal(count_files(t, "0."), 1);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* An ended stream can be attached to: there is what is left, and then the end. */
static void consumer_open_when_ended_reads_what_is_left(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        char buf[8];
        size_t len;
        send_numbers(p, 0, 5);
        assert_ok(torc_stream_end(bus, "s"));
        torc_producer_close(&p);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        for (uint64_t n = 0; n < 5; n++)
                test_expect(c, n);
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, -1, NULL), TORC_ECLOSED);
        torc_consumer_close(&c);
        c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_rc(torc_consumer_recv(c, buf, sizeof buf, &len, -1, NULL), TORC_ECLOSED);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void stream_when_removed_leaves_the_name_free(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = free_running();
        struct torc_producer *old = test_producer(bus, "s", TORC_EXCLUSIVE, &config);
        struct torc_consumer *reader = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_ok(test_send(old, 1, 0));
        assert_ok(torc_stream_remove(bus, "s"));
        assert_rc(torc_stream_remove(bus, "s"), -ENOENT);
        struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        assert_ok(test_send(p, 2, 0));
        expect_numbers(c, 2, 3);
        assert_rc(test_send(old, 666, 0), TORC_EREMOVED);
        uint64_t got;
        size_t len;
        int rc;
        while ((rc = torc_consumer_try_recv(reader, &got, sizeof got, &len, NULL)) == 0)
                assert_int_equal(got, 1);
        assert_rc(rc, TORC_EREMOVED);
        torc_producer_close(&old);
        torc_consumer_close(&reader);
        assert_ok(test_send(p, 3, 0));
        expect_numbers(c, 3, 4);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(start_when_live_sees_only_what_comes),
                TEST(start_when_earliest_sees_all_that_is_left),
                TEST(start_when_at_an_id_begins_with_that_message),
                TEST(start_when_earliest_is_overwritten_counts_the_gap),
                TEST(recv_when_buffer_is_small_keeps_the_message),
                TEST(recv_when_nothing_comes_times_out),
                TEST(recv_when_asleep_is_woken_by_each_message),
                TEST(recv_when_stream_is_removed_wakes),
                TEST(recv_when_cancelled_is_ecanceled_once),
                TEST(view_when_released_tells_who_sent_what),
                TEST(poll_when_callback_stops_stops),
                TEST(fd_when_messages_come_wakes_and_arms_again),
                TEST(fd_when_stream_ends_wakes),
                TEST(fd_when_sender_is_another_process_loses_no_wakeup),
                TEST(fd_when_consumer_closes_or_dies_leaves_no_file),
                TEST(stream_when_ended_and_opened_again_goes_on),
                TEST(consumer_open_when_ended_reads_what_is_left),
                TEST(stream_when_removed_leaves_the_name_free),
        };
        return TEST_MAIN(tests);
}
