// SPDX-License-Identifier: BSD-2-Clause
/* came_back.h - What has come back to a recipient's return path is written down: an event of its
 * message, though that may have ended long ago, and what follows for the suppression list. */
#ifndef CAME_BACK_H
#define CAME_BACK_H

#include "database.h"
#include "returns_claims.h"
#include "returns_token.h"

enum came_back_result {
    CAME_BACK_UNKNOWN, /* no message has such a recipient (any more) */
    CAME_BACK_NOTHING, /* nothing follows */
    CAME_BACK_AGAIN,   /* it was told before: nothing follows */
    CAME_BACK_NOTED
};

struct came_back {
    struct returns_subject subject; /* opened with a key of ours, and for the domain that it had */
    char sender[ADDRESS_MAX + 1];   /* as was said at MAIL */
    struct returns_claims claims;
    /* Who we are, and for how long a mailbox that is not there is suppressed. Borrowed. */
    const char *hostname;
    const char *const *ips;
    size_t ip_count;
    unsigned suppress_days;
    /* out */
    char tenant[64]; /* whose mail it was; "": it waits still, and nobody has asked */
    enum came_back_result result;
    enum returns_event event;
    char recipient[ADDRESS_MAX + 1];
    char category[40]; /* of a reason that was told; "": none was */
};

/* Is there such a recipient, whose time is not over? `context` is a struct came_back, of which
 * the subject is said, and `result` and `tenant` are set. Reads only. */
MUST_CHECK bool database_awaits_return(struct database *db, void *context, struct err *err);
/* In the store's transaction; `context` is a struct came_back. Each kind of event counts once for a
 * recipient of a message; a bounce once more when it says for the first time what is about the
 * recipient. A bounce suppresses by the rules of replies, a complaint all but security
 * mail of that tenant. */
MUST_CHECK bool database_came_back(struct database *db, void *context, struct err *err);

#endif
