// SPDX-License-Identifier: BSD-2-Clause
/* world.h - The world in which the simulation lets the queue work: servers, names, recipients, all
 * drawn from one seed. */
#ifndef WORLD_H
#define WORLD_H

#include "queue.h"

enum {
    SERVERS_MAX = 80,
    SITES_MAX = 40,
    DOMAINS_MAX = 60,
    RECIPIENTS_MAX = 900,
    HOSTS_OF_SITE = 3,
    SERVERS_OF_HOST = 2,
    TENANTS_MAX = 4
};

/* SERVER_STALLS says nothing more after MAIL, SERVER_MUTE nothing after the final dot. */
enum server_kind {
    SERVER_GOOD,
    SERVER_HANGS,
    SERVER_REFUSES,
    SERVER_TURNS_BAD,
    SERVER_SILENT,
    SERVER_STALLS,
    SERVER_MUTE
};

/* In some worlds mail gets stuck: only the first tenant's, and in some no codes. */
enum stuck { STUCK_NONE, STUCK_PLAIN, STUCK_ANY };

struct server {
    enum server_kind kind;
    int64_t greet_ms, message_ms;
    int64_t bad_from_ms, bad_until_ms; /* SERVER_TURNS_BAD: hangs meanwhile */
    unsigned accepts;                  /* connections at once; 0: any number */
    unsigned now, held; /* connections; claims by the queue's address book */
};

struct host {
    char name[80];
    size_t servers[SERVERS_OF_HOST];
    size_t server_count;
};

struct site {
    struct host hosts[HOSTS_OF_SITE];
    size_t host_count;
    unsigned port, connections;
    const char *route;
    bool healthy;     /* all its servers are good all the time */
    bool stuck;       /* mail gets stuck at some of them */
    int64_t pace_ms;  /* for one message with its connection, at worst */
};

enum names_kind { NAMES_GOOD, NAMES_MUTE, NAMES_GONE };

struct name {
    char name[40];
    size_t site;
    enum names_kind kind;
    int64_t answer_ms;
};

enum recipient_state { RECIPIENT_WAITS, RECIPIENT_UNDER_WAY, RECIPIENT_OVER };

struct recipient {
    int64_t message;
    unsigned number;
    enum stream_class class;
    size_t tenant, domain;
    int64_t comes_ms, due_ms, expires_ms;
    int64_t back_ms; /* when it was last put into the queue, or given back */
    enum recipient_state state;
    bool added, suspect; /* suspect: a connection broke over it */
    unsigned tries;
};

struct world {
    uint64_t seed, random;
    struct queue_settings settings;
    struct server servers[SERVERS_MAX];
    struct site sites[SITES_MAX];
    struct name domains[DOMAINS_MAX];
    struct recipient recipients[RECIPIENTS_MAX];
    size_t server_count, site_count, domain_count, recipient_count, tenant_count, bad_sites;
    enum stuck stuck;
    bool flood; /* the first tenant calls much of its mail to one site security */
    bool beside; /* and the other's mail goes to another site, whose host is the same machine */
    int64_t many_ms; /* one more tenant has mail for thousands of domains then; -1: none has */
    int64_t comes_for_ms; /* mail comes for so long */
    unsigned defers, loses, stale; /* of a hundred */
    unsigned turns_away; /* the same, of the first tenant's: 4xx at MAIL */
    int64_t paused_from_ms, paused_until_ms, reload_ms;
    int64_t bound_ms[2][SITES_MAX]; /* [1]: class security's */
};

void world_make(struct world *w, uint64_t seed);
uint64_t world_random(struct world *w, uint64_t below);

#endif
