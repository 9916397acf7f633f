/*
 * test_ring_model.c - one ring, many producers interleaved step by step at random, against a plain model of it.
 *
 * links: libshm/ring.c
 *
 * Producers do ring_claim()'s steps one at a time (so that they lose races and die between any two), or call it whole.
 * Readers, refreshers of the limit, recoverers and reapers come in between. The model is the list of claims in the order
 * in which they won tail. After each step:
 *      M1  tail is where the model's last claim ends; tail <= limit
 *      M2  limit <= one ring beyond each reader, and beyond each claim that is not wholly committed
 *      M3  every committed frame from limit - capacity on is there, bytes and all
 * and whenever a reader looks, it sees what the model has there: the message, an aborted rest of a dead producer's claim,
 * a hole where a claim is open, empty at tail.
 *
 * TORC_TEST_SEEDS=N runs N seeds, TORC_TEST_SEED=S one of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

#include <stdio.h>

#define PRODUCERS 4
#define READERS 3
#define FRAMES 3 /* in a batch, at most */
#define STEPS 2500

struct claim {
        uint64_t start, end;        /* with padding */
        uint64_t frame[FRAMES + 1]; /* positions of the frames; after the last one, end */
        uint32_t length[FRAMES];
        unsigned frames, slot, owner; /* owner: index of the simulated producer, by life */
        unsigned stamped;             /* frames stamped */
        bool pad_stamped;             /* if there is padding */
        bool aborted;                 /* the rest was recovered */
};

enum phase { IDLE, READ, ENDED, INTENDED, WON, PADDED, STAMPED, ADVANCED };

struct producer {
        enum phase phase;
        unsigned slot;
        bool dead;
        uint64_t t; /* as it read tail */
        uint32_t length[FRAMES];
        unsigned frames;
        uint64_t pad, bytes;
        size_t claim; /* index in the model, once it won */
};

struct reader {
        bool on;
        uint64_t cursor;
};

struct model {
        struct rig rig;
        uint64_t random, seed;
        struct claim *claims;
        size_t n;
        uint64_t tail;
        bool sealed;
        struct producer p[PRODUCERS];
        struct reader r[READERS];
        /* a refresh in progress: 0 none, 1 has t0, 2 has cursors, 3 has intents */
        int refreshing;
        uint64_t min, t0;
        uint64_t sent, aborted, lost, full; /* what the run came across */
};

static uint64_t rnd(struct model *m, uint64_t below)
{
        uint64_t x = m->random += 0x9e3779b97f4a7c15ull;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
        return (x ^ (x >> 31)) % below;
}

#define MODEL(m, x)                                                                                              \
        do {                                                                                                     \
                if (!(x))                                                                                        \
                        fail_msg("seed %llu: %s", (unsigned long long)(m)->seed, #x);                            \
        } while (0)

/* ---- the model ------------------------------------------------------------------------------------------- */

/* First position of a claim that is not stamped; its end if all is. */
static uint64_t claim_open_at(const struct claim *c)
{
        if (c->aborted)
                return c->end;
        if (c->frame[0] > c->start && !c->pad_stamped)
                return c->start;
        return c->frame[c->stamped];
}

static bool claim_open(const struct claim *c)
{
        return claim_open_at(c) < c->end;
}

static struct claim *claim_at(struct model *m, uint64_t position)
{
        for (size_t i = m->n; i-- > 0;)
                if (m->claims[i].start <= position && position < m->claims[i].end)
                        return &m->claims[i];
        return NULL;
}

static unsigned char byte_of(const struct claim *c, unsigned frame)
{
        return (unsigned char)((c->start >> 4) * 7 + frame * 31 + c->slot);
}

static void check_frame(struct model *m, const struct claim *c, unsigned i)
{
        struct ring_frame f;
        MODEL(m, ring_peek(&m->rig.r, c->frame[i], &f) == RING_OK);
        MODEL(m, f.flags == 0 && f.length == c->length[i] && f.producer == c->slot && f.next == c->frame[i + 1]);
        for (uint32_t k = 0; k < f.length; k++)
                MODEL(m, f.body[k] == byte_of(c, i));
}

static void check(struct model *m)
{
        const struct ring *r = &m->rig.r;
        uint64_t limit = ring_limit(r);
        bool sealed;
        MODEL(m, ring_tail(r, &sealed) == m->tail && sealed == m->sealed);
        MODEL(m, m->tail <= limit);
        for (int i = 0; i < READERS; i++)
                MODEL(m, !m->r[i].on || limit <= m->r[i].cursor + r->capacity);
        for (size_t i = m->n; i-- > 0;) {
                const struct claim *c = &m->claims[i];
                if (c->end + r->capacity <= limit)
                        break;
                MODEL(m, !claim_open(c) || limit <= claim_open_at(c) + r->capacity);
                for (unsigned k = 0; k < c->stamped; k++)
                        if (c->frame[k] + r->capacity >= limit)
                                check_frame(m, c, k);
        }
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static bool alive(void *arg, unsigned slot)
{
        struct model *m = arg;
        for (int i = 0; i < PRODUCERS; i++)
                if (m->p[i].slot == slot)
                        return !m->p[i].dead;
        return false;
}

/* tail has moved from p->t: enter the claim. */
static void model_won(struct model *m, struct producer *p)
{
        struct claim *c = &m->claims[m->n];
        *c = (struct claim){.start = p->t, .end = p->t + p->pad + p->bytes, .frames = p->frames, .slot = p->slot};
        uint64_t at = p->t + p->pad;
        for (unsigned i = 0; i < p->frames; i++) {
                c->frame[i] = at;
                c->length[i] = p->length[i];
                at += ring_frame_bytes(p->length[i]);
        }
        c->frame[p->frames] = at;
        MODEL(m, p->t == m->tail && at == c->end);
        m->tail = c->end;
        p->claim = m->n++;
}

static void choose_message(struct model *m, struct producer *p)
{
        uint64_t most = ring_claim_max(m->rig.r.capacity);
        p->bytes = 0;
        p->frames = 0;
        do {
                uint32_t length = (uint32_t)rnd(m, most - ABI_FRAME_BYTES + 1);
                if (rnd(m, 2))
                        length %= 17;
                if (p->bytes + ring_frame_bytes(length) > most)
                        break;
                p->bytes += ring_frame_bytes(length);
                p->length[p->frames++] = length;
        } while (p->frames < FRAMES && rnd(m, 2));
}

/* ring_claim() in one go. */
static void step_claim(struct model *m, struct producer *p)
{
        struct ring_claim claim;
        uint64_t need, before = m->tail;
        choose_message(m, p);
        switch (ring_claim(&m->rig.r, p->slot, p->bytes, &claim, &need)) {
        case RING_OK:
                p->t = before;
                p->pad = claim.position - before;
                MODEL(m, claim.end == before + p->pad + p->bytes);
                model_won(m, p);
                m->claims[p->claim].pad_stamped = true;
                p->phase = ADVANCED;
                break;
        case RING_FULL:
                MODEL(m, need > ring_limit(&m->rig.r));
                m->full++;
                break;
        default:
                MODEL(m, m->sealed);
        }
}

/* ring_claim() up to its first look at limit. */
static void step_read(struct model *m, struct producer *p)
{
        uint64_t capacity = m->rig.r.capacity;
        choose_message(m, p);
        p->t = m->tail;
        uint64_t room = capacity - (p->t & (capacity - 1));
        p->pad = room < p->bytes ? room : 0;
        if (m->sealed || p->t + p->pad + p->bytes > ring_limit(&m->rig.r))
                return;
        p->phase = READ;
}

static void step_take(struct model *m, struct producer *p)
{
        uint64_t t = p->t, end = p->t + p->pad + p->bytes;
        if (atomic_compare_exchange_strong(&m->rig.r.seg->tail, &t, end)) {
                model_won(m, p);
                p->phase = p->pad ? WON : ADVANCED;
        } else {
                ring_clear_intent(&m->rig.r, p->slot);
                p->phase = IDLE;
                m->lost++;
        }
}

/* The next frame, or the end of the claim. */
static void step_stamp(struct model *m, struct producer *p)
{
        struct claim *c = &m->claims[p->claim];
        if (c->stamped == c->frames) {
                ring_clear_intent(&m->rig.r, p->slot);
                p->phase = IDLE;
                m->sent++;
                return;
        }
        unsigned i = c->stamped;
        memset((unsigned char *)ring_at(&m->rig.r, c->frame[i]) + ABI_FRAME_BYTES, byte_of(c, i), c->length[i]);
        if (rnd(m, 8) == 0)
                return; /* filled in, not stamped; next time again */
        ring_stamp_frame(&m->rig.r, c->frame[i], c->length[i], 0, p->slot);
        c->stamped++;
        p->phase = STAMPED;
}

static void step_producer(struct model *m, struct producer *p)
{
        struct claim *c = &m->claims[p->claim];
        switch (p->phase) {
        case IDLE:
                if (rnd(m, 4) == 0)
                        step_claim(m, p);
                else
                        step_read(m, p);
                break;
        case READ:
                atomic_store(&rig_intent(&m->rig, p->slot)->end, p->t + p->pad + p->bytes);
                p->phase = ENDED;
                break;
        case ENDED:
                atomic_store(&rig_intent(&m->rig, p->slot)->start, p->t);
                p->phase = INTENDED;
                break;
        case INTENDED:
                step_take(m, p);
                break;
        case WON:
                ring_stamp_frame(&m->rig.r, c->start, (uint32_t)(p->pad - ABI_FRAME_BYTES), ABI_FRAME_PAD, p->slot);
                c->pad_stamped = true;
                p->phase = PADDED;
                break;
        case PADDED:
                ring_advance_intent(&m->rig.r, p->slot, c->frame[0]);
                p->phase = ADVANCED;
                break;
        case STAMPED:
                if (rnd(m, 2))
                        ring_advance_intent(&m->rig.r, p->slot, c->frame[c->stamped]);
                p->phase = ADVANCED;
                break;
        case ADVANCED:
                step_stamp(m, p);
                break;
        }
}

/* ---- the others ------------------------------------------------------------------------------------------ */

static uint64_t slowest(const struct model *m, uint64_t from)
{
        for (int i = 0; i < READERS; i++)
                if (m->r[i].on && m->r[i].cursor < from)
                        from = m->r[i].cursor;
        return from;
}

/* limit_refresh(), one look at a time. */
static void step_refresh(struct model *m)
{
        const struct ring *r = &m->rig.r;
        uint64_t need;
        switch (m->refreshing++) {
        case 0:
                m->min = m->t0 = ring_tail(r, NULL);
                return;
        case 1:
                m->min = slowest(m, m->min);
                return;
        case 2:
                need = ring_min_intent(r, m->t0);
                if (need < m->min)
                        m->min = need;
                return;
        default:
                need = m->t0 + 16 * (1 + rnd(m, r->capacity / 32));
                ring_raise_limit(r, (rnd(m, 2) && need <= m->min + r->capacity ? ring_keep_history(r, need, m->min)
                                                                               : m->min) +
                                            r->capacity);
                m->refreshing = 0;
        }
}

/* Holes may have been settled: those of dead producers only, from the first unstamped byte to the end of the claim. */
static void note_recovered(struct model *m)
{
        for (int i = 0; i < PRODUCERS; i++) {
                struct producer *p = &m->p[i];
                struct claim *c = &m->claims[p->claim];
                if (p->phase < WON || !claim_open(c) || !ring_stamped(&m->rig.r, claim_open_at(c)))
                        continue;
                struct ring_frame f;
                MODEL(m, p->dead);
                uint64_t at = claim_open_at(c);
                MODEL(m, ring_peek(&m->rig.r, at, &f) == RING_OK);
                MODEL(m, f.flags == (ABI_FRAME_PAD | ABI_FRAME_ABORTED));
                if (f.next < c->end) { /* in two parts, at the ring's end */
                        MODEL(m, (f.next & (m->rig.r.capacity - 1)) == 0);
                        MODEL(m, ring_peek(&m->rig.r, f.next, &f) == RING_OK && f.flags == ABI_FRAME_PAD);
                }
                MODEL(m, f.next == c->end);
                c->aborted = true;
                m->aborted++;
        }
}

static void step_recover(struct model *m, uint64_t position)
{
        struct claim *c = claim_at(m, position);
        bool open = c && claim_open(c) && claim_open_at(c) == position;
        uint64_t room = m->rig.r.capacity - (position & (m->rig.r.capacity - 1));
        if (open && !alive(m, c->slot) && c->end - position > room && rnd(m, 3) == 0) {
                /* A recoverer that dies after the first of its two stamps. */
                ring_stamp_frame(&m->rig.r, position + room, (uint32_t)(c->end - position - room - ABI_FRAME_BYTES),
                                 ABI_FRAME_PAD, 0);
                return;
        }
        enum ring_result result = ring_recover(&m->rig.r, position, alive, m);
        MODEL(m, result == RING_OK || result == RING_BUSY || result == RING_HOLE);
        MODEL(m, result != RING_HOLE || (open && !alive(m, c->slot)));
        MODEL(m, result != RING_OK || !open);
        note_recovered(m);
}

static void step_reap(struct model *m, struct producer *p)
{
        uint32_t holes = 0;
        enum ring_result result = ring_reap(&m->rig.r, p->slot, alive, m, &holes);
        MODEL(m, result == RING_OK || result == RING_BUSY);
        note_recovered(m);
        if (result != RING_OK)
                return;
        MODEL(m, p->phase < WON || !claim_open(&m->claims[p->claim]));
        MODEL(m, rig_start(&m->rig, p->slot) == ABI_NO_INTENT);
        p->dead = false;
        p->phase = IDLE;
}

/* One look of a reader. Returns false where it can't go on. */
static bool step_read_frame(struct model *m, struct reader *r)
{
        struct ring_frame f;
        struct claim *c = claim_at(m, r->cursor);
        switch (ring_peek(&m->rig.r, r->cursor, &f)) {
        case RING_OK:
                MODEL(m, c != NULL);
                if (f.flags & ABI_FRAME_PAD) {
                        MODEL(m, c->aborted || (r->cursor == c->start && f.next == c->frame[0]));
                        MODEL(m, f.next == c->end || f.next == c->frame[0] ||
                                         (f.next & (m->rig.r.capacity - 1)) == 0);
                } else {
                        unsigned i = 0;
                        while (i < c->stamped && c->frame[i] != r->cursor)
                                i++;
                        MODEL(m, i < c->stamped);
                        check_frame(m, c, i);
                }
                r->cursor = f.next;
                return true;
        case RING_EMPTY:
                MODEL(m, r->cursor == m->tail && !m->sealed);
                return false;
        case RING_END:
                MODEL(m, r->cursor == m->tail && m->sealed);
                return false;
        case RING_HOLE:
                MODEL(m, c && claim_open(c) && claim_open_at(c) == r->cursor);
                step_recover(m, r->cursor);
                return false;
        default:
                MODEL(m, !"a reader that holds its bytes lost them");
                return false;
        }
}

static void step_reader(struct model *m, struct reader *r)
{
        if (!r->on) {
                if (rnd(m, 20) == 0) /* joins at the live end: at or after any t0 that a refresher has */
                        *r = (struct reader){true, m->tail};
        } else if (rnd(m, 60) == 0) {
                r->on = false; /* left, or was disconnected */
        } else {
                step_read_frame(m, r);
        }
}

static void step(struct model *m)
{
        uint64_t what = rnd(m, 100);
        struct producer *p = &m->p[rnd(m, PRODUCERS)];
        if (what < 55 && !p->dead)
                step_producer(m, p);
        else if (what < 57 && p->phase != IDLE)
                p->dead = true;
        else if (what < 62 && p->dead)
                step_reap(m, p);
        else if (what < 80)
                step_reader(m, &m->r[rnd(m, READERS)]);
        else
                step_refresh(m);
        check(m);
}

/* ---- a run ----------------------------------------------------------------------------------------------- */

static void model_start(struct model *m, uint64_t seed)
{
        static const uint64_t bases[] = {0, 48, 1ull << 33, RIG_HIGH - (1 << 20)};
        *m = (struct model){.random = seed * 1000003, .seed = seed};
        m->rig = rig_new(64ull << rnd(m, 4), bases[rnd(m, 4)]);
        m->tail = m->rig.r.base;
        m->claims = calloc(STEPS + 64, sizeof *m->claims);
        assert_non_null(m->claims);
        for (unsigned i = 0; i < PRODUCERS; i++)
                m->p[i] = (struct producer){.slot = (i * 85 + (unsigned)seed) % ABI_PRODUCERS};
        m->r[0] = (struct reader){true, m->tail};
}

/* No more claims; the living finish, the dead are reaped, readers drain. */
static void model_finish(struct model *m)
{
        struct ring_claim claim;
        uint64_t need, n;
        m->sealed = true;
        MODEL(m, ring_seal(&m->rig.r) == m->tail);
        for (int lap = 0; lap < 200; lap++)
                for (int i = 0; i < PRODUCERS; i++) {
                        if (m->p[i].dead)
                                step_reap(m, &m->p[i]);
                        else if (m->p[i].phase != IDLE)
                                step_producer(m, &m->p[i]);
                        check(m);
                }
        for (int i = 0; i < PRODUCERS; i++) {
                MODEL(m, m->p[i].phase == IDLE && !m->p[i].dead);
                MODEL(m, ring_claim(&m->rig.r, m->p[i].slot, 16, &claim, &need) == RING_SEALED);
        }
        for (int i = 0; i < READERS; i++) {
                while (m->r[i].on && step_read_frame(m, &m->r[i]))
                        check(m);
                MODEL(m, !m->r[i].on || m->r[i].cursor == m->tail);
        }
        MODEL(m, ring_min_intent(&m->rig.r, m->tail) == UINT64_MAX);
        MODEL(m, ring_walk(&m->rig.r, &(uint64_t){ring_earliest(&m->rig.r)}, m->tail, &n) == RING_OK);
}

static uint64_t environment(const char *name, uint64_t usual)
{
        const char *text = getenv(name);
        return text && *text ? strtoull(text, NULL, 10) : usual;
}

static void ring_when_producers_interleave_and_die_agrees_with_the_model(void **state)
{
        (void)state;
        uint64_t one = environment("TORC_TEST_SEED", 0), seeds = environment("TORC_TEST_SEEDS", 2000);
        uint64_t sent = 0, aborted = 0, lost = 0, full = 0;
        for (uint64_t seed = one ? one : 1; seed <= (one ? one : seeds); seed++) {
                struct model m;
                model_start(&m, seed);
                for (int i = 0; i < STEPS; i++)
                        step(&m);
                model_finish(&m);
                sent += m.sent;
                aborted += m.aborted;
                lost += m.lost;
                full += m.full;
                rig_free(&m.rig);
                free(m.claims);
        }
        print_message("%llu claims committed, %llu aborted, %llu races lost, %llu times full\n",
                      (unsigned long long)sent, (unsigned long long)aborted, (unsigned long long)lost,
                      (unsigned long long)full);
        /* The runs came across what they are for. */
        assert_true(one || (sent > seeds && aborted > seeds && lost > seeds && full > 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ring_when_producers_interleave_and_die_agrees_with_the_model),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
