// SPDX-License-Identifier: BSD-2-Clause
/* cli_shape.c - The commands shape list and shape explain. Pausing and resuming is what destination
 * rest and resume do (cli_destinations.c).
 *
 * What holds just now the relay says. Where it knows nothing of a domain, its hosts are looked up
 * here, as `check destination` does, and it is asked about the destination to which they lead. The
 * config file says which of its lines gave a number.
 */
#include "cli_shape.h"

#include "destination_check.h"
#include "queue_shape.h"
#include "route_label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- list ---- */

static const struct cli_column columns[] = {{"DESTINATION", "destination", CLI_TEXT},
                                            {"LIMITED", "limited", CLI_TEXT},
                                            {"WAITING", "waiting", CLI_TEXT},
                                            {"WINDOW", "window", CLI_TEXT},
                                            {"LIMIT", "limit", CLI_COUNT},
                                            {"A MINUTE", "a_minute", CLI_COUNT},
                                            {"TENANT", "whose", CLI_TEXT},
                                            {"NEXT TRY", "until", CLI_IN},
                                            {"WHY", "told", CLI_TEXT}};

/* For the table: of what holds for all, or else for one tenant. */
static void flatten(json_t *rows)
{
    cli_tell_why(rows);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const json_t *rest = json_object_get(row, "tenant_rest");
        const json_t *speed = json_object_get(row, "speed");
        const json_t *ceiling = json_object_get(row, "tenant_ceiling");
        const json_t *of_one = rest ? rest : *json_row_get(speed, "tenant") ? speed : ceiling;
        bool of_all = json_row_int(row, "rests_s") > 0;
        int64_t until = json_row_int(of_all ? row : rest, "next_try");
        PUT(row, FIELD("a_minute", json_row_int(speed, "messages_a_minute")),
            FIELD("whose", of_all ? "" : json_row_get(of_one, "tenant")));
        if (until > 0)
            PUT(row, FIELD("until", until));
        if (rest && !of_all)
            PUT(row, FIELD("told", json_row_get(rest, "why")));
    }
}

int cli_shape_list(struct cli *cli)
{
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("shape.list", "tenant", cli_option(cli, "tenant", 0), NULL),
                       &answer);
    json_t *rows = json_object_get(answer, "rows");
    if (code != CLI_OK)
        return code;
    if (!cli->json)
        flatten(rows);
    cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    if (!cli->json && json_array_size(rows) == 0)
        puts("no destination is limited by more than the settings say");
    json_decref(answer);
    return CLI_OK;
}

/* ---- which line gave it ---- */

struct origins {
    char route[300]; /* settings of the route begin with this; "": the file has none */
    char connections[CONFIG_PATH_MAX + 32], route_at[CONFIG_PATH_MAX + 32];
};

static void note_origin(void *context, const char *setting, const char *value, const char *file,
                        size_t line, const struct config_about *about)
{
    struct origins *o = context;
    (void)value;
    (void)about;
    if (!file)
        return;
    if (strcmp(setting, "delivery.connections") == 0)
        snprintf(o->connections, sizeof(o->connections), "%s:%zu", file, line);
    bool of_route = o->route[0] && strncmp(setting, o->route, strlen(o->route)) == 0;
    if (of_route && !o->route_at[0])
        snprintf(o->route_at, sizeof(o->route_at), "%s:%zu", file, line);
}

static void find_origins(const struct cli *cli, const struct config_route *route,
                         struct origins *o_r)
{
    *o_r = (struct origins){.route = ""};
    if (!route->fallback)
        snprintf(o_r->route, sizeof(o_r->route), "route \"%s\".", route->domain);
    config_origins(cli->config, note_origin, o_r);
}

/* What the relay has in force since its start the file may say otherwise by now. */
static void print_setting(const struct cli *cli, const struct origins *o, json_int_t value,
                          char *text_r, size_t size)
{
    const char *at = o->connections[0] ? o->connections : "default";
    if (value == (json_int_t)cli->config->site_connections)
        snprintf(text_r, size, "delivery.connections: %s", at);
    else
        snprintf(text_r, size,
                 "delivery.connections as of the relay's start; %s has %u, for which it needs a "
                 "restart",
                 at, cli->config->site_connections);
}

static const char *built_in(const char *rule)
{
    static const struct {
        const char *rule, *text;
    } rules[] = {
        {"address", "as many as here, for all destinations together that lead to one address"},
        {"share", "at most twice what it leaves free while others want some"},
        {"reserve", "a fifth where class security had mail within an hour, else a few"},
        {"descriptors", "the file descriptors that the relay may have"},
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++)
        if (strcmp(rules[i].rule, rule) == 0)
            return rules[i].text;
    return "";
}

static void add_origins(const struct cli *cli, const struct config_route *route, json_t *shape)
{
    struct origins o;
    char text[2 * CONFIG_PATH_MAX];
    json_t *limits = json_object_get(shape, "limits");
    find_origins(cli, route, &o);
    for (size_t i = 0; i < json_array_size(limits); i++) {
        json_t *row = json_array_get(limits, i);
        const char *rule = json_row_get(row, "rule");
        if (strcmp(rule, "provider") == 0)
            snprintf(text, sizeof(text), "row \"%s\" of the relay's table of providers",
                     json_row_get(shape, "provider"));
        else if (strcmp(rule, "setting") == 0)
            print_setting(cli, &o, json_row_int(row, "value"), text, sizeof(text));
        else if (strcmp(rule, "route") == 0)
            snprintf(text, sizeof(text), "route \"%s\": %s", route->domain, o.route_at);
        else
            snprintf(text, sizeof(text), "%s", built_in(rule));
        PUT(row, FIELD("from", (const char *)text));
    }
    PUT(shape, FIELD("route", route->fallback ? NULL : (const char *)route->domain),
        FIELD("route_from", route->fallback ? NULL : (const char *)o.route_at),
        FIELD("host", route->host[0] ? (const char *)route->host : NULL));
}

/* ---- what the relay does not know ---- */

static void prospect(const struct cli *cli, const char *domain, const struct destination_look *look,
                     struct buf *name, struct queue_prospect *prospect_r)
{
    char label[TRUST_LABEL];
    const char *names[HOSTS_MAX];
    bool all = true;
    route_label(cli->config, look->route, TLS_NEED_NONE, label);
    for (size_t i = 0; i < look->mx.hosts.count; i++) {
        names[i] = look->mx.hosts.all[i].name;
        all = all && !look->mx.hosts.all[i].drawn;
    }
    const struct queue_answer answer = {.hosts = names,
                                        .host_count = look->mx.hosts.count,
                                        .alone = all ? NULL : domain,
                                        .port = look->route->port,
                                        .route = label};
    queue_prospect(&answer, name, prospect_r);
}

/* Before what the relay says of its own: of one that is only paused it knows nothing but that. */
static void add_prospect(const struct cli *cli, json_t *shape, const struct queue_prospect *p)
{
    json_t *limits = json_object_get(shape, "limits");
    if (strcmp(json_row_get(json_array_get(limits, 0), "limit"), "connections") == 0)
        return;
    if (p->messages > 0)
        json_array_insert_new(limits, 0,
                              ROW(FIELD("limit", "messages_a_connection"),
                                  FIELD("value", p->messages), FIELD("rule", "provider")));
    json_array_insert_new(
        limits, 0,
        ROW(FIELD("limit", "connections"),
            FIELD("value", p->connections > 0 ? p->connections : cli->config->site_connections),
            FIELD("rule", p->connections > 0 ? "provider" : "setting")));
}

static int ask(struct cli *cli, const char *domain, const char *destination, json_t **shape_r)
{
    json_t *answer = NULL;
    int code = cli_ask(cli,
                       cli_request("shape.explain", "domain", domain, "tenant",
                                   cli_option(cli, "tenant", 0), "destination", destination, NULL),
                       &answer);
    json_t *shape = json_object_get(answer, "shape");
    *shape_r = shape ? json_incref(shape) : json_object();
    PUT(*shape_r, FLAG("running", json_row_is(answer, "running")));
    if (!json_object_get(*shape_r, "limits"))
        PUT(*shape_r, FIELD("limits", json_array()));
    json_decref(answer);
    return code;
}

static void look_at(struct cli *cli, const char *domain, const struct destination_look *look,
                    json_t **shape, int *code_r)
{
    struct queue_prospect found;
    struct buf name;
    json_t *hosts = json_array();
    buf_init(&name, 16 * 1024);
    prospect(cli, domain, look, &name, &found);
    if (json_row_is(*shape, "running")) {
        json_decref(*shape);
        *code_r = ask(cli, domain, buf_text(&name), shape);
    }
    add_prospect(cli, *shape, &found);
    for (size_t i = 0; i < look->mx.hosts.count; i++)
        json_array_append_new(hosts, json_row_text(look->mx.hosts.all[i].name));
    PUT(*shape, FIELD("leads_to", (const char *)buf_text(&name)), FIELD("hosts", hosts),
        FIELD("provider", found.provider[0] ? (const char *)found.provider : NULL));
    buf_fini(&name);
}

/* What the relay would find, too. */
static void wait_for_hosts(json_t *shape)
{
    json_t *classes = json_object_get(shape, "classes");
    for (size_t i = 0; i < json_array_size(classes); i++)
        PUT(json_array_get(classes, i), FLAG("may_go", false),
            FIELD("waits_for", queue_wait_word(QUEUE_WAIT_HOSTS)),
            FIELD("text", queue_wait_text(QUEUE_WAIT_HOSTS)));
}

/* CLI_NO: no host would take it. */
static int look_up(struct cli *cli, const char *domain, json_t **shape)
{
    struct destination_look look;
    struct err err = {0};
    int code = CLI_OK;
    if (!destination_look(cli->config, domain, &look, &err)) {
        destination_look_fini(&look);
        return cli_fail(&err);
    }
    if (look.mx.result == MX_FOUND)
        look_at(cli, domain, &look, shape, &code);
    else
        wait_for_hosts(*shape);
    if (code == CLI_OK && look.mx.result != MX_FOUND)
        code = CLI_NO;
    bool knows_now = strcmp(json_row_get(*shape, "state"), "leads") == 0; /* it has looked, too */
    PUT(*shape, FLAG("looked_up", !knows_now), FIELD("mx", destination_check_result(&look)),
        FIELD("mx_why", (const char *)look.mx.why));
    destination_look_fini(&look);
    return code;
}

/* ---- explain ---- */

int cli_shape_explain(struct cli *cli)
{
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *shape = NULL;
    int code = CLI_OK;
    if (!address_domain_ascii(span_of(cli->arguments[0]), domain))
        return cli_usage(cli, "that is not a domain");
    if (!cli_config(cli, &code))
        return code;
    code = ask(cli, domain, NULL, &shape);
    const json_t *known = json_object_get(shape, "destination");
    if (code == CLI_OK && known)
        PUT(shape, FIELD("leads_to", json_row_get(known, "destination")), FLAG("looked_up", false),
            FIELD("provider",
                  *json_row_get(known, "provider") ? json_row_get(known, "provider") : NULL));
    else if (code == CLI_OK)
        code = look_up(cli, domain, &shape);
    if (code == CLI_OK || code == CLI_NO) {
        PUT(shape, FIELD("domain", (const char *)domain),
            FIELD("tenant", cli_option(cli, "tenant", 0)));
        add_origins(cli, config_route(cli->config, domain), shape);
        if (cli->json)
            cli_print_json(shape);
        else
            shape_text_print(shape);
    }
    json_decref(shape);
    return code;
}
