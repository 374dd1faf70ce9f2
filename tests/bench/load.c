// SPDX-License-Identifier: BSD-2-Clause
/* load.c - A load generator: authenticated submission over STARTTLS, one thread a connection.
 *
 *   bench-load --server 127.0.0.1:587 --user NAME --secret SECRET --sender ADDRESS
 *              [--connections N] [--messages N] [--seconds N] [--size BYTES[:SHARE],…] [--new]
 *              [--recipients N] [--domains N] [--spread N] [--ledger FILE] [--label TEXT]
 *              [--resume] [--rate N] [--persist] [--hold]
 *
 * Submits until --messages are acknowledged or refused, or --seconds are over, and prints one line
 * of JSON. --new: a new connection for every message; --resume: with the TLS session of the one
 * before, if the server has given a ticket for it. --size 4096:9,102400:1: a mix by shares.
 * --recipients: of each message; they lie in d1.test … dN.test (--domains), and their local parts
 * are r1 … rN (--spread); with --spread 0 nobody has got mail before. --persist: connect again when
 * the connection is lost. --rate N: so many a second, each at its time (an open loop): what is late
 * because no connection was free counts; its time is in the message's X-Due field. --hold: open the
 * connections, authenticate, print "held" and wait for the end of standard input.
 *
 * --ledger gets one line "token code word recipient…" for each message that was handed over whole;
 * code 0: the connection was lost before the answer; word: the answer's last, the message's id. The
 * token is in the message's X-Ledger field.
 */
#include "check.h"
#include "latency.h"
#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TIMEOUT_S = 60, STACK = 512 * 1024, SIZES = 8, ENVELOPE = 32 * 1024, AGAIN_MS = 20 };

static const char usage[] =
    "usage: bench-load --server ADDRESS:PORT --user NAME --secret SECRET --sender ADDRESS\n"
    "                  [--connections N] [--messages N] [--seconds N] [--size BYTES[:SHARE],…]\n"
    "                  [--new] [--recipients N] [--domains N] [--spread N] [--ledger FILE]\n"
    "                  [--resume] [--label TEXT] [--rate N] [--persist] [--hold]\n";

struct load {
    struct sockaddr_in server;
    const char *user, *secret, *sender, *label;
    unsigned connections, recipients, domains, spread;
    unsigned rate; /* a second; 0: as fast as it goes */
    uint64_t messages;
    int64_t began_ns; /* in each Message-ID: a second run must not look like a repetition */
    int64_t end_ns;   /* 0: no end */
    bool new_each, resume, persist, hold;
    SSL_CTX *tls;
    int ledger;
    struct {
        size_t bytes;
        unsigned share;
    } sizes[SIZES];
    size_t size_count;
    unsigned shares;
    char *text; /* lines enough for the largest */
    _Atomic uint64_t next, accepted, refused, broken, connects, resumed;
    _Atomic int64_t last_ns;
};

struct worker {
    struct load *load;
    pthread_t thread;
    struct wire wire;
    struct latency latency; /* from the DATA's 354, or from the time it was due, to the 250 */
    char envelope[ENVELOPE];
};

/* ---- one message ---- */

static size_t size_of(const struct load *l, uint64_t number)
{
    unsigned at = (unsigned)(number % l->shares);
    size_t i = 0;
    for (; at >= l->sizes[i].share; i++)
        at -= l->sizes[i].share;
    return l->sizes[i].bytes;
}

/* MAIL, RCPT and DATA in one burst (RFC 2920); `names_r`: the recipients, for the ledger. */
static size_t write_envelope(struct worker *w, uint64_t number, struct span *names_r)
{
    const struct load *l = w->load;
    size_t len = (size_t)snprintf(w->envelope, ENVELOPE, "MAIL FROM:<%s>\r\n", l->sender);
    for (unsigned i = 0; i < l->recipients && len < ENVELOPE - 100; i++) {
        uint64_t which = number * l->recipients + i;
        uint64_t domain = which % l->domains + 1;
        if (l->spread > 0)
            len += (size_t)snprintf(
                w->envelope + len, ENVELOPE - len, "RCPT TO:<r%llu@d%llu.test>\r\n",
                (unsigned long long)(which % l->spread + 1), (unsigned long long)domain);
        else
            len +=
                (size_t)snprintf(w->envelope + len, ENVELOPE - len,
                                 "RCPT TO:<r%llu.%llx@d%llu.test>\r\n", (unsigned long long)which,
                                 (unsigned long long)l->began_ns, (unsigned long long)domain);
    }
    *names_r = (struct span){w->envelope, len};
    len += (size_t)snprintf(w->envelope + len, ENVELOPE - len, "DATA\r\n");
    CHECK(len < ENVELOPE);
    return len;
}

static void note(struct worker *w, uint64_t number, int code, struct span last,
                 struct span envelope)
{
    const struct load *l = w->load;
    char line[ENVELOPE];
    if (l->ledger < 0)
        return;
    while (last.len > 0 && span_find(last, ' ') < last.len)
        span_take(&last, ' ');
    size_t len =
        (size_t)snprintf(line, sizeof(line), "%s-%llu %d %.*s", l->label,
                         (unsigned long long)number, code, SPAN_ARG(span_first(last, 100)));
    span_take(&envelope, '\n');
    while (envelope.len > 0 && len < sizeof(line) - 400) {
        struct span rcpt = span_take(&envelope, '\n');
        struct span path = span_from(rcpt, span_find(rcpt, '<') + 1);
        len += (size_t)snprintf(line + len, sizeof(line) - len, " %.*s",
                                SPAN_ARG(span_first(path, span_find(path, '>'))));
    }
    line[len++] = '\n';
    CHECK(write(l->ledger, line, len) == (ssize_t)len);
}

/* When the message is to begin; 0: at once. */
static int64_t due_ns(const struct load *l, uint64_t number)
{
    return l->rate == 0 ? 0 : l->began_ns + (int64_t)(number * 1000000000 / l->rate);
}

static void wait_until(int64_t at_ns)
{
    struct timespec at = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static bool write_text(struct worker *w, uint64_t number)
{
    const struct load *l = w->load;
    char head[600];
    size_t size = size_of(l, number);
    int len = snprintf(
        head, sizeof(head),
        "From: Club <%s>\r\nTo: Member <r1@d1.test>\r\nSubject: Court 3 is yours\r\n"
        "Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n"
        "Message-ID: <%s.%llx.%llu@club.test>\r\nX-Ledger: %s-%llu\r\n"
        "X-Due: %lld\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        l->sender, l->label, (unsigned long long)l->began_ns, (unsigned long long)number, l->label,
        (unsigned long long)number, (long long)due_ns(l, number));
    size_t rest = size > (size_t)len + 5 ? size - (size_t)len : 5;
    rest -= rest % 64; /* whole lines */
    if (rest + (size_t)len + 5 > 16 * 1024)
        return wire_write(&w->wire, (struct span){head, (size_t)len}) &&
               wire_write(&w->wire, (struct span){l->text, rest}) &&
               wire_write(&w->wire, SPAN(".\r\n"));
    char all[16 * 1024]; /* one TLS record */
    memcpy(all, head, (size_t)len);
    memcpy(all + len, l->text, rest);
    memcpy(all + (size_t)len + rest, ".\r\n", 3);
    return wire_write(&w->wire, (struct span){all, (size_t)len + rest + 3});
}

/* The answer to the message; 0 when the connection was lost, or a word before it was refused. */
static int submit(struct worker *w, uint64_t number)
{
    struct load *l = w->load;
    struct span names;
    int64_t due = due_ns(l, number);
    if (due > 0)
        wait_until(due);
    size_t len = write_envelope(w, number, &names);
    bool ok =
        wire_write(&w->wire, (struct span){w->envelope, len}) && wire_reply(&w->wire, NULL) == 250;
    for (unsigned i = 0; ok && i < l->recipients; i++)
        ok = wire_reply(&w->wire, NULL) == 250;
    if (!ok || wire_reply(&w->wire, NULL) != 354)
        return 0;
    int64_t began_ns = due > 0 ? due : wire_now_ns();
    struct span last = SPAN("-");
    int code = write_text(w, number) ? wire_reply(&w->wire, &last) : 0;
    int64_t now_ns = wire_now_ns();
    note(w, number, code, last, names);
    if (code == 250) {
        latency_add(&w->latency, now_ns - began_ns);
        atomic_store(&l->last_ns, now_ns);
    }
    return code;
}

/* ---- one connection ---- */

static bool say(struct worker *w, const char *line, int wanted)
{
    return wire_write(&w->wire, span_of(line)) && wire_reply(&w->wire, NULL) == wanted;
}

static bool log_in(struct worker *w)
{
    struct load *l = w->load;
    char plain[300];
    char line[600] = "AUTH PLAIN ";
    int len = snprintf(plain, sizeof(plain), "%c%s%c%s", '\0', l->user, '\0', l->secret);
    EVP_EncodeBlock((unsigned char *)line + strlen(line), (const unsigned char *)plain, len);
    snprintf(line + strlen(line), sizeof(line) - strlen(line), "\r\n");
    atomic_fetch_add(&l->connects, 1);
    if (!wire_connect(&w->wire, &l->server, TIMEOUT_S))
        return false;
    if (wire_reply(&w->wire, NULL) == 220 && say(w, "EHLO app.club.test\r\n", 250) &&
        say(w, "STARTTLS\r\n", 220) && wire_start_tls(&w->wire, l->tls, false) &&
        say(w, "EHLO app.club.test\r\n", 250) && say(w, line, 235)) {
        atomic_fetch_add(&l->resumed, SSL_session_reused(w->wire.ssl) == 1);
        return true;
    }
    wire_close(&w->wire);
    return false;
}

static bool is_over(const struct load *l)
{
    return l->end_ns > 0 && wire_now_ns() >= l->end_ns;
}

static void count_answer(struct load *l, int code)
{
    atomic_fetch_add(code == 250 ? &l->accepted : code > 0 ? &l->refused : &l->broken, 1);
}

static void leave(struct worker *w)
{
    (void)say(w, "QUIT\r\n", 221);
    if (w->load->resume)
        wire_keep_session(&w->wire);
    wire_close(&w->wire);
}

static void *run_worker(void *context)
{
    struct worker *w = context;
    struct load *l = w->load;
    while (!is_over(l)) {
        if (w->wire.fd < 0 && !log_in(w)) {
            if (!l->persist)
                break;
            usleep(AGAIN_MS * 1000);
            continue;
        }
        uint64_t number = atomic_fetch_add(&l->next, 1);
        if (number >= l->messages)
            break;
        int code = submit(w, number);
        count_answer(l, code);
        if (code == 0)
            wire_close(&w->wire);
        else if (l->new_each)
            leave(w);
        if (code == 0 && !l->persist)
            break;
        if (code > 0 && code != 250)
            usleep(AGAIN_MS * 1000);
    }
    if (w->wire.fd >= 0)
        leave(w);
    return NULL;
}

/* Idle connections need no threads: opened one after the other, closed by our end. */
static int hold(struct load *l)
{
    char byte;
    unsigned open = 0;
    struct worker *w = xcalloc(1, sizeof(*w));
    w->load = l;
    for (unsigned i = 0; i < l->connections; i++)
        open += log_in(w);
    printf("held %u\n", open);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    free(w);
    return open == l->connections ? 0 : 1;
}

/* ---- all of them ---- */

static void report(struct load *l, struct worker *workers, int64_t began_ns)
{
    struct latency all = {0};
    for (unsigned i = 0; i < l->connections; i++)
        latency_merge(&all, &workers[i].latency);
    latency_sort(&all);
    double seconds = (double)(atomic_load(&l->last_ns) - began_ns) / 1e9;
    printf("{\"accepted\": %llu, \"refused\": %llu, \"broken\": %llu, \"connects\": %llu, "
           "\"resumed\": %llu, \"seconds\": %.3f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": "
           "%.2f, "
           "\"cpu_s\": %.2f}\n",
           (unsigned long long)l->accepted, (unsigned long long)l->refused,
           (unsigned long long)l->broken, (unsigned long long)l->connects,
           (unsigned long long)l->resumed, seconds > 0 ? seconds : 0,
           latency_percentile_ms(&all, 50), latency_percentile_ms(&all, 99),
           latency_percentile_ms(&all, 100), latency_cpu_s());
    latency_fini(&all);
}

static int run(struct load *l)
{
    struct worker *workers = xcalloc(l->connections, sizeof(*workers));
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    int64_t began_ns = wire_now_ns();
    for (unsigned i = 0; i < l->connections; i++) {
        workers[i].load = l;
        workers[i].wire.fd = -1;
        CHECK(pthread_create(&workers[i].thread, &attributes, run_worker, &workers[i]) == 0);
    }
    for (unsigned i = 0; i < l->connections; i++)
        pthread_join(workers[i].thread, NULL);
    report(l, workers, began_ns);
    for (unsigned i = 0; i < l->connections; i++) {
        latency_fini(&workers[i].latency);
        SSL_SESSION_free(workers[i].wire.session);
    }
    free(workers);
    return l->persist || l->accepted == l->messages ? 0 : 1;
}

/* ---- the command line ---- */

static bool parse_sizes(struct load *l, struct span text)
{
    size_t largest = 0;
    while (text.len > 0 && l->size_count < SIZES) {
        struct span one = span_take(&text, ',');
        struct span bytes = span_take(&one, ':');
        uint64_t size = 0;
        uint64_t share = 1;
        if (!span_number(bytes, &size) || (one.len > 0 && !span_number(one, &share)) ||
            size > 64 * 1024 * 1024 || share == 0 || share > 1000)
            return false;
        l->sizes[l->size_count].bytes = (size_t)size;
        l->sizes[l->size_count++].share = (unsigned)share;
        l->shares += (unsigned)share;
        largest = size > largest ? (size_t)size : largest;
    }
    static const char line[] = "Your court is booked from seven to eight; bring non-marking sh\r\n";
    static_assert(sizeof(line) == 65, "a line is 64 bytes, so that texts end with one");
    l->text = xcalloc(largest / 64 + 2, 64);
    for (size_t at = 0; at <= largest; at += 64)
        memcpy(l->text + at, line, 64);
    return l->size_count > 0;
}

enum option_name {
    SERVER,
    USER,
    SECRET,
    SENDER,
    CONNECTIONS,
    MESSAGES,
    SECONDS,
    SIZE,
    RECIPIENTS,
    DOMAINS,
    SPREAD,
    LEDGER,
    LABEL,
    RATE,
    VALUES, /* those from here on have none */
    NEW = VALUES,
    RESUME,
    PERSIST,
    HOLD,
    OPTIONS
};

static const struct option options[] = {{"server", 1, NULL, SERVER},
                                        {"user", 1, NULL, USER},
                                        {"secret", 1, NULL, SECRET},
                                        {"sender", 1, NULL, SENDER},
                                        {"connections", 1, NULL, CONNECTIONS},
                                        {"messages", 1, NULL, MESSAGES},
                                        {"seconds", 1, NULL, SECONDS},
                                        {"size", 1, NULL, SIZE},
                                        {"recipients", 1, NULL, RECIPIENTS},
                                        {"domains", 1, NULL, DOMAINS},
                                        {"spread", 1, NULL, SPREAD},
                                        {"ledger", 1, NULL, LEDGER},
                                        {"label", 1, NULL, LABEL},
                                        {"rate", 1, NULL, RATE},
                                        {"new", 0, NULL, NEW},
                                        {"resume", 0, NULL, RESUME},
                                        {"persist", 0, NULL, PERSIST},
                                        {"hold", 0, NULL, HOLD},
                                        {0}};

static unsigned number_of(const char *text)
{
    unsigned long number = strtoul(text, NULL, 10);
    return number > 0 && number <= 100000000 ? (unsigned)number : 1;
}

static bool set_up(struct load *l, const char **given)
{
    if (!given[SERVER] || !wire_address(given[SERVER], &l->server) || !given[USER] ||
        !given[SECRET] || !given[SENDER] || !parse_sizes(l, span_of(given[SIZE])))
        return false;
    l->user = given[USER];
    l->secret = given[SECRET];
    l->sender = given[SENDER];
    l->label = given[LABEL];
    l->began_ns = wire_now_ns();
    l->connections = number_of(given[CONNECTIONS]);
    l->messages = strtoull(given[MESSAGES], NULL, 10);
    l->recipients = number_of(given[RECIPIENTS]);
    l->domains = number_of(given[DOMAINS]);
    l->spread = strcmp(given[SPREAD], "0") == 0 ? 0 : number_of(given[SPREAD]);
    l->rate = (unsigned)strtoul(given[RATE], NULL, 10);
    l->new_each = given[NEW];
    l->resume = given[RESUME];
    l->persist = given[PERSIST];
    l->hold = given[HOLD];
    l->ledger =
        given[LEDGER] ? open(given[LEDGER], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    if (strtod(given[SECONDS], NULL) > 0)
        l->end_ns = wire_now_ns() + (int64_t)(strtod(given[SECONDS], NULL) * 1e9);
    l->tls = SSL_CTX_new(TLS_client_method());
    CHECK(l->tls != NULL && (!given[LEDGER] || l->ledger >= 0));
    SSL_CTX_set_mode(l->tls, SSL_MODE_AUTO_RETRY);
    return true;
}

int main(int argc, char **argv)
{
    const char *given[OPTIONS] = {[CONNECTIONS] = "1", [MESSAGES] = "1000", [SECONDS] = "0",
                                  [SIZE] = "4096",     [RECIPIENTS] = "1",  [DOMAINS] = "1",
                                  [SPREAD] = "100000", [LABEL] = "load",    [RATE] = "0"};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0 && option < OPTIONS)
        given[option] = option < VALUES ? optarg : "";
    struct load load = {0};
    if (option >= 0 || !set_up(&load, given)) {
        fputs(usage, stderr);
        return 2;
    }
    wire_set_up();
    return load.hold ? hold(&load) : run(&load);
}
