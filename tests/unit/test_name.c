/*
 * Names, labels, tags, globs, ids as text, the default root.
 *
 * links: libshm/name.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "name.h"
#include "torc.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Not one of them is UTF-8: stray and missing continuation bytes, overlong forms, surrogates, above U+10FFFF. */
static const char *const not_utf8[] = {
        "\x80",
        "\xbf",
        "a\xc3",
        "\xc3(",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x80\x80\xaf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
};
static const char *const good_utf8[] = {
        "\x7e",         "\xc2\xa0",     "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf",
        "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf",
};

static void name_check_ordinary_names_are_good(void **state)
{
        static const char *const names[] = {"a",
                                            "a.b.c",
                                            ".",
                                            "..",
                                            "with blank",
                                            "gr\xc3\xbc\xc3\x9f"
                                            "e",
                                            "@x",
                                            "-n",
                                            "*",
                                            "line\nbreak",
                                            "0"};
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                assert_int_equal(torc_name_check(names[i]), 0);
        for (size_t i = 0; i < ARRAY_LEN(good_utf8); i++)
                assert_int_equal(torc_name_check(good_utf8[i]), 0);
}

static void name_check_bad_names_are_ename(void **state)
{
        static const char *const names[] = {"", "/", "a/b", "a/", "/a"};
        (void)state;
        assert_int_equal(torc_name_check(NULL), TORC_ENAME);
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                assert_int_equal(torc_name_check(names[i]), TORC_ENAME);
        for (size_t i = 0; i < ARRAY_LEN(not_utf8); i++)
                assert_int_equal(torc_name_check(not_utf8[i]), TORC_ENAME);
}

static void name_check_length_limit_is_200_bytes(void **state)
{
        char name[TORC_NAME_MAX + 2];

        (void)state;
        memset(name, 'x', sizeof(name));
        name[TORC_NAME_MAX] = '\0';
        assert_int_equal(torc_name_check(name), 0);
        name[TORC_NAME_MAX] = 'x';
        name[TORC_NAME_MAX + 1] = '\0';
        assert_int_equal(torc_name_check(name), TORC_ENAME);
        /* A character that would begin inside and end outside. */
        memcpy(name + TORC_NAME_MAX - 1, "\xc3\xbc", 3);
        assert_int_equal(torc_name_check(name), TORC_ENAME);
}

static void label_check_refuses_controls_and_directories(void **state)
{
        static const char *const bad[] = {"", "a/b", "a\nb", "\x1b[0m", "\x7f", "\xc2\x85", ".", "..", "\xc3"};
        char label[TORC_LABEL_MAX + 2];

        (void)state;
        assert_int_equal(name_check_label(NULL), TORC_ENAME);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(name_check_label(bad[i]), TORC_ENAME);
        assert_int_equal(name_check_label("sensor 1-\xc3\xa4"), 0);
        assert_int_equal(name_check_label("..."), 0);
        memset(label, 'x', sizeof(label));
        label[TORC_LABEL_MAX] = '\0';
        assert_int_equal(name_check_label(label), 0);
        label[TORC_LABEL_MAX] = 'x';
        label[TORC_LABEL_MAX + 1] = '\0';
        assert_int_equal(name_check_label(label), TORC_ENAME);
}

static void name_match_table(void **state)
{
        static const struct {
                const char *glob, *name;
                bool matches;
        } rows[] = {
                {"", "", true},
                {"", "a", false},
                {"a", "", false},
                {"abc", "abc", true},
                {"abc", "abd", false},
                {"abc", "ab", false},
                {"ab", "abc", false},
                {"*", "", true},
                {"*", "a.b.c", true},
                {"a.*", "a.b.c", true},
                {"a.*", "a", false},
                {"*c", "abc", true},
                {"a*c", "ac", true},
                {"a*c", "abcbc", true},
                {"a*c", "abcb", false},
                {"**a**", "bab", true},
                {"*a*b*c*", "xaxbxcx", true},
                {"*a*b*c*", "xaxcxbx", false},
                {"*abab", "aabab", true},
                {"?", "a", true},
                {"?", "", false},
                {"?", "ab", false},
                {"?", "\xc3\xbc", true},
                {"??", "\xc3\xbc", false},
                {"a?c",
                 "a\xe2\x82\xac"
                 "c",
                 true},
                {"*?", "\xf0\x9f\x98\x80", true},
                {"[abc]", "b", true},
                {"[abc]", "d", false},
                {"[a-c]x", "bx", true},
                {"[a-c]", "d", false},
                {"[!a-c]", "d", true},
                {"[!a-c]", "b", false},
                {"[!a]", "", false},
                {"[]]", "]", true},
                {"[!]]", "]", false},
                {"[!]]", "a", true},
                {"[a-]", "-", true},
                {"[-a]", "-", true},
                {"[a-c-e]", "d", false},
                {"[a-c-e]", "-", true},
                {"[\xc3\xa0-\xc3\xbc]", "\xc3\xa4", true},
                {"[\xc3\xa0-\xc3\xbc]", "z", false},
                {"[c-a]", "b", false},
                {"[", "[", true},
                {"[abc", "[abc", true},
                {"[abc", "a", false},
                {"[!", "[!", true},
                {"[]", "[]", true},
                {"[\\]]", "]", true},
                {"[\\a-\\c]", "b", true},
                {"[a\\", "[a\\", true},
                {"\\*", "*", true},
                {"\\*", "a", false},
                {"\\?", "?", true},
                {"\\[a]", "[a]", true},
                {"\\\\", "\\", true},
                {"a\\", "a\\", true},
                {"\\a", "a", true},
                {".*", "x", false},
                {"*", ".hidden", true},
                {"\xff", "\xff", true},
                {"?", "\xff", true},
                {"\xff", "\xc3\xbf", false},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (torc_name_match(rows[i].glob, rows[i].name) != rows[i].matches)
                        fail_msg("glob '%s', name '%s': expected %d", rows[i].glob, rows[i].name, rows[i].matches);
}

/* A matcher that tries every star again would need 2^50 steps here. */
static void name_match_many_stars_ends_quickly(void **state)
{
        char glob[201], name[201];

        (void)state;
        for (size_t i = 0; i < 200; i += 2)
                memcpy(glob + i, "*a", 2);
        memset(name, 'a', 200);
        glob[200] = name[200] = '\0';
        assert_true(torc_name_match(glob, name));
        glob[199] = 'b';
        assert_false(torc_name_match(glob, name));
}

static void tags_check_table(void **state)
{
        static const struct {
                const char *tags;
                int result;
        } rows[] = {
                {NULL, 0},
                {"", 0},
                {"a", 0},
                {"a,b", 0},
                {"role=reader,zone 1", 0},
                {"\xc3\xa4,b", 0},
                {",", TORC_ETAGS},
                {"a,", TORC_ETAGS},
                {",a", TORC_ETAGS},
                {"a,,b", TORC_ETAGS},
                {" ", TORC_ETAGS},
                {"a, b", TORC_ETAGS},
                {"a ,b", TORC_ETAGS},
                {"a ", TORC_ETAGS},
                {"a\tb", TORC_ETAGS},
                {"a\n", TORC_ETAGS},
                {"\xc3", TORC_ETAGS},
                {"\xc2\x80", TORC_ETAGS},
        };
        char tags[TORC_TAGS_MAX + 2];

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                assert_int_equal(tags_check(rows[i].tags), rows[i].result);
        memset(tags, 'x', sizeof(tags));
        tags[TORC_TAGS_MAX] = '\0';
        assert_int_equal(tags_check(tags), 0);
        tags[TORC_TAGS_MAX] = 'x';
        tags[TORC_TAGS_MAX + 1] = '\0';
        assert_int_equal(tags_check(tags), TORC_ETAGS);
}

static void tags_carry_all_table(void **state)
{
        static const struct {
                const char *have, *need;
                bool carries;
        } rows[] = {
                {NULL, NULL, true},      {"", "", true},     {"a", NULL, true},   {"a", "", true},
                {NULL, "a", false},      {"", "a", false},   {"a", "a", true},    {"a,b,c", "c,a", true},
                {"a,b", "a,b,c", false}, {"ab", "a", false}, {"a", "ab", false},  {"a,b", "b,b", true},
                {"a", ",,a,", true},     {",,", ",", true},  {"a,,b", "b", true},
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (tags_carry_all(rows[i].have, rows[i].need) != rows[i].carries)
                        fail_msg("have '%s', need '%s'", rows[i].have, rows[i].need);
}

/* The sanitizers see a read past the end: both blocks are exactly as long as may be read. */
static void tags_carry_all_without_nul_stays_inside(void **state)
{
        char *have = malloc(TORC_TAGS_MAX + 1), *need = malloc(TORC_TAGS_MAX + 1);

        (void)state;
        assert_non_null(have);
        assert_non_null(need);
        memset(have, 'x', TORC_TAGS_MAX + 1);
        memset(need, 'x', TORC_TAGS_MAX + 1);
        assert_true(tags_carry_all(have, need));
        need[0] = 'y';
        assert_false(tags_carry_all(have, need));
        memset(have, ',', TORC_TAGS_MAX + 1);
        assert_false(tags_carry_all(have, need));
        free(have);
        free(need);
}

static void id_text_round_trips(void **state)
{
        static const struct torc_id ids[] = {
                {0, 0, 0}, {4096, 1, 0}, {UINT64_MAX, UINT32_MAX, UINT32_MAX}, {1ull << 63, 7, 3}};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
                char text[TORC_ID_TEXT_MAX];
                struct torc_id id = {0};

                torc_id_format(text, &ids[i]);
                assert_int_equal(torc_id_parse(&id, text), 0);
                assert_true(id.position == ids[i].position && id.epoch == ids[i].epoch && id.shard == ids[i].shard);
        }
        char text[TORC_ID_TEXT_MAX];
        torc_id_format(text, &(struct torc_id){.shard = 2, .epoch = 3, .position = 4096});
        assert_string_equal(text, "2-3-4096");
}

static void id_parse_bad_text_is_einval_and_touches_nothing(void **state)
{
        static const char *const bad[] = {"",
                                          "-",
                                          "--",
                                          "1",
                                          "1-2",
                                          "1-2-",
                                          "-2-3",
                                          "1--3",
                                          "1-2-3-",
                                          "1-2-3-4",
                                          " 1-2-3",
                                          "1-2-3 ",
                                          "+1-2-3",
                                          "1-2--3",
                                          "1-2-x",
                                          "0x1-2-3",
                                          "4294967296-0-0",
                                          "0-4294967296-0",
                                          "0-0-18446744073709551616",
                                          "0-0-99999999999999999999999"};
        struct torc_id id = {.position = 1, .epoch = 2, .shard = 3};

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(torc_id_parse(&id, bad[i]), -EINVAL);
        assert_true(id.position == 1 && id.epoch == 2 && id.shard == 3);
}

static void root_default_depends_on_user_and_environment(void **state)
{
        char path[256], expected[256];

        (void)state;
        if (geteuid() == 0) {
                assert_int_equal(torc_root_default(path, sizeof(path)), 0);
                assert_string_equal(path, "/run/torc");
        } else {
                setenv("XDG_RUNTIME_DIR", "/run/user/me", 1);
                assert_int_equal(torc_root_default(path, sizeof(path)), 0);
                assert_string_equal(path, "/run/user/me/torc");
                setenv("XDG_RUNTIME_DIR", "relative", 1);
                assert_int_equal(torc_root_default(path, sizeof(path)), 0);
                snprintf(expected, sizeof(expected), "/dev/shm/torc-%lu", (unsigned long)geteuid());
                assert_string_equal(path, expected);
                unsetenv("XDG_RUNTIME_DIR");
                assert_int_equal(torc_root_default(path, sizeof(path)), 0);
                assert_string_equal(path, expected);
        }
        assert_int_equal(torc_root_default(path, 4), -ENAMETOOLONG);
        assert_int_equal(torc_root_default(path, 0), -ENAMETOOLONG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(name_check_ordinary_names_are_good),
                cmocka_unit_test(name_check_bad_names_are_ename),
                cmocka_unit_test(name_check_length_limit_is_200_bytes),
                cmocka_unit_test(label_check_refuses_controls_and_directories),
                cmocka_unit_test(name_match_table),
                cmocka_unit_test(name_match_many_stars_ends_quickly),
                cmocka_unit_test(tags_check_table),
                cmocka_unit_test(tags_carry_all_table),
                cmocka_unit_test(tags_carry_all_without_nul_stays_inside),
                cmocka_unit_test(id_text_round_trips),
                cmocka_unit_test(id_parse_bad_text_is_einval_and_touches_nothing),
                cmocka_unit_test(root_default_depends_on_user_and_environment),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
