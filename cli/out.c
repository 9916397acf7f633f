/*
 * out.c - gathered output, and text in JSON. Running out of memory ends the program: a command can do nothing
 * better.
 *
 * SPDX-License-Identifier: MIT
 */
#include "out.h"

#include "cli.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- UTF-8 ----------------------------------------------------------------------------------------------- */

size_t utf8_length(const unsigned char *s, size_t len)
{
        /* The second byte's range says it all about overlong forms, surrogates and the end of Unicode. */
        unsigned char low = 0x80, high = 0xbf;
        size_t n;

        if (s[0] < 0x80)
                return 1;
        if (s[0] < 0xc2 || s[0] > 0xf4)
                return 0;
        n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
        if (s[0] == 0xe0)
                low = 0xa0;
        else if (s[0] == 0xed)
                high = 0x9f;
        else if (s[0] == 0xf0)
                low = 0x90;
        else if (s[0] == 0xf4)
                high = 0x8f;
        if (n > len || s[1] < low || s[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

bool utf8_valid(const void *text, size_t len)
{
        const unsigned char *s = text;

        while (len > 0) {
                size_t n = utf8_length(s, len);

                if (n == 0)
                        return false;
                s += n;
                len -= n;
        }
        return true;
}

/* ---- gathering ------------------------------------------------------------------------------------------- */

static void out_room(struct out *out, size_t more)
{
        size_t cap = out->cap ? out->cap : 4096;

        if (more <= out->cap - out->len)
                return;
        if (more > SIZE_MAX / 4 - out->len)
                errx(CLI_FAILURE, "out of memory");
        while (cap - out->len < more)
                cap *= 2;
        out->data = realloc(out->data, cap);
        if (!out->data)
                err(CLI_FAILURE, "out of memory");
        out->cap = cap;
}

void out_put(struct out *out, const void *data, size_t len)
{
        if (len == 0)
                return;
        out_room(out, len);
        memcpy(out->data + out->len, data, len);
        out->len += len;
}

void out_text(struct out *out, const char *text)
{
        out_put(out, text, strlen(text));
}

void out_char(struct out *out, char c)
{
        out_put(out, &c, 1);
}

void out_printf(struct out *out, const char *format, ...)
{
        va_list arguments;
        int n;

        out_room(out, 256);
        va_start(arguments, format);
        n = vsnprintf(out->data + out->len, out->cap - out->len, format, arguments);
        va_end(arguments);
        if (n < 0)
                return;
        if ((size_t)n >= out->cap - out->len) {
                out_room(out, (size_t)n + 1);
                va_start(arguments, format);
                vsnprintf(out->data + out->len, out->cap - out->len, format, arguments);
                va_end(arguments);
        }
        out->len += (size_t)n;
}

void out_safe(struct out *out, const char *text, size_t len)
{
        const unsigned char *s = (const unsigned char *)text, *end = s + len;

        while (s < end) {
                size_t n = utf8_length(s, (size_t)(end - s));
                bool control = *s < 0x20 || *s == 0x7f || (n == 2 && s[0] == 0xc2 && s[1] < 0xa0);

                if (n == 0 || control) {
                        out_printf(out, "\\x%02x", *s);
                        n = 1;
                        if (control && *s == 0xc2) {
                                out_printf(out, "\\x%02x", s[1]);
                                n = 2;
                        }
                } else {
                        out_put(out, s, n);
                }
                s += n;
        }
}

const char *cli_safe(const char *text)
{
        static struct out results[4];
        static unsigned turn;
        struct out *result = &results[turn++ % 4];

        result->len = 0;
        out_safe(result, text, strlen(text));
        out_char(result, '\0');
        return result->data;
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static void json_escape(struct out *out, unsigned char c)
{
        static const char short_form[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

        if (c == '"' || c == '\\')
                out_printf(out, "\\%c", c);
        else if (c < sizeof(short_form) && short_form[c])
                out_printf(out, "\\%c", short_form[c]);
        else
                out_printf(out, "\\u%04x", c);
}

void out_json(struct out *out, const void *text, size_t len)
{
        const unsigned char *s = text, *end = s + len, *plain = s;

        out_char(out, '"');
        while (s < end) {
                size_t n = utf8_length(s, (size_t)(end - s));

                if (n > 1 || (n == 1 && *s >= 0x20 && *s != '"' && *s != '\\' && *s != 0x7f)) {
                        s += n;
                        continue;
                }
                out_put(out, plain, (size_t)(s - plain));
                if (n == 0)
                        out_text(out, "\\ufffd");
                else
                        json_escape(out, *s);
                plain = ++s;
        }
        out_put(out, plain, (size_t)(end - plain));
        out_char(out, '"');
}

void out_json_text(struct out *out, const char *text)
{
        out_json(out, text, strlen(text));
}

void out_next(struct out *out)
{
        char last = out->len > 0 ? out->data[out->len - 1] : '[';

        if (last != '{' && last != '[')
                out_char(out, ',');
}

void out_key(struct out *out, const char *key)
{
        out_next(out);
        out_json_text(out, key);
        out_char(out, ':');
}

void out_member_text(struct out *out, const char *key, const char *value)
{
        out_key(out, key);
        out_json_text(out, value);
}

void out_member_number(struct out *out, const char *key, int64_t value)
{
        out_key(out, key);
        out_printf(out, "%lld", (long long)value);
}

void out_member_count(struct out *out, const char *key, uint64_t value)
{
        out_key(out, key);
        out_printf(out, "%llu", (unsigned long long)value);
}

void out_member_bool(struct out *out, const char *key, bool value)
{
        out_key(out, key);
        out_text(out, value ? "true" : "false");
}

void out_base64(struct out *out, const void *data, size_t len)
{
        static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const unsigned char *s = data;

        for (size_t i = 0; i < len; i += 3) {
                size_t n = len - i < 3 ? len - i : 3;
                uint32_t v = (uint32_t)s[i] << 16 | (n > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (n > 2 ? s[i + 2] : 0);
                char four[4] = {digit[v >> 18], digit[v >> 12 & 63], n > 1 ? digit[v >> 6 & 63] : '=',
                                n > 2 ? digit[v & 63] : '='};

                out_put(out, four, 4);
        }
}

/* ---- writing --------------------------------------------------------------------------------------------- */

int out_flush(struct out *out, bool (*interrupted)(void))
{
        size_t at = 0;
        int result = 0;

        while (at < out->len && result == 0) {
                ssize_t n = write(out->fd, out->data + at, out->len - at);

                if (n >= 0) {
                        at += (size_t)n;
                } else if (errno == EAGAIN) { /* somebody made our output non-blocking */
                        struct pollfd p = {.fd = out->fd, .events = POLLOUT};

                        (void)poll(&p, 1, -1); /* an interrupted poll shows in the next write, or is asked below */
                        if (interrupted && interrupted())
                                result = -EINTR;
                } else if (errno == EINTR) {
                        if (interrupted && interrupted())
                                result = -EINTR;
                } else {
                        result = -errno;
                }
        }
        out->len = 0;
        return result;
}

void out_free(struct out *out)
{
        free(out->data);
        *out = (struct out){.fd = out->fd};
}
