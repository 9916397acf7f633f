/*
 * name.h - checks on names, labels and tags that the library makes for itself. The public ones are in torc.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_NAME_H
#define TORC_NAME_H

#include <stdbool.h>

/* name_check_label - a bus, peer, producer or consumer name: 1 to 63 bytes of UTF-8 without '/' and control
 * characters, and neither "." nor "..". NULL is as bad as "". Returns 0 or TORC_ENAME. */
int name_check_label(const char *label);

/* tags_check - a comma-separated list of at most 127 bytes: UTF-8, no control characters, no empty tag, no blank
 * beside a comma or an end ("a, b" would make a tag that nobody ever carries). NULL and "" are the empty list.
 * Returns 0 or TORC_ETAGS. */
int tags_check(const char *tags);

/* tags_carry_all - does the list `have` hold every tag of the list `need`? Made for bytes in shared memory: reads
 * at most TORC_TAGS_MAX + 1 bytes of each, with or without a NUL, and skips empty tags. */
bool tags_carry_all(const char *have, const char *need);

#endif
