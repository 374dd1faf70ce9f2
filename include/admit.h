// SPDX-License-Identifier: BSD-2-Clause
/* admit.h - Decides whether to accept a message, as far as no state is needed. */
#ifndef ADMIT_H
#define ADMIT_H

#include "identity.h"
#include "message.h"
#include "stream.h"
#include "tls_need.h"

struct admit_input {
    const struct identity *identity;
    const struct stream *streams;
    size_t stream_count;
    struct span sender; /* MAIL FROM; empty for the null sender */
    struct span header;
    bool smtputf8;
    bool requiretls;    /* said at MAIL */
    bool may_waive_tls; /* TLS-Required: No is honoured */
    struct message_facts facts;
};

/* What the relay needs to know about an admitted message. */
struct admission {
    struct message_summary summary;
    char sender_domain[ADDRESS_DOMAIN_MAX + 1]; /* normal form; empty for the null sender */
    char stream[64];                            /* empty: none */
    bool foreign; /* refused, because the credential may not send as that author */
    enum stream_class class;
    enum stream_on_limit on_limit;
    enum tls_need tls_need;
    int64_t lifetime_ms;
};

/* May this credential say MAIL FROM with that address? The null sender may always be said. */
struct verdict admit_sender(const struct identity *identity, struct span sender);

/* May this message be accepted? `admission_r` is filled when the verdict accepts; its spans borrow
 * from the header. */
struct verdict admit_message(const struct admit_input *input, struct admission *admission_r);

#endif
