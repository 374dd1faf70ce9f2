// SPDX-License-Identifier: BSD-2-Clause
/* meant.c - Which destination a person means who writes a part of its name.
 *
 * A name is hosts or a provider, a port, and what the route demands: "relay.example:587 verify
 * smarthost login-682fbae2". Its hosts are whole words; of the words behind them the beginning is
 * enough, and such a beginning stands alone when it is long enough to tell.
 */
#include "queue_view.h"

#include "span.h"

enum { ALONE_MIN = 5 };

static size_t find_last(struct span text, char byte)
{
    size_t i = text.len;
    while (i > 0 && text.ptr[i - 1] != byte)
        i--;
    return i > 0 ? i - 1 : text.len;
}

/* "a.test,b.test:25" is met by itself, "a.test,b.test", "a.test:25", "b.test" and so on. */
static bool is_head(struct span head, struct span given)
{
    size_t colon = find_last(head, ':');
    struct span hosts = span_first(head, colon);
    struct span port = span_from(head, colon);
    if (span_equal_nocase(given, head) || span_equal_nocase(given, hosts))
        return true;
    if (given.len > port.len && span_ends_nocase(given, port))
        given.len -= port.len;
    while (hosts.len > 0)
        if (span_equal_nocase(span_take(&hosts, ','), given))
            return true;
    return false;
}

static bool begins_a_word(struct span words, struct span given)
{
    while (words.len > 0) {
        struct span word = span_take(&words, ' ');
        if (given.len > 0 && given.len <= word.len &&
            span_equal_nocase(span_first(word, given.len), given))
            return true;
    }
    return false;
}

bool queue_destination_is_meant(const char *name, const char *given)
{
    struct span words = span_of(name);
    struct span asked = span_of(given);
    struct span head = span_take(&words, ' ');
    struct span first = span_take(&asked, ' ');
    bool meant = is_head(head, first) || (first.len >= ALONE_MIN && begins_a_word(words, first));
    while (meant && asked.len > 0)
        meant = begins_a_word(words, span_take(&asked, ' '));
    return meant;
}
