// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_record.c - The TXT record that says which policy a domain has now (RFC 8461 section 3.1),
 * to the letter: a record that is malformed is as none. */
#include "mta_sts.h"

#include "versioned.h"

#include <string.h>

enum { NAME_MAX_LEN = 32 };

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_id(struct span value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!is_alphanumeric(value.ptr[i]))
            return false;
    return value.len >= 1 && value.len <= MTA_STS_ID_MAX;
}

/* sts-ext-name "=" sts-ext-value */
static bool is_extension(struct span name, struct span value)
{
    bool ok = name.len >= 1 && name.len <= NAME_MAX_LEN && is_alphanumeric(name.ptr[0]);
    for (size_t i = 0; i < name.len && ok; i++)
        ok = is_alphanumeric(name.ptr[i]) || (name.ptr[i] && strchr("_-.", name.ptr[i]));
    for (size_t i = 0; i < value.len && ok; i++)
        ok = value.ptr[i] > ' ' && value.ptr[i] <= '~' && value.ptr[i] != '=';
    return ok && value.len > 0;
}

/* The first id counts; a later one may be anything (section 3.2, which speaks of both). */
static bool take_field(struct span field, char *id_r)
{
    struct span value = field;
    struct span name = span_take(&value, '=');
    if (!span_equal(name, SPAN("id")))
        return name.len < field.len && is_extension(name, value);
    if (id_r[0])
        return true;
    return is_id(value) && span_copy(value, id_r, MTA_STS_ID_MAX + 1);
}

enum mta_sts_record mta_sts_record_read(const struct dns_answer *answer, char *id_r)
{
    struct span fields = SPAN_NONE;
    struct span field;
    id_r[0] = '\0';
    switch (versioned_find(answer, SPAN("v=STSv1"), &fields)) {
    case VERSIONED_NONE:
        return MTA_STS_NO_RECORD;
    case VERSIONED_SEVERAL:
        return MTA_STS_SEVERAL_RECORDS;
    case VERSIONED_FOUND:
        break;
    }
    while (versioned_next(&fields, &field))
        if (!take_field(field, id_r))
            return MTA_STS_RECORD_MALFORMED;
    return id_r[0] ? MTA_STS_RECORD : MTA_STS_RECORD_MALFORMED;
}

const char *mta_sts_record_name(enum mta_sts_record record)
{
    static const char *const names[] = {"valid", "no-record", "multiple", "syntax"};
    CHECK((size_t)record < COUNT_OF(names));
    return names[record];
}

bool mta_sts_domain(struct span domain, char *name_r)
{
    return address_domain_ascii(domain, name_r) &&
           strlen(name_r) + strlen("_mta-sts.") <= DNS_NAME_MAX;
}
