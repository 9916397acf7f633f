/*
 * alerts.c - follows the demo's streams and prints what a person should know: load, memory, bursts of new
 * processes, producers that come back, owners that change.
 *
 *     alerts [--check] [--cpu PERCENT] [STREAM...]      default: telemetry processes
 *
 * With --check it also keeps the books: each producer numbers its messages (see member.h), so a missing or repeated
 * number shows. At the end (SIGTERM, SIGINT) it reads what is left, prints the books and exits 1 if anything is
 * wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "torc.h"

#define MAX_STREAMS 8
#define MAX_SOURCES 1024

/* One incarnation of a producer, and the numbers of its messages. */
struct source {
        char name[64];
        long pid;
        unsigned long long start;
        unsigned epoch;
        unsigned long long first, last, messages, lost, doubled;
        double seen_at; /* of its last message, seconds */
        bool ended;     /* it said end=1: it was not killed */
};

struct stream {
        const char *name;
        struct torc_consumer *consumer;
        struct source sources[MAX_SOURCES];
        size_t n_sources;
        struct torc_id last; /* of the last message */
        unsigned long long messages, disordered, unreadable;
};

static volatile sig_atomic_t stopping;
static double cpu_limit = 90;
static struct stream streams[MAX_STREAMS];
static size_t n_streams;

static void on_signal(int sig)
{
        (void)sig;
        stopping = 1;
}

static double seconds(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
        struct timespec t;
        struct tm tm;
        va_list ap;

        clock_gettime(CLOCK_REALTIME, &t);
        localtime_r(&t.tv_sec, &tm);
        printf("%02d:%02d:%02d.%03ld  ", tm.tm_hour, tm.tm_min, tm.tm_sec, t.tv_nsec / 1000000);
        va_start(ap, format);
        vprintf(format, ap);
        va_end(ap);
        putchar('\n');
}

/* The value of "key=" in a line, or NULL. The value ends at a blank. */
static const char *field(const char *line, const char *key)
{
        size_t len = strlen(key);

        for (const char *s = line; s; s = strchr(s, ' ')) {
                s += *s == ' ';
                if (strncmp(s, key, len) == 0 && s[len] == '=')
                        return s + len + 1;
        }
        return NULL;
}

static unsigned long long number(const char *line, const char *key)
{
        const char *value = field(line, key);

        return value ? strtoull(value, NULL, 10) : 0;
}

/* ---- alerts ---- */

/* Above the limit once, below it (by a tenth) once: not at every sample around it. */
static void watch_level(bool *high, double value, double limit, const char *what)
{
        if (!*high && value > limit) {
                *high = true;
                say("ALERT     %s at %.0f %%", what, value);
        } else if (*high && value < limit * 0.9) {
                *high = false;
                say("ok        %s back at %.0f %%", what, value);
        }
}

/* The processors' load jumps at 20 samples a second; a mean over about half a second is what a person means. */
static void watch_cpu(double value)
{
        static double mean;
        static bool high;

        mean += (value - mean) / 10;
        watch_level(&high, mean, cpu_limit, "processors");
}

/* New processes in a second, said when there are many, and once more when it is over. */
static void watch_processes(void)
{
        static double began;
        static unsigned started;
        static bool high;

        started++;
        if (seconds() - began < 1)
                return;
        if (!high && started > 100)
                say("ALERT     %u processes started within a second", started);
        else if (high && started <= 50)
                say("ok        %u processes started within a second", started);
        high = started > (high ? 50 : 100);
        began = seconds();
        started = 0;
}

static void watch(const char *line)
{
        static bool memory_high;
        const char *kind = field(line, "kind"), *event = field(line, "event");

        if (!kind)
                return;
        if (strncmp(kind, "cpu ", 4) == 0 && field(line, "cpu"))
                watch_cpu(strtod(field(line, "cpu"), NULL));
        else if (strncmp(kind, "memory ", 7) == 0 && field(line, "memory"))
                watch_level(&memory_high, strtod(field(line, "memory"), NULL), 90, "memory");
        else if (event && strncmp(event, "start ", 6) == 0)
                watch_processes();
}

/* ---- the books ---- */

static struct source *source_find(struct stream *st, const char *name, long pid, unsigned long long start)
{
        for (size_t i = st->n_sources; i-- > 0;)
                if (st->sources[i].pid == pid && st->sources[i].start == start &&
                    strcmp(st->sources[i].name, name) == 0)
                        return &st->sources[i];
        return NULL;
}

/* A producer nobody has heard of: the first of its name, or a new incarnation of it, or the next owner. */
static struct source *source_add(struct stream *st, const char *name, long pid, unsigned long long start,
                                 unsigned epoch)
{
        struct source *s = &st->sources[st->n_sources], *before = NULL, *owner = NULL;

        if (st->n_sources == MAX_SOURCES)
                return NULL;
        for (size_t i = 0; i < st->n_sources; i++) {
                before = strcmp(st->sources[i].name, name) == 0 ? &st->sources[i] : before;
                owner = st->sources[i].epoch < epoch ? &st->sources[i] : owner;
        }
        *s = (struct source){.pid = pid, .start = start, .epoch = epoch};
        snprintf(s->name, sizeof s->name, "%s", name);
        st->n_sources++;
        if (owner && owner->epoch != epoch)
                say("HAND-OVER %s: epoch %u, %s pid %ld owns it, %.0f ms after the last message of %s", st->name,
                    epoch, name, pid, 1000 * (seconds() - owner->seen_at), owner->name);
        else if (before)
                say("RESTART   %s: %s is back as pid %ld, %.0f ms after its last message", st->name, name, pid,
                    1000 * (seconds() - before->seen_at));
        else
                say("start     %s: %s pid %ld publishes, epoch %u", st->name, name, pid, epoch);
        return s;
}

static void source_count(struct source *s, unsigned long long seq)
{
        /* Its first message is number 1: the stream is online only while this program is connected. */
        if (s->messages == 0)
                s->first = seq;
        if (seq <= s->last)
                s->doubled++;
        else
                s->lost += seq - s->last - 1;
        s->last = seq > s->last ? seq : s->last;
        s->messages++;
        s->seen_at = seconds();
}

static void take(struct stream *st, const char *line, const struct torc_id *id)
{
        struct source *s;
        unsigned long long start;
        char name[64] = "";
        long pid;

        st->messages++;
        if (st->messages > 1 && (id->epoch < st->last.epoch || id->position <= st->last.position))
                st->disordered++;
        st->last = *id;
        if (sscanf(line, "src=%63s pid=%ld start=%llu ", name, &pid, &start) != 3 || number(line, "seq") == 0) {
                st->unreadable++;
                return;
        }
        s = source_find(st, name, pid, start);
        if (!s)
                s = source_add(st, name, pid, start, id->epoch);
        if (!s) {
                st->unreadable++;
                return;
        }
        source_count(s, number(line, "seq"));
        s->ended |= field(line, "end") != NULL;
        watch(line);
}

/* Sums over a stream: what its incarnations lost and got twice, and how many ended without a word. */
static bool report_stream(const struct stream *st)
{
        unsigned long long lost = 0, doubled = 0, cut = 0, missed = torc_consumer_missed(st->consumer);

        for (size_t i = 0; i < st->n_sources; i++) {
                const struct source *s = &st->sources[i];

                printf("  %-12s %-14s %7ld %6u %9llu %6llu..%-6llu %5llu %7llu  %s\n", st->name, s->name, s->pid,
                       s->epoch, s->messages, s->first, s->last, s->lost, s->doubled,
                       s->ended ? "stopped" : "killed");
                lost += s->lost;
                doubled += s->doubled;
                cut += !s->ended;
        }
        printf("total stream=%s messages=%llu producers=%zu killed=%llu epoch=%u lost=%llu doubled=%llu "
               "disordered=%llu "
               "missed=%llu unreadable=%llu\n",
               st->name, st->messages, st->n_sources, cut, st->last.epoch, lost, doubled, st->disordered, missed,
               st->unreadable);
        return !lost && !doubled && !missed && !st->disordered && !st->unreadable && st->messages;
}

static bool report(void)
{
        bool good = true;

        printf("\n  %-12s %-14s %7s %6s %9s %14s %5s %7s  %s\n", "stream", "producer", "pid", "epoch", "messages",
               "numbers", "lost", "doubled", "end");
        for (size_t i = 0; i < n_streams; i++)
                good &= report_stream(&streams[i]);
        printf("check: %s\n", good ? "nothing was lost, nothing came twice, all in order" : "FAILED");
        return good;
}

/* ---- receiving ---- */

/* Everything that is ready. Returns 0, or the code that ends the stream. */
static int drain(struct stream *st)
{
        char line[4096];
        size_t len;
        struct torc_id id;
        int ret;

        for (;;) {
                ret = torc_consumer_try_recv(st->consumer, line, sizeof line - 1, &len, &id);
                if (ret == 0) {
                        line[len] = 0;
                        take(st, line, &id);
                } else if (ret == TORC_ELAGGED) {
                        say("ALERT     %s: %s", st->name, torc_strerror(ret));
                        ret = torc_consumer_reattach(st->consumer, -1);
                        if (ret)
                                return ret;
                } else {
                        return ret == -EAGAIN ? 0 : ret;
                }
        }
}

static int follow(void)
{
        struct pollfd fds[MAX_STREAMS];
        int ret = 0;

        for (size_t i = 0; i < n_streams; i++) {
                fds[i] = (struct pollfd){.fd = torc_consumer_fd(streams[i].consumer), .events = POLLIN};
                if (fds[i].fd < 0)
                        return fds[i].fd;
        }
        while (ret == 0) {
                bool last = stopping; /* what was sent before the signal is still read */

                for (size_t i = 0; i < n_streams && ret == 0; i++)
                        ret = drain(&streams[i]);
                fflush(stdout);
                if (last)
                        break;
                if (ret == 0 && poll(fds, n_streams, 200) < 0 && errno != EINTR)
                        ret = -errno;
        }
        return ret;
}

static bool wait_a_little(void)
{
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        return !stopping;
}

/* The supervisor makes the bus and the streams; wait for it. */
static int open_bus(struct torc_bus **bus)
{
        struct torc_bus_config config = {.root = getenv("TORC_ROOT"),
                                         .name = getenv("TORC_BUS"),
                                         .tags = "alerts",
                                         .flags = TORC_BUS_NO_CREATE};
        int ret;

        while ((ret = torc_bus_open(bus, &config)) == -ENOENT && wait_a_little())
                ;
        return ret;
}

static int open_stream(struct torc_bus *bus, struct stream *st)
{
        struct torc_consumer_config config = {.name = "alerts", .flags = TORC_NO_CREATE};
        int ret;

        while ((ret = torc_consumer_open(&st->consumer, bus, st->name, &config)) == -ENOENT && wait_a_little())
                ;
        return ret;
}

static int options(int argc, char **argv, bool *check)
{
        static const struct option longs[] = {
                {"check", no_argument, NULL, 'k'}, {"cpu", required_argument, NULL, 'c'}, {0}};
        static char *by_default[] = {"telemetry", "processes"};
        char *end;
        int c;

        while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
                if (c == 'k')
                        *check = true;
                else if (c != 'c' || (cpu_limit = strtod(optarg, &end), end == optarg || *end))
                        return 2;
        }
        n_streams = optind < argc ? (size_t)(argc - optind) : 2;
        if (n_streams > MAX_STREAMS)
                return 2;
        for (size_t i = 0; i < n_streams; i++)
                streams[i].name = optind < argc ? argv[(size_t)optind + i] : by_default[i];
        return 0;
}

int main(int argc, char **argv)
{
        struct sigaction action = {.sa_handler = on_signal};
        struct torc_bus *bus = NULL;
        bool check = false, good = true;
        int ret;

        if (options(argc, argv, &check)) {
                fprintf(stderr, "usage: alerts [--check] [--cpu PERCENT] [STREAM...], at most %d streams\n",
                        MAX_STREAMS);
                return 2;
        }
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        ret = open_bus(&bus);
        for (size_t i = 0; i < n_streams && ret == 0; i++)
                ret = open_stream(bus, &streams[i]);
        if (ret == 0)
                ret = follow();
        if (ret)
                fprintf(stderr, "alerts: %s\n", torc_strerror(ret));
        else if (check)
                good = report();
        for (size_t i = 0; i < n_streams; i++)
                torc_consumer_close(&streams[i].consumer);
        torc_bus_close(&bus);
        return ret || !good;
}
