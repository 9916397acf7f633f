/*
 * telemetry.c - a member of a shared group of three that publishes this machine's own figures, 20 times a second.
 *
 * All three run this program; TORC_MEMBER tells each which part it publishes: 0 the processors, 1 the memory, 2 the
 * disks and the network. Figures are rates since the last message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "member.h"

#define PERIOD_MS 50
#define LINE      1900
#define MAX_CORES 64

/* ---- processors: /proc/stat ---- */

struct core {
        unsigned long long busy, total;
};

/* The first numbers of a "cpu" line: user nice system idle iowait irq softirq steal. */
static struct core cpu_read(const char *numbers)
{
        unsigned long long v[8] = {0};
        struct core core = {0};

        sscanf(numbers, "%llu %llu %llu %llu %llu %llu %llu %llu", v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6,
               v + 7);
        for (int i = 0; i < 8; i++)
                core.total += v[i];
        core.busy = core.total - v[3] - v[4];
        return core;
}

static void cpu(char *text)
{
        static struct core last[MAX_CORES + 1];
        FILE *f = fopen("/proc/stat", "r");
        char line[512], name[16];
        int used;

        member_add(text, LINE, "kind=cpu");
        for (int i = 0; f && i <= MAX_CORES && fgets(line, sizeof line, f); i++) {
                struct core now;
                double total;

                if (sscanf(line, "%15s%n", name, &used) != 1 || strncmp(name, "cpu", 3) != 0)
                        break;
                now = cpu_read(line + used);
                total = (double)(now.total - last[i].total);
                member_add(text, LINE, " %s=%.1f", name,
                           total > 0 ? 100 * (double)(now.busy - last[i].busy) / total : 0);
                last[i] = now;
        }
        if (f)
                fclose(f);
}

/* ---- memory: /proc/meminfo ---- */

static void memory(char *text)
{
        unsigned long long kib, total = 0, available = 0, swap = 0, swap_free = 0;
        FILE *f = fopen("/proc/meminfo", "r");
        char name[64];

        while (f && fscanf(f, "%63[^:]: %llu%*[^\n]\n", name, &kib) == 2) {
                total = strcmp(name, "MemTotal") ? total : kib;
                available = strcmp(name, "MemAvailable") ? available : kib;
                swap = strcmp(name, "SwapTotal") ? swap : kib;
                swap_free = strcmp(name, "SwapFree") ? swap_free : kib;
        }
        if (f)
                fclose(f);
        member_add(text, LINE, "kind=memory memory=%.1f total_mib=%llu available_mib=%llu swap_used_mib=%llu",
                   total ? 100 * (double)(total - available) / (double)total : 0, total >> 10, available >> 10,
                   (swap - swap_free) >> 10);
}

/* ---- disks and network: /proc/diskstats, /proc/net/dev ---- */

/* Bytes read and written by whole disks: a partition's sectors count for its disk already. */
static void disk_totals(unsigned long long bytes[2])
{
        FILE *f = fopen("/proc/diskstats", "r");
        unsigned long long in, out;
        char line[512], name[64], path[96];

        bytes[0] = bytes[1] = 0;
        while (f && fgets(line, sizeof line, f)) {
                if (sscanf(line, "%*u %*u %63s %*u %*u %llu %*u %*u %*u %llu", name, &in, &out) != 3)
                        continue;
                snprintf(path, sizeof path, "/sys/block/%s", name);
                if (strncmp(name, "loop", 4) == 0 || access(path, F_OK) != 0)
                        continue;
                bytes[0] += in * 512;
                bytes[1] += out * 512;
        }
        if (f)
                fclose(f);
}

static void net_totals(unsigned long long bytes[2])
{
        FILE *f = fopen("/proc/net/dev", "r");
        unsigned long long in, out;
        char line[512], name[64];

        bytes[0] = bytes[1] = 0;
        while (f && fgets(line, sizeof line, f)) {
                if (sscanf(line, " %63[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &in, &out) != 3 ||
                    strcmp(name, "lo") == 0)
                        continue;
                bytes[0] += in;
                bytes[1] += out;
        }
        if (f)
                fclose(f);
}

static void disk_and_net(char *text)
{
        static unsigned long long last[4];
        static bool begun;
        unsigned long long now[4], rate[4];

        disk_totals(now);
        net_totals(now + 2);
        for (int i = 0; i < 4; i++)
                rate[i] = begun && now[i] >= last[i] ? (now[i] - last[i]) * 1000 / PERIOD_MS : 0;
        memcpy(last, now, sizeof last);
        begun = true;
        member_add(text, LINE, "kind=io disk_read=%llu disk_write=%llu net_in=%llu net_out=%llu", rate[0], rate[1],
                   rate[2], rate[3]);
}

int main(void)
{
        static void (*const parts[])(char *) = {cpu, memory, disk_and_net};
        const char *index = getenv("TORC_MEMBER");
        void (*part)(char *) = parts[index ? strtoul(index, NULL, 10) % 3 : 0];
        struct timespec next = {0};
        struct member m;
        int ret = member_open(&m, "telemetry", TORC_SHARED);

        if (ret)
                return ret;
        while (ret == 0 && member_tick(&next, PERIOD_MS)) {
                char text[LINE] = "";

                part(text);
                ret = member_send(&m, text);
        }
        return member_close(&m, ret);
}
