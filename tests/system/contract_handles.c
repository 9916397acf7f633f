/*
 * contract_handles.c - handles after fork(), after the bus was closed, and in a process that was killed: what they return
 * and what they hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <spawn.h>

struct handles {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *c;
};

static struct handles handles_open(struct test *t)
{
        struct handles h = {.bus = test_bus(t, "me")};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        h.p = test_producer(h.bus, "s", TORC_SHARED, &config);
        h.c = test_consumer(h.bus, "s", TORC_START_LIVE, NULL);
        return h;
}

static void handles_close(struct handles *h)
{
        torc_producer_close(&h->p);
        torc_consumer_close(&h->c);
        torc_bus_close(&h->bus);
}

/* Every call on a producer and a consumer returns rc. Returns the name of the first that does not, or NULL. */
static const char *odd_call(struct torc_producer *p, struct torc_consumer *c, int rc)
{
        struct torc_producer_status status;
        struct torc_consumer_stats stats;
        struct torc_view view;
        struct torc_span span = {"x", 1};
        struct torc_condition condition = {.kind = TORC_OFFLINE};
        struct torc_meta meta = {0};
        uint64_t buf;
        size_t n;
        void *data;
#define EACH_CALL(X)                                                                                             \
        X(torc_producer_send(p, "x", 1, -1, NULL))                                                               \
        X(torc_producer_try_send(p, "x", 1, NULL))                                                               \
        X(torc_producer_send_meta(p, "x", 1, &meta, -1, NULL))                                                   \
        X(torc_producer_send_batch(p, &span, 1, -1, &n))                                                         \
        X(torc_producer_claim(p, 1, NULL, -1, &data))                                                            \
        X(torc_producer_commit(p, NULL))                                                                         \
        X(torc_producer_abort(p))                                                                                \
        X(torc_producer_flush(p, NULL, -1))                                                                      \
        X(torc_producer_await(p, -1))                                                                            \
        X(torc_producer_status(p, &status))                                                                      \
        X(torc_producer_wait_for(p, &condition, -1))                                                             \
        X(torc_producer_consumers(p, NULL, 0, &n))                                                               \
        X(torc_producer_wait_disconnect(p, 0, -1))                                                               \
        X(torc_consumer_recv(c, &buf, sizeof buf, &n, -1, NULL))                                                 \
        X(torc_consumer_try_recv(c, &buf, sizeof buf, &n, NULL))                                                 \
        X(torc_consumer_view(c, &view, -1))                                                                      \
        X(torc_consumer_release(c))                                                                              \
        X(torc_consumer_poll(c, NULL, NULL, 1, &n))                                                              \
        X(torc_consumer_fd(c))                                                                                   \
        X(torc_consumer_reattach(c, -1))                                                                         \
        X(torc_consumer_stats(c, &stats))
#define X(call)                                                                                                  \
        if ((call) != rc)                                                                                        \
                return #call;
        EACH_CALL(X)
#undef X
        if (torc_producer_is_online(p))
                return "torc_producer_is_online(p)";
        torc_producer_cancel(p);
        torc_consumer_cancel(c);
        return NULL;
}

/* Likewise for the bus. */
static const char *odd_bus_call(struct torc_bus *bus, int rc)
{
        struct torc_producer *p;
        struct torc_consumer *c;
        struct torc_access_info info;
#define EACH_BUS_CALL(X)                                                                                         \
        X(torc_producer_open(&p, bus, "s", NULL))                                                                \
        X(torc_consumer_open(&c, bus, "s", NULL))                                                                \
        X(torc_stream_access(bus, "s", &info))                                                                   \
        X(torc_stream_create(bus, "new", NULL))                                                                  \
        X(torc_stream_end(bus, "s"))                                                                             \
        X(torc_stream_remove(bus, "s"))                                                                          \
        X(torc_stream_fence(bus, "s", NULL))                                                                     \
        X(torc_stream_kick(bus, "s", 0))                                                                         \
        X(torc_bus_reap(bus, NULL))                                                                              \
        X(torc_bus_nudge(bus))
#define X(call)                                                                                                  \
        if ((call) != rc)                                                                                        \
                return #call;
        EACH_BUS_CALL(X)
#undef X
        return NULL;
}

/* ---- fork ------------------------------------------------------------------------------------------------ */

/* A forked copy of the test itself: its handles are dead there, and closing them takes nothing from the parent. */
static void forked(struct child *link, struct test *t, void *arg)
{
        struct handles *h = arg;
        const char *odd = odd_call(h->p, h->c, TORC_EFORKED);
        if (odd)
                fprintf(stderr, "not TORC_EFORKED: %s\n", odd);
        CHECK(!odd);
        odd = odd_bus_call(h->bus, TORC_EFORKED);
        if (odd)
                fprintf(stderr, "not TORC_EFORKED: %s\n", odd);
        CHECK(!odd);
        torc_producer_close(&h->p);
        torc_consumer_close(&h->c);
        torc_bus_close(&h->bus);
        CHECK(!h->p && !h->c && !h->bus);
        /* The child may attach by itself. */
        struct torc_bus *bus = child_bus(t, "child");
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(test_send(p, 2, 0), 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
        link_say(link, 0);
}

static void fork_when_handles_are_open_kills_them_in_the_child_only(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        assert_ok(test_send(h.p, 1, 0));
        struct child c = child_start(t, forked, &h);
        child_hear(&c);
        child_join(&c);
        assert_ok(torc_bus_reap(h.bus, NULL));
        assert_true(torc_producer_is_online(h.p));
        assert_ok(test_send(h.p, 3, 0));
        for (uint64_t n = 1; n <= 3; n++)
                test_expect(h.c, n);
        handles_close(&h);
}

static void forked_in_claim(struct child *link, struct test *t, void *arg)
{
        struct torc_producer **p = arg;
        (void)t;
        CHECK_RC(torc_producer_commit(*p, NULL), TORC_EFORKED);
        torc_producer_close(p);
        link_say(link, 0);
}

/* An open claim is the parent's: the child's close must not abort it. */
static void fork_when_a_claim_is_open_leaves_it_to_the_parent(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        void *data;
        assert_ok(torc_producer_claim(h.p, 8, NULL, 0, &data));
        struct child c = child_start(t, forked_in_claim, &h.p);
        child_hear(&c);
        child_join(&c);
        *(uint64_t *)data = 1;
        assert_ok(torc_producer_commit(h.p, NULL));
        test_expect(h.c, 1);
        handles_close(&h);
}

/* ---- what a child of a killed process holds -------------------------------------------------------------- */

enum offspring { FORKED, SPAWNED };

/* An owner and consumer that leaves a child behind; says the child's pid. */
static void parent_to_kill(struct child *link, struct test *t, void *arg)
{
        extern char **environ;
        enum offspring how = *(enum offspring *)arg;
        struct torc_bus *bus = child_bus(t, "parent");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_producer_config config = {.access = TORC_EXCLUSIVE};
        CHECK_RC(torc_producer_open(&p, bus, "s", &config), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        CHECK(torc_consumer_fd(c) >= 0);
        pid_t pid;
        if (how == SPAWNED) {
                char *argv[] = {(char *)(uintptr_t)"sleep", (char *)(uintptr_t)"1000", NULL};
                CHECK(posix_spawn(&pid, "/bin/sleep", NULL, NULL, argv, environ) == 0);
        } else {
                pid = fork();
                CHECK(pid >= 0);
                if (pid == 0) { /* by now it has let go of what it inherited */
                        link_say(link, getpid());
                        for (;;)
                                pause();
                }
        }
        if (how == SPAWNED)
                link_say(link, pid);
        link_hear(link);
}

static void orphan_holds_nothing(struct test *t, enum offspring how)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        config.max_consumers = 1;
        struct torc_bus *bus = test_bus(t, "me");
        assert_ok(torc_stream_create(bus, "s", &config));
        struct child parent = child_start(t, parent_to_kill, &how);
        pid_t orphan = (pid_t)child_hear(&parent);
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        assert_rc(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.access = TORC_EXCLUSIVE}), TORC_EBUSY);
        assert_rc(torc_consumer_open(&c, bus, "s", NULL), TORC_ENOCAPACITY);
        child_kill(&parent);
        assert_int_equal(kill(orphan, 0), 0); /* it lives */
        p = test_producer(bus, "s", TORC_EXCLUSIVE, NULL);
        c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_ok(test_send(p, 1, 0));
        test_expect(c, 1);
        kill(orphan, SIGKILL);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void kill_when_a_forked_child_lives_on_frees_everything(void **state)
{
        orphan_holds_nothing(*state, FORKED);
}

static void kill_when_an_executed_child_lives_on_frees_everything(void **state)
{
        if (getenv("TORC_TEST_RUN")) {
                print_message("skipped: under qemu-user vfork is fork, and posix_spawn returns before the child executes\n");
                skip();
        }
        orphan_holds_nothing(*state, SPAWNED);
}

/* ---- after the bus was closed ---------------------------------------------------------------------------- */

static void bus_close_when_handles_are_open_detaches_them(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        struct torc_bus *other = test_bus(t, "other");
        struct torc_producer *p = NULL;
        void *data;
        assert_ok(torc_producer_claim(h.p, 8, NULL, 0, &data)); /* is given up */
        assert_rc(torc_producer_open(&p, other, "s", &(struct torc_producer_config){.access = TORC_EXCLUSIVE}),
                  TORC_EBUSY);
        torc_bus_close(&h.bus);
        assert_null(h.bus);
        const char *odd = odd_call(h.p, h.c, TORC_EDETACHED);
        if (odd)
                fail_msg("not TORC_EDETACHED: %s", odd);
        /* What they held is free already. */
        p = test_producer(other, "s", TORC_EXCLUSIVE, NULL);
        assert_rc(test_send(p, 1, 0), TORC_EOFFLINE);
        struct torc_consumer *c = test_consumer(other, "s", TORC_START_EARLIEST, NULL);
        assert_ok(test_send(p, 1, 0));
        test_expect(c, 1);
        torc_producer_close(&h.p);
        torc_consumer_close(&h.c);
        assert_null(h.p);
        assert_null(h.c);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&other);
}

static void bus_close_when_a_view_is_held_detaches_it(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        struct torc_view view;
        assert_ok(test_send(h.p, 1, 0));
        assert_ok(torc_consumer_view(h.c, &view, 0));
        torc_bus_close(&h.bus);
        assert_int_equal(*(const uint64_t *)view.data, 1); /* still mapped: the handle is not closed */
        assert_rc(torc_consumer_release(h.c), TORC_EDETACHED);
        torc_producer_close(&h.p);
        torc_consumer_close(&h.c);
}

/* Two buses in one process are two peers: they exclude each other, and one's end is not the other's. */
static void bus_open_when_opened_twice_is_two_peers(void **state)
{
        struct test *t = *state;
        struct torc_bus *a = test_bus(t, "a"), *b = test_bus(t, "b");
        struct torc_producer *p = test_producer(a, "s", TORC_EXCLUSIVE, NULL), *q = NULL;
        assert_rc(torc_producer_open(&q, b, "s", &(struct torc_producer_config){.access = TORC_EXCLUSIVE}), TORC_EBUSY);
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_peers, 2);
        torc_snapshot_free(&snapshot);
        torc_bus_close(&a);
        q = test_producer(b, "s", TORC_EXCLUSIVE, NULL);
        torc_producer_close(&p);
        torc_producer_close(&q);
        torc_bus_close(&b);
}

/* ---- reaping --------------------------------------------------------------------------------------------- */

static void reap_when_a_peer_was_killed_tells_who(void **state)
{
        struct test *t = *state;
        enum offspring how = FORKED;
        struct torc_bus *bus = test_bus(t, "me");
        struct child parent = child_start(t, parent_to_kill, &how);
        pid_t orphan = (pid_t)child_hear(&parent), pid = parent.pid;
        struct torc_reaped reaped;
        assert_ok(torc_bus_reap(bus, &reaped));
        assert_int_equal(reaped.peers, 0);
        child_kill(&parent);
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_peers, 2);
        torc_snapshot_free(&snapshot);
        assert_ok(torc_bus_reap(bus, &reaped));
        assert_int_equal(reaped.peers, 1);
        assert_int_equal(reaped.producers, 1);
        assert_int_equal(reaped.consumers, 1);
        assert_int_equal(reaped.holes, 0);
        assert_int_equal(reaped.pids[0], pid);
        assert_string_equal(reaped.names[0], "parent");
        assert_ok(torc_bus_reap(bus, &reaped));
        assert_int_equal(reaped.peers + reaped.producers + reaped.consumers + reaped.waiters, 0);
        snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_peers, 1);
        assert_string_equal(snapshot->peers[0].name, "me");
        torc_snapshot_free(&snapshot);
        kill(orphan, SIGKILL);
        torc_bus_close(&bus);
}

static void claimer(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "claimer");
        struct torc_producer *p = NULL;
        void *data;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 100, NULL, 0, &data), 0);
        link_say(link, 0);
        link_hear(link);
}

/* Killed in a claim, nobody to look after it: the reader waits, finds the proof, and goes on; the ledger knows. */
static void kill_when_in_a_claim_costs_its_message_only(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        for (uint64_t n = 0; n < 20; n++) {
                struct child c = child_start(t, claimer, NULL);
                child_hear(&c);
                assert_ok(test_send(h.p, n, 0));
                test_expect_nothing(h.c);
                child_kill(&c);
                int64_t from = test_now_ms();
                test_expect(h.c, n);
                assert_true(test_now_ms() - from < 1000);
        }
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(test_find_stream(snapshot, "s")->losses[TORC_LOSS_ABORTED], 20);
        torc_snapshot_free(&snapshot);
        handles_close(&h);
}

/* Stopped is not dead: no time-out takes its claim. */
static void stop_when_in_a_claim_is_waited_for(void **state)
{
        struct test *t = *state;
        struct handles h = handles_open(t);
        struct child c = child_start(t, claimer, NULL);
        child_hear(&c);
        child_stop(&c);
        assert_ok(test_send(h.p, 1, 0));
        uint64_t got;
        size_t len;
        struct torc_reaped reaped;
        for (int i = 0; i < 5; i++) {
                assert_rc(torc_consumer_recv(h.c, &got, sizeof got, &len, 30, NULL), -ETIMEDOUT);
                assert_ok(torc_bus_reap(h.bus, &reaped));
                assert_int_equal(reaped.producers + reaped.holes, 0);
        }
        child_kill(&c);
        test_expect(h.c, 1);
        handles_close(&h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(fork_when_handles_are_open_kills_them_in_the_child_only),
                TEST(fork_when_a_claim_is_open_leaves_it_to_the_parent),
                TEST(kill_when_a_forked_child_lives_on_frees_everything),
                TEST(kill_when_an_executed_child_lives_on_frees_everything),
                TEST(bus_close_when_handles_are_open_detaches_them),
                TEST(bus_close_when_a_view_is_held_detaches_it),
                TEST(bus_open_when_opened_twice_is_two_peers),
                TEST(reap_when_a_peer_was_killed_tells_who),
                TEST(kill_when_in_a_claim_costs_its_message_only),
                TEST(stop_when_in_a_claim_is_waited_for),
        };
        return TEST_MAIN(tests);
}
