/*
 * units.c - figures for people; units.h tells the forms.
 *
 * SPDX-License-Identifier: MIT
 */
#include "units.h"

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Three significant digits: 1.23 12.3 123. The limits are those at which printf would round into one digit more. */
static void units_three(char text[UNITS_TEXT], double value, const char *suffix)
{
        int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
        snprintf(text, UNITS_TEXT, "%.*f%s", digits, value, suffix);
}

const char *units_count(char text[UNITS_TEXT], uint64_t n)
{
        static const char *const suffix[] = {"", "k", "M", "G", "T", "P", "E"};
        double value = (double)n;
        unsigned i = 0;
        if (n < 10000) {
                snprintf(text, UNITS_TEXT, "%u", (unsigned)n);
                return text;
        }
        while (value >= 999.5 && i < 6) {
                value /= 1000;
                i++;
        }
        units_three(text, value, suffix[i]);
        return text;
}

const char *units_bytes(char text[UNITS_TEXT], double bytes)
{
        static const char *const suffix[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        unsigned i = 0;
        while (bytes >= 999.5 && i < 6) {
                bytes /= 1024;
                i++;
        }
        snprintf(text, UNITS_TEXT, "%.*f %s", i && bytes < 9.95 ? 1 : 0, bytes, suffix[i]);
        return text;
}

const char *units_rate(char text[UNITS_TEXT], double per_s)
{
        if (per_s <= 0)
                snprintf(text, UNITS_TEXT, "0");
        else if (per_s < 9.95)
                snprintf(text, UNITS_TEXT, "%.1f", per_s < 0.1 ? 0.1 : per_s);
        else
                units_count(text, per_s < 1e18 ? (uint64_t)(per_s + 0.5) : (uint64_t)1e18); /* damaged counters */
        return text;
}

const char *units_age(char text[UNITS_TEXT], int64_t ns)
{
        long long s = ns / 1000000000;
        if (ns < 0)
                s = ns = 0;
        if (ns >= 50000000 && ns < 9950000000)
                snprintf(text, UNITS_TEXT, "%.1fs", (double)ns / 1e9);
        else if (s < 60)
                snprintf(text, UNITS_TEXT, "%llds", s);
        else if (s < 3600)
                snprintf(text, UNITS_TEXT, "%lldm%02llds", s / 60, s % 60);
        else if (s < 86400)
                snprintf(text, UNITS_TEXT, "%lldh%02lldm", s / 3600, s / 60 % 60);
        else
                snprintf(text, UNITS_TEXT, "%lldd%02lldh", s / 86400, s / 3600 % 24);
        return text;
}

static const char *units_time(char text[UNITS_TEXT], int64_t wall_ns, bool date)
{
        time_t seconds = (time_t)(wall_ns / 1000000000);
        struct tm parts;
        size_t n = 0;
        if (wall_ns > 0 && localtime_r(&seconds, &parts))
                n = date ? strftime(text, UNITS_TEXT, "%Y-%m-%d %H:%M:%S", &parts)
                         : strftime(text, UNITS_TEXT, "%H:%M:%S", &parts);
        if (n == 0)
                snprintf(text, UNITS_TEXT, "-");
        return text;
}

const char *units_clock(char text[UNITS_TEXT], int64_t wall_ns)
{
        return units_time(text, wall_ns, false);
}

const char *units_date(char text[UNITS_TEXT], int64_t wall_ns)
{
        return units_time(text, wall_ns, true);
}
