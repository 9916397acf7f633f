/*
 * pub.h - the parts of `torc pub`: pub_options.c has the options, pub.c the stream, pub_input.c the input.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_PUB_H
#define CLI_PUB_H

#include "cli.h"

#define PUB_BATCH 4096u /* messages handed over at once */
#define PUB_LINE_MAX                                                                                               \
        (64u << 20) /* bytes of a line that are gathered before it is given up, unless told otherwise */
#define PUB_PROPERTIES 255u

struct pub {
        struct cli_common common;
        const char *stream, *name, *tags;
        enum torc_access access;
        struct torc_stream_config config;
        bool config_given; /* some option says how the stream is to be made */
        int timeout_ms;
        bool end, flush;

        uint64_t raw; /* bytes of a block; 0: lines */
        char **files; /* --file */
        size_t n_files;
        size_t message_max; /* bytes of input to gather for one message */

        struct torc_property properties[PUB_PROPERTIES];
        size_t n_properties;
        int64_t event_time_ns;
        bool event_time_now;

        struct torc_bus *bus;
        struct torc_producer *producer;
        uint64_t sent;
        bool offline_told;
        int64_t settled_ms; /* until then the beginning of a stream we made is kept; 0: it need not be */
        uint64_t kept;      /* bytes of ring used meanwhile, estimated from above */
};

/* pub_options - read the command line and the environment. Returns CLI_GO_ON or an exit code. */
int pub_options(struct pub *pub, int argc, char **argv);

/* pub_send - send all of them, in order. Returns CLI_GO_ON, or the exit code after saying why. */
int pub_send(struct pub *pub, const struct torc_span *messages, size_t n);

/* pub_idle - while there is no input: has the stream been taken over? Returns as pub_send(). */
int pub_idle(struct pub *pub);

/* pub_input - publish standard input or the files, to their end. Returns an exit code. */
int pub_input(struct pub *pub);

#endif
