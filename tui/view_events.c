/*
 * view_events.c - the supervisor's log of what happened. row.a: index in the snapshot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "units.h"
#include "view.h"

#include <string.h>

static const struct torc_event_info *event_of(const struct model *m, const struct row *row)
{
        return &m->snap->events[row->a];
}

static void get_time(const struct model *m, const struct row *row, struct value *v)
{
        char text[UNITS_TEXT];
        value_text(v, STYLE_DIM, units_clock(text, event_of(m, row)->time_ns));
}

static void get_date(const struct model *m, const struct row *row, struct value *v)
{
        char text[UNITS_TEXT];
        units_date(text, event_of(m, row)->time_ns);
        text[strcspn(text, " ")] = '\0';
        value_text(v, STYLE_DIM, text);
}

static void get_kind(const struct model *m, const struct row *row, struct value *v)
{
        const char *word = word_event(event_of(m, row)->kind, &v->style);
        value_text(v, v->style, word);
}

static void get_text(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, event_of(m, row)->text);
}

static void get_number(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_DIM, "%llu", (unsigned long long)event_of(m, row)->sequence);
        v->number = (double)event_of(m, row)->sequence;
}

static const struct column columns[] = {
        {"NO", COLUMN_NUMBER, 7, 7, 7, 6, "rises by one with each event; the newest is at the top", get_number},
        {"DATE", COLUMN_TEXT, 10, 10, 10, 5, "when it happened", get_date},
        {"TIME", COLUMN_TEXT, 8, 8, 8, 0, "when it happened", get_time},
        {"EVENT", COLUMN_TEXT, 10, 10, 10, 1, "what kind", get_kind},
        {"WHAT", COLUMN_TEXT, 16, 40, 232, 0, "what happened", get_text},
};

static size_t count_rows(const struct model *m, size_t subject)
{
        (void)subject;
        return m->snap->n_events;
}

static void row_at(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)subject;
        *row = (struct row){.a = i, .key = m->snap->events[i].sequence};
}

const struct view view_events = {
        .name = "events",
        .title = "Events",
        .brief = "Evt",
        .empty = "No events: torcd writes them, and it has not run on this bus.",
        VIEW_COLUMNS(columns),
        .sort = 0,
        .count = count_rows,
        .row = row_at,
};
