// SPDX-License-Identifier: BSD-2-Clause
/* stream.h - Streams and classes of mail. The class decides how soon a message is tried again, for
 * how long, and which mail it overtakes. */
#ifndef STREAM_H
#define STREAM_H

#include "check.h"
#include "language.h"
#include "span.h"

#include <stdint.h>

/* In order of urgency: a smaller value is sent first. Stored in the database: never renumber. */
enum stream_class {
    STREAM_SECURITY = 0,
    STREAM_CONFIRMATION = 1,
    STREAM_NOTIFICATION = 2,
    STREAM_INVITATION = 3,
    STREAM_DIGEST = 4,
    STREAM_CLASSES = 5
};

/* What happens to mail of a stream that is over a recipient's limit. */
enum stream_on_limit {
    STREAM_PACE,  /* it waits for its slot, when that comes soon; else 450 */
    STREAM_DEFER, /* 450 at once */
    STREAM_REJECT /* 550 at once */
};

/* How its recipients can end it. */
enum stream_unsubscribe {
    STREAM_STAY,      /* they cannot: nothing is added */
    STREAM_ONE_CLICK, /* by our own link */
    STREAM_OWN_URL    /* by a link that the application serves */
};

/* What TLS with the receiver must be. */
enum stream_tls {
    STREAM_TLS_MAY,   /* as its route and its receiver say */
    STREAM_TLS_VERIFY /* verified, or the mail waits */
};

enum { STREAM_RETRIES_MAX = 16 };

/* A stream as configured: `stream "reset" { class = "security" }`. */
struct stream {
    char name[64];
    enum stream_class class;
    enum stream_on_limit on_limit;
    enum stream_tls tls;
    enum stream_unsubscribe unsubscribe;
    char source[33];                  /* where its mail leaves from (config_sources.h); "" */
    char url[512];                    /* STREAM_OWN_URL: the template */
    char sender[128];                 /* who sends it, for people; empty: nothing is said */
    uint32_t color;                   /* of who sends it, for people: 0xrrggbb */
    char titles[LANGUAGE_COUNT][128]; /* for people; empty: see stream_title() */
    int64_t lifetime_ms;              /* 0: the class's */
    int64_t delay_notice_ms; /* then senders are told that it is late; 0: who has asked for it */
    int64_t retries_ms[STREAM_RETRIES_MAX]; /* after the n-th failure; the last one repeats; */
    size_t retry_count;                     /* 0: the class's */
};

/* Its name for people: in that language, else in English, else the name in the config. */
const char *stream_title(const struct stream *s, enum language language);

/* As the settings have it: "security", "digest" … */
const char *stream_class_name(enum stream_class class);
MUST_CHECK bool stream_class_parse(struct span name, enum stream_class *class_r);

/* Find a stream by name among `count`; NULL when there is none. Names are compared as they are. */
const struct stream *stream_find(const struct stream *streams, size_t count, struct span name);

/* How long to wait after the n-th failed attempt (1 is the first), in ms, before jitter. `s`: the
 * stream, or NULL for what its class says. */
int64_t stream_delay_ms(const struct stream *s, enum stream_class class, unsigned failed);
/* After how long, in ms, a sender who is told of delays is told that a message is late: as the
 * stream says, else by its class, but not after half of its lifetime. */
int64_t stream_late_ms(const struct stream *s, enum stream_class class);
/* How long a message is tried, in ms. */
int64_t stream_lifetime_ms(const struct stream *s, enum stream_class class);

#endif
