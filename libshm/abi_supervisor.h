/*
 * abi_supervisor.h - the layout of <root>/<bus>/supervisor: groups and members as the supervisor sees them.
 *
 *   0       64         1K                                                                        end
 *   +-------+----------+--------------+--------------------+-----------------------+---------------------+
 *   | head  | beat     | info record  | group record[128]  | member record[1024]   | event[512], a ring  |
 *   +-------+----------+--------------+--------------------+-----------------------+---------------------+
 *
 *   record = two copies of an entry. Each copy begins {turn, checksum over turn and content}.
 *
 * The file is read and written with pread(2) and pwrite(2) and never mapped, so that cutting it short hurts nobody.
 * An entry is replaced by one pwrite over the copy with the lower turn; a reader takes the sound copy with the
 * higher one. Whoever dies in the middle of a write leaves the entry as it was before.
 *
 * W the supervisor, which holds the lock ABI_LOCK_TABLE on the file from start to death; R all. A change here
 * raises ABI_SUP_VERSION.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_ABI_SUPERVISOR_H
#define TORC_ABI_SUPERVISOR_H

#include "abi.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ABI_MAGIC_SUP   0x0070757363726f74ull /* "torcsup\0" read as a little-endian word */
#define ABI_SUP_VERSION 1u
#define ABI_SUP_GROUPS  128u
#define ABI_SUP_MEMBERS 1024u
#define ABI_SUP_EVENTS  512u

/* Begins every copy. */
struct abi_sup_stamp {
        uint64_t turn; /* 0: never written; the higher of two is the newer */
        uint64_t checksum;
};

struct abi_sup_info {
        struct abi_sup_stamp stamp;
        int64_t pid;
        int64_t started_ns; /* CLOCK_REALTIME */
        uint64_t closed;    /* 1: the supervisor ended in good order and has no members */
        char config[256];   /* path of its torc.ini */
};
static_assert(sizeof(struct abi_sup_info) == 296, "layout");
static_assert(offsetof(struct abi_sup_info, stamp) == 0, "layout");
static_assert(offsetof(struct abi_sup_info, pid) == 16, "layout");
static_assert(offsetof(struct abi_sup_info, started_ns) == 24, "layout");
static_assert(offsetof(struct abi_sup_info, closed) == 32, "layout");
static_assert(offsetof(struct abi_sup_info, config) == 40, "layout");

struct abi_sup_group {
        struct abi_sup_stamp stamp;
        uint32_t used; /* 0: no group here */
        uint32_t access;
        uint32_t restart;
        uint32_t count;
        uint32_t configured;
        uint32_t reserved;
        char name[ABI_LABEL_BYTES];
        char stream[ABI_NAME_BYTES];
        char command[256];
};
static_assert(sizeof(struct abi_sup_group) == 568, "layout");
static_assert(offsetof(struct abi_sup_group, stamp) == 0, "layout");
static_assert(offsetof(struct abi_sup_group, used) == 16, "layout");
static_assert(offsetof(struct abi_sup_group, access) == 20, "layout");
static_assert(offsetof(struct abi_sup_group, restart) == 24, "layout");
static_assert(offsetof(struct abi_sup_group, count) == 28, "layout");
static_assert(offsetof(struct abi_sup_group, configured) == 32, "layout");
static_assert(offsetof(struct abi_sup_group, name) == 40, "layout");
static_assert(offsetof(struct abi_sup_group, stream) == 104, "layout");
static_assert(offsetof(struct abi_sup_group, command) == 312, "layout");

struct abi_sup_member {
        struct abi_sup_stamp stamp;
        uint32_t used; /* 0: no member here */
        uint32_t index;
        uint32_t state; /* enum torc_member_state */
        uint32_t restarts;
        uint32_t recent;
        uint32_t backoff_ms;
        int32_t last_status;
        uint32_t wanted;
        int64_t pid;
        uint64_t start_ticks;
        int64_t started_ns;
        int64_t due_ns;
        uint64_t log_dropped;
        char group[ABI_LABEL_BYTES];
        char cause[128];
};
static_assert(sizeof(struct abi_sup_member) == 280, "layout");
static_assert(offsetof(struct abi_sup_member, stamp) == 0, "layout");
static_assert(offsetof(struct abi_sup_member, used) == 16, "layout");
static_assert(offsetof(struct abi_sup_member, index) == 20, "layout");
static_assert(offsetof(struct abi_sup_member, state) == 24, "layout");
static_assert(offsetof(struct abi_sup_member, restarts) == 28, "layout");
static_assert(offsetof(struct abi_sup_member, recent) == 32, "layout");
static_assert(offsetof(struct abi_sup_member, backoff_ms) == 36, "layout");
static_assert(offsetof(struct abi_sup_member, last_status) == 40, "layout");
static_assert(offsetof(struct abi_sup_member, wanted) == 44, "layout");
static_assert(offsetof(struct abi_sup_member, pid) == 48, "layout");
static_assert(offsetof(struct abi_sup_member, start_ticks) == 56, "layout");
static_assert(offsetof(struct abi_sup_member, started_ns) == 64, "layout");
static_assert(offsetof(struct abi_sup_member, due_ns) == 72, "layout");
static_assert(offsetof(struct abi_sup_member, log_dropped) == 80, "layout");
static_assert(offsetof(struct abi_sup_member, group) == 88, "layout");
static_assert(offsetof(struct abi_sup_member, cause) == 152, "layout");

/* One copy only: an event that its writer did not live to finish never happened. Its turn is its sequence number.
 */
struct abi_sup_event {
        struct abi_sup_stamp stamp;
        int64_t time_ns; /* CLOCK_REALTIME */
        uint32_t kind;
        uint32_t reserved;
        char text[232];
};
static_assert(sizeof(struct abi_sup_event) == 264, "layout");
static_assert(offsetof(struct abi_sup_event, stamp) == 0, "layout");
static_assert(offsetof(struct abi_sup_event, time_ns) == 16, "layout");
static_assert(offsetof(struct abi_sup_event, kind) == 24, "layout");
static_assert(offsetof(struct abi_sup_event, text) == 32, "layout");

struct abi_sup_file {
        struct abi_head head;
        int64_t beat_ns;                  /* CLOCK_REALTIME; W at least once a second */
        uint32_t groups, members, events; /* sizes of the tables: ABI_SUP_* */
        uint32_t reserved0;
        uint64_t reserved1[117];
        struct abi_sup_info info[2];
        struct abi_sup_group group[ABI_SUP_GROUPS][2];
        struct abi_sup_member member[ABI_SUP_MEMBERS][2];
        struct abi_sup_event event[ABI_SUP_EVENTS]; /* index = (sequence - 1) mod ABI_SUP_EVENTS */
};
static_assert(offsetof(struct abi_sup_file, head) == 0, "layout");
static_assert(offsetof(struct abi_sup_file, beat_ns) == 64, "layout");
static_assert(offsetof(struct abi_sup_file, groups) == 72, "layout");
static_assert(offsetof(struct abi_sup_file, members) == 76, "layout");
static_assert(offsetof(struct abi_sup_file, events) == 80, "layout");
static_assert(offsetof(struct abi_sup_file, info) == 1024, "layout");
static_assert(offsetof(struct abi_sup_file, group) == 1024 + 592, "layout");
static_assert(offsetof(struct abi_sup_file, member) == 1616 + 568 * 256, "layout");
static_assert(offsetof(struct abi_sup_file, event) == 1616 + 568 * 256 + 280 * 2048, "layout");
static_assert(sizeof(struct abi_sup_file) == 1616 + 568 * 256 + 280 * 2048 + 264 * 512, "layout");

#endif
