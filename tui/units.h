/*
 * units.h - figures for people, in few columns and never cut.
 *
 *   units_count   0 .. 9999, then 12.3k 123k 1.23M ...   at most 5 columns up to 999E
 *   units_bytes   0 B, 999 B, 1.0 KiB, 340 MiB, ...      at most 7
 *   units_rate    0, 0.4, 9.9, 12, 9999, 12.3k ...       at most 5
 *   units_age     0s, 0.4s, 12s, 4m05s, 3h12m, 5d03h     at most 6 below 100 days
 *   units_clock   14:05:09                               8
 *   units_date    2026-11-21 14:05:09                    19
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_UNITS_H
#define TUI_UNITS_H

#include <stdint.h>

#define UNITS_TEXT 32

const char *units_count(char text[UNITS_TEXT], uint64_t n);
const char *units_bytes(char text[UNITS_TEXT], double bytes);
const char *units_rate(char text[UNITS_TEXT], double per_s);
const char *units_age(char text[UNITS_TEXT], int64_t ns);
const char *units_clock(char text[UNITS_TEXT], int64_t wall_ns);
const char *units_date(char text[UNITS_TEXT], int64_t wall_ns);

#endif
