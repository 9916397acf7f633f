/*
 * pub_input.c - cuts standard input into messages: lines, blocks, or whole files.
 *
 * Whatever one read(2) brings is sent before the next: a lone line from a terminal or a slow pipe goes out at once,
 * and a fast pipe makes large batches by itself. No timer, no choice between latency and throughput.
 *
 *   buffer   |  sent  |  whole messages, being cut  |  unfinished  |  room for the next read  |
 *            0        start                         scan           len                        cap
 *
 * SPDX-License-Identifier: MIT
 */
#include "pub.h"

#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_FIRST_BYTES (256u << 10)
#define IDLE_CHECK_MS     500

struct input {
        char *buffer;
        size_t cap, len, start, scan;
        uint64_t raw;
};

/* ---- reading --------------------------------------------------------------------------------------------- */

/* Makes room behind len: first by moving what is unsent to the front, then by doubling. */
static int input_room(struct pub *pub, struct input *in)
{
        if (in->start > 0) {
                memmove(in->buffer, in->buffer + in->start, in->len - in->start);
                in->len -= in->start;
                in->scan -= in->start;
                in->start = 0;
        }
        if (in->len < in->cap)
                return CLI_GO_ON;
        if (in->cap >= pub->message_max && pub->n_files > 0)
                return cli_fail("a file is larger than %zu bytes: allow more with --max-message", in->cap);
        if (in->cap >= pub->message_max)
                return cli_fail("input has no end of message within %zu bytes: is it binary? "
                                "See --raw and --file, or allow more with --max-message",
                                in->cap);
        size_t cap = in->cap ? in->cap * 2 : INPUT_FIRST_BYTES;
        char *buffer = realloc(in->buffer, cap);

        if (!buffer)
                return cli_fail("out of memory for a message of more than %zu bytes", in->cap);
        in->buffer = buffer;
        in->cap = cap;
        return CLI_GO_ON;
}

/* Waits until fd can be read. Returns CLI_GO_ON, or an exit code when a signal came or the stream was lost. */
static int input_wait(struct pub *pub, int fd)
{
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals_fd(), .events = POLLIN}};

        for (;;) {
                int n = poll(fds, 2, IDLE_CHECK_MS);

                if (signals_came())
                        return CLI_OK;
                if (n > 0)
                        return CLI_GO_ON;
                if (n < 0 && errno != EINTR)
                        return cli_fail("poll: %s", strerror(errno));
                if (n == 0) {
                        int code = pub_idle(pub);

                        if (code != CLI_GO_ON)
                                return code;
                }
        }
}

/* One read. *got is 0 at the end of the input. */
static int input_read(struct pub *pub, struct input *in, int fd, const char *name, size_t *got)
{
        int code = input_room(pub, in);
        ssize_t n;

        if (code != CLI_GO_ON)
                return code;
        do {
                code = input_wait(pub, fd);
                if (code != CLI_GO_ON)
                        return code;
                n = read(fd, in->buffer + in->len, in->cap - in->len);
        } while (n < 0 && (errno == EINTR || errno == EAGAIN));
        if (n < 0)
                return cli_fail("%s: %s", cli_safe(name), strerror(errno));
        in->len += (size_t)n;
        *got = (size_t)n;
        return CLI_GO_ON;
}

/* ---- cutting --------------------------------------------------------------------------------------------- */

/* The next whole message, or at the end of the input what is left. False when there is none (yet). */
static bool input_cut(struct input *in, bool at_end, struct torc_span *message)
{
        size_t left = in->len - in->start, len, skip = 0;

        if (in->raw) {
                len = in->raw;
                if (left < len)
                        len = at_end ? left : 0;
                if (len == 0)
                        return false;
        } else {
                const char *from = in->buffer + in->scan;
                const char *newline = in->len > in->scan ? memchr(from, '\n', in->len - in->scan) : NULL;

                in->scan = in->len;
                if (!newline && (!at_end || left == 0))
                        return false;
                len = newline ? (size_t)(newline - in->buffer) - in->start : left;
                skip = newline != NULL;
        }
        *message = (struct torc_span){in->buffer + in->start, len};
        in->start += len + skip;
        in->scan = in->start;
        return true;
}

static int input_send(struct pub *pub, struct input *in, bool at_end)
{
        static struct torc_span messages[PUB_BATCH];
        size_t n;

        do {
                for (n = 0; n < PUB_BATCH && input_cut(in, at_end, &messages[n]);)
                        n++;
                int code = n > 0 ? pub_send(pub, messages, n) : CLI_GO_ON;

                if (code != CLI_GO_ON)
                        return code;
        } while (n == PUB_BATCH);
        return CLI_GO_ON;
}

static int input_stdin(struct pub *pub)
{
        struct input in = {.raw = pub->raw};
        size_t got = 1;
        int code = CLI_GO_ON;

        while (code == CLI_GO_ON && got > 0) {
                code = input_read(pub, &in, STDIN_FILENO, "standard input", &got);
                if (code == CLI_GO_ON)
                        code = input_send(pub, &in, got == 0);
        }
        free(in.buffer);
        return code == CLI_GO_ON ? CLI_OK : code;
}

/* ---- files ----------------------------------------------------------------------------------------------- */

static int input_file(struct pub *pub, struct input *in, const char *path)
{
        bool standard = strcmp(path, "-") == 0;
        int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
        size_t got = 1;
        int code = CLI_GO_ON;

        if (fd < 0)
                return cli_fail("%s: %s", cli_safe(path), strerror(errno));
        in->len = in->start = in->scan = 0;
        while (code == CLI_GO_ON && got > 0)
                code = input_read(pub, in, fd, path, &got);
        if (!standard)
                close(fd);
        if (code == CLI_GO_ON) {
                struct torc_span whole = {in->buffer, in->len};

                code = pub_send(pub, &whole, 1);
        }
        return code;
}

int pub_input(struct pub *pub)
{
        struct input in = {0};
        int code = CLI_GO_ON;

        if (pub->n_files == 0)
                return input_stdin(pub);
        for (size_t i = 0; i < pub->n_files && code == CLI_GO_ON; i++)
                code = input_file(pub, &in, pub->files[i]);
        free(in.buffer);
        return code == CLI_GO_ON ? CLI_OK : code;
}
