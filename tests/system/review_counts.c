/*
 * review_counts.c - what a consumer is told that it missed is what it missed, also when it loses the CPU between the two
 * looks from which it counts: at the tail, and at the producers' counters; or while it counts; or while it says where it stands.
 *
 * Some functions that the library calls are wrapped by the linker (Makefile): what others do while a consumer does not run is done
 * in there, and what it does when it runs again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "abi.h"
#include "torc_test.h"

#include <sys/mman.h>

#define RING 128 /* messages of 8 bytes in a ring of 4096 */
#define ANY UINT64_MAX

struct stream;
struct limit_place;
uint64_t __real_stream_total(struct stream *s);
uint64_t __wrap_stream_total(struct stream *s);
uint64_t __real_limit_count(struct stream *s, struct limit_place *at, uint64_t until, bool over);
uint64_t __wrap_limit_count(struct stream *s, struct limit_place *at, uint64_t until, bool over);

/* What happens meanwhile, once: between the looks, or before it counts; or each time that it counts. */
static void (*meanwhile)(void *arg), (*before_it_counts)(void *arg), (*whenever_it_counts)(void *arg);
static void *meanwhile_arg;

static void happen(void (**what)(void *arg))
{
        void (*f)(void *) = *what;
        *what = NULL;
        if (f)
                f(meanwhile_arg);
}

uint64_t __wrap_stream_total(struct stream *s)
{
        happen(&meanwhile);
        return __real_stream_total(s);
}

uint64_t __wrap_limit_count(struct stream *s, struct limit_place *at, uint64_t until, bool over)
{
        happen(&before_it_counts);
        if (whenever_it_counts && over) /* a joiner's count, not a kick's */
                whenever_it_counts(meanwhile_arg);
        return __real_limit_count(s, at, until, over);
}

/* From now on the so-manieth segment cannot be opened; 0: all can. */
struct segment;
static int fail_open;
int __real_segment_open(struct segment *segment, struct stream *s, uint64_t number, unsigned use);
int __wrap_segment_open(struct segment *segment, struct stream *s, uint64_t number, unsigned use);

int __wrap_segment_open(struct segment *segment, struct stream *s, uint64_t number, unsigned use)
{
        return fail_open > 0 && --fail_open == 0 ? -EMFILE : __real_segment_open(segment, s, number, use);
}

/* A consumer that lost the CPU in the middle of saying where it stands; it has it again when others sleep. */
static struct abi_consumer *halfway;
static uint64_t halfway_cursor;
int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

static void run_on(void)
{
        if (!halfway)
                return;
        atomic_store(&halfway->cursor, halfway_cursor);
        atomic_store(&halfway->count2, atomic_load(&halfway->count));
        halfway = NULL;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
        run_on();
        return __real_nanosleep(time, left);
}

struct scene {
        struct torc_bus *bus;
        struct torc_producer *p;
        struct torc_consumer *c;
        uint64_t sent, read; /* since the consumer began to join */
        uint64_t first;      /* number of the first message that it should see or be told of */
};

static void say(struct scene *s, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                assert_ok(test_send(s->p, s->sent++, 0));
}

/* Not so many that it is disconnected again. */
static void say_five(void *arg)
{
        say(arg, 5);
}

static void seal_and_say_fifty(void *arg)
{
        struct scene *s = arg;
        assert_ok(torc_stream_fence(s->bus, "s", NULL));
        torc_producer_close(&s->p);
        s->p = test_producer(s->bus, "s", TORC_SHARED, NULL);
        say(s, 50);
}

/* Many laps. Who is connected has a right to all of it; who is still joining begins anywhere. */
static void outrun(void *arg)
{
        struct scene *s = arg;
        struct torc_consumer_info info;
        size_t n;
        assert_ok(torc_producer_consumers(s->p, &info, 1, &n));
        assert_int_equal(n, 1);
        say(s, 10 * RING);
        s->first = info.connection == TORC_CONNECTED ? 0 : ANY;
}

/* What it counts is deleted, but not all that comes after: the cut is at an open claim. */
static void cut_off_and_delete(void *arg)
{
        struct scene *s = arg;
        struct torc_consumer_info info;
        size_t n;
        assert_ok(torc_producer_consumers(s->p, &info, 1, &n));
        assert_int_equal(n, 1);
        assert_ok(torc_stream_kick(s->bus, "s", info.ref));
}

static void open_scene(struct scene *s, struct test *t)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        *s = (struct scene){.bus = test_bus(t, "me")};
        s->p = test_producer(s->bus, "s", TORC_SHARED, &config);
        say(s, 7);
        s->sent = 0;
}

static void join(struct scene *s, enum torc_start start, void (*f)(void *))
{
        meanwhile = f;
        meanwhile_arg = s;
        s->c = test_consumer(s->bus, "s", start, NULL);
        assert_true(!meanwhile);
}

/* Disconnected, and away until not even what came after the cut is there any more. */
static void lag_and_come_back(struct scene *s, void (*f)(void *))
{
        uint64_t number;
        size_t len;
        say(s, 5 * RING);
        assert_rc(torc_consumer_try_recv(s->c, &number, sizeof number, &len, NULL), TORC_ELAGGED);
        say(s, 5 * RING);
        meanwhile = f;
        assert_ok(torc_consumer_reattach(s->c, 0));
        assert_true(!meanwhile);
}

/* All that were sent since it joined were read or are told as missed, and each one read says so by its number. */
static void read_all(struct scene *s)
{
        uint64_t number;
        size_t len;
        int rc;
        while ((rc = torc_consumer_try_recv(s->c, &number, sizeof number, &len, NULL)) == 0) {
                s->first = s->first == ANY ? number : s->first;
                assert_int_equal(s->first + s->read++ + torc_consumer_missed(s->c), number);
        }
        if (rc == TORC_ELAGGED) {
                assert_ok(torc_consumer_reattach(s->c, 0));
                read_all(s);
                return;
        }
        assert_rc(rc, -EAGAIN);
        assert_int_equal(s->first + s->read + torc_consumer_missed(s->c), s->sent);
}

static void close_scene(struct scene *s)
{
        read_all(s);
        say(s, 10);
        read_all(s);
        torc_consumer_close(&s->c);
        torc_producer_close(&s->p);
        torc_bus_close(&s->bus);
}

static void missed_when_others_send_while_it_joins_is_right(void **state)
{
        struct scene s;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, say_five);
        lag_and_come_back(&s, NULL);
        close_scene(&s);
}

static void missed_when_others_send_while_it_comes_back_is_right(void **state)
{
        struct scene s;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, NULL);
        lag_and_come_back(&s, say_five);
        close_scene(&s);
}

static void missed_when_the_stream_is_fenced_while_it_joins_is_right(void **state)
{
        struct scene s;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, seal_and_say_fifty);
        lag_and_come_back(&s, NULL);
        close_scene(&s);
}

static void missed_when_the_stream_is_fenced_while_it_comes_back_is_right(void **state)
{
        struct scene s;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, NULL);
        lag_and_come_back(&s, seal_and_say_fifty);
        close_scene(&s);
}

static void missed_when_it_is_outrun_while_it_joins_is_right(void **state)
{
        struct scene s;
        open_scene(&s, *state);
        s.sent = 7; /* there is something to count */
        before_it_counts = outrun;
        join(&s, TORC_START_EARLIEST, NULL);
        assert_true(!before_it_counts);
        close_scene(&s);
}

/* What the others see of the only consumer. */
static struct abi_consumer *map_record(struct test *t, const struct torc_consumer_info *info, struct abi_ctl **ctl)
{
        char path[128];
        snprintf(path, sizeof path, "%s/bus/@s/ctl", t->root);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        *ctl = mmap(NULL, sizeof **ctl, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(*ctl != MAP_FAILED);
        close(fd);
        return &(*ctl)->consumer[info->ref & 0xffff];
}

static void missed_when_it_is_kicked_half_way_is_right(void **state)
{
        struct scene s;
        struct torc_consumer_info info;
        struct abi_ctl *ctl;
        uint64_t number;
        size_t len, n;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, NULL);
        say(&s, 10);
        assert_ok(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL));
        assert_ok(torc_producer_consumers(s.p, &info, 1, &n));
        struct abi_consumer *record = map_record(*state, &info, &ctl);
        /* It has passed the second message, and has stored its count, but not yet its cursor. */
        uint64_t before = atomic_load(&record->cursor);
        assert_ok(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL));
        halfway_cursor = atomic_load(&record->cursor);
        atomic_store(&record->cursor, before);
        atomic_store(&record->count2, 1);
        halfway = record;
        assert_ok(torc_stream_kick(s.bus, "s", info.ref));
        run_on();
        assert_rc(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL), TORC_ELAGGED);
        assert_int_equal(torc_consumer_missed(s.c), 8);
        munmap(ctl, sizeof *ctl);
        s.read = 2;
        assert_ok(torc_consumer_reattach(s.c, 0));
        close_scene(&s);
}

static void missed_when_its_kicker_dies_and_it_gives_up_is_right(void **state)
{
        struct scene s;
        struct torc_consumer_info info;
        struct abi_ctl *ctl;
        uint64_t number;
        size_t len, n;
        int rc = -EMFILE, joined = 0;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, NULL);
        assert_ok(torc_producer_consumers(s.p, &info, 1, &n));
        struct abi_consumer *record = map_record(*state, &info, &ctl);
        say(&s, 10);
        assert_ok(torc_stream_kick(s.bus, "s", info.ref));
        assert_rc(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL), TORC_ELAGGED);
        /* Its place is still there, for the sake of the other, and the stream stands in another segment. */
        struct torc_consumer *other = test_consumer(s.bus, "s", TORC_START_EARLIEST, NULL);
        seal_and_say_fifty(&s);
        for (int nth = 1; rc; nth++) {
                assert_true(nth < 20);
                fail_open = nth;
                uint32_t gen = ABI_CONSUMER_GEN(atomic_load(&record->word));
                rc = torc_consumer_reattach(s.c, 0);
                assert_true(rc == 0 || rc == -EMFILE);
                if (rc == 0)
                        break;
                say(&s, 3);
                if (ABI_CONSUMER_GEN(atomic_load(&record->word)) == gen)
                        continue; /* it did not get so far as to join */
                /* While it was joining, another had looked where it stood, had counted, and had stored how far: then it died. */
                joined++;
                assert_ok(torc_producer_consumers(s.p, &info, 1, &n));
                atomic_store(&record->kick_segment, atomic_load(&ctl->current));
                atomic_store(&record->kick_tail, info.cursor + info.stats.lag_bytes);
        }
        assert_true(joined > 0);
        fail_open = 0;
        munmap(ctl, sizeof *ctl);
        torc_consumer_close(&other);
        close_scene(&s);
}

static void join_when_it_is_outrun_each_time_ends(void **state)
{
        struct scene s;
        uint64_t number;
        size_t len;
        open_scene(&s, *state);
        whenever_it_counts = outrun;
        join(&s, TORC_START_EARLIEST, NULL);
        whenever_it_counts = NULL;
        assert_rc(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL), TORC_ELAGGED);
        assert_int_equal(torc_consumer_missed(s.c), RING); /* what stood in the ring when it was cut off */
        torc_consumer_close(&s.c);
        torc_producer_close(&s.p);
        torc_bus_close(&s.bus);
}

static void missed_when_it_is_cut_off_while_it_comes_back_is_right(void **state)
{
        struct scene s;
        uint64_t number;
        size_t len;
        void *data;
        open_scene(&s, *state);
        join(&s, TORC_START_LIVE, NULL);
        say(&s, 5 * RING);
        assert_rc(torc_consumer_try_recv(s.c, &number, sizeof number, &len, NULL), TORC_ELAGGED);
        say(&s, 5 * RING);
        struct torc_producer *stopped = test_producer(s.bus, "s", TORC_SHARED, NULL);
        assert_ok(torc_producer_claim(stopped, 8, NULL, 0, &data));
        seal_and_say_fifty(&s);
        before_it_counts = cut_off_and_delete;
        assert_ok(torc_consumer_reattach(s.c, -1));
        assert_true(!before_it_counts);
        torc_producer_close(&stopped);
        close_scene(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(missed_when_others_send_while_it_joins_is_right),
                TEST(missed_when_others_send_while_it_comes_back_is_right),
                TEST(missed_when_the_stream_is_fenced_while_it_joins_is_right),
                TEST(missed_when_the_stream_is_fenced_while_it_comes_back_is_right),
                TEST(missed_when_it_is_outrun_while_it_joins_is_right),
                TEST(missed_when_it_is_cut_off_while_it_comes_back_is_right),
                TEST(missed_when_it_is_kicked_half_way_is_right),
                TEST(missed_when_its_kicker_dies_and_it_gives_up_is_right),
                TEST(join_when_it_is_outrun_each_time_ends),
        };
        return TEST_MAIN(tests);
}
