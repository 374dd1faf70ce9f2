// SPDX-License-Identifier: BSD-2-Clause
/* dispatch.c - Passes events of shards and the store to the core; start and stop. */
#include "dispatch_parts.h"

#include "clock.h"
#include "host_facts.h"
#include "route_label.h"
#include "secret.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 };

/* How long an answer is used; libunbound keeps it by its own time to live. */
static const int64_t valid_ms = 60 * 1000;

/* ---- what waits ---- */

/* As the settings have it now. A report on mail that was refused goes to nobody. */
static void print_hop(const struct dispatch *d, const struct database_due *due, char *hop_r)
{
    const struct config_source *source =
        d->origin && due->domain[0] ? config_source_for(d->origin->config, due->tenant, due->stream)
                                    : NULL;
    hop_print(due->domain, due->domain[0] ? due->tls_need : TLS_NEED_NONE,
              source ? source->name : "", hop_r);
}

/* "retry" means now: no rest keeps it back, and DNS is asked anew. */
static void retry_domains(struct dispatch *d, const struct database_due *due, size_t count,
                          int64_t now_ms)
{
    char hop[HOP_TEXT];
    char last[HOP_TEXT] = "";
    for (size_t i = 0; i < count; i++) {
        print_hop(d, &due[i], hop);
        if (!due[i].retried || strcmp(hop, last) == 0)
            continue;
        memcpy(last, hop, sizeof(last));
        queue_resume_domain(d->queue, last, now_ms);
        dispatch_resume_place(d, dispatch_find_place(d, last));
        queue_forget_answers(d->queue, last, now_ms);
    }
}

void dispatch_add(struct dispatch *d, const struct database_due *due, size_t count)
{
    struct queue_entry entries[AT_ONCE];
    char hops[AT_ONCE][HOP_TEXT];
    int64_t now_ms = dispatch_begin(d);
    for (size_t done = 0; done < count;) {
        size_t n = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            const struct database_due *from = &due[done + i];
            print_hop(d, from, hops[i]);
            entries[i] = (struct queue_entry){.message = from->message,
                                              .number = from->number,
                                              .class = from->class,
                                              .tenant = from->tenant,
                                              .domain = hops[i],
                                              .due_ms = from->due_ms,
                                              .expires_ms = from->expires_ms};
        }
        queue_add(d->queue, entries, n, now_ms);
        done += n;
    }
    retry_domains(d, due, count, now_ms);
    dispatch_end(d, now_ms);
}

/* ---- from shards ---- */

uint64_t dispatch_trust(const struct settings *settings, const struct config_route *route,
                        enum tls_need need, const char *source)
{
    char text[TRUST_KEY + HOP_SOURCE + 32];
    unsigned char digest[16];
    uint64_t trust = 0;
    const struct trust demanded = trust_for(&route->trust, need);
    trust_key(&demanded, text);
    size_t used = strlen(text);
    snprintf(text + used, sizeof(text) - used, " %llu %s", (unsigned long long)settings->generation,
             source);
    secret_digest(span_of(text), digest);
    memcpy(&trust, digest, sizeof(trust));
    return trust | 1;
}

static void label_source(const char *source, char *label)
{
    size_t len = strlen(label);
    if (source[0])
        snprintf(label + len, HOP_TEXT, "%s" HOP_SOURCE_WORD "%s", len > 0 ? " " : "", source);
}

void dispatch_resolved(struct dispatch *d, const struct dispatch_work *work,
                       const struct settings *settings, const struct config_route *route,
                       struct mx_answer *answer)
{
    struct dispatch_hosts place = {.hosts = answer->hosts, .facts = work->facts};
    char hop[HOP_TEXT];
    const char *names[HOSTS_MAX];
    unsigned preferences[HOSTS_MAX];
    char demanded[TRUST_LABEL + HOP_TEXT];
    hop_print(work->domain, work->need, work->source, hop);
    route_label(settings->config, route, work->need, demanded);
    label_source(work->source, demanded);
    bool all = true; /* others by lot at the next lookup: whose hosts they are names them */
    size_t count = answer->hosts.count;
    for (size_t i = 0; i < count; i++) {
        names[i] = answer->hosts.all[i].name;
        preferences[i] = answer->hosts.all[i].preference;
        all = all && !answer->hosts.all[i].drawn;
    }
    bool whole = all && !answer->hosts.missing && !host_facts_failed(work->facts);
    struct queue_address addresses[HOSTS_MAX * HOSTS_IPS_MAX];
    struct queue_answer found = {.hosts = names,
                                 .preferences = preferences,
                                 .host_count = count,
                                 .alone = all ? NULL : hop,
                                 .port = route->port,
                                 .route = demanded,
                                 .source = work->source,
                                 .trust = dispatch_trust(settings, route, work->need, work->source),
                                 .valid_ms = whole ? valid_ms : DISPATCH_UNRESOLVABLE_MS,
                                 .addresses = addresses,
                                 .bytes = dispatch_place_bytes(&place),
                                 .anew = work->anew};
    const struct queue_no_answer none = {.result = (int)answer->result,
                                         .text = answer->why,
                                         .retry_ms = DISPATCH_UNRESOLVABLE_MS,
                                         .anew = work->anew};
    found.address_count = dispatch_list_addresses(&answer->hosts, route->port, addresses);
    int64_t now_ms = dispatch_begin(d);
    if (answer->result != MX_FOUND)
        queue_unresolvable(d->queue, hop, &none, now_ms);
    if (answer->result == MX_FOUND && queue_resolved(d->queue, hop, &found, now_ms))
        dispatch_set_place(d, hop, &place, route->port);
    else
        hosts_fini(&answer->hosts);
    dispatch_end(d, now_ms);
}

enum queue_next dispatch_message_done(struct dispatch *d, uint64_t connection,
                                      enum queue_spoken spoken, bool reusable,
                                      struct dispatch_work **next_r)
{
    const struct queue_attempt *attempt = NULL;
    int64_t now_ms = dispatch_begin(d);
    enum queue_next next =
        queue_message_done(d->queue, connection, spoken, reusable, &attempt, now_ms);
    *next_r = NULL;
    if (next == QUEUE_NEXT_SEND) {
        struct queue_decision decision = {
            .kind = QUEUE_SEND, .connection = connection, .attempt = attempt};
        *next_r = dispatch_make_work(d, &decision);
    }
    dispatch_end(d, now_ms);
    return next;
}

void dispatch_names_reply(struct dispatch *d, uint64_t connection, const struct verdict *reply)
{
    char text[sizeof(reply->text) + sizeof(reply->enhanced) + 16];
    snprintf(text, sizeof(text), "%d %s%s%s", reply->code, reply->enhanced,
             reply->enhanced[0] ? " " : "", reply->text);
    dispatch_begin(d);
    queue_names_reply(d->queue, connection, text);
    pthread_mutex_unlock(&d->mutex); /* the end of the message will decide */
}

void dispatch_sent_too_fast(struct dispatch *d, uint64_t connection, const struct verdict *reply)
{
    dispatch_names_reply(d, connection, reply);
    int64_t now_ms = dispatch_begin(d);
    queue_sent_too_fast(d->queue, connection, now_ms);
    pthread_mutex_unlock(&d->mutex); /* the end of the connection will decide */
}

void dispatch_was_refused(struct dispatch *d, const struct queue_attempt *attempt,
                          const struct queue_refusal_said *said)
{
    int64_t now_ms = dispatch_begin(d);
    queue_was_refused(d->queue, attempt, said, now_ms);
    dispatch_end(d, now_ms);
}

int64_t dispatch_pause_waits(struct dispatch *d, const struct queue_attempt *attempt,
                             enum queue_pause_kind kind, const char *about)
{
    int64_t now_ms = dispatch_begin(d);
    int64_t ms = queue_pause_waits(d->queue, attempt, kind, about, now_ms);
    pthread_mutex_unlock(&d->mutex); /* a question, after which nothing is to be decided */
    return ms;
}

void dispatch_mail_taken(struct dispatch *d, uint64_t connection, const char *sender)
{
    int64_t now_ms = dispatch_begin(d);
    queue_names_sender(d->queue, connection, sender);
    queue_mail_taken(d->queue, connection, now_ms);
    pthread_mutex_unlock(&d->mutex); /* the end of the message will decide */
}

bool dispatch_turned_away(struct dispatch *d, uint64_t connection, const char *sender,
                          enum queue_refusal what, const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    queue_names_sender(d->queue, connection, sender);
    bool untried = queue_turned_away(d->queue, connection, what, why, now_ms);
    dispatch_end(d, now_ms);
    return untried;
}

bool dispatch_rest_waits(struct dispatch *d, uint64_t connection)
{
    int64_t now_ms = dispatch_begin(d);
    bool urgent = queue_rest_waits(d->queue, connection, now_ms);
    pthread_mutex_unlock(&d->mutex); /* a question, after which nothing is to be decided */
    return urgent;
}

bool dispatch_failed(struct dispatch *d, uint64_t connection, enum queue_failure how,
                     const char *why)
{
    int64_t now_ms = dispatch_begin(d);
    bool untried = queue_connection_failed(d->queue, connection, how, why, now_ms);
    dispatch_end(d, now_ms);
    return untried;
}

void dispatch_closed(struct dispatch *d, uint64_t connection)
{
    int64_t now_ms = dispatch_begin(d);
    queue_connection_closed(d->queue, connection, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_settled(struct dispatch *d, const struct queue_attempt *attempt, const bool *left)
{
    int64_t due_ms[QUEUE_RECIPIENTS_MAX] = {0};
    int64_t now_ms = dispatch_begin(d);
    for (size_t i = 0; left && i < attempt->count; i++)
        due_ms[i] = left[i] ? now_ms : 0;
    queue_settled(d->queue, attempt, due_ms, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_again(struct dispatch *d, const struct queue_attempt *attempt, int64_t again_in_ms)
{
    int64_t now_ms = dispatch_begin(d);
    queue_gave_back(d->queue, attempt, again_in_ms, now_ms);
    dispatch_end(d, now_ms);
}

bool dispatch_ask_anew(struct dispatch *d, const struct queue_attempt *attempt, int64_t known_ms)
{
    int64_t now_ms = dispatch_begin(d);
    bool asked = queue_ask_anew(d->queue, attempt, known_ms, now_ms);
    dispatch_end(d, now_ms);
    return asked;
}

void dispatch_outdated(struct dispatch *d, const struct queue_attempt *attempt)
{
    int64_t now_ms = dispatch_begin(d);
    queue_forget_answers(d->queue, attempt->domain, now_ms);
    queue_gave_back(d->queue, attempt, 0, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_moved(struct dispatch *d, const struct queue_attempt *attempt, const char *source,
                    int64_t left_ms)
{
    struct hop hop;
    char text[HOP_TEXT];
    hop_read(attempt->domain, &hop);
    hop_print(hop.domain, hop.need, source, text);
    int64_t now_ms = dispatch_begin(d);
    for (size_t i = 0; i < attempt->count; i++) {
        const struct queue_entry entry = {.message = attempt->message,
                                          .number = attempt->numbers[i],
                                          .class = attempt->class,
                                          .tenant = attempt->tenant,
                                          .domain = text,
                                          .due_ms = now_ms,
                                          .expires_ms = now_ms + left_ms};
        queue_add(d->queue, &entry, 1, now_ms);
    }
    queue_gave_back(d->queue, attempt, 0, now_ms);
    dispatch_end(d, now_ms);
}

/* ---- start and stop ---- */

struct dispatch *dispatch_new(uv_loop_t *loop)
{
    struct dispatch *d = xcalloc(1, sizeof(*d));
    pthread_mutex_init(&d->mutex, NULL);
    d->settings = (struct queue_settings){.forgotten = dispatch_forget_place, .context = d};
    d->queue = queue_new(&d->settings, clock_steady_ms());
    d->main = pthread_self();
    secret_random(&d->first_turn, sizeof(d->first_turn));
    d->first_turn >>= 1; /* it grows */
    inbox_init(&d->inbox, loop);
    uv_timer_init(loop, &d->timer);
    d->timer.data = d;
    return d;
}

void dispatch_configure(struct dispatch *d, struct settings *settings, unsigned connections)
{
    const struct config *config = settings->config;
    int64_t now_ms = dispatch_begin(d);
    settings_drop(d->origin);
    d->origin = settings_hold(settings);
    d->settings = (struct queue_settings){.connections = connections,
                                          .per_destination = config->site_connections,
                                          .idle_max = connections / 2,
                                          .shards = (unsigned)d->shard_count,
                                          .answers = ((size_t)config->memory_mb << 20) / 16,
                                          .idle_ms = (int64_t)config->idle_reuse_s * 1000,
                                          .forgotten = dispatch_forget_place,
                                          .context = d};
    queue_configure(d->queue, &d->settings, now_ms);
    queue_forget_answers(d->queue, NULL, now_ms);
    queue_resume(d->queue, NULL, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_run(struct dispatch *d, struct deliveries *const *homes, size_t count,
                  struct store *store, struct incidents *incidents)
{
    int64_t now_ms = dispatch_begin(d);
    d->homes = homes;
    d->shard_count = count;
    d->store = store;
    d->incidents = incidents;
    d->running = true;
    d->settings.shards = (unsigned)count;
    queue_configure(d->queue, &d->settings, now_ms);
    dispatch_end(d, now_ms);
}

void dispatch_drain(struct dispatch *d)
{
    int64_t now_ms = dispatch_begin(d);
    queue_drain(d->queue, now_ms);
    d->speeds_ms = d->pauses_ms = 0;
    dispatch_end(d, now_ms);
}

void dispatch_stop(struct dispatch *d)
{
    dispatch_begin(d);
    d->running = false;
    uv_timer_stop(&d->timer);
    pthread_mutex_unlock(&d->mutex);
    inbox_close(&d->inbox);
    uv_close((uv_handle_t *)&d->timer, NULL);
}

void dispatch_free(struct dispatch *d)
{
    dispatch_drop_places(d);
    settings_drop(d->origin);
    queue_free(d->queue);
    pthread_mutex_destroy(&d->mutex);
    free(d);
}
