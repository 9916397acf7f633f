/*
 * text.h - text of others on a terminal: decoded, made harmless, measured.
 *
 * Names come out of shared memory that any process with permission may write. Nothing of them may steer the
 * terminal: control characters (C0, DEL, C1), marks that change the direction of text, characters without width and
 * bytes that are not UTF-8 all become one visible replacement.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_TEXT_H
#define TUI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* Decode one character of *s (not at its end). What is not UTF-8 is U+FFFD, a byte at a time. */
uint32_t text_decode(const char **s);

/* Take one character off *s (not at its end). Returns it as it may be shown; *columns is 1 or 2. */
wchar_t text_next(const char **s, bool ascii, int *columns);

/* Columns that a text takes on the terminal. */
int text_columns(const char *s, bool ascii);

/* Encode one character; returns its bytes, at most 4. No NUL. */
size_t text_encode(char out[4], wchar_t c);

/* Is `needle` somewhere in `text`, upper and lower case alike? An empty needle is. */
bool text_contains(const char *text, const char *needle);

/* FNV-1a of a string, to tell rows apart. `seed` chains several strings. */
unsigned long long text_hash(unsigned long long seed, const char *s);

#endif
