/*
 * private.h - a private directory for a fuzzer, removed when the fuzzer is gone, in whatever way it went.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_FUZZ_PRIVATE_H
#define TORC_FUZZ_PRIVATE_H

#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static char private_dir[64];

static inline int private_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)at;
        (void)(kind == FTW_DP ? rmdir(path) : unlink(path));
        return 0;
}

/*
 * The fuzzer ends by _exit() when it has found something, so nothing can be left to atexit(3): a process of its own
 * waits for the end of this pipe, which comes with our death, and cleans up then.
 */
static inline void private_guard(void)
{
        int ends[2];
        char byte;
        MUST(pipe2(ends, O_CLOEXEC) == 0);
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid) {
                close(ends[0]);
                return;
        }
        setsid(); /* a ^C is not for it */
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0), dup2(null, 1), dup2(null, 2);
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0)
                ;
        nftw(private_dir, private_remove_one, 8, FTW_DEPTH | FTW_PHYS);
        _exit(0);
}

static inline const char *private_make(void)
{
        snprintf(private_dir, sizeof private_dir, "/dev/shm/torc-fuzz-%d-XXXXXX", (int)getpid());
        MUST(mkdtemp(private_dir));
        private_guard();
        return private_dir;
}

#endif
