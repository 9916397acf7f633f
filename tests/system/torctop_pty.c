/*
 * torctop_pty.c - the monitor itself on a terminal: golden screens at three sizes, resizing, and a terminal that is
 * as it was after every way out.
 *
 * The terminal is torctop_vt.h at the other end of a pty. torctop runs as a shell would run it, in a process group
 * of its own in the foreground, below a process that leads the session: otherwise SIGTSTP would be ignored.
 *
 * With TORC_GOLDEN_UPDATE=1 the golden files are written anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "torc_test.h"
#include "torctop_vt.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <utmp.h>

#define GOLDEN "tests/golden/tui/"

struct run {
        struct vt vt;
        int master, slave;
        int report;  /* from the leader: the monitor's pid, then each wait status */
        int command; /* to the leader: a byte brings the stopped monitor back to the foreground */
        pid_t leader, pid;
        struct termios before;
};

struct setup {
        int cols, rows;
        const char *const *args, *const *environment; /* NULL-terminated, or NULL */
};

/* ---- the bus --------------------------------------------------------------------------------------------- */

struct bus {
        struct torc_bus *bus;
        struct torc_producer *owner, *shared;
        struct torc_consumer *reader;
};

static void bus_make(struct bus *b, struct test *t)
{
        struct torc_bus_config config = {.root = t->root, .peer_name = "tester", .tags = "golden"};
        struct torc_stream_config stream = TORC_STREAM_CONFIG_INIT;
        struct torc_producer_config own = {.name = "owner-1", .access = TORC_EXCLUSIVE, .stream = &stream};
        struct torc_producer_config shared = {.name = "shared-1", .stream = &stream};
        char payload[512] = "";
        stream.online_min = 0;
        assert_ok(torc_bus_open(&b->bus, &config));
        assert_ok(torc_producer_open(&b->owner, b->bus, "alpha", &own));
        assert_ok(torc_producer_open(&b->shared, b->bus, "beta \x1b[31mred", &shared));
        assert_ok(torc_consumer_open(&b->reader, b->bus, "alpha",
                                     &(struct torc_consumer_config){.name = "reader", .timeout_ms = 0}));
        for (int i = 0; i < 1000; i++)
                assert_ok(torc_producer_send(b->owner, payload, sizeof payload, 0, NULL));
        assert_ok(torc_producer_send(b->shared, payload, 100, 0, NULL));
}

static void bus_drop(struct bus *b)
{
        torc_consumer_close(&b->reader);
        torc_producer_close(&b->owner);
        torc_producer_close(&b->shared);
        torc_bus_close(&b->bus);
}

/* ---- the monitor ----------------------------------------------------------------------------------------- */

static void run_exec(const struct setup *setup, const char *root)
{
        const char *build = getenv("TORC_TEST_BUILD");
        char path[512], here[400];
        const char *argv[16] = {"torctop", "--root", "."};
        int n = 3;
        if (!getcwd(here, sizeof here))
                _exit(90);
        snprintf(path, sizeof path, "%s%s%s/bin/torctop", build && build[0] == '/' ? "" : here,
                 build && build[0] == '/' ? "" : "/", build ? build : "build");
        setenv("TERM", "xterm", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        setenv("TZ", "UTC", 1);
        unsetenv("NO_COLOR");
        unsetenv("TORC_BUS");
        unsetenv("COLUMNS");
        unsetenv("LINES");
        for (const char *const *e = setup->environment; e && *e; e++)
                putenv((char *)(size_t)*e);
        for (const char *const *a = setup->args; a && *a; a++)
                argv[n++] = *a;
        if (chdir(root) == 0) /* so that the path on the screen is the same each time */
                execv(path, (char *const *)(size_t)argv);
        _exit(91);
}

/* Leads the session; tells the test what becomes of the monitor. */
static void run_lead(int report, int command, const struct setup *setup, const char *root)
{
        char byte;
        int status;
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a session of its own: the guardian does not reach it */
        signal(SIGTTOU, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        pid_t pid = fork();
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                setpgid(0, 0);
                tcsetpgrp(0, getpid());
                signal(SIGTTOU, SIG_DFL);
                signal(SIGHUP, SIG_DFL);
                run_exec(setup, root);
        }
        setpgid(pid, pid);
        int value = (int)pid;
        if (write(report, &value, sizeof value) != (ssize_t)sizeof value)
                _exit(92);
        do {
                while (waitpid(pid, &status, WUNTRACED) < 0 && errno == EINTR)
                        continue;
                value = status;
                if (!WIFSTOPPED(status))
                        continue;
                tcsetpgrp(0, getpgrp());
                if (write(report, &value, sizeof value) != (ssize_t)sizeof value || read(command, &byte, 1) != 1)
                        break;
                tcsetpgrp(0, pid);
                kill(-pid, SIGCONT);
        } while (WIFSTOPPED(status));
        if (write(report, &value, sizeof value) != (ssize_t)sizeof value)
                _exit(92);
        _exit(0);
}

static int run_hear(struct run *r);

static void run_start(struct run *r, struct test *t, const struct setup *setup)
{
        struct winsize size = {.ws_col = (unsigned short)setup->cols, .ws_row = (unsigned short)setup->rows};
        int report[2], command[2];
        memset(r, 0, sizeof *r);
        vt_reset(&r->vt, setup->cols, setup->rows);
        assert_int_equal(pipe2(report, O_CLOEXEC), 0);
        assert_int_equal(pipe2(command, O_CLOEXEC), 0);
        assert_int_equal(openpty(&r->master, &r->slave, NULL, NULL, &size), 0);
        fcntl(r->master, F_SETFD, FD_CLOEXEC);
        fcntl(r->master, F_SETFL, O_NONBLOCK);
        assert_int_equal(tcgetattr(r->slave, &r->before), 0);
        fflush(NULL);
        r->leader = fork();
        assert_true(r->leader >= 0);
        if (r->leader == 0) {
                close(r->master);
                close(report[0]);
                close(command[1]);
                if (login_tty(dup(r->slave)) == 0) {
                        close(r->slave);
                        run_lead(report[1], command[0], setup, t->root);
                }
                _exit(93);
        }
        close(report[1]);
        close(command[0]);
        r->report = report[0];
        r->command = command[1];
        r->pid = run_hear(r);
}

/* Take what the monitor has written, for at most `ms`. */
static void run_pump(struct run *r, int ms)
{
        unsigned char bytes[4096];
        struct pollfd p = {.fd = r->master, .events = POLLIN};
        ssize_t n;
        if (poll(&p, 1, ms) <= 0)
                return;
        while ((n = read(r->master, bytes, sizeof bytes)) > 0)
                vt_feed(&r->vt, bytes, (size_t)n);
}

/* What the leader says next; the screen is kept up meanwhile. */
static int run_hear(struct run *r)
{
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        for (;;) {
                struct pollfd p = {.fd = r->report, .events = POLLIN};
                int value;
                run_pump(r, 1);
                if (poll(&p, 1, 10) == 1) {
                        if (read(r->report, &value, sizeof value) != (ssize_t)sizeof value)
                                fail_msg("the session's leader is gone");
                        run_pump(r, 1);
                        return value;
                }
                if (test_now_ms() > deadline)
                        fail_msg("the monitor did not end or stop");
        }
}

static char *run_text(const struct run *r)
{
        char *text;
        size_t len;
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        vt_write(&r->vt, out);
        fclose(out);
        return text;
}

/* Does the monitor sleep? Then it has drawn whatever it was about to draw. */
static bool run_asleep(const struct run *r)
{
        char path[64], state = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", (int)r->pid);
        FILE *f = fopen(path, "r");
        if (!f)
                return true;
        if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
                state = 0;
        fclose(f);
        return state == 'S';
}

/* Until a text is on the screen, and all that comes with it. */
static void run_until(struct run *r, const char *wanted)
{
        int64_t deadline = test_now_ms() + TEST_WAIT_MS;
        for (;;) {
                struct pollfd more = {.fd = r->master, .events = POLLIN};
                char *text = run_text(r);
                bool there = strstr(text, wanted) != NULL && r->vt.n == 0;
                if (!there && test_now_ms() > deadline)
                        fail_msg("\"%s\" does not come; the screen is\n%s", wanted, text);
                free(text);
                if (there && run_asleep(r) && poll(&more, 1, 0) == 0)
                        break;
                run_pump(r, there ? 1 : 50);
        }
        assert_int_equal(r->vt.unknown, 0);
}

static void run_type(struct run *r, const char *keys)
{
        assert_int_equal(write(r->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* The terminal is as it was. */
static void run_check_restored(struct run *r)
{
        struct termios now;
        run_pump(r, 1);
        assert_int_equal(tcgetattr(r->slave, &now), 0);
        assert_int_equal(now.c_iflag, r->before.c_iflag);
        assert_int_equal(now.c_oflag, r->before.c_oflag);
        assert_int_equal(now.c_lflag, r->before.c_lflag);
        assert_int_equal(now.c_cc[VMIN], r->before.c_cc[VMIN]);
        assert_false(r->vt.alternate);
        assert_false(r->vt.hidden);
        assert_false(r->vt.styled);
}

/* Returns the wait status. */
static int run_end(struct run *r)
{
        int status = run_hear(r), leader;
        while (waitpid(r->leader, &leader, 0) < 0 && errno == EINTR)
                continue;
        run_check_restored(r);
        close(r->report);
        close(r->command);
        close(r->master);
        close(r->slave);
        return status;
}

/* ---- golden screens -------------------------------------------------------------------------------------- */

/* The clock differs each time. */
static void mask(char *text)
{
        for (char *p = text; *p; p++) {
                int end = 0;
                if (sscanf(p, "%*2[0-9]:%*2[0-9]:%*2[0-9]%n", &end) == 0 && end == 8)
                        memcpy(p, "HH:MM:SS", 8);
        }
}

static void append(FILE *out, const struct run *r, const char *title)
{
        char *text = run_text(r);
        mask(text);
        fprintf(out, "==== %s\n%s", title, text);
        free(text);
}

static void compare(const char *name, const char *text)
{
        char path[128];
        static char want[1 << 16];
        snprintf(path, sizeof path, GOLDEN "%s", name);
        FILE *f = fopen(path, getenv("TORC_GOLDEN_UPDATE") ? "w" : "r");
        if (!f)
                fail_msg("cannot open %s: run the tests from the top of the source tree", path);
        if (getenv("TORC_GOLDEN_UPDATE")) {
                fputs(text, f);
                fclose(f);
                return;
        }
        size_t n = fread(want, 1, sizeof want - 1, f);
        want[n] = '\0';
        fclose(f);
        if (strcmp(want, text) != 0)
                fail_msg("%s differs; now it is\n%s", path, text);
}

/* One look only (the next is an hour off): no rates, nothing that moves but the clock. */
static const char *const one_look[] = {"--interval", "3600000", NULL};

static void golden(struct test *t, int cols, int rows)
{
        struct setup setup = {.cols = cols, .rows = rows, .args = one_look};
        struct bus b;
        struct run r;
        char *text, name[64];
        size_t len;
        FILE *out = open_memstream(&text, &len);
        assert_non_null(out);
        bus_make(&b, t);
        run_start(&r, t, &setup);
        run_until(&r, "q quit");
        run_until(&r, "beta");
        append(out, &r, "streams");
        run_type(&r, "2");
        run_until(&r, "No groups");
        append(out, &r, "groups");
        run_type(&r, "?");
        run_until(&r, "Esc back");
        append(out, &r, "help");
        run_type(&r, "\033[Z"); /* Shift-Tab */
        run_until(&r, "beta");
        run_type(&r, "\r"); /* a page with numbers of processes: not golden */
        run_until(&r, "owner-1");
        run_type(&r, "\033");
        run_until(&r, "beta");
        run_type(&r, "\\bet\r");
        run_until(&r, "filter: bet");
        append(out, &r, "filtered");
        run_type(&r, "q");
        int status = run_end(&r);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        bus_drop(&b);
        fclose(out);
        snprintf(name, sizeof name, "pty-%dx%d.txt", cols, rows);
        compare(name, text);
        free(text);
}

static void torctop_at_200x50_is_golden(void **state)
{
        golden(*state, 200, 50);
}

static void torctop_at_80x24_is_golden(void **state)
{
        golden(*state, 80, 24);
}

static void torctop_at_40x12_is_golden(void **state)
{
        golden(*state, 40, 12);
}

/* ---- behaviour ------------------------------------------------------------------------------------------- */

static void resize(struct run *r, int cols, int rows)
{
        struct winsize size = {.ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows};
        vt_reset(&r->vt, cols, rows);
        assert_int_equal(ioctl(r->master, TIOCSWINSZ, &size), 0);
}

static void torctop_when_resized_draws_anew(void **state)
{
        struct test *t = *state;
        struct setup setup = {.cols = 80, .rows = 24};
        struct bus b;
        struct run r;
        bus_make(&b, t);
        run_start(&r, t, &setup);
        run_until(&r, "Tab view");
        resize(&r, 120, 30);
        run_until(&r, "CONS");
        run_until(&r, "Tab view");
        resize(&r, 39, 11);
        run_until(&r, "39x11");
        resize(&r, 1, 1);
        resize(&r, 300, 60);
        run_until(&r, "SEGS");
        run_until(&r, "Tab view");
        run_type(&r, "\033[21~"); /* F10 */
        assert_int_equal(run_end(&r), 0);
        bus_drop(&b);
}

static void check_signal(struct test *t, int number)
{
        struct setup setup = {.cols = 80, .rows = 24};
        struct run r;
        run_start(&r, t, &setup);
        run_until(&r, "q quit");
        assert_true(r.vt.alternate);
        assert_true(r.vt.hidden);
        assert_int_equal(kill(r.pid, number), 0);
        int status = run_end(&r);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), number);
}

static void torctop_when_signalled_gives_the_terminal_back(void **state)
{
        static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
        struct bus b;
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        bus_make(&b, *state);
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
                check_signal(*state, numbers[i]);
        bus_drop(&b);
}

static void torctop_when_stopped_gives_the_terminal_back_and_takes_it_again(void **state)
{
        struct setup setup = {.cols = 80, .rows = 24};
        struct bus b;
        struct run r;
        bus_make(&b, *state);
        run_start(&r, *state, &setup);
        run_until(&r, "q quit");
        run_type(&r, "\032"); /* Ctrl-Z */
        assert_true(WIFSTOPPED(run_hear(&r)));
        run_check_restored(&r);
        vt_reset(&r.vt, 80, 24);
        assert_int_equal(write(r.command, "", 1), 1);
        run_until(&r, "q quit");
        run_until(&r, "beta");
        assert_true(r.vt.alternate);
        run_type(&r, "q");
        assert_int_equal(run_end(&r), 0);
        bus_drop(&b);
}

static void torctop_without_color_sets_none(void **state)
{
        static const char *const no_color[] = {"NO_COLOR=1", NULL}, *const option[] = {"--no-color", NULL};
        const struct setup setups[] = {{80, 24, NULL, NULL}, {80, 24, NULL, no_color}, {80, 24, option, NULL}};
        struct bus b;
        bus_make(&b, *state);
        for (int i = 0; i < 3; i++) {
                struct run r;
                run_start(&r, *state, &setups[i]);
                run_until(&r, "q quit");
                assert_int_equal(r.vt.colored, i == 0);
                run_type(&r, "q");
                assert_int_equal(run_end(&r), 0);
        }
        bus_drop(&b);
}

static void torctop_without_utf8_draws_ascii(void **state)
{
        static const char *const plain[] = {"LC_ALL=C", NULL}, *const option[] = {"--ascii", NULL};
        const struct setup setups[] = {{80, 24, NULL, plain}, {80, 24, option, NULL}};
        struct bus b;
        bus_make(&b, *state);
        for (int i = 0; i < 2; i++) {
                struct run r;
                run_start(&r, *state, &setups[i]);
                run_until(&r, "q quit");
                char *text = run_text(&r);
                for (const char *p = text; *p; p++)
                        assert_true((unsigned char)*p < 0x80);
                assert_non_null(strstr(text, "beta ?[31mred"));
                free(text);
                run_type(&r, "q");
                assert_int_equal(run_end(&r), 0);
        }
        bus_drop(&b);
}

static void torctop_without_a_bus_waits_for_one(void **state)
{
        struct setup setup = {.cols = 80, .rows = 24};
        struct bus b;
        struct run r;
        run_start(&r, *state, &setup);
        run_until(&r, "There is no bus");
        bus_make(&b, *state);
        run_until(&r, "alpha");
        bus_drop(&b);
        run_type(&r, "q");
        assert_int_equal(run_end(&r), 0);
}

/* ---- terminals that are none ----------------------------------------------------------------------------- */

static void check_refused(struct test *t, const char *term)
{
        const char *const environment[] = {term, NULL};
        struct setup setup = {.cols = 80, .rows = 24, .environment = environment};
        struct run r;
        run_start(&r, t, &setup);
        int status = run_end(&r);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
        char *text = run_text(&r);
        assert_non_null(strstr(text, "torctop: "));
        assert_non_null(strstr(text, "--once"));
        free(text);
}

static void torctop_on_a_bad_terminal_says_so(void **state)
{
        struct bus b;
        bus_make(&b, *state);
        check_refused(*state, "TERM=");
        check_refused(*state, "TERM=dumb");
        check_refused(*state, "TERM=no-such-terminal");
        bus_drop(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(torctop_at_200x50_is_golden),
                TEST(torctop_at_80x24_is_golden),
                TEST(torctop_at_40x12_is_golden),
                TEST(torctop_when_resized_draws_anew),
                TEST(torctop_when_signalled_gives_the_terminal_back),
                TEST(torctop_when_stopped_gives_the_terminal_back_and_takes_it_again),
                TEST(torctop_without_color_sets_none),
                TEST(torctop_without_utf8_draws_ascii),
                TEST(torctop_without_a_bus_waits_for_one),
                TEST(torctop_on_a_bad_terminal_says_so),
        };
        return TEST_MAIN(tests);
}
