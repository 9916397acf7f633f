/*
 * view_consumers.c - all consumers of all streams; and those of one stream, for its details.
 * row.a: index in model.consumers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"
#include "view.h"

static const struct torc_stream_info *stream_of(const struct model *m, const struct row *row)
{
        return &m->snap->streams[m->consumers[row->a].stream];
}

static const struct torc_consumer_info *consumer_of(const struct model *m, const struct row *row)
{
        return &stream_of(m, row)->consumers[m->consumers[row->a].consumer];
}

static void get_name(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, consumer_of(m, row)->name);
}

static void get_stream(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, stream_of(m, row)->name);
}

static void get_state(const struct model *m, const struct row *row, struct value *v)
{
        const char *word = word_connection(consumer_of(m, row)->connection, &v->style);
        value_text(v, v->style, word);
}

static void get_message_rate(const struct model *m, const struct row *row, struct value *v)
{
        value_rate(v, &m->consumers[row->a].rates, false);
}

static void get_byte_rate(const struct model *m, const struct row *row, struct value *v)
{
        value_rate(v, &m->consumers[row->a].rates, true);
}

static void get_lag(const struct model *m, const struct row *row, struct value *v)
{
        if (consumer_of(m, row)->connection == TORC_TERMINATED)
                value_none(v);
        else
                value_lag(v, m->consumers[row->a].lag_share);
}

static void get_behind(const struct model *m, const struct row *row, struct value *v)
{
        if (consumer_of(m, row)->connection == TORC_TERMINATED)
                value_none(v);
        else
                value_bytes(v, (double)consumer_of(m, row)->stats.lag_bytes);
}

static void get_missed(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, consumer_of(m, row)->stats.missed_messages);
        if (v->number > 0)
                v->style = STYLE_WARN;
}

static void get_messages(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, consumer_of(m, row)->stats.messages);
}

static void get_bytes(const struct model *m, const struct row *row, struct value *v)
{
        value_bytes(v, (double)consumer_of(m, row)->stats.bytes);
}

static void get_pid(const struct model *m, const struct row *row, struct value *v)
{
        value_pid(v, consumer_of(m, row)->pid);
}

static void get_peer(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, consumer_of(m, row)->peer_name);
}

static void get_tags(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, consumer_of(m, row)->tags);
}

static void get_uptime(const struct model *m, const struct row *row, struct value *v)
{
        value_age(v, consumer_of(m, row)->stats.uptime_ns);
}

static void get_segment(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, consumer_of(m, row)->segment);
}

/* clang-format off */
#define NAME_COLUMN {"CONSUMER", COLUMN_TEXT, 10, 14, 32, 0, "name of the consumer", get_name}
#define OTHER_COLUMNS                                                                                             \
        {"STATE", COLUMN_TEXT, 10, 10, 10, 3, "connecting, connected, or gone (dead or disconnected)", get_state}, \
        {"MSG/S", COLUMN_NUMBER, 6, 6, 6, 1, "messages delivered per second", get_message_rate},                  \
        {"BYTES/S", COLUMN_NUMBER, 7, 7, 7, 6, "payload delivered per second", get_byte_rate},                    \
        {"LAG", COLUMN_BAR, 4, 12, 17, 0, "how much of the ring it has still to read", get_lag},                  \
        {"BEHIND", COLUMN_NUMBER, 7, 7, 7, 2, "the same in bytes of the ring", get_behind},                       \
        {"MISSED", COLUMN_NUMBER, 6, 6, 6, 4, "messages lost to lagging, by this attachment", get_missed},        \
        {"PID", COLUMN_NUMBER, 7, 7, 7, 5, "its process", get_pid},                                               \
        {"UPTIME", COLUMN_NUMBER, 6, 6, 6, 7, "since it attached", get_uptime},                                   \
        {"READ", COLUMN_NUMBER, 5, 5, 5, 8, "messages delivered", get_messages},                                  \
        {"BYTES", COLUMN_NUMBER, 7, 7, 7, 9, "their payload", get_bytes},                                         \
        {"TAGS", COLUMN_TEXT, 6, 10, 30, 10, "tags of its process", get_tags},                                    \
        {"PEER", COLUMN_TEXT, 6, 14, 24, 11, "name of its process on the bus", get_peer},                         \
        {"SEG", COLUMN_NUMBER, 5, 5, 5, 12, "segment it stands in", get_segment}

static const struct column columns[] = {
        NAME_COLUMN,
        {"STREAM", COLUMN_TEXT, 9, 14, 48, 1, "the stream it reads", get_stream},
        OTHER_COLUMNS,
};
static const struct column columns_of_stream[] = {NAME_COLUMN, OTHER_COLUMNS};
/* clang-format on */

static size_t count_rows(const struct model *m, size_t subject)
{
        (void)subject;
        return m->n_consumers;
}

static void row_at(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)subject;
        *row = (struct row){.a = i};
        row->key = text_hash(consumer_of(m, row)->ref + 1, stream_of(m, row)->name);
}

static size_t count_of_stream(const struct model *m, size_t subject)
{
        return m->snap->streams[subject].n_consumers;
}

static void row_of_stream(const struct model *m, size_t subject, size_t i, struct row *row)
{
        row_at(m, subject, m->streams[subject].first_consumer + i, row);
}

const struct view view_consumers = {
        .name = "consumers",
        .title = "Consumers",
        .brief = "Cons",
        .empty = "Nobody reads. To look at a stream:    torc sub STREAM",
        VIEW_COLUMNS(columns),
        .sort = 5, /* lag */
        .count = count_rows,
        .row = row_at,
};

const struct view view_stream_consumers = {
        .title = "Consumers",
        .empty = "nobody reads",
        VIEW_COLUMNS(columns_of_stream),
        .sort = 4, /* lag */
        .count = count_of_stream,
        .row = row_of_stream,
};
