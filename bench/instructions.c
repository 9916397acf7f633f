/*
 * instructions.c - sends and receives messages in one process, for instructions.sh to count what that takes.
 *
 *   instructions BATCH MESSAGES
 *
 * BATCH 1: torc_producer_send() and torc_consumer_recv(). More: torc_producer_send_batch() and torc_consumer_poll(). 32
 * bytes; nobody sleeps. Two runs that differ in MESSAGES only tell what one message takes: set-up cancels out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "torc.h"

#define SIZE      32
#define BATCH_MAX 1024

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
        (void)status;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static int one_by_one(struct torc_producer *p, struct torc_consumer *c, unsigned long messages)
{
        char out[SIZE] = "a message of thirty-two bytes", in[SIZE];
        size_t len;
        int rc = 0;

        for (unsigned long i = 0; rc == 0 && i < messages; i++) {
                rc = torc_producer_send(p, out, SIZE, 0, NULL);
                if (rc == 0)
                        rc = torc_consumer_recv(c, in, SIZE, &len, 0, NULL);
        }
        return rc;
}

static int on_message(const struct torc_view *view, void *arg)
{
        unsigned long *bytes = arg;

        *bytes += view->len;
        return 0;
}

static int batched(struct torc_producer *p, struct torc_consumer *c, unsigned long messages, size_t batch)
{
        static const char out[SIZE] = "a message of thirty-two bytes";
        struct torc_span spans[BATCH_MAX];
        unsigned long bytes = 0;
        size_t accepted, handled;
        int rc = 0;

        for (size_t i = 0; i < batch; i++)
                spans[i] = (struct torc_span){out, SIZE};
        for (unsigned long i = 0; rc == 0 && i < messages; i += batch) {
                rc = torc_producer_send_batch(p, spans, batch, 0, &accepted);
                if (rc == 0)
                        rc = torc_consumer_poll(c, on_message, &bytes, batch, &handled);
                if (rc == 0 && handled != batch)
                        rc = -EBADMSG;
        }
        return rc;
}

int main(int argc, char **argv)
{
        struct torc_stream_config stream = TORC_STREAM_CONFIG_INIT;
        struct torc_producer_config pc = {.stream = &stream};
        struct torc_consumer_config cc = {.stream = &stream};
        char root[] = "/dev/shm/torc-count-XXXXXX";
        struct torc_bus_config config = {.root = root};
        struct torc_producer *p = NULL;
        struct torc_consumer *c = NULL;
        struct torc_bus *bus = NULL;
        size_t batch = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
        unsigned long messages = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

        if (batch < 1 || batch > BATCH_MAX || messages == 0) {
                fprintf(stderr, "usage: instructions BATCH MESSAGES    (BATCH from 1 to %d)\n", BATCH_MAX);
                return 2;
        }
        if (!mkdtemp(root)) {
                perror(root);
                return 1;
        }
        stream.lag = TORC_LAG_BLOCK;
        int rc = torc_bus_open(&bus, &config);
        if (rc == 0)
                rc = torc_consumer_open(&c, bus, "count", &cc);
        if (rc == 0)
                rc = torc_producer_open(&p, bus, "count", &pc);
        if (rc == 0)
                rc = batch == 1 ? one_by_one(p, c, messages) : batched(p, c, messages, batch);
        torc_producer_close(&p);
        torc_consumer_close(&c);
        torc_bus_close(&bus);
        (void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        if (rc)
                fprintf(stderr, "instructions: %s\n", torc_strerror(rc));
        return rc != 0;
}
