/*
 * sys.c - what the kernel offers: pipe, SOCK_SEQPACKET, POSIX message queue.
 *
 * A stream goes one way through channel 0, from however many producers. A round trip uses channel 1 for the way back. When
 * spinning, descriptors are non-blocking.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPE_READ 65536 /* bytes a stream's reader takes at once: it cuts messages itself */

struct channels {
        int in[2], out[2]; /* reading and writing end of channel 0 and 1 */
        char name[2][48];  /* of message queues */
};

struct sys_end {
        int in, out;
        size_t size, part; /* part: bytes of a message that a full pipe or an empty one left us with */
        struct pool pool;
        unsigned char *copy;
        size_t have, at; /* streams over a pipe: bytes in copy, and how many of them were used */
};

static int channels_make(struct run *run, struct channels **channels)
{
        struct channels *c = malloc(sizeof(*c));

        if (!c)
                return -ENOMEM;
        *c = (struct channels){.in = {-1, -1}, .out = {-1, -1}};
        run->state = *channels = c;
        return 0;
}

static void channels_teardown(struct run *run)
{
        struct channels *c = run->state;

        for (unsigned i = 0; c && i < 2; i++) {
                if (c->in[i] >= 0)
                        close(c->in[i]);
                if (c->out[i] >= 0 && c->out[i] != c->in[i])
                        close(c->out[i]);
        }
        free(c);
}

static int flags_for(const struct run *run)
{
        return run->plan->wait == WAIT_BLOCK ? 0 : O_NONBLOCK;
}

static int sys_open(struct sys_end *e, struct run *run, size_t room)
{
        struct channels *c = run->state;

        *e = (struct sys_end){.in = c->in[run->producer], .out = c->out[!run->producer], .size = run->plan->size};
        if (run->plan->work == WORK_STREAM) {
                e->in = c->in[0];
                e->out = c->out[0];
        }
        if (room < run->plan->size)
                room = run->plan->size;
        e->copy = aligned_alloc(64, (room + 63) / 64 * 64);
        return e->copy ? pool_make(&e->pool, run->plan->size, 1, first_word(run)) : -ENOMEM;
}

/* ---- pipe ------------------------------------------------------------------------------------------------ */

static int pipe_setup(struct run *run)
{
        struct channels *c;
        int rc = channels_make(run, &c);

        for (unsigned i = 0; rc == 0 && i < 2; i++) {
                int fd[2];

                if (pipe2(fd, O_CLOEXEC | flags_for(run)) != 0)
                        return -errno;
                c->in[i] = fd[0];
                c->out[i] = fd[1];
                (void)fcntl(fd[1], F_SETPIPE_SZ, run->plan->capacity < 1048576 ? (int)run->plan->capacity : 1048576);
        }
        return rc;
}

/* Only one producer may write messages longer than PIPE_BUF, in parts. */
static inline int pipe_put(void *end, uint64_t word)
{
        struct sys_end *e = end;
        const unsigned char *from = e->part ? pool_at(&e->pool, word) : pool_take(&e->pool, word);

        while (e->part < e->size) {
                ssize_t n = write(e->out, from + e->part, e->size - e->part);

                if (n < 0)
                        return -errno;
                e->part += (size_t)n;
        }
        e->part = 0;
        return 0;
}

static inline int pipe_get(void *end, uint64_t *word)
{
        struct sys_end *e = end;

        while (e->have - e->at < e->size) {
                if (e->at > 0) {
                        memmove(e->copy, e->copy + e->at, e->have - e->at);
                        e->have -= e->at;
                        e->at = 0;
                }
                ssize_t n = read(e->in, e->copy + e->have, (e->size > PIPE_READ ? e->size : PIPE_READ) - e->have);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EPIPE;
                e->have += (size_t)n;
        }
        memcpy(word, e->copy + e->at, sizeof(*word));
        e->at += e->size;
        return 0;
}

/* ---- sequenced packets ----------------------------------------------------------------------------------- */

static int packet_setup(struct run *run)
{
        struct channels *c;
        int rc = channels_make(run, &c), type = SOCK_SEQPACKET | SOCK_CLOEXEC;

        if (run->plan->wait != WAIT_BLOCK)
                type |= SOCK_NONBLOCK;
        for (unsigned i = 0; rc == 0 && i < 2; i++) {
                int fd[2], room = run->plan->capacity < 4194304 ? (int)run->plan->capacity : 4194304;

                if (socketpair(AF_UNIX, type, 0, fd) != 0)
                        return -errno;
                c->in[i] = fd[0];
                c->out[i] = fd[1];
                (void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* as far as it is allowed */
        }
        return rc;
}

static inline int packet_put(void *end, uint64_t word)
{
        struct sys_end *e = end;

        if (send(e->out, pool_take(&e->pool, word), e->size, MSG_NOSIGNAL) < 0)
                return -errno;
        return 0;
}

static inline int packet_get(void *end, uint64_t *word)
{
        struct sys_end *e = end;
        ssize_t n = recv(e->in, e->copy, e->size, 0);

        if (n < 0)
                return -errno;
        memcpy(word, e->copy, sizeof(*word));
        return (size_t)n == e->size ? 0 : -EBADMSG;
}

/* ---- message queue --------------------------------------------------------------------------------------- */

static long queue_limit(const char *what, long otherwise)
{
        char path[64];
        long value = otherwise;

        snprintf(path, sizeof(path), "/proc/sys/fs/mqueue/%s", what);
        FILE *file = fopen(path, "re");
        if (file && fscanf(file, "%ld", &value) != 1)
                value = otherwise;
        if (file)
                fclose(file);
        return value;
}

/* As many messages as we may: the kernel's default is ten, which makes a stream hand over every few messages. */
static int queue_setup(struct run *run)
{
        struct mq_attr attr = {.mq_maxmsg = 1024, .mq_msgsize = (long)run->plan->size};
        struct channels *c;
        int rc = channels_make(run, &c);

        for (unsigned i = 0; rc == 0 && i < 2; i++) {
                snprintf(c->name[i], sizeof(c->name[i]), "/torc-bench-%d-%u-%u", (int)getpid(), run->serial, i);
                c->in[i] = mq_open(c->name[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags_for(run), 0600, &attr);
                if (c->in[i] < 0) {
                        attr.mq_maxmsg = queue_limit("msg_max", 10);
                        c->in[i] = mq_open(c->name[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | flags_for(run), 0600,
                                           &attr);
                }
                if (c->in[i] < 0)
                        return -errno;
                c->out[i] = c->in[i];
                mq_unlink(c->name[i]); /* the descriptors are inherited; the name is not needed */
        }
        return rc;
}

static inline int queue_put(void *end, uint64_t word)
{
        struct sys_end *e = end;

        if (mq_send(e->out, (const char *)pool_take(&e->pool, word), e->size, 0) != 0)
                return -errno;
        return 0;
}

static inline int queue_get(void *end, uint64_t *word)
{
        struct sys_end *e = end;
        ssize_t n = mq_receive(e->in, (char *)e->copy, e->size, NULL);

        if (n < 0)
                return -errno;
        memcpy(word, e->copy, sizeof(*word));
        return (size_t)n == e->size ? 0 : -EBADMSG;
}

/* ---- workers --------------------------------------------------------------------------------------------- */

static const struct ops pipe_ops = {pipe_put, pipe_get}, packet_ops = {packet_put, packet_get},
                        queue_ops = {queue_put, queue_get};

static int sys_work(struct run *run, const struct ops *ops)
{
        struct sys_end e;
        int rc = sys_open(&e, run, PIPE_READ);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(ops, &e, run);
        return rc ? rc : run_done(run);
}

static int pipe_work(struct run *run)
{
        return sys_work(run, &pipe_ops);
}

static int packet_work(struct run *run)
{
        return sys_work(run, &packet_ops);
}

static int queue_work(struct run *run)
{
        return sys_work(run, &queue_ops);
}

#define SYS(ID, NAME, SIZE, SETUP, WORK)                                                                                 \
        const struct transport ID = {.name = NAME, .size_max = SIZE, .spins = true, .blocks = true,                      \
                .producers_max = BENCH_PRODUCERS, .consumers_max = 1, .setup = SETUP, .teardown = channels_teardown,     \
                .work = WORK}
SYS(transport_pipe, "pipe", BENCH_SIZE_MAX, pipe_setup, pipe_work);
SYS(transport_seqpacket, "SEQPACKET", 65536, packet_setup, packet_work);
SYS(transport_mq, "POSIX mq", 8192 /* more needs another msgsize_max */, queue_setup, queue_work);
