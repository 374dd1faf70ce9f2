// SPDX-License-Identifier: BSD-2-Clause
/* sts_rows.c - One row for each domain whose MTA-STS policy was fetched, or could not be. */
#include "sts_rows.h"

#include "rows.h"

#include <stdio.h>
#include <string.h>

static const char *failed_id(const struct mta_sts_kept *k)
{
    return k->failed_id[0] ? k->failed_id : NULL;
}

bool database_sts_put(struct database *db, const struct sts_row *row, struct err *err)
{
    const struct mta_sts_kept *k = row->kept;
    struct rows *s = ROWS(db, SQL_STS_PUT, TEXT(row->domain), TEXT(row->tenant));
    char mx[MTA_STS_BODY_MAX + 1];
    if (k->there) {
        snprintf(mx, sizeof(mx), "%.*s", SPAN_ARG(buf_span(&k->policy.mx)));
        rows_text(s, 3, k->id);
        rows_text(s, 4, mta_sts_mode_name(k->policy.mode));
        rows_int(s, 5, k->policy.max_age_s);
        rows_text(s, 6, mx);
        rows_blob(s, 7, row->raw);
        rows_int(s, 8, k->fetched_ms);
        rows_int(s, 9, mta_sts_expires_ms(k, k->fetched_ms));
    }
    rows_int(s, 10, k->used_ms);
    if (k->failed_id[0]) {
        rows_text(s, 11, k->failed_id);
        rows_int(s, 12, k->failed_ms + MTA_STS_PAUSE_MS);
        rows_text(s, 13, tls_result_name(k->failure));
    }
    return rows_run(db, s, err);
}

bool database_sts_failed(struct database *db, const struct sts_row *row, struct err *err)
{
    const struct mta_sts_kept *k = row->kept;
    return rows_run(db,
                    ROWS(db, SQL_STS_FAILED, TEXT(row->domain), TEXT(row->tenant), INT(k->used_ms),
                         TEXT(failed_id(k)), INT(k->failed_ms + MTA_STS_PAUSE_MS),
                         TEXT(tls_result_name(k->failure))),
                    err);
}

bool database_sts_used(struct database *db, const struct sts_row *row, struct err *err)
{
    return rows_run(
        db, ROWS(db, SQL_STS_USED, TEXT(row->domain), TEXT(row->tenant), INT(row->kept->used_ms)),
        err);
}

bool database_sts_drop(struct database *db, const char *domain, struct err *err)
{
    if (!rows_run(db, ROWS(db, SQL_STS_DROP, TEXT(domain)), err))
        return false;
    return rows_changes(db) > 0 ||
           err_set(err, ERR_NOT_FOUND, "nothing is kept of an MTA-STS policy of %.255s", domain);
}

/* ---- reading ---- */

static void read_policy(struct rows *s, struct mta_sts_kept *k)
{
    int64_t max_age_s = rows_get_int(s, 4);
    bool sound = !rows_is_null(s, 2) && strlen(rows_get_text(s, 2)) <= MTA_STS_ID_MAX &&
                 max_age_s >= 0 && max_age_s <= MTA_STS_AGE_MAX_S &&
                 mta_sts_mode_parse(span_of(rows_get_text(s, 3)), &k->policy.mode);
    if (!sound)
        return;
    k->there = buf_add(&k->policy.mx, span_of(rows_get_text(s, 5)));
    rows_copy_text(s, 2, k->id, sizeof(k->id));
    k->policy.max_age_s = (uint32_t)max_age_s;
    k->fetched_ms = rows_get_int(s, 7);
}

static void read_failure(struct rows *s, struct mta_sts_kept *k)
{
    if (rows_is_null(s, 10))
        return;
    rows_copy_text(s, 10, k->failed_id, sizeof(k->failed_id));
    k->failed_ms = rows_get_int(s, 11) - MTA_STS_PAUSE_MS;
    k->failure = TLS_RESULT_STS_POLICY_FETCH_ERROR;
    for (int i = 0; i < TLS_RESULTS; i++)
        if (strcmp(rows_get_text(s, 12), tls_result_name((enum tls_result)i)) == 0)
            k->failure = (enum tls_result)i;
}

bool database_sts_rows(struct database *db, const char *from, int64_t limit,
                       database_on_sts *on_row, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_STS_ROWS, TEXT(from), INT(limit));
    while (rows_next(db, s, err)) {
        struct mta_sts_kept kept = {.used_ms = rows_get_int(s, 9)};
        buf_init(&kept.policy.mx, MTA_STS_BODY_MAX);
        read_policy(s, &kept);
        read_failure(s, &kept);
        const struct sts_row row = {.domain = rows_get_text(s, 0),
                                    .tenant = rows_get_text(s, 1),
                                    .kept = &kept,
                                    .raw = rows_get_blob(s, 6)};
        on_row(context, &row);
        mta_sts_policy_fini(&kept.policy);
    }
    return err->kind == ERR_NONE;
}
