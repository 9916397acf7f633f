/*
 * test_total.c - messages are counted once, at whatever moment slots are freed while somebody adds up.
 *
 * links: libshm/reap.c libshm/stream.c libshm/stream_files.c libshm/bus.c libshm/file.c libshm/handle.c libshm/wait.c
 * links: libshm/ring.c libshm/name.c
 *
 * A child adds up, one instruction at a time; between two of them the test begins to free a producer's slot, as
 * stream_retire_producer() does under an armed redo record, and some instructions later it finishes. Whatever the two
 * moments are, the sum has to be right: the test goes through them all.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define BEFORE_MAX 400 /* instructions: the child has looked at the redo record and at `retired` by then */
#define BETWEEN    100 /* and at slot 0, but not at all 256 slots */
#define EARLIER    1000
#define SENT       7

struct shared {
        struct abi_ctl ctl;
        uint64_t total;
};

static void add_up(struct shared *shared)
{
        struct stream s = {.ctl = &shared->ctl};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
                _exit(1);
        for (;;) {
                raise(SIGSTOP);
                shared->total = stream_total(&s);
        }
}

/* Where the child stands next: the signal that it stopped by. */
static int next_stop(pid_t pid)
{
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

static bool steps(pid_t pid, int n)
{
        while (n-- > 0) {
                assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
                if (next_stop(pid) != SIGTRAP)
                        return false; /* it is done, and stands where the next sum begins */
        }
        return true;
}

static uint64_t retire_after(pid_t pid, struct shared *shared, int before)
{
        struct abi_ctl *ctl = &shared->ctl;
        atomic_store(&ctl->retired_messages, EARLIER);
        atomic_store(&ctl->producer[0].messages, SENT);
        shared->total = 0;
        if (!steps(pid, before))
                fail_msg("a sum takes less than %d instructions: the test has to be told", before);
        atomic_store(&ctl->redo.armed, 1);
        atomic_store(&ctl->retired_messages, EARLIER + SENT);
        if (!steps(pid, BETWEEN))
                fail_msg("a sum takes less than %d instructions: the test has to be told", before + BETWEEN);
        atomic_store(&ctl->producer[0].messages, 0);
        atomic_store(&ctl->redo.armed, 0);
        assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
        assert_int_equal(next_stop(pid), SIGSTOP);
        return shared->total;
}

static void total_when_a_slot_is_freed_meanwhile_counts_once(void **state)
{
        (void)state;
        struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(shared != MAP_FAILED);
        atomic_store(&shared->ctl.producer_top, ABI_PRODUCERS); /* all are added up */
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                add_up(shared);
        if (next_stop(pid) != SIGSTOP) {
                print_message("skipped: no ptrace here\n");
                munmap(shared, sizeof *shared);
                skip();
        }
        uint64_t wrong = 0;
        int before = 0;
        for (; before < BEFORE_MAX && !wrong; before++) {
                uint64_t total = retire_after(pid, shared, before);
                wrong = total == EARLIER + SENT ? 0 : total;
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        munmap(shared, sizeof *shared);
        if (wrong)
                fail_msg("%d were sent, %d counted, the slot being freed from instruction %d on", EARLIER + SENT,
                         (int)wrong, before - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(total_when_a_slot_is_freed_meanwhile_counts_once),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
