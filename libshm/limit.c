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

#include "fault.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define LIMIT_TRIES 100 /* looks at a claim in progress */
#define KICK_TRIES 100  /* looks at a consumer in progress, */
#define KICK_PATIENCE_NS 50000000 /* and how long it is waited for */

static bool limit_counts(const struct abi_consumer *c)
{
        unsigned state = ABI_CONSUMER_STATE(atomic_load_explicit(&c->word, memory_order_acquire)); /* [slot.r] */
        return state == ABI_CONSUMER_JOINING || state == ABI_CONSUMER_ACTIVE;
}

/* The position at which the slowest connected consumer stands, for a producer in segment `number`; at most `from`. */
static uint64_t limit_slowest(const struct stream *s, uint64_t number, uint64_t base, uint64_t from)
{
        uint64_t min = from;
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        for (uint32_t i = 0; i < top && i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &s->ctl->consumer[i];
                if (!limit_counts(c))
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

/* Has every connected consumer read up to and including the message at a position? Positions go on over segments, so
 * that cursors compare whatever segment they stand in. */
bool limit_read_by_all(const struct stream *s, uint64_t position)
{
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        for (uint32_t i = 0; i < top && i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &s->ctl->consumer[i];
                /* [cursor.r] acquire, pairs with [cursor.w]. */
                if (limit_counts(c) && atomic_load_explicit(&c->cursor, memory_order_acquire) <= position)
                        return false;
        }
        return true;
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
        /* An open claim that is in the way by itself: no reader gets past it, and it is not their fault. */
        enum limit_bar bar = need > r->capacity && intent < need - r->capacity ? LIMIT_CLAIM : LIMIT_CONSUMER;
        if (intent < min)
                min = intent;
        if (min < r->base)
                return bar; /* damaged: do not let it widen the licence */
        bool enough = need <= min + r->capacity;
        FAULT(limit_refresh_due); /* who joins from here on is not in the minimum */
        ring_raise_limit(r, (enough ? ring_keep_history(r, need, min) : min) + r->capacity);
        return enough ? LIMIT_NONE : bar;
}

/* ---- disconnecting laggards ------------------------------------------------------------------------------ */

/*
 * In one segment. A claim in progress is waited for a little; that of a dead producer, which nobody else may be about to
 * settle, is recovered. `over` passes over it by its intent. That may have been of one that lost the claim, and may lead
 * into the middle of the winner's: who finds neither a frame nor a claim there goes back and looks again.
 */
static uint64_t limit_count_segment(struct stream *s, const struct ring *r, uint64_t *position, uint64_t to, bool over)
{
        uint64_t messages = 0, n, hole = UINT64_MAX;
        for (int tries = 0;; tries++) {
                uint64_t from = *position;
                enum ring_result result = ring_walk(r, position, to, &n);
                messages += n;
                if (*position != from) {
                        hole = UINT64_MAX;
                        tries = 0;
                }
                if (result != RING_HOLE || tries == LIMIT_TRIES)
                        return messages;
                uint64_t end = over ? ring_claim_end(r, *position) : *position;
                if (end > *position) {
                        hole = hole == UINT64_MAX ? *position : hole;
                        *position = end;
                } else if (hole != UINT64_MAX) {
                        *position = hole;
                        hole = UINT64_MAX;
                } else if (tries == LIMIT_TRIES / 2) {
                        segment_recover(s, r->number, *position);
                } else {
                        sched_yield();
                }
        }
}

/*
 * limit_count - count the messages from *at to position `until` or the end of the chain, and move *at to where the count
 * ends: there, or (unless `over`: what is not committed is passed over) at a claim that stays open.
 */
uint64_t limit_count(struct stream *s, struct limit_place *at, uint64_t until, bool over)
{
        uint64_t messages = 0;
        struct segment seg;
        for (;;) {
                uint64_t current = stream_current(s); /* before the tail: an earlier segment's tail is final */
                if (segment_open(&seg, s, at->segment, SEGMENT_LOOK))
                        return messages;
                uint64_t tail = ring_tail(&seg.ring, NULL), to = tail < until ? tail : until;
                messages += limit_count_segment(s, &seg.ring, &at->position, to, over);
                segment_close(&seg);
                if (at->position < to || to == until || at->segment >= current)
                        return messages;
                at->segment++;
        }
}

/* Where a consumer stands, with the count that belongs to it. It may have lost the CPU between the stores, which is when it is
 * likely to lag: then it is waited for, since a count that belongs to another place would make what it missed one too many. Not for
 * long: it may have been stopped there. */
static void kick_stand(const struct abi_consumer *c, struct limit_place *at, uint64_t *count)
{
        int64_t give_up = 0;
        for (int tries = 0;; tries++) {
                at->segment = atomic_load_explicit(&c->segment, memory_order_acquire);    /* [cursor.r] */
                uint64_t after = atomic_load_explicit(&c->count2, memory_order_acquire);  /* [cursor.r] */
                at->position = atomic_load_explicit(&c->cursor, memory_order_acquire);    /* [cursor.r] */
                *count = atomic_load_explicit(&c->count, memory_order_acquire);
                if (*count == after && atomic_load_explicit(&c->segment, memory_order_relaxed) == at->segment)
                        return; /* nothing was passed between the stores */
                if (tries < KICK_TRIES)
                        continue;
                if (give_up == 0)
                        give_up = wait_mono_ns() + KICK_PATIENCE_NS;
                else if (wait_over(give_up))
                        return;
                nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
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
                struct limit_place at;
                uint64_t count;
                kick_stand(c, &at, &count);
                uint64_t missed = limit_count(s, &at, UINT64_MAX, false);
                /* relaxed: ordered by the word. */
                atomic_store_explicit(&c->kick_segment, at.segment, memory_order_relaxed);
                FAULT(limit_kick_segment);
                atomic_store_explicit(&c->kick_tail, at.position, memory_order_relaxed);
                FAULT(limit_kick_tail);
                /* [kick.w] acq_rel, pairs with [kick.r]: before any licence that this gives. By CAS: a joiner may
                 * turn ACTIVE meanwhile. */
                if (atomic_compare_exchange_strong_explicit(
                            &c->word, &word,
                            ABI_CONSUMER_WORD(ABI_CONSUMER_KICKED, ABI_CONSUMER_GEN(word), count + missed),
                            memory_order_acq_rel, memory_order_acquire))
                        break;
        }
        FAULT(limit_kick_word);
        stream_members_changed(s);
        stream_wake_all(s); /* it may sleep, or poll */
        return 0;
}

/* Disconnect every consumer that keeps a claim from ending at `need`. Returns how many, or a negative code: -ETIMEDOUT if
 * the lock cannot be had by the deadline. */
int limit_kick_laggards(struct stream *s, const struct segment *seg, uint64_t need, int64_t deadline)
{
        const struct ring *r = &seg->ring;
        int kicked = 0, rc = stream_lock_or_cancel(s, deadline);
        if (rc)
                return rc;
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_relaxed);
        for (uint32_t i = 0; i < top && i < ABI_CONSUMERS; i++) {
                struct abi_consumer *c = &s->ctl->consumer[i];
                /* [cursor.r] acquire, pairs with [cursor.w]: a cursor is never older than its segment. */
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
        int rc = stream_lock_or_cancel(s, deadline);
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
