// SPDX-License-Identifier: BSD-2-Clause
/* dns_work.h - The plan of a domain's records, from the settings, the keys and the command's
 * options; and what is shown of it.
 */
#ifndef DNS_WORK_H
#define DNS_WORK_H

#include "cli.h"

#include "records.h"
#include "zone_probe.h"

struct dns_work {
    const struct config *config;
    json_t *key_rows; /* holds the texts of the keys */
    struct records_input in;
    struct records_key keys[RECORDS_ITEMS_MAX];
    char domain[DNS_NAME_MAX + 1], return_path[DNS_NAME_MAX + 1], page_host[DNS_NAME_MAX + 1];
    char spare_target[DNS_NAME_MAX + 1];
    char spki[65], tenant[64];
    const char *senders[ALIGNMENT_IPS_MAX];
    struct records_source sources[2 * ALIGNMENT_IPS_MAX]; /* of the domain's mail */
    unsigned ttl_s;
    bool surveyed; /* DNS has been asked */
    struct records_plan plan;
};

/* For a domain in normal form, with these rows of "key.list"; wrong options are said. Free with
 * dns_work_free(). */
MUST_CHECK bool dns_work_new(struct cli *cli, const char *domain, json_t *key_rows,
                             struct dns_work **work_r, struct err *err);
void dns_work_free(struct dns_work *w);

/* The names whose zones hold the records, for a survey; `names_r` holds ZONE_PROBE_NAMES_MAX. */
size_t dns_work_names(const struct dns_work *w, const char **names_r);

/* Rows, one for each item; the whole document (version 1). */
json_t *dns_work_row(const struct dns_work *w, size_t item);
json_t *dns_work_json(const struct dns_work *w);
/* The template of Domain Connect for these records. */
json_t *dns_work_template(const struct dns_work *w);
/* For a person. */
void dns_work_print(const struct dns_work *w);
void dns_work_print_item(const struct dns_work *w, size_t item);
void dns_work_print_notes(const struct dns_work *w);

#endif
