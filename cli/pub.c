/*
 * pub.c - torc pub: any Unix program becomes a producer by a pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pub.h"

#include "signals.h"
#include "torc_admin.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TELL_MS   300 /* how long to wait for consumers in silence */
#define SETTLE_MS 200 /* how long the beginning of a new stream is kept for those who wait for it */

/* ---- what went wrong ------------------------------------------------------------------------------------- */

/* "sensor-1 (pid 4242)" for people. */
static const char *who(char text[128], const char *name, int64_t pid)
{
        snprintf(text, 128, "%s (pid %lld)", name[0] ? cli_safe(name) : "a producer", (long long)pid);
        return text;
}

static int explain_fenced(const struct pub *pub)
{
        struct torc_producer_status status;
        char fencer[128];

        if (torc_producer_status(pub->producer, &status) != 0 || status.state != TORC_PRODUCER_FENCED)
                memset(&status, 0, sizeof(status));
        cli_warn("fenced: %s took stream '%s' over, epoch %lu; %llu messages had been sent",
                 who(fencer, status.fencer_name, status.fencer_pid), cli_safe(pub->stream),
                 (unsigned long)status.fenced_epoch, (unsigned long long)pub->sent);
        return CLI_FENCED;
}

static int explain_busy(const struct pub *pub)
{
        struct torc_access_info info;
        const char *stream = cli_safe(pub->stream);
        char holder[128];

        if (torc_stream_access(pub->bus, pub->stream, &info) != 0)
                memset(&info, 0, sizeof(info));
        if (info.held && info.access == TORC_EXCLUSIVE)
                cli_warn("stream '%s' is held by %s, exclusively, epoch %lu", stream,
                         who(holder, info.holder_name, info.holder_pid), (unsigned long)info.epoch);
        else if (info.held)
                cli_warn("stream '%s' is shared by %lu producer%s, among them %s", stream,
                         (unsigned long)info.producers, info.producers == 1 ? "" : "s",
                         who(holder, info.holder_name, info.holder_pid));
        else
                cli_warn("stream '%s' is being waited for by %lu producer%s", stream, (unsigned long)info.waiters,
                         info.waiters == 1 ? "" : "s");
        fprintf(stderr, "  wait for your turn:  torc pub %s --access wait_for_exclusive\n", stream);
        fprintf(stderr, "  take it over:        torc pub %s --access exclusive_with_fencing\n", stream);
        return CLI_BUSY;
}

/* Any result of the library that ends the command. `doing` is what it came from. */
static int explain(const struct pub *pub, int code, const char *doing)
{
        const char *stream = cli_safe(pub->stream);

        if (signals_came() && (code == TORC_ECANCELED || code == -EINTR))
                return CLI_OK;
        switch (code) {
        case TORC_EFENCED:
                return explain_fenced(pub);
        case TORC_EBUSY:
                return explain_busy(pub);
        case -ETIMEDOUT:
        case -EAGAIN:
        case TORC_EOFFLINE:
        case TORC_EFULL:
        case TORC_EWAITING:
                cli_warn("time is up while %s '%s'; %llu messages had been sent", doing, stream,
                         (unsigned long long)pub->sent);
                return CLI_TIMEOUT;
        case TORC_ENAME:
                return cli_usage("a stream's name is 1 to %d bytes of UTF-8 without '/', a producer's 1 to %d: "
                                 "'%s'%s%s%s",
                                 TORC_NAME_MAX, TORC_LABEL_MAX, stream, pub->name ? ", '" : "",
                                 pub->name ? cli_safe(pub->name) : "", pub->name ? "'" : "");
        case TORC_ECAPACITY:
        case TORC_ETAGS:
        case TORC_EMETA:
                return cli_usage("%s", torc_strerror(code));
        case TORC_EEXISTS: /* not from here: *producer was usable */
        default:
                return cli_fail("%s '%s': %s (%s)", doing, stream, torc_strerror(code), torc_errname(code));
        }
}

/* ---- sending --------------------------------------------------------------------------------------------- */

static int64_t wall_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Sends as many as go within timeout_ms; *accepted is how many. */
static int send_some(struct pub *pub, const struct torc_span *messages, size_t n, int timeout_ms, size_t *accepted)
{
        struct torc_meta meta = {pub->properties, pub->n_properties, pub->event_time_ns};
        int result = 0;

        if (meta.n_properties == 0 && meta.event_time_ns == 0 && !pub->event_time_now)
                return torc_producer_send_batch(pub->producer, messages, n, timeout_ms, accepted);
        for (*accepted = 0; *accepted < n && result == 0; *accepted += result == 0) {
                const struct torc_span *m = &messages[*accepted];

                if (pub->event_time_now)
                        meta.event_time_ns = wall_ns();
                result = torc_producer_send_meta(pub->producer, m->data, m->len, &meta, timeout_ms, NULL);
        }
        return result;
}

/* A command that hangs without a word looks broken; one that says so when consumers are just coming is a nuisance.
 */
static void tell_offline(struct pub *pub)
{
        const struct torc_condition online = {.kind = TORC_ONLINE};
        bool shorter = pub->timeout_ms >= 0 && pub->timeout_ms < TELL_MS;

        if (pub->offline_told || pub->timeout_ms == 0)
                return;
        if (torc_producer_wait_for(pub->producer, &online, shorter ? pub->timeout_ms : TELL_MS) != -ETIMEDOUT)
                return;
        pub->offline_told = true;
        cli_warn("waiting for consumers: stream '%s' is offline until enough are connected", cli_safe(pub->stream));
}

static int64_t now_ms(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * How many of the messages may be sent now? A consumer that waited for this stream by its name attaches within
 * milliseconds after we made it, but a fast input laps the ring in less. So the first lap is not finished before
 * the stream is SETTLE_MS old; until then a newcomer finds the stream's beginning in the ring.
 */
static size_t settle(struct pub *pub, const struct torc_span *messages, size_t n)
{
        uint64_t capacity = pub->config.capacity_bytes ? pub->config.capacity_bytes : TORC_CAPACITY_DEFAULT;
        struct pollfd signal = {.fd = signals_fd(), .events = POLLIN};
        size_t now;

        if (pub->settled_ms == 0)
                return n;
        for (now = 0; now < n; now++) {
                uint64_t bytes = messages[now].len + (pub->n_properties ? TORC_META_MAX : 64);

                if (pub->kept + bytes > capacity / 2)
                        break;
                pub->kept += bytes;
        }
        if (now > 0)
                return now;
        int64_t left = pub->settled_ms - now_ms();

        if (left > 0)
                (void)poll(&signal, 1, (int)left); /* cut short by a signal only */
        pub->settled_ms = 0;
        return n;
}

int pub_send(struct pub *pub, const struct torc_span *messages, size_t n)
{
        int timeout_ms = 0;

        while (n > 0) {
                size_t accepted = 0, some = settle(pub, messages, n);
                int result = send_some(pub, messages, some, timeout_ms, &accepted);

                pub->sent += accepted;
                messages += accepted;
                n -= accepted;
                if (signals_came())
                        return CLI_OK;
                if (result == 0)
                        continue;
                if (result == TORC_ETOOBIG)
                        return cli_fail(
                                "a message of %zu bytes is larger than stream '%s' allows; make the stream "
                                "with a larger --capacity (eight times the largest message) and --max-message",
                                messages->len, cli_safe(pub->stream));
                bool waits = result == TORC_EOFFLINE || result == TORC_EFULL || result == -EINTR;

                if (!waits || (timeout_ms == pub->timeout_ms && result != -EINTR))
                        return explain(pub, result, "sending to");
                if (result == TORC_EOFFLINE)
                        tell_offline(pub);
                if (signals_came()) /* its cancellation may have gone to the call above */
                        return CLI_OK;
                timeout_ms = pub->timeout_ms;
        }
        return CLI_GO_ON;
}

int pub_idle(struct pub *pub)
{
        struct torc_producer_status status;

        if (torc_producer_status(pub->producer, &status) == 0 && status.state == TORC_PRODUCER_FENCED)
                return explain_fenced(pub);
        return CLI_GO_ON;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

static void cancel(void *producer)
{
        torc_producer_cancel(producer);
}

/* Waits for exclusive access, if that is what the producer does. Standard input is not touched meanwhile. */
static int await_turn(struct pub *pub)
{
        struct torc_producer_status status;
        struct torc_access_info info;
        char holder[128];
        int result = torc_producer_status(pub->producer, &status);

        if (result != 0)
                return explain(pub, result, "opening");
        if (status.state != TORC_PRODUCER_WAITING)
                return CLI_GO_ON;
        if (torc_stream_access(pub->bus, pub->stream, &info) != 0)
                memset(&info, 0, sizeof(info));
        cli_warn("waiting for exclusive access to '%s', held by %s; place %lu in the queue", cli_safe(pub->stream),
                 who(holder, info.holder_name, info.holder_pid), (unsigned long)status.queue_place + 1);
        do
                result = torc_producer_await(pub->producer, pub->timeout_ms);
        while (result == -EINTR && !signals_came());
        if (result != 0)
                return explain(pub, result, "waiting for");
        if (torc_producer_status(pub->producer, &status) == 0)
                cli_warn("owner of '%s' now, epoch %lu", cli_safe(pub->stream), (unsigned long)status.epoch);
        return CLI_GO_ON;
}

static int open_stream(struct pub *pub)
{
        struct torc_bus_config bus_config = {.root = pub->common.root,
                                             .name = pub->common.bus,
                                             .peer_name = pub->name ? pub->name : "torc-pub",
                                             .tags = pub->tags};
        struct torc_producer_config config = {.name = pub->name,
                                              .access = pub->access,
                                              .flags = TORC_CREATE_ONLY, /* tells whether it existed */
                                              .stream = &pub->config};
        int result = torc_bus_open(&pub->bus, &bus_config);

        if (result != 0)
                return cli_fail_bus(&pub->common, result);
        result = torc_producer_open(&pub->producer, pub->bus, pub->stream, &config);
        if (result == 0)
                pub->settled_ms = now_ms() + SETTLE_MS;
        if (result == TORC_EEXISTS && pub->config_given)
                cli_warn(
                        "stream '%s' exists: it stays as it was made, and the options for making it have no effect",
                        cli_safe(pub->stream));
        else if (result != 0 && result != TORC_EEXISTS)
                return explain(pub, result, "opening");
        signals_on_arrival(cancel, pub->producer);
        return await_turn(pub);
}

static int run(struct pub *pub)
{
        int code = signals_start();

        if (code != 0)
                return cli_fail("cannot catch signals: %s", torc_strerror(code));
        code = open_stream(pub);
        if (code == CLI_GO_ON)
                code = pub_input(pub);
        if (code == CLI_OK && !signals_came() && pub_idle(pub) != CLI_GO_ON)
                code = CLI_FENCED; /* all was sent before; but the stream is not ours to flush or end */
        if (code == CLI_OK && pub->flush && !signals_came()) {
                int result = pub->sent ? torc_producer_flush(pub->producer, NULL, pub->timeout_ms) : 0;

                if (result != 0)
                        code = explain(pub, result, "flushing");
        }
        if (code == CLI_OK && pub->end && !signals_came()) {
                /* Before our producer goes: a waiting one would own the stream for a moment otherwise. */
                int result = torc_stream_end(pub->bus, pub->stream);

                if (result != 0)
                        code = explain(pub, result, "ending");
        }
        signals_on_arrival(NULL, NULL);
        torc_producer_close(&pub->producer);
        torc_bus_close(&pub->bus);
        return signals_exit(code);
}

int cmd_pub(int argc, char **argv)
{
        static struct pub pub = {.timeout_ms = -1, .message_max = PUB_LINE_MAX};
        int code;

        pub.config = (struct torc_stream_config)TORC_STREAM_CONFIG_INIT;
        pub.config.lag = TORC_LAG_BLOCK;
        pub.config.online_min = 0;
        pub.files = calloc((size_t)argc + 1, sizeof(*pub.files));
        if (!pub.files)
                return cli_fail("out of memory");
        code = pub_options(&pub, argc, argv);
        if (code == CLI_GO_ON)
                code = run(&pub);
        free(pub.files);
        return code;
}
