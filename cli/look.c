/*
 * look.c - taking a snapshot, words for its enums, figures for people, tables.
 *
 * SPDX-License-Identifier: MIT
 */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int look_take(const struct cli_common *common, struct torc_snapshot **snapshot)
{
        struct torc_inspector *inspector;
        int result = torc_inspector_open(&inspector, common->root, common->bus);

        if (result != 0)
                return cli_fail_bus(common, result);
        result = torc_inspector_take(inspector, snapshot);
        torc_inspector_close(&inspector);
        return result == 0 ? CLI_GO_ON : cli_fail_bus(common, result);
}

int look_print(struct out *out, int code)
{
        int result;

        out->fd = STDOUT_FILENO;
        result = out_flush(out, NULL);
        out_free(out);
        return result == 0 ? code : cli_fail("cannot write: %s", torc_strerror(result));
}

/* ---- words and figures ----------------------------------------------------------------------------------- */

/* A word for a value that came out of shared memory: out of range is "?". */
#define WORD(words, value)                                                                                         \
        ((size_t)(value) < sizeof(words) / sizeof((words)[0]) && (words)[value] ? (words)[value] : "?")

const char *look_lag_word(enum torc_lag lag)
{
        static const char *const words[] = {"disconnect", "block", "skip"};

        return WORD(words, lag);
}

const char *look_access_word(enum torc_access access)
{
        static const char *const words[] = {"shared", "exclusive", "wait_for_exclusive", "exclusive_with_fencing"};

        return WORD(words, access);
}

const char *look_producer_word(enum torc_producer_state state)
{
        static const char *const words[] = {NULL, "shared", "owner", "waiting", "fenced"};

        return WORD(words, state);
}

const char *look_connection_word(enum torc_connection connection)
{
        static const char *const words[] = {NULL, "connecting", "connected", "terminated"};

        return WORD(words, connection);
}

const char *look_segment_word(enum torc_segment_state state)
{
        static const char *const words[] = {"provisioning", "active", "draining", "stopped"};

        return WORD(words, state);
}

const char *look_stream_word(const struct torc_stream_info *stream)
{
        if (stream->error)
                return torc_errname(stream->error);
        if (stream->ended)
                return "ended";
        return stream->online ? "online" : "offline";
}

uint64_t look_lost(const struct torc_stream_info *stream)
{
        uint64_t lost = 0;

        for (size_t i = 0; i < TORC_LOSS_COUNT; i++)
                lost += stream->losses[i];
        return lost;
}

const char *look_bytes(char text[LOOK_TEXT], uint64_t bytes)
{
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
        double value = (double)bytes;
        size_t unit = 0;

        while (value >= 1024 && unit < 6) {
                value /= 1024;
                unit++;
        }
        snprintf(text, LOOK_TEXT, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
        return text;
}

const char *look_time(char text[LOOK_TEXT], int64_t wall_ns)
{
        time_t seconds = (time_t)(wall_ns / 1000000000);
        struct tm parts;

        if (wall_ns <= 0 || !localtime_r(&seconds, &parts) || strftime(text, LOOK_TEXT, "%F %T", &parts) == 0)
                snprintf(text, LOOK_TEXT, "-");
        return text;
}

const char *look_span(char text[LOOK_TEXT], int64_t ns)
{
        long long s = ns / 1000000000;

        if (ns < 0)
                snprintf(text, LOOK_TEXT, "-");
        else if (s < 60)
                snprintf(text, LOOK_TEXT, "%.1f s", (double)ns / 1e9);
        else if (s < 3600)
                snprintf(text, LOOK_TEXT, "%lldm %llds", s / 60, s % 60);
        else if (s < 86400)
                snprintf(text, LOOK_TEXT, "%lldh %lldm", s / 3600, s / 60 % 60);
        else
                snprintf(text, LOOK_TEXT, "%lldd %lldh", s / 86400, s / 3600 % 24);
        return text;
}

/* ---- tables ---------------------------------------------------------------------------------------------- */

/* Characters, not bytes. Wide and combining ones count as one: a column may be off by a little for them. */
static size_t text_width(const char *text, size_t len)
{
        size_t width = 0;

        for (size_t i = 0; i < len; i++)
                width += ((unsigned char)text[i] & 0xc0) != 0x80;
        return width;
}

static void table_widths(const struct out *rows, size_t *widths, size_t columns)
{
        const char *cell = rows->data, *end = rows->data + rows->len;

        for (size_t column = 0; cell < end;) {
                size_t len = 0;

                while (cell[len] != '\t' && cell[len] != '\n')
                        len++;
                size_t width = text_width(cell, len);

                if (column < columns && width > widths[column])
                        widths[column] = width;
                column = cell[len] == '\n' ? 0 : column + 1;
                cell += len + 1;
        }
}

void look_table(struct out *out, const struct out *rows, const char *layout, const char *indent)
{
        enum { COLUMNS = 16 };
        size_t widths[COLUMNS] = {0}, columns = strlen(layout) < COLUMNS ? strlen(layout) : COLUMNS;
        const char *cell = rows->data, *end = rows->data + rows->len;

        table_widths(rows, widths, columns);
        for (size_t column = 0; cell < end;) {
                size_t len = 0;

                while (cell[len] != '\t' && cell[len] != '\n')
                        len++;
                bool last = cell[len] == '\n';
                size_t width = text_width(cell, len);
                int pad = column < columns && widths[column] > width ? (int)(widths[column] - width) : 0;
                bool right = column < columns && layout[column] == '>';

                out_printf(out, "%s%*s", column == 0 ? indent : "  ", right ? pad : 0, "");
                out_put(out, cell, len);
                if (!last)
                        out_printf(out, "%*s", right ? 0 : pad, "");
                else
                        out_char(out, '\n');
                column = last ? 0 : column + 1;
                cell += len + 1;
        }
}

size_t look_list(struct out *out, const struct torc_snapshot *snapshot, const char *glob)
{
        struct out rows = {0};
        char bytes[LOOK_TEXT];
        size_t n = 0;

        out_text(&rows, "STREAM\tSTATE\tACCESS\tEPOCH\tOWNER\tPRODUCERS\tCONSUMERS\tMESSAGES\tBYTES\tLOST\n");
        for (size_t i = 0; i < snapshot->n_streams; i++) {
                const struct torc_stream_info *s = &snapshot->streams[i];

                if (glob && !torc_name_match(glob, s->name))
                        continue;
                n++;
                out_printf(&rows, "%s\t%s\t", cli_safe(s->name), look_stream_word(s));
                if (s->error)
                        out_text(&rows, "-\t-\t-\t-\t-\t-\t-\t-\n");
                else
                        out_printf(&rows, "%s\t%lu\t%s\t%zu\t%zu\t%llu\t%s\t%llu\n", look_access_word(s->access),
                                   (unsigned long)s->epoch, s->owner_pid ? cli_safe(s->owner_name) : "-",
                                   s->n_producers, s->n_consumers, (unsigned long long)s->messages,
                                   look_bytes(bytes, s->bytes), (unsigned long long)look_lost(s));
        }
        if (n > 0)
                look_table(out, &rows, "<<<><>>>>>", "");
        out_free(&rows);
        return n;
}
