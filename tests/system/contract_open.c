/*
 * contract_open.c - making and finding buses and streams: races, names, configuration, versions, permission.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include "abi.h"

#include <grp.h>
#include <sched.h>
#include <sys/mman.h>

#define NOBODY 65534

/* ---- get or create --------------------------------------------------------------------------------------- */

#define RACE_CAPACITY(i) (8192u << (i))

struct race {
        _Atomic long go;
        long rounds;
        int index;
};

/* Both open the same name at the same time, report what they got, and send their index when told to. */
static void racer(struct child *link, struct test *t, void *arg)
{
        struct race *race = arg;
        struct torc_bus *bus = child_bus(t, "racer");
        int index = (int)link_hear(link);
        for (long n = 1; n <= race->rounds; n++) {
                char name[32];
                struct torc_producer *p = NULL;
                struct torc_stream_config stream = test_stream(RACE_CAPACITY(index), TORC_LAG_BLOCK, 0);
                struct torc_producer_config config = {.flags = TORC_CREATE_ONLY, .stream = &stream};
                snprintf(name, sizeof name, "race.%ld", n);
                link_say(link, 0);
                while (atomic_load(&race->go) < n)
                        sched_yield();
                link_say(link, torc_producer_open(&p, bus, name, &config));
                CHECK(p != NULL);
                link_hear(link);
                CHECK_RC(test_send(p, (uint64_t)index, 0), 0);
                torc_producer_close(&p);
                link_say(link, 0);
        }
        torc_bus_close(&bus);
}

static void open_when_two_race_has_one_creator(void **state)
{
        struct test *t = *state;
        test_seconds(240);
        struct race *race = mmap(NULL, sizeof *race, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(race != MAP_FAILED);
        race->rounds = test_param("TORC_TEST_ROUNDS", 1000);
        struct torc_bus *bus = test_bus(t, "judge");
        struct child racers[2];
        long first[2] = {0, 0};
        for (int i = 0; i < 2; i++) {
                racers[i] = child_start(t, racer, race);
                child_say(&racers[i], i);
        }
        for (long n = 1; n <= race->rounds; n++) {
                char name[32];
                int64_t rc[2];
                snprintf(name, sizeof name, "race.%ld", n);
                child_hear(&racers[0]);
                child_hear(&racers[1]);
                atomic_store(&race->go, n);
                for (int i = 0; i < 2; i++)
                        rc[i] = child_hear(&racers[i]);
                int creator = rc[0] != 0;
                assert_int_equal(rc[creator], 0);
                assert_int_equal(rc[!creator], TORC_EEXISTS);
                first[creator]++;
                for (int i = 0; i < 2; i++)
                        child_say(&racers[i], 0);
                for (int i = 0; i < 2; i++)
                        child_hear(&racers[i]);
                /* Both could send; the winner's configuration is what there is. */
                struct torc_consumer *c = test_consumer(bus, name, TORC_START_EARLIEST, NULL);
                uint64_t sum = 0, got;
                size_t len;
                for (int i = 0; i < 2; i++) {
                        assert_ok(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL));
                        sum += 1u << got;
                }
                assert_int_equal(sum, 3);
                torc_consumer_close(&c);
                struct torc_snapshot *snapshot = test_snapshot(t);
                const struct torc_stream_info *info = test_find_stream(snapshot, name);
                assert_non_null(info);
                assert_int_equal(info->capacity_bytes, RACE_CAPACITY(creator));
                torc_snapshot_free(&snapshot);
                assert_ok(torc_stream_remove(bus, name));
        }
        print_message("created first: %ld and %ld of %ld\n", first[0], first[1], race->rounds);
        child_join(&racers[0]);
        child_join(&racers[1]);
        torc_bus_close(&bus);
        munmap(race, sizeof *race);
}

static void open_when_create_only_and_stream_exists_is_usable(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *first = test_producer(bus, "s", TORC_SHARED, &config), *second = NULL;
        struct torc_producer_config only = {.flags = TORC_CREATE_ONLY};
        assert_rc(torc_producer_open(&second, bus, "s", &only), TORC_EEXISTS);
        assert_non_null(second);
        assert_ok(test_send(second, 1, 0));
        torc_producer_close(&second);
        torc_producer_close(&first);
        assert_null(first);
        assert_ok(torc_producer_open(&first, bus, "other", &only));
        torc_producer_close(&first);
        torc_bus_close(&bus);
        assert_null(bus);
}

static void open_when_no_create_and_missing_is_enoent(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = NULL;
        struct torc_bus_config where = {.root = t->root, .name = "bus", .flags = TORC_BUS_NO_CREATE};
        assert_rc(torc_bus_open(&bus, &where), -ENOENT);
        assert_null(bus);
        bus = test_bus(t, "me");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_access_info info;
        assert_rc(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.flags = TORC_NO_CREATE}), -ENOENT);
        assert_rc(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.flags = TORC_NO_CREATE}), -ENOENT);
        assert_rc(torc_stream_access(bus, "s", &info), -ENOENT);
        assert_rc(torc_stream_end(bus, "s"), -ENOENT);
        assert_rc(torc_stream_remove(bus, "s"), -ENOENT);
        assert_rc(torc_stream_fence(bus, "s", NULL), -ENOENT);
        assert_null(p);
        assert_null(c);
        torc_bus_close(&bus);
}

static void stream_create_when_it_exists_is_eexists(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        assert_ok(torc_stream_create(bus, "s", NULL));
        assert_rc(torc_stream_create(bus, "s", NULL), TORC_EEXISTS);
        torc_bus_close(&bus);
}

static void close_when_null_does_nothing(void **state)
{
        (void)state;
        struct torc_bus *bus = NULL;
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_snapshot *snapshot = NULL;
        struct torc_inspector *inspector = NULL;
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
        torc_snapshot_free(&snapshot);
        torc_inspector_close(&inspector);
}

/* ---- names ----------------------------------------------------------------------------------------------- */

static void name_when_odd_round_trips(void **state)
{
        struct test *t = *state;
        char longest[TORC_NAME_MAX + 1], umlauts[TORC_NAME_MAX + 1];
        memset(longest, 'x', TORC_NAME_MAX);
        longest[TORC_NAME_MAX] = '\0';
        for (int i = 0; i < TORC_NAME_MAX; i += 2)
                memcpy(umlauts + i, "\xc3\xbc", 2);
        umlauts[TORC_NAME_MAX] = '\0';
        const char *names[] = {"a", ".", "..", "...", ".hidden", "@", "@ctl", "ctl", "0.1", "bus", "supervisor", "-rf",
                               "a b", " ", "a\nb", "a\tb", "\x01", "\x7f", "%s%n%1$s", "*", "?[a-z]", "\\", "\"'`$(x)",
                               "a.b.c", "\xc3\xbcml\xc3\xa4ut", "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x9a\x80",
                               longest, umlauts};
        size_t n = sizeof names / sizeof names[0];
        struct torc_bus *bus = test_bus(t, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        for (size_t i = 0; i < n; i++) {
                struct torc_producer *p = test_producer(bus, names[i], TORC_SHARED, &config);
                struct torc_consumer *c = test_consumer(bus, names[i], TORC_START_LIVE, NULL);
                assert_ok(test_send(p, i, 0));
                test_expect(c, i);
                torc_producer_close(&p);
                torc_consumer_close(&c);
        }
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_streams, n);
        for (size_t i = 0; i < n; i++)
                assert_non_null(test_find_stream(snapshot, names[i]));
        torc_snapshot_free(&snapshot);
        for (size_t i = 0; i < n; i++)
                assert_ok(torc_stream_remove(bus, names[i]));
        torc_bus_close(&bus);
}

static void name_when_bad_is_ename(void **state)
{
        struct test *t = *state;
        char too_long[TORC_NAME_MAX + 2];
        memset(too_long, 'x', TORC_NAME_MAX + 1);
        too_long[TORC_NAME_MAX + 1] = '\0';
        const char *names[] = {"", "/", "a/b", "../x", "\xff", "\xc0\xaf", "\xc3", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                               "\xe2\x82", "a\x80", too_long};
        struct torc_bus *bus = test_bus(t, "me");
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                struct torc_producer *p = NULL;
                struct torc_consumer *c = NULL;
                struct torc_access_info info;
                assert_rc(torc_name_check(names[i]), TORC_ENAME);
                assert_rc(torc_producer_open(&p, bus, names[i], NULL), TORC_ENAME);
                assert_rc(torc_consumer_open(&c, bus, names[i], NULL), TORC_ENAME);
                assert_rc(torc_stream_create(bus, names[i], NULL), TORC_ENAME);
                assert_rc(torc_stream_access(bus, names[i], &info), TORC_ENAME);
                assert_null(p);
                assert_null(c);
        }
        torc_bus_close(&bus);
}

static void label_when_bad_is_a_named_error(void **state)
{
        struct test *t = *state;
        char too_long[TORC_LABEL_MAX + 2], tags[TORC_TAGS_MAX + 2];
        memset(too_long, 'x', TORC_LABEL_MAX + 1);
        too_long[TORC_LABEL_MAX + 1] = '\0';
        memset(tags, 'x', TORC_TAGS_MAX + 1);
        tags[TORC_TAGS_MAX + 1] = '\0';
        struct torc_bus *bus = NULL;
        const char *names[] = {"", "a/b", "..", "\xff", too_long};
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                struct torc_bus_config named = {.root = t->root, .name = names[i]};
                assert_rc(torc_bus_open(&bus, &named), TORC_ENAME);
        }
        struct torc_bus_config peer = {.root = t->root, .name = "bus", .peer_name = too_long};
        assert_rc(torc_bus_open(&bus, &peer), TORC_ENAME);
        const char *bad_tags[] = {",", "a,,b", "a,", ",a", "a\n", tags};
        for (size_t i = 0; i < sizeof bad_tags / sizeof bad_tags[0]; i++) {
                struct torc_bus_config tagged = {.root = t->root, .name = "bus", .tags = bad_tags[i]};
                assert_rc(torc_bus_open(&bus, &tagged), TORC_ETAGS);
        }
        assert_null(bus);
        bus = test_bus(t, "me");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        assert_rc(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.name = too_long}), TORC_ENAME);
        assert_rc(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.name = too_long}), TORC_ENAME);
        torc_bus_close(&bus);
}

/* ---- configuration --------------------------------------------------------------------------------------- */

static void create_when_config_is_out_of_range_says_so(void **state)
{
        struct test *t = *state;
        static const struct {
                struct torc_stream_config config;
                int rc;
        } cases[] = {
                {{.capacity_bytes = TORC_CAPACITY_MIN - 1}, TORC_ECAPACITY},
                {{.capacity_bytes = 1}, TORC_ECAPACITY},
                {{.capacity_bytes = TORC_CAPACITY_MAX + 1}, TORC_ECAPACITY},
                {{.capacity_bytes = UINT64_MAX}, TORC_ECAPACITY},
                {{.capacity_max_bytes = UINT64_MAX}, TORC_ECAPACITY},
                {{.capacity_max_bytes = TORC_CAPACITY_MAX + 1}, TORC_ECAPACITY},
                {{.capacity_bytes = 8192, .capacity_max_bytes = 4096}, TORC_ECAPACITY},
                {{.capacity_bytes = 8192, .max_message_bytes = 1025}, TORC_ECAPACITY},
                {{.max_consumers = TORC_MAX_CONSUMERS + 1}, -EINVAL},
                {{.lag = (enum torc_lag)3}, -EINVAL},
                {{.lag = (enum torc_lag)-1}, -EINVAL},
                {{.online_tags = "a,,b"}, TORC_ETAGS},
        };
        struct torc_bus *bus = test_bus(t, "me");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                struct torc_stream_config config = cases[i].config;
                struct torc_producer *p = NULL;
                struct torc_consumer *c = NULL;
                config.uid = config.gid = -1;
                assert_rc(torc_stream_create(bus, "s", &config), cases[i].rc);
                assert_rc(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.stream = &config}),
                          cases[i].rc);
                assert_rc(torc_consumer_open(&c, bus, "s", &(struct torc_consumer_config){.stream = &config}),
                          cases[i].rc);
        }
        struct torc_producer *p = NULL;
        assert_rc(torc_producer_open(&p, bus, "s", &(struct torc_producer_config){.access = (enum torc_access)4}),
                  -EINVAL);
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(snapshot->n_streams, 0);
        torc_snapshot_free(&snapshot);
        torc_bus_close(&bus);
}

static void create_when_nothing_is_said_takes_the_documented_defaults(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me");
        assert_ok(torc_stream_create(bus, "s", NULL));
        struct torc_stream_config odd = test_stream(5000, TORC_LAG_BLOCK, 0);
        assert_ok(torc_stream_create(bus, "odd", &odd));
        struct torc_snapshot *snapshot = test_snapshot(t);
        const struct torc_stream_info *s = test_find_stream(snapshot, "s");
        assert_non_null(s);
        assert_int_equal(s->capacity_bytes, 1 << 20);
        assert_int_equal(s->capacity_max_bytes, 1 << 20);
        assert_int_equal(s->max_message_bytes, (1 << 20) / 8);
        assert_int_equal(s->lag, TORC_LAG_DISCONNECT);
        assert_int_equal(s->online_min, 1);
        assert_int_equal(s->max_consumers, TORC_MAX_CONSUMERS);
        assert_int_equal(s->mode, 0600);
        assert_int_equal(s->uid, geteuid());
        assert_int_equal(s->epoch, 1);
        s = test_find_stream(snapshot, "odd");
        assert_int_equal(s->capacity_bytes, 8192);
        torc_snapshot_free(&snapshot);
        torc_bus_close(&bus);
}

/* ---- damage, versions, permission ------------------------------------------------------------------------ */

static void poke(struct test *t, const char *file, off_t offset, uint32_t value)
{
        char path[256];
        snprintf(path, sizeof path, "%s/bus/%s", t->root, file);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, &value, sizeof value, offset), sizeof value);
        close(fd);
}

static void expect_opens(struct torc_bus *bus, int rc)
{
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        assert_rc(torc_producer_open(&p, bus, "s", NULL), rc);
        assert_rc(torc_consumer_open(&c, bus, "s", NULL), rc);
        assert_null(p);
        assert_null(c);
}

static void open_when_layout_version_differs_is_eversion(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me"), *other = NULL;
        struct torc_inspector *inspector = NULL;
        const off_t at = offsetof(struct abi_head, version);
        assert_ok(torc_stream_create(bus, "s", NULL));
        poke(t, "@s/ctl", at, ABI_VERSION + 1);
        expect_opens(bus, TORC_EVERSION);
        struct torc_snapshot *snapshot = test_snapshot(t);
        assert_int_equal(test_find_stream(snapshot, "s")->error, TORC_EVERSION);
        torc_snapshot_free(&snapshot);
        poke(t, "@s/ctl", at, ABI_VERSION);
        poke(t, "@s/0.1", at, ABI_VERSION + 1);
        expect_opens(bus, TORC_EVERSION);
        poke(t, "@s/0.1", at, ABI_VERSION);
        torc_bus_close(&bus);
        poke(t, "bus", at, 0);
        assert_rc(test_bus_open(t, &other, "me", NULL), TORC_EVERSION);
        assert_rc(torc_inspector_open(&inspector, t->root, "bus"), TORC_EVERSION);
        assert_non_null(strstr(torc_strerror(TORC_EVERSION), "version"));
}

static void open_when_header_is_damaged_is_ecorrupt(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me"), *other = NULL;
        assert_ok(torc_stream_create(bus, "s", NULL));
        poke(t, "@s/ctl", 0, 0);
        expect_opens(bus, TORC_ECORRUPT);
        assert_ok(torc_stream_remove(bus, "s")); /* beyond use, not beyond removal */
        assert_ok(torc_stream_create(bus, "s", NULL));
        poke(t, "@s/ctl", offsetof(struct abi_ctl, config.max_message), 77);
        expect_opens(bus, TORC_ECORRUPT);
        assert_ok(torc_stream_remove(bus, "s"));
        assert_ok(torc_stream_create(bus, "s", NULL));
        poke(t, "@s/0.1", offsetof(struct abi_seg, capacity), 4096);
        expect_opens(bus, TORC_ECORRUPT);
        torc_bus_close(&bus);
        poke(t, "bus", 0, 0);
        assert_rc(test_bus_open(t, &other, "me", NULL), TORC_ECORRUPT);
}

static void open_when_file_is_cut_is_ecorrupt(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus = test_bus(t, "me"), *other = NULL;
        static const char *const files[] = {"@s/ctl", "@s/0.1"};
        static const off_t sizes[] = {0, 7, 64, 4096, 20480};
        char path[256];
        for (size_t i = 0; i < 2; i++)
                for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
                        assert_ok(torc_stream_create(bus, "s", NULL));
                        snprintf(path, sizeof path, "%s/bus/%s", t->root, files[i]);
                        assert_int_equal(truncate(path, sizes[k]), 0);
                        expect_opens(bus, TORC_ECORRUPT);
                        assert_ok(torc_stream_remove(bus, "s"));
                }
        torc_bus_close(&bus);
        snprintf(path, sizeof path, "%s/bus/bus", t->root);
        assert_int_equal(truncate(path, 4096), 0);
        assert_rc(test_bus_open(t, &other, "me", NULL), TORC_ECORRUPT);
}

static void become_nobody(void)
{
        CHECK(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

/* As another user: what the files' modes allow and nothing else. */
static void stranger(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = NULL;
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        become_nobody();
        struct torc_bus_config closed = {.root = t->root, .name = "closed"};
        CHECK_RC(torc_bus_open(&bus, &closed), -EACCES);
        CHECK_RC(test_bus_open(t, &bus, "stranger", NULL), 0);
        CHECK_RC(torc_producer_open(&p, bus, "read", NULL), -EACCES);
        CHECK_RC(torc_consumer_open(&c, bus, "read", NULL), 0);
        link_say(link, 0);
        uint64_t got;
        size_t len;
        CHECK_RC(torc_consumer_recv(c, &got, sizeof got, &len, TEST_WAIT_MS, NULL), 0);
        CHECK(got == 42);
        torc_consumer_close(&c);
        CHECK_RC(torc_consumer_open(&c, bus, "none", NULL), -EACCES);
        CHECK_RC(torc_producer_open(&p, bus, "none", NULL), -EACCES);
        CHECK_RC(torc_producer_open(&p, bus, "all", NULL), 0);
        CHECK_RC(test_send(p, 43, TEST_WAIT_MS), 0);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

static void open_when_mode_forbids_is_eacces(void **state)
{
        struct test *t = *state;
        if (geteuid() != 0) {
                print_message("skipped: becoming another user needs root\n");
                skip();
        }
        struct torc_bus *closed = NULL, *bus = NULL;
        struct torc_bus_config config = {.root = t->root, .name = "closed"};
        assert_ok(torc_bus_open(&closed, &config));
        config = (struct torc_bus_config){.root = t->root, .name = "bus", .mode = 0666};
        assert_ok(torc_bus_open(&bus, &config));
        struct torc_stream_config stream = test_stream(4096, TORC_LAG_BLOCK, 1);
        stream.mode = 0644;
        struct torc_producer *p = test_producer(bus, "read", TORC_SHARED, &stream);
        stream.mode = 0600;
        assert_ok(torc_stream_create(bus, "none", &stream));
        stream.mode = 0666;
        struct torc_consumer *c = test_consumer(bus, "all", TORC_START_LIVE, &stream);
        struct child child = child_start(t, stranger, NULL);
        child_hear(&child);
        assert_ok(test_send(p, 42, TEST_WAIT_MS));
        test_expect(c, 43);
        child_join(&child);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
        torc_bus_close(&closed);
}

static void strange_reader(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = NULL;
        struct torc_consumer *c = NULL;
        become_nobody();
        CHECK_RC(test_bus_open(t, &bus, "stranger", NULL), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "read", NULL), 0);
        struct pollfd wake = {.fd = torc_consumer_fd(c), .events = POLLIN};
        CHECK(wake.fd >= 0);
        link_say(link, 0);
        for (int64_t n = 0; n < 2;) {
                uint64_t got;
                size_t len;
                int rc = torc_consumer_try_recv(c, &got, sizeof got, &len, NULL);
                CHECK(rc == 0 || rc == -EAGAIN);
                if (rc == 0)
                        link_say(link, n = (int64_t)got);
                else
                        CHECK(poll(&wake, 1, TEST_WAIT_MS) == 1);
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void claimer(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus = child_bus(t, "claimer");
        struct torc_producer *p = NULL;
        void *data;
        CHECK_RC(torc_producer_open(&p, bus, "read", NULL), 0);
        CHECK_RC(torc_producer_claim(p, 8, NULL, 0, &data), 0);
        link_say(link, 0);
        link_hear(link);
}

/* Who may only read can't settle what a dead producer left; who may write does it for him. */
static void hole_when_reader_may_not_write_is_left_to_others(void **state)
{
        struct test *t = *state;
        if (geteuid() != 0) {
                print_message("skipped: becoming another user needs root\n");
                skip();
        }
        struct torc_bus *bus = NULL;
        struct torc_bus_config config = {.root = t->root, .name = "bus", .mode = 0666};
        assert_ok(torc_bus_open(&bus, &config));
        struct torc_stream_config stream = test_stream(4096, TORC_LAG_BLOCK, 0);
        stream.mode = 0644;
        struct torc_producer *p = test_producer(bus, "read", TORC_SHARED, &stream);
        struct child reader = child_start(t, strange_reader, NULL);
        child_hear(&reader);
        assert_ok(test_send(p, 1, 0));
        struct child dying = child_start(t, claimer, NULL);
        child_hear(&dying);
        assert_ok(test_send(p, 2, 0));
        assert_int_equal(child_hear(&reader), 1);
        child_kill(&dying);
        struct torc_reaped reaped;
        assert_ok(torc_bus_reap(bus, &reaped));
        assert_int_equal(reaped.holes, 1);
        assert_int_equal(child_hear(&reader), 2);
        child_join(&reader);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* What another user left half-way in our way is no place to build in. */
static void bus_open_when_root_is_a_file_fails(void **state)
{
        struct test *t = *state;
        char path[128];
        struct torc_bus *bus = NULL;
        snprintf(path, sizeof path, "%s/file", t->root);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        assert_rc(torc_bus_open(&bus, &(struct torc_bus_config){.root = path, .name = "bus"}), -ENOTDIR);
        assert_null(bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(open_when_two_race_has_one_creator),
                TEST(open_when_create_only_and_stream_exists_is_usable),
                TEST(open_when_no_create_and_missing_is_enoent),
                TEST(stream_create_when_it_exists_is_eexists),
                TEST(close_when_null_does_nothing),
                TEST(name_when_odd_round_trips),
                TEST(name_when_bad_is_ename),
                TEST(label_when_bad_is_a_named_error),
                TEST(create_when_config_is_out_of_range_says_so),
                TEST(create_when_nothing_is_said_takes_the_documented_defaults),
                TEST(open_when_layout_version_differs_is_eversion),
                TEST(open_when_header_is_damaged_is_ecorrupt),
                TEST(open_when_file_is_cut_is_ecorrupt),
                TEST(open_when_mode_forbids_is_eacces),
                TEST(hole_when_reader_may_not_write_is_left_to_others),
                TEST(bus_open_when_root_is_a_file_fails),
        };
        return TEST_MAIN(tests);
}
