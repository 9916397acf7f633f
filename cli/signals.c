/*
 * signals.c - one handler that sets a flag, writes a byte into a pipe and runs a hook.
 *
 * The handler is installed without SA_RESTART, so that a blocking write ends with EINTR. A signal that comes
 * between looking at the flag and going to sleep is seen by the pipe (poll) or by the hook (a bus call that was
 * cancelled before it began returns at once).
 *
 * SPDX-License-Identifier: MIT
 */
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t came; /* the signal; volatile because a handler of this thread writes it */
static int pipe_fd[2] = {-1, -1};
static void (*volatile hook_run)(void *);
static void *volatile hook_arg;

static void handle(int number)
{
        int saved = errno;

        if (came) { /* asked twice: do not wait for anything */
                signal(number, SIG_DFL);
                raise(number);
        }
        came = number;
        if (write(pipe_fd[1], "", 1) < 0) {
                /* full: it is readable already */
        }
        if (hook_run)
                hook_run(hook_arg);
        errno = saved;
}

int signals_start(void)
{
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
        struct sigaction action = {.sa_handler = handle}, old;

        if (pipe2(pipe_fd, O_CLOEXEC | O_NONBLOCK) != 0)
                return -errno;
        sigemptyset(&action.sa_mask);
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                sigaction(numbers[i], NULL, &old);
                if (old.sa_handler != SIG_IGN)
                        sigaction(numbers[i], &action, NULL);
        }
        signal(SIGPIPE, SIG_IGN);
        return 0;
}

int signals_fd(void)
{
        return pipe_fd[0];
}

bool signals_came(void)
{
        return came != 0;
}

void signals_on_arrival(void (*hook)(void *), void *arg)
{
        /* The argument first and the hook last, or the other way round: the handler never sees a hook with the
         * argument of another. */
        hook_run = NULL;
        atomic_signal_fence(memory_order_seq_cst);
        hook_arg = arg;
        atomic_signal_fence(memory_order_seq_cst);
        hook_run = hook;
        if (came && hook)
                hook(arg); /* it came before there was a hook */
}

int signals_exit(int code)
{
        if (!came)
                return code;
        signal(came, SIG_DFL);
        raise(came);
        return 128 + came; /* not reached unless the signal is blocked */
}
