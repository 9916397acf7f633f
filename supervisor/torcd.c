/*
 * torcd.c - the supervisor: options, start and stop.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "sup.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TRIES    20 /* a child that was being forked as its torcd was killed lets go of the lock at once */
#define LOCK_PAUSE_NS (10 * MS)

static const char help[] =
        "usage: torcd -c FILE [--root DIR] [--check | --dump]\n"
        "\n"
        "The supervisor of a torc bus: makes the streams of torc.ini, runs its groups of producers, restarts "
        "them,\n"
        "and cleans up after processes that die. It stays in the foreground and logs to standard error.\n"
        "\n"
        "  -c, --config FILE  torc.ini; see torc.ini(5)\n"
        "      --check        read the file, report every mistake, touch nothing; exit 0 or 1\n"
        "      --dump         print the configuration in full, with where each value comes from\n"
        "      --root DIR     directory of buses, instead of [bus] root\n"
        "  -h, --help         this text\n"
        "  -V, --version      print the version\n"
        "\n"
        "SIGTERM and SIGINT stop the members, last group first, then torcd; a second one kills what is left.\n"
        "Killed with SIGKILL it leaves its members running: the next torcd adopts them.\n"
        "'torc ctl' talks to it: status, start, stop, restart, scale, fence, kick.\n"
        "\n"
        "Exit codes: 0 stopped in good order, or the file is right; 1 failure; 2 wrong usage\n";

struct options {
        const char *config, *root;
        bool check, dump;
};

/* Returns -1 to go on, or an exit code. */
static int parse_options(int argc, char **argv, struct options *o)
{
        enum { OPT_CHECK = 0x100, OPT_DUMP, OPT_ROOT };
        static const struct option options[] = {
                {"config", required_argument, NULL, 'c'},
                {"check", no_argument, NULL, OPT_CHECK},
                {"dump", no_argument, NULL, OPT_DUMP},
                {"root", required_argument, NULL, OPT_ROOT},
                {"help", no_argument, NULL, 'h'},
                {"version", no_argument, NULL, 'V'},
                {NULL, 0, NULL, 0},
        };
        int option;
        while ((option = getopt_long(argc, argv, "c:hV", options, NULL)) != -1) {
                switch (option) {
                case 'c':
                        o->config = optarg;
                        break;
                case OPT_CHECK:
                        o->check = true;
                        break;
                case OPT_DUMP:
                        o->dump = true;
                        break;
                case OPT_ROOT:
                        o->root = optarg;
                        break;
                case 'h':
                        fputs(help, stdout);
                        return 0;
                case 'V':
                        puts("torcd " TORC_VERSION);
                        return 0;
                default:
                        fputs("torcd: 'torcd --help' shows how it is used\n", stderr);
                        return 2;
                }
        }
        if (optind < argc || !o->config || (o->check && o->dump)) {
                fprintf(stderr, "torcd: %s\ntorcd: 'torcd --help' shows how it is used\n",
                        optind < argc ? "too many arguments"
                        : o->config   ? "--check and --dump exclude each other"
                                      : "-c FILE says what to run");
                return 2;
        }
        return -1;
}

/* With 0, 1 or 2 closed, the next file opened would become standard output. */
static void fill_standard_fds(void)
{
        int fd;
        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= 2);
        if (fd > 2)
                close(fd);
}

/* What the supervisor can hold, which is none of the file's business to know. Returns the number of errors. */
static int check_sizes(const struct conf *conf)
{
        uint64_t members = 0;
        for (size_t i = 0; i < conf->n_groups; i++)
                members += conf->groups[i].count;
        if (conf->n_groups > TORC_MAX_GROUPS)
                fprintf(stderr, "%s: %zu groups; a supervisor runs at most %d\n", conf->path, conf->n_groups,
                        TORC_MAX_GROUPS);
        if (members > TORC_MAX_MEMBERS)
                fprintf(stderr, "%s: %llu members in all groups; a supervisor runs at most %d\n", conf->path,
                        (unsigned long long)members, TORC_MAX_MEMBERS);
        return (conf->n_groups > TORC_MAX_GROUPS) + (members > TORC_MAX_MEMBERS);
}

/* ---- start ----------------------------------------------------------------------------------------------- */

static void limits_open(struct sup *sup)
{
        if (getrlimit(RLIMIT_NOFILE, &sup->files) == 0) {
                struct rlimit more = sup->files;
                more.rlim_cur = more.rlim_max;
                setrlimit(RLIMIT_NOFILE, &more); /* two descriptors for each member; children get the old limit */
        }
        /* Orphans of members become our children, so that we see them end. */
        if (prctl(PR_SET_CHILD_SUBREAPER, 1))
                log_warn("cannot become subreaper: %s", strerror(errno));
}

static void bus_open(struct sup *sup, const char *root)
{
        const struct conf_bus *b = &sup->conf->bus;
        int rc = 0;
        if (root || b->root) {
                int n = snprintf(sup->root, sizeof sup->root, "%s", root ? root : b->root);
                rc = n < 0 || (size_t)n >= sizeof sup->root ? -ENAMETOOLONG : 0;
        } else {
                rc = torc_root_default(sup->root, sizeof sup->root);
        }
        struct torc_bus_config config = {
                .root = root || b->root ? sup->root : NULL, /* NULL: the library makes sure that it is ours */
                .name = b->name,
                .peer_name = "torcd",
                .tags = b->tags,
                .mode = b->mode,
        };
        if (rc == 0)
                rc = torc_bus_open(&sup->bus, &config);
        if (rc)
                fatal("bus '%s' in %s: %s (%s)", b->name, sup->root, torc_strerror(rc), torc_errname(rc));
}

static long long other_supervisor(struct sup *sup)
{
        struct torc_inspector *inspector;
        struct torc_snapshot *snapshot;
        long long pid = 0;
        if (torc_inspector_open(&inspector, sup->root, sup->conf->bus.name))
                return 0;
        if (torc_inspector_take(inspector, &snapshot) == 0) {
                pid = snapshot->supervisor.pid;
                torc_snapshot_free(&snapshot);
        }
        torc_inspector_close(&inspector);
        return pid;
}

static void state_open(struct sup *sup)
{
        const char *path = torc_bus_path(sup->bus);
        char config[PATH_MAX];
        if (!realpath(sup->conf->path, config))
                snprintf(config, sizeof config, "%s", sup->conf->path);
        int rc = TORC_EBUSY;
        for (int i = 0; i < LOCK_TRIES && rc == TORC_EBUSY; i++) {
                if (i)
                        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
                rc = torc_supervisor_open(&sup->state, sup->bus, config);
        }
        sup->started_wall_ns = sup_wall();
        if (rc == TORC_EBUSY)
                fatal("another torcd (pid %lld) supervises the bus '%s' in %s; stop it first, or give this one "
                      "another "
                      "[bus] name",
                      other_supervisor(sup), sup->conf->bus.name, sup->root);
        if (rc == TORC_ECORRUPT || rc == TORC_EVERSION)
                fatal("%s/supervisor: %s; remove it when no member of it runs any more", path, torc_strerror(rc));
        if (rc)
                fatal("%s/supervisor: %s", path, torc_strerror(rc));
}

static void groups_open(struct sup *sup)
{
        for (size_t i = 0; i < sup->conf->n_groups; i++) {
                struct sup_group *group = calloc(1, sizeof *group);
                if (!group)
                        fatal("out of memory");
                group->conf = &sup->conf->groups[i];
                group->count = group->conf->count;
                sup->groups[sup->n_groups++] = group;
        }
}

static void groups_start(struct sup *sup)
{
        for (size_t i = 0; i < sup->n_groups; i++) {
                struct sup_group *group = sup->groups[i];
                int rc = group->own ? 0 : group_scale(sup, group, group->count);
                if (rc)
                        log_warn("group %s: %s", group->conf->name,
                                 rc == -E2BIG ? "no place for all of its members beside those that were adopted"
                                              : torc_strerror(rc));
        }
        groups_publish(sup);
        members_publish(sup);
}

/* ---- stop ------------------------------------------------------------------------------------------------ */

static void sup_close(struct sup *sup)
{
        control_close(sup);
        members_publish(sup);
        logs_close(sup);
        note(sup, TORC_EVENT_SUPERVISOR, "torcd stopped");
        torc_supervisor_finish(sup->state);
        members_stay_stopped(sup);
        watch_close(sup);
        torc_supervisor_close(&sup->state);
        torc_bus_close(&sup->bus);
        for (size_t i = 0; i < sup->top_member; i++) {
                if (!sup->members[i])
                        continue;
                member_free(&sup->members[i]->life);
                free(sup->members[i]);
        }
        for (size_t i = 0; i < sup->n_groups; i++) {
                if (sup->groups[i]->own) {
                        free(sup->groups[i]->own->name);
                        free(sup->groups[i]->own);
                }
                free(sup->groups[i]);
        }
        conf_free(&sup->conf);
}

static void supervise(struct sup *sup, const char *root)
{
        loop_open(sup);
        limits_open(sup);
        bus_open(sup, root);
        state_open(sup);
        note(sup, TORC_EVENT_SUPERVISOR, "torcd " TORC_VERSION " started, pid %d, bus %s", (int)getpid(),
             torc_bus_path(sup->bus));
        watch_open(sup);
        streams_open(sup);
        logs_open(sup);
        groups_open(sup);
        adopt(sup);
        control_open(sup);
        groups_start(sup);
        loop_run(sup);
        sup_close(sup);
}

int main(int argc, char **argv)
{
        static struct sup sup = {
                .sweep_due = MEMBER_NEVER,
                .log_due = MEMBER_NEVER,
                .spool = -1,
                .log_dir = -1,
                .life = -1,
        };
        struct options o = {0};
        fill_standard_fds();
        int code = parse_options(argc, argv, &o);
        if (code >= 0)
                return code;
        int errors = conf_load(&sup.conf, o.config, stderr);
        if (errors == 0)
                errors = check_sizes(sup.conf);
        if (errors) {
                fprintf(stderr, "torcd: %d error%s in %s\n", errors, errors == 1 ? "" : "s", o.config);
                conf_free(&sup.conf);
                return 1;
        }
        if (o.dump)
                conf_dump(sup.conf, stdout);
        if (o.check)
                printf("%s is right: %zu stream%s, %zu group%s\n", o.config, sup.conf->n_streams,
                       sup.conf->n_streams == 1 ? "" : "s", sup.conf->n_groups, sup.conf->n_groups == 1 ? "" : "s");
        if (o.check || o.dump) {
                conf_free(&sup.conf);
                return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
        }
        supervise(&sup, o.root);
        return 0;
}
