/*
 * json.c - a snapshot as JSON. Names are those of torc_admin.h and stay; more may come. Times are nanoseconds,
 * sizes bytes, rates per second and null where they are not known. Enums are words. Text that is not UTF-8 has
 * U+FFFD where it is broken.
 *
 * SPDX-License-Identifier: MIT
 */
#include "print.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>

/* Writes the comma between members; a value is written by its own call. */
struct json {
        FILE *out;
        bool first; /* nothing stands in the present object or array yet */
};

static void json_text(struct json *j, const char *text)
{
        fputc('"', j->out);
        while (*text) {
                char bytes[4];
                uint32_t c = text_decode(&text);
                if (c == '"' || c == '\\')
                        fprintf(j->out, "\\%c", (char)c);
                else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029)
                        fprintf(j->out, "\\u%04x", (unsigned)c);
                else
                        fwrite(bytes, 1, text_encode(bytes, (wchar_t)c), j->out);
        }
        fputc('"', j->out);
}

static void json_next(struct json *j)
{
        if (!j->first)
                fputc(',', j->out);
        j->first = false;
}

static void json_key(struct json *j, const char *key)
{
        json_next(j);
        fprintf(j->out, "\"%s\":", key);
}

static void json_open(struct json *j, const char *key, char bracket)
{
        if (key)
                json_key(j, key);
        else
                json_next(j);
        fputc(bracket, j->out);
        j->first = true;
}

static void json_close(struct json *j, char bracket)
{
        fputc(bracket, j->out);
        j->first = false;
}

static void json_string(struct json *j, const char *key, const char *value)
{
        json_key(j, key);
        json_text(j, value);
}

static void json_uint(struct json *j, const char *key, uint64_t value)
{
        json_key(j, key);
        fprintf(j->out, "%" PRIu64, value);
}

static void json_int(struct json *j, const char *key, int64_t value)
{
        json_key(j, key);
        fprintf(j->out, "%" PRId64, value);
}

static void json_bool(struct json *j, const char *key, bool value)
{
        json_key(j, key);
        fputs(value ? "true" : "false", j->out);
}

static void json_error(struct json *j, int error)
{
        json_string(j, "error", error ? torc_errname(error) : "");
}

/* With a decimal point in every locale. */
static void json_real(struct json *j, const char *key, bool known, double value)
{
        json_key(j, key);
        uint64_t thousandths = value > 0 && value < 1e15 ? (uint64_t)(value * 1000 + 0.5) : 0;
        if (known)
                fprintf(j->out, "%" PRIu64 ".%03" PRIu64, thousandths / 1000, thousandths % 1000);
        else
                fputs("null", j->out);
}

static void json_rates(struct json *j, const struct rates *rates)
{
        json_real(j, "messages_per_s", rates->known, rates->messages);
        json_real(j, "bytes_per_s", rates->known, rates->bytes);
}

static void json_losses(struct json *j, const uint64_t losses[TORC_LOSS_COUNT])
{
        json_open(j, "losses", '{');
        for (int i = 0; i < TORC_LOSS_COUNT; i++)
                json_uint(j, torc_loss_word((enum torc_loss)i), losses[i]);
        json_close(j, '}');
}

/* ---- a stream -------------------------------------------------------------------------------------------- */

static void json_producer(struct json *j, const struct model *m, size_t stream, size_t i)
{
        static const char *const words[] = {"?", "shared", "owner", "waiting", "fenced"};
        const struct torc_producer_info *p = &m->snap->streams[stream].producers[i];
        int64_t age = model_claim_age(m, stream, i);
        json_open(j, NULL, '{');
        json_uint(j, "slot", p->slot);
        json_string(j, "name", p->name);
        json_string(j, "state", words[(size_t)p->state <= TORC_PRODUCER_FENCED ? p->state : 0]);
        json_bool(j, "alive", p->alive);
        json_int(j, "pid", p->pid);
        json_uint(j, "uid", p->uid);
        json_uint(j, "peer_slot", p->peer_slot);
        json_uint(j, "start_ticks", p->start_ticks);
        json_uint(j, "epoch", p->epoch);
        json_uint(j, "segment", p->segment);
        json_uint(j, "messages", p->messages);
        json_uint(j, "bytes", p->bytes);
        json_rates(j, &m->streams[stream].producers[i].rates);
        json_bool(j, "blocked", p->blocked);
        json_bool(j, "claim_open", p->claim_open);
        json_uint(j, "claim_start", p->claim_start);
        json_uint(j, "claim_end", p->claim_end);
        json_int(j, "claim_age_at_least_ns", age > 0 ? age : 0);
        json_uint(j, "fenced_epoch", p->fenced_epoch);
        json_int(j, "fencer_pid", p->fencer_pid);
        json_string(j, "fencer_name", p->fencer_name);
        json_close(j, '}');
}

static void json_consumer(struct json *j, const struct model *m, size_t stream, size_t i)
{
        static const char *const words[] = {"?", "connecting", "connected", "terminated"};
        const struct torc_consumer_info *c = &m->snap->streams[stream].consumers[i];
        const struct consumer_look *look = &m->consumers[m->streams[stream].first_consumer + i];
        json_open(j, NULL, '{');
        json_uint(j, "ref", c->ref);
        json_string(j, "name", c->name);
        json_string(j, "connection", words[(size_t)c->connection <= TORC_TERMINATED ? c->connection : 0]);
        json_int(j, "pid", c->pid);
        json_uint(j, "uid", c->uid);
        json_string(j, "peer_name", c->peer_name);
        json_string(j, "tags", c->tags);
        json_uint(j, "cursor", c->cursor);
        json_uint(j, "segment", c->segment);
        json_uint(j, "messages", c->stats.messages);
        json_uint(j, "bytes", c->stats.bytes);
        json_rates(j, &look->rates);
        json_uint(j, "missed_messages", c->stats.missed_messages);
        json_uint(j, "missed_bytes", c->stats.missed_bytes);
        json_uint(j, "lag_bytes", c->stats.lag_bytes);
        json_real(j, "lag_share", true, look->lag_share);
        json_int(j, "attached_ns", c->stats.attached_ns);
        json_int(j, "uptime_ns", c->stats.uptime_ns);
        json_close(j, '}');
}

static void json_segment(struct json *j, const struct torc_segment_info *g)
{
        json_open(j, NULL, '{');
        json_uint(j, "shard", g->shard);
        json_uint(j, "number", g->number);
        json_string(j, "state", word_segment(g->state));
        json_error(j, g->error);
        json_uint(j, "epoch", g->epoch);
        json_uint(j, "capacity", g->capacity);
        json_uint(j, "base", g->base);
        json_uint(j, "tail", g->tail);
        json_uint(j, "limit", g->limit);
        json_close(j, '}');
}

static void json_waiter(struct json *j, const struct torc_waiter_info *w)
{
        json_open(j, NULL, '{');
        json_uint(j, "ticket", w->ticket);
        json_string(j, "name", w->name);
        json_bool(j, "alive", w->alive);
        json_int(j, "pid", w->pid);
        json_close(j, '}');
}

static void json_policy(struct json *j, const struct torc_stream_info *s)
{
        json_uint(j, "capacity_bytes", s->capacity_bytes);
        json_uint(j, "capacity_max_bytes", s->capacity_max_bytes);
        json_uint(j, "max_message_bytes", s->max_message_bytes);
        json_string(j, "lag", word_lag(s->lag));
        json_uint(j, "online_min", s->online_min);
        json_string(j, "online_tags", s->online_tags);
        json_uint(j, "max_consumers", s->max_consumers);
        json_uint(j, "uid", s->uid);
        json_uint(j, "gid", s->gid);
        json_uint(j, "mode", s->mode);
        json_int(j, "created_ns", s->created_ns);
}

static void json_stream(struct json *j, const struct model *m, size_t index)
{
        const struct torc_stream_info *s = &m->snap->streams[index];
        const struct stream_look *look = &m->streams[index];
        enum style style;
        json_open(j, NULL, '{');
        json_string(j, "name", s->name);
        json_error(j, s->error);
        json_string(j, "state", word_stream(model_stream_word(m, index), &style));
        json_bool(j, "ended", s->ended);
        json_bool(j, "online", s->online);
        json_policy(j, s);
        json_string(j, "access", word_access(s->access));
        json_uint(j, "epoch", s->epoch);
        json_int(j, "owner_pid", s->owner_pid);
        json_string(j, "owner_name", s->owner_name);
        json_uint(j, "tail", s->tail);
        json_uint(j, "messages", s->messages);
        json_uint(j, "bytes", s->bytes);
        json_rates(j, &look->rates);
        json_losses(j, s->losses);
        json_string(j, "slowest_consumer", look->slowest == NONE ? "" : s->consumers[look->slowest].name);
        json_real(j, "lag_share", look->slowest != NONE, look->lag_share);
        json_open(j, "producers", '[');
        for (size_t i = 0; i < s->n_producers; i++)
                json_producer(j, m, index, i);
        json_close(j, ']');
        json_open(j, "waiters", '[');
        for (size_t i = 0; i < s->n_waiters; i++)
                json_waiter(j, &s->waiters[i]);
        json_close(j, ']');
        json_open(j, "consumers", '[');
        for (size_t i = 0; i < s->n_consumers; i++)
                json_consumer(j, m, index, i);
        json_close(j, ']');
        json_open(j, "segments", '[');
        for (size_t i = 0; i < s->n_segments; i++)
                json_segment(j, &s->segments[i]);
        json_close(j, ']');
        json_close(j, '}');
}

/* ---- the bus --------------------------------------------------------------------------------------------- */

static void json_peer(struct json *j, const struct torc_peer_info *p)
{
        json_open(j, NULL, '{');
        json_uint(j, "slot", p->slot);
        json_string(j, "name", p->name);
        json_bool(j, "alive", p->alive);
        json_int(j, "pid", p->pid);
        json_uint(j, "uid", p->uid);
        json_uint(j, "gid", p->gid);
        json_uint(j, "start_ticks", p->start_ticks);
        json_int(j, "attached_ns", p->attached_ns);
        json_string(j, "tags", p->tags);
        json_close(j, '}');
}

static void json_supervisor(struct json *j, const struct torc_supervisor_info *s)
{
        json_open(j, "supervisor", '{');
        json_bool(j, "known", s->known);
        json_error(j, s->error);
        json_bool(j, "alive", s->alive);
        json_int(j, "pid", s->pid);
        json_int(j, "started_ns", s->started_ns);
        json_int(j, "updated_ns", s->updated_ns);
        json_string(j, "config", s->config);
        json_close(j, '}');
}

static void json_group(struct json *j, const struct torc_group_info *g)
{
        json_open(j, NULL, '{');
        json_string(j, "name", g->name);
        json_string(j, "stream", g->stream);
        json_string(j, "command", g->command);
        json_string(j, "access", word_access((enum torc_access)g->access));
        json_string(j, "restart", word_restart(g->restart));
        json_uint(j, "count", g->count);
        json_close(j, '}');
}

static void json_member(struct json *j, const struct torc_member_info *member)
{
        json_open(j, NULL, '{');
        json_string(j, "group", member->group);
        json_uint(j, "index", member->index);
        json_string(j, "state", torc_member_state_word(member->state));
        json_int(j, "pid", member->pid);
        json_uint(j, "start_ticks", member->start_ticks);
        json_int(j, "started_ns", member->started_ns);
        json_int(j, "due_ns", member->due_ns);
        json_uint(j, "restarts", member->restarts);
        json_uint(j, "backoff_ms", member->backoff_ms);
        json_int(j, "last_status", member->last_status);
        json_uint(j, "log_dropped", member->log_dropped);
        json_string(j, "cause", member->cause);
        json_close(j, '}');
}

static void json_event(struct json *j, const struct torc_event_info *e)
{
        enum style style;
        json_open(j, NULL, '{');
        json_uint(j, "sequence", e->sequence);
        json_int(j, "time_ns", e->time_ns);
        json_string(j, "kind", word_event(e->kind, &style));
        json_string(j, "text", e->text);
        json_close(j, '}');
}

void print_json(FILE *out, const struct model *m)
{
        const struct torc_snapshot *snap = m->snap;
        struct json json = {out, true}, *j = &json;
        json_open(j, NULL, '{');
        json_string(j, "version", TORC_VERSION);
        json_string(j, "bus", snap->bus);
        json_string(j, "path", snap->path);
        json_int(j, "wall_ns", snap->wall_ns);
        json_int(j, "monotonic_ns", snap->monotonic_ns);
        json_rates(j, &m->totals.rates);
        json_losses(j, m->totals.losses);
        json_supervisor(j, &snap->supervisor);
        json_open(j, "streams", '[');
        for (size_t i = 0; i < snap->n_streams; i++)
                json_stream(j, m, i);
        json_close(j, ']');
        json_open(j, "peers", '[');
        for (size_t i = 0; i < snap->n_peers; i++)
                json_peer(j, &snap->peers[i]);
        json_close(j, ']');
        json_open(j, "groups", '[');
        for (size_t i = 0; i < snap->n_groups; i++)
                json_group(j, &snap->groups[i]);
        json_close(j, ']');
        json_open(j, "members", '[');
        for (size_t i = 0; i < snap->n_members; i++)
                json_member(j, &snap->members[i]);
        json_close(j, ']');
        json_open(j, "events", '[');
        for (size_t i = 0; i < snap->n_events; i++)
                json_event(j, &snap->events[i]);
        json_close(j, ']');
        json_close(j, '}');
        fputc('\n', out);
}
