/*
 * stat.c - torc stat: everything about a stream, or about the bus.
 *
 * SPDX-License-Identifier: MIT
 */
#include "look.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
        "usage: torc stat [STREAM] [--json]\n"
        "\n"
        "Show everything about one stream: who may produce, producers, consumers and how far they are behind,\n"
        "segments, and the loss ledger: why consumers did not get messages. Without STREAM: the bus, its "
        "supervisor,\n"
        "who is attached, and the list of streams. Looking takes no lock and disturbs nobody.\n"
        "\n"
        "  --json                   the same as one JSON object\n"
        "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
        "\n"
        "Examples:\n"
        "  torc stat numbers\n"
        "  torc stat numbers --json | jq '.consumers[].lag_bytes'\n"
        "\n"
        "Exit codes: 0 done, 1 no such bus or stream, or the stream cannot be read, 2 wrong usage\n";

enum { OPT_JSON = CLI_OPT_FIRST_OWN };

static const struct option options[] = {
        {"json", no_argument, NULL, OPT_JSON},
        CLI_COMMON_OPTIONS,
};

/* ---- one stream ------------------------------------------------------------------------------------------ */

static void stat_access(struct out *out, const struct torc_stream_info *s)
{
        out_printf(out, "  access     %s, epoch %lu", look_access_word(s->access), (unsigned long)s->epoch);
        if (s->owner_pid)
                out_printf(out, ", owner %s (pid %lld)", cli_safe(s->owner_name), (long long)s->owner_pid);
        out_char(out, '\n');
}

static void stat_head(struct out *out, const struct torc_stream_info *s)
{
        char a[LOOK_TEXT], b[LOOK_TEXT];

        out_printf(out, "stream %s\n", cli_safe(s->name));
        out_printf(out, "  state      %s", look_stream_word(s));
        if (s->online_min > 0)
                out_printf(out, " (online with %lu consumer%s%s%s)", (unsigned long)s->online_min,
                           s->online_min == 1 ? "" : "s", s->online_tags[0] ? " tagged " : "",
                           cli_safe(s->online_tags));
        out_char(out, '\n');
        stat_access(out, s);
        out_printf(out, "  messages   %llu (%s)\n", (unsigned long long)s->messages, look_bytes(a, s->bytes));
        out_printf(out, "  capacity   %s", look_bytes(a, s->capacity_bytes));
        if (s->capacity_max_bytes > s->capacity_bytes)
                out_printf(out, ", grows to %s", look_bytes(b, s->capacity_max_bytes));
        out_printf(out, "; messages up to %s\n", look_bytes(a, s->max_message_bytes));
        out_printf(out, "  lag        %s\n", look_lag_word(s->lag));
        out_printf(out, "  created    %s, uid %lu, gid %lu, mode %04o\n", look_time(a, s->created_ns),
                   (unsigned long)s->uid, (unsigned long)s->gid, (unsigned)s->mode);
        out_text(out, "  lost      ");
        for (size_t i = 0; i < TORC_LOSS_COUNT; i++)
                out_printf(out, " %s %llu%s", torc_loss_word((enum torc_loss)i), (unsigned long long)s->losses[i],
                           i + 1 < TORC_LOSS_COUNT ? "," : "\n");
}

static void producer_note(struct out *rows, const struct torc_producer_info *p)
{
        if (!p->alive)
                out_text(rows, "dead");
        else if (p->state == TORC_PRODUCER_FENCED)
                out_printf(rows, "fenced by %s (pid %lld), epoch %lu", cli_safe(p->fencer_name),
                           (long long)p->fencer_pid, (unsigned long)p->fenced_epoch);
        else if (p->claim_open)
                out_printf(rows, "claim open since %llu", (unsigned long long)p->claim_start);
        else
                out_text(rows, p->blocked ? "blocked" : "-");
}

static void stat_producers(struct out *out, const struct torc_stream_info *s)
{
        struct out rows = {0};
        char bytes[LOOK_TEXT];

        out_printf(out, "  producers  %zu\n", s->n_producers);
        if (s->n_producers == 0)
                return;
        out_text(&rows, "SLOT\tNAME\tPID\tSTATE\tEPOCH\tSEGMENT\tMESSAGES\tBYTES\tNOTE\n");
        for (size_t i = 0; i < s->n_producers; i++) {
                const struct torc_producer_info *p = &s->producers[i];

                out_printf(&rows, "%lu\t%s\t%lld\t%s\t%lu\t%llu\t%llu\t%s\t", (unsigned long)p->slot,
                           cli_safe(p->name), (long long)p->pid, look_producer_word(p->state),
                           (unsigned long)p->epoch, (unsigned long long)p->segment, (unsigned long long)p->messages,
                           look_bytes(bytes, p->bytes));
                producer_note(&rows, p);
                out_char(&rows, '\n');
        }
        look_table(out, &rows, "><><>>>><", "    ");
        out_free(&rows);
}

static void stat_waiters(struct out *out, const struct torc_stream_info *s)
{
        struct out rows = {0};

        if (s->n_waiters == 0)
                return;
        out_printf(out, "  waiters    %zu, first in turn first\n", s->n_waiters);
        out_text(&rows, "TICKET\tNAME\tPID\tNOTE\n");
        for (size_t i = 0; i < s->n_waiters; i++) {
                const struct torc_waiter_info *w = &s->waiters[i];

                out_printf(&rows, "%llu\t%s\t%lld\t%s\n", (unsigned long long)w->ticket, cli_safe(w->name),
                           (long long)w->pid, w->alive ? "-" : "dead");
        }
        look_table(out, &rows, "><><", "    ");
        out_free(&rows);
}

static void stat_consumers(struct out *out, const struct torc_stream_info *s)
{
        struct out rows = {0};
        char lag[LOOK_TEXT], bytes[LOOK_TEXT], up[LOOK_TEXT];

        out_printf(out, "  consumers  %zu of at most %lu\n", s->n_consumers, (unsigned long)s->max_consumers);
        if (s->n_consumers == 0)
                return;
        out_text(&rows, "REF\tNAME\tPID\tSTATE\tLAG\tMESSAGES\tBYTES\tMISSED\tUP\tTAGS\n");
        for (size_t i = 0; i < s->n_consumers; i++) {
                const struct torc_consumer_info *c = &s->consumers[i];

                out_printf(&rows, "%llu\t%s\t%lld\t%s\t%s\t%llu\t%s\t%llu\t%s\t%s\n", (unsigned long long)c->ref,
                           cli_safe(c->name), (long long)c->pid, look_connection_word(c->connection),
                           look_bytes(lag, c->stats.lag_bytes), (unsigned long long)c->stats.messages,
                           look_bytes(bytes, c->stats.bytes), (unsigned long long)c->stats.missed_messages,
                           look_span(up, c->stats.uptime_ns), c->tags[0] ? cli_safe(c->tags) : "-");
        }
        look_table(out, &rows, "><><>>>>><", "    ");
        out_free(&rows);
}

static void stat_segments(struct out *out, const struct torc_stream_info *s)
{
        struct out rows = {0};
        char capacity[LOOK_TEXT];

        out_printf(out, "  segments   %zu\n", s->n_segments);
        if (s->n_segments == 0)
                return;
        out_text(&rows, "SEGMENT\tSTATE\tEPOCH\tCAPACITY\tBASE\tTAIL\tNOTE\n");
        for (size_t i = 0; i < s->n_segments; i++) {
                const struct torc_segment_info *g = &s->segments[i];

                out_printf(&rows, "%lu.%llu\t%s\t%lu\t%s\t%llu\t%llu\t%s\n", (unsigned long)g->shard,
                           (unsigned long long)g->number, look_segment_word(g->state), (unsigned long)g->epoch,
                           look_bytes(capacity, g->capacity), (unsigned long long)g->base,
                           (unsigned long long)g->tail, g->error ? torc_strerror(g->error) : "-");
        }
        look_table(out, &rows, "<<>>>><", "    ");
        out_free(&rows);
}

static int stat_stream(struct out *out, const struct torc_snapshot *snapshot, const char *name, bool json)
{
        const struct torc_stream_info *s = NULL;

        for (size_t i = 0; i < snapshot->n_streams && !s; i++)
                if (strcmp(snapshot->streams[i].name, name) == 0)
                        s = &snapshot->streams[i];
        if (!s)
                return cli_fail("there is no stream '%s' on bus '%s'; 'torc ls' lists them", cli_safe(name),
                                cli_safe(snapshot->bus));
        if (json) {
                look_stream_json(out, s);
                out_char(out, '\n');
        }
        if (s->error)
                return cli_fail("stream '%s' cannot be read: %s", cli_safe(name), torc_strerror(s->error));
        if (!json) {
                stat_head(out, s);
                stat_producers(out, s);
                stat_waiters(out, s);
                stat_consumers(out, s);
                stat_segments(out, s);
        }
        return CLI_OK;
}

/* ---- the bus --------------------------------------------------------------------------------------------- */

static void stat_supervisor(struct out *out, const struct torc_snapshot *snapshot)
{
        const struct torc_supervisor_info *v = &snapshot->supervisor;
        char time[LOOK_TEXT];

        if (!v->known)
                out_text(out, "  supervisor none\n");
        else if (v->error)
                out_printf(out, "  supervisor cannot be read: %s\n", torc_strerror(v->error));
        else if (v->alive)
                out_printf(out, "  supervisor pid %lld since %s, %s\n", (long long)v->pid,
                           look_time(time, v->started_ns), cli_safe(v->config));
        else
                out_printf(out, "  supervisor gone: pid %lld, last seen %s\n", (long long)v->pid,
                           look_time(time, v->updated_ns));
        if (snapshot->n_members == 0)
                return;
        struct out rows = {0};

        out_text(&rows, "MEMBER\tSTATE\tPID\tRESTARTS\tCAUSE\n");
        for (size_t i = 0; i < snapshot->n_members; i++) {
                const struct torc_member_info *m = &snapshot->members[i];

                out_printf(&rows, "%s-%lu\t%s\t%lld\t%lu\t%s\n", cli_safe(m->group), (unsigned long)m->index,
                           torc_member_state_word(m->state), (long long)m->pid, (unsigned long)m->restarts,
                           m->cause[0] ? cli_safe(m->cause) : "-");
        }
        look_table(out, &rows, "<<>><", "    ");
        out_free(&rows);
}

static void stat_peers(struct out *out, const struct torc_snapshot *snapshot)
{
        struct out rows = {0};
        char time[LOOK_TEXT];

        out_printf(out, "  peers      %zu\n", snapshot->n_peers);
        if (snapshot->n_peers == 0)
                return;
        out_text(&rows, "NAME\tPID\tUID\tATTACHED\tTAGS\tNOTE\n");
        for (size_t i = 0; i < snapshot->n_peers; i++) {
                const struct torc_peer_info *p = &snapshot->peers[i];

                out_printf(&rows, "%s\t%lld\t%lu\t%s\t%s\t%s\n", cli_safe(p->name), (long long)p->pid,
                           (unsigned long)p->uid, look_time(time, p->attached_ns),
                           p->tags[0] ? cli_safe(p->tags) : "-", p->alive ? "-" : "dead");
        }
        look_table(out, &rows, "<>><<<", "    ");
        out_free(&rows);
}

static int stat_bus(struct out *out, const struct torc_snapshot *snapshot, bool json)
{
        if (json) {
                look_bus_json(out, snapshot);
                out_char(out, '\n');
                return CLI_OK;
        }
        out_printf(out, "bus %s\n  path       %s\n", cli_safe(snapshot->bus), cli_safe(snapshot->path));
        stat_supervisor(out, snapshot);
        stat_peers(out, snapshot);
        out_printf(out, "  streams    %zu\n", snapshot->n_streams);
        look_list(out, snapshot, NULL);
        return CLI_OK;
}

int cmd_stat(int argc, char **argv)
{
        struct torc_snapshot *snapshot;
        struct cli_common common;
        struct out out = {0};
        bool json = false;
        const char *stream;
        int option, code;

        cli_begin(&common, "stat");
        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                json |= option == OPT_JSON;
                if (cli_option(&common, option, help, &code) && code != CLI_GO_ON)
                        return code;
        }
        stream = optind < argc ? argv[optind++] : NULL;
        if (optind < argc)
                return cli_usage("one stream only: what is '%s'?", cli_safe(argv[optind]));
        code = look_take(&common, &snapshot);
        if (code != CLI_GO_ON)
                return code;
        code = stream ? stat_stream(&out, snapshot, stream, json) : stat_bus(&out, snapshot, json);
        torc_snapshot_free(&snapshot);
        return look_print(&out, code);
}
