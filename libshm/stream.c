/*
 * stream.c - segments of a stream, the ctl lock, and changes that survive their maker.
 *
 * A stream is a directory with a ctl file and a chain of segments. Whatever takes more than one store in the ctl file,
 * or touches a segment as well, runs under the ctl lock as a `change`: written down whole in the redo record, then
 * carried out, then erased. Each step may be repeated, so the next holder of the lock redoes what a dead one left.
 *
 *   change:  prepare the new segment (may fail: nothing happened)
 *            redo record, armed last
 *            seal the current segment        idempotent: an or into tail
 *            link the successor              idempotent: it is there or it is not
 *            fence producers                 idempotent: absolute values
 *            store words                     idempotent: absolute values
 *            disarm
 *
 * Invariants
 *   S1  first <= current; every segment from first to current exists as a file; all but current are sealed.
 *   S2  a segment begins at the position at which its predecessor was sealed.
 *   S3  words under the ctl lock change only by its holder, after an armed redo record was redone.
 */
#include "stream.h"

#include "fault.h"
#include "file.h"
#include "name.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int stream_from_ring(enum ring_result result)
{
        switch (result) {
        case RING_OK:
        case RING_HOLE:
                return 0;
        case RING_BUSY:
        case RING_EMPTY:
                return -EAGAIN;
        case RING_FULL:
                return TORC_EFULL;
        case RING_GONE:
                return TORC_EGONE;
        case RING_END:
        case RING_SEALED:
                return TORC_ECLOSED;
        case RING_CORRUPT:
                break;
        }
        return TORC_ECORRUPT;
}

/* ---- segments -------------------------------------------------------------------------------------------- */

static void segment_name(char name[STREAM_FILE_MAX], uint64_t number)
{
        snprintf(name, STREAM_FILE_MAX, "0.%" PRIu64, number);
}

static int stream_dirfd(const struct stream *s)
{
        return s->handle->fd[STREAM_FD_DIR];
}

/* Map a segment. -ENOENT: reclaimed, or not there yet. */
int segment_open(struct segment *seg, struct stream *s, uint64_t number, enum segment_use use)
{
        bool writable = use == SEGMENT_PRODUCE || use == SEGMENT_MEND;
        char name[STREAM_FILE_MAX];
        segment_name(name, number);
        int fd = file_open(stream_dirfd(s), name, writable);
        if (fd < 0)
                return fd;
        int rc = bus_check_head(fd, ABI_MAGIC_SEG, sizeof(struct abi_seg), &seg->bytes);
        if (rc == 0)
                rc = file_map(fd, seg->bytes, writable, use == SEGMENT_PRODUCE || use == SEGMENT_CONSUME, &seg->map);
        close(fd);
        if (rc)
                return rc;
        if (ring_attach(&seg->ring, seg->map, seg->bytes) != RING_OK || seg->ring.number != number ||
            seg->ring.seg->head.id != s->ctl->head.id) {
                segment_close(seg);
                return TORC_ECORRUPT;
        }
        seg->ring.intent_top = &s->ctl->producer_top;
        return 0;
}

void segment_close(struct segment *seg)
{
        file_unmap(seg->map, seg->bytes);
        *seg = (struct segment){0};
}

static bool segment_alive(void *arg, unsigned slot)
{
        return stream_producer_alive(arg, slot);
}

/* Map a segment writable and take its recovery lock, on descriptions of their own: see file.c. */
static int segment_open_locked(struct segment *seg, struct stream *s, uint64_t number, int *lock)
{
        char name[STREAM_FILE_MAX];
        segment_name(name, number);
        int fd = file_open(stream_dirfd(s), name, true);
        if (fd < 0)
                return fd;
        int rc = segment_open(seg, s, number, SEGMENT_MEND);
        if (rc == 0) {
                rc = file_lock(fd, ABI_LOCK_TABLE, wait_mono_ns() + 1000000);
                if (rc)
                        segment_close(seg);
        }
        if (rc) {
                close(fd);
                return rc == -ETIMEDOUT ? -EAGAIN : rc;
        }
        *lock = fd;
        return 0;
}

static void segment_close_locked(struct segment *seg, int lock)
{
        segment_close(seg);
        file_unlock(lock, ABI_LOCK_TABLE); /* closing is not enough: another thread may have forked meanwhile */
        close(lock);
}

static void stream_count_holes(struct stream *s, uint32_t holes)
{
        if (!holes)
                return;
        /* relaxed: a counter. */
        atomic_fetch_add_explicit(&s->ctl->aborted, holes, memory_order_relaxed);
        FAULT(stream_count_holes);
        stream_wake_consumers(s);
}

/*
 * segment_recover - settle an uncommitted position whose producer may have died. Returns 0 (look again), -EAGAIN (a
 * live producer holds it, or another recovers it), -ENOENT (reclaimed), -EACCES (no permission to write: leave it to
 * a producer or the supervisor), TORC_EGONE, TORC_ECORRUPT.
 */
int segment_recover(struct stream *s, uint64_t number, uint64_t position)
{
        struct segment seg;
        int lock;
        int rc = segment_open_locked(&seg, s, number, &lock);
        if (rc)
                return rc;
        enum ring_result result = ring_recover(&seg.ring, position, segment_alive, s);
        if (result == RING_HOLE)
                stream_count_holes(s, 1);
        segment_close_locked(&seg, lock);
        return stream_from_ring(result);
}

/* segment_reap - settle what a dead producer left in a segment. Under the ctl lock. Returns 0, -EAGAIN or an error. */
int segment_reap(struct stream *s, uint64_t number, unsigned slot, uint32_t *holes)
{
        struct segment seg;
        int lock;
        uint32_t found = 0;
        int rc = segment_open_locked(&seg, s, number, &lock);
        if (rc)
                return rc == -ENOENT ? TORC_ECORRUPT : rc; /* nobody deletes a segment under the ctl lock */
        rc = stream_from_ring(ring_reap(&seg.ring, slot, segment_alive, s, &found));
        stream_count_holes(s, found);
        *holes += found;
        segment_close_locked(&seg, lock);
        return rc;
}

/* ---- changes --------------------------------------------------------------------------------------------- */

void change_init(struct change *c)
{
        memset(c, 0, sizeof *c);
        c->prepared = -1;
}

/* Add a word of the ctl file. All changes fit ABI_REDO_WORDS by construction. */
void change_word(struct change *c, struct stream *s, _Atomic uint64_t *word, uint64_t value)
{
        assert(c->redo.count < ABI_REDO_WORDS);
        c->redo.word[c->redo.count++] = (struct abi_redo_word){
                .offset = (uint64_t)((unsigned char *)word - (unsigned char *)s->ctl), .value = value};
}

static int segment_prepare(struct stream *s, uint64_t capacity)
{
        const struct abi_config *cfg = &s->ctl->config;
        struct file_perm perm = {.mode = cfg->mode, .uid = -1, .gid = -1};
        int fd = file_make_nameless(stream_dirfd(s), sizeof(struct abi_seg) + capacity, &perm);
        if (fd < 0)
                return fd;
        /* The stream's owner and group, as far as we may give files away; the mode says who may use them. */
        if (fchown(fd, cfg->uid, cfg->gid) && fchown(fd, (uid_t)-1, cfg->gid))
                errno = 0;
        return fchmod(fd, cfg->mode) ? (close(fd), -EPERM) : fd;
}

/* Segments that nobody needs go before there is another, or a stream without readers would keep one for each owner it ever
 * had; and one whose reader has died, if no producer ever had to wait for that reader. */
static void change_make_room(struct stream *s)
{
        struct torc_reaped reaped = {0};
        stream_reclaim(s);
        if (stream_current(s) - stream_first(s) < STREAM_CHAIN_LONG)
                return;
        stream_reap_consumers(s, &reaped);
        if (reaped.consumers)
                stream_reclaim(s);
}

/* Let the change seal the current segment and open a successor. Allocates now, so that a full tmpfs changes nothing. Returns
 * 0, -ENOSPC, ... */
int change_successor(struct change *c, struct stream *s, uint64_t capacity, uint32_t epoch)
{
        change_make_room(s);
        c->prepared = segment_prepare(s, capacity);
        if (c->prepared < 0)
                return c->prepared;
        uint64_t current = stream_current(s);
        c->redo.seal = current;
        c->redo.link = current + 1;
        c->redo.capacity = capacity;
        c->redo.epoch = epoch;
        change_word(c, s, &s->ctl->current, current + 1);
        change_word(c, s, &s->ctl->state, ABI_STREAM_OPEN);
        return 0;
}

void change_drop(struct change *c)
{
        if (c->prepared >= 0)
                close(c->prepared);
        c->prepared = -1;
}

/*
 * What carrying a change out needs from the system, had before the change begins: once it is written down it happens, so
 * nothing that can fail for want of descriptors or memory may come after.
 */
struct redo_ready {
        struct segment seal; /* to be sealed */
        int file;            /* to be linked, or -1 */
        bool ours;           /* and to be closed here */
        void *map;
        uint64_t secret;
};

static void redo_let_go(struct redo_ready *ready, const struct abi_redo *redo)
{
        if (ready->seal.map)
                segment_close(&ready->seal);
        file_unmap(ready->map, sizeof(struct abi_seg) + redo->capacity);
        if (ready->ours)
                close(ready->file);
}

static int redo_get_ready(struct redo_ready *ready, struct stream *s, const struct abi_redo *redo, int prepared)
{
        char name[STREAM_FILE_MAX];
        int rc = 0;
        *ready = (struct redo_ready){.file = -1};
        segment_name(name, redo->link);
        if (redo->seal)
                rc = segment_open(&ready->seal, s, redo->seal, SEGMENT_MEND);
        if (rc == -ENOENT)
                rc = TORC_ECORRUPT; /* what is to be sealed has not been reclaimed */
        /* It may have been linked by the holder that died. */
        if (rc || !redo->link || faccessat(stream_dirfd(s), name, F_OK, 0) == 0)
                return rc;
        ready->ours = prepared < 0;
        ready->file = ready->ours ? segment_prepare(s, redo->capacity) : prepared;
        if (ready->file < 0) {
                ready->ours = false;
                rc = ready->file;
        }
        if (rc == 0)
                rc = file_random(&ready->secret);
        if (rc == 0)
                rc = file_map(ready->file, sizeof(struct abi_seg) + redo->capacity, true, false, &ready->map);
        if (rc)
                redo_let_go(ready, redo);
        return rc;
}

/* Seal the one segment, then fill in the other's file and give it its name. */
static int redo_chain(struct stream *s, const struct abi_redo *redo, const struct redo_ready *ready)
{
        char name[STREAM_FILE_MAX];
        if (!redo->seal)
                return 0;
        uint64_t end = ring_seal(&ready->seal.ring);
        if (end >= ABI_POSITION_MAX || (end & 15))
                return TORC_ECORRUPT;
        if (ready->file < 0)
                return 0;
        segment_name(name, redo->link);
        ring_format(ready->map, s->ctl->head.id, redo->link, redo->capacity, end, ready->secret, redo->epoch);
        int rc = file_link(ready->file, stream_dirfd(s), name);
        return rc == -EEXIST ? 0 : rc;
}

static void redo_fence(struct stream *s, const struct abi_redo *redo)
{
        for (unsigned i = 0; i < ABI_PRODUCERS; i++) {
                struct abi_producer *p = &s->ctl->producer[i];
                uint64_t word = atomic_load_explicit(&p->word, memory_order_relaxed); /* relaxed: the lock orders */
                unsigned state = ABI_WORD_STATE(word);
                if (redo->fence == i + 1 || state == ABI_PRODUCER_FREE || state == ABI_PRODUCER_FENCED)
                        continue;
                memcpy(p->fencer, redo->name, sizeof p->fencer);
                FAULT(redo_fence_fencer);
                atomic_store_explicit(&p->fence, (uint64_t)redo->epoch << 32 | redo->fencer_pid,
                                      memory_order_relaxed);
                FAULT(redo_fence_fence);
                /* [slot.w] release, pairs with [slot.r]: who sees FENCED sees by whom. */
                atomic_store_explicit(&p->word, ABI_WORD(ABI_WORD_GEN(word), ABI_PRODUCER_FENCED),
                                      memory_order_release);
                FAULT(redo_fence_word);
        }
}

static int redo_carry_out(struct stream *s, const struct abi_redo *redo, const struct redo_ready *ready)
{
        int rc = redo_chain(s, redo, ready);
        if (rc)
                return rc;
        if (redo->fence)
                redo_fence(s, redo);
        if (redo->rename == 1) {
                memcpy(s->ctl->owner_name, redo->name, sizeof s->ctl->owner_name);
                FAULT(redo_owner_name);
        } else if (redo->rename == 2) {
                memset(s->ctl->owner_name, 0, sizeof s->ctl->owner_name);
                FAULT(redo_owner_unnamed);
        }
        for (uint32_t i = 0; i < redo->count; i++) {
                _Atomic uint64_t *word = (void *)((unsigned char *)s->ctl + redo->word[i].offset);
                /* [chain.w] [slot.w] release, pair with [chain.r] and [slot.r]: who sees the word sees the files,
                 * names and words that came before it. */
                atomic_store_explicit(word, redo->word[i].value, memory_order_release);
                FAULT(redo_word);
        }
        /* [slot.w] release: if it was a consumer that went, producers count again. Here, where it is redone with the
         * rest, because one who dies after the words and before this number would leave them believing in it. */
        atomic_fetch_add_explicit(&s->ctl->membership, 1, memory_order_release);
        FAULT(redo_membership);
        return 0;
}

static uint64_t redo_checksum(const struct abi_redo *redo)
{
        return stream_checksum(&redo->seal, redo + 1);
}

/* A record that somebody else wrote: is it one we could have written? */
static bool redo_sane(const struct abi_redo *redo)
{
        if (redo->count > ABI_REDO_WORDS)
                return false;
        if (redo->link && (redo->capacity < TORC_CAPACITY_MIN || redo->capacity > TORC_CAPACITY_MAX ||
                           (redo->capacity & (redo->capacity - 1)) || redo->seal != redo->link - 1))
                return false;
        for (uint32_t i = 0; i < redo->count; i++) {
                uint64_t at = redo->word[i].offset;
                if (at % 8 || at < offsetof(struct abi_ctl, state) || at > sizeof(struct abi_ctl) - 8)
                        return false;
        }
        return true;
}

/* Under the ctl lock: finish what a dead holder began. */
static int stream_redo(struct stream *s)
{
        struct abi_redo *shared = &s->ctl->redo;
        /* [redo.r] acquire, pairs with [redo.w]. */
        uint64_t armed = atomic_load_explicit(&shared->armed, memory_order_acquire);
        if (!armed)
                return 0;
        struct abi_redo redo;
        memcpy(&redo, shared, sizeof redo);
        if (armed != redo_checksum(&redo) || !redo_sane(&redo))
                return TORC_ECORRUPT;
        struct redo_ready ready;
        int rc = redo_get_ready(&ready, s, &redo, -1);
        if (rc)
                return rc;
        rc = redo_carry_out(s, &redo, &ready);
        redo_let_go(&ready, &redo);
        if (rc)
                return rc;
        /* [redo.w] release, pairs with [redo.r]: all of the change comes before the record is cleared. */
        atomic_store_explicit(&shared->armed, 0, memory_order_release);
        FAULT(stream_redo_cleared);
        stream_wake_all(s);
        return 0;
}

/*
 * change_apply - carry the change out, so that it happens wholly even if we are killed on the way. Under the ctl lock.
 * Consumes the change. Returns 0, or an error: nothing happened; or TORC_ECORRUPT, when the record stays armed for the
 * next holder.
 */
int change_apply(struct change *c, struct stream *s)
{
        struct abi_redo *shared = &s->ctl->redo;
        struct redo_ready ready;
        int rc = redo_get_ready(&ready, s, &c->redo, c->prepared);
        if (rc) {
                change_drop(c);
                return rc;
        }
        memcpy((unsigned char *)shared + sizeof shared->armed, (unsigned char *)&c->redo + sizeof shared->armed,
               sizeof *shared - sizeof shared->armed);
        FAULT(change_apply_record);
        /* [redo.w] release, pairs with [redo.r]: an armed record is whole. */
        atomic_store_explicit(&shared->armed, redo_checksum(&c->redo), memory_order_release);
        FAULT(change_apply_armed);
        rc = redo_carry_out(s, &c->redo, &ready);
        if (rc == 0) {
                /* [redo.w] release, as in stream_redo(). */
                atomic_store_explicit(&shared->armed, 0, memory_order_release);
                FAULT(change_apply_cleared);
        }
        redo_let_go(&ready, &c->redo);
        change_drop(c);
        return rc;
}

/* ---- the ctl lock ---------------------------------------------------------------------------------------- */

/* Can the chain be what it says? Damage here would send every walk along the chain astray. */
static int stream_check_chain(const struct stream *s)
{
        uint64_t first = atomic_load_explicit(&s->ctl->first, memory_order_relaxed); /* relaxed: the lock orders */
        uint64_t current = stream_current(s), state = stream_state(s);
        if (state == ABI_STREAM_REMOVED)
                return TORC_EREMOVED;
        return (state == ABI_STREAM_OPEN || state == ABI_STREAM_ENDED) && first >= 1 && first <= current &&
                               current < ABI_POSITION_MAX
                       ? 0
                       : TORC_ECORRUPT;
}

/* Take the ctl lock and redo what a dead holder left. Returns 0, -ETIMEDOUT (a holder is stopped or busy),
 * TORC_EREMOVED, TORC_ECORRUPT. */
int stream_lock(struct stream *s, int64_t deadline)
{
        int fd = s->handle->fd[STREAM_FD_LOCK];
        for (;;) {
                int rc = file_lock(fd, ABI_LOCK_TABLE, deadline);
                if (rc)
                        return rc;
                rc = stream_redo(s);
                if (rc == 0)
                        rc = stream_check_chain(s);
                if (rc == 0)
                        return 0;
                file_unlock(fd, ABI_LOCK_TABLE);
                if (rc != -EACCES)
                        return rc;
                /* What is left to do takes one who may write the segments, as a consumer need not. It is waited for. */
                if (wait_over(deadline))
                        return -ETIMEDOUT;
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
}

/* The same in a call that may be cancelled: its deadline may be a long way off, and the lock's holder stopped. */
int stream_lock_or_cancel(struct stream *s, int64_t deadline)
{
        for (;;) {
                int64_t slice = wait_mono_ns() + 10000000;
                int rc = stream_lock(s, deadline < slice ? deadline : slice);
                if (rc != -ETIMEDOUT || wait_over(deadline))
                        return rc;
                rc = handle_take_cancel(s->handle);
                if (rc)
                        return rc;
        }
}

void stream_unlock(struct stream *s)
{
        file_unlock(s->handle->fd[STREAM_FD_LOCK], ABI_LOCK_TABLE);
}
