// SPDX-License-Identifier: BSD-2-Clause
/* return_sessions.c - Takes what comes back, and says 250 when it is written down.
 *
 *   RCPT: one of our addresses? - the message, its first 256 KB - read (return_reading.c) - the
 *   store - 250
 *
 * Whoever connects may be anybody. A recipient must be an address that we have made and that is not
 * over, or the one for a domain's complaints; so nothing is relayed, and nobody finds addresses by
 * guessing. Nothing is ever sent from here: what we do not want is refused while its sender waits.
 *
 * What strangers want is done in turns by network, within a part of the thread's time
 * (handshakes.h): reading, handshakes, commands, and taking them in. While there is none they wait
 * in the kernel's queue, and of a network that has had much a newcomer is sent away unheard.
 *
 * Failure modes: too many sessions (the oldest from where most are goes; while something is read or
 * written for all of those, the newcomer) - a client is slow, or guesses (421) - the store cannot
 * write (451, it comes again) - the client has gone while its message is read or written (that goes
 * on, is answered to nobody, and has its place until then).
 */
#include "return_sessions.h"

#include "connection.h"
#include "proxy_header.h"
#include "rejects.h"
#include "return_proxy.h"
#include "return_reading.h"
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { IDLE_S = 30, WHOLE_S = 120, UNKNOWN_MAX = 5, PER_ADDRESS = 12, PER_NETWORK = 24 };
enum { HEADER_MS = 5000, HEADER_ROOM = PROXY_HEADER_MAX + 8 * 1024 }; /* with a read behind it */
enum { UNSEEN_US = 20 }; /* what the kernel and the loop do for one that comes and goes */

struct return_session {
    struct return_session *next, *prev;
    struct return_sessions *home;
    struct settings *settings;     /* held */
    struct connection *connection; /* NULL: it has ended, and what it has asked is awaited */
    struct submission submission;
    struct buf message; /* its first bytes */
    struct return_target target;
    char peer[64];
    char network[LOGIN_LIMIT_TEXT];
    unsigned unknown; /* recipients that were refused */
    bool counted;     /* among the clients */
    bool heralded;    /* whose connection it is comes first, and is in `head` so far */
    struct buf head;
    bool asking; /* something is looked up, read or written down for it: it stays */
};

static void pump(struct return_session *v);

/* It may not be sent away meanwhile, so that what is under way is bounded by the places. */
static void set_asking(struct return_session *v, bool asking)
{
    if (v->counted && v->asking != asking)
        connection_limits_serve(v->home->shared->limits, v->peer, false, asking);
    v->asking = asking;
}

static void leave_place(struct return_session *v)
{
    if (v->counted)
        connection_limits_leave(v->home->shared->limits, v->peer, false, NULL);
    v->counted = false;
}

static void free_session(struct return_session *v)
{
    struct return_sessions *home = v->home;
    leave_place(v);
    acceptor_quota_give_back(&home->shared->quota);
    DL_DELETE(home->all, v);
    submission_fini(&v->submission);
    buf_fini(&v->message);
    buf_fini(&v->head);
    settings_drop(v->settings);
    free(v);
    worker_something_ended(home->worker);
}

/* ---- whose is it ---- */

static const struct config_domain *domain_at(const struct config *c, struct span name)
{
    for (size_t i = 0; i < c->domain_count; i++)
        if (c->domains[i].return_path[0] &&
            span_equal_nocase(name, span_of(c->domains[i].return_path)))
            return &c->domains[i];
    return NULL;
}

/* The last recipient that was named; false: whatever it is, it is none of ours. One that we have
 * made stays good although its domain has another return path now, or none. */
static bool find_target(const struct return_session *v, struct return_target *t)
{
    const struct envelope *e = &v->submission.envelope;
    struct span domain = span_of(e->rcpts[e->count - 1].address);
    struct span whole = domain;
    struct span local = span_take(&domain, '@');
    bool opened = returns_token_open(&v->settings->unsubscribe, whole, &t->subject);
    const struct config_domain *d = domain_at(v->settings->config, domain);
    span_put(whole, t->address, sizeof(t->address));
    span_put(domain, t->domain, sizeof(t->domain));
    t->sender = e->sender[0] ? RETURNS_SENDER_SOMEBODY : RETURNS_SENDER_NULL;
    t->of_complaints = d && d->feedback_loop && span_equal_nocase(local, SPAN("fbl"));
    return t->of_complaints || opened;
}

/* The same words, whatever is wrong. */
static void refuse(struct return_session *v)
{
    static const char words[] =
        "No such address: only reports on mail that was sent are taken here";
    rejects_add(v->home->shared->unknown, v->peer);
    struct verdict no = ++v->unknown < UNKNOWN_MAX
                            ? verdict_make(550, "5.1.1", "%s", words)
                            : verdict_make(421, "4.7.0", "Too many unknown addresses: closing");
    submission_rcpt_decided(&v->submission, &no);
}

static void go_on(struct return_session *v)
{
    struct handshakes *turns = v->home->worker->strangers;
    char network[LOGIN_LIMIT_TEXT];
    memcpy(network, v->network, sizeof(network));
    handshakes_begin(turns);
    set_asking(v, false);
    if (v->connection)
        pump(v);
    else
        free_session(v);
    handshakes_end(turns, network, 0);
}

/* Is its time over? */
static void on_looked(void *context, struct store_question *q)
{
    struct return_session *v = context;
    const struct came_back *c = q->context;
    struct verdict later = verdict_make(451, "4.3.0", "It cannot be looked up now: try again");
    if (!q->ok)
        submission_rcpt_decided(&v->submission, &later);
    else if (c->result == CAME_BACK_UNKNOWN)
        refuse(v);
    else
        submission_rcpt_decided(&v->submission, NULL);
    memcpy(v->target.tenant, c->tenant, sizeof(v->target.tenant));
    free(q->context);
    store_question_free(q);
    go_on(v);
}

static void look(struct return_session *v)
{
    struct came_back *c = xcalloc(1, sizeof(*c));
    c->subject = v->target.subject;
    set_asking(v, true);
    worker_ask_reader(v->home->worker, NULL, store_read(database_awaits_return, c), on_looked, v);
}

static void judge_recipient(struct return_session *v)
{
    v->target = (struct return_target){.keys = &v->settings->unsubscribe};
    if (!find_target(v, &v->target))
        refuse(v);
    else if (v->target.of_complaints)
        submission_rcpt_decided(&v->submission, NULL);
    else
        look(v);
}

/* ---- the message ---- */

static struct verdict answer_of(const struct return_answer *a)
{
    switch (a->what) {
    case RETURN_TAKEN:
        return verdict_make(250, "2.0.0", "OK: written down");
    case RETURN_DROPPED:
    case RETURN_OLD:
        return verdict_make(250, "2.0.0", "OK");
    case RETURN_PERSONAL:
        return verdict_make(550, "5.7.1",
                            "Nobody reads this address: please write to the author (From)");
    case RETURN_UNKNOWN:
        return verdict_make(550, "5.1.1", "Nothing is known of that message any more");
    case RETURN_NOT_WRITTEN:
        return verdict_make(451, "4.3.0", "It cannot be written down just now: try again");
    }
    UNREACHABLE();
}

static void on_answer(void *context, const struct return_answer *a)
{
    struct return_session *v = context;
    struct verdict said = answer_of(a);
    if (a->what == RETURN_OLD)
        rejects_add(v->home->shared->old, v->peer);
    submission_enqueue_decided(&v->submission, &said);
    go_on(v);
}

static void keep(struct return_session *v)
{
    struct span bytes = buf_span(&v->submission.body);
    buf_add(&v->message, span_first(bytes, RETURNS_BYTES_MAX - v->message.len));
}

static void read_message(struct return_session *v)
{
    keep(v);
    set_asking(v, true);
    return_reading_start(v->home, v->settings, &v->target, v->peer, &v->message, on_answer, v);
}

/* What the machine wants of us; false: nothing. */
static bool ask(struct return_session *v)
{
    switch (v->submission.want) {
    case SUBMISSION_LIMIT:
        judge_recipient(v);
        return true;
    case SUBMISSION_SPILL:
        keep(v);
        submission_spilled(&v->submission, NULL);
        return true;
    case SUBMISSION_ENQUEUE:
        read_message(v);
        return false;
    case SUBMISSION_INPUT:
    case SUBMISSION_TLS:
    case SUBMISSION_CLOSE:
        return false;
    case SUBMISSION_ROOM: /* no setting of ours asks for these */
    case SUBMISSION_KEYS:
    case SUBMISSION_AUTH:
        break;
    }
    UNREACHABLE();
}

static void pump(struct return_session *v)
{
    struct submission *s = &v->submission;
    while (!v->asking && ask(v))
        ;
    if (!v->asking && s->phase != SUBMISSION_DATA)
        buf_clear(&v->message);
    if (v->home->worker->draining && s->want == SUBMISSION_INPUT)
        submission_hang_up(s, "is shutting down: try again in a minute");
    if (s->want == SUBMISSION_CLOSE) {
        connection_finish(v->connection, &s->out);
        return;
    }
    connection_write(v->connection, &s->out);
    if (s->want == SUBMISSION_TLS && !connection_tls(v->connection))
        connection_accept_tls(v->connection, v->settings->server, TLS_SMTP);
    connection_want_bytes(v->connection, !v->asking);
}

/* ---- the connection ---- */

static void on_header(struct return_session *v, struct span bytes);

static void on_bytes(void *owner, struct span bytes)
{
    struct return_session *v = owner;
    if (v->heralded) {
        on_header(v, bytes);
        return;
    }
    if (v->submission.want != SUBMISSION_INPUT)
        return;
    v->submission.short_of_memory = atomic_load(v->home->shared->short_of_memory);
    submission_input(&v->submission, bytes);
    pump(v);
}

static void on_secured(void *owner)
{
    struct return_session *v = owner;
    submission_tls_started(&v->submission);
    pump(v);
}

static bool on_timed_out(void *owner)
{
    const struct return_session *v = owner;
    bool is_ours = v->connection && connection_awaits_turn(v->connection);
    if (is_ours) /* what it has said has not been read yet */
        connection_set_timeout(v->connection, IDLE_S);
    return is_ours || v->asking;
}

static void on_ended(void *owner, const char *why)
{
    struct return_session *v = owner;
    (void)why;
    v->connection = NULL;
    if (v->asking)
        return;
    struct handshakes *turns = v->home->worker->strangers;
    char network[LOGIN_LIMIT_TEXT];
    memcpy(network, v->network, sizeof(network));
    handshakes_begin(turns);
    free_session(v);
    handshakes_end(turns, network, 0);
}

static const struct connection_events events = {
    .bytes = on_bytes, .secured = on_secured, .timed_out = on_timed_out, .ended = on_ended};

/* All clients are strangers: of the address with most of them, who has been here longest goes. */
static bool take_place(struct return_session *v)
{
    static const struct connection_bounds limits = {
        .all = RETURN_SESSIONS_MOST, .per_address = PER_ADDRESS, .per_network = PER_NETWORK};
    struct connection_place place;
    bool replaces = false;
    if (!connection_limits_enter(v->home->shared->limits, v->peer, false, &limits, &replaces,
                                 &place))
        return false;
    if (replaces)
        v->home->make_room(v->home, &place);
    v->counted = true;
    return true;
}

static void send_away(struct return_session *v, const char *why)
{
    if (!v->home->worker->draining)
        rejects_add(v->home->shared->rejects, v->peer);
    submission_hang_up(&v->submission, why);
    connection_finish(v->connection, &v->submission.out);
}

bool return_sessions_make_room(struct return_sessions *home, const struct connection_place *place)
{
    struct return_session *v;
    DL_FOREACH (home->all, v) {
        if (!v->counted || v->asking || !connection_limits_is_place(place, v->peer, false))
            continue;
        connection_limits_made_room(home->shared->limits, place);
        leave_place(v);
        rejects_add(home->shared->rejects, v->peer);
        connection_close(v->connection, "too many at once");
        return true;
    }
    return false;
}

static void take_turns(struct return_session *v)
{
    const struct handshake_terms turns = {.all = v->home->worker->strangers, .tenant = v->network};
    connection_take_turns(v->connection, &turns);
}

/* Who it is, is known. */
static void arrive(struct return_session *v)
{
    if (v->home->worker->draining)
        send_away(v, "is shutting down: try again in a minute");
    else if (!take_place(v))
        send_away(v, "has too many connections: try again later");
    else
        pump(v);
}

/* Of a proxy's client all is counted as if it had connected itself. */
static void become(struct return_session *v, const struct endpoint *client)
{
    ip_print(&client->ip, v->peer);
    login_limit_network(v->peer, LOGIN_LIMIT_NETWORK, v->network);
    take_turns(v);
    if (handshakes_are_short(v->home->worker->strangers, v->network))
        send_away(v, "has had too much from your network: try again later");
    else
        arrive(v);
}

static void on_header(struct return_session *v, struct span bytes)
{
    struct endpoint client;
    size_t length = 0;
    buf_add(&v->head, bytes);
    enum proxy_header read = proxy_header_read(buf_span(&v->head), &client, &length);
    if (read == PROXY_HEADER_MORE && !v->head.overflow && !v->head.starved)
        return;
    v->heralded = false;
    if (read == PROXY_HEADER_MORE || read == PROXY_HEADER_REFUSED) {
        rejects_add(v->home->shared->rejects, v->peer);
        connection_close(v->connection, "no PROXY header");
        return;
    }
    struct buf head;
    buf_move(&head, &v->head);
    connection_set_timeout(v->connection, IDLE_S);
    if (read == PROXY_HEADER_LOCAL)
        pump(v); /* it looks whether we are there, and takes nobody's place */
    else
        become(v, &client);
    if (head.len > length)
        on_bytes(v, span_from(buf_span(&head), length));
    buf_fini(&head);
}

static void begin(struct return_sessions *home, int fd, const char *peer, const char *network,
                  bool proxied)
{
    struct return_session *v = xcalloc(1, sizeof(*v));
    v->home = home;
    span_put(span_of(peer), v->peer, sizeof(v->peer));
    span_put(span_of(network), v->network, sizeof(v->network));
    v->settings = settings_hold(home->worker->settings);
    buf_init_peer(&v->message, RETURNS_BYTES_MAX);
    buf_init_peer(&v->head, HEADER_ROOM);
    submission_init(&v->submission, &v->settings->returns);
    DL_APPEND(home->all, v);
    v->connection = connection_accept(&home->worker->loop, fd, &events, v);
    take_turns(v);
    connection_set_limit(v->connection, WHOLE_S);
    v->heralded = proxied && !home->worker->draining;
    if (v->heralded) {
        connection_set_deadline(v->connection, HEADER_MS);
        connection_want_bytes(v->connection, true);
        return;
    }
    connection_set_timeout(v->connection, IDLE_S);
    arrive(v);
}

/* Nothing is said to who is no proxy. */
static void drop(struct return_sessions *home, int fd, const char *peer)
{
    rejects_add(home->shared->rejects, peer);
    close(fd);
    acceptor_quota_give_back(&home->shared->quota);
}

/* As little as can be done for it. */
static void turn_away(struct return_sessions *home, int fd, const char *peer)
{
    static const char words[] = "421 4.7.0 Too much from your network: try again later\r\n";
    (void)!send(fd, words, sizeof(words) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    drop(home, fd, peer);
}

void return_sessions_accept(struct return_sessions *home, int fd, bool proxied)
{
    struct handshakes *turns = home->worker->strangers;
    char peer[SOCKETS_PEER];
    char network[LOGIN_LIMIT_TEXT];
    sockets_peer(fd, peer);
    login_limit_network(peer, LOGIN_LIMIT_NETWORK, network);
    if (proxied && !return_proxy_is_one(home->worker->settings->config, peer))
        drop(home, fd, peer);
    else if (!proxied && handshakes_are_short(turns, network))
        turn_away(home, fd, peer);
    else
        begin(home, fd, peer, network, proxied);
    handshakes_end(turns, network, UNSEEN_US);
}

unsigned return_sessions_wait_ms(struct return_sessions *home)
{
    handshakes_begin(home->worker->strangers);
    return (unsigned)handshakes_wait_ms(home->worker->strangers);
}

void return_sessions_drain(struct return_sessions *home)
{
    struct return_session *v;
    struct return_session *next;
    return_reading_drop_line(home);
    DL_FOREACH_SAFE (home->all, v, next) {
        if (v->connection && !v->asking && v->submission.want == SUBMISSION_INPUT)
            pump(v);
    }
}

void return_sessions_close(struct return_sessions *home)
{
    struct return_session *v;
    DL_FOREACH (home->all, v)
        if (v->connection)
            connection_close(v->connection, "closing down");
}
