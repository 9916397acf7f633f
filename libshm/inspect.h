/*
 * inspect.h - what the parts of the inspector share. Used by inspect.c and snapshot_*.c only.
 *
 * The inspector is the bus's reader for monitors: it maps read-only, takes no lock, is no peer, and believes
 * nothing.
 *
 *   torc_inspector
 *     bus file      map, probe descriptor for F_OFD_GETLK
 *     stream[]      sorted by name, kept between takes: map of the ctl file, maps of segment headers
 *
 * Only the headers of segments are mapped (20 KiB each), never the frames: a thousand large streams cost address
 * space for their ctl files and little more. No descriptor is kept for a stream, so that the limit on open files is
 * no limit on streams; before a map is read, fstatat(2) confirms that the file behind it is still the same and as
 * long.
 */
#ifndef TORC_INSPECT_H
#define TORC_INSPECT_H

#include "abi.h"
#include "torc_admin.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define INSPECT_SEGMENTS                                                                                           \
        256u /* of one stream, the newest: a longer chain means that it is damaged or abandoned                    \
              */

/* A read-only map and the identity of the file behind it. */
struct inspect_map {
        const void *map; /* NULL: not mapped */
        size_t bytes;
        dev_t dev;
        ino_t ino;
};

struct inspect_segment {
        uint64_t number;
        struct inspect_map file;
};

struct inspect_stream {
        char name[TORC_NAME_MAX + 1];
        struct inspect_map ctl;
        struct inspect_segment *segment; /* by number */
        size_t n_segments, cap_segments;
        bool seen; /* by the take in progress */
};

struct torc_inspector {
        char path[4096];
        char bus[TORC_LABEL_MAX + 1];
        DIR *dir;  /* of the bus */
        int probe; /* the bus file, never mapped: liveness is asked here */
        struct inspect_map bus_file;
        struct inspect_stream *stream; /* sorted by name */
        size_t n_streams, cap_streams;
        struct torc_peer_info *peers; /* of the take in progress; borrowed */
        uint32_t peer_at[ABI_PEERS];  /* slot -> index in peers + 1; 0: nobody */
        uint64_t peer_gen[ABI_PEERS];
};

/* ---- inspect.c ---- */

/* Map the first `want` bytes of a file that must be `exact` bytes long (0: as long as its header says), unless `m`
 * is that map already. Returns 0, -ENOENT, -EACCES, -ENOMEM, TORC_ECORRUPT, TORC_EVERSION. */
struct inspect_kind {
        uint64_t magic, header_bytes, exact;
        size_t want;
};
int inspect_map(struct inspect_map *m, int dirfd, const char *path, const struct inspect_kind *kind);
void inspect_unmap(struct inspect_map *m);

/* Copy shared bytes into a string: ends at the first NUL or at cap - 1, control bytes become '?'. */
void inspect_text(char *to, size_t cap, const char *from, size_t size);

/* A time from shared memory: never before 1970, so that the difference of two fits. */
static inline int64_t inspect_time(int64_t ns)
{
        return ns > 0 ? ns : 0;
}

/* Who is the peer {slot, generation}? False: gone (detached, or another has the slot now). */
bool inspect_peer(const struct torc_inspector *in, uint64_t slot, uint64_t gen, struct torc_peer_info *peer);

/* ---- snapshot_stream.c ---- */

/* Fill in one stream. Returns 0 (info->error tells whether it could be read), -ENOENT (removed meanwhile), -ENOMEM.
 */
int snapshot_stream(struct torc_inspector *in, struct inspect_stream *s, struct torc_stream_info *info);
void snapshot_stream_forget(struct inspect_stream *s);

/* ---- snapshot_members.c ---- */

/* A segment header whose constants were checked, copied out. */
struct inspect_ring {
        const struct abi_seg *seg;
        struct torc_segment_info info;
};

int snapshot_producers(const struct torc_inspector *in, const struct abi_ctl *ctl, const struct inspect_ring *rings,
                       size_t n_rings, struct torc_stream_info *info);
int snapshot_consumers(const struct torc_inspector *in, const struct abi_ctl *ctl, struct torc_stream_info *info);

#endif
