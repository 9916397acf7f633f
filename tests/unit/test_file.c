/*
 * test_file.c - files that are made whole, locks that die with their holder.
 *
 * links: libshm/file.c libshm/wait.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "file.h"
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
        char path[64];
        int fd;
};

static int place_open(void **state)
{
        struct place *p = calloc(1, sizeof *p);
        if (!p)
                return -1;
        strcpy(p->path, "/dev/shm/torc-test-file-XXXXXX");
        if (!mkdtemp(p->path))
                return -1;
        p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = p;
        return p->fd < 0 ? -1 : 0;
}

static int place_close(void **state)
{
        struct place *p = *state;
        static const char *const names[] = {"a", "b", "link", "dir/sub/deep", "dir/sub", "dir"};
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
                if (unlinkat(p->fd, names[i], 0))
                        unlinkat(p->fd, names[i], AT_REMOVEDIR);
        close(p->fd);
        int rc = rmdir(p->path);
        free(p);
        return rc;
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, place_open, place_close)

static int make(struct place *p, const char *name, uint64_t bytes)
{
        static const struct file_perm perm = {.mode = 0640, .uid = -1, .gid = -1};
        int fd = file_make_nameless(p->fd, bytes, &perm);
        assert_true(fd >= 0);
        if (name)
                assert_int_equal(file_link(fd, p->fd, name), 0);
        return fd;
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static void file_make_when_linked_is_whole_at_once(void **state)
{
        struct place *p = *state;
        mode_t mask = umask(0777); /* has no say */
        int fd = make(p, NULL, 10000);
        umask(mask);
        struct stat st;
        assert_int_equal(file_open(p->fd, "a", false), -ENOENT);
        assert_int_equal(file_link(fd, p->fd, "a"), 0);
        assert_int_equal(fstatat(p->fd, "a", &st, 0), 0);
        assert_int_equal(st.st_size, 10000);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_true(st.st_blocks * 512 >= 10000); /* allocated, not sparse */
        close(fd);
}

static void file_link_when_name_is_taken_is_eexist(void **state)
{
        struct place *p = *state;
        int first = make(p, "a", 64), second = make(p, NULL, 128);
        uint64_t bytes;
        assert_int_equal(file_link(second, p->fd, "a"), -EEXIST);
        int fd = file_open(p->fd, "a", false);
        assert_int_equal(file_size(fd, &bytes), 0);
        assert_int_equal(bytes, 64);
        close(fd);
        close(first);
        close(second);
}

static void file_make_when_abandoned_leaves_nothing(void **state)
{
        struct place *p = *state;
        close(make(p, NULL, 4096)); /* place_close() finds the directory empty */
}

static void file_open_when_it_is_a_link_refuses(void **state)
{
        struct place *p = *state;
        close(make(p, "a", 64));
        assert_int_equal(symlinkat("a", p->fd, "link"), 0);
        assert_int_equal(file_open(p->fd, "link", true), -ELOOP);
}

static void file_size_when_it_is_no_file_is_einval(void **state)
{
        struct place *p = *state;
        uint64_t bytes;
        assert_int_equal(file_size(p->fd, &bytes), -EINVAL);
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_size(fd, &bytes), -EINVAL);
        close(fd);
        assert_int_equal(file_size(-1, &bytes), -EBADF);
}

static void file_map_when_written_is_shared(void **state)
{
        struct place *p = *state;
        int fd = make(p, "a", 4096);
        for (int populate = 0; populate < 2; populate++) {
                void *a, *b;
                assert_int_equal(file_map(fd, 4096, true, populate, &a), 0);
                assert_int_equal(file_map(fd, 4096, false, populate, &b), 0);
                memset(a, 7 + populate, 4096);
                assert_memory_equal(a, b, 4096);
                file_unmap(a, 4096);
                file_unmap(b, 4096);
        }
        file_unmap(NULL, 4096);
        void *none;
        assert_int_equal(file_map(-1, 4096, false, false, &none), -EBADF);
        close(fd);
}

/* ---- locks ----------------------------------------------------------------------------------------------- */

static bool held(int fd, int64_t byte)
{
        bool is = false;
        assert_int_equal(file_lock_held(fd, byte, &is), 0);
        return is;
}

/* Two descriptions of one file exclude each other in one process too. */
static void lock_when_another_holds_it_is_eagain(void **state)
{
        struct place *p = *state;
        close(make(p, "a", 64));
        int a = file_open(p->fd, "a", true), b = file_open(p->fd, "a", true), probe = file_open(p->fd, "a", false);
        const int64_t far = 1ll << 40; /* beyond the file's end */
        assert_int_equal(file_try_lock(a, far), 0);
        assert_int_equal(file_try_lock(a, far), 0); /* its own */
        assert_int_equal(file_try_lock(b, far), -EAGAIN);
        assert_int_equal(file_try_lock(b, far + 1), 0);
        assert_true(held(probe, far));
        assert_true(held(b, far));
        assert_false(held(a, far)); /* by another, that is */
        file_unlock(a, far);
        assert_false(held(probe, far));
        assert_int_equal(file_try_lock(b, far), 0);
        close(b); /* with all its locks */
        assert_false(held(probe, far));
        assert_false(held(probe, far + 1));
        close(a);
        close(probe);
}

static void lock_when_deadline_comes_times_out(void **state)
{
        struct place *p = *state;
        close(make(p, "a", 64));
        int a = file_open(p->fd, "a", true), b = file_open(p->fd, "a", true);
        assert_int_equal(file_try_lock(a, 0), 0);
        assert_int_equal(file_lock(b, 0, 0), -ETIMEDOUT);
        int64_t from = wait_mono_ns();
        assert_int_equal(file_lock(b, 0, from + 5000000), -ETIMEDOUT);
        assert_true(wait_mono_ns() - from >= 5000000);
        file_unlock(a, 0);
        assert_int_equal(file_lock(b, 0, 0), 0);
        close(a);
        close(b);
}

static void lock_when_holder_is_killed_is_free(void **state)
{
        struct place *p = *state;
        int pipe_fd[2], status;
        char byte;
        close(make(p, "a", 64));
        assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
        pid_t pid = fork();
        if (pid == 0) {
                int fd = file_open(p->fd, "a", true);
                if (fd < 0 || file_try_lock(fd, 5) || write(pipe_fd[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
        int fd = file_open(p->fd, "a", true);
        assert_true(held(fd, 5));
        kill(pid, SIGSTOP);
        assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
        assert_true(held(fd, 5)); /* stopped is not dead */
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(held(fd, 5));
        close(fd);
        close(pipe_fd[0]);
        close(pipe_fd[1]);
}

/* ---- directories ----------------------------------------------------------------------------------------- */

static void dir_mode_when_bits_are_given_adds_enter(void **state)
{
        (void)state;
        assert_int_equal(file_dir_mode(0600), 0700);
        assert_int_equal(file_dir_mode(0640), 0750);
        assert_int_equal(file_dir_mode(0644), 0755);
        assert_int_equal(file_dir_mode(0620), 0730);
        assert_int_equal(file_dir_mode(0666), 0777);
}

static void make_dirs_when_part_exists_makes_the_rest(void **state)
{
        struct place *p = *state;
        char path[128];
        struct stat st;
        mode_t mask = umask(0777);
        snprintf(path, sizeof path, "%s/dir", p->path);
        assert_int_equal(file_make_dirs(path, 0700), 0);
        snprintf(path, sizeof path, "%s/dir//sub/deep/", p->path);
        assert_int_equal(file_make_dirs(path, 0751), 0);
        assert_int_equal(file_make_dirs(path, 0700), 0);
        umask(mask);
        assert_int_equal(fstatat(p->fd, "dir", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0700); /* not touched again */
        assert_int_equal(fstatat(p->fd, "dir/sub/deep", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0751);
}

static void make_dirs_when_path_is_too_long_says_so(void **state)
{
        (void)state;
        char path[8192];
        memset(path, 'x', sizeof path - 1);
        path[0] = '/';
        path[sizeof path - 1] = '\0';
        assert_int_equal(file_make_dirs(path, 0700), -ENAMETOOLONG);
}

static void random_when_asked_twice_differs(void **state)
{
        (void)state;
        uint64_t a = 0, b = 0;
        assert_int_equal(file_random(&a), 0);
        assert_int_equal(file_random(&b), 0);
        assert_true(a != b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                PLACE_TEST(file_make_when_linked_is_whole_at_once),
                PLACE_TEST(file_link_when_name_is_taken_is_eexist),
                PLACE_TEST(file_make_when_abandoned_leaves_nothing),
                PLACE_TEST(file_open_when_it_is_a_link_refuses),
                PLACE_TEST(file_size_when_it_is_no_file_is_einval),
                PLACE_TEST(file_map_when_written_is_shared),
                PLACE_TEST(lock_when_another_holds_it_is_eagain),
                PLACE_TEST(lock_when_deadline_comes_times_out),
                PLACE_TEST(lock_when_holder_is_killed_is_free),
                cmocka_unit_test(dir_mode_when_bits_are_given_adds_enter),
                PLACE_TEST(make_dirs_when_part_exists_makes_the_rest),
                cmocka_unit_test(make_dirs_when_path_is_too_long_says_so),
                cmocka_unit_test(random_when_asked_twice_differs),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
