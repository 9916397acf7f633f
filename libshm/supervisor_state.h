/*
 * supervisor_state.h - reading the file `supervisor` of a bus.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORC_SUPERVISOR_STATE_H
#define TORC_SUPERVISOR_STATE_H

#include "torc_admin.h"

#include <stddef.h>

/*
 * supstate_read - copy out what a supervisor has published. Takes no lock, maps nothing, believes nothing.
 *
 * dirfd        the bus's directory.
 * info         out: known is false when there is no such file; error tells why it cannot be read.
 * groups, members, events, n_*   out: arrays for free(3), NULL when empty; each may be NULL. Events oldest first.
 *
 * Returns 0, or -ENOMEM with nothing to free.
 */
int supstate_read(int dirfd, struct torc_supervisor_info *info, struct torc_group_info **groups, size_t *n_groups,
                  struct torc_member_info **members, size_t *n_members, struct torc_event_info **events,
                  size_t *n_events);

#endif
