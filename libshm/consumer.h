/*
 * consumer.h - the consumer handle. consumer.c reads, join.c attaches and comes back after lagging.
 */
#ifndef TORC_CONSUMER_H
#define TORC_CONSUMER_H

#include "stream.h"

enum { CONSUMER_FD_POLL = 2, CONSUMER_FD_FIFO = 3, CONSUMER_FD_TIMER = 4 }; /* indices into handle.fd */

struct torc_consumer {
        struct handle handle;
        struct stream stream;
        struct segment seg; /* the one it reads */
        uint32_t slot;
        uint32_t gen;
        uint64_t position;      /* of the next frame */
        uint64_t checked;       /* position at which sleepers for space were last looked for */
        uint64_t history_until; /* before this, limit may overtake us although we are ACTIVE */
        uint64_t count;         /* messages passed: delivered or missed */
        uint64_t bytes, missed, overtaken, missed_bytes;
        uint64_t stuck_position; /* where a frame or a successor is overdue, */
        int64_t stuck_ns;        /* since when */
        uint64_t total_before; /* messages committed on the stream before our count began */
        bool inexact;          /* of what was missed since the last attachment, a part is not counted yet */
        bool lagged;           /* disconnected, and the caller has to be told or to reattach */
        bool viewing;
        uint32_t misses; /* looks that found nothing */
        uint64_t miss_count; /* `count` at the last miss: the run of messages in between tells who trails whom */
        uint32_t patience;   /* short runs to let pass before the next pause is tried */
        uint32_t doubt;      /* the next patience */
        bool paused;         /* the present run began with a pause */
        struct ring_frame view;
        int64_t attached_ns, attached_mono_ns;
};

int consumer_join(struct torc_consumer *c, const struct torc_consumer_config *config);
int consumer_note_kick(struct torc_consumer *c);
int consumer_note_gap(struct torc_consumer *c);
void consumer_publish(struct torc_consumer *c);
void consumer_make_readable(struct torc_consumer *c);
void consumer_detach(struct handle *h);

static inline struct abi_consumer *consumer_record(const struct torc_consumer *c)
{
        return &c->stream.ctl->consumer[c->slot];
}

#endif
