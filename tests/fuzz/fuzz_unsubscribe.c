// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_unsubscribe.c - What comes over HTTP: no token opens that we have not made; forms, languages and templates are read to their
 * end; what a page says is escaped. */
#include "message.h"
#include "unsubscribe.h"
#include "unsubscribe_page.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_token(const struct unsubscribe_keys *keys, struct span token)
{
    struct unsubscribe_subject subject;
    struct buf again;
    if (!unsubscribe_open(keys, token, &subject))
        return;
    buf_init(&again, UNSUBSCRIBE_TOKEN_MAX);
    CHECK(unsubscribe_token(keys, &subject, &again) && span_equal(buf_span(&again), token)); /* one of ours, then */
    buf_fini(&again);
}

static void show_page(unsigned choice, const char *name)
{
    struct buf page;
    uint32_t color = 0;
    const struct unsubscribe_view view = {.result = (enum unsubscribe_result)(choice % UNSUBSCRIBE_RESULTS),
                                          .language = (enum language)(choice % LANGUAGE_COUNT),
                                          .sender = name,
                                          .stream = name,
                                          .recipient = name,
                                          .stream_since_ms = choice % 3,
                                          .flood_until_ms = choice % 5,
                                          .can_undo = choice % 2};
    buf_init(&page, 1024 * 1024);
    unsubscribe_page(&view, &page);
    CHECK(span_search(buf_span(&page), SPAN("<script")) == page.len);
    buf_clear(&page);
    if (unsubscribe_color(span_of(name), &color))
        unsubscribe_style(color, &page);
    buf_fini(&page);
}

static void open_permit(const struct unsubscribe_keys *keys, struct span text)
{
    struct unsubscribe_permit p = {"t", "s", "r@x.test", 0, false};
    CHECK(!unsubscribe_permitted(keys, text, INT64_MAX, &p) && p.made_ms == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unsubscribe_keys keys;
    struct err err = {0};
    struct span all = {(const char *)data, size};
    struct span first = span_take(&all, '\n');
    struct unsubscribe_subject subject = {"t", "s", "r@x.test"};
    struct verdict v = unsubscribe_check(all);
    struct buf text;
    if (keys.count == 0)
        CHECK(unsubscribe_keys_read(SPAN("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), &keys, &err));
    open_token(&keys, first);
    open_token(&keys, all);
    open_permit(&keys, first);
    CHECK(unsubscribe_form(first, all) <= UNSUBSCRIBE_UNDO && language_accept(first) < LANGUAGE_COUNT && v.code >= 250);
    buf_init(&text, 64 * 1024);
    buf_add(&text, first);
    if (strlen(buf_text(&text)) == first.len) {
        struct buf url;
        buf_init(&url, 64 * 1024);
        if (unsubscribe_url(buf_text(&text), SPAN("T"), &subject, &url))
            CHECK(unsubscribe_url_ok(buf_span(&url)) && span_find(buf_span(&url), '\n') == url.len);
        buf_fini(&url);
        show_page((unsigned)size, buf_text(&text));
    }
    buf_fini(&text);
    return 0;
}
