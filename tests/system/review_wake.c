/*
 * review_wake.c - a pollable descriptor calls for a look until there was nothing to be seen, also when messages come just while
 * it is being armed.
 *
 * The announcement of a sleeper is wrapped by the linker (Makefile): what others do just before it is done in there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

struct abi_eventcount;
uint32_t __real_wait_announce(struct abi_eventcount *ec, uint32_t kind);
uint32_t __wrap_wait_announce(struct abi_eventcount *ec, uint32_t kind);

static struct torc_producer *meanwhile; /* sends two messages, once */

uint32_t __wrap_wait_announce(struct abi_eventcount *ec, uint32_t kind)
{
        struct torc_producer *p = meanwhile;
        meanwhile = NULL;
        if (p) {
                assert_ok(test_send(p, 1, 0));
                assert_ok(test_send(p, 2, 0));
        }
        return __real_wait_announce(ec, kind);
}

static bool readable(struct torc_consumer *c)
{
        struct pollfd p = {.fd = torc_consumer_fd(c), .events = POLLIN};
        assert_true(p.fd >= 0);
        return poll(&p, 1, 0) == 1;
}

static void fd_when_messages_come_while_it_is_armed_stays_readable(void **state)
{
        struct torc_bus *bus = test_bus(*state, "me");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer *p = test_producer(bus, "s", TORC_SHARED, &config);
        struct torc_consumer *c = test_consumer(bus, "s", TORC_START_LIVE, NULL);
        uint64_t number;
        size_t len;
        assert_true(readable(c)); /* the first look */
        meanwhile = p;
        assert_ok(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL));
        assert_int_equal(number, 1);
        assert_null(meanwhile);
        assert_true(readable(c)); /* one who takes one message at a time comes back for the other */
        assert_ok(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL));
        assert_int_equal(number, 2);
        assert_rc(torc_consumer_try_recv(c, &number, sizeof number, &len, NULL), -EAGAIN);
        assert_ok(test_send(p, 3, 0));
        assert_true(readable(c));
        torc_consumer_close(&c);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {TEST(fd_when_messages_come_while_it_is_armed_stays_readable)};
        return TEST_MAIN(tests);
}
