/*
 * types.c - the types of values: checking and storing them. show.c writes them out again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <ctype.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "keys.h"
#include "units.h"
#include "words.h"

/* Enumerations, in the order of their values in torc.h and conf.h. */
static const char *const lag_words[] = {"disconnect", "block", "skip", NULL};
static const char *const full_words[] = {"drop", "block", NULL};
static const char *const access_words[] = {"shared", "exclusive", "wait_for_exclusive", "exclusive_with_fencing",
                                           NULL};
static const char *const restart_words[] = {"permanent", "transient", "temporary", NULL};

static_assert(TORC_LAG_SKIP == 2 && CONF_LOG_BLOCK == 1 && CONF_TEMPORARY == 2, "the words above are in order");
static_assert(TORC_SHARED == 0 && TORC_EXCLUSIVE == 1 && TORC_WAIT_FOR_EXCLUSIVE == 2 &&
                      TORC_EXCLUSIVE_WITH_FENCING == 3,
              "the words above are in order");

const char *const *conf_type_words(enum conf_type type)
{
        switch (type) {
        case CONF_TYPE_LAG:
                return lag_words;
        case CONF_TYPE_FULL:
                return full_words;
        case CONF_TYPE_ACCESS:
                return access_words;
        case CONF_TYPE_RESTART:
                return restart_words;
        default:
                return NULL;
        }
}

const char *conf_type_syntax(enum conf_type type)
{
        static const char *const syntax[] = {
#define TORC_X(name, text) [CONF_TYPE_##name] = text,
                CONF_TYPES(TORC_X)
#undef TORC_X
        };

        return syntax[type];
}

/* ---- storing ---- */

/* Members are reached by offset; memcpy() spares every setter a cast per type. */
static void set_member(const struct conf_setting *s, const void *value, size_t size)
{
        memcpy((char *)s->object + s->key->offset, value, size);
}

static bool set_string(const struct conf_setting *s)
{
        char *copy = conf_strdup(s->arena, s->value->s);

        set_member(s, &copy, sizeof copy);
        return true;
}

static bool set_u32(const struct conf_setting *s, uint64_t value)
{
        uint32_t v = (uint32_t)value;

        set_member(s, &v, sizeof v);
        return true;
}

/* ---- complaining ---- */

static struct conf_place set_place(const struct conf_setting *s)
{
        return conf_text_place(s->value, 0, s->value->len);
}

/* "capacity: "5x" needs a unit ..." */
static bool set_wrong(const struct conf_setting *s, const char *written, const char *wrong, const char *hint)
{
        conf_error(s->report, set_place(s), "%s: \"%s\" %s", s->key->name, written, wrong);
        if (hint && *hint)
                conf_hint(s->report, "did you mean \"%s\"?", hint);
        return false;
}

typedef void format_fn(char text[CONF_UNIT_TEXT_MAX], uint64_t value);

static void set_format_count(char text[CONF_UNIT_TEXT_MAX], uint64_t value)
{
        snprintf(text, CONF_UNIT_TEXT_MAX, "%" PRIu64, value);
}

static bool set_in_range(const struct conf_setting *s, const char *written, uint64_t value, format_fn *format)
{
        char limit[CONF_UNIT_TEXT_MAX];

        if (value >= s->key->min && value <= s->key->max)
                return true;
        format(limit, value < s->key->min ? s->key->min : s->key->max);
        conf_error(s->report, set_place(s), "%s: \"%s\" is %s the %s, %s", s->key->name, written,
                   value < s->key->min ? "below" : "above", value < s->key->min ? "least" : "most", limit);
        return false;
}

/* ---- numbers ---- */

static bool set_time(const struct conf_setting *s)
{
        char hint[CONF_HINT_MAX];
        uint64_t ms;
        const char *wrong = conf_parse_time(s->value->s, &ms, hint);

        if (wrong)
                return set_wrong(s, s->value->s, wrong, hint);
        if (!set_in_range(s, s->value->s, ms, conf_format_time))
                return false;
        set_member(s, &ms, sizeof ms);
        return true;
}

static bool set_bytes(const struct conf_setting *s, const char *text, uint64_t *bytes)
{
        char hint[CONF_HINT_MAX];
        const char *wrong = conf_parse_size(text, bytes, hint);

        if (wrong)
                return set_wrong(s, text, wrong, hint);
        return set_in_range(s, text, *bytes, conf_format_size);
}

static bool set_size(const struct conf_setting *s)
{
        uint64_t bytes;

        if (!set_bytes(s, s->value->s, &bytes))
                return false;
        if (s->key->type == CONF_TYPE_SIZE32)
                return set_u32(s, bytes);
        set_member(s, &bytes, sizeof bytes);
        return true;
}

static bool set_capacity(const struct conf_setting *s)
{
        struct conf_stream *stream = s->object;
        const char *range = strstr(s->value->s, "..");
        size_t first = range ? (size_t)(range - s->value->s) : s->value->len;
        uint64_t from, to = 0;

        while (first > 0 && isspace((unsigned char)s->value->s[first - 1]))
                first--;
        if (!set_bytes(s, conf_strndup(s->arena, s->value->s, first), &from))
                return false;
        if (range) {
                range += 2 + strspn(range + 2, " \t");
                if (!set_bytes(s, range, &to))
                        return false;
                if (to < from)
                        return set_wrong(s, s->value->s, "ends below its start", NULL);
        }
        stream->capacity_bytes = from;
        stream->capacity_max_bytes = to;
        return true;
}

static bool set_count(const struct conf_setting *s)
{
        char hint[CONF_HINT_MAX];
        uint64_t count;
        const char *wrong = conf_parse_count(s->value->s, &count, hint);

        if (wrong)
                return set_wrong(s, s->value->s, wrong, hint);
        return set_in_range(s, s->value->s, count, set_format_count) && set_u32(s, count);
}

static bool set_nice(const struct conf_setting *s)
{
        const char *digits = s->value->s + (*s->value->s == '-');
        char hint[CONF_HINT_MAX];
        uint64_t count;
        int nice;

        if (conf_parse_count(digits, &count, hint) || count > 20 || (count == 20 && digits == s->value->s))
                return set_wrong(s, s->value->s, "is not a number from -20 to 19", NULL);
        nice = digits == s->value->s ? (int)count : -(int)count;
        set_member(s, &nice, sizeof nice);
        return true;
}

static bool set_umask(const struct conf_setting *s)
{
        uint32_t bits;
        const char *wrong = conf_parse_octal(s->value->s, &bits);
        int64_t mask = bits;

        if (wrong)
                return set_wrong(s, s->value->s, wrong, NULL);
        set_member(s, &mask, sizeof mask);
        return true;
}

static bool set_mode(const struct conf_setting *s)
{
        uint32_t bits;
        const char *wrong = conf_parse_octal(s->value->s, &bits);

        if (!wrong && (bits & ~0666u))
                wrong = "has more than the bits of reading and writing, 0666";
        if (!wrong && (bits & 0600) != 0600)
                wrong = "shuts the owner out, who needs 0600";
        return wrong ? set_wrong(s, s->value->s, wrong, NULL) : set_u32(s, bits);
}

/* ---- words ---- */

static bool set_enum(const struct conf_setting *s)
{
        const char *const *words = conf_type_words(s->key->type), *near;
        char *list = conf_strdup(s->arena, "");
        unsigned value = 0;

        while (words[value] && strcmp(words[value], s->value->s) != 0)
                value++;
        if (words[value]) {
                set_member(s, &value, sizeof value);
                return true;
        }
        for (size_t i = 0; words[i]; i++)
                list = conf_printf(s->arena, "%s%s%s", list, i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
        conf_error(s->report, set_place(s), "%s: \"%s\" is not one of %s", s->key->name, s->value->s, list);
        near = conf_suggest(s->value->s, words);
        if (near)
                conf_hint(s->report, "did you mean \"%s\"?", near);
        return false;
}

static bool set_signal(const struct conf_setting *s)
{
        int signal = conf_parse_signal(s->value->s);

        if (!signal)
                return set_wrong(s, s->value->s, "is not the name of a signal such as TERM, INT or USR1", NULL);
        set_member(s, &signal, sizeof signal);
        return true;
}

/* ---- names ---- */

static bool set_label(const struct conf_setting *s)
{
        const char *name = s->value->s;

        if (torc_name_check(name) || s->value->len > TORC_LABEL_MAX || *name == '.')
                return set_wrong(s, name, "is not a name: 1 to 63 bytes, no '/', no '.' in front", NULL);
        return set_string(s);
}

static bool set_name(const struct conf_setting *s)
{
        if (torc_name_check(s->value->s))
                return set_wrong(s, s->value->s, "is not a stream name: 1 to 200 bytes of UTF-8 without '/'", NULL);
        return set_string(s);
}

static bool set_path(const struct conf_setting *s)
{
        if (*s->value->s == '"' || *s->value->s == '\'')
                return set_wrong(s, s->value->s, "must not be quoted", NULL);
        if (*s->value->s != '/')
                return set_wrong(s, s->value->s, "is not an absolute path", NULL);
        return set_string(s);
}

static bool set_tags(const struct conf_setting *s)
{
        const char *text = s->value->s;

        if (s->value->len > TORC_TAGS_MAX)
                return set_wrong(s, text, "is longer than the 127 bytes that tags may have together", NULL);
        for (const char *t = text; *text; t = strchr(t, ',') + 1) {
                size_t n = strcspn(t, ",");

                if (n == 0)
                        return set_wrong(s, text, "has an empty tag", NULL);
                if (*t == ' ' || t[n - 1] == ' ')
                        return set_wrong(s, text, "has a blank beside a comma; write a,b", NULL);
                if (!t[n])
                        break;
        }
        return set_string(s);
}

/* ---- users and groups ---- */

/* A number above what a uid can be, (uid_t)-1 included, is not one: it would mean "leave it". */
static bool set_id(const char *text, int64_t *id)
{
        char hint[CONF_HINT_MAX];
        uint64_t number;

        if (!isdigit((unsigned char)*text) || conf_parse_count(text, &number, hint) || number >= UINT32_MAX)
                return false;
        *id = (int64_t)number;
        return true;
}

static bool set_owner(const struct conf_setting *s)
{
        struct conf_stream *stream = s->object;
        const struct passwd *pw = getpwnam(s->value->s);

        if (pw)
                stream->uid = pw->pw_uid;
        else if (!set_id(s->value->s, &stream->uid))
                return set_wrong(s, s->value->s, "is not a user of this machine", NULL);
        return set_string(s);
}

static bool set_file_group(const struct conf_setting *s)
{
        struct conf_stream *stream = s->object;
        const struct group *gr = getgrnam(s->value->s);

        if (gr)
                stream->gid = gr->gr_gid;
        else if (!set_id(s->value->s, &stream->gid))
                return set_wrong(s, s->value->s, "is not a group of this machine", NULL);
        return set_string(s);
}

/* Unlike a file's owner, who is a number to the kernel, a user to run as needs an entry: it gives the groups. */
static bool set_user(const struct conf_setting *s)
{
        struct conf_group *group = s->object;
        const struct passwd *pw = getpwnam(s->value->s);
        int64_t uid;

        if (!pw && set_id(s->value->s, &uid))
                pw = getpwuid((uid_t)uid);
        if (!pw)
                return set_wrong(s, s->value->s, "is not a user of this machine", NULL);
        group->uid = pw->pw_uid;
        group->gid = pw->pw_gid;
        return set_string(s);
}

/* ---- commands and environment ---- */

static bool set_command(const struct conf_setting *s)
{
        struct conf_group *group = s->object;
        size_t argc, at;
        const char *wrong = conf_words_split(s->arena, s->value->s, s->value->len, &group->argv, &argc, &at);

        if (wrong) {
                conf_error(s->report, conf_text_place(s->value, at, 1), "%s: %s", s->key->name, wrong);
                if (s->value->has_comment)
                        conf_hint(s->report,
                                  "a ';' after a blank begins a comment; write it without the blank, or as ${;}");
                return false;
        }
        if (*group->argv[0] == 0)
                return set_wrong(s, s->value->s, "has no program to run", NULL);
        return set_string(s);
}

static bool set_env(const struct conf_setting *s)
{
        struct conf_group *group = s->object;
        struct conf_env *env;

        for (size_t i = 0; i < group->n_env; i++)
                assert(strcmp(group->env[i].name, s->rest) != 0);
        env = &group->env[group->n_env++];
        env->name = conf_strdup(s->arena, s->rest);
        env->value = conf_strdup(s->arena, s->value->s);
        return true;
}

bool conf_set(const struct conf_setting *setting)
{
        static bool (*const setters[])(const struct conf_setting *) = {
                [CONF_TYPE_LABEL] = set_label,
                [CONF_TYPE_NAME] = set_name,
                [CONF_TYPE_PATH] = set_path,
                [CONF_TYPE_TAGS] = set_tags,
                [CONF_TYPE_MODE] = set_mode,
                [CONF_TYPE_UMASK] = set_umask,
                [CONF_TYPE_TIME] = set_time,
                [CONF_TYPE_SIZE] = set_size,
                [CONF_TYPE_SIZE32] = set_size,
                [CONF_TYPE_CAPACITY] = set_capacity,
                [CONF_TYPE_COUNT] = set_count,
                [CONF_TYPE_NICE] = set_nice,
                [CONF_TYPE_LAG] = set_enum,
                [CONF_TYPE_FULL] = set_enum,
                [CONF_TYPE_ACCESS] = set_enum,
                [CONF_TYPE_RESTART] = set_enum,
                [CONF_TYPE_SIGNAL] = set_signal,
                [CONF_TYPE_OWNER] = set_owner,
                [CONF_TYPE_FILE_GROUP] = set_file_group,
                [CONF_TYPE_USER] = set_user,
                [CONF_TYPE_COMMAND] = set_command,
                [CONF_TYPE_ENV] = set_env,
        };

        static_assert(sizeof setters / sizeof *setters == CONF_TYPE_COUNT_, "a setter for every type");
        return setters[setting->key->type](setting);
}
