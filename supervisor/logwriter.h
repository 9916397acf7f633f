/*
 * logwriter.h - the process that moves members' output from their spools to their log files.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_LOGWRITER_H
#define SUPERVISOR_LOGWRITER_H

#include "logfile.h"

#include <sys/types.h>

struct logwriter {
        int spool;                    /* descriptor of the spool directory */
        int life;                     /* end of file: torcd is gone */
        struct logfile_policy policy; /* dirfd -1: there is no log directory (any more), output is dropped */
};

/* logwriter_run - in a process of its own, which it never leaves. Writes until SIGTERM, which lets it finish what
 * is there; or, when torcd is gone, until the last member has ended. */
_Noreturn void logwriter_run(const struct logwriter *w);

/* logwriter_find - the log writer at work on this spool directory, 0 if there is none. It outlives a torcd that was
 * killed. */
pid_t logwriter_find(int spool);

#endif
