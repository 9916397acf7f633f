/*
 * roster.c - what a producer sees of the other side: who consumes, is that enough, has everybody read so far; and who
 * holds a stream, for those who were refused.
 */
#include "producer.h"

#include "limit.h"
#include "name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Readers tell when they have read a good part of the ring, or before they sleep; what they have read meanwhile has to be
 * looked for. */
#define ROSTER_FLUSH_NS 1000000

bool torc_producer_is_online(struct torc_producer *p)
{
        if (handle_dead(&p->handle))
                return false;
        const struct abi_config *cfg = &p->stream.ctl->config;
        return stream_count_consumers(&p->stream, cfg->online_min, cfg->online_tags, true) >= cfg->online_min;
}

/* ---- waiting for consumers ------------------------------------------------------------------------------- */

static bool roster_ready(struct torc_producer *p, void *arg)
{
        const struct torc_condition *want = arg;
        bool own_rule = want->kind == TORC_ONLINE || want->kind == TORC_OFFLINE;
        bool below = want->kind == TORC_OFFLINE || want->kind == TORC_UNSUBSCRIBED;
        const struct abi_config *cfg = &p->stream.ctl->config;
        uint32_t min = own_rule ? cfg->online_min : want->minimum ? want->minimum : 1;
        uint32_t n = stream_count_consumers(&p->stream, min, own_rule ? cfg->online_tags : want->tags, true);
        return below ? n < min : n >= min;
}

int torc_producer_wait_for(struct torc_producer *p, const struct torc_condition *condition, int timeout_ms)
{
        struct torc_condition want = *condition;
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (want.kind < TORC_ONLINE || want.kind > TORC_UNSUBSCRIBED)
                return -EINVAL;
        if (tags_check(want.tags))
                return TORC_ETAGS;
        return producer_wait(p, &p->stream.ctl->access, roster_ready, &want, wait_deadline(timeout_ms),
                             WAIT_SLICE_NS);
}

/* ---- flush ----------------------------------------------------------------------------------------------- */

static bool roster_flushed(struct torc_producer *p, void *arg)
{
        return limit_read_by_all(&p->stream, *(uint64_t *)arg);
}

int torc_producer_flush(struct torc_producer *p, const struct torc_id *id, int timeout_ms)
{
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (!id && !p->messages)
                return 0;
        uint64_t position = id ? id->position : p->last_position;
        return producer_wait(p, &p->stream.ctl->space, roster_flushed, &position, wait_deadline(timeout_ms),
                             ROSTER_FLUSH_NS);
}

/* ---- the list -------------------------------------------------------------------------------------------- */

static uint64_t roster_ref(uint32_t slot, uint64_t word)
{
        return (uint64_t)ABI_CONSUMER_GEN(word) << 16 | slot;
}

static enum torc_connection roster_connection(const struct stream *s, uint32_t slot, uint64_t word)
{
        unsigned state = ABI_CONSUMER_STATE(word);
        if (state == ABI_CONSUMER_KICKED || !stream_consumer_alive(s, slot))
                return TORC_TERMINATED;
        return state == ABI_CONSUMER_JOINING ? TORC_CONNECTING : TORC_CONNECTED;
}

static void roster_fill(const struct stream *s, uint32_t slot, uint64_t word, uint64_t tail,
                        struct torc_consumer_info *info)
{
        const struct abi_consumer *c = &s->ctl->consumer[slot];
        /* [missed.r] acquire, pairs with [missed.w]: what is noted as missed stands in count too. */
        uint64_t missed = atomic_load_explicit(&c->missed, memory_order_acquire);
        uint64_t count = atomic_load_explicit(&c->count, memory_order_relaxed);
        *info = (struct torc_consumer_info){
                .ref = roster_ref(slot, word),
                .connection = roster_connection(s, slot, word),
                .cursor = atomic_load_explicit(&c->cursor, memory_order_relaxed),
                .segment = atomic_load_explicit(&c->segment, memory_order_relaxed),
                .stats = {
                        .bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed),
                        .missed_messages = missed + atomic_load_explicit(&c->overtaken, memory_order_relaxed),
                        .missed_bytes = atomic_load_explicit(&c->missed_bytes, memory_order_relaxed),
                        .attached_ns = atomic_load_explicit(&c->attached_ns, memory_order_relaxed),
                },
        };
        /* It goes on while we look: each number is right, their difference may be of two moments. */
        info->stats.messages = count > info->stats.missed_messages ? count - info->stats.missed_messages : 0;
        info->stats.lag_bytes = tail > info->cursor ? tail - info->cursor : 0;
        int64_t now = wait_wall_ns();
        if (info->stats.attached_ns > 0 && info->stats.attached_ns < now)
                info->stats.uptime_ns = now - info->stats.attached_ns;
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_KICKED)
                info->stats.missed_messages += ABI_CONSUMER_CUT_OFF(word, count);
        snprintf(info->name, sizeof info->name, "%.*s", TORC_LABEL_MAX, c->name);
        const struct abi_peer *peer = bus_peer(s->bus, atomic_load_explicit(&c->peer_slot, memory_order_relaxed),
                                               atomic_load_explicit(&c->peer_gen, memory_order_relaxed));
        if (!peer)
                return;
        info->pid = atomic_load_explicit(&peer->pid, memory_order_relaxed);
        info->uid = atomic_load_explicit(&peer->uid, memory_order_relaxed);
        snprintf(info->peer_name, sizeof info->peer_name, "%.*s", TORC_LABEL_MAX, peer->name);
        snprintf(info->tags, sizeof info->tags, "%.*s", TORC_TAGS_MAX, peer->tags);
}

int torc_producer_consumers(struct torc_producer *p, struct torc_consumer_info *infos, size_t cap, size_t *count)
{
        const struct stream *s = &p->stream;
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        uint64_t tail = ring_tail(&p->seg.ring, NULL);
        size_t n = 0;
        for (uint32_t i = 0; i < ABI_CONSUMERS; i++) {
                uint64_t word = atomic_load_explicit(&s->ctl->consumer[i].word, memory_order_acquire); /* [slot.r] */
                if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_FREE)
                        continue;
                if (n < cap)
                        roster_fill(s, i, word, tail, &infos[n]);
                n++;
        }
        *count = n;
        return 0;
}

static bool roster_gone(struct torc_producer *p, void *arg)
{
        uint64_t ref = *(uint64_t *)arg;
        uint32_t slot = (uint32_t)(ref & 0xffff);
        if (slot >= ABI_CONSUMERS)
                return true;
        uint64_t word = atomic_load_explicit(&p->stream.ctl->consumer[slot].word, memory_order_acquire); /* [slot.r] */
        return ABI_CONSUMER_STATE(word) == ABI_CONSUMER_FREE || roster_ref(slot, word) != ref ||
               roster_connection(&p->stream, slot, word) == TORC_TERMINATED;
}

int torc_producer_wait_disconnect(struct torc_producer *p, uint64_t ref, int timeout_ms)
{
        int rc = handle_dead(&p->handle);
        return rc ? rc
                  : producer_wait(p, &p->stream.ctl->access, roster_gone, &ref, wait_deadline(timeout_ms),
                                  WAIT_SLICE_NS);
}

/* ---- who holds a stream ---------------------------------------------------------------------------------- */

static void roster_holder(const struct stream *s, unsigned slot, struct torc_access_info *info)
{
        const struct abi_producer *p = &s->ctl->producer[slot];
        const struct abi_peer *peer = bus_peer(s->bus, atomic_load_explicit(&p->peer_slot, memory_order_relaxed),
                                               atomic_load_explicit(&p->peer_gen, memory_order_relaxed));
        info->held = true;
        info->holder_pid = peer ? atomic_load_explicit(&peer->pid, memory_order_relaxed) : 0;
        snprintf(info->holder_name, sizeof info->holder_name, "%.*s", TORC_LABEL_MAX, p->name);
}

int torc_stream_access(struct torc_bus *bus, const char *stream, struct torc_access_info *info)
{
        struct handle h;
        struct stream s;
        bool created;
        handle_init(&h, bus, NULL);
        int rc = stream_open(&s, bus, &h, stream, NULL, TORC_NO_CREATE, &created);
        if (rc == 0) {
                *info = (struct torc_access_info){
                        .epoch = (uint32_t)atomic_load_explicit(&s.ctl->epoch, memory_order_relaxed)};
                for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                        unsigned state = ABI_WORD_STATE(
                                atomic_load_explicit(&s.ctl->producer[i].word, memory_order_acquire)); /* [slot.r] */
                        if (state == ABI_PRODUCER_FREE || state == ABI_PRODUCER_FENCED ||
                            !stream_producer_alive(&s, i))
                                continue;
                        info->producers += state != ABI_PRODUCER_WAITING;
                        info->waiters += state == ABI_PRODUCER_WAITING;
                        if (state == ABI_PRODUCER_OWNER)
                                info->access = TORC_EXCLUSIVE;
                        if (state != ABI_PRODUCER_WAITING && (!info->held || state == ABI_PRODUCER_OWNER))
                                roster_holder(&s, i, info);
                }
        }
        handle_close_fds(&h);
        stream_close(&s);
        return rc;
}
