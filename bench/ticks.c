/*
 * ticks.c - see ticks.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ticks.h"

double ticks_per_ns = 1;

#define CALIBRATION_NS 20000000

/* A reading of both clocks that nothing came in between of: the closest of some. */
static void ticks_pair(uint64_t *ticks, int64_t *ns)
{
        uint64_t best = UINT64_MAX;

        for (int i = 0; i < 32; i++) {
                uint64_t before = ticks_now();
                int64_t clock = clock_ns();
                uint64_t after = ticks_now();

                if (after - before < best) {
                        best = after - before;
                        *ticks = before + best / 2;
                        *ns = clock;
                }
        }
}

void ticks_calibrate(void)
{
        uint64_t t0 = 0, t1 = 0;
        int64_t n0 = 0, n1 = 0;

        ticks_pair(&t0, &n0);
        while (clock_ns() - n0 < CALIBRATION_NS)
                cpu_relax();
        ticks_pair(&t1, &n1);
        if (n1 > n0 && t1 > t0)
                ticks_per_ns = (double)(t1 - t0) / (double)(n1 - n0);
}
