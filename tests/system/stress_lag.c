/*
 * stress_lag.c - consumers that are too slow, while producers go on: what a consumer received and what it was told that it
 * missed add up to what was sent; nothing torn, nothing doubled, nothing out of order.
 *
 *      stress_lag     TORC_MESSAGES=100000 of each producer, TORC_RING=16384 bytes
 *
 * Under TORC_LAG_DISCONNECT they attach again by themselves, under TORC_LAG_SKIP the library does it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stress_message.h"
#include "torc_test.h"

#define LAG_PRODUCERS 3
#define LAG_CONSUMERS 3
#define LAG_WAIT_MS 10000
#define LAG_MESSAGE_MAX 512
#define LAG_EVERY 3000 /* messages between two naps of a producer: it would be through in a moment otherwise */

static long n_messages, ring_bytes;

struct lag_case {
        enum torc_lag lag;
        uint64_t number;
};

static struct torc_stream_config lag_stream(enum torc_lag lag)
{
        struct torc_stream_config config = test_stream((uint64_t)ring_bytes, lag, 0);
        config.max_message_bytes = LAG_MESSAGE_MAX;
        return config;
}

static void nap_us(uint64_t us)
{
        nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static void producer_main(struct child *link, struct test *t, void *arg)
{
        const struct lag_case *k = arg;
        struct torc_stream_config stream = lag_stream(k->lag);
        struct torc_producer_config config = {.stream = &stream};
        struct torc_bus *bus = child_bus(t, "producer");
        struct torc_producer *p;
        unsigned char bytes[LAG_MESSAGE_MAX];
        uint64_t seed = k->number;
        alarm(0);
        CHECK_RC(torc_producer_open(&p, bus, "lag", &config), 0);
        link_say(link, 0);
        link_hear(link);
        for (uint64_t seq = 0; seq < (uint64_t)n_messages; seq++) {
                size_t len = message_size(test_random(&seed), sizeof bytes);
                message_fill(bytes, len, k->number, seq);
                CHECK_RC(torc_producer_send(p, bytes, len, LAG_WAIT_MS, NULL), 0);
                if (seq % LAG_EVERY == 0)
                        nap_us(1000);
        }
        torc_producer_close(&p);
        torc_bus_close(&bus);
        link_say(link, 0);
        link_hear(link);
}

struct lag_seen {
        uint64_t next[LAG_PRODUCERS], position, received, missed;
};

/* Rises, and never stands still; a gap only where the consumer was told of one. */
static void seen_message(struct lag_seen *s, const void *data, size_t len, const struct torc_id *id, uint64_t missed)
{
        struct message_head head;
        CHECK(message_whole(data, len, &head));
        CHECK(head.sender < LAG_PRODUCERS);
        CHECK(head.seq >= s->next[head.sender]);
        CHECK(head.seq == s->next[head.sender] || missed > 0);
        CHECK(s->received == 0 || id->position > s->position);
        s->next[head.sender] = head.seq + 1;
        s->position = id->position;
        s->received++;
}

static void consumer_main(struct child *link, struct test *t, void *arg)
{
        const struct lag_case *k = arg;
        struct torc_stream_config stream = lag_stream(k->lag);
        struct torc_consumer_config config = {.stream = &stream};
        struct torc_bus *bus = child_bus(t, "consumer");
        struct lag_seen s = {0};
        struct torc_consumer_stats stats;
        struct torc_consumer *c;
        unsigned char bytes[LAG_MESSAGE_MAX];
        uint64_t seed = k->number + 100, lagged = 0;
        bool over = false;
        alarm(0);
        CHECK_RC(torc_consumer_open(&c, bus, "lag", &config), 0);
        link_say(link, 0);
        for (;;) {
                struct torc_id id;
                size_t len;
                int rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, over ? 0 : 20, &id);
                if (rc == TORC_ELAGGED) {
                        CHECK(k->lag == TORC_LAG_DISCONNECT);
                        CHECK_RC(torc_consumer_reattach(c, LAG_WAIT_MS), 0);
                        lagged++;
                } else if (rc == -ETIMEDOUT || rc == -EAGAIN) {
                        struct pollfd p = {.fd = link->in, .events = POLLIN};
                        if (over)
                                break;
                        over = poll(&p, 1, 0) == 1; /* all has been sent: once more, and that was it */
                } else {
                        CHECK_RC(rc, 0);
                        seen_message(&s, bytes, len, &id, torc_consumer_missed(c));
                }
                if (test_random(&seed) % 500 == 0)
                        nap_us(1 + test_random(&seed) % 3000);
        }
        CHECK_RC(torc_consumer_stats(c, &stats), 0);
        CHECK(stats.messages == s.received);
        CHECK(stats.missed_messages == torc_consumer_missed(c));
        link_say(link, (int64_t)s.received);
        link_say(link, (int64_t)torc_consumer_missed(c));
        link_say(link, (int64_t)lagged);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* The count of a disconnection is exact. What passed while a consumer was not attached is counted by the producers: each
 * that was just sending may be off by one, at the last such time. */
static void check_sum(struct child *consumer, uint64_t *all_missed)
{
        int64_t received = child_hear(consumer), missed = child_hear(consumer), lagged = child_hear(consumer);
        int64_t sent = LAG_PRODUCERS * n_messages, off = received + missed - sent;
        print_message("%" PRId64 " received, %" PRId64 " missed, %" PRId64 " times disconnected, off by %" PRId64 "\n",
                      received, missed, lagged, off);
        if (off > LAG_PRODUCERS || off < -LAG_PRODUCERS)
                fail_msg("received and missed do not add up to %" PRId64, sent);
        *all_missed += (uint64_t)missed;
}

static void lag(struct test *t, enum torc_lag mode)
{
        struct child producer[LAG_PRODUCERS], consumer[LAG_CONSUMERS];
        struct lag_case k = {.lag = mode};
        struct torc_inspector *in;
        struct torc_snapshot *snap;
        uint64_t missed = 0;
        n_messages = test_param("TORC_MESSAGES", 30000);
        ring_bytes = test_param("TORC_RING", 16384);
        test_seconds(60 + (unsigned)n_messages / 1000);
        for (k.number = 0; k.number < LAG_CONSUMERS; k.number++)
                consumer[k.number] = child_start(t, consumer_main, &k);
        for (int i = 0; i < LAG_CONSUMERS; i++)
                child_hear(&consumer[i]);
        for (k.number = 0; k.number < LAG_PRODUCERS; k.number++)
                producer[k.number] = child_start(t, producer_main, &k);
        for (int i = 0; i < LAG_PRODUCERS; i++)
                child_hear(&producer[i]);
        for (int i = 0; i < LAG_PRODUCERS; i++)
                child_say(&producer[i], 0);
        for (int i = 0; i < LAG_PRODUCERS; i++)
                child_hear(&producer[i]);
        for (int i = 0; i < LAG_CONSUMERS; i++)
                child_say(&consumer[i], 0);
        for (int i = 0; i < LAG_CONSUMERS; i++)
                check_sum(&consumer[i], &missed);
        for (int i = 0; i < LAG_CONSUMERS; i++)
                child_join(&consumer[i]);
        for (int i = 0; i < LAG_PRODUCERS; i++) {
                child_say(&producer[i], 0);
                child_join(&producer[i]);
        }
        assert_ok(torc_inspector_open(&in, t->root, "bus"));
        assert_ok(torc_inspector_take(in, &snap));
        assert_int_equal(snap->n_streams, 1);
        assert_int_equal(snap->streams[0].messages, LAG_PRODUCERS * n_messages);
        assert_int_equal(snap->streams[0].losses[TORC_LOSS_DISCONNECTED] +
                                 snap->streams[0].losses[TORC_LOSS_OVERWRITTEN], missed);
        assert_int_equal(snap->streams[0].losses[TORC_LOSS_ABORTED], 0);
        torc_snapshot_free(&snap);
        torc_inspector_close(&in);
}

static void laggards_when_disconnected_account_for_all(void **state)
{
        lag(*state, TORC_LAG_DISCONNECT);
}

static void laggards_when_skipping_account_for_all(void **state)
{
        lag(*state, TORC_LAG_SKIP);
}

int main(void)
{
        const struct CMUnitTest tests[] = {TEST(laggards_when_disconnected_account_for_all),
                                           TEST(laggards_when_skipping_account_for_all)};
        return TEST_MAIN(tests);
}
