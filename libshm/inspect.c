/*
 * inspect.c - looking at a bus without being on it: directory, peers, and what is kept between two looks.
 *
 * Invariants
 *   N1  nothing is written: files are opened O_RDONLY, mapped PROT_READ, and no lock is ever taken. Asking the
 * kernel who holds a lock (F_OFD_GETLK) changes nothing. N2  a map is read only after its file was found in place,
 * the same and as long as when it was mapped, in this take. torc never shortens a file. N3  every shared value is
 * copied once, and the copy is checked before it is used.
 *
 * SPDX-License-Identifier: MIT
 */
#include "inspect.h"

#include "bus.h"
#include "file.h"
#include "name.h"
#include "supervisor_state.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct inspect_kind inspect_bus_kind = {
        .magic = ABI_MAGIC_BUS,
        .header_bytes = offsetof(struct abi_bus, peer),
        .exact = sizeof(struct abi_bus),
        .want = sizeof(struct abi_bus),
};

/* ---- maps ------------------------------------------------------------------------------------------------ */

void inspect_unmap(struct inspect_map *m)
{
        if (m->map)
                munmap((void *)(uintptr_t)m->map, m->bytes);
        *m = (struct inspect_map){0};
}

/* What stands in the way is no file of a bus: damage, unless the system itself says no. */
static int inspect_error(int code)
{
        return code == -ELOOP || code == -ENOTDIR || code == -EISDIR || code == -EINVAL ? TORC_ECORRUPT : code;
}

static int inspect_map_new(struct inspect_map *m, int dirfd, const char *path, const struct inspect_kind *kind)
{
        uint64_t size;
        struct stat st;
        int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* a FIFO must not hang us */
        if (fd < 0)
                return inspect_error(-errno);
        int rc = bus_check_head(fd, kind->magic, kind->header_bytes, &size);
        if (rc == 0 && ((kind->exact && size != kind->exact) || size < kind->want))
                rc = TORC_ECORRUPT;
        if (rc == 0 && fstat(fd, &st))
                rc = -errno;
        if (rc == 0) {
                /* Without MAP_POPULATE: of a ctl file with a few members a few pages are ever looked at. */
                void *p = mmap(NULL, kind->want, PROT_READ, MAP_SHARED, fd, 0);
                if (p == MAP_FAILED)
                        rc = -errno;
                else
                        *m = (struct inspect_map){
                                .map = p, .bytes = kind->want, .dev = st.st_dev, .ino = st.st_ino};
        }
        close(fd);
        return inspect_error(rc);
}

int inspect_map(struct inspect_map *m, int dirfd, const char *path, const struct inspect_kind *kind)
{
        struct stat st;
        if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW)) {
                int rc = inspect_error(-errno);
                inspect_unmap(m);
                return rc;
        }
        if (!m->map || m->dev != st.st_dev || m->ino != st.st_ino) {
                inspect_unmap(m);
                return inspect_map_new(m, dirfd, path, kind);
        }
        if (st.st_size < (off_t)m->bytes || (kind->exact && st.st_size != (off_t)kind->exact)) {
                inspect_unmap(m);
                return TORC_ECORRUPT;
        }
        const struct abi_head *head = m->map;
        /* [magic.r] acquire, pairs with [magic.w]. Again at each take: bytes may be damaged meanwhile. */
        if (atomic_load_explicit(&head->magic, memory_order_acquire) != kind->magic)
                return TORC_ECORRUPT;
        return head->version == ABI_VERSION ? 0 : TORC_EVERSION;
}

void inspect_text(char *to, size_t cap, const char *from, size_t size)
{
        size_t n = size < cap - 1 ? size : cap - 1;
        memcpy(to, from, n);
        to[n] = '\0';
        for (char *p = to; *p; p++) {
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
        }
}

/* ---- peers ----------------------------------------------------------------------------------------------- */

static const struct abi_bus *inspect_bus(const struct torc_inspector *in)
{
        return in->bus_file.map;
}

/* Copy one slot's record. False: nobody is there, or it changes hands this very moment. */
static bool inspect_read_peer(const struct torc_inspector *in, uint32_t slot, struct torc_peer_info *to,
                              uint64_t *gen)
{
        const struct abi_peer *from = &inspect_bus(in)->peer[slot];
        /* [peer.r] acquire, pairs with [peer.w]: the fields below belong to this generation ... */
        uint64_t word = atomic_load_explicit(&from->word, memory_order_acquire);
        if (ABI_WORD_STATE(word) != ABI_PEER_ATTACHED)
                return false;
        *gen = ABI_WORD_GEN(word);
        *to = (struct torc_peer_info){
                .slot = slot,
                .pid = atomic_load_explicit(&from->pid, memory_order_relaxed),
                .uid = atomic_load_explicit(&from->uid, memory_order_relaxed),
                .gid = atomic_load_explicit(&from->gid, memory_order_relaxed),
                .start_ticks = atomic_load_explicit(&from->start_ticks, memory_order_relaxed),
                .attached_ns = inspect_time(atomic_load_explicit(&from->attached_ns, memory_order_relaxed)),
        };
        inspect_text(to->name, sizeof to->name, from->name, sizeof from->name);
        inspect_text(to->tags, sizeof to->tags, from->tags, sizeof from->tags);
        /* ... if it is the same still. [copy.r] acquire fence, pairs with [copy.w]: if a copy above is of the next
         * occupant's record, this look finds another word. */
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(&from->word, memory_order_relaxed) != word)
                return false;
        bool held = true; /* no answer is no proof of death */
        file_lock_held(in->probe, ABI_LOCK_PEER + (int64_t)slot, &held);
        to->alive = held;
        return true;
}

static int inspect_take_peers(struct torc_inspector *in, struct torc_snapshot *snap)
{
        /* relaxed: a bound for the search; each slot's word orders its record. */
        uint32_t top = atomic_load_explicit(&inspect_bus(in)->peer_top, memory_order_relaxed);
        if (top > ABI_PEERS)
                top = ABI_PEERS; /* damaged: free slots are told by their words anyway */
        memset(in->peer_at, 0, sizeof in->peer_at);
        snap->peers = calloc(top ? top : 1, sizeof *snap->peers);
        if (!snap->peers)
                return -ENOMEM;
        in->peers = snap->peers;
        for (uint32_t i = 0; i < top; i++) {
                if (!inspect_read_peer(in, i, &snap->peers[snap->n_peers], &in->peer_gen[i]))
                        continue;
                in->peer_at[i] = (uint32_t)++snap->n_peers;
        }
        return 0;
}

bool inspect_peer(const struct torc_inspector *in, uint64_t slot, uint64_t gen, struct torc_peer_info *peer)
{
        uint64_t now;
        if (slot >= ABI_PEERS)
                return false;
        if (in->peer_at[slot] && in->peer_gen[slot] == gen) {
                *peer = in->peers[in->peer_at[slot] - 1];
                return true;
        }
        /* Not seen when the peers were listed: it may have attached since. */
        struct torc_peer_info late;
        if (!inspect_read_peer(in, (uint32_t)slot, &late, &now) || now != gen)
                return false;
        *peer = late;
        return true;
}

/* ---- streams --------------------------------------------------------------------------------------------- */

static int inspect_by_name(const void *a, const void *b)
{
        return strcmp(((const struct inspect_stream *)a)->name, ((const struct inspect_stream *)b)->name);
}

static int inspect_add_stream(struct torc_inspector *in, const char *name)
{
        if (in->n_streams == in->cap_streams) {
                size_t cap = in->cap_streams ? in->cap_streams * 2 : 64;
                struct inspect_stream *more = realloc(in->stream, cap * sizeof *more);
                if (!more)
                        return -ENOMEM;
                in->stream = more;
                in->cap_streams = cap;
        }
        struct inspect_stream *s = &in->stream[in->n_streams++];
        *s = (struct inspect_stream){.seen = true};
        snprintf(s->name, sizeof s->name, "%s", name);
        return 0;
}

/* Forget streams that are gone from the directory. The others stay in order. */
static void inspect_drop_unseen(struct torc_inspector *in)
{
        size_t kept = 0;
        for (size_t i = 0; i < in->n_streams; i++) {
                if (in->stream[i].seen)
                        in->stream[kept++] = in->stream[i];
                else
                        snapshot_stream_forget(&in->stream[i]);
        }
        in->n_streams = kept;
}

/* Bring the list of streams up to the directory's. A directory "@NAME" is a stream. */
static int inspect_list_streams(struct torc_inspector *in)
{
        size_t sorted = in->n_streams; /* those beyond are new */
        for (size_t i = 0; i < in->n_streams; i++)
                in->stream[i].seen = false;
        rewinddir(in->dir);
        const struct dirent *entry;
        while ((entry = readdir(in->dir))) {
                if (entry->d_name[0] != '@' || torc_name_check(entry->d_name + 1))
                        continue;
                struct inspect_stream key, *found = NULL;
                snprintf(key.name, sizeof key.name, "%s", entry->d_name + 1);
                if (sorted)
                        found = bsearch(&key, in->stream, sorted, sizeof key, inspect_by_name);
                if (found)
                        found->seen = true;
                else if (inspect_add_stream(in, key.name))
                        return -ENOMEM;
        }
        bool added = in->n_streams > sorted;
        inspect_drop_unseen(in);
        if (added)
                qsort(in->stream, in->n_streams, sizeof *in->stream, inspect_by_name);
        return 0;
}

static int inspect_take_streams(struct torc_inspector *in, struct torc_snapshot *snap)
{
        int rc = inspect_list_streams(in);
        if (rc)
                return rc;
        snap->streams = calloc(in->n_streams ? in->n_streams : 1, sizeof *snap->streams);
        if (!snap->streams)
                return -ENOMEM;
        for (size_t i = 0; i < in->n_streams; i++) {
                struct torc_stream_info *info = &snap->streams[snap->n_streams];
                snap->n_streams++; /* first, so that what it holds is freed on an error */
                rc = snapshot_stream(in, &in->stream[i], info);
                if (rc == -ENOENT)
                        snap->n_streams--; /* removed since the directory was read */
                else if (rc)
                        return rc;
        }
        return 0;
}

/* ---- the inspector --------------------------------------------------------------------------------------- */

static int inspect_path(struct torc_inspector *in, const char *root, const char *bus)
{
        char by_default[sizeof in->path];
        if (!bus)
                bus = "default";
        if (name_check_label(bus) || bus[0] == '.')
                return TORC_ENAME;
        if (!root) {
                int rc = torc_root_default(by_default, sizeof by_default);
                if (rc == 0)
                        rc = bus_check_root(by_default);
                if (rc)
                        return rc;
                root = by_default;
        }
        snprintf(in->bus, sizeof in->bus, "%s", bus);
        int n = snprintf(in->path, sizeof in->path, "%s/%s", root, bus);
        return n < 0 || (size_t)n >= sizeof in->path ? -ENAMETOOLONG : 0;
}

/* See that the bus file is in place and mapped. */
static int inspect_check_bus(struct torc_inspector *in)
{
        ino_t before = in->bus_file.ino;
        int rc = inspect_map(&in->bus_file, dirfd(in->dir), "bus", &inspect_bus_kind);
        if (rc)
                return rc;
        if (inspect_bus(in)->peers != ABI_PEERS)
                return TORC_ECORRUPT;
        if (in->probe >= 0 && before == in->bus_file.ino)
                return 0;
        if (in->probe >= 0)
                close(in->probe);
        in->probe = file_open(dirfd(in->dir), "bus", false);
        return in->probe < 0 ? in->probe : 0;
}

int torc_inspector_open(struct torc_inspector **inspector, const char *root, const char *bus)
{
        struct torc_inspector *in = calloc(1, sizeof *in);
        if (!in)
                return -ENOMEM;
        in->probe = -1;
        int rc = inspect_path(in, root, bus);
        if (rc)
                goto fail;
        in->dir = opendir(in->path);
        rc = in->dir ? inspect_check_bus(in) : inspect_error(-errno);
        if (rc)
                goto fail;
        *inspector = in;
        return 0;
fail:
        torc_inspector_close(&in);
        return rc;
}

void torc_inspector_close(struct torc_inspector **inspector)
{
        struct torc_inspector *in = *inspector;
        if (!in)
                return;
        *inspector = NULL;
        for (size_t i = 0; i < in->n_streams; i++)
                snapshot_stream_forget(&in->stream[i]);
        free(in->stream);
        inspect_unmap(&in->bus_file);
        if (in->probe >= 0)
                close(in->probe);
        if (in->dir)
                closedir(in->dir);
        free(in);
}

int torc_inspector_take(struct torc_inspector *in, struct torc_snapshot **snapshot)
{
        int rc = inspect_check_bus(in);
        if (rc)
                return rc;
        struct torc_snapshot *snap = calloc(1, sizeof *snap);
        if (!snap)
                return -ENOMEM;
        snap->monotonic_ns = wait_mono_ns();
        snap->wall_ns = wait_wall_ns();
        inspect_text(snap->path, sizeof snap->path, in->path, strlen(in->path));
        inspect_text(snap->bus, sizeof snap->bus, in->bus, strlen(in->bus));
        rc = inspect_take_peers(in, snap);
        if (rc == 0)
                rc = inspect_take_streams(in, snap);
        if (rc == 0)
                rc = supstate_read(dirfd(in->dir), &snap->supervisor, &snap->groups, &snap->n_groups,
                                   &snap->members, &snap->n_members, &snap->events, &snap->n_events);
        in->peers = NULL;
        if (rc) {
                torc_snapshot_free(&snap);
                return rc;
        }
        *snapshot = snap;
        return 0;
}
