// SPDX-License-Identifier: BSD-2-Clause
/* records_format_test.c - Names and values that would end a string, or begin something else in it, in each format of DNS
 * records; and that every word of every template is known.
 */
#include "table.h"

#include "records_format.h"

#include <stdlib.h>

static const struct row {
    const char *label, *format;
    enum dns_type type;
    const char *value, *want;
} rows[] = {
    {"a zone file's quotes", "bind", DNS_TXT, "say \"hi\" \\ \x01\xff", "IN TXT \"say \\\"hi\\\" \\\\ \\001\\255\"\n"},
    {"an update's quotes", "nsupdate", DNS_TXT, "a\"b", "IN TXT \"a\\\"b\"\n"},
    {"a semicolon in quotes is no comment", "bind", DNS_TXT, "p=none; x", "IN TXT \"p=none; x\"\n"},
    {"HCL has templates", "terraform-azure", DNS_TXT, "${x} %{y} $5 %", "value = \"$${x} %%{y} $5 %\"\n"},
    {"HCL has characters", "terraform-azure", DNS_TXT, "\xe9\x7f\t", "value = \"\\u00e9\\u007f\\u0009\"\n"},
    {"the quotes of TXT, and those of HCL", "terraform-cloudflare", DNS_TXT, "a\"${b", "content = \"\\\"a\\\\\\\"$${b\\\"\"\n"},
    {"Google takes octets as a zone file has them", "terraform-google", DNS_TXT, "\xff", "    \"\\\"\\\\255\\\"\",\n"},
    {"Route 53 takes them in octal, and no outer quotes", "terraform-route53", DNS_TXT, "\xff\"", "    \"\\\\377\\\\\\\"\",\n"},
    {"octoDNS escapes semicolons, YAML the rest", "octodns", DNS_TXT, "a; \"b\"\xff", "    - \"a\\\\; \\\"b\\\"\\xff\"\n"},
    {"JavaScript", "dnscontrol", DNS_TXT, "\");evil(\"\\\n", "\"\\\");evil(\\\"\\\\\\x0a\", TTL(60)),\n"},
    {"the value of CAA", "terraform-azure", DNS_CAA, "0 issue \"a${b\"", "value = \"a$${b\"\n"},
    {"a critical CAA has a word", "dnscontrol", DNS_CAA, "128 issue \"ca.test\"",
     "\"issue\", \"ca.test\", CAA_CRITICAL, TTL(60)),\n"},
    {"numbers are numbers", "terraform-cloudflare", DNS_SRV, "0 1 465 mx.d.test",
     "    priority = 0\n    weight = 1\n    port = 465\n    target = \"mx.d.test\"\n"},
    {"what is no number is a string", "terraform-cloudflare", DNS_SRV, "0 ${x} 1 mx.d.test", "    weight = \"$${x}\"\n"},
    {"names have their last dot", "octodns", DNS_MX, "10 mx.d.test", "    - preference: 10\n      exchange: mx.d.test.\n"},
    {"Azure has no TLSA", "terraform-azure", DNS_TLSA, "3 1 1 00", "# not in Azure DNS: w_x.d.test TLSA 3 1 1 00\n"},
    {"a label", "terraform-route53", DNS_A, "192.0.2.1", "\"aws_route53_record\" \"a_w__x_d_test\" {\n"},
};

static void make_plan(enum dns_type type, const char *value, struct records_plan *plan)
{
    struct records_item *item = &plan->items[0];
    *plan = (struct records_plan){.count = 1, .zone = "d.test"};
    *item = (struct records_item){.state = RECORDS_MISSING, .record.type = type, .zone = "d.test"};
    snprintf(item->record.name, sizeof(item->record.name), "w_x.d.test");
    snprintf(item->record.value, sizeof(item->record.value), "%s", value);
}

static void print(const char *format, const struct records_plan *plan, struct buf *out)
{
    for (size_t i = 0; i < records_format_count; i++)
        if (strcmp(records_formats[i].name, format) == 0)
            records_format_print(&records_formats[i], plan, 60, out);
}

static void escaping(void **state)
{
    static struct records_plan plan;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        make_plan(rows[i].type, rows[i].value, &plan);
        print(rows[i].format, &plan, &out);
        EXPECT(strstr(buf_text(&out), rows[i].want), rows[i].label);
        buf_fini(&out);
    }
}

/* More than 255 octets are several strings; an escape is never cut. */
static void long_text(void **state)
{
    static struct records_plan plan;
    static const struct {
        const char *format, *between;
    } cuts[] = {{"bind", "\\\"\" \"b"},
                {"nsupdate", "\\\"\" \"b"},
                {"terraform-google", "\\\\\\\"\\\" \\\"b"},
                {"terraform-cloudflare", "\\\\\\\"\\\" \\\"b"},
                {"terraform-route53", "\\\\\\\"\\\"\\\"b"},
                {"terraform-azure", "a\\\"b"},
                {"octodns", "a\\\"b"},
                {"dnscontrol", "a\\\"b"}};
    char value[300];
    (void)state;
    memset(value, 'a', 254);
    snprintf(value + 254, sizeof(value) - 254, "\"bcd");
    make_plan(DNS_TXT, value, &plan);
    for (size_t i = 0; i < COUNT_OF(cuts); i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        print(cuts[i].format, &plan, &out);
        EXPECT(strstr(buf_text(&out), cuts[i].between), cuts[i].format);
        buf_fini(&out);
    }
}

/* Of each type, kept and to be replaced: a word that a template has and nobody knows would end the program. */
static void all_words(void **state)
{
    static struct records_plan plan;
    static const struct {
        enum dns_type type;
        const char *value;
    } all[] = {{DNS_A, "192.0.2.1"}, {DNS_AAAA, "2001:db8::1"}, {DNS_TXT, "x"}, {DNS_CNAME, "u.test"}, {DNS_MX, "10 m.test"},
               {DNS_SRV, "0 1 465 m.test"}, {DNS_CAA, "0 issue \"c\""}, {DNS_TLSA, "3 1 1 00"}, {DNS_PTR, "m.test"}};
    (void)state;
    for (size_t k = 0; k < COUNT_OF(all); k++) {
        make_plan(all[k].type, all[k].value, &plan);
        plan.items[1] = plan.items[0];
        plan.items[1].stands = true;
        plan.count = 2;
        plan.standing[0] = plan.standing[1] = (struct records_standing){plan.items[0].record, true};
        plan.standing[1].replaced = false;
        plan.standing_count = 2;
        plan.over[0] = plan.items[0].record;
        plan.over_count = 1;
        for (size_t i = 0; i < records_format_count; i++) {
            struct buf out;
            buf_init(&out, 1 << 20);
            records_format_print(&records_formats[i], &plan, 60, &out);
            EXPECT(out.len > 0 && !out.overflow && !strchr(buf_text(&out), '<'), records_formats[i].name);
            buf_fini(&out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(escaping), cmocka_unit_test(long_text), cmocka_unit_test(all_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
