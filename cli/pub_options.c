/*
 * pub_options.c - the options of `torc pub`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pub.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
        "usage: torc pub [STREAM] [OPTIONS]\n"
        "       torc pub [STREAM] [OPTIONS] --file FILE...\n"
        "\n"
        "Publish standard input: each line, without its newline, is a message. STREAM may be left out when\n"
        "TORC_STREAM is set, as torcd does for the members of a group.\n"
        "\n"
        "  --raw SIZE          messages are blocks of SIZE bytes (the last one may be shorter)\n"
        "  --file FILE...      messages are whole files; - is standard input\n"
        "  --access MODE       who may produce besides us (TORC_ACCESS; shared):\n"
        "                        shared                  other shared producers\n"
        "                        exclusive               nobody; refused when there is a producer\n"
        "                        wait_for_exclusive      nobody; waits for its turn\n"
        "                        exclusive_with_fencing  nobody; shuts out whoever is there\n"
        "  --name NAME         name of this producer (TORC_NAME; made up)\n"
        "  --tags LIST         tags of this process, comma-separated (TORC_TAGS)\n"
        "  --prop KEY=VALUE    property of each message; may be repeated\n"
        "  --event-time T      event time of each message: now, or nanoseconds since 1970\n"
        "  --timeout MS        longest wait for access, for consumers, for space (for ever)\n"
        "  --flush             at the end, wait until all connected consumers have read everything\n"
        "  --end               at the end of the input, end the stream: its consumers stop\n"
        "\n"
        "How the stream is made, if it does not exist:\n"
        "  --lag POLICY        a consumer that is a whole ring behind: block (default here), disconnect, skip\n"
        "  --capacity SIZE     bytes of the ring; 1MiB..256MiB lets it grow (1MiB)\n"
        "  --max-message SIZE  largest message (5MiB or an eighth of the capacity)\n"
        "  --online N          wait until N consumers are connected (0)\n"
        "  --online-tags LIST  only consumers that carry all these tags count\n"
        "\n"
        "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
        "\n"
        "Examples:\n"
        "  seq 1 1000000 | torc pub numbers --access exclusive\n"
        "  journalctl -f -o json | torc pub logs.journal --lag disconnect\n"
        "  torc pub pictures --capacity 64MiB --file *.png\n"
        "\n"
        "Exit codes: 0 done, 1 failure, 2 wrong usage, 3 refused: another producer holds the stream, 4 time is "
        "up,\n"
        "  81 fenced: another owner took the stream over; after a signal, death by that signal\n";

enum {
        OPT_RAW = CLI_OPT_FIRST_OWN,
        OPT_FILE,
        OPT_ACCESS,
        OPT_NAME,
        OPT_TAGS,
        OPT_PROP,
        OPT_EVENT_TIME,
        OPT_TIMEOUT,
        OPT_FLUSH,
        OPT_END,
        OPT_LAG,
        OPT_CAPACITY,
        OPT_MAX_MESSAGE,
        OPT_ONLINE,
        OPT_ONLINE_TAGS,
};

static const struct option options[] = {
        {"raw", required_argument, NULL, OPT_RAW},
        {"file", required_argument, NULL, OPT_FILE},
        {"access", required_argument, NULL, OPT_ACCESS},
        {"name", required_argument, NULL, OPT_NAME},
        {"tags", required_argument, NULL, OPT_TAGS},
        {"prop", required_argument, NULL, OPT_PROP},
        {"event-time", required_argument, NULL, OPT_EVENT_TIME},
        {"timeout", required_argument, NULL, OPT_TIMEOUT},
        {"flush", no_argument, NULL, OPT_FLUSH},
        {"end", no_argument, NULL, OPT_END},
        {"lag", required_argument, NULL, OPT_LAG},
        {"capacity", required_argument, NULL, OPT_CAPACITY},
        {"max-message", required_argument, NULL, OPT_MAX_MESSAGE},
        {"online", required_argument, NULL, OPT_ONLINE},
        {"online-tags", required_argument, NULL, OPT_ONLINE_TAGS},
        CLI_COMMON_OPTIONS,
};

static int parse_access(struct pub *pub, const char *text, const char *from)
{
        static const char *const words[] = {
                [TORC_SHARED] = "shared",
                [TORC_EXCLUSIVE] = "exclusive",
                [TORC_WAIT_FOR_EXCLUSIVE] = "wait_for_exclusive",
                [TORC_EXCLUSIVE_WITH_FENCING] = "exclusive_with_fencing",
        };

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (strcmp(text, words[i]) == 0) {
                        pub->access = (enum torc_access)i;
                        return CLI_GO_ON;
                }
        return cli_usage("%s '%s': must be shared, exclusive, wait_for_exclusive or exclusive_with_fencing", from,
                         cli_safe(text));
}

static int parse_lag(struct pub *pub, const char *text)
{
        if (strcmp(text, "block") == 0)
                pub->config.lag = TORC_LAG_BLOCK;
        else if (strcmp(text, "disconnect") == 0)
                pub->config.lag = TORC_LAG_DISCONNECT;
        else if (strcmp(text, "skip") == 0)
                pub->config.lag = TORC_LAG_SKIP;
        else
                return cli_usage("--lag '%s': must be block, disconnect or skip", cli_safe(text));
        return CLI_GO_ON;
}

/* "1MiB" or "1MiB..256MiB" */
static int parse_capacity(struct pub *pub, const char *text)
{
        const char *dots = strstr(text, "..");
        char first[32];
        uint64_t from, to = 0;

        if (snprintf(first, sizeof(first), "%.*s", dots ? (int)(dots - text) : INT_MAX, text) >=
                    (int)sizeof(first) ||
            !cli_size(first, &from) || (dots && !cli_size(dots + 2, &to)))
                return cli_usage("--capacity '%s': must be a size as 1MiB, or two as 1MiB..256MiB", cli_safe(text));
        if (from < TORC_CAPACITY_MIN || from > TORC_CAPACITY_MAX || (dots && (to < from || to > TORC_CAPACITY_MAX)))
                return cli_usage("--capacity '%s': must be 4KiB to 64GiB, and not above its maximum",
                                 cli_safe(text));
        pub->config.capacity_bytes = from;
        pub->config.capacity_max_bytes = to;
        return CLI_GO_ON;
}

static int parse_property(struct pub *pub, char *text)
{
        char *equals = strchr(text, '=');

        if (!equals || equals == text)
                return cli_usage("--prop '%s': must be KEY=VALUE", cli_safe(text));
        if (pub->n_properties == PUB_PROPERTIES)
                return cli_usage("--prop: a message has at most %u properties", PUB_PROPERTIES);
        *equals = '\0';
        pub->properties[pub->n_properties++] = (struct torc_property){text, equals + 1};
        return CLI_GO_ON;
}

static int parse_event_time(struct pub *pub, const char *text)
{
        uint64_t ns;

        if (strcmp(text, "now") == 0) {
                pub->event_time_now = true;
                return CLI_GO_ON;
        }
        if (!cli_number(text, 1, INT64_MAX, &ns))
                return cli_usage("--event-time '%s': must be now, or nanoseconds since 1970", cli_safe(text));
        pub->event_time_ns = (int64_t)ns;
        return CLI_GO_ON;
}

static int parse_sizes(struct pub *pub, int option, const char *text)
{
        uint64_t bytes;

        if (!cli_size(text, &bytes) || bytes == 0 || bytes > UINT32_MAX)
                return cli_usage("--%s '%s': must be a size as 512, 64KiB or 5MiB, below 4GiB",
                                 option == OPT_RAW ? "raw" : "max-message", cli_safe(text));
        if (option == OPT_RAW)
                pub->raw = bytes;
        else
                pub->config.max_message_bytes = (uint32_t)bytes;
        if (bytes > pub->message_max)
                pub->message_max = bytes;
        return CLI_GO_ON;
}

/* --file takes every argument up to the next option. */
static void parse_files(struct pub *pub, int argc, char **argv)
{
        pub->files[pub->n_files++] = optarg;
        while (optind < argc && (argv[optind][0] != '-' || strcmp(argv[optind], "-") == 0))
                pub->files[pub->n_files++] = argv[optind++];
}

static int parse_stream_option(struct pub *pub, int option)
{
        uint64_t number;

        pub->config_given = true;
        switch (option) {
        case OPT_LAG:
                return parse_lag(pub, optarg);
        case OPT_CAPACITY:
                return parse_capacity(pub, optarg);
        case OPT_MAX_MESSAGE:
                return parse_sizes(pub, option, optarg);
        case OPT_ONLINE_TAGS:
                pub->config.online_tags = optarg;
                return CLI_GO_ON;
        default:
                if (!cli_number(optarg, 0, TORC_MAX_CONSUMERS, &number))
                        return cli_usage("--online '%s': must be a number up to %d", cli_safe(optarg),
                                         TORC_MAX_CONSUMERS);
                pub->config.online_min = (uint32_t)number;
                return CLI_GO_ON;
        }
}

static int parse_option(struct pub *pub, int option, int argc, char **argv)
{
        uint64_t number;

        switch (option) {
        case OPT_RAW:
                return parse_sizes(pub, option, optarg);
        case OPT_FILE:
                parse_files(pub, argc, argv);
                return CLI_GO_ON;
        case OPT_ACCESS:
                return parse_access(pub, optarg, "--access");
        case OPT_NAME:
                pub->name = optarg;
                return CLI_GO_ON;
        case OPT_TAGS:
                pub->tags = optarg;
                return CLI_GO_ON;
        case OPT_PROP:
                return parse_property(pub, optarg);
        case OPT_EVENT_TIME:
                return parse_event_time(pub, optarg);
        case OPT_TIMEOUT:
                if (!cli_number(optarg, 0, INT_MAX, &number))
                        return cli_usage("--timeout '%s': must be a number of milliseconds", cli_safe(optarg));
                pub->timeout_ms = (int)number;
                return CLI_GO_ON;
        case OPT_FLUSH:
                pub->flush = true;
                return CLI_GO_ON;
        case OPT_END:
                pub->end = true;
                return CLI_GO_ON;
        default:
                return parse_stream_option(pub, option);
        }
}

int pub_options(struct pub *pub, int argc, char **argv)
{
        const char *access = cli_environment("TORC_ACCESS");
        int option, code;

        cli_begin(&pub->common, "pub");
        pub->stream = cli_environment("TORC_STREAM");
        pub->name = cli_environment("TORC_NAME");
        pub->tags = cli_environment("TORC_TAGS");
        if (access && (code = parse_access(pub, access, "TORC_ACCESS")) != CLI_GO_ON)
                return code;
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (!cli_option(&pub->common, option, help, &code))
                        code = parse_option(pub, option, argc, argv);
                if (code != CLI_GO_ON)
                        return code;
        }
        if (optind < argc)
                pub->stream = argv[optind++];
        if (optind < argc)
                return cli_usage("one stream only: what is '%s'? (files follow --file)", cli_safe(argv[optind]));
        if (!pub->stream)
                return cli_usage("which stream? Name it, or set TORC_STREAM");
        if (pub->raw && pub->n_files)
                return cli_usage("--raw and --file exclude each other");
        return CLI_GO_ON;
}
