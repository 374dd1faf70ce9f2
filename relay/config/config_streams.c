// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.c - Sections `stream` and `limit`. */
#include "config_checks.h"
#include "config_rules.h"
#include "unsubscribe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Can the links of this stream be made, and would they be right? */
static const char *link_fault(const struct config_reading *r, const struct stream *s)
{
    const struct unsubscribe_subject example = {"t", "s", "r@example.org"};
    struct buf url;
    if (s->unsubscribe == STREAM_STAY)
        return NULL;
    if (s->class == STREAM_SECURITY)
        return "mail of the class \"security\" cannot be unsubscribed from";
    if (s->unsubscribe == STREAM_ONE_CLICK)
        return unsubscribe_url_ok(span_of(r->config->http_url)) ||
                       config_says(r, cfg_getsec(r->cfg, "http"), "url")
                   ? NULL
                   : "one-click links need http { url = \"https://...\" }";
    buf_init(&url, 4096);
    bool ok = unsubscribe_url(s->url, SPAN("token"), &example, &url) &&
              !config_url_fault(buf_text(&url), CONFIG_URL_ANY);
    buf_fini(&url);
    return ok ? NULL : "\"own-url\" needs a url, as https://www.example.org/u?t={token}";
}

static void check_link(struct config_reading *r, cfg_t *section, const struct stream *s)
{
    const char *why = link_fault(r, s);
    if (why)
        config_fault(r, section, s->unsubscribe == STREAM_OWN_URL ? "url" : "unsubscribe", "%s",
                     why);
}

static void check_times(struct config_reading *r, cfg_t *section, const struct stream *s)
{
    if (config_says(r, section, "retry") && cfg_size(section, "retry") == 0)
        config_fault(r, section, "retry", "retry is empty: give one time at least, as {60, 300}");
    if (s->lifetime_ms > 0 && s->retry_count > 0 && s->lifetime_ms <= s->retries_ms[0])
        config_note(r, section, "expires",
                    "expires comes before the first retry: what is deferred once is returned");
    if (s->delay_notice_ms >= stream_lifetime_ms(s, s->class))
        config_note(r, section, "delay_notice",
                    "delay_notice comes after the mail expires: nobody is told that it is late");
}

static void check_burst(struct config_reading *r, cfg_t *section, const struct throttle_limit *l)
{
    if (l->reserve >= l->burst)
        config_fault(r, section, "burst", "burst is %u: it must be more than reserve, which is %u",
                     l->burst, l->reserve);
}

/* A stream that says anything of a limit has one of its own, which begins as its class's. */
static void set_own_limit(struct config_reading *r, cfg_t *section, const struct stream *s,
                          struct throttle_limit *said)
{
    struct throttle_settings *throttle = &r->config->throttle;
    struct throttle_limit l = throttle->classes[s->class];
    if (said->every_ms < 0 && said->hold_ms < 0 && said->burst == UINT32_MAX &&
        said->per_day == UINT32_MAX)
        return;
    l.every_ms = said->every_ms < 0 ? l.every_ms : said->every_ms;
    l.hold_ms = said->hold_ms < 0 ? l.hold_ms : said->hold_ms;
    l.burst = said->burst == UINT32_MAX ? l.burst : said->burst;
    l.per_day = said->per_day == UINT32_MAX ? l.per_day : said->per_day;
    check_burst(r, section, &l);
    struct throttle_stream *t = &throttle->streams[throttle->stream_count++];
    snprintf(t->name, sizeof(t->name), "%s", s->name);
    t->limit = *said = l; /* this is shown */
}

static void set_stream(struct config_reading *r, cfg_t *section, struct stream *s,
                       struct throttle_limit *said)
{
    const char *color = cfg_getstr(section, "color");
    if (!s->name[0] || !span_is_utf8(span_of(s->name)))
        config_fault(r, section, NULL, "the name must be text in UTF-8");
    if (!color || !color[0])
        s->color = r->config->http_color;
    check_link(r, section, s);
    check_times(r, section, s);
    set_own_limit(r, section, s, said);
}

void config_streams_finish(struct config_reading *r)
{
    struct config *c = r->config;
    for (unsigned i = 0; i < cfg_size(r->cfg, "limit"); i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "limit", i);
        const struct throttle_limit *l =
            throttle_limit_named(&c->throttle, span_of(cfg_title(section)));
        if (l)
            check_burst(r, section, l);
    }
    c->throttle.streams = xcalloc(c->stream_count + 1, sizeof(*c->throttle.streams));
    for (size_t i = 0; i < c->stream_count; i++)
        set_stream(r, cfg_getnsec(r->cfg, "stream", (unsigned)i), &c->streams[i],
                   &c->own_limits[i]);
}
