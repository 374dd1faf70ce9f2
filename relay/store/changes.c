// SPDX-License-Identifier: BSD-2-Clause
/* changes.c - Which accounts the open transaction has changed: each is named once, and only those
 * are read again. */
#include "changes.h"

#include "secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = ADDRESS_MAX + 2 };

static const char *make_key(enum database_changed what, const char *name, char key_r[KEY_MAX])
{
    snprintf(key_r, KEY_MAX, "%c%s", 'a' + (int)what, name);
    return key_r;
}

static struct change *find(const struct changes *c, const char *key)
{
    struct change *found = NULL;
    HASH_FIND_STR(c->by_key, key, found);
    return found;
}

bool changes_have(const struct changes *c, enum database_changed what, const char *name)
{
    char key[KEY_MAX];
    return c->count > 0 && find(c, make_key(what, name, key)) != NULL;
}

void changes_note(struct changes *c, enum database_changed what, const char *name)
{
    char key[KEY_MAX];
    make_key(what, name, key);
    if (find(c, key))
        return;
    if (c->count == c->size) {
        c->size = c->size ? c->size * 2 : 16;
        c->items = xgrow(c->items, c->size, sizeof(struct change *));
    }
    size_t len = strlen(key);
    struct change *added = xcalloc(1, sizeof(*added) + len + 1);
    memcpy(added->key, key, len);
    added->what = what;
    added->name = added->key + 1;
    HASH_ADD_STR(c->by_key, key, added);
    c->items[c->count++] = added;
}

void changes_cut(struct changes *c, size_t count)
{
    while (c->count > count) {
        struct change *last = c->items[--c->count];
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it is in the table */
        HASH_DEL(c->by_key, last);
        if (last->user)
            secret_clear(last->user, sizeof(*last->user));
        free(last->user);
        free(last->keys);
        free(last);
    }
}

void changes_fini(struct changes *c)
{
    changes_cut(c, 0);
    free(c->items);
}
