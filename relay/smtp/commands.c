// SPDX-License-Identifier: BSD-2-Clause
/* commands.c - The server's commands: a table that says in which state each is allowed, and a
 * handler for each row.
 *
 * The client chooses the order, so commands_run() looks up the verb and checks the sequence in one
 * place; handlers do not check it. A handler returns the reply.
 */
#include "commands.h"

#include "admit.h"
#include "dots.h"
#include "grammar.h"
#include "sasl.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LINE_PLAIN = 512, /* RFC 5321 section 4.5.3.1.4 */
    LINE_PATH = 2048, /* with the parameters of our extensions */
    LINE_AUTH = COMMANDS_LINE_MAX,
    RCPT_FLOOD = 1000
};

void commands_end_transaction(struct submission *s)
{
    envelope_clear(&s->envelope);
    buf_fini(&s->body);
    buf_fini(&s->header);
    free(s->dots);
    s->dots = NULL;
    s->spilled = false;
    s->received = 0;
    s->facts = (struct message_facts){0};
    s->doomed = false;
    s->refusal = (struct verdict){0};
    s->message_id[0] = '\0';
    if (s->phase != SUBMISSION_CONNECTED)
        s->phase = SUBMISSION_GREETED;
}

void commands_end_auth(struct submission *s)
{
    if (s->sasl)
        sasl_fini(s->sasl);
    free(s->sasl);
    s->sasl = NULL;
}

/* ---- handlers, in table order ---- */

static bool greet(struct submission *s, struct span args, bool esmtp)
{
    if (!grammar_is_helo(args) || !span_copy(args, s->helo, sizeof(s->helo)))
        return false;
    for (char *c = s->helo; *c && !span_is_utf8(args); c++) /* no text in any charset we know */
        *c = *c < 0 ? '?' : *c;
    s->phase = SUBMISSION_GREETED;
    s->esmtp = esmtp;
    commands_end_transaction(s); /* RFC 5321 section 4.1.4: like RSET */
    return true;
}

static enum reply on_ehlo(struct submission *s, struct span args)
{
    const struct submission_settings *c = s->settings;
    if (!greet(s, args, true))
        return BAD_HELO;
    buf_addf(&s->out,
             "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
             c->hostname, (unsigned long long)c->size_max);
    if (!s->tls)
        buf_add(&s->out, SPAN("250-STARTTLS\r\n"));
    else if (c->requiretls)
        buf_add(&s->out, SPAN("250-REQUIRETLS\r\n"));
    if (c->open && !c->returns)
        buf_add(&s->out, SPAN("250-AUTH PLAIN LOGIN\r\n"));
    else if (s->tls && !c->open)
        buf_addf(&s->out, "250-AUTH %sSCRAM-SHA-256 PLAIN LOGIN\r\n",
                 s->binding ? "SCRAM-SHA-256-PLUS " : "");
    if (!c->returns)
        buf_add(&s->out, SPAN("250-DSN\r\n"));
    buf_addf(&s->out, "250-LIMITS RCPTMAX=%u MAILMAX=%u\r\n250 ENHANCEDSTATUSCODES\r\n",
             c->rcpt_max, c->mail_max);
    return SILENT;
}

static enum reply on_helo(struct submission *s, struct span args)
{
    if (!greet(s, args, false))
        return BAD_HELO;
    buf_addf(&s->out, "250 %s\r\n", s->settings->hostname);
    return SILENT;
}

static enum reply on_starttls(struct submission *s, struct span args)
{
    if (args.len > 0)
        return NO_ARGUMENT;
    if (s->tls)
        return ORDER;
    /* RFC 3207 section 4.2: what came in clear before the handshake must not survive it. */
    buf_clear(&s->in);
    s->want = SUBMISSION_TLS;
    return TLS_READY;
}

enum reply commands_auth_step(struct submission *s, enum sasl_step step)
{
    static const enum reply answers[] = {
        [SASL_CHALLENGE] = SILENT,
        [SASL_KEYS] = SILENT,
        [SASL_READY] = SILENT,
        [SASL_DONE] = AUTH_OK,
        [SASL_CANCELLED] = AUTH_CANCELLED,
        [SASL_MALFORMED] = AUTH_MALFORMED,
        [SASL_IDENTITY] = AUTH_IDENTITY,
        [SASL_UNKNOWN] = AUTH_UNKNOWN,
    };
    if (step == SASL_CHALLENGE)
        buf_addf(&s->out, "334 %s\r\n", buf_text(&s->sasl->challenge));
    else if (step == SASL_KEYS)
        s->want = SUBMISSION_KEYS;
    else if (step == SASL_READY)
        s->want = SUBMISSION_AUTH;
    else
        commands_end_auth(s);
    s->authenticated = step == SASL_DONE;
    return answers[step];
}

static enum reply on_auth(struct submission *s, struct span args)
{
    if (s->settings->returns)
        return NOT_OFFERED;
    if (s->authenticated)
        return ORDER;
    bool scram = span_starts_nocase(args, SPAN("SCRAM"));
    if (s->settings->open && scram)
        return AUTH_UNKNOWN;
    unsigned char binding[SCRAM_BINDING];
    bool bound = s->binding && scram && s->binding(s->bound, binding);
    s->sasl = xcalloc(1, sizeof(*s->sasl));
    sasl_init(s->sasl);
    return commands_auth_step(s, sasl_begin(s->sasl, args, bound ? binding : NULL));
}

static enum reply on_mail(struct submission *s, struct span args)
{
    static const enum reply faults[] = {
        [GRAMMAR_SYNTAX] = SYNTAX,
        [GRAMMAR_ADDRESS] = BAD_SENDER,
        [GRAMMAR_UNKNOWN] = PARAMETER_UNKNOWN,
        [GRAMMAR_PARAMETER] = PARAMETER_BAD,
        [GRAMMAR_UTF8] = SENDER_UTF8,
    };
    struct grammar_mail mail;
    enum grammar_fault fault = grammar_mail(args, &mail);
    if (fault == GRAMMAR_OK && mail.requiretls && !(s->settings->requiretls && s->tls))
        fault = GRAMMAR_UNKNOWN; /* RFC 8689 section 2: it is offered inside TLS only */
    if (fault != GRAMMAR_OK)
        return reply_about(s, faults[fault], args);
    if (mail.size > s->settings->size_max)
        return reply_limit(s, TOO_BIG, s->settings->size_max);
    if (s->short_of_memory)
        return MEMORY_SHORT;
    if (++s->mails > s->settings->mail_max)
        return reply_limit(s, MAIL_MANY, s->settings->mail_max);
    if (!s->settings->open) {
        struct verdict v = admit_sender(&s->identity, mail.sender);
        if (v.what != VERDICT_ACCEPT) {
            if (v.code == 550)
                snprintf(s->foreign, sizeof(s->foreign), "%.199s", v.text);
            reply_verdict(s, &v, SPAN_NONE);
            return SILENT;
        }
    }
    s->envelope.sender = envelope_text(mail.sender);
    s->envelope.id = envelope_text(mail.envelope_id);
    s->envelope.report = mail.report;
    s->envelope.smtputf8 = mail.smtputf8;
    s->requiretls = mail.requiretls;
    s->phase = SUBMISSION_MAIL;
    s->declared = mail.size;
    if (s->settings->room_from == 0 || s->declared < s->settings->room_from)
        return SENDER_OK;
    s->want = SUBMISSION_ROOM;
    return SILENT;
}

/* Postmaster may stand without a domain (RFC 5321 section 4.5.1): `own` holds it with ours then. */
static bool parse_recipient(const struct submission *s, struct grammar_rcpt *rcpt,
                            char own[ADDRESS_MAX + 1], struct address *address_r)
{
    if (address_parse(rcpt->address, address_r))
        return true;
    snprintf(own, ADDRESS_MAX + 1, "postmaster@%s", s->settings->hostname);
    rcpt->address = span_of(own);
    return address_parse(rcpt->address, address_r);
}

static enum reply on_rcpt(struct submission *s, struct span args)
{
    static const enum reply faults[] = {
        [GRAMMAR_SYNTAX] = SYNTAX,
        [GRAMMAR_ADDRESS] = BAD_RCPT,
        [GRAMMAR_UNKNOWN] = PARAMETER_UNKNOWN,
        [GRAMMAR_PARAMETER] = PARAMETER_BAD,
        [GRAMMAR_UTF8] = RCPT_UTF8,
    };
    struct grammar_rcpt rcpt;
    struct address address;
    char own[ADDRESS_MAX + 1];
    char domain[ADDRESS_DOMAIN_MAX + 1];
    enum grammar_fault fault = grammar_rcpt(args, s->envelope.smtputf8, &rcpt);
    if (fault != GRAMMAR_OK)
        return reply_about(s, faults[fault], args);
    if (s->envelope.count >= s->settings->rcpt_max) {
        s->bad_commands++; /* a flood of them ends, too */
        return s->bad_commands > RCPT_FLOOD ? BAD_MANY
                                            : reply_limit(s, RCPT_MANY, s->settings->rcpt_max);
    }
    if (!parse_recipient(s, &rcpt, own, &address) || !address_domain_ascii(address.domain, domain))
        return reply_about(s, BAD_RCPT, args);
    if (!s->settings->returns && address_is_routed(&address))
        return reply_about(s, ROUTED_RCPT, args);
    if (!envelope_reserve(&s->envelope))
        return MEMORY_SHORT;
    envelope_add(&s->envelope, rcpt.address, domain, rcpt.original, rcpt.notify);
    s->phase = SUBMISSION_RCPT;
    if (!s->settings->limited)
        return RCPT_OK;
    s->want = SUBMISSION_LIMIT;
    return SILENT;
}

static enum reply on_data(struct submission *s, struct span args)
{
    if (args.len > 0)
        return NO_ARGUMENT;
    if (s->phase != SUBMISSION_RCPT)
        return NO_RCPT;
    s->dots = xcalloc(1, sizeof(*s->dots));
    dots_start(s->dots);
    s->phase = SUBMISSION_DATA;
    return GO_AHEAD;
}

static enum reply on_rset(struct submission *s, struct span args)
{
    if (args.len > 0)
        return NO_ARGUMENT;
    commands_end_transaction(s);
    return OK;
}

static enum reply on_noop(struct submission *s, struct span args)
{
    (void)s;
    (void)args;
    return OK;
}

static enum reply on_vrfy(struct submission *s, struct span args)
{
    (void)s;
    (void)args;
    return NO_VERIFY;
}

static enum reply on_help(struct submission *s, struct span args)
{
    (void)s;
    (void)args;
    return HELP;
}

static enum reply on_quit(struct submission *s, struct span args)
{
    (void)s;
    return args.len > 0 ? NO_ARGUMENT : BYE;
}

static enum reply on_not_offered(struct submission *s, struct span args)
{
    (void)s;
    (void)args;
    return NOT_OFFERED;
}

static enum reply on_not_smtp(struct submission *s, struct span args)
{
    (void)s;
    (void)args;
    return NOT_SMTP;
}

/* ---- the table ---- */

#define IN(phase) (1U << SUBMISSION_##phase)
#define ANY (IN(CONNECTED) | IN(GREETED) | IN(MAIL) | IN(RCPT))

static const struct command {
    struct span verb;
    unsigned phases; /* when it may be said */
    bool tls, auth;  /* what must have happened before, unless the server is open */
    size_t line_max;
    enum reply (*run)(struct submission *s, struct span args);
} commands[] = {
    /*            phases               TLS    AUTH   line         handler        RFC */
    {{"EHLO", 4}, ANY, false, false, LINE_PLAIN, on_ehlo},                 /* 5321 4.1.1.1 */
    {{"HELO", 4}, ANY, false, false, LINE_PLAIN, on_helo},                 /* 5321 4.1.1.1 */
    {{"STARTTLS", 8}, IN(GREETED), false, false, LINE_PLAIN, on_starttls}, /* 3207 4 */
    {{"AUTH", 4}, IN(GREETED), true, false, LINE_AUTH, on_auth},           /* 4954 4 */
    {{"MAIL", 4}, IN(GREETED), true, true, LINE_PATH, on_mail},            /* 5321 4.1.1.2 */
    {{"RCPT", 4}, IN(MAIL) | IN(RCPT), true, true, LINE_PATH, on_rcpt},    /* 5321 4.1.1.3 */
    {{"DATA", 4}, IN(MAIL) | IN(RCPT), true, true, LINE_PLAIN, on_data},   /* 5321 4.1.1.4 */
    {{"RSET", 4}, ANY, false, false, LINE_PLAIN, on_rset},                 /* 5321 4.1.1.5 */
    {{"NOOP", 4}, ANY, false, false, LINE_PLAIN, on_noop},                 /* 5321 4.1.1.9 */
    {{"VRFY", 4}, ANY, false, false, LINE_PLAIN, on_vrfy},                 /* 5321 4.1.1.6 */
    {{"HELP", 4}, ANY, false, false, LINE_PLAIN, on_help},                 /* 5321 4.1.1.8 */
    {{"QUIT", 4}, ANY, false, false, LINE_PLAIN, on_quit},                 /* 5321 4.1.1.10 */
    {{"EXPN", 4}, ANY, false, false, LINE_PLAIN, on_not_offered},
    {{"XCLIENT", 7}, ANY, false, false, LINE_PLAIN, on_not_offered},
    {{"BDAT", 4}, ANY, false, false, LINE_PLAIN, on_not_smtp}, /* not offered, and its framing would
                                                                  be lost */
    {{"PROXY", 5}, ANY, false, false, LINE_PLAIN, on_not_smtp},
    {{"GET", 3}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"POST", 4}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"PUT", 3}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"HEAD", 4}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"OPTIONS", 7}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"CONNECT", 7}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"DELETE", 6}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"PATCH", 5}, ANY, false, false, LINE_AUTH, on_not_smtp},
    {{"TRACE", 5}, ANY, false, false, LINE_AUTH, on_not_smtp},
};

static bool holds_bare_line_end(struct span line)
{
    return span_find(line, '\r') < line.len || span_find(line, '\n') < line.len ||
           span_find(line, '\0') < line.len;
}

static const struct command *find(struct span verb)
{
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (span_equal_nocase(verb, commands[i].verb))
            return &commands[i];
    return NULL;
}

struct span commands_shown(const struct submission *s, struct span line)
{
    const struct command *c = find(span_first(line, span_find(line, ' ')));
    if (s->sasl || (c && c->run == on_auth))
        return SPAN("(authentication)");
    return c ? line : SPAN("(not a command)");
}

enum reply commands_run(struct submission *s, struct span line)
{
    if (s->sasl && line.len > LINE_AUTH) {
        commands_end_auth(s);
        return AUTH_LONG;
    }
    if (s->sasl) {
        s->command = "AUTH";
        return commands_auth_step(s, sasl_line(s->sasl, line));
    }
    if (holds_bare_line_end(line))
        return BARE_LINE;
    struct span args = line;
    struct span verb = span_take(&args, ' ');
    const struct command *c = find(verb);
    if (line.len + 2 > (c ? c->line_max : LINE_PLAIN))
        return c && c->line_max == LINE_AUTH ? AUTH_LONG : LONG_LINE;
    if (!c)
        return UNKNOWN;
    s->command = c->auth || c->run == on_auth ? c->verb.ptr : NULL;
    s->about = c->line_max == LINE_PATH ? args : SPAN_NONE;
    if (c->tls && !s->tls && !s->settings->open)
        return NEED_TLS;
    if (c->auth && !s->authenticated && (!s->settings->open || s->settings->login))
        return NEED_AUTH;
    if (!(c->phases & (1U << (unsigned)s->phase)))
        return ORDER;
    while (args.len > 0 && args.ptr[args.len - 1] == ' ')
        args.len--;
    return c->run(s, args);
}
