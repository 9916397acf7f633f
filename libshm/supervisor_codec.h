/*
 * supervisor_codec.h - what reader and writer of the file `supervisor` share. Used by supervisor_*.c only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_SUPERVISOR_CODEC_H
#define TORC_SUPERVISOR_CODEC_H

#include "abi_supervisor.h"
#include "torc_admin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A copy's turn and checksum. sup_turn() is 0 for a copy that is not sound. */
void sup_stamp(void *copy, size_t size, uint64_t turn);
uint64_t sup_turn(const void *copy, size_t size);
/* The newer sound copy of a record, or NULL; *turn (or NULL) becomes its turn, 0 for none. */
const void *sup_newest(const void *pair, size_t size, uint64_t *turn);

/* Entries to bytes (without the stamp) and back; back is false for unused and for senseless ones. */
void sup_encode_group(struct abi_sup_group *to, const struct torc_group_info *from);
bool sup_decode_group(struct torc_group_info *to, const struct abi_sup_group *from);
void sup_encode_member(struct abi_sup_member *to, const struct torc_member_info *from);
bool sup_decode_member(struct torc_member_info *to, const struct abi_sup_member *from);

/* Read the whole file into private memory and check its head. Returns 0, TORC_ECORRUPT, TORC_EVERSION or -errno. */
int sup_fetch(int fd, struct abi_sup_file *file);
size_t sup_groups(const struct abi_sup_file *file, struct torc_group_info *groups, size_t cap);
uint64_t sup_last_event(const struct abi_sup_file *file); /* sequence number, 0: none */

#endif
