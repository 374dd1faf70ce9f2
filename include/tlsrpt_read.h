// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_read.h - Reads the TLS reports that others send (RFC 8460): a mail message, a compressed
 * file, or JSON.
 *
 * What can be understood is taken, whatever the form, and what was wrong with the form is a
 * warning. Only what says nothing is not readable.
 */
#ifndef TLSRPT_READ_H
#define TLSRPT_READ_H

#include "buf.h"
#include "tlsrpt.h"

/* Bytes of a file, and of what is unpacked from it; how deep its JSON may be, and how many values
 * it may have. */
enum { TLSRPT_FILE_MAX = 16 * 1024 * 1024, TLSRPT_DEPTH_MAX = 32, TLSRPT_VALUES_MAX = 500 * 1000 };

#define TLSRPT_FAULTS(X)                                                          \
    X(READABLE, "", "")                                                           \
    X(NO_REPORT_PART, "no-report-part", "no part of the message is a TLS report") \
    X(ZIP, "zip", "a zip archive: unpack it first")                               \
    X(BAD_GZIP, "bad-gzip", "the compressed file is damaged or cut off")          \
    X(TOO_LARGE, "too-large", "over 16 MB, or over 500,000 values")               \
    X(NOT_JSON, "not-json", "no JSON")                                            \
    X(TOO_DEEP, "too-deep", "JSON that is nested over 32 deep")                   \
    X(NOT_AN_OBJECT, "not-an-object", "JSON, but not an object")                  \
    X(NO_POLICIES, "no-policies", "JSON, but no TLS report: no \"policies\"")     \
    X(NO_COUNTS, "no-counts", "no policy says how many sessions there were")

#define TLSRPT_WARNINGS(X)                                                         \
    X(COMPRESSED, "compressed", "compressed, but called JSON")                     \
    X(NOT_COMPRESSED, "not-compressed", "called compressed, and is not")           \
    X(COMPRESSED_TWICE, "compressed-twice", "compressed twice")                    \
    X(BOM, "bom", "a byte order mark before the JSON")                             \
    X(NOT_UTF8, "not-utf-8", "octets that are not UTF-8, shown as U+FFFD")         \
    X(TRAILING_DATA, "trailing-data", "something after the JSON")                  \
    X(KEY_SPELLING, "key-spelling", "names of members in another case")            \
    X(NO_ORGANIZATION, "organization-missing", "who reports is not said")          \
    X(NO_CONTACT, "contact-missing", "whom to ask is not said")                    \
    X(NO_ID, "report-id-missing", "the report has no identifier")                  \
    X(NO_DATE, "date-missing", "the day is missing, or no date")                   \
    X(NO_TIME, "date-without-time", "a date without a time, taken as midnight")    \
    X(NO_ZONE, "date-without-zone", "a time without a zone, taken as UTC")         \
    X(NOT_ONE_DAY, "not-one-day", "more or less than one day")                     \
    X(POLICIES_NOT_LIST, "policies-not-a-list", "\"policies\" is no list")         \
    X(NONE, "no-policies", "an empty list of policies")                            \
    X(NOT_OBJECT, "policy-not-an-object", "a policy or failure that is no object") \
    X(NOT_NESTED, "policy-not-nested", "a policy's members outside of \"policy\"") \
    X(TYPE_UNKNOWN, "unknown-policy-type", "a kind of policy that RFC 8460 lacks") \
    X(NO_DOMAIN, "policy-domain-missing", "a policy without a domain")             \
    X(STRING_NOT_LIST, "policy-string-not-a-list", "\"policy-string\" is no list") \
    X(STRING_JSON, "policy-string-is-json-text", "a policy as JSON in a text")     \
    X(MX_NOT_LIST, "mx-host-not-a-list", "\"mx-host\" is no list")                 \
    X(DETAILS_NOT_LIST, "failure-details-not-a-list", "failures are no list")      \
    X(RESULT_UNKNOWN, "unknown-result-type", "a result that RFC 8460 lacks")       \
    X(NO_COUNT, "count-missing", "a missing count, taken as 0")                    \
    X(COUNT_TEXT, "count-as-text", "a count as text")                              \
    X(COUNT_INVALID, "count-invalid", "a count that is none, taken as 0")          \
    X(EXCEEDS, "details-exceed-total", "more failures in detail than in total")

#define TLSRPT_FAULT_ENUM(name, word, text) TLSRPT_FAULT_##name,
enum tlsrpt_fault { TLSRPT_FAULTS(TLSRPT_FAULT_ENUM) TLSRPT_FAULT_COUNT };
#undef TLSRPT_FAULT_ENUM
#define TLSRPT_WARNING_ENUM(name, word, text) TLSRPT_WARNING_##name,
enum tlsrpt_warning { TLSRPT_WARNINGS(TLSRPT_WARNING_ENUM) TLSRPT_WARNING_COUNT };
#undef TLSRPT_WARNING_ENUM

/* What it is called: by its content type, or a file by its name. */
enum tlsrpt_label { TLSRPT_UNLABELLED, TLSRPT_LABEL_JSON, TLSRPT_LABEL_GZIP };

struct tlsrpt_reading {
    enum tlsrpt_fault fault; /* else the rest says nothing */
    uint32_t warnings;       /* a bit for each enum tlsrpt_warning */
    struct tlsrpt_report report;
    char domain[256];        /* of the message: TLS-Report-Domain; "" when there is none */
    struct json_t *document; /* what the report borrows from */
};

/* Read one report; `r_r` need not be initialized. Free it with tlsrpt_reading_fini(). */
void tlsrpt_read(struct span bytes, enum tlsrpt_label label, struct tlsrpt_reading *r_r);
void tlsrpt_reading_fini(struct tlsrpt_reading *r);

/* "bad-gzip", and what that means in a sentence without its end. */
const char *tlsrpt_fault_name(enum tlsrpt_fault fault);
const char *tlsrpt_fault_text(enum tlsrpt_fault fault);
const char *tlsrpt_warning_name(enum tlsrpt_warning warning);
const char *tlsrpt_warning_text(enum tlsrpt_warning warning);

#endif
