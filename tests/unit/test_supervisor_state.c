/*
 * The file `supervisor`: written, read by others, found again after a crash, and damaged on purpose.
 *
 * links: libshm/supervisor_state.c libshm/supervisor_publish.c libshm/file.c libshm/handle.c libshm/wait.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi_supervisor.h"
#include "bus.h"
#include "supervisor_state.h"
#include "torc_admin.h"

/* A bus handle with its directory and nothing else: all that the supervisor file needs of one. */
struct fixture {
        struct torc_bus bus;
        char path[64];
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof *f);
        snprintf(f->path, sizeof f->path, "/dev/shm/torc-test-XXXXXX");
        if (!f || !mkdtemp(f->path))
                return -1;
        handle_init(&f->bus.handle, NULL, NULL);
        f->bus.handle.fd[BUS_FD_DIR] = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd = openat(bus_dirfd(&f->bus), "bus", O_CREAT | O_RDWR | O_CLOEXEC, 0640);
        if (fd < 0)
                return -1;
        close(fd);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;
        unlinkat(bus_dirfd(&f->bus), "supervisor", 0);
        unlinkat(bus_dirfd(&f->bus), "bus", 0);
        close(bus_dirfd(&f->bus));
        int rc = rmdir(f->path);
        free(f);
        return rc;
}

struct picture {
        struct torc_supervisor_info info;
        struct torc_group_info *groups;
        struct torc_member_info *members;
        struct torc_event_info *events;
        size_t n_groups, n_members, n_events;
};

static struct picture look(struct fixture *f)
{
        struct picture p;
        assert_int_equal(supstate_read(bus_dirfd(&f->bus), &p.info, &p.groups, &p.n_groups, &p.members,
                                       &p.n_members, &p.events, &p.n_events),
                         0);
        return p;
}

static void forget(struct picture *p)
{
        free(p->groups);
        free(p->members);
        free(p->events);
}

static struct torc_member_info member(uint32_t index, int64_t pid)
{
        struct torc_member_info m = {.index = index,
                                     .state = TORC_MEMBER_RUNNING,
                                     .wanted = true,
                                     .pid = pid,
                                     .start_ticks = 1000 + index,
                                     .started_ns = 5,
                                     .restarts = 3,
                                     .recent = 2,
                                     .backoff_ms = 400,
                                     .last_status = -1,
                                     .log_dropped = 7};
        snprintf(m.group, sizeof m.group, "feed");
        snprintf(m.cause, sizeof m.cause, "restarted");
        return m;
}

static void supstate_without_file_is_not_known(void **state)
{
        struct picture p = look(*state);
        assert_false(p.info.known);
        assert_int_equal(p.info.error, 0);
        assert_int_equal(p.n_groups + p.n_members + p.n_events, 0);
        assert_null(p.groups);
}

static void supervisor_published_is_what_readers_see(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s;
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "/etc/torc.ini"), 0);
        struct torc_group_info g = {.access = TORC_WAIT_FOR_EXCLUSIVE, .restart = 1, .count = 2, .configured = 3};
        snprintf(g.name, sizeof g.name, "feed");
        snprintf(g.stream, sizeof g.stream, "prices");
        snprintf(g.command, sizeof g.command, "/usr/bin/feed\n--x");
        assert_int_equal(torc_supervisor_set_groups(s, &g, 1), 0);
        struct torc_member_info m = member(1, 4711);
        assert_int_equal(torc_supervisor_set_member(s, 1023, &m), 0);
        assert_int_equal(torc_supervisor_set_member(s, 1024, &m), -EINVAL);
        torc_supervisor_event(s, TORC_EVENT_STARTED, "%s-%d started", "feed", 1);

        struct picture p = look(f);
        assert_true(p.info.known && p.info.alive);
        assert_int_equal(p.info.pid, getpid());
        assert_string_equal(p.info.config, "/etc/torc.ini");
        assert_true(p.info.updated_ns >= p.info.started_ns && p.info.started_ns > 0);
        assert_int_equal(p.n_groups, 1);
        assert_string_equal(p.groups[0].command, "/usr/bin/feed?--x"); /* a control character does not get out */
        assert_int_equal(p.groups[0].access, TORC_WAIT_FOR_EXCLUSIVE);
        assert_int_equal(p.groups[0].configured, 3);
        assert_int_equal(p.n_members, 1);
        assert_memory_equal(&p.members[0].pid, &m.pid, sizeof m.pid);
        assert_int_equal(p.members[0].start_ticks, 1001);
        assert_int_equal(p.members[0].last_status, -1);
        assert_true(p.members[0].wanted);
        assert_int_equal(p.n_events, 1);
        assert_int_equal(p.events[0].sequence, 1);
        assert_string_equal(p.events[0].text, "feed-1 started");
        forget(&p);

        assert_int_equal(torc_supervisor_clear_member(s, 1023), 0);
        torc_supervisor_close(&s);
        assert_null(s);
        p = look(f);
        assert_true(p.info.known);
        assert_false(p.info.alive);
        assert_int_equal(p.n_members, 0);
        forget(&p);
        struct stat st;
        assert_int_equal(fstatat(bus_dirfd(&f->bus), "supervisor", &st, 0), 0);
        assert_int_equal(st.st_mode & 0777, 0640); /* readable as the bus is */
}

static void supervisor_open_while_another_lives_is_busy(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s, *t;
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        assert_int_equal(torc_supervisor_open(&t, &f->bus, "b"), TORC_EBUSY);
        /* A forked child neither keeps the lock nor writes. */
        int gate[2], ready[2];
        char c;
        assert_int_equal(pipe(gate), 0);
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0) {
                close(gate[1]);
                if (write(ready[1], "", 1) != 1)
                        _exit(2);
                struct torc_member_info m = member(0, 1);
                int rc = torc_supervisor_set_member(s, 0, &m);
                _exit(read(gate[0], &c, 1) == 0 && rc == TORC_EFORKED ? 0 : 1);
        }
        close(gate[0]);
        assert_int_equal(read(ready[0], &c, 1), 1); /* fork has let go of the parent's descriptors */
        close(ready[0]);
        close(ready[1]);
        torc_supervisor_close(&s);
        assert_int_equal(torc_supervisor_open(&t, &f->bus, "b"), 0);
        close(gate[1]);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        torc_supervisor_close(&t);
}

static void supervisor_load_after_crash_finds_members_at_their_index(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s;
        struct torc_group_info groups[TORC_MAX_GROUPS];
        struct torc_member_info members[TORC_MAX_MEMBERS], m = member(4, 99);
        size_t n_groups = TORC_MAX_GROUPS, n_members = TORC_MAX_MEMBERS;
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        assert_int_equal(torc_supervisor_set_member(s, 6, &m), 0);
        torc_supervisor_event(s, TORC_EVENT_STARTED, "one");
        torc_supervisor_close(&s); /* without finish: as after a kill */

        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        torc_supervisor_load(s, groups, &n_groups, members, &n_members);
        assert_int_equal(n_members, 7);
        assert_int_equal(members[0].group[0], 0);
        assert_int_equal(members[6].pid, 99);
        torc_supervisor_event(s, TORC_EVENT_STARTED, "two");
        assert_int_equal(torc_supervisor_finish(s), 0);
        torc_supervisor_close(&s);
        struct picture p = look(f);
        assert_int_equal(p.n_members, 1); /* still to be seen */
        assert_int_equal(p.n_events, 2);
        assert_int_equal(p.events[1].sequence, 2);
        forget(&p);

        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        n_members = TORC_MAX_MEMBERS;
        torc_supervisor_load(s, groups, &n_groups, members, &n_members);
        assert_int_equal(n_members, 0); /* but not to be adopted after a stop in good order */
        torc_supervisor_close(&s);
}

static void supervisor_events_wrap_and_keep_the_newest(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s;
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        for (int i = 1; i <= 1300; i++)
                torc_supervisor_event(s, TORC_EVENT_ENDED, "event %d", i);
        struct picture p = look(f);
        assert_int_equal(p.n_events, TORC_MAX_EVENTS);
        assert_int_equal(p.events[0].sequence, 1300 - TORC_MAX_EVENTS + 1);
        assert_string_equal(p.events[TORC_MAX_EVENTS - 1].text, "event 1300");
        forget(&p);
        torc_supervisor_close(&s);
}

static void supervisor_write_cut_off_leaves_the_old_entry(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s;
        struct torc_member_info m = member(0, 1);
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        int fd = openat(bus_dirfd(&f->bus), "supervisor", O_RDWR | O_CLOEXEC);
        for (int64_t pid = 1; pid <= 4; pid++) {
                off_t at[2];
                for (int copy = 0; copy < 2; copy++)
                        at[copy] = (off_t)(offsetof(struct abi_sup_file, member) +
                                           (size_t)copy * sizeof(struct abi_sup_member));
                m.pid = pid;
                assert_int_equal(torc_supervisor_set_member(s, 0, &m), 0);
                /* Tear the newer copy, as a writer would that dies half-way. */
                struct abi_sup_member c[2], torn;
                for (int copy = 0; copy < 2; copy++)
                        assert_int_equal(pread(fd, &c[copy], sizeof c[copy], at[copy]), sizeof c[copy]);
                int newer = c[1].stamp.turn > c[0].stamp.turn;
                torn = c[newer];
                memset((char *)&torn + sizeof torn / 2, 0x55, sizeof torn / 2);
                assert_int_equal(pwrite(fd, &torn, sizeof torn, at[newer]), sizeof torn);
                struct picture p = look(f);
                assert_int_equal(p.n_members, pid == 1 ? 0 : 1);
                if (pid > 1)
                        assert_int_equal(p.members[0].pid, pid - 1);
                forget(&p);
                assert_int_equal(pwrite(fd, &c[newer], sizeof torn, at[newer]), sizeof torn);
        }
        close(fd);
        torc_supervisor_close(&s);
}

/* A small generator: the same flips in every run. */
static uint32_t next(uint32_t *seed)
{
        *seed = *seed * 1664525u + 1013904223u;
        return *seed >> 8;
}

static void supstate_survives_any_damage(void **state)
{
        struct fixture *f = *state;
        struct torc_supervisor *s;
        uint32_t seed = 7;
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), 0);
        for (uint32_t i = 0; i < 20; i++) {
                struct torc_member_info m = member(i, 100 + i);
                assert_int_equal(torc_supervisor_set_member(s, i, &m), 0);
                torc_supervisor_event(s, TORC_EVENT_ENDED, "event");
        }
        torc_supervisor_close(&s);
        int fd = openat(bus_dirfd(&f->bus), "supervisor", O_RDWR | O_CLOEXEC);
        for (int round = 0; round < 400; round++) {
                /* Half of the flips hit the head, where they matter most. */
                off_t at = (off_t)(next(&seed) % (round % 2 ? 96 : sizeof(struct abi_sup_file)));
                unsigned char good, bad;
                assert_int_equal(pread(fd, &good, 1, at), 1);
                bad = (unsigned char)(good ^ (1u << (next(&seed) % 8)));
                assert_int_equal(pwrite(fd, &bad, 1, at), 1);
                struct picture p = look(f);
                assert_true(p.info.error == 0 || p.info.error == TORC_ECORRUPT || p.info.error == TORC_EVERSION);
                assert_true(p.n_members <= 20);
                forget(&p);
                assert_int_equal(pwrite(fd, &good, 1, at), 1);
        }
        assert_int_equal(ftruncate(fd, 3000), 0);
        struct picture p = look(f);
        assert_int_equal(p.info.error, TORC_ECORRUPT);
        forget(&p);
        assert_int_equal(torc_supervisor_open(&s, &f->bus, "a"), TORC_ECORRUPT);
        uint32_t version = 99;
        assert_int_equal(pwrite(fd, &version, sizeof version, offsetof(struct abi_head, version)), sizeof version);
        p = look(f);
        assert_int_equal(p.info.error, TORC_EVERSION);
        forget(&p);
        close(fd);
}

static void supstate_of_another_kind_of_file_is_corrupt(void **state)
{
        struct fixture *f = *state;
        assert_int_equal(mkfifoat(bus_dirfd(&f->bus), "supervisor", 0600), 0);
        struct picture p = look(f);
        assert_int_equal(p.info.error, TORC_ECORRUPT);
        forget(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(supstate_without_file_is_not_known),
                TEST(supervisor_published_is_what_readers_see),
                TEST(supervisor_open_while_another_lives_is_busy),
                TEST(supervisor_load_after_crash_finds_members_at_their_index),
                TEST(supervisor_events_wrap_and_keep_the_newest),
                TEST(supervisor_write_cut_off_leaves_the_old_entry),
                TEST(supstate_survives_any_damage),
                TEST(supstate_of_another_kind_of_file_is_corrupt),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
