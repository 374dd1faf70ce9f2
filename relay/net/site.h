// SPDX-License-Identifier: BSD-2-Clause
/* site.h - What is known of a destination, shared by all shards: connection slots, how many, and
 * when it rests.
 *
 * A site is a set of hosts (the MX set, or a smart host) on a port, for mail that demands the same
 * trust of its connections (trust.h): what a policy or a password has spoiled rests for that policy
 * and that password only. An idle connection goes to a party of its own settings.
 * The limit begins at 5 connections, grows by one with each message that gets through, up to the
 * configured number, and is halved when no host can be reached; then the site rests. One lock,
 * short critical sections; nothing is called back under it but inbox_post(). Times are
 * clock_steady_ms()'s.
 */
#ifndef SITE_H
#define SITE_H

#include "inbox.h"
#include "resolver.h"
#include "trust.h"

struct sites;
struct site;

/* Something that waits for a slot, or an idle connection that holds one; the item runs on the
 * inbox's loop when it is granted the slot or told to wait no longer, or when the idle connection
 * is to go.
 */
struct site_party {
    struct site_party *next, *prev;
    struct inbox *inbox;
    uint64_t settings; /* their generation */
    struct inbox_item item;
    bool listed, granted;
};

enum site_answer {
    SITE_GRANTED, /* a slot: open a connection */
    SITE_IDLE,    /* an idle connection of the same inbox and settings, with its slot */
    SITE_WAIT,    /* the party's item will run */
    SITE_RESTING  /* not before site_rest_ms() */
};

/* `idle_max`: connections that are kept for reuse, of all sites together. */
struct sites *sites_new(unsigned connections_max, unsigned idle_max);
void sites_free(struct sites *sites);

/* The site of these hosts, for mail that demands this. Borrowed for the life of `sites`. */
struct site *sites_find(struct sites *sites, const struct hosts *hosts, unsigned port,
                        const struct trust *demanded);

enum site_answer site_take(struct site *site, struct site_party *party, int64_t now_ms,
                           struct site_party **idle_r);
/* A waiter of the same inbox and settings, for a connection that has just become free and keeps its
 * slot; NULL when there is none. Then the connection may stay idle (true in `may_idle_r`), or must
 * close and site_release().
 */
struct site_party *site_next(struct site *site, struct site_party *self, bool *may_idle_r);
/* An idle connection closes by itself: false when it has been told to go already. */
bool site_leave_idle(struct site *site, struct site_party *self);
/* Stop waiting; false when the slot has been granted meanwhile and must be released. */
bool site_leave_wait(struct site *site, struct site_party *self);
void site_release(struct site *site);

void site_succeeded(struct site *site);
/* No host of it could be reached: it rests, and all who wait are told. */
void site_failed(struct site *site, const char *why, int64_t now_ms);
/* How long it still rests, and why; 0 when it does not. `why_r` holds 200 bytes. */
int64_t site_rest_ms(struct site *site, int64_t now_ms, char *why_r);

#endif
