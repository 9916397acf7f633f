/*
 * bus.c - attaching to a bus: its directory, its table of peers, and the proof of life.
 *
 * A peer holds the OFD lock on the byte of its slot from attach to death. Whoever wants to know whether {slot,
 * generation} lives looks at the generation and then at the lock, and believes nothing else: no time-out, no pid.
 *
 * Invariants
 *   B1  the lock of a slot is taken before its generation is raised and its word says ATTACHED: a word with
 *       generation g and a free lock means that peer g is dead (or has detached).
 *   B2  generations of a slot only rise, so that a reference {slot, g} never means another peer.
 *   B3  the description that holds the lock is never mapped and never inherited (file.c, handle.c).
 */
#include "bus.h"

#include "fault.h"
#include "file.h"
#include "name.h"
#include "torc_admin.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUS_LOCK_NS 5000000000 /* attaching waits this long for another's attach */

/* ---- liveness -------------------------------------------------------------------------------------------- */

/* The slot's record if it is still the given peer's, else NULL. */
struct abi_peer *bus_peer(const struct torc_bus *bus, uint64_t slot, uint64_t gen)
{
        if (slot >= ABI_PEERS)
                return NULL;
        struct abi_peer *peer = &bus->map->peer[slot];
        /* [peer.r] acquire, pairs with [peer.w]: the record's fields belong to this generation. */
        uint64_t word = atomic_load_explicit(&peer->word, memory_order_acquire);
        return ABI_WORD_GEN(word) == gen && ABI_WORD_STATE(word) == ABI_PEER_ATTACHED ? peer : NULL;
}

/* Is this peer alive? False is proof of death or of a clean detach. */
bool bus_peer_alive(const struct torc_bus *bus, uint64_t slot, uint64_t gen)
{
        if (!bus_peer(bus, slot, gen))
                return false;
        bool held = true;
        if (file_lock_held(bus->handle.fd[BUS_FD_PROBE], ABI_LOCK_PEER + (int64_t)slot, &held))
                return true; /* no answer is no proof */
        return held;
}

/* ---- directory and file ---------------------------------------------------------------------------------- */

int bus_check_head(int fd, uint64_t magic, uint64_t header_bytes, uint64_t *file_bytes)
{
        struct abi_head head;
        uint64_t size;
        int rc = file_size(fd, &size);
        if (rc)
                return rc == -EINVAL ? TORC_ECORRUPT : rc;
        if (size < sizeof head || pread(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
                return TORC_ECORRUPT;
        if (atomic_load_explicit(&head.magic, memory_order_relaxed) != magic) /* relaxed: a private copy */
                return TORC_ECORRUPT;
        if (head.version != ABI_VERSION)
                return TORC_EVERSION;
        if (head.header_bytes != header_bytes || head.file_bytes != size || head.features)
                return TORC_ECORRUPT;
        *file_bytes = size;
        return 0;
}

/* A root that nobody named lies in a place where anybody may make directories: it must be ours. Returns 0, -EPERM,
 * -ENOTDIR, -ENOENT. */
int bus_check_root(const char *path)
{
        struct stat st;
        if (lstat(path, &st))
                return -errno;
        if (!S_ISDIR(st.st_mode))
                return -ENOTDIR;
        return st.st_uid == geteuid() && !(st.st_mode & 002) ? 0 : -EPERM;
}

/* The root is its maker's alone, whoever may use the bus in it: who could write there could put another in its place. */
static int bus_make_dirs(const char *root, bool named, const char *path, unsigned flags, mode_t mode)
{
        bool make = !(flags & TORC_BUS_NO_CREATE);
        int rc = make ? file_make_dirs(root, 0755) : 0;
        if (rc == 0 && !named)
                rc = bus_check_root(root);
        return rc || !make ? rc : file_make_dirs(path, file_dir_mode(mode));
}

static int bus_make_file(int dirfd, mode_t mode)
{
        struct file_perm perm = {.mode = mode, .uid = -1, .gid = -1};
        int fd = file_make_nameless(dirfd, sizeof(struct abi_bus), &perm);
        if (fd < 0)
                return fd;
        void *map;
        int rc = file_map(fd, sizeof(struct abi_bus), true, false, &map);
        if (rc)
                goto out;
        struct abi_bus *bus = map; /* no FAULT here: nobody sees the file yet */
        rc = file_random(&bus->head.id);
        bus->head.version = ABI_VERSION;
        bus->head.header_bytes = offsetof(struct abi_bus, peer);
        bus->head.file_bytes = sizeof *bus;
        bus->head.created_ns = wait_wall_ns();
        bus->peers = ABI_PEERS;
        bus->mode = mode;
        /* [magic.w] release, pairs with [magic.r]. */
        atomic_store_explicit(&bus->head.magic, ABI_MAGIC_BUS, memory_order_release);
        file_unmap(map, sizeof *bus);
        if (rc == 0)
                rc = file_link(fd, dirfd, "bus");
out:
        close(fd);
        return rc == -EEXIST ? 0 : rc; /* another was first: its bus is as good */
}

static int bus_open_lock(struct torc_bus *bus)
{
        handle_hold_forks();
        int fd = bus->handle.fd[BUS_FD_LOCK] = file_open(bus_dirfd(bus), "bus", true);
        handle_let_forks();
        return fd;
}

/* Open the directory and the three descriptions of the bus file, making what is missing. */
static int bus_open_files(struct torc_bus *bus, const char *root, bool named, const char *path, unsigned flags,
                          mode_t mode)
{
        struct handle *h = &bus->handle;
        int rc = bus_make_dirs(root, named, path, flags, mode);
        if (rc)
                return rc;
        h->fd[BUS_FD_DIR] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->fd[BUS_FD_DIR] < 0)
                return -errno;
        if (bus_open_lock(bus) == -ENOENT && !(flags & TORC_BUS_NO_CREATE)) {
                rc = bus_make_file(bus_dirfd(bus), mode);
                if (rc)
                        return rc;
                bus_open_lock(bus);
        }
        if (h->fd[BUS_FD_LOCK] < 0)
                return h->fd[BUS_FD_LOCK];
        h->fd[BUS_FD_PROBE] = file_open(bus_dirfd(bus), "bus", false);
        return h->fd[BUS_FD_PROBE] < 0 ? h->fd[BUS_FD_PROBE] : 0;
}

static int bus_map(struct torc_bus *bus)
{
        uint64_t size;
        int rc = bus_check_head(bus->handle.fd[BUS_FD_PROBE], ABI_MAGIC_BUS, offsetof(struct abi_bus, peer), &size);
        if (rc)
                return rc;
        if (size != sizeof(struct abi_bus))
                return TORC_ECORRUPT;
        int fd = file_open(bus_dirfd(bus), "bus", true); /* B3: a description of its own for the map */
        if (fd < 0)
                return fd;
        void *map;
        rc = file_map(fd, size, true, false, &map);
        close(fd);
        if (rc)
                return rc;
        bus->map = map;
        return bus->map->peers == ABI_PEERS ? 0 : TORC_ECORRUPT;
}

/* ---- peers ----------------------------------------------------------------------------------------------- */

static uint64_t bus_start_ticks(void)
{
        char text[1024];
        int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        ssize_t n = read(fd, text, sizeof text - 1);
        close(fd);
        if (n <= 0)
                return 0;
        text[n] = '\0';
        char *p = strrchr(text, ')'); /* the name before it may hold anything */
        for (int field = 2; p && field < 22; field++)
                p = strchr(p + 1, ' ');
        return p ? strtoull(p, NULL, 10) : 0;
}

/* Take the first slot whose lock is free and whose state is FREE; second choice, one whose peer is dead. Under the
 * bus lock. */
static int bus_take_slot(struct torc_bus *bus)
{
        struct abi_bus *map = bus->map;
        uint32_t top = atomic_load_explicit(&map->peer_top, memory_order_relaxed);
        for (int dead_too = 0; dead_too < 2; dead_too++) {
                for (uint32_t i = 0; i < ABI_PEERS; i++) {
                        uint64_t word = atomic_load_explicit(&map->peer[i].word, memory_order_relaxed);
                        if (ABI_WORD_STATE(word) != ABI_PEER_FREE && !dead_too)
                                continue;
                        if (file_try_lock(bus->handle.fd[BUS_FD_LOCK], ABI_LOCK_PEER + i))
                                continue;
                        bus->slot = i;
                        bus->gen = ABI_WORD_GEN(word) + 1;
                        /* A dead peer's slot: now that we hold its lock it must not look alive, with our pid. [peer.w]
                         * release, pairs with [peer.r]. */
                        atomic_store_explicit(&map->peer[i].word, ABI_WORD(ABI_WORD_GEN(word), ABI_PEER_FREE),
                                              memory_order_release);
                        FAULT(bus_take_slot_word);
                        /* [copy.w] release fence, pairs with [copy.r]: no part of the new record without this word. */
                        atomic_thread_fence(memory_order_release);
                        if (i >= top) {
                                atomic_store_explicit(&map->peer_top, i + 1, memory_order_relaxed);
                                FAULT(bus_take_slot_top);
                        }
                        return 0;
                }
        }
        return TORC_ENOCAPACITY;
}

static int bus_attach(struct torc_bus *bus, const char *tags)
{
        int fd = bus->handle.fd[BUS_FD_LOCK];
        int rc = file_lock(fd, ABI_LOCK_TABLE, wait_mono_ns() + BUS_LOCK_NS);
        if (rc)
                return rc;
        rc = bus_take_slot(bus);
        if (rc == 0) {
                struct abi_peer *peer = &bus->map->peer[bus->slot];
                atomic_store_explicit(&peer->pid, (uint32_t)getpid(), memory_order_relaxed);
                FAULT(bus_attach_pid);
                atomic_store_explicit(&peer->uid, (uint32_t)geteuid(), memory_order_relaxed);
                FAULT(bus_attach_uid);
                atomic_store_explicit(&peer->gid, (uint32_t)getegid(), memory_order_relaxed);
                FAULT(bus_attach_gid);
                atomic_store_explicit(&peer->start_ticks, bus_start_ticks(), memory_order_relaxed);
                FAULT(bus_attach_start_ticks);
                atomic_store_explicit(&peer->attached_ns, wait_wall_ns(), memory_order_relaxed);
                FAULT(bus_attach_attached_ns);
                snprintf(peer->name, sizeof peer->name, "%s", bus->peer_name);
                FAULT(bus_attach_name);
                snprintf(peer->tags, sizeof peer->tags, "%s", tags);
                FAULT(bus_attach_tags);
                /* [peer.w] release, pairs with [peer.r]: who sees this generation sees its record. */
                atomic_store_explicit(&peer->word, ABI_WORD(bus->gen, ABI_PEER_ATTACHED), memory_order_release);
                FAULT(bus_attach_word);
        }
        file_unlock(fd, ABI_LOCK_TABLE);
        return rc;
}

/* A peer whose traces in all streams have been cleaned up gives its slot back. Returns 0, or -EAGAIN: not dead. */
int bus_free_dead_peer(struct torc_bus *bus, uint32_t slot, uint64_t gen)
{
        if (bus_peer_alive(bus, slot, gen))
                return -EAGAIN;
        uint64_t word = ABI_WORD(gen, ABI_PEER_ATTACHED);
        /* By CAS: an attacher may have taken the slot over meanwhile, with the next generation. [peer.w] acq_rel, pairs
         * with [peer.r]: what cleaned up after it comes before the slot is free. */
        atomic_compare_exchange_strong_explicit(&bus->map->peer[slot].word, &word, ABI_WORD(gen, ABI_PEER_FREE),
                                                memory_order_acq_rel, memory_order_relaxed);
        FAULT(bus_free_dead_peer);
        return 0;
}

/* ---- open and close -------------------------------------------------------------------------------------- */

static int bus_configure(struct torc_bus *bus, const struct torc_bus_config *config, char *root, size_t cap)
{
        const char *name = config->name ? config->name : "default";
        const char *peer = config->peer_name ? config->peer_name : program_invocation_short_name;
        if (name_check_label(name) || name[0] == '.' || name_check_label(peer))
                return TORC_ENAME;
        if (tags_check(config->tags))
                return TORC_ETAGS;
        if (config->root) {
                if (strlen(config->root) >= cap)
                        return -ENAMETOOLONG;
                memcpy(root, config->root, strlen(config->root) + 1);
        } else {
                int rc = torc_root_default(root, cap);
                if (rc)
                        return rc;
        }
        snprintf(bus->peer_name, sizeof bus->peer_name, "%s", peer);
        int n = snprintf(bus->path, sizeof bus->path, "%s/%s", root, name);
        return n < 0 || (size_t)n >= sizeof bus->path ? -ENAMETOOLONG : 0;
}

int torc_bus_open(struct torc_bus **out, const struct torc_bus_config *config)
{
        static const struct torc_bus_config defaults;
        char root[PATH_MAX];
        if (!config)
                config = &defaults;
        wait_register();
        struct torc_bus *bus = calloc(1, sizeof *bus);
        if (!bus)
                return -ENOMEM;
        handle_init(&bus->handle, NULL, NULL);
        int rc = bus_configure(bus, config, root, sizeof root);
        if (rc)
                goto fail_free;
        rc = handle_add(&bus->handle);
        if (rc)
                goto fail_free;
        rc = bus_open_files(bus, root, config->root != NULL, bus->path, config->flags,
                            config->mode ? config->mode & 0666 : 0600);
        if (rc == 0)
                rc = bus_map(bus);
        if (rc == 0)
                rc = bus_attach(bus, config->tags ? config->tags : "");
        if (rc)
                goto fail_remove;
        *out = bus;
        return 0;

fail_remove:
        file_unmap(bus->map, sizeof *bus->map);
        handle_remove(&bus->handle);
fail_free:
        free(bus);
        return rc;
}

void torc_bus_close(struct torc_bus **bus_p)
{
        struct torc_bus *bus = *bus_p;
        if (!bus)
                return;
        *bus_p = NULL;
        if (!handle_dead(&bus->handle)) {
                handle_detach_all(bus);
                /* [peer.w] release, pairs with [peer.r]: what we detached is done before the slot is free. */
                atomic_store_explicit(&bus->map->peer[bus->slot].word, ABI_WORD(bus->gen, ABI_PEER_FREE),
                                      memory_order_release);
                FAULT(bus_close_word);
        }
        file_unmap(bus->map, sizeof *bus->map);
        handle_remove(&bus->handle); /* closes the descriptors: the lock goes last */
        free(bus);
}

const char *torc_bus_path(const struct torc_bus *bus)
{
        return bus->path;
}
