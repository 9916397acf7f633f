/*
 * crash_scenes.h - the roles in which a victim of crash_walk.c dies or stops, and what has happened before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CRASH_SCENES_H
#define TORC_CRASH_SCENES_H

#include "crash_stage.h"

#include "consumer.h"

/* In the victim, before it acts: let the test do its part (scene->meanwhile at step 1) and wait until that is done. */
static inline void actor_until_ready(struct actor *a)
{
        atomic_store(&a->r->b->step, 1);
        while (atomic_load(&a->r->b->step) != 2)
                stage_nap();
}

static inline void scene_shares(struct actor *a)
{
        actor_open(a, 0, TORC_SHARED);
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static inline void scene_sends(struct actor *a)
{
        for (int i = 0; i < 6; i++)
                actor_send(a, 0, STAGE_PATIENCE_MS);
}

static inline void scene_sends_batches(struct actor *a)
{
        unsigned char bytes[4][100];
        struct torc_span spans[4];
        struct history_sender *to = &a->r->b->h.sender[a->id[0]];
        size_t accepted;
        for (int lap = 0; lap < 3; lap++) {
                for (size_t i = 0; i < 4; i++) {
                        spans[i] = (struct torc_span){bytes[i], 40 + i * 20};
                        message_fill(bytes[i], spans[i].len, a->id[0], a->seq[0] + i);
                }
                atomic_store(&to->attempted, a->seq[0] + 4);
                ACT(a, torc_producer_send_batch(a->p, spans, 4, STAGE_PATIENCE_MS, &accepted), 0);
                atomic_store(&to->committed, a->seq[0] += 4);
        }
}

static inline void scene_claims(struct actor *a)
{
        struct history_sender *to = &a->r->b->h.sender[a->id[0]];
        void *place;
        for (int i = 0; i < 4; i++) {
                ACT(a, torc_producer_claim(a->p, 500, NULL, STAGE_PATIENCE_MS, &place), 0);
                message_fill(place, 500, a->id[0], a->seq[0]);
                if (i % 2) {
                        CHECK_RC(torc_producer_abort(a->p), 0);
                        continue;
                }
                atomic_store(&to->attempted, a->seq[0] + 1);
                CHECK_RC(torc_producer_commit(a->p, NULL), 0);
                atomic_store(&to->committed, ++a->seq[0]);
        }
}

static inline void scene_fills(struct actor *a)
{
        int rc;
        actor_open(a, 0, TORC_SHARED);
        while ((rc = stage_send(a->r, a->p, a->id[0], &a->seq[0], 0)) == 0)
                ;
        CHECK_RC(rc, TORC_EFULL);
}

static inline void scene_sends_one(struct actor *a)
{
        actor_send(a, 0, STAGE_PATIENCE_MS);
}

/* The victim is asleep, or about to: make room. */
static inline void scene_reader_goes(struct round *r)
{
        if (atomic_load(&r->b->passes[FAULT_wait_announce]))
                atomic_store(&r->b->go, 1);
}

static inline void scene_one_more(struct round *r)
{
        stage_order(r, 1);
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

static inline void scene_has_both(struct actor *a)
{
        actor_open_consumer(a, TORC_START_LIVE);
        actor_open(a, 0, TORC_SHARED);
}

static inline void actor_recv(struct actor *a, int timeout_ms, int wanted)
{
        CHECK_RC(stage_recv(a->log, a->c, timeout_ms), wanted);
}

static inline void actor_recv_all(struct actor *a)
{
        int rc;
        while ((rc = stage_recv(a->log, a->c, 0)) == 0)
                ;
        if (rc != -EAGAIN)
                CHECK_RC(rc, -EAGAIN);
}

/* Others may have filled the ring, and it is this victim itself who has not read that. */
static inline void actor_send_and_read(struct actor *a)
{
        int rc;
        do
                actor_recv_all(a);
        while ((rc = stage_send(a->r, a->p, a->id[0], &a->seq[0], 20)) == -ETIMEDOUT);
        ACT(a, rc, 0);
}

static inline void scene_reads(struct actor *a)
{
        for (int i = 0; i < 6; i++) {
                actor_send_and_read(a);
                actor_recv(a, STAGE_PATIENCE_MS, 0);
        }
}

static inline void scene_polls(struct actor *a)
{
        CHECK(torc_consumer_fd(a->c) >= 0);
        for (int i = 0; i < 3; i++) {
                actor_send_and_read(a);
                struct pollfd p = {.fd = torc_consumer_fd(a->c), .events = POLLIN};
                CHECK(poll(&p, 1, STAGE_PATIENCE_MS) == 1);
        }
        actor_recv_all(a);
}

static inline void scene_follows(struct actor *a)
{
        actor_recv_all(a);
        CHECK_RC(torc_stream_fence(a->bus, stage_stream(a->r), NULL), 0);
        actor_recv_all(a);
        torc_producer_close(&a->p);
        actor_open(a, 0, TORC_SHARED);
        actor_send_and_read(a);
        actor_recv_all(a);
}

static inline void scene_sleeps(struct actor *a)
{
        actor_recv(a, STAGE_PATIENCE_MS, 0);
}

static inline void scene_opens_consumer(struct actor *a)
{
        actor_open_consumer(a, TORC_START_LIVE);
}

/* The victim is asleep, or about to: send something. */
static inline void scene_sender_goes(struct round *r)
{
        if (atomic_load(&r->b->passes[FAULT_wait_announce]) && atomic_exchange(&r->b->step, 2) != 2)
                atomic_fetch_add(&r->b->ordered, 1);
}

static inline void scene_history(struct round *r)
{
        stage_order(r, 2);
}

static inline void scene_joins(struct actor *a)
{
        actor_open_consumer(a, TORC_START_EARLIEST);
        actor_recv_all(a);
        torc_consumer_close(&a->c);
}

static inline void scene_finds_message(struct actor *a)
{
        struct torc_view view;
        actor_open_consumer(a, TORC_START_EARLIEST);
        actor_recv(a, STAGE_PATIENCE_MS, 0);
        CHECK_RC(torc_consumer_view(a->c, &view, STAGE_PATIENCE_MS), 0);
        a->message = view.id;
        CHECK_RC(torc_consumer_release(a->c), 0);
        torc_consumer_close(&a->c);
        history_write(a->log, &(struct history_record){.sender = HISTORY_GAP, .seq = 1});
}

static inline void scene_joins_at_message(struct actor *a)
{
        struct torc_stream_config stream = stage_config(a->r);
        struct torc_consumer_config config = {.start = TORC_START_ID, .start_id = a->message, .stream = &stream};
        int rc = torc_consumer_open(&a->c, a->bus, stage_stream(a->r), &config);
        if (rc == TORC_EGONE && a->r->action >= STOP)
                return; /* overwritten while we were stopped */
        CHECK_RC(rc, 0);
        actor_recv_all(a);
        torc_consumer_close(&a->c);
}

static inline void scene_has_laggard(struct round *r)
{
        stage_ok(r, stage_open_consumer(r, r->bus, TORC_START_LIVE, &r->laggard));
}

/* All places are taken; somebody leaves when the victim waits. */
static inline void scene_somebody_leaves(struct round *r)
{
        if (atomic_load(&r->b->passes[FAULT_wait_announce]))
                torc_consumer_close(&r->laggard);
}

static inline void scene_somebody_has_left(struct round *r)
{
        torc_consumer_close(&r->laggard);
}

static inline void scene_joins_live(struct actor *a)
{
        actor_open_consumer(a, TORC_START_LIVE);
        actor_open(a, 0, TORC_SHARED);
        actor_send_and_read(a);
        actor_recv(a, STAGE_PATIENCE_MS, 0); /* where it stands has not been overwritten */
        torc_consumer_close(&a->c);
}

/* ---- laggards -------------------------------------------------------------------------------------------- */

static inline void scene_laggard_returns(struct round *r)
{
        int rc;
        while ((rc = stage_recv(NULL, r->laggard, 0)) == 0)
                ;
        if (rc == TORC_ELAGGED)
                stage_ok(r, torc_consumer_reattach(r->laggard, STAGE_PATIENCE_MS));
        else if (rc != -EAGAIN)
                stage_ok(r, rc);
}

static inline void scene_lags(struct actor *a)
{
        scene_has_both(a);
        for (int i = 0; i < 5; i++)
                actor_send(a, 0, STAGE_PATIENCE_MS);
}

static inline void scene_returns(struct actor *a)
{
        int rc;
        for (int lap = 0; lap < 3; lap++) {
                while ((rc = stage_recv(a->log, a->c, 0)) == 0)
                        ;
                if (rc == -EAGAIN)
                        return;
                CHECK_RC(rc, TORC_ELAGGED);
                CHECK_RC(torc_consumer_reattach(a->c, STAGE_PATIENCE_MS), 0);
                if (a->log)
                        stage_note_gap(a->log, torc_consumer_missed(a->c));
        }
}

/* A sender has computed how far it may go, and sleeps over it, while somebody joins at a place it is about to overwrite. */
static inline void scene_overtaker(struct round *r)
{
        stage_order(r, 3);
        stage_dead(r, scene_shares, scene_sends, FAULT_limit_refresh_due, 1, SIGSTOP);
}

static inline void scene_opens_history(struct actor *a)
{
        actor_open_consumer(a, TORC_START_EARLIEST);
        actor_until_ready(a);
}

static inline void scene_overtakes(struct round *r)
{
        if (atomic_load(&r->b->step) != 1)
                return;
        kill(r->dead.pid, SIGCONT);
        while (!atomic_load(&r->b->dead_passes[FAULT_ring_raise_limit]))
                stage_nap();
        atomic_store(&r->b->step, 2);
}

static inline void scene_reads_history(struct actor *a)
{
        /* The overtaker goes on to send, as we make room for it. */
        const struct history_sender *overtaker = &a->r->b->h.sender[1];
        while (atomic_load(&overtaker->committed) < 6) {
                int rc = stage_recv(a->log, a->c, 5);
                if (rc != -ETIMEDOUT)
                        CHECK_RC(rc, 0);
        }
        actor_recv_all(a);
}

static inline void scene_overtaker_ends(struct round *r)
{
        child_join(&r->dead);
}

/* ---- access ---------------------------------------------------------------------------------------------- */

static inline void scene_owns(struct actor *a)
{
        actor_open(a, 0, TORC_EXCLUSIVE);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        torc_producer_close(&a->p);
}

static inline void scene_fences(struct actor *a)
{
        actor_open(a, 0, TORC_EXCLUSIVE_WITH_FENCING);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        torc_producer_close(&a->p);
}

static inline void scene_fences_itself(struct actor *a)
{
        actor_open(a, 0, TORC_EXCLUSIVE_WITH_FENCING);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        actor_open(a, 1, TORC_EXCLUSIVE_WITH_FENCING);
        CHECK_RC(stage_send(a->r, a->p, a->id[0], &a->seq[0], STAGE_PATIENCE_MS), TORC_EFENCED);
        actor_send(a, 1, STAGE_PATIENCE_MS);
        torc_producer_close(&a->q);
        torc_producer_close(&a->p);
}

static inline void scene_fences_all(struct actor *a)
{
        CHECK_RC(torc_stream_fence(a->bus, stage_stream(a->r), NULL), 0);
}

static inline void scene_waits_in_turn(struct actor *a)
{
        actor_open(a, 0, TORC_WAIT_FOR_EXCLUSIVE);
        actor_open(a, 1, TORC_WAIT_FOR_EXCLUSIVE);
        ACT(a, torc_producer_await(a->p, STAGE_PATIENCE_MS), 0);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        ACT(a, stage_send(a->r, a->q, a->id[1], &a->seq[1], 0), TORC_EWAITING);
        torc_producer_close(&a->p);
        ACT(a, torc_producer_await(a->q, STAGE_PATIENCE_MS), 0);
        actor_send(a, 1, STAGE_PATIENCE_MS);
        torc_producer_close(&a->q);
}

static inline void scene_comes_and_goes(struct actor *a)
{
        struct torc_bus *second = child_bus(a->r->t, "victim again");
        actor_open(a, 0, TORC_SHARED);
        torc_producer_close(&a->p);
        torc_bus_close(&second);
}

/* ---- after the dead -------------------------------------------------------------------------------------- */

static inline void dead_attaches(struct actor *a)
{
        CHECK_RC(stage_open_consumer(a->r, a->bus, TORC_START_EARLIEST, &a->c), 0);
        actor_open(a, 0, TORC_SHARED);
}

static inline void dead_claims(struct actor *a)
{
        void *place;
        CHECK_RC(torc_producer_claim(a->p, 300, NULL, STAGE_PATIENCE_MS, &place), 0);
}

static inline void scene_has_dead(struct round *r)
{
        stage_dead(r, dead_attaches, dead_claims, FAULT_POINTS, 0, SIGKILL);
}

static inline void scene_reaps(struct actor *a)
{
        CHECK_RC(torc_bus_reap(a->bus, NULL), 0);
}

/* A claim is open when the victim attaches; its owner dies afterwards, so that it is the victim who meets the hole. */
static inline void scene_has_stopped(struct round *r)
{
        stage_dead(r, dead_attaches, dead_claims, FAULT_ring_claim_tail, 1, SIGSTOP);
}

static inline void scene_stands_before_hole(struct actor *a)
{
        actor_open_consumer(a, TORC_START_EARLIEST);
        actor_open(a, 0, TORC_SHARED);
        actor_send(a, 0, STAGE_PATIENCE_MS);
        actor_until_ready(a);
}

static inline void scene_stopped_dies(struct round *r)
{
        if (atomic_load(&r->b->step) != 1)
                return;
        child_kill(&r->dead);
        law_note_holes(r);
        atomic_store(&r->b->step, 2);
}

/* The owner of a claim commits while the victim is about to recover it. */
static inline void scene_has_slow(struct round *r)
{
        stage_dead(r, scene_shares, scene_sends_one, FAULT_ring_claim_tail, 1, SIGSTOP);
}

static inline void scene_slow_ends(struct round *r)
{
        if (r->dead.pid)
                stage_dead_goes_on(r);
}

static inline void scene_stands_before_slow(struct actor *a)
{
        actor_open_consumer(a, TORC_START_EARLIEST);
        actor_open(a, 0, TORC_SHARED);
        actor_send(a, 0, STAGE_PATIENCE_MS);
}

static inline void scene_comes_too_late(struct actor *a)
{
        actor_recv(a, STAGE_PATIENCE_MS, 0);
        actor_recv(a, STAGE_PATIENCE_MS, 0);
}

static inline void scene_recovers(struct actor *a)
{
        actor_recv(a, STAGE_PATIENCE_MS, 0);
}

static inline void dead_fences(struct actor *a)
{
        CHECK_RC(torc_stream_fence(a->bus, stage_stream(a->r), NULL), 0);
}

static inline void scene_half_fenced(struct round *r)
{
        stage_dead(r, NULL, dead_fences, FAULT_change_apply_armed, 1, SIGKILL);
}

static inline void scene_half_linked(struct round *r)
{
        stage_dead(r, NULL, dead_fences, FAULT_file_link, 1, SIGKILL);
}

/* A redoer dies, and the next redoes what two have left. */
static inline void scene_half_redone(struct round *r)
{
        stage_dead(r, NULL, dead_fences, FAULT_change_apply_armed, 1, SIGKILL);
        stage_dead(r, NULL, scene_shares, FAULT_redo_word, 2, SIGKILL);
}

static inline void dead_reclaims(struct actor *a)
{
        CHECK_RC(torc_stream_fence(a->bus, stage_stream(a->r), NULL), 0);
        while (atomic_load(&a->c->stream.ctl->consumer[0].segment) != 2)
                stage_nap(); /* the reader has left the first segment */
        torc_consumer_close(&a->c);
}

static inline void dead_holds(struct actor *a)
{
        CHECK_RC(torc_stream_fence(a->bus, stage_stream(a->r), NULL), 0);
        while (atomic_load(&a->c->stream.ctl->consumer[0].segment) != 2)
                stage_nap();
}

static inline void dead_reads(struct actor *a)
{
        CHECK_RC(stage_open_consumer(a->r, a->bus, TORC_START_LIVE, &a->c), 0);
}

static inline void scene_half_reclaimed(struct round *r)
{
        atomic_store(&r->b->go, 1);
        stage_dead(r, dead_reads, dead_reclaims, FAULT_stream_reclaim_unlink, 1, SIGKILL);
}

/* The last who needed the first segment has died. */
static inline void scene_unneeded(struct round *r)
{
        atomic_store(&r->b->go, 1);
        stage_dead(r, dead_reads, dead_holds, FAULT_POINTS, 0, SIGKILL);
}

/* ---- leaving while the ctl lock's holder is stopped ------------------------------------------------------ */

static inline void scene_holder_stops(struct round *r)
{
        if (atomic_load(&r->b->step) != 1)
                return;
        stage_dead(r, NULL, dead_fences, FAULT_file_locked, 1, SIGSTOP);
        atomic_store(&r->b->step, 2);
}

static inline void scene_shares_ready(struct actor *a)
{
        scene_shares(a);
        actor_until_ready(a);
}

static inline void scene_consumes_ready(struct actor *a)
{
        actor_open_consumer(a, TORC_START_LIVE);
        actor_until_ready(a);
}

static inline void scene_leaves(struct actor *a)
{
        torc_consumer_close(&a->c);
        torc_producer_close(&a->p);
}

static const enum fault_point only_fenced[] = {FAULT_access_detach_fenced, FAULT_POINTS};
static const enum fault_point only_step_back[] = {FAULT_join_step_back, FAULT_POINTS};

/* ---- making and removing --------------------------------------------------------------------------------- */

/* What two who make and remove the same stream may tell each other. */
static inline bool made_rc(int rc)
{
        return rc == 0 || rc == TORC_EEXISTS || rc == TORC_EREMOVED || rc == TORC_ECLOSED || rc == -ENOENT;
}

static inline void scene_makes(struct actor *a)
{
        struct torc_producer_config config = {.name = "maker"};
        CHECK(made_rc(torc_stream_create(a->bus, "made", NULL)));
        CHECK(made_rc(torc_producer_open(&a->p, a->bus, "made", &config)));
        CHECK(made_rc(torc_stream_end(a->bus, "made")));
        CHECK(made_rc(torc_producer_send(a->p, "", 0, 0, NULL)));
        CHECK(made_rc(torc_stream_remove(a->bus, "made")));
        torc_producer_close(&a->p);
}

static inline void scene_creates(struct actor *a)
{
        CHECK(made_rc(torc_stream_create(a->bus, "made", NULL)));
}

static inline void scene_removes(struct actor *a)
{
        CHECK(made_rc(torc_stream_remove(a->bus, "made")));
}

static inline void scene_test_creates(struct round *r)
{
        int rc = torc_stream_create(r->bus, "made", NULL);
        if (!made_rc(rc))
                stage_ok(r, rc);
}

/* The same while somebody is stopped at it; but who holds the lock of a stream that he removes is waited for. */
static inline void scene_test_creates_beside(struct round *r)
{
        char path[128];
        bool held = false;
        snprintf(path, sizeof path, "%s/bus/@made/ctl", r->t->root);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
                file_lock_held(fd, ABI_LOCK_TABLE, &held);
                close(fd);
        }
        if (!held)
                scene_test_creates(r);
}

static inline void scene_test_removes(struct round *r)
{
        int rc = torc_stream_remove(r->bus, "made");
        if (!made_rc(rc))
                stage_ok(r, rc);
        stage_ok(r, torc_stream_create(r->bus, "made", NULL));
        stage_ok(r, torc_stream_remove(r->bus, "made"));
}

static inline void scene_damaged(struct round *r)
{
        char path[128];
        uint64_t armed = 1;
        stage_ok(r, torc_stream_create(r->bus, "made", NULL));
        snprintf(path, sizeof path, "%s/bus/@made/ctl", r->t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, &armed, sizeof armed, offsetof(struct abi_ctl, redo.armed)), sizeof armed);
        close(fd);
}

static inline void scene_half_made(struct round *r)
{
        stage_dead(r, NULL, scene_creates, FAULT_stream_create_chmod, 1, SIGKILL);
}

static inline int scene_open_deep(const struct round *r, struct torc_bus **bus)
{
        char root[128];
        snprintf(root, sizeof root, "%s/bus/@deep/er", r->t->root); /* within what is removed */
        struct torc_bus_config config = {.root = root, .name = "other", .peer_name = "maker"};
        return torc_bus_open(bus, &config);
}

static inline void scene_makes_bus(struct actor *a)
{
        struct torc_bus *bus;
        CHECK_RC(scene_open_deep(a->r, &bus), 0);
        torc_bus_close(&bus);
}

static inline void scene_test_makes_bus(struct round *r)
{
        struct torc_bus *bus;
        char path[128];
        stage_ok(r, scene_open_deep(r, &bus));
        torc_bus_close(&bus);
        snprintf(path, sizeof path, "%s/bus/@deep", r->t->root);
        test_remove_tree(path);
}

/* ---- the supervisor's state ------------------------------------------------------------------------------ */

static inline void scene_supervises(struct actor *a)
{
        struct torc_supervisor *s;
        struct torc_group_info group = {.name = "g", .count = 2};
        struct torc_member_info member = {.group = "g", .wanted = true, .state = TORC_MEMBER_RUNNING, .restarts = 1};
        CHECK_RC(torc_supervisor_open(&s, a->bus, "a.ini"), 0);
        CHECK_RC(torc_supervisor_set_groups(s, &group, 1), 0);
        for (size_t i = 0; i < 2; i++) {
                member.index = (uint32_t)i;
                member.pid = 0;
                member.state = TORC_MEMBER_DELAYED;
                CHECK_RC(torc_supervisor_set_member(s, i, &member), 0);
                member.pid = 77;
                member.state = TORC_MEMBER_RUNNING;
                CHECK_RC(torc_supervisor_set_member(s, i, &member), 0);
        }
        torc_supervisor_event(s, TORC_EVENT_STARTED, "g-0 started");
        torc_supervisor_close(&s);
}

/* Each entry is the old one or the new one, and those who were said to run are there for the next supervisor. */
static inline void scene_next_supervisor(struct round *r)
{
        struct torc_supervisor *s;
        struct torc_group_info groups[64];
        struct torc_member_info members[8];
        size_t n_groups = 64, n_members = 8;
        stage_ok(r, torc_supervisor_open(&s, r->bus, "b.ini"));
        stage_ok(r, torc_supervisor_load(s, groups, &n_groups, members, &n_members));
        if (n_groups > 1 || n_members > 2 || (n_members && n_groups != 1))
                stage_fail(r, "%zu groups, %zu members", n_groups, n_members);
        for (size_t i = 0; i < n_members; i++) {
                const struct torc_member_info *m = &members[i];
                bool running = m->state == TORC_MEMBER_RUNNING && m->pid == 77;
                bool delayed = m->state == TORC_MEMBER_DELAYED && m->pid == 0;
                if (strcmp(m->group, "g") || m->index != i || m->restarts != 1 || !(running || delayed))
                        stage_fail(r, "member %zu of %s in state %d, pid %" PRId64, i, m->group, (int)m->state, m->pid);
                if (delayed && i + 1 < n_members)
                        stage_fail(r, "member %zu has lost its pid", i);
        }
        if (!r->harmed && n_members != 2)
                stage_fail(r, "%zu members", n_members);
        torc_supervisor_close(&s);
}

/* ---- the list -------------------------------------------------------------------------------------------- */

#define SCENE_BLOCK .lag = TORC_LAG_BLOCK
#define SCENE_LOSSY .stream = LOSSY, .cuts_reader = true
static const struct scene scenes[] = {
        {"sends", .before = scene_shares, .act = scene_sends, .reads_along = true, SCENE_BLOCK},
        {"sends_batches", .before = scene_shares, .act = scene_sends_batches, .reads_along = true, SCENE_BLOCK},
        {"claims", .before = scene_shares, .act = scene_claims, .reads_along = true, SCENE_BLOCK},
        {"is_blocked", .before = scene_fills, .act = scene_sends_one, .meanwhile = scene_reader_goes, SCENE_BLOCK},
        {"loses_a_race", .before = scene_shares, .act = scene_sends_one, .at_prelude = scene_one_more,
         .prelude = FAULT_ring_claim_start_of_intent, SCENE_BLOCK},
        {"grows", .before = scene_shares, .act = scene_sends, .capacity_max = 4 * TORC_CAPACITY_MIN, SCENE_BLOCK},
        {"reads", .before = scene_has_both, .act = scene_reads, .reads_along = true, SCENE_BLOCK},
        {"polls", .before = scene_has_both, .act = scene_polls, .reads_along = true, SCENE_BLOCK},
        {"sleeps", .before = scene_opens_consumer, .act = scene_sleeps, .meanwhile = scene_sender_goes, SCENE_BLOCK},
        {"follows", .before = scene_has_both, .act = scene_follows, SCENE_BLOCK},
        {"joins", .arrange = scene_history, .act = scene_joins_live, SCENE_BLOCK},
        {"joins_at_a_message", .arrange = scene_history, .before = scene_finds_message, .act = scene_joins_at_message,
         SCENE_BLOCK},
        {"waits_for_a_place", .arrange = scene_has_laggard, .act = scene_opens_consumer, .max_consumers = 2,
         .meanwhile = scene_somebody_leaves, .after = scene_somebody_has_left, .quick = true, SCENE_BLOCK},
        {"joins_history", .arrange = scene_history, .act = scene_joins, SCENE_BLOCK},
        {"kicks", .arrange = scene_has_laggard, .before = scene_shares, .act = scene_sends, .after = scene_laggard_returns,
         .reads_along = true, SCENE_LOSSY, .lag = TORC_LAG_DISCONNECT},
        {"is_kicked", .before = scene_lags, .act = scene_returns, .reads_along = true, SCENE_LOSSY,
         .lag = TORC_LAG_DISCONNECT},
        {"skips", .before = scene_lags, .act = scene_returns, .reads_along = true, SCENE_LOSSY, .lag = TORC_LAG_SKIP},
        {"is_overtaken", .arrange = scene_overtaker, .before = scene_opens_history, .act = scene_reads_history,
         .meanwhile = scene_overtakes, .after = scene_overtaker_ends, .history = true, SCENE_BLOCK},
        {"owns", .act = scene_owns, .stream = TURNS, .reads_along = true, SCENE_BLOCK},
        {"waits_in_turn", .act = scene_waits_in_turn, .stream = TURNS, .reads_along = true, SCENE_BLOCK},
        {"fences", .arrange = scene_one_more, .act = scene_fences, .reads_along = true, SCENE_BLOCK},
        {"fences_itself", .act = scene_fences_itself, .stream = TURNS, .reads_along = true, SCENE_BLOCK},
        {"fences_all", .arrange = scene_one_more, .act = scene_fences_all, SCENE_BLOCK},
        {"comes_and_goes", .act = scene_comes_and_goes, SCENE_BLOCK},
        {"reaps", .arrange = scene_has_dead, .act = scene_reaps, .uncounted = true, SCENE_BLOCK},
        {"recovers", .arrange = scene_has_stopped, .before = scene_stands_before_hole, .act = scene_recovers,
         .meanwhile = scene_stopped_dies, .uncounted = true, SCENE_BLOCK},
        {"comes_too_late", .arrange = scene_has_slow, .before = scene_stands_before_slow, .act = scene_comes_too_late,
         .prelude = FAULT_ring_recover_due, .at_prelude = stage_dead_goes_on, .after = scene_slow_ends,
         SCENE_BLOCK},
        {"redoes_fencing", .arrange = scene_half_fenced, .act = scene_shares, SCENE_BLOCK},
        {"redoes_linking", .arrange = scene_half_linked, .act = scene_shares, SCENE_BLOCK},
        {"redoes_redoing", .arrange = scene_half_redone, .act = scene_shares, SCENE_BLOCK},
        {"deletes", .arrange = scene_unneeded, .act = scene_reaps, SCENE_BLOCK},
        {"reclaims", .arrange = scene_half_reclaimed, .act = scene_reaps, SCENE_BLOCK},
        {"leaves_a_held_lock", .before = scene_shares_ready, .act = scene_leaves, .meanwhile = scene_holder_stops,
         .after = stage_dead_goes_on, .only = only_fenced, .quick = true, SCENE_BLOCK},
        {"reader_leaves_a_held_lock", .before = scene_consumes_ready, .act = scene_leaves,
         .meanwhile = scene_holder_stops, .after = stage_dead_goes_on, .only = only_step_back, .quick = true, SCENE_BLOCK},
        {"makes", .act = scene_makes, .beside = scene_test_creates_beside, .after = scene_test_removes, .alone = true},
        {"makes_what_is_made", .act = scene_creates, .prelude = FAULT_stream_create_mkdir,
         .at_prelude = scene_test_creates, .after = scene_test_removes, .alone = true},
        {"removes_damaged", .arrange = scene_damaged, .act = scene_removes, .after = scene_test_removes, .alone = true},
        {"sweeps", .arrange = scene_half_made, .act = scene_reaps, .alone = true},
        {"makes_a_bus", .act = scene_makes_bus, .after = scene_test_makes_bus, .alone = true},
        {"supervises", .act = scene_supervises, .after = scene_next_supervisor, .alone = true},
};
#define SCENES (sizeof scenes / sizeof *scenes)

#endif
