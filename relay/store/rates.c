// SPDX-License-Identifier: BSD-2-Clause
/* rates.c - One row per key, named by a MAC of what it stands for: about 45 bytes each.
 *
 * A message to one recipient reads and writes up to five rows. The recipient's canonical form
 * names them, so that no way of spelling an address begins a new count.
 */
#include "rates.h"

#include "clock.h"
#include "newcomers.h"
#include "repeats.h"
#include "secret.h"
#include "top.h"

#include <stdio.h>
#include <string.h>

/* What a key's name is made of; see enum throttle_key. */
struct counted {
    const char *tenant, *recipient, *domain;
    enum stream_class class;
    enum stream_on_limit on_limit;
};

/* On the store's thread once, and after the clock was set; by readers each time. */
static bool read_instance(struct database *db, struct err *err)
{
    if (db->writes && db->instance_known)
        return true;
    sqlite3_stmt *s = rows_prepare(db, SQL_RATE_KEY);
    while (rows_next(db, s, err))
        if (sqlite3_column_bytes(s, 0) == (int)sizeof(db->rate_key))
            memcpy(db->rate_key, sqlite3_column_blob(s, 0), sizeof(db->rate_key));
    if (err->kind != ERR_NONE)
        return false;
    s = rows_prepare(db, SQL_STEPS);
    while (rows_next(db, s, err))
        db->steps_ms = sqlite3_column_int64(s, 0);
    db->instance_known = err->kind == ERR_NONE;
    return db->instance_known;
}

void rates_mac(const struct database *db, struct buf *text, unsigned char name_r[16])
{
    secret_mac((struct span){(const char *)db->rate_key, sizeof(db->rate_key)}, buf_span(text),
               name_r);
    buf_fini(text);
}

static void make_name(const struct database *db, enum throttle_key key, const struct counted *c,
                      unsigned char name_r[16])
{
    struct buf text;
    bool by_tenant = key != THROTTLE_RECIPIENT;
    const char *whom = key == THROTTLE_DOMAIN ? c->domain
                       : key == THROTTLE_RATE ? ""
                                              : c->recipient;
    buf_init(&text, 4096);
    buf_addf(&text, "%s\n%s\n%s\n%s", throttle_key_name(key), by_tenant ? c->tenant : "",
             key == THROTTLE_CLASS ? stream_class_name(c->class) : "", whom);
    rates_mac(db, &text, name_r);
}

/* Stored times are of a clock that was never set, so that a step of the real one neither frees nor
 * locks anybody. 0 stays 0: never used. */
static int64_t moved(int64_t time_ms, int64_t step_ms)
{
    return time_ms == 0 ? 0 : time_ms + step_ms;
}

static bool read_bucket(struct database *db, const unsigned char name[16],
                        struct throttle_bucket *bucket_r, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_RATE);
    rows_blob(s, 1, (struct span){(const char *)name, 16});
    *bucket_r = (struct throttle_bucket){0};
    while (rows_next(db, s, err))
        *bucket_r = (struct throttle_bucket){moved(sqlite3_column_int64(s, 0), db->steps_ms),
                                             moved(sqlite3_column_int64(s, 1), db->steps_ms)};
    return err->kind == ERR_NONE;
}

static bool write_bucket(struct database *db, const unsigned char name[16],
                         const struct throttle_bucket *bucket, struct err *err)
{
    sqlite3_stmt *s = rows_prepare(db, SQL_SET_RATE);
    rows_blob(s, 1, (struct span){(const char *)name, 16});
    rows_int(s, 2, moved(bucket->tat_ms, -db->steps_ms));
    rows_int(s, 3, moved(bucket->day_ms, -db->steps_ms));
    return rows_run(db, s, err);
}

static bool is_counted(const struct throttle_settings *s, enum throttle_key key,
                       enum stream_class class)
{
    struct throttle_limit l = throttle_limit_of(s, key, class);
    return l.every_ms > 0 || l.per_day > 0;
}

/* The buckets of one recipient: as they are stored, and as they are to be. */
struct buckets {
    const struct throttle_settings *settings;
    unsigned char names[THROTTLE_BUCKETS][16];
    struct throttle_bucket before[THROTTLE_BUCKETS], after[THROTTLE_BUCKETS];
};

static bool read_one(struct database *db, struct buckets *b, const struct counted *c,
                     enum throttle_key key, struct err *err)
{
    if (!is_counted(b->settings, key, c->class))
        return true;
    make_name(db, key, c, b->names[key]);
    return read_bucket(db, b->names[key], &b->before[key], err);
}

/* Large providers are no small domains. */
static struct throttle_settings settings_for(const struct throttle_settings *settings,
                                             const char *domain)
{
    struct throttle_settings own = *settings;
    if (throttle_is_large(domain))
        own.domain = (struct throttle_limit){0};
    return own;
}

static bool write_changed(struct database *db, const struct buckets *b, struct err *err)
{
    bool ok = true;
    for (unsigned k = 0; ok && k < THROTTLE_BUCKETS; k++)
        if (b->after[k].tat_ms != b->before[k].tat_ms || b->after[k].day_ms != b->before[k].day_ms)
            ok = write_bucket(db, b->names[k], &b->after[k], err);
    return ok;
}

/* What was refused is looked up only for the next refusal. */
static bool decide(struct database *db, struct buckets *b, const struct counted *c, int64_t now_ms,
                   struct throttle_decision *d, struct err *err)
{
    memcpy(b->after, b->before, sizeof(b->after));
    *d = throttle_decide(b->settings, c->class, c->on_limit, b->after, now_ms);
    if (d->what <= THROTTLE_PACE || d->key == THROTTLE_RATE)
        return true;
    if (!read_one(db, b, c, THROTTLE_FLOOD, err))
        return false;
    memcpy(b->after, b->before, sizeof(b->after));
    *d = throttle_decide(b->settings, c->class, c->on_limit, b->after, now_ms);
    return true;
}

/* Who has got mail from this tenant a moment ago need not be looked up. */
static bool find_newcomer(struct database *db, const struct buckets *b, const struct counted *c,
                          int64_t now_ms, struct newcomer *n, struct err *err)
{
    *n = (struct newcomer){0};
    return b->before[THROTTLE_TENANT].tat_ms != 0 ||
           newcomers_find(db, b->settings, c->tenant, c->recipient, now_ms, n, err);
}

/* One recipient: read what counts, decide, write what has changed. */
static bool decide_one(struct database *db, const struct store_job *job, const struct counted *c,
                       int64_t now_ms, struct throttle_decision *d, struct err *err)
{
    const struct throttle_settings own = settings_for(job->throttle, c->domain);
    struct buckets b = {.settings = &own};
    struct newcomer n;
    bool ok = true;
    for (unsigned k = 0; ok && k < THROTTLE_FLOOD; k++)
        ok = read_one(db, &b, c, (enum throttle_key)k, err);
    if (!ok || !find_newcomer(db, &b, c, now_ms, &n, err))
        return false;
    if (n.wait_ms > 0) {
        *d = (struct throttle_decision){
            .what = THROTTLE_DEFER, .key = THROTTLE_FIRST_TIME, .wait_ms = n.wait_ms};
        return true;
    }
    return decide(db, &b, c, now_ms, d, err) && write_changed(db, &b, err) &&
           (throttle_refuses(d) || newcomers_note(db, job->mail, &n, now_ms, err));
}

/* The recipient as it is counted; an address that has no canonical form counts as it is. */
static void canonical(const char *text, char *out_r, size_t size)
{
    struct address address;
    struct buf form;
    buf_init(&form, ADDRESS_CANONICAL_MAX);
    bool ok = address_parse(span_of(text), &address) && address_canonical(&address, &form);
    snprintf(out_r, size, "%s", ok ? buf_text(&form) : text);
    buf_fini(&form);
}

/* ---- for people ---- */

static bool find_counted(struct database *db, const char *tenant, const struct address *recipient,
                         enum stream_class class, struct counted *c_r,
                         char form_r[ADDRESS_CANONICAL_MAX + 1],
                         char domain_r[ADDRESS_DOMAIN_MAX + 1], struct err *err)
{
    struct buf form;
    if (!read_instance(db, err))
        return false;
    buf_init(&form, ADDRESS_CANONICAL_MAX);
    bool ok =
        address_canonical(recipient, &form) && address_domain_ascii(recipient->domain, domain_r);
    snprintf(form_r, ADDRESS_CANONICAL_MAX + 1, "%s", buf_text(&form));
    buf_fini(&form);
    *c_r = (struct counted){tenant, form_r, domain_r, class, STREAM_PACE};
    return ok || err_set(err, ERR_USAGE, "that address has no canonical form");
}

bool database_buckets(struct database *db, const char *tenant, const struct address *recipient,
                      enum stream_class class, struct throttle_bucket buckets_r[THROTTLE_BUCKETS],
                      struct err *err)
{
    struct counted c;
    char form[ADDRESS_CANONICAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    unsigned char name[16];
    bool ok = find_counted(db, tenant, recipient, class, &c, form, domain, err);
    for (unsigned k = 0; ok && k < THROTTLE_BUCKETS; k++) {
        make_name(db, (enum throttle_key)k, &c, name);
        ok = read_bucket(db, name, &buckets_r[k], err);
    }
    return ok;
}

bool database_rate(struct database *db, const char *tenant, struct throttle_bucket *bucket_r,
                   struct err *err)
{
    struct counted c = {.tenant = tenant};
    unsigned char name[16];
    if (!read_instance(db, err))
        return false;
    make_name(db, THROTTLE_RATE, &c, name);
    return read_bucket(db, name, bucket_r, err);
}

bool database_reset_buckets(struct database *db, const char *tenant,
                            const struct address *recipient, enum stream_class class,
                            struct err *err)
{
    static const enum throttle_key keys[] = {THROTTLE_CLASS, THROTTLE_TENANT, THROTTLE_RECIPIENT,
                                             THROTTLE_FLOOD};
    struct counted c;
    char form[ADDRESS_CANONICAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    unsigned char name[16];
    bool ok = find_counted(db, tenant, recipient, class, &c, form, domain, err);
    for (size_t i = 0; ok && i < COUNT_OF(keys); i++) {
        sqlite3_stmt *s = rows_prepare(db, SQL_DROP_RATE);
        make_name(db, keys[i], &c, name);
        rows_blob(s, 1, (struct span){(const char *)name, sizeof(name)});
        ok = rows_run(db, s, err);
    }
    return ok;
}

bool database_reset_tenant(struct database *db, const char *tenant, int64_t now_ms, struct err *err)
{
    const struct counted c = {.tenant = tenant};
    unsigned char name[16];
    if (!read_instance(db, err))
        return false;
    make_name(db, THROTTLE_RATE, &c, name);
    sqlite3_stmt *s = rows_prepare(db, SQL_DROP_RATE);
    rows_blob(s, 1, (struct span){(const char *)name, sizeof(name)});
    if (!rows_run(db, s, err))
        return false;
    s = rows_prepare(db, SQL_DROP_NEWCOMERS);
    rows_text(s, 1, tenant);
    rows_int(s, 2, throttle_day(now_ms));
    return rows_run(db, s, err);
}

/* ---- deciding ---- */

/* Once for each pair and window, not for each mail. */
static bool note_refusal(struct database *db, const struct store_job *job, size_t i,
                         struct err *err)
{
    const struct throttle_decision *d = &job->decisions[i];
    struct verdict v = throttle_verdict(job->throttle, job->mail->class, d);
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
    job->refusal = throttle_verdict(job->throttle, job->mail->class, mildest);
    return ok;
}

/* The account's own rate is spent: the whole message is refused, and nothing is charged. */
static bool refuse_rate(struct database *db, struct store_job *job,
                        const struct throttle_decision *d, struct err *err)
{
    job->refusal = throttle_verdict(job->throttle, job->mail->class, d);
    return rows_simple(db, SQL_UNDO, err) && rows_simple(db, SQL_RELEASE, err);
}

/* Look at the keys that do not depend on the message. */
static bool glance(struct database *db, struct buckets *b, const struct counted *c, int64_t now_ms,
                   struct throttle_decision *d, struct err *err)
{
    if (!read_instance(db, err))
        return false;
    for (unsigned k = THROTTLE_TENANT; k < THROTTLE_BUCKETS; k++)
        if (!read_one(db, b, c, (enum throttle_key)k, err))
            return false;
    memcpy(b->after, b->before, sizeof(b->after));
    *d = throttle_glance(b->settings, b->after, now_ms);
    return true;
}

bool database_glance(struct database *db, const struct throttle_settings *settings,
                     const char *tenant, const char *recipient, const char *domain,
                     struct throttle_decision *decision_r, struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    const struct throttle_settings own = settings_for(settings, domain);
    struct buckets b = {.settings = &own};
    const struct counted c = {tenant, form, domain, STREAM_SECURITY, STREAM_PACE};
    canonical(recipient, form, sizeof(form));
    return glance(db, &b, &c, clock_now_ms(), decision_r, err);
}

bool database_refused(struct database *db, const struct throttle_settings *settings,
                      const char *tenant, const char *credential, const char *recipient,
                      const char *domain, struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    const struct throttle_settings own = settings_for(settings, domain);
    struct buckets b = {.settings = &own};
    const struct counted c = {tenant, form, domain, STREAM_SECURITY, STREAM_PACE};
    struct throttle_decision d;
    int64_t now_ms = clock_now_ms();
    canonical(recipient, form, sizeof(form));
    return glance(db, &b, &c, now_ms, &d, err) &&
           top_note_refused(db, credential, form, now_ms, err) && write_changed(db, &b, err);
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

static bool decide_recipient(struct database *db, struct store_job *job, const struct counted *c,
                             int64_t now_ms, struct throttle_decision *d, struct err *err)
{
    if (!repeats_find(db, job, c->recipient, now_ms, d, err))
        return false;
    int64_t fingerprint = d->fingerprint;
    if (d->what == THROTTLE_PASS && job->throttle->mode != THROTTLE_OFF &&
        !decide_one(db, job, c, now_ms, d, err))
        return false;
    d->fingerprint = fingerprint;
    if (job->throttle->mode == THROTTLE_OBSERVE && d->what != THROTTLE_REPEATED) {
        if (!observe(db, job, d, err))
            return false;
        d->what = THROTTLE_PASS;
    }
    return repeats_note(db, job, c->recipient, d, now_ms, err);
}

/* Nobody gets it: because all have it already, or because of the limits. */
static bool conclude(struct database *db, struct store_job *job, size_t refused, size_t repeated,
                     struct err *err)
{
    size_t count = job->mail->envelope.count;
    if (repeated == count) {
        job->repeats = true;
        for (size_t i = 0; i < count; i++)
            if (!repeats_event(db, job->mail, i, &job->decisions[i], err))
                return false;
        return true;
    }
    return refused + repeated < count || repeated > 0 || refuse_all(db, job, err);
}

bool rates_decide(struct database *db, struct store_job *job, int64_t now_ms, struct err *err)
{
    const struct mail *m = job->mail;
    size_t refused = 0;
    size_t repeated = 0;
    char recipient[ADDRESS_CANONICAL_MAX + 1];
    struct counted c = {
        .tenant = m->tenant, .recipient = recipient, .class = m->class, .on_limit = job->on_limit};
    job->decisions = xcalloc(m->envelope.count, sizeof(*job->decisions));
    if (!read_instance(db, err) || !rows_simple(db, SQL_SAVEPOINT, err))
        return false;
    for (size_t i = 0; i < m->envelope.count; i++) {
        struct throttle_decision *d = &job->decisions[i];
        c.domain = m->envelope.rcpts[i].domain;
        canonical(m->envelope.rcpts[i].address, recipient, sizeof(recipient));
        if (!decide_recipient(db, job, &c, now_ms, d, err))
            return false;
        if (throttle_refuses(d) && d->key == THROTTLE_RATE)
            return refuse_rate(db, job, d, err) &&
                   top_note_refused(db, m->credential, recipient, now_ms, err);
        if (throttle_refuses(d) && !top_note_refused(db, m->credential, recipient, now_ms, err))
            return false;
        refused += throttle_refuses(d);
        repeated += throttle_repeats(d);
    }
    return rows_simple(db, SQL_RELEASE, err) && conclude(db, job, refused, repeated, err);
}

bool rates_sweep_keys(struct database *db, enum sql after, enum sql forget,
                      unsigned char cursor[16], int64_t before)
{
    struct err err = {0};
    unsigned char last[16];
    bool more = false;
    sqlite3_stmt *s = rows_prepare(db, after);
    rows_blob(s, 1, (struct span){(const char *)cursor, sizeof(last)});
    while (rows_next(db, s, &err)) {
        more = sqlite3_column_bytes(s, 0) == (int)sizeof(last);
        if (more)
            memcpy(last, sqlite3_column_blob(s, 0), sizeof(last));
    }
    if (!more) {
        memset(cursor, 0, sizeof(last));
        return false;
    }
    s = rows_prepare(db, forget);
    rows_blob(s, 1, (struct span){(const char *)cursor, sizeof(last)});
    rows_blob(s, 2, (struct span){(const char *)last, sizeof(last)});
    rows_int(s, 3, before);
    bool ok = rows_run(db, s, &err);
    memcpy(cursor, last, sizeof(last));
    return ok;
}

bool rates_sweep(struct database *db, int64_t now_ms)
{
    struct err err = {0};
    return read_instance(db, &err) && rates_sweep_keys(db, SQL_RATE_AFTER, SQL_FORGET_RATES,
                                                       db->rate_swept, now_ms - db->steps_ms);
}
