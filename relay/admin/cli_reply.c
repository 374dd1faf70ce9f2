// SPDX-License-Identifier: BSD-2-Clause
/* cli_reply.c - The command reply explain: what a server's refusal means, by which rule, and what
 * follows for the message and its recipient. By the functions of a delivery; no relay is asked. */
#include "cli.h"

#include "address.h"
#include "queue_view.h"
#include "reply_action.h"

#include <stdio.h>
#include <string.h>

struct explained {
    struct verdict answer;
    enum reply_stage stage;
    const char *mx; /* or NULL */
    char provider[64];
    struct reply_judgement judgement;
    struct reply_action action;
};

/* "\n" as it is typed. */
static void read_lines(const char *text, char *lines_r, size_t size)
{
    size_t used = 0;
    while (*text && used < size - 1) {
        bool newline = text[0] == '\\' && text[1] == 'n';
        lines_r[used++] = newline ? '\n' : *text;
        text += newline ? 2 : 1;
    }
    lines_r[used] = '\0';
}

static const char *what_suppresses(unsigned days)
{
    static const char *const texts[] = {
        "it fails, and its sender gets a report",
        "it fails, and the recipient is suppressed, unless the reply names our host, our address "
        "or the sender's domain",
        "it fails, and the recipient is suppressed when that was said on two days, unless the "
        "reply names our host, our address or the sender's domain"};
    return texts[days < COUNT_OF(texts) ? days : COUNT_OF(texts) - 1];
}

/* As the queue and retry_decide() go by it. */
static const char *what_follows(const struct explained *e)
{
    const struct reply_judgement *j = &e->judgement;
    if (e->stage == REPLY_AT_CONNECT)
        return "the next host or address is tried; when none is left, the destination rests, and "
               "no attempt is counted";
    if (!j->retry)
        return what_suppresses(j->suppress_after);
    if (j->category == REPLY_GREYLISTED && reply_delay_ms(span_of(e->answer.text)) > 0)
        return "it is tried again when the reply asks for it";
    if (j->category == REPLY_GREYLISTED)
        return "it is tried again just after five minutes (class security: also after 15 seconds "
               "and one minute)";
    return e->answer.code == 421
               ? "another host is tried; else it is tried again by the schedule of its class"
               : "it is tried again by the schedule of its class";
}

/* What waits besides the message; of a tenant's mail, each. */
static const char *what_waits(const struct explained *e)
{
    static const char *const texts[REPLY_DOS] = {
        [REPLY_DO_NOTHING] = "no other mail waits",
        [REPLY_DO_SLOW] = "mail to that destination goes apart, as fast as it is taken",
        [REPLY_DO_PAUSE] = "mail to that domain waits",
        [REPLY_DO_PAUSE_SOURCE] = "mail to that domain waits",
        [REPLY_DO_PAUSE_DOMAIN] = "mail of the sending domain to that domain waits",
        [REPLY_DO_SLOW_RECIPIENT] = "mail to that mailbox waits",
        [REPLY_DO_RETRY_SOON] = "no other mail waits",
        [REPLY_DO_ALARM] = "no other mail waits, and the operator is told"};
    if (e->stage == REPLY_AT_CONNECT)
        return "the destination's mail waits while it rests";
    if (e->stage == REPLY_AT_MAIL && e->action.what == REPLY_DO_PAUSE_SOURCE)
        return "all mail to that destination waits";
    if (e->stage == REPLY_AT_MAIL && e->action.what == REPLY_DO_PAUSE_DOMAIN)
        return "mail of the sending domain to that destination waits";
    return texts[e->action.what];
}

static json_t *explained_row(const struct explained *e)
{
    const struct reply_judgement *j = &e->judgement;
    return ROW(
        FIELD("code", e->answer.code), FIELD("enhanced", (const char *)e->answer.enhanced),
        FIELD("reply", (const char *)e->answer.text), FIELD("stage", reply_stage_name(e->stage)),
        FIELD("mx", e->mx), FIELD("provider", (const char *)e->provider),
        FIELD("category", reply_category_name(j->category)),
        FIELD("about", reply_about_name(j->about)), FIELD("rule", (const char *)j->rule),
        FIELD("by", reply_by_name(j->by)), FIELD("class", j->retry ? "retry" : "permanent"),
        FLAG("suppress", j->suppress_after > 0), FIELD("suppress_after", j->suppress_after),
        FIELD("follows", what_follows(e)), FIELD("others", what_waits(e)),
        FIELD("action", reply_do_name(e->action.what)), FIELD("row", (const char *)e->action.row),
        FIELD("times", e->action.times), FIELD("within_s", e->action.within_ms / 1000),
        FIELD("for_s", e->action.for_ms / 1000));
}

static void print_line(const char *title, const char *value, const char *more)
{
    printf("%-10s %s", title, value);
    if (*more)
        printf(" (%s)", more);
    putchar('\n');
}

static void print_explained(const struct explained *e)
{
    const struct reply_judgement *j = &e->judgement;
    print_line("category", reply_category_name(j->category), "");
    print_line("about", reply_about_name(j->about), "");
    print_line("rule", j->rule, reply_by_name(j->by));
    print_line("stage", reply_stage_name(e->stage), "");
    if (e->mx)
        print_line("provider", e->provider[0] ? e->provider : "none that is known", "");
    print_line("class", j->retry ? "retry" : "permanent", "");
    print_line("follows", what_follows(e), "");
    print_line("others", what_waits(e), e->action.row);
}

int cli_reply_explain(struct cli *cli)
{
    char lines[4096];
    const char *stage = cli_option(cli, "stage", 0);
    struct explained e = {.stage = REPLY_AT_RCPT, .mx = cli_option(cli, "mx", 0)};
    read_lines(cli->arguments[0], lines, sizeof(lines));
    if (!reply_read(span_of(lines), &e.answer))
        return cli_usage(cli, "REPLY begins with a code from 400 to 599");
    if (stage && !reply_stage_parse(span_of(stage), &e.stage))
        return cli_usage(cli, "--stage is connect, mail, rcpt or data");
    if (e.mx && !address_is_host(span_of(e.mx)))
        return cli_usage(cli, "--mx is a host name");
    if (!e.mx || !queue_provider_of(e.mx, e.provider, sizeof(e.provider)))
        e.provider[0] = '\0';
    const struct reply_input in = {
        .answer = &e.answer, .stage = e.stage, .provider = span_of(e.provider)};
    e.judgement = reply_judge(&in);
    e.action = reply_action(&in, &e.judgement);
    if (!cli->json) {
        print_explained(&e);
        return CLI_OK;
    }
    json_t *row = explained_row(&e);
    cli_print_json(row);
    json_decref(row);
    return CLI_OK;
}
