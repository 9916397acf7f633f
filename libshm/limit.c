/*
 * limit.c - how far producers may go.
 *
 * `limit` is the licence to overwrite: a claim may end there and not beyond. It is what the slowest reader still needs,
 * plus one ring. Whoever runs into it computes it anew; the result is only ever raised.
 *
 * Invariant
 *   L1  limit <= min(T0, cursors, open intents) + capacity, where T0 is a tail read before the others. T0 counts even
 *       when there are consumers: a joiner that the scan missed stands at or after T0. Intents count even when there
 *       are none: else a lap would overwrite a claim in progress.
 */
#include "limit.h"

#include <errno.h>
#include <sched.h>

/* The position at which the slowest connected consumer stands, for a producer in segment `number`; at most `from`. */
uint64_t limit_slowest(const struct stream *s, uint64_t number, uint64_t base, uint64_t from)
{
        uint64_t min = from;
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        for (uint32_t i = 0; i < top && i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &s->ctl->consumer[i];
                uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
                unsigned state = ABI_CONSUMER_STATE(word);
                if (state != ABI_CONSUMER_JOINING && state != ABI_CONSUMER_ACTIVE)
                        continue;
                /* [cursor.r] acquire, pairs with [cursor.w]: its reads before the cursor are done. The segment first:
                 * a cursor of an earlier segment counts as this one's base. */
                uint64_t segment = atomic_load_explicit(&c->segment, memory_order_acquire);
                if (segment > number)
                        continue;
                uint64_t cursor = segment < number ? base : atomic_load_explicit(&c->cursor, memory_order_acquire);
                if (cursor < base)
                        cursor = base;
                if (cursor < min)
                        min = cursor;
        }
        return min;
}

/* Raise limit as far as it may go, as far as is useful, so that a claim may end at `need`. Tells what is in the way. */
enum limit_bar limit_refresh(struct stream *s, const struct segment *seg, uint64_t need)
{
        const struct ring *r = &seg->ring;
        uint64_t t0 = ring_tail(r, NULL);
        /* [join.r] seq_cst fence, pairs with [join.w]: either we see the joiner, or it sees a tail of at least t0. */
        atomic_thread_fence(memory_order_seq_cst);
        uint64_t min = limit_slowest(s, r->number, r->base, t0);
        uint64_t intent = ring_min_intent(r, t0);
        enum limit_bar bar = intent < min ? LIMIT_CLAIM : LIMIT_CONSUMER;
        if (intent < min)
                min = intent;
        if (min < r->base)
                return bar; /* damaged: do not let it widen the licence */
        bool enough = need <= min + r->capacity;
        ring_raise_limit(r, (enough ? ring_keep_history(r, need, min) : min) + r->capacity);
        return enough ? LIMIT_NONE : bar;
}

/* ---- disconnecting laggards ------------------------------------------------------------------------------ */

/* Count the messages from a position to the end of the chain. A claim in progress is waited for a little. */
static uint64_t kick_count(struct stream *s, uint64_t number, uint64_t position, uint64_t *end)
{
        uint64_t messages = 0, current = stream_current(s);
        *end = position;
        for (; number <= current; number++) {
                struct segment seg;
                if (segment_open(&seg, s, number, SEGMENT_LOOK))
                        break;
                uint64_t n, from = *end, tail = ring_tail(&seg.ring, NULL);
                for (int tries = 0; ring_count(&seg.ring, from, tail, &n) == RING_HOLE && tries < 100; tries++)
                        sched_yield();
                messages += n;
                *end = tail;
                segment_close(&seg);
        }
        return messages;
}

/* A consumer's cursor with the count that belongs to it. */
static void kick_stand(const struct abi_consumer *c, uint64_t *cursor, uint64_t *count)
{
        for (int tries = 0; tries < 1000; tries++) {
                uint64_t after = atomic_load_explicit(&c->count2, memory_order_acquire); /* [cursor.r] */
                *cursor = atomic_load_explicit(&c->cursor, memory_order_acquire);        /* [cursor.r] */
                *count = atomic_load_explicit(&c->count, memory_order_relaxed);
                if (*count == after)
                        return; /* nothing was passed between the two stores */
        }
}

/*
 * limit_kick - disconnect one consumer. Under the ctl lock. It learns from its word how many messages it missed, and
 * where it may come back. Returns 0, or -ENOENT: it is not connected.
 */
int limit_kick(struct stream *s, unsigned slot)
{
        struct abi_consumer *c = &s->ctl->consumer[slot];
        uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
        for (;;) {
                unsigned state = ABI_CONSUMER_STATE(word);
                if (state != ABI_CONSUMER_JOINING && state != ABI_CONSUMER_ACTIVE)
                        return -ENOENT;
                uint64_t cursor, count, end;
                kick_stand(c, &cursor, &count);
                uint64_t segment = atomic_load_explicit(&c->segment, memory_order_acquire);
                uint64_t missed = kick_count(s, segment, cursor, &end);
                /* relaxed: ordered by the word. */
                atomic_store_explicit(&c->kick_segment, stream_current(s), memory_order_relaxed);
                atomic_store_explicit(&c->kick_tail, end, memory_order_relaxed);
                /* [kick.w] acq_rel, pairs with [kick.r]: before any licence that this gives. By CAS: a joiner may
                 * turn ACTIVE meanwhile. */
                if (atomic_compare_exchange_strong_explicit(
                            &c->word, &word,
                            ABI_CONSUMER_WORD(ABI_CONSUMER_KICKED, ABI_CONSUMER_GEN(word), count + missed),
                            memory_order_acq_rel, memory_order_acquire))
                        break;
        }
        stream_members_changed(s);
        wait_wake_always(&s->ctl->data);
        return 0;
}

/* Disconnect every consumer that keeps a claim from ending at `need`. Returns how many, or a negative code: -ETIMEDOUT if
 * the lock cannot be had by the deadline. */
int limit_kick_laggards(struct stream *s, const struct segment *seg, uint64_t need, int64_t deadline)
{
        const struct ring *r = &seg->ring;
        int kicked = 0, rc = stream_lock(s, deadline);
        if (rc)
                return rc;
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_relaxed);
        for (uint32_t i = 0; i < top && i < ABI_CONSUMERS; i++) {
                struct abi_consumer *c = &s->ctl->consumer[i];
                uint64_t segment = atomic_load_explicit(&c->segment, memory_order_acquire);
                uint64_t cursor = segment < r->number ? r->base
                                                      : atomic_load_explicit(&c->cursor, memory_order_acquire);
                if (segment <= r->number && cursor + r->capacity < need)
                        kicked += limit_kick(s, i) == 0;
        }
        if (kicked)
                stream_reclaim(s);
        stream_unlock(s);
        return kicked;
}

/* ---- growth ---------------------------------------------------------------------------------------------- */

/*
 * limit_grow - open a successor of segment `number`, twice as large, at least so large that a claim of `bytes` fits.
 * Returns 0 (there is a successor, ours or another's), TORC_EFULL (capacity_max is reached), -ETIMEDOUT (the lock), -ENOSPC, ...
 */
int limit_grow(struct stream *s, const struct segment *seg, uint64_t bytes, int64_t deadline)
{
        uint64_t max = s->ctl->config.capacity_max, capacity = seg->ring.capacity;
        if (capacity >= max)
                return TORC_EFULL;
        do
                capacity *= 2;
        while (capacity < max && ring_claim_max(capacity) < bytes);
        int rc = stream_lock(s, deadline);
        if (rc)
                return rc;
        if (stream_current(s) == seg->ring.number && stream_state(s) == ABI_STREAM_OPEN) {
                struct change c;
                change_init(&c);
                rc = change_successor(&c, s, capacity,
                                      (uint32_t)atomic_load_explicit(&s->ctl->epoch, memory_order_relaxed));
                if (rc == 0)
                        rc = change_apply(&c, s);
                if (rc == 0)
                        stream_wake_all(s);
        } else {
                bool sealed;
                ring_tail(&seg->ring, &sealed);
                if (!sealed) /* S1: a segment that is not the present one, or whose stream has ended, is sealed */
                        rc = TORC_ECORRUPT;
        }
        stream_unlock(s);
        return rc;
}
