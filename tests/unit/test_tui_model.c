/*
 * test_tui_model.c - what the monitor concludes from snapshots; its text, units and JSON.
 *
 * links: tui/model.c tui/text.c tui/units.c tui/json.c tui/value.c tui/screen.c tui/view_streams.c
 * links: tui/view_groups.c tui/view_consumers.c tui/view_peers.c tui/view_events.c tui/table.c
 * links: libshm/snapshot.c libshm/error.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../tui/print.h"
#include "../../tui/table.h"
#include "../../tui/text.h"
#include "../../tui/units.h"
#include "tui_fixture.h"

#include <locale.h>
#include <signal.h>
#include <sys/wait.h>

static size_t find_stream(const struct model *m, const char *name)
{
        for (size_t i = 0; i < m->snap->n_streams; i++) {
                if (strcmp(m->snap->streams[i].name, name) == 0)
                        return i;
        }
        fail_msg("no stream %s", name);
        return 0;
}

/* ---- rates and losses ------------------------------------------------------------------------------------ */

static void model_at_first_look_knows_no_rates(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        assert_false(m.totals.rates.known);
        assert_false(m.streams[find_stream(&m, "cpu.load")].rates.known);
        assert_false(m.consumers[0].rates.known);
        model_free(&m);
        assert_null(m.snap);
}

static void model_after_two_looks_knows_rates(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        assert_int_equal(model_advance(&m, fixture_snapshot(2)), 0);
        const struct stream_look *look = &m.streams[find_stream(&m, "cpu.load")];
        assert_true(look->rates.known);
        assert_true(look->rates.messages > 12344.9 && look->rates.messages < 12345.1);
        assert_int_equal(look->history.n, 1);
        assert_true(look->producers[1].rates.messages > 6344.9 && look->producers[1].rates.messages < 6345.1);
        const struct stream_look *net = &m.streams[find_stream(&m, "net.packets")];
        assert_int_equal(net->lost_now, 68);
        assert_int_equal(m.totals.lost_now, 68);
        assert_int_equal(m.totals.exclusive, 1);
        model_free(&m);
}

static void model_of_a_new_stream_of_old_name_starts_anew(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(5)), 0);
        struct torc_snapshot *snap = fixture_snapshot(6);
        for (size_t i = 0; i < snap->n_streams; i++)
                snap->streams[i].created_ns++;
        assert_int_equal(model_advance(&m, snap), 0);
        assert_false(m.streams[find_stream(&m, "cpu.load")].rates.known);
        /* Counters that fall are no negative rates. */
        assert_int_equal(model_advance(&m, fixture_snapshot(7)), 0);
        snap = fixture_snapshot(0);
        snap->monotonic_ns = m.snap->monotonic_ns + FIXTURE_S;
        assert_int_equal(model_advance(&m, snap), 0);
        assert_true(m.streams[find_stream(&m, "cpu.load")].rates.known);
        assert_true(m.streams[find_stream(&m, "cpu.load")].rates.messages == 0);
        model_free(&m);
}

static void model_tells_the_slowest_reader(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        size_t cpu = find_stream(&m, "cpu.load");
        assert_string_equal(m.snap->streams[cpu].consumers[m.streams[cpu].slowest].name, "recorder");
        assert_true(m.streams[cpu].lag_share > 0.23 && m.streams[cpu].lag_share < 0.24);
        /* Of two segments, the present one's capacity counts; who is gone does not. */
        size_t net = find_stream(&m, "net.packets");
        assert_true(m.streams[net].lag_share > 0.90 && m.streams[net].lag_share < 0.91);
        assert_int_equal(m.streams[net].connected, 1);
        model_free(&m);
}

static void model_links_peers_to_their_streams_and_groups(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        for (size_t i = 0; i < m.snap->n_peers; i++) {
                if (strcmp(m.snap->peers[i].name, "recorder") == 0) {
                        assert_int_equal(m.peers[i].consumers, 2);
                        assert_string_equal(m.peers[i].streams, "cpu.load disk.io");
                        assert_true(m.peers[i].member == NONE);
                }
                if (strcmp(m.snap->peers[i].name, "exec-1") == 0) {
                        assert_int_equal(m.peers[i].producers, 1);
                        assert_int_equal(m.peers[i].member, 0);
                }
        }
        model_free(&m);
}

/* ---- claims ---------------------------------------------------------------------------------------------- */

static void model_claim_is_as_old_as_it_was_seen(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        size_t disk = find_stream(&m, "disk.io");
        assert_int_equal(model_claim_age(&m, disk, 0), -1); /* seen once: nothing is known */
        assert_true(m.streams[disk].claim == NONE);
        assert_int_equal(model_advance(&m, fixture_snapshot(3)), 0);
        assert_int_equal(model_claim_age(&m, disk, 0), 3 * FIXTURE_S);
        assert_int_equal(m.streams[disk].claim, 0);
        assert_int_equal(model_stream_word(&m, disk), STREAM_STUCK);
        assert_int_equal(model_advance(&m, fixture_snapshot(10)), 0);
        assert_int_equal(m.streams[disk].claim_age_ns, 10 * FIXTURE_S);
        /* Another claim of the same producer is young. */
        struct torc_snapshot *snap = fixture_snapshot(11);
        snap->streams[disk].producers[0].claim_start += 512;
        snap->streams[disk].producers[0].claim_end += 512;
        assert_int_equal(model_advance(&m, snap), 0);
        assert_int_equal(model_claim_age(&m, disk, 0), -1);
        assert_true(m.streams[disk].claim == NONE);
        model_free(&m);
}

static void model_claim_of_another_in_the_same_slot_is_young(void **state)
{
        struct model m = {0};
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        size_t disk = find_stream(&m, "disk.io");
        struct torc_snapshot *snap = fixture_snapshot(1);
        fixture_copy(snap->streams[disk].producers[0].name, "other");
        assert_int_equal(model_advance(&m, snap), 0);
        assert_int_equal(model_claim_age(&m, disk, 0), -1);
        model_free(&m);
}

static void model_without_streams_is_fine(void **state)
{
        struct model m = {0};
        (void)state;
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(model_advance(&m, fixture_empty(i)), 0);
        assert_int_equal(model_advance(&m, fixture_snapshot(3)), 0);
        assert_int_equal(model_advance(&m, fixture_empty(4)), 0);
        model_free(&m);
}

/* ---- sorting --------------------------------------------------------------------------------------------- */

static void table_sorts_numbers_largest_first(void **state)
{
        struct model m = {0};
        struct table t;
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        assert_int_equal(model_advance(&m, fixture_snapshot(1)), 0);
        int rate = -1;
        for (int i = 0; i < view_streams.n_columns; i++) {
                if (strcmp(view_streams.columns[i].title, "MSG/S") == 0)
                        rate = i;
        }
        struct table_order order = {rate, false};
        assert_int_equal(table_build(&t, &view_streams, &m, 0, "", &order), 0);
        assert_string_equal(m.snap->streams[t.rows[0].a].name, "net.packets");
        assert_string_equal(m.snap->streams[t.rows[1].a].name, "cpu.load");
        assert_string_equal(m.snap->streams[t.rows[2].a].name, "proc.exec");
        table_free(&t);
        order.reverse = true;
        assert_int_equal(table_build(&t, &view_streams, &m, 0, "", &order), 0);
        assert_string_equal(m.snap->streams[t.rows[t.n - 1].a].name, "net.packets");
        table_free(&t);
        assert_int_equal(table_build(&t, &view_streams, &m, 0, "CPU", &order), 0);
        assert_int_equal(t.n, 1);
        assert_int_equal(t.total, 8);
        table_free(&t);
        model_free(&m);
}

/* ---- text ------------------------------------------------------------------------------------------------ */

static void check_text(const char *text, bool ascii, const char *want)
{
        char got[256];
        size_t n = 0;
        int columns;
        while (*text)
                n += text_encode(got + n, text_next(&text, ascii, &columns));
        got[n] = '\0';
        assert_string_equal(got, want);
}

static void text_of_others_is_harmless(void **state)
{
        (void)state;
        check_text("plain", false, "plain");
        check_text("\x1b[2J\x07\r\n\x7f", false, "\xef\xbf\xbd[2J\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        check_text("\xc2\x9b"
                   "31m",
                   false,
                   "\xef\xbf\xbd"
                   "31m");                                                     /* CSI in one character */
        check_text("\xe2\x80\xae", false, "\xef\xbf\xbd");                     /* right-to-left override */
        check_text("\xe2\x81\xa6\xd8\x9c", false, "\xef\xbf\xbd\xef\xbf\xbd"); /* isolate, arabic letter mark */
        check_text("e\xcc\x81", false, "e\xef\xbf\xbd");                       /* a combining accent */
        check_text("\xff\xc0\xaf\xed\xa0\x80", false,
                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        check_text("\xe6\xb0\x97", false, "\xe6\xb0\x97");
        check_text("\xe2\x89\xa5 \xe6\xb0\x97\xc3\xa9\x01", true, "> ???");
        assert_int_equal(text_columns("\xe6\xb0\x97.a", false), 4);
}

static void text_contains_ignores_case(void **state)
{
        (void)state;
        assert_true(text_contains("Net.Packets", "net.p"));
        assert_true(text_contains("\xc3\x89t\xc3\xa9", "\xc3\xa9t"));
        assert_true(text_contains("abc", ""));
        assert_true(text_contains("", ""));
        assert_false(text_contains("abc", "abcd"));
        assert_false(text_contains("", "a"));
        assert_true(text_hash(text_hash(0, "a"), "bc") != text_hash(text_hash(0, "ab"), "c"));
}

/* ---- units ----------------------------------------------------------------------------------------------- */

static void units_are_short_and_right(void **state)
{
        char t[UNITS_TEXT];
        (void)state;
        assert_string_equal(units_count(t, 0), "0");
        assert_string_equal(units_count(t, 9999), "9999");
        assert_string_equal(units_count(t, 10000), "10.0k");
        assert_string_equal(units_count(t, 99949), "99.9k");
        assert_string_equal(units_count(t, 99950), "100k");
        assert_string_equal(units_count(t, 999499), "999k");
        assert_string_equal(units_count(t, 999500), "1.00M");
        assert_string_equal(units_count(t, UINT64_MAX), "18.4E");
        assert_string_equal(units_bytes(t, 0), "0 B");
        assert_string_equal(units_bytes(t, 999), "999 B");
        assert_string_equal(units_bytes(t, 1000), "1.0 KiB");
        assert_string_equal(units_bytes(t, 5 * 1024 * 1024), "5.0 MiB");
        assert_string_equal(units_bytes(t, 340.2 * 1024 * 1024), "340 MiB");
        assert_string_equal(units_bytes(t, 1023.9 * 1024), "1.0 MiB");
        assert_string_equal(units_rate(t, 0.0001), "0.1");
        assert_string_equal(units_rate(t, 3.14), "3.1");
        assert_string_equal(units_rate(t, 12.4), "12");
        assert_string_equal(units_rate(t, 1234567), "1.23M");
        assert_string_equal(units_age(t, 0), "0s");
        assert_string_equal(units_age(t, -5), "0s");
        assert_string_equal(units_age(t, 2 * FIXTURE_S), "2.0s");
        assert_string_equal(units_age(t, 59 * FIXTURE_S), "59s");
        assert_string_equal(units_age(t, 245 * FIXTURE_S), "4m05s");
        assert_string_equal(units_age(t, 11520 * FIXTURE_S), "3h12m");
        assert_string_equal(units_age(t, 442800 * FIXTURE_S), "5d03h");
        assert_string_equal(units_clock(t, 0), "-");
        for (uint64_t n = 1; n < UINT64_MAX / 3; n *= 3)
                assert_in_range(strlen(units_count(t, n)), 1, 5);
        for (double n = 1; n < 1e18; n *= 1.7)
                assert_in_range(strlen(units_bytes(t, n)), 3, 7);
}

static void words_tell_how_a_process_ended(void **state)
{
        char t[32];
        (void)state;
        word_status(t, sizeof t, W_EXITCODE(3, 0));
        assert_string_equal(t, "exit 3");
        word_status(t, sizeof t, W_EXITCODE(0, SIGKILL));
        assert_string_equal(t, "SIGKILL");
        word_status(t, sizeof t, -1);
        assert_string_equal(t, "-");
        word_status(t, sizeof t, 0x7f7f7f7f);
        assert_non_null(t);
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

/* Brackets balance, strings end, and no byte is a control character or broken UTF-8: enough to notice damage here;
 * tests/system/torctop_print.sh reads it with a real parser. */
static void json_of_everything_is_well_formed(void **state)
{
        struct model m = {0};
        char *text, stack[64];
        size_t len;
        int depth = 0;
        bool quoted = false;
        (void)state;
        assert_int_equal(model_advance(&m, fixture_snapshot(0)), 0);
        assert_int_equal(model_advance(&m, fixture_snapshot(1)), 0);
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        print_json(out, &m);
        fclose(out);
        for (const char *p = text; *p && p[1]; p++) {
                assert_true((unsigned char)*p >= 0x20);
                if (quoted && *p == '\\')
                        p++;
                else if (*p == '"')
                        quoted = !quoted;
                else if (!quoted && (*p == '{' || *p == '['))
                        stack[depth++] = *p;
                else if (!quoted && (*p == '}' || *p == ']'))
                        assert_int_equal(stack[--depth], *p == '}' ? '{' : '[');
                assert_in_range(depth, 0, 60);
        }
        assert_int_equal(depth, 0);
        assert_false(quoted);
        assert_non_null(strstr(text, "\"name\":\"evil\\u001b[31m"));
        assert_non_null(strstr(text, "\"messages_per_s\":12345.000"));
        assert_non_null(strstr(text, "\"claim_age_at_least_ns\":1000000000"));
        free(text);
        model_free(&m);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(model_at_first_look_knows_no_rates),
                cmocka_unit_test(model_after_two_looks_knows_rates),
                cmocka_unit_test(model_of_a_new_stream_of_old_name_starts_anew),
                cmocka_unit_test(model_tells_the_slowest_reader),
                cmocka_unit_test(model_links_peers_to_their_streams_and_groups),
                cmocka_unit_test(model_claim_is_as_old_as_it_was_seen),
                cmocka_unit_test(model_claim_of_another_in_the_same_slot_is_young),
                cmocka_unit_test(model_without_streams_is_fine),
                cmocka_unit_test(table_sorts_numbers_largest_first),
                cmocka_unit_test(text_of_others_is_harmless),
                cmocka_unit_test(text_contains_ignores_case),
                cmocka_unit_test(units_are_short_and_right),
                cmocka_unit_test(words_tell_how_a_process_ended),
                cmocka_unit_test(json_of_everything_is_well_formed),
        };
        if (!setlocale(LC_CTYPE, "C.UTF-8")) {
                puts("the locale C.UTF-8 is missing");
                return 1;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
