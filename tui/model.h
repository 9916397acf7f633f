/*
 * model.h - what torctop knows: the last snapshot, and what follows from the ones before it.
 *
 * model_advance() takes a new snapshot and derives rates, losses, lags and the age of open claims. Nothing here
 * does input or output, and time comes from the snapshots, so that a test makes the world it wants.
 *
 * The age of a claim is how long the same claim has been seen open, from the first snapshot that had it: it is at
 * least that old. A claim seen once only has no age; busy producers always have one open.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_MODEL_H
#define TUI_MODEL_H

#include "series.h"
#include "torc_admin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NONE           SIZE_MAX
#define MODEL_STUCK_NS 1000000000 /* a claim open for so long is worth a warning */

/* Between two snapshots. `known` is false at the first look at an object. */
struct rates {
        bool known;
        double messages, bytes; /* per second */
};

struct producer_look {
        int64_t claim_since_ns; /* CLOCK_MONOTONIC of the first snapshot with the claim that is open; 0: none */
        struct rates rates;
};

/* torc_snapshot.streams[i], and what follows. */
struct stream_look {
        struct producer_look *producers; /* by index in torc_stream_info.producers */
        struct rates rates;
        struct series history;         /* messages per second */
        uint64_t lost, lost_now;       /* ever; since the last snapshot */
        size_t first_consumer;         /* index of its first consumer in model.consumers */
        size_t slowest;                /* index of the connected consumer with the greatest lag, or NONE */
        uint64_t lag_bytes;            /* of the slowest */
        double lag_share;              /* of the capacity */
        size_t claim;                  /* index of the producer with the oldest open claim, or NONE */
        int64_t claim_age_ns;          /* at least */
        uint32_t connected, producing; /* consumers; live producers */
        bool blocked, damaged;         /* a live producer waits; a segment cannot be read */
        bool owner_dead;
};

struct consumer_look {
        size_t stream, consumer; /* indices */
        struct rates rates;
        double lag_share;
};

struct peer_look {
        uint32_t producers, consumers, waiters;
        size_t member;     /* index of the group member with its pid, or NONE */
        char streams[200]; /* names, for a column */
};

struct totals {
        uint32_t exclusive, consumers, live_peers, dead_peers;
        struct rates rates;
        struct series history;
        uint64_t losses[TORC_LOSS_COUNT];
        uint64_t lost, lost_now;
};

struct model {
        struct torc_snapshot *snap; /* NULL before the first */
        int error;                  /* why there is no newer one: 0, -ENOENT, ... */
        struct stream_look *streams;
        struct consumer_look *consumers;
        size_t n_consumers;
        struct peer_look *peers;
        struct totals totals;
};

/* Take a snapshot over; it is freed with the model or by the next one. Returns 0 or -ENOMEM (the model is as
 * before, the snapshot is freed). */
int model_advance(struct model *m, struct torc_snapshot *snap);
void model_free(struct model *m);

/* At least so long has this producer's claim been open; -1: it has none, or was seen with it once only. */
int64_t model_claim_age(const struct model *m, size_t stream, size_t producer);

/* One word for a stream: its most important trouble, or how it is. */
enum stream_word {
        STREAM_DAMAGED,
        STREAM_STUCK,
        STREAM_BLOCKED,
        STREAM_OFFLINE,
        STREAM_ENDED,
        STREAM_IDLE,
        STREAM_ACTIVE
};
enum stream_word model_stream_word(const struct model *m, size_t stream);

#endif
