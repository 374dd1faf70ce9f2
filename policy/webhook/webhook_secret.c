// SPDX-License-Identifier: BSD-2-Clause
/* webhook_secret.c - The key is what the base64 stands for, never the text: the receivers'
 * libraries decode it. */
#include "webhook_secret.h"

#include "base64.h"
#include "secret.h"

#include <string.h>

enum { GENERATED = 32, MAC = 32 };

static const char prefix[] = "whsec_";

void webhook_secret_generate(char *text_r)
{
    unsigned char key[GENERATED];
    struct buf text;
    secret_random(key, sizeof(key));
    buf_init(&text, WEBHOOK_SECRET_TEXT);
    buf_add(&text, span_of(prefix));
    CHECK(base64_encode((struct span){(const char *)key, sizeof(key)}, &text));
    span_put(buf_span(&text), text_r, WEBHOOK_SECRET_TEXT);
    secret_clear(key, sizeof(key));
    secret_clear(text.ptr, text.len);
    buf_fini(&text);
}

static struct span without_line_end(struct span text)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    return text;
}

bool webhook_secret_read(struct span text, struct webhook_key *key_r)
{
    struct buf bytes;
    text = without_line_end(text);
    buf_init(&bytes, WEBHOOK_KEY_MAX);
    bool ok = text.len > strlen(prefix) &&
              span_equal(span_first(text, strlen(prefix)), span_of(prefix)) &&
              base64_decode(span_from(text, strlen(prefix)), &bytes) && !bytes.overflow &&
              bytes.len >= WEBHOOK_KEY_MIN;
    *key_r = (struct webhook_key){.len = ok ? bytes.len : 0};
    if (ok)
        memcpy(key_r->bytes, bytes.ptr, bytes.len);
    secret_clear(bytes.ptr, bytes.len);
    buf_fini(&bytes);
    return ok;
}

void webhook_secret_sign(struct span key, const char *id, int64_t at_s, struct span body,
                         struct buf *out)
{
    unsigned char mac[MAC];
    struct buf content;
    buf_init(&content, body.len + 200);
    buf_addf(&content, "%s.%lld.", id, (long long)at_s);
    buf_add(&content, body);
    CHECK(!content.overflow);
    secret_mac_whole(key, buf_span(&content), mac);
    buf_addf(out, "%sv1,", out->len > 0 ? " " : "");
    CHECK(base64_encode((struct span){(const char *)mac, sizeof(mac)}, out));
    buf_fini(&content);
}
