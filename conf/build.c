/*
 * build.c - see build.h. A section that is wrong is still read to its end, into a struct that nobody will see, so
 * that one run shows every mistake.
 *
 * SPDX-License-Identifier: MIT
 */
#include "build.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

/* ---- sections ---- */

static const struct conf_kind *build_kind(const char *word)
{
        for (const struct conf_kind *k = conf_kinds; k < conf_kinds + CONF_KINDS; k++)
                if (strcmp(k->word, word) == 0)
                        return k;
        return NULL;
}

/* The section's kind. After a slip of the pen it is the one that was meant, so that its keys can be checked too. */
static const struct conf_kind *build_find_kind(struct conf_build *b, const struct conf_section *s)
{
        const char *words[CONF_KINDS + 1] = {NULL};
        const struct conf_kind *kind = build_kind(s->kind);
        const char *near;

        if (kind)
                return kind;
        for (size_t i = 0; i < CONF_KINDS; i++)
                words[i] = conf_kinds[i].word;
        near = conf_suggest(s->kind, words);
        if (*s->kind)
                conf_error(b->report, s->kind_place, "there is no section [%s]", s->kind);
        else
                conf_error(b->report, s->place, "the section has no name");
        if (near)
                conf_hint(b->report, "did you mean \"%s\"?", near);
        else
                conf_hint(b->report, "sections are [bus], [log], [stream NAME] and [group NAME]");
        return near ? build_kind(near) : NULL;
}

/*
 * A group's name is part of its members' names, of log files and of commands to the supervisor: no blanks, nothing
 * that is special to a shell. 43 bytes at most, for inih's sake, so that "NAME-INDEX" always fits a peer's name.
 */
static bool build_group_name_ok(const char *name)
{
        if (*name == '.' || *name == '-')
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char)*name) && !strchr("._-", *name) && (unsigned char)*name < 0x80)
                        return false;
        return true;
}

static void build_check_name(struct conf_build *b, const struct conf_kind *kind, const struct conf_section *s)
{
        size_t len = strlen(s->name);

        if (!kind->named && len) {
                conf_error(b->report, s->name_place, "[%s] takes no name", kind->word);
        } else if (kind->named && !len && !s->unnamed) {
                conf_error(b->report, s->place, "[%s] needs a name: %s", kind->word, kind->shown);
        } else if (len >= 2 && s->name[0] == s->name[len - 1] && strchr("\"'", s->name[0])) {
                conf_error(b->report, s->name_place, "a name in a section's line is not quoted");
        } else if (kind == &conf_kinds[CONF_KIND_STREAM] && len && torc_name_check(s->name)) {
                conf_error(b->report, s->name_place, "\"%s\" is not a stream name: UTF-8 without '/'", s->name);
        } else if (kind == &conf_kinds[CONF_KIND_GROUP] && len && !build_group_name_ok(s->name)) {
                conf_error(b->report, s->name_place, "\"%s\" is not a group name", s->name);
                conf_hint(b->report,
                          "use letters, digits, '_', '-' and '.', beginning with a letter, digit or '_'");
        }
}

static void build_check_duplicate(struct conf_build *b, const struct conf_object *o)
{
        const struct conf_section *s = o->section;

        for (const struct conf_object *other = b->objects; other < o; other++) {
                if (!other->section || other->kind != o->kind || strcmp(other->section->name, s->name) != 0)
                        continue;
                if (s->unnamed || other->section->unnamed || (conf_kinds[o->kind].named && !*s->name))
                        continue;
                conf_error(b->report, s->place, "[%s%s%s] is there already, in %s", conf_kinds[o->kind].word,
                           *s->name ? " " : "", s->name, conf_where(b->arena, other->section->place, s->place));
                return;
        }
}

/* ---- keys ---- */

static struct conf_origin *build_origins(const struct conf_object *o)
{
        return (struct conf_origin *)((char *)o->data + conf_kinds[o->kind].origin_offset);
}

static void build_unknown_key(struct conf_build *b, const struct conf_object *o, const struct conf_entry *e)
{
        const struct conf_kind *kind = &conf_kinds[o->kind];
        const char *near = conf_suggest(e->key, conf_key_words(b->arena, kind)), *rest;

        conf_error(b->report, e->place, "unknown key \"%s\" in %s", e->key, kind->shown);
        if (near && near[strlen(near) - 1] == '.')
                conf_hint(b->report, "did you mean \"%sNAME\"?", near);
        else if (near)
                conf_hint(b->report, "did you mean \"%s\"?", near);
        if (strcmp(e->key, "include") == 0)
                conf_hint(b->report, "include lines stand before the first section");
        for (const struct conf_kind *k = conf_kinds; k < conf_kinds + CONF_KINDS && !near; k++)
                if (conf_key_find(k, e->key, &rest))
                        conf_hint(b->report, "it is a key of %s", k->shown);
}

static bool build_env_name_ok(struct conf_build *b, const struct conf_entry *e, const char *name)
{
        size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");

        if (!*name || name[len] || isdigit((unsigned char)*name)) {
                conf_error(b->report, e->place, "\"%s\" is not the name of a variable", name);
                return false;
        }
        if (strncmp(name, "TORC_", 5) == 0) {
                conf_error(b->report, e->place, "%s: variables named TORC_... are set by the supervisor", name);
                return false;
        }
        return true;
}

/* Was the key, or env.NAME of the same NAME, given before in this section? */
static bool build_duplicate_key(struct conf_build *b, const struct conf_object *o, const struct conf_entry *e)
{
        for (const struct conf_entry *other = o->section->entries; other != e; other = other->next) {
                if (strcmp(other->key, e->key) != 0)
                        continue;
                conf_error(b->report, e->place, "\"%s\" is set already, in line %u", e->key, other->place.line);
                return true;
        }
        return false;
}

/* May the value be empty? */
static bool build_may_be_empty(enum conf_type type)
{
        return type == CONF_TYPE_TAGS || type == CONF_TYPE_ENV;
}

static bool build_key(struct conf_build *b, struct conf_object *o, struct conf_entry *e, const struct conf_key *key,
                      const char *rest)
{
        struct conf_setting setting = {b->arena, b->report, key, rest, &e->value, o->data};

        if (key->type == CONF_TYPE_ENV && !build_env_name_ok(b, e, rest))
                return false;
        if (!conf_expand(b->arena, b->report, &e->value))
                return false;
        if (e->value.len == 0 && !build_may_be_empty(key->type)) {
                conf_error(b->report, conf_text_place(&e->value, 0, 0), "%s has no value", e->key);
                return false;
        }
        return conf_set(&setting);
}

static void build_entry(struct conf_build *b, struct conf_object *o, struct conf_entry *e)
{
        const struct conf_kind *kind = &conf_kinds[o->kind];
        const char *rest;
        const struct conf_key *key = conf_key_find(kind, e->key, &rest);
        struct conf_origin origin = {e->place.source->path, e->place.line};
        size_t slot;

        if (!key) {
                build_unknown_key(b, o, e);
                return;
        }
        if (build_duplicate_key(b, o, e))
                return;
        slot = (size_t)(key - kind->keys);
        o->entries[slot] = e;
        o->bad[slot] = !build_key(b, o, e, key, rest);
        if (key->type != CONF_TYPE_ENV)
                build_origins(o)[slot] = origin;
        else if (!o->bad[slot])
                ((struct conf_group *)o->data)->env[((struct conf_group *)o->data)->n_env - 1].origin = origin;
}

/* ---- objects ---- */

static void build_preset(struct conf_build *b, struct conf_object *o, const struct conf_key *key)
{
        struct conf_text value = {0};
        struct conf_setting setting = {b->arena, b->report, key, "", &value, o->data};
        bool fine;

        conf_text_add(b->arena, &value, key->preset, strlen(key->preset), (struct conf_place){0}, false);
        fine = conf_set(&setting);
        assert(fine); /* keys.def has a default that its own type refuses */
        (void)fine;
}

static void build_data(struct conf_build *b, struct conf_object *o)
{
        const struct conf_kind *kind = &conf_kinds[o->kind];

        for (size_t i = 0; i < kind->n_keys; i++)
                if (kind->keys[i].preset)
                        build_preset(b, o, &kind->keys[i]);
        for (struct conf_entry *e = o->section ? o->section->entries : NULL; e; e = e->next)
                build_entry(b, o, e);
}

static size_t build_count_entries(const struct conf_section *s)
{
        size_t n = 0;

        for (const struct conf_entry *e = s->entries; e; e = e->next)
                n++;
        return n;
}

/* The struct of a section: of the first [bus] the one in conf, of a second one a new one that is dropped. */
static void *build_place(struct conf_build *b, enum conf_kind_id kind, const struct conf_section *s)
{
        struct conf_origin section = {s ? s->place.source->path : NULL, s ? s->place.line : 0};
        struct conf_stream *stream;
        struct conf_group *group;
        const char *rest;

        for (const struct conf_object *o = b->objects; o < b->objects + b->n_objects; o++)
                if (o->data == &b->conf->bus && kind == CONF_KIND_BUS)
                        return conf_alloc(b->arena, 1, sizeof(struct conf_bus));
                else if (o->data == &b->conf->log && kind == CONF_KIND_LOG)
                        return conf_alloc(b->arena, 1, sizeof(struct conf_log));
        switch (kind) {
        case CONF_KIND_BUS:
                return &b->conf->bus;
        case CONF_KIND_LOG:
                return &b->conf->log;
        case CONF_KIND_STREAM:
                stream = &b->conf->streams[b->conf->n_streams++];
                *stream = (struct conf_stream){.section = section, .uid = -1, .gid = -1};
                stream->name = conf_strdup(b->arena, s->name);
                stream->origin[conf_key_find(&conf_kinds[kind], "name", &rest) - conf_kinds[kind].keys] = section;
                return stream;
        default:
                group = &b->conf->groups[b->conf->n_groups++];
                *group = (struct conf_group){.section = section, .uid = -1, .gid = -1, .umask = -1};
                group->name = conf_strdup(b->arena, s->name);
                group->env = conf_alloc(b->arena, build_count_entries(s), sizeof *group->env);
                return group;
        }
}

static void build_object(struct conf_build *b, enum conf_kind_id kind, const struct conf_section *s)
{
        struct conf_object *o = &b->objects[b->n_objects];

        *o = (struct conf_object){.kind = kind, .section = s, .data = build_place(b, kind, s)};
        b->n_objects++;
        if (s)
                build_check_duplicate(b, o);
        build_data(b, o);
}

void conf_build(struct conf_build *b, const struct conf_section *sections)
{
        const struct conf_kind *kind;
        bool seen[CONF_KINDS] = {false};
        size_t n = 0;

        for (const struct conf_section *s = sections; s; s = s->next)
                n++;
        b->objects = conf_alloc(b->arena, n + CONF_KINDS, sizeof *b->objects);
        b->conf->streams = conf_alloc(b->arena, n, sizeof *b->conf->streams);
        b->conf->groups = conf_alloc(b->arena, n, sizeof *b->conf->groups);
        for (const struct conf_section *s = sections; s; s = s->next) {
                kind = s->kind ? build_find_kind(b, s) : NULL;
                if (!kind)
                        continue;
                build_check_name(b, kind, s);
                build_object(b, (enum conf_kind_id)(kind - conf_kinds), s);
                seen[kind - conf_kinds] = true;
        }
        for (enum conf_kind_id id = CONF_KIND_BUS; id <= CONF_KIND_LOG; id++)
                if (!seen[id])
                        build_object(b, id, NULL);
}
