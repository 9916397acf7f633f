/*
 * supervisor_state.c - the file `supervisor` of a bus: entries as bytes, and reading them.
 *
 * abi_supervisor.h has the picture. A reader fetches the file with pread(2) into private memory and only then looks
 * at it. It may catch a copy while it is written: the checksum tells, and the other copy of the entry is whole.
 *
 * Invariants
 *   S1  the copy that is overwritten is never the newest sound one.
 *   S2  no string, count or state leaves here unchecked, whatever the bytes are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "supervisor_state.h"

#include "file.h"
#include "supervisor_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- copies ---------------------------------------------------------------------------------------------- */

/* FNV-1a: every step is a bijection, so that one wrong byte always shows. */
static uint64_t sup_checksum(const void *copy, size_t size)
{
        const unsigned char *p = copy;
        uint64_t h = 0xcbf29ce484222325ull;
        for (size_t i = 0; i < size; i++) {
                if (i >= offsetof(struct abi_sup_stamp, checksum) && i < sizeof(struct abi_sup_stamp))
                        continue;
                h = (h ^ p[i]) * 0x100000001b3ull;
        }
        return h;
}

void sup_stamp(void *copy, size_t size, uint64_t turn)
{
        struct abi_sup_stamp stamp = {.turn = turn};
        memcpy(copy, &stamp, sizeof stamp);
        stamp.checksum = sup_checksum(copy, size);
        memcpy(copy, &stamp, sizeof stamp);
}

uint64_t sup_turn(const void *copy, size_t size)
{
        struct abi_sup_stamp stamp;
        memcpy(&stamp, copy, sizeof stamp);
        return stamp.turn && stamp.checksum == sup_checksum(copy, size) ? stamp.turn : 0;
}

const void *sup_newest(const void *pair, size_t size, uint64_t *turn)
{
        const char *copy = pair;
        uint64_t a = sup_turn(copy, size), b = sup_turn(copy + size, size);
        if (turn)
                *turn = a > b ? a : b;
        if (a == 0 && b == 0)
                return NULL;
        return a > b ? copy : copy + size;
}

/* ---- entries --------------------------------------------------------------------------------------------- */

/* Bytes of others to a string for people: it ends, and holds no control characters. */
static void sup_text(char *to, size_t cap, const char *from, size_t size)
{
        size_t n = 0;
        for (; n + 1 < cap && n < size && from[n]; n++)
                to[n] = (unsigned char)from[n] < ' ' || from[n] == 0x7f ? '?' : from[n];
        to[n] = '\0';
}

/* A time of others: never before 1970, so that the difference of two fits. */
static int64_t sup_time(int64_t ns)
{
        return ns > 0 ? ns : 0;
}

/* The other way: cut to the field, the rest of it zero, so that equal entries are equal bytes. */
static void sup_field(char *to, size_t size, const char *from)
{
        size_t n = strnlen(from, size - 1);
        memset(to, 0, size);
        memcpy(to, from, n);
}

void sup_encode_group(struct abi_sup_group *to, const struct torc_group_info *from)
{
        *to = (struct abi_sup_group){
                .used = 1,
                .access = from->access,
                .restart = from->restart,
                .count = from->count,
                .configured = from->configured,
        };
        sup_field(to->name, sizeof to->name, from->name);
        sup_field(to->stream, sizeof to->stream, from->stream);
        sup_field(to->command, sizeof to->command, from->command);
}

bool sup_decode_group(struct torc_group_info *to, const struct abi_sup_group *from)
{
        if (from->used != 1 || from->access > TORC_EXCLUSIVE_WITH_FENCING || from->restart > 2 ||
            from->count > TORC_MAX_MEMBERS || from->configured > TORC_MAX_MEMBERS || !from->name[0])
                return false;
        to->access = from->access;
        to->restart = from->restart;
        to->count = from->count;
        to->configured = from->configured;
        sup_text(to->name, sizeof to->name, from->name, sizeof from->name);
        sup_text(to->stream, sizeof to->stream, from->stream, sizeof from->stream);
        sup_text(to->command, sizeof to->command, from->command, sizeof from->command);
        return true;
}

void sup_encode_member(struct abi_sup_member *to, const struct torc_member_info *from)
{
        *to = (struct abi_sup_member){
                .used = 1,
                .index = from->index,
                .state = (uint32_t)from->state,
                .restarts = from->restarts,
                .recent = from->recent,
                .backoff_ms = from->backoff_ms,
                .last_status = from->last_status,
                .wanted = from->wanted,
                .pid = from->pid,
                .start_ticks = from->start_ticks,
                .started_ns = from->started_ns,
                .due_ns = from->due_ns,
                .log_dropped = from->log_dropped,
        };
        sup_field(to->group, sizeof to->group, from->group);
        sup_field(to->cause, sizeof to->cause, from->cause);
}

bool sup_decode_member(struct torc_member_info *to, const struct abi_sup_member *from)
{
        if (from->used != 1 || from->index >= TORC_MAX_MEMBERS || from->state > TORC_MEMBER_QUARANTINED ||
            from->pid < 0 || from->pid > INT32_MAX || !from->group[0])
                return false;
        to->index = from->index;
        to->state = (enum torc_member_state)from->state;
        to->wanted = from->wanted != 0;
        to->pid = from->pid;
        to->start_ticks = from->start_ticks;
        to->started_ns = sup_time(from->started_ns);
        to->due_ns = sup_time(from->due_ns);
        to->restarts = from->restarts;
        to->recent = from->recent;
        to->backoff_ms = from->backoff_ms;
        to->last_status = from->last_status;
        to->log_dropped = from->log_dropped;
        sup_text(to->group, sizeof to->group, from->group, sizeof from->group);
        sup_text(to->cause, sizeof to->cause, from->cause, sizeof from->cause);
        return true;
}

/* ---- the file -------------------------------------------------------------------------------------------- */

int sup_fetch(int fd, struct abi_sup_file *file)
{
        struct stat st;
        if (fstat(fd, &st))
                return -errno;
        if (!S_ISREG(st.st_mode))
                return TORC_ECORRUPT;
        memset(file, 0, sizeof *file);
        for (size_t have = 0; have < sizeof *file;) {
                ssize_t n = pread(fd, (char *)file + have, sizeof *file - have, (off_t)have);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                have += (size_t)n;
        }
        if (atomic_load_explicit(&file->head.magic, memory_order_relaxed) != ABI_MAGIC_SUP) /* private: no order */
                return TORC_ECORRUPT;
        if (file->head.version != ABI_SUP_VERSION)
                return TORC_EVERSION;
        if (st.st_size != sizeof *file || file->head.file_bytes != sizeof *file || file->head.features ||
            file->head.header_bytes != offsetof(struct abi_sup_file, info) || file->groups != ABI_SUP_GROUPS ||
            file->members != ABI_SUP_MEMBERS || file->events != ABI_SUP_EVENTS)
                return TORC_ECORRUPT;
        return 0;
}

size_t sup_groups(const struct abi_sup_file *file, struct torc_group_info *groups, size_t cap)
{
        size_t n = 0;
        for (size_t i = 0; i < ABI_SUP_GROUPS && n < cap; i++) {
                const struct abi_sup_group *g = sup_newest(file->group[i], sizeof *g, NULL);
                if (g && sup_decode_group(&groups[n], g))
                        n++;
        }
        return n;
}

static size_t sup_members(const struct abi_sup_file *file, struct torc_member_info *members)
{
        size_t n = 0;
        for (size_t i = 0; i < ABI_SUP_MEMBERS; i++) {
                const struct abi_sup_member *m = sup_newest(file->member[i], sizeof *m, NULL);
                if (m && sup_decode_member(&members[n], m))
                        n++;
        }
        return n;
}

uint64_t sup_last_event(const struct abi_sup_file *file)
{
        uint64_t last = 0;
        for (size_t i = 0; i < ABI_SUP_EVENTS; i++) {
                uint64_t turn = sup_turn(&file->event[i], sizeof file->event[i]);
                if (turn > last && (turn - 1) % ABI_SUP_EVENTS == i)
                        last = turn;
        }
        return last;
}

static size_t sup_events(const struct abi_sup_file *file, struct torc_event_info *events)
{
        size_t n = 0;
        uint64_t last = sup_last_event(file);
        uint64_t first = last > ABI_SUP_EVENTS ? last - ABI_SUP_EVENTS + 1 : 1;
        for (uint64_t sequence = first; sequence && sequence <= last; sequence++) {
                const struct abi_sup_event *e = &file->event[(sequence - 1) % ABI_SUP_EVENTS];
                if (sup_turn(e, sizeof *e) != sequence)
                        continue;
                events[n].sequence = sequence;
                events[n].time_ns = sup_time(e->time_ns);
                events[n].kind = e->kind;
                sup_text(events[n].text, sizeof events[n].text, e->text, sizeof e->text);
                n++;
        }
        return n;
}

static void sup_info(int fd, const struct abi_sup_file *file, struct torc_supervisor_info *info)
{
        const struct abi_sup_info *i = sup_newest(file->info, sizeof *i, NULL);
        bool held = false;
        info->alive = file_lock_held(fd, ABI_LOCK_TABLE, &held) == 0 && held;
        info->updated_ns = sup_time(file->beat_ns);
        if (!i)
                return;
        info->pid = i->pid > 0 && i->pid <= INT32_MAX ? i->pid : 0;
        info->started_ns = sup_time(i->started_ns);
        sup_text(info->config, sizeof info->config, i->config, sizeof i->config);
}

/* An array of n elements, in a block cut down to them; NULL for none. */
static void *sup_trim(void *array, size_t n, size_t size)
{
        if (n == 0) {
                free(array);
                return NULL;
        }
        void *less = realloc(array, n * size);
        return less ? less : array;
}

#define SUP_TAKE(out, n_out, cap, type, call)                                                                      \
        do {                                                                                                       \
                struct type *array = calloc(cap, sizeof *array);                                                   \
                if (!array)                                                                                        \
                        goto fail_nomem;                                                                           \
                n_out = call;                                                                                      \
                out = sup_trim(array, n_out, sizeof *array);                                                       \
        } while (0)

int supstate_read(int dirfd, struct torc_supervisor_info *info, struct torc_group_info **groups, size_t *n_groups,
                  struct torc_member_info **members, size_t *n_members, struct torc_event_info **events,
                  size_t *n_events)
{
        struct torc_group_info *g = NULL;
        struct torc_member_info *m = NULL;
        struct torc_event_info *e = NULL;
        size_t n_g = 0, n_m = 0, n_e = 0;
        *info = (struct torc_supervisor_info){0};
        struct abi_sup_file *file = malloc(sizeof *file);
        /* O_NONBLOCK: what stands there may be a FIFO. */
        int fd = openat(dirfd, "supervisor", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (!file)
                goto fail_nomem;
        info->known = fd >= 0 || errno != ENOENT;
        info->error = fd >= 0 ? sup_fetch(fd, file) : info->known ? -errno : 0;
        if (fd >= 0 && info->error == 0) {
                sup_info(fd, file, info);
                if (groups)
                        SUP_TAKE(g, n_g, ABI_SUP_GROUPS, torc_group_info, sup_groups(file, array, ABI_SUP_GROUPS));
                if (members)
                        SUP_TAKE(m, n_m, ABI_SUP_MEMBERS, torc_member_info, sup_members(file, array));
                if (events)
                        SUP_TAKE(e, n_e, ABI_SUP_EVENTS, torc_event_info, sup_events(file, array));
        }
        if (groups)
                *groups = g, *n_groups = n_g;
        if (members)
                *members = m, *n_members = n_m;
        if (events)
                *events = e, *n_events = n_e;
        if (fd >= 0)
                close(fd);
        free(file);
        return 0;

fail_nomem:
        free(g);
        free(m);
        free(e);
        if (fd >= 0)
                close(fd);
        free(file);
        return -ENOMEM;
}
