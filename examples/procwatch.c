/*
 * procwatch.c - publishes which processes of this machine start and end, found by looking at /proc ten times a
 * second.
 *
 * One publishes, the others stand by: each opens the stream with wait_for_exclusive access and looks at /proc all
 * the same while it waits, so that it can go on at once when the owner dies. Who takes over says so first, with
 * "event=owner"; the epoch in each message's id tells the owners apart.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>

#include "member.h"

#define PERIOD_MS     100
#define MAX_PROCESSES 65536

struct process {
        int pid;
        unsigned long long start; /* a pid is used again, a pid and its start time are not */
        char name[64];
};

struct table {
        struct process *rows; /* sorted by pid */
        size_t n;
};

/* Fills in one process; false if it is gone. Blanks in a name would break the line of key=value. */
static bool process_read(int pid, struct process *p)
{
        char path[64], line[1024] = "", *open, *close;
        FILE *f;

        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        f = fopen(path, "r");
        if (!f)
                return false;
        if (!fgets(line, sizeof line, f))
                line[0] = 0;
        fclose(f);
        open = strchr(line, '(');
        close = strrchr(line, ')');
        if (!open || !close)
                return false;
        *close = 0;
        p->pid = pid;
        snprintf(p->name, sizeof p->name, "%.63s", open + 1);
        for (char *s = p->name; *s; s++)
                if (*s <= ' ' || *s == '=' || *s == 0x7f)
                        *s = '_';
        return sscanf(close + 1,
                      " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                      &p->start) == 1;
}

static int process_order(const void *a, const void *b)
{
        const struct process *x = a, *y = b;

        return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static void table_scan(struct table *t)
{
        DIR *dir = opendir("/proc");
        struct dirent *entry;

        t->n = 0;
        while (dir && t->n < MAX_PROCESSES && (entry = readdir(dir))) {
                int pid = (int)strtol(entry->d_name, NULL, 10);

                if (pid > 0 && process_read(pid, &t->rows[t->n]))
                        t->n++;
        }
        if (dir)
                closedir(dir);
        qsort(t->rows, t->n, sizeof *t->rows, process_order);
}

static int publish(struct member *m, const char *event, const struct process *p)
{
        char text[256];

        snprintf(text, sizeof text, "kind=process event=%s process=%d name=%s", event, p->pid, p->name);
        return member_send(m, text);
}

/* How many there are, at each look: that nothing happened is news too, and a silent owner shows at once. */
static int publish_count(struct member *m, const struct table *t)
{
        char text[128];

        snprintf(text, sizeof text, "kind=process event=count processes=%zu", t->n);
        return member_send(m, text);
}

/* Walk both sorted tables: who is only in the old one has ended, who is only in the new one has started. */
static int publish_changes(struct member *m, const struct table *old, const struct table *new)
{
        size_t i = 0, k = 0;
        int ret = 0;

        while (ret == 0 && (i < old->n || k < new->n)) {
                const struct process *was = i < old->n ? &old->rows[i] : NULL,
                                     *is = k < new->n ? &new->rows[k] : NULL;

                if (was && is && was->pid == is->pid && was->start == is->start) {
                        i++;
                        k++;
                } else if (was && (!is || was->pid <= is->pid)) {
                        ret = publish(m, "exit", was);
                        i++;
                } else {
                        ret = publish(m, "start", is);
                        k++;
                }
        }
        return ret;
}

static int publish_owner(struct member *m, const struct table *t)
{
        struct torc_producer_status status;
        char text[128];
        int ret = torc_producer_status(m->producer, &status);

        if (ret)
                return ret;
        snprintf(text, sizeof text, "kind=process event=owner epoch=%u processes=%zu", status.epoch, t->n);
        return member_send(m, text);
}

/* Stand by with a fresh view until the stream is ours. */
static int wait_for_turn(struct member *m, struct table *t)
{
        int ret;

        do {
                table_scan(t);
                ret = torc_producer_await(m->producer, PERIOD_MS);
        } while (ret == -ETIMEDOUT && !member_stopping);
        return member_stopping ? TORC_ECANCELED : ret;
}

int main(void)
{
        struct table old = {.rows = calloc(MAX_PROCESSES, sizeof(struct process))};
        struct table new = {.rows = calloc(MAX_PROCESSES, sizeof(struct process))};
        struct timespec next = {0};
        struct member m;
        int ret;

        if (!old.rows || !new.rows) {
                perror("procwatch");
                return 1;
        }
        ret = member_open(&m, "processes", TORC_WAIT_FOR_EXCLUSIVE);
        if (ret)
                return ret;
        ret = wait_for_turn(&m, &old);
        if (ret == 0)
                ret = publish_owner(&m, &old);
        while (ret == 0 && member_tick(&next, PERIOD_MS)) {
                struct table swap = old;

                table_scan(&new);
                ret = publish_changes(&m, &old, &new);
                if (ret == 0)
                        ret = publish_count(&m, &new);
                old = new;
                new = swap;
        }
        free(old.rows);
        free(new.rows);
        return member_close(&m, ret);
}
