/*
 * draw.h - the whole screen from what is known and what is chosen. Nothing here touches a terminal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

#include "pen.h"
#include "ui.h"

/* Draw everything into a screen of the size it has. Carries out what keys asked for (ui.h), which needs the rows
 * and the height. */
void draw(struct screen *s, const struct model *m, struct ui *ui);

/* Its parts, for `torctop --once` too. */
void draw_top(struct screen *s, int y, const struct model *m, const struct ui *ui);
void draw_totals(struct screen *s, int y, const struct model *m);
void draw_losses(struct screen *s, int y, const struct model *m);
void draw_empty(struct screen *s, int y, const struct table *t, const char *filter);

/* One line on how the supervisor is. */
void draw_supervisor(char *text, size_t cap, const struct torc_supervisor_info *sup, int64_t wall_ns,
                     enum style *style);

/* details.c: the row of the current view with the selected key; returns the lines that it takes. */
int details_draw(struct screen *s, const struct model *m, const struct ui *ui);
/* help.c */
int help_draw(struct screen *s, const struct ui *ui);

#endif
