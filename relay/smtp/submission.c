// SPDX-License-Identifier: BSD-2-Clause
/* submission.c - The server: bytes become lines or message bytes. What it can be told is in
 * commands.c, what it can say in replies.h.
 *
 * Failure modes:
 * - a line too long: it is skipped to its end without being kept, then refused (S3)
 * - bare CR, bare LF or NUL in a line or a message: refused whole, never repaired (S1)
 * - a message that is doomed (too big, bare line ends, no memory for it): read to its true end
 *   without being kept, then refused
 * - no memory for a line or a reply: the session ends, with 421 where that can be said
 * - a peer that talks nonsense, or without sending mail: 421 after a bounded number of commands
 */
#include "submission.h"

#include "commands.h"
#include "dots.h"
#include "sasl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    IN_MAX = 192 * 1024,
    OUT_MAX = 256 * 1024,
    BAD_MAX = 20,
    IDLE_MAX = 1000,
    LOGIN_MAX = 50, /* lines until AUTH has succeeded */
    AUTH_FAILURES_MAX = 3,
};

/* Count what brings no mail; a peer that does only that is sent away (attacks C6, C7). */
static enum reply judge(struct submission *s, enum reply reply)
{
    bool bad = reply == UNKNOWN || reply == LONG_LINE || reply == BARE_LINE || reply == NOT_OFFERED;
    if (bad && ++s->bad_commands > BAD_MAX)
        return BAD_MANY;
    if (++s->idle_commands > IDLE_MAX + s->settings->rcpt_max)
        return IDLE_MANY;
    if (!s->authenticated && !s->settings->open && s->lines > LOGIN_MAX && reply != BYE)
        return LOGIN_MANY;
    return reply;
}

/* ---- bytes ---- */

/* Take one line out of `in` and run it. False when there is none yet. */
static bool take_line(struct submission *s)
{
    struct span in = buf_span(&s->in);
    size_t end = span_search(in, SPAN("\r\n"));
    if (end == in.len) {
        if (in.len > COMMANDS_LINE_MAX + 2) { /* keep a CR that may belong to the CRLF */
            s->skipping_line = true;
            buf_drop(&s->in, in.len - 1);
        }
        return false;
    }
    s->lines++;
    if (s->skipping_line || end > COMMANDS_LINE_MAX) {
        s->skipping_line = false;
        buf_drop(&s->in, end + 2);
        enum reply reply = s->sasl ? AUTH_LONG : LONG_LINE;
        commands_end_auth(s);
        reply_say(s, judge(s, reply));
        return true;
    }
    char line[COMMANDS_LINE_MAX];
    memcpy(line, in.ptr, end);
    buf_drop(&s->in, end + 2);
    if (s->heard)
        s->heard(s->listener, commands_shown(s, (struct span){line, end}));
    reply_say(s, judge(s, commands_run(s, (struct span){line, end})));
    s->command = NULL;
    s->about = SPAN_NONE;
    return true;
}

/* What is refused can be found by it, although nothing else of it is kept. */
static void note_message_id(struct submission *s)
{
    struct field f;
    struct span header = buf_span(s->spilled ? &s->header : &s->body);
    if (s->message_id[0] || !message_find(header, SPAN("Message-ID"), 0, &f))
        return;
    snprintf(s->message_id, sizeof(s->message_id), "%.*s", SPAN_ARG(span_trim(f.value)));
}

/* What a message takes is said by its sender: without memory for it, it is the one that goes. */
static void lacks_memory(struct submission *s)
{
    if (s->refusal.code == 0)
        s->refusal = reply_as_verdict(MEMORY_SHORT);
    s->doomed = true;
}

/* Is the message doomed? Then its bytes are no longer kept, but read to their true end. */
static void judge_bytes(struct submission *s)
{
    size_t header_len = 0;
    bool full = !s->spilled && s->body.len >= SUBMISSION_MEMORY;
    s->facts.header_too_long = s->facts.header_too_long ||
                               (full && !message_header_length(buf_span(&s->body), &header_len));
    bool long_line = s->dots->long_body.line && !s->settings->returns;
    s->doomed = s->doomed || s->dots->has_nul || s->dots->bare_line_end || long_line ||
                s->received > s->settings->size_max || s->facts.header_too_long;
    if (!s->doomed)
        return;
    note_message_id(s);
    buf_fini(&s->body);
}

static struct verdict refuse_line(const char *where, uint64_t line, uint64_t octets,
                                  const char *remedy)
{
    return verdict_make(554, "5.6.0",
                        "Message refused: line %llu, in the %s, has %llu octets, %d at most: %s "
                        "(RFC 5322 2.1.1)",
                        (unsigned long long)line, where, (unsigned long long)octets, DOTS_LINE_MAX,
                        remedy);
}

/* Why it is doomed: one answer, whatever pieces it came in. */
static struct verdict judge_message(const struct submission *s)
{
    const struct dots_in *d = s->dots;
    if (s->refusal.code != 0)
        return s->refusal;
    if (d->has_nul || d->bare_line_end)
        return reply_as_verdict(d->has_nul ? DATA_NUL : DATA_BARE);
    if (d->long_body.line)
        return refuse_line("body", d->long_body.line, d->long_body.octets,
                           "encode it as quoted-printable or base64");
    if (s->received > s->settings->size_max || s->facts.header_too_long)
        return s->received > s->settings->size_max
                   ? reply_with_limit(TOO_BIG, s->settings->size_max)
                   : reply_as_verdict(DATA_HEADER);
    return refuse_line("header", d->long_header.line, d->long_header.octets, "fold it");
}

static void end_of_data(struct submission *s)
{
    if (s->heard)
        s->heard(s->listener,
                 s->doomed ? SPAN("(a message that is refused)") : SPAN("(a message)"));
    s->facts.has_8bit = s->dots->has_8bit;
    s->idle_commands = 0;
    /* Who admits mail reads its header, and says which field it is; an open server does not. */
    s->doomed |= s->settings->open && !s->settings->returns && s->dots->long_header.line;
    if (!s->doomed) {
        s->want = SUBMISSION_ENQUEUE;
        return;
    }
    struct verdict v = judge_message(s);
    s->command = "DATA";
    s->about = s->envelope.count > 0 ? span_of(s->envelope.rcpts[0].address) : SPAN_NONE;
    reply_verdict(s, &v, SPAN_NONE);
    s->command = NULL;
    s->about = SPAN_NONE;
    commands_end_transaction(s);
}

/* Take message bytes off the front of `in`. False when there are no more. */
static bool take_data(struct submission *s, struct span *in)
{
    bool ended = false;
    bool doomed = s->doomed;
    size_t room = doomed ? SIZE_MAX : SUBMISSION_MEMORY + 2 - s->body.len;
    size_t before = s->body.len;
    size_t used = dots_take(s->dots, *in, doomed ? NULL : &s->body, room, &ended);
    s->received += doomed ? 0 : s->body.len - before;
    *in = span_from(*in, used);
    if (s->body.overflow)
        lacks_memory(s);
    judge_bytes(s);
    if (ended) {
        end_of_data(s);
        return true;
    }
    if (s->body.len < SUBMISSION_MEMORY || s->doomed)
        return used > 0 && in->len > 0;
    if (!s->spilled) {
        size_t header_len = 0;
        CHECK(message_header_length(buf_span(&s->body), &header_len));
        if (!buf_add(&s->header, span_first(buf_span(&s->body), header_len))) {
            lacks_memory(s);
            judge_bytes(s);
            return in->len > 0;
        }
        s->spilled = true;
    }
    s->want = SUBMISSION_SPILL;
    return false;
}

static bool must_end(const struct submission *s)
{
    return s->ends && s->want == SUBMISSION_INPUT && s->phase != SUBMISSION_DATA;
}

static bool take_kept_data(struct submission *s)
{
    struct span in = buf_span(&s->in);
    bool more = take_data(s, &in);
    buf_drop(&s->in, s->in.len - in.len);
    return more;
}

static void drain(struct submission *s)
{
    while (s->want == SUBMISSION_INPUT && s->in.len > 0 && !must_end(s)) {
        bool more = s->phase == SUBMISSION_DATA ? take_kept_data(s) : take_line(s);
        if (!more)
            break;
    }
    if (s->in.len == 0)
        buf_fini(&s->in);
    if (must_end(s))
        submission_hang_up(s, s->ends);
    if (s->out.overflow) /* a reply is lost: nobody knows any more which command was answered */
        s->want = SUBMISSION_CLOSE;
}

/* ---- invariants ---- */

static void check_transaction(const struct submission *s)
{
    bool arrives = s->phase == SUBMISSION_DATA;
    bool owned = s->want == SUBMISSION_ENQUEUE; /* the owner may have taken envelope and body */
    bool begun = s->phase >= SUBMISSION_MAIL;
    CHECK(owned || begun == (s->envelope.sender != NULL));
    CHECK(owned || (s->envelope.count > 0) == (s->phase >= SUBMISSION_RCPT));
    CHECK(!begun || s->settings->open || (s->tls && s->authenticated));
    CHECK(arrives == (s->dots != NULL));
    CHECK(arrives || (s->body.len == 0 && s->header.len == 0 && s->received == 0));
    CHECK(arrives || (!s->spilled && !s->doomed && s->refusal.code == 0));
    CHECK(!s->doomed || s->body.len == 0 || s->want == SUBMISSION_SPILL);
    CHECK(arrives || !(owned || s->want == SUBMISSION_SPILL));
    CHECK(!owned || !s->doomed);
}

/* What is true of a session between two events, whatever its peer says. */
static void check(const struct submission *s)
{
    if (!CHECKS_MACHINES)
        return;
    check_transaction(s);
    CHECK(!s->sasl || (s->phase == SUBMISSION_GREETED && !s->authenticated));
    CHECK(s->sasl || (s->want != SUBMISSION_KEYS && s->want != SUBMISSION_AUTH));
    CHECK(!s->authenticated || s->tls || s->settings->open);
    CHECK(!s->binding || s->tls);
    CHECK(s->want != SUBMISSION_TLS || (!s->tls && s->in.len == 0));
    CHECK(s->want != SUBMISSION_ROOM || s->phase == SUBMISSION_MAIL);
    CHECK(s->want != SUBMISSION_LIMIT || s->phase == SUBMISSION_RCPT);
    CHECK(s->want == SUBMISSION_CLOSE || !s->out.overflow);
    CHECK(!s->command && s->about.len == 0);
    CHECK(s->refusal_count <= SUBMISSION_REFUSALS && (s->refusals || s->refusal_count == 0));
}

/* ---- the public face ---- */

void submission_init(struct submission *s, const struct submission_settings *settings)
{
    *s = (struct submission){.settings = settings, .tls = settings->implicit_tls};
    buf_init_peer(&s->out, OUT_MAX);
    buf_init_peer(&s->in, IN_MAX);
    buf_init_peer(&s->body, SUBMISSION_MEMORY + 2);
    buf_init_peer(&s->header, MESSAGE_HEADER_MAX);
    if (!buf_addf(&s->out, "220 %s ESMTP Sealpost\r\n", settings->hostname))
        s->want = SUBMISSION_CLOSE;
}

void submission_fini(struct submission *s)
{
    check(s);
    commands_end_auth(s);
    commands_end_transaction(s);
    buf_fini(&s->out);
    buf_fini(&s->in);
    free(s->refusals);
}

void submission_input(struct submission *s, struct span bytes)
{
    check(s);
    CHECK(s->want == SUBMISSION_INPUT);
    bool tls_hello = s->phase == SUBMISSION_CONNECTED && s->lines == 0 && s->in.len == 0 &&
                     bytes.len > 0 && bytes.ptr[0] == 0x16;
    bool fits = tls_hello || bytes.len <= s->in.limit - s->in.len;
    bool more = fits && s->in.len == 0; /* then a message's bytes need not be kept before */
    while (more && s->phase == SUBMISSION_DATA && s->want == SUBMISSION_INPUT && bytes.len > 0)
        more = take_data(s, &bytes);
    if (tls_hello || !buf_add(&s->in, bytes)) {
        reply_say(s, tls_hello || !fits ? NOT_SMTP : MEMORY_GONE);
        return;
    }
    drain(s);
}

void submission_tls_started(struct submission *s)
{
    check(s);
    CHECK(s->want == SUBMISSION_TLS);
    s->phase = SUBMISSION_CONNECTED; /* RFC 3207 section 4.2: what was said before is forgotten */
    commands_end_transaction(s);
    commands_end_auth(s);
    buf_clear(&s->in);
    s->authenticated = false;
    s->binding = NULL;
    s->helo[0] = '\0';
    s->tls = true;
    s->want = SUBMISSION_INPUT;
}

void submission_bind(struct submission *s, submission_on_bind *binding, void *bound)
{
    check(s);
    s->binding = binding;
    s->bound = bound;
}

void submission_keys(struct submission *s, const char *keys)
{
    check(s);
    CHECK(s->want == SUBMISSION_KEYS);
    s->want = SUBMISSION_INPUT;
    reply_say(s, commands_auth_step(s, sasl_keys(s->sasl, keys)));
    drain(s);
}

void submission_auth_decided(struct submission *s, const struct identity *identity, bool busy)
{
    check(s);
    CHECK(s->want == SUBMISSION_AUTH);
    s->want = SUBMISSION_INPUT;
    if (identity)
        s->identity = *identity;
    if (identity && sasl_prove(s->sasl)) { /* the client wants to see that we know its keys */
        commands_auth_step(s, SASL_CHALLENGE);
        drain(s);
        return;
    }
    commands_end_auth(s);
    if (identity) {
        s->authenticated = true;
        reply_say(s, AUTH_OK);
    } else if (busy) {
        reply_say(s, AUTH_BUSY);
    } else {
        reply_say(s, ++s->auth_failures >= AUTH_FAILURES_MAX ? AUTH_FLOOD : AUTH_WRONG);
    }
    drain(s);
}

void submission_auth_locked(struct submission *s, int64_t wait_s)
{
    check(s);
    CHECK(s->want == SUBMISSION_AUTH);
    struct verdict v = verdict_make(
        454, "4.7.0",
        "Too many failed logins from your network or at this name: try again in %lld s",
        (long long)wait_s);
    s->want = SUBMISSION_INPUT;
    commands_end_auth(s);
    if (++s->auth_failures >= AUTH_FAILURES_MAX)
        reply_say(s, AUTH_FLOOD);
    else
        reply_verdict(s, &v, SPAN_NONE);
    drain(s);
}

void submission_room_decided(struct submission *s, const struct verdict *refused)
{
    check(s);
    CHECK(s->want == SUBMISSION_ROOM);
    s->want = SUBMISSION_INPUT;
    if (refused) {
        s->command = "MAIL";
        reply_verdict(s, refused, SPAN_NONE);
        s->command = NULL;
        commands_end_transaction(s);
    } else {
        reply_say(s, SENDER_OK);
    }
    drain(s);
}

void submission_rcpt_decided(struct submission *s, const struct verdict *refused)
{
    check(s);
    CHECK(s->want == SUBMISSION_LIMIT);
    s->want = SUBMISSION_INPUT;
    if (refused) {
        s->command = "RCPT";
        s->about = span_of(s->envelope.rcpts[s->envelope.count - 1].address);
        reply_verdict(s, refused, SPAN_NONE);
        s->command = NULL;
        s->about = SPAN_NONE;
        envelope_drop(&s->envelope);
        s->phase = s->envelope.count > 0 ? SUBMISSION_RCPT : SUBMISSION_MAIL;
    } else {
        reply_say(s, RCPT_OK);
    }
    drain(s);
}

void submission_spilled(struct submission *s, const struct verdict *failed)
{
    check(s);
    CHECK(s->want == SUBMISSION_SPILL);
    s->want = SUBMISSION_INPUT;
    buf_clear(&s->body);
    if (failed && s->refusal.code == 0)
        s->refusal = *failed;
    s->doomed = s->doomed || failed;
    if (s->doomed)
        buf_fini(&s->body);
    drain(s);
}

void submission_enqueue_decided(struct submission *s, const struct verdict *v)
{
    submission_enqueue_refused(s, v, SPAN_NONE);
}

void submission_enqueue_refused(struct submission *s, const struct verdict *v, struct span hint)
{
    check(s);
    CHECK(s->want == SUBMISSION_ENQUEUE);
    s->want = SUBMISSION_INPUT;
    if (v->what == VERDICT_ACCEPT)
        s->bad_commands = 0;
    reply_verdict(s, v, hint);
    commands_end_transaction(s);
    drain(s);
}

struct span submission_header(const struct submission *s)
{
    size_t len = 0;
    CHECK(s->want == SUBMISSION_ENQUEUE);
    if (s->spilled)
        return buf_span(&s->header);
    message_header_length(buf_span(&s->body), &len);
    return span_first(buf_span(&s->body), len);
}

void submission_hang_up(struct submission *s, const char *reason)
{
    check(s);
    buf_addf(&s->out, "421 %s %s %s\r\n", s->ends ? "4.7.0" : "4.3.2", s->settings->hostname,
             s->ends ? s->ends : reason);
    s->want = SUBMISSION_CLOSE;
}

struct verdict submission_ended(const struct submission *s)
{
    CHECK(s->ends);
    return verdict_make(451, "4.7.0", "Message refused: %s", s->ends);
}

void submission_end(struct submission *s, const char *reason)
{
    check(s);
    s->ends = reason;
    if (s->phase == SUBMISSION_DATA &&
        (s->want == SUBMISSION_INPUT || s->want == SUBMISSION_SPILL)) {
        s->refusal = submission_ended(s);
        s->doomed = true;
        note_message_id(s);
        if (s->want == SUBMISSION_INPUT)
            buf_fini(&s->body);
    }
    if (s->want == SUBMISSION_INPUT)
        drain(s);
}

void submission_change_settings(struct submission *s, const struct submission_settings *settings)
{
    s->settings = settings;
}

struct submission_claim submission_auth(const struct submission *s)
{
    CHECK(s->want == SUBMISSION_AUTH || s->want == SUBMISSION_KEYS);
    return (struct submission_claim){.name = buf_span(&s->sasl->name),
                                     .secret = buf_span(&s->sasl->secret),
                                     .proves = s->sasl->proves,
                                     .proven = s->sasl->proven};
}

const char *submission_protocol(const struct submission *s)
{
    static const char *const names[2][2][2] = {
        {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
        {{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}}};
    if (!s->esmtp)
        return "SMTP";
    return names[s->envelope.smtputf8][s->tls][s->authenticated];
}
