/*
 * manage.c - torc end and torc rm: finish a stream, delete a stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli.h"

#include "torc_admin.h"

#include <errno.h>

static const char end_help[] = "usage: torc end STREAM...\n"
                               "\n"
                               "End streams: nothing more can be sent to them, consumers read what is there and "
                               "then learn that it is the\n"
                               "end. A producer that opens the stream again opens it anew.\n"
                               "\n"
                               "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
                               "\n"
                               "Example:\n"
                               "  torc end numbers\n"
                               "\n"
                               "Exit codes: 0 done, 1 some stream could not be ended, 2 wrong usage\n";

static const char rm_help[] = "usage: torc rm STREAM...\n"
                              "\n"
                              "Remove streams and their messages at once. Who has one open gets an error. To let "
                              "consumers read to the end\n"
                              "first: torc end STREAM, and rm later.\n"
                              "\n"
                              "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
                              "\n"
                              "Example:\n"
                              "  torc rm numbers 'odd name'\n"
                              "\n"
                              "Exit codes: 0 done, 1 some stream could not be removed, 2 wrong usage\n";

static const struct option options[] = {CLI_COMMON_OPTIONS};

static int explain(const char *stream, int result)
{
        switch (result) {
        case 0:
                return CLI_OK;
        case -ENOENT:
                return cli_fail("there is no stream '%s'; 'torc ls' lists them", cli_safe(stream));
        case -EACCES:
        case -EPERM:
                return cli_fail("stream '%s': no permission; it belongs to another user", cli_safe(stream));
        default:
                return cli_fail("stream '%s': %s (%s)", cli_safe(stream), torc_strerror(result),
                                torc_errname(result));
        }
}

/* Does it to every stream named; goes on after an error. */
static int manage(int argc, char **argv, const char *help, int (*act)(struct torc_bus *, const char *))
{
        struct torc_bus_config config = {.flags = TORC_BUS_NO_CREATE};
        struct cli_common common;
        struct torc_bus *bus;
        int option, result, code;

        cli_begin(&common, argv[0]);
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
                if (cli_option(&common, option, help, &code) && code != CLI_GO_ON)
                        return code;
        if (optind == argc)
                return cli_usage("which streams?");
        config.root = common.root;
        config.name = common.bus;
        result = torc_bus_open(&bus, &config);
        if (result != 0)
                return cli_fail_bus(&common, result);
        code = CLI_OK;
        for (int i = optind; i < argc; i++)
                if (explain(argv[i], act(bus, argv[i])) != CLI_OK)
                        code = CLI_FAILURE;
        torc_bus_close(&bus);
        return code;
}

int cmd_end(int argc, char **argv)
{
        return manage(argc, argv, end_help, torc_stream_end);
}

int cmd_rm(int argc, char **argv)
{
        return manage(argc, argv, rm_help, torc_stream_remove);
}
