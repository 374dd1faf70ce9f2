// SPDX-License-Identifier: BSD-2-Clause
/* returns_lines.c - Looks at lines one by one; what they say together, returns_notice.c finds out.
 */
#include "returns_lines.h"

#include "message.h"
#include "returns.h"
#include "returns_fields.h"
#include "returns_phrases.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_any(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

/* ---- where the message begins that came back ---- */

enum { HEADING_MAX = 100, FIELDS_IN_A_ROW = 3 };

/* "--- Below this line is a copy of the message.", "Original message follows:" */
static bool is_heading(struct span line)
{
    struct buf folded;
    line = span_trim(line);
    if (line.len == 0 || line.len > HEADING_MAX)
        return false;
    bool marked = is_any(line.ptr[0], "-=*|#_") || is_any(line.ptr[line.len - 1], ":.-=*|#_");
    if (!marked)
        return false;
    buf_init_peer(&folded, (size_t)HEADING_MAX * 4);
    returns_fold(line, &folded);
    bool is = returns_phrase_in(RETURNS_PHRASE_ORIGINAL, buf_span(&folded));
    buf_fini(&folded);
    return is;
}

/* A field that every header has, or nearly. */
static bool is_usual_field(struct span line)
{
    static const char *const usual[] = {
        "Return-Path:", "Received:", "Message-ID:", "MIME-Version:", "Delivered-To:",  "From:",
        "To:",          "Subject:",  "Date:",       "Content-Type:", "DKIM-Signature:"};
    for (size_t i = 0; i < COUNT_OF(usual); i++)
        if (span_starts_nocase(line, span_of(usual[i])))
            return true;
    return false;
}

/* Does a header begin here, without any heading? Folded lines belong to their fields. */
static bool is_header(struct span rest)
{
    size_t fields = 0;
    bool first = true;
    while (rest.len > 0 && fields < FIELDS_IN_A_ROW) {
        struct span line = span_take(&rest, '\n');
        bool folded = line.len > 0 && is_any(line.ptr[0], " \t") && !first;
        if (!folded && !is_usual_field(line))
            return false;
        fields += !folded;
        first = false;
    }
    return fields == FIELDS_IN_A_ROW;
}

void returns_lines_read(struct span text, struct returns_lines *lines_r)
{
    lines_r->count = 0;
    while (text.len > 0 && lines_r->count < RETURNS_LINES_MAX) {
        struct span here = text;
        struct span line = span_take(&text, '\n');
        if (is_usual_field(line) && is_header(here)) {
            text = here;
            break;
        }
        if (is_heading(line))
            break;
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        lines_r->list[lines_r->count++] = line;
    }
    while (span_starts_nocase(text, SPAN("\r\n")))
        text = span_from(text, 2);
    lines_r->rest = text;
}

/* ---- addresses ---- */

static bool is_local(char c)
{
    return is_letter(c) || is_digit(c) || is_any(c, ".!#$%&*+-/=?^_`{|}~");
}

static bool is_domain(char c)
{
    return is_letter(c) || is_digit(c) || c == '-' || c == '.';
}

bool returns_lines_address(struct span line, struct span *address_r)
{
    for (size_t at = 1; at < line.len; at++) {
        size_t begin = at;
        size_t end = at + 1;
        if (line.ptr[at] != '@')
            continue;
        while (begin > 0 && is_local(line.ptr[begin - 1]))
            begin--;
        while (begin < at && is_any(line.ptr[begin], "-*|.=/"))
            begin++;
        while (end < line.len && is_domain(line.ptr[end]))
            end++;
        while (end > at && is_any(line.ptr[end - 1], ".-"))
            end--;
        *address_r = (struct span){line.ptr + begin, end - begin};
        if (begin < at && end > at + 1 && address_r->len <= RETURNS_ADDRESS_MAX)
            return true;
    }
    return false;
}

/* ---- replies ---- */

size_t returns_lines_code(struct span text)
{
    char status[RETURNS_STATUS_MAX + 1];
    if (text.len < 3 || !is_any(text.ptr[0], "45"))
        return 0;
    bool code = text.ptr[1] >= '0' && text.ptr[1] <= '7' && is_digit(text.ptr[2]);
    if (code && (text.len == 3 || is_any(text.ptr[3], " -:")))
        return 3;
    struct span word = span_first(text, RETURNS_STATUS_MAX + 1);
    returns_fields_find_status(word, status);
    size_t len = strlen(status);
    return len > 0 && span_starts_nocase(text, span_of(status)) ? len : 0;
}

/* May a code at `at` begin a reply? In the middle of a line only behind what leads up to one. */
static bool begins_reply(struct span line, size_t at)
{
    struct buf folded;
    struct span before = span_trim(span_first(line, at));
    if (before.len == 0)
        return true;
    char last = before.ptr[before.len - 1];
    if (is_any(last, ":;>'\"[(<-,"))
        return true;
    if (!is_any(line.ptr[at - 1], " \t"))
        return false;
    before = span_from(before, before.len - (before.len < HEADING_MAX ? before.len : HEADING_MAX));
    buf_init_peer(&folded, (size_t)HEADING_MAX * 4);
    returns_fold(before, &folded);
    bool led = returns_phrase_ends(RETURNS_PHRASE_REASON_LABEL, buf_span(&folded));
    buf_fini(&folded);
    return led;
}

/* Without a bracket or quote at its end that has been opened before it: "(reason: 550 …)". */
static struct span without_closing(struct span line, size_t at)
{
    static const struct {
        const char open, close;
    } pairs[] = {{'[', ']'}, {'(', ')'}, {'\'', '\''}, {'"', '"'}};
    struct span reply = span_trim(span_from(line, at));
    struct span before = span_first(line, at);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        bool opened = span_find(before, pairs[i].open) < before.len;
        size_t end = reply.len;
        while (opened && end > 0 && reply.ptr[end - 1] != pairs[i].close)
            end--;
        bool inside = span_find(span_first(reply, end > 0 ? end - 1 : 0), pairs[i].open) < end - 1;
        bool quote = pairs[i].open == pairs[i].close;
        bool tail = end + 2 >= reply.len;
        if (opened && end > 0 && tail && (quote || !inside))
            reply = span_trim(span_first(reply, end - 1));
    }
    return reply;
}

bool returns_lines_reply(struct span line, struct span *reply_r)
{
    for (size_t at = 0; at < line.len; at++) {
        bool word = at == 0 || !(is_letter(line.ptr[at - 1]) || is_digit(line.ptr[at - 1]) ||
                                 is_any(line.ptr[at - 1], "./_#"));
        size_t len = word ? returns_lines_code(span_from(line, at)) : 0;
        if (len == 0 || !begins_reply(line, at))
            continue;
        *reply_r = without_closing(line, at);
        return true;
    }
    return false;
}

bool returns_lines_is_rule(struct span line)
{
    line = span_trim(line);
    if (line.len == 0)
        return true;
    bool framed = is_any(line.ptr[0], "-=*|#_") && is_any(line.ptr[line.len - 1], "-=*|#_");
    for (size_t i = 0; i < line.len; i++)
        if (is_letter(line.ptr[i]) || is_digit(line.ptr[i]))
            return framed;
    return true;
}
