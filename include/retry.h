// SPDX-License-Identifier: BSD-2-Clause
/* retry.h - From a reply and the number of tries to done, later (with a time), or never. */
#ifndef RETRY_H
#define RETRY_H

#include "err.h"
#include "stream.h"

#include <stdint.h>

enum retry_what { RETRY_DONE, RETRY_LATER, RETRY_NEVER };

#define RETRY_OUR_SETTINGS "4.3.5" /* RFC 3463: our system is not set up correctly */

struct retry_input {
    struct verdict answer;       /* the remote server's, or ours in its place */
    const struct stream *stream; /* NULL: none, or none any more */
    enum stream_class class;
    unsigned tries;     /* before this one */
    bool not_attempted; /* nobody was asked: our own network, key or store was at fault, or the
                           destination rests. It costs no try; time goes on. */
    bool greylisted;    /* the answer says so: strangers are to come again (RFC 6647) */
    bool no_host; /* no host took the connection: it costs no try, and the next one comes as after
                     one more */
    int64_t now_ms;
    int64_t created_ms, expires_ms;
    uint32_t random; /* for the jitter: retry_random() */
};

struct retry_decision {
    enum retry_what what;
    bool expired;   /* with RETRY_NEVER: time ran out, no server said never */
    unsigned tries; /* to be stored */
    int64_t due_ms; /* with RETRY_LATER */
};

/* A 5xx is never retried; a 4xx is, by the class's schedule with jitter of a tenth either way. The
 * last attempt is made a little before the expiry, so that it can still be delivered in time; when
 * that one fails, or could not be made, whatever the reason, it is over. (RFC 5321 section 4.5.4.1)
 *
 * Who greylists is seen again when he has said, if that is within the hour and not within the
 * minute (class security: 15 s), three times; else just after five
 * minutes, which most want, and class security twice within the first. A schedule that a stream has
 * of its own only waits longer, when that was asked for. */
struct retry_decision retry_decide(const struct retry_input *in);

/* After what pause to look again whether something that mail waits for without a try has been found
 * out, when it has been due for `waited_ms`: after as long again, within bounds, so that much mail
 * that waits for a minute is not looked at all the time. */
int64_t retry_look_ms(int64_t waited_ms, bool urgent);

/* The same for all recipients of a message in one domain, so that what was deferred together goes
 * together again; another for each message, each domain and each try. */
uint32_t retry_random(int64_t message, const char *domain, unsigned tries);

/* What is said of a recipient whose time is over: what it was last deferred with, when there is
 * such an answer (its code is not 0); 4.4.7 where that was our own doing. */
struct verdict retry_expired(const struct verdict *last);

#endif
