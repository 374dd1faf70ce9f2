// SPDX-License-Identifier: BSD-2-Clause
/* dns_work.c - Collects the input of a plan, and prints the plan as JSON or text. */
#include "dns_work.h"

#include "cli_tenants.h"

#include "address.h"
#include "records_format.h"
#include "rotation.h"
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TTL_S = 3600, DOCUMENT_VERSION = 1 };

/* ---- gathering ---- */

static void add_key(struct dns_work *w, json_t *row)
{
    enum key_state state;
    struct records_key *key = &w->keys[w->in.key_count];
    if (w->in.key_count == RECORDS_ITEMS_MAX / 2 ||
        strcmp(json_row_get(row, "domain"), w->domain) != 0 ||
        !key_algorithm_parse(span_of(json_row_get(row, "algorithm")), &key->algorithm))
        return;
    if (!key_state_parse(span_of(json_row_get(row, "state")), &state))
        state = KEY_ACTIVE; /* just made */
    key->selector = json_row_get(row, "selector");
    key->public_key = json_row_get(row, "public");
    key->delegated = *json_row_get(row, "delegated") ? json_row_get(row, "delegated") : NULL;
    key->use = state == KEY_PENDING   ? RECORDS_KEY_WANTED
               : state == KEY_REVOKED ? RECORDS_KEY_REVOKED
               : state == KEY_RETIRED ? RECORDS_KEY_OVER
                                      : RECORDS_KEY_NEEDED;
    w->in.key_count++;
}

/* Both selectors of a delegated domain are aliases from the start, so that the next key needs
 * nothing of the user. */
static void find_spare(struct dns_work *w)
{
    static const char *const selectors[] = {"sp1", "sp2"};
    bool used[COUNT_OF(selectors)] = {false};
    bool delegated = false;
    for (size_t i = 0; i < w->in.key_count; i++) {
        delegated = delegated || w->keys[i].delegated;
        for (size_t k = 0; k < COUNT_OF(selectors); k++)
            used[k] = used[k] || strcmp(w->keys[i].selector, selectors[k]) == 0;
    }
    for (size_t k = 0; delegated && k < COUNT_OF(selectors); k++) {
        if (used[k])
            continue;
        if (!rotation_target(selectors[k], w->domain, w->config->dkim.zone, w->spare_target))
            continue;
        w->in.spare_selector = selectors[k];
        w->in.spare_target = w->spare_target;
    }
}

/* The policy that a command means, instead of that of the settings. */
static bool read_policy(struct cli *cli, struct dns_work *w, struct err *err)
{
    struct records_policy *policy = &w->in.policy;
    const char *mode = cli_option(cli, "mta-sts", 0);
    const char *age = cli_option(cli, "max-age", 0);
    const char *format = cli_option(cli, "format", 0);
    int64_t age_ms = 0;
    if (mode && !mta_sts_mode_parse(span_of(mode), &policy->mode))
        return err_set(err, ERR_USAGE, "--mta-sts is testing, enforce or none");
    if (age && (!cli_span(age, &age_ms) || age_ms < 1000 || age_ms / 1000 > MTA_STS_AGE_MAX_S))
        return err_set(err, ERR_USAGE, "--max-age needs a time as 14d, of a year at most");
    if (age)
        policy->max_age_s = (uint32_t)(age_ms / 1000);
    if (!policy->said && !mode)
        policy->mode = MTA_STS_MODE_TESTING;
    policy->said = policy->said || mode || age || (format && strcmp(format, "mta-sts") == 0);
    return true;
}

static bool read_options(struct cli *cli, struct dns_work *w, struct err *err)
{
    const char *path = cli_option(cli, "return-path", 0);
    const char *ttl = cli_option(cli, "ttl", 0);
    uint64_t ttl_s = TTL_S;
    struct address address;
    if (path && !address_domain_ascii(span_of(path), w->return_path))
        return err_set(err, ERR_USAGE, "--return-path %.80s is not a domain name", path);
    if (ttl && (!span_number(span_of(ttl), &ttl_s) || ttl_s == 0 || ttl_s > 604800))
        return err_set(err, ERR_USAGE, "--ttl needs seconds, of a week at most");
    w->ttl_s = (unsigned)ttl_s;
    if (path) { /* the one that mail leaves with, or another relay's */
        bool ours = w->in.return_path && strcmp(w->in.return_path, w->return_path) == 0;
        w->in.returns_here = w->in.returns_here && ours;
        w->in.return_path = w->return_path;
    }
    w->in.rua = cli_option(cli, "rua", 0);
    w->in.authority = cli_option(cli, "ca", 0);
    if (w->in.rua && (!address_parse(span_of(w->in.rua), &address) ||
                      strpbrk(w->in.rua, ",;! \"\\") || strlen(w->in.rua) > 200))
        return err_set(err, ERR_USAGE, "--rua %.80s is not a plain address", w->in.rua);
    if (w->in.authority && !address_is_host(span_of(w->in.authority)))
        return err_set(err, ERR_USAGE, "--ca %.80s is not a domain name: as letsencrypt.org",
                       w->in.authority);
    return read_policy(cli, w, err);
}

/* What the settings say of it, and whether our page serves it. */
static void find_policy(struct dns_work *w, const struct config *c)
{
    const struct config_domain *d = config_domain(c, w->domain);
    if (d && d->return_path[0])
        w->in.return_path = d->return_path;
    w->in.returns_here = d && d->return_path[0] && c->takes_returns;
    if (!d || d->mta_sts_mode == CONFIG_POLICY_OFF)
        return;
    w->in.policy =
        (struct records_policy){.said = true,
                                .mode = (enum mta_sts_mode)(d->mta_sts_mode - CONFIG_POLICY_NONE),
                                .max_age_s = d->mta_sts_max_age_s,
                                .mx = d->mta_sts_mx,
                                .mx_count = d->mta_sts_mx_count};
    if (c->http_address[0])
        w->in.policy.served_at = w->page_host[0] ? w->page_host : c->hostname;
}

static void add_source(struct dns_work *w, const struct config_source *s)
{
    const char *ips[ALIGNMENT_IPS_MAX];
    size_t count = s ? config_source_ips(w->config, s, ips) : 0;
    for (size_t i = 0; i < count && w->in.source_count < COUNT_OF(w->sources); i++) {
        bool known = false;
        for (size_t k = 0; k < w->in.source_count; k++)
            known = known || strcmp(w->sources[k].ip, ips[i]) == 0;
        for (size_t k = 0; k < w->in.ip_count; k++)
            known = known || strcmp(w->in.public_ips[k], ips[i]) == 0;
        if (!known)
            w->sources[w->in.source_count++] = (struct records_source){ips[i], s->helo};
    }
}

/* Where the mail of the domain's tenant leaves from. */
static void find_sources(struct dns_work *w, const struct config *c)
{
    if (c->source_count == 0)
        return;
    w->in.sender_count = config_tenant_ips(c, w->tenant, w->senders);
    w->in.senders = w->senders;
    w->in.sources = w->sources;
    add_source(w, config_source_for(c, w->tenant, ""));
    for (size_t i = 0; i < c->stream_count; i++)
        add_source(w, config_source_for(c, w->tenant, c->streams[i].name));
}

static void read_config(struct dns_work *w, const struct config *c)
{
    struct err err = {0};
    w->in.hostname = c->hostname;
    w->in.public_ips = c->public_ips;
    w->in.ip_count = c->public_ip_count;
    find_sources(w, c);
    for (size_t i = 0; i < c->listener_count; i++) {
        if (c->listeners[i].http || c->listeners[i].returns)
            continue;
        if (c->listeners[i].implicit_tls)
            w->in.tls_port = c->listeners[i].port;
        else
            w->in.starttls_port = c->listeners[i].port;
    }
    const char *host = strstr(c->http_url, "://");
    if (host) {
        snprintf(w->page_host, sizeof(w->page_host), "%.*s", (int)strcspn(host + 3, ":/"),
                 host + 3);
        dns_name_lower(w->page_host);
        w->in.unsubscribe_host = w->page_host;
    }
    find_policy(w, c);
    if (tls_certificate_digest(c->certificates[0].file, w->spki, &err))
        w->in.spki_sha256 = w->spki;
    else if (c->certificates[0].file[0])
        fprintf(stderr, "sealpost: warning: no TLSA record is shown: %s: %s\n",
                c->certificates[0].file, err.text);
}

bool dns_work_new(struct cli *cli, const char *domain, json_t *key_rows, struct dns_work **work_r,
                  struct err *err)
{
    struct dns_work *w = xcalloc(1, sizeof(*w));
    *work_r = w;
    w->config = cli->config;
    w->key_rows = json_incref(key_rows);
    snprintf(w->domain, sizeof(w->domain), "%s", domain);
    w->in.domain = w->domain;
    w->in.keys = w->keys;
    for (size_t i = 0; i < json_array_size(key_rows); i++)
        add_key(w, json_array_get(key_rows, i));
    cli_tenant_of(cli, domain, w->tenant);
    read_config(w, cli->config);
    find_spare(w);
    w->plan.with_later = cli_flag(cli, "later");
    return read_options(cli, w, err);
}

void dns_work_free(struct dns_work *w)
{
    if (!w)
        return;
    json_decref(w->key_rows);
    free(w);
}

size_t dns_work_names(const struct dns_work *w, const char **names_r)
{
    size_t count = 0;
    names_r[count++] = w->domain;
    names_r[count++] = w->in.hostname;
    if (w->in.return_path)
        names_r[count++] = w->in.return_path;
    if (w->in.unsubscribe_host)
        names_r[count++] = w->in.unsubscribe_host;
    if (w->in.key_count > 0 && w->keys[0].delegated)
        names_r[count++] = w->config->dkim.zone;
    return count;
}

/* ---- as JSON ---- */

/* What stands in DNS may be no UTF-8: then each octet is the character of its number. */
static json_t *safe(struct span text)
{
    json_t *made = json_stringn(text.ptr, text.len);
    struct buf latin;
    if (made)
        return made;
    buf_init(&latin, 2 * text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80)
            buf_add_char(&latin, (char)(0xc0 | c >> 6));
        buf_add_char(&latin, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
    }
    made = json_stringn(latin.ptr, latin.len);
    buf_fini(&latin);
    return made;
}

static json_t *safe_text(const char *text)
{
    return safe(span_of(text));
}

static json_t *standing_list(const struct dns_work *w, const struct record *r, bool replaced)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->plan.standing_count; i++) {
        const struct records_standing *s = &w->plan.standing[i];
        if (s->replaced == replaced && strcmp(s->record.name, r->name) == 0 &&
            (s->record.type == r->type || s->record.type == DNS_CNAME))
            json_array_append_new(list, safe_text(s->record.value));
    }
    return list;
}

static json_t *string_list(struct span text)
{
    json_t *list = json_array();
    do {
        struct span piece = span_first(text, RECORDS_STRING_MAX);
        json_array_append_new(list, safe(piece));
        text = span_from(text, piece.len);
    } while (text.len > 0);
    return list;
}

json_t *dns_work_row(const struct dns_work *w, size_t item)
{
    const struct records_item *it = &w->plan.items[item];
    const struct record *r = &it->record;
    const char *zone = it->zone[0] ? it->zone : w->plan.zone;
    json_t *row =
        ROW(FIELD("role", records_role_name(it->role)), FIELD("need", records_need_name(it->need)),
            FIELD("state", w->surveyed ? json_string(records_state_name(it->state)) : json_null()),
            FIELD("name", safe_text(r->name)), FIELD("zone", safe_text(zone)),
            FIELD("host", safe(records_host(r->name, zone))), FIELD("type", dns_type_name(r->type)),
            FIELD("ttl", w->ttl_s), FIELD("value", safe_text(r->value)));
    if (r->type == DNS_TXT)
        json_object_set_new(row, "strings", string_list(span_of(r->value)));
    PUT(row, FIELD("replaces", standing_list(w, r, true)),
        FIELD("beside", standing_list(w, r, false)), FLAG("aliased", it->aliased),
        FLAG("blocked", it->blocked), FLAG("by_provider", it->by_provider),
        FIELD("why", records_role_why(it->role)), FIELD("note", safe_text(it->note)));
    return row;
}

static json_t *policy_json(const struct dns_work *w)
{
    char url[DNS_NAME_MAX + 64];
    snprintf(url, sizeof(url), "https://mta-sts.%s/.well-known/mta-sts.txt", w->domain);
    return w->plan.policy[0]
               ? ROW(FIELD("id", (const char *)w->plan.policy_id), FIELD("url", (const char *)url),
                     FLAG("served", w->in.policy.served_at != NULL),
                     FIELD("policy", (const char *)w->plan.policy))
               : json_null();
}

json_t *dns_work_json(const struct dns_work *w)
{
    json_t *rows = json_array();
    json_t *over = json_array();
    json_t *warnings = json_array();
    for (size_t i = 0; i < w->plan.count; i++)
        json_array_append_new(rows, dns_work_row(w, i));
    for (size_t i = 0; i < w->plan.over_count; i++) {
        json_array_append_new(over, ROW(FIELD("name", safe_text(w->plan.over[i].name)),
                                        FIELD("type", dns_type_name(w->plan.over[i].type)),
                                        FIELD("value", safe_text(w->plan.over[i].value))));
    }
    for (size_t i = 0; i < w->plan.warning_count; i++)
        json_array_append_new(warnings, safe_text(w->plan.warnings[i]));
    return ROW(FIELD("version", DOCUMENT_VERSION), FIELD("domain", w->domain),
               FIELD("zone", safe_text(w->plan.zone)), FIELD("records", rows),
               FIELD("remove", over), FIELD("warnings", warnings),
               FIELD("mta_sts", policy_json(w)));
}

/* ---- Domain Connect ---- */

/* SPF is merged by the provider ("SPFM"): it gets our mechanisms only. */
static void fill_template_text(json_t *row, const struct dns_work *w, const struct record *r,
                               enum records_role role)
{
    struct buf rules;
    if (role != RECORDS_SPF) {
        json_object_set_new(row, "data", safe_text(r->value));
        return;
    }
    buf_init(&rules, RECORD_VALUE_MAX);
    const char *const *ips = w->in.sender_count > 0 ? w->in.senders : w->in.public_ips;
    size_t count = w->in.sender_count > 0 ? w->in.sender_count : w->in.ip_count;
    for (size_t i = 0; i < count; i++)
        buf_addf(&rules, "%sip%c:%s", i > 0 ? " " : "", strchr(ips[i], ':') ? '6' : '4', ips[i]);
    PUT(row, FIELD("type", "SPFM"), FIELD("spfRules", buf_text(&rules)));
    buf_fini(&rules);
}

static json_t *template_row(const struct dns_work *w, const struct records_item *it)
{
    const struct record *r = &it->record;
    json_t *row = json_object();
    struct span target = records_word(r->value, 1, 2);
    uint64_t number = 0;
    PUT(row, FIELD("type", dns_type_name(r->type)),
        FIELD("host", safe(records_host(r->name, it->zone))), FIELD("ttl", w->ttl_s));
    if (r->type == DNS_TXT) {
        fill_template_text(row, w, r, it->role);
    } else if (r->type == DNS_MX && span_number(records_word(r->value, 0, 2), &number)) {
        PUT(row, FIELD("pointsTo", safe(target)), FIELD("priority", number));
    } else {
        json_object_set_new(row, "pointsTo", safe_text(r->value));
    }
    return row;
}

json_t *dns_work_template(const struct dns_work *w)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < w->plan.count; i++) {
        const struct records_item *it = &w->plan.items[i];
        bool known = it->record.type == DNS_A || it->record.type == DNS_AAAA ||
                     it->record.type == DNS_CNAME || it->record.type == DNS_MX ||
                     it->record.type == DNS_TXT;
        if (known && records_publishable(&w->plan, it) && strcmp(it->zone, w->plan.zone) == 0)
            json_array_append_new(rows, template_row(w, it));
    }
    return ROW(FIELD("providerId", w->config->hostname), FIELD("providerName", w->config->hostname),
               FIELD("serviceId", "sealpost"), FIELD("serviceName", "Mail by Sealpost"),
               FIELD("version", 1), FIELD("syncPubKeyDomain", w->config->hostname),
               FIELD("records", rows));
}

/* ---- for a person ---- */

static void print_line(const char *title, const char *text)
{
    if (!*text)
        return;
    printf("  %-8s ", title);
    cli_print_safe(text);
    putchar('\n');
}

void dns_work_print_item(const struct dns_work *w, size_t item)
{
    const struct records_item *it = &w->plan.items[item];
    const struct record *r = &it->record;
    char host[DNS_NAME_MAX + 1];
    const char *zone = it->zone[0] ? it->zone : w->plan.zone;
    (void)span_copy(records_host(r->name, zone), host, sizeof(host));
    printf("\n%s, %s%s%s\n", records_role_title(it->role), records_need_name(it->need),
           w->surveyed ? ": " : "", w->surveyed ? records_state_name(it->state) : "");
    print_line("name", r->name);
    if (strcmp(host, r->name) != 0)
        print_line("host", host);
    print_line("type", dns_type_name(r->type));
    print_line("value", r->value);
    for (size_t i = 0; i < w->plan.standing_count; i++) {
        const struct records_standing *s = &w->plan.standing[i];
        if (s->replaced && strcmp(s->record.name, r->name) == 0 &&
            (s->record.type == r->type || s->record.type == DNS_CNAME))
            print_line(s->record.type == r->type ? "instead" : "no CNAME", s->record.value);
    }
    print_line("why", records_role_why(it->role));
    print_line("note", it->note);
}

void dns_work_print_notes(const struct dns_work *w)
{
    for (size_t i = 0; i < w->plan.over_count; i++)
        printf("%s%s TXT may be taken out: no mail signed with that key is under way any more\n",
               i == 0 ? "\n" : "", w->plan.over[i].name);
    for (size_t i = 0; i < w->plan.warning_count; i++) {
        fputs(i == 0 ? "\nnote: " : "note: ", stdout);
        cli_print_safe(w->plan.warnings[i]);
        putchar('\n');
    }
}

void dns_work_print(const struct dns_work *w)
{
    static const enum records_need order[] = {RECORDS_REQUIRED, RECORDS_RECOMMENDED, RECORDS_LATER};
    printf("DNS records for %s (zone %s):\n", w->domain, w->plan.zone);
    for (size_t k = 0; k < COUNT_OF(order); k++)
        for (size_t i = 0; i < w->plan.count; i++)
            if (w->plan.items[i].need == order[k])
                dns_work_print_item(w, i);
    dns_work_print_notes(w);
}
