/*
 * reap.c - who is on a stream, who of them is dead, and what has to be cleaned up after the dead.
 *
 * A slot is freed when its peer is proven dead (bus_peer_alive) and, for a producer, when its whole claim is settled in
 * every segment of the chain. A segment is deleted when no consumer's segment number is at or before it: numbers,
 * not cursors, because an empty segment begins and ends at one position.
 */
#include "stream.h"

#include "fault.h"
#include "file.h"
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STREAM_TOTAL_TRIES 50
#define STREAM_TOTAL_NS 50000000

/* ---- who is there ---------------------------------------------------------------------------------------- */

bool stream_producer_alive(const struct stream *s, unsigned slot)
{
        const struct abi_producer *p = &s->ctl->producer[slot];
        /* [slot.r] acquire, pairs with [slot.w]: the peer below is this occupant's. */
        uint64_t word = atomic_load_explicit(&p->word, memory_order_acquire);
        if (ABI_WORD_STATE(word) == ABI_PRODUCER_FREE)
                return false;
        return bus_peer_alive(s->bus, atomic_load_explicit(&p->peer_slot, memory_order_relaxed),
                              atomic_load_explicit(&p->peer_gen, memory_order_relaxed));
}

bool stream_consumer_alive(const struct stream *s, unsigned slot)
{
        const struct abi_consumer *c = &s->ctl->consumer[slot];
        uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_FREE)
                return false;
        return bus_peer_alive(s->bus, atomic_load_explicit(&c->peer_slot, memory_order_relaxed),
                              atomic_load_explicit(&c->peer_gen, memory_order_relaxed));
}

/* relaxed: each count has one writer, and slots at the top and above have none. */
static uint64_t stream_sum(const struct abi_ctl *ctl, uint64_t total)
{
        uint32_t top = atomic_load_explicit(&ctl->producer_top, memory_order_relaxed);
        for (unsigned i = 0; i < top && i < ABI_PRODUCERS; i++)
                total += atomic_load_explicit(&ctl->producer[i].messages, memory_order_relaxed);
        return total;
}

/*
 * stream_total - messages ever committed; exact when nobody sends. A slot that is freed moves its count to `retired`, under
 * an armed redo record: a sum over both is right if nobody was at that meanwhile. Whoever is at it for long has died there,
 * or waits for the CPU: then the lock tells. Not under the ctl lock.
 */
uint64_t stream_total(struct stream *s)
{
        struct abi_ctl *ctl = s->ctl;
        for (int tries = 0; tries < STREAM_TOTAL_TRIES; tries++) {
                /* retired before armed, or a slot whose freeing began between the two would count twice: added to
                 * retired already, and not yet cleared. [slot.r] acquire, pairs with [slot.w]: if it was begun before,
                 * armed tells; if it is over by then, [redo.r] acquire, pairs with [redo.w], shows the slot cleared. */
                uint64_t retired = atomic_load_explicit(&ctl->retired_messages, memory_order_acquire);
                uint64_t armed = atomic_load_explicit(&ctl->redo.armed, memory_order_acquire);
                uint64_t total = stream_sum(ctl, retired);
                /* [redo.r] acquire fence: whoever sees a slot cleared sees, in the second look, that retired grew. */
                atomic_thread_fence(memory_order_acquire);
                if (!armed && !atomic_load_explicit(&ctl->redo.armed, memory_order_relaxed) &&
                    retired == atomic_load_explicit(&ctl->retired_messages, memory_order_relaxed))
                        return total;
                sched_yield();
        }
        int rc = stream_lock(s, wait_mono_ns() + STREAM_TOTAL_NS);
        uint64_t total = stream_sum(ctl, atomic_load_explicit(&ctl->retired_messages, memory_order_relaxed));
        if (rc == 0)
                stream_unlock(s);
        return total;
}

static uint32_t stream_consumer_top(const struct stream *s)
{
        uint32_t top = atomic_load_explicit(&s->ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        return top < ABI_CONSUMERS ? top : ABI_CONSUMERS;
}

/* How many connected consumers carry all of `tags`? Stops at `enough`. sure: count only those proven alive. */
uint32_t stream_count_consumers(const struct stream *s, uint32_t enough, const char *tags, bool sure)
{
        uint32_t n = 0, top = stream_consumer_top(s);
        for (uint32_t i = 0; i < top && n < enough; i++) {
                const struct abi_consumer *c = &s->ctl->consumer[i];
                uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
                if (ABI_CONSUMER_STATE(word) != ABI_CONSUMER_ACTIVE)
                        continue;
                const struct abi_peer *peer =
                        bus_peer(s->bus, atomic_load_explicit(&c->peer_slot, memory_order_relaxed),
                                 atomic_load_explicit(&c->peer_gen, memory_order_relaxed));
                if (!peer || (tags && *tags && !tags_carry_all(peer->tags, tags)))
                        continue;
                n += !sure || stream_consumer_alive(s, i);
        }
        return n;
}

/* ---- waking ---------------------------------------------------------------------------------------------- */

static void stream_wake_pollers(struct stream *s)
{
        uint32_t top = stream_consumer_top(s);
        for (uint32_t i = 0; i < top; i++) {
                char name[STREAM_FILE_MAX];
                /* relaxed: ordered by the fence before the look at waiters ([wake.w]). */
                if (!atomic_load_explicit(&s->ctl->consumer[i].armed, memory_order_relaxed) ||
                    !atomic_exchange_explicit(&s->ctl->consumer[i].armed, 0, memory_order_relaxed))
                        continue;
                FAULT(stream_wake_poller_disarm);
                snprintf(name, sizeof name, "poll.%" PRIu32, i);
                /* Both ends: if its reader dies now, a write must not kill us with SIGPIPE. */
                int fd = openat(s->handle->fd[STREAM_FD_DIR], name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
                if (fd < 0)
                        continue; /* its reader is gone */
                ssize_t n = write(fd, "", 1);
                FAULT(stream_wake_poller_byte);
                (void)n; /* full: it is readable already */
                close(fd);
        }
}

/* After a commit: wake consumers that sleep or poll. */
void stream_wake_consumers(struct stream *s)
{
        if (wait_wake(&s->ctl->data) & ABI_WAIT_POLL)
                stream_wake_pollers(s);
}

/* After a death or a change of the stream: everybody looks again. */
void stream_wake_all(struct stream *s)
{
        wait_wake_always(&s->ctl->data);
        wait_wake_always(&s->ctl->space);
        wait_wake_always(&s->ctl->access);
        stream_wake_pollers(s);
}

/* A consumer came or went. */
void stream_members_changed(struct stream *s)
{
        /* [slot.w] release: who sees the new number sees the change. */
        atomic_fetch_add_explicit(&s->ctl->membership, 1, memory_order_release);
        FAULT(stream_members_changed);
        wait_wake_always(&s->ctl->access);
        wait_wake_always(&s->ctl->space);
}

/* ---- segments that nobody needs -------------------------------------------------------------------------- */

static uint64_t stream_oldest_needed(const struct stream *s)
{
        uint64_t oldest = UINT64_MAX;
        uint32_t top = stream_consumer_top(s);
        /* [join.r] seq_cst fence, pairs with [join.w]: a joiner that this scan misses loads `current` after it. */
        atomic_thread_fence(memory_order_seq_cst);
        for (uint32_t i = 0; i < top; i++) {
                const struct abi_consumer *c = &s->ctl->consumer[i];
                uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
                unsigned state = ABI_CONSUMER_STATE(word);
                if (state != ABI_CONSUMER_JOINING && state != ABI_CONSUMER_ACTIVE)
                        continue;
                /* [cursor.r] acquire: it has left the segments before this one. */
                uint64_t segment = atomic_load_explicit(&c->segment, memory_order_acquire);
                if (segment < oldest)
                        oldest = segment;
        }
        return oldest;
}

/* stream_first - the number of the oldest segment. Under the ctl lock. A reclaimer may have died between deleting a segment
 * and saying so: then it is said here. A second one that is missing is damage, which whoever opens it will find. */
uint64_t stream_first(struct stream *s)
{
        char name[STREAM_FILE_MAX];
        uint64_t first = atomic_load_explicit(&s->ctl->first, memory_order_relaxed);
        snprintf(name, sizeof name, "0.%" PRIu64, first);
        if (first < stream_current(s) && faccessat(s->handle->fd[STREAM_FD_DIR], name, F_OK, 0) && errno == ENOENT) {
                /* [chain.w] release, pairs with [chain.r]. */
                atomic_store_explicit(&s->ctl->first, ++first, memory_order_release);
                FAULT(stream_first_moved);
        }
        return first;
}

/* Delete sealed segments that no consumer needs, oldest first. Under the ctl lock. Unlinks before it moves `first`: if we
 * die between, the next one finds the file gone and moves on. */
void stream_reclaim(struct stream *s)
{
        uint64_t current = stream_current(s);
        uint64_t first = stream_first(s), needed = stream_oldest_needed(s);
        for (; first < current && first < needed; first++) {
                char name[STREAM_FILE_MAX];
                snprintf(name, sizeof name, "0.%" PRIu64, first);
                if (unlinkat(s->handle->fd[STREAM_FD_DIR], name, 0))
                        return;
                FAULT(stream_reclaim_unlink);
                /* [chain.w] release, pairs with [chain.r]. */
                atomic_store_explicit(&s->ctl->first, first + 1, memory_order_release);
                FAULT(stream_reclaim_first);
        }
}

/* ---- the dead -------------------------------------------------------------------------------------------- */

/* stream_retire_producer - free a producer's slot, keeping its counts. Under the ctl lock; its claims are settled. */
int stream_retire_producer(struct stream *s, unsigned slot)
{
        struct abi_ctl *ctl = s->ctl;
        struct abi_producer *p = &ctl->producer[slot];
        uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
        struct change c;
        change_init(&c);
        change_word(&c, s, &ctl->retired_messages,
                    atomic_load_explicit(&ctl->retired_messages, memory_order_relaxed) +
                            atomic_load_explicit(&p->messages, memory_order_relaxed));
        change_word(&c, s, &ctl->retired_bytes,
                    atomic_load_explicit(&ctl->retired_bytes, memory_order_relaxed) +
                            atomic_load_explicit(&p->bytes, memory_order_relaxed));
        change_word(&c, s, &p->messages, 0);
        change_word(&c, s, &p->bytes, 0);
        if (atomic_load_explicit(&ctl->owner, memory_order_relaxed) == slot + 1)
                change_word(&c, s, &ctl->owner, 0);
        change_word(&c, s, &p->word, ABI_WORD(ABI_WORD_GEN(word), ABI_PRODUCER_FREE));
        return change_apply(&c, s);
}

/* Settle a dead producer's claims in the whole chain, then free its slot. Returns 0, -EAGAIN (come again), ... */
static int reap_producer(struct stream *s, unsigned slot, struct torc_reaped *reaped)
{
        struct abi_ctl *ctl = s->ctl;
        struct abi_producer *p = &ctl->producer[slot];
        uint64_t current = stream_current(s);
        uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed);
        bool waiting = ABI_WORD_STATE(word) == ABI_PRODUCER_WAITING;
        for (uint64_t n = stream_first(s); !waiting && n <= current; n++) {
                int rc = segment_reap(s, n, slot, &reaped->holes);
                if (rc)
                        return rc;
        }
        reaped->producers += !waiting;
        reaped->waiters += waiting;
        return stream_retire_producer(s, slot);
}

/* Free the slots of dead producers and waiters. Under the ctl lock. */
int stream_reap_producers(struct stream *s, struct torc_reaped *reaped)
{
        int first_error = 0;
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                uint64_t word = atomic_load_explicit(&s->ctl->producer[i].word, memory_order_relaxed);
                if (ABI_WORD_STATE(word) == ABI_PRODUCER_FREE || stream_producer_alive(s, i))
                        continue;
                int rc = reap_producer(s, i, reaped);
                if (rc && !first_error)
                        first_error = rc;
        }
        return first_error;
}

/* stream_retire_consumer - free a consumer's slot, keeping its losses. Under the ctl lock. */
int stream_retire_consumer(struct stream *s, unsigned slot)
{
        struct abi_ctl *ctl = s->ctl;
        struct abi_consumer *c = &ctl->consumer[slot];
        uint64_t word = atomic_load_explicit(&c->word, memory_order_relaxed);
        uint64_t missed = atomic_load_explicit(&c->missed, memory_order_relaxed);
        uint64_t count = atomic_load_explicit(&c->count, memory_order_relaxed);
        if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_KICKED)
                missed += ABI_CONSUMER_CUT_OFF(word, count);
        char name[STREAM_FILE_MAX];
        snprintf(name, sizeof name, "poll.%u", slot);
        unlinkat(s->handle->fd[STREAM_FD_DIR], name, 0);
        FAULT(stream_retire_poll);
        struct change change;
        change_init(&change);
        change_word(&change, s, &ctl->retired_missed,
                    atomic_load_explicit(&ctl->retired_missed, memory_order_relaxed) + missed);
        change_word(&change, s, &c->missed, 0);
        change_word(&change, s, &c->word, ABI_CONSUMER_WORD(ABI_CONSUMER_FREE, ABI_CONSUMER_GEN(word), 0));
        return change_apply(&change, s);
}

/* Is there anything for stream_reap() to do? Looks without the lock, so that those who wait and find nothing, time and
 * again, neither stand in others' way nor are ever stopped with the lock in their hands. */
bool stream_reap_needed(const struct stream *s)
{
        /* relaxed: a hint; the lock orders. */
        if (atomic_load_explicit(&s->ctl->redo.armed, memory_order_relaxed))
                return true;
        uint64_t first = atomic_load_explicit(&s->ctl->first, memory_order_relaxed);
        if (first < stream_current(s) && first < stream_oldest_needed(s))
                return true;
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                uint64_t word = atomic_load_explicit(&s->ctl->producer[i].word, memory_order_relaxed);
                if (ABI_WORD_STATE(word) != ABI_PRODUCER_FREE && !stream_producer_alive(s, i))
                        return true;
        }
        uint32_t top = stream_consumer_top(s);
        for (uint32_t i = 0; i < top; i++) {
                uint64_t word = atomic_load_explicit(&s->ctl->consumer[i].word, memory_order_relaxed);
                if (ABI_CONSUMER_STATE(word) != ABI_CONSUMER_FREE && !stream_consumer_alive(s, i))
                        return true;
        }
        return false;
}

/* stream_reap_consumers - free the slots of dead consumers. Under the ctl lock. Returns 0 or the first error. */
int stream_reap_consumers(struct stream *s, struct torc_reaped *reaped)
{
        uint32_t top = stream_consumer_top(s), before = reaped->consumers;
        int first_error = 0;
        for (uint32_t i = 0; i < top; i++) {
                uint64_t word = atomic_load_explicit(&s->ctl->consumer[i].word, memory_order_relaxed);
                if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_FREE || stream_consumer_alive(s, i))
                        continue;
                int rc = stream_retire_consumer(s, i);
                if (rc && !first_error)
                        first_error = rc;
                reaped->consumers += !rc;
        }
        if (reaped->consumers != before)
                stream_members_changed(s);
        return first_error;
}

/*
 * stream_reap - free every slot of the dead, delete what nobody needs any more, wake whoever may go on. Under the ctl
 * lock. Returns 0, -EAGAIN when a dead producer's claim overlaps a live one's (come again), or the first error.
 */
int stream_reap(struct stream *s, struct torc_reaped *reaped)
{
        struct torc_reaped mine = {0};
        int rc = stream_reap_producers(s, &mine), error = stream_reap_consumers(s, &mine);
        if (error && !rc)
                rc = error;
        stream_reclaim(s);
        if (mine.consumers || mine.producers || mine.waiters)
                stream_wake_all(s);
        if (reaped) {
                reaped->producers += mine.producers;
                reaped->consumers += mine.consumers;
                reaped->waiters += mine.waiters;
                reaped->holes += mine.holes;
        }
        return rc;
}
