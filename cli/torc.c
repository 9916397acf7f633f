/*
 * torc.c - the command `torc`: finds the subcommand and runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
        const char *name, *text;
        int (*run)(int argc, char **argv);
} commands[] = {
#define CLI_X(name, text) {#name, text, cmd_##name},
        CLI_COMMANDS(CLI_X)
#undef CLI_X
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
        fputs("usage: torc [--root DIR] [--bus NAME] COMMAND [ARGUMENTS]\n"
              "\n"
              "The command of torc, a shared-memory message bus for the processes of one machine.\n"
              "\n",
              to);
        for (size_t i = 0; i < N_COMMANDS; i++)
                fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].text);
        fputs("  help     this text, or that of a command: torc help COMMAND\n"
              "  version  print the version\n"
              "\n"
              "  --root DIR   directory of buses (TORC_ROOT; /run/torc for root, else $XDG_RUNTIME_DIR/torc)\n"
              "  --bus NAME   name of the bus (TORC_BUS; default)\n"
              "\n"
              "Try it:\n"
              "  torc sub numbers &\n"
              "  seq 1 5 | torc pub numbers --online 1\n"
              "\n"
              "Exit codes: 0 done, 1 failure, 2 wrong usage, 3 refused: another producer holds the stream,\n"
              "  4 time is up, 81 fenced: another owner took the stream over\n",
              to);
}

static const struct command *find_command(const char *name)
{
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static int unknown_command(const char *name)
{
        fprintf(stderr, "torc: there is no command '%s'\n", cli_safe(name));
        for (size_t i = 0; i < N_COMMANDS; i++)
                if (name[0] != '\0' && strncmp(commands[i].name, name, strlen(name)) == 0)
                        fprintf(stderr, "torc: did you mean 'torc %s'?\n", commands[i].name);
        fputs("torc: 'torc help' lists the commands\n", stderr);
        return CLI_USAGE;
}

static int run_help(int argc, char **argv)
{
        const struct command *command;
        char option[] = "--help";

        if (argc < 2 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "version") == 0) {
                print_help(stdout);
                return CLI_OK;
        }
        command = find_command(argv[1]);
        if (!command)
                return unknown_command(argv[1]);
        return command->run(2, (char *[]){argv[1], option, NULL});
}

/* torctop beside this program, as in a build directory, before one in PATH: the two belong together. */
int cmd_top(int argc, char **argv)
{
        char self[4096], beside[4200];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char name[] = "torctop";

        (void)argc;
        argv[0] = name;
        if (n > 0) {
                self[n] = '\0';
                snprintf(beside, sizeof(beside), "%s/torctop", dirname(self));
                execv(beside, argv);
        }
        execvp(name, argv);
        fprintf(stderr, "torc top: cannot start torctop: %s; it is neither beside torc nor in PATH\n",
                strerror(errno));
        return CLI_FAILURE;
}

/* With 0, 1 or 2 closed, a file of the bus would be opened under that number and be read or written as standard
 * input or output. */
static void fill_standard_fds(void)
{
        int fd;

        do
                fd = open("/dev/null", O_RDWR);
        while (fd >= 0 && fd <= 2);
        if (fd > 2)
                close(fd);
}

/* Options before the command are passed on the way every command takes its defaults. Returns the index of the
 * command, or a negative number when there is an error. */
static int global_options(int argc, char **argv)
{
        static const struct {
                const char *option, *variable;
        } globals[] = {{"--root", "TORC_ROOT"}, {"--bus", "TORC_BUS"}};
        int i = 1;

        while (i < argc && strncmp(argv[i], "--", 2) == 0) {
                size_t g, len = strcspn(argv[i], "=");
                const char *value = argv[i][len] == '=' ? argv[i] + len + 1 : NULL;

                for (g = 0; g < 2; g++)
                        if (strlen(globals[g].option) == len && strncmp(argv[i], globals[g].option, len) == 0)
                                break;
                if (g == 2)
                        return i;
                if (!value && i + 1 == argc) {
                        fprintf(stderr, "torc: %s needs a value\n", argv[i]);
                        return -1;
                }
                if (!value)
                        value = argv[++i];
                setenv(globals[g].variable, value, 1);
                i++;
        }
        return i;
}

int main(int argc, char **argv)
{
        const struct command *command;
        int first;

        fill_standard_fds();
        first = global_options(argc, argv);
        if (first < 0)
                return CLI_USAGE;
        if (first == argc) {
                print_help(stderr);
                return CLI_USAGE;
        }
        argc -= first;
        argv += first;
        if (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
                return run_help(argc, argv);
        if (strcmp(argv[0], "version") == 0 || strcmp(argv[0], "--version") == 0) {
                puts("torc " TORC_VERSION);
                return CLI_OK;
        }
        command = find_command(argv[0]);
        return command ? command->run(argc, argv) : unknown_command(argv[0]);
}
