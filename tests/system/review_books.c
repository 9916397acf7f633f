/*
 * review_books.c - the books, to the message. One thread does anything at random to one stream: sends, claims,
 * growth, fencing, ending, slow readers that come, lag, are cut off, come back and go. Nothing else runs, so every
 * number is known: at each delivery, what a reader got before and what it missed add up to the number of the
 * message; in the end, what the inspector shows adds up to what the handles say.
 *
 *      TORC_SEED=7 TORC_ROUNDS=2000   other moments, longer
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#define READERS 4
#define SENDERS 3

struct reader {
        struct torc_consumer *c;
        uint64_t from; /* number of the first message that is its business */
        uint64_t got;
};

struct books {
        struct test *t;
        uint64_t seed;
        struct torc_stream_config config;
        struct torc_bus *bus;
        struct torc_producer *p[SENDERS];
        bool claimed[SENDERS];
        struct reader r[READERS];
        uint64_t sent, bytes;
        uint64_t gone_missed; /* disconnected from readers that are gone, and overtaken: kept by the stream */
        uint32_t epoch;
};

static unsigned pick(struct books *b, unsigned n)
{
        return (unsigned)(test_random(&b->seed) % n);
}

static const struct torc_stream_info *look(struct books *b, struct torc_snapshot **snap)
{
        *snap = test_snapshot(b->t);
        const struct torc_stream_info *info = test_find_stream(*snap, "s");
        assert_non_null(info);
        assert_int_equal(info->error, 0);
        return info;
}

/* ---- senders --------------------------------------------------------------------------------------------- */

static void forget_sender(struct books *b, unsigned i)
{
        torc_producer_close(&b->p[i]);
        b->claimed[i] = false;
}

static void send_some(struct books *b, unsigned i)
{
        unsigned char bytes[600];
        for (unsigned n = pick(b, 60); n > 0; n--) {
                size_t len = sizeof b->sent + pick(b, pick(b, 4) ? 40 : 500);
                memset(bytes, (int)b->sent, sizeof bytes);
                memcpy(bytes, &b->sent, sizeof b->sent);
                int rc = torc_producer_try_send(b->p[i], bytes, len, NULL);
                if (rc == TORC_EFENCED || rc == TORC_ECLOSED) {
                        forget_sender(b, i);
                        return;
                }
                if (rc == TORC_EFULL)
                        return;
                assert_ok(rc);
                b->sent++;
                b->bytes += len;
        }
}

static void send_batch(struct books *b, unsigned i)
{
        uint64_t numbers[40];
        struct torc_span spans[40];
        size_t accepted, n = pick(b, 40);
        for (size_t k = 0; k < n; k++) {
                numbers[k] = b->sent + k;
                spans[k] = (struct torc_span){&numbers[k], sizeof numbers[k]};
        }
        int rc = torc_producer_send_batch(b->p[i], spans, n, 0, &accepted);
        b->sent += accepted;
        b->bytes += accepted * sizeof numbers[0];
        if (rc == TORC_EFENCED || rc == TORC_ECLOSED)
                forget_sender(b, i);
        else
                assert_true(rc == 0 || rc == TORC_EFULL);
}

/* Claims are held open for a while and given up: with a commit the order of numbers would be another. */
static void toggle_claim(struct books *b, unsigned i)
{
        void *data;
        if (b->claimed[i]) {
                assert_ok(torc_producer_abort(b->p[i]));
                b->claimed[i] = false;
                return;
        }
        int rc = torc_producer_claim(b->p[i], pick(b, 400), NULL, 0, &data);
        b->claimed[i] = rc == 0;
        if (rc == TORC_EFENCED || rc == TORC_ECLOSED)
                forget_sender(b, i);
        else
                assert_true(rc == 0 || rc == TORC_EFULL);
}

static void work_sender(struct books *b)
{
        unsigned i = pick(b, SENDERS);
        if (!b->p[i]) {
                struct torc_producer_config config = {
                        .access = pick(b, 8) ? TORC_SHARED : TORC_EXCLUSIVE_WITH_FENCING, .stream = &b->config};
                int rc = torc_producer_open(&b->p[i], b->bus, "s", &config);
                assert_true(rc == 0 || rc == TORC_EBUSY);
        } else if (b->claimed[i] || pick(b, 20) == 0) {
                toggle_claim(b, i);
        } else if (pick(b, 30) == 0) {
                forget_sender(b, i);
        } else if (pick(b, 3) == 0) {
                send_batch(b, i);
        } else {
                send_some(b, i);
        }
}

/* ---- readers --------------------------------------------------------------------------------------------- */

/* A message came: is it the one that is next by the books? */
static void check_delivery(struct reader *r, const void *data, size_t len)
{
        uint64_t number, expected = r->from + r->got + torc_consumer_missed(r->c);
        assert_true(len >= sizeof number);
        memcpy(&number, data, sizeof number);
        if (number != expected)
                fail_msg("message %d came, not %d: from %d on, %d got, %d missed", (int)number, (int)expected,
                         (int)r->from, (int)r->got, (int)torc_consumer_missed(r->c));
        r->got++;
}

/* Returns how the reading ended. */
static int read_some(struct books *b, struct reader *r, unsigned most)
{
        unsigned char bytes[600];
        struct torc_view view;
        size_t len;
        int rc = 0;
        for (; rc == 0 && most > 0; most--) {
                if (pick(b, 2)) {
                        rc = torc_consumer_try_recv(r->c, bytes, sizeof bytes, &len, NULL);
                        if (rc == 0)
                                check_delivery(r, bytes, len);
                        continue;
                }
                rc = torc_consumer_view(r->c, &view, 0);
                if (rc == 0) {
                        memcpy(bytes, view.data, view.len);
                        len = view.len;
                        rc = torc_consumer_release(r->c);
                        if (rc == 0)
                                check_delivery(r, bytes, len);
                }
        }
        return rc;
}

static void read_and_come_back(struct books *b, struct reader *r, unsigned most)
{
        int rc = read_some(b, r, most);
        if (rc == TORC_ELAGGED && pick(b, 3)) {
                rc = torc_consumer_reattach(r->c, 0);
                assert_true(rc == 0 || rc == TORC_ENOCAPACITY);
        }
        assert_true(rc == 0 || rc == -EAGAIN || rc == TORC_ELAGGED || rc == TORC_ECLOSED || rc == TORC_ENOCAPACITY);
}

static void open_reader(struct books *b, struct reader *r)
{
        struct torc_view view;
        struct torc_consumer_config config = {.start = pick(b, 2) ? TORC_START_LIVE : TORC_START_EARLIEST,
                                              .stream = &b->config};
        int rc = torc_consumer_open(&r->c, b->bus, "s", &config);
        if (rc == TORC_ENOCAPACITY)
                return;
        assert_ok(rc);
        *r = (struct reader){.c = r->c, .from = b->sent};
        if (config.start == TORC_START_LIVE)
                return;
        /* The oldest there is; nothing, or nothing before an open claim, is as good as live for a start. */
        rc = torc_consumer_view(r->c, &view, 0);
        if (rc == 0) {
                memcpy(&r->from, view.data, sizeof r->from);
                assert_ok(torc_consumer_release(r->c));
                r->got = 1;
        } else {
                assert_true(rc == -EAGAIN || rc == TORC_ECLOSED);
                torc_consumer_close(&r->c);
        }
}

static uint64_t stream_missed(struct books *b)
{
        struct torc_snapshot *snap;
        const struct torc_stream_info *info = look(b, &snap);
        uint64_t missed = info->losses[TORC_LOSS_DISCONNECTED] + info->losses[TORC_LOSS_OVERWRITTEN];
        torc_snapshot_free(&snap);
        return missed;
}

/* What it missed stays in the stream's books, also when it is cut off and has not been told. */
static void close_reader(struct books *b, struct reader *r)
{
        uint64_t before = stream_missed(b);
        torc_consumer_close(&r->c);
        assert_int_equal(stream_missed(b), before);
        *r = (struct reader){0};
}

static void kick_reader(struct books *b)
{
        struct torc_snapshot *snap;
        const struct torc_stream_info *info = look(b, &snap);
        if (info->n_consumers) {
                int rc = torc_stream_kick(b->bus, "s", info->consumers[pick(b, (unsigned)info->n_consumers)].ref);
                assert_true(rc == 0 || rc == -ENOENT);
        }
        torc_snapshot_free(&snap);
}

static void work_reader(struct books *b)
{
        struct reader *r = &b->r[pick(b, READERS)];
        if (!r->c)
                open_reader(b, r);
        else if (pick(b, 25) == 0)
                close_reader(b, r);
        else
                read_and_come_back(b, r, pick(b, 4) ? pick(b, 30) : 100000);
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

static void work_stream(struct books *b)
{
        uint32_t epoch;
        switch (pick(b, 6)) {
        case 0:
                assert_ok(torc_stream_fence(b->bus, "s", &epoch));
                assert_true(epoch > b->epoch);
                b->epoch = epoch;
                break;
        case 1:
                assert_ok(torc_stream_end(b->bus, "s"));
                break;
        case 2:
                assert_ok(torc_bus_reap(b->bus, NULL));
                break;
        default:
                kick_reader(b);
                break;
        }
}

/* What the inspector shows is what happened, and what the handles say. */
static void check_books(struct books *b)
{
        struct torc_snapshot *snap;
        const struct torc_stream_info *info = look(b, &snap);
        assert_int_equal(info->messages, b->sent);
        assert_int_equal(info->bytes, b->bytes);
        assert_int_equal(info->losses[TORC_LOSS_ABORTED], 0);
        assert_true(info->epoch >= b->epoch);
        b->epoch = info->epoch;
        uint64_t shown = 0, known = 0;
        for (size_t i = 0; i < info->n_consumers; i++)
                shown += info->consumers[i].stats.messages;
        for (size_t i = 0; i < READERS; i++)
                known += b->r[i].got;
        assert_int_equal(shown, known);
        torc_snapshot_free(&snap);
}

static void run_books(struct test *t, uint64_t seed, long rounds)
{
        struct books b = {.t = t, .seed = seed, .bus = test_bus(t, "books")};
        b.config = test_stream(4096, (enum torc_lag)pick(&b, 3), 0);
        b.config.capacity_max_bytes = 4096ull << pick(&b, 4);
        b.config.max_message_bytes = 512;
        b.config.max_consumers = pick(&b, 2) ? 0 : READERS - 1;
        assert_ok(torc_stream_create(b.bus, "s", &b.config));
        for (long i = 0; i < rounds; i++) {
                unsigned what = pick(&b, 100);
                if (what < 55)
                        work_sender(&b);
                else if (what < 98)
                        work_reader(&b);
                else
                        work_stream(&b);
                if (what % 10 == 0)
                        check_books(&b);
        }
        for (unsigned i = 0; i < SENDERS; i++)
                forget_sender(&b, i);
        for (unsigned i = 0; i < READERS; i++) {
                struct reader *r = &b.r[i];
                if (!r->c)
                        continue;
                int rc;
                while ((rc = read_some(&b, r, 1000000)) == TORC_ELAGGED && torc_consumer_reattach(r->c, 0) == 0)
                        continue;
                if (rc == -EAGAIN || rc == TORC_ECLOSED)
                        if (torc_consumer_missed(r->c) + r->got + r->from != b.sent && b.config.max_consumers == 0)
                                fail_msg("a reader from %d on got %d and missed %d of %d", (int)r->from,
                                         (int)r->got, (int)torc_consumer_missed(r->c), (int)b.sent);
                close_reader(&b, r);
        }
        check_books(&b);
        torc_bus_close(&b.bus);
}

static void books_when_anything_happens_are_exact(void **state)
{
        struct test *t = *state;
        uint64_t seed = (uint64_t)test_param("TORC_SEED", 1);
        long rounds = test_param("TORC_ROUNDS", 400);
        test_seconds(300);
        for (uint64_t i = 0; i < 24; i++) {
                struct test here = *t;
                snprintf(here.root, sizeof here.root, "%.60s/%d", t->root, (int)(i % 100));
                print_message("seed %d\n", (int)(seed + i));
                run_books(&here, (seed + i) * 1000003, rounds);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(books_when_anything_happens_are_exact),
        };
        return TEST_MAIN(tests);
}
