/*
 * control.c - the control socket: who may ask, and how requests come in and replies go out.
 *
 * One request a connection: a line of words between tabs. The reply is "ok" or "error MESSAGE", then for some
 * requests more lines, then end of file. Nothing here waits for a client: requests are gathered and replies handed
 * out as the socket takes them, both within a limit of size and time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "log.h"
#include "sup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX 4096
#define CLIENTS_MAX 64
#define CLIENT_NS   (10000 * MS) /* a client's whole visit */

struct sup_client {
        struct source source;
        struct sup_client *next;
        int64_t due_ns;
        uid_t uid;
        size_t have;
        char request[REQUEST_MAX];
        bool answering;
        struct reply reply;
        size_t sent;
};

void reply_add(struct reply *reply, const char *format, ...)
{
        va_list args;
        for (;;) {
                size_t room = reply->cap - reply->len;
                va_start(args, format);
                int n = vsnprintf(reply->data ? reply->data + reply->len : NULL, room, format, args);
                va_end(args);
                if (n < 0)
                        return;
                if ((size_t)n < room) {
                        reply->len += (size_t)n;
                        return;
                }
                size_t cap = (reply->cap + (size_t)n + 1) * 2;
                char *more = realloc(reply->data, cap);
                if (!more) {
                        reply->failed = true;
                        return;
                }
                reply->data = more;
                reply->cap = cap;
        }
}

/* ---- one client ------------------------------------------------------------------------------------------ */

static void client_close(struct sup *sup, struct sup_client *client)
{
        struct sup_client **at = &sup->clients;
        while (*at != client)
                at = &(*at)->next;
        *at = client->next;
        sup->n_clients--;
        source_close(sup, &client->source);
        free(client->reply.data);
        free(client);
}

static void client_send(struct sup *sup, struct sup_client *client)
{
        while (client->sent < client->reply.len) {
                ssize_t n = send(client->source.fd, client->reply.data + client->sent,
                                 client->reply.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n < 0)
                        break;
                client->sent += (size_t)n;
        }
        client_close(sup, client);
}

/* Answer, and stop listening. */
static void client_answer(struct sup *sup, struct sup_client *client, const char *error)
{
        client->answering = true;
        if (error)
                reply_add(&client->reply, "error %s\n", error);
        else
                command_run(sup, client->request, client->uid, &client->reply);
        if (client->reply.failed) {
                client_close(sup, client);
                return;
        }
        source_change(sup, &client->source, EPOLLOUT);
        client_send(sup, client);
}

static void client_receive(struct sup *sup, struct sup_client *client)
{
        ssize_t n =
                recv(client->source.fd, client->request + client->have, REQUEST_MAX - client->have, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n < 0 || (n == 0 && client->have == 0)) {
                client_close(sup, client);
                return;
        }
        char *line = memchr(client->request + client->have, '\n', (size_t)n);
        client->have += (size_t)n;
        if (line)
                *line = '\0';
        if (line && strlen(client->request) != (size_t)(line - client->request))
                client_answer(sup, client, "a request holds no NUL");
        else if (line)
                client_answer(sup, client, NULL);
        else if (n == 0)
                client_answer(sup, client, "a request ends with a newline");
        else if (client->have == REQUEST_MAX)
                client_answer(sup, client, "the request is too long");
}

static void client_ready(struct sup *sup, struct source *source, uint32_t events)
{
        struct sup_client *client = SOURCE_OF(source, struct sup_client, source);
        if (client->answering)
                client_send(sup, client);
        else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                client_receive(sup, client);
}

/* ---- all of them ----------------------------------------------------------------------------------------- */

static void control_refuse(int fd, const char *message)
{
        char line[128];
        int n = snprintf(line, sizeof line, "error %s\n", message);
        ssize_t sent = send(fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent;
        close(fd);
}

static void control_accept(struct sup *sup, struct source *source, uint32_t events)
{
        struct ucred who;
        socklen_t size = sizeof who;
        (void)events;
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
                return;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) || (who.uid != geteuid() && who.uid != 0)) {
                log_warn("uid %u is refused on the control socket", (unsigned)who.uid);
                control_refuse(fd, "only the supervisor's own user and root may use the control socket");
                return;
        }
        if (sup->n_clients >= CLIENTS_MAX) {
                control_refuse(fd, "too many connections to the control socket; try again");
                return;
        }
        struct sup_client *client = calloc(1, sizeof *client);
        if (!client) {
                close(fd);
                return;
        }
        source_init(&client->source, client_ready);
        client->uid = who.uid;
        client->due_ns = sup_now() + CLIENT_NS;
        client->next = sup->clients;
        sup->clients = client;
        sup->n_clients++;
        if (source_watch(sup, &client->source, fd, EPOLLIN))
                client_close(sup, client);
}

int64_t control_due(const struct sup *sup)
{
        int64_t due = MEMBER_NEVER;
        for (const struct sup_client *c = sup->clients; c; c = c->next)
                if (c->due_ns < due)
                        due = c->due_ns;
        return due;
}

void control_tick(struct sup *sup, int64_t now)
{
        for (struct sup_client *c = sup->clients, *next; c; c = next) {
                next = c->next;
                if (now >= c->due_ns)
                        client_close(sup, c);
        }
}

/* Through /proc/self/fd, because the bus's path may be longer than a socket's name can be. */
static int control_bind(int fd, const char *bus_path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int dir = open(bus_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return -errno;
        /* We hold the supervisor's lock: what stands there is a dead torcd's. */
        unlinkat(dir, "control", 0);
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", dir);
        mode_t old = umask(0177);
        int rc = bind(fd, (const struct sockaddr *)&address, sizeof address) ? -errno : 0;
        umask(old);
        close(dir);
        return rc;
}

void control_open(struct sup *sup)
{
        source_init(&sup->listener, control_accept);
        snprintf(sup->control, sizeof sup->control, "%.*s/control", PATH_MAX - 16, torc_bus_path(sup->bus));
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int rc = fd < 0 ? -errno : control_bind(fd, torc_bus_path(sup->bus));
        if (rc == 0 && listen(fd, 64))
                rc = -errno;
        if (rc == 0)
                rc = source_watch(sup, &sup->listener, fd, EPOLLIN);
        if (rc)
                log_warn("%s: %s; 'torc ctl' will not work", sup->control, torc_strerror(rc));
}

void control_close(struct sup *sup)
{
        while (sup->clients)
                client_close(sup, sup->clients);
        source_close(sup, &sup->listener);
        unlink(sup->control);
}
