/*
 * view_groups.c - the supervisor's groups and their members.
 * row.a: index of a member, or NONE for a group without members; row.b: index of its group, or NONE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"
#include "units.h"
#include "view.h"

#include <string.h>

static const struct torc_member_info *member_of(const struct model *m, const struct row *row)
{
        return row->a == NONE ? NULL : &m->snap->members[row->a];
}

static const struct torc_group_info *group_of(const struct model *m, const struct row *row)
{
        return row->b == NONE ? NULL : &m->snap->groups[row->b];
}

static void get_group(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_member_info *member = member_of(m, row);
        value_text(v, STYLE_PLAIN, member ? member->group : group_of(m, row)->name);
}

static void get_index(const struct model *m, const struct row *row, struct value *v)
{
        if (!member_of(m, row))
                value_none(v);
        else
                value_count(v, member_of(m, row)->index);
}

static void get_state(const struct model *m, const struct row *row, struct value *v)
{
        static const enum style styles[] = {
                [TORC_MEMBER_STOPPED] = STYLE_DIM,     [TORC_MEMBER_DELAYED] = STYLE_WARN,
                [TORC_MEMBER_RUNNING] = STYLE_GOOD,    [TORC_MEMBER_STOPPING] = STYLE_WARN,
                [TORC_MEMBER_QUARANTINED] = STYLE_BAD,
        };
        const struct torc_member_info *member = member_of(m, row);
        if (!member) {
                value_text(v, STYLE_DIM, "no members");
                return;
        }
        size_t state = (size_t)member->state;
        value_text(v, state < sizeof styles / sizeof *styles ? styles[state] : STYLE_BAD,
                   torc_member_state_word(member->state));
}

static void get_pid(const struct model *m, const struct row *row, struct value *v)
{
        value_pid(v, member_of(m, row) ? member_of(m, row)->pid : 0);
}

/* How long it has run, or when it will run again. A countdown without a supervisor would be a lie. */
static void get_time(const struct model *m, const struct row *row, struct value *v)
{
        const struct torc_member_info *member = member_of(m, row);
        char text[UNITS_TEXT];
        if (member && member->state == TORC_MEMBER_DELAYED && member->due_ns) {
                int64_t left = member->due_ns - m->snap->wall_ns;
                value_printf(v, STYLE_WARN, "in %s", units_age(text, left));
                if (!m->snap->supervisor.alive)
                        value_text(v, STYLE_DIM, "waits");
                v->number = -(double)left;
        } else if (member && member->pid && member->started_ns) {
                value_age(v, m->snap->wall_ns - member->started_ns);
        } else {
                value_none(v);
        }
}

static void get_restarts(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, member_of(m, row) ? member_of(m, row)->restarts : 0);
}

static void get_last(const struct model *m, const struct row *row, struct value *v)
{
        char text[32] = "-";
        int32_t status = member_of(m, row) ? member_of(m, row)->last_status : -1;
        if (status != -1)
                word_status(text, sizeof text, status);
        value_text(v, status > 0 ? STYLE_WARN : STYLE_DIM, text);
}

static void get_cause(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, member_of(m, row) ? member_of(m, row)->cause : "");
}

static void get_backoff(const struct model *m, const struct row *row, struct value *v)
{
        if (member_of(m, row) && member_of(m, row)->backoff_ms)
                value_age(v, (int64_t)member_of(m, row)->backoff_ms * 1000000);
        else
                value_none(v);
}

static void get_log_dropped(const struct model *m, const struct row *row, struct value *v)
{
        value_bytes(v, member_of(m, row) ? (double)member_of(m, row)->log_dropped : 0);
}

static void get_stream(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, group_of(m, row) ? group_of(m, row)->stream : "");
}

static void get_access(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, group_of(m, row) ? word_access((enum torc_access)group_of(m, row)->access) : "");
}

static void get_restart(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, group_of(m, row) ? word_restart(group_of(m, row)->restart) : "");
}

static void get_command(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_DIM, group_of(m, row) ? group_of(m, row)->command : "");
}

static const struct column columns[] = {
        {"GROUP", COLUMN_TEXT, 9, 12, 32, 0, "name of the group", get_group},
        {"#", COLUMN_NUMBER, 2, 2, 4, 0, "number of the member", get_index},
        {"STATE", COLUMN_TEXT, 11, 11, 11, 0, "stopped, delayed, running, stopping, quarantined", get_state},
        {"UP / IN", COLUMN_NUMBER, 9, 9, 9, 1, "it has run for so long, or will be started in so long", get_time},
        {"PID", COLUMN_NUMBER, 7, 7, 7, 2, "its process", get_pid},
        {"RESTARTS", COLUMN_NUMBER, 8, 8, 8, 3, "over its life", get_restarts},
        {"LAST END", COLUMN_TEXT, 8, 8, 10, 4, "how it ended the last time", get_last},
        {"STREAM", COLUMN_TEXT, 8, 14, 40, 6, "the stream the group produces", get_stream},
        {"ACCESS", COLUMN_TEXT, 9, 9, 9, 8, "how its members open it", get_access},
        {"CAUSE", COLUMN_TEXT, 10, 30, 60, 5, "why it is in this state", get_cause},
        {"BACKOFF", COLUMN_NUMBER, 7, 7, 7, 7, "the next one, if it ends again", get_backoff},
        {"RESTART", COLUMN_TEXT, 9, 9, 9, 9, "when it is restarted", get_restart},
        {"LOG LOST", COLUMN_NUMBER, 8, 8, 8, 11, "bytes of its output that were dropped", get_log_dropped},
        {"COMMAND", COLUMN_TEXT, 10, 20, 80, 10, "what it runs", get_command},
};

/* Groups that have no member are listed after the members. */
static bool empty_group(const struct model *m, size_t group)
{
        for (size_t i = 0; i < m->snap->n_members; i++) {
                if (strcmp(m->snap->members[i].group, m->snap->groups[group].name) == 0)
                        return false;
        }
        return true;
}

static size_t find_empty_group(const struct model *m, size_t nth)
{
        for (size_t i = 0; i < m->snap->n_groups; i++) {
                if (empty_group(m, i) && nth-- == 0)
                        return i;
        }
        return NONE;
}

static size_t count_rows(const struct model *m, size_t subject)
{
        (void)subject;
        size_t n = m->snap->n_members;
        for (size_t i = 0; i < m->snap->n_groups; i++)
                n += empty_group(m, i);
        return n;
}

static void row_at(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)subject;
        if (i >= m->snap->n_members) {
                size_t group = find_empty_group(m, i - m->snap->n_members);
                *row = (struct row){.a = NONE, .b = group, .key = text_hash(0, m->snap->groups[group].name)};
                return;
        }
        const struct torc_member_info *member = &m->snap->members[i];
        *row = (struct row){.a = i, .b = NONE, .key = text_hash(member->index + 1, member->group)};
        for (size_t g = 0; g < m->snap->n_groups && row->b == NONE; g++) {
                if (strcmp(m->snap->groups[g].name, member->group) == 0)
                        row->b = g;
        }
}

static size_t tally_groups(const struct model *m)
{
        return m->snap->n_groups;
}

const struct view view_groups = {
        .name = "groups",
        .title = "Groups",
        .brief = "Grp",
        .empty = "No groups: torcd has not run on this bus, or its torc.ini has none.\n"
                 "\n"
                 "    torcd -c torc.ini        torc.ini(5) tells how a group is written",
        VIEW_COLUMNS(columns),
        .sort = 0,
        .count = count_rows,
        .row = row_at,
        .tally = tally_groups,
};
