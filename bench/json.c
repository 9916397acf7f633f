/*
 * json.c - everything a run found, one case to a line, so that a plot needs no JSON parser.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "torc.h"

/* All our strings are plain, but for the CPU's name. */
static void put_string(FILE *out, const char *text)
{
        putc('"', out);
        for (; *text; text++)
                if (*text == '"' || *text == '\\')
                        fprintf(out, "\\%c", *text);
                else if ((unsigned char)*text >= ' ')
                        putc(*text, out);
        putc('"', out);
}

static void cpu_model(char *text, size_t cap)
{
        FILE *file = fopen("/proc/cpuinfo", "re");
        char line[256];

        snprintf(text, cap, "unknown");
        while (file && fgets(line, sizeof(line), file)) {
                char *colon = strchr(line, ':');

                if (strncmp(line, "model name", 10) == 0 && colon) {
                        snprintf(text, cap, "%s", colon + 1 + strspn(colon + 1, " "));
                        text[strcspn(text, "\n")] = '\0';
                        break;
                }
        }
        if (file)
                fclose(file);
}

static void put_head(FILE *out, const struct facts *f)
{
        struct utsname system;
        char model[128];

        cpu_model(model, sizeof(model));
        uname(&system);
        fprintf(out, "{\"version\":\"%s\",\"started\":\"%s\",\"cpu\":", TORC_VERSION, f->started);
        put_string(out, model);
        fprintf(out, ",\"linux\":");
        put_string(out, system.release);
        fprintf(out, ",\"cpus\":%u,\"pair\":[%d,%d],\"rounds\":%u,\"sample_ms\":%lld,\"load_before\":%.2f,"
                     "\"load_after\":%.2f,\"seconds\":%.1f,\"near_below_ns\":%.0f,\"interrupted\":%s,\n",
                f->machine.n_cpus, f->machine.cpu[0], f->machine.cpu[f->machine.n_cpus > 1], f->rounds,
                (long long)(f->sample_ns / 1000000), f->load_before, f->load_after, f->seconds, f->machine.near_below_ns,
                f->interrupted ? "true" : "false");
}

static void put_sample(FILE *out, const struct sample *s, enum work work)
{
        fprintf(out, "{\"place\":\"%s\",\"value\":%.1f,\"probe_ns\":[%.0f,%.0f],\"waited\":%.4f,\"disturbed\":%s,"
                     "\"messages\":%llu,\"wrong\":%llu",
                place_name(s->place), s->value, s->probe_ns[0], s->probe_ns[1], s->waited,
                s->disturbed ? "true" : "false", (unsigned long long)s->messages, (unsigned long long)s->bad);
        if (work == WORK_ROUND_TRIP)
                fprintf(out, ",\"trips\":%llu,\"p50\":%.0f,\"p99\":%.0f,\"p999\":%.0f,\"p9999\":%.0f,\"max\":%.0f,"
                             "\"plain_p50\":%.0f,\"plain_p999\":%.0f",
                        (unsigned long long)s->plain.count, s->latency.p50, s->latency.p99, s->latency.p999,
                        s->latency.p9999, s->latency.max, s->plain.p50, s->plain.p999);
        else
                fprintf(out, ",\"slice_min\":%.0f,\"slice_max\":%.0f", s->slice_min, s->slice_max);
        putc('}', out);
}

static void put_case(FILE *out, const struct cases *cases, const struct bench_case *c)
{
        static const char *const waits[] = {[WAIT_SPIN] = "spin", [WAIT_YIELD] = "yield", [WAIT_BLOCK] = "block"};
        static const char *const styles[] = {[BYTES_COPY] = "copy", [BYTES_IN_PLACE] = "in place", [BYTES_FIRST] = "first"};
        const struct plan *p = &c->plan;

        fprintf(out, "{\"id\":\"%s\",\"group\":\"%s\",\"unit\":\"%s\",\"label\":", c->id, cases->groups[c->group].id,
                p->work == WORK_ROUND_TRIP ? "ns" : "messages/s");
        put_string(out, c->label);
        fprintf(out, ",\"size\":%zu,\"producers\":%u,\"consumers\":%u,\"capacity\":%llu,\"batch\":%u,\"wait\":\"%s\","
                     "\"bytes\":\"%s\"",
                p->size, p->producers, p->consumers, (unsigned long long)p->capacity, p->batch, waits[p->wait],
                styles[p->bytes]);
        for (enum place place = 0; place < PLACE_COUNT; place++) {
                struct figure f = case_figure(c, place);

                if (f.n)
                        fprintf(out, ",\"%s\":{\"n\":%u,\"disturbed\":%u,\"median\":%.1f,\"min\":%.1f,\"max\":%.1f}",
                                place_name(place), f.n, f.disturbed, f.median, f.min, f.max);
        }
        fprintf(out, ",\"dropped\":%u,\"failed\":%u,\"samples\":[", c->n_moved, c->n_failed);
        for (unsigned i = 0; i < c->n_samples; i++) {
                if (i)
                        putc(',', out);
                put_sample(out, &c->sample[i], p->work);
        }
        fprintf(out, "]}");
}

static void put_growth(FILE *out, const struct growth *g)
{
        fprintf(out, "\"growth\":{\"attach_producer_us\":%.1f,\"attach_consumer_us\":%.1f,\"idle_wakeups_per_s\":%.2f,"
                     "\"idle_cpu_us_per_s\":%.1f,\"streams\":[",
                g->attach_producer_us.median, g->attach_consumer_us.median, g->idle_wakeups, g->idle_cpu_us);
        for (unsigned i = 0; i < 3; i++)
                fprintf(out, "%s{\"n\":%u,\"open_ms\":%.2f,\"bytes_over_ring\":%.0f}", i ? "," : "", g->streams[i].n,
                        g->streams[i].open_ms, g->streams[i].bytes_over_ring);
        fprintf(out, "],\"consumers\":[");
        for (unsigned i = 0; i < 3; i++)
                fprintf(out, "%s{\"n\":%u,\"attach_us\":%.1f}", i ? "," : "", g->consumers[i].n,
                        g->consumers[i].attach_us);
        fprintf(out, "]},\n");
}

int report_json(const char *path, const struct cases *cases, const struct growth *growth, const struct facts *facts)
{
        FILE *out = fopen(path, "we");
        bool first = true;

        if (!out) {
                fprintf(stderr, "torc-bench: %s: %s\n", path, strerror(errno));
                return 1;
        }
        put_head(out, facts);
        if (!growth->error)
                put_growth(out, growth);
        fprintf(out, "\"cases\":[\n");
        for (unsigned i = 0; i < cases->n_cases; i++) {
                if (cases->cases[i].n_samples == 0)
                        continue;
                if (!first)
                        fprintf(out, ",\n");
                first = false;
                put_case(out, cases, &cases->cases[i]);
        }
        fprintf(out, "\n]}\n");
        bool failed = ferror(out) != 0;
        if (fclose(out) != 0 || failed) {
                fprintf(stderr, "torc-bench: %s: could not be written\n", path);
                return 1;
        }
        return 0;
}
