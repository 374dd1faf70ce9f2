// SPDX-License-Identifier: BSD-2-Clause
/* meaning.c - Tables of codes and words that receivers use in refusals that do not concern the
 * current message. */
#include "meaning.h"

#include "span.h"

#include <string.h>

static bool says(const char *text, const char *word)
{
    struct span w = span_of(word);
    for (struct span s = span_of(text); s.len >= w.len; s = span_from(s, 1))
        if (span_starts_nocase(s, w))
            return true;
    return false;
}

/* RFC 3207 section 4: "530 Must issue a STARTTLS command first"; RFC 5248: X.7.10. */
bool meaning_wants_tls(const struct verdict *v, bool by_policy)
{
    static const char *const words[] = {"tls", "encrypt", "ssl"};
    if (v->what != VERDICT_REJECT)
        return false;
    if (v->code == 530 || strcmp(v->enhanced, "5.7.10") == 0 ||
        (by_policy && strncmp(v->enhanced, "5.7.", 4) == 0))
        return true;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (says(v->text, words[i]))
            return true;
    return false;
}

struct verdict meaning_without_tls(const struct verdict *v)
{
    return verdict_make(451, "4.7.10", "Server requires TLS, which could not be started: %d %s%s%s",
                        v->code, v->enhanced, v->enhanced[0] ? " " : "", v->text);
}

/* RFC 4954 section 6. */
bool meaning_wants_login(const struct verdict *v)
{
    static const char *const words[] = {"authentication required", "authentication is required",
                                        "must authenticate", "not authenticated", "log in first"};
    bool wants = v->code == 530 || v->code == 535 || strcmp(v->enhanced, "5.7.8") == 0;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        wants = wants || says(v->text, words[i]);
    return wants && v->what == VERDICT_REJECT;
}

/* "Relay access denied" (Postfix), "Relaying denied" (sendmail), "relay not permitted" (Exim),
 * "Unable to relay" (Exchange). "User unknown in relay recipient table" is 5.1.1. */
bool meaning_denies_relay(const struct verdict *v)
{
    static const char *const words[] = {
        "denied",         "not permitted", "not allowed", "unable to", "cannot",  "not relay",
        "not authorized", "prohibited",    "forbidden",   "refused",   "no relay"};
    bool about_address = strncmp(v->enhanced, "5.1.", 4) == 0 || says(v->text, "unknown");
    if (v->what != VERDICT_REJECT || about_address || !says(v->text, "relay"))
        return false;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (says(v->text, words[i]))
            return true;
    return false;
}

/* RFC 3463 section 3.2: X.1.7 and X.1.8 are the sender's address. */
bool meaning_is_sender(const struct verdict *v)
{
    return v->what == VERDICT_REJECT &&
           (strcmp(v->enhanced, "5.1.7") == 0 || strcmp(v->enhanced, "5.1.8") == 0);
}
