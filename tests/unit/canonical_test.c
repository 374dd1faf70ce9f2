// SPDX-License-Identifier: BSD-2-Clause
/* canonical_test.c - The canonical form against its vectors, and what must hold for all of them. */
#include "table.h"

#include "address.h"
#include "providers.h"

#include <stdlib.h>

static void unescape(char *text)
{
    char *to = text;
    for (char *p = text; *p; p++, to++) {
        bool blank = p[0] == '\\' && p[1] == 's';
        *to = blank ? ' ' : *p;
        p += blank;
    }
    *to = '\0';
}

static void print(const char *text, char *out_r, size_t size)
{
    struct address address;
    struct buf out;
    buf_init(&out, ADDRESS_CANONICAL_MAX);
    bool ok = address_parse(span_of(text), &address) && address_canonical(&address, &out);
    snprintf(out_r, size, "%s", ok ? buf_text(&out) : "-");
    buf_fini(&out);
}

static void the_vectors(void **state)
{
    char line[1024];
    size_t count = 0;
    FILE *f = fopen(CANONICAL, "re");
    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char written[400];
        char want[400];
        char got[ADDRESS_CANONICAL_MAX + 1];
        char again[ADDRESS_CANONICAL_MAX + 1];
        struct span rest = span_trim(span_of(line));
        if (rest.len == 0 || rest.ptr[0] == '#')
            continue;
        assert_true(span_copy(span_take(&rest, ' '), written, sizeof(written)) &&
                    span_copy(rest, want, sizeof(want)));
        unescape(written);
        unescape(want);
        print(written, got, sizeof(got));
        if (strcmp(got, want) != 0)
            fail_msg("%s: %s, not %s", written, got, want);
        print(got, again, sizeof(again));
        if (strcmp(got, "-") != 0 && strcmp(again, got) != 0)
            fail_msg("%s: once more: %s", got, again);
        count++;
    }
    fclose(f);
    print_message("%zu vectors of the canonical form\n", count);
    assert_true(count >= 60);
}

/* Folding makes some characters eighteen: still one form, of bounded length. */
static void the_longest(void **state)
{
    char text[200] = "";
    char got[ADDRESS_CANONICAL_MAX + 1];
    (void)state;
    text[0] = '"';
    for (size_t i = 0; i < 20; i++)
        memcpy(text + 1 + 3 * i, "\xef\xb7\xba", 3); /* U+FDFA, which holds blanks then */
    snprintf(text + 61, sizeof(text) - 61, "\"@dest.test");
    print(text, got, sizeof(got));
    assert_true(strlen(got) > 500 && strlen(got) <= ADDRESS_CANONICAL_MAX);
}

/* ---- each provider: three hundred ways of writing one mailbox, and its neighbours ---- */

enum { SPELLINGS = 300 };

/* The n-th way of writing `name`, which has punctuation in it, at one of the provider's domains. */
static void spell(const struct provider_domain *d, const char *const *same, size_t same_count, unsigned n, const char *name, char *out,
                  size_t size)
{
    const struct provider *p = d->provider;
    char local[64] = "";
    size_t len = 0;
    unsigned bits = n;
    for (const char *c = name; *c; c++, bits = bits * 1103515245U + 12345U) {
        bool upper = (bits >> 16) & 1;
        local[len++] = (char)(upper && *c >= 'a' && *c <= 'z' ? *c - 32 : *c);
        if (p->written && local[len - 1] == p->written && upper)
            local[len - 1] = p->read_as;
        if (p->ignores[0] && c[1] && ((bits >> 18) & 1) && local[len - 1] != '.')
            local[len++] = p->ignores[(bits >> 20) % strlen(p->ignores)];
        while (len > 1 && local[len - 1] == '.' && local[len - 2] == '.')
            len--;
    }
    const char *domain = same[n % same_count];
    if (p->by_subdomain && n % 3 == 1)
        snprintf(out, size, "tag%u@%.*s.%s", n, (int)len, local, domain);
    else if (p->tag && n % 3 == 1)
        snprintf(out, size, "%.*s%ctag%u@%s", (int)len, local, p->tag, n, domain);
    else if (n % 3 == 2)
        snprintf(out, size, "\"%.*s+tag%u\"@%s", (int)len, local, n, domain);
    else
        snprintf(out, size, "%.*s+%u.%u@%s", (int)len, local, n, n, domain);
}

static void spell_provider(const struct provider_domain *d, const char *const *same, size_t same_count)
{
    char one[ADDRESS_CANONICAL_MAX + 1];
    char other[ADDRESS_CANONICAL_MAX + 1];
    char written[200];
    const char *name = d->provider->written == '.' || d->provider->ignores[0] ? "annq.leed" : "annqleed";
    snprintf(written, sizeof(written), "%s@%s", name, d->domain);
    print(written, one, sizeof(one));
    for (unsigned n = 0; n < SPELLINGS; n++) {
        spell(d, same, same_count, n, name, written, sizeof(written));
        print(written, other, sizeof(other));
        if (strcmp(one, other) != 0)
            fail_msg("%s: %s: %s, not %s", d->provider->name, written, other, one);
    }
    for (unsigned n = 0; n < SPELLINGS; n++) { /* and as many people stay as many */
        snprintf(written, sizeof(written), "%s%u@%s", name, n, d->domain);
        print(written, other, sizeof(other));
        char end[16];
        snprintf(end, sizeof(end), "d%u@", n);
        if (!strstr(other, end) || strcmp(one, other) == 0)
            fail_msg("%s: %s is counted as %s", d->provider->name, written, other);
    }
}

static void every_provider(void **state)
{
    size_t count = 0;
    const struct provider_domain *all = providers_domains(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *base = NULL;
        const char *same[64];
        size_t same_count = 0;
        assert_true(i == 0 || strcmp(all[i - 1].domain, all[i].domain) < 0);
        assert_ptr_equal(providers_find(all[i].domain, &base), all[i].provider);
        assert_string_equal(base, all[i].domain);
        assert_true(all[i].provider->source[0] != '\0');
        for (size_t k = 0; k < count; k++)
            if (k == i || (all[i].provider->domain && all[k].provider == all[i].provider))
                same[same_count++] = all[k].domain;
        spell_provider(&all[i], same, same_count);
    }
    print_message("%zu domains of providers\n", count);
}

/* What is said of a mailbox must not hold for another one that somebody else can name: each row's two are one mailbox, or
 * they are not. They count as one all the same. */
static void what_is_the_same_mailbox(void **state)
{
    static const struct {
        const char *one, *other;
        bool same;
    } rows[] = {
        {"bob@dest.test", "BOB@DEST.test", true},
        {"bob@dest.test", "\"bob\"@dest.test", true},
        {"\"b\\ob\"@dest.test", "bob@dest.test", true},
        {"j\xc3\xb6rg@dest.test", "J\xc3\xb6RG@dest.test", true},
        {"bob@b\xc3\xbc" "cher.test", "bob@xn--bcher-kva.test", true},
        {"vic@dest.test", "\xef\xbd\x96ic@dest.test", false},           /* full width */
        {"kim@dest.test", "\xe2\x84\xaaim@dest.test", false},           /* the Kelvin sign */
        {"fiona@dest.test", "\xef\xac\x81ona@dest.test", false},        /* a ligature */
        {"weiss@dest.test", "wei\xc3\x9f@dest.test", false},
        {"bob2@dest.test", "bob\xc2\xb2@dest.test", false},
        {"sam@dest.test", "\xc5\xbf" "am@dest.test", false},             /* the long s */
        {"j\xc3\xb6rg@dest.test", "jo\xcc\x88rg@dest.test", false},     /* two normal forms of one text */
        {"j\xc3\xb6rg@dest.test", "j\xc3\x96rg@dest.test", false},
    };
    char one[ADDRESS_CANONICAL_MAX + 1], other[ADDRESS_CANONICAL_MAX + 1];
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        EXPECT(address_same_form(rows[i].one, one) && address_same_form(rows[i].other, other), rows[i].other);
        EXPECT((strcmp(one, other) == 0) == rows[i].same, rows[i].other);
        EXPECT(address_counted_as(rows[i].one, one) && address_counted_as(rows[i].other, other), rows[i].other);
        EXPECT(strcmp(one, other) == 0, rows[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_vectors), cmocka_unit_test(the_longest),
                                       cmocka_unit_test(every_provider), cmocka_unit_test(what_is_the_same_mailbox)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
