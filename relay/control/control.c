// SPDX-License-Identifier: BSD-2-Clause
/* control.c - Requests and answers as JSON: {"do": "queue.list", …}, and {"ok": true, …} or {"ok":
 * false, "error": "…"}.
 *
 * A table lists the verbs, whether each changes anything, and its function. The functions use a
 * database and know nothing of sockets; the command line calls them directly when no relay runs.
 */
#include "control_parts.h"

#include "audit.h"
#include "clock.h"
#include "control_webhooks.h"
#include "store.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

static bool nothing(struct database *db, struct control *c, struct err *err)
{
    (void)db;
    (void)c;
    (void)err;
    return true;
}

/* ---- the table ---- */

static const struct verb verbs[] = {
    {"ping", CONTROL_READ, nothing},
    {"status", CONTROL_READ, control_status},
    {"config", CONTROL_READ, control_config},
    {"reload", CONTROL_RELOAD, NULL},
    {"queue.list", CONTROL_READ, control_queue_list},
    {"queue.by_destination", CONTROL_READ, control_queue_by_destination},
    {"queue.retry", CONTROL_WRITE, control_queue_retry},
    {"queue.hold", CONTROL_WRITE, control_queue_hold},
    {"queue.release", CONTROL_WRITE, control_queue_release},
    {"queue.delete", CONTROL_WRITE, control_queue_delete},
    {"queue.bounce", CONTROL_WRITE, control_queue_bounce},
    {"events", CONTROL_READ, control_events},
    {"trace", CONTROL_READ, control_trace},
    {"user.list", CONTROL_READ, control_user_list},
    {"user.add", CONTROL_WRITE, control_user_add},
    {"user.change", CONTROL_WRITE, control_user_change},
    {"user.enable", CONTROL_WRITE, control_user_enable},
    {"user.disable", CONTROL_WRITE, control_user_disable},
    {"user.rotate", CONTROL_WRITE, control_user_rotate},
    {"user.delete", CONTROL_WRITE, control_user_delete},
    {"domain.list", CONTROL_READ, control_domain_list},
    {"domain.add", CONTROL_WRITE, control_domain_add},
    {"domain.capture", CONTROL_WRITE, control_domain_capture},
    {"domain.release", CONTROL_WRITE, control_domain_release},
    {"domain.remove", CONTROL_WRITE, control_domain_remove},
    {"key.list", CONTROL_READ, control_key_list},
    {"key.add", CONTROL_WRITE, control_key_add},
    {"key.retire", CONTROL_WRITE, control_key_retire},
    {"quota.show", CONTROL_READ, control_quota_show},
    {"quota.user", CONTROL_READ, control_quota_user},
    {"quota.shares", CONTROL_READ, control_quota_shares},
    {"quota.top", CONTROL_READ, control_quota_top},
    {"quota.reset", CONTROL_WRITE, control_quota_reset},
    {"suppress.list", CONTROL_READ, control_suppress_list},
    {"suppress.add", CONTROL_WRITE, control_suppress_add},
    {"suppress.import", CONTROL_WRITE, control_suppress_import},
    {"suppress.remove", CONTROL_WRITE, control_suppress_remove},
    {"auth.list", CONTROL_READ, control_auth_list},
    {"auth.unlock", CONTROL_WRITE, control_auth_unlock},
    {"destination.list", CONTROL_READ, control_destination_list},
    {"destination.show", CONTROL_READ, control_destination_show},
    {"destination.domains", CONTROL_READ, control_destination_domains},
    {"destination.rest", CONTROL_WRITE, control_destination_rest},
    {"destination.resume", CONTROL_WRITE, control_destination_resume},
    {"shape.list", CONTROL_READ, control_shape_list},
    {"shape.explain", CONTROL_READ, control_shape_explain},
    {"sts.show", CONTROL_READ, control_sts_show},
    {"sts.refresh", CONTROL_WRITE, control_sts_refresh},
    {"sts.forget", CONTROL_WRITE, control_sts_forget},
    {"audit.rows", CONTROL_READ, control_audit_rows},
    {"audit.verify", CONTROL_READ, control_audit_verify},
    {"tlsrpt.list", CONTROL_READ, control_tlsrpt_list},
    {"webhook.list", CONTROL_READ, control_webhook_list},
    {"webhook.add", CONTROL_WRITE, control_webhook_add},
    {"webhook.remove", CONTROL_WRITE, control_webhook_remove},
    {"webhook.enable", CONTROL_WRITE, control_webhook_enable},
    {"webhook.disable", CONTROL_WRITE, control_webhook_disable},
    {"webhook.rotate", CONTROL_WRITE, control_webhook_rotate},
    {"webhook.ping", CONTROL_WRITE, control_webhook_ping},
    {"webhook.replay", CONTROL_WRITE, control_webhook_replay},
    {"submit", CONTROL_SUBMIT, NULL},
};

bool control_parse(struct span line, struct control **control_r, struct err *err)
{
    struct control *c = xcalloc(1, sizeof(*c));
    json_error_t why;
    c->answer = json_object();
    c->request = json_loadb(line.ptr, line.len, 0, &why);
    *control_r = c;
    const char *name = json_string_value(json_object_get(c->request, "do"));
    for (size_t i = 0; name && i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, name) == 0)
            c->verb = &verbs[i];
    return c->verb ||
           err_set(err, ERR_USAGE,
                   "not a request that this relay knows: is the command of the same version?");
}

void control_free(struct control *c)
{
    if (!c)
        return;
    json_decref(c->request);
    json_decref(c->answer);
    free(c);
}

enum control_kind control_kind(const struct control *c)
{
    return c->verb->kind;
}

bool control_ends_mail(const struct control *c)
{
    return c->verb->run == control_queue_delete || c->verb->run == control_queue_bounce;
}

void control_from_reader(struct control *c)
{
    c->reader = true;
}

void control_from(struct control *c, const char *who, const struct control_relay *relay)
{
    snprintf(c->who, sizeof(c->who), "%s", who);
    c->relay = relay;
}

bool control_run(struct database *db, void *context, struct err *err)
{
    struct control *c = context;
    char about[900];
    if (!c->verb->run)
        return err_set(err, ERR_UNREACHABLE, "this needs a running relay");
    if (!c->verb->run(db, c, err))
        return false;
    if (c->verb->kind != CONTROL_WRITE)
        return true;
    control_describe(c, about, sizeof(about));
    return database_audit(db, c->who, c->verb->name, about, err);
}

bool control_mail(struct control *c, struct mail **mail_r, struct buf *body, struct err *err)
{
    struct address sender;
    struct address rcpt;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    if (!control_needs(c, "sender", err) || !control_needs(c, "recipient", err) ||
        !control_needs(c, "message", err))
        return false;
    if (!address_parse(span_of(control_text(c, "sender")), &sender) ||
        !address_parse(span_of(control_text(c, "recipient")), &rcpt) ||
        !address_domain_ascii(rcpt.domain, domain))
        return err_set(err, ERR_USAGE, "sender or recipient is not a valid address");
    struct mail *m = mail_new();
    m->created_ms = clock_now_ms();
    m->class = STREAM_SECURITY;
    m->expires_ms = m->created_ms + stream_lifetime_ms(NULL, m->class);
    m->dialogue = true;
    snprintf(m->tenant, sizeof(m->tenant), "default");
    if (!address_domain_ascii(sender.domain, m->from_domain))
        m->from_domain[0] = '\0';
    m->envelope.sender = xstrdup(control_text(c, "sender"));
    m->envelope.id = xstrdup("");
    envelope_add(&m->envelope, rcpt.text, domain, SPAN_NONE, 0);
    buf_add(body, span_of(control_text(c, "message")));
    *mail_r = m;
    return true;
}

void control_accepted(struct control *c, int64_t id)
{
    char id_text[MAIL_ID_TEXT];
    mail_id_print(id, id_text);
    PUT(c->answer, FIELD("id", id_text));
}

void control_answer(struct control *c, const struct err *failed, struct buf *out)
{
    json_t *answer = c ? json_incref(c->answer) : json_object();
    PUT(answer, FLAG("ok", !failed));
    if (failed)
        PUT(answer, FIELD("error", failed->text), FIELD("kind", failed->kind));
    char *line = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
    buf_add(out, span_of(line));
    buf_add_char(out, '\n');
    free(line);
    json_decref(answer);
}

void control_path(const char *state_dir, char *path_r)
{
    snprintf(path_r, 4096, "%s/control.sock", state_dir);
}
