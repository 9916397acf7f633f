/*
 * crash_walk.c - each role in turn is killed, and stopped and continued, behind each store that it makes: every point of
 * libshm/fault.def that it passes, at each of the first passes and at the last. While one is stopped the others work, attach,
 * and, in another round, fence the stream twice under it. Then those that live go on, in bounded time,
 * and what all of them wrote down has to fit together: one order for all, nothing committed lost, nothing doubled, nothing
 * torn, every gap in the ledger, the invariants of docs/ARCHITECTURE.md, and nothing left behind.
 *
 *      TORC_CRASH_PASSES=5     walk so many passes of each point, and the last (default 2)
 *      TORC_CRASH_POINT=NAME   this point only         TORC_TEST_FILTER=*sends*   one role
 *
 * crash_stage.h has the cast, crash_scenes.h the roles, crash_laws.h the invariants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "crash_laws.h"
#include "crash_scenes.h"

#define WALK_PASSES 2

static struct round *stage_now; /* the round that runs; cleared when it went well */
static uint64_t walk_fired[FAULT_POINTS][2]; /* killed, stopped */
static uint64_t walk_rounds;

/* ---- setting the stage ----------------------------------------------------------------------------------- */

static void round_open(struct round *r)
{
        bool created;
        r->b = history_map(sizeof *r->b);
        assert_non_null(r->b);
        r->audit = history_new_log(&r->b->h, r->scene->stream, STAGE_LOG);
        history_new_log(&r->b->h, r->scene->stream, STAGE_LOG); /* the victim's */
        history_new_log(&r->b->h, r->scene->stream, STAGE_LOG); /* a newcomer's */
        if (!r->scene->alone) {
                r->reader = child_start(r->t, survivor_reads, r);
                child_hear(&r->reader);
                r->sender = child_start(r->t, survivor_sends, r);
                child_hear(&r->sender);
        }
        r->bus = test_bus(r->t, "test");
        if (r->scene->alone)
                return;
        handle_init(&r->eye_handle, NULL, NULL);
        stage_ok(r, handle_add(&r->eye_handle));
        stage_ok(r, stream_open(&r->eye, r->bus, &r->eye_handle, stage_stream(r), NULL, TORC_NO_CREATE, &created));
}

/* After a failure: those who live on are ended; a round that went well leaves nobody. */
static void round_abandon(struct round *r)
{
        struct child *child[] = {&r->reader, &r->sender, &r->victim, &r->dead};
        test_end_children();
        for (size_t i = 0; i < sizeof child / sizeof *child; i++)
                if (child[i]->pid)
                        child_close(child[i]);
}

static void round_close(struct round *r)
{
        char path[128];
        if (r->eye.ctl) {
                handle_remove(&r->eye_handle);
                stream_close(&r->eye);
        }
        torc_consumer_close(&r->laggard);
        torc_bus_close(&r->bus);
        for (uint32_t i = 0; i < atomic_load(&r->b->h.n_logs); i++)
                munmap(r->b->h.log[i].record, r->b->h.log[i].max * sizeof *r->b->h.log[i].record);
        munmap(r->b, sizeof *r->b);
        snprintf(path, sizeof path, "%s/bus", r->t->root);
        test_remove_tree(path);
        walk_rounds++;
}

/* ---- the victim's way to its point ----------------------------------------------------------------------- */

/* Until it has died (true), stopped, or ended unharmed. */
static bool victim_until(struct round *r, int *status)
{
        int64_t begin = test_now_ms();
        for (;;) {
                pid_t pid = waitpid(r->victim.pid, status, WUNTRACED | WNOHANG);
                assert_true(pid >= 0);
                if (pid)
                        break;
                if (test_now_ms() - begin > TEST_WAIT_MS)
                        stage_fail(r, "the victim hangs");
                if (r->scene->meanwhile)
                        r->scene->meanwhile(r);
                stage_nap();
        }
        return !WIFSTOPPED(*status);
}

static void victim_gone(struct round *r)
{
        test_note_child(r->victim.pid, 0);
        child_close(&r->victim);
        r->victim.pid = 0;
}

static void victim_ended(struct round *r, int status)
{
        victim_gone(r);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && r->pass && r->action < STOP)
                r->harmed = true;
        else if (!WIFEXITED(status) || WEXITSTATUS(status))
                stage_fail(r, "the victim ended with wait status 0x%x", (unsigned)status);
}

static void victim_acts(struct round *r)
{
        int status;
        r->victim = child_start(r->t, victim_runs, r);
        if (r->scene->at_prelude) {
                if (victim_until(r, &status)) {
                        victim_ended(r, status);
                        if (!r->harmed)
                                stage_fail(r, "the victim never came to %s", fault_name(r->scene->prelude));
                        return;
                }
                if (!atomic_load(&r->b->passes[r->scene->prelude])) { /* it never got so far */
                        r->harmed = true;
                        return;
                }
                r->scene->at_prelude(r);
                kill(r->victim.pid, SIGCONT);
        }
        if (victim_until(r, &status))
                victim_ended(r, status);
        else
                r->harmed = true;
}

/* ---- those who live -------------------------------------------------------------------------------------- */

static bool lock_held(int fd)
{
        bool held = true;
        file_lock_held(fd, ABI_LOCK_TABLE, &held);
        return held;
}

/* A fresh reader and a fresh sender do their work. */
static void newcomer_comes(struct round *r)
{
        struct torc_producer *p;
        struct torc_consumer *c;
        struct history_log *log = &r->b->h.log[2];
        uint64_t id = history_new_sender(&r->b->h, r->scene->stream), seq = 0;
        bool lossy = r->scene->cuts_reader;
        int64_t begin = test_now_ms();
        int rc;
        stage_ok(r, stage_open_consumer(r, r->bus, TORC_START_EARLIEST, &c));
        history_write(log, &(struct history_record){.sender = HISTORY_GAP, .seq = 1});
        if (r->scene->stream == TURNS) {
                stage_ok(r, stage_open_producer(r, r->bus, TORC_WAIT_FOR_EXCLUSIVE, id, &p));
                stage_ok(r, torc_producer_await(p, STAGE_PATIENCE_MS));
        } else {
                stage_ok(r, stage_open_producer(r, r->bus, TORC_SHARED, id, &p));
        }
        stage_bound(r, begin, "attaching");
        for (int i = 0; i < 2; i++) {
                while ((rc = stage_recv(log, c, 0)) == 0)
                        ;
                if (rc == TORC_ELAGGED && lossy) {
                        stage_ok(r, torc_consumer_reattach(c, STAGE_PATIENCE_MS));
                        stage_note_gap(log, torc_consumer_missed(c));
                } else if (rc != -EAGAIN) {
                        stage_ok(r, rc);
                }
                stage_ok(r, stage_send(r, p, id, &seq, STAGE_PATIENCE_MS));
                rc = stage_recv(log, c, STAGE_PATIENCE_MS);
                if (rc != TORC_ELAGGED || !lossy)
                        stage_ok(r, rc);
        }
        stage_bound(r, begin, "a newcomer's messages");
        torc_producer_close(&p);
        torc_consumer_close(&c);
}

/* Somebody is stopped in the midst of it: the others do what they can. */
static void others_try(struct round *r)
{
        int64_t until = test_now_ms() + 20;
        struct torc_consumer *c;
        struct torc_producer *p;
        atomic_store(&r->b->go, 1);
        atomic_fetch_add(&r->b->ordered, 5);
        while (atomic_load(&r->b->sent) < atomic_load(&r->b->ordered) && test_now_ms() < until)
                stage_nap();
        if (r->scene->quick || lock_held(r->bus->handle.fd[BUS_FD_PROBE]) || lock_held(r->eye_handle.fd[STREAM_FD_LOCK]))
                return;
        int64_t begin = test_now_ms();
        if (r->action == STOP_AND_FENCE) {
                stage_ok(r, torc_stream_fence(r->bus, stage_stream(r), NULL));
                stage_ok(r, torc_stream_fence(r->bus, stage_stream(r), NULL));
        }
        stage_ok(r, stage_open_consumer(r, r->bus, TORC_START_EARLIEST, &c));
        torc_consumer_close(&c);
        if (r->scene->stream != TURNS) {
                int rc = stage_open_producer(r, r->bus, TORC_SHARED, history_new_sender(&r->b->h, r->scene->stream), &p);
                if (rc != TORC_EBUSY) /* the victim owns it */
                        stage_ok(r, rc);
                if (rc == 0)
                        torc_producer_close(&p);
        }
        stage_bound(r, begin, "attaching beside one who is stopped");
        int rc = torc_bus_reap(r->bus, NULL);
        if (rc != -EAGAIN)
                stage_ok(r, rc);
}

static void victim_goes_on(struct round *r)
{
        int status;
        int64_t begin = test_now_ms();
        kill(r->victim.pid, SIGCONT);
        pid_t pid;
        while ((pid = waitpid(r->victim.pid, &status, WNOHANG | WUNTRACED)) == 0 || WIFSTOPPED(status)) {
                if (pid) { /* it has come to the prelude only now */
                        r->scene->at_prelude(r);
                        kill(r->victim.pid, SIGCONT);
                        continue;
                }
                stage_bound(r, begin, "the victim's way on");
                if (r->scene->meanwhile)
                        r->scene->meanwhile(r);
                stage_nap();
        }
        victim_gone(r);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
                stage_fail(r, "the victim went on and ended with wait status 0x%x", (unsigned)status);
}

/* ---- the end --------------------------------------------------------------------------------------------- */

static void check_left(struct round *r, const char *path, bool stream)
{
        unsigned segments = 0;
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));) {
                char below[512];
                if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
                        continue;
                bool known = stream ? !strcmp(e->d_name, "ctl") || !strncmp(e->d_name, "0.", 2)
                                    : !strcmp(e->d_name, "bus") || !strcmp(e->d_name, "supervisor") || e->d_name[0] == '@';
                if (!known)
                        stage_fail(r, "left behind: %s/%s", path, e->d_name);
                segments += !strncmp(e->d_name, "0.", 2);
                snprintf(below, sizeof below, "%s/%s", path, e->d_name);
                if (e->d_name[0] == '@')
                        check_left(r, below, true);
        }
        closedir(dir);
        if (stream && segments != 1)
                stage_fail(r, "%u segments are left in %s", segments, path);
}

static void check_books(struct round *r, const struct torc_stream_info *s)
{
        uint64_t received = history_received(r->audit), missed = atomic_load(&r->audit->missed);
        uint64_t unbooked = r->harmed && r->action < STOP ? 4 : 0; /* of one send, between its commit and its count */
        uint64_t aborted = s->losses[TORC_LOSS_ABORTED];
        /* One who comes back to history may be overtaken there once more. */
        uint64_t cut = s->losses[TORC_LOSS_DISCONNECTED], lost = cut + s->losses[TORC_LOSS_OVERWRITTEN];
        /* Who comes back to a place that is gone counts by the senders' counts: a message in flight is not in them. */
        uint64_t in_flight = r->scene->cuts_reader && r->harmed ? 1 : 0;
        if (received + missed + in_flight < s->messages || received + missed > s->messages + unbooked)
                stage_fail(r, "%" PRIu64 " received, %" PRIu64 " missed, %" PRIu64 " in the books", received, missed,
                           s->messages);
        if (aborted > r->holes || aborted + (r->scene->uncounted && r->harmed) < r->holes)
                stage_fail(r, "%" PRIu64 " claims were left open, %" PRIu64 " are in the ledger", r->holes, aborted);
        if (!r->scene->cuts_reader && (missed || cut) && r->scene->stream != LOSSY)
                stage_fail(r, "losses where nobody may be cut off: %" PRIu64 ", %" PRIu64, missed, cut);
        if (lost < missed + r->laggard_missed)
                stage_fail(r, "readers missed %" PRIu64 ", the ledger has %" PRIu64, missed + r->laggard_missed, lost);
}

static void check_bus(struct round *r)
{
        struct torc_snapshot *snap = test_snapshot(r->t);
        if (snap->n_peers != 1)
                stage_fail(r, "%zu peers are left", snap->n_peers);
        for (size_t i = 0; i < snap->n_streams; i++) {
                const struct torc_stream_info *s = &snap->streams[i];
                stage_ok(r, s->error);
                if (s->n_producers + s->n_consumers + s->n_waiters || s->n_segments != 1)
                        stage_fail(r, "%zu producers, %zu consumers, %zu waiters, %zu segments are left", s->n_producers,
                                   s->n_consumers, s->n_waiters, s->n_segments);
                if (!r->scene->alone && !strcmp(s->name, stage_stream(r)))
                        check_books(r, s);
        }
        torc_snapshot_free(&snap);
        check_left(r, torc_bus_path(r->bus), false);
}

/* A2, A3: what one handle sends stands in one epoch. Who was fenced does not follow into the next. */
static bool check_epochs(const struct history_log *log)
{
        uint32_t epoch[64] = {0};
        for (uint64_t i = 0; i < atomic_load(&log->count); i++) {
                const struct history_record *m = &log->record[i];
                if (m->sender == HISTORY_GAP || m->sender >= 64)
                        continue;
                if (epoch[m->sender] && epoch[m->sender] != m->epoch)
                        return history_bad("one handle in two epochs", log->stream, m->sender, epoch[m->sender], m->epoch);
                epoch[m->sender] = m->epoch;
        }
        return true;
}

static void check_history(struct round *r)
{
        const struct history *h = &r->b->h;
        bool good = check_epochs(r->audit);
        if (r->scene->stream == LOSSY) {
                for (uint32_t i = 0; i < 3; i++)
                        good = good && history_rises(&h->log[i]);
        } else {
                good = good && history_audit(h, r->audit);
                for (uint32_t i = 1; i < 3 && good; i++)
                        good = history_agree(r->audit, &h->log[i]);
        }
        if (!good)
                stage_fail(r, "the logs do not fit together");
}

static void reap_all(struct round *r)
{
        int rc;
        int64_t begin = test_now_ms();
        while ((rc = torc_bus_reap(r->bus, NULL)) == -EAGAIN)
                stage_bound(r, begin, "reaping");
        stage_ok(r, rc);
        stage_bound(r, begin, "reaping");
}

static void round_ends(struct round *r)
{
        if (r->laggard) {
                r->laggard_missed = torc_consumer_missed(r->laggard);
                torc_consumer_close(&r->laggard);
        }
        atomic_store(&r->b->stop, 1);
        child_join(&r->sender);
        reap_all(r);
        atomic_store(&r->b->stop, 2);
        child_join(&r->reader);
        reap_all(r);
        law_check(r);
        check_history(r);
        check_bus(r);
}

/* ---- a round --------------------------------------------------------------------------------------------- */

/* Returns whether the victim came to its point. */
static bool round_run(struct test *t, const struct scene *scene, enum fault_point point, uint64_t pass,
                      enum action action, uint64_t passes[FAULT_POINTS])
{
        static struct round r;
        r = (struct round){.t = t, .scene = scene, .point = point, .pass = pass, .action = action};
        stage_now = &r;
        round_open(&r);
        if (scene->arrange)
                scene->arrange(&r);
        if (scene->reads_along)
                atomic_store(&r.b->go, 1);
        if (!scene->alone)
                law_note_holes(&r);
        victim_acts(&r);
        if (!scene->alone) {
                law_note_holes(&r);
                law_check(&r);
        }
        if (r.victim.pid) {
                if (!scene->alone)
                        others_try(&r);
                else if (scene->beside)
                        scene->beside(&r);
                victim_goes_on(&r);
        }
        if (scene->after)
                scene->after(&r);
        if (r.harmed && action == KILL_AND_REAP) {
                reap_all(&r);
                if (!scene->alone)
                        law_check(&r);
        }
        if (!scene->alone) {
                stage_order(&r, 5);
                newcomer_comes(&r);
                stage_order(&r, 2);
                round_ends(&r);
        } else {
                reap_all(&r);
                check_bus(&r);
        }
        bool harmed = r.harmed;
        for (int i = 0; i < FAULT_POINTS && passes; i++)
                passes[i] = atomic_load(&r.b->passes[i]);
        round_close(&r);
        stage_now = NULL;
        return harmed;
}

static bool walk_wants(const struct scene *scene, enum fault_point point)
{
        const char *only = getenv("TORC_CRASH_POINT");
        if (only && *only && strcmp(only, fault_name(point)))
                return false;
        if (!scene->only)
                return true;
        for (const enum fault_point *p = scene->only; *p != FAULT_POINTS; p++)
                if (*p == point)
                        return true;
        return false;
}

static const struct scene *walk_scene;

static int walk_begin(void **state)
{
        walk_scene = *state;
        return test_begin(state);
}

static void walk(void **state)
{
        const struct scene *scene = walk_scene;
        struct test *t = *state;
        uint64_t passes[FAULT_POINTS], most = (uint64_t)test_param("TORC_CRASH_PASSES", WALK_PASSES), missed = 0;
        int64_t begin = test_now_ms();
        uint64_t rounds = walk_rounds;
        test_seconds(280);
        round_run(t, scene, FAULT_POINTS, 0, KILL, passes);
        for (int p = 0; p < FAULT_POINTS; p++) {
                if (!walk_wants(scene, (enum fault_point)p))
                        continue;
                for (uint64_t pass = 1; pass <= passes[p]; pass++) {
                        if (scene->only ? pass > 1 : pass > most && pass != passes[p])
                                continue;
                        for (int action = KILL; action < ACTIONS; action++) {
                                if (action == STOP_AND_FENCE && (scene->alone || scene->quick || scene->history))
                                        continue;
                                bool harmed = round_run(t, scene, (enum fault_point)p, pass, (enum action)action, NULL);
                                walk_fired[p][action >= STOP] += harmed;
                                missed += !harmed;
                        }
                }
        }
        print_message("%s: %" PRIu64 " rounds, %" PRIu64 " of them without harm, %" PRId64 " ms\n", scene->name,
                      walk_rounds - rounds, missed, test_now_ms() - begin);
}

static void every_point_is_reached(void **state)
{
        unsigned bad = 0;
        (void)state;
        for (int i = 0; i < FAULT_POINTS; i++) {
                if (walk_fired[i][0] && walk_fired[i][1])
                        continue;
                print_error("no victim was %s at %s\n", walk_fired[i][0] ? "stopped" : "killed", fault_name((enum fault_point)i));
                bad++;
        }
        print_message("%" PRIu64 " rounds; the longest wait: %" PRId64 " ms for %s\n", walk_rounds, stage_worst_ms, stage_worst);
        if (bad)
                fail_msg("%u of %d points were never reached", bad, FAULT_POINTS);
}

static int walk_end(void **state)
{
        if (stage_now) {
                print_error("in the round: %s\n", stage_where(stage_now));
                round_abandon(stage_now);
                round_close(stage_now);
        }
        stage_now = NULL;
        return test_end(state);
}

int main(void)
{
        struct CMUnitTest tests[SCENES + 1];
        for (size_t i = 0; i < SCENES; i++)
                tests[i] = (struct CMUnitTest){scenes[i].name, walk, walk_begin, walk_end, (void *)(uintptr_t)&scenes[i]};
        tests[SCENES] = (struct CMUnitTest)TEST(every_point_is_reached);
        return TEST_MAIN(tests);
}
