/*
 * access_fence.c - fencing holds: an owner that is stopped anywhere, fenced, and continued, gets nothing in after the new
 * owner's first message, and no reader sees a torn one.
 *
 * TORC_TEST_ROUNDS=N for more rounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include "abi.h"

#define WORDS 24 /* of a message, all derived from its first two */
#define ROUNDS 150

struct message {
        uint64_t epoch, number, word[WORDS];
};

static void message_fill(struct message *m, uint64_t epoch, uint64_t number)
{
        uint64_t random = epoch << 32 | number;
        m->epoch = epoch;
        m->number = number;
        for (int i = 0; i < WORDS; i++)
                m->word[i] = test_random(&random);
}

static bool message_whole(const struct message *m)
{
        struct message same;
        message_fill(&same, m->epoch, m->number);
        return !memcmp(m, &same, sizeof same);
}

static int send_message(struct torc_producer *p, uint64_t epoch, uint64_t number)
{
        struct message m;
        message_fill(&m, epoch, number);
        return torc_producer_send(p, &m, sizeof m, TEST_WAIT_MS, NULL);
}

/* One reader of several: epochs never fall, numbers within one rise by one, nothing is torn. */
struct reader {
        struct torc_consumer *c;
        uint64_t epoch, number;
};

/* Returns false when nothing is there. */
static bool read_one(struct reader *r)
{
        struct message m;
        struct torc_id id;
        size_t len;
        int rc = torc_consumer_try_recv(r->c, &m, sizeof m, &len, &id);
        if (rc == -EAGAIN)
                return false;
        assert_ok(rc);
        assert_int_equal(len, sizeof m);
        assert_true(message_whole(&m));
        assert_int_equal(m.epoch, id.epoch);
        assert_true(m.epoch >= r->epoch);
        assert_int_equal(m.number, m.epoch > r->epoch ? 0 : r->number + 1);
        r->epoch = m.epoch;
        r->number = m.number;
        return true;
}

static void read_until(struct reader *r, uint64_t epoch, uint64_t number)
{
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        while (r->epoch != epoch || r->number != number)
                if (!read_one(r))
                        assert_true(test_now_ms() < deadline);
        assert_false(read_one(r));
}

static struct torc_producer *take_over(struct torc_bus *bus, uint64_t *epoch)
{
        struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE_WITH_FENCING, NULL);
        struct torc_producer_status status;
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(status.state, TORC_PRODUCER_OWNER);
        *epoch = status.epoch;
        return p;
}

/* ---- stopped in a claim ---------------------------------------------------------------------------------- */

enum fate { COMMITS, ABORTS, DIES };

/* Sends a few, then claims and writes half; when continued, does as it was told. */
static void half_way(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "half");
        struct torc_producer *p = NULL;
        struct torc_producer_status status;
        struct torc_producer_config config = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        void *data;
        struct message m;
        CHECK_RC(torc_producer_open(&p, bus, "s", &config), 0);
        CHECK_RC(torc_producer_status(p, &status), 0);
        int64_t sends = link_hear(link), fate = link_hear(link);
        for (int64_t n = 0; n < sends; n++)
                CHECK_RC(send_message(p, status.epoch, (uint64_t)n), 0);
        CHECK_RC(torc_producer_claim(p, sizeof m, NULL, TEST_WAIT_MS, &data), 0);
        message_fill(&m, status.epoch, (uint64_t)sends);
        memcpy(data, &m, sizeof m / 2);
        link_say(link, status.epoch);
        link_hear(link);
        memcpy((char *)data + sizeof m / 2, (char *)&m + sizeof m / 2, sizeof m - sizeof m / 2);
        CHECK_RC(fate == COMMITS ? torc_producer_commit(p, NULL) : torc_producer_abort(p), 0);
        link_say(link, send_message(p, status.epoch, 666));
        CHECK_RC(torc_producer_status(p, &status), 0);
        CHECK(status.state == TORC_PRODUCER_FENCED && status.fenced_epoch == status.epoch + 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void half_way_round(struct test *t, struct torc_bus *bus, struct reader readers[2], int round)
{
        enum fate fate = (enum fate)(round % 3);
        uint64_t epoch, sends = (uint64_t)round % 5, old;
        struct child c = child_start(t, half_way, NULL);
        child_say(&c, (int64_t)sends);
        child_say(&c, fate);
        old = (uint64_t)child_hear(&c);
        child_stop(&c);
        struct torc_producer *p = take_over(bus, &epoch);
        assert_int_equal(epoch, old + 1);
        for (uint64_t n = 0; n < 5; n++)
                assert_ok(send_message(p, epoch, n));
        /* The readers stand before the open claim: nothing of the new owner comes first. */
        for (int i = 0; i < 2; i++)
                while (read_one(&readers[i]))
                        assert_true(readers[i].epoch <= old);
        if (fate == DIES) {
                child_kill(&c);
        } else {
                child_continue(&c);
                child_say(&c, 0);
                assert_int_equal(child_hear(&c), TORC_EFENCED);
                child_join(&c);
        }
        for (int i = 0; i < 2; i++)
                read_until(&readers[i], epoch, 4);
        torc_producer_close(&p);
}

static void fence_when_owner_is_stopped_in_a_claim_keeps_its_message_before(void **state)
{
        struct test *t = *state;
        test_seconds(240);
        long rounds = test_param("TORC_TEST_ROUNDS", ROUNDS);
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct reader readers[2] = {{.c = test_consumer(bus, "s", TORC_START_LIVE, &config)},
                                    {.c = test_consumer(bus, "s", TORC_START_LIVE, NULL)}};
        for (int round = 0; round < rounds; round++)
                half_way_round(t, bus, readers, round);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->n_segments, 1); /* the others were read and deleted */
        assert_int_equal(s->losses[TORC_LOSS_ABORTED], rounds / 3);
        torc_snapshot_free(&snapshot);
        torc_consumer_close(&readers[0].c);
        torc_consumer_close(&readers[1].c);
        torc_bus_close(&bus);
}

/* Is the stream's ctl lock held? */
static bool ctl_locked(struct test *t)
{
        char path[128];
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ABI_LOCK_TABLE, .l_len = 1};
        snprintf(path, sizeof path, "%s/bus/@s/ctl", t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
        close(fd);
        return lock.l_type != F_UNLCK;
}

/* Stop it wherever it is, but for the few microseconds in which it may hold the ctl lock: see the tests below. */
static void stop_outside_the_lock(struct test *t, struct child *c)
{
        for (child_stop(c); ctl_locked(t); child_stop(c))
                child_continue(c);
}

/* ---- stopped anywhere ------------------------------------------------------------------------------------ */

/* Sends as fast as it can until it is fenced; says how many were committed. */
static void torrent(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "torrent");
        struct torc_producer *p = NULL;
        struct torc_producer_status status;
        struct torc_producer_config config = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        CHECK_RC(torc_producer_open(&p, bus, "s", &config), 0);
        CHECK_RC(torc_producer_status(p, &status), 0);
        link_say(link, status.epoch);
        uint64_t n = 0;
        int rc;
        while ((rc = send_message(p, status.epoch, n)) == 0)
                n++;
        link_say(link, rc);
        link_say(link, (int64_t)n);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void torrent_round(struct test *t, struct torc_bus *bus, struct reader readers[2], uint64_t *random)
{
        uint64_t epoch, reads = 1 + test_random(random) % 300;
        struct child c = child_start(t, torrent, NULL);
        uint64_t old = (uint64_t)child_hear(&c);
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        while (reads || readers[0].epoch != old) { /* it is in full swing; stop it wherever it is */
                bool any = read_one(&readers[0]);
                read_one(&readers[1]);
                reads -= any && reads;
                assert_true(test_now_ms() < deadline);
        }
        stop_outside_the_lock(t, &c);
        struct torc_producer *p = take_over(bus, &epoch);
        assert_int_equal(epoch, old + 1);
        for (uint64_t n = 0; n < 5; n++)
                assert_ok(send_message(p, epoch, n));
        while (read_one(&readers[0]))
                continue;
        child_continue(&c);
        assert_int_equal(child_hear(&c), TORC_EFENCED);
        uint64_t sent = (uint64_t)child_hear(&c);
        child_join(&c);
        for (int i = 0; i < 2; i++) {
                struct reader *r = &readers[i];
                uint64_t last = r->epoch == old ? r->number + 1 : 0;
                while (r->epoch <= old && read_one(r))
                        if (r->epoch == old)
                                last = r->number + 1;
                /* All that it was told were committed, and none more. */
                assert_true(i == 0 || last == sent);
                read_until(r, epoch, 4);
        }
        torc_producer_close(&p);
}

static void fence_when_owner_is_stopped_anywhere_keeps_order_and_counts(void **state)
{
        struct test *t = *state;
        test_seconds(240);
        long rounds = test_param("TORC_TEST_ROUNDS", ROUNDS);
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(16384, TORC_LAG_BLOCK, 0);
        struct reader readers[2] = {{.c = test_consumer(bus, "s", TORC_START_LIVE, &config)},
                                    {.c = test_consumer(bus, "s", TORC_START_LIVE, NULL)}};
        uint64_t random = 11;
        for (int round = 0; round < rounds; round++)
                torrent_round(t, bus, readers, &random);
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_int_equal(s->epoch, 2 * rounds);
        assert_int_equal(s->n_segments, 1);
        for (int i = 0; i < TORC_LOSS_COUNT; i++)
                assert_int_equal(s->losses[i], 0);
        torc_snapshot_free(&snapshot);
        torc_consumer_close(&readers[0].c);
        torc_consumer_close(&readers[1].c);
        torc_bus_close(&bus);
}

/* ---- stopped with the lock ------------------------------------------------------------------------------- */

/* The test itself stands in for a process that was stopped while it held the ctl lock. */
static int take_ctl_lock(struct test *t)
{
        char path[128];
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ABI_LOCK_TABLE, .l_len = 1};
        snprintf(path, sizeof path, "%s/bus/@s/ctl", t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
        return fd;
}

static void fencer(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "fencer");
        struct torc_producer *p = NULL;
        struct torc_producer_config config = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        link_say(link, 0);
        link_hear(link);
        link_say(link, torc_producer_open(&p, bus, "s", &config));
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

struct traffic {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct reader r;
};

static struct traffic traffic_open(struct test *t)
{
        struct traffic x = {.bus = test_bus(t, "me")};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        x.p = test_producer(x.bus, "s", TORC_SHARED, &config);
        x.r.c = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        return x;
}

static void traffic_close(struct traffic *x)
{
        torc_producer_close(&x->p);
        torc_consumer_close(&x->r.c);
        torc_bus_close(&x->bus);
}

/* Those who are attached need no lock: laps of the ring, waits and time-outs go on. */
static void lock_when_its_holder_is_stopped_does_not_stop_traffic(void **state)
{
        struct test *t = *state;
        struct traffic x = traffic_open(t);
        struct child c = child_start(t, fencer, NULL); /* first, or it would inherit the lock */
        child_hear(&c);
        int lock = take_ctl_lock(t);
        child_say(&c, 0);
        for (uint64_t n = 0; n < 2000; n++) {
                assert_ok(send_message(x.p, 1, n));
                assert_true(read_one(&x.r));
                assert_int_equal(x.r.number, n);
        }
        int rc;
        uint64_t n = 2000;
        while ((rc = test_send(x.p, 0, 0)) == 0)
                n++;
        assert_rc(rc, TORC_EFULL);
        assert_rc(test_send(x.p, 0, 60), -ETIMEDOUT);
        assert_false(child_has_said(&c)); /* attaching waits */
        close(lock);                      /* the holder goes on, or dies */
        assert_int_equal(child_hear(&c), 0);
        child_join(&c);
        assert_rc(test_send(x.p, 0, 0), TORC_EFENCED);
        traffic_close(&x);
}

static void open_when_lock_holder_stays_stopped_times_out(void **state)
{
        struct test *t = *state;
        struct traffic x = traffic_open(t);
        struct child c = child_start(t, fencer, NULL); /* first, or it would inherit the lock */
        child_hear(&c);
        int lock = take_ctl_lock(t);
        child_say(&c, 0);
        assert_int_equal(child_hear(&c), -ETIMEDOUT);
        child_join(&c);
        assert_ok(send_message(x.p, 1, 0)); /* and nothing has changed */
        assert_true(read_one(&x.r));
        close(lock);
        traffic_close(&x);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(fence_when_owner_is_stopped_in_a_claim_keeps_its_message_before),
                TEST(fence_when_owner_is_stopped_anywhere_keeps_order_and_counts),
                TEST(lock_when_its_holder_is_stopped_does_not_stop_traffic),
                TEST(open_when_lock_holder_stays_stopped_times_out),
        };
        return TEST_MAIN(tests);
}
