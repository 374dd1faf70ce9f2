// SPDX-License-Identifier: BSD-2-Clause
/* cli_sink.c - The command sink: receives mail, verifies its signatures and prints it. */
#include "cli.h"

#include "message.h"
#include "server.h"
#include "signing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    struct cli *cli;
    const char *dir, *address;
    json_t *
        records; /* in place of DNS: a list, or a document that has one; NULL: ask DNS, or nobody */
    unsigned count;
};

static bool find_record(void *context, const char *name, char *record_r, size_t size)
{
    struct sink *s = context;
    struct err err = {0};
    json_t *rows = json_is_array(s->records) ? s->records : json_object_get(s->records, "records");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        json_t *row = json_array_get(rows, i);
        const char *type = json_string_value(json_object_get(row, "type"));
        if (type && strcmp(type, "TXT") != 0)
            continue;
        const char *row_name = json_string_value(json_object_get(row, "name"));
        const char *value = json_string_value(json_object_get(row, "value"));
        if (row_name && value && strcasecmp(row_name, name) == 0)
            return span_copy(span_of(value), record_r, size);
    }
    if (s->records || !s->cli->config)
        return false;
    if (server_txt(s->cli->config, name, record_r, size, &err))
        return true;
    fprintf(stderr, "sealpost: warning: reading the key of a signature: %s\n", err.text);
    return false;
}

static json_t *describe(struct sink *s, const struct server_sunk *m)
{
    struct signing_result result;
    struct field subject;
    size_t header_len = 0;
    json_t *row = json_object();
    json_t *recipients = json_array();
    signing_verify(m->message, find_record, s, &result);
    message_header_length(m->message, &header_len);
    bool has_subject =
        message_find(span_first(m->message, header_len), SPAN("Subject"), 0, &subject);
    struct span title = has_subject ? span_trim(subject.value) : SPAN_NONE;
    for (size_t i = 0; i < m->envelope->count; i++)
        json_array_append_new(recipients, json_string(m->envelope->rcpts[i].address));
    PUT(row, FIELD("number", s->count), FIELD("from", json_stringn(m->sender.ptr, m->sender.len)),
        FIELD("to", recipients), FIELD("user", m->user),
        FIELD("subject", json_stringn(title.ptr, title.len)), FIELD("size", m->message.len),
        FIELD("peer", m->peer), FIELD("helo", m->helo), FIELD("tls", m->tls),
        FIELD("dkim", !result.signature_found ? "none"
                      : result.pass           ? "pass"
                                              : "fail"),
        FIELD("dkim_domain", result.domain), FIELD("dkim_text", result.text));
    return row;
}

static bool keep(const struct sink *s, const struct server_sunk *m, json_t *row)
{
    char path[4096];
    if (!s->dir)
        return true;
    snprintf(path, sizeof(path), "%s/%06u.eml", s->dir, s->count);
    FILE *f = fopen(path, "wxe");
    bool ok = f && fwrite(m->message.ptr, 1, m->message.len, f) == m->message.len;
    ok = f && fclose(f) == 0 && ok;
    snprintf(path, sizeof(path), "%s/%06u.json", s->dir, s->count);
    return ok && json_dump_file(row, path, JSON_INDENT(2)) == 0;
}

static const char *part(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "";
}

static bool on_mail(void *context, const struct server_sunk *m)
{
    struct sink *s = context;
    s->count++;
    json_t *row = describe(s, m);
    bool kept = keep(s, m, row);
    if (s->cli->json) {
        cli_print_json_line(row);
    } else {
        printf("%06u  from <", s->count);
        cli_print_safe(part(row, "from"));
        printf(">  tls %s  dkim %s ", part(row, "tls")[0] ? part(row, "tls") : "none",
               part(row, "dkim"));
        cli_print_safe(part(row, "dkim_domain"));
        printf("  subject ");
        cli_print_safe(part(row, "subject"));
        putchar('\n');
    }
    fflush(stdout);
    json_decref(row);
    return kept;
}

static void on_ready(void *context)
{
    struct sink *s = context;
    if (!s->cli->json)
        printf("sink is listening on %s\n", s->address);
    fflush(stdout);
}

/* "host:port" */
static bool read_address(const char *text, char *host_r, size_t size, unsigned *port_r)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (!colon || !span_number(span_of(colon + 1), &port) || port == 0 || port > 65535)
        return false;
    struct span host = {text, (size_t)(colon - text)};
    if (host.len > 2 && host.ptr[0] == '[')
        host = span_from(span_first(host, host.len - 1), 1);
    *port_r = (unsigned)port;
    return span_copy(host, host_r, size);
}

/* "user:password" */
static bool read_login(const char *text, char *user_r, size_t size, struct server_sink *sink)
{
    struct span rest = span_of(text ? text : "");
    struct span user = span_take(&rest, ':');
    if (!text)
        return true;
    sink->user = user_r;
    sink->password = rest.ptr;
    return user.len > 0 && rest.len > 0 && span_copy(user, user_r, size);
}

int cli_sink(struct cli *cli)
{
    struct err err = {0};
    char host[64];
    char user[64];
    struct sink s = {
        .cli = cli, .dir = cli_option(cli, "dir", 0), .address = cli_option(cli, "listen", 0)};
    struct server_sink sink = {.host = host,
                               .size_max = 256 * 1024 * 1024,
                               .on_mail = on_mail,
                               .on_ready = on_ready,
                               .context = &s};
    const char *records = cli_option(cli, "records", 0);
    json_error_t why;
    if (!s.address || !read_address(s.address, host, sizeof(host), &sink.port))
        return cli_usage(cli, "--listen takes address:port");
    if (!read_login(cli_option(cli, "auth", 0), user, sizeof(user), &sink))
        return cli_usage(cli, "--auth takes user:password");
    if (records && !(s.records = json_load_file(records, 0, &why))) {
        err_set(&err, ERR_USAGE, "--records %s: %s: give what 'sealpost --json dns DOMAIN' prints",
                records, why.text);
        return cli_fail(&err);
    }
    if (!records && !config_look(cli->config_path, &cli->config, &err))
        cli->config = NULL; /* without settings there is no DNS, and signatures are not checked */
    if (s.dir && mkdir(s.dir, 0700) != 0 && access(s.dir, W_OK) != 0) {
        err_set(&err, ERR_SYSTEM, "--dir %s cannot be written", s.dir);
        return cli_fail(&err);
    }
    bool ok = server_sink(&sink, &err);
    json_decref(s.records);
    return ok ? CLI_OK : cli_fail(&err);
}
