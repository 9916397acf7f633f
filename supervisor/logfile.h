/*
 * logfile.h - a log file that is rotated before it grows beyond a size.
 *
 * NAME.log is the current one, NAME.log.1 the one before, and so on. Rotation renames and happens between lines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_LOGFILE_H
#define SUPERVISOR_LOGFILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct logfile_policy {
        int dirfd;
        uint64_t max_size;
        uint32_t files; /* kept beside the current one */
};

struct logfile {
        const char *name; /* borrowed; without ".log" */
        int fd;           /* -1: not open */
        uint64_t size, ino;
};

/* logfile_refresh - have the file open that stands under the name now, and know its size. Returns 0 or -errno. */
int logfile_refresh(struct logfile *f, const struct logfile_policy *policy);

/* logfile_room - rotate if these bytes should not go to the current file; how many of them may go there in one
 * write: whole lines unless a line is longer than a file. Returns it, or -errno. Refresh before. */
ssize_t logfile_room(struct logfile *f, const struct logfile_policy *policy, const char *data, size_t len);

/* logfile_append - write them. Returns how many were written, which may be less, or -errno. */
ssize_t logfile_append(struct logfile *f, const char *data, size_t len);

void logfile_close(struct logfile *f);

#endif
