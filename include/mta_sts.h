// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts.h - MTA-STS (RFC 8461): a domain's own word on which hosts take its mail, and by which
 * certificate, given by a TXT record and a web server.
 *
 * A policy that was once had is applied until it is too old, whatever DNS and the web say
 * meanwhile; without one, mail goes on without. Points of time are the caller's, in ms.
 */
#ifndef MTA_STS_H
#define MTA_STS_H

#include "address.h"
#include "dns.h"
#include "mta_sts_why.h"
#include "tls_policy.h"

enum { MTA_STS_ID_MAX = 32, MTA_STS_BODY_MAX = 64 * 1024, MTA_STS_AGE_MAX_S = 31557600 };
enum { MTA_STS_AGE_S = 14 * 24 * 3600 }; /* of a policy whose owner says nothing else */
enum { MTA_STS_AGE_LEAST_S = 60 }; /* one that is fetched counts so long, and no other is fetched */

/* ---- the TXT record of _mta-sts.DOMAIN (section 3.1) ---- */

enum mta_sts_record {
    MTA_STS_RECORD,
    MTA_STS_NO_RECORD,
    MTA_STS_SEVERAL_RECORDS, /* which is as none */
    MTA_STS_RECORD_MALFORMED
};

/* What an answer to a question for TXT records says; `id_r` holds at least MTA_STS_ID_MAX + 1
 * bytes. */
enum mta_sts_record mta_sts_record_read(const struct dns_answer *answer, char *id_r);
/* "multiple" … */
const char *mta_sts_record_name(enum mta_sts_record record);

/* Whose policy it is for mail to `domain`: its A-labels. False of an address literal, and of a
 * name too long for "mta-sts." before it. `name_r` holds at least ADDRESS_DOMAIN_MAX + 1 bytes. */
MUST_CHECK bool mta_sts_domain(struct span domain, char *name_r);

/* ---- the policy (section 3.2) ---- */

enum mta_sts_mode { MTA_STS_MODE_NONE, MTA_STS_MODE_TESTING, MTA_STS_MODE_ENFORCE };

struct mta_sts_policy {
    enum mta_sts_mode mode;
    uint32_t max_age_s; /* at most MTA_STS_AGE_MAX_S */
    struct buf mx;      /* patterns, in lower case, each with a line end */
};

/* Read a policy's text; `policy_r` need not be initialized. Free it with mta_sts_policy_fini(),
 * also after a fault. */
enum mta_sts_fault mta_sts_policy_read(struct span body, struct mta_sts_policy *policy_r);
void mta_sts_policy_fini(struct mta_sts_policy *policy);
/* "bad-mode" …; "" of MTA_STS_SOUND. */
const char *mta_sts_fault_name(enum mta_sts_fault fault);
/* "enforce" …; false when it is none. */
const char *mta_sts_mode_name(enum mta_sts_mode mode);
MUST_CHECK bool mta_sts_mode_parse(struct span word, enum mta_sts_mode *mode_r);

/* May this MX host have the mail, by its name (section 4.1)? In any case, with or without a last
 * dot, A-labels or not. */
bool mta_sts_matches(const struct mta_sts_policy *policy, struct span host);

/* ---- a policy of one's own ---- */

/* One without hosts. Free it with mta_sts_policy_fini(). */
void mta_sts_policy_init(struct mta_sts_policy *policy_r, enum mta_sts_mode mode,
                         uint32_t max_age_s);
/* One host more, or "*.club.example" for those below a name. False: it is none that a policy can
 * name (section 3.2). */
bool mta_sts_policy_add(struct mta_sts_policy *policy, struct span pattern);
/* Is it kept for less than a day? Then it protects only who gets mail from each sender all the
 * time. Not of mode "none", which is to be forgotten. */
bool mta_sts_policy_is_brief(const struct mta_sts_policy *policy);
/* Append it as its web server has to say it: the same text for the same policy, whatever the order
 * of its hosts. `out` overflows when it has no room for all of it. */
void mta_sts_policy_print(const struct mta_sts_policy *policy, struct buf *out);
/* The id for its TXT record: another one for each other policy. `id_r` holds at least
 * MTA_STS_ID_MAX + 1 bytes. */
void mta_sts_policy_id(const struct mta_sts_policy *policy, char *id_r);
/* Was this id made by mta_sts_policy_id(), of whatever policy? */
bool mta_sts_policy_made_id(struct span id);

/* ---- what is to be done ---- */

enum {
    MTA_STS_QUESTIONS = 3,               /* for the TXT record, before one goes on without */
    MTA_STS_QUESTIONS_MS = 5 * 1000,     /* within this time */
    MTA_STS_PAUSE_MS = 5 * 60 * 1000,    /* after a failure with the same id (section 3.3) */
    MTA_STS_COMMAND_PAUSE_MS = 5 * 1000, /* the same, when an operator has it fetched */
    MTA_STS_FETCHES = 3, /* in such a time, for new ids of a domain whose policy still counts */
};
#define MTA_STS_HOUR_MS INT64_C(3600000)

/* What is known of a domain, as it is kept over restarts. */
struct mta_sts_kept {
    bool there; /* a policy: id, policy, fetched_ms */
    bool brief; /* not over restarts: it may not be kept, and counts for MTA_STS_AGE_LEAST_S */
    char id[MTA_STS_ID_MAX + 1];
    struct mta_sts_policy policy;
    int64_t fetched_ms;
    int64_t used_ms;                    /* when mail was last sent by it */
    char failed_id[MTA_STS_ID_MAX + 1]; /* fetching this one has failed; "": nothing has */
    int64_t failed_ms;
    enum tls_result failure;
    /* Not over restarts: how often mail has had it fetched, */
    unsigned fetches;
    int64_t fetches_ms; /* since then, within MTA_STS_PAUSE_MS */
};

/* How long the policy counts: from when it was fetched, or from now when that is still to come, as
 * after a clock was set back; at least MTA_STS_AGE_LEAST_S, whatever its owner says, or
 * each message would have it fetched. 0: there is none. */
int64_t mta_sts_expires_ms(const struct mta_sts_kept *kept, int64_t now_ms);

enum mta_sts_aim {
    MTA_STS_TO_SEND,    /* mail waits: which policy is it? */
    MTA_STS_TO_REFRESH, /* nothing waits: fetch it again, also where the id is the same */
    MTA_STS_ON_COMMAND  /* the same, also soon after a failure: an operator waits */
};

enum mta_sts_next {
    MTA_STS_ASK,    /* for the TXT record, not before `ask_at_ms`; then mta_sts_told() */
    MTA_STS_FETCH,  /* the policy; then mta_sts_fetched() */
    MTA_STS_DECIDED /* the rest is filled in */
};

/* What the attempt changes in what is kept. */
enum mta_sts_change {
    MTA_STS_UNCHANGED,
    MTA_STS_STORE, /* `fetched`, where was none, or over what was there */
    MTA_STS_BRIEF, /* `fetched` counts for now, and is not written down: what was there goes */
    MTA_STS_FAILED /* note that fetching `id` has failed; a policy that is there stays */
};

struct mta_sts {
    const struct mta_sts_kept *kept; /* borrowed */
    enum mta_sts_aim aim;
    unsigned asked;
    int64_t begun_ms, ask_at_ms;
    char id[MTA_STS_ID_MAX + 1]; /* of the TXT record */
    struct mta_sts_policy fetched;
    /* When decided: */
    const struct mta_sts_policy *policy; /* that counts: the kept one or `fetched`; NULL: none */
    enum mta_sts_change change;
    enum tls_result
        result;           /* for a TLS report of the type "sts": why there is no policy; or NONE */
    char reason[64];      /* its failure-reason-code */
    enum mta_sts_why why; /* nothing new was had, also where something is kept */
    unsigned status;      /* of HTTP, with MTA_STS_WHY_HTTP_STATUS */
    char detail[200];     /* the same for a person: a printable line, or "" */
    enum tls_result failure; /* of the fetch, also where something is kept */
    bool untried;            /* this is no word on the domain, and holds for who has asked only */
};

/* How a fetch ended. */
enum mta_sts_end {
    MTA_STS_ANSWERED,    /* `status` and `body` say how */
    MTA_STS_UNREACHABLE, /* no name, no connection, cut off, too slow, too large */
    MTA_STS_DISTRUSTED,  /* its certificate is not that of mta-sts.DOMAIN */
    MTA_STS_UNTRIED      /* we could not, for a reason of our own: that says nothing of the host */
};
struct mta_sts_response {
    enum mta_sts_end end;
    unsigned status;
    struct span body;     /* all of it, or what says that it is too large */
    enum mta_sts_why why; /* not of what was answered */
    const char *detail;   /* a printable line for a person, or NULL */
};

/* Begin. `kept` is borrowed until mta_sts_fini(). */
enum mta_sts_next mta_sts_begin(struct mta_sts *s, const struct mta_sts_kept *kept,
                                enum mta_sts_aim aim, int64_t now_ms);
/* DNS has answered; a failure (DNS_FAILED) is not "there is none". */
enum mta_sts_next mta_sts_told(struct mta_sts *s, const struct dns_answer *txt, int64_t now_ms);
/* The fetch has ended, or nobody waits for it any longer. */
enum mta_sts_next mta_sts_fetched(struct mta_sts *s, const struct mta_sts_response *response,
                                  int64_t now_ms);
/* Do to `kept`, which it began with, what `change` says. `policy` is not to be used after it. */
void mta_sts_keep(struct mta_sts *s, struct mta_sts_kept *kept, int64_t now_ms);
void mta_sts_fini(struct mta_sts *s);
void mta_sts_kept_fini(struct mta_sts_kept *kept);

/* What is due for what is kept of a domain, when no mail asks, and when: fetched again each day
 * while mail goes there, forgotten when it is too old or was not used for half a year. `spread` is
 * any number that differs from domain to domain. */
enum mta_sts_due { MTA_STS_REFRESH, MTA_STS_DROP };
enum mta_sts_due mta_sts_upkeep(const struct mta_sts_kept *kept, uint32_t spread, int64_t now_ms,
                                int64_t *at_ms_r);

#endif
