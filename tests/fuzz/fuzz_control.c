/*
 * fuzz_control.c - torcd's control socket: requests in pieces of any bytes, from several clients at once, to a
 * supervisor with groups, members and a bus.
 *
 * Linked from torcd's own files but those that start, signal or look for processes (spawn.c, proc.c, sweep.c); these
 * are replaced here, so that members "run" without any, and end when the input says so. Must hold: a complete request
 * gets one whole reply, "ok..." or "error ...", ending with a newline; members' books stay in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "private.h"

#include "../../supervisor/log.h"
#include "../../supervisor/proc.h"
#include "../../supervisor/sup.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CLIENTS 3

static const char config_text[] = "[bus]\nname = fuzz\n[stream prices]\ncapacity = 4KiB\n"
                                  "[group feed]\ncommand = /bin/feed\ncount = 2\nstream = prices\n"
                                  "[group clock]\ncommand = /bin/clock\nrestart = temporary\n"
                                  "[group owner]\ncommand = /bin/owner\nstream = prices\naccess = exclusive\n";

static struct conf *conf;
static struct torc_bus *bus;
static struct torc_inspector *inspector;
static struct torc_supervisor *state;
static unsigned spawns; /* in this input */

/* ---- the world that torcd acts on: none ------------------------------------------------------------------ */

void log_info(const char *format, ...)
{
        (void)format;
}

void log_warn(const char *format, ...)
{
        (void)format;
}

void fatal(const char *format, ...)
{
        fprintf(stderr, "fatal: %s\n", format);
        abort();
}

int spawn(struct sup *sup, struct sup_member *m)
{
        (void)sup;
        MUST(m->pid == 0 && m->process.fd < 0);
        m->detail[0] = '\0';
        if (++spawns % 8 == 0) {
                snprintf(m->detail, sizeof m->detail, "cannot run it");
                return -ENOENT;
        }
        m->process.fd = dup(0);
        m->pid = 1000000 + (pid_t)m->slot;
        return 0;
}

void spawn_report(struct sup *sup, struct source *source, uint32_t events)
{
        (void)sup, (void)source, (void)events;
}

int proc_signal(int pidfd, int sig)
{
        (void)sig;
        MUST(pidfd >= 0);
        return 0;
}

int proc_signal_group(int pidfd, pid_t pid, int sig)
{
        MUST(pidfd >= 0 && pid >= 1000000);
        return sig == 0 ? -ESRCH : 0;
}

int32_t proc_status(int pidfd, pid_t pid, uint64_t ticks)
{
        (void)pidfd, (void)pid, (void)ticks;
        return 0;
}

void sweep_after(struct sup *sup, const struct sup_member *m)
{
        (void)sup, (void)m;
}

void sweep_tick(struct sup *sup, int64_t now)
{
        (void)sup, (void)now;
}

int proc_read(pid_t pid, struct proc *proc)
{
        (void)pid, (void)proc;
        return -ESRCH;
}

int proc_each(bool (*see)(const struct proc *proc, void *arg), void *arg)
{
        (void)see, (void)arg;
        return 0;
}

bool proc_has_environment(pid_t pid, const char *variable)
{
        (void)pid, (void)variable;
        return false;
}

int proc_open(pid_t pid, uint64_t ticks)
{
        (void)pid, (void)ticks;
        return -ESRCH;
}

bool proc_ended(int pidfd)
{
        (void)pidfd;
        return true;
}

/* ---- a supervisor for each input ------------------------------------------------------------------------- */

static struct sup *control_start(void)
{
        struct sup *sup = calloc(1, sizeof *sup);
        MUST(sup);
        sup->conf = conf, sup->bus = bus, sup->inspector = inspector, sup->state = state;
        sup->sweep_due = sup->log_due = MEMBER_NEVER;
        sup->epoll = epoll_create1(EPOLL_CLOEXEC);
        MUST(sup->epoll >= 0);
        for (size_t i = 0; i < conf->n_groups; i++) {
                struct sup_group *group = calloc(1, sizeof *group);
                MUST(group);
                group->conf = &conf->groups[i];
                sup->groups[sup->n_groups++] = group;
                MUST(group_scale(sup, group, group->conf->count) == 0);
        }
        control_open(sup);
        MUST(sup->listener.fd >= 0);
        return sup;
}

static void control_stop(struct sup *sup)
{
        control_close(sup);
        MUST(sup->n_clients == 0);
        for (size_t i = 0; i < sup->top_member; i++) {
                struct sup_member *m = sup->members[i];
                if (!m)
                        continue;
                source_close(sup, &m->process);
                member_free(&m->life);
                free(m);
        }
        for (size_t i = 0; i < sup->n_groups; i++)
                free(sup->groups[i]);
        close(sup->epoll);
        free(sup);
}

static void control_check(const struct sup *sup)
{
        MUST(sup->top_member <= TORC_MAX_MEMBERS);
        for (size_t i = 0; i < sup->top_member; i++) {
                const struct sup_member *m = sup->members[i];
                if (!m)
                        continue;
                bool runs = m->life.state == TORC_MEMBER_RUNNING || m->life.state == TORC_MEMBER_STOPPING;
                MUST(m->slot == i && runs == (m->pid != 0) && (m->pid != 0) == (m->process.fd >= 0));
        }
}

/* One lap of loop_run(), as long as something is ready. */
static void control_turn(struct sup *sup)
{
        struct epoll_event e;
        for (int laps = 0; laps < 1000 && epoll_wait(sup->epoll, &e, 1, 0) == 1; laps++) {
                struct source *source = e.data.ptr;
                source->ready(sup, source, e.events);
        }
        members_tick(sup, sup_now());
        control_tick(sup, sup_now());
        members_publish(sup);
        control_check(sup);
}

/* ---- clients --------------------------------------------------------------------------------------------- */

struct client {
        int fd;
        bool asked; /* sent a line, or ended: an answer is due */
        size_t sent;
};

static int control_connect(const struct sup *sup)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        MUST(fd >= 0 && snprintf(address.sun_path, sizeof address.sun_path, "%s", sup->control) > 0);
        MUST(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
        return fd;
}

static void client_hear(struct sup *sup, struct client *c)
{
        char reply[65536];
        size_t have = 0;
        ssize_t n;
        for (int laps = 0; laps < 100; laps++) {
                control_turn(sup);
                while (have < sizeof reply && (n = recv(c->fd, reply + have, sizeof reply - have, 0)) > 0)
                        have += (size_t)n;
                if (n == 0 || (n < 0 && errno == ECONNRESET))
                        break;
                if (have == sizeof reply)
                        have = 1024; /* the beginning is what counts, and how it ends */
        }
        MUST(n == 0 || errno == ECONNRESET); /* it was closed: the reply is whole */
        if (have) {
                MUST(!memcmp(reply, "ok\n", 3) || !memcmp(reply, "error ", 6));
                MUST(reply[have - 1] == '\n');
        }
        close(c->fd);
        *c = (struct client){.fd = -1};
}

/* Words that get past the first comparison. */
static size_t client_words(struct input *in, char *to, size_t cap)
{
        static const char *const word[] = {"status", "start", "stop", "restart", "scale", "fence", "kick", "feed", "feed-0",
                                           "clock", "owner", "prices", "\t", "\t", "\n", "\n", "0", "2", "1025",
                                           "18446744073709551615", "65536", "-1", "feed-1", "clokc", " ", "\x7f"};
        size_t n = 0;
        for (size_t words = take_below(in, 8); words > 0; words--) {
                const char *w = word[take_below(in, sizeof word / sizeof *word)];
                size_t len = strlen(w);
                if (len < cap - n) {
                        memcpy(to + n, w, len);
                        n += len;
                }
        }
        return n;
}

static void client_say(struct sup *sup, struct input *in, struct client *c, bool any)
{
        char text[600];
        size_t n = any ? take_below(in, 256) * (1 + take_below(in, 2)) : client_words(in, text, sizeof text);
        if (any)
                take_bytes(in, text, n);
        if (c->fd < 0)
                c->fd = control_connect(sup);
        ssize_t sent = send(c->fd, text, n, MSG_NOSIGNAL);
        c->asked |= n && (memchr(text, '\n', n) || sent < 0);
        c->sent += n;
        control_turn(sup);
        if (c->asked || c->sent >= 4096)
                client_hear(sup, c);
}

/* ---- what happens ---------------------------------------------------------------------------------------- */

static void control_end_member(struct sup *sup, struct input *in)
{
        size_t i = take_below(in, 8);
        int32_t status = take16(in);
        struct sup_member *m = i < sup->top_member ? sup->members[i] : NULL;
        if (m && m->pid)
                member_has_ended(sup, m, &status);
}

static void control_step(struct sup *sup, struct input *in, struct client *client)
{
        struct client *c = &client[take_below(in, CLIENTS)];
        switch (take8(in) % 8) {
        case 0:
        case 1:
        case 2:
                client_say(sup, in, c, false);
                break;
        case 3:
        case 4:
                client_say(sup, in, c, true);
                break;
        case 5: /* says that it has said all */
                if (c->fd >= 0 && c->sent) {
                        shutdown(c->fd, SHUT_WR);
                        client_hear(sup, c);
                }
                break;
        case 6: /* goes away */
                if (c->fd >= 0)
                        close(c->fd);
                *c = (struct client){.fd = -1};
                control_turn(sup);
                break;
        default:
                control_end_member(sup, in);
                control_turn(sup);
        }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
        (void)argc, (void)argv;
        MUST(conf_load_string(&conf, "torc.ini", config_text, sizeof config_text - 1, stderr) == 0);
        struct torc_bus_config config = {.root = private_make(), .name = "fuzz", .peer_name = "torcd"};
        MUST(torc_bus_open(&bus, &config) == 0);
        MUST(torc_inspector_open(&inspector, private_dir, "fuzz") == 0);
        MUST(torc_supervisor_open(&state, bus, "torc.ini") == 0);
        signal(SIGPIPE, SIG_IGN);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = {data, size};
        struct client client[CLIENTS] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
        struct torc_stream_config small = {.capacity_bytes = 4096, .uid = -1, .gid = -1};
        int rc = torc_stream_create(bus, "prices", &small);
        MUST(rc == 0 || rc == TORC_EEXISTS);
        spawns = 0;
        struct sup *sup = control_start();
        for (int steps = 0; steps < 40 && in.left; steps++)
                control_step(sup, &in, client);
        for (int i = 0; i < CLIENTS; i++)
                if (client[i].fd >= 0)
                        close(client[i].fd);
        control_turn(sup);
        control_stop(sup);
        return 0;
}
