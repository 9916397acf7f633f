/*
 * ctl.c - torc ctl: talk to the supervisor through its control socket.
 *
 * A request is one line of words separated by tabs; the reply is a line "ok" or "error MESSAGE", then text until
 * the supervisor closes. The commands and their checks are the supervisor's: this end only says what nobody could
 * mean.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ctl.h"
#include "cli.h"

#include "torc_admin.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define CTL_REQUEST_MAX 4096 /* bytes of a request line */
#define CTL_TIMEOUT_S   30   /* a supervisor that answers later than this is stopped or hung */

static const char help[] =
        "usage: torc ctl COMMAND [ARGUMENTS]\n"
        "\n"
        "Talk to the supervisor (torcd) of a bus.\n"
        "\n"
        "  status [--json]     groups, members, their state, pids, restarts\n"
        "  start NAME          start a group's members, or one member (GROUP-INDEX); ends back-off and quarantine\n"
        "  stop NAME           stop them and leave them stopped\n"
        "  restart NAME        stop and start them\n"
        "  scale GROUP N       run N members; only the difference is started or stopped\n"
        "  fence STREAM        shut every producer of a stream out\n"
        "  kick STREAM REF     disconnect a consumer; 'torc stat STREAM' shows the refs\n"
        "\n"
        "  --root DIR, --bus NAME   which bus (TORC_ROOT, TORC_BUS)\n"
        "\n"
        "The supervisor answers when it has begun; 'torc ctl status' shows how far it is.\n"
        "\n"
        "Examples:\n"
        "  torc ctl status\n"
        "  torc ctl restart telemetry-0\n"
        "  torc ctl scale telemetry 5\n"
        "\n"
        "Exit codes: 0 done, 1 refused or no supervisor, 2 wrong usage, 4 no answer in time\n";

static const struct option options[] = {CLI_COMMON_OPTIONS};

struct ctl_verb {
        const char *word;
        int least, most; /* arguments after it */
        const char *usage;
};

static const struct ctl_verb verbs[] = {
        {"status", 0, 1, "status [--json]"}, {"start", 1, 1, "start NAME"},    {"stop", 1, 1, "stop NAME"},
        {"restart", 1, 1, "restart NAME"},   {"scale", 2, 2, "scale GROUP N"}, {"fence", 1, 1, "fence STREAM"},
        {"kick", 2, 2, "kick STREAM REF"},
};

static const struct ctl_verb *ctl_find(const char *word)
{
        for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
                if (!strcmp(verbs[i].word, word))
                        return &verbs[i];
        return NULL;
}

/* The words as one request line. A tab or a line feed inside a word would change its meaning. */
static int ctl_request(char *line, size_t cap, int argc, char **argv)
{
        size_t len = 0;
        for (int i = 0; i < argc; i++) {
                size_t n = strlen(argv[i]);
                if (strpbrk(argv[i], "\t\n"))
                        return cli_usage("'%s' holds a tab or a line feed", cli_safe(argv[i]));
                if (n + 1 > cap - len - 1)
                        return cli_usage("the request is longer than %d bytes", CTL_REQUEST_MAX);
                memcpy(line + len, argv[i], n);
                len += n;
                line[len++] = i + 1 < argc ? '\t' : '\n';
        }
        line[len] = '\0';
        return CLI_GO_ON;
}

/* The directory of the bus, without attaching to it. */
static int ctl_directory(const struct cli_common *common)
{
        char root[PATH_MAX], path[PATH_MAX + TORC_LABEL_MAX + 2];
        int rc = 0;
        if (common->root)
                rc = snprintf(root, sizeof root, "%s", common->root) >= (int)sizeof root ? -ENAMETOOLONG : 0;
        else
                rc = torc_root_default(root, sizeof root);
        if (rc)
                return rc;
        int n = snprintf(path, sizeof path, "%s/%s", root, common->bus ? common->bus : "default");
        if (n < 0 || (size_t)n >= sizeof path)
                return -ENAMETOOLONG;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Connect by way of the directory's descriptor: a socket address holds 107 bytes only, a path may be longer. */
static int ctl_connect(const struct cli_common *common)
{
        int dir = ctl_directory(common);
        if (dir < 0)
                return dir;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct timeval patience = {.tv_sec = CTL_TIMEOUT_S};
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", dir);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int rc = fd < 0 ? -errno : 0;
        if (rc == 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
                        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) ||
                        connect(fd, (struct sockaddr *)&address, sizeof address)))
                rc = -errno;
        close(dir);
        if (rc && fd >= 0)
                close(fd);
        return rc ? rc : fd;
}

static int ctl_explain(const struct cli_common *common, int rc)
{
        switch (rc) {
        case -ENOENT:
        case -ECONNREFUSED:
                return cli_fail("no supervisor runs on bus '%s'; --bus names another, and torcd -c torc.ini starts one",
                                cli_safe(common->bus ? common->bus : "default"));
        case -EACCES:
        case -EPERM:
                return cli_fail("no permission: bus '%s' or its supervisor belongs to another user",
                                cli_safe(common->bus ? common->bus : "default"));
        case -EAGAIN:
                cli_warn("the supervisor has not answered for %d s; it may be stopped (see 'ps')", CTL_TIMEOUT_S);
                return CLI_TIMEOUT;
        default:
                return cli_fail("cannot talk to the supervisor: %s", torc_strerror(rc));
        }
}

static int ctl_send(int fd, const char *line)
{
        size_t len = strlen(line);
        while (len) {
                ssize_t n = send(fd, line, len, MSG_NOSIGNAL);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        line += n;
                        len -= (size_t)n;
                }
        }
        return shutdown(fd, SHUT_WR) ? -errno : 0;
}

/* Read the whole reply. *text is for free(3). */
static int ctl_receive(int fd, char **text)
{
        char *buf = NULL;
        size_t len = 0, cap = 0;
        for (;;) {
                if (cap - len < 4096) {
                        char *more = realloc(buf, cap + 65536);
                        if (!more) {
                                free(buf);
                                return -ENOMEM;
                        }
                        buf = more;
                        cap += 65536;
                }
                ssize_t n = recv(fd, buf + len, cap - len - 1, 0);
                if (n == 0)
                        break;
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        int rc = -errno;
                        free(buf);
                        return rc;
                }
                len += (size_t)n;
        }
        buf[len] = '\0';
        *text = buf;
        return 0;
}

/* Lines of others: what a terminal would obey is shown instead. Tabs become blanks. */
static int ctl_print(char *text)
{
        for (char *line; (line = strsep(&text, "\n"));) {
                for (char *p = line; *p; p++)
                        if (*p == '\t')
                                *p = ' ';
                if (*line && puts(cli_safe(line)) < 0)
                        return cli_fail("cannot write: %s", torc_strerror(-errno));
        }
        return fflush(stdout) ? cli_fail("cannot write: %s", torc_strerror(-errno)) : CLI_OK;
}

enum ctl_form { CTL_LINES, CTL_STATUS, CTL_STATUS_JSON };

static int ctl_answer(char *reply, enum ctl_form form)
{
        char *body = reply;
        const char *head = strsep(&body, "\n");
        if (strcmp(head, "ok") == 0 && body)
                return form == CTL_LINES ? ctl_print(body) : ctl_status(body, form == CTL_STATUS_JSON);
        if (strncmp(head, "error ", 6) == 0)
                return cli_fail("%s", cli_safe(head + 6));
        return cli_fail("the supervisor closed the connection without an answer");
}

/* `status --json`: how it is printed is our business, not the supervisor's. Returns CLI_GO_ON or an exit code. */
static int ctl_choose_form(int *argc, char **argv, enum ctl_form *form)
{
        *form = CTL_LINES;
        if (strcmp(argv[0], "status") != 0)
                return CLI_GO_ON;
        *form = CTL_STATUS;
        if (*argc < 2)
                return CLI_GO_ON;
        if (strcmp(argv[1], "--json") != 0)
                return cli_usage("it is: torc ctl status [--json]");
        *form = CTL_STATUS_JSON;
        *argc = 1;
        return CLI_GO_ON;
}

int cmd_ctl(int argc, char **argv)
{
        char line[CTL_REQUEST_MAX];
        struct cli_common common;
        int option, code;

        cli_begin(&common, argv[0]);
        /* '+': what follows the command's word belongs to it. */
        while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
                if (cli_option(&common, option, help, &code) && code != CLI_GO_ON)
                        return code;
        if (optind == argc)
                return cli_usage("which command?");
        const struct ctl_verb *verb = ctl_find(argv[optind]);
        int arguments = argc - optind - 1;
        if (!verb)
                return cli_usage("unknown command '%s'", cli_safe(argv[optind]));
        if (arguments < verb->least || arguments > verb->most)
                return cli_usage("it is: torc ctl %s", verb->usage);
        int words = argc - optind;
        enum ctl_form form;
        code = ctl_choose_form(&words, argv + optind, &form);
        if (code == CLI_GO_ON)
                code = ctl_request(line, sizeof line, words, argv + optind);
        if (code != CLI_GO_ON)
                return code;
        int fd = ctl_connect(&common);
        if (fd < 0)
                return ctl_explain(&common, fd);
        char *reply = NULL;
        int rc = ctl_send(fd, line);
        if (rc == 0 || rc == -EPIPE) /* refused before it was read: the reply says why */
                rc = ctl_receive(fd, &reply);
        close(fd);
        code = rc ? ctl_explain(&common, rc) : ctl_answer(reply, form);
        free(reply);
        return code;
}
