/*
 * contract_grow.c - capacity that grows by successor segments: nobody parks, order holds, files go when they are read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

static struct torc_stream_config growing(enum torc_lag lag)
{
        struct torc_stream_config config = test_stream(4096, lag, 1);
        config.capacity_max_bytes = 131072;
        return config;
}

/* Names of the segments in the stream's directory. */
static unsigned segments(struct test *t, char last[64])
{
        char path[128];
        unsigned n = 0;
        unsigned long long highest = 0;
        snprintf(path, sizeof path, "%s/bus/@s", t->root);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));) {
                unsigned long long number;
                if (sscanf(e->d_name, "0.%llu", &number) != 1)
                        continue;
                n++;
                if (number > highest) {
                        highest = number;
                        snprintf(last, 64, "%.60s", e->d_name);
                }
        }
        closedir(dir);
        return n;
}

static uint64_t capacity_now(struct test *t)
{
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_non_null(s);
        assert_true(s->n_segments > 0);
        for (size_t i = 0; i + 1 < s->n_segments; i++) {
                /* Oldest first, each begins where the one before was sealed. */
                assert_int_equal(s->segments[i].state, TORC_SEGMENT_DRAINING);
                assert_int_equal(s->segments[i].tail, s->segments[i + 1].base);
                assert_int_equal(s->segments[i].number + 1, s->segments[i + 1].number);
        }
        assert_int_equal(s->segments[s->n_segments - 1].state, TORC_SEGMENT_ACTIVE);
        uint64_t capacity = s->segments[s->n_segments - 1].capacity;
        torc_snapshot_free(&snapshot);
        return capacity;
}

static void growth_when_reader_is_slow_takes_ten_times_the_start_without_parking(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *a = test_consumer(bus, "s", TORC_START_LIVE, NULL),
                             *b = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_id id, last = {0};
        uint64_t n = 0, got;
        size_t len;
        char name[64];
        int rc;
        while ((rc = torc_producer_send(p, &n, sizeof n, 0, &id)) == 0) {
                assert_true(n == 0 || id.position > last.position);
                last = id;
                n++;
        }
        assert_rc(rc, TORC_EFULL); /* a hard cap, then the policy */
        assert_true(n * 32 >= 10 * 4096);
        assert_int_equal(capacity_now(t), 131072);
        unsigned most = segments(t, name);
        assert_int_equal(most, 6); /* 4, 8, 16, 32, 64, 128 KiB */
        /* One reader alone releases nothing. */
        for (uint64_t i = 0; i < n; i++)
                test_expect(a, i);
        test_expect_nothing(a);
        assert_int_equal(segments(t, name), most);
        for (uint64_t i = 0; i < n; i++) {
                struct torc_id seen;
                assert_ok(torc_consumer_try_recv(b, &got, sizeof got, &len, &seen));
                assert_int_equal(got, i);
        }
        assert_int_equal(segments(t, name), 1);
        assert_string_equal(name, "0.6");
        assert_ok(test_send(p, n, 0));
        test_expect(a, n);
        test_expect(b, n);
        torc_consumer_close(&a);
        torc_consumer_close(&b);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void growth_when_the_slow_reader_leaves_frees_the_files(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        char name[64];
        for (uint64_t n = 0; n < 1000; n++)
                assert_ok(test_send(p, n, 0));
        assert_true(segments(t, name) > 2);
        torc_consumer_close(&c);
        assert_int_equal(segments(t, name), 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void idle_reader(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "idle");
        struct torc_consumer *c = NULL;
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        link_say(link, 0);
        link_hear(link);
}

static void growth_when_the_slow_reader_is_killed_frees_the_files(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct child reader = child_start(t, idle_reader, NULL);
        char name[64];
        child_hear(&reader);
        for (uint64_t n = 0; n < 1000; n++)
                assert_ok(test_send(p, n, 0));
        assert_true(segments(t, name) > 2);
        child_kill(&reader);
        assert_ok(torc_bus_reap(bus, NULL));
        assert_int_equal(segments(t, name), 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* A message that could never fit the first segment opens a larger one at once. */
static void growth_when_message_is_large_opens_a_segment_for_it(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        size_t most = 131072 / 8, len;
        unsigned char *data = malloc(most + 1), *got = malloc(most + 1);
        assert_non_null(data);
        assert_non_null(got);
        memset(data, 0x5a, most + 1);
        assert_ok(test_send(p, 1, 0));
        assert_ok(torc_producer_send(p, data, most, 0, NULL));
        assert_rc(torc_producer_send(p, data, most + 1, 0, NULL), TORC_ETOOBIG);
        assert_ok(test_send(p, 2, 0));
        test_expect(c, 1);
        assert_ok(torc_consumer_try_recv(c, got, most, &len, NULL));
        assert_int_equal(len, most);
        assert_memory_equal(got, data, most);
        test_expect(c, 2);
        free(data);
        free(got);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Where the cap is reached the policy rules, over all segments: the count of what was missed is exact. */
static void growth_when_cap_is_reached_disconnects_the_laggard(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_DISCONNECT);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t n = 0, got;
        size_t len;
        char name[64];
        for (; n < 10; n++)
                assert_ok(test_send(p, n, 0));
        for (uint64_t i = 0; i < 5; i++)
                test_expect(c, i);
        for (; n < 20000; n++) {
                int rc = test_send(p, n, 0);
                if (rc == TORC_EOFFLINE) /* it was the only one */
                        break;
                assert_ok(rc);
        }
        assert_true(n < 20000);
        assert_int_equal(segments(t, name), 1);
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
        assert_int_equal(torc_consumer_missed(c), n - 5);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_ok(test_send(p, n, 0));
        test_expect(c, n);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void start_when_chain_is_long_finds_its_place(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *holder = test_consumer(bus, "s", TORC_START_LIVE, NULL), *c = NULL;
        struct torc_id ids[2000];
        char name[64];
        for (uint64_t n = 0; n < 2000; n++)
                assert_ok(torc_producer_send(p, &n, sizeof n, 0, &ids[n]));
        assert_true(segments(t, name) > 3);
        c = test_consumer(bus, "s", TORC_START_EARLIEST, NULL);
        for (uint64_t n = 0; n < 2000; n++)
                test_expect(c, n);
        test_expect_nothing(c);
        torc_consumer_close(&c);
        for (uint64_t from = 0; from < 2000; from += 61) {
                struct torc_consumer_config at = {.start = TORC_START_ID, .start_id = ids[from]};
                assert_ok(torc_consumer_open(&c, bus, "s", &at));
                for (uint64_t n = from; n < 2000; n++)
                        test_expect(c, n);
                test_expect_nothing(c);
                torc_consumer_close(&c);
        }
        c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        test_expect_nothing(c);
        /* Flush looks over the whole chain. */
        assert_rc(torc_producer_flush(p, &ids[0], 0), -EAGAIN);
        test_expect(holder, 0);
        assert_ok(torc_producer_flush(p, &ids[0], 0));
        assert_rc(torc_producer_flush(p, &ids[1], 0), -EAGAIN);
        torc_consumer_close(&holder);
        assert_ok(torc_producer_flush(p, NULL, 0));
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* One call fills several segments. */
static void batch_when_chain_grows_arrives_in_order(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        static uint64_t numbers[10000];
        static struct torc_span spans[10000];
        size_t accepted;
        char name[64];
        for (uint64_t n = 0; n < 10000; n++) {
                numbers[n] = n;
                spans[n] = (struct torc_span){&numbers[n], sizeof numbers[n]};
        }
        assert_rc(torc_producer_send_batch(p, spans, 10000, 0, &accepted), TORC_EFULL);
        assert_true(accepted * 32 >= 10 * 4096 && accepted < 10000);
        assert_true(segments(t, name) > 3);
        for (uint64_t n = 0; n < accepted; n++)
                test_expect(c, n);
        test_expect_nothing(c);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

#define GROWERS 4

static void grower(struct child *link, struct test *t, void *arg)
{
        const uint64_t *total = arg;
        struct torc_bus *bus = child_bus(t, "grower");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        uint64_t message[2] = {(uint64_t)link_hear(link), 0};
        for (; message[1] < *total; message[1]++)
                CHECK_RC(torc_producer_send(p, message, sizeof message, -1, NULL), 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
        link_say(link, 0);
}

/* Four race to open the successors; two readers, one of which starts late, see the same order and lose nothing. */
static void growth_when_four_send_keeps_order_for_all(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = growing(TORC_LAG_BLOCK);
        struct torc_consumer *a = test_consumer(bus, "s", TORC_START_LIVE, &config),
                             *b = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t total = 10000, next[GROWERS] = {0}; /* more than the chain holds, from each */
        struct child growers[GROWERS];
        char name[64];
        for (int64_t i = 0; i < GROWERS; i++) {
                growers[i] = child_start(t, grower, &total);
                child_say(&growers[i], i);
        }
        for (uint64_t n = 0; n < total * GROWERS; n++) {
                uint64_t left[2], right[2];
                size_t len;
                struct torc_id x, y;
                /* Nobody reads until the chain has grown to its cap. */
                for (int i = 0; n == 0 && i < GROWERS; i++)
                        test_until_blocked(t, "s", growers[i].pid);
                assert_ok(torc_consumer_recv(a, left, sizeof left, &len, TEST_WAIT_MS, &x));
                assert_ok(torc_consumer_recv(b, right, sizeof right, &len, TEST_WAIT_MS, &y));
                assert_memory_equal(left, right, sizeof left);
                assert_memory_equal(&x, &y, sizeof x);
                assert_int_equal(left[1], next[left[0]]++);
        }
        test_expect_nothing(a);
        test_expect_nothing(b);
        for (int i = 0; i < GROWERS; i++) {
                child_hear(&growers[i]);
                child_join(&growers[i]);
        }
        assert_int_equal(segments(t, name), 1);
        assert_string_equal(name, "0.6");
        torc_consumer_close(&a);
        torc_consumer_close(&b);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(growth_when_reader_is_slow_takes_ten_times_the_start_without_parking),
                TEST(growth_when_the_slow_reader_leaves_frees_the_files),
                TEST(growth_when_the_slow_reader_is_killed_frees_the_files),
                TEST(growth_when_message_is_large_opens_a_segment_for_it),
                TEST(growth_when_cap_is_reached_disconnects_the_laggard),
                TEST(start_when_chain_is_long_finds_its_place),
                TEST(batch_when_chain_grows_arrives_in_order),
                TEST(growth_when_four_send_keeps_order_for_all),
        };
        return TEST_MAIN(tests);
}
