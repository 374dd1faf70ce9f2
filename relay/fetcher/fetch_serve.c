// SPDX-License-Identifier: BSD-2-Clause
/* fetch_serve.c - One child for each order, FETCHES_MAX at once; what is over that is answered with
 * FETCH_BUSY. A child lives no longer than its order allows, and SPARE_S more; what it computes and
 * keeps for a stranger has limits, at which it ends without an answer. */
#include "fetch_serve.h"

#include "fetch_http.h"
#include "fetch_trust.h"
#include "passing.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What comes along with an order. */
enum { STREAM, AUTHORITIES };

enum { FETCHES_MAX = 96, SPARE_S = 10, LONGEST_S = 300 };
enum { CPU_S = 10, MEMORY = 48 * 1024 * 1024 }; /* it has 10 MB when it begins */

/* What sanitizers need of addresses is counted, too. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_IS_LIMITED = false };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { MEMORY_IS_LIMITED = false };
#else
enum { MEMORY_IS_LIMITED = true };
#endif
#else
enum { MEMORY_IS_LIMITED = true };
#endif

static bool send_all(int fd, const void *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t put = send(fd, (const char *)bytes + done, len - done, MSG_NOSIGNAL);
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static bool answer(int stream, const struct fetch_head *head, struct span bytes)
{
    return send_all(stream, head, sizeof(*head)) && send_all(stream, bytes.ptr, head->len);
}

/* What is to be posted: all up to the end of the stream. */
static bool read_body(int stream, struct buf *body)
{
    for (;;) {
        char *room = buf_reserve(body, 16 * 1024);
        ssize_t got = room ? read(stream, room, 16 * 1024) : -1;
        if (got <= 0)
            return got == 0;
        buf_commit(body, (size_t)got);
    }
}

static bool limit(void)
{
    const struct rlimit cpu = {CPU_S, CPU_S + 1};
    const struct rlimit memory = {MEMORY, MEMORY};
    return setrlimit(RLIMIT_CPU, &cpu) == 0 &&
           (!MEMORY_IS_LIMITED || setrlimit(RLIMIT_DATA, &memory) == 0);
}

/* In a child, which gets no further orders: others' addresses may be secret. */
static _Noreturn void carry_out(struct fetch_order *order, X509_STORE *trusts, int socket,
                                const int given[PASSING_MAX])
{
    int stream = given[STREAM];
    struct fetch_head head = {.outcome = FETCH_GONE, .why = "what is to be posted did not come"};
    struct buf body, bytes;
    close(socket);
    buf_init(&body, FETCH_POST_MAX);
    buf_init(&bytes, FETCH_ANSWER_MAX);
    if (order->timeout_s == 0 || order->timeout_s > LONGEST_S)
        order->timeout_s = LONGEST_S;
    if (order->answer_max > FETCH_ANSWER_MAX)
        order->answer_max = FETCH_ANSWER_MAX;
    alarm(order->timeout_s + SPARE_S);
    if (!limit())
        snprintf(head.why, sizeof(head.why), "it cannot be limited");
    else if (read_body(stream, &body))
        fetch_http(order, trusts, buf_span(&body), &head, &bytes);
    _exit(answer(stream, &head, buf_span(&bytes)) ? 0 : 1);
}

/* Texts of an order end. */
static void end_texts(struct fetch_order *o)
{
    o->url[sizeof(o->url) - 1] = o->addresses[sizeof(o->addresses) - 1] = '\0';
    o->content_type[sizeof(o->content_type) - 1] = '\0';
    o->fields[sizeof(o->fields) - 1] = '\0';
    o->authorities[sizeof(o->authorities) - 1] = '\0';
}

static void refuse(int stream, enum fetch_outcome outcome, const char *why)
{
    struct fetch_head head = {.outcome = outcome};
    snprintf(head.why, sizeof(head.why), "%s", why);
    (void)answer(stream, &head, (struct span){"", 0}); /* who has gone needs no answer */
}

/* False when the relay is gone. */
static bool serve_one(int socket, unsigned *busy)
{
    struct fetch_order order;
    int given[PASSING_MAX];
    const struct iovec part = {&order, sizeof(order)};
    ssize_t got = take_files(socket, &part, 1, given);
    if (got <= 0)
        return false;
    while (*busy > 0 && waitpid(-1, NULL, WNOHANG) > 0)
        --*busy;
    end_texts(&order);
    pid_t pid = -1;
    bool whole =
        got == (ssize_t)sizeof(order) && (!order.authorities[0] || given[AUTHORITIES] >= 0);
    X509_STORE *trusts = whole ? fetch_trust(given[AUTHORITIES]) : NULL;
    if (whole && *busy < FETCHES_MAX && (pid = fork()) == 0)
        carry_out(&order, trusts, socket, given);
    if (pid > 0)
        ++*busy;
    else
        refuse(given[STREAM], FETCH_BUSY, "too many fetches at once");
    for (size_t i = 0; i < PASSING_MAX; i++)
        if (given[i] >= 0)
            close(given[i]);
    return true;
}

void fetch_serve(int socket)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    unsigned busy = 0;
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        signal(ignored[i], SIG_IGN); /* it ends with the relay */
    signal(SIGCHLD, SIG_DFL); /* the relay ignores it, and that is handed on: children count */
    while (serve_one(socket, &busy))
        ;
}
