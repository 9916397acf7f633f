/*
 * admin.c - looking after a bus: making, ending, removing and fencing streams by name, and cleaning up after the dead.
 *
 * Every function opens the stream for its own duration, on descriptions of its own.
 */
#include "torc_admin.h"

#include "access.h"
#include "fault.h"
#include "limit.h"
#include "stream.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct visit {
        struct handle handle;
        struct stream stream;
};

/* Entered into the list of handles, so that a forked child does not keep its locks alive. */
static int admin_enter(struct visit *v, struct torc_bus *bus, const char *name,
                       const struct torc_stream_config *config, unsigned flags, bool *created)
{
        handle_init(&v->handle, NULL, NULL); /* no bus: closing the bus need not detach it */
        int rc = handle_add(&v->handle);
        if (rc)
                return rc;
        rc = stream_open(&v->stream, bus, &v->handle, name, config, flags, created);
        if (rc) {
                handle_remove(&v->handle);
                stream_close(&v->stream);
        }
        return rc;
}

static void admin_leave(struct visit *v)
{
        handle_remove(&v->handle);
        stream_close(&v->stream);
}

int torc_stream_create(struct torc_bus *bus, const char *stream, const struct torc_stream_config *config)
{
        struct visit v;
        bool created;
        int rc = admin_enter(&v, bus, stream, config, 0, &created);
        if (rc)
                return rc;
        admin_leave(&v);
        return created ? 0 : TORC_EEXISTS;
}

int torc_stream_fence(struct torc_bus *bus, const char *stream, uint32_t *epoch)
{
        struct visit v;
        bool created;
        int rc = admin_enter(&v, bus, stream, NULL, TORC_NO_CREATE, &created);
        if (rc)
                return rc;
        rc = access_fence_all(&v.stream, epoch);
        admin_leave(&v);
        return rc;
}

/* Seal the present segment and let the stream take a new state. Under the ctl lock. */
static int admin_seal(struct stream *s, uint64_t state)
{
        struct change c;
        change_init(&c);
        c.redo.seal = stream_current(s);
        change_word(&c, s, &s->ctl->state, state);
        int rc = change_apply(&c, s);
        if (rc == 0)
                stream_wake_all(s);
        return rc;
}

int torc_stream_end(struct torc_bus *bus, const char *stream)
{
        struct visit v;
        bool created;
        int rc = admin_enter(&v, bus, stream, NULL, TORC_NO_CREATE, &created);
        if (rc)
                return rc;
        rc = stream_lock(&v.stream, wait_mono_ns() + STREAM_LOCK_NS);
        if (rc == 0) {
                rc = admin_seal(&v.stream, ABI_STREAM_ENDED);
                stream_unlock(&v.stream);
        }
        admin_leave(&v);
        return rc;
}

/* ---- removing -------------------------------------------------------------------------------------------- */

static bool admin_damaged(int rc)
{
        return rc == TORC_ECORRUPT || rc == TORC_EVERSION;
}

/* Beyond use, not beyond removal: a stream whose ctl file can't be believed. */
static int admin_remove_unseen(struct torc_bus *bus, const char *dir)
{
        int fd = openat(bus_dirfd(bus), dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        int rc = stream_take_away(bus, dir, fd);
        close(fd);
        return rc;
}

static int admin_remove(struct torc_bus *bus, const char *stream)
{
        struct visit v;
        bool created;
        char dir[TORC_NAME_MAX + 2];
        snprintf(dir, sizeof dir, "@%.*s", TORC_NAME_MAX, stream);
        int rc = admin_enter(&v, bus, stream, NULL, TORC_NO_CREATE, &created);
        if (rc)
                return admin_damaged(rc) ? admin_remove_unseen(bus, dir) : rc;
        rc = stream_lock(&v.stream, wait_mono_ns() + STREAM_LOCK_NS);
        bool locked = rc == 0;
        if (locked)
                rc = admin_seal(&v.stream, ABI_STREAM_REMOVED);
        if (admin_damaged(rc) || rc == -ENOSPC) {
                /* A segment or the redo record is damaged, or there is no room to finish what a dead holder began. Tell
                 * those who are attached; and producers, who look at their segment only, if that can be sealed. */
                struct segment seg;
                atomic_store_explicit(&v.stream.ctl->state, ABI_STREAM_REMOVED, memory_order_release); /* [chain.w] */
                FAULT(admin_remove_state);
                if (segment_open(&seg, &v.stream, stream_current(&v.stream), SEGMENT_MEND) == 0) {
                        ring_seal(&seg.ring);
                        segment_close(&seg);
                }
                stream_wake_all(&v.stream);
                rc = 0;
        }
        if (rc == 0)
                rc = stream_take_away(bus, dir, v.handle.fd[STREAM_FD_DIR]);
        if (locked)
                stream_unlock(&v.stream);
        admin_leave(&v);
        return rc;
}

int torc_stream_remove(struct torc_bus *bus, const char *stream)
{
        int rc = admin_remove(bus, stream);
        if (rc != TORC_EREMOVED)
                return rc;
        /* Another marked it and died before he took it away. Whoever opens it does that. */
        rc = admin_remove(bus, stream);
        return rc == -ENOENT ? 0 : rc;
}

int torc_stream_kick(struct torc_bus *bus, const char *stream, uint64_t ref)
{
        struct visit v;
        bool created;
        uint32_t slot = (uint32_t)(ref & 0xffff);
        if (slot >= ABI_CONSUMERS)
                return -ENOENT;
        int rc = admin_enter(&v, bus, stream, NULL, TORC_NO_CREATE, &created);
        if (rc)
                return rc;
        rc = stream_lock(&v.stream, wait_mono_ns() + STREAM_LOCK_NS);
        if (rc == 0) {
                /* relaxed: the lock orders. */
                uint64_t word = atomic_load_explicit(&v.stream.ctl->consumer[slot].word, memory_order_relaxed);
                rc = ABI_CONSUMER_GEN(word) == ref >> 16 ? limit_kick(&v.stream, slot) : -ENOENT;
                stream_reclaim(&v.stream);
                stream_unlock(&v.stream);
        }
        admin_leave(&v);
        return rc;
}

/* ---- reaping and nudging --------------------------------------------------------------------------------- */

/* An error that no later try will mend: the stream is beyond use, or not ours to touch. */
static bool admin_final(int rc)
{
        return rc == TORC_ECORRUPT || rc == TORC_EVERSION || rc == -EACCES || rc == -EPERM;
}

typedef int admin_each_fn(struct stream *s, void *arg);

/* Do it to every stream. Returns the first error, but one that may pass rather than a final one. */
static int admin_each_stream(struct torc_bus *bus, admin_each_fn *fn, void *arg)
{
        int first_error = 0, fd = openat(bus_dirfd(bus), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                int rc = -errno;
                if (fd >= 0)
                        close(fd);
                return rc;
        }
        for (struct dirent *e; (e = readdir(dir));) {
                struct visit v;
                bool created;
                if (e->d_name[0] != '@')
                        continue;
                int rc = admin_enter(&v, bus, e->d_name + 1, NULL, TORC_NO_CREATE, &created);
                if (rc == -ENOENT)
                        continue; /* removed meanwhile */
                if (rc == 0) {
                        rc = fn(&v.stream, arg);
                        admin_leave(&v);
                }
                if (rc && (!first_error || (admin_final(first_error) && !admin_final(rc))))
                        first_error = rc;
        }
        closedir(dir);
        return first_error;
}

static int admin_reap_stream(struct stream *s, void *arg)
{
        int rc = stream_lock(s, wait_mono_ns() + 100000000); /* do not hang on one stopped holder */
        if (rc)
                return rc == TORC_EREMOVED ? 0 : rc;
        rc = stream_reap(s, arg);
        stream_unlock(s);
        return rc;
}

static void admin_sweep_dir(struct torc_bus *bus, const char *name)
{
        int fd = openat(bus_dirfd(bus), name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return;
        stream_empty(fd);
        close(fd);
        unlinkat(bus_dirfd(bus), name, AT_REMOVEDIR);
        FAULT(admin_sweep_rmdir);
}

/* Half-made and half-removed streams carry their maker in the name: sweep those of the dead. */
static void admin_sweep(struct torc_bus *bus)
{
        int fd = openat(bus_dirfd(bus), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        if (!dir) {
                if (fd >= 0)
                        close(fd);
                return;
        }
        for (struct dirent *e; (e = readdir(dir));) {
                uint32_t slot;
                uint64_t gen;
                if ((sscanf(e->d_name, ".new-%" SCNu32 "-%" SCNu64 "-", &slot, &gen) == 2 ||
                     sscanf(e->d_name, ".old-%" SCNu32 "-%" SCNu64 "-", &slot, &gen) == 2) &&
                    !bus_peer_alive(bus, slot, gen))
                        admin_sweep_dir(bus, e->d_name);
        }
        closedir(dir);
}

/* Note the dead in `dead`, one bit a slot; returns how many. */
static uint32_t admin_find_dead(struct torc_bus *bus, uint64_t *gens)
{
        /* relaxed: a bound for the search; who attaches meanwhile is not dead. Each slot's word orders its record. */
        uint32_t n = 0, top = atomic_load_explicit(&bus->map->peer_top, memory_order_relaxed);
        for (uint32_t i = 0; i < top && i < ABI_PEERS; i++) {
                uint64_t word = atomic_load_explicit(&bus->map->peer[i].word, memory_order_acquire); /* [peer.r] */
                bool dead = ABI_WORD_STATE(word) == ABI_PEER_ATTACHED && !bus_peer_alive(bus, i, ABI_WORD_GEN(word));
                gens[i] = dead ? ABI_WORD_GEN(word) : 0;
                n += dead;
        }
        return n;
}

int torc_bus_reap(struct torc_bus *bus, struct torc_reaped *reaped)
{
        struct torc_reaped mine = {0};
        int rc = handle_dead(&bus->handle);
        if (rc)
                return rc;
        uint64_t *gens = calloc(ABI_PEERS, sizeof *gens);
        if (!gens)
                return -ENOMEM;
        uint32_t dead = admin_find_dead(bus, gens);
        rc = admin_each_stream(bus, admin_reap_stream, &mine);
        /* A peer's slot last, and only if all its traces are gone that can go: until then it is the proof of its death.
         * A reused one would be proof as well (B2); this keeps its name for whoever asks why. */
        bool settled = rc == 0 || admin_final(rc);
        for (uint32_t i = 0; dead && settled && i < ABI_PEERS; i++) {
                if (!gens[i])
                        continue;
                struct abi_peer *peer = &bus->map->peer[i];
                if (mine.peers < sizeof mine.pids / sizeof mine.pids[0]) {
                        mine.pids[mine.peers] = atomic_load_explicit(&peer->pid, memory_order_relaxed);
                        snprintf(mine.names[mine.peers], sizeof mine.names[0], "%.*s", TORC_LABEL_MAX, peer->name);
                }
                mine.peers += bus_free_dead_peer(bus, i, gens[i]) == 0;
        }
        free(gens);
        admin_sweep(bus);
        if (reaped)
                *reaped = mine;
        return rc;
}

static int admin_nudge_stream(struct stream *s, void *arg)
{
        (void)arg;
        stream_wake_all(s);
        return 0;
}

int torc_bus_nudge(struct torc_bus *bus)
{
        int rc = handle_dead(&bus->handle);
        return rc ? rc : admin_each_stream(bus, admin_nudge_stream, NULL);
}
