/*
 * report.c - see report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "report.h"

#include <ctype.h>
#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_BEFORE 90 /* characters of a long line shown before and after the place */
#define SHOWN_AFTER  50

struct report_error {
        struct conf_place place;
        size_t order;
        const char *message, *hint;
};

struct conf_report {
        struct conf_arena *arena;
        struct report_error *errors;
        size_t n, cap;
};

struct conf_report *conf_report_new(struct conf_arena *arena)
{
        struct conf_report *report = conf_alloc(arena, 1, sizeof *report);

        report->arena = arena;
        return report;
}

static const char *report_text(struct conf_report *report, const char *format, va_list ap)
{
        char *s, *copy;

        if (vasprintf(&s, format, ap) < 0)
                err(1, "reading the configuration");
        copy = conf_strdup(report->arena, s);
        free(s);
        return copy;
}

void conf_error(struct conf_report *report, struct conf_place place, const char *format, ...)
{
        struct report_error *e;
        va_list ap;

        report->errors = conf_grow(report->arena, report->errors, report->n, &report->cap, sizeof *e);
        e = &report->errors[report->n];
        *e = (struct report_error){.place = place, .order = report->n++};
        va_start(ap, format);
        e->message = report_text(report, format, ap);
        va_end(ap);
}

void conf_hint(struct conf_report *report, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        report->errors[report->n - 1].hint = report_text(report, format, ap);
        va_end(ap);
}

size_t conf_report_count(const struct conf_report *report)
{
        return report->n;
}

static int report_order(const void *a, const void *b)
{
        const struct report_error *x = a, *y = b;

        if (x->place.source != y->place.source)
                return x->place.source->number < y->place.source->number ? -1 : 1;
        if (x->place.line != y->place.line)
                return x->place.line < y->place.line ? -1 : 1;
        if (x->place.at != y->place.at)
                return x->place.at < y->place.at ? -1 : 1;
        return x->order < y->order ? -1 : x->order > y->order;
}

/* A byte that begins a character: not the second or later byte of a UTF-8 sequence. */
static bool report_begins(char c)
{
        return ((unsigned char)c & 0xC0) != 0x80;
}

static size_t report_characters(const char *s, size_t len)
{
        size_t n = 0;

        for (size_t i = 0; i < len; i++)
                n += report_begins(s[i]);
        return n;
}

/* Text that is safe to show: no control characters that could move a terminal's cursor. */
static void report_put(FILE *out, const char *s, size_t len)
{
        for (size_t i = 0; i < len; i++)
                putc(s[i] != '\t' && iscntrl((unsigned char)s[i]) ? '?' : s[i], out);
}

/* The line, cut to a window around the place, and the caret under it. Tabs stay tabs in both. */
static void report_show(FILE *out, const struct conf_line *line, const struct conf_place *place)
{
        size_t at = place->at < line->len ? place->at : line->len;
        size_t from = at > SHOWN_BEFORE + SHOWN_AFTER ? at - SHOWN_BEFORE : 0;
        size_t to = line->len - at > SHOWN_BEFORE + SHOWN_AFTER ? at + SHOWN_BEFORE : line->len;
        size_t marked = place->len < to - at ? place->len : to - at;

        while (from > 0 && !report_begins(line->s[from]))
                from--;
        while (to < line->len && !report_begins(line->s[to]))
                to++;
        fprintf(out, "%6u | %s", place->line, from ? "..." : "");
        report_put(out, line->s + from, to - from);
        fprintf(out, "%s\n%6s | %s", to < line->len ? "..." : "", "", from ? "   " : "");
        for (size_t i = from; i < at; i++)
                if (report_begins(line->s[i]))
                        putc(line->s[i] == '\t' ? '\t' : ' ', out);
        putc('^', out);
        for (size_t i = 1; i < report_characters(line->s + at, marked); i++)
                putc('~', out);
        putc('\n', out);
}

static void report_one(const struct report_error *e, FILE *out)
{
        const struct conf_source *source = e->place.source;
        const struct conf_line *line;
        size_t at;

        if (e->place.line == 0 || e->place.line > source->n_lines) {
                fprintf(out, "%s: %s\n", source->path, e->message);
        } else {
                line = &source->lines[e->place.line - 1];
                at = e->place.at < line->len ? e->place.at : line->len;
                fprintf(out, "%s:%u:%zu: ", source->path, e->place.line, report_characters(line->s, at) + 1);
                report_put(out, e->message, strlen(e->message));
                putc('\n', out);
                report_show(out, line, &e->place);
        }
        if (e->hint) {
                fprintf(out, "%9s", "");
                report_put(out, e->hint, strlen(e->hint));
                putc('\n', out);
        }
}

void conf_report_print(struct conf_report *report, FILE *out)
{
        size_t shown = report->n < CONF_ERRORS_SHOWN ? report->n : CONF_ERRORS_SHOWN;

        if (report->n)
                qsort(report->errors, report->n, sizeof *report->errors, report_order);
        for (size_t i = 0; i < shown; i++)
                report_one(&report->errors[i], out);
        if (shown < report->n)
                fprintf(out, "%zu more errors are not shown\n", report->n - shown);
}

const char *conf_where(struct conf_arena *arena, struct conf_place place, struct conf_place from)
{
        if (place.source == from.source)
                return conf_printf(arena, "line %u", place.line);
        return conf_printf(arena, "%s:%u", place.source->path, place.line);
}

/* ---- did you mean ---- */

#define WORD_MAX 48

static char suggest_fold(char c)
{
        return c == '-' ? '_' : (char)tolower((unsigned char)c);
}

/* Edit distance with transpositions of neighbours; only words up to WORD_MAX are compared. */
static size_t suggest_distance(const char *a, size_t na, const char *b, size_t nb)
{
        size_t d[3][WORD_MAX + 1];

        for (size_t j = 0; j <= nb; j++)
                d[0][j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t *row = d[i % 3], *above = d[(i - 1) % 3], *above2 = d[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        bool same = suggest_fold(a[i - 1]) == suggest_fold(b[j - 1]);
                        size_t best = above[j - 1] + !same;

                        best = above[j] + 1 < best ? above[j] + 1 : best;
                        best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
                        if (i > 1 && j > 1 && suggest_fold(a[i - 1]) == suggest_fold(b[j - 2]) &&
                            suggest_fold(a[i - 2]) == suggest_fold(b[j - 1]) && above2[j - 2] + 1 < best)
                                best = above2[j - 2] + 1;
                        row[j] = best;
                }
        }
        return d[na % 3][nb];
}

const char *conf_suggest(const char *written, const char *const *words)
{
        size_t len = strlen(written), best = len / 3 > 1 ? len / 3 + 1 : 2;
        const char *found = NULL;

        if (len == 0 || len > WORD_MAX)
                return NULL;
        for (; *words; words++) {
                size_t n = strlen(*words);
                size_t distance = n > WORD_MAX ? best : suggest_distance(written, len, *words, n);

                if (distance < best) {
                        best = distance;
                        found = *words;
                }
        }
        return found;
}
