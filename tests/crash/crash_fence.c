/*
 * crash_fence.c - an owner is stopped at each fault point that it passes while it sends; another fences it, writes, and
 * only then the first one goes on, or, every fourth time, is killed. All readers see what the old one had claimed before
 * what the new one wrote, nothing is torn, nothing committed is lost, and the fenced one is told so at its next call.
 * Asked politely first, or shut out without a new owner first, in turn.
 *
 *      TORC_FENCE_ROUNDS=30000     (default 10000)
 *
 * SPDX-License-Identifier: MIT
 */
#include "crash_laws.h"

#define FENCE_ROUNDS 10000
#define FENCE_CHECK 50      /* rounds after which the readers have to have caught up */
#define FENCE_LOG (1u << 19)
#define FENCE_READERS 3

static const struct scene fence_scene = {.name = "fencing", .stream = TURNS, .lag = TORC_LAG_BLOCK};

struct fence {
        struct round r;
        struct child reader[FENCE_READERS];
        struct history_log *log[FENCE_READERS];
        struct place {
                enum fault_point point;
                uint64_t pass;
        } place[512]; /* where to stop, in turn */
        size_t n_places;
        uint64_t fenced, killed, unharmed, late;
};

/* ---- the readers ----------------------------------------------------------------------------------------- */

static int fence_view(const struct torc_view *view, void *arg)
{
        stage_note(arg, view->data, view->len, &view->id);
        return 0;
}

struct fence_reader {
        struct fence *f;
        unsigned number;
};

/* One copies, one reads in place, one waits on its descriptor. */
static void fence_reads(struct child *link, struct test *t, void *arg)
{
        struct fence_reader *me = arg;
        struct round *r = &me->f->r;
        struct history_log *log = me->f->log[me->number];
        struct torc_bus *bus = child_bus(t, "reader");
        struct torc_consumer *c;
        size_t handled;
        alarm(0);
        CHECK_RC(stage_open_consumer(r, bus, TORC_START_LIVE, &c), 0);
        link_say(link, 0);
        for (;;) {
                bool last = atomic_load(&r->b->stop);
                int rc = 0;
                if (me->number == 1) {
                        while ((rc = torc_consumer_poll(c, fence_view, log, 64, &handled)) == 0)
                                ;
                        if (rc == -EAGAIN && !last)
                                rc = stage_recv(log, c, 3);
                } else if (me->number == 2) {
                        struct pollfd p = {.fd = torc_consumer_fd(c), .events = POLLIN};
                        CHECK(p.fd >= 0);
                        poll(&p, 1, last ? 0 : 3);
                        while ((rc = stage_recv(log, c, 0)) == 0)
                                ;
                        if (rc == -EAGAIN && !last)
                                rc = -ETIMEDOUT;
                } else {
                        rc = stage_recv(log, c, last ? 0 : 3);
                }
                if (last && rc == -EAGAIN)
                        break;
                if (rc != -ETIMEDOUT)
                        CHECK_RC(rc, 0);
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- the owner that is stopped --------------------------------------------------------------------------- */

static int owner_batch(struct actor *a)
{
        unsigned char bytes[3][90];
        struct torc_span spans[3];
        struct history_sender *to = &a->r->b->h.sender[a->id[0]];
        size_t accepted;
        for (size_t i = 0; i < 3; i++) {
                spans[i] = (struct torc_span){bytes[i], 40 + i * 20};
                message_fill(bytes[i], spans[i].len, a->id[0], a->seq[0] + i);
        }
        atomic_store(&to->attempted, a->seq[0] + 3);
        int rc = torc_producer_send_batch(a->p, spans, 3, STAGE_PATIENCE_MS, &accepted);
        atomic_store(&to->committed, a->seq[0] += accepted);
        return rc;
}

static int owner_in_place(struct actor *a)
{
        struct history_sender *to = &a->r->b->h.sender[a->id[0]];
        void *place;
        int rc = torc_producer_claim(a->p, 300, NULL, STAGE_PATIENCE_MS, &place);
        if (rc)
                return rc;
        message_fill(place, 300, a->id[0], a->seq[0]);
        atomic_store(&to->attempted, a->seq[0] + 1);
        rc = torc_producer_commit(a->p, NULL);
        if (rc == 0)
                atomic_store(&to->committed, ++a->seq[0]);
        return rc;
}

static int owner_sends(struct actor *a, int way)
{
        switch (way % 4) {
        case 0:
                return owner_batch(a);
        case 1:
                return owner_in_place(a);
        default:
                return stage_send(a->r, a->p, a->id[0], &a->seq[0], STAGE_PATIENCE_MS);
        }
}

static void owner_runs(struct child *link, struct test *t, void *arg)
{
        struct round *r = arg;
        struct actor a = {.r = r};
        int rc = 0;
        a.bus = child_bus(t, "owner");
        actor_open(&a, 0, TORC_EXCLUSIVE);
        actor_arm(&a);
        for (int i = 0; i < 6 && rc == 0; i++)
                rc = owner_sends(&a, i);
        fault_plan.passes = NULL;
        /* Not stopped: it waits to be fenced. Stopped: the call that it was in may have been in time, the next is not. */
        link_say(link, rc);
        link_hear(link);
        if (rc == 0)
                rc = owner_sends(&a, 2);
        CHECK_RC(rc, TORC_EFENCED);
        CHECK_RC(owner_in_place(&a), TORC_EFENCED);
        torc_producer_close(&a.p);
        torc_bus_close(&a.bus);
}

/* ---- a round --------------------------------------------------------------------------------------------- */

static void fencer_writes(struct fence *f, uint64_t number)
{
        struct round *r = &f->r;
        struct torc_producer *p;
        uint64_t id = history_new_sender(&r->b->h, TURNS), seq = 0;
        int64_t begin = test_now_ms();
        if (number % 3 == 2) /* the stream is taken from it first, and has no owner for a moment */
                stage_ok(r, torc_stream_fence(r->bus, stage_stream(r), NULL));
        int rc = stage_open_producer(r, r->bus, number % 3 ? TORC_EXCLUSIVE : TORC_EXCLUSIVE_WITH_FENCING, id, &p);
        if (rc == TORC_EBUSY)
                rc = stage_open_producer(r, r->bus, TORC_EXCLUSIVE_WITH_FENCING, id, &p);
        stage_ok(r, rc);
        stage_ok(r, stage_send(r, p, id, &seq, STAGE_PATIENCE_MS));
        rc = stage_send(r, p, id, &seq, 0);
        if (rc != TORC_EFULL) /* the readers may stand before the old one's open claim, and there is room for one */
                stage_ok(r, rc);
        torc_producer_close(&p);
        stage_bound(r, begin, "taking over");
}

static void owner_ends(struct fence *f, uint64_t number, bool stopped)
{
        struct round *r = &f->r;
        if (stopped && number % 4 == 3) {
                child_kill(&r->victim);
                f->killed++;
                return;
        }
        if (stopped) {
                kill(r->victim.pid, SIGCONT);
                f->late += child_hear(&r->victim) == 0;
                f->fenced++;
        } else {
                f->unharmed++;
        }
        child_say(&r->victim, 0);
        child_join(&r->victim);
}

/* Returns whether the owner came to its point. */
static bool fence_round(struct fence *f, uint64_t number, uint64_t passes[FAULT_POINTS])
{
        struct round *r = &f->r;
        int status;
        bool stopped = false;
        r->action = STOP;
        for (int i = 0; i < FAULT_POINTS; i++)
                atomic_store(&r->b->passes[i], 0);
        r->victim = child_start(r->t, owner_runs, r);
        int64_t begin = test_now_ms();
        while (!stopped && !child_has_said(&r->victim)) {
                stopped = waitpid(r->victim.pid, &status, WUNTRACED | WNOHANG) > 0;
                if (stopped && !WIFSTOPPED(status))
                        stage_fail(r, "the owner ended with wait status 0x%x", (unsigned)status);
                stage_bound(r, begin, "the owner's way");
                stage_nap();
        }
        if (!stopped)
                assert_int_equal(child_hear(&r->victim), 0);
        for (int i = 0; i < FAULT_POINTS && passes; i++)
                passes[i] = atomic_load(&r->b->passes[i]);
        fencer_writes(f, number);
        owner_ends(f, number, stopped);
        return stopped;
}

/* ---- all rounds ------------------------------------------------------------------------------------------ */

static void fence_wait(struct fence *f)
{
        struct round *r = &f->r;
        int64_t begin = test_now_ms();
        uint64_t committed = history_committed(&r->b->h, TURNS);
        for (int i = 0; i < FENCE_READERS; i++)
                while (history_received(f->log[i]) < committed) {
                        stage_bound(r, begin, "a reader");
                        stage_nap();
                }
}

/* The owner's points; those under the ctl lock belong to crash_walk.c: nobody can fence there. */
static void fence_places(struct fence *f)
{
        uint64_t passes[FAULT_POINTS];
        fence_round(f, 0, passes);
        for (int p = 0; p < FAULT_POINTS; p++)
                for (uint64_t pass = 1; pass <= passes[p] && f->n_places < 512; pass++)
                        if (p != FAULT_file_locked && p != FAULT_file_unlocked)
                                f->place[f->n_places++] = (struct place){(enum fault_point)p, pass};
}

static void fence_open(struct fence *f, struct test *t)
{
        struct round *r = &f->r;
        *r = (struct round){.t = t, .scene = &fence_scene};
        r->b = history_map(sizeof *r->b);
        assert_non_null(r->b);
        for (unsigned i = 0; i < FENCE_READERS; i++) {
                struct fence_reader me = {f, i};
                f->log[i] = history_new_log(&r->b->h, TURNS, FENCE_LOG);
                assert_non_null(f->log[i]);
                f->reader[i] = child_start(t, fence_reads, &me);
                child_hear(&f->reader[i]);
        }
        r->bus = test_bus(t, "fencer");
}

static void fence_check(struct fence *f)
{
        struct round *r = &f->r;
        struct torc_snapshot *snap;
        int rc;
        while ((rc = torc_bus_reap(r->bus, NULL)) == -EAGAIN)
                ;
        stage_ok(r, rc);
        atomic_store(&r->b->stop, 1);
        for (int i = 0; i < FENCE_READERS; i++)
                child_join(&f->reader[i]);
        assert_true(history_audit(&r->b->h, f->log[0]));
        for (int i = 1; i < FENCE_READERS; i++) {
                assert_int_equal(atomic_load(&f->log[0]->count), atomic_load(&f->log[i]->count));
                assert_true(history_agree(f->log[0], f->log[i]));
        }
        stage_ok(r, torc_bus_reap(r->bus, NULL));
        snap = test_snapshot(r->t);
        const struct torc_stream_info *s = test_find_stream(snap, stage_stream(r));
        assert_non_null(s);
        assert_int_equal(s->n_producers + s->n_consumers + s->n_waiters, 0);
        assert_int_equal(s->n_segments, 1);
        assert_int_equal(snap->n_peers, 1);
        if (s->losses[TORC_LOSS_ABORTED] > f->killed)
                fail_msg("%" PRIu64 " aborted by %" PRIu64 " kills", s->losses[TORC_LOSS_ABORTED], f->killed);
        torc_snapshot_free(&snap);
}

static void a_fenced_owner_comes_too_late(void **state)
{
        static struct fence f;
        uint64_t rounds = (uint64_t)test_param("TORC_FENCE_ROUNDS", FENCE_ROUNDS);
        int64_t begin = test_now_ms();
        f = (struct fence){.n_places = 0};
        fence_open(&f, *state);
        test_seconds(280);
        fence_places(&f);
        for (uint64_t i = 0; i < rounds; i++) {
                struct place at = f.place[i % f.n_places];
                f.r.point = at.point;
                f.r.pass = at.pass;
                fence_round(&f, i, NULL);
                if (i % FENCE_CHECK == FENCE_CHECK - 1) {
                        fence_wait(&f);
                        test_seconds(280);
                }
        }
        fence_wait(&f);
        fence_check(&f);
        print_message("%" PRIu64 " rounds at %zu places, %" PRIu64 " ms: %" PRIu64 " owners fenced and continued (%" PRIu64
                      " of them had claimed in time), %" PRIu64 " fenced and killed, %" PRIu64 " never came to their point; %" PRIu64
                      " messages; the longest wait: %" PRId64 " ms for %s\n",
                      rounds, f.n_places, (uint64_t)(test_now_ms() - begin), f.fenced, f.late, f.killed, f.unharmed,
                      history_received(f.log[0]), stage_worst_ms, stage_worst);
        assert_true(f.unharmed < rounds / 4);
        torc_bus_close(&f.r.bus);
        for (int i = 0; i < FENCE_READERS; i++)
                munmap(f.log[i]->record, f.log[i]->max * sizeof *f.log[i]->record);
        munmap(f.r.b, sizeof *f.r.b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {TEST(a_fenced_owner_comes_too_late)};
        return TEST_MAIN(tests);
}
