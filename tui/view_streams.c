/*
 * view_streams.c - the streams of the bus. row.a: index in the snapshot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"
#include "units.h"
#include "view.h"

#include <errno.h>

static const struct torc_stream_info *stream_of(const struct model *m, const struct row *row)
{
        return &m->snap->streams[row->a];
}

static const struct stream_look *look_of(const struct model *m, const struct row *row)
{
        return &m->streams[row->a];
}

/* A stream that can't be read has a name, a state, and nothing else. */
static bool unreadable(const struct model *m, const struct row *row, struct value *v)
{
        if (!stream_of(m, row)->error)
                return false;
        value_none(v);
        return true;
}

static void get_name(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, stream_of(m, row)->name);
}

static void get_state(const struct model *m, const struct row *row, struct value *v)
{
        const char *word = word_stream(model_stream_word(m, row->a), &v->style);
        int error = stream_of(m, row)->error;
        if (error == -EACCES)
                word = "no access";
        else if (error == TORC_EVERSION)
                word = "version";
        value_text(v, v->style, word);
}

static void get_message_rate(const struct model *m, const struct row *row, struct value *v)
{
        value_rate(v, &look_of(m, row)->rates, false);
}

static void get_byte_rate(const struct model *m, const struct row *row, struct value *v)
{
        value_rate(v, &look_of(m, row)->rates, true);
}

static void get_history(const struct model *m, const struct row *row, struct value *v)
{
        v->series = &look_of(m, row)->history;
        v->number = look_of(m, row)->rates.messages;
}

static void get_lag(const struct model *m, const struct row *row, struct value *v)
{
        const struct stream_look *look = look_of(m, row);
        if (look->slowest == NONE) {
                value_none(v);
                return;
        }
        value_lag(v, look->lag_share);
}

static void get_slowest(const struct model *m, const struct row *row, struct value *v)
{
        size_t i = look_of(m, row)->slowest;
        if (i == NONE || look_of(m, row)->lag_bytes == 0)
                value_none(v);
        else
                value_text(v, STYLE_PLAIN, stream_of(m, row)->consumers[i].name);
}

static void get_owner(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_stream_info *s = stream_of(m, row);
        if (unreadable(m, row, v))
                return;
        if (s->access == TORC_EXCLUSIVE && look_of(m, row)->owner_dead)
                value_printf(v, STYLE_BAD, "%s (dead)", s->owner_name);
        else if (s->access == TORC_EXCLUSIVE)
                value_text(v, STYLE_ACCENT, s->owner_name[0] ? s->owner_name : "?");
        else
                value_text(v, STYLE_DIM, look_of(m, row)->producing ? "shared" : "-");
}

static void get_epoch(const struct model *m, const struct row *row, struct value *v)
{
        if (unreadable(m, row, v))
                return;
        uint32_t epoch = stream_of(m, row)->epoch;
        value_count(v, epoch);
        if (epoch < 100000)
                value_printf(v, STYLE_PLAIN, "%u", epoch); /* exact while it fits: people compare epochs */
}

static void get_producers(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, look_of(m, row)->producing);
}

static void get_consumers(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, look_of(m, row)->connected);
}

static void get_waiters(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, stream_of(m, row)->n_waiters);
        if (v->number > 0)
                v->style = STYLE_ACCENT;
}

static void get_lost(const struct model *m, const struct row *row, struct value *v)
{
        const struct stream_look *look = look_of(m, row);
        value_count(v, look->lost);
        if (look->lost)
                v->style = look->lost_now ? STYLE_BAD : STYLE_WARN;
}

static void get_claim(const struct model *m, const struct row *row, struct value *v)
{
        const struct stream_look *look = look_of(m, row);
        char age[UNITS_TEXT];
        if (look->claim == NONE) {
                value_none(v);
                return;
        }
        const struct torc_producer_info *p = &stream_of(m, row)->producers[look->claim];
        value_printf(v, look->claim_age_ns >= MODEL_STUCK_NS ? STYLE_BAD : STYLE_PLAIN, "\u2265%s %s%s",
                     units_age(age, look->claim_age_ns), p->name, p->alive ? "" : " (dead)");
}

static void get_messages(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, stream_of(m, row)->messages);
}

static void get_bytes(const struct model *m, const struct row *row, struct value *v)
{
        value_bytes(v, (double)stream_of(m, row)->bytes);
}

static void get_capacity(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_stream_info *s = stream_of(m, row);
        value_bytes(v, (double)(s->n_segments ? s->segments[s->n_segments - 1].capacity : s->capacity_bytes));
}

static void get_policy(const struct model *m, const struct row *row, struct value *v)
{
        if (!unreadable(m, row, v))
                value_text(v, STYLE_PLAIN, word_lag(stream_of(m, row)->lag));
}

static void get_segments(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, stream_of(m, row)->n_segments);
}

static const struct column columns[] = {
        {"STREAM", COLUMN_TEXT, 12, 14, 48, 0, "name of the stream", get_name},
        {"STATE", COLUMN_TEXT, 7, 7, 9, 1,
         "its most important trouble (damaged, claim, offline, blocked), or active, idle, ended", get_state},
        {"MSG/S", COLUMN_NUMBER, 6, 6, 6, 0, "messages committed per second", get_message_rate},
        {"BYTES/S", COLUMN_NUMBER, 7, 7, 7, 4, "payload committed per second", get_byte_rate},
        {"HISTORY", COLUMN_SPARK, 10, 16, 30, 7, "messages per second, the newest at the right", get_history},
        {"LAG", COLUMN_BAR, 4, 12, 17, 2, "how much of the ring the slowest reader has still to read", get_lag},
        {"SLOWEST", COLUMN_TEXT, 8, 14, 24, 8, "that reader", get_slowest},
        {"OWNER", COLUMN_TEXT, 8, 8, 24, 3, "exclusive producer, or shared", get_owner},
        {"EPOCH", COLUMN_NUMBER, 5, 5, 5, 5, "grows by one with each new owner", get_epoch},
        {"PROD", COLUMN_NUMBER, 5, 5, 5, 6, "live producers", get_producers},
        {"CONS", COLUMN_NUMBER, 5, 5, 5, 6, "connected consumers", get_consumers},
        {"WAIT", COLUMN_NUMBER, 5, 5, 5, 9, "producers that wait for exclusive access", get_waiters},
        {"LOST", COLUMN_NUMBER, 5, 5, 5, 5, "messages that some consumer did not get; details tell why", get_lost},
        {"OPEN CLAIM", COLUMN_TEXT, 12, 16, 30, 9, "at least so long one claim has been open, and whose it is",
         get_claim},
        {"MSGS", COLUMN_NUMBER, 5, 5, 5, 10, "messages committed ever", get_messages},
        {"BYTES", COLUMN_NUMBER, 7, 7, 7, 11, "their payload", get_bytes},
        {"RING", COLUMN_NUMBER, 7, 7, 7, 12, "capacity of the present segment", get_capacity},
        {"ON LAG", COLUMN_TEXT, 10, 10, 10, 13, "what happens to a consumer that is a whole ring behind",
         get_policy},
        {"SEGS", COLUMN_NUMBER, 5, 5, 5, 13, "segments in the chain", get_segments},
};

static size_t count_rows(const struct model *m, size_t subject)
{
        (void)subject;
        return m->snap->n_streams;
}

static void row_at(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)subject;
        *row = (struct row){.a = i, .key = text_hash(0, m->snap->streams[i].name)};
}

const struct view view_streams = {
        .name = "streams",
        .title = "Streams",
        .brief = "Strm",
        .empty = "No streams yet. One appears when a producer or a consumer opens it, for example:\n"
                 "\n"
                 "    seq 1 1000 | torc pub numbers        and elsewhere        torc sub numbers",
        VIEW_COLUMNS(columns),
        .sort = 0,
        .count = count_rows,
        .row = row_at,
};
