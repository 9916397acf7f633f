/*
 * report.c - tables for people.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "torc.h"

const char *bench_strerror(int code)
{
        if (code == -EAGAIN)
                return "a consumer was starved: it did not get through its warm-up";
        return code == -ECHILD ? "a worker ended early" : torc_strerror(code);
}

/* ---- groups ---------------------------------------------------------------------------------------------- */

/* A figure of the latencies of the samples that count, by its place in struct hist_summary: the median over them. */
static double percentile(const struct bench_case *c, enum place place, size_t offset)
{
        double values[SAMPLES_MAX];
        unsigned n = 0;
        bool all = case_figure(c, place).disturbed > 0;

        for (unsigned i = 0; i < c->n_samples; i++)
                if (c->sample[i].place == place && (all || !c->sample[i].disturbed))
                        memcpy(&values[n++], (const char *)&c->sample[i].latency + offset, sizeof(double));
        return median_of_doubles(values, n);
}

#define PERCENTILE(c, place, field) percentile(c, place, offsetof(struct hist_summary, field))

static bool group_has(const struct cases *cases, const struct group *g, enum place place)
{
        for (unsigned i = 0; i < g->n; i++)
                if (case_figure(&cases->cases[g->first + i], place).n > 0)
                        return true;
        return false;
}

static void print_ratio(double value, double floor)
{
        if (floor > 0)
                printf(" %8.2f", value / floor);
        else
                printf(" %8s", "-");
}

static void print_case(const struct bench_case *c, enum work work, enum place place, double floor)
{
        struct figure f = case_figure(c, place);

        if (f.n == 0)
                return;
        printf("  %-36s%c", c->label, f.disturbed ? '!' : ' ');
        if (work == WORK_ROUND_TRIP) {
                printf(" %9.0f %9.0f %9.0f", f.median, f.min, f.max);
                print_ratio(f.median, floor);
                printf(" %9.0f %9.0f %9.0f %10.0f", PERCENTILE(c, place, p99), PERCENTILE(c, place, p999),
                       PERCENTILE(c, place, p9999), PERCENTILE(c, place, max));
        } else {
                printf(" %9.3f %9.3f %9.3f", f.median / 1e6, f.min / 1e6, f.max / 1e6);
                print_ratio(f.median, floor);
                printf(" %9.2f", f.median * (double)c->plan.size / 1e9);
        }
        printf("   %u\n", f.n);
}

static void print_place(const struct cases *cases, const struct group *g, enum place place)
{
        double floor = case_figure(&cases->cases[g->first], place).median;

        if (g->work == WORK_ROUND_TRIP)
                printf("  %-37s %9s %9s %9s %8s %9s %9s %9s %10s   n\n", place_name(place), "ns", "min", "max",
                       "to 1st", "p99", "p99.9", "p99.99", "max");
        else
                printf("  %-37s %9s %9s %9s %8s %9s   n\n", place_name(place), "M/s", "min", "max", "to 1st", "GB/s");
        for (unsigned i = 0; i < g->n; i++)
                print_case(&cases->cases[g->first + i], g->work, place, floor);
}

static void print_troubles(const struct cases *cases, const struct group *g, const struct facts *facts)
{
        unsigned moved = 0;

        for (unsigned i = 0; i < g->n; i++) {
                const struct bench_case *c = &cases->cases[g->first + i];

                if (!c->transport)
                        printf("  %-36s  skipped: built without it (packaging/packages-bench.txt)\n", c->label);
                else if (c->plan.wait == WAIT_SPIN && facts->machine.n_cpus < 2)
                        printf("  %-36s  skipped: needs two CPUs\n", c->label);
                if (c->n_failed)
                        printf("  %-36s  %u samples failed, the last: %s\n", c->label, c->n_failed,
                               bench_strerror(c->error));
                moved += c->n_moved;
        }
        if (moved)
                printf("  dropped because the CPUs moved meanwhile: %u samples\n", moved);
}

static bool group_tried(const struct cases *cases, const struct group *g)
{
        for (unsigned i = 0; i < g->n; i++) {
                const struct bench_case *c = &cases->cases[g->first + i];

                if (c->n_samples || c->n_failed || c->n_moved)
                        return true;
        }
        return false;
}

static void print_head(const struct facts *facts)
{
        printf("torc-bench %s, %s: %u rounds of %lld ms, %u CPUs (%d and %d for pairs), load %.2f before, %.2f after, %.0f s%s\n",
               TORC_VERSION, facts->started, facts->rounds, (long long)(facts->sample_ns / 1000000),
               facts->machine.n_cpus, facts->machine.cpu[0], facts->machine.cpu[facts->machine.n_cpus > 1],
               facts->load_before, facts->load_after, facts->seconds, facts->interrupted ? "; interrupted" : "");
        printf("near, far, siblings: where the CPUs were, by the probe. shared: the probe had no two CPUs for itself.\n"
               "Medians over n samples, with the least and the greatest; '!': something else ran on our CPUs all the "
               "time.\n"
               "p99 and beyond are of single trips, corrected for coordinated omission.\n");
}

void report_groups(const struct cases *cases, const struct facts *facts)
{
        print_head(facts);
        for (unsigned g = 0; g < cases->n_groups; g++) {
                const struct group *group = &cases->groups[g];

                if (!group_tried(cases, group))
                        continue;
                printf("\n%s: %s\n", group->id, group->title);
                for (enum place place = 0; place < PLACE_COUNT; place++)
                        if (group_has(cases, group, place))
                                print_place(cases, group, place);
                print_troubles(cases, group, facts);
        }
}

/* ---- growth ---------------------------------------------------------------------------------------------- */

void report_growth(const struct growth *g)
{
        if (g->error == -ENODATA)
                return;
        printf("\ngrowth: before any message is sent\n");
        if (g->error) {
                printf("  failed: %s\n", bench_strerror(g->error));
                return;
        }
        printf("  attach a producer to a stream       %8.0f us (%.0f to %.0f)\n", g->attach_producer_us.median,
               g->attach_producer_us.min, g->attach_producer_us.max);
        printf("  attach a consumer to a stream       %8.0f us (%.0f to %.0f)\n", g->attach_consumer_us.median,
               g->attach_consumer_us.min, g->attach_consumer_us.max);
        for (unsigned i = 0; i < 3; i++)
                if (g->streams[i].error)
                        printf("  %4u streams: %s\n", g->streams[i].n, bench_strerror(g->streams[i].error));
                else
                        printf("  make and open %4u streams          %8.1f ms; each %.0f KiB beside its ring\n",
                               g->streams[i].n, g->streams[i].open_ms, g->streams[i].bytes_over_ring / 1024);
        for (unsigned i = 0; i < 3; i++)
                if (g->consumers[i].error)
                        printf("  %4u consumers: %s\n", g->consumers[i].n, bench_strerror(g->consumers[i].error));
                else
                        printf("  attach %4u consumers to one stream %8.0f us each\n", g->consumers[i].n,
                               g->consumers[i].attach_us);
        if (g->idle_error)
                printf("  an idle consumer: %s\n", bench_strerror(g->idle_error));
        else
                printf("  a blocked consumer without traffic  %8.1f wake-ups a second, %.0f us of CPU\n",
                       g->idle_wakeups, g->idle_cpu_us);
}
