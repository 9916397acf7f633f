/*
 * test_copy.c - copying in and out of the ring: every byte, and not one beyond either end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "copy.h"

#define MOST 300 /* beyond all sizes that are copied in line */
#define EDGE 64

typedef void copy_fn(void *to, const void *from, size_t n);

/* In blocks of exactly their size, so that AddressSanitizer sees a byte too many that is only read. */
static void copy_each_size(copy_fn *copy)
{
        for (size_t n = 0; n <= MOST; n++) {
                unsigned char *from = malloc(n ? n : 1), to[MOST + 2 * EDGE];
                assert_non_null(from);
                for (size_t i = 0; i < n; i++)
                        from[i] = (unsigned char)(i * 7 + n);
                memset(to, 0xee, sizeof to);
                copy(to + EDGE, from, n);
                for (size_t i = 0; i < sizeof to; i++)
                        assert_int_equal(to[i], i >= EDGE && i < EDGE + n ? from[i - EDGE] : 0xee);
                free(from);
        }
}

static void copy_in_of_each_size_is_exact(void **state)
{
        (void)state;
        copy_each_size(copy_in);
}

static void copy_out_of_each_size_is_exact(void **state)
{
        (void)state;
        copy_each_size(copy_out);
}

static void copy_of_nothing_takes_no_address(void **state)
{
        (void)state;
        unsigned char byte = 1;
        copy_in(&byte, NULL, 0);
        copy_out(NULL, &byte, 0);
        assert_int_equal(byte, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(copy_in_of_each_size_is_exact),
                cmocka_unit_test(copy_out_of_each_size_is_exact),
                cmocka_unit_test(copy_of_nothing_takes_no_address),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
