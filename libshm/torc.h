/*
 * torc.h - the public interface of libtorc, a message bus for the processes of one machine.
 *
 * A process attaches to a bus (torc_bus), opens producers and consumers on named streams, and exchanges
 * messages through memory-mapped rings. No daemon is needed: arbitration happens in shared memory, and what a
 * dead process leaves behind is recovered by whoever meets it.
 *
 * Conventions
 *   results    0 or a negative code: -errno for failures of the system, TORC_E* (below -1000) for outcomes of the
 *              bus. torc_strerror() explains both. Other results leave through out-parameters, which are untouched
 *              on failure unless said otherwise.
 *   time-outs  timeout_ms as in poll(2): 0 never blocks, -1 waits for ever. As there, a signal handler ends a wait
 *              with -EINTR, whether it was installed with SA_RESTART or not.
 *   threads    one thread at a time per handle; different handles are independent. torc_producer_cancel() and
 *              torc_consumer_cancel() may be called from any thread and from a signal handler.
 *   fork       handles belong to the process that opened them. In a forked child every call on them returns
 *              TORC_EFORKED; close them or exec.
 *   ownership  the library borrows pointers for the duration of a call only. Handles are closed by their
 *              torc_*_close(), which clears the caller's pointer and accepts NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_H
#define TORC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Everything here is exported; the library is built with hidden visibility otherwise. */
#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

#define TORC_VERSION "0.1.0"

/* Limits of the layout. */
#define TORC_NAME_MAX 200          /* bytes of a stream name, without the NUL */
#define TORC_LABEL_MAX 63          /* bytes of a bus, peer, producer or consumer name, without the NUL */
#define TORC_TAGS_MAX 127          /* bytes of a comma-separated list of tags, without the NUL */
#define TORC_MAX_PRODUCERS 256     /* producer handles on one stream */
#define TORC_MAX_CONSUMERS 1024    /* consumer handles on one stream */
#define TORC_MAX_WAITERS 64        /* producers waiting for exclusive access to one stream */
#define TORC_MAX_PEERS 4096        /* attached bus handles on one bus */
#define TORC_CAPACITY_MIN 4096ull  /* bytes of one segment */
#define TORC_CAPACITY_MAX (64ull << 30)
#define TORC_CAPACITY_DEFAULT (1ull << 20)
#define TORC_MESSAGE_MAX_DEFAULT 5242880u /* bytes; never above capacity_max / 8 */
#define TORC_META_MAX 16384u       /* bytes of one message's encoded metadata block */

/* Every outcome of the bus that is not a failure of the system: name, code, what torc_strerror() says. */
#define TORC_ERRORS(X)                                                                                           \
        X(TORC_EOFFLINE, -1001, "producer is offline: fewer consumers than online_min are connected")            \
        X(TORC_EFULL, -1002, "ring is full: a consumer is a whole ring behind")                                  \
        X(TORC_ECLOSED, -1003, "stream has ended")                                                               \
        X(TORC_EFENCED, -1004, "producer was fenced: another owner took the stream over")                        \
        X(TORC_EWAITING, -1005, "producer is still waiting for exclusive access")                                \
        X(TORC_EBUSY, -1006, "stream is held by another producer")                                               \
        X(TORC_ELAGGED, -1007, "consumer was disconnected for lagging a whole ring behind")                      \
        X(TORC_ECORRUPT, -1008, "shared memory breaks an invariant of the layout: the file is damaged")          \
        X(TORC_EVERSION, -1009, "shared memory has another layout version")                                      \
        X(TORC_EFORKED, -1010, "handle was opened before fork() and is not usable in the child")                 \
        X(TORC_EDETACHED, -1011, "bus handle has been closed")                                                   \
        X(TORC_EEXISTS, -1012, "stream exists already")                                                          \
        X(TORC_ENOCAPACITY, -1013, "stream has its full number of consumers, producers or waiters")              \
        X(TORC_ENAME, -1014, "name is empty, too long, not UTF-8, or holds '/' or a NUL")                        \
        X(TORC_ECAPACITY, -1015, "capacity is not between 4 KiB and 64 GiB, or its maximum is below its start")  \
        X(TORC_ETOOBIG, -1016, "message is larger than the stream's max_message_bytes")                          \
        X(TORC_ENOPRODUCER, -1017, "nobody serves this stream")                                                  \
        X(TORC_EREMOVED, -1018, "stream was removed from the bus")                                               \
        X(TORC_EMETA, -1019, "metadata is larger than 16 KiB or has more than 255 properties")                   \
        X(TORC_ECANCELED, -1020, "wait was cancelled")                                                           \
        X(TORC_EGONE, -1021, "position has been overwritten and is no longer in the ring")                       \
        X(TORC_ENOTALLOWED, -1022, "consumer is not allowed on this stream")                                     \
        X(TORC_ETAGS, -1023, "tag list is too long or holds an empty or unprintable tag")

enum torc_error {
#define TORC_X(name, code, text) name = code,
        TORC_ERRORS(TORC_X)
#undef TORC_X
};

/* Exit code by which a program tells its supervisor that it was fenced and must not be restarted. */
#define TORC_EXIT_FENCED 81

struct torc_bus;
struct torc_producer;
struct torc_consumer;

/* Who may produce. Decided when a producer attaches, enforced by sealing segments; costs nothing per message. */
enum torc_access {
        TORC_SHARED = 0,             /* beside other shared producers; TORC_EBUSY if owned or waited for */
        TORC_EXCLUSIVE = 1,          /* alone; TORC_EBUSY if any producer lives or waits */
        TORC_WAIT_FOR_EXCLUSIVE = 2, /* alone, in turn: the handle opens at once and waits in a FIFO queue */
        TORC_EXCLUSIVE_WITH_FENCING = 3, /* alone, at once: everyone else is fenced for good */
};

/* What happens to a consumer that is a whole ring behind (after growth has reached its maximum). */
enum torc_lag {
        TORC_LAG_DISCONNECT = 0, /* it is disconnected, learns how many messages it missed, may attach again */
        TORC_LAG_BLOCK = 1,      /* producers wait for it */
        TORC_LAG_SKIP = 2,       /* it skips to newer messages by itself and counts what it missed */
};

/* Identifies a message on its stream. Positions rise for ever, over all segments of a shard. */
struct torc_id {
        uint64_t position;
        uint32_t epoch;
        uint32_t shard;
};
#define TORC_ID_TEXT_MAX 48 /* bytes of an id as text "shard-epoch-position", with its NUL */

/* ---- names and errors ------------------------------------------------------------------------------------ */

/*
 * torc_strerror - explain a result code in one line of English.
 * code      0, -errno or TORC_E*.
 * Returns   a static string; never NULL. Threads: any.
 */
const char *torc_strerror(int code);

/*
 * torc_errname - the symbolic name of a result code, as "TORC_EFULL" or "ENOENT"; "0" for success.
 * Returns   a static string; never NULL. Threads: any.
 */
const char *torc_errname(int code);

/*
 * torc_name_check - is this a valid stream name?
 * name      NUL-terminated; UTF-8, 1 to 200 bytes, no '/'.
 * Returns   0 or TORC_ENAME. Threads: any.
 */
int torc_name_check(const char *name);

/*
 * torc_name_match - does a stream name match a glob? '*' any run, '?' one character, '[a-c]' and '[!a-c]' sets,
 * '\' escapes. A '.' is an ordinary character: "a.*" matches "a.b.c".
 * Threads: any.
 */
bool torc_name_match(const char *glob, const char *name);

/*
 * torc_id_format / torc_id_parse - an id as text "shard-epoch-position" (decimal) and back.
 * parse returns 0 or -EINVAL.
 */
void torc_id_format(char text[TORC_ID_TEXT_MAX], const struct torc_id *id);
int torc_id_parse(struct torc_id *id, const char *text);

/*
 * torc_root_default - where buses live when nobody says: /run/torc for root, else $XDG_RUNTIME_DIR/torc, else
 * /dev/shm/torc-UID. The one place where the library looks at the environment.
 * Returns   0 or -ENAMETOOLONG.
 */
int torc_root_default(char *path, size_t cap);

/* ---- bus ------------------------------------------------------------------------------------------------- */

#define TORC_BUS_NO_CREATE 1u /* fail with -ENOENT instead of making the bus */

struct torc_bus_config {
        const char *root;      /* directory of buses; NULL: torc_root_default() */
        const char *name;      /* bus; NULL: "default" */
        const char *peer_name; /* how others see this process; NULL: the program's name */
        const char *tags;      /* comma-separated, "" or NULL: none */
        unsigned flags;        /* TORC_BUS_* */
        uint32_t mode;         /* permission bits of the bus if it is made here; 0: 0600. 0660 lets a group attach */
};

/*
 * torc_bus_open - attach this process to a bus, making the bus if it does not exist.
 *
 * bus          out: the handle; the caller closes it.
 * config       NULL for all defaults; borrowed.
 *
 * Returns   0
 *           TORC_ENAME        bad bus or peer name            TORC_ETAGS        bad tags
 *           TORC_EVERSION     the bus has another layout      TORC_ECORRUPT     the bus file is damaged
 *           TORC_ENOCAPACITY  4096 peers are attached         -ENOENT           TORC_BUS_NO_CREATE, no such bus
 *           -EACCES -EPERM    no permission                   -ENOSPC           tmpfs is full
 * Threads   any.
 * Crash     the kernel releases the peer's lock; everything it held is reaped by others.
 */
int torc_bus_open(struct torc_bus **bus, const struct torc_bus_config *config);

/*
 * torc_bus_close - detach. Producers and consumers still open on it are detached too: their calls return
 * TORC_EDETACHED from then on, and they must still be closed. No other thread may be inside a call on the bus or
 * its handles. Clears *bus.
 */
void torc_bus_close(struct torc_bus **bus);

/* ---- stream configuration -------------------------------------------------------------------------------- */

/* The first opener's values count; later openers use the stream as it is. */
struct torc_stream_config {
        uint64_t capacity_bytes;     /* first segment, rounded up to a power of two; 0: 1 MiB */
        uint64_t capacity_max_bytes; /* segments grow by doubling up to this; 0: no growth */
        uint32_t max_message_bytes;  /* 0: 5 MiB or capacity_max / 8, whichever is less */
        enum torc_lag lag;
        uint32_t online_min;         /* producers are online when so many consumers with online_tags are connected */
        const char *online_tags;     /* all of these tags must be carried; NULL or "": any consumer counts */
        uint32_t max_consumers;      /* 0: 1024 */
        uint32_t mode;               /* permission bits: w may produce, r may consume; 0: as the bus */
        int64_t uid, gid;            /* owner and group of the files; -1: the creator's */
};
#define TORC_STREAM_CONFIG_INIT                                                                                  \
        { 0, 0, 0, TORC_LAG_DISCONNECT, 1, NULL, 0, 0, -1, -1 }

/* ---- metadata -------------------------------------------------------------------------------------------- */

struct torc_property {
        const char *key;
        const char *value;
};

/* Optional facts sent along with a message. */
struct torc_meta {
        const struct torc_property *properties; /* borrowed for the call */
        size_t n_properties;                    /* at most 255 */
        int64_t event_time_ns;                  /* the application's own time, carried unaltered; 0: none */
};

/* ---- producer -------------------------------------------------------------------------------------------- */

#define TORC_CREATE_ONLY 1u /* an existing stream is TORC_EEXISTS, and *producer is the usable handle all the same */
#define TORC_NO_CREATE 2u   /* a missing stream is -ENOENT */

struct torc_producer_config {
        const char *name; /* NULL: an unused "PEER-PID-N" is made up. A returning owner is recognised by it */
        enum torc_access access;
        unsigned flags;                          /* TORC_CREATE_ONLY, TORC_NO_CREATE */
        const struct torc_stream_config *stream; /* used if the stream is created; NULL: defaults */
};

enum torc_producer_state {
        TORC_PRODUCER_SHARED = 1, /* may send, beside others */
        TORC_PRODUCER_OWNER = 2,  /* may send, alone */
        TORC_PRODUCER_WAITING = 3,
        TORC_PRODUCER_FENCED = 4,
};

struct torc_producer_status {
        enum torc_producer_state state;
        uint32_t epoch;        /* of the stream as this producer knows it */
        uint32_t queue_place;  /* WAITING: how many are before it in the queue */
        uint32_t fenced_epoch; /* FENCED: the epoch that shut it out */
        int64_t fencer_pid;    /* FENCED: by whom */
        char fencer_name[TORC_LABEL_MAX + 1];
        uint64_t messages, bytes; /* committed through this handle; bytes of payload */
        char name[TORC_LABEL_MAX + 1];
};

/*
 * torc_producer_open - open a producer on a stream, making the stream if it does not exist.
 *
 * producer     out: the handle; the caller closes it.
 * bus          attached bus; must stay open while the producer is used.
 * stream       name of the stream.
 * config       NULL: shared access, defaults.
 *
 * Returns   0
 *           TORC_EEXISTS      TORC_CREATE_ONLY and the stream existed; *producer is set and usable
 *           TORC_EBUSY        access refused: see enum torc_access; torc_stream_access() tells who holds it
 *           TORC_ENAME        bad stream or producer name     TORC_ECAPACITY    capacity out of range
 *           TORC_ENOCAPACITY  256 producers or 64 waiters; the last of 2^32 epochs has its owner
 *           TORC_ETAGS        bad online_tags
 *           TORC_EFENCED      a fencing owner came while it was being opened
 *           TORC_ECORRUPT  TORC_EVERSION  TORC_EFORKED  TORC_EDETACHED
 *           -ETIMEDOUT        10 s: a process was stopped while it held the stream's lock. Continue or end it
 *           -ENOENT -EACCES -ENOSPC -EMFILE -ENOMEM           from the system
 * Threads   any; racing openers agree on one creator.
 * Crash     the half-made stream is invisible and swept up; a half-made hand-over is redone by the next holder.
 */
int torc_producer_open(struct torc_producer **producer, struct torc_bus *bus, const char *stream,
                       const struct torc_producer_config *config);

/* torc_producer_close - detach. An open claim is aborted. Clears *producer. */
void torc_producer_close(struct torc_producer **producer);

/*
 * torc_producer_send - copy one message into the stream and commit it.
 *
 * data, len    payload and its size in bytes; 0 is allowed.
 * timeout_ms   0 never blocks, -1 waits for ever: first until online, then for space.
 * id           out, or NULL: the message's id.
 *
 * Returns   0               committed; every consumer connected now will see it or be told that it missed it
 *           TORC_EOFFLINE   timeout_ms == 0 and too few consumers
 *           TORC_EFULL      timeout_ms == 0 and no space
 *           -ETIMEDOUT      time is up; the message is not sent and never will be
 *           TORC_ETOOBIG    len above max_message_bytes
 *           TORC_ECLOSED  TORC_EREMOVED  TORC_EFENCED  TORC_EWAITING  TORC_ECANCELED  TORC_ECORRUPT
 *           TORC_EFORKED  TORC_EDETACHED  -EINTR  -EBUSY (a claim is open)  -ENOSPC (growing, tmpfs full)
 * Ordering  release: what the caller wrote before is visible to whoever receives the message.
 * Progress  lock-free against other producers; no system call, lock or allocation when nobody sleeps and there
 *           is space in the segment.
 * Crash     killed before the commit: nobody sees the message; after it: everybody does.
 */
int torc_producer_send(struct torc_producer *producer, const void *data, size_t len, int timeout_ms,
                       struct torc_id *id);

/* torc_producer_try_send - torc_producer_send() with timeout_ms 0. */
int torc_producer_try_send(struct torc_producer *producer, const void *data, size_t len, struct torc_id *id);

/*
 * torc_producer_send_meta - as torc_producer_send(), with properties and event time.
 * Returns   as torc_producer_send(), and TORC_EMETA when the metadata is too large.
 */
int torc_producer_send_meta(struct torc_producer *producer, const void *data, size_t len,
                            const struct torc_meta *meta, int timeout_ms, struct torc_id *id);

/*
 * torc_producer_claim - reserve space for one message, to be written in place.
 *
 * len          bytes of payload.
 * meta         NULL: none; encoded into the frame before the payload.
 * data         out: len writable bytes in the ring, 8-byte aligned, until commit or abort. A producer that was
 *              fenced meanwhile writes into a sealed segment; its commit still counts for that segment.
 *
 * Returns   as torc_producer_send_meta(). One claim at a time per handle: -EBUSY.
 */
int torc_producer_claim(struct torc_producer *producer, size_t len, const struct torc_meta *meta, int timeout_ms,
                        void **data);

/*
 * torc_producer_commit - publish the claimed message. Returns 0, -EINVAL without a claim, TORC_EFORKED or
 * TORC_EDETACHED. Ordering: release.
 */
int torc_producer_commit(struct torc_producer *producer, struct torc_id *id);

/* torc_producer_abort - give the claim up: nobody sees the message. Returns as torc_producer_commit(). */
int torc_producer_abort(struct torc_producer *producer);

struct torc_span {
        const void *data;
        size_t len;
};

/*
 * torc_producer_send_batch - send several messages in order, with as few claims as the ring allows.
 *
 * accepted     out, always set: how many were committed; on an error the rest was not sent.
 * Returns   as torc_producer_send() for the first message that was not accepted.
 */
int torc_producer_send_batch(struct torc_producer *producer, const struct torc_span *messages, size_t n,
                             int timeout_ms, size_t *accepted);

/*
 * torc_producer_flush - wait until every connected consumer has read up to and including a message.
 * id           NULL: the last one sent through this handle.
 * Returns   0, -ETIMEDOUT, -EAGAIN (timeout_ms == 0), -EINTR, TORC_ECANCELED, TORC_ECORRUPT, TORC_EREMOVED.
 */
int torc_producer_flush(struct torc_producer *producer, const struct torc_id *id, int timeout_ms);

/*
 * torc_producer_await - wait until a producer opened with TORC_WAIT_FOR_EXCLUSIVE owns the stream.
 * Returns   0 owner now; -EAGAIN (timeout_ms == 0), -ETIMEDOUT (it stays in the queue), TORC_EFENCED (a fencing
 *           owner emptied the queue), TORC_ECANCELED, TORC_ECLOSED, TORC_EREMOVED, -EINTR, -ENOSPC.
 */
int torc_producer_await(struct torc_producer *producer, int timeout_ms);

/*
 * torc_producer_cancel - make the producer's present blocking call, or its next one, return TORC_ECANCELED.
 * Threads   any; async-signal-safe.
 */
void torc_producer_cancel(struct torc_producer *producer);

/* torc_producer_is_online - are enough consumers with the right tags connected? Dead ones do not count. */
bool torc_producer_is_online(struct torc_producer *producer);

/* torc_producer_status - state, epoch, who fenced it, counters. Returns 0, TORC_EFORKED or TORC_EDETACHED. */
int torc_producer_status(struct torc_producer *producer, struct torc_producer_status *status);

enum torc_condition_kind {
        TORC_ONLINE = 1,       /* the stream's own online rule holds */
        TORC_OFFLINE = 2,      /* it does not */
        TORC_SUBSCRIBED = 3,   /* at least `minimum` consumers carrying all `tags` are connected */
        TORC_UNSUBSCRIBED = 4, /* fewer are */
};
struct torc_condition {
        enum torc_condition_kind kind;
        uint32_t minimum; /* SUBSCRIBED, UNSUBSCRIBED; 0 counts as 1 */
        const char *tags; /* NULL or "": any */
};

/*
 * torc_producer_wait_for - wait until a condition on the stream's consumers holds; at once if it does.
 * Returns   0, -EAGAIN (timeout_ms == 0), -ETIMEDOUT, -EINTR, TORC_ECANCELED, -EINVAL, TORC_ETAGS, TORC_EREMOVED.
 */
int torc_producer_wait_for(struct torc_producer *producer, const struct torc_condition *condition, int timeout_ms);

enum torc_connection { TORC_CONNECTING = 1, TORC_CONNECTED = 2, TORC_TERMINATED = 3 };

struct torc_consumer_stats {
        uint64_t messages, bytes;      /* delivered: payload bytes */
        uint64_t missed_messages;      /* lost to lagging: exact for disconnections; see torc_consumer_missed() */
        uint64_t missed_bytes;         /* ring bytes of those */
        uint64_t lag_bytes;            /* ring bytes between its cursor and the tail */
        int64_t attached_ns;           /* CLOCK_REALTIME */
        int64_t uptime_ns;
};

/* One consumer of a stream as others see it. */
struct torc_consumer_info {
        uint64_t ref; /* names this attachment; never reused while a 20-bit generation lasts */
        enum torc_connection connection;
        char name[TORC_LABEL_MAX + 1];
        int64_t pid;
        uint32_t uid;
        char peer_name[TORC_LABEL_MAX + 1];
        char tags[TORC_TAGS_MAX + 1];
        uint64_t cursor;
        uint64_t segment;
        struct torc_consumer_stats stats;
};

/*
 * torc_producer_consumers - list the stream's consumers.
 * infos, cap   caller's array; may be NULL with cap 0.
 * count        out: how many there are; more than cap means the list was cut.
 * Returns   0, TORC_ECORRUPT, TORC_EFORKED, TORC_EDETACHED.
 */
int torc_producer_consumers(struct torc_producer *producer, struct torc_consumer_info *infos, size_t cap,
                            size_t *count);

/*
 * torc_producer_wait_disconnect - wait until a listed consumer is gone (closed, disconnected or dead).
 * Returns   0, -EAGAIN (timeout_ms == 0), -ETIMEDOUT, -EINTR, TORC_ECANCELED.
 */
int torc_producer_wait_disconnect(struct torc_producer *producer, uint64_t ref, int timeout_ms);

/* Who holds a stream, and who waits for it. */
struct torc_access_info {
        enum torc_access access; /* TORC_SHARED or TORC_EXCLUSIVE */
        bool held;               /* is there a live producer? */
        uint32_t epoch;
        uint32_t producers, waiters;
        int64_t holder_pid; /* the owner, or one of the shared producers; 0: nobody */
        char holder_name[TORC_LABEL_MAX + 1];
};

/*
 * torc_stream_access - who holds a stream now: what to tell a person whose open was refused with TORC_EBUSY.
 * Returns   0, TORC_ENAME, -ENOENT, -EACCES, TORC_ECORRUPT, TORC_EVERSION, TORC_EFORKED, TORC_EDETACHED.
 */
int torc_stream_access(struct torc_bus *bus, const char *stream, struct torc_access_info *info);

/* ---- consumer -------------------------------------------------------------------------------------------- */

enum torc_start {
        TORC_START_LIVE = 0,     /* messages committed from now on */
        TORC_START_EARLIEST = 1, /* the oldest still in the rings, with all that came after it */
        TORC_START_ID = 2,       /* from the given message on, including it */
};

struct torc_consumer_config {
        const char *name; /* NULL: the peer's name */
        enum torc_start start;
        struct torc_id start_id;                 /* TORC_START_ID */
        unsigned flags;                          /* TORC_NO_CREATE */
        const struct torc_stream_config *stream; /* used if the stream is created; NULL: defaults */
        int timeout_ms;                          /* how long to wait for a place under max_consumers */
};

/* A message in place. The bytes are the ring's: valid until torc_consumer_release(), and only if that returns 0. */
struct torc_view {
        const void *data;
        size_t len;
        struct torc_id id;
        uint16_t producer; /* slot of the sender on its stream */
        const void *meta;  /* encoded metadata, or NULL; read it with torc_meta_*() */
        size_t meta_len;
};

/*
 * torc_consumer_open - open a consumer on a stream, making the stream if it does not exist.
 *
 * Returns   0
 *           TORC_EGONE        start_id is no longer, or not yet, in the ring
 *           TORC_ENOCAPACITY  max_consumers are connected and timeout_ms has passed
 *           others            as torc_producer_open(), without TORC_EBUSY
 */
int torc_consumer_open(struct torc_consumer **consumer, struct torc_bus *bus, const char *stream,
                       const struct torc_consumer_config *config);

/* torc_consumer_close - detach. Clears *consumer. */
void torc_consumer_close(struct torc_consumer **consumer);

/*
 * torc_consumer_recv - copy out the next message.
 *
 * buf, cap     caller's buffer and its size in bytes.
 * len          out: payload bytes; on -EMSGSIZE the bytes needed.
 * timeout_ms   0 never blocks, -1 waits for ever.
 * id           out, or NULL.
 *
 * Returns   0              one message in buf
 *           -EAGAIN        nothing to read (timeout_ms == 0)     -ETIMEDOUT  time is up
 *           -EMSGSIZE      cap too small; the message is kept
 *           TORC_ELAGGED   disconnected for lagging; torc_consumer_reattach() goes on
 *           TORC_ECLOSED   the stream has ended and everything was read
 *           TORC_ECORRUPT  the segment breaks an invariant; close
 *           TORC_EREMOVED  TORC_ECANCELED  TORC_EFORKED  TORC_EDETACHED  -EINTR  -EBUSY (a view is held)
 * Threads   one thread per consumer.
 * Ordering  acquire: what the producer wrote before the commit is visible.
 * Progress  wait-free when a message is ready: no system call while nobody sleeps for space, except where a segment
 *           begins. It may pause for some microseconds, to let a batch build up or to trail a writer that it
 *           follows closely. Otherwise sleeps, until it is woken; seldom 5 ms longer, if the waker did not see it go to
 *           sleep. No allocation. What a dead producer left in the way is settled by waiting as by trying
 *           (timeout_ms 0): after some milliseconds, or some 60 tries if those are far apart.
 * Crash     the caller may be killed anywhere; its slot is reaped and nothing is lost for others.
 */
int torc_consumer_recv(struct torc_consumer *consumer, void *buf, size_t cap, size_t *len, int timeout_ms,
                       struct torc_id *id);

/* torc_consumer_try_recv - torc_consumer_recv() with timeout_ms 0. */
int torc_consumer_try_recv(struct torc_consumer *consumer, void *buf, size_t cap, size_t *len, struct torc_id *id);

/*
 * torc_consumer_view - look at the next message in place. One view at a time; release it before the next.
 * Returns   as torc_consumer_recv(), without -EMSGSIZE.
 */
int torc_consumer_view(struct torc_consumer *consumer, struct torc_view *view, int timeout_ms);

/*
 * torc_consumer_release - done with the view: its bytes may be overwritten from now on.
 * Returns   0             the bytes were whole all the time
 *           TORC_ELAGGED  they may have been overwritten while in use: whatever was read from them is void, and
 *                         the message counts as missed
 *           -EINVAL       no view is held            TORC_EFORKED  TORC_EDETACHED
 */
int torc_consumer_release(struct torc_consumer *consumer);

typedef int torc_message_fn(const struct torc_view *view, void *arg);

/*
 * torc_consumer_poll - hand up to `limit` ready messages to a callback, in place; never blocks.
 * fn           returns 0 to go on, else poll stops after this message and returns that value. It may send, and close
 *              the bus, but not close the consumer; to read from it is -EBUSY in there.
 * handled      out, always set: messages for which fn ran and whose bytes were whole. Under TORC_LAG_DISCONNECT
 *              and TORC_LAG_SKIP fn may run on bytes that are being overwritten; then poll returns TORC_ELAGGED
 *              and that last call is void.
 * Returns   0, -EAGAIN (nothing ready), fn's value, or an error as torc_consumer_recv().
 */
int torc_consumer_poll(struct torc_consumer *consumer, torc_message_fn *fn, void *arg, size_t limit,
                       size_t *handled);

/*
 * torc_consumer_fd - a descriptor for poll(2), select(2) or epoll(7): readable when there may be a message, and until
 * a read has returned -EAGAIN, which arms it again. It also wakes some times a second on its own while
 * armed, so that a notification lost with its killed sender delays nobody for long. Owned by the consumer.
 * Returns   the descriptor, or a negative code.
 */
int torc_consumer_fd(struct torc_consumer *consumer);

/*
 * torc_consumer_reattach - attach again after TORC_ELAGGED, where the ring still has messages this consumer has not
 * seen, else at the live end. Backs off (1 ms doubling to 1 s) while the stream has no place for it.
 * Returns   0; -ETIMEDOUT or TORC_ENOCAPACITY (timeout_ms == 0); final: TORC_ECLOSED, TORC_EREMOVED, TORC_ECORRUPT,
 *           TORC_EVERSION, -EACCES, TORC_EFORKED, TORC_EDETACHED, TORC_ECANCELED.
 */
int torc_consumer_reattach(struct torc_consumer *consumer, int timeout_ms);

/*
 * torc_consumer_missed - messages this handle has missed by lagging so far, over all its attachments.
 * The count of a disconnection is exact. Messages that passed while it was not attached are counted from the
 * producers' own counters, so up to one message (or batch) for each producer that was sending at that instant may be off.
 */
uint64_t torc_consumer_missed(const struct torc_consumer *consumer);

/* torc_consumer_stats - counters of this handle. Returns 0, TORC_EFORKED, TORC_EDETACHED. */
int torc_consumer_stats(struct torc_consumer *consumer, struct torc_consumer_stats *stats);

/* torc_consumer_cancel - as torc_producer_cancel(). Async-signal-safe. */
void torc_consumer_cancel(struct torc_consumer *consumer);

/* ---- metadata of a received message ---------------------------------------------------------------------- */

/* torc_meta_event_time - the sender's event time in ns, or 0 if it gave none. view->meta may be NULL. */
int64_t torc_meta_event_time(const struct torc_view *view);

/*
 * torc_meta_property - the i-th property.
 * key, value, lengths   out: point into the view, not NUL-terminated.
 * Returns   0, -ENOENT (i is past the last), TORC_ECORRUPT.
 */
int torc_meta_property(const struct torc_view *view, size_t i, const char **key, size_t *key_len,
                       const char **value, size_t *value_len);

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop
#endif
