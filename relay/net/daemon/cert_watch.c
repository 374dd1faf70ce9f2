// SPDX-License-Identifier: BSD-2-Clause
/* cert_watch.c - Checks the certificate files by a timer. Files count as changed when they differ
 * from those in use and look the same twice in a row, because certificate and key are rarely
 * replaced at the same moment. Files that cannot be used, as a half-replaced pair, are tried again
 * each minute; until then the old ones are used. */
#include "cert_watch.h"

#include "certificates.h"
#include "clock.h"
#include "incidents.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 2 * 1000, AGAIN_MS = 60 * 1000 };
static const int64_t rotate_ms = (int64_t)6 * 3600 * 1000;
static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

struct cert_watch {
    uv_timer_t timer;
    const struct settings *settings;
    const struct opener *opener;
    struct incidents *incidents;
    uint64_t read, seen; /* marks of the files, when they were read and at the last look */
    uint64_t refused;    /* the mark of those that could not be used */
    char reason[400];    /* why; "" */
    int64_t next_try_ms; /* of those */
    int64_t next_rotation_ms, next_warning_ms;
};

/* ---- expiry ---- */

static void warn_of_expiry(struct cert_watch *c, int64_t now_ms)
{
    char text[1200];
    if (!certificates_expire(c->settings->server, now_ms / 1000, text, sizeof(text)))
        return;
    log_event(LOG_WARN, "certificate_expires", "what", text);
    incidents_add(c->incidents, ALERT_CERTIFICATE, "tls", text);
}

/* ---- the timer ---- */

static void refuse(struct cert_watch *c, const char *reason)
{
    if (strcmp(c->reason, reason) == 0)
        return; /* said already */
    snprintf(c->reason, sizeof(c->reason), "%s", reason);
    log_event(LOG_ERROR, "certificate_refused", "reply", reason);
    incidents_add(c->incidents, ALERT_CERTIFICATE, "tls", reason);
}

/* Read them, and serve with them from the next connection on. */
static void renew(struct cert_watch *c, uint64_t mark)
{
    const char *file = c->settings->config->certificates[0].file;
    struct tls_context *fresh = NULL;
    struct err err = {0};
    if (!certificates_load(c->settings->config, c->opener, &fresh, &err)) {
        c->refused = mark;
        c->next_try_ms = clock_steady_ms() + AGAIN_MS;
        refuse(c, err.text);
        return;
    }
    tls_server_renew(c->settings->server, fresh);
    c->read = mark;
    c->reason[0] = '\0';
    c->next_warning_ms = 0;
    log_event(LOG_INFO, "certificate_changed", "file", file);
    incidents_add(c->incidents, ALERT_CERTIFICATE, file, "a certificate has changed and is served");
}

static void on_tick(uv_timer_t *timer)
{
    struct cert_watch *c = timer->data;
    int64_t steady_ms = clock_steady_ms();
    uint64_t mark = certificates_mark(c->settings->config, c->opener);
    bool settled = mark == c->seen;
    c->seen = mark;
    if (steady_ms >= c->next_rotation_ms) {
        tls_rotate_tickets();
        c->next_rotation_ms = steady_ms + rotate_ms;
    }
    if (settled && mark != c->read && (mark != c->refused || steady_ms >= c->next_try_ms))
        renew(c, mark);
    if (steady_ms >= c->next_warning_ms) {
        warn_of_expiry(c, clock_now_ms());
        c->next_warning_ms = steady_ms + day_ms;
    }
}

void cert_watch_change_settings(struct cert_watch *c, const struct settings *settings)
{
    c->settings = settings;
    c->read = c->seen = certificates_mark(settings->config, c->opener);
    c->refused = 0;
    c->reason[0] = '\0';
    c->next_warning_ms = 0;
}

struct cert_watch *cert_watch_new(uv_loop_t *loop, const struct settings *settings,
                                  const struct opener *opener, struct incidents *incidents)
{
    struct cert_watch *c = xcalloc(1, sizeof(*c));
    c->incidents = incidents;
    c->opener = opener;
    cert_watch_change_settings(c, settings);
    uv_timer_init(loop, &c->timer);
    c->timer.data = c;
    uv_timer_start(&c->timer, on_tick, 0, TICK_MS);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void cert_watch_close(struct cert_watch *c)
{
    if (c)
        uv_close((uv_handle_t *)&c->timer, on_closed);
}
