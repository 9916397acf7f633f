/*
 * test_ring_slack.c - frames of single claims, which may come out longer than their message by a slack: they stay in the ring
 * and within what a drained ring has room for, whoever reads, gives up or recovers them.
 *
 * links: libshm/ring.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

#define LINE ABI_LINE

static uint64_t next_random(uint64_t *state)
{
        *state = *state * 6364136223846793005ull + 1442695040888963407ull;
        return *state >> 33;
}

static uint64_t lines(uint64_t from, uint64_t bytes)
{
        return (from + bytes - 1) / LINE - from / LINE + 1;
}

static struct ring_claim claim_one(const struct rig *rig, uint64_t length)
{
        struct ring_claim claim = {0};
        uint64_t need = 0;
        assert_int_equal(ring_claim_one(&rig->r, 0, ring_frame_bytes(length), &claim, &need), RING_OK);
        return claim;
}

static void stamp(const struct rig *rig, const struct ring_claim *claim, uint64_t length, unsigned flags)
{
        ring_stamp_claim(&rig->r, claim, (uint32_t)length, flags, 0);
        ring_clear_intent(&rig->r, 0);
}

/* Any lengths in any rings: each frame is where it may be, and the next of its size takes as few lines as it can. */
static void slack_when_lengths_vary_keeps_frames_in_the_ring(void **state)
{
        (void)state;
        uint64_t random = 1;
        for (uint64_t capacity = 64; capacity <= 8192; capacity *= 2) {
                struct rig rig = rig_new(capacity, RIG_HIGH - (100ull << 20));
                uint64_t longest = ring_claim_max(capacity) - ABI_FRAME_BYTES;
                for (int i = 0; i < 3000; i++) {
                        uint64_t length = i % 5 ? next_random(&random) % (longest + 1) : longest - (uint64_t)i % 3 * 16;
                        if (length > longest)
                                length = 0;
                        rig_refresh(&rig, UINT64_MAX); /* drained: whatever fits half the ring has room */
                        struct ring_claim claim = claim_one(&rig, length);
                        uint64_t bytes = ring_frame_bytes(length), slack = claim.end - claim.position - bytes;
                        assert_true(slack < LINE && slack % 16 == 0);
                        assert_int_equal(claim.position % 16, 0);
                        assert_true((claim.position & rig.r.mask) + bytes + slack <= capacity);
                        if (slack) {
                                assert_int_equal(claim.end % LINE, 0);
                                assert_true(lines(claim.end, bytes) < lines(claim.end - slack, bytes));
                        } else {
                                assert_int_equal(lines(claim.end, bytes), (bytes + LINE - 1) / LINE);
                        }
                        stamp(&rig, &claim, length, 0);
                        struct ring_frame f;
                        assert_true(ring_look(&rig.r, claim.position, &f));
                        assert_int_equal(f.length, length);
                        assert_int_equal(f.flags, 0);
                        assert_int_equal(f.next, claim.end);
                        assert_int_equal(ring_tail(&rig.r, NULL), claim.end);
                }
                rig_free(&rig);
        }
}

/* Half the ring, twice: exactly a ring, without slack or padding. And not a byte more without a reader's leave. */
static void slack_when_frames_are_half_the_ring_is_none(void **state)
{
        (void)state;
        struct rig rig = rig_new(4096, (RIG_HIGH - 4096));
        uint64_t length = ring_claim_max(4096) - ABI_FRAME_BYTES, need;
        struct ring_claim claim;
        for (int i = 0; i < 2; i++) {
                claim = claim_one(&rig, length);
                stamp(&rig, &claim, length, 0);
        }
        assert_int_equal(claim.end, (RIG_HIGH - 4096) + 4096);
        assert_int_equal(ring_claim_one(&rig.r, 0, 16, &claim, &need), RING_FULL);
        assert_int_equal(need, (RIG_HIGH - 4096) + 4096 + 16);
        rig_free(&rig);
}

static void slack_when_given_up_or_recovered_is_passed_over(void **state)
{
        (void)state;
        struct rig rig = rig_new(4096, 0);
        uint64_t nobody = 0;
        struct ring_frame f;
        struct ring_claim first = claim_one(&rig, 20); /* 48 bytes: 16 are left of the line */
        assert_int_equal(first.end, 64);
        stamp(&rig, &first, 20, ABI_FRAME_PAD);
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_OK);
        assert_int_equal(f.flags, ABI_FRAME_PAD);
        assert_int_equal(f.next, 64);
        struct ring_claim second = claim_one(&rig, 20); /* its owner dies here */
        assert_int_equal(ring_recover(&rig.r, second.position, rig_alive, &nobody), RING_HOLE);
        rig_expect_pad(&rig, second.position, second.end, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        uint32_t holes = 0;
        assert_int_equal(ring_reap(&rig.r, 0, rig_alive, &nobody, &holes), RING_OK);
        assert_int_equal(holes, 0);
        assert_int_equal(ring_tail(&rig.r, NULL), 128);
        rig_free(&rig);
}

/* A damaged header's slack leads over the ring's end: neither look believes it. */
static void slack_when_it_crosses_the_end_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(4096, 0);
        uint64_t last = 4096 - 48;
        struct ring_frame f;
        for (unsigned units = 0; units <= 3; units++) {
                ring_stamp_frame(&rig.r, last, 1, units << ABI_FRAME_SLACK_SHIFT, 0); /* 32 bytes and the slack */
                assert_int_equal(ring_look(&rig.r, last, &f), units <= 1);
                assert_int_equal(ring_peek(&rig.r, last, &f), units <= 1 ? RING_OK : RING_CORRUPT);
        }
        ring_stamp_frame(&rig.r, 0, UINT32_MAX, 3 << ABI_FRAME_SLACK_SHIFT, 0);
        assert_false(ring_look(&rig.r, 0, &f));
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_CORRUPT);
        rig_free(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(slack_when_lengths_vary_keeps_frames_in_the_ring),
                cmocka_unit_test(slack_when_frames_are_half_the_ring_is_none),
                cmocka_unit_test(slack_when_given_up_or_recovered_is_passed_over),
                cmocka_unit_test(slack_when_it_crosses_the_end_is_corrupt),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
