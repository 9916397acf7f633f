/*
 * sub.c - torc sub: print the messages of streams.
 *
 * One loop: read every open stream until nothing is ready, gathering the text; write it; sleep until something is.
 * So a message never stays in a buffer while nothing else comes, and a flood is written in large pieces.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sub.h"

#include "signals.h"
#include "torc_admin.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WRITE_BYTES   (64u << 10) /* write when so much was gathered */
#define TURN_MESSAGES 1024u       /* of one stream before the next has its turn */
#define SCAN_MS       500         /* look for awaited streams, should a notification be lost */
#define REATTACH_MS   20          /* try again to attach after lagging */
#define MISSED_MS     1000        /* report losses of one stream at most so often */

static int64_t now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- output ---------------------------------------------------------------------------------------------- */

static int sub_write(struct sub *sub)
{
        int result = out_flush(&sub->out, signals_came);

        if (result == 0)
                return CLI_GO_ON;
        if (result == -EPIPE || result == -EINTR)
                return CLI_OK; /* the reader has had enough, or we were told to stop */
        return cli_fail("cannot write: %s", torc_strerror(result));
}

/* Losses are told, not hidden; but a consumer that is too slow all the time does not have to read it all the time.
 */
static void tell_missed(struct sub_stream *s, bool last)
{
        uint64_t missed = s->consumer ? torc_consumer_missed(s->consumer) : s->missed_told;
        int64_t now;

        if (missed <= s->missed_told)
                return;
        now = now_ms();
        if (!last && s->missed_told > 0 && now - s->missed_told_ms < MISSED_MS)
                return;
        cli_warn("stream '%s': missed %llu messages: this consumer was a whole ring behind", cli_safe(s->name),
                 (unsigned long long)(missed - s->missed_told));
        s->missed_told = missed;
        s->missed_told_ms = now;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

struct turn {
        struct sub *sub;
        const char *stream;
        size_t calls;
        size_t mark; /* length of the output before the last call */
};

static int on_message(const struct torc_view *view, void *arg)
{
        struct turn *turn = arg;

        turn->calls++;
        turn->mark = turn->sub->out.len;
        sub_print(turn->sub, turn->stream, view);
        return turn->sub->out.len >= WRITE_BYTES;
}

/* What a result of reading means for the stream. Returns CLI_GO_ON or an exit code. */
static int read_result(struct sub_stream *s, int result)
{
        switch (result) {
        case 0:
        case 1:
        case -EAGAIN:
        case -EINTR:
                return CLI_GO_ON;
        case TORC_ELAGGED:
                s->state = SUB_LAGGED;
                return CLI_GO_ON;
        case TORC_EREMOVED:
                cli_warn("stream '%s' was removed", cli_safe(s->name));
                break;
        case TORC_ECLOSED:
                break;
        default:
                return cli_fail("stream '%s': %s (%s)", cli_safe(s->name), torc_strerror(result),
                                torc_errname(result));
        }
        tell_missed(s, true);
        torc_consumer_close(&s->consumer);
        /* By name, once: a new stream of that name is another one. For a glob it is simply the next match. */
        s->state = result == TORC_EREMOVED && !s->named ? SUB_WAITING : SUB_DONE;
        s->told = true;
        return CLI_GO_ON;
}

static int reattach(struct sub_stream *s)
{
        int result = torc_consumer_reattach(s->consumer, 0);

        if (result == -ETIMEDOUT || result == TORC_ENOCAPACITY || result == -EINTR)
                return CLI_GO_ON;
        if (result == 0) {
                s->state = SUB_OPEN;
                tell_missed(s, false);
                return CLI_GO_ON;
        }
        return read_result(s, result);
}

/* One stream's turn. *more: there may be more at once. */
static int read_stream(struct sub *sub, struct sub_stream *s, bool *more)
{
        struct turn turn = {.sub = sub, .stream = s->name};
        size_t limit = TURN_MESSAGES, handled = 0;
        int result;

        if (s->state == SUB_LAGGED) {
                int code = reattach(s);

                if (code != CLI_GO_ON)
                        return code;
        }
        if (s->state != SUB_OPEN)
                return CLI_GO_ON;
        if (sub->limit && sub->limit - sub->printed < limit)
                limit = sub->limit - sub->printed;
        result = torc_consumer_poll(s->consumer, on_message, &turn, limit, &handled);
        if (turn.calls > handled)
                sub->out.len = turn.mark; /* its bytes were overwritten while they were printed */
        sub->printed += handled;
        if (handled > 0)
                sub->last_ms = now_ms();
        if (result == 0 || result == 1)
                *more = true;
        tell_missed(s, false);
        return read_result(s, result);
}

static int read_all(struct sub *sub, bool *more)
{
        *more = false;
        for (size_t i = 0; i < sub->n_streams; i++) {
                int code = read_stream(sub, &sub->streams[i], more);

                if (code == CLI_GO_ON && sub->out.len >= WRITE_BYTES)
                        code = sub_write(sub);
                if (code != CLI_GO_ON)
                        return code;
                if (sub->limit && sub->printed == sub->limit)
                        return CLI_OK;
        }
        return CLI_GO_ON;
}

/* ---- sleeping -------------------------------------------------------------------------------------------- */

static int sleep_ms(const struct sub *sub)
{
        int64_t ms = sub_set_waiting(sub) ? SCAN_MS : INT_MAX;

        for (size_t i = 0; i < sub->n_streams; i++)
                if (sub->streams[i].state == SUB_LAGGED)
                        ms = REATTACH_MS;
        if (sub->timeout_ms >= 0) {
                int64_t left = sub->last_ms + sub->timeout_ms - now_ms();

                if (left < ms)
                        ms = left > 0 ? left : 0;
        }
        return ms == INT_MAX ? -1 : (int)ms;
}

enum { FD_SIGNAL, FD_WATCH, FD_OUTPUT, FD_STREAMS };

/* Sleeps until a message, a new stream, a signal, or the end of our output's reader. */
static int sub_sleep(struct sub *sub)
{
        static struct pollfd *fds;
        static size_t cap;
        nfds_t n = FD_STREAMS;

        if (cap < FD_STREAMS + sub->n_streams) {
                cap = FD_STREAMS + sub->n_streams * 2;
                fds = reallocarray(fds, cap, sizeof(*fds));
                if (!fds)
                        err(CLI_FAILURE, "out of memory");
        }
        fds[FD_SIGNAL] = (struct pollfd){.fd = signals_fd(), .events = POLLIN};
        fds[FD_WATCH] = (struct pollfd){.fd = sub->watch, .events = POLLIN};
        fds[FD_OUTPUT] = (struct pollfd){.fd = sub->out.fd}; /* errors only: its pipe was closed */
        for (size_t i = 0; i < sub->n_streams; i++)
                if (sub->streams[i].state == SUB_OPEN)
                        fds[n++] = (struct pollfd){.fd = sub->streams[i].fd, .events = POLLIN};
        int ready = poll(fds, n, sleep_ms(sub));

        if (signals_came())
                return CLI_OK;
        if (ready < 0)
                return errno == EINTR ? CLI_GO_ON : cli_fail("poll: %s", strerror(errno));
        if (fds[FD_OUTPUT].revents & (POLLERR | POLLHUP))
                return CLI_OK;
        if (fds[FD_WATCH].revents)
                sub_set_drain(sub);
        if (fds[FD_WATCH].revents || sub_set_waiting(sub))
                return sub_set_scan(sub, false);
        return CLI_GO_ON;
}

static int sub_loop(struct sub *sub)
{
        int code = sub_set_scan(sub, true);
        bool more;

        sub->last_ms = now_ms();
        while (code == CLI_GO_ON) {
                code = read_all(sub, &more);
                if (more && code == CLI_GO_ON) {
                        code = signals_came() ? CLI_OK : CLI_GO_ON;
                        continue;
                }
                int written = sub_write(sub);

                if (code == CLI_GO_ON || written > CLI_OK)
                        code = written;
                if (code != CLI_GO_ON)
                        break;
                if (sub_set_finished(sub))
                        return CLI_OK;
                if (sub->timeout_ms >= 0 && now_ms() - sub->last_ms >= sub->timeout_ms)
                        return CLI_TIMEOUT;
                code = sub_sleep(sub);
        }
        return code;
}

/* A consumer needs a few descriptors, and a glob may match hundreds of streams. */
static void allow_many_files(void)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
}

static int run(struct sub *sub)
{
        struct torc_bus_config config = {.root = sub->common.root,
                                         .name = sub->common.bus,
                                         .peer_name = sub->name ? sub->name : "torc-sub",
                                         .tags = sub->tags};
        int code = signals_start();

        if (code != 0)
                return cli_fail("cannot catch signals: %s", torc_strerror(code));
        allow_many_files();
        code = torc_bus_open(&sub->bus, &config);
        if (code != 0)
                return cli_fail_bus(&sub->common, code);
        code = sub_set_watch(sub);
        if (code != 0)
                code = cli_fail("cannot watch %s: %s", cli_safe(torc_bus_path(sub->bus)), torc_strerror(code));
        else
                code = sub_loop(sub);
        for (size_t i = 0; i < sub->n_streams; i++)
                tell_missed(&sub->streams[i], true);
        sub_set_close(sub);
        torc_bus_close(&sub->bus);
        out_free(&sub->out);
        return signals_exit(code);
}

int cmd_sub(int argc, char **argv)
{
        struct sub sub = {.timeout_ms = -1, .watch = -1, .out = {.fd = STDOUT_FILENO}};
        int code;

        sub.globs = calloc((size_t)argc + 1, sizeof(*sub.globs));
        if (!sub.globs)
                return cli_fail("out of memory");
        code = sub_options(&sub, argc, argv);
        if (code == CLI_GO_ON)
                code = run(&sub);
        sub_set_close(&sub);
        free(sub.globs);
        return code;
}
