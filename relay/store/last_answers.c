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

/* ---- what came back ---- */

/* Under names of its own, so that no other tenant's is among them. */
struct apart {
    char tenant[80], site[160];
};

static void set_apart(const struct last_answer *a, struct apart *apart_r)
{
    snprintf(apart_r->tenant, sizeof(apart_r->tenant), "returned %s", a->tenant);
    snprintf(apart_r->site, sizeof(apart_r->site), "returned %s %s", a->tenant, a->site);
}

static bool tell_returned(struct database *db, const struct last_answer *a, enum brake is,
                          struct err *err)
{
    char text[300];
    snprintf(text, sizeof(text),
             "mail to 20 or more recipients of %s came back within ten minutes, with no such "
             "mailbox: nobody there is suppressed by what comes back while that goes on",
             a->site);
    switch (is) {
    case BRAKE_BEGINS:
        return tell_brake(db, "suppression_paused", a, text, err);
    case BRAKE_ENDS:
        return tell_brake(db, "suppression_resumed", a, "mail comes back as usual again", err);
    case BRAKE_OFF:
    case BRAKE_ON:
        return true;
    }
    UNREACHABLE();
}

/* It is counted, unless it was heard today; may it suppress? */
static bool count_returned(struct database *db, const struct last_answer *a, bool *may_r,
                           int64_t now_ms, struct err *err)
{
    bool again = false;
    struct apart apart;
    *may_r = a->suppress_ms > 0;
    if (!a->site[0] || !*may_r)
        return true;
    if (!database_was_answered_today(db, a->tenant, a->address, now_ms, &again, err))
        return false;
    db->brake = db->brake ? db->brake : suppress_brake_new();
    set_apart(a, &apart);
    const struct brake_heard heard = {
        .tenant = apart.tenant, .site = apart.site, .domain = "", .unknown = true};
    enum brake is =
        suppress_brake_is_on(db->brake, apart.tenant, apart.site, now_ms) ? BRAKE_ON : BRAKE_OFF;
    if (!again) {
        db->brake_answers++;
        is = suppress_brake_answer(db->brake, &heard, now_ms);
    }
    *may_r = (is == BRAKE_OFF || is == BRAKE_ENDS) &&
             !suppress_brake_is_on(db->brake, a->tenant, a->site, now_ms);
    return tell_returned(db, a, is, err);
}

/* ---- the list ---- */

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
    if (first && a->site[0] && !a->returned)
        suppress_brake_note(db->brake, e.tenant, a->site, e.address, now_ms);
    return true;
}

bool last_answers_heed(struct database *db, const struct last_answer *a, int64_t now_ms,
                       struct err *err)
{
    bool may = false;
    bool ok =
        a->returned ? count_returned(db, a, &may, now_ms, err) : count(db, a, &may, now_ms, err);
    return ok && (!may || suppress(db, a, now_ms, err));
}
