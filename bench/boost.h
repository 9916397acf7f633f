/*
 * boost.h - boost's message queue for C: boost.cc has the calls, boost_queue.c the transport.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_BOOST_H
#define BENCH_BOOST_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct boost_queue;

/* All return 0 or -errno; -EAGAIN: full or empty, and not to block. */
int boost_queue_open(struct boost_queue **queue, const char *name, size_t messages, size_t size);
void boost_queue_close(struct boost_queue *queue);
void boost_queue_remove(const char *name);
int boost_queue_send(struct boost_queue *queue, const void *data, size_t size, int block);
int boost_queue_receive(struct boost_queue *queue, void *data, size_t cap, size_t *size, int block);

#ifdef __cplusplus
}
#endif

#endif
