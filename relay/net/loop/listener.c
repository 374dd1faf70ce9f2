// SPDX-License-Identifier: BSD-2-Clause
/* listener.c - Creates sockets directly, because SO_REUSEPORT must be set before bind(). */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct listener {
    struct acceptor acceptor;
    bool how; /* is TLS implicit; of what takes returns: do proxies say whose it is? */
    void (*taken)(void *context, int fd, bool how);
    unsigned (*wait_ms)(void *context);
    void *context;
    struct listener *next;
};

static const struct {
    int error;
    const char *text;
} advice[] = {
    {EADDRINUSE, ": another program listens there: stop it, or choose another port"},
    {EADDRNOTAVAIL,
     ": this machine has no such address: choose one of its own, or 0.0.0.0 or [::]"},
    {EACCES, ": start as root, give CAP_NET_BIND_SERVICE, or choose a port from 1024 on"},
    {EAFNOSUPPORT, ": this machine has no IPv6: choose an IPv4 address"},
};

static bool fault(struct err *err, const struct config *c, const struct config_listener *l,
                  const char *doing)
{
    const char *hint = "";
    int error = errno;
    for (size_t i = 0; i < COUNT_OF(advice); i++)
        if (advice[i].error == error)
            hint = advice[i].text;
    err_set(err, ERR_SYSTEM, "%s %s:%u: %s%s", doing, l->host, l->port, strerror(error), hint);
    return l->http ? config_blame(c, "http", NULL, "address", err)
                   : config_blame(c, "listener", l->name, "address", err);
}

static bool bind_socket(const struct config *c, const struct config_listener *l, bool share,
                        int *fd_r, struct err *err)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[16];
    int one = 1;
    snprintf(port, sizeof(port), "%u", l->port);
    if (getaddrinfo(l->host, port, &hints, &found) != 0)
        return err_set(err, ERR_CONFIG, "listener %s: %s is not an IP address", l->name, l->host);
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
              (!share || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) == 0) &&
              bind(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    if (ok) {
        *fd_r = fd;
        return true;
    }
    fault(err, c, l, "cannot bind");
    if (fd >= 0)
        close(fd);
    return false;
}

bool listener_check(const struct config *config, struct err *err)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        int fd = -1;
        if (!bind_socket(config, &config->listeners[i], false, &fd, err))
            return false;
        bool ok =
            listen(fd, 1) == 0 || fault(err, config, &config->listeners[i], "cannot listen on");
        close(fd);
        if (!ok)
            return false;
    }
    return true;
}

bool listener_bind_all(const struct config *config, int *sockets_r, struct err *err)
{
    for (size_t i = 0; i < config->shards * config->listener_count; i++)
        if (!bind_socket(config, &config->listeners[i % config->listener_count], true,
                         &sockets_r[i], err))
            return false;
    return true;
}

static void on_client(void *context, int fd)
{
    struct listener *l = context;
    l->taken(l->context, fd, l->how);
}

static unsigned wait_ms(void *context)
{
    const struct listener *l = context;
    return l->wait_ms ? l->wait_ms(l->context) : 0;
}

bool listener_open_all(uv_loop_t *loop, const struct config *config, const int *sockets,
                       const struct listener_clients *clients, struct listener **listeners_r,
                       struct err *err)
{
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *from = &config->listeners[i];
        struct listener *l = xcalloc(1, sizeof(*l));
        l->how = from->returns ? from->proxy_count > 0 : from->implicit_tls;
        l->taken = from->http ? clients->http : from->returns ? clients->returns : clients->mail;
        l->wait_ms = from->returns ? clients->returns_wait_ms : NULL;
        l->context = clients->context;
        l->acceptor.wait_ms = wait_ms;
        l->acceptor.quota = from->http      ? clients->http_quota
                            : from->returns ? clients->return_quota
                                            : clients->mail_quota;
        l->next = *listeners_r;
        *listeners_r = l;
        if (acceptor_listen(&l->acceptor, loop, sockets[i], BACKLOG, from->name, on_client, l) != 0)
            return fault(err, config, from, "cannot listen on");
    }
    return true;
}

void listener_close_all(struct listener **listeners)
{
    while (*listeners) {
        struct listener *l = *listeners;
        *listeners = l->next;
        acceptor_close(&l->acceptor, free);
    }
}
