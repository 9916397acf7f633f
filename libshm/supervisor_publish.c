/*
 * supervisor_publish.c - writing the file `supervisor` of a bus; the supervisor's side of supervisor_state.c.
 *
 * The lock on the file is held from torc_supervisor_open() to death, on a description that is neither mapped nor
 * inherited, so that "a supervisor lives" is the kernel's word.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_admin.h"

#include "bus.h"
#include "fault.h"
#include "file.h"
#include "supervisor_codec.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SUP_FD = 0 }; /* index into handle.fd */

struct torc_supervisor {
        struct handle handle;
        struct abi_sup_file *file; /* our picture of the file; nobody else writes it */
        uint64_t events;           /* sequence number of the last one */
        size_t groups;             /* entries of the group table in use */
};

/* ---- writing --------------------------------------------------------------------------------------------- */

/* Put bytes at their place `at` in the file, and in our picture of it once they are there. */
static int sup_store(struct torc_supervisor *s, void *at, const void *bytes, size_t size)
{
        if (handle_dead(&s->handle))
                return handle_dead(&s->handle);
        off_t offset = (off_t)((const char *)at - (const char *)s->file);
        ssize_t n;
        FAULT(sup_store_due); /* what it is to tell of has happened: a member runs, or has ended */
        do
                n = pwrite(s->handle.fd[SUP_FD], bytes, size, offset);
        while (n < 0 && errno == EINTR);
        FAULT(sup_store);
        if (n != (ssize_t)size)
                return n < 0 ? -errno : -EIO;
        memcpy(at, bytes, size);
        return 0;
}

/* Replace an entry: the new one goes over the copy that is not the newest sound one (S1). */
static int sup_replace(struct torc_supervisor *s, void *pair, void *entry, size_t size)
{
        uint64_t turn;
        const void *newest = sup_newest(pair, size, &turn);
        char *target = newest == pair ? (char *)pair + size : pair;
        sup_stamp(entry, size, turn + 1);
        return sup_store(s, target, entry, size);
}

/* ---- open and close -------------------------------------------------------------------------------------- */

static int sup_make(struct abi_sup_file *file, int dirfd)
{
        struct stat st;
        if (fstatat(dirfd, "bus", &st, AT_SYMLINK_NOFOLLOW))
                return -errno;
        /* Who may look at the bus may look at this; only the supervisor's user writes it. */
        struct file_perm perm = {.mode = (st.st_mode & 0444) | 0600, .uid = -1, .gid = -1};
        int fd = file_make_nameless(dirfd, sizeof(struct abi_sup_file), &perm);
        if (fd < 0)
                return fd;
        memset(file, 0, sizeof *file);
        file->head = (struct abi_head){
                .magic = ABI_MAGIC_SUP,
                .version = ABI_SUP_VERSION,
                .header_bytes = offsetof(struct abi_sup_file, info),
                .file_bytes = sizeof *file,
                .created_ns = wait_wall_ns(),
        };
        file->groups = ABI_SUP_GROUPS;
        file->members = ABI_SUP_MEMBERS;
        file->events = ABI_SUP_EVENTS;
        int rc = file_random(&file->head.id);
        if (rc == 0 && pwrite(fd, file, offsetof(struct abi_sup_file, info), 0) < 0)
                rc = -errno;
        if (rc == 0)
                rc = file_link(fd, dirfd, "supervisor");
        close(fd);
        return rc == -EEXIST ? 0 : rc; /* another was first: the lock decides */
}

static int sup_lock(struct torc_supervisor *s, int dirfd)
{
        int fd = file_open(dirfd, "supervisor", true);
        if (fd == -ENOENT) {
                int rc = sup_make(s->file, dirfd);
                if (rc)
                        return rc;
                fd = file_open(dirfd, "supervisor", true);
        }
        if (fd < 0)
                return fd;
        s->handle.fd[SUP_FD] = fd;
        int rc = file_try_lock(fd, ABI_LOCK_TABLE);
        return rc == -EAGAIN ? TORC_EBUSY : rc;
}

static int sup_introduce(struct torc_supervisor *s, const char *config, uint64_t closed)
{
        struct abi_sup_info info = {.pid = getpid(), .started_ns = wait_wall_ns(), .closed = closed};
        const struct abi_sup_info *old = sup_newest(s->file->info, sizeof info, NULL);
        if (closed && old)
                info = *old;
        info.closed = closed;
        if (config)
                snprintf(info.config, sizeof info.config, "%s", config);
        return sup_replace(s, s->file->info, &info, sizeof info);
}

/* The last supervisor ended in good order: its members are history, not to be adopted. */
static int sup_forget(struct torc_supervisor *s)
{
        const struct abi_sup_info *info = sup_newest(s->file->info, sizeof *info, NULL);
        int rc = 0;
        if (!info || !info->closed)
                return 0;
        for (size_t i = 0; i < ABI_SUP_MEMBERS && rc == 0; i++)
                rc = torc_supervisor_clear_member(s, i);
        return rc;
}

int torc_supervisor_open(struct torc_supervisor **out, struct torc_bus *bus, const char *config_path)
{
        int rc = handle_dead(&bus->handle);
        if (rc)
                return rc;
        struct torc_supervisor *s = calloc(1, sizeof *s);
        if (!s)
                return -ENOMEM;
        handle_init(&s->handle, NULL, NULL); /* no bus: closing the bus need not detach it */
        s->file = malloc(sizeof *s->file);
        rc = s->file ? handle_add(&s->handle) : -ENOMEM;
        if (rc)
                goto fail_free;
        rc = sup_lock(s, bus_dirfd(bus));
        if (rc == 0)
                rc = sup_fetch(s->handle.fd[SUP_FD], s->file);
        if (rc)
                goto fail_remove;
        s->events = sup_last_event(s->file);
        s->groups = ABI_SUP_GROUPS;
        rc = sup_forget(s);
        if (rc == 0)
                rc = sup_introduce(s, config_path, 0);
        if (rc)
                goto fail_remove;
        torc_supervisor_beat(s);
        *out = s;
        return 0;

fail_remove:
        handle_remove(&s->handle);
fail_free:
        free(s->file);
        free(s);
        return rc;
}

int torc_supervisor_finish(struct torc_supervisor *s)
{
        return sup_introduce(s, NULL, 1);
}

void torc_supervisor_close(struct torc_supervisor **supervisor)
{
        struct torc_supervisor *s = *supervisor;
        if (!s)
                return;
        *supervisor = NULL;
        handle_remove(&s->handle);
        free(s->file);
        free(s);
}

/* ---- what is published ----------------------------------------------------------------------------------- */

int torc_supervisor_load(struct torc_supervisor *s, struct torc_group_info *groups, size_t *n_groups,
                         struct torc_member_info *members, size_t *n_members)
{
        size_t n = 0;
        *n_groups = sup_groups(s->file, groups, *n_groups);
        for (size_t i = 0; i < ABI_SUP_MEMBERS && i < *n_members; i++) {
                const struct abi_sup_member *m = sup_newest(s->file->member[i], sizeof *m, NULL);
                members[i] = (struct torc_member_info){0};
                if (m && sup_decode_member(&members[i], m))
                        n = i + 1;
        }
        *n_members = n;
        return 0;
}

int torc_supervisor_set_groups(struct torc_supervisor *s, const struct torc_group_info *groups, size_t n)
{
        int rc = n > ABI_SUP_GROUPS ? -EINVAL : 0;
        for (size_t i = 0; i < n && rc == 0; i++) {
                struct abi_sup_group entry;
                sup_encode_group(&entry, &groups[i]);
                rc = sup_replace(s, s->file->group[i], &entry, sizeof entry);
        }
        for (size_t i = n; i < s->groups && rc == 0; i++) {
                struct abi_sup_group none = {.used = 0};
                rc = sup_replace(s, s->file->group[i], &none, sizeof none);
        }
        if (rc == 0)
                s->groups = n;
        return rc;
}

int torc_supervisor_set_member(struct torc_supervisor *s, size_t index, const struct torc_member_info *m)
{
        struct abi_sup_member entry;
        if (index >= ABI_SUP_MEMBERS)
                return -EINVAL;
        sup_encode_member(&entry, m);
        return sup_replace(s, s->file->member[index], &entry, sizeof entry);
}

int torc_supervisor_clear_member(struct torc_supervisor *s, size_t index)
{
        struct abi_sup_member none = {.used = 0};
        if (index >= ABI_SUP_MEMBERS)
                return -EINVAL;
        const struct abi_sup_member *now = sup_newest(s->file->member[index], sizeof *now, NULL);
        if (!now || !now->used)
                return 0;
        return sup_replace(s, s->file->member[index], &none, sizeof none);
}

void torc_supervisor_beat(struct torc_supervisor *s)
{
        int64_t now = wait_wall_ns();
        sup_store(s, &s->file->beat_ns, &now, sizeof now);
}

void torc_supervisor_event(struct torc_supervisor *s, enum torc_event_kind kind, const char *format, ...)
{
        struct abi_sup_event event = {.time_ns = wait_wall_ns(), .kind = (uint32_t)kind};
        va_list args;
        va_start(args, format);
        vsnprintf(event.text, sizeof event.text, format, args);
        va_end(args);
        uint64_t sequence = ++s->events;
        struct abi_sup_event *target = &s->file->event[(sequence - 1) % ABI_SUP_EVENTS];
        sup_stamp(&event, sizeof event, sequence);
        sup_store(s, target, &event, sizeof event);
}
