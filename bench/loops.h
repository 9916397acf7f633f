/*
 * loops.h - the loops whose time is taken. Every transport hands in its two calls, as a constant struct, so that the compiler
 * puts them into the loop: what is compared is the transports, not the harness.
 *
 *   put(end, word)    send one message of plan->size bytes, the first eight of which are `word`; the rest is from the
 *                     end's pool. -EAGAIN: no space now.
 *   get(end, &word)   receive one message and tell its first word. -EAGAIN: nothing there.
 *
 * A word is {producer 8 bits, END 1 bit, number 55 bits}: each consumer checks that every producer's numbers come in order and
 * none is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include "bench.h"
#include "ticks.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WORD_END    (1ull << 55)
#define WORD_NUMBER (WORD_END - 1)

#define WARM_SHARE  4        /* one quarter of a sample is for warming up, and not counted */
#define SLICE_NS    5000000  /* streams: the slowest and the fastest stretch of this length are told */
#define BIG         4096u    /* messages that are large enough to look at the clock for each */

struct ops {
        int (*put)(void *end, uint64_t word);
        int (*get)(void *end, uint64_t *word);
};

#define ALWAYS static inline __attribute__((always_inline))

/* ---- waiting --------------------------------------------------------------------------------------------- */

/* How long somebody has been looking in vain. */
struct looks {
        uint32_t n;
};

ALWAYS int looks_again(struct looks *l, const struct run *run)
{
        l->n++;
        switch (run->plan->wait) {
        case WAIT_SPIN:
                cpu_relax();
                if (l->n % 65536 == 0) /* about 2 ms: the other side may need this CPU */
                        sched_yield();
                break;
        case WAIT_YIELD:
                if (l->n % 128 < 127)
                        cpu_relax();
                else
                        sched_yield();
                break;
        case WAIT_BLOCK: /* the transport slept, or should have */
                break;
        }
        return l->n % 1024 == 0 && run_stopped(run) ? -ECANCELED : 0;
}

ALWAYS int put_until(const struct ops *ops, void *end, const struct run *run, uint64_t word)
{
        struct looks looks = {0};
        int rc;

        while ((rc = ops->put(end, word)) == -EAGAIN)
                if ((rc = looks_again(&looks, run)) != 0)
                        return rc;
        return rc;
}

ALWAYS int get_until(const struct ops *ops, void *end, const struct run *run, uint64_t *word)
{
        struct looks looks = {0};
        int rc;

        while ((rc = ops->get(end, word)) == -EAGAIN)
                if ((rc = looks_again(&looks, run)) != 0)
                        return rc;
        return rc;
}

/* ---- what is sent ---------------------------------------------------------------------------------------- */

/*
 * Messages to be sent from. The word is written some messages ahead: a copy that reads what was stored a moment before
 * in other widths has to wait for the store, two or three times as long as the copy takes. A program would rarely do it.
 */
struct pool {
        unsigned char *bytes;
        size_t stride, mask, ahead;
};

ALWAYS unsigned char *pool_at(const struct pool *pool, uint64_t n)
{
        return pool->bytes + (n & pool->mask) * pool->stride;
}

ALWAYS void pool_stamp(const struct pool *pool, uint64_t word)
{
        memcpy(pool_at(pool, word), &word, sizeof(word));
}

/* The message for `word`, whose END may not have been foreseen. Prepares a later one. */
ALWAYS const unsigned char *pool_take(const struct pool *pool, uint64_t word)
{
        if (word & WORD_END)
                pool_stamp(pool, word);
        else
                pool_stamp(pool, word + pool->ahead);
        return pool_at(pool, word);
}

/* `keep` messages must stay as they are while later ones are stamped. */
static inline int pool_make(struct pool *pool, size_t size, size_t keep, uint64_t first)
{
        size_t n = size > 16384 ? 2 : 32;

        while (n < 2 * keep)
                n *= 2;
        *pool = (struct pool){.stride = (size + 63) / 64 * 64, .mask = n - 1, .ahead = n / 2};
        if (posix_memalign((void **)&pool->bytes, 64, n * pool->stride) != 0)
                return -ENOMEM;
        memset(pool->bytes, 'x', n * pool->stride);
        for (uint64_t i = 0; i < pool->ahead; i++)
                pool_stamp(pool, first + i);
        return 0;
}

/* Read one word of each cache line. */
ALWAYS uint64_t read_lines(const void *data, size_t len)
{
        const unsigned char *bytes = data;
        uint64_t sum = 0, word;

        for (size_t i = 0; i + sizeof(word) <= len; i += 64) {
                memcpy(&word, bytes + i, sizeof(word));
                sum += word;
        }
        __asm__ volatile("" : : "r"(sum)); /* it is needed, compiler */
        return sum;
}

/* ---- round trips ----------------------------------------------------------------------------------------- */

/*
 * Trips are timed in turns: a block of trips as a whole, so that the clock costs next to nothing (the figure that ratios are
 * made of is the median of these), then as many one by one for the histogram.
 */
struct trips {
        struct shared *shared;
        uint64_t n, interval, until;
        unsigned block;
};

ALWAYS int trip(const struct ops *ops, void *end, struct run *run, struct trips *t)
{
        uint64_t word = 0;
        int rc = put_until(ops, end, run, t->n);

        if (rc == 0)
                rc = get_until(ops, end, run, &word);
        if (rc == 0 && word != t->n++)
                run->shared->outcome[0].bad++;
        return rc;
}

/* Do nothing for a while: the server falls asleep. */
static inline void trips_idle(int64_t ns)
{
        uint64_t until = ticks_now() + ticks_of(ns);

        while (ns > 0 && ticks_now() < until)
                cpu_relax();
}

static inline void trips_one(struct trips *t, uint64_t ticks)
{
        uint64_t ns = (uint64_t)(ticks_to_ns(ticks) + 0.5);

        hist_add(&t->shared->plain, ns, 1);
        hist_add_corrected(&t->shared->hist, ns, t->interval);
}

static inline void trips_block(struct trips *t, uint64_t ticks, unsigned trips)
{
        if (t->shared->n_blocks < BENCH_BLOCKS)
                t->shared->block_ns[t->shared->n_blocks++] = (float)(ticks_to_ns(ticks) / trips);
}

/* How long does a trip take, roughly? The least of some blocks, so that a preemption does not matter. */
ALWAYS int trips_warm_up(const struct ops *ops, void *end, struct run *run, struct trips *t)
{
        uint64_t until = ticks_now() + ticks_of(run->plan->ns / WARM_SHARE), best = UINT64_MAX, start;
        unsigned n = run->plan->idle_ns ? 1 : 16;

        do {
                trips_idle(run->plan->idle_ns);
                start = ticks_now();
                for (unsigned i = 0; i < n; i++) {
                        int rc = trip(ops, end, run, t);
                        if (rc)
                                return rc;
                }
                if (ticks_now() - start < best)
                        best = ticks_now() - start;
        } while (ticks_now() < until);
        double ns = ticks_to_ns(best) / n;
        t->interval = (uint64_t)ns + (uint64_t)run->plan->idle_ns + 1;
        t->block = run->plan->idle_ns || ns > 10000 ? 1 : ns < 160 ? 64 : (unsigned)(10000 / ns) + 1;
        return 0;
}

ALWAYS int trips_measure(const struct ops *ops, void *end, struct run *run, struct trips *t)
{
        for (uint64_t last = ticks_now(), now; last < t->until;) {
                trips_idle(run->plan->idle_ns);
                uint64_t start = last = ticks_now();
                for (unsigned i = 0; i < t->block; i++) {
                        int rc = trip(ops, end, run, t);
                        if (rc)
                                return rc;
                }
                now = ticks_now();
                trips_block(t, now - start, t->block);
                if (t->block == 1) {
                        trips_one(t, now - start);
                        continue;
                }
                for (unsigned i = 0; i < t->block; i++) {
                        last = ticks_now();
                        int rc = trip(ops, end, run, t);
                        if (rc)
                                return rc;
                        trips_one(t, ticks_now() - last);
                }
        }
        return 0;
}

ALWAYS int loop_client(const struct ops *ops, void *end, struct run *run)
{
        struct trips t = {.shared = run->shared};
        int rc = trips_warm_up(ops, end, run, &t);

        t.until = ticks_now() + ticks_of(run->plan->ns);
        run->shared->block_trips = t.block;
        if (rc == 0)
                rc = trips_measure(ops, end, run, &t);
        run->shared->outcome[0].messages = t.n;
        return rc ? rc : put_until(ops, end, run, t.n | WORD_END);
}

ALWAYS int loop_server(const struct ops *ops, void *end, struct run *run)
{
        uint64_t word = 0;
        int rc;

        do {
                rc = get_until(ops, end, run, &word);
                if (rc == 0 && !(word & WORD_END))
                        rc = put_until(ops, end, run, word);
        } while (rc == 0 && !(word & WORD_END));
        return rc;
}

/* ---- streams --------------------------------------------------------------------------------------------- */

/* What a consumer has seen. */
struct tally {
        struct outcome *outcome;
        uint64_t next[BENCH_PRODUCERS], messages, ends, clock_mask;
        uint64_t warm, start, start_messages, slice, slice_messages;
        unsigned producers;
};

static inline void tally_begin(struct tally *t, struct run *run)
{
        *t = (struct tally){.outcome = &run->shared->outcome[run->index], .producers = run->plan->producers};
        t->clock_mask = run->plan->size >= BIG ? 0 : 63;
        t->warm = ticks_now() + ticks_of(run->plan->ns / WARM_SHARE);
}

static inline void tally_clock(struct tally *t)
{
        uint64_t now = ticks_now();

        if (t->start == 0) {
                if (now < t->warm)
                        return;
                t->start = t->slice = now;
                t->start_messages = t->slice_messages = t->messages;
        } else if (now - t->slice > ticks_of(SLICE_NS)) {
                double rate = (double)(t->messages - t->slice_messages) * 1e9 / ticks_to_ns(now - t->slice);

                if (rate > t->outcome->slice_max)
                        t->outcome->slice_max = rate;
                if (t->outcome->slice_min == 0 || rate < t->outcome->slice_min)
                        t->outcome->slice_min = rate;
                t->slice = now;
                t->slice_messages = t->messages;
        }
}

ALWAYS void tally_word(struct tally *t, uint64_t word)
{
        uint64_t *next = &t->next[(word >> 56) % BENCH_PRODUCERS];

        if (__builtin_expect(!!(word & WORD_END), 0)) {
                t->ends++;
                t->outcome->bad += (word & WORD_NUMBER) != *next;
                return;
        }
        t->outcome->bad += (word & WORD_NUMBER) != *next;
        *next = (word & WORD_NUMBER) + 1;
        if ((++t->messages & t->clock_mask) == 0)
                tally_clock(t);
}

ALWAYS bool tally_over(const struct tally *t)
{
        return t->ends >= t->producers;
}

static inline void tally_end(struct tally *t)
{
        uint64_t now = ticks_now();

        t->outcome->messages = t->messages;
        if (t->start == 0 || now <= t->start)
                return;
        t->outcome->counted = t->messages - t->start_messages;
        t->outcome->seconds = ticks_to_ns(now - t->start) / 1e9;
}

static inline uint64_t first_word(const struct run *run)
{
        return run->plan->work == WORK_STREAM ? (uint64_t)run->number << 56 : 0;
}

static inline uint64_t stream_until(const struct run *run)
{
        return ticks_now() + ticks_of(run->plan->ns + run->plan->ns / WARM_SHARE);
}

ALWAYS int loop_producer(const struct ops *ops, void *end, struct run *run)
{
        uint64_t word = first_word(run), until = stream_until(run), mask = run->plan->size >= BIG ? 0 : 63;

        for (;; word++) {
                if ((word & mask) == 0 && ticks_now() >= until)
                        break;
                int rc = put_until(ops, end, run, word);
                if (rc)
                        return rc;
        }
        return put_until(ops, end, run, word | WORD_END);
}

ALWAYS int loop_consumer(const struct ops *ops, void *end, struct run *run)
{
        struct tally t;
        uint64_t word = 0;
        int rc = 0;

        tally_begin(&t, run);
        while (rc == 0 && !tally_over(&t)) {
                rc = get_until(ops, end, run, &word);
                if (rc == 0)
                        tally_word(&t, word);
        }
        tally_end(&t);
        return rc;
}

/* The loop for this worker. */
ALWAYS int loop_run(const struct ops *ops, void *end, struct run *run)
{
        if (run->plan->work == WORK_ROUND_TRIP)
                return run->producer ? loop_client(ops, end, run) : loop_server(ops, end, run);
        return run->producer ? loop_producer(ops, end, run) : loop_consumer(ops, end, run);
}

#endif
