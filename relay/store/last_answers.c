// SPDX-License-Identifier: BSD-2-Clause
/* last_answers.c - Suppresses whom a receiver does not know, unless it says so of everybody. */
#include "last_answers.h"

#include "address.h"
#include "alert.h"
#include "audit.h"
#include "db.h"
#include "log.h"
#include "suppress_brake.h"
#include "suppressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool tell_brake(struct database *db, const char *kind, const struct last_answer *a,
                       const char *text, struct err *err)
{
    char about[200];
    size_t len = (size_t)snprintf(about, sizeof(about), "%s", a->site);
    alert_print_whose(a->tenant, about + len, sizeof(about) - len);
    log_end(log_text(
        log_text(log_text(log_begin(LOG_WARN, kind), "tenant", a->tenant), "site", a->site),
        "reply", text));
    return database_note(db, AUDIT_RELAY, kind, about, text, err);
}

/* Whom it has put on the list since the receiver's trouble began. */
static bool take_back(struct database *db, const struct last_answer *a, unsigned *count_r,
                      int64_t now_ms, struct err *err)
{
    struct suppress_entry e = {.reason = SUPPRESS_BOUNCE};
    char *address;
    bool ok = true;
    span_put(span_of(a->tenant), e.tenant, sizeof(e.tenant));
    *count_r = 0;
    while (ok && (address = suppress_brake_take(db->brake, a->tenant, a->site, now_ms))) {
        address_same_form(address, e.address);
        free(address);
        ok = database_suppress_end(db, &e, "relay", now_ms, err);
        (*count_r)++;
    }
    return ok;
}

static bool brake_begins(struct database *db, const struct last_answer *a, int64_t now_ms,
                         struct err *err)
{
    char text[300];
    unsigned answers = 0;
    unsigned unknown = 0;
    unsigned taken = 0;
    suppress_brake_counts(db->brake, a->tenant, a->site, now_ms, &answers, &unknown);
    if (!take_back(db, a, &taken, now_ms, err))
        return false;
    snprintf(text, sizeof(text),
             "%s says of %u of %u recipients within ten minutes that there is no such mailbox: "
             "nobody there is suppressed while that goes on, and %u entries were taken back",
             a->site, unknown, answers, taken);
    return tell_brake(db, "suppression_paused", a, text, err);
}

/* It is counted; may it suppress? */
static bool count(struct database *db, const struct last_answer *a, bool *may_r, int64_t now_ms,
                  struct err *err)
{
    *may_r = a->suppress_ms > 0;
    if (!a->site[0])
        return true;
    db->brake = db->brake ? db->brake : suppress_brake_new();
    db->brake_answers++;
    char form[ADDRESS_CANONICAL_MAX + 1];
    address_same_form(a->address, form);
    const char *at = strrchr(form, '@');
    const struct brake_heard heard = {
        .tenant = a->tenant, .site = a->site, .domain = at ? at + 1 : "", .unknown = *may_r};
    switch (suppress_brake_answer(db->brake, &heard, now_ms)) {
    case BRAKE_OFF:
        return true;
    case BRAKE_ENDS:
        return tell_brake(db, "suppression_resumed", a, "it answers as usual again", err);
    case BRAKE_BEGINS:
        *may_r = false;
        return brake_begins(db, a, now_ms, err);
    case BRAKE_ON:
        *may_r = false;
        return true;
    }
    UNREACHABLE();
}

static bool suppress(struct database *db, const struct last_answer *a, int64_t now_ms,
                     struct err *err)
{
    struct suppress_entry e = {.reason = SUPPRESS_BOUNCE,
                               .needed = a->needed,
                               .created_ms = now_ms,
                               .expires_ms = now_ms + a->suppress_ms};
    snprintf(e.address, sizeof(e.address), "%s", a->address);
    snprintf(e.tenant, sizeof(e.tenant), "%s", a->tenant);
    snprintf(e.source, sizeof(e.source), "%.79s", a->source);
    db->revised = true;
    bool first = false;
    if (!database_suppress_answer(db, &e, now_ms, &first, err))
        return false;
    if (first && a->site[0])
        suppress_brake_note(db->brake, e.tenant, a->site, e.address, now_ms);
    return true;
}

bool last_answers_heed(struct database *db, const struct last_answer *a, int64_t now_ms,
                       struct err *err)
{
    bool may = false;
    return count(db, a, &may, now_ms, err) && (!may || suppress(db, a, now_ms, err));
}
