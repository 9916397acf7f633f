/*
 * test_ring_limit.c - what holds the licence to overwrite back: open claims; and how much history it leaves.
 *
 * links: libshm/ring.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

/* ---- limit itself ---------------------------------------------------------------------------------------- */

static void ring_limit_when_lowered_stays(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        ring_raise_limit(&rig.r, 96);
        ring_raise_limit(&rig.r, 80);
        assert_int_equal(ring_limit(&rig.r), 96);
        ring_raise_limit(&rig.r, 112);
        assert_int_equal(ring_limit(&rig.r), 112);
        rig_free(&rig);
}

static void ring_earliest_when_in_first_lap_is_base(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, RIG_HIGH);
        assert_int_equal(ring_earliest(&rig.r), RIG_HIGH);
        rig_send(&rig, 0, "x", 1);
        rig_refresh(&rig, RIG_HIGH);
        assert_int_equal(ring_earliest(&rig.r), RIG_HIGH);
        rig_refresh(&rig, RIG_HIGH + 32);
        assert_int_equal(ring_earliest(&rig.r), RIG_HIGH + 32);
        rig_free(&rig);
}

/* Reading may start at the earliest position whatever the sizes were: it is a frame boundary, and not overwritten. */
static void ring_earliest_when_frames_differ_is_a_frame(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 4096);
        unsigned char data[128] = {0};
        for (size_t n = 0; n < 500; n++) {
                struct ring_frame f;
                struct ring_claim claim = {0};
                uint64_t need, bytes = ring_frame_bytes(n * 7 % 97);
                while (ring_claim(&rig.r, 0, bytes, &claim, &need) == RING_FULL)
                        ring_raise_limit(&rig.r,
                                         ring_keep_history(&rig.r, need, ring_tail(&rig.r, NULL)) + 256);
                rig_commit(&rig, 0, &claim, data, n * 7 % 97);
                uint64_t p = ring_earliest(&rig.r), tail = ring_tail(&rig.r, NULL);
                assert_true(p <= tail && tail - p <= 256);
                for (; p < tail; p = f.next)
                        assert_int_equal(ring_peek(&rig.r, p, &f), RING_OK);
                assert_int_equal(p, tail);
        }
        rig_free(&rig);
}

/* ---- open claims ----------------------------------------------------------------------------------------- */

static void ring_min_intent_when_nothing_is_open_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        assert_true(ring_min_intent(&rig.r, 0) == UINT64_MAX);
        rig_send(&rig, 0, "x", 1);
        assert_true(ring_min_intent(&rig.r, 32) == UINT64_MAX);
        rig_free(&rig);
}

static void ring_min_intent_when_claims_are_open_is_the_lowest(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, RIG_HIGH);
        rig_send(&rig, 0, "x", 1);
        rig_claim(&rig, 9, 32);
        rig_claim(&rig, 3, 32);
        rig_claim(&rig, 255, 32);
        assert_int_equal(ring_min_intent(&rig.r, ring_tail(&rig.r, NULL)), RIG_HIGH + 32);
        rig_free(&rig);
}

/* Won after t0 was read, or lost: either way it holds nothing before t0. */
static void ring_min_intent_when_intent_ends_beyond_t0_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        rig_send(&rig, 0, "x", 1);
        rig_intend(&rig, 1, 32, 64);
        assert_true(ring_min_intent(&rig.r, 32) == UINT64_MAX);
        /* Won: counts from the next look at tail on. */
        atomic_store(&rig.r.seg->tail, 64);
        assert_int_equal(ring_min_intent(&rig.r, ring_tail(&rig.r, NULL)), 32);
        rig_free(&rig);
}

/* A producer that was overtaken at the CAS and stopped there: others committed all that it had intended. */
static void ring_min_intent_when_lost_and_committed_by_others_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        rig_intend(&rig, 1, 0, 48);
        rig_send(&rig, 2, "x", 1); /* [0, 32) */
        assert_true(ring_min_intent(&rig.r, 32) == UINT64_MAX);
        rig_send(&rig, 2, "y", 1); /* [32, 64): beyond its end */
        assert_true(ring_min_intent(&rig.r, 64) == UINT64_MAX);
        rig_free(&rig);
}

static void ring_min_intent_when_lost_to_an_open_claim_counts(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        rig_intend(&rig, 1, 0, 48);
        rig_claim(&rig, 2, 64);
        assert_int_equal(ring_min_intent(&rig.r, 64), 0);
        rig_free(&rig);
}

static void ring_min_intent_when_wholly_committed_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_claim claim = rig_claim(&rig, 1, 64);
        ring_stamp_frame(&rig.r, claim.position, 16, 0, 1);
        assert_int_equal(ring_min_intent(&rig.r, 64), 0); /* half of a batch */
        ring_stamp_frame(&rig.r, claim.position + 32, 16, 0, 1);
        assert_true(ring_min_intent(&rig.r, 64) == UINT64_MAX);
        rig_free(&rig);
}

/* Stopped between stamp and clearing, and the ring went on for laps: it must not hold anybody up. */
static void ring_min_intent_when_ring_has_moved_on_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        rig_claim(&rig, 1, 32);
        ring_stamp_frame(&rig.r, 0, 1, 0, 1);
        for (int i = 0; i < 8; i++) {
                rig_refresh(&rig, UINT64_MAX);
                rig_send(&rig, 0, "x", 1);
        }
        assert_int_equal(rig_start(&rig, 1), 0);
        assert_true(ring_min_intent(&rig.r, ring_tail(&rig.r, NULL)) == UINT64_MAX);
        rig_free(&rig);
}

static void ring_min_intent_when_damaged_is_ignored(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 4096);
        rig_intend(&rig, 1, 0, 4096);    /* longer than the ring */
        rig_intend(&rig, 2, 4096, 4090); /* backwards */
        assert_true(ring_min_intent(&rig.r, 4096) == UINT64_MAX);
        rig_free(&rig);
}

/* With nobody reading, only the open claim stops a lap: the limit is exactly one ring beyond it. */
static void ring_claim_when_a_claim_is_open_a_lap_before_is_full(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_claim claim, stuck = rig_claim(&rig, 1, 32);
        uint64_t need;
        rig_send(&rig, 0, "x", 1);
        rig_refresh(&rig, UINT64_MAX);
        assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_FULL);
        rig_commit(&rig, 1, &stuck, "y", 1);
        rig_refresh(&rig, UINT64_MAX);
        assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_OK);
        rig_free(&rig);
}

/* ---- history --------------------------------------------------------------------------------------------- */

static void ring_keep_history_when_first_lap_is_highest(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, RIG_HIGH);
        assert_int_equal(ring_keep_history(&rig.r, RIG_HIGH + 32, RIG_HIGH), RIG_HIGH);
        rig_free(&rig);
}

/* 64 frames of 32 bytes fill 2048: room for one more, and for an eighth of the ring, is made by giving up about an
 * eighth. */
static void ring_keep_history_when_full_gives_up_an_eighth(void **state)
{
        (void)state;
        struct rig rig = rig_new(2048, 0);
        for (int i = 0; i < 64; i++)
                rig_send(&rig, 0, "x", 1);
        uint64_t kept = ring_keep_history(&rig.r, 2048 + 32, 2048);
        assert_true(kept >= 32 + 256);
        assert_true(kept <= 512);
        assert_int_equal(kept % 32, 0);
        rig_free(&rig);
}

static void ring_keep_history_when_readers_hold_is_never_beyond_them(void **state)
{
        (void)state;
        struct rig rig = rig_new(2048, 0);
        for (int i = 0; i < 64; i++)
                rig_send(&rig, 0, "x", 1);
        assert_int_equal(ring_keep_history(&rig.r, 2048 + 32, 64), 64);
        rig_free(&rig);
}

/* Checkpoints are hints that anybody may have damaged: none of these may move limit beyond `highest` or off a boundary
 * multiple of 16, or back. */
static void ring_keep_history_when_hints_are_damaged_ignores_them(void **state)
{
        (void)state;
        static const uint64_t bad[] = {0, 7, 2040, 2048, 4096, UINT64_MAX, UINT64_MAX - 2047, ABI_POSITION_MAX};
        struct rig rig = rig_new(2048, 0);
        for (int i = 0; i < 64; i++)
                rig_send(&rig, 0, "x", 1);
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                for (unsigned c = 0; c < ABI_CHECKPOINTS; c++)
                        atomic_store(&rig.r.seg->checkpoint[c], bad[i]);
                assert_int_equal(ring_keep_history(&rig.r, 2048 + 32, 1984), 1984);
        }
        rig_free(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ring_limit_when_lowered_stays),
                cmocka_unit_test(ring_earliest_when_in_first_lap_is_base),
                cmocka_unit_test(ring_earliest_when_frames_differ_is_a_frame),
                cmocka_unit_test(ring_min_intent_when_nothing_is_open_is_none),
                cmocka_unit_test(ring_min_intent_when_claims_are_open_is_the_lowest),
                cmocka_unit_test(ring_min_intent_when_intent_ends_beyond_t0_is_none),
                cmocka_unit_test(ring_min_intent_when_lost_and_committed_by_others_is_none),
                cmocka_unit_test(ring_min_intent_when_lost_to_an_open_claim_counts),
                cmocka_unit_test(ring_min_intent_when_wholly_committed_is_none),
                cmocka_unit_test(ring_min_intent_when_ring_has_moved_on_is_none),
                cmocka_unit_test(ring_min_intent_when_damaged_is_ignored),
                cmocka_unit_test(ring_claim_when_a_claim_is_open_a_lap_before_is_full),
                cmocka_unit_test(ring_keep_history_when_first_lap_is_highest),
                cmocka_unit_test(ring_keep_history_when_full_gives_up_an_eighth),
                cmocka_unit_test(ring_keep_history_when_readers_hold_is_never_beyond_them),
                cmocka_unit_test(ring_keep_history_when_hints_are_damaged_ignores_them),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
