/*
 * contract_join.c - consumers that come and go while others send at full speed: from its first message on, each sees
 * every message of every producer or is told how many it missed.
 *
 * TORC_TEST_JOINS=N for more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#define PRODUCERS 2
#define JOINERS 3

struct plan {
        struct torc_stream_config config;
        long joins;
};

/* Sends until it is told to stop. */
static void sender(struct child *link, struct test *t, void *arg)
{
        struct plan *plan = arg;
        struct torc_bus *bus = child_bus(t, "sender");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.stream = &plan->config}), 0);
        uint64_t message[4] = {(uint64_t)link_hear(link)};
        struct pollfd stop = {.fd = link->in, .events = POLLIN};
        while (poll(&stop, 1, 0) == 0)
                for (int i = 0, rc = 0; i < 100 && rc == 0; i++) {
                        message[3] = message[0] ^ ++message[1];
                        rc = torc_producer_send(p, message, sizeof message, 20, NULL);
                        CHECK(rc == 0 || rc == -ETIMEDOUT); /* nobody is there at times */
                        message[1] -= rc != 0;
                }
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

struct seen {
        uint64_t next[PRODUCERS]; /* 0: none of its messages yet */
        uint64_t gaps;
        struct torc_id last;
};

static void note(struct seen *s, const uint64_t message[4])
{
        uint64_t from = message[0], number = message[1];
        CHECK(from < PRODUCERS && message[2] == 0 && message[3] == (from ^ number));
        CHECK(number >= s->next[from]);
        if (s->next[from])
                s->gaps += number - s->next[from];
        s->next[from] = number + 1;
}

/* One attachment: reads so many, comes back after lagging, leaves. */
static void join_once(struct torc_bus *bus, const struct plan *plan, struct seen *s, enum torc_start start,
                      uint64_t reads)
{
        struct torc_consumer *c = NULL;
        struct torc_consumer_config config = {.start = start, .start_id = s->last, .timeout_ms = TEST_WAIT_MS};
        int rc = torc_consumer_open(&c, bus, "s", &config);
        if (rc == TORC_EGONE && start == TORC_START_ID)
                return;
        CHECK_RC(rc, 0);
        if (start == TORC_START_ID)
                CHECK_RC(torc_consumer_missed(c) ? -1 : 0, 0);
        *s = (struct seen){.last = s->last};
        while (reads) {
                uint64_t message[4];
                size_t len;
                rc = torc_consumer_recv(c, message, sizeof message, &len, TEST_WAIT_MS, &s->last);
                if (rc == TORC_ELAGGED) {
                        CHECK(plan->config.lag == TORC_LAG_DISCONNECT);
                        CHECK_RC(torc_consumer_reattach(c, TEST_WAIT_MS), 0);
                        continue;
                }
                CHECK_RC(rc, 0);
                CHECK(len == sizeof message);
                note(s, message);
                reads--;
        }
        /* What was missed before the first message of a producer shows no gap: missed is the upper bound. While we were not
         * attached, counts may be off by one for each producer and each time. */
        uint64_t missed = torc_consumer_missed(c);
        CHECK(s->gaps <= missed + (missed ? PRODUCERS : 0));
        CHECK(plan->config.lag != TORC_LAG_BLOCK || start != TORC_START_LIVE || missed == 0);
        torc_consumer_close(&c);
}

static void joiner(struct child *link, struct test *t, void *arg)
{
        const struct plan *plan = arg;
        struct torc_bus *bus = child_bus(t, "joiner");
        uint64_t random = (uint64_t)link_hear(link);
        struct seen s = {0};
        for (long n = 0; n < plan->joins; n++) {
                enum torc_start start = s.last.position ? (enum torc_start)(test_random(&random) % 3) : TORC_START_LIVE;
                join_once(bus, plan, &s, start, test_random(&random) % 300);
        }
        torc_bus_close(&bus);
        link_say(link, 0);
}

static void join_while_sending(struct test *t, enum torc_lag lag, uint64_t max)
{
        test_seconds(240);
        struct torc_bus *bus = test_bus(t, "me");
        struct plan plan = {test_stream(4096, lag, 1), test_param("TORC_TEST_JOINS", 100)};
        plan.config.capacity_max_bytes = max;
        assert_ok(torc_stream_create(bus, "s", &plan.config)); /* a joiner that came first would make another one */
        struct child senders[PRODUCERS], joiners[JOINERS];
        for (int64_t i = 0; i < PRODUCERS; i++) {
                senders[i] = child_start(t, sender, &plan);
                child_say(&senders[i], i);
        }
        for (int64_t i = 0; i < JOINERS; i++) {
                joiners[i] = child_start(t, joiner, &plan);
                child_say(&joiners[i], 100 + i);
        }
        for (int i = 0; i < JOINERS; i++)
                child_join(&joiners[i]);
        for (int i = 0; i < PRODUCERS; i++) {
                child_say(&senders[i], 0);
                child_join(&senders[i]);
        }
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->n_consumers, 0);
        assert_int_equal(s->n_producers, 0);
        assert_int_equal(s->n_segments, 1);
        assert_int_equal(s->losses[TORC_LOSS_ABORTED], 0);
        torc_snapshot_free(&snapshot);
        torc_bus_close(&bus);
}

static void join_when_ring_is_small_and_blocks_misses_nothing(void **state)
{
        join_while_sending(*state, TORC_LAG_BLOCK, 4096);
}

static void join_when_chain_grows_misses_nothing(void **state)
{
        join_while_sending(*state, TORC_LAG_BLOCK, 65536);
}

static void join_when_laggards_are_disconnected_adds_up(void **state)
{
        join_while_sending(*state, TORC_LAG_DISCONNECT, 4096);
}

static void join_when_chain_grows_and_laggards_are_disconnected_adds_up(void **state)
{
        join_while_sending(*state, TORC_LAG_DISCONNECT, 65536);
}

static void join_when_laggards_skip_adds_up(void **state)
{
        join_while_sending(*state, TORC_LAG_SKIP, 16384);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(join_when_ring_is_small_and_blocks_misses_nothing),
                TEST(join_when_chain_grows_misses_nothing),
                TEST(join_when_laggards_are_disconnected_adds_up),
                TEST(join_when_chain_grows_and_laggards_are_disconnected_adds_up),
                TEST(join_when_laggards_skip_adds_up),
        };
        return TEST_MAIN(tests);
}
