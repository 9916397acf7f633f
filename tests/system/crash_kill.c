/*
 * crash_kill.c - kill -9 at random moments under load, and the proof from what every process did and saw that nothing
 * came of it: no committed message lost, none doubled, none torn, one order for all, no long stall for those that live,
 * and nothing left behind. Once without any supervisor, once with processes that reap.
 *
 *      TORC_ROUNDS=1000    kills in all           TORC_SEED=7           other moments, other streams
 *      TORC_STALL_MS=1000  the longest stall      TORC_TEST_FILTER=...  one of the two
 *
 * A campaign is one life of a bus: readers and senders that are never killed, others that are and come again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crash_roles.h"

#define KILLS 20 /* in one campaign */
#define CAST_MAX 24

struct cast {
        child_fn *fn;
        enum history_stream stream;
        struct child child;
};

struct campaign {
        struct test *t;
        struct history *h;
        uint64_t seed, capacity, capacity_max;
        bool reaped; /* somebody reaps all the time */
        unsigned killed;
        struct cast victim[CAST_MAX];
        size_t n_victims;
        struct child auditor[4], sender[4];
        struct history_log *audit[4];
};

static const enum history_stream audited[4] = {MAIN, MAIN, TURNS, LOSSY};

/* ---- the cast -------------------------------------------------------------------------------------------- */

static struct child role_start(struct campaign *c, child_fn *fn, enum history_stream stream, bool survivor,
                               struct history_log *log)
{
        struct role role = {.h = c->h,
                            .t = c->t,
                            .log = log,
                            .stream = stream,
                            .seed = test_random(&c->seed),
                            .capacity = c->capacity,
                            .capacity_max = c->capacity_max,
                            .survivor = survivor};
        return child_start(c->t, fn, &role);
}

static void victim_start(struct campaign *c, struct cast *v)
{
        bool reads = v->fn == role_reader;
        v->child = role_start(c, v->fn, v->stream, false,
                              reads ? history_new_log(c->h, v->stream, HISTORY_LOG_MAX) : NULL);
}

static void victim_kill(struct campaign *c, struct cast *v)
{
        kill(v->child.pid, SIGKILL);
        int status = child_wait(&v->child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                fail_msg("a process ended by itself, wait status 0x%x", (unsigned)status);
        c->killed++;
}

static void campaign_cast(struct campaign *c)
{
        static const struct cast cast[] = {
                {.fn = role_sender, .stream = MAIN},   {.fn = role_sender, .stream = MAIN},
                {.fn = role_reader, .stream = MAIN},   {.fn = role_owner, .stream = TURNS},
                {.fn = role_owner, .stream = TURNS},   {.fn = role_reader, .stream = TURNS},
                {.fn = role_sender, .stream = LOSSY},  {.fn = role_reader, .stream = LOSSY},
                {.fn = role_visitor, .stream = MAIN},  {.fn = role_visitor, .stream = MAIN},
                {.fn = role_maker, .stream = MAIN},    {.fn = role_maker, .stream = MAIN},
                {.fn = role_reaper, .stream = MAIN},   {.fn = role_reaper, .stream = MAIN},
        };
        for (size_t i = 0; i < 4; i++) {
                c->audit[i] = history_new_log(c->h, audited[i], HISTORY_AUDIT_MAX);
                c->auditor[i] = role_start(c, role_reader, audited[i], true, c->audit[i]);
        }
        for (size_t i = 0; i < 4; i++)
                child_hear(&c->auditor[i]);
        c->sender[0] = role_start(c, role_sender, MAIN, true, NULL);
        c->sender[1] = role_start(c, role_owner, TURNS, true, NULL);
        c->sender[2] = role_start(c, role_sender, LOSSY, true, NULL);
        c->sender[3] = role_start(c, role_clock, MAIN, true, NULL);
        for (size_t i = 0; i < sizeof cast / sizeof *cast; i++) {
                if (cast[i].fn == role_reaper && !c->reaped)
                        continue;
                c->victim[c->n_victims] = cast[i];
                victim_start(c, &c->victim[c->n_victims++]);
        }
}

static void campaign_kill(struct campaign *c, unsigned kills)
{
        while (c->killed < kills) {
                nanosleep(&(struct timespec){.tv_nsec = (long)(test_random(&c->seed) % 20000000)}, NULL);
                unsigned n = test_random(&c->seed) % 4 ? 1 : 3; /* mostly one, sometimes several at once */
                struct cast *dead[3];
                for (unsigned i = 0; i < n; i++) {
                        dead[i] = &c->victim[test_random(&c->seed) % c->n_victims];
                        if (dead[i]->child.pid)
                                victim_kill(c, dead[i]);
                        dead[i]->child.pid = 0;
                }
                for (unsigned i = 0; i < n; i++)
                        if (!dead[i]->child.pid)
                                victim_start(c, dead[i]);
        }
}

/* The last kills are of senders, when nobody else sends any more: what they leave in the ring is the readers' to mend. */
static void campaign_stop(struct campaign *c)
{
        atomic_store(&c->h->stop, 1);
        for (size_t i = 0; i < 4; i++)
                child_join(&c->sender[i]);
        for (size_t i = c->n_victims; i-- > 0;)
                victim_kill(c, &c->victim[i]);
        atomic_store(&c->h->stop, 2);
        for (size_t i = 0; i < 4; i++)
                child_join(&c->auditor[i]);
}

/* ---- what is left ---------------------------------------------------------------------------------------- */

static struct torc_bus *check_reaped(struct campaign *c)
{
        struct torc_bus *bus = test_bus(c->t, "test");
        int rc = -EAGAIN;
        for (int i = 0; i < 10 && rc == -EAGAIN; i++)
                rc = torc_bus_reap(bus, NULL);
        assert_ok(rc);
        for (int i = 0; i < 3; i++) {
                char name[16];
                snprintf(name, sizeof name, "made%d", i);
                rc = torc_stream_remove(bus, name);
                if (rc != -ENOENT)
                        assert_ok(rc);
        }
        return bus;
}

/* Only the bus file, and for each stream its ctl file and one segment. */
static void check_files(const char *path, unsigned depth)
{
        unsigned files = 0;
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));) {
                char below[512];
                bool known = false;
                if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
                        continue;
                files++;
                if (depth == 0) {
                        known = !strcmp(e->d_name, "bus");
                        for (int i = 0; i < STREAMS && !known; i++)
                                known = e->d_name[0] == '@' && !strcmp(e->d_name + 1, history_stream_name[i]);
                } else {
                        known = !strcmp(e->d_name, "ctl") || !strncmp(e->d_name, "0.", 2);
                }
                if (!known)
                        fail_msg("left behind: %s/%s", path, e->d_name);
                snprintf(below, sizeof below, "%s/%s", path, e->d_name);
                if (e->d_name[0] == '@')
                        check_files(below, 1);
        }
        closedir(dir);
        if (files != (depth ? 2 : 1 + STREAMS))
                fail_msg("%u files in %s", files, path);
}

static const struct torc_stream_info *check_stream(const struct torc_snapshot *snap, enum history_stream stream)
{
        for (size_t i = 0; i < snap->n_streams; i++) {
                const struct torc_stream_info *s = &snap->streams[i];
                if (strcmp(s->name, history_stream_name[stream]))
                        continue;
                assert_int_equal(s->error, 0);
                assert_int_equal(s->n_producers, 0);
                assert_int_equal(s->n_consumers, 0);
                assert_int_equal(s->n_waiters, 0);
                assert_int_equal(s->n_segments, 1);
                assert_int_equal(s->owner_pid, 0);
                return s;
        }
        fail_msg("stream %s is gone", history_stream_name[stream]);
        return NULL;
}

/* The stream's own books against the audit. A kill may fall between a commit and its count. */
static void check_books(struct campaign *c, const struct torc_snapshot *snap)
{
        uint64_t slack = (uint64_t)c->killed * ROLE_BATCH;
        for (size_t i = 1; i < 4; i++) {
                const struct torc_stream_info *s = check_stream(snap, audited[i]);
                uint64_t received = history_received(c->audit[i]), missed = atomic_load(&c->audit[i]->missed);
                uint64_t lost = s->losses[TORC_LOSS_DISCONNECTED] + s->losses[TORC_LOSS_OVERWRITTEN];
                if (audited[i] != LOSSY && (missed || s->losses[TORC_LOSS_DISCONNECTED]))
                        fail_msg("%s: losses where nobody may be disconnected", s->name);
                if (missed > lost)
                        fail_msg("%s: a reader missed %" PRIu64 ", the ledger has %" PRIu64, s->name, missed, lost);
                if (s->losses[TORC_LOSS_ABORTED] > c->killed)
                        fail_msg("%s: %" PRIu64 " aborted by %u kills", s->name, s->losses[TORC_LOSS_ABORTED], c->killed);
                uint64_t committed = history_committed(c->h, audited[i]);
                if (received + missed + 32 < s->messages || received + missed > s->messages + slack + 32)
                        fail_msg("%s: %" PRIu64 " received, %" PRIu64 " missed, %" PRIu64 " sent, %" PRIu64 " committed, %u kills",
                                 s->name, received, missed, s->messages, committed, c->killed);
        }
}

static void check_left(struct campaign *c)
{
        struct torc_inspector *in;
        struct torc_snapshot *snap;
        struct torc_bus *bus = check_reaped(c);
        assert_ok(torc_inspector_open(&in, c->t->root, "bus"));
        assert_ok(torc_inspector_take(in, &snap));
        assert_int_equal(snap->n_peers, 1);
        check_books(c, snap);
        check_files(torc_bus_path(bus), 0);
        torc_snapshot_free(&snap);
        torc_inspector_close(&in);
        torc_bus_close(&bus);
        errno = 0;
        assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void check_history(struct campaign *c)
{
        const struct history *h = c->h;
        assert_true(history_audit(h, c->audit[0]));
        assert_int_equal(atomic_load(&c->audit[0]->count), atomic_load(&c->audit[1]->count));
        assert_true(history_agree(c->audit[0], c->audit[1]));
        assert_true(history_audit(h, c->audit[2]));
        for (uint32_t i = 0; i < HISTORY_LOGS && h->log[i].record; i++) {
                const struct history_log *log = &h->log[i];
                assert_true(log->stream == LOSSY ? history_rises(log)
                                                 : history_agree(c->audit[log->stream == MAIN ? 0 : 2], log));
        }
}

static void check_stalls(struct campaign *c)
{
        /* A chain of two or three processes, each of which the machine may keep waiting. */
        int64_t most = test_param("TORC_STALL_MS", 1000) + 3 * (atomic_load(&c->h->stall_ns[MACHINE]) / 1000000);
        for (int i = 0; i < MACHINE; i++) {
                int64_t ms = atomic_load(&c->h->stall_ns[i]) / 1000000;
                if (ms > most)
                        fail_msg("%s stalled for %" PRId64 " ms", survivor_name[i], ms);
        }
}

/* ---- campaigns ------------------------------------------------------------------------------------------- */

static void campaign(struct test *t, uint64_t seed, bool reaped, unsigned kills, int64_t worst[SURVIVORS],
                     uint64_t *messages)
{
        static const uint64_t capacities[] = {4096, 8192, 16384, 65536};
        struct campaign c = {.t = t, .seed = seed * 1000003 + reaped, .reaped = reaped};
        char path[128];
        c.h = history_map(sizeof *c.h);
        assert_non_null(c.h);
        c.capacity = capacities[test_random(&c.seed) % 4];
        c.capacity_max = c.capacity << test_random(&c.seed) % 3;
        campaign_cast(&c);
        campaign_kill(&c, kills);
        campaign_stop(&c);
        check_history(&c);
        check_left(&c);
        check_stalls(&c);
        for (int i = 0; i < SURVIVORS; i++)
                if (atomic_load(&c.h->stall_ns[i]) > worst[i])
                        worst[i] = atomic_load(&c.h->stall_ns[i]);
        for (int i = 1; i < 4; i++)
                *messages += history_received(c.audit[i]);
        for (uint32_t i = 0; i < HISTORY_LOGS && c.h->log[i].record; i++)
                munmap(c.h->log[i].record, c.h->log[i].max * sizeof *c.h->log[i].record);
        munmap(c.h, sizeof *c.h);
        snprintf(path, sizeof path, "%s/bus", t->root);
        test_remove_tree(path);
}

static void campaigns(struct test *t, bool reaped)
{
        unsigned rounds = (unsigned)test_param("TORC_ROUNDS", 160) / 2, done = 0;
        uint64_t seed = (uint64_t)test_param("TORC_SEED", 1), messages = 0;
        int64_t worst[SURVIVORS] = {0};
        for (uint64_t number = 0; done < rounds; number++) {
                unsigned kills = rounds - done < KILLS ? rounds - done : KILLS;
                test_seconds(TEST_SECONDS);
                print_message("campaign: TORC_SEED=%" PRIu64 " number %" PRIu64 "\n", seed, number);
                campaign(t, seed * 65537 + number, reaped, kills, worst, &messages);
                done += kills;
        }
        print_message("%u kills, %" PRIu64 " messages checked; longest stalls: readers %" PRId64 " ms, senders %" PRId64
                      " ms, hand-overs %" PRId64 " ms (the machine itself %" PRId64 " ms)\n",
                      done, messages, worst[AUDITOR] / 1000000, worst[SENDER] / 1000000, worst[OWNER] / 1000000,
                      worst[MACHINE] / 1000000);
}

static void killed_without_supervisor_harms_nobody(void **state)
{
        campaigns(*state, false);
}

static void killed_with_reapers_harms_nobody(void **state)
{
        campaigns(*state, true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {TEST(killed_without_supervisor_harms_nobody),
                                           TEST(killed_with_reapers_harms_nobody)};
        return TEST_MAIN(tests);
}
