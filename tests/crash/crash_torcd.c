/*
 * crash_torcd.c - the supervisor is killed, and stopped and continued, behind each store that it makes, from its first one
 * to where all its members run and a dead producer has been cleaned up. While it is dead or stopped, messages flow. The
 * next one adopts what runs, starts nothing twice, and finishes what was left.
 *
 *      TORC_CRASH_PASSES=9     walk so many passes of each point (default 1, of its own file 6), and of its end
 *      TORC_CRASH_POINT=NAME   this point only
 *
 * SPDX-License-Identifier: MIT
 */
#include "../system/torcd_run.h"
#include "fault.h"
#include "stream.h"

#include <stdatomic.h>
#include <sys/mman.h>

#define BOUND_MS 15000 /* from a start of torcd to a settled bus, on a busy machine */

/* Says so when its twin is at work. */
static const char member[] = "#!/bin/sh\n"
                             "cd %s\n"
                             "exec 9>>lock.$TORC_NAME\n"
                             "flock -n 9 || echo $TORC_NAME >>doubles\n"
                             "echo $$ >>starts.$TORC_NAME\n"
                             "[ $1 != short ] || exit 0\n"
                             "exec sleep 1000\n";
static const char config[] = "[bus]\nroot = %s\n"
                             "[log]\ndirectory = %s/logs\n"
                             "[group calm]\ncommand = %s/member.sh long\ncount = 2\nstart_delay = 0ms\nstart_jitter = 0ms\n"
                             "[group short]\ncommand = %s/member.sh short\nstart_delay = 0ms\nstart_jitter = 0ms\n"
                             "backoff_min = 1ms\nbackoff_max = 5ms\nmax_restarts = 3\n";

struct watch {
        struct test *t;
        _Atomic uint64_t *passes;
        char path[128], program[PATH_MAX];
        enum fault_point point; /* with pass 0: nobody is harmed */
        uint64_t pass;
        uint64_t end; /* not 0: the pass is this one, counted from when torcd is told to end */
        int signal;
        pid_t torcd;
        uint64_t before_end[FAULT_POINTS];
        uint64_t rounds, unharmed;
};

#define PASS_END 1000000 /* planned pass of those that are counted from the end */

static char where[160];
#define watch_fail(...)                                                                                          \
        do {                                                                                                     \
                print_error("torcd %s:\n", where);                                                               \
                fail_msg(__VA_ARGS__);                                                                           \
        } while (0)

static void write_file(const struct watch *w, const char *name, mode_t mode, const char *format)
{
        char path[128];
        snprintf(path, sizeof path, "%s/%s", w->t->root, name);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"");
        fprintf(f, format, w->t->root, w->t->root, w->t->root, w->t->root);
        _Pragma("GCC diagnostic pop");
        fchmod(fileno(f), mode);
        fclose(f);
}

/* ---- the bus before torcd comes -------------------------------------------------------------------------- */

static struct torc_bus *watch_bus(const struct test *t, const char *peer)
{
        struct torc_bus_config c = {.root = t->root, .name = "default", .peer_name = peer};
        struct torc_bus *bus = NULL;
        return torc_bus_open(&bus, &c) ? NULL : bus;
}

static void claims_and_dies(struct child *link, struct test *t, void *arg)
{
        struct torc_stream_config stream = test_stream(TORC_CAPACITY_MIN, TORC_LAG_BLOCK, 0);
        struct torc_producer_config pc = {.stream = &stream};
        struct torc_consumer_config cc = {.stream = &stream};
        struct torc_bus *bus = watch_bus(t, "dead");
        struct torc_producer *p;
        struct torc_consumer *c;
        void *place;
        (void)link, (void)arg;
        CHECK(bus);
        CHECK_RC(torc_consumer_open(&c, bus, "s", &cc), 0);
        CHECK_RC(torc_producer_open(&p, bus, "s", &pc), 0);
        CHECK_RC(torc_producer_claim(p, 100, NULL, 1000, &place), 0);
        kill(getpid(), SIGKILL);
}

/* A hole, a dead producer and a dead consumer. */
static void watch_prepare(struct watch *w)
{
        struct child dead = child_start(w->t, claims_and_dies, NULL);
        child_wait(&dead);
}

/* ---- torcd ----------------------------------------------------------------------------------------------- */

static void torcd_run(struct watch *w, bool harm)
{
        char ini[128], log[128], passes[160], at[64];
        snprintf(ini, sizeof ini, "%s/torc.ini", w->t->root);
        snprintf(log, sizeof log, "%s/torcd.log", w->t->root);
        snprintf(passes, sizeof passes, "TORC_FAULT_PASSES=%s", w->path);
        snprintf(at, sizeof at, "TORC_FAULT_AT=%u:%u:%d", (unsigned)w->point, (unsigned)w->pass, w->signal);
        fflush(NULL);
        w->torcd = fork();
        assert_true(w->torcd >= 0);
        if (w->torcd == 0) {
                int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
                dup2(fd, STDERR_FILENO);
                dup2(fd, STDOUT_FILENO);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (harm) {
                        putenv(passes);
                        putenv(at);
                }
                execl(w->program, "torcd", "-c", ini, (char *)NULL);
                _exit(127);
        }
        test_note_child(0, w->torcd);
}

static int count_lines(const struct watch *w, const char *name)
{
        char path[160];
        int n = 0, ch;
        snprintf(path, sizeof path, "%s/%s", w->t->root, name);
        FILE *f = fopen(path, "r");
        if (!f)
                return 0;
        while ((ch = fgetc(f)) != EOF)
                n += ch == '\n';
        fclose(f);
        return n;
}

/* Do both members run, is the third given up, and is nothing of the dead left? */
static bool watch_settled(const struct watch *w, uint64_t *aborted)
{
        struct torc_inspector *in = NULL;
        struct torc_snapshot *s = NULL;
        unsigned running = 0, given_up = 0, left = 1;
        if (torc_inspector_open(&in, w->t->root, "default"))
                return false;
        if (torc_inspector_take(in, &s) == 0) {
                for (size_t i = 0; i < s->n_members; i++) {
                        running += !strcmp(s->members[i].group, "calm") && s->members[i].state == TORC_MEMBER_RUNNING;
                        given_up += s->members[i].state == TORC_MEMBER_QUARANTINED;
                }
                const struct torc_stream_info *info = test_find_stream(s, "s");
                left = info ? (unsigned)(info->n_producers + info->n_consumers) : 1;
                *aborted = info ? info->losses[TORC_LOSS_ABORTED] : 0;
                for (size_t i = 0; i < s->n_peers; i++)
                        left += !s->peers[i].alive;
                left += !s->supervisor.alive;
                torc_snapshot_free(&s);
        }
        torc_inspector_close(&in);
        return running == 2 && given_up == 1 && left == 0 && count_lines(w, "starts.calm-0") &&
               count_lines(w, "starts.calm-1");
}

/* Until it has died (1), stopped (2), or all has settled (0). */
static int torcd_until(struct watch *w, uint64_t *aborted)
{
        int64_t begin = test_now_ms();
        for (;;) {
                int status;
                pid_t pid = waitpid(w->torcd, &status, WNOHANG | WUNTRACED);
                assert_true(pid >= 0);
                if (pid && WIFSTOPPED(status))
                        return 2;
                if (pid) {
                        test_note_child(w->torcd, 0);
                        w->torcd = 0;
                        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                                watch_fail("torcd ended with wait status 0x%x; see its log", (unsigned)status);
                        return 1;
                }
                if (watch_settled(w, aborted))
                        return 0;
                if (test_now_ms() - begin > BOUND_MS)
                        watch_fail("not settled after %d ms", BOUND_MS);
                nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        }
}

/* Nobody waits for torcd: a fresh pair exchanges messages, past the hole. */
static void messages_flow(struct watch *w)
{
        struct torc_bus *bus = watch_bus(w->t, "pair");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_consumer_config cc = {.start = TORC_START_LIVE};
        int64_t begin = test_now_ms();
        if (!bus || torc_consumer_open(&c, bus, "s", &cc) || torc_producer_open(&p, bus, "s", NULL))
                watch_fail("attaching beside it failed");
        for (uint64_t i = 0; i < 10; i++) {
                assert_ok(test_send(p, i, 3000));
                test_expect(c, i);
        }
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
        if (test_now_ms() - begin > 3000)
                watch_fail("ten messages took %" PRId64 " ms", test_now_ms() - begin);
}

static bool watch_lock_held(const struct watch *w, const char *file)
{
        char path[160];
        struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ABI_LOCK_TABLE, .l_len = 1};
        snprintf(path, sizeof path, "%s/default/%s", w->t->root, file);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return false;
        int rc = fcntl(fd, F_OFD_GETLK, &fl);
        close(fd);
        return rc || fl.l_type != F_UNLCK;
}

/* ---- a round --------------------------------------------------------------------------------------------- */

static void watch_check(struct watch *w, uint64_t aborted)
{
        static const char *const calm[] = {"starts.calm-0", "starts.calm-1"};
        if (count_lines(w, "doubles"))
                watch_fail("a member ran twice at a time");
        for (size_t i = 0; i < 2; i++)
                if (count_lines(w, calm[i]) != 1)
                        watch_fail("%s: %d starts", calm[i], count_lines(w, calm[i]));
        if (count_lines(w, "starts.short-0") > 5)
                watch_fail("%d starts of one that may be restarted 3 times", count_lines(w, "starts.short-0"));
        /* One hole; a torcd that died between filling and counting it leaves it uncounted. */
        if (aborted > 1 || (!aborted && !(w->pass && w->signal == SIGKILL)))
                watch_fail("%" PRIu64 " holes in the ledger", aborted);
}

/* It is told to end. It may come to its point only now; then the next one has to end well. Returns whether it did. */
static bool watch_end(struct watch *w)
{
        uint64_t aborted;
        bool harmed = false;
        for (;;) {
                int status;
                kill(w->torcd, SIGTERM);
                assert_int_equal(waitpid(w->torcd, &status, WUNTRACED), w->torcd);
                if (WIFSTOPPED(status)) {
                        harmed = true;
                        kill(w->torcd, SIGCONT);
                        assert_int_equal(waitpid(w->torcd, &status, 0), w->torcd);
                }
                test_note_child(w->torcd, 0);
                w->torcd = 0;
                if (status == 0)
                        return harmed;
                if (harmed || status != SIGKILL || w->signal != SIGKILL || !w->pass)
                        watch_fail("at its end torcd had wait status 0x%x", (unsigned)status);
                harmed = true;
                messages_flow(w);
                torcd_run(w, false);
                if (torcd_until(w, &aborted))
                        watch_fail("torcd died without being told to");
        }
}

static void watch_clean(struct watch *w)
{
        static const char *const names[] = {"default", "logs", "doubles", "starts.calm-0", "starts.calm-1",
                                            "starts.short-0", "lock.calm-0", "lock.calm-1", "lock.short-0", "torcd.log"};
        char path[160];
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                snprintf(path, sizeof path, "%s/%s", w->t->root, names[i]);
                test_remove_tree(path);
        }
        memset((void *)w->passes, 0, FAULT_POINTS * sizeof *w->passes);
}

static bool watch_round(struct watch *w)
{
        uint64_t aborted = 0;
        snprintf(where, sizeof where, "%s at %s, pass %" PRIu64 "%s", w->signal == SIGKILL ? "killed" : "stopped",
                 w->pass ? fault_name(w->point) : "no point", w->end ? w->end : w->pass, w->end ? " of its end" : "");
        test_seconds(60);
        watch_prepare(w);
        torcd_run(w, true);
        int end = torcd_until(w, &aborted);
        if (end == 1) {
                messages_flow(w);
                torcd_run(w, false);
        } else if (end == 2) {
                if (!watch_lock_held(w, "bus") && !watch_lock_held(w, "@s/ctl"))
                        messages_flow(w);
                kill(w->torcd, SIGCONT);
        }
        if (end && torcd_until(w, &aborted))
                watch_fail("torcd died without being told to");
        watch_check(w, aborted);
        w->rounds++;
        if (!w->pass) /* what it passes from here on belongs to its end */
                for (int p = 0; p < FAULT_POINTS; p++)
                        w->before_end[p] = atomic_load(&w->passes[p]);
        if (w->end)
                atomic_store(&w->passes[w->point], PASS_END - w->end);
        return watch_end(w) || end;
}

/* Killed, then stopped, at one pass of one point. */
static void watch_both(struct watch *w, int point, uint64_t pass, uint64_t end)
{
        for (int stop = 0; stop < 2; stop++) {
                w->point = (enum fault_point)point;
                w->pass = pass;
                w->end = end;
                w->signal = stop ? SIGSTOP : SIGKILL;
                w->unharmed += !watch_round(w);
                watch_clean(w);
        }
}

static void watch_open(struct watch *w)
{
        snprintf(w->path, sizeof w->path, "%s/passes", w->t->root);
        built(w->program, "tests/crash/torcd");
        int fd = open(w->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && ftruncate(fd, FAULT_POINTS * sizeof(uint64_t)) == 0);
        w->passes = mmap(NULL, FAULT_POINTS * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(w->passes != MAP_FAILED);
        close(fd);
        write_file(w, "member.sh", 0755, member);
        write_file(w, "torc.ini", 0600, config);
}

static void torcd_killed_or_stopped_anywhere_harms_nobody(void **state)
{
        static struct watch w;
        uint64_t passes[FAULT_POINTS], usual = (uint64_t)test_param("TORC_CRASH_PASSES", 1);
        const char *only = getenv("TORC_CRASH_POINT");
        w = (struct watch){.t = *state, .signal = SIGKILL};
        watch_open(&w);
        watch_round(&w);
        for (int p = 0; p < FAULT_POINTS; p++)
                passes[p] = atomic_load(&w.passes[p]);
        watch_clean(&w);
        for (int p = 0; p < FAULT_POINTS; p++) {
                if (only && *only && strcmp(only, fault_name((enum fault_point)p)))
                        continue;
                bool own = p == FAULT_sup_store || p == FAULT_sup_store_due;
                uint64_t first = own ? 6 * usual : usual;
                for (uint64_t pass = 1; pass <= w.before_end[p] && pass <= first; pass++)
                        watch_both(&w, p, pass, 0);
                for (uint64_t end = 1; end <= passes[p] - w.before_end[p] && end <= 2 * first; end++)
                        watch_both(&w, p, PASS_END, end);
        }
        print_message("%" PRIu64 " rounds, %" PRIu64 " of them without harm\n", w.rounds, w.unharmed);
        assert_true(w.unharmed < w.rounds / 4);
        munmap((void *)w.passes, FAULT_POINTS * sizeof(uint64_t));
}

/* After a failure members run on, each in a session of its own: those with our root in their environment are ours. */
static int watch_teardown(void **state)
{
        const struct test *t = *state;
        char mine[128], path[64], env[8192];
        DIR *dir = opendir("/proc");
        test_end_children();
        int n = snprintf(mine, sizeof mine, "TORC_ROOT=%s", t->root);
        for (struct dirent *e; dir && (e = readdir(dir));) {
                int pid = atoi(e->d_name);
                snprintf(path, sizeof path, "/proc/%d/environ", pid);
                int fd = pid > 1 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
                if (fd < 0)
                        continue;
                ssize_t len = read(fd, env, sizeof env);
                close(fd);
                if (len > 0 && memmem(env, (size_t)len, mine, (size_t)n + 1))
                        kill(pid, SIGKILL);
        }
        if (dir)
                closedir(dir);
        return test_end(state);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(
                torcd_killed_or_stopped_anywhere_harms_nobody, test_begin, watch_teardown)};
        return TEST_MAIN(tests);
}
