// SPDX-License-Identifier: BSD-2-Clause
/* alert.h - What happens to the relay's safety, by kind: what the audit trail calls it, and what
 * the operator may want to be told of.
 *
 * Each kind has a batch of its own, so that many events of one kind hold up no other: the first
 * event is told at once, and what follows within the interval together, when it is over. */
#ifndef ALERT_H
#define ALERT_H

#include "span.h"

#include <stdint.h>

enum alert_kind {
    ALERT_LOCKED,      /* somebody guesses passwords */
    ALERT_IDENTITY,    /* a credential tries to send as somebody else */
    ALERT_FLOOD,       /* a recipient was protected from more mail */
    ALERT_CERTIFICATE, /* has changed, or is about to expire */
    ALERT_KEY,         /* a DKIM key was made, used, retired */
    ALERT_ROUTE,       /* a smart host refuses our login, or to relay for us */
    ALERT_ADMIN,       /* a command has changed something */
    ALERT_DESTINATION, /* a destination of mail has failed three times in a row */
    ALERT_CONNECTIONS, /* a tenant has so many client connections that some are closed */
    ALERT_SHARE,       /* a tenant has used up its share of what all have */
    ALERT_DISK,        /* the disk is full: new mail is refused */
    ALERT_DNSSEC,      /* nothing can be validated, and so there is no DANE */
    ALERT_DNS,         /* DNS gives no answer at all: mail waits */
    ALERT_SUPPRESSION, /* a receiver says of many mailboxes that they do not exist */
    ALERT_PROCESS,     /* one beside the relay has ended: fetcher, helper or opener */
    ALERT_WEBHOOK,     /* an endpoint is told nothing more, or has missed something */
    ALERT_PAUSE,       /* a receiver refuses mail for what we are, or for its sender */
    ALERT_KINDS
};

/* As the config file and the audit trail say it. */
const char *alert_name(enum alert_kind kind);
/* The same of what is over, or its name, where that has none of its own. */
const char *alert_end_name(enum alert_kind kind);
/* What it is, for people; `what`: a row's verb or event, which may be the end of it. */
const char *alert_sentence(enum alert_kind kind, struct span what);
bool alert_parse(struct span name, enum alert_kind *kind_r);
/* The kind of a row of the trail, by its verb or event. */
enum alert_kind alert_kind_of(struct span what);

/* Whose mail an event is about, at the end of its text: " (mail of tenant NAME)"; and read from
 * there, or empty. */
void alert_print_whose(const char *tenant, char *text_r, size_t size);
struct span alert_whose(struct span about);

enum { ALERT_VERBS = 8, ALERT_NAMED = 5 };

/* What is to be told next of one kind. All zeros: nothing, and the next event at once. */
struct alert_batch {
    unsigned count;   /* events */
    int64_t first_ms; /* when the first of them was */
    int64_t next_ms;  /* not to be told before */
    struct {
        char name[40];
        unsigned count;
    } verbs[ALERT_VERBS]; /* the same events by what happened; the last one is for the rest */
    size_t verb_count;
    struct {
        char about[160], whose[64];
    } named[ALERT_NAMED]; /* different ones that they are about; of each tenant one, before two */
    size_t named_count;
};

/* Times of events are the wall clock's; `now_ms` is of any clock that never goes back. */
void alert_batch_add(struct alert_batch *b, struct span what, struct span about, int64_t at_ms);
bool alert_batch_due(const struct alert_batch *b, int64_t now_ms);
/* It is told: begin the next one. */
void alert_batch_take(struct alert_batch *b, int64_t now_ms, int64_t interval_ms);

#endif
