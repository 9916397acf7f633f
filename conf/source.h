/*
 * source.h - a configuration file in memory, as lines, and places in it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_SOURCE_H
#define CONF_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define CONF_FILE_MAX ((size_t)1 << 20) /* bytes; a larger file is no configuration but a mistake */

struct conf_line {
        const char *s; /* not NUL-terminated */
        size_t len;    /* without "\n" and "\r\n" */
};

struct conf_source {
        const char *path;
        unsigned number;        /* in the order in which files are begun: errors are printed in it */
        uint64_t device, inode; /* which file it is, whatever its path; 0, 0 for a text */
        struct conf_line *lines;
        size_t n_lines;
};

/* A stretch of one line. */
struct conf_place {
        const struct conf_source *source; /* NULL: of a default value */
        unsigned line;                    /* from 1; 0: the file as a whole */
        size_t at;                        /* bytes before it */
        size_t len;                       /* bytes; 0: a point */
};

/* conf_source_load - read a file whole. Returns 0 or -errno; -EFBIG above CONF_FILE_MAX. */
int conf_source_load(struct conf_source *source, struct conf_arena *arena, const char *path);

/* conf_source_text - split a text, which must outlive the source. A UTF-8 byte order mark is skipped. */
void conf_source_text(struct conf_source *source, struct conf_arena *arena, const char *path, const char *text,
                      size_t len);

#endif
