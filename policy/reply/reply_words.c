// SPDX-License-Identifier: BSD-2-Clause
/* reply_words.c - Takes a reply apart: whatever a sender, a receiver or chance has chosen becomes a
 * mark; the rest becomes words. */
#include "reply_words.h"

#include "check.h"

#include <string.h>

enum { BRACKETED_MAX = 330, GAP_MAX = 4, CODE_MAX = 40 };

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_letter(char c)
{
    return (lower(c) >= 'a' && lower(c) <= 'z') || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

static bool is_among(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static struct span trim(struct span s, const char *set)
{
    while (s.len > 0 && is_among(s.ptr[0], set))
        s = span_from(s, 1);
    while (s.len > 0 && is_among(s.ptr[s.len - 1], set))
        s.len--;
    return s;
}

static bool has(struct span s, bool (*is)(char))
{
    for (size_t i = 0; i < s.len; i++)
        if (is(s.ptr[i]))
            return true;
    return false;
}

static bool has_among(struct span s, const char *set)
{
    for (size_t i = 0; i < s.len; i++)
        if (is_among(s.ptr[i], set))
            return true;
    return false;
}

/* ---- what is kept ---- */

/* To the word that begins at `from`. */
static void add_char(struct reply_words *w, size_t from, char c)
{
    if ((unsigned char)c >= 0x80)
        c = '?';
    bool again = c == '?' && w->used > from && w->bytes[w->used - 1] == '?';
    if (!again && w->used < sizeof(w->bytes))
        w->bytes[w->used++] = lower(c);
}

/* A number of the first two letters. */
static unsigned beginning_of(struct span word)
{
    return (unsigned char)(word.ptr[0] * 37 + (word.len > 1 ? word.ptr[1] : 0));
}

static void add_word(struct reply_words *w, struct span word)
{
    size_t from = w->used;
    if (w->count == REPLY_WORDS_MAX || word.len == 0)
        return;
    for (size_t i = 0; i < word.len; i++)
        add_char(w, from, word.ptr[i]);
    if (w->used == from) /* no room */
        return;
    w->list[w->count++] = (struct span){w->bytes + from, w->used - from};
    unsigned beginning = beginning_of(w->list[w->count - 1]);
    w->begins[beginning / 64] |= UINT64_C(1) << beginning % 64;
}

/* Two of one kind in sequence say no more than one. */
static void add_mark(struct reply_words *w, const char *mark)
{
    if (w->count == 0 || !span_equal(w->list[w->count - 1], span_of(mark)))
        add_word(w, span_of(mark));
}

/* ---- numbers ---- */

/* How many groups of one to three digits with dots between them; 0: it is something else. */
static unsigned count_groups(struct span s)
{
    unsigned groups = 0;
    while (s.len > 0) {
        struct span group = span_take(&s, '.');
        if (group.len == 0 || group.len > 3 || has(group, is_letter) || !has(group, is_digit))
            return 0;
        groups++;
    }
    return groups;
}

/* Digits and what stands between them: an IP address, an enhanced code, or nothing to know. */
static void add_numbers(struct reply_words *w, struct span s)
{
    unsigned groups = count_groups(s);
    if (groups == 4)
        add_mark(w, "#");
    if (groups == 3 && !w->enhanced[0] && is_among(s.ptr[0], "45") && s.ptr[1] == '.' &&
        !span_copy(s, w->enhanced, sizeof(w->enhanced)))
        w->enhanced[0] = '\0';
}

/* With "::" or all eight groups: a time of day is none. */
static bool is_ipv6(struct span s)
{
    unsigned colons = 0;
    for (size_t i = 0; i < s.len; i++) {
        colons += s.ptr[i] == ':';
        if (span_hex_value(s.ptr[i]) < 0 && !is_among(s.ptr[i], ":.%/"))
            return false;
    }
    return colons == 7 || (colons >= 2 && span_search(s, SPAN("::")) < s.len);
}

/* ---- names of hosts ---- */

/* Where a sentence begins behind a dot without a blank. None of these is a top-level domain. */
static const char *const beginnings[] = {"please", "see", "for", "the", "this", "if", "your",
                                         "you",    "try", "a",   "an",  "we",   "our"};

/* Exchange's own words, which look like names of hosts. */
static const char *const diagnostics[] = {"resolver.adr.",   "resolver.rst.", "storedrv.deliver",
                                          "storedrv.submit", "smtpsend.dns.", "routing.no"};

static bool is_diagnostic(struct span s)
{
    for (size_t i = 0; i < COUNT_OF(diagnostics); i++)
        if (span_starts_nocase(s, span_of(diagnostics[i])))
            return true;
    return false;
}

static bool is_beginning(struct span label)
{
    for (size_t i = 0; i < COUNT_OF(beginnings); i++)
        if (span_equal_nocase(label, span_of(beginnings[i])))
            return true;
    return false;
}

static bool is_label(struct span label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!is_letter(label.ptr[i]) && !is_digit(label.ptr[i]) && !is_among(label.ptr[i], "-_*?"))
            return false;
    return label.len > 0;
}

static bool is_host(struct span s)
{
    struct span label = SPAN_NONE;
    unsigned labels = 0;
    if (is_diagnostic(s))
        return false;
    while (s.len > 0) {
        label = span_take(&s, '.');
        if (!is_label(label))
            return false;
        labels++;
    }
    bool top = span_starts_nocase(label, SPAN("xn--")) || (!has(label, is_digit) && label.len >= 2);
    return labels >= 2 && top && !is_beginning(label);
}

/* ---- pieces without a blank in them ---- */

static bool is_in_word(struct span s, size_t i)
{
    return is_letter(s.ptr[i]) || (is_among(s.ptr[i], "'?") && i > 0 && i + 1 < s.len &&
                                   (is_letter(s.ptr[i - 1]) || s.ptr[i - 1] == '?') &&
                                   (is_letter(s.ptr[i + 1]) || s.ptr[i + 1] == '?'));
}

/* "over-quota" is two words, "domain's" is "domain". */
static void add_words(struct reply_words *w, struct span s)
{
    for (size_t i = 0; i < s.len;) {
        size_t from = i;
        while (i < s.len && is_in_word(s, i))
            i++;
        struct span word = {s.ptr + from, i - from};
        if (word.len > 2 && span_ends_nocase(word, SPAN("'s")))
            word.len -= 2;
        add_word(w, word);
        i += i == from;
    }
}

static bool is_about_authentication(struct span key)
{
    static const char *const keys[] = {"spf", "dkim", "dmarc", "auth"};
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (span_equal_nocase(key, span_of(keys[i])))
            return true;
    return false;
}

/* Neither an address nor a URL, and no ":" in it. */
static void add_plain(struct reply_words *w, struct span s)
{
    s = trim(s, ".:!?'*-+~\\&#$%");
    size_t slash = span_find(s, '/');
    size_t equals = span_find(s, '=');
    if (s.len == 0)
        return;
    if (equals < s.len && !is_about_authentication(span_first(s, equals)))
        add_mark(w, "=");
    else if (slash == 0 || (slash < s.len && is_host(span_first(s, slash))))
        add_mark(w, "/");
    else if (!has(s, is_letter) && has(s, is_digit))
        add_numbers(w, trim(s, "/"));
    else if (is_host(s))
        add_mark(w, ".");
    else if (equals == s.len && has(s, is_digit))
        add_word(w, span_first(trim(s, "/"), CODE_MAX));
    else if (has_among(trim(s, "_#"), "_#")) /* "AUP#CDRBL" */
        add_word(w, span_first(s, CODE_MAX));
    else
        add_words(w, s);
}

static void add_between_colons(struct reply_words *w, struct span s)
{
    if (is_ipv6(trim(s, ".")))
        add_mark(w, "#");
    else
        while (s.len > 0)
            add_plain(w, span_take(&s, ':'));
}

static bool is_in_local_part(char c)
{
    return is_letter(c) || is_digit(c) || is_among(c, ".!#$%&'*+-/=?^_{}~");
}

/* An address: what stands before it and behind it may be words. True: there was one. */
static bool add_address(struct reply_words *w, struct span s, size_t *used_r)
{
    size_t at = span_find(s, '@');
    if (at == s.len)
        return false;
    size_t from = at;
    size_t end = at + 1;
    while (from > 0 && is_in_local_part(s.ptr[from - 1]))
        from--;
    while (end < s.len &&
           (is_letter(s.ptr[end]) || is_digit(s.ptr[end]) || is_among(s.ptr[end], ".-_*?@")))
        end++;
    add_between_colons(w, span_first(s, from));
    add_mark(w, "@");
    *used_r = end;
    return true;
}

/* ---- the whole ---- */

static bool is_url(struct span s)
{
    static const char *const schemes[] = {"http:", "https:", "ftp:", "mailto:", "www.", "//"};
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (span_starts_nocase(s, span_of(schemes[i])))
            return true;
    return false;
}

static size_t length_until(struct span s, const char *set)
{
    size_t len = 0;
    while (len < s.len && !is_blank(s.ptr[len]) && !is_among(s.ptr[len], set))
        len++;
    return len;
}

/* "<…>", or "\"…\"@": whose words are none. How long; 0: it is none. */
static size_t length_of_bracketed(struct span s)
{
    struct span inside = span_first(span_from(s, 1), BRACKETED_MAX);
    if (s.ptr[0] == '<') {
        size_t end = span_find(inside, '>');
        return end < inside.len && end < span_find(inside, '<') ? end + 2 : 0;
    }
    size_t end = s.ptr[0] == '"' ? span_find(inside, '"') : inside.len;
    return end + 1 < inside.len && inside.ptr[end + 1] == '@'
               ? end + 2 + length_until(span_from(inside, end + 1), "<>()[]\",;")
               : 0;
}

/* "550-", which begins a line of a reply that is not taken apart yet. */
static bool is_line_code(struct span s)
{
    return s.len > 3 && is_among(s.ptr[0], "245") && is_digit(s.ptr[1]) && is_digit(s.ptr[2]) &&
           s.ptr[3] == '-';
}

/* How much was taken of what stands at the front. */
static size_t take(struct reply_words *w, struct span s)
{
    if (is_line_code(s))
        return 4;
    size_t len = length_of_bracketed(s);
    if (len > 0) {
        add_mark(w, "@");
        return len;
    }
    if (is_url(s)) {
        add_mark(w, "/");
        return length_until(s, "<>\"");
    }
    len = length_until(s, "<>()[]\",;|`");
    if (len == 0)
        return 1;
    size_t used = len;
    if (add_address(w, span_first(s, len), &used))
        return used;
    struct span piece = span_first(s, len);
    piece.len = span_search(piece, SPAN("..")); /* "denied...7d39" */
    add_between_colons(w, piece);
    return piece.len > 0 ? piece.len : 1;
}

void reply_words_read(struct reply_words *w, struct span text)
{
    w->used = w->count = 0;
    memset(w->begins, 0, sizeof(w->begins));
    w->enhanced[0] = '\0';
    text = span_first(text, REPLY_WORDS_BYTES);
    while (text.len > 0)
        text = span_from(text, take(w, text));
}

/* ---- patterns ---- */

static bool is_word(struct span word, struct span wanted)
{
    if (wanted.ptr[0] != word.ptr[0])
        return wanted.ptr[0] == '*' && span_ends_nocase(word, span_from(wanted, 1));
    bool begins = wanted.ptr[wanted.len - 1] == '*';
    wanted.len -= begins;
    return word.len >= wanted.len && (begins || word.len == wanted.len) &&
           memcmp(word.ptr, wanted.ptr, wanted.len) == 0;
}

static bool is_one_of(struct span word, struct span wanted)
{
    while (wanted.len > 0)
        if (is_word(word, span_take(&wanted, '|')))
            return true;
    return false;
}

/* From its `at`th word on. */
static bool fits_at(const struct reply_words *w, size_t at, struct span pattern)
{
    while (pattern.len > 0) {
        struct span part = span_take(&pattern, ' ');
        if (span_equal(part, SPAN(".."))) {
            for (size_t skipped = 0; skipped <= GAP_MAX && at + skipped <= w->count; skipped++)
                if (fits_at(w, at + skipped, pattern))
                    return true;
            return false;
        }
        if (span_equal(part, SPAN("$")))
            return at == w->count;
        if (at == w->count || !is_one_of(w->list[at], part))
            return false;
        at++;
    }
    return true;
}

static bool may_be_there(const struct reply_words *w, struct span word)
{
    unsigned beginning = beginning_of(word);
    bool any = word.ptr[0] == '*' || (word.len == 2 && word.ptr[1] == '*');
    return any || (w->begins[beginning / 64] >> beginning % 64 & 1);
}

/* Does any word begin as the first part wants it? Most patterns end here. */
static bool may_begin(const struct reply_words *w, struct span part)
{
    while (part.len > 0)
        if (may_be_there(w, span_take(&part, '|')))
            return true;
    return false;
}

bool reply_words_fit(const struct reply_words *w, struct span pattern)
{
    struct span first = span_first(pattern, span_find(pattern, ' '));
    if (span_equal(first, SPAN("^")))
        return fits_at(w, 0, span_from(pattern, 2));
    if (!may_begin(w, first))
        return false;
    struct span rest = span_from(pattern, first.len + 1);
    for (size_t at = 0; at < w->count; at++)
        if (is_one_of(w->list[at], first) && fits_at(w, at + 1, rest))
            return true;
    return false;
}
