/*
 * read.c - see read.h.
 *
 * inih does the parsing. It keeps lines in a buffer of 200 bytes, section names and (for continuation lines) keys
 * in 50, and cuts what does not fit without a word; it also tells neither columns nor, in Debian's build, line
 * numbers. So it gets its lines from read_next() below, which looks at each line first:
 *
 *   - a line that inih would cut, or that has bytes no text should have, is refused and replaced by an empty one;
 *   - of the others it works out what inih must find, and where. read_take(), inih's handler, compares: a value
 *     that differs from what stands in the file is an error and is never used.
 *
 * That holds for an inih built with other limits too: the line's limit is the one inih itself asks for.
 *
 * A line with leading blanks after a key continues its value, as inih (and Python's configparser) defines it. Parts
 * are joined with one blank, or with none where a part ends with a backslash; that of the last part is an ordinary
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "read.h"

#include <ctype.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 49 /* inih's MAX_SECTION and MAX_NAME, without the NUL */

enum read_form { READ_NOTHING, READ_SECTION, READ_KEY, READ_MORE };

struct reader {
        struct conf_arena *arena;
        const struct conf_source *source;
        struct conf_report *report;
        const char *const *known_keys;
        unsigned line; /* the one inih works on, from 1 */

        struct conf_section **sections_end, *section; /* section: NULL before the first one */
        struct conf_entry **entries_end, *entry;      /* entry: what a continuation line would continue */
        bool skipping;                                /* continuation lines belong to a refused key */
        const char *header;                           /* the section as inih was told */

        enum read_form expect;               /* what the handler must be called with for this line, if at all */
        struct conf_place key, value, whole; /* whole: the value with its comment */
};

/* A piece of a line while it is looked at. */
struct span {
        size_t from, to;
};

static struct conf_place read_place(const struct reader *r, size_t from, size_t to)
{
        return (struct conf_place){.source = r->source, .line = r->line, .at = from, .len = to - from};
}

static struct span read_trim(const struct conf_line *l, size_t from, size_t to)
{
        while (from < to && isspace((unsigned char)l->s[from]))
                from++;
        while (to > from && isspace((unsigned char)l->s[to - 1]))
                to--;
        return (struct span){from, to};
}

/* The first of `chars`, or the ';' of a comment (one that follows a blank), or the end. As inih does it. */
static size_t read_until(const struct conf_line *l, size_t from, const char *chars)
{
        bool blank = false;

        for (size_t i = from; i < l->len; i++) {
                if (strchr(chars, l->s[i]) || (blank && l->s[i] == ';'))
                        return i;
                blank = isspace((unsigned char)l->s[i]);
        }
        return l->len;
}

static bool read_at(const struct conf_line *l, size_t at, const char *chars)
{
        return at < l->len && strchr(chars, l->s[at]);
}

static void read_start_section(struct reader *r, const char *kind)
{
        struct conf_section *s = conf_alloc(r->arena, 1, sizeof *s);

        s->kind = r->header = kind;
        s->name = "";
        *r->sections_end = s;
        r->sections_end = &s->next;
        r->section = s;
        r->entries_end = &s->entries;
        r->entry = NULL;
        r->skipping = false;
}

/* What is wrong with a section's header that ends at `end`; false when nothing is. */
static bool read_header_is_wrong(struct reader *r, const struct conf_line *l, size_t start, size_t end)
{
        struct span rest = read_trim(l, end < l->len ? end + 1 : end, l->len);
        size_t len = end - start - 1;

        if (!read_at(l, end, "]")) {
                conf_error(r->report, read_place(r, end, end), "the section's ']' is missing");
        } else if (rest.from < rest.to && !memchr(";#", l->s[rest.from], 2)) {
                conf_error(r->report, read_place(r, rest.from, rest.to), "nothing may follow a section's ']'");
        } else if (len > NAME_BYTES) {
                conf_error(r->report, read_place(r, start + 1 + NAME_BYTES, end),
                           "the section is %zu bytes long; the ini reader takes %d", len, NAME_BYTES);
                conf_hint(r->report, "%s",
                          strcmp(r->header, "stream") == 0
                                  ? "choose a short name here and give the stream's own in the section "
                                    "with `name = ...`"
                                  : "choose a shorter name");
        } else {
                return false;
        }
        return true;
}

/*
 * "[kind]" or "[kind name]". Returns the text inih is to parse, NULL for the line as it is. What cannot be used
 * still begins a section, so that its keys are checked and do not fall to the one before.
 */
static const char *read_section(struct reader *r, const struct conf_line *l, size_t start)
{
        size_t end = read_until(l, start + 1, "]");
        struct span all = read_trim(l, start + 1, end), kind = {all.from, all.from}, name;

        while (kind.to < all.to && !isspace((unsigned char)l->s[kind.to]))
                kind.to++;
        name = read_trim(l, kind.to, all.to);
        read_start_section(r, conf_strndup(r->arena, l->s + kind.from, kind.to - kind.from));
        r->section->place = read_place(r, start, end < l->len ? end + 1 : l->len);
        r->section->kind_place = read_place(r, kind.from, kind.to);
        r->section->name_place = read_place(r, name.from, name.to);
        r->section->unnamed = read_header_is_wrong(r, l, start, end);
        if (r->section->unnamed)
                return conf_printf(r->arena, "[%s]", r->header);
        r->section->name = conf_strndup(r->arena, l->s + name.from, name.to - name.from);
        r->header = conf_strndup(r->arena, l->s + start + 1, end - start - 1);
        return NULL;
}

/* What to answer about a key line that cannot be used: inih gets an empty line. */
static const char *read_refuse(struct reader *r)
{
        r->entry = NULL;
        r->skipping = true;
        return "";
}

static const char *read_key(struct reader *r, const struct conf_line *l, size_t start)
{
        size_t sep = read_until(l, start, "=:");
        struct span key = read_trim(l, start, sep), value;

        if (!read_at(l, sep, "=:")) {
                conf_error(r->report, read_place(r, key.from, key.to),
                           "this is neither \"key = value\" nor \"[section]\"");
                return read_refuse(r);
        }
        if (key.from == key.to) {
                conf_error(r->report, read_place(r, sep, sep), "there is no key before the '%c'", l->s[sep]);
                return read_refuse(r);
        }
        if (key.to - key.from > NAME_BYTES) {
                conf_error(r->report, read_place(r, key.from + NAME_BYTES, key.to),
                           "the key is %zu bytes long; the ini reader takes %d", key.to - key.from, NAME_BYTES);
                return read_refuse(r);
        }
        value = read_trim(l, sep + 1, read_until(l, sep + 1, ""));
        /* inih would take it for the value, a reader for a comment. */
        if (read_at(l, sep + 1, ";")) {
                conf_error(r->report, read_place(r, sep + 1, sep + 2), "a comment needs a blank before its ';'");
                conf_hint(r->report, "for a value that begins with ';' write ${;}");
                return read_refuse(r);
        }
        r->expect = READ_KEY;
        r->skipping = false;
        r->key = read_place(r, key.from, key.to);
        r->value = r->whole = read_place(r, value.from, value.to);
        return NULL;
}

static bool read_is_key(const struct reader *r, const char *word, size_t len)
{
        for (const char *const *k = r->known_keys; *k; k++) {
                size_t n = strlen(*k);

                if (memcmp(*k, word, n < len ? n : len) == 0 && (n == len || (n < len && (*k)[n - 1] == '.')))
                        return true;
        }
        return false;
}

/* An indented "known_key =" or "[section]" is meant as one, but inih would add it to the value before. */
static bool read_looks_astray(const struct reader *r, const struct conf_line *l, struct span text)
{
        size_t sep = read_until(l, text.from, "=:");
        struct span word = read_trim(l, text.from, sep);

        if (l->s[text.from] == '[' && text.to > text.from && l->s[text.to - 1] == ']')
                return true;
        return read_at(l, sep, "=") && read_is_key(r, l->s + word.from, word.to - word.from);
}

static const char *read_more(struct reader *r, const struct conf_line *l, size_t start)
{
        struct span whole = read_trim(l, start, l->len), value = read_trim(l, start, read_until(l, start, ""));

        if (r->skipping)
                return "";
        if (read_looks_astray(r, l, value)) {
                conf_error(r->report, read_place(r, value.from, value.to),
                           "an indented line continues the value of \"%s\" above", r->entry->key);
                conf_hint(r->report, "if it is not part of that value, remove the blanks before it");
                return "";
        }
        r->expect = READ_MORE;
        r->value = read_place(r, value.from, value.to);
        r->whole = read_place(r, whole.from, whole.to);
        return NULL;
}

/* Length of the UTF-8 sequence at s, or 0. */
static size_t read_utf8(const unsigned char *s, size_t len)
{
        size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : 4;

        if (s[0] >= 0x80 && (s[0] < 0xC2 || s[0] > 0xF4))
                return 0;
        if (n > len || (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
            (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
                return 0;
        for (size_t i = 1; i < n; i++)
                if ((s[i] & 0xC0) != 0x80)
                        return 0;
        return n;
}

/* Is the line text? One error for its first bad byte. */
static bool read_is_text(struct reader *r, const struct conf_line *l)
{
        for (size_t i = 0, n; i < l->len; i += n) {
                unsigned char c = (unsigned char)l->s[i];

                n = read_utf8((const unsigned char *)l->s + i, l->len - i);
                if (n == 0) {
                        conf_error(r->report, read_place(r, i, i + 1), "byte 0x%02x is not UTF-8", c);
                        return false;
                }
                if (c == 0x7F || (c < ' ' && c != '\t')) {
                        conf_error(r->report, read_place(r, i, i + 1), "control character 0x%02x", c);
                        return false;
                }
        }
        return true;
}

/* A line that inih's buffer would cut: `max` is how many bytes of one fit with its newline. */
static bool read_fits(struct reader *r, const struct conf_line *l, size_t max, bool comment)
{
        if (l->len + 1 <= max)
                return true;
        if (!comment) {
                conf_error(r->report, read_place(r, max - 1, l->len),
                           "the line is %zu bytes long; the ini reader takes %zu", l->len, max - 1);
                conf_hint(r->report,
                          "split it: a line that begins with a blank continues the value above it, after a "
                          "backslash without a blank between");
        }
        return false;
}

/* Look at the reader's line; returns what inih is to read instead, or NULL for the line itself. */
static const char *read_look(struct reader *r, const struct conf_line *l, size_t max)
{
        size_t start = read_trim(l, 0, l->len).from;
        bool comment = read_at(l, start, ";#"), text;

        r->expect = READ_NOTHING;
        text = read_is_text(r, l);
        if (!text || !read_fits(r, l, max, comment)) {
                /* A refused header still ends the section before it, a refused key's continuation goes with it. */
                if (comment || start == l->len)
                        return "";
                if (start == 0 && l->s[0] == '[') {
                        read_start_section(r, NULL);
                        return "[]";
                }
                return start == 0 ? read_refuse(r) : "";
        }
        if (comment || start == l->len)
                return NULL;
        if (start > 0 && (r->entry || r->skipping))
                return read_more(r, l, start);
        return l->s[start] == '[' ? read_section(r, l, start) : read_key(r, l, start);
}

/* inih's source of lines, with the contract of fgets(). */
static char *read_next(char *buf, int size, void *arg)
{
        struct reader *r = arg;
        const struct conf_line *l;
        const char *instead;
        size_t len;

        if (r->line >= r->source->n_lines)
                return NULL;
        l = &r->source->lines[r->line++];
        instead = read_look(r, l, (size_t)size - 1);
        len = instead ? strlen(instead) : l->len;
        memcpy(buf, instead ? instead : l->s, len);
        memcpy(buf + len, "\n", 2);
        return buf;
}

static bool read_same(const struct reader *r, const struct conf_place *place, const char *s)
{
        return strlen(s) == place->len &&
               memcmp(r->source->lines[place->line - 1].s + place->at, s, place->len) == 0;
}

static void read_append(struct reader *r)
{
        struct conf_text *text = &r->entry->value;
        const char *s = r->source->lines[r->line - 1].s;
        struct conf_place gap = {.source = r->source, .line = r->value.line, .at = r->value.at};

        if (text->len > 0 && text->s[text->len - 1] == '\\')
                text->len--;
        else if (text->len > 0)
                conf_text_add(r->arena, text, " ", 1, gap, false);
        conf_text_add(r->arena, text, s + r->value.at, r->value.len, r->value, false);
        text->has_comment |= read_at(&r->source->lines[r->line - 1],
                                     read_until(&r->source->lines[r->line - 1], r->value.at, ""), ";");
}

/* inih's handler. Only what agrees with the file goes on. */
static int read_take(void *arg, const char *section, const char *key, const char *value)
{
        struct reader *r = arg;
        enum read_form expect = r->expect;
        bool same = strcmp(section, r->header ? r->header : "") == 0 &&
                    (read_same(r, &r->value, value) || read_same(r, &r->whole, value));

        r->expect = READ_NOTHING;
        same = same && (expect == READ_MORE ? strcmp(key, r->entry->key) == 0
                                            : expect == READ_KEY && read_same(r, &r->key, key));
        if (!same) {
                conf_error(r->report, read_place(r, 0, 0),
                           "the ini reader did not take this line as it is written");
                return 1;
        }
        if (expect == READ_KEY) {
                r->entry = conf_alloc(r->arena, 1, sizeof *r->entry);
                r->entry->key = conf_strdup(r->arena, key);
                r->entry->place = r->key;
                *r->entries_end = r->entry;
                r->entries_end = &r->entry->next;
        }
        read_append(r);
        return 1;
}

void conf_read(struct conf_document *document, struct conf_arena *arena, const struct conf_source *source,
               struct conf_report *report, const char *const *known_keys)
{
        struct reader r = {.arena = arena,
                           .source = source,
                           .report = report,
                           .known_keys = known_keys,
                           .sections_end = &document->sections,
                           .entries_end = &document->preamble};
        size_t errors = conf_report_count(report);
        int line;

        *document = (struct conf_document){0};
        line = ini_parse_stream(read_next, &r, read_take, &r);
        /* inih's own complaint, if we had none: it must not be lost, whatever it was. */
        if (line != 0 && conf_report_count(report) == errors)
                conf_error(report, (struct conf_place){.source = source, .line = line > 0 ? (unsigned)line : 0},
                           "the ini reader does not understand this line");
}
