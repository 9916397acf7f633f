/*
 * limit.h - how far producers may go: the licence to overwrite, and what happens to those who hold it back.
 */
#ifndef TORC_LIMIT_H
#define TORC_LIMIT_H

#include "stream.h"

/* What keeps a claim from fitting. */
enum limit_bar {
        LIMIT_NONE = 0, /* nothing: claim */
        LIMIT_CONSUMER, /* a consumer that has not read so far */
        LIMIT_CLAIM,    /* a claim in progress, a whole ring back; readers may stand before it */
};

/* A place in the chain. At the end of a segment it is at the beginning of the next one, too. */
struct limit_place {
        uint64_t segment, position;
};

enum limit_bar limit_refresh(struct stream *s, const struct segment *seg, uint64_t need);
bool limit_read_by_all(const struct stream *s, uint64_t position);
int limit_kick_laggards(struct stream *s, const struct segment *seg, uint64_t need, int64_t deadline);
int limit_grow(struct stream *s, const struct segment *seg, uint64_t bytes, int64_t deadline);
uint64_t limit_count(struct stream *s, struct limit_place *at, uint64_t until, bool over);
int limit_kick(struct stream *s, unsigned slot);

#endif
