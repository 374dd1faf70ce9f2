// SPDX-License-Identifier: BSD-2-Clause
/* cli_quota.c - The commands quota show, top, simulate, explain and reset. The buckets come from
 * the store; what they allow is computed here from the settings. */
#include "cli.h"

#include "clock.h"
#include "throttle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct throttle_bucket bucket_of(json_t *row)
{
    return (struct throttle_bucket){json_row_int(row, "tat"), json_row_int(row, "day")};
}

static bool key_parse(const char *name, enum throttle_key *key_r)
{
    for (unsigned k = 0; k < THROTTLE_KEYS; k++) {
        *key_r = (enum throttle_key)k;
        if (strcmp(name, throttle_key_name(*key_r)) == 0)
            return true;
    }
    return false;
}

/* Streams that are counted apart from their class. */
static bool limit_of_stream(const struct cli *cli, const char *name, struct throttle_limit *limit_r,
                            bool *security_r)
{
    const struct config *c = cli->config;
    const struct stream *s = stream_find(c->streams, c->stream_count, span_of(name));
    bool own = false;
    if (!s)
        return false;
    const struct throttle_settings settings =
        throttle_for_stream(&c->throttle, name, s->class, &own);
    *limit_r = settings.classes[s->class];
    *security_r = s->class == STREAM_SECURITY;
    return own;
}

/* A request about a mailbox, with the names of those streams. */
static json_t *about_address(const struct cli *cli, const char *verb, const char *address)
{
    const struct throttle_settings *s = &cli->config->throttle;
    json_t *request = cli_request(verb, "address", address, NULL);
    json_t *streams = json_array();
    for (size_t i = 0; i < s->stream_count; i++)
        json_array_append_new(streams, json_string(s->streams[i].name));
    json_object_set_new(request, "streams", streams);
    return request;
}

/* The limit behind a row. False when nothing is counted there. */
static bool limit_of(const struct cli *cli, json_t *row, struct throttle_limit *limit_r,
                     bool *security_r)
{
    enum throttle_key key;
    enum stream_class class = STREAM_SECURITY;
    if (strcmp(json_row_get(row, "key"), "stream") == 0)
        return limit_of_stream(cli, json_row_get(row, "class"), limit_r, security_r);
    if (!key_parse(json_row_get(row, "key"), &key))
        return false;
    bool by_class = stream_class_parse(span_of(json_row_get(row, "class")), &class);
    *security_r = by_class && class == STREAM_SECURITY;
    *limit_r = throttle_limit_of(&cli->config->throttle, key, class);
    return limit_r->every_ms > 0 || limit_r->per_day > 0;
}

/* First-time recipients are counted, not paced. */
static void explain_new_recipients(const struct cli *cli, json_t *row, int64_t now_ms)
{
    const struct throttle_settings *s = &cli->config->throttle;
    const struct throttle_new_recipients n = {.since_day = json_row_int(row, "since_day"),
                                              .today = (uint32_t)json_row_int(row, "today"),
                                              .most = (uint32_t)json_row_int(row, "most")};
    int64_t wait_ms = throttle_new_recipients_wait_ms(s, &n, now_ms);
    uint32_t limit = throttle_new_recipients_limit(s, &n, now_ms);
    PUT(row, FIELD("next", now_ms + wait_ms), FIELD("per_day", limit),
        FIELD("left", limit > 0 ? json_integer(limit > n.today ? limit - n.today : 0)
                                : json_string("unlimited")));
}

static bool is_new_recipients(json_t *row)
{
    return strcmp(json_row_get(row, "key"), throttle_key_name(THROTTLE_FIRST_TIME)) == 0;
}

/* Add to each row what its bucket means now; rows that count nothing go. `used`: so do those that
 * are as if never used. */
static json_t *explain_rows(const struct cli *cli, json_t *rows, bool used)
{
    json_t *kept = json_array();
    int64_t now_ms = clock_now_ms();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        struct throttle_bucket b = bucket_of(row);
        struct throttle_limit l;
        bool security = false;
        if (is_new_recipients(row)) {
            explain_new_recipients(cli, row, now_ms);
            json_array_append(kept, row);
            continue;
        }
        if (!limit_of(cli, row, &l, &security) || (used && throttle_expires_ms(&b) <= now_ms))
            continue;
        int64_t wait_ms = throttle_wait_ms(&b, &l, security, now_ms);
        PUT(row, FIELD("left", throttle_left(&b, &l, security, now_ms)), FIELD("burst", l.burst),
            FIELD("every_s", l.every_ms / 1000), FIELD("per_day", l.per_day),
            FIELD("next", now_ms + wait_ms));
        json_array_append(kept, row);
    }
    return kept;
}

/* The tenant of a credential; "" when there is none of that name. */
static int find_tenant(struct cli *cli, const char *user, char *tenant_r, size_t size)
{
    json_t *answer = NULL;
    struct err err = {0};
    int code = cli_ask(cli, cli_request("user.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    tenant_r[0] = '\0';
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_row_get(json_array_get(rows, i), "name"), user) == 0)
            snprintf(tenant_r, size, "%s", json_row_get(json_array_get(rows, i), "tenant"));
    json_decref(answer);
    if (code == CLI_OK && !tenant_r[0]) {
        err_set(&err, ERR_NOT_FOUND, "%.80s is neither an address nor a credential here", user);
        code = cli_fail(&err);
    }
    return code;
}

/* What the tenant has in the queue, beside what it may have: the first of its shares. */
static json_t *storage(json_t *answer)
{
    json_t *s = json_array_get(json_object_get(answer, "shares"), 0);
    if (!s)
        return NULL;
    return json_pack("{s:O, s:O, s:O}", "tenant", json_object_get(s, "tenant"), "bytes",
                     json_object_get(s, "bytes"), "limit", json_object_get(s, "limit"));
}

/* A line for each. */
static void show_shares(json_t *shares)
{
    static const char *const what[][2] = {{"storage", "in the queue"},
                                          {"waiting", "of recipients that wait in memory"},
                                          {"events", "of events of the last week"},
                                          {"webhooks", "of events for webhooks"}};
    for (size_t i = 0; i < json_array_size(shares); i++) {
        json_t *s = json_array_get(shares, i);
        printf("tenant ");
        cli_print_safe(json_row_get(s, "tenant"));
        printf(" has %lld KB ", json_row_int(s, "bytes") / 1024);
        for (size_t k = 0; k < COUNT_OF(what); k++)
            if (strcmp(what[k][0], json_row_get(s, "share")) == 0)
                printf("%s", what[k][1]);
        printf(", of %lld KB (%s)\n", json_row_int(s, "limit") / 1024, json_row_get(s, "of"));
    }
    if (json_array_size(shares) > 0)
        putchar('\n');
}

static void show(struct cli *cli, json_t *answer, json_t *rows)
{
    static const struct cli_column columns[] = {{"TENANT", "tenant", CLI_TEXT},
                                                {"LIMIT", "key", CLI_TEXT},
                                                {"CLASS", "class", CLI_TEXT},
                                                {"LEFT", "left", CLI_TEXT},
                                                {"NEXT", "next", CLI_IN}};
    static const struct cli_column decisions[] = {{"AT", "at", CLI_TIME},
                                                  {"WHAT", "kind", CLI_TEXT},
                                                  {"ID", "id", CLI_TEXT},
                                                  {"RECIPIENT", "recipient", CLI_TEXT},
                                                  {"WHY", "reply", CLI_TEXT}};
    json_t *lately = json_object_get(answer, "decisions");
    json_t *shares = json_object_get(answer, "shares");
    json_t *space = storage(answer);
    if (cli->json) {
        json_t *all = json_object();
        json_object_set(all, "canonical", json_object_get(answer, "canonical"));
        json_object_set(all, "keys", rows);
        json_object_set(all, "decisions", lately);
        if (space)
            json_object_set_new(all, "storage", space);
        if (shares)
            json_object_set(all, "shares", shares);
        cli_print_json(all);
        json_decref(all);
        return;
    }
    printf("counted as ");
    cli_print_safe(json_row_get(answer, "canonical"));
    printf("\n\n");
    show_shares(shares);
    json_decref(space);
    cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    if (json_array_size(lately) > 0) {
        putchar('\n');
        cli_print_rows(cli, lately, decisions, COUNT_OF(decisions));
    }
}

/* What all tenants share, as the settings have it. */
static void put_room(const struct cli *cli, json_t *request)
{
    const struct database_room room = config_room(cli->config);
    PUT(request, FIELD("storage", (json_int_t)room.all),
        FIELD("tenant_storage", (json_int_t)room.tenant),
        FIELD("waiting", (json_int_t)room.waiting), FIELD("events", (json_int_t)room.events),
        FIELD("outbox", (json_int_t)room.outbox));
}

static json_t *about_user(const struct cli *cli, const char *tenant, const char *user)
{
    json_t *request = cli_request("quota.user", "tenant", tenant, "user", user, NULL);
    put_room(cli, request);
    return request;
}

int cli_quota_shares(struct cli *cli)
{
    static const struct cli_column columns[] = {{"TENANT", "tenant", CLI_TEXT},
                                                {"SHARE", "share", CLI_TEXT},
                                                {"BYTES", "bytes", CLI_TEXT},
                                                {"LIMIT", "limit", CLI_TEXT},
                                                {"OF", "of", CLI_TEXT}};
    json_t *answer = NULL;
    int code = CLI_OK;
    if (!cli_config(cli, &code))
        return code;
    json_t *request = cli_request("quota.shares", "tenant", cli_option(cli, "tenant", 0), NULL);
    put_room(cli, request);
    code = cli_ask(cli, request, &answer);
    if (code == CLI_OK)
        cli_print_rows(cli, json_object_get(answer, "shares"), columns, COUNT_OF(columns));
    json_decref(answer);
    return code;
}

int cli_quota_show(struct cli *cli)
{
    json_t *answer = NULL;
    char tenant[64];
    int code = CLI_OK;
    if (!cli_config(cli, &code))
        return code;
    if (!strchr(cli->arguments[0], '@')) {
        code = find_tenant(cli, cli->arguments[0], tenant, sizeof(tenant));
        if (code == CLI_OK)
            code = cli_ask(cli, about_user(cli, tenant, cli->arguments[0]), &answer);
    } else {
        code = cli_ask(cli, about_address(cli, "quota.show", cli->arguments[0]), &answer);
    }
    if (code == CLI_OK) {
        json_t *rows = explain_rows(cli, json_object_get(answer, "rows"), !cli->json);
        show(cli, answer, rows);
        json_decref(rows);
    }
    json_decref(answer);
    return code;
}

int cli_quota_reset(struct cli *cli)
{
    char tenant[64];
    bool address = strchr(cli->arguments[0], '@');
    int code = CLI_OK;
    if (!cli_config(cli, &code))
        return code;
    code = address ? CLI_OK : find_tenant(cli, cli->arguments[0], tenant, sizeof(tenant));
    if (code != CLI_OK)
        return code;
    return address ? cli_do(cli, about_address(cli, "quota.reset", cli->arguments[0]),
                            "may get mail as if none had come yet")
                   : cli_do(cli, cli_request("quota.reset", "tenant", tenant, NULL),
                            "may send as if it had sent none today");
}

/* ---- simulate ---- */

/* What is asked for: mail of a class, or of a stream, which may be counted apart. */
struct trial {
    struct throttle_settings settings;
    struct throttle_bucket buckets[THROTTLE_BUCKETS];
    enum stream_class class;
    const char *stream; /* NULL: counted with its class */
};

static void take_buckets(json_t *rows, const char *tenant, struct trial *t)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        enum throttle_key key;
        const char *of = json_row_get(row, "class");
        bool apart = strcmp(json_row_get(row, "key"), "stream") == 0;
        if (strcmp(json_row_get(row, "tenant"), tenant) != 0)
            continue;
        if (apart && t->stream && strcmp(of, t->stream) == 0)
            t->buckets[THROTTLE_CLASS] = bucket_of(row);
        else if (!apart && key_parse(json_row_get(row, "key"), &key) && key < THROTTLE_BUCKETS &&
                 (!*of || (!t->stream && strcmp(of, stream_class_name(t->class)) == 0)))
            t->buckets[key] = bucket_of(row);
    }
}

static json_t *simulate(struct trial *t, uint64_t count)
{
    static const char *const words[] = {[THROTTLE_PASS] = "passes",
                                        [THROTTLE_PACE] = "is paced",
                                        [THROTTLE_DEFER] = "is deferred",
                                        [THROTTLE_REJECT] = "is rejected"};
    json_t *rows = json_array();
    int64_t now_ms = clock_now_ms();
    for (uint64_t i = 0; i < count; i++) {
        struct throttle_decision d =
            throttle_decide(&t->settings, t->class, STREAM_PACE, t->buckets, now_ms);
        json_array_append_new(
            rows, ROW(FIELD("message", (json_int_t)i + 1), FIELD("what", words[d.what]),
                      FIELD("key", d.what == THROTTLE_PASS ? "" : throttle_key_name(d.key)),
                      FIELD("wait_s", (d.wait_ms + 999) / 1000)));
    }
    return rows;
}

/* The class or stream of the command line, and what holds for it. */
static bool choose(const struct cli *cli, const char *to, struct trial *t)
{
    const struct config *c = cli->config;
    const char *named = cli_option(cli, "class", 0);
    const char *stream = cli_option(cli, "stream", 0);
    const struct stream *s =
        stream ? stream_find(c->streams, c->stream_count, span_of(stream)) : NULL;
    const char *at = strrchr(to, '@');
    bool own = false;
    if ((stream && !s) || (named && !stream_class_parse(span_of(named), &t->class)))
        return false;
    if (s)
        t->class = s->class;
    t->settings = throttle_for_stream(&c->throttle, s ? s->name : "", t->class, &own);
    t->stream = own ? s->name : NULL;
    if (at && throttle_is_large(at + 1))
        t->settings.domain = (struct throttle_limit){0};
    return true;
}

int cli_quota_simulate(struct cli *cli)
{
    static const struct cli_column columns[] = {{"MESSAGE", "message", CLI_TEXT},
                                                {"WHAT", "what", CLI_TEXT},
                                                {"LIMIT", "key", CLI_TEXT},
                                                {"SECONDS", "wait_s", CLI_TEXT}};
    json_t *answer = NULL;
    struct trial t = {.class = STREAM_NOTIFICATION};
    uint64_t count = 10;
    int code = CLI_OK;
    const char *to = cli_option(cli, "to", 0);
    const char *tenant = cli_option(cli, "tenant", 0);
    const char *times = cli_option(cli, "count", 0);
    if (!cli_config(cli, &code))
        return code;
    if (!to || !choose(cli, to, &t) ||
        (times && (!span_number(span_of(times), &count) || count > 10000)))
        return cli_usage(cli, "give --to an address, --class or --stream one that there is, "
                              "--count to 10000");
    code = cli_ask(cli, about_address(cli, "quota.show", to), &answer);
    if (code == CLI_OK) {
        take_buckets(json_object_get(answer, "rows"), tenant ? tenant : "default", &t);
        json_t *rows = simulate(&t, count);
        cli_print_rows(cli, rows, columns, COUNT_OF(columns));
        json_decref(rows);
    }
    json_decref(answer);
    return code;
}

/* ---- top ---- */

int cli_quota_top(struct cli *cli)
{
    static const struct cli_column columns[] = {{"WHO", "who", CLI_TEXT},
                                                {"ACCEPTED", "accepted", CLI_TEXT},
                                                {"PACED", "paced", CLI_TEXT},
                                                {"COLLAPSED", "collapsed", CLI_TEXT},
                                                {"REFUSED", "refused", CLI_TEXT}};
    const char *by = cli_option(cli, "by", 0);
    const char *since = cli_option(cli, "since", 0);
    const char *most = cli_option(cli, "limit", 0);
    int64_t span_ms = 0;
    uint64_t limit = 20;
    if (!cli_span(since ? since : "1h", &span_ms) ||
        (most && (!span_number(span_of(most), &limit) || limit == 0 || limit > 100000)))
        return cli_usage(cli, "--since is like 90s, 10m, 1h or 7d; --limit is up to 100000");
    json_t *request = cli_request("quota.top", "by", by ? by : "recipient", NULL);
    PUT(request, FIELD("since", clock_now_ms() - span_ms), FIELD("limit", limit));
    return cli_list(cli, request, columns, COUNT_OF(columns));
}

/* ---- explain ---- */

static bool is_decision(const char *kind)
{
    static const char *const kinds[] = {"paced", "throttled", "collapsed", "observed",
                                        "suppressed"};
    size_t i = 0;
    return span_among(span_of(kind), kinds, COUNT_OF(kinds), &i);
}

int cli_quota_explain(struct cli *cli)
{
    static const struct cli_column columns[] = {{"RECIPIENT", "recipient", CLI_TEXT},
                                                {"WHAT", "kind", CLI_TEXT},
                                                {"CODE", "code", CLI_TEXT},
                                                {"WHY", "reply", CLI_TEXT}};
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("trace", "id", cli->arguments[0], NULL), &answer);
    json_t *kept = json_array();
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (is_decision(json_row_get(row, "kind")))
            json_array_append(kept, row);
    }
    if (code == CLI_OK && json_array_size(kept) == 0 && !cli->json)
        printf("%s was neither paced nor collapsed nor refused\n", cli->arguments[0]);
    else if (code == CLI_OK)
        cli_print_rows(cli, kept, columns, COUNT_OF(columns));
    json_decref(kept);
    json_decref(answer);
    return code;
}
