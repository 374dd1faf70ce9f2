// SPDX-License-Identifier: BSD-2-Clause
/* transaction.h - One message on one connection: as many of an attempt's recipients as the server
 * takes at once. */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "attempt.h"
#include "composition.h"
#include "connection.h"

struct transaction {
    struct attempt *attempt;   /* borrowed while it is sent */
    struct delivery *delivery; /* borrowed while it is sent */
    struct delivery_mail mail;
    char **texts;  /* addresses as this hop takes them */
    size_t *slice; /* mail.rcpts[i] is the attempt's recipient slice[i] */
    struct composition *composition;
    bool sending;
    struct verdict unsure; /* why this host cannot have the mail of those without an answer, though
                              another may; code 0: nothing of the kind */
    struct verdict lack;   /* the same, for good, if no host can; code 0: it may yet */
    void (*composed)(void *owner); /* set by the owner: a copy that took its time is made */
    void *owner;
};

/* Make the copy and begin to send it, on a connection of which host_trust_holds() for the attempt.
 * False when there is nothing to send: everyone has an answer, or `unsure` is for those who have
 * none. End it in any case. */
MUST_CHECK bool transaction_begin(struct transaction *s, struct attempt *p, struct delivery *d);
/* A large copy takes its time: true until `composed` is called, then begin once more. */
bool transaction_composing(const struct transaction *s);
/* Give the machine body bytes while the socket takes them. */
void transaction_feed(struct transaction *s, struct connection *connection);
/* Hand the server's answers to the attempt and end. Those it only took too many of stay without
 * one, for the next slice. */
void transaction_take_answers(struct transaction *s);
/* Is nobody served, and is the trouble this host's for some (`v_r`), or is it unsure? */
bool transaction_host_trouble(const struct transaction *s, struct verdict *v_r);
/* The same, but they get no answer: another host is tried. */
void transaction_take_other_answers(struct transaction *s);
void transaction_end(struct transaction *s);

#endif
