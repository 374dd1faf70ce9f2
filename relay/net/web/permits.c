// SPDX-License-Identifier: BSD-2-Clause
/* permits.c - Reads permits from the cookies of a request, and sets them in an answer. */
#include "permits.h"

#include "clock.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

enum { COOKIE_MAX = 400 };

static struct unsubscribe_permit permit_for(const struct optout *who, enum optout_kind kind)
{
    return (struct unsubscribe_permit){.tenant = who->tenant,
                                       .pause = kind == OPTOUT_FLOOD,
                                       .stream = kind == OPTOUT_STREAM ? who->stream : "",
                                       .recipient = who->recipient};
}

struct wanted {
    const struct unsubscribe_keys *keys;
    struct unsubscribe_permit permit;
    char name[UNSUBSCRIBE_PERMIT_NAME];
};

/* All of that name are tried: a forged one before ours takes nothing away. */
static enum MHD_Result on_cookie(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct wanted *w = context;
    (void)kind;
    bool found = value && strcmp(name, w->name) == 0 &&
                 unsubscribe_permitted(w->keys, span_of(value), clock_now_ms(), &w->permit);
    return found ? MHD_NO : MHD_YES;
}

void permits_read(struct MHD_Connection *request, const struct unsubscribe_keys *keys,
                  struct optout *who)
{
    for (unsigned i = 0; i < OPTOUT_KINDS; i++) {
        struct wanted w = {keys, permit_for(who, (enum optout_kind)i), ""};
        unsubscribe_permit_name(&w.permit, w.name);
        MHD_get_connection_values(request, MHD_COOKIE_KIND, on_cookie, &w);
        who->marks[i] = w.permit.made_ms;
    }
}

static void set_cookie(struct MHD_Response *answer, const struct unsubscribe_permit *permit,
                       const char *value, int64_t age_s)
{
    char name[UNSUBSCRIBE_PERMIT_NAME];
    char cookie[COOKIE_MAX];
    unsubscribe_permit_name(permit, name);
    snprintf(cookie, sizeof(cookie),
             "%s=%s; Path=/; Max-Age=%lld; Secure; HttpOnly; SameSite=Strict", name, value,
             (long long)age_s);
    MHD_add_response_header(answer, "Set-Cookie", cookie);
}

void permits_give(struct MHD_Response *answer, const struct unsubscribe_keys *keys,
                  const struct optout *who, enum optout_kind kind, int64_t made_ms)
{
    struct unsubscribe_permit permit = permit_for(who, kind);
    struct buf value;
    permit.made_ms = made_ms;
    buf_init(&value, UNSUBSCRIBE_PERMIT_MAX);
    if (unsubscribe_permit(keys, &permit, &value))
        set_cookie(answer, &permit, buf_text(&value), unsubscribe_permit_ms / 1000);
    buf_fini(&value);
}

void permits_take(struct MHD_Response *answer, const struct optout *who)
{
    for (unsigned i = 0; i < OPTOUT_KINDS; i++) {
        const struct unsubscribe_permit used = permit_for(who, (enum optout_kind)i);
        if (who->marks[i] > 0)
            set_cookie(answer, &used, "", 0);
    }
}
