/*
 * test_conf_units.c - numbers with units, signals, commands split into words, suggestions.
 *
 * links: conf/units.c conf/words.c conf/arena.c conf/report.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report.h"
#include "units.h"
#include "words.h"

static void units_time_reads_every_unit(void **state)
{
        static const struct {
                const char *text;
                uint64_t ms;
        } good[] = {{"0", 0},         {"0h", 0},       {"10ms", 10},  {"2s", 2000},
                    {"3min", 180000}, {"1h", 3600000}, {"10 ms", 10}, {"18446744073709551615ms", UINT64_MAX}};
        char hint[CONF_HINT_MAX];
        uint64_t ms;

        (void)state;
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
                assert_null(conf_parse_time(good[i].text, &ms, hint));
                assert_int_equal(ms, good[i].ms);
        }
}

static void units_wrong_times_are_explained(void **state)
{
        static const struct {
                const char *text, *hint;
        } bad[] = {{"10", ""},
                   {"10sec", "10s"},
                   {"5m", "5min"},
                   {"1S", "1s"},
                   {"7Hours", "7h"},
                   {"", ""},
                   {"-1s", ""},
                   {"1.5s", ""},
                   {"ms", ""},
                   {"1 s s", ""},
                   {"10MiB", ""},
                   {"+1s", ""},
                   {"18446744073709551616ms", ""},
                   {"18446744073709551615s", ""}};
        char hint[CONF_HINT_MAX];
        uint64_t ms = 7;

        (void)state;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                assert_non_null(conf_parse_time(bad[i].text, &ms, hint));
                assert_string_equal(hint, bad[i].hint);
                assert_int_equal(ms, 7);
        }
}

static void units_size_reads_every_unit_and_explains(void **state)
{
        char hint[CONF_HINT_MAX];
        uint64_t bytes;

        (void)state;
        assert_null(conf_parse_size("512B", &bytes, hint));
        assert_int_equal(bytes, 512);
        assert_null(conf_parse_size("64KiB", &bytes, hint));
        assert_int_equal(bytes, 65536);
        assert_null(conf_parse_size("256MiB", &bytes, hint));
        assert_int_equal(bytes, 256ull << 20);
        assert_null(conf_parse_size("64GiB", &bytes, hint));
        assert_int_equal(bytes, 64ull << 30);
        assert_non_null(conf_parse_size("64mb", &bytes, hint));
        assert_string_equal(hint, "64MiB");
        assert_non_null(conf_parse_size("64K", &bytes, hint));
        assert_string_equal(hint, "64KiB");
        assert_non_null(conf_parse_size("64", &bytes, hint));
        assert_non_null(conf_parse_size("17179869184GiB", &bytes, hint));
}

static void units_count_takes_no_unit(void **state)
{
        char hint[CONF_HINT_MAX];
        uint64_t count;

        (void)state;
        assert_null(conf_parse_count("12", &count, hint));
        assert_int_equal(count, 12);
        assert_non_null(conf_parse_count("12 pieces", &count, hint));
        assert_string_equal(hint, "12");
        assert_non_null(conf_parse_count("1,000", &count, hint));
        assert_non_null(conf_parse_count("0x10", &count, hint));
        assert_non_null(conf_parse_count("", &count, hint));
}

static void units_octal_stays_within_permission_bits(void **state)
{
        uint32_t bits;

        (void)state;
        assert_null(conf_parse_octal("0660", &bits));
        assert_int_equal(bits, 0660);
        assert_null(conf_parse_octal("7", &bits));
        assert_int_equal(bits, 7);
        assert_non_null(conf_parse_octal("01000", &bits));
        assert_non_null(conf_parse_octal("8", &bits));
        assert_non_null(conf_parse_octal("", &bits));
        assert_non_null(conf_parse_octal("37777777777777777777777", &bits));
}

static void units_signals_are_names(void **state)
{
        (void)state;
        assert_int_equal(conf_parse_signal("TERM"), SIGTERM);
        assert_int_equal(conf_parse_signal("SIGUSR1"), SIGUSR1);
        assert_int_equal(conf_parse_signal("term"), 0);
        assert_int_equal(conf_parse_signal("15"), 0);
        assert_int_equal(conf_parse_signal(""), 0);
}

static void units_format_takes_the_largest_exact_unit(void **state)
{
        char text[CONF_UNIT_TEXT_MAX];

        (void)state;
        conf_format_time(text, 90000);
        assert_string_equal(text, "90s");
        conf_format_time(text, 7200000);
        assert_string_equal(text, "2h");
        conf_format_time(text, 0);
        assert_string_equal(text, "0ms");
        conf_format_size(text, 3ull << 20);
        assert_string_equal(text, "3MiB");
        conf_format_size(text, 1025);
        assert_string_equal(text, "1025B");
}

static void words_follow_the_shell_s_quoting(void **state)
{
        static const struct {
                const char *text;
                const char *words[5];
        } cases[] = {
                {"a", {"a"}},
                {"  a \t b  ", {"a", "b"}},
                {"'a b' \"c d\"", {"a b", "c d"}},
                {"a'b c'd", {"ab cd"}},
                {"a\\ b", {"a b"}},
                {"'' \"\"", {"", ""}},
                {"'a\\b' \"a\\\"b\\\\c\\d\"", {"a\\b", "a\"b\\c\\d"}},
                {"$HOME * | >", {"$HOME", "*", "|", ">"}},
        };
        struct conf_arena *arena = conf_arena_new();
        char **argv;
        size_t argc, at;

        (void)state;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                assert_null(conf_words_split(arena, cases[i].text, strlen(cases[i].text), &argv, &argc, &at));
                for (size_t k = 0; k < argc; k++) {
                        assert_non_null(cases[i].words[k]);
                        assert_string_equal(argv[k], cases[i].words[k]);
                }
                assert_null(cases[i].words[argc]);
                assert_null(argv[argc]);
        }
        conf_arena_free(arena);
}

static void words_open_quotes_are_found_where_they_begin(void **state)
{
        struct conf_arena *arena = conf_arena_new();
        char **argv;
        size_t argc, at;

        (void)state;
        assert_non_null(conf_words_split(arena, "ab 'c d", 7, &argv, &argc, &at));
        assert_int_equal(at, 3);
        assert_non_null(conf_words_split(arena, "a\"b\\\"", 5, &argv, &argc, &at));
        assert_int_equal(at, 1);
        assert_non_null(conf_words_split(arena, "ab\\", 3, &argv, &argc, &at));
        assert_int_equal(at, 2);
        conf_arena_free(arena);
}

static void suggest_finds_the_near_word_only(void **state)
{
        static const char *const words[] = {"capacity", "lag", "online_min", "mode", NULL};

        (void)state;
        assert_string_equal(conf_suggest("capcity", words), "capacity");
        assert_string_equal(conf_suggest("cpaacity", words), "capacity");
        assert_string_equal(conf_suggest("Online-Min", words), "online_min");
        assert_string_equal(conf_suggest("lga", words), "lag");
        assert_null(conf_suggest("retention", words));
        assert_null(conf_suggest("xyz", words));
        assert_null(conf_suggest("", words));
        assert_null(conf_suggest("a-word-that-is-longer-than-any-key-of-the-file-will-ever-be", words));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(units_time_reads_every_unit),
                cmocka_unit_test(units_wrong_times_are_explained),
                cmocka_unit_test(units_size_reads_every_unit_and_explains),
                cmocka_unit_test(units_count_takes_no_unit),
                cmocka_unit_test(units_octal_stays_within_permission_bits),
                cmocka_unit_test(units_signals_are_names),
                cmocka_unit_test(units_format_takes_the_largest_exact_unit),
                cmocka_unit_test(words_follow_the_shell_s_quoting),
                cmocka_unit_test(words_open_quotes_are_found_where_they_begin),
                cmocka_unit_test(suggest_finds_the_near_word_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
