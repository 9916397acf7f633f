/*
 * review_edges.c - the edges of the library's contracts: descriptors run out, places run out, claims that stay open, other
 * users, chains that nobody reads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"

/* Descriptors that may be opened from now on; -1: as many as before. */
static void allow_fds(int more)
{
        static rlim_t usual;
        struct rlimit limit;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        if (!usual)
                usual = limit.rlim_cur;
        int next = more < 0 ? -1 : dup(STDIN_FILENO);
        if (next >= 0)
                close(next);
        limit.rlim_cur = more < 0 ? usual : (rlim_t)(next + more);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* ---- no descriptors left --------------------------------------------------------------------------------- */

/* With 0, 1, 2, ... descriptors left: refused, and then nothing has happened, or done. */
static void fencing_when_descriptors_run_out_happens_wholly_or_not(void **state)
{
        struct torc_bus *bus = test_bus(*state, "fencer");
        struct torc_stream_config config = test_stream(4096, TORC_LAG_BLOCK, 0);
        struct torc_producer_config fencing = {.access = TORC_EXCLUSIVE_WITH_FENCING};
        struct torc_producer *old = test_producer(bus, "s", TORC_SHARED, &config), *p = NULL;
        struct torc_access_info info;
        int rc = -EMFILE;
        assert_ok(test_send(old, 1, 0));
        for (int more = 0; rc == -EMFILE; more++) {
                unsigned before = test_count_fds();
                assert_true(more < 32);
                allow_fds(more);
                rc = torc_producer_open(&p, bus, "s", &fencing);
                allow_fds(-1);
                if (rc) {
                        assert_rc(rc, -EMFILE);
                        assert_int_equal(test_count_fds(), before);
                        assert_ok(torc_stream_access(bus, "s", &info)); /* takes what locks say */
                        assert_ok(torc_bus_reap(bus, NULL));
                        assert_ok(torc_stream_access(bus, "s", &info));
                        assert_int_equal(info.access, TORC_SHARED);
                        assert_int_equal(info.producers, 1);
                        assert_int_equal(info.epoch, 1);
                        assert_ok(test_send(old, 2, 0));
                }
        }
        assert_ok(rc);
        assert_rc(test_send(old, 3, 0), TORC_EFENCED);
        assert_ok(test_send(p, 4, 0));
        torc_producer_close(&old);
        torc_producer_close(&p);
        torc_bus_close(&bus);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(fencing_when_descriptors_run_out_happens_wholly_or_not),
        };
        return TEST_MAIN(tests);
}
