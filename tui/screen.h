/*
 * screen.h - a rectangle of characters with styles, drawn by pure functions and shown by term.c, print.c or a test.
 *
 * Whatever is drawn outside the rectangle is cut off. Text passes through text.h and can't harm a terminal. A cell
 * holds one character; the cell to the right of a wide one holds 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_SCREEN_H
#define TUI_SCREEN_H

#include "series.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wchar.h>

/* Every style: symbol, and the letter that stands for it in golden files. */
#define SCREEN_STYLES(X)                                                                                           \
        X(STYLE_PLAIN, '.')                                                                                        \
        X(STYLE_DIM, 'd')                                                                                          \
        X(STYLE_BOLD, 'b')                                                                                         \
        X(STYLE_TITLE, 'T') /* the top line */                                                                     \
        X(STYLE_TITLE_BAD, 'X')                                                                                    \
        X(STYLE_HEAD, 'H')   /* titles of columns */                                                               \
        X(STYLE_SORTED, 'S') /* title of the column that rows are sorted by */                                     \
        X(STYLE_TAB, 't')                                                                                          \
        X(STYLE_TAB_ON, 'O')                                                                                       \
        X(STYLE_KEY, 'k')                                                                                          \
        X(STYLE_GOOD, 'g')                                                                                         \
        X(STYLE_WARN, 'w')                                                                                         \
        X(STYLE_BAD, 'x')                                                                                          \
        X(STYLE_ACCENT, 'a')                                                                                       \
        X(STYLE_SPARK, 's')

enum style {
#define STYLE_X(name, letter) name,
        SCREEN_STYLES(STYLE_X)
#undef STYLE_X
                STYLE_COUNT
};
#define STYLE_SELECTED 0x80 /* or'ed to a cell of the selected row */

struct cell {
        wchar_t c;
        uint8_t style;
};

struct screen {
        int width, height;
        bool ascii; /* nothing but ASCII is drawn */
        struct cell *cells;
};

/* Returns false without memory. An old screen is given back. */
bool screen_resize(struct screen *s, int width, int height);
void screen_free(struct screen *s);
void screen_clear(struct screen *s);
struct cell *screen_at(const struct screen *s, int y, int x);

/* Draw a text in at most `max` columns; if it is longer it ends in an ellipsis. Returns the columns taken. */
int screen_text(struct screen *s, int y, int x, int max, enum style style, const char *text);
/* The same, to the right end of `width` columns. */
void screen_right(struct screen *s, int y, int x, int width, enum style style, const char *text);
void screen_fill(struct screen *s, int y, int x, int n, enum style style, wchar_t c);
void screen_select(struct screen *s, int y);

/* A bar of `width` columns, `share` of it filled. */
void screen_bar(struct screen *s, int y, int x, int width, double share, enum style style);
/* The newest `width` values, the highest of them as high as the line. */
void screen_spark(struct screen *s, int y, int x, int width, const struct series *series);

/* Copy `rows` lines from another screen, from its line `from` on. */
void screen_copy(struct screen *s, int y, int rows, const struct screen *other, int from);

/* One line as UTF-8 without blanks at its end; returns its bytes. cap of 4 * width + 1 always suffices. */
size_t screen_line(const struct screen *s, int y, char *out, size_t cap);

#endif
