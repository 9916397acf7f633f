/*
 * crash_stage.h - the stage of one round of crash_walk.c: a bus of its own with one stream, a reader and a sender that
 * are never harmed, perhaps one who has died before, and the victim, which kills or stops itself at a point of fault.def.
 *
 *      test        survivors                       victim
 *      -----       ---------                       ------
 *      starts all  reader opens, waits             prepares, then acts with the point armed
 *      waits       ...                             dies, or stops
 *      orders      sender sends, reader reads      (goes on, if it was stopped)
 *      compares what all of them wrote down
 *
 * Until the victim has died or stopped, the others wait: what happens up to there is the same each time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CRASH_STAGE_H
#define TORC_CRASH_STAGE_H

#include "../system/crash_history.h"

#include "fault.h"
#include "file.h"
#include "stream.h"

#include <sched.h>

#define STAGE_LOG 4096
#define STAGE_PATIENCE_MS 10000 /* of calls that have to succeed */
#define STAGE_BOUND_MS 3000     /* what the dead may cost the living: a slice or two, and a busy machine's turns */
#define STAGE_PAYLOAD 384
#define STAGE_META 1100

enum action { KILL, KILL_AND_REAP, STOP, STOP_AND_FENCE, ACTIONS };
static const char *const action_name[ACTIONS] = {"killed", "killed, then reaped,", "stopped",
                                                 "stopped, and the stream fenced twice,"};

/* Shared by the processes of a round. */
struct board {
        _Atomic uint64_t passes[FAULT_POINTS], dead_passes[FAULT_POINTS];
        _Atomic int go;          /* the reader reads */
        _Atomic int stop;        /* 1: the sender ends, 2: the reader, too, when nothing is left */
        _Atomic uint64_t ordered; /* messages that the sender is to have sent */
        _Atomic uint64_t sent;
        _Atomic int step;        /* how far a victim has come, for those who act together with it */
        _Atomic bool tapped;     /* the victim has sent where it may have been fenced */
        struct history h;
};

struct round;
struct actor;
typedef void round_fn(struct round *r);
typedef void actor_fn(struct actor *a);

struct scene {
        const char *name;
        round_fn *arrange;   /* in the test, before the victim comes */
        actor_fn *before, *act;
        round_fn *meanwhile; /* in the test, again and again until the victim has died or stopped */
        round_fn *after;     /* in the test, when all is over */
        enum fault_point prelude; /* with at_prelude: the victim first stops here, when it acts, */
        round_fn *at_prelude;     /* the test does this, and the victim goes on */
        const enum fault_point *only; /* walk these points, to the first one again; NULL: all that are passed */
        enum history_stream stream;   /* MAIN: the sender shares; TURNS: it waits for its turn; LOSSY: readers are cut off */
        uint64_t capacity_max;
        uint32_t max_consumers;
        enum torc_lag lag;
        bool reads_along;   /* the reader reads while the victim acts */
        bool alone;         /* no survivors: what is made is not the stream */
        bool quick;         /* a stopped victim keeps others from attaching for long: they do not try */
        bool uncounted;     /* a victim that dies may have filled a hole and not counted it */
        bool cuts_reader;   /* survivors may be cut off: only on LOSSY */
        bool history;       /* a reader of history may be overtaken */
        round_fn *beside;   /* in the test, while the victim is stopped, where there are no survivors */
};

struct round {
        struct test *t;
        const struct scene *scene;
        struct board *b;
        enum fault_point point; /* with pass 0: nobody is harmed, passes are counted */
        uint64_t pass;
        enum action action;
        /* the test's own */
        struct torc_bus *bus;
        struct handle eye_handle;
        struct stream eye; /* the stream as it is */
        struct child reader, sender, victim, dead;
        struct history_log *audit;
        struct torc_consumer *laggard;
        uint64_t laggard_missed;
        uint64_t holes; /* claims that the dead have left open, recovered since or not */
        bool harmed;    /* the victim came to its point */
};

struct actor {
        struct round *r;
        struct torc_bus *bus;
        struct torc_producer *p, *q;
        struct torc_consumer *c;
        uint64_t id[2], seq[2]; /* as a sender: of p, of q */
        struct torc_id message; /* one to begin at */
        struct history_log *log;
        bool logs;
        unsigned random;
};

/* ---- failing, with the place ----------------------------------------------------------------------------- */

static inline const char *stage_where(const struct round *r)
{
        static char text[256];
        if (r->pass == 0)
                snprintf(text, sizeof text, "%s, nobody harmed", r->scene->name);
        else
                snprintf(text, sizeof text, "%s, %s at %s, pass %" PRIu64, r->scene->name, action_name[r->action],
                         fault_name(r->point), r->pass);
        return text;
}

#define stage_fail(r, ...)                                                                                       \
        do {                                                                                                     \
                print_error("%s:\n", stage_where(r));                                                            \
                fail_msg(__VA_ARGS__);                                                                           \
        } while (0)
#define stage_ok(r, call)                                                                                        \
        do {                                                                                                     \
                int stage_rc_ = (call);                                                                          \
                if (stage_rc_)                                                                                   \
                        stage_fail(r, "%s:%d: %s is %s", __FILE__, __LINE__, #call, torc_errname(stage_rc_));   \
        } while (0)

static int64_t stage_worst_ms;
static char stage_worst[512];

static inline void stage_bound(const struct round *r, int64_t begin, const char *what)
{
        int64_t ms = test_now_ms() - begin;
        if (ms > stage_worst_ms) {
                stage_worst_ms = ms;
                snprintf(stage_worst, sizeof stage_worst, "%s (%s)", what, stage_where(r));
        }
        if (ms > STAGE_BOUND_MS)
                stage_fail(r, "%s took %" PRId64 " ms", what, ms);
}

static inline void law_note_holes(struct round *r); /* crash_laws.h */

static inline void stage_nap(void)
{
        nanosleep(&(struct timespec){.tv_nsec = 30000}, NULL);
}

/* ---- messages -------------------------------------------------------------------------------------------- */

static inline const char *stage_stream(const struct round *r)
{
        return history_stream_name[r->scene->stream];
}

static inline struct torc_stream_config stage_config(const struct round *r)
{
        struct torc_stream_config config = test_stream(TORC_CAPACITY_MIN, r->scene->lag, 0);
        config.capacity_max_bytes = r->scene->capacity_max;
        config.max_consumers = r->scene->max_consumers;
        return config;
}

/* A message of 1100 to 1900 bytes with its metadata: two or three fill a ring of 4096. */
static inline int stage_send(struct round *r, struct torc_producer *p, uint64_t id, uint64_t *seq, int timeout_ms)
{
        unsigned char bytes[STAGE_PAYLOAD];
        char value[STAGE_META + 1];
        uint64_t random = message_mix(id * 1000003 + *seq);
        size_t len = sizeof(struct message_head) + random % (STAGE_PAYLOAD - sizeof(struct message_head));
        size_t filler = 700 + random / 1024 % (STAGE_META - 700);
        memset(value, 'v', filler);
        value[filler] = '\0';
        struct torc_property property = {"k", value};
        struct torc_meta meta = {.properties = &property, .n_properties = 1};
        message_fill(bytes, len, id, *seq);
        atomic_store(&r->b->h.sender[id].attempted, *seq + 1);
        int rc = torc_producer_send_meta(p, bytes, len, &meta, timeout_ms, NULL);
        if (rc == 0)
                atomic_store(&r->b->h.sender[id].committed, ++*seq);
        return rc;
}

static inline void stage_note(struct history_log *log, const void *data, size_t len, const struct torc_id *id)
{
        struct message_head head;
        CHECK(message_whole(data, len, &head)); /* torn */
        history_write(log, &(struct history_record){.position = id->position, .epoch = id->epoch,
                                                    .sender = head.sender, .seq = head.seq});
}

static inline void stage_note_gap(struct history_log *log, uint64_t missed)
{
        history_write(log, &(struct history_record){.sender = HISTORY_GAP, .position = missed});
        if (log)
                atomic_store(&log->missed, missed);
}

static inline int stage_recv(struct history_log *log, struct torc_consumer *c, int timeout_ms)
{
        unsigned char bytes[512];
        struct torc_id id;
        size_t len;
        int rc = torc_consumer_recv(c, bytes, sizeof bytes, &len, timeout_ms, &id);
        if (log && torc_consumer_missed(c) != atomic_load(&log->missed))
                stage_note_gap(log, torc_consumer_missed(c));
        if (rc == 0)
                stage_note(log, bytes, len, &id);
        return rc;
}

static inline int stage_open_producer(struct round *r, struct torc_bus *bus, enum torc_access access, uint64_t id,
                                      struct torc_producer **p)
{
        char name[32]; /* never used before: an owner that comes back under its name keeps its epoch */
        struct torc_stream_config stream = stage_config(r);
        struct torc_producer_config config = {.name = name, .access = access, .stream = &stream};
        snprintf(name, sizeof name, "p%" PRIu64, id);
        return torc_producer_open(p, bus, stage_stream(r), &config);
}

static inline int stage_open_consumer(struct round *r, struct torc_bus *bus, enum torc_start start,
                                      struct torc_consumer **c)
{
        struct torc_stream_config stream = stage_config(r);
        struct torc_consumer_config config = {.start = start, .stream = &stream, .timeout_ms = STAGE_PATIENCE_MS};
        return torc_consumer_open(c, bus, stage_stream(r), &config);
}

/* ---- survivors ------------------------------------------------------------------------------------------- */

static inline void survivor_reads(struct child *link, struct test *t, void *arg)
{
        struct round *r = arg;
        struct torc_bus *bus = child_bus(t, "reader");
        struct torc_consumer *c;
        CHECK_RC(stage_open_consumer(r, bus, TORC_START_LIVE, &c), 0);
        link_say(link, 0);
        while (!atomic_load(&r->b->go) && !atomic_load(&r->b->stop))
                stage_nap();
        for (;;) {
                bool last = atomic_load(&r->b->stop) == 2;
                int rc = stage_recv(r->audit, c, last ? 0 : 3);
                if (rc == TORC_ECLOSED || (last && rc == -EAGAIN))
                        break;
                if (rc == TORC_ELAGGED && r->scene->cuts_reader) {
                        CHECK_RC(torc_consumer_reattach(c, STAGE_PATIENCE_MS), 0);
                        stage_note_gap(r->audit, torc_consumer_missed(c));
                } else if (rc != -ETIMEDOUT) {
                        CHECK_RC(rc, 0);
                }
        }
        torc_consumer_close(&c);
        torc_bus_close(&bus);
}

/* Open a producer, or try again while somebody owns the stream. NULL: it is over. */
static inline struct torc_producer *survivor_attach(struct round *r, struct torc_bus *bus, uint64_t *id)
{
        struct torc_producer *p;
        bool turns = r->scene->stream == TURNS;
        *id = history_new_sender(&r->b->h, r->scene->stream);
        while (!atomic_load(&r->b->stop)) {
                int rc = stage_open_producer(r, bus, turns ? TORC_WAIT_FOR_EXCLUSIVE : TORC_SHARED, *id, &p);
                if (rc == TORC_EBUSY || rc == TORC_EFENCED) {
                        stage_nap();
                        continue;
                }
                CHECK_RC(rc, 0);
                if (turns)
                        rc = torc_producer_await(p, STAGE_PATIENCE_MS);
                if (rc == 0)
                        return p;
                CHECK_RC(rc, TORC_EFENCED);
                torc_producer_close(&p);
        }
        return NULL;
}

/* Sends what is ordered; whoever fences it, it comes again. */
static inline void survivor_sends(struct child *link, struct test *t, void *arg)
{
        struct round *r = arg;
        struct board *b = r->b;
        struct torc_bus *bus = child_bus(t, "sender");
        struct torc_producer *p = NULL;
        uint64_t id, seq = 0;
        if (r->scene->stream != TURNS)
                p = survivor_attach(r, bus, &id);
        link_say(link, 0);
        while (!atomic_load(&b->stop)) {
                if (atomic_load(&b->ordered) == atomic_load(&b->sent)) {
                        if (r->scene->stream == TURNS)
                                torc_producer_close(&p);
                        stage_nap();
                        continue;
                }
                if (!p) {
                        seq = 0;
                        p = survivor_attach(r, bus, &id);
                        continue;
                }
                int rc = stage_send(r, p, id, &seq, STAGE_PATIENCE_MS);
                if (rc == TORC_EFENCED) {
                        torc_producer_close(&p);
                        continue;
                }
                CHECK_RC(rc, 0);
                atomic_fetch_add(&b->sent, 1);
        }
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

/* Does the reader stand at the tail, having read all there is? It came first: its slot is 0. */
static inline bool stage_all_read(struct round *r)
{
        const struct abi_consumer *reader = &r->eye.ctl->consumer[0];
        uint64_t current = atomic_load(&r->eye.ctl->current), segment = atomic_load(&reader->segment);
        struct segment seg;
        if (segment != current || ABI_CONSUMER_STATE(atomic_load(&reader->word)) != ABI_CONSUMER_ACTIVE ||
            segment_open(&seg, &r->eye, current, SEGMENT_LOOK))
                return false;
        bool all = atomic_load(&reader->cursor) == ring_tail(&seg.ring, NULL);
        segment_close(&seg);
        return all && current == atomic_load(&r->eye.ctl->current);
}

/* Wait for what has been ordered; the sender's, then the reader's part. */
static inline void stage_order(struct round *r, uint64_t n)
{
        int64_t begin = test_now_ms();
        int status;
        atomic_store(&r->b->go, 1);
        uint64_t until = atomic_fetch_add(&r->b->ordered, n) + n;
        while (atomic_load(&r->b->sent) < until) {
                if (waitpid(r->sender.pid, &status, WNOHANG) > 0)
                        stage_fail(r, "the sender ended, wait status 0x%x", (unsigned)status);
                stage_bound(r, begin, "the sender's messages");
                stage_nap();
        }
        while (!stage_all_read(r)) {
                if (waitpid(r->reader.pid, &status, WNOHANG) > 0)
                        stage_fail(r, "the reader ended, wait status 0x%x", (unsigned)status);
                stage_bound(r, begin, "the reader's messages");
                stage_nap();
        }
        stage_bound(r, begin, "messages");
}

/* ---- the victim ------------------------------------------------------------------------------------------ */

/* An actor's call that has to return `wanted`. One who was fenced while it was stopped may be told so: then it leaves. */
#define ACT(a, call, wanted)                                                                                     \
        do {                                                                                                     \
                int act_rc_ = (call);                                                                            \
                if (act_rc_ == TORC_EFENCED && (a)->r->action == STOP_AND_FENCE)                                 \
                        actor_leaves(a);                                                                         \
                CHECK_RC(act_rc_, wanted);                                                                       \
        } while (0)

static inline void actor_ends(struct actor *a)
{
        fault_plan.passes = NULL;
        torc_consumer_close(&a->c);
        torc_producer_close(&a->p);
        torc_producer_close(&a->q);
        torc_bus_close(&a->bus);
}

static inline void actor_leaves(struct actor *a)
{
        actor_ends(a);
        _exit(0);
}

static inline void actor_send(struct actor *a, int which, int timeout_ms)
{
        ACT(a, stage_send(a->r, which ? a->q : a->p, a->id[which], &a->seq[which], timeout_ms), 0);
}

/* Open a producer of ours; it is a new sender. */
static inline int actor_try_open(struct actor *a, int which, enum torc_access access)
{
        a->id[which] = history_new_sender(&a->r->b->h, a->r->scene->stream);
        a->seq[which] = 0;
        return stage_open_producer(a->r, a->bus, access, a->id[which], which ? &a->q : &a->p);
}

static inline void actor_open(struct actor *a, int which, enum torc_access access)
{
        ACT(a, actor_try_open(a, which, access), 0);
}

static inline void actor_open_consumer(struct actor *a, enum torc_start start)
{
        CHECK_RC(stage_open_consumer(a->r, a->bus, start, &a->c), 0);
        history_write(a->log, &(struct history_record){.sender = HISTORY_GAP, .seq = 1});
        if (a->log)
                atomic_store(&a->log->missed, 0);
}

static inline void actor_arm(struct actor *a)
{
        struct round *r = a->r;
        memset(&fault_plan, 0, sizeof fault_plan);
        if (r->scene->at_prelude) {
                fault_plan.at[1].point = r->scene->prelude;
                fault_plan.at[1].pass = 1;
                fault_plan.at[1].signal = SIGSTOP;
        }
        fault_plan.at[0].point = r->point;
        fault_plan.at[0].pass = r->pass;
        fault_plan.at[0].signal = r->action >= STOP ? SIGSTOP : SIGKILL;
        fault_plan.passes = r->b->passes;
}

static inline void victim_runs(struct child *link, struct test *t, void *arg)
{
        struct round *r = arg;
        struct actor a = {.r = r, .log = &r->b->h.log[1]};
        (void)link;
        a.bus = child_bus(t, "victim");
        if (r->scene->before)
                r->scene->before(&a);
        actor_arm(&a);
        r->scene->act(&a);
        actor_ends(&a);
}

/* Somebody who dies before the victim comes; at the given point, or by itself. */
struct dead {
        struct round *r;
        actor_fn *before, *act;
        enum fault_point point;
        uint64_t pass;
        int signal;
};

static inline void dead_runs(struct child *link, struct test *t, void *arg)
{
        struct dead *d = arg;
        struct actor a = {.r = d->r};
        (void)link;
        a.bus = child_bus(t, "dead");
        if (d->before)
                d->before(&a);
        fault_plan.at[0].point = d->point;
        fault_plan.at[0].pass = d->pass;
        fault_plan.at[0].signal = d->signal;
        fault_plan.passes = d->r->b->dead_passes;
        d->act(&a);
        fault_plan.passes = NULL;
        if (d->signal == SIGKILL)
                kill(getpid(), SIGKILL);
        actor_ends(&a);
}

/* Returns when it is dead, or has stopped. */
static inline void stage_dead(struct round *r, actor_fn *before, actor_fn *act, enum fault_point point, uint64_t pass,
                              int signal)
{
        struct dead d = {.r = r, .before = before, .act = act, .point = point, .pass = pass, .signal = signal};
        int status;
        r->dead = child_start(r->t, dead_runs, &d);
        if (signal == SIGKILL) {
                status = child_wait(&r->dead);
                if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
                        stage_fail(r, "the one who was to die before ended with 0x%x", (unsigned)status);
                r->dead.pid = 0;
        } else {
                assert_int_equal(waitpid(r->dead.pid, &status, WUNTRACED), r->dead.pid);
                if (!WIFSTOPPED(status))
                        stage_fail(r, "the one who was to stop ended with 0x%x", (unsigned)status);
        }
}

static inline void stage_dead_goes_on(struct round *r)
{
        child_continue(&r->dead);
        child_join(&r->dead);
        r->dead.pid = 0;
}

#endif
