/*
 * test_ring_threads.c - one ring in memory, several producer threads and readers: nothing lost, doubled, torn or out of
 * order. Meant to be run under ThreadSanitizer too (make B=build-tsan SAN=thread).
 *
 * links: libshm/ring.c
 *
 * Two ways to refresh the limit:
 *   locked  one refresher at a time. Then no lap can pass while a refresher walks an open claim, payloads are plain
 *           bytes, and ThreadSanitizer sees every pair of accesses that the stamps, cursors and limit have to order.
 *   free    any number at once. Then a refresher may look at words that are being overwritten (it finds no stamp there
 *           and is on the safe side), so payloads are relaxed atomic words here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#define MAX_THREADS 4
#define WORDS_MAX 12

struct arena {
        struct rig rig;
        bool locked;
        unsigned producers, readers;
        uint64_t messages; /* of each producer */
        pthread_mutex_t refresh;
        _Atomic uint64_t cursor[MAX_THREADS];
        uint64_t order[MAX_THREADS]; /* each reader's digest of what it saw in which order */
        _Atomic unsigned ticket;
};

/* cmocka's assertions jump on the main thread's stack: threads stop the program instead. */
#define MUST(x)                                                                                                  \
        do {                                                                                                     \
                if (!(x)) {                                                                                      \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                  \
                        abort();                                                                                 \
                }                                                                                                \
        } while (0)

static void put(const struct arena *a, uint64_t *to, uint64_t value)
{
        if (a->locked)
                *to = value;
        else
                atomic_store_explicit((_Atomic uint64_t *)to, value, memory_order_relaxed);
}

static uint64_t get(const struct arena *a, uint64_t *from)
{
        return a->locked ? *from : atomic_load_explicit((_Atomic uint64_t *)from, memory_order_relaxed);
}

static uint64_t mix(uint64_t x)
{
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
        return x ^ (x >> 27);
}

/* limit_refresh() without the tables. */
static void refresh(struct arena *a)
{
        const struct ring *r = &a->rig.r;
        if (a->locked)
                pthread_mutex_lock(&a->refresh);
        uint64_t min = ring_tail(r, NULL), t0 = min;
        atomic_thread_fence(memory_order_seq_cst);
        for (unsigned i = 0; i < a->readers; i++) {
                /* acquire: as [cursor.r] */
                uint64_t cursor = atomic_load_explicit(&a->cursor[i], memory_order_acquire);
                if (cursor < min)
                        min = cursor;
        }
        uint64_t intent = ring_min_intent(r, t0);
        if (intent < min)
                min = intent;
        ring_raise_limit(r, min + r->capacity);
        if (a->locked)
                pthread_mutex_unlock(&a->refresh);
}

static struct ring_claim claim(struct arena *a, unsigned slot, uint64_t bytes)
{
        struct ring_claim got;
        uint64_t need;
        for (;;) {
                enum ring_result result = ring_claim(&a->rig.r, slot, bytes, &got, &need);
                if (result == RING_OK)
                        return got;
                MUST(result == RING_FULL);
                /* Whatever races it lost on the way: nothing is left announced. */
                MUST(rig_start(&a->rig, slot) == ABI_NO_INTENT);
                refresh(a);
                sched_yield();
        }
}

static unsigned words_of(uint64_t number)
{
        return 2 + (unsigned)(mix(number) % (WORDS_MAX - 2));
}

static void fill(const struct arena *a, uint64_t position, unsigned slot, uint64_t number)
{
        uint64_t *to = (uint64_t *)(void *)((unsigned char *)ring_at(&a->rig.r, position) + ABI_FRAME_BYTES);
        put(a, &to[0], slot);
        put(a, &to[1], number);
        for (unsigned i = 2; i < words_of(number); i++)
                put(a, &to[i], mix(number * 64 + i) ^ slot);
        ring_stamp_frame(&a->rig.r, position, words_of(number) * 8, 0, slot);
}

/* Single messages, and now and then two or three in one claim. */
static void *produce(void *arg)
{
        struct arena *a = arg;
        unsigned slot = atomic_fetch_add(&a->ticket, 1) * 67;
        for (uint64_t n = 0; n < a->messages;) {
                uint64_t many = mix(n) % 14 == 0 ? 3 : mix(n) % 7 == 0 ? 2 : 1, bytes = 0;
                if (many > a->messages - n)
                        many = a->messages - n;
                for (uint64_t i = 0; i < many; i++)
                        bytes += ring_frame_bytes(words_of(n + i) * 8);
                struct ring_claim got = claim(a, slot, bytes);
                for (uint64_t at = got.position; many; many--, n++) {
                        fill(a, at, slot, n);
                        at += ring_frame_bytes(words_of(n) * 8);
                        ring_advance_intent(&a->rig.r, slot, at);
                }
                ring_clear_intent(&a->rig.r, slot);
        }
        return NULL;
}

static void consume_frame(struct arena *a, const struct ring_frame *f, uint64_t *next, uint64_t *order)
{
        uint64_t *from = (uint64_t *)(void *)f->body;
        uint64_t slot = get(a, &from[0]), number = get(a, &from[1]);
        MUST(slot == f->producer && slot % 67 == 0 && slot / 67 < a->producers);
        MUST(number == next[slot / 67]++);
        MUST(f->length == words_of(number) * 8);
        for (unsigned i = 2; i < words_of(number); i++)
                MUST(get(a, &from[i]) == (mix(number * 64 + i) ^ slot));
        *order = mix(*order + slot) + number;
}

static void *consume(void *arg)
{
        struct arena *a = arg;
        unsigned me = atomic_fetch_add(&a->ticket, 1);
        uint64_t position = a->rig.r.base, next[MAX_THREADS] = {0}, order = 0;
        for (uint64_t seen = 0; seen < a->messages * a->producers;) {
                struct ring_frame f;
                enum ring_result result = ring_peek(&a->rig.r, position, &f);
                if (result == RING_OK) {
                        MUST(!(f.flags & ABI_FRAME_ABORTED));
                        if (!(f.flags & ABI_FRAME_PAD)) {
                                consume_frame(a, &f, next, &order);
                                seen++;
                        }
                        position = f.next;
                        /* release: as [cursor.w] */
                        atomic_store_explicit(&a->cursor[me], position, memory_order_release);
                } else {
                        MUST(result == RING_EMPTY || result == RING_HOLE);
                        sched_yield();
                }
        }
        a->order[me] = order;
        return NULL;
}

static void run(uint64_t capacity, uint64_t base, unsigned producers, unsigned readers, bool locked)
{
        const char *text = getenv("TORC_TEST_MESSAGES");
        struct arena a = {.rig = rig_new(capacity, base), .locked = locked, .producers = producers,
                          .readers = readers, .messages = text && *text ? strtoull(text, NULL, 10) : 40000};
        pthread_t threads[2 * MAX_THREADS];
        unsigned n = 0;
        pthread_mutex_init(&a.refresh, NULL);
        for (unsigned i = 0; i < readers; i++)
                atomic_store(&a.cursor[i], base);
        /* The readers draw 0 .. readers - 1, and only then the producers draw from 0. */
        for (unsigned i = 0; i < readers; i++)
                assert_int_equal(pthread_create(&threads[n++], NULL, consume, &a), 0);
        while (atomic_load(&a.ticket) < readers)
                sched_yield();
        atomic_store(&a.ticket, 0);
        for (unsigned i = 0; i < producers; i++)
                assert_int_equal(pthread_create(&threads[n++], NULL, produce, &a), 0);
        while (n)
                pthread_join(threads[--n], NULL);
        for (unsigned i = 1; i < readers; i++)
                assert_true(a.order[i] == a.order[0]);
        for (unsigned i = 0; i < ABI_PRODUCERS; i++)
                assert_true(rig_start(&a.rig, i) == ABI_NO_INTENT);
        assert_true(ring_tail(&a.rig.r, NULL) <= ring_limit(&a.rig.r));
        pthread_mutex_destroy(&a.refresh);
        rig_free(&a.rig);
}

static void ring_when_two_threads_produce_keeps_order_for_both_readers(void **state)
{
        (void)state;
        run(1024, 0, 2, 2, true);
        run(1024, 0, 2, 2, false);
}

static void ring_when_four_threads_produce_loses_nothing(void **state)
{
        (void)state;
        run(4096, 1ull << 40, 4, 2, true);
        run(4096, 1ull << 40, 4, 2, false);
}

/* A few frames only: nearly every claim waits for the readers. */
static void ring_when_it_holds_few_frames_loses_nothing(void **state)
{
        (void)state;
        run(1024, RIG_HIGH - (1ull << 30), 4, 2, true);
        run(1024, RIG_HIGH - (1ull << 30), 4, 2, false);
}

/* Nobody reads: only open claims hold the producers back from each other. */
static void ring_when_nobody_reads_laps_do_not_meet(void **state)
{
        (void)state;
        run(1024, 0, 4, 0, true);
        run(1024, 0, 4, 0, false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ring_when_two_threads_produce_keeps_order_for_both_readers),
                cmocka_unit_test(ring_when_four_threads_produce_loses_nothing),
                cmocka_unit_test(ring_when_it_holds_few_frames_loses_nothing),
                cmocka_unit_test(ring_when_nobody_reads_laps_do_not_meet),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
