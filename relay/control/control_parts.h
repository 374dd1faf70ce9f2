// SPDX-License-Identifier: BSD-2-Clause
/* control_parts.h - What the verbs of the control socket share. */
#ifndef CONTROL_PARTS_H
#define CONTROL_PARTS_H

#include "control.h"
#include "json_row.h"

struct control {
    const struct verb *verb;
    json_t *request, *answer;
    char who[96];                      /* for the audit trail */
    bool reader;                       /* he may not change anything */
    const struct control_relay *relay; /* NULL: none is running */
};

struct verb {
    const char *name;
    enum control_kind kind;
    bool (*run)(struct database *db, struct control *c, struct err *err);
};

/* A member of the request; NULL, or `otherwise`, when it is not there. */
const char *control_text(const struct control *c, const char *key);
int64_t control_number(const struct control *c, const char *key, int64_t otherwise);
bool control_needs(const struct control *c, const char *key, struct err *err);

/* The answer's list of rows. */
json_t *control_rows(struct control *c);
/* Takes it. */
void control_add_row(struct control *c, json_t *row);
/* The value of `key`, or `otherwise`, is a name for a user or a tenant. */
MUST_CHECK bool control_needs_name(const struct control *c, const char *key, const char *otherwise,
                                   struct err *err);

/* The value of "id" is a message's. */
MUST_CHECK bool control_mail_id(const struct control *c, int64_t *id_r, struct err *err);
/* How many rows the request wants at once. */
int64_t control_page(const struct control *c);
/* What was asked for, without secrets, as "key=value …". */
void control_describe(const struct control *c, char *text_r, size_t size);
struct progress_row;
json_t *control_describe_trying(const struct progress_row *trying);

/* ---- control_events.c ---- */

bool control_events(struct database *db, struct control *c, struct err *err);
bool control_trace(struct database *db, struct control *c, struct err *err);

/* ---- control_standing.c ---- */

bool control_status(struct database *db, struct control *c, struct err *err);
bool control_config(struct database *db, struct control *c, struct err *err);

/* ---- control_queue.c ---- */

bool control_queue_list(struct database *db, struct control *c, struct err *err);
bool control_queue_by_destination(struct database *db, struct control *c, struct err *err);
bool control_queue_retry(struct database *db, struct control *c, struct err *err);
bool control_queue_hold(struct database *db, struct control *c, struct err *err);
bool control_queue_release(struct database *db, struct control *c, struct err *err);
bool control_queue_delete(struct database *db, struct control *c, struct err *err);
bool control_queue_bounce(struct database *db, struct control *c, struct err *err);
/* ---- control_domains.c ---- */

bool control_domain_list(struct database *db, struct control *c, struct err *err);
bool control_domain_add(struct database *db, struct control *c, struct err *err);
bool control_domain_capture(struct database *db, struct control *c, struct err *err);
bool control_domain_release(struct database *db, struct control *c, struct err *err);
bool control_domain_remove(struct database *db, struct control *c, struct err *err);
bool control_key_list(struct database *db, struct control *c, struct err *err);
bool control_key_add(struct database *db, struct control *c, struct err *err);
bool control_key_retire(struct database *db, struct control *c, struct err *err);

/* ---- control_tenants.c ---- */

/* The answer warns of that, once. */
void control_warn(struct control *c, const char *text);

/* The names of all; to be freed also when it fails. */
MUST_CHECK bool control_tenants(struct database *db, json_t **names_r, struct err *err);
/* Whose a change is for which `said_or_null` was said; "": everybody's. Somebody's who is not among
 * `names`: the answer gets a warning, or where nothing was said it is ERR_USAGE. `name_r` is
 * borrowed. */
MUST_CHECK bool control_means_tenant(struct control *c, const json_t *names,
                                     const char *said_or_null, const char **name_r,
                                     struct err *err);

/* ---- control_users.c ---- */

bool control_user_list(struct database *db, struct control *c, struct err *err);
bool control_user_add(struct database *db, struct control *c, struct err *err);
bool control_user_change(struct database *db, struct control *c, struct err *err);
bool control_user_enable(struct database *db, struct control *c, struct err *err);
bool control_user_disable(struct database *db, struct control *c, struct err *err);
bool control_user_rotate(struct database *db, struct control *c, struct err *err);
bool control_user_delete(struct database *db, struct control *c, struct err *err);

/* ---- control_safety.c ---- */

bool control_auth_list(struct database *db, struct control *c, struct err *err);
bool control_auth_unlock(struct database *db, struct control *c, struct err *err);
bool control_audit_rows(struct database *db, struct control *c, struct err *err);
bool control_audit_verify(struct database *db, struct control *c, struct err *err);

/* ---- control_destinations.c ---- */

bool control_destination_list(struct database *db, struct control *c, struct err *err);
bool control_destination_show(struct database *db, struct control *c, struct err *err);
bool control_destination_domains(struct database *db, struct control *c, struct err *err);
struct destinations_row;
struct destinations_detail;
json_t *control_describe_destination(const struct destinations_row *row);
json_t *control_describe_avoided(const struct destinations_detail *detail);
MUST_CHECK bool control_needs_relay(const struct control *c, struct err *err);
/* The one that "name" means; `name_r` holds WHERE_NAME bytes. */
MUST_CHECK bool control_needs_destination(const struct control *c, char *name_r, struct err *err);
bool control_destination_is_gone(const char *name, struct err *err); /* false */

/* ---- control_waiting.c ---- */

/* What is queued, by destination: name, numbers of recipients, when the next one is tried, the
 * commonest last reply, a rest. To be freed; NULL: `err` says why not. */
json_t *control_group_waiting(struct database *db, const struct control *c, struct err *err);
/* Who is deferred for these hops, and why, is added to `row`. */
MUST_CHECK bool control_describe_deferred(struct database *db, const struct control *c,
                                          const json_t *hops, json_t *row, struct err *err);
/* To the answer, as "rests": the destinations that this message waits for while they rest. */
MUST_CHECK bool control_add_rests(struct database *db, struct control *c, int64_t id,
                                  struct err *err);
/* The rest that this recipient waits for, once for each destination. */
struct where;
struct database_queued;
void control_add_rest(json_t *rests, struct where *w, const struct database_queued *q);

/* ---- control_rests.c ---- */

bool control_destination_rest(struct database *db, struct control *c, struct err *err);
bool control_destination_resume(struct database *db, struct control *c, struct err *err);

/* ---- control_shape.c ---- */

bool control_shape_list(struct database *db, struct control *c, struct err *err);
bool control_shape_explain(struct database *db, struct control *c, struct err *err);

/* ---- control_suppress.c ---- */

bool control_suppress_list(struct database *db, struct control *c, struct err *err);
bool control_suppress_add(struct database *db, struct control *c, struct err *err);
bool control_suppress_import(struct database *db, struct control *c, struct err *err);
bool control_suppress_remove(struct database *db, struct control *c, struct err *err);

/* ---- control_sts.c ---- */

bool control_sts_show(struct database *db, struct control *c, struct err *err);
bool control_sts_refresh(struct database *db, struct control *c, struct err *err);
bool control_sts_forget(struct database *db, struct control *c, struct err *err);
/* ---- control_tlsrpt.c ---- */

bool control_tlsrpt_list(struct database *db, struct control *c, struct err *err);

/* ---- control_quota.c ---- */

bool control_quota_show(struct database *db, struct control *c, struct err *err);
bool control_quota_shares(struct database *db, struct control *c, struct err *err);
bool control_quota_user(struct database *db, struct control *c, struct err *err);
bool control_quota_top(struct database *db, struct control *c, struct err *err);
bool control_quota_reset(struct database *db, struct control *c, struct err *err);

#endif
