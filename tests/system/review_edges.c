/*
 * review_edges.c - the edges of the library's contracts: descriptors run out, places run out, claims that stay
 * open, other users, chains that nobody reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "abi.h"
#include "torc_test.h"

#include <grp.h>
#include <pthread.h>
#include <sys/statvfs.h>

/* Descriptors that may be opened from now on; -1: as many as before. */
static void allow_fds(int more)
{
        static rlim_t usual;
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        if (!usual)
                usual = limit.rlim_cur;
        int next = more < 0 ? -1 : dup(STDIN_FILENO);
        if (next >= 0)
                close(next);
        limit.rlim_cur = more < 0 ? usual : (rlim_t)(next + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- sizes ----------------------------------------------------------------------------------------------- */

static void max_message_when_its_frame_would_not_fit_32_bits_is_refused(void **state)
{
        struct torc_bus *bus = test_bus(*state, "sizes");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        config.capacity_max_bytes = TORC_CAPACITY_MAX;
        config.max_message_bytes = UINT32_MAX;
        assert_rc(torc_stream_create(bus, "s", &config), TORC_ECAPACITY);
        config.max_message_bytes = UINT32_MAX - 65536;
        assert_ok(torc_stream_create(bus, "s", &config));
        torc_bus_close(&bus);
}

/* What a producer leaves that was killed just after it wrote down that it opens a second segment; or, without one,
 * that it removes the stream. */
static void leave_redo_record(struct test *t, uint64_t capacity)
{
        char path[128];
        struct abi_redo redo = {.seal = 1, .epoch = 1, .count = 1};
        uint64_t sum = 0xcbf29ce484222325ull;
        redo.link = capacity ? 2 : 0;
        redo.capacity = capacity;
        redo.word[0] = capacity ? (struct abi_redo_word){offsetof(struct abi_ctl, current), 2}
                                : (struct abi_redo_word){offsetof(struct abi_ctl, state), ABI_STREAM_REMOVED};
        for (const unsigned char *p = (unsigned char *)&redo.seal; p < (unsigned char *)(&redo + 1); p++)
                sum = (sum ^ *p) * 0x100000001b3ull;
        atomic_store_explicit(&redo.armed, sum, memory_order_relaxed);
        snprintf(path, sizeof path, "%s/bus/@s/ctl", t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, &redo, sizeof redo, offsetof(struct abi_ctl, redo)), sizeof redo);
        close(fd);
}

/* ---- ended ----------------------------------------------------------------------------------------------- */

static void fencing_when_the_stream_has_ended_leaves_it_ended(void **state)
{
        struct torc_bus *bus = test_bus(*state, "fencer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *old = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_producer_status status;
        struct torc_id id;
        uint64_t got;
        size_t len;
        uint32_t epoch = 0;
        assert_ok(test_send(old, 1, 0));
        assert_ok(torc_stream_end(bus, "s"));
        assert_ok(torc_stream_fence(bus, "s", &epoch));
        assert_int_equal(epoch, 2);
        assert_rc(test_send(old, 2, 0), TORC_EFENCED);
        assert_ok(torc_producer_status(old, &status));
        assert_int_equal(status.fenced_epoch, 2);
        test_expect(c, 1);
        assert_rc(torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, NULL), TORC_ECLOSED);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        assert_ok(torc_producer_send(p, &got, sizeof got, 0, &id));
        assert_int_equal(id.epoch, 2);
        assert_ok(torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, &id));
        assert_int_equal(id.epoch, 2);
        torc_producer_close(&p);
        torc_producer_close(&old);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- removed under the opener ---------------------------------------------------------------------------- */

static void remover(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "remover");
        (void)arg;
        for (int rc = 0; !rc || rc == -ENOENT; rc = torc_stream_remove(bus, "s")) {
                struct pollfd p = {.fd = link->in, .events = POLLIN};
                if (poll(&p, 1, 0))
                        break;
        }
        torc_bus_close(&bus);
}

/* A stream that goes while it is being opened is made anew: an opener never hears of a removal. */
static void open_when_the_stream_is_being_removed_makes_it(void **state)
{
        struct torc_bus *bus = test_bus(*state, "opener");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct child c = child_start(*state, remover, NULL);
        uint64_t sent = 0;
        for (int i = 0; i < 300; i++) {
                struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
                struct torc_consumer *r = test_consumer(bus, "s", TORC_START_EARLIEST, &config);
                int rc = test_send(p, 1, 0);
                assert_true(rc == 0 || rc == TORC_EREMOVED || rc == TORC_EFULL);
                sent += rc == 0;
                torc_producer_close(&p);
                torc_consumer_close(&r);
        }
        assert_true(sent > 0);
        child_say(&c, 1);
        child_join(&c);
        int rc = torc_stream_remove(bus, "s");
        assert_true(rc == 0 || rc == -ENOENT);
        assert_ok(torc_bus_reap(bus, NULL));
        torc_bus_close(&bus);
}

/* Whatever a dead holder of the lock left undone: a stream can be removed, and its name is free. */
static void remove_when_another_died_at_it_removes(void **state)
{
        /* It was removing; it was growing, and there is no more memory for that. */
        static const uint64_t capacities[] = {0, TORC_CAPACITY_MAX};
        struct torc_bus *bus = test_bus(*state, "second");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct statvfs fs;
        assert_int_equal(statvfs("/dev/shm", &fs), 0);
        for (size_t i = 0; i < 2; i++) {
                struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
                if (capacities[i] && fs.f_blocks * fs.f_frsize >= capacities[i]) {
                        print_message("in part skipped: /dev/shm is too large\n");
                        torc_producer_close(&p);
                        break;
                }
                assert_ok(test_send(p, 1, 0));
                leave_redo_record(*state, capacities[i]);
                assert_ok(torc_stream_remove(bus, "s"));
                assert_rc(test_send(p, 1, 0), TORC_EREMOVED);
                torc_producer_close(&p);
                assert_rc(torc_stream_remove(bus, "s"), -ENOENT);
        }
        torc_bus_close(&bus);
}

/* ---- no descriptors left --------------------------------------------------------------------------------- */

/* With 0, 1, 2, ... descriptors left: refused, and then nothing has happened, or done. */
static void fencing_when_descriptors_run_out_happens_wholly_or_not(void **state)
{
        struct torc_bus *bus = test_bus(*state, "fencer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer_config fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        struct torc_producer *old = test_producer(bus, "s", TORC_SHARED, &config), *p = NULL;
        struct torc_access_info info;
        int rc = -EMFILE;
        assert_ok(test_send(old, 1, 0));
        for (int more = 0; rc == -EMFILE; more++) {
                unsigned before = test_count_fds();
                assert_true(more < 32);
                allow_fds(more);
                rc = torc_producer_open(&p, bus, "s", &fencing);
                allow_fds(-1);
                if (rc) {
                        assert_rc(rc, -EMFILE);
                        assert_int_equal(test_count_fds(), before);
                        assert_ok(torc_stream_access(bus, "s", &info)); /* takes what locks say */
                        assert_ok(torc_bus_reap(bus, NULL));
                        assert_ok(torc_stream_access(bus, "s", &info));
                        assert_int_equal(info.access, TORC_SHARED);
                        assert_int_equal(info.producers, 1);
                        assert_int_equal(info.epoch, 1);
                        assert_ok(test_send(old, 2, 0));
                }
        }
        assert_ok(rc);
        assert_rc(test_send(old, 3, 0), TORC_EFENCED);
        assert_ok(test_send(p, 4, 0));
        torc_producer_close(&old);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

struct scarce {
        struct test *t;
        struct torc_bus *bus, *other;
        struct torc_producer *p;
        struct torc_consumer *c;
        struct torc_inspector *inspector;
};
typedef int scarce_fn(struct scarce *x);

static int scarce_bus(struct scarce *x)
{
        return test_bus_open(x->t, &x->other, "other", NULL);
}

static int scarce_producer(struct scarce *x)
{
        return torc_producer_open(&x->p, x->bus, "s", NULL);
}

static int scarce_waiter(struct scarce *x)
{
        struct torc_producer_config config = {.access = TORC_WAIT_FOR_EXCLUSIVE};
        return torc_producer_open(&x->p, x->bus, "s", &config);
}

static int scarce_consumer(struct scarce *x)
{
        struct torc_consumer_config config = {.start = TORC_START_EARLIEST};
        return torc_consumer_open(&x->c, x->bus, "s", &config);
}

static int scarce_fd(struct scarce *x)
{
        int fd = torc_consumer_fd(x->c);
        return fd < 0 ? fd : 0;
}

static int scarce_create(struct scarce *x)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        return torc_stream_create(x->bus, "new", &config);
}

static int scarce_look(struct scarce *x)
{
        return torc_inspector_open(&x->inspector, x->t->root, "bus");
}

static int scarce_snapshot(struct scarce *x)
{
        struct torc_snapshot *snap = NULL;
        int rc = torc_inspector_take(x->inspector, &snap);
        if (rc == 0) /* what could not be seen says so */
                for (size_t i = 0; i < snap->n_streams && rc == 0; i++)
                        rc = snap->streams[i].error;
        torc_snapshot_free(&snap);
        return rc;
}

static int scarce_access(struct scarce *x)
{
        struct torc_access_info info;
        return torc_stream_access(x->bus, "s", &info);
}

static int scarce_reap(struct scarce *x)
{
        return torc_bus_reap(x->bus, NULL);
}

static int scarce_end(struct scarce *x)
{
        return torc_stream_end(x->bus, "s");
}

static int scarce_remove(struct scarce *x)
{
        return torc_stream_remove(x->bus, "new");
}

/* Each with 0, 1, 2, ... descriptors left: refused, leaving none of them open, or done. And the stream works. */
static void calls_when_descriptors_run_out_are_refused_whole(void **state)
{
        static scarce_fn *const calls[] = {
                scarce_bus,  scarce_create,   scarce_consumer, scarce_fd,   scarce_producer, scarce_waiter,
                scarce_look, scarce_snapshot, scarce_access,   scarce_reap, scarce_remove,   scarce_end,
        };
        struct scarce x = {.t = *state, .bus = test_bus(*state, "scarce")};
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(x.bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(x.bus, "s", TORC_START_LIVE, NULL);
        uint64_t n = 0;
        for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
                int rc = -EMFILE;
                for (int more = 0; rc; more++) {
                        unsigned before = test_count_fds();
                        assert_true(more < 32);
                        if (calls[i] == scarce_waiter)
                                torc_producer_close(&x.p);
                        allow_fds(more);
                        rc = calls[i](&x);
                        allow_fds(-1);
                        if (rc != -EMFILE && rc != 0)
                                fail_msg("call %d with %d descriptors left: %s", (int)i, more, torc_errname(rc));
                        if (rc && calls[i] != scarce_waiter)
                                assert_int_equal(test_count_fds(), before);
                        if (rc || calls[i] != scarce_end) {
                                assert_ok(test_send(p, n, 0));
                                test_expect(c, n++);
                        }
                }
        }
        torc_producer_close(&x.p);
        torc_consumer_close(&x.c);
        torc_inspector_close(&x.inspector);
        torc_bus_close(&x.other);
        struct torc_snapshot *snap = test_snapshot(*state);
        assert_int_equal(snap->n_peers, 1);
        assert_int_equal(snap->n_streams, 1);
        assert_int_equal(snap->streams[0].n_producers, 1);
        assert_int_equal(snap->streams[0].n_consumers, 1);
        torc_snapshot_free(&snap);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&x.bus);
}

/* The same for a consumer that comes back: it is back, or it holds nobody up. */
static void coming_back_when_descriptors_run_out_holds_nobody_up(void **state)
{
        struct torc_bus *bus = test_bus(*state, "reader");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        config.max_consumers = 1;
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct torc_consumer_info info;
        size_t n, len;
        uint64_t got;
        int rc = -EMFILE;
        assert_ok(torc_producer_consumers(p, &info, 1, &n));
        assert_ok(test_send(p, 0, 0));
        assert_ok(torc_stream_kick(bus, "s", info.ref));
        for (int more = 0; rc == -EMFILE; more++) {
                assert_true(more < 32);
                allow_fds(more);
                rc = torc_consumer_reattach(c, 0);
                allow_fds(-1);
                for (int i = 0; rc && i < 200; i++) /* more than the ring holds */
                        assert_ok(test_send(p, 0, 0));
        }
        assert_ok(rc);
        while ((rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL)) == 0)
                continue;
        assert_rc(rc, -EAGAIN);
        struct torc_consumer_stats stats;
        struct torc_producer_status status;
        assert_ok(torc_consumer_stats(c, &stats));
        assert_ok(torc_producer_status(p, &status));
        assert_int_equal(stats.messages + stats.missed_messages, status.messages);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- the lock's holder is stopped ------------------------------------------------------------------------ */

/* Stands for a process that was stopped with a stream's lock in its hands. */
static int hold_lock(struct test *t, const char *stream)
{
        char path[128];
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ABI_LOCK_TABLE, .l_len = 1};
        snprintf(path, sizeof path, "%s/bus/@%s/ctl", t->root, stream);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
        return fd;
}

#define assert_prompt(call, wanted)                                                                                \
        do {                                                                                                       \
                int64_t before_ms = test_now_ms();                                                                 \
                assert_rc(call, wanted);                                                                           \
                if (test_now_ms() - before_ms > 50)                                                                \
                        fail_msg("%s took %d ms", #call, (int)(test_now_ms() - before_ms));                        \
        } while (0)

static void calls_that_may_not_block_when_the_lock_is_held_do_not(void **state)
{
        struct torc_bus *bus = test_bus(*state, "prompt");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_SKIP, 0);
        struct torc_producer_config waiting = {.access = TORC_WAIT_FOR_EXCLUSIVE};
        struct torc_producer_status status;
        struct torc_access_info info;
        struct torc_condition offline = {.kind = TORC_OFFLINE};
        struct torc_consumer_stats stats;
        uint64_t n = 0, got;
        size_t len;
        int rc;
        config.capacity_max_bytes = 8192;
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config), *waiter = NULL;
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        assert_ok(torc_producer_open(&waiter, bus, "s", &waiting));
        assert_true(torc_consumer_fd(c) >= 0);
        for (int step = 0; step < 2; step++) { /* full and about to grow; grown, full, and a reader to disconnect */
                int lock = hold_lock(*state, "s");
                while ((rc = test_send(p, n, 0)) == 0)
                        n++;
                assert_rc(rc, TORC_EFULL);
                assert_prompt(test_send(p, n, 0), TORC_EFULL);
                assert_prompt(test_send(waiter, n, 0), TORC_EWAITING);
                assert_prompt(torc_producer_await(waiter, 0), -EAGAIN);
                assert_prompt(torc_producer_status(waiter, &status), 0);
                assert_prompt(torc_producer_flush(p, NULL, 0), -EAGAIN);
                assert_prompt(torc_producer_wait_for(p, &offline, 0), -EAGAIN);
                assert_prompt(torc_stream_access(bus, "s", &info), 0);
                assert_prompt(torc_consumer_stats(c, &stats), 0);
                assert_true(torc_producer_is_online(p));
                close(lock);
                assert_ok(test_send(p, n++, 0));
        }
        while (n < 1000)
                assert_ok(test_send(p, n++, 0));
        int lock = hold_lock(*state, "s"); /* it was disconnected, and cannot come back now */
        assert_prompt(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
        close(lock);
        while ((rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL)) == 0)
                continue;
        assert_rc(rc, -EAGAIN);
        assert_int_equal(got, n - 1);
        torc_consumer_close(&c);
        torc_producer_close(&waiter);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void *cancel_soon(void *arg)
{
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        torc_producer_cancel(arg);
        return NULL;
}

static void cancel_when_the_lock_is_held_ends_the_call(void **state)
{
        struct torc_bus *bus = test_bus(*state, "cancelled");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        pthread_t thread;
        int lock = hold_lock(*state, "s");
        while (test_send(p, 0, 0) == 0)
                continue;
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, p), 0);
        assert_rc(test_send(p, 0, -1), TORC_ECANCELED);
        pthread_join(thread, NULL);
        close(lock);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Who leaves meanwhile stands in nobody's way afterwards, though its process lives on. */
static void leaving_when_the_lock_is_held_leaves_all_the_same(void **state)
{
        struct torc_bus *bus = test_bus(*state, "leaver"), *other = test_bus(*state, "other");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *owner = test_producer(bus, "s", TORC_EXCLUSIVE, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        int lock = hold_lock(*state, "s");
        int64_t before_ms = test_now_ms();
        torc_producer_close(&owner);
        torc_consumer_close(&c);
        assert_in_range(test_now_ms() - before_ms, 0, 6000);
        close(lock);
        struct torc_producer *p = test_producer(other, "s", TORC_SHARED, NULL);
        struct torc_producer *q = test_producer(other, "s", TORC_SHARED, NULL);
        for (int i = 0; i < 300; i++) /* more than the ring holds */
                assert_ok(test_send(i % 2 ? p : q, 0, 1000));
        torc_producer_close(&q);
        torc_producer_close(&p);
        p = test_producer(other, "s", TORC_EXCLUSIVE, NULL);
        torc_producer_close(&p);
        torc_bus_close(&bus);
        assert_ok(torc_bus_reap(other, NULL));
        struct torc_snapshot *snap = test_snapshot(*state);
        assert_int_equal(snap->streams[0].n_producers, 0);
        assert_int_equal(snap->streams[0].n_consumers, 0);
        torc_snapshot_free(&snap);
        torc_bus_close(&other);
}

/* ---- claims that stay open ------------------------------------------------------------------------------- */

/* Readers wait before an open claim. When the ring is full behind it, they are not in anybody's way. */
static void claim_when_it_stays_open_disconnects_no_reader(void **state)
{
        struct torc_bus *bus = test_bus(*state, "claimer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_producer *slow = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, NULL);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        void *data;
        uint64_t n = 0, next;
        int rc;
        for (int round = 0; round < 3; round++) {
                next = n;
                assert_ok(torc_producer_claim(slow, sizeof n, NULL, 0, &data));
                memcpy(data, &n, sizeof n);
                n++;
                while ((rc = test_send(p, n, 0)) == 0)
                        n++;
                assert_rc(rc, TORC_EFULL);
                assert_rc(test_send(p, n, 20), -ETIMEDOUT);
                test_expect_nothing(c);
                assert_ok(torc_producer_commit(slow, NULL));
                for (; next < n; next++)
                        test_expect(c, next);
        }
        assert_int_equal(torc_consumer_missed(c), 0);
        /* When the claim is settled it is the reader's turn: now it is in the way. */
        assert_ok(torc_producer_claim(slow, sizeof n, NULL, 0, &data));
        while (test_send(p, 0, 0) == 0)
                continue;
        assert_ok(torc_producer_commit(slow, NULL));
        assert_ok(test_send(p, 0, -1));
        assert_rc(torc_consumer_try_recv(c, &n, sizeof n, &(size_t){0}, NULL), TORC_ELAGGED);
        torc_consumer_close(&c);
        torc_producer_close(&slow);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* The same in one process while the sender sleeps: it has to notice that now it waits for a reader, not for a
 * claim. */
static void claim_holder(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "holder");
        struct torc_producer *p = NULL;
        void *data;
        (void)arg;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 8, NULL, 0, &data), 0);
        link_say(link, 1);
        link_hear(link);
        CHECK_RC(torc_producer_commit(p, NULL), 0);
        link_say(link, 1);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void claim_sender(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "sender");
        struct torc_producer *p = NULL;
        (void)arg;
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), 0);
        while (test_send(p, 0, 0) == 0)
                continue;
        link_say(link, 1);
        CHECK_RC(test_send(p, 0, -1), 0);
        link_say(link, 2);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void claim_when_settled_lets_the_policy_deal_with_readers(void **state)
{
        struct torc_bus *bus = test_bus(*state, "reader");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, &config);
        uint64_t got;
        size_t len;
        for (int killed = 0; killed < 2; killed++) {
                struct child holder = child_start(*state, claim_holder, NULL);
                child_hear(&holder);
                struct child sender = child_start(*state, claim_sender, NULL);
                child_hear(&sender);
                child_until_asleep(&sender);
                assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
                if (killed) {
                        child_kill(&holder);
                } else {
                        child_say(&holder, 1);
                        child_join(&holder);
                }
                assert_int_equal(child_hear(&sender), 2);
                child_join(&sender);
                assert_rc(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), TORC_ELAGGED);
                assert_ok(torc_consumer_reattach(c, 0));
                while (torc_consumer_try_recv(c, &got, sizeof got, &len, NULL) == 0)
                        continue;
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- no place left --------------------------------------------------------------------------------------- */

/* A skipping reader that lost its place to another goes on when there is one again, and until then does not hang in
 * calls that may not block. */
static void skipping_when_its_place_is_taken_waits_without_blocking(void **state)
{
        struct torc_bus *bus = test_bus(*state, "skipper");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_SKIP, 0);
        config.max_consumers = 1;
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        struct timespec before, after;
        uint64_t n = 0, got, received = 0;
        size_t len;
        int rc;
        assert_true(torc_consumer_fd(c) >= 0);
        for (; n < 300; n++) /* more than the ring holds */
                assert_ok(test_send(p, n, 0));
        struct torc_consumer *other = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        test_expect_nothing(c);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        assert_rc(torc_consumer_recv(c, &got, sizeof got, &len, 300, NULL), -ETIMEDOUT);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        int64_t used_ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
        if (used_ms > 150)
                fail_msg("%d ms of work in 300 ms of waiting", (int)used_ms);
        torc_consumer_close(&other);
        assert_ok(test_send(p, n++, 0));
        while ((rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL)) == 0)
                received++;
        assert_rc(rc, -EAGAIN);
        assert_int_equal(got, n - 1);
        assert_int_equal(received + torc_consumer_missed(c), n);
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* ---- chains that nobody reads ---------------------------------------------------------------------------- */

static unsigned count_segments(const struct test *t, const char *stream)
{
        unsigned n = 0;
        char path[128];
        snprintf(path, sizeof path, "%s/bus/@%s", t->root, stream);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));)
                n += !strncmp(e->d_name, "0.", 2);
        closedir(dir);
        return n;
}

static void reader_that_dies(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = child_bus(t, "dead");
        struct torc_consumer *c = NULL;
        (void)arg;
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        link_say(link, 1);
        link_hear(link);
}

/* No owner ever waits here, so none gets round to clean up after the dead; the chain grew with each of them. */
static void owners_when_the_reader_has_died_leave_few_segments(void **state)
{
        struct torc_bus *bus = test_bus(*state, "owners");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        assert_ok(torc_stream_create(bus, "s", &config));
        struct child dead = child_start(*state, reader_that_dies, NULL);
        child_hear(&dead);
        child_kill(&dead);
        for (uint64_t i = 0; i < 20; i++) {
                struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE, NULL);
                assert_ok(test_send(p, i, 0));
                torc_producer_close(&p);
        }
        assert_in_range(count_segments(*state, "s"), 1, 6);
        struct torc_snapshot *snap = test_snapshot(*state);
        assert_int_equal(snap->streams[0].n_consumers, 0);
        torc_snapshot_free(&snap);
        torc_bus_close(&bus);
}

static void owners_when_nobody_reads_leave_no_segments(void **state)
{
        struct torc_bus *bus = test_bus(*state, "owners");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_access_info info;
        for (uint64_t i = 0; i < 20; i++) { /* each under a name of its own, so each opens a segment */
                struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE, &config);
                assert_ok(test_send(p, i, 0));
                torc_producer_close(&p);
        }
        assert_ok(torc_stream_access(bus, "s", &info));
        assert_int_equal(info.epoch, 20);
        assert_in_range(count_segments(*state, "s"), 1, 2);
        for (int i = 0; i < 20; i++)
                assert_ok(torc_stream_fence(bus, "s", NULL));
        assert_in_range(count_segments(*state, "s"), 1, 2);
        /* Those that somebody still reads stay. */
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        for (uint64_t i = 0; i < 5; i++) {
                struct torc_producer *p = test_producer(bus, "s", TORC_EXCLUSIVE, NULL);
                assert_ok(test_send(p, i, 0));
                torc_producer_close(&p);
        }
        for (uint64_t i = 0; i < 5; i++)
                test_expect(c, i);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* ---- other users ----------------------------------------------------------------------------------------- */

enum { USER_A = 54321, USER_B = 54322, GROUP = 54320 };

/* In a helper: become somebody. */
static void become(uid_t uid, gid_t gid)
{
        CHECK(setgroups(0, NULL) == 0);
        CHECK(setgid(gid) == 0);
        CHECK(setuid(uid) == 0);
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0); /* setuid() has cleared it */
}

#define NEEDS_ROOT()                                                                                               \
        do {                                                                                                       \
                if (geteuid() != 0) {                                                                              \
                        print_message("skipped: becoming other users needs root\n");                               \
                        skip();                                                                                    \
                }                                                                                                  \
        } while (0)

/* Somebody made the default root of another user before him, open to everybody, with a bus in it. */
static void trap_maker(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = NULL;
        struct torc_bus_config config = {.root = arg, .mode = 0666};
        (void)t;
        umask(0);
        become(USER_B, USER_B);
        CHECK(mkdir(arg, 0777) == 0);
        CHECK_RC(torc_bus_open(&bus, &config), 0);
        link_say(link, 1);
        link_hear(link);
        torc_bus_close(&bus);
}

static void trap_victim(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = NULL;
        struct torc_bus_config config = {.flags = TORC_BUS_NO_CREATE};
        struct torc_inspector *inspector = NULL;
        (void)t, (void)link, (void)arg;
        become(USER_A, USER_A);
        CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
        CHECK_RC(torc_bus_open(&bus, &config), -EPERM);
        CHECK_RC(torc_bus_open(&bus, NULL), -EPERM);
        CHECK_RC(torc_inspector_open(&inspector, NULL, NULL), -EPERM);
}

static void default_root_when_another_user_made_it_is_refused(void **state)
{
        char root[] = "/dev/shm/torc-54321";
        struct stat st;
        NEEDS_ROOT();
        if (lstat(root, &st) == 0) {
                print_message("skipped: %s exists\n", root);
                skip();
        }
        struct child maker = child_start(*state, trap_maker, root);
        child_hear(&maker);
        struct child victim = child_start(*state, trap_victim, NULL);
        int status = child_wait(&victim);
        child_say(&maker, 1);
        child_join(&maker);
        test_remove_tree(root);
        assert_int_equal(status, 0);
}

/* A bus for everybody leaves its root to its maker, and usable. */
static void open_to_all(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus = NULL;
        struct torc_bus_config config = {.mode = 0666};
        struct stat st;
        (void)t, (void)link;
        umask(077);
        become(USER_A, USER_A);
        CHECK(unsetenv("XDG_RUNTIME_DIR") == 0);
        CHECK_RC(torc_bus_open(&bus, &config), 0);
        CHECK(stat(arg, &st) == 0 && (st.st_mode & 07777) == 0755);
        CHECK(stat(torc_bus_path(bus), &st) == 0 && (st.st_mode & 07777) == 0777);
        torc_bus_close(&bus);
        CHECK_RC(torc_bus_open(&bus, NULL), 0);
        torc_bus_close(&bus);
}

static void default_root_when_the_bus_is_for_all_is_its_makers(void **state)
{
        char root[] = "/dev/shm/torc-54321";
        struct stat st;
        NEEDS_ROOT();
        if (lstat(root, &st) == 0) {
                print_message("skipped: %s exists\n", root);
                skip();
        }
        struct child c = child_start(*state, open_to_all, root);
        int status = child_wait(&c);
        test_remove_tree(root);
        assert_int_equal(status, 0);
}

/* A stream that one user writes and a group reads: bits 0640. */
static struct torc_bus *group_bus(struct test *t, const char *peer)
{
        struct torc_bus *bus = NULL;
        struct torc_bus_config config = {.root = t->root, .name = "bus", .peer_name = peer, .mode = 0660};
        CHECK_RC(torc_bus_open(&bus, &config), 0);
        return bus;
}

static void group_writer(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        umask(077);
        become(USER_A, GROUP);
        struct torc_bus *bus = group_bus(t, "writer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_producer_config wanted = {.stream = &config};
        struct torc_producer *p = NULL;
        struct torc_consumer_info info;
        size_t count = 0;
        config.mode = 0640;
        config.capacity_max_bytes = 8192;
        CHECK_RC(torc_producer_open(&p, bus, "s", &wanted), 0);
        link_say(link, 1);
        for (int64_t n; (n = link_hear(link)) >= 0;) {
                if (n == 0) { /* who is there? */
                        CHECK_RC(torc_producer_consumers(p, &info, 1, &count), 0);
                        link_say(link, count == 1 && info.connection == TORC_CONNECTED ? (int64_t)info.uid : -1);
                        continue;
                }
                for (int64_t i = 0; i < n; i++)
                        CHECK_RC(test_send(p, (uint64_t)i, TEST_WAIT_MS), 0);
        }
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void group_reader(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus;
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_producer_config fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        gid_t group = GROUP;
        uint64_t got, received = 0;
        size_t len;
        char path[128];
        int rc;
        (void)arg;
        umask(077);
        CHECK(setgroups(1, &group) == 0);
        CHECK(setgid(USER_B) == 0);
        CHECK(setuid(USER_B) == 0);
        bus = group_bus(t, "reader");
        /* It may read and not write: no producer, no end, no removal; and its tries leave no trace. */
        CHECK_RC(torc_producer_open(&p, bus, "s", NULL), -EACCES);
        CHECK_RC(torc_producer_open(&p, bus, "s", &fencing), -EACCES);
        CHECK_RC(torc_stream_fence(bus, "s", NULL), -EACCES);
        CHECK_RC(torc_stream_end(bus, "s"), -EACCES);
        CHECK_RC(torc_stream_remove(bus, "s"), -EACCES);
        snprintf(path, sizeof path, "%s/bus/@s/0.1", t->root);
        CHECK(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES);
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        struct pollfd poll_fd = {.fd = torc_consumer_fd(c), .events = POLLIN};
        CHECK(poll_fd.fd >= 0);
        CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
        link_say(link, 1);
        /* Woken by the writer, not by the timer that is there for lost wake-ups: 100 ms from the look above, each
         * time. */
        for (int i = 0; i < 5; i++) {
                CHECK(poll(&poll_fd, 1, TEST_WAIT_MS) == 1);
                int64_t woken_ms = test_now_ms();
                CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), 0);
                CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
                link_say(link, woken_ms);
        }
        link_hear(link); /* more than two rings hold are sent: growth, then a disconnection */
        while ((rc = torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, NULL)) == 0)
                received++;
        CHECK_RC(rc, TORC_ELAGGED);
        CHECK_RC(torc_consumer_reattach(c, TEST_WAIT_MS), 0);
        while ((rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL)) == 0)
                received++;
        CHECK_RC(rc, -EAGAIN);
        link_say(link, (int64_t)(received + torc_consumer_missed(c)));
        link_hear(link);
        CHECK_RC(torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, NULL), 0);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void group_when_it_may_read_reads_and_is_woken(void **state)
{
        struct test *t = *state;
        int64_t sent_ms, late_ms = 0;
        NEEDS_ROOT();
        assert_int_equal(chmod(t->root, 0777), 0);
        struct child writer = child_start(t, group_writer, NULL);
        child_hear(&writer);
        struct child reader = child_start(t, group_reader, NULL);
        child_hear(&reader);
        child_say(&writer, 0);
        assert_int_equal(child_hear(&writer), USER_B);
        for (int i = 0; i < 5; i++) {
                sent_ms = test_now_ms();
                child_say(&writer, 1);
                late_ms += child_hear(&reader) - sent_ms;
        }
        if (late_ms >= 5 * 50)
                fail_msg("five messages were noticed %d ms late", (int)late_ms);
        child_stop(&reader);
        child_say(&writer, 1000);
        child_say(&writer, 0);
        assert_int_equal(child_hear(&writer), -1); /* all are sent, and it was disconnected */
        child_continue(&reader);
        child_say(&reader, 1);
        assert_int_equal(child_hear(&reader), 1000);
        child_say(&writer, 1);
        child_say(&reader, 1);
        child_join(&reader);
        child_say(&writer, -1);
        child_join(&writer);
}

static void patient_reader(struct child *link, struct test *t, void *arg)
{
        struct torc_consumer *c = NULL;
        gid_t group = GROUP;
        (void)arg;
        CHECK(setgroups(1, &group) == 0);
        CHECK(setgid(USER_B) == 0);
        CHECK(setuid(USER_B) == 0);
        struct torc_bus *bus = group_bus(t, "reader");
        link_say(link, 1);
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void group_when_a_producers_change_is_unfinished_waits_for_one(void **state)
{
        struct test *t = *state;
        NEEDS_ROOT();
        assert_int_equal(chmod(t->root, 0777), 0);
        struct child writer = child_start(t, group_writer, NULL);
        child_hear(&writer);
        leave_redo_record(t, 4096);
        struct child reader = child_start(t, patient_reader, NULL);
        child_hear(&reader);
        child_until_asleep(&reader);
        struct torc_bus *bus = test_bus(t, "reaper");
        assert_ok(torc_bus_reap(bus, NULL));
        torc_bus_close(&bus);
        child_join(&reader);
        child_say(&writer, 5);
        child_say(&writer, -1);
        child_join(&writer);
}

/* A stream that a group writes: bits 0660. A member that is not its owner makes the segments that it grows by. */
static void group_grower(struct child *link, struct test *t, void *arg)
{
        gid_t group = GROUP;
        uid_t uid = *(uid_t *)arg;
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer_config wanted = {.stream = &config};
        uint64_t got, n = 0;
        size_t len;
        umask(077);
        CHECK(setgroups(1, &group) == 0);
        CHECK(setgid(uid == USER_A ? GROUP : uid) == 0);
        CHECK(setuid(uid) == 0);
        struct torc_bus *bus = group_bus(t, "member");
        config.mode = 0660;
        config.capacity_max_bytes = 65536;
        CHECK_RC(torc_producer_open(&p, bus, "s", &wanted), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "s", NULL), 0);
        link_say(link, 1);
        for (int64_t to_send; (to_send = link_hear(link)) >= 0;) {
                for (int64_t i = 0; i < to_send; i++)
                        CHECK_RC(test_send(p, (uint64_t)i, 0), 0);
                while (to_send == 0 && torc_consumer_recv(c, &got, sizeof got, &len, 100, NULL) == 0)
                        n++;
                link_say(link, (int64_t)n);
        }
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void group_when_it_may_write_grows_for_all(void **state)
{
        struct test *t = *state;
        static uid_t a = USER_A, b = USER_B;
        NEEDS_ROOT();
        assert_int_equal(chmod(t->root, 0777), 0);
        struct child owner = child_start(t, group_grower, &a);
        child_hear(&owner);
        struct child member = child_start(t, group_grower, &b);
        child_hear(&member);
        for (int round = 0; round < 2; round++) {
                struct child *grower = round ? &owner : &member, *other = round ? &member : &owner;
                child_say(grower, 400); /* more than 8 KiB hold, and then than 16 KiB */
                child_hear(grower);
                child_say(other, 200);
                child_hear(other);
                child_say(grower, 0);
                assert_int_equal(child_hear(grower), (round + 1) * 600);
                child_say(other, 0);
                assert_int_equal(child_hear(other), (round + 1) * 600);
        }
        child_kill(&member); /* with its slots; the owner's process cleans up behind another user's */
        child_say(&owner, 1);
        child_hear(&owner);
        child_say(&owner, -1);
        child_join(&owner);
        struct torc_bus *bus = test_bus(t, "reaper");
        assert_ok(torc_bus_reap(bus, NULL));
        struct torc_snapshot *snap = test_snapshot(t);
        assert_int_equal(snap->streams[0].n_producers + snap->streams[0].n_consumers, 0);
        torc_snapshot_free(&snap);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(max_message_when_its_frame_would_not_fit_32_bits_is_refused),
                TEST(open_when_the_stream_is_being_removed_makes_it),
                TEST(fencing_when_the_stream_has_ended_leaves_it_ended),
                TEST(remove_when_another_died_at_it_removes),
                TEST(fencing_when_descriptors_run_out_happens_wholly_or_not),
                TEST(calls_when_descriptors_run_out_are_refused_whole),
                TEST(coming_back_when_descriptors_run_out_holds_nobody_up),
                TEST(calls_that_may_not_block_when_the_lock_is_held_do_not),
                TEST(cancel_when_the_lock_is_held_ends_the_call),
                TEST(leaving_when_the_lock_is_held_leaves_all_the_same),
                TEST(claim_when_it_stays_open_disconnects_no_reader),
                TEST(claim_when_settled_lets_the_policy_deal_with_readers),
                TEST(skipping_when_its_place_is_taken_waits_without_blocking),
                TEST(owners_when_nobody_reads_leave_no_segments),
                TEST(owners_when_the_reader_has_died_leave_few_segments),
                TEST(default_root_when_another_user_made_it_is_refused),
                TEST(default_root_when_the_bus_is_for_all_is_its_makers),
                TEST(group_when_it_may_read_reads_and_is_woken),
                TEST(group_when_it_may_write_grows_for_all),
                TEST(group_when_a_producers_change_is_unfinished_waits_for_one),
        };
        return TEST_MAIN(tests);
}
