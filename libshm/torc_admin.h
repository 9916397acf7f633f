/*
 * torc_admin.h - looking at a bus and looking after it: what the supervisor, the monitor and the command use
 * beyond torc.h. Conventions as there.
 *
 * Looking maps everything read-only, takes no lock, is no peer of the bus, and believes nothing it reads: damaged or
 * hostile bytes make an object `error = TORC_ECORRUPT`, never a crash.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_ADMIN_H
#define TORC_ADMIN_H

#include "torc.h"

#pragma GCC visibility push(default)

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the loss ledger ------------------------------------------------------------------------------------- */

/* Why a consumer did not get a message: symbol, word, what it means. */
#define TORC_LOSSES(X)                                                                                           \
        X(TORC_LOSS_ABORTED, "aborted", "claimed, but the producer died before the commit")                      \
        X(TORC_LOSS_OVERWRITTEN, "overwritten", "overwritten while a consumer read history or was skipping")     \
        X(TORC_LOSS_DISCONNECTED, "disconnected", "missed by consumers that were disconnected for lagging")

enum torc_loss {
#define TORC_X(name, word, text) name,
        TORC_LOSSES(TORC_X)
#undef TORC_X
        TORC_LOSS_COUNT
};

/* torc_loss_word - "aborted", "overwritten", ...; "?" out of range. */
const char *torc_loss_word(enum torc_loss cause);

/* ---- snapshot -------------------------------------------------------------------------------------------- */

struct torc_peer_info {
        uint32_t slot;
        bool alive; /* its lock is held: the kernel's word */
        int64_t pid;
        uint32_t uid, gid;
        uint64_t start_ticks; /* field 22 of /proc/PID/stat when it attached: tells a reused pid */
        int64_t attached_ns;  /* CLOCK_REALTIME */
        char name[TORC_LABEL_MAX + 1];
        char tags[TORC_TAGS_MAX + 1];
};

struct torc_producer_info {
        uint32_t slot;
        enum torc_producer_state state;
        bool alive;
        int64_t pid;
        uint32_t uid;
        uint32_t peer_slot;
        uint64_t start_ticks;
        char name[TORC_LABEL_MAX + 1];
        uint32_t epoch;
        uint64_t segment;
        uint64_t messages, bytes;
        bool claim_open; /* it stands between claim and commit (or died there) */
        uint64_t claim_start, claim_end;
        bool blocked; /* it sleeps for space or for consumers */
        uint32_t fenced_epoch;
        int64_t fencer_pid;
        char fencer_name[TORC_LABEL_MAX + 1];
};

struct torc_waiter_info {
        uint64_t ticket; /* FIFO order */
        bool alive;
        int64_t pid;
        char name[TORC_LABEL_MAX + 1];
};

enum torc_segment_state {
        TORC_SEGMENT_PROVISIONING = 0,
        TORC_SEGMENT_ACTIVE = 1,
        TORC_SEGMENT_DRAINING = 2,
        TORC_SEGMENT_STOPPED = 3,
};

struct torc_segment_info {
        uint32_t shard;
        uint64_t number;
        enum torc_segment_state state;
        uint32_t epoch;
        uint64_t capacity, base, tail, limit;
        int error; /* 0, or why it cannot be read */
};

struct torc_stream_info {
        char name[TORC_NAME_MAX + 1];
        int error; /* 0; TORC_ECORRUPT, TORC_EVERSION, -EACCES: then only the name is meaningful */
        bool ended;
        uint64_t capacity_bytes, capacity_max_bytes;
        uint32_t max_message_bytes;
        enum torc_lag lag;
        uint32_t online_min;
        char online_tags[TORC_TAGS_MAX + 1];
        uint32_t max_consumers;
        uint32_t uid, gid, mode;
        int64_t created_ns; /* CLOCK_REALTIME */

        enum torc_access access; /* TORC_SHARED or TORC_EXCLUSIVE */
        uint32_t epoch;
        int64_t owner_pid; /* 0: no owner */
        char owner_name[TORC_LABEL_MAX + 1];
        bool online;
        uint64_t tail;            /* position of the next claim, over the whole chain */
        uint64_t messages, bytes; /* committed, by all producers ever */
        uint64_t losses[TORC_LOSS_COUNT];

        size_t n_producers, n_consumers, n_waiters, n_segments;
        struct torc_producer_info *producers; /* those that wait are in waiters */
        struct torc_consumer_info *consumers;
        struct torc_waiter_info *waiters; /* in queue order */
        struct torc_segment_info *segments; /* oldest first; of a very long chain the newest 256 */
};

/* ---- the supervisor's state, as any process may read it ---- */

enum torc_member_state {
        TORC_MEMBER_STOPPED = 0,     /* not wanted, or ended and not to be restarted */
        TORC_MEMBER_DELAYED = 1,     /* waits for its start delay or back-off */
        TORC_MEMBER_RUNNING = 2,
        TORC_MEMBER_STOPPING = 3,    /* was sent its stop signal */
        TORC_MEMBER_QUARANTINED = 4, /* restarted too often; waits for `torc ctl start` */
};
/* torc_member_state_word - "stopped", "delayed", "running", "stopping", "quarantined"; "?" out of range. */
const char *torc_member_state_word(enum torc_member_state state);

struct torc_group_info {
        char name[TORC_LABEL_MAX + 1];
        char stream[TORC_NAME_MAX + 1]; /* "": none */
        char command[256];              /* cut for display */
        uint32_t access;                /* enum torc_access */
        uint32_t restart;               /* 0 permanent, 1 transient, 2 temporary */
        uint32_t count;                 /* wanted members */
        uint32_t configured;            /* members as torc.ini has it; count differs after `torc ctl scale` */
};

struct torc_member_info {
        char group[TORC_LABEL_MAX + 1];
        uint32_t index;
        enum torc_member_state state;
        bool wanted; /* it is to run: an end is followed by a start as far as its restart policy says */
        int64_t pid; /* 0: none. DELAYED with a pid: just forked, its program has not begun */
        uint64_t start_ticks;
        int64_t started_ns;   /* CLOCK_REALTIME of the last start; 0: never */
        int64_t due_ns;       /* DELAYED: CLOCK_REALTIME of the next start; else 0 */
        uint32_t restarts;    /* over its life */
        uint32_t recent;      /* of them within its restart_period */
        uint32_t backoff_ms;  /* next back-off */
        int32_t last_status;  /* wait(2) status of the last end, -1: never ended, -2: it ended unseen */
        uint64_t log_dropped; /* bytes of its output that were dropped */
        char cause[128];      /* why it is in this state, for people */
};

enum torc_event_kind {
        TORC_EVENT_SUPERVISOR = 1, /* torcd started, adopted, reloaded, stopped */
        TORC_EVENT_STARTED = 2,
        TORC_EVENT_ENDED = 3,
        TORC_EVENT_RESTART_PLANNED = 4,
        TORC_EVENT_QUARANTINED = 5,
        TORC_EVENT_OWNER = 6,  /* a stream has a new owner or epoch */
        TORC_EVENT_FENCED = 7,
        TORC_EVENT_REAPED = 8, /* a dead peer was cleaned up */
        TORC_EVENT_KILLED = 9, /* torcd killed something: stop deadline, fence grace */
        TORC_EVENT_OPERATOR = 10, /* somebody used the control socket */
};

struct torc_event_info {
        uint64_t sequence; /* from 1, rises by one */
        int64_t time_ns;   /* CLOCK_REALTIME */
        uint32_t kind;     /* enum torc_event_kind */
        char text[232];    /* one line for people */
};

struct torc_supervisor_info {
        bool known;   /* there is a supervisor file */
        int error;    /* TORC_ECORRUPT, TORC_EVERSION: it cannot be read */
        bool alive;   /* a torcd holds its lock now */
        int64_t pid;  /* of the present or last torcd */
        int64_t started_ns, updated_ns; /* CLOCK_REALTIME; updated_ns at least once a second while alive */
        char config[256];               /* path of its torc.ini */
};

struct torc_snapshot {
        int64_t monotonic_ns, wall_ns;
        char path[256]; /* directory of the bus */
        char bus[TORC_LABEL_MAX + 1];
        size_t n_peers, n_streams, n_groups, n_members, n_events;
        struct torc_peer_info *peers;
        struct torc_stream_info *streams; /* sorted by name */
        struct torc_supervisor_info supervisor;
        struct torc_group_info *groups;
        struct torc_member_info *members;
        struct torc_event_info *events; /* oldest first */
};

struct torc_inspector;

/*
 * torc_inspector_open - prepare to look at a bus.
 * root, bus    as in struct torc_bus_config; NULL: defaults.
 * Returns   0; -ENOENT no such bus; -EACCES; -EPERM the default root is another user's; TORC_ENAME; TORC_EVERSION;
 *           TORC_ECORRUPT; -ENOMEM.
 */
int torc_inspector_open(struct torc_inspector **inspector, const char *root, const char *bus);
void torc_inspector_close(struct torc_inspector **inspector);

/*
 * torc_inspector_take - a snapshot of everything. Maps are kept between calls, so that a second look is cheap.
 * snapshot     out: owned by the caller; free with torc_snapshot_free().
 * Returns   0, -ENOMEM, -ENOENT (the bus was removed), TORC_ECORRUPT or TORC_EVERSION (the bus file was damaged or
 *           replaced); what is wrong with one stream stands in its `error`.
 * Threads   one thread at a time per inspector.
 */
int torc_inspector_take(struct torc_inspector *inspector, struct torc_snapshot **snapshot);
void torc_snapshot_free(struct torc_snapshot **snapshot);

/* ---- looking after a bus --------------------------------------------------------------------------------- */

/*
 * torc_stream_create - make a stream without attaching to it. Returns 0, TORC_EEXISTS, or as torc_producer_open().
 */
int torc_stream_create(struct torc_bus *bus, const char *stream, const struct torc_stream_config *config);

/*
 * torc_stream_end - seal the stream without a successor: consumers drain it and get TORC_ECLOSED, producers get
 * TORC_ECLOSED at once. A later torc_producer_open() opens it again with a new segment.
 */
int torc_stream_end(struct torc_bus *bus, const char *stream);

/* torc_stream_remove - delete a stream and its messages. Attached handles get TORC_EREMOVED. */
int torc_stream_remove(struct torc_bus *bus, const char *stream);

/*
 * torc_stream_fence - shut every producer out without becoming one: seal, epoch + 1, new segment, waiters fail.
 * epoch        out, or NULL: the new epoch. TORC_ENOCAPACITY: the last of 2^32 is reached.
 */
int torc_stream_fence(struct torc_bus *bus, const char *stream, uint32_t *epoch);

/* torc_stream_kick - disconnect one consumer (struct torc_consumer_info.ref). Returns 0 or -ENOENT. */
int torc_stream_kick(struct torc_bus *bus, const char *stream, uint64_t ref);

struct torc_reaped {
        uint32_t peers, producers, consumers, waiters, holes;
        int64_t pids[8]; /* the first few dead peers */
        char names[8][TORC_LABEL_MAX + 1];
};

/*
 * torc_bus_reap - clean up after the dead: recover holes in their claims, free their slots, wake every sleeper that
 * may go on now, sweep half-made streams. Proof of death is the peer's released lock and nothing else.
 * reaped       out, or NULL: what was done.
 * Returns   0 or the first error met; it goes on with the rest after an error.
 */
int torc_bus_reap(struct torc_bus *bus, struct torc_reaped *reaped);

/* torc_bus_nudge - wake every sleeper on the bus; each looks again and sleeps on. Harmless at any time. */
int torc_bus_nudge(struct torc_bus *bus);

/*
 * torc_bus_path - the bus's directory; valid as long as the handle. Holds the files `bus`, `supervisor` and
 * `control` (torcd's socket), and a directory "@NAME" for each stream.
 */
const char *torc_bus_path(const struct torc_bus *bus);

/* ---- publishing the supervisor's state (torcd only) ------------------------------------------------------ */

#define TORC_MAX_GROUPS 128
#define TORC_MAX_MEMBERS 1024
#define TORC_MAX_EVENTS 512

struct torc_supervisor;

/*
 * torc_supervisor_open - become the bus's supervisor: lock and map `<bus>/supervisor`, making it if needed. What the
 * last supervisor left is kept, to be read with torc_supervisor_load() for adoption.
 * Returns   0; TORC_EBUSY another torcd is alive; TORC_EVERSION; TORC_ECORRUPT; -ENOSPC; -EACCES.
 * Crash     every entry is replaced whole: a reader or the next supervisor sees the old one or the new one.
 */
int torc_supervisor_open(struct torc_supervisor **supervisor, struct torc_bus *bus, const char *config_path);
void torc_supervisor_close(struct torc_supervisor **supervisor);

/*
 * torc_supervisor_load - copy what is published into caller's arrays. counts in: capacity, out: filled.
 * A member stands at its table index; an unused entry has an empty group.
 */
int torc_supervisor_load(struct torc_supervisor *supervisor, struct torc_group_info *groups, size_t *n_groups,
                         struct torc_member_info *members, size_t *n_members);

/* torc_supervisor_set_groups / _set_member - publish. Members are addressed by a table index below 1024. */
int torc_supervisor_set_groups(struct torc_supervisor *supervisor, const struct torc_group_info *groups, size_t n);
int torc_supervisor_set_member(struct torc_supervisor *supervisor, size_t index, const struct torc_member_info *m);
/* torc_supervisor_finish - nothing runs any more: the next supervisor starts afresh instead of adopting. */
int torc_supervisor_finish(struct torc_supervisor *supervisor);
/* torc_supervisor_clear_member - the table entry is unused from now on. */
int torc_supervisor_clear_member(struct torc_supervisor *supervisor, size_t index);
/* torc_supervisor_beat - stamp updated_ns: the supervisor is alive and looping. */
void torc_supervisor_beat(struct torc_supervisor *supervisor);
/* torc_supervisor_event - append to the event log, a ring of 512 entries. printf-like; cut at 231 bytes. */
void torc_supervisor_event(struct torc_supervisor *supervisor, enum torc_event_kind kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#ifdef __cplusplus
}
#endif

#pragma GCC visibility pop
#endif
