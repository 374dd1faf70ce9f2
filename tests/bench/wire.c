// SPDX-License-Identifier: BSD-2-Clause
/* wire.c - Sockets, OpenSSL on them, and lines out of one buffer. */
#include "wire.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int64_t wire_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void wire_set_up(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
}

bool wire_address(const char *text, struct sockaddr_in *address_r)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    *address_r = (struct sockaddr_in){.sin_family = AF_INET};
    if (!colon || (size_t)(colon - text) >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    address_r->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    return inet_pton(AF_INET, host, &address_r->sin_addr) == 1;
}

void wire_init(struct wire *w, int fd, unsigned timeout_s)
{
    int on = 1;
    struct timeval limit = {.tv_sec = timeout_s};
    w->fd = fd;
    w->ssl = NULL;
    w->at = w->len = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

bool wire_connect(struct wire *w, const struct sockaddr_in *address, unsigned timeout_s)
{
    wire_init(w, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), timeout_s);
    if (w->fd >= 0 && connect(w->fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
        return true;
    wire_close(w);
    return false;
}

bool wire_start_tls(struct wire *w, SSL_CTX *context, bool server)
{
    w->at = w->len = 0; /* nothing said in clear survives (RFC 3207 4.2) */
    w->ssl = SSL_new(context);
    if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1)
        return false;
    if (w->session && !server)
        SSL_set_session(w->ssl, w->session);
    return (server ? SSL_accept(w->ssl) : SSL_connect(w->ssl)) == 1;
}

void wire_keep_session(struct wire *w)
{
    if (!w->ssl)
        return;
    SSL_SESSION_free(w->session);
    w->session = SSL_get1_session(w->ssl);
}

void wire_close(struct wire *w)
{
    if (w->ssl) {
        SSL_shutdown(w->ssl);
        SSL_free(w->ssl);
    }
    if (w->fd >= 0)
        close(w->fd);
    w->ssl = NULL;
    w->fd = -1;
}

bool wire_write(struct wire *w, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t put = w->ssl ? SSL_write(w->ssl, bytes.ptr, (int)bytes.len)
                             : send(w->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        bytes = span_from(bytes, (size_t)put);
    }
    return true;
}

bool wire_fill(struct wire *w)
{
    if (w->at > 0)
        memmove(w->in, w->in + w->at, w->len - w->at);
    w->len -= w->at;
    w->at = 0;
    if (w->len == sizeof(w->in))
        return false;
    size_t room = sizeof(w->in) - w->len;
    ssize_t got =
        w->ssl ? SSL_read(w->ssl, w->in + w->len, (int)room) : recv(w->fd, w->in + w->len, room, 0);
    if (got <= 0)
        return false;
    w->len += (size_t)got;
    return true;
}

bool wire_line(struct wire *w, struct span *line_r)
{
    for (;;) {
        const char *end = memchr(w->in + w->at, '\n', w->len - w->at);
        if (end) {
            *line_r = (struct span){w->in + w->at, (size_t)(end + 1 - (w->in + w->at))};
            w->at += line_r->len;
            return true;
        }
        if (!wire_fill(w))
            return false;
    }
}

int wire_reply(struct wire *w, struct span *last_r)
{
    struct span line;
    do {
        if (!wire_line(w, &line) || line.len < 4)
            return 0;
    } while (line.ptr[3] == '-');
    uint64_t code = 0;
    if (last_r)
        *last_r = span_trim(line);
    return span_number(span_first(line, 3), &code) ? (int)code : 0;
}
