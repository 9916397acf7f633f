/*
 * keys.h - the table of sections and keys, made from keys.def.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_KEYS_H
#define CONF_KEYS_H

#include "conf.h"
#include "read.h"

/* How a value is written, for people: symbol, its form in the manual. */
#define CONF_TYPES(X)                                                                                              \
        X(LABEL, "name")                                                                                           \
        X(NAME, "stream")                                                                                          \
        X(PATH, "directory")                                                                                       \
        X(TAGS, "tag,tag")                                                                                         \
        X(MODE, "octal")                                                                                           \
        X(UMASK, "octal")                                                                                          \
        X(TIME, "time")                                                                                            \
        X(SIZE, "size")                                                                                            \
        X(SIZE32, "size")                                                                                          \
        X(CAPACITY, "size | size..size")                                                                           \
        X(COUNT, "number")                                                                                         \
        X(NICE, "number")                                                                                          \
        X(LAG, NULL)                                                                                               \
        X(FULL, NULL)                                                                                              \
        X(ACCESS, NULL)                                                                                            \
        X(RESTART, NULL)                                                                                           \
        X(SIGNAL, "signal")                                                                                        \
        X(OWNER, "user")                                                                                           \
        X(FILE_GROUP, "group")                                                                                     \
        X(USER, "user")                                                                                            \
        X(COMMAND, "command line")                                                                                 \
        X(ENV, "text")

enum conf_type {
#define TORC_X(type, syntax) CONF_TYPE_##type,
        CONF_TYPES(TORC_X)
#undef TORC_X
                CONF_TYPE_COUNT_
};

struct conf_key {
        const char *name; /* "env." takes a rest: env.NAME */
        enum conf_type type;
        size_t offset; /* of the member in the section's struct */
        uint64_t min, max;
        const char *preset, *doc;
};

enum conf_kind_id { CONF_KIND_BUS, CONF_KIND_LOG, CONF_KIND_STREAM, CONF_KIND_GROUP, CONF_KINDS };

struct conf_kind {
        const char *word;
        const char *shown; /* "[stream NAME]" */
        bool named;
        size_t origin_offset; /* of `origin` in its struct */
        const struct conf_key *keys;
        size_t n_keys;
        const char *doc;
};

extern const struct conf_kind conf_kinds[CONF_KINDS];

/* conf_key_find - the key of that name; `rest` gets what follows the prefix of "env.". NULL: none. */
const struct conf_key *conf_key_find(const struct conf_kind *kind, const char *name, const char **rest);

/* conf_key_words - all key names of a kind, or of all kinds (NULL), ending with NULL. */
const char *const *conf_key_words(struct conf_arena *arena, const struct conf_kind *kind);

/* ---- types.c, show.c ---- */

/* The words that an enumeration takes, in the order of its values, ending with NULL; NULL for other types. */
const char *const *conf_type_words(enum conf_type type);
const char *conf_type_syntax(enum conf_type type);

/* One value on its way into the configuration. */
struct conf_setting {
        struct conf_arena *arena;
        struct conf_report *report;
        const struct conf_key *key;
        const char *rest; /* env.NAME: NAME */
        const struct conf_text *value;
        void *object; /* struct conf_bus, conf_log, conf_stream or conf_group */
};

/* conf_set - check a value and store it. Returns false if it is wrong; the report has it. */
bool conf_set(const struct conf_setting *setting);

/* conf_show - write the key's value as it would be in the file. Returns false if it is not set. Not for ENV. */
bool conf_show(const struct conf_key *key, const void *object, FILE *out);

#endif
