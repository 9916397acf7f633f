/*
 * details.c - everything about the selected row.
 *
 * A stream has a page of its own, with tables of its members; for the others the page lists every column, also
 * those that did not fit into the table, with whole texts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "draw.h"

#include "units.h"

#include <stdio.h>
#include <string.h>

/* ---- a stream -------------------------------------------------------------------------------------------- */

static void details_access(struct pen *pen, const struct torc_stream_info *s, const struct stream_look *look)
{
        if (s->access == TORC_EXCLUSIVE)
                pen_field(pen, "access", look->owner_dead ? STYLE_BAD : STYLE_PLAIN,
                          "exclusive: %s (pid %lld%s) \u00b7 epoch %u", s->owner_name, (long long)s->owner_pid,
                          look->owner_dead ? ", dead" : "", s->epoch);
        else
                pen_field(pen, "access", STYLE_PLAIN, "%s \u00b7 epoch %u",
                          look->producing ? "shared" : "nobody produces", s->epoch);
}

static void details_state(struct pen *pen, const struct torc_stream_info *s, enum stream_word state)
{
        enum style style;
        const char *word = word_stream(state, &style);
        if (s->online_min == 0)
                pen_field(pen, "state", style, "%s \u00b7 needs no consumer", word);
        else
                pen_field(pen, "state", style, "%s \u00b7 %s: needs %u consumer%s%s%s", word,
                          s->online ? "online" : "offline", s->online_min, s->online_min == 1 ? "" : "s",
                          s->online_tags[0] ? " tagged " : "", s->online_tags);
}

static void details_rates(struct pen *pen, const struct torc_stream_info *s, const struct stream_look *look)
{
        char a[UNITS_TEXT], b[UNITS_TEXT];
        if (look->rates.known)
                pen_field(pen, "rate", STYLE_BOLD, "%s msg/s \u00b7 %s/s", units_rate(a, look->rates.messages),
                          units_bytes(b, look->rates.bytes));
        if (look->history.n > 1) {
                int width = pen->s->width - PEN_LABEL - 2;
                screen_text(pen->s, pen->y, 1, PEN_LABEL - 1, STYLE_DIM, "history");
                screen_spark(pen->s, pen->y++, PEN_LABEL + 1,
                             width > (int)look->history.n ? (int)look->history.n : width, &look->history);
        }
        pen_field(pen, "total", STYLE_PLAIN, "%llu messages \u00b7 %s", (unsigned long long)s->messages,
                  units_bytes(b, (double)s->bytes));
}

static void details_lag(struct pen *pen, const struct torc_stream_info *s, const struct stream_look *look)
{
        char bytes[UNITS_TEXT];
        if (look->slowest == NONE) {
                pen_field(pen, "lag", STYLE_DIM, "nobody reads");
                return;
        }
        const struct torc_consumer_info *c = &s->consumers[look->slowest];
        int percent = look->lag_share >= 9.99 ? 999 : (int)(look->lag_share * 100 + 0.5); /* a damaged cursor */
        pen_field(pen, "lag", word_lag_style(look->lag_share), "%d%% of the ring \u00b7 %s \u00b7 %s (pid %lld)",
                  percent, units_bytes(bytes, (double)look->lag_bytes), c->name,
                  (long long)c->pid);
}

static void details_claim(struct pen *pen, const struct torc_stream_info *s, const struct stream_look *look)
{
        char age[UNITS_TEXT], bytes[UNITS_TEXT];
        if (look->claim == NONE)
                return;
        const struct torc_producer_info *p = &s->producers[look->claim];
        pen_field(pen, "open claim", look->claim_age_ns >= MODEL_STUCK_NS ? STYLE_BAD : STYLE_PLAIN,
                  "for at least %s by %s (pid %lld%s), %s: readers wait there", units_age(age, look->claim_age_ns),
                  p->name, (long long)p->pid, p->alive ? "" : ", dead",
                  units_bytes(bytes, (double)(p->claim_end - p->claim_start)));
}

static void details_losses(struct pen *pen, const struct torc_stream_info *s, const struct stream_look *look)
{
        char text[256] = "";
        for (int i = 0; i < TORC_LOSS_COUNT; i++) {
                size_t n = strlen(text);
                snprintf(text + n, sizeof text - n, "%s%s %llu", i ? " \u00b7 " : "",
                         torc_loss_word((enum torc_loss)i), (unsigned long long)s->losses[i]);
        }
        pen_field(pen, "lost", look->lost ? STYLE_WARN : STYLE_PLAIN, "%s", text);
}

static void details_policy(struct pen *pen, const struct torc_stream_info *s)
{
        char capacity[UNITS_TEXT], max[UNITS_TEXT], message[UNITS_TEXT], created[UNITS_TEXT];
        units_bytes(capacity, (double)s->capacity_bytes);
        units_bytes(max, (double)s->capacity_max_bytes);
        if (s->capacity_max_bytes > s->capacity_bytes)
                pen_field(pen, "ring", STYLE_PLAIN, "%s, grows to %s", capacity, max);
        else
                pen_field(pen, "ring", STYLE_PLAIN, "%s", capacity);
        pen_field(pen, "messages", STYLE_PLAIN, "up to %s", units_bytes(message, s->max_message_bytes));
        pen_field(pen, "on lag", STYLE_PLAIN, "%s", word_lag(s->lag));
        pen_field(pen, "consumers", STYLE_PLAIN, "up to %u", s->max_consumers);
        pen_field(pen, "files", STYLE_PLAIN, "mode %04o \u00b7 uid %u \u00b7 gid %u \u00b7 made %s", s->mode,
                  s->uid, s->gid, units_date(created, s->created_ns));
}

static void details_table(struct pen *pen, const struct model *m, const struct view *view, size_t subject,
                          bool even_empty)
{
        struct table_order order = {view->sort, view->reverse};
        struct table t;
        struct table_layout l;
        if (table_build(&t, view, m, subject, "", &order) || (t.n == 0 && !even_empty)) {
                table_free(&t);
                return;
        }
        pen_skip(pen);
        if (t.n == 0) {
                pen_field(pen, view->title, STYLE_DIM, "%s", view->empty);
        } else {
                table_fit(&l, &t, m, pen->s->width, pen->s->ascii);
                order.sort = -1; /* no mark: there is no key to change it here */
                table_draw_head(pen->s, pen->y++, &t, &l, &order);
        }
        for (size_t i = 0; i < t.n; i++)
                table_draw_row(pen->s, pen->y++, &t, m, &l, i);
        table_free(&t);
}

static void details_stream(struct pen *pen, const struct model *m, size_t index)
{
        const struct torc_stream_info *s = &m->snap->streams[index];
        const struct stream_look *look = &m->streams[index];
        if (s->error) {
                pen_field(pen, "state", STYLE_BAD, "%s: %s", torc_errname(s->error), torc_strerror(s->error));
                return;
        }
        details_state(pen, s, model_stream_word(m, index));
        details_access(pen, s, look);
        details_claim(pen, s, look);
        details_rates(pen, s, look);
        details_lag(pen, s, look);
        details_losses(pen, s, look);
        details_policy(pen, s);
        details_table(pen, m, &view_stream_producers, index, true);
        details_table(pen, m, &view_stream_waiters, index, false);
        details_table(pen, m, &view_stream_consumers, index, true);
        details_table(pen, m, &view_stream_segments, index, true);
}

/* ---- anything else --------------------------------------------------------------------------------------- */

static void details_column(struct pen *pen, const struct model *m, const struct column *c, const struct row *row)
{
        struct value v = {.style = STYLE_PLAIN, .share = -1};
        char label[32];
        c->get(m, row, &v);
        if (c->kind == COLUMN_SPARK)
                return;
        size_t n = 0;
        for (; c->title[n] && n + 1 < sizeof label; n++)
                label[n] = (char)(c->title[n] >= 'A' && c->title[n] <= 'Z' ? c->title[n] + 32 : c->title[n]);
        label[n] = '\0';
        if (c->kind == COLUMN_BAR && v.share >= 0) {
                int width = pen->s->width - PEN_LABEL - 12 < 40 ? pen->s->width - PEN_LABEL - 12 : 40;
                screen_bar(pen->s, pen->y, PEN_LABEL + 7, width, v.share, v.style);
        }
        pen_field(pen, label, v.style, "%s", v.text[0] ? v.text : "-");
}

static void details_row(struct pen *pen, const struct model *m, const struct view *view, const struct row *row)
{
        for (int i = 0; i < view->n_columns; i++)
                details_column(pen, m, &view->columns[i], row);
}

/* ---- the page -------------------------------------------------------------------------------------------- */

static bool details_find(const struct model *m, const struct ui *ui, struct row *row)
{
        const struct view *view = views[ui->view];
        size_t n = view->count(m, 0);
        for (size_t i = 0; i < n; i++) {
                view->row(m, 0, i, row);
                if (row->key == ui->views[ui->view].key)
                        return true;
        }
        return false;
}

int details_draw(struct screen *s, const struct model *m, const struct ui *ui)
{
        const struct view *view = views[ui->view];
        struct pen pen = {s, 0};
        struct row row;
        struct value name = {.style = STYLE_PLAIN};
        char title[VALUE_TEXT + 32];
        if (!details_find(m, ui, &row)) {
                pen_skip(&pen);
                pen_wrap(&pen, 2, STYLE_WARN, "It is gone. Esc goes back.");
                return pen.y;
        }
        view->columns[0].get(m, &row, &name);
        if (ui->view == VIEW_EVENTS)
                snprintf(title, sizeof title, "Event %s", name.text);
        else
                snprintf(title, sizeof title, "%s", name.text);
        screen_fill(s, pen.y, 0, s->width, STYLE_HEAD, L' ');
        screen_text(s, pen.y++, 1, s->width - 2, STYLE_HEAD, title);
        pen_skip(&pen);
        if (ui->view == VIEW_STREAMS)
                details_stream(&pen, m, row.a);
        else
                details_row(&pen, m, view, &row);
        return pen.y;
}
