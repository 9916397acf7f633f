/*
 * review_steps.c - a victim is single-stepped through one operation and killed after the n-th change that it made
 * to what others can see, for every n: each store to the bus, ctl and segment headers, each file that came or went.
 * After each kill the books are looked at, the next holder goes on, nothing is lost or doubled, and nothing of the
 * dead is left.
 *
 *      TORC_STEPS_EVERY=1   kill after each change: some minutes (default 23: after the first, the 24th, ...)
 *      TORC_STEPS_FIRST=5   begin with the 5th
 *
 * Where ptrace(2) is not allowed, and under sanitizers, it is skipped.
 *
 * SPDX-License-Identifier: MIT
 */
#include "abi.h"
#include "torc_test.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define STEPS_MAX 3000000 /* no operation is that long */

struct scene;
typedef void victim_fn(struct scene *s); /* in the victim */

/* One operation, and what it finds. */
struct op {
        victim_fn *before, *act;
        enum torc_lag lag;
        uint64_t capacity_max;
        bool other;      /* there is a second producer, the test's own */
        bool lagging;    /* there is a second consumer, the test's own, that reads nothing: the ring is full */
        bool dead;       /* somebody died before, inside a claim */
        bool fences;     /* the other producer may be shut out */
        bool removes;    /* the stream may be gone, with what was in it */
        bool ends;       /* the stream may have ended */
        bool sends;      /* the victim's message may be in the ring, and not in the books */
        bool new_stream; /* the victim makes another stream */
};

struct scene {
        struct test *t;
        const struct op *op;
        char stream[32];
        struct torc_bus *bus;
        struct torc_consumer *witness, *laggard;
        struct torc_producer *other;
        uint64_t sent;          /* by the test's producers */
        uint64_t seen, strange; /* by the witness: of the test's, of the victim's */
        /* the victim's */
        struct torc_bus *mine;
        struct torc_producer *p;
        struct torc_consumer *c;
};

#define VICTIM (1ull << 32) /* numbers of the victim's messages begin here */

/* ---- what others can see --------------------------------------------------------------------------------- */

struct window {
        const unsigned char *at;
        size_t bytes;
};

struct eye {
        char bus_path[128], stream_path[160];
        struct window window[16];
        size_t n;
        unsigned char *copy;
        size_t copied;
        uint64_t files; /* hash of the directories' listings */
        void *map[8];
        size_t map_bytes[8], n_maps;
};

static void eye_map(struct eye *e, const char *path, const size_t *offsets, const size_t *lengths, size_t n)
{
        struct stat st;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        if (fstat(fd, &st) == 0 && st.st_size > 0 && e->n_maps < 8) {
                void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
                assert_true(map != MAP_FAILED);
                e->map[e->n_maps] = map;
                e->map_bytes[e->n_maps++] = (size_t)st.st_size;
                for (size_t i = 0; i < n && e->n < 16; i++)
                        e->window[e->n++] = (struct window){(unsigned char *)map + offsets[i], lengths[i]};
        }
        close(fd);
}

static void eye_close(struct eye *e)
{
        for (size_t i = 0; i < e->n_maps; i++)
                munmap(e->map[i], e->map_bytes[i]);
        free(e->copy);
        *e = (struct eye){0};
}

static uint64_t eye_list(const char *path)
{
        uint64_t sum = 0;
        DIR *dir = opendir(path);
        if (!dir)
                return 1;
        for (struct dirent *e; (e = readdir(dir));) {
                uint64_t h = 0xcbf29ce484222325ull;
                for (const char *p = e->d_name; *p; p++)
                        h = (h ^ (unsigned char)*p) * 0x100000001b3ull;
                sum += h;
        }
        closedir(dir);
        return sum;
}

static uint64_t eye_files(const struct eye *e)
{
        return eye_list(e->bus_path) * 31 + eye_list(e->stream_path);
}

static void eye_copy(struct eye *e)
{
        size_t at = 0;
        for (size_t i = 0; i < e->n; i++) {
                memcpy(e->copy + at, e->window[i].at, e->window[i].bytes);
                at += e->window[i].bytes;
        }
}

/* The few slots that a scene uses, and the headers. */
static void eye_open(struct eye *e, const struct scene *s)
{
        char path[200];
        const size_t bus_at[] = {64, offsetof(struct abi_bus, peer)};
        const size_t bus_len[] = {64, 8 * sizeof(struct abi_peer)};
        const size_t ctl_at[] = {512, offsetof(struct abi_ctl, producer), offsetof(struct abi_ctl, consumer)};
        const size_t ctl_len[] = {896 - 512 + sizeof(struct abi_redo), 5 * sizeof(struct abi_producer),
                                  5 * sizeof(struct abi_consumer)};
        const size_t seg_at[] = {128, offsetof(struct abi_seg, intent), sizeof(struct abi_seg)};
        const size_t seg_len[] = {128, 5 * sizeof(struct abi_intent), 256};
        *e = (struct eye){0};
        snprintf(e->bus_path, sizeof e->bus_path, "%s/bus", s->t->root);
        snprintf(e->stream_path, sizeof e->stream_path, "%s/@%s", e->bus_path, s->stream);
        snprintf(path, sizeof path, "%s/bus", e->bus_path);
        eye_map(e, path, bus_at, bus_len, 2);
        snprintf(path, sizeof path, "%s/ctl", e->stream_path);
        eye_map(e, path, ctl_at, ctl_len, 3);
        for (int n = 1; n <= 2; n++) {
                snprintf(path, sizeof path, "%s/0.%d", e->stream_path, n);
                eye_map(e, path, seg_at, seg_len, 3);
        }
        for (size_t i = 0; i < e->n; i++)
                e->copied += e->window[i].bytes;
        e->copy = malloc(e->copied);
        assert_non_null(e->copy);
        eye_copy(e);
        e->files = eye_files(e);
}

/* Has something changed since the last look? */
static bool eye_changed(struct eye *e, bool syscall)
{
        bool changed = false;
        size_t at = 0;
        for (size_t i = 0; i < e->n && !changed; i++) {
                changed = memcmp(e->copy + at, e->window[i].at, e->window[i].bytes) != 0;
                at += e->window[i].bytes;
        }
        if (changed)
                eye_copy(e);
        if (syscall) {
                uint64_t files = eye_files(e);
                changed = changed || files != e->files;
                e->files = files;
        }
        return changed;
}

/* ---- the victim ------------------------------------------------------------------------------------------ */

static void victim(struct child *link, struct test *t, void *arg)
{
        struct scene *s = arg;
        (void)link, (void)t;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
                _exit(77);
        if (s->op->before)
                s->op->before(s);
        raise(SIGSTOP);
        s->op->act(s);
        raise(SIGSTOP);
}

static int wait_stop(pid_t pid)
{
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSTOPPED(status))
                return -1 - (WIFEXITED(status) ? WEXITSTATUS(status) : 0);
        return WSTOPSIG(status);
}

/* Let it run until it has made `changes` changes, then kill it. Returns false when it had done less when it was
 * done. */
static bool step_and_kill(struct scene *s, struct child *c, long changes)
{
        struct eye eye;
        struct user_regs_struct regs;
        long seen = 0;
        eye_open(&eye, s);
        for (long i = 0; seen < changes; i++) {
                assert_true(i < STEPS_MAX);
                assert_int_equal(ptrace(PTRACE_GETREGS, c->pid, NULL, &regs), 0);
                long code = ptrace(PTRACE_PEEKTEXT, c->pid, (void *)(uintptr_t)regs.rip, NULL);
                bool syscall = (code & 0xffff) == 0x050f;
                assert_int_equal(ptrace(PTRACE_SINGLESTEP, c->pid, NULL, NULL), 0);
                int sig = wait_stop(c->pid);
                if (sig == SIGSTOP)
                        break;
                if (sig != SIGTRAP)
                        fail_msg("the victim got signal %d", sig);
                seen += eye_changed(&eye, syscall);
        }
        eye_close(&eye);
        child_kill(c);
        return seen == changes;
}

/* ---- the scene ------------------------------------------------------------------------------------------- */

static void dead_claimer(struct child *link, struct test *t, void *arg)
{
        struct scene *s = arg;
        struct torc_bus *bus = child_bus(t, "dead");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        void *data;
        CHECK_RC(torc_producer_open(&p, bus, s->stream, NULL), 0);
        CHECK_RC(torc_consumer_open(&c, bus, s->stream, NULL), 0);
        CHECK_RC(torc_producer_claim(p, 8, NULL, 0, &data), 0);
        link_say(link, 1);
        link_hear(link);
}

static void scene_send(struct scene *s, struct torc_producer *p)
{
        int rc = test_send(p, s->sent, TEST_WAIT_MS);
        if (rc)
                fail_msg("message %d was not sent: %s", (int)s->sent, torc_errname(rc));
        s->sent++;
}

/* The witness reads on. All of the test's messages come, in order; the victim's may. */
static void scene_read(struct scene *s)
{
        uint64_t got;
        size_t len;
        int rc;
        while ((rc = torc_consumer_recv(s->witness, &got, sizeof got, &len, s->seen < s->sent ? 5000 : 0, NULL)) ==
               0) {
                if (got >= VICTIM) {
                        assert_int_equal(got, VICTIM + s->strange);
                        s->strange++;
                } else {
                        assert_int_equal(got, s->seen);
                        s->seen++;
                }
        }
        if (s->seen < s->sent || (rc != -EAGAIN && rc != TORC_ECLOSED))
                fail_msg("%d of %d messages, then %s", (int)s->seen, (int)s->sent, torc_errname(rc));
}

static void scene_set(struct scene *s, struct test *t, const struct op *op, long n)
{
        *s = (struct scene){.t = t, .op = op};
        snprintf(s->stream, sizeof s->stream, "s%ld", n);
        assert_ok(test_bus_open(t, &s->bus, "test", NULL));
        struct torc_stream_config config = test_stream(4096, op->lag, 0);
        config.capacity_max_bytes = op->capacity_max;
        s->witness = test_consumer(s->bus, s->stream, TORC_START_LIVE, &config);
        struct torc_producer *first = test_producer(s->bus, s->stream, TORC_SHARED, NULL);
        scene_send(s, first);
        torc_producer_close(&first);
        if (op->lagging)
                s->laggard = test_consumer(s->bus, s->stream, TORC_START_LIVE, NULL);
        if (op->other || op->lagging)
                s->other = test_producer(s->bus, s->stream, TORC_SHARED, NULL);
        if (op->dead) {
                struct child c = child_start(t, dead_claimer, s);
                child_hear(&c);
                child_kill(&c);
        }
        if (op->lagging) { /* the ring is full: the witness has read all of it, the laggard nothing */
                for (; s->sent < 129; scene_read(s))
                        scene_send(s, s->other);
        }
}

/* A stream that the victim may have been removing: it is there, or it is not, and can be made. */
static void check_removed(struct scene *s)
{
        struct torc_snapshot *snap = test_snapshot(s->t);
        const struct torc_stream_info *info = test_find_stream(snap, s->stream);
        assert_true(!info || info->error == 0);
        torc_snapshot_free(&snap);
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(s->bus, s->stream, TORC_SHARED, &config);
        assert_ok(test_send(p, 0, 0));
        torc_producer_close(&p);
        torc_consumer_close(&s->witness);
        torc_producer_close(&s->other);
        torc_consumer_close(&s->laggard);
        assert_ok(torc_bus_reap(s->bus, NULL));
        assert_ok(torc_stream_remove(s->bus, s->stream));
}

static void check_goes_on(struct scene *s)
{
        struct torc_snapshot *snap = test_snapshot(s->t);
        const struct torc_stream_info *info = test_find_stream(snap, s->stream);
        assert_non_null(info);
        assert_int_equal(info->error, 0);
        uint32_t epoch = info->epoch;
        torc_snapshot_free(&snap);

        if (s->other) {
                int rc = test_send(s->other, s->sent, 2000);
                s->sent += rc == 0;
                if (rc && !(rc == TORC_EFENCED && s->op->fences) && !(rc == TORC_ECLOSED && s->op->ends))
                        fail_msg("the other producer: %s", torc_errname(rc));
                torc_producer_close(&s->other);
        }
        scene_read(s);
        struct torc_producer *p = test_producer(s->bus, s->stream, TORC_EXCLUSIVE, NULL);
        for (int i = 0; i < 3; i++)
                scene_send(s, p);
        torc_producer_close(&p);
        p = test_producer(s->bus, s->stream, TORC_SHARED, NULL);
        scene_send(s, p);
        torc_producer_close(&p);
        scene_read(s);

        assert_ok(torc_bus_reap(s->bus, NULL));
        snap = test_snapshot(s->t);
        info = test_find_stream(snap, s->stream);
        assert_non_null(info);
        assert_int_equal(info->error, 0);
        assert_true(info->epoch > epoch || s->sent + s->strange < 5);
        assert_int_equal(snap->n_peers, 1);
        assert_int_equal(info->n_producers, 0);
        assert_int_equal(info->n_waiters, 0);
        assert_int_equal(info->n_consumers, s->laggard ? 2 : 1);
        /* One who dies between a commit and his own count of it leaves the books one short. */
        uint64_t total = s->sent + s->strange, booked = info->messages;
        if (booked != total && !(s->op->sends && booked + 1 == total))
                fail_msg("%d messages in the books, %d seen", (int)booked, (int)total);
        assert_int_equal(info->losses[TORC_LOSS_OVERWRITTEN], 0);
        if (s->laggard) {
                uint64_t got, read = 0;
                size_t len;
                int rc;
                while ((rc = torc_consumer_try_recv(s->laggard, &got, sizeof got, &len, NULL)) == 0 ||
                       rc == TORC_ELAGGED) {
                        read += rc == 0;
                        if (rc)
                                assert_ok(torc_consumer_reattach(s->laggard, 0));
                }
                assert_rc(rc, -EAGAIN);
                /* It came after the first message. */
                uint64_t passed = read + torc_consumer_missed(s->laggard);
                if (passed != total - 1 && passed != booked - 1)
                        fail_msg("the laggard passed %d of %d messages", (int)passed, (int)total - 1);
                torc_snapshot_free(&snap);
                snap = test_snapshot(s->t);
                info = test_find_stream(snap, s->stream);
                assert_int_equal(info->losses[TORC_LOSS_DISCONNECTED], torc_consumer_missed(s->laggard));
        } else {
                assert_int_equal(info->losses[TORC_LOSS_DISCONNECTED], 0);
        }
        torc_snapshot_free(&snap);
}

/* Only what has to be there is there. */
static void check_files(struct scene *s)
{
        char path[200];
        snprintf(path, sizeof path, "%s/bus", s->t->root);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strcmp(e->d_name, "bus"))
                        fail_msg("left behind: %s", e->d_name);
        closedir(dir);
}

static void scene_check(struct scene *s)
{
        if (s->op->removes) {
                check_removed(s);
        } else {
                check_goes_on(s);
                torc_consumer_close(&s->witness);
                torc_consumer_close(&s->laggard);
                assert_ok(torc_bus_reap(s->bus, NULL));
                assert_ok(torc_stream_remove(s->bus, s->stream));
        }
        if (s->op->new_stream) {
                int rc = torc_stream_remove(s->bus, "new");
                assert_true(rc == 0 || rc == -ENOENT);
        }
        assert_ok(torc_bus_reap(s->bus, NULL));
        check_files(s);
        torc_bus_close(&s->bus);
}

static bool steps_allowed(struct test *t)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__x86_64__)
        (void)t;
        return false;
#else
        struct scene s = {.t = t, .op = &(struct op){.act = NULL}};
        struct child c = child_start(t, victim, &s);
        int sig = wait_stop(c.pid);
        if (sig < 0) {
                test_note_child(c.pid, 0);
                child_close(&c);
                return false;
        }
        child_kill(&c);
        return true;
#endif
}

static void steps_run(struct test *t, const struct op *op)
{
        if (!steps_allowed(t)) {
                print_message("skipped: no ptrace here\n");
                skip();
        }
        long every = test_param("TORC_STEPS_EVERY", 23), n = test_param("TORC_STEPS_FIRST", 1);
        test_seconds(600);
        for (bool more = true; more; n += more ? every : 0) {
                struct scene s;
                scene_set(&s, t, op, n);
                struct child c = child_start(t, victim, &s);
                assert_int_equal(wait_stop(c.pid), SIGSTOP);
                scene_read(&s);
                more = step_and_kill(&s, &c, n);
                scene_check(&s);
        }
        print_message("%ld changes\n", n - 1);
}

/* ---- operations ------------------------------------------------------------------------------------------ */

static void v_bus(struct scene *s)
{
        CHECK_RC(test_bus_open(s->t, &s->mine, "victim", NULL), 0);
}

static void v_open(struct scene *s, enum torc_access access)
{
        struct torc_producer_config config = {.access = access};
        CHECK_RC(torc_producer_open(&s->p, s->mine, s->stream, &config), 0);
}

static void v_open_shared(struct scene *s)
{
        v_open(s, TORC_SHARED);
}

static void v_open_exclusive(struct scene *s)
{
        v_open(s, TORC_EXCLUSIVE);
}

static void v_open_waiting(struct scene *s)
{
        v_open(s, TORC_WAIT_FOR_EXCLUSIVE);
}

static void v_open_fencing(struct scene *s)
{
        v_open(s, TORC_EXCLUSIVE_WITH_FENCING);
}

static void v_producer(struct scene *s)
{
        v_bus(s);
        v_open_shared(s);
}

static void v_producer_that_sent(struct scene *s)
{
        v_producer(s);
        CHECK_RC(test_send(s->p, VICTIM, 0), 0);
}

static void v_send(struct scene *s)
{
        CHECK_RC(test_send(s->p, VICTIM, 0), 0);
}

static void v_close_producer(struct scene *s)
{
        torc_producer_close(&s->p);
}

static void v_open_consumer(struct scene *s)
{
        CHECK_RC(torc_consumer_open(&s->c, s->mine, s->stream, NULL), 0);
}

static void v_open_earliest(struct scene *s)
{
        struct torc_consumer_config config = {.start = TORC_START_EARLIEST};
        CHECK_RC(torc_consumer_open(&s->c, s->mine, s->stream, &config), 0);
}

static void v_consumer(struct scene *s)
{
        v_bus(s);
        v_open_consumer(s);
        CHECK(torc_consumer_fd(s->c) >= 0);
}

static void v_close_consumer(struct scene *s)
{
        torc_consumer_close(&s->c);
}

static void v_fence(struct scene *s)
{
        CHECK_RC(torc_stream_fence(s->mine, s->stream, NULL), 0);
}

static void v_end(struct scene *s)
{
        CHECK_RC(torc_stream_end(s->mine, s->stream), 0);
}

static void v_remove(struct scene *s)
{
        CHECK_RC(torc_stream_remove(s->mine, s->stream), 0);
}

static void v_create(struct scene *s)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        CHECK_RC(torc_stream_create(s->mine, "new", &config), 0);
}

static void v_reap(struct scene *s)
{
        CHECK_RC(torc_bus_reap(s->mine, NULL), 0);
}

static void v_close_bus(struct scene *s)
{
        torc_bus_close(&s->mine);
}

static void v_all_open(struct scene *s)
{
        v_producer_that_sent(s);
        v_open_consumer(s);
}

/* A consumer at the end of the first segment, which is the last to need it. */
static void v_at_the_end(struct scene *s)
{
        v_bus(s);
        v_open_consumer(s);
        CHECK_RC(torc_stream_fence(s->mine, s->stream, NULL), 0);
}

static void v_follow(struct scene *s)
{
        uint64_t got;
        size_t len;
        CHECK_RC(torc_consumer_try_recv(s->c, &got, sizeof got, &len, NULL), -EAGAIN);
}

static void v_kicked(struct scene *s)
{
        struct torc_producer *p = NULL;
        struct torc_consumer_info infos[8];
        size_t n, len;
        uint64_t got;
        v_bus(s);
        v_open_consumer(s);
        CHECK_RC(torc_producer_open(&p, s->mine, s->stream, NULL), 0);
        CHECK_RC(torc_producer_consumers(p, infos, 8, &n), 0);
        for (size_t i = 0; i < n && i < 8; i++)
                if (infos[i].pid == getpid())
                        CHECK_RC(torc_stream_kick(s->mine, s->stream, infos[i].ref), 0);
        torc_producer_close(&p);
        CHECK_RC(torc_consumer_try_recv(s->c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
}

static void v_reattach(struct scene *s)
{
        CHECK_RC(torc_consumer_reattach(s->c, 0), 0);
}

#define STEP_TEST(name, ...)                                                                                       \
        static void name(void **state)                                                                             \
        {                                                                                                          \
                static const struct op op = {__VA_ARGS__};                                                         \
                steps_run(*state, &op);                                                                            \
        }

STEP_TEST(steps_of_opening_a_bus, .act = v_bus)
STEP_TEST(steps_of_closing_a_bus, .before = v_all_open, .act = v_close_bus, .sends = true)
STEP_TEST(steps_of_attaching_shared, .before = v_bus, .act = v_open_shared, .other = true)
STEP_TEST(steps_of_attaching_exclusive, .before = v_bus, .act = v_open_exclusive)
STEP_TEST(steps_of_attaching_after_the_dead, .before = v_bus, .act = v_open_exclusive, .dead = true)
STEP_TEST(steps_of_waiting, .before = v_bus, .act = v_open_waiting, .other = true)
STEP_TEST(steps_of_fencing_attach, .before = v_bus, .act = v_open_fencing, .other = true, .fences = true)
STEP_TEST(steps_of_fencing, .before = v_bus, .act = v_fence, .other = true, .fences = true)
STEP_TEST(steps_of_detaching, .before = v_producer_that_sent, .act = v_close_producer)
STEP_TEST(steps_of_sending, .before = v_producer, .act = v_send, .other = true, .sends = true)
STEP_TEST(steps_of_growing, .before = v_producer, .act = v_send, .lagging = true, .sends = true,
          .lag = TORC_LAG_BLOCK, .capacity_max = 16384)
STEP_TEST(steps_of_disconnecting, .before = v_producer, .act = v_send, .lagging = true, .sends = true)
STEP_TEST(steps_of_joining, .before = v_bus, .act = v_open_consumer, .other = true)
STEP_TEST(steps_of_joining_history, .before = v_bus, .act = v_open_earliest, .other = true)
STEP_TEST(steps_of_leaving, .before = v_consumer, .act = v_close_consumer)
STEP_TEST(steps_of_following, .before = v_at_the_end, .act = v_follow)
STEP_TEST(steps_of_coming_back, .before = v_kicked, .act = v_reattach)
STEP_TEST(steps_of_ending, .before = v_bus, .act = v_end, .other = true, .ends = true)
STEP_TEST(steps_of_removing, .before = v_bus, .act = v_remove, .other = true, .removes = true)
STEP_TEST(steps_of_making, .before = v_bus, .act = v_create, .new_stream = true)
STEP_TEST(steps_of_reaping, .before = v_bus, .act = v_reap, .dead = true)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(steps_of_opening_a_bus),
                TEST(steps_of_closing_a_bus),
                TEST(steps_of_attaching_shared),
                TEST(steps_of_attaching_exclusive),
                TEST(steps_of_attaching_after_the_dead),
                TEST(steps_of_waiting),
                TEST(steps_of_fencing_attach),
                TEST(steps_of_fencing),
                TEST(steps_of_detaching),
                TEST(steps_of_sending),
                TEST(steps_of_growing),
                TEST(steps_of_disconnecting),
                TEST(steps_of_joining),
                TEST(steps_of_joining_history),
                TEST(steps_of_leaving),
                TEST(steps_of_following),
                TEST(steps_of_coming_back),
                TEST(steps_of_ending),
                TEST(steps_of_removing),
                TEST(steps_of_making),
                TEST(steps_of_reaping),
        };
        return TEST_MAIN(tests);
}
