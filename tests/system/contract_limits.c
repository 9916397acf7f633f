/*
 * contract_limits.c - full tables and used-up descriptors: a clear refusal, and nothing left of the attempt.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

/* Returns how many descriptors may be open. */
static rlim_t allow_descriptors(rlim_t wanted)
{
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        return limit.rlim_cur;
}

static void skip_unless_allowed(rlim_t wanted)
{
        if (allow_descriptors(wanted) >= wanted)
                return;
        print_message("skipped: this needs a limit of %llu open files (ulimit -n)\n", (unsigned long long)wanted);
        skip();
}

static void bus_open_when_4096_are_attached_is_enocapacity(void **state)
{
        struct test *t = *state;
        static struct torc_bus *bus[TORC_MAX_PEERS];
        struct torc_bus *more = NULL;
        skip_unless_allowed(4 * TORC_MAX_PEERS);
        for (int i = 0; i < TORC_MAX_PEERS; i++)
                assert_ok(test_bus_open(t, &bus[i], "one of many", NULL));
        assert_rc(test_bus_open(t, &more, "one too many", NULL), TORC_ENOCAPACITY);
        assert_null(more);
        torc_bus_close(&bus[1234]);
        assert_ok(test_bus_open(t, &bus[1234], "in its place", NULL));
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_peers, TORC_MAX_PEERS);
        torc_snapshot_free(&snapshot);
        for (int i = 0; i < TORC_MAX_PEERS; i++)
                torc_bus_close(&bus[i]);
}

static void consumer_open_when_1024_are_connected_is_enocapacity(void **state)
{
        struct test *t = *state;
        static struct torc_consumer *c[TORC_MAX_CONSUMERS];
        struct torc_consumer *more = NULL;
        skip_unless_allowed(4 * TORC_MAX_CONSUMERS);
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, TORC_MAX_CONSUMERS);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        for (int i = 0; i < TORC_MAX_CONSUMERS; i++) {
                assert_false(torc_producer_is_online(p));
                c[i] = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        }
        assert_true(torc_producer_is_online(p));
        assert_rc(torc_consumer_open(&more, bus, "s", NULL), TORC_ENOCAPACITY);
        assert_rc(torc_consumer_open(&more, bus, "s", &(struct torc_consumer_config){.timeout_ms = 5}),
                  TORC_ENOCAPACITY);
        for (uint64_t n = 0; n < 128; n++)
                assert_ok(test_send(p, n, 0));
        assert_rc(test_send(p, 666, 0), TORC_EFULL);
        for (int i = 0; i < TORC_MAX_CONSUMERS; i++)
                for (uint64_t n = 0; n < 128; n++)
                        test_expect(c[i], n);
        assert_ok(torc_producer_flush(p, NULL, 0));
        torc_consumer_close(&c[99]);
        c[99] = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (int i = 0; i < TORC_MAX_CONSUMERS; i++)
                torc_consumer_close(&c[i]);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* With every number of free descriptors that is too small: the same refusal, and nothing is left of it. */
static void open_when_descriptors_run_out_is_emfile(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me"), *other = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        int next = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the lowest that is free */
        close(next);
        int rc[4] = {-1, -1, -1, -1};
        for (int room = 0; room < 12; room++) {
                struct torc_producer *p = NULL;
                struct torc_consumer *c = NULL;
                allow_descriptors((rlim_t)(next + room));
                rc[0] = test_bus_open(t, &other, "other", NULL);
                torc_bus_close(&other);
                rc[1] = torc_producer_open(&p, bus, "s", NULL);
                torc_producer_close(&p);
                rc[2] = torc_consumer_open(&c, bus, "s", NULL);
                torc_consumer_close(&c);
                rc[3] = torc_stream_create(bus, "new", &config);
                allow_descriptors(1024);
                if (rc[3] == 0)
                        assert_ok(torc_stream_remove(bus, "new"));
                for (int i = 0; i < 4; i++)
                        if (rc[i])
                                assert_rc(rc[i], -EMFILE);
                assert_true(room > 0 || (rc[0] && rc[1] && rc[2] && rc[3]));
                struct torc_snapshot *snapshot = test_snapshot(t);
                const struct torc_stream_info *s = test_find_stream(snapshot, "s");
                assert_int_equal(snapshot->n_peers, 1);
                assert_int_equal(snapshot->n_streams, 1);
                assert_int_equal(s->n_producers, 0);
                assert_int_equal(s->n_consumers, 0);
                torc_snapshot_free(&snapshot);
        }
        for (int i = 0; i < 4; i++)
                assert_ok(rc[i]); /* twelve are enough for any of them */
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(open_when_descriptors_run_out_is_emfile),
                TEST(bus_open_when_4096_are_attached_is_enocapacity),
                TEST(consumer_open_when_1024_are_connected_is_enocapacity),
        };
        return TEST_MAIN(tests);
}
