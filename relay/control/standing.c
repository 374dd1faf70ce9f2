// SPDX-License-Identifier: BSD-2-Clause
/* standing.c - A copy of the relay's state under a lock, so that a reader never waits for the main
 * loop. */
#include "standing.h"

#include "check.h"
#include "clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct standing {
    pthread_mutex_t mutex;
    struct standing_copy now;
};

struct standing *standing_new(int64_t now_ms)
{
    struct standing *s = xcalloc(1, sizeof(*s));
    pthread_mutex_init(&s->mutex, NULL);
    s->now.started_ms = now_ms;
    s->now.dnssec = "unknown";
    return s;
}

void standing_free(struct standing *s)
{
    if (!s)
        return;
    standing_copy_fini(&s->now);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

void standing_settings(struct standing *s, const char *file, const char *text, int64_t now_ms)
{
    pthread_mutex_lock(&s->mutex);
    standing_copy_fini(&s->now);
    s->now.file = xstrdup(file);
    s->now.text = xstrdup(text);
    s->now.loaded_ms = now_ms;
    s->now.refused_ms = 0;
    s->now.refused[0] = '\0';
    pthread_mutex_unlock(&s->mutex);
}

void standing_dnssec(struct standing *s, const char *state, const char *trust_anchor)
{
    pthread_mutex_lock(&s->mutex);
    s->now.dnssec = state;
    snprintf(s->now.trust_anchor, sizeof(s->now.trust_anchor), "%s", trust_anchor);
    pthread_mutex_unlock(&s->mutex);
}

enum dns_outage_news standing_dns(struct standing *s, const void *by, bool silent, bool wanted,
                                  int64_t after_ms, int64_t *since_ms_r)
{
    int64_t now_ms = clock_steady_ms();
    pthread_mutex_lock(&s->mutex);
    enum dns_outage_news news =
        dns_outage_note(&s->now.dns, by, silent, wanted, now_ms, after_ms, since_ms_r);
    pthread_mutex_unlock(&s->mutex);
    return news;
}

void standing_dns_untold(struct standing *s)
{
    pthread_mutex_lock(&s->mutex);
    dns_outage_untold(&s->now.dns);
    pthread_mutex_unlock(&s->mutex);
}

void standing_refused(struct standing *s, const char *why, int64_t now_ms)
{
    pthread_mutex_lock(&s->mutex);
    s->now.refused_ms = now_ms;
    snprintf(s->now.refused, sizeof(s->now.refused), "%s", why);
    pthread_mutex_unlock(&s->mutex);
}

void standing_read(struct standing *s, struct standing_copy *copy_r)
{
    pthread_mutex_lock(&s->mutex);
    *copy_r = s->now;
    copy_r->file = xstrdup(s->now.file ? s->now.file : "");
    copy_r->text = xstrdup(s->now.text ? s->now.text : "");
    pthread_mutex_unlock(&s->mutex);
}

void standing_copy_fini(struct standing_copy *copy)
{
    free(copy->file);
    free(copy->text);
    copy->file = copy->text = NULL;
}
