/*
 * watch.c - looking after the bus: whoever dies is cleaned up after at once, and fenced producers that sit on a
 * claim are killed when their grace is over.
 *
 * The kernel tells of a death through inotify: when a peer's descriptors on the file `bus` are closed. It releases
 * the peer's lock, which is the proof, a moment later; so there are a few looks in growing distance. Were all of
 * them to miss, there is one every second besides.
 *
 * A snapshot of all streams is taken every second, and soon after a segment appears in some stream's directory
 * (somebody was fenced, an owner came, or a ring grew), and every 50 ms while a fenced producer's claim is open.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "proc.h"
#include "sup.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define REAP_ALWAYS_NS (1000 * MS)
#define LOOK_ALWAYS_NS (1000 * MS)
#define LOOK_SOON_NS   (10 * MS)
#define LOOK_STUCK_NS  (50 * MS)

/* A fenced producer whose claim is open. */
struct stuck {
        uint32_t slot;
        uint64_t ticks;
        int64_t pid; /* 0: unused */
        int64_t since_ns;
        bool still, told;
};
#define STUCK_MAX 16 /* of one stream; more than that take their turns */

/* What was seen of a stream in the last snapshot. */
struct sup_seen {
        char name[TORC_NAME_MAX + 1];
        uint32_t epoch;
        int64_t owner_pid;
        struct stuck stuck[STUCK_MAX];
        int error;
        bool still;
};

/* ---- the dead -------------------------------------------------------------------------------------------- */

static size_t add_text(char *text, size_t cap, size_t len, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
static size_t add_text(char *text, size_t cap, size_t len, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        int n = vsnprintf(text + len, cap - len, format, args);
        va_end(args);
        return n < 0 ? len : len + (size_t)n < cap ? len + (size_t)n : cap - 1;
}

static void watch_note_reaped(struct sup *sup, const struct torc_reaped *r)
{
        const struct {
                uint32_t n;
                const char *what;
        } counts[] = {{r->producers, "producers"},
                      {r->consumers, "consumers"},
                      {r->waiters, "waiters"},
                      {r->holes, "open claims"}};
        char text[220] = "";
        size_t len = 0;
        for (size_t i = 0; i < 8 && i < r->peers; i++)
                len = add_text(text, sizeof text, len, "%s%s (%lld)", i ? ", " : " after ", r->names[i],
                               (long long)r->pids[i]);
        const char *between = r->peers ? ": " : " ";
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
                if (!counts[i].n)
                        continue;
                len = add_text(text, sizeof text, len, "%s%u %s", between, counts[i].n, counts[i].what);
                between = ", ";
        }
        note(sup, TORC_EVENT_REAPED, "cleaned up%s", text);
}

/* After a hint: now, then after 1, 2, 4, 8, 16 ms, then every second. */
static void watch_reap(struct sup *sup, int64_t now)
{
        struct torc_reaped r = {0};
        int rc = torc_bus_reap(sup->bus, &r);
        if (rc == -EAGAIN && sup->reap_step > 5)
                sup->reap_step = 5; /* a dead producer's claim overlaps a live one's: soon again */
        sup->reap_due = now + (sup->reap_step > 5 ? REAP_ALWAYS_NS : (1 << sup->reap_step) * MS);
        if (sup->reap_step <= 5)
                sup->reap_step++;
        if (r.peers + r.producers + r.consumers + r.waiters + r.holes == 0)
                return;
        watch_note_reaped(sup, &r);
}

static void watch_notify(struct sup *sup, struct source *source, uint32_t events)
{
        char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
        (void)events;
        for (;;) {
                ssize_t n = read(source->fd, buffer, sizeof buffer);
                if (n <= 0)
                        return;
                for (ssize_t at = 0; at < n;) {
                        const struct inotify_event *e = (const struct inotify_event *)(const void *)(buffer + at);
                        if (e->wd == sup->bus_watch || (e->mask & IN_Q_OVERFLOW)) {
                                sup->reap_step = 0;
                                sup->reap_due = 0;
                        }
                        if (e->wd != sup->bus_watch && e->len && strncmp(e->name, "0.", 2) == 0)
                                watch_look(sup);
                        at += (ssize_t)(sizeof *e + e->len);
                }
        }
}

/* ---- streams --------------------------------------------------------------------------------------------- */

void watch_look(struct sup *sup)
{
        int64_t soon = sup_now() + LOOK_SOON_NS;
        if (soon < sup->look_due)
                sup->look_due = soon;
}

static struct sup_seen *watch_seen(struct sup *sup, const char *name)
{
        for (size_t i = 0; i < sup->n_seen; i++)
                if (strcmp(sup->seen[i].name, name) == 0)
                        return &sup->seen[i];
        struct sup_seen *more = realloc(sup->seen, (sup->n_seen + 1) * sizeof *more);
        if (!more)
                return NULL;
        sup->seen = more;
        more[sup->n_seen] = (struct sup_seen){.epoch = UINT32_MAX}; /* nothing to compare with */
        snprintf(more[sup->n_seen].name, sizeof more->name, "%s", name);
        return &more[sup->n_seen++];
}

static void watch_directory(struct sup *sup, const char *stream)
{
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/@%s", torc_bus_path(sup->bus), stream);
        /* Adding a watch that is there already changes nothing. */
        if (n > 0 && (size_t)n < sizeof path)
                inotify_add_watch(sup->notify.fd, path, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

static void watch_changes(struct sup *sup, struct sup_seen *seen, const struct torc_stream_info *s)
{
        bool first = seen->epoch == UINT32_MAX;
        if (!first && s->error != seen->error && s->error)
                note(sup, TORC_EVENT_SUPERVISOR, "stream %s: %s", s->name, torc_strerror(s->error));
        if (!first && s->epoch != seen->epoch && !s->error) {
                for (size_t i = 0; i < s->n_producers; i++) {
                        const struct torc_producer_info *p = &s->producers[i];
                        if (p->state == TORC_PRODUCER_FENCED && p->fenced_epoch == s->epoch)
                                note(sup, TORC_EVENT_FENCED, "stream %s: %s (%lld) was fenced by %s (%lld)",
                                     s->name, p->name, (long long)p->pid, p->fencer_name, (long long)p->fencer_pid);
                }
                if (!s->owner_pid)
                        note(sup, TORC_EVENT_OWNER, "stream %s: epoch %u, no owner", s->name, s->epoch);
        }
        if (s->owner_pid && !s->error && (s->epoch != seen->epoch || s->owner_pid != seen->owner_pid))
                note(sup, TORC_EVENT_OWNER, "stream %s: %s (%lld) owns it, epoch %u", s->name, s->owner_name,
                     (long long)s->owner_pid, s->epoch);
        seen->epoch = s->epoch;
        seen->owner_pid = s->owner_pid;
        seen->error = s->error;
}

/* ---- fenced and stuck ------------------------------------------------------------------------------------ */

/* Since when has it been stuck? Known from an earlier look, or from now on. NULL: no place to remember it. */
static struct stuck *watch_stuck(struct sup_seen *seen, const struct torc_producer_info *p, int64_t now)
{
        struct stuck *spare = NULL;
        for (size_t i = 0; i < STUCK_MAX; i++) {
                struct stuck *k = &seen->stuck[i];
                if (k->pid == p->pid && k->slot == p->slot && k->ticks == p->start_ticks)
                        return k;
                if (!k->pid)
                        spare = k;
        }
        if (spare)
                *spare = (struct stuck){.slot = p->slot, .ticks = p->start_ticks, .pid = p->pid, .since_ns = now};
        return spare;
}

/* Kill it, if it is still the one: the pidfd is opened for {pid, start time}, and after that a new look must show
 * the same producer still fenced, alive by its lock, and in its claim. */
static void watch_kill(struct sup *sup, const char *stream, const struct torc_producer_info *p, struct stuck *stuck)
{
        struct torc_snapshot *snapshot = NULL;
        int fd = proc_open((pid_t)p->pid, p->start_ticks);
        if (fd < 0)
                return; /* dead already, or in another pid namespace */
        if (torc_inspector_take(sup->inspector, &snapshot))
                goto out;
        for (size_t i = 0; i < snapshot->n_streams; i++) {
                const struct torc_stream_info *s = &snapshot->streams[i];
                if (strcmp(s->name, stream) != 0 || s->error)
                        continue;
                for (size_t k = 0; k < s->n_producers; k++) {
                        const struct torc_producer_info *q = &s->producers[k];
                        if (q->slot != p->slot || q->pid != p->pid || q->start_ticks != p->start_ticks ||
                            !q->alive || q->state != TORC_PRODUCER_FENCED || !q->claim_open)
                                continue;
                        int rc = proc_signal(fd, SIGKILL);
                        if (stuck->told)
                                continue;
                        stuck->told = true;
                        note(sup, TORC_EVENT_KILLED,
                             "stream %s: %s (%lld) %s: fenced, in an open claim for %llu ms", stream, q->name,
                             (long long)q->pid, rc ? "cannot be killed" : "killed",
                             (unsigned long long)sup->conf->bus.fence_grace_ms);
                }
        }
        torc_snapshot_free(&snapshot);
out:
        close(fd);
}

static void watch_grace(struct sup *sup, const char *stream, const struct torc_producer_info *p,
                        struct stuck *stuck, int64_t now)
{
        int64_t due = stuck->since_ns + (int64_t)sup->conf->bus.fence_grace_ms * MS;
        if (now >= due)
                watch_kill(sup, stream, p, stuck);
        if (now >= due || due > now + LOOK_STUCK_NS)
                due = now + LOOK_STUCK_NS;
        if (due < sup->look_due)
                sup->look_due = due;
}

static void watch_stream(struct sup *sup, const struct torc_stream_info *s, int64_t now)
{
        struct sup_seen *seen = watch_seen(sup, s->name);
        if (!seen)
                return;
        seen->still = true;
        watch_directory(sup, s->name);
        watch_changes(sup, seen, s);
        for (size_t i = 0; i < STUCK_MAX; i++)
                seen->stuck[i].still = false;
        for (size_t i = 0; i < s->n_producers && !s->error; i++) {
                const struct torc_producer_info *p = &s->producers[i];
                bool open_claim = p->state == TORC_PRODUCER_FENCED && p->claim_open && p->alive;
                struct stuck *stuck = open_claim ? watch_stuck(seen, p, now) : NULL;
                if (!stuck)
                        continue;
                stuck->still = true;
                watch_grace(sup, s->name, p, stuck, now);
        }
        for (size_t i = 0; i < STUCK_MAX; i++)
                if (!seen->stuck[i].still)
                        seen->stuck[i].pid = 0;
}

static void watch_streams(struct sup *sup, int64_t now)
{
        struct torc_snapshot *snapshot;
        sup->look_due = now + LOOK_ALWAYS_NS;
        if (!sup->inspector || torc_inspector_take(sup->inspector, &snapshot))
                return;
        for (size_t i = 0; i < sup->n_seen; i++)
                sup->seen[i].still = false;
        for (size_t i = 0; i < snapshot->n_streams; i++)
                watch_stream(sup, &snapshot->streams[i], now);
        torc_snapshot_free(&snapshot);
        for (size_t i = 0; i < sup->n_seen;) {
                if (sup->seen[i].still)
                        i++;
                else
                        sup->seen[i] = sup->seen[--sup->n_seen];
        }
}

/* ---- open, tick, close ----------------------------------------------------------------------------------- */

void watch_open(struct sup *sup)
{
        char path[PATH_MAX];
        source_init(&sup->notify, watch_notify);
        int n = snprintf(path, sizeof path, "%s/bus", torc_bus_path(sup->bus));
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (fd >= 0 && n > 0 && (size_t)n < sizeof path)
                sup->bus_watch = inotify_add_watch(fd, path, IN_CLOSE_WRITE);
        if (fd < 0 || sup->bus_watch < 0 || source_watch(sup, &sup->notify, fd, EPOLLIN))
                log_warn("cannot watch %s: %s; the dead are noticed once a second only", path, strerror(errno));
        int rc = torc_inspector_open(&sup->inspector, sup->root, sup->conf->bus.name);
        if (rc)
                log_warn("cannot look at the bus: %s; fenced producers are not looked after", torc_strerror(rc));
}

void watch_tick(struct sup *sup, int64_t now)
{
        if (now >= sup->reap_due)
                watch_reap(sup, now);
        if (now >= sup->look_due)
                watch_streams(sup, now);
}

void watch_close(struct sup *sup)
{
        source_close(sup, &sup->notify);
        torc_inspector_close(&sup->inspector);
        free(sup->seen);
        sup->seen = NULL;
        sup->n_seen = 0;
}
