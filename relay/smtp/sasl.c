// SPDX-License-Identifier: BSD-2-Clause
/* sasl.c - Decodes the client's base64 and checks it for NUL and control characters before it is
 * used. */
#include "sasl.h"

#include "base64.h"
#include "secret.h"

enum {
    NAME_MAX_OCTETS = 320,
    SECRET_MAX_OCTETS = 1024,
    RESPONSE_MAX = 12288,
    CHALLENGE_MAX = 2048
};

void sasl_init(struct sasl *s)
{
    *s = (struct sasl){0};
    buf_init(&s->challenge, CHALLENGE_MAX);
    buf_init(&s->name, NAME_MAX_OCTETS);
    buf_init(&s->secret, SECRET_MAX_OCTETS);
}

static void wipe(struct buf *b)
{
    if (b->memory)
        secret_clear(b->memory, b->size);
    buf_fini(b);
}

void sasl_fini(struct sasl *s)
{
    wipe(&s->name);
    wipe(&s->secret);
    wipe(&s->challenge);
    if (s->proves)
        scram_fini(&s->scram);
    s->proves = false;
    s->expects = SASL_NONE;
}

static bool is_clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return false;
    return span_is_utf8(s);
}

static enum sasl_step take_plain(struct sasl *s, struct span message)
{
    if (span_find(message, '\0') == message.len)
        return SASL_MALFORMED;
    struct span identity = span_take(&message, '\0');
    if (span_find(message, '\0') == message.len)
        return SASL_MALFORMED;
    struct span name = span_take(&message, '\0');
    if (name.len == 0 || message.len == 0 || !is_clean(name) || !is_clean(identity) ||
        !is_clean(message))
        return SASL_MALFORMED;
    if (identity.len > 0 && !span_equal(identity, name))
        return SASL_IDENTITY;
    return buf_add(&s->name, name) && buf_add(&s->secret, message) ? SASL_READY : SASL_MALFORMED;
}

static enum sasl_step ask(struct sasl *s, struct span challenge)
{
    buf_clear(&s->challenge);
    CHECK(base64_encode(challenge, &s->challenge));
    return SASL_CHALLENGE;
}

static enum sasl_step take_login(struct sasl *s, struct span text)
{
    bool secret = s->expects == SASL_LOGIN_SECRET;
    if (text.len == 0 || !is_clean(text) || !buf_add(secret ? &s->secret : &s->name, text))
        return SASL_MALFORMED;
    if (secret)
        return SASL_READY;
    s->expects = SASL_LOGIN_SECRET;
    return ask(s, SPAN("Password:"));
}

/* ---- SCRAM ---- */

static enum sasl_step take_first(struct sasl *s, struct span message)
{
    static const enum sasl_step steps[] = {[SCRAM_OK] = SASL_KEYS,
                                           [SCRAM_MALFORMED] = SASL_MALFORMED,
                                           [SCRAM_IDENTITY] = SASL_IDENTITY,
                                           [SCRAM_REFUSED] = SASL_READY};
    return steps[scram_first(&s->scram, message, &s->name)];
}

enum sasl_step sasl_keys(struct sasl *s, const char *keys)
{
    char nonce[SCRAM_NONCE + 1];
    unsigned char random[SCRAM_NONCE / 4 * 3];
    struct buf text;
    secret_random(random, sizeof(random));
    buf_init(&text, CHALLENGE_MAX);
    CHECK(base64_encode((struct span){(const char *)random, sizeof(random)}, &text) &&
          span_copy(buf_span(&text), nonce, sizeof(nonce)));
    buf_clear(&text);
    scram_challenge(&s->scram, keys, span_of(nonce), &text);
    s->expects = SASL_SCRAM_FINAL;
    enum sasl_step step = ask(s, buf_span(&text));
    buf_fini(&text);
    return step;
}

static enum sasl_step take_final(struct sasl *s, struct span message)
{
    buf_clear(&s->secret);
    enum scram_fault fault = scram_final(&s->scram, message, &s->secret);
    s->proven = fault == SCRAM_OK;
    return fault == SCRAM_MALFORMED ? SASL_MALFORMED : SASL_READY;
}

bool sasl_prove(struct sasl *s)
{
    if (!s->proven)
        return false;
    s->expects = SASL_SCRAM_END;
    ask(s, buf_span(&s->secret));
    return true;
}

/* ---- lines ---- */

static enum sasl_step take(struct sasl *s, struct span message)
{
    switch (s->expects) {
    case SASL_PLAIN:
        return take_plain(s, message);
    case SASL_LOGIN_NAME:
    case SASL_LOGIN_SECRET:
        return take_login(s, message);
    case SASL_SCRAM_FIRST:
        return take_first(s, message);
    case SASL_SCRAM_FINAL:
        return take_final(s, message);
    case SASL_SCRAM_END:
        return message.len == 0 ? SASL_DONE : SASL_MALFORMED;
    case SASL_NONE:
        break;
    }
    return SASL_MALFORMED;
}

enum sasl_step sasl_line(struct sasl *s, struct span line)
{
    struct buf decoded;
    if (span_equal(line, SPAN("*")))
        return SASL_CANCELLED;
    buf_init(&decoded, RESPONSE_MAX);
    enum sasl_step step = SASL_MALFORMED;
    if (base64_decode(line, &decoded))
        step = take(s, buf_span(&decoded));
    wipe(&decoded);
    return step;
}

static bool choose(struct sasl *s, struct span mechanism, const unsigned char *binding)
{
    bool plus = span_equal_nocase(mechanism, SPAN("SCRAM-SHA-256-PLUS"));
    if (span_equal_nocase(mechanism, SPAN("PLAIN"))) {
        s->expects = SASL_PLAIN;
    } else if (span_equal_nocase(mechanism, SPAN("LOGIN"))) {
        s->expects = SASL_LOGIN_NAME;
        ask(s, SPAN("Username:"));
    } else if ((plus && binding) || span_equal_nocase(mechanism, SPAN("SCRAM-SHA-256"))) {
        s->expects = SASL_SCRAM_FIRST;
        s->proves = true;
        scram_init(&s->scram, plus, binding);
    } else {
        return false;
    }
    return true;
}

enum sasl_step sasl_begin(struct sasl *s, struct span args, const unsigned char *binding)
{
    struct span response = args;
    struct span mechanism = span_take(&response, ' ');
    bool has_response = mechanism.len < args.len;
    if (!choose(s, mechanism, binding))
        return SASL_UNKNOWN;
    if (!has_response)
        return SASL_CHALLENGE;
    if (span_equal(response, SPAN("="))) /* RFC 4954 section 4: an empty initial response */
        response = SPAN_NONE;
    return sasl_line(s, response);
}
