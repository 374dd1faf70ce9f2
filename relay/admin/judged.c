// SPDX-License-Identifier: BSD-2-Clause
/* judged.c - Runs the SPF, DMARC and alignment evaluators of policy/ with real DNS, and converts
 * their results to JSON. */
#include "judged.h"

#include "clock.h"
#include "server.h"

#include <stdio.h>
#include <string.h>

json_t *judged_questions(const struct dns_log *log)
{
    json_t *list = json_array();
    for (size_t i = 0; i < log->count; i++) {
        json_array_append_new(list,
                              ROW(FIELD("name", log->questions[i].name),
                                  FIELD("type", dns_type_name(log->questions[i].type)),
                                  FIELD("status", dns_status_name(log->questions[i].status))));
    }
    return list;
}

json_t *judged_spf(const struct spf_answer *strict, const struct spf_reading *deployed)
{
    json_t *s = ROW(FIELD("result", spf_result_name(strict->result)),
                    FIELD("explanation", strict->explanation), FIELD("reason", strict->why),
                    FIELD("mechanism", strict->mechanism), FIELD("terms", strict->terms),
                    FIELD("voids", strict->voids));
    json_t *d = ROW(FIELD("result", deployed->read ? spf_result_name(deployed->result) : "unknown"),
                    FIELD("reason", deployed->why));
    return ROW(FIELD("domain", strict->domain), FIELD("strict", s), FIELD("deployed", d));
}

json_t *judged_dmarc(const struct dmarc_answer *strict, const struct dmarc_reading *deployed)
{
    json_t *s = ROW(FIELD("result", dmarc_result_name(strict->result)),
                    FIELD("policy", strict->found ? json_string(dmarc_policy_name(strict->policy))
                                                  : json_null()),
                    FIELD("organizational_domain", strict->organizational_domain),
                    FIELD("record_domain", strict->record_domain), FLAG("testing", strict->testing),
                    FLAG("spf_aligned", strict->spf_aligned),
                    FLAG("dkim_aligned", strict->dkim_aligned), FIELD("reason", strict->why));
    json_t *d = json_object();
    bool has_policy = deployed->result == DMARC_PASS || deployed->result == DMARC_FAIL;
    PUT(d, FIELD("result", dmarc_result_name(deployed->result)),
        FIELD("policy",
              has_policy ? json_string(dmarc_policy_name(deployed->policy)) : json_null()),
        FIELD("organizational_domain", deployed->organizational_domain),
        FLAG("spf_aligned", deployed->spf_aligned), FLAG("dkim_aligned", deployed->dkim_aligned),
        FIELD("reason", deployed->why));
    return ROW(FIELD("strict", s), FIELD("deployed", d));
}

/* ---- pairs ---- */

void judged_keys(struct judged *j, json_t *key_rows)
{
    for (size_t i = 0; i < json_array_size(key_rows) && j->key_count < ALIGNMENT_KEYS_MAX; i++) {
        json_t *row = json_array_get(key_rows, i);
        struct alignment_key *k = &j->keys[j->key_count];
        bool ours = strcmp(json_row_get(row, "domain"), j->author) == 0 &&
                    strcmp(json_row_get(row, "state"), "active") == 0;
        if (ours && key_algorithm_parse(span_of(json_row_get(row, "algorithm")), &k->algorithm) &&
            span_copy(span_of(json_row_get(row, "selector")), k->selector, sizeof(k->selector)) &&
            span_copy(span_of(json_row_get(row, "public")), k->public_key, sizeof(k->public_key)))
            j->key_count++;
    }
}

struct work {
    const struct config *config;
    struct judged *pairs;
    size_t count;
    struct suffixes *suffixes;
};

static bool judge(const struct work *w, struct judged *j, const struct dns *dns)
{
    struct dns_log log;
    const char *ips[ALIGNMENT_IPS_MAX];
    const struct alignment_input input = {.author = j->author,
                                          .return_domain = j->return_domain,
                                          .helo = config_tenant_helo(w->config, j->tenant),
                                          .public_ips = ips,
                                          .ip_count = config_tenant_ips(w->config, j->tenant, ips),
                                          .keys = j->keys,
                                          .key_count = j->key_count,
                                          .suffixes = w->suffixes,
                                          .now_ms = clock_now_ms()};
    dns_log_init(&log, dns);
    alignment_judge(&input, &log.dns, &j->alignment, &j->detail);
    bool done = j->alignment.state != ALIGNMENT_PENDING;
    if (done)
        j->questions = judged_questions(&log);
    dns_log_fini(&log);
    return done;
}

static bool step(void *context, const struct dns *dns)
{
    struct work *w = context;
    bool done = true;
    for (size_t i = 0; i < w->count; i++)
        if (!w->pairs[i].questions && !judge(w, &w->pairs[i], dns))
            done = false;
    return done;
}

bool judged_run(const struct config *config, struct judged *pairs, size_t count, struct err *err)
{
    struct work w = {config, pairs, count, suffixes_new()};
    bool ok = server_resolve(config, step, &w, err);
    suffixes_free(w.suffixes);
    return ok;
}

void judged_free(struct judged *j)
{
    json_decref(j->questions);
    j->questions = NULL;
}

/* ---- showing them ---- */

static json_t *fix_json(const struct record *fix)
{
    if (!fix->name[0])
        return json_null();
    return ROW(FIELD("name", fix->name), FIELD("type", dns_type_name(fix->type)),
               FIELD("value", fix->value));
}

json_t *judged_json(const struct config *config, const struct judged *j)
{
    json_t *keys = json_array();
    json_t *ips = json_array();
    const char *own[ALIGNMENT_IPS_MAX];
    (void)config_tenant_ips(config, j->tenant, own); /* as it was judged */
    for (size_t i = 0; i < j->detail.key_count; i++) {
        json_t *row = ROW(FIELD("selector", j->keys[i].selector),
                          FIELD("algorithm", key_algorithm_name(j->keys[i].algorithm)),
                          FIELD("state", dkim_state_name(j->detail.dkim[i])));
        json_array_append_new(keys, row);
    }
    for (size_t i = 0; i < j->detail.ip_count; i++) {
        json_t *row = judged_spf(&j->detail.spf[i].strict, &j->detail.spf[i].deployed);
        PUT(row, FIELD("ip", own[i]));
        json_array_append_new(ips, row);
    }
    json_t *all =
        ROW(FIELD("state", alignment_state_name(j->alignment.state)),
            FIELD("sentence", j->alignment.sentence), FIELD("fix", fix_json(&j->alignment.fix)),
            FIELD("dkim", keys), FIELD("spf", ips),
            FIELD("dmarc", judged_dmarc(&j->detail.strict, &j->detail.deployed)));
    json_object_set(all, "questions", j->questions);
    return all;
}

void judged_print(const struct judged *j)
{
    printf("%s: ", alignment_state_name(j->alignment.state));
    cli_print_safe(j->alignment.sentence);
    putchar('\n');
    if (j->alignment.fix.name[0]) {
        printf("Publish this %s record at %s:\n", dns_type_name(j->alignment.fix.type),
               j->alignment.fix.name);
        cli_print_safe(j->alignment.fix.value);
        putchar('\n');
    }
}
