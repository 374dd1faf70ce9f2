// SPDX-License-Identifier: BSD-2-Clause
/* judge.c - Compares planned records with those that the servers publish, and describes the
 * difference. */
#include "planning.h"

#include <string.h>

enum records_state records_judge(const struct records_item *item,
                                 const struct dns_answer *const *servers, size_t count,
                                 const struct dns_answer *resolver,
                                 const struct dns_answer **found_r, uint32_t *ttl_s_r)
{
    size_t by_state[RECORDS_PROPAGATING + 1] = {0};
    enum records_state remembered = records_compare(item, resolver);
    *found_r = resolver;
    *ttl_s_r = resolver->given_ttl_s;
    for (size_t i = 0; i < count; i++) {
        enum records_state state = records_compare(item, servers[i]);
        by_state[state]++;
        if (state == RECORDS_WRONG || (state == RECORDS_MISSING && by_state[RECORDS_WRONG] == 0))
            *found_r = servers[i];
    }
    size_t bad = by_state[RECORDS_WRONG] + by_state[RECORDS_MISSING];
    if (count == 0 || by_state[RECORDS_UNKNOWN] == count)
        return remembered;
    if (bad == 0) /* all that answered have it */
        return remembered == RECORDS_OK || remembered == RECORDS_UNKNOWN ? RECORDS_OK
                                                                         : RECORDS_PROPAGATING;
    if (by_state[RECORDS_OK] > 0)
        return RECORDS_PROPAGATING;
    return by_state[RECORDS_WRONG] > 0 ? RECORDS_WRONG : RECORDS_MISSING;
}

/* The words of one text that the other has not; what separates them is blanks and semicolons. */
static size_t add_missing_words(struct span has, struct span lacks, const char *title,
                                struct buf *out)
{
    size_t count = 0;
    while (has.len > 0) {
        struct span word = span_trim(span_take(&has, span_find(has, ';') < has.len ? ';' : ' '));
        bool found = word.len == 0;
        for (struct span rest = lacks; rest.len > 0 && !found;)
            found = span_equal_nocase(
                word, span_trim(span_take(&rest, span_find(rest, ';') < rest.len ? ';' : ' ')));
        if (!found)
            buf_addf(out, "%s%.*s", count++ == 0 ? title : ", ", SPAN_ARG(word));
    }
    return count;
}

void records_difference(const struct records_item *item, const struct dns_answer *found,
                        struct buf *out)
{
    struct span wanted = span_of(item->record.value);
    size_t others = 0;
    size_t last = 0;
    for (size_t i = 0; i < found->count; i++) {
        if (!records_same(item, &found->rrs[i]) && records_replaces(item, &found->rrs[i])) {
            others++;
            last = i;
        }
    }
    if (others > 1)
        buf_addf(out, "%zu records are published, one is allowed", others);
    if (others != 1)
        return;
    struct buf text;
    buf_init(&text, RECORD_VALUE_MAX);
    dns_rr_print(item->record.type, &found->rrs[last], &text);
    size_t lacks = add_missing_words(wanted, buf_span(&text), "it lacks ", out);
    add_missing_words(buf_span(&text), wanted, lacks > 0 ? "; it has " : "it has ", out);
    buf_fini(&text);
}
