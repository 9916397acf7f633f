/*
 * Text in and out of the command: JSON, base64, names for terminals, sizes, numbers.
 *
 * links: cli/out.c cli/common.c libshm/error.c libshm/name.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../cli/cli.h"
#include "../../cli/out.h"

static void expect_out(struct out *out, const char *text)
{
        out_char(out, '\0');
        assert_string_equal(out->data, text);
        out->len = 0;
}

static void json_string_escapes_what_json_demands(void **state)
{
        struct out out = {0};

        (void)state;
        out_json_text(&out, "plain \xc3\xbc");
        expect_out(&out, "\"plain \xc3\xbc\"");
        out_json(&out, "\"\\\b\t\n\f\r\x01\x1f\x7f", 10);
        expect_out(&out, "\"\\\"\\\\\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\"");
        out_json(&out, "a\0b", 3);
        expect_out(&out, "\"a\\u0000b\"");
        out_json(&out, "", 0);
        expect_out(&out, "\"\"");
        out_free(&out);
}

static void json_string_replaces_what_is_not_utf8(void **state)
{
        struct out out = {0};

        (void)state;
        out_json(&out,
                 "a\xff"
                 "b",
                 3);
        expect_out(&out, "\"a\\ufffdb\"");
        out_json(&out, "\xe2\x82", 2); /* cut short by its length */
        expect_out(&out, "\"\\ufffd\\ufffd\"");
        out_free(&out);
}

static void json_members_have_commas_between(void **state)
{
        struct out out = {0};

        (void)state;
        out_char(&out, '{');
        out_member_text(&out, "a", "{");
        out_member_number(&out, "b", INT64_MIN);
        out_member_count(&out, "c", UINT64_MAX);
        out_member_bool(&out, "d", true);
        out_key(&out, "e");
        out_char(&out, '[');
        out_next(&out);
        out_text(&out, "1");
        out_next(&out);
        out_text(&out, "2]}");
        expect_out(&out,
                   "{\"a\":\"{\",\"b\":-9223372036854775808,\"c\":18446744073709551615,\"d\":true,\"e\":[1,2]}");
        out_free(&out);
}

static void base64_test_vectors_of_rfc_4648(void **state)
{
        static const char *const vectors[][2] = {{"", ""},
                                                 {"f", "Zg=="},
                                                 {"fo", "Zm8="},
                                                 {"foo", "Zm9v"},
                                                 {"foob", "Zm9vYg=="},
                                                 {"fooba", "Zm9vYmE="},
                                                 {"foobar", "Zm9vYmFy"}};
        struct out out = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
                out_base64(&out, vectors[i][0], strlen(vectors[i][0]));
                expect_out(&out, vectors[i][1]);
        }
        out_base64(&out, "\xff\xfe\xfd", 3);
        expect_out(&out, "//79");
        out_free(&out);
}

static void safe_text_has_no_control_characters(void **state)
{
        (void)state;
        assert_string_equal(cli_safe("gr\xc3\xbcn"), "gr\xc3\xbcn");
        assert_string_equal(cli_safe("\x1b[31m\n\x7f"), "\\x1b[31m\\x0a\\x7f");
        assert_string_equal(cli_safe("\xc2\x9b"
                                     "31m"),
                            "\\xc2\\x9b31m"); /* CSI in its eight-bit form */
        assert_string_equal(cli_safe("a\xff\xc3"), "a\\xff\\xc3");
        assert_string_equal(cli_safe(""), "");
}

static void utf8_of_every_lead_byte_agrees_with_names(void **state)
{
        (void)state;
        for (unsigned lead = 1; lead < 256; lead++)
                for (unsigned second = 0x7f; second < 0xc1; second++) {
                        const char text[5] = {(char)lead, (char)second, (char)0x80, (char)0x80, 0};

                        for (size_t len = 1; len <= 4; len++) {
                                char cut[5] = {0};

                                memcpy(cut, text, len);
                                if (lead == '/')
                                        continue;
                                assert_int_equal(utf8_valid(cut, len), torc_name_check(cut) == 0);
                        }
                }
}

static void size_accepts_units_and_nothing_else(void **state)
{
        static const struct {
                const char *text;
                uint64_t bytes;
        } good[] = {{"0", 0},
                    {"512", 512},
                    {"1B", 1},
                    {"4K", 4096},
                    {"64KiB", 65536},
                    {"1M", 1 << 20},
                    {"1MiB", 1 << 20},
                    {"2GiB", 2ull << 30},
                    {"64G", 64ull << 30},
                    {"16777215TiB", 16777215ull << 40},
                    {"18446744073709551615", UINT64_MAX}};
        static const char *const bad[] = {"",
                                          "K",
                                          "-1",
                                          "+1",
                                          " 1",
                                          "1 ",
                                          "1 K",
                                          "1k",
                                          "1KB",
                                          "1kib",
                                          "0x10",
                                          "1.5M",
                                          "16777216TiB",
                                          "18446744073709551616",
                                          "999999999999999999999999999"};
        uint64_t bytes;

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                assert_true(cli_size(good[i].text, &bytes));
                assert_true(bytes == good[i].bytes);
        }
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_false(cli_size(bad[i], &bytes));
}

static void number_stays_in_its_range(void **state)
{
        uint64_t value;

        (void)state;
        assert_true(cli_number("0", 0, 0, &value));
        assert_true(cli_number("99", 1, 99, &value) && value == 99);
        assert_true(cli_number("18446744073709551615", 0, UINT64_MAX, &value) && value == UINT64_MAX);
        assert_false(cli_number("100", 1, 99, &value));
        assert_false(cli_number("0", 1, 99, &value));
        assert_false(cli_number("9", 0, 5, &value));
        assert_false(cli_number("", 0, 5, &value));
        assert_false(cli_number("1x", 0, 5, &value));
        assert_false(cli_number("18446744073709551616", 0, UINT64_MAX, &value));
}

static void flush_to_a_closed_pipe_is_epipe_and_drops_the_text(void **state)
{
        struct out out = {0};
        int fds[2];

        (void)state;
        signal(SIGPIPE, SIG_IGN);
        assert_int_equal(pipe(fds), 0);
        close(fds[0]);
        out.fd = fds[1];
        out_text(&out, "text");
        assert_int_equal(out_flush(&out, NULL), -EPIPE);
        assert_int_equal(out.len, 0);
        assert_int_equal(out_flush(&out, NULL), 0); /* nothing left to write */
        close(fds[1]);
        out_free(&out);
}

static void flush_writes_everything_to_a_slow_nonblocking_pipe(void **state)
{
        struct out out = {0};
        char buffer[65536];
        size_t got = 0;
        ssize_t n;
        int fds[2];

        (void)state;
        assert_int_equal(pipe(fds), 0);
        fcntl(fds[1], F_SETFL, O_NONBLOCK);
        out.fd = fds[1];
        for (int i = 0; i < 300000; i++)
                out_char(&out, 'x');
        if (fork() == 0) {
                close(fds[0]);
                _exit(out_flush(&out, NULL) == 0 ? 0 : 1);
        }
        close(fds[1]);
        while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
                got += (size_t)n;
        assert_int_equal(got, 300000);
        close(fds[0]);
        out_free(&out);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(json_string_escapes_what_json_demands),
                cmocka_unit_test(json_string_replaces_what_is_not_utf8),
                cmocka_unit_test(json_members_have_commas_between),
                cmocka_unit_test(base64_test_vectors_of_rfc_4648),
                cmocka_unit_test(safe_text_has_no_control_characters),
                cmocka_unit_test(utf8_of_every_lead_byte_agrees_with_names),
                cmocka_unit_test(size_accepts_units_and_nothing_else),
                cmocka_unit_test(number_stays_in_its_range),
                cmocka_unit_test(flush_to_a_closed_pipe_is_epipe_and_drops_the_text),
                cmocka_unit_test(flush_writes_everything_to_a_slow_nonblocking_pipe),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
