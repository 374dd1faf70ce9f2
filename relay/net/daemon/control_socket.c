// SPDX-License-Identifier: BSD-2-Clause
/* control_socket.c - One request, one answer, then the client closes. Reading is done on libuv's
 * pool with a database of its own, so that a long list never holds up the loop or the store;
 * changing is a job of the store.
 *
 * Who is there is known from the kernel before a byte is read, and again when the settings change.
 * A stranger is answered at once; what it sends is thrown away for a moment, so that it reads the
 * answer, and then it is closed. An account that is no admin has a share of the connections.
 *
 *     ASKING ──▶ WORKING ──▶ TELLING ──▶ closed     each ends by its time; WORKING when the pool or
 *        └──────────────────▶ TELLING               the store is done
 */
#include "control_socket.h"

#include "acceptor.h"
#include "control.h"
#include "control_socket_file.h"
#include "deliveries.h"
#include "inbox.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    ADMIN_REQUEST_MAX = 64 * 1024 * 1024, /* a message to be sent, a list to be imported */
    READER_REQUEST_MAX = 64 * 1024,
    CLIENT_TIMEOUT_MS = 60 * 1000,
    STRANGER_TIMEOUT_MS = 1000,
    PARSED_HERE_MAX = 64 * 1024, /* longer ones are parsed on the pool */
    LAST_WORDS_MS = 1000,        /* for answers that are not read yet when the relay ends */
    ACCOUNT_WORK_MAX = 2,        /* requests of such an account on the pool, which others need */
    ACCOUNT_CLIENTS_MAX = 8      /* open at once for one account that is no admin */
};

struct control_socket {
    struct acceptor acceptor;
    struct acceptor_quota quota;
    uv_loop_t *loop;
    struct inbox inbox;
    char *state_dir;
    struct config_party *parties; /* who may come in, besides root and ourselves */
    size_t party_count;
    struct store *store;
    struct control_client *visitors;
    size_t pending;
    bool closing;
    struct control_relay relay;
};

struct control_client {
    struct control_client *next, *prev;
    struct control_socket *control_socket;
    uv_pipe_t pipe;
    uv_timer_t timer;
    uv_work_t work;
    uv_write_t write;
    struct inbox_item item;
    struct store_accept *accept; /* at the store; or `change`; NULL: neither is */
    struct store_change *change;
    struct control *control;
    struct buf in, out;
    struct err err;
    char chunk[16 * 1024];
    unsigned handles;
    char who[32];
    struct ucred peer;
    enum { STRANGER, READER, ADMIN } role;
    enum { ASKING, WORKING, TELLING, CLOSING } state;
    bool parsed;
    size_t searched;  /* of `in`: there is no end of line before it */
    size_t discarded; /* of what came after the answer */
};

static void close_if_done(struct control_socket *g)
{
    if (g->closing && g->pending == 0 && !uv_is_closing((uv_handle_t *)&g->inbox.async))
        inbox_close(&g->inbox);
}

/* ---- the end of an HTTP connection ---- */

static void on_control_client_closed(uv_handle_t *handle)
{
    struct control_client *v = handle->data;
    if (--v->handles > 0)
        return;
    DL_DELETE(v->control_socket->visitors, v);
    control_free(v->control);
    buf_fini(&v->in);
    buf_fini(&v->out);
    acceptor_quota_give_back(&v->control_socket->quota);
    free(v);
}

static void leave(struct control_client *v)
{
    if (v->state == WORKING || v->state == CLOSING) /* it leaves when the answer is there */
        return;
    v->state = CLOSING;
    uv_close((uv_handle_t *)&v->pipe, on_control_client_closed);
    uv_close((uv_handle_t *)&v->timer, on_control_client_closed);
}

static void on_timer(uv_timer_t *timer)
{
    leave(timer->data);
}

/* Who was refused before all of its request was read may still be writing: closed now, it would
 * hear of a broken connection and not of the reason. */
static void on_told(uv_write_t *write, int status)
{
    struct control_client *v = write->data;
    if (status == 0 && v->state == TELLING && uv_is_active((uv_handle_t *)&v->pipe))
        uv_timer_start(&v->timer, on_timer, STRANGER_TIMEOUT_MS, 0);
    else
        leave(v);
}

static void answer(struct control_client *v, bool ok)
{
    uint64_t patience_ms = v->control_socket->closing ? LAST_WORDS_MS : CLIENT_TIMEOUT_MS;
    control_answer(v->control, ok ? NULL : &v->err, &v->out);
    uv_buf_t part = uv_buf_init(v->out.ptr, (unsigned)v->out.len);
    v->write.data = v;
    v->state = TELLING;
    uv_timer_start(&v->timer, on_timer, patience_ms, 0);
    if (uv_write(&v->write, (uv_stream_t *)&v->pipe, &part, 1, on_told) != 0)
        leave(v);
}

static void refuse(struct control_client *v)
{
    err_set(&v->err, ERR_UNREACHABLE,
            v->role == READER ? "%s may read and change nothing: setting \"control.admins\""
                              : "%s may not use the control socket: settings \"control.readers\" "
                                "and \"control.admins\"",
            v->who);
    answer(v, false);
}

/* ---- doing it ---- */

static void read_rows(uv_work_t *work)
{
    struct control_client *v = work->data;
    struct database *db = NULL;
    v->err.kind = ERR_NONE;
    bool ok = database_open(v->control_socket->state_dir, DATABASE_READ, &db, &v->err);
    if (ok)
        store_lend_counts(v->control_socket->store, db);
    if (ok && control_run(db, v->control, &v->err))
        v->err.kind = ERR_NONE;
    else if (v->err.kind == ERR_NONE)
        v->err.kind = ERR_STORE;
    database_close(db);
}

static void on_rows_read(uv_work_t *work, int status)
{
    struct control_client *v = work->data;
    if (status != 0)
        err_set(&v->err, ERR_SYSTEM, "cancelled");
    v->control_socket->pending--;
    answer(v, v->err.kind == ERR_NONE);
    close_if_done(v->control_socket);
}

/* Was it done? Else v->err says why not. */
static bool take_answer(struct control_client *v)
{
    struct store_job *job = v->change ? &v->change->job : &v->accept->job;
    bool ok = v->change ? v->change->result == STORE_CHANGED : store_has_accepted(v->accept);
    v->err = job->err;
    if (v->change && v->change->result == STORE_CHANGE_FAILED)
        err_wrap(&v->err, "nothing was changed, try again later");
    if (ok && v->accept)
        control_accepted(v->control, v->accept->mail->id);
    store_job_free(job);
    v->accept = NULL;
    v->change = NULL;
    return ok;
}

static void on_job_back(struct inbox_item *item)
{
    struct control_client *v = OWNER_OF(item, struct control_client, item);
    struct control_socket *g = v->control_socket;
    bool ok = take_answer(v);
    g->pending--;
    if (ok && control_ends_mail(v->control))
        deliveries_check_rows(g->relay.dispatch);
    answer(v, ok);
    close_if_done(g);
}

static void on_answered(struct store_job *job)
{
    struct control_client *v = job->owner;
    inbox_post(&v->control_socket->inbox, &v->item);
}

/* NULL: v->err says why there is none. */
static struct store_job *make_job(struct control_client *v)
{
    if (control_kind(v->control) == CONTROL_WRITE) {
        v->change = store_change_new(control_run, v->control);
        return &v->change->job;
    }
    v->accept = store_accept_new();
    if (control_mail(v->control, &v->accept->mail, &v->accept->body, &v->err)) {
        v->accept->mail->id = store_new_id(v->control_socket->store);
        return &v->accept->job;
    }
    store_job_free(&v->accept->job);
    v->accept = NULL;
    return NULL;
}

static bool ask_store(struct control_client *v)
{
    struct store_job *job = make_job(v);
    if (!job)
        return false;
    job->answer = on_answered;
    job->owner = v;
    v->item.run = on_job_back;
    store_put(v->control_socket->store, job);
    return true;
}

static bool is_over_work(const struct control_client *v)
{
    const struct control_client *other;
    size_t working = 0;
    DL_FOREACH (v->control_socket->visitors, other) {
        working += other != v && other->state == WORKING && other->peer.uid == v->peer.uid;
    }
    return v->role != ADMIN && working >= ACCOUNT_WORK_MAX;
}

static void begin(struct control_client *v)
{
    if (is_over_work(v)) {
        err_set(&v->err, ERR_LIMIT, "%d requests of %s are under way: try again when they are done",
                ACCOUNT_WORK_MAX, v->who);
        answer(v, false);
        return;
    }
    if (v->role < (control_kind(v->control) == CONTROL_READ ? READER : ADMIN)) {
        refuse(v);
        return;
    }
    if (control_kind(v->control) == CONTROL_RELOAD) {
        answer(v, v->control_socket->relay.reload(v->control_socket->relay.context, &v->err));
        return;
    }
    control_from(v->control, v->who, &v->control_socket->relay);
    if (v->role == READER)
        control_from_reader(v->control);
    if (control_kind(v->control) == CONTROL_READ) {
        v->work.data = v;
        CHECK(uv_queue_work(v->control_socket->loop, &v->work, read_rows, on_rows_read) == 0);
    } else if (!ask_store(v)) {
        answer(v, false);
        return;
    }
    v->state = WORKING;
    v->control_socket->pending++;
}

static void parse(uv_work_t *work)
{
    struct control_client *v = work->data;
    v->parsed = control_parse(span_first(buf_span(&v->in), v->searched), &v->control, &v->err);
}

static void on_parsed(uv_work_t *work, int status)
{
    struct control_client *v = work->data;
    v->control_socket->pending--;
    if (status == 0 && v->parsed)
        begin(v);
    else
        answer(v, false);
    close_if_done(v->control_socket);
}

/* The request is the first `searched` bytes of `in`. */
static void ask(struct control_client *v)
{
    uv_read_stop((uv_stream_t *)&v->pipe);
    v->work.data = v;
    v->state = WORKING;
    v->control_socket->pending++;
    if (v->searched <= PARSED_HERE_MAX) {
        parse(&v->work);
        on_parsed(&v->work, 0);
        return;
    }
    CHECK(uv_queue_work(v->control_socket->loop, &v->work, parse, on_parsed) == 0);
}

/* ---- clients ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_client *v = handle->data;
    (void)suggested;
    *buf = uv_buf_init(v->chunk, sizeof(v->chunk));
}

static size_t request_max(const struct control_client *v)
{
    return v->role == ADMIN ? ADMIN_REQUEST_MAX : READER_REQUEST_MAX;
}

/* What a piece of a request leads to. */
static void take(struct control_client *v, struct span bytes)
{
    if (v->in.len + bytes.len > request_max(v) || !buf_add(&v->in, bytes)) {
        err_set(&v->err, ERR_LIMIT, "request over %zu bytes, the most from %s", request_max(v),
                v->who);
        answer(v, false);
        return;
    }
    struct span in = buf_span(&v->in);
    size_t end = v->searched + span_find(span_from(in, v->searched), '\n');
    v->searched = end;
    if (end < in.len)
        ask(v);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct control_client *v = stream->data;
    if (got > 0 && v->state == TELLING)
        v->discarded += (size_t)got;
    if (got < 0 || v->discarded > READER_REQUEST_MAX)
        leave(v);
    else if (got > 0 && v->state == ASKING)
        take(v, (struct span){buf->base, (size_t)got});
}

static bool belongs(const struct config_party *party, const struct ucred *peer, const gid_t *groups,
                    size_t count)
{
    bool does = party->id == (party->group ? peer->gid : peer->uid);
    for (size_t i = 0; i < count && party->group; i++)
        does = does || groups[i] == party->id;
    return does;
}

static void give_role(struct control_client *v)
{
    gid_t groups[256];
    socklen_t size = sizeof(groups);
    const struct control_socket *g = v->control_socket;
    int fd = -1;
    if (uv_fileno((const uv_handle_t *)&v->pipe, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        size = 0; /* more of them than anybody needs: those do not count */
    v->role = v->peer.uid == 0 || v->peer.uid == geteuid() ? ADMIN : STRANGER;
    for (size_t i = 0; i < g->party_count; i++) {
        int role = g->parties[i].admin ? ADMIN : READER;
        if (role > (int)v->role &&
            belongs(&g->parties[i], &v->peer, groups, size / sizeof(groups[0])))
            v->role = g->parties[i].admin ? ADMIN : READER;
    }
}

/* The kernel says who it is. */
static bool identify(struct control_client *v, int fd)
{
    socklen_t len = sizeof(v->peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &v->peer, &len) != 0)
        return false;
    snprintf(v->who, sizeof(v->who), "uid %u", (unsigned)v->peer.uid);
    give_role(v);
    return true;
}

static bool is_over_share(const struct control_client *v)
{
    const struct control_client *other;
    size_t open = 0;
    DL_FOREACH (v->control_socket->visitors, other)
        open += other->peer.uid == v->peer.uid;
    return v->role != ADMIN && open > ACCOUNT_CLIENTS_MAX;
}

static void on_control_client(void *context, int fd)
{
    struct control_socket *g = context;
    struct control_client *v = xcalloc(1, sizeof(*v));
    v->control_socket = g;
    v->handles = 2;
    buf_init(&v->in, ADMIN_REQUEST_MAX);
    buf_init(&v->out, SIZE_MAX / 2);
    uv_pipe_init(g->loop, &v->pipe, 0);
    uv_timer_init(g->loop, &v->timer);
    v->pipe.data = v->timer.data = v;
    DL_APPEND(g->visitors, v);
    CHECK(uv_pipe_open(&v->pipe, fd) == 0);
    uv_timer_start(&v->timer, on_timer, CLIENT_TIMEOUT_MS, 0);
    if (!identify(v, fd) || is_over_share(v) ||
        uv_read_start((uv_stream_t *)&v->pipe, on_alloc, on_read) != 0)
        leave(v);
    else if (v->role == STRANGER)
        refuse(v);
}

/* ---- the socket ---- */

static void set_parties(struct control_socket *g, const struct config *config)
{
    free(g->parties);
    g->party_count = config->party_count;
    g->parties = xcalloc(g->party_count + 1, sizeof(*g->parties));
    memcpy(g->parties, config->parties, g->party_count * sizeof(*g->parties));
}

bool control_socket_change_config(struct control_socket *g, const struct config *config,
                                  struct err *err)
{
    struct control_client *v;
    set_parties(g, config);
    DL_FOREACH (g->visitors, v)
        give_role(v);
    return control_socket_file_open_to(g->state_dir, g->party_count > 0, err);
}

bool control_socket_open(uv_loop_t *loop, const struct config *config, struct store *store,
                         const struct control_relay *relay,
                         struct control_socket **control_socket_r, struct err *err)
{
    char path[4096];
    struct control_socket *g = xcalloc(1, sizeof(*g));
    g->state_dir = xstrdup(config->state_dir);
    set_parties(g, config);
    g->loop = loop;
    g->store = store;
    g->relay = *relay;
    g->quota.most = config->commands;
    g->acceptor.quota = &g->quota;
    *control_socket_r = g;
    control_path(config->state_dir, path);
    unlink(path); /* of a relay that ended badly: the lock is ours */
    inbox_init(&g->inbox, loop);
    int fd = control_socket_file_bind(path);
    bool ok = fd >= 0 &&
              acceptor_listen(&g->acceptor, loop, fd, 64, "control", on_control_client, g) == 0;
    if (!ok)
        return err_set(err, ERR_SYSTEM, "control socket %s: %s", path, strerror(errno));
    return control_socket_file_open_to(g->state_dir, g->party_count > 0, err);
}

void control_socket_close(struct control_socket *g)
{
    struct control_client *v;
    struct control_client *next;
    g->closing = true;
    if (g->acceptor.context) {
        char path[4096];
        control_path(g->state_dir, path);
        unlink(path);
        acceptor_close(&g->acceptor, NULL);
    }
    DL_FOREACH_SAFE (g->visitors, v, next) {
        if (v->state == TELLING)
            uv_timer_start(&v->timer, on_timer, LAST_WORDS_MS, 0);
        else
            leave(v);
    }
    close_if_done(g);
}

void control_socket_free(struct control_socket *g)
{
    if (!g)
        return;
    free(g->parties);
    free(g->state_dir);
    free(g);
}
