/*
 * contract_members.c - consumers as a stream and its producers see them: places, online, conditions, the list, counters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

/* ---- helpers --------------------------------------------------------------------------------------------- */

struct reader_plan {
        const char *stream, *tags, *name;
        int timeout_ms;
};

/* A consumer that opens when told, reports the result, and closes when told. */
static void reader(struct child *link, struct test *t, void *arg)
{
        const struct reader_plan *plan = arg;
        struct torc_bus *bus = NULL;
        struct torc_consumer *c = NULL;
        CHECK_RC(test_bus_open(t, &bus, "reader", plan->tags), 0);
        for (int64_t timeout_ms = link_hear(link);;) {
                struct torc_consumer_config config = {.name = plan->name, .timeout_ms = (int)timeout_ms};
                int rc = torc_consumer_open(&c, bus, plan->stream, &config);
                link_say(link, rc);
                timeout_ms = link_hear(link);
                if (rc == 0)
                        break;
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
        link_say(link, 0);
        link_hear(link);
}

static struct child reader_open(struct test *t, const struct reader_plan *plan, int64_t expected)
{
        struct child c = child_start(t, reader, (void *)(uintptr_t)plan);
        child_say(&c, plan->timeout_ms);
        assert_int_equal(child_hear(&c), expected);
        return c;
}

static void reader_close(struct child *c)
{
        child_say(c, 0);
        assert_int_equal(child_hear(c), 0);
        child_say(c, 0);
        child_join(c);
}

/* ---- places ---------------------------------------------------------------------------------------------- */

static void consumer_open_when_places_are_taken_waits_for_a_death(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        config.max_consumers = 3;
        assert_ok(torc_stream_create(bus, "s", &config));
        static const struct reader_plan plan = {.stream = "s"};
        struct child c[7];
        for (int i = 0; i < 7; i++)
                c[i] = reader_open(t, &plan, i < 3 ? 0 : TORC_ENOCAPACITY);
        child_say(&c[4], TEST_WAIT_MS);
        child_until_asleep(&c[4]);
        assert_false(child_has_said(&c[4]));
        child_kill(&c[1]);
        assert_int_equal(child_hear(&c[4]), 0);
        child_say(&c[5], 0);
        assert_int_equal(child_hear(&c[5]), TORC_ENOCAPACITY);
        /* A clean leave makes a place too. */
        reader_close(&c[2]);
        child_say(&c[5], TEST_WAIT_MS);
        assert_int_equal(child_hear(&c[5]), 0);
        child_say(&c[6], 20);
        assert_int_equal(child_hear(&c[6]), TORC_ENOCAPACITY);
        child_kill(&c[3]);
        child_kill(&c[6]);
        reader_close(&c[0]);
        reader_close(&c[4]);
        reader_close(&c[5]);
        torc_bus_close(&bus);
}

/* ---- online ---------------------------------------------------------------------------------------------- */

static void online_when_two_tagged_are_needed_counts_those(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 2);
        config.online_tags = "web";
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        static const struct reader_plan web = {.stream = "s", .tags = "eu,web"}, plain = {.stream = "s"},
                                        near = {.stream = "s", .tags = "webs,we,b"};
        assert_false(torc_producer_is_online(p));
        struct child a = reader_open(t, &web, 0), b = reader_open(t, &plain, 0), c = reader_open(t, &near, 0);
        assert_false(torc_producer_is_online(p));
        assert_rc(test_send(p, 1, 0), TORC_EOFFLINE);
        struct child d = reader_open(t, &web, 0);
        assert_true(torc_producer_is_online(p));
        assert_ok(test_send(p, 1, 0));
        child_kill(&d);
        /* Dead is dead at once; a send takes note when the slot is reaped. */
        assert_false(torc_producer_is_online(p));
        assert_ok(torc_producer_wait_for(p, &(struct torc_condition){.kind = TORC_OFFLINE}, 0));
        assert_ok(torc_bus_reap(bus, NULL));
        assert_rc(test_send(p, 2, 0), TORC_EOFFLINE);
        reader_close(&a);
        reader_close(&b);
        reader_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* With no supervisor, and one that only tries and never sleeps: it has to notice a death by itself all the same. */
static void try_send_when_the_only_consumer_was_killed_finds_out(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        static const struct reader_plan plan = {.stream = "s"};
        struct child a = reader_open(t, &plan, 0);
        child_kill(&a);
        int64_t deadline = test_now_ms() + 1000;
        int rc;
        do
                rc = test_send(p, 1, 0);
        while ((rc == 0 || rc == TORC_EFULL) && test_now_ms() < deadline);
        assert_rc(rc, TORC_EOFFLINE);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void sender(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "sender");
        struct torc_producer *p = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        CHECK_RC(torc_producer_open(&p, bus, arg, &(struct torc_producer_config){.stream = &config}), 0);
        link_say(link, 0);
        for (uint64_t n = 1; n <= 3; n++) {
                int rc = test_send(p, n, -1);
                link_say(link, rc);
                if (rc)
                        break;
        }
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void send_when_nobody_consumes_parks_until_somebody_attaches(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct child c = child_start(t, sender, "s");
        child_hear(&c);
        test_until_blocked(t, "s", c.pid);
        assert_false(child_has_said(&c));
        struct torc_consumer *consumer = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (uint64_t n = 1; n <= 3; n++) {
                test_expect(consumer, n);
                assert_int_equal(child_hear(&c), 0);
        }
        child_join(&c);
        torc_consumer_close(&consumer);
        torc_bus_close(&bus);
}

static void send_when_parked_and_stream_ends_is_eclosed(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct child c = child_start(t, sender, "s");
        child_hear(&c);
        test_until_blocked(t, "s", c.pid);
        assert_ok(torc_stream_end(bus, "s"));
        assert_int_equal(child_hear(&c), TORC_ECLOSED);
        child_join(&c);
        torc_bus_close(&bus);
}

static void send_when_parked_and_stream_is_removed_is_eremoved(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct child c = child_start(t, sender, "s");
        child_hear(&c);
        test_until_blocked(t, "s", c.pid);
        assert_ok(torc_stream_remove(bus, "s"));
        assert_int_equal(child_hear(&c), TORC_EREMOVED);
        child_join(&c);
        torc_bus_close(&bus);
}

/* ---- conditions ------------------------------------------------------------------------------------------ */

static int wait_for(struct torc_producer *p, enum torc_condition_kind kind, uint32_t minimum, const char *tags,
                    int timeout_ms)
{
        return torc_producer_wait_for(p, &(struct torc_condition){kind, minimum, tags}, timeout_ms);
}

static void wait_for_when_it_holds_returns_at_once(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        assert_ok(wait_for(p, TORC_OFFLINE, 0, NULL, 0));
        assert_ok(wait_for(p, TORC_UNSUBSCRIBED, 0, NULL, -1));
        assert_rc(wait_for(p, TORC_ONLINE, 0, NULL, 0), -EAGAIN);
        assert_rc(wait_for(p, TORC_SUBSCRIBED, 0, NULL, 10), -ETIMEDOUT);
        assert_rc(wait_for(p, (enum torc_condition_kind)0, 0, NULL, 0), -EINVAL);
        assert_rc(wait_for(p, (enum torc_condition_kind)5, 0, NULL, 0), -EINVAL);
        assert_rc(wait_for(p, TORC_SUBSCRIBED, 1, "a,,b", 0), TORC_ETAGS);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_ok(wait_for(p, TORC_ONLINE, 0, NULL, -1));
        assert_ok(wait_for(p, TORC_SUBSCRIBED, 1, "", 0));
        assert_rc(wait_for(p, TORC_SUBSCRIBED, 1, "red", 0), -EAGAIN);
        assert_rc(wait_for(p, TORC_SUBSCRIBED, 2, NULL, 0), -EAGAIN);
        assert_rc(wait_for(p, TORC_UNSUBSCRIBED, 1, NULL, 0), -EAGAIN);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Tells each time that two red consumers are there, and each time that they are not. */
static void watcher(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "watcher");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        link_say(link, 0);
        for (int64_t n = 1; n <= 2; n++) {
                CHECK_RC(wait_for(p, TORC_SUBSCRIBED, 2, "red", TEST_WAIT_MS), 0);
                link_say(link, n);
                CHECK_RC(wait_for(p, TORC_UNSUBSCRIBED, 2, "red", TEST_WAIT_MS), 0);
                link_say(link, -n);
        }
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void wait_for_when_count_goes_1_2_1_2_fires_twice(void **state)
{
        struct test *t = *state;
        static const struct reader_plan red = {.stream = "s", .tags = "red"};
        struct child w = child_start(t, watcher, NULL);
        child_hear(&w);
        struct child a = reader_open(t, &red, 0);
        child_until_asleep(&w);
        assert_false(child_has_said(&w));
        struct child b = reader_open(t, &red, 0);
        assert_int_equal(child_hear(&w), 1);
        reader_close(&b);
        assert_int_equal(child_hear(&w), -1);
        b = reader_open(t, &red, 0);
        assert_int_equal(child_hear(&w), 2);
        child_kill(&b); /* nobody but the sleeper itself is there to notice */
        assert_int_equal(child_hear(&w), -2);
        child_join(&w);
        reader_close(&a);
}

/* ---- the list -------------------------------------------------------------------------------------------- */

static void consumers_when_listed_shows_who_they_are(void **state)
{
        struct test *t = *state;
        static const struct reader_plan plan = {.stream = "s", .tags = "a,b", .name = "eyes"};
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer_info infos[4];
        size_t count = 99;
        assert_ok(torc_producer_consumers(p, NULL, 0, &count));
        assert_int_equal(count, 0);
        struct child a = reader_open(t, &plan, 0);
        struct torc_consumer *own = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_ok(torc_producer_consumers(p, NULL, 0, &count));
        assert_int_equal(count, 2);
        assert_ok(torc_producer_consumers(p, infos, 1, &count));
        assert_int_equal(count, 2);
        assert_ok(torc_producer_consumers(p, infos, 4, &count));
        assert_int_equal(count, 2);
        int other = infos[0].pid == a.pid ? 0 : 1;
        assert_int_equal(infos[other].pid, a.pid);
        assert_string_equal(infos[other].name, "eyes");
        assert_string_equal(infos[other].peer_name, "reader");
        assert_string_equal(infos[other].tags, "a,b");
        assert_int_equal(infos[other].uid, geteuid());
        assert_int_equal(infos[other].connection, TORC_CONNECTED);
        assert_int_equal(infos[!other].pid, getpid());
        assert_string_equal(infos[!other].name, "me"); /* nobody named it: the peer's name */
        assert_true(infos[0].ref != infos[1].ref);
        torc_consumer_close(&own);
        reader_close(&a);
        assert_ok(torc_producer_consumers(p, infos, 4, &count));
        assert_int_equal(count, 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static uint64_t only_ref(struct torc_producer *p, enum torc_connection connection)
{
        struct torc_consumer_info info;
        size_t count;
        assert_ok(torc_producer_consumers(p, &info, 1, &count));
        assert_int_equal(count, 1);
        assert_int_equal(info.connection, connection);
        return info.ref;
}

static void disconnect_watcher(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "watcher");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        uint64_t ref = (uint64_t)link_hear(link);
        CHECK_RC(torc_producer_wait_disconnect(p, ref, 0), -EAGAIN);
        link_say(link, 0);
        CHECK_RC(torc_producer_wait_disconnect(p, ref, TEST_WAIT_MS), 0);
        link_say(link, 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

enum end { CLOSES, DIES, IS_KICKED };

static void disconnect_by(struct test *t, enum end end)
{
        static const struct reader_plan plan = {.stream = "s"};
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct child a = reader_open(t, &plan, 0), w = child_start(t, disconnect_watcher, NULL);
        uint64_t ref = only_ref(p, TORC_CONNECTED);
        assert_rc(torc_producer_wait_disconnect(p, ref, 10), -ETIMEDOUT);
        child_say(&w, (int64_t)ref);
        child_hear(&w);
        child_until_asleep(&w);
        assert_false(child_has_said(&w));
        int64_t from = test_now_ms();
        if (end == CLOSES)
                reader_close(&a);
        else if (end == DIES)
                child_kill(&a);
        else
                assert_ok(torc_stream_kick(bus, "s", ref));
        child_hear(&w);
        assert_true(test_now_ms() - from < 1000);
        child_join(&w);
        assert_ok(torc_producer_wait_disconnect(p, ref, 0));
        if (end == IS_KICKED) {
                only_ref(p, TORC_TERMINATED);
                assert_rc(torc_stream_kick(bus, "s", ref), -ENOENT);
                reader_close(&a);
        }
        /* The next one in the same place is somebody else. */
        a = reader_open(t, &plan, 0);
        assert_true(only_ref(p, TORC_CONNECTED) != ref);
        assert_ok(torc_producer_wait_disconnect(p, ref, 0));
        reader_close(&a);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void wait_disconnect_when_consumer_closes_returns(void **state)
{
        disconnect_by(*state, CLOSES);
}

static void wait_disconnect_when_consumer_is_killed_returns(void **state)
{
        disconnect_by(*state, DIES);
}

static void wait_disconnect_when_consumer_is_kicked_returns(void **state)
{
        disconnect_by(*state, IS_KICKED);
}

static void wait_disconnect_when_ref_is_nonsense_is_over(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        assert_ok(torc_producer_wait_disconnect(p, UINT64_MAX, 0));
        assert_ok(torc_producer_wait_disconnect(p, 0, 0));
        assert_rc(torc_stream_kick(bus, "s", UINT64_MAX), -ENOENT);
        assert_rc(torc_stream_kick(bus, "s", 0), -ENOENT);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- waits that are ended -------------------------------------------------------------------------------- */

static void waits_when_cancelled_or_removed_say_so(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t ref = only_ref(p, TORC_CONNECTED);
        assert_ok(test_send(p, 1, 0));
        torc_producer_cancel(p);
        assert_rc(torc_producer_flush(p, NULL, -1), TORC_ECANCELED);
        torc_producer_cancel(p);
        assert_rc(wait_for(p, TORC_OFFLINE, 0, NULL, -1), TORC_ECANCELED);
        torc_producer_cancel(p);
        assert_rc(torc_producer_wait_disconnect(p, ref, -1), TORC_ECANCELED);
        assert_rc(torc_producer_flush(p, NULL, 5), -ETIMEDOUT); /* once each */
        assert_ok(torc_stream_remove(bus, "s"));
        assert_rc(torc_producer_flush(p, NULL, -1), TORC_EREMOVED);
        assert_rc(wait_for(p, TORC_OFFLINE, 0, NULL, -1), TORC_EREMOVED);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- counters -------------------------------------------------------------------------------------------- */

static void stats_when_one_message_of_five_bytes_are_1_and_5(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_consumer_stats stats;
        struct torc_producer_status status;
        struct torc_consumer_info info;
        char buf[8];
        size_t len, count;
        assert_ok(torc_consumer_stats(c, &stats));
        assert_int_equal(stats.messages, 0);
        assert_ok(torc_producer_send(p, "hello", 5, 0, NULL));
        assert_ok(torc_consumer_stats(c, &stats));
        assert_int_equal(stats.lag_bytes, 32);
        assert_ok(torc_consumer_recv(c, buf, sizeof buf, &len, 0, NULL));
        assert_ok(torc_consumer_stats(c, &stats));
        assert_int_equal(stats.messages, 1);
        assert_int_equal(stats.bytes, 5);
        assert_int_equal(stats.missed_messages, 0);
        assert_int_equal(stats.lag_bytes, 0);
        assert_true(stats.uptime_ns > 0 && stats.attached_ns > 0);
        assert_int_equal(torc_consumer_missed(c), 0);
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(status.state, TORC_PRODUCER_SHARED);
        assert_int_equal(status.messages, 1);
        assert_int_equal(status.bytes, 5);
        assert_int_equal(status.epoch, 1);
        assert_ok(torc_producer_consumers(p, &info, 1, &count));
        assert_int_equal(info.stats.messages, 1);
        assert_int_equal(info.stats.bytes, 5);
        assert_int_equal(info.stats.lag_bytes, 0);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->messages, 1);
        assert_int_equal(s->bytes, 5);
        for (int i = 0; i < TORC_LOSS_COUNT; i++)
                assert_int_equal(s->losses[i], 0);
        torc_snapshot_free(&snapshot);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        snapshot = test_snapshot(t); /* the totals outlive the handles */
        assert_int_equal(test_find_stream(snapshot, "s")->messages, 1);
        assert_int_equal(test_find_stream(snapshot, "s")->bytes, 5);
        torc_snapshot_free(&snapshot);
        torc_bus_close(&bus);
}

static void name_when_nobody_gives_one_is_unique(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_producer *p[3];
        struct torc_producer_status status[3];
        for (int i = 0; i < 3; i++) {
                p[i] = test_producer(bus, "s", TORC_SHARED, NULL);
                assert_ok(torc_producer_status(p[i], &status[i]));
        }
        for (int i = 0; i < 3; i++) {
                assert_string_not_equal(status[i].name, status[(i + 1) % 3].name);
                torc_producer_close(&p[i]);
        }
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(consumer_open_when_places_are_taken_waits_for_a_death),
                TEST(online_when_two_tagged_are_needed_counts_those),
                TEST(try_send_when_the_only_consumer_was_killed_finds_out),
                TEST(send_when_nobody_consumes_parks_until_somebody_attaches),
                TEST(send_when_parked_and_stream_ends_is_eclosed),
                TEST(send_when_parked_and_stream_is_removed_is_eremoved),
                TEST(wait_for_when_it_holds_returns_at_once),
                TEST(wait_for_when_count_goes_1_2_1_2_fires_twice),
                TEST(consumers_when_listed_shows_who_they_are),
                TEST(wait_disconnect_when_consumer_closes_returns),
                TEST(wait_disconnect_when_consumer_is_killed_returns),
                TEST(wait_disconnect_when_consumer_is_kicked_returns),
                TEST(wait_disconnect_when_ref_is_nonsense_is_over),
                TEST(waits_when_cancelled_or_removed_say_so),
                TEST(stats_when_one_message_of_five_bytes_are_1_and_5),
                TEST(name_when_nobody_gives_one_is_unique),
        };
        return TEST_MAIN(tests);
}
