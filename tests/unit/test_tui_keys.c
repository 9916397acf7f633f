/*
 * test_tui_keys.c - what keys change, and that the manual page lists the keys of keys.def.
 *
 * links: tui/ui.c tui/text.c tui/units.c tui/value.c tui/screen.c tui/model.c tui/view_streams.c tui/view_groups.c
 * links: tui/view_consumers.c tui/view_peers.c tui/view_events.c libshm/snapshot.c libshm/error.c
 *
 * With TORC_GOLDEN_UPDATE=1 in the environment the page is written anew.
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

#include "../../tui/ui.h"

#include <ncurses.h>

#define PAGE  "docs/man/torctop.1"
#define BEGIN ".\\\" BEGIN KEYS\n"
#define END   ".\\\" END KEYS\n"

static struct ui ui;

static int begin(void **state)
{
        (void)state;
        ui_init(&ui);
        ui.views[VIEW_STREAMS].has_key = true;
        return 0;
}

static void type(const char *keys)
{
        for (; *keys; keys++)
                ui_key(&ui, (wchar_t)(unsigned char)*keys, false);
}

static void press(int key)
{
        ui_key(&ui, (wchar_t)key, true);
}

/* ---- views ----------------------------------------------------------------------------------------------- */

static void keys_tab_goes_round_the_views(void **state)
{
        (void)state;
        for (int i = 0; i < VIEW_COUNT; i++) {
                assert_int_equal(ui.view, i);
                type("\t");
        }
        assert_int_equal(ui.view, VIEW_STREAMS);
        press(KEY_BTAB);
        assert_int_equal(ui.view, VIEW_EVENTS);
        type("3");
        assert_int_equal(ui.view, VIEW_CONSUMERS);
        type("9x%");
        assert_int_equal(ui.view, VIEW_CONSUMERS);
}

static void keys_enter_and_escape_open_and_close_details(void **state)
{
        (void)state;
        type("\r");
        assert_int_equal(ui.mode, MODE_DETAILS);
        type("?");
        assert_int_equal(ui.mode, MODE_HELP);
        type("\033");
        assert_int_equal(ui.mode, MODE_DETAILS);
        press(KEY_LEFT);
        assert_int_equal(ui.mode, MODE_TABLE);
        ui.views[VIEW_STREAMS].has_key = false; /* no row, no details */
        type("\r");
        assert_int_equal(ui.mode, MODE_TABLE);
}

static void keys_sort_goes_round_the_columns(void **state)
{
        (void)state;
        struct table_order *order = &ui.views[VIEW_STREAMS].order;
        int first = order->sort, n = view_streams.n_columns;
        type("<");
        assert_int_equal(order->sort, (first + n - 1) % n);
        type("s");
        assert_int_equal(order->sort, first);
        type("r");
        assert_true(order->reverse);
        type(">");
        assert_false(order->reverse);
        assert_int_equal(order->sort, (first + 1) % n);
}

/* ---- prompts --------------------------------------------------------------------------------------------- */

static void keys_filter_takes_effect_while_typed(void **state)
{
        (void)state;
        char *filter = ui.views[VIEW_STREAMS].filter;
        type("\\q1");
        assert_string_equal(filter, "q1");
        assert_false(ui.quit);
        ui_key(&ui, 0x30ab, false); /* a character of three bytes ... */
        assert_string_equal(filter, "q1\xe3\x82\xab");
        press(KEY_BACKSPACE); /* ... is erased at once */
        assert_string_equal(filter, "q1");
        type("\r");
        assert_int_equal(ui.prompt, PROMPT_NONE);
        assert_string_equal(filter, "q1");
        type("2");
        assert_string_equal(ui.views[VIEW_GROUPS].filter, "");
        type("1\033");
        assert_string_equal(filter, "");
        type("\\abc\033");
        assert_string_equal(filter, "");
        assert_int_equal(ui.prompt, PROMPT_NONE);
}

static void keys_search_steps_from_here_and_on(void **state)
{
        (void)state;
        type("/ab");
        assert_string_equal(ui.search, "ab");
        assert_int_equal(ui.search_step, 2);
        type("\rn");
        assert_int_equal(ui.search_step, 1);
        type("N");
        assert_int_equal(ui.search_step, -1);
        type("\033");
        assert_string_equal(ui.search, "");
}

static void keys_prompt_never_overflows(void **state)
{
        (void)state;
        type("\\");
        for (int i = 0; i < 1000; i++)
                ui_key(&ui, 0x1f600, false);
        assert_in_range(strlen(ui.typed), UI_TEXT - 5, UI_TEXT - 1);
        for (int i = 0; i < 1000; i++)
                press(KEY_BACKSPACE);
        assert_string_equal(ui.typed, "");
}

static void keys_of_functions_are_not_characters(void **state)
{
        (void)state;
        ui_key(&ui, KEY_RIGHT, false); /* U+0105, a letter */
        assert_int_equal(ui.mode, MODE_TABLE);
        ui_key(&ui, KEY_F(10), false);
        assert_false(ui.quit);
        press(KEY_F(10));
        assert_true(ui.quit);
}

/* ---- the manual page ------------------------------------------------------------------------------------- */

/* A label in mdoc: backslashes and what would be a macro are escaped. */
static void write_label(FILE *out, const char *label)
{
        fputs(".It Ic ", out);
        for (; *label; label++) {
                if (*label == '\\')
                        fputs("\\e", out);
                else if (strchr(".,;:?!()[]|'", *label) && (label[1] == '\0' || label[1] == ' '))
                        fprintf(out, "\\&%c", *label);
                else
                        fputc(*label, out);
        }
        fputc('\n', out);
}

static void write_keys(FILE *out)
{
        bool open = false;
        for (size_t i = 0; i < ui_n_keys; i++) {
                const struct ui_key *key = &ui_keys[i];
                if (key->group) {
                        fprintf(out, "%s.Ss %s\n.Bl -tag -width \"Enter, Right\"\n", open ? ".El\n" : "",
                                key->group);
                        open = true;
                } else {
                        write_label(out, key->label);
                        fprintf(out, "%c%s.\n", key->help[0] - 'a' + 'A', key->help + 1);
                }
        }
        fputs(".El\n", out);
}

static void keys_are_the_manual_page_s_list(void **state)
{
        static char page[1 << 16];
        char *keys, *first, *end;
        size_t len;
        (void)state;
        FILE *f = fopen(PAGE, "r");
        if (!f)
                fail_msg("run the tests from the top of the source tree: " PAGE " is not here");
        page[fread(page, 1, sizeof page - 1, f)] = '\0';
        fclose(f);
        FILE *out = open_memstream(&keys, &len);
        assert_non_null(out);
        write_keys(out);
        fclose(out);
        first = strstr(page, BEGIN);
        end = strstr(page, END);
        assert_true(first && end);
        first += strlen(BEGIN);
        if (getenv("TORC_GOLDEN_UPDATE")) {
                f = fopen(PAGE, "w");
                assert_non_null(f);
                fprintf(f, "%.*s%s%s", (int)(first - page), page, keys, end);
                fclose(f);
        } else if ((size_t)(end - first) != len || memcmp(first, keys, len) != 0) {
                fail_msg(PAGE " is not in step with tui/keys.def; TORC_GOLDEN_UPDATE=1 "
                              "build/tests/unit/test_tui_keys puts it right");
        }
        free(keys);
}

int main(void)
{
#define FRESH(f) cmocka_unit_test_setup(f, begin)
        const struct CMUnitTest tests[] = {
                FRESH(keys_tab_goes_round_the_views),        FRESH(keys_enter_and_escape_open_and_close_details),
                FRESH(keys_sort_goes_round_the_columns),     FRESH(keys_filter_takes_effect_while_typed),
                FRESH(keys_search_steps_from_here_and_on),   FRESH(keys_prompt_never_overflows),
                FRESH(keys_of_functions_are_not_characters), FRESH(keys_are_the_manual_page_s_list),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
