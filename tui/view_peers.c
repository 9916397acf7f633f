/*
 * view_peers.c - the processes attached to the bus. row.a: index in the snapshot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"
#include "view.h"

static const struct torc_peer_info *peer_of(const struct model *m, const struct row *row)
{
        return &m->snap->peers[row->a];
}

static void get_name(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, peer_of(m, row)->name);
}

static void get_pid(const struct model *m, const struct row *row, struct value *v)
{
        value_pid(v, peer_of(m, row)->pid);
}

static void get_state(const struct model *m, const struct row *row, struct value *v)
{
        bool alive = peer_of(m, row)->alive;
        value_text(v, alive ? STYLE_GOOD : STYLE_BAD, alive ? "alive" : "dead");
}

static void get_producers(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, m->peers[row->a].producers);
}

static void get_consumers(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, m->peers[row->a].consumers);
}

static void get_waiters(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, m->peers[row->a].waiters);
        if (v->number > 0)
                v->style = STYLE_ACCENT;
}

static void get_uptime(const struct model *m, const struct row *row, struct value *v)
{
        value_age(v, m->snap->wall_ns - peer_of(m, row)->attached_ns);
}

static void get_streams(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, m->peers[row->a].streams);
}

static void get_tags(const struct model *m, const struct row *row, struct value *v)
{
        value_text(v, STYLE_PLAIN, peer_of(m, row)->tags);
}

static void get_member(const struct model *m, const struct row *row, struct value *v)
{
        size_t i = m->peers[row->a].member;
        if (i == NONE)
                value_none(v);
        else
                value_printf(v, STYLE_PLAIN, "%s/%u", m->snap->members[i].group, m->snap->members[i].index);
}

static void get_user(const struct model *m, const struct row *row, struct value *v)
{
        value_printf(v, STYLE_PLAIN, "%u", peer_of(m, row)->uid);
        v->number = peer_of(m, row)->uid;
}

static void get_slot(const struct model *m, const struct row *row, struct value *v)
{
        value_count(v, peer_of(m, row)->slot);
}

static const struct column columns[] = {
        {"PEER", COLUMN_TEXT, 10, 14, 32, 0, "name of the process on the bus", get_name},
        {"PID", COLUMN_NUMBER, 7, 7, 7, 0, "its process", get_pid},
        {"STATE", COLUMN_TEXT, 5, 5, 5, 1, "alive while the kernel keeps its lock; dead ones wait to be cleaned up",
         get_state},
        {"PROD", COLUMN_NUMBER, 5, 5, 5, 2, "producers it has open", get_producers},
        {"CONS", COLUMN_NUMBER, 5, 5, 5, 2, "consumers it has open", get_consumers},
        {"UPTIME", COLUMN_NUMBER, 6, 6, 6, 3, "since it attached", get_uptime},
        {"WAIT", COLUMN_NUMBER, 5, 5, 5, 6, "streams whose exclusive access it waits for", get_waiters},
        {"STREAMS", COLUMN_TEXT, 10, 20, 80, 4, "on these streams", get_streams},
        {"MEMBER", COLUMN_TEXT, 8, 8, 28, 7, "which member of which group it is", get_member},
        {"TAGS", COLUMN_TEXT, 6, 10, 40, 5, "its tags", get_tags},
        {"UID", COLUMN_NUMBER, 10, 10, 10, 8, "its user", get_user},
        {"SLOT", COLUMN_NUMBER, 5, 5, 5, 9, "its place in the bus's table", get_slot},
};

static size_t count_rows(const struct model *m, size_t subject)
{
        (void)subject;
        return m->snap->n_peers;
}

static void row_at(const struct model *m, size_t subject, size_t i, struct row *row)
{
        (void)subject;
        const struct torc_peer_info *p = &m->snap->peers[i];
        *row = (struct row){.a = i, .key = text_hash((uint64_t)p->attached_ns ^ (uint64_t)p->slot << 48, p->name)};
}

const struct view view_peers = {
        .name = "peers",
        .title = "Peers",
        .brief = "Peer",
        .empty = "No process is attached to this bus.",
        VIEW_COLUMNS(columns),
        .sort = 0,
        .count = count_rows,
        .row = row_at,
};
