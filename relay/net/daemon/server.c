// SPDX-License-Identifier: BSD-2-Clause
/* server.c - Puts the relay together, in order, and takes it apart in the reverse order.
 *
 *   settings - addresses free? - sockets - opener, privileges given up (sandbox), helper - store
 *   (lock) - keyring, queue - control socket - shards - dispatch - run
 *
 * SIGTERM: nothing new is handed out, shards finish what is under way, then everything closes; the
 * store ends last, when it has recorded all outcomes. A second SIGTERM ends at once, which is as
 * safe as a crash.
 */
#include "server.h"

#include "account_changes.h"
#include "alerts.h"
#include "alignment_service.h"
#include "cert_watch.h"
#include "certificates.h"
#include "clock.h"
#include "companions.h"
#include "control.h"
#include "control_socket.h"
#include "deadline.h"
#include "descriptors.h"
#include "incidents.h"
#include "key_rotation.h"
#include "listener.h"
#include "log.h"
#include "login_limits.h"
#include "memory_limit.h"
#include "page.h"
#include "preflight.h"
#include "refusals.h"
#include "rsa_path.h"
#include "sandbox.h"
#include "settings_read.h"
#include "shard.h"
#include "standing.h"
#include "sts.h"
#include "tls_reporter.h"
#include "trace.h"
#include "webhook_sender.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_FLUSH_MS = 500 };

struct server {
    uv_loop_t loop;
    struct inbox inbox;
    uv_signal_t terminate, interrupt, reload;
    uv_timer_t log_timer;
    struct settings *settings; /* the newest */
    struct standing *standing;
    struct settings *first; /* what cannot change at a reload is read of these */
    struct descriptors descriptors;
    struct dispatch *dispatch;
    struct keyring *keyring;
    struct login_limits *watch;
    struct incidents *incidents;
    struct alignment_service *alignment_service;
    struct sts *sts;
    struct page *page; /* NULL: no page is served */
    struct common common;
    struct deliveries **homes; /* of the shards, for the queue */
    struct shard *shards;
    size_t shard_count, ended;
    struct control_socket *control_socket;
    struct rotator *rotator;
    struct cert_watch *cert_watch;
    struct alerter *alerter;           /* NULL: nobody wants to be told */
    struct tls_reporter *tls_reporter; /* NULL: no TLS reports are made */
    struct webhook_sender *webhook_sender;
    struct memory_limit memory;
    struct account_changes account_changes;
    int *sockets; /* bound, for each shard one for each listener */
    struct companions companions;
    bool stopping;
};

/* ---- settings ---- */

static void set_log_level(const struct config *config)
{
    static const char *const names[] = {
        [LOG_ERROR] = "error", [LOG_WARN] = "warn", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strcmp(names[i], config->log_level) == 0)
            log_set_level((enum log_level)i);
}

/* These are in force. */
static void note_settings(struct server *e)
{
    struct buf text;
    buf_init(&text, 1024 * 1024);
    config_print(e->settings->config, &text);
    standing_settings(e->standing, e->settings->config->path, buf_text(&text), clock_now_ms());
    buf_fini(&text);
}

static bool reload(void *context, struct err *err)
{
    struct server *e = context;
    struct settings *fresh = NULL;
    struct settings *before = e->settings;
    if (e->stopping)
        return err_set(err, ERR_UNREACHABLE, "the relay is ending");
    if (!settings_read(e->settings->config->path, e->companions.opener, &fresh, err) ||
        !config_may_follow(e->settings->config, fresh->config, err)) {
        standing_refused(e->standing, err->text, clock_now_ms());
        settings_drop(fresh);
        return false;
    }
    struct err fault = {0};
    descriptors_limit(&e->descriptors, fresh->config);
    e->settings = fresh;
    set_log_level(fresh->config);
    store_set_reports(e->common.store, fresh->config->hostname, &fresh->config->throttle);
    keyring_refresh(e->keyring, NULL);
    alignment_service_change_config(e->alignment_service, fresh->config);
    sts_change_settings(e->sts, fresh);
    rotator_change_config(e->rotator, fresh->config);
    page_change_settings(e->page, fresh);
    for (size_t i = 0; i < e->shard_count; i++)
        shard_change_settings(&e->shards[i], fresh);
    cert_watch_change_settings(e->cert_watch, fresh);
    dispatch_configure(e->dispatch, fresh, e->descriptors.attempts);
    alerter_change_config(e->alerter, fresh->config);
    tls_reporter_change_config(e->tls_reporter, fresh->config);
    webhook_sender_change_config(e->webhook_sender, fresh->config);
    if (!control_socket_change_config(e->control_socket, fresh->config, &fault))
        log_event(LOG_ERROR, "control_failed", "reply", fault.text);
    memory_limit_set(&e->memory, fresh->config);
    settings_drop(before);
    malloc_trim(0); /* what was read once is not needed again */
    note_settings(e);
    log_event(LOG_INFO, "reloaded", "file", fresh->config->path);
    return true;
}

static bool reload_by_command(void *context, struct err *err)
{
    bool done = reload(context, err);
    if (!done)
        log_event(LOG_ERROR, "reload_refused", "reply", err->text);
    return done;
}

static void on_reload(uv_signal_t *signal, int number)
{
    struct err err = {0};
    (void)number;
    if (!reload(signal->data, &err))
        log_event(LOG_ERROR, "reload_refused", "reply", err.text);
}

/* ---- the end ---- */

static void close_main(struct server *e)
{
    if (e->control_socket)
        control_socket_close(e->control_socket);
    if (e->rotator)
        rotator_close(e->rotator);
    if (e->alignment_service)
        alignment_service_close(e->alignment_service);
    if (e->sts)
        sts_close(e->sts);
    memory_limit_close(&e->memory);
    cert_watch_close(e->cert_watch);
    alerter_close(e->alerter);
    tls_reporter_close(e->tls_reporter);
    webhook_sender_close(e->webhook_sender);
    tokens_close(e->common.deliveries.tokens);
    companions_close(&e->companions);
    dispatch_stop(e->dispatch);
    uv_close((uv_handle_t *)&e->log_timer, NULL);
    uv_close((uv_handle_t *)&e->terminate, NULL);
    uv_close((uv_handle_t *)&e->interrupt, NULL);
    uv_close((uv_handle_t *)&e->reload, NULL);
    inbox_close(&e->inbox);
}

static void on_shard_ended(struct inbox_item *item)
{
    struct shard *shard = OWNER_OF(item, struct shard, ended);
    struct server *e = OWNER_OF(shard->notify, struct server, inbox);
    if (++e->ended == e->shard_count)
        close_main(e);
}

static void on_terminate(uv_signal_t *signal, int number)
{
    struct server *e = signal->data;
    (void)number;
    if (e->stopping)
        _exit(1);
    e->stopping = true;
    log_event(LOG_INFO, "stopping", "what", "finishing what is under way");
    deadline_start(e->common.store);
    dispatch_drain(e->dispatch);
    for (size_t i = 0; i < e->shard_count; i++)
        shard_drain(&e->shards[i]);
}

/* ---- the start ---- */

static void on_due(void *context, const struct database_due *due, size_t count)
{
    struct server *e = context;
    dispatch_add(e->dispatch, due, count);
}

static void on_stepped(void *context, int64_t step_ms)
{
    (void)context;
    log_end(log_number(log_begin(LOG_WARN, "clock_stepped"), "step_ms", step_ms));
}

/* On the store's thread. */
static void on_changed(void *context, enum database_changed what, const char *name)
{
    struct server *e = context;
    account_changes_tell(&e->account_changes, what, name);
}

static void on_log_timer(uv_timer_t *timer)
{
    (void)timer;
    log_flush();
}

static void start_signal(struct server *e, uv_signal_t *signal, uv_signal_cb callback, int number)
{
    uv_signal_init(&e->loop, signal);
    signal->data = e;
    uv_signal_start(signal, callback, number);
}

static void share(struct server *e)
{
    e->common.sessions.keyring = e->keyring;
    e->common.sessions.alignment_service = e->alignment_service;
    e->common.sessions.login_limits = e->watch;
    e->common.sessions.incidents = e->incidents;
    e->common.deliveries.dispatch = e->dispatch;
    e->common.deliveries.keyring = e->keyring;
    e->common.deliveries.incidents = e->incidents;
    e->common.deliveries.standing = e->standing;
    e->common.deliveries.sts = e->sts;
    e->common.deliveries.wishes = e->tls_reporter ? tls_reporter_wishes(e->tls_reporter) : NULL;
    e->account_changes = (struct account_changes){&e->inbox, &e->common, e->keyring,
                                                  e->alignment_service, e->rotator};
    e->common.http.page = e->page;
    e->common.http.most = e->descriptors.http_connections;
    e->common.http.quota.most = e->descriptors.http_open;
    e->common.sessions.quota.most = e->descriptors.mail_open;
}

static bool start_shards(struct server *e, struct err *err)
{
    share(e);
    e->shards = xcalloc(e->settings->config->shards, sizeof(*e->shards));
    e->homes = xcalloc(e->settings->config->shards, sizeof(struct deliveries *));
    e->common.shards = e->shards;
    bool ok =
        signing_threads_new(uv_available_parallelism(), &e->common.deliveries.signing_threads, err);
    while (ok && e->shard_count < e->settings->config->shards) {
        struct shard *shard = &e->shards[e->shard_count++];
        e->homes[e->shard_count - 1] = &shard->deliveries;
        shard->notify = &e->inbox;
        shard->ended.run = on_shard_ended;
        ok = shard_start(shard, &e->common, e->settings,
                         &e->sockets[(e->shard_count - 1) * e->settings->config->listener_count],
                         err);
    }
    if (ok)
        atomic_store(&e->common.shard_count, e->shard_count);
    return ok;
}

static bool serves_page(const struct config *c)
{
    for (size_t i = 0; i < c->listener_count; i++)
        if (c->listeners[i].http)
            return true;
    return false;
}

/* Less of a sandbox than there should be is for the operator to accept. */
static bool check_sandbox(const struct config *c, struct err *err)
{
    struct err missing = {0};
    if (!sandbox_is_incomplete(&missing))
        return true;
    if (c->sandbox_required) {
        *err = missing;
        return false;
    }
    log_event(LOG_WARN, "sandbox_incomplete", "what", missing.text);
    return true;
}

/* All that needs a privilege, and then none is left. */
static bool begin(struct server *e, const char *path, struct err *err)
{
    if (!settings_read(path, NULL, &e->settings, err))
        return false;
    e->first = settings_hold(e->settings);
    if (!preflight_state(e->settings->config, err) || !preflight_anchor(e->settings->config, err) ||
        !preflight_command(e->settings->config, err) || !listener_check(e->settings->config, err))
        return false;
    const struct config *config = e->settings->config;
    preflight_tell(config);
    e->sockets = xcalloc(config->shards * config->listener_count + 1, sizeof(*e->sockets));
    set_log_level(config);
    if (!descriptors_share(config, &e->descriptors, err))
        return false;
    descriptors_limit(&e->descriptors, e->settings->config);
    return check_sandbox(config, err) && listener_bind_all(config, e->sockets, err) &&
           companions_start(&e->companions, &e->loop, config, err);
}

/* The store, and what begins with that which it knows. */
static bool start_store(struct server *e, const struct config *config, struct err *err)
{
    struct store_events events = {
        .due = on_due, .stepped = on_stepped, .changed = on_changed, .context = e};
    dispatch_configure(e->dispatch, e->settings, e->descriptors.attempts); /* before any is due */
    if (!store_start(config->state_dir, &events, &e->common.store, err))
        return false;
    store_set_reports(e->common.store, config->hostname, &config->throttle);
    e->keyring = keyring_new(config->state_dir, store_directory(e->common.store));
    keyring_tell_missing(e->keyring);
    if (!dispatch_rest_again(e->dispatch, config->state_dir, err))
        return false;
    e->incidents = incidents_new(e->common.store);
    companions_watch(&e->companions, &e->loop, e->incidents);
    e->common.sessions.refusals = refusals_new(e->common.store);
    return login_limits_new(e->common.store, e->incidents, config->state_dir, &e->watch, err);
}

/* What all connections are counted by. */
static void start_limits(struct server *e)
{
    sessions_shared_init(&e->common.sessions);
    http_shared_init(&e->common.http);
    return_shared_init(&e->common.returns, &e->common.sessions.short_of_memory);
    memory_limit_watch(&e->memory, &e->loop, &e->common.sessions.short_of_memory);
}

/* What the relay does by itself, and what operators and recipients ask it. */
static bool start_services(struct server *e, const struct config *config, struct err *err)
{
    e->cert_watch = cert_watch_new(&e->loop, e->settings, e->companions.opener, e->incidents);
    e->standing = standing_new(clock_now_ms());
    note_settings(e);
    e->rotator =
        rotator_new(&e->loop, e->companions.helper, e->companions.opener, config, e->common.store);
    const struct control_relay relay = {.watch = e->watch,
                                        .dispatch = e->dispatch,
                                        .calls = &dispatch_destinations,
                                        .standing = e->standing,
                                        .store = e->common.store,
                                        .sts = e->sts,
                                        .sts_calls = &sts_calls,
                                        .reload = reload_by_command,
                                        .context = e};
    e->webhook_sender = webhook_sender_new(&e->loop, &e->companions, config, e->common.store);
    bool tells = config->alert_command[0] || config->alert_webhook[0];
    return (!tells ||
            alerter_new(&e->loop, &e->companions, config, e->common.store, &e->alerter, err)) &&
           (!config->tlsrpt.contact[0] ||
            tls_reporter_new(&e->loop, &e->companions, config, e->common.store, &e->tls_reporter,
                             err)) &&
           alignment_service_new(&e->loop, config, store_directory(e->common.store),
                                 &e->alignment_service, err) &&
           (!serves_page(config) || page_start(e->common.store, e->settings, &e->page, err)) &&
           control_socket_open(&e->loop, config, e->common.store, &relay, &e->control_socket, err);
}

static bool start(struct server *e, const char *path, struct err *err)
{
    if (!begin(e, path, err))
        return false;
    const struct config *config = e->settings->config;
    signing_set_lifetime(config->dkim.lifetime_s);
    memory_limit_set(&e->memory, config);
    if (!start_store(e, config, err))
        return false;
    start_limits(e);
    tls_rotate_tickets();
    e->common.deliveries.tokens = tokens_new(&e->loop, companions_run_token, &e->companions);
    return sts_new(&e->loop, e->settings, e->companions.fetcher, e->common.store, &e->sts, err) &&
           start_services(e, config, err) && start_shards(e, err);
}

static void log_started(const struct server *e)
{
    rsa_path_tell();
    if (geteuid() == 0)
        log_event(LOG_WARN, "runs_as_root", "what", "the state directory is root's: chown -R it");
    const struct config *c = e->settings->config;
    if (trace_chosen())
        log_event(LOG_WARN, "tracing", "what", trace_chosen());
    if (c->dnssec == CONFIG_DNSSEC_OFF && c->dane != DANE_MODE_OFF)
        log_event(LOG_WARN, "dane_off", "what",
                  "dns.dnssec is off, as by default with dns.forward: mail goes without DANE");
    log_end(log_number(log_number(log_begin(LOG_INFO, "shut_in"), "uid", geteuid()), "landlock",
                       e->companions.landlock));
    for (size_t i = 0; i < c->listener_count; i++) {
        char address[96];
        snprintf(address, sizeof(address), "%s:%u", c->listeners[i].host, c->listeners[i].port);
        log_end(
            log_text(log_text(log_begin(LOG_INFO, "listening"), "listener", c->listeners[i].name),
                     "what", address));
    }
    log_end(log_number(log_text(log_begin(LOG_INFO, "started"), "what", c->hostname), "count",
                       (int64_t)e->shard_count));
}

/* False when not all that has happened is recorded. */
static bool end(struct server *e)
{
    for (size_t i = 0; i < e->shard_count; i++)
        shard_join(&e->shards[i]);
    signing_threads_free(e->common.deliveries.signing_threads);
    CHECK(uv_loop_close(&e->loop) == 0);
    page_stop(e->page);
    deadline_forget_store();
    bool recorded = !e->common.store || store_stop(e->common.store);
    dispatch_free(e->dispatch);
    rotator_free(e->rotator);
    alerter_free(e->alerter);
    tls_reporter_free(e->tls_reporter);
    webhook_sender_free(e->webhook_sender);
    alignment_service_free(e->alignment_service);
    sts_free(e->sts);
    tokens_free(e->common.deliveries.tokens);
    keyring_free(e->keyring);
    login_limits_free(e->watch);
    incidents_free(e->incidents);
    refusals_free(e->common.sessions.refusals);
    sessions_shared_fini(&e->common.sessions);
    http_shared_fini(&e->common.http);
    return_shared_fini(&e->common.returns);
    control_socket_free(e->control_socket);
    standing_free(e->standing);
    free(e->homes);
    free(e->shards);
    free(e->sockets);
    companions_stop(&e->companions);
    settings_drop(e->settings);
    settings_drop(e->first);
    return recorded;
}

bool server_run(const char *config_path, struct err *err)
{
    struct server e = {.companions = {.helper = -1}};
    memory_limit_keep_blocks();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN); /* as process 1 of a container we inherit others' children */
    umask(0077);
    log_open();
    rsa_path_choose(config_path);
    CHECK(uv_loop_init(&e.loop) == 0);
    uv_timer_init(&e.loop, &e.log_timer);
    uv_timer_start(&e.log_timer, on_log_timer, LOG_FLUSH_MS, LOG_FLUSH_MS);
    inbox_init(&e.inbox, &e.loop);
    e.dispatch = dispatch_new(&e.loop);
    start_signal(&e, &e.terminate, on_terminate, SIGTERM);
    start_signal(&e, &e.interrupt, on_terminate, SIGINT);
    start_signal(&e, &e.reload, on_reload, SIGHUP);
    bool ok = start(&e, config_path, err);
    if (ok) {
        log_started(&e);
        dispatch_run(e.dispatch, e.homes, e.shard_count, e.common.store, e.incidents);
    } else {
        e.stopping = true;
        for (size_t i = 0; i < e.shard_count; i++)
            shard_drain(&e.shards[i]);
        if (e.shard_count == 0)
            close_main(&e);
    }
    uv_run(&e.loop, UV_RUN_DEFAULT);
    bool recorded = end(&e);
    if (ok)
        log_event(recorded ? LOG_INFO : LOG_ERROR, "stopped", "what",
                  recorded ? "all is recorded"
                           : "what is not recorded is delivered again after the start");
    log_close();
    return ok;
}
