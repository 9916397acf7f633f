/*
 * logfile.c - rotated log files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOGFILE_NAME 128

static void logfile_path(char name[LOGFILE_NAME], const struct logfile *f, uint32_t number)
{
        if (number)
                snprintf(name, LOGFILE_NAME, "%s.log.%u", f->name, number);
        else
                snprintf(name, LOGFILE_NAME, "%s.log", f->name);
}

void logfile_close(struct logfile *f)
{
        if (f->fd >= 0)
                close(f->fd);
        f->fd = -1;
}

int logfile_refresh(struct logfile *f, const struct logfile_policy *policy)
{
        char name[LOGFILE_NAME];
        struct stat st;
        logfile_path(name, f, 0);
        /* Somebody else may have renamed or removed it. */
        if (f->fd >= 0 && (fstatat(policy->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) || st.st_ino != f->ino))
                logfile_close(f);
        if (f->fd < 0)
                f->fd = openat(policy->dirfd, name,
                               O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
        if (f->fd < 0 || fstat(f->fd, &st))
                return -errno;
        if (!S_ISREG(st.st_mode)) {
                logfile_close(f);
                return -EINVAL;
        }
        f->ino = st.st_ino;
        f->size = (uint64_t)st.st_size;
        return 0;
}

static int logfile_rotate(struct logfile *f, const struct logfile_policy *policy)
{
        char from[LOGFILE_NAME], to[LOGFILE_NAME];
        logfile_close(f);
        for (uint32_t i = policy->files; i > 0; i--) {
                logfile_path(from, f, i - 1);
                logfile_path(to, f, i);
                if (renameat(policy->dirfd, from, policy->dirfd, to) && errno != ENOENT)
                        return -errno;
        }
        if (policy->files == 0) {
                logfile_path(from, f, 0);
                if (unlinkat(policy->dirfd, from, 0) && errno != ENOENT)
                        return -errno;
        }
        return logfile_refresh(f, policy);
}

ssize_t logfile_room(struct logfile *f, const struct logfile_policy *policy, const char *data, size_t len)
{
        for (;;) {
                uint64_t room = f->size < policy->max_size ? policy->max_size - f->size : 0;
                if (len <= room)
                        return (ssize_t)len;
                const char *line = room ? memrchr(data, '\n', (size_t)room) : NULL;
                if (line)
                        return line - data + 1;
                if (f->size == 0)
                        return (ssize_t)room;
                int rc = logfile_rotate(f, policy);
                if (rc)
                        return rc;
                if (f->size)
                        return -EIO; /* renaming did not help */
        }
}

ssize_t logfile_append(struct logfile *f, const char *data, size_t len)
{
        ssize_t n;
        do
                n = write(f->fd, data, len);
        while (n < 0 && errno == EINTR);
        if (n < 0)
                return -errno;
        f->size += (uint64_t)n;
        return n;
}
