/*
 * series.h - the last values of a rate, for sparklines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_SERIES_H
#define TUI_SERIES_H

#define SERIES_MAX 60

struct series {
        unsigned n; /* values below are in use, oldest first */
        float value[SERIES_MAX];
};

static inline void series_add(struct series *s, double value)
{
        if (s->n == SERIES_MAX) {
                for (unsigned i = 1; i < SERIES_MAX; i++)
                        s->value[i - 1] = s->value[i];
                s->n--;
        }
        s->value[s->n++] = (float)value;
}

#endif
