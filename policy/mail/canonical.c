// SPDX-License-Identifier: BSD-2-Clause
/* canonical.c - One canonical form for all spellings of a mailbox.
 *
 *   domain: A-labels in lower case, a provider's aliases replaced by one domain
 *   local part: unnecessary quotes removed, NFKC and case folding (RFC 6530 section 10.1), then
 *   without what the provider ignores: "+tag" everywhere, more for some (providers.c)
 *
 * It is used for counting and comparing, never for delivery. What is said of one mailbox must not
 * hold for another: that form is the octets as they are, but for the case of ASCII and quotes. A
 * receiver may tell apart all else, as Postfix does with two normal forms of one text.
 */
#include "address.h"
#include "providers.h"

#include "normal.h"

#include <stdio.h>
#include <string.h>

/* Without quotes and backslashes: what the quoted string says. Its length. */
static size_t unquote(struct span local, char *text_r)
{
    size_t len = 0;
    bool quoted = local.ptr[0] == '"';
    if (quoted)
        local = span_from(span_first(local, local.len - 1), 1);
    for (size_t i = 0; i < local.len; i++) {
        if (quoted && local.ptr[i] == '\\' && i + 1 < local.len)
            i++;
        text_r[len++] = local.ptr[i];
    }
    return len;
}

static size_t drop_tag(const char *local, size_t len, char mark)
{
    for (size_t i = 1; i < len; i++)
        if (local[i] == mark)
            return i;
    return len;
}

/* Without what the provider ignores, and with one of what it takes for the same; when nothing would
 * be left, as it is. */
static size_t make_one(const struct provider *p, char *local, size_t len)
{
    size_t kept = 0;
    for (size_t i = 0; i < len; i++)
        kept += strchr(p->ignores, local[i]) == NULL;
    bool drops = kept > 0;
    kept = 0;
    for (size_t i = 0; i < len; i++)
        if (!drops || !strchr(p->ignores, local[i]))
            local[kept++] = p->written && local[i] == p->written ? p->read_as : local[i];
    return kept;
}

/* As a dot-string, or quoted when it is none (RFC 5321 section 4.1.2). */
static void print_local(const char *local, size_t len, struct buf *out)
{
    struct address ignored;
    struct buf plain;
    buf_init(&plain, ADDRESS_CANONICAL_LOCAL_MAX + 16);
    buf_add(&plain, (struct span){local, len});
    buf_add(&plain, SPAN("@a.test"));
    bool is_plain = len > 0 && len <= ADDRESS_LOCAL_MAX && local[0] != '"' &&
                    address_parse(buf_span(&plain), &ignored);
    buf_fini(&plain);
    if (is_plain || len > ADDRESS_LOCAL_MAX) {
        buf_add(out, (struct span){local, len});
        return;
    }
    buf_add_char(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (local[i] == '"' || local[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, local[i]);
    }
    buf_add_char(out, '"');
}

/* The local part is what its quotes say. */
static bool take_apart(const struct address *address, char domain_r[ADDRESS_DOMAIN_MAX + 1],
                       char local_r[ADDRESS_LOCAL_MAX], size_t *len_r)
{
    bool ok = address_domain_ascii(address->domain, domain_r) && address->local.len > 0 &&
              address->local.len <= ADDRESS_LOCAL_MAX;
    *len_r = ok ? unquote(address->local, local_r) : 0;
    return ok;
}

bool address_canonical(const struct address *address, struct buf *out)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char said[ADDRESS_LOCAL_MAX];
    char local[ADDRESS_CANONICAL_LOCAL_MAX] = "";
    size_t len = 0;
    if (!take_apart(address, domain, said, &len) ||
        !normal_text((struct span){said, len}, local, &len))
        return false;
    const char *base = domain;
    const struct provider *p = providers_find(domain, &base);
    if (strlen(domain) > strlen(base)) { /* the user is in the subdomain */
        len = strlen(domain) - strlen(base) - 1;
        memcpy(local, domain, len);
    }
    len = drop_tag(local, len, '+');
    if (p->tag)
        len = drop_tag(local, len, p->tag);
    len = make_one(p, local, len);
    print_local(local, len, out);
    buf_addf(out, "@%s", p->domain ? p->domain : base);
    return !out->overflow;
}

static bool same(const struct address *address, struct buf *out)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    char local[ADDRESS_LOCAL_MAX];
    size_t len = 0;
    if (!take_apart(address, domain, local, &len))
        return false;
    for (size_t i = 0; i < len; i++)
        if (local[i] >= 'A' && local[i] <= 'Z')
            local[i] = (char)(local[i] - 'A' + 'a');
    print_local(local, len, out);
    BUF_ADD(out, SPAN("@"), span_of(domain));
    return !out->overflow;
}

static bool print_form(bool (*make)(const struct address *address, struct buf *out), bool parsed,
                       const struct address *address, const char *text,
                       char form_r[ADDRESS_CANONICAL_MAX + 1])
{
    struct buf form;
    buf_init(&form, ADDRESS_CANONICAL_MAX);
    bool ok = parsed && make(address, &form);
    snprintf(form_r, ADDRESS_CANONICAL_MAX + 1, "%s", ok ? buf_text(&form) : text);
    buf_fini(&form);
    return ok;
}

static bool form_of(const char *text, bool (*make)(const struct address *address, struct buf *out),
                    char form_r[ADDRESS_CANONICAL_MAX + 1])
{
    struct address address;
    bool parsed = address_parse(span_of(text), &address);
    return print_form(make, parsed, &address, text, form_r);
}

void address_forms_make(const char *text, struct address_forms *forms_r)
{
    struct address address;
    bool parsed = address_parse(span_of(text), &address);
    (void)print_form(same, parsed, &address, text, forms_r->same);
    (void)print_form(address_canonical, parsed, &address, text, forms_r->counted);
}

bool address_same_form(const char *text, char form_r[ADDRESS_CANONICAL_MAX + 1])
{
    return form_of(text, same, form_r);
}

bool address_counted_as(const char *text, char form_r[ADDRESS_CANONICAL_MAX + 1])
{
    return form_of(text, address_canonical, form_r);
}
