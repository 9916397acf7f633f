/*
 * meta.h - the metadata block of a message: properties and event time, encoded in front of the payload.
 *
 *   0           4            5       6        8                 16 (8 without event time)
 *   +-----------+------------+-------+--------+-----------------+---------------------------------------+------+
 *   | u32 bytes | u8 n_props | u8    | u16 0  | i64 event time  | per property: u16 key_len, u16 val_len,| zero |
 *   | (of all)  |            | flags |        | if META_TIME    | key bytes, value bytes                | pad 8|
 *   +-----------+------------+-------+--------+-----------------+---------------------------------------+------+
 *
 * In the machine's byte order. A reader stands in memory that a hostile or lapped producer may write at any time:
 * each length is read once into a local, checked against what is left, and only the local is used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_META_H
#define TORC_META_H

#include "torc.h"

#define META_HEADER_BYTES 8u
#define META_FLAG_TIME    1u

/* meta_size - bytes of the encoded block, a multiple of 8; 0 when meta is NULL or says nothing.
 * Returns 0; TORC_EMETA: above TORC_META_MAX, more than 255 properties, or a NULL among keys and values. */
int meta_size(const struct torc_meta *meta, size_t *size);

/* meta_encode - write the block of `size` bytes, as meta_size() gave it; never more. size 0 writes nothing. */
void meta_encode(const struct torc_meta *meta, size_t size, unsigned char *block);

/* meta_block_size - how long is the block that begins at p, with `available` bytes before it must have ended?
 * Returns 0 or TORC_ECORRUPT. */
int meta_block_size(const unsigned char *p, size_t available, size_t *size);

#endif
