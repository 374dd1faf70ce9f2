// SPDX-License-Identifier: BSD-2-Clause
/* failover.c - How an outbound connection comes to a host: what begins when one has spoken, and
 * what becomes of the attempt when none does.
 *
 * Failure modes:
 * - this host refuses us: the next one (S9, S10); none left: the queue decides
 * - this host has trouble with the message: the next one for those who have no answer. But never
 *   after the final dot without an answer: the host may have taken the message, and another one
 *   would deliver it again (RFC 5321 section 4.5.4.1, RFC 1047); it waits for the retry, as with
 *   Postfix.
 * - a worse host was reached in place of a better one: after a while the connection ends, and the
 *   better one is tried again (RFC 5321 section 5.1)
 * - the machine knows a way around: the same address once more, by that way, for this attempt only
 * - we trust a host not with this mail, by what DNSSEC says or by no answer: the mail waits by its
 *   own schedule, and nothing rests, as mail to other domains may be trusted to the same host
 * - the same while DNS had not said all addresses: they are waited for, and it begins again; that
 *   is no try
 * - its addresses are in use: the queue has the attempt again until one is free; that is no try
 */
#include "outbound_parts.h"

#include "clock.h"
#include "log.h"
#include "retry.h"
#include "session_count.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_BACK_MS = 20 * 1000 }; /* so long mail stays with a worse host without asking again */

/* Connections that may break among an attempt's recipients; one that stalls counts as so many. */
enum { PARTED_MAX = 20, PARTED_STALLED = 10 };

/* What senders read of a login that they cannot mend. */
static struct verdict our_settings(void)
{
    return verdict_make(451, RETRY_OUR_SETTINGS,
                        "The relay cannot hand on mail at the moment; its operator has been told");
}

/* No host could be reached, or none wanted to talk to us. */
static void destination_is_down(struct outbound *c, struct verdict v, enum queue_failure how)
{
    v.what = VERDICT_DEFER; /* shown as it was said, whatever its code */
    c->attempt->not_attempted = how == QUEUE_FAIL_LOCAL;
    c->attempt->no_host = !attempt_has_answer(c->attempt);
    if (attempt_left_ms(c->attempt) <= 0) /* it had too little time, which is nobody's fault */
        how = c->attempt->host.remote[0] ? QUEUE_FAIL_LOST : QUEUE_FAIL_STALE; /* say what it met */
    outbound_fail(c, how, &v);
}

/* All its addresses are in use: nobody was asked, and it costs no try. */
static void no_address(struct outbound *c)
{
    const struct verdict v =
        verdict_make(451, "4.4.5", "All connections to the destination are in use");
    c->attempt->not_attempted = true;
    outbound_fail(c, QUEUE_FAIL_NO_ADDRESS, &v);
}

/* As the machine says it: it knows what the port and the settings make of a silence. */
static struct verdict verdict_on(struct outbound *c, const struct dial_failure *failure)
{
    const struct endpoint *at = &c->candidates.all[failure->which].at;
    if (!failure->opened && failure->no_ipv6)
        return verdict_make(451, "4.4.1",
                            "Host has only IPv6 addresses, and this machine has no route to %s "
                            "port %u: %s",
                            c->peer, at->port, failure->why);
    if (!failure->opened)
        return verdict_make(451, "4.4.1", "connect to %s port %u: %s", c->peer, at->port,
                            failure->why);
    if (failure->timed_out)
        delivery_timed_out(&c->delivery);
    else
        delivery_lost(&c->delivery, failure->why);
    return c->delivery.trouble;
}

/* REQUIRETLS returns a message only where every host has answered; what else a host may lack is
 * asked of as many as one attempt may ask. */
static bool is_final_lack(const struct outbound *c)
{
    const struct attempt *p = c->attempt;
    return p->mail->tls_need == TLS_NEED_PASSED_ON
               ? candidates_every_lacks(&c->candidates, &p->work->hosts->hosts)
               : candidates_all_lack(&c->candidates);
}

/* Nobody has trouble that could pass: each host cannot do what the message demands. */
static bool returns(struct outbound *c)
{
    const struct attempt *p = c->attempt;
    if (p->mail->tls_need != TLS_NEED_PASSED_ON || !is_final_lack(c))
        return false;
    const struct verdict v =
        verdict_make(550, "5.7.10", "No host of %s can have it, as it demands REQUIRETLS: %.300s",
                     p->work->domain, c->trouble.text);
    outbound_fail(c, QUEUE_FAIL_LOST, &v);
    return true;
}

/* What there is to say when nothing better comes of it. */
static void note_trouble(struct outbound *c, const struct verdict *v)
{
    if (c->troubles > 0)
        return;
    c->trouble = *v;
    attempt_meets(c->attempt, c->host_name, c->peer);
}

/* Those that would have been tried before number `end` of the hosts. What keeps the mail from the
 * last of them; code 0: there was none. */
static struct verdict tell_barred(struct outbound *c, size_t end)
{
    struct verdict v = {.code = 0};
    while (host_trust_tell_barred(c, end, &v))
        session_count_barred(c, v.text);
    return v;
}

/* Hosts that must not have the mail are the obstacle only where no other one was to be asked.
 * False: they are asked about anew, or others, whose addresses came too late. */
static bool looks_at_barred(struct outbound *c, const struct dial_failure *failure)
{
    bool met = c->trouble.code != 0 || failure->tried || failure->none_free;
    if (host_trust_misses_hosts(c) || (!met && host_trust_doubts_barred(c))) {
        outbound_put_back(c);
        return false;
    }
    const struct verdict v = tell_barred(c, HOSTS_MAX);
    if (!met && v.code != 0) {
        note_trouble(c, &v);
        c->attempt->distrusted = true;
    }
    return true;
}

static void on_not_connected(void *owner, const struct dial_failure *failure)
{
    struct outbound *c = owner;
    struct attempt *p = c->attempt;
    c->reach = NULL;
    if (!looks_at_barred(c, failure))
        return;
    if (c->trouble.code != 0 && returns(c))
        return;
    if (c->troubles > 0) { /* there are hosts, and they said why not */
        outbound_fail(c, QUEUE_FAIL_LOST, &c->trouble);
        return;
    }
    if (p->distrusted && c->trouble.code != 0) { /* by us, for this domain: others may go there */
        c->trouble.what = VERDICT_DEFER;
        outbound_fail(c, QUEUE_FAIL_LOST, &c->trouble);
        return;
    }
    bool too_late = c->trouble.code != 0 && attempt_left_ms(p) <= 0; /* what it met before counts */
    if (failure->tried && !too_late) {
        const struct candidate *one = &c->candidates.all[failure->which];
        bool local = failure->local && c->trouble.code == 0;
        ip_print(&one->at.ip, c->peer);
        attempt_meets(p, p->work->hosts->hosts.all[one->host].name, c->peer);
        destination_is_down(c, verdict_on(c, failure),
                            local                                        ? QUEUE_FAIL_LOCAL
                            : failure->none_free && c->trouble.code == 0 ? QUEUE_FAIL_NO_ADDRESS
                            : failure->opened && !failure->timed_out     ? QUEUE_FAIL_REFUSED
                                                                         : QUEUE_FAIL_CONNECT);
    } else if (c->trouble.code != 0) {
        bool ours = !c->trouble.heard && strcmp(c->trouble.enhanced, RETRY_OUR_SETTINGS) == 0;
        bool later = c->trouble.code >= 400 && c->trouble.code < 500 && !ours;
        destination_is_down(c, c->trouble, later ? QUEUE_FAIL_REFUSED : QUEUE_FAIL_CONNECT);
    } else {
        no_address(c);
    }
}

static void begin_delivery(struct outbound *c)
{
    const struct config_route *route = c->attempt->route;
    outbound_end_delivery(c);
    settings_hold(c->attempt->settings);
    settings_drop(c->settings);
    c->settings = c->attempt->settings;
    c->reused = c->begin_again = c->go_on = c->stalled = false;
    c->fact = SIZE_MAX;
    c->again = c->anew = c->counted = false;
    c->shown = TLS_RESULT_NONE;
    c->misfit[0] = '\0';
    c->policy = (struct host_policy){0};
    c->tls_text[0] = '\0';
    c->proven = route->trust; /* it is ready only once it has logged in */
    c->proven.level = TRUST_CLEAR;
    c->proven.settings = c->settings->generation;
    c->delivery_settings =
        (struct delivery_settings){.hostname = attempt_hostname(c->attempt),
                                   .tls = route->tls,
                                   .username = route->username[0] ? route->username : NULL,
                                   .password = route->password,
                                   .token = c->token ? c->token->text : NULL,
                                   .token_renewed = c->token_renewed,
                                   .smart_host = route->host[0] != '\0',
                                   .port = route->port}; /* `hurry`: when a host has spoken */
    delivery_init(&c->delivery, &c->delivery_settings);
    c->delivery_live = true;
}

/* Is there a better host than this one? */
static void note_preference(struct outbound *c, const struct candidate *one)
{
    const struct host *hosts = c->attempt->work->hosts->hosts.all;
    const struct host *best = &hosts[c->candidates.all[0].host];
    bool worse = hosts[one->host].preference > best->preference;
    c->instead_since_ms = worse ? clock_steady_ms() : INT64_MAX;
}

bool failover_leads_here(const struct outbound *c, const struct dispatch_hosts *hosts)
{
    unsigned rank = 0;
    return hosts->hosts.from == c->at.from && hosts_find_rank(&hosts->hosts, c->host_name, &rank) &&
           rank <= c->rank;
}

bool failover_is_outdated(const struct outbound *c, const struct dispatch_hosts *hosts)
{
    return c->opened_ms + QUEUE_REUSE_MS <= clock_steady_ms() &&
           !hosts_give(&hosts->hosts, c->host_name, &c->at.ip);
}

bool failover_looks_back(const struct outbound *c)
{
    return clock_steady_ms() - LOOK_BACK_MS >= c->instead_since_ms;
}

/* RFC 5321 section 4.5.3.2 gives a server that is slow and works its time. It is cut only where the
 * mail may go elsewhere, and once: whoever comes again has met nobody who was faster. */
bool failover_hurries(const struct outbound *c)
{
    const struct mail *m = c->attempt->mail;
    bool first = true;
    for (size_t i = 0; i < m->envelope.count; i++)
        first = first && m->rows[i].tries == 0 && m->rows[i].code == 0;
    return m->class == STREAM_SECURITY && first && c->delivery_settings.most_s > 0;
}

static void on_greeted(void *owner, struct connection *connection, size_t which, struct span bytes)
{
    struct outbound *c = owner;
    const struct candidate *one = &c->candidates.all[which];
    struct delivery_settings *s = &c->delivery_settings;
    c->reach = NULL;
    (void)tell_barred(c, one->host);
    if (which != c->which)
        c->remedies = 0;
    c->which = which;
    c->at = one->at;
    c->reached = true;
    note_preference(c, one);
    snprintf(c->host_name, sizeof(c->host_name), "%s",
             c->attempt->work->hosts->hosts.all[one->host].name);
    CHECK(hosts_find_rank(&c->attempt->work->hosts->hosts, c->host_name, &c->rank));
    host_trust_reached(c, one->host);
    s->tls_has_failed = failover_has_tried(c, DELIVERY_IN_CLEAR);
    if (s->tls_has_failed)
        s->tls = DELIVERY_TLS_NEVER;
    s->helo = failover_has_tried(c, DELIVERY_WITH_HELO);
    s->one_by_one = failover_has_tried(c, DELIVERY_ONE_BY_ONE);
    bool others = candidates_left(&c->candidates, clock_steady_ms());
    s->most_s = others ? c->settings->config->next_host_after_s : 0;
    s->hurry = failover_hurries(c);
    c->take(c, connection, bytes);
}

static void reach(struct outbound *c, size_t again)
{
    static const struct dial_events events = {.greeted = on_greeted, .failed = on_not_connected};
    begin_delivery(c);
    if (c->adopted)
        host_trust_begin(c);
    host_trust_bar(c);
    const struct dial_query query = {.number = c->number,
                                     .again = again,
                                     .hosts = &c->attempt->work->hosts->hosts,
                                     .candidates = &c->candidates,
                                     .source = c->attempt->source,
                                     .time_ms = attempt_left_ms(c->attempt),
                                     .timeout_s = c->settings->config->connect_timeout_s,
                                     .greeting_s = delivery_timeout_s(&c->delivery),
                                     .silent = c->delivery.want == DELIVERY_TLS,
                                     .events = &events,
                                     .owner = c};
    c->reach = dial_start(c->home, &query);
}

/* Without one, it is to the queue as if a password were refused. */
static void on_token(struct outbound *c)
{
    if (c->token)
        reach(c, c->token_for);
    else
        destination_is_down(c, our_settings(), QUEUE_FAIL_CONNECT);
}

/* `again`: with that candidate once more; SIZE_MAX: the next one that can be reached. */
static void next_from(struct outbound *c, size_t again)
{
    if (c->home->worker->hastens) {
        outbound_drop(c, "The relay is shutting down");
        return;
    }
    if (again == SIZE_MAX)
        outbound_leave_host(c);
    c->reached = false;
    c->token_for = again;
    if (outbound_token_take(c, on_token))
        reach(c, again);
}

void failover_next(struct outbound *c)
{
    next_from(c, SIZE_MAX);
}

void failover_again(struct outbound *c)
{
    next_from(c, c->which);
}

void failover_hide_login(struct outbound *c)
{
    if (c->delivery.login == DELIVERY_LOGIN_FINE)
        return;
    attempt_note_login(c->attempt, c->host_name, &c->delivery);
    snprintf(c->own_why, sizeof(c->own_why), "%s: %d %s%s%.120s", attempt_login_word(&c->delivery),
             c->delivery.trouble.code, c->delivery.trouble.enhanced,
             c->delivery.trouble.enhanced[0] ? " " : "", c->delivery.trouble.text);
    c->delivery.trouble = our_settings();
    outbound_token_refused(c);
}

void failover_refused(struct outbound *c)
{
    failover_hide_login(c);
    host_trust_explain(c);
    log_end(log_text(log_text(log_begin(LOG_DEBUG, "next_host"), "mx", c->host_name), "reply",
                     c->delivery.trouble.text));
    note_trouble(c, &c->delivery.trouble);
    if (c->delivery.said_later && c->reached) {
        dispatch_address_refused(c->home->shared->dispatch, c->number, &c->at);
        c->reached = false;
    }
    failover_next(c);
}

/* What is known of the hosts is another attempt's: this one has tried where it is only. */
static void adopt(struct outbound *c)
{
    struct attempt *p = c->attempt;
    int64_t now_ms = clock_steady_ms();
    candidates_init(&c->candidates, &p->work->hosts->hosts, p->route->port, now_ms);
    for (size_t i = 0; i < c->candidates.count; i++)
        if (endpoint_equal(&c->candidates.all[i].at, &c->at))
            candidates_set(&c->candidates, i, CANDIDATE_TRIED, now_ms);
    c->which = SIZE_MAX;
    c->troubles = c->remedies = 0;
    c->barred = 0;
    c->barred_by_domain = false;
    c->adopted = true;
}

bool failover_elsewhere(struct outbound *c)
{
    struct verdict v;
    if (!transaction_host_trouble(&c->transaction, &v))
        return false;
    if (c->reused)
        adopt(c);
    if (c->transaction.lack.code != 0)
        candidates_note_lack(&c->candidates, &c->at, clock_steady_ms());
    candidates_host_left(&c->candidates, clock_steady_ms());
    if (!candidates_left(&c->candidates, clock_steady_ms()) ||
        c->troubles + 1 >= CANDIDATES_TROUBLES_MAX || attempt_left_ms(c->attempt) <= 0)
        return false;
    log_end(log_text(log_text(log_id(log_begin(LOG_INFO, "next_host"), c->attempt->mail->id), "mx",
                              c->host_name),
                     "reply", v.text));
    c->troubles++;
    c->trouble = v;
    return true;
}

void failover_part(struct outbound *c)
{
    struct buf last;
    buf_init(&last, 16);
    buf_add(&last, SPAN("QUIT\r\n"));
    c->go_on = true;
    if (c->connection)
        connection_finish(c->connection, c->delivery.left ? NULL : &last);
    buf_fini(&last);
}

bool failover_if_unsure(struct outbound *c)
{
    struct attempt *p = c->attempt;
    const struct verdict *lack = &c->transaction.lack;
    struct verdict v = c->transaction.unsure;
    if (v.code == 0)
        return false;
    if (failover_elsewhere(c)) {
        transaction_end(&c->transaction);
        failover_part(c);
        return true;
    }
    attempt_meets(p, c->host_name, c->peer);
    if (lack->code != 0 && is_final_lack(c))
        v = *lack;
    v = verdict_make(v.code, v.enhanced, "%s (host %s)", v.text, c->host_name);
    attempt_answer_all(p, &v);
    return false;
}

bool failover_has_tried(const struct outbound *c, enum delivery_remedy remedy)
{
    return (c->remedies >> remedy & 1) != 0;
}

bool failover_by_remedy(struct outbound *c)
{
    enum delivery_remedy remedy = c->delivery.remedy;
    if (remedy == DELIVERY_ENOUGH || remedy == DELIVERY_NEXT_HOST)
        return false;
    if (remedy == DELIVERY_RECONNECT && outbound_turned_away(c, &c->delivery.trouble, false)) {
        outbound_end(c);
        return true;
    }
    attempt_note_remedy(c->attempt, c->host_name, &c->delivery);
    transaction_end(&c->transaction);
    if (remedy == DELIVERY_RECONNECT) { /* it costs nothing, once */
        failover_begin(c);
        return true;
    }
    struct verdict trouble = remedy == DELIVERY_NEW_TOKEN ? our_settings() : c->delivery.trouble;
    outbound_token_refused(c);
    if (c->reused) /* its place was among the hosts of another attempt */
        failover_begin(c);
    note_trouble(c, &trouble);
    if (c->which == SIZE_MAX)
        return true;
    c->remedies |= 1U << remedy;
    next_from(c, c->which); /* whose address it keeps meanwhile: others may wait for it */
    return true;
}

bool failover_apart(struct outbound *c)
{
    struct attempt *p = c->attempt;
    enum delivery_apart how = c->delivery.apart;
    if (how == DELIVERY_TOGETHER || attempt_all_answered(p) || attempt_left_ms(p) <= 0 ||
        p->parted >= PARTED_MAX)
        return false;
    p->parted += c->stalled ? PARTED_STALLED : 1;
    struct verdict trouble = c->delivery.trouble;
    log_end(log_text(log_text(log_text(log_id(log_begin(LOG_INFO, "trying_again"), p->mail->id),
                                       "mx", c->host_name),
                              "what", "the other recipients"),
                     "reply", trouble.text));
    if (c->reused) {
        failover_begin(c);
        return true;
    }
    if (how == DELIVERY_ASKED_SINGLY)
        c->remedies |= 1U << DELIVERY_ONE_BY_ONE;
    next_from(c, c->which);
    return true;
}

void failover_begin(struct outbound *c)
{
    struct attempt *p = c->attempt;
    c->which = SIZE_MAX;
    c->troubles = c->remedies = 0;
    c->trouble = (struct verdict){0};
    c->own_why[0] = '\0';
    c->token_renewed = false;
    candidates_init(&c->candidates, &p->work->hosts->hosts, p->route->port, clock_steady_ms());
    c->barred = 0;
    c->barred_by_domain = false;
    host_trust_begin(c);
    failover_next(c);
}

void failover_stop(struct outbound *c, const char *why)
{
    if (c->reach)
        dial_stop(c->reach);
    c->reach = NULL;
    outbound_token_end(c);
    outbound_drop(c, why);
}
