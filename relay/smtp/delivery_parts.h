// SPDX-License-Identifier: BSD-2-Clause
/* delivery_parts.h - What the files of the client's machine share. */
#ifndef DELIVERY_PARTS_H
#define DELIVERY_PARTS_H

#include "delivery.h"

enum delivery_stage {
    GREETING,
    EHLO,
    HELO,
    STARTTLS,
    AUTH,
    AUTH_RESPONSE,
    READY,
    MAIL,
    RCPT,
    DATA,
    BODY,
    RSET,
    QUIT
};

static inline bool is_login(enum delivery_stage stage)
{
    return stage == AUTH || stage == AUTH_RESPONSE;
}

/* How a connection came to be of no more use. */
enum delivery_loss {
    LOSS_CLOSED,
    LOSS_TIMED_OUT,
    LOSS_CONFUSED, /* what came is not what the protocol says */
    LOSS_OURS      /* we do not go on, and no server would change that */
};

/* ---- delivery_loss.c ---- */

/* A refusal before any message is about us, not about the recipient: never permanent for the mail
 * (S9). */
enum delivery_stage delivery_host_refuses(struct delivery *d, struct verdict v);
/* Nobody can say any more which answer was whose; up to 354, nobody has been refused then. */
void delivery_is_confused(struct delivery *d, const char *why);
/* The same. */
enum delivery_stage delivery_breaks(struct delivery *d, const char *why);

/* The connection is of no more use; `why` NULL: what the server has said is the reason. */
void delivery_loses(struct delivery *d, const char *why, enum delivery_loss loss);
/* The message is, by this answer, and the connection is of no more use. */
enum delivery_stage delivery_settles(struct delivery *d, const struct verdict *v);
void delivery_say_quit(struct delivery *d);

/* ---- mail_transaction.c: what the answers to a message's commands lead to ---- */

void transaction_say_mail(struct delivery *d);
enum delivery_stage transaction_mail_answered(struct delivery *d, const struct verdict *v);
void transaction_say_rcpt(struct delivery *d);
enum delivery_stage transaction_rcpt_answered(struct delivery *d, const struct verdict *v);
void transaction_say_data(struct delivery *d);
enum delivery_stage transaction_data_answered(struct delivery *d, const struct verdict *v);
enum delivery_stage transaction_body_answered(struct delivery *d, const struct verdict *v);
void transaction_say_rset(struct delivery *d);
enum delivery_stage transaction_rset_answered(struct delivery *d, const struct verdict *v);

/* ---- doubt.c ---- */

/* One of the answers to a message that somebody is to get, from 354 on. */
enum delivery_stage doubt_answered(struct delivery *d, const struct verdict *v);
/* Its last byte has been said. */
void doubt_message_said(struct delivery *d);

/* ---- hello.c: what the answers before the first message lead to ---- */

enum delivery_stage hello_greeted(struct delivery *d, const struct verdict *v);
void hello_say_ehlo(struct delivery *d);
enum delivery_stage hello_ehlo_answered(struct delivery *d, const struct verdict *v);
enum delivery_stage hello_demanded(struct delivery *d); /* what TLS must be is known now */
void hello_say_helo(struct delivery *d);
enum delivery_stage hello_helo_answered(struct delivery *d, const struct verdict *v);
void hello_say_starttls(struct delivery *d);
enum delivery_stage hello_starttls_answered(struct delivery *d, const struct verdict *v);

/* ---- login.c ---- */

/* After EHLO, where there is a user name. `tls_refused`: by the answer to STARTTLS. */
enum delivery_stage login_begin(struct delivery *d, bool tls_refused);
void login_say_auth(struct delivery *d);
void login_say_response(struct delivery *d);
/* Each answer until the last one. */
enum delivery_stage login_answered(struct delivery *d, const struct verdict *v);

/* ---- remedy.c ---- */

/* The connection is lost at this stage: what may be tried at once? */
enum delivery_remedy remedy_for(const struct delivery *d, enum delivery_loss loss);
/* The host refuses us, and has said so. */
enum delivery_remedy remedy_for_refusal(const struct delivery *d);
/* And who of several recipients? */
enum delivery_apart remedy_apart(const struct delivery *d, enum delivery_loss loss);
/* Are several commands out whose answers are due? Then a server that answers some of them at once
 * and then none is not slow. */
bool remedy_in_burst(const struct delivery *d);
/* How long a greeting may take, where there is reason to wait for a shorter time. */
unsigned remedy_greeting_s(const struct delivery *d);
/* What is known of the reason beside `why`; it becomes part of the trouble. */
const char *remedy_hint(const struct delivery *d, enum delivery_loss loss);
/* Can HELO lead to where this delivery must get to? */
bool remedy_may_say_helo(const struct delivery *d);

#endif
