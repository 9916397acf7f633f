/*
 * producer.c - opening a producer and sending.
 *
 * The common path of a send: is it online (one load), claim (one compare-and-swap), copy, stamp, clear the intent, does
 * anybody sleep (a load; the fence is the sleeper's). It is in line, in producer_take() and producer_committed();
 * everything else lives behind a branch that is not taken, in producer_reserve().
 */
#include "producer.h"

#include "access.h"
#include "copy.h"
#include "fault.h"
#include "limit.h"
#include "meta.h"
#include "name.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PRODUCER_REAP_NS 5000000 /* a sleeper waits this long for the lock, to clean up after the dead */

/* ---- open and close -------------------------------------------------------------------------------------- */

static void producer_detach(struct handle *h)
{
        struct torc_producer *p = (struct torc_producer *)h;
        if (p->hold & PRODUCER_CLAIMED)
                torc_producer_abort(p);
        access_detach(&p->stream, p->slot, p->gen);
}

static int producer_name(struct torc_bus *bus, const char *wanted, char name[TORC_LABEL_MAX + 1])
{
        if (wanted) {
                snprintf(name, TORC_LABEL_MAX + 1, "%s", wanted);
                return name_check_label(wanted);
        }
        /* pid and counter make it unique on the bus; a long peer name is cut before them. */
        snprintf(name, TORC_LABEL_MAX + 1, "%.40s-%d-%" PRIu32, bus->peer_name, (int)getpid(), ++bus->next_name);
        return 0;
}

static int producer_open_segment(struct torc_producer *p, uint64_t number)
{
        struct segment next;
        int rc = segment_open(&next, &p->stream, number, SEGMENT_PRODUCE);
        /* The present segment is there (S1). If it is not, another is present by now, or something is wrong. */
        if (rc == -ENOENT && stream_current(&p->stream) != number)
                return -EAGAIN;
        if (rc == -ENOENT)
                return stream_state(&p->stream) == ABI_STREAM_REMOVED ? TORC_EREMOVED : TORC_ECORRUPT;
        if (rc)
                return rc;
        if (p->seg.map)
                segment_close(&p->seg);
        p->seg = next;
        size_t fits = ring_claim_max(next.ring.capacity) - ABI_FRAME_BYTES, allowed = p->stream.ctl->config.max_message;
        p->message_max = fits < allowed ? fits : allowed;
        /* relaxed: for monitors; reapers look into every segment. */
        atomic_store_explicit(&p->record->segment, number, memory_order_relaxed);
        FAULT(producer_segment);
        return 0;
}

static int producer_follow(struct torc_producer *p, int64_t deadline);

/* Open the stream and take a slot on it. Returns 0, or TORC_EREMOVED: it went meanwhile, ... */
static int producer_attach(struct torc_producer *p, struct torc_bus *bus, const char *stream,
                           const struct torc_producer_config *config, const char *name, bool *created)
{
        int rc = stream_open(&p->stream, bus, &p->handle, stream, config->stream, config->flags, created);
        if (rc)
                return rc;
        rc = access_attach(&p->stream, name, config->access, &p->slot, &p->gen);
        if (rc)
                return rc;
        p->record = &p->stream.ctl->producer[p->slot];
        p->hold = config->access == TORC_WAIT_FOR_EXCLUSIVE ? PRODUCER_WAITING : 0;
        p->owner = config->access != TORC_SHARED && !p->hold;
        do
                rc = producer_follow(p, wait_mono_ns() + STREAM_LOCK_NS);
        while (rc == -EAGAIN);
        if (rc)
                access_detach(&p->stream, p->slot, p->gen);
        return rc;
}

int torc_producer_open(struct torc_producer **out, struct torc_bus *bus, const char *stream,
                       const struct torc_producer_config *config)
{
        static const struct torc_producer_config defaults;
        char name[TORC_LABEL_MAX + 1];
        bool created;
        if (!config)
                config = &defaults;
        if ((unsigned)config->access > TORC_EXCLUSIVE_WITH_FENCING)
                return -EINVAL;
        int rc = producer_name(bus, config->name, name);
        if (rc)
                return rc;
        struct torc_producer *p = calloc(1, sizeof *p);
        if (!p)
                return -ENOMEM;
        handle_init(&p->handle, bus, producer_detach);
        rc = handle_add(&p->handle);
        if (rc)
                goto fail_free;
        rc = producer_attach(p, bus, stream, config, name, &created);
        for (int64_t give_up = wait_mono_ns() + STREAM_LOCK_NS; rc == TORC_EREMOVED && !wait_over(give_up);) {
                stream_let_go(&p->stream);
                rc = producer_attach(p, bus, stream, config, name, &created);
        }
        if (rc)
                goto fail_close;
        if (p->hold)
                torc_producer_await(p, 0); /* perhaps it is its turn at once */
        *out = p;
        return !created && (config->flags & TORC_CREATE_ONLY) ? TORC_EEXISTS : 0;

fail_close:
        handle_remove(&p->handle);
        stream_close(&p->stream);
fail_free:
        free(p);
        return rc;
}

void torc_producer_close(struct torc_producer **producer)
{
        struct torc_producer *p = *producer;
        if (!p)
                return;
        *producer = NULL;
        if (!handle_dead(&p->handle))
                producer_detach(&p->handle);
        handle_remove(&p->handle);
        if (p->seg.map)
                segment_close(&p->seg);
        stream_close(&p->stream);
        free(p);
}

/* ---- where to send --------------------------------------------------------------------------------------- */

static unsigned producer_slot_state(const struct torc_producer *p)
{
        /* [slot.r] acquire, pairs with [slot.w]. */
        uint64_t word = atomic_load_explicit(&p->stream.ctl->producer[p->slot].word, memory_order_acquire);
        return ABI_WORD_GEN(word) == p->gen ? ABI_WORD_STATE(word) : ABI_PRODUCER_FREE;
}

/* May this handle still send on this stream? 0 or why not. */
int producer_check(struct torc_producer *p)
{
        if (stream_state(&p->stream) == ABI_STREAM_REMOVED)
                return TORC_EREMOVED;
        switch (producer_slot_state(p)) {
        case ABI_PRODUCER_FENCED:
                return TORC_EFENCED;
        case ABI_PRODUCER_SHARED:
        case ABI_PRODUCER_OWNER:
        case ABI_PRODUCER_WAITING:
                return 0;
        default: /* freed under a living peer: nobody does that */
                return TORC_ECORRUPT;
        }
}

/*
 * The segment is sealed, or there is none yet: go to the present one. Returns 0, -EAGAIN (come again), or why there is
 * nowhere to go.
 */
static int producer_follow(struct torc_producer *p, int64_t deadline)
{
        struct stream *s = &p->stream;
        /* `current` before the slot's word: a fencing owner stores FENCED before it names its segment (A3). */
        uint64_t current = stream_current(s);
        int rc = producer_check(p);
        if (rc)
                return rc;
        if (current != p->seg.ring.number || !p->seg.map)
                return producer_open_segment(p, current);
        if (stream_state(s) == ABI_STREAM_ENDED)
                return TORC_ECLOSED;
        /* Sealed, and no successor yet: its maker is at it, or died at it. The lock tells, and redoes. */
        rc = stream_lock_or_cancel(s, deadline);
        if (rc)
                return rc;
        bool stuck = stream_current(s) == current && stream_state(s) == ABI_STREAM_OPEN;
        stream_unlock(s);
        return stuck ? TORC_ECORRUPT : -EAGAIN;
}

/* ---- waiting --------------------------------------------------------------------------------------------- */

/* A sleeper's chores: with no supervisor about, somebody has to notice the dead. Skipped when the lock is held for longer than
 * others' usual business takes, or at all if there is no time to wait. */
static void producer_reap(struct torc_producer *p, int64_t deadline)
{
        int64_t patience = wait_mono_ns() + PRODUCER_REAP_NS;
        if (!stream_reap_needed(&p->stream) || stream_lock(&p->stream, deadline < patience ? deadline : patience))
                return;
        stream_reap(&p->stream, NULL);
        stream_unlock(&p->stream);
}

/* Every slice at most, however often it wakes. One that only tries does it too: it never sleeps, and would find a ring
 * full behind a dead consumer for ever. Returns true after a look at the dead. */
static bool producer_reap_at_times(struct torc_producer *p, int64_t deadline)
{
        int64_t now = wait_mono_ns();
        if (now - p->reaped_ns < WAIT_SLICE_NS)
                return false;
        p->reaped_ns = now;
        producer_reap(p, deadline);
        return true;
}

/*
 * Sleep until ready() or the deadline. Returns 0 (ready), -EAGAIN (deadline 0), -ETIMEDOUT, -EINTR, TORC_ECANCELED, or
 * why the handle may no longer send.
 */
int producer_wait(struct torc_producer *p, struct abi_eventcount *ec, producer_ready_fn *ready, void *arg,
                  int64_t deadline, int64_t slice_ns)
{
        _Atomic uint32_t *blocked = &p->record->blocked;
        int rc = 0;
        if (ready(p, arg))
                return 0;
        if (deadline == 0)
                return producer_reap_at_times(p, deadline) && ready(p, arg) ? 0 : -EAGAIN;
        atomic_store_explicit(blocked, 1, memory_order_relaxed); /* relaxed: for monitors */
        FAULT(producer_blocked);
        for (;;) {
                uint32_t event = wait_announce(ec, ABI_WAIT_FUTEX);
                if (ready(p, arg))
                        break;
                rc = producer_check(p);
                if (rc == 0)
                        rc = handle_take_cancel(&p->handle);
                if (rc == 0)
                        rc = handle_interrupted(&p->handle, wait_sleep(ec, event, deadline, slice_ns));
                if (rc)
                        break;
                producer_reap_at_times(p, deadline);
        }
        atomic_store_explicit(blocked, 0, memory_order_relaxed);
        FAULT(producer_unblocked);
        return rc;
}

bool producer_online(struct torc_producer *p)
{
        struct abi_ctl *ctl = p->stream.ctl;
        /* [slot.r] acquire, pairs with [slot.w] in stream_members_changed(). */
        uint32_t membership = atomic_load_explicit(&ctl->membership, memory_order_acquire);
        if (membership != p->membership || !p->online_known) {
                uint32_t min = ctl->config.online_min;
                p->online = stream_count_consumers(&p->stream, min, ctl->config.online_tags, false) >= min;
                p->membership = membership;
                p->online_known = true;
        }
        return p->online;
}

static bool producer_ready_online(struct torc_producer *p, void *arg)
{
        (void)arg;
        bool sealed;
        ring_tail(&p->seg.ring, &sealed);
        return sealed || producer_online(p);
}

static bool producer_ready_space(struct torc_producer *p, void *arg)
{
        bool sealed;
        ring_tail(&p->seg.ring, &sealed);
        enum limit_bar bar = limit_refresh(&p->stream, &p->seg, *(uint64_t *)arg);
        /* A reader in the way is ready, too, for the policy to deal with: only a claim was waited for. */
        return sealed || bar == LIMIT_NONE ||
               (bar == LIMIT_CONSUMER && p->stream.ctl->config.lag != TORC_LAG_BLOCK);
}

static void producer_cancel_wake(struct stream *s)
{
        wait_wake_always(&s->ctl->space);
        wait_wake_always(&s->ctl->access);
}

void torc_producer_cancel(struct torc_producer *p)
{
        atomic_store_explicit(&p->handle.canceled, 1, memory_order_relaxed); /* relaxed: the wake-up orders */
        producer_cancel_wake(&p->stream);
}

/* ---- claim ----------------------------------------------------------------------------------------------- */

/* The ring is full for a claim that would end at `need`. Returns 0 (try again) or why not. */
static int producer_full(struct torc_producer *p, uint64_t bytes, uint64_t need, int64_t deadline)
{
        struct stream *s = &p->stream;
        enum limit_bar bar = limit_refresh(s, &p->seg, need);
        /* A claim in progress is mostly a matter of nanoseconds, or of its owner's next turn on the CPU. */
        for (int i = 0; bar == LIMIT_CLAIM && i < 16; i++) {
                sched_yield();
                bar = limit_refresh(s, &p->seg, need);
        }
        if (bar == LIMIT_NONE)
                return 0;
        int rc = limit_grow(s, &p->seg, bytes, deadline);
        if (rc != TORC_EFULL)
                return rc;
        if (s->ctl->config.lag != TORC_LAG_BLOCK && bar == LIMIT_CONSUMER) {
                rc = limit_kick_laggards(s, &p->seg, need, deadline);
                if (rc)
                        return rc < 0 ? rc : 0;
        }
        /* A claim's end wakes nobody who waits for space: a look now and then costs less than a check per commit. */
        rc = producer_wait(p, &s->ctl->space, producer_ready_space, &need, deadline,
                           bar == LIMIT_CLAIM ? WAIT_HOLE_NS : WAIT_SLICE_NS);
        return rc == -EAGAIN ? TORC_EFULL : rc;
}

static int producer_not_online(struct torc_producer *p, int64_t deadline)
{
        int rc = producer_wait(p, &p->stream.ctl->access, producer_ready_online, NULL, deadline, WAIT_SLICE_NS);
        return rc == -EAGAIN ? TORC_EOFFLINE : rc;
}

/* Claim `bytes` of frames by the deadline; `one`: of one frame. Nothing is claimed on an error. */
static int producer_reserve(struct torc_producer *p, uint64_t bytes, bool one, int64_t deadline,
                            struct ring_claim *claim)
{
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (p->hold & PRODUCER_CLAIMED)
                return -EBUSY;
        if (p->hold && (rc = torc_producer_await(p, 0)))
                return rc == -EAGAIN ? TORC_EWAITING : rc;
        for (;;) {
                uint64_t need;
                if (!producer_online(p)) {
                        bool sealed;
                        ring_tail(&p->seg.ring, &sealed);
                        rc = sealed ? producer_follow(p, deadline) : producer_not_online(p, deadline);
                } else if (bytes > ring_claim_max(p->seg.ring.capacity)) {
                        rc = limit_grow(&p->stream, &p->seg, bytes, deadline);
                        if (rc == 0)
                                rc = producer_follow(p, deadline);
                        else if (rc == TORC_EFULL)
                                rc = TORC_ETOOBIG;
                } else {
                        switch (ring_take(&p->seg.ring, p->slot, bytes, one, claim, &need)) {
                        case RING_OK:
                                return 0;
                        case RING_FULL:
                                rc = producer_full(p, bytes, need, deadline);
                                break;
                        case RING_SEALED:
                                rc = producer_follow(p, deadline);
                                break;
                        default:
                                rc = TORC_ECORRUPT;
                        }
                }
                if (rc == -ETIMEDOUT && deadline == 0)
                        return TORC_EFULL; /* a hand-over or a growth is under way: no room just now */
                if (rc && rc != -EAGAIN)
                        return rc;
        }
}

/* The common case of producer_reserve(), for a frame of `length` bytes: true if that was it, else nothing has happened. */
static inline bool producer_take(struct torc_producer *p, size_t length, struct ring_claim *claim)
{
        uint64_t need;
        /* [slot.r] acquire, pairs with [slot.w] in stream_members_changed(). */
        uint32_t membership = atomic_load_explicit(&p->stream.ctl->membership, memory_order_acquire);
        return !handle_dead(&p->handle) && !p->hold && length <= p->message_max && p->online &&
               membership == p->membership &&
               ring_claim_one(&p->seg.ring, p->slot, ring_frame_bytes(length), claim, &need) == RING_OK;
}

/* After the stamps: count, and wake whoever sleeps. */
static inline void producer_committed(struct torc_producer *p, uint64_t position, uint64_t messages, uint64_t bytes)
{
        ring_clear_intent(&p->seg.ring, p->slot);
        p->messages += messages;
        p->bytes += bytes;
        p->last_position = position;
        /* relaxed: counters with one writer. */
        atomic_store_explicit(&p->record->messages, p->messages, memory_order_relaxed);
        FAULT(producer_messages);
        atomic_store_explicit(&p->record->bytes, p->bytes, memory_order_relaxed);
        FAULT(producer_bytes);
        if (wait_needed(&p->stream.ctl->data))
                stream_wake_consumers(&p->stream);
}

/* Commit a claim of one frame. */
static inline void producer_commit(struct torc_producer *p, const struct ring_claim *claim, uint32_t meta,
                                   uint32_t length, struct torc_id *id)
{
        ring_stamp_claim(&p->seg.ring, claim, meta + length, meta ? ABI_FRAME_META : 0, p->slot);
        producer_committed(p, claim->position, 1, length);
        if (id)
                *id = (struct torc_id){.position = claim->position, .epoch = p->seg.ring.epoch, .shard = 0};
}

static unsigned char *producer_body(const struct torc_producer *p, uint64_t position)
{
        return (unsigned char *)ring_at(&p->seg.ring, position) + ABI_FRAME_BYTES;
}

static inline void producer_fill(const struct torc_producer *p, const struct ring_claim *claim, size_t meta_len,
                                 const void *data, size_t len)
{
        copy_in(producer_body(p, claim->position) + meta_len, data, len);
        FAULT(producer_payload);
}

/* A claim for one message, by the deadline of a call that began now; its metadata is in place. */
static int producer_claim(struct torc_producer *p, size_t len, const struct torc_meta *meta, int timeout_ms,
                          struct ring_claim *claim, size_t *meta_len)
{
        *meta_len = 0;
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (meta && (rc = meta_size(meta, meta_len)))
                return rc;
        if (len > p->stream.ctl->config.max_message)
                return TORC_ETOOBIG;
        rc = producer_reserve(p, ring_frame_bytes(*meta_len + len), true, wait_deadline(timeout_ms), claim);
        if (rc == 0 && *meta_len) {
                meta_encode(meta, *meta_len, producer_body(p, claim->position));
                FAULT(producer_meta);
        }
        return rc;
}

int torc_producer_claim(struct torc_producer *p, size_t len, const struct torc_meta *meta, int timeout_ms,
                        void **data)
{
        struct ring_claim claim;
        size_t meta_len = 0;
        if (meta || !producer_take(p, len, &claim)) {
                int rc = producer_claim(p, len, meta, timeout_ms, &claim, &meta_len);
                if (rc)
                        return rc;
        }
        p->claim = claim;
        p->claim_meta = (uint32_t)meta_len;
        p->claim_length = (uint32_t)len;
        p->hold = PRODUCER_CLAIMED;
        *data = producer_body(p, claim.position) + meta_len;
        return 0;
}

int torc_producer_commit(struct torc_producer *p, struct torc_id *id)
{
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (!(p->hold & PRODUCER_CLAIMED))
                return -EINVAL;
        p->hold = 0;
        producer_commit(p, &p->claim, p->claim_meta, p->claim_length, id);
        return 0;
}

int torc_producer_abort(struct torc_producer *p)
{
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        if (!(p->hold & PRODUCER_CLAIMED))
                return -EINVAL;
        p->hold = 0;
        ring_stamp_claim(&p->seg.ring, &p->claim, p->claim_meta + p->claim_length, ABI_FRAME_PAD, p->slot);
        ring_clear_intent(&p->seg.ring, p->slot);
        stream_wake_consumers(&p->stream);
        return 0;
}

/* ---- send ------------------------------------------------------------------------------------------------ */

/* All cases of sending. */
static __attribute__((noinline)) int producer_send(struct torc_producer *p, const void *data, size_t len,
                                                   const struct torc_meta *meta, int timeout_ms, struct torc_id *id)
{
        struct ring_claim claim;
        size_t meta_len;
        int rc = producer_claim(p, len, meta, timeout_ms, &claim, &meta_len);
        if (rc)
                return rc;
        producer_fill(p, &claim, meta_len, data, len);
        producer_commit(p, &claim, (uint32_t)meta_len, (uint32_t)len, id);
        return 0;
}

int torc_producer_send(struct torc_producer *p, const void *data, size_t len, int timeout_ms, struct torc_id *id)
{
        struct ring_claim claim;
        if (!producer_take(p, len, &claim))
                return producer_send(p, data, len, NULL, timeout_ms, id);
        producer_fill(p, &claim, 0, data, len);
        producer_commit(p, &claim, 0, (uint32_t)len, id);
        return 0;
}

int torc_producer_try_send(struct torc_producer *p, const void *data, size_t len, struct torc_id *id)
{
        return torc_producer_send(p, data, len, 0, id);
}

int torc_producer_send_meta(struct torc_producer *p, const void *data, size_t len, const struct torc_meta *meta,
                            int timeout_ms, struct torc_id *id)
{
        return producer_send(p, data, len, meta, timeout_ms, id);
}

#define PRODUCER_BATCH_MAX (1ull << 30) /* what is left of a claim has to fit a frame's 32 bits of length */

/* How many messages fit one claim? At most an eighth of the ring, so that readers and the writer overlap. */
static size_t producer_batch(const struct torc_producer *p, const struct torc_span *messages, size_t n,
                             uint64_t *bytes, uint64_t *payload)
{
        uint64_t eighth = p->seg.ring.capacity / 8, sum = 0, lengths = 0;
        uint64_t most = eighth < PRODUCER_BATCH_MAX ? eighth : PRODUCER_BATCH_MAX;
        uint64_t max = p->stream.ctl->config.max_message;
        size_t i = 0;
        for (; i < n; i++) {
                uint64_t length = messages[i].len, next = sum + ring_frame_bytes(length);
                if (length > max || (next > most && i > 0))
                        break;
                sum = next;
                lengths += length;
        }
        *bytes = sum;
        *payload = lengths;
        return i;
}

/* Write messages into a claim that they fill, each committed by itself. Returns the position of the last. */
static uint64_t producer_write_batch(struct torc_producer *p, const struct torc_span *messages, size_t n,
                                     uint64_t position)
{
        const struct ring r = p->seg.ring; /* in registers: stores into the ring might change *p, for all the compiler knows */
        const unsigned slot = p->slot;
        uint64_t last = position;
        for (size_t i = 0; i < n; i++) {
                last = position;
                copy_in((unsigned char *)ring_at(&r, position) + ABI_FRAME_BYTES, messages[i].data, messages[i].len);
                FAULT(producer_batch_payload);
                ring_stamp_frame(&r, position, (uint32_t)messages[i].len, 0, slot);
                position += ring_frame_bytes(messages[i].len);
                ring_advance_intent(&r, slot, position);
        }
        return last;
}

int torc_producer_send_batch(struct torc_producer *p, const struct torc_span *messages, size_t n, int timeout_ms,
                             size_t *accepted)
{
        int64_t deadline = wait_deadline(timeout_ms);
        *accepted = 0;
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        while (*accepted < n) {
                struct ring_claim claim;
                uint64_t bytes, payload;
                size_t count = producer_batch(p, messages + *accepted, n - *accepted, &bytes, &payload);
                if (count == 0)
                        return TORC_ETOOBIG;
                rc = producer_reserve(p, bytes, false, deadline, &claim);
                if ((rc == TORC_EFULL || rc == -ETIMEDOUT) && count > 1) { /* perhaps there is room for one */
                        int why = rc;
                        count = 1;
                        payload = messages[*accepted].len;
                        bytes = ring_frame_bytes(payload);
                        rc = producer_reserve(p, bytes, false, 0, &claim);
                        if (why == -ETIMEDOUT && (rc == TORC_EFULL || rc == TORC_EOFFLINE))
                                rc = why;
                }
                if (rc)
                        return rc;
                uint64_t position = producer_write_batch(p, messages + *accepted, count, claim.position);
                producer_committed(p, position, count, payload);
                *accepted += count;
        }
        return 0;
}

/* ---- exclusive access ------------------------------------------------------------------------------------ */

struct producer_turn {
        int result;
        uint32_t place;
};

static bool producer_ready_turn(struct torc_producer *p, void *arg)
{
        struct producer_turn *turn = arg;
        turn->result = access_try_own(&p->stream, p->slot, p->gen, &turn->place);
        return turn->result != -EAGAIN;
}

/* The waiter owns the stream now: stand in the segment of its epoch. */
static int producer_took_over(struct torc_producer *p)
{
        int rc = 0;
        p->hold &= ~PRODUCER_WAITING;
        p->owner = true;
        while (rc == 0 && p->seg.ring.number != stream_current(&p->stream)) {
                rc = producer_follow(p, wait_mono_ns() + STREAM_LOCK_NS);
                if (rc == -EAGAIN)
                        rc = 0;
        }
        return rc;
}

int torc_producer_await(struct torc_producer *p, int timeout_ms)
{
        struct producer_turn turn = {0};
        int rc = handle_dead(&p->handle);
        if (rc || !(p->hold & PRODUCER_WAITING))
                return rc;
        rc = producer_wait(p, &p->stream.ctl->access, producer_ready_turn, &turn, wait_deadline(timeout_ms),
                           WAIT_SLICE_NS);
        if (rc == 0)
                rc = turn.result;
        return rc ? rc : producer_took_over(p);
}

int torc_producer_status(struct torc_producer *p, struct torc_producer_status *status)
{
        static const enum torc_producer_state states[] = {
                [ABI_PRODUCER_FREE] = TORC_PRODUCER_FENCED,     [ABI_PRODUCER_SHARED] = TORC_PRODUCER_SHARED,
                [ABI_PRODUCER_OWNER] = TORC_PRODUCER_OWNER,     [ABI_PRODUCER_WAITING] = TORC_PRODUCER_WAITING,
                [ABI_PRODUCER_FENCED] = TORC_PRODUCER_FENCED,
        };
        int rc = handle_dead(&p->handle);
        if (rc)
                return rc;
        struct abi_producer *slot = &p->stream.ctl->producer[p->slot];
        unsigned state = producer_slot_state(p);
        uint64_t fence = atomic_load_explicit(&slot->fence, memory_order_relaxed);
        *status = (struct torc_producer_status){.state = states[state <= ABI_PRODUCER_FENCED ? state : 0],
                                                .epoch = p->seg.ring.epoch,
                                                .messages = p->messages,
                                                .bytes = p->bytes};
        snprintf(status->name, sizeof status->name, "%.*s", TORC_LABEL_MAX, slot->name);
        if (state == ABI_PRODUCER_FENCED) {
                status->fenced_epoch = (uint32_t)(fence >> 32);
                status->fencer_pid = (int64_t)(fence & UINT32_MAX);
                snprintf(status->fencer_name, sizeof status->fencer_name, "%.*s", TORC_LABEL_MAX, slot->fencer);
        } else if (state == ABI_PRODUCER_WAITING) {
                struct producer_turn turn = {0};
                if (producer_ready_turn(p, &turn) && turn.result == 0 && producer_took_over(p) == 0) {
                        status->state = TORC_PRODUCER_OWNER;
                        status->epoch = p->seg.ring.epoch;
                }
                status->queue_place = turn.place;
        }
        return 0;
}
