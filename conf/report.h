/*
 * report.h - collecting mistakes, and printing them in the order of the file.
 *
 *     torc.ini:7:1: unknown key "capcity" in [stream prices]
 *         7 | capcity = 1MiB
 *           | ^~~~~~~
 *           did you mean "capacity"?
 *
 * Columns count characters from 1, not bytes, so that they agree with the caret and with editors.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include <stdio.h>

#include "source.h"

#define CONF_ERRORS_SHOWN 100 /* of a file that is no configuration at all, the rest is only counted */

struct conf_report;

struct conf_report *conf_report_new(struct conf_arena *arena);

/* conf_error - note a mistake. conf_hint - add what to do about the last one noted. */
void conf_error(struct conf_report *report, struct conf_place place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void conf_hint(struct conf_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

size_t conf_report_count(const struct conf_report *report);
void conf_report_print(struct conf_report *report, FILE *out);

/* conf_where - "line 5", or "other.ini:5" where the place is in another file than `from`. */
const char *conf_where(struct conf_arena *arena, struct conf_place place, struct conf_place from);

/*
 * conf_suggest - the word nearest to what was written, or NULL if none is near. Case and '-' for '_' do not
 * count as differences. words ends with NULL.
 */
const char *conf_suggest(const char *written, const char *const *words);

#endif
