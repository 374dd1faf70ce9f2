// SPDX-License-Identifier: BSD-2-Clause
/* where.h - Where mail goes, or went when it was last tried, and whether that rests; and which
 * destination a person means. A hop is a domain, what mail demands of TLS and its source (hop.h).
 * Only a running relay knows where it leads; but what an operator has put to rest is stored. */
#ifndef WHERE_H
#define WHERE_H

#include "control_parts.h"

struct where;

enum { WHERE_NAME = 8 * 1024 };

/* As it is now. NULL: `err` says why not. */
struct where *where_new(struct database *db, const struct control *c, struct err *err);
void where_free(struct where *w); /* or NULL */
/* False: that is not known. `remote` is who answered last, or "". `name_r` holds `size` bytes. */
bool where_find(struct where *w, const char *hop, const char *remote, char *name_r, size_t size);
/* The rest for which this tenant's mail waits: "destination", "next_try", "rests_s", "by_operator",
 * "why", and "tenant" when it is that one's mail alone that rests. NULL: none. Borrowed. */
const json_t *where_rest(struct where *w, const char *hop, const char *remote, const char *tenant);
/* How many messages a minute go to that destination, where they go apart; 0: they do not, or not
 * this tenant's. */
int64_t where_pace(const struct where *w, const char *name, const char *tenant);
/* Such rests of destinations by their names; borrowed. */
const json_t *where_rests(const struct where *w);

/* The destination that a person means who gave its name, a part of that, or a domain. ERR_USAGE
 * when it may be one or another, ERR_NOT_FOUND when it is none that is known. */
MUST_CHECK bool where_meant(const struct control *c, const char *given, char *name_r, size_t size,
                            struct err *err);
/* The hop of a recipient's mail, as it is in the queue; false: it has none. `hop_r` holds
 * HOP_TEXT bytes. */
struct database_queued;
MUST_CHECK bool where_hop_of(const struct database_queued *q, char *hop_r);
/* The hops that a person means: "club.example" all of its mail, or one of them, by its name; they
 * are added to the list. False: that is none. */
MUST_CHECK bool where_hops_of(const struct control *c, const char *given, json_t *hops);
/* Whose mail leaves from where (queued.h), to be freed; NULL: that makes no difference, or no relay
 * runs. */
char *where_sources(const struct control *c);
/* A list of hops as the database takes it (queued.h). To be freed with free(). */
char *where_hops_print(const json_t *hops);

/* Have these two destinations a host in common? */
bool where_share(const char *name, const char *other);

#endif
