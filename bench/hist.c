/*
 * hist.c - see hist.h.
 *
 * Values below 64 have a bucket each. Above, a value with its highest bit at position b lies in row b - 5; within
 * the row the six bits after the highest choose the bucket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "hist.h"

static unsigned hist_index(uint64_t value)
{
        if (value < HIST_SUB)
                return (unsigned)value;
        unsigned top = 63u - (unsigned)__builtin_clzll(value);
        unsigned i = (top - HIST_BITS + 1) * HIST_SUB + (unsigned)((value >> (top - HIST_BITS)) & (HIST_SUB - 1));
        return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

/* The smallest value of a bucket. */
static double hist_floor(unsigned index)
{
        if (index < HIST_SUB)
                return index;
        unsigned row = index / HIST_SUB;
        return (double)((uint64_t)(HIST_SUB + index % HIST_SUB) << (row - 1));
}

void hist_add(struct hist *h, uint64_t value, uint64_t times)
{
        h->bucket[hist_index(value)] += times;
        h->count += times;
        if (value > h->max)
                h->max = value;
}

void hist_add_corrected(struct hist *h, uint64_t value, uint64_t interval)
{
        hist_add(h, value, 1);
        if (interval == 0)
                return;
        for (uint64_t left = value; left >= 2 * interval;) {
                left -= interval;
                hist_add(h, left, 1);
        }
}

double hist_quantile(const struct hist *h, double q)
{
        uint64_t sum = 0;

        if (h->count == 0)
                return 0;
        uint64_t want = (uint64_t)(q * (double)h->count);
        if ((double)want < q * (double)h->count || want == 0)
                want++;
        for (unsigned i = 0; i < HIST_BUCKETS; i++) {
                sum += h->bucket[i];
                if (sum < want)
                        continue;
                double middle = i < HIST_SUB ? i : (hist_floor(i) + hist_floor(i + 1)) / 2;
                return middle < (double)h->max ? middle : (double)h->max;
        }
        return (double)h->max;
}

void hist_sum_up(const struct hist *h, struct hist_summary *s)
{
        s->count = h->count;
        s->p50 = hist_quantile(h, 0.5);
        s->p99 = hist_quantile(h, 0.99);
        s->p999 = hist_quantile(h, 0.999);
        s->p9999 = hist_quantile(h, 0.9999);
        s->max = (double)h->max;
}
