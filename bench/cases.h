/*
 * cases.h - what is measured, and what it is held against.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include "bench.h"

#define CASES_MAX   400
#define GROUPS_MAX  40
#define SAMPLES_MAX 64

struct bench_case {
        char id[56]; /* "stream32.torc.batch64": how targets, JSON and plots name it */
        char label[72];
        unsigned group;
        const struct transport *transport; /* NULL: built without */
        struct plan plan;
        struct sample sample[SAMPLES_MAX];
        unsigned n_samples, n_moved, n_failed;
        int error; /* of the last that failed */
};

struct group {
        char id[24];
        char title[112];
        enum work work;
        unsigned first, n; /* its cases */
};

struct cases {
        struct bench_case *cases;
        struct group groups[GROUPS_MAX];
        unsigned n_cases, n_groups;
};

enum extent { EXTENT_QUICK, EXTENT_FULL };

/* All cases, grouped: the members of a group take turns. 0 or -ENOMEM. */
int cases_make(struct cases *cases, enum extent extent, int64_t ns);

/* Median, least and greatest of a case's samples at one place. */
struct figure {
        unsigned n;
        unsigned disturbed; /* of n: samples during which something else ran. They count only when there are no others */
        double median, min, max;
};
struct figure case_figure(const struct bench_case *c, enum place place);
const struct bench_case *cases_find(const struct cases *cases, const char *id);
double median_of_doubles(double *values, unsigned n);

/* ---- growth.c -------------------------------------------------------------------------------------------- */

struct spread {
        double median, min, max;
};

struct growth {
        int error;
        struct spread attach_producer_us, attach_consumer_us; /* to a stream that exists, from an attached process */
        struct {
                unsigned n;
                double open_ms, bytes_over_ring; /* all of them; per stream */
                int error;
        } streams[3];
        struct {
                unsigned n;
                double attach_us; /* each */
                int error;
        } consumers[3];
        double idle_wakeups; /* a second, of one blocked consumer without traffic */
        double idle_cpu_us;  /* a second */
        int idle_error;
};

void growth_measure(struct growth *growth, const char *root);

/* ---- report.c -------------------------------------------------------------------------------------------- */

struct facts {
        const char *instructions; /* file with counted instructions, or NULL */
        struct machine machine;
        double load_before, load_after, seconds, max_wait;
        unsigned rounds;
        int64_t sample_ns;
        bool quick, interrupted;
        char started[40];
};

void report_groups(const struct cases *cases, const struct facts *facts);
void report_growth(const struct growth *growth);
void report_targets(const struct cases *cases, const struct growth *growth, const struct facts *facts);
int report_json(const char *path, const struct cases *cases, const struct growth *growth, const struct facts *facts);
const char *bench_strerror(int code);

#endif
