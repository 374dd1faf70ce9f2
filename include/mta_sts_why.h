// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_why.h - What can be wrong with an MTA-STS policy, and why one could not be had
 * (mta_sts.h): one word for each. */
#ifndef MTA_STS_WHY_H
#define MTA_STS_WHY_H

/* ---- what is wrong with its text (RFC 8461 section 3.2) ---- */

#define MTA_STS_FAULTS(X)                     \
    X(SOUND, "")                              \
    X(TOO_LARGE, "too-large")                 \
    X(NOT_A_PAIR, "not-a-pair")               \
    X(CONTROL_CHARACTER, "control-character") \
    X(MISSING_VERSION, "missing-version")     \
    X(BAD_VERSION, "bad-version")             \
    X(MISSING_MODE, "missing-mode")           \
    X(BAD_MODE, "bad-mode")                   \
    X(MISSING_MAX_AGE, "missing-max_age")     \
    X(BAD_MAX_AGE, "bad-max_age")             \
    X(MISSING_MX, "missing-mx")               \
    X(BAD_MX, "bad-mx")

#define MTA_STS_FAULT_ENUM(name, word) MTA_STS_##name,
enum mta_sts_fault { MTA_STS_FAULTS(MTA_STS_FAULT_ENUM) MTA_STS_FAULT_COUNT };
#undef MTA_STS_FAULT_ENUM

/* ---- why nothing new was had ---- */

/* A word for each: in the log, in what commands say and in TLS reports (delivery.md says what to
 * do). What is wrong with a policy's text has the fault's word behind "policy-". */
#define MTA_STS_WHYS(X)                               \
    X(NOTHING, "")                                    \
    X(NO_RECORD, "no-record")                         \
    X(SEVERAL_RECORDS, "several-records")             \
    X(RECORD_MALFORMED, "record-malformed")           \
    X(TXT_LOOKUP_FAILED, "txt-lookup-failed")         \
    X(ADDRESS_LOOKUP_FAILED, "address-lookup-failed") \
    X(HOST_NOT_FOUND, "host-not-found")               \
    X(ADDRESS_NOT_PUBLIC, "address-not-public")       \
    X(CONNECT_FAILED, "connect-failed")               \
    X(TLS_FAILED, "tls-failed")                       \
    X(CERTIFICATE, "certificate")                     \
    X(TIMEOUT, "timeout")                             \
    X(TOO_LARGE, "too-large")                         \
    X(HTTP_MALFORMED, "http-malformed")               \
    X(HTTP_STATUS, "http-status")                     \
    X(FAILED_BEFORE, "fetch-failed-before")           \
    X(NO_ANSWER_IN_TIME, "no-answer-in-time")         \
    X(TOO_MANY_WAIT, "too-many-wait")                 \
    X(FETCHER_BUSY, "fetcher-busy")                   \
    X(FETCHER_GONE, "fetcher-gone")

#define MTA_STS_WHY_ENUM(name, word) MTA_STS_WHY_##name,
#define MTA_STS_WHY_FAULT_ENUM(name, word) MTA_STS_WHY_POLICY_##name,
enum mta_sts_why {
    MTA_STS_WHYS(MTA_STS_WHY_ENUM) MTA_STS_FAULTS(MTA_STS_WHY_FAULT_ENUM) MTA_STS_WHY_COUNT
};
#undef MTA_STS_WHY_ENUM
#undef MTA_STS_WHY_FAULT_ENUM
/* "http-status" …; "" of MTA_STS_WHY_NOTHING. */
const char *mta_sts_why_name(enum mta_sts_why why);

#endif
