// SPDX-License-Identifier: BSD-2-Clause
/* alert.h - What happens to the relay's safety, by kind: what the audit trail calls it, and what
 * the operator may want to be told of. */
#ifndef ALERT_H
#define ALERT_H

#include "span.h"

enum alert_kind {
    ALERT_LOCKED,      /* somebody guesses passwords */
    ALERT_IDENTITY,    /* a credential tries to send as somebody else */
    ALERT_FLOOD,       /* a recipient was protected from more mail */
    ALERT_CERTIFICATE, /* has changed, or is about to expire */
    ALERT_KEY,         /* a DKIM key was made, used, retired */
    ALERT_ADMIN,       /* a command has changed something */
    ALERT_KINDS
};

/* As the config file and the audit trail say it. */
const char *alert_name(enum alert_kind kind);
bool alert_parse(struct span name, enum alert_kind *kind_r);
/* The kind of a row of the trail, by its verb or event. */
enum alert_kind alert_kind_of(struct span what);

#endif
