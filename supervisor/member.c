/*
 * member.c - the state machine of a member; member.h has the picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "member.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define MS            1000000ll
#define KILL_AGAIN_NS (1000 * MS) /* a process in the kernel dies when it comes out of there */

/* What a transition does besides changing the state; the low bits are MEMBER_SPAWN, ... */
#define DO_WANT     0x10u
#define DO_UNWANT   0x20u
#define DO_CLEAR    0x40u   /* restarts so far are forgiven */
#define DO_DELAY    0x80u   /* due after the start delay */
#define DO_BACKOFF  0x100u  /* due after back-off and start delay; counts as a restart */
#define DO_NOW      0x200u  /* due at once */
#define DO_DEADLINE 0x400u  /* due when the stop deadline has passed */
#define DO_AGAIN    0x800u  /* due a moment later */
#define DO_REST     0x1000u /* not due */
#define DO_BEGIN    0x2000u /* it runs from now on */

struct transition {
        bool taken; /* false: the event means nothing in this state */
        enum torc_member_state to;
        unsigned act;
};
#define GO(state, acts)                                                                                            \
        {                                                                                                          \
                .taken = true, .to = TORC_MEMBER_##state, .act = (acts)                                            \
        }

static const struct transition table[TORC_MEMBER_QUARANTINED + 1][MEMBER_EVENTS] =
        {
                [TORC_MEMBER_STOPPED] =
                        {
                                [MEMBER_START] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_DELAY),
                                [MEMBER_RESTART] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_DELAY),
                                [MEMBER_STOP] = GO(STOPPED, DO_UNWANT),
                        },
                [TORC_MEMBER_DELAYED] =
                        {
                                /* Who starts by hand what waits already does not want to wait. */
                                [MEMBER_START] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_NOW),
                                [MEMBER_RESTART] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_NOW),
                                [MEMBER_STOP] = GO(STOPPED, DO_UNWANT | DO_REST),
                                [MEMBER_DUE] = GO(RUNNING, DO_BEGIN | MEMBER_SPAWN),
                        },
                [TORC_MEMBER_RUNNING] =
                        {
                                [MEMBER_STOP] = GO(STOPPING, DO_UNWANT | DO_DEADLINE | MEMBER_SIGNAL),
                                [MEMBER_RESTART] = GO(STOPPING, DO_WANT | DO_DEADLINE | MEMBER_SIGNAL),
                                [MEMBER_ENDED_AGAIN] = GO(DELAYED, DO_BACKOFF),
                                [MEMBER_ENDED_FINAL] = GO(STOPPED, DO_UNWANT | DO_REST),
                                [MEMBER_ENDED_TOO_OFTEN] = GO(QUARANTINED, DO_REST),
                        },
                [TORC_MEMBER_STOPPING] =
                        {
                                [MEMBER_START] = GO(STOPPING, DO_WANT),
                                [MEMBER_RESTART] = GO(STOPPING, DO_WANT),
                                [MEMBER_STOP] = GO(STOPPING, DO_UNWANT),
                                [MEMBER_HASTEN] = GO(STOPPING, DO_AGAIN | MEMBER_KILL),
                                [MEMBER_DUE] = GO(STOPPING, DO_AGAIN | MEMBER_KILL),
                                [MEMBER_ENDED_AGAIN] = GO(DELAYED, DO_CLEAR | DO_DELAY),
                                [MEMBER_ENDED_FINAL] = GO(STOPPED, DO_REST),
                        },
                [TORC_MEMBER_QUARANTINED] =
                        {
                                [MEMBER_START] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_DELAY),
                                [MEMBER_RESTART] = GO(DELAYED, DO_WANT | DO_CLEAR | DO_DELAY),
                                [MEMBER_STOP] = GO(STOPPED, DO_UNWANT),
                        },
};

int member_init(struct member *m, const struct conf_group *policy)
{
        *m = (struct member){
                .state = TORC_MEMBER_STOPPED,
                .due_ns = MEMBER_NEVER,
                .backoff_ms = (uint32_t)policy->backoff_min_ms,
                .last_status = MEMBER_STATUS_NONE,
        };
        if (policy->max_restarts) {
                m->history = calloc(policy->max_restarts, sizeof *m->history);
                if (!m->history)
                        return -ENOMEM;
        }
        return 0;
}

void member_free(struct member *m)
{
        free(m->history);
        m->history = NULL;
}

/* ---- restarts and their times ---------------------------------------------------------------------------- */

static void member_record(struct member *m, const struct conf_group *policy, int64_t now_ns)
{
        if (!policy->max_restarts)
                return;
        m->history[m->at_history] = now_ns;
        m->at_history = (m->at_history + 1) % policy->max_restarts;
        if (m->n_history < policy->max_restarts)
                m->n_history++;
}

uint32_t member_recent(const struct member *m, const struct conf_group *policy, int64_t now_ns)
{
        int64_t since = now_ns - (int64_t)policy->restart_period_ms * MS;
        uint32_t n = 0;
        /* Newest first: they are in order. */
        while (n < m->n_history) {
                uint32_t at = (m->at_history + policy->max_restarts - 1 - n) % policy->max_restarts;
                if (m->history[at] <= since)
                        break;
                n++;
        }
        return n;
}

static int64_t member_start_delay(const struct conf_group *policy, uint64_t chance)
{
        uint64_t jitter = (chance & UINT32_MAX) % (policy->start_jitter_ms + 1);
        return (int64_t)(policy->start_delay_ms + jitter) * MS;
}

/* The back-off itself, a random eighth of it or less taken off so that members that fell together do not get up in
 * step; then twice as long for the next time. */
static int64_t member_backoff(struct member *m, const struct conf_group *policy, uint64_t chance)
{
        uint64_t ms = m->backoff_ms;
        uint64_t less = (chance >> 32) % (ms / 8 + 1);
        uint64_t next = ms * 2 < policy->backoff_max_ms ? ms * 2 : policy->backoff_max_ms;
        m->backoff_ms = (uint32_t)(next > ms ? next : ms);
        return (int64_t)(ms - less) * MS;
}

/* ---- transitions ----------------------------------------------------------------------------------------- */

static void member_act(struct member *m, const struct conf_group *policy, unsigned act, int64_t now_ns,
                       uint64_t chance)
{
        if (act & DO_WANT)
                m->wanted = true;
        if (act & DO_UNWANT)
                m->wanted = false;
        if (act & DO_CLEAR) {
                m->n_history = 0;
                m->backoff_ms = (uint32_t)policy->backoff_min_ms;
        }
        if (act & DO_DELAY)
                m->due_ns = now_ns + member_start_delay(policy, chance);
        if (act & DO_BACKOFF) {
                member_record(m, policy, now_ns);
                m->restarts++;
                m->due_ns = now_ns + member_start_delay(policy, chance) + member_backoff(m, policy, chance);
        }
        if (act & DO_NOW)
                m->due_ns = now_ns;
        if (act & DO_DEADLINE) {
                m->due_ns = now_ns + (int64_t)policy->stop_timeout_ms * MS;
                m->killed = false;
        }
        if (act & DO_AGAIN)
                m->due_ns = now_ns + KILL_AGAIN_NS;
        if (act & (DO_REST | DO_BEGIN))
                m->due_ns = MEMBER_NEVER;
        if (act & DO_BEGIN)
                m->started_ns = now_ns;
        if (act & MEMBER_KILL)
                m->killed = true;
}

/* Causes that follow from the event alone; the others are member_judge()'s. */
static void member_explain(struct member *m, enum torc_member_state from, enum member_event event)
{
        const char *cause = NULL;
        if (event == MEMBER_DUE && m->state == TORC_MEMBER_RUNNING)
                cause = "";
        else if (m->killed && m->state == TORC_MEMBER_STOPPING)
                cause = event == MEMBER_HASTEN ? "killed: no time left" : "killed: it did not stop in time";
        else if (event == MEMBER_STOP && m->state == TORC_MEMBER_STOPPED)
                cause = "stopped by request";
        else if (event == MEMBER_STOP)
                cause = "asked to stop";
        else if (event == MEMBER_RESTART && m->state == TORC_MEMBER_STOPPING)
                cause = "asked to stop, to be started again";
        else if (event == MEMBER_START || event == MEMBER_RESTART)
                cause = from == TORC_MEMBER_DELAYED ? "started by request" : "start delay";
        if (cause)
                snprintf(m->cause, sizeof m->cause, "%s", cause);
}

unsigned member_feed(struct member *m, const struct conf_group *policy, enum member_event event, int64_t now_ns,
                     uint64_t chance)
{
        const struct transition *t = &table[m->state][event];
        if (!t->taken)
                return 0;
        enum torc_member_state from = m->state;
        m->state = t->to;
        member_act(m, policy, t->act, now_ns, chance);
        member_explain(m, from, event);
        return t->act & (MEMBER_SPAWN | MEMBER_SIGNAL | MEMBER_KILL);
}

/* ---- an end ---------------------------------------------------------------------------------------------- */

void member_status_text(char *text, size_t cap, int32_t status)
{
        if (status == MEMBER_STATUS_NONE)
                snprintf(text, cap, "has never run");
        else if (status == MEMBER_STATUS_UNKNOWN)
                snprintf(text, cap, "ended; its status is not known");
        else if (WIFSIGNALED(status))
                snprintf(text, cap, "was killed by SIG%s%s",
                         sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?",
                         WCOREDUMP(status) ? " (core dumped)" : "");
        else
                snprintf(text, cap, "exited with status %d", WEXITSTATUS(status));
}

static bool member_failed(int32_t status)
{
        return !(status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

enum member_event member_judge(struct member *m, const struct conf_group *policy, int32_t status,
                               const char *detail, int64_t now_ns)
{
        char text[96];
        m->last_status = status;
        member_status_text(text, sizeof text, status);
        if (detail)
                snprintf(text, sizeof text, "%s", detail);
        snprintf(m->cause, sizeof m->cause, "%s", text);
        if (m->state == TORC_MEMBER_STOPPING) {
                snprintf(m->cause, sizeof m->cause, "%s", m->wanted ? "start delay" : "stopped by request");
                return m->wanted ? MEMBER_ENDED_AGAIN : MEMBER_ENDED_FINAL;
        }
        if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == TORC_EXIT_FENCED) {
                snprintf(m->cause, sizeof m->cause, "fenced: shut out of its stream; 'torc ctl start' starts it again");
                return MEMBER_ENDED_FINAL;
        }
        if (policy->restart == CONF_TEMPORARY || (policy->restart == CONF_TRANSIENT && !member_failed(status)))
                return MEMBER_ENDED_FINAL;
        if (now_ns - m->started_ns >= (int64_t)policy->stable_after_ms * MS)
                m->backoff_ms = (uint32_t)policy->backoff_min_ms;
        if (member_recent(m, policy, now_ns) >= policy->max_restarts) {
                snprintf(m->cause, sizeof m->cause, "restarted %u times in %g s; last: %.80s", policy->max_restarts,
                         (double)policy->restart_period_ms / 1000, text);
                return MEMBER_ENDED_TOO_OFTEN;
        }
        return MEMBER_ENDED_AGAIN;
}

/* ---- after another supervisor ---------------------------------------------------------------------------- */

void member_restore(struct member *m, const struct conf_group *policy, const struct torc_member_info *info,
                    int64_t now_ns, int64_t wall_ns)
{
        int64_t age = wall_ns - info->started_ns, wait = info->due_ns - wall_ns;
        int64_t longest = (int64_t)(policy->backoff_max_ms + policy->start_delay_ms + policy->start_jitter_ms) * MS;
        m->state = info->state;
        m->wanted = info->wanted;
        m->restarts = info->restarts;
        m->last_status = info->last_status;
        snprintf(m->cause, sizeof m->cause, "%s", info->cause);
        m->backoff_ms = info->backoff_ms;
        if (m->backoff_ms < policy->backoff_min_ms)
                m->backoff_ms = (uint32_t)policy->backoff_min_ms;
        if (m->backoff_ms > policy->backoff_max_ms)
                m->backoff_ms = (uint32_t)policy->backoff_max_ms;
        /* When exactly the recent restarts were is not known. Now is the cautious guess. */
        for (uint32_t i = 0; i < info->recent && i < policy->max_restarts; i++)
                member_record(m, policy, now_ns);
        m->started_ns = now_ns - (age > 0 ? age : 0); /* the wall clock may have been set back */
        m->due_ns = MEMBER_NEVER;
        if (m->state == TORC_MEMBER_DELAYED)
                m->due_ns = now_ns + (wait < 0 ? 0 : wait > longest ? longest : wait);
        if (m->state == TORC_MEMBER_STOPPING)
                m->due_ns = now_ns + (int64_t)policy->stop_timeout_ms * MS;
}
