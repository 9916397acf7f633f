/*
 * access.h - who may produce: granting, waiting, fencing, detaching.
 */
#ifndef TORC_ACCESS_H
#define TORC_ACCESS_H

#include "stream.h"

int access_attach(struct stream *s, const char *name, enum torc_access mode, uint32_t *slot, uint64_t *gen);
int access_try_own(struct stream *s, uint32_t slot, uint64_t gen, uint32_t *place);
void access_detach(struct stream *s, uint32_t slot, uint64_t gen);
int access_fence_all(struct stream *s, uint32_t *epoch);

#endif
