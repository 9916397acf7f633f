/*
 * contract_lag.c - a consumer a whole ring behind: disconnected, waited for, or skipping; what it is told it missed; and
 * that its peers lose nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#define RING 128 /* messages of 8 bytes in the smallest ring */

struct three {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *slow, *fast;
        uint64_t sent, fast_next;
};

static struct three three_open(struct test *t, enum torc_lag lag)
{
        struct three x = {.bus = test_bus(t, "me")};
        struct torc_stream_config config = test_stream(4096, lag, 1);
        x.p = test_producer(x.bus, "s", TORC_SHARED, &config);
        x.slow = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        x.fast = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        return x;
}

static void three_close(struct three *x)
{
        torc_producer_close(&x->p);
        torc_consumer_close(&x->slow);
        torc_consumer_close(&x->fast);
        torc_bus_close(&x->bus);
}

/* n messages, each read by the fast one at once. */
static void run_on(struct three *x, uint64_t n)
{
        while (n--) {
                assert_ok(test_send(x->p, x->sent++, 0));
                test_expect(x->fast, x->fast_next++);
        }
        test_expect_nothing(x->fast);
        assert_int_equal(torc_consumer_missed(x->fast), 0);
}

static int slow_recv(struct three *x, uint64_t *got)
{
        size_t len;
        return torc_consumer_try_recv(x->slow, got, sizeof *got, &len, NULL);
}

static void lag_when_disconnect_tells_exactly_what_was_missed(void **state)
{
        struct three x = three_open(*state, TORC_LAG_DISCONNECT);
        uint64_t got, delivered = 0, random = 5;
        for (int round = 0; round < 200; round++) {
                uint64_t reads = test_random(&random) % RING;
                run_on(&x, RING + 1 + test_random(&random) % 400);
                /* It is told once, whatever call it makes; nothing is delivered before it came back. */
                assert_rc(slow_recv(&x, &got), TORC_ELAGGED);
                uint64_t missed = torc_consumer_missed(x.slow);
                assert_rc(slow_recv(&x, &got), TORC_ELAGGED);
                run_on(&x, test_random(&random) % 3 * test_random(&random) % 300);
                assert_ok(torc_consumer_reattach(x.slow, 0));
                assert_ok(torc_consumer_reattach(x.slow, 0)); /* it is attached */
                assert_true(torc_consumer_missed(x.slow) >= missed);
                run_on(&x, 1);
                while (reads-- && slow_recv(&x, &got) == 0)
                        assert_int_equal(got, delivered++ + torc_consumer_missed(x.slow));
        }
        int rc;
        while ((rc = slow_recv(&x, &got)) == 0)
                assert_int_equal(got, delivered++ + torc_consumer_missed(x.slow));
        assert_rc(rc, -EAGAIN);
        assert_int_equal(delivered + torc_consumer_missed(x.slow), x.sent);
        struct torc_consumer_stats stats;
        assert_ok(torc_consumer_stats(x.slow, &stats));
        assert_int_equal(stats.messages, delivered);
        assert_int_equal(stats.missed_messages, torc_consumer_missed(x.slow));
        struct torc_snapshot *snapshot = test_snapshot(*state);
        assert_int_equal(test_find_stream(snapshot, "s")->losses[TORC_LOSS_DISCONNECTED], stats.missed_messages);
        torc_snapshot_free(&snapshot);
        three_close(&x);
        snapshot = test_snapshot(*state); /* the ledger outlives the handles */
        assert_int_equal(test_find_stream(snapshot, "s")->losses[TORC_LOSS_DISCONNECTED], stats.missed_messages);
        torc_snapshot_free(&snapshot);
}

/* Messages it had not read and that are still in the ring are lost to it only as far as the cut: it goes on there. */
static void lag_when_reattached_goes_on_at_the_cut(void **state)
{
        struct three x = three_open(*state, TORC_LAG_DISCONNECT);
        uint64_t got;
        run_on(&x, RING + 1);
        assert_rc(slow_recv(&x, &got), TORC_ELAGGED);
        uint64_t missed = torc_consumer_missed(x.slow);
        assert_true(missed >= 1 && missed <= RING + 1);
        run_on(&x, 10);
        assert_ok(torc_consumer_reattach(x.slow, 0));
        assert_int_equal(torc_consumer_missed(x.slow), missed);
        for (; missed < x.sent; missed++) {
                assert_ok(slow_recv(&x, &got));
                assert_int_equal(got, missed);
        }
        assert_rc(slow_recv(&x, &got), -EAGAIN);
        three_close(&x);
}

static void lag_when_skip_goes_on_by_itself(void **state)
{
        struct three x = three_open(*state, TORC_LAG_SKIP);
        uint64_t got, delivered = 0, random = 6;
        for (int round = 0; round < 300; round++) {
                uint64_t reads = test_random(&random) % 200;
                run_on(&x, test_random(&random) % 500);
                while (reads-- && slow_recv(&x, &got) == 0)
                        assert_int_equal(got, delivered++ + torc_consumer_missed(x.slow));
        }
        int rc;
        while ((rc = slow_recv(&x, &got)) == 0)
                assert_int_equal(got, delivered++ + torc_consumer_missed(x.slow));
        assert_rc(rc, -EAGAIN);
        assert_int_equal(delivered + torc_consumer_missed(x.slow), x.sent);
        assert_true(torc_consumer_missed(x.slow) > 0);
        three_close(&x);
}

static void lag_when_block_holds_the_producer(void **state)
{
        struct three x = three_open(*state, TORC_LAG_BLOCK);
        uint64_t got;
        run_on(&x, RING);
        for (int i = 0; i < 3; i++) {
                assert_rc(test_send(x.p, 666, 0), TORC_EFULL);
                assert_rc(test_send(x.p, 666, 5), -ETIMEDOUT);
        }
        for (uint64_t n = 0; n < RING; n++) {
                assert_ok(slow_recv(&x, &got));
                assert_int_equal(got, n);
        }
        run_on(&x, RING);
        assert_int_equal(torc_consumer_missed(x.slow), 0);
        three_close(&x);
}

/* A view is the ring's own bytes: when they were taken away, release says so, and the message counts as missed. */
static void view_when_overwritten_is_void(void **state)
{
        struct three x = three_open(*state, TORC_LAG_DISCONNECT);
        struct torc_view view;
        uint64_t got;
        run_on(&x, 5);
        assert_ok(torc_consumer_view(x.slow, &view, 0));
        run_on(&x, 2 * RING);
        assert_rc(torc_consumer_release(x.slow), TORC_ELAGGED);
        assert_rc(torc_consumer_release(x.slow), -EINVAL);
        assert_rc(slow_recv(&x, &got), TORC_ELAGGED);
        assert_ok(torc_consumer_reattach(x.slow, 0));
        run_on(&x, 1);
        uint64_t missed = torc_consumer_missed(x.slow);
        assert_ok(slow_recv(&x, &got));
        assert_int_equal(got, missed); /* nothing was delivered before */
        struct torc_consumer_stats stats;
        assert_ok(torc_consumer_stats(x.slow, &stats));
        assert_int_equal(stats.messages, 1);
        three_close(&x);
}

static void view_when_overwritten_while_skipping_is_void_too(void **state)
{
        struct three x = three_open(*state, TORC_LAG_SKIP);
        struct torc_view view;
        uint64_t got;
        run_on(&x, 5);
        assert_ok(torc_consumer_view(x.slow, &view, 0));
        run_on(&x, 2 * RING);
        assert_rc(torc_consumer_release(x.slow), TORC_ELAGGED);
        assert_ok(slow_recv(&x, &got)); /* and goes on by itself */
        assert_int_equal(got, torc_consumer_missed(x.slow));
        three_close(&x);
}

struct lapped {
        struct three *x;
        int calls;
};

static int lap_while_looking(const struct torc_view *view, void *arg)
{
        struct lapped *l = arg;
        (void)view;
        if (l->calls++ == 1)
                run_on(l->x, 2 * RING);
        return 0;
}

static void poll_when_overwritten_voids_the_last_call(void **state)
{
        struct three x = three_open(*state, TORC_LAG_DISCONNECT);
        struct lapped l = {&x, 0};
        size_t handled;
        run_on(&x, 5);
        assert_rc(torc_consumer_poll(x.slow, lap_while_looking, &l, 5, &handled), TORC_ELAGGED);
        assert_int_equal(l.calls, 2);
        assert_int_equal(handled, 1);
        struct torc_consumer_stats stats;
        assert_ok(torc_consumer_stats(x.slow, &stats));
        assert_int_equal(stats.messages, 1);
        three_close(&x);
}

/* ---- kicked by hand -------------------------------------------------------------------------------------- */

static uint64_t ref_of(struct torc_producer *p, const char *name)
{
        struct torc_consumer_info infos[4];
        size_t count;
        assert_ok(torc_producer_consumers(p, infos, 4, &count));
        for (size_t i = 0; i < count; i++)
                if (!strcmp(infos[i].name, name))
                        return infos[i].ref;
        fail();
        return 0;
}

static void kick_when_nothing_is_unread_misses_nothing(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = NULL;
        uint64_t got;
        size_t len;
        assert_ok(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.name = "victim"}));
        assert_ok(test_send(p, 0, 0));
        test_expect(c, 0);
        assert_ok(torc_stream_kick(bus, "s", ref_of(p, "victim")));
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
        assert_int_equal(torc_consumer_missed(c), 0);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_ok(test_send(p, 1, 0));
        test_expect(c, 1);
        /* With two unread ones, it misses two. */
        assert_ok(test_send(p, 2, 0));
        assert_ok(test_send(p, 3, 0));
        assert_ok(torc_stream_kick(bus, "s", ref_of(p, "victim")));
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
        assert_int_equal(torc_consumer_missed(c), 2);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_ok(test_send(p, 4, 0));
        test_expect(c, 4);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static int count_calls(const struct torc_view *view, void *arg)
{
        (void)view;
        ++*(int *)arg;
        return 0;
}

/* What it has not read stands in the ring still, whole: it is not for one who was cut off. */
static void every_call_when_kicked_tells_so_until_it_comes_back(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = NULL;
        struct torc_view view;
        uint64_t got;
        size_t len, handled;
        int calls = 0;
        assert_ok(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.name = "victim"}));
        assert_ok(test_send(p, 0, 0));
        assert_ok(test_send(p, 1, 0));
        assert_ok(torc_stream_kick(bus, "s", ref_of(p, "victim")));
        for (int round = 0; round < 2; round++) {
                assert_rc(torc_consumer_recv(c, &got, sizeof got, &len, 0, NULL), TORC_ELAGGED);
                assert_rc(torc_consumer_view(c, &view, 0), TORC_ELAGGED);
                assert_rc(torc_consumer_poll(c, count_calls, &calls, 5, &handled), TORC_ELAGGED);
        }
        assert_int_equal(calls, 0);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_int_equal(torc_consumer_missed(c), 2);
        assert_ok(test_send(p, 2, 0));
        test_expect(c, 2);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void reattach_when_it_cannot_says_why(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        config.max_consumers = 1;
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = NULL, *other;
        uint64_t got;
        size_t len;
        assert_ok(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.name = "victim"}));
        assert_ok(torc_stream_kick(bus, "s", ref_of(p, "victim")));
        other = test_consumer(bus, "s", TORC_START_LIVE, NULL); /* takes the place */
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
        assert_rc(torc_consumer_reattach(c, 0), TORC_ENOCAPACITY);
        int64_t from = test_now_ms();
        assert_rc(torc_consumer_reattach(c, 50), -ETIMEDOUT);
        assert_true(test_now_ms() - from >= 49 && test_now_ms() - from < 1000);
        torc_consumer_cancel(c);
        assert_rc(torc_consumer_reattach(c, -1), TORC_ECANCELED);
        torc_consumer_close(&other);
        assert_ok(torc_consumer_reattach(c, 0));
        assert_ok(torc_stream_kick(bus, "s", ref_of(p, "victim")));
        assert_ok(torc_stream_remove(bus, "s"));
        assert_rc(torc_consumer_reattach(c, -1), TORC_EREMOVED);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- under fire ------------------------------------------------------------------------------------------ */

#define SENDERS 2

static void burst(struct child *link, struct test *t, void *arg)
{
        const uint64_t *total = arg;
        struct torc_bus *bus = child_bus(t, "burst");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        uint64_t message[2] = {(uint64_t)link_hear(link), 0};
        for (; message[1] < *total; message[1]++) {
                int rc = torc_producer_send(p, message, sizeof message, -1, NULL);
                CHECK_RC(rc, 0);
        }
        link_say(link, 0);
        link_hear(link); /* its counter stays while the reader sums up */
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Two processes send as fast as they can into the smallest ring; the reader falls behind again and again. What it gets is
 * in order and whole, and what it got and what it missed add up. */
static void race(struct test *t, enum torc_lag lag)
{
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, lag, 1);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, &config);
        uint64_t total = 100000, next[SENDERS] = {0}, delivered = 0, done = 0, random = 7;
        struct child senders[SENDERS];
        for (int64_t i = 0; i < SENDERS; i++) {
                senders[i] = child_start(t, burst, &total);
                child_say(&senders[i], i);
        }
        for (bool finished = false; !finished;) {
                uint64_t got[2];
                size_t len;
                int rc = torc_consumer_recv(c, got, sizeof got, &len, done == SENDERS ? 0 : 20, NULL);
                if (rc == 0) {
                        assert_int_equal(len, sizeof got);
                        assert_true(got[0] < SENDERS && got[1] >= next[got[0]] && got[1] < total);
                        next[got[0]] = got[1] + 1;
                        delivered++;
                        /* Now and then something takes it long. */
                        for (uint64_t spin = test_random(&random) % 1000 ? 0 : 1000000; spin; spin--)
                                __asm__ volatile("");
                } else if (rc == TORC_ELAGGED) {
                        assert_int_equal(lag, TORC_LAG_DISCONNECT);
                        assert_ok(torc_consumer_reattach(c, TEST_WAIT_MS));
                } else {
                        assert_true(rc == -EAGAIN || rc == -ETIMEDOUT);
                        finished = done == SENDERS;
                }
                while (done < SENDERS && child_has_said(&senders[done]))
                        child_hear(&senders[done++]);
        }
        uint64_t missed = torc_consumer_missed(c), sum = delivered + missed;
        print_message("%" PRIu64 " delivered, %" PRIu64 " missed, of %" PRIu64 "\n", delivered, missed, total * SENDERS);
        assert_true(lag != TORC_LAG_BLOCK || missed == 0);
        assert_true(sum + SENDERS >= total * SENDERS && sum <= total * SENDERS + SENDERS);
        for (int i = 0; i < SENDERS; i++) {
                child_say(&senders[i], 0);
                child_join(&senders[i]);
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void lag_when_disconnected_at_full_speed_adds_up(void **state)
{
        race(*state, TORC_LAG_DISCONNECT);
}

static void lag_when_skipping_at_full_speed_adds_up(void **state)
{
        race(*state, TORC_LAG_SKIP);
}

static void lag_when_blocking_at_full_speed_misses_nothing(void **state)
{
        race(*state, TORC_LAG_BLOCK);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(lag_when_disconnect_tells_exactly_what_was_missed),
                TEST(lag_when_reattached_goes_on_at_the_cut),
                TEST(lag_when_skip_goes_on_by_itself),
                TEST(lag_when_block_holds_the_producer),
                TEST(view_when_overwritten_is_void),
                TEST(view_when_overwritten_while_skipping_is_void_too),
                TEST(poll_when_overwritten_voids_the_last_call),
                TEST(kick_when_nothing_is_unread_misses_nothing),
                TEST(every_call_when_kicked_tells_so_until_it_comes_back),
                TEST(reattach_when_it_cannot_says_why),
                TEST(lag_when_disconnected_at_full_speed_adds_up),
                TEST(lag_when_skipping_at_full_speed_adds_up),
                TEST(lag_when_blocking_at_full_speed_misses_nothing),
        };
        return TEST_MAIN(tests);
}
