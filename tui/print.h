/*
 * print.h - one snapshot to standard output, as text or as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_PRINT_H
#define TUI_PRINT_H

#include "ui.h"

#include <stdio.h>

/* The top lines and every view, or one (view < VIEW_COUNT), `width` columns wide. Returns 0 or -ENOMEM. */
int print_views(FILE *out, const struct model *m, const struct ui *ui, int view, int width);

/* The whole snapshot, and the rates where they are known. docs/man/torctop.1 lists the names. */
void print_json(FILE *out, const struct model *m);

#endif
