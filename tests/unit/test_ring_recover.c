/*
 * test_ring_recover.c - holes that the dead leave behind: each rule by which a recoverer settles them, and the reaping of
 * whole claims.
 *
 * links: libshm/ring.c
 *
 * A dead producer is one whose slot the test calls dead; how far it came before is written into the ring by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

static const uint64_t bases[] = {0, 1ull << 32, RIG_HIGH};
#define EACH(i, array) (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

static uint64_t nobody = 0;

static enum ring_result recover(const struct rig *rig, uint64_t p, uint64_t alive)
{
        return ring_recover(&rig->r, p, rig_alive, &alive);
}

/* What a producer that published its intent and won the CAS has done before it stamps anything. */
static void take(const struct rig *rig, unsigned slot, uint64_t bytes)
{
        uint64_t t = ring_tail(&rig->r, NULL);
        rig_intend(rig, slot, t, t + bytes);
        atomic_store(&rig->r.seg->tail, t + bytes);
}

/* ---- one hole -------------------------------------------------------------------------------------------- */

static void ring_recover_when_not_claimed_is_ok(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_frame f;
        rig_send(&rig, 0, "x", 1);
        assert_int_equal(recover(&rig, 32, nobody), RING_OK);
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_EMPTY);
        rig_free(&rig);
}

static void ring_recover_when_committed_changes_nothing(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        rig_send(&rig, 0, "x", 1);
        assert_int_equal(recover(&rig, 0, nobody), RING_OK);
        rig_expect(&rig, 0, "x", 1, 0, NULL);
        rig_free(&rig);
}

static void ring_recover_when_holder_lives_is_busy(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_frame f;
        struct ring_claim claim = rig_claim(&rig, 5, 32);
        assert_int_equal(recover(&rig, 0, 1u << 5), RING_BUSY);
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_HOLE);
        rig_commit(&rig, 5, &claim, "x", 1);
        rig_expect(&rig, 0, "x", 1, 5, NULL);
        rig_free(&rig);
}

static void ring_recover_when_holder_is_dead_aborts_its_claim(void **state)
{
        (void)state;
        for EACH (b, bases) {
                struct rig rig = rig_new(128, bases[b]);
                struct ring_frame f;
                rig_claim(&rig, 5, 48);
                assert_int_equal(recover(&rig, bases[b], nobody), RING_HOLE);
                rig_expect_pad(&rig, bases[b], bases[b] + 48, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                assert_int_equal(ring_peek(&rig.r, bases[b] + 48, &f), RING_EMPTY);
                assert_int_equal(recover(&rig, bases[b], nobody), RING_OK);
                rig_free(&rig);
        }
}

static void ring_recover_when_the_next_is_committed_ends_there(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        take(&rig, 1, 32);
        rig_send(&rig, 0, "y", 1);
        assert_int_equal(recover(&rig, 0, nobody), RING_HOLE);
        rig_expect_pad(&rig, 0, 32, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_expect(&rig, 32, "y", 1, 0, NULL);
        rig_free(&rig);
}

static void ring_recover_when_the_next_is_open_ends_there(void **state)
{
        (void)state;
        for (uint64_t alive = 0; alive < 2; alive++) {
                struct rig rig = rig_new(256, 0);
                struct ring_frame f;
                take(&rig, 1, 32);
                take(&rig, 0, 48);
                assert_int_equal(recover(&rig, 0, alive), RING_HOLE);
                rig_expect_pad(&rig, 0, 32, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                assert_int_equal(ring_peek(&rig.r, 32, &f), RING_HOLE);
                rig_free(&rig);
        }
}

static void ring_recover_when_sealed_ends_at_the_end(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_frame f;
        take(&rig, 1, 48);
        ring_seal(&rig.r);
        assert_int_equal(recover(&rig, 0, nobody), RING_HOLE);
        rig_expect_pad(&rig, 0, 48, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        assert_int_equal(ring_peek(&rig.r, 48, &f), RING_END);
        rig_free(&rig);
}

/* The rest of a batch whose maker died in the middle. */
static void ring_recover_when_a_batch_is_half_done_aborts_the_rest(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        take(&rig, 1, 96);
        ring_stamp_frame(&rig.r, 0, 16, 0, 1);
        ring_advance_intent(&rig.r, 1, 32);
        assert_int_equal(recover(&rig, 0, nobody), RING_OK);
        assert_int_equal(recover(&rig, 32, nobody), RING_HOLE);
        rig_expect_pad(&rig, 32, 96, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

/* Stamped and not yet advanced: the intent still names the committed frame too. */
static void ring_recover_when_intent_lags_behind_the_stamp_aborts_the_rest_only(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        take(&rig, 1, 96);
        ring_stamp_frame(&rig.r, 0, 16, 0, 1);
        assert_int_equal(recover(&rig, 32, nobody), RING_HOLE);
        rig_expect_pad(&rig, 32, 96, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

/* Nothing that the dead one wrote before it died counts: a header without its stamp is nothing. */
static void ring_recover_when_header_is_written_but_not_stamped_aborts(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        take(&rig, 1, 48);
        memset(ring_at(&rig.r, 0), 0xff, 48);
        atomic_store(&ring_at(&rig.r, 0)->info, ABI_INFO(32, 0, 1));
        assert_int_equal(recover(&rig, 0, nobody), RING_HOLE);
        rig_expect_pad(&rig, 0, 48, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

/* ---- two dead producers that intended the same position -------------------------------------------------- */

/* Slot order and length both ways: only tail tells who won, as long as nobody followed. */
static void ring_recover_when_two_dead_intended_it_ends_at_tail(void **state)
{
        (void)state;
        for (unsigned winner = 1; winner <= 2; winner++)
                for (int longer = 0; longer < 2; longer++) {
                        struct rig rig = rig_new(256, RIG_HIGH);
                        uint64_t won = longer ? 64 : 32, lost = longer ? 32 : 64;
                        take(&rig, winner, won);
                        rig_intend(&rig, 3 - winner, RIG_HIGH, RIG_HIGH + lost);
                        assert_int_equal(recover(&rig, RIG_HIGH, nobody), RING_HOLE);
                        rig_expect_pad(&rig, RIG_HIGH, RIG_HIGH + won, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                        rig_free(&rig);
                }
}

/* The same with a third that followed the winner: committed, open and alive, open and dead. */
static void ring_recover_when_two_dead_intended_it_ends_where_the_next_begins(void **state)
{
        (void)state;
        for (unsigned winner = 1; winner <= 2; winner++)
                for (int longer = 0; longer < 2; longer++)
                        for (int next = 0; next < 3; next++) {
                                struct rig rig = rig_new(256, 0);
                                uint64_t won = longer ? 64 : 32, lost = longer ? 32 : 64;
                                take(&rig, winner, won);
                                rig_intend(&rig, 3 - winner, 0, lost);
                                if (next == 0)
                                        rig_send(&rig, 0, "y", 1);
                                else
                                        take(&rig, 0, 32);
                                assert_int_equal(recover(&rig, 0, next == 1 ? 1 : 0), RING_HOLE);
                                rig_expect_pad(&rig, 0, won, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                                rig_free(&rig);
                        }
}

/* The dead winner's claim and a live one's lost intent: the live one clears it at its next step, so wait for it. */
static void ring_recover_when_a_live_one_lost_here_is_busy_until_it_clears(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        take(&rig, 1, 32);
        rig_intend(&rig, 2, 0, 48);
        assert_int_equal(recover(&rig, 0, 1u << 2), RING_BUSY);
        ring_clear_intent(&rig.r, 2);
        assert_int_equal(recover(&rig, 0, 1u << 2), RING_HOLE);
        rig_expect_pad(&rig, 0, 32, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

/* Three dead in a row: each claim is settled by itself, first to last or last to first. */
static void ring_recover_when_three_died_in_a_row_settles_each(void **state)
{
        (void)state;
        for (int backwards = 0; backwards < 2; backwards++) {
                struct rig rig = rig_new(256, 0);
                for (unsigned i = 0; i < 3; i++)
                        take(&rig, i, 32 + 16 * i); /* [0, 32) [32, 80) [80, 144) */
                static const uint64_t at[] = {0, 32, 80, 144};
                for (int i = 0; i < 3; i++)
                        assert_int_equal(recover(&rig, at[backwards ? 2 - i : i], nobody), RING_HOLE);
                for (int i = 0; i < 3; i++)
                        rig_expect_pad(&rig, at[i], at[i + 1], ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                rig_free(&rig);
        }
}

/* ---- across the ring's end ------------------------------------------------------------------------------- */

/* A claim with padding, its maker dead before it stamped the padding. */
static struct rig rig_with_hole_across_the_end(uint64_t base)
{
        struct rig rig = rig_new(128, base);
        unsigned char data[32] = {0};
        rig_send(&rig, 0, data, 32);
        rig_send(&rig, 0, data, 32); /* 96: 32 bytes are left, a frame of 48 comes */
        rig_refresh(&rig, base + 48);
        take(&rig, 1, 32 + 48);
        return rig;
}

static void ring_recover_when_hole_crosses_the_end_fills_both_parts(void **state)
{
        (void)state;
        for EACH (b, bases) {
                struct rig rig = rig_with_hole_across_the_end(bases[b]);
                struct ring_frame f;
                assert_int_equal(recover(&rig, bases[b] + 96, nobody), RING_HOLE);
                rig_expect_pad(&rig, bases[b] + 96, bases[b] + 128, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                rig_expect_pad(&rig, bases[b] + 128, bases[b] + 176, ABI_FRAME_PAD);
                assert_int_equal(ring_peek(&rig.r, bases[b] + 176, &f), RING_EMPTY);
                rig_free(&rig);
        }
}

/* The recoverer stamps the later part first; dead then, it leaves a boundary for the next. */
static void ring_recover_when_a_recoverer_died_half_way_is_finished_by_the_next(void **state)
{
        (void)state;
        for EACH (b, bases) {
                struct rig rig = rig_with_hole_across_the_end(bases[b]);
                ring_stamp_frame(&rig.r, bases[b] + 128, 48 - ABI_FRAME_BYTES, ABI_FRAME_PAD, 0);
                assert_int_equal(recover(&rig, bases[b] + 96, nobody), RING_HOLE);
                rig_expect_pad(&rig, bases[b] + 96, bases[b] + 128, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                rig_expect_pad(&rig, bases[b] + 128, bases[b] + 176, ABI_FRAME_PAD);
                rig_free(&rig);
        }
}

/* Dead after it stamped the padding and before it moved its intent. */
static void ring_recover_when_padding_is_stamped_aborts_the_frame(void **state)
{
        (void)state;
        struct rig rig = rig_with_hole_across_the_end(0);
        ring_stamp_frame(&rig.r, 96, 32 - ABI_FRAME_BYTES, ABI_FRAME_PAD, 1);
        assert_int_equal(recover(&rig, 96, nobody), RING_OK);
        assert_int_equal(recover(&rig, 128, nobody), RING_HOLE);
        rig_expect_pad(&rig, 128, 176, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

/* ---- things that happen while the recoverer looks -------------------------------------------------------- */

/* The liveness question is asked between the first look at the stamp and the second: whatever happens there. */
struct meanwhile {
        struct rig *rig;
        int what;
};
enum { COMMITS, MOVES_ON };

static bool dead_meanwhile(void *arg, unsigned slot)
{
        struct meanwhile *m = arg;
        if (m->what == COMMITS) {
                ring_stamp_frame(&m->rig->r, 0, 4, 0, slot);
                ring_clear_intent(&m->rig->r, slot);
        } else {
                ring_raise_limit(&m->rig->r, m->rig->r.capacity + 32);
        }
        return false;
}

static void ring_recover_when_committed_meanwhile_leaves_the_message(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct meanwhile m = {&rig, COMMITS};
        rig_claim(&rig, 4, 32);
        memcpy((char *)ring_at(&rig.r, 0) + ABI_FRAME_BYTES, "kept", 4);
        assert_int_equal(ring_recover(&rig.r, 0, dead_meanwhile, &m), RING_OK);
        rig_expect(&rig, 0, "kept", 4, 4, NULL);
        rig_free(&rig);
}

static void ring_recover_when_ring_moved_on_writes_nothing(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct meanwhile m = {&rig, MOVES_ON};
        unsigned char before[128];
        take(&rig, 4, 32);
        memcpy(before, rig.r.data, sizeof before);
        assert_int_equal(ring_recover(&rig.r, 0, dead_meanwhile, &m), RING_GONE);
        assert_memory_equal(before, rig.r.data, sizeof before);
        rig_free(&rig);
}

/* No intent contains the position: its maker was reaped but for this, or the file is damaged. It ends at tail. */
static void ring_recover_when_nobody_holds_it_ends_at_the_next_boundary(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        atomic_store(&rig.r.seg->tail, 48);
        assert_int_equal(recover(&rig, 0, nobody), RING_HOLE);
        rig_expect_pad(&rig, 0, 48, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
        rig_free(&rig);
}

static void ring_recover_when_tail_is_damaged_is_corrupt(void **state)
{
        (void)state;
        static const uint64_t bad[] = {40, 144, 1ull << 40};
        for EACH (i, bad) {
                struct rig rig = rig_new(128, 0);
                unsigned char before[128];
                memcpy(before, rig.r.data, sizeof before);
                atomic_store(&rig.r.seg->tail, bad[i]);
                assert_int_equal(recover(&rig, 0, nobody), RING_CORRUPT);
                assert_memory_equal(before, rig.r.data, sizeof before);
                rig_free(&rig);
        }
}

static void ring_recover_when_an_intent_is_misaligned_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        take(&rig, 1, 48);
        rig_intend(&rig, 2, 20, 48);
        assert_int_equal(recover(&rig, 0, nobody), RING_CORRUPT);
        rig_free(&rig);
}

/* ---- reap ------------------------------------------------------------------------------------------------ */

static enum ring_result reap(const struct rig *rig, unsigned slot, uint64_t alive, uint32_t *holes)
{
        *holes = 0;
        return ring_reap(&rig->r, slot, rig_alive, &alive, holes);
}

static void ring_reap_when_nothing_is_open_is_ok(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        uint32_t holes;
        rig_send(&rig, 1, "x", 1);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_OK);
        assert_int_equal(holes, 0);
        rig_free(&rig);
}

/* Dead after the intent, before the CAS. */
static void ring_reap_when_nothing_was_claimed_clears_the_intent(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 32);
        struct ring_frame f;
        uint32_t holes;
        rig_intend(&rig, 1, 32, 80);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_OK);
        assert_int_equal(holes, 0);
        assert_true(rig_start(&rig, 1) == ABI_NO_INTENT);
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_EMPTY);
        rig_free(&rig);
}

/* Dead at each step of a batch of four with padding before it: what was stamped stays, the rest is one aborted hole. */
static void ring_reap_when_a_batch_died_at_any_step_settles_all_of_it(void **state)
{
        (void)state;
        for (int stamped = 0; stamped <= 5; stamped++)
                for (int advanced = 0; advanced < 2; advanced++)
                        for EACH (b, bases) {
                                struct rig rig = rig_new(256, bases[b] + 240); /* 16 to the end */
                                uint64_t p = bases[b] + 240, tail = p + 16 + 4 * 32;
                                uint32_t holes;
                                take(&rig, 1, 16 + 4 * 32);
                                if (stamped > 0)
                                        ring_stamp_frame(&rig.r, p, 0, ABI_FRAME_PAD, 1);
                                for (int i = 0; i < stamped - 1; i++)
                                        ring_stamp_frame(&rig.r, p + 16 + 32 * (unsigned)i, 16, 0, 1);
                                if (advanced && stamped > 0)
                                        ring_advance_intent(&rig.r, 1, p + 16 + 32 * (unsigned)(stamped - 1));
                                assert_int_equal(reap(&rig, 1, nobody, &holes), RING_OK);
                                assert_int_equal(holes, stamped < 5);
                                assert_true(rig_start(&rig, 1) == ABI_NO_INTENT);
                                uint64_t n, last = 0;
                                struct ring_frame f;
                                assert_int_equal(ring_walk(&rig.r, &(uint64_t){p}, tail, &n), RING_OK);
                                assert_int_equal(n, stamped ? stamped - 1 : 0);
                                for (uint64_t q = p; q < tail; q = last) {
                                        assert_int_equal(ring_peek(&rig.r, q, &f), RING_OK);
                                        last = f.next;
                                }
                                assert_int_equal(last, tail);
                                rig_free(&rig);
                        }
}

/* It lost the CAS to somebody shorter, and others stand in what it had intended: all of it has to be settled before the
 * slot is used again. */
static void ring_reap_when_it_lost_to_live_ones_is_busy_until_they_commit(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        uint32_t holes;
        rig_intend(&rig, 1, 0, 80);
        unsigned char data[48] = {0};
        rig_send(&rig, 2, "x", 1);                       /* [0, 32) */
        struct ring_claim open = rig_claim(&rig, 3, 64); /* [32, 96) */
        assert_int_equal(reap(&rig, 1, 1u << 2 | 1u << 3, &holes), RING_BUSY);
        assert_int_equal(rig_start(&rig, 1), 0);
        rig_commit(&rig, 3, &open, data, 48);
        assert_int_equal(reap(&rig, 1, 1u << 2 | 1u << 3, &holes), RING_OK);
        assert_int_equal(holes, 0);
        assert_true(rig_start(&rig, 1) == ABI_NO_INTENT);
        rig_free(&rig);
}

/* Two dead that intended the same: reaped in either order, one hole, both slots free. */
static void ring_reap_when_two_dead_intended_the_same_settles_once(void **state)
{
        (void)state;
        for (unsigned winner = 1; winner <= 2; winner++)
                for (unsigned first = 1; first <= 2; first++) {
                        struct rig rig = rig_new(256, 0);
                        uint32_t a, b;
                        take(&rig, winner, 32);
                        rig_intend(&rig, 3 - winner, 0, 96);
                        rig_send(&rig, 0, "y", 1); /* [32, 64) */
                        assert_int_equal(reap(&rig, first, nobody, &a), RING_OK);
                        assert_int_equal(reap(&rig, 3 - first, nobody, &b), RING_OK);
                        assert_int_equal(a + b, 1);
                        rig_expect_pad(&rig, 0, 32, ABI_FRAME_PAD | ABI_FRAME_ABORTED);
                        rig_expect(&rig, 32, "y", 1, 0, NULL);
                        rig_free(&rig);
                }
}

static void ring_reap_when_ring_moved_on_only_clears(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        uint32_t holes;
        rig_claim(&rig, 1, 32);
        ring_stamp_frame(&rig.r, 0, 1, 0, 1); /* committed, and dead before it cleared */
        for (int i = 0; i < 7; i++) {
                rig_refresh(&rig, UINT64_MAX);
                rig_send(&rig, 0, "x", 1);
        }
        unsigned char before[64];
        memcpy(before, rig.r.data, sizeof before);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_OK);
        assert_int_equal(holes, 0);
        assert_true(rig_start(&rig, 1) == ABI_NO_INTENT);
        assert_memory_equal(before, rig.r.data, sizeof before);
        rig_free(&rig);
}

static void ring_reap_when_intent_is_damaged_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 4096);
        uint32_t holes;
        rig_intend(&rig, 1, 4096 + 8, 4096 + 32);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_CORRUPT);
        rig_intend(&rig, 1, 0, 4096);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_CORRUPT);
        rig_free(&rig);
}

static void ring_reap_when_a_length_is_damaged_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        uint32_t holes;
        take(&rig, 1, 64);
        ring_stamp_frame(&rig.r, 0, 0xffffffff, 0, 1);
        assert_int_equal(reap(&rig, 1, nobody, &holes), RING_CORRUPT);
        rig_free(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ring_recover_when_not_claimed_is_ok),
                cmocka_unit_test(ring_recover_when_committed_changes_nothing),
                cmocka_unit_test(ring_recover_when_holder_lives_is_busy),
                cmocka_unit_test(ring_recover_when_holder_is_dead_aborts_its_claim),
                cmocka_unit_test(ring_recover_when_the_next_is_committed_ends_there),
                cmocka_unit_test(ring_recover_when_the_next_is_open_ends_there),
                cmocka_unit_test(ring_recover_when_sealed_ends_at_the_end),
                cmocka_unit_test(ring_recover_when_a_batch_is_half_done_aborts_the_rest),
                cmocka_unit_test(ring_recover_when_intent_lags_behind_the_stamp_aborts_the_rest_only),
                cmocka_unit_test(ring_recover_when_header_is_written_but_not_stamped_aborts),
                cmocka_unit_test(ring_recover_when_two_dead_intended_it_ends_at_tail),
                cmocka_unit_test(ring_recover_when_two_dead_intended_it_ends_where_the_next_begins),
                cmocka_unit_test(ring_recover_when_a_live_one_lost_here_is_busy_until_it_clears),
                cmocka_unit_test(ring_recover_when_three_died_in_a_row_settles_each),
                cmocka_unit_test(ring_recover_when_hole_crosses_the_end_fills_both_parts),
                cmocka_unit_test(ring_recover_when_a_recoverer_died_half_way_is_finished_by_the_next),
                cmocka_unit_test(ring_recover_when_padding_is_stamped_aborts_the_frame),
                cmocka_unit_test(ring_recover_when_committed_meanwhile_leaves_the_message),
                cmocka_unit_test(ring_recover_when_ring_moved_on_writes_nothing),
                cmocka_unit_test(ring_recover_when_nobody_holds_it_ends_at_the_next_boundary),
                cmocka_unit_test(ring_recover_when_tail_is_damaged_is_corrupt),
                cmocka_unit_test(ring_recover_when_an_intent_is_misaligned_is_corrupt),
                cmocka_unit_test(ring_reap_when_nothing_is_open_is_ok),
                cmocka_unit_test(ring_reap_when_nothing_was_claimed_clears_the_intent),
                cmocka_unit_test(ring_reap_when_a_batch_died_at_any_step_settles_all_of_it),
                cmocka_unit_test(ring_reap_when_it_lost_to_live_ones_is_busy_until_they_commit),
                cmocka_unit_test(ring_reap_when_two_dead_intended_the_same_settles_once),
                cmocka_unit_test(ring_reap_when_ring_moved_on_only_clears),
                cmocka_unit_test(ring_reap_when_intent_is_damaged_is_corrupt),
                cmocka_unit_test(ring_reap_when_a_length_is_damaged_is_corrupt),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
