/*
 * bench_pair.c - one round of a measurement: two processes, each pinned to a CPU, that start together.
 *
 * The child dies with its parent (PR_SET_PDEATHSIG), so that an interrupted benchmark leaves no spinning process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "torc.h"

#define START_TIMEOUT_NS 5000000000

int64_t bench_now(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int bench_start(struct bench_shared *shared)
{
        int64_t give_up = bench_now() + START_TIMEOUT_NS;

        /* seq_cst by taste: this is outside of what is measured. */
        atomic_fetch_add(&shared->arrived, 1);
        while (atomic_load(&shared->arrived) < 2) {
                if (atomic_load(&shared->error) != 0)
                        return atomic_load(&shared->error);
                if (bench_now() > give_up)
                        return -ETIMEDOUT;
                sched_yield();
        }
        return 0;
}

static void pin(int cpu)
{
        cpu_set_t set;

        if (cpu < 0)
                return;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set); /* the CPU was in our set when the plan was made */
}

static void close_pipes(int pipes[4])
{
        for (int i = 0; i < 4; i++)
                if (pipes[i] >= 0)
                        close(pipes[i]);
}

static void close_end(int *fd)
{
        close(*fd);
        *fd = -1;
}

static _Noreturn void run_child(const struct bench_kind *kind, const struct bench_plan *plan,
                                struct bench_shared *shared, int pipes[4])
{
        int result;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin(plan->cpu[1]);
        close_end(&pipes[1]);
        close_end(&pipes[2]);
        result = kind->child(plan, shared, pipes, NULL);
        if (result != 0)
                atomic_store(&shared->error, result);
        _exit(result == 0 ? 0 : 1);
}

static int run_parent(const struct bench_kind *kind, const struct bench_plan *plan, struct bench_shared *shared,
                      int pipes[4], struct bench_result *result, pid_t child)
{
        cpu_set_t before;
        int status, code;

        sched_getaffinity(0, sizeof(before), &before);
        pin(plan->cpu[0]);
        close_end(&pipes[0]);
        close_end(&pipes[3]);
        code = kind->parent(plan, shared, pipes, result);
        close_pipes(pipes);
        if (code != 0)
                kill(child, SIGKILL); /* it may wait for us for ever */
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
                continue;
        sched_setaffinity(0, sizeof(before), &before);
        if (code == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
                code = atomic_load(&shared->error) ? atomic_load(&shared->error) : -ECHILD;
        return code;
}

int bench_pair(const struct bench_kind *kind, const struct bench_plan *plan, struct bench_result *result)
{
        struct bench_shared *shared;
        int pipes[4] = {-1, -1, -1, -1}, code;
        pid_t child;

        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return -errno;
        code = pipe2(pipes, O_CLOEXEC) || pipe2(pipes + 2, O_CLOEXEC) ? -errno : 0;
        child = code == 0 ? fork() : -1;
        if (code == 0 && child < 0)
                code = -errno;
        if (code != 0)
                close_pipes(pipes);
        else if (child == 0)
                run_child(kind, plan, shared, pipes);
        else
                code = run_parent(kind, plan, shared, pipes, result, child);
        result->seconds = code == 0 ? result->seconds : 0;
        munmap(shared, sizeof(*shared));
        return code;
}
