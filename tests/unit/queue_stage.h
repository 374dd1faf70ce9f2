// SPDX-License-Identifier: BSD-2-Clause
/* queue_stage.h - A small stage for the core of the queue: servers that behave as told, virtual time, and a trace.
 *
 * Domains lead to the host of the same name with "mx." before it, unless told otherwise; hosts are machines of their
 * own. The stage plays the shell: it tries addresses, greets, speaks, settles. Its trace has a line for each thing.
 */
#ifndef QUEUE_STAGE_H
#define QUEUE_STAGE_H

#include "table.h"

#include "queue.h"
#include "queue_connection.h"
#include "queue_view.h"

#include <stdlib.h>

/* SERVER_FULL says 421; SERVER_STALLS greets, and then says nothing more; SERVER_MUTE says nothing more after the dot, where
 * nothing hurries it. */
enum server_kind { SERVER_GOOD, SERVER_HANGS, SERVER_REFUSES, SERVER_FULL, SERVER_STALLS, SERVER_MUTE };

struct stage_domain {
    const char *name; /* or the beginning of many: "d*" */
    const char *hosts[3];
    const char *route;
    unsigned limit;
    bool mute;
    int64_t mute_ms; /* so long; 0: 20 s */
};

struct stage_server {
    const char *host; /* or "d*" */
    enum server_kind kind;
    unsigned accepts; /* connections at once; 0: any number */
    int64_t message_ms, greet_ms;
    unsigned machine; /* the same number: the same address; 0: its own */
    const char *slow_domain; /* to which a message takes slow_ms; NULL: none */
    int64_t slow_ms;
    const char *stalls_over; /* domains that begin so: it takes their mail, and then says nothing, until it is hurried */
    int64_t mute_from_ms; /* SERVER_MUTE: before then it is good */
};

struct stage_event {
    int64_t at_ms;
    int kind;
    uint64_t connection;
    unsigned step;
    const struct queue_attempt *attempt;
    char name[80];
};

struct stage_connection {
    uint64_t id, trust;
    bool open, busy, idle, counted, refused;
    unsigned step, shard;
    const struct queue_attempt *attempt;
    char domain[80];
    size_t host;
    unsigned machine;
};

enum { STAGE_CONNECTIONS = 4096, STAGE_MESSAGES = 20000 };

struct stage {
    struct queue *queue;
    int64_t now_ms;
    const struct stage_domain *domains;
    const struct stage_server *servers;
    struct stage_event *events;
    size_t event_count, event_size;
    struct stage_connection connections[STAGE_CONNECTIONS];
    unsigned machine_now[70000], machine_most[70000], machine_tries[70000];
    size_t open_now, open_most, delivered, settled_untried, deferred, given_back, resolving;
    int64_t begun_ms[STAGE_MESSAGES], done_ms[STAGE_MESSAGES]; /* by message; -1: not */
    size_t order_of[STAGE_MESSAGES], begun;
    const char *bad_route, *bad_why;
    uint64_t trust;
    bool tracing; /* into `trace` */
    char *trace;
    size_t trace_len, trace_size;
};

struct stage *stage_new(const struct queue_settings *settings, const struct stage_domain *domains,
                        const struct stage_server *servers);
void stage_free(struct stage *s);
/* A recipient, due now; it lives for an hour. */
void stage_add(struct stage *s, int64_t message, const char *tenant, const char *domain, enum stream_class class);
void stage_add_entry(struct stage *s, struct queue_entry e);
unsigned machine_number(const struct stage *s, const char *host);
/* Connections of this route end so when they have been greeted. */
void stage_refuse_next_route(struct stage *s, const char *route, const char *why);
void stage_run(struct stage *s, int64_t for_ms);
/* Run until these messages are done, or for so long. Returns how long it took. */
int64_t stage_run_until(struct stage *s, int64_t first, int64_t last, int64_t for_ms);
/* Does the trace hold these lines, in this order, others between them? Each line is the time in s (one digit), two
 * blanks, and what happened. */
void stage_expect(const struct stage *s, const char *const *lines, size_t count);

#endif
