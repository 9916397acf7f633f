/*
 * print.c - one snapshot as text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "print.h"

#include "draw.h"

#include <errno.h>
#include <stdlib.h>

static int print_screen(FILE *out, const struct screen *s, int rows)
{
        size_t cap = (size_t)s->width * 4 + 8;
        char *line = malloc(cap);
        if (!line)
                return -ENOMEM;
        for (int y = 0; y < rows && y < s->height; y++) {
                screen_line(s, y, line, cap);
                fprintf(out, "%s\n", line);
        }
        free(line);
        return 0;
}

static int print_view(FILE *out, const struct model *m, const struct ui *ui, int view, int width)
{
        struct screen s = {.ascii = ui->ascii};
        struct table t;
        struct table_layout l;
        const struct ui_view *v = &ui->views[view];
        int rc = table_build(&t, views[view], m, 0, v->filter, &v->order);
        if (rc == 0 && !screen_resize(&s, width, (int)t.n + 6))
                rc = -ENOMEM;
        if (rc == 0) {
                int rows = (int)t.n + 1;
                table_fit(&l, &t, m, width, ui->ascii);
                table_draw_head(&s, 0, &t, &l, &v->order);
                for (size_t i = 0; i < t.n; i++)
                        table_draw_row(&s, (int)i + 1, &t, m, &l, i);
                if (t.n == 0) {
                        draw_empty(&s, 1, &t, v->filter);
                        rows = 4;
                }
                rc = print_screen(out, &s, rows);
        }
        screen_free(&s);
        table_free(&t);
        return rc;
}

int print_views(FILE *out, const struct model *m, const struct ui *ui, int view, int width)
{
        struct screen top = {.ascii = ui->ascii};
        if (!screen_resize(&top, width, 3))
                return -ENOMEM;
        draw_top(&top, 0, m, ui);
        draw_totals(&top, 1, m);
        draw_losses(&top, 2, m);
        int rc = print_screen(out, &top, 3);
        screen_free(&top);
        for (int i = 0; rc == 0 && i < VIEW_COUNT; i++) {
                if (view < VIEW_COUNT && i != view)
                        continue;
                fprintf(out, "\n%s\n", views[i]->title);
                rc = print_view(out, m, ui, i, width);
        }
        return rc;
}
