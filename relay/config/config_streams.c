// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.c - Kinds of mail, and how much of it one recipient may get. */
#include "config_streams.h"

#include "config_rules.h"
#include "config_units.h"
#include "unsubscribe.h"
#include "unsubscribe_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cfg_opt_t *config_stream_options(void)
{
    static cfg_opt_t options[] = {CFG_STR("class", "notification", CFGF_NONE),
                                  CFG_STR("on_limit", "pace", CFGF_NONE),
                                  CFG_STR("unsubscribe", "none", CFGF_NONE),
                                  CFG_STR("url", "", CFGF_NONE),
                                  CFG_STR("sender", "", CFGF_NONE),
                                  CFG_STR("color", "", CFGF_NONE),
                                  CFG_STR("title", "", CFGF_NONE),
#define TITLE_OPTION(constant, name) CFG_STR("title_" name, "", CFGF_NONE),
                                  LANGUAGES_BUT_ENGLISH(TITLE_OPTION)
#undef TITLE_OPTION
                                      CONFIG_SECONDS("every", -1),
                                  CONFIG_NUMBER("burst", -1),
                                  CONFIG_NUMBER("per_day", -1),
                                  CONFIG_SECONDS("hold", -1),
                                  CONFIG_SECONDS("expires", 0),
                                  CFG_INT_LIST_CB("retry", NULL, CFGF_NONE, config_units_seconds),
                                  CFG_END()};
    return options;
}

cfg_opt_t *config_limit_options(void)
{
    static cfg_opt_t options[] = {CONFIG_SECONDS("every", -1),  CONFIG_NUMBER("burst", -1),
                                  CONFIG_NUMBER("per_day", -1), CONFIG_NUMBER("reserve", -1),
                                  CONFIG_SECONDS("hold", -1),   CFG_END()};
    return options;
}

/* ---- a limit ---- */

static void set_number(cfg_t *section, const char *name, uint32_t *number)
{
    if (cfg_getint(section, name) >= 0)
        *number = (uint32_t)cfg_getint(section, name);
}

static void set_time(cfg_t *section, const char *name, int64_t *ms)
{
    if (cfg_getint(section, name) >= 0)
        *ms = (int64_t)cfg_getint(section, name) * 1000;
}

/* What a section says of it; the rest stays. */
static void read_limit(struct config_reading *r, cfg_t *section, struct throttle_limit *l)
{
    set_time(section, "every", &l->every_ms);
    set_time(section, "hold", &l->hold_ms);
    set_number(section, "burst", &l->burst);
    set_number(section, "per_day", &l->per_day);
    if (l->burst == 0 || l->reserve >= l->burst)
        config_fault(r, section, "burst", "burst is at least 1, and more than reserve");
}

/* ---- streams ---- */

static bool copy_text(char *to, size_t size, const char *text)
{
    struct span s = span_of(text);
    bool ok = span_is_utf8(s) && span_copy(s, to, size);
    for (size_t i = 0; ok && i < s.len; i++)
        ok = (unsigned char)s.ptr[i] >= ' ' && s.ptr[i] != 0x7f;
    return ok;
}

static bool read_titles(struct stream *s, cfg_t *section)
{
    static const char *const names[LANGUAGE_COUNT] = {[LANGUAGE_EN] = "title",
#define TITLE_NAME(constant, name) [LANGUAGE_##constant] = ("title_" name),
                                                      LANGUAGES_BUT_ENGLISH(TITLE_NAME)
#undef TITLE_NAME
    };
    bool ok = copy_text(s->sender, sizeof(s->sender), cfg_getstr(section, "sender"));
    for (size_t i = 0; ok && i < LANGUAGE_COUNT; i++)
        ok = copy_text(s->titles[i], sizeof(s->titles[i]), cfg_getstr(section, names[i]));
    return ok;
}

/* Its own, or everybody's. */
static bool read_color(const struct config *c, struct stream *s, cfg_t *section)
{
    const char *color = cfg_getstr(section, "color");
    s->color = c->http_color;
    return !color[0] || unsubscribe_color(span_of(color), &s->color);
}

static bool read_times(struct stream *s, cfg_t *section)
{
    enum { YEAR_S = 366 * 24 * 3600 };
    unsigned count = cfg_size(section, "retry");
    long lifetime_s = cfg_getint(section, "expires");
    bool ok = lifetime_s >= 0 && lifetime_s <= YEAR_S && count <= STREAM_RETRIES_MAX;
    s->lifetime_ms = (int64_t)lifetime_s * 1000;
    for (unsigned i = 0; ok && i < count; i++) {
        long wait_s = cfg_getnint(section, "retry", i);
        ok = wait_s > 0 && wait_s <= YEAR_S;
        s->retries_ms[s->retry_count++] = (int64_t)wait_s * 1000;
    }
    return ok;
}

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
              !config_rules_url(buf_text(&url), CONFIG_URL_ANY);
    buf_fini(&url);
    return ok ? NULL : "\"own-url\" needs a url, as https://www.example.org/u?t={token}";
}

static void check_times(struct config_reading *r, cfg_t *section, const struct stream *s)
{
    bool blanked = r->report->count > 0; /* perhaps this one: what is wrong is told already */
    if (config_says(r, section, "expires") && s->lifetime_ms == 0 && !blanked)
        config_fault(r, section, "expires", "expires is 0: mail would end before its first try");
    if (config_says(r, section, "retry") && s->retry_count == 0 && !blanked)
        config_fault(r, section, "retry", "retry is empty: give one time at least, as {60, 300}");
    if (s->lifetime_ms > 0 && s->retry_count > 0 && s->lifetime_ms <= s->retries_ms[0])
        config_note(r, section, "expires",
                    "expires comes before the first retry: what is deferred once is returned");
}

static void read_stream(struct config_reading *r, struct stream *s, cfg_t *section)
{
    const char *why = NULL;
    if (!copy_text(s->name, sizeof(s->name), cfg_title(section)) || !s->name[0]) {
        config_fault(r, section, NULL, "the name is too long, or no text");
        return;
    }
    if (!stream_class_parse(span_of(cfg_getstr(section, "class")), &s->class))
        s->class = STREAM_NOTIFICATION;
    if (!stream_on_limit_parse(span_of(cfg_getstr(section, "on_limit")), &s->on_limit))
        s->on_limit = STREAM_PACE;
    if (!stream_unsubscribe_parse(span_of(cfg_getstr(section, "unsubscribe")), &s->unsubscribe))
        s->unsubscribe = STREAM_STAY;
    if (!read_titles(s, section))
        config_fault(r, section, NULL, "sender and titles are up to 127 bytes of UTF-8");
    if (!read_color(r->config, s, section))
        config_fault(r, section, "color", "color is written as \"#1a5fb4\"");
    if (!copy_text(s->url, sizeof(s->url), cfg_getstr(section, "url")))
        config_fault(r, section, "url", "the url is too long, or no text");
    else if ((why = link_fault(r, s)))
        config_fault(r, section, s->unsubscribe == STREAM_OWN_URL ? "url" : "unsubscribe", "%s",
                     why);
    if (!read_times(s, section))
        config_fault(r, section, "retry",
                     "expires and retry are seconds, of a year at most; retry has up to 16");
    check_times(r, section, s);
}

/* A stream that says anything of a limit has one of its own, which begins as its class's. */
static void read_own_limit(struct config_reading *r, const struct stream *s, cfg_t *section)
{
    static const char *const names[] = {"every", "burst", "per_day", "hold"};
    struct throttle_settings *throttle = &r->config->throttle;
    bool own = false;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        own = own || cfg_getint(section, names[i]) >= 0;
    if (!own)
        return;
    struct throttle_stream *t = &throttle->streams[throttle->stream_count++];
    snprintf(t->name, sizeof(t->name), "%s", s->name);
    t->limit = throttle->classes[s->class];
    read_limit(r, section, &t->limit);
}

/* Who sends, where a stream does not say. */
static void read_sender(struct config_reading *r)
{
    struct config *c = r->config;
    cfg_t *http = cfg_getsec(r->cfg, "http");
    if (!copy_text(c->http_sender, sizeof(c->http_sender), cfg_getstr(http, "sender")))
        config_fault(r, http, "sender", "sender is up to 127 bytes of UTF-8");
    if (!unsubscribe_color(span_of(cfg_getstr(http, "color")), &c->http_color))
        config_fault(r, http, "color", "color is written as \"#1a5fb4\"");
}

static void read_streams(struct config_reading *r)
{
    struct config *c = r->config;
    unsigned count = cfg_size(r->cfg, "stream");
    c->streams = xcalloc(count, sizeof(*c->streams));
    c->throttle.streams = xcalloc(count, sizeof(*c->throttle.streams));
    while (c->stream_count < count) {
        cfg_t *section = cfg_getnsec(r->cfg, "stream", (unsigned)c->stream_count);
        struct stream *s = &c->streams[c->stream_count++];
        read_stream(r, s, section);
        read_own_limit(r, s, section);
    }
}

static void print_own_limit(const struct config *c, const struct stream *s, struct buf *out)
{
    bool own = false;
    const struct throttle_settings settings =
        throttle_for_stream(&c->throttle, s->name, s->class, &own);
    const struct throttle_limit *l = &settings.classes[s->class];
    if (own)
        buf_addf(out, "  every = %lld  burst = %u  per_day = %u  hold = %lld",
                 (long long)(l->every_ms / 1000), l->burst, l->per_day,
                 (long long)(l->hold_ms / 1000));
}

static void print_stream(const struct config *c, const struct stream *s, struct buf *out)
{
    buf_addf(out, "stream \"%s\" { class = \"%s\"  on_limit = \"%s\"  unsubscribe = \"%s\"",
             s->name, stream_class_name(s->class), stream_on_limit_name(s->on_limit),
             stream_unsubscribe_name(s->unsubscribe));
    print_own_limit(c, s, out);
    if (s->url[0])
        buf_addf(out, "  url = \"%s\"", s->url);
    if (s->sender[0])
        buf_addf(out, "  sender = \"%s\"", s->sender);
    if (s->color != c->http_color)
        buf_addf(out, "  color = \"#%06x\"", s->color);
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        if (s->titles[i][0])
            buf_addf(out, "  title%s%s = \"%s\"", i ? "_" : "",
                     i ? language_name((enum language)i) : "", s->titles[i]);
    if (s->lifetime_ms > 0)
        buf_addf(out, "  expires = %lld", (long long)(s->lifetime_ms / 1000));
    for (size_t i = 0; i < s->retry_count; i++)
        buf_addf(out, "%s%lld", i ? ", " : "  retry = {", (long long)(s->retries_ms[i] / 1000));
    buf_addf(out, "%s }\n", s->retry_count > 0 ? "}" : "");
}

/* ---- limits ---- */

static void read_throttle(struct config_reading *r)
{
    struct config *c = r->config;
    throttle_defaults(&c->throttle);
    if (!throttle_mode_parse(span_of(cfg_getstr(r->cfg, "throttle")), &c->throttle.mode))
        c->throttle.mode = THROTTLE_ENFORCE;
    for (unsigned i = 0; i < cfg_size(r->cfg, "limit"); i++) {
        cfg_t *section = cfg_getnsec(r->cfg, "limit", i);
        struct throttle_limit *l = throttle_limit_named(&c->throttle, span_of(cfg_title(section)));
        if (!l) {
            config_fault(r, section, NULL,
                         "the name is a class, or \"tenant\", \"recipient\", \"domain\", "
                         "\"rate\", \"alike\", \"first_time\" or \"report\"");
            continue;
        }
        set_number(section, "reserve", &l->reserve);
        read_limit(r, section, l);
    }
}

void config_streams_print(const struct config *c, struct buf *out)
{
    struct throttle_settings copy = c->throttle;
    buf_addf(out, "throttle = \"%s\"\n", throttle_mode_name(c->throttle.mode));
    for (const char *const *name = throttle_limit_names(); *name; name++) {
        const struct throttle_limit *l = throttle_limit_named(&copy, span_of(*name));
        CHECK(l != NULL);
        buf_addf(
            out,
            "limit \"%s\" { every = %lld  burst = %u  per_day = %u  reserve = %u  hold = %lld }\n",
            *name, (long long)(l->every_ms / 1000), l->burst, l->per_day, l->reserve,
            (long long)(l->hold_ms / 1000));
    }
    for (size_t i = 0; i < c->stream_count; i++)
        print_stream(c, &c->streams[i], out);
}

void config_streams_read(struct config_reading *r)
{
    read_throttle(r);
    read_sender(r);
    read_streams(r);
}
