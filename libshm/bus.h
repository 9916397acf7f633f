/*
 * bus.h - the bus handle and liveness of its peers.
 */
#ifndef TORC_BUS_H
#define TORC_BUS_H

#include "abi.h"
#include "handle.h"
#include "torc.h"

#include <limits.h>
#include <stdbool.h>

enum { BUS_FD_LOCK = 0, BUS_FD_PROBE = 1, BUS_FD_DIR = 2 }; /* indices into handle.fd */

struct torc_bus {
        struct handle handle;
        struct abi_bus *map;
        uint32_t slot; /* our peer */
        uint64_t gen;
        uint32_t next_name; /* for made-up producer names */
        char peer_name[TORC_LABEL_MAX + 1];
        char path[PATH_MAX];
};

static inline int bus_dirfd(const struct torc_bus *bus)
{
        return bus->handle.fd[BUS_FD_DIR];
}

bool bus_peer_alive(const struct torc_bus *bus, uint64_t slot, uint64_t gen);
struct abi_peer *bus_peer(const struct torc_bus *bus, uint64_t slot, uint64_t gen);
int bus_check_root(const char *path);
int bus_free_dead_peer(struct torc_bus *bus, uint32_t slot, uint64_t gen);

/* Check the first page of a file: what kind, which version. Returns 0, TORC_EVERSION or TORC_ECORRUPT. */
int bus_check_head(int fd, uint64_t magic, uint64_t header_bytes, uint64_t *file_bytes);

#endif
