/*
 * cli.h - what the subcommands of `torc` share: the table of commands, common options, errors, exit codes.
 *
 * A command is `int cmd_NAME(int argc, char **argv)` with argv[0] = its own name; it returns an exit code. It
 * parses its options with getopt_long(3), its table of long options ending in CLI_COMMON_OPTIONS.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_H
#define CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "torc.h"

/* Exit codes, as torc(1) documents them. */
enum cli_exit {
        CLI_OK = 0,
        CLI_FAILURE = 1,
        CLI_USAGE = 2,
        CLI_BUSY = 3,    /* refused: another producer holds the stream */
        CLI_TIMEOUT = 4, /* --timeout passed */
        CLI_FENCED = TORC_EXIT_FENCED,
};
#define CLI_GO_ON (-1) /* inside a command, instead of an exit code: nothing ends it yet */

/* Every command: name, what it does in one line. */
#define CLI_COMMANDS(X)                                                                                            \
        X(pub, "publish standard input, line by line, in blocks, or files")                                        \
        X(sub, "print the messages of streams")                                                                    \
        X(ls, "list streams")                                                                                      \
        X(stat, "show everything about a stream, or about the bus")                                                \
        X(end, "end a stream: consumers read what is there and stop")                                              \
        X(rm, "remove a stream and its messages")                                                                  \
        X(ctl, "talk to the supervisor: status, start, stop, restart, scale, fence, kick")                         \
        X(top, "watch the bus live (starts torctop)")                                                              \
        X(bench, "measure latency and throughput on this machine")

#define CLI_X(name, text) int cmd_##name(int argc, char **argv);
CLI_COMMANDS(CLI_X)
#undef CLI_X

/* ---- common options -------------------------------------------------------------------------------------- */

enum { CLI_OPT_ROOT = 0x1000, CLI_OPT_BUS, CLI_OPT_HELP, CLI_OPT_FIRST_OWN };

/* clang-format off */
#define CLI_COMMON_OPTIONS                                                                                       \
        {"root", required_argument, NULL, CLI_OPT_ROOT},                                                         \
        {"bus", required_argument, NULL, CLI_OPT_BUS},                                                           \
        {"help", no_argument, NULL, CLI_OPT_HELP},                                                               \
        {NULL, 0, NULL, 0}
/* clang-format on */

/* Which bus. NULL: the library's default. */
struct cli_common {
        const char *root, *bus;
};

/* cli_begin - name the command for messages, take defaults from TORC_ROOT and TORC_BUS, rewind getopt. */
void cli_begin(struct cli_common *common, const char *command);

/* cli_environment - a variable's value, or NULL when it is not set or empty: an empty one is one that was not
 * meant. */
const char *cli_environment(const char *name);

/* cli_option - is this an option every command has? Then it is dealt with; *exit_code is CLI_GO_ON, or what the
 * command has to end with (--help has printed `help`; an unknown option has been complained about). */
bool cli_option(struct cli_common *common, int option, const char *help, int *exit_code);

/* ---- messages: "torc COMMAND: ..." on standard error ----------------------------------------------------- */

void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* cli_fail - cli_warn(), and CLI_FAILURE to return. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* cli_usage - cli_warn(), a line that points to --help, and CLI_USAGE to return. */
int cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* cli_fail_bus - say why the bus cannot be opened or looked at, and what to do. Returns CLI_FAILURE or CLI_USAGE.
 */
int cli_fail_bus(const struct cli_common *common, int code);

/* cli_safe - text of others for a terminal: control characters and bytes that are not UTF-8 become \xHH. Static
 * buffers, taken in turn: up to four results can stand in one printf(). */
const char *cli_safe(const char *text);

/* ---- values ---------------------------------------------------------------------------------------------- */

/* cli_size - "4096", "64KiB", "1MiB", "2GiB" (also K, M, G). */
bool cli_size(const char *text, uint64_t *bytes);
/* cli_number - a plain decimal number from min to max. */
bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif
