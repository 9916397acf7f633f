/*
 * boost_queue.c - boost's message_queue as a transport. A round trip uses two.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#ifdef WITH_BOOST

#include "boost.h"

#include <stdio.h>
#include <unistd.h>

struct boost_end {
        struct boost_queue *in, *out;
        int block;
        size_t size;
        struct pool pool;
        unsigned char *copy;
};

/* Its place is /dev/shm. Workers are asked by their parent's pid: the parent removes both. */
static void queue_name(char *name, size_t cap, pid_t parent, const struct run *run, unsigned which)
{
        snprintf(name, cap, "torc-bench-%d-%u-%u", (int)parent, run->serial, which);
}

static int boost_setup_nothing(struct run *run)
{
        (void)run;
        return 0;
}

static void boost_remove(struct run *run)
{
        char name[64];

        for (unsigned i = 0; i < 2; i++) {
                queue_name(name, sizeof(name), getpid(), run, i);
                boost_queue_remove(name);
        }
}

static inline int boost_put(void *end, uint64_t word)
{
        struct boost_end *e = end;

        return boost_queue_send(e->out, pool_take(&e->pool, word), e->size, e->block);
}

static inline int boost_get(void *end, uint64_t *word)
{
        struct boost_end *e = end;
        size_t size;
        int rc = boost_queue_receive(e->in, e->copy, e->size, &size, e->block);

        if (rc)
                return rc;
        memcpy(word, e->copy, sizeof(*word));
        return size == e->size ? 0 : -EBADMSG;
}

static const struct ops boost_ops = {boost_put, boost_get};

static int boost_end_open(struct boost_end *e, struct run *run)
{
        const struct plan *plan = run->plan;
        size_t n = plan->capacity / (plan->size < 64 ? 64 : plan->size);
        bool trip = plan->work == WORK_ROUND_TRIP;
        char name[64];
        int rc = 0;

        *e = (struct boost_end){.size = plan->size, .block = plan->wait == WAIT_BLOCK};
        n = n < 16 ? 16 : n > 65536 ? 65536 : n;
        e->copy = aligned_alloc(64, (plan->size + 63) / 64 * 64);
        if (!e->copy || pool_make(&e->pool, plan->size, 1, first_word(run)) != 0)
                return -ENOMEM;
        queue_name(name, sizeof(name), getppid(), run, 0);
        rc = boost_queue_open(run->producer ? &e->out : &e->in, name, n, plan->size);
        if (rc || !trip)
                return rc;
        queue_name(name, sizeof(name), getppid(), run, 1);
        return boost_queue_open(run->producer ? &e->in : &e->out, name, n, plan->size);
}

static int boost_work(struct run *run)
{
        struct boost_end e;
        int rc = boost_end_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(&boost_ops, &e, run);
        if (rc == 0)
                rc = run_done(run);
        boost_queue_close(e.in);
        boost_queue_close(e.out);
        return rc;
}

static const struct transport boost = {.name = "boost", .size_max = BENCH_SIZE_MAX, .spins = true, .blocks = true,
        .producers_max = BENCH_PRODUCERS, .consumers_max = 1, .setup = boost_setup_nothing, .teardown = boost_remove,
        .work = boost_work};
const struct transport *const transport_boost = &boost;

#else
const struct transport *const transport_boost = NULL;
#endif
