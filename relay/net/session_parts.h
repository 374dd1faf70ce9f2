// SPDX-License-Identifier: BSD-2-Clause
/* session_parts.h - A client's session, for those files that are parts of it. */
#ifndef SESSION_PARTS_H
#define SESSION_PARTS_H

#include "admit.h"
#include "connection.h"
#include "session.h"

#include <uthash.h>

struct session {
    uint64_t id;
    struct shard *shard;
    const struct settings *settings;
    struct connection *connection;
    struct submission submission;
    struct admission admission;
    struct intake *intake;
    char *once; /* of the message that is being decided on; see struct store_job */
    char peer[64];
    bool implicit_tls, started, asking, counted;
    /* How it gets on, see session_end_slow(). */
    uint64_t bytes, then_bytes, then_ms;
    unsigned then_lines;
    bool then_data;
    UT_hash_handle hh;
};

/* Answer what the machine wants, send what it says: at the end of every callback. */
void session_pump(struct session *s);

#endif
