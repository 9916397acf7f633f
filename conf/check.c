/*
 * check.c - what only shows when keys, or sections, are looked at together.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "build.h"
#include "torc_admin.h"

static size_t check_slot(const struct conf_object *o, const char *key)
{
        const struct conf_kind *kind = &conf_kinds[o->kind];
        const char *rest;

        return (size_t)(conf_key_find(kind, key, &rest) - kind->keys);
}

/* Can the key's value be relied on: it was right, or is the default? */
static bool check_good(const struct conf_object *o, const char *key)
{
        return !o->bad[check_slot(o, key)];
}

static bool check_given(const struct conf_object *o, const char *key)
{
        return o->entries[check_slot(o, key)] != NULL;
}

/* Where the key's value stands, or the section if it is the default. */
static struct conf_place check_place(const struct conf_object *o, const char *key)
{
        const struct conf_entry *e = o->entries[check_slot(o, key)];

        return e ? conf_text_place(&e->value, 0, e->value.len) : o->section->place;
}

static void check_stream(struct conf_build *b, const struct conf_object *o)
{
        const struct conf_stream *stream = o->data;
        uint64_t capacity = stream->capacity_max_bytes ? stream->capacity_max_bytes : stream->capacity_bytes;

        if (check_good(o, "capacity") && check_good(o, "max_message") && stream->max_message_bytes > capacity / 8) {
                conf_error(b->report, check_place(o, "max_message"),
                           "max_message is above an eighth of the largest capacity, which is %llu bytes",
                           (unsigned long long)capacity);
                conf_hint(b->report, "raise capacity, or give it a range such as 1MiB..256MiB");
        }
        if (check_good(o, "online_min") && check_good(o, "max_consumers") &&
            stream->online_min > stream->max_consumers)
                conf_error(b->report, check_place(o, "online_min"),
                           "online_min is above max_consumers, %u: producers would never be online",
                           stream->max_consumers);
}

static void check_access(struct conf_build *b, const struct conf_object *o)
{
        const struct conf_group *group = o->data;

        if (group->access != TORC_SHARED && !check_given(o, "stream"))
                conf_error(b->report, check_place(o, "access"),
                           "access says how to attach to a stream, but none is given");
        if (!check_good(o, "access") || !check_good(o, "count"))
                return;
        if (group->count > 1 && (group->access == TORC_EXCLUSIVE || group->access == TORC_EXCLUSIVE_WITH_FENCING)) {
                conf_error(b->report, check_place(o, "count"), "%u members cannot all have %s access: %s",
                           group->count, group->access == TORC_EXCLUSIVE ? "exclusive" : "exclusive_with_fencing",
                           group->access == TORC_EXCLUSIVE ? "all but one would be refused"
                                                           : "each would shut the others out");
                conf_hint(b->report, "access = wait_for_exclusive makes all but one of them standbys");
        }
        if (group->access == TORC_WAIT_FOR_EXCLUSIVE && group->count > TORC_MAX_WAITERS + 1)
                conf_error(b->report, check_place(o, "count"), "only %d producers can wait for a stream",
                           TORC_MAX_WAITERS);
        if (group->access == TORC_SHARED && group->stream && group->count > TORC_MAX_PRODUCERS)
                conf_error(b->report, check_place(o, "count"), "only %d producers can share a stream",
                           TORC_MAX_PRODUCERS);
}

static void check_group(struct conf_build *b, const struct conf_object *o)
{
        const struct conf_group *group = o->data;

        if (!check_given(o, "command"))
                conf_error(b->report, o->section->place, "[group %s] has no command", group->name);
        if (check_good(o, "backoff_min") && check_good(o, "backoff_max") &&
            group->backoff_min_ms > group->backoff_max_ms)
                conf_error(b->report, check_place(o, check_given(o, "backoff_min") ? "backoff_min" : "backoff_max"),
                           "backoff_min is above backoff_max");
        check_access(b, o);
}

/* Two sections may mean the same stream by their `name` keys, which the check for equal sections cannot see. */
static void check_stream_names(struct conf_build *b, const struct conf_object *o)
{
        const struct conf_stream *stream = o->data, *other;

        for (const struct conf_object *p = b->objects; p < o; p++) {
                if (p->kind != CONF_KIND_STREAM || (!check_given(o, "name") && !check_given(p, "name")))
                        continue;
                other = p->data;
                if (!*stream->name || strcmp(other->name, stream->name) != 0 || !check_good(o, "name"))
                        continue;
                conf_error(b->report, check_place(o, "name"), "stream \"%s\" is there already, in %s", stream->name,
                           conf_where(b->arena, p->section->place, check_place(o, "name")));
        }
}

static void check_totals(struct conf_build *b)
{
        uint64_t members = 0;
        size_t groups = 0;

        for (const struct conf_object *o = b->objects; o < b->objects + b->n_objects; o++) {
                if (o->kind != CONF_KIND_GROUP)
                        continue;
                groups++;
                members += check_good(o, "count") ? ((const struct conf_group *)o->data)->count : 0;
                if (groups == TORC_MAX_GROUPS + 1)
                        conf_error(b->report, o->section->place, "this is group %zu; there can be %d", groups,
                                   TORC_MAX_GROUPS);
                if (members > TORC_MAX_MEMBERS) {
                        conf_error(b->report, check_place(o, "count"),
                                   "the groups up to here have %llu members together; there can be %d",
                                   (unsigned long long)members, TORC_MAX_MEMBERS);
                        members = 0;
                }
        }
}

void conf_check(struct conf_build *b)
{
        for (const struct conf_object *o = b->objects; o < b->objects + b->n_objects; o++) {
                if (o->kind == CONF_KIND_STREAM) {
                        check_stream(b, o);
                        check_stream_names(b, o);
                } else if (o->kind == CONF_KIND_GROUP) {
                        check_group(b, o);
                }
        }
        check_totals(b);
}
