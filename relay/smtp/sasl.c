// SPDX-License-Identifier: BSD-2-Clause
/* sasl.c - What the client says is base64; what comes out is checked for NULs and control bytes
 * before anyone sees it.
 */
#include "sasl.h"

#include "secret.h"

enum { NAME_MAX_OCTETS = 320, SECRET_MAX_OCTETS = 1024, RESPONSE_MAX = 12288 };

void sasl_init(struct sasl *s)
{
    *s = (struct sasl){.challenge = ""};
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

static enum sasl_step take_login(struct sasl *s, struct span text)
{
    bool secret = s->expects == SASL_LOGIN_SECRET;
    if (text.len == 0 || !is_clean(text) || !buf_add(secret ? &s->secret : &s->name, text))
        return SASL_MALFORMED;
    if (secret)
        return SASL_READY;
    s->expects = SASL_LOGIN_SECRET;
    s->challenge = "UGFzc3dvcmQ6"; /* "Password:" */
    return SASL_CHALLENGE;
}

enum sasl_step sasl_line(struct sasl *s, struct span line)
{
    struct buf decoded;
    if (span_equal(line, SPAN("*")))
        return SASL_CANCELLED;
    buf_init(&decoded, RESPONSE_MAX);
    enum sasl_step step = SASL_MALFORMED;
    if (secret_base64_decode(line, &decoded))
        step = s->expects == SASL_PLAIN ? take_plain(s, buf_span(&decoded))
                                        : take_login(s, buf_span(&decoded));
    wipe(&decoded);
    return step;
}

enum sasl_step sasl_begin(struct sasl *s, struct span args)
{
    struct span response = args;
    struct span mechanism = span_take(&response, ' ');
    bool has_response = mechanism.len < args.len;
    if (span_equal_nocase(mechanism, SPAN("PLAIN"))) {
        s->expects = SASL_PLAIN;
        s->challenge = "";
    } else if (span_equal_nocase(mechanism, SPAN("LOGIN"))) {
        s->expects = SASL_LOGIN_NAME;
        s->challenge = "VXNlcm5hbWU6"; /* "Username:" */
    } else {
        return SASL_UNKNOWN;
    }
    if (!has_response)
        return SASL_CHALLENGE;
    if (span_equal(response, SPAN("="))) /* RFC 4954 section 4: an empty initial response */
        response = SPAN_NONE;
    return sasl_line(s, response);
}
