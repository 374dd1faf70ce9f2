// SPDX-License-Identifier: BSD-2-Clause
/* return_path.c - The same at each try, by the settings of that time; the row keeps the sender. */
#include "return_path.h"

#include "returns_token.h"

#include <stdio.h>

static const char *domain_of(const struct settings *settings, const struct mail *m)
{
    const struct config_domain *d = config_domain(settings->config, m->from_domain);
    bool ours = m->protocol[0] == '\0' && !m->dialogue; /* send-test's goes as applications' does */
    return d && !ours && m->envelope.sender[0] ? d->return_path : "";
}

bool return_path_needed(const struct settings *settings, const struct mail *m)
{
    return domain_of(settings, m)[0] != '\0';
}

static struct returns_subject subject_of(const struct mail *m, size_t i)
{
    return (struct returns_subject){.message = m->id,
                                    .number = m->rows ? m->rows[i].number : (unsigned)i};
}

bool return_path_has(const struct settings *settings, const struct mail *m, size_t recipient)
{
    const struct returns_subject subject = subject_of(m, recipient);
    return return_path_needed(settings, m) && returns_token_fits(&subject);
}

void return_path_make(const struct settings *settings, const struct mail *m, size_t recipient,
                      char sender_r[ADDRESS_MAX + 1])
{
    const struct returns_subject subject = subject_of(m, recipient);
    if (!return_path_has(settings, m, recipient))
        snprintf(sender_r, ADDRESS_MAX + 1, "%s", m->envelope.sender);
    else
        returns_token_address(&settings->unsubscribe, &subject, domain_of(settings, m), sender_r);
}

unsigned return_path_notify(const struct settings *settings, const struct mail *m, size_t recipient)
{
    unsigned notify = m->envelope.rcpts[recipient].notify;
    bool ours =
        (notify & (NOTIFY_SUCCESS | NOTIFY_DELAY)) != 0 && return_path_has(settings, m, recipient);
    return ours ? NOTIFY_FAILURE : notify;
}

enum envelope_return return_path_report(const struct settings *settings, const struct mail *m,
                                        size_t recipient)
{
    bool ours = m->envelope.report == RETURN_UNSAID && return_path_has(settings, m, recipient);
    return ours ? RETURN_HEADERS : m->envelope.report;
}
