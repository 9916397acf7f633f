/*
 * fault_env.c - linked into a program of the fault build that a test starts by exec: takes the plan from the environment,
 * which the library itself never reads.
 *
 *      TORC_FAULT_PASSES=FILE          counters, one for each point, mapped and kept
 *      TORC_FAULT_AT=POINT:PASS:SIGNAL numbers; without it passes are counted only
 *
 * SPDX-License-Identifier: MIT
 */
#include "fault.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What it forks is not meant. */
static void fault_forked(void)
{
        memset(&fault_plan, 0, sizeof fault_plan);
}

__attribute__((constructor)) static void fault_from_environment(void)
{
        const char *path = getenv("TORC_FAULT_PASSES"), *at = getenv("TORC_FAULT_AT");
        unsigned point, pass;
        int signal;
        if (!path)
                return;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        void *map = mmap(NULL, FAULT_POINTS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED || pthread_atfork(NULL, NULL, fault_forked))
                abort();
        close(fd);
        if (at && sscanf(at, "%u:%u:%d", &point, &pass, &signal) == 3) {
                fault_plan.at[0].point = (enum fault_point)point;
                fault_plan.at[0].pass = pass;
                fault_plan.at[0].signal = signal;
        }
        fault_plan.passes = map;
}
