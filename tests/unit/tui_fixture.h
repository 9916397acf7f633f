/*
 * tui_fixture.h - a bus made up for the tests of the monitor: everything that can happen, at a time that never
 * changes.
 *
 * fixture_snapshot(step) is the bus `step` seconds on. Freed with torc_snapshot_free(), like a real one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TUI_FIXTURE_H
#define TUI_FIXTURE_H

#include "torc_admin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE_S    1000000000ll
#define FIXTURE_WALL (1795269909ll * FIXTURE_S) /* 2026-11-21 14:05:09 UTC */

static void *fixture_array(size_t n, size_t size)
{
        void *p = calloc(n + 1, size);
        if (!p)
                abort();
        return p;
}

#define fixture_copy(to, from) snprintf((to), sizeof(to), "%s", (from))

static struct torc_stream_info *fixture_stream(struct torc_snapshot *snap, const char *name, uint64_t messages)
{
        struct torc_stream_info *s = &snap->streams[snap->n_streams++];
        *s = (struct torc_stream_info){
                .online = true,
                .capacity_bytes = 1 << 20,
                .capacity_max_bytes = 64 << 20,
                .max_message_bytes = 5 << 20,
                .lag = TORC_LAG_DISCONNECT,
                .online_min = 1,
                .max_consumers = 1024,
                .uid = 1000,
                .gid = 100,
                .mode = 0660,
                .created_ns = FIXTURE_WALL - 7200 * FIXTURE_S,
                .epoch = 1,
                .messages = messages,
                .bytes = messages * 100,
                .tail = messages * 128,
                .n_segments = 1,
        };
        fixture_copy(s->name, name);
        s->producers = fixture_array(8, sizeof *s->producers);
        s->consumers = fixture_array(8, sizeof *s->consumers);
        s->waiters = fixture_array(8, sizeof *s->waiters);
        s->segments = fixture_array(8, sizeof *s->segments);
        s->segments[0] = (struct torc_segment_info){.number = 1,
                                                    .state = TORC_SEGMENT_ACTIVE,
                                                    .epoch = 1,
                                                    .capacity = 1 << 20,
                                                    .tail = s->tail,
                                                    .limit = s->tail + 700000};
        return s;
}

static struct torc_producer_info *fixture_producer(struct torc_stream_info *s, const char *name, int64_t pid,
                                                   uint64_t messages)
{
        struct torc_producer_info *p = &s->producers[s->n_producers];
        *p = (struct torc_producer_info){.slot = (uint32_t)s->n_producers,
                                         .state = TORC_PRODUCER_SHARED,
                                         .alive = true,
                                         .pid = pid,
                                         .uid = 1000,
                                         .epoch = s->epoch,
                                         .segment = 1,
                                         .peer_slot = (uint32_t)(pid - 4000),
                                         .messages = messages,
                                         .bytes = messages * 100};
        fixture_copy(p->name, name);
        s->n_producers++;
        return p;
}

static struct torc_consumer_info *fixture_consumer(struct torc_stream_info *s, const char *name, int64_t pid,
                                                   uint64_t messages, uint64_t lag)
{
        struct torc_consumer_info *c = &s->consumers[s->n_consumers];
        *c = (struct torc_consumer_info){.ref = 1u << 16 | s->n_consumers,
                                         .connection = TORC_CONNECTED,
                                         .pid = pid,
                                         .uid = 1000,
                                         .cursor = s->tail - lag,
                                         .segment = 1};
        c->stats = (struct torc_consumer_stats){.messages = messages,
                                                .bytes = messages * 100,
                                                .lag_bytes = lag,
                                                .attached_ns = FIXTURE_WALL - 3600 * FIXTURE_S,
                                                .uptime_ns = 3600 * FIXTURE_S};
        fixture_copy(c->name, name);
        fixture_copy(c->peer_name, name);
        s->n_consumers++;
        return c;
}

static void fixture_peer(struct torc_snapshot *snap, const char *name, int64_t pid, const char *tags, bool alive)
{
        struct torc_peer_info *p = &snap->peers[snap->n_peers++];
        *p = (struct torc_peer_info){.slot = (uint32_t)(pid - 4000),
                                     .alive = alive,
                                     .pid = pid,
                                     .uid = 1000,
                                     .gid = 100,
                                     .start_ticks = 1,
                                     .attached_ns = FIXTURE_WALL - 5400 * FIXTURE_S};
        fixture_copy(p->name, name);
        fixture_copy(p->tags, tags);
}

static void fixture_streams(struct torc_snapshot *snap, unsigned step)
{
        struct torc_stream_info *s = fixture_stream(snap, "alerts", 812);
        s->ended = true;

        s = fixture_stream(snap, "broken", 0);
        s->error = TORC_ECORRUPT;
        s->n_segments = 0;

        s = fixture_stream(snap, "cpu.load", 4000000 + 12345 * step);
        fixture_producer(s, "cpu-0", 4100, 2000000 + 6000 * step);
        fixture_producer(s, "cpu-1", 4101, 2000000 + 6345 * step);
        fixture_consumer(s, "dashboard", 4200, 3999000 + 12345 * step, 4096);
        fixture_consumer(s, "recorder", 4201, 3990000 + 12300 * step, 250000);

        s = fixture_stream(snap, "disk.io", 5000);
        s->lag = TORC_LAG_BLOCK;
        struct torc_producer_info *p = fixture_producer(s, "disk-0", 4102, 5000);
        p->claim_open = true;
        p->claim_start = 640000;
        p->claim_end = 640512;
        fixture_consumer(s, "recorder", 4201, 5000, 512);

        s = fixture_stream(snap, "evil\x1b[31m\xe2\x80\xae\xc2\x9b name \xff", 10);
        s->online_min = 2;
        s->online = false;
        snprintf(s->online_tags, sizeof s->online_tags, "audit");

        s = fixture_stream(snap, "net.packets", 900000000 + 1234567ull * step);
        fixture_producer(s, "eth0", 4103, 900000000 + 1234567ull * step)->blocked = true;
        s->n_segments = 2;
        s->segments[0].state = TORC_SEGMENT_DRAINING;
        s->segments[1] = (struct torc_segment_info){.number = 2,
                                                    .state = TORC_SEGMENT_ACTIVE,
                                                    .epoch = 1,
                                                    .capacity = 2 << 20,
                                                    .base = s->tail - 500000,
                                                    .tail = s->tail,
                                                    .limit = s->tail + 1000};
        s->losses[TORC_LOSS_DISCONNECTED] = 1200 + 34 * step;
        s->losses[TORC_LOSS_ABORTED] = 3;
        struct torc_consumer_info *c = fixture_consumer(s, "intrusion-detection", 4202, 800000000, 1900000);
        c->stats.missed_messages = 1200;
        c = fixture_consumer(s, "old-reader", 4203, 100, 0);
        c->connection = TORC_TERMINATED;

        s = fixture_stream(snap, "proc.exec", 70000 + 3 * step);
        s->access = TORC_EXCLUSIVE;
        s->epoch = 7;
        s->owner_pid = 4104;
        snprintf(s->owner_name, sizeof s->owner_name, "exec-1");
        p = fixture_producer(s, "exec-0", 4105, 40000);
        p->state = TORC_PRODUCER_FENCED;
        p->epoch = 6;
        p->fenced_epoch = 7;
        p->fencer_pid = 4104;
        fixture_copy(p->fencer_name, "exec-1");
        fixture_producer(s, "exec-1", 4104, 30000 + 3 * step)->state = TORC_PRODUCER_OWNER;
        fixture_consumer(s, "alerts", 4204, 70000 + 3 * step, 0);
        s->n_waiters = 1;
        s->waiters[0] = (struct torc_waiter_info){.ticket = 9, .alive = true, .pid = 4106};
        fixture_copy(s->waiters[0].name, "exec-2");

        fixture_stream(snap,
                       "\xe6\xb0\x97\xe8\xb1\xa1.\xc3\xa9t\xc3\xa9/a.name.that.is.much.longer.than.any.column"
                       ".can.be.on.any.screen.however.wide.it.may.be",
                       42);
}

static void fixture_peers(struct torc_snapshot *snap)
{
        fixture_peer(snap, "cpu-0", 4100, "telemetry", true);
        fixture_peer(snap, "cpu-1", 4101, "telemetry", true);
        fixture_peer(snap, "disk-0", 4102, "telemetry", true);
        fixture_peer(snap, "eth0", 4103, "telemetry,network", true);
        fixture_peer(snap, "exec-1", 4104, "", true);
        fixture_peer(snap, "exec-0", 4105, "", true);
        fixture_peer(snap, "exec-2", 4106, "", true);
        fixture_peer(snap, "dashboard", 4200, "ui", true);
        fixture_peer(snap, "recorder", 4201, "audit", true);
        fixture_peer(snap, "intrusion-detection", 4202, "", true);
        fixture_peer(snap, "old-reader", 4203, "", false);
        fixture_peer(snap, "alerts", 4204, "ui", true);
}

static struct torc_member_info *fixture_member(struct torc_snapshot *snap, const char *group, uint32_t index,
                                               enum torc_member_state state, int64_t pid, const char *cause)
{
        struct torc_member_info *m = &snap->members[snap->n_members++];
        *m = (struct torc_member_info){.index = index,
                                       .state = state,
                                       .pid = pid,
                                       .last_status = -1,
                                       .started_ns = FIXTURE_WALL - 5400 * FIXTURE_S};
        fixture_copy(m->group, group);
        fixture_copy(m->cause, cause);
        return m;
}

static void fixture_group(struct torc_snapshot *snap, const char *name, const char *stream, const char *command,
                          uint32_t access, uint32_t restart)
{
        struct torc_group_info *g = &snap->groups[snap->n_groups++];
        *g = (struct torc_group_info){.access = access, .restart = restart, .count = 2};
        fixture_copy(g->name, name);
        fixture_copy(g->stream, stream);
        fixture_copy(g->command, command);
}

static void fixture_groups(struct torc_snapshot *snap)
{
        fixture_group(snap, "exec", "proc.exec", "/usr/bin/procwatch --json", TORC_WAIT_FOR_EXCLUSIVE, 0);
        fixture_group(snap, "nobody", "", "/bin/true", TORC_SHARED, 2);
        fixture_group(snap, "telemetry", "cpu.load", "/usr/bin/telemetry --rate 20", TORC_SHARED, 1);
        fixture_member(snap, "exec", 0, TORC_MEMBER_RUNNING, 4104, "started");
        struct torc_member_info *m =
                fixture_member(snap, "exec", 1, TORC_MEMBER_DELAYED, 0, "was killed; back-off after 3 quick ends");
        m->due_ns = FIXTURE_WALL + 7400 * FIXTURE_S / 1000;
        m->restarts = 3;
        m->backoff_ms = 8000;
        m->last_status = 9;
        fixture_member(snap, "telemetry", 0, TORC_MEMBER_RUNNING, 4100, "started");
        m = fixture_member(snap, "telemetry", 1, TORC_MEMBER_QUARANTINED, 0, "10 restarts in 60 s");
        m->restarts = 10;
        m->last_status = 256;
        fixture_member(snap, "telemetry", 2, TORC_MEMBER_STOPPING, 4101, "operator asked for it");
}

static void fixture_events(struct torc_snapshot *snap)
{
        static const struct {
                uint32_t kind;
                const char *text;
        } events[] = {
                {TORC_EVENT_SUPERVISOR, "torcd started with /etc/torc/market.ini"},
                {TORC_EVENT_STARTED, "exec/0 started, pid 4104"},
                {TORC_EVENT_OWNER, "proc.exec: exec-1 owns it, epoch 7"},
                {TORC_EVENT_FENCED, "proc.exec: exec-0 was fenced by exec-1"},
                {TORC_EVENT_ENDED, "exec/1 ended: SIGKILL"},
                {TORC_EVENT_RESTART_PLANNED, "exec/1 starts again in 8 s"},
                {TORC_EVENT_QUARANTINED, "telemetry/1: 10 restarts in 60 s; 'torc ctl start telemetry' goes on"},
                {99, "an event of a later version"},
        };
        for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
                struct torc_event_info *e = &snap->events[snap->n_events++];
                *e = (struct torc_event_info){.sequence = 1000 + i,
                                              .kind = events[i].kind,
                                              .time_ns = FIXTURE_WALL - (int64_t)(60 - i) * FIXTURE_S};
                fixture_copy(e->text, events[i].text);
        }
}

static struct torc_snapshot *fixture_empty(unsigned step)
{
        struct torc_snapshot *snap = fixture_array(1, sizeof *snap);
        snap->monotonic_ns = (100 + step) * FIXTURE_S;
        snap->wall_ns = FIXTURE_WALL + step * FIXTURE_S;
        fixture_copy(snap->path, "/run/torc/market");
        fixture_copy(snap->bus, "market");
        snap->peers = fixture_array(16, sizeof *snap->peers);
        snap->streams = fixture_array(16, sizeof *snap->streams);
        snap->groups = fixture_array(16, sizeof *snap->groups);
        snap->members = fixture_array(16, sizeof *snap->members);
        snap->events = fixture_array(16, sizeof *snap->events);
        return snap;
}

static struct torc_snapshot *fixture_snapshot(unsigned step)
{
        struct torc_snapshot *snap = fixture_empty(step);
        snap->supervisor = (struct torc_supervisor_info){.known = true,
                                                         .alive = true,
                                                         .pid = 4711,
                                                         .started_ns = FIXTURE_WALL - 11520 * FIXTURE_S,
                                                         .updated_ns = snap->wall_ns};
        fixture_copy(snap->supervisor.config, "/etc/torc/market.ini");
        fixture_streams(snap, step);
        fixture_peers(snap);
        fixture_groups(snap);
        fixture_events(snap);
        return snap;
}

#endif
