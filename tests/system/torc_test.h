/*
 * torc_test.h - what the system tests share: a private root for each test, helpers in processes of their own, and bounds
 * on everything. Header only, so that a test is one file and libtorc.a.
 *
 *      static void stream_when_missing_is_made(void **state) { struct test *t = *state; ... }
 *      int main(void)
 *      {
 *              const struct CMUnitTest tests[] = {TEST(stream_when_missing_is_made), ...};
 *              return TEST_MAIN(tests);
 *      }
 *
 * The program is two processes: a guardian, and the one that runs the tests in a process group of its own. When the
 * latter ends, in whatever way, the guardian kills what is left of the group and deletes the roots. A test that takes
 * longer than its seconds dies by SIGALRM.
 *
 * Helpers are forked with a pipe each way. A helper must not use cmocka's assertions (they would jump back into the copy
 * of the test): CHECK() there. Bytes on the pipes, never time, tell when a helper is where the test wants it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_TEST_H
#define TORC_TEST_H

#include "torc.h"
#include "torc_admin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define TEST_SECONDS 60    /* a test lives no longer, unless it calls test_seconds() */
#define TEST_WAIT_MS 20000 /* any single wait for another process */
#define TEST_ROOT "/dev/shm/torc-test-"

struct test {
        char root[64];
        unsigned fds; /* open before the test */
};

/* ---- time ------------------------------------------------------------------------------------------------ */

static inline int64_t test_now_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* This test may take so long, from now. */
static inline void test_seconds(unsigned seconds)
{
        alarm(seconds);
}

/* An integer from the environment, for runs that are longer than the usual ones. */
static inline long test_param(const char *name, long usual)
{
        const char *text = getenv(name);
        char *end;
        long value = text ? strtol(text, &end, 10) : 0;
        return text && *text && !*end && value > 0 ? value : usual;
}

/* A reproducible random number: splitmix64. */
static inline uint64_t test_random(uint64_t *state)
{
        uint64_t x = *state += 0x9e3779b97f4a7c15ull;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
        return x ^ (x >> 31);
}

/* ---- roots and descriptors ------------------------------------------------------------------------------- */

static inline unsigned test_count_fds(void)
{
        unsigned n = 0;
        DIR *dir = opendir("/proc/self/fd");
        if (!dir)
                return 0;
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static inline int test_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)at;
        return (kind == FTW_DP ? rmdir(path) : unlink(path)) && errno != ENOENT ? -1 : 0;
}

static inline void test_remove_tree(const char *path)
{
        nftw(path, test_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Is there a file or directory below whose name begins with "."? Half-made things do. */
static inline int test_find_half_made(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)kind;
        if (path[at->base] != '.')
                return 0;
        print_error("half-made and left behind: %s\n", path);
        return 1;
}

/* Those that were started and not yet waited for, so that a test that fails does not leave them to the next. */
#define TEST_CHILDREN 64
static pid_t test_children[TEST_CHILDREN];

static inline void test_note_child(pid_t old, pid_t new)
{
        for (int i = 0; i < TEST_CHILDREN; i++)
                if (test_children[i] == old) {
                        test_children[i] = new;
                        return;
                }
}

static inline int test_end_children(void)
{
        int n = 0, status;
        for (int i = 0; i < TEST_CHILDREN; i++) {
                if (!test_children[i])
                        continue;
                kill(test_children[i], SIGKILL);
                waitpid(test_children[i], &status, 0);
                test_children[i] = 0;
                n++;
        }
        return n;
}

static inline int test_begin(void **state)
{
        struct test *t = calloc(1, sizeof *t);
        if (!t)
                return -1;
        /* The group is named by its leader: by it the guardian finds the roots. */
        snprintf(t->root, sizeof t->root, TEST_ROOT "%d-XXXXXX", (int)getpgrp());
        if (!mkdtemp(t->root)) {
                free(t);
                return -1;
        }
        chmod(t->root, 0755); /* for tests that become another user */
        t->fds = test_count_fds();
        alarm(TEST_SECONDS);
        *state = t;
        return 0;
}

/* Ends what the test forgot; complains if handles, helpers or half-made files are left. */
static inline int test_end(void **state)
{
        struct test *t = *state;
        int bad = 0;
        alarm(0);
        if (test_end_children()) {
                print_error("helpers were left\n");
                bad = -1;
        }
        unsigned fds = test_count_fds();
        if (fds != t->fds) {
                print_error("open descriptors: %u before the test, %u after\n", t->fds, fds);
                bad = -1;
        }
        if (nftw(t->root, test_find_half_made, 8, FTW_PHYS))
                bad = -1;
        test_remove_tree(t->root);
        free(t);
        return bad;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

/* ---- the guardian ---------------------------------------------------------------------------------------- */

static pid_t test_group;

static inline void test_guardian_signal(int sig)
{
        (void)sig;
        kill(-test_group, SIGKILL);
}

static inline void test_clean_group(pid_t group)
{
        char prefix[64];
        int n = snprintf(prefix, sizeof prefix, "%s%d-", strrchr(TEST_ROOT, '/') + 1, (int)group);
        DIR *dir = opendir("/dev/shm");
        if (!dir)
                return;
        for (struct dirent *e; (e = readdir(dir));) {
                char path[512];
                if (strncmp(e->d_name, prefix, (size_t)n))
                        continue;
                snprintf(path, sizeof path, "/dev/shm/%s", e->d_name);
                test_remove_tree(path);
        }
        closedir(dir);
}

static inline int test_guard(int (*run)(void))
{
        int status;
        fflush(NULL);
        test_group = fork();
        if (test_group < 0)
                return 1;
        if (test_group == 0) {
                setpgid(0, 0);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                exit(run() ? 1 : 0);
        }
        setpgid(test_group, test_group);
        signal(SIGTERM, test_guardian_signal);
        signal(SIGINT, test_guardian_signal);
        signal(SIGHUP, test_guardian_signal);
        /* Wait without taking the status: as long as it is not taken, the group's number is not given to others. */
        siginfo_t info;
        while (waitid(P_PID, (id_t)test_group, &info, WEXITED | WNOWAIT) && errno == EINTR)
                ;
        kill(-test_group, SIGKILL);
        test_clean_group(test_group);
        while (waitpid(test_group, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFSIGNALED(status))
                fprintf(stderr, "the test program died by signal %d (%s)%s\n", WTERMSIG(status),
                        strsignal(WTERMSIG(status)),
                        WTERMSIG(status) == SIGALRM ? ": the test that runs last took too long" : "");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* return TEST_MAIN(tests); in main(). Patterns in TORC_TEST_FILTER (as cmocka's: '*' and '?') choose tests. */
static const struct CMUnitTest *test_list;
static size_t test_count;
static inline int test_run_all(void)
{
        const char *filter = getenv("TORC_TEST_FILTER");
        if (filter && *filter)
                cmocka_set_test_filter(filter);
        return _cmocka_run_group_tests("tests", test_list, test_count, NULL, NULL);
}
#define TEST_MAIN(tests) (test_list = (tests), test_count = sizeof(tests) / sizeof((tests)[0]), test_guard(test_run_all))

/* ---- helpers in processes of their own ------------------------------------------------------------------- */

struct child {
        pid_t pid;
        int in;  /* in the test: from the helper; in the helper: from the test */
        int out; /* the other way */
};

typedef void child_fn(struct child *link, struct test *t, void *arg);

/* In a helper: a failed check ends it with status 99. */
#define CHECK(x)                                                                                                 \
        do {                                                                                                     \
                if (!(x)) {                                                                                      \
                        fprintf(stderr, "%s:%d: helper: %s\n", __FILE__, __LINE__, #x);                          \
                        _exit(99);                                                                               \
                }                                                                                                \
        } while (0)

/* In a helper: a call that has to return a certain code. */
#define CHECK_RC(call, wanted)                                                                                   \
        do {                                                                                                     \
                int check_rc_ = (call);                                                                          \
                if (check_rc_ != (wanted)) {                                                                     \
                        fprintf(stderr, "%s:%d: helper: %s is %s, not %s\n", __FILE__, __LINE__, #call,          \
                                torc_errname(check_rc_), torc_errname(wanted));                                  \
                        _exit(99);                                                                               \
                }                                                                                                \
        } while (0)

/* In a test: likewise. */
#define assert_rc(call, wanted)                                                                                  \
        do {                                                                                                     \
                int assert_rc_ = (call);                                                                         \
                if (assert_rc_ != (wanted))                                                                      \
                        fail_msg("%s is %s, not %s", #call, torc_errname(assert_rc_), torc_errname(wanted));      \
        } while (0)
#define assert_ok(call) assert_rc(call, 0)

/* Start a helper. It ends with status 0 when fn returns. */
static inline struct child child_start(struct test *t, child_fn *fn, void *arg)
{
        int down[2], up[2];
        assert_int_equal(pipe2(down, O_CLOEXEC), 0);
        assert_int_equal(pipe2(up, O_CLOEXEC), 0);
        fflush(NULL);
        pid_t parent = getpid(), pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (getppid() != parent)
                        _exit(98);
                alarm(2 * TEST_SECONDS);
                close(down[1]);
                close(up[0]);
                struct child link = {.pid = parent, .in = down[0], .out = up[1]};
                fn(&link, t, arg);
                _exit(0);
        }
        test_note_child(0, pid);
        close(down[0]);
        close(up[1]);
        return (struct child){.pid = pid, .in = up[0], .out = down[1]};
}

static inline bool link_read(int fd, int64_t *value)
{
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n;
        do
                n = poll(&p, 1, TEST_WAIT_MS);
        while (n < 0 && errno == EINTR);
        return n == 1 && read(fd, value, sizeof *value) == (ssize_t)sizeof *value;
}

/* In a test: what a helper says next; fails when it has died or says nothing for TEST_WAIT_MS. */
static inline int64_t child_hear(struct child *c)
{
        int64_t value;
        if (!link_read(c->in, &value))
                fail_msg("helper %d said nothing", (int)c->pid);
        return value;
}

static inline void child_say(struct child *c, int64_t value)
{
        if (write(c->out, &value, sizeof value) != (ssize_t)sizeof value)
                fail_msg("helper %d does not listen", (int)c->pid);
}

/* In a helper: the same towards the test. */
static inline int64_t link_hear(struct child *link)
{
        int64_t value;
        if (!link_read(link->in, &value))
                _exit(97); /* the test has failed already, or tells so */
        return value;
}

static inline void link_say(struct child *link, int64_t value)
{
        if (write(link->out, &value, sizeof value) != (ssize_t)sizeof value)
                _exit(97);
}

/* Has a helper said something? */
static inline bool child_has_said(struct child *c)
{
        struct pollfd p = {.fd = c->in, .events = POLLIN};
        return poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

static inline void child_close(struct child *c)
{
        close(c->in);
        close(c->out);
        *c = (struct child){.in = -1, .out = -1};
}

/* Wait for a helper's end; returns its wait(2) status. */
static inline int child_wait(struct child *c)
{
        int status = 0;
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        pid_t pid = c->pid;
        close(c->out); /* who still listens, hears that it is over */
        c->out = -1;
        while (waitpid(pid, &status, WNOHANG) == 0) {
                if (test_now_ms() > deadline) {
                        kill(pid, SIGKILL);
                        waitpid(pid, &status, 0);
                        test_note_child(pid, 0);
                        fail_msg("helper %d did not end", (int)pid);
                }
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        test_note_child(pid, 0);
        close(c->in);
        *c = (struct child){.in = -1, .out = -1};
        return status;
}

/* Wait for a helper's end, which has to be a good one. */
static inline void child_join(struct child *c)
{
        int status = child_wait(c);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("helper ended with wait status 0x%x", (unsigned)status);
}

static inline void child_kill(struct child *c)
{
        kill(c->pid, SIGKILL);
        child_wait(c);
}

/* Returns when it has stopped, which SIGSTOP alone does not promise. */
static inline void child_stop(struct child *c)
{
        int status;
        assert_int_equal(kill(c->pid, SIGSTOP), 0);
        assert_int_equal(waitpid(c->pid, &status, WUNTRACED), c->pid);
        assert_true(WIFSTOPPED(status));
}

static inline void child_continue(struct child *c)
{
        int status;
        assert_int_equal(kill(c->pid, SIGCONT), 0);
        assert_int_equal(waitpid(c->pid, &status, WCONTINUED), c->pid);
}

/* In a test: wait until a process sleeps, which is where a helper that announced a blocking call comes to. */
static inline void child_until_asleep(const struct child *c)
{
        char path[64], text[512];
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)c->pid);
        for (;;) {
                int fd = open(path, O_RDONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                ssize_t n = read(fd, text, sizeof text - 1);
                close(fd);
                assert_true(n > 0);
                text[n] = '\0';
                const char *state = strrchr(text, ')');
                if (state && state[1] == ' ' && state[2] == 'S')
                        return;
                assert_true(test_now_ms() < deadline);
        }
}

/* ---- buses and streams ----------------------------------------------------------------------------------- */

static inline int test_bus_open(struct test *t, struct torc_bus **bus, const char *peer, const char *tags)
{
        struct torc_bus_config config = {.root = t->root, .name = "bus", .peer_name = peer, .tags = tags};
        return torc_bus_open(bus, &config);
}

/* In a test: a bus that has to open. */
static inline struct torc_bus *test_bus(struct test *t, const char *peer)
{
        struct torc_bus *bus = NULL;
        assert_ok(test_bus_open(t, &bus, peer, NULL));
        return bus;
}

/* In a helper: likewise. */
static inline struct torc_bus *child_bus(struct test *t, const char *peer)
{
        struct torc_bus *bus = NULL;
        CHECK_RC(test_bus_open(t, &bus, peer, NULL), 0);
        return bus;
}

static inline struct torc_stream_config test_stream(uint64_t capacity, enum torc_lag lag, uint32_t online_min)
{
        struct torc_stream_config config = TORC_STREAM_CONFIG_INIT;
        config.capacity_bytes = capacity;
        config.lag = lag;
        config.online_min = online_min;
        return config;
}

/* In a test: a producer or a consumer that has to open. */
static inline struct torc_producer *test_producer(struct torc_bus *bus, const char *stream, enum torc_access access,
                                                  const struct torc_stream_config *config)
{
        struct torc_producer *p = NULL;
        struct torc_producer_config wanted = {.access = access, .stream = config};
        assert_ok(torc_producer_open(&p, bus, stream, &wanted));
        return p;
}

static inline struct torc_consumer *test_consumer(struct torc_bus *bus, const char *stream, enum torc_start start,
                                                  const struct torc_stream_config *config)
{
        struct torc_consumer *c = NULL;
        struct torc_consumer_config wanted = {.start = start, .stream = config};
        assert_ok(torc_consumer_open(&c, bus, stream, &wanted));
        return c;
}

/* In a test: the next message has to be this number; -1 for the time-out waits for ever. */
static inline void test_expect(struct torc_consumer *c, uint64_t number)
{
        uint64_t got = 0;
        size_t len = 0;
        assert_ok(torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, NULL));
        assert_int_equal(len, sizeof got);
        assert_int_equal(got, number);
}

static inline void test_expect_nothing(struct torc_consumer *c)
{
        uint64_t got;
        size_t len;
        assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
}

static inline int test_send(struct torc_producer *p, uint64_t number, int timeout_ms)
{
        return torc_producer_send(p, &number, sizeof number, timeout_ms, NULL);
}

/* In a test: what an onlooker sees. Free it. */
static inline struct torc_snapshot *test_snapshot(struct test *t)
{
        struct torc_inspector *inspector = NULL;
        struct torc_snapshot *snapshot = NULL;
        assert_ok(torc_inspector_open(&inspector, t->root, "bus"));
        assert_ok(torc_inspector_take(inspector, &snapshot));
        torc_inspector_close(&inspector);
        return snapshot;
}

static inline const struct torc_stream_info *test_find_stream(const struct torc_snapshot *snapshot, const char *name)
{
        for (size_t i = 0; i < snapshot->n_streams; i++)
                if (strcmp(snapshot->streams[i].name, name) == 0)
                        return &snapshot->streams[i];
        return NULL;
}

/* In a test: wait until a producer of the stream sleeps for space or consumers, as an onlooker sees it. */
static inline void test_until_blocked(struct test *t, const char *stream, int64_t pid)
{
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        for (bool blocked = false; !blocked;) {
                struct torc_snapshot *snapshot = test_snapshot(t);
                const struct torc_stream_info *info = test_find_stream(snapshot, stream);
                for (size_t i = 0; info && i < info->n_producers; i++)
                        blocked = blocked || (info->producers[i].pid == pid && info->producers[i].blocked);
                torc_snapshot_free(&snapshot);
                assert_true(test_now_ms() < deadline);
        }
}

#endif
