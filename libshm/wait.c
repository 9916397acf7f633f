/*
 * wait.c - time and futex sleeping; wait.h tells the protocol.
 */
#include "wait.h"

#include "fault.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

_Atomic bool wait_registered;
static _Atomic bool wait_unsure; /* our membarrier failed: nobody may see us sleep */

/* Take part in sleepers' barriers. Called before a process can change anything that others sleep for; once is enough,
 * more often does no harm. */
void wait_register(void)
{
        bool done = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
        atomic_store_explicit(&wait_registered, done, memory_order_relaxed);
}

static int64_t wait_clock(clockid_t id)
{
        struct timespec t;
        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t wait_mono_ns(void)
{
        return wait_clock(CLOCK_MONOTONIC);
}

int64_t wait_wall_ns(void)
{
        return wait_clock(CLOCK_REALTIME);
}

int64_t wait_deadline(int timeout_ms)
{
        if (timeout_ms < 0)
                return WAIT_FOREVER;
        return timeout_ms == 0 ? 0 : wait_mono_ns() + (int64_t)timeout_ms * 1000000;
}

bool wait_over(int64_t deadline)
{
        return deadline == 0 || (deadline != WAIT_FOREVER && wait_mono_ns() >= deadline);
}

/* Announce a sleeper that will not sleep longer than WAIT_QUICK_NS. The caller looks again before it sleeps. */
uint32_t wait_announce_quick(struct abi_eventcount *ec, uint32_t kind)
{
        /* [event.r] acquire, pairs with [event.w]: a waker that cleared an older announcement has changed the event
         * we read here, or our announcement comes after its clearing. */
        uint32_t event = atomic_load_explicit(&ec->event, memory_order_acquire);
        atomic_fetch_or_explicit(&ec->waiters, kind, memory_order_relaxed);
        FAULT(wait_announce);
        /* [wake.r] seq_cst fence here and in every waker, pairs with [wake.w]. */
        atomic_thread_fence(memory_order_seq_cst);
        return event;
}

/* Announce a sleeper; returns the event to sleep on. The caller looks again before it sleeps. */
uint32_t wait_announce(struct abi_eventcount *ec, uint32_t kind)
{
        uint32_t event = wait_announce_quick(ec, kind);
        long rc = syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
        atomic_store_explicit(&wait_unsure, rc != 0, memory_order_relaxed); /* relaxed: one answer for the machine */
        return event;
}

/*
 * Sleep until the event changes, a slice is over or the deadline has come. Returns 0 (look again), -ETIMEDOUT (the
 * deadline), -EINTR.
 */
int wait_sleep(struct abi_eventcount *ec, uint32_t event, int64_t deadline, int64_t slice_ns)
{
        bool unsure = atomic_load_explicit(&wait_unsure, memory_order_relaxed);
        int64_t ns = unsure && slice_ns > WAIT_UNSURE_NS ? WAIT_UNSURE_NS : slice_ns;
        if (deadline != WAIT_FOREVER) {
                int64_t left = deadline - wait_mono_ns();
                if (left <= 0)
                        return -ETIMEDOUT;
                if (left < ns)
                        ns = left;
        }
        struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        /* Not FUTEX_PRIVATE: the word is shared between processes. */
        long rc = syscall(SYS_futex, &ec->event, FUTEX_WAIT, event, &t, NULL, 0);
        return rc == -1 && errno == EINTR ? -EINTR : 0;
}

/* Wake all sleepers if there are any; returns the kinds that were announced. */
uint32_t wait_wake(struct abi_eventcount *ec)
{
        if (!wait_needed(ec))
                return 0;
        uint32_t kinds = atomic_exchange_explicit(&ec->waiters, 0, memory_order_relaxed);
        FAULT(wait_wake_waiters);
        /* [event.w] release, pairs with [event.r]: the clear above comes before the new event, so that it can not
         * erase the announcement of a sleeper that read the new event. */
        atomic_fetch_add_explicit(&ec->event, 1, memory_order_release);
        FAULT(wait_wake_event);
        if (kinds & ABI_WAIT_FUTEX)
                syscall(SYS_futex, &ec->event, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        return kinds;
}

/* Wake whoever sleeps, announced or not: for deaths and nudges, where an announcement may have been cleared by a waker
 * that died before its wake-up. */
void wait_wake_always(struct abi_eventcount *ec)
{
        atomic_fetch_add_explicit(&ec->event, 1, memory_order_release); /* [event.w], as above */
        FAULT(wait_wake_always_event);
        syscall(SYS_futex, &ec->event, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void wait_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ __volatile__("isb" ::: "memory");
#endif
}
