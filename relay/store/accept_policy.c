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
static struct verdict verdict_of(const struct store_job *job, const struct throttle_decision *d)
{
    bool own = false;
    const struct throttle_settings settings =
        throttle_for_stream(job->throttle, job->mail->stream, job->mail->class, &own);
    size_t i = (size_t)(d - job->decisions);
    const char *recipient = job->mail->envelope.rcpts[i].address;
    if (d->what == THROTTLE_SUPPRESSED)
        return verdict_make(job->refusals[i].code, job->refusals[i].enhanced, "%.120s: %.270s",
                            recipient, job->refusals[i].text);
    struct verdict v = throttle_verdict(&settings, job->mail->class, d);
    return throttle_about(&v, d, recipient);
}

/* Limits: once for each pair and window, not for each mail. */
static bool note_refusal(struct database *db, const struct store_job *job, size_t i,
                         struct err *err)
{
    const struct throttle_decision *d = &job->decisions[i];
    struct verdict v = verdict_of(job, d);
    if (d->what == THROTTLE_SUPPRESSED)
        return rows_mail_event(db, job->mail, i, "suppressed", &v, v.text, err);
    return !d->first || rows_mail_event(db, job->mail, i, "throttled", &v, v.text, err);
}

/* Nobody is left: the mildest refusal is the answer, as the client may try again for that one. */
static bool refuse_all(struct database *db, struct store_job *job, struct err *err)
{
    const struct throttle_decision *mildest = &job->decisions[0];
    bool ok = true;
    for (size_t i = 0; ok && i < job->mail->envelope.count; i++) {
        if (job->decisions[i].what < mildest->what)
            mildest = &job->decisions[i];
        ok = note_refusal(db, job, i, err);
    }
    job->refusal = verdict_of(job, mildest);
    return ok;
}

/* What is decided about the first recipients does not hold when the whole message is refused for
 * another one. Who is the only one has nothing written down before that. */
static bool begin(struct database *db, const struct store_job *job, struct err *err)
{
    return job->mail->envelope.count == 1 || rows_savepoint(db, err);
}

static bool end(struct database *db, const struct store_job *job, struct err *err)
{
    return job->mail->envelope.count == 1 || rows_release(db, err);
}

static bool undo(struct database *db, const struct store_job *job, struct err *err)
{
    return job->mail->envelope.count == 1 || rows_undo(db, err);
}

/* The account's own rate is spent: the whole message is refused, and nothing is charged. */
static bool refuse_rate(struct database *db, struct store_job *job,
                        const struct throttle_decision *d, struct err *err)
{
    job->refusal = throttle_verdict(job->throttle, job->mail->class, d);
    return undo(db, job, err);
}

/* It passes; what would have happened is written down, refusals once for each window. */
static bool observe(struct database *db, struct store_job *job, const struct throttle_decision *d,
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
    job->observed++;
    if (throttle_refuses(d) && !d->first)
        return true;
    snprintf(text, sizeof(text), "would be %s: limit \"%s\", %lld s", words[d->what],
             d->what > THROTTLE_REPEATED ? "alike" : throttle_key_name(d->key),
             (long long)(d->wait_ms / 1000));
    return rows_mail_event(db, job->mail, (size_t)(d - job->decisions), "observed", &passed, text,
                           err);
}

static bool find_suppressed(struct database *db, struct store_job *job, size_t i,
                            const struct address_forms *forms, int64_t now_ms, struct err *err)
{
    struct suppress_entry entry;
    const struct mail *m = job->mail;
    if (!database_suppressed_form(db, m, forms, now_ms, &entry, err))
        return err->kind == ERR_NONE;
    if (!job->refusals)
        job->refusals = xcalloc(m->envelope.count, sizeof(*job->refusals));
    job->refusals[i] = suppress_verdict(&entry);
    job->decisions[i].what = THROTTLE_SUPPRESSED;
    return true;
}

/* A repetition has been answered already; who wants no mail gets none; the rest is counted. */
static bool decide_recipient(struct database *db, struct store_job *job, size_t i,
                             const struct address_forms *forms, int64_t now_ms, struct err *err)
{
    unsigned char name[16] = {0};
    struct throttle_decision *d = &job->decisions[i];
    const char *domain = job->mail->envelope.rcpts[i].domain;
    enum throttle_mode mode = job->throttle->mode;
    if (!duplicates_find(db, job, forms, now_ms, d, name, err))
        return false;
    if (job->refusal.code != 0)
        return true;
    if (d->what != THROTTLE_REPEATED && !find_suppressed(db, job, i, forms, now_ms, err))
        return false;
    int64_t fingerprint = d->fingerprint;
    if (d->what == THROTTLE_PASS && mode != THROTTLE_OFF &&
        !throttle_rows_charge(db, job, forms->counted, domain, now_ms, d, err))
        return false;
    d->fingerprint = fingerprint;
    if (mode == THROTTLE_OBSERVE && d->what != THROTTLE_REPEATED &&
        d->what != THROTTLE_SUPPRESSED) {
        if (!observe(db, job, d, err))
            return false;
        d->what = THROTTLE_PASS;
    }
    return duplicates_note(db, job, d, name, now_ms, err);
}

/* Nobody gets it: because all have it already, or because of the limits. */
static bool conclude(struct database *db, struct store_job *job, size_t refused, size_t repeated,
                     struct err *err)
{
    size_t count = job->mail->envelope.count;
    if (repeated == count) {
        job->is_duplicate = true;
        for (size_t i = 0; i < count; i++)
            if (!duplicates_event(db, job->mail, i, &job->decisions[i], err))
                return false;
        return true;
    }
    return refused + repeated < count || repeated > 0 || refuse_all(db, job, err);
}

bool accept_policy_decide(struct database *db, struct store_job *job, int64_t now_ms,
                          struct err *err)
{
    const struct mail *m = job->mail;
    size_t refused = 0;
    size_t repeated = 0;
    struct address_forms forms;
    job->decisions = xcalloc(m->envelope.count, sizeof(*job->decisions));
    if (!quota_allow(db, job, err) || job->refusal.code != 0)
        return job->refusal.code != 0;
    if (!macs_prepare(db, err) || !begin(db, job, err))
        return false;
    for (size_t i = 0; i < m->envelope.count; i++) {
        struct throttle_decision *d = &job->decisions[i];
        address_forms_make(m->envelope.rcpts[i].address, &forms);
        if (!decide_recipient(db, job, i, &forms, now_ms, err))
            return false;
        if (job->refusal.code != 0)
            return undo(db, job, err);
        bool limited = d->what == THROTTLE_DEFER || d->what == THROTTLE_REJECT;
        if (limited && d->key == THROTTLE_RATE)
            return refuse_rate(db, job, d, err) &&
                   top_talkers_note_refused(db, m->credential, forms.counted, now_ms, err);
        if (limited && !top_talkers_note_refused(db, m->credential, forms.counted, now_ms, err))
            return false;
        refused += throttle_refuses(d);
        repeated += throttle_repeats(d);
    }
    return end(db, job, err) && conclude(db, job, refused, repeated, err);
}
