/*
 * view.h - a view is a list of rows and a list of columns; everything else (fitting columns to the width, sorting,
 * filtering, drawing) is table.c's and the same for all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_VIEW_H
#define TUI_VIEW_H

#include "model.h"
#include "screen.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VALUE_TEXT 320

/* What stands in one cell of a table. `number` is what numeric columns sort by. */
struct value {
        char text[VALUE_TEXT];
        enum style style;
        double number;
        double share;                /* COLUMN_BAR; below 0: no bar */
        const struct series *series; /* COLUMN_SPARK */
};

struct row {
        size_t a, b;  /* indices, as the view's `row` says */
        uint64_t key; /* the same for the same object in every snapshot */
};

enum column_kind {
        COLUMN_TEXT,   /* to the left; searched and filtered */
        COLUMN_NUMBER, /* to the right; sorted with the largest first */
        COLUMN_BAR,    /* a bar, and the text to its right */
        COLUMN_SPARK,  /* a sparkline */
};

struct column {
        const char *title;
        enum column_kind kind;
        int min, good, max; /* columns of the terminal: the least, enough for most, the most that is of use */
        int priority;       /* 0 always shown; the highest go first when the width is small */
        const char *help;
        void (*get)(const struct model *m, const struct row *row, struct value *v);
};

struct view {
        const char *name;  /* as --view takes it */
        const char *title; /* as its tab says */
        const char *brief; /* the same in a few letters */
        const char *empty; /* what to do when there is nothing to show */
        const struct column *columns;
        int n_columns;
        int sort; /* column to sort by at first */
        bool reverse;
        /* The rows, in the order of the snapshot. `subject` is a stream's index for the tables of its details. */
        size_t (*count)(const struct model *m, size_t subject);
        void (*row)(const struct model *m, size_t subject, size_t i, struct row *row);
        size_t (*tally)(const struct model *m); /* the number on the tab, if it is not the number of rows */
};

#define VIEW_COLUMNS(array) .columns = (array), .n_columns = (int)(sizeof(array) / sizeof *(array))

/* The views with a tab, in their order. */
#define TUI_VIEWS(X) X(STREAMS, streams) X(GROUPS, groups) X(CONSUMERS, consumers) X(PEERS, peers) X(EVENTS, events)
enum view_id {
#define VIEW_X(id, name) VIEW_##id,
        TUI_VIEWS(VIEW_X)
#undef VIEW_X
                VIEW_COUNT
};
#define VIEW_X(id, name) extern const struct view view_##name;
TUI_VIEWS(VIEW_X)
#undef VIEW_X
extern const struct view *const views[VIEW_COUNT];

/* The tables in a stream's details. */
extern const struct view view_stream_producers, view_stream_waiters, view_stream_consumers, view_stream_segments;

/* ---- filling in values ---- */

void value_text(struct value *v, enum style style, const char *text);
void value_printf(struct value *v, enum style style, const char *format, ...) __attribute__((format(printf, 3, 4)));
void value_count(struct value *v, uint64_t n);
void value_bytes(struct value *v, double bytes);
/* A rate, or "-" at the first look. */
void value_rate(struct value *v, const struct rates *rates, bool bytes);
void value_age(struct value *v, int64_t ns);
void value_pid(struct value *v, int64_t pid);
/* A share of the ring, as a bar and in percent. */
void value_lag(struct value *v, double share);
void value_none(struct value *v);

/* Words, and the styles they are shown in. */
const char *word_access(enum torc_access access);
const char *word_lag(enum torc_lag lag);
const char *word_stream(enum stream_word word, enum style *style);
const char *word_producer(const struct torc_producer_info *p, enum style *style);
const char *word_connection(enum torc_connection connection, enum style *style);
const char *word_segment(enum torc_segment_state state);
const char *word_event(uint32_t kind, enum style *style);
const char *word_restart(uint32_t restart);
enum style word_lag_style(double share);
/* How a process ended, as "exit 1" or "SIGKILL". */
void word_status(char *text, size_t cap, int32_t status);

#endif
