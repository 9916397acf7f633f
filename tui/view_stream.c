/*
 * view_stream.c - the tables in a stream's details: producers, waiters, segments. row.a: the stream, row.b: the
 * index. The table of its consumers is in view_consumers.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"
#include "units.h"
#include "view.h"

/* ---- producers ------------------------------------------------------------------------------------------- */

static const struct torc_producer_info *producer_of(const struct model *m, const struct row *row)
{
        return &m->snap->streams[row->a].producers[row->b];
}

static void get_producer(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, producer_of(m, row)->name);
}

static void get_state(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_producer_info *p = producer_of(m, row);
        const char *word = word_producer(p, &v->style);
        if (p->alive && p->blocked) {
                word = "blocked";
                v->style = STYLE_WARN;
        }
        value_text(v, v->style, word);
}

static void get_pid(const struct model *m, const struct row *row, struct value *v)
{
        value_pid(v, producer_of(m, row)->pid);
}

static void get_epoch(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%u", producer_of(m, row)->epoch);
        v->number = producer_of(m, row)->epoch;
}

static void get_message_rate(const struct model *m, const struct row *row, struct value *v)
{
        value_rate(v, &m->streams[row->a].producers[row->b].rates, false);
}

static void get_messages(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, producer_of(m, row)->messages);
}

static void get_bytes(const struct model *m, const struct row *row, struct value *v)
{
        value_bytes(v, (double)producer_of(m, row)->bytes);
}

static void get_claim(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_producer_info *p = producer_of(m, row);
        int64_t age = model_claim_age(m, row->a, row->b);
        char text[UNITS_TEXT], bytes[UNITS_TEXT];
        if (!p->claim_open || age < 0) {
                value_none(v);
                return;
        }
        value_printf(v, age >= MODEL_STUCK_NS ? STYLE_BAD : STYLE_PLAIN, "\u2265%s, %s", units_age(text, age),
                     units_bytes(bytes, (double)(p->claim_end - p->claim_start)));
}

static void get_note(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_producer_info *p = producer_of(m, row);
        if (p->state == TORC_PRODUCER_FENCED)
                value_printf(v, STYLE_WARN, "fenced by %s (pid %lld) at epoch %u", p->fencer_name,
                             (long long)p->fencer_pid, p->fenced_epoch);
        else if (!p->alive)
                value_text(v, STYLE_DIM, "waits to be cleaned up");
}

static const struct column producer_columns[] = {
        {"PRODUCER", COLUMN_TEXT, 10, 10, 32, 0, "", get_producer},
        {"STATE", COLUMN_TEXT, 7, 7, 7, 0, "", get_state},
        {"PID", COLUMN_NUMBER, 7, 7, 7, 1, "", get_pid},
        {"EPOCH", COLUMN_NUMBER, 6, 6, 10, 4, "", get_epoch},
        {"MSG/S", COLUMN_NUMBER, 6, 6, 6, 2, "", get_message_rate},
        {"MSGS", COLUMN_NUMBER, 5, 5, 5, 5, "", get_messages},
        {"BYTES", COLUMN_NUMBER, 7, 7, 7, 6, "", get_bytes},
        {"OPEN CLAIM", COLUMN_TEXT, 15, 16, 17, 3, "", get_claim},
        {"NOTE", COLUMN_TEXT, 12, 30, 80, 7, "", get_note},
};

static size_t count_producers(const struct model *m, size_t subject)
{
        return m->snap->streams[subject].n_producers;
}

static void row_of(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)m;
        *row = (struct row){.a = subject, .b = i, .key = i};
}

const struct view view_stream_producers = {
        .title = "Producers",
        .empty = "nobody produces",
        VIEW_COLUMNS(producer_columns),
        .sort = -1,
        .count = count_producers,
        .row = row_of,
};

/* ---- waiters --------------------------------------------------------------------------------------------- */

static const struct torc_waiter_info *waiter_of(const struct model *m, const struct row *row)
{
        return &m->snap->streams[row->a].waiters[row->b];
}

static void get_place(const struct model *m, const struct row *row, struct value *v)
{
        (void)m;
        value_count(v, row->b + 1);
}

static void get_waiter(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, waiter_of(m, row)->name);
}

static void get_waiter_pid(const struct model *m, const struct row *row, struct value *v)
{
        value_pid(v, waiter_of(m, row)->pid);
}

static void get_waiter_state(const struct model *m, const struct row *row, struct value *v)
{
        bool alive = waiter_of(m, row)->alive;
        value_text(v, alive ? STYLE_GOOD : STYLE_BAD, alive ? "waiting" : "dead");
}

static const struct column waiter_columns[] = {
        {"PLACE", COLUMN_NUMBER, 5, 5, 5, 0, "", get_place},
        {"WAITS FOR EXCLUSIVE ACCESS", COLUMN_TEXT, 12, 12, 40, 0, "", get_waiter},
        {"STATE", COLUMN_TEXT, 7, 7, 7, 1, "", get_waiter_state},
        {"PID", COLUMN_NUMBER, 7, 7, 7, 2, "", get_waiter_pid},
};

static size_t count_waiters(const struct model *m, size_t subject)
{
        return m->snap->streams[subject].n_waiters;
}

const struct view view_stream_waiters = {
        .title = "Waiters",
        .empty = "nobody waits",
        VIEW_COLUMNS(waiter_columns),
        .sort = -1,
        .count = count_waiters,
        .row = row_of,
};

/* ---- segments -------------------------------------------------------------------------------------------- */

static const struct torc_segment_info *segment_of(const struct model *m, const struct row *row)
{
        return &m->snap->streams[row->a].segments[row->b];
}

static void get_number(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%llu", (unsigned long long)segment_of(m, row)->number);
        v->number = (double)segment_of(m, row)->number;
}

static void get_segment_state(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_segment_info *g = segment_of(m, row);
        if (g->error)
                value_text(v, STYLE_BAD, torc_errname(g->error));
        else
                value_text(v, g->state == TORC_SEGMENT_ACTIVE ? STYLE_GOOD : STYLE_PLAIN, word_segment(g->state));
}

static void get_segment_epoch(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%u", segment_of(m, row)->epoch);
}

static void get_capacity(const struct model *m, const struct row *row, struct value *v)
{
        value_bytes(v, (double)segment_of(m, row)->capacity);
}

static void get_base(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%llu", (unsigned long long)segment_of(m, row)->base);
}

static void get_tail(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%llu", (unsigned long long)segment_of(m, row)->tail);
}

static void get_free(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_segment_info *g = segment_of(m, row);
        value_bytes(v, g->limit > g->tail ? (double)(g->limit - g->tail) : 0);
}

static const struct column segment_columns[] = {
        {"SEGMENT", COLUMN_NUMBER, 7, 7, 7, 0, "", get_number},
        {"STATE", COLUMN_TEXT, 8, 8, 14, 0, "", get_segment_state},
        {"EPOCH", COLUMN_NUMBER, 6, 6, 10, 2, "", get_segment_epoch},
        {"RING", COLUMN_NUMBER, 7, 7, 7, 0, "", get_capacity},
        {"FREE", COLUMN_NUMBER, 7, 7, 7, 1, "", get_free},
        {"FROM POSITION", COLUMN_NUMBER, 19, 19, 19, 4, "", get_base},
        {"TO POSITION", COLUMN_NUMBER, 19, 19, 19, 3, "", get_tail},
};

static size_t count_segments(const struct model *m, size_t subject)
{
        return m->snap->streams[subject].n_segments;
}

const struct view view_stream_segments = {
        .title = "Segments",
        .empty = "no segment",
        VIEW_COLUMNS(segment_columns),
        .sort = -1,
        .count = count_segments,
        .row = row_of,
};
