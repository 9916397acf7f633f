/*
 * bench.c - torc bench: a first measurement of latency and throughput on this machine, in about ten seconds.
 *
 * The kinds take turns round by round, so that a machine that changes its speed does so for all of them, and what
 * is printed is the median over the rounds. What it is compared with is measured in the same run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"

#include "cli.h"
#include "out.h"
#include "signals.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char help[] =
        "usage: torc bench [--rounds N] [--round-ms MS] [--json]\n"
        "\n"
        "Measure latency and throughput between two processes on this machine, each pinned to a CPU, on a private\n"
        "temporary bus; beside a bare cache line (the floor) and a pipe, in the same run. Takes about ten "
        "seconds.\n"
        "\n"
        "  --rounds N      rounds of each measurement; the medians over them are printed (5)\n"
        "  --round-ms MS   length of one round (100)\n"
        "  --json          one JSON object instead of tables\n"
        "\n"
        "Example:\n"
        "  torc bench --rounds 9\n"
        "\n"
        "Exit codes: 0 done, 1 failure, 2 wrong usage\n";

#define ROUNDS_MAX 99

enum { P50, P99, P999, WORST, FIGURES };

static const struct {
        const struct bench_kind *kind;
        const char *label, *key;
        size_t pipe; /* the row it is compared with */
} latency[] = {
        {&bench_cache_line, "bare cache line, spinning (floor)", "floor", 3},
        {&bench_torc_spin, "torc, spinning", "torc_spin", 3},
        {&bench_torc_block, "torc, blocking (spins a little first)", "torc_block", 3},
        {&bench_pipe, "pipe", "pipe", 3},
        {&bench_torc_wake, "torc, the other side asleep", "torc_wake", 5},
        {&bench_pipe_wake, "pipe, the other side asleep", "pipe_wake", 5},
};
static const struct bench_kind *const flood_kinds[] = {&bench_torc_send, &bench_torc_batch, &bench_pipe_write};
static const size_t flood_sizes[] = {32, 1024, 65536};
#define N_LATENCY     (sizeof(latency) / sizeof(latency[0]))
#define N_FLOOD       (sizeof(flood_kinds) / sizeof(flood_kinds[0]))
#define N_SIZES       (sizeof(flood_sizes) / sizeof(flood_sizes[0]))
#define LATENCY_BYTES 32
#define MIN_TRIPS     100 /* fewer have no 99th percentile */

struct bench {
        uint64_t rounds, round_ms;
        bool json;
        char root[64];
        struct bench_plan plan;
        bool two_cpus, siblings;
        uint32_t *samples;

        double trip[N_LATENCY][FIGURES][ROUNDS_MAX]; /* ns */
        uint64_t trips[N_LATENCY];
        double flood[N_FLOOD][N_SIZES][ROUNDS_MAX]; /* messages per second */
};

/* ---- figures --------------------------------------------------------------------------------------------- */

static int by_double(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static int by_sample(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

        return (x > y) - (x < y);
}

static double median(const double *values, size_t n)
{
        double sorted[ROUNDS_MAX];

        memcpy(sorted, values, n * sizeof(*values));
        qsort(sorted, n, sizeof(*sorted), by_double);
        return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static void keep_latency(struct bench *bench, size_t kind, size_t round, struct bench_result *result)
{
        size_t n = result->n_samples;

        if (n == 0)
                return;
        qsort(result->samples, n, sizeof(*result->samples), by_sample);
        bench->trip[kind][P50][round] = result->samples[n / 2];
        bench->trip[kind][P99][round] = result->samples[n - 1 - n / 100];
        bench->trip[kind][P999][round] = result->samples[n - 1 - n / 1000];
        bench->trip[kind][WORST][round] = result->samples[n - 1];
        bench->trips[kind] += n;
}

/* ---- where to run ---------------------------------------------------------------------------------------- */

static int topology(int cpu, const char *what)
{
        char path[96];
        int value = -1;
        FILE *file;

        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, what);
        file = fopen(path, "re");
        if (!file)
                return -1;
        if (fscanf(file, "%d", &value) != 1)
                value = -1;
        fclose(file);
        return value;
}

static bool same_core(int a, int b)
{
        int core = topology(a, "core_id"), package = topology(a, "physical_package_id");

        return core >= 0 && core == topology(b, "core_id") && package == topology(b, "physical_package_id");
}

/* The first CPU we may use, and the first on another core; else the second. */
static void choose_cpus(struct bench *bench)
{
        int *cpu = bench->plan.cpu;
        cpu_set_t set;

        cpu[0] = cpu[1] = -1;
        if (sched_getaffinity(0, sizeof(set), &set) != 0)
                return;
        for (int i = 0; i < CPU_SETSIZE; i++) {
                if (!CPU_ISSET((size_t)i, &set))
                        continue;
                if (cpu[0] < 0)
                        cpu[0] = i;
                else if (cpu[1] < 0 || (same_core(cpu[0], cpu[1]) && !same_core(cpu[0], i)))
                        cpu[1] = i;
        }
        bench->two_cpus = cpu[1] >= 0;
        if (!bench->two_cpus)
                cpu[1] = cpu[0];
        else
                bench->siblings = same_core(cpu[0], cpu[1]);
}

static void cpu_model(char *text, size_t cap)
{
        FILE *file = fopen("/proc/cpuinfo", "re");
        char line[256];

        snprintf(text, cap, "unknown CPU");
        while (file && fgets(line, sizeof(line), file)) {
                char *colon = strchr(line, ':');

                if (strncmp(line, "model name", 10) == 0 && colon) {
                        snprintf(text, cap, "%s", colon + 1 + strspn(colon + 1, " "));
                        text[strcspn(text, "\n")] = '\0';
                        break;
                }
        }
        if (file)
                fclose(file);
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        (void)status;
        (void)flag;
        (void)ftw;
        return remove(path);
}

/* ---- measuring ------------------------------------------------------------------------------------------- */

static int measure(struct bench *bench, const struct bench_kind *kind, size_t size, struct bench_result *result)
{
        int code;

        bench->plan.size = size;
        bench->plan.pause_ns = kind->pause_ns;
        bench->plan.round++;
        *result = (struct bench_result){.samples = bench->samples};
        code = bench_pair(kind, &bench->plan, result);
        if (code != 0)
                return cli_fail("%s, %zu bytes: %s (%s)", kind->name, size, torc_strerror(code),
                                torc_errname(code));
        return signals_came() ? CLI_OK : CLI_GO_ON;
}

static int measure_round(struct bench *bench, size_t round)
{
        struct bench_result result;
        int code = CLI_GO_ON;

        for (size_t k = 0; k < N_LATENCY && code == CLI_GO_ON; k++) {
                if (latency[k].kind->spins && !bench->two_cpus)
                        continue;
                code = measure(bench, latency[k].kind, LATENCY_BYTES, &result);
                if (code == CLI_GO_ON)
                        keep_latency(bench, k, round, &result);
        }
        for (size_t s = 0; s < N_SIZES; s++)
                for (size_t k = 0; k < N_FLOOD && code == CLI_GO_ON; k++) {
                        code = measure(bench, flood_kinds[k], flood_sizes[s], &result);
                        if (code == CLI_GO_ON)
                                bench->flood[k][s][round] = (double)result.messages / result.seconds;
                }
        return code;
}

static int measure_all(struct bench *bench)
{
        int code = CLI_GO_ON;

        for (size_t round = 0; round < bench->rounds && code == CLI_GO_ON; round++)
                code = measure_round(bench, round);
        return code;
}

/* ---- printing -------------------------------------------------------------------------------------------- */

static void print_latency(const struct bench *bench)
{
        double floor = median(bench->trip[0][P50], bench->rounds);

        printf("Round trip of %d bytes, one there, one back; microseconds; medians of %llu rounds\n\n",
               LATENCY_BYTES, (unsigned long long)bench->rounds);
        printf("  %-38s %8s %8s %8s %9s %10s %9s\n", "", "p50", "p99", "p99.9", "max", "p50/floor", "p50/pipe");
        for (size_t k = 0; k < N_LATENCY; k++) {
                double f[FIGURES], pipe = median(bench->trip[latency[k].pipe][P50], bench->rounds);

                if (latency[k].kind->spins && !bench->two_cpus) {
                        printf("  %-38s skipped: needs two CPUs\n", latency[k].label);
                        continue;
                }
                if (pipe <= 0 || bench->trips[k] < MIN_TRIPS) {
                        printf("  %-38s too few round trips: use a longer --round-ms\n", latency[k].label);
                        continue;
                }
                for (size_t i = 0; i < FIGURES; i++)
                        f[i] = median(bench->trip[k][i], bench->rounds);
                printf("  %-38s %8.2f %8.2f %8.2f %9.2f", latency[k].label, f[P50] / 1e3, f[P99] / 1e3,
                       f[P999] / 1e3, f[WORST] / 1e3);
                if (floor > 0)
                        printf(" %10.1f", f[P50] / floor);
                else
                        printf(" %10s", "-");
                printf(" %9.3f\n", f[P50] / pipe);
        }
        printf("\n  asleep: 200 us pass before each message, so that its receiver sleeps and has to be woken.\n\n");
}

static void print_flood(const struct bench *bench)
{
        printf("Throughput, one producer, one consumer, until the last message was read; medians of %llu "
               "rounds\n\n",
               (unsigned long long)bench->rounds);
        printf("  %-9s %24s %24s %24s %15s\n", "message", "torc, one by one", "torc, batches of 100", "pipe",
               "torc/pipe");
        for (size_t s = 0; s < N_SIZES; s++) {
                double rate[N_FLOOD];

                printf("  %6zu B ", flood_sizes[s]);
                for (size_t k = 0; k < N_FLOOD; k++) {
                        rate[k] = median(bench->flood[k][s], bench->rounds);
                        printf(" %8.3f M/s %6.2f GB/s", rate[k] / 1e6, rate[k] * (double)flood_sizes[s] / 1e9);
                }
                printf(" %6.1fx %6.1fx\n", rate[0] / rate[2], rate[1] / rate[2]);
        }
        printf("\n  torc: copied into the ring, read in place, one word of every cache line read; ring of 4 MiB, a "
               "full\n"
               "  ring makes the producer wait. pipe: a write(2) per message, reads of 64 KiB.\n");
}

static void print_head(const struct bench *bench)
{
        struct utsname system;
        char model[128];

        cpu_model(model, sizeof(model));
        uname(&system);
        printf("torc %s on %s, Linux %s, %ld CPUs; two processes ", TORC_VERSION, cli_safe(model), system.release,
               sysconf(_SC_NPROCESSORS_ONLN));
        if (bench->two_cpus)
                printf("pinned to CPUs %d and %d (%s)\n\n", bench->plan.cpu[0], bench->plan.cpu[1],
                       bench->siblings ? "two threads of one core" : "two cores");
        else
                printf("on one CPU\n\n");
}

static void json_latency(struct out *out, const struct bench *bench)
{
        static const char *const figures[FIGURES] = {"p50_ns", "p99_ns", "p999_ns", "max_ns"};

        out_key(out, "round_trip");
        out_char(out, '{');
        for (size_t k = 0; k < N_LATENCY; k++) {
                out_key(out, latency[k].key);
                if (bench->trips[k] < MIN_TRIPS) {
                        out_text(out, "null");
                        continue;
                }
                out_char(out, '{');
                for (size_t i = 0; i < FIGURES; i++) {
                        out_key(out, figures[i]);
                        out_printf(out, "%.0f", median(bench->trip[k][i], bench->rounds));
                }
                out_member_count(out, "samples", bench->trips[k]);
                out_char(out, '}');
        }
        out_char(out, '}');
}

static void print_json(const struct bench *bench)
{
        static const char *const names[N_FLOOD] = {"torc", "torc_batch", "pipe"};
        struct out out = {.fd = STDOUT_FILENO};
        char model[128];

        cpu_model(model, sizeof(model));
        out_char(&out, '{');
        out_member_text(&out, "version", TORC_VERSION);
        out_member_text(&out, "cpu", model);
        out_member_number(&out, "cpu_a", bench->plan.cpu[0]);
        out_member_number(&out, "cpu_b", bench->plan.cpu[1]);
        out_member_count(&out, "rounds", bench->rounds);
        json_latency(&out, bench);
        out_key(&out, "messages_per_second");
        out_char(&out, '{');
        for (size_t k = 0; k < N_FLOOD; k++) {
                out_key(&out, names[k]);
                out_char(&out, '{');
                for (size_t s = 0; s < N_SIZES; s++) {
                        out_next(&out);
                        out_printf(&out, "\"%zu\":%.0f", flood_sizes[s], median(bench->flood[k][s], bench->rounds));
                }
                out_char(&out, '}');
        }
        out_text(&out, "}}\n");
        (void)out_flush(&out, NULL);
        out_free(&out);
}

/* ---- the command ----------------------------------------------------------------------------------------- */

static int run(struct bench *bench)
{
        int code;

        choose_cpus(bench);
        if (!bench->json)
                print_head(bench);
        fflush(stdout); /* the children must not have it in their buffers */
        if (isatty(STDERR_FILENO))
                cli_warn("measuring for about %.0f s; other work on this machine shows in the figures",
                         (double)(bench->rounds * bench->round_ms * (N_LATENCY + N_FLOOD * N_SIZES)) / 1e3 + 1);
        snprintf(bench->root, sizeof(bench->root), "/dev/shm/torc-bench-XXXXXX");
        if (!mkdtemp(bench->root))
                return cli_fail("%s: %s", bench->root, strerror(errno));
        bench->plan.root = bench->root;
        bench->plan.round_ns = (int64_t)bench->round_ms * 1000000;
        code = measure_all(bench);
        nftw(bench->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        if (code != CLI_GO_ON)
                return code;
        if (bench->json) {
                print_json(bench);
                return CLI_OK;
        }
        print_latency(bench);
        print_flood(bench);
        return CLI_OK;
}

enum { OPT_ROUNDS = CLI_OPT_FIRST_OWN, OPT_ROUND_MS, OPT_JSON };

static const struct option options[] = {
        {"rounds", required_argument, NULL, OPT_ROUNDS},
        {"round-ms", required_argument, NULL, OPT_ROUND_MS},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, CLI_OPT_HELP},
        {NULL, 0, NULL, 0},
};

static int parse(struct bench *bench, int argc, char **argv)
{
        struct cli_common common;
        int option, code;

        cli_begin(&common, "bench");
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (cli_option(&common, option, help, &code)) {
                        if (code != CLI_GO_ON)
                                return code;
                } else if (option == OPT_ROUNDS) {
                        if (!cli_number(optarg, 1, ROUNDS_MAX, &bench->rounds))
                                return cli_usage("--rounds '%s': must be 1 to %d", cli_safe(optarg), ROUNDS_MAX);
                } else if (option == OPT_ROUND_MS) {
                        if (!cli_number(optarg, 1, 10000, &bench->round_ms))
                                return cli_usage("--round-ms '%s': must be 1 to 10000", cli_safe(optarg));
                } else {
                        bench->json = true;
                }
        }
        if (optind < argc)
                return cli_usage("what is '%s'?", cli_safe(argv[optind]));
        return CLI_GO_ON;
}

int cmd_bench(int argc, char **argv)
{
        static struct bench bench = {.rounds = 5, .round_ms = 100};
        int code = parse(&bench, argc, argv);

        if (code != CLI_GO_ON)
                return code;
        code = signals_start();
        if (code != 0)
                return cli_fail("cannot catch signals: %s", torc_strerror(code));
        bench.samples = malloc(BENCH_SAMPLES * sizeof(*bench.samples));
        if (!bench.samples)
                return cli_fail("out of memory");
        code = run(&bench);
        free(bench.samples);
        return signals_exit(code);
}
