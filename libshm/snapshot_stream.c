/*
 * snapshot_stream.c - one stream as a monitor sees it: policy, access, segments, sums.
 *
 * What cannot be (a checksum that is wrong, an owner beyond the table, a chain that ends before it begins) makes
 * the stream TORC_ECORRUPT. What can be for a moment, because others go on writing while we read, does not: counts
 * that move between two looks are looked at again, and differences that would be negative are zero.
 *
 * SPDX-License-Identifier: MIT
 */
#include "inspect.h"

#include "name.h"
#include "ring.h"
#include "stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct inspect_kind inspect_ctl_kind = {
        .magic = ABI_MAGIC_CTL,
        .header_bytes = offsetof(struct abi_ctl, producer),
        .exact = sizeof(struct abi_ctl),
        .want = sizeof(struct abi_ctl),
};
static const struct inspect_kind inspect_seg_kind = {
        .magic = ABI_MAGIC_SEG,
        .header_bytes = sizeof(struct abi_seg),
        .want = sizeof(struct abi_seg),
};

void snapshot_stream_forget(struct inspect_stream *s)
{
        for (size_t i = 0; i < s->n_segments; i++)
                inspect_unmap(&s->segment[i].file);
        free(s->segment);
        inspect_unmap(&s->ctl);
        *s = (struct inspect_stream){0};
}

/* ---- policy ---------------------------------------------------------------------------------------------- */

static bool snapshot_power_of_two(uint64_t n)
{
        return n && !(n & (n - 1));
}

static int snapshot_policy(const struct abi_ctl *ctl, const char *name, struct torc_stream_info *info)
{
        struct abi_config cfg;
        memcpy(&cfg, &ctl->config, sizeof cfg);
        if (cfg.checksum != stream_checksum(&cfg, &cfg.checksum) || strncmp(cfg.name, name, sizeof cfg.name))
                return TORC_ECORRUPT;
        if (!snapshot_power_of_two(cfg.capacity) || !snapshot_power_of_two(cfg.capacity_max) ||
            cfg.capacity < TORC_CAPACITY_MIN || cfg.capacity_max > TORC_CAPACITY_MAX ||
            cfg.capacity > cfg.capacity_max || cfg.lag > TORC_LAG_SKIP || cfg.max_consumers > ABI_CONSUMERS)
                return TORC_ECORRUPT;
        info->capacity_bytes = cfg.capacity;
        info->capacity_max_bytes = cfg.capacity_max;
        info->max_message_bytes = cfg.max_message;
        info->lag = (enum torc_lag)cfg.lag;
        info->online_min = cfg.online_min;
        info->max_consumers = cfg.max_consumers;
        info->mode = cfg.mode;
        info->uid = cfg.uid;
        info->gid = cfg.gid;
        info->created_ns = inspect_time(ctl->head.created_ns);
        inspect_text(info->online_tags, sizeof info->online_tags, cfg.online_tags, sizeof cfg.online_tags);
        return 0;
}

/* ---- segments -------------------------------------------------------------------------------------------- */

/* The kept map of a segment, or a new place for one. NULL: no memory. */
static struct inspect_segment *snapshot_segment_slot(struct inspect_stream *s, uint64_t number)
{
        for (size_t i = 0; i < s->n_segments; i++) {
                if (s->segment[i].number == number)
                        return &s->segment[i];
        }
        if (s->n_segments == s->cap_segments) {
                size_t cap = s->cap_segments ? s->cap_segments * 2 : 2;
                struct inspect_segment *more = realloc(s->segment, cap * sizeof *more);
                if (!more)
                        return NULL;
                s->segment = more;
                s->cap_segments = cap;
        }
        struct inspect_segment *seg = &s->segment[s->n_segments++];
        *seg = (struct inspect_segment){.number = number};
        return seg;
}

static void snapshot_drop_segments(struct inspect_stream *s, uint64_t first)
{
        size_t kept = 0;
        for (size_t i = 0; i < s->n_segments; i++) {
                if (s->segment[i].number >= first)
                        s->segment[kept++] = s->segment[i];
                else
                        inspect_unmap(&s->segment[i].file);
        }
        s->n_segments = kept;
}

/* Copy a segment's constants and check the copy. */
static int snapshot_ring(const struct abi_seg *seg, uint64_t id, uint64_t number, struct inspect_ring *ring)
{
        struct torc_segment_info *info = &ring->info;
        struct abi_seg copy, *c = &copy;
        memcpy(c, seg, offsetof(struct abi_seg, tail)); /* the constants */
        if (c->checksum != ring_seg_checksum(c) || c->number != number || c->head.id != id ||
            !snapshot_power_of_two(c->capacity) || c->capacity > TORC_CAPACITY_MAX || c->base >= ABI_POSITION_MAX ||
            c->head.file_bytes != sizeof *seg + c->capacity)
                return TORC_ECORRUPT;
        info->shard = c->shard;
        info->epoch = c->epoch;
        info->capacity = c->capacity;
        info->base = c->base;
        /* [tail.r] acquire, pairs with [tail.w]; limit is shown, not acted on. */
        uint64_t tail = atomic_load_explicit(&seg->tail, memory_order_acquire);
        info->limit = atomic_load_explicit(&seg->limit, memory_order_acquire);
        info->tail = tail & ~ABI_SEALED;
        info->state = tail & ABI_SEALED ? TORC_SEGMENT_DRAINING : TORC_SEGMENT_ACTIVE;
        if (info->tail >= ABI_POSITION_MAX || (info->tail & 15) || info->tail < info->base)
                return TORC_ECORRUPT;
        ring->seg = seg;
        return 0;
}

/* Look at one segment. -ENOENT: it was reclaimed meanwhile; -ENOMEM; anything else stands in ring->info.error. */
static int snapshot_segment(const struct torc_inspector *in, struct inspect_stream *s, uint64_t id, uint64_t number,
                            struct inspect_ring *ring)
{
        char path[TORC_NAME_MAX + STREAM_FILE_MAX + 4];
        *ring = (struct inspect_ring){.info = {.number = number}};
        struct inspect_segment *seg = snapshot_segment_slot(s, number);
        if (!seg)
                return -ENOMEM;
        snprintf(path, sizeof path, "@%s/0.%" PRIu64, s->name, number);
        int rc = inspect_map(&seg->file, dirfd(in->dir), path, &inspect_seg_kind);
        if (rc == -ENOENT)
                return rc;
        if (rc == 0)
                rc = snapshot_ring(seg->file.map, id, number, ring);
        ring->info.error = rc;
        return 0;
}

/* One look at the chain. -ENOENT: its end is not there. */
static int snapshot_look_at_chain(const struct torc_inspector *in, struct inspect_stream *s,
                                  struct torc_stream_info *info, struct inspect_ring **rings, uint64_t *end)
{
        const struct abi_ctl *ctl = s->ctl.map;
        /* [chain.r] acquire, pairs with [chain.w]: the files up to current are in place. first before current: it
         * never passes it, so that the order cannot be upset between the two loads. */
        uint64_t first = atomic_load_explicit(&ctl->first, memory_order_acquire);
        uint64_t current = atomic_load_explicit(&ctl->current, memory_order_acquire);
        *end = current;
        if (first == 0 || current < first || current >= ABI_POSITION_MAX)
                return TORC_ECORRUPT;
        if (current - first >= INSPECT_SEGMENTS)
                first = current - INSPECT_SEGMENTS + 1;
        snapshot_drop_segments(s, first);
        size_t n = (size_t)(current - first) + 1;
        *rings = calloc(n, sizeof **rings);
        info->segments = calloc(n, sizeof *info->segments);
        if (!*rings || !info->segments)
                return -ENOMEM;
        for (uint64_t number = first; number <= current; number++) {
                struct inspect_ring *ring = &(*rings)[info->n_segments];
                int rc = snapshot_segment(in, s, ctl->head.id, number, ring);
                if (rc == -ENOENT && number < current)
                        continue; /* reclaimed since `first` was read */
                if (rc)
                        return rc;
                info->segments[info->n_segments++] = ring->info;
        }
        const struct torc_segment_info *last = &info->segments[info->n_segments - 1];
        info->tail = last->tail;
        return last->error;
}

/* The chain from first to current, the newest INSPECT_SEGMENTS of it. *rings is the caller's to free. What was the end may
 * have been sealed, read and deleted while we looked: then there is another by now. */
static int snapshot_chain(const struct torc_inspector *in, struct inspect_stream *s, struct torc_stream_info *info,
                          struct inspect_ring **rings)
{
        const struct abi_ctl *ctl = s->ctl.map;
        for (int tries = 0; tries < 100; tries++) {
                uint64_t end;
                int rc = snapshot_look_at_chain(in, s, info, rings, &end);
                if (rc != -ENOENT)
                        return rc;
                if (atomic_load_explicit(&ctl->current, memory_order_acquire) == end) /* [chain.r] */
                        break;
                free(*rings);
                free(info->segments);
                *rings = NULL;
                info->segments = NULL;
                info->n_segments = 0;
        }
        return TORC_ECORRUPT;
}

/* ---- access, sums ---------------------------------------------------------------------------------------- */

static int snapshot_access(const struct abi_ctl *ctl, struct torc_stream_info *info)
{
        /* [chain.r] acquire, pairs with [chain.w]. */
        uint64_t state = atomic_load_explicit(&ctl->state, memory_order_acquire);
        uint64_t epoch = atomic_load_explicit(&ctl->epoch, memory_order_acquire);
        if (state == ABI_STREAM_REMOVED)
                return -ENOENT;
        if ((state != ABI_STREAM_OPEN && state != ABI_STREAM_ENDED) || epoch == 0 || epoch > UINT32_MAX)
                return TORC_ECORRUPT;
        info->ended = state == ABI_STREAM_ENDED;
        info->epoch = (uint32_t)epoch;
        return 0;
}

static bool snapshot_owner(const struct abi_ctl *ctl, struct torc_stream_info *info)
{
        uint64_t owner = atomic_load_explicit(&ctl->owner, memory_order_acquire); /* [slot.r] */
        if (owner > ABI_PRODUCERS)
                return false;
        for (size_t i = 0; owner && i < info->n_producers; i++) {
                const struct torc_producer_info *p = &info->producers[i];
                if (p->slot != owner - 1)
                        continue; /* none matches when it has just left: then there is no owner */
                info->access = TORC_EXCLUSIVE;
                info->owner_pid = p->pid;
                memcpy(info->owner_name, p->name, sizeof info->owner_name);
        }
        return true;
}

struct snapshot_sums {
        uint64_t messages, bytes, missed;
};

/* What slots count now, and what those that were freed had counted. relaxed: counters. */
static void snapshot_add_up(const struct abi_ctl *ctl, struct snapshot_sums *sums)
{
        uint32_t producers = atomic_load_explicit(&ctl->producer_top, memory_order_acquire); /* [slot.r] */
        uint32_t consumers = atomic_load_explicit(&ctl->consumer_top, memory_order_acquire); /* [slot.r] */
        sums->messages = atomic_load_explicit(&ctl->retired_messages, memory_order_relaxed);
        sums->bytes = atomic_load_explicit(&ctl->retired_bytes, memory_order_relaxed);
        sums->missed = atomic_load_explicit(&ctl->retired_missed, memory_order_relaxed);
        for (uint32_t i = 0; i < producers && i < ABI_PRODUCERS; i++) {
                sums->messages += atomic_load_explicit(&ctl->producer[i].messages, memory_order_relaxed);
                sums->bytes += atomic_load_explicit(&ctl->producer[i].bytes, memory_order_relaxed);
        }
        for (uint32_t i = 0; i < consumers && i < ABI_CONSUMERS; i++) {
                const struct abi_consumer *c = &ctl->consumer[i];
                uint64_t word = atomic_load_explicit(&c->word, memory_order_acquire); /* [slot.r] */
                /* [missed.r] acquire, pairs with [missed.w]: what is noted as missed stands in count too. */
                sums->missed += atomic_load_explicit(&c->missed, memory_order_acquire);
                uint64_t count = atomic_load_explicit(&c->count, memory_order_relaxed);
                if (ABI_CONSUMER_STATE(word) == ABI_CONSUMER_KICKED) /* it has not heard of these yet */
                        sums->missed += ABI_CONSUMER_CUT_OFF(word, count);
        }
}

/* A slot that is freed moves its counts from the slot to `retired`; a sum over both is right only if nobody was at
 * it. The redo record is armed while somebody is. */
static void snapshot_sum(const struct abi_ctl *ctl, struct torc_stream_info *info)
{
        struct snapshot_sums sums = {0};
        for (int tries = 0; tries < 8; tries++) {
                /* As stream_total(): retired before armed. [slot.r] acquire, pairs with [slot.w]; [redo.r] acquire, pairs
                 * with [redo.w]; [redo.r] acquire fence: the counts come before the second look. */
                uint64_t retired = atomic_load_explicit(&ctl->retired_messages, memory_order_acquire);
                uint64_t retired_missed = atomic_load_explicit(&ctl->retired_missed, memory_order_acquire);
                uint64_t before = atomic_load_explicit(&ctl->redo.armed, memory_order_acquire);
                snapshot_add_up(ctl, &sums);
                atomic_thread_fence(memory_order_acquire);
                if (!before && !atomic_load_explicit(&ctl->redo.armed, memory_order_relaxed) &&
                    retired == atomic_load_explicit(&ctl->retired_messages, memory_order_relaxed) &&
                    retired_missed == atomic_load_explicit(&ctl->retired_missed, memory_order_relaxed))
                        break;
        }
        info->messages = sums.messages;
        info->bytes = sums.bytes;
        info->losses[TORC_LOSS_DISCONNECTED] = sums.missed;
        info->losses[TORC_LOSS_ABORTED] = atomic_load_explicit(&ctl->aborted, memory_order_relaxed);
        info->losses[TORC_LOSS_OVERWRITTEN] = atomic_load_explicit(&ctl->overwritten, memory_order_relaxed);
}

static bool snapshot_online(const struct torc_stream_info *info)
{
        uint32_t n = 0;
        for (size_t i = 0; i < info->n_consumers; i++) {
                const struct torc_consumer_info *c = &info->consumers[i];
                n += c->connection == TORC_CONNECTED && tags_carry_all(c->tags, info->online_tags);
        }
        return n >= info->online_min;
}

/* ---- the stream ------------------------------------------------------------------------------------------ */

static int snapshot_read(struct torc_inspector *in, struct inspect_stream *s, struct torc_stream_info *info)
{
        const struct abi_ctl *ctl = s->ctl.map;
        struct inspect_ring *rings = NULL;
        int rc = snapshot_policy(ctl, s->name, info);
        if (rc == 0)
                rc = snapshot_access(ctl, info);
        if (rc == 0)
                rc = snapshot_chain(in, s, info, &rings);
        if (rc == 0)
                rc = snapshot_producers(in, ctl, rings, info->n_segments, info);
        if (rc == 0)
                rc = snapshot_consumers(in, ctl, info);
        free(rings);
        if (rc)
                return rc;
        if (!snapshot_owner(ctl, info))
                return TORC_ECORRUPT;
        snapshot_sum(ctl, info);
        info->online = snapshot_online(info);
        return 0;
}

int snapshot_stream(struct torc_inspector *in, struct inspect_stream *s, struct torc_stream_info *info)
{
        char path[TORC_NAME_MAX + 8];
        snprintf(info->name, sizeof info->name, "%s", s->name);
        snprintf(path, sizeof path, "@%s/ctl", s->name);
        int rc = inspect_map(&s->ctl, dirfd(in->dir), path, &inspect_ctl_kind);
        if (rc == 0) {
                rc = snapshot_read(in, s, info);
                if (rc == -ENOMEM)
                        return rc;
                /* [chain.r] acquire: what looks like damage may be a removal that began while we looked. */
                const struct abi_ctl *ctl = s->ctl.map;
                if (rc && atomic_load_explicit(&ctl->state, memory_order_acquire) == ABI_STREAM_REMOVED)
                        rc = -ENOENT;
        }
        info->error = rc; /* -ENOMEM from a map: one map too many; the other streams go on */
        return rc == -ENOENT ? rc : 0;
}
