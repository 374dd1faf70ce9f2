// SPDX-License-Identifier: BSD-2-Clause
/* webhook_post.c - Header fields as Standard Webhooks has them. No redirect is followed; of the
 * answer a little is read, and nothing of it is used. */
#include "webhook_post.h"

#include "secret.h"

#include <stdio.h>

enum { ANSWER_MAX = 4096, TIMEOUT_S = 20 };

static bool sign(const char *secret, const char *id, int64_t now_s, struct span body,
                 struct buf *out)
{
    struct webhook_key key;
    bool ok = webhook_secret_read(span_of(secret), &key);
    if (ok)
        webhook_secret_sign((struct span){(const char *)key.bytes, key.len}, id, now_s, body, out);
    secret_clear(&key, sizeof(key));
    return ok;
}

bool webhook_post_order(const struct config *config, const struct webhook *w, const char *id,
                        struct span body, int64_t now_ms, struct fetch_order *order_r)
{
    struct buf signatures;
    int64_t now_s = now_ms / 1000;
    *order_r = (struct fetch_order){.content_type = "application/json",
                                    .answer_max = ANSWER_MAX,
                                    .timeout_s = TIMEOUT_S,
                                    .clear = config->webhooks_private,
                                    .public_only = !config->webhooks_private};
    buf_init(&signatures, 200);
    bool ok = sign(w->secret, id, now_s, body, &signatures) &&
              (w->old_until_ms <= now_ms || sign(w->old_secret, id, now_s, body, &signatures));
    snprintf(order_r->url, sizeof(order_r->url), "%s", w->url);
    snprintf(order_r->authorities, sizeof(order_r->authorities), "%s", config->ca_file);
    snprintf(order_r->fields, sizeof(order_r->fields),
             "webhook-id: %s\nwebhook-timestamp: %lld\nwebhook-signature: %s", id, (long long)now_s,
             buf_text(&signatures));
    buf_fini(&signatures);
    return ok;
}

struct webhook_answer webhook_post_answer(const struct fetch_result *result)
{
    struct webhook_answer a = {.how = WEBHOOK_UNREACHED};
    if (!result->begun)
        a.how = WEBHOOK_NOT_ASKED;
    /* What is said beside the status does not matter, however long it is. */
    if (result->outcome == FETCH_ANSWERED ||
        (result->outcome == FETCH_TOO_LARGE && result->status > 0))
        a = (struct webhook_answer){.how = WEBHOOK_ANSWERED,
                                    .status = result->status,
                                    .retry_after_s = result->retry_after_s};
    return a;
}
