// SPDX-License-Identifier: BSD-2-Clause
/* judged.h - SPF, DMARC and alignment for commands: evaluated here with the configured resolvers,
 * and converted to JSON. */
#ifndef JUDGED_H
#define JUDGED_H

#include "cli.h"

#include "alignment.h"

/* A pair of domains and what was found; begin with the domains, the rest zero. */
struct judged {
    char author[ADDRESS_DOMAIN_MAX + 1], return_domain[ADDRESS_DOMAIN_MAX + 1];
    char tenant[64]; /* whose domain it is */
    struct alignment_key keys[ALIGNMENT_KEYS_MAX];
    size_t key_count;
    struct alignment alignment;
    struct alignment_detail detail;
    json_t *questions; /* what DNS was asked; freed by judged_free() */
};

/* Take the active keys of `author` from rows of "key.list". */
void judged_keys(struct judged *j, json_t *key_rows);
/* Judge them all; DNS is asked for all at once. */
MUST_CHECK bool judged_run(const struct config *config, struct judged *pairs, size_t count,
                           struct err *err);
void judged_free(struct judged *j);

/* {"state", "sentence", "fix", "dkim", "spf", "dmarc", "questions"} */
json_t *judged_json(const struct config *config, const struct judged *j);
/* The same for a person. */
void judged_print(const struct judged *j);

json_t *judged_spf(const struct spf_answer *strict, const struct spf_reading *deployed);
json_t *judged_dmarc(const struct dmarc_answer *strict, const struct dmarc_reading *deployed);
json_t *judged_questions(const struct dns_log *log);

#endif
