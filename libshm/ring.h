/*
 * ring.h - one segment's ring: claim, commit, read, seal, recover. Works on raw memory: no mmap, no system call, no
 * allocation, so that a unit test and a fuzzer can own it whole. libshm/ring.c tells the protocol.
 */
#ifndef TORC_RING_H
#define TORC_RING_H

#include "abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A mapped segment with its constants copied out, checked once. The map is the caller's. */
struct ring {
        struct abi_seg *seg;
        unsigned char *data;
        uint64_t capacity, base, secret;
        uint64_t number;
        uint32_t epoch;
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
        return (struct abi_frame *)(void *)(r->data + (position & (r->capacity - ABI_FRAME_BYTES)));
}

/*
 * The stamp of a committed frame at a position: a bijection of position xor secret, so that neither bytes of an earlier
 * lap nor a payload that mimics a header match but with probability 2^-64. The finaliser of splitmix64 (Steele,
 * Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
 */
static inline uint64_t ring_stamp(const struct ring *r, uint64_t position)
{
        uint64_t x = position ^ r->secret;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
        return x ^ (x >> 31);
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

enum ring_result ring_claim(const struct ring *r, unsigned slot, uint64_t bytes, struct ring_claim *claim,
                            uint64_t *need);
void ring_stamp_frame(const struct ring *r, uint64_t position, uint32_t length, unsigned flags, unsigned slot);
void ring_advance_intent(const struct ring *r, unsigned slot, uint64_t position);
void ring_clear_intent(const struct ring *r, unsigned slot);

uint64_t ring_tail(const struct ring *r, bool *sealed);
uint64_t ring_limit(const struct ring *r);
uint64_t ring_earliest(const struct ring *r);
uint64_t ring_min_intent(const struct ring *r, uint64_t t0);
uint64_t ring_keep_history(const struct ring *r, uint64_t need, uint64_t highest);
void ring_raise_limit(const struct ring *r, uint64_t limit);

enum ring_result ring_peek(const struct ring *r, uint64_t position, struct ring_frame *frame);
bool ring_overwritten(const struct ring *r, uint64_t position);
enum ring_result ring_walk(const struct ring *r, uint64_t *position, uint64_t to, uint64_t *messages);
enum ring_result ring_count(const struct ring *r, uint64_t from, uint64_t to, uint64_t *messages);

uint64_t ring_claim_end(const struct ring *r, uint64_t position);
uint64_t ring_seal(const struct ring *r);

/* Is the producer in this slot alive? Asked during recovery only. */
typedef bool ring_alive_fn(void *arg, unsigned slot);
enum ring_result ring_recover(const struct ring *r, uint64_t position, ring_alive_fn *alive, void *arg);
enum ring_result ring_reap(const struct ring *r, unsigned slot, ring_alive_fn *alive, void *arg, uint32_t *holes);

#endif
