// SPDX-License-Identifier: BSD-2-Clause
/* cli_dns_check.c - The command dns --check: compares each record at each of its servers and at the
 * resolver, and looks at how mail to the domain fares (dns_receiving.h). When all records that mail
 * needs are published, the domain's mail is no longer held. */
#include "dns_check.h"

#include "clock.h"
#include "dns_receiving.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVERY_S = 10 };

/* What was found of one item. */
struct finding {
    enum records_state state;
    enum records_state at_server[ZONE_PROBE_SERVERS_MAX], at_resolver;
    size_t servers[ZONE_PROBE_SERVERS_MAX]; /* which of the survey's */
    size_t server_count;
    uint32_t ttl_s;
    json_t *found;
    char difference[600];
};

struct check {
    struct dns_work *w;
    struct finding findings[RECORDS_ITEMS_MAX];
    struct {
        char name[DNS_NAME_MAX + 1], ip[46];
    } servers[ZONE_PROBE_SERVERS_MAX];
    json_t *receiving; /* dns_receiving.h */
};

/* ---- asking ---- */

static json_t *found_list(const struct records_item *it, const struct dns_answer *a)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->count; i++) {
        struct buf text;
        buf_init(&text, RECORD_VALUE_MAX * 2);
        dns_rr_print(it->record.type, &a->rrs[i], &text);
        json_t *value = json_stringn(text.ptr, text.len);
        json_array_append_new(list, value ? value : json_string("?"));
        buf_fini(&text);
    }
    return list;
}

static void describe(const struct records_item *it, const struct dns_answer *found,
                     struct finding *f)
{
    struct buf text;
    buf_init(&text, sizeof(f->difference) - 1);
    if (f->state != RECORDS_OK)
        records_difference(it, found, &text);
    snprintf(f->difference, sizeof(f->difference), "%s", buf_text(&text));
    buf_fini(&text);
}

/* False: DNS is pending. */
static bool look(struct check *c, size_t at, const struct zone_probe *s)
{
    const struct records_item *it = &c->w->plan.items[at];
    const struct record *r = &it->record;
    struct finding *f = &c->findings[at];
    const struct dns_answer *answers[ZONE_PROBE_SERVERS_MAX];
    const struct dns_answer *found = NULL;
    const struct dns_answer *remembered = s->resolver->ask(s->resolver->context, r->name, r->type);
    bool known = remembered->status != DNS_PENDING;
    f->server_count = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (!zone_probe_answers_for(s, &s->servers[i], r->name))
            continue;
        const struct dns *dns = s->servers[i].dns;
        const struct dns_answer *a = dns->ask(dns->context, r->name, r->type);
        known = known && a->status != DNS_PENDING;
        f->at_server[f->server_count] = records_compare(it, a);
        f->servers[f->server_count] = i;
        answers[f->server_count++] = a;
        snprintf(c->servers[i].name, sizeof(c->servers[i].name), "%s", s->servers[i].name);
        snprintf(c->servers[i].ip, sizeof(c->servers[i].ip), "%s", s->servers[i].ip);
    }
    if (!known)
        return false;
    f->at_resolver = records_compare(it, remembered);
    f->state = records_judge(it, answers, f->server_count, remembered, &found, &f->ttl_s);
    bool wildcard = f->state == RECORDS_WRONG && it->state == RECORDS_MISSING;
    if (it->blocked || wildcard)
        f->state = it->state;
    describe(it, found, f);
    json_decref(f->found);
    f->found = found_list(it, found);
    return true;
}

static bool step(void *context, const struct zone_probe *survey)
{
    struct check *c = context;
    records_plan(&c->w->in, &survey->truth, &c->w->plan);
    bool done = !c->w->plan.pending;
    for (size_t i = 0; i < c->w->plan.count; i++)
        if (!look(c, i, survey))
            done = false;
    return done;
}

static bool run(struct check *c, const struct config *config, struct err *err)
{
    const char *names[ZONE_PROBE_NAMES_MAX];
    size_t count = dns_work_names(c->w, names);
    c->w->surveyed = true;
    if (!zone_probe_run(config, names, count, step, c, err))
        return false;
    for (size_t i = 0; i < c->w->plan.count; i++)
        c->w->plan.items[i].state = c->findings[i].state;
    return true;
}

/* ---- showing ---- */

static json_t *finding_json(const struct check *c, size_t at)
{
    const struct finding *f = &c->findings[at];
    json_t *row = dns_work_row(c->w, at);
    json_t *servers = json_array();
    for (size_t i = 0; i < f->server_count; i++) {
        json_array_append_new(servers, ROW(FIELD("name", c->servers[f->servers[i]].name),
                                           FIELD("ip", c->servers[f->servers[i]].ip),
                                           FIELD("state", records_state_name(f->at_server[i]))));
    }
    PUT(row, FIELD("servers", servers), FIELD("resolver", records_state_name(f->at_resolver)));
    json_object_set(row, "found", f->found);
    PUT(row, FIELD("difference", f->difference),
        FIELD("remaining_ttl",
              f->state == RECORDS_PROPAGATING ? json_integer(f->ttl_s) : json_null()));
    return row;
}

static void print_json(const struct check *c, bool green)
{
    json_t *rows = json_array();
    json_t *all = dns_work_json(c->w);
    for (size_t i = 0; i < c->w->plan.count; i++)
        json_array_append_new(rows, finding_json(c, i));
    PUT(all, FIELD("records", rows), FLAG("green", green),
        FIELD("receiving", json_incref(c->receiving)));
    cli_print_json(all);
    json_decref(all);
}

static void print_where(const struct check *c, const struct finding *f)
{
    for (size_t i = 0; i < f->server_count; i++)
        printf("           %s at %s (%s)\n", records_state_name(f->at_server[i]),
               c->servers[f->servers[i]].name, c->servers[f->servers[i]].ip);
    if (f->at_resolver != RECORDS_OK && f->at_resolver != RECORDS_UNKNOWN)
        printf("           %s at the resolver, which may remember for %u s\n",
               records_state_name(f->at_resolver), f->ttl_s);
}

static void print_finding(const struct check *c, size_t at)
{
    const struct finding *f = &c->findings[at];
    dns_work_print_item(c->w, at);
    for (size_t i = 0; i < json_array_size(f->found); i++) {
        fputs("  found    ", stdout);
        cli_print_safe(json_string_value(json_array_get(f->found, i)));
        putchar('\n');
    }
    if (f->difference[0]) {
        fputs("  differs  ", stdout);
        cli_print_safe(f->difference);
        putchar('\n');
    }
    if (f->state == RECORDS_PROPAGATING || f->state == RECORDS_UNKNOWN)
        print_where(c, f);
}

/* A record that need not be there, and is, for nothing. */
static bool is_of_no_use(const struct records_item *it)
{
    return it->role == RECORDS_TLSRPT && it->state == RECORDS_WRONG;
}

static bool has_useless(const struct check *c)
{
    bool has = false;
    for (size_t i = 0; i < c->w->plan.count; i++)
        has = has || is_of_no_use(&c->w->plan.items[i]);
    return has;
}

static void print_text(const struct check *c, bool green)
{
    size_t ok = 0;
    size_t later = 0;
    for (size_t i = 0; i < c->w->plan.count; i++) {
        const struct records_item *it = &c->w->plan.items[i];
        ok += it->state == RECORDS_OK && it->need != RECORDS_LATER;
        later += it->need == RECORDS_LATER;
    }
    printf("%s: %zu of %zu records are as they should be\n", c->w->domain, ok,
           c->w->plan.count - later);
    for (size_t i = 0; i < c->w->plan.count; i++) {
        const struct records_item *it = &c->w->plan.items[i];
        if (it->need == RECORDS_LATER && !is_of_no_use(it))
            continue;
        if (it->state == RECORDS_OK && !it->note[0])
            printf("\n%s: ok\n  %s %s\n", records_role_title(it->role), it->record.name,
                   dns_type_name(it->record.type));
        else
            print_finding(c, i);
    }
    dns_work_print_notes(c->w);
    dns_receiving_print(c->w, c->receiving);
    printf("\n%s\n",
           green ? "All that mail needs is there." : "Not all that mail needs is there yet.");
}

/* ---- waiting ---- */

/* One line of what is still missing. */
static void print_progress(const struct check *c, unsigned every_s)
{
    char clock[16];
    time_t now = (time_t)(clock_now_ms() / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    fprintf(stderr, "%s waiting for", clock);
    for (size_t i = 0; i < c->w->plan.count; i++) {
        const struct records_item *it = &c->w->plan.items[i];
        if (it->need == RECORDS_REQUIRED && it->state != RECORDS_OK)
            fprintf(stderr, " %s %s (%s)", it->record.name, dns_type_name(it->record.type),
                    records_state_name(it->state));
    }
    fprintf(stderr, "; asking again in %u s\n", every_s);
}

/* The domain's mail need not be held back any more for its records. */
static int end_capture(struct cli *cli, const struct dns_work *w)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("domain.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    bool captured = false;
    bool by_hand = false;
    for (size_t i = 0; code == CLI_OK && i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (strcmp(json_row_get(row, "name"), w->domain) != 0)
            continue;
        captured = json_row_is(row, "captured");
        by_hand = json_row_is(row, "by_hand");
    }
    json_decref(answer);
    if (by_hand && !cli->json)
        printf("Mail of %s is held by hand, whatever its records are: 'sealpost domain release "
               "%s' ends that.\n",
               w->domain, w->domain);
    if (!captured || by_hand)
        return code;
    code = cli_ask(cli, cli_request("domain.release", "name", w->domain, NULL), &answer);
    json_decref(answer);
    if (code == CLI_OK && !cli->json)
        printf("Mail of %s leaves from now on. What was held until now waits for you: "
               "'sealpost queue list --held'\n",
               w->domain);
    return code;
}

int cli_dns_check(struct cli *cli, const struct config *config, struct dns_work *w)
{
    struct check *c = xcalloc(1, sizeof(*c));
    struct err err = {0};
    const char *every = cli_option(cli, "every", 0);
    int64_t every_ms = EVERY_S * 1000;
    bool green = false;
    c->w = w;
    if (every && !cli_span(every, &every_ms)) {
        free(c);
        return cli_usage(cli, "--every needs a time, as 10s or 5m");
    }
    bool ok = run(c, config, &err);
    while (ok && !(green = records_plan_green(&w->plan)) && cli_flag(cli, "watch")) {
        struct timespec wait = {(time_t)(every_ms / 1000), 0};
        print_progress(c, (unsigned)(every_ms / 1000));
        nanosleep(&wait, NULL);
        ok = run(c, config, &err);
    }
    bool looked = ok && dns_receiving(w, config, &c->receiving, &err);
    int code = green ? CLI_OK : CLI_NO;
    if (ok && cli->json)
        print_json(c, green);
    else if (ok)
        print_text(c, green);
    if (ok && green)
        code = end_capture(cli, w);
    if (code == CLI_OK && (dns_receiving_wrong(c->receiving) || (ok && has_useless(c))))
        code = CLI_NO; /* which is no reason to hold back what is sent */
    if (ok && !looked && code == CLI_OK)
        code = cli_fail(&err); /* the same of what could not be looked at */
    for (size_t i = 0; i < RECORDS_ITEMS_MAX; i++)
        json_decref(c->findings[i].found);
    json_decref(c->receiving);
    free(c);
    return ok ? code : cli_fail(&err);
}
