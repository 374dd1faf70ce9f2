// SPDX-License-Identifier: BSD-2-Clause
/* webhook_body.c - One event as JSON. What is ASCII is valid UTF-8; bytes that are none become
 * question marks. */
#include "webhook_body.h"

#include "mail.h"
#include "secret.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of each text, in bytes: each becomes six at most. */
enum { TEXT_MAX = 400 };

static void add_text(json_t *data, const char *name, const char *value)
{
    char plain[TEXT_MAX + 1];
    if (!value || !*value)
        return;
    snprintf(plain, sizeof(plain), "%s", value);
    json_t *made = json_string(plain);
    for (char *p = plain; !made && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    CHECK(json_object_set_new(data, name, made ? made : json_string(plain)) == 0);
}

/* Who knows the address finds it by its digest: in lower case, as it is compared. */
static void add_address(json_t *data, const char *name, const char *digest_name,
                        const char *address, bool hashed)
{
    char hex[65];
    char lower[512];
    if (!hashed || !address || !*address) {
        add_text(data, name, address);
        return;
    }
    snprintf(lower, sizeof(lower), "%s", address);
    for (char *p = lower; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 'a' - 'A');
    secret_sha256(span_of(lower), hex);
    add_text(data, digest_name, hex);
}

/* What was answered when it was taken is the relay's own. */
static void add_answer(json_t *data, const struct webhook_event *e)
{
    if (e->type == WEBHOOK_ACCEPTED)
        return;
    if (e->code > 0)
        json_object_set_new(data, "code", json_integer(e->code));
    add_text(data, "enhanced", e->enhanced);
    if (!e->hashed)
        add_text(data, "reply", e->reply);
    add_text(data, "remote", e->remote);
    add_text(data, "source", e->source);
    add_text(data, "category", e->category);
    add_text(data, "rule", e->rule);
}

static json_t *data_of(const struct webhook_event *e)
{
    char id[MAIL_ID_TEXT] = "";
    json_t *data = json_object();
    if (e->message != 0)
        mail_id_print(e->message, id);
    add_text(data, "id", id);
    json_object_set_new(data, "seq", json_integer(e->event));
    add_address(data, "recipient", "recipient_sha256", e->recipient, e->hashed);
    add_address(data, "sender", "sender_sha256", e->sender, e->hashed);
    add_text(data, "message_id", e->message_id);
    add_text(data, "stream", e->stream);
    add_text(data, "user", e->user);
    add_answer(data, e);
    return data;
}

static void print_time(int64_t ms, char *text_r, size_t size)
{
    struct tm tm = {0};
    time_t at = (time_t)(ms / 1000);
    CHECK(gmtime_r(&at, &tm) != NULL);
    size_t len = strftime(text_r, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text_r + len, size - len, ".%03dZ", (int)(ms % 1000));
}

void webhook_body_write(const struct webhook_event *e, struct buf *out)
{
    char at[64];
    print_time(e->at_ms > 0 ? e->at_ms : 0, at, sizeof(at));
    json_t *whole = json_pack("{s:s, s:s, s:o}", "type", webhook_type_name(e->type), "timestamp",
                              at, "data", data_of(e));
    CHECK(whole != NULL);
    char *text = json_dumps(whole, JSON_COMPACT | JSON_ENSURE_ASCII);
    CHECK(text && strlen(text) < WEBHOOK_BODY_MAX);
    buf_add(out, span_of(text));
    free(text);
    json_decref(whole);
}

void webhook_body_id(int64_t at_ms, int64_t event, char *id_r)
{
    snprintf(id_r, WEBHOOK_ID_TEXT, "evt_%llx_%llx", (unsigned long long)at_ms,
             (unsigned long long)event);
}
