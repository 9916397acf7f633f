/*
 * sub.h - the parts of `torc sub`: sub_options.c has the options, sub.c the loop, sub_set.c which streams are read,
 * sub_print.c what a message looks like.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_SUB_H
#define CLI_SUB_H

#include "cli.h"
#include "out.h"

enum sub_state {
        SUB_WAITING, /* does not exist yet, or has no place for another consumer */
        SUB_OPEN,
        SUB_LAGGED, /* disconnected for lagging, to be attached again */
        SUB_DONE,   /* ended or removed */
};

/* One stream. */
struct sub_stream {
        char name[TORC_NAME_MAX + 1];
        bool named; /* on the command line, not found by a glob */
        bool told;  /* that it is being waited for */
        enum sub_state state;
        struct torc_consumer *consumer; /* OPEN, LAGGED */
        int fd;                         /* its own */
        uint64_t missed_told;           /* messages whose loss has been reported */
        int64_t missed_told_ms;         /* when */
};

enum sub_format { SUB_LINES, SUB_RAW, SUB_META, SUB_JSON };

struct sub {
        struct cli_common common;
        const char *name, *tags;
        uint64_t limit; /* -n; 0: none */
        bool from_given;
        enum torc_start start;
        struct torc_id start_id;
        enum sub_format format;
        int timeout_ms;

        const char **globs;
        size_t n_globs;
        struct sub_stream *streams;
        size_t n_streams, cap_streams;

        struct torc_bus *bus;
        int watch; /* inotify on the bus directory */
        struct out out;
        uint64_t printed;
        int64_t last_ms; /* when the last message came */
};

/* sub_options - read the command line and the environment. Returns CLI_GO_ON or an exit code. */
int sub_options(struct sub *sub, int argc, char **argv);

/* sub_set_add - read a stream by this name. Once: a second mention of it changes nothing. */
void sub_set_add(struct sub *sub, const char *name, bool named);
/* sub_set_watch - begin to watch for new streams. Returns 0 or -errno. */
int sub_set_watch(struct sub *sub);
/* sub_set_scan - open what exists and is wanted. `first`: streams found by this scan are not new. Returns
 * CLI_GO_ON, or the exit code after saying why. */
int sub_set_scan(struct sub *sub, bool first);
/* sub_set_drain - forget notifications of the watch; a scan sees what they were about. */
void sub_set_drain(struct sub *sub);
/* sub_set_finished - nothing will ever come any more. */
bool sub_set_finished(const struct sub *sub);
/* sub_set_waiting - is some stream waited for that a scan may find? */
bool sub_set_waiting(const struct sub *sub);
/* sub_set_close - close all, forget all. May be called twice. */
void sub_set_close(struct sub *sub);

/* sub_print - append one message to sub->out. */
void sub_print(struct sub *sub, const char *stream, const struct torc_view *view);

#endif
