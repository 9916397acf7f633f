/*
 * consumer.c - reading.
 *
 * A reader looks at one stamp, uses the bytes in place or copies them, and publishes its cursor. Under `disconnect` and
 * `skip` producers may take the bytes away while it reads; so it confirms afterwards that it is still ACTIVE, and what
 * it read is void if not. The common case (a message without metadata stands there, and we were not disconnected) is in line, in
 * consumer_take() and consumer_still_whole(); all others go through consumer_await() and consumer_confirm().
 */
#include "consumer.h"

#include "copy.h"
#include "fault.h"
#include "meta.h"

#include <errno.h>

#define CONSUMER_LINGERS 20         /* looks after a quick announcement: a waker's store is out of its buffer by then */
#define CONSUMER_SPINS 100          /* looks before a sleep: about 3 us */
#define CONSUMER_RUN 8              /* messages between misses that make a batch */
#define CONSUMER_PAUSES 40          /* pauses to let one build up: about 1 us */
#define CONSUMER_PAUSE_BYTES 1024   /* of the ring, at least, to each of these: far more than a writer fills meanwhile */
#define CONSUMER_DOUBT_MAX 65536    /* short runs between two tries, at most */
#define CONSUMER_STRIDE 128         /* messages without a miss, all readers together, to a look at the distance */
#define CONSUMER_DISTANCE 16384     /* bytes to trail by: more than a CPU fetches ahead by itself */
#define CONSUMER_WAITS 4            /* pauses as above, for that distance */
#define CONSUMER_LOOKS 64           /* misses in quick succession to one that looks at the clock, */
#define CONSUMER_LOOK_NS 1000000    /* and how often that one looks at tail, too */

/* ---- the next frame -------------------------------------------------------------------------------------- */

/* Producers may sleep for the space behind us. Looked for when a good part of the ring was freed, and before we sleep:
 * a sleeper recomputes the limit itself besides. */
static void consumer_free_space(struct torc_consumer *c)
{
        c->checked = c->position;
        c->check_at = c->position + c->seg.ring.capacity / 8;
        wait_wake(&c->stream.ctl->space);
}

static inline void consumer_advance(struct torc_consumer *c, uint64_t next)
{
        c->position = next;
        consumer_publish(c);
        if (__builtin_expect(next > c->check_at, 0))
                consumer_free_space(c);
}

/* The segment is read to its sealed end. Returns 0 (in the successor now), -EAGAIN (none yet), TORC_ECLOSED, ... */
static int consumer_follow(struct torc_consumer *c)
{
        struct stream *s = &c->stream;
        struct segment next;
        uint64_t current = stream_current(s), state = stream_state(s);
        if (state == ABI_STREAM_REMOVED)
                return TORC_EREMOVED;
        if (current < c->seg.ring.number || (state != ABI_STREAM_OPEN && state != ABI_STREAM_ENDED))
                return TORC_ECORRUPT;
        if (current == c->seg.ring.number)
                return state == ABI_STREAM_ENDED ? TORC_ECLOSED : -EAGAIN;
        int rc = segment_open(&next, s, c->seg.ring.number + 1, SEGMENT_CONSUME);
        if (rc == -ENOENT && stream_state(s) == ABI_STREAM_REMOVED)
                return TORC_EREMOVED;
        if (rc == -ENOENT) /* we hold it, so nobody may delete it; unless we were kicked just now */
                return consumer_note_kick(c) == TORC_ELAGGED ? 0 : TORC_ECORRUPT;
        if (rc)
                return rc;
        if (next.ring.base != c->position) {
                segment_close(&next);
                return TORC_ECORRUPT;
        }
        segment_close(&c->seg);
        c->seg = next;
        consumer_publish(c);
        /* [cursor.w] release, pairs with [cursor.r]. */
        atomic_store_explicit(&c->record->segment, next.ring.number, memory_order_release);
        FAULT(consumer_follow_segment);
        consumer_free_space(c);
        if (stream_lock(s, 0) == 0) { /* a chore: the next one does it if we cannot */
                stream_reclaim(s);
                stream_unlock(s);
        }
        return 0;
}

/* Skip mode comes back by itself. */
static int consumer_lagged(struct torc_consumer *c)
{
        if (c->stream.ctl->config.lag != TORC_LAG_SKIP)
                return TORC_ELAGGED;
        int rc = torc_consumer_reattach(c, 0);
        return rc == -ETIMEDOUT || rc == TORC_ENOCAPACITY ? -EAGAIN : rc;
}

/*
 * May there be news? Looks at the frame's stamp, at our own record and at a line of the ctl file that hardly ever changes;
 * not at tail, because each look at that takes its line away from the producers. Where there is no stamp in history, it may
 * have been overwritten.
 */
static inline bool consumer_ready(const struct torc_consumer *c)
{
        if (ring_stamped(&c->seg.ring, c->position) || stream_current(&c->stream) != c->seg.ring.number ||
            stream_state(&c->stream) != ABI_STREAM_OPEN || c->position < c->history_until)
                return true;
        return atomic_load_explicit(&c->record->word, memory_order_relaxed) != c->active;
}

/* One that only tries, and has found nothing here before: is it so still? Costs four loads from lines that are ours or hardly
 * ever written, so that it sees a message soon. */
static inline bool consumer_quick_miss(struct torc_consumer *c)
{
        return c->idle_position == c->position && !consumer_ready(c) && c->quick && c->quick--;
}

/*
 * Nothing is ready: is it time for a whole look? It takes tail's line away from the producers, and finds what no store tells of:
 * claims without commit, ends without successor. The clock, which costs more than a miss, is looked at by each miss of one
 * that tries now and then, and ever more rarely while the misses follow each other quickly.
 */
static bool consumer_look_due(struct torc_consumer *c)
{
        if (c->quick) {
                c->quick--;
                return false;
        }
        int64_t now = wait_mono_ns();
        c->quick_run = now - c->clock_ns < CONSUMER_LOOK_NS ? (c->quick_run * 2 + 1) % CONSUMER_LOOKS : 0;
        c->quick = c->quick_run;
        c->clock_ns = now;
        if (now - c->looked_ns < CONSUMER_LOOK_NS)
                return false;
        c->looked_ns = now;
        return true;
}

/*
 * A commit or a successor is overdue: its maker may be dead. Looked into once it has been overdue for WAIT_HOLE_NS, since
 * the live ones are done in nanoseconds and a look costs some system calls.
 */
static void consumer_mend(struct torc_consumer *c, bool hole)
{
        int64_t now = wait_mono_ns();
        if (c->stuck_position != c->position || c->stuck_ns == 0) {
                c->stuck_position = c->position;
                c->stuck_ns = now;
        } else if (now - c->stuck_ns >= WAIT_HOLE_NS) {
                c->stuck_ns = now;
                if (hole)
                        segment_recover(&c->stream, c->seg.ring.number, c->position);
                else if (stream_lock(&c->stream, 0) == 0) /* redoes an unfinished change */
                        stream_unlock(&c->stream);
        }
}

/* A whole look: is there something to do now? *stuck: a commit or a successor is overdue. */
bool consumer_news(struct torc_consumer *c, bool *stuck)
{
        struct ring_frame frame;
        *stuck = c->lagged;
        if (c->lagged)
                return false; /* no place to come back to yet: what stands in the ring is not for us */
        enum ring_result result = ring_peek(&c->seg.ring, c->position, &frame);
        uint64_t word = atomic_load_explicit(&c->record->word, memory_order_relaxed);
        bool end = result == RING_END && stream_current(&c->stream) == c->seg.ring.number &&
                   stream_state(&c->stream) == ABI_STREAM_OPEN;
        *stuck = result == RING_HOLE || end;
        if (*stuck)
                consumer_mend(c, result == RING_HOLE);
        return (result != RING_EMPTY && !*stuck) || ABI_CONSUMER_STATE(word) != ABI_CONSUMER_ACTIVE;
}

/* Let the writer go on for a while: about 1 us, but for a small ring less than the writer takes to lap us. */
static void consumer_pause(const struct torc_consumer *c)
{
        uint64_t pauses = c->seg.ring.capacity / CONSUMER_PAUSE_BYTES;
        if (pauses > CONSUMER_PAUSES)
                pauses = CONSUMER_PAUSES;
        for (uint64_t i = 0; i < pauses; i++)
                wait_pause();
}

/*
 * A reader that has caught up with the writer fights it for every cache line, and both run at a third of the speed they
 * have while the reader trails by some frames. So, when the runs between misses are short, let a batch build up before
 * the next look. Whether that helped shows in the next run; where it did not (a lone message, a ping-pong) the next try
 * is put off twice as long as the last, so that the pause costs less than a nanosecond per message there.
 */
static void consumer_let_build_up(struct torc_consumer *c)
{
        uint64_t run = c->count - c->miss_count;
        if (run == 0)
                return; /* still waiting, for more than a batch in progress: look without delay */
        c->miss_count = c->count;
        if (c->paused) {
                c->doubt = run >= CONSUMER_RUN ? 0 : c->doubt < CONSUMER_DOUBT_MAX ? c->doubt * 2 + 64 : c->doubt;
                c->patience = c->doubt;
                c->paused = false;
        }
        if (c->patience) {
                c->patience--;
                return;
        }
        c->paused = true;
        consumer_pause(c);
}

/*
 * A reader that never misses may be chasing all the same: each line takes as long to come as the writer takes for the next
 * one, and both stay at that speed. So one that has not missed for long looks how far the writer is ahead, and lets it get away
 * if that is little. A look takes tail's line from the writer: the more readers, the rarer. Not called between a message
 * and its delivery.
 */
static __attribute__((noinline)) void consumer_keep_distance(struct torc_consumer *c)
{
        const struct ring *r = &c->seg.ring;
        uint64_t wanted = r->capacity / 4 < CONSUMER_DISTANCE ? r->capacity / 4 : CONSUMER_DISTANCE, last = 0;
        /* relaxed, both: they order nothing, and may be old. */
        uint32_t readers = atomic_load_explicit(&c->stream.ctl->consumer_top, memory_order_relaxed);
        c->distance_count = c->count + CONSUMER_STRIDE * (uint64_t)(readers + !readers);
        for (int i = 0; i < CONSUMER_WAITS && c->count - c->miss_count >= CONSUMER_STRIDE; i++) {
                uint64_t tail = atomic_load_explicit(&r->seg->tail, memory_order_relaxed);
                if (tail - c->position > wanted || tail == last)
                        return;
                last = tail;
                consumer_pause(c);
        }
}

/*
 * The next message's frame. Returns 0, -EAGAIN (nothing is ready), TORC_ELAGGED, TORC_ECLOSED, TORC_EREMOVED or
 * TORC_ECORRUPT.
 */
static int consumer_next(struct torc_consumer *c, struct ring_frame *frame)
{
        int rc = handle_dead(&c->handle);
        if (rc)
                return rc;
        if (c->viewing)
                return -EBUSY;
        if (c->lagged && (rc = consumer_lagged(c)))
                return rc;
        if (!consumer_ready(c)) {
                consumer_let_build_up(c);
                if (!consumer_look_due(c))
                        return -EAGAIN;
        }
        for (;;) {
                enum ring_result result = ring_peek(&c->seg.ring, c->position, frame);
                if (result == RING_OK && !(frame->flags & ABI_FRAME_PAD))
                        return 0;
                rc = consumer_note_kick(c);
                if (rc == TORC_ELAGGED && (rc = consumer_lagged(c)) == 0)
                        continue;
                if (rc)
                        return rc;
                switch (result) {
                case RING_OK: /* padding; believed only if it was not being overwritten */
                        if (c->position < c->history_until && ring_overwritten(&c->seg.ring, c->position))
                                rc = consumer_note_gap(c);
                        else
                                consumer_advance(c, frame->next);
                        break;
                case RING_END:
                        rc = consumer_follow(c);
                        if (rc == -EAGAIN)
                                consumer_mend(c, false);
                        break;
                case RING_GONE:
                        rc = consumer_note_gap(c);
                        break;
                case RING_EMPTY:
                case RING_HOLE:
                        if (result == RING_HOLE)
                                consumer_mend(c, true);
                        return -EAGAIN;
                default:
                        return TORC_ECORRUPT;
                }
                if (rc)
                        return rc;
        }
}

/* Were the bytes of the frame whole until now? Returns 0 or TORC_ELAGGED; -EAGAIN: a gap in history, look again. */
static int consumer_confirm(struct torc_consumer *c, uint64_t position)
{
        int rc = consumer_note_kick(c);
        if (rc)
                return rc;
        if (position < c->history_until && ring_overwritten(&c->seg.ring, position)) {
                rc = consumer_note_gap(c);
                return rc ? rc : -EAGAIN;
        }
        return 0;
}

/* The same in the common case, where it is true; it tells nothing when it is not. */
static inline bool consumer_still_whole(const struct torc_consumer *c, uint64_t position)
{
        /* [kick.r] acquire fence, pairs with [kick.w]: bytes that we read under a licence given after the kick come
         * with the kick. */
        atomic_thread_fence(memory_order_acquire);
        return atomic_load_explicit(&c->record->word, memory_order_relaxed) == c->active && position >= c->history_until;
}

/* The message is delivered. */
static inline void consumer_done(struct torc_consumer *c, const struct ring_frame *frame, size_t len)
{
        c->count++;
        c->bytes += len;
        atomic_store_explicit(&c->record->bytes, c->bytes, memory_order_relaxed); /* relaxed: a counter */
        FAULT(consumer_bytes);
        consumer_advance(c, frame->next);
}

/* Is there a message without metadata? Looks at the frame only, and tells nothing when it is not so. */
static inline bool consumer_look(const struct torc_consumer *c, struct ring_frame *frame)
{
        return ring_look(&c->seg.ring, c->position, frame) && !(frame->flags & (ABI_FRAME_PAD | ABI_FRAME_META));
}

static inline bool consumer_take(struct torc_consumer *c, struct ring_frame *frame)
{
        if (__builtin_expect(c->count >= c->distance_count, 0))
                consumer_keep_distance(c);
        return consumer_look(c, frame);
}

static inline void consumer_show(const struct torc_consumer *c, const struct ring_frame *frame, struct torc_view *view)
{
        *view = (struct torc_view){
                .data = frame->body,
                .len = frame->length,
                .id = {.position = frame->position, .epoch = c->seg.ring.epoch, .shard = 0},
                .producer = frame->producer,
        };
}

/* Split a frame into metadata and payload. */
static int consumer_open_frame(const struct torc_consumer *c, const struct ring_frame *frame, struct torc_view *view)
{
        size_t meta = 0;
        if (frame->flags & ABI_FRAME_META && meta_block_size(frame->body, frame->length, &meta))
                return TORC_ECORRUPT;
        *view = (struct torc_view){
                .data = frame->body + meta,
                .len = frame->length - meta,
                .id = {.position = frame->position, .epoch = c->seg.ring.epoch, .shard = 0},
                .producer = frame->producer,
                .meta = meta ? frame->body : NULL,
                .meta_len = meta,
        };
        return 0;
}

/* ---- sleeping -------------------------------------------------------------------------------------------- */

/* Look at the next frame for a while. */
static bool consumer_spin(const struct torc_consumer *c, int looks)
{
        for (int i = 0; i < looks && !c->lagged; i++) {
                if (ring_stamped(&c->seg.ring, c->position))
                        return true;
                wait_pause();
        }
        return false;
}

/* Sleep, announced; whether it was woken soon tells how to be announced the next time (wait.h). */
static int consumer_sleep_on(struct torc_consumer *c, struct abi_eventcount *ec, int64_t deadline)
{
        bool stuck, quick = c->woken_soon;
        uint32_t event = quick ? wait_announce_quick(ec, ABI_WAIT_FUTEX) : wait_announce(ec, ABI_WAIT_FUTEX);
        if ((quick && consumer_spin(c, CONSUMER_LINGERS)) || consumer_news(c, &stuck))
                return 0;
        int rc = handle_take_cancel(&c->handle);
        if (rc)
                return rc;
        int64_t slice = stuck ? WAIT_HOLE_NS : quick ? WAIT_QUICK_NS : WAIT_SLICE_NS, begin = wait_mono_ns();
        rc = wait_sleep(ec, event, deadline, slice);
        /* relaxed: a guess at the next sleep, nothing depends on it. */
        c->woken_soon = atomic_load_explicit(&ec->event, memory_order_relaxed) != event &&
                        wait_mono_ns() - begin < WAIT_QUICK_NS;
        return handle_interrupted(&c->handle, rc);
}

/* Nothing is ready: sleep until something may be. Returns 0 (look again), -ETIMEDOUT, -EINTR, TORC_ECANCELED. */
static int consumer_sleep(struct torc_consumer *c, int64_t deadline)
{
        if (consumer_spin(c, CONSUMER_SPINS))
                return 0;
        consumer_free_space(c);
        /* In skip mode it may be waiting for a place. */
        return consumer_sleep_on(c, c->lagged ? &c->stream.ctl->access : &c->stream.ctl->data, deadline);
}

/* The next message's frame by the deadline. */
static int consumer_await(struct torc_consumer *c, struct ring_frame *frame, int64_t deadline)
{
        for (;;) {
                int rc = consumer_next(c, frame);
                if (rc != -EAGAIN)
                        return rc;
                if (deadline != 0) {
                        rc = consumer_sleep(c, deadline);
                } else {
                        if (c->checked != c->position)
                                consumer_free_space(c);
                        if (c->handle.fd[CONSUMER_FD_POLL] >= 0)
                                rc = consumer_arm(c);
                        else
                                c->idle_position = c->position;
                }
                if (rc)
                        return rc;
        }
}

void torc_consumer_cancel(struct torc_consumer *c)
{
        atomic_store_explicit(&c->handle.canceled, 1, memory_order_relaxed); /* relaxed: the wake-up orders */
        wait_wake_always(&c->stream.ctl->data);
        wait_wake_always(&c->stream.ctl->access); /* it may be waiting for a place */
}

/* ---- copying, viewing, polling --------------------------------------------------------------------------- */

/* All cases of torc_consumer_recv(). */
static int consumer_recv(struct torc_consumer *c, void *buf, size_t cap, size_t *len, int timeout_ms, struct torc_id *id)
{
        int64_t deadline = wait_deadline(timeout_ms);
        for (;;) {
                struct ring_frame frame;
                struct torc_view view;
                int rc = consumer_await(c, &frame, deadline);
                if (rc)
                        return rc;
                int bad = consumer_open_frame(c, &frame, &view);
                if (!bad && view.len <= cap)
                        copy_out(buf, view.data, view.len);
                rc = consumer_confirm(c, frame.position);
                if (rc == TORC_ELAGGED && (rc = consumer_lagged(c)) == 0)
                        continue;
                if (rc == -EAGAIN)
                        continue;
                if (rc == 0)
                        rc = bad;
                if (rc)
                        return rc;
                *len = view.len;
                if (view.len > cap)
                        return -EMSGSIZE;
                if (id)
                        *id = view.id;
                consumer_done(c, &frame, view.len);
                return 0;
        }
}

int torc_consumer_recv(struct torc_consumer *c, void *buf, size_t cap, size_t *len, int timeout_ms,
                       struct torc_id *id)
{
        struct ring_frame frame;
        if (handle_dead(&c->handle) || c->viewing)
                return consumer_recv(c, buf, cap, len, timeout_ms, id);
        if (!consumer_take(c, &frame)) {
                if (timeout_ms == 0 && consumer_quick_miss(c))
                        return -EAGAIN;
                return consumer_recv(c, buf, cap, len, timeout_ms, id);
        }
        if (frame.length > cap)
                return consumer_recv(c, buf, cap, len, timeout_ms, id);
        copy_out(buf, frame.body, frame.length);
        if (!consumer_still_whole(c, frame.position) && consumer_confirm(c, frame.position))
                return consumer_recv(c, buf, cap, len, timeout_ms, id);
        *len = frame.length;
        if (id)
                *id = (struct torc_id){.position = frame.position, .epoch = c->seg.ring.epoch, .shard = 0};
        consumer_done(c, &frame, frame.length);
        return 0;
}

int torc_consumer_try_recv(struct torc_consumer *c, void *buf, size_t cap, size_t *len, struct torc_id *id)
{
        return torc_consumer_recv(c, buf, cap, len, 0, id);
}

/* All cases of torc_consumer_view(). */
static int consumer_view(struct torc_consumer *c, struct torc_view *view, int timeout_ms)
{
        int64_t deadline = wait_deadline(timeout_ms);
        for (;;) {
                struct ring_frame frame;
                int rc = consumer_await(c, &frame, deadline);
                if (rc)
                        return rc;
                int bad = consumer_open_frame(c, &frame, view);
                if (bad) { /* damaged, or overwritten under our eyes? */
                        rc = consumer_confirm(c, frame.position);
                        if (rc == TORC_ELAGGED)
                                rc = consumer_lagged(c);
                        if (rc == 0 && !c->lagged && c->position == frame.position)
                                return bad;
                        if (rc && rc != -EAGAIN)
                                return rc;
                        continue;
                }
                c->view = frame;
                c->view_length = view->len;
                c->viewing = CONSUMER_VIEW;
                return 0;
        }
}

int torc_consumer_view(struct torc_consumer *c, struct torc_view *view, int timeout_ms)
{
        if (handle_dead(&c->handle) || c->viewing || c->lagged)
                return consumer_view(c, view, timeout_ms);
        if (!consumer_take(c, &c->view)) {
                if (timeout_ms == 0 && consumer_quick_miss(c))
                        return -EAGAIN;
                return consumer_view(c, view, timeout_ms);
        }
        consumer_show(c, &c->view, view);
        c->view_length = c->view.length;
        c->viewing = CONSUMER_VIEW;
        return 0;
}

int torc_consumer_release(struct torc_consumer *c)
{
        int rc = handle_dead(&c->handle);
        if (rc)
                return rc;
        if (c->viewing != CONSUMER_VIEW)
                return -EINVAL;
        c->viewing = 0;
        if (!consumer_still_whole(c, c->view.position) && (rc = consumer_confirm(c, c->view.position)))
                return rc == -EAGAIN ? TORC_ELAGGED : rc;
        consumer_done(c, &c->view, c->view_length);
        return 0;
}

/* Hand over one message, of whatever kind. */
static int consumer_poll_one(struct torc_consumer *c, torc_message_fn *fn, void *arg, int *said)
{
        struct torc_view view;
        int rc = torc_consumer_view(c, &view, 0);
        if (rc)
                return rc;
        c->viewing = CONSUMER_POLLING; /* the callback may neither release it nor take the next one */
        *said = fn(&view, arg);
        c->viewing = CONSUMER_VIEW;
        return torc_consumer_release(c);
}

/*
 * Hand over plain messages as long as they come, at most `limit`. Returns 0, also when the next one is of another kind or not
 * there; a callback's number is in *said; else what consumer_confirm() said, or why the handle is dead.
 */
static int consumer_poll_run(struct torc_consumer *c, torc_message_fn *fn, void *arg, size_t limit, size_t *handled,
                             int *said)
{
        struct torc_view view = {.id = {.epoch = c->seg.ring.epoch}};
        struct ring_frame frame;
        uint64_t most = c->lagged || c->count >= c->distance_count ? 0 : c->distance_count - c->count, n = 0;
        int rc = 0;
        if (most > limit - *handled)
                most = limit - *handled;
        c->viewing = CONSUMER_POLLING; /* a callback may not take the next one */
        while (n < most && consumer_look(c, &frame)) {
                view.data = frame.body;
                view.len = frame.length;
                view.id.position = frame.position;
                view.producer = frame.producer;
                int number = fn(&view, arg);
                rc = handle_dead(&c->handle);
                if (__builtin_expect(number | rc, 0)) {
                        if (rc) /* it closed the bus, or forked: the place is not ours any more */
                                break;
                        *said = number;
                        most = n + 1;
                }
                if (__builtin_expect(!consumer_still_whole(c, frame.position), 0) &&
                    (rc = consumer_confirm(c, frame.position)))
                        break;
                consumer_done(c, &frame, frame.length);
                n++;
        }
        c->viewing = 0;
        *handled += n;
        return rc == -EAGAIN ? TORC_ELAGGED : rc;
}

int torc_consumer_poll(struct torc_consumer *c, torc_message_fn *fn, void *arg, size_t limit, size_t *handled)
{
        int said = 0, rc = handle_dead(&c->handle);
        *handled = 0;
        if (rc == 0 && c->viewing)
                rc = -EBUSY;
        while (rc == 0 && *handled < limit && said == 0) {
                rc = consumer_poll_run(c, fn, arg, limit, handled, &said);
                if (rc == 0 && *handled < limit && said == 0) {
                        rc = consumer_poll_one(c, fn, arg, &said);
                        *handled += rc == 0;
                }
        }
        if (rc)
                return rc == -EAGAIN && *handled ? 0 : rc;
        return said;
}

/* ---- what it has seen ------------------------------------------------------------------------------------ */

uint64_t torc_consumer_missed(const struct torc_consumer *c)
{
        return c->missed + c->overtaken;
}

int torc_consumer_stats(struct torc_consumer *c, struct torc_consumer_stats *stats)
{
        int rc = handle_dead(&c->handle);
        if (rc)
                return rc;
        uint64_t tail = ring_tail(&c->seg.ring, NULL);
        struct segment seg;
        if (stream_current(&c->stream) != c->seg.ring.number &&
            segment_open(&seg, &c->stream, stream_current(&c->stream), SEGMENT_LOOK) == 0) {
                tail = ring_tail(&seg.ring, NULL);
                segment_close(&seg);
        }
        *stats = (struct torc_consumer_stats){
                .messages = c->count - c->missed - c->overtaken,
                .bytes = c->bytes,
                .missed_messages = c->missed + c->overtaken,
                .missed_bytes = c->missed_bytes,
                .lag_bytes = tail > c->position ? tail - c->position : 0,
                .attached_ns = c->attached_ns,
                .uptime_ns = wait_mono_ns() - c->attached_mono_ns,
        };
        return 0;
}
