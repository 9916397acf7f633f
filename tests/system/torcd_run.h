/*
 * torcd_run.h - for system tests in C that need a supervisor: starts the torcd that was built beside the test, on
 * the test's own root, and talks to its control socket.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TORCD_RUN_H
#define TORCD_RUN_H

#include "torc_test.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

/* The path of a program in the build directory: this test is <build>/tests/system/NAME. */
static inline void built(char path[PATH_MAX], const char *program)
{
        char self[PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        assert_true(n > 0);
        self[n] = '\0';
        for (int i = 0; i < 3; i++)
                *strrchr(self, '/') = '\0';
        assert_true(snprintf(path, PATH_MAX, "%s/%s", self, program) < PATH_MAX);
}

static inline int control_connect(const struct test *t)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "%s/default/control", t->root);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(fd >= 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
                return fd;
        int rc = -errno;
        close(fd);
        return rc;
}

/* All that comes until the other end closes; false when it does not within the time any wait may take. */
static inline bool control_read(int fd, char *reply, size_t cap)
{
        size_t len = 0;
        for (;;) {
                struct pollfd p = {.fd = fd, .events = POLLIN};
                if (poll(&p, 1, TEST_WAIT_MS) != 1)
                        return false;
                ssize_t n = read(fd, reply + len, cap - 1 - len);
                if (n <= 0)
                        break;
                len += (size_t)n;
        }
        reply[len] = '\0';
        return true;
}

/* Ask something; the reply is in a static buffer. */
static inline const char *control_ask(const struct test *t, const char *request)
{
        static char reply[1 << 16];
        int fd = control_connect(t);
        assert_true(fd >= 0);
        /* One that torcd turns away may have been closed already; the answer is there all the same. */
        assert_true(send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request) || errno == EPIPE);
        assert_true(control_read(fd, reply, sizeof reply));
        close(fd);
        return reply;
}

/* Start torcd with the given torc.ini, "[bus]" and its root apart, and wait until it answers. */
static inline pid_t torcd_start(struct test *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline pid_t torcd_start(struct test *t, const char *format, ...)
{
        char ini[PATH_MAX], program[PATH_MAX], log[PATH_MAX];
        snprintf(ini, sizeof ini, "%s/torc.ini", t->root);
        snprintf(log, sizeof log, "%s/torcd.log", t->root);
        built(program, "bin/torcd");
        FILE *f = fopen(ini, "w");
        assert_non_null(f);
        fprintf(f, "[bus]\nroot = %s\n", t->root);
        va_list args;
        va_start(args, format);
        vfprintf(f, format, args);
        va_end(args);
        fclose(f);
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
                dup2(fd, STDERR_FILENO);
                dup2(fd, STDOUT_FILENO);
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execl(program, "torcd", "-c", ini, (char *)NULL);
                _exit(127);
        }
        test_note_child(0, pid);
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        for (;;) {
                int fd = control_connect(t);
                if (fd >= 0) {
                        close(fd);
                        break;
                }
                if (waitpid(pid, NULL, WNOHANG) == pid) {
                        test_note_child(pid, 0);
                        fail_msg("torcd ended; it told why in %s", log);
                }
                assert_true(test_now_ms() < deadline);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        return pid;
}

static inline void torcd_stop(pid_t pid)
{
        int status;
        kill(pid, SIGTERM);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        test_note_child(pid, 0);
        assert_int_equal(status, 0);
}

#endif
