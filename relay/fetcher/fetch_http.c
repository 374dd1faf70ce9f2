// SPDX-License-Identifier: BSD-2-Clause
/* fetch_http.c - Speaks HTTP/1.1 with a host that may be hostile. No redirect is followed, no proxy
 * is taken from the environment, nothing is unpacked, and the host's name is that of a DNS name in
 * the certificate (RFC 6125 6.4: no common name, no wildcard in a part of a label).
 *
 * The order's addresses are the only ones that are connected to, whatever curl takes the host for.
 * Where it has none the name is the operator's own: then it is looked up as this machine does it,
 * with /etc/hosts.
 */
#include "fetch_http.h"

#include "certificate_screen.h"
#include "check.h"
#include "ip.h"

#include <curl/curl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifndef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION /* OpenSSL 3.2 is the first that can */
#define SSL_OP_NO_RX_CERTIFICATE_COMPRESSION 0
#endif

enum { FIELDS_MAX = 64 * 1024 };

struct where {
    char host[256];
    char port[8];
};

struct fetch {
    const struct fetch_order *order;
    const struct where *where;
    X509_STORE *trusts;
    struct buf *answer;
    struct buf given; /* addresses, as the order has them: no others are connected to */
    size_t fields;    /* bytes of all heads and trailers that came */
    bool too_large, elsewhere;
    const char *inside; /* what the address is that was not connected to; NULL: a public one */
    enum certificate_fault unread; /* why the host's certificates were not parsed */
    CURL *curl;
    struct curl_slist *headers, *pinned;
};

/* ---- where ---- */

static bool read_url(const char *text, struct where *where_r)
{
    char *host = NULL;
    char *port = NULL;
    CURLU *url = curl_url();
    bool ok = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
              strlen(host) < sizeof(where_r->host) && strlen(port) < sizeof(where_r->port);
    if (ok) {
        snprintf(where_r->host, sizeof(where_r->host), "%s", host);
        snprintf(where_r->port, sizeof(where_r->port), "%s", port);
    }
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return ok;
}

static void add_address(struct buf *list, const struct addrinfo *one)
{
    char text[64];
    bool v6 = one->ai_family == AF_INET6;
    if (getnameinfo(one->ai_addr, one->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) !=
        0)
        return;
    buf_addf(list, "%s%s%s%s", list->len > 0 ? "," : "", v6 ? "[" : "", text, v6 ? "]" : "");
}

/* As curl takes addresses; false: there is none. */
static bool look_up(const struct where *where, struct buf *list)
{
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(where->host, where->port, &want, &found) != 0)
        return false;
    for (const struct addrinfo *one = found; one; one = one->ai_next)
        add_address(list, one);
    freeaddrinfo(found);
    return list->len > 0 && !list->overflow;
}

/* Is the host an address by itself? Then there is nothing to look up. */
static bool is_address(const struct where *where)
{
    const struct addrinfo want = {.ai_flags = AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    char host[sizeof(where->host)];
    size_t len = strlen(where->host);
    bool bracket = len > 2 && where->host[0] == '[';
    snprintf(host, sizeof(host), "%.*s", (int)(bracket ? len - 2 : len), where->host + bracket);
    if (getaddrinfo(host, NULL, &want, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

/* Have curl take these addresses for the name's. */
static bool pin(struct fetch *f)
{
    const struct where *where = f->where;
    char entry[sizeof(f->order->addresses) + sizeof(*where)];
    bool literal = is_address(where);
    bool ok = f->order->addresses[0] ? buf_add(&f->given, span_of(f->order->addresses))
              : literal              ? buf_add(&f->given, span_of(where->host))
                                     : look_up(where, &f->given);
    if (!ok || literal) /* which curl does not look up */
        return ok;
    snprintf(entry, sizeof(entry), "%s:%s:%s", where->host, where->port, buf_text(&f->given));
    f->pinned = curl_slist_append(NULL, entry);
    return f->pinned && curl_easy_setopt(f->curl, CURLOPT_RESOLVE, f->pinned) == CURLE_OK;
}

static bool read_address(struct span text, struct ip *ip_r)
{
    char plain[IP_TEXT];
    bool bracket = text.len > 2 && text.ptr[0] == '[';
    return span_copy(span_from(span_first(text, text.len - bracket), bracket), plain,
                     sizeof(plain)) &&
           ip_parse(plain, ip_r);
}

static bool is_given(const struct fetch *f, const struct ip *wanted)
{
    struct ip one;
    for (struct span rest = buf_span(&f->given); rest.len > 0;)
        if (read_address(span_take(&rest, ','), &one) && ip_equal(&one, wanted))
            return true;
    return false;
}

static bool read_sockaddr(const struct curl_sockaddr *to, struct ip *ip_r)
{
    char text[IP_TEXT];
    return getnameinfo(&to->addr, to->addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
           ip_parse(text, ip_r);
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *f = context;
    struct ip ip;
    bool given = purpose == CURLSOCKTYPE_IPCXN && read_sockaddr(to, &ip) && is_given(f, &ip);
    if (given && f->order->public_only && ip_special(&ip)) {
        f->inside = ip_special(&ip);
        return CURL_SOCKET_BAD;
    }
    if (given)
        return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
    f->elsewhere = true;
    return CURL_SOCKET_BAD;
}

/* ---- how ---- */

/* What libcurl keeps of fields is bounded by it in heads only, and ten times as large as what came.
 * A trailer's lines count here, too (RFC 9112 7.1.2), and heads that only go before an answer. */
static size_t on_field(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch *f = context;
    size_t len = size * count; /* size is 1 */
    (void)bytes;
    f->fields += len;
    f->too_large = f->too_large || f->fields > FIELDS_MAX;
    return f->too_large ? CURL_WRITEFUNC_ERROR : len;
}

static size_t on_answer(char *bytes, size_t size, size_t count, void *context)
{
    struct fetch *f = context;
    size_t len = size * count; /* size is 1 */
    if (f->answer->len + len > f->order->answer_max ||
        !buf_add(f->answer, (struct span){bytes, len})) {
        f->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    return len;
}

/* What would cost too much to parse is not: see relay/smtp/tls_limits.c. */
static void on_message(int sent, int version, int type, const void *bytes, size_t len, SSL *ssl,
                       void *context)
{
    struct fetch *f = context;
    (void)version;
    if (sent || type != SSL3_RT_HANDSHAKE)
        return;
    enum certificate_fault fault = certificate_screen_message(
        (unsigned char *)(uintptr_t)bytes, len, SSL_version(ssl) >= TLS1_3_VERSION);
    if (fault != CERTIFICATE_FINE)
        f->unread = fault;
}

static void bound(SSL_CTX *ctx, struct fetch *f)
{
    SSL_CTX_set_msg_callback(ctx, on_message);
    SSL_CTX_set_msg_callback_arg(ctx, f);
    SSL_CTX_set_max_cert_list(ctx, CERTIFICATES_SIZE_MAX);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
}

/* Whom to trust is as where mail is delivered. curl itself compares the name, too,
 * and takes a common name where there is no other: OpenSSL is told the name here, so that both must
 * agree. */
static CURLcode on_tls(CURL *curl, void *ctx, void *context)
{
    struct fetch *f = context;
    const struct where *where = f->where;
    X509_VERIFY_PARAM *how = SSL_CTX_get0_param(ctx);
    (void)curl;
    bound(ctx, f);
    X509_VERIFY_PARAM_set_hostflags(how, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_CTX_set1_cert_store(ctx, f->trusts);
    return is_address(where) || X509_VERIFY_PARAM_set1_host(how, where->host, 0) == 1
               ? CURLE_OK
               : CURLE_SSL_CERTPROBLEM;
}

static bool add_field(struct fetch *f, const char *line)
{
    struct curl_slist *longer = curl_slist_append(f->headers, line);
    f->headers = longer ? longer : f->headers;
    return longer != NULL;
}

static bool add_fields(struct fetch *f)
{
    const struct fetch_order *o = f->order;
    char line[sizeof(o->fields) + sizeof(o->content_type)];
    snprintf(line, sizeof(line), "Content-Type: %s", o->content_type);
    bool ok = add_field(f, line) && add_field(f, "Expect:");
    for (struct span rest = span_of(o->fields); ok && rest.len > 0;)
        ok = span_copy(span_take(&rest, '\n'), line, sizeof(line)) && add_field(f, line);
    return ok;
}

static bool set_up(struct fetch *f, struct span body)
{
    const struct fetch_order *o = f->order;
    CURL *c = f->curl;
    bool ok =
        curl_easy_setopt(c, CURLOPT_URL, o->url) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, o->clear ? "http,https" : "https") == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)o->timeout_s) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, on_tls) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, f) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_answer) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_WRITEDATA, f) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_field) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_HEADERDATA, f) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_USERAGENT, "Sealpost") == CURLE_OK;
    if (!ok || !o->content_type[0])
        return ok;
    return add_fields(f) && curl_easy_setopt(c, CURLOPT_HTTPHEADER, f->headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.len > 0 ? body.ptr : "") == CURLE_OK;
}

/* ---- what came of it ---- */

static const struct {
    CURLcode code;
    enum fetch_outcome outcome;
} outcomes[] = {
    {CURLE_OK, FETCH_ANSWERED},
    {CURLE_COULDNT_RESOLVE_HOST, FETCH_NO_NAME},
    {CURLE_COULDNT_CONNECT, FETCH_NO_ROUTE},
    {CURLE_OPERATION_TIMEDOUT, FETCH_TIMED_OUT},
    {CURLE_PEER_FAILED_VERIFICATION, FETCH_UNTRUSTED},
    {CURLE_SSL_CERTPROBLEM, FETCH_GONE},
    {CURLE_OUT_OF_MEMORY, FETCH_TOO_LARGE}, /* a line longer than libcurl takes is called so */
    {CURLE_SSL_CONNECT_ERROR, FETCH_NO_TLS},
    {CURLE_SSL_CIPHER, FETCH_NO_TLS},
};

static enum fetch_outcome outcome_of(const struct fetch *f, CURLcode code)
{
    if (f->unread != CERTIFICATE_FINE)
        return FETCH_UNTRUSTED;
    if (f->too_large)
        return FETCH_TOO_LARGE;
    for (size_t i = 0; i < COUNT_OF(outcomes); i++)
        if (outcomes[i].code == code)
            return outcomes[i].outcome;
    return FETCH_NOT_HTTP;
}

static void set_why(struct fetch_head *head, const char *text)
{
    snprintf(head->why, sizeof(head->why), "%s", text);
    for (char *p = head->why; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
}

static void set_inside(struct fetch_head *head, const char *what)
{
    char text[sizeof(head->why)];
    head->outcome = FETCH_NO_ROUTE;
    snprintf(text, sizeof(text), "its host is not a public one: %.100s", what);
    set_why(head, text);
}

static void set_refused(struct fetch_head *head, enum certificate_fault fault)
{
    char text[sizeof(head->why)];
    snprintf(text, sizeof(text), "certificate refused: %s", certificate_fault_text(fault));
    set_why(head, text);
}

static void run(struct fetch *f, struct fetch_head *head_r)
{
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    const char *type = NULL;
    curl_off_t later_s = 0;
    curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, why);
    CURLcode code = curl_easy_perform(f->curl);
    head_r->outcome = outcome_of(f, code);
    if (curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        head_r->status = (int32_t)status;
    if (curl_easy_getinfo(f->curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
        snprintf(head_r->content_type, sizeof(head_r->content_type), "%s", type);
    if (curl_easy_getinfo(f->curl, CURLINFO_RETRY_AFTER, &later_s) == CURLE_OK)
        head_r->retry_after_s = (int32_t)(later_s < INT32_MAX ? later_s : INT32_MAX);
    if (f->unread != CERTIFICATE_FINE)
        set_refused(head_r, f->unread);
    else if (f->inside && code != CURLE_OK)
        set_inside(head_r, f->inside);
    else if (head_r->outcome == FETCH_TOO_LARGE)
        set_why(head_r, "the answer is too large");
    else if (f->elsewhere && code != CURLE_OK)
        set_why(head_r, "the host is no name, but a number that stands for another address");
    else if (code != CURLE_OK)
        set_why(head_r, why[0] ? why : curl_easy_strerror(code));
}

void fetch_http(const struct fetch_order *order, X509_STORE *trusts, struct span body,
                struct fetch_head *head_r, struct buf *answer_r)
{
    struct where where = {"", ""};
    struct fetch f = {.order = order,
                      .where = &where,
                      .trusts = trusts,
                      .answer = answer_r,
                      .curl = curl_easy_init()};
    buf_init(&f.given, sizeof(order->addresses));
    *head_r = (struct fetch_head){.outcome = FETCH_GONE};
    if (!f.curl || !trusts || !read_url(order->url, &where) || !set_up(&f, body))
        set_why(head_r, "the order cannot be carried out");
    else if (!pin(&f)) {
        head_r->outcome = FETCH_NO_NAME;
        set_why(head_r, "the host's name leads to no address");
    } else {
        run(&f, head_r);
    }
    if (head_r->outcome == FETCH_ANSWERED)
        head_r->len = (uint32_t)answer_r->len;
    curl_easy_cleanup(f.curl);
    curl_slist_free_all(f.headers);
    curl_slist_free_all(f.pinned);
    buf_fini(&f.given);
}
