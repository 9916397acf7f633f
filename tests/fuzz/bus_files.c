/*
 * bus_files.c - see bus_files.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bus_files.h"

/* ---- making them ----------------------------------------------------------------------------------------- */

static void bus_files_publish(struct torc_bus *bus)
{
        struct torc_group_info group[2] = {{.name = "feed", .stream = "plain", .command = "feed -x", .count = 2,
                                            .configured = 1},
                                           {.name = "clock", .command = "clock", .restart = 2, .count = 1}};
        struct torc_member_info member = {.group = "feed", .state = TORC_MEMBER_RUNNING, .wanted = true, .restarts = 7,
                                          .pid = getpid(), .cause = "started"};
        struct torc_supervisor *s;
        CHECK_RC(torc_supervisor_open(&s, bus, "/etc/torc.ini"), 0);
        CHECK_RC(torc_supervisor_set_groups(s, group, 2), 0);
        for (uint32_t i = 0; i < 3; i++) {
                member.index = i;
                member.state = (enum torc_member_state)(i + 1);
                CHECK_RC(torc_supervisor_set_member(s, i, &member), 0);
                torc_supervisor_event(s, TORC_EVENT_STARTED, "feed-%u started", i);
        }
        torc_supervisor_beat(s);
}

static void bus_files_maker(struct child *link, struct test *t, void *arg)
{
        struct torc_bus *bus;
        (void)arg;
        CHECK_RC(test_bus_open(t, &bus, "maker", "red,blue"), 0);
        flip_make_grown(bus);
        flip_make_lagged(bus);
        flip_make_owned(bus);
        flip_make_ended(bus);
        flip_make_plain(bus);
        bus_files_publish(bus);
        link_say(link, 0);
        link_hear(link); /* killed here */
}

static void bus_files_keep(struct bus_files *b, const struct flip_file *f)
{
        struct bus_file *file = &b->file[b->n];
        struct stat st;
        snprintf(file->path, sizeof file->path, "%s/bus/%s", b->root, f->path);
        snprintf(file->keep, sizeof file->keep, "%s/keep-%zu", b->root, b->n++);
        file->size = f->size;
        file->pristine = f->bytes;
        file->fd = open(file->path, O_RDWR | O_CLOEXEC);
        MUST(file->fd >= 0 && fstat(file->fd, &st) == 0 && link(file->path, file->keep) == 0);
        file->inode = st.st_ino;
        file->map = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
        MUST(file->map != MAP_FAILED);
        if (!strcmp(strrchr(file->path, '/'), "/ctl"))
                b->ctl[b->n_ctl++] = file;
        memcpy(file->map, file->pristine, file->size); /* the redo record that was armed */
}

static int bus_files_by_path(const void *a, const void *b)
{
        return strcmp(((const struct flip_file *)a)->path, ((const struct flip_file *)b)->path);
}

void bus_files_make(struct bus_files *b, const char *root)
{
        static struct flip_bus loaded;
        struct test t = {0};
        char path[96];
        snprintf(b->root, sizeof b->root, "%s", root);
        snprintf(t.root, sizeof t.root, "%s", root);
        struct child maker = child_start(&t, bus_files_maker, NULL);
        child_hear(&maker);
        child_kill(&maker);
        flip_prefix = (size_t)snprintf(path, sizeof path, "%s/bus", root) + 1;
        flip_loading = &loaded;
        MUST(nftw(path, flip_load_one, 8, FTW_PHYS) == 0);
        flip_arm(&loaded, "@owned/ctl");
        /* So that an input names the same file on every machine; directories come before what is in them. */
        qsort(loaded.file, loaded.n, sizeof *loaded.file, bus_files_by_path);
        for (size_t i = 0; i < loaded.n; i++) {
                if (S_ISREG(loaded.file[i].mode))
                        bus_files_keep(b, &loaded.file[i]);
                else
                        b->other[b->n_other++] = loaded.file[i];
        }
}

/* ---- and again ------------------------------------------------------------------------------------------- */

static bool bus_files_known(const struct bus_files *b, const char *path, const struct stat *st)
{
        size_t prefix = strlen(b->root) + strlen("/bus/");
        if (strlen(path) < prefix)
                return true; /* the bus's own directory */
        for (size_t i = 0; i < b->n; i++)
                if (!strcmp(b->file[i].path, path))
                        return b->file[i].inode == st->st_ino;
        for (size_t i = 0; i < b->n_other; i++)
                if (!strcmp(b->other[i].path, path + prefix))
                        return (b->other[i].mode & S_IFMT) == (st->st_mode & S_IFMT);
        return false;
}

static const struct bus_files *bus_files_walked;

static int bus_files_see(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)at;
        if (!bus_files_known(bus_files_walked, path, st))
                return kind == FTW_DP ? rmdir(path) : unlink(path);
        return 0;
}

static void bus_files_restore(const struct bus_file *f)
{
        struct stat st;
        if (access(f->path, F_OK))
                MUST(link(f->keep, f->path) == 0);
        MUST(fstat(f->fd, &st) == 0);
        if ((size_t)st.st_size != f->size)
                MUST(ftruncate(f->fd, (off_t)f->size) == 0);
        for (size_t at = 0; at < f->size; at += BUS_FILES_PAGE) {
                size_t n = f->size - at < BUS_FILES_PAGE ? f->size - at : BUS_FILES_PAGE;
                if (memcmp(f->map + at, f->pristine + at, n))
                        memcpy(f->map + at, f->pristine + at, n);
        }
}

void bus_files_reset(struct bus_files *b)
{
        char path[256];
        snprintf(path, sizeof path, "%s/bus", b->root);
        bus_files_walked = b;
        MUST(nftw(path, bus_files_see, 8, FTW_DEPTH | FTW_PHYS) == 0);
        for (size_t i = 0; i < b->n_other; i++) {
                snprintf(path, sizeof path, "%s/bus/%s", b->root, b->other[i].path);
                if (access(path, F_OK))
                        MUST((S_ISDIR(b->other[i].mode) ? mkdir(path, 0700) : mkfifo(path, 0600)) == 0);
        }
        for (size_t i = 0; i < b->n; i++)
                bus_files_restore(&b->file[i]);
}

void bus_files_hide(const struct bus_files *b, const char *name)
{
        char path[256];
        snprintf(path, sizeof path, "%s/bus/%s", b->root, name);
        MUST(unlink(path) == 0);
}
