/*
 * snapshot_members.c - the producers, waiters and consumers of one stream as a monitor sees them.
 *
 * A slot changes hands while we look. Its word, read before and after the copy, tells whether the copy is of one
 * occupant; if not, we look again, and after a few times leave the slot out of this snapshot.
 *
 * SPDX-License-Identifier: MIT
 */
#include "inspect.h"

#include "wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SNAPSHOT_TRIES 4

enum snapshot_slot { SLOT_FREE, SLOT_TAKEN, SLOT_CHANGED, SLOT_CORRUPT };

/* ---- producers ------------------------------------------------------------------------------------------- */

/* Does it stand between claim and commit? An intent is announced before it is won: one that begins at or ends
 * beyond the tail is no claim. */
static void snapshot_claim(const struct inspect_ring *rings, size_t n_rings, struct torc_producer_info *p)
{
        for (size_t i = 0; i < n_rings; i++) {
                const struct abi_seg *seg = rings[i].seg;
                if (!seg || rings[i].info.number != p->segment)
                        continue;
                const struct abi_intent *intent = &seg->intent[p->slot];
                /* [intent.r] acquire, pairs with [intent.w]: never an old end with a new start. */
                uint64_t start = atomic_load_explicit(&intent->start, memory_order_acquire);
                uint64_t end = atomic_load_explicit(&intent->end, memory_order_acquire);
                /* [tail.r] acquire: later than the intent, so that a claim that was won is told as won. */
                uint64_t tail = atomic_load_explicit(&seg->tail, memory_order_acquire) & ~ABI_SEALED;
                if (start == ABI_NO_INTENT || start >= end || end > tail || start < rings[i].info.base ||
                    atomic_load_explicit(&intent->start, memory_order_relaxed) != start)
                        return;
                p->claim_open = true;
                p->claim_start = start;
                p->claim_end = end;
                return;
        }
}

static enum snapshot_slot snapshot_producer(const struct torc_inspector *in, const struct abi_producer *from,
                                            struct torc_producer_info *p, uint64_t *ticket)
{
        /* [slot.r] acquire, pairs with [slot.w]: the fields below belong to this occupant. */
        uint64_t word = atomic_load_explicit(&from->word, memory_order_acquire);
        unsigned state = ABI_WORD_STATE(word);
        if (state == ABI_PRODUCER_FREE)
                return SLOT_FREE;
        if (state > ABI_PRODUCER_FENCED)
                return SLOT_CORRUPT;
        uint64_t peer_slot = atomic_load_explicit(&from->peer_slot, memory_order_relaxed);
        uint64_t peer_gen = atomic_load_explicit(&from->peer_gen, memory_order_relaxed);
        uint64_t fence = atomic_load_explicit(&from->fence, memory_order_relaxed);
        p->state = (enum torc_producer_state)state;
        p->segment = atomic_load_explicit(&from->segment, memory_order_relaxed);
        p->messages = atomic_load_explicit(&from->messages, memory_order_relaxed);
        p->bytes = atomic_load_explicit(&from->bytes, memory_order_relaxed);
        p->blocked = atomic_load_explicit(&from->blocked, memory_order_relaxed) != 0;
        p->epoch = (uint32_t)atomic_load_explicit(&from->epoch, memory_order_relaxed);
        *ticket = atomic_load_explicit(&from->ticket, memory_order_relaxed);
        inspect_text(p->name, sizeof p->name, from->name, sizeof from->name);
        if (state == ABI_PRODUCER_FENCED) {
                p->fenced_epoch = (uint32_t)(fence >> 32);
                p->fencer_pid = (int64_t)(fence & UINT32_MAX);
                inspect_text(p->fencer_name, sizeof p->fencer_name, from->fencer, sizeof from->fencer);
        }
        /* [copy.r] acquire fence, pairs with [copy.w]: if a copy above is of the next occupant's record, this look finds
         * another word. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&from->word, memory_order_relaxed) != word)
                return SLOT_CHANGED;
        if (peer_slot >= ABI_PEERS)
                return SLOT_CORRUPT;
        struct torc_peer_info peer;
        p->peer_slot = (uint32_t)peer_slot;
        if (inspect_peer(in, peer_slot, peer_gen, &peer)) {
                p->alive = peer.alive;
                p->pid = peer.pid;
                p->uid = peer.uid;
                p->start_ticks = peer.start_ticks;
        }
        return SLOT_TAKEN;
}

static int snapshot_by_ticket(const void *a, const void *b)
{
        const struct torc_waiter_info *x = a, *y = b;
        return x->ticket < y->ticket ? -1 : x->ticket > y->ticket;
}

int snapshot_producers(const struct torc_inspector *in, const struct abi_ctl *ctl, const struct inspect_ring *rings,
                       size_t n_rings, struct torc_stream_info *info)
{
        uint32_t top = atomic_load_explicit(&ctl->producer_top, memory_order_acquire); /* [slot.r] */
        if (top > ABI_PRODUCERS)
                return TORC_ECORRUPT;
        info->producers = calloc(top ? top : 1, sizeof *info->producers);
        info->waiters = calloc(top ? top : 1, sizeof *info->waiters);
        if (!info->producers || !info->waiters)
                return -ENOMEM;
        for (uint32_t i = 0; i < top; i++) {
                struct torc_producer_info p;
                uint64_t ticket;
                enum snapshot_slot result = SLOT_CHANGED;
                for (int tries = 0; result == SLOT_CHANGED && tries < SNAPSHOT_TRIES; tries++) {
                        p = (struct torc_producer_info){.slot = i};
                        result = snapshot_producer(in, &ctl->producer[i], &p, &ticket);
                }
                if (result == SLOT_CORRUPT)
                        return TORC_ECORRUPT;
                if (result != SLOT_TAKEN)
                        continue;
                if (p.state != TORC_PRODUCER_WAITING) {
                        snapshot_claim(rings, n_rings, &p);
                        info->producers[info->n_producers++] = p;
                        continue;
                }
                struct torc_waiter_info *w = &info->waiters[info->n_waiters++];
                *w = (struct torc_waiter_info){.ticket = ticket, .alive = p.alive, .pid = p.pid};
                memcpy(w->name, p.name, sizeof w->name);
        }
        if (info->n_waiters)
                qsort(info->waiters, info->n_waiters, sizeof *info->waiters, snapshot_by_ticket);
        return 0;
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

static enum torc_connection snapshot_connection(unsigned state, bool alive)
{
        if (!alive || state == ABI_CONSUMER_KICKED)
                return TORC_TERMINATED;
        return state == ABI_CONSUMER_JOINING ? TORC_CONNECTING : TORC_CONNECTED;
}

static void snapshot_consumer_counts(const struct abi_consumer *from, uint64_t word, struct torc_consumer_info *c)
{
        /* relaxed: counters of a consumer that goes on reading; each is right, together they are of about one time.
         * But [missed.r] acquire, pairs with [missed.w]: what is noted as missed stands in count too. */
        uint64_t missed = atomic_load_explicit(&from->missed, memory_order_acquire) +
                          atomic_load_explicit(&from->overtaken, memory_order_relaxed);
        uint64_t count = atomic_load_explicit(&from->count, memory_order_relaxed);
        c->stats.messages = count > missed ? count - missed : 0;
        c->stats.bytes = atomic_load_explicit(&from->bytes, memory_order_relaxed);
        c->stats.missed_bytes = atomic_load_explicit(&from->missed_bytes, memory_order_relaxed);
        c->stats.attached_ns = inspect_time(atomic_load_explicit(&from->attached_ns, memory_order_relaxed));
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_KICKED) /* it has not heard of these yet */
                missed += ABI_CONSUMER_CUT_OFF(word, count);
        c->stats.missed_messages = missed;
}

static enum snapshot_slot snapshot_consumer(const struct torc_inspector *in, const struct abi_consumer *from,
                                            uint32_t slot, struct torc_consumer_info *c)
{
        /* [slot.r] acquire, pairs with [slot.w]. */
        uint64_t word = atomic_load_explicit(&from->word, memory_order_acquire);
        unsigned state = ABI_CONSUMER_STATE(word);
        if (state == ABI_CONSUMER_FREE)
                return SLOT_FREE;
        if (state > ABI_CONSUMER_KICKED)
                return SLOT_CORRUPT;
        uint64_t peer_slot = atomic_load_explicit(&from->peer_slot, memory_order_relaxed);
        uint64_t peer_gen = atomic_load_explicit(&from->peer_gen, memory_order_relaxed);
        c->ref = (uint64_t)ABI_CONSUMER_GEN(word) << 16 | slot; /* as torc_stream_kick() takes it */
        /* [cursor.r] acquire, pairs with [cursor.w]. */
        c->segment = atomic_load_explicit(&from->segment, memory_order_acquire);
        c->cursor = atomic_load_explicit(&from->cursor, memory_order_acquire);
        snapshot_consumer_counts(from, word, c);
        inspect_text(c->name, sizeof c->name, from->name, sizeof from->name);
        atomic_thread_fence(memory_order_acquire); /* [copy.r] as above */
        if (ABI_CONSUMER_GEN(atomic_load_explicit(&from->word, memory_order_relaxed)) != ABI_CONSUMER_GEN(word))
                return SLOT_CHANGED;
        if (peer_slot >= ABI_PEERS)
                return SLOT_CORRUPT;
        struct torc_peer_info peer = {0};
        bool alive = inspect_peer(in, peer_slot, peer_gen, &peer) && peer.alive;
        c->connection = snapshot_connection(state, alive);
        c->pid = peer.pid;
        c->uid = peer.uid;
        memcpy(c->peer_name, peer.name, sizeof c->peer_name);
        memcpy(c->tags, peer.tags, sizeof c->tags);
        return SLOT_TAKEN;
}

int snapshot_consumers(const struct torc_inspector *in, const struct abi_ctl *ctl, struct torc_stream_info *info)
{
        int64_t now = wait_wall_ns();
        uint32_t top = atomic_load_explicit(&ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        if (top > ABI_CONSUMERS)
                return TORC_ECORRUPT;
        info->consumers = calloc(top ? top : 1, sizeof *info->consumers);
        if (!info->consumers)
                return -ENOMEM;
        for (uint32_t i = 0; i < top; i++) {
                struct torc_consumer_info *c = &info->consumers[info->n_consumers];
                enum snapshot_slot result = SLOT_CHANGED;
                for (int tries = 0; result == SLOT_CHANGED && tries < SNAPSHOT_TRIES; tries++) {
                        *c = (struct torc_consumer_info){0};
                        result = snapshot_consumer(in, &ctl->consumer[i], i, c);
                }
                if (result == SLOT_CORRUPT)
                        return TORC_ECORRUPT;
                if (result != SLOT_TAKEN)
                        continue;
                bool reads = c->connection != TORC_TERMINATED && info->tail > c->cursor;
                c->stats.lag_bytes = reads ? info->tail - c->cursor : 0;
                bool before = c->stats.attached_ns > 0 && c->stats.attached_ns < now; /* it may be any number */
                c->stats.uptime_ns = before ? now - c->stats.attached_ns : 0;
                info->n_consumers++;
        }
        return 0;
}
