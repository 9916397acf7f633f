/*
 * fuzz.h - what the fuzzers share: taking values off the input, and stating what must hold.
 *
 * An input is a stream of decisions. One that ends early goes on with zeroes, so that every prefix of an input is an
 * input too, and libFuzzer can make them short.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_FUZZ_H
#define TORC_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What must hold whatever the bytes are: our own bug otherwise. libFuzzer keeps the input of whoever aborts. */
#define MUST(x)                                                                                                  \
        do {                                                                                                     \
                if (!(x)) {                                                                                      \
                        fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x);                   \
                        abort();                                                                                 \
                }                                                                                                \
        } while (0)

struct input {
        const uint8_t *at;
        size_t left;
};

static inline void take_bytes(struct input *in, void *to, size_t n)
{
        size_t have = n < in->left ? n : in->left;
        memset(to, 0, n);
        if (have)
                memcpy(to, in->at, have);
        in->at += have;
        in->left -= have;
}

static inline uint8_t take8(struct input *in)
{
        uint8_t v;
        take_bytes(in, &v, sizeof v);
        return v;
}

static inline uint16_t take16(struct input *in)
{
        uint16_t v;
        take_bytes(in, &v, sizeof v);
        return v;
}

static inline uint64_t take64(struct input *in)
{
        uint64_t v;
        take_bytes(in, &v, sizeof v);
        return v;
}

/* From 0 to n - 1; n > 0. */
static inline size_t take_below(struct input *in, size_t n)
{
        return (n <= 256 ? take8(in) : n <= 65536 ? take16(in) : take64(in)) % n;
}

/* A word that may be in the place of `near`: beside it, of some special shape, or anything. */
static inline uint64_t take_word(struct input *in, uint64_t near)
{
        static const uint64_t special[] = {0, 1, 8, 15, 16, 255, 4096, UINT32_MAX, 1ull << 32, 1ull << 40,
                                           (1ull << 62) + 16, (1ull << 63) - 16, 1ull << 63, INT64_MAX,
                                           UINT64_MAX, UINT64_MAX - 15};
        uint8_t kind = take8(in);
        switch (kind >> 5) {
        case 0:
                return near + (kind & 31) * 16ull;
        case 1:
                return near - (kind & 31) * 16ull;
        case 2:
                return near + (kind & 31) - 16;
        case 3:
                return special[kind % (sizeof special / sizeof *special)];
        case 4:
                return kind & 31;
        case 5:
                return take16(in);
        case 6:
                return near ^ 1ull << (2 * (kind & 31));
        default:
                return take64(in);
        }
}

/* The rest of the input, or up to n bytes of it, in a block of exactly its size: a byte too far is seen. */
static inline void *take_block(struct input *in, size_t most, size_t *len)
{
        *len = in->left < most ? in->left : most;
        void *block = malloc(*len ? *len : 1);
        MUST(block);
        take_bytes(in, block, *len);
        return block;
}

/* Likewise as a string: it ends at the first NUL, or where the input ends. */
static inline char *take_string(struct input *in, size_t most)
{
        size_t n = in->left < most ? in->left : most;
        const uint8_t *nul = n ? memchr(in->at, 0, n) : NULL;
        size_t len = nul ? (size_t)(nul - in->at) : n;
        char *text = malloc(len + 1);
        MUST(text);
        take_bytes(in, text, len);
        text[len] = '\0';
        if (nul)
                (void)take8(in);
        return text;
}

/* Read every byte, for the sanitizer's eyes. */
static inline void touch(const void *bytes, size_t n)
{
        static volatile uint8_t sink;
        uint8_t sum = 0;
        for (size_t i = 0; i < n; i++)
                sum = (uint8_t)(sum + ((const volatile uint8_t *)bytes)[i]);
        sink = sum;
        (void)sink;
}

#endif
