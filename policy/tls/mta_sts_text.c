// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_text.c - A policy as its owner's web server says it (RFC 8461 section 3.2): one text for
 * each policy. Of that text the id of the TXT record is a digest (section 3.1), and so it changes
 * when the policy does, and only then. */
#include "mta_sts.h"
#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In a text each host takes a few bytes more than in memory. */
enum { TEXT_MAX = 8 * MTA_STS_BODY_MAX, DIGITS = 16 };

static int by_name(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    size_t least = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->ptr, y->ptr, least);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void print_hosts(struct span hosts, struct buf *out)
{
    size_t count = 0;
    size_t most = 0;
    for (struct span rest = hosts; rest.len > 0; most++)
        (void)span_take(&rest, '\n');
    struct span *sorted = xcalloc(most + 1, sizeof(*sorted));
    while (hosts.len > 0)
        sorted[count++] = span_take(&hosts, '\n');
    qsort(sorted, count, sizeof(*sorted), by_name);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !span_equal(sorted[i], sorted[i - 1]))
            buf_addf(out, "mx: %.*s\r\n", SPAN_ARG(sorted[i]));
    free(sorted);
}

bool mta_sts_policy_is_brief(const struct mta_sts_policy *policy)
{
    enum { DAY_S = 24 * 3600 };
    return policy->mode != MTA_STS_MODE_NONE && policy->max_age_s < DAY_S;
}

void mta_sts_policy_print(const struct mta_sts_policy *policy, struct buf *out)
{
    buf_addf(out, "version: STSv1\r\nmode: %s\r\n", mta_sts_mode_name(policy->mode));
    print_hosts(buf_span(&policy->mx), out);
    buf_addf(out, "max_age: %u\r\n", policy->max_age_s);
}

void mta_sts_policy_id(const struct mta_sts_policy *policy, char *id_r)
{
    char hex[65];
    struct buf text;
    buf_init(&text, TEXT_MAX);
    mta_sts_policy_print(policy, &text);
    secret_sha256(buf_span(&text), hex);
    snprintf(id_r, MTA_STS_ID_MAX + 1, "sp%.*s", DIGITS, hex);
    buf_fini(&text);
}

bool mta_sts_policy_made_id(struct span id)
{
    bool made = id.len == 2 + DIGITS && id.ptr[0] == 's' && id.ptr[1] == 'p';
    for (size_t i = 2; made && i < id.len; i++)
        made = (id.ptr[i] >= '0' && id.ptr[i] <= '9') || (id.ptr[i] >= 'a' && id.ptr[i] <= 'f');
    return made;
}
