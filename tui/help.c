/*
 * help.c - the help screen: keys from keys.def, columns from the view.
 *
 * SPDX-License-Identifier: MIT
 */
#include "draw.h"

#define HELP_KEY 15 /* columns of a key's label */

static void help_keys(struct pen *pen)
{
        for (size_t i = 0; i < ui_n_keys; i++) {
                const struct ui_key *key = &ui_keys[i];
                if (key->group) {
                        if (i > 0)
                                pen_skip(pen);
                        pen_heading(pen, key->group);
                        continue;
                }
                screen_text(pen->s, pen->y, 2, HELP_KEY - 1, STYLE_KEY, key->label);
                pen_wrap(pen, 2 + HELP_KEY, STYLE_PLAIN, key->help);
        }
}

static void help_columns(struct pen *pen, const struct view *view)
{
        pen_heading(pen, "Columns of this view; narrow windows show the most important ones");
        for (int i = 0; i < view->n_columns; i++) {
                screen_text(pen->s, pen->y, 2, HELP_KEY - 1, STYLE_KEY, view->columns[i].title);
                pen_wrap(pen, 2 + HELP_KEY, STYLE_PLAIN, view->columns[i].help);
        }
}

int help_draw(struct screen *s, const struct ui *ui)
{
        struct pen pen = {s, 0};
        screen_fill(s, pen.y, 0, s->width, STYLE_HEAD, L' ');
        screen_text(s, pen.y++, 1, s->width - 2, STYLE_HEAD,
                    "torctop " TORC_VERSION " watches a bus and changes nothing");
        pen_skip(&pen);
        help_keys(&pen);
        pen_skip(&pen);
        help_columns(&pen, views[ui->view]);
        return pen.y;
}
