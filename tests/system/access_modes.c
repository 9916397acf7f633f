/*
 * access_modes.c - who may produce: every mode against every mode, the holder alive, dead or stopped.
 *
 * The holder is a helper; no supervisor runs, so all that is decided here is decided in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

enum holder { ALIVE, DEAD, STOPPED };
enum outcome {
        JOINS,   /* shared, beside the holder */
        OWNS,    /* owner, alone */
        BUSY,    /* refused */
        WAITS,   /* open, in the queue */
        FENCES,  /* owner; the holder is fenced */
};

static const char *const mode_word[] = {"shared", "exclusive", "wait_for_exclusive", "exclusive_with_fencing"};
static const char *const holder_word[] = {"live", "dead", "stopped"};

/* A stopped holder is as good as a live one: only proof of death takes anything away. */
static enum outcome expected(enum torc_access held, enum torc_access wanted, enum holder holder)
{
        static const enum outcome living[4][4] = {
                /* held shared; all others are owners once they hold */
                [TORC_SHARED] = {JOINS, BUSY, WAITS, FENCES},
                [TORC_EXCLUSIVE] = {BUSY, BUSY, WAITS, FENCES},
                [TORC_WAIT_FOR_EXCLUSIVE] = {BUSY, BUSY, WAITS, FENCES},
                [TORC_EXCLUSIVE_WITH_FENCING] = {BUSY, BUSY, WAITS, FENCES},
        };
        if (holder == DEAD)
                return wanted == TORC_SHARED ? JOINS : OWNS;
        return living[held][wanted];
}

enum { SEND = 1, STATE, CLOSE };

/* Opens with the given mode, sends one message, then does what it is told. */
static void holder(struct child *link, struct test *t, void *arg)
{
        const enum torc_access *mode = arg;
        struct torc_bus *bus = child_bus(t, "holder");
        struct torc_producer *p = NULL;
        struct torc_producer_status status;
        uint64_t n = 1;
        struct torc_producer_config config = {.name = "holder", .access = *mode};
        CHECK_RC(torc_producer_open(&p, bus, "s", &config), 0);
        CHECK_RC(test_send(p, n++, 0), 0);
        for (link_say(link, 0);;)
                switch (link_hear(link)) {
                case SEND:
                        link_say(link, test_send(p, n, 0));
                        break;
                case STATE:
                        CHECK_RC(torc_producer_status(p, &status), 0);
                        link_say(link, status.state);
                        link_say(link, status.fenced_epoch);
                        link_say(link, status.fencer_pid);
                        link_say(link, !strcmp(status.fencer_name, "comer"));
                        break;
                default:
                        torc_producer_close(&p);
                        torc_bus_close(&bus);
                        return;
                }
}

static void expect_sees(struct torc_consumer *c, uint64_t number)
{
        test_expect(c, number);
        test_expect_nothing(c);
}

static void check_newcomer(struct torc_producer *p, struct torc_consumer *c, enum outcome outcome, uint32_t epoch)
{
        struct torc_producer_status status;
        static const enum torc_producer_state states[] = {[JOINS] = TORC_PRODUCER_SHARED, [OWNS] = TORC_PRODUCER_OWNER,
                                                          [WAITS] = TORC_PRODUCER_WAITING,
                                                          [FENCES] = TORC_PRODUCER_OWNER};
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(status.state, states[outcome]);
        if (outcome == WAITS) {
                assert_int_equal(status.queue_place, 0);
                assert_rc(test_send(p, 666, 0), TORC_EWAITING);
                assert_rc(torc_producer_await(p, 0), -EAGAIN);
                return;
        }
        assert_ok(torc_producer_await(p, 0));
        assert_int_equal(status.epoch, epoch);
        assert_ok(test_send(p, 100, 0));
        expect_sees(c, 100);
}

/* The holder, continued if it was stopped, finds out what became of it. */
static void check_holder(struct child *h, struct torc_consumer *c, enum outcome outcome)
{
        child_say(h, SEND);
        if (outcome == FENCES) {
                assert_int_equal(child_hear(h), TORC_EFENCED);
                child_say(h, STATE);
                assert_int_equal(child_hear(h), TORC_PRODUCER_FENCED);
                assert_int_equal(child_hear(h), 2);
                assert_int_equal(child_hear(h), getpid());
                assert_int_equal(child_hear(h), true);
                test_expect_nothing(c);
        } else {
                assert_int_equal(child_hear(h), 0);
                expect_sees(c, 2);
        }
}

static void meet(struct test *t, enum torc_access held, enum torc_access wanted, enum holder how)
{
        enum outcome outcome = expected(held, wanted, how);
        struct torc_bus *bus = test_bus(t, "comer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct child h = child_start(t, holder, &held);
        struct torc_producer *p = NULL;
        struct torc_producer_config comer = {.name = "comer", .access = wanted};
        struct torc_access_info info;
        child_hear(&h);
        expect_sees(c, 1);
        assert_ok(torc_stream_access(bus, "s", &info));
        assert_true(info.held);
        assert_int_equal(info.access, held == TORC_SHARED ? TORC_SHARED : TORC_EXCLUSIVE);
        assert_int_equal(info.holder_pid, h.pid);
        assert_string_equal(info.holder_name, "holder");
        if (how == STOPPED)
                child_stop(&h);
        else if (how == DEAD)
                child_kill(&h);
        assert_ok(torc_stream_access(bus, "s", &info));
        assert_int_equal(info.held, how != DEAD);
        print_message("%s holder is %s, %s comes\n", mode_word[held], holder_word[how], mode_word[wanted]);
        assert_rc(torc_producer_open(&p, bus, "s", &comer), outcome == BUSY ? TORC_EBUSY : 0);
        /* The first owner of an unused stream has epoch 1, every further one the next. */
        if (outcome == BUSY)
                assert_null(p);
        else
                check_newcomer(p, c, outcome, outcome == JOINS ? 1 : 2);
        if (how == STOPPED)
                child_continue(&h);
        if (how != DEAD) {
                check_holder(&h, c, outcome);
                child_say(&h, CLOSE);
                child_join(&h);
        }
        if (outcome == WAITS) { /* its turn has come */
                assert_ok(torc_producer_await(p, TEST_WAIT_MS));
                check_newcomer(p, c, OWNS, 2);
        }
        torc_producer_close(&p);
        torc_consumer_close(&c);
        assert_ok(torc_stream_remove(bus, "s"));
        torc_bus_close(&bus);
}

static void all_against_all(struct test *t, enum holder how)
{
        for (int held = 0; held < 4; held++)
                for (int wanted = 0; wanted < 4; wanted++)
                        meet(t, (enum torc_access)held, (enum torc_access)wanted, how);
}

static void access_when_holder_is_alive_follows_the_table(void **state)
{
        all_against_all(*state, ALIVE);
}

static void access_when_holder_is_dead_is_granted(void **state)
{
        all_against_all(*state, DEAD);
}

static void access_when_holder_is_stopped_is_as_if_alive(void **state)
{
        all_against_all(*state, STOPPED);
}

/* Shared producers own nothing: the epoch stays the dead owner's. */
static void access_when_a_dead_owner_is_followed_by_shared_leaves_the_epoch(void **state)
{
        struct test *t = *state;
        enum torc_access mode = TORC_EXCLUSIVE;
        struct torc_bus *bus = test_bus(t, "comer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        struct child h = child_start(t, holder, &mode);
        struct torc_access_info info;
        child_hear(&h);
        child_kill(&h);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        assert_ok(torc_stream_access(bus, "s", &info));
        assert_int_equal(info.access, TORC_SHARED);
        assert_int_equal(info.epoch, 1);
        assert_int_equal(info.producers, 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- how many -------------------------------------------------------------------------------------------- */

static void access_when_256_produce_is_enocapacity(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(65536, TORC_LAG_BLOCK, 0);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, &config);
        struct torc_producer *p[TORC_MAX_PRODUCERS], *more = NULL;
        for (uint64_t i = 0; i < TORC_MAX_PRODUCERS; i++) {
                p[i] = test_producer(bus, "s", TORC_SHARED, NULL);
                assert_ok(test_send(p[i], i, 0));
        }
        assert_rc(torc_producer_open(&more, bus, "s", NULL), TORC_ENOCAPACITY);
        assert_null(more);
        for (uint64_t i = 0; i < TORC_MAX_PRODUCERS; i++)
                test_expect(c, i);
        torc_producer_close(&p[77]);
        p[77] = test_producer(bus, "s", TORC_SHARED, NULL);
        for (uint64_t i = 0; i < TORC_MAX_PRODUCERS; i++)
                torc_producer_close(&p[i]);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void access_when_64_wait_is_enocapacity(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *owner = test_producer(bus, "s", TORC_EXCLUSIVE, &config), *w[TORC_MAX_WAITERS],
                             *more = NULL;
        struct torc_producer_config wait = {.access = TORC_WAIT_FOR_EXCLUSIVE};
        struct torc_producer_status status;
        for (uint32_t i = 0; i < TORC_MAX_WAITERS; i++) {
                w[i] = test_producer(bus, "s", TORC_WAIT_FOR_EXCLUSIVE, NULL);
                assert_ok(torc_producer_status(w[i], &status));
                assert_int_equal(status.queue_place, i);
        }
        assert_rc(torc_producer_open(&more, bus, "s", &wait), TORC_ENOCAPACITY);
        for (int i = 0; i < TORC_MAX_WAITERS; i++)
                torc_producer_close(&w[i]);
        torc_producer_close(&owner);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(access_when_holder_is_alive_follows_the_table),
                TEST(access_when_holder_is_dead_is_granted),
                TEST(access_when_holder_is_stopped_is_as_if_alive),
                TEST(access_when_a_dead_owner_is_followed_by_shared_leaves_the_epoch),
                TEST(access_when_256_produce_is_enocapacity),
                TEST(access_when_64_wait_is_enocapacity),
        };
        return TEST_MAIN(tests);
}
