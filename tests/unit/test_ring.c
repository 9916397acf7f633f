/*
 * test_ring.c - claim, commit, read, wrap, seal: one ring in the hands of one thread.
 *
 * links: libshm/ring.c
 *
 * Rings of two to four frames and positions near 2^63 are ordinary cases here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ring_rig.h"

static const uint64_t capacities[] = {64, 128, 256};
static const uint64_t bases[] = {0, 16, 4096 - 16, 1ull << 40, RIG_HIGH};
#define EACH(i, array) (size_t i = 0; i < sizeof(array) / sizeof((array)[0]); i++)

/* ---- format and attach ----------------------------------------------------------------------------------- */

static void ring_attach_when_formatted_copies_constants(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, RIG_HIGH);
        assert_int_equal(rig.r.capacity, 256);
        assert_int_equal(rig.r.base, RIG_HIGH);
        assert_int_equal(rig.r.secret, RIG_SECRET);
        assert_int_equal(rig.r.number, 1);
        assert_int_equal(rig.r.epoch, 1);
        assert_int_equal(ring_tail(&rig.r, NULL), RIG_HIGH);
        assert_int_equal(ring_limit(&rig.r), RIG_HIGH + 256);
        assert_int_equal(ring_earliest(&rig.r), RIG_HIGH);
        rig_free(&rig);
}

static void ring_attach_when_shorter_than_header_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring r;
        assert_int_equal(ring_attach(&r, rig.map, 0), RING_CORRUPT);
        assert_int_equal(ring_attach(&r, rig.map, sizeof(struct abi_seg) - 1), RING_CORRUPT);
        assert_int_equal(ring_attach(&r, rig.map, rig.bytes - 1), RING_CORRUPT);
        assert_int_equal(ring_attach(&r, rig.map, rig.bytes), RING_OK);
        rig_free(&rig);
}

static void ring_attach_when_any_constant_byte_is_flipped_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 32);
        struct ring r;
        unsigned char *p = rig.map;
        for (size_t i = 0; i < offsetof(struct abi_seg, reserved0); i++) {
                p[i] ^= 0x10;
                assert_int_equal(ring_attach(&r, rig.map, rig.bytes), RING_CORRUPT);
                p[i] ^= 0x10;
        }
        assert_int_equal(ring_attach(&r, rig.map, rig.bytes), RING_OK);
        rig_free(&rig);
}

/* A header that carries the right checksum of wrong constants. */
static void ring_attach_when_constants_make_no_sense_is_corrupt(void **state)
{
        (void)state;
        static const struct {
                uint64_t capacity, base;
        } bad[] = {{0, 0}, {32, 0}, {96, 0}, {UINT64_MAX, 0}, {1ull << 63, 0}, {64, 8}, {64, ABI_POSITION_MAX}};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                struct rig rig = rig_new(64, 0);
                struct ring r;
                rig.r.seg->capacity = bad[i].capacity;
                rig.r.seg->base = bad[i].base;
                rig.r.seg->checksum = ring_seg_checksum(rig.r.seg);
                assert_int_equal(ring_attach(&r, rig.map, rig.bytes), RING_CORRUPT);
                rig_free(&rig);
        }
}

/* ---- claim, commit, read --------------------------------------------------------------------------------- */

static void ring_peek_when_nothing_claimed_is_empty(void **state)
{
        (void)state;
        for EACH (i, bases) {
                struct rig rig = rig_new(64, bases[i]);
                struct ring_frame f;
                assert_int_equal(ring_peek(&rig.r, bases[i], &f), RING_EMPTY);
                rig_free(&rig);
        }
}

static void ring_claim_when_open_is_a_hole_until_stamped(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, RIG_HIGH);
        struct ring_frame f;
        struct ring_claim claim = rig_claim(&rig, 7, 48);
        assert_int_equal(claim.position, RIG_HIGH);
        assert_int_equal(claim.end, RIG_HIGH + 48);
        assert_int_equal(rig_start(&rig, 7), RIG_HIGH);
        assert_int_equal(ring_peek(&rig.r, RIG_HIGH, &f), RING_HOLE);
        rig_commit(&rig, 7, &claim, "something of 32 bytes, not less!", 32);
        assert_true(rig_start(&rig, 7) == ABI_NO_INTENT);
        rig_expect(&rig, RIG_HIGH, "something of 32 bytes, not less!", 32, 7, NULL);
        rig_free(&rig);
}

static void ring_send_when_payload_is_empty_is_read_as_empty(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        uint64_t next;
        rig_send(&rig, 0, "", 0);
        rig_expect(&rig, 0, "", 0, 0, &next);
        assert_int_equal(next, 16);
        rig_free(&rig);
}

/* Each length in each ring, over many laps: what is sent is what is read, the next frame begins where it should. */
static void ring_send_when_ring_wraps_keeps_bytes_and_order(void **state)
{
        (void)state;
        for EACH (c, capacities)
                for EACH (b, bases) {
                        struct rig rig = rig_new(capacities[c], bases[b]);
                        uint64_t cursor = bases[b], laps = 0;
                        for (size_t n = 0; n < 600 && laps < 8; n++) {
                                unsigned char data[256];
                                size_t len = n % (capacities[c] / 2 - ABI_FRAME_BYTES + 1);
                                struct ring_frame f;
                                memset(data, (int)n, sizeof data);
                                if (ring_tail(&rig.r, NULL) + 2 * capacities[c] >= ABI_POSITION_MAX)
                                        break;
                                uint64_t at = rig_send(&rig, (unsigned)(n % ABI_PRODUCERS), data, len);
                                while (ring_peek(&rig.r, cursor, &f) == RING_OK && (f.flags & ABI_FRAME_PAD))
                                        cursor = f.next;
                                assert_int_equal(cursor, at);
                                rig_expect(&rig, cursor, data, len, (unsigned)(n % ABI_PRODUCERS), &cursor);
                                assert_int_equal(cursor, ring_tail(&rig.r, NULL));
                                laps = (cursor - bases[b]) / capacities[c];
                                rig_refresh(&rig, cursor);
                        }
                        rig_free(&rig);
                }
}

static void ring_claim_when_frame_would_cross_the_end_pads(void **state)
{
        (void)state;
        for EACH (b, bases) {
                struct rig rig = rig_new(128, bases[b] & ~127ull);
                uint64_t base = rig.r.base;
                unsigned char data[32] = {0};
                rig_send(&rig, 0, data, 32); /* 48 */
                rig_send(&rig, 0, data, 32); /* 96: 32 are left */
                rig_refresh(&rig, ring_tail(&rig.r, NULL));
                struct ring_claim claim = rig_claim(&rig, 3, 48);
                assert_int_equal(claim.position, base + 128);
                assert_int_equal(claim.end, base + 176);
                rig_expect_pad(&rig, base + 96, base + 128, ABI_FRAME_PAD);
                /* The padding is committed: the intent holds the frame only. */
                assert_int_equal(rig_start(&rig, 3), base + 128);
                rig_commit(&rig, 3, &claim, data, 32);
                rig_expect(&rig, base + 128, data, 32, 3, NULL);
                rig_free(&rig);
        }
}

static void ring_claim_when_frame_ends_at_the_end_does_not_pad(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        unsigned char data[16] = {1};
        assert_int_equal(rig_send(&rig, 0, data, 16), 0);
        assert_int_equal(rig_send(&rig, 0, data, 16), 32);
        assert_int_equal(ring_tail(&rig.r, NULL), 64);
        rig_refresh(&rig, 64);
        assert_int_equal(rig_send(&rig, 0, data, 16), 64);
        rig_free(&rig);
}

static void ring_claim_when_limit_is_reached_is_full_and_leaves_nothing(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, RIG_HIGH);
        struct ring_claim claim;
        uint64_t need = 0;
        rig_send(&rig, 0, "a", 1);
        rig_send(&rig, 0, "b", 1);
        assert_int_equal(ring_claim(&rig.r, 1, 32, &claim, &need), RING_FULL);
        assert_int_equal(need, RIG_HIGH + 96);
        assert_true(rig_start(&rig, 1) == ABI_NO_INTENT);
        assert_int_equal(ring_tail(&rig.r, NULL), RIG_HIGH + 64);
        ring_raise_limit(&rig.r, need - 16);
        assert_int_equal(ring_claim(&rig.r, 1, 32, &claim, &need), RING_FULL);
        rig_refresh(&rig, RIG_HIGH + 32);
        assert_int_equal(ring_claim(&rig.r, 1, 32, &claim, &need), RING_OK);
        rig_free(&rig);
}

static void ring_claim_when_padding_does_not_fit_asks_for_it_too(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_claim claim;
        uint64_t need = 0;
        rig_send(&rig, 0, "", 0); /* 16 of 64 */
        rig_send(&rig, 0, "0123456789abcdef0", 17); /* 64 - 16 - 48 = 0 */
        assert_int_equal(ring_tail(&rig.r, NULL), 64);
        rig_refresh(&rig, 64);
        rig_send(&rig, 0, "", 0);                  /* 80 */
        rig_send(&rig, 0, "0123456789abcdef", 16); /* 112: 16 to the end */
        assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_FULL);
        assert_int_equal(need, 112 + 16 + 32);
        rig_free(&rig);
}

/* The largest claim that is promised fits a drained ring from wherever tail stands. */
static void ring_claim_when_half_the_ring_fits_from_everywhere(void **state)
{
        (void)state;
        for EACH (c, capacities)
                for (uint64_t at = 0; at < capacities[c]; at += 16) {
                        struct rig rig = rig_new(capacities[c], at);
                        struct ring_claim claim = rig_claim(&rig, 0, ring_claim_max(capacities[c]));
                        assert_true(claim.end - at <= capacities[c]);
                        assert_true((claim.position & (capacities[c] - 1)) + ring_claim_max(capacities[c]) <=
                                    capacities[c]);
                        rig_free(&rig);
                }
}

/* A batch: one claim, frames stamped in order, the intent's start moving along. */
static void ring_batch_when_half_committed_shows_the_first_half(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_frame f;
        struct ring_claim claim = rig_claim(&rig, 2, 64);
        ring_stamp_frame(&rig.r, claim.position, 3, 0, 2);
        ring_advance_intent(&rig.r, 2, claim.position + 32);
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_OK);
        assert_int_equal(f.next, 32);
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_HOLE);
        assert_int_equal(rig_start(&rig, 2), 32);
        assert_int_equal(ring_min_intent(&rig.r, 64), 32);
        rig_free(&rig);
}

static void ring_claim_when_tail_is_damaged_is_corrupt(void **state)
{
        (void)state;
        static const uint64_t bad[] = {8, ABI_POSITION_MAX, ABI_POSITION_MAX + 64, 0xfffffffffffffff0ull};
        for EACH (i, bad) {
                struct rig rig = rig_new(64, 0);
                struct ring_claim claim;
                uint64_t need;
                atomic_store(&rig.r.seg->tail, bad[i]);
                assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_CORRUPT);
                rig_free(&rig);
        }
}

/* ---- what a reader believes ------------------------------------------------------------------------------ */

static void ring_peek_when_payload_mimics_a_header_sees_no_frame(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 256);
        struct ring_frame f;
        /* The next frame's header as it would be in a ring without a secret, as it was a lap ago in this ring, and as it
         * is in this ring at another position. */
        uint64_t mimic[3][2] = {{256 + 48, 16}, {ring_stamp(&rig.r, 48), 16}, {ring_stamp(&rig.r, 256 + 64), 16}};
        rig_send(&rig, 0, mimic, 32);
        rig_claim(&rig, 1, 48);
        for EACH (i, mimic) {
                memcpy(ring_at(&rig.r, 256 + 48), mimic[i], 16);
                assert_int_equal(ring_peek(&rig.r, 256 + 48, &f), RING_HOLE);
        }
        rig_free(&rig);
}

/* A ring filled to the brim with frames of the lap before shows none of them at the new lap's positions. */
static void ring_peek_when_bytes_are_of_the_last_lap_is_empty_or_hole(void **state)
{
        (void)state;
        struct rig rig = rig_new(256, 0);
        struct ring_frame f;
        for (int i = 0; i < 8; i++)
                rig_send(&rig, 0, "old", 3);
        rig_refresh(&rig, 256);
        assert_int_equal(ring_peek(&rig.r, 256, &f), RING_EMPTY);
        rig_claim(&rig, 0, 128);
        for (uint64_t p = 256; p < 384; p += 16)
                assert_int_equal(ring_peek(&rig.r, p, &f), RING_HOLE);
        rig_free(&rig);
}

static void ring_peek_when_length_is_damaged_is_corrupt(void **state)
{
        (void)state;
        static const uint32_t bad[] = {49, 64, 0x7fffffff, 0xffffffff, 0xfffffff0, 0xffffffef};
        for EACH (i, bad) {
                struct rig rig = rig_new(64, RIG_HIGH);
                struct ring_frame f;
                rig_send(&rig, 0, "x", 1);
                atomic_store(&ring_at(&rig.r, RIG_HIGH)->info, ABI_INFO(bad[i], 0, 0));
                assert_int_equal(ring_peek(&rig.r, RIG_HIGH, &f), RING_CORRUPT);
                rig_free(&rig);
        }
}

/* No frame crosses the ring's end, though it would fit the ring. */
static void ring_peek_when_length_crosses_the_end_is_corrupt(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_frame f;
        rig_send(&rig, 0, "x", 1);
        rig_send(&rig, 0, "y", 1);
        atomic_store(&ring_at(&rig.r, 32)->info, ABI_INFO(17, 0, 0));
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_CORRUPT);
        atomic_store(&ring_at(&rig.r, 32)->info, ABI_INFO(16, 0, 0));
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_OK);
        rig_free(&rig);
}

static void ring_peek_when_length_leads_beyond_tail_is_corrupt_there(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        struct ring_frame f;
        rig_send(&rig, 0, "x", 1);
        atomic_store(&ring_at(&rig.r, 0)->info, ABI_INFO(80, 0, 0));
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_OK);
        assert_int_equal(f.next, 96);
        assert_int_equal(ring_peek(&rig.r, f.next, &f), RING_CORRUPT);
        rig_free(&rig);
}

static void ring_peek_when_overwritten_is_gone(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_frame f;
        for (int i = 0; i < 6; i++) {
                rig_send(&rig, 0, "x", 1);
                rig_refresh(&rig, UINT64_MAX);
        }
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_GONE);
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_GONE);
        assert_int_equal(ring_earliest(&rig.r), ring_limit(&rig.r) - 64);
        assert_true(ring_overwritten(&rig.r, 0));
        assert_false(ring_overwritten(&rig.r, ring_earliest(&rig.r)));
        rig_free(&rig);
}

/* A length that is overwritten under a reader of history is no damage. */
static void ring_peek_when_length_is_overwritten_is_gone(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_frame f;
        rig_send(&rig, 0, "x", 1);
        ring_raise_limit(&rig.r, 128);
        atomic_store(&ring_at(&rig.r, 0)->info, UINT64_MAX);
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_GONE);
        rig_free(&rig);
}

/* ---- seal ------------------------------------------------------------------------------------------------ */

static void ring_claim_when_sealed_returns_sealed(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, RIG_HIGH);
        struct ring_claim claim;
        uint64_t need;
        bool sealed = true;
        ring_tail(&rig.r, &sealed);
        assert_false(sealed);
        rig_send(&rig, 0, "x", 1);
        assert_int_equal(ring_seal(&rig.r), RIG_HIGH + 32);
        assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_SEALED);
        assert_true(rig_start(&rig, 0) == ABI_NO_INTENT);
        assert_int_equal(ring_tail(&rig.r, &sealed), RIG_HIGH + 32);
        assert_true(sealed);
        rig_free(&rig);
}

static void ring_claim_when_sealed_and_full_returns_sealed(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_claim claim;
        uint64_t need;
        rig_send(&rig, 0, "x", 1);
        rig_send(&rig, 0, "y", 1);
        ring_seal(&rig.r);
        assert_int_equal(ring_claim(&rig.r, 0, 32, &claim, &need), RING_SEALED);
        rig_free(&rig);
}

static void ring_seal_when_repeated_changes_nothing(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        rig_send(&rig, 0, "x", 1);
        assert_int_equal(ring_seal(&rig.r), 32);
        assert_int_equal(ring_seal(&rig.r), 32);
        assert_int_equal(ring_tail(&rig.r, NULL), 32);
        rig_free(&rig);
}

static void ring_peek_when_sealed_reads_to_the_end(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_frame f;
        uint64_t next;
        rig_send(&rig, 5, "last", 4);
        ring_seal(&rig.r);
        rig_expect(&rig, 0, "last", 4, 5, &next);
        assert_int_equal(ring_peek(&rig.r, next, &f), RING_END);
        rig_free(&rig);
}

static void ring_seal_when_a_claim_is_open_lets_it_commit(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 0);
        struct ring_frame f;
        struct ring_claim claim = rig_claim(&rig, 0, 32);
        assert_int_equal(ring_seal(&rig.r), 32);
        assert_int_equal(ring_peek(&rig.r, 0, &f), RING_HOLE);
        rig_commit(&rig, 0, &claim, "late", 4);
        rig_expect(&rig, 0, "late", 4, 0, NULL);
        assert_int_equal(ring_peek(&rig.r, 32, &f), RING_END);
        rig_free(&rig);
}

static void ring_peek_when_sealed_empty_is_end(void **state)
{
        (void)state;
        struct rig rig = rig_new(64, 48);
        struct ring_frame f;
        assert_int_equal(ring_seal(&rig.r), 48);
        assert_int_equal(ring_peek(&rig.r, 48, &f), RING_END);
        rig_free(&rig);
}

/* ---- count ----------------------------------------------------------------------------------------------- */

static void ring_count_when_there_is_padding_leaves_it_out(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        uint64_t n;
        rig_send(&rig, 0, "a", 1);
        struct ring_claim claim = rig_claim(&rig, 0, 32);
        ring_stamp_frame(&rig.r, claim.position, 16, ABI_FRAME_PAD, 0); /* an aborted claim */
        ring_clear_intent(&rig.r, 0);
        rig_send(&rig, 0, "b", 1);
        rig_refresh(&rig, 64);
        rig_send(&rig, 0, "0123456789abcdef0123456789abcdef", 32); /* pads 32, then 48 */
        assert_int_equal(ring_walk(&rig.r, &(uint64_t){64}, ring_tail(&rig.r, NULL), &n), RING_OK);
        assert_int_equal(n, 2);
        rig_free(&rig);
}

static void ring_count_when_there_is_a_hole_counts_up_to_it(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, 0);
        uint64_t n;
        rig_send(&rig, 0, "a", 1);
        rig_claim(&rig, 1, 32);
        rig_send(&rig, 0, "b", 1);
        assert_int_equal(ring_walk(&rig.r, &(uint64_t){0}, 96, &n), RING_HOLE);
        assert_int_equal(n, 1);
        rig_free(&rig);
}

static void ring_count_when_range_is_empty_is_zero(void **state)
{
        (void)state;
        struct rig rig = rig_new(128, RIG_HIGH);
        uint64_t n = 9;
        assert_int_equal(ring_walk(&rig.r, &(uint64_t){RIG_HIGH}, RIG_HIGH, &n), RING_OK);
        assert_int_equal(n, 0);
        rig_free(&rig);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(ring_attach_when_formatted_copies_constants),
                cmocka_unit_test(ring_attach_when_shorter_than_header_is_corrupt),
                cmocka_unit_test(ring_attach_when_any_constant_byte_is_flipped_is_corrupt),
                cmocka_unit_test(ring_attach_when_constants_make_no_sense_is_corrupt),
                cmocka_unit_test(ring_peek_when_nothing_claimed_is_empty),
                cmocka_unit_test(ring_claim_when_open_is_a_hole_until_stamped),
                cmocka_unit_test(ring_send_when_payload_is_empty_is_read_as_empty),
                cmocka_unit_test(ring_send_when_ring_wraps_keeps_bytes_and_order),
                cmocka_unit_test(ring_claim_when_frame_would_cross_the_end_pads),
                cmocka_unit_test(ring_claim_when_frame_ends_at_the_end_does_not_pad),
                cmocka_unit_test(ring_claim_when_limit_is_reached_is_full_and_leaves_nothing),
                cmocka_unit_test(ring_claim_when_padding_does_not_fit_asks_for_it_too),
                cmocka_unit_test(ring_claim_when_half_the_ring_fits_from_everywhere),
                cmocka_unit_test(ring_batch_when_half_committed_shows_the_first_half),
                cmocka_unit_test(ring_claim_when_tail_is_damaged_is_corrupt),
                cmocka_unit_test(ring_peek_when_payload_mimics_a_header_sees_no_frame),
                cmocka_unit_test(ring_peek_when_bytes_are_of_the_last_lap_is_empty_or_hole),
                cmocka_unit_test(ring_peek_when_length_is_damaged_is_corrupt),
                cmocka_unit_test(ring_peek_when_length_crosses_the_end_is_corrupt),
                cmocka_unit_test(ring_peek_when_length_leads_beyond_tail_is_corrupt_there),
                cmocka_unit_test(ring_peek_when_overwritten_is_gone),
                cmocka_unit_test(ring_peek_when_length_is_overwritten_is_gone),
                cmocka_unit_test(ring_claim_when_sealed_returns_sealed),
                cmocka_unit_test(ring_claim_when_sealed_and_full_returns_sealed),
                cmocka_unit_test(ring_seal_when_repeated_changes_nothing),
                cmocka_unit_test(ring_peek_when_sealed_reads_to_the_end),
                cmocka_unit_test(ring_seal_when_a_claim_is_open_lets_it_commit),
                cmocka_unit_test(ring_peek_when_sealed_empty_is_end),
                cmocka_unit_test(ring_count_when_there_is_padding_leaves_it_out),
                cmocka_unit_test(ring_count_when_there_is_a_hole_counts_up_to_it),
                cmocka_unit_test(ring_count_when_range_is_empty_is_zero),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
