/*
 * loop.c - the event loop: descriptors, signals, and one timer for all that is due.
 *
 * epoll_wait() hands out one event at a time: whatever its handling closes or frees, there is no list of stale
 * events to mind. Level-triggered events are handed out in turn, so nobody starves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "sup.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS (1000 * MS)

int64_t sup_now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 * MS + t.tv_nsec;
}

int64_t sup_wall(void)
{
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        return t.tv_sec * 1000 * MS + t.tv_nsec;
}

uint64_t sup_chance(void)
{
        uint64_t bits = 0;
        ssize_t n = getrandom(&bits, sizeof bits, GRND_NONBLOCK);
        return n == sizeof bits ? bits : (uint64_t)sup_now() * 0x9e3779b97f4a7c15u;
}

void note(struct sup *sup, enum torc_event_kind kind, const char *format, ...)
{
        char text[256];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        log_info("%s", text);
        if (sup->state)
                torc_supervisor_event(sup->state, kind, "%s", text);
}

/* ---- sources --------------------------------------------------------------------------------------------- */

void source_init(struct source *source, void (*ready)(struct sup *, struct source *, uint32_t))
{
        source->fd = -1;
        source->ready = ready;
}

int source_watch(struct sup *sup, struct source *source, int fd, uint32_t events)
{
        struct epoll_event e = {.events = events, .data.ptr = source};
        source->fd = fd;
        return epoll_ctl(sup->epoll, EPOLL_CTL_ADD, fd, &e) ? -errno : 0;
}

void source_change(struct sup *sup, struct source *source, uint32_t events)
{
        struct epoll_event e = {.events = events, .data.ptr = source};
        epoll_ctl(sup->epoll, EPOLL_CTL_MOD, source->fd, &e);
}

/* Taken out of the epoll set by name: a child just forked still has a duplicate, for which a mere close() would
 * leave the source in there, dangling. */
void source_close(struct sup *sup, struct source *source)
{
        if (source->fd >= 0) {
                epoll_ctl(sup->epoll, EPOLL_CTL_DEL, source->fd, NULL); /* it may not be in there */
                close(source->fd);
        }
        source->fd = -1;
}

/* ---- signals and time ------------------------------------------------------------------------------------ */

static void loop_signal(struct sup *sup, struct source *source, uint32_t events)
{
        struct signalfd_siginfo info;
        (void)events;
        while (read(source->fd, &info, sizeof info) == sizeof info) {
                switch (info.ssi_signo) {
                case SIGCHLD:
                        members_reap(sup);
                        break;
                case SIGHUP:
                        log_warn("SIGHUP: this torcd does not read its configuration again; nothing is changed");
                        break;
                default:
                        note(sup, TORC_EVENT_SUPERVISOR, "SIG%s: %s", sigabbrev_np((int)info.ssi_signo),
                             sup->stopping ? "killing what is left" : "stopping");
                        members_stop(sup);
                }
        }
}

static void loop_timer(struct sup *sup, struct source *source, uint32_t events)
{
        uint64_t n;
        (void)events;
        if (read(source->fd, &n, sizeof n) < 0)
                return; /* it was set anew meanwhile */
        sup->timer_ns = 0;
}

static void loop_tick(struct sup *sup, int64_t now)
{
        if (now < sup->tick_due)
                return;
        sup->tick_due = now + TICK_NS;
        torc_supervisor_beat(sup->state);
        logs_look(sup);
}

static void earlier(int64_t *due, int64_t other)
{
        if (other < *due)
                *due = other;
}

static int64_t loop_due(const struct sup *sup)
{
        int64_t due = sup->tick_due;
        earlier(&due, members_due(sup));
        earlier(&due, sup->sweep_due);
        earlier(&due, sup->reap_due);
        earlier(&due, sup->look_due);
        earlier(&due, sup->log_due);
        earlier(&due, control_due(sup));
        return due;
}

static void loop_set_timer(struct sup *sup)
{
        int64_t due = loop_due(sup);
        if (due == sup->timer_ns)
                return;
        sup->timer_ns = due;
        if (due <= 0)
                due = 1; /* zero would disarm it */
        struct itimerspec at = {.it_value = {.tv_sec = due / (1000 * MS), .tv_nsec = due % (1000 * MS)}};
        timerfd_settime(sup->timer.fd, TFD_TIMER_ABSTIME, &at, NULL);
}

void loop_open(struct sup *sup)
{
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigprocmask(SIG_BLOCK, &set, NULL);
        signal(SIGPIPE, SIG_IGN);
        signal(SIGCHLD, SIG_DFL); /* ignored by whoever started us, it would hide the ends of members */
        source_init(&sup->signals, loop_signal);
        source_init(&sup->timer, loop_timer);
        sup->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (sup->epoll < 0 ||
            source_watch(sup, &sup->signals, signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), EPOLLIN) ||
            source_watch(sup, &sup->timer, timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), EPOLLIN))
                fatal("cannot set up the event loop: %s", torc_strerror(-errno));
}

void loop_run(struct sup *sup)
{
        for (;;) {
                int64_t now = sup_now();
                members_tick(sup, now);
                sweep_tick(sup, now);
                watch_tick(sup, now);
                logs_tick(sup, now);
                control_tick(sup, now);
                loop_tick(sup, now);
                members_publish(sup);
                if (sup->stopping && members_stopped(sup))
                        return;
                loop_set_timer(sup);
                struct epoll_event e;
                int n = epoll_wait(sup->epoll, &e, 1, -1);
                if (n == 1) {
                        struct source *source = e.data.ptr;
                        source->ready(sup, source, e.events);
                } else if (n < 0 && errno != EINTR) {
                        fatal("epoll_wait: %s", torc_strerror(-errno));
                }
        }
}
