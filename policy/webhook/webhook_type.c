// SPDX-License-Identifier: BSD-2-Clause
/* webhook_type.c - A table: the type, and the kind of event that it is made of. */
#include "webhook_type.h"

#include "check.h"

#include <string.h>

static const char prefix[] = "message.";

static const struct {
    const char *name, *kind; /* kind NULL: it has an origin of its own */
} types[WEBHOOK_TYPES] = {
    [WEBHOOK_ACCEPTED] = {"message.accepted", "accepted"},
    [WEBHOOK_DELIVERED] = {"message.delivered", "delivered"},
    [WEBHOOK_DELAYED] = {"message.delayed", "deferred"},
    [WEBHOOK_BOUNCED] = {"message.bounced", "bounced"},
    [WEBHOOK_EXPIRED] = {"message.expired", "expired"},
    [WEBHOOK_SUPPRESSED] = {"message.suppressed", "suppressed"},
    [WEBHOOK_COLLAPSED] = {"message.collapsed", "collapsed"},
    [WEBHOOK_DELETED] = {"message.deleted", "deleted"},
    [WEBHOOK_UNSUBSCRIBED] = {"message.unsubscribed", "unsubscribed"},
    [WEBHOOK_RETURNED] = {"message.returned", "returned"},
    [WEBHOOK_COMPLAINED] = {"message.complained", "complained"},
    [WEBHOOK_AUTO_REPLIED] = {"message.auto_replied", "auto_replied"},
    [WEBHOOK_PING] = {"webhook.ping", NULL},
};

const char *webhook_type_name(enum webhook_type type)
{
    return types[type].name;
}

bool webhook_type_parse(struct span name, enum webhook_type *type_r)
{
    for (unsigned i = 0; i < WEBHOOK_PING; i++)
        if (span_equal(name, span_of(types[i].name)) ||
            span_equal(name, span_of(types[i].name + strlen(prefix)))) {
            *type_r = (enum webhook_type)i;
            return true;
        }
    return false;
}

bool webhook_type_of(const char *kind, enum webhook_type *type_r)
{
    for (unsigned i = 0; i < WEBHOOK_TYPES; i++)
        if (types[i].kind && strcmp(types[i].kind, kind) == 0) {
            *type_r = (enum webhook_type)i;
            return true;
        }
    return false;
}
