/*
 * crash_roles.h - the processes of the crash test: those that are killed, and those that must not notice.
 *
 * Each role loops until it is killed or told to stop. Outcomes of the bus that a role has to live with (busy, fenced,
 * ended, removed) are named where they may come up; any other ends the process with status 99.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CRASH_ROLES_H
#define TORC_CRASH_ROLES_H

#include "crash_history.h"

#define ROLE_BATCH 8
#define ROLE_MESSAGE_MAX 256
#define ROLE_PATIENCE_MS 4000 /* for those that must not stall: more than they are allowed, so that it is measured */

struct role {
        struct history *h;
        struct test *t;
        struct history_log *log; /* readers; NULL: enough logs */
        enum history_stream stream;
        uint64_t seed;
        uint64_t capacity, capacity_max;
        bool survivor;
};

/* Those that are killed go on until they are. */
static inline int role_stop(const struct role *r)
{
        return r->survivor ? atomic_load_explicit(&r->h->stop, memory_order_relaxed) : 0;
}

static inline uint64_t role_random(struct role *r, uint64_t below)
{
        return test_random(&r->seed) % below;
}

static inline void role_nap(struct role *r, uint64_t max_us)
{
        nanosleep(&(struct timespec){.tv_nsec = (long)(role_random(r, max_us + 1) * 1000)}, NULL);
}

static inline struct torc_bus *role_bus(struct role *r, const char *peer)
{
        return child_bus(r->t, peer);
}

static inline struct torc_stream_config role_config(const struct role *r)
{
        struct torc_stream_config config =
                test_stream(r->capacity, r->stream == LOSSY ? TORC_LAG_DISCONNECT : TORC_LAG_BLOCK, 0);
        config.capacity_max_bytes = r->stream == LOSSY ? r->capacity : r->capacity_max;
        config.max_message_bytes = ROLE_MESSAGE_MAX;
        return config;
}

/* Returns 0, TORC_EBUSY, or TORC_EFENCED: by somebody who came right after us. */
static inline int role_producer(struct role *r, struct torc_bus *bus, enum torc_access access, struct torc_producer **p)
{
        char name[32]; /* never used before: an owner that comes back under its name keeps its epoch */
        struct torc_stream_config stream = role_config(r);
        struct torc_producer_config config = {.name = name, .access = access, .stream = &stream};
        snprintf(name, sizeof name, "%" PRIx64, test_random(&r->seed));
        int rc = torc_producer_open(p, bus, history_stream_name[r->stream], &config);
        if (rc != TORC_EBUSY && rc != TORC_EFENCED)
                CHECK_RC(rc, 0);
        return rc;
}

/* ---- sending --------------------------------------------------------------------------------------------- */

struct sending {
        struct torc_producer *p;
        struct history_sender *to; /* the history of this handle */
        uint64_t id, seq;
};

static inline struct sending sending_begin(struct role *r, struct torc_producer *p)
{
        uint64_t id = history_new_sender(r->h, r->stream);
        return (struct sending){.p = p, .to = &r->h->sender[id], .id = id};
}

static inline void sending_done(struct sending *s, uint64_t n)
{
        s->seq += n;
        atomic_store(&s->to->committed, s->seq);
}

static inline int send_place(struct role *r, struct sending *s, int timeout_ms)
{
        void *place;
        size_t len = message_size(test_random(&r->seed), ROLE_MESSAGE_MAX);
        bool give_up = role_random(r, 8) == 0;
        int rc = torc_producer_claim(s->p, len, NULL, timeout_ms, &place);
        if (rc)
                return rc;
        if (give_up) {
                memset(place, 0xee, len);
                return torc_producer_abort(s->p);
        }
        message_fill(place, len, s->id, s->seq);
        if (!r->survivor && role_random(r, 16) == 0)
                role_nap(r, 2000); /* a good place to die */
        atomic_store(&s->to->attempted, s->seq + 1);
        rc = torc_producer_commit(s->p, NULL);
        if (rc == 0)
                sending_done(s, 1);
        return rc;
}

static inline int send_many(struct role *r, struct sending *s, int timeout_ms)
{
        unsigned char bytes[ROLE_BATCH][ROLE_MESSAGE_MAX];
        struct torc_span spans[ROLE_BATCH];
        size_t n = 1 + role_random(r, ROLE_BATCH), accepted;
        for (size_t i = 0; i < n; i++) {
                spans[i] = (struct torc_span){bytes[i], message_size(test_random(&r->seed), ROLE_MESSAGE_MAX)};
                message_fill(bytes[i], spans[i].len, s->id, s->seq + i);
        }
        atomic_store(&s->to->attempted, s->seq + n);
        int rc = torc_producer_send_batch(s->p, spans, n, timeout_ms, &accepted);
        sending_done(s, accepted);
        return rc;
}

/* One step of sending, in one way or another. */
static inline int send_some(struct role *r, struct sending *s, int timeout_ms)
{
        unsigned char bytes[ROLE_MESSAGE_MAX];
        size_t len = message_size(test_random(&r->seed), sizeof bytes);
        uint64_t way = role_random(r, 4);
        if (way == 0)
                return send_place(r, s, timeout_ms);
        if (way == 1)
                return send_many(r, s, timeout_ms);
        message_fill(bytes, len, s->id, s->seq);
        atomic_store(&s->to->attempted, s->seq + 1);
        int rc = torc_producer_send(s->p, bytes, len, way == 2 ? timeout_ms : 0, NULL);
        if (rc == 0)
                sending_done(s, 1);
        return rc == TORC_EFULL ? 0 : rc;
}

/* A sender on a shared stream, or in turn with others on an exclusive one. */
static inline void send_turn(struct role *r, struct torc_producer *p, uint64_t steps)
{
        struct sending s = sending_begin(r, p);
        for (uint64_t i = 0; i < steps && !role_stop(r); i++) {
                int64_t begin = history_now();
                int rc = send_some(r, &s, r->survivor ? ROLE_PATIENCE_MS : 200);
                if (rc == TORC_EFENCED)
                        return;
                if (rc == -ETIMEDOUT && !r->survivor)
                        continue;
                CHECK_RC(rc, 0);
                if (r->survivor)
                        history_stall(r->h, SENDER, begin);
                if (role_random(r, 64) == 0)
                        role_nap(r, 100);
        }
}

static inline void role_sender(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        struct torc_bus *bus = role_bus(r, "sender");
        while (!role_stop(r)) {
                struct torc_producer *p;
                int64_t begin = history_now();
                int rc;
                while ((rc = role_producer(r, bus, TORC_SHARED, &p)) != 0 && !role_stop(r))
                        role_nap(r, 1000); /* a fencing owner has it for a moment */
                if (rc)
                        break;
                if (r->survivor)
                        history_stall(r->h, SENDER, begin);
                send_turn(r, p, r->survivor ? UINT64_MAX : 1 + role_random(r, 5000));
                torc_producer_close(&p);
        }
        torc_bus_close(&bus);
}

static inline void role_owner(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        struct torc_bus *bus = role_bus(r, "owner");
        while (!role_stop(r)) {
                struct torc_producer *p;
                int rc;
                if (role_producer(r, bus, TORC_WAIT_FOR_EXCLUSIVE, &p))
                        continue;
                while ((rc = torc_producer_await(p, 100)) == -ETIMEDOUT && !role_stop(r))
                        ;
                if (rc == 0)
                        send_turn(r, p, 1 + role_random(r, 200));
                else if (rc != TORC_EFENCED && rc != -ETIMEDOUT)
                        CHECK_RC(rc, 0);
                torc_producer_close(&p);
        }
        torc_bus_close(&bus);
}

/* ---- reading --------------------------------------------------------------------------------------------- */

struct reading {
        struct role *r;
        struct torc_consumer *c;
        uint64_t missed;
        int64_t last_ns;
};

/* Were we told of a loss? Then say so in the log. */
static inline void read_gap(struct reading *d)
{
        uint64_t missed = torc_consumer_missed(d->c);
        if (missed == d->missed)
                return;
        d->missed = missed;
        history_write(d->r->log, &(struct history_record){.sender = HISTORY_GAP, .position = missed});
        if (d->r->log)
                atomic_store(&d->r->log->missed, missed);
}

static inline int read_message(const struct torc_view *view, void *arg)
{
        struct reading *d = arg;
        struct message_head head;
        read_gap(d);
        CHECK(message_whole(view->data, view->len, &head)); /* torn */
        history_write(d->r->log, &(struct history_record){.position = view->id.position, .epoch = view->id.epoch,
                                                          .sender = head.sender, .seq = head.seq});
        return 0;
}

static inline int read_copy(struct reading *d, int timeout_ms)
{
        unsigned char bytes[ROLE_MESSAGE_MAX];
        struct torc_id id;
        struct message_head head;
        size_t len;
        int rc = torc_consumer_recv(d->c, bytes, sizeof bytes, &len, timeout_ms, &id);
        read_gap(d);
        if (rc)
                return rc;
        CHECK(message_whole(bytes, len, &head)); /* torn, and recv may never give that */
        history_write(d->r->log, &(struct history_record){.position = id.position, .epoch = id.epoch,
                                                          .sender = head.sender, .seq = head.seq});
        return 0;
}

static inline int read_fd(struct reading *d, int timeout_ms)
{
        struct pollfd p = {.fd = torc_consumer_fd(d->c), .events = POLLIN};
        CHECK(p.fd >= 0);
        if (poll(&p, 1, timeout_ms) == 0)
                return -ETIMEDOUT;
        for (int i = 0; i < 64; i++) {
                int rc = read_copy(d, 0);
                if (rc == -EAGAIN)
                        return i ? 0 : -ETIMEDOUT; /* it wakes by itself, too */
                if (rc)
                        return rc;
        }
        return 0;
}

static inline int read_some(struct reading *d, bool fd, int timeout_ms)
{
        size_t handled;
        int rc;
        if (fd)
                return read_fd(d, timeout_ms);
        /* In place only where nothing is overwritten under a reader: not in history, not where laggards are cut off. */
        if (!d->r->survivor || d->r->stream == LOSSY || role_random(d->r, 2))
                return read_copy(d, timeout_ms);
        rc = torc_consumer_poll(d->c, read_message, d, 64, &handled);
        read_gap(d);
        return rc == -EAGAIN ? read_copy(d, timeout_ms) : rc;
}

/* Has it read all that was ever claimed? That no message came for a while is no answer: it may stand before a hole that the
 * last kill left, and not have had its turn on the CPU to fill it. */
static inline bool read_to_the_end(struct torc_consumer *c)
{
        struct torc_consumer_stats stats;
        CHECK_RC(torc_consumer_stats(c, &stats), 0);
        return stats.lag_bytes == 0;
}

/* A reader: until it is told to stop; one that must see everything, until it has. */
static inline void read_all(struct role *r, struct torc_consumer *c, uint64_t steps)
{
        struct reading d = {.r = r, .c = c, .last_ns = history_now()};
        bool fd = role_random(r, 3) == 0;
        for (uint64_t i = 0; i < steps; i++) {
                int rc = read_some(&d, fd, 100);
                if (rc == TORC_ELAGGED && r->stream == LOSSY) {
                        CHECK_RC(torc_consumer_reattach(c, ROLE_PATIENCE_MS), 0);
                        read_gap(&d);
                } else if (rc == -ETIMEDOUT) {
                        if (role_stop(r) > 1 && read_to_the_end(c))
                                return;
                } else {
                        CHECK_RC(rc, 0);
                        if (r->survivor && !role_stop(r) && r->stream != LOSSY)
                                history_stall(r->h, r->stream == MAIN ? AUDITOR : OWNER, d.last_ns);
                        d.last_ns = history_now();
                }
                /* To make the ring fill up and grow, or to be disconnected. */
                if (role_random(r, r->stream == LOSSY ? 200 : 2000) == 0)
                        role_nap(r, 3000);
        }
}

static inline void role_reader(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)t;
        alarm(0);
        struct torc_bus *bus = role_bus(r, "reader");
        do {
                struct torc_stream_config stream = role_config(r);
                struct torc_consumer_config config = {.stream = &stream};
                struct torc_consumer *c;
                if (!r->survivor)
                        config.start = (enum torc_start)role_random(r, 2);
                CHECK_RC(torc_consumer_open(&c, bus, history_stream_name[r->stream], &config), 0);
                if (r->survivor)
                        link_say(link, 0);
                else /* a new life: it may begin before the last one ended */
                        history_write(r->log, &(struct history_record){.sender = HISTORY_GAP, .seq = 1});
                read_all(r, c, r->survivor ? UINT64_MAX : 1 + role_random(r, 20000));
                torc_consumer_close(&c);
        } while (!role_stop(r));
        torc_bus_close(&bus);
}

/* How long the machine itself keeps a process waiting that only wants to wake up: no stall of ours. */
static inline void role_clock(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        while (!role_stop(r)) {
                int64_t begin = history_now();
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
                history_stall(r->h, MACHINE, begin);
        }
}

/* ---- coming and going ------------------------------------------------------------------------------------ */

static inline void attach_producer(struct role *r, struct torc_bus *bus)
{
        enum torc_access access = (enum torc_access)(1 + role_random(r, 3)); /* not shared: each epoch has one owner */
        struct torc_producer *p;
        if (r->stream != TURNS) /* those who share may be fenced now and then, but not queued for */
                access = role_random(r, 20) ? TORC_SHARED : TORC_EXCLUSIVE_WITH_FENCING;
        if (role_producer(r, bus, access, &p))
                return;
        int rc = access == TORC_WAIT_FOR_EXCLUSIVE ? torc_producer_await(p, (int)role_random(r, 5)) : 0;
        if (rc == 0)
                send_turn(r, p, role_random(r, 4));
        torc_producer_close(&p);
}

static inline void attach_consumer(struct role *r, struct torc_bus *bus)
{
        struct torc_stream_config stream = role_config(r);
        struct torc_consumer_config config = {.stream = &stream, .start = (enum torc_start)role_random(r, 2)};
        struct history_log *none = r->log;
        struct torc_consumer *c;
        CHECK_RC(torc_consumer_open(&c, bus, history_stream_name[r->stream], &config), 0);
        struct reading d = {.r = r, .c = c};
        r->log = NULL;
        for (uint64_t n = role_random(r, 8); n > 0; n--) {
                int rc = read_copy(&d, 1);
                if (rc && rc != -ETIMEDOUT && !(rc == TORC_ELAGGED && r->stream == LOSSY))
                        CHECK_RC(rc, 0);
        }
        r->log = none;
        torc_consumer_close(&c);
}

/* Opens and closes everything all the time: it mostly dies with a lock in its hand, or half-way in. */
static inline void role_visitor(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        while (!role_stop(r)) {
                struct torc_bus *bus = role_bus(r, "visitor");
                for (uint64_t n = role_random(r, 8); n > 0; n--) {
                        r->stream = (enum history_stream)role_random(r, STREAMS);
                        if (role_random(r, 2))
                                attach_producer(r, bus);
                        else
                                attach_consumer(r, bus);
                }
                torc_bus_close(&bus);
        }
}

/* ---- making and removing --------------------------------------------------------------------------------- */

/* What two who make and remove the same streams may tell each other. */
static inline void maker_rc(int rc)
{
        static const int fine[] = {0,           TORC_EEXISTS, TORC_EREMOVED, TORC_ECLOSED, TORC_EFENCED,
                                   TORC_EBUSY,  -EAGAIN,      -ETIMEDOUT,    TORC_EFULL};
        for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
                if (rc == fine[i])
                        return;
        CHECK_RC(rc, 0);
}

static inline void maker_use(struct role *r, struct torc_bus *bus, const char *name)
{
        struct torc_stream_config stream = test_stream(4096, TORC_LAG_DISCONNECT, 0);
        struct torc_producer_config to = {.stream = &stream};
        struct torc_consumer_config from = {.stream = &stream, .start = TORC_START_EARLIEST};
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        unsigned char bytes[ROLE_MESSAGE_MAX] = {0};
        size_t len;
        int rc = torc_producer_open(&p, bus, name, &to);
        maker_rc(rc);
        maker_rc(torc_consumer_open(&c, bus, name, &from));
        for (uint64_t n = role_random(r, 40); p && n > 0; n--)
                maker_rc(torc_producer_send(p, bytes, 1 + role_random(r, sizeof bytes), 10, NULL));
        if (c) {
                rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, 1, NULL);
                if (rc != TORC_ELAGGED)
                        maker_rc(rc);
        }
        torc_consumer_close(&c);
        torc_producer_close(&p);
}

static inline void role_maker(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        struct torc_bus *bus = role_bus(r, "maker");
        while (!role_stop(r)) {
                char name[16];
                int rc = 0;
                snprintf(name, sizeof name, "made%d", (int)role_random(r, 3));
                switch (role_random(r, 6)) {
                case 0:
                        rc = torc_stream_create(bus, name, NULL);
                        break;
                case 1:
                        rc = torc_stream_end(bus, name);
                        break;
                case 2:
                        rc = torc_stream_fence(bus, name, NULL);
                        break;
                case 3:
                        rc = torc_stream_remove(bus, name);
                        break;
                default:
                        maker_use(r, bus, name);
                }
                if (rc != -ENOENT)
                        maker_rc(rc);
                role_nap(r, 200);
        }
        torc_bus_close(&bus);
}

static inline void role_reaper(struct child *link, struct test *t, void *arg)
{
        struct role *r = arg;
        (void)link, (void)t;
        alarm(0);
        struct torc_bus *bus = role_bus(r, "reaper");
        while (!role_stop(r)) {
                int rc = torc_bus_reap(bus, NULL);
                /* A claim that overlaps a live one's, or a busy lock: it comes again. */
                if (rc != -EAGAIN && rc != -ETIMEDOUT)
                        CHECK_RC(rc, 0);
                role_nap(r, 3000);
        }
        torc_bus_close(&bus);
}

#endif
