// SPDX-License-Identifier: BSD-2-Clause
/* cli_unsubscribe.c - The commands unsubscribe link, inspect and rotate. They use the key file and
 * do not ask the relay. */
#include "base64.h"
#include "cli.h"

#include "keyring.h"
#include "sandbox.h"
#include "unsubscribe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The settings and the keys; false after having said why not. */
static bool prepare(struct cli *cli, struct unsubscribe_keys *keys, int *code_r)
{
    struct err err = {0};
    if (!cli_config(cli, code_r))
        return false;
    if (keyring_unsubscribe(cli->config->state_dir, keys, &err))
        return true;
    *code_r = cli_fail(&err);
    return false;
}

static void print_link(const struct cli *cli, struct buf *url,
                       const struct unsubscribe_subject *subject)
{
    json_t *row = ROW(FIELD("url", buf_text(url)), FIELD("recipient", subject->recipient),
                      FIELD("stream", subject->stream), FIELD("tenant", subject->tenant));
    if (cli->json)
        cli_print_json(row);
    else
        printf("%s\n", buf_text(url));
    json_decref(row);
}

int cli_unsubscribe_link(struct cli *cli)
{
    struct err err = {0};
    struct unsubscribe_keys keys;
    struct unsubscribe_subject subject = {.tenant = "default"};
    struct address address;
    struct buf url;
    int code = CLI_OK;
    const char *to = cli_option(cli, "to", 0);
    const char *name = cli_option(cli, "stream", 0);
    const char *tenant = cli_option(cli, "tenant", 0);
    if (!to || !name || !address_parse(span_of(to), &address) ||
        (tenant && !span_copy(span_of(tenant), subject.tenant, sizeof(subject.tenant))) ||
        !span_copy(span_of(to), subject.recipient, sizeof(subject.recipient)) ||
        !span_copy(span_of(name), subject.stream, sizeof(subject.stream)))
        return cli_usage(cli, "give --to an address and --stream a name");
    if (!prepare(cli, &keys, &code))
        return code;
    const struct stream *stream =
        stream_find(cli->config->streams, cli->config->stream_count, span_of(name));
    buf_init(&url, 2048);
    if (!stream || stream->unsubscribe == STREAM_STAY)
        err_set(&err, ERR_NOT_FOUND, "stream \"%.60s\" %s", name,
                stream ? "has no unsubscribe setting: nobody can end it" : "is not configured");
    else if (!unsubscribe_link(stream, cli->config->http_url, &keys, &subject, &url))
        err_set(&err, ERR_LIMIT, "the link would be too long, or not a URL");
    if (err.kind == ERR_NONE)
        print_link(cli, &url, &subject);
    else
        code = cli_fail(&err);
    unsubscribe_keys_clear(&keys);
    buf_fini(&url);
    return code;
}

/* The token at the end of a URL, or alone. */
static struct span token_in(const char *text)
{
    struct span s = span_of(text);
    for (size_t i = s.len; i > 0; i--)
        if (strchr("/=", s.ptr[i - 1]))
            return span_from(s, i);
    return s;
}

int cli_unsubscribe_inspect(struct cli *cli)
{
    struct err err = {0};
    struct unsubscribe_keys keys;
    struct unsubscribe_subject subject;
    int code = CLI_OK;
    if (!prepare(cli, &keys, &code))
        return code;
    bool ok = unsubscribe_open(&keys, token_in(cli->arguments[0]), &subject);
    unsubscribe_keys_clear(&keys);
    if (!ok) {
        err_set(&err, ERR_NOT_FOUND, "no key of this relay has made that link");
        return cli_fail(&err);
    }
    json_t *row = ROW(FIELD("recipient", subject.recipient), FIELD("stream", subject.stream),
                      FIELD("tenant", subject.tenant));
    if (cli->json) {
        cli_print_json(row);
    } else {
        printf("recipient  ");
        cli_print_safe(subject.recipient);
        printf("\nstream     ");
        cli_print_safe(subject.stream);
        printf("\ntenant     ");
        cli_print_safe(subject.tenant);
        putchar('\n');
    }
    json_decref(row);
    return CLI_OK;
}

/* ---- rotate ---- */

/* A new key in front of those that are there; of sixteen the oldest goes. */
static void add_key(struct span old, struct buf *text)
{
    char random[32];
    secret_random(random, sizeof(random));
    bool ok = base64_encode((struct span){random, sizeof(random)}, text);
    CHECK(ok);
    buf_add_char(text, '\n');
    secret_clear(random, sizeof(random));
    for (size_t kept = 1; old.len > 0 && kept < UNSUBSCRIBE_KEYS_MAX;) {
        struct span line = span_trim(span_take(&old, '\n'));
        if (line.len == 0)
            continue;
        buf_add(text, line);
        buf_add_char(text, '\n');
        kept++;
    }
}

static bool write_keys(const char *state_dir, const char *path, struct span text, struct err *err)
{
    char fresh[4200];
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    sandbox_as_owner(state_dir);
    unlink(fresh);
    bool ok = cli_write_file(fresh, text, err) &&
              (rename(fresh, path) == 0 ||
               err_set(err, ERR_SYSTEM, "renaming %s: %s", fresh, strerror(errno)));
    sandbox_as_self();
    return ok;
}

int cli_unsubscribe_rotate(struct cli *cli)
{
    struct err err = {0};
    struct buf text;
    char path[4096];
    char old[4096];
    size_t len = 0;
    int code = CLI_OK;
    if (!cli_config(cli, &code))
        return code;
    snprintf(path, sizeof(path), "%.4000s/keys/unsubscribe.key", cli->config->state_dir);
    FILE *f = fopen(path, "re");
    if (f) {
        len = fread(old, 1, sizeof(old), f);
        fclose(f);
    }
    buf_init(&text, 16 * 1024);
    add_key((struct span){old, len}, &text);
    bool ok = write_keys(cli->config->state_dir, path, buf_span(&text), &err);
    secret_clear(old, sizeof(old));
    secret_clear(text.memory, text.size);
    buf_fini(&text);
    if (!ok)
        return cli_fail(&err);
    if (!cli->json)
        printf(
            "A new key is in %s; a running relay uses it after a reload (SIGHUP). Old links stay "
            "good.\n",
            path);
    return CLI_OK;
}
