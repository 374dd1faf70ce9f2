// SPDX-License-Identifier: BSD-2-Clause
/* alert.c - The first four kinds are the events of their names; keys have several. */
#include "alert.h"

#include "check.h"

static const char *const names[] = {
    [ALERT_LOCKED] = "locked", [ALERT_IDENTITY] = "identity_refused",
    [ALERT_FLOOD] = "flood",   [ALERT_CERTIFICATE] = "certificate",
    [ALERT_KEY] = "key",       [ALERT_ADMIN] = "admin"};

const char *alert_name(enum alert_kind kind)
{
    return names[kind];
}

bool alert_parse(struct span name, enum alert_kind *kind_r)
{
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (span_equal(name, span_of(names[i]))) {
            *kind_r = (enum alert_kind)i;
            return true;
        }
    return false;
}

enum alert_kind alert_kind_of(struct span what)
{
    enum alert_kind kind = ALERT_ADMIN;
    if (alert_parse(what, &kind))
        return kind;
    return span_starts_nocase(what, SPAN("key")) ? ALERT_KEY : ALERT_ADMIN;
}
