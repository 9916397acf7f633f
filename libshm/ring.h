/*
 * ring.h - one segment's ring: claim, commit, read, seal, recover. Works on raw memory: no mmap, no system call, no
 * allocation, so that a unit test and a fuzzer can own it whole. libshm/ring.c tells the protocol.
 */
#ifndef TORC_RING_H
#define TORC_RING_H

#include "abi.h"
#include "fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mapped segment with its constants copied out, checked once. The map is the caller's. */
struct ring {
        struct abi_seg *seg;
        unsigned char *data;
        uint64_t capacity, mask, base, secret;
        uint64_t frame_mask; /* mask, but for the bits below a frame's alignment */
        uint64_t number;
        uint32_t epoch;
        uint32_t eighth; /* log2 of an eighth of the capacity */
        const _Atomic uint32_t *intent_top; /* producer slots at and above were never used; NULL: any may be in use */
};

enum ring_result {
        RING_OK = 0,
        RING_EMPTY,   /* the position is the tail: nothing claimed yet */
        RING_END,     /* the position is the sealed tail: go on in the successor */
        RING_HOLE,    /* claimed, not committed */
        RING_FULL,    /* the claim would pass limit */
        RING_SEALED,  /* no claim succeeds here any more */
        RING_BUSY,    /* recovery has to wait: a live producer holds the bytes */
        RING_GONE,    /* the ring has moved on beyond the position */
        RING_CORRUPT, /* an invariant of the layout does not hold */
};

struct ring_claim {
        uint64_t position; /* of the frame, after any padding */
        uint64_t end;      /* of the claim */
};

struct ring_frame {
        uint64_t position;
        uint64_t next; /* position of the frame after it */
        unsigned char *body;
        uint32_t length;
        uint16_t flags;
        uint16_t producer;
};

/* Frame bytes for a message of `length` metadata + payload bytes. */
static inline uint64_t ring_frame_bytes(uint64_t length)
{
        return (ABI_FRAME_BYTES + length + 15) & ~15ull;
}

/* The largest claim that always fits once the ring is drained, padding at the end included. */
static inline uint64_t ring_claim_max(uint64_t capacity)
{
        return capacity / 2;
}

/* Where a frame at a position stands. Positions read from shared memory may be any number: the mask keeps them in the
 * map and aligned; the stamp, which is mixed from the position as it is, tells that there is no such frame. */
static inline struct abi_frame *ring_at(const struct ring *r, uint64_t position)
{
        return (struct abi_frame *)(void *)(r->data + (position & r->frame_mask));
}

/*
 * The stamp of a committed frame at a position: a bijection of position xor secret, so that neither bytes of an earlier
 * lap nor a payload that mimics a header match but with probability 2^-64. Multiplied by an odd number, so that stamps of
 * one place in different laps differ in many bits: no single flipped bit makes the one of another. (The multiplier is that of
 * Fibonacci hashing, 2^64 over the golden ratio: Knuth, The Art of Computer Programming 3, 6.4.)
 */
static inline uint64_t ring_stamp(const struct ring *r, uint64_t position)
{
        return (position ^ r->secret) * 0x9e3779b97f4a7c15ull;
}

/* Is the frame at a position committed? Looks at its own cache line only: what a waiting reader spins on. */
static inline bool ring_stamped(const struct ring *r, uint64_t position)
{
        /* [stamp.r] acquire, pairs with [stamp.w]. */
        return atomic_load_explicit(&ring_at(r, position)->stamp, memory_order_acquire) == ring_stamp(r, position);
}

uint64_t ring_seg_checksum(const struct abi_seg *seg);
void ring_format(struct abi_seg *seg, uint64_t stream_id, uint64_t number, uint64_t capacity, uint64_t base,
                 uint64_t secret, uint32_t epoch);
enum ring_result ring_attach(struct ring *r, void *map, size_t size);

void ring_pad(const struct ring *r, unsigned slot, uint64_t from, uint64_t to);

uint64_t ring_tail(const struct ring *r, bool *sealed);
uint64_t ring_limit(const struct ring *r);
uint64_t ring_earliest(const struct ring *r);
uint64_t ring_min_intent(const struct ring *r, uint64_t t0);
uint64_t ring_keep_history(const struct ring *r, uint64_t need, uint64_t highest);
void ring_raise_limit(const struct ring *r, uint64_t limit);

enum ring_result ring_peek(const struct ring *r, uint64_t position, struct ring_frame *frame);
enum ring_result ring_walk(const struct ring *r, uint64_t *position, uint64_t to, uint64_t *messages);

uint64_t ring_claim_end(const struct ring *r, uint64_t position);
uint64_t ring_seal(const struct ring *r);

/* Is the producer in this slot alive? Asked during recovery only. */
typedef bool ring_alive_fn(void *arg, unsigned slot);
enum ring_result ring_recover(const struct ring *r, uint64_t position, ring_alive_fn *alive, void *arg);
enum ring_result ring_reap(const struct ring *r, unsigned slot, ring_alive_fn *alive, void *arg, uint32_t *holes);

/* ---- claim and commit: in line, since a send consists of little else ------------------------------------- */

/*
 * How many bytes should a frame that ends at `end` be longer, so that the next one of its size takes no more cache lines
 * than it must? Less than a line. A reader that has caught up waits for each line from the other CPU.
 */
static inline uint64_t ring_slack(uint64_t end, uint64_t bytes)
{
        uint64_t at = end & (ABI_LINE - 1), last = ((bytes - 1) & (ABI_LINE - 1)) + 1;
        return at + last > ABI_LINE && at ? ABI_LINE - at : 0;
}

/* Where a claim enters another eighth of the ring, leave a hint: its end is a frame boundary. For ring_keep_history(). */
static inline void ring_checkpoint(const struct ring *r, uint64_t start, uint64_t end)
{
        if (__builtin_expect((start ^ end) >> r->eighth != 0, 0)) {
                /* relaxed: a hint only; its reader takes it if it lies where it may. A lost race or a death leaves
                 * an older boundary there. */
                atomic_store_explicit(&r->seg->checkpoint[(end >> r->eighth) % ABI_CHECKPOINTS], end,
                                      memory_order_relaxed);
                FAULT(ring_checkpoint);
        }
}

/* Ask for a cache line to write to. Only a hint. */
static inline void ring_want(const void *line)
{
#if defined(__x86_64__)
        /* The compiler's builtin would only ask to read. */
        __asm__ volatile("prefetchw %0" : : "m"(*(const unsigned char *)line));
#else
        __builtin_prefetch(line, 1);
#endif
}

/*
 * Ask for the cache lines that the claims after the next few will fill. The compare-and-swap of a claim waits for all stores
 * before it, so a line still owned by a reader's CPU would be waited for by each claim anew; asked for some claims ahead it is
 * here in time. Not much further: a reader's own prefetching takes lines back that lie close behind it. (Measured, one by
 * one, 32 bytes, with a reader that keeps its distance: 4 lines ahead 43 to 53, 8 lines 55, 16 lines 45 to 55 million messages a
 * second; with one that does not, and without this, 18.) Only a hint to the CPU.
 */
#define RING_AHEAD 512
static inline void ring_prepare(const struct ring *r, uint64_t position)
{
        ring_want(r->data + ((position + RING_AHEAD) & r->frame_mask));
}

static inline enum ring_result ring_take(const struct ring *r, unsigned slot, uint64_t bytes, bool slack,
                                         struct ring_claim *claim, uint64_t *need)
{
        struct abi_intent *intent = &r->seg->intent[slot];
        ring_want(&r->seg->tail); /* to write: where producers contend, a load alone would bring it to be read, and then again */
        uint64_t t = atomic_load_explicit(&r->seg->tail, memory_order_relaxed); /* relaxed: the CAS decides */
        for (;;) {
                if (__builtin_expect((t & (ABI_POSITION_MAX | 15)) != 0, 0))
                        return t & ABI_SEALED ? RING_SEALED : RING_CORRUPT;
                uint64_t room = r->capacity - (t & r->mask);
                uint64_t position = room < bytes ? t + room : t;
                uint64_t end = position + bytes;
                if (slack)
                        end += ring_slack(end, bytes);
                /* [limit.r] acquire, pairs with [limit.w]: what readers did with the bytes below limit - capacity
                 * happened before we write there. */
                if (__builtin_expect(end > atomic_load_explicit(&r->seg->limit, memory_order_acquire), 0)) {
                        *need = end;
                        return RING_FULL;
                }
                ring_prepare(r, position);
                /* [intent.w] end first, then start, both with release, pair with [intent.r]: a start is never seen
                 * with the end of an older intent of ours; and who sees this end sees our last claim committed, or
                 * it would take that claim's start, with this end, for an intent that has lost. */
                atomic_store_explicit(&intent->end, end, memory_order_release);
                FAULT(ring_claim_end_of_intent);
                atomic_store_explicit(&intent->start, t, memory_order_release);
                FAULT(ring_claim_start_of_intent);
                /* [tail.w] release, pairs with [tail.r]: who sees the claim sees the intent. Weak: a spurious
                 * failure costs one more lap. */
                if (__builtin_expect(atomic_compare_exchange_weak_explicit(&r->seg->tail, &t, end, memory_order_release,
                                                                           memory_order_relaxed), 1)) {
                        FAULT(ring_claim_tail);
                        /* [torn.w] release fence, pairs with [torn.r]: limit was raised, so a reader that sees any
                         * byte we write now sees, after its fence, that it was kicked or that limit moved. */
                        atomic_thread_fence(memory_order_release);
                        *claim = (struct ring_claim){.position = position, .end = end};
                        ring_checkpoint(r, t, end);
                        if (__builtin_expect(position != t, 0))
                                ring_pad(r, slot, t, position);
                        return RING_OK;
                }
                /* Lost. An intent left standing would hold limit back for a claim that never was. relaxed: nothing
                 * was written under it. */
                atomic_store_explicit(&intent->start, ABI_NO_INTENT, memory_order_relaxed);
                FAULT(ring_claim_lost);
        }
}

/*
 * ring_claim - take `bytes` (whole frames, a multiple of 16, at most ring_claim_max()) for the producer in `slot`.
 * RING_OK: claim->position.. is the caller's until stamped. RING_FULL: *need is what limit would have to be; raise it
 * and come again. RING_SEALED, RING_CORRUPT.
 */
static inline enum ring_result ring_claim(const struct ring *r, unsigned slot, uint64_t bytes,
                                          struct ring_claim *claim, uint64_t *need)
{
        return ring_take(r, slot, bytes, false, claim, need);
}

/* ring_claim_one - the same for one frame, which may come out longer, by its slack. Commit it with ring_stamp_claim(). */
static inline enum ring_result ring_claim_one(const struct ring *r, unsigned slot, uint64_t bytes,
                                              struct ring_claim *claim, uint64_t *need)
{
        return ring_take(r, slot, bytes, true, claim, need);
}

/* Commit one claimed frame: its header, then its stamp. */
static inline void ring_stamp_frame(const struct ring *r, uint64_t position, uint32_t length, unsigned flags,
                                    unsigned slot)
{
        struct abi_frame *f = ring_at(r, position);
        /* relaxed: ordered by the stamp. */
        atomic_store_explicit(&f->info, ABI_INFO(length, flags, slot), memory_order_relaxed);
        FAULT(ring_stamp_info);
        /* [stamp.w] release, pairs with [stamp.r]: who sees the stamp sees header and payload whole. */
        atomic_store_explicit(&f->stamp, ring_stamp(r, position), memory_order_release);
        FAULT(ring_stamp);
}

/* Commit the frame of a ring_claim_one(). */
static inline void ring_stamp_claim(const struct ring *r, const struct ring_claim *claim, uint32_t length,
                                    unsigned flags, unsigned slot)
{
        unsigned slack = (unsigned)(claim->end - claim->position) - (unsigned)ring_frame_bytes(length);
        ring_stamp_frame(r, claim->position, length, flags | slack << (ABI_FRAME_SLACK_SHIFT - 4), slot);
}

/* The part of the claim before `position` is committed. */
static inline void ring_advance_intent(const struct ring *r, unsigned slot, uint64_t position)
{
        /* [none.w] release, pairs with [none.r]: who misses the committed part in the intent finds its stamps. */
        atomic_store_explicit(&r->seg->intent[slot].start, position, memory_order_release);
        FAULT(ring_advance_intent);
}

/* All of the claim is committed. */
static inline void ring_clear_intent(const struct ring *r, unsigned slot)
{
        /* [none.w] release, pairs with [none.r]: a cleared intent means committed. */
        atomic_store_explicit(&r->seg->intent[slot].start, ABI_NO_INTENT, memory_order_release);
        FAULT(ring_clear_intent);
}

/* ---- read ------------------------------------------------------------------------------------------------ */

/* Has the licence to overwrite this position been given? Call it AFTER the bytes were used. */
static inline bool ring_overwritten(const struct ring *r, uint64_t position)
{
        /* [torn.r] acquire fence, pairs with [torn.w]: if any byte we read was written under a later claim, the load
         * below sees the limit that licensed the claim. */
        atomic_thread_fence(memory_order_acquire);
        return atomic_load_explicit(&r->seg->limit, memory_order_relaxed) > position + r->capacity;
}

/* The header of a stamped frame, believed only as far as it fits the ring: false if it does not. The length is read once. */
static inline bool ring_fits(const struct ring *r, uint64_t position, struct abi_frame *f, struct ring_frame *frame)
{
        /* relaxed: ordered by the stamp. A reader of history may see a later lap's word: it checks afterwards. */
        uint64_t info = atomic_load_explicit(&f->info, memory_order_relaxed);
        uint32_t length = ABI_INFO_LENGTH(info);
        unsigned flags = ABI_INFO_FLAGS(info);
        uint64_t bytes = ring_frame_bytes(length) +
                         ((flags & ABI_FRAME_SLACK_MASK) >> (ABI_FRAME_SLACK_SHIFT - 4));
        *frame = (struct ring_frame){.position = position, .next = position + bytes,
                                     .body = (unsigned char *)f + ABI_FRAME_BYTES, .length = length,
                                     .flags = (uint16_t)(flags & ~ABI_FRAME_SLACK_MASK),
                                     .producer = ABI_INFO_PRODUCER(info)};
        return (position & r->mask) + bytes <= r->capacity;
}

static inline enum ring_result ring_header(const struct ring *r, uint64_t position, struct ring_frame *frame)
{
        if (__builtin_expect(ring_fits(r, position, ring_at(r, position), frame), 1))
                return RING_OK;
        return ring_overwritten(r, position) ? RING_GONE : RING_CORRUPT;
}

/* Is there a committed frame? Looks at the frame only; when it is not so, ring_peek() tells why. */
static inline bool ring_look(const struct ring *r, uint64_t position, struct ring_frame *frame)
{
        struct abi_frame *f = ring_at(r, position);
        /* [stamp.r] acquire, pairs with [stamp.w]. */
        return atomic_load_explicit(&f->stamp, memory_order_acquire) == ring_stamp(r, position) &&
               ring_fits(r, position, f, frame);
}

#endif
