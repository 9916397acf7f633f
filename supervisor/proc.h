/*
 * proc.h - processes: who they are beyond a number, how they ended, and how to hit the right one.
 *
 * A pid alone names nobody for long. Here a process is {pid, start ticks}, and it is signalled through a pidfd that
 * was opened and then checked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_PROC_H
#define SUPERVISOR_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct proc {
        pid_t pid, ppid, pgrp, session;
        char state;        /* as in /proc/PID/stat: 'Z' for a zombie */
        uint64_t ticks;    /* field 22: when it started */
        int32_t exit_code; /* of a zombie, as wait(2) has it */
        char name[32];
};

/* proc_read - look a process up. Returns 0, -ESRCH, or -EIO when /proc makes no sense. */
int proc_read(pid_t pid, struct proc *proc);

/* proc_each - call `see` for every process, until it returns false. Returns 0 or -errno. */
int proc_each(bool (*see)(const struct proc *proc, void *arg), void *arg);

/* proc_has_environment - did it start with this in its environment, "NAME=VALUE"? False if that cannot be seen. */
bool proc_has_environment(pid_t pid, const char *variable);

/* proc_open - a pidfd for {pid, ticks}. Returns it, or -ESRCH: that process is gone. */
int proc_open(pid_t pid, uint64_t ticks);

/* proc_signal - to the one process; proc_signal_group - to the process group it leads or led, also when it is dead
 * itself. Signal 0 asks whether there is anybody. Return 0, -ESRCH, -EPERM. */
int proc_signal(int pidfd, int sig);
int proc_signal_group(int pidfd, pid_t pid, int sig);

/* proc_ended - has it died? */
bool proc_ended(int pidfd);

/* proc_status - how a process ended that is not our child: its status as wait(2) has it, or MEMBER_STATUS_UNKNOWN.
 */
int32_t proc_status(int pidfd, pid_t pid, uint64_t ticks);

#endif
