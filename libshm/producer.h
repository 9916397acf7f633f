/*
 * producer.h - the producer handle. producer.c sends, roster.c tells about the consumers on the other side.
 */
#ifndef TORC_PRODUCER_H
#define TORC_PRODUCER_H

#include "stream.h"

#define PRODUCER_WAITING 1u /* for exclusive access */
#define PRODUCER_CLAIMED 2u /* a claim is open */

struct torc_producer {
        struct handle handle;
        struct stream stream;
        struct segment seg; /* the one it claims from */
        uint32_t slot;
        uint64_t gen;
        unsigned hold; /* why it may not claim now: PRODUCER_WAITING, PRODUCER_CLAIMED; 0: it may */
        bool owner;
        bool online_known, online;
        uint32_t membership;  /* the number `online` was computed at */
        size_t message_max;   /* payload that the stream allows and that fits the present segment */
        struct abi_producer *record; /* its slot */
        uint64_t messages, bytes;
        uint64_t last_position; /* of the last message, if there was one */
        struct ring_claim claim;
        uint32_t claim_meta, claim_length;
        int64_t reaped_ns; /* when it last looked for the dead */
};

/* Does what a sleeping producer waits for hold? Looked at again before each sleep. */
typedef bool producer_ready_fn(struct torc_producer *p, void *arg);
int producer_wait(struct torc_producer *p, struct abi_eventcount *ec, producer_ready_fn *ready, void *arg,
                  int64_t deadline, int64_t slice_ns);
int producer_check(struct torc_producer *p);
bool producer_online(struct torc_producer *p);

#endif
