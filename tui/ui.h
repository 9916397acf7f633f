/*
 * ui.h - what the person at the keyboard has chosen, and how keys change it. No terminal here: keys come in as the
 * codes of ncurses, and draw.c makes a screen of the result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_UI_H
#define TUI_UI_H

#include "table.h"

#include <wchar.h>

#define UI_TEXT       128 /* bytes of a search or a filter */
#define UI_WIDTH_MIN  40
#define UI_HEIGHT_MIN 12

enum ui_mode { MODE_TABLE, MODE_DETAILS, MODE_HELP };
enum ui_prompt { PROMPT_NONE, PROMPT_SEARCH, PROMPT_FILTER };

struct ui_view {
        struct table_order order;
        char filter[UI_TEXT];
        size_t selected, top; /* rows of the table as it was last drawn */
        uint64_t key;         /* of the selected row: it is found again by it */
        bool has_key;
};

struct ui {
        enum view_id view;
        enum ui_mode mode, before_help;
        struct ui_view views[VIEW_COUNT];
        enum ui_prompt prompt;
        char typed[UI_TEXT], search[UI_TEXT];
        /* What keys asked for and the next drawing carries out, when it knows the rows and the height. */
        long move;       /* rows down */
        long pages;      /* pages down */
        int search_step; /* +1, -1: to the next or previous match; 2: from here on */
        size_t scroll;   /* of details and help */
        char message[160];
        bool paused, quit, redraw;
        bool ascii;
        int64_t clock_ns;     /* CLOCK_REALTIME shown in the top line */
        const char *bus_name; /* for a screen without snapshot */
        const char *bus_path;
};

void ui_init(struct ui *ui);

/* One key; `function` tells a code above characters (KEY_UP, ...) from a character. */
void ui_key(struct ui *ui, wchar_t code, bool function);

/* The keys, for the help screen and torctop(1). */
struct ui_key {
        const char *group; /* set: a heading, the rest is NULL */
        const char *label, *help;
};
extern const struct ui_key ui_keys[];
extern const size_t ui_n_keys;

#endif
