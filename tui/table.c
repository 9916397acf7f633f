/*
 * table.c - rows and columns; the same for every view.
 *
 * Columns are fitted by priority: those with the lowest numbers that fit with their least width are shown, in the
 * view's order, and luxuries only when the rest has a good width. What is then left goes to columns that could use
 * more, a little to each in turn. A number is never cut: its column is as wide as its unit needs, or absent.
 *
 * SPDX-License-Identifier: MIT
 */
#include "table.h"

#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define GAP        2   /* blanks between columns */
#define FIT_ROWS   400 /* rows whose width is measured */
#define PRIORITIES 20
#define BAR_LEAST  10 /* columns of a bar with its percentage; below, the percentage alone */

static void table_get(const struct table *t, const struct model *m, const struct row *row, int column,
                      struct value *v)
{
        v->text[0] = '\0';
        v->style = STYLE_PLAIN;
        v->number = 0;
        v->share = -1;
        v->series = NULL;
        t->view->columns[column].get(m, row, v);
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

bool table_matches(const struct table *t, const struct model *m, const struct row *row, const char *text)
{
        struct value v;
        for (int i = 0; i < t->view->n_columns; i++) {
                if (t->view->columns[i].kind != COLUMN_TEXT)
                        continue;
                table_get(t, m, row, i, &v);
                if (text_contains(v.text, text))
                        return true;
        }
        return false;
}

struct sort_key {
        double number;
        char *text;
        size_t place; /* in the snapshot: equal rows keep their order */
        struct row row;
};

static int table_by_number(const void *a, const void *b)
{
        const struct sort_key *x = a, *y = b;
        if (x->number != y->number)
                return x->number > y->number ? -1 : 1;
        return x->place < y->place ? -1 : x->place > y->place;
}

static int table_by_text(const void *a, const void *b)
{
        const struct sort_key *x = a, *y = b;
        int order = strcmp(x->text ? x->text : "", y->text ? y->text : "");
        return order ? order : x->place < y->place ? -1 : x->place > y->place;
}

static int table_sort(struct table *t, const struct model *m, const struct table_order *order)
{
        bool text = t->view->columns[order->sort].kind == COLUMN_TEXT;
        struct sort_key *keys = calloc(t->n + 1, sizeof *keys);
        if (!keys)
                return -ENOMEM;
        for (size_t i = 0; i < t->n; i++) {
                struct value v;
                table_get(t, m, &t->rows[i], order->sort, &v);
                keys[i] = (struct sort_key){.number = v.number, .place = i, .row = t->rows[i]};
                if (text)
                        keys[i].text = strdup(v.text); /* without memory it sorts as "" */
        }
        qsort(keys, t->n, sizeof *keys, text ? table_by_text : table_by_number);
        for (size_t i = 0; i < t->n; i++) {
                t->rows[order->reverse ? t->n - 1 - i : i] = keys[i].row;
                free(keys[i].text);
        }
        free(keys);
        return 0;
}

int table_build(struct table *t, const struct view *view, const struct model *m, size_t subject, const char *filter,
                const struct table_order *order)
{
        *t = (struct table){.view = view, .total = m->snap ? view->count(m, subject) : 0};
        t->rows = calloc(t->total + 1, sizeof *t->rows);
        if (!t->rows) {
                t->total = 0;
                return -ENOMEM;
        }
        for (size_t i = 0; i < t->total; i++) {
                view->row(m, subject, i, &t->rows[t->n]);
                if (!filter[0] || table_matches(t, m, &t->rows[t->n], filter))
                        t->n++;
        }
        return order->sort >= 0 && order->sort < view->n_columns ? table_sort(t, m, order) : 0;
}

void table_free(struct table *t)
{
        free(t->rows);
        *t = (struct table){0};
}

/* ---- columns --------------------------------------------------------------------------------------------- */

/* Columns from this priority on are shown only when the ones before them have a good width. */
#define FIT_GOOD 5

static int table_width(const struct table_layout *l, const struct view *view, bool good)
{
        int used = 1 - GAP; /* a blank at the left edge */
        for (int i = 0; i < view->n_columns; i++) {
                if (l->width[i])
                        used += GAP + (good ? view->columns[i].good : view->columns[i].min);
        }
        return used;
}

/* Which columns are shown? Marks them with their least width. */
static void table_choose(struct table_layout *l, const struct view *view, int width)
{
        for (int priority = 0; priority < PRIORITIES; priority++) {
                for (int i = 0; i < view->n_columns; i++) {
                        const struct column *c = &view->columns[i];
                        if (c->priority != priority)
                                continue;
                        l->width[i] = c->min;
                        if (priority > 0 && table_width(l, view, priority >= FIT_GOOD) > width) {
                                l->width[i] = 0;
                                return;
                        }
                }
        }
}

static int table_wanted(const struct table *t, const struct model *m, int column, bool ascii)
{
        const struct column *c = &t->view->columns[column];
        if (c->kind != COLUMN_TEXT)
                return c->max;
        int wanted = text_columns(c->title, ascii);
        for (size_t i = 0; i < t->n && i < FIT_ROWS; i++) {
                struct value v;
                table_get(t, m, &t->rows[i], column, &v);
                int columns = text_columns(v.text, ascii);
                wanted = columns > wanted ? columns : wanted;
        }
        return wanted < c->max ? wanted : c->max;
}

/* Widen columns up to `target`, the more important ones first, each by at most `step`. Returns what is left. */
static int table_widen(struct table_layout *l, const struct view *view, const int *target, int step, int left)
{
        for (int priority = 0; priority < PRIORITIES && left > 0; priority++) {
                for (int i = 0; i < view->n_columns; i++) {
                        if (view->columns[i].priority != priority || !l->width[i])
                                continue;
                        int more = target[i] - l->width[i];
                        more = more > step ? step : more;
                        more = more > left ? left : more;
                        if (more > 0) {
                                l->width[i] += more;
                                left -= more;
                        }
                }
        }
        return left;
}

/* A bar that came out too short to be one leaves its columns to the texts. */
static void table_settle_bars(struct table_layout *l, const struct view *view, const int *wanted)
{
        int left = 0;
        for (int i = 0; i < view->n_columns; i++) {
                if (view->columns[i].kind != COLUMN_BAR || l->width[i] >= BAR_LEAST || !l->width[i])
                        continue;
                left += l->width[i] - view->columns[i].min;
                l->width[i] = view->columns[i].min;
        }
        for (int i = 0; i < view->n_columns && left > 0; i++) {
                int more = view->columns[i].kind == COLUMN_TEXT ? wanted[i] - l->width[i] : 0;
                more = more > left ? left : more;
                if (l->width[i] && more > 0) {
                        l->width[i] += more;
                        left -= more;
                }
        }
}

void table_fit(struct table_layout *l, const struct table *t, const struct model *m, int width, bool ascii)
{
        const struct view *view = t->view;
        int good[TABLE_COLUMNS], wanted[TABLE_COLUMNS];
        *l = (struct table_layout){0};
        table_choose(l, view, width);
        for (int i = 0; i < view->n_columns; i++) {
                wanted[i] = l->width[i] ? table_wanted(t, m, i, ascii) : 0;
                good[i] = wanted[i] < view->columns[i].good ? wanted[i] : view->columns[i].good;
        }
        int left = table_widen(l, view, good, width, width - table_width(l, view, false));
        for (int before = left + 1; left > 0 && left < before;) {
                before = left;
                left = table_widen(l, view, wanted, 2, left);
        }
        table_settle_bars(l, view, wanted);
        for (int i = 0, x = 1; i < view->n_columns; i++) {
                l->x[i] = x;
                x += l->width[i] ? l->width[i] + GAP : 0;
        }
}

/* ---- drawing --------------------------------------------------------------------------------------------- */

static void table_draw_title(struct screen *s, int y, int x, int width, const struct column *c, const char *mark)
{
        char title[64];
        size_t n = strnlen(c->title, 40), m = strlen(mark);
        memcpy(title, c->title, n);
        /* The mark goes where it does not push the title off its place. */
        if (text_columns(c->title, s->ascii) + (m > 0) <= width)
                memcpy(title + n, mark, m + 1);
        else
                title[n] = '\0';
        enum style style = m ? STYLE_SORTED : STYLE_HEAD;
        if (c->kind == COLUMN_NUMBER || (c->kind == COLUMN_BAR && width < BAR_LEAST))
                screen_right(s, y, x, width, style, title);
        else
                screen_text(s, y, x, width, style, title);
}

void table_draw_head(struct screen *s, int y, const struct table *t, const struct table_layout *l,
                     const struct table_order *order)
{
        screen_fill(s, y, 0, s->width, STYLE_HEAD, L' ');
        for (int i = 0; i < t->view->n_columns; i++) {
                const struct column *c = &t->view->columns[i];
                bool falling = (c->kind != COLUMN_TEXT) != order->reverse;
                const char *mark = i != order->sort ? "" : falling ? "\u25bc" : "\u25b2";
                if (l->width[i])
                        table_draw_title(s, y, l->x[i], l->width[i], c, mark);
        }
}

static void table_draw_cell(struct screen *s, int y, int x, int width, const struct column *c,
                            const struct value *v)
{
        switch (c->kind) {
        case COLUMN_TEXT:
                screen_text(s, y, x, width, v->style, v->text);
                break;
        case COLUMN_NUMBER:
                screen_right(s, y, x, width, v->style, v->text);
                break;
        case COLUMN_BAR:
                if (v->share >= 0 && width >= BAR_LEAST)
                        screen_bar(s, y, x, width - 5, v->share, v->style);
                screen_right(s, y, x + width - 4, 4, v->style, v->text);
                break;
        case COLUMN_SPARK:
                if (v->series)
                        screen_spark(s, y, x, width, v->series);
                break;
        }
}

void table_draw_row(struct screen *s, int y, const struct table *t, const struct model *m,
                    const struct table_layout *l, size_t i)
{
        for (int c = 0; c < t->view->n_columns; c++) {
                struct value v;
                if (!l->width[c])
                        continue;
                table_get(t, m, &t->rows[i], c, &v);
                table_draw_cell(s, y, l->x[c], l->width[c], &t->view->columns[c], &v);
        }
}
