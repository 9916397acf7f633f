/*
 * test_handle.c - the list of handles: what fork() and the close of a bus do to them.
 *
 * links: libshm/handle.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "handle.h"
#include "torc.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int detached;

static void count_detach(struct handle *h)
{
        (void)h;
        detached++;
}

static struct torc_bus *bus_number(uintptr_t n)
{
        return (struct torc_bus *)(n * 64); /* only compared */
}

static void handle_init_when_new_is_alive_and_holds_nothing(void **state)
{
        (void)state;
        struct handle h;
        handle_init(&h, bus_number(1), count_detach);
        assert_int_equal(handle_dead(&h), 0);
        assert_int_equal(handle_take_cancel(&h), 0);
        for (int i = 0; i < HANDLE_FDS; i++)
                assert_int_equal(h.fd[i], -1);
}

static void handle_remove_when_it_has_descriptors_closes_them(void **state)
{
        (void)state;
        struct handle h[3];
        int fd[3];
        for (int i = 0; i < 3; i++) {
                handle_init(&h[i], NULL, NULL);
                assert_int_equal(handle_add(&h[i]), 0);
                fd[i] = h[i].fd[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
                assert_true(fd[i] >= 0);
        }
        /* The middle, the last, the first of the list. */
        static const int order[] = {1, 2, 0};
        for (int i = 0; i < 3; i++) {
                handle_remove(&h[order[i]]);
                for (int k = 0; k < 3; k++) {
                        bool gone = false;
                        for (int n = 0; n <= i; n++)
                                gone = gone || order[n] == k;
                        assert_int_equal(fcntl(fd[k], F_GETFD) == -1, gone);
                }
        }
}

static void handle_when_cancelled_tells_once(void **state)
{
        (void)state;
        struct handle h;
        handle_init(&h, NULL, NULL);
        atomic_store(&h.canceled, 1);
        assert_int_equal(handle_take_cancel(&h), TORC_ECANCELED);
        assert_int_equal(handle_take_cancel(&h), 0);
        assert_int_equal(handle_interrupted(&h, -EINTR), -EINTR);
        atomic_store(&h.canceled, 1);
        assert_int_equal(handle_interrupted(&h, 0), 0);
        assert_int_equal(handle_interrupted(&h, -EINTR), TORC_ECANCELED);
        assert_int_equal(handle_interrupted(&h, -EINTR), -EINTR);
}

static void handle_detach_all_when_bus_closes_takes_its_own_only(void **state)
{
        (void)state;
        struct handle h[4];
        for (uintptr_t i = 0; i < 4; i++) {
                handle_init(&h[i], bus_number(1 + i % 2), count_detach);
                assert_int_equal(handle_add(&h[i]), 0);
        }
        detached = 0;
        handle_detach_all(bus_number(1));
        assert_int_equal(detached, 2);
        assert_int_equal(handle_dead(&h[0]), TORC_EDETACHED);
        assert_int_equal(handle_dead(&h[1]), 0);
        assert_int_equal(handle_dead(&h[2]), TORC_EDETACHED);
        handle_detach_all(bus_number(1));
        assert_int_equal(detached, 2);
        for (int i = 0; i < 4; i++)
                handle_remove(&h[i]);
}

static void fork_when_handles_are_listed_kills_them_in_the_child(void **state)
{
        (void)state;
        struct handle listed, removed;
        handle_init(&listed, bus_number(1), count_detach);
        handle_init(&removed, bus_number(1), count_detach);
        assert_int_equal(handle_add(&listed), 0);
        assert_int_equal(handle_add(&removed), 0);
        handle_remove(&removed);
        int fd = listed.fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int bad = handle_dead(&listed) != TORC_EFORKED || fcntl(fd, F_GETFD) != -1 || listed.fd[0] != -1 ||
                          handle_dead(&removed) != 0;
                handle_remove(&listed); /* the list's mutex is free in the child */
                pid_t again = fork();
                if (again == 0)
                        _exit(0);
                int status;
                _exit(bad || waitpid(again, &status, 0) != again || status);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(handle_dead(&listed), 0);
        assert_true(fcntl(fd, F_GETFD) >= 0);
        handle_remove(&listed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(handle_init_when_new_is_alive_and_holds_nothing),
                cmocka_unit_test(handle_remove_when_it_has_descriptors_closes_them),
                cmocka_unit_test(handle_when_cancelled_tells_once),
                cmocka_unit_test(handle_detach_all_when_bus_closes_takes_its_own_only),
                cmocka_unit_test(fork_when_handles_are_listed_kills_them_in_the_child),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
