/*
 * words.c - see words.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "words.h"

#include <stdbool.h>

struct words_reader {
        const char *text;
        size_t len, pos;
        char *word; /* being built; never longer than the text */
        size_t n;
};

static bool words_blank(char c)
{
        return c == ' ' || c == '\t';
}

/* The quoted part that begins at pos. Returns NULL or what is wrong. */
static const char *words_quoted(struct words_reader *r, size_t *at)
{
        char quote = r->text[r->pos];

        *at = r->pos++;
        for (; r->pos < r->len; r->pos++) {
                char c = r->text[r->pos];

                if (c == quote) {
                        r->pos++;
                        return NULL;
                }
                if (quote == '"' && c == '\\' && r->pos + 1 < r->len &&
                    (r->text[r->pos + 1] == '"' || r->text[r->pos + 1] == '\\'))
                        c = r->text[++r->pos];
                r->word[r->n++] = c;
        }
        return quote == '"' ? "this double quote is not closed" : "this single quote is not closed";
}

static const char *words_next(struct words_reader *r, size_t *at)
{
        const char *wrong;

        r->n = 0;
        while (r->pos < r->len && !words_blank(r->text[r->pos])) {
                char c = r->text[r->pos];

                if (c == '\'' || c == '"') {
                        wrong = words_quoted(r, at);
                        if (wrong)
                                return wrong;
                        continue;
                }
                if (c == '\\') {
                        if (r->pos + 1 == r->len) {
                                *at = r->pos;
                                return "nothing follows this backslash";
                        }
                        c = r->text[++r->pos];
                }
                r->word[r->n++] = c;
                r->pos++;
        }
        return NULL;
}

const char *conf_words_split(struct conf_arena *arena, const char *text, size_t len, char ***argv, size_t *argc,
                             size_t *at)
{
        struct words_reader r = {.text = text, .len = len, .word = conf_alloc(arena, len + 1, 1)};
        char **words = NULL;
        size_t n = 0, cap = 0;

        for (;;) {
                const char *wrong;

                while (r.pos < len && words_blank(text[r.pos]))
                        r.pos++;
                words = conf_grow(arena, words, n, &cap, sizeof *words);
                words[n] = NULL;
                if (r.pos == len)
                        break;
                wrong = words_next(&r, at);
                if (wrong)
                        return wrong;
                words[n++] = conf_strndup(arena, r.word, r.n);
        }
        *argv = words;
        *argc = n;
        return NULL;
}
