/*
 * flip_use.h - use everything of the library on a damaged bus, each call with its bound on results and time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_FLIP_USE_H
#define TORC_FLIP_USE_H

#include "flip_bus.h"

#define USE_WAIT_MS 1
#define USE_SLACK_MS 8000 /* a call that takes so long hangs: well above what a loaded machine adds to its bound, */
#define USE_CPU_MS 1000   /* and so does one that computes for so long */

/* Where the process is, for the one that watches it: shared memory. */
struct use {
        const char *root;
        uint64_t seed;
        bool whole; /* messages must be: the damage is not in a segment */
        const char *_Atomic step;
        _Atomic int bad_code;   /* an outcome that nobody documents */
        _Atomic int64_t bad_ms; /* a call that took so long */
        _Atomic uint32_t calls, corrupt, read, torn;
};

static inline bool use_documented(int rc)
{
        static const int codes[] = {0,       -EAGAIN, -ETIMEDOUT, -EMSGSIZE, -ENOENT, -EBUSY,
                                    -EINVAL, -ENOSPC, -EEXIST,    -EACCES,   -EPERM,  -EINTR};
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if (rc == codes[i])
                        return true;
#define TORC_X(name, code, text)                                                                                 \
        if (rc == name)                                                                                          \
                return true;
        TORC_ERRORS(TORC_X)
#undef TORC_X
        return false;
}

static inline int64_t use_cpu_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline int use_done(struct use *u, const char *step, int64_t begin, int64_t cpu, int rc)
{
        int64_t ms = test_now_ms() - begin;
        atomic_fetch_add(&u->calls, 1);
        if (rc == TORC_ECORRUPT || rc == TORC_EVERSION)
                atomic_fetch_add(&u->corrupt, 1);
        if (!use_documented(rc) || ms > USE_SLACK_MS || use_cpu_ms() - cpu > USE_CPU_MS) {
                atomic_store(&u->step, step);
                atomic_store(&u->bad_code, rc);
                atomic_store(&u->bad_ms, ms);
                _exit(90);
        }
        return rc;
}

/* One call: say where we are, make it, look at what came of it and how long it took. Only one branch of GNU C. */
#define USE(call)                                                                                                \
        __extension__({                                                                                          \
                atomic_store(&u->step, #call);                                                                   \
                int64_t begin_ = test_now_ms(), cpu_ = use_cpu_ms();                                             \
                use_done(u, #call, begin_, cpu_, (call));                                                        \
        })

static inline bool use_coin(struct use *u)
{
        return test_random(&u->seed) & 1;
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

/* Read all of a message: every byte, every property. */
static inline int use_view(const struct torc_view *view, void *arg)
{
        struct use *u = arg;
        struct message_head head;
        volatile uint64_t sum = 0; /* the reads are the point */
        const char *key, *value;
        size_t key_len, value_len;
        for (size_t i = 0; i < view->len; i++)
                sum += ((const unsigned char *)view->data)[i];
        for (size_t i = 0; torc_meta_property(view, i, &key, &key_len, &value, &value_len) == 0; i++)
                for (size_t j = 0; j < key_len + value_len; j++)
                        sum += (unsigned char)key[j];
        sum += (uint64_t)torc_meta_event_time(view);
        atomic_fetch_add(&u->read, 1);
        if (!message_whole(view->data, view->len, &head))
                atomic_fetch_add(&u->torn, 1);
        return 0;
}

static inline void use_read(struct use *u, struct torc_consumer *c)
{
        static unsigned char bytes[1 << 20];
        struct torc_consumer_stats stats;
        struct torc_view view;
        struct torc_id id;
        size_t len, handled;
        if (!c)
                return;
        USE(torc_consumer_stats(c, &stats));
        if (USE(torc_consumer_view(c, &view, 0)) == 0) {
                use_view(&view, u);
                USE(torc_consumer_release(c));
        }
        USE(torc_consumer_try_recv(c, bytes, 1, &len, NULL));
        USE(torc_consumer_recv(c, bytes, sizeof bytes, &len, USE_WAIT_MS, &id));
        for (int i = 0; i < 4; i++)
                if (USE(torc_consumer_poll(c, use_view, u, 100, &handled)) != 0)
                        break;
        if (USE(torc_consumer_recv(c, bytes, sizeof bytes, &len, USE_WAIT_MS, &id)) == TORC_ELAGGED)
                USE(torc_consumer_reattach(c, USE_WAIT_MS));
        if (use_coin(u) && torc_consumer_fd(c) >= 0)
                USE(torc_consumer_poll(c, use_view, u, 100, &handled));
        torc_consumer_missed(c);
}

static inline struct torc_consumer *use_consumer(struct use *u, struct torc_bus *bus, const char *stream)
{
        struct torc_consumer_config config = {.flags = TORC_NO_CREATE, .timeout_ms = USE_WAIT_MS};
        struct torc_consumer *c = NULL;
        config.start = (enum torc_start)(test_random(&u->seed) % 3);
        config.start_id = (struct torc_id){.position = test_random(&u->seed) % 8192 & ~15ull, .epoch = 1};
        if (config.start == TORC_START_ID && USE(torc_consumer_open(&c, bus, stream, &config)) == 0)
                return c;
        if (config.start == TORC_START_ID)
                config.start = TORC_START_EARLIEST;
        return USE(torc_consumer_open(&c, bus, stream, &config)) == 0 ? c : NULL;
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static inline void use_ask(struct use *u, struct torc_producer *p)
{
        struct torc_consumer_info infos[8];
        struct torc_producer_status status;
        struct torc_condition condition = {.kind = (enum torc_condition_kind)(1 + test_random(&u->seed) % 4),
                                           .tags = use_coin(u) ? "red" : NULL};
        size_t count = 0;
        USE(torc_producer_status(p, &status));
        torc_producer_is_online(p);
        USE(torc_producer_wait_for(p, &condition, USE_WAIT_MS));
        if (USE(torc_producer_consumers(p, infos, 8, &count)) == 0 && count)
                USE(torc_producer_wait_disconnect(p, infos[0].ref, USE_WAIT_MS));
}

static inline void use_send(struct use *u, struct torc_producer *p)
{
        unsigned char bytes[FLIP_MESSAGE_MAX];
        struct torc_span spans[20];
        struct torc_id id;
        size_t accepted;
        void *place;
        if (!p)
                return;
        message_fill(bytes, sizeof bytes, 99, 0);
        USE(torc_producer_try_send(p, bytes, sizeof bytes, NULL));
        USE(torc_producer_send(p, bytes, sizeof bytes, USE_WAIT_MS, &id));
        if (USE(torc_producer_claim(p, sizeof bytes, NULL, USE_WAIT_MS, &place)) == 0) {
                memcpy(place, bytes, sizeof bytes);
                if (use_coin(u))
                        USE(torc_producer_commit(p, &id));
                else
                        USE(torc_producer_abort(p));
        }
        for (size_t i = 0; i < 20; i++)
                spans[i] = (struct torc_span){bytes, sizeof bytes};
        USE(torc_producer_send_batch(p, spans, 20, USE_WAIT_MS, &accepted));
        USE(torc_producer_flush(p, NULL, USE_WAIT_MS));
        use_ask(u, p);
        /* As many as make it wrap, grow, block or disconnect somebody. */
        for (int i = 0; i < 100; i++)
                if (USE(torc_producer_try_send(p, bytes, sizeof bytes, NULL)))
                        break;
}

static inline struct torc_producer *use_producer(struct use *u, struct torc_bus *bus, const char *stream)
{
        struct torc_producer_config config = {.name = use_coin(u) ? "four" : NULL, .flags = TORC_NO_CREATE};
        struct torc_producer *p = NULL;
        config.access = (enum torc_access)(test_random(&u->seed) % 4);
        if (USE(torc_producer_open(&p, bus, stream, &config)))
                return NULL;
        if (config.access == TORC_WAIT_FOR_EXCLUSIVE)
                USE(torc_producer_await(p, USE_WAIT_MS));
        return p;
}

/* ---- looking, and looking after -------------------------------------------------------------------------- */

static inline void use_inspect(struct use *u)
{
        struct torc_inspector *in = NULL;
        struct torc_snapshot *snap = NULL;
        if (USE(torc_inspector_open(&in, u->root, "bus")))
                return;
        for (int i = 0; i < 2; i++)
                if (USE(torc_inspector_take(in, &snap)) == 0)
                        torc_snapshot_free(&snap);
        torc_inspector_close(&in);
}

static inline void use_supervisor(struct use *u, struct torc_bus *bus)
{
        static struct torc_group_info groups[TORC_MAX_GROUPS];
        static struct torc_member_info members[TORC_MAX_MEMBERS];
        size_t n_groups = TORC_MAX_GROUPS, n_members = TORC_MAX_MEMBERS;
        struct torc_supervisor *s = NULL;
        if (USE(torc_supervisor_open(&s, bus, "torc.ini")))
                return;
        if (USE(torc_supervisor_load(s, groups, &n_groups, members, &n_members)) == 0) {
                CHECK(n_groups <= TORC_MAX_GROUPS && n_members <= TORC_MAX_MEMBERS);
                for (size_t i = 0; i < n_members && i < 3; i++)
                        USE(torc_supervisor_set_member(s, i, &members[i]));
                USE(torc_supervisor_set_groups(s, groups, n_groups));
        }
        torc_supervisor_event(s, TORC_EVENT_OPERATOR, "looked at %zu members", n_members);
        torc_supervisor_beat(s);
        torc_supervisor_close(&s);
}

static inline void use_admin(struct use *u, struct torc_bus *bus)
{
        const char *stream = flip_streams[test_random(&u->seed) % FLIP_STREAMS];
        struct torc_access_info info;
        struct torc_reaped reaped;
        USE(torc_stream_access(bus, stream, &info));
        USE(torc_bus_nudge(bus));
        USE(torc_bus_reap(bus, &reaped));
        use_supervisor(u, bus);
        switch (test_random(&u->seed) % 6) {
        case 0:
                USE(torc_stream_fence(bus, stream, NULL));
                break;
        case 1:
                USE(torc_stream_end(bus, stream));
                break;
        case 2:
                USE(torc_stream_remove(bus, stream));
                break;
        case 3:
                for (uint64_t slot = 0; slot < 3; slot++)
                        USE(torc_stream_kick(bus, stream, 1 << 16 | slot));
                break;
        case 4:
                USE(torc_stream_create(bus, stream, NULL));
                break;
        default:
                USE(torc_stream_create(bus, "new", NULL));
        }
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

/* Use a bus. `damage` is called before (early) or in the middle. */
static inline void use_bus(struct use *u, void (*damage)(void *), void *arg)
{
        struct torc_bus_config config = {.root = u->root, .name = "bus", .peer_name = "user", .tags = "red"};
        struct torc_bus *bus = NULL;
        bool early = test_random(&u->seed) % 4 != 0, reap_first = test_random(&u->seed) % 4 == 0;
        if (early)
                damage(arg);
        use_inspect(u);
        if (USE(torc_bus_open(&bus, &config)))
                return;
        if (reap_first)
                use_admin(u, bus);
        struct torc_consumer *consumer[FLIP_STREAMS] = {0};
        struct torc_producer *producer[FLIP_STREAMS] = {0};
        size_t turn = test_random(&u->seed) % FLIP_STREAMS;
        for (size_t k = 0; k < FLIP_STREAMS; k++) {
                size_t i = (k + turn) % FLIP_STREAMS;
                if (use_coin(u))
                        consumer[i] = use_consumer(u, bus, flip_streams[i]);
                producer[i] = use_producer(u, bus, flip_streams[i]);
                if (!consumer[i])
                        consumer[i] = use_consumer(u, bus, flip_streams[i]);
        }
        if (!early)
                damage(arg);
        for (size_t i = 0; i < FLIP_STREAMS; i++) {
                if (use_coin(u))
                        use_read(u, consumer[i]);
                use_send(u, producer[i]);
                use_read(u, consumer[i]);
        }
        use_inspect(u);
        use_admin(u, bus);
        for (size_t i = 0; i < FLIP_STREAMS; i++) {
                use_send(u, producer[i]);
                use_read(u, consumer[i]);
                atomic_store(&u->step, "close");
                torc_consumer_close(&consumer[i]);
                torc_producer_close(&producer[i]);
        }
        use_admin(u, bus);
        torc_bus_close(&bus);
        use_inspect(u);
}

#endif
