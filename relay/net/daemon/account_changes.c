// SPDX-License-Identifier: BSD-2-Clause
/* account_changes.c - What is shared by all threads is told at once; what belongs to a loop, by the
 * main one. The directory knows already: what is asked of it from now on is what was committed.
 */
#include "account_changes.h"

#include "alignment_service.h"
#include "key_rotation.h"
#include "keyring.h"
#include "shard.h"

#include <stdio.h>
#include <stdlib.h>

struct news {
    struct inbox_item item;
    struct account_changes *to;
    enum database_changed what;
    char name[ADDRESS_MAX + 1];
};

static void on_news(struct inbox_item *item)
{
    struct news news = *(struct news *)item;
    struct common *common = news.to->common;
    free(item);
    switch (news.what) {
    case DATABASE_KEYS:
        rotator_keys_changed(news.to->rotator, news.name);
        break;
    case DATABASE_CREDENTIAL:
    case DATABASE_DOMAIN:
        for (size_t i = 0; i < atomic_load(&common->shard_count); i++)
            shard_check_access(&common->shards[i]);
        break;
    }
}

void account_changes_tell(struct account_changes *a, enum database_changed what, const char *name)
{
    struct news *news = xcalloc(1, sizeof(*news));
    *news = (struct news){{.run = on_news, .drop = inbox_free}, a, what, ""};
    snprintf(news->name, sizeof(news->name), "%s", name);
    if (what == DATABASE_KEYS) {
        keyring_refresh(a->keyring, name);
        alignment_service_keys_changed(a->alignment_service, name);
    }
    inbox_post(a->inbox, &news->item);
}
