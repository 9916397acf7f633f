/*
 * log.c - torcd's own messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE 1024
_Static_assert(LOG_LINE <= PIPE_BUF, "a pipe that is writable takes a line without blocking");

static unsigned long log_lost;

static size_t log_clip(int n, size_t cap)
{
        return n < 0 ? 0 : (size_t)n < cap ? (size_t)n : cap - 1;
}

static void log_line(const char *level, const char *format, va_list args)
{
        char line[LOG_LINE];
        struct timespec now;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &now);
        localtime_r(&now.tv_sec, &tm);
        size_t n = strftime(line, sizeof line, "%Y-%m-%d %H:%M:%S", &tm);
        n += log_clip(snprintf(line + n, sizeof line - n, ".%03ld torcd: %s", now.tv_nsec / 1000000, level),
                      sizeof line - n);
        if (log_lost)
                n += log_clip(snprintf(line + n, sizeof line - n, "(%lu lines dropped) ", log_lost),
                              sizeof line - n);
        n += log_clip(vsnprintf(line + n, sizeof line - n - 1, format, args), sizeof line - n - 1);
        for (size_t i = 0; i < n; i++)
                if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
                        line[i] = '?'; /* names and commands of others */
        line[n++] = '\n';
        /* The description is shared with others, so it is not ours to make non-blocking: ask before. */
        struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
        if (poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) && write(STDERR_FILENO, line, n) == (ssize_t)n)
                log_lost = 0;
        else
                log_lost++;
}

void log_info(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        log_line("", format, args);
        va_end(args);
}

void log_warn(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        log_line("warning: ", format, args);
        va_end(args);
}

void fatal(const char *format, ...)
{
        va_list args;
        va_start(args, format);
        log_line("error: ", format, args);
        va_end(args);
        exit(1);
}
