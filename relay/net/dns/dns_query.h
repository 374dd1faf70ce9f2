// SPDX-License-Identifier: BSD-2-Clause
/* dns_query.h - One DNS question, asked on a loop. This is the only user of libunbound. */
#ifndef DNS_QUERY_H
#define DNS_QUERY_H

#include "config.h"
#include "dns.h"

#include <uv.h>

struct dns_queries;
struct dns_query;
struct party_turn;
struct party_turns;

enum { DNS_QUERIES_FRESH = 8 }; /* sockets of dns_queries_fresh() */
/* So long one lasts at most, of a name whose servers do not answer. */
enum { DNS_QUERY_LASTS_MS = 11 * 1000 };

/* One that asks little: so many questions and streams at once. `zone`: the one server at `ip` is
 * asked for what is in there, instead of all those that DNS names; NULL: those. */
struct dns_queries_stub {
    const char *zone, *ip;
    unsigned queries, streams;
};

/* `stub`: NULL for none. */
MUST_CHECK bool dns_queries_new(uv_loop_t *loop, const struct config *config,
                                const struct dns_queries_stub *stub,
                                struct dns_queries **dns_queries_r, struct err *err);
/* Those that forget what they have heard within seconds: for what is said to have changed. */
MUST_CHECK bool dns_queries_fresh(uv_loop_t *loop, const struct config *config,
                                  struct dns_queries **dns_queries_r, struct err *err);
/* So many questions have a socket of their own at once; more wait for one. */
unsigned dns_queries_most(const struct config *config, const struct dns_queries_stub *stub);
/* What is under way must have been left; it ends here. NULL does nothing. */
void dns_queries_free(struct dns_queries *l);

/* What validating their answers has taken since the last call is charged to whose they are. Before
 * an answered question's turn ends. */
void dns_queries_charge(const struct dns_queries *l, struct party_turns *turns);

/* Takes `answer`. Never called from inside dns_query_start(). */
typedef void dns_query_on_answer(void *context, struct dns_answer *answer);

/* Ask for a valid name. NULL when it cannot be asked just now. There is no timeout: the owner has a
 * timer and leaves it.
 */
MUST_CHECK struct dns_query *dns_query_start(struct dns_queries *l, const char *name,
                                             enum dns_type type, dns_query_on_answer *done,
                                             void *context);
/* The answer is not wanted any more. libunbound goes on asking for some seconds, and longer where
 * it asks many servers: so long it takes room from others, and `turn`, which may be NULL, is kept.
 * `ended` takes it, from the loop or from dns_queries_free(). */
typedef void dns_query_on_end(void *context, struct party_turn *turn);
void dns_query_leave(struct dns_query *lookup, struct party_turn *turn, dns_query_on_end *ended,
                     void *context);

#endif
