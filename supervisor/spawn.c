/*
 * spawn.c - starting a member's program.
 *
 * A member must never run twice, also when torcd is killed at any instant. So the child does not run the program
 * until torcd has published its pid and says go:
 *
 *      torcd                                  child
 *      fork                                   new session, wait for a byte
 *      publish {DELAYED, pid, start time}
 *      send a byte                            (end of file instead: torcd is dead; exit)
 *      publish {RUNNING, ...}                 set up, exec
 *
 * Killed before it published, torcd leaves a child that exits and that nobody knows of; killed later, one that the
 * next torcd knows by pid and start time. The same socket tells why exec failed; exec closes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "proc.h"
#include "spool.h"
#include "sup.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the child could not do. */
struct failure {
        int error;
        enum { FAIL_OUTPUT, FAIL_NICE, FAIL_USER, FAIL_CWD, FAIL_ENV, FAIL_EXEC } step;
};

/* ---- in the child ---------------------------------------------------------------------------------------- */

/* Past libc, which keeps signals 32 and 33 for itself and so cannot undo that an ancestor ignored them. All zeroes is
 * the kernel's sigaction for "default, no flags, nothing masked" on every architecture; KILL and STOP are refused. */
static void spawn_default(int sig)
{
        const unsigned char zeroes[64] = {0};
        syscall(SYS_rt_sigaction, sig, zeroes, NULL, (size_t)8);
}

static void child_clean_signals(void)
{
        sigset_t none;
        for (int sig = 1; sig < NSIG; sig++)
                spawn_default(sig);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *access_word(enum torc_access access)
{
        static const char *const words[] = {
                [TORC_SHARED] = "shared",
                [TORC_EXCLUSIVE] = "exclusive",
                [TORC_WAIT_FOR_EXCLUSIVE] = "wait_for_exclusive",
                [TORC_EXCLUSIVE_WITH_FENCING] = "exclusive_with_fencing",
        };
        return words[access];
}

static int child_set(const char *name, const char *value)
{
        if (!value)
                return unsetenv(name);
        return setenv(name, value, 1);
}

static int child_environment(const struct sup *sup, const struct sup_member *m)
{
        const struct conf_group *c = m->group->conf;
        const struct passwd *pw = c->uid >= 0 ? getpwuid((uid_t)c->uid) : NULL;
        char index[16], pid[16];
        int rc = 0;
        if (pw) {
                rc |= child_set("USER", pw->pw_name) | child_set("LOGNAME", pw->pw_name);
                rc |= child_set("HOME", pw->pw_dir) | child_set("SHELL", pw->pw_shell);
        }
        for (size_t i = 0; i < c->n_env; i++)
                rc |= child_set(c->env[i].name, c->env[i].value);
        snprintf(index, sizeof index, "%u", m->index);
        snprintf(pid, sizeof pid, "%d", (int)getpid());
        rc |= child_set("TORC_ROOT", sup->root) | child_set("TORC_BUS", sup->conf->bus.name);
        rc |= child_set("TORC_NAME", m->name) | child_set("TORC_MEMBER", index);
        rc |= child_set("TORC_STREAM", c->stream);
        rc |= child_set("TORC_ACCESS", c->stream ? access_word(c->access) : NULL);
        rc |= child_set("TORC_TAGS", c->tags && c->tags[0] ? c->tags : NULL);
        rc |= child_set("TORC_PID", pid); /* tells what belongs to this run: sweep.c */
        return rc;
}

static int child_become(const struct conf_group *c)
{
        if (c->uid < 0)
                return 0;
        const struct passwd *pw = getpwuid((uid_t)c->uid);
        gid_t gid = c->gid >= 0 ? (gid_t)c->gid : pw ? pw->pw_gid : (gid_t)c->uid;
        if ((pw ? initgroups(pw->pw_name, gid) : setgroups(0, NULL)) || setgid(gid) || setuid((uid_t)c->uid))
                return -1;
        return 0;
}

static void child_close_others(int a, int b)
{
        unsigned low = (unsigned)(a < b ? a : b), high = (unsigned)(a < b ? b : a);
        fcntl(a, F_SETFD, FD_CLOEXEC);
        fcntl(b, F_SETFD, FD_CLOEXEC);
        if (low > 3)
                close_range(3, low - 1, 0);
        if (high > low + 1)
                close_range(low + 1, high - 1, 0);
        close_range(high + 1, ~0u, 0);
}

static int child_output(int out)
{
        int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0)
                return -1;
        return 0;
}

static _Noreturn void child_fail(int report, int step)
{
        struct failure f = {.error = errno, .step = step};
        ssize_t n = send(report, &f, sizeof f, MSG_NOSIGNAL);
        (void)n;
        _exit(127);
}

static _Noreturn void child_run(struct sup *sup, const struct sup_member *m, int report, int out)
{
        const struct conf_group *c = m->group->conf;
        char go;
        setsid(); /* a session and process group of its own: what it starts can be found, and a terminal's ^C is not
                     for it */
        child_close_others(report, out); /* torcd's end of `report`, too: only torcd keeps that open */
        child_clean_signals();
        if (read(report, &go, 1) != 1)
                _exit(SPAWN_EXIT_UNBORN);
        if (child_output(out))
                child_fail(report, FAIL_OUTPUT);
        setrlimit(RLIMIT_NOFILE, &sup->files);
        errno = 0;
        if (c->nice && nice(c->nice) == -1 && errno)
                child_fail(report, FAIL_NICE);
        if (c->umask >= 0)
                umask((mode_t)c->umask);
        if (child_become(c))
                child_fail(report, FAIL_USER);
        if (c->cwd && chdir(c->cwd))
                child_fail(report, FAIL_CWD);
        if (child_environment(sup, m))
                child_fail(report, FAIL_ENV);
        execvp(c->argv[0], c->argv);
        child_fail(report, FAIL_EXEC);
}

/* ---- in torcd -------------------------------------------------------------------------------------------- */

static void spawn_explain(struct sup_member *m, const struct failure *f)
{
        const struct conf_group *c = m->group->conf;
        const char *why = strerror(f->error);
        switch (f->step) {
        case FAIL_OUTPUT:
                snprintf(m->detail, sizeof m->detail, "cannot set up its output: %s", why);
                break;
        case FAIL_NICE:
                snprintf(m->detail, sizeof m->detail, "cannot set nice %d: %s", c->nice, why);
                break;
        case FAIL_USER:
                snprintf(m->detail, sizeof m->detail, "cannot become user '%s': %s", c->user ? c->user : "?", why);
                break;
        case FAIL_CWD:
                snprintf(m->detail, sizeof m->detail, "cannot enter '%s': %s", c->cwd, why);
                break;
        case FAIL_ENV:
                snprintf(m->detail, sizeof m->detail, "cannot set its environment: %s", why);
                break;
        case FAIL_EXEC:
                snprintf(m->detail, sizeof m->detail, "cannot run '%s': %s", c->argv[0], why);
                break;
        }
}

/* The child runs its program (end of file), or says why it cannot. */
void spawn_report(struct sup *sup, struct source *source, uint32_t events)
{
        struct sup_member *m = SOURCE_OF(source, struct sup_member, report);
        struct failure f;
        (void)events;
        ssize_t n = source->fd >= 0 ? recv(source->fd, &f, sizeof f, MSG_DONTWAIT) : -1;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == sizeof f)
                spawn_explain(m, &f);
        source_close(sup, source);
}

/* Make the child known, then let it go on. */
static int spawn_release(struct sup *sup, struct sup_member *m)
{
        struct proc proc;
        int pidfd = (int)syscall(SYS_pidfd_open, m->pid, 0);
        if (pidfd < 0)
                return -errno;
        m->process.fd = pidfd;
        int rc = proc_read(m->pid, &proc);
        if (rc)
                return rc;
        m->ticks = proc.ticks;
        m->started_wall_ns = sup_wall();
        rc = source_watch(sup, &m->report, m->report.fd, EPOLLIN);
        if (rc)
                return rc;
        member_publish(sup, m, true);
        return send(m->report.fd, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

static int spawn_failed(struct sup_member *m, const char *what, int rc)
{
        snprintf(m->detail, sizeof m->detail, "cannot %s: %s", what, strerror(-rc));
        return rc;
}

int spawn(struct sup *sup, struct sup_member *m)
{
        int ends[2];
        m->detail[0] = '\0';
        int out = logs_output(sup, m);
        if (out < 0)
                return spawn_failed(m, "make its spool", out);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
                int rc = -errno;
                close(out);
                return spawn_failed(m, "make a socket", rc);
        }
        m->report.fd = ends[0];
        pid_t pid = fork();
        if (pid == 0)
                child_run(sup, m, ends[1], out);
        int rc = pid < 0 ? -errno : 0;
        close(ends[1]);
        close(out);
        if (rc) {
                source_close(sup, &m->report);
                return spawn_failed(m, "fork", rc);
        }
        m->pid = pid;
        m->child = true;
        rc = spawn_release(sup, m);
        if (rc) { /* it waits for its byte still: closing the socket sends it home, and its end is an end like any
                     other */
                source_close(sup, &m->report);
                spawn_failed(m, "look after its process", rc);
        }
        m->dirty = true;
        return 0;
}
