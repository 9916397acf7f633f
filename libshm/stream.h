/*
 * stream.h - a stream as a producer, a consumer or a reaper has it open: its ctl file, its lock, its segments.
 */
#ifndef TORC_STREAM_H
#define TORC_STREAM_H

#include "bus.h"
#include "ring.h"
#include "torc_admin.h"
#include "wait.h"

#define STREAM_LOCK_NS 10000000000 /* an attach, a hand-over or a growth waits this long for another's; an opener tries
                                    * this long to open what others remove meanwhile */
#define STREAM_LEAVE_NS 2000000000 /* a detach this long: then it does what it can without the lock */
/* With its metadata, or as the padding before it, a message's length has to fit the 32 bits of a frame's. */
#define STREAM_MESSAGE_MAX (UINT32_MAX - 65536u)
#define STREAM_CHAIN_LONG 4        /* segments behind the present one: then it is worth a look whether their readers live */
#define STREAM_FILE_MAX 32         /* bytes of a file's name in a stream's directory */

enum { STREAM_FD_LOCK = 0, STREAM_FD_DIR = 1 }; /* indices into the owning handle's fd[] */

struct stream {
        struct torc_bus *bus;
        struct handle *handle; /* owns the descriptors */
        struct abi_ctl *ctl;
        char name[TORC_NAME_MAX + 1];
};

/* A mapped segment. */
struct segment {
        struct ring ring;
        void *map;
        uint64_t bytes;
};

/* A multi-step change of the ctl file, in the making. */
struct change {
        struct abi_redo redo;
        int prepared; /* descriptor of the nameless file that becomes redo.link, or -1 */
};

int stream_open(struct stream *s, struct torc_bus *bus, struct handle *handle, const char *name,
                const struct torc_stream_config *config, unsigned flags, bool *created);
void stream_close(struct stream *s);
void stream_let_go(struct stream *s);
void stream_empty(int fd);
int stream_take_away(struct torc_bus *bus, const char *dir, int fd);

int stream_lock(struct stream *s, int64_t deadline);
int stream_lock_or_cancel(struct stream *s, int64_t deadline);
void stream_unlock(struct stream *s);

void change_init(struct change *c);
void change_word(struct change *c, struct stream *s, _Atomic uint64_t *word, uint64_t value);
int change_successor(struct change *c, struct stream *s, uint64_t capacity, uint32_t epoch);
int change_apply(struct change *c, struct stream *s);
void change_drop(struct change *c);

/* What a segment is mapped for. */
enum segment_use {
        SEGMENT_LOOK,    /* read-only, for a moment */
        SEGMENT_CONSUME, /* read-only, for long */
        SEGMENT_MEND,    /* writable, for a moment */
        SEGMENT_PRODUCE, /* writable, for long */
};
int segment_open(struct segment *seg, struct stream *s, uint64_t number, enum segment_use use);
void segment_close(struct segment *seg);
int segment_recover(struct stream *s, uint64_t number, uint64_t position);
int segment_reap(struct stream *s, uint64_t number, unsigned slot, uint32_t *holes);

uint64_t stream_first(struct stream *s);
void stream_reclaim(struct stream *s);
bool stream_reap_needed(const struct stream *s);
int stream_reap(struct stream *s, struct torc_reaped *reaped);
int stream_reap_producers(struct stream *s, struct torc_reaped *reaped);
int stream_reap_consumers(struct stream *s, struct torc_reaped *reaped);

int stream_retire_producer(struct stream *s, unsigned slot);
int stream_retire_consumer(struct stream *s, unsigned slot);

uint64_t stream_total(struct stream *s);
uint32_t stream_count_consumers(const struct stream *s, uint32_t enough, const char *tags, bool sure);
bool stream_producer_alive(const struct stream *s, unsigned slot);
bool stream_consumer_alive(const struct stream *s, unsigned slot);
void stream_wake_consumers(struct stream *s);
void stream_wake_all(struct stream *s);
void stream_members_changed(struct stream *s);

int stream_from_ring(enum ring_result result);

/* FNV-1a over bytes that must not have changed: enough to notice damage, no defence against forgery. Never 0. */
static inline uint64_t stream_checksum(const void *from, const void *to)
{
        uint64_t h = 0xcbf29ce484222325ull;
        for (const unsigned char *p = from; p < (const unsigned char *)to; p++)
                h = (h ^ *p) * 0x100000001b3ull;
        return h ? h : 1;
}

static inline uint64_t stream_state(const struct stream *s)
{
        /* [chain.r] acquire, pairs with [chain.w]. */
        return atomic_load_explicit(&s->ctl->state, memory_order_acquire);
}

static inline uint64_t stream_current(const struct stream *s)
{
        /* [chain.r] acquire, pairs with [chain.w]: the segment's file is in place. */
        return atomic_load_explicit(&s->ctl->current, memory_order_acquire);
}

#endif
