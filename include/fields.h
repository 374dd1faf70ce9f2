// SPDX-License-Identifier: BSD-2-Clause
/* fields.h - Content rules of header fields. */
#ifndef FIELDS_H
#define FIELDS_H

#include "err.h"
#include "message.h"

enum field_fate { FIELD_PASSES, FIELD_SIGNED, FIELD_REMOVED };

struct field_rule {
    struct span name;
    bool once;
    enum {
        FORM_TEXT,      /* anything */
        FORM_SENDER,    /* one mailbox, which the credential must be allowed to use */
        FORM_ADDRESSES, /* mailboxes and groups, one at least */
        FORM_SUBJECT,   /* text of at most MESSAGE_SUBJECT_MAX octets */
        FORM_DATE,
        FORM_ID,  /* one msg-id */
        FORM_KEY, /* text of at most MESSAGE_ID_MAX octets */
        FORM_TLS  /* "verify" */
    } form;
    bool drop_empty; /* when it says nothing, it is left out of what leaves */
    enum field_fate fate;
    const char *section;
};

/* The field's row; NULL: it may hold anything, and passes. */
const struct field_rule *fields_find(struct span name);
/* Does it say who the message is from? */
bool fields_is_sender(struct span name);
/* The rows in order; NULL at their end, which is before FIELDS_MAX. */
enum { FIELDS_MAX = 64 };
const struct field_rule *fields_at(size_t i);
size_t fields_index(const struct field_rule *rule);

/* Does the value keep the row's rule? The verdict says which one it breaks, and what to write. */
struct verdict fields_check(const struct field_rule *rule, const struct field *f);

/* The msg-id in a Message-ID's value (RFC 5322 section 3.6.4), without comments around it. */
MUST_CHECK bool fields_message_id(struct span value, struct span *id_r);
/* A refusal that names the field, the rule and its place. */
struct verdict fields_refusal(const char *enhanced, struct span name, const char *rule,
                              const char *section);

#endif
