// SPDX-License-Identifier: BSD-2-Clause
/* terraform.c - Terraform resources (HCL) of four providers. What differs between them: one
 * resource a record or a set, how names are written, and who cuts and quotes the strings of TXT.
 */
#include "formats.h"

#include <stdio.h>
#include <string.h>

/* A quoted HCL string; "${" and "%{" would begin a template. */
static void add_string(struct buf *out, struct span text)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        bool template = (c == '$' || c == '%') && i + 1 < text.len && text.ptr[i + 1] == '{';
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < ' ' || c > '~') /* HCL has no octets */
            buf_addf(out, "\\u%04x", c);
        else
            buf_addf(out, template ? "%c%c" : "%c", c, c);
    }
    buf_add_char(out, '"');
}

static void add_text(struct buf *out, const char *text)
{
    add_string(out, span_of(text));
}

/* An identifier made of a name: dots become "_", and "_" becomes "__". */
static void add_label(struct buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '.' || *name == '_')
            buf_add(out, *name == '.' ? SPAN("_") : SPAN("__"));
        else if (*name == '*')
            buf_add(out, SPAN("any"));
        else
            buf_add_char(out, *name);
    }
}

static void begin_resource(struct buf *out, const char *kind, const struct records_set *set)
{
    char type[16];
    snprintf(type, sizeof(type), "%s", dns_type_name(set->type));
    dns_name_lower(type);
    buf_addf(out, "\nresource \"%s\" \"%s_", kind, type);
    add_label(out, set->name);
}

static void add_variables(const struct records_plan *plan, const char *prefix, const char *what,
                          struct buf *out)
{
    const char *zone = NULL;
    for (size_t n = 0; (zone = records_zone(plan, n)); n++) {
        buf_addf(out, "%svariable \"%s_", n > 0 ? "\n" : "", prefix);
        add_label(out, zone);
        buf_addf(out, "\" {\n  type        = string\n  description = \"%s %s\"\n}\n", what, zone);
    }
}

static void add_variable_use(struct buf *out, const char *prefix, const char *zone)
{
    buf_addf(out, "var.%s_", prefix);
    add_label(out, zone);
    buf_add_char(out, '\n');
}

/* What is there and must go, as it is not Terraform's. */
static void add_replaced(const struct records_plan *plan, struct buf *out)
{
    for (size_t i = 0; i < plan->standing_count; i++) {
        const struct record *r = &plan->standing[i].record;
        if (!plan->standing[i].replaced)
            continue;
        buf_addf(out, "\n# take out: %s %s ", r->name, dns_type_name(r->type));
        records_rdata(r, out);
        buf_add_char(out, '\n');
    }
}

static const char *const srv_words[] = {"priority", "weight", "port", "target"};
static const char *const tlsa_words[] = {"usage", "selector", "matching_type", "certificate"};
static const char *const caa_words[] = {"flags", "tag", "value"};

/* name = word, a number as a number; `indent` blanks before it. */
static void add_words(struct buf *out, const char *value, const char *const *names, size_t count,
                      const char *indent)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 0;
        struct span word = records_word(value, i, count);
        buf_addf(out, "%s%s = ", indent, names[i]);
        if (i + 1 < count && span_number(word, &number))
            buf_add(out, word);
        else
            add_string(out, records_unquoted(word));
        buf_add_char(out, '\n');
    }
}

/* ---- Cloudflare, provider version 5: one resource a record ---- */

static void add_cloudflare_value(struct buf *out, enum dns_type type, const char *value)
{
    static const struct {
        enum dns_type type;
        const char *const *names;
        size_t count;
    } tables[] = {{DNS_SRV, srv_words, 4}, {DNS_TLSA, tlsa_words, 4}, {DNS_CAA, caa_words, 3}};
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (tables[i].type != type)
            continue;
        buf_add(out, SPAN("  data = {\n"));
        add_words(out, value, tables[i].names, tables[i].count, "    ");
        buf_add(out, SPAN("  }\n"));
        return;
    }
    struct buf content;
    buf_init(&content, 8 * RECORD_VALUE_MAX);
    if (type == DNS_TXT)
        records_quote(span_of(value), &content);
    else
        buf_add(&content, type == DNS_MX ? records_word(value, 1, 2) : span_of(value));
    buf_add(out, SPAN("  content = "));
    add_string(out, buf_span(&content));
    buf_fini(&content);
    if (type == DNS_MX)
        buf_addf(out, "\n  priority = %.*s", SPAN_ARG(records_word(value, 0, 2)));
    if (type == DNS_A || type == DNS_AAAA || type == DNS_CNAME)
        buf_add(out, SPAN("\n  proxied = false")); /* it is for mail */
    buf_add_char(out, '\n');
}

void records_cloudflare(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    struct records_set set;
    add_variables(plan, "zone_id", "The id of the zone", out);
    add_replaced(plan, out);
    for (size_t at = 0; records_next_set(plan, false, &at, &set);) {
        for (size_t i = 0; i < set.count; i++) {
            begin_resource(out, "cloudflare_dns_record", &set);
            if (i > 0)
                buf_addf(out, "_%zu", i + 1);
            buf_add(out, SPAN("\" {\n  zone_id = "));
            add_variable_use(out, "zone_id", set.zone);
            buf_add(out, SPAN("  name = "));
            add_text(out, set.name);
            buf_addf(out, "\n  type = \"%s\"\n  ttl = %u\n", dns_type_name(set.type), ttl_s);
            add_cloudflare_value(out, set.type, set.values[i]);
            buf_add(out, SPAN("}\n"));
        }
    }
}

/* ---- Route 53 and Google: one resource a set, data as a zone file has it ---- */

/* The provider puts the outer quotes; between two strings stand the inner ones, and a byte that is
 * not printable is in octal. */
static void add_route53_text(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (i > 0 && i % RECORDS_STRING_MAX == 0)
            buf_add(out, SPAN("\"\""));
        if (c == '"' || c == '\\')
            buf_addf(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            buf_addf(out, "\\%03o", c);
        else
            buf_add_char(out, (char)c);
    }
}

static void add_values(struct buf *out, const struct records_set *set, bool route53)
{
    for (size_t i = 0; i < set->count; i++) {
        struct buf data;
        struct record r = {.type = set->type};
        snprintf(r.value, sizeof(r.value), "%s", set->values[i]);
        buf_init(&data, 8 * RECORD_VALUE_MAX);
        if (route53 && set->type == DNS_TXT)
            add_route53_text(&data, span_of(r.value));
        else
            records_rdata(&r, &data);
        buf_add(out, SPAN("    "));
        add_string(out, buf_span(&data));
        buf_add(out, SPAN(",\n"));
        buf_fini(&data);
    }
}

void records_route53(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    struct records_set set;
    add_variables(plan, "zone_id", "The id of the hosted zone", out);
    add_replaced(plan, out);
    for (size_t at = 0; records_next_set(plan, true, &at, &set);) {
        begin_resource(out, "aws_route53_record", &set);
        buf_add(out, SPAN("\" {\n  zone_id = "));
        add_variable_use(out, "zone_id", set.zone);
        buf_add(out, SPAN("  name = "));
        add_text(out, set.name);
        buf_addf(out, "\n  type = \"%s\"\n  ttl = %u\n  records = [\n", dns_type_name(set.type),
                 ttl_s);
        add_values(out, &set, true);
        buf_add(out, SPAN("  ]\n}\n"));
    }
}

void records_google(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    struct records_set set;
    add_variables(plan, "managed_zone", "The name of the managed zone of", out);
    add_replaced(plan, out);
    for (size_t at = 0; records_next_set(plan, true, &at, &set);) {
        begin_resource(out, "google_dns_record_set", &set);
        buf_add(out, SPAN("\" {\n  managed_zone = "));
        add_variable_use(out, "managed_zone", set.zone);
        buf_add(out, SPAN("  name = "));
        buf_addf(out, "\"%s.\"\n  type = \"%s\"\n  ttl = %u\n  rrdatas = [\n", set.name,
                 dns_type_name(set.type), ttl_s);
        add_values(out, &set, false);
        buf_add(out, SPAN("  ]\n}\n"));
    }
}

/* ---- Azure: a kind of resource for each type ---- */

static void add_azure_values(struct buf *out, const struct records_set *set)
{
    static const char *const mx[] = {"preference", "exchange"};
    static const char *const txt[] = {"value"};
    const char *const *names = set->type == DNS_MX    ? mx
                               : set->type == DNS_SRV ? srv_words
                               : set->type == DNS_CAA ? caa_words
                                                      : txt;
    size_t words = set->type == DNS_MX    ? 2
                   : set->type == DNS_SRV ? 4
                   : set->type == DNS_CAA ? 3
                                          : 1;
    for (size_t i = 0; i < set->count; i++) {
        buf_add(out, SPAN("  record {\n"));
        add_words(out, set->values[i], names, words, "    ");
        buf_add(out, SPAN("  }\n"));
    }
}

static void add_azure_list(struct buf *out, const struct records_set *set)
{
    if (set->type == DNS_CNAME) {
        buf_add(out, SPAN("  record = "));
        add_text(out, set->values[0]);
        buf_add_char(out, '\n');
        return;
    }
    buf_add(out, SPAN("  records = ["));
    for (size_t i = 0; i < set->count; i++) {
        buf_add(out, i > 0 ? SPAN(", ") : SPAN_NONE);
        add_text(out, set->values[i]);
    }
    buf_add(out, SPAN("]\n"));
}

void records_azure(const struct records_plan *plan, unsigned ttl_s, struct buf *out)
{
    struct records_set set;
    buf_add(out, SPAN("variable \"resource_group\" {\n  type        = string\n"
                      "  description = \"The resource group of the zones\"\n}\n"));
    add_replaced(plan, out);
    for (size_t at = 0; records_next_set(plan, true, &at, &set);) {
        char kind[64];
        if (set.type == DNS_TLSA) { /* Azure DNS has none */
            buf_addf(out, "\n# not in Azure DNS: %s TLSA %s\n", set.name, set.values[0]);
            continue;
        }
        snprintf(kind, sizeof(kind), "azurerm_dns_%s_record", dns_type_name(set.type));
        dns_name_lower(kind);
        begin_resource(out, kind, &set);
        buf_add(out, SPAN("\" {\n  name = "));
        add_string(out, records_host(set.name, set.zone));
        buf_add(out, SPAN("\n  zone_name = "));
        add_text(out, set.zone);
        buf_addf(out, "\n  resource_group_name = var.resource_group\n  ttl = %u\n", ttl_s);
        if (set.type == DNS_A || set.type == DNS_AAAA || set.type == DNS_CNAME)
            add_azure_list(out, &set);
        else
            add_azure_values(out, &set);
        buf_add(out, SPAN("}\n"));
    }
}
