// SPDX-License-Identifier: BSD-2-Clause
/* cli_check.c - The commands check spf, check dmarc, check message and domain list: how receivers
 * will judge mail, without sending any. */
#include "judged.h"

#include "admit.h"
#include "clock.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- check spf ---- */

struct spf_work {
    struct spf_query query;
    struct spf_answer strict;
    struct spf_reading deployed;
    json_t *questions;
};

static bool check_spf(void *context, const struct dns *dns)
{
    struct spf_work *w = context;
    struct dns_log log;
    dns_log_init(&log, dns);
    spf_check(&w->query, &log.dns, &w->strict);
    bool done = w->strict.result != SPF_PENDING;
    if (done) {
        w->questions = judged_questions(&log); /* of the strict reading */
        spf_deployed_check(&w->query, &log.dns, &w->deployed);
        done = w->deployed.result != SPF_PENDING;
    }
    if (!done) {
        json_decref(w->questions);
        w->questions = NULL;
    }
    dns_log_fini(&log);
    return done;
}

static void print_line(const char *title, const char *text)
{
    if (!*text)
        return;
    printf("%-14s ", title);
    cli_print_safe(text);
    putchar('\n');
}

static void print_questions(json_t *questions)
{
    for (size_t i = 0; i < json_array_size(questions); i++) {
        json_t *q = json_array_get(questions, i);
        char line[400];
        snprintf(line, sizeof(line), "%s %s: %s", json_row_get(q, "name"), json_row_get(q, "type"),
                 json_row_get(q, "status"));
        print_line(i == 0 ? "asked" : "", line);
    }
}

static void print_spf(const struct spf_work *w)
{
    print_line("RFC 7208", spf_result_name(w->strict.result));
    print_line("because", w->strict.why);
    print_line("matched", w->strict.mechanism);
    print_line("explanation", w->strict.explanation);
    printf("%-14s %u of 10 that ask DNS, %u of 2 void\n", "terms", w->strict.terms,
           w->strict.voids);
    print_line("libspf2", w->deployed.read ? spf_result_name(w->deployed.result) : "unknown");
    print_line("because", w->deployed.why);
    print_questions(w->questions);
}

int cli_check_spf(struct cli *cli)
{
    struct err err = {0};
    struct spf_work w = {.query = {.receiver = SPAN_NONE, .now_ms = clock_now_ms()}};
    int code = CLI_OK;
    const char *ip = cli_option(cli, "ip", 0);
    const char *sender = cli_option(cli, "mail-from", 0);
    const char *helo = cli_option(cli, "helo", 0);
    if (!ip || !sender)
        return cli_usage(cli, "give --ip and --mail-from");
    if (!ip_parse(ip, &w.query.ip))
        return cli_usage(cli, "--ip needs an IPv4 or IPv6 address");
    if (!cli_config(cli, &code))
        return code;
    w.query.sender = span_of(sender);
    w.query.helo = span_of(helo ? helo : cli->config->hostname);
    w.query.receiver = span_of(cli->config->hostname);
    if (!server_resolve(cli->config, check_spf, &w, &err))
        return cli_fail(&err);
    if (cli->json) {
        json_t *both = judged_spf(&w.strict, &w.deployed);
        json_object_set(json_object_get(both, "strict"), "questions", w.questions);
        cli_print_json(both);
        json_decref(both);
    } else {
        print_spf(&w);
    }
    json_decref(w.questions);
    return w.strict.result == SPF_PASS ? CLI_OK : CLI_NO;
}

/* ---- check dmarc ---- */

struct dmarc_work {
    struct dmarc_query query;
    char author[ADDRESS_DOMAIN_MAX + 1];
    struct suffixes *suffixes;
    struct dmarc_answer strict;
    struct dmarc_reading deployed;
    json_t *questions;
};

static bool check_dmarc(void *context, const struct dns *dns)
{
    struct dmarc_work *w = context;
    struct dns_log log;
    dns_log_init(&log, dns);
    dmarc_check(&w->query, &log.dns, &w->strict);
    bool done = w->strict.result != DMARC_PENDING;
    if (done) {
        w->questions = judged_questions(&log); /* of the strict reading */
        dmarc_deployed_check(&w->query, &log.dns, w->suffixes, &w->deployed);
        done = w->deployed.result != DMARC_PENDING;
    }
    if (!done) {
        json_decref(w->questions);
        w->questions = NULL;
    }
    dns_log_fini(&log);
    return done;
}

/* "domain=result" with any result of SPF or DKIM; only pass counts. */
static bool read_identifier(const char *text, struct dmarc_identifier *id_r)
{
    struct span value = span_of(text);
    struct span domain = span_take(&value, '=');
    enum spf_result result;
    if (!address_domain_ascii(domain, id_r->domain))
        return false;
    id_r->pass = span_equal_nocase(value, SPAN("pass"));
    return spf_result_parse(value, &result) || span_equal_nocase(value, SPAN("policy"));
}

static bool read_dmarc_query(struct cli *cli, struct dmarc_work *w)
{
    const char *from = cli_option(cli, "from", 0);
    const char *text = NULL;
    struct address address;
    if (!from)
        return false;
    bool is_address = address_parse(span_of(from), &address);
    if (!address_domain_ascii(is_address ? address.domain : span_of(from), w->author))
        return false;
    w->query.author = w->author;
    if ((text = cli_option(cli, "spf", 0)) && !read_identifier(text, &w->query.spf))
        return false;
    while ((text = cli_option(cli, "dkim", w->query.dkim_count))) {
        if (w->query.dkim_count == DMARC_SIGNATURES_MAX ||
            !read_identifier(text, &w->query.dkim[w->query.dkim_count++]))
            return false;
    }
    return true;
}

static void print_dmarc(const struct dmarc_work *w)
{
    print_line("RFC 9989", dmarc_result_name(w->strict.result));
    print_line("because", w->strict.why);
    print_line("policy", w->strict.found ? dmarc_policy_name(w->strict.policy) : "none published");
    print_line("found at", w->strict.record_domain);
    print_line("organization", w->strict.organizational_domain);
    print_line("OpenDMARC", dmarc_result_name(w->deployed.result));
    print_line("because", w->deployed.why);
    print_questions(w->questions);
}

int cli_check_dmarc(struct cli *cli)
{
    struct err err = {0};
    struct dmarc_work w = {0};
    int code = CLI_OK;
    if (!read_dmarc_query(cli, &w))
        return cli_usage(cli, "give a domain or address, and domains with a result, as "
                              "club.example=pass");
    if (!cli_config(cli, &code))
        return code;
    w.suffixes = suffixes_new();
    bool ok = server_resolve(cli->config, check_dmarc, &w, &err);
    suffixes_free(w.suffixes);
    if (!ok)
        return cli_fail(&err);
    if (cli->json) {
        json_t *both = judged_dmarc(&w.strict, &w.deployed);
        json_object_set(json_object_get(both, "strict"), "questions", w.questions);
        cli_print_json(both);
        json_decref(both);
    } else {
        print_dmarc(&w);
    }
    json_decref(w.questions);
    return w.strict.result == DMARC_PASS ? CLI_OK : CLI_NO;
}

/* ---- check message ---- */

/* The file with CRLF line ends, as a client would send it. */
static bool read_message(const char *path, struct buf *message, struct err *err)
{
    char piece[16 * 1024];
    size_t got = 0;
    char before = '\0';
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (!f)
        return err_set(err, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    while ((got = fread(piece, 1, sizeof(piece), f)) > 0) {
        for (size_t i = 0; i < got; i++) {
            if (piece[i] == '\n' && before != '\r')
                buf_add_char(message, '\r');
            buf_add_char(message, piece[i]);
            before = piece[i];
        }
    }
    bool ok = !ferror(f) && !message->overflow;
    if (f != stdin)
        fclose(f);
    return ok || err_set(err, ERR_LIMIT, "%s: cannot be read, or is over the size limit", path);
}

/* What the receiving end would refuse about the lines of the body. */
static struct verdict check_body(struct span message)
{
    for (struct span rest = message; rest.len > 0;) {
        struct span line = span_take(&rest, '\n');
        if (span_find(line, '\0') < line.len)
            return verdict_make(554, "5.6.0", "Message refused: it holds a NUL byte");
        if (span_find(line, '\r') + 1 < line.len)
            return verdict_make(554, "5.6.0", "Message refused: it holds a bare CR");
        if (line.len > MESSAGE_LINE_MAX + 1)
            return verdict_make(554, "5.6.0", "Message refused: a line is over 998 octets");
    }
    return verdict_make(250, "2.0.0", "OK");
}

static int find_user(struct cli *cli, const char *name, struct identity *identity_r)
{
    json_t *answer = NULL;
    struct err err = {0};
    bool found = false;
    int code = cli_ask(cli, cli_request("user.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    for (size_t i = 0; code == CLI_OK && i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        if (strcmp(json_row_get(row, "name"), name) != 0)
            continue;
        struct identity *to = identity_r;
        found = span_copy(span_of(name), to->name, sizeof(to->name)) &&
                span_copy(span_of(json_row_get(row, "tenant")), to->tenant, sizeof(to->tenant)) &&
                span_copy(span_of(json_row_get(row, "stream")), to->stream, sizeof(to->stream)) &&
                span_copy(span_of(json_row_get(row, "allowed")), to->allowed, sizeof(to->allowed));
    }
    json_decref(answer);
    if (code == CLI_OK && !found) {
        err_set(&err, ERR_NOT_FOUND, "%.80s is not a credential here: see 'sealpost user list'",
                name);
        code = cli_fail(&err);
    }
    return code;
}

/* The verdict that a submission of this message gets; `judged` is filled when it got as far as DNS.
 */
static int judge_message(struct cli *cli, const struct identity *identity, struct span message,
                         struct judged *judged, struct verdict *verdict_r)
{
    struct admission a = {0};
    size_t header_len = 0;
    struct err err = {0};
    json_t *keys = NULL;
    bool complete = message_header_length(message, &header_len);
    const char *sender = cli_option(cli, "mail-from", 0);
    struct admit_input in = {.identity = identity,
                             .streams = cli->config->streams,
                             .stream_count = cli->config->stream_count,
                             .header = span_first(message, header_len),
                             .smtputf8 = true,
                             .sender = span_of(sender ? sender : ""),
                             .facts.header_too_long =
                                 !complete && message.len > MESSAGE_HEADER_MAX};
    *verdict_r = check_body(message);
    if (verdict_r->what == VERDICT_ACCEPT)
        *verdict_r = admit_message(&in, &a);
    if (verdict_r->what != VERDICT_ACCEPT)
        return CLI_OK;
    snprintf(judged->author, sizeof(judged->author), "%s", a.summary.from_domain);
    snprintf(judged->return_domain, sizeof(judged->return_domain), "%s",
             config_return_domain(cli->config, judged->author,
                                  sender ? a.sender_domain : a.summary.from_domain));
    int code = cli_ask(cli, cli_request("key.list", "domain", judged->author, NULL), &keys);
    judged_keys(judged, json_object_get(keys, "rows"));
    snprintf(judged->tenant, sizeof(judged->tenant), "%s", identity->tenant);
    json_decref(keys);
    if (code != CLI_OK)
        return code;
    if (!judged_run(cli->config, judged, 1, &err))
        return cli_fail(&err);
    *verdict_r =
        alignment_verdict(&judged->alignment, config_alignment(cli->config, judged->author));
    return CLI_OK;
}

static void show_message(struct cli *cli, const struct verdict *v, const struct judged *judged)
{
    if (!cli->json) {
        printf("%d %s %s\n", v->code, v->enhanced, v->text);
        if (judged->questions)
            judged_print(judged);
        return;
    }
    json_t *all =
        ROW(FLAG("accepted", v->what == VERDICT_ACCEPT), FIELD("code", v->code),
            FIELD("enhanced", v->enhanced), FIELD("reply", v->text),
            FIELD("alignment", judged->questions ? judged_json(cli->config, judged) : json_null()));
    cli_print_json(all);
    json_decref(all);
}

int cli_check_message(struct cli *cli)
{
    struct err err = {0};
    struct identity identity = {0};
    struct judged *judged = NULL;
    struct buf message;
    struct verdict v = {0};
    int code = CLI_OK;
    const char *user = cli_option(cli, "user", 0);
    if (!user)
        return cli_usage(cli, "give --user, the credential that submits it");
    if (!cli_config(cli, &code))
        return code;
    code = find_user(cli, user, &identity);
    if (code != CLI_OK)
        return code;
    buf_init(&message, cli->config->size_max + 1024);
    judged = xcalloc(1, sizeof(*judged));
    if (!read_message(cli->arguments[0], &message, &err))
        code = cli_fail(&err);
    else
        code = judge_message(cli, &identity, buf_span(&message), judged, &v);
    if (code == CLI_OK) {
        show_message(cli, &v, judged);
        code = v.what == VERDICT_ACCEPT ? CLI_OK : CLI_NO;
    }
    judged_free(judged);
    free(judged);
    buf_fini(&message);
    return code;
}

/* ---- domain list ---- */

static int judge_domains(struct cli *cli, json_t *rows)
{
    struct err err = {0};
    json_t *keys = NULL;
    size_t count = json_array_size(rows);
    int code = cli_ask(cli, cli_request("key.list", NULL), &keys);
    if (code != CLI_OK)
        return code;
    struct judged *all = xcalloc(count, sizeof(*all));
    for (size_t i = 0; i < count; i++) {
        const char *name = json_row_get(json_array_get(rows, i), "name");
        snprintf(all[i].author, sizeof(all[i].author), "%s", name);
        snprintf(all[i].tenant, sizeof(all[i].tenant), "%s",
                 json_row_get(json_array_get(rows, i), "tenant"));
        snprintf(all[i].return_domain, sizeof(all[i].return_domain), "%s",
                 config_return_domain(cli->config, name, name));
        judged_keys(&all[i], json_object_get(keys, "rows"));
    }
    bool ok = judged_run(cli->config, all, count, &err);
    for (size_t i = 0; i < count; i++) {
        json_t *row = json_array_get(rows, i);
        PUT(row, FIELD("mode", alignment_mode_name(config_alignment(cli->config, all[i].author))));
        if (ok) {
            json_t *judged = judged_json(cli->config, &all[i]);
            json_object_update(row, judged);
            json_decref(judged);
        }
        judged_free(&all[i]);
    }
    free(all);
    json_decref(keys);
    return ok ? CLI_OK : cli_fail(&err);
}

int cli_domain_list(struct cli *cli)
{
    static const struct cli_column columns[] = {
        {"DOMAIN", "name", CLI_TEXT},     {"TENANT", "tenant", CLI_TEXT},
        {"CREATED", "created", CLI_TIME}, {"CAPTURED", "captured", CLI_YES},
        {"ALIGNMENT", "mode", CLI_TEXT},  {"STATE", "state", CLI_TEXT},
        {"WHY", "sentence", CLI_TEXT}};
    json_t *answer = NULL;
    int code = cli_ask(cli, cli_request("domain.list", NULL), &answer);
    json_t *rows = json_object_get(answer, "rows");
    if (code == CLI_OK && json_array_size(rows) > 0 && cli->config)
        code = judge_domains(cli, rows);
    if (code == CLI_OK)
        cli_print_rows(cli, rows, columns, COUNT_OF(columns));
    json_decref(answer);
    return code;
}
