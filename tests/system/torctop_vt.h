/*
 * torctop_vt.h - as much of a terminal as the monitor's output needs under TERM=xterm: the characters on the
 * screen, and the modes that a program has to put back when it ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORCTOP_VT_H
#define TORCTOP_VT_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VT_ROWS 80
#define VT_COLS 320

struct vt {
        int rows, cols, y, x;
        int top, bottom;                         /* first and last line of the region that scrolls */
        unsigned char cell[VT_ROWS][VT_COLS][4]; /* one character as UTF-8; wide ones are not needed here */
        bool alternate, hidden, styled, colored; /* modes now; colored: a colour was ever set */
        unsigned unknown;                        /* sequences that are not understood: the test fails on any */
        char escape[64];
        int n;    /* bytes in escape, 0: in text */
        int more; /* continuation bytes that a character lacks */
        unsigned char last[4];
};

static inline void vt_erase(struct vt *vt, int y, int from, int to)
{
        for (int x = from; x < to && x < VT_COLS; x++)
                memcpy(vt->cell[y][x], " \0\0", 4);
}

static inline void vt_reset(struct vt *vt, int cols, int rows)
{
        bool colored = vt->colored;
        *vt = (struct vt){.rows = rows, .cols = cols, .bottom = rows - 1, .colored = colored};
        for (int y = 0; y < VT_ROWS; y++)
                vt_erase(vt, y, 0, VT_COLS);
}

/* Move the lines from `top` to the end of the region up by n (down if n < 0). */
static inline void vt_scroll(struct vt *vt, int top, int n)
{
        for (; n > 0; n--) {
                memmove(vt->cell[top], vt->cell[top + 1], (size_t)(vt->bottom - top) * sizeof vt->cell[0]);
                vt_erase(vt, vt->bottom, 0, VT_COLS);
        }
        for (; n < 0; n++) {
                memmove(vt->cell[top + 1], vt->cell[top], (size_t)(vt->bottom - top) * sizeof vt->cell[0]);
                vt_erase(vt, top, 0, VT_COLS);
        }
}

static inline void vt_line_feed(struct vt *vt)
{
        if (vt->y == vt->bottom)
                vt_scroll(vt, vt->top, 1);
        else if (vt->y + 1 < vt->rows)
                vt->y++;
}

static inline void vt_put(struct vt *vt, const unsigned char c[4])
{
        if (vt->x >= vt->cols) { /* the wrap that was pending */
                vt->x = 0;
                vt_line_feed(vt);
        }
        memcpy(vt->cell[vt->y][vt->x++], c, 4);
        memcpy(vt->last, c, 4);
}

static inline int vt_clamp(int n, int max)
{
        return n < 0 ? 0 : n >= max ? max - 1 : n;
}

static inline void vt_style(struct vt *vt, const char *p)
{
        vt->styled = *p != '\0' && strcmp(p, "0") != 0;
        for (; *p; p += strspn(p, ";")) {
                int n = (int)strtol(p, (char **)(size_t)&p, 10);
                if ((n >= 30 && n <= 37) || (n >= 40 && n <= 47) || n == 38 || n == 48)
                        vt->colored = true;
                if (*p && *p != ';')
                        break;
        }
}

static inline void vt_mode(struct vt *vt, const char *p, bool on)
{
        if (strstr(p, "1049"))
                vt->alternate = on;
        if (strcmp(p, "?25") == 0 || strcmp(p, "?12;25") == 0)
                vt->hidden = !on;
}

static inline void vt_csi(struct vt *vt, char final)
{
        const char *p = vt->escape + 2;
        int a = atoi(p), b = strchr(p, ';') ? atoi(strchr(p, ';') + 1) : 0, n = a ? a : 1;
        unsigned char(*row)[4] = vt->cell[vt->y];
        switch (final) {
        case 'H':
                vt->y = vt_clamp(a - 1, vt->rows), vt->x = vt_clamp(b - 1, vt->cols);
                break;
        case 'A':
                vt->y = vt_clamp(vt->y - n, vt->rows);
                break;
        case 'B':
                vt->y = vt_clamp(vt->y + n, vt->rows);
                break;
        case 'C':
                vt->x = vt_clamp(vt->x + n, vt->cols);
                break;
        case 'D':
                vt->x = vt_clamp(vt->x - n, vt->cols);
                break;
        case 'G':
                vt->x = vt_clamp(a - 1, vt->cols);
                break;
        case 'd':
                vt->y = vt_clamp(a - 1, vt->rows);
                break;
        case 'J':
                vt_erase(vt, vt->y, a == 2 ? 0 : vt->x, vt->cols);
                for (int y = a == 2 ? 0 : vt->y + 1; y < vt->rows; y++)
                        vt_erase(vt, y, 0, vt->cols);
                break;
        case 'K':
                vt_erase(vt, vt->y, a ? 0 : vt->x, a == 1 ? vt->x + 1 : vt->cols);
                break;
        case 'X':
                vt_erase(vt, vt->y, vt->x, vt->x + n < vt->cols ? vt->x + n : vt->cols);
                break;
        case 'P':
                for (int x = vt->x; x < vt->cols; x++)
                        memcpy(row[x], x + n < vt->cols ? row[x + n] : (const unsigned char *)" \0\0", 4);
                break;
        case '@':
                for (int x = vt->cols - 1; x >= vt->x; x--)
                        memcpy(row[x], x - n >= vt->x ? row[x - n] : (const unsigned char *)" \0\0", 4);
                break;
        case 'b':
                for (; n > 0; n--)
                        vt_put(vt, vt->last);
                break;
        case 'm':
                vt_style(vt, p);
                break;
        case 'h':
        case 'l':
                vt_mode(vt, p, final == 'h');
                break;
        case 'r':
                vt->top = vt_clamp(n - 1, vt->rows);
                vt->bottom = b > 0 ? vt_clamp(b - 1, vt->rows) : vt->rows - 1;
                vt->y = vt->x = 0;
                break;
        case 'L':
                vt_scroll(vt, vt->y, -n);
                break;
        case 'M':
                vt_scroll(vt, vt->y, n);
                break;
        case 'S':
                vt_scroll(vt, vt->top, n);
                break;
        case 'T':
                vt_scroll(vt, vt->top, -n);
                break;
        case 't':
                break;
        default:
                vt->unknown++;
        }
}

/* One byte of an escape sequence that has begun. */
static inline void vt_escape(struct vt *vt, unsigned char c)
{
        if (vt->n < (int)sizeof vt->escape - 1)
                vt->escape[vt->n++] = (char)c;
        if (vt->n == 2 && (c == '[' || c == '(' || c == ')'))
                return;
        if (vt->escape[1] == '[' && !(c >= 0x40 && c <= 0x7e))
                return;
        vt->escape[vt->n - (vt->escape[1] == '[')] = '\0';
        if (vt->escape[1] == '[')
                vt_csi(vt, (char)c);
        else if (vt->escape[1] == 'M' && vt->y == vt->top)
                vt_scroll(vt, vt->top, -1);
        else if (vt->escape[1] == 'M')
                vt->y--;
        else if (!strchr("()=>78", vt->escape[1]))
                vt->unknown++;
        vt->n = 0;
}

static inline void vt_text(struct vt *vt, unsigned char c)
{
        static unsigned char whole[4];
        static int have;
        if ((c & 0xc0) == 0x80 && vt->more > 0) {
                whole[have++] = c;
                vt->more--;
        } else {
                memset(whole, 0, sizeof whole);
                whole[0] = c;
                have = 1;
                vt->more = c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
        }
        if (vt->more == 0)
                vt_put(vt, whole);
}

static inline void vt_feed(struct vt *vt, const unsigned char *p, size_t n)
{
        for (; n > 0; n--, p++) {
                if (vt->n)
                        vt_escape(vt, *p);
                else if (*p == 27)
                        vt->escape[vt->n++] = 27;
                else if (*p == '\r')
                        vt->x = 0;
                else if (*p == '\n')
                        vt_line_feed(vt);
                else if (*p == '\b')
                        vt->x = vt_clamp((vt->x >= vt->cols ? vt->cols - 1 : vt->x) - 1, vt->cols);
                else if (*p == '\t')
                        vt->x = vt_clamp((vt->x / 8 + 1) * 8, vt->cols);
                else if (*p >= 0x20)
                        vt_text(vt, *p);
                else if (*p != 7 && *p != 14 && *p != 15 && *p != 0)
                        vt->unknown++;
        }
}

/* The screen as lines without blanks at their ends. */
static inline void vt_write(const struct vt *vt, FILE *out)
{
        for (int y = 0; y < vt->rows; y++) {
                int end = vt->cols;
                while (end > 0 && vt->cell[y][end - 1][0] == ' ')
                        end--;
                for (int x = 0; x < end; x++)
                        fprintf(out, "%.4s", (const char *)vt->cell[y][x]);
                fputc('\n', out);
        }
}

#endif
