/*
 * value.c - cells of tables, and the words that stand in them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "units.h"
#include "view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

const struct view *const views[VIEW_COUNT] = {
#define VIEW_X(id, name) [VIEW_##id] = &view_##name,
        TUI_VIEWS(VIEW_X)
#undef VIEW_X
};

void value_text(struct value *v, enum style style, const char *text)
{
        size_t n = strnlen(text, sizeof v->text - 1);
        memcpy(v->text, text, n);
        v->text[n] = '\0';
        v->style = style;
}

void value_printf(struct value *v, enum style style, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        vsnprintf(v->text, sizeof v->text, format, args);
        va_end(args);
        v->style = style;
}

void value_count(struct value *v, uint64_t n)
{
        char text[UNITS_TEXT];
        value_text(v, n ? STYLE_PLAIN : STYLE_DIM, units_count(text, n));
        v->number = (double)n;
}

void value_bytes(struct value *v, double bytes)
{
        char text[UNITS_TEXT];
        value_text(v, bytes > 0 ? STYLE_PLAIN : STYLE_DIM, units_bytes(text, bytes));
        v->number = bytes;
}

void value_rate(struct value *v, const struct rates *rates, bool bytes)
{
        char text[UNITS_TEXT];
        double rate = bytes ? rates->bytes : rates->messages;
        if (!rates->known) {
                value_none(v);
                return;
        }
        value_text(v, rate > 0 ? STYLE_PLAIN : STYLE_DIM, bytes ? units_bytes(text, rate) : units_rate(text, rate));
        v->number = rate;
}

void value_age(struct value *v, int64_t ns)
{
        char text[UNITS_TEXT];
        value_text(v, STYLE_PLAIN, units_age(text, ns));
        v->number = (double)ns;
}

void value_pid(struct value *v, int64_t pid)
{
        if (pid <= 0) {
                value_none(v);
                return;
        }
        value_printf(v, STYLE_PLAIN, "%lld", (long long)pid);
        v->number = (double)pid;
}

void value_lag(struct value *v, double share)
{
        int percent = share >= 9.99 ? 999 : (int)(share * 100 + 0.5);
        value_printf(v, word_lag_style(share), "%d%%", percent);
        v->number = v->share = share;
}

void value_none(struct value *v)
{
        value_text(v, STYLE_DIM, "-");
        v->number = -1;
}

/* ---- words ----------------------------------------------------------------------------------------------- */

/* Enums come out of shared memory: one that is out of range is "?". */
#define WORD(words, i) ((size_t)(i) < sizeof(words) / sizeof *(words) && (words)[i] ? (words)[i] : "?")

const char *word_access(enum torc_access access)
{
        static const char *const words[] = {"shared", "exclusive", "wait", "fencing"};
        return WORD(words, access);
}

const char *word_lag(enum torc_lag lag)
{
        static const char *const words[] = {"disconnect", "block", "skip"};
        return WORD(words, lag);
}

const char *word_stream(enum stream_word word, enum style *style)
{
        static const struct {
                const char *word;
                enum style style;
        } words[] = {
                [STREAM_DAMAGED] = {"damaged", STYLE_BAD},  [STREAM_STUCK] = {"claim", STYLE_BAD},
                [STREAM_BLOCKED] = {"blocked", STYLE_WARN}, [STREAM_OFFLINE] = {"offline", STYLE_WARN},
                [STREAM_ENDED] = {"ended", STYLE_DIM},      [STREAM_IDLE] = {"idle", STYLE_DIM},
                [STREAM_ACTIVE] = {"active", STYLE_GOOD},
        };
        *style = words[word].style;
        return words[word].word;
}

const char *word_producer(const struct torc_producer_info *p, enum style *style)
{
        static const char *const words[] = {NULL, "shared", "owner", "waiting", "fenced"};
        if (!p->alive) {
                *style = STYLE_BAD;
                return "dead";
        }
        *style = p->state == TORC_PRODUCER_FENCED ? STYLE_WARN : STYLE_GOOD;
        return WORD(words, p->state);
}

const char *word_connection(enum torc_connection connection, enum style *style)
{
        static const char *const words[] = {NULL, "connecting", "connected", "gone"};
        *style = connection == TORC_CONNECTED ? STYLE_GOOD : connection == TORC_CONNECTING ? STYLE_WARN : STYLE_BAD;
        return WORD(words, connection);
}

const char *word_segment(enum torc_segment_state state)
{
        static const char *const words[] = {"provisioning", "active", "draining", "stopped"};
        return WORD(words, state);
}

const char *word_event(uint32_t kind, enum style *style)
{
        static const struct {
                const char *word;
                enum style style;
        } words[] = {
                [0] = {"?", STYLE_PLAIN},
                [TORC_EVENT_SUPERVISOR] = {"supervisor", STYLE_ACCENT},
                [TORC_EVENT_STARTED] = {"started", STYLE_GOOD},
                [TORC_EVENT_ENDED] = {"ended", STYLE_WARN},
                [TORC_EVENT_RESTART_PLANNED] = {"restart", STYLE_ACCENT},
                [TORC_EVENT_QUARANTINED] = {"quarantine", STYLE_BAD},
                [TORC_EVENT_OWNER] = {"owner", STYLE_ACCENT},
                [TORC_EVENT_FENCED] = {"fenced", STYLE_WARN},
                [TORC_EVENT_REAPED] = {"reaped", STYLE_WARN},
                [TORC_EVENT_KILLED] = {"killed", STYLE_BAD},
                [TORC_EVENT_OPERATOR] = {"operator", STYLE_ACCENT},
        };
        size_t i = kind < sizeof words / sizeof *words ? kind : 0;
        *style = words[i].style;
        return words[i].word;
}

const char *word_restart(uint32_t restart)
{
        static const char *const words[] = {"permanent", "transient", "temporary"};
        return WORD(words, restart);
}

enum style word_lag_style(double share)
{
        return share >= 0.9 ? STYLE_BAD : share >= 0.6 ? STYLE_WARN : STYLE_GOOD;
}

void word_status(char *text, size_t cap, int32_t status)
{
        if (status < 0)
                snprintf(text, cap, "-");
        else if (WIFEXITED(status))
                snprintf(text, cap, "exit %d", WEXITSTATUS(status));
        else if (WIFSIGNALED(status) && sigabbrev_np(WTERMSIG(status)))
                snprintf(text, cap, "SIG%s", sigabbrev_np(WTERMSIG(status)));
        else
                snprintf(text, cap, "status %#x", (unsigned)status);
}
