/*
 * conf.c - see conf.h: load the file and what it includes, look at everything, hand out all or nothing.
 *
 * A file includes others with "include = FILE" lines before its first section. They are read at that point, so that
 * sections come in the order in which a person would read them; what all files say is checked together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "conf.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "build.h"

#define FILES_MAX 256

struct conf_loader {
        struct conf_arena *arena;
        struct conf_report *report;
        const char *const *known_keys;
        const struct conf_source *files[FILES_MAX]; /* read so far */
        unsigned n_files;
        struct conf_section *sections, **end;
};

static void load_source(struct conf_loader *l, struct conf_source *source);

/* The included file's path: a relative one begins where the including file is. */
static const char *load_path(struct conf_loader *l, const char *from, const char *path)
{
        const char *slash = strrchr(from, '/');

        if (*path == '/' || !slash)
                return path;
        return conf_printf(l->arena, "%.*s/%s", (int)(slash - from), from, path);
}

/* A second look at a file could only say everything twice, and one that includes itself would never end. */
static const struct conf_source *load_find(const struct conf_loader *l, const struct conf_source *source)
{
        for (unsigned i = 0; i < l->n_files; i++)
                if (l->files[i]->device == source->device && l->files[i]->inode == source->inode)
                        return l->files[i];
        return NULL;
}

static void load_include(struct conf_loader *l, struct conf_entry *e)
{
        struct conf_source *source = conf_alloc(l->arena, 1, sizeof *source);
        struct conf_place place;
        int ret;

        if (!conf_expand(l->arena, l->report, &e->value))
                return;
        place = conf_text_place(&e->value, 0, e->value.len);
        if (e->value.len == 0) {
                conf_error(l->report, place, "include needs the name of a file");
                return;
        }
        if (l->n_files == FILES_MAX) {
                conf_error(l->report, place, "more than %d files are included", FILES_MAX);
                return;
        }
        ret = conf_source_load(source, l->arena, load_path(l, e->place.source->path, e->value.s));
        if (ret)
                conf_error(l->report, place, "\"%s\" cannot be read: %s", e->value.s, strerror(-ret));
        else if (load_find(l, source))
                conf_error(l->report, place, "%s is read already", load_find(l, source)->path);
        else
                load_source(l, source);
}

static void load_source(struct conf_loader *l, struct conf_source *source)
{
        static const char *const words[] = {"include", NULL};
        struct conf_document document;

        source->number = l->n_files;
        l->files[l->n_files++] = source;
        conf_read(&document, l->arena, source, l->report, l->known_keys);
        for (struct conf_entry *e = document.preamble; e; e = e->next) {
                if (strcmp(e->key, "include") == 0) {
                        load_include(l, e);
                        continue;
                }
                conf_error(l->report, e->place, "this key stands before any section");
                if (conf_suggest(e->key, words))
                        conf_hint(l->report, "did you mean \"include\"?");
                else
                        conf_hint(l->report, "begin with a line such as [bus]");
        }
        *l->end = document.sections;
        while (*l->end)
                l->end = &(*l->end)->next;
}

static int conf_finish(struct conf **out, struct conf *conf, struct conf_report *report, FILE *errors)
{
        size_t n = conf_report_count(report);

        conf_report_print(report, errors);
        if (n == 0) {
                *out = conf;
                return 0;
        }
        conf_free(&conf);
        return n < INT_MAX ? (int)n : INT_MAX;
}

static int conf_parse(struct conf **out, struct conf_arena *arena, struct conf_source *source, FILE *errors)
{
        struct conf *conf = conf_alloc(arena, 1, sizeof *conf);
        struct conf_loader loader = {.arena = arena, .report = conf_report_new(arena)};
        struct conf_build build = {.arena = arena, .report = loader.report, .conf = conf};

        conf->path = conf_strdup(arena, source->path);
        conf->store = arena;
        loader.known_keys = conf_key_words(arena, NULL);
        loader.end = &loader.sections;
        load_source(&loader, source);
        conf_build(&build, loader.sections);
        conf_check(&build);
        return conf_finish(out, conf, loader.report, errors);
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
