/*
 * guard_map.c - mmap() and munmap() for a fuzzer (linked with --wrap): an untouchable page before and behind every map,
 * so that a read outside the map is a fault and not somebody else's bytes. Counts the maps that are open.
 *
 * SPDX-License-Identifier: MIT
 */
#include "guard_map.h"

#include <stddef.h>
#include <sys/mman.h>

#define GUARD 4096u

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *addr, size_t len);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset);
int __wrap_munmap(void *addr, size_t len);

static long guard_open;

long guard_maps(void)
{
        return guard_open;
}

static size_t guard_round(size_t len)
{
        return (len + GUARD - 1) & ~(size_t)(GUARD - 1);
}

/* Nobody here asks for an address of his own. */
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
        size_t whole = guard_round(len) + 2 * GUARD;
        if (whole < len)
                return __real_mmap(addr, len, prot, flags, fd, offset); /* which says that it can't be */
        char *area = __real_mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED)
                return area;
        void *map = __real_mmap(area + GUARD, len, prot, flags | MAP_FIXED, fd, offset);
        if (map == MAP_FAILED)
                __real_munmap(area, whole);
        else
                guard_open++;
        return map;
}

int __wrap_munmap(void *addr, size_t len)
{
        guard_open--;
        return __real_munmap((char *)addr - GUARD, guard_round(len) + 2 * GUARD);
}
