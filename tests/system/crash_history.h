/*
 * crash_history.h - what every process did and saw, kept where a kill can not tear it, and the proof that it fits together.
 *
 * All of it lies in anonymous memory shared with the test, which outlives every process. A sender stores `attempted`
 * before a message and `committed` after the call returned 0; a reader fills in a record, then counts it. A kill
 * between two stores leaves both true.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CRASH_HISTORY_H
#define TORC_CRASH_HISTORY_H

#include "stress_message.h"
#include "torc_test.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define HISTORY_SENDERS (1u << 17)
#define HISTORY_LOGS 512u
#define HISTORY_LOG_MAX (1u << 17)      /* records of a reader that may be killed; the rest of its life is not logged */
#define HISTORY_AUDIT_MAX (1u << 22)    /* of one that is not */
#define HISTORY_GAP UINT64_MAX          /* sender of a record: here the reader was told of a loss, or (seq 1) began anew */

enum history_stream { MAIN, TURNS, LOSSY, STREAMS };
static const char *const history_stream_name[STREAMS] = {"main", "turns", "lossy"};

struct history_sender {
        _Atomic uint64_t attempted, committed;
        _Atomic uint32_t stream;
};

struct history_record {
        uint64_t position, sender, seq;
        uint32_t epoch;
};

struct history_log {
        enum history_stream stream;
        _Atomic uint64_t count;
        _Atomic uint64_t missed; /* as the reader was told */
        uint64_t max;
        struct history_record *record;
};

enum survivor { AUDITOR, SENDER, OWNER, MACHINE, SURVIVORS };
static const char *const survivor_name[SURVIVORS] = {"a reader that was never killed", "a sender that was never killed",
                                                     "the wait for an owner", "the machine"};

struct history {
        _Atomic int stop;                       /* 1: senders end, 2: all end */
        _Atomic uint32_t senders;               /* handed out */
        _Atomic uint32_t n_logs;
        _Atomic int64_t stall_ns[SURVIVORS];    /* the longest */
        _Atomic int64_t stall_at_ns[SURVIVORS];
        struct history_log log[HISTORY_LOGS];
        struct history_sender sender[HISTORY_SENDERS];
};

static inline int64_t history_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline void *history_map(size_t bytes)
{
        void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return p == MAP_FAILED ? NULL : p;
}

/* ---- writing: in the helpers ----------------------------------------------------------------------------- */

/* In the test, before it starts a reader: where that one is to write. */
static inline struct history_log *history_new_log(struct history *h, enum history_stream stream, uint64_t max)
{
        uint32_t i = atomic_fetch_add(&h->n_logs, 1);
        if (i >= HISTORY_LOGS)
                return NULL; /* enough of them */
        struct history_log *log = &h->log[i];
        log->stream = stream;
        log->max = max;
        log->record = history_map(max * sizeof *log->record);
        return log->record ? log : NULL;
}

static inline void history_write(struct history_log *log, const struct history_record *r)
{
        uint64_t n = log ? atomic_load_explicit(&log->count, memory_order_relaxed) : 0;
        if (!log || n >= log->max)
                return;
        log->record[n] = *r;
        atomic_store_explicit(&log->count, n + 1, memory_order_release);
}

static inline uint64_t history_new_sender(struct history *h, enum history_stream stream)
{
        uint32_t i = atomic_fetch_add(&h->senders, 1);
        CHECK(i < HISTORY_SENDERS);
        atomic_store(&h->sender[i].stream, stream);
        return i;
}

static inline void history_stall(struct history *h, enum survivor who, int64_t since)
{
        int64_t now = history_now(), worst = atomic_load(&h->stall_ns[who]);
        if (now - since > worst) {
                atomic_store(&h->stall_ns[who], now - since);
                atomic_store(&h->stall_at_ns[who], since);
        }
}

/* ---- proving: in the test -------------------------------------------------------------------------------- */

static inline const struct history_record *history_find(const struct history_log *log, uint64_t position)
{
        uint64_t low = 0, high = atomic_load(&log->count);
        while (low < high) {
                uint64_t mid = low + (high - low) / 2;
                if (log->record[mid].position < position)
                        low = mid + 1;
                else
                        high = mid;
        }
        return low < atomic_load(&log->count) && log->record[low].position == position ? &log->record[low] : NULL;
}

static inline bool history_same(const struct history_record *a, const struct history_record *b)
{
        return a->position == b->position && a->sender == b->sender && a->seq == b->seq && a->epoch == b->epoch;
}

static inline bool history_bad(const char *what, enum history_stream stream, uint64_t sender, uint64_t a, uint64_t b)
{
        print_error("%s on %s: sender %" PRIu64 ": %" PRIu64 ", %" PRIu64 "\n", what, history_stream_name[stream],
                    sender, a, b);
        return false;
}

/* The records about one that is wrong. */
static inline void history_show(const struct history_log *log, uint64_t at)
{
        for (uint64_t i = at > 8 ? at - 8 : 0; i < at + 4 && i < atomic_load(&log->count); i++) {
                const struct history_record *r = &log->record[i];
                print_error("%s%" PRIu64 ": ", i == at ? "->" : "  ", i);
                if (r->sender == HISTORY_GAP)
                        print_error("%s, missed %" PRIu64 " so far\n", r->seq ? "begins" : "a gap", r->position);
                else
                        print_error("position %" PRIu64 " epoch %" PRIu32 " sender %" PRIu64 " seq %" PRIu64 "\n",
                                    r->position, r->epoch, r->sender, r->seq);
        }
}

/* The audit of a stream on which nothing may be lost: each sender's numbers without gap or double, epochs that rise,
 * and everything there that was committed, and nothing that was not attempted. */
static inline bool history_audit(const struct history *h, const struct history_log *log)
{
        static uint64_t next[HISTORY_SENDERS];
        uint64_t n = atomic_load(&log->count), owner = UINT64_MAX;
        uint32_t senders = atomic_load(&h->senders);
        memset(next, 0, sizeof next);
        for (uint64_t i = 0; i < n; i++) {
                const struct history_record *r = &log->record[i], *before = i ? r - 1 : NULL;
                if (r->sender == HISTORY_GAP)
                        return history_bad("a gap", log->stream, 0, i, r->position);
                if (r->sender >= senders || atomic_load(&h->sender[r->sender].stream) != (uint32_t)log->stream)
                        return history_bad("an unknown sender", log->stream, r->sender, i, r->seq);
                if (before && r->position <= before->position)
                        return history_bad("positions fall", log->stream, r->sender, before->position, r->position);
                if (before && r->epoch < before->epoch)
                        return history_bad("epochs fall", log->stream, r->sender, before->epoch, r->epoch);
                if (r->seq != next[r->sender])
                        return history_bad("lost, doubled or out of order", log->stream, r->sender, next[r->sender],
                                           r->seq);
                next[r->sender]++;
                /* On a stream of exclusive owners only, an epoch has one. */
                if (log->stream == TURNS && before && before->epoch == r->epoch && r->sender != owner)
                        return history_bad("two owners in one epoch", log->stream, r->sender, owner, r->epoch);
                owner = r->sender;
        }
        for (uint32_t i = 0; i < senders; i++) {
                const struct history_sender *s = &h->sender[i];
                if (atomic_load(&s->stream) != (uint32_t)log->stream)
                        continue;
                if (next[i] < atomic_load(&s->committed))
                        return history_bad("lost after its commit", log->stream, i, next[i], atomic_load(&s->committed));
                if (next[i] > atomic_load(&s->attempted))
                        return history_bad("never sent", log->stream, i, next[i], atomic_load(&s->attempted));
        }
        return true;
}

/* Did another reader see what the auditor saw, in the same order and without a gap that it was not told of? */
static inline bool history_agree(const struct history_log *audit, const struct history_log *log)
{
        const struct history_record *at = NULL, *end = audit->record + atomic_load(&audit->count);
        uint64_t n = atomic_load(&log->count);
        for (uint64_t i = 0; i < n; i++) {
                const struct history_record *r = &log->record[i];
                if (r->sender == HISTORY_GAP) {
                        at = NULL;
                        continue;
                }
                at = at ? at + 1 : history_find(audit, r->position);
                if (!at || at >= end)
                        return history_show(log, i), history_bad("seen by one reader only", log->stream, r->sender, r->seq, r->position);
                if (!history_same(at, r))
                        return history_show(log, i), history_bad("readers differ", log->stream, r->sender, r->seq, at->seq);
        }
        return true;
}

/* On a lossy stream: whole messages (checked when they were read), rising positions and numbers. */
static inline bool history_rises(const struct history_log *log)
{
        static uint64_t next[HISTORY_SENDERS];
        uint64_t n = atomic_load(&log->count), position = 0;
        memset(next, 0, sizeof next);
        for (uint64_t i = 0; i < n; i++) {
                const struct history_record *r = &log->record[i];
                if (r->sender == HISTORY_GAP && r->seq)
                        memset(next, 0, sizeof next), position = 0;
                if (r->sender == HISTORY_GAP)
                        continue;
                if (r->sender >= HISTORY_SENDERS || r->seq < next[r->sender] || (position && r->position <= position))
                        return history_show(log, i), history_bad("doubled or out of order", log->stream, r->sender,
                                                                 next[r->sender], r->seq);
                next[r->sender] = r->seq + 1;
                position = r->position;
        }
        return true;
}

static inline uint64_t history_committed(const struct history *h, enum history_stream stream)
{
        uint64_t n = 0;
        for (uint32_t i = 0; i < atomic_load(&h->senders); i++)
                if (atomic_load(&h->sender[i].stream) == (uint32_t)stream)
                        n += atomic_load(&h->sender[i].committed);
        return n;
}

static inline uint64_t history_received(const struct history_log *log)
{
        uint64_t n = 0;
        for (uint64_t i = 0; i < atomic_load(&log->count); i++)
                n += log->record[i].sender != HISTORY_GAP;
        return n;
}

#endif
