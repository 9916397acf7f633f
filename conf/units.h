/*
 * units.h - numbers as people write them: "10ms", "64MiB", "0660", "3", "TERM". Pure functions on strings.
 *
 * Each parser returns NULL, or what is wrong in words that follow a quoted value ("needs a unit: ..."). Where the
 * intent is clear, `hint` gets what to write instead; otherwise it stays "".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_UNITS_H
#define CONF_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define CONF_HINT_MAX      64
#define CONF_UNIT_TEXT_MAX 32

/* Time in ms: "10ms", "2s", "5min", "1h". A bare 0 is allowed: it is the same in every unit. */
const char *conf_parse_time(const char *text, uint64_t *ms, char hint[CONF_HINT_MAX]);

/* Size in bytes: "512B", "64KiB", "1MiB", "2GiB". A bare 0 is allowed. */
const char *conf_parse_size(const char *text, uint64_t *bytes, char hint[CONF_HINT_MAX]);

/* A number of things: digits only. */
const char *conf_parse_count(const char *text, uint64_t *count, char hint[CONF_HINT_MAX]);

/* Permission bits, octal: "0660" or "660". */
const char *conf_parse_octal(const char *text, uint32_t *bits);

/* A signal's name with or without SIG. Returns its number, or 0. */
int conf_parse_signal(const char *text);

/* The shortest exact form, in the largest unit that divides the value. */
void conf_format_time(char text[CONF_UNIT_TEXT_MAX], uint64_t ms);
void conf_format_size(char text[CONF_UNIT_TEXT_MAX], uint64_t bytes);

#endif
