/*
 * read.h - from lines to sections, keys and values. What they mean is decided in build.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_READ_H
#define CONF_READ_H

#include <stdbool.h>

#include "report.h"

/* Where a stretch of a value stands in the file. */
struct conf_piece {
        size_t at; /* offset of its first byte in the value */
        struct conf_place place;
        bool expanded; /* came out of ${...}: every byte of it stands at `place` as a whole */
};

/* A value: its continuation lines joined, and where each part of it came from. */
struct conf_text {
        char *s;
        size_t len, cap;
        struct conf_piece *pieces; /* at least one, in order */
        size_t n_pieces, cap_pieces;
        bool has_comment; /* a ';' after a blank ended it */
};

struct conf_entry {
        struct conf_entry *next;
        const char *key;
        struct conf_place place; /* of the key */
        struct conf_text value;
};

struct conf_section {
        struct conf_section *next;
        const char *kind, *name; /* "[stream prices]": "stream", "prices"; name is "" if there is none */
        struct conf_place place; /* of the whole header */
        struct conf_place kind_place, name_place;
        bool unnamed; /* its name was refused; do not complain that it has none */
        struct conf_entry *entries;
};

/* What one file holds. */
struct conf_document {
        struct conf_entry *preamble; /* keys before the first section */
        struct conf_section *sections;
};

/* conf_read - the contents of a source, in order. Mistakes of form go to the report. */
void conf_read(struct conf_document *document, struct conf_arena *arena, const struct conf_source *source,
               struct conf_report *report, const char *const *known_keys);

/* conf_text_place - where bytes [at, at + len) of a value stand in the file. */
struct conf_place conf_text_place(const struct conf_text *text, size_t at, size_t len);

/* conf_text_add - append bytes that stand at a place. */
void conf_text_add(struct conf_arena *arena, struct conf_text *text, const char *s, size_t len,
                   struct conf_place place, bool expanded);

/*
 * conf_expand - replace ${NAME} and ${NAME:-default} by the environment's values, $${ by ${, and ${;} and ${ } by
 * what stands in them: a ';' that begins no comment, a blank that is not lost at the end of a line.
 * Returns   false if a variable is not set or the form is wrong; the report has it.
 */
bool conf_expand(struct conf_arena *arena, struct conf_report *report, struct conf_text *value);

#endif
