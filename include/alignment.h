// SPDX-License-Identifier: BSD-2-Clause
/* alignment.h - Predicts how receivers will judge a message: SPF, DKIM and DMARC, in one verdict
 * and one sentence, with the DNS record that corrects the problem.
 *
 * Each check is evaluated in two ways: exactly by the standards, which decides, and by the
 * libraries that many receivers use, whose difference is a warning. A DNS failure is never treated
 * as "no record".
 */
#ifndef ALIGNMENT_H
#define ALIGNMENT_H

#include "dkim_record.h"
#include "dmarc.h"
#include "dmarc_deployed.h"
#include "err.h"
#include "records.h"
#include "spf.h"
#include "spf_deployed.h"

enum alignment_mode { ALIGNMENT_OFF, ALIGNMENT_OBSERVE, ALIGNMENT_ENFORCE };
/* As the settings have it: "off", "observe", "enforce". */
const char *alignment_mode_name(enum alignment_mode mode);

enum alignment_state {
    ALIGNMENT_PENDING, /* DNS is still under way */
    ALIGNMENT_PASS,
    ALIGNMENT_WARN,   /* would pass, or no policy is published; but something is wrong */
    ALIGNMENT_FAIL,   /* certain to fail a DMARC policy of quarantine or reject */
    ALIGNMENT_UNKNOWN /* DNS does not answer */
};
/* "pending", "pass" … */
const char *alignment_state_name(enum alignment_state state);

enum { ALIGNMENT_IPS_MAX = 16, ALIGNMENT_KEYS_MAX = 4 };

struct alignment_key {
    char selector[64];
    enum key_algorithm algorithm;
    char public_key[1024]; /* base64 */
};

struct alignment_input {
    const char *author;        /* From domain, normal form: also d= of the signatures */
    const char *return_domain; /* MAIL FROM domain, normal form; empty: the null sender */
    const char *helo;          /* what this relay says in EHLO */
    const char *const *public_ips;
    size_t ip_count;
    const struct alignment_key *keys; /* the active ones */
    size_t key_count;
    const struct suffixes *suffixes;
    int64_t now_ms;
};

struct alignment {
    enum alignment_state state;
    char sentence[600];
    struct record fix; /* to be published; fix.name is empty when there is none */
    uint32_t ttl_s;    /* how long DNS lets this be believed */
};

/* How it came to that. */
struct alignment_detail {
    struct {
        struct spf_answer strict;
        struct spf_reading deployed;
    } spf[ALIGNMENT_IPS_MAX];
    size_t ip_count;
    enum dkim_state dkim[ALIGNMENT_KEYS_MAX];
    size_t key_count;
    struct dmarc_answer strict;
    struct dmarc_reading deployed;
};

/* Judge a pair of domains. With ALIGNMENT_PENDING, `dns` has been asked for all that is missing so
 * far. */
void alignment_judge(const struct alignment_input *input, const struct dns *dns,
                     struct alignment *alignment_r, struct alignment_detail *detail_r);

/* The answer to a submission: 550 5.7.26 (RFC 7372 section 3.2), or accept. */
struct verdict alignment_verdict(const struct alignment *a, enum alignment_mode mode);
/* Append what to publish: one line that says where, one that is the record. Nothing without a fix.
 */
void alignment_hint(const struct alignment *a, struct buf *lines);

#endif
