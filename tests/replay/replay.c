// SPDX-License-Identifier: BSD-2-Clause
/* replay.c - Plays transcripts against the protocol machines: whole, byte by byte, and cut at every offset. The outcome must be
 * the same each time.
 *
 *   # a comment
 *   C: EHLO client.test            what the client says; CRLF is added, unless the line ends with a single backslash
 *   S: 250 relay.test              what the server says; "S: 250 *" accepts any rest; "S: ..." any number of lines
 *   M: Subject: x                  server only: the bytes of accepted messages, one after the other
 *   R: 250 *                       client only: each recipient's answer, in order: code, enhanced code and text; then
 *   R: again: HELO                 what may be tried at once, if it is more than the next host
 *   !  tls                         the handshake takes place here
 *   !  closed | open               how the session must have ended
 *   !  lost                        the connection ends here
 *   !  silence                     client only: the time limit is over here
 *   !  open-server                 server only: take mail from anyone
 *   !  implicit                    server only: TLS from the start
 *   !  token=TOKEN  !  token-renewed
 *   !  tls=require|implicit  !  later  !  user=NAME  !  helo  !  one-by-one  !  port=NUMBER
 *                                  client only: settings; the password is "secret"; later: what TLS must be is
 *                                  said when the machine asks for it
 *   !  to=ADDRESS                  client only: a recipient, in domain other.test if none is given
 *   !  next                        client only: send the same message once more
 *
 * In C:, S: and M: lines \r \n \0 \\ \xNN stand for bytes, and {a*998} for a repeated text.
 */
#include "admit.h"
#include "delivery.h"
#include "submission.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 64, TEXT_MAX = 24 * 1024 * 1024, CUTS_MAX = 3000 };

struct script {
    const char *path;
    bool client, open_server, implicit;
    struct delivery_settings client_settings;
    char user_text[64], token_text[1024];
    const char *end; /* "closed", "open" or NULL */
    struct buf input[PARTS_MAX]; /* what is fed, part by part */
    char after[PARTS_MAX];       /* 't'ls, 'l'ost, 's'ilence, 'n'ext, 0: the client speaks, or the end */
    size_t parts;
    struct buf output; /* patterns, one a line, LF between */
    struct buf messages;
    struct buf answers;
    char to[8][128];
    size_t to_count;
};

static int failures;

static void add_expanded(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct span rest = span_from(text, i);
        size_t end = span_find(rest, '}');
        size_t star = span_find(rest, '*');
        uint64_t times = 0;
        if (rest.ptr[0] == '{' && star < end && end < rest.len &&
            span_number(span_from(span_first(rest, end), star + 1), &times)) {
            struct buf unit;
            buf_init(&unit, 4096);
            add_expanded(&unit, span_from(span_first(rest, star), 1));
            for (uint64_t n = 0; n < times; n++)
                buf_add(out, buf_span(&unit));
            buf_fini(&unit);
            i += end;
        } else if (rest.ptr[0] == '\\' && rest.len > 1) {
            char next = rest.ptr[1];
            char hex[3] = {0};
            if (next == 'x' && rest.len > 3) {
                memcpy(hex, rest.ptr + 2, 2);
                buf_add_char(out, (char)strtol(hex, NULL, 16));
                i += 3;
            } else {
                buf_add_char(out, next == 'r' ? '\r' : next == 'n' ? '\n' : next == '0' ? '\0' : next);
                i++;
            }
        } else {
            buf_add_char(out, rest.ptr[0]);
        }
    }
}

static void add_line(struct buf *out, struct span text)
{
    bool open = text.len > 0 && text.ptr[text.len - 1] == '\\' &&
                !(text.len > 1 && text.ptr[text.len - 2] == '\\');
    if (open)
        text.len--;
    add_expanded(out, text);
    if (!open)
        buf_add(out, SPAN("\r\n"));
}

static bool take_end(struct script *s, struct span text)
{
    static const char *const ends[] = {"tls", "lost", "silence", "next"};
    static const char *const states[] = {"closed", "open"};
    size_t which = 0;
    if (span_among(text, ends, COUNT_OF(ends), &which))
        s->after[s->parts++] = ends[which][0];
    else if (span_among(text, states, COUNT_OF(states), &which))
        s->end = states[which];
    else
        return false;
    return true;
}

static bool take_setting(struct script *s, struct span text)
{
    static const char *const flags[] = {"open-server", "implicit", "tls=require", "tls=implicit", "helo", "one-by-one", "later",
                                       "token-renewed"};
    struct delivery_settings *d = &s->client_settings;
    struct span value = text;
    struct span name = span_take(&value, '=');
    uint64_t port = 0;
    size_t which = 0;
    if (span_equal(name, SPAN("user")) && span_copy(value, s->user_text, sizeof(s->user_text))) {
        d->username = s->user_text;
        return true;
    }
    if (span_equal(name, SPAN("token")) && span_copy(value, s->token_text, sizeof(s->token_text))) {
        d->token = s->token_text;
        return true;
    }
    if (span_equal(name, SPAN("port")) && span_number(value, &port)) {
        d->port = (unsigned)port;
        return true;
    }
    if (!span_among(text, flags, COUNT_OF(flags), &which))
        return false;
    s->open_server = s->open_server || which == 0;
    s->implicit = s->implicit || which == 1;
    d->tls = which == 2 ? DELIVERY_TLS_REQUIRE : which == 3 ? DELIVERY_TLS_IMPLICIT : d->tls;
    d->helo = d->helo || which == 4;
    d->one_by_one = d->one_by_one || which == 5;
    d->tls_unsaid = d->tls_unsaid || which == 6;
    d->token_renewed = d->token_renewed || which == 7;
    return true;
}

static void take_directive(struct script *s, struct span text)
{
    struct span value = text;
    struct span name = span_take(&value, '=');
    if (!take_end(s, text) && !take_setting(s, text) &&
        (!span_equal(name, SPAN("to")) || s->to_count == COUNT_OF(s->to) ||
         !span_copy(value, s->to[s->to_count++], sizeof(s->to[0])))) {
        fprintf(stderr, "%s: unknown directive: %.*s\n", s->path, SPAN_ARG(text));
        exit(2);
    }
    CHECK(s->parts < PARTS_MAX);
}

static void take_script_line(struct script *s, struct span line)
{
    struct span text = span_from(line, 2);
    char kind = line.len > 1 ? line.ptr[0] : '#';
    if (s->client && kind == 'C' && s->input[s->parts].len > 0) /* a server answers what it has heard */
        CHECK(++s->parts < PARTS_MAX);
    if (text.len > 0 && text.ptr[0] == ' ')
        text = span_from(text, 1);
    if (kind == '!')
        take_directive(s, span_trim(span_from(line, 1)));
    else if (kind == (s->client ? 'S' : 'C'))
        add_line(&s->input[s->parts], text);
    else if (kind == (s->client ? 'C' : 'S'))
        buf_addf(&s->output, "%.*s\n", SPAN_ARG(text));
    else if (kind == 'M')
        add_line(&s->messages, text);
    else if (kind == 'R')
        buf_addf(&s->answers, "%.*s\n", SPAN_ARG(text));
    else
        CHECK(kind == '#');
}

static void read_script(struct script *s, const char *path)
{
    static char line[256 * 1024];
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    *s = (struct script){.path = path, .client = strstr(path, "/client/") != NULL};
    s->client_settings = (struct delivery_settings){.hostname = "relay.test", .tls = DELIVERY_TLS_MAY, .password = "secret"};
    for (size_t i = 0; i < PARTS_MAX; i++)
        buf_init(&s->input[i], TEXT_MAX);
    buf_init(&s->output, TEXT_MAX);
    buf_init(&s->messages, TEXT_MAX);
    buf_init(&s->answers, TEXT_MAX);
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        take_script_line(s, span_of(line));
    }
    fclose(f);
}

static void free_script(struct script *s)
{
    for (size_t i = 0; i < PARTS_MAX; i++)
        buf_fini(&s->input[i]);
    buf_fini(&s->output);
    buf_fini(&s->messages);
    buf_fini(&s->answers);
}

/* ---- one way of cutting ---- */

struct cutting {
    size_t step;  /* bytes at a time; 0: whole */
    size_t first; /* or: cut once, after so many bytes of all; 0: not */
};

static struct span next_piece(const struct cutting *c, struct span rest, size_t given)
{
    if (c->step > 0)
        return span_first(rest, c->step);
    if (c->first > given && c->first < given + rest.len)
        return span_first(rest, c->first - given);
    return rest;
}

struct outcome {
    struct delivery_settings settings; /* client only */
    struct buf output, messages, answers;
    bool closed;
};

static void serve_wants(struct submission *s, struct outcome *o, struct buf *message)
{
    static const struct stream streams[] = {{.name = "reset", .class = STREAM_SECURITY}};
    for (;;) {
        if (s->want == SUBMISSION_AUTH) {
            struct identity identity = {.name = "app", .tenant = "default", .allowed = "club.test"};
            struct submission_claim claim = submission_auth(s);
            bool right = span_equal(claim.name, SPAN("app")) &&
                         (claim.proves ? claim.proven : span_equal(claim.secret, SPAN("secret")));
            submission_auth_decided(s, right ? &identity : NULL, false);
        } else if (s->want == SUBMISSION_KEYS) {
            submission_keys(s, ""); /* no proof can be played back: our nonce is new each time */
        } else if (s->want == SUBMISSION_ROOM) {
            const struct verdict v = verdict_make(452, "4.3.1", "Tenant \"default\" has no room");
            submission_room_decided(s, s->declared > 900000 ? &v : NULL);
        } else if (s->want == SUBMISSION_LIMIT) {
            const struct verdict v = verdict_make(450, "4.7.28", "Recipient limit is used up");
            const char *address = s->envelope.rcpts[s->envelope.count - 1].address;
            submission_rcpt_decided(s, strncmp(address, "flooded", 7) == 0 ? &v : NULL);
        } else if (s->want == SUBMISSION_SPILL) {
            buf_add(message, buf_span(&s->body));
            submission_spilled(s, NULL);
        } else if (s->want == SUBMISSION_ENQUEUE) {
            struct admission admission;
            struct admit_input in = {.identity = &s->identity, .streams = streams, .stream_count = 1,
                                     .sender = span_of(s->envelope.sender), .header = submission_header(s),
                                     .smtputf8 = s->envelope.smtputf8, .facts = s->facts};
            struct verdict v = s->settings->open ? verdict_make(250, "2.0.0", "OK taken") : admit_message(&in, &admission);
            if (v.what == VERDICT_ACCEPT) {
                buf_add(&o->messages, buf_span(message));
                buf_add(&o->messages, buf_span(&s->body));
            }
            buf_clear(message);
            submission_enqueue_decided(s, &v);
        } else {
            return;
        }
    }
}

static void play_server(const struct script *script, const struct cutting *cutting, struct outcome *o)
{
    struct submission_settings settings = {.hostname = "relay.test", .size_max = 1024 * 1024, .rcpt_max = 100,
                                           .mail_max = 1000, .open = script->open_server, .limited = true,
                                           .room_from = 65536, .implicit_tls = script->implicit};
    struct submission s;
    struct buf message;
    size_t given = 0;
    buf_init(&message, TEXT_MAX);
    submission_init(&s, &settings);
    for (size_t part = 0; part <= script->parts; part++) {
        struct span rest = buf_span(&script->input[part]);
        while (rest.len > 0 && s.want == SUBMISSION_INPUT) {
            struct span piece = span_first(next_piece(cutting, rest, given), 64 * 1024);
            submission_input(&s, piece);
            serve_wants(&s, o, &message);
            given += piece.len;
            rest = span_from(rest, piece.len);
            buf_add(&o->output, buf_span(&s.out));
            buf_clear(&s.out);
        }
        given += rest.len;
        if (script->after[part] == 't' && s.want == SUBMISSION_TLS)
            submission_tls_started(&s);
        else if (script->after[part] == 't')
            buf_add(&o->output, SPAN("(no handshake was wanted)\r\n"));
    }
    buf_add(&o->output, buf_span(&s.out));
    o->closed = s.want == SUBMISSION_CLOSE;
    submission_fini(&s);
    buf_fini(&message);
}

static void fill_mail(const struct script *script, struct delivery_mail *mail, struct delivery_rcpt *rcpts)
{
    *mail = (struct delivery_mail){.sender = SPAN("a@club.test"), .envelope_id = SPAN_NONE, .rcpts = rcpts, .size = 20,
                                   .count = script->to_count ? script->to_count : 1};
    for (size_t i = 0; i < mail->count; i++)
        rcpts[i] = (struct delivery_rcpt){.address = script->to_count ? span_of(script->to[i]) : SPAN("b@other.test"),
                                          .original = SPAN_NONE};
}

static void note_answers(struct outcome *o, const struct delivery_mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        buf_addf(&o->answers, "%03d %s %s\n", mail->rcpts[i].answer.code, mail->rcpts[i].answer.enhanced,
                 mail->rcpts[i].answer.text);
}

/* Do what the machine wants until it waits for the server. `left` counts the messages still to be sent. */
static void drive_client(struct delivery *d, struct delivery_mail *mail, const struct script *script, size_t *left,
                         struct outcome *o, struct delivery_rcpt *rcpts)
{
    for (;;) {
        buf_add(&o->output, buf_span(&d->out));
        buf_clear(&d->out);
        if (d->want == DELIVERY_DEMAND) {
            o->settings.tls = script->client_settings.tls;
            o->settings.tls_unsaid = false;
            delivery_demand(d);
        } else if (d->want == DELIVERY_READY && *left > 0) {
            (*left)--;
            fill_mail(script, mail, rcpts);
            delivery_send(d, mail);
        } else if (d->want == DELIVERY_READY) {
            delivery_quit(d);
        } else if (d->want == DELIVERY_BODY) {
            delivery_body(d, SPAN("Subject: x\r\n\r\n.dot\r\n"), true);
        } else if (d->want == DELIVERY_DONE) {
            note_answers(o, mail);
            delivery_next(d);
        } else {
            return;
        }
    }
}

static void play_client(const struct script *script, const struct cutting *cutting, struct outcome *o)
{
    struct delivery_rcpt rcpts[8];
    struct delivery_mail mail = {0};
    struct delivery d;
    size_t given = 0;
    size_t left = 1;
    for (size_t part = 0; part < script->parts; part++)
        left += script->after[part] == 'n';
    o->settings = script->client_settings;
    o->settings.tls = script->client_settings.tls_unsaid ? DELIVERY_TLS_MAY : o->settings.tls;
    delivery_init(&d, &o->settings);
    for (size_t part = 0; part <= script->parts; part++) {
        struct span rest = buf_span(&script->input[part]);
        while (rest.len > 0 && d.want != DELIVERY_CLOSE && d.want != DELIVERY_TLS) {
            struct span piece = span_first(next_piece(cutting, rest, given), 64 * 1024);
            delivery_input(&d, piece);
            drive_client(&d, &mail, script, &left, o, rcpts);
            given += piece.len;
            rest = span_from(rest, piece.len);
        }
        given += rest.len;
        if (script->after[part] == 't' && d.want == DELIVERY_TLS && rest.len == 0)
            delivery_tls_started(&d);
        else if (script->after[part] == 't' && d.want == DELIVERY_TLS) /* the bytes would spoil the handshake */
            delivery_lost(&d, "protocol error: bytes after the STARTTLS reply, before the handshake");
        if (script->after[part] == 'l' && d.want != DELIVERY_CLOSE)
            delivery_lost(&d, "connection lost");
        if (script->after[part] == 's' && d.want != DELIVERY_CLOSE)
            delivery_timed_out(&d);
        drive_client(&d, &mail, script, &left, o, rcpts);
    }
    o->closed = d.want == DELIVERY_CLOSE;
    bool forgotten = mail.count > 0 && d.apart == DELIVERY_TOGETHER && mail.rcpts[0].answer.code == 0;
    if (o->closed && mail.count > 0 && o->answers.len == 0 && !forgotten)
        note_answers(o, &mail);
    if (o->closed && (mail.count == 0 || forgotten))
        buf_addf(&o->answers, "%03d %s %s\n", d.trouble.code, d.trouble.enhanced, d.trouble.text);
    static const char *const parts[] = {[DELIVERY_WITHOUT_ONE] = "without that one",
                                        [DELIVERY_WITHOUT_REFUSED] = "without who is refused",
                                        [DELIVERY_ASKED_SINGLY] = "one by one"};
    if (o->closed && d.apart != DELIVERY_TOGETHER)
        buf_addf(&o->answers, "again: %s\n", parts[d.apart]);
    if (o->closed && d.remedy > DELIVERY_NEXT_HOST)
        buf_addf(&o->answers, "again: %s\n", delivery_remedy_name(d.remedy));
    delivery_fini(&d);
}

/* ---- comparing ---- */

static bool line_matches(struct span pattern, struct span line)
{
    if (pattern.len > 0 && pattern.ptr[pattern.len - 1] == '*')
        return span_equal(span_first(line, pattern.len - 1), span_first(pattern, pattern.len - 1));
    return span_equal(pattern, line);
}

/* Do the lines match the patterns? "..." stands for any number of lines. */
static bool lines_match(struct span patterns, struct span lines)
{
    while (patterns.len > 0) {
        struct span rest = patterns;
        struct span pattern = span_take(&rest, '\n');
        if (span_equal(pattern, SPAN("..."))) {
            do {
                if (lines_match(rest, lines))
                    return true;
            } while (lines.len > 0 && span_take(&lines, '\n').ptr);
            return false;
        }
        struct span line = span_take(&lines, '\n');
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (!line_matches(pattern, line))
            return false;
        patterns = rest;
    }
    return lines.len == 0;
}

static void complain(const struct script *s, const struct cutting *c, const char *what, struct span want, struct span got)
{
    failures++;
    fprintf(stderr, "%s (%s %zu): %s differs\n--- wanted\n%.*s\n--- got\n%.*s\n", s->path,
            c->step ? "in steps of" : c->first ? "cut at" : "whole", c->step ? c->step : c->first, what,
            SPAN_ARG(span_first(want, 4000)), SPAN_ARG(span_first(got, 4000)));
}

static bool play(const struct script *s, struct cutting cutting)
{
    struct outcome o = {0};
    int before = failures;
    buf_init(&o.output, TEXT_MAX);
    buf_init(&o.messages, TEXT_MAX);
    buf_init(&o.answers, TEXT_MAX);
    if (s->client)
        play_client(s, &cutting, &o);
    else
        play_server(s, &cutting, &o);
    if (!lines_match(buf_span(&s->output), buf_span(&o.output)))
        complain(s, &cutting, "what is said", buf_span(&s->output), buf_span(&o.output));
    if (!span_equal(buf_span(&s->messages), buf_span(&o.messages)) && !s->client)
        complain(s, &cutting, "what is accepted", buf_span(&s->messages), buf_span(&o.messages));
    if (s->client && !lines_match(buf_span(&s->answers), buf_span(&o.answers)))
        complain(s, &cutting, "the recipients' answers", buf_span(&s->answers), buf_span(&o.answers));
    if (s->end && o.closed != (strcmp(s->end, "closed") == 0))
        complain(s, &cutting, "the end", span_of(s->end), o.closed ? SPAN("closed") : SPAN("open"));
    buf_fini(&o.output);
    buf_fini(&o.messages);
    buf_fini(&o.answers);
    return failures == before;
}

static void play_all_ways(const struct script *s)
{
    size_t total = 0;
    size_t ways = 2;
    for (size_t i = 0; i <= s->parts; i++)
        total += s->input[i].len;
    if (!play(s, (struct cutting){0}) || !play(s, (struct cutting){.step = total > 2000000 ? 1021 : 1}))
        return;
    size_t stride = total / CUTS_MAX + 1;
    for (size_t cut = 1; cut < total && total < 2000000; cut += stride, ways++)
        if (!play(s, (struct cutting){.first = cut}))
            return;
    printf("ok %s (%zu ways)\n", strrchr(s->path, '/') + 1, ways);
}

int main(int argc, char **argv)
{
    int played = 0;
    for (int i = 1; i < argc; i++) {
        glob_t found;
        CHECK(glob(argv[i], 0, NULL, &found) == 0);
        for (size_t k = 0; k < found.gl_pathc; k++, played++) {
            static struct script script;
            read_script(&script, found.gl_pathv[k]);
            play_all_ways(&script);
            free_script(&script);
        }
        globfree(&found);
    }
    printf("%d transcripts, %d failures\n", played, failures);
    return failures > 0 || played == 0;
}
