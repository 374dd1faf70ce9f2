// SPDX-License-Identifier: BSD-2-Clause
/* offers.c - Parses the lines of an EHLO answer; writes MAIL and RCPT with only the parameters that
 * the server supports. */
#include "offers.h"

#include "address.h"

static void read_limits(struct delivery_offers *o, struct span args)
{
    while (args.len > 0) {
        struct span value = span_take(&args, ' ');
        struct span name = span_take(&value, '=');
        uint64_t number = 0;
        if (!span_number(value, &number) || number == 0 || number > 1000000)
            continue;
        if (span_equal_nocase(name, SPAN("RCPTMAX")))
            o->rcpt_max = (unsigned)number;
        else if (span_equal_nocase(name, SPAN("MAILMAX")))
            o->mail_max = (unsigned)number;
        else if (span_equal_nocase(name, SPAN("RCPTDOMAINMAX")))
            o->rcpt_domain_max = (unsigned)number;
    }
}

void offers_read(struct delivery_offers *o, struct span line)
{
    struct span args = line;
    struct span word = span_take(&args, ' ');
    if (span_equal_nocase(word, SPAN("SIZE"))) {
        o->size = true;
        if (!span_number(args, &o->size_max))
            o->size_max = 0;
    }
    o->pipelining = o->pipelining || span_equal_nocase(word, SPAN("PIPELINING"));
    o->eightbitmime = o->eightbitmime || span_equal_nocase(word, SPAN("8BITMIME"));
    o->smtputf8 = o->smtputf8 || span_equal_nocase(word, SPAN("SMTPUTF8"));
    o->dsn = o->dsn || span_equal_nocase(word, SPAN("DSN"));
    o->starttls = o->starttls || span_equal_nocase(word, SPAN("STARTTLS"));
    o->requiretls = o->requiretls || span_equal_nocase(word, SPAN("REQUIRETLS"));
    if (span_equal_nocase(word, SPAN("AUTH")))
        login_read(o, args);
    if (span_starts_nocase(word, SPAN("AUTH="))) { /* as before RFC 2554 */
        login_read(o, span_from(word, 5));
        login_read(o, args);
    }
    if (span_equal_nocase(word, SPAN("LIMITS")))
        read_limits(o, args);
}

static bool is_path(struct span address)
{
    struct address a;
    return address_parse(address, &a);
}

bool offers_can_say(struct delivery_mail *m)
{
    bool sender = m->sender.len == 0 || is_path(m->sender);
    bool all = sender;
    for (size_t i = 0; i < m->count; i++) {
        struct verdict *answer = &m->rcpts[i].answer;
        if (!sender)
            *answer = verdict_make(553, "5.1.7", "Sender address is not valid and was not sent");
        else if (is_path(m->rcpts[i].address))
            *answer = verdict_make(451, "4.3.0", "Not sent beside an address that is not valid");
        else
            *answer = verdict_make(553, "5.1.3", "Recipient address is not valid and was not sent");
        all = all && answer->what == VERDICT_DEFER;
    }
    for (size_t i = 0; i < m->count && all; i++)
        m->rcpts[i].answer = (struct verdict){0};
    return all;
}

void offers_say_mail(const struct delivery_mail *m, const struct delivery_offers *o,
                     struct buf *out)
{
    BUF_ADD(out, SPAN("MAIL FROM:<"), m->sender, SPAN(">"));
    if (o->size)
        buf_addf(out, " SIZE=%llu", (unsigned long long)m->size);
    if (o->eightbitmime && m->body_8bit)
        buf_add(out, SPAN(" BODY=8BITMIME"));
    if (o->smtputf8 && m->smtputf8)
        buf_add(out, SPAN(" SMTPUTF8"));
    if (m->requiretls)
        buf_add(out, SPAN(" REQUIRETLS"));
    if (o->dsn && m->report != RETURN_UNSAID)
        buf_addf(out, " RET=%s", m->report == RETURN_FULL ? "FULL" : "HDRS");
    if (o->dsn && m->envelope_id.len > 0)
        buf_addf(out, " ENVID=%.*s", SPAN_ARG(m->envelope_id));
    buf_add(out, SPAN("\r\n"));
}

void offers_say_rcpt(const struct delivery_rcpt *r, const struct delivery_offers *o,
                     struct buf *out)
{
    static const struct {
        unsigned flag;
        const char *name;
    } names[] = {{NOTIFY_NEVER, "NEVER"},
                 {NOTIFY_SUCCESS, "SUCCESS"},
                 {NOTIFY_FAILURE, "FAILURE"},
                 {NOTIFY_DELAY, "DELAY"}};
    BUF_ADD(out, SPAN("RCPT TO:<"), r->address, SPAN(">"));
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < COUNT_OF(names) && o->dsn; i++) {
        if (!(r->notify & names[i].flag))
            continue;
        buf_addf(out, "%s%s", before, names[i].name);
        before = ",";
    }
    if (o->dsn && r->original.len > 0)
        buf_addf(out, " ORCPT=%.*s", SPAN_ARG(r->original));
    buf_add(out, SPAN("\r\n"));
}
