/*
 * targets.c - what was aimed at, and what was measured.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cases.h"

#include <stdio.h>
#include <string.h>

enum form {
        AT_MOST,  /* what / against <= bound */
        AT_LEAST, /* what / against >= bound */
        PER_DELIVERY, /* cost of a delivered message, what against against, <= bound */
};

static const struct target {
        const char *text, *what, *against;
        enum form form;
        double near, far; /* 0: no bound there: the ratio is told all the same */
} targets[] = {
        {"round trip 32 B, spinning / bare cache line", "rt32.torc", "rt32.line", AT_MOST, 1.20, 1.15},
        {"round trip 1 KiB, spinning / bare cache lines", "rt1k.torc", "rt1k.line", AT_MOST, 1.25, 1.25},
        {"stream 32 B, send + recv / slot ring", "s32.torc", "s32.ring", AT_LEAST, 0.8, 0.8},
        {"stream 32 B, claim + view / slot ring", "s32.torc.inplace", "s32.ring", AT_LEAST, 0.8, 0.8},
        {"stream 32 B, batch 64 + poll / slot ring", "s32.torc.batch64", "s32.ring", AT_LEAST, 0.8, 0.8},
        {"stream 32 B, 2 -> 1 / 1 -> 1", "many.torc.2x1", "many.torc.1x1", AT_LEAST, 0.6, 0.6},
        {"stream 32 B, 4 -> 1 / 1 -> 1", "many.torc.4x1", "many.torc.1x1", AT_LEAST, 0.6, 0.6},
        {"stream 64 KiB, claim + view / slot ring", "s64k.torc.inplace", "s64k.ring.inplace", AT_LEAST, 0.95, 0.95},
        {"hop of 1 MiB in place / hop of 64 B", "hop.1m", "hop.64", AT_MOST, 1.2, 1.2},
        {"fan-out 1 -> 8, cost per delivery / 1 -> 1", "many.torc.1x8", "many.torc.1x1", PER_DELIVERY, 1, 1},
        {"fan-out 1 -> 64, cost per delivery / 1 -> 8", "many.torc.1x64", "many.torc.1x8", PER_DELIVERY, 1, 1},
        {"round trip asleep / bare futex", "asleep.torc", "asleep.futex", AT_MOST, 1.15, 1.15},
};

enum verdict { MISSED, MET, UNMEASURED, DISTURBED };

static void line(const char *text, const char *where, const char *measured, const char *bound, enum verdict verdict)
{
        static const char *const words[] = {[MISSED] = "MISSED",
                                            [MET] = "met",
                                            [UNMEASURED] = "not measured",
                                            [DISTURBED] = "no verdict: something else ran on our CPUs"};

        printf("  %-48s %-9s %9s   %-10s %s\n", text, where, measured, bound, words[verdict]);
}

static double ratio(const struct target *t, const struct bench_case *what, const struct bench_case *against,
                    enum place place)
{
        double a = case_figure(what, place).median, b = case_figure(against, place).median;

        if (a <= 0 || b <= 0)
                return 0;
        return t->form == PER_DELIVERY ? b * against->plan.consumers / (a * what->plan.consumers) : a / b;
}

static void one_target(const struct cases *cases, const struct target *t)
{
        const struct bench_case *what = cases_find(cases, t->what), *against = cases_find(cases, t->against);
        bool any = false;

        for (enum place place = 0; what && against && place < PLACE_COUNT; place++) {
                double value = ratio(t, what, against, place), bound = place == PLACE_FAR ? t->far : t->near;
                char measured[32], text[32];

                if (value <= 0)
                        continue;
                any = true;
                bool disturbed = case_figure(what, place).disturbed || case_figure(against, place).disturbed;
                snprintf(measured, sizeof(measured), "%.2f", value);
                snprintf(text, sizeof(text), "%s %.2f", t->form == AT_LEAST ? ">=" : "<=", bound);
                bool met = t->form == AT_LEAST ? value >= bound : value <= bound;
                line(t->text, place_name(place), measured, text, disturbed ? DISTURBED : met ? MET : MISSED);
        }
        if (!any)
                line(t->text, "", "-", "", UNMEASURED);
}

/* The best of the other queues, whatever its capacity, against torc at each of its own. */
static void against_peers(const struct cases *cases)
{
        static const char *const peers[] = {"s32.pipe", "s32.seqpacket", "s32.mq", "s32.boost", "s32.zmq", "s32.nng"};
        static const char *const ours[] = {"cap.torc.64", "cap.torc.1024", "cap.torc.65536", "s32.torc"};
        bool any = false;

        for (enum place place = 0; place < PLACE_COUNT; place++) {
                double best = 0, least = 0;
                bool disturbed = false;

                for (unsigned i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
                        const struct bench_case *c = cases_find(cases, peers[i]);
                        struct figure f = c ? case_figure(c, place) : (struct figure){0};

                        disturbed |= f.disturbed > 0;
                        best = f.median > best ? f.median : best;
                }
                for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
                        const struct bench_case *c = cases_find(cases, ours[i]);
                        struct figure f = c ? case_figure(c, place) : (struct figure){0};

                        disturbed |= f.disturbed > 0;
                        if (f.n > 0 && (least <= 0 || f.median < least))
                                least = f.median;
                }
                if (best <= 0 || least <= 0)
                        continue;
                char measured[32];

                any = true;
                snprintf(measured, sizeof(measured), "%.2f", least / best);
                line("stream 32 B, slowest capacity / best other queue", place_name(place), measured, ">= 1.00",
                     disturbed ? DISTURBED : least >= best ? MET : MISSED);
        }
        if (!any)
                line("stream 32 B, slowest capacity / best other queue", "", "-", "", UNMEASURED);
}

static void growth_targets(const struct growth *g)
{
        const double most = g->attach_producer_us.median > g->attach_consumer_us.median ? g->attach_producer_us.median
                                                                                         : g->attach_consumer_us.median;
        char text[48];

        if (g->error)
                return;
        snprintf(text, sizeof(text), "%.0f us", most);
        line("attach a producer or consumer to a stream", "", text, "<= 300 us", most <= 300);
        if (g->streams[2].error)
                return;
        snprintf(text, sizeof(text), "%.2f s", g->streams[2].open_ms / 1e3);
        line("make and open 1000 streams", "", text, "<= 1 s", g->streams[2].open_ms <= 1000);
        snprintf(text, sizeof(text), "%.0f KiB", g->streams[2].bytes_over_ring / 1024);
        line("memory of each beside its ring", "", text, "<= 512 KiB", g->streams[2].bytes_over_ring <= 512 * 1024);
}

/* Lines "NAME NUMBER" of bench/instructions.txt, counted by instructions.sh. */
static void counted_targets(const char *path)
{
        static const struct {
                const char *name, *text;
                double bound;
        } counted[] = {{"batch1", "instructions, send + recv, 32 B", 120},
                       {"batch64", "instructions a message, batch of 64, 32 B", 50}};
        char name[32], text[32];
        double value;
        FILE *file = path ? fopen(path, "re") : NULL;

        if (!file)
                return;
        char buf[256];
        while (fgets(buf, sizeof(buf), file)) {
                if (sscanf(buf, "%31s %lf", name, &value) != 2)
                        continue;
                for (unsigned i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
                        if (strcmp(name, counted[i].name) != 0)
                                continue;
                        char bound[32];

                        snprintf(text, sizeof(text), "%.1f", value);
                        snprintf(bound, sizeof(bound), "<= %.0f", counted[i].bound);
                        line(counted[i].text, "counted", text, bound, value <= counted[i].bound);
                }
        }
        fclose(file);
}

void report_targets(const struct cases *cases, const struct growth *growth, const struct facts *facts)
{
        printf("\ntargets: ratios of medians of this run\n");
        printf("  %-48s %-9s %9s   %-10s\n", "", "", "measured", "target");
        for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
                one_target(cases, &targets[i]);
        against_peers(cases);
        growth_targets(growth);
        counted_targets(facts->instructions);
}
