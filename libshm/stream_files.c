/*
 * stream_files.c - a stream's place on the bus: making it, opening it, taking it away.
 *
 * A stream is made beside its place and moved there whole; it goes the other way when it is removed. The names of those
 * other places tell whose they are, so that a reaper sweeps what the dead left there.
 */
#include "stream.h"

#include "fault.h"
#include "file.h"
#include "name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int stream_dirfd(const struct stream *s)
{
        return s->handle->fd[STREAM_FD_DIR];
}

/* ---- making a stream ------------------------------------------------------------------------------------- */

static uint64_t stream_round_up(uint64_t bytes)
{
        return bytes <= 1 ? 1 : 1ull << (64 - __builtin_clzll(bytes - 1));
}

static int stream_fill_config(struct abi_config *to, const struct torc_stream_config *from, const char *name,
                              uint32_t bus_mode)
{
        static const struct torc_stream_config defaults = TORC_STREAM_CONFIG_INIT;
        if (!from)
                from = &defaults;
        uint64_t capacity = from->capacity_bytes ? from->capacity_bytes : TORC_CAPACITY_DEFAULT;
        uint64_t max = from->capacity_max_bytes ? from->capacity_max_bytes : capacity;
        if (capacity < TORC_CAPACITY_MIN || max > TORC_CAPACITY_MAX || max < capacity)
                return TORC_ECAPACITY;
        if ((unsigned)from->lag > TORC_LAG_SKIP || from->max_consumers > ABI_CONSUMERS)
                return -EINVAL;
        if (tags_check(from->online_tags))
                return TORC_ETAGS;
        memset(to, 0, sizeof *to);
        to->capacity = stream_round_up(capacity);
        to->capacity_max = stream_round_up(max);
        uint64_t most = to->capacity_max / 8;
        to->max_message = from->max_message_bytes;
        if (!to->max_message)
                to->max_message = most < TORC_MESSAGE_MAX_DEFAULT ? (uint32_t)most : TORC_MESSAGE_MAX_DEFAULT;
        if (to->max_message > most || to->max_message > STREAM_MESSAGE_MAX)
                return TORC_ECAPACITY;
        to->lag = (uint32_t)from->lag;
        to->online_min = from->online_min;
        to->max_consumers = from->max_consumers ? from->max_consumers : ABI_CONSUMERS;
        to->mode = from->mode ? from->mode & 0666 : bus_mode & 0666;
        to->uid = from->uid >= 0 ? (uint32_t)from->uid : (uint32_t)geteuid();
        to->gid = from->gid >= 0 ? (uint32_t)from->gid : (uint32_t)getegid();
        snprintf(to->name, sizeof to->name, "%s", name);
        snprintf(to->online_tags, sizeof to->online_tags, "%s", from->online_tags ? from->online_tags : "");
        to->checksum = stream_checksum(to, &to->checksum);
        return 0;
}

/* The ctl file is written by consumers too: w wherever the segments give r. */
static mode_t stream_ctl_mode(uint32_t mode)
{
        return (mode_t)(mode | ((mode & 0444) >> 1));
}

static int stream_write_ctl(int dirfd, const struct abi_config *cfg, uint64_t id)
{
        struct file_perm perm = {.mode = stream_ctl_mode(cfg->mode), .uid = cfg->uid, .gid = cfg->gid};
        int fd = file_make_nameless(dirfd, sizeof(struct abi_ctl), &perm);
        if (fd < 0)
                return fd;
        void *map;
        int rc = file_map(fd, sizeof(struct abi_ctl), true, false, &map);
        if (rc == 0) {
                struct abi_ctl *ctl = map; /* no FAULT here: nobody sees the file yet */
                ctl->head.version = ABI_VERSION;
                ctl->head.header_bytes = offsetof(struct abi_ctl, producer);
                ctl->head.file_bytes = sizeof *ctl;
                ctl->head.id = id;
                ctl->head.created_ns = wait_wall_ns();
                ctl->config = *cfg;
                /* relaxed: the file has no name yet. */
                atomic_store_explicit(&ctl->state, ABI_STREAM_OPEN, memory_order_relaxed);
                atomic_store_explicit(&ctl->first, 1, memory_order_relaxed);
                atomic_store_explicit(&ctl->current, 1, memory_order_relaxed);
                atomic_store_explicit(&ctl->epoch, 1, memory_order_relaxed);
                /* [magic.w] release, pairs with [magic.r]. */
                atomic_store_explicit(&ctl->head.magic, ABI_MAGIC_CTL, memory_order_release);
                file_unmap(map, sizeof *ctl);
                rc = file_link(fd, dirfd, "ctl");
        }
        close(fd);
        return rc;
}

static int stream_write_first(int dirfd, const struct abi_config *cfg, uint64_t id)
{
        struct file_perm perm = {.mode = cfg->mode, .uid = cfg->uid, .gid = cfg->gid};
        uint64_t secret, bytes = sizeof(struct abi_seg) + cfg->capacity;
        int fd = file_make_nameless(dirfd, bytes, &perm);
        if (fd < 0)
                return fd;
        void *map;
        int rc = file_random(&secret);
        if (rc == 0)
                rc = file_map(fd, bytes, true, false, &map);
        if (rc == 0) {
                ring_format(map, id, 1, cfg->capacity, 0, secret, 1);
                file_unmap(map, bytes);
                rc = file_link(fd, dirfd, "0.1");
        }
        close(fd);
        return rc;
}

static void stream_sweep(int busfd, const char *dir)
{
        int fd = openat(busfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
                unlinkat(fd, "ctl", 0);
                FAULT(stream_sweep_ctl);
                unlinkat(fd, "0.1", 0);
                FAULT(stream_sweep_segment);
                close(fd);
        }
        unlinkat(busfd, dir, AT_REMOVEDIR);
        FAULT(stream_sweep_rmdir);
}

/* Build the stream beside its place and move it there whole. The name of the building place tells whose it is, so that
 * a reaper sweeps those of the dead. Returns 0, TORC_EEXISTS (another was first), -ENOSPC, ... */
static int stream_create(struct torc_bus *bus, const char *dir, const char *name,
                         const struct torc_stream_config *config)
{
        struct abi_config cfg;
        char temp[64];
        uint64_t id, nonce;
        int rc = stream_fill_config(&cfg, config, name, bus->map->mode);
        if (rc || (rc = file_random(&id)) || (rc = file_random(&nonce)))
                return rc;
        snprintf(temp, sizeof temp, ".new-%" PRIu32 "-%" PRIu64 "-%" PRIx64, bus->slot, bus->gen, nonce);
        if (mkdirat(bus_dirfd(bus), temp, 0700))
                return -errno;
        FAULT(stream_create_mkdir);
        int fd = openat(bus_dirfd(bus), temp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = fd < 0 ? -errno : 0;
        if (rc == 0)
                rc = stream_write_ctl(fd, &cfg, id);
        if (rc == 0)
                rc = stream_write_first(fd, &cfg, id);
        if (rc == 0 && (cfg.uid != geteuid() || cfg.gid != getegid()) && fchown(fd, cfg.uid, cfg.gid))
                rc = -errno;
        /* Whoever attaches makes files here: successors, and the pollable ends of consumers. */
        if (rc == 0 && fchmod(fd, file_dir_mode(stream_ctl_mode(cfg.mode))))
                rc = -errno;
        FAULT(stream_create_chmod);
        if (rc == 0 && renameat2(bus_dirfd(bus), temp, bus_dirfd(bus), dir, RENAME_NOREPLACE))
                rc = errno == EEXIST ? TORC_EEXISTS : -errno;
        FAULT(stream_create_rename);
        if (fd >= 0)
                close(fd);
        if (rc)
                stream_sweep(bus_dirfd(bus), temp);
        return rc;
}

/* ---- opening a stream ------------------------------------------------------------------------------------ */

static int stream_check_ctl(const struct abi_ctl *ctl, const char *name)
{
        const struct abi_config *cfg = &ctl->config;
        /* [magic.r] acquire, pairs with [magic.w]. */
        if (atomic_load_explicit(&ctl->head.magic, memory_order_acquire) != ABI_MAGIC_CTL ||
            cfg->checksum != stream_checksum(cfg, &cfg->checksum) || strncmp(cfg->name, name, sizeof cfg->name))
                return TORC_ECORRUPT;
        if (cfg->capacity < TORC_CAPACITY_MIN || cfg->capacity_max > TORC_CAPACITY_MAX ||
            cfg->max_message > cfg->capacity_max / 8 || cfg->lag > TORC_LAG_SKIP ||
            cfg->max_consumers > ABI_CONSUMERS)
                return TORC_ECORRUPT;
        return 0;
}

static int stream_map(struct stream *s)
{
        int fd = file_open(stream_dirfd(s), "ctl", true);
        if (fd < 0)
                return fd;
        uint64_t size;
        void *map;
        int rc = bus_check_head(fd, ABI_MAGIC_CTL, offsetof(struct abi_ctl, producer), &size);
        if (rc == 0 && size != sizeof(struct abi_ctl))
                rc = TORC_ECORRUPT;
        if (rc == 0)
                rc = file_map(fd, size, true, true, &map);
        close(fd);
        if (rc)
                return rc;
        s->ctl = map;
        handle_hold_forks();
        s->handle->fd[STREAM_FD_LOCK] = file_open(stream_dirfd(s), "ctl", true);
        handle_let_forks();
        if (s->handle->fd[STREAM_FD_LOCK] < 0)
                return s->handle->fd[STREAM_FD_LOCK];
        return stream_check_ctl(s->ctl, s->name);
}

static int stream_open_dir(struct stream *s, const char *dir, const struct torc_stream_config *config,
                           unsigned flags, bool *created)
{
        /* Another may create or remove it between our looks; a few laps settle it. */
        for (int lap = 0; lap < 16; lap++) {
                int fd = openat(bus_dirfd(s->bus), dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
                if (fd >= 0) {
                        s->handle->fd[STREAM_FD_DIR] = fd;
                        return 0;
                }
                if (errno != ENOENT || (flags & TORC_NO_CREATE))
                        return -errno;
                int rc = stream_create(s->bus, dir, s->name, config);
                if (rc && rc != TORC_EEXISTS)
                        return rc;
                *created = rc == 0;
        }
        return -EBUSY;
}

/* ---- taking a stream away -------------------------------------------------------------------------------- */

/* Delete what stands in a directory. */
void stream_empty(int fd)
{
        int copy = dup(fd);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);
        if (!dir) {
                if (copy >= 0)
                        close(copy);
                return;
        }
        rewinddir(dir); /* the copy shares its place with the original */
        for (struct dirent *e; (e = readdir(dir));)
                if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
                        unlinkat(fd, e->d_name, 0);
                        FAULT(stream_empty_unlink);
                }
        closedir(dir);
}

/*
 * stream_take_away - delete a stream's directory `dir`, which is open as `fd`. First it goes out of the way under a name
 * that tells whose it is: from then on the name is free, and a reaper finishes the work of the dead. Under the ctl lock,
 * unless the ctl file is beyond use. Returns 0, -ENOENT (it is no longer there, or another has its name), ...
 */
int stream_take_away(struct torc_bus *bus, const char *dir, int fd)
{
        static _Atomic uint32_t counter;
        char temp[64];
        struct stat here, there;
        if (fstat(fd, &here) || fstatat(bus_dirfd(bus), dir, &there, AT_SYMLINK_NOFOLLOW))
                return -errno;
        if (here.st_dev != there.st_dev || here.st_ino != there.st_ino)
                return -ENOENT;
        snprintf(temp, sizeof temp, ".old-%" PRIu32 "-%" PRIu64 "-%" PRIu32, bus->slot, bus->gen,
                 atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed));
        if (renameat(bus_dirfd(bus), dir, bus_dirfd(bus), temp))
                return -errno;
        FAULT(stream_take_away_rename);
        /* Somebody who has it open may still put a file there. */
        for (int lap = 0; lap < 100; lap++) {
                stream_empty(fd);
                if (unlinkat(bus_dirfd(bus), temp, AT_REMOVEDIR) == 0) {
                        FAULT(stream_take_away_rmdir);
                        return 0;
                }
                if (errno != ENOTEMPTY && errno != EEXIST)
                        break;
        }
        return -errno;
}

/* Marked as removed, and still in place: its remover is at it, or died at it. Returns -ENOENT (it is out of the way now) or
 * TORC_EREMOVED. */
static int stream_finish_removal(struct stream *s, const char *dir)
{
        int fd = s->handle->fd[STREAM_FD_LOCK];
        if (file_lock(fd, ABI_LOCK_TABLE, wait_mono_ns() + STREAM_LOCK_NS))
                return TORC_EREMOVED;
        int rc = stream_take_away(s->bus, dir, stream_dirfd(s));
        file_unlock(fd, ABI_LOCK_TABLE);
        return rc == 0 || rc == -ENOENT ? -ENOENT : TORC_EREMOVED;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

/* stream_let_go - close it and its descriptors, so that the handle may open it again. */
void stream_let_go(struct stream *s)
{
        stream_close(s);
        handle_hold_forks(); /* a child closes what stands in the handle, which must not be another's by now */
        for (int i = STREAM_FD_LOCK; i <= STREAM_FD_DIR; i++) {
                if (s->handle->fd[i] >= 0)
                        close(s->handle->fd[i]);
                s->handle->fd[i] = -1;
        }
        handle_let_forks();
}

/*
 * stream_open - open a stream's ctl file, making the stream unless TORC_NO_CREATE. `handle` keeps the descriptors.
 * *created tells whether it was made here. On failure nothing is left open but what stream_close() closes.
 */
int stream_open(struct stream *s, struct torc_bus *bus, struct handle *handle, const char *name,
                const struct torc_stream_config *config, unsigned flags, bool *created)
{
        char dir[TORC_NAME_MAX + 2];
        *s = (struct stream){.bus = bus, .handle = handle};
        *created = false;
        if (handle_dead(&bus->handle))
                return handle_dead(&bus->handle);
        if (torc_name_check(name))
                return TORC_ENAME;
        snprintf(s->name, sizeof s->name, "%s", name);
        snprintf(dir, sizeof dir, "@%s", name);
        for (int lap = 0; lap < 16; lap++) {
                *created = false;
                int rc = stream_open_dir(s, dir, config, flags, created);
                if (rc)
                        return rc;
                rc = stream_map(s);
                if (rc == 0 && stream_state(s) == ABI_STREAM_REMOVED)
                        rc = stream_finish_removal(s, dir);
                if (rc != -ENOENT)
                        return rc;
                stream_let_go(s); /* removed since we opened the directory: see what is there now */
        }
        return TORC_ECORRUPT; /* a directory without a ctl file */
}

void stream_close(struct stream *s)
{
        file_unmap(s->ctl, sizeof *s->ctl);
        s->ctl = NULL;
}
