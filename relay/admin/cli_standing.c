// SPDX-License-Identifier: BSD-2-Clause
/* cli_standing.c - The commands status, reload and config show. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static void print_store(const json_t *answer)
{
    if (json_row_is(answer, "disk_full"))
        printf("The disk is full (%lld KB free, %lld KB kept for outcomes): new mail is refused "
               "until there is room.\n",
               (long long)json_row_int(answer, "disk_free") / 1024,
               (long long)json_row_int(answer, "disk_kept") / 1024);
    if (json_row_is(answer, "paused"))
        puts("Delivery is paused: the store cannot record outcomes, see delivery_paused in the "
             "log.");
}

static void print_dns(const json_t *answer)
{
    json_int_t since_ms = json_row_int(answer, "dns_silent_since");
    if (since_ms == 0)
        return;
    fputs("DNS gives no answer at all since ", stdout);
    cli_print_time(since_ms);
    bool waits = json_row_int(answer, "waiting") + json_row_int(answer, "deferred") > 0;
    printf("%s: look at the network, and at dns { forward }.\n", waits ? ", and mail waits" : "");
}

/* The self-test at the start, and what lookups have shown since. */
static void print_dnssec(const json_t *answer)
{
    static const struct {
        const char *state, *text;
    } texts[] = {
        {"validates", "DNSSEC is validated, by the trust anchor "},
        {"absent", "DANE is off: no key of the root is in dns { trust_anchor }, which is "},
        {"fails",
         "DNSSEC fails, and mail waits: the keys of the root do not fit the trust anchor "},
        {"off", "DANE is off: dns { dnssec } is, as by default with dns { forward }"},
        {"unknown", "DNSSEC: not known yet, as nobody has answered about the root"}};
    const char *state = json_row_get(answer, "dnssec");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (strcmp(texts[i].state, state) != 0)
            continue;
        fputs(texts[i].text, stdout);
        cli_print_safe(json_row_get(answer, "trust_anchor"));
        putchar('\n');
    }
}

static void print_keys(const json_t *answer)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(answer, "unsigned"), i, row)
    {
        printf(
            "Mail of %s is refused, if not now then from the next start or reload on, as it cannot "
            "be signed: ",
            json_row_get(row, "domain"));
        cli_print_safe(json_row_get(row, "why"));
        putchar('\n');
    }
    if (!json_object_get(answer, "keys_unknown"))
        return;
    fputs("Whether all mail can be signed is not known: ", stdout);
    cli_print_safe(json_row_get(answer, "keys_unknown"));
    putchar('\n');
}

static void print_status(const struct cli *cli, json_t *answer)
{
    static const struct cli_column columns[] = {
        {"VERSION", "version", CLI_TEXT},   {"RUNS SINCE", "started", CLI_TIME},
        {"QUEUED", "queued", CLI_TEXT},     {"WAITING", "waiting", CLI_TEXT},
        {"DEFERRED", "deferred", CLI_TEXT}, {"HELD", "held", CLI_TEXT},
        {"RESTING", "resting", CLI_TEXT},   {"SETTINGS OF", "loaded", CLI_TIME},
        {"FILE", "file", CLI_TEXT},         {"REFUSED RELOAD", "refused_at", CLI_TIME}};
    json_t *rows = json_array();
    json_array_append(rows, answer);
    cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    json_decref(rows);
    print_store(answer);
    print_dns(answer);
    print_keys(answer);
    print_dnssec(answer);
    if (!*json_row_get(answer, "refused"))
        return;
    fputs("The last reload was refused, and the settings before it are in force: ", stdout);
    cli_print_safe(json_row_get(answer, "refused"));
    putchar('\n');
}

/* Of a relay that runs. */
static int ask(struct cli *cli, const char *verb, json_t **answer_r)
{
    struct err err = {0};
    struct err fault = {0};
    if (!cli->config && !config_look(cli->config_path, &cli->config, &fault))
        cli->config = NULL;
    if (cli_ask_running(cli, cli_request(verb, NULL), answer_r, &err))
        return CLI_OK;
    if (err.kind == ERR_NOT_FOUND && fault.kind != ERR_NONE)
        return cli_fail(&fault);
    if (err.kind == ERR_NOT_FOUND)
        err.kind = ERR_UNREACHABLE;
    return cli_fail(&err);
}

int cli_status(struct cli *cli)
{
    json_t *answer = NULL;
    int code = ask(cli, "status", &answer);
    if (code == CLI_OK && cli->json)
        cli_print_json(answer);
    else if (code == CLI_OK)
        print_status(cli, answer);
    json_decref(answer);
    return code;
}

int cli_reload(struct cli *cli)
{
    json_t *answer = NULL;
    int code = ask(cli, "reload", &answer);
    if (code == CLI_OK && cli->json)
        cli_print_json(answer);
    else if (code == CLI_OK)
        puts("reloaded");
    json_decref(answer);
    return code;
}

/* ---- config show ---- */

static void print_config(const struct cli *cli, const char *config)
{
    if (!cli->json) {
        fputs(config, stdout);
        return;
    }
    json_t *all = ROW(FIELD("config", config));
    cli_print_json(all);
    json_decref(all);
}

/* The file may say something else than what a relay that runs has read. */
static void tell_difference(const struct cli *cli, const json_t *running, const struct err *fault,
                            const char *of_file)
{
    struct err err = *fault;
    if (err.kind == ERR_NONE && *json_row_get(running, "refused"))
        err_set(&err, ERR_CONFIG, "the last reload was refused: %s",
                json_row_get(running, "refused"));
    else if (err.kind == ERR_NONE && strcmp(json_row_get(running, "config"), of_file) != 0)
        err_set(&err, ERR_CONFIG, "%s says something else: 'sealpost reload' puts it into force",
                cli->config_path);
    if (err.kind != ERR_NONE)
        cli_fail(&err);
}

static void print_origin(void *context, const char *setting, const char *value, const char *file,
                         size_t line, const struct config_about *about)
{
    json_t *list = context;
    char origin[CONFIG_PATH_MAX + 32] = "default";
    if (file)
        snprintf(origin, sizeof(origin), "%s:%zu", file, line);
    if (list)
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "setting",
                                              setting, "value", value, "origin", origin, "default",
                                              about->fallback, "allowed", about->allowed, "about",
                                              about->about, "restart", about->needs_restart));
    else
        printf("%s = %s  # %s\n", setting, value, origin);
}

static int show_origins(struct cli *cli)
{
    json_t *list = cli->json ? json_array() : NULL;
    config_origins(cli->config, print_origin, list);
    if (list)
        cli_print_json(list);
    json_decref(list);
    return CLI_OK;
}

/* What is in force: of the relay that runs; else of the file. */
static int show_in_force(struct cli *cli)
{
    struct buf of_file;
    struct err fault = {0};
    struct err none = {0};
    json_t *running = NULL;
    int code = CLI_OK;
    buf_init(&of_file, 1024 * 1024);
    if (config_look(cli->config_path, &cli->config, &fault))
        config_print(cli->config, &of_file);
    if (cli_ask_running(cli, cli_request("config", NULL), &running, &none)) {
        print_config(cli, json_row_get(running, "config"));
        tell_difference(cli, running, &fault, buf_text(&of_file));
    } else if (fault.kind != ERR_NONE) {
        code = cli_fail(&fault);
    } else {
        print_config(cli, buf_text(&of_file));
        if (none.kind != ERR_NOT_FOUND)
            cli_fail(&none);
    }
    json_decref(running);
    buf_fini(&of_file);
    return code;
}

int cli_config_show(struct cli *cli)
{
    int code = CLI_OK;
    if (!cli_flag(cli, "origin"))
        return show_in_force(cli);
    return cli_config(cli, &code) ? show_origins(cli) : code;
}
