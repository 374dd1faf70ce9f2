// SPDX-License-Identifier: BSD-2-Clause
/* config_policies.c - MTA-STS policies in sections `domain`: made once, as the page's listener
 * serves them at hosts that serve nothing else. */
#include "config_rules.h"

#include <stdlib.h>
#include <string.h>

static const char prefix[] = "mta-sts.";

/* As its owner has said it; whoever cannot be named was refused. */
static void make_policy(const struct config_domain *d, struct mta_sts_policy *policy_r)
{
    mta_sts_policy_init(policy_r, (enum mta_sts_mode)(d->mta_sts_mode - CONFIG_POLICY_NONE),
                        d->mta_sts_max_age_s);
    for (size_t i = 0; i < d->mta_sts_mx_count; i++)
        (void)mta_sts_policy_add(policy_r, span_of(d->mta_sts_mx[i]));
}

static void set_text(struct config_reading *r, cfg_t *section, struct config_domain *d)
{
    struct mta_sts_policy policy;
    struct buf text;
    make_policy(d, &policy);
    buf_init(&text, MTA_STS_BODY_MAX);
    mta_sts_policy_print(&policy, &text);
    if (text.overflow || policy.mx.overflow)
        config_fault(r, section, "mta_sts_mx", "mta_sts_mx is longer than a policy may be (64 KB)");
    else
        d->mta_sts_text = xstrdup(buf_text(&text));
    if (mta_sts_policy_is_brief(&policy))
        config_note(r, section, "mta_sts_max_age",
                    "mta_sts_max_age: senders forget the policy after %u seconds, and mail between "
                    "two of them has none: take weeks",
                    d->mta_sts_max_age_s);
    buf_fini(&text);
    mta_sts_policy_fini(&policy);
}

/* Are the page's links below this host? */
static bool is_page(const struct config *c, const char *domain)
{
    const char *url = strstr(c->http_url, "://");
    struct span host = url ? span_first(span_of(url + 3), strcspn(url + 3, ":/")) : SPAN_NONE;
    return span_starts_nocase(host, SPAN(prefix)) &&
           span_equal_nocase(span_from(host, strlen(prefix)), span_of(domain));
}

static void finish(struct config_reading *r, cfg_t *section, struct config_domain *d)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    if (!mta_sts_domain(span_of(d->name), name))
        config_fault(r, section, "mta_sts_mode", "%.80s is too long for an MTA-STS policy",
                     d->name);
    else if (d->mta_sts_mode != CONFIG_POLICY_NONE && d->mta_sts_mx_count == 0)
        config_fault(r, section, "mta_sts_mode",
                     "needs mta_sts_mx beside it: the hosts that take the domain's mail");
    else if (is_page(r->config, d->name))
        config_fault(r, section, "mta_sts_mode",
                     "serves the policy at the host of http { url }: give the page another host");
    else
        set_text(r, section, d);
}

void config_policies_finish(struct config_reading *r)
{
    for (size_t i = 0; i < r->config->domain_count; i++)
        if (r->config->domains[i].mta_sts_mode != CONFIG_POLICY_OFF)
            finish(r, cfg_getnsec(r->cfg, "domain", (unsigned)i), &r->config->domains[i]);
}
