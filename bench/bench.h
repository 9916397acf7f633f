/*
 * bench.h - how the benchmark is built.
 *
 *   main.c      options; which cases, how many rounds; rounds are interleaved: A B C, A B C, ...
 *   cases.c     the cases: a transport, what is done over it, with which figures
 *   run.c       one sample of one case: processes, pinning, phases, the probe before and after, the watchdog
 *   loops.h     the loops whose time is taken, the same for all transports
 *   raw.c       what the hardware does: bare cache lines, a slot ring, a futex
 *   torc.c      torc through its public interface
 *   sys.c       pipe, SOCK_SEQPACKET, POSIX message queue;   zmq.c, nng.c, boost.cc if their packages are there
 *   growth.c    what streams and consumers cost before any message is sent
 *   report.c    tables, targets, JSON
 *
 * A sample is taken by processes forked for it: one per producer and consumer (a round trip has a client and a server),
 * each pinned to one CPU. They share one anonymous map, struct shared.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_H
#define BENCH_H

#ifdef __cplusplus
#include <atomic>
#define BENCH_ATOMIC(T) std::atomic<T>
#else
#include <stdalign.h>
#include <stdatomic.h>
#define BENCH_ATOMIC(T) _Atomic T
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_WORKERS   80    /* processes of one sample, at most */
#define BENCH_PRODUCERS 16    /* of them producers, at most */
#define BENCH_CPUS      64    /* CPUs used, at most */
#define BENCH_BLOCKS    16384 /* timed blocks of round trips kept of one sample */
#define BENCH_SIZE_MAX  (1u << 20)

enum work { WORK_ROUND_TRIP, WORK_STREAM };

/* What somebody does who finds nothing to read, or no space. */
enum wait_style {
        WAIT_SPIN,  /* looks again at once, and leaves the CPU to others only after a long time */
        WAIT_YIELD, /* looks some times, then gives the CPU away between looks */
        WAIT_BLOCK, /* sleeps in the transport until woken */
};

/* How the bytes get into the ring and out of it. */
enum bytes_style {
        BYTES_COPY,     /* from a buffer into the ring, from the ring into a buffer */
        BYTES_IN_PLACE, /* copied in once; read where they are, one word of each cache line */
        BYTES_FIRST,    /* in place; only the first eight are written and read */
};

struct plan {
        enum work work;
        enum wait_style wait;
        enum bytes_style bytes;
        size_t size; /* bytes of a message, 8 at least */
        unsigned producers, consumers;
        uint64_t capacity; /* of the ring, queue or buffer, as far as it can be chosen */
        unsigned batch;    /* messages per call of a producer; 1: plain calls */
        int64_t idle_ns;   /* round trip: the client does nothing for so long before each, so that the server sleeps */
        int64_t ns;        /* how long it is measured */
};

/* Where the two CPUs stood when a sample was taken, by the round trip of one cache line. */
enum place {
        PLACE_NEAR,      /* one L3 cache */
        PLACE_FAR,       /* not */
        PLACE_SIBLINGS,  /* two threads of one core */
        PLACE_SHARED,    /* one CPU only, or something else ran on them: no probe could be taken */
        PLACE_COUNT
};

/* What one worker found. Written by it, read after its exit. */
struct outcome {
        int error;           /* a result code, or 0 */
        uint64_t messages;   /* consumers: all they read */
        uint64_t bad;        /* of them out of order or with wrong bytes: anything but 0 is a bug */
        uint64_t counted;    /* of them between the end of the warm-up and the end */
        double seconds;      /* for which `counted` were read */
        double slice_min, slice_max; /* messages per second in the slowest and fastest slice */
        uint64_t waited_ns;  /* wanted to run, but something else had the CPU */
        uint64_t ran_ns;
};

/* The probe goes round over these: how long a line takes depends on where its page lies, too. */
#define BENCH_PROBE_LINES 32
struct probe_line {
        alignas(4096) BENCH_ATOMIC(uint64_t) number;
};

/* What all processes of a sample share. The words they spin on have a cache line each, and its neighbour. */
struct shared {
        struct probe_line ping[BENCH_PROBE_LINES], pong[BENCH_PROBE_LINES];
        alignas(128) BENCH_ATOMIC(uint32_t) phase; /* which may begin; futex */
        BENCH_ATOMIC(uint32_t) arrived;            /* workers done with the phase; futex */
        alignas(128) BENCH_ATOMIC(uint32_t) stop;  /* something went wrong: leave */
        double probe_ns[2];                        /* before and after */
        struct outcome outcome[BENCH_WORKERS];
        /* Round trips, written by the client. */
        struct hist hist;      /* ns, corrected for coordinated omission */
        struct hist plain;     /* ns, as they came */
        uint32_t n_blocks, block_trips;
        float block_ns[BENCH_BLOCKS]; /* ns per trip */
};

struct run {
        const struct plan *plan;
        struct shared *shared;
        const char *root; /* directory of our private bus */
        unsigned serial;  /* of this sample: makes names unique */
        void *state;      /* the transport's, made by setup() */
        unsigned index;   /* of this worker: producers first, then consumers; a client is 0, its server 1 */
        bool producer;
        unsigned number; /* among the producers, or among the consumers */
};

/* A way to move messages. Everything returns 0 or a result code: -errno, or one of torc's. */
struct transport {
        const char *name;
        size_t size_max;
        bool spins, blocks; /* which wait styles it can */
        unsigned producers_max, consumers_max;
        /* In the parent, before workers are forked; undone by teardown(), which is called in any case. */
        int (*setup)(struct run *run);
        void (*teardown)(struct run *run);
        /* In a worker: attach, call run_attached(), do the loop, call run_done(), detach. */
        int (*work)(struct run *run);
};

extern const struct transport transport_line, transport_ring, transport_futex;
extern const struct transport transport_torc;
extern const struct transport transport_pipe, transport_seqpacket, transport_mq;
/* NULL when built without. */
extern const struct transport *const transport_zmq, *const transport_nng, *const transport_boost;

/* ---- run.c ----------------------------------------------------------------------------------------------- */

struct machine {
        int cpu[BENCH_CPUS];
        unsigned n_cpus;
        double near_below_ns;  /* a probe below is near */
        double siblings_below_ns;
        double shared_above_ns;
        double waited_max;     /* share of its time for which a worker may have waited for its CPU */
};

struct sample {
        int error;
        enum place place;
        bool moved;     /* the place changed meanwhile: not to be used */
        bool disturbed; /* something else ran on our CPUs for longer than allowed */
        double probe_ns[2];
        double waited; /* the largest share over the workers */
        double value;  /* ns per round trip (median of the blocks), or messages per second at each consumer (mean) */
        double slice_min, slice_max; /* streams */
        uint64_t messages, bad;
        struct hist_summary latency, plain; /* round trips */
};

/* Take one sample. sample->error tells how it went. */
void run_sample(const struct transport *transport, const struct plan *plan, const struct machine *machine,
                const char *root, struct sample *sample);

/* What workers call: attached, and the measuring may begin; done, and everyone else is, too. 0 or -ECANCELED. */
int run_attached(struct run *run);
int run_done(struct run *run);
bool run_stopped(const struct run *run);

void machine_choose(struct machine *machine);
const char *place_name(enum place place);
/* One probe outside of any sample, ns; 0 with one CPU. */
double machine_probe(const struct machine *machine);

#ifdef __cplusplus
}
#endif

#endif
