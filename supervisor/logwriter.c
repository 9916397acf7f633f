/*
 * logwriter.c - spools to log files; spool.h has the picture.
 *
 * Invariants
 *   L1  bytes leave a spool in whole lines, except for a line longer than LINE_MAX_BYTES and the last one of a
 * member. L2  what is in the log is punched out of the spool, not the other way round: a writer that is killed
 * loses nothing. Beside each spool stands how far it has been read, and while a write to the log is under way, how
 * much that writes; the next writer compares with the size of the log. L3  a spool holds at most `bound` unread
 * bytes after we have looked at it; older ones are dropped and counted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "logwriter.h"

#include "log.h"
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536u
#define PUNCH_BYTES    (256u << 10) /* give memory back in pieces of this size */
#define TURN_BYTES     (1u << 20)   /* one spool's share before the next one's turn */
#define BOUND_MIN      (1u << 20)   /* a burst of this size is never dropped */
#define ROUND_MS       20           /* output is gathered so long: fewer, larger writes */
#define SETTLE_ROUNDS  4            /* a lock is released a moment after the event that tells of it */
#define RETRY_MS       1000         /* after the log could not be written */
#define LOOK_MS        5000         /* look without being told to */

struct outlet {
        char file[SPOOL_NAME_MAX], member[SPOOL_NAME_MAX];
        bool fifo, seen, ended, stuck;
        int fd;
        uint64_t ino, done, punched;
        int64_t retry_ns;
        struct logfile log;
        char *buffer; /* of a FIFO: what was read and is not written */
        size_t have;
};

struct state {
        struct logwriter w;
        struct outlet **outlets; /* by name: the runs of one member in order */
        size_t n;
        uint64_t bound;
        bool last;    /* the last round */
        char *buffer; /* LINE_MAX_BYTES */
};

/* How far a spool has been read; stands in the file "SPOOL.pos". */
struct position {
        uint64_t ino;    /* of the spool */
        uint64_t done;   /* bytes of it that are in the log, or dropped */
        uint64_t flying; /* bytes being written to the log, 0: none */
        uint64_t log_ino, log_size;
};

static int64_t now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* ---- positions ------------------------------------------------------------------------------------------- */

static int position_open(const struct state *s, const struct outlet *o, int flags)
{
        char name[SPOOL_NAME_MAX + 8];
        snprintf(name, sizeof name, "%s.pos", o->file);
        return openat(s->w.spool, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

static void position_save(const struct state *s, const struct outlet *o, uint64_t flying)
{
        struct position p = {o->ino, o->done, flying, o->log.ino, o->log.size};
        int fd = position_open(s, o, O_WRONLY | O_CREAT);
        if (fd < 0)
                return; /* worst case: the next writer repeats some lines */
        ssize_t n = pwrite(fd, &p, sizeof p, 0);
        (void)n;
        close(fd);
}

static void position_load(const struct state *s, struct outlet *o)
{
        struct position p;
        int fd = position_open(s, o, O_RDONLY);
        if (fd < 0)
                return;
        if (pread(fd, &p, sizeof p, 0) == sizeof p && p.ino == o->ino) {
                o->done = p.done;
                if (p.flying && s->w.policy.dirfd >= 0 && logfile_refresh(&o->log, &s->w.policy) == 0 &&
                    o->log.ino == p.log_ino && o->log.size > p.log_size) {
                        uint64_t written = o->log.size - p.log_size;
                        o->done += written < p.flying ? written : p.flying;
                }
        }
        close(fd);
}

static void position_forget(const struct state *s, const struct outlet *o)
{
        char name[SPOOL_NAME_MAX + 8];
        snprintf(name, sizeof name, "%s.pos", o->file);
        unlinkat(s->w.spool, name, 0);
}

/* ---- to the log ------------------------------------------------------------------------------------------ */

static void outlet_stuck(struct outlet *o, int rc)
{
        if (!o->stuck)
                log_warn("log of %s: %s; its output waits in memory", o->member, torc_strerror(rc));
        o->stuck = true;
        o->retry_ns = now_ns() + RETRY_MS * 1000000ll;
}

/* Write bytes to the log. spooled: they stand in the spool at `done`. Returns how many were taken, 0 when stuck. */
static size_t outlet_put(struct state *s, struct outlet *o, const char *data, size_t len, bool spooled)
{
        if (s->w.policy.dirfd < 0) {
                spool_add_dropped(s->w.spool, o->member, len);
                o->done += spooled ? len : 0;
                return len;
        }
        int rc = logfile_refresh(&o->log, &s->w.policy);
        ssize_t room = rc ? rc : logfile_room(&o->log, &s->w.policy, data, len);
        if (room > 0) {
                if (spooled)
                        position_save(s, o, (uint64_t)room);
                ssize_t n = logfile_append(&o->log, data, (size_t)room);
                if (n > 0)
                        o->done += spooled ? (uint64_t)n : 0;
                if (spooled)
                        position_save(s, o, 0);
                room = n;
        }
        if (room <= 0) {
                outlet_stuck(o, room < 0 ? (int)room : -EIO);
                return 0;
        }
        o->stuck = false;
        return (size_t)room;
}

static void outlet_note(struct state *s, struct outlet *o, uint64_t dropped)
{
        char line[96];
        int n = snprintf(line, sizeof line, "[torcd: %llu bytes of output were dropped here]\n",
                         (unsigned long long)dropped);
        if (n > 0)
                outlet_put(s, o, line, (size_t)n, false);
}

/* ---- from a file ----------------------------------------------------------------------------------------- */

static void outlet_punch(struct outlet *o)
{
        uint64_t upto = o->done & ~4095ull;
        if (upto <= o->punched)
                return;
        fallocate(o->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)o->punched, (off_t)(upto - o->punched));
        o->punched = upto; /* a file system that cannot do it keeps the bytes until the member ends */
}

/* Too much is unread: skip the oldest, up to the beginning of a line. */
static void outlet_skip(struct state *s, struct outlet *o, uint64_t size)
{
        uint64_t from = size - s->bound / 2;
        ssize_t n = pread(o->fd, s->buffer, LINE_MAX_BYTES, (off_t)from);
        const char *line = n > 0 ? memchr(s->buffer, '\n', (size_t)n) : NULL;
        if (line)
                from += (uint64_t)(line - s->buffer) + 1;
        uint64_t dropped = from - o->done;
        spool_add_dropped(s->w.spool, o->member, dropped);
        o->done = from;
        position_save(s, o, 0);
        outlet_punch(o);
        outlet_note(s, o, dropped);
}

/* Returns how far to write: whole lines; all of it when the line is too long or nothing more will come. */
static size_t whole_lines(const char *data, size_t len, bool ended)
{
        const char *line = len ? memrchr(data, '\n', len) : NULL;
        if (line)
                return (size_t)(line - data) + 1;
        return ended || len >= LINE_MAX_BYTES ? len : 0;
}

static bool pump_file(struct state *s, struct outlet *o, uint64_t share)
{
        struct stat st;
        bool moved = false;
        if (fstat(o->fd, &st))
                return false;
        uint64_t size = (uint64_t)st.st_size;
        if (size < o->done) { /* its writer has truncated it, as a shell does for "> /dev/stderr" */
                static const char truncated[] = "[torcd: the member truncated its output here]\n";
                o->done = o->punched = 0;
                outlet_put(s, o, truncated, sizeof truncated - 1, false);
        }
        if (size - o->done > s->bound)
                outlet_skip(s, o, size);
        for (uint64_t taken = 0; taken < share;) {
                ssize_t n = pread(o->fd, s->buffer, LINE_MAX_BYTES, (off_t)o->done);
                size_t len = n > 0 ? whole_lines(s->buffer, (size_t)n, o->ended) : 0;
                if (len == 0)
                        break;
                bool cut = s->buffer[len - 1] != '\n';
                size_t put = outlet_put(s, o, s->buffer, len, true);
                if (put == 0)
                        break;
                if (cut && put == len && o->ended && (size_t)n < LINE_MAX_BYTES)
                        outlet_put(s, o, "\n", 1, false);
                taken += put;
                moved = true;
                if (o->done - o->punched >= PUNCH_BYTES)
                        outlet_punch(o);
        }
        outlet_punch(o);
        return moved;
}

/* ---- from a FIFO ----------------------------------------------------------------------------------------- */

static bool pump_fifo(struct state *s, struct outlet *o, uint64_t share)
{
        bool moved = false;
        for (uint64_t taken = 0; taken < share;) {
                ssize_t n = 0;
                if (o->have < LINE_MAX_BYTES)
                        n = read(o->fd, o->buffer + o->have, LINE_MAX_BYTES - o->have);
                if (n > 0)
                        o->have += (size_t)n;
                /* In the last round what is in our memory goes out, be it half a line: the next log writer goes on
                 * there. */
                size_t len = whole_lines(o->buffer, o->have, n <= 0 && (o->ended || s->last));
                size_t put = len ? outlet_put(s, o, o->buffer, len, false) : 0;
                if (put == 0)
                        break;
                if (o->ended && put == o->have && o->buffer[put - 1] != '\n')
                        outlet_put(s, o, "\n", 1, false);
                o->have -= put;
                memmove(o->buffer, o->buffer + put, o->have);
                taken += put;
                moved = true;
        }
        return moved;
}

/* ---- outlets --------------------------------------------------------------------------------------------- */

static void outlet_free(struct outlet *o)
{
        if (o->fd >= 0)
                close(o->fd);
        logfile_close(&o->log);
        free(o->buffer);
        free(o);
}

static struct outlet *outlet_open(struct state *s, const char *file)
{
        struct stat st;
        struct outlet *o = calloc(1, sizeof *o);
        if (!o)
                return NULL;
        o->log.fd = -1;
        o->log.name = o->member;
        strlcpy(o->file, file, sizeof o->file); /* spool_parse() has seen that it fits */
        spool_parse(file, o->member, &o->fifo);
        o->fd = openat(s->w.spool, file, (o->fifo ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (o->fd < 0 || fstat(o->fd, &st) || S_ISFIFO(st.st_mode) != o->fifo)
                goto fail;
        o->ino = st.st_ino;
        if (o->fifo)
                o->buffer = malloc(LINE_MAX_BYTES);
        else
                position_load(s, o);
        if (o->fifo && !o->buffer)
                goto fail;
        return o;

fail:
        outlet_free(o);
        return NULL;
}

static bool outlet_empty(const struct outlet *o)
{
        struct stat st;
        if (o->fifo)
                return o->have == 0;
        return fstat(o->fd, &st) == 0 && (uint64_t)st.st_size <= o->done;
}

/* Move what there is. Returns whether anything moved; *over when this spool is done with. */
static bool outlet_pump(struct state *s, struct outlet *o, uint64_t share, bool *over)
{
        if (o->retry_ns > now_ns() && !s->last)
                return false;
        /* Asked before reading: what was written before the lock fell is there to be read. */
        if (!o->ended && flock(o->fd, LOCK_EX | LOCK_NB) == 0)
                o->ended = true;
        bool moved = o->fifo ? pump_fifo(s, o, share) : pump_file(s, o, share);
        *over = o->ended && !moved && outlet_empty(o);
        return moved;
}

static void outlet_finish(struct state *s, size_t i)
{
        struct outlet *o = s->outlets[i];
        unlinkat(s->w.spool, o->file, 0);
        position_forget(s, o);
        outlet_free(o);
        s->n--;
        memmove(&s->outlets[i], &s->outlets[i + 1], (s->n - i) * sizeof *s->outlets);
}

static int compare_outlets(const void *a, const void *b)
{
        return strcmp((*(struct outlet *const *)a)->file, (*(struct outlet *const *)b)->file);
}

static bool known(const struct state *s, const char *file)
{
        for (size_t i = 0; i < s->n; i++)
                if (strcmp(s->outlets[i]->file, file) == 0)
                        return true;
        return false;
}

static void scan(struct state *s)
{
        char member[SPOOL_NAME_MAX];
        bool fifo;
        int fd = openat(s->w.spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        struct dirent *entry;
        while (dir && (entry = readdir(dir))) {
                if (!spool_parse(entry->d_name, member, &fifo) || known(s, entry->d_name))
                        continue;
                struct outlet **more = realloc(s->outlets, (s->n + 1) * sizeof *more);
                if (!more)
                        break;
                s->outlets = more;
                more[s->n] = outlet_open(s, entry->d_name);
                if (more[s->n])
                        s->n++;
        }
        if (dir)
                closedir(dir);
        if (s->n)
                qsort(s->outlets, s->n, sizeof *s->outlets, compare_outlets);
}

/* ---- the process ----------------------------------------------------------------------------------------- */

/* One log writer at a time: the next one waits here until the last has finished. */
static void take_turn(int spool)
{
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = openat(spool, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        while (fd >= 0 && fcntl(fd, F_SETLKW, &lock) && errno == EINTR)
                ;
}

pid_t logwriter_find(int spool)
{
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        int fd = openat(spool, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return 0;
        if (fcntl(fd, F_GETLK, &lock))
                lock.l_type = F_UNLCK;
        close(fd);
        return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static bool round_of_all(struct state *s, uint64_t share)
{
        bool moved = false;
        for (size_t i = 0; i < s->n;) {
                bool over = false;
                moved |= outlet_pump(s, s->outlets[i], share, &over);
                if (over)
                        outlet_finish(s, i);
                else
                        i++;
        }
        return moved;
}

static bool any_stuck(const struct state *s)
{
        for (size_t i = 0; i < s->n; i++)
                if (s->outlets[i]->stuck)
                        return true;
        return false;
}

static bool drain_events(int fd)
{
        char events[4096];
        bool any = false;
        while (read(fd, events, sizeof events) > 0)
                any = true;
        return any;
}

enum { WAIT_NOTIFY, WAIT_SIGNAL, WAIT_LIFE, WAIT_FIXED };

/* Sleep until there may be something to do. Returns false when the process is to finish. */
static bool wait_for_work(struct state *s, struct pollfd *fds, int timeout_ms, bool *look)
{
        nfds_t n = WAIT_FIXED;
        for (size_t i = 0; i < s->n && n < WAIT_FIXED + 1024; i++)
                if (s->outlets[i]->fifo && !s->outlets[i]->stuck)
                        fds[n++] = (struct pollfd){.fd = s->outlets[i]->fd, .events = POLLIN};
        poll(fds, n, timeout_ms);
        if (fds[WAIT_NOTIFY].revents)
                *look |= drain_events(fds[WAIT_NOTIFY].fd);
        if (fds[WAIT_LIFE].revents)
                fds[WAIT_LIFE].fd = -1; /* torcd is gone */
        return !fds[WAIT_SIGNAL].revents;
}

static void serve(struct state *s, int notify, int signals)
{
        static struct pollfd fds[WAIT_FIXED + 1024];
        fds[WAIT_NOTIFY] = (struct pollfd){.fd = notify, .events = POLLIN};
        fds[WAIT_SIGNAL] = (struct pollfd){.fd = signals, .events = POLLIN};
        fds[WAIT_LIFE] = (struct pollfd){.fd = s->w.life, .events = POLLIN};
        bool look = true;
        for (int settle = SETTLE_ROUNDS;;) {
                if (look)
                        scan(s);
                bool moved = round_of_all(s, TURN_BYTES);
                settle = look || moved ? SETTLE_ROUNDS : settle - 1;
                if (fds[WAIT_LIFE].fd < 0 && s->n == 0)
                        return;
                look = false;
                bool busy = settle > 0;
                /* With nothing to settle, wait to be told; then gather for a round. */
                if (!wait_for_work(s, fds, busy ? 0 : any_stuck(s) ? RETRY_MS : LOOK_MS, &look))
                        break;
                if (!busy)
                        look = true;
                if (poll(&fds[WAIT_SIGNAL], 1, ROUND_MS) == 1)
                        break;
        }
        scan(s);
        s->last = true;
        round_of_all(s, 2 * s->bound); /* not for ever: members may go on writing, for the next log writer */
        round_of_all(s, 2 * s->bound); /* and what is over now is removed */
}

_Noreturn void logwriter_run(const struct logwriter *w)
{
        static char buffer[LINE_MAX_BYTES];
        struct state s = {.w = *w, .buffer = buffer};
        sigset_t term;
        s.bound = w->policy.max_size > BOUND_MIN ? w->policy.max_size : BOUND_MIN;
        prctl(PR_SET_NAME, "torcd-log");
        sigemptyset(&term);
        sigaddset(&term, SIGTERM);
        sigprocmask(SIG_SETMASK, &term, NULL);
        int signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
        int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", w->spool);
        if (signals < 0 || notify < 0 ||
            inotify_add_watch(notify, path, IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE) < 0)
                fatal("log writer: %s", torc_strerror(-errno));
        take_turn(w->spool);
        serve(&s, notify, signals);
        _exit(0);
}
