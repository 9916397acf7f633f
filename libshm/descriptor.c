/*
 * descriptor.c - a consumer's pollable descriptor: an epoll descriptor over a FIFO and a timer.
 *
 * The FIFO lies in the stream's directory as poll.<slot>; whoever commits while it is armed writes a byte into it. The timer
 * stands in for a waker that died between commit and byte. A read that finds nothing arms it, looks again, and only then
 * says so: what comes later writes a byte.
 */
#include "consumer.h"

#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONSUMER_POLL_SLICE_MS 100 /* armed, it wakes by itself this often */

static int consumer_make_fifo(struct torc_consumer *c)
{
        char name[STREAM_FILE_MAX];
        int dir = c->handle.fd[STREAM_FD_DIR];
        snprintf(name, sizeof name, "poll.%" PRIu32, c->slot);
        unlinkat(dir, name, 0); /* of a dead holder of the slot */
        FAULT(consumer_fifo_unlink);
        if (mkfifoat(dir, name, 0600))
                return -errno;
        FAULT(consumer_fifo_made);
        /* Producers write to it, and open it for reading besides (stream_wake_pollers). It is ours, not the stream's owner's,
         * so the stream's mode would shut the owner out: the directory tells who may come so far. */
        if (fchmodat(dir, name, 0666, 0))
                return -errno;
        FAULT(consumer_fifo_chmod);
        /* Both ends, so that it never reads as closed. */
        int fd = openat(dir, name, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        return fd < 0 ? -errno : fd;
}

static int consumer_make_poll(struct torc_consumer *c)
{
        int *fd = c->handle.fd;
        struct epoll_event in = {.events = EPOLLIN};
        if ((fd[CONSUMER_FD_FIFO] = consumer_make_fifo(c)) < 0)
                return fd[CONSUMER_FD_FIFO];
        if ((fd[CONSUMER_FD_TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) < 0)
                return -errno;
        int ep = epoll_create1(EPOLL_CLOEXEC);
        if (ep < 0)
                return -errno;
        if (epoll_ctl(ep, EPOLL_CTL_ADD, fd[CONSUMER_FD_FIFO], &in) ||
            epoll_ctl(ep, EPOLL_CTL_ADD, fd[CONSUMER_FD_TIMER], &in)) {
                int rc = -errno;
                close(ep);
                return rc;
        }
        fd[CONSUMER_FD_POLL] = ep;
        return 0;
}

/* Let the pollable descriptor, if there is one, call for a look. */
void consumer_make_readable(struct torc_consumer *c)
{
        if (c->handle.fd[CONSUMER_FD_FIFO] < 0)
                return;
        ssize_t n = write(c->handle.fd[CONSUMER_FD_FIFO], "", 1);
        FAULT(consumer_fifo_byte);
        (void)n; /* full: readable already */
}

int torc_consumer_fd(struct torc_consumer *c)
{
        int rc = handle_dead(&c->handle);
        if (rc)
                return rc;
        if (c->handle.fd[CONSUMER_FD_POLL] < 0) {
                rc = consumer_make_poll(c);
                if (rc) {
                        for (int i = CONSUMER_FD_FIFO; i <= CONSUMER_FD_TIMER; i++) {
                                if (c->handle.fd[i] >= 0)
                                        close(c->handle.fd[i]);
                                c->handle.fd[i] = -1;
                        }
                        return rc;
                }
                c->idle_position = CONSUMER_NOWHERE; /* the next miss is a whole look, and arms it */
                consumer_make_readable(c); /* the first look is the caller's */
        }
        return c->handle.fd[CONSUMER_FD_POLL];
}

/* Nothing was ready: take old news off the descriptor and ask for new. Returns -EAGAIN (armed), or 0: look again. */
int consumer_arm(struct torc_consumer *c)
{
        char bytes[64];
        uint64_t ticks;
        bool stuck;
        while (read(c->handle.fd[CONSUMER_FD_FIFO], bytes, sizeof bytes) > 0)
                continue;
        ssize_t n = read(c->handle.fd[CONSUMER_FD_TIMER], &ticks, sizeof ticks);
        (void)n;
        /* relaxed: ordered by the announcement's fence. */
        atomic_store_explicit(&c->record->armed, 1, memory_order_relaxed);
        FAULT(consumer_armed);
        wait_announce(&c->stream.ctl->data, ABI_WAIT_POLL);
        if (consumer_news(c, &stuck)) {
                consumer_make_readable(c); /* what called for a look is gone, and its reader may stop before -EAGAIN */
                return 0;
        }
        struct itimerspec slice = {.it_value = {.tv_nsec = stuck ? WAIT_HOLE_NS : CONSUMER_POLL_SLICE_MS * 1000000}};
        timerfd_settime(c->handle.fd[CONSUMER_FD_TIMER], 0, &slice, NULL);
        return -EAGAIN;
}
