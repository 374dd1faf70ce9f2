// SPDX-License-Identifier: BSD-2-Clause
/* hop.c - The queue's names for the ways that mail goes: put together, and taken apart. */
#include "hop.h"

#include <stdio.h>
#include <string.h>

void hop_print(const char *domain, enum tls_need need, const char *source, char *text_r)
{
    snprintf(text_r, HOP_TEXT, "%s%s%s%s%.*s", domain, need == TLS_NEED_NONE ? "" : " ",
             tls_need_name(need), source[0] ? " " HOP_SOURCE_WORD : "", HOP_SOURCE - 1, source);
}

void hop_source(const char *name, char *source_r)
{
    const struct span word = SPAN(HOP_SOURCE_WORD);
    struct span words = span_of(name);
    source_r[0] = '\0';
    span_take(&words, ' '); /* the domain, or hosts */
    while (words.len > 0) {
        struct span one = span_take(&words, ' ');
        if (span_starts_nocase(one, word))
            span_put(span_from(one, word.len), source_r, HOP_SOURCE);
    }
}

void hop_read(const char *text, struct hop *hop_r)
{
    struct span words = span_of(text);
    *hop_r = (struct hop){.need = TLS_NEED_NONE};
    span_put(span_take(&words, ' '), hop_r->domain, sizeof(hop_r->domain));
    hop_source(text, hop_r->source);
    struct span need = span_take(&words, ' ');
    for (int i = TLS_NEED_NONE + 1; i < TLS_NEEDS; i++)
        if (span_equal(need, span_of(tls_need_name((enum tls_need)i))))
            hop_r->need = (enum tls_need)i;
}
