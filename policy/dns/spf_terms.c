// SPDX-License-Identifier: BSD-2-Clause
/* spf_terms.c - Parses the terms of an SPF record strictly (RFC 7208 section 12). */
#include "spf_terms.h"

#include <arpa/inet.h>
#include <string.h>

static const char *const result_names[SPF_RESULTS] = {
    [SPF_PENDING] = "pending",     [SPF_NONE] = "none",          [SPF_NEUTRAL] = "neutral",
    [SPF_PASS] = "pass",           [SPF_FAIL] = "fail",          [SPF_SOFTFAIL] = "softfail",
    [SPF_TEMPERROR] = "temperror", [SPF_PERMERROR] = "permerror"};

const char *spf_result_name(enum spf_result result)
{
    CHECK((unsigned)result < SPF_RESULTS);
    return result_names[result];
}

bool spf_result_parse(struct span name, enum spf_result *result_r)
{
    for (size_t i = SPF_NONE; i < SPF_RESULTS; i++) {
        if (span_equal_nocase(name, span_of(result_names[i]))) {
            *result_r = (enum spf_result)i;
            return true;
        }
    }
    return false;
}

/* ---- addresses ---- */

static bool read_network(struct span text, bool v6, struct ip *ip_r)
{
    char address[64];
    *ip_r = (struct ip){.v6 = v6};
    return span_copy(text, address, sizeof(address)) &&
           inet_pton(v6 ? AF_INET6 : AF_INET, address, ip_r->bytes) == 1;
}

/* ---- the parts of a term ---- */

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Where a name of letters, digits and -_. ends. */
static size_t name_length(struct span s)
{
    size_t len = 0;
    while (len < s.len && (is_alpha(s.ptr[len]) || is_digit(s.ptr[len]) ||
                           (s.ptr[len] != '\0' && strchr("-_.", s.ptr[len]))))
        len++;
    return len > 0 && is_alpha(s.ptr[0]) ? len : 0;
}

/* toplabel: letters, digits and hyphens, not all digits, no hyphen at either end. */
static bool is_top_label(struct span s)
{
    bool special = false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_alpha(s.ptr[i]) && !is_digit(s.ptr[i]) && s.ptr[i] != '-')
            return false;
        special = special || !is_digit(s.ptr[i]);
    }
    return s.len > 0 && special && s.ptr[0] != '-' && s.ptr[s.len - 1] != '-';
}

/* domain-spec: a macro-string that ends with a macro or with ".toplabel". */
static bool is_domain_spec(struct span s)
{
    if (s.len == 0 || !spf_macro_valid(s, false))
        return false;
    /* "}" can end a macro only, as it may not stand in the last label; "%%", "%_" and "%-" are
     * macro-expand too. */
    size_t dot = s.len;
    size_t end = s.ptr[s.len - 1] == '.' ? s.len - 1 : s.len;
    if (end == s.len) {
        if (s.ptr[s.len - 1] == '}')
            return true;
        size_t escapes = 0; /* is the last character the second of an escape? */
        for (size_t i = s.len - 1; i > 0 && s.ptr[i - 1] == '%'; i--)
            escapes++;
        if (escapes % 2 == 1)
            return true;
    }
    for (size_t i = 0; i < end; i++)
        if (s.ptr[i] == '.')
            dot = i;
    return dot < end && is_top_label(span_from(span_first(s, end), dot + 1));
}

/* A number without leading zeros, at most `max`. */
static bool read_prefix(struct span s, unsigned max, unsigned *prefix_r)
{
    uint64_t number = 0;
    if (s.len == 0 || s.len > 3 || (s.len > 1 && s.ptr[0] == '0') || !span_number(s, &number) ||
        number > max)
        return false;
    *prefix_r = (unsigned)number;
    return true;
}

/* How many digits stand at the end. */
static size_t digits_at_end(struct span s)
{
    size_t len = 0;
    while (len < s.len && is_digit(s.ptr[s.len - len - 1]))
        len++;
    return len;
}

/* Take "//n" and then "/n" off the end of `rest` (dual-cidr-length). */
static bool take_dual_prefix(struct span *rest, struct spf_term *t)
{
    size_t digits = digits_at_end(*rest);
    if (digits > 0 && rest->len > digits + 1 && rest->ptr[rest->len - digits - 1] == '/' &&
        rest->ptr[rest->len - digits - 2] == '/') {
        if (!read_prefix(span_from(*rest, rest->len - digits), 128, &t->prefix6))
            return false;
        rest->len -= digits + 2;
        digits = digits_at_end(*rest);
    }
    if (digits > 0 && rest->len > digits && rest->ptr[rest->len - digits - 1] == '/') {
        if (!read_prefix(span_from(*rest, rest->len - digits), 32, &t->prefix4))
            return false;
        rest->len -= digits + 1;
    }
    return true;
}

/* ---- mechanisms; each is given what follows its name ---- */

static bool take_all(struct span rest, struct spf_term *t)
{
    (void)t;
    return rest.len == 0;
}

static bool take_domain(struct span rest, struct spf_term *t)
{
    t->domain = span_from(rest, 1);
    return rest.len > 0 && rest.ptr[0] == ':' && is_domain_spec(t->domain);
}

static bool take_optional_domain(struct span rest, struct spf_term *t)
{
    return rest.len == 0 || take_domain(rest, t);
}

static bool take_host(struct span rest, struct spf_term *t)
{
    return take_dual_prefix(&rest, t) && take_optional_domain(rest, t);
}

static bool take_ip(struct span rest, struct spf_term *t, bool v6)
{
    if (rest.len == 0 || rest.ptr[0] != ':')
        return false;
    rest = span_from(rest, 1);
    size_t slash = span_find(rest, '/');
    unsigned *prefix = v6 ? &t->prefix6 : &t->prefix4;
    if (slash < rest.len && !read_prefix(span_from(rest, slash + 1), v6 ? 128 : 32, prefix))
        return false;
    return read_network(span_first(rest, slash), v6, &t->ip);
}

static bool take_ip4(struct span rest, struct spf_term *t)
{
    return take_ip(rest, t, false);
}

static bool take_ip6(struct span rest, struct spf_term *t)
{
    return take_ip(rest, t, true);
}

static const struct {
    const char *name;
    enum spf_kind kind;
    bool (*take)(struct span rest, struct spf_term *t);
    const char *why;
} mechanisms[] = {
    {"all", SPF_ALL, take_all, "\"all\" takes no argument"},
    {"include", SPF_INCLUDE, take_domain, "include: needs a domain name"},
    {"a", SPF_A, take_host, "a: its domain name or prefix length is malformed"},
    {"mx", SPF_MX, take_host, "mx: its domain name or prefix length is malformed"},
    {"ptr", SPF_PTR, take_optional_domain, "ptr: its domain name is malformed"},
    {"ip4", SPF_IP4, take_ip4, "ip4: needs an IPv4 address, with a prefix length of 0 to 32"},
    {"ip6", SPF_IP6, take_ip6, "ip6: needs an IPv6 address, with a prefix length of 0 to 128"},
    {"exists", SPF_EXISTS, take_domain, "exists: needs a domain name"},
};

static bool refuse(const char **why_r, const char *why)
{
    *why_r = why;
    return false;
}

static bool read_mechanism(struct span s, struct spf_term *t, const char **why_r)
{
    static const char qualifiers[] = "+-~?";
    static const enum spf_result meanings[] = {SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_NEUTRAL};
    const char *at = s.ptr[0] ? strchr(qualifiers, s.ptr[0]) : NULL;
    t->qualifier = at ? meanings[at - qualifiers] : SPF_PASS;
    s = span_from(s, at ? 1 : 0);
    size_t len = name_length(s);
    for (size_t i = 0; i < COUNT_OF(mechanisms); i++) {
        if (!span_equal_nocase(span_first(s, len), span_of(mechanisms[i].name)))
            continue;
        t->kind = mechanisms[i].kind;
        return mechanisms[i].take(span_from(s, len), t) || refuse(why_r, mechanisms[i].why);
    }
    return refuse(why_r, "it has a word that is neither a mechanism nor a modifier");
}

static bool read_modifier(struct span name, struct span value, struct spf_term *t,
                          const char **why_r)
{
    t->domain = value;
    if (span_equal_nocase(name, SPAN("redirect"))) {
        t->kind = SPF_REDIRECT;
        return is_domain_spec(value) || refuse(why_r, "redirect= needs a domain name");
    }
    if (span_equal_nocase(name, SPAN("exp"))) {
        t->kind = SPF_EXP;
        return is_domain_spec(value) || refuse(why_r, "exp= needs a domain name");
    }
    t->kind = SPF_OTHER_MODIFIER;
    return spf_macro_valid(value, false) || refuse(why_r, "a modifier has a malformed macro");
}

bool spf_next_term(struct span *rest, struct spf_term *term_r, const char **why_r)
{
    *why_r = NULL;
    while (rest->len > 0 && rest->ptr[0] == ' ')
        *rest = span_from(*rest, 1);
    if (rest->len == 0)
        return false;
    *term_r = (struct spf_term){.prefix4 = 32, .prefix6 = 128, .domain = SPAN_NONE};
    struct span text = span_take(rest, ' ');
    term_r->text = text;
    size_t len = name_length(text);
    if (len > 0 && len < text.len && text.ptr[len] == '=')
        return read_modifier(span_first(text, len), span_from(text, len + 1), term_r, why_r);
    return read_mechanism(text, term_r, why_r);
}

/* ---- whole records ---- */

bool spf_record_claims(struct span record)
{
    return span_starts_nocase(record, SPAN("v=spf1")) && (record.len == 6 || record.ptr[6] == ' ');
}

bool spf_record_valid(struct span record, const char **why_r)
{
    struct spf_term t;
    unsigned redirects = 0;
    unsigned explanations = 0;
    struct span rest = span_from(record, 6);
    if (!spf_record_claims(record))
        return refuse(why_r, "it does not begin with v=spf1");
    if (!span_is_ascii(record))
        return refuse(why_r, "it holds something other than ASCII");
    while (spf_next_term(&rest, &t, why_r)) {
        redirects += t.kind == SPF_REDIRECT;
        explanations += t.kind == SPF_EXP;
    }
    if (*why_r)
        return false;
    return (redirects <= 1 && explanations <= 1) ||
           refuse(why_r, "redirect= and exp= may each occur once");
}
