// SPDX-License-Identifier: BSD-2-Clause
/* returns.c - What came back.
 *
 * In this order: a delivery status; a complaint; a disposition notification; and what only its text
 * and its header tell (returns_kind.c). Each is looked for wherever it stands among the parts, but
 * in no attached message.
 */
#include "returns.h"

#include "message.h"
#include "mime.h"
#include "returns_fields.h"
#include "returns_kind.h"
#include "returns_notice.h"
#include "returns_parts.h"
#include "returns_token.h"

#include <stdlib.h>
#include <string.h>

enum { OWN_MAX = 4096, FAILED_MAX = 16 * 1024, FIELDS_MAX = 20 };

const char *returns_kind_name(enum returns_kind kind)
{
    static const char *const names[RETURNS_KIND_COUNT] = {
#define RETURNS_KIND_NAME(name, word) word,
        RETURNS_KINDS(RETURNS_KIND_NAME)
#undef RETURNS_KIND_NAME
    };
    return names[kind];
}

const char *returns_action_name(enum returns_action action)
{
    static const char *const names[RETURNS_ACTIONS] = {
#define RETURNS_ACTION_NAME(name, word) word,
        RETURNS_ACTIONS_LIST(RETURNS_ACTION_NAME)
#undef RETURNS_ACTION_NAME
    };
    return names[action];
}

/* ---- what the text tells ---- */

/* To whom the message came: an address of theirs is not a recipient's. */
static void gather_own(struct span header, struct buf *own)
{
    static const char *const names[] = {"To", "Delivered-To", "X-Original-To", "Envelope-To"};
    struct field f;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (message_find(header, span_of(names[i]), 0, &f))
            BUF_ADD(own, f.value, SPAN(" "));
}

static void read_text(const struct returns_parts *parts, const struct returns_lines *lines,
                      struct returns_reading *reading)
{
    struct buf own;
    struct field f;
    struct span failed = SPAN_NONE;
    buf_init_peer(&own, OWN_MAX);
    gather_own(parts->header, &own);
    if (message_find(parts->header, SPAN("X-Failed-Recipients"), 0, &f))
        failed = span_first(f.value, FAILED_MAX);
    /* Some write the fields of a report into their text. */
    struct span text = returns_parts_text(parts);
    text = span_first(text, (size_t)(lines->rest.ptr - text.ptr));
    if (returns_fields_status(text, reading) == 0)
        returns_notice_read(lines, buf_span(&own), failed, reading);
    buf_fini(&own);
}

static void set_actions(struct returns_reading *reading, bool delay)
{
    for (size_t i = 0; i < reading->recipient_count; i++)
        if (reading->recipients[i].action == RETURNS_ACTION_UNSAID)
            reading->recipients[i].action = delay ? RETURNS_ACTION_DELAYED : RETURNS_ACTION_FAILED;
}

/* ---- the message that came back ---- */

static struct span original_of(const struct returns_parts *parts, const struct returns_lines *lines)
{
    return parts->has_original ? buf_span(&parts->original) : lines->rest;
}

static void read_original(struct span original, struct returns_reading *reading)
{
    struct field f;
    struct span header = original;
    size_t length = 0;
    if (message_header_length(original, &length))
        header = span_first(original, length);
    if (message_find(header, SPAN("Message-ID"), 0, &f))
        returns_fields_line(f.value, reading->message_id, sizeof(reading->message_id));
}

/* An address that looks like one of ours, in a field. */
static bool find_return_path(struct span header, const char *name, struct returns_reading *reading)
{
    struct field f;
    struct span address;
    for (size_t n = 0; message_find(header, span_of(name), n, &f) && n < FIELDS_MAX; n++) {
        struct span rest = span_first(f.value, OWN_MAX);
        while (returns_lines_address(rest, &address)) {
            rest = span_from(rest, (size_t)(address.ptr - rest.ptr) + address.len);
            if (!returns_token_seems(address))
                continue;
            span_put(address, reading->return_path, sizeof(reading->return_path));
            return true;
        }
    }
    return false;
}

/* To whom it came; else, where it came to another address, from where the message came. */
static void read_return_path(const struct returns_parts *parts, struct span original,
                             struct returns_reading *reading)
{
    static const char *const names[] = {"Delivered-To", "X-Original-To", "Envelope-To", "To"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (find_return_path(parts->header, names[i], reading))
            return;
    if (!find_return_path(original, "Return-Path", reading)) /* RFC 5965 section 3.2 */
        find_return_path(buf_span(&parts->feedback), "Original-Mail-From", reading);
}

/* The one recipient of the message that came back, where nothing better says it. */
static bool find_recipient(struct span original, struct span *address_r)
{
    struct field f;
    struct span another;
    if (!message_find(original, SPAN("To"), 0, &f) || !returns_lines_address(f.value, address_r))
        return false;
    size_t end = (size_t)(address_r->ptr - f.value.ptr) + address_r->len;
    return !returns_lines_address(span_from(f.value, end), &another);
}

/* ---- kinds ---- */

/* The worst that the report tells. */
static enum returns_kind kind_of_report(const struct returns_reading *reading)
{
    static const struct {
        enum returns_action action;
        enum returns_kind kind;
    } order[] = {{RETURNS_ACTION_FAILED, RETURNS_DSN_FAILED},
                 {RETURNS_ACTION_DELAYED, RETURNS_DSN_DELAYED},
                 {RETURNS_ACTION_DELIVERED, RETURNS_DSN_DELIVERED},
                 {RETURNS_ACTION_RELAYED, RETURNS_DSN_RELAYED},
                 {RETURNS_ACTION_EXPANDED, RETURNS_DSN_EXPANDED}};
    for (size_t i = 0; i < COUNT_OF(order); i++)
        for (size_t k = 0; k < reading->recipient_count; k++)
            if (reading->recipients[k].action == order[i].action)
                return order[i].kind;
    return RETURNS_UNKNOWN;
}

/* A recipient without an address: the text may tell it, or the message that came back. */
static void complete_report(const struct returns_parts *parts, const struct returns_lines *lines,
                            struct returns_reading *reading)
{
    struct span address = SPAN_NONE;
    if (reading->recipient_count != 1 ||
        returns_fields_is_address(span_of(reading->recipients[0].address)))
        return;
    struct returns_reading *told = calloc(1, sizeof(*told));
    if (told) {
        read_text(parts, lines, told);
        if (told->recipient_count == 1)
            address = span_of(told->recipients[0].address);
    }
    if (address.len > 0 || find_recipient(original_of(parts, lines), &address))
        span_put(address, reading->recipients[0].address, sizeof(reading->recipients[0].address));
    free(told);
}

/* No reply, and a status whose detail is "other or undefined" (RFC 3463 section 3). */
static bool is_unexplained(const struct returns_recipient *r)
{
    const char *detail = strrchr(r->status, '.');
    return r->action == RETURNS_ACTION_FAILED && !r->reply[0] &&
           (!detail || strcmp(detail, ".0") == 0);
}

static void explain(struct returns_recipient *r, const struct returns_reading *told)
{
    for (size_t i = 0; i < told->recipient_count; i++) {
        const struct returns_recipient *by = &told->recipients[i];
        if (!by->reply[0] || !span_equal_nocase(span_of(by->address), span_of(r->address)))
            continue;
        memcpy(r->reply, by->reply, sizeof(r->reply));
        r->by_text = true;
        return;
    }
}

/* Exim and OpenSMTPD write why it has failed into the text for people only. */
static void explain_report(const struct returns_parts *parts, const struct returns_lines *lines,
                           struct returns_reading *reading)
{
    struct returns_reading *told = NULL;
    for (size_t i = 0; i < reading->recipient_count; i++) {
        if (!is_unexplained(&reading->recipients[i]))
            continue;
        if (!told && (told = calloc(1, sizeof(*told))))
            read_text(parts, lines, told);
        if (!told)
            return;
        explain(&reading->recipients[i], told);
    }
    free(told);
}

static bool read_report(const struct returns_parts *parts, const struct returns_lines *lines,
                        struct returns_reading *reading)
{
    if (!parts->has_status || returns_fields_status(buf_span(&parts->status), reading) == 0)
        return false;
    complete_report(parts, lines, reading);
    explain_report(parts, lines, reading);
    reading->kind = kind_of_report(reading);
    if (reading->kind == RETURNS_UNKNOWN)
        reading->recipient_count = 0; /* the text may say it better */
    return reading->kind != RETURNS_UNKNOWN;
}

/* Is it called so, although the part is missing that would say more? */
static bool is_called(const struct returns_parts *parts, const char *report)
{
    char type[RETURNS_WORD_MAX + 1];
    struct field f;
    return message_find(parts->header, SPAN("Content-Type"), 0, &f) &&
           mime_parameter(f.value, SPAN("report-type"), type, sizeof(type)) &&
           span_equal_nocase(span_of(type), span_of(report));
}

static bool read_complaint(const struct returns_parts *parts, struct returns_reading *reading)
{
    bool bare = !parts->has_feedback && returns_kind_is_complaint(parts);
    if (!parts->has_feedback && !bare && !is_called(parts, "feedback-report"))
        return false;
    returns_fields_feedback(buf_span(&parts->feedback), reading);
    if (bare) {
        span_put(SPAN("abuse"), reading->feedback_type, sizeof(reading->feedback_type));
        reading->complaint = true;
    }
    reading->kind = RETURNS_ARF;
    return true;
}

static bool read_disposition(const struct returns_parts *parts, struct returns_reading *reading)
{
    struct field f;
    if (!parts->has_disposition && !is_called(parts, "disposition-notification"))
        return false;
    reading->kind = RETURNS_MDN;
    reading->lost = returns_fields_is_deleted(buf_span(&parts->disposition)) &&
                    message_find(parts->header, SPAN("Auto-Submitted"), 0, &f) &&
                    returns_kind_is_automatic(parts->header);
    return true;
}

static void read_other(const struct returns_parts *parts, const struct returns_lines *lines,
                       enum returns_sender sender, struct returns_reading *reading)
{
    struct span address;
    reading->kind = returns_kind_of(parts, lines, sender);
    if (reading->kind != RETURNS_BOUNCE_NONSTANDARD)
        return;
    read_text(parts, lines, reading);
    if (reading->recipient_count == 0 && find_recipient(original_of(parts, lines), &address)) {
        struct returns_recipient *r = &reading->recipients[reading->recipient_count++];
        span_put(address, r->address, sizeof(r->address));
    }
    set_actions(reading, returns_kind_is_delay(lines));
}

static bool read_parts(const struct returns_parts *parts, enum returns_sender sender,
                       struct returns_reading *reading)
{
    struct returns_lines *lines = malloc(sizeof(*lines));
    if (!lines)
        return false;
    returns_lines_read(returns_parts_text(parts), lines);
    reading->more = parts->more;
    if (!read_report(parts, lines, reading) && !read_complaint(parts, reading) &&
        !read_disposition(parts, reading))
        read_other(parts, lines, sender, reading);
    read_original(original_of(parts, lines), reading);
    read_return_path(parts, original_of(parts, lines), reading);
    free(lines);
    return true;
}

bool returns_read(struct span message, enum returns_sender sender,
                  struct returns_reading *reading_r)
{
    struct returns_parts parts;
    memset(reading_r, 0, sizeof(*reading_r));
    bool ok = returns_parts_read(message, &parts) && read_parts(&parts, sender, reading_r);
    returns_parts_fini(&parts);
    return ok;
}
