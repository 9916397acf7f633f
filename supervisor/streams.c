/*
 * streams.c - the streams of torc.ini.
 *
 * A stream that exists is left as it is, with its messages; where torc.ini wants something else, that is said.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "sup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct torc_stream_info *streams_find(const struct torc_snapshot *snapshot, const char *name)
{
        for (size_t i = 0; snapshot && i < snapshot->n_streams; i++)
                if (strcmp(snapshot->streams[i].name, name) == 0)
                        return &snapshot->streams[i];
        return NULL;
}

static const char *lag_word(enum torc_lag lag)
{
        static const char *const words[] = {"disconnect", "block", "skip"};
        return (size_t)lag < sizeof words / sizeof words[0] ? words[lag] : "?";
}

/* The library rounds a capacity up to a power of two. */
static bool same_capacity(uint64_t wanted, uint64_t is)
{
        return wanted == 0 || (wanted <= is && is < wanted * 2);
}

static void streams_compare(const struct conf_stream *c, const struct torc_stream_info *s)
{
        char what[512] = "";
        size_t n = 0;
#define DIFFERS(condition, ...)                                                                                    \
        do {                                                                                                       \
                if ((condition) && n < sizeof what)                                                                \
                        n += (size_t)snprintf(what + n, sizeof what - n, __VA_ARGS__);                             \
        } while (0)
        DIFFERS(!same_capacity(c->capacity_bytes, s->capacity_bytes), ", capacity %" PRIu64, s->capacity_bytes);
        DIFFERS(!same_capacity(c->capacity_max_bytes, s->capacity_max_bytes), ", up to %" PRIu64,
                s->capacity_max_bytes);
        DIFFERS(c->lag != s->lag, ", lag %s", lag_word(s->lag));
        DIFFERS(c->online_min != s->online_min, ", online_min %u", s->online_min);
        DIFFERS(strcmp(c->online_tags, s->online_tags) != 0, ", online_tags '%s'", s->online_tags);
        DIFFERS(c->max_consumers && c->max_consumers != s->max_consumers, ", max_consumers %u", s->max_consumers);
#undef DIFFERS
        if (what[0])
                log_warn("stream %s exists and is not as in torc.ini: it has%s. It stays so until it is removed "
                         "('torc rm')",
                         c->name, what + 1);
}

static int streams_create(struct sup *sup, const struct conf_stream *c)
{
        struct torc_stream_config config = {
                .capacity_bytes = c->capacity_bytes,
                .capacity_max_bytes = c->capacity_max_bytes,
                .max_message_bytes = c->max_message_bytes,
                .lag = c->lag,
                .online_min = c->online_min,
                .online_tags = c->online_tags,
                .max_consumers = c->max_consumers,
                .mode = c->mode,
                .uid = c->uid,
                .gid = c->gid,
        };
        return torc_stream_create(sup->bus, c->name, &config);
}

void streams_open(struct sup *sup)
{
        struct torc_snapshot *before = NULL;
        if (sup->inspector && torc_inspector_take(sup->inspector, &before))
                before = NULL;
        for (size_t i = 0; i < sup->conf->n_streams; i++) {
                const struct conf_stream *c = &sup->conf->streams[i];
                const struct torc_stream_info *s = streams_find(before, c->name);
                int rc = streams_create(sup, c);
                if (rc == 0)
                        note(sup, TORC_EVENT_SUPERVISOR, "stream %s created", c->name);
                else if (rc != TORC_EEXISTS)
                        fatal("%s:%u: stream '%s': %s (%s)", c->section.file ? c->section.file : sup->conf->path,
                              c->section.line, c->name, torc_strerror(rc), torc_errname(rc));
                else if (s && !s->error)
                        streams_compare(c, s);
        }
        if (before)
                torc_snapshot_free(&before);
}
