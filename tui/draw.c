/*
 * draw.c - the whole screen.
 *
 *   0     torctop  bus  torcd                                     clock
 *   1     totals                                              sparkline
 *   2     the loss ledger                                          (on low screens it shares the line above)
 *   3     tabs
 *   4     titles of columns
 *   5..   rows, or details, or help
 *   last  keys; or what is being typed
 *
 * SPDX-License-Identifier: MIT
 */
#include "draw.h"

#include "text.h"
#include "units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOW_HEIGHT 20
#define SILENT_NS  5000000000 /* torcd stamps its file once a second */

/* ---- top ------------------------------------------------------------------------------------------------- */

static void draw_since(char *text, size_t cap, int64_t since_ns, int64_t now_ns)
{
        char when[UNITS_TEXT];
        if (now_ns - since_ns < 86400ll * 1000000000)
                units_clock(when, since_ns);
        else
                units_date(when, since_ns);
        snprintf(text, cap, "torcd gone since %s", when);
}

void draw_supervisor(char *text, size_t cap, const struct torc_supervisor_info *sup, int64_t wall_ns,
                     enum style *style)
{
        char age[UNITS_TEXT];
        *style = STYLE_TITLE_BAD;
        if (!sup->known) {
                *style = STYLE_TITLE;
                snprintf(text, cap, "no torcd");
        } else if (sup->error) {
                snprintf(text, cap, "torcd's state: %s", torc_errname(sup->error));
        } else if (!sup->alive) {
                draw_since(text, cap, sup->updated_ns, wall_ns);
        } else if (wall_ns - sup->updated_ns > SILENT_NS) {
                snprintf(text, cap, "torcd %lld silent for %s", (long long)sup->pid,
                         units_age(age, wall_ns - sup->updated_ns));
        } else {
                *style = STYLE_TITLE;
                snprintf(text, cap, "torcd %lld up %s", (long long)sup->pid,
                         units_age(age, wall_ns - sup->started_ns));
        }
}

void draw_top(struct screen *s, int y, const struct model *m, const struct ui *ui)
{
        struct strip strip = {.gap = 3};
        char text[96], clock[UNITS_TEXT];
        enum style style;
        screen_fill(s, y, 0, s->width, STYLE_TITLE, L' ');
        strip_add(&strip, STYLE_TITLE, 4, "torctop");
        strip_add(&strip, STYLE_TITLE, 0, "%s", m->snap ? m->snap->bus : ui->bus_name);
        strip_add(&strip, STYLE_TITLE, 5, "%s", m->snap ? m->snap->path : ui->bus_path);
        if (ui->paused)
                strip_add(&strip, STYLE_TITLE_BAD, 1, " PAUSED ");
        if (m->snap) {
                draw_supervisor(text, sizeof text, &m->snap->supervisor, m->snap->wall_ns, &style);
                strip_add(&strip, style, 0, style == STYLE_TITLE ? "%s" : " %s ", text);
                strip_right(&strip);
        }
        if (ui->clock_ns) {
                strip_add(&strip, STYLE_TITLE, 2, "%s", units_clock(clock, ui->clock_ns));
                strip_right(&strip);
        }
        strip_draw(s, y, &strip, NULL);
}

static const char *draw_plural(uint64_t n)
{
        return n == 1 ? "" : "s";
}

static void draw_total_items(struct strip *strip, const struct model *m)
{
        const struct totals *t = &m->totals;
        char rate[UNITS_TEXT], bytes[UNITS_TEXT];
        strip_add(strip, STYLE_PLAIN, 3, "%zu stream%s", m->snap->n_streams, draw_plural(m->snap->n_streams));
        if (t->exclusive)
                strip_add(strip, STYLE_PLAIN, 7, "%u exclusive", t->exclusive);
        strip_add(strip, STYLE_PLAIN, 5, "%u consumer%s", t->consumers, draw_plural(t->consumers));
        strip_add(strip, STYLE_PLAIN, 6, "%u peer%s", t->live_peers, draw_plural(t->live_peers));
        if (t->dead_peers)
                strip_add(strip, STYLE_BAD, 4, "%u dead", t->dead_peers);
        if (!t->rates.known)
                return;
        strip_add(strip, STYLE_BOLD, 1, "%s msg/s", units_rate(rate, t->rates.messages));
        strip_add(strip, STYLE_BOLD, 2, "%s/s", units_bytes(bytes, t->rates.bytes));
}

void draw_totals(struct screen *s, int y, const struct model *m)
{
        struct strip strip = {.gap = 3};
        int right;
        draw_total_items(&strip, m);
        int x = strip_draw(s, y, &strip, &right);
        int room = right - x > 42 ? 40 : right - x - 2;
        if (room >= 10)
                screen_spark(s, y, right - room, room, &m->totals.history);
}

static void draw_loss_items(struct strip *strip, const struct model *m, bool all)
{
        const struct totals *t = &m->totals;
        char text[UNITS_TEXT];
        strip_add(strip, t->lost ? STYLE_WARN : STYLE_GOOD, 0, "lost %s", units_count(text, t->lost));
        for (int i = 0; all && i < TORC_LOSS_COUNT; i++)
                strip_add(strip, t->losses[i] ? STYLE_WARN : STYLE_DIM, 1 + i, "%s %s",
                          torc_loss_word((enum torc_loss)i), units_count(text, t->losses[i]));
        if (t->lost_now)
                strip_add(strip, STYLE_BAD, all ? 1 : 2, "+%s now", units_count(text, t->lost_now));
}

void draw_losses(struct screen *s, int y, const struct model *m)
{
        struct strip strip = {.gap = 3};
        draw_loss_items(&strip, m, true);
        strip_draw(s, y, &strip, NULL);
}

/* Totals and losses on one line. */
static void draw_summary(struct screen *s, int y, const struct model *m)
{
        struct strip strip = {.gap = 2};
        draw_total_items(&strip, m);
        draw_loss_items(&strip, m, false);
        strip_draw(s, y, &strip, NULL);
}

/* ---- tabs ------------------------------------------------------------------------------------------------ */

/* The words on the tabs: with counts if they fit, else without, else short. */
static int draw_tab_text(char *text, size_t cap, const struct model *m, const struct ui *ui, int i, int form)
{
        bool on = (int)ui->view == i;
        char count[UNITS_TEXT];
        if (form == 0 && m->snap)
                snprintf(text, cap, " %d %s %s ", i + 1, views[i]->title,
                         units_count(count, views[i]->tally ? views[i]->tally(m) : views[i]->count(m, 0)));
        else if (form <= 1)
                snprintf(text, cap, " %d %s ", i + 1, views[i]->title);
        else
                snprintf(text, cap, "%d %s", i + 1, on ? views[i]->title : views[i]->brief);
        return text_columns(text, true);
}

static int draw_tabs(struct screen *s, int y, const struct model *m, const struct ui *ui)
{
        char text[64];
        int form, width;
        for (form = 0, width = s->width; form < 3; form++) {
                width = VIEW_COUNT - 1;
                for (int i = 0; i < VIEW_COUNT; i++)
                        width += draw_tab_text(text, sizeof text, m, ui, i, form);
                if (width <= s->width - (form == 0 ? 2 : 1))
                        break;
        }
        int x = form < 2 ? 0 : 1;
        for (int i = 0; i < VIEW_COUNT; i++) {
                draw_tab_text(text, sizeof text, m, ui, i, form);
                x += screen_text(s, y, x, s->width, (int)ui->view == i ? STYLE_TAB_ON : STYLE_TAB, text) + 1;
        }
        return x;
}

/* At the right of the tabs: what the rows are sorted by, when its column is not on the screen. */
static void draw_order(struct screen *s, int y, int x, const struct table *t, const struct table_layout *l,
                       const struct table_order *order)
{
        char text[64];
        if (order->sort < 0 || l->width[order->sort])
                return;
        snprintf(text, sizeof text, "by %s", t->view->columns[order->sort].title);
        if (text_columns(text, s->ascii) + 1 < s->width - x)
                screen_right(s, y, x, s->width - x - 1, STYLE_DIM, text);
}

/* ---- foot ------------------------------------------------------------------------------------------------ */

struct hint {
        const char *key, *text;
        int priority;
};

static int draw_hints(struct screen *s, int y, int x, int end, const struct hint *hints, size_t n)
{
        for (int limit = 9; limit >= 0; limit--) {
                int width = 0;
                for (size_t i = 0; i < n; i++) {
                        if (hints[i].priority <= limit)
                                width += text_columns(hints[i].key, true) + text_columns(hints[i].text, true) + 3;
                }
                if (x + width - 2 > end && limit > 0)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        if (hints[i].priority > limit)
                                continue;
                        x += screen_text(s, y, x, end - x, STYLE_KEY, hints[i].key) + 1;
                        x += screen_text(s, y, x, end - x, STYLE_DIM, hints[i].text) + 2;
                }
                return x;
        }
        return x;
}

static void draw_prompt(struct screen *s, int y, const struct ui *ui)
{
        const char *label = ui->prompt == PROMPT_SEARCH ? "search: " : "filter: ";
        int x = 1 + screen_text(s, y, 1, s->width - 2, STYLE_KEY, label);
        int room = s->width - x - 1;
        const char *typed = ui->typed;
        int columns;
        while (text_columns(typed, s->ascii) > room - 1)
                text_next(&typed, s->ascii, &columns); /* its end is what one wants to see */
        x += screen_text(s, y, x, room, STYLE_PLAIN, typed);
        screen_fill(s, y, x, 1, STYLE_TAB_ON, L' ');
        static const struct hint hints[] = {{"Enter", "done", 0}, {"Esc", "drop", 0}};
        if (s->width - x > 30)
                draw_hints(s, y, x + 4, s->width, hints, 2);
}

static void draw_foot(struct screen *s, int y, const struct ui *ui, const char *place)
{
        static const struct hint table[] = {{"Enter", "details", 3}, {"/", "search", 4}, {"\\", "filter", 2},
                                            {"s", "sort", 5},        {"Tab", "view", 6}, {"Z", "pause", 7},
                                            {"?", "help", 0},        {"q", "quit", 0}};
        static const struct hint other[] = {{"Esc", "back", 0}, {"?", "help", 2}, {"q", "quit", 1}};
        const char *filter = ui->views[ui->view].filter;
        char text[UI_TEXT + 16];
        int x = 1, end = s->width - 1;
        if (ui->prompt != PROMPT_NONE) {
                draw_prompt(s, y, ui);
                return;
        }
        if (place[0]) {
                end -= text_columns(place, s->ascii);
                screen_text(s, y, end, s->width, STYLE_DIM, place);
                end -= 2;
        }
        if (ui->message[0]) {
                x += screen_text(s, y, x, end - x, STYLE_WARN, ui->message) + 3;
        } else if (ui->mode == MODE_TABLE && filter[0]) {
                snprintf(text, sizeof text, "filter: %s", filter);
                x += screen_text(s, y, x, end - x, STYLE_ACCENT, text) + 3;
        }
        if (ui->mode == MODE_TABLE)
                draw_hints(s, y, x, end, table, sizeof table / sizeof *table);
        else
                draw_hints(s, y, x, end, other, sizeof other / sizeof *other);
}

/* ---- rows ------------------------------------------------------------------------------------------------ */

static void draw_search(struct ui *ui, struct ui_view *v, const struct table *t, const struct model *m)
{
        size_t n = t->n;
        int step = ui->search_step;
        ui->search_step = 0;
        if (!step || !ui->search[0] || !n)
                return;
        for (size_t i = step == 2 ? 0 : 1; i <= n; i++) {
                size_t at = step < 0 ? (v->selected + n - i % n) % n : (v->selected + i) % n;
                if (table_matches(t, m, &t->rows[at], ui->search)) {
                        v->selected = at;
                        return;
                }
        }
        snprintf(ui->message, sizeof ui->message, "not found: %.*s", 100, ui->search);
}

/* Find the selected row again, then carry out what keys asked for. */
static void draw_settle(struct ui *ui, const struct table *t, const struct model *m, int height)
{
        struct ui_view *v = &ui->views[ui->view];
        size_t page = height > 1 ? (size_t)height - 1 : 1, visible = height > 0 ? (size_t)height : 1;
        for (size_t i = 0; v->has_key && i < t->n; i++) {
                if (t->rows[i].key == v->key) {
                        v->selected = i;
                        break;
                }
        }
        if (v->selected >= t->n)
                v->selected = t->n ? t->n - 1 : 0;
        draw_search(ui, v, t, m);
        long to = (long)v->selected + ui->move + ui->pages * (long)page;
        v->selected = to < 0 || !t->n ? 0 : (size_t)to >= t->n ? t->n - 1 : (size_t)to;
        ui->move = ui->pages = 0;
        v->has_key = t->n > 0;
        v->key = t->n ? t->rows[v->selected].key : 0;
        if (v->selected < v->top)
                v->top = v->selected;
        if (v->selected >= v->top + visible)
                v->top = v->selected - visible + 1;
        if (v->top + visible > t->n)
                v->top = t->n > visible ? t->n - visible : 0;
}

void draw_empty(struct screen *s, int y, const struct table *t, const char *filter)
{
        struct pen pen = {s, y};
        char line[320];
        if (filter[0]) {
                snprintf(line, sizeof line, "No row has \"%s\". Esc shows all %zu.", filter, t->total);
                pen_wrap(&pen, 2, STYLE_DIM, line);
                return;
        }
        for (const char *p = t->view->empty; *p;) {
                size_t n = strcspn(p, "\n");
                snprintf(line, sizeof line, "%.*s", (int)n, p);
                pen_wrap(&pen, 2, STYLE_DIM, line);
                p += n + (p[n] == '\n');
        }
}

static void draw_table(struct screen *s, int y, int height, const struct model *m, struct ui *ui, int tabs_end,
                       char *place, size_t cap)
{
        struct ui_view *v = &ui->views[ui->view];
        struct table t;
        struct table_layout l;
        if (table_build(&t, views[ui->view], m, 0, v->filter, &v->order))
                snprintf(ui->message, sizeof ui->message, "out of memory");
        draw_settle(ui, &t, m, height - 1);
        table_fit(&l, &t, m, s->width, s->ascii);
        table_draw_head(s, y, &t, &l, &v->order);
        draw_order(s, y - 1, tabs_end, &t, &l, &v->order);
        for (int i = 0; i < height - 1 && v->top + (size_t)i < t.n; i++) {
                table_draw_row(s, y + 1 + i, &t, m, &l, v->top + (size_t)i);
                if (v->top + (size_t)i == v->selected)
                        screen_select(s, y + 1 + i);
        }
        if (t.n == 0)
                draw_empty(s, y + 2, &t, v->filter);
        if (t.n > (size_t)height - 1 || t.n < t.total)
                snprintf(place, cap, "%zu of %zu", t.n ? v->selected + 1 : 0, t.n);
        table_free(&t);
}

/* ---- pages that scroll: details and help ----------------------------------------------------------------- */

#define PAGE_LINES 4000

static void draw_page(struct screen *s, int y, int height, const struct model *m, struct ui *ui, char *place,
                      size_t cap)
{
        struct screen tall = {.ascii = s->ascii};
        int guess = 200;
        for (size_t i = 0; m->snap && i < m->snap->n_streams && ui->mode == MODE_DETAILS; i++) {
                const struct torc_stream_info *info = &m->snap->streams[i];
                size_t lines = 100 + info->n_producers + info->n_consumers + info->n_waiters + info->n_segments;
                if (lines > (size_t)guess)
                        guess = lines < PAGE_LINES ? (int)lines : PAGE_LINES;
        }
        if (!screen_resize(&tall, s->width, guess))
                return;
        int lines = ui->mode == MODE_HELP ? help_draw(&tall, ui) : details_draw(&tall, m, ui);
        lines = lines < guess ? lines : guess;
        long last = lines > height ? lines - height : 0;
        long to = (long)ui->scroll + ui->move + ui->pages * (height > 1 ? height - 1 : 1);
        ui->scroll = (size_t)(to < 0 ? 0 : to > last ? last : to);
        ui->move = ui->pages = 0;
        screen_copy(s, y, height, &tall, (int)ui->scroll);
        if (lines > height)
                snprintf(place, cap, "%d%%", last ? (int)((long)ui->scroll * 100 / last) : 100);
        screen_free(&tall);
}

/* ---- all ------------------------------------------------------------------------------------------------- */

static void draw_too_small(struct screen *s)
{
        struct pen pen = {s, s->height / 2 > 0 ? s->height / 2 - 1 : 0};
        char text[96];
        snprintf(text, sizeof text, "torctop needs %dx%d, this window has %dx%d", UI_WIDTH_MIN, UI_HEIGHT_MIN,
                 s->width, s->height);
        pen_wrap(&pen, 0, STYLE_WARN, text);
}

static void draw_waiting(struct screen *s, int y, const struct model *m, const struct ui *ui)
{
        struct pen pen = {s, y + 1};
        char text[400];
        if (m->error == 0)
                return; /* not looked yet */
        if (m->error != -ENOENT) {
                snprintf(text, sizeof text, "Bus \"%s\" at %s cannot be read: %s.", ui->bus_name, ui->bus_path,
                         torc_strerror(m->error));
                pen_wrap(&pen, 2, STYLE_BAD, text);
                return;
        }
        snprintf(text, sizeof text, "There is no bus \"%s\" at %s now.", ui->bus_name, ui->bus_path);
        pen_wrap(&pen, 2, STYLE_WARN, text);
        pen_skip(&pen);
        pen_wrap(&pen, 2, STYLE_DIM,
                 "It appears here as soon as torcd or any process that uses libtorc attaches, "
                 "for example:    seq 1 1000 | torc pub numbers");
}

void draw(struct screen *s, const struct model *m, struct ui *ui)
{
        char place[48] = "";
        screen_clear(s);
        if (s->width < UI_WIDTH_MIN || s->height < UI_HEIGHT_MIN) {
                draw_too_small(s);
                return;
        }
        draw_top(s, 0, m, ui);
        int y = 1, foot = s->height - 1;
        if (m->snap && s->height < LOW_HEIGHT) {
                draw_summary(s, y++, m);
        } else if (m->snap) {
                draw_totals(s, y++, m);
                draw_losses(s, y++, m);
        }
        int tabs_end = draw_tabs(s, y++, m, ui);
        if (ui->mode == MODE_HELP || (ui->mode == MODE_DETAILS && m->snap))
                draw_page(s, y, foot - y, m, ui, place, sizeof place);
        else if (!m->snap)
                draw_waiting(s, y, m, ui);
        else
                draw_table(s, y, foot - y, m, ui, tabs_end, place, sizeof place);
        draw_foot(s, foot, ui, place);
}
