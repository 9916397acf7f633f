/*
 * reference.c - the table of sections and keys for torc.ini(5), as mdoc source.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <string.h>

#include "keys.h"
#include "units.h"

#define TEXT_WIDTH 78

/* One word, nothing in it that troff would take for its own. */
static void reference_word(FILE *out, const char *word, size_t len, bool first)
{
        if (first && (*word == '.' || *word == '\''))
                fputs("\\&", out);
        for (size_t i = 0; i < len; i++) {
                if (word[i] == '\\')
                        fputs("\\e", out);
                else if (word[i] == '-' && i == 0)
                        fputs("\\-", out);
                else
                        putc(word[i], out);
        }
}

/* Text in filled lines; each sentence begins a line, as manual sources want it. */
static void reference_text(FILE *out, const char *text)
{
        size_t column = 0;

        while (*text) {
                size_t n = strcspn(text, " ");
                bool ends = text[n - 1] == '.' && text[n] == ' ';

                if (column > 0 && column + 1 + n > TEXT_WIDTH) {
                        putc('\n', out);
                        column = 0;
                }
                if (column > 0)
                        putc(' ', out);
                reference_word(out, text, n, column == 0);
                column = ends ? 0 : column + 1 + n;
                if (ends)
                        putc('\n', out);
                text += n + (text[n] == ' ');
        }
        putc('\n', out);
}

static void reference_number(const struct conf_key *key, uint64_t value, char text[CONF_UNIT_TEXT_MAX])
{
        if (value == 0 || key->type == CONF_TYPE_COUNT)
                snprintf(text, CONF_UNIT_TEXT_MAX, "%llu", (unsigned long long)value);
        else if (key->type == CONF_TYPE_TIME)
                conf_format_time(text, value);
        else
                conf_format_size(text, value);
}

/* "4KiB to 64GiB, by default 1MiB." */
static void reference_limits(FILE *out, const struct conf_key *key)
{
        char min[CONF_UNIT_TEXT_MAX], max[CONF_UNIT_TEXT_MAX];
        bool range = key->max && key->type != CONF_TYPE_NICE && key->type != CONF_TYPE_SIZE32;

        reference_number(key, key->min, min);
        reference_number(key, key->max, max);
        if (range)
                fprintf(out, "From %s to %s%s", min, max, key->preset ? "; " : ".\n");
        if (key->preset)
                fprintf(out, *key->preset ? "%s\n.Li %s .\n" : "%s %s.\n", range ? "by default" : "By default",
                        *key->preset ? key->preset : "none");
}

static void reference_key(FILE *out, const struct conf_key *key)
{
        const char *const *words = conf_type_words(key->type);

        fprintf(out, ".It Ic %s%s No = ", key->name, key->type == CONF_TYPE_ENV ? " Ns Ar NAME" : "");
        if (words) {
                fprintf(out, "Cm %s", words[0]);
                for (size_t i = 1; words[i]; i++)
                        fprintf(out, " | %s", words[i]);
                putc('\n', out);
        } else {
                fprintf(out, "Ar %s\n", conf_type_syntax(key->type));
        }
        reference_text(out, key->doc);
        reference_limits(out, key);
}

void conf_reference(FILE *out)
{
        for (const struct conf_kind *kind = conf_kinds; kind < conf_kinds + CONF_KINDS; kind++) {
                fprintf(out, ".Ss Section %s\n", kind->shown);
                reference_text(out, kind->doc);
                fputs(".Bl -tag -width Ds\n", out);
                for (size_t i = 0; i < kind->n_keys; i++)
                        reference_key(out, &kind->keys[i]);
                fputs(".El\n", out);
        }
}
