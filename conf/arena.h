/*
 * arena.h - memory that is freed all at once: everything that one configuration owns.
 *
 * Running out of memory ends the program: a configuration is at most a megabyte and is read at start, where there
 * is nothing better to do. That keeps a hundred unwinding paths out of the parser.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_ARENA_H
#define CONF_ARENA_H

#include <stddef.h>

struct conf_arena;

struct conf_arena *conf_arena_new(void);
void conf_arena_free(struct conf_arena *arena); /* NULL: nothing */

/* conf_alloc - n zeroed objects of `size` bytes, aligned for anything. n may be 0. */
void *conf_alloc(struct conf_arena *arena, size_t n, size_t size);
char *conf_strndup(struct conf_arena *arena, const char *s, size_t len);
char *conf_strdup(struct conf_arena *arena, const char *s);
char *conf_printf(struct conf_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* conf_grow - room for one more element: returns items, or a copy with twice the space. */
void *conf_grow(struct conf_arena *arena, void *items, size_t n, size_t *cap, size_t size);

#endif
