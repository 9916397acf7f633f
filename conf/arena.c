/*
 * arena.c - see arena.h. A list of blocks; small objects share one, large ones have their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "arena.h"

#include <err.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)16 << 10)

struct arena_block {
        struct arena_block *next;
        size_t used, size;
        max_align_t bytes[];
};

struct conf_arena {
        struct arena_block *blocks; /* the first one is being filled */
};

struct conf_arena *conf_arena_new(void)
{
        struct conf_arena *arena = calloc(1, sizeof *arena);

        if (!arena)
                err(1, "reading the configuration");
        return arena;
}

void conf_arena_free(struct conf_arena *arena)
{
        if (!arena)
                return;
        for (struct arena_block *b = arena->blocks, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        free(arena);
}

static struct arena_block *arena_add(struct conf_arena *arena, size_t size)
{
        struct arena_block *b = calloc(1, sizeof *b + size);

        if (!b)
                err(1, "reading the configuration");
        b->size = size;
        b->next = arena->blocks;
        arena->blocks = b;
        return b;
}

void *conf_alloc(struct conf_arena *arena, size_t n, size_t size)
{
        struct arena_block *b = arena->blocks;
        size_t bytes;
        void *p;

        if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
                errx(1, "reading the configuration: out of memory");
        bytes = (bytes + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
        if (!b || b->size - b->used < bytes)
                b = arena_add(arena, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES);
        p = (char *)b->bytes + b->used;
        b->used += bytes;
        return p;
}

char *conf_strndup(struct conf_arena *arena, const char *s, size_t len)
{
        char *copy = conf_alloc(arena, len + 1, 1);

        memcpy(copy, s, len);
        return copy;
}

char *conf_strdup(struct conf_arena *arena, const char *s)
{
        return conf_strndup(arena, s, strlen(s));
}

char *conf_printf(struct conf_arena *arena, const char *format, ...)
{
        va_list ap;
        char *s, *copy;

        va_start(ap, format);
        if (vasprintf(&s, format, ap) < 0)
                err(1, "reading the configuration");
        va_end(ap);
        copy = conf_strdup(arena, s);
        free(s);
        return copy;
}

void *conf_grow(struct conf_arena *arena, void *items, size_t n, size_t *cap, size_t size)
{
        void *more;

        if (n < *cap)
                return items;
        *cap = *cap ? *cap * 2 : 8;
        more = conf_alloc(arena, *cap, size);
        if (n)
                memcpy(more, items, n * size);
        return more;
}
