/*
 * ring.c - one segment's ring.
 *
 * Positions are bytes and grow for ever; offset = position mod capacity. A producer announces what it is about to take
 * (its intent), takes it by moving `tail`, fills it in, and stamps each frame with a value that only a committed frame
 * at exactly that position can carry. A reader looks at one stamp and knows.
 *
 *          limit - capacity                 cursor            tail                       limit
 *   ---------|---------------------------------|----------------|--------------------------|------> position
 *            |  history, may be overwritten    |  to be read    |  free                    |
 *            '-------------------------------- capacity ----------------------------------'
 *
 * Invariants
 *   I1  tail only grows, and not once ABI_SEALED is set. Its value is always a frame boundary.
 *   I2  limit only grows; tail <= limit <= (every byte still needed) + capacity.
 *   I3  every claimed and uncommitted byte lies in the intent of the producer that claimed it.
 *   I4  a frame carries its stamp only when all of it is written.
 *   I5  frames do not cross the ring's end; [base, tail) is covered by frames and by open claims, without gaps.
 *   I6  limit - capacity is a frame boundary: reading may start there.
 *
 * Labels in brackets, ending in .w and .r, mark the two sides of an atomic pair; docs/ARCHITECTURE.md has the table.
 */
#include "ring.h"

#include "fault.h"

#include <string.h>

#define POSITION(tail) ((tail) & ~ABI_SEALED)

/* FNV-1a over the constants: enough to notice damage, no defence against forgery. */
uint64_t ring_seg_checksum(const struct abi_seg *seg)
{
        const unsigned char *p = (const unsigned char *)seg + offsetof(struct abi_seg, head.version);
        const unsigned char *end = (const unsigned char *)seg + offsetof(struct abi_seg, checksum);
        uint64_t h = 0xcbf29ce484222325ull;
        for (; p < end; p++)
                h = (h ^ *p) * 0x100000001b3ull;
        return h;
}

/* Lay out an empty segment in zeroed memory. No FAULT here: nobody else sees it yet. */
void ring_format(struct abi_seg *seg, uint64_t stream_id, uint64_t number, uint64_t capacity, uint64_t base,
                 uint64_t secret, uint32_t epoch)
{
        seg->head.version = ABI_VERSION;
        seg->head.header_bytes = sizeof *seg;
        seg->head.file_bytes = sizeof *seg + capacity;
        seg->head.id = stream_id;
        seg->number = number;
        seg->capacity = capacity;
        seg->base = base;
        seg->secret = secret;
        seg->epoch = epoch;
        seg->checksum = ring_seg_checksum(seg);
        atomic_store_explicit(&seg->tail, base, memory_order_relaxed);
        atomic_store_explicit(&seg->limit, base + capacity, memory_order_relaxed);
        for (unsigned i = 0; i < ABI_PRODUCERS; i++)
                atomic_store_explicit(&seg->intent[i].start, ABI_NO_INTENT, memory_order_relaxed);
        /* [magic.w] release, pairs with [magic.r]: whoever sees the magic sees the header. */
        atomic_store_explicit(&seg->head.magic, ABI_MAGIC_SEG, memory_order_release);
}

enum ring_result ring_attach(struct ring *r, void *map, size_t size)
{
        struct abi_seg *seg = map;
        if (size < sizeof *seg)
                return RING_CORRUPT;
        /* [magic.r] acquire, pairs with [magic.w]. */
        if (atomic_load_explicit(&seg->head.magic, memory_order_acquire) != ABI_MAGIC_SEG)
                return RING_CORRUPT;
        *r = (struct ring){.seg = seg, .data = (unsigned char *)map + sizeof *seg, .capacity = seg->capacity,
                           .mask = seg->capacity - 1, .base = seg->base, .secret = seg->secret,
                           .number = seg->number, .epoch = seg->epoch};
        if (seg->checksum != ring_seg_checksum(seg) || r->capacity < 64 || (r->capacity & (r->capacity - 1)) ||
            size - sizeof *seg != r->capacity || r->base >= ABI_POSITION_MAX || (r->base & 15))
                return RING_CORRUPT;
        r->frame_mask = r->mask & ~(uint64_t)(ABI_FRAME_BYTES - 1);
        r->eighth = (uint32_t)__builtin_ctzll(r->capacity) - 3;
        return RING_OK;
}

uint64_t ring_tail(const struct ring *r, bool *sealed)
{
        /* [tail.r] acquire, pairs with [tail.w]: who sees a claim sees the intent that holds it. */
        uint64_t t = atomic_load_explicit(&r->seg->tail, memory_order_acquire);
        if (sealed)
                *sealed = t & ABI_SEALED;
        return POSITION(t);
}

uint64_t ring_limit(const struct ring *r)
{
        /* [limit.r] acquire, pairs with [limit.w]. */
        return atomic_load_explicit(&r->seg->limit, memory_order_acquire);
}

/* ---- claim and commit ------------------------------------------------------------------------------------ */

/* Fill up to the ring's end, where the frame of a claim would cross it. The claim's intent goes on behind. */
void ring_pad(const struct ring *r, unsigned slot, uint64_t from, uint64_t to)
{
        ring_stamp_frame(r, from, (uint32_t)(to - from - ABI_FRAME_BYTES), ABI_FRAME_PAD, slot);
        ring_advance_intent(r, slot, to);
}

/* ring_seal - let no claim succeed any more. Idempotent. Returns the position at which the segment ends. */
uint64_t ring_seal(const struct ring *r)
{
        /* [tail.w] acq_rel: joins the release sequence of the claims, so that [tail.r] still sees their intents. */
        uint64_t t = atomic_fetch_or_explicit(&r->seg->tail, ABI_SEALED, memory_order_acq_rel);
        FAULT(ring_seal);
        return POSITION(t);
}

/* ---- read ------------------------------------------------------------------------------------------------ */

/*
 * ring_peek - what stands at a position? RING_OK fills *frame. RING_EMPTY, RING_END, RING_HOLE as the names say;
 * RING_GONE: overwritten meanwhile; RING_CORRUPT.
 */
enum ring_result ring_peek(const struct ring *r, uint64_t position, struct ring_frame *frame)
{
        if (ring_stamped(r, position))
                return ring_header(r, position, frame);
        bool sealed;
        uint64_t tail = ring_tail(r, &sealed);
        if (position == tail)
                return sealed ? RING_END : RING_EMPTY;
        if (position > tail || tail - position > r->capacity)
                return position > tail ? RING_CORRUPT : RING_GONE;
        if (ring_stamped(r, position)) /* committed between the two looks */
                return ring_header(r, position, frame);
        return ring_overwritten(r, position) ? RING_GONE : RING_HOLE;
}

/*
 * The oldest position at which reading may start. A frame boundary by I6: limits are set to capacity beyond a tail, a
 * cursor, an intent's start or a checkpoint.
 */
uint64_t ring_earliest(const struct ring *r)
{
        uint64_t limit = ring_limit(r);
        return limit - r->base <= r->capacity ? r->base : limit - r->capacity;
}

/* Count the messages from *position to `to`, moving it along. Stops with RING_HOLE at an uncommitted frame, having counted
 * so far. */
enum ring_result ring_walk(const struct ring *r, uint64_t *position, uint64_t to, uint64_t *messages)
{
        uint64_t n = 0, p = *position;
        enum ring_result result = RING_OK;
        while (p < to) {
                struct ring_frame f;
                result = ring_peek(r, p, &f);
                if (result != RING_OK)
                        break;
                n += !(f.flags & ABI_FRAME_PAD);
                p = f.next;
        }
        *position = p;
        *messages = n;
        return result;
}

/* Where the open claim that holds p ends, by the intents; p if none does (any more). For counting only: of two that seem to
 * hold it, one of which has lost it, the nearer end counts. */
uint64_t ring_claim_end(const struct ring *r, uint64_t p)
{
        uint64_t tail = ring_tail(r, NULL), nearest = UINT64_MAX;
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                /* [intent.r] acquire, pairs with [intent.w]. */
                uint64_t start = atomic_load_explicit(&r->seg->intent[i].start, memory_order_acquire);
                uint64_t end = atomic_load_explicit(&r->seg->intent[i].end, memory_order_relaxed);
                if (start <= p && p < end && end <= tail && end < nearest)
                        nearest = end;
        }
        return nearest == UINT64_MAX ? p : nearest;
}

/* ---- limit ----------------------------------------------------------------------------------------------- */

/* Are all frames of [start, end) committed? Frames of others count: then the intent has lost and holds nothing. */
static bool ring_committed(const struct ring *r, uint64_t start, uint64_t end)
{
        struct ring_frame f;
        for (uint64_t p = start; p < end; p = f.next)
                if (!ring_stamped(r, p) || ring_header(r, p, &f) != RING_OK)
                        return false;
        return true;
}

/*
 * ring_min_intent - the lowest position held by a claim that may still be open, or UINT64_MAX.
 * t0           a tail read (acquire) before this call.
 *
 * An intent that ends beyond t0 does not count: won after t0 was read, it starts at or after t0; else it has lost.
 * One that is wholly committed, or that the ring has moved beyond, does not count either, so that a producer
 * stopped with such an intent holds nobody up.
 */
uint64_t ring_min_intent(const struct ring *r, uint64_t t0)
{
        uint64_t min = UINT64_MAX;
        /* Read after t0: a producer that claimed before t0 raised the top before its claim, and we see the claim. */
        uint32_t top = r->intent_top ? atomic_load_explicit(r->intent_top, memory_order_relaxed) : ABI_PRODUCERS;
        for (unsigned i = 0; i < top && i < ABI_PRODUCERS; i++) {
                /* [intent.r] acquire, pairs with [intent.w]; [none.r] acquire, pairs with [none.w]. */
                uint64_t start = atomic_load_explicit(&r->seg->intent[i].start, memory_order_acquire);
                if (start >= min)
                        continue; /* NONE too */
                /* [intent.r] acquire: if this end belongs to a later intent than start, start's claim is committed. */
                uint64_t end = atomic_load_explicit(&r->seg->intent[i].end, memory_order_acquire);
                if (end > t0 || end - start > r->capacity || ring_overwritten(r, start) ||
                    ring_committed(r, start, end))
                        continue;
                min = start;
        }
        return min;
}

/*
 * ring_keep_history - how far must the oldest kept position move so that a claim may end at `need`? Returns a frame
 * boundary <= highest: the lowest checkpoint that gives room for the claim and for an eighth of the ring more, else
 * `highest`. Late joiners so find most of a ring of history, where moving to `highest` at once would leave none.
 */
uint64_t ring_keep_history(const struct ring *r, uint64_t need, uint64_t highest)
{
        uint64_t limit = ring_limit(r), best = highest;
        uint64_t wanted = need + r->capacity / 8;
        if (highest < r->base || wanted - r->base <= r->capacity)
                return highest;
        for (unsigned i = 0; i < ABI_CHECKPOINTS; i++) {
                uint64_t c = atomic_load_explicit(&r->seg->checkpoint[i], memory_order_relaxed);
                if (c < best && c >= wanted - r->capacity && c + r->capacity > limit && c >= r->base && !(c & 15))
                        best = c;
        }
        return best;
}

/* Raise limit to at least `limit`. */
void ring_raise_limit(const struct ring *r, uint64_t limit)
{
        uint64_t old = atomic_load_explicit(&r->seg->limit, memory_order_relaxed); /* relaxed: the CAS decides */
        while (old < limit)
                /* [limit.w] release, pairs with [limit.r]: the cursors we read with acquire ([cursor.r]) go on to
                 * whoever claims by this limit. */
                if (atomic_compare_exchange_weak_explicit(&r->seg->limit, &old, limit, memory_order_acq_rel,
                                                          memory_order_relaxed)) {
                        FAULT(ring_raise_limit);
                        return;
                }
}

/* ---- recover --------------------------------------------------------------------------------------------- */

/* Is a dead producer's claim all that holds p? If so, the nearest start of another intent beyond p is in *bound. */
static enum ring_result ring_holders(const struct ring *r, uint64_t p, uint64_t *bound, ring_alive_fn *alive,
                                     void *arg)
{
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                /* [intent.r] acquire, pairs with [intent.w]; [none.r] acquire, pairs with [none.w]: if the claim
                 * has been committed and its intent cleared, our second look at the stamp will see it. */
                uint64_t start = atomic_load_explicit(&r->seg->intent[i].start, memory_order_acquire);
                if (start == ABI_NO_INTENT)
                        continue;
                uint64_t end = atomic_load_explicit(&r->seg->intent[i].end, memory_order_relaxed);
                if (start <= p && p < end && alive(arg, i))
                        return RING_BUSY;
                if (start > p && start < *bound)
                        *bound = start;
        }
        return RING_OK;
}

/* Fill [from, to) with aborted padding, split at the ring's end; the later part first, so that a recoverer that dies
 * in between leaves a boundary for the next. */
static void ring_fill(const struct ring *r, uint64_t from, uint64_t to)
{
        uint64_t room = r->capacity - (from & (r->capacity - 1));
        uint64_t cut = to - from > room ? from + room : to;
        if (cut < to)
                ring_stamp_frame(r, cut, (uint32_t)(to - cut - ABI_FRAME_BYTES), ABI_FRAME_PAD, 0);
        ring_stamp_frame(r, from, (uint32_t)(cut - from - ABI_FRAME_BYTES), ABI_FRAME_PAD | ABI_FRAME_ABORTED, 0);
}

/*
 * ring_recover - settle an uncommitted position p. Call it under the segment's recovery lock.
 * RING_OK: p is stamped now, by whomever, or was not claimed. RING_BUSY: a live producer holds it. RING_GONE: the ring has
 * moved on. RING_HOLE: nobody holds it and there was nothing to do but mark it: done, counted as one aborted hole.
 */
enum ring_result ring_recover(const struct ring *r, uint64_t p, ring_alive_fn *alive, void *arg)
{
        uint64_t t = ring_tail(r, NULL);
        if (p >= t || ring_stamped(r, p))
                return RING_OK;
        uint64_t q = t;
        FAULT(ring_recover_due); /* the owner may commit from here on */
        if (ring_holders(r, p, &q, alive, arg) == RING_BUSY)
                return RING_BUSY;
        /* The second look: between the first and the reading of intents the owner may have committed and cleared. */
        if (ring_stamped(r, p))
                return RING_OK;
        if (ring_overwritten(r, p))
                return RING_GONE;
        /* Two dead producers can both have intended p, one having lost the race for tail: the nearest of tail, the
         * other intents and the committed frames beyond settles where the winner's claim ends. The intents were read
         * before these stamps, so that a claim that was committed in between is found by its stamp. */
        for (uint64_t s = p + 16; s < q && s - p <= r->capacity; s += 16)
                if (ring_stamped(r, s))
                        q = s;
        if (q - p > r->capacity || (q & 15) || (p & 15))
                return RING_CORRUPT;
        ring_fill(r, p, q);
        return RING_HOLE;
}

/*
 * ring_reap - settle everything a dead producer may have left in this segment, then clear its intent. Call it under
 * the recovery lock, with the slot's owner proven dead. RING_OK: the slot may be used again. RING_BUSY: a live
 * producer still holds a part; come again. Adds the holes it filled to *holes.
 */
enum ring_result ring_reap(const struct ring *r, unsigned slot, ring_alive_fn *alive, void *arg, uint32_t *holes)
{
        struct abi_intent *intent = &r->seg->intent[slot];
        /* [intent.r] acquire, pairs with [intent.w]. Its end is not followed by another: the owner is dead. */
        uint64_t start = atomic_load_explicit(&intent->start, memory_order_acquire);
        if (start == ABI_NO_INTENT)
                return RING_OK;
        uint64_t end = atomic_load_explicit(&intent->end, memory_order_relaxed);
        uint64_t tail = ring_tail(r, NULL);
        if (end > tail)
                end = tail;
        if ((start & 15) || (start < end && end - start > r->capacity))
                return RING_CORRUPT;
        for (uint64_t p = start; p < end;) {
                enum ring_result result = ring_recover(r, p, alive, arg);
                if (result == RING_GONE)
                        break;
                if (result != RING_OK && result != RING_HOLE)
                        return result;
                *holes += result == RING_HOLE;
                struct ring_frame f;
                result = ring_header(r, p, &f);
                if (result == RING_CORRUPT)
                        return result;
                /* The ring may have moved on between the recovery and the header. */
                if (result == RING_GONE || ring_overwritten(r, p))
                        break;
                p = f.next;
        }
        /* [none.w] release, pairs with [none.r]: the frames above are stamped. */
        atomic_store_explicit(&intent->start, ABI_NO_INTENT, memory_order_release);
        FAULT(ring_reap_intent);
        return RING_OK;
}
