/*
 * torctop.c - options, and the loop: look, draw, wait.
 *
 * SPDX-License-Identifier: MIT
 */
#include "draw.h"
#include "print.h"
#include "term.h"
#include "text.h"

#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS     1000
#define INTERVAL_MIN_MS 50
#define INTERVAL_MAX_MS 3600000
#define PRINT_WIDTH     160 /* when nothing says how wide the output is */

struct options {
        const char *root, *bus;
        int interval_ms;
        int view; /* VIEW_COUNT: not given */
        bool once, json, ascii, no_color;
};

static const char help_text[] =
        "Usage: torctop [options]\n"
        "\n"
        "Watch a torc bus: streams, groups, consumers, peers, events. Looks only; changes nothing.\n"
        "\n"
        "  --root DIR       directory of buses (TORC_ROOT, else as torc(1))\n"
        "  --bus NAME       bus to watch (TORC_BUS, else \"default\")\n"
        "  --interval MS    time between two looks, 50 to 3600000 (1000); with --once and --json 0 looks\n"
        "                   once, without rates\n"
        "  --view VIEW      streams, groups, consumers, peers or events\n"
        "  --once           print the views as text and end\n"
        "  --json           print the whole snapshot as JSON and end\n"
        "  --ascii          draw with ASCII characters only\n"
        "  --no-color       no colours; so does a variable NO_COLOR that is not empty\n"
        "  -h, --help       this text\n"
        "  -V, --version    version\n"
        "\n"
        "Keys: ? shows them all.\n";

static int usage(const char *what, const char *value)
{
        fprintf(stderr, "torctop: %s%s%s%s; 'torctop --help' lists the options\n", what, value ? " '" : "",
                value ? value : "", value ? "'" : "");
        return 2;
}

/* ---- options --------------------------------------------------------------------------------------------- */

enum { OPT_ROOT = 256, OPT_BUS, OPT_INTERVAL, OPT_VIEW, OPT_ONCE, OPT_JSON, OPT_ASCII, OPT_NO_COLOR };

static const struct option long_options[] = {
        {"root", required_argument, NULL, OPT_ROOT},
        {"bus", required_argument, NULL, OPT_BUS},
        {"interval", required_argument, NULL, OPT_INTERVAL},
        {"view", required_argument, NULL, OPT_VIEW},
        {"once", no_argument, NULL, OPT_ONCE},
        {"json", no_argument, NULL, OPT_JSON},
        {"ascii", no_argument, NULL, OPT_ASCII},
        {"no-color", no_argument, NULL, OPT_NO_COLOR},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {NULL, 0, NULL, 0},
};

static int find_view(const char *name)
{
        for (int i = 0; i < VIEW_COUNT; i++) {
                if (strcmp(views[i]->name, name) == 0)
                        return i;
        }
        return -1;
}

/* Returns -1 to go on, or an exit code. */
static int take_option(struct options *o, int option)
{
        const char *error = NULL;
        switch (option) {
        case OPT_ROOT:
                o->root = optarg;
                break;
        case OPT_BUS:
                o->bus = optarg;
                break;
        case OPT_INTERVAL:
                o->interval_ms = (int)strtonum(optarg, 0, INTERVAL_MAX_MS, &error);
                if (error)
                        return usage("--interval takes milliseconds from 50 to 3600000, not", optarg);
                break;
        case OPT_VIEW:
                o->view = find_view(optarg);
                if (o->view < 0)
                        return usage("--view takes streams, groups, consumers, peers or events, not", optarg);
                break;
        case OPT_ONCE:
                o->once = true;
                break;
        case OPT_JSON:
                o->json = true;
                break;
        case OPT_ASCII:
                o->ascii = true;
                break;
        case OPT_NO_COLOR:
                o->no_color = true;
                break;
        case 'h':
                fputs(help_text, stdout);
                return 0;
        case 'V':
                puts("torctop " TORC_VERSION);
                return 0;
        default:
                return usage("unknown option, or an option without its value", NULL);
        }
        return -1;
}

static const char *from_environment(const char *name)
{
        const char *value = getenv(name);
        return value && *value ? value : NULL;
}

static int take_options(struct options *o, int argc, char **argv)
{
        *o = (struct options){.interval_ms = INTERVAL_MS, .view = VIEW_COUNT};
        o->root = from_environment("TORC_ROOT");
        o->bus = from_environment("TORC_BUS");
        o->no_color = from_environment("NO_COLOR") != NULL;
        opterr = 0;
        for (int option; (option = getopt_long(argc, argv, "hV", long_options, NULL)) != -1;) {
                int code = take_option(o, option);
                if (code >= 0)
                        return code;
        }
        if (optind < argc)
                return usage("no argument expected:", argv[optind]);
        if (o->once && o->json)
                return usage("--once and --json exclude each other", NULL);
        if (o->json && o->view != VIEW_COUNT)
                return usage("--json prints everything, --view does not go with it", NULL);
        if (o->interval_ms < INTERVAL_MIN_MS && !(o->interval_ms == 0 && (o->once || o->json)))
                return usage("--interval is at least 50; 0 goes with --once and --json", NULL);
        return -1;
}

/* ---- the bus --------------------------------------------------------------------------------------------- */

struct watch {
        struct options options;
        char path[4096];
        struct torc_inspector *inspector;
        struct model model;
        struct ui ui;
};

static int64_t clock_ns(clockid_t id)
{
        struct timespec t;
        clock_gettime(id, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int name_bus(struct watch *w)
{
        char root[4000] = "?";
        int rc = w->options.root ? 0 : torc_root_default(root, sizeof root);
        snprintf(w->path, sizeof w->path, "%s/%s", w->options.root ? w->options.root : root,
                 w->options.bus ? w->options.bus : "default");
        w->ui.bus_name = w->options.bus ? w->options.bus : "default";
        w->ui.bus_path = w->path;
        return rc;
}

/* One look. A bus that is gone may come back: the inspector is opened anew for each look until it is there. */
static int look(struct watch *w)
{
        struct torc_snapshot *snap;
        int rc = 0;
        if (!w->inspector)
                rc = torc_inspector_open(&w->inspector, w->options.root, w->options.bus);
        if (rc == 0)
                rc = torc_inspector_take(w->inspector, &snap);
        if (rc == 0)
                rc = model_advance(&w->model, snap);
        if (rc == -ENOMEM && w->inspector) {
                snprintf(w->ui.message, sizeof w->ui.message, "out of memory: this picture is old");
        } else if (rc) {
                torc_inspector_close(&w->inspector);
                model_free(&w->model);
                w->model.error = rc;
        }
        return rc;
}

static int fail_bus(const struct watch *w, int rc)
{
        char safe[256];
        size_t n = 0;
        int columns;
        for (const char *p = w->path; *p && n + 5 < sizeof safe;) /* a name may hold anything */
                n += text_encode(safe + n, text_next(&p, w->ui.ascii, &columns));
        safe[n] = '\0';
        if (rc == -ENOENT)
                fprintf(stderr,
                        "torctop: there is no bus at %s; torcd, torc pub or torc sub makes one (--root and "
                        "--bus choose another)\n",
                        safe);
        else
                fprintf(stderr, "torctop: cannot look at the bus at %s: %s (%s)\n", safe, torc_strerror(rc),
                        torc_errname(rc));
        return 1;
}

/* ---- printing -------------------------------------------------------------------------------------------- */

static int print_width(void)
{
        struct winsize size;
        const char *error, *columns = getenv("COLUMNS");
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col < UI_WIDTH_MIN ? UI_WIDTH_MIN : size.ws_col;
        int n = columns ? (int)strtonum(columns, UI_WIDTH_MIN, 1000, &error) : 0;
        return n > 0 ? n : PRINT_WIDTH;
}

static int print_once(struct watch *w)
{
        int rc = look(w);
        if (rc == 0 && w->options.interval_ms > 0) { /* rates need two */
                struct timespec nap = {w->options.interval_ms / 1000, w->options.interval_ms % 1000 * 1000000};
                nanosleep(&nap, NULL);
                rc = look(w);
        }
        if (rc)
                return fail_bus(w, rc);
        w->ui.clock_ns = w->model.snap->wall_ns;
        if (w->options.json)
                print_json(stdout, &w->model);
        else
                rc = print_views(stdout, &w->model, &w->ui, w->options.view, print_width());
        if (rc || fflush(stdout) || ferror(stdout)) {
                fprintf(stderr, "torctop: cannot write: %s\n", strerror(rc ? -rc : errno));
                return 1;
        }
        return 0;
}

/* ---- watching -------------------------------------------------------------------------------------------- */

/* A key may need what the one before it did: the picture is drawn after each, and shown after the last. */
static void handle_keys(struct watch *w, struct screen *s)
{
        wchar_t code;
        bool function;
        while (!w->ui.quit && term_key(&code, &function)) {
                ui_key(&w->ui, code, function);
                draw(s, &w->model, &w->ui);
        }
}

/* Returns false when the program is to end. */
static bool handle_signals(struct ui *ui)
{
        if (term_signals.end)
                return false;
        if (term_signals.stopped)
                term_stop();
        if (term_signals.continued) {
                term_redo();
                ui->redraw = true;
        }
        if (term_signals.resized) {
                term_signals.resized = 0;
                ui->redraw = true;
        }
        return true;
}

static bool refresh_screen(struct watch *w, struct screen *s)
{
        int width, height;
        term_size(&width, &height);
        if ((s->width != width || s->height != height) && !screen_resize(s, width, height))
                return false;
        w->ui.clock_ns = clock_ns(CLOCK_REALTIME);
        draw(s, &w->model, &w->ui);
        term_show(s, w->ui.redraw);
        w->ui.redraw = false;
        return true;
}

static void watch_loop(struct watch *w)
{
        struct screen s = {.ascii = w->ui.ascii};
        int64_t interval = (int64_t)w->options.interval_ms * 1000000, next = clock_ns(CLOCK_MONOTONIC) + interval;
        while (!w->ui.quit && handle_signals(&w->ui)) {
                int64_t now = clock_ns(CLOCK_MONOTONIC);
                if (now >= next) {
                        if (!w->ui.paused)
                                look(w);
                        next = now + interval;
                }
                if (!refresh_screen(w, &s))
                        break;
                int64_t left = (next - clock_ns(CLOCK_MONOTONIC)) / 1000000 + 1;
                if (left > 1000)
                        left = 1000; /* the clock goes on */
                if (!term_wait(left > 0 ? (int)left : 0))
                        break;
                handle_keys(w, &s);
        }
        screen_free(&s);
}

static int watch(struct watch *w)
{
        char error[200];
        int rc = look(w);
        if (rc && rc != -ENOENT) /* a bus that does not exist yet is waited for */
                return fail_bus(w, rc);
        if (!term_open(!w->options.no_color, error, sizeof error)) {
                fprintf(stderr, "torctop: %s\n", error);
                return 1;
        }
        watch_loop(w);
        term_close();
        if (term_signals.end) { /* so that the parent sees what ended us */
                signal(term_signals.end, SIG_DFL);
                raise(term_signals.end);
        }
        return 0;
}

int main(int argc, char **argv)
{
        static struct watch w;
        setlocale(LC_CTYPE, "");
        int code = take_options(&w.options, argc, argv);
        if (code >= 0)
                return code;
        ui_init(&w.ui);
        w.ui.ascii = w.options.ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
        if (w.options.view < VIEW_COUNT)
                w.ui.view = (enum view_id)w.options.view;
        code = name_bus(&w);
        if (code)
                code = fail_bus(&w, code);
        else
                code = w.options.once || w.options.json ? print_once(&w) : watch(&w);
        torc_inspector_close(&w.inspector);
        model_free(&w.model);
        return code;
}
