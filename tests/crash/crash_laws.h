/*
 * crash_laws.h - the invariants of docs/ARCHITECTURE.md, looked up in the bytes themselves: right after a victim has died
 * or stopped, when nobody has mended anything, and in the end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CRASH_LAWS_H
#define TORC_CRASH_LAWS_H

#include "crash_stage.h"

/* ---- the ring -------------------------------------------------------------------------------------------- */

struct law_intent {
        uint64_t start, end;
};

struct law_ring {
        const struct ring *ring;
        uint64_t tail, limit;
        struct law_intent open[ABI_PRODUCERS]; /* may hold a claim */
        unsigned slot[ABI_PRODUCERS];
        size_t n;
};

static inline bool law_stamped(const struct ring *r, uint64_t from, uint64_t to)
{
        struct ring_frame f;
        for (uint64_t p = from; p < to; p = f.next)
                if (!ring_stamped(r, p) || ring_peek(r, p, &f) != RING_OK)
                        return false;
        return true;
}

/* Claims that are not wholly committed. The limit is read before the cursors, which only rise. */
static inline void law_look(struct law_ring *l, const struct ring *r)
{
        l->ring = r;
        l->n = 0;
        l->tail = ring_tail(r, NULL);
        l->limit = ring_limit(r);
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                uint64_t start = atomic_load(&r->seg->intent[i].start), end = atomic_load(&r->seg->intent[i].end);
                if (start == ABI_NO_INTENT || end > l->tail || start >= end || start + r->capacity < l->limit ||
                    law_stamped(r, start, end))
                        continue;
                l->slot[l->n] = i;
                l->open[l->n++] = (struct law_intent){start, end};
        }
}

/* I5, I3: from p on, frames and open claims without gaps. Of two intents that hold p one may have lost. */
static inline bool law_covered(const struct law_ring *l, uint64_t p)
{
        struct ring_frame f;
        while (p < l->tail && ring_stamped(l->ring, p)) {
                if (ring_peek(l->ring, p, &f) != RING_OK)
                        return false;
                p = f.next;
        }
        if (p == l->tail)
                return true;
        for (size_t i = 0; i < l->n; i++)
                if (l->open[i].start <= p && p < l->open[i].end && law_covered(l, l->open[i].end))
                        return true;
        return false;
}

static inline void law_check_ring(struct round *r, const struct ring *ring)
{
        struct law_ring l;
        struct abi_ctl *ctl = r->eye.ctl;
        law_look(&l, ring);
        uint64_t least = l.tail, from = l.limit - ring->base <= ring->capacity ? ring->base : l.limit - ring->capacity;
        if (l.tail < ring->base || (l.tail & 15))
                stage_fail(r, "I1: tail %" PRIu64 " of segment %" PRIu64, l.tail, ring->number);
        for (size_t i = 0; i < l.n; i++)
                least = l.open[i].start < least ? l.open[i].start : least;
        for (unsigned i = 0; i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &ctl->consumer[i];
                unsigned state = ABI_CONSUMER_STATE(atomic_load(&c->word));
                if (r->scene->history || state != ABI_CONSUMER_ACTIVE || atomic_load(&c->segment) > ring->number)
                        continue;
                uint64_t at = atomic_load(&c->segment) < ring->number ? ring->base : atomic_load(&c->cursor);
                least = at < least ? at : least;
        }
        if (l.limit < l.tail || l.limit > least + ring->capacity)
                stage_fail(r, "I2: segment %" PRIu64 ": tail %" PRIu64 ", limit %" PRIu64 ", still needed from %" PRIu64,
                           ring->number, l.tail, l.limit, least);
        if (!law_covered(&l, from))
                stage_fail(r, "I3, I5, I6: segment %" PRIu64 " is not covered from %" PRIu64 " to %" PRIu64,
                           ring->number, from, l.tail);
}

/* ---- the chain ------------------------------------------------------------------------------------------- */

static inline bool law_redo_armed(const struct round *r)
{
        return atomic_load(&r->eye.ctl->redo.armed) != 0;
}

/* S1, S2, in the end or between two changes. */
static inline void law_check_chain(struct round *r)
{
        uint64_t first = atomic_load(&r->eye.ctl->first), current = atomic_load(&r->eye.ctl->current), end = 0;
        if (first < 1 || first > current)
                stage_fail(r, "S1: segments %" PRIu64 " to %" PRIu64, first, current);
        for (uint64_t n = first; n <= current; n++) {
                struct segment seg;
                bool sealed;
                int rc = segment_open(&seg, &r->eye, n, SEGMENT_LOOK);
                if (rc == -ENOENT && n == first && n < current)
                        continue; /* a reclaimer died between deleting it and saying so */
                if (rc)
                        stage_fail(r, "S1: segment %" PRIu64 " of %" PRIu64 " to %" PRIu64 ": %s", n, first, current,
                                   torc_errname(rc));
                uint64_t tail = ring_tail(&seg.ring, &sealed), base = seg.ring.base;
                law_check_ring(r, &seg.ring);
                segment_close(&seg);
                if (!sealed && n < current)
                        stage_fail(r, "S1: segment %" PRIu64 " is not sealed, current is %" PRIu64, n, current);
                if (end && base != end)
                        stage_fail(r, "S2: segment %" PRIu64 " begins at %" PRIu64 ", not at %" PRIu64, n, base, end);
                end = tail;
        }
}

/* A1. */
static inline void law_check_owners(struct round *r)
{
        unsigned owners = 0, sharers = 0;
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                unsigned state = ABI_WORD_STATE(atomic_load(&r->eye.ctl->producer[i].word));
                if ((state == ABI_PRODUCER_OWNER || state == ABI_PRODUCER_SHARED) && stream_producer_alive(&r->eye, i)) {
                        owners += state == ABI_PRODUCER_OWNER;
                        sharers += state == ABI_PRODUCER_SHARED;
                }
        }
        if (owners > 1 || (owners && sharers))
                stage_fail(r, "A1: %u owners, %u who share", owners, sharers);
}

/* J3: where a consumer stands there is a segment. */
static inline void law_check_consumers(struct round *r)
{
        uint64_t first = atomic_load(&r->eye.ctl->first), current = atomic_load(&r->eye.ctl->current);
        for (unsigned i = 0; i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &r->eye.ctl->consumer[i];
                uint64_t word = atomic_load(&c->word), segment = atomic_load(&c->segment);
                unsigned state = ABI_CONSUMER_STATE(word);
                if (state != ABI_CONSUMER_JOINING && state != ABI_CONSUMER_ACTIVE)
                        continue;
                if (segment < first || segment > current)
                        stage_fail(r, "J3: consumer %u stands in segment %" PRIu64 " of %" PRIu64 " to %" PRIu64, i,
                                   segment, first, current);
        }
}

static inline void law_check(struct round *r)
{
        if (law_redo_armed(r)) {
                struct segment seg; /* a change is half done: what holds at any moment */
                if (segment_open(&seg, &r->eye, atomic_load(&r->eye.ctl->current), SEGMENT_LOOK) == 0) {
                        law_check_ring(r, &seg.ring);
                        segment_close(&seg);
                }
                return;
        }
        law_check_chain(r);
        law_check_owners(r);
        law_check_consumers(r);
}

/* Claims that the dead have left open in one segment. Two intents that begin at one place are one claim. */
static inline uint64_t law_open_holes(struct round *r, const struct ring *ring)
{
        uint64_t holes = 0, seen[16];
        struct law_ring l;
        law_look(&l, ring);
        for (size_t i = 0; i < l.n && holes < 16; i++) {
                uint64_t at = l.open[i].start;
                struct ring_frame f;
                while (at < l.open[i].end && ring_stamped(ring, at) && ring_peek(ring, at, &f) == RING_OK)
                        at = f.next;
                bool known = stream_producer_alive(&r->eye, l.slot[i]);
                for (uint64_t k = 0; k < holes; k++)
                        known = known || seen[k] == at;
                if (!known)
                        seen[holes++] = at;
        }
        return holes;
}

/* A look at all segments; false: somebody was recovering meanwhile. */
static inline bool law_try_note(struct round *r)
{
        uint64_t aborted = atomic_load(&r->eye.ctl->aborted), holes = 0;
        bool busy = false;
        for (uint64_t n = atomic_load(&r->eye.ctl->first); n <= atomic_load(&r->eye.ctl->current) + 1; n++) {
                struct segment seg;
                char name[32];
                bool held = false;
                if (segment_open(&seg, &r->eye, n, SEGMENT_LOOK))
                        continue;
                holes += law_open_holes(r, &seg.ring);
                segment_close(&seg);
                snprintf(name, sizeof name, "0.%" PRIu64, n);
                int fd = file_open(r->eye_handle.fd[STREAM_FD_DIR], name, false);
                if (fd >= 0) {
                        file_lock_held(fd, ABI_LOCK_TABLE, &held);
                        close(fd);
                }
                busy = busy || held;
        }
        if (busy || aborted != atomic_load(&r->eye.ctl->aborted))
                return false;
        r->holes = aborted + holes > r->holes ? aborted + holes : r->holes;
        return true;
}

/* Note how many holes there are and have been. The reader may be recovering one, and a stopped victim, too. */
static inline void law_note_holes(struct round *r)
{
        for (int tries = 0; tries < 100 && !law_try_note(r); tries++)
                stage_nap();
}

#endif
