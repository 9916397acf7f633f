/*
 * guard_map.h - see guard_map.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_GUARD_MAP_H
#define TORC_GUARD_MAP_H

#include <sys/types.h>

/* How many maps are open. */
long guard_maps(void);

#endif
