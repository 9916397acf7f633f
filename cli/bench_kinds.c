/*
 * bench_kinds.c - what is measured: round trips and floods, over torc, over a pipe, and over bare cache lines.
 *
 * A round trip over bare cache lines (each side waits for the other's word to change, then changes its own) is what
 * the machine itself costs: nothing that two processes do can be faster. A pipe is what a program would use
 * otherwise. A round trip ends with an empty message, a closed pipe, or UINT64_MAX; a flood with an empty message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "torc.h"
#include "torc_admin.h"

#define CAPACITY       (4ull << 20)
#define SIZE_MAX_BYTES 65536u

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
}

/* ---- both sides of a torc measurement -------------------------------------------------------------------- */

struct ends {
        struct torc_bus *bus;
        struct torc_producer *out;
        struct torc_consumer *in;
        char out_name[32], in_name[32];
};

/* NULL: no such end. Both sides make the streams if they are first; they agree on how. */
static int ends_open(struct ends *ends, const struct bench_plan *plan, const char *out, const char *in)
{
        struct torc_stream_config stream = TORC_STREAM_CONFIG_INIT;
        struct torc_bus_config bus = {.root = plan->root, .name = "bench", .peer_name = "torc-bench"};
        struct torc_producer_config producer = {.stream = &stream};
        struct torc_consumer_config consumer = {.stream = &stream};
        int code = torc_bus_open(&ends->bus, &bus);

        stream.capacity_bytes = CAPACITY;
        stream.lag = TORC_LAG_BLOCK;
        stream.online_min = 0;
        if (code == 0 && in) {
                snprintf(ends->in_name, sizeof(ends->in_name), "%s-%u", in, plan->round);
                code = torc_consumer_open(&ends->in, ends->bus, ends->in_name, &consumer);
        }
        if (code == 0 && out) {
                snprintf(ends->out_name, sizeof(ends->out_name), "%s-%u", out, plan->round);
                code = torc_producer_open(&ends->out, ends->bus, ends->out_name, &producer);
        }
        return code;
}

static void ends_close(struct ends *ends, bool remove)
{
        torc_consumer_close(&ends->in);
        torc_producer_close(&ends->out);
        if (remove && ends->out_name[0])
                (void)torc_stream_remove(ends->bus, ends->out_name);
        if (remove && ends->in_name[0])
                (void)torc_stream_remove(ends->bus, ends->in_name);
        torc_bus_close(&ends->bus);
}

/* The next message in place, spinning or sleeping. */
static int next_view(struct torc_consumer *in, struct torc_view *view, bool spin)
{
        int code;

        if (!spin)
                return torc_consumer_view(in, view, -1);
        while ((code = torc_consumer_view(in, view, 0)) == -EAGAIN)
                relax();
        return code;
}

/* ---- round trips ----------------------------------------------------------------------------------------- */

struct trips {
        struct bench_result *result;
        int64_t warm_ns, until, last, pause_ns;
        unsigned warmup;
};

static void trips_begin(struct trips *trips, const struct bench_plan *plan, struct bench_result *result)
{
        result->n_samples = 0;
        trips->result = result;
        trips->pause_ns = plan->pause_ns;
        trips->warmup = plan->pause_ns ? 10 : BENCH_WARMUP;
        trips->last = bench_now();
        trips->warm_ns = trips->last + plan->round_ns / 10;
        trips->until = trips->last + plan->round_ns;
}

/* Before a trip: nothing, or the pause. */
static void trips_pause(struct trips *trips)
{
        struct timespec pause = {.tv_nsec = trips->pause_ns};

        if (trips->pause_ns == 0)
                return;
        nanosleep(&pause, NULL);
        trips->last = bench_now();
}

/* One trip is over. Is there to be another? Its time is from the end of the one before: one clock call per trip. */
static bool trips_next(struct trips *trips)
{
        int64_t now = bench_now(), took = now - trips->last;

        if (trips->warmup > 0 && now < trips->warm_ns)
                trips->warmup--;
        else
                trips->result->samples[trips->result->n_samples++] =
                        took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
        trips->last = now;
        return now < trips->until && trips->result->n_samples < BENCH_SAMPLES;
}

static int torc_trips(const struct bench_plan *plan, struct bench_shared *shared, struct bench_result *result,
                      bool spin)
{
        struct ends ends = {0};
        unsigned char data[SIZE_MAX_BYTES] = {0};
        struct torc_view view;
        struct trips trips;
        int code = ends_open(&ends, plan, "ping", "pong");

        if (code == 0)
                code = bench_start(shared);
        trips_begin(&trips, plan, result);
        while (code == 0) {
                trips_pause(&trips);
                code = torc_producer_send(ends.out, data, plan->size, -1, NULL);
                if (code == 0)
                        code = next_view(ends.in, &view, spin);
                if (code == 0)
                        code = torc_consumer_release(ends.in);
                if (code == 0 && !trips_next(&trips))
                        break;
        }
        if (code == 0)
                code = torc_producer_send(ends.out, NULL, 0, -1, NULL);
        if (code == 0)
                code = torc_producer_flush(ends.out, NULL, 1000);
        ends_close(&ends, true);
        return code;
}

static int torc_echo(const struct bench_plan *plan, struct bench_shared *shared, bool spin)
{
        struct ends ends = {0};
        unsigned char data[SIZE_MAX_BYTES];
        struct torc_view view;
        bool more = true;
        int code = ends_open(&ends, plan, "pong", "ping");

        if (code == 0)
                code = bench_start(shared);
        while (code == 0 && more) {
                code = next_view(ends.in, &view, spin);
                if (code != 0)
                        break;
                size_t len = view.len <= sizeof(data) ? view.len : 0;

                memcpy(data, view.data, len);
                more = len > 0;
                code = torc_consumer_release(ends.in);
                if (code == 0 && more)
                        code = torc_producer_send(ends.out, data, len, -1, NULL);
        }
        ends_close(&ends, false);
        return code;
}

static int spin_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        (void)pipes;
        return torc_trips(plan, shared, result, true);
}

static int spin_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                      struct bench_result *result)
{
        (void)pipes;
        (void)result;
        return torc_echo(plan, shared, true);
}

static int block_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                        struct bench_result *result)
{
        (void)pipes;
        return torc_trips(plan, shared, result, false);
}

static int block_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        (void)pipes;
        (void)result;
        return torc_echo(plan, shared, false);
}

/* The floor: one word there, one word back; no payload, no queue, no safety. */
static int line_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        struct trips trips;
        uint64_t n = 0;
        int code = bench_start(shared);

        (void)pipes;
        trips_begin(&trips, plan, result);
        while (code == 0) {
                /* release and acquire: what a message needs at least. */
                n++;
                atomic_store_explicit(&shared->ping[n % BENCH_LINES].number, n, memory_order_release);
                while (atomic_load_explicit(&shared->pong[n % BENCH_LINES].number, memory_order_acquire) != n)
                        relax();
                if (!trips_next(&trips))
                        break;
        }
        n++;
        atomic_store_explicit(&shared->ping[n % BENCH_LINES].number, UINT64_MAX, memory_order_release);
        return code;
}

static int line_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                      struct bench_result *result)
{
        uint64_t next = 1, n;
        int code = bench_start(shared);

        (void)plan;
        (void)pipes;
        (void)result;
        while (code == 0) {
                const struct bench_line *ping = &shared->ping[next % BENCH_LINES];

                while ((n = atomic_load_explicit(&ping->number, memory_order_acquire)) != next && n != UINT64_MAX)
                        relax();
                if (n == UINT64_MAX)
                        break;
                atomic_store_explicit(&shared->pong[next++ % BENCH_LINES].number, n, memory_order_release);
        }
        return code;
}

/* Reads exactly len bytes. Returns 1, 0 at the end of the pipe, -errno. */
static int pipe_read(int fd, unsigned char *data, size_t len)
{
        for (size_t at = 0; at < len;) {
                ssize_t n = read(fd, data + at, len - at);

                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        at += (size_t)n;
        }
        return 1;
}

static int pipe_write(int fd, const unsigned char *data, size_t len)
{
        for (size_t at = 0; at < len;) {
                ssize_t n = write(fd, data + at, len - at);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        at += (size_t)n;
        }
        return 0;
}

static int pipe_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        unsigned char data[SIZE_MAX_BYTES] = {0};
        struct trips trips;
        int code = bench_start(shared);

        trips_begin(&trips, plan, result);
        while (code == 0) {
                trips_pause(&trips);
                code = pipe_write(pipes[1], data, plan->size);
                if (code == 0) {
                        int got = pipe_read(pipes[2], data, plan->size);

                        code = got == 1 ? 0 : got == 0 ? -EPIPE : got;
                }
                if (code == 0 && !trips_next(&trips))
                        break;
        }
        return code; /* the pipe is closed by our caller: the child sees the end */
}

static int pipe_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                      struct bench_result *result)
{
        unsigned char data[SIZE_MAX_BYTES];
        int code = bench_start(shared), got = 1;

        (void)result;
        while (code == 0 && (got = pipe_read(pipes[0], data, plan->size)) == 1)
                code = pipe_write(pipes[3], data, plan->size);
        return code != 0 ? code : got;
}

/* ---- floods ---------------------------------------------------------------------------------------------- */

/* The reader of a message looks at one word of each cache line: it uses what it was sent. */
static uint64_t look_at(const void *data, size_t len)
{
        const unsigned char *bytes = data;
        uint64_t sum = 0;

        for (size_t i = 0; i < len; i += 64)
                sum += bytes[i];
        return sum;
}

static int flood(const struct bench_plan *plan, struct bench_shared *shared, struct bench_result *result,
                 size_t batch)
{
        static unsigned char data[SIZE_MAX_BYTES];
        struct torc_span spans[BENCH_BATCH];
        struct ends ends = {0};
        size_t accepted;
        int64_t start;
        int code = ends_open(&ends, plan, "flood", NULL);

        for (size_t i = 0; i < BENCH_BATCH; i++)
                spans[i] = (struct torc_span){data, plan->size};
        if (code == 0)
                code = bench_start(shared);
        start = bench_now();
        for (result->messages = 0; code == 0 && bench_now() < start + plan->round_ns;) {
                if (batch > 1)
                        code = torc_producer_send_batch(ends.out, spans, BENCH_BATCH, -1, &accepted);
                for (size_t i = 0; batch == 1 && i < BENCH_BATCH && code == 0; i++)
                        code = torc_producer_send(ends.out, data, plan->size, -1, NULL);
                result->messages += BENCH_BATCH;
        }
        if (code == 0)
                code = torc_producer_send(ends.out, NULL, 0, -1, NULL);
        if (code == 0)
                code = torc_producer_flush(ends.out, NULL, 5000);
        /* Written by the child before it read the last message's end; the flush has seen that. */
        result->seconds = (double)(bench_now() - start) / 1e9;
        ends_close(&ends, true);
        return code;
}

struct drain {
        uint64_t messages, sum;
        bool ended;
};

static int on_flood(const struct torc_view *view, void *arg)
{
        struct drain *drain = arg;

        drain->sum += look_at(view->data, view->len);
        drain->messages++;
        drain->ended = view->len == 0;
        return drain->ended;
}

static int flood_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        struct ends ends = {0};
        struct drain drain = {0};
        struct torc_view view;
        size_t handled;
        int code = ends_open(&ends, plan, NULL, "flood");

        (void)pipes;
        (void)result;
        if (code == 0)
                code = bench_start(shared);
        while (code == 0 && !drain.ended) {
                code = torc_consumer_poll(ends.in, on_flood, &drain, 256, &handled);
                if (code == -EAGAIN) { /* sleep until there is one, then go on in bulk */
                        code = torc_consumer_view(ends.in, &view, -1);
                        if (code == 0) {
                                (void)on_flood(&view, &drain);
                                code = torc_consumer_release(ends.in);
                        }
                } else if (code == 1) {
                        code = 0;
                }
        }
        shared->received = drain.messages - 1;
        ends_close(&ends, false);
        return code;
}

static int send_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        (void)pipes;
        return flood(plan, shared, result, 1);
}

static int batch_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                        struct bench_result *result)
{
        (void)pipes;
        return flood(plan, shared, result, BENCH_BATCH);
}

/* One write(2) per message, as a program without a buffer of its own would do. The last byte back says that all of
 * it was read. */
static int write_parent(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                        struct bench_result *result)
{
        static unsigned char data[SIZE_MAX_BYTES];
        int64_t start;
        int code = bench_start(shared), got;

        start = bench_now();
        for (result->messages = 0; code == 0 && bench_now() < start + plan->round_ns;) {
                for (size_t i = 0; i < BENCH_BATCH && code == 0; i++)
                        code = pipe_write(pipes[1], data, plan->size);
                result->messages += BENCH_BATCH;
        }
        memset(data, 1, plan->size); /* the end */
        if (code == 0)
                code = pipe_write(pipes[1], data, plan->size);
        memset(data, 0, plan->size);
        got = code == 0 ? pipe_read(pipes[2], data, 1) : 0;
        result->seconds = (double)(bench_now() - start) / 1e9;
        return code != 0 ? code : got == 1 ? 0 : -EPIPE;
}

/* Reads as much as the pipe holds; messages are cut by their fixed size, so their ends cost the pipe nothing. */
static int write_child(const struct bench_plan *plan, struct bench_shared *shared, const int pipes[4],
                       struct bench_result *result)
{
        static unsigned char data[SIZE_MAX_BYTES];
        uint64_t sum = 0;
        int code = bench_start(shared);

        (void)plan;
        (void)result;
        while (code == 0) {
                ssize_t n = read(pipes[0], data, sizeof(data));

                if (n <= 0)
                        return n < 0 ? -errno : -EPIPE;
                sum += look_at(data, (size_t)n);
                if (data[n - 1] == 1)
                        break;
        }
        shared->received = sum;
        return code != 0 ? code : pipe_write(pipes[3], data, 1);
}

#define PAUSE_NS 200000

const struct bench_kind bench_cache_line = {"cache line", line_parent, line_child, true, 0};
const struct bench_kind bench_torc_spin = {"torc, spinning", spin_parent, spin_child, true, 0};
const struct bench_kind bench_torc_block = {"torc, blocking", block_parent, block_child, false, 0};
const struct bench_kind bench_pipe = {"pipe", pipe_parent, pipe_child, false, 0};
const struct bench_kind bench_torc_wake = {"torc, asleep", block_parent, block_child, false, PAUSE_NS};
const struct bench_kind bench_pipe_wake = {"pipe, asleep", pipe_parent, pipe_child, false, PAUSE_NS};
const struct bench_kind bench_torc_send = {"torc", send_parent, flood_child, false, 0};
const struct bench_kind bench_torc_batch = {"torc, batches", batch_parent, flood_child, false, 0};
const struct bench_kind bench_pipe_write = {"pipe", write_parent, write_child, false, 0};
