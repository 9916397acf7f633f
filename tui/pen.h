/*
 * pen.h - text that flows: lines of labels and values, and strips of items that drop out by priority where the
 * width does not hold them all.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_PEN_H
#define TUI_PEN_H

#include "screen.h"

/* Writes line after line; beyond the end of the screen nothing happens, but y goes on. */
struct pen {
        struct screen *s;
        int y;
};

void pen_skip(struct pen *pen);
/* A heading. */
void pen_heading(struct pen *pen, const char *text);
/* Text in the columns from x on, broken at blanks. */
void pen_wrap(struct pen *pen, int x, enum style style, const char *text);
/* A label, and a value to the right of it, broken at blanks. */
void pen_field(struct pen *pen, const char *label, enum style style, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
#define PEN_LABEL 12 /* columns of a label */

#define STRIP_MAX 16
struct strip {
        struct strip_item {
                char text[96];
                enum style style;
                int priority; /* the highest drop out first; 0 never */
                bool right;
        } item[STRIP_MAX];
        int n, gap;
};

void strip_add(struct strip *strip, enum style style, int priority, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* The last item goes to the right end. */
void strip_right(struct strip *strip);
/* Returns the first column behind the items at the left; *right the first column of those at the right. */
int strip_draw(struct screen *s, int y, struct strip *strip, int *right);

#endif
