/*
 * The metadata block: sizes, round trips, and a decoder that meets hostile bytes.
 *
 * Every block lies in a heap allocation of exactly its size, so that the sanitizers see one byte too many.
 *
 * links: libshm/meta.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meta.h"

/* Encodes into memory of its own; the caller frees. */
static unsigned char *encode(const struct torc_meta *meta, size_t *size)
{
        unsigned char *block;

        assert_int_equal(meta_size(meta, size), 0);
        block = malloc(*size ? *size : 1);
        assert_non_null(block);
        memset(block, 0xee, *size ? *size : 1);
        meta_encode(meta, *size, block);
        return block;
}

static void expect_property(const struct torc_view *view, size_t i, const char *key, const char *value)
{
        const char *k, *v;
        size_t k_len, v_len;

        assert_int_equal(torc_meta_property(view, i, &k, &k_len, &v, &v_len), 0);
        assert_int_equal(k_len, strlen(key));
        assert_int_equal(v_len, strlen(value));
        assert_memory_equal(k, key, strlen(key));
        assert_memory_equal(v, value, strlen(value));
}

static int property(const struct torc_view *view, size_t i)
{
        const char *k, *v;
        size_t k_len, v_len;

        return torc_meta_property(view, i, &k, &k_len, &v, &v_len);
}

static void meta_empty_takes_no_bytes(void **state)
{
        struct torc_meta empty = {0};
        size_t size = 1;

        (void)state;
        assert_int_equal(meta_size(NULL, &size), 0);
        assert_int_equal(size, 0);
        size = 1;
        assert_int_equal(meta_size(&empty, &size), 0);
        assert_int_equal(size, 0);
        meta_encode(&empty, 0, NULL);
}

static void meta_round_trip_keeps_properties_and_time(void **state)
{
        const struct torc_property properties[] = {{"key", "value"},
                                                   {"", ""},
                                                   {"gr\xc3\xbc\xc3\x9f"
                                                    "e",
                                                    "a=b\n"},
                                                   {"key", "again"}};
        const struct torc_meta meta = {properties, 4, INT64_MIN};
        struct torc_view view = {0};
        unsigned char *block;
        size_t size, seen;

        (void)state;
        block = encode(&meta, &size);
        assert_int_equal(size % 8, 0);
        assert_int_equal(meta_block_size(block, size, &seen), 0);
        assert_int_equal(seen, size);
        view.meta = block;
        view.meta_len = size;
        assert_true(torc_meta_event_time(&view) == INT64_MIN);
        for (size_t i = 0; i < 4; i++)
                expect_property(&view, i, properties[i].key, properties[i].value);
        assert_int_equal(property(&view, 4), -ENOENT);
        assert_int_equal(property(&view, SIZE_MAX), -ENOENT);
        free(block);
}

static void meta_time_only_and_properties_only(void **state)
{
        const struct torc_property one = {"k", "v"};
        struct torc_view view = {0};
        unsigned char *block;
        size_t size;

        (void)state;
        block = encode(&(struct torc_meta){.event_time_ns = 42}, &size);
        assert_int_equal(size, 16);
        view.meta = block;
        view.meta_len = size;
        assert_int_equal(torc_meta_event_time(&view), 42);
        assert_int_equal(property(&view, 0), -ENOENT);
        free(block);

        block = encode(&(struct torc_meta){.properties = &one, .n_properties = 1}, &size);
        assert_int_equal(size, 16);
        view.meta = block;
        view.meta_len = size;
        assert_int_equal(torc_meta_event_time(&view), 0);
        expect_property(&view, 0, "k", "v");
        free(block);
}

static void meta_without_block_has_nothing(void **state)
{
        struct torc_view view = {0};

        (void)state;
        assert_int_equal(torc_meta_event_time(&view), 0);
        assert_int_equal(property(&view, 0), -ENOENT);
}

static void meta_limits_are_16_kib_and_255_properties(void **state)
{
        struct torc_property many[256];
        char value[TORC_META_MAX + 1];
        const struct torc_property big = {"k", value};
        struct torc_view view = {0};
        unsigned char *block;
        size_t size;

        (void)state;
        for (size_t i = 0; i < 256; i++)
                many[i] = (struct torc_property){"k", "v"};
        assert_int_equal(meta_size(&(struct torc_meta){many, 256, 0}, &size), TORC_EMETA);
        block = encode(&(struct torc_meta){many, 255, 0}, &size);
        view.meta = block;
        view.meta_len = size;
        assert_int_equal(property(&view, 254), 0);
        assert_int_equal(property(&view, 255), -ENOENT);
        free(block);

        /* header 8, lengths 4, key 1: so much value fills the block to the byte */
        memset(value, 'v', sizeof(value));
        value[TORC_META_MAX - 13] = '\0';
        block = encode(&(struct torc_meta){&big, 1, 0}, &size);
        assert_int_equal(size, TORC_META_MAX);
        view.meta = block;
        view.meta_len = size;
        expect_property(&view, 0, "k", value);
        free(block);
        value[TORC_META_MAX - 13] = 'v';
        value[TORC_META_MAX - 12] = '\0';
        assert_int_equal(meta_size(&(struct torc_meta){&big, 1, 0}, &size), TORC_EMETA);
}

static void meta_null_strings_are_emeta(void **state)
{
        const struct torc_property no_key = {NULL, "v"}, no_value = {"k", NULL};
        size_t size;

        (void)state;
        assert_int_equal(meta_size(&(struct torc_meta){&no_key, 1, 0}, &size), TORC_EMETA);
        assert_int_equal(meta_size(&(struct torc_meta){&no_value, 1, 0}, &size), TORC_EMETA);
        assert_int_equal(meta_size(&(struct torc_meta){NULL, 1, 0}, &size), TORC_EMETA);
}

/* A string that grew between meta_size() and meta_encode() costs its property, not the memory behind the block. */
static void meta_encode_never_passes_its_size(void **state)
{
        char value[64] = "short";
        const struct torc_property properties[] = {{"a", "b"}, {"k", value}};
        const struct torc_meta meta = {properties, 2, 0};
        struct torc_view view = {0};
        unsigned char *block;
        size_t size;

        (void)state;
        assert_int_equal(meta_size(&meta, &size), 0);
        block = malloc(size);
        assert_non_null(block);
        memset(value, 'x', sizeof(value) - 1);
        meta_encode(&meta, size, block);
        view.meta = block;
        view.meta_len = size;
        expect_property(&view, 0, "a", "b");
        assert_int_equal(property(&view, 1), -ENOENT);
        free(block);
}

static int block_size_of(uint32_t bytes, size_t available)
{
        unsigned char *block = calloc(1, available ? available : 1);
        size_t size;
        int result;

        assert_non_null(block);
        memcpy(block, &bytes, available < sizeof(bytes) ? available : sizeof(bytes));
        result = meta_block_size(block, available, &size);
        if (result == 0)
                assert_int_equal(size, bytes);
        free(block);
        return result;
}

static void meta_block_size_believes_no_length(void **state)
{
        (void)state;
        assert_int_equal(block_size_of(8, 8), 0);
        assert_int_equal(block_size_of(16, 24), 0);
        assert_int_equal(block_size_of(TORC_META_MAX, TORC_META_MAX), 0);
        assert_int_equal(block_size_of(0, 64), TORC_ECORRUPT);
        assert_int_equal(block_size_of(4, 64), TORC_ECORRUPT);
        assert_int_equal(block_size_of(12, 64), TORC_ECORRUPT);
        assert_int_equal(block_size_of(72, 64), TORC_ECORRUPT);
        assert_int_equal(block_size_of(UINT32_MAX - 7, 64), TORC_ECORRUPT);
        assert_int_equal(block_size_of(TORC_META_MAX + 8, TORC_META_MAX + 64), TORC_ECORRUPT);
        for (size_t available = 0; available < 8; available++)
                assert_int_equal(block_size_of(8, available), TORC_ECORRUPT);
}

static void meta_lengths_past_the_end_are_corrupt(void **state)
{
        const struct torc_property one = {"k", "v"};
        struct torc_view view = {0};
        unsigned char *block;
        size_t size;

        (void)state;
        block = encode(&(struct torc_meta){&one, 1, 0}, &size);
        view.meta = block;
        view.meta_len = size;
        block[8] = 0xff; /* key_len */
        assert_int_equal(property(&view, 0), TORC_ECORRUPT);
        block[8] = 1;
        block[11] = 0xff; /* high byte of value_len */
        assert_int_equal(property(&view, 0), TORC_ECORRUPT);
        block[11] = 0;
        block[4] = 255; /* more properties than there is room for */
        assert_int_equal(property(&view, 0), 0);
        assert_int_equal(property(&view, 254), TORC_ECORRUPT);
        block[5] = META_FLAG_TIME;
        view.meta_len = META_HEADER_BYTES;
        assert_int_equal(property(&view, 0), TORC_ECORRUPT);
        assert_int_equal(torc_meta_event_time(&view), 0);
        free(block);
}

/* 200,000 damaged blocks, cut at random: whatever is handed out lies inside. */
static void meta_random_damage_stays_inside(void **state)
{
        const struct torc_property properties[] = {{"key", "value"}, {"a", "b"}, {"some", "thing"}};
        const struct torc_meta meta = {properties, 3, 7};
        unsigned char *whole;
        size_t size;

        (void)state;
        srandom(1);
        whole = encode(&meta, &size);
        for (int round = 0; round < 200000; round++) {
                size_t len = (size_t)random() % (size + 1);
                unsigned char *cut = malloc(len ? len : 1);
                struct torc_view view = {.meta = cut, .meta_len = len};
                size_t i, k_len, v_len;
                const char *k, *v;

                assert_non_null(cut);
                memcpy(cut, whole, len);
                for (int flips = 1 + (int)(random() % 4); flips > 0 && len > 0; flips--)
                        cut[(size_t)random() % len] = (unsigned char)random();
                (void)torc_meta_event_time(&view);
                for (i = 0; torc_meta_property(&view, i, &k, &k_len, &v, &v_len) == 0; i++) {
                        assert_true((const unsigned char *)k >= cut && k + k_len == v);
                        assert_true((const unsigned char *)v + v_len <= cut + len);
                }
                assert_true(i <= 255);
                free(cut);
        }
        free(whole);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(meta_empty_takes_no_bytes),
                cmocka_unit_test(meta_round_trip_keeps_properties_and_time),
                cmocka_unit_test(meta_time_only_and_properties_only),
                cmocka_unit_test(meta_without_block_has_nothing),
                cmocka_unit_test(meta_limits_are_16_kib_and_255_properties),
                cmocka_unit_test(meta_null_strings_are_emeta),
                cmocka_unit_test(meta_encode_never_passes_its_size),
                cmocka_unit_test(meta_block_size_believes_no_length),
                cmocka_unit_test(meta_lengths_past_the_end_are_corrupt),
                cmocka_unit_test(meta_random_damage_stays_inside),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
