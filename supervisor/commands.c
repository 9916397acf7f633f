/*
 * commands.c - what can be asked on the control socket.
 *
 * `status` answers in lines of fields between tabs; `torc ctl` makes tables or JSON of them:
 *
 *     supervisor  PID STARTED_NS CONFIG
 *     group       NAME STREAM ACCESS RESTART COUNT CONFIGURED COMMAND
 *     member      NAME GROUP INDEX STATE PID STARTED_NS DUE_NS RESTARTS BACKOFF_MS LAST_STATUS LOG_DROPPED CAUSE
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "sup.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 4

/* ---- names ----------------------------------------------------------------------------------------------- */

/* How many letters to change, add or remove; both are short. */
static size_t distance(const char *a, const char *b)
{
        size_t n = strlen(b), row[TORC_NAME_MAX + 2];
        if (n > TORC_NAME_MAX)
                return SIZE_MAX;
        for (size_t j = 0; j <= n; j++)
                row[j] = j;
        for (size_t i = 1; a[i - 1]; i++) {
                size_t diagonal = row[0];
                row[0] = i;
                for (size_t j = 1; j <= n; j++) {
                        size_t change = diagonal + (a[i - 1] != b[j - 1]);
                        size_t add = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
                        diagonal = row[j];
                        row[j] = change < add ? change : add;
                }
        }
        return row[n];
}

struct guess {
        const char *wrong, *best;
        size_t distance;
};

static void guess_add(struct guess *g, const char *name)
{
        size_t d = distance(g->wrong, name), most = strlen(name) / 3 + 1;
        if (strlen(g->wrong) <= TORC_NAME_MAX && d <= most && (!g->best || d < g->distance)) {
                g->best = name;
                g->distance = d;
        }
}

static void reply_unknown(struct reply *reply, const char *what, const char *name, const struct guess *g)
{
        reply_add(reply, "error there is no %s '%s'", what, name);
        if (g->best)
                reply_add(reply, "; did you mean '%s'?", g->best);
        reply_add(reply, "\n");
}

/* ---- groups and members ---------------------------------------------------------------------------------- */

/* Do it to a member, or to all members of a group: `name` is either. */
static void command_members(struct sup *sup, const char *name, enum member_event event, struct reply *reply)
{
        struct guess g = {.wrong = name};
        struct sup_group *group = group_find(sup, name);
        size_t hits = 0;
        for (size_t i = 0; i < sup->n_groups; i++)
                guess_add(&g, sup->groups[i]->conf->name);
        for (size_t i = 0; i < sup->top_member; i++) {
                struct sup_member *m = sup->members[i];
                if (!m)
                        continue;
                guess_add(&g, m->name);
                if (m->group != group && strcmp(m->name, name) != 0)
                        continue;
                if (hits++ == 0)
                        reply_add(reply, "ok\n");
                if (!m->surplus)
                        member_event(sup, m, event);
                reply_add(reply, "%s\t%s\n", m->name, torc_member_state_word(m->life.state));
        }
        if (hits == 0 && group)
                reply_add(reply, "ok\n");
        else if (hits == 0)
                reply_unknown(reply, "group or member", name, &g);
}

static bool parse_number(const char *text, uint64_t most, uint64_t *value)
{
        char *end;
        errno = 0;
        unsigned long long v = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end || errno || v > most)
                return false;
        *value = v;
        return true;
}

static void command_start(struct sup *sup, char **word, struct reply *reply)
{
        command_members(sup, word[1], MEMBER_START, reply);
}

static void command_stop(struct sup *sup, char **word, struct reply *reply)
{
        command_members(sup, word[1], MEMBER_STOP, reply);
}

static void command_restart(struct sup *sup, char **word, struct reply *reply)
{
        command_members(sup, word[1], MEMBER_RESTART, reply);
}

static void command_scale(struct sup *sup, char **word, struct reply *reply)
{
        struct guess g = {.wrong = word[1]};
        struct sup_group *group = group_find(sup, word[1]);
        uint64_t count;
        for (size_t i = 0; i < sup->n_groups; i++)
                guess_add(&g, sup->groups[i]->conf->name);
        if (!group || group->own) {
                reply_unknown(reply, "group", word[1], &g);
                return;
        }
        if (!parse_number(word[2], TORC_MAX_MEMBERS, &count)) {
                reply_add(reply, "error '%s' is no number of members from 0 to %d\n", word[2], TORC_MAX_MEMBERS);
                return;
        }
        uint32_t before = group->count;
        switch (group_scale(sup, group, (uint32_t)count)) {
        case 0:
                reply_add(reply, "ok\n%s\t%u -> %u members\n", word[1], before, group->count);
                break;
        case -EINVAL:
                reply_add(reply,
                          "error group '%s' has exclusive access to its stream: more than one member would be "
                          "refused; access = wait_for_exclusive makes the others standbys\n",
                          word[1]);
                break;
        case -E2BIG:
                reply_add(reply, "error a supervisor has at most %d members in all\n", TORC_MAX_MEMBERS);
                break;
        default:
                reply_add(reply, "error out of memory\n");
        }
}

/* ---- streams --------------------------------------------------------------------------------------------- */

static void reply_stream_error(struct sup *sup, struct reply *reply, const char *stream, int rc)
{
        struct torc_snapshot *snapshot = NULL;
        struct guess g = {.wrong = stream};
        if (rc != -ENOENT) {
                reply_add(reply, "error stream '%s': %s\n", stream, torc_strerror(rc));
                return;
        }
        if (sup->inspector && torc_inspector_take(sup->inspector, &snapshot) == 0)
                for (size_t i = 0; i < snapshot->n_streams; i++)
                        guess_add(&g, snapshot->streams[i].name);
        reply_unknown(reply, "stream", stream, &g);
        torc_snapshot_free(&snapshot);
}

static void command_fence(struct sup *sup, char **word, struct reply *reply)
{
        uint32_t epoch = 0;
        int rc = torc_stream_fence(sup->bus, word[1], &epoch);
        if (rc) {
                reply_stream_error(sup, reply, word[1], rc);
                return;
        }
        watch_look(sup);
        reply_add(reply, "ok\n%s\tepoch %u\tits producers are shut out; members of a group stay down until 'torc ctl start'\n",
                  word[1], epoch);
}

static void command_kick(struct sup *sup, char **word, struct reply *reply)
{
        uint64_t ref;
        struct torc_access_info info;
        if (!parse_number(word[2], UINT64_MAX, &ref)) {
                reply_add(reply, "error '%s' is no consumer's number; 'torc stat %s' lists them\n", word[2],
                          word[1]);
                return;
        }
        int rc = torc_stream_kick(sup->bus, word[1], ref);
        if (rc == -ENOENT && torc_stream_access(sup->bus, word[1], &info) == 0)
                reply_add(reply, "error stream '%s' has no consumer %s; 'torc stat %s' lists them\n", word[1],
                          word[2], word[1]);
        else if (rc)
                reply_stream_error(sup, reply, word[1], rc);
        else
                reply_add(reply, "ok\n%s\tconsumer %s disconnected; it may attach again\n", word[1], word[2]);
}

/* ---- status ---------------------------------------------------------------------------------------------- */

/* A field of the reply: no tabs or newlines in it. */
static void reply_field(struct reply *reply, const char *text)
{
        char safe[512];
        size_t n = 0;
        for (; text[n] && n < sizeof safe - 1; n++)
                safe[n] = (unsigned char)text[n] < ' ' || text[n] == 0x7f ? '?' : text[n];
        safe[n] = '\0';
        reply_add(reply, "%s", safe);
}

static void status_group(const struct sup_group *group, struct reply *reply)
{
        const struct conf_group *c = group->conf;
        reply_add(reply, "group\t");
        reply_field(reply, c->name);
        reply_add(reply, "\t");
        reply_field(reply, c->stream ? c->stream : "");
        reply_add(reply, "\t%u\t%u\t%u\t%u\t", (unsigned)c->access, (unsigned)c->restart, group->count, c->count);
        reply_field(reply, c->command ? c->command : "");
        reply_add(reply, "\n");
}

static void status_member(const struct sup_member *m, struct reply *reply)
{
        const struct member *life = &m->life;
        int64_t due = 0;
        if (life->state == TORC_MEMBER_DELAYED && life->due_ns != MEMBER_NEVER)
                due = sup_wall() + (life->due_ns - sup_now());
        reply_add(reply, "member\t");
        reply_field(reply, m->name);
        reply_add(reply, "\t");
        reply_field(reply, m->group->conf->name);
        reply_add(reply, "\t%u\t%s\t%d\t%" PRId64 "\t%" PRId64 "\t%u\t%u\t%d\t%" PRIu64 "\t", m->index,
                  torc_member_state_word(life->state), (int)m->pid, m->started_wall_ns, due, life->restarts,
                  life->backoff_ms, life->last_status, m->log_dropped);
        reply_field(reply, life->cause);
        reply_add(reply, "\n");
}

static void command_status(struct sup *sup, char **word, struct reply *reply)
{
        (void)word;
        reply_add(reply, "ok\nsupervisor\t%d\t%" PRId64 "\t", (int)getpid(), sup->started_wall_ns);
        reply_field(reply, sup->conf->path);
        reply_add(reply, "\n");
        for (size_t i = 0; i < sup->n_groups; i++)
                status_group(sup->groups[i], reply);
        for (size_t g = 0; g < sup->n_groups; g++)
                for (size_t i = 0; i < sup->top_member; i++)
                        if (sup->members[i] && sup->members[i]->group == sup->groups[g])
                                status_member(sup->members[i], reply);
}

/* ---- requests -------------------------------------------------------------------------------------------- */

static const struct command {
        const char *name;
        size_t words; /* with its name */
        bool changes; /* worth an event */
        void (*run)(struct sup *sup, char **word, struct reply *reply);
        const char *usage;
} commands[] = {
        {"status", 1, false, command_status, "status"},
        {"start", 2, true, command_start, "start GROUP|MEMBER"},
        {"stop", 2, true, command_stop, "stop GROUP|MEMBER"},
        {"restart", 2, true, command_restart, "restart GROUP|MEMBER"},
        {"scale", 3, true, command_scale, "scale GROUP COUNT"},
        {"fence", 2, true, command_fence, "fence STREAM"},
        {"kick", 3, true, command_kick, "kick STREAM CONSUMER"},
};
#define N_COMMANDS (sizeof commands / sizeof commands[0])

static void command_note(struct sup *sup, uid_t uid, char **word, size_t n, const struct reply *reply)
{
        char text[200];
        size_t len = 0;
        for (size_t i = 0; i < n && len < sizeof text; i++) {
                int w = snprintf(text + len, sizeof text - len, " %s", word[i]);
                len += w > 0 ? (size_t)w : 0;
        }
        bool refused = reply->len < 2 || memcmp(reply->data, "ok", 2) != 0;
        note(sup, TORC_EVENT_OPERATOR, "uid %u:%.180s%s", (unsigned)uid, text, refused ? " (refused)" : "");
}

void command_run(struct sup *sup, char *line, uid_t uid, struct reply *reply)
{
        char *word[WORDS_MAX + 1], *rest = line;
        size_t n = 0;
        for (const char *p = line; *p; p++) {
                if ((unsigned char)*p < ' ' && *p != '\t') {
                        reply_add(reply, "error a request holds no control characters\n");
                        return;
                }
        }
        while (n <= WORDS_MAX && rest)
                word[n++] = strsep(&rest, "\t");
        struct guess g = {.wrong = word[0]};
        for (size_t i = 0; i < N_COMMANDS; i++) {
                guess_add(&g, commands[i].name);
                if (strcmp(word[0], commands[i].name) != 0)
                        continue;
                if (n != commands[i].words) {
                        reply_add(reply, "error usage: %s\n", commands[i].usage);
                        return;
                }
                if (sup->stopping && commands[i].changes) {
                        reply_add(reply, "error the supervisor is stopping\n");
                        return;
                }
                commands[i].run(sup, word, reply);
                if (commands[i].changes)
                        command_note(sup, uid, word, n, reply);
                return;
        }
        reply_unknown(reply, "command", word[0], &g);
}
