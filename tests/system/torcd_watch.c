/*
 * torcd_watch.c - torcd looks after the bus: the dead are cleaned up at once, a standby takes over at once, and a
 * fenced producer that sits on a claim is killed when its grace is over, and no other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torcd_run.h"

static const struct torc_stream_config config = TORC_STREAM_CONFIG_INIT;

static struct torc_bus *attach(const struct test *t, const char *name)
{
        struct torc_bus *bus = NULL;
        int rc = torc_bus_open(&bus, &(struct torc_bus_config){.root = t->root, .peer_name = name});
        return rc ? NULL : bus;
}

/* ---- recovery -------------------------------------------------------------------------------------------- */

static void claim_and_wait(struct child *link, struct test *t, void *arg)
{
        struct torc_producer *producer;
        struct torc_bus *bus = attach(t, "claimer");
        void *data;
        (void)arg;
        CHECK(bus);
        CHECK_RC(torc_producer_open(&producer, bus, "s", &(struct torc_producer_config){.stream = &config}), 0);
        CHECK_RC(torc_producer_claim(producer, 8, NULL, -1, &data), 0);
        link_say(link, 1);
        link_hear(link);
}

static int compare_ns(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
}

static int64_t now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void watch_death_in_a_claim_is_recovered_at_once(void **state)
{
        struct test *t = *state;
        enum { ROUNDS = 40 };
        int64_t took[ROUNDS];
        struct torc_consumer *consumer;
        struct torc_producer *producer;
        char byte;
        size_t len;
        pid_t torcd = torcd_start(t, "[stream s]\ncapacity = 64KiB\n");
        struct torc_bus *bus = attach(t, "test");
        assert_non_null(bus);
        assert_ok(torc_consumer_open(&consumer, bus, "s", NULL));
        assert_ok(torc_producer_open(&producer, bus, "s", NULL));
        for (int i = 0; i < ROUNDS; i++) {
                struct child claimer = child_start(t, claim_and_wait, NULL);
                child_hear(&claimer);
                assert_ok(torc_producer_send(producer, "x", 1, -1, NULL)); /* behind the claim */
                assert_rc(torc_consumer_try_recv(consumer, &byte, 1, &len, NULL), -EAGAIN);
                int64_t began = now_ns();
                kill(claimer.pid, SIGKILL);
                assert_ok(torc_consumer_recv(consumer, &byte, 1, &len, TEST_WAIT_MS, NULL));
                took[i] = now_ns() - began;
                child_wait(&claimer);
        }
        qsort(took, ROUNDS, sizeof took[0], compare_ns);
        print_message("killed in a claim, recovered after: median %.2f ms, worst of %d %.2f ms\n",
                      (double)took[ROUNDS / 2] / 1e6, ROUNDS, (double)took[ROUNDS - 1] / 1e6);
        assert_true(took[ROUNDS / 2] < 50000000);
        torc_producer_close(&producer);
        torc_consumer_close(&consumer);
        torc_bus_close(&bus);
        torcd_stop(torcd);
}

/* ---- fencing --------------------------------------------------------------------------------------------- */

static void own_and_stop(struct child *link, struct test *t, void *arg)
{
        const bool *in_claim = arg;
        struct torc_producer *producer;
        struct torc_bus *bus = attach(t, "owner");
        struct torc_producer_config exclusive = {.access = TORC_EXCLUSIVE, .stream = &config};
        void *data;
        CHECK(bus);
        CHECK_RC(torc_producer_open(&producer, bus, "s", &exclusive), 0);
        if (*in_claim)
                CHECK_RC(torc_producer_claim(producer, 8, NULL, -1, &data), 0);
        link_say(link, 1);
        raise(SIGSTOP);
        CHECK(!*in_claim); /* one that sits on a claim does not live to see this */
        CHECK_RC(torc_producer_send(producer, "old", 3, 0, NULL), TORC_EFENCED);
}

static void watch_kills_the_fenced_one_in_a_claim_after_its_grace(void **state)
{
        struct test *t = *state;
        bool in_claim = true;
        struct torc_consumer *consumer;
        struct torc_producer *producer;
        struct torc_producer_config fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        char text[8];
        size_t len;
        pid_t torcd = torcd_start(t, "fence_grace = 300ms\n[stream s]\n");
        struct torc_bus *bus = attach(t, "test");
        assert_non_null(bus);
        assert_ok(torc_consumer_open(&consumer, bus, "s", NULL));
        struct child owner = child_start(t, own_and_stop, &in_claim);
        child_hear(&owner);
        int64_t began = test_now_ms();
        assert_ok(torc_producer_open(&producer, bus, "s", &fencing));
        assert_ok(torc_producer_send(producer, "new", 3, -1, NULL));
        assert_rc(torc_consumer_recv(consumer, text, sizeof text, &len, 150, NULL), -ETIMEDOUT);
        assert_ok(torc_consumer_recv(consumer, text, sizeof text, &len, TEST_WAIT_MS, NULL));
        int64_t took = test_now_ms() - began;
        assert_memory_equal(text, "new", 3);
        print_message("fenced in a claim, killed and recovered after %d ms; its grace was 300 ms\n", (int)took);
        assert_true(took >= 300 && took < 2000);
        int status = child_wait(&owner);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        torc_producer_close(&producer);
        torc_consumer_close(&consumer);
        torc_bus_close(&bus);
        torcd_stop(torcd);
}

static void watch_leaves_the_fenced_one_outside_a_claim_alone(void **state)
{
        struct test *t = *state;
        bool in_claim = false;
        struct torc_producer *producer;
        struct torc_producer_config fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        pid_t torcd = torcd_start(t, "fence_grace = 50ms\n[stream s]\nonline_min = 0\n");
        struct torc_bus *bus = attach(t, "test");
        assert_non_null(bus);
        struct child owner = child_start(t, own_and_stop, &in_claim);
        child_hear(&owner);
        assert_ok(torc_producer_open(&producer, bus, "s", &fencing));
        /* Long enough for many looks of torcd; it asks for nothing, so there is nothing else to wait for. */
        for (int64_t until = test_now_ms() + 400; test_now_ms() < until;)
                assert_memory_equal(control_ask(t, "status\n"), "ok\n", 3);
        kill(owner.pid, SIGCONT);
        child_join(&owner);
        torc_producer_close(&producer);
        torc_bus_close(&bus);
        torcd_stop(torcd);
}

/* ---- standby --------------------------------------------------------------------------------------------- */

/* What the members run: this program again. Owns the stream in its turn and sends its pid without end. */
static int member(void)
{
        struct torc_bus *bus;
        struct torc_producer *producer;
        struct torc_bus_config where = {
                .root = getenv("TORC_ROOT"), .name = getenv("TORC_BUS"), .peer_name = getenv("TORC_NAME")};
        struct torc_producer_config turn = {.name = getenv("TORC_NAME"), .access = TORC_WAIT_FOR_EXCLUSIVE};
        int64_t pid = getpid();
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(2 * TEST_SECONDS);
        if (torc_bus_open(&bus, &where) || torc_producer_open(&producer, bus, getenv("TORC_STREAM"), &turn) ||
            torc_producer_await(producer, -1))
                return 1;
        for (;;) {
                if (torc_producer_send(producer, &pid, sizeof pid, -1, NULL))
                        return 1;
                nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        }
}

static void watch_standby_takes_over_within_100_ms(void **state)
{
        struct test *t = *state;
        enum { ROUNDS = 20 };
        char self[PATH_MAX];
        int64_t took[ROUNDS], owner = 0, sender;
        struct torc_consumer *consumer;
        size_t len;
        built(self, "tests/system/torcd_watch");
        pid_t torcd = torcd_start(t,
                                  "[stream s]\n[group pair]\ncommand = %s member\ncount = 2\nstream = s\n"
                                  "access = wait_for_exclusive\nstart_delay = 0ms\nstart_jitter = 0ms\n"
                                  "backoff_min = 1ms\nbackoff_max = 5ms\n",
                                  self);
        struct torc_bus *bus = attach(t, "test");
        assert_non_null(bus);
        assert_ok(torc_consumer_open(&consumer, bus, "s", NULL));
        for (int i = 0; i < ROUNDS; i++) {
                struct torc_access_info info = {0};
                int64_t deadline = test_now_ms() + TEST_WAIT_MS;
                assert_ok(torc_consumer_recv(consumer, &owner, sizeof owner, &len, TEST_WAIT_MS, NULL));
                while (info.waiters == 0) { /* until the one that was killed last stands by again */
                        assert_true(test_now_ms() < deadline);
                        assert_ok(torc_stream_access(bus, "s", &info));
                        assert_ok(torc_consumer_recv(consumer, &owner, sizeof owner, &len, TEST_WAIT_MS, NULL));
                }
                int64_t began = now_ns();
                kill((pid_t)owner, SIGKILL);
                do
                        assert_ok(torc_consumer_recv(consumer, &sender, sizeof sender, &len, TEST_WAIT_MS, NULL));
                while (sender == owner);
                took[i] = now_ns() - began;
        }
        qsort(took, ROUNDS, sizeof took[0], compare_ns);
        print_message("owner killed, first message of the standby after: median %.2f ms, worst of %d %.2f ms\n",
                      (double)took[ROUNDS / 2] / 1e6, ROUNDS, (double)took[ROUNDS - 1] / 1e6);
        assert_true(took[ROUNDS / 2] < 100000000);
        torc_consumer_close(&consumer);
        torc_bus_close(&bus);
        torcd_stop(torcd);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                TEST(watch_death_in_a_claim_is_recovered_at_once),
                TEST(watch_kills_the_fenced_one_in_a_claim_after_its_grace),
                TEST(watch_leaves_the_fenced_one_outside_a_claim_alone),
                TEST(watch_standby_takes_over_within_100_ms),
        };
        if (argc == 2 && strcmp(argv[1], "member") == 0)
                return member();
        return TEST_MAIN(tests);
}
