/*
 * spool.c - files that take the output of members; spool.h tells why it is files.
 *
 * SPDX-License-Identifier: MIT
 */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SPOOL_PIPE_BYTES (1 << 20)
#define SPOOL_RUN_DIGITS 16

int spool_dir(const char *bus_path)
{
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/" SPOOL_DIR, bus_path);
        if (n < 0 || (size_t)n >= sizeof path)
                return -ENAMETOOLONG;
        if (mkdir(path, 0700) && errno != EEXIST)
                return -errno;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Runs of one member sort by name in the order of their starts. */
static uint64_t spool_run(void)
{
        static uint64_t last;
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        uint64_t run = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        last = run > last ? run : last + 1;
        return last;
}

static int spool_make(int dirfd, const char *name, bool block)
{
        int fd;
        if (unlinkat(dirfd, name, 0) && errno != ENOENT)
                return -errno;
        if (block) {
                if (mkfifoat(dirfd, name, 0600))
                        return -errno;
                fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0)
                        fcntl(fd, F_SETPIPE_SZ, SPOOL_PIPE_BYTES); /* refused: it is 64 KiB then */
        } else {
                fd = openat(dirfd, name, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
        return fd < 0 ? -errno : fd;
}

int spool_create(int dirfd, const char *member, bool block, int64_t uid, int64_t gid)
{
        static const char unfinished[] = ".new"; /* the log writer looks at no name with a dot before it */
        char name[SPOOL_NAME_MAX];
        snprintf(name, sizeof name, "%s.%016" PRIx64 "%s", member, spool_run(), block ? ".fifo" : ".out");
        int fd = spool_make(dirfd, unfinished, block);
        if (fd < 0)
                return fd;
        /* Locked before the log writer can see it. */
        if (flock(fd, LOCK_SH | LOCK_NB) ||
            ((uid >= 0 || gid >= 0) &&
             fchown(fd, uid >= 0 ? (uid_t)uid : (uid_t)-1, gid >= 0 ? (gid_t)gid : (gid_t)-1)) ||
            renameat(dirfd, unfinished, dirfd, name)) {
                int rc = -errno;
                close(fd);
                unlinkat(dirfd, unfinished, 0);
                return rc;
        }
        return fd;
}

bool spool_parse(const char *file, char *member, bool *fifo)
{
        size_t len = strlen(file);
        const char *end = strrchr(file, '.');
        if (file[0] == '.' || !end)
                return false;
        *fifo = strcmp(end, ".fifo") == 0;
        if (!*fifo && strcmp(end, ".out") != 0)
                return false;
        size_t tail = strlen(end) + SPOOL_RUN_DIGITS + 1;
        if (len <= tail || len - tail >= SPOOL_NAME_MAX || file[len - tail] != '.')
                return false;
        memcpy(member, file, len - tail);
        member[len - tail] = '\0';
        return true;
}

bool spool_any(int dirfd)
{
        char member[SPOOL_NAME_MAX];
        bool fifo, any = false;
        int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        if (!dir)
                return false;
        while (!any && (entry = readdir(dir)))
                any = spool_parse(entry->d_name, member, &fifo);
        closedir(dir);
        return any;
}

/* ---- what was dropped ------------------------------------------------------------------------------------ */

static int spool_open_dropped(int dirfd, const char *member, int flags)
{
        char name[SPOOL_NAME_MAX];
        snprintf(name, sizeof name, "%s.dropped", member);
        return openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

uint64_t spool_dropped(int dirfd, const char *member)
{
        uint64_t bytes = 0;
        int fd = spool_open_dropped(dirfd, member, O_RDONLY);
        if (fd < 0)
                return 0;
        if (pread(fd, &bytes, sizeof bytes, 0) != sizeof bytes)
                bytes = 0;
        close(fd);
        return bytes;
}

void spool_add_dropped(int dirfd, const char *member, uint64_t bytes)
{
        bytes += spool_dropped(dirfd, member);
        int fd = spool_open_dropped(dirfd, member, O_WRONLY | O_CREAT);
        if (fd < 0)
                return;
        ssize_t n = pwrite(fd, &bytes, sizeof bytes, 0);
        (void)n; /* a count for people; a full tmpfs has said worse elsewhere */
        close(fd);
}
