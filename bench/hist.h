/*
 * hist.h - a histogram of times with buckets that grow with the value: 64 to each power of two, so that any quantile is
 * right to 1.6 %, from one nanosecond to hours, in 28 KiB and without an allocation.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HIST_SUB     64u /* buckets to a power of two */
#define HIST_BITS    6u
#define HIST_BUCKETS (HIST_SUB * 56u)

struct hist {
        uint64_t count, max;
        uint64_t bucket[HIST_BUCKETS];
};

struct hist_summary {
        uint64_t count;
        double p50, p99, p999, p9999, max;
};

void hist_add(struct hist *h, uint64_t value, uint64_t times);

/*
 * hist_add_corrected - record a time taken by a client that waits for each answer before it asks again.
 *
 * Such a client does not ask while it is held up, so that one stall of a millisecond counts once where a client that
 * asks every `interval` would have seen a thousand slow answers ("coordinated omission"). Those are added: value -
 * interval, value - 2 interval, ... down to the interval.
 */
void hist_add_corrected(struct hist *h, uint64_t value, uint64_t interval);

/* The value below or at which the share q of all lies: the middle of its bucket, never above the largest value. */
double hist_quantile(const struct hist *h, double q);

void hist_sum_up(const struct hist *h, struct hist_summary *summary);

#ifdef __cplusplus
}
#endif

#endif
