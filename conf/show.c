/*
 * show.c - values as they would stand in the file, and what the types are called.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <string.h>

#include "keys.h"
#include "units.h"

static void *show_member(const struct conf_key *key, const void *object, void *value, size_t size)
{
        return memcpy(value, (const char *)object + key->offset, size);
}

static bool show_string(const struct conf_key *key, const void *object, FILE *out)
{
        char *s;

        show_member(key, object, &s, sizeof s);
        if (s)
                fputs(s, out);
        return s != NULL;
}

static bool show_u32(const struct conf_key *key, const void *object, FILE *out)
{
        char text[CONF_UNIT_TEXT_MAX];
        uint32_t value;

        show_member(key, object, &value, sizeof value);
        if (key->type == CONF_TYPE_SIZE32)
                conf_format_size(text, value);
        else
                snprintf(text, sizeof text, key->type == CONF_TYPE_MODE ? "0%03" PRIo32 : "%" PRIu32, value);
        fputs(text, out);
        /* 0 is not a size and not a mode that can be given: such a key was not set. */
        return key->type == CONF_TYPE_COUNT || value != 0;
}

static bool show_u64(const struct conf_key *key, const void *object, FILE *out)
{
        char text[CONF_UNIT_TEXT_MAX];
        uint64_t value;

        show_member(key, object, &value, sizeof value);
        if (key->type == CONF_TYPE_TIME)
                conf_format_time(text, value);
        else
                conf_format_size(text, value);
        fputs(text, out);
        return true;
}

static bool show_umask(const struct conf_key *key, const void *object, FILE *out)
{
        int64_t mask;

        show_member(key, object, &mask, sizeof mask);
        fprintf(out, "0%03o", (unsigned)mask & 0777u);
        return mask >= 0;
}

static bool show_capacity(const struct conf_stream *stream, FILE *out)
{
        char from[CONF_UNIT_TEXT_MAX], to[CONF_UNIT_TEXT_MAX];

        conf_format_size(from, stream->capacity_bytes);
        conf_format_size(to, stream->capacity_max_bytes);
        fprintf(out, stream->capacity_max_bytes ? "%s..%s" : "%s", from, to);
        return true;
}

bool conf_show(const struct conf_key *key, const void *object, FILE *out)
{
        const char *const *words = conf_type_words(key->type);
        unsigned value;
        int number;

        if (words) {
                fputs(words[*(unsigned *)show_member(key, object, &value, sizeof value)], out);
                return true;
        }
        switch (key->type) {
        case CONF_TYPE_TIME:
        case CONF_TYPE_SIZE:
                return show_u64(key, object, out);
        case CONF_TYPE_SIZE32:
        case CONF_TYPE_MODE:
        case CONF_TYPE_COUNT:
                return show_u32(key, object, out);
        case CONF_TYPE_UMASK:
                return show_umask(key, object, out);
        case CONF_TYPE_NICE:
                fprintf(out, "%d", *(int *)show_member(key, object, &number, sizeof number));
                return true;
        case CONF_TYPE_CAPACITY:
                return show_capacity(object, out);
        case CONF_TYPE_SIGNAL:
                fputs(sigabbrev_np(*(int *)show_member(key, object, &number, sizeof number)), out);
                return true;
        case CONF_TYPE_COMMAND:
                fputs(((const struct conf_group *)object)->command, out);
                return true;
        default:
                return show_string(key, object, out);
        }
}
