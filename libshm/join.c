/*
 * join.c - attaching a consumer, coming back after lagging, leaving.
 *
 * Invariants
 *   J1  a slot becomes JOINING before the joiner loads where the stream stands, with a full fence between: a producer
 *       that computes a limit either sees the joiner, or has a tail in its minimum that the joiner's second look at
 *       the tail reaches.
 *   J2  positions from `history_until` on are never overwritten while the consumer is ACTIVE. Earlier ones may be
 *       (a limit computed without the joiner), and are validated after use.
 *   J3  the segment stored in the slot exists, because segments are reclaimed under the ctl lock only, by number.
 */
#include "consumer.h"

#include "fault.h"
#include "file.h"
#include "limit.h"
#include "name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define JOIN_BACKOFF_MAX_NS 1000000000
#define JOIN_TRIES 4 /* to join and count what lies ahead before it counts as joined */
#define JOIN_LOOKS 8 /* at the tail and the counters, for a pair that belongs together */

/* Where a consumer wants to begin. */
struct join_start {
        enum torc_start kind;
        uint64_t segment, position; /* unless live */
};

/* Publish where we stand; the count with it (limit.c tells why twice). */
static void join_publish_segment(struct torc_consumer *c)
{
        consumer_publish(c);
        /* [cursor.w] release: after the cursor, so that a reader of the new number finds a cursor in it. */
        atomic_store_explicit(&c->record->segment, c->seg.ring.number, memory_order_release);
        FAULT(join_publish_segment);
}

/* ---- taking a slot --------------------------------------------------------------------------------------- */

/* How many places are taken? *slot: a free slot, or ABI_CONSUMERS. A disconnected consumer keeps its slot, but not its
 * place. */
static uint32_t join_used(const struct stream *s, uint32_t *slot)
{
        uint32_t used = 0;
        *slot = ABI_CONSUMERS;
        for (uint32_t i = 0; i < ABI_CONSUMERS; i++) {
                unsigned state = ABI_CONSUMER_STATE(
                        atomic_load_explicit(&s->ctl->consumer[i].word, memory_order_relaxed));
                used += state == ABI_CONSUMER_JOINING || state == ABI_CONSUMER_ACTIVE;
                if (state == ABI_CONSUMER_FREE && *slot == ABI_CONSUMERS)
                        *slot = i;
        }
        return used;
}

/* Find a place, and a slot if we have none yet; reaps the dead if there is none. Under the ctl lock. */
static int join_find_place(struct stream *s, bool need_slot, uint32_t *slot)
{
        for (int lap = 0; lap < 2; lap++) {
                if (join_used(s, slot) < s->ctl->config.max_consumers && (!need_slot || *slot < ABI_CONSUMERS))
                        return 0;
                if (lap == 0)
                        stream_reap(s, NULL);
        }
        return TORC_ENOCAPACITY;
}

/* The oldest position in a segment that has to be there. Under the ctl lock: nobody deletes it. */
static int join_earliest(struct stream *s, uint64_t number, struct join_start *start, uint64_t *base)
{
        struct segment seg;
        int rc = segment_open(&seg, s, number, SEGMENT_LOOK);
        if (rc)
                return rc == -ENOENT ? TORC_ECORRUPT : rc;
        *start = (struct join_start){TORC_START_EARLIEST, number, ring_earliest(&seg.ring)};
        *base = seg.ring.base;
        segment_close(&seg);
        return 0;
}

/* The oldest position from which on everything is still there: not before the last segment that has lost its beginning. */
static int join_oldest(struct stream *s, struct join_start *start)
{
        struct join_start at;
        uint64_t base, first = stream_first(s);
        for (uint64_t n = stream_current(s); n >= first; n--) {
                int rc = join_earliest(s, n, &at, &base);
                if (rc)
                        return rc;
                *start = at;
                if (at.position > base)
                        break;
        }
        return 0;
}

/* Find the segment that holds a position, from which on everything is still there. Returns 0 or TORC_EGONE. */
static int join_locate(struct stream *s, const struct torc_id *id, struct join_start *start)
{
        struct join_start oldest;
        int rc = join_oldest(s, &oldest);
        if (rc)
                return rc;
        if (id->shard != 0 || (id->position & 15) || id->position < oldest.position)
                return TORC_EGONE;
        for (uint64_t n = oldest.segment; n <= stream_current(s); n++) {
                struct segment seg;
                struct ring_frame frame;
                rc = segment_open(&seg, s, n, SEGMENT_LOOK);
                if (rc)
                        return rc == -ENOENT ? TORC_ECORRUPT : rc;
                bool here = id->position >= seg.ring.base && id->position < ring_tail(&seg.ring, NULL);
                bool good = here && id->epoch == seg.ring.epoch &&
                            ring_peek(&seg.ring, id->position, &frame) == RING_OK;
                segment_close(&seg);
                if (good) {
                        *start = (struct join_start){TORC_START_ID, n, id->position};
                        return 0;
                }
                if (here)
                        break;
        }
        return TORC_EGONE;
}

/* Announce ourselves as JOINING. Under the ctl lock, with the slot FREE or our own KICKED one. */
static void join_announce(struct torc_consumer *c, const struct join_start *start)
{
        struct abi_consumer *rec = c->record;
        uint64_t word = atomic_load_explicit(&rec->word, memory_order_relaxed);
        c->gen = (ABI_CONSUMER_GEN(word) + 1) & 0xfffff;
        /* relaxed: ordered by the word below. */
        atomic_store_explicit(&rec->peer_slot, c->stream.bus->slot, memory_order_relaxed);
        FAULT(join_announce_peer_slot);
        atomic_store_explicit(&rec->peer_gen, c->stream.bus->gen, memory_order_relaxed);
        FAULT(join_announce_peer_gen);
        atomic_store_explicit(&rec->attached_ns, c->attached_ns, memory_order_relaxed);
        FAULT(join_announce_attached_ns);
        atomic_store_explicit(&rec->segment, start->segment, memory_order_relaxed);
        FAULT(join_announce_segment);
        atomic_store_explicit(&rec->count, c->count, memory_order_relaxed);
        FAULT(join_announce_count);
        atomic_store_explicit(&rec->cursor, start->position, memory_order_relaxed);
        FAULT(join_announce_cursor);
        atomic_store_explicit(&rec->count2, c->count, memory_order_relaxed);
        FAULT(join_announce_count2);
        atomic_store_explicit(&rec->bytes, c->bytes, memory_order_relaxed);
        FAULT(join_announce_bytes);
        atomic_store_explicit(&rec->missed, c->missed, memory_order_relaxed);
        FAULT(join_announce_missed);
        atomic_store_explicit(&rec->missed_bytes, c->missed_bytes, memory_order_relaxed);
        FAULT(join_announce_missed_bytes);
        atomic_store_explicit(&rec->overtaken, c->overtaken, memory_order_relaxed);
        FAULT(join_announce_overtaken);
        atomic_store_explicit(&rec->armed, 0, memory_order_relaxed);
        FAULT(join_announce_armed);
        if (c->slot >= atomic_load_explicit(&c->stream.ctl->consumer_top, memory_order_relaxed)) {
                atomic_store_explicit(&c->stream.ctl->consumer_top, c->slot + 1, memory_order_release); /* [slot.w] */
                FAULT(join_announce_top);
        }
        /* [slot.w] release, pairs with [slot.r]. */
        atomic_store_explicit(&rec->word, ABI_CONSUMER_WORD(ABI_CONSUMER_JOINING, c->gen, 0), memory_order_release);
        FAULT(join_announce_word);
        /* [join.w] seq_cst fence, pairs with [join.r]: JOINING is visible before we look where the stream stands. */
        atomic_thread_fence(memory_order_seq_cst);
}

/* ---- joining --------------------------------------------------------------------------------------------- */

static int join_stand(struct torc_consumer *c, uint64_t number)
{
        if (c->seg.map && c->seg.ring.number == number)
                return 0;
        struct segment seg;
        int rc = segment_open(&seg, &c->stream, number, SEGMENT_CONSUME);
        if (rc)
                return rc;
        if (c->seg.map)
                segment_close(&c->seg);
        c->seg = seg;
        return 0;
}

/* Where the stream stands: its tail, and how many messages had been committed by then, to within those in flight. */
struct join_mark {
        uint64_t tail, total;
};

/*
 * The two are looked at one after the other, and whatever is sent in between, be it because we lose the CPU there, would be
 * missing from the count for good. So the look during which the tail moved least counts, and none during which the
 * stream went on to another segment. Returns whether there is reason to look again.
 */
static bool join_look(struct stream *s, const struct ring *r, struct join_mark *mark, uint64_t *narrowest)
{
        uint64_t tail = ring_tail(r, NULL), total = stream_total(s), moved = ring_tail(r, NULL) - tail;
        bool present = stream_current(s) == r->number;
        if (*narrowest == UINT64_MAX || (present && moved < *narrowest))
                *mark = (struct join_mark){tail, total};
        if (present && moved < *narrowest)
                *narrowest = moved;
        return present && *narrowest > 0;
}

static int join_mark(struct torc_consumer *c, struct join_mark *mark)
{
        struct stream *s = &c->stream;
        uint64_t narrowest = UINT64_MAX;
        for (int looks = 0; looks < JOIN_LOOKS && narrowest > 0;) {
                struct segment other;
                uint64_t current = stream_current(s);
                bool ours = c->seg.map && c->seg.ring.number == current;
                int rc = ours ? 0 : segment_open(&other, s, current, SEGMENT_LOOK);
                if (rc == -ENOENT && stream_current(s) != current)
                        continue; /* reclaimed between the two, as there is another by now */
                if (rc)
                        return rc;
                do
                        looks++;
                while (join_look(s, ours ? &c->seg.ring : &other.ring, mark, &narrowest) && looks < JOIN_LOOKS);
                if (!ours)
                        segment_close(&other);
        }
        return 0;
}

/* History was overwritten at a place between us and the tail: begin behind that. False: it was not, or we were disconnected:
 * what is overwritten since then is not history, but lost. */
static bool join_skip(struct torc_consumer *c, const struct limit_place *at)
{
        struct segment seg;
        if (segment_open(&seg, &c->stream, at->segment, SEGMENT_LOOK))
                return false;
        uint64_t earliest = ring_earliest(&seg.ring);
        segment_close(&seg);
        /* [kick.r] acquire fence, pairs with [kick.w]: a limit that was raised after the kick comes with the kick. */
        atomic_thread_fence(memory_order_acquire);
        uint64_t word = atomic_load_explicit(&c->record->word, memory_order_relaxed);
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_KICKED)
                return false;
        if (earliest <= at->position || join_stand(c, at->segment))
                return false;
        c->position = earliest;
        join_publish_segment(c);
        return true;
}

/* Messages committed between our position and a tail, over the segments in between. */
static uint64_t join_ahead(struct torc_consumer *c, uint64_t tail)
{
        for (;;) {
                struct limit_place at = {c->seg.ring.number, c->position};
                uint64_t ahead = limit_count(&c->stream, &at, tail, true);
                if (at.position >= tail || !join_skip(c, &at))
                        return ahead;
        }
}

static int join_place(struct torc_consumer *c, const struct join_start *start, struct join_mark *mark)
{
        bool live = start->kind == TORC_START_LIVE;
        int rc = join_stand(c, live ? stream_current(&c->stream) : start->segment);
        if (rc)
                return rc;
        c->position = live ? ring_tail(&c->seg.ring, NULL) : start->position;
        join_publish_segment(c);
        /* [join.w] seq_cst fence, pairs with [join.r]: the tail (again), behind the published cursor (J1). */
        atomic_thread_fence(memory_order_seq_cst);
        if (live) {
                c->position = ring_tail(&c->seg.ring, NULL);
                consumer_publish(c);
        }
        rc = join_mark(c, mark);
        c->history_until = live ? c->position : mark->tail;
        return rc;
}

static void join_count_missed(struct torc_consumer *c, uint64_t missed)
{
        struct abi_consumer *rec = c->record;
        c->count += missed;
        c->missed += missed;
        /* relaxed: counters with one writer. */
        atomic_store_explicit(&rec->count, c->count, memory_order_relaxed);
        FAULT(join_missed_count);
        /* [missed.w] release, pairs with [missed.r]: count first, so that a monitor that adds what is still to be noted
         * never counts it twice. */
        atomic_store_explicit(&rec->missed, c->missed, memory_order_release);
        FAULT(join_missed);
}

/* How many messages lie between the last one we passed and our position, by the producers' own counters. */
static uint64_t join_gap(struct torc_consumer *c, const struct join_mark *mark)
{
        uint64_t reached = mark->total - join_ahead(c, mark->tail) - c->total_before;
        return reached > c->count && reached - c->count < INT64_MAX ? reached - c->count : 0;
}

/* Of a first attachment: the messages before it, by the producers' counters. Returns 0, or -ENOENT: the place that was asked
 * for has been overwritten. */
static int join_begin_count(struct torc_consumer *c, const struct join_start *start, const struct join_mark *mark)
{
        uint64_t ahead = join_ahead(c, mark->tail);
        if (start->kind == TORC_START_ID && c->position != start->position)
                return -ENOENT;
        c->total_before = mark->total - ahead - c->count;
        return 0;
}

/* From JOINING to ACTIVE. Returns 0, TORC_ELAGGED (kicked half-way), -ENOENT (the segment went meanwhile), ... */
static int join_activate(struct torc_consumer *c, const struct join_start *start, struct join_mark *mark, bool first)
{
        uint64_t word = ABI_CONSUMER_WORD(ABI_CONSUMER_JOINING, c->gen, 0);
        int rc = join_place(c, start, mark);
        /* What a JOINING consumer needs is not deleted: it was kicked, or the whole stream was removed. [slot.r] acquire. */
        if (rc == -ENOENT && atomic_load_explicit(&c->record->word, memory_order_acquire) == word &&
            stream_state(&c->stream) != ABI_STREAM_REMOVED)
                return TORC_ECORRUPT;
        /* Before we are ACTIVE: what is counted afterwards may have been cut off and overwritten by then, and be skipped as if
         * it had been read. */
        if (rc == 0 && first)
                rc = join_begin_count(c, start, mark);
        if (rc)
                return rc;
        if (c->inexact) { /* more was missed than the last cut tells. Before we are ACTIVE: the next cut counts from it */
                uint64_t gap = join_gap(c, mark);
                /* [kick.r] acquire fence, pairs with [kick.w]: if anything that we counted, or could not find any more, was
                 * given away after a kick, the kick is seen. Then the gap is void: it would take as missed what is still to
                 * come. Whoever comes back next counts it. */
                atomic_thread_fence(memory_order_acquire);
                if (atomic_load_explicit(&c->record->word, memory_order_relaxed) != word)
                        return TORC_ELAGGED;
                join_count_missed(c, gap);
                consumer_publish(c);
        }
        /* By CAS: we may have been kicked. [slot.w] release, pairs with [slot.r]: the cursor comes first. */
        if (!atomic_compare_exchange_strong_explicit(&c->record->word, &word,
                                                     ABI_CONSUMER_WORD(ABI_CONSUMER_ACTIVE, c->gen, 0),
                                                     memory_order_acq_rel, memory_order_relaxed))
                return TORC_ELAGGED;
        FAULT(join_active);
        c->active = ABI_CONSUMER_WORD(ABI_CONSUMER_ACTIVE, c->gen, 0);
        c->idle_position = CONSUMER_NOWHERE;
        c->checked = c->check_at = c->position;
        c->lagged = c->inexact = false;
        stream_members_changed(&c->stream);
        return 0;
}

static int join_start_of(struct torc_consumer *c, const struct torc_consumer_config *config,
                         struct join_start *start)
{
        struct stream *s = &c->stream;
        switch (config->start) {
        case TORC_START_EARLIEST:
                return join_oldest(s, start);
        case TORC_START_ID:
                return join_locate(s, &config->start_id, start);
        default:
                break;
        }
        /* A live start begins at a tail; join_place() looks again. Announced any earlier, a joiner would be in the way of
         * producers for the sake of messages that it does not want. */
        struct segment seg;
        int rc = segment_open(&seg, s, stream_current(s), SEGMENT_LOOK);
        if (rc)
                return rc == -ENOENT ? TORC_ECORRUPT : rc;
        *start = (struct join_start){TORC_START_LIVE, seg.ring.number, ring_tail(&seg.ring, NULL)};
        segment_close(&seg);
        return 0;
}

static int join_once(struct torc_consumer *c, const struct torc_consumer_config *config, bool taken, unsigned outrun)
{
        struct join_start start;
        struct join_mark mark;
        struct stream *s = &c->stream;
        int rc = stream_lock(s, wait_mono_ns() + STREAM_LOCK_NS);
        if (rc)
                return rc;
        rc = taken ? 0 : join_find_place(s, true, &c->slot);
        c->record = &s->ctl->consumer[c->slot];
        if (rc == 0)
                rc = join_start_of(c, config, &start);
        if (rc == 0) {
                struct abi_consumer *rec = c->record;
                const char *name = config->name ? config->name : s->bus->peer_name;
                /* [copy.w] release fence, pairs with [copy.r]: the word that says FREE was read before, the record
                 * changes after. */
                atomic_thread_fence(memory_order_release);
                memset(rec->name, 0, sizeof rec->name);
                FAULT(join_clear_name);
                snprintf(rec->name, sizeof rec->name, "%s", name);
                FAULT(join_name);
                join_announce(c, &start);
        }
        stream_unlock(s);
        if (rc)
                return rc;
        /* Where the count takes longer than the stream leaves us the oldest place: joined first, to be told of what is lost. The
         * count may be short then, if it is lost before it is counted. */
        bool late = start.kind == TORC_START_EARLIEST && outrun >= JOIN_TRIES;
        rc = join_activate(c, &start, &mark, !late);
        return rc == 0 && late ? join_begin_count(c, &start, &mark) : rc;
}

/* consumer_join - attach; waits config->timeout_ms for a place. The slot is held from the first announcement on. */
int consumer_join(struct torc_consumer *c, const struct torc_consumer_config *config)
{
        struct stream *s = &c->stream;
        int64_t deadline = wait_deadline(config->timeout_ms);
        bool taken = false;
        unsigned outrun = 0;
        c->attached_ns = wait_wall_ns();
        c->attached_mono_ns = wait_mono_ns();
        for (;;) {
                uint32_t event = wait_announce(&s->ctl->access, ABI_WAIT_FUTEX);
                uint32_t gen = c->gen;
                int rc = join_once(c, config, taken, outrun);
                taken = taken || gen != c->gen;
                outrun++;
                if (rc == TORC_ELAGGED || rc == -ENOENT)
                        continue; /* the stream outran us while we joined */
                outrun = 0;
                if (rc != TORC_ENOCAPACITY)
                        return rc;
                if (wait_over(deadline))
                        return TORC_ENOCAPACITY;
                rc = handle_take_cancel(&c->handle);
                if (rc == 0)
                        rc = handle_interrupted(&c->handle,
                                                wait_sleep(&s->ctl->access, event, deadline, WAIT_SLICE_NS));
                if (rc && rc != -ETIMEDOUT)
                        return rc;
        }
}

/* ---- lagging --------------------------------------------------------------------------------------------- */

/* Are we disconnected? Takes note of what was missed, once. Returns 0 or TORC_ELAGGED. */
int consumer_note_kick(struct torc_consumer *c)
{
        if (c->lagged)
                return TORC_ELAGGED;
        /* [kick.r] acquire fence, pairs with [kick.w]: bytes that we read under a licence given after the kick come
         * with the kick. */
        atomic_thread_fence(memory_order_acquire);
        uint64_t word = atomic_load_explicit(&c->record->word, memory_order_relaxed);
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_ACTIVE && ABI_CONSUMER_GEN(word) == c->gen)
                return 0;
        if (ABI_CONSUMER_STATE(word) != ABI_CONSUMER_KICKED || ABI_CONSUMER_GEN(word) != c->gen)
                return TORC_ECORRUPT;
        c->lagged = true;
        c->stepped_back = false;
        c->active = CONSUMER_NEVER;
        join_count_missed(c, ABI_CONSUMER_CUT_OFF(word, c->count));
        return TORC_ELAGGED;
}

/* ACTIVE, but reading history that was overwritten: go on at the oldest that is left. Returns 0 (look again: we may have been
 * cut off besides) or an error. */
int consumer_note_gap(struct torc_consumer *c)
{
        uint64_t earliest = ring_earliest(&c->seg.ring);
        if (earliest <= c->position || c->position >= c->history_until)
                return TORC_ECORRUPT;
        struct join_mark mark;
        int rc = join_mark(c, &mark);
        if (rc)
                return rc;
        c->missed_bytes += earliest - c->position;
        c->position = earliest;
        uint64_t gap = join_gap(c, &mark);
        rc = consumer_note_kick(c);
        if (rc) { /* a gap counted from what may have been given away meanwhile is void: it is counted when we come back */
                c->inexact = true;
                return rc == TORC_ELAGGED ? 0 : rc;
        }
        if (gap == 0)
                gap = 1; /* the count of a killed producer may be short, but something was there */
        c->count += gap;
        c->overtaken += gap;
        atomic_store_explicit(&c->record->overtaken, c->overtaken, memory_order_relaxed);
        FAULT(join_gap_overtaken);
        atomic_fetch_add_explicit(&c->stream.ctl->overwritten, gap, memory_order_relaxed);
        FAULT(join_gap_overwritten);
        consumer_publish(c);
        return 0;
}

/* Where a disconnected consumer may come back: at the cut if that is still there, else at what is left. */
static int join_resume(struct torc_consumer *c, struct join_start *start, bool *exact)
{
        struct stream *s = &c->stream;
        struct abi_consumer *rec = c->record;
        uint64_t segment = atomic_load_explicit(&rec->kick_segment, memory_order_relaxed);
        uint64_t cut = atomic_load_explicit(&rec->kick_tail, memory_order_relaxed);
        if (c->stepped_back) { /* what stands there may be of a kick that came too late, or whose kicker died before it */
                segment = c->back_segment;
                cut = c->back_position;
        }
        if (c->position > cut) { /* we read on beyond the cut, before the kick: nothing was missed */
                cut = c->position;
                segment = c->seg.ring.number;
        }
        if (segment > stream_current(s))
                return TORC_ECORRUPT;
        int rc = join_oldest(s, start);
        *exact = rc == 0 && start->segment <= segment && start->position <= cut;
        if (*exact)
                *start = (struct join_start){TORC_START_EARLIEST, segment, cut};
        return rc;
}

/* Back from JOINING, or out of being ACTIVE, to KICKED, so that we hold nobody up. By CAS: somebody may just kick us. Returns
 * whether it was we. */
static bool join_step_back(struct torc_consumer *c, unsigned state)
{
        uint64_t word = ABI_CONSUMER_WORD(state, c->gen, 0);
        /* [kick.w] acq_rel, pairs with [kick.r] and [slot.r]: our reads are done before the word that gives the bytes up. */
        bool ours = atomic_compare_exchange_strong_explicit(&c->record->word, &word,
                                                            ABI_CONSUMER_WORD(ABI_CONSUMER_KICKED, c->gen, c->count),
                                                            memory_order_acq_rel, memory_order_relaxed);
        FAULT(join_step_back);
        stream_members_changed(&c->stream);
        return ours;
}

static int join_again(struct torc_consumer *c, int64_t deadline)
{
        struct join_start start;
        struct stream *s = &c->stream;
        struct join_mark mark;
        bool exact = false;
        uint32_t unused;
        int rc = stream_lock_or_cancel(s, deadline);
        if (rc)
                return rc;
        rc = join_find_place(s, false, &unused);
        if (rc == 0)
                rc = join_resume(c, &start, &exact);
        if (rc == 0)
                join_announce(c, &start);
        stream_unlock(s);
        if (rc)
                return rc;
        uint64_t from = c->position;
        c->inexact = c->inexact || !exact; /* the cut was overwritten or deleted: more was missed while we were away */
        rc = join_activate(c, &start, &mark, false);
        if (rc) { /* cut off again before it got anywhere: that counts, too */
                bool ours = rc != TORC_ELAGGED && join_step_back(c, ABI_CONSUMER_JOINING);
                c->lagged = false;
                consumer_note_kick(c);
                c->back_segment = start.segment;
                c->back_position = start.position;
                c->stepped_back = ours;
                return rc;
        }
        c->missed_bytes += c->position > from ? c->position - from : 0;
        atomic_store_explicit(&c->record->missed_bytes, c->missed_bytes, memory_order_relaxed);
        FAULT(join_again_missed_bytes);
        consumer_publish(c);
        consumer_make_readable(c); /* who polls next has not read until -EAGAIN here: nothing else would wake it */
        return 0;
}

static bool join_final(int rc)
{
        return rc != TORC_ENOCAPACITY && rc != TORC_ELAGGED && rc != -ENOENT && rc != -ETIMEDOUT && rc != -EAGAIN;
}

int torc_consumer_reattach(struct torc_consumer *c, int timeout_ms)
{
        int64_t deadline = wait_deadline(timeout_ms), nap = 1000000;
        int rc = handle_dead(&c->handle);
        if (rc)
                return rc;
        if (c->viewing)
                return -EBUSY;
        rc = consumer_note_kick(c);
        if (rc != TORC_ELAGGED)
                return rc; /* 0: it is attached */
        struct abi_eventcount *ec = &c->stream.ctl->access;
        for (;;) {
                uint32_t event = wait_announce(ec, ABI_WAIT_FUTEX);
                rc = join_again(c, deadline);
                if (rc == 0 || join_final(rc))
                        return rc;
                if (wait_over(deadline))
                        return timeout_ms || rc != TORC_ENOCAPACITY ? -ETIMEDOUT : rc;
                bool outrun = rc == TORC_ELAGGED || rc == -ENOENT; /* there was a place: to wait for one would only put us further back */
                rc = handle_take_cancel(&c->handle);
                if (rc == 0 && !outrun) /* not longer than the back-off; woken when somebody leaves, and by a cancel */
                        rc = handle_interrupted(&c->handle, wait_sleep(ec, event, deadline, nap));
                if (rc && rc != -ETIMEDOUT)
                        return rc;
                if (!outrun)
                        nap = nap * 2 < JOIN_BACKOFF_MAX_NS ? nap * 2 : JOIN_BACKOFF_MAX_NS;
        }
}

/* ---- leaving and opening --------------------------------------------------------------------------------- */

/* Give the slot back; what this consumer held up may go on. If the lock cannot be had, because its holder was stopped or
 * what a dead one left cannot be finished now, the slot holds nobody up any more, and is free when its peer is reaped. */
void consumer_detach(struct handle *h)
{
        struct torc_consumer *c = (struct torc_consumer *)h;
        struct stream *s = &c->stream;
        int rc = stream_lock(s, wait_mono_ns() + STREAM_LEAVE_NS);
        if (rc && rc != TORC_EREMOVED) {
                join_step_back(c, ABI_CONSUMER_ACTIVE);
                join_step_back(c, ABI_CONSUMER_JOINING);
        }
        if (rc)
                return;
        uint64_t word = atomic_load_explicit(&c->record->word, memory_order_relaxed);
        if (ABI_CONSUMER_GEN(word) == c->gen && ABI_CONSUMER_STATE(word) != ABI_CONSUMER_FREE) {
                stream_retire_consumer(s, c->slot);
                stream_reclaim(s);
                stream_members_changed(s);
        }
        stream_unlock(s);
}

/* Open the stream and join it. Returns 0, or TORC_EREMOVED: it went meanwhile, ... */
static int consumer_attach(struct torc_consumer *c, struct torc_bus *bus, const char *stream,
                           const struct torc_consumer_config *config)
{
        bool created;
        c->gen = UINT32_MAX; /* no generation: nothing is held yet */
        c->active = CONSUMER_NEVER;
        int rc = stream_open(&c->stream, bus, &c->handle, stream, config->stream, config->flags, &created);
        if (rc)
                return rc;
        rc = consumer_join(c, config);
        if (rc && c->gen != UINT32_MAX)
                consumer_detach(&c->handle);
        if (rc && c->seg.map)
                segment_close(&c->seg);
        return rc;
}

int torc_consumer_open(struct torc_consumer **out, struct torc_bus *bus, const char *stream,
                       const struct torc_consumer_config *config)
{
        static const struct torc_consumer_config defaults;
        if (!config)
                config = &defaults;
        if ((unsigned)config->start > TORC_START_ID)
                return -EINVAL;
        if (config->name && name_check_label(config->name))
                return TORC_ENAME;
        struct torc_consumer *c = calloc(1, sizeof *c);
        if (!c)
                return -ENOMEM;
        handle_init(&c->handle, bus, consumer_detach);
        int rc = handle_add(&c->handle);
        if (rc)
                goto fail_free;
        rc = consumer_attach(c, bus, stream, config);
        for (int64_t give_up = wait_mono_ns() + STREAM_LOCK_NS; rc == TORC_EREMOVED && !wait_over(give_up);) {
                stream_let_go(&c->stream);
                rc = consumer_attach(c, bus, stream, config);
        }
        if (rc)
                goto fail_close;
        *out = c;
        return 0;

fail_close:
        handle_remove(&c->handle);
        stream_close(&c->stream);
fail_free:
        free(c);
        return rc;
}

void torc_consumer_close(struct torc_consumer **consumer)
{
        struct torc_consumer *c = *consumer;
        if (!c)
                return;
        *consumer = NULL;
        if (!handle_dead(&c->handle))
                consumer_detach(&c->handle);
        handle_remove(&c->handle);
        if (c->seg.map)
                segment_close(&c->seg);
        stream_close(&c->stream);
        free(c);
}
