// SPDX-License-Identifier: BSD-2-Clause
/* command.c - The table of commands; usage, help and dispatch are made from it. */
#include "command.h"

#include "cli.h"
#include "cli_returns.h"
#include "cli_shape.h"
#include "cli_tlsrpt.h"
#include "cli_webhooks.h"
#include "similar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUPPRESS_FILTER "tenant= stream= reason="
#define FILTER "id= recipient= domain= destination= sender= user= tenant= held"
#define WHICH                                                                         \
    "[ID] [--recipient A] [--domain D] [--destination NAME] [--sender A] [--user U] " \
    "[--tenant T] [--all]"

static const struct command commands[] = {
    {"init",
     "DOMAIN [--dir DIR] [--hostname H] [--public-ip IP]... [--operator ADDRESS]... "
     "[--no-capture]\n"
     "       [--user ACCOUNT]",
     1, 1, "dir= hostname= public-ip= operator= no-capture user=",
     "make a relay: config, store, keys, certificate, first credential", cli_init},
    {"serve", "[--trace WHAT[,WHAT]...] [--core-dumps]", 0, 0, "trace= core-dumps",
     "run the relay in the foreground", cli_serve},
    {"config check", "", 0, 0, "", "check the config file", cli_config_check},
    {"config show", "[--origin]", 0, 0, "origin",
     "print the settings in force, or with the file and line of each", cli_config_show},
    {"status", "", 0, 0, "", "show the state of the relay, and the result of the last reload",
     cli_status},
    {"reload", "", 0, 0, "", "reload the config file, or say why not", cli_reload},
    {"user add",
     "NAME --domain D... [--tenant T] [--stream S] [--streams S,...] [--password-stdin]", 1, 1,
     "domain= tenant= stream= streams= password-stdin", "make a credential; prints its secret once",
     cli_user_add},
    {"user list", "", 0, 0, "", "list credentials", cli_user_list},
    {"user change",
     "NAME [--domain D]... [--add-domain D]... [--remove-domain D]... [--stream S] [--streams "
     "S,...|*]",
     1, 1, "domain= add-domain= remove-domain= stream= streams=",
     "change what a credential may send as; ends its sessions", cli_user_change},
    {"user enable", "NAME", 1, 1, "", "enable a credential", cli_user_enable},
    {"user disable", "NAME", 1, 1, "", "stop a credential from logging in", cli_user_disable},
    {"user rotate", "NAME [--password-stdin]", 1, 1, "password-stdin",
     "give a credential a new secret", cli_user_rotate},
    {"user delete", "NAME", 1, 1, "", "delete a credential", cli_user_delete},
    {"auth list", "", 0, 0, "", "list failed logins by name, address and network", cli_auth_list},
    {"auth unlock", "NAME|ADDRESS|NETWORK", 1, 1, "", "forget failed logins, and unlock",
     cli_auth_unlock},
    {"audit tail", "[--follow] [--limit N]", 0, 0,
     "follow limit=", "show who changed what, and what concerns security", cli_audit_tail},
    {"audit verify", "[--expect HASH]", 0, 0,
     "expect=", "check that the audit trail is whole; prints its last hash", cli_audit_verify},
    {"domain add", "DOMAIN [--tenant T] [--ed25519] [--no-capture]", 1, 1,
     "tenant= ed25519 no-capture", "add a sending domain and make its keys", cli_domain_add},
    {"domain list", "", 0, 0, "", "list sending domains, and what receivers will say of each",
     cli_domain_list},
    {"domain capture", "DOMAIN", 1, 1, "", "hold its mail, but for that to the operator",
     cli_domain_capture},
    {"domain release", "DOMAIN", 1, 1, "", "let a captured domain send, whatever DNS says",
     cli_domain_release},
    {"domain remove", "DOMAIN", 1, 1, "", "remove a sending domain", cli_domain_remove},
    {"key list", "[--domain D]", 0, 0, "domain=", "list DKIM keys", cli_key_list},
    {"key rotate", "DOMAIN [--ed25519] [--watch]", 1, 1, "ed25519 watch",
     "make the next key; it signs once DNS has it everywhere", cli_key_rotate},
    {"key retire", "DOMAIN SELECTOR", 2, 2, "", "revoke a key, or forget a retired one",
     cli_key_retire},
    {"dns",
     "DOMAIN [--format F] [--check [--watch] [--every 10s] | --offline] [--resolver IP@PORT]\n"
     "       [--later] [--rua ADDRESS] [--return-path D] [--ca D] [--ttl S]\n"
     "       [--mta-sts testing|enforce|none] [--max-age 14d]",
     1, 1,
     "format= check watch every= offline resolver= later rua= return-path= ca= ttl= mta-sts= "
     "max-age=",
     "show the DNS records to publish; check what is published", cli_dns},
    {"address canonical", "ADDRESS", 1, 1, "", "print the canonical form of an address",
     cli_address_canonical},
    {"check spf", "--ip IP --mail-from ADDRESS [--helo HOST]", 0, 0,
     "ip= mail-from= helo=", "evaluate SPF for a sender at an IP address", cli_check_spf},
    {"check dmarc", "--from ADDRESS [--spf DOMAIN=RESULT] [--dkim DOMAIN=RESULT]...", 0, 0,
     "from= spf= dkim=", "evaluate DMARC for results of SPF and DKIM", cli_check_dmarc},
    {"check message", "FILE --user NAME [--mail-from ADDRESS]", 1, 1, "user= mail-from=",
     "check whether a message would be accepted, and pass at receivers", cli_check_message},
    {"check destination", "DOMAIN [--no-connect] [--for plain|verify|requiretls]", 1, 1,
     "no-connect for=", "show what becomes of a domain's mail: DNS, policies, TLS of its hosts",
     cli_check_destination},
    {"reply explain", "REPLY [--stage connect|mail|rcpt|data] [--mx HOST]", 1, 1,
     "stage= mx=", "show what a server's refusal means, and what follows", cli_reply_explain},
    {"queue list",
     "[--id ID] [--recipient A] [--domain D] [--destination NAME] [--sender A] [--user U] "
     "[--tenant T] [--held] [--limit N] [--by destination]",
     0, 0, FILTER " limit= by=", "list what waits or is held", cli_queue_list},
    {"queue show", "ID", 1, 1, "", "show one message's recipients", cli_queue_show},
    {"queue retry", WHICH, 0, 1, FILTER " all", "try now", cli_queue_retry},
    {"queue hold", WHICH, 0, 1, FILTER " all", "hold: do not try", cli_queue_hold},
    {"queue release", WHICH, 0, 1, FILTER " all", "release what is held", cli_queue_release},
    {"queue delete", WHICH, 0, 1, FILTER " all", "delete without telling the sender",
     cli_queue_delete},
    {"queue bounce", WHICH " [--why TEXT]", 0, 1,
     FILTER " all why=", "fail now, and return to the sender", cli_queue_bounce},
    {"destination list", "[--limit N]", 0, 0, "limit=",
     "list destinations: connections, what waits, what rests and why", cli_destination_list},
    {"destination show", "NAME", 1, 1, "", "show one destination, and who waits there",
     cli_destination_show},
    {"destination rest", "NAME|--host HOST [--for 1h] [--why TEXT]", 0, 1, "host= for= why=",
     "send nothing there for a while, or to no destination with that host", cli_destination_rest},
    {"destination resume", "NAME|--host HOST", 0, 1, "host=", "end a rest: try now",
     cli_destination_resume},
    {"shape explain", "DOMAIN [--tenant T]", 1, 1, "tenant=",
     "explain what holds for a domain's mail: limits, where each is from, what waits for what",
     cli_shape_explain},
    {"shape list", "[--tenant T]", 0, 0,
     "tenant=", "list destinations that are paused, rest, are slowed, or have refused connections",
     cli_shape_list},
    {"shape pause", "NAME|--host HOST [--for 1h] [--why TEXT]", 0, 1, "host= for= why=",
     "the same as destination rest: send nothing there for a while", cli_destination_rest},
    {"shape resume", "NAME|--host HOST", 0, 1, "host=",
     "the same as destination resume: end a pause or a rest, and try now", cli_destination_resume},
    {"quota show", "ADDRESS|USER", 1, 1, "",
     "show the limits of a recipient or a credential, and what is left", cli_quota_show},
    {"quota shares", "[--tenant T]", 0, 0,
     "tenant=", "list what each tenant has of disk, memory and events, and what it may have",
     cli_quota_shares},
    {"quota top", "[--by recipient|user|tenant|domain] [--since 1h] [--limit N]", 0, 0,
     "by= since= limit=", "list who sends and receives most, and who is limited", cli_quota_top},
    {"quota simulate", "--to ADDRESS [--class C | --stream S] [--count N] [--tenant T]", 0, 0,
     "to= class= stream= count= tenant=",
     "simulate what limits would do to messages; changes nothing", cli_quota_simulate},
    {"quota explain", "ID", 1, 1, "", "explain why a message was paced, collapsed or refused",
     cli_quota_explain},
    {"quota reset", "ADDRESS|USER", 1, 1, "", "reset the counts of a recipient or a credential",
     cli_quota_reset},
    {"suppress list", "[--address A] [--tenant T] [--stream S] [--reason R]", 0, 0,
     SUPPRESS_FILTER " address=", "list suppressed recipients, and why", cli_suppress_list},
    {"suppress add", "ADDRESS [--tenant T] [--stream S] [--reason R] [--expires 30d]", 1, 1,
     SUPPRESS_FILTER " expires=", "suppress mail to a recipient", cli_suppress_add},
    {"suppress remove", "ADDRESS [--tenant T] [--stream S] [--reason R]", 1, 1, SUPPRESS_FILTER,
     "remove a suppression", cli_suppress_remove},
    {"suppress import", "FILE [--format csv|json]", 1, 1,
     "format=", "add entries from a file, - for standard input", cli_suppress_import},
    {"suppress export", "[--format csv|json] [--tenant T] [--stream S] [--reason R]", 0, 0,
     SUPPRESS_FILTER " format=", "print the list as CSV or JSON, with dates", cli_suppress_export},
    {"unsubscribe link", "--to ADDRESS --stream S [--tenant T]", 0, 0, "to= stream= tenant=",
     "print a recipient's unsubscribe link for a stream", cli_unsubscribe_link},
    {"unsubscribe inspect", "TOKEN|URL", 1, 1, "", "show what a link is for",
     cli_unsubscribe_inspect},
    {"unsubscribe rotate", "", 0, 0, "",
     "make a new key for links and return paths; old ones stay valid", cli_unsubscribe_rotate},
    {"returns show", "FILE...", 1, CLI_ARGUMENTS_MAX, "",
     "show what mail says that came back: bounces, complaints, automatic answers",
     cli_returns_show},
    {"returns whose", "ADDRESS", 1, 1, "",
     "show of which message and recipient an address is that mail came back to", cli_returns_whose},
    {"tlsrpt show", "FILE...", 1, CLI_ARGUMENTS_MAX, "",
     "show the TLS reports that others have sent: messages, .json.gz or .json", cli_tlsrpt_show},
    {"tlsrpt list", "", 0, 0, "",
     "list the TLS reports to others: what is counted, and what was sent", cli_tlsrpt_list},
    {"tlsrpt pending", "", 0, 0, "", "the same of those that are not sent yet", cli_tlsrpt_pending},
    {"sts show", "[DOMAIN]", 0, 1, "", "show the MTA-STS policies that are kept, or one",
     cli_sts_show},
    {"sts refresh", "DOMAIN", 1, 1, "", "fetch a domain's policy now, and show what counts",
     cli_sts_refresh},
    {"sts forget", "DOMAIN", 1, 1, "", "forget what is kept of a domain's policy", cli_sts_forget},
    {"webhook list", "", 0, 0, "", "list the endpoints that are told of mail, and how each fares",
     cli_webhook_list},
    {"webhook add", "URL [--tenant T] [--type T,...]... [--stream S,...]... [--hash-addresses]", 1,
     1, "tenant= type= stream= hash-addresses",
     "tell an endpoint what becomes of a tenant's mail; prints its secret once", cli_webhook_add},
    {"webhook remove", "ID", 1, 1, "", "tell it nothing more, and forget what waits",
     cli_webhook_remove},
    {"webhook enable", "ID", 1, 1, "", "tell it again, first of what waits", cli_webhook_enable},
    {"webhook disable", "ID", 1, 1, "", "tell it nothing for now; what happens is kept",
     cli_webhook_disable},
    {"webhook rotate", "ID [--keep 24h]", 1, 1,
     "keep=", "give it a new secret; the old one signs, too, for a while", cli_webhook_rotate},
    {"webhook ping", "ID", 1, 1, "", "send it an event that is about no mail", cli_webhook_ping},
    {"webhook replay", "ID --since 2h | --id EVENT", 1, 1,
     "since= id=", "send again what it was told, or was to be told", cli_webhook_replay},
    {"webhook test", "URL", 1, 1, "", "post to an address now, and show what it answers",
     cli_webhook_test},
    {"trace", "ID", 1, 1, "", "show all that happened to a message", cli_trace},
    {"events",
     "[--recipient A] [--sender A] [--message-id M] [--kind K] [--user U] [--since T] [--until T] "
     "[--after EVENT] [--before EVENT] [--limit N] [--follow]",
     0, 0, "recipient= sender= message-id= kind= user= since= until= after= before= limit= follow",
     "list events, the newest last", cli_events},
    {"send-test", "ADDRESS [--from A]", 1, 1,
     "from=", "send one real message and show the dialogue", cli_send_test},
    {"sink", "--listen ADDRESS:PORT [--dir DIR] [--records FILE] [--auth USER:PASSWORD]", 0, 0,
     "listen= dir= records= auth=", "run a receiving server for tests", cli_sink},
};

static bool is_of_group(const struct command *command, const char *group)
{
    struct span rest = span_of(command->words);
    struct span first = span_take(&rest, ' ');
    return rest.len > 0 && span_equal(first, span_of(group));
}

/* Commands with the same first word, with their arguments. False: there are none. */
static bool print_group(const char *group)
{
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        const struct command *one = &commands[i];
        if (!is_of_group(one, group))
            continue;
        printf("%s sealpost %s%s%s\n           %s\n", found ? "      " : "usage:", one->words,
               one->usage[0] ? " " : "", one->usage, one->description);
        found = true;
    }
    return found;
}

static void print_help(FILE *to)
{
    fprintf(to, "usage: sealpost [-c FILE] [--json] COMMAND\n       sealpost --version\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(to, "  %-14s %s\n", commands[i].words, commands[i].description);
    fprintf(to, "\nThe config file is %s; 'sealpost COMMAND --help' shows a command's arguments.\n",
            config_default_path());
}

/* How many of the words at `argv` make up the command; 0 when they do not. */
static int match(const char *words, int argc, char **argv)
{
    struct span rest = span_of(words);
    int used = 0;
    while (rest.len > 0) {
        struct span word = span_take(&rest, ' ');
        if (used >= argc || !span_equal(word, span_of(argv[used])))
            return 0;
        used++;
    }
    return used;
}

/* Is `name` among the command's options, and does it take a value? */
static bool find_option(const struct command *command, struct span name, bool *takes_value_r)
{
    struct span options = span_of(command->options);
    while (options.len > 0) {
        struct span option = span_take(&options, ' ');
        *takes_value_r = span_ends_nocase(option, SPAN("="));
        if (*takes_value_r)
            option.len--;
        if (span_equal(option, name))
            return true;
    }
    return false;
}

static const char *option_name(const char *word)
{
    return word + 2;
}

/* "unknown option --limti, did you mean --limit?": among these, and those of all commands. */
static void say_unknown_option(const char *name, struct span options, char *text_r, size_t size)
{
    static const char *const everywhere[] = {"json", "help", "version"};
    struct similar near;
    similar_init(&near, name);
    while (options.len > 0) {
        struct span option = span_take(&options, ' ');
        similar_try(&near, span_first(option, span_find(option, '=')));
    }
    for (size_t i = 0; i < COUNT_OF(everywhere); i++)
        similar_try(&near, span_of(everywhere[i]));
    snprintf(text_r, size, "unknown option --%.40s%s%s%s", name,
             near.best[0] ? ", did you mean --" : "", near.best, near.best[0] ? "?" : "");
}

static const char *unknown_option(struct cli *cli, const char *name)
{
    say_unknown_option(name, span_of(cli->command->options), cli->wrong, sizeof(cli->wrong));
    return cli->wrong;
}

/* Where a command was awaited. */
static int unknown_first_option(const char *name)
{
    char text[160];
    struct err err = {0};
    say_unknown_option(name, SPAN_NONE, text, sizeof(text));
    err_set(&err, ERR_USAGE, "%s%s", text,
            text[strlen(text) - 1] == '?' ? "" : ": options of a command come behind it");
    return cli_fail(&err);
}

/* One word of the command line; `used_r` counts how many were taken. NULL, or what is wrong. */
static const char *take_option(struct cli *cli, int argc, char **argv, int *used_r)
{
    bool takes_value = false;
    struct span name = span_of(option_name(argv[0]));
    *used_r = 1;
    if (!find_option(cli->command, name, &takes_value))
        return unknown_option(cli, option_name(argv[0]));
    if (takes_value && argc < 2) {
        snprintf(cli->wrong, sizeof(cli->wrong), "--%.40s needs a value", option_name(argv[0]));
        return cli->wrong;
    }
    if (cli->option_count == CLI_OPTIONS_MAX)
        return "too many options";
    cli->options[cli->option_count].name = option_name(argv[0]);
    cli->options[cli->option_count++].value = takes_value ? argv[1] : "";
    *used_r = takes_value ? 2 : 1;
    return NULL;
}

/* Global options may stand anywhere. 0: not one; -1: its value is missing; else how many words it
 * took. */
static int take_global(struct cli *cli, int argc, char **argv)
{
    if (strcmp(argv[0], "--json") == 0) {
        cli->json = true;
        return 1;
    }
    if (strcmp(argv[0], "-c") != 0)
        return 0;
    if (argc < 2)
        return -1;
    cli->config_path = argv[1];
    cli->config_given = true;
    return 2;
}

static const char *take_words(struct cli *cli, int argc, char **argv)
{
    for (int i = 0; i < argc;) {
        int used = take_global(cli, argc - i, argv + i);
        const char *wrong = used < 0 ? "-c needs a file" : NULL;
        if (used == 0 && strncmp(argv[i], "--", 2) == 0 && argv[i][2]) {
            wrong = take_option(cli, argc - i, argv + i, &used);
        } else if (used == 0) {
            if (cli->argument_count == CLI_ARGUMENTS_MAX)
                return "too many arguments";
            cli->arguments[cli->argument_count++] = argv[i];
            used = 1;
        }
        if (wrong)
            return wrong;
        i += used;
    }
    if (cli->argument_count < cli->command->arguments_min)
        return "an argument is missing";
    return cli->argument_count > cli->command->arguments_max ? "too many arguments" : NULL;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* The first words, as many as `words` has; "" when there are fewer. */
static void join(const char *words, int argc, char **argv, char *text_r, size_t size)
{
    size_t len = 0;
    int count = 1;
    for (; *words; words++)
        count += *words == ' ';
    text_r[0] = '\0';
    for (int i = 0; count <= argc && i < count && len < size; i++)
        len += (size_t)snprintf(text_r + len, size - len, "%s%s", i > 0 ? " " : "", argv[i]);
}

/* One line, and how to go on. A first word that is right is answered with what may follow it. */
static int unknown_command(int argc, char **argv)
{
    if (strncmp(argv[0], "--", 2) == 0)
        return unknown_first_option(option_name(argv[0]));
    char given[80] = "";
    char best[64] = "";
    char follow[400] = "";
    unsigned distance = ~0U;
    for (size_t i = 0; i < COUNT_OF(commands); i++) {
        struct span rest = span_of(commands[i].words);
        struct span first = span_take(&rest, ' ');
        size_t len = strlen(follow);
        struct similar near;
        char text[80];
        if (rest.len > 0 && span_equal(first, span_of(argv[0])))
            snprintf(follow + len, sizeof(follow) - len, "%s%.*s", len > 0 ? ", " : "",
                     SPAN_ARG(rest));
        join(commands[i].words, argc, argv, text, sizeof(text));
        similar_init(&near, text);
        similar_try(&near, span_of(commands[i].words));
        if (near.best[0] && near.distance < distance) {
            distance = near.distance;
            snprintf(given, sizeof(given), "%s", text);
            snprintf(best, sizeof(best), "%s", near.best);
        }
    }
    struct err err = {0};
    if (strcmp(argv[0], "-c") == 0)
        err_set(&err, ERR_USAGE, "-c needs a file");
    else if (best[0] && !(argc == 1 && follow[0]))
        err_set(&err, ERR_USAGE, "unknown command \"%s\", did you mean \"%s\"?", given, best);
    else if (follow[0])
        err_set(&err, ERR_USAGE, "%.40s is followed by one of: %.150s", argv[0], follow);
    else
        err_set(&err, ERR_USAGE, "unknown command \"%.60s\": see 'sealpost --help'", argv[0]);
    return cli_fail(&err);
}

static int print_version(const struct cli *cli)
{
    printf(cli->json ? "{\"version\": \"%s\"}\n" : "sealpost %s\n", SEALPOST_VERSION);
    return CLI_OK;
}

static int print_usage(const struct command *command)
{
    printf("usage: sealpost %s%s%s\n       %s\n", command->words, command->usage[0] ? " " : "",
           command->usage, command->description);
    return CLI_OK;
}

/* "help", "help queue", or "help queue list". */
static int help(struct cli *cli, int argc, char **argv)
{
    for (size_t i = 0; argc > 0 && i < COUNT_OF(commands); i++) {
        cli->command = &commands[i];
        if (match(commands[i].words, argc, argv) > 0)
            return print_usage(cli->command);
    }
    if (argc == 1 && print_group(argv[0]))
        return CLI_OK;
    if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0) /* and "help queue --help" */
        return help(cli, argc - 1, argv);
    if (argc > 0)
        return unknown_command(argc, argv);
    print_help(stdout);
    return CLI_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    int words = 0;
    for (size_t i = 0; i < COUNT_OF(commands) && !words; i++) {
        words = match(commands[i].words, argc, argv);
        cli->command = &commands[i];
    }
    if (!words && argc > 0 && strcmp(argv[0], "--version") == 0)
        return print_version(cli);
    if (!words && argc > 0 && strcmp(argv[0], "help") == 0)
        return help(cli, argc - 1, argv + 1);
    if (!words && (argc == 0 || asks_for_help(argc, argv))) {
        if (argc == 0 || !print_group(argv[0]))
            print_help(stdout);
        return argc > 0 ? CLI_OK : CLI_USAGE;
    }
    if (!words)
        return unknown_command(argc, argv);
    if (asks_for_help(argc, argv))
        return print_usage(cli->command);
    const char *wrong = take_words(cli, argc - words, argv + words);
    return wrong ? cli_usage(cli, wrong) : cli->command->run(cli);
}

/* What was printed is all there, or it was not done: the disk may be full, the pipe closed. */
static int written(int code)
{
    bool ok = fflush(stdout) == 0 && !ferror(stdout);
    if (!ok)
        fprintf(stderr, "sealpost: writing the output: %s\n", strerror(errno));
    return ok || code != CLI_OK ? code : CLI_NO;
}

int command_main(int argc, char **argv)
{
    struct cli cli = {.config_path = config_default_path(),
                      .config_given = getenv("SEALPOST_CONFIG") != NULL};
    int at = 1;
    while (at < argc) {
        int used = take_global(&cli, argc - at, argv + at);
        if (used <= 0)
            break;
        at += used;
    }
    int code = run(&cli, argc - at, argv + at);
    config_free(cli.config);
    return written(code);
}
