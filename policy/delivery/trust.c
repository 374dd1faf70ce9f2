// SPDX-License-Identifier: BSD-2-Clause
/* trust.c - Compares what a message requires of a connection with what the connection has proven. A
 * connection that was opened with weaker requirements, or other credentials, is not used. */
#include "trust.h"

#include "buf.h"
#include "check.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

enum { TRUST_LABEL_BYTES = 4 };

void trust_login(struct span username, struct span password, unsigned char login_r[16])
{
    struct buf both;
    memset(login_r, 0, 16);
    if (username.len == 0)
        return;
    buf_init(&both, username.len + password.len + 1);
    buf_add(&both, username);
    buf_add(&both, (struct span){"", 1}); /* a NUL is part of neither */
    buf_add(&both, password);
    secret_digest(buf_span(&both), login_r);
    secret_clear(both.ptr, both.len);
    buf_fini(&both);
    unsigned char user[16];
    secret_digest(username, user);
    memcpy(login_r, user, TRUST_LABEL_BYTES); /* what is shown tells nothing of the password */
}

struct trust trust_for(const struct trust *route, enum tls_need need)
{
    struct trust t = *route;
    bool said = (need == TLS_NEED_VERIFIED && route->level == TRUST_VERIFIED) ||
                (need == TLS_NEED_WAIVED && route->level > TRUST_CLEAR);
    t.need = said ? TLS_NEED_NONE : need;
    return t;
}

static bool covers_need(const struct trust *proven, const struct trust *demanded)
{
    return !tls_need_verifies(demanded->need) || tls_need_verifies(proven->need);
}

static bool covers_host(const struct trust *proven, const struct trust *demanded)
{
    static const unsigned char nothing[sizeof(demanded->host)];
    return memcmp(demanded->host, nothing, sizeof(nothing)) == 0 ||
           memcmp(demanded->host, proven->host, sizeof(proven->host)) == 0;
}

bool trust_covers(const struct trust *proven, const struct trust *demanded)
{
    return proven->dane == demanded->dane && covers_host(proven, demanded) &&
           covers_need(proven, demanded) && proven->level >= demanded->level &&
           proven->named == demanded->named && proven->settings == demanded->settings &&
           memcmp(proven->login, demanded->login, sizeof(proven->login)) == 0;
}

void trust_key(const struct trust *demanded, char *text_r)
{
    static const char digits[] = "0123456789abcdef";
    CHECK(demanded->level <= TRUST_VERIFIED);
    *text_r++ = (char)('0' + demanded->level);
    *text_r++ = demanded->named ? 'n' : 'm';
    for (size_t i = 0; i < sizeof(demanded->login); i++) {
        *text_r++ = digits[demanded->login[i] >> 4];
        *text_r++ = digits[demanded->login[i] & 15];
    }
    if (demanded->dane != DANE_MODE_UNSAID)
        *text_r++ = (char)('0' + demanded->dane);
    if (demanded->need != TLS_NEED_NONE) {
        *text_r++ = 't';
        *text_r++ = (char)('0' + demanded->need);
    }
    *text_r = '\0';
}

static const char *const levels[] = {
    [TRUST_CLEAR] = "", [TRUST_ENCRYPTED] = "require", [TRUST_VERIFIED] = "verify"};

static bool is_level(struct span word, enum trust_level level)
{
    return span_equal(word, span_of(levels[level]));
}

/* As trust_for(): what the route demands covers some needs. */
unsigned trust_label_needs(struct span label)
{
    unsigned needs = 1U << TLS_NEED_NONE;
    while (label.len > 0) {
        struct span word = span_take(&label, ' ');
        for (int need = TLS_NEED_NONE + 1; need < TLS_NEEDS; need++)
            if (span_equal(word, span_of(tls_need_name((enum tls_need)need))))
                return 1U << need;
        if (is_level(word, TRUST_VERIFIED))
            needs |= 1U << TLS_NEED_VERIFIED | 1U << TLS_NEED_WAIVED;
        if (is_level(word, TRUST_ENCRYPTED))
            needs |= 1U << TLS_NEED_WAIVED;
    }
    return needs;
}

void trust_label(const struct trust *demanded, char *text_r)
{
    const unsigned char *login = demanded->login;
    static const unsigned char nobody[sizeof(demanded->login)];
    bool logs_in = memcmp(login, nobody, sizeof(nobody)) != 0;
    char who[24] = "";
    if (logs_in)
        snprintf(who, sizeof(who), "login-%02x%02x%02x%02x", login[0], login[1], login[2],
                 login[3]);
    static const char *const modes[] = {[DANE_MODE_UNSAID] = "",
                                        [DANE_MODE_OFF] = "no-dane",
                                        [DANE_MODE_REPORT] = "dane-report",
                                        [DANE_MODE_ON] = ""};
    const char *parts[] = {levels[demanded->level], tls_need_name(demanded->need),
                           modes[demanded->dane], demanded->named ? "smarthost" : "", who};
    size_t len = 0;
    text_r[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (*parts[i])
            len += (size_t)snprintf(text_r + len, TRUST_LABEL - len, "%s%s", len > 0 ? " " : "",
                                    parts[i]);
}
