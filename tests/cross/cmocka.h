/*
 * cmocka.h - a stand-in for cmocka where there is none: the cross builds (`make aarch64`). The unit tests' own source,
 * the same tables of tests, the same closing lines for tests/run.sh to count. It knows what the tests use and no more: a
 * test that wants another of cmocka's calls does not compile here.
 *
 * A failed assertion says where, then jumps out of the test; its teardown runs all the same, as with cmocka. Header only,
 * since each test program is one such file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_CROSS_CMOCKA_H
#define TORC_CROSS_CMOCKA_H

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
        const char *name;
        void (*test)(void **state);
        int (*setup)(void **state);
        int (*teardown)(void **state);
};

#define cmocka_unit_test(f) {.name = #f, .test = f}
#define cmocka_unit_test_setup(f, before) {.name = #f, .test = f, .setup = before}
#define cmocka_unit_test_setup_teardown(f, before, after) {.name = #f, .test = f, .setup = before, .teardown = after}

enum cross_end { CROSS_RUNS, CROSS_FAILED, CROSS_SKIPPED };
static jmp_buf cross_out;
static int cross_inside; /* a test is running: cross_out is valid */

__attribute__((unused, noreturn)) static void cross_leave(enum cross_end end)
{
        fflush(stdout);
        if (!cross_inside) /* a failed set-up, or a thread that is left over */
                abort();
        longjmp(cross_out, end);
}

__attribute__((unused, noreturn, format(printf, 3, 4))) static void cross_fail(const char *file, int line,
                                                                              const char *format, ...)
{
        va_list args;
        printf("%s:%d: error: ", file, line);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        cross_leave(CROSS_FAILED);
}

/* The functions below take values as uintmax_t, as cmocka does: a sign is extended, and equal values stay equal. */
__attribute__((unused)) static void cross_int(uintmax_t a, uintmax_t b, int equal, const char *text, const char *file,
                                              int line)
{
        if ((a == b) != equal)
                cross_fail(file, line, "%s: 0x%jx and 0x%jx", text, a, b);
}

__attribute__((unused)) static void cross_string(const char *a, const char *b, int equal, const char *text,
                                                 const char *file, int line)
{
        if ((strcmp(a, b) == 0) != equal)
                cross_fail(file, line, "%s: \"%s\" and \"%s\"", text, a, b);
}

__attribute__((unused)) static void cross_memory(const void *a, const void *b, size_t n, const char *text,
                                                 const char *file, int line)
{
        const unsigned char *x = a, *y = b;
        for (size_t i = 0; i < n; i++)
                if (x[i] != y[i])
                        cross_fail(file, line, "%s: byte %zu of %zu is 0x%02x and 0x%02x", text, i, n, x[i], y[i]);
}

__attribute__((unused)) static void cross_range(uintmax_t v, uintmax_t low, uintmax_t high, const char *text,
                                                const char *file, int line)
{
        if (v < low || v > high)
                cross_fail(file, line, "%s is %ju, not from %ju to %ju", text, v, low, high);
}

#define cross_true(x, text)                                                                                      \
        do {                                                                                                     \
                if (!(x))                                                                                        \
                        cross_fail(__FILE__, __LINE__, "%s", text);                                              \
        } while (0)
#define assert_true(x) cross_true(x, #x)
#define assert_false(x) cross_true(!(x), "not: " #x)
#define assert_null(p) cross_true((p) == NULL, #p " is NULL")
#define assert_non_null(p) cross_true((p) != NULL, #p " is not NULL")
#define assert_int_equal(a, b) cross_int((uintmax_t)(a), (uintmax_t)(b), 1, #a " == " #b, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) cross_int((uintmax_t)(a), (uintmax_t)(b), 0, #a " != " #b, __FILE__, __LINE__)
#define assert_string_equal(a, b) cross_string(a, b, 1, #a " is " #b, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) cross_string(a, b, 0, #a " is not " #b, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) cross_memory(a, b, n, #a " holds " #b, __FILE__, __LINE__)
#define assert_in_range(v, low, high)                                                                            \
        cross_range((uintmax_t)(v), (uintmax_t)(low), (uintmax_t)(high), #v, __FILE__, __LINE__)
#define fail() cross_fail(__FILE__, __LINE__, "failed")
#define fail_msg(...) cross_fail(__FILE__, __LINE__, __VA_ARGS__)
#define skip() cross_leave(CROSS_SKIPPED)
#define print_message printf
#define print_error printf

/* Of the names of tests, '*' for any characters and '?' for one; as cmocka's, which test_run_all() hands on. */
static const char *cross_filter;
__attribute__((unused)) static void cmocka_set_test_filter(const char *pattern)
{
        cross_filter = pattern;
}

/* One test, between its set-up and its teardown. */
static enum cross_end cross_run_one(const struct CMUnitTest *t)
{
        /* static: what a test changed before it jumped out is kept */
        static void *state;
        static enum cross_end end;
        state = NULL;
        if (t->setup && t->setup(&state))
                return CROSS_FAILED;
        end = (enum cross_end)setjmp(cross_out);
        if (end == CROSS_RUNS) {
                cross_inside = 1;
                t->test(&state);
        }
        cross_inside = 0;
        if (t->teardown && t->teardown(&state))
                end = CROSS_FAILED;
        return end;
}

static int cross_run(const struct CMUnitTest *tests, size_t n)
{
        size_t count[3] = {0};
        static const char *const word[3] = {"      OK ", " FAILED  ", " SKIPPED "};
        for (size_t i = 0; i < n; i++) {
                if (cross_filter && fnmatch(cross_filter, tests[i].name, 0))
                        continue;
                printf("[ RUN      ] %s\n", tests[i].name);
                fflush(stdout); /* before a test forks */
                enum cross_end end = cross_run_one(&tests[i]);
                count[end]++;
                printf("[%s ] %s\n", word[end], tests[i].name);
        }
        printf("[  PASSED  ] %zu test(s).\n", count[CROSS_RUNS]);
        if (count[CROSS_SKIPPED])
                printf("[  SKIPPED ] %zu test(s), see above.\n", count[CROSS_SKIPPED]);
        if (count[CROSS_FAILED])
                printf("[  FAILED  ] %zu test(s), see above.\n", count[CROSS_FAILED]);
        fflush(stdout);
        return (int)count[CROSS_FAILED];
}
#define _cmocka_run_group_tests(group, tests, n, before, after) ((void)(before), (void)(after), cross_run(tests, n))
#define cmocka_run_group_tests(tests, before, after)                                                             \
        ((void)(before), (void)(after), cross_run(tests, sizeof(tests) / sizeof((tests)[0])))

#endif
