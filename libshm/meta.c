/*
 * meta.c - encode and decode the metadata block (its picture is in meta.h).
 *
 * Invariants: the encoder writes exactly `size` bytes, whatever the caller's strings do meanwhile. The decoder
 * stays inside [meta, meta + meta_len), whatever the bytes there say and however they change under it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "meta.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define META_PROPERTIES_MAX 255u
#define META_LENGTHS_BYTES  4u /* key_len, value_len */

/* ---- encoding -------------------------------------------------------------------------------------------- */

int meta_size(const struct torc_meta *meta, size_t *size)
{
        size_t bytes = META_HEADER_BYTES;

        if (!meta || (meta->n_properties == 0 && meta->event_time_ns == 0)) {
                *size = 0;
                return 0;
        }
        if (meta->n_properties > META_PROPERTIES_MAX || (meta->n_properties > 0 && !meta->properties))
                return TORC_EMETA;
        if (meta->event_time_ns != 0)
                bytes += sizeof(int64_t);
        for (size_t i = 0; i < meta->n_properties; i++) {
                const struct torc_property *p = &meta->properties[i];

                if (!p->key || !p->value)
                        return TORC_EMETA;
                bytes += META_LENGTHS_BYTES + strnlen(p->key, TORC_META_MAX) + strnlen(p->value, TORC_META_MAX);
                if (bytes > TORC_META_MAX)
                        return TORC_EMETA;
        }
        *size = (bytes + 7) & ~(size_t)7; /* TORC_META_MAX is a multiple of 8: no second check */
        return 0;
}

/* Appends one property; false when it does not fit, which only strings that grew since meta_size() can cause. */
static bool meta_put(unsigned char *block, size_t size, size_t *at, const struct torc_property *p)
{
        size_t key_len = strnlen(p->key, TORC_META_MAX), value_len = strnlen(p->value, TORC_META_MAX);
        uint16_t lengths[2] = {(uint16_t)key_len, (uint16_t)value_len};

        if (size - *at < META_LENGTHS_BYTES || size - *at - META_LENGTHS_BYTES < key_len + value_len)
                return false;
        memcpy(block + *at, lengths, sizeof(lengths));
        memcpy(block + *at + META_LENGTHS_BYTES, p->key, key_len);
        memcpy(block + *at + META_LENGTHS_BYTES + key_len, p->value, value_len);
        *at += META_LENGTHS_BYTES + key_len + value_len;
        return true;
}

void meta_encode(const struct torc_meta *meta, size_t size, unsigned char *block)
{
        uint32_t bytes = (uint32_t)size;
        size_t at = META_HEADER_BYTES;
        unsigned char written = 0;

        if (size == 0)
                return;
        memset(block, 0, META_HEADER_BYTES);
        memcpy(block, &bytes, sizeof(bytes));
        if (meta->event_time_ns != 0) {
                block[5] = META_FLAG_TIME;
                memcpy(block + at, &meta->event_time_ns, sizeof(int64_t));
                at += sizeof(int64_t);
        }
        while (written < meta->n_properties && meta_put(block, size, &at, &meta->properties[written]))
                written++;
        block[4] = written;
        memset(block + at, 0, size - at);
}

/* ---- decoding -------------------------------------------------------------------------------------------- */

/*
 * Byte-wise atomic loads: the compiler may then neither read a second time nor assume that the bytes hold still.
 * Relaxed: whether they were whole is decided afterwards, by torc_consumer_release().
 */
static unsigned meta_load8(const unsigned char *p)
{
        return atomic_load_explicit((const _Atomic unsigned char *)p, memory_order_relaxed);
}

static void meta_load(void *to, const unsigned char *p, size_t n)
{
        unsigned char copy[8];

        for (size_t i = 0; i < n; i++)
                copy[i] = (unsigned char)meta_load8(p + i);
        memcpy(to, copy, n);
}

int meta_block_size(const unsigned char *p, size_t available, size_t *size)
{
        uint32_t bytes;

        if (available < META_HEADER_BYTES)
                return TORC_ECORRUPT;
        meta_load(&bytes, p, sizeof(bytes));
        if (bytes < META_HEADER_BYTES || bytes % 8 != 0 || bytes > TORC_META_MAX || bytes > available)
                return TORC_ECORRUPT;
        *size = bytes;
        return 0;
}

/* Finds where the properties begin, and how many there are said to be. */
static int meta_open(const struct torc_view *view, size_t *at, unsigned *n_properties, int64_t *event_time)
{
        const unsigned char *block = view->meta;
        unsigned flags;

        if (view->meta_len < META_HEADER_BYTES)
                return TORC_ECORRUPT;
        *n_properties = meta_load8(block + 4);
        flags = meta_load8(block + 5);
        *at = META_HEADER_BYTES;
        *event_time = 0;
        if (flags & META_FLAG_TIME) {
                if (view->meta_len - *at < sizeof(int64_t))
                        return TORC_ECORRUPT;
                meta_load(event_time, block + *at, sizeof(int64_t));
                *at += sizeof(int64_t);
        }
        return 0;
}

int64_t torc_meta_event_time(const struct torc_view *view)
{
        unsigned n_properties;
        int64_t event_time;
        size_t at;

        if (!view->meta || meta_open(view, &at, &n_properties, &event_time) != 0)
                return 0;
        return event_time;
}

int torc_meta_property(const struct torc_view *view, size_t i, const char **key, size_t *key_len,
                       const char **value, size_t *value_len)
{
        const unsigned char *block = view->meta;
        unsigned n_properties;
        int64_t event_time;
        size_t at;

        if (!block)
                return -ENOENT;
        if (meta_open(view, &at, &n_properties, &event_time) != 0)
                return TORC_ECORRUPT;
        if (i >= n_properties)
                return -ENOENT;
        for (;; i--) {
                uint16_t lengths[2];
                size_t left = view->meta_len - at;

                if (left < META_LENGTHS_BYTES)
                        return TORC_ECORRUPT;
                meta_load(lengths, block + at, sizeof(lengths));
                at += META_LENGTHS_BYTES;
                left -= META_LENGTHS_BYTES;
                if (lengths[0] > left || lengths[1] > left - lengths[0])
                        return TORC_ECORRUPT;
                if (i == 0) {
                        *key = (const char *)block + at;
                        *key_len = lengths[0];
                        *value = *key + lengths[0];
                        *value_len = lengths[1];
                        return 0;
                }
                at += (size_t)lengths[0] + lengths[1];
        }
}
