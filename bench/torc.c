/*
 * torc.c - torc, through torc.h and nothing else.
 *
 * Nobody loses messages: lag = block. A round trip uses two streams. With a batch above 1 producers send by
 * torc_producer_send_batch() and consumers read by torc_consumer_poll(), else by the plain calls.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#include <stdio.h>

#include "torc.h"
#include "torc_admin.h"

#define POLL_LIMIT 256

struct torc_end {
        struct torc_bus *bus;
        struct torc_producer *out;
        struct torc_consumer *in;
        char out_name[48], in_name[48];
        int timeout_ms;
        size_t size;
        struct pool pool;
        unsigned char *copy;
};

static int torc_setup(struct run *run)
{
        (void)run;
        return 0;
}

static void torc_teardown(struct run *run)
{
        (void)run;
}

/* Both sides make the streams if they are first; they agree on how. */
static int end_open_streams(struct torc_end *e, const struct run *run)
{
        struct torc_stream_config stream = TORC_STREAM_CONFIG_INIT;
        struct torc_bus_config bus = {.root = run->root, .name = "bench", .peer_name = "torc-bench"};
        struct torc_producer_config producer = {.stream = &stream};
        struct torc_consumer_config consumer = {.stream = &stream};
        bool trip = run->plan->work == WORK_ROUND_TRIP;
        int rc = torc_bus_open(&e->bus, &bus);

        stream.capacity_bytes = run->plan->capacity;
        stream.lag = TORC_LAG_BLOCK;
        stream.online_min = 0;
        snprintf(e->out_name, sizeof(e->out_name), "%u-%s", run->serial, run->producer || !trip ? "there" : "back");
        snprintf(e->in_name, sizeof(e->in_name), "%u-%s", run->serial, run->producer ? "back" : "there");
        if (rc == 0 && (!run->producer || trip))
                rc = torc_consumer_open(&e->in, e->bus, e->in_name, &consumer);
        if (rc == 0 && (run->producer || trip))
                rc = torc_producer_open(&e->out, e->bus, e->out_name, &producer);
        return rc;
}

static int end_open(struct torc_end *e, const struct run *run)
{
        const struct plan *plan = run->plan;

        *e = (struct torc_end){.size = plan->size, .timeout_ms = plan->wait == WAIT_BLOCK ? -1 : 0};
        e->copy = aligned_alloc(64, (plan->size + 63) / 64 * 64);
        if (!e->copy)
                return -ENOMEM;
        int rc = pool_make(&e->pool, plan->size, plan->batch, first_word(run));
        return rc ? rc : end_open_streams(e, run);
}

/* The first producer takes the streams away when all are done with them; the others' handles only close. */
static void end_close(struct torc_end *e, const struct run *run)
{
        torc_consumer_close(&e->in);
        torc_producer_close(&e->out);
        if (run->index == 0 && e->bus) {
                (void)torc_stream_remove(e->bus, e->out_name);
                (void)torc_stream_remove(e->bus, e->in_name);
        }
        torc_bus_close(&e->bus);
        free(e->copy);
        free(e->pool.bytes);
}

/* ---- plain calls ----------------------------------------------------------------------------------------- */

static inline int copy_put(void *end, uint64_t word)
{
        struct torc_end *e = end;
        int rc = torc_producer_send(e->out, pool_at(&e->pool, word), e->size, e->timeout_ms, NULL);

        if (rc == 0)
                pool_stamp(&e->pool, word + e->pool.ahead);
        return rc == TORC_EFULL ? -EAGAIN : rc;
}

static inline int copy_put_any(void *end, uint64_t word)
{
        struct torc_end *e = end;

        if (word & WORD_END)
                pool_stamp(&e->pool, word);
        return copy_put(end, word);
}

static inline int copy_get(void *end, uint64_t *word)
{
        struct torc_end *e = end;
        size_t len;
        int rc = torc_consumer_recv(e->in, e->copy, e->size, &len, e->timeout_ms, NULL);

        if (rc)
                return rc;
        memcpy(word, e->copy, sizeof(*word));
        return len == e->size ? 0 : -EBADMSG;
}

static inline int claim_put(void *end, uint64_t word)
{
        struct torc_end *e = end;
        void *to;
        int rc = torc_producer_claim(e->out, e->size, NULL, e->timeout_ms, &to);

        if (rc)
                return rc == TORC_EFULL ? -EAGAIN : rc;
        memcpy(to, pool_take(&e->pool, word), e->size);
        return torc_producer_commit(e->out, NULL);
}

static inline int view_get(void *end, uint64_t *word)
{
        struct torc_end *e = end;
        struct torc_view view;
        int rc = torc_consumer_view(e->in, &view, e->timeout_ms);

        if (rc)
                return rc;
        if (view.len != e->size)
                return -EBADMSG;
        memcpy(word, view.data, sizeof(*word));
        read_lines(view.data, view.len);
        return torc_consumer_release(e->in);
}

static inline int first_put(void *end, uint64_t word)
{
        struct torc_end *e = end;
        void *to;
        int rc = torc_producer_claim(e->out, e->size, NULL, e->timeout_ms, &to);

        if (rc)
                return rc == TORC_EFULL ? -EAGAIN : rc;
        memcpy(to, &word, sizeof(word));
        return torc_producer_commit(e->out, NULL);
}

static inline int first_get(void *end, uint64_t *word)
{
        struct torc_end *e = end;
        struct torc_view view;
        int rc = torc_consumer_view(e->in, &view, e->timeout_ms);

        if (rc)
                return rc;
        if (view.len != e->size)
                return -EBADMSG;
        memcpy(word, view.data, sizeof(*word));
        return torc_consumer_release(e->in);
}

static const struct ops copy_ops = {copy_put_any, copy_get}, in_place_ops = {claim_put, view_get},
                        first_ops = {first_put, first_get};

/* ---- batches --------------------------------------------------------------------------------------------- */

/* Send plan->batch messages from `word` on. */
static int batch_put(struct torc_end *e, struct run *run, uint64_t word, struct torc_span *spans)
{
        size_t n = run->plan->batch, done = 0, accepted;
        struct looks looks = {0};

        for (size_t i = 0; i < n; i++)
                spans[i] = (struct torc_span){pool_at(&e->pool, word + i), e->size};
        while (done < n) {
                int rc = torc_producer_send_batch(e->out, spans + done, n - done, e->timeout_ms, &accepted);

                done += accepted;
                if (rc == TORC_EFULL)
                        rc = looks_again(&looks, run);
                if (rc)
                        return rc;
        }
        for (size_t i = 0; i < n; i++)
                pool_stamp(&e->pool, word + i + e->pool.ahead);
        return 0;
}

static int batch_producer(struct torc_end *e, struct run *run)
{
        uint64_t word = first_word(run), until = stream_until(run);
        struct torc_span *spans = calloc(run->plan->batch, sizeof(*spans));
        int rc = spans ? 0 : -ENOMEM;

        for (; rc == 0 && ticks_now() < until; word += run->plan->batch)
                rc = batch_put(e, run, word, spans);
        free(spans);
        return rc ? rc : put_until(&copy_ops, e, run, word | WORD_END);
}

struct batch_reader {
        struct tally tally;
        size_t size;
        bool lines;
};

static int batch_message(const struct torc_view *view, void *arg)
{
        struct batch_reader *r = arg;
        uint64_t word;

        if (view->len != r->size)
                return -EBADMSG;
        memcpy(&word, view->data, sizeof(word));
        if (r->lines)
                read_lines(view->data, view->len);
        tally_word(&r->tally, word);
        return 0;
}

static int batch_consumer(struct torc_end *e, struct run *run)
{
        struct batch_reader reader = {.size = run->plan->size, .lines = run->plan->bytes != BYTES_FIRST};
        struct looks looks = {0};
        size_t handled;
        int rc = 0;

        tally_begin(&reader.tally, run);
        while (rc == 0 && !tally_over(&reader.tally)) {
                rc = torc_consumer_poll(e->in, batch_message, &reader, POLL_LIMIT, &handled);
                if (rc == 0) {
                        looks.n = 0;
                } else if (rc == -EAGAIN && e->timeout_ms) { /* sleep until there is one, then go on in bulk */
                        struct torc_view view;

                        rc = torc_consumer_view(e->in, &view, -1);
                        if (rc == 0)
                                rc = batch_message(&view, &reader);
                        if (rc == 0)
                                rc = torc_consumer_release(e->in);
                } else if (rc == -EAGAIN) {
                        rc = looks_again(&looks, run);
                }
        }
        tally_end(&reader.tally);
        return rc;
}

/* ---- the worker ------------------------------------------------------------------------------------------ */

static int torc_loop(struct torc_end *e, struct run *run)
{
        if (run->plan->batch > 1)
                return run->producer ? batch_producer(e, run) : batch_consumer(e, run);
        switch (run->plan->bytes) {
        case BYTES_COPY:
                return loop_run(&copy_ops, e, run);
        case BYTES_IN_PLACE:
                return loop_run(&in_place_ops, e, run);
        case BYTES_FIRST:
                return loop_run(&first_ops, e, run);
        }
        return -EINVAL;
}

static int torc_work(struct run *run)
{
        struct torc_end e;
        int rc = end_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = torc_loop(&e, run);
        if (rc == 0)
                rc = run_done(run);
        end_close(&e, run);
        return rc;
}

const struct transport transport_torc = {.name = "torc", .size_max = BENCH_SIZE_MAX, .spins = true, .blocks = true,
        .producers_max = BENCH_PRODUCERS, .consumers_max = 64, .setup = torc_setup, .teardown = torc_teardown,
        .work = torc_work};
