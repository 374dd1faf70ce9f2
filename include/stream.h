// SPDX-License-Identifier: BSD-2-Clause
/* stream.h - Kinds of mail: what a message is for decides how fast it is tried, how long, and what
 * it overtakes. */
#ifndef STREAM_H
#define STREAM_H

#include "check.h"
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
MUST_CHECK bool stream_on_limit_parse(struct span name, enum stream_on_limit *on_limit_r);
const char *stream_on_limit_name(enum stream_on_limit on_limit);

/* A stream as configured: `stream "reset" { class = "security" }`. */
struct stream {
    char name[64];
    enum stream_class class;
    enum stream_on_limit on_limit;
};

const char *stream_class_name(enum stream_class class);
MUST_CHECK bool stream_class_parse(struct span name, enum stream_class *class_r);

/* Find a stream by name among `count`; NULL when there is none. Names are compared as they are. */
const struct stream *stream_find(const struct stream *streams, size_t count, struct span name);

/* How long to wait after the n-th failed attempt (1 is the first), in ms, before jitter. */
int64_t stream_delay_ms(enum stream_class class, unsigned failed);
/* How long a message of this class is tried, in ms. */
int64_t stream_lifetime_ms(enum stream_class class);

#endif
