// SPDX-License-Identifier: BSD-2-Clause
/* throttle_rows.c - The buckets of the limits: one row of `sent` per key, about 45 bytes each
 * (sent.c). A message to one recipient reads and writes up to five of them. Those of its domain and
 * of its tenant may be some messages ahead there (leases.c).
 */
#include "throttle_rows.h"

#include "clock.h"
#include "db.h"
#include "events.h"
#include "log.h"
#include "macs.h"
#include "new_recipients.h"
#include "sent.h"
#include "top_talkers.h"

#include <stdio.h>
#include <string.h>

/* What a key's name is made of; see enum throttle_key. */
struct counted {
    const char *tenant, *recipient, *domain;
    enum stream_class class;
    enum stream_on_limit on_limit;
    const char *stream; /* with a limit of its own; NULL: its class's */
};

static void make_name(struct database *db, enum throttle_key key, const struct counted *c,
                      struct sent_name *name_r)
{
    char what[SENT_WHAT_MAX];
    bool by_tenant = key != THROTTLE_RECIPIENT;
    const char *whom = key == THROTTLE_DOMAIN ? c->domain
                       : key == THROTTLE_RATE ? ""
                                              : c->recipient;
    const char *kind = c->stream ? c->stream : stream_class_name(c->class);
    snprintf(what, sizeof(what), "%s\n%s\n%s%s", throttle_key_name(key), by_tenant ? c->tenant : "",
             key == THROTTLE_CLASS && c->stream ? "stream " : "",
             key == THROTTLE_CLASS ? kind : "");
    sent_name_count(db, whom, what, name_r);
}

static bool is_leased(enum throttle_key key)
{
    return key == THROTTLE_DOMAIN || key == THROTTLE_RATE;
}

/* Of one that is ahead on the disk: how it is. */
static bool look_at_lease(const struct database *db, const struct sent_name *name,
                          struct sent_row *row_r)
{
    struct sent_row stored;
    return db->writes ? leases_find(db->leases, sent_span(name), row_r, &stored)
                      : leases_look(db->leases, sent_span(name), row_r);
}

static bool read_bucket(struct database *db, enum throttle_key key, const struct sent_name *name,
                        struct throttle_bucket *bucket_r, struct err *err)
{
    struct sent_row row;
    bool ok = (is_leased(key) && look_at_lease(db, name, &row)) ||
              sent_find(db, name, SQL_OLDER_RATE, &row, err);
    *bucket_r = (struct throttle_bucket){sent_moved(row.until, db->steps_ms),
                                         sent_moved(row.value, db->steps_ms)};
    return ok;
}

static struct sent_row row_of(const struct database *db, const struct throttle_bucket *bucket)
{
    return (struct sent_row){sent_moved(bucket->tat_ms, -db->steps_ms),
                             sent_moved(bucket->day_ms, -db->steps_ms)};
}

static bool write_bucket(struct database *db, const struct sent_name *name,
                         const struct throttle_bucket *bucket, struct err *err)
{
    const struct sent_row row = row_of(db, bucket);
    return sent_set(db, name, &row, err);
}

static bool is_between(int64_t low, int64_t ms, int64_t high)
{
    return low <= ms && ms <= high;
}

static struct sent_name name_of_left(const struct leases_left *left)
{
    struct sent_name name = {.len = left->len};
    memcpy(name.name, left->name, left->len);
    return name;
}

/* What the disk has is written only when it would not be enough any more, or is too much. */
static bool write_leased(struct database *db, const struct throttle_limit *limit,
                         const struct sent_name *name, const struct throttle_bucket *bucket,
                         int64_t now_ms, struct err *err)
{
    const struct throttle_bucket most = throttle_ahead(bucket, limit, throttle_lease(limit));
    const struct sent_row row = row_of(db, bucket);
    const struct sent_row ahead = row_of(db, &most);
    struct sent_row before;
    struct sent_row stored;
    struct leases_left left = {.len = 0};
    if (throttle_lease(limit) == 0) {
        leases_drop(db->leases, sent_span(name));
        return sent_set(db, name, &row, err);
    }
    bool holds = leases_find(db->leases, sent_span(name), &before, &stored) &&
                 is_between(row.until, stored.until, ahead.until) &&
                 is_between(row.value, stored.value, ahead.value);
    if (!holds)
        stored = ahead;
    if (!leases_set(db->leases, sent_span(name), &row, &stored, now_ms, &left))
        return sent_set(db, name, &row, err);
    if (!holds && !sent_set(db, name, &stored, err))
        return false;
    const struct sent_name other = name_of_left(&left);
    return left.len == 0 || sent_set(db, &other, &left.exact, err);
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
    struct sent_name names[THROTTLE_BUCKETS];
    struct throttle_bucket before[THROTTLE_BUCKETS], after[THROTTLE_BUCKETS];
};

static bool read_one(struct database *db, struct buckets *b, const struct counted *c,
                     enum throttle_key key, struct err *err)
{
    if (!is_counted(b->settings, key, c->class))
        return true;
    make_name(db, key, c, &b->names[key]);
    return read_bucket(db, key, &b->names[key], &b->before[key], err);
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

static bool write_one(struct database *db, const struct buckets *b, enum throttle_key key,
                      int64_t now_ms, struct err *err)
{
    struct throttle_limit limit = throttle_limit_of(b->settings, key, STREAM_SECURITY);
    return is_leased(key) ? write_leased(db, &limit, &b->names[key], &b->after[key], now_ms, err)
                          : write_bucket(db, &b->names[key], &b->after[key], err);
}

static bool write_changed(struct database *db, const struct buckets *b, int64_t now_ms,
                          struct err *err)
{
    bool ok = true;
    for (unsigned k = 0; ok && k < THROTTLE_BUCKETS; k++)
        if (b->after[k].tat_ms != b->before[k].tat_ms || b->after[k].day_ms != b->before[k].day_ms)
            ok = write_one(db, b, (enum throttle_key)k, now_ms, err);
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
static bool find_new_recipient(struct database *db, const struct buckets *b,
                               const struct counted *c, int64_t now_ms, struct new_recipient *n,
                               struct err *err)
{
    *n = (struct new_recipient){0};
    return b->before[THROTTLE_TENANT].tat_ms != 0 ||
           new_recipients_find(db, b->settings, c->tenant, c->recipient, now_ms, n, err);
}

bool throttle_rows_charge(struct database *db, const struct store_accept *a, const char *recipient,
                          const char *domain, int64_t now_ms, struct throttle_decision *d,
                          struct err *err)
{
    const struct mail *m = a->mail;
    bool apart = false;
    const struct throttle_settings base =
        throttle_for_stream(a->throttle, m->stream, m->class, &apart);
    const struct throttle_settings own = settings_for(&base, domain);
    const struct counted c = {m->tenant, recipient,   domain,
                              m->class,  a->on_limit, apart ? m->stream : NULL};
    struct buckets b = {.settings = &own};
    struct new_recipient n;
    bool ok = true;
    for (unsigned k = 0; ok && k < THROTTLE_FLOOD; k++)
        ok = read_one(db, &b, &c, (enum throttle_key)k, err);
    if (!ok || !find_new_recipient(db, &b, &c, now_ms, &n, err))
        return false;
    if (n.wait_ms > 0) {
        *d = (struct throttle_decision){
            .what = THROTTLE_DEFER, .key = THROTTLE_FIRST_TIME, .wait_ms = n.wait_ms};
        return true;
    }
    if (!decide(db, &b, &c, now_ms, d, err))
        return false;
    if (throttle_refuses(d) && d->key == THROTTLE_RATE) /* nothing is charged, nothing is written */
        return true;
    d->first_time = n.is_new && !throttle_refuses(d);
    return write_changed(db, &b, now_ms, err) &&
           (throttle_refuses(d) || new_recipients_note(db, a->mail, &n, now_ms, err));
}

bool throttle_rows_charge_rate(struct database *db, const struct store_accept *a, int64_t now_ms,
                               struct throttle_decision *d, struct err *err)
{
    const struct mail *m = a->mail;
    struct buckets b = {.settings = a->throttle};
    const struct counted c = {.tenant = m->tenant, .class = m->class};
    if (!is_counted(a->throttle, THROTTLE_RATE, m->class))
        return true;
    if (!read_one(db, &b, &c, THROTTLE_RATE, err))
        return false;
    memcpy(b.after, b.before, sizeof(b.after));
    const struct throttle_decision rate =
        throttle_charge_rate(a->throttle, m->class, &b.after[THROTTLE_RATE], now_ms);
    if (rate.what == THROTTLE_PASS)
        return write_changed(db, &b, now_ms, err);
    *d = rate;
    return true;
}

bool throttle_rows_charge_report(struct database *db, const struct throttle_limit *limit,
                                 const char *recipient, bool fails, int64_t now_ms, bool *taken_r,
                                 int64_t *wait_ms_r, struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    const struct counted c = {.tenant = "", .recipient = form};
    struct sent_name name;
    struct throttle_bucket b;
    *taken_r = true;
    *wait_ms_r = 0;
    if (limit->every_ms == 0 && limit->per_day == 0)
        return true;
    address_counted_as(recipient, form);
    if (!macs_prepare(db, err))
        return false;
    make_name(db, THROTTLE_REPORT, &c, &name);
    if (!read_bucket(db, THROTTLE_REPORT, &name, &b, err))
        return false;
    *wait_ms_r = throttle_wait_ms(&b, limit, fails, now_ms);
    *taken_r = *wait_ms_r == 0 || (fails && *wait_ms_r <= limit->hold_ms);
    if (!*taken_r)
        return true;
    throttle_take(&b, limit, now_ms);
    return write_bucket(db, &name, &b, err);
}

void throttle_rows_settle(struct database *db)
{
    struct err err = {0};
    struct leases_left left;
    bool ok = rows_simple(db, SQL_BEGIN, &err);
    while (ok && leases_take(db->leases, &left)) {
        const struct sent_name name = name_of_left(&left);
        ok = sent_set(db, &name, &left.exact, &err);
    }
    if (!ok || !rows_simple(db, SQL_COMMIT, &err))
        rows_rollback(db);
    log_fault("store_fault", &err);
}

/* ---- for people ---- */

static bool find_counted(struct database *db, const char *tenant, const struct address *recipient,
                         enum stream_class class, const char *stream, struct counted *c_r,
                         char form_r[ADDRESS_CANONICAL_MAX + 1],
                         char domain_r[ADDRESS_DOMAIN_MAX + 1], struct err *err)
{
    struct buf form;
    if (!macs_prepare(db, err))
        return false;
    buf_init(&form, ADDRESS_CANONICAL_MAX);
    bool ok =
        address_canonical(recipient, &form) && address_domain_ascii(recipient->domain, domain_r);
    snprintf(form_r, ADDRESS_CANONICAL_MAX + 1, "%s", buf_text(&form));
    buf_fini(&form);
    *c_r = (struct counted){tenant, form_r, domain_r, class, STREAM_PACE, stream};
    return ok || err_set(err, ERR_USAGE, "that address has no canonical form");
}

bool database_buckets(struct database *db, const char *tenant, const struct address *recipient,
                      enum stream_class class, const char *stream,
                      struct throttle_bucket buckets_r[THROTTLE_BUCKETS], struct err *err)
{
    struct counted c;
    char form[ADDRESS_CANONICAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct sent_name name;
    bool ok = find_counted(db, tenant, recipient, class, stream, &c, form, domain, err);
    for (unsigned k = 0; ok && k < THROTTLE_BUCKETS; k++) {
        make_name(db, (enum throttle_key)k, &c, &name);
        ok = read_bucket(db, (enum throttle_key)k, &name, &buckets_r[k], err);
    }
    return ok;
}

bool database_rate(struct database *db, const char *tenant, struct throttle_bucket *bucket_r,
                   struct err *err)
{
    struct counted c = {.tenant = tenant};
    struct sent_name name;
    if (!macs_prepare(db, err))
        return false;
    make_name(db, THROTTLE_RATE, &c, &name);
    return read_bucket(db, THROTTLE_RATE, &name, bucket_r, err);
}

bool database_reset_buckets(struct database *db, const char *tenant,
                            const struct address *recipient, enum stream_class class,
                            const char *stream, struct err *err)
{
    static const enum throttle_key keys[] = {THROTTLE_CLASS, THROTTLE_TENANT, THROTTLE_RECIPIENT,
                                             THROTTLE_FLOOD};
    struct counted c;
    char form[ADDRESS_CANONICAL_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    struct sent_name name;
    bool ok = find_counted(db, tenant, recipient, class, stream, &c, form, domain, err);
    for (size_t i = 0; ok && i < COUNT_OF(keys); i++) {
        make_name(db, keys[i], &c, &name);
        ok = sent_drop(db, &name, err);
    }
    return ok;
}

bool database_reset_tenant(struct database *db, const char *tenant, int64_t now_ms, struct err *err)
{
    const struct counted c = {.tenant = tenant};
    struct sent_name name;
    if (!macs_prepare(db, err))
        return false;
    make_name(db, THROTTLE_RATE, &c, &name);
    memset(db->newcomers, 0, sizeof(db->newcomers));
    leases_drop(db->leases, sent_span(&name));
    return sent_drop(db, &name, err) && rows_index_rest(db, err) &&
           rows_run(db, ROWS(db, SQL_DROP_NEWCOMERS, TEXT(tenant), INT(throttle_day(now_ms))), err);
}

/* ---- at RCPT ---- */

/* Look at the keys that do not depend on the message. */
static bool glance(struct database *db, struct buckets *b, const struct counted *c, int64_t now_ms,
                   struct throttle_decision *d, struct err *err)
{
    if (!macs_prepare(db, err))
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
    const struct counted c = {tenant, form, domain, STREAM_SECURITY, STREAM_PACE, NULL};
    address_counted_as(recipient, form);
    return glance(db, &b, &c, clock_now_ms(), decision_r, err);
}

bool database_refused(struct database *db, const struct throttle_settings *settings,
                      const char *tenant, const char *credential, const char *recipient,
                      const char *domain, struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    const struct throttle_settings own = settings_for(settings, domain);
    struct buckets b = {.settings = &own};
    const struct counted c = {tenant, form, domain, STREAM_SECURITY, STREAM_PACE, NULL};
    struct throttle_decision d;
    int64_t now_ms = clock_now_ms();
    address_counted_as(recipient, form);
    return glance(db, &b, &c, now_ms, &d, err) &&
           top_talkers_note_refused(db, credential, form, now_ms, err) &&
           write_changed(db, &b, now_ms, err);
}
