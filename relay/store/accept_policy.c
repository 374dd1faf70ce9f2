// SPDX-License-Identifier: BSD-2-Clause
/* accept_policy.c - For each recipient, in this order: has it got this already (`duplicates`), does
 * it want it (`suppressions`), has it had enough (`throttle_rows`)?
 *
 * In observe mode limits decide and write down, and everybody passes; suppression holds.
 */
#include "accept_policy.h"

#include "db.h"
#include "duplicates.h"
#include "events.h"
#include "macs.h"
#include "quota.h"
#include "suppressions.h"
#include "throttle_rows.h"
#include "top_talkers.h"

#include <stdio.h>

/* What is said of a recipient that is refused. */
static struct verdict verdict_of(const struct store_accept *a, const struct throttle_decision *d)
{
    bool own = false;
    const struct throttle_settings settings =
        throttle_for_stream(a->throttle, a->mail->stream, a->mail->class, &own);
    size_t i = (size_t)(d - a->decisions);
    const char *recipient = a->mail->envelope.rcpts[i].address;
    if (d->what == THROTTLE_SUPPRESSED)
        return verdict_make(a->refusals[i].code, a->refusals[i].enhanced, "%.120s: %.270s",
                            recipient, a->refusals[i].text);
    struct verdict v = throttle_verdict(&settings, a->mail->class, d);
    return throttle_about(&v, d, recipient);
}

/* Limits: once for each pair and window, not for each mail. */
static bool note_refusal(struct database *db, const struct store_accept *a, size_t i,
                         struct err *err)
{
    const struct throttle_decision *d = &a->decisions[i];
    struct verdict v = verdict_of(a, d);
    if (d->what == THROTTLE_SUPPRESSED)
        return rows_spared_event(db, a, i, "suppressed", &v, v.text, err);
    return !d->first || rows_spared_event(db, a, i, "throttled", &v, v.text, err);
}

/* Nobody is left: the mildest refusal is the answer, as the client may try again for that one. */
static bool refuse_all(struct database *db, struct store_accept *a, struct err *err)
{
    const struct throttle_decision *mildest = &a->decisions[0];
    bool ok = true;
    for (size_t i = 0; ok && i < a->mail->envelope.count; i++) {
        if (a->decisions[i].what < mildest->what)
            mildest = &a->decisions[i];
        ok = note_refusal(db, a, i, err);
    }
    a->refusal = verdict_of(a, mildest);
    a->result = STORE_REFUSED;
    return ok;
}

/* What is decided about the first recipients does not hold when the whole message is refused for
 * another one. Who is the only one has nothing written down before that. */
static bool begin(struct database *db, const struct store_accept *a, struct rows_mark *mark_r,
                  struct err *err)
{
    return a->mail->envelope.count == 1 || rows_savepoint(db, mark_r, err);
}

static bool end(struct database *db, const struct store_accept *a, const struct rows_mark *mark,
                struct err *err)
{
    return a->mail->envelope.count == 1 || rows_release(db, mark, err);
}

static bool undo(struct database *db, const struct store_accept *a, const struct rows_mark *mark,
                 struct err *err)
{
    return a->mail->envelope.count == 1 || rows_undo(db, mark, err);
}

/* The account's own rate is spent: the whole message is refused, and nothing is charged. */
static void refuse_rate(struct store_accept *a, const struct throttle_decision *d)
{
    a->refusal = throttle_verdict(a->throttle, a->mail->class, d);
    a->result = STORE_REFUSED;
}

/* It passes; what would have happened is written down, refusals once for each window. */
static bool observe(struct database *db, struct store_accept *a, const struct throttle_decision *d,
                    struct err *err)
{
    static const char *const words[] = {[THROTTLE_PACE] = "paced",
                                        [THROTTLE_DEFER] = "deferred",
                                        [THROTTLE_REJECT] = "rejected",
                                        [THROTTLE_COLLAPSED] = "collapsed",
                                        [THROTTLE_REPLACES] = "put in the place of an older one"};
    static const struct verdict passed = {.code = 250, .enhanced = "2.0.0"};
    char text[160];
    if (d->what == THROTTLE_PASS)
        return true;
    a->observed++;
    if (throttle_refuses(d) && !d->first)
        return true;
    snprintf(text, sizeof(text), "would be %s: limit \"%s\", %lld s", words[d->what],
             d->what > THROTTLE_REPEATED ? "alike" : throttle_key_name(d->key),
             (long long)(d->wait_ms / 1000));
    return rows_mail_event(db, a->mail, (size_t)(d - a->decisions), "observed", &passed, text, err);
}

static bool find_suppressed(struct database *db, struct store_accept *a, size_t i,
                            const struct address_forms *forms, int64_t now_ms, struct err *err)
{
    struct suppress_entry entry;
    const struct mail *m = a->mail;
    if (!database_suppressed_form(db, m, forms, now_ms, &entry, err))
        return err->kind == ERR_NONE;
    if (!a->refusals)
        a->refusals = xcalloc(m->envelope.count, sizeof(*a->refusals));
    a->refusals[i] = suppress_verdict(&entry);
    a->decisions[i].what = THROTTLE_SUPPRESSED;
    return true;
}

/* It is not charged for what is sent to a recipient; what it asks for still counts. */
static bool passes_by(const struct throttle_decision *d)
{
    return throttle_repeats(d) || d->what == THROTTLE_REPLACES || d->what == THROTTLE_SUPPRESSED;
}

/* A repetition has been answered already; who wants no mail gets none; the rest is counted. */
static bool decide_recipient(struct database *db, struct store_accept *a, size_t i,
                             const struct address_forms *forms, int64_t now_ms, struct err *err)
{
    struct duplicate_names names;
    struct throttle_decision *d = &a->decisions[i];
    const char *domain = a->mail->envelope.rcpts[i].domain;
    enum throttle_mode mode = a->throttle->mode;
    if (!duplicates_find(db, a, forms, now_ms, d, &names, err))
        return false;
    if (a->result == STORE_REFUSED)
        return true;
    if (d->what != THROTTLE_REPEATED && !find_suppressed(db, a, i, forms, now_ms, err))
        return false;
    if (d->what == THROTTLE_PASS && mode != THROTTLE_OFF &&
        !throttle_rows_charge(db, a, forms->counted, domain, now_ms, d, err))
        return false;
    if (passes_by(d) && mode == THROTTLE_ENFORCE &&
        !throttle_rows_charge_rate(db, a, now_ms, d, err))
        return false;
    if (mode == THROTTLE_OBSERVE && d->what != THROTTLE_REPEATED &&
        d->what != THROTTLE_SUPPRESSED) {
        if (!observe(db, a, d, err))
            return false;
        d->what = THROTTLE_PASS;
    }
    return duplicates_note(db, a, d, &names, now_ms, err);
}

/* Nobody gets it: because all have it already, or because of the limits. */
static bool conclude(struct database *db, struct store_accept *a, size_t refused, size_t repeated,
                     struct err *err)
{
    size_t count = a->mail->envelope.count;
    if (repeated == count) {
        a->result = STORE_DUPLICATE;
        for (size_t i = 0; i < count; i++)
            if (!duplicates_event(db, a, i, &a->decisions[i], err))
                return false;
        return true;
    }
    return refused + repeated < count || repeated > 0 || refuse_all(db, a, err);
}

bool accept_policy_decide(struct database *db, struct store_accept *a, int64_t now_ms,
                          struct err *err)
{
    const struct mail *m = a->mail;
    size_t refused = 0;
    size_t repeated = 0;
    struct address_forms forms;
    struct rows_mark mark = {0};
    a->decisions = xcalloc(m->envelope.count, sizeof(*a->decisions));
    if (!quota_allow(db, a, err) || a->result != STORE_UNDECIDED)
        return a->result != STORE_UNDECIDED;
    if (!macs_prepare(db, err) || !begin(db, a, &mark, err))
        return false;
    for (size_t i = 0; i < m->envelope.count; i++) {
        struct throttle_decision *d = &a->decisions[i];
        address_forms_make(m->envelope.rcpts[i].address, &forms);
        if (!decide_recipient(db, a, i, &forms, now_ms, err))
            return false;
        bool limited = d->what == THROTTLE_DEFER || d->what == THROTTLE_REJECT;
        if (limited && d->key == THROTTLE_RATE)
            refuse_rate(a, d);
        if (a->result == STORE_REFUSED && !undo(db, a, &mark, err))
            return false;
        if (limited && !top_talkers_note_refused(db, m->credential, forms.counted, now_ms, err))
            return false;
        if (a->result == STORE_REFUSED)
            return true;
        refused += throttle_refuses(d);
        repeated += throttle_repeats(d);
    }
    return end(db, a, &mark, err) && conclude(db, a, refused, repeated, err);
}
