/*
 * words.h - splitting a command into words by the quoting rules of the shell, without a shell.
 *
 * Blanks separate words. 'single quotes' take everything literally; "double quotes" too, but for \" and \\; outside
 * of quotes a backslash takes the next character literally. Nothing else is special: no variables, globs, pipes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include <stddef.h>

#include "arena.h"

/*
 * conf_words_split - split text[0..len).
 * argv, argc   out: NULL-terminated words.
 * at           out on failure: the byte where it went wrong.
 * Returns   NULL, or what is wrong.
 */
const char *conf_words_split(struct conf_arena *arena, const char *text, size_t len, char ***argv, size_t *argc,
                             size_t *at);

#endif
