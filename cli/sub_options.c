/*
 * sub_options.c - the options of `torc sub`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sub.h"

#include <limits.h>
#include <string.h>

static const char help[] =
        "usage: torc sub STREAM... [OPTIONS]\n"
        "\n"
        "Print the messages of streams, one per line. STREAM may be a glob (* ? [a-z]); it also matches streams "
        "that\n"
        "appear later. A stream that does not exist yet is waited for. Ends when all streams have ended, unless\n"
        "there is a glob.\n"
        "\n"
        "  -n N                end after N messages\n"
        "  --from WHERE        live: from now on (default); earliest: the oldest still there; or the id of a "
        "message\n"
        "  --json              one JSON object per message\n"
        "  --meta              stream, id, producer, bytes, event time, properties and message, between tabs\n"
        "  --raw               messages without a newline between them\n"
        "  --timeout MS        end with exit code 4 when no message came for so long\n"
        "  --name NAME         name of this consumer (TORC_NAME)\n"
        "  --tags LIST         tags of this process, comma-separated (TORC_TAGS)\n"
        "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
        "\n"
        "Examples:\n"
        "  torc sub numbers\n"
        "  torc sub 'sensors.*' --json | jq .data\n"
        "  torc sub pictures -n 1 --raw > first.png\n"
        "\n"
        "Exit codes: 0 done or nobody reads the output any more, 1 failure, 2 wrong usage, 4 time is up;\n"
        "  after a signal, death by that signal\n";

enum { OPT_FROM = CLI_OPT_FIRST_OWN, OPT_JSON, OPT_META, OPT_RAW, OPT_TIMEOUT, OPT_NAME, OPT_TAGS };

static const struct option options[] = {
        {"from", required_argument, NULL, OPT_FROM},
        {"json", no_argument, NULL, OPT_JSON},
        {"meta", no_argument, NULL, OPT_META},
        {"raw", no_argument, NULL, OPT_RAW},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"name", required_argument, NULL, OPT_NAME},
        {"tags", required_argument, NULL, OPT_TAGS},
        CLI_COMMON_OPTIONS,
};

static int parse_from(struct sub *sub, const char *text)
{
        sub->start = strcmp(text, "earliest") == 0 ? TORC_START_EARLIEST : TORC_START_LIVE;
        if (sub->start == TORC_START_EARLIEST || strcmp(text, "live") == 0)
                return CLI_GO_ON;
        sub->start = TORC_START_ID;
        if (torc_id_parse(&sub->start_id, text) != 0)
                return cli_usage(
                        "--from '%s': must be live, earliest, or an id as --meta and --json show it (0-1-4096)",
                        cli_safe(text));
        return CLI_GO_ON;
}

static int parse_format(struct sub *sub, enum sub_format format)
{
        if (sub->format != SUB_LINES && sub->format != format)
                return cli_usage("--json, --meta and --raw exclude each other");
        sub->format = format;
        return CLI_GO_ON;
}

static int parse_option(struct sub *sub, int option)
{
        uint64_t number;

        switch (option) {
        case 'n':
                if (!cli_number(optarg, 1, INT64_MAX, &sub->limit))
                        return cli_usage("-n '%s': must be a number of messages, at least 1", cli_safe(optarg));
                return CLI_GO_ON;
        case OPT_FROM:
                return parse_from(sub, optarg);
        case OPT_JSON:
                return parse_format(sub, SUB_JSON);
        case OPT_META:
                return parse_format(sub, SUB_META);
        case OPT_RAW:
                return parse_format(sub, SUB_RAW);
        case OPT_TIMEOUT:
                if (!cli_number(optarg, 0, INT_MAX - 1, &number))
                        return cli_usage("--timeout '%s': must be a number of milliseconds", cli_safe(optarg));
                sub->timeout_ms = (int)number;
                return CLI_GO_ON;
        case OPT_NAME:
                sub->name = optarg;
                return CLI_GO_ON;
        default:
                sub->tags = optarg;
                return CLI_GO_ON;
        }
}

static int add_stream(struct sub *sub, const char *text)
{
        if (strpbrk(text, "*?[\\")) {
                sub->globs[sub->n_globs++] = text;
                return CLI_GO_ON;
        }
        if (torc_name_check(text) != 0)
                return cli_usage("'%s' is no name for a stream: 1 to %d bytes of UTF-8 without '/'", cli_safe(text),
                                 TORC_NAME_MAX);
        sub_set_add(sub, text, true);
        return CLI_GO_ON;
}

int sub_options(struct sub *sub, int argc, char **argv)
{
        const char *fallback = cli_environment("TORC_STREAM");
        int option, code = CLI_GO_ON;

        cli_begin(&sub->common, "sub");
        sub->name = cli_environment("TORC_NAME");
        sub->tags = cli_environment("TORC_TAGS");
        while ((option = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
                if (!cli_option(&sub->common, option, help, &code))
                        code = parse_option(sub, option);
                if (code != CLI_GO_ON)
                        return code;
        }
        for (int i = optind; i < argc && code == CLI_GO_ON; i++)
                code = add_stream(sub, argv[i]);
        if (optind == argc && fallback)
                code = add_stream(sub, fallback);
        if (code != CLI_GO_ON)
                return code;
        if (sub->n_globs + sub->n_streams == 0)
                return cli_usage("which streams? Name them, or give a glob: torc sub '*'");
        if (sub->start == TORC_START_ID && (sub->n_globs > 0 || sub->n_streams > 1))
                return cli_usage("--from with an id needs exactly one stream: the id is that stream's");
        return CLI_GO_ON;
}
