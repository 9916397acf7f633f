/*
 * units.c - see units.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "units.h"

#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
        const char *name;
        uint64_t factor;
};

/* Largest first, for formatting. */
static const struct unit times[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit sizes[] = {
        {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}, {NULL, 0}};

/* What people write by habit, and what it has to be. */
static const char *const time_habits[][2] = {
        {"sec", "s"},   {"secs", "s"}, {"second", "s"}, {"seconds", "s"}, {"m", "min"},       {"mins", "min"},
        {"msec", "ms"}, {"hr", "h"},   {"hour", "h"},   {"hours", "h"},   {"minutes", "min"}, {NULL, NULL},
};
static const char *const size_habits[][2] = {
        {"k", "KiB"}, {"kb", "KiB"}, {"ki", "KiB"}, {"m", "MiB"},  {"mb", "MiB"},  {"mi", "MiB"},
        {"g", "GiB"}, {"gb", "GiB"}, {"gi", "GiB"}, {"byte", "B"}, {"bytes", "B"}, {NULL, NULL},
};

/* Digits into *number, *rest to what follows them and blanks. Returns NULL or what is wrong. */
static const char *units_digits(const char *text, uint64_t *number, const char **rest)
{
        uint64_t n = 0;

        if (*text == '-')
                return "must not be negative";
        if (!isdigit((unsigned char)*text))
                return "is not a number";
        for (; isdigit((unsigned char)*text); text++)
                if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
                        return "is too large";
        while (*text == ' ' || *text == '\t')
                text++;
        *number = n;
        *rest = text;
        return NULL;
}

/* The factor of a unit; 0 if there is none of that name. */
static uint64_t units_factor(const struct unit *units, const char *name)
{
        while (units->name && strcmp(units->name, name) != 0)
                units++;
        return units->factor;
}

static void units_habit(const char *const (*habits)[2], const struct unit *units, const char *written,
                        uint64_t number, char hint[CONF_HINT_MAX])
{
        const char *meant = NULL;

        for (; units->name && !meant; units++)
                if (strcasecmp(units->name, written) == 0)
                        meant = units->name;
        for (; (*habits)[0] && !meant; habits++)
                if (strcasecmp((*habits)[0], written) == 0)
                        meant = (*habits)[1];
        if (meant)
                snprintf(hint, CONF_HINT_MAX, "%" PRIu64 "%s", number, meant);
}

static const char *units_parse(const char *text, uint64_t *value, const struct unit *units,
                               const char *const (*habits)[2], const char *needs, char hint[CONF_HINT_MAX])
{
        uint64_t number, factor;
        const char *rest, *wrong;

        hint[0] = 0;
        wrong = units_digits(text, &number, &rest);
        if (wrong)
                return wrong;
        if (*rest == 0 && number != 0)
                return needs;
        if (*rest == '.' || *rest == ',')
                return "must be a whole number; use a smaller unit";
        factor = *rest ? units_factor(units, rest) : 1;
        if (factor == 0) {
                units_habit(habits, units, rest, number, hint);
                return needs;
        }
        if (__builtin_mul_overflow(number, factor, &number))
                return "is too large";
        *value = number;
        return NULL;
}

const char *conf_parse_time(const char *text, uint64_t *ms, char hint[CONF_HINT_MAX])
{
        return units_parse(text, ms, times, time_habits, "needs a unit of time: ms, s, min or h", hint);
}

const char *conf_parse_size(const char *text, uint64_t *bytes, char hint[CONF_HINT_MAX])
{
        return units_parse(text, bytes, sizes, size_habits, "needs a unit of size: B, KiB, MiB or GiB", hint);
}

const char *conf_parse_count(const char *text, uint64_t *count, char hint[CONF_HINT_MAX])
{
        uint64_t number;
        const char *rest, *wrong = units_digits(text, &number, &rest);

        hint[0] = 0;
        if (wrong)
                return wrong;
        if (*rest) {
                if (isalpha((unsigned char)*rest))
                        snprintf(hint, CONF_HINT_MAX, "%" PRIu64, number);
                return "must be a plain number without a unit";
        }
        *count = number;
        return NULL;
}

const char *conf_parse_octal(const char *text, uint32_t *bits)
{
        uint32_t value = 0;
        size_t len = strlen(text);

        if (len == 0 || strspn(text, "01234567") != len)
                return "is not an octal number such as 0660";
        for (; *text; text++) {
                value = value * 8 + (uint32_t)(*text - '0');
                if (value > 0777)
                        return "is above 0777";
        }
        *bits = value;
        return NULL;
}

int conf_parse_signal(const char *text)
{
        if (strncmp(text, "SIG", 3) == 0)
                text += 3;
        for (int sig = 1; sig < NSIG; sig++) {
                const char *name = sigabbrev_np(sig);

                if (name && strcmp(name, text) == 0)
                        return sig;
        }
        return 0;
}

static void units_format(char text[CONF_UNIT_TEXT_MAX], uint64_t value, const struct unit *units)
{
        while (units[1].name && (value == 0 || value % units->factor != 0))
                units++;
        snprintf(text, CONF_UNIT_TEXT_MAX, "%" PRIu64 "%s", value / units->factor, units->name);
}

void conf_format_time(char text[CONF_UNIT_TEXT_MAX], uint64_t ms)
{
        units_format(text, ms, times);
}

void conf_format_size(char text[CONF_UNIT_TEXT_MAX], uint64_t bytes)
{
        units_format(text, bytes, sizes);
}
