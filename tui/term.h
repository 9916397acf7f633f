/*
 * term.h - the terminal: taken over by term_open(), given back on every way out.
 *
 *   normal end, SIGINT, SIGTERM, SIGHUP, SIGQUIT   the loop sees term_signals.end and calls term_close()
 *   the same signal again before that              the handler gives the terminal back itself and dies of the
 * signal SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL       likewise: only write(2) and tcsetattr(3), then the signal's
 * default SIGTSTP                                        term_stop(): gives back, stops, takes over again when
 * continued SIGCONT after SIGSTOP                          term_signals.continued: term_redo()
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_TERM_H
#define TUI_TERM_H

#include "screen.h"

#include <signal.h>
#include <wchar.h>

/* Set by signal handlers, cleared by the loop. */
struct term_signals {
        volatile sig_atomic_t end; /* number of the signal */
        volatile sig_atomic_t resized, stopped, continued;
};
extern struct term_signals term_signals;

/* Take the terminal over. Returns false with a line for the user in `error`. */
bool term_open(bool color, char *error, size_t cap);
void term_close(void);
void term_stop(void);
void term_redo(void);

/* The size it has now. */
void term_size(int *width, int *height);
/* Bring a screen onto the terminal; only lines that changed since the last one, unless `all`. */
void term_show(const struct screen *s, bool all);

/* Wait for a key, a signal, or `timeout_ms`. Returns false when the terminal is gone. */
bool term_wait(int timeout_ms);
/* The next key, if one is there. */
bool term_key(wchar_t *code, bool *function);

#endif
