/*
 * consumer.h - the consumer handle. consumer.c reads, descriptor.c is for poll(2), join.c attaches and comes back after
 * lagging.
 */
#ifndef TORC_CONSUMER_H
#define TORC_CONSUMER_H

#include "fault.h"
#include "stream.h"

enum { CONSUMER_FD_POLL = 2, CONSUMER_FD_FIFO = 3, CONSUMER_FD_TIMER = 4 }; /* indices into handle.fd */

#define CONSUMER_VIEW 1u
#define CONSUMER_POLLING 2u
#define CONSUMER_NEVER UINT64_MAX   /* no slot's word */
#define CONSUMER_NOWHERE UINT64_MAX /* no position */

struct torc_consumer {
        struct handle handle;
        struct stream stream;
        struct segment seg; /* the one it reads */
        struct abi_consumer *record; /* its slot */
        uint64_t active;             /* what its word is while we are connected, else CONSUMER_NEVER */
        uint32_t slot;
        uint32_t gen;
        uint64_t position;      /* of the next frame */
        uint64_t idle_position; /* where a whole look found nothing, so that a quick one will do; or CONSUMER_NOWHERE */
        uint64_t checked;       /* position at which sleepers for space were last looked for, */
        uint64_t check_at;      /* and beyond which they are to be looked for again */
        uint64_t history_until; /* before this, limit may overtake us although we are ACTIVE */
        uint64_t count;         /* messages passed: delivered or missed */
        uint64_t bytes, missed, overtaken, missed_bytes;
        uint64_t stuck_position; /* where a frame or a successor is overdue, */
        int64_t stuck_ns;        /* since when */
        uint64_t total_before; /* messages committed on the stream before our count began */
        uint64_t back_segment, back_position; /* where to come back to, */
        bool stepped_back;                    /* if we gave our place up ourselves: no kicker has said where */
        bool inexact;          /* of what was missed since the last attachment, a part is not counted yet */
        bool lagged;           /* disconnected, and the caller has to be told or to reattach */
        unsigned viewing;      /* 0, CONSUMER_VIEW: a view is held, CONSUMER_POLLING: a callback of torc_consumer_poll() has it */
        size_t view_length; /* of its payload */
        uint32_t quick;     /* misses to come that need no look at the clock, */
        uint32_t quick_run; /* of so many between two such looks */
        int64_t clock_ns;   /* when the clock was last looked at, */
        int64_t looked_ns;  /* and when the last whole look was taken, by one that finds nothing ready */
        uint64_t miss_count; /* `count` at the last miss: the run of messages in between tells who trails whom */
        uint64_t distance_count; /* `count` at which to look how far the writer is ahead */
        uint32_t patience;   /* short runs to let pass before the next pause is tried */
        uint32_t doubt;      /* the next patience */
        bool woken_soon;     /* the last sleep was a short one */
        bool paused;         /* the present run began with a pause */
        struct ring_frame view;
        int64_t attached_ns, attached_mono_ns;
};

int consumer_join(struct torc_consumer *c, const struct torc_consumer_config *config);
int consumer_note_kick(struct torc_consumer *c);
int consumer_note_gap(struct torc_consumer *c);
bool consumer_news(struct torc_consumer *c, bool *stuck);
int consumer_arm(struct torc_consumer *c);
void consumer_make_readable(struct torc_consumer *c);
void consumer_detach(struct handle *h);

/* Say how far we have read. */
static inline void consumer_publish(struct torc_consumer *c)
{
        struct abi_consumer *rec = c->record;
        atomic_store_explicit(&rec->count, c->count, memory_order_relaxed);
        FAULT(consumer_publish_count);
        /* [cursor.w] release, pairs with [cursor.r]: our reads are done before the licence to overwrite them. */
        atomic_store_explicit(&rec->cursor, c->position, memory_order_release);
        FAULT(consumer_publish_cursor);
        atomic_store_explicit(&rec->count2, c->count, memory_order_release);
        FAULT(consumer_publish_count2);
}

#endif
