/*
 * The benchmark's histogram: quantiles within 1.6 %, exact extremes, the correction for coordinated omission.
 * links: bench/hist.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bench/hist.h"

static struct hist h;

static int clear(void **state)
{
        (void)state;
        memset(&h, 0, sizeof(h));
        return 0;
}

static void assert_near(double value, double expected)
{
        if (value < expected * 0.984 || value > expected * 1.016)
                fail_msg("%f is not within 1.6 %% of %f", value, expected);
}

static void hist_quantile_of_nothing_is_zero(void **state)
{
        (void)state;
        assert_true(hist_quantile(&h, 0.5) <= 0);
}

static void hist_quantile_of_even_values_is_near(void **state)
{
        (void)state;
        for (uint64_t v = 1; v <= 1000000; v++)
                hist_add(&h, v, 1);
        assert_near(hist_quantile(&h, 0.5), 500000);
        assert_near(hist_quantile(&h, 0.99), 990000);
        assert_near(hist_quantile(&h, 0.9999), 999900);
        assert_true(hist_quantile(&h, 1) <= 1000000);
}

static void hist_small_values_are_exact(void **state)
{
        (void)state;
        hist_add(&h, 7, 99);
        hist_add(&h, 63, 1);
        assert_int_equal((int)hist_quantile(&h, 0.5), 7);
        assert_int_equal((int)hist_quantile(&h, 0.99), 7);
        assert_int_equal((int)hist_quantile(&h, 0.999), 63);
}

static void hist_every_power_of_two_is_near(void **state)
{
        (void)state;
        for (unsigned bit = 0; bit < 60; bit++) {
                clear(state);
                hist_add(&h, UINT64_C(1) << bit, 1);
                hist_add(&h, UINT64_MAX / 2, 1); /* so that the largest value does not cut the first */
                assert_near(hist_quantile(&h, 0.5), (double)(UINT64_C(1) << bit));
        }
}

static void hist_max_is_exact(void **state)
{
        struct hist_summary s;

        (void)state;
        hist_add(&h, 123457, 1);
        hist_add(&h, 100, 1);
        hist_sum_up(&h, &s);
        assert_int_equal((int)s.max, 123457);
        assert_int_equal((int)s.count, 2);
}

/* A thousand trips of 100 ns, then one that took 100 us: a client that asked every 100 ns would have seen a thousand
 * slow answers, evenly from 100 us down. */
static void hist_corrected_stall_counts_for_all_it_hid(void **state)
{
        struct hist_summary s;

        (void)state;
        for (int i = 0; i < 1000; i++)
                hist_add_corrected(&h, 100, 100);
        hist_add_corrected(&h, 100000, 100);
        hist_sum_up(&h, &s);
        assert_int_equal((int)s.count, 2000);
        assert_near(s.p50, 100);
        assert_near(hist_quantile(&h, 0.75), 50000);
        assert_near(s.p99, 98000);
        assert_int_equal((int)s.max, 100000);
}

static void hist_corrected_without_interval_adds_one(void **state)
{
        (void)state;
        hist_add_corrected(&h, 100000, 0);
        assert_int_equal((int)h.count, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(hist_quantile_of_nothing_is_zero, clear),
                cmocka_unit_test_setup(hist_quantile_of_even_values_is_near, clear),
                cmocka_unit_test_setup(hist_small_values_are_exact, clear),
                cmocka_unit_test_setup(hist_every_power_of_two_is_near, clear),
                cmocka_unit_test_setup(hist_max_is_exact, clear),
                cmocka_unit_test_setup(hist_corrected_stall_counts_for_all_it_hid, clear),
                cmocka_unit_test_setup(hist_corrected_without_interval_adds_one, clear),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
