// SPDX-License-Identifier: BSD-2-Clause
/* returns_notice.c - Finds recipients in a text, and what is said of each.
 *
 * - A line that begins with an address is about that recipient, with the lines behind it up to the
 *   next such line.
 * - Where no line does, a sentence that says that something failed, and names an address, is about
 *   that recipient; so is an address behind a word such as "To:".
 * - What was said is the rest of that line; else the first reply with a code, or one that stands
 *   before all recipients; else what stands behind a word such as "reason:"; else the first line.
 */
#include "returns_notice.h"

#include "returns_fields.h"
#include "returns_phrases.h"

#include <string.h>

struct said {
    char text[RETURNS_REPLY_MAX + 1];
};

enum { LISTED_MAX = 2 * RETURNS_RECIPIENTS_MAX };

/* The addresses in a field, borrowed. */
struct listed {
    struct span list[LISTED_MAX];
    size_t count;
};

struct notice {
    const struct returns_lines *lines;
    struct listed own, failed;
    struct returns_reading *reading;
    struct said reply, reason;            /* the first in the whole text; "": none */
    struct span about[RETURNS_LINES_MAX]; /* the address that a line is about; empty: none */
    struct span said[RETURNS_LINES_MAX];  /* and what that line says of it */
    bool again[RETURNS_LINES_MAX];        /* the marked line before it is about the same one */
};

enum { LINE_MAX = 1000 };

static bool folded_line(struct span line, bool (*is)(enum returns_phrases, struct span),
                        enum returns_phrases list)
{
    struct buf folded;
    buf_init_peer(&folded, (size_t)LINE_MAX * 4);
    returns_fold(span_trim(span_first(line, LINE_MAX)), &folded);
    struct span text = span_trim(buf_span(&folded));
    bool yes = is(list, text);
    buf_fini(&folded);
    return yes;
}

static bool says_failure(struct span line)
{
    return folded_line(line, returns_phrase_in, RETURNS_PHRASE_FAILURE);
}

static bool is_any(char c, const char *set)
{
    return c != '\0' && strchr(set, c);
}

static struct span skip_any(struct span s, const char *set)
{
    size_t len = 0;
    while (len < s.len && is_any(s.ptr[len], set))
        len++;
    return span_from(s, len);
}

/* ---- which recipient a line is about ---- */

static void take_apart(struct span field, struct listed *listed_r)
{
    struct span address;
    listed_r->count = 0;
    while (listed_r->count < LISTED_MAX && returns_lines_address(field, &address)) {
        listed_r->list[listed_r->count++] = address;
        field = span_from(field, (size_t)(address.ptr - field.ptr) + address.len);
    }
}

static bool contains(const struct listed *listed, struct span address)
{
    for (size_t i = 0; i < listed->count; i++)
        if (span_equal_nocase(listed->list[i], address))
            return true;
    return false;
}

static bool may_be_recipient(const struct notice *n, struct span address)
{
    return n->failed.count > 0 ? contains(&n->failed, address) : !contains(&n->own, address);
}

/* May this stand behind the address of a recipient, with which a line begins? */
static bool fits_behind(struct span rest)
{
    struct span reply;
    struct span bare = span_trim(rest);
    if (bare.len == 0 || is_any(bare.ptr[0], ":;,[(<") || span_starts_nocase(bare, SPAN("...")) ||
        span_starts_nocase(bare, SPAN("- ")) || span_starts_nocase(bare, SPAN("on ")))
        return true;
    return rest.len - bare.len > 1 || says_failure(bare) || returns_lines_reply(bare, &reply);
}

static bool leads(const struct notice *n, struct span line, struct span *address_r,
                  struct span *said_r)
{
    struct span bare = skip_any(line, " \t>*-|\"'<(=:.");
    if (!returns_lines_address(line, address_r) || address_r->ptr != bare.ptr ||
        folded_line(line, returns_phrase_begins, RETURNS_PHRASE_OTHER_LINE))
        return false;
    struct span rest = span_from(bare, address_r->len);
    *said_r = skip_any(rest, ">\"')");
    return may_be_recipient(n, *address_r) && fits_behind(*said_r);
}

/* "554 <user@club.example>... Host unknown", as sendmail tells of a session. */
static bool is_transcript(struct span line, struct span address)
{
    size_t code = returns_lines_code(line);
    struct span behind = span_from(line, (size_t)(address.ptr - line.ptr) + address.len);
    return code > 0 && address.ptr == line.ptr + code + 2 &&
           span_starts_nocase(behind, SPAN(">..."));
}

static bool is_labelled(struct span line, struct span address)
{
    struct span before = span_trim(span_first(line, (size_t)(address.ptr - line.ptr)));
    while (before.len > 0 && is_any(before.ptr[before.len - 1], ":<\"' \t"))
        before.len--;
    return folded_line(before, returns_phrase_ends, RETURNS_PHRASE_RECIPIENT_LABEL);
}

static bool names(const struct notice *n, struct span line, struct span *address_r,
                  struct span *said_r)
{
    struct span rest = line;
    *said_r = line;
    if (folded_line(line, returns_phrase_begins, RETURNS_PHRASE_OTHER_LINE))
        return false;
    while (returns_lines_address(rest, address_r)) {
        rest = span_from(rest, (size_t)(address_r->ptr - rest.ptr) + address_r->len);
        if (may_be_recipient(n, *address_r))
            return is_transcript(span_trim(line), *address_r) || is_labelled(line, *address_r) ||
                   says_failure(line);
    }
    return false;
}

typedef bool finds(const struct notice *n, struct span line, struct span *address_r,
                   struct span *said_r);

static bool mark_lines(struct notice *n, finds *find)
{
    struct span before = SPAN_NONE;
    for (size_t i = 0; i < n->lines->count; i++) {
        if (!find(n, n->lines->list[i], &n->about[i], &n->said[i]))
            n->about[i] = SPAN_NONE;
        n->again[i] = n->about[i].len > 0 && span_equal_nocase(n->about[i], before);
        before = n->about[i].len > 0 ? n->about[i] : before;
    }
    return before.len > 0;
}

/* ---- what is said ---- */

static void say(struct said *to, struct span text)
{
    returns_fields_line(skip_any(span_trim(text), ">|"), to->text, sizeof(to->text));
}

static void say_more(struct said *to, struct span text)
{
    size_t used = strlen(to->text);
    if (used + 2 >= sizeof(to->text))
        return;
    to->text[used++] = ' ';
    returns_fields_line(text, to->text + used, sizeof(to->text) - used);
}

/* Is the line part of what is said of the recipient of line `i`? Where several lines in a row are
 * about one, all that follows is the first one's; so each line is looked at twice at most. */
static bool is_in_block(const struct notice *n, size_t i, size_t line)
{
    return line < n->lines->count &&
           (line == i || n->about[line].len == 0 ||
            (!n->again[i] && span_equal_nocase(n->about[line], n->about[i])));
}

/* What stands behind the address on its line, with the lines that continue it. */
static bool say_rest(const struct notice *n, size_t i, struct said *said)
{
    struct span rest = span_trim(skip_any(span_trim(n->said[i]), ":;,.- "));
    struct span address;
    if (rest.len == 0 || is_any(rest.ptr[0], "<") || span_starts_nocase(rest, SPAN("on ")))
        return false;
    if (rest.ptr[0] == '(' && returns_lines_address(rest, &address))
        return false;
    bool framed = (rest.ptr[0] == '[' && rest.ptr[rest.len - 1] == ']') ||
                  (rest.ptr[0] == '(' && rest.ptr[rest.len - 1] == ')');
    if (framed && rest.len > 2)
        rest = span_first(span_from(rest, 1), rest.len - 2);
    say(said, rest);
    for (size_t k = i + 1; is_in_block(n, i, k); k++) {
        struct span line = n->lines->list[k];
        if (span_trim(line).len == 0 || !is_any(line.ptr[0], " \t"))
            break;
        say_more(said, line);
    }
    return true;
}

/* A reply with a code, with its further lines (RFC 5321 section 4.2.1). */
static bool say_reply(const struct notice *n, size_t from, size_t to, struct said *said)
{
    struct span reply = SPAN_NONE;
    size_t k = from;
    while (k < to && !returns_lines_reply(n->lines->list[k], &reply))
        k++;
    if (k >= to)
        return false;
    say(said, reply);
    struct span code = span_first(reply, returns_lines_code(reply));
    while (++k < to && reply.len > code.len && reply.ptr[code.len] == '-') {
        reply = span_trim(n->lines->list[k]);
        if (!span_starts_nocase(reply, code))
            break;
        say_more(said, reply);
    }
    return true;
}

static bool say_reason(const struct notice *n, size_t from, size_t to, struct said *said)
{
    for (size_t k = from; k < to; k++) {
        struct span line = span_trim(n->lines->list[k]);
        struct span rest = line;
        struct span label = span_trim(span_take(&rest, ':'));
        if (label.len == line.len ||
            !folded_line(label, returns_phrase_ends, RETURNS_PHRASE_REASON_LABEL))
            continue;
        for (k++; span_trim(rest).len == 0 && k < to; k++)
            rest = n->lines->list[k];
        say(said, skip_any(span_trim(rest), "- "));
        return said->text[0] != '\0';
    }
    return false;
}

static bool say_first_line(const struct notice *n, size_t from, size_t to, struct said *said)
{
    for (size_t k = from; k < to; k++) {
        struct span line = span_trim(n->lines->list[k]);
        if (returns_lines_is_rule(line))
            continue;
        say(said, line);
        if (line.ptr[0] == '(' && line.ptr[line.len - 1] == ')' && k + 1 < to)
            say_more(said, n->lines->list[k + 1]);
        return true;
    }
    return false;
}

static void say_line_before(const struct notice *n, size_t i, struct said *said)
{
    while (i > 0 && returns_lines_is_rule(n->lines->list[i - 1]))
        i--;
    if (i > 0)
        say(said, n->lines->list[i - 1]);
}

static size_t block_end(const struct notice *n, size_t i)
{
    size_t end = i + 1;
    while (is_in_block(n, i, end))
        end++;
    return end;
}

static void say_of_leading(const struct notice *n, size_t i, struct said *said)
{
    size_t end = block_end(n, i);
    if (say_rest(n, i, said) || say_reply(n, i + 1, end, said))
        return;
    *said = n->reply;
    if (!said->text[0] && !say_reason(n, i + 1, end, said) && !say_first_line(n, i + 1, end, said))
        say_line_before(n, i, said);
}

/* What a server said before: "<<< 550 No such user". */
static bool say_heard_before(const struct notice *n, size_t i, struct said *said)
{
    while (i > 0 && n->about[i - 1].len == 0) {
        struct span line = span_trim(n->lines->list[--i]);
        if (span_starts_nocase(line, SPAN("<<< ")) && returns_lines_code(span_from(line, 4)) > 0) {
            say(said, span_from(line, 4));
            return true;
        }
    }
    return false;
}

static bool say_transcript(const struct notice *n, size_t i, struct said *said)
{
    struct span line = span_trim(n->lines->list[i]);
    if (!is_transcript(line, n->about[i]))
        return false;
    struct span rest = span_from(line, (size_t)(n->about[i].ptr - line.ptr) + n->about[i].len);
    rest = span_trim(skip_any(rest, ">. "));
    if (returns_lines_code(rest) > 0)
        say(said, rest);
    else if (!say_heard_before(n, i, said))
        say(said, line);
    return true;
}

static void say_of_sentence(const struct notice *n, size_t i, struct said *said)
{
    if (say_transcript(n, i, said) || say_reply(n, i, block_end(n, i), said))
        return;
    *said = n->reply.text[0] ? n->reply : n->reason;
    if (said->text[0])
        return;
    bool told = say_first_line(n, i + 1, block_end(n, i), said);
    if (!told || (says_failure(n->lines->list[i]) && !says_failure(span_of(said->text))))
        say(said, n->lines->list[i]);
}

/* ---- recipients ---- */

/* A reply with a code says more than a sentence. */
static bool says_more(const char *text, const char *than)
{
    struct span reply;
    return !than[0] ||
           (returns_lines_code(span_of(than)) == 0 && returns_lines_reply(span_of(text), &reply));
}

static bool add(struct returns_reading *reading, struct span address, const struct said *said)
{
    struct returns_recipient *r = reading->recipients;
    struct returns_recipient *end = r + reading->recipient_count;
    while (r < end && !span_equal_nocase(span_of(r->address), address))
        r++;
    if (r == reading->recipients + RETURNS_RECIPIENTS_MAX) {
        reading->more = true;
        return false;
    }
    if (r == end) {
        *r = (struct returns_recipient){.action = RETURNS_ACTION_UNSAID};
        span_put(address, r->address, sizeof(r->address));
        reading->recipient_count++;
    }
    if (said->text[0] && says_more(said->text, r->reply)) {
        memcpy(r->reply, said->text, sizeof(r->reply));
        returns_fields_find_status(span_of(r->reply), r->status);
    }
    return true;
}

static void add_failed(struct notice *n)
{
    struct said said = {""};
    for (size_t i = 0; i < n->failed.count; i++)
        if (!add(n->reading, n->failed.list[i], &said))
            return;
}

/* What is told of everybody stands before the first who is named; in sentences anywhere. */
static void read_common(struct notice *n, bool leading)
{
    size_t end = 0;
    while (end < n->lines->count && !(leading && n->about[end].len > 0))
        end++;
    say_reply(n, 0, end, &n->reply);
    say_reason(n, 0, end, &n->reason);
}

/* Is a line marked? */
static bool mark(struct notice *n, bool *leading_r)
{
    *leading_r = mark_lines(n, leads);
    return *leading_r || mark_lines(n, names);
}

void returns_notice_read(const struct returns_lines *lines, struct span own, struct span failed,
                         struct returns_reading *reading)
{
    struct notice n = {.lines = lines, .reading = reading};
    bool leading;
    take_apart(own, &n.own);
    take_apart(failed, &n.failed);
    if (!mark(&n, &leading)) {
        n.own.count = 0; /* somebody has written to himself */
        mark(&n, &leading);
    }
    read_common(&n, leading);
    bool room = true;
    for (size_t i = 0; i < lines->count && room; i++) {
        struct said said = {""};
        if (n.about[i].len == 0)
            continue;
        if (leading)
            say_of_leading(&n, i, &said);
        else
            say_of_sentence(&n, i, &said);
        room = add(reading, n.about[i], &said);
    }
    add_failed(&n);
}
