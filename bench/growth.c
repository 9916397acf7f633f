/*
 * growth.c - what streams and consumers cost before the first message: time to attach, memory, wake-ups of idle ones.
 *
 * Each figure is taken in a process forked for it, which ends with its handles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "ticks.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torc.h"

#define ATTACHES    200
#define RING        65536ull
#define IDLE_NS     2000000000
#define IDLE_SETTLE 100000 /* us */

static const struct torc_stream_config *stream_config(void)
{
        static struct torc_stream_config config = TORC_STREAM_CONFIG_INIT;

        config.capacity_bytes = RING;
        config.lag = TORC_LAG_BLOCK;
        config.online_min = 0;
        return &config;
}

static int open_bus(struct torc_bus **bus, const char *root, const char *name)
{
        struct torc_bus_config config = {.root = root, .name = name, .peer_name = "torc-bench"};
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &files);
        }
        return torc_bus_open(bus, &config);
}

/* Run fn in a process of its own; what it writes to *growth, which is shared, stays. */
static int apart(void (*fn)(struct growth *growth, const char *root, unsigned which), struct growth *growth,
                 const char *root, unsigned which)
{
        pid_t parent = getpid(), pid;
        int status;

        fflush(NULL);
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() == parent)
                        fn(growth, root, which);
                _exit(0);
        }
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

/* ---- attaching ------------------------------------------------------------------------------------------- */

static struct spread spread_of(double *us, unsigned n)
{
        struct spread s = {.median = median_of_doubles(us, n)};

        s.min = us[0];
        s.max = us[n - 1];
        return s;
}

/* Open and close producers, then consumers, on a stream that one of each keeps alive. */
static void measure_attach(struct growth *growth, const char *root, unsigned which)
{
        static double us[ATTACHES];
        struct torc_producer_config pc = {.stream = stream_config()};
        struct torc_consumer_config cc = {.stream = stream_config()};
        struct torc_producer *p0 = NULL, *p;
        struct torc_consumer *c0 = NULL, *c;
        struct torc_bus *bus;
        int rc = open_bus(&bus, root, "attach");

        (void)which;
        if (rc == 0)
                rc = torc_producer_open(&p0, bus, "s", &pc);
        if (rc == 0)
                rc = torc_consumer_open(&c0, bus, "s", &cc);
        for (unsigned i = 0; rc == 0 && i < ATTACHES; i++) {
                uint64_t start = ticks_now();

                rc = torc_producer_open(&p, bus, "s", &pc);
                us[i] = ticks_to_ns(ticks_now() - start) / 1e3;
                if (rc == 0)
                        torc_producer_close(&p);
        }
        if (rc == 0)
                growth->attach_producer_us = spread_of(us, ATTACHES);
        for (unsigned i = 0; rc == 0 && i < ATTACHES; i++) {
                uint64_t start = ticks_now();

                rc = torc_consumer_open(&c, bus, "s", &cc);
                us[i] = ticks_to_ns(ticks_now() - start) / 1e3;
                if (rc == 0)
                        torc_consumer_close(&c);
        }
        if (rc == 0)
                growth->attach_consumer_us = spread_of(us, ATTACHES);
        growth->error = rc;
}

/* ---- many streams ---------------------------------------------------------------------------------------- */

static double disk_bytes;

static int add_blocks(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        (void)path;
        (void)flag;
        (void)ftw;
        disk_bytes += (double)status->st_blocks * 512;
        return 0;
}

static double bus_bytes(const char *root, const char *bus)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", root, bus);
        disk_bytes = 0;
        (void)nftw(path, add_blocks, 16, FTW_PHYS);
        return disk_bytes;
}

/* One producer on each of n new streams, from one process. */
static void measure_streams(struct growth *growth, const char *root, unsigned which)
{
        struct torc_producer_config config = {.stream = stream_config()};
        struct torc_producer *p;
        struct torc_bus *bus;
        unsigned n = growth->streams[which].n;
        char name[32];
        int rc;

        snprintf(name, sizeof(name), "streams%u", n);
        rc = open_bus(&bus, root, name);
        double before = bus_bytes(root, name);
        uint64_t start = ticks_now();
        for (unsigned i = 0; rc == 0 && i < n; i++) {
                char stream[32];

                snprintf(stream, sizeof(stream), "stream-%u", i);
                rc = torc_producer_open(&p, bus, stream, &config); /* ends with this process */
        }
        growth->streams[which].open_ms = ticks_to_ns(ticks_now() - start) / 1e6;
        growth->streams[which].bytes_over_ring = (bus_bytes(root, name) - before) / n - (double)RING;
        growth->streams[which].error = rc;
}

static int remove_path(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        (void)status;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static void remove_bus(const char *root, unsigned n)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/streams%u", root, n);
        (void)nftw(path, remove_path, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- many consumers -------------------------------------------------------------------------------------- */

static void measure_consumers(struct growth *growth, const char *root, unsigned which)
{
        struct torc_consumer_config config = {.stream = stream_config()};
        struct torc_consumer *c;
        struct torc_bus *bus;
        unsigned n = growth->consumers[which].n;
        char name[32];
        int rc;

        snprintf(name, sizeof(name), "consumers%u", n);
        rc = open_bus(&bus, root, "consumers");
        uint64_t start = ticks_now();
        for (unsigned i = 0; rc == 0 && i < n; i++)
                rc = torc_consumer_open(&c, bus, name, &config);
        growth->consumers[which].attach_us = ticks_to_ns(ticks_now() - start) / 1e3 / n;
        growth->consumers[which].error = rc;
}

/* ---- an idle consumer ------------------------------------------------------------------------------------ */

static double cpu_us(const struct rusage *u)
{
        return (double)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1e6 + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec);
}

/* Blocked in one call for two seconds: each time it goes back to sleep is a voluntary context switch. */
static void measure_idle(struct growth *growth, const char *root, unsigned which)
{
        struct torc_consumer_config config = {.stream = stream_config()};
        struct torc_consumer *c;
        struct torc_view view;
        struct torc_bus *bus;
        struct rusage before, after;
        int rc = open_bus(&bus, root, "idle");

        (void)which;
        if (rc == 0)
                rc = torc_consumer_open(&c, bus, "s", &config);
        if (rc == 0) {
                usleep(IDLE_SETTLE);
                getrusage(RUSAGE_SELF, &before);
                rc = torc_consumer_view(c, &view, IDLE_NS / 1000000);
                getrusage(RUSAGE_SELF, &after);
                rc = rc == -ETIMEDOUT ? 0 : rc ? rc : -EBADMSG;
                growth->idle_wakeups = (double)(after.ru_nvcsw - before.ru_nvcsw) / (IDLE_NS / 1e9);
                growth->idle_cpu_us = (cpu_us(&after) - cpu_us(&before)) / (IDLE_NS / 1e9);
        }
        growth->idle_error = rc;
}

void growth_measure(struct growth *growth, const char *root)
{
        static const unsigned streams[] = {1, 100, 1000}, consumers[] = {1, 64, 1024};
        struct growth *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (shared == MAP_FAILED) {
                growth->error = -errno;
                return;
        }
        shared->error = -ECHILD;
        int rc = apart(measure_attach, shared, root, 0);
        for (unsigned i = 0; rc == 0 && i < 3; i++) {
                shared->streams[i].n = streams[i];
                shared->consumers[i].n = consumers[i];
                rc = apart(measure_streams, shared, root, i);
                remove_bus(root, streams[i]);
                if (rc == 0)
                        rc = apart(measure_consumers, shared, root, i);
        }
        if (rc == 0)
                rc = apart(measure_idle, shared, root, 0);
        *growth = *shared;
        if (rc)
                growth->error = rc;
        munmap(shared, sizeof(*shared));
}
