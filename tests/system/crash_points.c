/*
 * crash_points.c - one role at a time, killed again and again after random nanoseconds, on the smallest ring: wherever it
 * dies, a fresh producer and a fresh consumer do their work at once, and afterwards nothing of the dead is left.
 *
 *      TORC_KILLS=20000   of each role            TORC_SEED=7   other moments
 *
 * crash_kill.c proves what survivors see under load; this is for the rare places: the few instructions between two stores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stress_message.h"
#include "torc_test.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define POINTS_KILLS 150    /* of each role, as a rule */
#define POINTS_CHECK 10     /* kills between two thorough looks */
#define POINTS_PROMPT_MS 1000
#define POINTS_MESSAGE_MAX 256

struct scene {
        struct test *t;
        uint64_t seed;
        enum torc_lag lag;
        uint64_t capacity_max;
        _Atomic uint32_t *laps; /* shared: how often the victim has been round */
};

typedef void point_fn(struct scene *s, struct torc_bus *bus);

static struct torc_stream_config scene_stream(const struct scene *s)
{
        struct torc_stream_config config = test_stream(TORC_CAPACITY_MIN, s->lag, 0);
        config.capacity_max_bytes = s->capacity_max;
        config.max_message_bytes = POINTS_MESSAGE_MAX;
        return config;
}

static int open_producer(struct scene *s, struct torc_bus *bus, enum torc_access access, struct torc_producer **p)
{
        struct torc_stream_config stream = scene_stream(s);
        struct torc_producer_config config = {.access = access, .stream = &stream};
        return torc_producer_open(p, bus, "points", &config);
}

static int open_consumer(struct scene *s, struct torc_bus *bus, enum torc_start start, struct torc_consumer **c)
{
        struct torc_stream_config stream = scene_stream(s);
        struct torc_consumer_config config = {.start = start, .stream = &stream, .timeout_ms = POINTS_PROMPT_MS};
        return torc_consumer_open(c, bus, "points", &config);
}

static int send_numbered(struct scene *s, struct torc_producer *p, uint64_t seq, int timeout_ms)
{
        unsigned char bytes[POINTS_MESSAGE_MAX];
        size_t len = message_size(test_random(&s->seed), sizeof bytes);
        message_fill(bytes, len, 1, seq);
        return torc_producer_send(p, bytes, len, timeout_ms, NULL);
}

/* ---- what the victims do, round and round ---------------------------------------------------------------- */

static void point_sends(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer *p;
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        for (uint64_t i = 0; i < 1 + test_random(&s->seed) % 30; i++)
                CHECK_RC(send_numbered(s, p, i, POINTS_PROMPT_MS), 0);
        torc_producer_close(&p);
}

static void point_claims(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer *p;
        void *place;
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        for (uint64_t i = 0; i < 20; i++) {
                CHECK_RC(torc_producer_claim(p, POINTS_MESSAGE_MAX, NULL, POINTS_PROMPT_MS, &place), 0);
                message_fill(place, POINTS_MESSAGE_MAX, 1, i);
                CHECK_RC(i % 3 ? torc_producer_commit(p, NULL) : torc_producer_abort(p), 0);
        }
        torc_producer_close(&p);
}

static void point_batches(struct scene *s, struct torc_bus *bus)
{
        unsigned char bytes[6][POINTS_MESSAGE_MAX];
        struct torc_span spans[6];
        struct torc_producer *p;
        size_t accepted;
        for (uint64_t i = 0; i < 6; i++) {
                spans[i] = (struct torc_span){bytes[i], message_size(test_random(&s->seed), sizeof bytes[i])};
                message_fill(bytes[i], spans[i].len, 1, i);
        }
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        for (uint64_t i = 0; i < 10; i++)
                CHECK_RC(torc_producer_send_batch(p, spans, 6, POINTS_PROMPT_MS, &accepted), 0);
        torc_producer_close(&p);
}

static void point_takes_over(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer *p;
        CHECK_RC(open_producer(s, bus, TORC_EXCLUSIVE_WITH_FENCING, &p), 0);
        for (uint64_t i = 0; i < 3; i++)
                CHECK_RC(send_numbered(s, p, i, POINTS_PROMPT_MS), 0);
        /* Another handle of ours fences this one. */
        struct torc_producer *q;
        CHECK_RC(open_producer(s, bus, TORC_EXCLUSIVE_WITH_FENCING, &q), 0);
        CHECK_RC(send_numbered(s, p, 4, POINTS_PROMPT_MS), TORC_EFENCED);
        CHECK_RC(send_numbered(s, q, 4, POINTS_PROMPT_MS), 0);
        torc_producer_close(&p);
        torc_producer_close(&q);
}

static void point_waits_in_turn(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer *p, *q;
        CHECK_RC(open_producer(s, bus, TORC_WAIT_FOR_EXCLUSIVE, &p), 0);
        CHECK_RC(open_producer(s, bus, TORC_WAIT_FOR_EXCLUSIVE, &q), 0);
        CHECK_RC(torc_producer_await(p, POINTS_PROMPT_MS), 0);
        CHECK_RC(send_numbered(s, p, 0, POINTS_PROMPT_MS), 0);
        CHECK_RC(send_numbered(s, q, 0, 0), TORC_EWAITING);
        torc_producer_close(&p);
        CHECK_RC(torc_producer_await(q, POINTS_PROMPT_MS), 0);
        CHECK_RC(send_numbered(s, q, 0, POINTS_PROMPT_MS), 0);
        torc_producer_close(&q);
}

static void point_reads(struct scene *s, struct torc_bus *bus)
{
        unsigned char bytes[POINTS_MESSAGE_MAX];
        struct message_head head;
        struct torc_producer *p;
        struct torc_consumer *c;
        size_t len;
        CHECK_RC(open_consumer(s, bus, (enum torc_start)(test_random(&s->seed) % 2), &c), 0);
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        CHECK(torc_consumer_fd(c) >= 0);
        for (uint64_t i = 0; i < 30; i++) {
                int rc = send_numbered(s, p, i, 0);
                CHECK(rc == 0 || rc == TORC_EFULL); /* history may fill the ring */
                rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, POINTS_PROMPT_MS, NULL);
                if (rc == TORC_ELAGGED && s->lag == TORC_LAG_DISCONNECT) {
                        CHECK_RC(torc_consumer_reattach(c, POINTS_PROMPT_MS), 0);
                        continue;
                }
                CHECK_RC(rc, 0);
                CHECK(message_whole(bytes, len, &head));
        }
        torc_consumer_close(&c);
        torc_producer_close(&p);
}

/* A reader far behind makes it grow, seal, link and reclaim. */
static void point_grows(struct scene *s, struct torc_bus *bus)
{
        unsigned char bytes[POINTS_MESSAGE_MAX];
        struct torc_producer *p;
        struct torc_consumer *c;
        size_t len;
        int rc;
        CHECK_RC(open_consumer(s, bus, TORC_START_LIVE, &c), 0);
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        do
                rc = send_numbered(s, p, 0, 0);
        while (rc == 0 && test_random(&s->seed) % 200);
        CHECK(rc == 0 || rc == TORC_EFULL);
        do
                rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, 0, NULL);
        while (rc == 0);
        CHECK(rc == -EAGAIN || (rc == TORC_ELAGGED && s->lag == TORC_LAG_DISCONNECT));
        torc_consumer_close(&c);
        torc_producer_close(&p);
        CHECK_RC(torc_stream_fence(bus, "points", NULL), 0);
}

/* Half of the time it is the one who cleans up who dies. */
static void point_reaps(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer *p;
        void *place;
        (void)s;
        CHECK_RC(open_producer(s, bus, TORC_SHARED, &p), 0);
        CHECK_RC(torc_producer_claim(p, 100, NULL, POINTS_PROMPT_MS, &place), 0);
        int rc = torc_bus_reap(bus, NULL);
        CHECK(rc == 0 || rc == -EAGAIN || rc == -ETIMEDOUT);
        torc_producer_close(&p);
}

static void point_makes(struct scene *s, struct torc_bus *bus)
{
        struct torc_producer_config config = {.name = "maker"};
        struct torc_producer *p = NULL;
        (void)s;
        int rc = torc_stream_create(bus, "made", NULL);
        CHECK(rc == 0 || rc == TORC_EEXISTS);
        CHECK_RC(torc_producer_open(&p, bus, "made", &config), 0);
        CHECK_RC(torc_stream_end(bus, "made"), 0);
        CHECK_RC(torc_producer_send(p, "", 0, 0, NULL), TORC_ECLOSED);
        CHECK_RC(torc_stream_remove(bus, "made"), 0);
        CHECK_RC(torc_producer_send(p, "", 0, 0, NULL), TORC_EREMOVED);
        torc_producer_close(&p);
}

/* ---- a victim -------------------------------------------------------------------------------------------- */

static void victim_run(struct scene *s, point_fn *fn)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                struct torc_bus *bus = child_bus(s->t, "victim");
                for (uint64_t i = 0; i <= test_random(&s->seed) % 4; i++) {
                        fn(s, bus);
                        atomic_fetch_add(s->laps, 1);
                }
                torc_bus_close(&bus);
        }
}

/* Busy for so long: a sleep is not that short. */
static void spin_ns(uint64_t ns)
{
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        do
                clock_gettime(CLOCK_MONOTONIC, &b);
        while ((uint64_t)((b.tv_sec - a.tv_sec) * 1000000000 + (b.tv_nsec - a.tv_nsec)) < ns);
}

static void victim_kill_once(struct scene *s, point_fn *fn)
{
        int status;
        uint32_t before = atomic_load(s->laps);
        test_random(&s->seed);
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                victim_run(s, fn);
        test_note_child(0, pid);
        /* Half of them in their first lap, which begins with everything that the one before left undone. */
        if (test_random(&s->seed) % 2)
                while (atomic_load(s->laps) == before && waitpid(pid, &status, WNOHANG) == 0)
                        sched_yield();
        spin_ns(test_random(&s->seed) % 600000);
        kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) == pid || errno != ECHILD)
                if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                        fail_msg("the victim ended by itself, wait status 0x%x", (unsigned)status);
        test_note_child(pid, 0);
}

/* ---- afterwards ------------------------------------------------------------------------------------------ */

static int64_t prompt_since(int64_t begin, const char *what)
{
        int64_t now = test_now_ms();
        if (now - begin > POINTS_PROMPT_MS)
                fail_msg("%s took %" PRId64 " ms", what, now - begin);
        return now;
}

/* A fresh pair, without anybody having cleaned up: a few laps of the ring. One that polls meets the dead as well. */
static void check_pair(struct scene *s, bool polls)
{
        struct torc_bus *bus = test_bus(s->t, "pair");
        unsigned char bytes[POINTS_MESSAGE_MAX];
        struct message_head head;
        struct torc_producer *p;
        struct torc_consumer *c;
        size_t len;
        int64_t at = test_now_ms();
        assert_ok(open_consumer(s, bus, TORC_START_LIVE, &c));
        at = prompt_since(at, "opening a consumer");
        assert_ok(open_producer(s, bus, TORC_SHARED, &p));
        at = prompt_since(at, "opening a producer");
        for (uint64_t i = 0; i < 100; i++) {
                int64_t begin = test_now_ms();
                int rc;
                while ((rc = send_numbered(s, p, i, polls ? 0 : 2 * POINTS_PROMPT_MS)) == TORC_EFULL)
                        prompt_since(begin, "a full ring");
                assert_ok(rc);
                while ((rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, polls ? 0 : 2 * POINTS_PROMPT_MS, NULL)) ==
                       -EAGAIN)
                        prompt_since(begin, "an uncommitted message");
                assert_ok(rc);
                assert_true(message_whole(bytes, len, &head));
                assert_int_equal(head.seq, i);
                prompt_since(begin, "a message");
        }
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void check_no_leftovers(const char *path, bool stream)
{
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));) {
                char below[512];
                if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
                        continue;
                bool known = stream ? !strcmp(e->d_name, "ctl") || !strncmp(e->d_name, "0.", 2)
                                    : !strcmp(e->d_name, "bus") || e->d_name[0] == '@';
                if (!known)
                        fail_msg("left behind: %s/%s", path, e->d_name);
                snprintf(below, sizeof below, "%s/%s", path, e->d_name);
                if (!stream && e->d_name[0] == '@')
                        check_no_leftovers(below, true);
        }
        closedir(dir);
}

/* Reaped, nothing of the dead is left. */
static void check_clean(struct scene *s)
{
        struct torc_bus *bus = test_bus(s->t, "check");
        struct torc_inspector *in;
        struct torc_snapshot *snap;
        assert_ok(torc_bus_reap(bus, NULL));
        assert_ok(torc_inspector_open(&in, s->t->root, "bus"));
        assert_ok(torc_inspector_take(in, &snap));
        assert_int_equal(snap->n_peers, 1);
        for (size_t i = 0; i < snap->n_streams; i++) {
                const struct torc_stream_info *info = &snap->streams[i];
                assert_int_equal(info->error, 0);
                assert_int_equal(info->n_producers + info->n_consumers + info->n_waiters, 0);
                assert_int_equal(info->n_segments, 1);
        }
        check_no_leftovers(torc_bus_path(bus), false);
        torc_snapshot_free(&snap);
        torc_inspector_close(&in);
        torc_bus_close(&bus);
}

static void points(void **state, point_fn *fn)
{
        struct scene s = {.t = *state, .seed = (uint64_t)test_param("TORC_SEED", 1)};
        long kills = test_param("TORC_KILLS", POINTS_KILLS);
        s.laps = mmap(NULL, sizeof *s.laps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(s.laps != MAP_FAILED);
        test_seconds(60 + (unsigned)kills / 20);
        for (long i = 0; i < kills; i++) {
                char path[128];
                if (i % (POINTS_CHECK * 10) == 0) { /* a new bus, of another kind */
                        snprintf(path, sizeof path, "%s/bus", s.t->root);
                        test_remove_tree(path);
                        s.lag = test_random(&s.seed) % 2 ? TORC_LAG_BLOCK : TORC_LAG_DISCONNECT;
                        s.capacity_max = fn == point_grows ? 4 * TORC_CAPACITY_MIN : 0;
                }
                victim_kill_once(&s, fn);
                if (i % POINTS_CHECK == POINTS_CHECK - 1) {
                        check_pair(&s, test_random(&s.seed) % 2);
                        check_clean(&s);
                }
        }
        print_message("%ld kills, %u laps\n", kills, atomic_load(s.laps));
        munmap(s.laps, sizeof *s.laps);
}

#define POINT(name) \
        static void killed_who_##name##_harms_nobody(void **state) { points(state, point_##name); }
POINT(sends)
POINT(claims)
POINT(batches)
POINT(takes_over)
POINT(waits_in_turn)
POINT(reads)
POINT(grows)
POINT(reaps)
POINT(makes)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(killed_who_sends_harms_nobody),         TEST(killed_who_claims_harms_nobody),
                TEST(killed_who_batches_harms_nobody),       TEST(killed_who_takes_over_harms_nobody),
                TEST(killed_who_waits_in_turn_harms_nobody), TEST(killed_who_reads_harms_nobody),
                TEST(killed_who_grows_harms_nobody),         TEST(killed_who_reaps_harms_nobody),
                TEST(killed_who_makes_harms_nobody),
        };
        return TEST_MAIN(tests);
}
