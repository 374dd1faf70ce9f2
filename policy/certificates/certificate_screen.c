// SPDX-License-Identifier: BSD-2-Clause
/* certificate_screen.c - Reads as much of a certificate as tells what parsing it costs.
 *
 * OpenSSL decodes a certificate's key while it parses the certificate, before anybody can look at
 * it. On a curve of the key's own, with a prime chosen for that, one compressed point takes it a
 * quarter of a second. RFC 5480 section 2.1.1 forbids such curves: what has no name is not parsed.
 *
 * - Two tables say which kinds of keys are parsed, and on which curves: each takes half a
 *   millisecond at most, in whatever form. No others are: OpenSSL knows some kinds by several
 *   identifiers, P-224 takes it several times as long, and newer releases know more.
 * - Of each element the tag must be the one that belongs there, and the length definite: then
 *   OpenSSL finds the key where it was found here, or finds none.
 *
 * And where the extensions say where lists of revoked certificates are, OpenSSL keeps the issuer's
 * whole name once more for each that is named relative to it: in 32 KB, half a gigabyte, and eight
 * seconds. RFC 5280 section 4.2.1.13 advises against such names.
 */
#include "certificate_screen.h"

#include "check.h"

#include <string.h>

enum {
    BOOLEAN = 0x01,
    INTEGER = 0x02,
    BIT_STRING = 0x03,
    OCTET_STRING = 0x04,
    OBJECT = 0x06,
    SEQUENCE = 0x30,
    VERSION = 0xa0,
    ISSUER_ID = 0x81,
    SUBJECT_ID = 0x82,
    EXTENSIONS = 0xa3,
    POINT_NAME = 0xa0, /* of a distribution point */
    POINT_REASONS = 0x81,
    POINT_ISSUER = 0xa2,
    FULL_NAME = 0xa0, /* in a POINT_NAME */
    RELATIVE_NAME = 0xa1,
    RELATIVE_NAME_PRIMITIVE = 0x81,
};
enum { LONG_FORM = 0x80, LENGTH_MAX = 3 };
enum { MESSAGE_HEAD = 4, CERTIFICATE = 11, COMPRESSED_CERTIFICATE = 25 };

static const char *const texts[] = {
    [CERTIFICATE_FINE] = "nothing",
    [CERTIFICATE_MALFORMED] = "it is malformed",
    [CERTIFICATE_OWN_CURVE] = "its key has curve parameters of its own (RFC 5480 section 2.1.1)",
    [CERTIFICATE_UNKNOWN_KEY] = "its key is of a kind, or on a curve, that is not used",
    [CERTIFICATE_RELATIVE_NAME] =
        "it names lists of revoked certificates relative to its issuer (RFC 5280 4.2.1.13)",
    [CERTIFICATE_TOO_MANY] = "it comes with more than 32 certificates",
    [CERTIFICATE_COMPRESSED] = "it is compressed, which was not asked for",
};

/* An object identifier, as it is encoded. */
#define KIND(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }
static const struct {
    struct span kind;
    bool on_curve; /* its parameters are the curve */
} keys[] = {
    {KIND("\x2a\x86\x48\xce\x3d\x02\x01"), true},          /* id-ecPublicKey */
    {KIND("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), false}, /* rsaEncryption */
    {KIND("\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"), false}, /* id-RSASSA-PSS */
    {KIND("\x2b\x65\x70"), false},                         /* id-Ed25519 */
    {KIND("\x2b\x65\x71"), false},                         /* id-Ed448 */
    {KIND("\x2a\x86\x48\xce\x38\x04\x01"), false},         /* id-dsa */
    {KIND("\x60\x86\x48\x01\x65\x03\x04\x03\x11"), false}, /* id-ml-dsa-44 */
    {KIND("\x60\x86\x48\x01\x65\x03\x04\x03\x12"), false}, /* id-ml-dsa-65 */
    {KIND("\x60\x86\x48\x01\x65\x03\x04\x03\x13"), false}, /* id-ml-dsa-87 */
};

static const struct span curves[] = {
    KIND("\x2a\x86\x48\xce\x3d\x03\x01\x07"),     /* P-256 */
    KIND("\x2b\x81\x04\x00\x22"),                 /* P-384 */
    KIND("\x2b\x81\x04\x00\x23"),                 /* P-521 */
    KIND("\x2b\x81\x04\x00\x0a"),                 /* secp256k1 */
    KIND("\x2b\x24\x03\x03\x02\x08\x01\x01\x07"), /* brainpoolP256r1 */
    KIND("\x2b\x24\x03\x03\x02\x08\x01\x01\x0b"), /* brainpoolP384r1 */
    KIND("\x2b\x24\x03\x03\x02\x08\x01\x01\x0d"), /* brainpoolP512r1 */
    KIND("\x2a\x81\x1c\xcf\x55\x01\x82\x2d"),     /* SM2 */
};

const char *certificate_fault_text(enum certificate_fault fault)
{
    return texts[fault];
}

/* A length of so many octets. */
static bool take_length(struct span *rest, size_t octets, size_t *len_r)
{
    size_t len = 0;
    if (rest->len < octets)
        return false;
    for (size_t i = 0; i < octets; i++)
        len = len << 8 | (unsigned char)rest->ptr[i];
    *rest = span_from(*rest, octets);
    *len_r = len;
    return true;
}

static bool take_bytes(struct span *rest, size_t len, struct span *held_r)
{
    if (rest->len < len)
        return false;
    *held_r = span_first(*rest, len);
    *rest = span_from(*rest, len);
    return true;
}

/* One element with this tag (X.690 section 8.1), and what it holds. */
static bool take(struct span *rest, unsigned char tag, struct span *held_r)
{
    size_t len = 0;
    if (rest->len < 2 || (unsigned char)rest->ptr[0] != tag)
        return false;
    *rest = span_from(*rest, 1);
    if (!take_length(rest, 1, &len))
        return false;
    if (len >= LONG_FORM) { /* of no octets: indefinite */
        size_t octets = len - LONG_FORM;
        if (octets == 0 || octets > LENGTH_MAX || !take_length(rest, octets, &len))
            return false;
    }
    return take_bytes(rest, len, held_r);
}

/* ---- keys ---- */

/* What `parameters` hold: an OBJECT names a curve, and all else writes one out, or names none. */
static enum certificate_fault screen_curve(struct span parameters)
{
    struct span name;
    if (!take(&parameters, OBJECT, &name) || parameters.len > 0)
        return CERTIFICATE_OWN_CURVE;
    for (size_t i = 0; i < COUNT_OF(curves); i++)
        if (span_equal(curves[i], name))
            return CERTIFICATE_FINE;
    return CERTIFICATE_UNKNOWN_KEY;
}

static enum certificate_fault screen_algorithm(struct span kind, struct span parameters)
{
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (span_equal(keys[i].kind, kind))
            return keys[i].on_curve ? screen_curve(parameters) : CERTIFICATE_FINE;
    return CERTIFICATE_UNKNOWN_KEY;
}

static enum certificate_fault take_key(struct span *rest)
{
    struct span info;
    struct span algorithm;
    struct span kind;
    struct span bits;
    if (!take(rest, SEQUENCE, &info) || !take(&info, SEQUENCE, &algorithm) ||
        !take(&info, BIT_STRING, &bits) || info.len > 0 || !take(&algorithm, OBJECT, &kind))
        return CERTIFICATE_MALFORMED;
    return screen_algorithm(kind, algorithm);
}

enum certificate_fault certificate_screen_key(struct span der)
{
    enum certificate_fault fault = take_key(&der);
    return der.len > 0 ? CERTIFICATE_MALFORMED : fault;
}

/* ---- certificates ---- */

/* What stands before the key: the version, if it is not the first, and these. */
static bool skip_to_key(struct span *to_be_signed)
{
    static const unsigned char before[] = {INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE};
    struct span skipped;
    bool ok = to_be_signed->len > 0 && ((unsigned char)to_be_signed->ptr[0] != VERSION ||
                                        take(to_be_signed, VERSION, &skipped));
    for (size_t i = 0; ok && i < COUNT_OF(before); i++)
        ok = take(to_be_signed, before[i], &skipped);
    return ok;
}

static bool begins_with(struct span rest, unsigned char tag)
{
    return rest.len > 0 && (unsigned char)rest.ptr[0] == tag;
}

/* Of a distribution point. OpenSSL takes either form of the tag. */
static enum certificate_fault screen_point_name(struct span name)
{
    struct span held;
    if (begins_with(name, RELATIVE_NAME) || begins_with(name, RELATIVE_NAME_PRIMITIVE))
        return CERTIFICATE_RELATIVE_NAME;
    return take(&name, FULL_NAME, &held) && name.len == 0 ? CERTIFICATE_FINE
                                                          : CERTIFICATE_MALFORMED;
}

static enum certificate_fault screen_point(struct span point)
{
    struct span held;
    if (begins_with(point, POINT_NAME)) {
        enum certificate_fault fault =
            take(&point, POINT_NAME, &held) ? screen_point_name(held) : CERTIFICATE_MALFORMED;
        if (fault != CERTIFICATE_FINE)
            return fault;
    }
    bool ok = !begins_with(point, POINT_REASONS) || take(&point, POINT_REASONS, &held);
    ok = ok && (!begins_with(point, POINT_ISSUER) || take(&point, POINT_ISSUER, &held));
    return ok && point.len == 0 ? CERTIFICATE_FINE : CERTIFICATE_MALFORMED;
}

/* What the extension holds (RFC 5280 section 4.2.1.13). */
static enum certificate_fault screen_points(struct span held)
{
    enum certificate_fault fault = CERTIFICATE_FINE;
    struct span points;
    struct span point;
    if (!take(&held, SEQUENCE, &points) || held.len > 0)
        return CERTIFICATE_MALFORMED;
    while (fault == CERTIFICATE_FINE && points.len > 0)
        fault = take(&points, SEQUENCE, &point) ? screen_point(point) : CERTIFICATE_MALFORMED;
    return fault;
}

static enum certificate_fault screen_extension(struct span one)
{
    static const struct span lists_are_at = KIND("\x55\x1d\x1f");
    struct span kind;
    struct span held;
    if (!take(&one, OBJECT, &kind) || (begins_with(one, BOOLEAN) && !take(&one, BOOLEAN, &held)) ||
        !take(&one, OCTET_STRING, &held) || one.len > 0)
        return CERTIFICATE_MALFORMED;
    return span_equal(kind, lists_are_at) ? screen_points(held) : CERTIFICATE_FINE;
}

/* What stands behind the key. */
static enum certificate_fault screen_extensions(struct span rest)
{
    enum certificate_fault fault = CERTIFICATE_FINE;
    struct span all = SPAN_NONE;
    struct span held = SPAN_NONE;
    bool ok = !begins_with(rest, ISSUER_ID) || take(&rest, ISSUER_ID, &held);
    ok = ok && (!begins_with(rest, SUBJECT_ID) || take(&rest, SUBJECT_ID, &held));
    held = SPAN_NONE;
    ok = ok && (!begins_with(rest, EXTENSIONS) ||
                (take(&rest, EXTENSIONS, &held) && take(&held, SEQUENCE, &all)));
    if (!ok || rest.len > 0 || held.len > 0)
        return CERTIFICATE_MALFORMED;
    while (fault == CERTIFICATE_FINE && all.len > 0)
        fault = take(&all, SEQUENCE, &held) ? screen_extension(held) : CERTIFICATE_MALFORMED;
    return fault;
}

enum certificate_fault certificate_screen(struct span der)
{
    struct span whole;
    struct span to_be_signed;
    struct span skipped;
    if (!take(&der, SEQUENCE, &whole) || der.len > 0 || !take(&whole, SEQUENCE, &to_be_signed) ||
        !take(&whole, SEQUENCE, &skipped) || !take(&whole, BIT_STRING, &skipped) || whole.len > 0 ||
        !skip_to_key(&to_be_signed))
        return CERTIFICATE_MALFORMED;
    enum certificate_fault fault = take_key(&to_be_signed);
    return fault == CERTIFICATE_FINE ? screen_extensions(to_be_signed) : fault;
}

/* ---- messages ---- */

/* With its length before it, of so many octets. */
static bool take_counted(struct span *rest, size_t octets, struct span *held_r)
{
    size_t len = 0;
    return take_length(rest, octets, &len) && take_bytes(rest, len, held_r);
}

static enum certificate_fault screen_list(struct span list, bool tls13)
{
    struct span one;
    struct span extensions;
    for (size_t count = 0; list.len > 0; count++) {
        if (count == CERTIFICATES_MAX)
            return CERTIFICATE_TOO_MANY;
        if (!take_counted(&list, 3, &one) || (tls13 && !take_counted(&list, 2, &extensions)))
            return CERTIFICATE_MALFORMED;
        enum certificate_fault fault = certificate_screen(one);
        if (fault != CERTIFICATE_FINE)
            return fault;
    }
    return CERTIFICATE_FINE;
}

static enum certificate_fault screen_body(struct span body, bool tls13)
{
    struct span context = SPAN_NONE; /* of a server always empty */
    struct span list;
    if ((tls13 && !take_counted(&body, 1, &context)) || context.len > 0 ||
        !take_counted(&body, 3, &list) || body.len > 0)
        return CERTIFICATE_MALFORMED;
    return screen_list(list, tls13);
}

enum certificate_fault certificate_screen_message(unsigned char *message, size_t len, bool tls13)
{
    enum certificate_fault fault = CERTIFICATE_FINE;
    struct span body = span_from((struct span){(const char *)message, len}, MESSAGE_HEAD);
    if (len > 0 && message[0] == COMPRESSED_CERTIFICATE)
        fault = CERTIFICATE_COMPRESSED;
    else if (len > 0 && message[0] == CERTIFICATE)
        fault = screen_body(body, tls13);
    /* Its first octets are lengths, or a method of compression: none is so long or called so. */
    if (fault != CERTIFICATE_FINE && body.len > 0)
        memset(message + MESSAGE_HEAD, 0xff, span_first(body, 4).len);
    return fault;
}
