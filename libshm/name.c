/*
 * name.c - names, globs, tags, ids as text, and where buses live by default. Pure functions on strings.
 *
 * Text is UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. So two different
 * names never look like one after a decoder that is more lenient than ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "name.h"

#include "torc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- UTF-8 ----------------------------------------------------------------------------------------------- */

/* Decodes one character of at most `len` > 0 bytes at s. Returns its bytes, or 0 when s is not UTF-8. */
static size_t utf8_decode(const char *s, size_t len, uint32_t *character)
{
        static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
        unsigned char lead = (unsigned char)s[0];
        size_t n = lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
        uint32_t c;

        if (n == 0 || n > len)
                return 0;
        c = n == 1 ? lead : lead & (0x7fu >> n);
        for (size_t i = 1; i < n; i++) {
                unsigned char byte = (unsigned char)s[i];

                if ((byte & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (byte & 0x3fu);
        }
        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;
        *character = c;
        return n;
}

static bool is_control(uint32_t c)
{
        return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* Is text[0..len) UTF-8 without '/'; and without control characters unless they are allowed? */
static bool name_text_ok(const char *text, size_t len, bool controls)
{
        for (size_t i = 0; i < len;) {
                uint32_t c;
                size_t n = utf8_decode(text + i, len - i, &c);

                if (n == 0 || c == '/' || (!controls && is_control(c)))
                        return false;
                i += n;
        }
        return true;
}

int torc_name_check(const char *name)
{
        size_t len = name ? strnlen(name, TORC_NAME_MAX + 1) : 0;

        return len > 0 && len <= TORC_NAME_MAX && name_text_ok(name, len, true) ? 0 : TORC_ENAME;
}

int name_check_label(const char *label)
{
        size_t len = label ? strnlen(label, TORC_LABEL_MAX + 1) : 0;

        if (len == 0 || len > TORC_LABEL_MAX || !name_text_ok(label, len, false))
                return TORC_ENAME;
        /* A bus's name is a directory. */
        return strcmp(label, ".") == 0 || strcmp(label, "..") == 0 ? TORC_ENAME : 0;
}

/* ---- globs ----------------------------------------------------------------------------------------------- */

/* The next character of a string; a byte that is not UTF-8 stands for itself, beyond all characters. */
static uint32_t next_char(const char **s)
{
        uint32_t c;
        size_t n = utf8_decode(*s, strnlen(*s, 4), &c);

        if (n == 0) {
                c = 0x110000u + (unsigned char)**s;
                n = 1;
        }
        *s += n;
        return c;
}

/* One character inside [...], with '\' taken off. False at the end of the glob. */
static bool set_char(const char **glob, uint32_t *c)
{
        if (**glob == '\\')
                (*glob)++;
        if (**glob == '\0')
                return false;
        *c = next_char(glob);
        return true;
}

/*
 * Matches c against the set that begins behind '['. Returns false when the set is never closed: then its '[' is an
 * ordinary character. A ']' that comes first belongs to the set.
 */
static bool set_match(const char **glob, uint32_t c, bool *matched)
{
        const char *g = *glob;
        bool negated = *g == '!';
        bool in = false;

        g += negated;
        for (bool first = true; first || *g != ']'; first = false) {
                uint32_t low, high;

                if (*g == '\0' || !set_char(&g, &low))
                        return false;
                high = low;
                if (g[0] == '-' && g[1] != ']' && g[1] != '\0') {
                        g++;
                        if (!set_char(&g, &high))
                                return false;
                }
                in |= low <= c && c <= high;
        }
        *glob = g + 1;
        *matched = in != negated;
        return true;
}

/* Matches one element of the glob other than '*' against one character; steps over it. */
static bool element_match(const char **glob, uint32_t c)
{
        bool matched;

        switch (**glob) {
        case '?':
                (*glob)++;
                return true;
        case '[':
                (*glob)++;
                if (set_match(glob, c, &matched))
                        return matched;
                return c == '[';
        case '\\':
                if ((*glob)[1] != '\0')
                        (*glob)++;
                break;
        default:
                break;
        }
        return next_char(glob) == c;
}

bool torc_name_match(const char *glob, const char *name)
{
        const char *star = NULL, *resume = NULL;

        /* Only the last '*' has to be tried again: what an earlier one took, it may keep. So no recursion, and
         * at most len(glob) * len(name) steps for any glob. */
        while (*name != '\0') {
                const char *next = name;
                uint32_t c;

                if (*glob == '*') {
                        star = ++glob;
                        resume = name;
                        continue;
                }
                c = next_char(&next);
                if (*glob != '\0' && element_match(&glob, c)) {
                        name = next;
                        continue;
                }
                if (!star)
                        return false;
                (void)next_char(&resume);
                name = resume;
                glob = star;
        }
        while (*glob == '*')
                glob++;
        return *glob == '\0';
}

/* ---- tags ------------------------------------------------------------------------------------------------ */

int tags_check(const char *tags)
{
        size_t len = tags ? strnlen(tags, TORC_TAGS_MAX + 1) : 0;
        bool edge = true; /* the last character was a comma, or nothing */
        bool blank = false;

        if (len == 0)
                return 0;
        if (len > TORC_TAGS_MAX)
                return TORC_ETAGS;
        for (size_t i = 0; i < len;) {
                uint32_t c;
                size_t n = utf8_decode(tags + i, len - i, &c);

                if (n == 0 || is_control(c))
                        return TORC_ETAGS;
                if (edge && (c == ',' || c == ' '))
                        return TORC_ETAGS;
                if (blank && c == ',')
                        return TORC_ETAGS;
                edge = c == ',';
                blank = c == ' ';
                i += n;
        }
        return edge || blank ? TORC_ETAGS : 0;
}

/* The next tag of the list at *at, up to `end`. False when there is none. Steps over it and its comma. */
static bool next_tag(const char **at, const char *end, const char **tag, size_t *len)
{
        while (*at < end) {
                const char *comma = memchr(*at, ',', (size_t)(end - *at));
                const char *stop = comma ? comma : end;

                *tag = *at;
                *len = (size_t)(stop - *at);
                *at = comma ? comma + 1 : end;
                if (*len > 0)
                        return true;
        }
        return false;
}

static bool tags_hold(const char *list, const char *end, const char *tag, size_t len)
{
        const char *one;
        size_t one_len;

        while (next_tag(&list, end, &one, &one_len))
                if (one_len == len && memcmp(one, tag, len) == 0)
                        return true;
        return false;
}

bool tags_carry_all(const char *have, const char *need)
{
        const char *have_end = have ? have + strnlen(have, TORC_TAGS_MAX + 1) : have;
        const char *need_end = need ? need + strnlen(need, TORC_TAGS_MAX + 1) : need;
        const char *tag;
        size_t len;

        while (next_tag(&need, need_end, &tag, &len))
                if (!tags_hold(have, have_end, tag, len))
                        return false;
        return true;
}

/* ---- ids ------------------------------------------------------------------------------------------------- */

void torc_id_format(char text[TORC_ID_TEXT_MAX], const struct torc_id *id)
{
        snprintf(text, TORC_ID_TEXT_MAX, "%lu-%lu-%llu", (unsigned long)id->shard, (unsigned long)id->epoch,
                 (unsigned long long)id->position);
}

/* Decimal digits up to `last`, which is stepped over unless it is the NUL. */
static bool id_number(const char **text, char last, uint64_t max, uint64_t *value)
{
        const char *s = *text;
        uint64_t v = 0;

        if (*s == last)
                return false;
        for (; *s != last; s++) {
                uint64_t digit = (uint64_t)(unsigned char)*s - '0';

                if (*s < '0' || *s > '9' || v > (max - digit) / 10)
                        return false;
                v = v * 10 + digit;
        }
        *text = last == '\0' ? s : s + 1;
        *value = v;
        return true;
}

int torc_id_parse(struct torc_id *id, const char *text)
{
        uint64_t shard, epoch, position;

        if (!id_number(&text, '-', UINT32_MAX, &shard) || !id_number(&text, '-', UINT32_MAX, &epoch) ||
            !id_number(&text, '\0', UINT64_MAX, &position))
                return -EINVAL;
        id->shard = (uint32_t)shard;
        id->epoch = (uint32_t)epoch;
        id->position = position;
        return 0;
}

/* ---- root ------------------------------------------------------------------------------------------------ */

int torc_root_default(char *path, size_t cap)
{
        const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
        uid_t uid = geteuid();
        int n;

        if (uid == 0)
                n = snprintf(path, cap, "/run/torc");
        else if (runtime && runtime[0] == '/') /* the XDG specification: a relative path is to be ignored */
                n = snprintf(path, cap, "%s/torc", runtime);
        else
                n = snprintf(path, cap, "/dev/shm/torc-%lu", (unsigned long)uid);
        return n < 0 || (size_t)n >= cap ? -ENAMETOOLONG : 0;
}
