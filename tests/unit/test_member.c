/*
 * A member's life, lived without a process and without waiting.
 *
 * links: supervisor/member.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../../supervisor/member.h"

#define MS           1000000ll
#define EXITED(code) ((code) << 8)
#define KILLED(sig)  (sig)

struct life {
        struct member m;
        struct conf_group policy;
        int64_t now;
};

static int setup(void **state)
{
        struct life *l = calloc(1, sizeof *l);
        if (!l)
                return -1;
        l->policy = (struct conf_group){
                .restart = CONF_PERMANENT,
                .backoff_min_ms = 100,
                .backoff_max_ms = 1000,
                .stable_after_ms = 10000,
                .max_restarts = 5,
                .restart_period_ms = 60000,
                .start_delay_ms = 50,
                .start_jitter_ms = 0,
                .stop_timeout_ms = 3000,
        };
        l->now = 1000000 * MS;
        *state = l;
        return member_init(&l->m, &l->policy);
}

static int teardown(void **state)
{
        struct life *l = *state;
        member_free(&l->m);
        free(l);
        return 0;
}

static unsigned feed(struct life *l, enum member_event event)
{
        return member_feed(&l->m, &l->policy, event, l->now, 0);
}

/* The clock goes on to the time the member waits for. */
static unsigned feed_due(struct life *l)
{
        assert_true(l->m.due_ns != MEMBER_NEVER);
        if (l->m.due_ns > l->now)
                l->now = l->m.due_ns;
        return feed(l, MEMBER_DUE);
}

static void run(struct life *l)
{
        if (l->m.state == TORC_MEMBER_STOPPED)
                feed(l, MEMBER_START);
        assert_int_equal(feed_due(l), MEMBER_SPAWN);
        assert_int_equal(l->m.state, TORC_MEMBER_RUNNING);
}

static unsigned end(struct life *l, int32_t status, int64_t after_ms)
{
        l->now += after_ms * MS;
        return feed(l, member_judge(&l->m, &l->policy, status, NULL, l->now));
}

static int64_t wait_ms(const struct life *l)
{
        return (l->m.due_ns - l->now) / MS;
}

static void member_start_waits_for_its_delay_then_spawns(void **state)
{
        struct life *l = *state;
        assert_int_equal(feed(l, MEMBER_START), 0);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        assert_int_equal(wait_ms(l), 50);
        assert_int_equal(feed_due(l), MEMBER_SPAWN);
        assert_int_equal(l->m.state, TORC_MEMBER_RUNNING);
        assert_int_equal(l->m.due_ns, MEMBER_NEVER);
        assert_int_equal(l->m.last_status, MEMBER_STATUS_NONE);
}

static void member_start_jitter_stays_in_its_range(void **state)
{
        struct life *l = *state;
        int64_t least = INT64_MAX, most = 0;
        l->policy.start_jitter_ms = 100;
        for (uint64_t chance = 0; chance < 1000; chance++) {
                l->m.state = TORC_MEMBER_STOPPED;
                member_feed(&l->m, &l->policy, MEMBER_START, l->now, chance * 2654435761u);
                int64_t ms = wait_ms(l);
                least = ms < least ? ms : least;
                most = ms > most ? ms : most;
        }
        assert_int_equal(least, 50);
        assert_int_equal(most, 150);
}

static void member_crash_loop_backs_off_to_the_maximum(void **state)
{
        struct life *l = *state;
        static const int64_t expected[] = {150, 250, 450, 850, 1050};
        run(l);
        for (size_t i = 0; i < 5; i++) {
                assert_int_equal(end(l, EXITED(1), 1), 0);
                assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
                assert_int_equal(wait_ms(l), expected[i]);
                assert_string_equal(l->m.cause, "exited with status 1");
                run(l);
        }
        assert_int_equal(l->m.restarts, 5);
}

static void member_backoff_jitter_only_shortens_and_by_an_eighth_at_most(void **state)
{
        struct life *l = *state;
        l->policy.start_delay_ms = 0;
        for (uint64_t chance = 0; chance < 64; chance++) {
                run(l);
                l->m.backoff_ms = 800;
                l->m.n_history = 0;
                member_feed(&l->m, &l->policy, MEMBER_ENDED_AGAIN, l->now, chance << 34);
                assert_in_range(wait_ms(l), 700, 800);
        }
}

static void member_stable_time_resets_the_backoff(void **state)
{
        struct life *l = *state;
        run(l);
        end(l, EXITED(1), 1);
        run(l);
        end(l, EXITED(1), 1);
        assert_int_equal(wait_ms(l), 250);
        run(l);
        end(l, EXITED(1), 9999);
        assert_int_equal(wait_ms(l), 450);
        run(l);
        end(l, EXITED(1), 10000);
        assert_int_equal(wait_ms(l), 150);
}

static void member_quarantined_after_one_restart_too_many(void **state)
{
        struct life *l = *state;
        run(l);
        for (int i = 0; i < 5; i++) {
                end(l, KILLED(SIGSEGV), 1);
                assert_int_equal(member_recent(&l->m, &l->policy, l->now), i + 1);
                run(l);
        }
        end(l, KILLED(SIGSEGV), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_QUARANTINED);
        assert_int_equal(l->m.due_ns, MEMBER_NEVER);
        assert_string_equal(l->m.cause, "restarted 5 times in 60 s; last: was killed by SIGSEGV");
        assert_int_equal(feed(l, MEMBER_DUE), 0);
        /* By hand it goes on, and all is forgiven. */
        feed(l, MEMBER_START);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        run(l);
        end(l, EXITED(1), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        assert_int_equal(wait_ms(l), 150);
}

static void member_restarts_outside_the_period_do_not_count(void **state)
{
        struct life *l = *state;
        run(l);
        for (int i = 0; i < 50; i++) {
                end(l, EXITED(1), 12001); /* the fifth before is more than a period ago */
                assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
                run(l);
        }
        assert_int_equal(l->m.restarts, 50);
}

static void member_without_restarts_is_quarantined_at_its_first_end(void **state)
{
        struct life *l = *state;
        member_free(&l->m);
        l->policy.max_restarts = 0;
        assert_int_equal(member_init(&l->m, &l->policy), 0);
        run(l);
        end(l, EXITED(0), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_QUARANTINED);
}

static void member_restart_policy_decides_after_an_end(void **state)
{
        struct life *l = *state;
        static const struct {
                enum conf_restart restart;
                int32_t status;
                enum torc_member_state state;
        } cases[] = {
                {CONF_PERMANENT, EXITED(0), TORC_MEMBER_DELAYED},
                {CONF_PERMANENT, KILLED(SIGKILL), TORC_MEMBER_DELAYED},
                {CONF_PERMANENT, EXITED(TORC_EXIT_FENCED), TORC_MEMBER_STOPPED},
                {CONF_TRANSIENT, EXITED(0), TORC_MEMBER_STOPPED},
                {CONF_TRANSIENT, EXITED(3), TORC_MEMBER_DELAYED},
                {CONF_TRANSIENT, KILLED(SIGTERM), TORC_MEMBER_DELAYED},
                {CONF_TRANSIENT, MEMBER_STATUS_UNKNOWN, TORC_MEMBER_DELAYED},
                {CONF_TRANSIENT, EXITED(TORC_EXIT_FENCED), TORC_MEMBER_STOPPED},
                {CONF_TEMPORARY, EXITED(0), TORC_MEMBER_STOPPED},
                {CONF_TEMPORARY, EXITED(1), TORC_MEMBER_STOPPED},
                {CONF_TEMPORARY, KILLED(SIGKILL), TORC_MEMBER_STOPPED},
        };
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                l->policy.restart = cases[i].restart;
                feed(l, MEMBER_STOP);
                run(l);
                end(l, cases[i].status, 1);
                assert_int_equal(l->m.state, cases[i].state);
                assert_int_equal(l->m.last_status, cases[i].status);
                l->m.n_history = 0;
        }
}

static void member_stop_signals_then_kills_then_kills_again(void **state)
{
        struct life *l = *state;
        run(l);
        assert_int_equal(feed(l, MEMBER_STOP), MEMBER_SIGNAL);
        assert_int_equal(l->m.state, TORC_MEMBER_STOPPING);
        assert_int_equal(wait_ms(l), 3000);
        assert_int_equal(feed(l, MEMBER_STOP), 0);
        assert_int_equal(wait_ms(l), 3000); /* asking twice does not prolong it */
        assert_int_equal(feed_due(l), MEMBER_KILL);
        assert_string_equal(l->m.cause, "killed: it did not stop in time");
        assert_int_equal(feed_due(l), MEMBER_KILL);
        end(l, KILLED(SIGKILL), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_STOPPED);
        assert_int_equal(l->m.due_ns, MEMBER_NEVER);
        assert_string_equal(l->m.cause, "stopped by request");
}

static void member_hasten_kills_only_what_is_stopping(void **state)
{
        struct life *l = *state;
        assert_int_equal(feed(l, MEMBER_HASTEN), 0);
        run(l);
        assert_int_equal(feed(l, MEMBER_HASTEN), 0);
        feed(l, MEMBER_STOP);
        assert_int_equal(feed(l, MEMBER_HASTEN), MEMBER_KILL);
}

static void member_stop_while_delayed_never_starts(void **state)
{
        struct life *l = *state;
        feed(l, MEMBER_START);
        feed(l, MEMBER_STOP);
        assert_int_equal(l->m.state, TORC_MEMBER_STOPPED);
        assert_int_equal(l->m.due_ns, MEMBER_NEVER);
        assert_int_equal(feed(l, MEMBER_DUE), 0);
        assert_false(l->m.wanted);
}

static void member_restart_by_hand_stops_and_starts_without_backoff(void **state)
{
        struct life *l = *state;
        run(l);
        end(l, EXITED(1), 1);
        run(l);
        assert_int_equal(feed(l, MEMBER_RESTART), MEMBER_SIGNAL);
        assert_int_equal(l->m.state, TORC_MEMBER_STOPPING);
        end(l, KILLED(SIGTERM), 5);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        assert_int_equal(wait_ms(l), 50);
        assert_int_equal(l->m.restarts, 1);
}

static void member_last_word_counts_while_stopping(void **state)
{
        struct life *l = *state;
        run(l);
        feed(l, MEMBER_STOP);
        feed(l, MEMBER_START);
        end(l, EXITED(0), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        run(l);
        feed(l, MEMBER_RESTART);
        feed(l, MEMBER_STOP);
        end(l, EXITED(TORC_EXIT_FENCED), 1);
        assert_int_equal(l->m.state, TORC_MEMBER_STOPPED);
}

static void member_start_by_hand_ends_a_backoff(void **state)
{
        struct life *l = *state;
        run(l);
        for (int i = 0; i < 4; i++) {
                end(l, EXITED(1), 1);
                run(l);
        }
        end(l, EXITED(1), 1);
        assert_int_equal(wait_ms(l), 1050);
        feed(l, MEMBER_START);
        assert_int_equal(wait_ms(l), 0);
        assert_int_equal(l->m.backoff_ms, 100);
}

static void member_failed_spawn_is_an_end_with_its_reason(void **state)
{
        struct life *l = *state;
        run(l);
        enum member_event e = member_judge(&l->m, &l->policy, EXITED(127), "cannot run 'x': no such file", l->now);
        feed(l, e);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        assert_string_equal(l->m.cause, "cannot run 'x': no such file");
}

static void member_every_event_in_every_state_keeps_the_invariants(void **state)
{
        struct life *l = *state;
        for (int s = 0; s <= TORC_MEMBER_QUARANTINED; s++) {
                for (int e = 0; e < MEMBER_EVENTS; e++) {
                        l->m.state = (enum torc_member_state)s;
                        l->m.due_ns = s == TORC_MEMBER_DELAYED || s == TORC_MEMBER_STOPPING ? l->now : MEMBER_NEVER;
                        unsigned act = feed(l, (enum member_event)e);
                        bool timed = l->m.state == TORC_MEMBER_DELAYED || l->m.state == TORC_MEMBER_STOPPING;
                        assert_true(timed == (l->m.due_ns != MEMBER_NEVER));
                        assert_true(!(act & MEMBER_SPAWN) || s == TORC_MEMBER_DELAYED);
                        assert_true(!(act & (MEMBER_SIGNAL | MEMBER_KILL)) || l->m.state == TORC_MEMBER_STOPPING);
                }
        }
}

static void member_restore_goes_on_where_the_other_was_killed(void **state)
{
        struct life *l = *state;
        int64_t wall = 77000000 * MS;
        struct torc_member_info info = {.state = TORC_MEMBER_DELAYED,
                                        .wanted = true,
                                        .restarts = 9,
                                        .recent = 3,
                                        .backoff_ms = 400,
                                        .last_status = EXITED(1),
                                        .started_ns = wall - 5000 * MS,
                                        .due_ns = wall + 300 * MS};
        member_restore(&l->m, &l->policy, &info, l->now, wall);
        assert_int_equal(l->m.state, TORC_MEMBER_DELAYED);
        assert_int_equal(wait_ms(l), 300);
        assert_int_equal(l->m.restarts, 9);
        assert_int_equal(member_recent(&l->m, &l->policy, l->now), 3);
        assert_int_equal(l->m.started_ns, l->now - 5000 * MS);
        run(l);
        end(l, EXITED(1), 1);
        assert_int_equal(wait_ms(l), 450);
        assert_int_equal(member_recent(&l->m, &l->policy, l->now), 4);
}

static void member_restore_does_not_trust_the_wall_clock(void **state)
{
        struct life *l = *state;
        struct torc_member_info info = {.state = TORC_MEMBER_DELAYED,
                                        .wanted = true,
                                        .recent = 4000000000u,
                                        .backoff_ms = 4000000000u,
                                        .started_ns = INT64_MAX / 2,
                                        .due_ns = INT64_MAX / 2};
        member_restore(&l->m, &l->policy, &info, l->now, 1000);
        assert_int_equal(wait_ms(l), 1050);
        assert_int_equal(l->m.started_ns, l->now);
        assert_int_equal(l->m.backoff_ms, 1000);
        assert_int_equal(member_recent(&l->m, &l->policy, l->now), 5);
        info.due_ns = 0;
        info.state = TORC_MEMBER_STOPPING;
        member_restore(&l->m, &l->policy, &info, l->now, INT64_MAX / 2);
        assert_int_equal(wait_ms(l), 3000);
}

static void member_status_text_names_every_kind_of_end(void **state)
{
        char text[64];
        (void)state;
        member_status_text(text, sizeof text, EXITED(3));
        assert_string_equal(text, "exited with status 3");
        member_status_text(text, sizeof text, KILLED(SIGKILL));
        assert_string_equal(text, "was killed by SIGKILL");
        member_status_text(text, sizeof text, KILLED(SIGABRT) | 0x80);
        assert_string_equal(text, "was killed by SIGABRT (core dumped)");
        member_status_text(text, sizeof text, MEMBER_STATUS_UNKNOWN);
        assert_string_equal(text, "ended; its status is not known");
        member_status_text(text, sizeof text, MEMBER_STATUS_NONE);
        assert_string_equal(text, "has never run");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(member_start_waits_for_its_delay_then_spawns),
                TEST(member_start_jitter_stays_in_its_range),
                TEST(member_crash_loop_backs_off_to_the_maximum),
                TEST(member_backoff_jitter_only_shortens_and_by_an_eighth_at_most),
                TEST(member_stable_time_resets_the_backoff),
                TEST(member_quarantined_after_one_restart_too_many),
                TEST(member_restarts_outside_the_period_do_not_count),
                TEST(member_without_restarts_is_quarantined_at_its_first_end),
                TEST(member_restart_policy_decides_after_an_end),
                TEST(member_stop_signals_then_kills_then_kills_again),
                TEST(member_hasten_kills_only_what_is_stopping),
                TEST(member_stop_while_delayed_never_starts),
                TEST(member_restart_by_hand_stops_and_starts_without_backoff),
                TEST(member_last_word_counts_while_stopping),
                TEST(member_start_by_hand_ends_a_backoff),
                TEST(member_failed_spawn_is_an_end_with_its_reason),
                TEST(member_every_event_in_every_state_keeps_the_invariants),
                TEST(member_restore_goes_on_where_the_other_was_killed),
                TEST(member_restore_does_not_trust_the_wall_clock),
                TEST(member_status_text_names_every_kind_of_end),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
