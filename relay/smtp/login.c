// SPDX-License-Identifier: BSD-2-Clause
/* login.c - AUTH as a client (RFC 4954): which mechanism, and what is said by it.
 *
 *   choose - AUTH NAME [response] - (334 - response) … - 235
 *
 * What servers ask by LOGIN is written down nowhere: "Username:", "User Name", nothing, or words
 * that are no base64. What is understood of it is answered, else name and password, in this order.
 *
 * Failure modes:
 * - a mechanism is listed and not known: the next one, on the same connection
 * - a token is refused: by 535, or by a 334 whose text says why and that is answered by a line
 *   without content, before 535 comes (RFC 7628 section 3.2.3); a new one may do
 * - a server that asks more than there is to say: no further
 */
#include "answer.h"
#include "base64.h"
#include "delivery_parts.h"
#include "offers.h"
#include "secret.h"

enum { COMMAND_MAX = 512, RESPONSE_MAX = 12 * 1024, CHALLENGE_MAX = 4096 };

/* ---- what is said ---- */

/* RFC 4616; nobody else's rights are asked for. */
static void respond_plain(struct delivery *d, struct span challenge, struct buf *out)
{
    (void)challenge;
    buf_add_char(out, '\0');
    buf_add(out, span_of(d->settings->username));
    buf_add_char(out, '\0');
    buf_add(out, span_of(d->settings->password));
}

enum login_question { ASKS_ODDLY, ASKS_NAME, ASKS_SECRET };

static bool speaks_of(struct span text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < text.len; i++)
        for (size_t k = 0; k < count; k++)
            if (span_starts_nocase(span_from(text, i), span_of(words[k])))
                return true;
    return false;
}

static enum login_question read_question(struct span challenge)
{
    static const char *const names[] = {"user", "login", "account"};
    static const char *const secrets[] = {"pass", "secret"};
    bool name = speaks_of(challenge, names, COUNT_OF(names));
    bool secret = speaks_of(challenge, secrets, COUNT_OF(secrets));
    return name == secret ? ASKS_ODDLY : name ? ASKS_NAME : ASKS_SECRET;
}

static void respond_login(struct delivery *d, struct span challenge, struct buf *out)
{
    enum login_question asks = read_question(challenge);
    bool secret = asks == ASKS_ODDLY ? d->challenges > 1 : asks == ASKS_SECRET;
    buf_add(out, span_of(secret ? d->settings->password : d->settings->username));
}

/* A challenge that comes when the token has been said, and has content, says why it is refused. */
static bool is_denial(struct delivery *d, struct span challenge)
{
    if (!d->responded || challenge.len == 0) {
        d->responded = true;
        return false;
    }
    d->login = DELIVERY_LOGIN_REFUSED;
    return true;
}

/* RFC 7628 section 3.1; the name as RFC 5801 section 4 has it. */
static void respond_oauthbearer(struct delivery *d, struct span challenge, struct buf *out)
{
    if (is_denial(d, challenge)) {
        buf_add_char(out, '\1');
        return;
    }
    buf_add(out, SPAN("n,a="));
    for (const char *p = d->settings->username; *p; p++)
        if (*p == ',' || *p == '=')
            buf_add(out, *p == ',' ? SPAN("=2C") : SPAN("=3D"));
        else
            buf_add_char(out, *p);
    BUF_ADD(out, SPAN(",\1auth=Bearer "), span_of(d->settings->token), SPAN("\1\1"));
}

/* As Google and Microsoft describe it. */
static void respond_xoauth2(struct delivery *d, struct span challenge, struct buf *out)
{
    if (!is_denial(d, challenge))
        BUF_ADD(out, SPAN("user="), span_of(d->settings->username), SPAN("\1auth=Bearer "),
                span_of(d->settings->token), SPAN("\1\1"));
}

/* ---- the table, the best first ---- */

static const struct {
    const char *name;
    bool by_token, at_once; /* at_once: something is said before the server asks */
    unsigned challenges;    /* that it answers */
    void (*respond)(struct delivery *d, struct span challenge, struct buf *out);
} mechanisms[DELIVERY_MECHANISMS] = {
    [DELIVERY_OAUTHBEARER] = {"OAUTHBEARER", true, true, 2, respond_oauthbearer},
    [DELIVERY_XOAUTH2] = {"XOAUTH2", true, true, 2, respond_xoauth2},
    [DELIVERY_PLAIN] = {"PLAIN", false, true, 1, respond_plain},
    [DELIVERY_LOGIN] = {"LOGIN", false, false, 2, respond_login},
};

void login_read(struct delivery_offers *o, struct span names)
{
    while (names.len > 0) {
        struct span name = span_take(&names, ' ');
        for (unsigned i = 0; i < DELIVERY_MECHANISMS; i++)
            if (span_equal_nocase(span_trim(name), span_of(mechanisms[i].name)))
                o->mechanisms |= 1U << i;
    }
}

/* The best that is left. */
static bool choose(struct delivery *d)
{
    for (unsigned i = 0; i < DELIVERY_MECHANISMS; i++) {
        bool fits = mechanisms[i].by_token == (d->settings->token != NULL);
        if (!fits || (d->offers.mechanisms >> i & 1U) == 0)
            continue;
        d->mechanism = (enum delivery_mechanism)i;
        d->challenges = 0;
        d->responded = false;
        return true;
    }
    return false;
}

/* ---- the stages ---- */

static void say_base64(struct span text, struct buf *out)
{
    if (!base64_encode(text, out))
        out->overflow = true;
    buf_add(out, SPAN("\r\n"));
}

/* RFC 4954 section 6; a 4xx is the server's own trouble. */
static enum delivery_stage refused(struct delivery *d, const struct verdict *v)
{
    if (d->login == DELIVERY_LOGIN_FINE)
        d->login = v->code >= 500 ? DELIVERY_LOGIN_REFUSED : DELIVERY_LOGIN_LATER;
    return delivery_host_refuses(d, *v);
}

static enum delivery_stage impossible(struct delivery *d, const char *why)
{
    d->login = DELIVERY_LOGIN_IMPOSSIBLE;
    return delivery_host_refuses(d, verdict_make(451, "4.7.0", "%s", why));
}

enum delivery_stage login_begin(struct delivery *d, bool tls_refused)
{
    bool token = d->settings->token != NULL;
    if (!d->tls && token)
        return impossible(d, tls_refused ? "Server refused STARTTLS: token not sent"
                                         : "Server does not offer STARTTLS: token not sent");
    if (!d->tls)
        return impossible(d, tls_refused ? "Server refused STARTTLS: password not sent"
                                         : "Server does not offer STARTTLS: password not sent");
    if (choose(d))
        return AUTH;
    return impossible(d, token ? "Server offers neither AUTH OAUTHBEARER nor AUTH XOAUTH2"
                               : "Server offers neither AUTH PLAIN nor AUTH LOGIN");
}

/* It holds secrets: one block of memory, which is cleared. */
static void respond(struct delivery *d, struct span challenge, struct buf *response)
{
    buf_init(response, RESPONSE_MAX);
    if (!buf_reserve(response, RESPONSE_MAX))
        response->overflow = true;
    mechanisms[d->mechanism].respond(d, challenge, response);
    d->out.overflow = d->out.overflow || response->overflow;
}

static void forget(struct buf *response)
{
    if (response->memory)
        secret_clear(response->memory, response->size);
    buf_fini(response);
}

void login_say_auth(struct delivery *d)
{
    struct buf response;
    buf_addf(&d->out, "AUTH %s", mechanisms[d->mechanism].name);
    if (mechanisms[d->mechanism].at_once) {
        respond(d, SPAN_NONE, &response);
        size_t len = d->out.len + 1 + (response.len + 2) / 3 * 4 + 2;
        d->responded = len <= COMMAND_MAX; /* else it is said when it is asked for */
        if (d->responded) {
            buf_add_char(&d->out, ' ');
            say_base64(buf_span(&response), &d->out);
        }
        forget(&response);
        if (d->responded)
            return;
    }
    buf_add(&d->out, SPAN("\r\n"));
}

/* RFC 4954 section 4: these say that it does not know the mechanism, or not as it is said. */
static bool is_about_mechanism(const struct verdict *v)
{
    return v->code == 500 || v->code == 501 || v->code == 502 || v->code == 504;
}

enum delivery_stage login_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code == 235 && d->login == DELIVERY_LOGIN_FINE)
        return READY;
    if (v->code == 334 && d->challenges < mechanisms[d->mechanism].challenges) {
        d->challenges++;
        return AUTH_RESPONSE;
    }
    d->offers.mechanisms &= ~(1U << d->mechanism);
    if (is_about_mechanism(v) && d->login == DELIVERY_LOGIN_FINE && choose(d))
        return AUTH;
    return refused(d, v);
}

/* What the server asks, as it stands when it is no base64. */
void login_say_response(struct delivery *d)
{
    struct span asked = span_trim(buf_span(&d->answer->text));
    struct buf challenge;
    struct buf response;
    buf_init_peer(&challenge, CHALLENGE_MAX);
    if (!base64_decode(asked, &challenge)) {
        buf_clear(&challenge);
        buf_add(&challenge, span_first(asked, CHALLENGE_MAX));
    }
    respond(d, buf_span(&challenge), &response);
    say_base64(buf_span(&response), &d->out);
    forget(&response);
    buf_fini(&challenge);
}
