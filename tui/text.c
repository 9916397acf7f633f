/*
 * text.c - text of others on a terminal; text.h tells what is made harmless.
 *
 * SPDX-License-Identifier: MIT
 */
#include "text.h"

#include <string.h>
#include <wctype.h>

#define REPLACEMENT 0xfffd

/* Decode one character; bytes that are not UTF-8 (RFC 3629) count one each. */
uint32_t text_decode(const char **s)
{
        static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *p = (const unsigned char *)*s;
        unsigned n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
        uint32_t c = n <= 1 ? p[0] : p[0] & (0x7fu >> n);
        unsigned i = 1;
        while (i < n && (p[i] & 0xc0) == 0x80)
                c = c << 6 | (p[i++] & 0x3fu);
        if (n == 0 || i < n || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
                *s += 1;
                return REPLACEMENT;
        }
        *s += n;
        return c;
}

/* Marks that reorder, join or hide text, beyond those to which wcwidth() gives no width. */
static bool text_steers(uint32_t c)
{
        return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
               c == 0x061c || c == 0x00ad || c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb);
}

/* What torctop itself writes beyond ASCII, in ASCII. */
static wchar_t text_ascii(uint32_t c)
{
        static const struct {
                uint32_t c;
                char ascii;
        } map[] = {{0x2026, '~'}, {0x2265, '>'}, {0x2192, '>'}, {0x00b7, '-'}, {0x25b2, '^'}, {0x25bc, 'v'}};
        for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
                if (map[i].c == c)
                        return (wchar_t)map[i].ascii;
        }
        return L'?';
}

wchar_t text_next(const char **s, bool ascii, int *columns)
{
        uint32_t c = text_decode(s);
        *columns = 1;
        if (c >= 0x20 && c < 0x7f)
                return (wchar_t)c;
        if (ascii)
                return text_ascii(c);
        int width = text_steers(c) ? -1 : wcwidth((wchar_t)c);
        if (width <= 0)
                return REPLACEMENT;
        *columns = width;
        return (wchar_t)c;
}

int text_columns(const char *s, bool ascii)
{
        int sum = 0, columns;
        while (*s) {
                text_next(&s, ascii, &columns);
                sum += columns;
        }
        return sum;
}

size_t text_encode(char out[4], wchar_t wide)
{
        uint32_t c = (uint32_t)wide;
        if (c < 0x80) {
                out[0] = (char)c;
                return 1;
        }
        size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n - 1; i > 0; i--, c >>= 6)
                out[i] = (char)(0x80 | (c & 0x3f));
        out[0] = (char)((0xf00u >> n) | c);
        return n;
}

static bool text_starts(const char *text, const char *needle)
{
        while (*needle) {
                if (!*text || towlower((wint_t)text_decode(&text)) != towlower((wint_t)text_decode(&needle)))
                        return false;
        }
        return true;
}

bool text_contains(const char *text, const char *needle)
{
        for (;; text_decode(&text)) {
                if (text_starts(text, needle))
                        return true;
                if (!*text)
                        return false;
        }
}

unsigned long long text_hash(unsigned long long seed, const char *s)
{
        unsigned long long h = seed ? seed : 0xcbf29ce484222325ull;
        for (;; s++) { /* with the NUL: "a" + "bc" is not "ab" + "c" */
                h = (h ^ (unsigned char)*s) * 0x100000001b3ull;
                if (!*s)
                        return h;
        }
}
