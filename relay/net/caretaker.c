// SPDX-License-Identifier: BSD-2-Clause
/* caretaker.c - One timer. Files count as changed when they have looked the same, and other than
 * those that were read, twice in a row: certificate and key are seldom replaced in one moment. */
#include "caretaker.h"

#include "clock.h"
#include "log.h"
#include "notices.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { TICK_MS = 5 * 1000, WARN_DAYS = 30 };
static const int64_t rotate_ms = (int64_t)6 * 3600 * 1000;
static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

struct caretaker {
    uv_timer_t timer;
    const struct settings *settings;
    struct notices *notices;
    uint64_t read, seen; /* marks of the files, when they were read and at the last look */
    int64_t next_rotation_ms, next_warning_ms;
    void (*changed)(void *context);
    void *context;
};

/* What changes when a file does. */
static uint64_t add_mark(uint64_t mark, const char *path)
{
    struct stat s = {0};
    if (stat(path, &s) != 0)
        return mark * 31;
    mark = mark * 1000003 + s.st_ino;
    mark = mark * 1000003 + (uint64_t)s.st_size;
    mark = mark * 1000003 + (uint64_t)s.st_mtim.tv_sec;
    return mark * 1000003 + (uint64_t)s.st_mtim.tv_nsec;
}

static uint64_t mark_files(const struct config *config)
{
    uint64_t mark = 1;
    for (size_t i = 0; i < config->certificate_count; i++)
        mark = add_mark(add_mark(mark, config->certificates[i].file), config->certificates[i].key);
    return mark;
}

/* ---- expiry ---- */

static void warn_of_expiry(struct caretaker *c, int64_t now_ms)
{
    char text[160];
    int64_t left_days = (tls_expiry(c->settings->server) - now_ms / 1000) / (24 * 3600);
    if (left_days >= WARN_DAYS)
        return;
    snprintf(text, sizeof(text),
             left_days < 0 ? "a certificate has expired"
                           : "a certificate expires in %lld days: renew it",
             (long long)left_days);
    log_event(LOG_WARN, "certificate_expires", "what", text);
    notices_add(c->notices, ALERT_CERTIFICATE, "tls", text);
}

/* ---- the timer ---- */

static void on_tick(uv_timer_t *timer)
{
    struct caretaker *c = timer->data;
    int64_t steady_ms = clock_steady_ms();
    uint64_t mark = mark_files(c->settings->config);
    bool settled = mark == c->seen;
    c->seen = mark;
    if (steady_ms >= c->next_rotation_ms) {
        tls_rotate_tickets();
        c->next_rotation_ms = steady_ms + rotate_ms;
    }
    if (steady_ms >= c->next_warning_ms) {
        warn_of_expiry(c, clock_now_ms());
        c->next_warning_ms = steady_ms + day_ms;
    }
    if (settled && mark != c->read) {
        c->read = mark; /* also when it cannot be read: once for each change */
        log_event(LOG_INFO, "certificate_changed", "file",
                  c->settings->config->certificates[0].file);
        notices_add(c->notices, ALERT_CERTIFICATE, c->settings->config->certificates[0].file,
                    "a certificate's files have changed");
        c->changed(c->context);
    }
}

void caretaker_change_settings(struct caretaker *c, const struct settings *settings)
{
    c->settings = settings;
    c->read = c->seen = mark_files(settings->config);
    c->next_warning_ms = 0;
}

struct caretaker *caretaker_new(uv_loop_t *loop, const struct settings *settings,
                                struct notices *notices, void (*changed)(void *context),
                                void *context)
{
    struct caretaker *c = xcalloc(1, sizeof(*c));
    c->notices = notices;
    c->changed = changed;
    c->context = context;
    caretaker_change_settings(c, settings);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_tick, 0, TICK_MS);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void caretaker_close(struct caretaker *c)
{
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
