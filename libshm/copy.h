/*
 * copy.h - copying payloads: a few lines for the sizes that messages mostly have, the C library for the others.
 *
 * A call of memcpy() takes longer than to copy what fits one cache line. Here two or four moves of 16 bytes, which may overlap,
 * copy 16 to 64 bytes; never a byte beyond either end.
 */
#ifndef TORC_COPY_H
#define TORC_COPY_H

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static inline void copy_16(unsigned char *to, const unsigned char *from, size_t at)
{
        memcpy(to + at, from + at, 16);
}

/* Into the ring. */
static inline void copy_in(void *to, const void *from, size_t n)
{
        if (__builtin_expect(n - 16 <= 48, 1)) { /* 16 to 64 */
                if (n > 32) {
                        copy_16(to, from, 16);
                        copy_16(to, from, n - 32);
                }
                copy_16(to, from, 0);
                copy_16(to, from, n - 16);
        } else if (n) {
                memcpy(to, from, n);
        }
}

/*
 * Out of the ring: bytes that a producer may be overwriting, the one place where that race is by design. What was read is used
 * only after the reader has confirmed that it was whole. Under ThreadSanitizer byte by byte through atomics, so that the
 * copy is defined there.
 */
static inline void copy_out(void *to, const void *from, size_t n)
{
#if defined(__SANITIZE_THREAD__)
        const _Atomic unsigned char *src = from;
        for (size_t i = 0; i < n; i++)
                ((unsigned char *)to)[i] = atomic_load_explicit(&src[i], memory_order_relaxed);
#else
        copy_in(to, from, n);
#endif
}

#endif
