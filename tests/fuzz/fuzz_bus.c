/*
 * fuzz_bus.c - a whole bus: its files damaged as the input says, then used by everything there is.
 *
 * The input changes words and bytes of the files `bus`, `ctl`, segments and `supervisor`, near their structures or
 * anywhere, puts checksums right again or not, cuts files; then it opens the bus and calls what it likes: producers,
 * consumers, administration, the supervisor's file, a snapshot with torctop's model, screens and JSON. It may damage on
 * while handles are open. Nobody else is on the bus; time-outs are 0 or 1 ms. Must hold: no fault (maps have guard pages:
 * guard_map.c), no undocumented result, no call that takes long, and no map and no descriptor left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus_files.h"
#include "guard_map.h"

#include "../../tui/draw.h"
#include "../../tui/print.h"
#include "ring.h"
#include "stream.h"
#include "supervisor_codec.h"

#include <locale.h>

#define HANDLES 3
#define STEPS 24
#define LONG_NS 8000000000 /* for any call: the machine may be busy */

static struct bus_files files;
static FILE *nowhere;

struct world {
        struct input *in;
        struct torc_bus *bus;
        struct torc_producer *producer[HANDLES];
        struct torc_consumer *consumer[HANDLES];
        struct torc_inspector *inspector;
        struct model model;
        struct ui ui;
};

/* ---- results --------------------------------------------------------------------------------------------- */

static int64_t now_ns(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static bool documented(int rc)
{
        static const int codes[] = {0,       -EAGAIN, -ETIMEDOUT, -EMSGSIZE, -ENOENT, -EBUSY,  -EINVAL,
                                    -ENOSPC, -EEXIST, -EACCES,    -EPERM,    -ENOMEM, -EFBIG /* RLIMIT_FSIZE */};
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
                if (rc == codes[i])
                        return true;
        return rc <= -1001 && strncmp(torc_errname(rc), "TORC_E", 6) == 0;
}

static int called(const char *call, int64_t begin, int rc)
{
        int64_t ns = now_ns() - begin;
        if (!documented(rc) || ns > LONG_NS) {
                fprintf(stderr, "%s: %s (%d) after %lld ms\n", call, torc_errname(rc), rc, (long long)(ns / 1000000));
                abort();
        }
        return rc;
}

#define CALL(call)                                                                                               \
        __extension__({                                                                                          \
                int64_t begin_ = now_ns();                                                                       \
                called(#call, begin_, (call));                                                                   \
        })

/* ---- damage ---------------------------------------------------------------------------------------------- */

/* Into a redo record: anywhere, where it is usually filled in, or where it says what to store. */
static size_t aim_redo(struct input *in)
{
        switch (take8(in) % 4) {
        case 0:
                return 8 * take_below(in, sizeof(struct abi_redo) / 8);
        case 1:
                return 8 * take_below(in, offsetof(struct abi_redo, word) / 8);
        default:
                return offsetof(struct abi_redo, word) + 8 * take_below(in, 8);
        }
}

/* An offset into a ctl file, near something. */
static size_t aim_ctl(struct input *in)
{
        switch (take8(in) % 6) {
        case 0:
                return 8 * take_below(in, offsetof(struct abi_ctl, data) / 8);
        case 1:
                return offsetof(struct abi_ctl, data) + 8 * take_below(in, 48);
        case 2:
                return offsetof(struct abi_ctl, redo) + aim_redo(in);
        case 3: /* the words of either line, and the first of a name */
                return offsetof(struct abi_ctl, producer) + sizeof(struct abi_producer) * take_below(in, 5) +
                       (take8(in) & 1 ? 8 * take_below(in, 4) : 64 + 8 * take_below(in, 9));
        case 4:
                return offsetof(struct abi_ctl, consumer) + sizeof(struct abi_consumer) * take_below(in, 3) +
                       8 * take_below(in, 17);
        default:
                return 8 * take_below(in, sizeof(struct abi_ctl) / 8);
        }
}

static size_t aim_seg(struct input *in, size_t size)
{
        switch (take8(in) % 5) {
        case 0:
                return 8 * take_below(in, 16);
        case 1:
                return offsetof(struct abi_seg, tail) + 8 * take_below(in, 16);
        case 2:
                return offsetof(struct abi_seg, intent) + 64 * take_below(in, 5) + 8 * take_below(in, 2);
        case 3:
                return sizeof(struct abi_seg) + 8 * take_below(in, 64);
        default:
                return 8 * take_below(in, size / 8);
        }
}

static size_t aim_supervisor(struct input *in)
{
        switch (take8(in) % 4) {
        case 0:
                return 8 * take_below(in, 16);
        case 1:
                return offsetof(struct abi_sup_file, group) + 8 * take_below(in, 284);
        case 2:
                return offsetof(struct abi_sup_file, member) + 8 * take_below(in, 210);
        default:
                return offsetof(struct abi_sup_file, event) + 8 * take_below(in, 100);
        }
}

static bool is_kind(const struct bus_file *f, const char *name)
{
        return !strcmp(strrchr(f->path, '/') + 1, name);
}

static size_t aim(struct input *in, const struct bus_file *f)
{
        size_t at;
        if (is_kind(f, "ctl"))
                at = aim_ctl(in);
        else if (is_kind(f, "supervisor"))
                at = aim_supervisor(in);
        else if (is_kind(f, "bus"))
                at = take8(in) & 1 ? 8 * take_below(in, 16) : 4096 + 8 * take_below(in, 64);
        else
                at = aim_seg(in, f->size);
        return at + 8 <= f->size ? at : 0;
}

/* Damage that knows how to look sound. */
static void mend(struct input *in, struct bus_file *f, size_t at)
{
        if (is_kind(f, "ctl")) {
                struct abi_ctl *ctl = (void *)f->map;
                if (at >= offsetof(struct abi_ctl, config) && at < offsetof(struct abi_ctl, data))
                        ctl->config.checksum = stream_checksum(&ctl->config, &ctl->config.checksum);
                if (at >= offsetof(struct abi_ctl, redo) && at < offsetof(struct abi_ctl, reserved3))
                        atomic_store(&ctl->redo.armed, stream_checksum(&ctl->redo.seal, &ctl->redo + 1));
        } else if (is_kind(f, "supervisor")) {
                struct abi_sup_file *s = (void *)f->map;
                for (size_t i = 0; i < 2; i++) {
                        sup_stamp(&s->group[i][1], sizeof s->group[i][1], 9);
                        sup_stamp(&s->member[i][1], sizeof s->member[i][1], 9);
                        sup_stamp(&s->event[i], sizeof s->event[i], i + 1);
                }
        } else if (!is_kind(f, "bus")) {
                struct abi_seg *seg = (void *)f->map;
                struct ring r = {.seg = seg, .data = f->map + sizeof *seg, .secret = seg->secret,
                                 .capacity = f->size - sizeof *seg};
                if (at < sizeof *seg) {
                        seg->checksum = ring_seg_checksum(seg);
                } else { /* the frame there is committed, in this lap or another */
                        uint64_t tail = ring_tail(&r, NULL), p = (at - sizeof *seg) & ~15ull;
                        p += (tail - p) / r.capacity * r.capacity - r.capacity * (take8(in) & 1);
                        atomic_store(&ring_at(&r, p)->stamp, ring_stamp(&r, p));
                }
        }
}

static void damage(struct input *in, bool early)
{
        struct bus_file *f = &files.file[take_below(in, files.n)];
        uint8_t how = take8(in);
        if (how & 4) /* half of them hit a ctl file: there is the most to believe or not */
                f = files.ctl[(size_t)(f - files.file) % files.n_ctl];
        size_t at = aim(in, f), n;
        uint64_t word;
        if (early && how == 0xff) {
                MUST(ftruncate(f->fd, (off_t)(take64(in) % (f->size + 4096))) == 0);
                return;
        }
        if ((size_t)lseek(f->fd, 0, SEEK_END) < f->size)
                return; /* it was cut: its map is not to be touched */
        if (how & 1) {
                n = take_below(in, 64);
                take_bytes(in, f->map + at, n < f->size - at ? n : f->size - at);
        } else {
                memcpy(&word, f->map + at, sizeof word);
                word = take_word(in, word);
                memcpy(f->map + at, &word, sizeof word);
        }
        if (how & 2)
                mend(in, f, at);
}

/* ---- consumers ------------------------------------------------------------------------------------------- */

static int read_view(const struct torc_view *view, void *arg)
{
        const char *key, *value;
        size_t key_len, value_len;
        (void)arg;
        touch(view->data, view->len);
        for (size_t i = 0; i < 256; i++)
                if (torc_meta_property(view, i, &key, &key_len, &value, &value_len) == 0)
                        touch(key, key_len + value_len);
        (void)torc_meta_event_time(view);
        return 0;
}

static void step_consumer_open(struct world *w)
{
        struct torc_consumer **c = &w->consumer[take_below(w->in, HANDLES)];
        struct torc_consumer_config config = {.flags = TORC_NO_CREATE, .timeout_ms = take8(w->in) & 1};
        const char *stream = flip_streams[take_below(w->in, FLIP_STREAMS)];
        torc_consumer_close(c);
        config.start = (enum torc_start)take_below(w->in, 3);
        if (config.start == TORC_START_ID)
                config.start_id = (struct torc_id){.position = take_word(w->in, 1024), .epoch = take8(w->in) % 4};
        CALL(torc_consumer_open(c, w->bus, stream, &config));
}

static void step_consumer(struct world *w)
{
        static unsigned char bytes[1 << 16];
        struct torc_consumer *c = w->consumer[take_below(w->in, HANDLES)];
        struct torc_consumer_stats stats;
        struct torc_view view;
        struct torc_id id;
        size_t len, handled;
        uint8_t what = take8(w->in);
        if (!c)
                return;
        switch (what % 8) {
        case 0:
                if (CALL(torc_consumer_view(c, &view, what >> 7)) == 0) {
                        read_view(&view, NULL);
                        CALL(torc_consumer_release(c));
                }
                break;
        case 1:
        case 2:
                CALL(torc_consumer_poll(c, read_view, NULL, 200, &handled));
                break;
        case 3:
        case 4:
                CALL(torc_consumer_recv(c, bytes, what & 16 ? sizeof bytes : 100, &len, what >> 7, &id));
                break;
        case 5:
                CALL(torc_consumer_reattach(c, what >> 7));
                break;
        case 6:
                (void)torc_consumer_fd(c);
                break;
        default:
                CALL(torc_consumer_stats(c, &stats));
                (void)torc_consumer_missed(c);
        }
}

/* ---- producers ------------------------------------------------------------------------------------------- */

static void step_producer_open(struct world *w)
{
        static const char *const names[] = {NULL, "four", "six", "new"};
        struct torc_producer **p = &w->producer[take_below(w->in, HANDLES)];
        struct torc_producer_config config = {.flags = TORC_NO_CREATE, .name = names[take_below(w->in, 4)]};
        const char *stream = flip_streams[take_below(w->in, FLIP_STREAMS)];
        torc_producer_close(p);
        config.access = (enum torc_access)take_below(w->in, 4);
        CALL(torc_producer_open(p, w->bus, stream, &config));
}

static void producer_send(struct world *w, struct torc_producer *p, uint8_t what)
{
        static unsigned char bytes[3000];
        struct torc_property property[] = {{"colour", "green"}, {"", ""}};
        struct torc_meta meta = {.properties = property, .n_properties = what & 3 ? 2 : 0, .event_time_ns = what >> 2};
        struct torc_span spans[20];
        size_t accepted, len = take16(w->in) % sizeof bytes;
        void *place;
        switch (what % 4) {
        case 0:
                for (int i = 0; i < 60; i++)
                        if (CALL(torc_producer_try_send(p, bytes, len, NULL)))
                                break;
                break;
        case 1:
                CALL(torc_producer_send_meta(p, bytes, len, &meta, what >> 7, NULL));
                break;
        case 2:
                if (CALL(torc_producer_claim(p, len, NULL, what >> 7, &place)))
                        break;
                memset(place, 'c', len);
                if (what & 16)
                        damage(w->in, false);
                if (what & 32)
                        CALL(torc_producer_commit(p, NULL));
                else if (what & 64)
                        CALL(torc_producer_abort(p));
                break;
        default:
                for (size_t i = 0; i < 20; i++)
                        spans[i] = (struct torc_span){bytes, i * 100 < len ? i * 100 : len};
                CALL(torc_producer_send_batch(p, spans, 20, what >> 7, &accepted));
        }
}

static void step_producer(struct world *w)
{
        struct torc_producer *p = w->producer[take_below(w->in, HANDLES)];
        struct torc_producer_status status;
        struct torc_consumer_info infos[4];
        struct torc_condition condition = {.kind = TORC_SUBSCRIBED, .tags = "red"};
        size_t count = 0;
        uint8_t what = take8(w->in);
        if (!p)
                return;
        switch (what % 8) {
        case 0:
                CALL(torc_producer_status(p, &status));
                MUST(strnlen(status.name, sizeof status.name) < sizeof status.name);
                MUST(strnlen(status.fencer_name, sizeof status.fencer_name) < sizeof status.fencer_name);
                break;
        case 1:
                CALL(torc_producer_flush(p, NULL, what >> 7));
                break;
        case 2:
                condition.kind = (enum torc_condition_kind)(1 + take_below(w->in, 4));
                CALL(torc_producer_wait_for(p, &condition, what >> 7));
                (void)torc_producer_is_online(p);
                break;
        case 3:
                CALL(torc_producer_await(p, what >> 7));
                if (CALL(torc_producer_consumers(p, infos, 4, &count)) == 0 && count)
                        CALL(torc_producer_wait_disconnect(p, infos[0].ref, what >> 7));
                break;
        default:
                producer_send(w, p, take8(w->in));
        }
}

/* ---- looking --------------------------------------------------------------------------------------------- */

static void show(struct world *w)
{
        struct screen s = {.ascii = take8(w->in) & 1};
        w->ui.ascii = s.ascii;
        for (size_t n = take_below(w->in, 4); n > 0; n--) {
                uint16_t key = take16(w->in);
                ui_key(&w->ui, key & 0x7fff, key & 0x8000);
        }
        MUST(screen_resize(&s, 1 + (int)take_below(w->in, 200), 1 + (int)take_below(w->in, 60)));
        draw(&s, &w->model, &w->ui);
        screen_free(&s);
        if (take8(w->in) & 1) {
                print_json(nowhere, &w->model);
                MUST(print_views(nowhere, &w->model, &w->ui, VIEW_COUNT, 80) == 0);
        }
}

static void step_look(struct world *w)
{
        struct torc_snapshot *snap;
        if (!w->inspector && CALL(torc_inspector_open(&w->inspector, files.root, "bus")))
                return;
        w->model.error = CALL(torc_inspector_take(w->inspector, &snap));
        if (w->model.error == 0)
                MUST(model_advance(&w->model, snap) == 0);
        show(w);
}

/* ---- looking after --------------------------------------------------------------------------------------- */

static void step_supervisor(struct world *w)
{
        static struct torc_group_info groups[TORC_MAX_GROUPS];
        static struct torc_member_info members[TORC_MAX_MEMBERS];
        size_t n_groups = TORC_MAX_GROUPS, n_members = TORC_MAX_MEMBERS;
        struct torc_supervisor *s;
        if (CALL(torc_supervisor_open(&s, w->bus, "torc.ini")))
                return;
        CALL(torc_supervisor_load(s, groups, &n_groups, members, &n_members));
        MUST(n_groups <= TORC_MAX_GROUPS && n_members <= TORC_MAX_MEMBERS);
        CALL(torc_supervisor_set_groups(s, groups, n_groups));
        CALL(torc_supervisor_set_member(s, take_below(w->in, TORC_MAX_MEMBERS), &members[0]));
        CALL(torc_supervisor_clear_member(s, take_below(w->in, TORC_MAX_MEMBERS)));
        torc_supervisor_event(s, TORC_EVENT_REAPED, "something");
        torc_supervisor_beat(s);
        torc_supervisor_close(&s);
}

static void step_admin(struct world *w)
{
        const char *stream = flip_streams[take_below(w->in, FLIP_STREAMS)];
        struct torc_access_info info;
        struct torc_reaped reaped;
        uint32_t epoch;
        switch (take8(w->in) % 12) {
        case 0:
                CALL(torc_stream_access(w->bus, stream, &info));
                MUST(strnlen(info.holder_name, sizeof info.holder_name) < sizeof info.holder_name);
                break;
        case 1:
                CALL(torc_bus_nudge(w->bus));
                break;
        case 2:
                CALL(torc_stream_fence(w->bus, stream, &epoch));
                break;
        case 3:
                CALL(torc_stream_end(w->bus, stream));
                break;
        case 4:
                CALL(torc_stream_remove(w->bus, stream));
                break;
        case 5:
                CALL(torc_stream_kick(w->bus, stream, take_word(w->in, 1 << 16)));
                break;
        case 6:
                CALL(torc_stream_create(w->bus, take8(w->in) & 1 ? stream : "new", NULL));
                break;
        case 7:
                step_supervisor(w);
                break;
        default:
                CALL(torc_bus_reap(w->bus, &reaped));
        }
}

/* ---- all of it ------------------------------------------------------------------------------------------- */

static void world_run(struct world *w)
{
        struct torc_bus_config config = {.root = files.root, .name = "bus", .peer_name = "fuzzer", .tags = "red"};
        static void (*const steps[])(struct world *) = {step_consumer_open, step_consumer, step_consumer,
                                                        step_producer_open, step_producer, step_producer,
                                                        step_look, step_admin, step_admin};
        uint8_t how = take8(w->in);
        if (how & 7) /* it is large, and has a fuzzer of its own */
                bus_files_hide(&files, "supervisor");
        if ((how & 24) == 24)
                step_look(w);
        for (size_t n = take_below(w->in, 8); n > 0; n--)
                damage(w->in, true);
        if (how & 32)
                step_look(w);
        if (CALL(torc_bus_open(&w->bus, &config)))
                return;
        for (int i = 0; i < STEPS && w->in->left; i++) {
                size_t step = take_below(w->in, sizeof steps / sizeof *steps + 1);
                if (step == sizeof steps / sizeof *steps)
                        damage(w->in, false);
                else
                        steps[step](w);
        }
}

static void world_end(struct world *w, bool bus_first)
{
        if (bus_first)
                torc_bus_close(&w->bus);
        for (int i = 0; i < HANDLES; i++) {
                torc_consumer_close(&w->consumer[i]);
                torc_producer_close(&w->producer[i]);
        }
        torc_bus_close(&w->bus);
        torc_inspector_close(&w->inspector);
        model_free(&w->model);
}

static int lowest_free_fd(void)
{
        int fd = dup(0);
        close(fd);
        return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        struct rlimit small = {8 << 20, 8 << 20};
        (void)argc, (void)argv;
        setlocale(LC_ALL, "C.UTF-8");
        bus_files_make(&files, private_make());
        nowhere = fopen("/dev/null", "w");
        MUST(nowhere);
        /* A capacity of 64 GiB that a damaged file asks for is not to fill the machine's memory. */
        signal(SIGXFSZ, SIG_IGN);
        MUST(setrlimit(RLIMIT_FSIZE, &small) == 0);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct world w = {.in = &in};
        bus_files_reset(&files);
        long maps = guard_maps();
        int fd = lowest_free_fd();
        bool bus_first = take8(&in) & 1;
        ui_init(&w.ui);
        world_run(&w);
        world_end(&w, bus_first);
        MUST(guard_maps() == maps);
        MUST(lowest_free_fd() == fd);
        return 0;
}
