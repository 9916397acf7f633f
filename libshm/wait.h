/*
 * wait.h - time, and sleeping on an event count in shared memory.
 *
 * A sleeper announces itself, looks again, then sleeps on the event it read first; a waker makes its change, then looks
 * for announcements. The two seq_cst fences order store before load on both sides, so that one of them sees the other.
 *
 *      sleeper                                     waker
 *      v = event                                   the change (stamp, cursor, slot word)
 *      waiters |= kind                             ---- seq_cst fence [wake.w]
 *      ---- seq_cst fence [wake.r]                 waiters != 0 ?
 *      look again: go on, or futex wait on v          waiters = 0, then event + 1, wake all
 *
 * Sleeps are sliced besides: a waker may be killed between its change and its wake-up.
 *
 * The waker's fence would stand in every send, and wait there for the cache line that the reader is polling. So it is
 * the sleeper, who is about to lose microseconds anyhow, that pays for both: membarrier(2) with GLOBAL_EXPEDITED puts a
 * full barrier into every running thread of the processes that registered (as every process on a bus does), so that a
 * waker needs its change and its look in program order only. A process that could not register keeps its fence; a
 * sleeper whose membarrier fails looks by itself every WAIT_UNSURE_NS. (The technique is that of liburcu's sys_membarrier
 * flavour.)
 *
 * The barrier interrupts the CPU on which the partner is just about to answer. So who expects to be woken soon, because it was so
 * the last time, announces itself quickly, without membarrier, and looks on for longer than a store stays in its buffer. Should
 * a waker miss it all the same, the sleeper finds out after WAIT_QUICK_NS. If it has to wait longer than that, it announces
 * itself again, with the barrier.
 */
#ifndef TORC_WAIT_H
#define TORC_WAIT_H

#include "abi.h"

#include <stdbool.h>
#include <stdint.h>

#define WAIT_SLICE_NS 50000000  /* an idle sleeper looks by itself this often */
#define WAIT_HOLE_NS 2000000    /* a reader before an uncommitted frame: this often */
#define WAIT_UNSURE_NS 1000000  /* a sleeper that cannot make wakers see it: this often */
#define WAIT_QUICK_NS 5000000   /* after a quick announcement: at most so long */
#define WAIT_FOREVER INT64_MAX

extern __attribute__((visibility("hidden"))) _Atomic bool wait_registered; /* this process takes part in the sleepers' barriers */
void wait_register(void);

int64_t wait_mono_ns(void);
int64_t wait_wall_ns(void);

/* Absolute CLOCK_MONOTONIC ns of a relative timeout_ms; 0 (long past) for timeout_ms 0, WAIT_FOREVER for -1. */
int64_t wait_deadline(int timeout_ms);
bool wait_over(int64_t deadline);

uint32_t wait_announce(struct abi_eventcount *ec, uint32_t kind);
uint32_t wait_announce_quick(struct abi_eventcount *ec, uint32_t kind);
int wait_sleep(struct abi_eventcount *ec, uint32_t event, int64_t deadline, int64_t slice_ns);
uint32_t wait_wake(struct abi_eventcount *ec);
void wait_wake_always(struct abi_eventcount *ec);
void wait_pause(void);

/* Is somebody announced? The waker's fence and look; the common answer is no. */
static inline bool wait_needed(struct abi_eventcount *ec)
{
        /* [wake.w] seq_cst fence, or program order under the sleeper's membarrier, pairs with [wake.r]: our change is
         * ordered before this look. */
        if (atomic_load_explicit(&wait_registered, memory_order_relaxed)) /* relaxed: set before we could wake */
                atomic_signal_fence(memory_order_seq_cst);
        else
                atomic_thread_fence(memory_order_seq_cst);
        return atomic_load_explicit(&ec->waiters, memory_order_relaxed) != 0;
}

#endif
