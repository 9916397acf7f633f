/*
 * look.h - what `torc ls` and `torc stat` share: one snapshot of a bus, as tables or as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_LOOK_H
#define CLI_LOOK_H

#include "cli.h"
#include "out.h"
#include "torc_admin.h"

/* look_take - a snapshot; the caller frees it. Returns CLI_GO_ON, or the exit code after saying why there is none.
 */
int look_take(const struct cli_common *common, struct torc_snapshot **snapshot);

/* look_print - write what was gathered to standard output. Returns `code`, or CLI_FAILURE when that failed. */
int look_print(struct out *out, int code);

/* Words and figures for people. The buffers are the caller's. */
#define LOOK_TEXT 64
const char *look_bytes(char text[LOOK_TEXT], uint64_t bytes); /* "6.6 MiB" */
const char *look_time(char text[LOOK_TEXT], int64_t wall_ns); /* "2026-01-31 12:00:00" */
const char *look_span(char text[LOOK_TEXT], int64_t ns);      /* "3d 4h", "12.3 s" */
const char *look_lag_word(enum torc_lag lag);
const char *look_access_word(enum torc_access access);
const char *look_producer_word(enum torc_producer_state state);
const char *look_connection_word(enum torc_connection connection);
const char *look_segment_word(enum torc_segment_state state);
/* "online", "offline", "ended", or the name of its error */
const char *look_stream_word(const struct torc_stream_info *stream);
uint64_t look_lost(const struct torc_stream_info *stream);

/* A table: rows of cells between tabs are gathered, then printed with columns aligned. The first row is the head;
 * in `layout` one character per column: '<' left, '>' right. */
void look_table(struct out *out, const struct out *rows, const char *layout, const char *indent);

/* look_list - the table of `torc ls`: streams that match the glob, or all (NULL). Returns how many. */
size_t look_list(struct out *out, const struct torc_snapshot *snapshot, const char *glob);

/* look_stream_json - everything about one stream as a JSON object. look_bus_json: everything about the bus. */
void look_stream_json(struct out *out, const struct torc_stream_info *stream);
void look_bus_json(struct out *out, const struct torc_snapshot *snapshot);

#endif
