/*
 * ctl_status.c - what `torc ctl status` prints.
 *
 * The supervisor sends lines of fields between tabs; a line with a first word that is not known here is passed
 * over, and fields that are missing are empty, so that the two ends may be of different age.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl.h"

#include "look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Fields of the lines, in their order. */
enum { SUP_KIND, SUP_PID, SUP_STARTED, SUP_CONFIG };
enum {
        GROUP_KIND,
        GROUP_NAME,
        GROUP_STREAM,
        GROUP_ACCESS,
        GROUP_RESTART,
        GROUP_COUNT,
        GROUP_CONFIGURED,
        GROUP_COMMAND
};
enum {
        MEMBER_KIND,
        MEMBER_NAME,
        MEMBER_GROUP,
        MEMBER_INDEX,
        MEMBER_STATE,
        MEMBER_PID,
        MEMBER_STARTED,
        MEMBER_DUE,
        MEMBER_RESTARTS,
        MEMBER_BACKOFF,
        MEMBER_STATUS,
        MEMBER_DROPPED,
        MEMBER_CAUSE,
        FIELDS
};

struct line {
        const char *field[FIELDS]; /* never NULL */
};

static int64_t number(const struct line *l, int field)
{
        return strtoll(l->field[field], NULL, 10);
}

static const char *restart_word(const struct line *l)
{
        static const char *const words[] = {"permanent", "transient", "temporary"};
        int64_t n = number(l, GROUP_RESTART);
        return n >= 0 && n < 3 ? words[n] : "?";
}

static const char *access_word(const struct line *l)
{
        return look_access_word((enum torc_access)number(l, GROUP_ACCESS));
}

static bool is(const struct line *l, const char *kind)
{
        return strcmp(l->field[0], kind) == 0;
}

/* Take the text apart. Returns the number of lines; *lines is for free(3). */
static size_t split(char *text, struct line **lines)
{
        size_t n = 0, cap = 1;
        for (const char *p = text; *p; p++)
                cap += *p == '\n';
        struct line *l = *lines = calloc(cap, sizeof *l);
        for (char *row; l && n < cap && (row = strsep(&text, "\n"));) {
                if (!*row)
                        continue;
                for (size_t i = 0; i < FIELDS; i++) {
                        char *field = row ? strsep(&row, "\t") : NULL;
                        l[n].field[i] = field ? field : "";
                }
                n++;
        }
        return n;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

static int64_t wall_ns(void)
{
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void table_groups(struct out *out, const struct line *lines, size_t n)
{
        struct out rows = {0};
        out_text(&rows, "GROUP\tMEMBERS\tSTREAM\tACCESS\tRESTART\tCOMMAND\n");
        for (size_t i = 0; i < n; i++) {
                const struct line *l = &lines[i];
                if (!is(l, "group"))
                        continue;
                const char *stream = l->field[GROUP_STREAM];
                out_printf(&rows, "%s\t%" PRId64, cli_safe(l->field[GROUP_NAME]), number(l, GROUP_COUNT));
                if (number(l, GROUP_COUNT) != number(l, GROUP_CONFIGURED))
                        out_printf(&rows, " (%" PRId64 " in torc.ini)", number(l, GROUP_CONFIGURED));
                out_printf(&rows, "\t%s\t%s\t%s\t%s\n", *stream ? cli_safe(stream) : "-",
                           *stream ? access_word(l) : "-", restart_word(l), cli_safe(l->field[GROUP_COMMAND]));
        }
        look_table(out, &rows, "<<<<<<", "");
        out_free(&rows);
}

static void member_note(struct out *rows, const struct line *l)
{
        char span[LOOK_TEXT];
        int64_t due = number(l, MEMBER_DUE), dropped = number(l, MEMBER_DROPPED);
        const char *cause = l->field[MEMBER_CAUSE];
        if (due)
                out_printf(rows, "starts in %s%s", look_span(span, due > wall_ns() ? due - wall_ns() : 0),
                           *cause ? "; " : "");
        out_printf(rows, "%s", *cause ? cli_safe(cause) : due ? "" : "-");
        if (dropped)
                out_printf(rows, "; %s of output dropped", look_bytes(span, (uint64_t)dropped));
}

static void table_members(struct out *out, const struct line *lines, size_t n)
{
        struct out rows = {0};
        char span[LOOK_TEXT];
        out_text(&rows, "MEMBER\tSTATE\tPID\tRESTARTS\tUP\tNOTE\n");
        for (size_t i = 0; i < n; i++) {
                const struct line *l = &lines[i];
                if (!is(l, "member"))
                        continue;
                bool lives = number(l, MEMBER_PID) != 0;
                out_printf(&rows, "%s\t%s\t%s\t%" PRId64 "\t%s\t", cli_safe(l->field[MEMBER_NAME]),
                           cli_safe(l->field[MEMBER_STATE]), lives ? cli_safe(l->field[MEMBER_PID]) : "-",
                           number(l, MEMBER_RESTARTS),
                           lives ? look_span(span, wall_ns() - number(l, MEMBER_STARTED)) : "-");
                member_note(&rows, l);
                out_char(&rows, '\n');
        }
        look_table(out, &rows, "<<>>><", "");
        out_free(&rows);
}

static void tables(struct out *out, const struct line *lines, size_t n)
{
        char time[LOOK_TEXT];
        bool groups = false;
        for (size_t i = 0; i < n; i++) {
                groups |= is(&lines[i], "group");
                if (is(&lines[i], "supervisor"))
                        out_printf(out, "torcd pid %s since %s, %s\n", cli_safe(lines[i].field[SUP_PID]),
                                   look_time(time, number(&lines[i], SUP_STARTED)),
                                   cli_safe(lines[i].field[SUP_CONFIG]));
        }
        if (!groups) {
                out_text(out, "it has no groups\n");
                return;
        }
        out_char(out, '\n');
        table_groups(out, lines, n);
        out_char(out, '\n');
        table_members(out, lines, n);
}

/* ---- JSON ------------------------------------------------------------------------------------------------ */

static void json_member(struct out *out, const struct line *l)
{
        out_next(out);
        out_char(out, '{');
        out_member_text(out, "name", l->field[MEMBER_NAME]);
        out_member_number(out, "index", number(l, MEMBER_INDEX));
        out_member_text(out, "state", l->field[MEMBER_STATE]);
        out_member_number(out, "pid", number(l, MEMBER_PID));
        out_member_number(out, "started_ns", number(l, MEMBER_STARTED));
        out_member_number(out, "due_ns", number(l, MEMBER_DUE));
        out_member_number(out, "restarts", number(l, MEMBER_RESTARTS));
        out_member_number(out, "backoff_ms", number(l, MEMBER_BACKOFF));
        out_member_number(out, "last_status", number(l, MEMBER_STATUS));
        out_member_number(out, "log_dropped", number(l, MEMBER_DROPPED));
        out_member_text(out, "cause", l->field[MEMBER_CAUSE]);
        out_char(out, '}');
}

static void json_group(struct out *out, const struct line *group, const struct line *lines, size_t n)
{
        out_next(out);
        out_char(out, '{');
        out_member_text(out, "name", group->field[GROUP_NAME]);
        out_member_text(out, "stream", group->field[GROUP_STREAM]);
        out_member_text(out, "access", access_word(group));
        out_member_text(out, "restart", restart_word(group));
        out_member_number(out, "count", number(group, GROUP_COUNT));
        out_member_number(out, "configured", number(group, GROUP_CONFIGURED));
        out_member_text(out, "command", group->field[GROUP_COMMAND]);
        out_key(out, "members");
        out_char(out, '[');
        for (size_t i = 0; i < n; i++)
                if (is(&lines[i], "member") && strcmp(lines[i].field[MEMBER_GROUP], group->field[GROUP_NAME]) == 0)
                        json_member(out, &lines[i]);
        out_text(out, "]}");
}

static void json_all(struct out *out, const struct line *lines, size_t n)
{
        out_char(out, '{');
        for (size_t i = 0; i < n; i++) {
                if (!is(&lines[i], "supervisor"))
                        continue;
                out_key(out, "supervisor");
                out_char(out, '{');
                out_member_number(out, "pid", number(&lines[i], SUP_PID));
                out_member_number(out, "started_ns", number(&lines[i], SUP_STARTED));
                out_member_text(out, "config", lines[i].field[SUP_CONFIG]);
                out_char(out, '}');
        }
        out_key(out, "groups");
        out_char(out, '[');
        for (size_t i = 0; i < n; i++)
                if (is(&lines[i], "group"))
                        json_group(out, &lines[i], lines, n);
        out_text(out, "]}\n");
}

int ctl_status(char *text, bool json)
{
        struct line *lines;
        struct out out = {0};
        size_t n = split(text, &lines);
        if (!lines)
                return cli_fail("out of memory");
        if (json)
                json_all(&out, lines, n);
        else
                tables(&out, lines, n);
        free(lines);
        return look_print(&out, CLI_OK);
}
