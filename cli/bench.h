/*
 * bench.h - the parts of `torc bench`: bench.c plans and prints, bench_pair.c runs two pinned processes,
 * bench_kinds.c has what they do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_BENCH_H
#define CLI_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_SAMPLES (1u << 20) /* round trips kept of one round */
#define BENCH_WARMUP  1000u      /* round trips at the start of a round that do not count */
#define BENCH_BATCH   100u

/* What the two processes of a round share; every word they spin on has a cache line for itself. */
/* The bare round trips go round over so many lines, each on its own page: how long a line takes from one CPU to the other
 * depends on where its page lies, and a ring lies on many. */
#define BENCH_LINES 32
struct bench_line {
        _Alignas(4096) _Atomic uint64_t number;
};

struct bench_shared {
        struct bench_line ping[BENCH_LINES], pong[BENCH_LINES];
        _Alignas(64) _Atomic uint32_t arrived; /* at the starting line */
        _Atomic int32_t error;                 /* of the child: a result code, 0 none */
        int64_t end_ns;                        /* the child had received everything; read after its exit */
        uint64_t received;
};

struct bench_plan {
        const char *root;
        int cpu[2];       /* -1: not pinned */
        int64_t round_ns; /* how long one round goes on */
        size_t size;      /* bytes of a message */
        int64_t pause_ns; /* before each round trip, so that the other side is surely asleep */
        unsigned round;   /* makes stream names unique */
};

/* One round. The parent side fills in what it measures. */
struct bench_result {
        uint32_t *samples; /* ns of each round trip; room for BENCH_SAMPLES */
        size_t n_samples;
        double seconds; /* throughput */
        uint64_t messages;
};

/* One side of a round; called in a process of its own, pinned. `pipes`: [0] and [1] carry data to the child, [2]
 * and [3] back. Returns 0 or a result code. */
typedef int bench_side(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result);

struct bench_kind {
        const char *name;
        bench_side *parent, *child;
        bool spins;       /* needs a CPU for each side */
        int64_t pause_ns; /* for the plan */
};

extern const struct bench_kind bench_cache_line, bench_torc_spin, bench_torc_block, bench_pipe;
extern const struct bench_kind bench_torc_wake, bench_pipe_wake;
extern const struct bench_kind bench_torc_send, bench_torc_batch, bench_pipe_write;

/* bench_pair - run one round. Returns 0 or a result code. */
int bench_pair(const struct bench_kind *kind, const struct bench_plan *plan, struct bench_result *result);

/* bench_start - both sides call it when they are attached; it returns when the other has, or with an error. */
int bench_start(struct bench_shared *shared);

int64_t bench_now(void);

#endif
