/*
 * adopt.c - going on where another torcd was killed.
 *
 * What it published names its members' processes by pid and start time. Those that live are watched through pidfds
 * and are members as before, except that somebody else is their parent; those that are gone have ended unseen.
 * Members that torc.ini no longer has are stopped in good order, with the default stop signal and deadline.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "proc.h"
#include "sup.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A group for members that are no longer in torc.ini. */
static struct sup_group *adopt_leftover(struct sup *sup, const char *name)
{
        struct sup_group *group = group_find(sup, name);
        if (group)
                return group;
        if (sup->n_groups == TORC_MAX_GROUPS)
                return NULL;
        group = calloc(1, sizeof *group);
        struct conf_group *conf = calloc(1, sizeof *conf);
        char *copy = strdup(name);
        if (!group || !conf || !copy) {
                free(group);
                free(conf);
                free(copy);
                return NULL;
        }
        *conf = (struct conf_group){.name = copy,
                                    .restart = CONF_TEMPORARY,
                                    .backoff_min_ms = 1,
                                    .backoff_max_ms = 1,
                                    .restart_period_ms = 1,
                                    .stop_signal = SIGTERM,
                                    .stop_timeout_ms = 5000,
                                    .uid = -1,
                                    .gid = -1};
        group->conf = group->own = conf;
        sup->groups[sup->n_groups++] = group;
        return group;
}

/* A count that was set with `torc ctl scale` lasts as long as torc.ini does not say otherwise than it did then. */
static void adopt_counts(struct sup *sup, const struct torc_group_info *infos, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                struct sup_group *group = group_find(sup, infos[i].name);
                if (group && infos[i].configured == group->conf->count)
                        group->count = infos[i].count;
        }
}

/* Its process, if it still lives. */
static void adopt_process(struct sup *sup, struct sup_member *m, const struct torc_member_info *info)
{
        bool starting = info->state == TORC_MEMBER_DELAYED;
        int fd = proc_open((pid_t)info->pid, info->start_ticks);
        m->started_wall_ns = info->started_ns;
        if (fd >= 0) {
                m->pid = (pid_t)info->pid;
                m->ticks = info->start_ticks;
                m->unborn = starting;
                if (starting) {
                        m->life.state = TORC_MEMBER_RUNNING;
                        m->life.due_ns = MEMBER_NEVER;
                        m->life.started_ns = sup_now();
                }
                note(sup, TORC_EVENT_SUPERVISOR, "%s adopted, pid %d", m->name, (int)m->pid);
                if (source_watch(sup, &m->process, fd, EPOLLIN))
                        log_warn("%s: cannot watch pid %d", m->name, (int)m->pid);
                return;
        }
        if (starting) /* it waited for a go that never came, or ended right after; it is due anyway */
                return;
        note(sup, TORC_EVENT_ENDED, "%s ended while there was no supervisor, pid %lld", m->name,
             (long long)info->pid);
        member_event(sup, m,
                     member_judge(&m->life, m->group->conf, MEMBER_STATUS_UNKNOWN,
                                  "ended while there was no supervisor", sup_now()));
}

static void adopt_member(struct sup *sup, size_t slot, const struct torc_member_info *info)
{
        struct sup_group *group = group_find(sup, info->group);
        bool wanted = group && !group->own && info->index < group->count && !member_find(sup, group, info->index);
        if (!wanted && !info->pid) {
                torc_supervisor_clear_member(sup->state, slot);
                return;
        }
        if (!wanted)
                group = adopt_leftover(sup, info->group);
        struct sup_member *m = group ? member_new(sup, group, info->index, slot) : NULL;
        if (!m) {
                log_warn("%s-%u, pid %lld: no place to adopt it; it is left alone", info->group, info->index,
                         (long long)info->pid);
                return;
        }
        member_restore(&m->life, group->conf, info, sup_now(), sup_wall());
        if (info->pid) {
                adopt_process(sup, m, info);
        } else if (m->life.state == TORC_MEMBER_RUNNING || m->life.state == TORC_MEMBER_STOPPING) {
                /* Killed between an end and what follows from it. */
                member_event(sup, m,
                             member_judge(&m->life, group->conf, m->life.last_status, "ended as its supervisor did",
                                          sup_now()));
        }
        if (!wanted) {
                m->surplus = true;
                member_event(sup, m, MEMBER_STOP);
        } else if (m->life.state == TORC_MEMBER_STOPPING && m->pid) {
                /* The last one may not have come to signal it; twice is harmless. */
                proc_signal_group(m->process.fd, m->pid, group->conf->stop_signal);
                proc_signal_group(m->process.fd, m->pid, SIGCONT);
        }
}

void adopt(struct sup *sup)
{
        static struct torc_group_info groups[TORC_MAX_GROUPS];
        static struct torc_member_info members[TORC_MAX_MEMBERS];
        size_t n_groups = TORC_MAX_GROUPS, n_members = TORC_MAX_MEMBERS;
        if (torc_supervisor_load(sup->state, groups, &n_groups, members, &n_members))
                return;
        if (n_members)
                adopt_counts(sup, groups, n_groups);
        for (size_t i = 0; i < n_members; i++)
                if (members[i].group[0])
                        adopt_member(sup, i, &members[i]);
}
