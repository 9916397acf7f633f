/*
 * access_epoch.c - epochs: 1, 2, 3 for one owner after the other, in every id, kept over the end of everybody; a returning
 * owner keeps its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

static struct torc_producer *own(struct torc_bus *bus, const char *name, enum torc_access mode)
{
        struct torc_producer *p = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer_config wanted = {.name = name, .access = mode, .stream = &config};
        assert_ok(torc_producer_open(&p, bus, "s", &wanted));
        return p;
}

static uint32_t epoch_of_send(struct torc_producer *p, uint64_t number)
{
        struct torc_id id;
        struct torc_producer_status status;
        assert_ok(torc_producer_send(p, &number, sizeof number, 0, &id));
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(status.epoch, id.epoch);
        return id.epoch;
}

static uint32_t epoch_now(struct torc_bus *bus)
{
        struct torc_access_info info;
        assert_ok(torc_stream_access(bus, "s", &info));
        return info.epoch;
}

static void epoch_when_owners_follow_each_other_is_1_2_3(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        static const char *const names[] = {"a", "b", "c"};
        static const enum torc_access modes[] = {TORC_EXCLUSIVE, TORC_WAIT_FOR_EXCLUSIVE, TORC_EXCLUSIVE_WITH_FENCING};
        struct torc_consumer *c = NULL;
        for (uint32_t i = 0; i < 3; i++) {
                struct torc_producer *p = own(bus, names[i], modes[i]);
                assert_int_equal(epoch_of_send(p, i), i + 1);
                if (!c)
                        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
                torc_producer_close(&p);
                assert_int_equal(epoch_now(bus), i + 1);
        }
        /* The reader sees them in that order, in the ids. */
        for (uint32_t i = 0; i < 3; i++) {
                uint64_t got;
                size_t len;
                struct torc_id id;
                assert_ok(torc_consumer_try_recv(c, &got, sizeof got, &len, &id));
                assert_int_equal(got, i);
                assert_int_equal(id.epoch, i + 1);
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void epoch_when_an_owner_fences_the_next_grows_by_one(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p[5];
        for (uint32_t i = 0; i < 5; i++) {
                char name[8];
                snprintf(name, sizeof name, "p%" PRIu32, i);
                p[i] = own(bus, name, TORC_EXCLUSIVE_WITH_FENCING);
                assert_int_equal(epoch_of_send(p[i], i), i + 1);
                for (uint32_t k = 0; k < i; k++) {
                        struct torc_producer_status status;
                        assert_rc(test_send(p[k], 666, 0), TORC_EFENCED);
                        assert_ok(torc_producer_status(p[k], &status));
                        assert_int_equal(status.state, TORC_PRODUCER_FENCED);
                        assert_int_equal(status.fenced_epoch, k + 2); /* by the one that shut it out, not the last */
                }
        }
        for (uint32_t i = 0; i < 5; i++)
                torc_producer_close(&p[i]);
        assert_int_equal(epoch_now(bus), 5);
        torc_bus_close(&bus);
}

static void epoch_when_the_owner_returns_is_kept(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_consumer *c = NULL;
        uint64_t n = 0;
        for (int i = 0; i < 5; i++) {
                struct torc_producer *p = own(bus, "a", i % 2 ? TORC_EXCLUSIVE : TORC_WAIT_FOR_EXCLUSIVE);
                assert_int_equal(epoch_of_send(p, n++), 1);
                if (!c)
                        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
                torc_producer_close(&p);
        }
        struct torc_producer *p = own(bus, "b", TORC_EXCLUSIVE);
        assert_int_equal(epoch_of_send(p, n++), 2);
        torc_producer_close(&p);
        p = own(bus, "a", TORC_EXCLUSIVE); /* it had a successor */
        assert_int_equal(epoch_of_send(p, n++), 3);
        torc_producer_close(&p);
        for (uint64_t i = 0; i < n; i++)
                test_expect(c, i);
        test_expect_nothing(c);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void epoch_when_everybody_left_is_kept(void **state)
{
        struct test *t = *state;
        static const char *const names[] = {"a", "b", "b", "c", "c", "a"};
        static const uint32_t epochs[] = {1, 2, 2, 3, 3, 4};
        for (int i = 0; i < 6; i++) {
                struct torc_bus *bus = test_bus(t, "me");
                struct torc_producer *p = own(bus, names[i], TORC_EXCLUSIVE);
                assert_int_equal(epoch_of_send(p, (uint64_t)i), epochs[i]);
                torc_producer_close(&p);
                torc_bus_close(&bus);
        }
}

static void epoch_when_an_operator_fences_grows(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "operator");
        struct torc_producer *p = own(bus, "a", TORC_EXCLUSIVE), *w = own(bus, "w", TORC_WAIT_FOR_EXCLUSIVE);
        struct torc_producer_status status;
        uint32_t epoch = 0;
        assert_int_equal(epoch_of_send(p, 1), 1);
        assert_ok(torc_stream_fence(bus, "s", &epoch));
        assert_int_equal(epoch, 2);
        assert_rc(test_send(p, 666, 0), TORC_EFENCED);
        assert_rc(torc_producer_await(w, -1), TORC_EFENCED);
        assert_ok(torc_producer_status(p, &status));
        assert_string_equal(status.fencer_name, "operator");
        assert_int_equal(status.fencer_pid, getpid());
        assert_int_equal(status.fenced_epoch, 2);
        torc_producer_close(&p);
        torc_producer_close(&w);
        /* Nobody is the returning owner after that. */
        p = own(bus, "a", TORC_EXCLUSIVE);
        assert_true(epoch_of_send(p, 2) >= 2);
        torc_producer_close(&p);
        assert_ok(torc_stream_fence(bus, "s", NULL));
        p = own(bus, "z", TORC_SHARED);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- an owner that died ---------------------------------------------------------------------------------- */

static void dying_owner(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "dying");
        struct torc_producer *p = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer_config wanted = {.name = "a", .access = TORC_EXCLUSIVE, .stream = &config};
        void *data;
        CHECK_RC(torc_producer_open(&p, bus, "s", &wanted), 0);
        CHECK_RC(test_send(p, 0, 0), 0);
        if (arg)
                CHECK_RC(torc_producer_claim(p, 100, NULL, 0, &data), 0);
        link_say(link, 0);
        link_hear(link);
}

/* Killed in a claim and back under its name: the same epoch, the hole settled, what follows is in order. */
static void epoch_when_the_owner_died_and_returns_is_kept(void **state)
{
        struct test *t = *state;
        for (int in_claim = 0; in_claim < 2; in_claim++) {
                struct torc_bus *bus = test_bus(t, "me");
                struct child c = child_start(t, dying_owner, in_claim ? t : NULL);
                child_hear(&c);
                struct torc_consumer *reader = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
                child_kill(&c);
                struct torc_producer *p = own(bus, "a", TORC_EXCLUSIVE);
                assert_int_equal(epoch_of_send(p, 1), 1);
                test_expect(reader, 0);
                test_expect(reader, 1);
                test_expect_nothing(reader);
                struct torc_snapshot *snapshot = test_snapshot(t);
                assert_int_equal(test_find_stream(snapshot, "s")->losses[TORC_LOSS_ABORTED], in_claim);
                torc_snapshot_free(&snapshot);
                torc_producer_close(&p);
                torc_consumer_close(&reader);
                assert_ok(torc_stream_remove(bus, "s"));
                torc_bus_close(&bus);
        }
}

static void epoch_when_the_owner_died_and_another_follows_grows(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct child c = child_start(t, dying_owner, t);
        child_hear(&c);
        struct torc_consumer *reader = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        child_kill(&c);
        struct torc_producer *p = own(bus, "b", TORC_EXCLUSIVE);
        assert_int_equal(epoch_of_send(p, 1), 2);
        test_expect(reader, 0);
        test_expect(reader, 1);
        torc_producer_close(&p);
        torc_consumer_close(&reader);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(epoch_when_owners_follow_each_other_is_1_2_3),
                TEST(epoch_when_an_owner_fences_the_next_grows_by_one),
                TEST(epoch_when_the_owner_returns_is_kept),
                TEST(epoch_when_everybody_left_is_kept),
                TEST(epoch_when_an_operator_fences_grows),
                TEST(epoch_when_the_owner_died_and_returns_is_kept),
                TEST(epoch_when_the_owner_died_and_another_follows_grows),
        };
        return TEST_MAIN(tests);
}
