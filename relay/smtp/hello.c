// SPDX-License-Identifier: BSD-2-Clause
/* hello.c - The client's stages before the first message: greeting, EHLO or HELO, STARTTLS; AUTH is
 * login.c.
 */
#include "answer.h"
#include "delivery_parts.h"
#include "offers.h"

/* The first word of a greeting and of an answer to EHLO or HELO (RFC 5321 section 4.2). What can be
 * no name changes nothing. */
static void note_name(struct delivery *d)
{
    struct span text = buf_span(&d->answer->text);
    struct span line = span_take(&text, '\n');
    struct span name = span_take(&line, ' ');
    bool printable = name.len > 0;
    for (size_t i = 0; i < name.len; i++)
        printable = printable && name.ptr[i] > ' ' && name.ptr[i] < 0x7f;
    if (printable && name.len < sizeof(d->peer_name))
        (void)span_copy(name, d->peer_name, sizeof(d->peer_name));
}

enum delivery_stage hello_greeted(struct delivery *d, const struct verdict *v)
{
    if (v->code == 220) {
        note_name(d);
        return d->settings->helo ? HELO : EHLO;
    }
    return v->code >= 400 ? delivery_host_refuses(d, *v)
                          : delivery_breaks(d, "protocol error: greeting is not 220");
}

void hello_say_ehlo(struct delivery *d)
{
    d->offers = (struct delivery_offers){0};
    buf_addf(&d->out, "EHLO %s\r\n", d->settings->hostname);
}

/* `refusal`: of STARTTLS; NULL: it was not offered. */
static struct verdict lacks_tls(const struct verdict *refusal)
{
    if (!refusal)
        return verdict_make(451, "4.7.10",
                            "Server does not offer STARTTLS, which is required here");
    return verdict_make(451, "4.7.10", "Server refused STARTTLS, which is required here: %d %s%s%s",
                        refusal->code, refusal->enhanced, refusal->enhanced[0] ? " " : "",
                        refusal->text);
}

/* `refusal`: the answer to STARTTLS that was no 220, or NULL. */
static enum delivery_stage after_hello(struct delivery *d, const struct verdict *refusal)
{
    if (!d->tls && d->settings->tls_unsaid) {
        d->want = DELIVERY_DEMAND;
        return (enum delivery_stage)d->stage;
    }
    bool must = d->settings->tls >= DELIVERY_TLS_REQUIRE;
    if (!d->tls && d->offers.starttls && d->settings->tls != DELIVERY_TLS_NEVER)
        return STARTTLS;
    if (!d->tls && must)
        return delivery_host_refuses(d, lacks_tls(refusal));
    return d->settings->username ? login_begin(d, refusal != NULL) : READY;
}

enum delivery_stage hello_demanded(struct delivery *d)
{
    return after_hello(d, NULL);
}

enum delivery_stage hello_ehlo_answered(struct delivery *d, const struct verdict *v)
{
    if (v->what == VERDICT_REJECT && remedy_may_say_helo(d)) /* S9: an old server */
        return HELO;
    if (v->code != 250) /* its greeting, perhaps, once more */
        return delivery_host_refuses(d, *v);
    note_name(d);
    struct span lines = buf_span(&d->answer->text);
    span_take(&lines, '\n');
    while (lines.len > 0)
        offers_read(&d->offers, span_trim(span_take(&lines, '\n')));
    d->offers.pipelining = d->offers.pipelining && !d->settings->one_by_one;
    return after_hello(d, NULL);
}

/* Only a server that refuses EHLO for good is known to have no extensions. */
void hello_say_helo(struct delivery *d)
{
    d->offers = (struct delivery_offers){.unsure = d->settings->helo};
    d->fell_back = true;
    buf_addf(&d->out, "HELO %s\r\n", d->settings->hostname);
}

enum delivery_stage hello_helo_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code != 250)
        return delivery_host_refuses(d, *v);
    note_name(d);
    return after_hello(d, NULL);
}

void hello_say_starttls(struct delivery *d)
{
    buf_add(&d->out, SPAN("STARTTLS\r\n"));
}

enum delivery_stage hello_starttls_answered(struct delivery *d, const struct verdict *v)
{
    if (v->code != 220) { /* T7: opportunistic goes on in clear, the rest defers */
        d->offers.starttls = false;
        d->fell_back = d->tls_refused = true;
        return after_hello(d, v);
    }
    if (d->in.len > 0) /* T5, T6: nothing may stand between 220 and the handshake */
        return delivery_breaks(
            d, "protocol error: bytes after the STARTTLS reply, before the handshake");
    d->want = DELIVERY_TLS;
    return STARTTLS;
}

bool delivery_is_login(const struct delivery *d)
{
    return is_login((enum delivery_stage)d->stage);
}
