/*
 * fault.c - being killed or stopped on purpose; fault.h tells why. Empty but in a build with -DTORC_FAULTS.
 */
#include "fault.h"

#ifdef TORC_FAULTS

#include <errno.h>
#include <signal.h>
#include <unistd.h>

struct fault_plan fault_plan;

void fault_reached(enum fault_point point)
{
        if (!fault_plan.passes)
                return;
        int error = errno;
        uint64_t pass = atomic_fetch_add_explicit(&fault_plan.passes[point], 1, memory_order_relaxed) + 1;
        for (int i = 0; i < FAULT_PLANS; i++)
                if (fault_plan.at[i].point == point && fault_plan.at[i].pass == pass)
                        kill(getpid(), fault_plan.at[i].signal);
        errno = error;
}

const char *fault_name(enum fault_point point)
{
        static const char *const names[] = {
#define FAULT_POINT(name) #name,
#include "fault.def"
        };
        return names[point];
}

#else

typedef int fault_nothing; /* a file has to hold something */

#endif
