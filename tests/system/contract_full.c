/*
 * contract_full.c - a full tmpfs: making anything fails with -ENOSPC and leaves nothing, what runs is not touched.
 *
 * Runs on a small tmpfs in a mount namespace of its own, in a helper; skipped where that is not allowed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

#include <sched.h>
#include <sys/mount.h>

#define SMALL "size=4m"

static void write_file(const char *path, const char *text)
{
        FILE *f = fopen(path, "w");
        if (!f)
                return; /* what it would have allowed will fail */
        fputs(text, f);
        fclose(f);
}

static void map_to_root(const char *path, unsigned id)
{
        char text[32];
        snprintf(text, sizeof text, "0 %u 1\n", id);
        write_file(path, text);
}

/* A mount namespace of one's own; who is not root gets it with a user namespace, in which he is. */
static int own_mounts(void)
{
        unsigned uid = geteuid(), gid = getegid();
        if (unshare(CLONE_NEWNS | (uid ? CLONE_NEWUSER : 0)))
                return -1;
        if (uid) {
                write_file("/proc/self/setgroups", "deny");
                map_to_root("/proc/self/uid_map", uid);
                map_to_root("/proc/self/gid_map", gid);
        }
        return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* Enter a namespace with a small tmpfs over the test's root. Says 0, or -errno and ends. */
static void enter_small(struct child *link, struct test *t)
{
        int rc = own_mounts() || mount("small", t->root, "tmpfs", MS_NOSUID | MS_NODEV, SMALL) ? -errno : 0;
        link_say(link, rc);
        if (rc)
                _exit(0);
}

static void run_small(struct test *t, child_fn *fn)
{
        struct child c = child_start(t, fn, NULL);
        int rc = (int)child_hear(&c);
        if (rc) {
                child_join(&c);
                print_message("skipped: a private tmpfs is not allowed here: %s\n", strerror(-rc));
                skip();
        }
        child_join(&c);
}

/* Take all but `left` bytes. Returns the descriptor that holds them. */
static int fill_up(struct test *t, off_t left)
{
        char path[128];
        snprintf(path, sizeof path, "%s/ballast", t->root);
        int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        off_t size = 0;
        for (off_t step = 1 << 20; step >= 4096;)
                if (posix_fallocate(fd, size, step) == 0)
                        size += step;
                else
                        step /= 2;
        CHECK(size >= left);
        CHECK(ftruncate(fd, size - left) == 0);
        return fd;
}

static unsigned count_entries(struct test *t, const char *below)
{
        char path[128];
        unsigned n = 0;
        snprintf(path, sizeof path, "%s/bus%s", t->root, below);
        DIR *dir = opendir(path);
        CHECK(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static void send_and_expect(struct torc_producer *p, struct torc_consumer *c, uint64_t from, uint64_t to)
{
        for (; from < to; from++) {
                uint64_t got = 0;
                size_t len;
                CHECK_RC(test_send(p, from, 0), 0);
                CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), 0);
                CHECK(got == from);
        }
}

static void create_in_full(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        enter_small(link, t);
        struct torc_bus *bus = child_bus(t, "me"), *second = NULL;
        struct torc_producer *p = NULL, *q = NULL;
        struct torc_consumer *c = NULL, *d = NULL;
        struct torc_stream_config config = test_stream(65536, TORC_LAG_BLOCK, 1);
        CHECK_RC(torc_producer_open(&p, bus, "runs", &(struct torc_producer_config){.stream = &config}), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "runs", NULL), 0);
        send_and_expect(p, c, 0, 10);
        unsigned before = count_entries(t, "");
        /* Whatever is missing: everything, the segment, a part of it. */
        static const off_t lefts[] = {0, 4096, 65536, 270336, 300000};
        for (size_t i = 0; i < sizeof lefts / sizeof lefts[0]; i++) {
                int fd = fill_up(t, lefts[i]);
                CHECK_RC(torc_stream_create(bus, "new", &config), -ENOSPC);
                CHECK_RC(torc_producer_open(&q, bus, "new", &(struct torc_producer_config){.stream = &config}), -ENOSPC);
                CHECK_RC(torc_consumer_open(&d, bus, "new", &(struct torc_consumer_config){.stream = &config}), -ENOSPC);
                struct torc_bus_config other = {.root = t->root, .name = "other"};
                CHECK_RC(torc_bus_open(&second, &other), -ENOSPC);
                CHECK(count_entries(t, "") == before); /* nothing half-made */
                /* What runs goes on: whole laps of the ring, new handles on it too. */
                send_and_expect(p, c, 10, 10000);
                CHECK_RC(torc_producer_open(&q, bus, "runs", NULL), 0);
                CHECK_RC(torc_consumer_open(&d, bus, "runs", NULL), 0);
                torc_producer_close(&q);
                torc_consumer_close(&d);
                close(fd);
        }
        CHECK(ftruncate(fill_up(t, 0), 0) == 0);
        CHECK_RC(torc_stream_create(bus, "new", &config), 0);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void create_when_tmpfs_is_full_is_enospc(void **state)
{
        run_small(*state, create_in_full);
}

static void grow_in_full(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        enter_small(link, t);
        struct torc_bus *bus = child_bus(t, "me");
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        config.capacity_max_bytes = 65536;
        CHECK_RC(torc_producer_open(&p, bus, "runs", &(struct torc_producer_config){.stream = &config}), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "runs", NULL), 0);
        int fd = fill_up(t, 0);
        uint64_t sent = 0, got = 0;
        size_t len;
        int rc;
        while ((rc = test_send(p, sent, 0)) == 0)
                sent++;
        CHECK_RC(rc, -ENOSPC);
        CHECK(sent == 128);
        CHECK_RC(test_send(p, sent, -1), -ENOSPC); /* says so rather than hang */
        CHECK(count_entries(t, "/@runs") == 4);    /* . .. ctl 0.1 */
        for (uint64_t n = 0; n < sent; n++) {
                CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), 0);
                CHECK(got == n);
        }
        CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), -EAGAIN);
        send_and_expect(p, c, sent, 10 * sent); /* unharmed */
        CHECK(ftruncate(fd, 0) == 0);
        for (uint64_t n = 0; n < 1000; n++)
                CHECK_RC(test_send(p, n, 0), 0); /* and grows when it can */
        CHECK(count_entries(t, "/@runs") > 4);
        for (uint64_t n = 0; n < 1000; n++) {
                CHECK_RC(torc_consumer_try_recv(c, &got, sizeof got, &len, NULL), 0);
                CHECK(got == n);
        }
        close(fd);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void growth_when_tmpfs_is_full_is_enospc_without_harm(void **state)
{
        run_small(*state, grow_in_full);
}

/* A hand-over needs a new segment. If there is no space for it, nobody is fenced and nothing has changed. */
static void fence_in_full(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        enter_small(link, t);
        struct torc_bus *bus = child_bus(t, "me");
        struct torc_producer *p = NULL, *q = NULL, *w = NULL;
        struct torc_consumer *c = NULL;
        struct torc_stream_config config = test_stream(65536, TORC_LAG_BLOCK, 1);
        struct torc_producer_config owner = {.access = TORC_EXCLUSIVE, .stream = &config, .name = "first"},
                                    fencer = {.access = TORC_EXCLUSIVE_WITH_FENCING, .name = "second"},
                                    waiter = {.access = TORC_WAIT_FOR_EXCLUSIVE, .name = "third"};
        struct torc_access_info info;
        struct torc_producer_status status;
        CHECK_RC(torc_producer_open(&p, bus, "runs", &owner), 0);
        CHECK_RC(torc_consumer_open(&c, bus, "runs", NULL), 0);
        send_and_expect(p, c, 0, 10);
        int fd = fill_up(t, 0);
        CHECK_RC(torc_producer_open(&q, bus, "runs", &fencer), -ENOSPC);
        uint32_t epoch = 77;
        CHECK_RC(torc_stream_fence(bus, "runs", &epoch), -ENOSPC);
        CHECK(epoch == 77);
        CHECK_RC(torc_stream_access(bus, "runs", &info), 0);
        CHECK(info.epoch == 1 && info.producers == 1 && info.access == TORC_EXCLUSIVE);
        CHECK_RC(torc_producer_status(p, &status), 0);
        CHECK(status.state == TORC_PRODUCER_OWNER);
        send_and_expect(p, c, 10, 5000);
        /* A waiter whose turn comes while there is no space is told so, keeps its place, and gets it afterwards. */
        CHECK_RC(torc_producer_open(&w, bus, "runs", &waiter), 0);
        torc_producer_close(&p);
        CHECK_RC(torc_producer_await(w, -1), -ENOSPC);
        CHECK_RC(torc_producer_status(w, &status), 0);
        CHECK(status.state == TORC_PRODUCER_WAITING);
        CHECK(ftruncate(fd, 0) == 0);
        CHECK_RC(torc_producer_await(w, -1), 0);
        CHECK_RC(torc_producer_status(w, &status), 0);
        CHECK(status.state == TORC_PRODUCER_OWNER && status.epoch == 2);
        send_and_expect(w, c, 0, 10);
        close(fd);
        torc_producer_close(&w);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

static void fence_when_tmpfs_is_full_changes_nothing(void **state)
{
        run_small(*state, fence_in_full);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(create_when_tmpfs_is_full_is_enospc),
                TEST(growth_when_tmpfs_is_full_is_enospc_without_harm),
                TEST(fence_when_tmpfs_is_full_changes_nothing),
        };
        return TEST_MAIN(tests);
}
