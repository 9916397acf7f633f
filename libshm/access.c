/*
 * access.c - who may produce. Decided when a producer attaches, under the ctl lock, after reaping the dead; enforced by
 * sealing: a new owner writes to a new segment, so that a zombie's late writes cannot reach it.
 *
 * Invariants
 *   A1  at most one slot is OWNER with a live peer, and then no live slot is SHARED.
 *   A2  the epoch grows with each new owner, never shrinks, and stands in every segment opened under it.
 *   A3  FENCED is final for a slot's generation, and is stored before `current` names the new segment: a producer that
 *       follows `current` finds itself fenced first.
 */
#include "access.h"

#include "fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCESS_TRY_NS 20000000 /* a waiter's look at the queue gives up on a held lock after this, and comes again */

struct survey {
        uint32_t producers; /* live SHARED or OWNER */
        uint32_t owners;    /* of those, OWNER */
        uint32_t waiters;   /* live WAITING */
        uint32_t before;    /* of those, with a lower ticket than `ticket` */
        int free_slot;      /* -1: none */
};

static void access_survey(struct stream *s, uint64_t ticket, struct survey *v)
{
        *v = (struct survey){.free_slot = -1};
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                const struct abi_producer *p = &s->ctl->producer[i];
                unsigned state = ABI_WORD_STATE(atomic_load_explicit(&p->word, memory_order_relaxed));
                if (state == ABI_PRODUCER_FREE) {
                        if (v->free_slot < 0)
                                v->free_slot = (int)i;
                } else if (state != ABI_PRODUCER_FENCED && stream_producer_alive(s, i)) {
                        bool waiting = state == ABI_PRODUCER_WAITING;
                        v->producers += !waiting;
                        v->owners += state == ABI_PRODUCER_OWNER;
                        v->waiters += waiting;
                        v->before += waiting &&
                                     atomic_load_explicit(&p->ticket, memory_order_relaxed) < ticket;
                }
        }
}

/* Has nothing ever been sent, and was there never an owner? */
static int access_virgin(struct stream *s, bool *virgin)
{
        *virgin = false;
        if (s->ctl->owner_name[0] || stream_current(s) != 1)
                return 0;
        struct segment seg;
        int rc = segment_open(&seg, s, 1, SEGMENT_LOOK);
        if (rc)
                return rc == -ENOENT ? TORC_ECORRUPT : rc;
        *virgin = ring_tail(&seg.ring, NULL) == seg.ring.base;
        segment_close(&seg);
        return 0;
}

/* Make the producer in `slot` the owner. A returning owner keeps its epoch if nobody owned the stream in between; the
 * first owner of an unused stream takes epoch 1; every other one opens a new segment under a new epoch. */
static int access_own(struct stream *s, uint32_t slot, bool fence)
{
        struct abi_ctl *ctl = s->ctl;
        struct abi_producer *p = &ctl->producer[slot];
        uint64_t epoch = atomic_load_explicit(&ctl->epoch, memory_order_relaxed);
        uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
        uint64_t segment = stream_current(s);
        bool virgin;
        struct change c;
        change_init(&c);
        int rc = access_virgin(s, &virgin);
        if (rc)
                return rc;
        bool same = !memcmp(ctl->owner_name, p->name, sizeof p->name);
        if (fence || !(virgin || same) || stream_state(s) != ABI_STREAM_OPEN) {
                epoch += fence || !(virgin || same);
                if (epoch > UINT32_MAX) /* segments and ids hold 32 bits: the next would be 0, older than all (A2) */
                        return TORC_ENOCAPACITY;
                segment++;
                rc = change_successor(&c, s, ctl->config.capacity, (uint32_t)epoch);
                if (rc)
                        return rc;
        }
        c.redo.epoch = (uint32_t)epoch;
        c.redo.fence = fence ? slot + 1 : 0;
        c.redo.fencer_pid = (uint32_t)getpid();
        c.redo.rename = 1;
        memcpy(c.redo.name, p->name, sizeof c.redo.name);
        change_word(&c, s, &ctl->epoch, epoch);
        change_word(&c, s, &ctl->owner, slot + 1);
        change_word(&c, s, &p->epoch, epoch);
        change_word(&c, s, &p->segment, segment);
        change_word(&c, s, &p->word, ABI_WORD(ABI_WORD_GEN(word), ABI_PRODUCER_OWNER));
        rc = change_apply(&c, s);
        if (rc == 0)
                stream_wake_all(s);
        return rc;
}

/* A stream that has ended opens again with its first producer. */
static int access_reopen(struct stream *s)
{
        if (stream_state(s) == ABI_STREAM_OPEN)
                return 0;
        struct change c;
        change_init(&c);
        int rc = change_successor(&c, s, s->ctl->config.capacity,
                                  (uint32_t)atomic_load_explicit(&s->ctl->epoch, memory_order_relaxed));
        return rc ? rc : change_apply(&c, s);
}

/* Write the record of a slot that is FREE; the word that makes it count comes last, from access_grant(). */
static void access_fill(struct stream *s, uint32_t slot, const char *name)
{
        struct abi_producer *p = &s->ctl->producer[slot];
        /* [copy.w] release fence, pairs with [copy.r]: the word that says FREE was read or stored before, the record changes
         * after. */
        atomic_thread_fence(memory_order_release);
        memset(p->name, 0, sizeof p->name);
        FAULT(access_fill_clear_name);
        memset(p->fencer, 0, sizeof p->fencer);
        FAULT(access_fill_clear_fencer);
        snprintf(p->name, sizeof p->name, "%s", name);
        FAULT(access_fill_name);
        /* relaxed: ordered by the word. */
        atomic_store_explicit(&p->messages, 0, memory_order_relaxed);
        FAULT(access_fill_messages);
        atomic_store_explicit(&p->bytes, 0, memory_order_relaxed);
        FAULT(access_fill_bytes);
        atomic_store_explicit(&p->blocked, 0, memory_order_relaxed);
        FAULT(access_fill_blocked);
        atomic_store_explicit(&p->segment, stream_current(s), memory_order_relaxed);
        FAULT(access_fill_segment);
        atomic_store_explicit(&p->peer_slot, s->bus->slot, memory_order_relaxed);
        FAULT(access_fill_peer_slot);
        atomic_store_explicit(&p->peer_gen, s->bus->gen, memory_order_relaxed);
        FAULT(access_fill_peer_gen);
        atomic_store_explicit(&p->epoch, atomic_load_explicit(&s->ctl->epoch, memory_order_relaxed),
                              memory_order_relaxed);
        FAULT(access_fill_epoch);
        atomic_store_explicit(&p->fence, 0, memory_order_relaxed);
        FAULT(access_fill_fence);
}

/* Turn a FREE slot into a waiting, shared or owning one. */
static int access_grant(struct stream *s, uint32_t slot, enum torc_access mode, const struct survey *v)
{
        struct abi_ctl *ctl = s->ctl;
        struct abi_producer *p = &ctl->producer[slot];
        uint64_t gen = ABI_WORD_GEN(atomic_load_explicit(&p->word, memory_order_relaxed)) + 1;
        if (mode == TORC_EXCLUSIVE || mode == TORC_EXCLUSIVE_WITH_FENCING) {
                /* The generation first, in a state that holds nothing, so that a failure below leaves it FREE. */
                atomic_store_explicit(&p->word, ABI_WORD(gen, ABI_PRODUCER_FREE), memory_order_relaxed);
                FAULT(access_grant_generation);
                return access_own(s, slot, mode == TORC_EXCLUSIVE_WITH_FENCING && v->producers + v->waiters);
        }
        int rc = access_reopen(s);
        if (rc)
                return rc;
        atomic_store_explicit(&p->segment, stream_current(s), memory_order_relaxed);
        FAULT(access_grant_segment);
        unsigned state = ABI_PRODUCER_SHARED;
        if (mode == TORC_WAIT_FOR_EXCLUSIVE) {
                uint64_t ticket = atomic_load_explicit(&ctl->next_ticket, memory_order_relaxed);
                atomic_store_explicit(&p->ticket, ticket, memory_order_relaxed);
                FAULT(access_grant_ticket);
                atomic_store_explicit(&ctl->next_ticket, ticket + 1, memory_order_relaxed);
                FAULT(access_grant_next_ticket);
                state = ABI_PRODUCER_WAITING;
        }
        /* [slot.w] release, pairs with [slot.r]: who sees the state sees the record. */
        atomic_store_explicit(&p->word, ABI_WORD(gen, state), memory_order_release);
        FAULT(access_grant_word);
        return 0;
}

/*
 * access_attach - take a producer slot with the wanted access. Returns 0, TORC_EBUSY, TORC_ENOCAPACITY, -ENOSPC,
 * -ETIMEDOUT (the ctl lock), TORC_EREMOVED, TORC_ECORRUPT.
 */
int access_attach(struct stream *s, const char *name, enum torc_access mode, uint32_t *slot, uint64_t *gen)
{
        struct torc_reaped reaped = {0};
        struct survey v;
        int rc = stream_lock(s, wait_mono_ns() + STREAM_LOCK_NS);
        if (rc)
                return rc;
        stream_reap_producers(s, &reaped); /* what cannot be settled yet keeps its slot, but counts as dead */
        access_survey(s, UINT64_MAX, &v);
        /* The owner's own word counts, not `owner`: that may still name one who left without the lock. */
        if ((mode == TORC_SHARED && (v.owners || v.waiters)) ||
            (mode == TORC_EXCLUSIVE && (v.producers || v.waiters)))
                rc = TORC_EBUSY;
        else if (v.free_slot < 0 || (mode == TORC_WAIT_FOR_EXCLUSIVE && v.waiters >= ABI_WAITERS))
                rc = TORC_ENOCAPACITY;
        if (rc == 0) {
                *slot = (uint32_t)v.free_slot;
                access_fill(s, *slot, name);
                if (*slot >= atomic_load_explicit(&s->ctl->producer_top, memory_order_relaxed)) {
                        atomic_store_explicit(&s->ctl->producer_top, *slot + 1, memory_order_release); /* [slot.w] */
                        FAULT(access_attach_top);
                }
                rc = access_grant(s, *slot, mode, &v);
                *gen = ABI_WORD_GEN(atomic_load_explicit(&s->ctl->producer[*slot].word, memory_order_relaxed));
        }
        if (reaped.producers || reaped.waiters)
                stream_wake_all(s);
        stream_unlock(s);
        return rc;
}

/* Is it plainly not this waiter's turn? Looks without the lock: waiters ask time and again, and one that was stopped with
 * the lock in its hands would keep everybody from attaching. */
static bool access_not_yet(struct stream *s, uint32_t slot, uint64_t gen, uint32_t *place)
{
        const struct abi_producer *p = &s->ctl->producer[slot];
        struct survey v;
        /* [slot.r] acquire, pairs with [slot.w]. armed relaxed: a hint that the lock has work for us. */
        if (atomic_load_explicit(&p->word, memory_order_acquire) != ABI_WORD(gen, ABI_PRODUCER_WAITING) ||
            stream_state(s) != ABI_STREAM_OPEN || atomic_load_explicit(&s->ctl->redo.armed, memory_order_relaxed))
                return false;
        access_survey(s, atomic_load_explicit(&p->ticket, memory_order_relaxed), &v);
        *place = v.before;
        return v.producers || v.before;
}

/*
 * access_try_own - a waiter looks whether it is its turn. Returns 0 (owner now), -EAGAIN (*place live waiters are
 * before it, or the lock is held), TORC_EFENCED, TORC_EREMOVED, -ENOSPC, TORC_ECORRUPT.
 */
int access_try_own(struct stream *s, uint32_t slot, uint64_t gen, uint32_t *place)
{
        struct abi_producer *p = &s->ctl->producer[slot];
        struct torc_reaped reaped = {0};
        struct survey v;
        if (access_not_yet(s, slot, gen, place))
                return -EAGAIN;
        int rc = stream_lock(s, wait_mono_ns() + ACCESS_TRY_NS);
        if (rc)
                return rc == -ETIMEDOUT ? -EAGAIN : rc;
        uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
        if (ABI_WORD_GEN(word) != gen || ABI_WORD_STATE(word) == ABI_PRODUCER_FREE) {
                rc = TORC_ECORRUPT;
        } else if (ABI_WORD_STATE(word) == ABI_PRODUCER_FENCED) {
                rc = TORC_EFENCED;
        } else if (stream_state(s) == ABI_STREAM_ENDED) {
                rc = TORC_ECLOSED; /* it has a turn again when somebody opens the stream */
        } else if (ABI_WORD_STATE(word) == ABI_PRODUCER_WAITING) {
                stream_reap_producers(s, &reaped);
                access_survey(s, atomic_load_explicit(&p->ticket, memory_order_relaxed), &v);
                *place = v.before;
                rc = v.producers || v.before ? -EAGAIN : access_own(s, slot, false);
        }
        stream_unlock(s);
        return rc;
}

/*
 * access_detach - give a slot back. If the lock cannot be had, because its holder was stopped or what a dead one left cannot
 * be finished now, the slot is left as FENCED: it holds nobody up, and is free when its peer has been reaped.
 */
void access_detach(struct stream *s, uint32_t slot, uint64_t gen)
{
        struct abi_producer *p = &s->ctl->producer[slot];
        int rc = stream_lock(s, wait_mono_ns() + STREAM_LEAVE_NS);
        uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
        unsigned state = ABI_WORD_STATE(word);
        bool ours = ABI_WORD_GEN(word) == gen && state != ABI_PRODUCER_FREE;
        if (rc == 0 && ours) {
                stream_retire_producer(s, slot);
                stream_wake_all(s);
        } else if (rc != TORC_EREMOVED && ours) {
                /* By CAS: the holder may be about to fence us, which is as good. [slot.w] acq_rel, pairs with [slot.r]: what
                 * we settled comes before the word that says we hold nothing. */
                atomic_compare_exchange_strong_explicit(&p->word, &word, ABI_WORD(gen, ABI_PRODUCER_FENCED),
                                                        memory_order_acq_rel, memory_order_relaxed);
                FAULT(access_detach_fenced);
                stream_wake_all(s);
        }
        if (rc == 0)
                stream_unlock(s);
}

/* access_fence_all - shut every producer out, without a new owner. */
int access_fence_all(struct stream *s, uint32_t *epoch_out)
{
        struct abi_ctl *ctl = s->ctl;
        int rc = stream_lock(s, wait_mono_ns() + STREAM_LOCK_NS);
        if (rc)
                return rc;
        uint64_t epoch = atomic_load_explicit(&ctl->epoch, memory_order_relaxed) + 1;
        struct change c;
        change_init(&c);
        /* A stream that has ended is sealed already, and opens with its next producer, not with this. */
        if (epoch > UINT32_MAX)
                rc = TORC_ENOCAPACITY; /* as in access_own() */
        else if (stream_state(s) == ABI_STREAM_OPEN)
                rc = change_successor(&c, s, ctl->config.capacity, (uint32_t)epoch);
        if (rc == 0) {
                c.redo.epoch = (uint32_t)epoch;
                c.redo.fence = ABI_REDO_FENCE_ALL;
                c.redo.fencer_pid = (uint32_t)getpid();
                c.redo.rename = 2;
                memcpy(c.redo.name, s->bus->peer_name, sizeof c.redo.name);
                change_word(&c, s, &ctl->epoch, epoch);
                change_word(&c, s, &ctl->owner, 0);
                rc = change_apply(&c, s);
        }
        if (rc == 0) {
                stream_wake_all(s);
                if (epoch_out)
                        *epoch_out = (uint32_t)epoch;
        }
        stream_unlock(s);
        return rc;
}
