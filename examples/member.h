/*
 * member.h - what the demo's producers have in common: attaching as the supervisor says, numbering messages,
 * ending.
 *
 * torcd starts a member with TORC_ROOT, TORC_BUS, TORC_STREAM, TORC_ACCESS, TORC_NAME and TORC_MEMBER in its
 * environment. Without them, started by hand, it uses the default bus and the names it was given here.
 *
 * A message is one line of text:
 *
 *     src=telemetry-0 pid=4711 start=1234567 seq=18 kind=cpu cpu=12.5 cpu0=20.0 cpu1=5.0
 *
 * (src, pid, start) is one incarnation of a member, start being its start time in clock ticks since boot. seq
 * counts its messages from 1 without gaps, and only after a message was sent; its last message has "end=1" when it
 * was asked to stop. So a reader can tell whether anything got lost or came twice, even if the member was killed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MEMBER_H
#define MEMBER_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "torc.h"

struct member {
        struct torc_bus *bus;
        struct torc_producer *producer;
        const char *stream;
        char origin[160]; /* "src=... pid=... start=..." */
        unsigned long long seq;
};

static volatile sig_atomic_t member_stopping;
static struct torc_producer *volatile member_cancels; /* whose blocking call a signal ends */

static inline void member_on_signal(int sig)
{
        (void)sig;
        member_stopping = 1;
        if (member_cancels)
                torc_producer_cancel(member_cancels);
}

static inline int member_fail(const char *what, int code)
{
        fprintf(stderr, "%s: %s\n", what, torc_strerror(code));
        return code == TORC_EFENCED ? TORC_EXIT_FENCED : 1;
}

/* Field 22 of /proc/self/stat. The command in field 2 may hold anything, so count from its last ')'. */
static inline unsigned long long member_start_ticks(void)
{
        unsigned long long ticks = 0;
        char line[1024] = "", *s;
        FILE *f = fopen("/proc/self/stat", "r");

        if (!f)
                return 0;
        if (fgets(line, sizeof line, f) && (s = strrchr(line, ')')))
                sscanf(s + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                       &ticks);
        fclose(f);
        return ticks;
}

static inline enum torc_access member_access(enum torc_access by_hand)
{
        static const char *const words[] = {"shared", "exclusive", "wait_for_exclusive", "exclusive_with_fencing"};
        const char *word = getenv("TORC_ACCESS");

        for (unsigned i = 0; word && i < 4; i++)
                if (strcmp(word, words[i]) == 0)
                        return (enum torc_access)i;
        return by_hand;
}

/* Attach. Returns 0, or the exit code after saying what is wrong. */
static inline int member_open(struct member *m, const char *stream, enum torc_access access)
{
        struct torc_bus_config bus = {.root = getenv("TORC_ROOT"),
                                      .name = getenv("TORC_BUS"),
                                      .peer_name = getenv("TORC_NAME"),
                                      .tags = getenv("TORC_TAGS")};
        struct torc_producer_config producer = {.name = getenv("TORC_NAME"), .access = member_access(access)};
        struct sigaction action = {.sa_handler = member_on_signal};
        int ret;

        *m = (struct member){.stream = getenv("TORC_STREAM") ? getenv("TORC_STREAM") : stream};
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGINT, &action, NULL);
        ret = torc_bus_open(&m->bus, &bus);
        if (ret)
                return member_fail("bus", ret);
        ret = torc_producer_open(&m->producer, m->bus, m->stream, &producer);
        if (ret)
                return member_fail(m->stream, ret);
        member_cancels = m->producer;
        snprintf(m->origin, sizeof m->origin, "src=%.63s pid=%d start=%llu", producer.name ? producer.name : stream,
                 (int)getpid(), member_start_ticks());
        return 0;
}

/* Send one line. Waits while nobody listens or the ring is full. Returns 0 or the library's code. */
static inline int member_send(struct member *m, const char *text)
{
        char line[2048];
        int n = snprintf(line, sizeof line, "%s seq=%llu %s", m->origin, m->seq + 1, text);
        int ret =
                torc_producer_send(m->producer, line, n < (int)sizeof line ? (size_t)n : sizeof line - 1, -1, NULL);

        m->seq += ret == 0;
        return ret;
}

/* Leave. Returns the exit code for the last result of the loop. */
static inline int member_close(struct member *m, int ret)
{
        char line[256];
        int n = snprintf(line, sizeof line, "%s seq=%llu end=1", m->origin, m->seq + 1);

        /* The signal's cancellation may still be due, and would end the first call. */
        for (int tries = 0; member_stopping && m->producer && m->seq && tries < 2; tries++)
                if (torc_producer_send(m->producer, line, (size_t)n, 200, NULL) != TORC_ECANCELED)
                        break;
        if (ret == TORC_ECANCELED || ret == -EINTR)
                ret = 0;
        ret = ret ? member_fail(m->stream, ret) : 0;
        member_cancels = NULL;
        torc_producer_close(&m->producer);
        torc_bus_close(&m->bus);
        return ret;
}

/* Sleep to the next tick of a steady beat; returns false when it is time to stop. */
static inline bool member_tick(struct timespec *next, long period_ms)
{
        if (next->tv_sec == 0)
                clock_gettime(CLOCK_MONOTONIC, next);
        next->tv_nsec += period_ms * 1000000;
        next->tv_sec += next->tv_nsec / 1000000000;
        next->tv_nsec %= 1000000000;
        while (!member_stopping && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, next, NULL) == EINTR)
                ;
        return !member_stopping;
}

/* Append to text; what does not fit is left out whole. */
static inline void __attribute__((format(printf, 3, 4))) member_add(char *text, size_t cap, const char *format, ...)
{
        size_t len = strlen(text);
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(text + len, cap - len, format, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= cap - len)
                text[len] = 0;
}

#endif
