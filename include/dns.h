// SPDX-License-Identifier: BSD-2-Clause
/* dns.h - DNS as pure code sees it: a question has an answer, or none yet.
 *
 * Whoever needs DNS is given a `struct dns` and asks it. When an answer is still under way it says
 * DNS_PENDING: the caller then gives up with a result of its own for that, somebody fetches what
 * was asked for, and the whole computation begins again. It is cheap, and so no evaluator needs to
 * be interrupted. A failure (DNS_FAILED) is never the same as "there is no such record".
 */
#ifndef DNS_H
#define DNS_H

#include "buf.h"
#include "span.h"

enum { DNS_NAME_MAX = 253, DNS_RRS_MAX = 512 };

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_DNSKEY = 48,
    DNS_TLSA = 52,
    DNS_CAA = 257
};

enum dns_status {
    DNS_PENDING, /* not known yet */
    DNS_FOUND,
    DNS_NODATA,   /* the name exists, without records of this type */
    DNS_NXDOMAIN, /* neither the name nor anything below it exists (RFC 8020) */
    DNS_FAILED    /* timeout, SERVFAIL, bogus: nothing is known */
};

/* One record. A, AAAA: 4 or 16 bytes. MX, PTR, NS, CNAME: a name as text, lower case, no last dot;
 * SOA: that of the primary server. TXT: the strings joined. SRV, TLSA, CAA: as a zone file has it,
 * without the last dot. DNSKEY: bytes. */
struct dns_rr {
    unsigned preference; /* MX */
    struct span data;
    struct span
        wire; /* TXT: the strings, each after its length. TLSA: as on the wire; else empty */
};

struct dns_answer {
    enum dns_status status;
    bool refused;    /* DNS_FAILED, but somebody answered, and it was not SERVFAIL */
    bool late;       /* DNS_FAILED after so long that nobody can have answered */
    bool secure;     /* signed, and validated; with an alias, each step to what it is for */
    bool bogus;      /* DNS_FAILED: its signatures are wrong, or missing; */
    char *fault;     /* what is wrong with them, a printable line; NULL: not said */
    char *canonical; /* what the name is an alias for, at the end of the chain; NULL: nothing */
    uint32_t ttl_s;  /* how long it may be kept, also when it says that there is nothing */
    uint32_t given_ttl_s; /* what DNS said when the answer came; ttl_s may be bounded */
    size_t count;
    size_t unreadable; /* MX: names that are no host's, and left out */
    struct dns_rr *rrs;
};

/* Why there is no answer that can be used: of DNS_FAILED, and of DNS_PENDING when its time is over.
 */
enum dns_failure { DNS_SILENT, DNS_BOGUS, DNS_REFUSES, DNS_SERVFAIL, DNS_FAILURES };
enum dns_failure dns_failure_of(const struct dns_answer *a);
/* "no answer in time (dns-timeout)" …: the words in parentheses are those of delivery.md. */
const char *dns_failure_text(enum dns_failure failure);

/* `ask`: the answer to a valid name in lower case; never NULL, borrowed until `dns` is given
 * something to do from outside. */
struct dns {
    const struct dns_answer *(*ask)(void *context, const char *name, enum dns_type type);
    void *context;
};

/* "A", "TXT" … */
const char *dns_type_name(enum dns_type type);
const char *dns_status_name(enum dns_status status); /* "found", "nodata" … */

/* Labels of 1 to 63 octets, at most 253 in all, no zero byte, no last dot. */
bool dns_name_valid(struct span name);
/* Is `name` equal to `domain`, or below it? Both in lower case. */
bool dns_name_within(const char *name, const char *domain);
void dns_name_lower(char *name); /* ASCII only */
/* How many labels; 0 for the empty name. */
size_t dns_name_labels(const char *name);

/* An answer that owns its records. Free with dns_answer_free(). */
struct dns_answer *dns_answer_new(enum dns_status status, uint32_t ttl_s);
/* Copy one more record; what is over DNS_RRS_MAX is left out. */
void dns_answer_add(struct dns_answer *a, unsigned preference, struct span data);
/* The same, and what it was made from. */
void dns_answer_add_wire(struct dns_answer *a, struct span data, struct span wire);
/* The name is an alias for this one. */
void dns_answer_alias(struct dns_answer *a, const char *canonical);
/* The same of a TXT record, from its wire form. */
void dns_answer_add_text(struct dns_answer *a, struct span wire);
/* One more record of a type, from its data in wire form, names uncompressed; what is malformed is
 * left out (dns_wire.c). */
void dns_wire_add(struct dns_answer *a, enum dns_type type, struct span wire);
/* Servers give records in any order: put them in one that is always the same. */
void dns_answer_sort(struct dns_answer *a);
void dns_answer_free(struct dns_answer *a);
size_t dns_answer_bytes(const struct dns_answer *a); /* what it takes in memory */

/* One record's data as a zone file has it, but TXT without quotes and names without the last
 * dot. */
void dns_rr_print(enum dns_type type, const struct dns_rr *rr, struct buf *out);
/* The name that has the PTR record of an address, IPv4 or IPv6 in text; false when it is none.
 * `name_r` holds at least DNS_NAME_MAX + 1 bytes. */
MUST_CHECK bool dns_reverse_name(const char *ip, char *name_r);

/* DNS with one answer exchanged. Hand `dns` on. */
struct dns_overlay {
    struct dns dns;
    const struct dns *behind;
    const char *name; /* borrowed */
    enum dns_type type;
    const struct dns_answer *answer; /* borrowed */
};
void dns_overlay_init(struct dns_overlay *o, const struct dns *behind, const char *name,
                      enum dns_type type, const struct dns_answer *answer);

/* ---- zones ---- */

/* The zone that a name is in: the nearest name upwards with an SOA. DNS_PENDING, DNS_FAILED
 * (nothing is known) or DNS_FOUND; `zone_r` holds at least DNS_NAME_MAX + 1 bytes. `secure_r`: it
 * is signed, and the signature was validated. */
enum dns_status dns_zone(const struct dns *dns, const char *name, char *zone_r, bool *secure_r);

/* ---- what was asked ---- */

struct dns_question {
    char name[DNS_NAME_MAX + 1];
    enum dns_type type;
    enum dns_status status;
};

/* Between an evaluator and its DNS: notes each different question in the order of its first asking.
 * Hand `dns` on.
 */
struct dns_log {
    struct dns dns;
    const struct dns *behind;
    struct dns_question *questions;
    size_t count;
    uint32_t ttl_s; /* the shortest of all answers; UINT32_MAX while there was none */
};

/* `behind` is borrowed until dns_log_fini(), which frees the questions. */
void dns_log_init(struct dns_log *log, const struct dns *behind);
void dns_log_fini(struct dns_log *log);

#endif
