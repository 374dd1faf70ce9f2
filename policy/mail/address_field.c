// SPDX-License-Identifier: BSD-2-Clause
/* address_field.c - Parses mailboxes in header fields (RFC 5322 section 3.4).
 *
 * A field that names a sender holds one mailbox. It is scanned once, left to right: outside of
 * quotes and comments only a phrase, one pair of angle brackets and blanks are allowed; anything
 * that another parser could read as a second mailbox is refused. Fields that name recipients hold a
 * list, with groups.
 */
#include "address_parts.h"

#include <string.h>

/* Skip blanks and comments; `named_r` becomes true when a comment holds what other readers take for
 * an address. */
static bool skip_cfws(struct span *s, bool *named_r)
{
    size_t depth = 0;
    size_t i = 0;
    bool quoted = false; /* by a backslash before it */
    for (; i < s->len; i++) {
        char c = s->ptr[i];
        *named_r = *named_r || (depth > 0 && (c == '@' || c == '<' || c == '>'));
        if (quoted) {
            quoted = false;
            continue;
        }
        if (c == '(')
            depth++;
        else if (c == ')' && depth > 0)
            depth--;
        else if (c == '\\' && depth > 0)
            quoted = true;
        else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
            break;
    }
    *s = span_from(*s, i);
    return depth == 0;
}

bool address_skip_cfws(struct span *s)
{
    bool ignored = false;
    return skip_cfws(s, &ignored);
}

static bool refuse(const char **why_r, const char *why)
{
    *why_r = why;
    return false;
}

/* Take "<address>" off the front of `s`. */
static bool take_angle(struct span *s, struct span *inside_r, const char **why_r)
{
    size_t end = s->len > 1 && s->ptr[1] == '"' ? 1 + address_quoted_length(span_from(*s, 1)) : 1;
    end += span_find(span_from(*s, end), '>');
    if (end >= s->len)
        return refuse(why_r, "has no closing '>'");
    *inside_r = span_trim(span_from(span_first(*s, end), 1));
    *s = span_from(*s, end + 1);
    return true;
}

/* One word of a phrase, or of a bare address: a quoted string or a run of anything unspecial. */
static size_t word_length(struct span s)
{
    if (s.ptr[0] == '"')
        return address_quoted_length(s);
    size_t len = 0;
    while (len < s.len &&
           (address_is_atext((unsigned char)s.ptr[len]) || s.ptr[len] == '.' || s.ptr[len] == '@'))
        len++;
    if (len > 0 && len < s.len && s.ptr[len - 1] == '@' && s.ptr[len] == '[')
        len += span_find(span_from(s, len), ']') + 1; /* a domain literal */
    return len > s.len ? 0 : len;
}

/* Words up to what is none: a phrase, or a bare address. */
struct words {
    struct span text; /* from the first word to the end of the last one */
    size_t count;
    bool at_sign; /* an unquoted one */
};

static bool take_words(struct span *s, struct words *words_r, bool *named_r, const char **why_r)
{
    *words_r = (struct words){.text = SPAN_NONE};
    bool sound = skip_cfws(s, named_r);
    while (sound && s->len > 0 && !strchr("<,:;", s->ptr[0])) {
        size_t len = word_length(*s);
        if (len == 0)
            return refuse(why_r, s->ptr[0] == '"' ? "holds a broken quoted string"
                                                  : "holds a character that must be quoted, "
                                                    "as in \"Smith (Sales)\" <a@b.example>");
        if (words_r->count++ == 0)
            words_r->text.ptr = s->ptr;
        words_r->text.len = (size_t)(s->ptr + len - words_r->text.ptr);
        words_r->at_sign =
            words_r->at_sign || (s->ptr[0] != '"' && span_find(span_first(*s, len), '@') < len);
        *s = span_from(*s, len);
        sound = skip_cfws(s, named_r);
    }
    return sound || refuse(why_r, "holds a comment that does not end");
}

static bool take_mailbox(struct span *s, struct address *address_r, const char **why_r)
{
    struct words words;
    struct span inside;
    bool named = false;
    if (!take_words(s, &words, &named, why_r))
        return false;
    if (s->len == 0 && words.count == 0)
        return refuse(why_r, "is empty");
    if (s->len > 0 && s->ptr[0] != '<')
        return refuse(why_r, "must hold exactly one mailbox, no list and no group");
    if (s->len > 0 && words.at_sign)
        return refuse(why_r,
                      "holds an unquoted '@' beside the '<address>': quote the display name");
    if (s->len == 0 && !address_parse(words.text, address_r))
        return refuse(why_r, "holds no valid address local@domain");
    if (s->len > 0) {
        if (!take_angle(s, &inside, why_r))
            return false;
        if (!address_parse(inside, address_r))
            return refuse(why_r, "holds something other than one address local@domain between "
                                 "'<' and '>'");
        if (!skip_cfws(s, &named) || s->len > 0)
            return refuse(why_r, "holds more than one mailbox");
    }
    return !named || refuse(why_r, "holds a comment with '@', '<' or '>', which some readers take "
                                   "for the address: take the comment out");
}

/* Readers differ about '@' and angle brackets inside quotes; some find another domain there. */
static bool is_plain(struct span local)
{
    for (size_t i = 0; i < local.len; i++)
        if (strchr("@<>,;:()\\", local.ptr[i]))
            return false;
    return true;
}

bool address_from_field(struct span value, struct address *address_r, const char **why_r)
{
    return take_mailbox(&value, address_r, why_r) &&
           (is_plain(address_r->local) ||
            refuse(why_r, "has a quoted local part that readers understand in different ways"));
}

enum member { MEMBER_BROKEN, MEMBER_EMPTY, MEMBER_ADDRESS, MEMBER_GROUP };

static enum member broken(const char **why_r, const char *why)
{
    *why_r = why;
    return MEMBER_BROKEN;
}

/* One member of a list: a mailbox, or the name and colon that begin a group. */
static enum member take_member(struct span *s, const char **why_r)
{
    struct words words;
    bool ignored = false;
    if (!take_words(s, &words, &ignored, why_r))
        return MEMBER_BROKEN;
    struct span address = words.text;
    bool ends = s->len == 0 || s->ptr[0] == ',' || s->ptr[0] == ';';
    if (ends && words.count == 0)
        return MEMBER_EMPTY; /* RFC 5322 section 4.4 */
    if (!ends && s->ptr[0] == ':') {
        *s = span_from(*s, 1);
        return words.count > 0 && !words.at_sign
                   ? MEMBER_GROUP
                   : broken(why_r, "holds a ':' that begins no group: quote what has a ':' in it");
    }
    if (!ends && (!take_angle(s, &address, why_r) || !address_skip_cfws(s)))
        return broken(why_r, "holds a '<' without '>', or a comment that does not end");
    return address_is_written(address)
               ? MEMBER_ADDRESS
               : broken(why_r,
                        "holds something that is not an address local@domain: correct it, and "
                        "quote a display name that has a comma in it");
}

bool address_list_field(struct span value, const char **why_r)
{
    size_t count = 0;
    bool in_group = false;
    for (;;) {
        enum member member = take_member(&value, why_r);
        bool again = member == MEMBER_GROUP && in_group;
        if (member == MEMBER_BROKEN || again)
            return again ? refuse(why_r, "holds a group inside a group") : false;
        count += member != MEMBER_EMPTY;
        in_group = in_group || member == MEMBER_GROUP;
        if (member == MEMBER_GROUP)
            continue;
        if (in_group && value.len > 0 && value.ptr[0] == ';') {
            in_group = false;
            value = span_from(value, 1);
            if (!address_skip_cfws(&value))
                return refuse(why_r, "holds a comment that does not end");
        }
        if (value.len == 0)
            break;
        if (value.ptr[0] != ',')
            return refuse(why_r, "must have ',' between two addresses, nothing else");
        value = span_from(value, 1);
    }
    if (in_group)
        return refuse(why_r, "holds a group that does not end with ';'");
    return count > 0 || refuse(why_r, "is empty");
}
