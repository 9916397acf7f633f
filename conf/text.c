/*
 * text.c - values that know where they stand in the file, and ${NAME} in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"

void conf_text_add(struct conf_arena *arena, struct conf_text *text, const char *s, size_t len,
                   struct conf_place place, bool expanded)
{
        text->pieces = conf_grow(arena, text->pieces, text->n_pieces, &text->cap_pieces, sizeof *text->pieces);
        text->pieces[text->n_pieces++] = (struct conf_piece){text->len, place, expanded};
        if (text->cap - text->len < len + 1) {
                size_t cap = (text->len + len + 1) * 2;
                char *more = conf_alloc(arena, cap, 1);

                if (text->len)
                        memcpy(more, text->s, text->len);
                text->s = more;
                text->cap = cap;
        }
        memcpy(text->s + text->len, s, len);
        text->len += len;
        text->s[text->len] = 0;
}

static const struct conf_piece *text_piece(const struct conf_text *text, size_t at, size_t *end)
{
        size_t i = 0;

        while (i + 1 < text->n_pieces && text->pieces[i + 1].at <= at)
                i++;
        *end = i + 1 < text->n_pieces ? text->pieces[i + 1].at : text->len;
        return &text->pieces[i];
}

/* A stretch over several lines is shown as far as its first line goes. */
struct conf_place conf_text_place(const struct conf_text *text, size_t at, size_t len)
{
        const struct conf_piece *piece;
        struct conf_place place;
        size_t end;

        if (text->n_pieces == 0)
                return (struct conf_place){0};
        piece = text_piece(text, at, &end);
        place = piece->place;
        if (piece->expanded)
                return place;
        place.at += at - piece->at;
        place.len = at + len <= end ? len : end > at ? end - at : 0;
        return place;
}

/* ---- ${NAME}, ${NAME:-default}, ${;} ---- */

struct expansion {
        struct conf_arena *arena;
        struct conf_report *report;
        const struct conf_text *from;
        struct conf_text to;
};

static size_t expand_name(const char *s)
{
        size_t n = 0;

        if (isdigit((unsigned char)*s))
                return 0;
        while (s[n] == '_' || isalnum((unsigned char)s[n]))
                n++;
        return n;
}

/* A variable's value goes into names, paths and messages like text of the file: it must be text as well. */
static bool expand_value(struct expansion *x, const char *name, const char *value, struct conf_place place)
{
        for (const char *s = value; *s; s++) {
                if (*s == '\t' || !iscntrl((unsigned char)*s))
                        continue;
                conf_error(x->report, place, "the variable %s holds control character 0x%02x", name,
                           (unsigned char)*s);
                return false;
        }
        conf_text_add(x->arena, &x->to, value, strlen(value), place, true);
        return true;
}

/* What begins at from->s[at] with "${". Returns the bytes it takes, 0 after an error. */
static size_t expand_one(struct expansion *x, size_t at)
{
        const char *s = x->from->s + at + 2, *rest, *close = strchr(s, '}'), *name, *value;
        size_t n = expand_name(s);
        size_t len = close ? (size_t)(close - s) + 3 : strlen(s) + 2;
        struct conf_place place = conf_text_place(x->from, at, len);

        rest = s + n;
        if (close == s + 1 && strchr("; \t", *s)) {
                conf_text_add(x->arena, &x->to, s, 1, place, true);
                return len;
        }
        if (n == 0 || !close || (rest != close && strncmp(rest, ":-", 2) != 0)) {
                conf_error(x->report, place, "a variable is written ${NAME} or ${NAME:-default}");
                conf_hint(x->report, "for the characters themselves write $${");
                return 0;
        }
        name = conf_strndup(x->arena, s, n);
        value = getenv(name);
        if (rest != close && (!value || !*value)) {
                conf_text_add(x->arena, &x->to, rest + 2, (size_t)(close - rest) - 2, place, true);
        } else if (!value) {
                conf_error(x->report, place, "the environment has no variable %s", name);
                conf_hint(x->report, "${%s:-default} gives a default", name);
                return 0;
        } else if (!expand_value(x, name, value, place)) {
                return 0;
        }
        return len;
}

bool conf_expand(struct conf_arena *arena, struct conf_report *report, struct conf_text *value)
{
        struct expansion x = {.arena = arena, .report = report, .from = value};
        size_t at = 0;

        if (!value->s || !strstr(value->s, "${"))
                return true;
        while (at < value->len) {
                const char *s = value->s + at;
                size_t n;

                if (strncmp(s, "$${", 3) == 0) {
                        conf_text_add(arena, &x.to, "${", 2, conf_text_place(value, at, 3), true);
                        n = 3;
                } else if (strncmp(s, "${", 2) == 0) {
                        n = expand_one(&x, at);
                        if (n == 0)
                                return false;
                } else {
                        n = 1;
                        conf_text_add(arena, &x.to, s, 1, conf_text_place(value, at, 1), false);
                }
                at += n;
        }
        x.to.has_comment = value->has_comment;
        *value = x.to;
        return true;
}
