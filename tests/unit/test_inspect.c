/*
 * test_inspect.c - snapshots of files made by hand: what is read, what is refused, and that nothing is believed.
 *
 * links: libshm/inspect.c libshm/snapshot.c libshm/snapshot_stream.c libshm/snapshot_members.c libshm/ring.c
 * links: libshm/bus.c libshm/file.c libshm/handle.c libshm/name.c libshm/wait.c libshm/error.c
 * links: libshm/supervisor_state.c
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi.h"
#include "ring.h"
#include "stream.h"
#include "torc_admin.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPACITY 4096u
#define STREAM   "prices"

struct place {
        char root[64], bus[96], stream[128];
        struct abi_bus *bus_file;
        struct abi_ctl *ctl;
        struct abi_seg *seg;
        int lock; /* holds the life lock of peer 0 */
        struct torc_inspector *inspector;
};

/* ---- making files ---------------------------------------------------------------------------------------- */

static void *make_file(const char *dir, const char *name, size_t bytes)
{
        char path[256];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
        void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(map != MAP_FAILED);
        close(fd);
        return map;
}

static void make_head(struct abi_head *head, uint64_t magic, uint32_t header_bytes, uint64_t file_bytes)
{
        head->version = ABI_VERSION;
        head->header_bytes = header_bytes;
        head->file_bytes = file_bytes;
        head->id = 77;
        head->created_ns = 1000;
        atomic_store(&head->magic, magic);
}

static void make_peer(struct place *p, uint32_t slot, uint64_t gen, const char *name, const char *tags)
{
        struct abi_peer *peer = &p->bus_file->peer[slot];
        atomic_store(&peer->pid, 1000 + slot);
        snprintf(peer->name, sizeof peer->name, "%s", name);
        snprintf(peer->tags, sizeof peer->tags, "%s", tags);
        atomic_store(&peer->word, ABI_WORD(gen, ABI_PEER_ATTACHED));
        if (atomic_load(&p->bus_file->peer_top) <= slot)
                atomic_store(&p->bus_file->peer_top, slot + 1);
}

static void seal_config(struct abi_ctl *ctl)
{
        ctl->config.checksum = stream_checksum(&ctl->config, &ctl->config.checksum);
}

static void make_ctl(struct place *p)
{
        p->ctl = make_file(p->stream, "ctl", sizeof *p->ctl);
        struct abi_config *cfg = &p->ctl->config;
        *cfg = (struct abi_config){.capacity = CAPACITY,
                                   .capacity_max = 2 * CAPACITY,
                                   .max_message = 512,
                                   .lag = TORC_LAG_BLOCK,
                                   .online_min = 1,
                                   .max_consumers = 8,
                                   .mode = 0640};
        snprintf(cfg->name, sizeof cfg->name, STREAM);
        snprintf(cfg->online_tags, sizeof cfg->online_tags, "red");
        seal_config(p->ctl);
        atomic_store(&p->ctl->state, ABI_STREAM_OPEN);
        atomic_store(&p->ctl->first, 1);
        atomic_store(&p->ctl->current, 1);
        atomic_store(&p->ctl->epoch, 3);
        make_head(&p->ctl->head, ABI_MAGIC_CTL, offsetof(struct abi_ctl, producer), sizeof *p->ctl);
}

static struct abi_seg *make_segment(struct place *p, uint64_t number, uint64_t base, uint64_t tail)
{
        char name[32];
        snprintf(name, sizeof name, "0.%u", (unsigned)number);
        struct abi_seg *seg = make_file(p->stream, name, sizeof *seg + CAPACITY);
        ring_format(seg, 77, number, CAPACITY, base, 99, 3);
        atomic_store(&seg->tail, tail);
        return seg;
}

static struct abi_producer *make_producer(struct place *p, uint32_t slot, enum abi_producer_state state,
                                          const char *name)
{
        struct abi_producer *prod = &p->ctl->producer[slot];
        atomic_store(&prod->peer_slot, 0);
        atomic_store(&prod->peer_gen, 5);
        atomic_store(&prod->segment, 1);
        snprintf(prod->name, sizeof prod->name, "%s", name);
        atomic_store(&prod->word, ABI_WORD(1, state));
        if (atomic_load(&p->ctl->producer_top) <= slot)
                atomic_store(&p->ctl->producer_top, slot + 1);
        return prod;
}

static struct abi_consumer *make_consumer(struct place *p, uint32_t slot, enum abi_consumer_state state,
                                          uint64_t cursor)
{
        struct abi_consumer *cons = &p->ctl->consumer[slot];
        atomic_store(&cons->peer_slot, 0);
        atomic_store(&cons->peer_gen, 5);
        atomic_store(&cons->segment, 1);
        atomic_store(&cons->cursor, cursor);
        snprintf(cons->name, sizeof cons->name, "reader-%u", slot);
        atomic_store(&cons->word, ABI_CONSUMER_WORD(state, 9, 0));
        if (atomic_load(&p->ctl->consumer_top) <= slot)
                atomic_store(&p->ctl->consumer_top, slot + 1);
        return cons;
}

static int place_make(void **state)
{
        struct place *p = calloc(1, sizeof *p);
        assert_non_null(p);
        snprintf(p->root, sizeof p->root, "/dev/shm/torc-inspect-XXXXXX");
        assert_non_null(mkdtemp(p->root));
        snprintf(p->bus, sizeof p->bus, "%s/b", p->root);
        snprintf(p->stream, sizeof p->stream, "%s/@" STREAM, p->bus);
        assert_int_equal(mkdir(p->bus, 0700), 0);
        assert_int_equal(mkdir(p->stream, 0700), 0);
        p->bus_file = make_file(p->bus, "bus", sizeof *p->bus_file);
        p->bus_file->peers = ABI_PEERS;
        make_head(&p->bus_file->head, ABI_MAGIC_BUS, offsetof(struct abi_bus, peer), sizeof *p->bus_file);
        make_ctl(p);
        p->seg = make_segment(p, 1, 0, 1024);
        char path[128];
        snprintf(path, sizeof path, "%s/bus", p->bus);
        p->lock = open(path, O_RDWR | O_CLOEXEC);
        struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = ABI_LOCK_PEER, .l_len = 1};
        assert_int_equal(fcntl(p->lock, F_OFD_SETLK, &fl), 0);
        make_peer(p, 0, 5, "alive", "red,blue");
        assert_int_equal(torc_inspector_open(&p->inspector, p->root, "b"), 0);
        *state = p;
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)at;
        return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static int place_drop(void **state)
{
        struct place *p = *state;
        torc_inspector_close(&p->inspector);
        assert_null(p->inspector);
        nftw(p->root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        munmap(p->bus_file, sizeof *p->bus_file);
        munmap(p->ctl, sizeof *p->ctl);
        munmap(p->seg, sizeof *p->seg + CAPACITY);
        close(p->lock);
        free(p);
        return 0;
}

static struct torc_snapshot *take(struct place *p)
{
        struct torc_snapshot *snap = NULL;
        assert_int_equal(torc_inspector_take(p->inspector, &snap), 0);
        assert_non_null(snap);
        return snap;
}

/* The error of the only stream. */
static int stream_error(struct place *p)
{
        struct torc_snapshot *snap = take(p);
        assert_int_equal(snap->n_streams, 1);
        assert_string_equal(snap->streams[0].name, STREAM);
        int error = snap->streams[0].error;
        torc_snapshot_free(&snap);
        assert_null(snap);
        return error;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static void open_of_what_is_no_bus_is_refused(void **state)
{
        struct place *p = *state;
        struct torc_inspector *in = NULL;
        assert_int_equal(torc_inspector_open(&in, p->root, "nothing"), -ENOENT);
        assert_int_equal(torc_inspector_open(&in, p->root, "a/b"), TORC_ENAME);
        assert_int_equal(torc_inspector_open(&in, p->root, ".."), TORC_ENAME);
        assert_int_equal(torc_inspector_open(&in, p->root, ""), TORC_ENAME);
        p->bus_file->head.version = ABI_VERSION + 1;
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_EVERSION);
        p->bus_file->head.version = ABI_VERSION;
        p->bus_file->peers++;
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
        p->bus_file->peers--;
        atomic_store(&p->bus_file->head.magic, 0);
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
        assert_null(in);
}

static void open_of_a_short_or_strange_file_is_refused(void **state)
{
        struct place *p = *state;
        struct torc_inspector *in;
        char path[128];
        snprintf(path, sizeof path, "%s/bus", p->bus);
        assert_int_equal(truncate(path, 4096), 0);
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
        assert_int_equal(truncate(path, 10), 0);
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        assert_int_equal(torc_inspector_open(&in, p->root, "b"), TORC_ECORRUPT);
}

/* ---- what is read ---------------------------------------------------------------------------------------- */

static void take_tells_peers_and_who_lives(void **state)
{
        struct place *p = *state;
        make_peer(p, 2, 1, "dead", "");
        struct torc_snapshot *snap = take(p);
        assert_string_equal(snap->bus, "b");
        assert_string_equal(snap->path, p->bus);
        assert_int_equal(snap->n_peers, 2);
        assert_true(snap->peers[0].alive);
        assert_string_equal(snap->peers[0].name, "alive");
        assert_string_equal(snap->peers[0].tags, "red,blue");
        assert_int_equal(snap->peers[1].slot, 2);
        assert_false(snap->peers[1].alive);
        assert_false(snap->supervisor.known);
        torc_snapshot_free(&snap);
}

static void take_tells_policy_and_sums(void **state)
{
        struct place *p = *state;
        atomic_store(&p->ctl->retired_messages, 10);
        atomic_store(&p->ctl->retired_bytes, 100);
        atomic_store(&p->ctl->retired_missed, 3);
        atomic_store(&p->ctl->aborted, 4);
        atomic_store(&p->ctl->overwritten, 5);
        struct abi_producer *prod = make_producer(p, 1, ABI_PRODUCER_OWNER, "owner");
        atomic_store(&prod->messages, 7);
        atomic_store(&prod->bytes, 70);
        atomic_store(&p->ctl->owner, 2);
        struct abi_consumer *cons = make_consumer(p, 0, ABI_CONSUMER_ACTIVE, 512);
        atomic_store(&cons->missed, 2);
        atomic_store(&cons->count, 9);
        struct torc_snapshot *snap = take(p);
        const struct torc_stream_info *s = &snap->streams[0];
        assert_int_equal(s->error, 0);
        assert_int_equal(s->capacity_bytes, CAPACITY);
        assert_int_equal(s->lag, TORC_LAG_BLOCK);
        assert_int_equal(s->mode, 0640);
        assert_int_equal(s->epoch, 3);
        assert_int_equal(s->access, TORC_EXCLUSIVE);
        assert_string_equal(s->owner_name, "owner");
        assert_int_equal(s->owner_pid, 1000);
        assert_int_equal(s->messages, 17);
        assert_int_equal(s->bytes, 170);
        assert_int_equal(s->losses[TORC_LOSS_DISCONNECTED], 5);
        assert_int_equal(s->losses[TORC_LOSS_ABORTED], 4);
        assert_int_equal(s->losses[TORC_LOSS_OVERWRITTEN], 5);
        assert_int_equal(s->tail, 1024);
        assert_true(s->online);
        assert_int_equal(s->n_consumers, 1);
        assert_int_equal(s->consumers[0].ref, 9u << 16);
        assert_int_equal(s->consumers[0].connection, TORC_CONNECTED);
        assert_int_equal(s->consumers[0].stats.lag_bytes, 512);
        assert_int_equal(s->consumers[0].stats.messages, 7);
        assert_int_equal(s->consumers[0].stats.missed_messages, 2);
        torc_snapshot_free(&snap);
}

static void take_tells_kicked_and_dead_consumers(void **state)
{
        struct place *p = *state;
        struct abi_consumer *cons = make_consumer(p, 0, ABI_CONSUMER_KICKED, 512);
        atomic_store(&cons->count, 20);
        atomic_store(&cons->word, ABI_CONSUMER_WORD(ABI_CONSUMER_KICKED, 9, 25));
        cons = make_consumer(p, 1, ABI_CONSUMER_ACTIVE, 512);
        atomic_store(&cons->peer_gen, 4); /* an earlier occupant of the peer's slot */
        struct torc_snapshot *snap = take(p);
        const struct torc_stream_info *s = &snap->streams[0];
        assert_int_equal(s->n_consumers, 2);
        assert_int_equal(s->consumers[0].connection, TORC_TERMINATED);
        assert_int_equal(s->consumers[0].stats.missed_messages, 5);
        assert_int_equal(s->consumers[0].stats.lag_bytes, 0);
        assert_int_equal(s->consumers[1].connection, TORC_TERMINATED);
        assert_int_equal(s->consumers[1].pid, 0);
        assert_int_equal(s->losses[TORC_LOSS_DISCONNECTED], 5);
        assert_false(s->online);
        torc_snapshot_free(&snap);
}

static void take_tells_claims_that_were_won_only(void **state)
{
        static const struct {
                uint64_t start, end;
                bool open;
        } cases[] = {
                {512, 1024, true},         /* won: it ends at the tail */
                {256, 512, true},          /* others claimed after it */
                {1024, 1536, false},       /* not won yet */
                {512, 1536, false},        /* lost: another took a part of it */
                {512, 512, false},         /* nonsense */
                {ABI_NO_INTENT, 0, false}, /* none */
        };
        struct place *p = *state;
        make_producer(p, 3, ABI_PRODUCER_SHARED, "claimer");
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                atomic_store(&p->seg->intent[3].start, cases[i].start);
                atomic_store(&p->seg->intent[3].end, cases[i].end);
                struct torc_snapshot *snap = take(p);
                assert_int_equal(snap->streams[0].n_producers, 1);
                const struct torc_producer_info *prod = &snap->streams[0].producers[0];
                assert_int_equal(prod->slot, 3);
                assert_int_equal(prod->claim_open, cases[i].open);
                if (cases[i].open)
                        assert_int_equal(prod->claim_start, cases[i].start);
                torc_snapshot_free(&snap);
        }
}

static void take_sorts_waiters_by_ticket(void **state)
{
        struct place *p = *state;
        atomic_store(&make_producer(p, 0, ABI_PRODUCER_WAITING, "second")->ticket, 8);
        atomic_store(&make_producer(p, 1, ABI_PRODUCER_WAITING, "first")->ticket, 7);
        struct abi_producer *fenced = make_producer(p, 2, ABI_PRODUCER_FENCED, "fenced");
        atomic_store(&fenced->fence, 4ull << 32 | 4242);
        snprintf(fenced->fencer, sizeof fenced->fencer, "newcomer");
        struct torc_snapshot *snap = take(p);
        const struct torc_stream_info *s = &snap->streams[0];
        assert_int_equal(s->n_waiters, 2);
        assert_string_equal(s->waiters[0].name, "first");
        assert_string_equal(s->waiters[1].name, "second");
        assert_int_equal(s->n_producers, 1);
        assert_int_equal(s->producers[0].fenced_epoch, 4);
        assert_int_equal(s->producers[0].fencer_pid, 4242);
        assert_string_equal(s->producers[0].fencer_name, "newcomer");
        torc_snapshot_free(&snap);
}

static void take_follows_the_chain(void **state)
{
        struct place *p = *state;
        atomic_fetch_or(&p->seg->tail, ABI_SEALED);
        struct abi_seg *second = make_segment(p, 2, 1024, 2048);
        atomic_store(&p->ctl->current, 2);
        struct torc_snapshot *snap = take(p);
        const struct torc_stream_info *s = &snap->streams[0];
        assert_int_equal(s->n_segments, 2);
        assert_int_equal(s->segments[0].state, TORC_SEGMENT_DRAINING);
        assert_int_equal(s->segments[0].tail, 1024);
        assert_int_equal(s->segments[1].state, TORC_SEGMENT_ACTIVE);
        assert_int_equal(s->segments[1].base, 1024);
        assert_int_equal(s->tail, 2048);
        torc_snapshot_free(&snap);
        /* The first is reclaimed: its file goes before `first` moves. */
        char path[160];
        snprintf(path, sizeof path, "%s/0.1", p->stream);
        assert_int_equal(unlink(path), 0);
        snap = take(p);
        assert_int_equal(snap->streams[0].error, 0);
        assert_int_equal(snap->streams[0].n_segments, 1);
        torc_snapshot_free(&snap);
        munmap(second, sizeof *second + CAPACITY);
}

static void take_makes_text_harmless(void **state)
{
        struct place *p = *state;
        memset(p->bus_file->peer[0].name, 'x', ABI_LABEL_BYTES); /* no NUL */
        snprintf(p->bus_file->peer[0].tags, ABI_TAGS_BYTES, "%s", "a\x1b]0;title\x07\nb");
        struct torc_snapshot *snap = take(p);
        assert_int_equal(strlen(snap->peers[0].name), TORC_LABEL_MAX);
        assert_string_equal(snap->peers[0].tags, "a?]0;title??b");
        torc_snapshot_free(&snap);
}

/* ---- what changes between two takes ---------------------------------------------------------------------- */

static void take_after_removal_forgets_the_stream(void **state)
{
        struct place *p = *state;
        assert_int_equal(stream_error(p), 0);
        atomic_store(&p->ctl->state, ABI_STREAM_REMOVED);
        struct torc_snapshot *snap = take(p);
        assert_int_equal(snap->n_streams, 0);
        torc_snapshot_free(&snap);
        nftw(p->stream, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        snap = take(p);
        assert_int_equal(snap->n_streams, 0);
        torc_snapshot_free(&snap);
}

static void take_after_replacement_sees_the_new_stream(void **state)
{
        struct place *p = *state;
        assert_int_equal(stream_error(p), 0);
        nftw(p->stream, remove_one, 8, FTW_DEPTH | FTW_PHYS);
        assert_int_equal(mkdir(p->stream, 0700), 0);
        munmap(p->ctl, sizeof *p->ctl);
        munmap(p->seg, sizeof *p->seg + CAPACITY);
        make_ctl(p);
        p->seg = make_segment(p, 1, 0, 256);
        struct torc_snapshot *snap = take(p);
        assert_int_equal(snap->streams[0].error, 0);
        assert_int_equal(snap->streams[0].tail, 256);
        torc_snapshot_free(&snap);
}

static void take_of_a_truncated_file_is_an_error(void **state)
{
        struct place *p = *state;
        char path[160];
        assert_int_equal(stream_error(p), 0);
        snprintf(path, sizeof path, "%s/0.1", p->stream);
        assert_int_equal(truncate(path, 4096), 0);
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        snprintf(path, sizeof path, "%s/ctl", p->stream);
        assert_int_equal(truncate(path, 4096), 0);
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        assert_int_equal(truncate(path, 0), 0);
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        snprintf(path, sizeof path, "%s/bus", p->bus);
        assert_int_equal(truncate(path, 4096), 0);
        struct torc_snapshot *snap = NULL;
        assert_int_equal(torc_inspector_take(p->inspector, &snap), TORC_ECORRUPT);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(torc_inspector_take(p->inspector, &snap), -ENOENT);
        assert_null(snap);
}

/* ---- damage ---------------------------------------------------------------------------------------------- */

static void take_of_impossible_values_is_an_error(void **state)
{
        struct place *p = *state;
        static struct abi_ctl saved;
        memcpy(&saved, p->ctl, sizeof saved);
#define DAMAGE(statement)                                                                                          \
        do {                                                                                                       \
                statement;                                                                                         \
                assert_int_equal(stream_error(p), TORC_ECORRUPT);                                                  \
                memcpy(p->ctl, &saved, sizeof saved);                                                              \
                assert_int_equal(stream_error(p), 0);                                                              \
        } while (0)
        DAMAGE(p->ctl->config.capacity++);
        DAMAGE(p->ctl->config.name[0]++);
        DAMAGE(p->ctl->config.lag = 77; seal_config(p->ctl));
        DAMAGE(p->ctl->config.capacity = 4097; seal_config(p->ctl));
        DAMAGE(p->ctl->config.max_consumers = 5000; seal_config(p->ctl));
        DAMAGE(atomic_store(&p->ctl->state, 9));
        DAMAGE(atomic_store(&p->ctl->epoch, 0));
        DAMAGE(atomic_store(&p->ctl->epoch, 1ull << 40));
        DAMAGE(atomic_store(&p->ctl->first, 0));
        DAMAGE(atomic_store(&p->ctl->first, 2));
        DAMAGE(atomic_store(&p->ctl->current, 2));
        DAMAGE(atomic_store(&p->ctl->current, UINT64_MAX));
        DAMAGE(atomic_store(&p->ctl->owner, 300));
        DAMAGE(atomic_store(&p->ctl->producer_top, 257));
        DAMAGE(atomic_store(&p->ctl->consumer_top, 1025));
        DAMAGE(atomic_store(&make_producer(p, 0, ABI_PRODUCER_SHARED, "x")->word, 0xff));
        DAMAGE(atomic_store(&make_producer(p, 0, ABI_PRODUCER_SHARED, "x")->peer_slot, 1ull << 50));
        DAMAGE(atomic_store(&make_consumer(p, 0, ABI_CONSUMER_ACTIVE, 0)->word, 0xf));
        DAMAGE(atomic_store(&make_consumer(p, 0, ABI_CONSUMER_ACTIVE, 0)->peer_slot, 4096));
#undef DAMAGE
        p->ctl->head.version++;
        assert_int_equal(stream_error(p), TORC_EVERSION);
}

static void take_of_a_damaged_segment_is_an_error(void **state)
{
        struct place *p = *state;
        p->seg->capacity *= 2;
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        p->seg->capacity /= 2;
        atomic_store(&p->seg->tail, 1 << 20 | 8);
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        atomic_store(&p->seg->tail, UINT64_MAX);
        assert_int_equal(stream_error(p), TORC_ECORRUPT);
        atomic_store(&p->seg->tail, 1024);
        assert_int_equal(stream_error(p), 0);
}

static uint64_t next_random(uint64_t *x)
{
        *x ^= *x << 13;
        *x ^= *x >> 7;
        *x ^= *x << 17;
        return *x;
}

/* Read every byte of a snapshot that a printer would read. */
static size_t read_all(const struct torc_snapshot *snap)
{
        size_t sum = 0;
        for (size_t i = 0; i < snap->n_peers; i++)
                sum += strlen(snap->peers[i].name) + strlen(snap->peers[i].tags);
        for (size_t i = 0; i < snap->n_streams; i++) {
                const struct torc_stream_info *s = &snap->streams[i];
                sum += strlen(s->name) + strlen(s->owner_name) + strlen(s->online_tags);
                for (size_t j = 0; j < s->n_producers; j++)
                        sum += strlen(s->producers[j].name) + strlen(s->producers[j].fencer_name);
                for (size_t j = 0; j < s->n_consumers; j++)
                        sum += strlen(s->consumers[j].name) + strlen(s->consumers[j].peer_name);
                for (size_t j = 0; j < s->n_segments; j++)
                        sum += (size_t)s->segments[j].error;
        }
        return sum;
}

/* Random words and bytes anywhere in the headers and tables, while the inspector goes on looking. */
static void take_of_random_damage_never_crashes(void **state)
{
        struct place *p = *state;
        uint64_t x = 0x9e3779b97f4a7c15ull;
        static struct abi_ctl saved_ctl;
        static struct abi_seg saved_seg;
        static struct abi_bus saved_bus;
        make_producer(p, 0, ABI_PRODUCER_OWNER, "p");
        make_consumer(p, 0, ABI_CONSUMER_ACTIVE, 64);
        memcpy(&saved_ctl, p->ctl, sizeof saved_ctl);
        memcpy(&saved_seg, p->seg, sizeof saved_seg);
        memcpy(&saved_bus, p->bus_file, sizeof saved_bus);
        for (int i = 0; i < 20000; i++) {
                struct {
                        unsigned char *at;
                        size_t size;
                } files[] = {{(void *)p->ctl, 5000},
                             {(void *)p->ctl, sizeof *p->ctl},
                             {(void *)p->seg, 8192},
                             {(void *)p->bus_file, 8192}};
                size_t f = next_random(&x) % 4, at = next_random(&x) % (files[f].size - 8);
                uint64_t word = next_random(&x) >> next_random(&x) % 64;
                if (next_random(&x) % 2)
                        files[f].at[at] ^= (unsigned char)(1u << word % 8);
                else
                        memcpy(files[f].at + at / 8 * 8, &word, 8);
                struct torc_snapshot *snap = NULL;
                if (torc_inspector_take(p->inspector, &snap) == 0)
                        read_all(snap);
                torc_snapshot_free(&snap);
                if (i % 4 == 3) { /* up to four damages at a time */
                        memcpy(p->ctl, &saved_ctl, 5000);
                        memcpy(&p->ctl->consumer, &saved_ctl.consumer, sizeof saved_ctl.consumer);
                        memcpy(p->seg, &saved_seg, 8192);
                        memcpy(p->bus_file, &saved_bus, 8192);
                }
        }
}

int main(void)
{
#define PLACE(f) cmocka_unit_test_setup_teardown(f, place_make, place_drop)
        const struct CMUnitTest tests[] = {
                PLACE(open_of_what_is_no_bus_is_refused),
                PLACE(open_of_a_short_or_strange_file_is_refused),
                PLACE(take_tells_peers_and_who_lives),
                PLACE(take_tells_policy_and_sums),
                PLACE(take_tells_kicked_and_dead_consumers),
                PLACE(take_tells_claims_that_were_won_only),
                PLACE(take_sorts_waiters_by_ticket),
                PLACE(take_follows_the_chain),
                PLACE(take_makes_text_harmless),
                PLACE(take_after_removal_forgets_the_stream),
                PLACE(take_after_replacement_sees_the_new_stream),
                PLACE(take_of_a_truncated_file_is_an_error),
                PLACE(take_of_impossible_values_is_an_error),
                PLACE(take_of_a_damaged_segment_is_an_error),
                PLACE(take_of_random_damage_never_crashes),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
