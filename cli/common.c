/*
 * common.c - options, messages and values that all subcommands share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *command_name = "";

const char *cli_environment(const char *name)
{
        const char *value = getenv(name);

        return value && value[0] != '\0' ? value : NULL;
}

void cli_begin(struct cli_common *common, const char *command)
{
        command_name = command;
        common->root = cli_environment("TORC_ROOT");
        common->bus = cli_environment("TORC_BUS");
        optind = 0; /* glibc: start again from the beginning, with fresh state */
}

bool cli_option(struct cli_common *common, int option, const char *help, int *exit_code)
{
        *exit_code = CLI_GO_ON;
        switch (option) {
        case CLI_OPT_ROOT:
                common->root = optarg;
                return true;
        case CLI_OPT_BUS:
                common->bus = optarg;
                return true;
        case CLI_OPT_HELP:
                fputs(help, stdout);
                *exit_code = CLI_OK;
                return true;
        case '?':
        case ':': /* getopt has said what is wrong */
                fprintf(stderr, "torc %s: 'torc %s --help' lists the options\n", command_name, command_name);
                *exit_code = CLI_USAGE;
                return true;
        default:
                return false;
        }
}

static void warn_va(const char *format, va_list arguments)
{
        fprintf(stderr, "torc %s: ", command_name);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
}

void cli_warn(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        warn_va(format, arguments);
        va_end(arguments);
}

int cli_fail(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        warn_va(format, arguments);
        va_end(arguments);
        return CLI_FAILURE;
}

int cli_usage(const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        warn_va(format, arguments);
        va_end(arguments);
        fprintf(stderr, "torc %s: 'torc %s --help' shows how it is used\n", command_name, command_name);
        return CLI_USAGE;
}

int cli_fail_bus(const struct cli_common *common, int code)
{
        const char *bus = common->bus ? common->bus : "default";
        char fallback[256];
        const char *root = common->root;

        if (!root)
                root = torc_root_default(fallback, sizeof(fallback)) == 0 ? fallback : "(default root)";
        switch (code) {
        case TORC_ENAME:
                return cli_usage("'%s' is no name for a bus: 1 to %d bytes of UTF-8 without '/'", cli_safe(bus),
                                 TORC_LABEL_MAX);
        case TORC_ETAGS:
                return cli_usage("bad --tags: %s", torc_strerror(code));
        case -ENOENT:
                return cli_fail("there is no bus '%s' in %s; 'torc pub', 'torc sub' or torcd makes one "
                                "(--root and --bus, or TORC_ROOT and TORC_BUS, choose another)",
                                cli_safe(bus), cli_safe(root));
        case -EACCES:
                return cli_fail("no permission for bus '%s' in %s: who may attach is decided by the owner and mode of "
                                "that directory",
                                cli_safe(bus), cli_safe(root));
        case -EPERM:
                return cli_fail("will not use %s: it is the default place for buses, but belongs to another user or is "
                                "writable for everybody; choose a directory with --root",
                                cli_safe(root));
        case -ENOSPC:
                return cli_fail("no space left in %s: remove streams ('torc rm') or make the file system larger",
                                cli_safe(root));
        default:
                return cli_fail("bus '%s' in %s: %s (%s)", cli_safe(bus), cli_safe(root), torc_strerror(code),
                                torc_errname(code));
        }
}

/* ---- values ---------------------------------------------------------------------------------------------- */

bool cli_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
        uint64_t v = 0;

        if (*text == '\0')
                return false;
        for (; *text != '\0'; text++) {
                uint64_t digit = (uint64_t)(unsigned char)*text - '0';

                if (digit > 9 || v > (max - digit) / 10 || digit > max)
                        return false;
                v = v * 10 + digit;
        }
        *value = v;
        return v >= min;
}

bool cli_size(const char *text, uint64_t *bytes)
{
        static const struct {
                const char *unit;
                unsigned shift;
        } units[] = {{"", 0},     {"B", 0},  {"K", 10},   {"KiB", 10}, {"M", 20},
                     {"MiB", 20}, {"G", 30}, {"GiB", 30}, {"T", 40},   {"TiB", 40}};
        size_t digits = strspn(text, "0123456789");
        char number[24];

        if (digits == 0 || digits >= sizeof(number))
                return false;
        memcpy(number, text, digits);
        number[digits] = '\0';
        for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
                if (strcmp(text + digits, units[i].unit) != 0)
                        continue;
                if (!cli_number(number, 0, UINT64_MAX >> units[i].shift, bytes))
                        return false;
                *bytes <<= units[i].shift;
                return true;
        }
        return false;
}
