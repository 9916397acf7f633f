/*
 * abi.h - the shared layout: what stands in which file, byte for byte. There is no second description of it.
 *
 *   <root>/<bus>/bus            struct abi_bus    header page, then the table of peers
 *   <root>/<bus>/@<stream>/ctl  struct abi_ctl    policy, access, redo record, producers, consumers
 *   <root>/<bus>/@<stream>/0.<n> struct abi_seg   header, intents, then 2^k bytes of frames
 *
 *   segment file
 *   0        64       128      192         256        4096           20480                    20480 + capacity
 *   +--------+--------+--------+-----------+--- ... --+--------------+------------------------------------+
 *   | head   | fixed  | tail   | checkpts  |          | intent[256]  | frames                             |
 *   |        |        | limit  |           |          | 64 B each    | {stamp, info} meta? payload, pad16  |
 *   +--------+--------+--------+-----------+--- ... --+--------------+------------------------------------+
 *
 * Rules: fixed-width types only; every word that two processes touch is _Atomic and accessed with explicit order;
 * constants are written before the file is linked in place and never again. "W" says who writes, "R" who reads.
 * A change here raises ABI_VERSION.
 *
 * Locks (OFD locks on bytes that need not exist; the kernel drops them when their holder dies)
 *   bus   ABI_LOCK_TABLE        claiming and freeing peer slots
 *         ABI_LOCK_PEER + slot  held from attach to death: the proof of life of the peer in that slot
 *   ctl   ABI_LOCK_TABLE        every change to the ctl file that is not a single atomic word
 *   seg   ABI_LOCK_TABLE        recovering a hole
 */
#ifndef TORC_ABI_H
#define TORC_ABI_H

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ABI_VERSION 2u
#define ABI_MAGIC_BUS 0x0073756263726f74ull /* "torcbus\0" read as a little-endian word */
#define ABI_MAGIC_CTL 0x006c746363726f74ull /* "torcctl\0" */
#define ABI_MAGIC_SEG 0x0067657363726f74ull /* "torcseg\0" */

#define ABI_LOCK_TABLE 0
#define ABI_LOCK_PEER (1ll << 32)

#define ABI_PEERS 4096u
#define ABI_PRODUCERS 256u
#define ABI_CONSUMERS 1024u
#define ABI_WAITERS 64u
#define ABI_NAME_BYTES 208u  /* a stream name and its NUL, rounded up */
#define ABI_LABEL_BYTES 64u
#define ABI_TAGS_BYTES 128u
#define ABI_LINE 64u

/* First in every file. */
struct abi_head {
        _Atomic uint64_t magic; /* W creator, last (release); R all, first (acquire) */
        uint32_t version;       /* ABI_VERSION */
        uint32_t header_bytes;  /* size of the struct this head begins */
        uint64_t file_bytes;
        uint64_t id;       /* random; a segment carries its stream's */
        uint64_t features; /* no bit is defined: must be 0 */
        int64_t created_ns; /* CLOCK_REALTIME */
        uint64_t reserved[2];
};
static_assert(sizeof(struct abi_head) == 64, "layout");
static_assert(offsetof(struct abi_head, magic) == 0, "layout");
static_assert(offsetof(struct abi_head, version) == 8, "layout");
static_assert(offsetof(struct abi_head, header_bytes) == 12, "layout");
static_assert(offsetof(struct abi_head, file_bytes) == 16, "layout");
static_assert(offsetof(struct abi_head, id) == 24, "layout");
static_assert(offsetof(struct abi_head, features) == 32, "layout");
static_assert(offsetof(struct abi_head, created_ns) == 40, "layout");
static_assert(offsetof(struct abi_head, reserved) == 48, "layout");

/* ---- bus ------------------------------------------------------------------------------------------------- */

/* A word {generation, state}: the generation grows each time the slot is taken. */
#define ABI_WORD(gen, state) (((uint64_t)(gen) << 8) | (uint64_t)(state))
#define ABI_WORD_STATE(w) ((unsigned)((w) & 0xff))
#define ABI_WORD_GEN(w) ((w) >> 8)

enum abi_peer_state { ABI_PEER_FREE = 0, ABI_PEER_ATTACHED = 1 };

struct abi_peer {
        _Atomic uint64_t word; /* W the peer, reapers (both under the bus lock); R all */
        _Atomic uint32_t pid;  /* W the peer before word; R all. So are the rest */
        _Atomic uint32_t uid;
        _Atomic uint32_t gid;
        uint32_t reserved0;
        _Atomic uint64_t start_ticks; /* field 22 of /proc/PID/stat */
        _Atomic int64_t attached_ns;
        char name[ABI_LABEL_BYTES];
        char tags[ABI_TAGS_BYTES];
        uint64_t reserved1[3];
};
static_assert(sizeof(struct abi_peer) == 256, "layout");
static_assert(offsetof(struct abi_peer, word) == 0, "layout");
static_assert(offsetof(struct abi_peer, pid) == 8, "layout");
static_assert(offsetof(struct abi_peer, uid) == 12, "layout");
static_assert(offsetof(struct abi_peer, gid) == 16, "layout");
static_assert(offsetof(struct abi_peer, start_ticks) == 24, "layout");
static_assert(offsetof(struct abi_peer, attached_ns) == 32, "layout");
static_assert(offsetof(struct abi_peer, name) == 40, "layout");
static_assert(offsetof(struct abi_peer, tags) == 104, "layout");
static_assert(offsetof(struct abi_peer, reserved1) == 232, "layout");

struct abi_bus {
        struct abi_head head;
        uint32_t peers;            /* ABI_PEERS */
        uint32_t mode;             /* permission bits of the bus, the default for its streams */
        _Atomic uint32_t peer_top; /* W attachers (under the bus lock); R all: slots at and above were never used */
        uint32_t reserved0;
        uint64_t reserved1[502];
        struct abi_peer peer[ABI_PEERS];
};
static_assert(offsetof(struct abi_bus, head) == 0, "layout");
static_assert(offsetof(struct abi_bus, peers) == 64, "layout");
static_assert(offsetof(struct abi_bus, mode) == 68, "layout");
static_assert(offsetof(struct abi_bus, peer_top) == 72, "layout");
static_assert(offsetof(struct abi_bus, reserved1) == 80, "layout");
static_assert(offsetof(struct abi_bus, peer) == 4096, "layout");
static_assert(sizeof(struct abi_bus) == 4096 + 256 * 4096, "layout");

/* ---- stream ---------------------------------------------------------------------------------------------- */

/* The stream's policy: constant. */
struct abi_config {
        uint64_t capacity;     /* bytes of the first segment, a power of two */
        uint64_t capacity_max; /* segments grow up to this */
        uint32_t max_message;  /* bytes of payload */
        uint32_t lag;          /* enum torc_lag */
        uint32_t online_min;
        uint32_t max_consumers;
        uint32_t mode; /* permission bits of the segments; the ctl file adds w where there is r */
        uint32_t uid, gid;
        uint32_t reserved;
        char name[ABI_NAME_BYTES]; /* NUL-terminated */
        char online_tags[ABI_TAGS_BYTES];
        uint64_t checksum; /* of all bytes before it: a flipped bit in the policy is found, not acted on */
};
static_assert(sizeof(struct abi_config) == 392, "layout");
static_assert(offsetof(struct abi_config, capacity) == 0, "layout");
static_assert(offsetof(struct abi_config, capacity_max) == 8, "layout");
static_assert(offsetof(struct abi_config, max_message) == 16, "layout");
static_assert(offsetof(struct abi_config, lag) == 20, "layout");
static_assert(offsetof(struct abi_config, online_min) == 24, "layout");
static_assert(offsetof(struct abi_config, max_consumers) == 28, "layout");
static_assert(offsetof(struct abi_config, mode) == 32, "layout");
static_assert(offsetof(struct abi_config, uid) == 36, "layout");
static_assert(offsetof(struct abi_config, gid) == 40, "layout");
static_assert(offsetof(struct abi_config, name) == 48, "layout");
static_assert(offsetof(struct abi_config, online_tags) == 256, "layout");
static_assert(offsetof(struct abi_config, checksum) == 384, "layout");

/* An event count: sleepers wait for `event` to change, wakers look at `waiters` first. One cache line each. */
struct abi_eventcount {
        _Atomic uint32_t event;   /* W wakers (RMW); R sleepers. The futex word */
        _Atomic uint32_t waiters; /* W sleepers (bits on), wakers (to 0); R wakers */
        uint32_t reserved[14];
};
#define ABI_WAIT_FUTEX 1u /* somebody sleeps on the futex */
#define ABI_WAIT_POLL 2u  /* some consumer's pollable fd is armed */
static_assert(sizeof(struct abi_eventcount) == 64, "layout");
static_assert(offsetof(struct abi_eventcount, event) == 0, "layout");
static_assert(offsetof(struct abi_eventcount, waiters) == 4, "layout");

enum abi_stream_state { ABI_STREAM_OPEN = 1, ABI_STREAM_ENDED = 2, ABI_STREAM_REMOVED = 3 };

/* What one multi-step change is about to do; see stream.c. W the holder of the ctl lock only. */
#define ABI_REDO_WORDS 32u
#define ABI_REDO_FENCE_ALL UINT32_MAX
struct abi_redo_word {
        uint64_t offset; /* from the start of the ctl file, a multiple of 8 */
        uint64_t value;  /* stored there */
};
struct abi_redo {
        _Atomic uint64_t armed; /* 0: nothing to redo; else the checksum of the rest. Stored last, cleared last */
        uint64_t seal;          /* segment to seal, 0: none */
        uint64_t link;          /* segment to put in place, 0: none */
        uint64_t capacity;      /* of the segment to put in place */
        uint32_t epoch;         /* of the segment to put in place */
        uint32_t count;         /* words below that are in use */
        uint32_t fence;         /* 0: nobody, slot + 1: all producers but this one, ABI_REDO_FENCE_ALL: all */
        uint32_t fencer_pid;
        char name[ABI_LABEL_BYTES]; /* the new owner's, or the fencer's */
        uint32_t rename;            /* 1: name becomes the stream's owner_name; 2: owner_name is cleared */
        uint32_t reserved0;
        struct abi_redo_word word[ABI_REDO_WORDS];
        uint64_t reserved1;
};
static_assert(sizeof(struct abi_redo) == 640, "layout");
static_assert(offsetof(struct abi_redo, armed) == 0, "layout");
static_assert(offsetof(struct abi_redo, seal) == 8, "layout");
static_assert(offsetof(struct abi_redo, link) == 16, "layout");
static_assert(offsetof(struct abi_redo, capacity) == 24, "layout");
static_assert(offsetof(struct abi_redo, epoch) == 32, "layout");
static_assert(offsetof(struct abi_redo, count) == 36, "layout");
static_assert(offsetof(struct abi_redo, fence) == 40, "layout");
static_assert(offsetof(struct abi_redo, fencer_pid) == 44, "layout");
static_assert(offsetof(struct abi_redo, name) == 48, "layout");
static_assert(offsetof(struct abi_redo, rename) == 112, "layout");
static_assert(offsetof(struct abi_redo, word) == 120, "layout");

enum abi_producer_state {
        ABI_PRODUCER_FREE = 0,
        ABI_PRODUCER_SHARED = 1,
        ABI_PRODUCER_OWNER = 2,
        ABI_PRODUCER_WAITING = 3,
        ABI_PRODUCER_FENCED = 4,
};

struct abi_producer {
        /* W the producer; R monitors */
        _Atomic uint64_t messages; /* committed */
        _Atomic uint64_t bytes;    /* their payload */
        _Atomic uint64_t segment;  /* number of the segment it claims from, stored before its first claim there */
        _Atomic uint32_t blocked;  /* 1: sleeps for space or consumers */
        uint32_t reserved0[9];
        /* W under the ctl lock; R all */
        _Atomic uint64_t word;      /* {generation, enum abi_producer_state} */
        _Atomic uint64_t peer_gen;  /* generation of the peer that holds the handle */
        _Atomic uint64_t peer_slot; /* and its slot */
        _Atomic uint64_t epoch;     /* epoch it was granted */
        _Atomic uint64_t ticket;    /* WAITING: place in the queue */
        _Atomic uint64_t fence;     /* FENCED: epoch << 32 | pid of the new owner */
        uint64_t reserved1[2];
        char name[ABI_LABEL_BYTES];
        char fencer[ABI_LABEL_BYTES]; /* FENCED: name of the new owner */
};
static_assert(sizeof(struct abi_producer) == 256, "layout");
static_assert(offsetof(struct abi_producer, messages) == 0, "layout");
static_assert(offsetof(struct abi_producer, bytes) == 8, "layout");
static_assert(offsetof(struct abi_producer, segment) == 16, "layout");
static_assert(offsetof(struct abi_producer, blocked) == 24, "layout");
static_assert(offsetof(struct abi_producer, word) == 64, "layout");
static_assert(offsetof(struct abi_producer, peer_gen) == 72, "layout");
static_assert(offsetof(struct abi_producer, peer_slot) == 80, "layout");
static_assert(offsetof(struct abi_producer, epoch) == 88, "layout");
static_assert(offsetof(struct abi_producer, ticket) == 96, "layout");
static_assert(offsetof(struct abi_producer, fence) == 104, "layout");
static_assert(offsetof(struct abi_producer, name) == 128, "layout");
static_assert(offsetof(struct abi_producer, fencer) == 192, "layout");

enum abi_consumer_state {
        ABI_CONSUMER_FREE = 0,
        ABI_CONSUMER_JOINING = 1,
        ABI_CONSUMER_ACTIVE = 2,
        ABI_CONSUMER_KICKED = 3,
};
/* A consumer's word {state:4, generation:20, reach:40}. reach is meaningful when KICKED: the number, modulo 2^40, of
 * the message at which it was cut off, counted as the consumer counts (its own `count` would have grown to that). */
#define ABI_CONSUMER_WORD(state, gen, reach)                                                                     \
        ((uint64_t)(state) | (((uint64_t)(gen) & 0xfffff) << 4) | ((uint64_t)(reach) << 24))
#define ABI_CONSUMER_STATE(w) ((unsigned)((w) & 0xf))
#define ABI_CONSUMER_GEN(w) ((uint32_t)(((w) >> 4) & 0xfffff))
#define ABI_CONSUMER_REACH(w) ((w) >> 24)
#define ABI_REACH_MASK ((1ull << 40) - 1)
/* What a KICKED consumer that counts `count` was cut off from. Nothing, if it read on beyond the cut between the kicker's
 * look at the tail and the kick. */
#define ABI_CONSUMER_CUT_OFF(w, count)                                                                           \
        ((ABI_CONSUMER_REACH(w) - (count)) & (ABI_REACH_MASK >> 1 ^ ABI_REACH_MASK)                              \
                 ? 0                                                                                             \
                 : (ABI_CONSUMER_REACH(w) - (count)) & ABI_REACH_MASK)

struct abi_consumer {
        /* W the consumer; R producers, monitors */
        _Atomic uint64_t cursor;  /* everything before it was read */
        _Atomic uint64_t segment; /* number of the segment the cursor stands in */
        _Atomic uint64_t count;   /* messages passed: delivered, missed or overtaken; stored before cursor */
        _Atomic uint64_t count2;  /* the same; stored after cursor, so that equal counts belong to the cursor */
        _Atomic uint64_t bytes;   /* payload delivered */
        _Atomic uint64_t missed;  /* messages lost to lagging, by this attachment */
        _Atomic uint64_t missed_bytes;
        _Atomic uint32_t armed; /* 1: its pollable fd wants a byte. W consumer (1), wakers (0) */
        uint32_t reserved0;
        /* W see each; R all */
        _Atomic uint64_t word;      /* W joiner, kicker, reaper, all under the ctl lock; by CAS all the same */
        _Atomic uint64_t peer_gen;  /* W the joiner under the ctl lock. So are the rest */
        _Atomic uint64_t peer_slot;
        _Atomic int64_t attached_ns; /* CLOCK_REALTIME */
        /* W the kicker under the ctl lock, before word; R the consumer that was kicked */
        _Atomic uint64_t kick_segment; /* where it was cut off: segment */
        _Atomic uint64_t kick_tail;    /* and position */
        _Atomic uint64_t overtaken;    /* W the consumer; R monitors: messages of history overwritten under it */
        uint64_t reserved1;
        char name[ABI_LABEL_BYTES];
};
static_assert(sizeof(struct abi_consumer) == 192, "layout");
static_assert(offsetof(struct abi_consumer, cursor) == 0, "layout");
static_assert(offsetof(struct abi_consumer, segment) == 8, "layout");
static_assert(offsetof(struct abi_consumer, count) == 16, "layout");
static_assert(offsetof(struct abi_consumer, count2) == 24, "layout");
static_assert(offsetof(struct abi_consumer, bytes) == 32, "layout");
static_assert(offsetof(struct abi_consumer, missed) == 40, "layout");
static_assert(offsetof(struct abi_consumer, missed_bytes) == 48, "layout");
static_assert(offsetof(struct abi_consumer, armed) == 56, "layout");
static_assert(offsetof(struct abi_consumer, word) == 64, "layout");
static_assert(offsetof(struct abi_consumer, peer_gen) == 72, "layout");
static_assert(offsetof(struct abi_consumer, peer_slot) == 80, "layout");
static_assert(offsetof(struct abi_consumer, attached_ns) == 88, "layout");
static_assert(offsetof(struct abi_consumer, kick_segment) == 96, "layout");
static_assert(offsetof(struct abi_consumer, kick_tail) == 104, "layout");
static_assert(offsetof(struct abi_consumer, overtaken) == 112, "layout");
static_assert(offsetof(struct abi_consumer, name) == 128, "layout");

#define ABI_LOSSES 8u

struct abi_ctl {
        struct abi_head head;
        struct abi_config config;
        uint64_t reserved0[7];

        struct abi_eventcount data;   /* producers wake consumers */
        struct abi_eventcount space;  /* consumers wake producers (space), and flushers */
        struct abi_eventcount access; /* whoever changes access or membership wakes those who wait for it */

        /* One line that the fast paths read and hardly anybody writes. */
        _Atomic uint64_t state;         /* W under the ctl lock: enum abi_stream_state; R all */
        _Atomic uint32_t membership;    /* W whoever changes a consumer's state, after it (RMW); R producers */
        _Atomic uint32_t consumer_top;  /* W joiners under the ctl lock: slots at and above were never used */
        _Atomic uint32_t producer_top;  /* W attachers under the ctl lock: likewise */
        uint32_t reserved1;
        _Atomic uint64_t first;         /* W under the ctl lock: oldest segment that exists */
        _Atomic uint64_t current;       /* W under the ctl lock: segment that takes claims */
        uint64_t reserved2[3];

        /* W under the ctl lock; R all */
        _Atomic uint64_t epoch;
        _Atomic uint64_t owner;       /* slot + 1 of the exclusive producer, 0: none */
        _Atomic uint64_t next_ticket; /* for the next waiter */
        _Atomic uint64_t retired_messages; /* committed by producers whose slot was freed */
        _Atomic uint64_t retired_bytes;
        _Atomic uint64_t retired_missed; /* disconnected: of consumers whose slot was freed */
        _Atomic uint64_t aborted;     /* holes recovered. W recoverers (RMW) */
        _Atomic uint64_t overwritten; /* messages skipped over. W consumers (RMW) */
        char owner_name[ABI_LABEL_BYTES]; /* of the last exclusive owner: a returning one keeps its epoch */

        struct abi_redo redo;
        uint64_t reserved3[336];

        struct abi_producer producer[ABI_PRODUCERS];
        struct abi_consumer consumer[ABI_CONSUMERS];
};
static_assert(offsetof(struct abi_ctl, head) == 0, "layout");
static_assert(offsetof(struct abi_ctl, config) == 64, "layout");
static_assert(offsetof(struct abi_ctl, data) == 512, "layout");
static_assert(offsetof(struct abi_ctl, space) == 576, "layout");
static_assert(offsetof(struct abi_ctl, access) == 640, "layout");
static_assert(offsetof(struct abi_ctl, state) == 704, "layout");
static_assert(offsetof(struct abi_ctl, membership) == 712, "layout");
static_assert(offsetof(struct abi_ctl, consumer_top) == 716, "layout");
static_assert(offsetof(struct abi_ctl, producer_top) == 720, "layout");
static_assert(offsetof(struct abi_ctl, first) == 728, "layout");
static_assert(offsetof(struct abi_ctl, current) == 736, "layout");
static_assert(offsetof(struct abi_ctl, epoch) == 768, "layout");
static_assert(offsetof(struct abi_ctl, owner) == 776, "layout");
static_assert(offsetof(struct abi_ctl, next_ticket) == 784, "layout");
static_assert(offsetof(struct abi_ctl, retired_messages) == 792, "layout");
static_assert(offsetof(struct abi_ctl, retired_bytes) == 800, "layout");
static_assert(offsetof(struct abi_ctl, retired_missed) == 808, "layout");
static_assert(offsetof(struct abi_ctl, aborted) == 816, "layout");
static_assert(offsetof(struct abi_ctl, overwritten) == 824, "layout");
static_assert(offsetof(struct abi_ctl, owner_name) == 832, "layout");
static_assert(offsetof(struct abi_ctl, redo) == 896, "layout");
static_assert(offsetof(struct abi_ctl, producer) == 4224, "layout");
static_assert(offsetof(struct abi_ctl, consumer) == 4224 + 65536, "layout");
static_assert(sizeof(struct abi_ctl) == 4224 + 65536 + 196608, "layout");

/* ---- segment --------------------------------------------------------------------------------------------- */

#define ABI_SEALED 1ull              /* bit 0 of tail: no claim succeeds any more */
#define ABI_NO_INTENT UINT64_MAX     /* intent.start: no claim is open */
#define ABI_POSITION_MAX (1ull << 63) /* positions stay below */
#define ABI_CHECKPOINTS 8u

struct abi_intent {
        _Atomic uint64_t start; /* W the producer (release), reapers (NONE); R refreshers, recoverers (acquire) */
        _Atomic uint64_t end;   /* W the producer, before start; R after start */
        uint64_t reserved[6];   /* a cache line each: producers do not share */
};
static_assert(sizeof(struct abi_intent) == 64, "layout");
static_assert(offsetof(struct abi_intent, start) == 0, "layout");
static_assert(offsetof(struct abi_intent, end) == 8, "layout");

struct abi_seg {
        struct abi_head head; /* head.id is the stream's */
        /* constant */
        uint64_t number; /* from 1 */
        uint64_t capacity;
        uint64_t base;   /* position of its first byte: where the predecessor was sealed */
        uint64_t secret; /* of the stamps: ring_stamp() */
        uint32_t epoch;
        uint32_t shard;
        uint64_t checksum; /* of the constants above, from head.version on */
        uint64_t reserved0[2];
        /* the hot line */
        _Atomic uint64_t tail;  /* W producers (CAS), sealers (CAS); R all. Position of the next claim | ABI_SEALED */
        _Atomic uint64_t limit; /* W refreshers (CAS, rising); R claimers, readers of history. Claims end at or before */
        uint64_t reserved1[6];
        _Atomic uint64_t checkpoint[ABI_CHECKPOINTS]; /* W claimers; R refreshers. First frame begun in each eighth */
        uint64_t reserved2[480];
        struct abi_intent intent[ABI_PRODUCERS]; /* index = producer slot */
};
static_assert(offsetof(struct abi_seg, head) == 0, "layout");
static_assert(offsetof(struct abi_seg, number) == 64, "layout");
static_assert(offsetof(struct abi_seg, capacity) == 72, "layout");
static_assert(offsetof(struct abi_seg, base) == 80, "layout");
static_assert(offsetof(struct abi_seg, secret) == 88, "layout");
static_assert(offsetof(struct abi_seg, epoch) == 96, "layout");
static_assert(offsetof(struct abi_seg, shard) == 100, "layout");
static_assert(offsetof(struct abi_seg, checksum) == 104, "layout");
static_assert(offsetof(struct abi_seg, tail) == 128, "layout");
static_assert(offsetof(struct abi_seg, limit) == 136, "layout");
static_assert(offsetof(struct abi_seg, checkpoint) == 192, "layout");
static_assert(offsetof(struct abi_seg, intent) == 4096, "layout");
static_assert(sizeof(struct abi_seg) == 20480, "layout");

/*
 * A frame: {stamp, info}, optional metadata block, payload, padding to 16 bytes, then up to three more units of 16 bytes
 * (its slack) that put the frame after it at the beginning of a cache line. It never crosses the ring's end.
 */
struct abi_frame {
        _Atomic uint64_t stamp; /* W the claimer, last (release); R readers, first (acquire) */
        _Atomic uint64_t info;  /* length:32 | flags:16 | producer:16. length = metadata + payload bytes */
};
#define ABI_FRAME_BYTES 16u
#define ABI_FRAME_PAD 1u     /* no message: fills up to the ring's end, or a claim that was given up */
#define ABI_FRAME_ABORTED 2u /* with PAD: the producer died before it committed */
#define ABI_FRAME_META 4u    /* a metadata block comes first */
#define ABI_FRAME_SLACK_SHIFT 8u
#define ABI_FRAME_SLACK_MASK 0x300u /* units of 16 bytes */
#define ABI_INFO(length, flags, producer)                                                                        \
        ((uint64_t)(length) | ((uint64_t)(flags) << 32) | ((uint64_t)(producer) << 48))
#define ABI_INFO_LENGTH(i) ((uint32_t)(i))
#define ABI_INFO_FLAGS(i) ((uint16_t)((i) >> 32))
#define ABI_INFO_PRODUCER(i) ((uint16_t)((i) >> 48))
static_assert(sizeof(struct abi_frame) == 16, "layout");
static_assert(offsetof(struct abi_frame, stamp) == 0, "layout");
static_assert(offsetof(struct abi_frame, info) == 8, "layout");

#endif
