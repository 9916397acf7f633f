/*
 * model.c - what follows from one snapshot after another; model.h tells what.
 *
 * Objects are found again by what names them: a stream by its name and time of creation, a consumer by its ref, a
 * producer by its slot and name, a claim by its position. Snapshots are sorted (streams by name, members by slot),
 * so that the old one is walked along with the new one instead of searched.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rates ----------------------------------------------------------------------------------------------- */

static struct rates model_rates(uint64_t messages0, uint64_t bytes0, uint64_t messages1, uint64_t bytes1,
                                int64_t ns)
{
        if (ns <= 0)
                return (struct rates){0};
        /* Counters only rise; one that fell was damaged or belongs to another object. */
        double m = messages1 > messages0 ? (double)(messages1 - messages0) : 0;
        double b = bytes1 > bytes0 ? (double)(bytes1 - bytes0) : 0;
        return (struct rates){true, m * 1e9 / (double)ns, b * 1e9 / (double)ns};
}

static double model_share(uint64_t lag, const struct torc_stream_info *s)
{
        uint64_t capacity = s->capacity_bytes;
        if (s->n_segments && s->segments[s->n_segments - 1].capacity)
                capacity = s->segments[s->n_segments - 1].capacity;
        return capacity ? (double)lag / (double)capacity : 0;
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static void model_producers(struct stream_look *look, const struct torc_stream_info *s,
                            const struct stream_look *look0, const struct torc_stream_info *s0, int64_t now,
                            int64_t ns)
{
        for (size_t i = 0, j = 0; i < s->n_producers; i++) {
                const struct torc_producer_info *p = &s->producers[i];
                struct producer_look *pl = &look->producers[i];
                while (s0 && j < s0->n_producers && s0->producers[j].slot < p->slot)
                        j++;
                const struct torc_producer_info *p0 = s0 && j < s0->n_producers ? &s0->producers[j] : NULL;
                if (p0 && (p0->slot != p->slot || strcmp(p0->name, p->name) != 0))
                        p0 = NULL;
                if (p0)
                        pl->rates = model_rates(p0->messages, p0->bytes, p->messages, p->bytes, ns);
                if (p->claim_open) {
                        bool same = p0 && p0->claim_open && p0->claim_start == p->claim_start;
                        pl->claim_since_ns = same ? look0->producers[j].claim_since_ns : now;
                        if (now - pl->claim_since_ns > look->claim_age_ns) {
                                look->claim_age_ns = now - pl->claim_since_ns;
                                look->claim = i;
                        }
                }
                look->producing += p->alive && p->state != TORC_PRODUCER_FENCED;
                look->blocked |= p->alive && p->blocked;
                look->owner_dead |= !p->alive && p->state == TORC_PRODUCER_OWNER;
        }
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

static void model_consumers(struct model *m, size_t index, const struct torc_stream_info *s0, int64_t ns)
{
        const struct torc_stream_info *s = &m->snap->streams[index];
        struct stream_look *look = &m->streams[index];
        look->first_consumer = m->n_consumers;
        for (size_t i = 0, j = 0; i < s->n_consumers; i++) {
                const struct torc_consumer_info *c = &s->consumers[i];
                struct consumer_look *cl = &m->consumers[m->n_consumers++];
                *cl = (struct consumer_look){.stream = index, .consumer = i};
                cl->lag_share = model_share(c->stats.lag_bytes, s);
                while (s0 && j < s0->n_consumers && (s0->consumers[j].ref & 0xffff) < (c->ref & 0xffff))
                        j++;
                if (s0 && j < s0->n_consumers && s0->consumers[j].ref == c->ref)
                        cl->rates = model_rates(s0->consumers[j].stats.messages, s0->consumers[j].stats.bytes,
                                                c->stats.messages, c->stats.bytes, ns);
                if (c->connection == TORC_TERMINATED)
                        continue;
                look->connected++;
                if (look->slowest == NONE || c->stats.lag_bytes > look->lag_bytes) {
                        look->slowest = i;
                        look->lag_bytes = c->stats.lag_bytes;
                        look->lag_share = cl->lag_share;
                }
        }
}

/* ---- streams --------------------------------------------------------------------------------------------- */

static int model_stream(struct model *m, size_t index, const struct model *old, size_t old_index)
{
        const struct torc_stream_info *s = &m->snap->streams[index];
        const struct torc_stream_info *s0 = old_index == NONE ? NULL : &old->snap->streams[old_index];
        const struct stream_look *look0 = s0 ? &old->streams[old_index] : NULL;
        struct stream_look *look = &m->streams[index];
        int64_t ns = old->snap ? m->snap->monotonic_ns - old->snap->monotonic_ns : 0;
        look->slowest = look->claim = NONE;
        look->producers = calloc(s->n_producers ? s->n_producers : 1, sizeof *look->producers);
        if (!look->producers)
                return -ENOMEM;
        for (int i = 0; i < TORC_LOSS_COUNT; i++)
                look->lost += s->losses[i];
        for (size_t i = 0; i < s->n_segments; i++)
                look->damaged |= s->segments[i].error != 0 && s->segments[i].error != -EACCES;
        if (s0) {
                look->history = look0->history;
                look->lost_now = look->lost > look0->lost ? look->lost - look0->lost : 0;
                look->rates = model_rates(s0->messages, s0->bytes, s->messages, s->bytes, ns);
                if (look->rates.known)
                        series_add(&look->history, look->rates.messages);
        }
        model_producers(look, s, look0, s0, m->snap->monotonic_ns, ns);
        model_consumers(m, index, s0, ns);
        return 0;
}

static int model_all_streams(struct model *m, const struct model *old)
{
        size_t j = 0, n0 = old->snap ? old->snap->n_streams : 0;
        for (size_t i = 0; i < m->snap->n_streams; i++) {
                const struct torc_stream_info *s = &m->snap->streams[i];
                int order = 1;
                while (j < n0 && (order = strcmp(old->snap->streams[j].name, s->name)) < 0)
                        j++;
                bool same = j < n0 && order == 0 && !s->error && !old->snap->streams[j].error &&
                            old->snap->streams[j].created_ns == s->created_ns;
                int rc = model_stream(m, i, old, same ? j : NONE);
                if (rc)
                        return rc;
        }
        return 0;
}

/* ---- peers ----------------------------------------------------------------------------------------------- */

struct peer_key {
        int64_t pid;
        size_t index;
};

static int model_by_pid(const void *a, const void *b)
{
        const struct peer_key *x = a, *y = b;
        if (x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        return x->index < y->index ? -1 : x->index > y->index;
}

static void model_note_stream(struct peer_look *peer, const char *stream)
{
        size_t used = strlen(peer->streams), cap = sizeof peer->streams;
        size_t before = strlen(stream);
        /* The same stream twice in a row: two handles on it. */
        if (used >= before && strcmp(peer->streams + used - before, stream) == 0 &&
            (used == before || peer->streams[used - before - 1] == ' '))
                return;
        snprintf(peer->streams + used, cap - used, "%s%s", used ? " " : "", stream);
}

/* Consumers and waiters name their peer by pid, not by slot. One process may have several peers: consumers tell the
 * name as well. */
static size_t model_find_peer(const struct torc_snapshot *snap, const struct peer_key *keys, int64_t pid,
                              const char *name)
{
        size_t low = 0, high = snap->n_peers;
        while (low < high) {
                size_t mid = low + (high - low) / 2;
                if (keys[mid].pid < pid)
                        low = mid + 1;
                else
                        high = mid;
        }
        for (; low < snap->n_peers && keys[low].pid == pid; low++) {
                if (!name || strcmp(snap->peers[keys[low].index].name, name) == 0)
                        return keys[low].index;
        }
        return NONE;
}

static void model_roles(struct model *m, const struct peer_key *keys, const size_t *by_slot)
{
        for (size_t i = 0; i < m->snap->n_streams; i++) {
                const struct torc_stream_info *s = &m->snap->streams[i];
                for (size_t j = 0; j < s->n_producers; j++) {
                        size_t peer = s->producers[j].peer_slot < TORC_MAX_PEERS
                                              ? by_slot[s->producers[j].peer_slot]
                                              : NONE;
                        if (peer == NONE || m->snap->peers[peer].pid != s->producers[j].pid)
                                continue;
                        m->peers[peer].producers++;
                        model_note_stream(&m->peers[peer], s->name);
                }
                for (size_t j = 0; j < s->n_consumers; j++) {
                        size_t peer =
                                model_find_peer(m->snap, keys, s->consumers[j].pid, s->consumers[j].peer_name);
                        if (peer == NONE)
                                continue;
                        m->peers[peer].consumers++;
                        model_note_stream(&m->peers[peer], s->name);
                }
                for (size_t j = 0; j < s->n_waiters; j++) {
                        size_t peer = model_find_peer(m->snap, keys, s->waiters[j].pid, NULL);
                        if (peer == NONE)
                                continue;
                        m->peers[peer].waiters++;
                        model_note_stream(&m->peers[peer], s->name);
                }
        }
}

static size_t model_member_of(const struct torc_snapshot *snap, int64_t pid)
{
        for (size_t i = 0; i < snap->n_members; i++) {
                if (snap->members[i].pid == pid)
                        return i;
        }
        return NONE;
}

static int model_all_peers(struct model *m)
{
        size_t n = m->snap->n_peers;
        struct peer_key *keys = calloc(n + 1, sizeof *keys);
        size_t *by_slot = malloc(TORC_MAX_PEERS * sizeof *by_slot);
        m->peers = calloc(n + 1, sizeof *m->peers);
        int rc = keys && by_slot && m->peers ? 0 : -ENOMEM;
        for (size_t i = 0; rc == 0 && i < TORC_MAX_PEERS; i++)
                by_slot[i] = NONE;
        for (size_t i = 0; rc == 0 && i < n; i++) {
                const struct torc_peer_info *p = &m->snap->peers[i];
                keys[i] = (struct peer_key){p->pid, i};
                if (p->slot < TORC_MAX_PEERS)
                        by_slot[p->slot] = i;
                m->peers[i].member = p->pid ? model_member_of(m->snap, p->pid) : NONE;
                m->totals.live_peers += p->alive;
                m->totals.dead_peers += !p->alive;
        }
        if (rc == 0) {
                qsort(keys, n, sizeof *keys, model_by_pid);
                model_roles(m, keys, by_slot);
        }
        free(keys);
        free(by_slot);
        return rc;
}

/* ---- totals ---------------------------------------------------------------------------------------------- */

static void model_totals(struct model *m, const struct model *old)
{
        struct totals *t = &m->totals;
        t->history = old->totals.history;
        t->rates.known = old->snap != NULL && m->snap->monotonic_ns > old->snap->monotonic_ns;
        for (size_t i = 0; i < m->snap->n_streams; i++) {
                const struct torc_stream_info *s = &m->snap->streams[i];
                const struct stream_look *look = &m->streams[i];
                t->exclusive += s->access == TORC_EXCLUSIVE;
                t->consumers += look->connected;
                t->rates.messages += look->rates.messages;
                t->rates.bytes += look->rates.bytes;
                for (int k = 0; k < TORC_LOSS_COUNT; k++)
                        t->losses[k] += s->losses[k];
                t->lost += look->lost;
                t->lost_now += look->lost_now;
        }
        if (t->rates.known)
                series_add(&t->history, t->rates.messages);
}

/* ---- the model ------------------------------------------------------------------------------------------- */

void model_free(struct model *m)
{
        for (size_t i = 0; m->streams && i < m->snap->n_streams; i++)
                free(m->streams[i].producers);
        free(m->streams);
        free(m->consumers);
        free(m->peers);
        torc_snapshot_free(&m->snap);
        *m = (struct model){0};
}

int model_advance(struct model *m, struct torc_snapshot *snap)
{
        struct model next = {.snap = snap};
        size_t consumers = 0;
        for (size_t i = 0; i < snap->n_streams; i++)
                consumers += snap->streams[i].n_consumers;
        next.streams = calloc(snap->n_streams + 1, sizeof *next.streams);
        next.consumers = calloc(consumers + 1, sizeof *next.consumers);
        int rc = next.streams && next.consumers ? model_all_streams(&next, m) : -ENOMEM;
        if (rc == 0)
                rc = model_all_peers(&next);
        if (rc) {
                model_free(&next);
                return rc;
        }
        model_totals(&next, m);
        model_free(m);
        *m = next;
        return 0;
}

int64_t model_claim_age(const struct model *m, size_t stream, size_t producer)
{
        int64_t since = m->streams[stream].producers[producer].claim_since_ns;
        return since && since < m->snap->monotonic_ns ? m->snap->monotonic_ns - since : -1;
}

enum stream_word model_stream_word(const struct model *m, size_t stream)
{
        const struct torc_stream_info *s = &m->snap->streams[stream];
        const struct stream_look *look = &m->streams[stream];
        if (s->error || look->damaged)
                return STREAM_DAMAGED;
        if (look->claim != NONE && look->claim_age_ns >= MODEL_STUCK_NS)
                return STREAM_STUCK;
        if (s->ended)
                return STREAM_ENDED;
        if (!s->online)
                return STREAM_OFFLINE;
        if (look->blocked)
                return STREAM_BLOCKED;
        return look->rates.known && look->rates.messages > 0 ? STREAM_ACTIVE : STREAM_IDLE;
}
