/*
 * member.h - the life of one member as a state machine: when it is started, restarted, given up, stopped, killed.
 *
 *               START              DUE              ended, to run again
 *     STOPPED ---------> DELAYED ---------> RUNNING --------------------> DELAYED
 *        ^                  |                |    \  ended too often
 *        |       STOP       |           STOP |     ------------------> QUARANTINED
 *        +------------------+                v
 *        +------------------------------- STOPPING      ended: STOPPED, or DELAYED if wanted again
 *
 * No system calls, no clock and no chance in here: both are handed in, so that a test can live through a year.
 * The table of transitions is in member.c. What the world has to do comes back as MEMBER_SPAWN, _SIGNAL, _KILL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_MEMBER_H
#define SUPERVISOR_MEMBER_H

#include "conf.h"
#include "torc_admin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMBER_NEVER          INT64_MAX
#define MEMBER_STATUS_NONE    (-1) /* never ended */
#define MEMBER_STATUS_UNKNOWN (-2) /* ended unseen: it was adopted, or no supervisor ran */

enum member_event {
        MEMBER_START,           /* somebody wants it to run */
        MEMBER_STOP,            /* somebody wants it not to run */
        MEMBER_RESTART,         /* somebody wants it to run afresh */
        MEMBER_HASTEN,          /* no more patience */
        MEMBER_DUE,             /* the clock has reached due_ns */
        MEMBER_ENDED_AGAIN,     /* it ended and is to run again: member_judge() */
        MEMBER_ENDED_FINAL,     /* it ended, and that was that */
        MEMBER_ENDED_TOO_OFTEN, /* it ended, and has used up its restarts */
        MEMBER_EVENTS
};

/* What member_feed() asks for. */
#define MEMBER_SPAWN  1u /* start the program; a failure to is an end, to be judged */
#define MEMBER_SIGNAL 2u /* send the stop signal */
#define MEMBER_KILL   4u /* kill its process group */

struct member {
        enum torc_member_state state;
        bool wanted;         /* it is to run */
        int64_t due_ns;      /* CLOCK_MONOTONIC: when to feed MEMBER_DUE; MEMBER_NEVER */
        int64_t started_ns;  /* CLOCK_MONOTONIC of the last start */
        uint32_t restarts;   /* over its life, by policy; not those by hand */
        uint32_t backoff_ms; /* before the next restart */
        int32_t last_status; /* of wait(2), or MEMBER_STATUS_* */
        bool killed;         /* the stop deadline has passed */
        int64_t *history;    /* ring of the times of the last restarts, max_restarts of them */
        uint32_t n_history, at_history;
        char cause[128]; /* why it is in this state */
};

/* member_init - a member that has never run. Returns 0 or -ENOMEM. */
int member_init(struct member *m, const struct conf_group *policy);
void member_free(struct member *m);

/* member_feed - something happened. chance: random bits. Returns MEMBER_SPAWN, ... */
unsigned member_feed(struct member *m, const struct conf_group *policy, enum member_event event, int64_t now_ns,
                     uint64_t chance);

/*
 * member_judge - its process has ended; what follows from that? Feed the result to member_feed().
 * status       of wait(2), or MEMBER_STATUS_UNKNOWN.
 * detail       what is known besides ("cannot run ..."), or NULL.
 */
enum member_event member_judge(struct member *m, const struct conf_group *policy, int32_t status,
                               const char *detail, int64_t now_ns);

/* member_recent - restarts within the last restart_period. */
uint32_t member_recent(const struct member *m, const struct conf_group *policy, int64_t now_ns);

/* member_restore - go on where another supervisor was killed: its `info` in, with clocks to compare. */
void member_restore(struct member *m, const struct conf_group *policy, const struct torc_member_info *info,
                    int64_t now_ns, int64_t wall_ns);

/* member_status_text - "exited with status 1", "was killed by SIGSEGV". */
void member_status_text(char *text, size_t cap, int32_t status);

#endif
