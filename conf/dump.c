/*
 * dump.c - the configuration as a torc.ini that would load as the same configuration.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"

/* ---- dump ---- */

#define DUMP_LINE 160 /* bytes of a line before it is continued; inih takes 198 */

static const char *dump_origin(char *text, size_t cap, const struct conf_origin *origin)
{
        if (origin->line)
                snprintf(text, cap, "%s:%u", origin->file, origin->line);
        else
                snprintf(text, cap, "default");
        return text;
}

/* How much of a value goes on this line: a break must not touch a blank, nor come inside a character. */
static size_t dump_break(const char *s, size_t len, size_t max)
{
        size_t n = max;

        if (len <= max)
                return len;
        while (n > 1 && (isspace((unsigned char)s[n]) || isspace((unsigned char)s[n - 1]) || s[n - 1] == '\\' ||
                         strchr(";#", s[n]) || ((unsigned char)s[n] & 0xC0) == 0x80))
                n--;
        return n > 1 ? n : max;
}

/* The value as it must be written to be read as it is: see conf_expand(). */
static char *dump_escape(const char *value)
{
        size_t len = strlen(value), size;
        char *text;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                err(1, "writing the configuration");
        for (size_t i = 0; i < len; i++) {
                bool edge = i == 0 || isspace((unsigned char)value[i - 1]);

                if (value[i] == '$' && value[i + 1] == '{')
                        fputs("$$", out);
                else if ((value[i] == ';' && edge) ||
                         (isspace((unsigned char)value[i]) && (i == 0 || i + 1 == len)))
                        fprintf(out, "${%c}", value[i]);
                else
                        putc(value[i], out);
        }
        if (fclose(out))
                err(1, "writing the configuration");
        return text;
}

/* One key. The origin goes behind the value, or above it when the line would get too long. */
static void dump_value(FILE *out, const char *key, const char *rest, const char *value,
                       const struct conf_origin *origin)
{
        char from[DUMP_LINE / 2], *text = dump_escape(value);
        const char *s = text;
        size_t len = strlen(s), used = strlen(key) + strlen(rest) + 3, n;

        dump_origin(from, sizeof from, origin);
        if (used + len + strlen(from) + 3 <= DUMP_LINE) {
                fprintf(out, "%s%s = %-*s ; %s\n", key, rest, used < 40 ? (int)(40 - used) : 0, s, from);
        } else {
                fprintf(out, "; %s\n%s%s = ", from, key, rest);
                for (; (n = dump_break(s, len, DUMP_LINE - used)) < len; s += n, len -= n, used = 8)
                        fprintf(out, "%.*s\\\n        ", (int)n, s);
                fprintf(out, "%s\n", s);
        }
        free(text);
}

static void dump_env(const struct conf_group *group, const struct conf_key *key, FILE *out)
{
        for (size_t i = 0; i < group->n_env; i++)
                dump_value(out, key->name, group->env[i].name, group->env[i].value, &group->env[i].origin);
}

static void dump_key(const struct conf_kind *kind, const struct conf_key *key, const void *object, FILE *out)
{
        const struct conf_origin *origins =
                (const struct conf_origin *)((const char *)object + kind->origin_offset);
        char *value = NULL;
        size_t len;
        FILE *text;

        if (key->type == CONF_TYPE_ENV) {
                dump_env(object, key, out);
                return;
        }
        text = open_memstream(&value, &len);
        if (!text)
                err(1, "writing the configuration");
        if (conf_show(key, object, text) && fclose(text) == 0) {
                dump_value(out, key->name, "", value, &origins[key - kind->keys]);
        } else {
                fclose(text);
                fprintf(out, "; %s is not set\n", key->name);
        }
        free(value);
}

static void dump_section(const struct conf_kind *kind, const char *name, const void *object, FILE *out)
{
        fprintf(out, "[%s%s%s]\n", kind->word, *name ? " " : "", name);
        for (size_t i = 0; i < kind->n_keys; i++)
                dump_key(kind, &kind->keys[i], object, out);
        putc('\n', out);
}

/* The stream's own name heads its section where it fits there; its `name` key says it in any case. */
static void dump_stream(const struct conf *conf, size_t i, FILE *out)
{
        const char *name = conf->streams[i].name;
        char label[32];

        snprintf(label, sizeof label, "number-%zu", i);
        dump_section(&conf_kinds[CONF_KIND_STREAM], strlen(name) > 40 || strpbrk(name, "[];\"'") ? label : name,
                     &conf->streams[i], out);
}

void conf_dump(const struct conf *conf, FILE *out)
{
        dump_section(&conf_kinds[CONF_KIND_BUS], "", &conf->bus, out);
        dump_section(&conf_kinds[CONF_KIND_LOG], "", &conf->log, out);
        for (size_t i = 0; i < conf->n_streams; i++)
                dump_stream(conf, i, out);
        for (size_t i = 0; i < conf->n_groups; i++)
                dump_section(&conf_kinds[CONF_KIND_GROUP], conf->groups[i].name, &conf->groups[i], out);
}
