/*
 * review_wake.c - a pollable descriptor calls for a look until there was nothing to be seen, also when messages come just while
 * it is being armed. A sleeper is announced quickly if it was woken soon, and then woken by whatever happens. A reader's pauses
 * are short enough for its ring. And one that never sleeps, but tries again and again, gets past what the dead left all the same.
 *
 * Announcements and pauses are wrapped by the linker (Makefile): what others do at that moment is done in there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <pthread.h>
#include <stdatomic.h>

struct abi_eventcount;
uint32_t __real_wait_announce(struct abi_eventcount *ec, uint32_t kind);
uint32_t __wrap_wait_announce(struct abi_eventcount *ec, uint32_t kind);
uint32_t __real_wait_announce_quick(struct abi_eventcount *ec, uint32_t kind);
uint32_t __wrap_wait_announce_quick(struct abi_eventcount *ec, uint32_t kind);

static struct torc_producer *meanwhile; /* sends two messages, once */

uint32_t __wrap_wait_announce(struct abi_eventcount *ec, uint32_t kind)
{
        struct torc_producer *p = meanwhile;
        meanwhile = NULL;
        if (p) {
                assert_ok(test_send(p, 1, 0));
                assert_ok(test_send(p, 2, 0));
        }
        return __real_wait_announce(ec, kind);
}

static int quick; /* announcements of those who expect to be woken soon */

uint32_t __wrap_wait_announce_quick(struct abi_eventcount *ec, uint32_t kind)
{
        quick++;
        return __real_wait_announce_quick(ec, kind);
}

void __real_wait_pause(void);
void __wrap_wait_pause(void);

static struct torc_producer *writer; /* sends a message during each pause */

void __wrap_wait_pause(void)
{
        static const char message[100];
        if (writer)
                assert_ok(torc_producer_send(writer, message, sizeof message, 0, NULL));
        __real_wait_pause();
}

static bool readable(struct torc_consumer *c)
{
        struct pollfd p = {.fd = torc_consumer_fd(c), .events = POLLIN};
        assert_true(p.fd >= 0);
        return poll(&p, 1, 0) == 1;
}

static void fd_when_messages_come_while_it_is_armed_stays_readable(void **state)
{
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t number;
        size_t len;
        assert_true(readable(c)); /* the first look */
        meanwhile = p;
        assert_ok(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL));
        assert_int_equal(number, 1);
        assert_null(meanwhile);
        assert_true(readable(c)); /* one who takes one message at a time comes back for the other */
        assert_ok(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL));
        assert_int_equal(number, 2);
        assert_rc(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL), -EAGAIN);
        assert_ok(test_send(p, 3, 0));
        assert_true(readable(c));
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* A quick announcement is good for 5 ms only: one who waits in vain again and again would sleep once more each time, and one
 * before an open claim would look at it less often. */
static void recv_when_the_last_was_not_woken_is_not_announced_quickly(void **state)
{
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t number;
        size_t len;
        void *data;
        quick = 0;
        for (int i = 0; i < 5; i++)
                assert_rc(torc_consumer_recv(c, &number, sizeof number, &len, 1 + i, NULL), -ETIMEDOUT);
        assert_ok(torc_producer_claim(p, 8, NULL, 0, &data));
        assert_rc(torc_consumer_recv(c, &number, sizeof number, &len, 20, NULL), -ETIMEDOUT);
        assert_int_equal(quick, 0);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- announced quickly ----------------------------------------------------------------------------------- */

struct sleeper {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *c;
        pthread_t thread;
        atomic_bool awake;
        int rc; /* of what the other thread did */
};

static void *act_send(void *arg)
{
        struct sleeper *s = arg;
        s->rc = test_send(s->p, 7, 0);
        return NULL;
}

static void *act_kick(void *arg)
{
        struct sleeper *s = arg;
        struct torc_consumer_info info;
        size_t n;
        s->rc = torc_producer_consumers(s->p, &info, 1, &n);
        if (s->rc == 0)
                s->rc = torc_stream_kick(s->bus, "s", info.ref);
        return NULL;
}

static void *act_cancel(void *arg)
{
        torc_consumer_cancel(((struct sleeper *)arg)->c);
        return NULL;
}

static void *act_signal(void *arg)
{
        struct sleeper *s = arg;
        while (!atomic_load(&s->awake)) /* one that comes before the sleep is lost, as with poll(2) */
                s->rc = -pthread_kill(s->thread, SIGUSR1);
        return NULL;
}

static void *act_end(void *arg)
{
        struct sleeper *s = arg;
        s->rc = torc_stream_end(s->bus, "s");
        return NULL;
}

static void *act_remove(void *arg)
{
        struct sleeper *s = arg;
        s->rc = torc_stream_remove(s->bus, "s");
        return NULL;
}

/* Receive while another thread does something. Returns what came of it, and that before long. */
static int recv_while(struct sleeper *s, void *(*act)(void *))
{
        pthread_t other;
        uint64_t number;
        size_t len;
        int64_t begin = test_now_ms();
        s->rc = 0;
        atomic_store(&s->awake, false);
        assert_int_equal(pthread_create(&other, NULL, act, s), 0);
        int rc = torc_consumer_recv(s->c, &number, sizeof number, &len, -1, NULL);
        atomic_store(&s->awake, true);
        pthread_join(other, NULL);
        assert_ok(s->rc);
        assert_true(test_now_ms() - begin < 2000);
        return rc;
}

/* Until the next sleep will be announced quickly, because the last was ended soon. */
static void until_quick(struct sleeper *s)
{
        for (int before = quick; quick == before;)
                assert_ok(recv_while(s, act_send));
}

static void on_signal(int number)
{
        (void)number;
}

static void sleeper_when_announced_quickly_is_woken_by_whatever_happens(void **state)
{
        struct sleeper s = {.bus = test_bus(*state, "me"), .thread = pthread_self()};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        s.p = test_producer(s.bus, "s", TORC_SHARED, &config);
        s.c = test_consumer(s.bus, "s", TORC_START_LIVE, NULL);
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
        assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
        uint64_t number;
        size_t len;
        for (int round = 0; round < 10; round++) {
                until_quick(&s);
                assert_rc(recv_while(&s, act_kick), TORC_ELAGGED);
                assert_ok(torc_consumer_reattach(s.c, 0));
                until_quick(&s);
                assert_rc(recv_while(&s, act_cancel), TORC_ECANCELED);
                until_quick(&s);
                assert_rc(recv_while(&s, act_signal), -EINTR);
                until_quick(&s);
                assert_rc(torc_consumer_recv(s.c, &number, sizeof number, &len, 1, NULL), -ETIMEDOUT);
        }
        until_quick(&s);
        assert_rc(recv_while(&s, act_end), TORC_ECLOSED);
        torc_producer_close(&s.p);
        s.p = test_producer(s.bus, "s", TORC_SHARED, NULL);
        until_quick(&s);
        assert_rc(recv_while(&s, act_remove), TORC_EREMOVED);
        assert_int_equal(sigaction(SIGUSR1, &old, NULL), 0);
        torc_producer_close(&s.p);
        torc_consumer_close(&s.c);
        torc_bus_close(&s.bus);
}

/* ---- pauses ---------------------------------------------------------------------------------------------- */

/* A reader pauses, to let a batch build up or the writer get ahead. In the smallest ring, too, it takes up again before it is lapped. */
static void reader_when_it_pauses_is_not_lapped(void **state)
{
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = test_stream(TORC_CAPACITY_MIN, TORC_LAG_DISCONNECT, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_producer_status before, after;
        char buf[100];
        size_t len;
        assert_ok(torc_producer_status(p, &before));
        for (int i = 0; i < 1000; i++) {
                assert_ok(torc_producer_send(p, buf, sizeof buf, 0, NULL));
                writer = p;
                assert_ok(torc_consumer_try_recv(c, buf, sizeof buf, &len, NULL));
                if (i % 200 == 0) { /* a miss now and then */
                        int rc;
                        while ((rc = torc_consumer_try_recv(c, buf, sizeof buf, &len, NULL)) == 0)
                                continue;
                        assert_rc(rc, -EAGAIN);
                }
                writer = NULL;
        }
        assert_ok(torc_producer_status(p, &after));
        assert_true(after.messages - before.messages > 1000); /* it did pause */
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- one that only tries --------------------------------------------------------------------------------- */

static int try_recv(struct torc_consumer *c, uint64_t *number)
{
        size_t len;
        return torc_consumer_try_recv(c, number, sizeof *number, &len, NULL);
}

static int try_view(struct torc_consumer *c, uint64_t *number)
{
        struct torc_view view;
        int rc = torc_consumer_view(c, &view, 0);
        if (rc)
                return rc;
        memcpy(number, view.data, sizeof *number);
        return torc_consumer_release(c);
}

static int polled(const struct torc_view *view, void *arg)
{
        memcpy(arg, view->data, sizeof(uint64_t));
        return 0;
}

static int try_poll(struct torc_consumer *c, uint64_t *number)
{
        size_t handled;
        return torc_consumer_poll(c, polled, number, 1, &handled);
}

static void dead_claimer(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "dead");
        struct torc_producer *p = NULL;
        void *data;
        (void)arg;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 8, NULL, 0, &data), 0);
        link_say(link, 1);
        link_hear(link);
}

static void try_when_a_claimer_has_died_gets_past_it(void **state)
{
        static int (*const tries[])(struct torc_consumer *, uint64_t *) = {try_recv, try_view, try_poll};
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (uint64_t i = 0; i < 3; i++) {
                uint64_t number = 0;
                int rc;
                struct child dead = child_start(*state, dead_claimer, NULL);
                child_hear(&dead);
                child_kill(&dead);
                assert_ok(test_send(p, 10 + i, 0));
                for (int64_t give_up = test_now_ms() + TEST_WAIT_MS; (rc = tries[i](c, &number)) == -EAGAIN;)
                        if (test_now_ms() > give_up)
                                fail_msg("way %d: the message behind a dead claim is not reached", (int)i);
                assert_ok(rc);
                assert_int_equal(number, 10 + i);
        }
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {TEST(fd_when_messages_come_while_it_is_armed_stays_readable),
                                           TEST(recv_when_the_last_was_not_woken_is_not_announced_quickly),
                                           TEST(sleeper_when_announced_quickly_is_woken_by_whatever_happens),
                                           TEST(reader_when_it_pauses_is_not_lapped),
                                           TEST(try_when_a_claimer_has_died_gets_past_it)};
        return TEST_MAIN(tests);
}
