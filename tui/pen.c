/*
 * pen.c - text that flows; pen.h tells how.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pen.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void pen_skip(struct pen *pen)
{
        pen->y++;
}

void pen_heading(struct pen *pen, const char *text)
{
        screen_text(pen->s, pen->y++, 1, pen->s->width - 2, STYLE_BOLD, text);
}

/* Bytes of the piece of `text` that goes on a line of `max` columns: up to a blank if there is one. */
static size_t pen_piece(const char *text, int max, bool ascii)
{
        const char *p = text, *blank = NULL;
        int used = 0, columns;
        while (*p) {
                const char *before = p;
                text_next(&p, ascii, &columns);
                if (used + columns > max)
                        return (size_t)((blank ? blank : before > text ? before : p) - text);
                used += columns;
                if (*p == ' ' || *p == '\0')
                        blank = p;
        }
        return (size_t)(p - text);
}

void pen_wrap(struct pen *pen, int x, enum style style, const char *text)
{
        int max = pen->s->width - x - 1;
        if (max < 1)
                max = 1;
        do {
                char line[1024];
                size_t n = pen_piece(text, max, pen->s->ascii);
                size_t take = n < sizeof line - 1 ? n : sizeof line - 1;
                memcpy(line, text, take);
                line[take] = '\0';
                screen_text(pen->s, pen->y++, x, max, style, line);
                text += n;
                while (*text == ' ')
                        text++;
        } while (*text);
}

void pen_field(struct pen *pen, const char *label, enum style style, const char *format, ...)
{
        char text[1024];
        va_list args;
        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        screen_text(pen->s, pen->y, 1, PEN_LABEL - 1, STYLE_DIM, label);
        pen_wrap(pen, 1 + PEN_LABEL, style, text);
}

/* ---- strips ---------------------------------------------------------------------------------------------- */

void strip_add(struct strip *strip, enum style style, int priority, const char *format, ...)
{
        if (strip->n == STRIP_MAX)
                return;
        struct strip_item *item = &strip->item[strip->n++];
        va_list args;
        va_start(args, format);
        vsnprintf(item->text, sizeof item->text, format, args);
        va_end(args);
        item->style = style;
        item->priority = priority;
        item->right = false;
}

void strip_right(struct strip *strip)
{
        if (strip->n)
                strip->item[strip->n - 1].right = true;
}

static int strip_width(const struct strip *strip, bool ascii)
{
        int sum = 0;
        for (int i = 0; i < strip->n; i++)
                sum += text_columns(strip->item[i].text, ascii) + (i ? strip->gap : 0);
        return sum;
}

static bool strip_drop(struct strip *strip)
{
        int worst = -1;
        for (int i = 0; i < strip->n; i++) {
                if (strip->item[i].priority > 0 &&
                    (worst < 0 || strip->item[i].priority >= strip->item[worst].priority))
                        worst = i;
        }
        if (worst < 0)
                return false;
        strip->n--;
        memmove(&strip->item[worst], &strip->item[worst + 1], (size_t)(strip->n - worst) * sizeof strip->item[0]);
        return true;
}

int strip_draw(struct screen *s, int y, struct strip *strip, int *right)
{
        int x = 1, end = s->width - 1;
        if (!strip->gap)
                strip->gap = 2;
        while (strip_width(strip, s->ascii) > s->width - 2 && strip_drop(strip))
                continue;
        for (int i = strip->n - 1; i >= 0; i--) {
                const struct strip_item *item = &strip->item[i];
                if (!item->right)
                        continue;
                end -= text_columns(item->text, s->ascii);
                screen_text(s, y, end, s->width, item->style, item->text);
                end -= strip->gap;
        }
        for (int i = 0; i < strip->n; i++) {
                const struct strip_item *item = &strip->item[i];
                if (!item->right)
                        x += screen_text(s, y, x, end - x, item->style, item->text) + strip->gap;
        }
        if (right)
                *right = end + strip->gap;
        return x;
}
