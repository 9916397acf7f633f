/*
 * handle.c - the process's list of handles; handle.h tells what for.
 */
#include "handle.h"

#include "torc.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static pthread_mutex_t handle_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t handle_once = PTHREAD_ONCE_INIT;
static struct handle *handle_first;
static int handle_atfork_error;

static void handle_before_fork(void)
{
        pthread_mutex_lock(&handle_mutex);
}

static void handle_after_fork_parent(void)
{
        pthread_mutex_unlock(&handle_mutex);
}

static void handle_after_fork_child(void)
{
        for (struct handle *h = handle_first; h; h = h->next) {
                atomic_store_explicit(&h->dead, TORC_EFORKED, memory_order_relaxed);
                handle_close_fds(h);
        }
        pthread_mutex_unlock(&handle_mutex);
}

static void handle_hook_fork(void)
{
        handle_atfork_error = pthread_atfork(handle_before_fork, handle_after_fork_parent, handle_after_fork_child);
}

void handle_init(struct handle *h, struct torc_bus *bus, void (*detach)(struct handle *))
{
        *h = (struct handle){.bus = bus, .detach = detach, .fd = {-1, -1, -1, -1, -1}};
}

/* Enter a handle into the list. Call it before the handle's descriptors hold a lock. Returns 0 or -ENOMEM. */
int handle_add(struct handle *h)
{
        pthread_once(&handle_once, handle_hook_fork);
        if (handle_atfork_error)
                return -handle_atfork_error;
        pthread_mutex_lock(&handle_mutex);
        h->prev = NULL;
        h->next = handle_first;
        if (handle_first)
                handle_first->prev = h;
        handle_first = h;
        pthread_mutex_unlock(&handle_mutex);
        return 0;
}

void handle_remove(struct handle *h)
{
        pthread_mutex_lock(&handle_mutex);
        if (h->prev)
                h->prev->next = h->next;
        else if (handle_first == h)
                handle_first = h->next;
        if (h->next)
                h->next->prev = h->prev;
        handle_close_fds(h);
        pthread_mutex_unlock(&handle_mutex);
}

/* Between these two no thread forks. A descriptor that is to hold a lock is opened and entered in its handle in there: a
 * child forked between the two would inherit it, not know it, and keep the lock when its parent dies. */
void handle_hold_forks(void)
{
        pthread_mutex_lock(&handle_mutex);
}

void handle_let_forks(void)
{
        pthread_mutex_unlock(&handle_mutex);
}

void handle_close_fds(struct handle *h)
{
        for (int i = 0; i < HANDLE_FDS; i++) {
                if (h->fd[i] >= 0)
                        close(h->fd[i]);
                h->fd[i] = -1;
        }
}

/* The bus goes: detach every handle on it. They stay in the list until they are closed. */
void handle_detach_all(struct torc_bus *bus)
{
        for (;;) {
                pthread_mutex_lock(&handle_mutex);
                struct handle *h = handle_first;
                while (h && h->bus != bus)
                        h = h->next;
                pthread_mutex_unlock(&handle_mutex);
                if (!h)
                        return;
                /* Outside the mutex: detaching takes file locks. No other thread is inside calls on these handles. */
                h->detach(h);
                h->bus = NULL;
                int none = 0;
                atomic_compare_exchange_strong_explicit(&h->dead, &none, TORC_EDETACHED, memory_order_relaxed,
                                                        memory_order_relaxed);
        }
}

/* Was the wait cancelled? Consumes the request. */
int handle_take_cancel(struct handle *h)
{
        return atomic_exchange_explicit(&h->canceled, 0, memory_order_relaxed) ? TORC_ECANCELED : 0;
}

/* The result of a sleep: a signal handler that ended it may have been there to cancel the wait. */
int handle_interrupted(struct handle *h, int rc)
{
        return rc == -EINTR && handle_take_cancel(h) ? TORC_ECANCELED : rc;
}
