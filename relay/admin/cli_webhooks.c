// SPDX-License-Identifier: BSD-2-Clause
/* cli_webhooks.c - The commands webhook list, add, remove, enable, disable, rotate, ping, replay
 * and test. */
#include "cli_webhooks.h"

#include "cli_streams.h"
#include "clock.h"
#include "webhook_try.h"
#include "webhook_type.h"
#include "webhook_url.h"

#include <stdio.h>
#include <string.h>

/* ---- list ---- */

static const struct cli_column columns[] = {
    {"ID", "id", CLI_TEXT},       {"TENANT", "tenant", CLI_TEXT},
    {"STATE", "state", CLI_TEXT}, {"WAITING", "waiting", CLI_TEXT},
    {"LOST", "lost", CLI_COUNT},  {"SINCE", "since", CLI_AGO},
    {"TYPES", "types", CLI_TEXT}, {"STREAMS", "streams", CLI_TEXT},
    {"URL", "url", CLI_TEXT},     {"WHY", "why", CLI_TEXT}};

/* A list of names as one text, without what all begin with. */
static void join(json_t *row, const char *key, const char *otherwise)
{
    static const char prefix[] = "message.";
    struct buf text;
    size_t i;
    json_t *one;
    buf_init(&text, 4096);
    json_array_foreach(json_object_get(row, key), i, one)
    {
        const char *name = json_string_value(one);
        bool begins = strncmp(name, prefix, strlen(prefix)) == 0;
        buf_addf(&text, "%s%s", i ? "," : "", name + (begins ? strlen(prefix) : 0));
    }
    const char *said = text.len > 0 ? buf_text(&text) : otherwise;
    PUT(row, FIELD(key, said));
    buf_fini(&text);
}

/* As a table shows it. */
static void shorten(json_t *row)
{
    bool all = json_array_size(json_object_get(row, "types")) == WEBHOOK_PING;
    if (all)
        PUT(row, FIELD("types", "all"));
    else
        join(row, "types", "");
    join(row, "streams", "all");
    if (json_row_int(row, "since") == 0)
        json_object_del(row, "since");
}

int cli_webhook_list(struct cli *cli)
{
    json_t *answer = NULL;
    size_t i;
    json_t *row;
    int code = cli_ask(cli, cli_request("webhook.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    if (!cli->json)
        json_array_foreach(rows, i, row) shorten(row);
    if (code == CLI_OK)
        cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    json_decref(answer);
    return code;
}

/* ---- add ---- */

/* All names of an option, which may be given several times, with commas between them. */
static json_t *names_of(const struct cli *cli, const char *option)
{
    json_t *list = json_array();
    const char *given = NULL;
    for (size_t i = 0; (given = cli_option(cli, option, i)); i++)
        for (struct span rest = span_of(given); rest.len > 0;) {
            struct span name = span_take(&rest, ',');
            json_array_append_new(list, json_stringn(name.ptr, name.len));
        }
    return list;
}

static void say_secret(const struct cli *cli, json_t *answer)
{
    (void)cli;
    printf("webhook %lld\nsecret  %s\n\nThe secret is shown this once: keep it now.\n",
           json_row_int(answer, "id"), json_row_get(answer, "secret"));
}

/* Before anybody is asked, alike for all who take an address. Without TLS everybody on the way
 * could read whom mail goes to. */
static bool may_be(struct cli *cli, const char *url, int *code_r)
{
    struct err err = {0};
    if (!cli_config(cli, code_r))
        return false;
    if (webhook_url_check(span_of(url), cli->config->webhooks_private, &err))
        return true;
    *code_r = cli_usage(cli, err.text);
    return false;
}

int cli_webhook_add(struct cli *cli)
{
    int code = CLI_OK;
    const char *url = cli->arguments[0];
    if (!may_be(cli, url, &code))
        return code;
    json_t *request =
        cli_request("webhook.add", "url", url, "tenant", cli_option(cli, "tenant", 0), NULL);
    PUT(request, FIELD("types", names_of(cli, "type")), FIELD("streams", names_of(cli, "stream")),
        FLAG("hashed", cli_flag(cli, "hash-addresses")));
    code = cli_tell(cli, request, say_secret);
    if (code == CLI_OK)
        cli_warn_of_streams(cli, "stream");
    return code;
}

/* ---- one ---- */

static json_t *about(const struct cli *cli, const char *verb)
{
    return cli_request(verb, "id", cli->arguments[0], NULL);
}

int cli_webhook_remove(struct cli *cli)
{
    return cli_do(cli, about(cli, "webhook.remove"), "is told nothing more, and is removed");
}

int cli_webhook_enable(struct cli *cli)
{
    return cli_do(cli, about(cli, "webhook.enable"),
                  "is told again, first of what waits: the next try is at once");
}

int cli_webhook_disable(struct cli *cli)
{
    return cli_do(cli, about(cli, "webhook.disable"),
                  "is told nothing more; what happens is kept for 7 days");
}

int cli_webhook_rotate(struct cli *cli)
{
    int64_t for_ms = 0;
    const char *keep = cli_option(cli, "keep", 0);
    json_t *request = about(cli, "webhook.rotate");
    if (keep && !cli_span(keep, &for_ms)) {
        json_decref(request);
        return cli_usage(cli, "--keep is like 12h or 2d");
    }
    if (keep)
        PUT(request, FIELD("for_ms", for_ms));
    return cli_tell(cli, request, say_secret);
}

static void say_ping(const struct cli *cli, json_t *answer)
{
    printf("%s is told %s: see \"webhook list\"\n", cli->arguments[0],
           json_row_get(answer, "event"));
}

int cli_webhook_ping(struct cli *cli)
{
    return cli_tell(cli, about(cli, "webhook.ping"), say_ping);
}

/* ---- replay ---- */

static int replay(struct cli *cli, int64_t since_ms, int64_t *count_r)
{
    int code = CLI_OK;
    int64_t after = 0;
    for (bool more = true; code == CLI_OK && more;) {
        json_t *answer = NULL;
        json_t *request = cli_request("webhook.replay", "id", cli->arguments[0], "event",
                                      cli_option(cli, "id", 0), NULL);
        PUT(request, FIELD("since", since_ms), FIELD("after", after));
        code = cli_ask(cli, request, &answer);
        *count_r += json_row_int(answer, "count");
        after = json_row_int(answer, "after");
        more = json_row_is(answer, "more");
        json_decref(answer);
    }
    return code;
}

int cli_webhook_replay(struct cli *cli)
{
    int64_t span_ms = 0;
    int64_t count = 0;
    const char *since = cli_option(cli, "since", 0);
    if (!since == !cli_option(cli, "id", 0))
        return cli_usage(cli, "say --since 2h, or --id of one event");
    if (since && !cli_span(since, &span_ms))
        return cli_usage(cli, "--since is like 2h or 3d");
    int code = replay(cli, since ? clock_now_ms() - span_ms : 0, &count);
    if (code != CLI_OK)
        return code;
    if (cli->json)
        printf("{\"count\": %lld}\n", (long long)count);
    else
        printf("events sent again: %lld\n", (long long)count);
    return count > 0 ? CLI_OK : CLI_NO;
}

/* ---- test ---- */

static void print_tried(const struct cli *cli, const struct webhook *w,
                        const struct webhook_tried *t)
{
    json_t *row =
        ROW(FIELD("url", (const char *)w->url), FLAG("taken", t->taken), FIELD("status", t->status),
            FIELD("for_ms", t->for_ms), FIELD("id", (const char *)t->id),
            FIELD("secret", (const char *)w->secret), FIELD("why", (const char *)t->why));
    if (cli->json) {
        cli_print_json(row);
    } else {
        printf("%s (%lld ms)", t->taken ? "taken" : "not taken", (long long)t->for_ms);
        if (t->why[0])
            printf(": ");
        cli_print_safe(t->why);
        printf("\nid      %s\nsecret  %s\n", t->id, w->secret);
    }
    json_decref(row);
}

/* With a secret of its own: a webhook's is known to the relay only. */
int cli_webhook_test(struct cli *cli)
{
    struct webhook w = {.id = 0};
    struct webhook_tried tried;
    struct err err = {0};
    int code = CLI_OK;
    if (!may_be(cli, cli->arguments[0], &code))
        return code;
    span_put(span_of(cli->arguments[0]), w.url, sizeof(w.url));
    webhook_secret_generate(w.secret);
    if (!webhook_try(cli->config, &w, &tried, &err))
        return cli_fail(&err);
    print_tried(cli, &w, &tried);
    return tried.taken ? CLI_OK : CLI_NO;
}
