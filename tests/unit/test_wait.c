/*
 * test_wait.c - deadlines, and sleeping on an event count without losing a wake-up.
 *
 * links: libshm/wait.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

#define MS 1000000ll
#define LONG_NS (10000 * MS) /* a slice that only a lost wake-up would sleep through */

/* ---- deadlines ------------------------------------------------------------------------------------------- */

static void deadline_when_timeout_is_zero_is_past(void **state)
{
        (void)state;
        assert_int_equal(wait_deadline(0), 0);
        assert_true(wait_over(0));
}

static void deadline_when_timeout_is_negative_is_never(void **state)
{
        (void)state;
        assert_true(wait_deadline(-1) == WAIT_FOREVER);
        assert_true(wait_deadline(INT32_MIN) == WAIT_FOREVER);
        assert_false(wait_over(WAIT_FOREVER));
}

static void deadline_when_timeout_is_given_is_that_far_ahead(void **state)
{
        (void)state;
        int64_t before = wait_mono_ns(), deadline = wait_deadline(5000), after = wait_mono_ns();
        assert_true(deadline >= before + 5000 * MS && deadline <= after + 5000 * MS);
        assert_false(wait_over(deadline));
        assert_true(wait_over(before));
        assert_true(wait_deadline(INT32_MAX) > after);
}

/* ---- one thread ------------------------------------------------------------------------------------------ */

static void wake_when_nobody_is_announced_does_nothing(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        assert_false(wait_needed(&ec));
        assert_int_equal(wait_wake(&ec), 0);
        assert_int_equal(ec.event, 0);
}

static void wake_when_announced_clears_and_counts(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        assert_int_equal(wait_announce(&ec, ABI_WAIT_FUTEX), 0);
        assert_true(wait_needed(&ec));
        assert_int_equal(wait_announce(&ec, ABI_WAIT_POLL), 0);
        assert_int_equal(wait_wake(&ec), ABI_WAIT_FUTEX | ABI_WAIT_POLL);
        assert_int_equal(ec.event, 1);
        assert_false(wait_needed(&ec));
        assert_int_equal(wait_announce(&ec, ABI_WAIT_FUTEX), 1);
}

static void sleep_when_event_has_changed_returns_at_once(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        uint32_t event = wait_announce(&ec, ABI_WAIT_FUTEX);
        wait_wake(&ec);
        int64_t from = wait_mono_ns();
        assert_int_equal(wait_sleep(&ec, event, WAIT_FOREVER, LONG_NS), 0);
        assert_true(wait_mono_ns() - from < LONG_NS);
        event = wait_announce(&ec, ABI_WAIT_FUTEX);
        wait_wake_always(&ec);
        assert_int_equal(wait_sleep(&ec, event, WAIT_FOREVER, LONG_NS), 0);
        assert_true(wait_mono_ns() - from < LONG_NS);
}

static void sleep_when_slice_is_over_returns_to_look(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        int64_t from = wait_mono_ns();
        assert_int_equal(wait_sleep(&ec, wait_announce(&ec, ABI_WAIT_FUTEX), WAIT_FOREVER, 2 * MS), 0);
        assert_int_equal(wait_sleep(&ec, wait_announce(&ec, ABI_WAIT_FUTEX), from + LONG_NS, 2 * MS), 0);
        assert_true(wait_mono_ns() - from < LONG_NS);
}

static void sleep_when_deadline_comes_times_out(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        int64_t from = wait_mono_ns();
        uint32_t event = wait_announce(&ec, ABI_WAIT_FUTEX);
        assert_int_equal(wait_sleep(&ec, event, from - 1, LONG_NS), -ETIMEDOUT);
        int rc;
        while ((rc = wait_sleep(&ec, event, from + 5 * MS, LONG_NS)) == 0)
                continue;
        assert_int_equal(rc, -ETIMEDOUT);
        assert_true(wait_mono_ns() >= from + 5 * MS);
}

/* The event of another lap of the 32-bit counter is another event all the same. */
static void wake_when_event_wraps_goes_on(void **state)
{
        (void)state;
        struct abi_eventcount ec = {.event = UINT32_MAX};
        uint32_t event = wait_announce(&ec, ABI_WAIT_FUTEX);
        wait_wake(&ec);
        assert_int_equal(ec.event, 0);
        assert_int_equal(wait_sleep(&ec, event, WAIT_FOREVER, LONG_NS), 0);
}

static void on_alarm(int sig)
{
        (void)sig;
}

static void sleep_when_a_signal_comes_is_eintr(void **state)
{
        (void)state;
        struct abi_eventcount ec = {0};
        struct sigaction sa = {.sa_handler = on_alarm}, old;
        struct itimerval soon = {.it_value = {.tv_usec = 1000}, .it_interval = {.tv_usec = 1000}}, off = {0};
        sigaction(SIGALRM, &sa, &old);
        setitimer(ITIMER_REAL, &soon, NULL); /* again and again, so that one before the sleep does no harm */
        int rc = wait_sleep(&ec, wait_announce(&ec, ABI_WAIT_FUTEX), WAIT_FOREVER, LONG_NS);
        setitimer(ITIMER_REAL, &off, NULL);
        sigaction(SIGALRM, &old, NULL);
        assert_int_equal(rc, -EINTR);
}

/* ---- two threads ----------------------------------------------------------------------------------------- */

#define TURNS 20000

struct table {
        struct abi_eventcount ec[2]; /* each thread sleeps on its own */
        _Atomic uint64_t turn;       /* even: the first one's */
        int64_t longest_ns;
};

/* Wait for one's turn, take it, wake the other: what every sleeper and waker in the library does. */
static void play(struct table *t, uint64_t me)
{
        for (uint64_t n = me; n < TURNS; n += 2) {
                int64_t from = wait_mono_ns();
                while (atomic_load_explicit(&t->turn, memory_order_acquire) != n) {
                        uint32_t event = wait_announce(&t->ec[me], ABI_WAIT_FUTEX);
                        if (atomic_load_explicit(&t->turn, memory_order_acquire) == n)
                                break;
                        wait_sleep(&t->ec[me], event, WAIT_FOREVER, LONG_NS);
                }
                if (wait_mono_ns() - from > t->longest_ns)
                        t->longest_ns = wait_mono_ns() - from;
                atomic_store_explicit(&t->turn, n + 1, memory_order_release);
                wait_wake(&t->ec[!me]);
        }
}

static void *play_second(void *arg)
{
        play(arg, 1);
        return NULL;
}

static void ping_pong(void)
{
        struct table t = {0};
        pthread_t second;
        assert_int_equal(pthread_create(&second, NULL, play_second, &t), 0);
        play(&t, 0);
        pthread_join(second, NULL);
        assert_true(t.longest_ns < LONG_NS);
}

static void wake_when_the_waker_fences_itself_is_never_lost(void **state)
{
        (void)state;
        atomic_store(&wait_registered, false);
        ping_pong();
}

static void wake_when_the_sleeper_fences_for_both_is_never_lost(void **state)
{
        (void)state;
        wait_register();
        if (!atomic_load(&wait_registered)) {
                print_message("skipped: no membarrier on this kernel\n");
                skip();
        }
        ping_pong();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(deadline_when_timeout_is_zero_is_past),
                cmocka_unit_test(deadline_when_timeout_is_negative_is_never),
                cmocka_unit_test(deadline_when_timeout_is_given_is_that_far_ahead),
                cmocka_unit_test(wake_when_nobody_is_announced_does_nothing),
                cmocka_unit_test(wake_when_announced_clears_and_counts),
                cmocka_unit_test(sleep_when_event_has_changed_returns_at_once),
                cmocka_unit_test(sleep_when_slice_is_over_returns_to_look),
                cmocka_unit_test(sleep_when_deadline_comes_times_out),
                cmocka_unit_test(wake_when_event_wraps_goes_on),
                cmocka_unit_test(sleep_when_a_signal_comes_is_eintr),
                cmocka_unit_test(wake_when_the_waker_fences_itself_is_never_lost),
                cmocka_unit_test(wake_when_the_sleeper_fences_for_both_is_never_lost),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
