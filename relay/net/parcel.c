// SPDX-License-Identifier: BSD-2-Clause
/* parcel.c - The journey of a parcel up to the courier.
 *
 * Failure modes: the rows cannot be read (tried again in 5 seconds) - nobody is due any more
 * (dropped) - its time is over (never: nothing late is sent) - no key (later, the operator is told)
 * - the domain does not exist or takes no mail (never) - no DNS (later; when nothing
 * answers at all, it is our network, and the attempt does not count) - the site rests (later, not
 * before it is over).
 */
#include "parcel.h"

#include "clock.h"
#include "courier.h"
#include "log.h"
#include "retry.h"
#include "suppressions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { AGAIN_MS = 5000, EARLY_MS = 60 * 1000, CLOCK_MOVES_MS = 100 };

static void ask_site(struct parcel *p);

void parcel_answer_all(struct parcel *p, const struct verdict *v)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (p->answers[i].code == 0)
            p->answers[i] = *v;
}

void parcel_own_fault(struct parcel *p, const struct err *err)
{
    struct verdict v = verdict_make(451, "4.7.5", "Not signed: %s", err->text);
    if (err->kind == ERR_DAMAGED || err->kind == ERR_SYSTEM || err->kind == ERR_STORE)
        v = verdict_make(451, "4.3.0", "%s", err->text);
    const struct mail_row *row = &p->mail->rows[0];
    p->damaged = err->kind == ERR_DAMAGED;
    p->not_attempted = true;
    if (row->code != v.code || strcmp(row->enhanced, v.enhanced) != 0) /* not again and again */
        log_end(log_text(log_text(log_id(log_begin(LOG_ERROR, "not_sent"), p->mail->id), "domain",
                                  p->mail->from_domain),
                         "reply", err->text));
    parcel_answer_all(p, &v);
}

int64_t parcel_left_ms(struct parcel *p)
{
    parcel_follow_clock(p);
    return p->mail->expires_ms - clock_now_ms();
}

unsigned parcel_patience_s(struct parcel *p, unsigned usual_s)
{
    int64_t left_s = parcel_left_ms(p) / 1000 + 1;
    return left_s < 1 ? 1 : left_s < usual_s ? (unsigned)left_s : usual_s;
}

bool parcel_expired(struct parcel *p)
{
    if (parcel_left_ms(p) > 0)
        return false;
    p->not_attempted = true;
    for (size_t i = 0; i < p->mail->envelope.count; i++) {
        const struct mail_row *row = &p->mail->rows[i];
        struct verdict last = verdict_make(row->code, row->enhanced, "%s", row->reply);
        if (p->answers[i].code == 0)
            p->answers[i] = retry_expired(&last);
    }
    return true;
}

void parcel_end_expired(struct shard *s)
{
    struct parcel *p;
    struct parcel *next;
    DL_FOREACH_SAFE (s->parcels, p, next) {
        if (p->waits && parcel_expired(p) && site_leave_wait(p->site, &p->party)) {
            p->waits = false;
            parcel_settle(p);
        }
    }
}

static void settle_all(struct parcel *p, struct verdict v)
{
    parcel_answer_all(p, &v);
    parcel_settle(p);
}

static void settle_resting(struct parcel *p)
{
    char why[200];
    int64_t rest_ms = site_rest_ms(p->site, clock_steady_ms(), why);
    p->not_before_ms = rest_ms > 0 ? clock_now_ms() + rest_ms : 0;
    p->not_attempted = true; /* nobody was asked: it costs no try */
    settle_all(p, verdict_make(451, "4.4.1", "Destination rests after a failure: %s", why));
}

static void on_party(struct inbox_item *item)
{
    struct parcel *p =
        (struct parcel *)(void *)((char *)item - offsetof(struct parcel, party.item));
    p->waits = false;
    if (!p->party.granted) {
        settle_resting(p);
    } else if (parcel_expired(p)) {
        site_release(p->site);
        parcel_settle(p);
    } else {
        courier_open(p);
    }
}

static void ask_site(struct parcel *p)
{
    struct site_party *idle = NULL;
    p->party.inbox = &p->shard->inbox;
    p->party.settings = p->settings->generation;
    p->party.item.run = on_party;
    switch (site_take(p->site, &p->party, clock_steady_ms(), &idle)) {
    case SITE_GRANTED:
        courier_open(p);
        break;
    case SITE_IDLE:
        courier_reuse(idle, p);
        break;
    case SITE_WAIT:
        p->waits = true;
        break;
    case SITE_RESTING:
        settle_resting(p);
        break;
    }
}

/* Whom the resolver has asked, and where that is set. `text_r` holds 120 bytes. */
static const char *dns_asked(const struct config *config, char *text_r)
{
    if (config->dns_forward_count > 0)
        snprintf(text_r, 120, "asked %s%s, as dns { forward } says", config->dns_forward[0],
                 config->dns_forward_count > 1 ? " and others" : "");
    else
        snprintf(text_r, 120,
                 "asked from the root servers; dns { forward } can name a resolver to ask");
    return text_r;
}

static void on_hosts(void *context, struct resolver_answer *answer)
{
    struct parcel *p = context;
    const char *domain = p->work->domain;
    char asked[120];
    dns_asked(p->settings->config, asked);
    p->hosts = answer->hosts;
    switch (answer->result) {
    case RESOLVER_FOUND:
        p->site = sites_find(p->shard->common->sites, &p->hosts, p->route->port, &p->route->trust);
        if (parcel_expired(p))
            parcel_settle(p);
        else
            ask_site(p);
        break;
    case RESOLVER_NULL_MX:
        settle_all(p, verdict_make(556, "5.1.10", "Domain %s takes no mail (null MX)", domain));
        break;
    case RESOLVER_NO_DOMAIN:
        if (p->route->host[0])
            settle_all(p, verdict_make(451, "4.4.3", "Smart host %.80s not found in DNS (%s)",
                                       p->route->host, asked));
        else
            settle_all(p, verdict_make(550, "5.1.2",
                                       "Domain %s does not exist or has no mail server", domain));
        break;
    case RESOLVER_LOOP:
        settle_all(p, verdict_make(554, "5.4.6", "Mail for %s would come back to this host: %s",
                                   domain, answer->why[0] ? answer->why : "its MX is ourselves"));
        break;
    case RESOLVER_BARRED:
        settle_all(p, verdict_make(550, "5.4.4", "Domain %s has no host that can be reached: %s",
                                   domain, answer->why));
        break;
    case RESOLVER_FAILED:
        settle_all(p,
                   verdict_make(451, "4.4.3", "DNS gave no answer for %.80s (%s)", domain, asked));
        break;
    case RESOLVER_DOWN:
        p->not_attempted = true;
        settle_all(p, verdict_make(451, "4.4.3",
                                   "DNS gives no answer at all: is the network down? (%s)", asked));
        break;
    }
}

/* Keep the recipients of this parcel that are still due; the others are somebody else's, or
 * settled, or due later because they have been tried meanwhile. A minute counts as due: the
 * scheduler's clock and the rows' drift apart by what NTP corrects. */
static void narrow(struct mail *m, const struct scheduler_parcel *work, int64_t now_ms)
{
    struct envelope all = m->envelope;
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        bool wanted = false;
        for (size_t k = 0; k < work->count; k++)
            wanted = wanted || work->numbers[k] == m->rows[i].number;
        wanted =
            wanted && m->rows[i].state == MAIL_WAITING && m->rows[i].due_ms <= now_ms + EARLY_MS;
        if (wanted) {
            struct envelope_rcpt other = m->envelope.rcpts[kept];
            m->envelope.rcpts[kept] = m->envelope.rcpts[i];
            m->envelope.rcpts[i] = other;
            m->rows[kept++] = m->rows[i];
        }
    }
    for (size_t i = kept; i < all.count; i++) {
        free(all.rcpts[i].address);
        free(all.rcpts[i].domain);
        free(all.rcpts[i].original);
    }
    m->envelope.count = kept;
}

/* Whoever waits with a final answer was refused when the message came: only the report is missing.
 */
static void answer_refused(struct parcel *p)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++) {
        const struct mail_row *row = &p->mail->rows[i];
        if (row->tries > 0 || row->code < 500)
            continue;
        p->answers[i] = verdict_make(row->code, row->enhanced, "%s", row->reply);
        p->suppressed[i] = strcmp(row->enhanced, "5.7.1") == 0;
    }
}

/* Whoever has been suppressed while the message waited gets it no more. What we make ourselves
 * always goes. */
static bool answer_suppressed(struct parcel *p, struct err *err)
{
    const struct mail *m = p->mail;
    for (size_t i = 0; m->protocol[0] && i < m->envelope.count; i++) {
        struct suppress_entry entry;
        if (p->answers[i].code == 0 &&
            database_suppressed(p->shard->reader, m, m->envelope.rcpts[i].address, clock_now_ms(),
                                &entry, err)) {
            p->answers[i] = suppress_verdict(&entry);
            p->suppressed[i] = true;
        }
        if (err->kind != ERR_NONE)
            return false;
    }
    return true;
}

bool parcel_all_answered(const struct parcel *p)
{
    for (size_t i = 0; i < p->mail->envelope.count; i++)
        if (p->answers[i].code == 0)
            return false;
    return true;
}

/* Nobody is connected to for mail that cannot be signed. */
static bool may_be_signed(struct parcel *p)
{
    struct keyring_loan loan;
    struct err err = {0};
    struct keyring *keyring = p->shard->common->keyring;
    bool ok = keyring_find(keyring, p->shard->reader, p->mail->from_domain, &loan, &err);
    if (ok)
        keyring_return(keyring, &loan);
    else
        parcel_own_fault(p, &err);
    return ok;
}

/* The message as it is now, and who of its recipients is to get it. */
static bool read_rows(struct parcel *p, struct err *err)
{
    if (!database_begin_reading(p->shard->reader, err))
        return false;
    bool ok = database_mail(p->shard->reader, p->work->message, &p->mail, err);
    if (ok) {
        narrow(p->mail, p->work, clock_now_ms());
        p->answers = xcalloc(p->mail->envelope.count + 1, sizeof(*p->answers));
        p->own = xcalloc(p->mail->envelope.count + 1, sizeof(*p->own));
        p->suppressed = xcalloc(p->mail->envelope.count + 1, sizeof(*p->suppressed));
        answer_refused(p);
        ok = answer_suppressed(p, err);
    }
    database_end_reading(p->shard->reader);
    return ok;
}

void parcel_start(struct shard *s, struct scheduler_parcel *work)
{
    struct err err = {0};
    struct parcel *p = xcalloc(1, sizeof(*p));
    p->shard = s;
    p->work = work;
    p->settings = settings_hold(s->settings);
    buf_init(&p->dialogue, 32 * 1024);
    DL_APPEND(s->parcels, p);
    unsigned epoch = clock_epoch();
    bool found = !s->draining && read_rows(p, &err);
    if (!found && err.kind != ERR_NOT_FOUND) {
        work->again_in_ms = AGAIN_MS;
        if (!s->draining)
            log_event(LOG_ERROR, "queue_unreadable", "reply", err.text);
    }
    if (found && !clock_holds(epoch)) { /* rows and clock are of different times just now */
        work->again_in_ms = CLOCK_MOVES_MS;
        found = false;
    }
    if (!found || p->mail->envelope.count == 0) {
        parcel_end(p);
        return;
    }
    p->clock_offset_ms = clock_offset_ms();
    if (parcel_all_answered(p) || parcel_expired(p) || !may_be_signed(p)) {
        parcel_settle(p);
        return;
    }
    p->route = config_route(p->settings->config, work->domain);
    const char *host = p->route->host[0] ? p->route->host : work->domain;
    const struct resolver_query query = {.config = p->settings->config,
                                         .domain = host,
                                         .port = p->route->port,
                                         .direct = p->route->host[0] != '\0'};
    resolver_find(s->resolver, &query, on_hosts, p);
}

void parcel_end(struct parcel *p)
{
    struct shard *s = p->shard;
    DL_DELETE(s->parcels, p);
    atomic_fetch_sub(&s->load, 1);
    scheduler_finished(p->work);
    mail_free(p->mail);
    hosts_fini(&p->hosts);
    free(p->answers);
    free(p->own);
    free(p->suppressed);
    buf_fini(&p->dialogue);
    settings_drop(p->settings);
    free(p);
    shard_something_ended(s);
}

void parcel_abandon_all(struct shard *s)
{
    struct parcel *p;
    struct parcel *next;
    resolver_free(s->resolver);
    s->resolver = NULL;
    DL_FOREACH_SAFE (s->parcels, p, next) {
        bool waits = !p->site || site_leave_wait(p->site, &p->party);
        if (waits && !p->settling)
            parcel_end(p);
    }
}
