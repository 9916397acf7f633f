/*
 * handle.h - what all handles share: a place in the process's list of handles, and the reason why a handle is dead.
 *
 * The list exists for fork() and for closing a bus. In a forked child every handle becomes TORC_EFORKED and its
 * descriptors are closed, so that the child does not keep the parent's locks alive.
 */
#ifndef TORC_HANDLE_H
#define TORC_HANDLE_H

#include <stdatomic.h>

struct torc_bus;

#define HANDLE_FDS 5
struct handle {
        struct handle *prev, *next;
        _Atomic int dead;     /* 0, or what every call returns */
        _Atomic int canceled; /* 1: the next blocking call returns TORC_ECANCELED */
        struct torc_bus *bus; /* the bus it is attached to; NULL for a bus itself and after the bus was closed */
        void (*detach)(struct handle *handle); /* give back what it holds in shared memory */
        int fd[HANDLE_FDS];   /* -1: none. Owned; closed by handle_remove() and in a forked child */
};

void handle_init(struct handle *h, struct torc_bus *bus, void (*detach)(struct handle *));
int handle_add(struct handle *h);
void handle_remove(struct handle *h);
void handle_close_fds(struct handle *h);
void handle_hold_forks(void);
void handle_let_forks(void);
void handle_detach_all(struct torc_bus *bus);

/* The check every call begins with: one load. */
static inline int handle_dead(const struct handle *h)
{
        /* relaxed: set by this thread's own close of the bus, or in a child where only this thread lives. */
        return atomic_load_explicit(&h->dead, memory_order_relaxed);
}

int handle_take_cancel(struct handle *h);
int handle_interrupted(struct handle *h, int rc);

#endif
