/*
 * cases.c - the list of cases.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIB 1024ull
#define MIB (1024 * KIB)

/* ---- building -------------------------------------------------------------------------------------------- */

static void group_begin(struct cases *c, enum work work, const char *id, const char *title)
{
        struct group *g = &c->groups[c->n_groups];

        if (c->n_groups == GROUPS_MAX)
                abort(); /* our own list: make the table larger */
        *g = (struct group){.work = work, .first = c->n_cases};
        snprintf(g->id, sizeof(g->id), "%s", id);
        snprintf(g->title, sizeof(g->title), "%s", title);
        c->n_groups++;
}

/* A case like `plan` in the group begun last; its id is "GROUP.id". */
static void add(struct cases *c, const struct transport *t, const char *id, const char *label, struct plan plan)
{
        struct group *g = &c->groups[c->n_groups - 1];
        struct bench_case *k = &c->cases[c->n_cases];

        if (c->n_cases == CASES_MAX)
                abort();
        if (t && (plan.size > t->size_max || plan.producers > t->producers_max || plan.consumers > t->consumers_max))
                return;
        if (t && (plan.wait == WAIT_BLOCK ? !t->blocks : !t->spins))
                plan.wait = t->blocks ? WAIT_BLOCK : WAIT_YIELD;
        plan.work = g->work;
        k->group = c->n_groups - 1;
        k->transport = t;
        k->plan = plan;
        snprintf(k->id, sizeof(k->id), "%s.%s", g->id, id);
        snprintf(k->label, sizeof(k->label), "%s", label);
        c->n_cases++;
        g->n++;
}

/* The other ways, each as `plan`. */
static void add_peers(struct cases *c, struct plan plan)
{
        add(c, &transport_pipe, "pipe", "pipe", plan);
        add(c, &transport_seqpacket, "seqpacket", "SOCK_SEQPACKET", plan);
        add(c, &transport_mq, "mq", "POSIX message queue", plan);
        add(c, transport_boost, "boost", "boost message_queue", plan);
        add(c, transport_zmq, "zmq", "ZeroMQ ipc", plan);
        add(c, transport_nng, "nng", "nng ipc", plan);
}

/* ---- what every run measures ----------------------------------------------------------------------------- */

static void add_round_trips(struct cases *c, struct plan plan)
{
        plan.wait = WAIT_SPIN;
        group_begin(c, WORK_ROUND_TRIP, "rt32", "round trip of 32 bytes, spinning");
        add(c, &transport_line, "line", "bare cache line (floor)", plan);
        add(c, &transport_torc, "torc", "torc", plan);
        add_peers(c, plan);

        group_begin(c, WORK_ROUND_TRIP, "rt1k", "round trip of 1 KiB, spinning, copied in and out");
        plan.size = KIB;
        add(c, &transport_line, "line", "bare cache lines (floor)", plan);
        add(c, &transport_torc, "torc", "torc", plan);
        add(c, &transport_pipe, "pipe", "pipe", plan);

        group_begin(c, WORK_ROUND_TRIP, "hop", "round trip in place, spinning, only the first 8 bytes written and read");
        plan.bytes = BYTES_FIRST;
        plan.capacity = 16 * MIB;
        plan.size = 64;
        add(c, &transport_torc, "64", "torc, 64 B", plan);
        plan.size = MIB;
        add(c, &transport_torc, "1m", "torc, 1 MiB", plan);
        plan.bytes = BYTES_COPY;

        group_begin(c, WORK_ROUND_TRIP, "asleep", "round trip of 32 bytes, everyone asleep (100 us pass before each)");
        plan.capacity = 4 * MIB;
        plan.size = 32;
        plan.wait = WAIT_BLOCK;
        plan.idle_ns = 100000;
        add(c, &transport_futex, "futex", "bare futex (floor)", plan);
        add(c, &transport_torc, "torc", "torc, blocking", plan);
        add_peers(c, plan);

        group_begin(c, WORK_ROUND_TRIP, "block", "round trip of 32 bytes, blocking calls, back to back");
        plan.idle_ns = 0;
        add(c, &transport_futex, "futex", "bare futex", plan);
        add(c, &transport_torc, "torc", "torc (looks, then sleeps)", plan);
        add(c, &transport_pipe, "pipe", "pipe", plan);
}

static void add_many(struct cases *c, struct plan plan, unsigned producers, unsigned consumers)
{
        char id[32], label[64];

        plan.producers = producers;
        plan.consumers = consumers;
        snprintf(id, sizeof(id), "torc.%ux%u", producers, consumers);
        snprintf(label, sizeof(label), "torc, %u -> %u", producers, consumers);
        add(c, &transport_torc, id, label, plan);
}

/* The four ways to use torc for a stream. */
static void add_torc_ways(struct cases *c, struct plan plan)
{
        plan.bytes = BYTES_COPY;
        add(c, &transport_torc, "torc", "torc, send + recv", plan);
        plan.bytes = BYTES_IN_PLACE;
        add(c, &transport_torc, "torc.inplace", "torc, claim + view", plan);
        if (plan.size * 64 <= plan.capacity / 8) {
                plan.batch = 64;
                add(c, &transport_torc, "torc.batch64", "torc, send_batch of 64 + poll", plan);
        }
}

static void add_streams(struct cases *c, struct plan plan)
{
        plan.wait = WAIT_YIELD;
        group_begin(c, WORK_STREAM, "s32", "stream of 32 bytes, 1 -> 1");
        add(c, &transport_ring, "ring", "slot ring, 64-byte slots (floor)", plan);
        add_torc_ways(c, plan);
        add_peers(c, plan);

        group_begin(c, WORK_STREAM, "many", "stream of 32 bytes, send + recv, several producers or consumers");
        add_many(c, plan, 1, 1);
        add_many(c, plan, 2, 1);
        add_many(c, plan, 4, 1);
        add_many(c, plan, 1, 8);
        add_many(c, plan, 1, 64);

        group_begin(c, WORK_STREAM, "s1k", "stream of 1 KiB, 1 -> 1");
        plan.size = KIB;
        add(c, &transport_ring, "ring", "slot ring, copied in and out", plan);
        add_torc_ways(c, plan);
        add_peers(c, plan);

        group_begin(c, WORK_STREAM, "s64k", "stream of 64 KiB, 1 -> 1");
        plan.size = 64 * KIB;
        plan.bytes = BYTES_IN_PLACE;
        add(c, &transport_ring, "ring.inplace", "slot ring, copied in, read in place", plan);
        add(c, &transport_torc, "torc.inplace", "torc, claim + view", plan);
        plan.bytes = BYTES_COPY;
        add(c, &transport_ring, "ring", "slot ring, copied in and out", plan);
        add(c, &transport_torc, "torc", "torc, send + recv", plan);
        add_peers(c, plan);
}

/* ---- sweeps ---------------------------------------------------------------------------------------------- */

static void add_capacities(struct cases *c, struct plan plan, enum extent extent)
{
        static const uint64_t capacities[] = {64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB, 64 * MIB};

        group_begin(c, WORK_STREAM, "cap", "stream of 32 bytes, 1 -> 1, by capacity");
        plan.wait = WAIT_YIELD;
        for (unsigned i = 0; i < sizeof(capacities) / sizeof(capacities[0]); i++) {
                char id[32], label[64];

                if (extent == EXTENT_QUICK && i != 0 && i != 2 && i != 5)
                        continue;
                plan.capacity = capacities[i];
                plan.batch = 1;
                snprintf(id, sizeof(id), "ring.%llu", (unsigned long long)(plan.capacity / KIB));
                snprintf(label, sizeof(label), "slot ring, %llu KiB", (unsigned long long)(plan.capacity / KIB));
                add(c, &transport_ring, id, label, plan);
                snprintf(id, sizeof(id), "torc.%llu", (unsigned long long)(plan.capacity / KIB));
                snprintf(label, sizeof(label), "torc, send + recv, %llu KiB", (unsigned long long)(plan.capacity / KIB));
                add(c, &transport_torc, id, label, plan);
                plan.batch = 64;
                snprintf(id, sizeof(id), "torc64.%llu", (unsigned long long)(plan.capacity / KIB));
                snprintf(label, sizeof(label), "torc, batch 64 + poll, %llu KiB", (unsigned long long)(plan.capacity / KIB));
                add(c, &transport_torc, id, label, plan);
        }
}

static void add_sizes(struct cases *c, struct plan plan)
{
        static const size_t sizes[] = {8, 32, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB};
        const unsigned n_sizes = sizeof(sizes) / sizeof(sizes[0]);
        static const struct {
                const char *id, *label;
                bool torc;
                enum bytes_style bytes;
        } ways[] = {{"ring", "slot ring, copied", false, BYTES_COPY},
                    {"ringip", "slot ring, read in place", false, BYTES_IN_PLACE},
                    {"torc", "torc, send + recv", true, BYTES_COPY},
                    {"torcip", "torc, claim + view", true, BYTES_IN_PLACE}};

        group_begin(c, WORK_STREAM, "size", "stream, 1 -> 1, by payload; ring of 16 MiB");
        plan.wait = WAIT_YIELD;
        plan.capacity = 16 * MIB;
        for (unsigned i = 0; i < n_sizes; i++)
                for (unsigned w = 0; w < 4; w++) {
                        char id[32], label[64];

                        plan.size = sizes[i];
                        plan.bytes = ways[w].bytes;
                        snprintf(id, sizeof(id), "%s.%zu", ways[w].id, plan.size);
                        snprintf(label, sizeof(label), "%s, %zu B", ways[w].label, plan.size);
                        add(c, ways[w].torc ? &transport_torc : &transport_ring, id, label, plan);
                }

        group_begin(c, WORK_ROUND_TRIP, "rtsize", "round trip, spinning, copied in and out, by payload");
        plan.wait = WAIT_SPIN;
        plan.bytes = BYTES_COPY;
        for (unsigned i = 0; i < n_sizes; i++)
                for (unsigned w = 0; w < 4; w += 2) {
                        char id[32], label[64];

                        plan.size = sizes[i];
                        snprintf(id, sizeof(id), "%s.%zu", ways[w].torc ? "torc" : "line", plan.size);
                        snprintf(label, sizeof(label), "%s, %zu B", ways[w].torc ? "torc" : "bare cache lines", plan.size);
                        add(c, ways[w].torc ? &transport_torc : &transport_line, id, label, plan);
                }
}

static void add_counts(struct cases *c, struct plan plan)
{
        group_begin(c, WORK_STREAM, "producers", "stream of 32 bytes, send + recv, by producers");
        plan.wait = WAIT_YIELD;
        for (unsigned n = 1; n <= 8; n *= 2)
                add_many(c, plan, n, 1);
        group_begin(c, WORK_STREAM, "consumers", "stream of 32 bytes, send + recv, by consumers; rate at each");
        for (unsigned n = 1; n <= 64; n *= 2)
                add_many(c, plan, 1, n);
}

static void add_waits(struct cases *c, struct plan plan)
{
        static const char *const names[] = {[WAIT_SPIN] = "spin", [WAIT_YIELD] = "yield", [WAIT_BLOCK] = "block"};

        group_begin(c, WORK_STREAM, "wait", "stream of 32 bytes, 1 -> 1, torc, by what is done when there is nothing to do");
        for (unsigned batch = 1; batch <= 64; batch *= 8)
                for (enum wait_style w = WAIT_SPIN; w <= WAIT_BLOCK; w++) {
                        char id[32], label[64];

                        plan.wait = w;
                        plan.batch = batch;
                        snprintf(id, sizeof(id), "%s.%u", names[w], batch);
                        snprintf(label, sizeof(label), "torc, %s, batch %u", names[w], batch);
                        add(c, &transport_torc, id, label, plan);
                }
}

int cases_make(struct cases *c, enum extent extent, int64_t ns)
{
        struct plan plan = {.size = 32, .producers = 1, .consumers = 1, .capacity = 4 * MIB, .batch = 1, .ns = ns};

        *c = (struct cases){.cases = calloc(CASES_MAX, sizeof(*c->cases))};
        if (!c->cases)
                return -ENOMEM;
        add_round_trips(c, plan);
        add_streams(c, plan);
        add_capacities(c, plan, extent);
        if (extent == EXTENT_FULL) {
                add_sizes(c, plan);
                add_counts(c, plan);
                add_waits(c, plan);
        }
        return 0;
}

/* ---- figures --------------------------------------------------------------------------------------------- */

const struct bench_case *cases_find(const struct cases *cases, const char *id)
{
        for (unsigned i = 0; i < cases->n_cases; i++)
                if (strcmp(cases->cases[i].id, id) == 0)
                        return &cases->cases[i];
        return NULL;
}

static int by_double(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

double median_of_doubles(double *values, unsigned n)
{
        if (n == 0)
                return 0;
        qsort(values, n, sizeof(*values), by_double);
        return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

struct figure case_figure(const struct bench_case *c, enum place place)
{
        double quiet[SAMPLES_MAX], all[SAMPLES_MAX], *values = quiet;
        unsigned n_quiet = 0, n_all = 0;

        for (unsigned i = 0; i < c->n_samples; i++) {
                const struct sample *s = &c->sample[i];

                if (s->place != place)
                        continue;
                all[n_all++] = s->value;
                if (!s->disturbed)
                        quiet[n_quiet++] = s->value;
        }
        struct figure f = {.n = n_quiet};
        if (n_quiet == 0) {
                f.n = f.disturbed = n_all;
                values = all;
        }
        if (f.n == 0)
                return f;
        f.median = median_of_doubles(values, f.n); /* sorts */
        f.min = values[0];
        f.max = values[f.n - 1];
        return f;
}
