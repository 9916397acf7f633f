/*
 * main.c - torc-bench: take samples, round by round, and hand them to the report.
 *
 * Within a group the cases take turns (A B C, A B C, ...), so that a machine that changes its speed does so for all of them.
 * A sample before and after which the probe found the CPUs in different places is thrown away and taken again, and so is one
 * that something else disturbed, as long as the time allows; a disturbed one is kept, and marked, if there is no better.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"
#include "ticks.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
        "usage: torc-bench [--quick] [options]\n"
        "\n"
        "Measure torc, the hardware below it and other ways to move messages, on this machine, side by side.\n"
        "\n"
        "  --quick              the figures of the target table only, in less than a minute\n"
        "  --rounds N           rounds of each case (5)\n"
        "  --ms N               length of one sample in milliseconds (80; 150 without --quick)\n"
        "  --only ID[,ID...]    these groups only: see --list\n"
        "  --no-growth          not the cost of attaching, of many streams and of idling\n"
        "  --json FILE          write everything there, for plots\n"
        "  --instructions FILE  counted instructions for the target table (bench/instructions.txt)\n"
        "  --near-below NS      a cache line's round trip below this means `near' (300)\n"
        "  --list               list the cases and exit\n"
        "\n"
        "Exit codes: 0 done, 1 failure, 2 wrong usage. Nothing that is slow is a failure; a wrong message is.\n";

enum { QUICK_BUDGET_S = 46, FULL_BUDGET_S = 3600, RETRIES = 2 };

struct options {
        bool quick, list, no_growth;
        unsigned rounds;
        int64_t ms;
        double near_below;
        const char *only, *json, *instructions;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
        (void)number;
        interrupted = 1;
}

/* ---- options --------------------------------------------------------------------------------------------- */

static long number_option(const char *name, const char *text, long min, long max)
{
        char *end;

        errno = 0;
        long value = strtol(text, &end, 10);
        if (errno || *end || end == text || value < min || value > max) {
                fprintf(stderr, "torc-bench: --%s %s: give a number from %ld to %ld\n", name, text, min, max);
                exit(2);
        }
        return value;
}

static struct options parse(int argc, char **argv)
{
        enum { QUICK = 1, ROUNDS, MS, ONLY, NO_GROWTH, JSON, INSTRUCTIONS, NEAR, LIST, HELP };
        static const struct option options[] = {{"quick", no_argument, NULL, QUICK},
                                                {"rounds", required_argument, NULL, ROUNDS},
                                                {"ms", required_argument, NULL, MS},
                                                {"only", required_argument, NULL, ONLY},
                                                {"no-growth", no_argument, NULL, NO_GROWTH},
                                                {"json", required_argument, NULL, JSON},
                                                {"instructions", required_argument, NULL, INSTRUCTIONS},
                                                {"near-below", required_argument, NULL, NEAR},
                                                {"list", no_argument, NULL, LIST},
                                                {"help", no_argument, NULL, HELP},
                                                {NULL, 0, NULL, 0}};
        struct options o = {.rounds = 5, .near_below = 300};
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                switch (option) {
                case QUICK: o.quick = true; break;
                case ROUNDS: o.rounds = (unsigned)number_option("rounds", optarg, 1, SAMPLES_MAX / 2); break;
                case MS: o.ms = number_option("ms", optarg, 5, 10000); break;
                case ONLY: o.only = optarg; break;
                case NO_GROWTH: o.no_growth = true; break;
                case JSON: o.json = optarg; break;
                case INSTRUCTIONS: o.instructions = optarg; break;
                case NEAR: o.near_below = (double)number_option("near-below", optarg, 1, 100000); break;
                case LIST: o.list = true; break;
                case HELP: fputs(help, stdout); exit(0);
                default: fputs("torc-bench: see --help\n", stderr); exit(2);
                }
        if (optind < argc) {
                fprintf(stderr, "torc-bench: %s: unexpected; see --help\n", argv[optind]);
                exit(2);
        }
        if (o.ms == 0)
                o.ms = o.quick ? 80 : 150;
        return o;
}

/* Is the group in --only? */
static bool wanted(const struct options *o, const char *id)
{
        size_t len = strlen(id);

        for (const char *at = o->only; at && *at; at += strcspn(at, ","), at += *at == ',')
                if (strcspn(at, ",") == len && strncmp(at, id, len) == 0)
                        return true;
        return !o->only;
}

/* A misspelt --only would measure nothing and say so nowhere. */
static void check_only(const struct options *o, const struct cases *cases)
{
        for (const char *at = o->only; at && *at; at += strcspn(at, ","), at += *at == ',') {
                int len = (int)strcspn(at, ",");
                bool found = len == 6 && strncmp(at, "growth", 6) == 0;

                for (unsigned g = 0; g < cases->n_groups; g++)
                        found |= (int)strlen(cases->groups[g].id) == len &&
                                 strncmp(at, cases->groups[g].id, (size_t)len) == 0;
                if (!found) {
                        fprintf(stderr, "torc-bench: --only %.*s: no such group; see --list\n", len, at);
                        exit(2);
                }
        }
}

/* ---- the private bus ------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        (void)status;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static char root[] = "/dev/shm/torc-bench-XXXXXX";

static void root_remove(void)
{
        (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- measuring ------------------------------------------------------------------------------------------- */

static double load_average(void)
{
        double load = 0;

        return getloadavg(&load, 1) == 1 ? load : 0;
}

/* Spinning with both sides on one CPU measures the scheduler. */
static bool can_run(const struct bench_case *c, const struct machine *m)
{
        return c->transport && (m->n_cpus > 1 || c->plan.wait != WAIT_SPIN);
}

static void take(struct bench_case *c, const struct facts *facts, int64_t give_up)
{
        for (unsigned try = 0; try <= RETRIES && !interrupted && c->n_samples < SAMPLES_MAX; try++) {
                struct sample s;

                run_sample(c->transport, &c->plan, &facts->machine, root, &s);
                bool last = try == RETRIES || clock_ns() > give_up;
                if (interrupted)
                        return;
                if (s.error) {
                        c->error = s.error;
                        c->n_failed++;
                        return;
                }
                if (s.moved)
                        c->n_moved++;
                else if (!s.disturbed || last)
                        c->sample[c->n_samples++] = s;
                if (last || (!s.moved && !s.disturbed))
                        return;
        }
}

/* How many cases of this run come before group g, and how many there are: each group has its share of the time. */
static unsigned cases_before(const struct cases *cases, const struct options *o, unsigned g)
{
        unsigned n = 0;

        for (unsigned i = 0; i < g; i++)
                if (wanted(o, cases->groups[i].id))
                        n += cases->groups[i].n;
        return n;
}

/* Rounds of one group until they are done or its time is over; one round at least. */
static void measure_group(struct cases *cases, const struct group *group, const struct options *o,
                          const struct facts *facts, int64_t give_up)
{
        bool tty = isatty(STDERR_FILENO);

        for (unsigned round = 0; round < o->rounds && !interrupted; round++) {
                if (round > 0 && clock_ns() > give_up)
                        break;
                if (tty)
                        fprintf(stderr, "\r\033[K%s: round %u of %u", group->title, round + 1, o->rounds);
                for (unsigned i = 0; i < group->n && !interrupted; i++)
                        if (can_run(&cases->cases[group->first + i], &facts->machine))
                                take(&cases->cases[group->first + i], facts, give_up);
        }
        if (tty)
                fputs("\r\033[K", stderr);
}

static void measure(struct cases *cases, const struct options *o, const struct facts *facts)
{
        int64_t start = clock_ns(), budget = (o->quick ? QUICK_BUDGET_S : FULL_BUDGET_S) * 1000000000ll;
        unsigned all = cases_before(cases, o, cases->n_groups);

        for (unsigned g = 0; g < cases->n_groups && !interrupted; g++)
                if (wanted(o, cases->groups[g].id))
                        measure_group(cases, &cases->groups[g], o, facts,
                                      start + budget * (cases_before(cases, o, g + 1)) / all);
}

static void list(const struct cases *cases)
{
        for (unsigned g = 0; g < cases->n_groups; g++) {
                printf("%s: %s\n", cases->groups[g].id, cases->groups[g].title);
                for (unsigned i = 0; i < cases->groups[g].n; i++) {
                        const struct bench_case *c = &cases->cases[cases->groups[g].first + i];

                        printf("    %-24s %s%s\n", c->id, c->label, c->transport ? "" : " (built without)");
                }
        }
        printf("growth: attach times, 1, 100 and 1000 streams, idle consumers\n");
}

/* Messages that were wrong: the one thing that makes a run fail beside the system's errors. */
static uint64_t wrong(const struct cases *cases)
{
        uint64_t bad = 0;

        for (unsigned i = 0; i < cases->n_cases; i++)
                for (unsigned s = 0; s < cases->cases[i].n_samples; s++)
                        bad += cases->cases[i].sample[s].bad;
        return bad;
}

static void begin(struct facts *facts, const struct options *o)
{
        struct sigaction action = {.sa_handler = on_signal};
        time_t now = time(NULL);
        struct tm tm;

        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        ticks_calibrate();
        machine_choose(&facts->machine);
        facts->machine.near_below_ns = o->near_below;
        facts->quick = o->quick;
        facts->rounds = o->rounds;
        facts->sample_ns = o->ms * 1000000;
        facts->instructions = o->instructions;
        facts->load_before = load_average();
        strftime(facts->started, sizeof(facts->started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
}

int main(int argc, char **argv)
{
        struct options o = parse(argc, argv);
        struct facts facts = {0};
        struct growth growth = {.error = -ENODATA};
        struct cases cases;

        if (cases_make(&cases, o.quick ? EXTENT_QUICK : EXTENT_FULL, o.ms * 1000000) != 0) {
                fputs("torc-bench: out of memory\n", stderr);
                return 1;
        }
        check_only(&o, &cases);
        if (o.list) {
                list(&cases);
                free(cases.cases);
                return 0;
        }
        begin(&facts, &o);
        if (facts.machine.n_cpus == 0 || !mkdtemp(root)) {
                fprintf(stderr, "torc-bench: %s: %s\n", root, facts.machine.n_cpus ? strerror(errno) : "no CPU to run on");
                return 1;
        }
        int64_t start = clock_ns();
        measure(&cases, &o, &facts);
        if (!interrupted && !o.no_growth && wanted(&o, "growth"))
                growth_measure(&growth, root);
        root_remove();
        facts.seconds = (double)(clock_ns() - start) / 1e9;
        facts.load_after = load_average();
        facts.interrupted = interrupted;
        report_groups(&cases, &facts);
        report_growth(&growth);
        report_targets(&cases, &growth, &facts);
        int rc = o.json ? report_json(o.json, &cases, &growth, &facts) : 0;
        uint64_t bad = wrong(&cases);
        if (bad)
                fprintf(stderr, "torc-bench: %llu messages were wrong, lost or out of order\n", (unsigned long long)bad);
        free(cases.cases);
        return rc || bad || interrupted;
}
