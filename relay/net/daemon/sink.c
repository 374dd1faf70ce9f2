// SPDX-License-Identifier: BSD-2-Clause
/* sink.c - A receiving server on one thread: the same SMTP machine as the relay's, without
 * authentication, that keeps whole messages in memory. */
#include "server.h"

#include "acceptor.h"
#include "connection.h"
#include "key.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

struct server {
    uv_loop_t loop;
    struct acceptor acceptor;
    uv_signal_t terminate, interrupt;
    const struct server_sink *sink;
    struct submission_settings settings;
    struct tls_context *tls;
    struct guest *guests;
};

struct guest {
    struct guest *next, *prev;
    struct server *server;
    struct connection *connection;
    struct submission submission;
    struct buf message; /* what was spilled */
    char peer[64];
};

static void give(struct guest *g)
{
    struct submission *s = &g->submission;
    char tls[80] = "";
    buf_add(&g->message, buf_span(&s->body));
    if (connection_tls(g->connection))
        tls_describe(connection_tls(g->connection), tls, sizeof(tls));
    struct server_sunk mail = {.sender = span_of(s->envelope.sender),
                               .message = buf_span(&g->message),
                               .envelope = &s->envelope,
                               .peer = g->peer,
                               .helo = s->helo,
                               .tls = tls,
                               .user = s->authenticated ? s->identity.name : ""};
    bool taken = g->server->sink->on_mail(g->server->sink->context, &mail);
    struct verdict v = taken ? verdict_make(250, "2.0.0", "OK taken")
                             : verdict_make(451, "4.3.0", "Message could not be kept");
    buf_fini(&g->message);
    submission_enqueue_decided(s, &v);
}

/* Whoever logs in is who he says, unless one name and password are asked for. */
static void decide(struct guest *g)
{
    const struct server_sink *sink = g->server->sink;
    struct identity identity = {0};
    const struct submission_claim claim = submission_auth(&g->submission);
    bool good = !sink->user || (span_equal(claim.name, span_of(sink->user)) &&
                                span_equal(claim.secret, span_of(sink->password)));
    good = good && span_copy(claim.name, identity.name, sizeof(identity.name));
    submission_auth_decided(&g->submission, good ? &identity : NULL, false);
}

static void pump(struct guest *g)
{
    struct submission *s = &g->submission;
    while (s->want == SUBMISSION_ENQUEUE || s->want == SUBMISSION_SPILL ||
           s->want == SUBMISSION_AUTH) {
        if (s->want == SUBMISSION_ENQUEUE) {
            give(g);
        } else if (s->want == SUBMISSION_AUTH) {
            decide(g);
        } else {
            buf_add(&g->message, buf_span(&s->body));
            submission_spilled(s, NULL);
        }
    }
    connection_write(g->connection, &s->out);
    if (s->want == SUBMISSION_TLS && !connection_tls(g->connection))
        connection_accept_tls(g->connection, g->server->tls, TLS_SMTP);
    if (s->want == SUBMISSION_CLOSE)
        connection_finish(g->connection, NULL);
    else
        connection_want_bytes(g->connection, true);
}

static void on_bytes(void *owner, struct span bytes)
{
    struct guest *g = owner;
    if (g->submission.want == SUBMISSION_INPUT) {
        submission_input(&g->submission, bytes);
        if (g->submission.phase != SUBMISSION_DATA && g->submission.want == SUBMISSION_INPUT)
            buf_fini(&g->message);
        pump(g);
    }
}

static void on_secured(void *owner)
{
    struct guest *g = owner;
    submission_tls_started(&g->submission);
    pump(g);
}

static void on_ended(void *owner, const char *why)
{
    struct guest *g = owner;
    (void)why;
    DL_DELETE(g->server->guests, g);
    submission_fini(&g->submission);
    buf_fini(&g->message);
    free(g);
}

static const struct connection_events events = {
    .bytes = on_bytes, .secured = on_secured, .ended = on_ended};

static void on_client(void *context, int fd)
{
    struct server *server = context;
    struct guest *g = xcalloc(1, sizeof(*g));
    g->server = server;
    buf_init(&g->message, server->sink->size_max + SUBMISSION_MEMORY);
    DL_APPEND(server->guests, g);
    submission_init(&g->submission, &server->settings);
    g->connection = connection_accept(&server->loop, fd, &events, g);
    connection_peer(g->connection, g->peer);
    connection_set_timeout(g->connection, 300);
    pump(g);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct server *server = signal->data;
    struct guest *g;
    struct guest *next;
    (void)number;
    if (uv_is_closing((uv_handle_t *)&server->terminate))
        return;
    if (server->acceptor.context)
        acceptor_close(&server->acceptor, NULL);
    uv_close((uv_handle_t *)&server->terminate, NULL);
    uv_close((uv_handle_t *)&server->interrupt, NULL);
    DL_FOREACH_SAFE (server->guests, g, next)
        connection_close(g->connection, "closing down");
}

static bool make_tls(struct server *server, const char *host, struct err *err)
{
    struct buf certificate;
    struct buf key;
    buf_init(&certificate, 16 * 1024);
    buf_init(&key, 16 * 1024);
    bool ok = key_self_signed(host, &certificate, &key, err) &&
              tls_server_context_from(buf_span(&certificate), buf_span(&key), &server->tls, err);
    buf_fini(&certificate);
    buf_fini(&key);
    return ok;
}

static bool listen_on(struct server *server, const struct server_sink *sink, struct err *err)
{
    struct sockaddr_storage address = {0};
    bool valid = uv_ip4_addr(sink->host, (int)sink->port, (struct sockaddr_in *)&address) == 0 ||
                 uv_ip6_addr(sink->host, (int)sink->port, (struct sockaddr_in6 *)&address) == 0;
    if (!valid)
        return err_set(err, ERR_USAGE, "%s is not an IP address", sink->host);
    int one = 1;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                 bind(fd, (const struct sockaddr *)&address,
                      address.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(struct sockaddr_in)) == 0;
    if (bound &&
        acceptor_listen(&server->acceptor, &server->loop, fd, 512, "sink", on_client, server) == 0)
        return true;
    err_set(err, ERR_SYSTEM, "cannot listen on %s:%u: %s", sink->host, sink->port, strerror(errno));
    if (!bound && fd >= 0)
        close(fd);
    return false;
}

bool server_sink(const struct server_sink *sink, struct err *err)
{
    struct server server = {.sink = sink};
    server.settings = (struct submission_settings){.hostname = "sink.localhost",
                                                   .size_max = sink->size_max,
                                                   .rcpt_max = 1000,
                                                   .mail_max = 1000000,
                                                   .open = true,
                                                   .login = sink->user != NULL};
    signal(SIGPIPE, SIG_IGN);
    CHECK(uv_loop_init(&server.loop) == 0);
    uv_signal_init(&server.loop, &server.terminate);
    uv_signal_init(&server.loop, &server.interrupt);
    server.terminate.data = server.interrupt.data = &server;
    bool ok = make_tls(&server, server.settings.hostname, err) && listen_on(&server, sink, err);
    if (ok) {
        uv_signal_start(&server.terminate, on_terminate, SIGTERM);
        uv_signal_start(&server.interrupt, on_terminate, SIGINT);
        sink->on_ready(sink->context);
    } else {
        on_terminate(&server.terminate, 0);
    }
    uv_run(&server.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&server.loop) == 0);
    tls_context_free(server.tls);
    return ok;
}
