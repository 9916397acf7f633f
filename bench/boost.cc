/*
 * boost.cc - boost::interprocess::message_queue. It is only a pair of C functions to the rest: boost.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "boost.h"

#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <cerrno>
#include <new>

namespace ipc = boost::interprocess;

struct boost_queue {
        ipc::message_queue queue;
        boost_queue(const char *name, size_t n, size_t size)
            : queue(ipc::open_or_create, name, n, size, ipc::permissions(0600))
        {
        }
};

int boost_queue_open(struct boost_queue **queue, const char *name, size_t messages, size_t size)
{
        try {
                *queue = new boost_queue(name, messages, size);
                return 0;
        } catch (const ipc::interprocess_exception &e) {
                return e.get_native_error() ? -e.get_native_error() : -EIO;
        } catch (const std::bad_alloc &) {
                return -ENOMEM;
        }
}

void boost_queue_close(struct boost_queue *queue)
{
        delete queue;
}

void boost_queue_remove(const char *name)
{
        ipc::message_queue::remove(name);
}

int boost_queue_send(struct boost_queue *queue, const void *data, size_t size, int block)
{
        try {
                if (!block)
                        return queue->queue.try_send(data, size, 0) ? 0 : -EAGAIN;
                queue->queue.send(data, size, 0);
                return 0;
        } catch (const ipc::interprocess_exception &) {
                return -EIO;
        }
}

int boost_queue_receive(struct boost_queue *queue, void *data, size_t cap, size_t *size, int block)
{
        unsigned priority;
        ipc::message_queue::size_type got = 0;
        try {
                if (!block && !queue->queue.try_receive(data, cap, got, priority))
                        return -EAGAIN;
                if (block)
                        queue->queue.receive(data, cap, got, priority);
                *size = got;
                return 0;
        } catch (const ipc::interprocess_exception &) {
                return -EIO;
        }
}
