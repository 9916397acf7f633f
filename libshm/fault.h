/*
 * fault.h - the places at which a process may be killed or stopped for a test: one after every store that others can see.
 *
 * fault.def lists them; each name stands once in the code, right behind its store. In a build with -DTORC_FAULTS (make
 * crash) a process that has set `fault_plan` sends itself the plan's signal when it comes to the plan's point for the
 * plan's time. In every other build FAULT() is nothing at all. `make faults` finds stores without a point.
 *
 * What nobody else sees needs no point: atomics of the process, and files that have no name yet ("no FAULT here").
 */
#ifndef TORC_FAULT_H
#define TORC_FAULT_H

#ifdef TORC_FAULTS

#include <stdatomic.h>
#include <stdint.h>

enum fault_point {
#define FAULT_POINT(name) FAULT_##name,
#include "fault.def"
#undef FAULT_POINT
        FAULT_POINTS
};

#define FAULT_PLANS 2

/* In the process, set by the test. All zero: nothing happens. */
struct fault_plan {
        struct {
                enum fault_point point;
                uint64_t pass;  /* 0: not at all, 1: when it comes there first, ... */
                int signal;
        } at[FAULT_PLANS];
        _Atomic uint64_t *passes; /* FAULT_POINTS counters in memory that outlives the process, or NULL */
};
extern struct fault_plan fault_plan;

void fault_reached(enum fault_point point);
const char *fault_name(enum fault_point point);

#define FAULT(name) fault_reached(FAULT_##name)

#else

#define FAULT(name) ((void)0)

#endif

#endif
