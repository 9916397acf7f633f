/*
 * keys.c - see keys.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "keys.h"

#include <assert.h>
#include <string.h>

#include "torc_admin.h"

#define KEY(kind, name, type, member, min, max, preset, doc)                                                       \
        {name, CONF_TYPE_##type, offsetof(struct conf_##kind, member), (uint64_t)(min), (uint64_t)(max), preset,   \
         doc},

static const struct conf_key bus_keys[] = {
#define CONF_BUS(...) KEY(bus, __VA_ARGS__)
#include "keys.def"
};
static const struct conf_key log_keys[] = {
#define CONF_LOG(...) KEY(log, __VA_ARGS__)
#include "keys.def"
};
static const struct conf_key stream_keys[] = {
#define CONF_STREAM(...) KEY(stream, __VA_ARGS__)
#include "keys.def"
};
static const struct conf_key group_keys[] = {
#define CONF_GROUP(...) KEY(group, __VA_ARGS__)
#include "keys.def"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static_assert(COUNT(bus_keys) <= CONF_KEYS_MAX, "origins of [bus]");
static_assert(COUNT(log_keys) <= CONF_KEYS_MAX, "origins of [log]");
static_assert(COUNT(stream_keys) <= CONF_KEYS_MAX, "origins of [stream]");
static_assert(COUNT(group_keys) <= CONF_KEYS_MAX, "origins of [group]");

const struct conf_kind conf_kinds[CONF_KINDS] = {
        [CONF_KIND_BUS] = {"bus", "[bus]", false, offsetof(struct conf_bus, origin), bus_keys, COUNT(bus_keys),
                           "Where messages are exchanged."},
        [CONF_KIND_LOG] = {"log", "[log]", false, offsetof(struct conf_log, origin), log_keys, COUNT(log_keys),
                           "What becomes of the members' standard output and standard error."},
        [CONF_KIND_STREAM] =
                {"stream", "[stream NAME]", true, offsetof(struct conf_stream, origin), stream_keys,
                 COUNT(stream_keys),
                 "A stream that the supervisor creates. Streams that are not in the file are created by "
                 "whoever opens them first."},
        [CONF_KIND_GROUP] = {"group", "[group NAME]", true, offsetof(struct conf_group, origin), group_keys,
                             COUNT(group_keys),
                             "A group of processes that the supervisor runs. Its members are named NAME-0, NAME-1 "
                             "and so on."},
};

const struct conf_key *conf_key_find(const struct conf_kind *kind, const char *name, const char **rest)
{
        *rest = "";
        for (size_t i = 0; i < kind->n_keys; i++) {
                const struct conf_key *key = &kind->keys[i];
                size_t len = strlen(key->name);

                if (strcmp(key->name, name) == 0 && key->name[len - 1] != '.')
                        return key;
                if (key->name[len - 1] == '.' && strncmp(key->name, name, len) == 0) {
                        *rest = name + len;
                        return key;
                }
        }
        return NULL;
}

const char *const *conf_key_words(struct conf_arena *arena, const struct conf_kind *kind)
{
        const char **words = conf_alloc(arena, (size_t)CONF_KINDS * CONF_KEYS_MAX + 1, sizeof *words);
        size_t n = 0;

        for (const struct conf_kind *k = conf_kinds; k < conf_kinds + CONF_KINDS; k++)
                for (size_t i = 0; i < k->n_keys && (!kind || kind == k); i++)
                        words[n++] = k->keys[i].name;
        return words;
}
