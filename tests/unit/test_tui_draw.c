/*
 * test_tui_draw.c - the monitor's screens, drawn from a bus that is made up, against golden files at three sizes.
 *
 * links: tui/draw.c tui/details.c tui/help.c tui/pen.c tui/screen.c tui/text.c tui/units.c tui/table.c
 * links: tui/value.c tui/view_streams.c tui/view_groups.c tui/view_consumers.c tui/view_peers.c tui/view_events.c
 * links: tui/view_stream.c tui/model.c tui/ui.c libshm/snapshot.c libshm/error.c
 *
 * With TORC_GOLDEN_UPDATE=1 the files in tests/golden/tui are written anew; look at the difference before you
 * commit it.
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

#include "../../tui/draw.h"
#include "../../tui/text.h"
#include "tui_fixture.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <time.h>

#define GOLDEN "tests/golden/tui/"
#define STEPS  8

struct bench {
        struct model model;
        struct ui ui;
        struct screen screen;
};

static void bench_open(struct bench *b, bool ascii, int width, int height)
{
        *b = (struct bench){0};
        ui_init(&b->ui);
        b->ui.ascii = b->screen.ascii = ascii;
        b->ui.bus_name = "market";
        b->ui.bus_path = "/run/torc/market";
        b->ui.clock_ns = FIXTURE_WALL;
        assert_true(screen_resize(&b->screen, width, height));
}

static void bench_fill(struct bench *b)
{
        for (unsigned step = 0; step < STEPS; step++)
                assert_int_equal(model_advance(&b->model, fixture_snapshot(step)), 0);
}

static void bench_close(struct bench *b)
{
        model_free(&b->model);
        screen_free(&b->screen);
}

/* Draw, and check what holds for every screen: each cell is printable, wide characters have their second cell. */
static void bench_draw(struct bench *b)
{
        draw(&b->screen, &b->model, &b->ui);
        for (int y = 0; y < b->screen.height; y++) {
                for (int x = 0; x < b->screen.width; x++) {
                        const struct cell *cell = screen_at(&b->screen, y, x);
                        if (cell->c == 0) {
                                assert_true(x > 0 && wcwidth(cell[-1].c) == 2);
                                continue;
                        }
                        assert_true(cell->c >= 0x20 && cell->c != 0x7f);
                        assert_false(cell->c >= 0x80 && (b->screen.ascii || cell->c < 0xa0));
                        assert_true((cell->style & ~STYLE_SELECTED) < STYLE_COUNT);
                        if (cell->c >= 0x80 && wcwidth(cell->c) == 2)
                                assert_true(x + 1 < b->screen.width && cell[1].c == 0);
                }
        }
}

static void type(struct bench *b, const char *keys)
{
        for (; *keys; keys++)
                ui_key(&b->ui, (wchar_t)(unsigned char)*keys, false);
}

/* ---- golden files ---------------------------------------------------------------------------------------- */

static void append_screen(FILE *out, const char *title, const struct bench *b)
{
        char line[4096];
        fprintf(out, "==== %s\n", title);
        for (int y = 0; y < b->screen.height; y++) {
                screen_line(&b->screen, y, line, sizeof line);
                fprintf(out, "%s\n", line);
        }
}

static void append_styles(FILE *out, const struct bench *b)
{
        static const char letters[] = {
#define STYLE_X(name, letter) letter,
                SCREEN_STYLES(STYLE_X)
#undef STYLE_X
        };
        fprintf(out, "==== styles\n");
        for (int y = 0; y < b->screen.height; y++) {
                for (int x = 0; x < b->screen.width; x++)
                        fputc(letters[screen_at(&b->screen, y, x)->style & ~STYLE_SELECTED], out);
                fputc('\n', out);
        }
}

static char *read_file(const char *path)
{
        char *text = calloc(1, 1 << 20);
        FILE *f = fopen(path, "r");
        assert_non_null(text);
        if (f) {
                size_t n = fread(text, 1, (1 << 20) - 1, f);
                assert_true(n < (1 << 20) - 1);
                fclose(f);
        }
        return text;
}

static void compare_golden(const char *name, const char *text)
{
        char path[128];
        snprintf(path, sizeof path, GOLDEN "%s", name);
        if (getenv("TORC_GOLDEN_UPDATE")) {
                FILE *f = fopen(path, "w");
                if (!f)
                        fail_msg("cannot write %s: run the tests from the top of the source tree", path);
                fputs(text, f);
                fclose(f);
                return;
        }
        char *want = read_file(path);
        size_t at = 0, line = 1;
        while (text[at] && text[at] == want[at])
                line += text[at++] == '\n';
        if (text[at] != want[at])
                fail_msg("%s differs in line %zu; if that is meant, write it anew with TORC_GOLDEN_UPDATE=1", path,
                         line);
        free(want);
}

static void append_views(FILE *out, struct bench *b)
{
        static const char *const titles[] = {"streams", "groups", "consumers", "peers", "events"};
        for (int i = 0; i < VIEW_COUNT; i++) {
                type(b, (const char[]){(char)('1' + i), 0});
                bench_draw(b);
                append_screen(out, titles[i], b);
        }
}

static void append_pages(FILE *out, struct bench *b)
{
        static const char *const titles[] = {"stream", "member", "consumer", "peer", "event"};
        type(b, "1");
        ui_key(&b->ui, KEY_HOME, true);
        for (int i = 0; i < 5; i++) /* net.packets: it has everything */
                ui_key(&b->ui, KEY_DOWN, true);
        bench_draw(b);
        for (int i = 0; i < VIEW_COUNT; i++) {
                type(b, (const char[]){(char)('1' + i), 0});
                bench_draw(b);
                type(b, "\n");
                bench_draw(b);
                append_screen(out, titles[i], b);
                type(b, "\033");
        }
        type(b, "1?");
        bench_draw(b);
        append_screen(out, "help", b);
        type(b, "?");
}

static void check_size(int width, int height)
{
        struct bench b;
        char *text, name[64];
        size_t len;
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        bench_open(&b, false, width, height);
        bench_fill(&b);
        append_views(out, &b);
        append_pages(out, &b);
        bench_close(&b);
        fclose(out);
        snprintf(name, sizeof name, "screens-%dx%d.txt", width, height);
        compare_golden(name, text);
        free(text);
}

static void draw_at_200x50_is_golden(void **state)
{
        (void)state;
        check_size(200, 50);
}

static void draw_at_80x24_is_golden(void **state)
{
        (void)state;
        check_size(80, 24);
}

static void draw_at_40x12_is_golden(void **state)
{
        (void)state;
        check_size(40, 12);
}

/* ASCII, styles, and what the top line says of torcd, paused, prompts, filters. */
static void draw_of_special_states_is_golden(void **state)
{
        struct bench b;
        char *text;
        size_t len;
        (void)state;
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        bench_open(&b, true, 80, 24);
        bench_draw(&b);
        append_screen(out, "before the first look", &b);
        b.model.error = -ENOENT;
        bench_draw(&b);
        append_screen(out, "no bus", &b);
        b.model.error = TORC_EVERSION;
        bench_draw(&b);
        append_screen(out, "another version", &b);
        assert_int_equal(model_advance(&b.model, fixture_empty(0)), 0);
        bench_draw(&b);
        append_screen(out, "no streams, never a torcd", &b);
        bench_fill(&b);
        bench_draw(&b);
        append_screen(out, "ascii", &b);
        append_styles(out, &b);
        b.model.snap->supervisor.alive = false;
        b.model.snap->supervisor.updated_ns = FIXTURE_WALL - 60 * FIXTURE_S;
        type(&b, "Z2");
        bench_draw(&b);
        append_screen(out, "torcd gone, paused", &b);
        type(&b, "1\\recorder\n");
        bench_draw(&b);
        type(&b, "3\\recorder\n");
        bench_draw(&b);
        append_screen(out, "filtered", &b);
        type(&b, "1\\nothing has this");
        bench_draw(&b);
        append_screen(out, "nothing passes the filter, which is being typed", &b);
        bench_close(&b);
        fclose(out);
        compare_golden("special-80x24.txt", text);
        free(text);
}

/* ---- what holds at every size ---------------------------------------------------------------------------- */

static void draw_at_any_size_stays_inside(void **state)
{
        struct bench b;
        (void)state;
        bench_open(&b, false, 40, 12);
        bench_fill(&b);
        for (int width = 1; width <= 300; width += width < 60 ? 1 : 7) {
                for (int height = 1; height <= 60; height += height < 14 ? 1 : 11) {
                        assert_true(screen_resize(&b.screen, width, height));
                        for (int i = 0; i < VIEW_COUNT; i++) {
                                type(&b, (const char[]){(char)('1' + i), 0});
                                bench_draw(&b);
                                type(&b, "\n");
                                bench_draw(&b);
                                type(&b, "\033");
                        }
                }
        }
        bench_close(&b);
}

/* A number that does not fit ends in an ellipsis: there must be none in a column of numbers at any width. */
static void draw_at_any_width_never_cuts_a_number(void **state)
{
        struct bench b;
        (void)state;
        bench_open(&b, false, 40, 12);
        bench_fill(&b);
        for (int width = UI_WIDTH_MIN; width <= 300; width++) {
                for (int i = 0; i < VIEW_COUNT; i++) {
                        struct table t;
                        struct table_layout l;
                        struct table_order order = {-1, false};
                        assert_int_equal(table_build(&t, views[i], &b.model, 0, "", &order), 0);
                        table_fit(&l, &t, &b.model, width, false);
                        for (size_t r = 0; r < t.n; r++) {
                                for (int c = 0; c < t.view->n_columns; c++) {
                                        struct value v = {.share = -1};
                                        t.view->columns[c].get(&b.model, &t.rows[r], &v);
                                        if (l.width[c] && t.view->columns[c].kind == COLUMN_NUMBER)
                                                assert_in_range(text_columns(v.text, false), 0, l.width[c]);
                                        if (l.width[c])
                                                assert_in_range(l.x[c] + l.width[c], 0, width);
                                }
                        }
                        table_free(&t);
                }
        }
        bench_close(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(draw_at_200x50_is_golden),
                cmocka_unit_test(draw_at_80x24_is_golden),
                cmocka_unit_test(draw_at_40x12_is_golden),
                cmocka_unit_test(draw_of_special_states_is_golden),
                cmocka_unit_test(draw_at_any_size_stays_inside),
                cmocka_unit_test(draw_at_any_width_never_cuts_a_number),
        };
        setenv("TZ", "UTC", 1);
        tzset();
        if (!setlocale(LC_CTYPE, "C.UTF-8")) {
                puts("the locale C.UTF-8 is missing");
                return 1;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
