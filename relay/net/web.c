// SPDX-License-Identifier: BSD-2-Clause
/* web.c - One request, one answer, then the connection is closed: what may follow is never read.
 *
 *   GET, HEAD   look up how things stand, show the page; nothing changes
 *   POST        read the form, have the store write it down, then answer
 *
 * A request that waits for the store is suspended. Whoever has no link of ours hears the same
 * sentence, whatever was wrong with it.
 *
 * Failure modes: the store cannot write (503, try again) - the form asks for nothing (400) - too
 * much is sent (413), or too slowly (closed).
 */
#include "web.h"

#include "clock.h"
#include "log.h"
#include "sandbox.h"
#include "suppressions.h"
#include "unsubscribe_page.h"

#include <microhttpd.h>
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
static const int64_t flood_ms = INT64_C(24) * 3600 * 1000;

struct web {
    struct MHD_Daemon *daemon;
    struct store *store;
    _Atomic(const struct settings *) settings;
    struct database *reader; /* the thread's own */
    pthread_mutex_t mutex;
    pthread_cond_t idle;
    unsigned asked; /* requests that wait for the store */
};

enum phase { READING, ASKED, DECIDED };

struct request {
    struct web *web;
    struct MHD_Connection *connection;
    const struct settings *settings;
    struct buf body;
    enum phase phase;
    enum unsubscribe_action action;
    struct unsubscribe_subject subject;
    char form[ADDRESS_CANONICAL_MAX + 1];
    bool ok;
};

/* ---- answers ---- */

static const char *header_of(struct MHD_Connection *c, const char *name)
{
    const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);
    return value ? value : "";
}

static void add_headers(const struct request *r, struct MHD_Response *answer, const char *type)
{
    static const char *const fields[][2] = {
        {"Cache-Control", "no-store"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Robots-Tag", "noindex, nofollow"},
        {"X-Content-Type-Options", "nosniff"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
         "frame-ancestors 'none'; base-uri 'none'"},
        {"Vary", "Accept-Language"},
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
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(answer, "Allow", "GET, HEAD, POST");
    enum MHD_Result result = MHD_queue_response(r->connection, code, answer);
    MHD_destroy_response(answer);
    return result;
}

/* Names for people; of a stream that is configured no more, its name alone. */
static enum MHD_Result reply_page(const struct request *r, unsigned code,
                                  enum unsubscribe_state state)
{
    const struct config *c = r->settings->config;
    const struct stream *stream =
        stream_find(c->streams, c->stream_count, span_of(r->subject.stream));
    enum stream_language language =
        unsubscribe_language(span_of(header_of(r->connection, "Accept-Language")));
    struct buf page;
    buf_init(&page, PAGE_MAX);
    unsubscribe_page(state, language, stream && stream->sender[0] ? stream->sender : c->hostname,
                     stream ? stream_title(stream, language) : r->subject.stream, &page);
    enum MHD_Result result = reply(r, code, "text/html; charset=utf-8", buf_span(&page));
    buf_fini(&page);
    return result;
}

/* ---- how things stand ---- */

static enum unsubscribe_state state_of(const struct suppress_entry *e)
{
    if (e->reason == SUPPRESS_FLOOD)
        return UNSUBSCRIBE_PAGE_FLOOD;
    return e->stream[0] ? UNSUBSCRIBE_PAGE_STREAM : UNSUBSCRIBE_PAGE_ALL;
}

/* LATER when it cannot be read: no answer is better than a wrong one. */
static enum unsubscribe_state look_up(const struct request *r)
{
    struct err err = {0};
    struct suppress_entry entry;
    struct mail *like = mail_new();
    like->class = STREAM_DIGEST;
    snprintf(like->tenant, sizeof(like->tenant), "%s", r->subject.tenant);
    snprintf(like->stream, sizeof(like->stream), "%s", r->subject.stream);
    bool stopped = database_suppressed(r->web->reader, like, r->form, clock_now_ms(), &entry, &err);
    mail_free(like);
    if (err.kind != ERR_NONE) {
        log_event(LOG_ERROR, "store_unreadable", "reply", err.text);
        return UNSUBSCRIBE_PAGE_LATER;
    }
    return stopped ? state_of(&entry) : UNSUBSCRIBE_PAGE_ASK;
}

/* `code`, unless how things stand cannot be said. */
static enum MHD_Result reply_standing(const struct request *r, unsigned code)
{
    enum unsubscribe_state state = look_up(r);
    return reply_page(r, state == UNSUBSCRIBE_PAGE_LATER ? MHD_HTTP_SERVICE_UNAVAILABLE : code,
                      state);
}

/* ---- doing it ---- */

static bool stop_mail(struct database *db, const struct request *r, struct err *err)
{
    bool flood = r->action == UNSUBSCRIBE_FLOOD;
    bool changed = false;
    int64_t now_ms = clock_now_ms();
    struct suppress_entry e = {.reason = flood ? SUPPRESS_FLOOD : SUPPRESS_UNSUBSCRIBE,
                               .created_ms = now_ms,
                               .expires_ms = flood ? now_ms + flood_ms : 0};
    e.every_spelling = flood; /* whoever floods a mailbox may spell it in every way */
    snprintf(e.address, sizeof(e.address), "%s", r->form);
    snprintf(e.source, sizeof(e.source), "%s",
             r->action == UNSUBSCRIBE_ONE_CLICK ? "one-click" : "page");
    if (!flood)
        snprintf(e.tenant, sizeof(e.tenant), "%s", r->subject.tenant);
    if (r->action == UNSUBSCRIBE_ONE_CLICK || r->action == UNSUBSCRIBE_STREAM)
        snprintf(e.stream, sizeof(e.stream), "%s", r->subject.stream);
    return database_suppress(db, &e, now_ms, &changed, err);
}

/* What the page has done, and only that: not what the operator has, or a bounce. */
static bool undo(struct database *db, const struct request *r, struct err *err)
{
    const struct {
        const char *tenant, *stream;
        enum suppress_reason reason;
    } undone[] = {{r->subject.tenant, r->subject.stream, SUPPRESS_UNSUBSCRIBE},
                  {r->subject.tenant, "", SUPPRESS_UNSUBSCRIBE},
                  {"", "", SUPPRESS_FLOOD}};
    bool ok = true;
    for (size_t i = 0; ok && i < COUNT_OF(undone); i++) {
        const struct suppressions_filter f = {r->form, undone[i].tenant, undone[i].stream,
                                              (int)undone[i].reason, .after = {.address = ""}};
        int64_t removed = 0;
        ok = database_unsuppress(db, &f, "page", clock_now_ms(), &removed, err);
    }
    return ok;
}

static bool change(struct database *db, void *context, struct err *err)
{
    const struct request *r = context;
    return r->action == UNSUBSCRIBE_UNDO ? undo(db, r, err) : stop_mail(db, r, err);
}

/* On the store's thread. */
static void on_changed(struct store_job *job)
{
    struct request *r = job->context;
    struct web *web = r->web;
    r->ok = job->ok;
    r->phase = DECIDED;
    if (!job->ok)
        log_event(LOG_ERROR, "store_failed", "reply", job->err.text);
    store_job_free(job);
    pthread_mutex_lock(&web->mutex);
    MHD_resume_connection(r->connection);
    if (--web->asked == 0)
        pthread_cond_signal(&web->idle);
    pthread_mutex_unlock(&web->mutex);
}

static void ask_store(struct request *r)
{
    struct store_job *job = store_job_new(on_changed, NULL);
    job->run = change;
    job->context = r;
    r->phase = ASKED;
    pthread_mutex_lock(&r->web->mutex);
    r->web->asked++;
    pthread_mutex_unlock(&r->web->mutex);
    MHD_suspend_connection(r->connection);
    store_put(r->web->store, job);
}

static enum MHD_Result reply_done(const struct request *r)
{
    static const enum unsubscribe_state states[] = {[UNSUBSCRIBE_STREAM] = UNSUBSCRIBE_PAGE_STREAM,
                                                    [UNSUBSCRIBE_ALL] = UNSUBSCRIBE_PAGE_ALL,
                                                    [UNSUBSCRIBE_FLOOD] = UNSUBSCRIBE_PAGE_FLOOD,
                                                    [UNSUBSCRIBE_UNDO] = UNSUBSCRIBE_PAGE_UNDONE};
    if (!r->ok)
        return reply_page(r, MHD_HTTP_SERVICE_UNAVAILABLE, UNSUBSCRIBE_PAGE_LATER);
    if (r->action == UNSUBSCRIBE_ONE_CLICK)
        return reply(r, MHD_HTTP_OK, "text/plain; charset=utf-8", SPAN("Unsubscribed.\n"));
    return reply_page(r, MHD_HTTP_OK, states[r->action]);
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
    return r->settings->unsubscribe.count > 0 &&
           unsubscribe_open(&r->settings->unsubscribe, last_part(path), &r->subject) &&
           address_same_form(r->subject.recipient, r->form);
}

static enum MHD_Result count_length(void *context, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    unsigned *count = context;
    (void)kind;
    (void)value;
    struct span name = span_of(key);
    if (span_equal_nocase(name, SPAN("Content-Length")) ||
        span_equal_nocase(name, SPAN("Transfer-Encoding")))
        (*count)++;
    return MHD_YES;
}

/* Two lengths, or a length and chunks: two readers would not agree where it ends (RFC 9112 section
 * 6.3). */
static bool is_ambiguous(const struct request *r)
{
    unsigned count = 0;
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, count_length, &count);
    return count > 1;
}

static enum MHD_Result get(struct request *r, const char *path)
{
    if (span_equal(last_part(path), SPAN("style.css")))
        return reply(r, MHD_HTTP_OK, "text/css; charset=utf-8", unsubscribe_style());
    if (!find_subject(r, path))
        return reply_page(r, MHD_HTTP_NOT_FOUND, UNSUBSCRIBE_PAGE_INVALID);
    return reply_standing(r, MHD_HTTP_OK);
}

static enum MHD_Result post(struct request *r, const char *path)
{
    if (r->phase == DECIDED)
        return reply_done(r);
    if (r->body.overflow)
        return reply(r, MHD_HTTP_CONTENT_TOO_LARGE, "text/plain; charset=utf-8",
                     SPAN("Too large.\n"));
    if (!find_subject(r, path))
        return reply_page(r, MHD_HTTP_NOT_FOUND, UNSUBSCRIBE_PAGE_INVALID);
    r->action =
        unsubscribe_form(span_of(header_of(r->connection, "Content-Type")), buf_span(&r->body));
    log_end(log_number(log_text(log_text(log_begin(LOG_INFO, "unsubscribe"), "rcpt", r->form),
                                "what", r->subject.stream),
                       "code", (int64_t)r->action));
    if (r->action == UNSUBSCRIBE_NOTHING)
        return reply_standing(r, MHD_HTTP_BAD_REQUEST);
    ask_store(r);
    return MHD_YES;
}

static struct request *new_request(struct web *web, struct MHD_Connection *c)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->web = web;
    r->connection = c;
    r->settings = atomic_load(&web->settings);
    buf_init(&r->body, BODY_MAX);
    return r;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **own)
{
    struct request *r = *own;
    (void)version;
    if (!r) {
        *own = r = new_request(context, c);
        return is_ambiguous(r) ? reply(r, MHD_HTTP_BAD_REQUEST, "text/plain; charset=utf-8",
                                       SPAN("Two lengths.\n"))
                               : MHD_YES;
    }
    if (*size > 0) {
        buf_add(&r->body, (struct span){data, *size});
        *size = 0;
        return MHD_YES;
    }
    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
        return get(r, path);
    if (strcmp(method, "POST") == 0)
        return post(r, path);
    return reply(r, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", SPAN_NONE);
}

static void on_completed(void *context, struct MHD_Connection *c, void **own,
                         enum MHD_RequestTerminationCode why)
{
    struct request *r = *own;
    (void)context;
    (void)c;
    (void)why;
    if (r)
        buf_fini(&r->body);
    free(r);
    *own = NULL;
}

/* ---- the thread ---- */

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

bool web_start(struct store *store, const struct settings *settings, struct web **web_r,
               struct err *err)
{
    struct web *web = xcalloc(1, sizeof(*web));
    web->store = store;
    atomic_store(&web->settings, settings);
    pthread_mutex_init(&web->mutex, NULL);
    pthread_cond_init(&web->idle, NULL);
    bool ok = database_open(settings->config->state_dir, DATABASE_READ, &web->reader, err);
    if (ok)
        web->daemon = MHD_start_daemon(
            MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ITC |
                MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
            0, NULL, NULL, on_request, web, MHD_OPTION_NOTIFY_COMPLETED, on_completed, web,
            MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_CONNECTION_LIMIT,
            (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
            MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)PER_ADDRESS,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
            MHD_OPTION_END);
    *web_r = web;
    return ok && (web->daemon || err_set(err, ERR_SYSTEM, "the HTTP thread cannot be started"));
}

void web_change_settings(struct web *web, const struct settings *settings)
{
    if (web)
        atomic_store(&web->settings, settings);
}

void web_take(struct web *web, int fd, const struct sockaddr *peer, socklen_t len)
{
    MHD_add_connection(web->daemon, fd, peer, len); /* closes it when it does not take it */
}

void web_stop(struct web *web)
{
    if (!web)
        return;
    pthread_mutex_lock(&web->mutex);
    while (web->asked > 0)
        pthread_cond_wait(&web->idle, &web->mutex);
    pthread_mutex_unlock(&web->mutex);
    if (web->daemon)
        MHD_stop_daemon(web->daemon);
    database_close(web->reader);
    pthread_mutex_destroy(&web->mutex);
    pthread_cond_destroy(&web->idle);
    free(web);
}
