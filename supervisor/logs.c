/*
 * logs.c - torcd's side of members' output: makes their spools, keeps the log writer running.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "logwriter.h"
#include "proc.h"
#include "spool.h"
#include "sup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOGS_AGAIN_NS  (1000 * MS) /* between two starts of a log writer */
#define LOGS_FINISH_MS 5000        /* to write what is left when all has stopped */

static int make_directories(const char *path)
{
        char part[PATH_MAX];
        size_t len = strlen(path);
        if (len >= sizeof part)
                return -ENAMETOOLONG;
        for (size_t i = 1; i <= len; i++) {
                if (path[i] != '/' && path[i] != '\0')
                        continue;
                memcpy(part, path, i);
                part[i] = '\0';
                if (mkdir(part, 0755) && errno != EEXIST)
                        return -errno;
        }
        return 0;
}

static int logs_directory(const char *path)
{
        int rc = make_directories(path);
        if (rc)
                return rc;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS)) {
                rc = -errno;
                close(fd);
                return rc;
        }
        return fd;
}

static void keep_only(const int *keep, size_t n)
{
        for (unsigned fd = 3; fd < 65536;) {
                unsigned next = ~0u; /* the lowest one kept at or above fd */
                for (size_t i = 0; i < n; i++)
                        if (keep[i] >= 0 && (unsigned)keep[i] >= fd && (unsigned)keep[i] < next)
                                next = (unsigned)keep[i];
                if (next > fd)
                        close_range(fd, next - (next != ~0u), 0);
                if (next == ~0u)
                        return;
                fd = next + 1;
        }
}

static _Noreturn void logs_child(struct sup *sup, int life)
{
        struct logwriter w = {
                .spool = sup->spool,
                .life = life,
                .policy = {sup->log_dir, sup->conf->log.max_size_bytes, sup->conf->log.files},
        };
        setsid(); /* a terminal's ^C is for torcd, which then tells us when all output is there */
        torc_supervisor_close(&sup->state);
        torc_inspector_close(&sup->inspector);
        torc_bus_close(&sup->bus);
        keep_only((int[]){sup->spool, sup->log_dir, life}, 3);
        logwriter_run(&w);
}

static void logs_start(struct sup *sup)
{
        int ends[2];
        if (pipe2(ends, O_CLOEXEC))
                return;
        pid_t pid = fork();
        if (pid == 0) {
                close(ends[1]);
                logs_child(sup, ends[0]);
        }
        close(ends[0]);
        if (pid < 0) {
                close(ends[1]);
                log_warn("cannot start the log writer: %s", strerror(errno));
                sup->log_due = sup_now() + LOGS_AGAIN_NS;
                return;
        }
        if (sup->life >= 0)
                close(sup->life);
        sup->life = ends[1];
        sup->log_writer = pid;
        sup->log_due = MEMBER_NEVER;
}

/* A torcd that was killed has left its log writer at work. Tell it to finish: ours waits for that. */
static void logs_relieve(const struct sup *sup)
{
        pid_t pid = logwriter_find(sup->spool);
        struct proc proc;
        if (pid <= 0 || proc_read(pid, &proc))
                return;
        int fd = proc_open(pid, proc.ticks);
        if (fd >= 0 && logwriter_find(sup->spool) == pid)
                proc_signal(fd, SIGTERM);
        if (fd >= 0)
                close(fd);
}

void logs_open(struct sup *sup)
{
        const struct conf_log *log = &sup->conf->log;
        sup->log_due = MEMBER_NEVER;
        sup->spool = spool_dir(torc_bus_path(sup->bus));
        if (sup->spool < 0)
                fatal("%s/" SPOOL_DIR ": %s", torc_bus_path(sup->bus), torc_strerror(sup->spool));
        if (log->directory) {
                sup->log_dir = logs_directory(log->directory);
                if (sup->log_dir < 0)
                        fatal("[log] directory = %s: %s", log->directory, torc_strerror(sup->log_dir));
        }
        /* Without a directory there may still be members that another torcd gave a spool. */
        if (!log->directory && !spool_any(sup->spool))
                return;
        logs_relieve(sup);
        logs_start(sup);
}

int logs_output(struct sup *sup, const struct sup_member *m)
{
        const struct conf_group *c = m->group->conf;
        if (sup->log_dir < 0) {
                int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
                return fd < 0 ? -errno : fd;
        }
        return spool_create(sup->spool, m->name, sup->conf->log.full == CONF_LOG_BLOCK, c->uid, c->gid);
}

bool logs_ended(struct sup *sup, pid_t pid, int status)
{
        char text[64];
        if (!sup->log_writer || pid != sup->log_writer)
                return false;
        member_status_text(text, sizeof text, status);
        if (status != 0) /* else it was asked to */
                log_warn("the log writer %s; output waits in memory until the next one runs", text);
        sup->log_writer = 0;
        sup->log_due = sup_now() + LOGS_AGAIN_NS;
        return true;
}

void logs_tick(struct sup *sup, int64_t now)
{
        if (now >= sup->log_due)
                logs_start(sup);
}

static void logs_count(struct sup *sup)
{
        for (size_t i = 0; i < sup->top_member && sup->log_writer; i++) {
                struct sup_member *m = sup->members[i];
                uint64_t dropped = m ? spool_dropped(sup->spool, m->name) : 0;
                if (!m || dropped == m->log_dropped)
                        continue;
                m->log_dropped = dropped;
                m->dirty = true;
        }
}

/* Somebody has removed the directory: make it again, and have a new log writer use it. The old one finishes; what
 * it cannot write stays in the spools. */
static void logs_renew_directory(struct sup *sup)
{
        struct stat st;
        if (sup->log_dir < 0 || fstat(sup->log_dir, &st) || st.st_nlink > 0)
                return;
        int fd = logs_directory(sup->conf->log.directory);
        if (fd < 0)
                return; /* again in a second; the log writer has told what is wrong */
        log_warn("%s was removed; it is made again", sup->conf->log.directory);
        close(sup->log_dir);
        sup->log_dir = fd;
        if (sup->log_writer)
                kill(sup->log_writer, SIGTERM);
}

void logs_look(struct sup *sup)
{
        logs_count(sup);
        logs_renew_directory(sup);
}

/* All members have stopped: nothing that is left there will be needed. */
static void logs_remove(struct sup *sup)
{
        char path[PATH_MAX];
        DIR *dir = fdopendir(sup->spool);
        struct dirent *entry;
        while (dir && (entry = readdir(dir)))
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        unlinkat(dirfd(dir), entry->d_name, 0);
        if (dir)
                closedir(dir);
        sup->spool = -1;
        int n = snprintf(path, sizeof path, "%s/" SPOOL_DIR, torc_bus_path(sup->bus));
        if (n > 0 && (size_t)n < sizeof path)
                rmdir(path);
}

void logs_close(struct sup *sup)
{
        int status;
        if (sup->log_writer) {
                kill(sup->log_writer, SIGTERM); /* our child, not reaped: the pid is its own */
                for (int waited = 0; waited < LOGS_FINISH_MS; waited += 5) {
                        if (waitpid(sup->log_writer, &status, WNOHANG) == sup->log_writer) {
                                sup->log_writer = 0;
                                break;
                        }
                        nanosleep(&(struct timespec){.tv_nsec = 5 * MS}, NULL);
                }
        }
        if (sup->log_writer) {
                log_warn("the log writer did not finish in time; what it has not written stays in %s/" SPOOL_DIR,
                         torc_bus_path(sup->bus));
                kill(sup->log_writer, SIGKILL);
                return;
        }
        if (sup->spool >= 0)
                logs_remove(sup);
}
