// SPDX-License-Identifier: BSD-2-Clause
/* control_sts.c - Verbs about MTA-STS policies: those of the store, and of one domain how it stands
 * in the relay, if one runs. */
#include "clock.h"
#include "control_parts.h"
#include "sts_calls.h"
#include "sts_rows.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 500 };

static bool needs_domain(const struct control *c, char *name_r, struct err *err)
{
    if (!control_needs(c, "domain", err))
        return false;
    return mta_sts_domain(span_of(control_text(c, "domain")), name_r) ||
           err_set(err, ERR_USAGE, "%.255s is not a domain name", control_text(c, "domain"));
}

static json_t *describe(const struct sts_row *row)
{
    const struct mta_sts_kept *k = row->kept;
    char raw[MTA_STS_BODY_MAX + 1] = "";
    json_t *made = ROW(FIELD("domain", row->domain), FIELD("tenant", row->tenant));
    if (k->there) {
        (void)span_copy(row->raw, raw, sizeof(raw));
        PUT(made, FIELD("mode", mta_sts_mode_name(k->policy.mode)), FIELD("id", k->id),
            FIELD("max_age", k->policy.max_age_s),
            FIELD("mx", json_row_lines(buf_span(&k->policy.mx))), FIELD("fetched", k->fetched_ms),
            FIELD("expires", mta_sts_expires_ms(k, clock_now_ms())), FIELD("policy", raw));
    }
    PUT(made, FIELD("last_used", k->used_ms));
    if (k->failed_id[0])
        PUT(made, FIELD("failed_id", k->failed_id),
            FIELD("next_try", k->failed_ms + MTA_STS_PAUSE_MS),
            FIELD("error", tls_result_name(k->failure)));
    return made;
}

struct listing {
    struct control *c;
    const char *only; /* NULL: all */
    size_t count;
    char last[ADDRESS_DOMAIN_MAX + 1];
};

static void on_row(void *context, const struct sts_row *row)
{
    struct listing *l = context;
    if (l->only && strcmp(l->only, row->domain) != 0)
        return;
    l->count++;
    snprintf(l->last, sizeof(l->last), "%s", row->domain);
    control_add_row(l->c, describe(row));
}

/* What the running relay knows besides. */
static void add_standing(struct control *c, const char *domain)
{
    struct sts_standing s;
    if (!c->relay)
        return;
    c->relay->sts_calls->stands(c->relay->sts, domain, &s);
    PUT(c->answer,
        FIELD("standing",
              ROW(FLAG("known", s.known), FLAG("busy", s.busy),
                  FIELD("counts", s.counts ? mta_sts_mode_name(s.mode) : "none"),
                  FIELD("result", tls_result_name(s.result)), FIELD("reason", s.reason),
                  FLAG("tried", s.last.made), FIELD("fetch", mta_sts_why_name(s.last.why)),
                  FIELD("status", s.last.status))));
}

/* One domain, or a page of all: those behind `after`. */
bool control_sts_show(struct database *db, struct control *c, struct err *err)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    char from[ADDRESS_DOMAIN_MAX + 2] = "";
    struct listing l = {.c = c};
    (void)control_rows(c);
    if (control_text(c, "domain")) {
        if (!needs_domain(c, name, err))
            return false;
        l.only = name;
        add_standing(c, name);
        return database_sts_rows(db, name, 1, on_row, &l, err);
    }
    if (control_text(c, "after")) /* the next name that there can be */
        snprintf(from, sizeof(from), "%.253s\x01", control_text(c, "after"));
    if (!database_sts_rows(db, from, PAGE, on_row, &l, err))
        return false;
    if (l.count == PAGE)
        PUT(c->answer, FIELD("after", (const char *)l.last));
    return true;
}

bool control_sts_refresh(struct database *db, struct control *c, struct err *err)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    (void)db;
    if (!needs_domain(c, name, err))
        return false;
    if (!c->relay)
        return err_set(err, ERR_UNREACHABLE, "no relay is running: it fetches policies");
    c->relay->sts_calls->refresh(c->relay->sts, name);
    return true;
}

bool control_sts_forget(struct database *db, struct control *c, struct err *err)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    if (!needs_domain(c, name, err) || !database_sts_drop(db, name, err))
        return false;
    if (c->relay)
        c->relay->sts_calls->forget(c->relay->sts, name);
    return true;
}
