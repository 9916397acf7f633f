/*
 * torcd_control.c - the control socket: who may use it, and clients that mean no good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torcd_run.h"

#define GROUPS                                                                                                     \
        "[stream prices]\n"                                                                                        \
        "[group feed]\ncommand = sleep 100\ncount = 2\nstream = prices\nstart_delay = 0ms\nstart_jitter = 0ms\n"   \
        "[group alone]\ncommand = sleep 100\nstream = other\naccess = exclusive\nstart_delay = 0ms\n"              \
        "start_jitter = 0ms\n"

static void control_status_lists_groups_and_members(void **state)
{
        struct test *t = *state;
        pid_t torcd = torcd_start(t, GROUPS);
        const char *reply = control_ask(t, "status\n");
        assert_memory_equal(reply, "ok\nsupervisor\t", 14);
        assert_non_null(strstr(reply, "\ngroup\tfeed\tprices\t0\t0\t2\t2\tsleep 100\n"));
        assert_non_null(strstr(reply, "\nmember\tfeed-0\tfeed\t0\trunning\t"));
        assert_non_null(strstr(reply, "\nmember\tfeed-1\tfeed\t1\trunning\t"));
        assert_non_null(strstr(reply, "\nmember\talone-0\talone\t0\trunning\t"));
        torcd_stop(torcd);
}

static void control_mistakes_get_clear_errors(void **state)
{
        struct test *t = *state;
        static const char *const cases[][2] = {
                {"\n", "error there is no command ''\n"},
                {"statsu\n", "error there is no command 'statsu'; did you mean 'status'?\n"},
                {"status\tnow\n", "error usage: status\n"},
                {"stop\n", "error usage: stop GROUP|MEMBER\n"},
                {"stop\tfeed\tprices\n", "error usage: stop GROUP|MEMBER\n"},
                {"stop\tfede\n", "error there is no group or member 'fede'; did you mean 'feed'?\n"},
                {"stop\tfeed-7\n", "error there is no group or member 'feed-7'; did you mean 'feed-0'?\n"},
                {"stop\tsomething else\n", "error there is no group or member 'something else'\n"},
                {"scale\tfeed\t-1\n", "error '-1' is no number of members from 0 to 1024\n"},
                {"scale\tfeed\t1025\n", "error '1025' is no number of members from 0 to 1024\n"},
                {"scale\tfeed\t1024\n", "error a supervisor has at most 1024 members in all\n"},
                {"scale\tfeed\t\n", "error '' is no number of members from 0 to 1024\n"},
                {"scale\tfeed-0\t1\n", "error there is no group 'feed-0'; did you mean 'feed'?\n"},
                {"fence\tprice\n", "error there is no stream 'price'; did you mean 'prices'?\n"},
                {"fence\ta/b\n", NULL},
                {"kick\tprices\tx\n", "error 'x' is no consumer's number; 'torc stat prices' lists them\n"},
                {"kick\tprices\t77\n", "error stream 'prices' has no consumer 77; 'torc stat prices' lists them\n"},
                {"kick\tprice\t77\n", "error there is no stream 'price'; did you mean 'prices'?\n"},
                {"stop\tfe\033[2Jed\n", "error a request holds no control characters\n"},
        };
        pid_t torcd = torcd_start(t, GROUPS);
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
                const char *reply = control_ask(t, cases[i][0]);
                if (cases[i][1])
                        assert_string_equal(reply, cases[i][1]);
                else
                        assert_memory_equal(reply, "error ", 6);
        }
        assert_memory_equal(control_ask(t, "scale\talone\t2\n"), "error group 'alone' has exclusive access", 40);
        torcd_stop(torcd);
}

static void control_garbage_never_hurts(void **state)
{
        struct test *t = *state;
        pid_t torcd = torcd_start(t, GROUPS);
        uint64_t seed = 11;
        long rounds = test_param("TORC_TEST_REQUESTS", 3000);
        static const char *const words[] = {"status", "start",  "stop", "restart", "scale", "kick", "feed",
                                            "prices", "feed-0", "0",    "1",       "\t",    "\n",   ""};
        for (long i = 0; i < rounds; i++) {
                char request[6000], reply[1 << 16];
                size_t len = 0;
                int fd = control_connect(t);
                assert_true(fd >= 0);
                switch (test_random(&seed) % 4) {
                case 0: /* bytes */
                        len = test_random(&seed) % sizeof request;
                        for (size_t k = 0; k < len; k++)
                                request[k] = (char)test_random(&seed);
                        break;
                case 1: /* no end to it */
                        len = sizeof request;
                        memset(request, 'x', len);
                        break;
                default: /* words, in any order */
                        for (size_t k = test_random(&seed) % 6 + 1; k > 0; k--)
                                len += (size_t)sprintf(request + len, "%s\t", words[test_random(&seed) % 14]);
                        request[len - 1] = '\n';
                }
                ssize_t n = send(fd, request, len, MSG_NOSIGNAL);
                (void)n; /* refused half-way is fine, too */
                shutdown(fd, SHUT_WR);
                if (test_random(&seed) % 4)
                        assert_true(control_read(fd, reply, sizeof reply));
                close(fd);
        }
        assert_memory_equal(control_ask(t, "status\n"), "ok\n", 3);
        torcd_stop(torcd);
}

static void control_slow_clients_hold_nobody_up(void **state)
{
        struct test *t = *state;
        int slow[63];
        pid_t torcd = torcd_start(t, GROUPS);
        for (size_t i = 0; i < 63; i++) {
                slow[i] = control_connect(t);
                assert_true(slow[i] >= 0);
                assert_int_equal(send(slow[i], "sta", 3, 0), 3);
        }
        int64_t began = test_now_ms();
        assert_memory_equal(control_ask(t, "status\n"), "ok\n", 3);
        assert_true(test_now_ms() - began < 8000); /* a slow client is allowed 10 s: nobody waited for one */
        int last = control_connect(t);
        assert_string_equal(control_ask(t, ""), "error too many connections to the control socket; try again\n");
        close(last);
        /* One of them goes on after all. */
        char reply[1 << 16];
        assert_int_equal(send(slow[7], "tus\n", 4, 0), 4);
        assert_true(control_read(slow[7], reply, sizeof reply));
        assert_memory_equal(reply, "ok\n", 3);
        for (size_t i = 0; i < 63; i++)
                close(slow[i]);
        while (strncmp(control_ask(t, "status\n"), "ok\n", 3) != 0) /* until it has seen them go */
                assert_true(test_now_ms() - began < TEST_WAIT_MS);
        torcd_stop(torcd);
}

static void become_nobody(struct child *link, struct test *t, void *arg)
{
        char reply[256];
        (void)arg;
        CHECK(setgid(65534) == 0 && setuid(65534) == 0);
        link_say(link, control_connect(t));
        link_hear(link); /* the socket has been opened to everybody meanwhile */
        int fd = control_connect(t);
        CHECK(fd >= 0);
        CHECK(send(fd, "stop\tfeed\n", 10, MSG_NOSIGNAL) == 10 || errno == EPIPE);
        CHECK(control_read(fd, reply, sizeof reply));
        link_say(link, strcmp(reply, "error only the supervisor's own user and root may use the control socket\n"));
        close(fd);
}

static void control_refuses_other_users(void **state)
{
        struct test *t = *state;
        char path[PATH_MAX];
        struct stat st;
        if (geteuid() != 0) {
                print_message("skipped: only root can become another user\n");
                skip();
        }
        pid_t torcd = torcd_start(t, GROUPS);
        snprintf(path, sizeof path, "%s/default/control", t->root);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        struct child nobody = child_start(t, become_nobody, NULL);
        assert_int_equal(child_hear(&nobody), -EACCES);
        /* And if somebody opens the doors, torcd asks the kernel who it is. */
        assert_int_equal(chmod(path, 0666), 0);
        snprintf(path, sizeof path, "%s/default", t->root);
        assert_int_equal(chmod(path, 0755), 0);
        child_say(&nobody, 0);
        assert_int_equal(child_hear(&nobody), 0);
        child_join(&nobody);
        assert_non_null(strstr(control_ask(t, "status\n"), "\nmember\tfeed-0\tfeed\t0\trunning\t"));
        torcd_stop(torcd);
}

static void control_kicks_a_consumer_and_fences_a_stream(void **state)
{
        struct test *t = *state;
        struct torc_bus *bus;
        struct torc_consumer *consumer;
        struct torc_producer *producer;
        struct torc_consumer_info info;
        struct torc_producer_status status;
        char request[128];
        size_t n;
        pid_t torcd = torcd_start(t, "[stream s]\n");
        assert_ok(torc_bus_open(&bus, &(struct torc_bus_config){.root = t->root}));
        assert_ok(torc_consumer_open(&consumer, bus, "s", NULL));
        assert_ok(torc_producer_open(&producer, bus, "s", NULL));
        assert_ok(torc_producer_consumers(producer, &info, 1, &n));
        assert_int_equal(n, 1);
        snprintf(request, sizeof request, "kick\ts\t%" PRIu64 "\n", info.ref);
        assert_memory_equal(control_ask(t, request), "ok\ns\tconsumer ", 14);
        assert_rc(torc_consumer_recv(consumer, NULL, 0, &n, TEST_WAIT_MS, NULL), TORC_ELAGGED);
        assert_string_equal(control_ask(t, "fence\ts\n"),
                            "ok\ns\tepoch 2\tits producers are shut out; members of a group stay down until "
                            "'torc ctl start'\n");
        assert_rc(torc_producer_send(producer, "x", 1, TEST_WAIT_MS, NULL), TORC_EFENCED);
        assert_ok(torc_producer_status(producer, &status));
        assert_int_equal(status.fencer_pid, torcd);
        torc_producer_close(&producer);
        torc_consumer_close(&consumer);
        torc_bus_close(&bus);
        torcd_stop(torcd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(control_status_lists_groups_and_members),
                TEST(control_mistakes_get_clear_errors),
                TEST(control_garbage_never_hurts),
                TEST(control_slow_clients_hold_nobody_up),
                TEST(control_refuses_other_users),
                TEST(control_kicks_a_consumer_and_fences_a_stream),
        };
        return TEST_MAIN(tests);
}
