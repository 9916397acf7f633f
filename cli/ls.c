/*
 * ls.c - torc ls: one line per stream.
 *
 * SPDX-License-Identifier: MIT
 */
#include "look.h"

static const char help[] =
        "usage: torc ls [GLOB] [--json]\n"
        "\n"
        "List the streams of a bus, or those that match GLOB (* ? [a-z]): one line each.\n"
        "\n"
        "  STATE      online: enough consumers are connected; offline: producers wait for consumers; ended;\n"
        "             or the name of the error that makes the stream unreadable\n"
        "  MESSAGES   committed since the stream was made; BYTES of payload\n"
        "  LOST       messages that some consumer did not get; torc stat STREAM shows why\n"
        "\n"
        "  --json                   an array of objects, as torc stat --json has them\n"
        "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
        "\n"
        "Examples:\n"
        "  torc ls\n"
        "  torc ls 'sensors.*' --json | jq '.[].messages'\n"
        "\n"
        "Exit codes: 0 done, 1 no such bus, or nothing matches GLOB, 2 wrong usage\n";

enum { OPT_JSON = CLI_OPT_FIRST_OWN };

static const struct option options[] = {
        {"json", no_argument, NULL, OPT_JSON},
        CLI_COMMON_OPTIONS,
};

static size_t list_json(struct out *out, const struct torc_snapshot *snapshot, const char *glob)
{
        size_t n = 0;

        out_char(out, '[');
        for (size_t i = 0; i < snapshot->n_streams; i++) {
                if (glob && !torc_name_match(glob, snapshot->streams[i].name))
                        continue;
                out_next(out);
                look_stream_json(out, &snapshot->streams[i]);
                n++;
        }
        out_text(out, "]\n");
        return n;
}

int cmd_ls(int argc, char **argv)
{
        struct torc_snapshot *snapshot;
        struct cli_common common;
        struct out out = {0};
        bool json = false;
        const char *glob;
        int option, code;

        cli_begin(&common, "ls");
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                json |= option == OPT_JSON;
                if (cli_option(&common, option, help, &code) && code != CLI_GO_ON)
                        return code;
        }
        glob = optind < argc ? argv[optind++] : NULL;
        if (optind < argc)
                return cli_usage("one glob only: what is '%s'? (did the shell expand the glob? quote it)",
                                 cli_safe(argv[optind]));
        code = look_take(&common, &snapshot);
        if (code != CLI_GO_ON)
                return code;
        code = CLI_OK;
        if ((json ? list_json : look_list)(&out, snapshot, glob) == 0) {
                if (glob)
                        code = cli_fail("no stream matches '%s'", cli_safe(glob));
                else if (!json)
                        cli_warn("bus '%s' has no streams", cli_safe(snapshot->bus));
        }
        torc_snapshot_free(&snapshot);
        return look_print(&out, code);
}
