/*
 * conf.h - torc.ini as plain structs.
 *
 * conf_load() reads a file whole, reports every mistake in it, and hands out a configuration only when there was
 * none: a caller never sees half of a file. All strings and arrays belong to the struct conf and die with it.
 *
 * Which keys exist, their types, ranges, defaults and documentation stand in keys.def and nowhere else; the member
 * of a struct below is named like its key, with the unit added (`fence_grace` is fence_grace_ms).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CONF_H
#define CONF_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "torc.h"

/* Where a value comes from. line 0: it is the default, and file is NULL. */
struct conf_origin {
        const char *file;
        unsigned line;
};

enum conf_log_full { CONF_LOG_DROP = 0, CONF_LOG_BLOCK = 1 };
enum conf_restart { CONF_PERMANENT = 0, CONF_TRANSIENT = 1, CONF_TEMPORARY = 2 }; /* as torc_group_info.restart */

#define CONF_KEYS_MAX 32 /* keys of one section kind; keys.c asserts that it is enough */

struct conf_bus {
        char *name;    /* never NULL; "default" */
        char *root;    /* NULL: torc_root_default() */
        char *tags;    /* of torcd's own peer; "": none */
        uint32_t mode; /* 0600 */
        uint64_t fence_grace_ms;
        struct conf_origin origin[CONF_KEYS_MAX];
};

struct conf_log {
        char *directory; /* NULL: not set; members then write to torcd's standard error */
        uint64_t max_size_bytes;
        uint32_t files; /* rotated files kept beside the current one */
        enum conf_log_full full;
        struct conf_origin origin[CONF_KEYS_MAX];
};

struct conf_stream {
        char *name;                  /* passes torc_name_check() */
        struct conf_origin section;  /* its [stream NAME] line */
        uint64_t capacity_bytes;     /* 0: the library's default */
        uint64_t capacity_max_bytes; /* 0: no growth */
        uint32_t max_message_bytes;  /* 0: the library's default */
        enum torc_lag lag;
        uint32_t online_min;
        char *online_tags;      /* "": any consumer counts */
        uint32_t max_consumers; /* 0: the library's default */
        char *owner, *group;    /* as written; NULL: torcd's own */
        int64_t uid, gid;       /* of owner and group, looked up; -1: torcd's own */
        uint32_t mode;          /* 0: as the bus */
        struct conf_origin origin[CONF_KEYS_MAX];
};

struct conf_env {
        char *name, *value;
        struct conf_origin origin;
};

struct conf_group {
        char *name;                 /* without '/', short enough that "NAME-INDEX" fits TORC_LABEL_MAX */
        struct conf_origin section; /* its [group NAME] line */
        char **argv;                /* NULL-terminated, at least one word */
        char *command;              /* as written, for people */
        uint32_t count;
        char *stream; /* NULL: none; otherwise passes torc_name_check() */
        enum torc_access access;
        enum conf_restart restart;
        uint64_t backoff_min_ms, backoff_max_ms, stable_after_ms;
        uint32_t max_restarts; /* in restart_period_ms; more than that quarantines the member */
        uint64_t restart_period_ms;
        uint64_t start_delay_ms, start_jitter_ms;
        int stop_signal;
        uint64_t stop_timeout_ms;
        struct conf_env *env;
        size_t n_env;
        char *cwd;        /* NULL: torcd's own */
        char *user;       /* as written; NULL: torcd's own */
        int64_t uid, gid; /* of user and its primary group, looked up; -1: torcd's own */
        int nice;         /* 0: as torcd */
        int64_t umask;    /* -1: torcd's own */
        char *tags;       /* for the member's peer, by TORC_TAGS in its environment; "": none */
        struct conf_origin origin[CONF_KEYS_MAX];
};

struct conf {
        char *path; /* as given to conf_load() */
        struct conf_bus bus;
        struct conf_log log;
        struct conf_stream *streams; /* in the order of the file */
        size_t n_streams;
        struct conf_group *groups; /* in the order of the file */
        size_t n_groups;
        void *store; /* conf's own memory */
};

/*
 * conf_load - read and check a configuration file.
 *
 * out          the configuration when the result is 0, else NULL.
 * errors       every error goes here as "file:line:column: message", the source line, a caret line, perhaps a hint.
 * Returns   the number of errors. A file that cannot be read is one error.
 */
int conf_load(struct conf **out, const char *path, FILE *errors);

/* conf_load_string - the same from memory; `path` is what messages call it. */
int conf_load_string(struct conf **out, const char *path, const char *text, size_t len, FILE *errors);

/* conf_free - clears *conf; accepts NULL in it. */
void conf_free(struct conf **conf);

/* conf_dump - write every key with its value and its origin ("file:line" or "default"), as valid torc.ini. */
void conf_dump(const struct conf *conf, FILE *out);

/* conf_reference - write the table of sections and keys as man page source (mdoc), from keys.def. */
void conf_reference(FILE *out);

#endif
