/*
 * ticks.h - a clock that costs little to read: the time stamp counter on x86-64, else CLOCK_MONOTONIC.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_TICKS_H
#define BENCH_TICKS_H

#include <stdint.h>
#include <time.h>

extern double ticks_per_ns; /* set by ticks_calibrate() before any process is forked */

/* Compare the counter with CLOCK_MONOTONIC for some milliseconds. */
void ticks_calibrate(void);

static inline int64_t clock_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline uint64_t ticks_now(void)
{
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#else
        return (uint64_t)clock_ns();
#endif
}

static inline uint64_t ticks_of(int64_t ns)
{
        return (uint64_t)((double)ns * ticks_per_ns);
}

static inline double ticks_to_ns(uint64_t ticks)
{
        return (double)ticks / ticks_per_ns;
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("isb" ::: "memory");
#endif
}

#endif
