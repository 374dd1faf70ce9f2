// SPDX-License-Identifier: BSD-2-Clause
/* fetch_order.h - What the relay and its fetcher say to each other. The fetcher is a process beside
 * the relay that speaks HTTP to others, and has no key, no store and no mail.
 *
 *   relay -> fetcher   a datagram, struct fetch_order, with a socket attached: the stream; and
 *                      perhaps a file: the authorities
 *   relay -> stream    what is posted, up to its end
 *   stream -> relay    struct fetch_head, then as many bytes of the answer as it says
 *
 * Both are built together and run on one machine: the structs are sent as they are.
 */
#ifndef FETCH_ORDER_H
#define FETCH_ORDER_H

#include <stdbool.h>
#include <stdint.h>

enum { FETCH_URL_MAX = 2048, FETCH_POST_MAX = 4 * 1024 * 1024, FETCH_ANSWER_MAX = 1024 * 1024 };

/* How it ended. State, not text: what to do next depends on it. */
enum fetch_outcome {
    FETCH_ANSWERED,  /* a whole answer came; its status may be any */
    FETCH_NO_NAME,   /* the host's name leads to no address */
    FETCH_NO_ROUTE,  /* no connection */
    FETCH_UNTRUSTED, /* the certificate is not one to trust, or not of this name */
    FETCH_NO_TLS,    /* no TLS could be spoken */
    FETCH_TIMED_OUT, /* in `timeout_s`, all in all */
    FETCH_TOO_LARGE, /* the answer is over `answer_max` */
    FETCH_NOT_HTTP,  /* what came is no HTTP/1.1 */
    FETCH_BUSY,      /* too many at once */
    FETCH_GONE,      /* the fetcher itself has failed */
    FETCH_OUTCOMES
};

struct fetch_order {
    char url[FETCH_URL_MAX];
    char addresses[1024];   /* where the host is: "192.0.2.1,[2001:db8::1]"; "" let it find out */
    char content_type[64];  /* of what is posted; "" nothing is: GET */
    char authorities[1024]; /* a file of those that are trusted, which is attached, open, behind
                             * the stream; "" the system's */
    uint32_t answer_max;    /* bytes, at most FETCH_ANSWER_MAX; what is over it ends the fetch */
    uint32_t timeout_s;     /* for all of it */
    bool clear;             /* http:// is allowed, too */
    bool public_only;       /* no address that cannot be a public host's is connected to */
    char fields[1024];      /* further header fields, one a line; with what is posted */
};

struct fetch_head {
    uint32_t outcome;      /* enum fetch_outcome */
    int32_t status;        /* of HTTP; 0 none */
    int32_t retry_after_s; /* how long it wants to be left alone; 0 not said */
    uint32_t len;          /* bytes of the answer that follow */
    char content_type[128];
    char why[256]; /* for a person; "" it was answered */
};

#endif
