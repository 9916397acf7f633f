/*
 * snapshot.c - giving a snapshot back, and the words for what stands in it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_admin.h"

#include <stdlib.h>

void torc_snapshot_free(struct torc_snapshot **snapshot_p)
{
        struct torc_snapshot *snapshot = *snapshot_p;
        if (!snapshot)
                return;
        *snapshot_p = NULL;
        for (size_t i = 0; i < snapshot->n_streams; i++) {
                struct torc_stream_info *s = &snapshot->streams[i];
                free(s->producers);
                free(s->consumers);
                free(s->waiters);
                free(s->segments);
        }
        free(snapshot->peers);
        free(snapshot->streams);
        free(snapshot->groups);
        free(snapshot->members);
        free(snapshot->events);
        free(snapshot);
}

const char *torc_loss_word(enum torc_loss cause)
{
        static const char *const word[TORC_LOSS_COUNT] = {
#define TORC_X(name, text, meaning) [name] = text,
                TORC_LOSSES(TORC_X)
#undef TORC_X
        };
        return (unsigned)cause < TORC_LOSS_COUNT ? word[cause] : "?";
}

const char *torc_member_state_word(enum torc_member_state state)
{
        static const char *const word[] = {
                [TORC_MEMBER_STOPPED] = "stopped",         [TORC_MEMBER_DELAYED] = "delayed",
                [TORC_MEMBER_RUNNING] = "running",         [TORC_MEMBER_STOPPING] = "stopping",
                [TORC_MEMBER_QUARANTINED] = "quarantined",
        };
        return (unsigned)state < sizeof word / sizeof *word ? word[state] : "?";
}
