/*
 * raw.c - what the machine itself costs: no library, no safety, no second producer; the least that moves bytes.
 *
 *   line    round trips. A message is a payload and a number behind it; up to 48 bytes share one cache line with it,
 *           longer ones lie behind it in lines of their own. The reader looks at the number, then copies the payload. Messages take
 *           places in turn, each on a page of its own: how long a line takes from one CPU to the other depends on where its
 *           page lies in the machine's memory (by a factor of two on one where that was looked at), and one place alone would
 *           make the floor a matter of luck.
 *   ring    streams. Slots of whole cache lines, one index for each side, each side remembers the other's and looks
 *           again only when the ring seems full or empty.
 *   futex   round trips as line, but the reader sleeps in FUTEX_WAIT and the writer calls FUTEX_WAKE each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loops.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The length is known where it matters: a call of memcpy() for 32 bytes would take longer than the copy. */
ALWAYS void copy_bytes(void *to, const void *from, size_t n)
{
        if (n == 32)
                memcpy(to, from, 32);
        else if (n == 8)
                memcpy(to, from, 8);
        else
                memcpy(to, from, n);
}

static int map_shared(struct run *run, size_t size)
{
        void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (map == MAP_FAILED)
                return -errno;
        run->state = map;
        return 0;
}

/* ---- line and futex -------------------------------------------------------------------------------------- */

#define LINE_PAYLOAD 48 /* in the line of the number */

struct line {
        alignas(64) unsigned char payload[LINE_PAYLOAD];
        _Atomic uint64_t number;
        _Atomic uint32_t event;
        uint32_t pad;
        alignas(64) unsigned char more[];
};
static_assert(offsetof(struct line, more) == 64, "the number and a short payload are in one cache line");

struct line_end {
        unsigned char *out, *in; /* LINES places each, `stride` bytes apart */
        size_t stride;
        uint64_t sent, seen;
        size_t size;
        struct pool pool;
        unsigned char *copy;
};

#define LINES 32u

static size_t line_stride(const struct plan *plan)
{
        return (sizeof(struct line) + plan->size + 4095) / 4096 * 4096;
}

ALWAYS struct line *line_at(const struct line_end *e, unsigned char *lines, uint64_t n)
{
        return (struct line *)(void *)(lines + n % LINES * e->stride);
}

static int line_setup(struct run *run)
{
        return map_shared(run, 2 * LINES * line_stride(run->plan));
}

static void line_teardown(struct run *run)
{
        if (run->state)
                munmap(run->state, 2 * LINES * line_stride(run->plan));
}

ALWAYS void line_write(struct line_end *e, uint64_t word)
{
        struct line *line = line_at(e, e->out, ++e->sent);

        copy_bytes(e->size <= LINE_PAYLOAD ? line->payload : line->more, pool_take(&e->pool, word), e->size);
        /* release: who sees the number sees the payload. */
        atomic_store_explicit(&line->number, e->sent, memory_order_release);
}

ALWAYS void line_read(struct line_end *e, const struct line *line, uint64_t *word)
{
        copy_bytes(e->copy, e->size <= LINE_PAYLOAD ? line->payload : line->more, e->size);
        e->seen++;
        memcpy(word, e->copy, sizeof(*word));
}

static inline int line_put(void *end, uint64_t word)
{
        line_write(end, word);
        return 0;
}

static inline int line_get(void *end, uint64_t *word)
{
        struct line_end *e = end;
        struct line *line = line_at(e, e->in, e->seen + 1);

        if (atomic_load_explicit(&line->number, memory_order_acquire) != e->seen + 1)
                return -EAGAIN;
        line_read(e, line, word);
        return 0;
}

static inline int futex_put(void *end, uint64_t word)
{
        struct line_end *e = end;

        line_write(e, word);
        struct line *line = line_at(e, e->out, e->sent);
        atomic_store_explicit(&line->event, (uint32_t)e->sent, memory_order_release);
        (void)syscall(SYS_futex, &line->event, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return 0;
}

static inline int futex_get(void *end, uint64_t *word)
{
        struct line_end *e = end;
        struct timespec slice = {.tv_nsec = 100000000}; /* to look whether the run is over */

        struct line *line = line_at(e, e->in, e->seen + 1);
        uint32_t event = atomic_load_explicit(&line->event, memory_order_acquire);

        if (event != (uint32_t)(e->seen + 1)) {
                (void)syscall(SYS_futex, &line->event, FUTEX_WAIT, event, &slice, NULL, 0);
                if (atomic_load_explicit(&line->event, memory_order_acquire) == event)
                        return -EAGAIN;
        }
        line_read(e, line, word);
        return 0;
}

static const struct ops line_ops = {line_put, line_get}, futex_ops = {futex_put, futex_get};

static int line_open(struct line_end *e, struct run *run)
{
        size_t stride = line_stride(run->plan);
        unsigned char *lines = run->state, *there = lines, *back = lines + LINES * stride;

        *e = (struct line_end){.out = run->producer ? there : back, .in = run->producer ? back : there,
                               .stride = stride, .size = run->plan->size};
        e->copy = aligned_alloc(64, (e->size + 63) / 64 * 64);
        return e->copy ? pool_make(&e->pool, e->size, 1, 0) : -ENOMEM;
}

static int line_work(struct run *run)
{
        struct line_end e;
        int rc = line_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(&line_ops, &e, run);
        return rc ? rc : run_done(run);
}

static int futex_work(struct run *run)
{
        struct line_end e;
        int rc = line_open(&e, run);

        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = loop_run(&futex_ops, &e, run);
        return rc ? rc : run_done(run);
}

/* ---- ring ------------------------------------------------------------------------------------------------ */

struct slots {
        alignas(128) _Atomic uint64_t written; /* messages */
        alignas(128) _Atomic uint64_t read;
        alignas(128) unsigned char bytes[];
};

struct ring_end {
        struct slots *slots;
        uint64_t mine, other; /* our index; the other side's as last seen */
        uint64_t n, mask;
        size_t size, stride;
        struct pool pool;
        unsigned char *copy;
};

static size_t ring_stride(const struct plan *plan)
{
        return (plan->size + 63) / 64 * 64;
}

/* Slots: a power of two, and no more bytes than the capacity; but two at least. */
static uint64_t ring_slots(const struct plan *plan)
{
        uint64_t n = 2;

        while (2 * n * ring_stride(plan) <= plan->capacity)
                n *= 2;
        return n;
}

static size_t ring_bytes(const struct plan *plan)
{
        return sizeof(struct slots) + ring_slots(plan) * ring_stride(plan);
}

static int ring_setup(struct run *run)
{
        return map_shared(run, ring_bytes(run->plan));
}

static void ring_teardown(struct run *run)
{
        if (run->state)
                munmap(run->state, ring_bytes(run->plan));
}

ALWAYS unsigned char *ring_slot(const struct ring_end *e)
{
        return e->slots->bytes + (e->mine & e->mask) * e->stride;
}

static inline int ring_put(void *end, uint64_t word)
{
        struct ring_end *e = end;

        if (e->mine - e->other == e->n) {
                e->other = atomic_load_explicit(&e->slots->read, memory_order_acquire);
                if (e->mine - e->other == e->n)
                        return -EAGAIN;
        }
        copy_bytes(ring_slot(e), pool_take(&e->pool, word), e->size);
        atomic_store_explicit(&e->slots->written, ++e->mine, memory_order_release);
        return 0;
}

ALWAYS bool ring_ready(struct ring_end *e)
{
        if (e->mine == e->other)
                e->other = atomic_load_explicit(&e->slots->written, memory_order_acquire);
        return e->mine != e->other;
}

static inline int ring_get(void *end, uint64_t *word)
{
        struct ring_end *e = end;

        if (!ring_ready(e))
                return -EAGAIN;
        copy_bytes(e->copy, ring_slot(e), e->size);
        memcpy(word, e->copy, sizeof(*word));
        atomic_store_explicit(&e->slots->read, ++e->mine, memory_order_release);
        return 0;
}

static inline int ring_get_in_place(void *end, uint64_t *word)
{
        struct ring_end *e = end;

        if (!ring_ready(e))
                return -EAGAIN;
        memcpy(word, ring_slot(e), sizeof(*word));
        read_lines(ring_slot(e), e->size);
        atomic_store_explicit(&e->slots->read, ++e->mine, memory_order_release);
        return 0;
}

static const struct ops ring_ops = {ring_put, ring_get}, ring_ops_in_place = {ring_put, ring_get_in_place};

static int ring_work(struct run *run)
{
        const struct plan *plan = run->plan;
        struct ring_end e = {.slots = run->state, .n = ring_slots(plan), .mask = ring_slots(plan) - 1,
                             .size = plan->size, .stride = ring_stride(plan)};
        int rc = pool_make(&e.pool, e.size, 1, first_word(run));

        e.copy = aligned_alloc(64, e.stride);
        if (rc == 0 && !e.copy)
                rc = -ENOMEM;
        if (rc == 0)
                rc = run_attached(run);
        if (rc == 0)
                rc = plan->bytes == BYTES_COPY ? loop_run(&ring_ops, &e, run) : loop_run(&ring_ops_in_place, &e, run);
        return rc ? rc : run_done(run);
}

const struct transport transport_line = {.name = "line", .size_max = BENCH_SIZE_MAX, .spins = true, .producers_max = 1,
        .consumers_max = 1, .setup = line_setup, .teardown = line_teardown, .work = line_work};
const struct transport transport_futex = {.name = "futex", .size_max = BENCH_SIZE_MAX, .blocks = true,
        .producers_max = 1, .consumers_max = 1, .setup = line_setup, .teardown = line_teardown, .work = futex_work};
const struct transport transport_ring = {.name = "slot ring", .size_max = BENCH_SIZE_MAX, .spins = true,
        .producers_max = 1, .consumers_max = 1, .setup = ring_setup, .teardown = ring_teardown, .work = ring_work};
