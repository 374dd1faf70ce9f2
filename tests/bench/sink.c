// SPDX-License-Identifier: BSD-2-Clause
/* sink.c - A receiving server that counts: STARTTLS, one thread a connection, nothing kept.
 *
 *   bench-sink --listen 127.0.0.1:2525 --cert CERT --key KEY --count FILE
 *              [--ledger FILE] [--hang N] [--defer N] [--delay-ms N] [--control FILE]
 *              [--arrivals FILE]
 *
 * FILE of --count is mapped and holds the counters below, for others to read while they change.
 * --ledger gets one line "token recipient" for each recipient of a message with an X-Ledger field,
 * before the 250 is said. --hang: connections to 127.1.0.1 … 127.1.0.N are taken and never
 * answered. --defer: every Nth message is answered with 451. --control: the page of tests/crash/control.h,
 * which may say that the relay dies right before or after a 250. --arrivals: how late each message
 * with an X-Due field is here, a uint32_t of microseconds each. Ends at SIGTERM.
 */
#include "../crash/control.h"
#include "check.h"
#include "wire.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TIMEOUT_S = 600, STACK = 256 * 1024, RECIPIENTS = 200 };

static const char usage[] = "usage: bench-sink --listen ADDRESS:PORT --cert FILE --key FILE "
                            "--count FILE [--ledger FILE] [--hang N] [--defer N] [--delay-ms N]\n"
                            "                  [--control FILE] [--arrivals FILE]\n";

struct counters {
    _Atomic uint64_t connections, messages, recipients, bytes, deferred, first_ns, last_ns;
};

struct sink {
    struct counters *counters;
    struct control *control; /* NULL: none */
    SSL_CTX *tls;
    int ledger, arrivals; /* -1: none */
    unsigned hang, defer, delay_ms;
    atomic_uint seen;
};

struct visit {
    struct sink *sink;
    struct wire wire;
    char recipients[RECIPIENTS][330];
    size_t count;
    char token[200];
    int64_t due_ns; /* when it was to begin; 0: not said */
};

static void note_field(struct visit *v, struct span line)
{
    static const char field[] = "X-Ledger: ";
    static const char due[] = "X-Due: ";
    uint64_t ns = 0;
    if (span_starts_nocase(line, SPAN(due)) &&
        span_number(span_trim(span_from(line, sizeof(due) - 1)), &ns))
        v->due_ns = (int64_t)ns;
    if (span_starts_nocase(line, SPAN(field)))
        snprintf(v->token, sizeof(v->token), "%.*s",
                 SPAN_ARG(span_trim(span_from(line, sizeof(field) - 1))));
}

/* Header line by line, then the body up to its lonely dot; adds the bytes. */
static bool take_message(struct visit *v, uint64_t *bytes)
{
    struct span line;
    struct wire *w = &v->wire;
    v->token[0] = '\0';
    v->due_ns = 0;
    do {
        if (!wire_line(w, &line))
            return false;
        note_field(v, line);
        *bytes += line.len;
    } while (line.len > 2);
    w->at -= 2; /* an empty body ends right behind the empty line */
    for (;;) {
        const char *end = memmem(w->in + w->at, w->len - w->at, "\r\n.\r\n", 5);
        if (end) {
            *bytes += (size_t)(end - (w->in + w->at));
            w->at = (size_t)(end - w->in) + 5;
            return true;
        }
        size_t keep = w->len - w->at < 4 ? w->len - w->at : 4;
        *bytes += w->len - w->at - keep;
        w->at = w->len - keep;
        if (!wire_fill(w))
            return false;
    }
}

static bool write_ledger(struct visit *v)
{
    char text[RECIPIENTS * 64];
    size_t len = 0;
    for (size_t i = 0; i < v->count && len < sizeof(text); i++)
        len +=
            (size_t)snprintf(text + len, sizeof(text) - len, "%s %s\n", v->token, v->recipients[i]);
    return len < sizeof(text) && write(v->sink->ledger, text, len) == (ssize_t)len;
}

static void note_arrival(const struct visit *v, int64_t now_ns)
{
    uint32_t us = (uint32_t)((now_ns - v->due_ns) / 1000);
    if (v->sink->arrivals >= 0 && v->due_ns > 0)
        CHECK(write(v->sink->arrivals, &us, sizeof(us)) == sizeof(us));
}

/* Is the relay to die around this 250? */
static enum control_action fate(struct control *c)
{
    if (!c || atomic_load(&c->point) != CONTROL_REMOTE_250)
        return CONTROL_NOTHING;
    atomic_fetch_add(&c->hits[CONTROL_REMOTE_250], 1);
    return atomic_fetch_sub(&c->countdown, 1) == 1 ? (enum control_action)atomic_load(&c->action)
                                                   : CONTROL_NOTHING;
}

static bool end_of_data(struct visit *v, uint64_t bytes)
{
    struct sink *s = v->sink;
    struct counters *c = s->counters;
    uint64_t never = 0;
    if (s->delay_ms > 0)
        usleep(s->delay_ms * 1000);
    if (s->defer > 0 && atomic_fetch_add(&s->seen, 1) % s->defer == s->defer - 1) {
        atomic_fetch_add(&c->deferred, 1);
        return wire_write(&v->wire, SPAN("451 4.3.0 try again\r\n"));
    }
    if (s->ledger >= 0 && v->token[0] && !write_ledger(v))
        return wire_write(&v->wire, SPAN("452 4.3.1 ledger is full\r\n"));
    uint64_t now_ns = (uint64_t)wire_now_ns();
    note_arrival(v, (int64_t)now_ns);
    atomic_compare_exchange_strong(&c->first_ns, &never, now_ns);
    atomic_store(&c->last_ns, now_ns);
    atomic_fetch_add(&c->recipients, v->count);
    atomic_fetch_add(&c->bytes, bytes);
    atomic_fetch_add(&c->messages, 1);
    enum control_action action = fate(s->control);
    if (action == CONTROL_KILL_BEFORE)
        kill((pid_t)atomic_load(&s->control->pid), SIGKILL);
    bool said = wire_write(&v->wire, SPAN("250 2.0.0 OK\r\n"));
    if (action == CONTROL_KILL_AFTER)
        kill((pid_t)atomic_load(&s->control->pid), SIGKILL);
    return said;
}

static bool on_data(struct visit *v)
{
    uint64_t bytes = 0;
    if (v->count == 0)
        return wire_write(&v->wire, SPAN("503 5.5.1 no recipient\r\n"));
    bool ok = wire_write(&v->wire, SPAN("354 go on\r\n")) && take_message(v, &bytes) &&
              end_of_data(v, bytes);
    v->count = 0;
    return ok;
}

static bool on_rcpt(struct visit *v, struct span line)
{
    struct span path = span_from(line, span_find(line, '<') + 1);
    if (v->count == RECIPIENTS)
        return wire_write(&v->wire, SPAN("452 4.5.3 too many\r\n"));
    snprintf(v->recipients[v->count++], sizeof(v->recipients[0]), "%.*s",
             SPAN_ARG(span_first(path, span_find(path, '>'))));
    return wire_write(&v->wire, SPAN("250 2.1.5 OK\r\n"));
}

static bool on_ehlo(struct visit *v)
{
    if (!v->wire.ssl)
        return wire_write(&v->wire, SPAN("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                                         "250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n"));
    return wire_write(&v->wire, SPAN("250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
                                     "250 ENHANCEDSTATUSCODES\r\n"));
}

/* False ends the connection. */
static bool on_line(struct visit *v, struct span line)
{
    if (span_starts_nocase(line, SPAN("EHLO")) || span_starts_nocase(line, SPAN("HELO")))
        return on_ehlo(v);
    if (span_starts_nocase(line, SPAN("STARTTLS")))
        return !v->wire.ssl && wire_write(&v->wire, SPAN("220 2.0.0 go\r\n")) &&
               wire_start_tls(&v->wire, v->sink->tls, true);
    if (span_starts_nocase(line, SPAN("RCPT")))
        return on_rcpt(v, line);
    if (span_starts_nocase(line, SPAN("DATA")))
        return on_data(v);
    if (span_starts_nocase(line, SPAN("QUIT"))) {
        (void)!wire_write(&v->wire, SPAN("221 2.0.0 bye\r\n"));
        return false;
    }
    v->count = 0; /* MAIL, RSET */
    return wire_write(&v->wire, SPAN("250 2.0.0 OK\r\n"));
}

static bool is_hung(const struct visit *v)
{
    struct sockaddr_in mine = {0};
    socklen_t len = sizeof(mine);
    if (getsockname(v->wire.fd, (struct sockaddr *)&mine, &len) != 0)
        return false;
    uint32_t number = ntohl(mine.sin_addr.s_addr) - 0x7f010000; /* 127.1.0.0 */
    return number >= 1 && number <= v->sink->hang;
}

static void *run_visit(void *context)
{
    struct visit *v = context;
    struct span line;
    if (is_hung(v)) {
        while (wire_fill(&v->wire))
            v->wire.len = 0;
    } else if (wire_write(&v->wire, SPAN("220 sink.test ESMTP\r\n"))) {
        while (wire_line(&v->wire, &line) && on_line(v, line))
            ;
    }
    wire_close(&v->wire);
    free(v);
    return NULL;
}

static void serve(struct sink *s, int listener)
{
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, STACK);
    for (;;) {
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct visit *v = malloc(sizeof(*v));
        CHECK(v != NULL);
        v->sink = s;
        v->count = 0;
        wire_init(&v->wire, fd, TIMEOUT_S);
        atomic_fetch_add(&s->counters->connections, 1);
        if (pthread_create(&thread, &detached, run_visit, v) != 0) {
            wire_close(&v->wire);
            free(v);
        }
    }
}

static void *map(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(at != MAP_FAILED);
    close(fd);
    return at;
}

static SSL_CTX *server_context(const char *certificate, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    CHECK(tls != NULL && SSL_CTX_use_certificate_chain_file(tls, certificate) == 1 &&
          SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_session_id_context(tls, (const unsigned char *)"sink", 4);
    SSL_CTX_set_mode(tls, SSL_MODE_AUTO_RETRY);
    return tls;
}

static int listen_on(const struct sockaddr_in *address)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CHECK(bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
          listen(fd, 4096) == 0);
    return fd;
}

static void on_term(int number)
{
    (void)number;
    _exit(0);
}

int main(int argc, char **argv)
{
    enum { LISTEN, CERT, KEY, COUNT, LEDGER, HANG, DEFER, DELAY, CONTROL, ARRIVALS, OPTIONS };
    static const struct option options[] = {{"listen", 1, NULL, LISTEN},
                                            {"cert", 1, NULL, CERT},
                                            {"key", 1, NULL, KEY},
                                            {"count", 1, NULL, COUNT},
                                            {"ledger", 1, NULL, LEDGER},
                                            {"hang", 1, NULL, HANG},
                                            {"defer", 1, NULL, DEFER},
                                            {"delay-ms", 1, NULL, DELAY},
                                            {"control", 1, NULL, CONTROL},
                                            {"arrivals", 1, NULL, ARRIVALS},
                                            {0}};
    const char *given[OPTIONS] = {[HANG] = "0", [DEFER] = "0", [DELAY] = "0"};
    struct sockaddr_in address;
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0 && option < OPTIONS)
        given[option] = optarg;
    if (option >= 0 || !given[LISTEN] || !wire_address(given[LISTEN], &address) || !given[CERT] ||
        !given[KEY] || !given[COUNT]) {
        fputs(usage, stderr);
        return 2;
    }
    wire_set_up();
    signal(SIGTERM, on_term);
    struct sink sink = {.counters = map(given[COUNT], sizeof(struct counters)),
                        .tls = server_context(given[CERT], given[KEY]),
                        .ledger = -1,
                        .arrivals = -1,
                        .hang = (unsigned)strtoul(given[HANG], NULL, 10),
                        .defer = (unsigned)strtoul(given[DEFER], NULL, 10),
                        .delay_ms = (unsigned)strtoul(given[DELAY], NULL, 10)};
    if (given[CONTROL])
        sink.control = map(given[CONTROL], sizeof(struct control));
    if (given[LEDGER])
        sink.ledger = open(given[LEDGER], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (given[ARRIVALS])
        sink.arrivals = open(given[ARRIVALS], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    serve(&sink, listen_on(&address));
    return 0;
}
