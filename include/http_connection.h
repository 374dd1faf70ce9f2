// SPDX-License-Identifier: BSD-2-Clause
/* http_connection.h - A client of the unsubscribe page: bytes between its connection, with or
 * without TLS, and the page's thread (page.h). */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "acceptor.h"
#include "connection_limits.h"
#include "worker.h"

struct http_connection;
struct rejects;
struct page;

/* What the HTTP connections of all threads share; borrowed. */
struct http_shared {
    struct page *page; /* NULL: no page is served */
    struct connection_limits *limits;
    struct rejects *rejects;     /* those that there was no place for */
    unsigned most;               /* at once */
    struct acceptor_quota quota; /* of those that are open, with those that are turned away */
};

/* Makes and frees what only they count by. */
void http_shared_init(struct http_shared *shared);
void http_shared_fini(struct http_shared *shared);

/* Those of one thread. */
struct http_connections {
    struct worker *worker;
    struct http_shared *shared;
    struct http_connection *all; /* list */
    /* Given by the owner: one that holds such a place has to go, on this thread or another. */
    void (*make_room)(struct http_connections *home, const struct connection_place *place);
};

/* Serve the client at `fd`, which it takes, for 30 seconds at most; if there is no place for it, it
 * is closed. */
void http_connection_accept(struct http_connections *home, int fd, bool implicit_tls);
/* End the oldest HTTP connection from that place; false: there is none here. */
bool http_connection_make_room(struct http_connections *home, const struct connection_place *place);
/* The worker drains: all of them end. */
void http_connection_end_all(struct http_connections *home);

#endif
