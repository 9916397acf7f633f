/*
 * look_json.c - a snapshot as JSON. Member names are those of torc_admin.h; times are nanoseconds, sizes bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "look.h"

static void json_producers(struct out *out, const struct torc_stream_info *s)
{
        out_key(out, "producers");
        out_char(out, '[');
        for (size_t i = 0; i < s->n_producers; i++) {
                const struct torc_producer_info *p = &s->producers[i];

                out_next(out);
                out_char(out, '{');
                out_member_count(out, "slot", p->slot);
                out_member_text(out, "name", p->name);
                out_member_text(out, "state", look_producer_word(p->state));
                out_member_bool(out, "alive", p->alive);
                out_member_number(out, "pid", p->pid);
                out_member_count(out, "uid", p->uid);
                out_member_count(out, "epoch", p->epoch);
                out_member_count(out, "segment", p->segment);
                out_member_count(out, "messages", p->messages);
                out_member_count(out, "bytes", p->bytes);
                out_member_bool(out, "claim_open", p->claim_open);
                out_member_bool(out, "blocked", p->blocked);
                out_member_count(out, "fenced_epoch", p->fenced_epoch);
                out_member_number(out, "fencer_pid", p->fencer_pid);
                out_member_text(out, "fencer_name", p->fencer_name);
                out_char(out, '}');
        }
        out_char(out, ']');
}

static void json_waiters(struct out *out, const struct torc_stream_info *s)
{
        out_key(out, "waiters");
        out_char(out, '[');
        for (size_t i = 0; i < s->n_waiters; i++) {
                const struct torc_waiter_info *w = &s->waiters[i];

                out_next(out);
                out_char(out, '{');
                out_member_count(out, "ticket", w->ticket);
                out_member_text(out, "name", w->name);
                out_member_bool(out, "alive", w->alive);
                out_member_number(out, "pid", w->pid);
                out_char(out, '}');
        }
        out_char(out, ']');
}

static void json_consumers(struct out *out, const struct torc_stream_info *s)
{
        out_key(out, "consumers");
        out_char(out, '[');
        for (size_t i = 0; i < s->n_consumers; i++) {
                const struct torc_consumer_info *c = &s->consumers[i];

                out_next(out);
                out_char(out, '{');
                out_member_count(out, "ref", c->ref);
                out_member_text(out, "name", c->name);
                out_member_text(out, "connection", look_connection_word(c->connection));
                out_member_number(out, "pid", c->pid);
                out_member_count(out, "uid", c->uid);
                out_member_text(out, "peer_name", c->peer_name);
                out_member_text(out, "tags", c->tags);
                out_member_count(out, "cursor", c->cursor);
                out_member_count(out, "segment", c->segment);
                out_member_count(out, "messages", c->stats.messages);
                out_member_count(out, "bytes", c->stats.bytes);
                out_member_count(out, "missed_messages", c->stats.missed_messages);
                out_member_count(out, "missed_bytes", c->stats.missed_bytes);
                out_member_count(out, "lag_bytes", c->stats.lag_bytes);
                out_member_number(out, "attached_ns", c->stats.attached_ns);
                out_member_number(out, "uptime_ns", c->stats.uptime_ns);
                out_char(out, '}');
        }
        out_char(out, ']');
}

static void json_segments(struct out *out, const struct torc_stream_info *s)
{
        out_key(out, "segments");
        out_char(out, '[');
        for (size_t i = 0; i < s->n_segments; i++) {
                const struct torc_segment_info *g = &s->segments[i];

                out_next(out);
                out_char(out, '{');
                out_member_count(out, "shard", g->shard);
                out_member_count(out, "number", g->number);
                out_member_text(out, "state", look_segment_word(g->state));
                out_member_count(out, "epoch", g->epoch);
                out_member_count(out, "capacity", g->capacity);
                out_member_count(out, "base", g->base);
                out_member_count(out, "tail", g->tail);
                out_member_count(out, "limit", g->limit);
                out_member_text(out, "error", g->error ? torc_errname(g->error) : "");
                out_char(out, '}');
        }
        out_char(out, ']');
}

void look_stream_json(struct out *out, const struct torc_stream_info *s)
{
        out_char(out, '{');
        out_member_text(out, "name", s->name);
        out_member_text(out, "error", s->error ? torc_errname(s->error) : "");
        out_member_text(out, "state", look_stream_word(s));
        out_member_bool(out, "ended", s->ended);
        out_member_bool(out, "online", s->online);
        out_member_text(out, "access", look_access_word(s->access));
        out_member_count(out, "epoch", s->epoch);
        out_member_number(out, "owner_pid", s->owner_pid);
        out_member_text(out, "owner_name", s->owner_name);
        out_member_count(out, "tail", s->tail);
        out_member_count(out, "messages", s->messages);
        out_member_count(out, "bytes", s->bytes);
        out_key(out, "losses");
        out_char(out, '{');
        for (size_t i = 0; i < TORC_LOSS_COUNT; i++)
                out_member_count(out, torc_loss_word((enum torc_loss)i), s->losses[i]);
        out_char(out, '}');
        out_member_count(out, "capacity_bytes", s->capacity_bytes);
        out_member_count(out, "capacity_max_bytes", s->capacity_max_bytes);
        out_member_count(out, "max_message_bytes", s->max_message_bytes);
        out_member_text(out, "lag", look_lag_word(s->lag));
        out_member_count(out, "online_min", s->online_min);
        out_member_text(out, "online_tags", s->online_tags);
        out_member_count(out, "max_consumers", s->max_consumers);
        out_member_count(out, "uid", s->uid);
        out_member_count(out, "gid", s->gid);
        out_key(out, "mode");
        out_printf(out, "\"%04o\"", (unsigned)s->mode);
        out_member_number(out, "created_ns", s->created_ns);
        json_producers(out, s);
        json_waiters(out, s);
        json_consumers(out, s);
        json_segments(out, s);
        out_char(out, '}');
}

/* ---- the bus --------------------------------------------------------------------------------------------- */

static void json_peers(struct out *out, const struct torc_snapshot *snapshot)
{
        out_key(out, "peers");
        out_char(out, '[');
        for (size_t i = 0; i < snapshot->n_peers; i++) {
                const struct torc_peer_info *p = &snapshot->peers[i];

                out_next(out);
                out_char(out, '{');
                out_member_count(out, "slot", p->slot);
                out_member_text(out, "name", p->name);
                out_member_bool(out, "alive", p->alive);
                out_member_number(out, "pid", p->pid);
                out_member_count(out, "uid", p->uid);
                out_member_count(out, "gid", p->gid);
                out_member_text(out, "tags", p->tags);
                out_member_number(out, "attached_ns", p->attached_ns);
                out_char(out, '}');
        }
        out_char(out, ']');
}

static void json_supervisor(struct out *out, const struct torc_snapshot *snapshot)
{
        const struct torc_supervisor_info *s = &snapshot->supervisor;

        out_key(out, "supervisor");
        if (!s->known) {
                out_text(out, "null");
                return;
        }
        out_char(out, '{');
        out_member_text(out, "error", s->error ? torc_errname(s->error) : "");
        out_member_bool(out, "alive", s->alive);
        out_member_number(out, "pid", s->pid);
        out_member_number(out, "started_ns", s->started_ns);
        out_member_number(out, "updated_ns", s->updated_ns);
        out_member_text(out, "config", s->config);
        out_char(out, '}');
}

static void json_members(struct out *out, const struct torc_snapshot *snapshot)
{
        out_key(out, "members");
        out_char(out, '[');
        for (size_t i = 0; i < snapshot->n_members; i++) {
                const struct torc_member_info *m = &snapshot->members[i];

                out_next(out);
                out_char(out, '{');
                out_member_text(out, "group", m->group);
                out_member_count(out, "index", m->index);
                out_member_text(out, "state", torc_member_state_word(m->state));
                out_member_number(out, "pid", m->pid);
                out_member_number(out, "started_ns", m->started_ns);
                out_member_number(out, "due_ns", m->due_ns);
                out_member_count(out, "restarts", m->restarts);
                out_member_text(out, "cause", m->cause);
                out_char(out, '}');
        }
        out_char(out, ']');
}

void look_bus_json(struct out *out, const struct torc_snapshot *snapshot)
{
        out_char(out, '{');
        out_member_text(out, "bus", snapshot->bus);
        out_member_text(out, "path", snapshot->path);
        out_member_number(out, "wall_ns", snapshot->wall_ns);
        json_supervisor(out, snapshot);
        json_members(out, snapshot);
        json_peers(out, snapshot);
        out_key(out, "streams");
        out_char(out, '[');
        for (size_t i = 0; i < snapshot->n_streams; i++) {
                out_next(out);
                look_stream_json(out, &snapshot->streams[i]);
        }
        out_text(out, "]}");
}
