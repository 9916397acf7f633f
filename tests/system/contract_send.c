/*
 * contract_send.c - sending: every refusal, and that what was refused never arrives; ids and flush; claims in place;
 * batches; metadata.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <pthread.h>

/* Bus, producer and consumer on a stream that blocks, of the smallest capacity. */
struct pair {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *c;
};

static struct pair pair_open(struct test *t)
{
        struct pair x = {.bus = test_bus(t, "me")};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        x.p = test_producer(x.bus, "s", TORC_SHARED, &config);
        x.c = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        return x;
}

static void pair_close(struct pair *x)
{
        torc_producer_close(&x->p);
        torc_consumer_close(&x->c);
        torc_bus_close(&x->bus);
}

/* Numbers from `first` on until the ring is full; returns the first that was refused. */
static uint64_t fill(struct torc_producer *p, uint64_t first)
{
        int rc;
        while ((rc = test_send(p, first, 0)) == 0)
                first++;
        assert_rc(rc, TORC_EFULL);
        return first;
}

static void drain(struct torc_consumer *c, uint64_t first, uint64_t end)
{
        for (; first < end; first++)
                test_expect(c, first);
        test_expect_nothing(c);
}

/* ---- refusals -------------------------------------------------------------------------------------------- */

static void try_send_when_offline_is_eoffline(void **state)
{
        struct pair x = pair_open(*state);
        torc_consumer_close(&x.c);
        assert_rc(test_send(x.p, 666, 0), TORC_EOFFLINE);
        assert_rc(test_send(x.p, 667, 10), -ETIMEDOUT);
        x.c = test_consumer(x.bus, "s", TORC_START_EARLIEST, NULL);
        assert_ok(test_send(x.p, 1, 0));
        drain(x.c, 1, 2);
        pair_close(&x);
}

static void try_send_when_full_is_efull_and_nothing_ghosts(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t end = fill(x.p, 0);
        assert_int_equal(end, 4096 / 32);
        for (uint64_t ghost = 0; ghost < 100; ghost++)
                assert_rc(test_send(x.p, 1000 + ghost, 0), TORC_EFULL);
        drain(x.c, 0, end);
        uint64_t again = fill(x.p, end);
        assert_true(again > end);
        drain(x.c, end, again);
        struct torc_producer_status status;
        assert_ok(torc_producer_status(x.p, &status));
        assert_int_equal(status.messages, again);
        assert_int_equal(status.bytes, again * 8);
        pair_close(&x);
}

static void try_send_when_full_and_offline_is_eoffline_first(void **state)
{
        struct pair x = pair_open(*state);
        fill(x.p, 0);
        torc_consumer_close(&x.c);
        assert_rc(test_send(x.p, 666, 0), TORC_EOFFLINE);
        pair_close(&x);
}

static void try_send_when_ended_is_eclosed_for_good(void **state)
{
        struct pair x = pair_open(*state);
        assert_ok(test_send(x.p, 1, 0));
        assert_ok(torc_stream_end(x.bus, "s"));
        assert_rc(test_send(x.p, 666, 0), TORC_ECLOSED);
        assert_rc(test_send(x.p, 667, -1), TORC_ECLOSED);
        uint64_t got;
        size_t len;
        test_expect(x.c, 1);
        assert_rc(torc_consumer_recv(x.c, &got, sizeof got, &len, -1, NULL), TORC_ECLOSED);
        assert_rc(torc_consumer_try_recv(x.c, &got, sizeof got, &len, NULL), TORC_ECLOSED);
        pair_close(&x);
}

static void try_send_when_fenced_is_efenced(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_producer *owner = test_producer(x.bus, "s", TORC_EXCLUSIVE_WITH_FENCING, NULL);
        assert_rc(test_send(x.p, 666, 0), TORC_EFENCED);
        assert_rc(test_send(x.p, 667, -1), TORC_EFENCED);
        assert_ok(test_send(owner, 1, 0));
        drain(x.c, 1, 2);
        torc_producer_close(&owner);
        assert_rc(test_send(x.p, 668, 0), TORC_EFENCED); /* for good */
        pair_close(&x);
}

static void try_send_when_waiting_is_ewaiting(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_producer *waiter = test_producer(x.bus, "s", TORC_WAIT_FOR_EXCLUSIVE, NULL);
        void *data;
        size_t accepted = 9;
        struct torc_span span = {"x", 1};
        assert_rc(test_send(waiter, 666, 0), TORC_EWAITING);
        assert_rc(torc_producer_claim(waiter, 8, NULL, 0, &data), TORC_EWAITING);
        assert_rc(torc_producer_send_batch(waiter, &span, 1, 0, &accepted), TORC_EWAITING);
        assert_int_equal(accepted, 0);
        test_expect_nothing(x.c);
        torc_producer_close(&waiter);
        pair_close(&x);
}

static void try_send_when_removed_is_eremoved(void **state)
{
        struct pair x = pair_open(*state);
        assert_ok(torc_stream_remove(x.bus, "s"));
        assert_rc(test_send(x.p, 666, 0), TORC_EREMOVED);
        uint64_t got;
        size_t len;
        assert_rc(torc_consumer_recv(x.c, &got, sizeof got, &len, -1, NULL), TORC_EREMOVED);
        pair_close(&x);
}

static void send_when_larger_than_allowed_is_etoobig(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(8192, TORC_LAG_BLOCK, 0);
        config.max_message_bytes = 1000;
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        unsigned char data[1001], got[1001];
        void *claimed;
        size_t len;
        memset(data, 7, sizeof data);
        assert_ok(torc_producer_send(p, data, 1000, 0, NULL));
        assert_rc(torc_producer_send(p, data, 1001, 0, NULL), TORC_ETOOBIG);
        assert_rc(torc_producer_send(p, data, 1001, -1, NULL), TORC_ETOOBIG);
        assert_rc(torc_producer_claim(p, 1001, NULL, 0, &claimed), TORC_ETOOBIG);
        assert_rc(torc_producer_claim(p, SIZE_MAX, NULL, 0, &claimed), TORC_ETOOBIG);
        assert_ok(torc_consumer_try_recv(c, got, sizeof got, &len, NULL));
        assert_int_equal(len, 1000);
        assert_memory_equal(got, data, len);
        test_expect_nothing(c);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* The one who waits for space is told when time is up, and then its message is gone. */
static void send_when_time_is_up_is_never_delivered(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t end = fill(x.p, 0);
        for (uint64_t ghost = 0; ghost < 5; ghost++) {
                int64_t from = test_now_ms();
                assert_rc(test_send(x.p, 1000 + ghost, 20), -ETIMEDOUT);
                assert_true(test_now_ms() - from >= 19);
                assert_true(test_now_ms() - from < 1000);
        }
        drain(x.c, 0, end);
        assert_ok(test_send(x.p, end, 20));
        drain(x.c, end, end + 1);
        pair_close(&x);
}

/* ---- waits that are ended -------------------------------------------------------------------------------- */

static struct torc_producer *to_cancel;

static void on_signal_cancel(int sig)
{
        (void)sig;
        torc_producer_cancel(to_cancel);
}

static void on_signal_nothing(int sig)
{
        (void)sig;
}

/* Fills the ring and goes on sending for ever; says how that ended, for each of three times. */
static void stuck_sender(struct child *link, struct test *t, void *arg)
{
        struct sigaction sa = {.sa_handler = arg ? on_signal_cancel : on_signal_nothing, .sa_flags = SA_RESTART};
        struct torc_bus *bus = child_bus(t, "stuck");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        to_cancel = p;
        sigaction(SIGUSR1, &sa, NULL);
        uint64_t n = 0;
        while (test_send(p, n, 0) == 0)
                n++;
        link_say(link, (int64_t)n);
        for (int i = 0; i < 3; i++)
                link_say(link, test_send(p, 1000, -1));
        link_hear(link);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static bool child_said_soon(struct child *c)
{
        struct pollfd p = {.fd = c->in, .events = POLLIN};
        return poll(&p, 1, 20) == 1;
}

static void send_ended_by_signal(struct test *t, bool cancels)
{
        struct pair x = pair_open(t);
        struct child c = child_start(t, stuck_sender, cancels ? t : NULL);
        uint64_t end = (uint64_t)child_hear(&c);
        for (int i = 0; i < 3; i++) {
                test_until_blocked(t, "s", c.pid);
                child_until_asleep(&c);
                /* A cancel is never lost; a signal ends the sleep it meets, and may come between two slices. */
                do
                        kill(c.pid, SIGUSR1);
                while (!cancels && !child_said_soon(&c));
                assert_int_equal(child_hear(&c), cancels ? TORC_ECANCELED : -EINTR);
        }
        child_say(&c, 0);
        child_join(&c);
        drain(x.c, 0, end);
        pair_close(&x);
}

static void send_when_a_signal_handler_ran_is_eintr(void **state)
{
        send_ended_by_signal(*state, false);
}

static void send_when_cancelled_in_a_signal_handler_is_ecanceled(void **state)
{
        send_ended_by_signal(*state, true);
}

static void *canceller(void *arg)
{
        torc_producer_cancel(arg);
        return NULL;
}

static void send_when_cancelled_from_a_thread_is_ecanceled_once(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t end = fill(x.p, 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, canceller, x.p), 0);
        assert_rc(test_send(x.p, 1000, -1), TORC_ECANCELED);
        pthread_join(thread, NULL);
        drain(x.c, 0, end);
        /* Before the wait: the next one that would block. */
        torc_producer_cancel(x.p);
        uint64_t more = fill(x.p, end);
        assert_rc(test_send(x.p, 1000, -1), TORC_ECANCELED);
        assert_rc(test_send(x.p, 1000, 10), -ETIMEDOUT);
        drain(x.c, end, more);
        pair_close(&x);
}

/* ---- ids and flush --------------------------------------------------------------------------------------- */

static void send_when_committed_gives_rising_ids(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_id last = {0}, id, seen;
        char text[TORC_ID_TEXT_MAX];
        for (uint64_t n = 0; n < 1000; n++) {
                uint64_t got;
                size_t len;
                assert_ok(torc_producer_send(x.p, &n, n % 9, 0, &id));
                assert_true(n == 0 || id.position > last.position);
                assert_int_equal(id.epoch, 1);
                assert_int_equal(id.shard, 0);
                assert_ok(torc_consumer_try_recv(x.c, &got, sizeof got, &len, &seen));
                assert_memory_equal(&id, &seen, sizeof id);
                torc_id_format(text, &id);
                assert_ok(torc_id_parse(&seen, text));
                assert_memory_equal(&id, &seen, sizeof id);
                last = id;
        }
        pair_close(&x);
}

static void flush_when_nothing_was_sent_is_done(void **state)
{
        struct pair x = pair_open(*state);
        assert_ok(torc_producer_flush(x.p, NULL, -1));
        pair_close(&x);
}

static void flush_when_a_consumer_is_behind_waits_for_it(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_consumer *other = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        struct torc_view view;
        uint64_t n = 0;
        struct torc_id first, second;
        assert_ok(torc_producer_send(x.p, &n, 8, 0, &first));
        n++;
        assert_ok(torc_producer_send(x.p, &n, 8, 0, &second));
        assert_rc(torc_producer_flush(x.p, NULL, 0), -EAGAIN);
        drain(x.c, 0, 2);
        assert_rc(torc_producer_flush(x.p, &first, 0), -EAGAIN);
        assert_ok(torc_consumer_view(other, &view, 0));
        assert_rc(torc_producer_flush(x.p, &first, 10), -ETIMEDOUT); /* it looks at it, but is not done */
        assert_ok(torc_consumer_release(other));
        assert_ok(torc_producer_flush(x.p, &first, 0));
        assert_rc(torc_producer_flush(x.p, &second, 0), -EAGAIN);
        assert_rc(torc_producer_flush(x.p, NULL, 10), -ETIMEDOUT);
        torc_consumer_close(&other); /* one that leaves is waited for no more */
        assert_ok(torc_producer_flush(x.p, NULL, -1));
        torc_consumer_close(&x.c);
        assert_ok(torc_producer_flush(x.p, NULL, 0));
        pair_close(&x);
}

/* A barrier: when flush returns, the consumer has gone past the message. */
static void flusher(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "flusher");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        for (uint64_t n = 0; n < 200; n++) {
                CHECK_RC(test_send(p, n, -1), 0);
                CHECK_RC(torc_producer_flush(p, NULL, -1), 0);
                link_say(link, (int64_t)n);
        }
        CHECK_RC(test_send(p, 200, -1), 0);
        link_say(link, 200);
        link_say(link, torc_producer_flush(p, NULL, -1)); /* behind one that is killed now */
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void flush_when_it_returns_all_have_read(void **state)
{
        struct pair x = pair_open(*state);
        struct child c = child_start(*state, flusher, NULL);
        for (uint64_t n = 0; n < 200; n++) {
                assert_false(child_has_said(&c));
                test_expect(x.c, n);
                assert_int_equal(child_hear(&c), n);
        }
        test_expect(x.c, 200);
        child_hear(&c);
        assert_int_equal(child_hear(&c), 0);
        child_join(&c);
        pair_close(&x);
}

static void silent_reader(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "silent");
        struct torc_consumer *c = NULL;
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        link_say(link, 0);
        link_hear(link);
}

static void flush_when_a_dead_consumer_is_behind_goes_on(void **state)
{
        struct pair x = pair_open(*state);
        struct child reader = child_start(*state, silent_reader, NULL);
        child_hear(&reader);
        struct child c = child_start(*state, flusher, NULL);
        test_expect(x.c, 0);
        test_until_blocked(*state, "s", c.pid);
        assert_false(child_has_said(&c));
        child_kill(&reader);
        assert_int_equal(child_hear(&c), 0);
        child_kill(&c);
        pair_close(&x);
}

/* ---- in place -------------------------------------------------------------------------------------------- */

static void claim_when_committed_is_one_message(void **state)
{
        struct pair x = pair_open(*state);
        void *data;
        struct torc_id id;
        assert_ok(torc_producer_claim(x.p, 8, NULL, 0, &data));
        assert_int_equal((uintptr_t)data % 8, 0);
        test_expect_nothing(x.c);
        *(uint64_t *)data = 77;
        assert_ok(torc_producer_commit(x.p, &id));
        drain(x.c, 77, 78);
        assert_ok(torc_producer_claim(x.p, 0, NULL, 0, &data)); /* an empty one */
        assert_ok(torc_producer_commit(x.p, NULL));
        uint64_t got;
        size_t len = 9;
        assert_ok(torc_consumer_try_recv(x.c, &got, sizeof got, &len, NULL));
        assert_int_equal(len, 0);
        pair_close(&x);
}

static void claim_when_one_is_open_is_ebusy(void **state)
{
        struct pair x = pair_open(*state);
        void *data;
        size_t accepted;
        struct torc_span span = {"x", 1};
        assert_rc(torc_producer_commit(x.p, NULL), -EINVAL);
        assert_rc(torc_producer_abort(x.p), -EINVAL);
        assert_ok(torc_producer_claim(x.p, 8, NULL, 0, &data));
        assert_rc(torc_producer_claim(x.p, 8, NULL, 0, &data), -EBUSY);
        assert_rc(test_send(x.p, 666, -1), -EBUSY);
        assert_rc(torc_producer_send_batch(x.p, &span, 1, 0, &accepted), -EBUSY);
        *(uint64_t *)data = 5;
        assert_ok(torc_producer_commit(x.p, NULL));
        assert_rc(torc_producer_commit(x.p, NULL), -EINVAL);
        drain(x.c, 5, 6);
        pair_close(&x);
}

static void claim_when_aborted_is_skipped(void **state)
{
        struct pair x = pair_open(*state);
        void *data;
        for (uint64_t n = 0; n < 500; n++) {
                assert_ok(torc_producer_claim(x.p, 8 + n % 64, NULL, 0, &data));
                memset(data, 0xee, 8 + n % 64);
                assert_ok(torc_producer_abort(x.p));
                assert_ok(test_send(x.p, n, 0));
                drain(x.c, n, n + 1);
        }
        struct torc_consumer_stats stats;
        struct torc_producer_status status;
        assert_ok(torc_consumer_stats(x.c, &stats));
        assert_int_equal(stats.messages, 500);
        assert_int_equal(stats.missed_messages, 0);
        assert_ok(torc_producer_status(x.p, &status));
        assert_int_equal(status.messages, 500);
        pair_close(&x);
}

/* Others go on behind an open claim; readers wait for it; closing the handle gives it up. */
static void claim_when_handle_closes_is_aborted(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_producer *other = test_producer(x.bus, "s", TORC_SHARED, NULL);
        void *data;
        assert_ok(torc_producer_claim(other, 100, NULL, 0, &data));
        assert_ok(test_send(x.p, 1, 0));
        test_expect_nothing(x.c);
        torc_producer_close(&other);
        drain(x.c, 1, 2);
        pair_close(&x);
}

/* A commit after the fence still counts, for the old segment: before anything of the new owner. */
static void claim_when_fenced_meanwhile_commits_before_the_new_owner(void **state)
{
        struct pair x = pair_open(*state);
        void *data;
        struct torc_id id, late, seen;
        assert_ok(torc_producer_claim(x.p, 8, NULL, 0, &data));
        struct torc_producer *owner = test_producer(x.bus, "s", TORC_EXCLUSIVE_WITH_FENCING, NULL);
        uint64_t n = 2, got;
        size_t len;
        assert_ok(torc_producer_send(owner, &n, 8, 0, &id));
        assert_int_equal(id.epoch, 2);
        test_expect_nothing(x.c);
        *(uint64_t *)data = 1;
        assert_ok(torc_producer_commit(x.p, &late));
        assert_int_equal(late.epoch, 1);
        assert_true(late.position < id.position);
        assert_rc(test_send(x.p, 666, 0), TORC_EFENCED);
        test_expect(x.c, 1);
        assert_ok(torc_consumer_try_recv(x.c, &got, sizeof got, &len, &seen));
        assert_int_equal(got, 2);
        assert_memory_equal(&seen, &id, sizeof id);
        test_expect_nothing(x.c);
        torc_producer_close(&owner);
        pair_close(&x);
}

static void view_when_held_is_ebusy(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_view view, other;
        uint64_t got;
        size_t len, handled;
        assert_rc(torc_consumer_release(x.c), -EINVAL);
        assert_rc(torc_consumer_view(x.c, &view, 0), -EAGAIN);
        assert_rc(torc_consumer_release(x.c), -EINVAL);
        assert_ok(test_send(x.p, 1, 0));
        assert_ok(test_send(x.p, 2, 0));
        assert_ok(torc_consumer_view(x.c, &view, 0));
        assert_int_equal(view.len, 8);
        assert_int_equal(*(const uint64_t *)view.data, 1);
        assert_null(view.meta);
        assert_rc(torc_consumer_view(x.c, &other, 0), -EBUSY);
        assert_rc(torc_consumer_recv(x.c, &got, sizeof got, &len, -1, NULL), -EBUSY);
        assert_rc(torc_consumer_poll(x.c, NULL, NULL, 1, &handled), -EBUSY);
        assert_ok(torc_consumer_release(x.c));
        assert_rc(torc_consumer_release(x.c), -EINVAL);
        drain(x.c, 2, 3);
        pair_close(&x);
}

/* ---- batches --------------------------------------------------------------------------------------------- */

static void batch_when_it_fits_arrives_in_order(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t numbers[50];
        struct torc_span spans[50];
        size_t accepted = 9;
        assert_ok(torc_producer_send_batch(x.p, NULL, 0, 0, &accepted));
        assert_int_equal(accepted, 0);
        for (uint64_t n = 0; n < 1000; n += 50) {
                for (uint64_t i = 0; i < 50; i++) {
                        numbers[i] = n + i;
                        spans[i] = (struct torc_span){&numbers[i], 8};
                }
                assert_ok(torc_producer_send_batch(x.p, spans, 50, 0, &accepted));
                assert_int_equal(accepted, 50);
                drain(x.c, n, n + 50);
        }
        pair_close(&x);
}

static void batch_when_full_tells_how_many(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t numbers[300], sent = 0;
        struct torc_span spans[300];
        size_t accepted;
        for (uint64_t i = 0; i < 300; i++) {
                numbers[i] = i;
                spans[i] = (struct torc_span){&numbers[i], 8};
        }
        while (sent < 300) {
                int rc = torc_producer_send_batch(x.p, spans + sent, 300 - sent, sent % 2 ? 5 : 0, &accepted);
                assert_true(rc == 0 || rc == TORC_EFULL || rc == -ETIMEDOUT);
                assert_true((rc == 0) == (accepted == 300 - sent));
                assert_true(accepted > 0);
                drain(x.c, sent, sent + accepted);
                sent += accepted;
        }
        pair_close(&x);
}

/* Those that there was room for are sent, as one by one: time is up for the others only. */
static void batch_when_time_is_up_sends_what_fits(void **state)
{
        struct pair x = pair_open(*state);
        uint64_t numbers[10], sent = 0;
        struct torc_span spans[10];
        size_t accepted;
        for (; sent < 4096 / 32 - 8; sent++)
                assert_ok(test_send(x.p, sent, 0));
        for (uint64_t i = 0; i < 10; i++) {
                numbers[i] = sent + i;
                spans[i] = (struct torc_span){&numbers[i], 8};
        }
        assert_rc(torc_producer_send_batch(x.p, spans, 10, 5, &accepted), -ETIMEDOUT);
        assert_int_equal(accepted, 8);
        assert_rc(torc_producer_send_batch(x.p, spans + 8, 2, 5, &accepted), -ETIMEDOUT);
        assert_int_equal(accepted, 0);
        drain(x.c, 0, sent + 8);
        torc_consumer_close(&x.c);
        assert_rc(torc_producer_send_batch(x.p, spans, 10, 5, &accepted), -ETIMEDOUT); /* offline */
        assert_int_equal(accepted, 0);
        pair_close(&x);
}

static void batch_when_one_is_too_big_sends_those_before(void **state)
{
        struct pair x = pair_open(*state);
        static const unsigned char big[513];
        uint64_t numbers[3] = {0, 1, 2};
        struct torc_span spans[] = {{&numbers[0], 8}, {&numbers[1], 8}, {big, 513}, {&numbers[2], 8}};
        size_t accepted;
        assert_rc(torc_producer_send_batch(x.p, spans, 4, 0, &accepted), TORC_ETOOBIG);
        assert_int_equal(accepted, 2);
        drain(x.c, 0, 2);
        pair_close(&x);
}

static void batch_when_offline_sends_nothing(void **state)
{
        struct pair x = pair_open(*state);
        torc_consumer_close(&x.c);
        struct torc_span span = {"x", 1};
        size_t accepted = 9;
        assert_rc(torc_producer_send_batch(x.p, &span, 1, 0, &accepted), TORC_EOFFLINE);
        assert_int_equal(accepted, 0);
        pair_close(&x);
}

/* ---- metadata -------------------------------------------------------------------------------------------- */

static void meta_when_sent_comes_back_unaltered(void **state)
{
        struct pair x = pair_open(*state);
        static const struct torc_property properties[] = {
                {"unit", "\xc2\xb0""C"}, {"", "an empty key"}, {"empty value", ""}, {"unit", "twice"}, {"nl", "a\nb"}};
        static const int64_t times[] = {1, -1, INT64_MAX, INT64_MIN, 1700000000123456789};
        for (size_t k = 0; k < sizeof times / sizeof times[0]; k++) {
                struct torc_meta meta = {properties, 5, times[k]};
                struct torc_view view;
                const char *key, *value;
                size_t key_len, value_len;
                assert_ok(torc_producer_send_meta(x.p, "payload", 7, &meta, 0, NULL));
                assert_ok(torc_consumer_view(x.c, &view, 0));
                assert_int_equal(view.len, 7);
                assert_memory_equal(view.data, "payload", 7);
                assert_int_equal(torc_meta_event_time(&view), times[k]);
                for (size_t i = 0; i < 5; i++) {
                        assert_ok(torc_meta_property(&view, i, &key, &key_len, &value, &value_len));
                        assert_int_equal(key_len, strlen(properties[i].key));
                        assert_memory_equal(key, properties[i].key, key_len);
                        assert_int_equal(value_len, strlen(properties[i].value));
                        assert_memory_equal(value, properties[i].value, value_len);
                }
                assert_rc(torc_meta_property(&view, 5, &key, &key_len, &value, &value_len), -ENOENT);
                assert_ok(torc_consumer_release(x.c));
        }
        pair_close(&x);
}

static void meta_when_there_is_none_is_none(void **state)
{
        struct pair x = pair_open(*state);
        struct torc_view view;
        const char *key, *value;
        size_t key_len, value_len;
        assert_ok(test_send(x.p, 1, 0));
        assert_ok(torc_consumer_view(x.c, &view, 0));
        assert_int_equal(torc_meta_event_time(&view), 0);
        assert_rc(torc_meta_property(&view, 0, &key, &key_len, &value, &value_len), -ENOENT);
        assert_ok(torc_consumer_release(x.c));
        struct torc_meta only_time = {NULL, 0, 5};
        assert_ok(torc_producer_send_meta(x.p, "", 0, &only_time, 0, NULL));
        assert_ok(torc_consumer_view(x.c, &view, 0));
        assert_int_equal(view.len, 0);
        assert_int_equal(torc_meta_event_time(&view), 5);
        assert_rc(torc_meta_property(&view, 0, &key, &key_len, &value, &value_len), -ENOENT);
        assert_ok(torc_consumer_release(x.c));
        pair_close(&x);
}

static void meta_when_in_a_claim_leaves_the_payload_aligned(void **state)
{
        struct pair x = pair_open(*state);
        char value[16] = "";
        for (size_t len = 0; len < 15; len++) {
                struct torc_property property = {"k", value};
                struct torc_meta meta = {&property, 1, 0};
                struct torc_view view;
                void *data;
                assert_ok(torc_producer_claim(x.p, 8, &meta, 0, &data));
                assert_int_equal((uintptr_t)data % 8, 0);
                *(uint64_t *)data = len;
                assert_ok(torc_producer_commit(x.p, NULL));
                assert_ok(torc_consumer_view(x.c, &view, 0));
                assert_int_equal(view.len, 8);
                assert_memory_equal(view.data, &len, 8);
                assert_ok(torc_consumer_release(x.c));
                value[len] = 'v';
        }
        pair_close(&x);
}

static void meta_when_too_large_is_emeta(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(1 << 18, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_property many[256], one;
        struct torc_view view;
        char *huge = malloc(TORC_META_MAX + 2);
        void *data;
        assert_non_null(huge);
        for (int i = 0; i < 256; i++)
                many[i] = (struct torc_property){"key", "value"};
        struct torc_meta meta = {many, 255, 0};
        assert_ok(torc_producer_send_meta(p, "x", 1, &meta, 0, NULL));
        meta.n_properties = 256;
        assert_rc(torc_producer_send_meta(p, "x", 1, &meta, 0, NULL), TORC_EMETA);
        memset(huge, 'v', TORC_META_MAX + 1);
        huge[TORC_META_MAX + 1] = '\0';
        one = (struct torc_property){"key", huge};
        meta = (struct torc_meta){&one, 1, 0};
        assert_rc(torc_producer_send_meta(p, "x", 1, &meta, 0, NULL), TORC_EMETA);
        assert_rc(torc_producer_claim(p, 1, &meta, 0, &data), TORC_EMETA);
        huge[TORC_META_MAX - 64] = '\0';
        assert_ok(torc_producer_send_meta(p, "x", 1, &meta, 0, NULL));
        for (int i = 0; i < 2; i++) {
                assert_ok(torc_consumer_view(c, &view, 0));
                assert_ok(torc_consumer_release(c));
        }
        test_expect_nothing(c);
        free(huge);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* Metadata that is allowed as such, on a stream whose ring is too small for it. */
static void meta_when_larger_than_the_ring_is_etoobig(void **state)
{
        struct pair x = pair_open(*state);
        char value[3001];
        memset(value, 'v', 3000);
        value[3000] = '\0';
        struct torc_property property = {"k", value};
        struct torc_meta meta = {&property, 1, 0};
        assert_rc(torc_producer_send_meta(x.p, "x", 1, &meta, -1, NULL), TORC_ETOOBIG);
        test_expect_nothing(x.c);
        pair_close(&x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(try_send_when_offline_is_eoffline),
                TEST(try_send_when_full_is_efull_and_nothing_ghosts),
                TEST(try_send_when_full_and_offline_is_eoffline_first),
                TEST(try_send_when_ended_is_eclosed_for_good),
                TEST(try_send_when_fenced_is_efenced),
                TEST(try_send_when_waiting_is_ewaiting),
                TEST(try_send_when_removed_is_eremoved),
                TEST(send_when_larger_than_allowed_is_etoobig),
                TEST(send_when_time_is_up_is_never_delivered),
                TEST(send_when_a_signal_handler_ran_is_eintr),
                TEST(send_when_cancelled_in_a_signal_handler_is_ecanceled),
                TEST(send_when_cancelled_from_a_thread_is_ecanceled_once),
                TEST(send_when_committed_gives_rising_ids),
                TEST(flush_when_nothing_was_sent_is_done),
                TEST(flush_when_a_consumer_is_behind_waits_for_it),
                TEST(flush_when_it_returns_all_have_read),
                TEST(flush_when_a_dead_consumer_is_behind_goes_on),
                TEST(claim_when_committed_is_one_message),
                TEST(claim_when_one_is_open_is_ebusy),
                TEST(claim_when_aborted_is_skipped),
                TEST(claim_when_handle_closes_is_aborted),
                TEST(claim_when_fenced_meanwhile_commits_before_the_new_owner),
                TEST(view_when_held_is_ebusy),
                TEST(batch_when_it_fits_arrives_in_order),
                TEST(batch_when_full_tells_how_many),
                TEST(batch_when_time_is_up_sends_what_fits),
                TEST(batch_when_one_is_too_big_sends_those_before),
                TEST(batch_when_offline_sends_nothing),
                TEST(meta_when_sent_comes_back_unaltered),
                TEST(meta_when_there_is_none_is_none),
                TEST(meta_when_in_a_claim_leaves_the_payload_aligned),
                TEST(meta_when_too_large_is_emeta),
                TEST(meta_when_larger_than_the_ring_is_etoobig),
        };
        return TEST_MAIN(tests);
}
