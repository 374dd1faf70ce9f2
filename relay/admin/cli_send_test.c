// SPDX-License-Identifier: BSD-2-Clause
/* cli_send_test.c - The command send-test: sends one message through the running relay and shows
 * the dialogue with the receiver. */
#include "cli_tenants.h"
#include "judged.h"

#include "dns_check.h"

#include "address.h"
#include "clock.h"
#include "message.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_S = 90, SAY_S = 5, SAY_AT = 3 }; /* SAY_AT: fifths of a second */

/* --from, or postmaster at the first sending domain. */
static int choose_sender(struct cli *cli, char *sender_r, size_t size)
{
    json_t *answer = NULL;
    struct err err = {0};
    if (cli_option(cli, "from", 0)) {
        snprintf(sender_r, size, "%s", cli_option(cli, "from", 0));
        return CLI_OK;
    }
    int code = cli_ask(cli, cli_request("domain.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    if (code == CLI_OK && json_array_size(rows) == 0) {
        err_set(&err, ERR_NOT_FOUND,
                "there is no sending domain yet: 'sealpost domain add DOMAIN' adds one");
        code = cli_fail(&err);
    } else if (code == CLI_OK) {
        snprintf(sender_r, size, "postmaster@%s", json_row_get(json_array_get(rows, 0), "name"));
    }
    json_decref(answer);
    return code;
}

/* Without a key that signs the message would wait for ever. */
static int check_key(struct cli *cli, const char *sender)
{
    struct address address;
    char domain[ADDRESS_DOMAIN_MAX + 1];
    json_t *rows = NULL;
    struct err err = {0};
    bool signs = false;
    if (!address_parse(span_of(sender), &address) || !address_domain_ascii(address.domain, domain))
        return cli_usage(cli, "the sender is not an address");
    int code = cli_dns_keys(cli, domain, &rows);
    for (size_t i = 0; i < json_array_size(rows); i++)
        signs = signs || strcmp(json_row_get(json_array_get(rows, i), "state"), "active") == 0;
    json_decref(rows);
    if (code == CLI_OK && !signs) {
        err_set(&err, ERR_NOT_FOUND,
                "%.150s has no DKIM key that signs: see 'sealpost key list --domain %.150s'",
                domain, domain);
        code = cli_fail(&err);
    }
    return code;
}

static int submit(struct cli *cli, const char *sender, char *id_r, size_t size)
{
    char date[40];
    struct buf message;
    json_t *answer = NULL;
    buf_init(&message, 8192);
    message_date(clock_now_ms(), date);
    fprintf(stderr, "sealpost: submitting a message\n"); /* DNS may be asked for its domain */
    buf_addf(&message,
             "From: <%s>\r\nTo: <%s>\r\nSubject: Test message from Sealpost\r\nDate: "
             "%s\r\nMIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=utf-8\r\n\r\nThis message was sent by \"sealpost "
             "send-test\".\r\n",
             sender, cli->arguments[0], date);
    int code = cli_ask(cli,
                       cli_request("submit", "sender", sender, "recipient", cli->arguments[0],
                                   "message", buf_text(&message), NULL),
                       &answer);
    if (code == CLI_OK) {
        snprintf(id_r, size, "%s", json_row_get(answer, "id"));
        fprintf(stderr, "sealpost: %s waits for its first attempt, %d s at most\n", id_r, WAIT_S);
    }
    json_decref(answer);
    buf_fini(&message);
    return code;
}

static bool is_outcome(const char *kind)
{
    static const char *const kinds[] = {"delivered", "deferred", "bounced", "expired", "held"};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (strcmp(kinds[i], kind) == 0)
            return true;
    return false;
}

/* What it waits for, when nothing has happened for a while. */
static void say_why(struct cli *cli, const char *id, const json_t *trace)
{
    struct err text = {0};
    json_t *answer = NULL;
    const json_t *rest = json_array_get(json_object_get(trace, "rests"), 0);
    if (!rest && cli_ask(cli, cli_request("queue.list", "id", id, NULL), &answer) != CLI_OK)
        return;
    const json_t *row = json_array_get(json_object_get(answer, "rows"), 0);
    const json_t *trying = json_object_get(row, "trying");
    if (rest)
        err_set(&text, ERR_NOT_FOUND, "destination \"%.60s\" rests for %lld s more%s: %.80s",
                json_row_get(rest, "destination"), json_row_int(rest, "rests_s"),
                json_row_is(rest, "by_operator") ? ", by an operator" : "",
                json_row_get(rest, "why"));
    else if (trying)
        err_set(&text, ERR_NOT_FOUND, "being tried at %.100s[%s] since %lld s (%s)",
                json_row_get(trying, "host"), json_row_get(trying, "ip"),
                json_row_int(trying, "for_s"), json_row_get(trying, "stage"));
    else
        err_set(&text, ERR_NOT_FOUND, "it waits for DNS, or for a free connection");
    cli_fail(&text); /* to stderr, and escaped */
    json_decref(answer);
}

/* Wait for the first outcome; `events_r` are all events until then. */
static int wait_for_outcome(struct cli *cli, const char *id, json_t **events_r, json_t **outcome_r)
{
    for (int i = 0; i < WAIT_S * 5; i++) {
        json_t *answer = NULL;
        int code = cli_ask(cli, cli_request("trace", "id", id, NULL), &answer);
        if (code != CLI_OK)
            return code;
        json_t *rows = json_object_get(answer, "rows");
        for (size_t k = 0; k < json_array_size(rows); k++) {
            json_t *row = json_array_get(rows, k);
            if (!is_outcome(json_row_get(row, "kind")))
                continue;
            *events_r = answer;
            *outcome_r = row;
            return CLI_OK;
        }
        if (i % (SAY_S * 5) == SAY_AT)
            say_why(cli, id, answer);
        json_decref(answer);
        usleep(200 * 1000);
    }
    fprintf(stderr, "sealpost: no attempt has ended in %d s: see 'sealpost trace %s'\n", WAIT_S,
            id);
    return CLI_NO;
}

static void print_dialogue(json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (strcmp(json_row_get(row, "kind"), "dialogue") != 0)
            continue;
        struct span text = span_of(json_row_get(row, "reply"));
        while (text.len > 0) {
            char line[512];
            struct span next = span_take(&text, '\n');
            if (!span_copy(span_first(next, sizeof(line) - 1), line, sizeof(line)))
                continue;
            printf("  ");
            cli_print_safe(line);
            putchar('\n');
        }
    }
}

/* The domain of the last MAIL in a dialogue, which may be that of a return path. */
static void envelope_domain(struct span dialogue, char domain_r[ADDRESS_DOMAIN_MAX + 1])
{
    const struct span mail = SPAN("C: MAIL FROM:<");
    while (dialogue.len > 0) {
        struct span line = span_take(&dialogue, '\n');
        struct address address;
        if (!span_starts_nocase(line, mail))
            continue;
        line = span_from(line, mail.len);
        if (!address_parse(span_take(&line, '>'), &address) ||
            !address_domain_ascii(address.domain, domain_r))
            return;
    }
}

/* What a receiver would say of the message: the envelope is as it went. */
static void print_judgement(struct cli *cli, const char *sender, const json_t *rows)
{
    size_t i;
    const json_t *row;
    json_t *keys = NULL;
    struct err err = {0};
    struct address address;
    struct judged *j = xcalloc(1, sizeof(*j));
    bool ok = address_parse(span_of(sender), &address) &&
              address_domain_ascii(address.domain, j->author) &&
              cli_ask(cli, cli_request("key.list", "domain", j->author, NULL), &keys) == CLI_OK;
    if (ok) {
        snprintf(j->return_domain, sizeof(j->return_domain), "%s",
                 cli->config ? config_return_domain(cli->config, j->author, j->author) : j->author);
        json_array_foreach(rows, i, row)
        {
            if (strcmp(json_row_get(row, "kind"), "dialogue") == 0)
                envelope_domain(span_of(json_row_get(row, "reply")), j->return_domain);
        }
        judged_keys(j, json_object_get(keys, "rows"));
        cli_tenant_of(cli, j->author, j->tenant);
        ok = cli->config ? judged_run(cli->config, j, 1, &err)
                         : err_set(&err, ERR_CONFIG, "the settings cannot be read");
    }
    if (ok) {
        printf("A receiver would say ");
        judged_print(j);
    } else if (err.kind != ERR_NONE) {
        printf("What a receiver would say is not known: %s\n", err.text);
    }
    json_decref(keys);
    judged_free(j);
    free(j);
}

int cli_send_test(struct cli *cli)
{
    char sender[ADDRESS_MAX + 32];
    char id[32];
    json_t *events = NULL;
    json_t *outcome = NULL;
    struct address address;
    if (!address_parse(span_of(cli->arguments[0]), &address))
        return cli_usage(cli, "that is not an address");
    int code = choose_sender(cli, sender, sizeof(sender));
    if (code == CLI_OK)
        code = check_key(cli, sender);
    if (code == CLI_OK)
        code = submit(cli, sender, id, sizeof(id));
    if (code == CLI_OK && !cli->json)
        printf("Accepted as %s from <%s>; delivering …\n\n", id, sender);
    if (code == CLI_OK)
        code = wait_for_outcome(cli, id, &events, &outcome);
    if (!outcome)
        return code;
    bool delivered = strcmp(json_row_get(outcome, "kind"), "delivered") == 0;
    if (cli->json) {
        cli_print_json(json_object_get(events, "rows"));
    } else {
        print_dialogue(json_object_get(events, "rows"));
        printf("\n%s: ", json_row_get(outcome, "kind"));
        cli_print_safe(json_row_get(outcome, "reply"));
        printf(" (");
        cli_print_safe(json_row_get(outcome, "remote"));
        printf(")\n\n");
        print_judgement(cli, sender, json_object_get(events, "rows"));
    }
    json_decref(events);
    return delivered ? CLI_OK : CLI_NO;
}
