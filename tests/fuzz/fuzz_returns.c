// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_returns.c - A message that comes back, as anybody writes it: what is read of it is whole and within its limits, the same
 * with other line ends, and nothing when the message is attached to another; a report suppresses only for what has failed. */
#include "buf.h"
#include "returns.h"

#include <stdlib.h>
#include <string.h>

#define BOUNDARY "=_of_the_outer_message"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct returns_reading one, other;

static void check_text(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    CHECK(len < size);
    for (size_t i = 0; i < len; i++)
        CHECK(text[i] != '\r' && text[i] != '\n');
}

static void check_recipient(const struct returns_reading *r, size_t i)
{
    const struct returns_recipient *p = &r->recipients[i];
    struct returns_judgement j;
    check_text(p->address, sizeof(p->address));
    check_text(p->original, sizeof(p->original));
    check_text(p->final, sizeof(p->final));
    check_text(p->status, sizeof(p->status));
    check_text(p->reply, sizeof(p->reply));
    CHECK(*returns_action_name(p->action) && *returns_follows_name(returns_follows(r, i)));
    CHECK(!p->status[0] || (p->status[1] == '.' && strchr("245", p->status[0])));
    if (returns_judge(r, i, &j))
        CHECK(p->action == RETURNS_ACTION_FAILED && j.suppress_after <= 2 && j.reply.category < REPLY_CATEGORIES);
}

static void check_reading(const struct returns_reading *r)
{
    CHECK(*returns_kind_name(r->kind) && *returns_follows_name(returns_follows_all(r)));
    CHECK(r->recipient_count <= RETURNS_RECIPIENTS_MAX);
    check_text(r->feedback_type, sizeof(r->feedback_type));
    check_text(r->message_id, sizeof(r->message_id));
    for (size_t i = 0; i < r->recipient_count; i++)
        check_recipient(r, i);
}

static void check_line_ends(struct span message)
{
    struct buf lines;
    buf_init(&lines, 2 * message.len + 2);
    for (size_t i = 0; i < message.len; i++)
        buf_add(&lines, message.ptr[i] == '\n' ? SPAN("\r\n") : span_first(span_from(message, i), 1));
    CHECK(returns_read(buf_span(&lines), RETURNS_SENDER_UNSAID, &other) && memcmp(&one, &other, sizeof(one)) == 0);
    buf_fini(&lines);
}

static void check_attached(struct span message)
{
    struct buf outer;
    buf_init(&outer, message.len + 1000);
    buf_add(&outer, SPAN("From: user@club.example\r\nSubject: What is this?\r\nContent-Type: multipart/mixed; boundary=\"" BOUNDARY
                         "\"\r\n\r\n--" BOUNDARY "\r\n\r\nHello\r\n--" BOUNDARY "\r\nContent-Type: message/rfc822\r\n\r\n"));
    buf_add(&outer, message);
    buf_add(&outer, SPAN("\r\n--" BOUNDARY "--\r\n"));
    CHECK(returns_read(buf_span(&outer), RETURNS_SENDER_UNSAID, &other));
    bool complaint = other.kind == RETURNS_ARF; /* one that has nothing but the message */
    CHECK(other.recipient_count == 0 && (other.kind == RETURNS_HUMAN || complaint));
    buf_fini(&outer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span message = {(const char *)data, size};
    CHECK(returns_read(message, RETURNS_SENDER_UNSAID, &one));
    check_reading(&one);
    if (!memchr(data, '\r', size))
        check_line_ends(message);
    if (span_search(message, SPAN(BOUNDARY)) == message.len)
        check_attached(message);
    return 0;
}
