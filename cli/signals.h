/*
 * signals.h - ending on a signal the way a Unix program should: finish what is in hand, detach from the bus, and
 * then die of that very signal, so that a shell or a supervisor sees why.
 *
 * SIGPIPE is ignored: a closed output is seen as EPIPE where it is written.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/* signals_start - catch SIGINT, SIGTERM and SIGHUP (unless ignored, as by nohup). Returns 0 or -errno. */
int signals_start(void);

/* signals_fd - readable once a signal came; to wait for together with other descriptors. */
int signals_fd(void);

/* signals_came - has one come? */
bool signals_came(void);

/* signals_on_arrival - run hook(arg) inside the handler: it must be async-signal-safe. NULL: nothing. */
void signals_on_arrival(void (*hook)(void *), void *arg);

/* signals_exit - the exit code, or death by the signal that came. */
int signals_exit(int code);

#endif
