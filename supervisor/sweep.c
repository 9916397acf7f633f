/*
 * sweep.c - what outlives a member: background processes, daemons that left its process group, pipelines' ends.
 *
 * The process group is killed as the member ends (members.c). Here is who got away: processes of its session or
 * group, and those that made a session of their own but carry the TORC_PID and TORC_NAME of that run in their
 * environment. One look at /proc serves all members that have ended; it is repeated until nothing is found.
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
#include <unistd.h>

#define SWEEP_PAUSE_NS (20 * MS)
#define SWEEP_ROUNDS   100 /* what does not die of SIGKILL in two seconds hangs in the kernel */

struct sup_sweep {
        struct sup_sweep *next;
        char name[TORC_LABEL_MAX + 1];
        char by_pid[32], by_name[TORC_LABEL_MAX + 16];
        pid_t pid;
        uint64_t ticks;
        unsigned rounds, killed, left;
        char text[160]; /* the first few: "123 sleep, 124 gen" */
};

void sweep_after(struct sup *sup, const struct sup_member *m)
{
        struct sup_sweep *s = calloc(1, sizeof *s);
        if (!s)
                return;
        memcpy(s->name, m->name, sizeof s->name);
        snprintf(s->by_pid, sizeof s->by_pid, "TORC_PID=%d", (int)m->pid);
        snprintf(s->by_name, sizeof s->by_name, "TORC_NAME=%s", m->name);
        s->pid = m->pid;
        s->ticks = m->ticks;
        s->next = sup->sweep;
        sup->sweep = s;
        if (sup->sweep_due == MEMBER_NEVER)
                sup->sweep_due = sup_now();
}

static bool sweep_matches(const struct sup_sweep *s, const struct proc *p)
{
        if (p->ticks < s->ticks || p->state == 'Z' || p->state == 'X')
                return false;
        if (p->pid == s->pid)
                return false; /* the number has a new owner; its session is none of ours */
        if (p->session == s->pid || p->pgrp == s->pid) {
                struct proc leader;
                if (proc_read(s->pid, &leader) || leader.ticks == s->ticks)
                        return true;
                return false;
        }
        return p->ppid != 2 && proc_has_environment(p->pid, s->by_pid) && proc_has_environment(p->pid, s->by_name);
}

static void sweep_hit(struct sup_sweep *s, const struct proc *p)
{
        int fd = proc_open(p->pid, p->ticks);
        if (fd < 0)
                return;
        size_t len = strlen(s->text);
        if (s->left++ == 0 && s->rounds)
                s->text[0] = '\0', len = 0; /* a later round: who is still there */
        if (proc_signal(fd, SIGKILL) == 0 && s->rounds == 0)
                s->killed++;
        if (len < sizeof s->text - 60)
                snprintf(s->text + len, sizeof s->text - len, "%s%d %s", len ? ", " : "", (int)p->pid, p->name);
        close(fd);
}

static bool sweep_see(const struct proc *p, void *arg)
{
        struct sup *sup = arg;
        /* Processes that are known to be somebody's own are cheap to pass over: most are. */
        if (member_by_pid(sup, p->session) && member_by_pid(sup, p->session)->child)
                return true;
        for (struct sup_sweep *s = sup->sweep; s; s = s->next) {
                if (!sweep_matches(s, p))
                        continue;
                sweep_hit(s, p);
                break;
        }
        return true;
}

static void sweep_report(struct sup *sup, const struct sup_sweep *s)
{
        if (s->left)
                log_warn("%s: %u processes it left behind do not die: %s", s->name, s->left, s->text);
        else if (s->killed)
                note(sup, TORC_EVENT_KILLED, "%s left %u %s behind; killed: %s", s->name, s->killed,
                     s->killed == 1 ? "process" : "processes", s->text);
}

void sweep_tick(struct sup *sup, int64_t now)
{
        if (!sup->sweep || now < sup->sweep_due)
                return;
        for (struct sup_sweep *s = sup->sweep; s; s = s->next)
                s->left = 0;
        proc_each(sweep_see, sup);
        for (struct sup_sweep **at = &sup->sweep; *at;) {
                struct sup_sweep *s = *at;
                if (s->left && ++s->rounds < SWEEP_ROUNDS) {
                        at = &s->next;
                        continue;
                }
                sweep_report(sup, s);
                *at = s->next;
                free(s);
        }
        sup->sweep_due = sup->sweep ? sup_now() + SWEEP_PAUSE_NS : MEMBER_NEVER;
}
