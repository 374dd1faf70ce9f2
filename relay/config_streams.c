// SPDX-License-Identifier: BSD-2-Clause
/* config_streams.c - Kinds of mail, and how much of it one recipient may get. */
#include "config_streams.h"

#include "unsubscribe.h"

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
                                  CFG_STR("title", "", CFGF_NONE),
                                  CFG_STR("title_fr", "", CFGF_NONE),
                                  CFG_STR("title_de", "", CFGF_NONE),
                                  CFG_STR("title_es", "", CFGF_NONE),
                                  CFG_STR("title_ja", "", CFGF_NONE),
                                  CFG_INT("every", -1, CFGF_NONE),
                                  CFG_INT("burst", -1, CFGF_NONE),
                                  CFG_INT("per_day", -1, CFGF_NONE),
                                  CFG_INT("hold", -1, CFGF_NONE),
                                  CFG_INT("expires", 0, CFGF_NONE),
                                  CFG_INT_LIST("retry", NULL, CFGF_NONE),
                                  CFG_END()};
    return options;
}

cfg_opt_t *config_limit_options(void)
{
    static cfg_opt_t options[] = {
        CFG_INT("every", -1, CFGF_NONE),   CFG_INT("burst", -1, CFGF_NONE),
        CFG_INT("per_day", -1, CFGF_NONE), CFG_INT("reserve", -1, CFGF_NONE),
        CFG_INT("hold", -1, CFGF_NONE),    CFG_END()};
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
static bool read_limit(const struct config *c, cfg_t *section, const char *what,
                       struct throttle_limit *l, struct err *err)
{
    set_time(section, "every", &l->every_ms);
    set_time(section, "hold", &l->hold_ms);
    set_number(section, "burst", &l->burst);
    set_number(section, "per_day", &l->per_day);
    return (l->burst > 0 && l->reserve < l->burst) ||
           err_set(err, ERR_CONFIG, "%s: %s \"%.60s\": burst is at least 1, and more than reserve",
                   c->path, what, cfg_title(section));
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
    static const char *const names[STREAM_LANGUAGES] = {[STREAM_ENGLISH] = "title",
                                                        [STREAM_FRENCH] = "title_fr",
                                                        [STREAM_GERMAN] = "title_de",
                                                        [STREAM_SPANISH] = "title_es",
                                                        [STREAM_JAPANESE] = "title_ja"};
    bool ok = copy_text(s->sender, sizeof(s->sender), cfg_getstr(section, "sender"));
    for (size_t i = 0; ok && i < STREAM_LANGUAGES; i++)
        ok = copy_text(s->titles[i], sizeof(s->titles[i]), cfg_getstr(section, names[i]));
    return ok;
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
static const char *link_fault(const struct config *c, const struct stream *s)
{
    const struct unsubscribe_subject example = {"t", "s", "r@example.org"};
    struct buf url;
    if (s->unsubscribe == STREAM_STAY)
        return NULL;
    if (s->class == STREAM_SECURITY)
        return "mail of the class \"security\" cannot be unsubscribed from";
    if (s->unsubscribe == STREAM_ONE_CLICK)
        return unsubscribe_url_ok(span_of(c->http_url))
                   ? NULL
                   : "one-click links need http { url = \"https://...\" }";
    buf_init(&url, 4096);
    bool ok = unsubscribe_url(s->url, SPAN("token"), &example, &url);
    buf_fini(&url);
    return ok ? NULL : "\"own-url\" needs a url, as https://www.example.org/u?t={token}";
}

static bool read_stream(const struct config *c, struct stream *s, cfg_t *section, struct err *err)
{
    const char *why = NULL;
    if (!copy_text(s->name, sizeof(s->name), cfg_title(section)) || !s->name[0])
        return err_set(err, ERR_CONFIG, "%s: stream \"%.40s\": the name is too long, or no text",
                       c->path, cfg_title(section));
    if (!stream_class_parse(span_of(cfg_getstr(section, "class")), &s->class))
        s->class = STREAM_NOTIFICATION;
    if (!stream_on_limit_parse(span_of(cfg_getstr(section, "on_limit")), &s->on_limit))
        s->on_limit = STREAM_PACE;
    if (!stream_unsubscribe_parse(span_of(cfg_getstr(section, "unsubscribe")), &s->unsubscribe))
        s->unsubscribe = STREAM_STAY;
    if (!read_titles(s, section))
        why = "sender and titles are up to 127 bytes of UTF-8";
    else if (!copy_text(s->url, sizeof(s->url), cfg_getstr(section, "url")))
        why = "the url is too long, or no text";
    else if (!read_times(s, section))
        why = "expires and retry are seconds, of a year at most; retry has up to 16";
    else
        why = link_fault(c, s);
    return !why || err_set(err, ERR_CONFIG, "%s: stream \"%s\": %s", c->path, s->name, why);
}

/* A stream that says anything of a limit has one of its own, which begins as its class's. */
static bool read_own_limit(struct config *c, const struct stream *s, cfg_t *section,
                           struct err *err)
{
    static const char *const names[] = {"every", "burst", "per_day", "hold"};
    bool own = false;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        own = own || cfg_getint(section, names[i]) >= 0;
    if (!own)
        return true;
    struct throttle_stream *t = &c->throttle.streams[c->throttle.stream_count++];
    snprintf(t->name, sizeof(t->name), "%s", s->name);
    t->limit = c->throttle.classes[s->class];
    return read_limit(c, section, "stream", &t->limit, err);
}

static bool read_streams(struct config *c, cfg_t *cfg, struct err *err)
{
    unsigned count = cfg_size(cfg, "stream");
    c->streams = xcalloc(count, sizeof(*c->streams));
    c->throttle.streams = xcalloc(count, sizeof(*c->throttle.streams));
    while (c->stream_count < count) {
        cfg_t *section = cfg_getnsec(cfg, "stream", (unsigned)c->stream_count);
        struct stream *s = &c->streams[c->stream_count++];
        if (!read_stream(c, s, section, err) || !read_own_limit(c, s, section, err))
            return false;
    }
    return true;
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
    for (size_t i = 0; i < STREAM_LANGUAGES; i++)
        if (s->titles[i][0])
            buf_addf(out, "  title%s%s = \"%s\"", i ? "_" : "",
                     i ? stream_language_code((enum stream_language)i) : "", s->titles[i]);
    if (s->lifetime_ms > 0)
        buf_addf(out, "  expires = %lld", (long long)(s->lifetime_ms / 1000));
    for (size_t i = 0; i < s->retry_count; i++)
        buf_addf(out, "%s%lld", i ? ", " : "  retry = {", (long long)(s->retries_ms[i] / 1000));
    buf_addf(out, "%s }\n", s->retry_count > 0 ? "}" : "");
}

/* ---- limits ---- */

static bool read_throttle(struct config *c, cfg_t *cfg, struct err *err)
{
    throttle_defaults(&c->throttle);
    if (!throttle_mode_parse(span_of(cfg_getstr(cfg, "throttle")), &c->throttle.mode))
        c->throttle.mode = THROTTLE_ENFORCE;
    for (unsigned i = 0; i < cfg_size(cfg, "limit"); i++) {
        cfg_t *section = cfg_getnsec(cfg, "limit", i);
        struct throttle_limit *l = throttle_limit_named(&c->throttle, span_of(cfg_title(section)));
        if (!l)
            return err_set(err, ERR_CONFIG,
                           "%s: limit \"%.40s\": the name is a class, or \"tenant\", "
                           "\"recipient\", \"domain\", \"rate\", \"alike\" or \"first_time\"",
                           c->path, cfg_title(section));
        set_number(section, "reserve", &l->reserve);
        if (!read_limit(c, section, "limit", l, err))
            return false;
    }
    return true;
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

bool config_streams_read(struct config *c, cfg_t *cfg, struct err *err)
{
    return read_throttle(c, cfg, err) && read_streams(c, cfg, err);
}
