/*
 * table.h - a view's rows: chosen, sorted, and drawn in as many columns as fit.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_TABLE_H
#define TUI_TABLE_H

#include "view.h"

#define TABLE_COLUMNS 24

struct table {
        const struct view *view;
        struct row *rows;
        size_t n;     /* rows that pass the filter */
        size_t total; /* rows there are */
};

struct table_order {
        int sort; /* index of a column; -1: the snapshot's order */
        bool reverse;
};

/* Which columns are shown, and how wide each is; width 0: not shown. */
struct table_layout {
        int x[TABLE_COLUMNS], width[TABLE_COLUMNS];
};

/* Collect, filter and sort. Returns 0 or -ENOMEM (then the table is empty). */
int table_build(struct table *t, const struct view *view, const struct model *m, size_t subject, const char *filter,
                const struct table_order *order);
void table_free(struct table *t);

bool table_matches(const struct table *t, const struct model *m, const struct row *row, const char *text);

/* Fit the columns into `width`, judging the width of text by the first rows. */
void table_fit(struct table_layout *l, const struct table *t, const struct model *m, int width, bool ascii);

void table_draw_head(struct screen *s, int y, const struct table *t, const struct table_layout *l,
                     const struct table_order *order);
void table_draw_row(struct screen *s, int y, const struct table *t, const struct model *m,
                    const struct table_layout *l, size_t i);

#endif
