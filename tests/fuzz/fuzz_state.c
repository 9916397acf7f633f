/*
 * fuzz_state.c - the reader of a bus's `supervisor` file (libshm/supervisor_state.c), as torctop and the next torcd use
 * it.
 *
 * A sound file with groups, members and events is changed by the input: bytes anywhere, fields of entries, the head,
 * its length, with the entries' checksums made right again or not. The invariant S2 of supervisor_state.c must hold:
 * whatever comes out is a string that ends and has no control characters, a count or a state that can be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "abi_supervisor.h"
#include "private.h"
#include "supervisor_codec.h"
#include "supervisor_state.h"

#include <sys/mman.h>

#define STATE_GROUPS 3
#define STATE_MEMBERS 4
#define STATE_EVENTS 6

static struct abi_sup_file *pristine, *file; /* in memory; the map of what is read */
static int state_dir, state_fd;

/* ---- the sound file -------------------------------------------------------------------------------------- */

static void state_group(struct abi_sup_file *f, size_t i)
{
        struct torc_group_info info = {.access = (uint32_t)i, .restart = 1, .count = 2, .configured = 2};
        snprintf(info.name, sizeof info.name, "group%zu", i);
        snprintf(info.stream, sizeof info.stream, "prices");
        snprintf(info.command, sizeof info.command, "/bin/feed --fast");
        for (uint64_t turn = 1; turn <= 2; turn++) {
                sup_encode_group(&f->group[i][turn & 1], &info);
                sup_stamp(&f->group[i][turn & 1], sizeof f->group[i][0], turn);
        }
}

static void state_member(struct abi_sup_file *f, size_t i)
{
        struct torc_member_info info = {.index = (uint32_t)i, .state = TORC_MEMBER_RUNNING, .wanted = true, .pid = 77,
                                        .start_ticks = 5, .restarts = 3, .recent = 1, .last_status = 9};
        snprintf(info.group, sizeof info.group, "group%zu", i % STATE_GROUPS);
        snprintf(info.cause, sizeof info.cause, "was killed by SIGKILL");
        sup_encode_member(&f->member[i][1], &info);
        sup_stamp(&f->member[i][1], sizeof f->member[i][1], 1);
}

static void state_make(struct abi_sup_file *f)
{
        f->head = (struct abi_head){.magic = ABI_MAGIC_SUP, .version = ABI_SUP_VERSION, .file_bytes = sizeof *f,
                                    .header_bytes = offsetof(struct abi_sup_file, info)};
        f->groups = ABI_SUP_GROUPS, f->members = ABI_SUP_MEMBERS, f->events = ABI_SUP_EVENTS;
        f->info[0].pid = 4711;
        snprintf(f->info[0].config, sizeof f->info[0].config, "/etc/torc.ini");
        sup_stamp(&f->info[0], sizeof f->info[0], 1);
        for (size_t i = 0; i < STATE_GROUPS; i++)
                state_group(f, i);
        for (size_t i = 0; i < STATE_MEMBERS; i++)
                state_member(f, i);
        for (size_t i = 0; i < STATE_EVENTS; i++) {
                f->event[i].kind = TORC_EVENT_STARTED;
                snprintf(f->event[i].text, sizeof f->event[i].text, "group0-%zu started", i);
                sup_stamp(&f->event[i], sizeof f->event[i], i + 1);
        }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc, (void)argv;
        pristine = calloc(1, sizeof *pristine);
        MUST(pristine);
        state_make(pristine);
        state_dir = open(private_make(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        state_fd = openat(state_dir, "supervisor", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        MUST(state_fd >= 0 && ftruncate(state_fd, sizeof *file) == 0);
        file = mmap(NULL, sizeof *file, PROT_READ | PROT_WRITE, MAP_SHARED, state_fd, 0);
        MUST(file != MAP_FAILED);
        return 0;
}

/* ---- changes --------------------------------------------------------------------------------------------- */

/* An entry: of it a word or a run of bytes, and its stamp. */
static void state_change_entry(struct input *in, void *entry, size_t size)
{
        uint64_t word, turn;
        memcpy(&turn, entry, sizeof turn);
        size_t at = take_below(in, size - sizeof word), n = take8(in);
        if (n & 1) {
                memcpy(&word, (char *)entry + at, sizeof word);
                word = take_word(in, word);
                memcpy((char *)entry + at, &word, sizeof word);
        } else {
                take_bytes(in, (char *)entry + at, n / 2 < size - at ? n / 2 : size - at);
        }
        if (take8(in) & 3)
                sup_stamp(entry, size, take_word(in, turn));
}

static void state_change(struct input *in)
{
        switch (take8(in) % 6) {
        case 0: {
                size_t i = take_below(in, 8) ? take_below(in, STATE_GROUPS) : ABI_SUP_GROUPS - 1;
                state_change_entry(in, &file->group[i][take8(in) & 1], sizeof file->group[0][0]);
                break;
        }
        case 1: {
                size_t i = take_below(in, 8) ? take_below(in, STATE_MEMBERS) : ABI_SUP_MEMBERS - 1;
                state_change_entry(in, &file->member[i][take8(in) & 1], sizeof file->member[0][0]);
                break;
        }
        case 2: {
                size_t i = take_below(in, 8) ? take_below(in, STATE_EVENTS) : ABI_SUP_EVENTS - 1;
                state_change_entry(in, &file->event[i], sizeof file->event[0]);
                break;
        }
        case 3:
                state_change_entry(in, &file->info[take8(in) & 1], sizeof file->info[0]);
                break;
        case 4: {
                uint64_t word;
                size_t at = 8 * take_below(in, 16);
                memcpy(&word, (char *)file + at, sizeof word);
                word = take_word(in, word);
                memcpy((char *)file + at, &word, sizeof word);
                break;
        }
        default: {
                size_t at = (size_t)take64(in) % sizeof *file, n = take8(in);
                take_bytes(in, (char *)file + at, n < sizeof *file - at ? n : sizeof *file - at);
        }
        }
}

/* ---- what comes out -------------------------------------------------------------------------------------- */

static void state_text(const char *text, size_t cap)
{
        size_t len = strnlen(text, cap);
        MUST(len < cap);
        for (size_t i = 0; i < len; i++)
                MUST((unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}
#define TEXT(field) state_text(field, sizeof(field))

static void state_check(const struct torc_supervisor_info *info, const struct torc_group_info *g, size_t n_g,
                        const struct torc_member_info *m, size_t n_m, const struct torc_event_info *e, size_t n_e)
{
        MUST(info->known && !info->alive && n_g <= TORC_MAX_GROUPS && n_m <= TORC_MAX_MEMBERS && n_e <= TORC_MAX_EVENTS);
        MUST(!info->error || (!n_g && !n_m && !n_e));
        MUST(info->pid >= 0 && info->started_ns >= 0 && info->updated_ns >= 0);
        TEXT(info->config);
        for (size_t i = 0; i < n_g; i++) {
                MUST(g[i].access <= TORC_EXCLUSIVE_WITH_FENCING && g[i].restart <= 2 && g[i].name[0]);
                MUST(g[i].count <= TORC_MAX_MEMBERS && g[i].configured <= TORC_MAX_MEMBERS);
                TEXT(g[i].name), TEXT(g[i].stream), TEXT(g[i].command);
        }
        for (size_t i = 0; i < n_m; i++) {
                MUST(m[i].index < TORC_MAX_MEMBERS && (unsigned)m[i].state <= TORC_MEMBER_QUARANTINED);
                MUST(m[i].started_ns >= 0 && m[i].due_ns >= 0);
                MUST(m[i].pid >= 0 && m[i].pid <= INT32_MAX && m[i].group[0]);
                TEXT(m[i].group), TEXT(m[i].cause);
        }
        for (size_t i = 0; i < n_e; i++) {
                MUST(e[i].sequence && (i == 0 || e[i].sequence > e[i - 1].sequence));
                MUST(e[i].time_ns >= 0);
                TEXT(e[i].text);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct torc_supervisor_info info;
        struct torc_group_info *g;
        struct torc_member_info *m;
        struct torc_event_info *e;
        size_t n_g, n_m, n_e;
        off_t cut = take8(&in) % 16 == 15 ? (off_t)(take64(&in) % (2 * sizeof *file)) : (off_t)sizeof *file;
        memcpy(file, pristine, sizeof *file);
        for (size_t n = 0; n < 16 && in.left; n++)
                state_change(&in);
        MUST(ftruncate(state_fd, cut) == 0);
        MUST(supstate_read(state_dir, &info, &g, &n_g, &m, &n_m, &e, &n_e) == 0);
        MUST(ftruncate(state_fd, sizeof *file) == 0);
        state_check(&info, g, n_g, m, n_m, e, n_e);
        free(g), free(m), free(e);
        return 0;
}
