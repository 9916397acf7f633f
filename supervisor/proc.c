/*
 * proc.c - processes by pid and start time; proc.h tells why.
 *
 * How a process ended that is somebody else's child is told in two places, one after the other: by /proc/PID/stat
 * while it is a zombie, and by the PIDFD_GET_INFO ioctl (Linux 6.13) through a pidfd once it has been reaped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "proc.h"

#include "member.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* From linux/pidfd.h, which older kernel headers do not have in full. */
#define PROC_SIGNAL_GROUP (1u << 2)   /* PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9 */
#define PROC_INFO_EXIT    (1ull << 3) /* PIDFD_INFO_EXIT */
struct proc_pidfd_info {
        uint64_t mask, cgroup;
        uint32_t pid, tgid, ppid;
        uint32_t ids[8];
        int32_t exit_code;
};
_Static_assert(sizeof(struct proc_pidfd_info) == 64, "PIDFD_INFO_SIZE_VER0");
#define PROC_GET_INFO _IOWR(0xff, 11, struct proc_pidfd_info)

/* ---- looking --------------------------------------------------------------------------------------------- */

static ssize_t proc_slurp(pid_t pid, const char *file, char *text, size_t cap)
{
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        size_t have = 0;
        while (have + 1 < cap) {
                ssize_t n = read(fd, text + have, cap - 1 - have);
                if (n <= 0)
                        break;
                have += (size_t)n;
        }
        close(fd);
        text[have] = '\0';
        return have ? (ssize_t)have : -ESRCH;
}

/* Fields 3 to 52 follow the last ')': the name before it may hold anything. */
static int proc_parse(const char *text, struct proc *proc)
{
        const char *open_at = strchr(text, '('), *close_at = strrchr(text, ')');
        if (!open_at || !close_at || close_at < open_at || close_at[1] != ' ')
                return -EIO;
        snprintf(proc->name, sizeof proc->name, "%.*s", (int)(close_at - open_at - 1), open_at + 1);
        proc->state = close_at[2];
        const char *p = close_at + 3;
        long long field[53] = {0};
        int i;
        for (i = 4; i <= 52; i++) {
                char *end;
                field[i] = strtoll(p, &end, 10); /* some addresses overflow; nobody asks for those */
                if (end == p)
                        break;
                p = end;
        }
        if (i <= 22)
                return -EIO;
        proc->ppid = (pid_t)field[4];
        proc->pgrp = (pid_t)field[5];
        proc->session = (pid_t)field[6];
        proc->ticks = (uint64_t)field[22];
        proc->exit_code = (int32_t)field[52];
        return 0;
}

int proc_read(pid_t pid, struct proc *proc)
{
        char text[2048];
        *proc = (struct proc){.pid = pid};
        ssize_t n = proc_slurp(pid, "stat", text, sizeof text);
        return n < 0 ? (int)n : proc_parse(text, proc);
}

int proc_each(bool (*see)(const struct proc *proc, void *arg), void *arg)
{
        DIR *dir = opendir("/proc");
        if (!dir)
                return -errno;
        struct dirent *entry;
        bool more = true;
        while (more && (entry = readdir(dir))) {
                struct proc proc;
                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                if (proc_read((pid_t)strtol(entry->d_name, NULL, 10), &proc) == 0)
                        more = see(&proc, arg);
        }
        closedir(dir);
        return 0;
}

bool proc_has_environment(pid_t pid, const char *variable)
{
        static char text[128 * 1024]; /* beyond what any sane environment has; the rest is not looked at */
        ssize_t n = proc_slurp(pid, "environ", text, sizeof text);
        for (const char *p = text; n > 0 && p < text + n; p += strlen(p) + 1)
                if (strcmp(p, variable) == 0)
                        return true;
        return false;
}

/* ---- reaching -------------------------------------------------------------------------------------------- */

int proc_open(pid_t pid, uint64_t ticks)
{
        struct proc proc;
        int fd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (fd < 0)
                return errno == EINVAL ? -ESRCH : -errno;
        /* Looked at after the pidfd was opened: if it is the right one now, it was then. */
        if (proc_read(pid, &proc) == 0 && proc.ticks == ticks)
                return fd;
        close(fd);
        return -ESRCH;
}

int proc_signal(int pidfd, int sig)
{
        return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) ? -errno : 0;
}

int proc_signal_group(int pidfd, pid_t pid, int sig)
{
        if (syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, PROC_SIGNAL_GROUP) == 0)
                return 0;
        if (errno != EINVAL)
                return -errno;
        /* An older kernel. The number is safe to use while its process is there, be it as a zombie; after that it
         * stays reserved as long as the group has anybody. */
        return kill(-pid, sig) ? -errno : 0;
}

bool proc_ended(int pidfd)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        return poll(&p, 1, 0) == 1;
}

int32_t proc_status(int pidfd, pid_t pid, uint64_t ticks)
{
        /* Between "no longer a zombie" and "its status is in the pidfd" lies a moment. */
        for (int attempt = 0; attempt < 20; attempt++) {
                struct proc_pidfd_info info = {.mask = PROC_INFO_EXIT};
                struct proc proc;
                if (proc_read(pid, &proc) == 0 && proc.ticks == ticks && (proc.state == 'Z' || proc.state == 'X'))
                        return proc.exit_code;
                if (ioctl(pidfd, PROC_GET_INFO, &info) == 0 && (info.mask & PROC_INFO_EXIT))
                        return info.exit_code;
                nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        }
        return MEMBER_STATUS_UNKNOWN;
}
