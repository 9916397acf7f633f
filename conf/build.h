/*
 * build.h - from sections and keys to a checked configuration. Internal to conf/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "keys.h"

/* One section while the configuration is made. */
struct conf_object {
        enum conf_kind_id kind;
        const struct conf_section *section;              /* NULL: [bus] or [log] that is not in the file */
        void *data;                                      /* its struct */
        const struct conf_entry *entries[CONF_KEYS_MAX]; /* by key; NULL: not set */
        bool bad[CONF_KEYS_MAX];                         /* its value was refused: no more complaints about it */
};

struct conf_build {
        struct conf_arena *arena;
        struct conf_report *report;
        struct conf *conf;
        struct conf_object *objects;
        size_t n_objects;
};

/* conf_build - fill build->conf from the sections. Mistakes go to the report. */
void conf_build(struct conf_build *build, const struct conf_section *sections);

/* conf_check - what only shows when keys, or sections, are looked at together. */
void conf_check(struct conf_build *build);

#endif
