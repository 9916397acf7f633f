/*
 * access_queue.c - waiting for exclusive access: first come, first served; the dead are skipped; waits that end otherwise.
 *
 * No supervisor runs: waiters find out about deaths by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <pthread.h>

#define HANDOVER_MS 1000 /* without a supervisor; a slice of 50 ms is the rule */

enum { AWAIT = 1, SEND, PLACE, CLOSE };

/* Opens with the mode it is told, then does what it is told. Say AWAIT or SEND with a number: value << 8 | what. */
static void contender(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "contender");
        struct torc_producer *p = NULL;
        struct torc_producer_status status;
        struct torc_producer_config config = {.access = (enum torc_access)link_hear(link)};
        link_say(link, torc_producer_open(&p, bus, "s", &config));
        for (;;) {
                int64_t told = link_hear(link);
                int value = (int)(told >> 8);
                switch (told & 0xff) {
                case AWAIT:
                        link_say(link, torc_producer_await(p, value));
                        break;
                case SEND:
                        link_say(link, test_send(p, (uint64_t)value, 0));
                        break;
                case PLACE:
                        CHECK_RC(torc_producer_status(p, &status), 0);
                        link_say(link, status.state == TORC_PRODUCER_WAITING ? (int64_t)status.queue_place : -1);
                        break;
                default:
                        torc_producer_close(&p);
                        torc_bus_close(&bus);
                        return;
                }
        }
}

static struct child contend(struct test *t, enum torc_access mode, int rc)
{
        struct child c = child_start(t, contender, NULL);
        child_say(&c, mode);
        assert_int_equal(child_hear(&c), rc);
        return c;
}

static int64_t tell(struct child *c, int what, int value)
{
        child_say(c, (int64_t)value * 256 + what);
        return child_hear(c);
}

static void tell_await(struct child *c)
{
        child_say(c, (int64_t)-1 * 256 + AWAIT);
        child_until_asleep(c);
}

static void quit(struct child *c)
{
        child_say(c, CLOSE);
        child_join(c);
}

struct scene {
        struct torc_bus *bus;
        struct torc_consumer *c;
};

static struct scene scene_open(struct test *t)
{
        struct scene x = {.bus = test_bus(t, "me")};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        x.c = test_consumer(x.bus, "s", TORC_START_LIVE, &config);
        return x;
}

static void scene_close(struct scene *x)
{
        torc_consumer_close(&x->c);
        torc_bus_close(&x->bus);
}

static void queue_when_owners_go_is_served_in_order(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), w[4];
        for (int i = 0; i < 4; i++) {
                w[i] = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
                assert_int_equal(tell(&w[i], PLACE, 0), i);
        }
        for (int i = 3; i >= 0; i--) /* they go to sleep in another order than they came */
                tell_await(&w[i]);
        for (int i = 0; i < 4; i++) {
                int64_t from = test_now_ms();
                if (i % 2) /* by leaving, and by being killed */
                        quit(&owner);
                else
                        child_kill(&owner);
                assert_int_equal(child_hear(&w[i]), 0);
                assert_true(test_now_ms() - from < HANDOVER_MS);
                for (int k = i + 1; k < 4; k++)
                        assert_false(child_has_said(&w[k]));
                assert_int_equal(tell(&w[i], SEND, i), 0);
                test_expect(x.c, (uint64_t)i);
                assert_int_equal(tell(&w[i], PLACE, 0), -1);
                owner = w[i];
        }
        quit(&owner);
        scene_close(&x);
}

static void queue_when_a_waiter_is_killed_skips_it(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_SHARED, 0), w[4];
        for (int i = 0; i < 4; i++) {
                w[i] = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
                tell_await(&w[i]);
        }
        child_kill(&w[0]);
        child_kill(&w[2]);
        child_kill(&owner);
        assert_int_equal(child_hear(&w[1]), 0);
        assert_false(child_has_said(&w[3]));
        child_kill(&w[1]);
        assert_int_equal(child_hear(&w[3]), 0);
        quit(&w[3]);
        scene_close(&x);
}

static void queue_when_a_waiter_leaves_moves_up(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), a = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0),
                     b = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        assert_int_equal(tell(&b, PLACE, 0), 1);
        quit(&a);
        assert_int_equal(tell(&b, PLACE, 0), 0);
        quit(&owner);
        assert_int_equal(tell(&b, AWAIT, -1), 0);
        quit(&b);
        scene_close(&x);
}

/* A stopped waiter keeps its place: those behind wait until it goes on or is proven dead. */
static void queue_when_the_first_waiter_is_stopped_waits_for_it(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), a = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0),
                     b = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0), c = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        tell_await(&a);
        tell_await(&b);
        tell_await(&c);
        child_stop(&a);
        child_kill(&owner);
        struct torc_reaped reaped;
        for (int i = 0; i < 20; i++) {
                assert_ok(torc_bus_reap(x.bus, &reaped));
                assert_ok(torc_bus_nudge(x.bus));
        }
        assert_false(child_has_said(&b));
        child_continue(&a);
        assert_int_equal(child_hear(&a), 0);
        child_stop(&a);
        assert_false(child_has_said(&b));
        child_kill(&a);
        assert_int_equal(child_hear(&b), 0);
        quit(&b);
        assert_int_equal(child_hear(&c), 0);
        quit(&c);
        scene_close(&x);
}

/* A waiter that does not happen to be in a wait holds its place as well as one that sleeps. */
static void queue_when_only_waiters_are_left_refuses_others(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), w = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        struct torc_producer *p = NULL;
        child_kill(&owner);
        assert_rc(torc_producer_open(&p, x.bus, "s", NULL), TORC_EBUSY);
        assert_rc(torc_producer_open(&p, x.bus, "s", &(struct torc_producer_config){.access = TORC_EXCLUSIVE}),
                  TORC_EBUSY);
        struct torc_access_info info;
        assert_ok(torc_stream_access(x.bus, "s", &info));
        assert_false(info.held);
        assert_int_equal(info.waiters, 1);
        assert_int_equal(tell(&w, SEND, 5), 0); /* a send looks for its turn too */
        test_expect(x.c, 5);
        quit(&w);
        p = test_producer(x.bus, "s", TORC_SHARED, NULL);
        torc_producer_close(&p);
        scene_close(&x);
}

static void queue_when_nobody_holds_is_granted_at_open(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct torc_producer *p = test_producer(x.bus, "s", TORC_WAIT_FOR_EXCLUSIVE, NULL);
        struct torc_producer_status status;
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(status.state, TORC_PRODUCER_OWNER);
        assert_ok(torc_producer_await(p, 0));
        assert_ok(test_send(p, 1, 0));
        test_expect(x.c, 1);
        torc_producer_close(&p);
        scene_close(&x);
}

static void *canceller(void *arg)
{
        torc_producer_cancel(arg);
        return NULL;
}

static void await_when_it_ends_otherwise_keeps_the_place(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct torc_producer *owner = test_producer(x.bus, "s", TORC_EXCLUSIVE, NULL);
        struct torc_producer *w = test_producer(x.bus, "s", TORC_WAIT_FOR_EXCLUSIVE, NULL);
        struct torc_producer *behind = test_producer(x.bus, "s", TORC_WAIT_FOR_EXCLUSIVE, NULL);
        struct torc_producer_status status;
        pthread_t thread;
        assert_rc(torc_producer_await(w, 0), -EAGAIN);
        int64_t from = test_now_ms();
        assert_rc(torc_producer_await(w, 30), -ETIMEDOUT);
        assert_true(test_now_ms() - from >= 29);
        assert_int_equal(pthread_create(&thread, NULL, canceller, w), 0);
        assert_rc(torc_producer_await(w, -1), TORC_ECANCELED);
        pthread_join(thread, NULL);
        assert_ok(torc_producer_status(w, &status));
        assert_int_equal(status.state, TORC_PRODUCER_WAITING);
        assert_int_equal(status.queue_place, 0);
        torc_producer_close(&owner);
        assert_rc(torc_producer_await(behind, 0), -EAGAIN);
        assert_ok(torc_producer_await(w, 0));
        torc_producer_close(&w);
        assert_ok(torc_producer_await(behind, 0));
        torc_producer_close(&behind);
        scene_close(&x);
}

static void await_when_fenced_is_efenced(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), a = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0),
                     b = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        tell_await(&a);
        struct torc_producer *p = test_producer(x.bus, "s", TORC_EXCLUSIVE_WITH_FENCING, NULL);
        assert_int_equal(child_hear(&a), TORC_EFENCED); /* woken */
        assert_int_equal(tell(&b, AWAIT, 0), TORC_EFENCED);
        assert_int_equal(tell(&b, AWAIT, -1), TORC_EFENCED);
        assert_int_equal(tell(&b, SEND, 666), TORC_EFENCED);
        assert_int_equal(tell(&owner, SEND, 667), TORC_EFENCED);
        struct torc_access_info info;
        assert_ok(torc_stream_access(x.bus, "s", &info));
        assert_int_equal(info.waiters, 0);
        assert_int_equal(info.producers, 1);
        test_expect_nothing(x.c);
        quit(&a);
        quit(&b);
        quit(&owner);
        torc_producer_close(&p);
        scene_close(&x);
}

static void await_when_stream_goes_says_so(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), w = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        tell_await(&w);
        assert_ok(torc_stream_remove(x.bus, "s"));
        assert_int_equal(child_hear(&w), TORC_EREMOVED);
        quit(&w);
        quit(&owner);
        scene_close(&x);
}

/* An ended stream has no turn to wait for. */
static void await_when_stream_ends_is_eclosed(void **state)
{
        struct test *t = *state;
        struct scene x = scene_open(t);
        struct child owner = contend(t, TORC_EXCLUSIVE, 0), w = contend(t, TORC_WAIT_FOR_EXCLUSIVE, 0);
        tell_await(&w);
        assert_ok(torc_stream_end(x.bus, "s"));
        assert_int_equal(child_hear(&w), TORC_ECLOSED);
        quit(&w);
        quit(&owner);
        scene_close(&x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(queue_when_owners_go_is_served_in_order),
                TEST(queue_when_a_waiter_is_killed_skips_it),
                TEST(queue_when_a_waiter_leaves_moves_up),
                TEST(queue_when_the_first_waiter_is_stopped_waits_for_it),
                TEST(queue_when_only_waiters_are_left_refuses_others),
                TEST(queue_when_nobody_holds_is_granted_at_open),
                TEST(await_when_it_ends_otherwise_keeps_the_place),
                TEST(await_when_fenced_is_efenced),
                TEST(await_when_stream_goes_says_so),
                TEST(await_when_stream_ends_is_eclosed),
        };
        return TEST_MAIN(tests);
}
