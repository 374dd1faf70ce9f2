// SPDX-License-Identifier: BSD-2-Clause
/* access.c - Does a credential still hold that somebody has logged in with? A session asks when
 * store_accounts() has grown; the store asks once more, in its transaction, so that no message is
 * accepted after the change.
 */
#include "access.h"

#include "accounts.h"
#include "db.h"
#include "log.h"
#include "secret.h"

#include <string.h>

void database_user_mark(const struct database_user *u, unsigned char mark_r[DATABASE_MARK])
{
    const struct identity *i = &u->identity;
    struct buf text;
    buf_init(&text, sizeof(*u) + 16);
    buf_addf(&text, "%d\n%s\n%s\n%s\n%s\n%s\n%s\n%s", u->disabled, i->name, i->tenant, i->stream,
             i->streams, i->allowed, u->hash, u->scram);
    secret_digest(buf_span(&text), mark_r);
    if (text.memory)
        secret_clear(text.memory, text.size);
    buf_fini(&text);
}

bool database_user_holds(struct database *db, const char *name,
                         const unsigned char mark[DATABASE_MARK])
{
    struct database_user user;
    struct err err = {0};
    unsigned char now[DATABASE_MARK];
    bool ok = database_user(db, span_of(name), &user, &err) && !user.disabled;
    if (err.kind != ERR_NOT_FOUND)
        log_fault("store_fault", &err);
    if (ok)
        database_user_mark(&user, now);
    secret_clear(&user, sizeof(user));
    return ok && memcmp(now, mark, DATABASE_MARK) == 0;
}

static bool is_ours(struct database *db, const char *domain)
{
    struct err err = {0};
    bool found = false;
    sqlite3_stmt *s = ROWS(db, SQL_CAPTURED, TEXT(domain));
    while (rows_next(db, s, &err))
        found = true;
    log_fault("store_fault", &err);
    return found;
}

unsigned database_user_domains(struct database *db, const struct identity *identity)
{
    struct span rules = span_of(identity->allowed);
    unsigned count = 0;
    while (rules.len > 0) {
        struct span rule = span_take(&rules, ' ');
        struct address address;
        char domain[ADDRESS_DOMAIN_MAX + 1];
        if (address_parse(rule, &address))
            rule = address.domain;
        count += address_domain_ascii(rule, domain) && is_ours(db, domain);
    }
    return count;
}

bool access_allows(struct database *db, struct store_job *job, uint64_t accounts)
{
    if (!job->marked || (job->accounts == accounts && !db->accounts_changed))
        return true;
    if (!database_user_holds(db, job->mail->credential, job->mark))
        job->refusal = verdict_make(451, "4.7.0",
                                    "Credential \"%.64s\" was changed, disabled or deleted while "
                                    "this message was being submitted: log in again",
                                    job->mail->credential);
    else if (!is_ours(db, job->mail->from_domain))
        job->refusal = verdict_make(
            550, "5.7.20", "Domain %.200s was removed while this message was being submitted",
            job->mail->from_domain);
    return job->refusal.code == 0;
}
