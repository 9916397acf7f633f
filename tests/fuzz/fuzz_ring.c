/*
 * fuzz_ring.c - one ring in memory, all of ring.c.
 *
 * The input makes a ring of 64 to 4096 bytes at some position and then acts on it: claims, commits, deaths between any
 * two steps, recovery, reaping, limits, sealing, reading - and pokes: any word of the header and any byte of the data
 * becomes anything, a frame with a right stamp says anything, the constants change under a fresh attach.
 *
 *   always            no byte outside the map is touched; what is handed out lies in the ring; every walk ends
 *   without a poke    besides: reading from the earliest position meets frames and open claims, nothing else, and
 *                     what was sent whole and is still there reads back the same
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "ring.h"

#define SLOTS 6
#define STEPS 300

struct rig {
        struct input *in;
        struct ring r;
        unsigned char *map;
        size_t bytes;
        bool poked;
        bool nobody;     /* there is no reader: history is all there is */
        uint64_t cursor; /* of the one reader */
        bool dead[ABI_PRODUCERS];
        bool holds[SLOTS]; /* an open claim */
        struct ring_claim claim[SLOTS];
};

static bool rig_alive(void *arg, unsigned slot)
{
        const struct rig *g = arg;
        MUST(slot < ABI_PRODUCERS);
        return !g->dead[slot];
}

static uint64_t rig_position(struct rig *g)
{
        uint64_t near[] = {g->cursor, ring_tail(&g->r, NULL), ring_limit(&g->r), g->r.base, ring_earliest(&g->r)};
        return take_word(g->in, near[take_below(g->in, 5)]);
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static unsigned char rig_fill(uint64_t position, unsigned slot)
{
        return (unsigned char)(position >> 4 ^ slot * 37);
}

static void rig_write(struct rig *g, unsigned slot, uint64_t position, uint64_t bytes, bool stamp)
{
        unsigned char *at = (unsigned char *)ring_at(&g->r, position);
        memset(at + ABI_FRAME_BYTES, rig_fill(position, slot), bytes - ABI_FRAME_BYTES);
        if (stamp)
                ring_stamp_frame(&g->r, position, (uint32_t)(bytes - ABI_FRAME_BYTES), 0, slot);
}

/* As limit.c does it. */
static void rig_refresh(struct rig *g, uint64_t need)
{
        const struct ring *r = &g->r;
        uint64_t t0 = ring_tail(r, NULL), min = g->cursor < t0 && !g->nobody ? g->cursor : t0;
        uint64_t intent = ring_min_intent(r, t0);
        if (intent < min)
                min = intent;
        if (min < r->base)
                return;
        bool enough = need <= min + r->capacity;
        ring_raise_limit(r, (enough ? ring_keep_history(r, need, min) : min) + r->capacity);
}

static void rig_claim(struct rig *g)
{
        unsigned slot = (unsigned)take_below(g->in, SLOTS);
        uint64_t bytes = 16 * (1 + take_below(g->in, (size_t)(ring_claim_max(g->r.capacity) / 16))), need = 0;
        if (g->dead[slot] || g->holds[slot])
                return;
        enum ring_result result = ring_claim(&g->r, slot, bytes, &g->claim[slot], &need);
        if (result == RING_FULL) {
                rig_refresh(g, need);
                result = ring_claim(&g->r, slot, bytes, &g->claim[slot], &need);
        }
        bool used_up = ring_tail(&g->r, NULL) >= ABI_POSITION_MAX; /* all positions: nothing goes on from here */
        MUST(result != RING_CORRUPT || g->poked || used_up);
        if (result != RING_OK)
                return;
        struct ring_claim *c = &g->claim[slot];
        MUST(c->end - c->position == bytes);
        MUST((c->position & (g->r.capacity - 1)) + bytes <= g->r.capacity);
        for (unsigned i = 0; i < SLOTS; i++) /* what another is writing is his */
                MUST(g->poked || !g->holds[i] || c->end - g->claim[i].position <= g->r.capacity);
        g->holds[slot] = true;
        rig_write(g, slot, c->position, bytes, false);
}

/* Commit all of a claim, or its first frame only; then perhaps die before the intent is cleared. */
static void rig_commit(struct rig *g)
{
        unsigned slot = (unsigned)take_below(g->in, SLOTS), how = take8(g->in);
        struct ring_claim *c = &g->claim[slot];
        uint64_t bytes = c->end - c->position, first = bytes;
        if (!g->holds[slot])
                return;
        if (how & 1 && bytes >= 32)
                first = 16 * (1 + (uint64_t)(how >> 3) % (bytes / 16 - 1));
        if (how & 4)
                ring_stamp_frame(&g->r, c->position, (uint32_t)(first - ABI_FRAME_BYTES),
                                 ABI_FRAME_PAD | ABI_FRAME_ABORTED, slot);
        else
                rig_write(g, slot, c->position, first, true);
        g->dead[slot] = how & 2;
        g->holds[slot] = !(how & 2) && first < bytes;
        if (g->dead[slot])
                return;
        c->position += first;
        if (g->holds[slot])
                ring_advance_intent(&g->r, slot, c->position);
        else
                ring_clear_intent(&g->r, slot);
}

/* Dies where it stands; or having published an intent that never became a claim. */
static void rig_die(struct rig *g)
{
        unsigned slot = (unsigned)take_below(g->in, SLOTS);
        struct abi_intent *intent = &g->r.seg->intent[slot];
        bool sealed;
        uint64_t tail = ring_tail(&g->r, &sealed), end = tail + 16 * (1 + take_below(g->in, 16));
        if (!g->holds[slot] && !g->dead[slot] && end <= ring_limit(&g->r)) {
                atomic_store(&intent->end, end);
                atomic_store(&intent->start, tail);
        }
        g->dead[slot] = true;
        g->holds[slot] = false;
}

/* ---- those who clean up ---------------------------------------------------------------------------------- */

static void rig_recover(struct rig *g)
{
        uint64_t p = rig_position(g), tail = ring_tail(&g->r, NULL), n;
        if (!g->poked) { /* only where a reader may stand: at a boundary */
                p = ring_earliest(&g->r);
                if (ring_walk(&g->r, &p, tail, &n) != RING_HOLE)
                        return;
        }
        enum ring_result result = ring_recover(&g->r, p, rig_alive, g);
        MUST(result != RING_CORRUPT || g->poked);
        if (result == RING_HOLE)
                MUST(ring_stamped(&g->r, p));
}

static void rig_reap(struct rig *g)
{
        unsigned slot = (unsigned)take_below(g->in, g->poked ? ABI_PRODUCERS : SLOTS);
        uint32_t holes = 0;
        if (!g->poked && !g->dead[slot])
                return;
        enum ring_result result = ring_reap(&g->r, slot, rig_alive, g, &holes);
        MUST(result == RING_OK || result == RING_BUSY || (g->poked && result == RING_CORRUPT));
        if (result == RING_OK && slot < SLOTS && g->dead[slot])
                g->dead[slot] = false;
}

/* ---- readers --------------------------------------------------------------------------------------------- */

static void rig_see(struct rig *g, const struct ring_frame *f)
{
        MUST(f->body >= g->r.data && f->length <= g->r.capacity);
        MUST((size_t)(f->body - g->r.data) + f->length <= g->r.capacity);
        MUST(f->next - f->position >= ABI_FRAME_BYTES);
        touch(f->body, f->length);
        if (g->poked || f->flags & ABI_FRAME_PAD)
                return;
        for (uint32_t i = 0; i < f->length; i++)
                MUST(f->body[i] == rig_fill(f->position, f->producer));
}

static void rig_peek(struct rig *g)
{
        uint64_t p = rig_position(g);
        struct ring_frame f;
        if (ring_peek(&g->r, p, &f) == RING_OK && (g->poked || !ring_overwritten(&g->r, p)))
                rig_see(g, &f);
        (void)ring_overwritten(&g->r, p);
}

/* The reader goes on by some frames; or leaves, and comes back where it can. */
static void rig_read(struct rig *g)
{
        struct ring_frame f;
        uint8_t how = take8(g->in);
        if (g->nobody && how & 1)
                g->cursor = how & 2 ? ring_earliest(&g->r) : ring_tail(&g->r, NULL);
        g->nobody = g->nobody ? !(how & 1) : how % 8 == 7;
        if (g->nobody)
                return;
        for (size_t n = take_below(g->in, 8) + 1; n > 0; n--) {
                enum ring_result result = ring_peek(&g->r, g->cursor, &f);
                MUST(g->poked || (result != RING_CORRUPT && result != RING_GONE));
                if (result != RING_OK)
                        return;
                rig_see(g, &f);
                g->cursor = f.next;
        }
}

static void rig_count(struct rig *g)
{
        uint64_t from = rig_position(g), to = rig_position(g), n = 0;
        uint64_t walked = from;
        ring_walk(&g->r, &(uint64_t){from}, to, &n);
        ring_walk(&g->r, &walked, to, &n);
        MUST(n <= g->r.capacity / ABI_FRAME_BYTES);
        if (g->poked)
                return;
        walked = ring_earliest(&g->r);
        enum ring_result result = ring_walk(&g->r, &walked, ring_tail(&g->r, NULL), &n);
        MUST(result == RING_OK || result == RING_HOLE);
}

/* ---- damage ---------------------------------------------------------------------------------------------- */

static void rig_poke_word(struct rig *g)
{
        struct abi_seg *seg = g->r.seg;
        struct abi_intent *intent = &seg->intent[take_below(g->in, SLOTS)];
        _Atomic uint64_t *word[] = {&seg->tail, &seg->limit, &intent->start, &intent->end,
                                    &seg->checkpoint[take_below(g->in, ABI_CHECKPOINTS)]};
        size_t i = take_below(g->in, 5);
        uint64_t near = i == 0 ? atomic_load(word[0]) : rig_position(g);
        g->poked = true;
        atomic_store(word[i], take_word(g->in, near));
}

static void rig_poke_data(struct rig *g)
{
        size_t at = take_below(g->in, (size_t)g->r.capacity), n = take_below(g->in, 64);
        g->poked = true;
        take_bytes(g->in, g->r.data + at, n < g->r.capacity - at ? n : (size_t)g->r.capacity - at);
}

static void rig_forge_frame(struct rig *g)
{
        uint64_t p = rig_position(g), info = take_word(g->in, ABI_INFO(16, 0, 0));
        struct abi_frame *f = ring_at(&g->r, p);
        g->poked = true;
        atomic_store(&f->info, info);
        atomic_store(&f->stamp, ring_stamp(&g->r, p));
}

/* Change a constant, then attach as somebody who comes new. Refused: the constants are put back. */
static void rig_poke_constant(struct rig *g)
{
        struct abi_seg *seg = (void *)g->map, old = *seg;
        uint64_t *word[] = {&seg->number, &seg->capacity, &seg->base, &seg->secret, &seg->head.file_bytes,
                            &seg->head.features};
        uint64_t *w = word[take_below(g->in, 6)];
        *w = take_word(g->in, *w);
        if (take8(g->in) & 1)
                seg->checksum = ring_seg_checksum(seg);
        struct ring fresh;
        g->poked = true;
        if (ring_attach(&fresh, g->map, g->bytes) == RING_OK) {
                g->r = fresh;
                memset(g->holds, 0, sizeof g->holds);
        } else {
                memcpy(g->map, &old, offsetof(struct abi_seg, tail));
        }
        (void)ring_attach(&fresh, g->map, take_below(g->in, g->bytes + 1));
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static void rig_step(struct rig *g)
{
        switch (take8(g->in) % 20) {
        case 0: case 1: case 2: case 3:
                rig_claim(g);
                break;
        case 4: case 5: case 6:
                rig_commit(g);
                break;
        case 7: case 8:
                rig_read(g);
                break;
        case 9:
                rig_refresh(g, rig_position(g));
                break;
        case 10:
                rig_die(g);
                break;
        case 11:
                rig_recover(g);
                break;
        case 12:
                rig_reap(g);
                break;
        case 13:
                rig_count(g);
                break;
        case 14:
                rig_peek(g);
                break;
        case 15:
                if (take8(g->in) % 4 == 0)
                        ring_seal(&g->r);
                break;
        case 16:
                rig_poke_word(g);
                break;
        case 17:
                rig_poke_data(g);
                break;
        case 18:
                rig_forge_frame(g);
                break;
        default:
                rig_poke_constant(g);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct rig g = {.in = &in};
        uint64_t capacity = 64ull << take_below(&in, 7);
        uint64_t base = take8(&in) % 3 == 0 ? ABI_POSITION_MAX - 16 * (1ull + take16(&in)) : 16ull * take16(&in);
        void *map;
        g.bytes = sizeof(struct abi_seg) + capacity;
        MUST(posix_memalign(&map, 64, g.bytes) == 0);
        g.map = map;
        memset(map, 0, g.bytes);
        ring_format(map, 1, 1, capacity, base, 0x5eedf00dcafe1234ull, 1);
        MUST(ring_attach(&g.r, map, g.bytes) == RING_OK);
        g.cursor = base;
        for (int i = 0; i < STEPS && in.left; i++)
                rig_step(&g);
        free(map);
        return 0;
}
