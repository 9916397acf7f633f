/*
 * ui.c - keys, and what they change.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui.h"

#include "text.h"

#include <ncurses.h>
#include <string.h>

enum action {
        ACTION_NONE,
#define KEY_GROUP(title)
#define KEY(action, label, help, ...) ACTION_##action,
#include "keys.def"
#undef KEY_GROUP
#undef KEY
};

const struct ui_key ui_keys[] = {
#define KEY_GROUP(title)             {.group = (title)},
#define KEY(action, name, text, ...) {.label = (name), .help = (text)},
#include "keys.def"
#undef KEY_GROUP
#undef KEY
};
const size_t ui_n_keys = sizeof ui_keys / sizeof *ui_keys;

#define CODES_MAX 6
static const struct {
        enum action action;
        int code[CODES_MAX]; /* ends with 0 */
} ui_bindings[] = {
#define KEY_GROUP(title)
#define KEY(action, label, help, ...) {ACTION_##action, {__VA_ARGS__}},
#include "keys.def"
#undef KEY_GROUP
#undef KEY
};

static enum action ui_lookup(wchar_t code, bool function)
{
        for (size_t i = 0; i < sizeof ui_bindings / sizeof *ui_bindings; i++) {
                for (int j = 0; j < CODES_MAX && ui_bindings[i].code[j]; j++) {
                        /* Codes of keys begin above those of bytes; characters above them are other keys' text. */
                        if (ui_bindings[i].code[j] == (int)code && function == (code > 255))
                                return ui_bindings[i].action;
                }
        }
        return ACTION_NONE;
}

void ui_init(struct ui *ui)
{
        *ui = (struct ui){0};
        for (int i = 0; i < VIEW_COUNT; i++)
                ui->views[i].order = (struct table_order){views[i]->sort, views[i]->reverse};
}

/* ---- prompts --------------------------------------------------------------------------------------------- */

static void ui_prompt_open(struct ui *ui, enum ui_prompt prompt)
{
        if (ui->mode != MODE_TABLE)
                return;
        ui->prompt = prompt;
        memcpy(ui->typed, ui->views[ui->view].filter, sizeof ui->typed);
        if (prompt == PROMPT_SEARCH)
                ui->typed[0] = '\0';
}

/* Searches and filters take effect while they are typed. */
static void ui_prompt_changed(struct ui *ui)
{
        if (ui->prompt == PROMPT_FILTER) {
                memcpy(ui->views[ui->view].filter, ui->typed, sizeof ui->typed);
        } else {
                memcpy(ui->search, ui->typed, sizeof ui->search);
                ui->search_step = ui->search[0] ? 2 : 0;
        }
}

static void ui_prompt_erase(struct ui *ui)
{
        size_t n = strlen(ui->typed);
        while (n > 0 && ((unsigned char)ui->typed[n - 1] & 0xc0) == 0x80)
                n--;
        ui->typed[n > 0 ? n - 1 : 0] = '\0';
        ui_prompt_changed(ui);
}

static void ui_prompt_type(struct ui *ui, wchar_t c)
{
        char bytes[4];
        size_t n = strlen(ui->typed), more = text_encode(bytes, c);
        if (n + more >= sizeof ui->typed)
                return;
        memcpy(ui->typed + n, bytes, more);
        ui->typed[n + more] = '\0';
        ui_prompt_changed(ui);
}

static void ui_prompt_key(struct ui *ui, wchar_t code, bool function)
{
        if ((function && code == KEY_ENTER) || (!function && (code == '\n' || code == '\r'))) {
                ui->prompt = PROMPT_NONE;
        } else if (!function && (code == 27 || code == 3)) {
                ui->typed[0] = '\0';
                ui_prompt_changed(ui);
                ui->prompt = PROMPT_NONE;
        } else if ((function && code == KEY_BACKSPACE) || (!function && (code == 127 || code == 8))) {
                ui_prompt_erase(ui);
        } else if (!function && code == 21) { /* Ctrl-U */
                ui->typed[0] = '\0';
                ui_prompt_changed(ui);
        } else if (!function && code >= 32) {
                ui_prompt_type(ui, code);
        }
}

/* ---- actions --------------------------------------------------------------------------------------------- */

static void ui_go(struct ui *ui, int view)
{
        ui->view = (enum view_id)((view + VIEW_COUNT) % VIEW_COUNT);
        ui->mode = MODE_TABLE;
        ui->scroll = 0;
}

static void ui_back(struct ui *ui)
{
        struct ui_view *v = &ui->views[ui->view];
        if (ui->mode == MODE_HELP) {
                ui->mode = ui->before_help;
        } else if (ui->mode == MODE_DETAILS) {
                ui->mode = MODE_TABLE;
        } else if (ui->search[0]) {
                ui->search[0] = '\0';
        } else {
                v->filter[0] = '\0';
        }
        ui->scroll = 0;
}

static void ui_sort(struct ui *ui, int step)
{
        struct table_order *order = &ui->views[ui->view].order;
        int n = views[ui->view]->n_columns;
        if (ui->mode != MODE_TABLE)
                return;
        order->sort = (order->sort + step + n) % n;
        order->reverse = false;
}

static void ui_help(struct ui *ui)
{
        if (ui->mode == MODE_HELP) {
                ui_back(ui);
                return;
        }
        ui->before_help = ui->mode;
        ui->mode = MODE_HELP;
        ui->scroll = 0;
}

static void ui_act(struct ui *ui, enum action action, wchar_t code)
{
        switch (action) {
        case ACTION_VIEW:
                ui_go(ui, (int)(code - L'1'));
                break;
        case ACTION_NEXT_VIEW:
                ui_go(ui, (int)ui->view + 1);
                break;
        case ACTION_PREVIOUS_VIEW:
                ui_go(ui, (int)ui->view - 1);
                break;
        case ACTION_DETAILS:
                if (ui->mode == MODE_TABLE && ui->views[ui->view].has_key) {
                        ui->mode = MODE_DETAILS;
                        ui->scroll = 0;
                }
                break;
        case ACTION_BACK:
                ui_back(ui);
                break;
        case ACTION_UP:
                ui->move--;
                break;
        case ACTION_DOWN:
                ui->move++;
                break;
        case ACTION_PAGE_UP:
                ui->pages--;
                break;
        case ACTION_PAGE_DOWN:
                ui->pages++;
                break;
        case ACTION_FIRST:
                ui->move = -1000000;
                break;
        case ACTION_LAST:
                ui->move = 1000000;
                break;
        case ACTION_SEARCH:
                ui_prompt_open(ui, PROMPT_SEARCH);
                break;
        case ACTION_SEARCH_NEXT:
                ui->search_step = 1;
                break;
        case ACTION_SEARCH_PREVIOUS:
                ui->search_step = -1;
                break;
        case ACTION_FILTER:
                ui_prompt_open(ui, PROMPT_FILTER);
                break;
        case ACTION_SORT_NEXT:
                ui_sort(ui, 1);
                break;
        case ACTION_SORT_PREVIOUS:
                ui_sort(ui, -1);
                break;
        case ACTION_REVERSE:
                ui->views[ui->view].order.reverse ^= ui->mode == MODE_TABLE;
                break;
        case ACTION_PAUSE:
                ui->paused = !ui->paused;
                break;
        case ACTION_REDRAW:
                ui->redraw = true;
                break;
        case ACTION_HELP:
                ui_help(ui);
                break;
        case ACTION_QUIT:
                ui->quit = true;
                break;
        case ACTION_NONE:
                break;
        }
}

void ui_key(struct ui *ui, wchar_t code, bool function)
{
        ui->message[0] = '\0';
        if (ui->prompt != PROMPT_NONE)
                ui_prompt_key(ui, code, function);
        else
                ui_act(ui, ui_lookup(code, function), code);
}
