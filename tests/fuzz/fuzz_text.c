/*
 * fuzz_text.c - what the library makes of strings and of metadata blocks: ids, names, labels, globs, tags, properties.
 *
 * Every string and block stands in memory of exactly its size. Besides "nothing outside is read":
 *   ids         a text that parses is what the id formats to, but for leading zeroes; and parses back to the same
 *   globs       a name matches itself escaped, and "*"; never where a glob of ordinary characters differs from it
 *   tags        a good list carries all of itself; lists without a NUL, as shared memory may have them, end in time
 *   metadata    what is encoded decodes to the same; any bytes decode to properties inside the block, or to an error
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz.h"
#include "meta.h"
#include "name.h"

#define TEXT_MAX 600

/* ---- ids, names, labels ---------------------------------------------------------------------------------- */

static void fuzz_id(struct input *in)
{
        char text[TORC_ID_TEXT_MAX];
        struct torc_id id = {.position = take64(in), .epoch = (uint32_t)take64(in), .shard = take16(in)}, back;
        torc_id_format(text, &id);
        MUST(torc_id_parse(&back, text) == 0);
        MUST(back.position == id.position && back.epoch == id.epoch && back.shard == id.shard);
        char *any = take_string(in, TEXT_MAX);
        if (torc_id_parse(&id, any) == 0) {
                torc_id_format(text, &id);
                MUST(torc_id_parse(&back, text) == 0);
                MUST(back.position == id.position && back.epoch == id.epoch && back.shard == id.shard);
                MUST(strlen(text) <= strlen(any));
        }
        free(any);
}

static void fuzz_name(struct input *in)
{
        char *name = take_string(in, TEXT_MAX);
        size_t len = strlen(name);
        if (torc_name_check(name) == 0)
                MUST(len > 0 && len <= TORC_NAME_MAX && !strchr(name, '/'));
        if (name_check_label(name) == 0)
                MUST(len <= TORC_LABEL_MAX && torc_name_check(name) == 0 && strcmp(name, "..") != 0);
        free(name);
        MUST(torc_strerror((int)take64(in)) && torc_errname((int)take64(in)));
}

/* ---- globs ----------------------------------------------------------------------------------------------- */

static void fuzz_glob(struct input *in)
{
        char *glob = take_string(in, TEXT_MAX / 2), *name = take_string(in, TEXT_MAX / 2);
        size_t len = strlen(name);
        char *escaped = malloc(2 * len + 2); /* and a '*' */
        MUST(escaped);
        (void)torc_name_match(glob, name);
        if (!strpbrk(glob, "*?[\\"))
                MUST(torc_name_match(glob, name) == !strcmp(glob, name));
        if (torc_name_check(name) == 0) {
                size_t n = 0;
                for (size_t i = 0; i < len; i++) {
                        if (!((unsigned char)name[i] & 0x80)) /* not inside a character */
                                escaped[n++] = '\\';
                        escaped[n++] = name[i];
                }
                escaped[n] = '\0';
                MUST(torc_name_match(escaped, name));
                escaped[n] = '*', escaped[n + 1] = '\0';
                MUST(torc_name_match(escaped, name));
        }
        MUST(torc_name_match("*", name));
        free(escaped);
        free(name);
        free(glob);
}

/* ---- tags ------------------------------------------------------------------------------------------------ */

static void fuzz_tags(struct input *in)
{
        char *tags = take_string(in, TEXT_MAX), *other = take_string(in, TEXT_MAX);
        if (tags_check(tags) == 0) {
                MUST(strlen(tags) <= TORC_TAGS_MAX);
                MUST(tags_carry_all(tags, tags) && tags_carry_all(tags, ""));
                MUST(*tags == '\0' || !tags_carry_all("", tags));
        }
        (void)tags_carry_all(tags, other);
        free(other);
        /* A field of shared memory, full to its last byte. */
        char *field = malloc(TORC_TAGS_MAX + 1);
        MUST(field);
        memset(field, 'x', TORC_TAGS_MAX + 1);
        take_bytes(in, field, in->left < TORC_TAGS_MAX + 1 ? in->left : TORC_TAGS_MAX + 1);
        (void)tags_carry_all(field, tags);
        (void)tags_carry_all(tags, field);
        (void)tags_carry_all(field, field);
        free(field);
        free(tags);
}

/* ---- metadata -------------------------------------------------------------------------------------------- */

static void read_view(const struct torc_view *view)
{
        const char *block = view->meta, *key, *value;
        size_t key_len, value_len;
        (void)torc_meta_event_time(view);
        for (size_t i = 0; i < 300; i++) {
                if (torc_meta_property(view, i, &key, &key_len, &value, &value_len))
                        continue;
                MUST(i < 255 && key >= block && value == key + key_len);
                MUST((size_t)(value - block) + value_len <= view->meta_len);
                touch(key, key_len + value_len);
        }
}

static void fuzz_decode(struct input *in)
{
        size_t len, size;
        unsigned char *block = take_block(in, TORC_META_MAX + 64, &len);
        if (meta_block_size(block, len, &size) == 0) {
                MUST(size <= len && size % 8 == 0 && size <= TORC_META_MAX);
                read_view(&(struct torc_view){.meta = block, .meta_len = size});
        }
        /* A size from elsewhere, with the bytes as they are. */
        read_view(&(struct torc_view){.meta = block, .meta_len = len});
        free(block);
        read_view(&(struct torc_view){0});
}

static void check_decoded(const struct torc_meta *meta, const unsigned char *block, size_t size)
{
        struct torc_view view = {.meta = block, .meta_len = size};
        const char *key, *value;
        size_t key_len, value_len, again;
        MUST(meta_block_size(block, size, &again) == 0 && again == size);
        MUST(torc_meta_event_time(&view) == meta->event_time_ns);
        for (size_t i = 0; i < meta->n_properties; i++) {
                const struct torc_property *p = &meta->properties[i];
                MUST(torc_meta_property(&view, i, &key, &key_len, &value, &value_len) == 0);
                MUST(key_len == strlen(p->key) && !memcmp(key, p->key, key_len));
                MUST(value_len == strlen(p->value) && !memcmp(value, p->value, value_len));
        }
        MUST(torc_meta_property(&view, meta->n_properties, &key, &key_len, &value, &value_len) != 0);
}

static void fuzz_encode(struct input *in)
{
        struct torc_property property[260] = {0};
        struct torc_meta meta = {.properties = property, .event_time_ns = (int64_t)take64(in)};
        size_t n = take_below(in, 261), repeat = take8(in), size;
        char *text[8];
        for (size_t i = 0; i < 8; i++)
                text[i] = take_string(in, 5000);
        for (size_t i = 0; i < n; i++)
                property[i] = (struct torc_property){text[(i + repeat) % 8], text[(i * 3 + repeat) % 8]};
        meta.n_properties = n;
        int rc = meta_size(&meta, &size);
        MUST(rc == 0 || rc == TORC_EMETA);
        if (rc == 0 && size) {
                unsigned char *block = malloc(size);
                MUST(block && size <= TORC_META_MAX && size % 8 == 0);
                meta_encode(&meta, size, block);
                check_decoded(&meta, block, size);
                free(block);
        }
        for (size_t i = 0; i < 8; i++)
                free(text[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const all[])(struct input *) = {fuzz_id, fuzz_name, fuzz_glob, fuzz_tags, fuzz_decode, fuzz_encode};
        struct input in = {data, size};
        all[take_below(&in, sizeof all / sizeof *all)](&in);
        return 0;
}
