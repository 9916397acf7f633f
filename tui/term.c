/*
 * term.c - the terminal through ncurses; term.h tells how it is given back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "term.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

/* term.h defines names of capabilities as macros; some are ordinary words. */
#undef lines
#undef columns

struct term_signals term_signals;

static struct {
        SCREEN *screen;
        struct termios saved;
        char restore[256]; /* what gives the terminal back, without ncurses */
        size_t restore_bytes;
        bool one_screen; /* there is none to go back to: what comes next goes below ours */
        int pipe[2];     /* handlers write a byte, so that poll(2) wakes */
        bool color;
        attr_t attr[STYLE_COUNT];
        short pair[STYLE_COUNT];
        struct screen shown;
} term = {.pipe = {-1, -1}};

/* ---- signals --------------------------------------------------------------------------------------------- */

/* Async-signal-safe: endwin() is not. */
static void term_restore_raw(void)
{
        ssize_t n = write(STDOUT_FILENO, term.restore, term.restore_bytes);
        (void)n;
        tcsetattr(STDIN_FILENO, TCSANOW, &term.saved);
}

static void term_die(int number)
{
        signal(number, SIG_DFL);
        raise(number);
}

static void term_on_crash(int number)
{
        static const char text[] = "torctop: crashed; the terminal was given back\n";
        term_restore_raw();
        ssize_t n = write(STDERR_FILENO, text, sizeof text - 1);
        (void)n;
        term_die(number); /* blocked while we are here: delivered on return */
}

static void term_on_signal(int number)
{
        int saved = errno;
        switch (number) {
        case SIGWINCH:
                term_signals.resized = 1;
                break;
        case SIGTSTP:
                term_signals.stopped = 1;
                break;
        case SIGCONT:
                term_signals.continued = 1;
                break;
        default:
                if (term_signals.end) { /* the loop has not come round: it hangs in a write to the terminal */
                        term_restore_raw();
                        term_die(number);
                }
                term_signals.end = number;
        }
        ssize_t n = write(term.pipe[1], "", 1);
        (void)n;
        errno = saved;
}

static void term_handle(int number, void (*handler)(int), int flags)
{
        struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
        sigemptyset(&action.sa_mask);
        sigaction(number, &action, NULL);
}

static void term_handle_all(void)
{
        static const int soft[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
        static const int crash[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
        static unsigned char stack[65536]; /* the crash may be a stack that is full */
        sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
        for (size_t i = 0; i < sizeof soft / sizeof *soft; i++)
                term_handle(soft[i], term_on_signal, 0);
        for (size_t i = 0; i < sizeof crash / sizeof *crash; i++)
                term_handle(crash[i], term_on_crash, (int)(SA_RESETHAND | SA_ONSTACK));
        signal(SIGPIPE, SIG_IGN); /* a terminal that is gone shows as an error of write */
}

/* ---- open and close -------------------------------------------------------------------------------------- */

/* Append a capability, without the "$<5>" paddings that hardware terminals wanted. */
static void term_append(const char *capability)
{
        if (!capability || capability == (const char *)-1)
                return;
        for (const char *p = capability; *p && term.restore_bytes < sizeof term.restore; p++) {
                if (p[0] == '$' && p[1] == '<' && strchr(p, '>'))
                        p = strchr(p, '>');
                else
                        term.restore[term.restore_bytes++] = *p;
        }
}

/* Is this a terminal we can use? Takes what gives it back from its description. */
static bool term_fit(char *error, size_t cap)
{
        const char *name = getenv("TERM");
        int why;
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
                snprintf(error, cap, "standard %s is not a terminal; --once and --json print one snapshot",
                         isatty(STDIN_FILENO) ? "output" : "input");
                return false;
        }
        if (!name || !*name) {
                snprintf(error, cap,
                         "TERM is not set: it names the kind of terminal (try TERM=xterm); "
                         "--once prints one snapshot");
                return false;
        }
        if (setupterm(NULL, STDOUT_FILENO, &why) != OK) {
                snprintf(error, cap,
                         "terminal '%.40s' (TERM) is not known here (try TERM=xterm); "
                         "--once prints one snapshot",
                         name);
                return false;
        }
        bool fit = !hard_copy && cursor_address && clear_screen;
        if (!fit)
                snprintf(error, cap, "terminal '%.40s' (TERM) cannot move its cursor; --once prints one snapshot",
                         name);
        term_append(exit_attribute_mode);
        term_append(cursor_normal);
        term_append(keypad_local);
        term.one_screen = !exit_ca_mode;
        term_append(term.one_screen ? "\r\n" : exit_ca_mode);
        del_curterm(cur_term);
        return fit;
}

static void term_set(enum style style, attr_t mono, attr_t attr, short foreground, short background)
{
        term.attr[style] = term.color ? attr : mono;
        term.pair[style] = 0;
        if (term.color && (foreground >= 0 || background >= 0)) {
                term.pair[style] = (short)(style + 1);
                init_pair(term.pair[style], foreground, background);
        }
}

static void term_styles(void)
{
        bool many = term.color && COLORS >= 256;
        short bar = many ? 236 : COLOR_BLACK, title = many ? 24 : COLOR_BLUE;
        term_set(STYLE_PLAIN, A_NORMAL, A_NORMAL, -1, -1);
        term_set(STYLE_DIM, A_NORMAL, many ? A_NORMAL : A_DIM, many ? 245 : -1, -1);
        term_set(STYLE_BOLD, A_BOLD, A_BOLD, -1, -1);
        term_set(STYLE_TITLE, A_REVERSE, A_BOLD, COLOR_WHITE, title);
        term_set(STYLE_TITLE_BAD, A_BOLD | A_UNDERLINE, A_BOLD, COLOR_WHITE, COLOR_RED);
        term_set(STYLE_HEAD, A_BOLD | A_UNDERLINE, A_BOLD, COLOR_WHITE, bar);
        term_set(STYLE_SORTED, A_BOLD | A_UNDERLINE, A_BOLD, COLOR_CYAN, bar);
        term_set(STYLE_TAB, A_NORMAL, A_NORMAL, many ? 250 : -1, many ? 235 : -1);
        term_set(STYLE_TAB_ON, A_REVERSE, A_BOLD, COLOR_BLACK, COLOR_CYAN);
        term_set(STYLE_KEY, A_BOLD, A_BOLD, COLOR_CYAN, -1);
        term_set(STYLE_GOOD, A_NORMAL, A_NORMAL, COLOR_GREEN, -1);
        term_set(STYLE_WARN, A_BOLD, A_NORMAL, COLOR_YELLOW, -1);
        term_set(STYLE_BAD, A_BOLD | A_UNDERLINE, A_BOLD, COLOR_RED, -1);
        term_set(STYLE_ACCENT, A_BOLD, A_NORMAL, COLOR_CYAN, -1);
        term_set(STYLE_SPARK, A_NORMAL, A_NORMAL, many ? 75 : COLOR_BLUE, -1);
}

bool term_open(bool color, char *error, size_t cap)
{
        if (!term_fit(error, cap))
                return false;
        if (tcgetattr(STDIN_FILENO, &term.saved) || pipe2(term.pipe, O_CLOEXEC | O_NONBLOCK)) {
                snprintf(error, cap, "cannot use the terminal: %s", strerror(errno));
                return false;
        }
        term_handle_all(); /* before newterm(), which leaves handlers alone that it finds */
        term.screen = newterm(NULL, stdout, stdin);
        if (!term.screen) {
                snprintf(error, cap, "cannot take the terminal over");
                return false;
        }
        set_term(term.screen);
        cbreak();
        noecho();
        nonl(); /* Enter is '\r' and '\n' is Ctrl-J; both are keys */
        keypad(stdscr, TRUE);
        nodelay(stdscr, TRUE);
        set_escdelay(25);
        curs_set(0);
        term.color = color && has_colors() && start_color() == OK && use_default_colors() == OK;
        term_styles();
        return true;
}

void term_close(void)
{
        if (!term.screen)
                return;
        endwin();
        delscreen(term.screen);
        term.screen = NULL;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &term.saved);
        if (term.one_screen)
                puts("");
        screen_free(&term.shown);
}

void term_stop(void)
{
        term_signals.stopped = 0;
        endwin();
        signal(SIGTSTP, SIG_DFL);
        raise(SIGTSTP);
        /* Continued. */
        term_handle(SIGTSTP, term_on_signal, 0);
        term_redo();
}

void term_redo(void)
{
        term_signals.continued = 0;
        reset_prog_mode();
        curs_set(0);
        clearok(curscr, TRUE);
        refresh();
        term_signals.resized = 1;
}

/* ---- showing --------------------------------------------------------------------------------------------- */

void term_size(int *width, int *height)
{
        struct winsize size;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0)
                resizeterm(size.ws_row, size.ws_col);
        getmaxyx(stdscr, *height, *width);
}

static void term_line(const struct screen *s, int y)
{
        wchar_t run[512];
        int x = 0;
        while (x < s->width) {
                const struct cell *first = screen_at(s, y, x), *cell = first;
                int n = 0, start = x;
                for (; x < s->width && n < 500; x++) {
                        cell = screen_at(s, y, x);
                        if (cell->style != first->style)
                                break;
                        if (cell->c)
                                run[n++] = cell->c;
                }
                enum style style = first->style & ~STYLE_SELECTED;
                attr_t attr = term.attr[style] | (first->style & STYLE_SELECTED ? A_REVERSE : 0);
                attr_set(attr, term.pair[style], NULL);
                mvaddnwstr(y, start, run, n);
        }
}

void term_show(const struct screen *s, bool all)
{
        if (term.shown.width != s->width || term.shown.height != s->height) {
                all = true;
                if (!screen_resize(&term.shown, s->width, s->height))
                        return;
        }
        if (all)
                clear();
        for (int y = 0; y < s->height; y++) {
                struct cell *old = screen_at(&term.shown, y, 0);
                const struct cell *now = screen_at(s, y, 0);
                size_t bytes = (size_t)s->width * sizeof *now;
                if (!all && memcmp(old, now, bytes) == 0)
                        continue;
                memcpy(old, now, bytes);
                term_line(s, y);
        }
        refresh();
}

/* ---- keys ------------------------------------------------------------------------------------------------ */

bool term_wait(int timeout_ms)
{
        struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = term.pipe[0], .events = POLLIN}};
        char drop[64];
        if (poll(fds, 2, timeout_ms) < 0)
                return errno == EINTR;
        while (read(term.pipe[0], drop, sizeof drop) > 0)
                continue;
        return !(fds[0].revents & (POLLERR | POLLHUP | POLLNVAL));
}

bool term_key(wchar_t *code, bool *function)
{
        wint_t c;
        int kind = get_wch(&c);
        if (kind == ERR)
                return false;
        *function = kind == KEY_CODE_YES;
        *code = (wchar_t)c;
        return true;
}
