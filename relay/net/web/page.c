// SPDX-License-Identifier: BSD-2-Clause
/* page.c - One request, one answer, then the connection is closed: what may follow is never read.
 * At hosts whose settings say so the answer is a domain's MTA-STS policy (policy_file.h).
 *
 *   GET, HEAD   look up how things stand, show the page; nothing changes
 *   POST        read the form, have the store write it down, then answer
 *
 * A request that waits for the store is suspended. Whoever has no link of ours hears the same
 * sentence, whatever was wrong with it.
 *
 * A link can be found in mail, so it only ends mail. Taking that back is for the browser that did
 * it: with its answer it gets a permit (unsubscribe.h) as a cookie that no script, no other host
 * and no request from another site can use (SameSite=Strict). A browser that follows a link from a
 * web mailer comes from another site, too, and brings no cookie; where that may matter the page
 * has it ask once more, now from here.
 *
 * Failure modes: the store cannot write (503, try again) - the form asks for nothing (400) - too
 * much is sent (413), or too slowly (closed).
 */
#include "page.h"

#include "clock.h"
#include "http_request.h"
#include "log.h"
#include "optout.h"
#include "permits.h"
#include "policy_file.h"
#include "sandbox.h"
#include "secret.h"
#include "undo_turns.h"
#include "unsubscribe_page.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BODY_MAX = 8 * 1024,
    MEMORY = 24 * 1024, /* for a connection: request line, header, answer's header */
    CONNECTIONS = 1000,
    PER_ADDRESS = 50,
    IDLE_S = 10,
    PAGE_MAX = 32 * 1024
};

struct page {
    struct MHD_Daemon *daemon;
    struct store *store;
    pthread_mutex_t settings_mutex;
    struct settings *settings; /* held; the newest */
    struct database *reader;   /* the thread's own */
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    unsigned asked;          /* requests that wait for the store */
    bool stopping;           /* no more of them */
    struct undo_turns turns; /* the thread's own */
};

enum phase { READING, ASKED, DECIDED };

struct request {
    struct page *page;
    struct MHD_Connection *connection;
    struct settings *settings; /* held */
    struct buf body;
    enum phase phase;
    enum unsubscribe_action action;
    struct unsubscribe_subject subject;
    char form[ADDRESS_CANONICAL_MAX + 1];
    struct optout who;
    int64_t made_ms; /* when the store has ended it, if there is a permit for that; else 0 */
    int64_t undone;  /* how much it has taken back */
    bool ok;
    const struct config_domain *policy; /* whose policy host is asked; NULL: the page is */
};

/* ---- what is asked ---- */

static bool comes_from(const struct request *r, const char *site)
{
    return strcmp(http_request_header(r->connection, "Sec-Fetch-Site"), site) == 0;
}

/* Some browsers send a strict cookie all the same. */
static bool is_from_elsewhere(const struct request *r)
{
    return http_request_header(r->connection, "Sec-Fetch-Site")[0] && !comes_from(r, "same-origin");
}

static const enum optout_kind kinds[] = {[UNSUBSCRIBE_ONE_CLICK] = OPTOUT_STREAM,
                                         [UNSUBSCRIBE_STREAM] = OPTOUT_STREAM,
                                         [UNSUBSCRIBE_ALL] = OPTOUT_ALL,
                                         [UNSUBSCRIBE_FLOOD] = OPTOUT_FLOOD};

/* ---- answers ---- */

static void add_headers(const struct request *r, struct MHD_Response *answer, const char *type)
{
    static const char *const fields[][2] = {
        {"Cache-Control", "no-store"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Robots-Tag", "noindex, nofollow"},
        {"X-Content-Type-Options", "nosniff"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
         "frame-ancestors 'none'; base-uri 'none'"},
        {"Vary", "Accept-Language, Cookie"},
        {"Connection", "close"},
    };
    MHD_add_response_header(answer, "Content-Type", type);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        MHD_add_response_header(answer, fields[i][0], fields[i][1]);
    if (r->settings->config->http_tls)
        MHD_add_response_header(answer, "Strict-Transport-Security", "max-age=31536000");
}

static enum MHD_Result reply(const struct request *r, unsigned code, const char *type,
                             struct span content)
{
    struct MHD_Response *answer = MHD_create_response_from_buffer(
        content.len, (void *)(uintptr_t)content.ptr, MHD_RESPMEM_MUST_COPY);
    if (!answer)
        return MHD_NO;
    add_headers(r, answer, type);
    if (r->made_ms > 0)
        permits_give(answer, &r->settings->unsubscribe, &r->who, kinds[r->action], r->made_ms);
    if (r->undone > 0)
        permits_take(answer, &r->who);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(answer, "Allow", r->policy ? "GET, HEAD" : "GET, HEAD, POST");
    enum MHD_Result result = MHD_queue_response(r->connection, code, answer);
    MHD_destroy_response(answer);
    return result;
}

static enum MHD_Result reply_text(const struct request *r, unsigned code, struct span text)
{
    return reply(r, code, "text/plain; charset=utf-8", text);
}

static bool has_undo_turn(const struct request *r)
{
    return undo_turns_may(&r->page->turns, r->who.tenant, r->form, clock_steady_ms());
}

/* How things stand; false when the store cannot be read. */
static bool look_up(const struct request *r, struct unsubscribe_view *v)
{
    struct optout_standing now;
    struct err err = {0};
    if (!database_optout_standing(r->page->reader, &r->who, clock_now_ms(), &now, &err)) {
        log_event(LOG_ERROR, "store_unreadable", "reply", err.text);
        return false;
    }
    v->stream_since_ms = now.since_ms[OPTOUT_STREAM];
    v->all_since_ms = now.since_ms[OPTOUT_ALL];
    v->flood_until_ms = now.until_ms;
    v->can_undo = now.can_undo && has_undo_turn(r);
    v->again = now.is_new && !now.can_undo && v->result == UNSUBSCRIBE_SHOWN &&
               (comes_from(r, "cross-site") || comes_from(r, "same-site"));
    return true;
}

/* Names for people; of a stream that is configured no more, its name alone. */
static enum MHD_Result reply_page(const struct request *r, unsigned code,
                                  enum unsubscribe_result result)
{
    const struct config *c = r->settings->config;
    const struct stream *stream =
        stream_find(c->streams, c->stream_count, span_of(r->subject.stream));
    struct unsubscribe_view v = {.result = result,
                                 .sender = c->http_sender[0] ? c->http_sender : c->hostname,
                                 .stream = r->subject.stream,
                                 .recipient = r->subject.recipient,
                                 .color = stream ? stream->color : c->http_color};
    struct buf page;
    v.language = language_accept(span_of(http_request_header(r->connection, "Accept-Language")));
    if (stream && stream->sender[0])
        v.sender = stream->sender;
    if (stream)
        v.stream = stream_title(stream, v.language);
    bool done = code == MHD_HTTP_OK && result != UNSUBSCRIBE_SHOWN; /* whatever is read now */
    if (result != UNSUBSCRIBE_INVALID && !look_up(r, &v) && !done) {
        v.result = UNSUBSCRIBE_LATER;
        code = MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    buf_init(&page, PAGE_MAX);
    unsubscribe_page(&v, &page);
    enum MHD_Result queued = reply(r, code, "text/html; charset=utf-8", buf_span(&page));
    buf_fini(&page);
    return queued;
}

/* ---- doing it ---- */

static bool change(struct database *db, void *context, struct err *err)
{
    struct request *r = context;
    int64_t now_ms = clock_now_ms();
    if (r->action == UNSUBSCRIBE_UNDO)
        return database_optout_undo(db, &r->who, now_ms, &r->undone, err);
    return database_optout(db, &r->who, kinds[r->action], r->action == UNSUBSCRIBE_ONE_CLICK,
                           now_ms, &r->made_ms, err);
}

/* On the store's thread. */
static void on_changed(struct store_job *job)
{
    const struct store_change *made = OWNER_OF(job, struct store_change, job);
    struct request *r = made->context;
    struct page *page = r->page;
    r->ok = made->result == STORE_CHANGED;
    r->phase = DECIDED;
    if (!r->ok)
        log_event(LOG_ERROR, "store_failed", "reply", job->err.text);
    store_job_free(job);
    pthread_mutex_lock(&page->mutex);
    MHD_resume_connection(r->connection);
    if (--page->asked == 0)
        pthread_cond_signal(&page->idle);
    pthread_mutex_unlock(&page->mutex);
}

/* libmicrohttpd must not be stopped while a connection is suspended. */
static bool may_ask(struct page *page)
{
    pthread_mutex_lock(&page->mutex);
    bool may = !page->stopping;
    page->asked += may;
    pthread_mutex_unlock(&page->mutex);
    return may;
}

static enum MHD_Result ask_store(struct request *r)
{
    if (!may_ask(r->page))
        return reply_page(r, MHD_HTTP_SERVICE_UNAVAILABLE, UNSUBSCRIBE_LATER);
    struct store_change *asked = store_change_new(change, r);
    asked->job.answer = on_changed;
    r->phase = ASKED;
    MHD_suspend_connection(r->connection);
    store_put(r->page->store, &asked->job);
    return MHD_YES;
}

static enum MHD_Result reply_done(struct request *r)
{
    static const enum unsubscribe_result results[] = {
        [UNSUBSCRIBE_STREAM] = UNSUBSCRIBE_STREAM_STOPPED,
        [UNSUBSCRIBE_ALL] = UNSUBSCRIBE_ALL_STOPPED,
        [UNSUBSCRIBE_FLOOD] = UNSUBSCRIBE_FLOOD_STOPPED,
        [UNSUBSCRIBE_UNDO] = UNSUBSCRIBE_UNDONE};
    if (!r->ok) { /* what change() found is undone with the rest: no permit is given or taken */
        r->made_ms = r->undone = 0;
        return reply_page(r, MHD_HTTP_SERVICE_UNAVAILABLE, UNSUBSCRIBE_LATER);
    }
    if (r->action == UNSUBSCRIBE_ONE_CLICK)
        return reply_text(r, MHD_HTTP_OK, SPAN("Unsubscribed.\n"));
    if (r->undone > 0) /* who may not take it back uses up no turn of who may */
        undo_turns_count(&r->page->turns, r->who.tenant, r->form, clock_steady_ms());
    if (r->action == UNSUBSCRIBE_UNDO && r->undone == 0)
        return reply_page(r, MHD_HTTP_FORBIDDEN, UNSUBSCRIBE_NOT_UNDONE);
    /* shown with the permit that leaves with this answer */
    if (r->action != UNSUBSCRIBE_UNDO && r->made_ms > 0)
        r->who.marks[kinds[r->action]] = r->made_ms;
    return reply_page(r, MHD_HTTP_OK, results[r->action]);
}

/* ---- a request ---- */

/* The last part of the path: behind a proxy there may be others before it. */
static struct span last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return span_of(slash ? slash + 1 : path);
}

static bool find_subject(struct request *r, const char *path)
{
    bool found = r->settings->unsubscribe.count > 0 &&
                 unsubscribe_open(&r->settings->unsubscribe, last_part(path), &r->subject) &&
                 address_same_form(r->subject.recipient, r->form);
    if (!found)
        return false;
    r->who = (struct optout){
        .recipient = r->form, .tenant = r->subject.tenant, .stream = r->subject.stream};
    permits_read(r->connection, &r->settings->unsubscribe, &r->who);
    return true;
}

static enum MHD_Result reply_style(const struct request *r, uint32_t color)
{
    struct buf style;
    buf_init(&style, PAGE_MAX);
    unsubscribe_style(color, &style);
    enum MHD_Result result = reply(r, MHD_HTTP_OK, "text/css; charset=utf-8", buf_span(&style));
    buf_fini(&style);
    return result;
}

static enum MHD_Result get(struct request *r, const char *path)
{
    uint32_t color = 0;
    if (unsubscribe_style_name(last_part(path), &color))
        return reply_style(r, color);
    if (!find_subject(r, path))
        return reply_page(r, MHD_HTTP_NOT_FOUND, UNSUBSCRIBE_INVALID);
    return reply_page(r, MHD_HTTP_OK, UNSUBSCRIBE_SHOWN);
}

static enum MHD_Result post(struct request *r, const char *path)
{
    if (r->phase == DECIDED)
        return reply_done(r);
    if (r->body.overflow)
        return reply_text(r, MHD_HTTP_CONTENT_TOO_LARGE, SPAN("Too large.\n"));
    if (!find_subject(r, path))
        return reply_page(r, MHD_HTTP_NOT_FOUND, UNSUBSCRIBE_INVALID);
    r->action = unsubscribe_form(span_of(http_request_header(r->connection, "Content-Type")),
                                 buf_span(&r->body));
    log_end(log_text(log_text(log_text(log_begin(LOG_INFO, "unsubscribe"), "rcpt", r->form),
                              "stream", r->subject.stream),
                     "what", unsubscribe_action_name(r->action)));
    if (r->action == UNSUBSCRIBE_NOTHING)
        return reply_page(r, MHD_HTTP_BAD_REQUEST, UNSUBSCRIBE_UNCLEAR);
    if (r->action == UNSUBSCRIBE_UNDO && (is_from_elsewhere(r) || !has_undo_turn(r)))
        return reply_page(r, MHD_HTTP_FORBIDDEN, UNSUBSCRIBE_NOT_UNDONE);
    return ask_store(r);
}

/* A policy host has nothing else: no page, and no style. */
static enum MHD_Result serve_policy(const struct request *r, const char *method, const char *path)
{
    struct span text;
    unsigned code = policy_file_answer(r->policy, method, path, &text);
    return reply(r, code, "text/plain", text);
}

static struct request *new_request(struct page *page, struct MHD_Connection *c)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->page = page;
    r->connection = c;
    pthread_mutex_lock(&page->settings_mutex);
    r->settings = settings_hold(page->settings);
    pthread_mutex_unlock(&page->settings_mutex);
    buf_init(&r->body, BODY_MAX);
    return r;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **own)
{
    struct request *r = *own;
    char host[ADDRESS_DOMAIN_MAX + 1];
    (void)version;
    if (!r) {
        *own = r = new_request(context, c);
        const char *fault = http_request_fault(c);
        return fault ? reply_text(r, MHD_HTTP_BAD_REQUEST, span_of(fault)) : MHD_YES;
    }
    if (*size > 0) {
        buf_add(&r->body, (struct span){data, *size});
        *size = 0;
        return MHD_YES;
    }
    http_request_target(c, path, host, sizeof(host), &path);
    r->policy = config_policy_at(r->settings->config, host);
    if (r->policy)
        return serve_policy(r, method, path);
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return get(r, path);
    if (strcmp(method, "POST") == 0)
        return post(r, path);
    return reply_text(r, MHD_HTTP_METHOD_NOT_ALLOWED, SPAN_NONE);
}

static void on_completed(void *context, struct MHD_Connection *c, void **own,
                         enum MHD_RequestTerminationCode why)
{
    struct request *r = *own;
    (void)context;
    (void)c;
    (void)why;
    if (r) {
        buf_fini(&r->body);
        settings_drop(r->settings);
    }
    free(r);
    *own = NULL;
}

/* ---- the thread ---- */

/* What a zero byte would cut short is nothing that we have. */
static size_t unescape(void *context, struct MHD_Connection *c, char *text)
{
    (void)context;
    (void)c;
    size_t len = MHD_http_unescape(text);
    if (strlen(text) < len)
        text[0] = '\0';
    return strlen(text);
}

/* Its first connection is the first that the thread hears from outside. */
static void on_connection(void *context, struct MHD_Connection *c, void **own,
                          enum MHD_ConnectionNotificationCode why)
{
    static _Thread_local bool shut_in;
    struct err err = {0};
    (void)context;
    (void)c;
    (void)own;
    (void)why;
    if (!shut_in)
        CHECK(sandbox_calls(SANDBOX_WEB, &err));
    shut_in = true;
}

bool page_start(struct store *store, struct settings *settings, struct page **page_r,
                struct err *err)
{
    struct page *page = xcalloc(1, sizeof(*page));
    page->store = store;
    secret_random(&page->turns.seed, sizeof(page->turns.seed));
    page->settings = settings_hold(settings);
    pthread_mutex_init(&page->settings_mutex, NULL);
    pthread_mutex_init(&page->mutex, NULL);
    pthread_cond_init(&page->idle, NULL);
    bool ok = database_open(settings->config->state_dir, DATABASE_READ, &page->reader, err);
    if (ok)
        page->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC |
                MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
            0, NULL, NULL, on_request, page, MHD_OPTION_NOTIFY_COMPLETED, on_completed, page,
            MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
    *page_r = page;
    return ok &&
           (page->daemon ||
            err_set(err, ERR_SYSTEM, "the page's thread cannot be started: %s", strerror(errno)));
}

void page_change_settings(struct page *page, struct settings *settings)
{
    if (!page)
        return;
    pthread_mutex_lock(&page->settings_mutex);
    struct settings *before = page->settings;
    page->settings = settings_hold(settings);
    pthread_mutex_unlock(&page->settings_mutex);
    settings_drop(before);
}

void page_take(struct page *page, int fd, const struct sockaddr *peer, socklen_t len)
{
    MHD_add_connection(page->daemon, fd, peer, len); /* closes it when it does not take it */
}

void page_stop(struct page *page)
{
    if (!page)
        return;
    pthread_mutex_lock(&page->mutex);
    page->stopping = true;
    while (page->asked > 0)
        pthread_cond_wait(&page->idle, &page->mutex);
    pthread_mutex_unlock(&page->mutex);
    if (page->daemon)
        MHD_stop_daemon(page->daemon);
    database_close(page->reader);
    settings_drop(page->settings);
    pthread_mutex_destroy(&page->settings_mutex);
    pthread_mutex_destroy(&page->mutex);
    pthread_cond_destroy(&page->idle);
    free(page);
}
