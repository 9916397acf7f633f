/*
 * Result codes as names and text.
 *
 * links: libshm/error.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "torc.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
        int code;
        const char *name;
} codes[] = {
#define TORC_X(name, code, text) {name, #name},
        TORC_ERRORS(TORC_X)
#undef TORC_X
};

static void error_every_code_has_its_own_name_and_text(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
                assert_true(codes[i].code < -1000);
                assert_string_equal(torc_errname(codes[i].code), codes[i].name);
                for (size_t j = 0; j < i; j++) {
                        assert_int_not_equal(codes[i].code, codes[j].code);
                        assert_string_not_equal(torc_strerror(codes[i].code), torc_strerror(codes[j].code));
                }
        }
}

static void error_errno_has_the_systems_name_and_text(void **state)
{
        (void)state;
        assert_string_equal(torc_errname(-ENOENT), "ENOENT");
        assert_string_equal(torc_errname(-ETIMEDOUT), "ETIMEDOUT");
        assert_string_equal(torc_strerror(-ENOENT), strerror(ENOENT));
        assert_string_equal(torc_errname(-EPERM), "EPERM");
}

static void error_success_is_named(void **state)
{
        (void)state;
        assert_string_equal(torc_strerror(0), "success");
        assert_string_equal(torc_errname(0), "0");
}

static void error_unknown_codes_are_never_null(void **state)
{
        static const int unknown[] = {1, ENOENT, 4096, -999, -1000, -1024, -4095, -4096, -100000, INT_MAX, INT_MIN};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
                assert_string_equal(torc_strerror(unknown[i]), "unknown result code");
                assert_string_equal(torc_errname(unknown[i]), "?");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(error_every_code_has_its_own_name_and_text),
                cmocka_unit_test(error_errno_has_the_systems_name_and_text),
                cmocka_unit_test(error_success_is_named),
                cmocka_unit_test(error_unknown_codes_are_never_null),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
