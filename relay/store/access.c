// SPDX-License-Identifier: BSD-2-Clause
/* access.c - Does a credential still hold that somebody has logged in with? A session finds out by
 * itself; the store looks once more, in its transaction, so that no message is accepted after the
 * change. What the same transaction has changed before is not in memory yet: that is read.
 */
#include "access.h"

#include "db.h"
#include "directory_parts.h"
#include "secret.h"

/* False: it cannot be read. */
static bool is_what_it_was(struct database *db, const struct store_accept *a, bool *is_r,
                           struct err *err)
{
    const char *name = a->mail->credential;
    struct database_user user;
    struct err why = {0};
    *is_r = !credential_is_over(a->credential);
    if (!*is_r || !changes_have(&db->changes, DATABASE_CREDENTIAL, name))
        return true;
    bool found = database_user(db, span_of(name), &user, &why);
    *is_r = found && credential_equals(a->credential, &user);
    secret_clear(&user, sizeof(user));
    if (!found && why.kind != ERR_NOT_FOUND)
        *err = why;
    return err->kind == ERR_NONE;
}

static bool is_ours(struct database *db, struct directory *directory, const char *domain,
                    bool *is_r, struct err *err)
{
    if (changes_have(&db->changes, DATABASE_DOMAIN, domain))
        return database_is_domain(db, domain, is_r, err);
    *is_r = directory_knows(directory, domain);
    return true;
}

bool access_check(struct database *db, struct directory *directory, struct store_accept *a,
                  struct err *err)
{
    bool ours = true;
    bool same = true;
    if (!a->credential)
        return true;
    if (!is_ours(db, directory, a->mail->from_domain, &ours, err) ||
        !is_what_it_was(db, a, &same, err))
        return false;
    if (!ours)
        a->refusal = verdict_make(
            550, "5.7.20", "Domain %.200s was removed while this message was being submitted",
            a->mail->from_domain);
    else if (!same)
        a->refusal = verdict_make(451, "4.7.0",
                                  "Credential \"%.64s\" was changed, disabled or deleted while "
                                  "this message was being submitted: log in again",
                                  a->mail->credential);
    if (!ours || !same)
        a->result = STORE_STALE;
    return true;
}
