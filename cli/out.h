/*
 * out.h - output that is gathered in memory and written when its author says so; and text in JSON.
 *
 * stdio is not enough here: `torc sub` may have to take its last message back (it was overwritten while it was
 * printed), so nothing may be written before it is known to be whole.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct out {
        char *data;
        size_t len, cap;
        int fd;
};

void out_put(struct out *out, const void *data, size_t len);
void out_text(struct out *out, const char *text);
void out_char(struct out *out, char c);
void out_printf(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* out_safe - text of others for people: control characters and bytes that are not UTF-8 become \xHH. */
void out_safe(struct out *out, const char *text, size_t len);

/* out_json - a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD. */
void out_json(struct out *out, const void *text, size_t len);
void out_json_text(struct out *out, const char *text);
/* out_key - a member's name in a JSON object, with the comma before it unless it is the first. out_next: that comma
 * alone, before an element of an array. The other two are a whole member. */
void out_next(struct out *out);
void out_key(struct out *out, const char *key);
void out_member_text(struct out *out, const char *key, const char *value);
void out_member_number(struct out *out, const char *key, int64_t value);
void out_member_count(struct out *out, const char *key, uint64_t value);
void out_member_bool(struct out *out, const char *key, bool value);
/* out_base64 - RFC 4648 with padding, without quotes. */
void out_base64(struct out *out, const void *data, size_t len);

/* out_flush - write everything. `interrupted` (or NULL) is asked when a signal interrupts the write: true gives up.
 * Returns 0, -EINTR or -errno; -EPIPE: nobody reads any more. What was not written is dropped. */
int out_flush(struct out *out, bool (*interrupted)(void));

void out_free(struct out *out);

/* utf8_length - bytes of the character at s, which has len > 0 bytes; 0 when it is not UTF-8. */
size_t utf8_length(const unsigned char *s, size_t len);
bool utf8_valid(const void *text, size_t len);

#endif
