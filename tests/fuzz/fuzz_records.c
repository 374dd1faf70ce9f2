// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_records.c - A plan of records over hostile DNS, and all its formats: lines of the input are the answers. What is
 * printed is printable, and always the same.
 */
#include "records_format.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 64, ASKED_MAX = 20000 };

struct world {
    struct span lines[ANSWERS_MAX];
    size_t count;
    struct dns_answer *answers[ASKED_MAX];
    size_t asked;
};

/* The same question always has the same answer: one line, two, or none. */
static const struct dns_answer *ask(void *context, const char *name, enum dns_type type)
{
    struct world *w = context;
    CHECK(dns_name_valid(span_of(name)) && w->asked < ASKED_MAX);
    uint32_t hash = (uint32_t)type;
    for (const char *p = name; *p; p++)
        hash = hash * 31 + (unsigned char)*p;
    struct dns_answer *a = dns_answer_new(hash % 7 == 0 ? DNS_FAILED : DNS_NXDOMAIN, 60);
    w->answers[w->asked++] = a;
    for (size_t i = 0; i < hash % 3 && w->count > 0 && a->status != DNS_FAILED; i++) {
        struct span line = w->lines[(hash / 3 + i) % w->count];
        char wire[256] = {0};
        size_t len = line.len < 255 ? line.len : 255;
        wire[0] = (char)len;
        memcpy(wire + 1, line.ptr, len);
        if (type == DNS_TXT)
            dns_answer_add_text(a, (struct span){wire, len + 1});
        else if (type == DNS_A || type == DNS_AAAA)
            dns_answer_add(a, 0, (struct span){wire, type == DNS_A ? 4 : 16});
        else if (type == DNS_SRV || type == DNS_CAA || type == DNS_TLSA || dns_name_valid(line))
            dns_answer_add(a, hash % 100, line);
    }
    if (a->count > 0)
        a->status = DNS_FOUND;
    return a;
}

static void print_all(const struct records_plan *plan, struct buf *out)
{
    for (size_t i = 0; i < records_format_count; i++)
        records_format_print(&records_formats[i], plan, 3600, out);
}

static void check_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        CHECK(text.ptr[i] == '\n' || (text.ptr[i] >= ' ' && text.ptr[i] <= '~'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ips[] = {"192.0.2.10", "2001:db8::10"};
    static const struct records_key keys[] = {
        {.selector = "sp1", .public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", .algorithm = KEY_ED25519,
         .use = RECORDS_KEY_NEEDED},
        {.selector = "sp2", .public_key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", .algorithm = KEY_ED25519,
         .use = RECORDS_KEY_OVER}};
    const struct records_input in = {.domain = "d.test", .hostname = "mail.d.test", .public_ips = ips, .ip_count = 2,
                                     .keys = keys, .key_count = 2, .unsubscribe_host = "u.d.test", .rua = "r@e.test",
                                     .starttls_port = 587, .tls_port = 465};
    static struct world w;
    struct span rest = {(const char *)data, size};
    struct records_plan *plan = xcalloc(1, sizeof(*plan));
    struct buf first;
    struct buf second;
    w = (struct world){0};
    while (rest.len > 0 && w.count < ANSWERS_MAX)
        w.lines[w.count++] = span_take(&rest, '\n');
    const struct dns dns = {ask, &w};
    plan->with_later = size % 2;
    buf_init(&first, 16 * 1024 * 1024);
    buf_init(&second, 16 * 1024 * 1024);
    records_plan(&in, &dns, plan);
    CHECK(!plan->pending);
    print_all(plan, &first);
    check_text(buf_span(&first));
    records_plan(&in, &dns, plan);
    print_all(plan, &second);
    CHECK(span_equal(buf_span(&first), buf_span(&second)));
    while (w.asked > 0)
        dns_answer_free(w.answers[--w.asked]);
    buf_fini(&first);
    buf_fini(&second);
    free(plan);
    return 0;
}
