// SPDX-License-Identifier: BSD-2-Clause
/* offers.c - What a server said that it can do, one line of its EHLO answer at a time. */
#include "offers.h"

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

static void read_auth(struct delivery_offers *o, struct span args)
{
    while (args.len > 0) {
        struct span mechanism = span_take(&args, ' ');
        o->auth_plain = o->auth_plain || span_equal_nocase(mechanism, SPAN("PLAIN"));
        o->auth_login = o->auth_login || span_equal_nocase(mechanism, SPAN("LOGIN"));
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
    if (span_equal_nocase(word, SPAN("AUTH")))
        read_auth(o, args);
    if (span_equal_nocase(word, SPAN("LIMITS")))
        read_limits(o, args);
}
