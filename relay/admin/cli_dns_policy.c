// SPDX-License-Identifier: BSD-2-Clause
/* cli_dns_policy.c - The command dns --format mta-sts: the policy file on stdout, for the domain's
 * web server; and for a person, on stderr, what is to be done in which order. A record that is
 * published before its file, or a file that changes after its record, leaves senders with none. */
#include "dns_check.h"

#include "admin_texts.h"
#include "template.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 64 * 1024 };

static void add_hosts(const struct dns_work *w, struct buf *out)
{
    struct span rest = span_of(w->plan.policy);
    const char *before = "";
    while (rest.len > 0) {
        struct span line = span_trim(span_take(&rest, '\n'));
        if (!span_starts_nocase(line, SPAN("mx: ")))
            continue;
        buf_addf(out, "%s\"%.*s\"", before, SPAN_ARG(span_from(line, 4)));
        before = ", ";
    }
}

/* Where the host is to lead, as the plan has it. */
static void add_target(const struct dns_work *w, struct buf *out)
{
    for (size_t i = 0; i < w->plan.count; i++) {
        const struct records_item *it = &w->plan.items[i];
        if (it->role != RECORDS_POLICY_HOST)
            continue;
        buf_addf(out, ": %s ", dns_type_name(it->record.type));
        escape(span_of(it->record.value), ESCAPE_TEXT, out);
        buf_addf(out, "%s", it->state == RECORDS_OK ? ", which is there" : "");
        return;
    }
}

static void insert(const void *view, struct span word, struct buf *out)
{
    const struct dns_work *w = view;
    char age[64] = "";
    uint32_t age_s = w->in.policy.max_age_s;
    if (age_s > 0 && age_s != MTA_STS_AGE_S)
        snprintf(age, sizeof(age), "  mta_sts_max_age = %u", (unsigned)age_s);
    const struct {
        const char *name, *value;
    } words[] = {{"domain", w->domain},
                 {"mode", mta_sts_mode_name(w->in.policy.mode)},
                 {"id", w->plan.policy_id},
                 {"age", age},
                 {"served", w->in.policy.served_at ? "yes" : ""}};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (span_equal(word, span_of(words[i].name))) {
            buf_addf(out, "%s", words[i].value);
            return;
        }
    bool target = span_equal(word, SPAN("target"));
    CHECK(target || span_equal(word, SPAN("mx")));
    (target ? add_target : add_hosts)(w, out);
}

int cli_dns_policy(const struct dns_work *w)
{
    static const struct template t = {.open = '<', .close = '>', .insert = insert};
    struct buf steps;
    struct err err = {0};
    if (!w->plan.policy[0]) {
        err_set(&err, ERR_NOT_FOUND,
                "%s: no MX record is found whose hosts a policy could name: ask again when there "
                "is one, or set domain \"%s\" { mta_sts_mx }",
                w->domain, w->domain);
        return cli_fail(&err);
    }
    buf_init(&steps, STEPS_MAX);
    template_print(&t, w, admin_texts[ADMIN_POLICY], &steps);
    fputs(w->plan.policy, stdout);
    fflush(stdout);
    fputs(buf_text(&steps), stderr);
    buf_fini(&steps);
    return CLI_OK;
}
