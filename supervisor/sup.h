/*
 * sup.h - the supervisor: what its parts share.
 *
 *      torcd.c     options, start, stop
 *      loop.c      epoll, signals, one timer: calls everybody else
 *      members.c   groups and members: the table of member.c meets processes
 *      spawn.c     fork and exec        adopt.c   members another torcd left      sweep.c   what outlives a member
 *      streams.c   makes the streams
 *      watch.c     the bus: the dead are cleaned up, stuck fenced producers are killed
 *      logs.c      starts the log writer (logwriter.c), keeps it running
 *      control.c   the socket           commands.c  what can be asked there
 *
 * One thread. Whatever waits has a due time (CLOCK_MONOTONIC ns, MEMBER_NEVER for none) that loop.c asks for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_SUP_H
#define SUPERVISOR_SUP_H

#include "conf.h"
#include "member.h"
#include "torc_admin.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define MS 1000000ll

struct sup;

/* Something in the epoll set. Embedded; `ready` finds what it is part of. */
struct source {
        int fd; /* -1: none */
        void (*ready)(struct sup *sup, struct source *source, uint32_t events);
};
#define SOURCE_OF(source, type, field) ((type *)(void *)((char *)(source)-offsetof(type, field)))

struct sup_group {
        const struct conf_group *conf;
        uint32_t count; /* members wanted; differs from conf->count after `scale` */
        struct conf_group
                *own; /* a group that is no longer in torc.ini: its members are stopped, this is its conf */
};

struct sup_member {
        struct source process; /* pidfd; in the epoll set only when it was adopted: children send SIGCHLD */
        struct source report;  /* from fork to exec: what went wrong between */
        struct sup_group *group;
        uint32_t index;
        size_t slot; /* in sup->members and in the supervisor file */
        char name[TORC_LABEL_MAX + 1];
        struct member life;
        pid_t pid; /* 0: no process */
        uint64_t ticks;
        int64_t started_wall_ns;
        bool child;      /* ours; otherwise adopted */
        bool unborn;     /* adopted between fork and exec */
        bool lingering;  /* it has ended while stopping, others of its process group have not */
        int32_t status;  /* lingering: how it ended */
        bool surplus;    /* not wanted any more: forgotten when it has stopped */
        bool resumes;    /* stopped because torcd ends: runs again if torcd is killed before it has ended */
        bool dirty;      /* to be published */
        char detail[96]; /* why exec failed */
        uint64_t log_dropped;
};

struct sup_client;
struct sup_sweep;
struct sup_seen;

struct sup {
        struct conf *conf;
        char root[PATH_MAX];
        struct torc_bus *bus;
        struct torc_supervisor *state;
        struct torc_inspector *inspector;
        struct rlimit files; /* RLIMIT_NOFILE as torcd was started with */

        int epoll;
        struct source signals, timer;
        int64_t started_wall_ns;
        int64_t timer_ns; /* what the timer is set to */
        int64_t tick_due;

        struct sup_group *groups[TORC_MAX_GROUPS];
        size_t n_groups;
        struct sup_member *members[TORC_MAX_MEMBERS]; /* by slot; NULL: free */
        size_t top_member;                            /* slots at and above are free */

        bool stopping;  /* SIGTERM has come */
        size_t stop_at; /* groups from here on have been told to stop */
        bool hasten;

        /* sweep.c */
        struct sup_sweep *sweep;
        int64_t sweep_due;

        /* watch.c */
        struct source notify;
        int bus_watch;
        int64_t reap_due, look_due;
        unsigned reap_step;
        struct sup_seen *seen;
        size_t n_seen;

        /* logs.c */
        int spool, log_dir; /* -1: none */
        int life;           /* its other end tells the log writer that we live */
        pid_t log_writer;
        int64_t log_due;

        /* control.c */
        struct source listener;
        struct sup_client *clients;
        size_t n_clients;
        char control[PATH_MAX];
};

/* ---- loop.c ---- */
int64_t sup_now(void);  /* CLOCK_MONOTONIC */
int64_t sup_wall(void); /* CLOCK_REALTIME */
uint64_t sup_chance(void);
void source_init(struct source *source, void (*ready)(struct sup *, struct source *, uint32_t));
/* source_watch - the fd becomes the source's own; returns 0 or -errno. source_close - accepts one that is not open.
 */
int source_watch(struct sup *sup, struct source *source, int fd, uint32_t events);
void source_change(struct sup *sup, struct source *source, uint32_t events);
void source_close(struct sup *sup, struct source *source);
void loop_open(struct sup *sup);
void loop_run(struct sup *sup); /* until everything has stopped */
/* note - to the log and to the event log of the bus. */
void note(struct sup *sup, enum torc_event_kind kind, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* ---- streams.c ---- */
void streams_open(struct sup *sup);

/* ---- members.c ---- */
struct sup_member *member_new(struct sup *sup, struct sup_group *group, uint32_t index, size_t slot);
struct sup_member *member_find(struct sup *sup, const struct sup_group *group, uint32_t index);
struct sup_member *member_by_pid(struct sup *sup, pid_t pid);
struct sup_group *group_find(struct sup *sup, const char *name);
void member_event(struct sup *sup, struct sup_member *m, enum member_event event);
/* members_ended - its process is dead; a child of ours is still to be reaped (status NULL). */
void member_has_ended(struct sup *sup, struct sup_member *m, const int32_t *status);
void member_publish(struct sup *sup, struct sup_member *m, bool starting);
void members_publish(struct sup *sup); /* those that are dirty */
void groups_publish(struct sup *sup);
/* group_scale - returns 0; -E2BIG: the bus's table of members is full; -EINVAL: exclusive access, and no waiting.
 */
int group_scale(struct sup *sup, struct sup_group *group, uint32_t count);
int64_t members_due(const struct sup *sup);
void members_tick(struct sup *sup, int64_t now);
void members_stop(struct sup *sup); /* all, last group first; twice: at once */
void members_stay_stopped(struct sup *sup);
bool members_stopped(const struct sup *sup);
void members_reap(struct sup *sup); /* SIGCHLD */

/* ---- spawn.c ---- */
#define SPAWN_EXIT_UNBORN 86 /* torcd died before it let its child run the program */
/* spawn - start the member's program. Returns 0, or -errno with the reason in m->detail. */
int spawn(struct sup *sup, struct sup_member *m);
void spawn_report(struct sup *sup, struct source *source, uint32_t events);

/* ---- adopt.c ---- */
void adopt(struct sup *sup);

/* ---- sweep.c ---- */
/* sweep_after - look for processes that have outlived a member's process, and kill them. */
void sweep_after(struct sup *sup, const struct sup_member *m);
void sweep_tick(struct sup *sup, int64_t now);

/* ---- watch.c ---- */
void watch_open(struct sup *sup);
void watch_tick(struct sup *sup, int64_t now);
void watch_look(struct sup *sup); /* soon, what happens on the streams */
void watch_close(struct sup *sup);

/* ---- logs.c ---- */
void logs_open(struct sup *sup);
int logs_output(struct sup *sup, const struct sup_member *m); /* a descriptor for the caller to close, or -errno */
bool logs_ended(struct sup *sup, pid_t pid, int status);      /* was it the log writer? */
void logs_tick(struct sup *sup, int64_t now);
void logs_look(struct sup *sup); /* once a second: what was dropped; is the directory still there? */
void logs_close(struct sup *sup);

/* ---- control.c ---- */
void control_open(struct sup *sup);
int64_t control_due(const struct sup *sup);
void control_tick(struct sup *sup, int64_t now);
void control_close(struct sup *sup);

/* ---- commands.c ---- */
struct reply {
        char *data;
        size_t len, cap;
        bool failed; /* out of memory */
};
void reply_add(struct reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* command_run - one request, a line of words between tabs without its end. Fills in a whole reply. uid: who asks.
 */
void command_run(struct sup *sup, char *line, uid_t uid, struct reply *reply);

#endif
