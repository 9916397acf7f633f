/*
 * members.c - groups and members: what the state machine asks for is done here, and what happens is told to it.
 *
 * Invariants
 *   M1  a member has a process exactly when pid != 0; then its pidfd is open and its state is RUNNING or STOPPING.
 *   M2  a child is reaped only after its process group was seen to: a zombie keeps its pid from being reused.
 *   M3  when members are told to stop, none is started any more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "proc.h"
#include "sup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINGER_NS (20 * MS) /* how often to look whether the rest of a process group has ended */

/* ---- finding --------------------------------------------------------------------------------------------- */

struct sup_group *group_find(struct sup *sup, const char *name)
{
        for (size_t i = 0; i < sup->n_groups; i++)
                if (strcmp(sup->groups[i]->conf->name, name) == 0)
                        return sup->groups[i];
        return NULL;
}

struct sup_member *member_find(struct sup *sup, const struct sup_group *group, uint32_t index)
{
        for (size_t i = 0; i < sup->top_member; i++)
                if (sup->members[i] && sup->members[i]->group == group && sup->members[i]->index == index)
                        return sup->members[i];
        return NULL;
}

struct sup_member *member_by_pid(struct sup *sup, pid_t pid)
{
        for (size_t i = 0; pid > 0 && i < sup->top_member; i++)
                if (sup->members[i] && sup->members[i]->pid == pid)
                        return sup->members[i];
        return NULL;
}

static size_t member_free_slot(const struct sup *sup)
{
        size_t i = 0;
        while (i < TORC_MAX_MEMBERS && sup->members[i])
                i++;
        return i;
}

static void member_process(struct sup *sup, struct source *source, uint32_t events)
{
        struct sup_member *m = SOURCE_OF(source, struct sup_member, process);
        (void)events;
        if (!m->pid || m->lingering)
                return;
        int32_t status = proc_status(source->fd, m->pid, m->ticks);
        member_has_ended(sup, m, &status);
}

struct sup_member *member_new(struct sup *sup, struct sup_group *group, uint32_t index, size_t slot)
{
        struct sup_member *m = calloc(1, sizeof *m);
        if (!m || member_init(&m->life, group->conf)) {
                free(m);
                return NULL;
        }
        source_init(&m->process, member_process);
        source_init(&m->report, spawn_report);
        m->group = group;
        m->index = index;
        m->slot = slot;
        m->dirty = true;
        snprintf(m->name, sizeof m->name, "%.*s-%u", TORC_LABEL_MAX - 5, group->conf->name, index);
        sup->members[slot] = m;
        if (slot >= sup->top_member)
                sup->top_member = slot + 1;
        return m;
}

static void member_forget(struct sup *sup, struct sup_member *m)
{
        torc_supervisor_clear_member(sup->state, m->slot);
        sup->members[m->slot] = NULL;
        while (sup->top_member > 0 && !sup->members[sup->top_member - 1])
                sup->top_member--;
        source_close(sup, &m->process);
        source_close(sup, &m->report);
        member_free(&m->life);
        free(m);
}

/* ---- publishing ------------------------------------------------------------------------------------------ */

/* starting: its process exists and has not begun the program; whoever reads this may find it gone without a trace.
 */
void member_publish(struct sup *sup, struct sup_member *m, bool starting)
{
        int64_t now = sup_now(), wall = sup_wall();
        bool again = m->resumes && m->life.state == TORC_MEMBER_STOPPED;
        struct torc_member_info info = {
                .index = m->index,
                .state = starting || again ? TORC_MEMBER_DELAYED : m->life.state,
                .wanted = (m->life.wanted || m->resumes) && !m->surplus,
                .pid = m->lingering ? 0 : m->pid,
                .start_ticks = m->ticks,
                .started_ns = m->started_wall_ns,
                .restarts = m->life.restarts,
                .recent = member_recent(&m->life, m->group->conf, now),
                .backoff_ms = m->life.backoff_ms,
                .last_status = m->life.last_status,
                .log_dropped = m->log_dropped,
        };
        if (again)
                info.due_ns = wall;
        else if (m->life.state == TORC_MEMBER_DELAYED && m->life.due_ns != MEMBER_NEVER)
                info.due_ns = wall + (m->life.due_ns - now);
        snprintf(info.group, sizeof info.group, "%s", m->group->conf->name);
        snprintf(info.cause, sizeof info.cause, "%s", m->life.cause);
        torc_supervisor_set_member(sup->state, m->slot, &info);
        m->dirty = false;
}

void members_publish(struct sup *sup)
{
        for (size_t i = 0; i < sup->top_member; i++)
                if (sup->members[i] && sup->members[i]->dirty)
                        member_publish(sup, sup->members[i], false);
}

void groups_publish(struct sup *sup)
{
        static struct torc_group_info infos[TORC_MAX_GROUPS];
        memset(infos, 0, sizeof infos);
        for (size_t i = 0; i < sup->n_groups; i++) {
                const struct conf_group *c = sup->groups[i]->conf;
                snprintf(infos[i].name, sizeof infos[i].name, "%s", c->name);
                snprintf(infos[i].stream, sizeof infos[i].stream, "%s", c->stream ? c->stream : "");
                snprintf(infos[i].command, sizeof infos[i].command, "%s", c->command ? c->command : "");
                infos[i].access = (uint32_t)c->access;
                infos[i].restart = (uint32_t)c->restart;
                infos[i].count = sup->groups[i]->count;
                infos[i].configured = c->count;
        }
        torc_supervisor_set_groups(sup->state, infos, sup->n_groups);
}

/* ---- doing what the state machine asks for --------------------------------------------------------------- */

/* To the whole group; to the one process as long as it has not made its group. */
static void member_signal(struct sup_member *m, int sig)
{
        if (proc_signal_group(m->process.fd, m->pid, sig) == -ESRCH && !m->lingering)
                proc_signal(m->process.fd, sig);
}

static void member_spawn(struct sup *sup, struct sup_member *m)
{
        m->unborn = false;
        if (spawn(sup, m) == 0) {
                note(sup, TORC_EVENT_STARTED, "%s started, pid %d", m->name, (int)m->pid);
                return;
        }
        log_warn("%s: %s", m->name, m->detail);
        member_event(sup, m, member_judge(&m->life, m->group->conf, MEMBER_STATUS_UNKNOWN, m->detail, sup_now()));
}

static void member_note(struct sup *sup, const struct sup_member *m, enum member_event event)
{
        double wait = (double)(m->life.due_ns - sup_now()) / 1e9;
        if (event == MEMBER_ENDED_AGAIN)
                note(sup, TORC_EVENT_RESTART_PLANNED, "%s starts again in %.1f s (restart %u)", m->name,
                     wait > 0 ? wait : 0, m->life.restarts);
        else if (event == MEMBER_ENDED_TOO_OFTEN)
                note(sup, TORC_EVENT_QUARANTINED, "%s is quarantined: %s; torc ctl start %s releases it", m->name,
                     m->life.cause, m->name);
}

void member_event(struct sup *sup, struct sup_member *m, enum member_event event)
{
        const struct conf_group *c = m->group->conf;
        m->dirty = true;
        unsigned act = member_feed(&m->life, c, event, sup_now(), sup_chance());
        if (!sup->stopping)
                member_note(sup, m, event);
        if (act & MEMBER_SPAWN)
                member_spawn(sup, m);
        if (act & MEMBER_SIGNAL) {
                member_signal(m, c->stop_signal);
                member_signal(m, SIGCONT); /* a stopped process hears nothing */
        }
        if (act & MEMBER_KILL) {
                note(sup, TORC_EVENT_KILLED, "%s %s", m->name, m->life.cause);
                member_signal(m, SIGKILL);
        }
}

/* ---- its process has ended ------------------------------------------------------------------------------- */

/* It and its group are history. */
static void member_over(struct sup *sup, struct sup_member *m)
{
        char text[64];
        bool unborn = m->unborn && WIFEXITED(m->status) && WEXITSTATUS(m->status) == SPAWN_EXIT_UNBORN;
        pid_t pid = m->pid;
        m->pid = 0;
        m->lingering = false;
        m->unborn = false;
        source_close(sup, &m->process);
        if (unborn) { /* the last torcd died before it let the child go on: this start never was */
                m->life.state = TORC_MEMBER_DELAYED;
                m->life.due_ns = sup_now();
                m->dirty = true;
                return;
        }
        member_status_text(text, sizeof text, m->status);
        note(sup, TORC_EVENT_ENDED, "%s %s, pid %d%s%s", m->name, text, (int)pid, m->detail[0] ? ": " : "",
             m->detail);
        member_event(sup, m,
                     member_judge(&m->life, m->group->conf, m->status, m->detail[0] ? m->detail : NULL, sup_now()));
        if (sup->stopping)
                member_event(sup, m, MEMBER_STOP); /* M3 */
}

/* Is anybody left of the group whose leader has ended? Zombies count; ours are reaped as they come. */
static bool member_leaves_others(const struct sup_member *m)
{
        return proc_signal_group(m->process.fd, m->pid, 0) != -ESRCH;
}

void member_has_ended(struct sup *sup, struct sup_member *m, const int32_t *status)
{
        spawn_report(sup, &m->report, 0);
        source_close(sup, &m->report);
        bool stopping = m->life.state == TORC_MEMBER_STOPPING;
        /* Before the zombie goes (M2). While it is stopping the others have the same time to end as it had. */
        if (!stopping)
                proc_signal_group(m->process.fd, m->pid, SIGKILL);
        if (status) {
                m->status = *status;
        } else {
                int s = 0;
                if (waitpid(m->pid, &s, WNOHANG) != m->pid)
                        return;
                m->status = s;
        }
        m->dirty = true;
        if (stopping && !m->life.killed && member_leaves_others(m)) {
                m->lingering = true;
                if (!m->child)
                        epoll_ctl(sup->epoll, EPOLL_CTL_DEL, m->process.fd, NULL); /* it stays readable */
                return;
        }
        sweep_after(sup, m);
        member_over(sup, m);
}

static void member_linger(struct sup *sup, struct sup_member *m)
{
        if (!m->life.killed && member_leaves_others(m))
                return;
        sweep_after(sup, m);
        member_over(sup, m);
}

/* One SIGCHLD may stand for many. Members' ends are peeked at, so that they are handled before they are reaped; all
 * others are orphans that fell to us as subreaper. */
void members_reap(struct sup *sup)
{
        for (;;) {
                siginfo_t info = {.si_pid = 0};
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == 0)
                        return;
                struct sup_member *m = member_by_pid(sup, info.si_pid);
                if (m && m->child && !m->lingering) {
                        member_has_ended(sup, m, NULL);
                        continue;
                }
                int status;
                if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid)
                        logs_ended(sup, info.si_pid, status);
        }
}

/* ---- scaling --------------------------------------------------------------------------------------------- */

static size_t group_missing(struct sup *sup, const struct sup_group *group, uint32_t count)
{
        size_t missing = 0;
        for (uint32_t i = 0; i < count; i++)
                missing += member_find(sup, group, i) == NULL;
        return missing;
}

static size_t members_free(const struct sup *sup)
{
        size_t n = TORC_MAX_MEMBERS;
        for (size_t i = 0; i < sup->top_member; i++)
                n -= sup->members[i] != NULL;
        return n;
}

int group_scale(struct sup *sup, struct sup_group *group, uint32_t count)
{
        enum torc_access access = group->conf->access;
        if (count > 1 && group->conf->stream && (access == TORC_EXCLUSIVE || access == TORC_EXCLUSIVE_WITH_FENCING))
                return -EINVAL;
        if (group_missing(sup, group, count) > members_free(sup))
                return -E2BIG;
        group->count = count;
        for (size_t i = sup->top_member; i-- > 0;) {
                struct sup_member *m = sup->members[i];
                if (!m || m->group != group || m->index < count)
                        continue;
                m->surplus = true;
                member_event(sup, m, MEMBER_STOP);
        }
        for (uint32_t i = 0; i < count; i++) {
                struct sup_member *m = member_find(sup, group, i);
                bool fresh = !m || m->surplus;
                if (!m)
                        m = member_new(sup, group, i, member_free_slot(sup));
                if (!m)
                        return -ENOMEM;
                m->surplus = false;
                if (fresh)
                        member_event(sup, m, MEMBER_START);
        }
        groups_publish(sup);
        return 0;
}

/* ---- time ------------------------------------------------------------------------------------------------ */

int64_t members_due(const struct sup *sup)
{
        int64_t due = MEMBER_NEVER;
        for (size_t i = 0; i < sup->top_member; i++) {
                const struct sup_member *m = sup->members[i];
                if (m && m->life.due_ns < due)
                        due = m->life.due_ns;
                if (m && m->lingering && sup_now() + LINGER_NS < due)
                        due = sup_now() + LINGER_NS;
        }
        return due;
}

/* The next group that stops, once the ones behind it have. */
static void members_stop_next(struct sup *sup)
{
        for (; sup->stop_at > 0; sup->stop_at--) {
                struct sup_group *group = sup->groups[sup->stop_at - 1];
                bool any = false;
                for (size_t i = sup->top_member; i-- > 0;) {
                        struct sup_member *m = sup->members[i];
                        if (!m || m->group != group)
                                continue;
                        if (m->life.state == TORC_MEMBER_RUNNING)
                                member_event(sup, m, MEMBER_STOP);
                        any |= m->pid != 0;
                }
                if (any && !sup->hasten)
                        return;
        }
}

void members_tick(struct sup *sup, int64_t now)
{
        for (size_t i = 0; i < sup->top_member; i++) {
                struct sup_member *m = sup->members[i];
                if (m && m->life.due_ns <= now)
                        member_event(sup, m, MEMBER_DUE);
                if (m && m->lingering)
                        member_linger(sup, m);
                if (m && m->surplus && m->life.state == TORC_MEMBER_STOPPED && !m->pid)
                        member_forget(sup, m);
        }
        if (sup->stopping)
                members_stop_next(sup);
}

/* ---- the end --------------------------------------------------------------------------------------------- */

/* Whoever kills torcd while it ends wants it back with what it ran: nobody has asked for the members to be stopped. */
static bool member_resumes(const struct sup_member *m)
{
        enum torc_member_state state = m->life.state;
        return m->life.wanted && !m->surplus &&
               (state == TORC_MEMBER_RUNNING || state == TORC_MEMBER_DELAYED || state == TORC_MEMBER_STOPPING);
}

/* All of them have stopped, and the next torcd starts afresh: say what is. */
void members_stay_stopped(struct sup *sup)
{
        for (size_t i = 0; i < sup->top_member; i++)
                if (sup->members[i] && sup->members[i]->resumes) {
                        sup->members[i]->resumes = false;
                        member_publish(sup, sup->members[i], false);
                }
}

void members_stop(struct sup *sup)
{
        bool again = sup->stopping;
        for (size_t i = 0; i < sup->top_member && !again; i++)
                if (sup->members[i])
                        sup->members[i]->resumes = member_resumes(sup->members[i]);
        if (!again)
                sup->stop_at = sup->n_groups;
        sup->stopping = true;
        sup->hasten = again;
        members_stop_next(sup);
        for (size_t i = 0; i < sup->top_member; i++) {
                struct sup_member *m = sup->members[i];
                if (m && (m->life.state == TORC_MEMBER_DELAYED || m->life.state == TORC_MEMBER_STOPPING))
                        member_event(sup, m, MEMBER_STOP); /* M3: what waits to start does not start */
                if (m && again)
                        member_event(sup, m, MEMBER_HASTEN);
        }
}

bool members_stopped(const struct sup *sup)
{
        for (size_t i = 0; i < sup->top_member; i++)
                if (sup->members[i] && sup->members[i]->pid)
                        return false;
        return sup->sweep == NULL;
}
