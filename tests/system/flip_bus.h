/*
 * flip_bus.h - a bus with something of everything in it, its files kept in memory, and fresh copies of them.
 *
 * One process makes the bus and is then killed in the middle of it all: an open claim, held-up consumers, waiters, a
 * disconnected consumer, an unfinished change. So a copy begins with everything that recovery has to look at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_FLIP_BUS_H
#define TORC_FLIP_BUS_H

#include "abi.h"
#include "stress_message.h"
#include "torc_test.h"

#include <sys/mman.h>

#define FLIP_FILES 48
#define FLIP_MESSAGE_MAX 400

static const char *const flip_streams[] = {"grown", "lagged", "owned", "ended", "plain"};
#define FLIP_STREAMS (sizeof flip_streams / sizeof *flip_streams)

/* ---- making it ------------------------------------------------------------------------------------------- */

static inline struct torc_producer *flip_producer(struct torc_bus *bus, const char *stream, const char *name,
                                                  enum torc_access access, const struct torc_stream_config *config)
{
        struct torc_producer_config want = {.name = name, .access = access, .stream = config};
        struct torc_producer *p = NULL;
        CHECK_RC(torc_producer_open(&p, bus, stream, &want), 0);
        return p;
}

static inline struct torc_consumer *flip_consumer(struct torc_bus *bus, const char *stream, enum torc_start start,
                                                  const struct torc_stream_config *config)
{
        struct torc_consumer_config want = {.start = start, .stream = config};
        struct torc_consumer *c = NULL;
        CHECK_RC(torc_consumer_open(&c, bus, stream, &want), 0);
        return c;
}

static inline void flip_send(struct torc_producer *p, uint64_t sender, int n)
{
        static uint64_t seed, seq;
        struct torc_property property[] = {{"colour", "green"}, {"unit", "metre"}};
        unsigned char bytes[FLIP_MESSAGE_MAX];
        for (int i = 0; i < n; i++) {
                struct torc_meta meta = {.properties = property, .n_properties = (size_t)i % 3, .event_time_ns = i};
                size_t len = message_size(test_random(&seed), sizeof bytes);
                message_fill(bytes, len, sender, seq++);
                CHECK_RC(torc_producer_send_meta(p, bytes, len, &meta, 1000, NULL), 0);
        }
}

/* Grown over several segments because a consumer does not read; two producers, one with an open claim. */
static inline void flip_make_grown(struct torc_bus *bus)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 1);
        void *place;
        config.capacity_max_bytes = 16384;
        flip_consumer(bus, "grown", TORC_START_LIVE, &config);
        struct torc_producer *p = flip_producer(bus, "grown", "one", TORC_SHARED, NULL);
        struct torc_producer *q = flip_producer(bus, "grown", "two", TORC_SHARED, NULL);
        flip_send(p, 1, 60);
        flip_send(q, 2, 20);
        CHECK_RC(torc_producer_claim(q, 100, NULL, 1000, &place), 0);
        flip_send(p, 1, 5);
}

/* Wrapped several times; a disconnected consumer and one with an armed descriptor. */
static inline void flip_make_lagged(struct torc_bus *bus)
{
        struct torc_stream_config config = test_stream(8192, TORC_LAG_DISCONNECT, 0);
        unsigned char bytes[FLIP_MESSAGE_MAX];
        size_t len;
        flip_consumer(bus, "lagged", TORC_START_LIVE, &config);
        struct torc_producer *p = flip_producer(bus, "lagged", "three", TORC_SHARED, NULL);
        flip_send(p, 3, 400);
        struct torc_consumer *c = flip_consumer(bus, "lagged", TORC_START_LIVE, NULL);
        CHECK(torc_consumer_fd(c) >= 0);
        CHECK_RC(torc_consumer_try_recv(c, bytes, sizeof bytes, &len, NULL), -EAGAIN);
        flip_send(p, 3, 20);
}

/* Owned and fenced several times; two waiters; a consumer that holds the first segment. */
static inline void flip_make_owned(struct torc_bus *bus)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_SKIP, 1);
        config.online_tags = "red";
        flip_consumer(bus, "owned", TORC_START_LIVE, &config);
        flip_send(flip_producer(bus, "owned", "four", TORC_EXCLUSIVE, NULL), 4, 10);
        flip_send(flip_producer(bus, "owned", "five", TORC_EXCLUSIVE_WITH_FENCING, NULL), 5, 10);
        flip_send(flip_producer(bus, "owned", "six", TORC_EXCLUSIVE_WITH_FENCING, NULL), 6, 10);
        flip_producer(bus, "owned", "seven", TORC_WAIT_FOR_EXCLUSIVE, NULL);
        flip_producer(bus, "owned", "eight", TORC_WAIT_FOR_EXCLUSIVE, NULL);
}

static inline void flip_make_ended(struct torc_bus *bus)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = flip_producer(bus, "ended", "nine", TORC_SHARED, &config);
        flip_send(p, 9, 12);
        torc_producer_close(&p);
        CHECK_RC(torc_stream_end(bus, "ended"), 0);
}

static inline void flip_make_plain(struct torc_bus *bus)
{
        struct torc_stream_config config = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_producer *p = flip_producer(bus, "plain", "ten", TORC_SHARED, &config);
        flip_send(p, 10, 12);
        flip_consumer(bus, "plain", TORC_START_EARLIEST, NULL);
        flip_send(p, 10, 3);
}

/* What a supervisor publishes. */
static inline void flip_make_supervisor(struct torc_bus *bus)
{
        struct torc_supervisor *s = NULL;
        struct torc_group_info groups[2] = {{.name = "workers", .stream = "plain", .command = "sleep 1", .count = 2},
                                            {.name = "others", .command = "true", .restart = 2, .count = 1}};
        CHECK_RC(torc_supervisor_open(&s, bus, "/etc/torc.ini"), 0);
        CHECK_RC(torc_supervisor_set_groups(s, groups, 2), 0);
        for (uint32_t i = 0; i < 3; i++) {
                struct torc_member_info m = {.group = "workers", .index = i, .state = (enum torc_member_state)(i + 1),
                                             .pid = 1000 + i, .started_ns = 1, .cause = "it ended"};
                CHECK_RC(torc_supervisor_set_member(s, i, &m), 0);
        }
        for (int i = 0; i < 20; i++)
                torc_supervisor_event(s, TORC_EVENT_STARTED, "workers %d started", i);
        torc_supervisor_beat(s);
}

static inline void flip_make(struct child *link, struct test *t, void *arg)
{
        (void)arg;
        struct torc_bus *bus, *other = child_bus(t, "other");
        CHECK_RC(test_bus_open(t, &bus, "maker", "red,blue"), 0);
        flip_make_grown(bus);
        flip_make_lagged(other);
        flip_make_owned(bus);
        flip_make_ended(other);
        flip_make_plain(bus);
        flip_make_supervisor(bus);
        link_say(link, 0);
        link_hear(link); /* killed here */
}

/* ---- its files ------------------------------------------------------------------------------------------- */

struct flip_file {
        char path[128]; /* below the bus's directory */
        mode_t mode;    /* with the type: a directory, a FIFO or a file */
        unsigned char *bytes;
        size_t size;
};

struct flip_bus {
        struct flip_file file[FLIP_FILES];
        size_t n;
};

static struct flip_bus *flip_loading;
static size_t flip_prefix;

static inline int flip_load_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)kind, (void)at;
        if (strlen(path) <= flip_prefix)
                return 0;
        struct flip_file *f = &flip_loading->file[flip_loading->n++];
        *f = (struct flip_file){.mode = st->st_mode};
        if (flip_loading->n == FLIP_FILES ||
            (size_t)snprintf(f->path, sizeof f->path, "%s", path + flip_prefix) >= sizeof f->path)
                return -1;
        if (!S_ISREG(st->st_mode))
                return 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        f->size = (size_t)st->st_size;
        f->bytes = malloc(f->size);
        ssize_t n = fd < 0 || !f->bytes ? -1 : read(fd, f->bytes, f->size);
        close(fd);
        return n == (ssize_t)f->size ? 0 : -1;
}

/* As if the holder of the ctl lock had died before the last step of its last change: arm the record again. */
static inline void flip_arm(struct flip_bus *b, const char *path)
{
        for (size_t i = 0; i < b->n; i++) {
                struct flip_file *f = &b->file[i];
                if (strcmp(f->path, path))
                        continue;
                struct abi_redo *redo = &((struct abi_ctl *)(void *)f->bytes)->redo;
                uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a, as the library has it */
                for (const unsigned char *p = (unsigned char *)&redo->seal; p < (unsigned char *)(redo + 1); p++)
                        h = (h ^ *p) * 0x100000001b3ull;
                atomic_store(&redo->armed, h);
        }
}

static inline int flip_load(struct flip_bus *b, struct test *t)
{
        char path[128];
        struct child maker = child_start(t, flip_make, NULL);
        child_hear(&maker);
        child_kill(&maker);
        flip_prefix = (size_t)snprintf(path, sizeof path, "%s/bus", t->root) + 1;
        flip_loading = b;
        int rc = nftw(path, flip_load_one, 8, FTW_PHYS);
        test_remove_tree(path);
        flip_arm(b, "@owned/ctl");
        return rc;
}

static inline void flip_unload(struct flip_bus *b)
{
        for (size_t i = 0; i < b->n; i++)
                free(b->file[i].bytes);
}

/* Write a fresh copy to `root`/bus. */
static inline int flip_store(const struct flip_bus *b, const char *root)
{
        char path[256];
        snprintf(path, sizeof path, "%s/bus", root);
        test_remove_tree(path);
        if (mkdir(path, 0700))
                return -1;
        for (size_t i = 0; i < b->n; i++) {
                const struct flip_file *f = &b->file[i];
                snprintf(path, sizeof path, "%s/bus/%s", root, f->path);
                if (S_ISDIR(f->mode) || S_ISFIFO(f->mode)) {
                        if (S_ISDIR(f->mode) ? mkdir(path, 0700) : mkfifo(path, 0600))
                                return -1;
                        continue;
                }
                int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
                ssize_t n = fd < 0 ? -1 : write(fd, f->bytes, f->size);
                close(fd);
                if (n != (ssize_t)f->size)
                        return -1;
        }
        return 0;
}

#endif
