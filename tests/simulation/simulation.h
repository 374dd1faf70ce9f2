// SPDX-License-Identifier: BSD-2-Clause
/* simulation.h - What the files of the simulation share: the one that is played, its events, and what
 * an onlooker checks.
 *
 *   simulation.c plays a run, events.c is its time, shell.c plays the shell (connections, decisions),
 *   onlooker.c counts for itself and says what must hold, world.c draws the world.
 */
#ifndef SIMULATION_H
#define SIMULATION_H

#include "world.h"

#include "queue_connection.h"
#include "queue_view.h"

#include <setjmp.h>

enum { CONNECTIONS_MAX = 512, TRIED_MAX = HOSTS_OF_SITE * SERVERS_OF_HOST };
enum { TRAVEL_MS = 3, STORE_MS = 10, CONNECT_TIMEOUT_MS = 30 * 1000 };
enum { MANY = 5300, MANY_FIRST = 1000000 }; /* messages for as many domains */
enum { STARVED = 25 }; /* no class may have been passed over so often */
enum { STALL_MS = 300 * 1000, HURRY_MS = 30 * 1000, MUTE_MS = 600 * 1000 };
enum { RACE_MS = 2000, PROBE_MS = 100, PROBED_MS = 10 * 1000 };

enum event_kind {
    EVENT_COMES,
    EVENT_RETRY,  /* by a person */
    EVENT_NAMES,  /* DNS has answered */
    EVENT_OPEN,   /* a decision has reached its shard */
    EVENT_SEND,
    EVENT_CLOSE,
    EVENT_TRY,    /* the next address */
    EVENT_FAILED, /* this address */
    EVENT_PROBES, /* by itself: the next address is tried */
    EVENT_PROBED, /* and it has failed */
    EVENT_GREETED,
    EVENT_SPOKEN, /* the message has been */
    EVENT_STUCK,  /* its time is over */
    EVENT_SETTLED,
    EVENT_MANY, /* domains of one more tenant's */
    EVENT_PAUSE,
    EVENT_GO_ON,
    EVENT_RELOAD
};

struct event {
    int64_t at_ms;
    uint64_t order, connection;
    enum event_kind kind;
    size_t what;
    const struct queue_attempt *attempt;
    bool gone, part; /* EVENT_SETTLED: for good; of the first only */
};

enum line_state { LINE_CLOSED, LINE_OPENING, LINE_BUSY, LINE_IDLE };

struct connection {
    uint64_t id, trust;
    enum line_state state;
    size_t site, server;
    const struct queue_attempt *attempt;
    int64_t took_ms; /* its attempt, and when that spoke */
    int64_t spoke_ms;
    bool passes[TENANTS_MAX]; /* its code, the other mail of these */
    bool passes_beside;       /* and that of another destination's, at the same machine */
    const char *destination;
    size_t tried[TRIED_MAX], tried_count;
    bool refused, has_server, plain, used; /* used: it has carried a message */
    unsigned steps; /* an event of an earlier step is out of date */
};

/* What has begun at a destination since anything but class security did. */
struct turns {
    char destination[3 * 80 + 40];
    unsigned codes, passed; /* passed: while other mail stood */
    int64_t urgent_ms;      /* when the last of class security has begun */
    int64_t rests_until_ms[TENANTS_MAX]; /* mail of this tenant alone */
    int64_t codes_ms[TENANTS_MAX];       /* connections' time that its codes have had in all, at most */
    int64_t ahead_ms[TENANTS_MAX][TENANTS_MAX]; /* of the first one's codes, while the other's mail stood */
};

struct simulation {
    struct world world;
    struct queue *queue;
    int64_t now_ms;
    struct event *events;
    size_t event_count, event_size;
    uint64_t order, trust;
    uint64_t trust_of[DOMAINS_MAX]; /* as last answered */
    struct connection connections[CONNECTIONS_MAX];
    size_t first_of_message[512];
    struct turns turns[SITES_MAX];
    size_t turns_count;
    int64_t urgent_ms;
    uint64_t decisions;
    int64_t beside_ms; /* world.beside: the first tenant's codes have had so much more than the other's mail there */
    bool paused; /* as the queue has been told */
};


extern struct simulation sim;
extern bool tracing;
extern jmp_buf over; /* where a run ends that has failed */

/* ---- events.c ---- */

void trace(const char *format, ...) PRINTF_LIKE(1, 2);
_Noreturn void fail(const char *format, ...) PRINTF_LIKE(1, 2);
#define HOLDS(condition, ...) ((condition) ? (void)0 : fail(__VA_ARGS__))

void later(int64_t in_ms, struct event e);
struct event next_event(void);
int64_t travel(void); /* of a decision to its shard */

/* ---- onlooker.c ---- */

struct recipient *recipient_of(int64_t message, unsigned number);
struct site *site_of(const struct recipient *r);
unsigned limit_of(const struct site *s);
void comes_back(const struct queue_attempt *a);
void check_begins(const struct queue_attempt *a, bool on_connection);
void check_bound(const struct queue_attempt *a); /* its message begins now */
void check_limits(const struct connection *added);
void check_urgent_first(const struct connection *c);
/* One tenant's mail rests there, as the queue says: nothing is opened for it. */
void note_rest_of_one(const struct queue_decision *d);
void note_turn(const struct connection *c); /* it has been given something */
void check_not_starved(struct connection *c);
void note_end(struct connection *c); /* its attempt is over, or comes back */
void check_carries(const struct connection *c);

/* What has been learned stays known. */
void check_known(void);

/* ---- shell.c ---- */

struct connection *connection_of(uint64_t id); /* NULL: it is gone */
void tries(struct connection *c);
void probes_on(struct connection *c);
void probe_ends(size_t server);
void address_fails(struct connection *c, bool refused);
void greeted(struct connection *c);
void speaks(struct connection *c);
void spoken(struct connection *c);
void ends(struct connection *c, enum queue_failure how, const char *why);
void closes(struct connection *c);
void decide_all(void);

#endif
