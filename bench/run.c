/*
 * run.c - one sample: fork its workers, pin them, lead them through the phases, take them home.
 *
 *   phase     workers                                    parent
 *   ATTACH    attach to the transport                    sleeps until all have arrived
 *   BEFORE    the first two take the probe               the same
 *   WORK      the loop                                   the same
 *   AFTER     the first two take the probe               the same
 *   DETACH    detach and exit                            collects them
 *
 * The parent sleeps in futexes throughout, so that it takes no time from what is measured. Workers die with it. A sample that
 * takes far too long is ended by killing its workers, by their ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench.h"
#include "ticks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ATTACH = 1, BEFORE, WORK, AFTER, DETACH };

#define PATIENCE_NS   20000000000 /* for one phase, beyond what it is to take */
#define SLICE_MS      200
#define PROBE_NS      3000000   /* at least */
#define PROBE_NS_MOST 60000000  /* as long as the two CPUs were hardly ever ours together */
#define PROBE_GOOD    64        /* blocks without anything in between make a probe */
#define PROBE_BLOCK   32
#define PROBE_BLOCKS  2048
#define PROBE_GOOD_NS 1500      /* no machine's cache line takes longer to go and come back */
#define PROBE_GIVE_UP 3000000000 /* the other side does not come */

/* ---- the machine ----------------------------------------------------------------------------------------- */

const char *place_name(enum place place)
{
        static const char *const names[PLACE_COUNT] = {[PLACE_NEAR] = "near",
                                                       [PLACE_FAR] = "far",
                                                       [PLACE_SIBLINGS] = "siblings",
                                                       [PLACE_SHARED] = "shared"};

        return (unsigned)place < PLACE_COUNT ? names[place] : "?";
}

static int topology(int cpu, const char *what)
{
        char path[96];
        int value = -1;

        snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, what);
        FILE *file = fopen(path, "re");
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

/* The CPUs we may use, the second of them on another core than the first if there is one. */
void machine_choose(struct machine *m)
{
        cpu_set_t set;

        *m = (struct machine){.near_below_ns = 300, .siblings_below_ns = 50, .shared_above_ns = PROBE_GOOD_NS,
                              .waited_max = 0.05};
        if (sched_getaffinity(0, sizeof(set), &set) != 0)
                return;
        for (int i = 0; i < CPU_SETSIZE && m->n_cpus < BENCH_CPUS; i++)
                if (CPU_ISSET((size_t)i, &set))
                        m->cpu[m->n_cpus++] = i;
        for (unsigned i = 2; i < m->n_cpus && same_core(m->cpu[0], m->cpu[1]); i++) {
                int other = m->cpu[i];

                m->cpu[i] = m->cpu[1];
                m->cpu[1] = other;
        }
}

static void pin(int cpu)
{
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        (void)sched_setaffinity(0, sizeof(set), &set); /* it was in our set a moment ago */
}

/* Producer i sits on CPU i, consumer i on CPU i + 1, round and round. */
static int worker_cpu(const struct machine *m, const struct run *run)
{
        unsigned at = run->producer ? run->number : run->number + 1;

        return m->cpu[at % m->n_cpus];
}

/* ---- phases ---------------------------------------------------------------------------------------------- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value, int ms)
{
        struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

        (void)syscall(SYS_futex, word, FUTEX_WAIT, value, &t, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
        (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

bool run_stopped(const struct run *run)
{
        return atomic_load_explicit(&run->shared->stop, memory_order_relaxed);
}

/* All that is measured lies between two phases; how these are led costs nothing there. So: default orders. */
static void phase_arrive(struct shared *s)
{
        atomic_fetch_add(&s->arrived, 1);
        futex_wake(&s->arrived);
}

static int phase_await(struct run *run, uint32_t phase)
{
        struct shared *s = run->shared;
        uint32_t now;

        while ((now = atomic_load(&s->phase)) < phase) {
                if (run_stopped(run))
                        return -ECANCELED;
                futex_wait(&s->phase, now, SLICE_MS);
        }
        return 0;
}

/* ---- the probe ------------------------------------------------------------------------------------------- */

static int by_float(const void *a, const void *b)
{
        float x = *(const float *)a, y = *(const float *)b;

        return (x > y) - (x < y);
}

static double median_of(float *values, size_t n)
{
        if (n == 0)
                return 0;
        qsort(values, n, sizeof(*values), by_float);
        return n % 2 ? (double)values[n / 2] : ((double)values[n / 2 - 1] + (double)values[n / 2]) / 2;
}

/* One twentieth of the blocks took less: where the CPUs are is told by the blocks that nothing came in between of. */
static double undisturbed_of(float *values, size_t n)
{
        if (n == 0)
                return 0;
        qsort(values, n, sizeof(*values), by_float);
        return (double)values[n / 20];
}

/* Wait for the other's word. False: it does not come. */
static bool probe_wait(_Atomic uint64_t *word, uint64_t value, uint64_t give_up)
{
        for (uint32_t n = 1; atomic_load_explicit(word, memory_order_acquire) != value; n++) {
                cpu_relax();
                if (n % 4096 == 0) {
                        if (ticks_now() > give_up)
                                return false;
                        sched_yield();
                }
        }
        return true;
}

/* One side asks until it knows enough; the other answers. */
static double probe_ask(struct shared *s)
{
        static float block_ns[PROBE_BLOCKS];
        uint64_t n = 1, start = ticks_now(), give_up = start + ticks_of(PROBE_GIVE_UP);
        size_t blocks = 0, good = 0;

        while (blocks < PROBE_BLOCKS) {
                uint64_t from = ticks_now();

                if (from - start > ticks_of(good < PROBE_GOOD ? PROBE_NS_MOST : PROBE_NS))
                        break;

                for (unsigned i = 0; i < PROBE_BLOCK; i++, n++) {
                        atomic_store_explicit(&s->ping[n % BENCH_PROBE_LINES].number, n, memory_order_release);
                        if (!probe_wait(&s->pong[n % BENCH_PROBE_LINES].number, n, give_up))
                                goto out;
                }
                block_ns[blocks] = (float)(ticks_to_ns(ticks_now() - from) / PROBE_BLOCK);
                good += block_ns[blocks++] < PROBE_GOOD_NS;
        }
out:
        atomic_store_explicit(&s->ping[n % BENCH_PROBE_LINES].number, UINT64_MAX, memory_order_release);
        return undisturbed_of(block_ns, blocks);
}

static void probe_answer(struct shared *s)
{
        uint64_t give_up = ticks_now() + ticks_of(PROBE_GIVE_UP), next = 1, n;

        for (uint32_t looks = 1;; looks++) {
                n = atomic_load_explicit(&s->ping[next % BENCH_PROBE_LINES].number, memory_order_acquire);
                if (n == UINT64_MAX || (looks % 4096 == 0 && ticks_now() > give_up))
                        return;
                if (n == next) {
                        atomic_store_explicit(&s->pong[next % BENCH_PROBE_LINES].number, n, memory_order_release);
                        next++;
                } else {
                        cpu_relax();
                        if (looks % 4096 == 0)
                                sched_yield();
                }
        }
}

static enum place place_of(const struct machine *m, double ns)
{
        if (ns <= 0 || ns > m->shared_above_ns)
                return PLACE_SHARED;
        return ns < m->siblings_below_ns ? PLACE_SIBLINGS : ns < m->near_below_ns ? PLACE_NEAR : PLACE_FAR;
}

/* The first two workers, wherever they sit: with one producer and one consumer these are all there are. */
static void probe(struct run *run, unsigned which)
{
        if (run->index == 0)
                run->shared->probe_ns[which] = probe_ask(run->shared);
        else if (run->index == 1)
                probe_answer(run->shared);
}

/* ---- workers --------------------------------------------------------------------------------------------- */

/* ns on the CPU, and ns it wanted to be there but was not. */
static void sched_times(uint64_t *ran, uint64_t *waited)
{
        unsigned long long a = 0, b = 0;
        FILE *file = fopen("/proc/self/schedstat", "re");

        if (file && fscanf(file, "%llu %llu", &a, &b) != 2)
                a = b = 0;
        if (file)
                fclose(file);
        *ran = a;
        *waited = b;
}

int run_attached(struct run *run)
{
        struct outcome *o = &run->shared->outcome[run->index];
        int rc;

        phase_arrive(run->shared);
        if ((rc = phase_await(run, BEFORE)) != 0)
                return rc;
        probe(run, 0);
        phase_arrive(run->shared);
        rc = phase_await(run, WORK);
        sched_times(&o->ran_ns, &o->waited_ns);
        return rc;
}

int run_done(struct run *run)
{
        struct outcome *o = &run->shared->outcome[run->index];
        uint64_t ran, waited;
        int rc;

        sched_times(&ran, &waited);
        o->ran_ns = ran - o->ran_ns;
        o->waited_ns = waited - o->waited_ns;
        phase_arrive(run->shared);
        if ((rc = phase_await(run, AFTER)) != 0)
                return rc;
        probe(run, 1);
        phase_arrive(run->shared);
        return phase_await(run, DETACH);
}

static void worker(const struct transport *transport, struct run *run, const struct machine *m, pid_t parent)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_IGN); /* the parent decides */
        signal(SIGTERM, SIG_DFL);
        if (getppid() != parent)
                _exit(1);
        pin(worker_cpu(m, run));
        int rc = transport->work(run);
        if (rc && rc != -ECANCELED) {
                run->shared->outcome[run->index].error = rc;
                atomic_store(&run->shared->stop, 1);
                futex_wake(&run->shared->phase);
        }
        phase_arrive(run->shared); /* of DETACH; or the parent sees at once that it is over */
        _exit(0);
}

/* ---- the parent's side ----------------------------------------------------------------------------------- */

struct workers {
        pid_t pid[BENCH_WORKERS];
        unsigned n, left;
};

/* Collect the ones that ended. Returns 0, or -ECHILD if one did not end as it should. */
static int workers_collect(struct workers *w, int flags)
{
        int rc = 0;

        for (unsigned i = 0; i < w->n; i++) {
                int status;

                if (w->pid[i] == 0 || waitpid(w->pid[i], &status, flags) != w->pid[i])
                        continue;
                w->pid[i] = 0;
                w->left--;
                if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                        rc = -ECHILD;
        }
        return rc;
}

static void workers_kill(struct workers *w)
{
        for (unsigned i = 0; i < w->n; i++)
                if (w->pid[i] > 0)
                        kill(w->pid[i], SIGKILL);
        (void)workers_collect(w, 0);
}

/* Open a phase and wait until all have arrived at its end. */
static int lead(struct shared *s, struct workers *w, uint32_t phase, int64_t ns)
{
        int64_t give_up = clock_ns() + ns + PATIENCE_NS;
        uint32_t now;
        int rc;

        atomic_store(&s->phase, phase);
        futex_wake(&s->phase);
        while ((now = atomic_load(&s->arrived)) < w->n) {
                if (atomic_load(&s->stop))
                        return -ECANCELED;
                if (clock_ns() > give_up)
                        return -ETIMEDOUT;
                futex_wait(&s->arrived, now, SLICE_MS);
                if (phase != DETACH && (rc = workers_collect(w, WNOHANG)) != 0)
                        return rc;
        }
        atomic_store(&s->arrived, 0);
        for (unsigned i = 0; i < BENCH_PROBE_LINES; i++) {
                atomic_store(&s->ping[i].number, 0);
                atomic_store(&s->pong[i].number, 0);
        }
        return 0;
}

static int lead_all(struct shared *s, struct workers *w, const struct plan *plan)
{
        int rc = lead(s, w, ATTACH, 0);

        for (uint32_t phase = BEFORE; rc == 0 && phase <= DETACH; phase++)
                rc = lead(s, w, phase, phase == WORK ? 2 * plan->ns : 0);
        if (rc == 0)
                return workers_collect(w, 0);
        atomic_store(&s->stop, 1);
        futex_wake(&s->phase);
        workers_kill(w);
        return rc;
}

static int fork_all(const struct transport *transport, struct run *run, const struct machine *m, struct workers *w)
{
        unsigned n = run->plan->producers + run->plan->consumers;
        pid_t parent = getpid();

        fflush(NULL);
        for (unsigned i = 0; i < n; i++) {
                run->index = i;
                run->producer = i < run->plan->producers;
                run->number = run->producer ? i : i - run->plan->producers;
                w->pid[i] = fork();
                if (w->pid[i] == 0)
                        worker(transport, run, m, parent);
                if (w->pid[i] < 0) {
                        int rc = -errno;

                        w->pid[i] = 0;
                        return rc;
                }
                w->left = w->n = i + 1;
        }
        return 0;
}

static void sum_up_stream(const struct plan *plan, const struct shared *s, struct sample *sample)
{
        double rates = 0;

        for (unsigned i = plan->producers; i < plan->producers + plan->consumers; i++) {
                const struct outcome *o = &s->outcome[i];

                sample->messages += o->messages;
                if (o->seconds <= 0) { /* it ended while still warming up: starved */
                        sample->error = -EAGAIN;
                        return;
                }
                rates += (double)o->counted / o->seconds;
                if (o->slice_max > sample->slice_max)
                        sample->slice_max = o->slice_max;
                if (sample->slice_min <= 0 || (o->slice_min > 0 && o->slice_min < sample->slice_min))
                        sample->slice_min = o->slice_min;
        }
        sample->value = rates / plan->consumers;
}

/*
 * The share of its time for which a worker wanted to run but could not. Where workers share a CPU by plan, they wait for
 * each other; then it is the share of our CPUs' time that none of them had.
 */
static double waited_share(const struct plan *plan, const struct machine *m, const struct shared *s)
{
        unsigned n = plan->producers + plan->consumers;
        double most = 0, ran = 0, longest = 0;

        for (unsigned i = 0; i < n; i++) {
                const struct outcome *o = &s->outcome[i];
                double all = (double)(o->ran_ns + o->waited_ns);

                ran += (double)o->ran_ns;
                longest = all > longest ? all : longest;
                if (all > 0 && (double)o->waited_ns / all > most)
                        most = (double)o->waited_ns / all;
        }
        if (n <= m->n_cpus || longest <= 0)
                return most;
        return plan->wait == WAIT_BLOCK ? 0 : 1 - ran / (longest * m->n_cpus);
}

static void sum_up(const struct plan *plan, const struct machine *m, struct shared *s, struct sample *sample)
{
        for (unsigned i = 0; i < plan->producers + plan->consumers; i++)
                sample->bad += s->outcome[i].bad;
        sample->waited = waited_share(plan, m, s);
        sample->disturbed = sample->waited > m->waited_max;
        if (plan->work == WORK_STREAM) {
                sum_up_stream(plan, s, sample);
        } else {
                hist_sum_up(&s->hist, &sample->latency);
                hist_sum_up(&s->plain, &sample->plain);
                sample->value = median_of(s->block_ns, s->n_blocks);
                sample->messages = s->outcome[0].messages;
        }
        memcpy(sample->probe_ns, s->probe_ns, sizeof(s->probe_ns));
        sample->place = place_of(m, s->probe_ns[0]);
        sample->moved = sample->place != place_of(m, s->probe_ns[1]);
}

void run_sample(const struct transport *transport, const struct plan *plan, const struct machine *machine,
                const char *root, struct sample *sample)
{
        static unsigned serial;
        struct workers workers = {0};
        struct run run = {.plan = plan, .root = root, .serial = ++serial};

        *sample = (struct sample){0};
        run.shared = mmap(NULL, sizeof(*run.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
                          -1, 0);
        if (run.shared == MAP_FAILED) {
                sample->error = -errno;
                return;
        }
        sample->error = transport->setup(&run);
        if (sample->error == 0) {
                sample->error = fork_all(transport, &run, machine, &workers);
                if (sample->error)
                        workers_kill(&workers);
                else
                        sample->error = lead_all(run.shared, &workers, plan);
        }
        for (unsigned i = 0; i < workers.n; i++) /* the cause, rather than that there was one */
                if (run.shared->outcome[i].error)
                        sample->error = run.shared->outcome[i].error;
        transport->teardown(&run);
        if (sample->error == 0)
                sum_up(plan, machine, run.shared, sample);
        munmap(run.shared, sizeof(*run.shared));
}

/* ---- a probe by itself ----------------------------------------------------------------------------------- */

static int nothing(struct run *run)
{
        int rc = run_attached(run);

        return rc ? rc : run_done(run);
}

static int no_setup(struct run *run)
{
        (void)run;
        return 0;
}

static void no_teardown(struct run *run)
{
        (void)run;
}

double machine_probe(const struct machine *machine)
{
        static const struct transport none = {.name = "probe", .setup = no_setup, .teardown = no_teardown, .work = nothing};
        static const struct plan plan = {.producers = 1, .consumers = 1};
        struct sample sample;

        if (machine->n_cpus < 2)
                return 0;
        run_sample(&none, &plan, machine, "", &sample);
        return sample.error ? 0 : sample.probe_ns[0];
}
