/*
 * nng.c - nng over ipc: PUSH and PULL for streams, PAIR for round trips. Its threads are pinned with their process.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#ifdef WITH_NNG

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <unistd.h>

#define NNG_QUEUE 1024 /* messages, where the protocol lets us choose */

struct nng_end {
        nng_socket socket;
        int flags;
        size_t size;
        struct pool pool;
        unsigned char *copy;
};

static int nng_setup_nothing(struct run *run)
{
        (void)run;
        return 0;
}

static void nng_remove_socket(struct run *run)
{
        char path[200];

        snprintf(path, sizeof(path), "%s/nng-%u", run->root, run->serial);
        (void)unlink(path);
}

static int nng_code(int rc)
{
        switch (rc) {
        case 0:
                return 0;
        case NNG_EAGAIN:
                return -EAGAIN;
        case NNG_ENOMEM:
                return -ENOMEM;
        case NNG_ECONNREFUSED:
                return -ECONNREFUSED;
        case NNG_EADDRINUSE:
                return -EADDRINUSE;
        default:
                return -EIO;
        }
}

static inline int nng_put(void *end, uint64_t word)
{
        struct nng_end *e = end;
        /* nng_send() copies; its parameter lacks the const. */
        unsigned char *data = e->pool.bytes + (pool_take(&e->pool, word) - e->pool.bytes);

        return nng_code(nng_send(e->socket, data, e->size, e->flags));
}

static inline int nng_get(void *end, uint64_t *word)
{
        struct nng_end *e = end;
        size_t len = e->size;
        int rc = nng_recv(e->socket, e->copy, &len, e->flags);

        if (rc)
                return nng_code(rc);
        memcpy(word, e->copy, sizeof(*word));
        return len == e->size ? 0 : -EBADMSG;
}

static const struct ops nng_ops = {nng_put, nng_get};

static int nng_end_open(struct nng_end *e, struct run *run)
{
        const struct plan *plan = run->plan;
        char url[216];
        int rc;

        *e = (struct nng_end){.size = plan->size, .flags = plan->wait == WAIT_BLOCK ? 0 : NNG_FLAG_NONBLOCK};
        e->copy = aligned_alloc(64, (plan->size + 63) / 64 * 64);
        if (!e->copy || pool_make(&e->pool, plan->size, 1, first_word(run)) != 0)
                return -ENOMEM;
        rc = plan->work == WORK_ROUND_TRIP ? nng_pair0_open(&e->socket)
             : run->producer               ? nng_push0_open(&e->socket)
                                           : nng_pull0_open(&e->socket);
        if (rc)
                return nng_code(rc);
        (void)nng_socket_set_int(e->socket, NNG_OPT_SENDBUF, NNG_QUEUE); /* not all protocols have them */
        (void)nng_socket_set_int(e->socket, NNG_OPT_RECVBUF, NNG_QUEUE);
        (void)nng_socket_set_size(e->socket, NNG_OPT_RECVMAXSZ, 2 * BENCH_SIZE_MAX);
        snprintf(url, sizeof(url), "ipc://%s/nng-%u", run->root, run->serial);
        if (!run->producer)
                return nng_code(nng_listen(e->socket, url, NULL, 0));
        for (int i = 0; (rc = nng_dial(e->socket, url, NULL, 0)) != 0 && i < 200; i++)
                usleep(10000); /* the other side is not listening yet */
        return nng_code(rc);
}

static int nng_work(struct run *run)
{
        struct nng_end e;
        int rc = nng_end_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(&nng_ops, &e, run);
        if (rc == 0)
                rc = run_done(run);
        nng_close(e.socket);
        return rc;
}

static const struct transport nng = {.name = "nng", .size_max = BENCH_SIZE_MAX, .spins = true, .blocks = true,
        .producers_max = BENCH_PRODUCERS, .consumers_max = 1, .setup = nng_setup_nothing,
        .teardown = nng_remove_socket, .work = nng_work};
const struct transport *const transport_nng = &nng;

#else
const struct transport *const transport_nng = NULL;
#endif
