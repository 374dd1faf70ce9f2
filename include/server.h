// SPDX-License-Identifier: BSD-2-Clause
/* server.h - The running relay, and the receiving server for trying things out: what the program
 * does besides commands.
 */
#ifndef SERVER_H
#define SERVER_H

#include "config.h"
#include "dns.h"
#include "err.h"
#include "submission.h"

/* Run the relay in the foreground until SIGTERM or SIGINT; SIGHUP reads the config file again. */
MUST_CHECK bool server_run(const char *config_path, struct err *err);

/* Would the relay start with these settings? What is wrong is added to the report. Certificates are
 * read, and whatever else the config file names is looked for; nothing is bound. */
void server_check(const struct config *config, struct config_report *report);

/* One message that the sink took; borrowed during the call. */
struct server_sunk {
    struct span sender, message;
    const struct envelope *envelope;
    const char *peer, *helo, *tls; /* tls: empty for clear text */
    const char *user;              /* who has logged in; empty: nobody */
};
typedef bool server_on_sunk(void *context, const struct server_sunk *mail);

struct server_sink {
    const char *host;
    unsigned port;
    uint64_t size_max;
    const char *user, *password; /* who must log in; NULL: anybody may, by any name */
    server_on_sunk *on_mail;     /* false: the message is answered 451 */
    void (*on_ready)(void *context);
    void *context;
};

/* Take mail from anyone until SIGTERM or SIGINT, with STARTTLS and a certificate of its own making.
 */
MUST_CHECK bool server_sink(const struct server_sink *sink, struct err *err);

/* Compute something that needs DNS, blocking: `step` is called, what it asked for is fetched, and
 * it is called again until it returns true. Every question ends, at the latest after 10 seconds.
 */
typedef bool server_step(void *context, const struct dns *dns);
MUST_CHECK bool server_resolve(const struct config *config, server_step *step, void *context,
                               struct err *err);

/* The TXT record of a name; blocking. ERR_NOT_FOUND when there is none. */
MUST_CHECK bool server_txt(const struct config *config, const char *name, char *record_r,
                           size_t size, struct err *err);

#endif
