/*
 * screen.c - drawing into a rectangle of characters; screen.h tells the rules.
 *
 * SPDX-License-Identifier: MIT
 */
#include "screen.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

bool screen_resize(struct screen *s, int width, int height)
{
        struct cell *cells = calloc((size_t)width * (size_t)height + 1, sizeof *cells);
        if (!cells)
                return false;
        free(s->cells);
        s->cells = cells;
        s->width = width;
        s->height = height;
        screen_clear(s);
        return true;
}

void screen_free(struct screen *s)
{
        free(s->cells);
        s->cells = NULL;
        s->width = s->height = 0;
}

void screen_clear(struct screen *s)
{
        for (int y = 0; y < s->height; y++)
                screen_fill(s, y, 0, s->width, STYLE_PLAIN, L' ');
}

struct cell *screen_at(const struct screen *s, int y, int x)
{
        if (y < 0 || y >= s->height || x < 0 || x >= s->width)
                return NULL;
        return &s->cells[(size_t)y * (size_t)s->width + (size_t)x];
}

static void screen_put(struct screen *s, int y, int x, enum style style, wchar_t c)
{
        struct cell *cell = screen_at(s, y, x);
        if (cell)
                *cell = (struct cell){.c = c, .style = (uint8_t)style};
}

void screen_fill(struct screen *s, int y, int x, int n, enum style style, wchar_t c)
{
        for (int i = 0; i < n; i++)
                screen_put(s, y, x + i, style, c);
}

int screen_text(struct screen *s, int y, int x, int max, enum style style, const char *text)
{
        int used = 0, columns;
        if (max > s->width - x)
                max = s->width - x;
        if (max <= 0)
                return 0;
        bool cut = text_columns(text, s->ascii) > max;
        int room = cut ? max - 1 : max;
        while (*text) {
                wchar_t c = text_next(&text, s->ascii, &columns);
                if (used + columns > room)
                        break;
                screen_put(s, y, x + used, style, c);
                if (columns == 2)
                        screen_put(s, y, x + used + 1, style, 0);
                used += columns;
        }
        if (!cut)
                return used;
        const char *end = "\u2026";
        screen_put(s, y, x + used, style, text_next(&end, s->ascii, &columns));
        screen_fill(s, y, x + used + 1, max - used - 1, style, L' ');
        return max;
}

void screen_right(struct screen *s, int y, int x, int width, enum style style, const char *text)
{
        int columns = text_columns(text, s->ascii);
        int skip = columns < width ? width - columns : 0;
        screen_text(s, y, x + skip, width - skip, style, text);
}

void screen_select(struct screen *s, int y)
{
        for (int x = 0; x < s->width; x++) {
                struct cell *cell = screen_at(s, y, x);
                if (cell)
                        cell->style |= STYLE_SELECTED;
        }
}

void screen_bar(struct screen *s, int y, int x, int width, double share, enum style style)
{
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        int full = (int)(share * width + 0.5);
        if (share > 0 && full == 0)
                full = 1; /* something is not nothing */
        screen_fill(s, y, x, full, style, s->ascii ? L'#' : L'\u2501');
        screen_fill(s, y, x + full, width - full, STYLE_DIM, s->ascii ? L'-' : L'\u2500');
}

void screen_spark(struct screen *s, int y, int x, int width, const struct series *series)
{
        static const wchar_t utf8[] = L"\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588";
        static const wchar_t ascii[] = L"_.:-=+*#";
        const wchar_t *levels = s->ascii ? ascii : utf8;
        int n = series->n < (unsigned)width ? (int)series->n : width;
        const float *value = series->value + series->n - (unsigned)n;
        float max = 0;
        for (int i = 0; i < n; i++)
                max = value[i] > max ? value[i] : max;
        x += width - n;
        for (int i = 0; i < n; i++) {
                int level = max > 0 ? (int)(value[i] / max * 7 + 0.5f) : 0;
                screen_put(s, y, x + i, value[i] > 0 ? STYLE_SPARK : STYLE_DIM, levels[level]);
        }
}

void screen_copy(struct screen *s, int y, int rows, const struct screen *other, int from)
{
        int width = s->width < other->width ? s->width : other->width;
        for (int i = 0; i < rows; i++) {
                const struct cell *source = screen_at(other, from + i, 0);
                struct cell *target = screen_at(s, y + i, 0);
                if (source && target)
                        memcpy(target, source, (size_t)width * sizeof *source);
        }
}

size_t screen_line(const struct screen *s, int y, char *out, size_t cap)
{
        size_t n = 0, end = 0;
        for (int x = 0; x < s->width; x++) {
                const struct cell *cell = screen_at(s, y, x);
                if (!cell || !cell->c)
                        continue;
                if (n + 5 > cap)
                        break;
                n += text_encode(out + n, cell->c);
                if (cell->c != L' ')
                        end = n;
        }
        out[end] = '\0';
        return end;
}
