// SPDX-License-Identifier: BSD-2-Clause
/* change_rows.c - The rows of the accounts that the open transaction has changed, each read by its
 * name before the commit, so that nothing can fail in telling the directory behind it. */
#include "change_rows.h"

#include "accounts.h"

static void note_key(void *context, const struct database_key *key)
{
    struct change *c = context;
    c->keys = xgrow(c->keys, c->key_count + 1, sizeof(*c->keys));
    c->keys[c->key_count++] = *key;
}

static bool read_user(struct database *db, struct change *c, struct err *err)
{
    c->user = xcalloc(1, sizeof(*c->user));
    c->exists = database_user(db, span_of(c->name), c->user, err);
    if (c->exists || err->kind != ERR_NOT_FOUND)
        return c->exists;
    err->kind = ERR_NONE;
    return true;
}

bool change_rows_read(struct database *db, struct err *err)
{
    const struct changes *c = &db->changes;
    bool ok = true;
    for (size_t i = 0; ok && i < c->count; i++) {
        struct change *one = c->items[i];
        switch (one->what) {
        case DATABASE_CREDENTIAL:
            ok = read_user(db, one, err);
            break;
        case DATABASE_DOMAIN:
            ok = database_is_domain(db, one->name, &one->exists, err);
            break;
        case DATABASE_KEYS:
            ok = database_keys(db, one->name, note_key, one, err);
            break;
        }
    }
    return ok;
}
