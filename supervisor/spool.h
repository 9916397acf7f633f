/*
 * spool.h - where the output of members goes before it goes to their log files.
 *
 * A pipe would make torcd part of every member: a member blocks when torcd stops reading, and is killed by SIGPIPE
 * when torcd dies. So a member's standard output and error are a file that is appended to, on the tmpfs of the bus:
 *
 *     member --O_APPEND--> <bus>/spool/NAME.RUN.out ---log writer---> <directory>/NAME.log, .1, .2 ...
 *
 * Writing to it takes a copy in memory and nothing else: no reader, no disk, no torcd. What the log writer has
 * copied it punches out of the file, so that the spool takes the memory of what is unread only. The log writer is a
 * process of its own (logwriter.h): a disk that hangs stops neither members nor torcd, and logs go on when torcd is
 * killed.
 *
 * With `full = block` the file is a FIFO instead, NAME.RUN.fifo, which the member has open for reading too: it
 * blocks when the log writer is behind, as was asked for, but never gets SIGPIPE, whoever dies.
 *
 * Who has a spool open as its output shares a flock(2) on it. When the log writer gets it exclusively, nobody
 * writes any more: the kernel's word, also for grandchildren and over the death of torcd. Each start of a member
 * has a spool of its own (RUN rises), so that the writer of an old one and the start of the next never meet.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_SPOOL_H
#define SUPERVISOR_SPOOL_H

#include "torc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_DIR      "spool"
#define SPOOL_NAME_MAX (TORC_LABEL_MAX + 32)

/* spool_dir - open the bus's spool directory, making it if needed. Returns a descriptor or -errno. */
int spool_dir(const char *bus_path);

/*
 * spool_create - a new spool for one run of a member; the caller's descriptor is the member's output.
 * block        a FIFO. uid, gid: owner, -1 for torcd's own: the member may open /dev/stderr by name.
 * Returns a descriptor, or -errno.
 */
int spool_create(int dirfd, const char *member, bool block, int64_t uid, int64_t gid);

/* spool_any - is there any spool? */
bool spool_any(int dirfd);

/* spool_dropped - bytes of a member's output that were dropped; spool_add_dropped counts more. */
uint64_t spool_dropped(int dirfd, const char *member);
void spool_add_dropped(int dirfd, const char *member, uint64_t bytes);

/* spool_parse - take a file name apart. member has room for SPOOL_NAME_MAX bytes. False: not a spool. */
bool spool_parse(const char *file, char *member, bool *fifo);

#endif
