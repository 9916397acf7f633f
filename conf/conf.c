/*
 * conf.c - see conf.h: load, look at everything, hand out all or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "build.h"

static int conf_finish(struct conf **out, struct conf_arena *arena, struct conf_report *report, struct conf *conf,
                       FILE *errors)
{
        size_t n = conf_report_count(report);

        conf_report_print(report, errors);
        if (n == 0) {
                *out = conf;
                return 0;
        }
        conf_arena_free(arena);
        return n < INT_MAX ? (int)n : INT_MAX;
}

static int conf_parse(struct conf **out, struct conf_arena *arena, const struct conf_source *source, FILE *errors)
{
        struct conf_report *report = conf_report_new(arena, source);
        struct conf *conf = conf_alloc(arena, 1, sizeof *conf);
        struct conf_build build = {.arena = arena, .report = report, .conf = conf};

        conf->path = conf_strdup(arena, source->path);
        conf->store = arena;
        conf_build(&build, conf_read(arena, source, report, conf_key_words(arena, NULL)));
        conf_check(&build);
        return conf_finish(out, arena, report, conf, errors);
}

int conf_load(struct conf **out, const char *path, FILE *errors)
{
        struct conf_arena *arena = conf_arena_new();
        struct conf_source source;
        int ret;

        *out = NULL;
        ret = conf_source_load(&source, arena, path);
        if (ret == 0)
                return conf_parse(out, arena, &source, errors);
        if (ret == -EFBIG)
                fprintf(errors, "%s: larger than %zu bytes: this is not a torc.ini\n", path, CONF_FILE_MAX);
        else
                fprintf(errors, "%s: cannot be read: %s\n", path, strerror(-ret));
        conf_arena_free(arena);
        return 1;
}

int conf_load_string(struct conf **out, const char *path, const char *text, size_t len, FILE *errors)
{
        struct conf_arena *arena = conf_arena_new();
        struct conf_source source;

        *out = NULL;
        conf_source_text(&source, arena, path, text, len);
        return conf_parse(out, arena, &source, errors);
}

void conf_free(struct conf **conf)
{
        if (*conf)
                conf_arena_free((*conf)->store);
        *conf = NULL;
}
