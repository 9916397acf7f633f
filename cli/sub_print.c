/*
 * sub_print.c - what a message looks like: the bytes and a newline, the bytes alone, a line of columns, or JSON.
 *
 * The bytes stand in the ring and may be overwritten while they are printed; then sub.c takes the text back. So
 * nothing here may depend on their holding still, and nothing is written from here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sub.h"

static void print_json_properties(struct out *out, const struct torc_view *view)
{
        const char *key, *value;
        size_t key_len, value_len;

        out_text(out, ",\"properties\":{");
        for (size_t i = 0; torc_meta_property(view, i, &key, &key_len, &value, &value_len) == 0; i++) {
                if (i > 0)
                        out_char(out, ',');
                out_json(out, key, key_len);
                out_char(out, ':');
                out_json(out, value, value_len);
        }
        out_char(out, '}');
}

static void print_json(struct out *out, const char *stream, const struct torc_view *view, const char *id)
{
        int64_t event_time = torc_meta_event_time(view);

        out_text(out, "{\"stream\":");
        out_json_text(out, stream);
        out_printf(out, ",\"id\":\"%s\",\"producer\":%u,\"len\":%zu,", id, view->producer, view->len);
        if (utf8_valid(view->data, view->len)) {
                out_text(out, "\"data\":");
                out_json(out, view->data, view->len);
        } else {
                out_text(out, "\"data_base64\":\"");
                out_base64(out, view->data, view->len);
                out_char(out, '"');
        }
        print_json_properties(out, view);
        if (event_time)
                out_printf(out, ",\"event_time\":%lld}\n", (long long)event_time);
        else
                out_text(out, ",\"event_time\":null}\n");
}

/* STREAM ID PRODUCER BYTES EVENT-TIME PROPERTIES DATA, a tab between two: for cut(1) and awk(1). */
static void print_columns(struct out *out, const char *stream, const struct torc_view *view, const char *id)
{
        int64_t event_time = torc_meta_event_time(view);
        const char *key, *value;
        size_t key_len, value_len, n = 0;

        out_text(out, cli_safe(stream));
        out_printf(out, "\t%s\t%u\t%zu\t", id, view->producer, view->len);
        if (event_time)
                out_printf(out, "%lld\t", (long long)event_time);
        else
                out_text(out, "-\t");
        for (; torc_meta_property(view, n, &key, &key_len, &value, &value_len) == 0; n++) {
                if (n > 0)
                        out_char(out, ',');
                out_safe(out, key, key_len);
                out_char(out, '=');
                out_safe(out, value, value_len);
        }
        out_text(out, n ? "\t" : "-\t");
        out_put(out, view->data, view->len);
        out_char(out, '\n');
}

void sub_print(struct sub *sub, const char *stream, const struct torc_view *view)
{
        char id[TORC_ID_TEXT_MAX];

        switch (sub->format) {
        case SUB_JSON:
                torc_id_format(id, &view->id);
                print_json(&sub->out, stream, view, id);
                return;
        case SUB_META:
                torc_id_format(id, &view->id);
                print_columns(&sub->out, stream, view, id);
                return;
        case SUB_RAW:
                out_put(&sub->out, view->data, view->len);
                return;
        case SUB_LINES:
        default:
                out_put(&sub->out, view->data, view->len);
                out_char(&sub->out, '\n');
                return;
        }
}
