/*
 * zmq.c - ZeroMQ over ipc sockets: PUSH and PULL for streams, PAIR for round trips. Its I/O thread is pinned with its process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#ifdef WITH_ZMQ

#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

struct zmq_end {
        void *context, *socket;
        int flags;
        size_t size;
        struct pool pool;
        unsigned char *copy;
        char path[200];
};

static int zmq_setup_nothing(struct run *run)
{
        (void)run;
        return 0;
}

static void zmq_remove_socket(struct run *run)
{
        char path[200];

        snprintf(path, sizeof(path), "%s/zmq-%u", run->root, run->serial);
        (void)unlink(path);
}

static inline int zmq_put(void *end, uint64_t word)
{
        struct zmq_end *e = end;

        if (zmq_send(e->socket, pool_take(&e->pool, word), e->size, e->flags) < 0)
                return -zmq_errno();
        return 0;
}

static inline int zmq_get(void *end, uint64_t *word)
{
        struct zmq_end *e = end;
        int n = zmq_recv(e->socket, e->copy, e->size, e->flags);

        if (n < 0)
                return -zmq_errno();
        memcpy(word, e->copy, sizeof(*word));
        return (size_t)n == e->size ? 0 : -EBADMSG;
}

static const struct ops zmq_ops = {zmq_put, zmq_get};

/* The consumer, or the server, binds. Connecting may come first: ZeroMQ tries again. */
static int zmq_end_open(struct zmq_end *e, struct run *run)
{
        const struct plan *plan = run->plan;
        bool trip = plan->work == WORK_ROUND_TRIP;
        uint64_t queued = plan->capacity / (plan->size < 64 ? 64 : plan->size);
        int high = queued < 16 ? 16 : queued > 65536 ? 65536 : (int)queued, linger = 1000;
        char url[216];

        *e = (struct zmq_end){.size = plan->size, .flags = plan->wait == WAIT_BLOCK ? 0 : ZMQ_DONTWAIT};
        e->copy = aligned_alloc(64, (plan->size + 63) / 64 * 64);
        if (!e->copy || pool_make(&e->pool, plan->size, 1, first_word(run)) != 0)
                return -ENOMEM;
        e->context = zmq_ctx_new();
        e->socket = e->context ? zmq_socket(e->context, trip ? ZMQ_PAIR : run->producer ? ZMQ_PUSH : ZMQ_PULL) : NULL;
        if (!e->socket)
                return -zmq_errno();
        zmq_setsockopt(e->socket, ZMQ_SNDHWM, &high, sizeof(high));
        zmq_setsockopt(e->socket, ZMQ_RCVHWM, &high, sizeof(high));
        zmq_setsockopt(e->socket, ZMQ_LINGER, &linger, sizeof(linger));
        snprintf(url, sizeof(url), "ipc://%s/zmq-%u", run->root, run->serial);
        if ((run->producer ? zmq_connect(e->socket, url) : zmq_bind(e->socket, url)) != 0)
                return -zmq_errno();
        return 0;
}

static int zmq_work(struct run *run)
{
        struct zmq_end e;
        int rc = zmq_end_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(&zmq_ops, &e, run);
        if (rc == 0)
                rc = run_done(run);
        if (e.socket)
                zmq_close(e.socket);
        if (e.context)
                zmq_ctx_term(e.context);
        return rc;
}

static const struct transport zmq = {.name = "ZeroMQ", .size_max = BENCH_SIZE_MAX, .spins = true, .blocks = true,
        .producers_max = BENCH_PRODUCERS, .consumers_max = 1, .setup = zmq_setup_nothing, .teardown = zmq_remove_socket,
        .work = zmq_work};
const struct transport *const transport_zmq = &zmq;

#else
const struct transport *const transport_zmq = NULL;
#endif
