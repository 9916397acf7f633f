/*
 * ring_rig.h - a ring in plain memory, for the ring's tests: no file, no stream, no consumer table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_RING_RIG_H
#define TORC_RING_RIG_H

#include "ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RIG_SECRET 0x5eedf00dcafe1234ull
/* Positions near 2^63 are an ordinary case. */
#define RIG_HIGH (ABI_POSITION_MAX - 4096)

struct rig {
        struct ring r;
        void *map;
        size_t bytes;
};

static inline struct rig rig_new(uint64_t capacity, uint64_t base)
{
        struct rig rig = {.bytes = sizeof(struct abi_seg) + capacity};
        rig.map = aligned_alloc(4096, (rig.bytes + 4095) & ~4095ull);
        assert_non_null(rig.map);
        memset(rig.map, 0, rig.bytes);
        ring_format(rig.map, 1, 1, capacity, base, RIG_SECRET, 1);
        assert_int_equal(ring_attach(&rig.r, rig.map, rig.bytes), RING_OK);
        return rig;
}

static inline void rig_free(struct rig *rig)
{
        free(rig->map);
        rig->map = NULL;
}

static inline struct abi_intent *rig_intent(const struct rig *rig, unsigned slot)
{
        return &rig->r.seg->intent[slot];
}

static inline uint64_t rig_start(const struct rig *rig, unsigned slot)
{
        return atomic_load_explicit(&rig_intent(rig, slot)->start, memory_order_relaxed);
}

/* The state of a producer that has published an intent and done nothing else: it may win, lose, or die there. */
static inline void rig_intend(const struct rig *rig, unsigned slot, uint64_t start, uint64_t end)
{
        atomic_store_explicit(&rig_intent(rig, slot)->end, end, memory_order_relaxed);
        atomic_store_explicit(&rig_intent(rig, slot)->start, start, memory_order_release);
}

static inline struct ring_claim rig_claim(const struct rig *rig, unsigned slot, uint64_t bytes)
{
        struct ring_claim claim = {0};
        uint64_t need = 0;
        assert_int_equal(ring_claim(&rig->r, slot, bytes, &claim, &need), RING_OK);
        return claim;
}

static inline void rig_commit(const struct rig *rig, unsigned slot, const struct ring_claim *claim, const void *data,
                              size_t len)
{
        memcpy((unsigned char *)ring_at(&rig->r, claim->position) + ABI_FRAME_BYTES, data, len);
        ring_stamp_frame(&rig->r, claim->position, (uint32_t)len, 0, slot);
        ring_clear_intent(&rig->r, slot);
}

/* Claim, fill in and commit one message; returns its position. */
static inline uint64_t rig_send(const struct rig *rig, unsigned slot, const void *data, size_t len)
{
        struct ring_claim claim = rig_claim(rig, slot, ring_frame_bytes(len));
        rig_commit(rig, slot, &claim, data, len);
        return claim.position;
}

/* What limit.c does: raise limit to what tail, the slowest reader and open claims allow. */
static inline void rig_refresh(const struct rig *rig, uint64_t cursor)
{
        uint64_t min = ring_tail(&rig->r, NULL);
        uint64_t intent = ring_min_intent(&rig->r, min);
        if (cursor < min)
                min = cursor;
        if (intent < min)
                min = intent;
        ring_raise_limit(&rig->r, min + rig->r.capacity);
}

static inline void rig_expect(const struct rig *rig, uint64_t position, const void *data, size_t len, unsigned slot,
                              uint64_t *next)
{
        struct ring_frame f;
        assert_int_equal(ring_peek(&rig->r, position, &f), RING_OK);
        assert_int_equal(f.position, position);
        assert_int_equal(f.flags, 0);
        assert_int_equal(f.producer, slot);
        assert_int_equal(f.length, len);
        if (len)
                assert_memory_equal(f.body, data, len);
        if (next)
                *next = f.next;
}

static inline void rig_expect_pad(const struct rig *rig, uint64_t position, uint64_t next, unsigned flags)
{
        struct ring_frame f;
        assert_int_equal(ring_peek(&rig->r, position, &f), RING_OK);
        assert_int_equal(f.flags, flags);
        assert_int_equal(f.next, next);
}

/* Liveness as the test says: a bit for each of the first 64 slots. */
static inline bool rig_alive(void *arg, unsigned slot)
{
        return slot < 64 && (*(const uint64_t *)arg >> slot & 1);
}

#endif
