/*
 * log.h - what torcd says, on standard error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SUPERVISOR_LOG_H
#define SUPERVISOR_LOG_H

/* One line each, with the time before it. A reader of standard error that has stopped does not stop the supervisor:
 * lines are dropped then, and the next one that gets out tells how many. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* fatal - log_warn() and exit(1); for what happens before anything has been started. */
_Noreturn void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
