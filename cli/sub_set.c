/*
 * sub_set.c - which streams `torc sub` reads: those named, and those that globs match, now or later.
 *
 * A stream is a directory "@NAME" in the bus directory, which inotify watches. A notification says only that it is
 * time to look; what is there is found by reading the directory, so that a lost or merged notification costs
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sub.h"

#include "torc_admin.h"

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

static struct sub_stream *set_find(struct sub *sub, const char *name)
{
        for (size_t i = 0; i < sub->n_streams; i++)
                if (strcmp(sub->streams[i].name, name) == 0)
                        return &sub->streams[i];
        return NULL;
}

void sub_set_add(struct sub *sub, const char *name, bool named)
{
        struct sub_stream *s = set_find(sub, name);

        if (s)
                return;
        if (sub->n_streams == sub->cap_streams) {
                sub->cap_streams = sub->cap_streams ? sub->cap_streams * 2 : 8;
                sub->streams = reallocarray(sub->streams, sub->cap_streams, sizeof(*sub->streams));
                if (!sub->streams)
                        err(CLI_FAILURE, "out of memory");
        }
        s = &sub->streams[sub->n_streams++];
        *s = (struct sub_stream){.named = named, .state = SUB_WAITING, .fd = -1};
        memcpy(s->name, name, strnlen(name, TORC_NAME_MAX));
}

int sub_set_watch(struct sub *sub)
{
        sub->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        if (sub->watch < 0)
                return -errno;
        if (inotify_add_watch(sub->watch, torc_bus_path(sub->bus), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0)
                return -errno;
        return 0;
}

void sub_set_drain(struct sub *sub)
{
        char events[4096];

        while (read(sub->watch, events, sizeof(events)) > 0)
                continue;
}

/* ---- opening --------------------------------------------------------------------------------------------- */

/* It cannot be read. What was asked for by name is an error, what a glob happened to match is not. */
static int set_refused(struct sub *sub, struct sub_stream *s, int result)
{
        s->state = SUB_DONE;
        if (result == TORC_EGONE) {
                char id[TORC_ID_TEXT_MAX];

                torc_id_format(id, &sub->start_id);
                return cli_fail("message %s is not in stream '%s', or no longer: begin with --from earliest", id,
                                cli_safe(s->name));
        }
        if (result == -EACCES)
                cli_warn("stream '%s': no permission to read it", cli_safe(s->name));
        else
                cli_warn("stream '%s': %s (%s)", cli_safe(s->name), torc_strerror(result), torc_errname(result));
        return s->named ? CLI_FAILURE : CLI_GO_ON;
}

static int set_open(struct sub *sub, struct sub_stream *s, bool first)
{
        struct torc_consumer_config config = {
                .name = sub->name, .start = sub->start, .start_id = sub->start_id, .flags = TORC_NO_CREATE};
        int result;

        /* Everything in a stream that was made after we came is from now on. */
        if (!first && sub->start == TORC_START_LIVE)
                config.start = TORC_START_EARLIEST;
        result = torc_consumer_open(&s->consumer, sub->bus, s->name, &config);
        switch (result) {
        case 0:
                break;
        case -ENOENT:
        case TORC_EREMOVED: /* it went away while we came */
                return CLI_GO_ON;
        case TORC_ENOCAPACITY:
        case -ETIMEDOUT:
                if (!s->told)
                        cli_warn("stream '%s' has its full number of consumers; waiting for a place",
                                 cli_safe(s->name));
                s->told = true;
                return CLI_GO_ON;
        case TORC_ECLOSED:
                s->state = SUB_DONE;
                return CLI_GO_ON;
        default:
                return set_refused(sub, s, result);
        }
        s->fd = torc_consumer_fd(s->consumer);
        if (s->fd < 0)
                return cli_fail("stream '%s': no descriptor to wait with: %s", cli_safe(s->name),
                                torc_strerror(s->fd));
        s->state = SUB_OPEN;
        return CLI_GO_ON;
}

static bool set_wants(const struct sub *sub, const char *name)
{
        for (size_t i = 0; i < sub->n_globs; i++)
                if (torc_name_match(sub->globs[i], name))
                        return true;
        return false;
}

/* Says once, at the first look, what is being waited for: a command that hangs without a word looks broken. */
static void set_tell(struct sub *sub)
{
        for (size_t i = 0; i < sub->n_streams; i++)
                if (sub->streams[i].state == SUB_WAITING && !sub->streams[i].told) {
                        cli_warn("stream '%s' does not exist yet; waiting for it", cli_safe(sub->streams[i].name));
                        sub->streams[i].told = true;
                }
        for (size_t i = 0; i < sub->n_globs; i++) {
                bool matched = false;

                for (size_t j = 0; j < sub->n_streams; j++)
                        matched |= torc_name_match(sub->globs[i], sub->streams[j].name);
                if (!matched)
                        cli_warn("no stream matches '%s' yet; waiting for one", cli_safe(sub->globs[i]));
        }
}

int sub_set_scan(struct sub *sub, bool first)
{
        int code = CLI_GO_ON;

        if (sub->n_globs > 0) {
                DIR *directory = opendir(torc_bus_path(sub->bus));
                struct dirent *entry;

                if (!directory)
                        return cli_fail("%s: %s", cli_safe(torc_bus_path(sub->bus)), strerror(errno));
                while ((entry = readdir(directory)))
                        if (entry->d_name[0] == '@' && torc_name_check(entry->d_name + 1) == 0 &&
                            set_wants(sub, entry->d_name + 1))
                                sub_set_add(sub, entry->d_name + 1, false);
                closedir(directory);
        }
        for (size_t i = 0; i < sub->n_streams && code == CLI_GO_ON; i++)
                if (sub->streams[i].state == SUB_WAITING)
                        code = set_open(sub, &sub->streams[i], first && !sub->streams[i].told);
        if (first && code == CLI_GO_ON)
                set_tell(sub);
        return code;
}

/* ---- where it stands ------------------------------------------------------------------------------------- */

bool sub_set_finished(const struct sub *sub)
{
        for (size_t i = 0; i < sub->n_streams; i++)
                if (sub->streams[i].state != SUB_DONE)
                        return false;
        return sub->n_globs == 0;
}

bool sub_set_waiting(const struct sub *sub)
{
        for (size_t i = 0; i < sub->n_streams; i++)
                if (sub->streams[i].state == SUB_WAITING)
                        return true;
        return false;
}

void sub_set_close(struct sub *sub)
{
        for (size_t i = 0; i < sub->n_streams; i++)
                torc_consumer_close(&sub->streams[i].consumer);
        free(sub->streams);
        sub->streams = NULL;
        sub->n_streams = sub->cap_streams = 0;
        if (sub->watch >= 0)
                close(sub->watch);
        sub->watch = -1;
}
