// SPDX-License-Identifier: BSD-2-Clause
/* unsubscribe.c - Tokens and permits, and the URLs that hold tokens.
 *
 * Both are base64url of: version, key id, seal. Version and key id are authenticated by the seal.
 * Tokens and permits have different versions and keys.
 */
#include "unsubscribe.h"
#include "base64.h"

#include "message.h"

#include <stdio.h>
#include <string.h>

enum { TOKEN = 1, PERMIT = 2, PREFIX = 2, KEY_BYTES = 32, URL_MAX = 900 };

static const char post_value[] = "List-Unsubscribe=One-Click";

/* ---- keys ---- */

static bool read_key(struct span line, struct unsubscribe_key *key, struct err *err)
{
    struct buf bytes;
    unsigned char digest[16];
    buf_init(&bytes, 64);
    bool ok = base64_decode(line, &bytes) && bytes.len == KEY_BYTES;
    if (ok) {
        secret_digest(buf_span(&bytes), digest);
        key->id = digest[0];
        secret_derive(buf_span(&bytes), "sealpost unsubscribe", key->bytes, sizeof(key->bytes));
        secret_derive(buf_span(&bytes), "sealpost permit", key->permit, sizeof(key->permit));
        secret_derive(buf_span(&bytes), "sealpost return path", key->returns, sizeof(key->returns));
    }
    secret_clear(bytes.memory, bytes.size);
    buf_fini(&bytes);
    return ok || err_set(err, ERR_CONFIG, "an unsubscribe key is 32 bytes as base64, one a line");
}

bool unsubscribe_keys_read(struct span text, struct unsubscribe_keys *keys, struct err *err)
{
    *keys = (struct unsubscribe_keys){0};
    while (text.len > 0) {
        struct span line = span_trim(span_take(&text, '\n'));
        if (line.len == 0)
            continue;
        if (keys->count == UNSUBSCRIBE_KEYS_MAX)
            return err_set(err, ERR_CONFIG, "there are over %d unsubscribe keys: drop the oldest",
                           UNSUBSCRIBE_KEYS_MAX);
        if (!read_key(line, &keys->keys[keys->count++], err))
            return false;
    }
    return keys->count > 0 || err_set(err, ERR_CONFIG, "there is no unsubscribe key");
}

void unsubscribe_keys_clear(struct unsubscribe_keys *keys)
{
    secret_clear(keys, sizeof(*keys));
}

/* ---- tokens ---- */

static bool to_base64url(struct span bytes, struct buf *out)
{
    struct buf text;
    buf_init(&text, 2 * UNSUBSCRIBE_TOKEN_MAX);
    bool ok = base64_encode(bytes, &text);
    for (size_t i = 0; ok && i < text.len && text.ptr[i] != '='; i++) {
        char c = text.ptr[i];
        buf_add_char(out, c == '+' ? '-' : c == '/' ? '_' : c);
    }
    buf_fini(&text);
    return ok && !out->overflow;
}

static bool from_base64url(struct span token, struct buf *bytes)
{
    struct buf text;
    buf_init(&text, 2 * UNSUBSCRIBE_TOKEN_MAX);
    bool ok = token.len <= UNSUBSCRIBE_TOKEN_MAX;
    for (size_t i = 0; ok && i < token.len; i++) {
        char c = token.ptr[i];
        ok = c != '+' && c != '/' && c != '=';
        buf_add_char(&text, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (ok && text.len % 4 != 0)
        buf_add_char(&text, '=');
    ok = ok && base64_decode(buf_span(&text), bytes);
    buf_clear(&text); /* one way of writing it is good: bits that carry nothing are zero */
    ok = ok && to_base64url(buf_span(bytes), &text) && span_equal(buf_span(&text), token);
    buf_fini(&text);
    return ok;
}

static const unsigned char *key_for(const struct unsubscribe_key *key, char version)
{
    return version == PERMIT ? key->permit : key->bytes;
}

static bool seal(const struct unsubscribe_keys *keys, char version, const struct buf *plain,
                 struct buf *out)
{
    struct buf bytes;
    buf_init(&bytes, UNSUBSCRIBE_TOKEN_MAX);
    CHECK(keys->count > 0);
    const char prefix[PREFIX] = {version, (char)keys->keys[0].id};
    const struct span about = {prefix, sizeof(prefix)};
    bool ok = !plain->overflow && buf_add(&bytes, about) &&
              secret_seal(key_for(&keys->keys[0], version), about, buf_span(plain), &bytes);
    ok = ok && to_base64url(buf_span(&bytes), out);
    buf_fini(&bytes);
    return ok;
}

static bool unseal(const struct unsubscribe_keys *keys, char version, struct span text,
                   struct buf *plain)
{
    struct buf bytes;
    bool ok = false;
    buf_init(&bytes, UNSUBSCRIBE_TOKEN_MAX);
    bool form = from_base64url(text, &bytes) && bytes.len > PREFIX && bytes.ptr[0] == version;
    struct span whole = buf_span(&bytes);
    for (size_t i = 0; form && !ok && i < keys->count; i++) {
        if (keys->keys[i].id != (unsigned char)whole.ptr[1])
            continue;
        buf_clear(plain);
        ok = secret_unseal(key_for(&keys->keys[i], version), span_first(whole, PREFIX),
                           span_from(whole, PREFIX), plain);
    }
    buf_fini(&bytes);
    return ok;
}

static void write_subject(const struct unsubscribe_subject *subject, struct buf *out)
{
    buf_addf(out, "%s\n%s\n%s", subject->tenant, subject->stream, subject->recipient);
}

bool unsubscribe_token(const struct unsubscribe_keys *keys,
                       const struct unsubscribe_subject *subject, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, UNSUBSCRIBE_TOKEN_MAX);
    write_subject(subject, &plain);
    bool ok = seal(keys, TOKEN, &plain, out);
    buf_fini(&plain);
    return ok;
}

/* Two lines and what is left. */
static bool read_subject(struct span plain, struct unsubscribe_subject *subject)
{
    struct span tenant = span_take(&plain, '\n');
    struct span stream = span_take(&plain, '\n');
    return span_copy(tenant, subject->tenant, sizeof(subject->tenant)) &&
           span_copy(stream, subject->stream, sizeof(subject->stream)) &&
           span_copy(plain, subject->recipient, sizeof(subject->recipient)) && plain.len > 0;
}

bool unsubscribe_open(const struct unsubscribe_keys *keys, struct span token,
                      struct unsubscribe_subject *subject)
{
    struct buf plain;
    *subject = (struct unsubscribe_subject){0};
    buf_init(&plain, UNSUBSCRIBE_TOKEN_MAX);
    bool ok = unseal(keys, TOKEN, token, &plain) && read_subject(buf_span(&plain), subject);
    buf_fini(&plain);
    return ok;
}

/* ---- permits ---- */

/* Of what it is. */
static void digest_scope(const struct unsubscribe_permit *p, unsigned char digest_r[16])
{
    const char *const parts[] = {p->tenant, p->stream, p->recipient};
    struct secret_hash *h = secret_hash_begin();
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        secret_hash_add(h, span_of(parts[i]));
        secret_hash_add(h, SPAN("\n"));
    }
    if (p->pause)
        secret_hash_add(h, SPAN("pause\n"));
    secret_hash_end(h, digest_r);
}

bool unsubscribe_permit(const struct unsubscribe_keys *keys, const struct unsubscribe_permit *p,
                        struct buf *out)
{
    unsigned char digest[16];
    struct buf plain;
    digest_scope(p, digest);
    buf_init(&plain, UNSUBSCRIBE_TOKEN_MAX);
    buf_add(&plain, (struct span){(const char *)digest, sizeof(digest)});
    buf_addf(&plain, "%lld", (long long)p->made_ms);
    bool ok = seal(keys, PERMIT, &plain, out);
    buf_fini(&plain);
    return ok;
}

bool unsubscribe_permitted(const struct unsubscribe_keys *keys, struct span text, int64_t now_ms,
                           struct unsubscribe_permit *p)
{
    unsigned char digest[16];
    struct buf plain;
    uint64_t made = 0;
    digest_scope(p, digest);
    buf_init(&plain, UNSUBSCRIBE_TOKEN_MAX);
    bool ok = unseal(keys, PERMIT, text, &plain) &&
              span_equal(span_first(buf_span(&plain), sizeof(digest)),
                         (struct span){(const char *)digest, sizeof(digest)}) &&
              span_number(span_from(buf_span(&plain), sizeof(digest)), &made);
    buf_fini(&plain);
    ok =
        ok && made <= (uint64_t)now_ms && (uint64_t)now_ms - made < (uint64_t)unsubscribe_permit_ms;
    p->made_ms = ok ? (int64_t)made : 0;
    return ok;
}

void unsubscribe_permit_name(const struct unsubscribe_permit *p, char *name_r)
{
    unsigned char digest[16];
    digest_scope(p, digest);
    snprintf(name_r, UNSUBSCRIBE_PERMIT_NAME, "__Host-undo-%02x%02x%02x%02x%02x%02x", digest[0],
             digest[1], digest[2], digest[3], digest[4], digest[5]);
}

/* ---- URLs ---- */

static void add_encoded(struct buf *out, struct span s)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '\0' && strchr(plain, s.ptr[i]))
            buf_add_char(out, s.ptr[i]);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)s.ptr[i]);
    }
}

bool unsubscribe_url_ok(struct span url)
{
    bool ok = span_starts_nocase(url, SPAN("https://")) && url.len > 8 && url.len <= URL_MAX;
    for (size_t i = 0; ok && i < url.len; i++)
        ok = url.ptr[i] > ' ' && url.ptr[i] < 0x7f && !strchr("<>\"\\^`", url.ptr[i]);
    return ok;
}

bool unsubscribe_url(const char *template, struct span token,
                     const struct unsubscribe_subject *subject, struct buf *out)
{
    const struct {
        struct span mark, value;
    } marks[] = {{SPAN("{token}"), token},
                 {SPAN("{recipient}"), span_of(subject->recipient)},
                 {SPAN("{stream}"), span_of(subject->stream)},
                 {SPAN("{tenant}"), span_of(subject->tenant)}};
    struct span rest = span_of(template);
    size_t begin = out->len;
    while (rest.len > 0) {
        size_t taken = 0;
        for (size_t i = 0; taken == 0 && i < COUNT_OF(marks); i++) {
            if (!span_starts_nocase(rest, marks[i].mark))
                continue;
            add_encoded(out, marks[i].value);
            taken = marks[i].mark.len;
        }
        if (taken == 0) {
            buf_add_char(out, rest.ptr[0]);
            taken = 1;
        }
        rest = span_from(rest, taken);
    }
    return !out->overflow && unsubscribe_url_ok(span_from(buf_span(out), begin));
}

bool unsubscribe_link(const struct stream *stream, const char *http_url,
                      const struct unsubscribe_keys *keys,
                      const struct unsubscribe_subject *subject, struct buf *out)
{
    struct buf token;
    buf_init(&token, UNSUBSCRIBE_TOKEN_MAX);
    bool ok = stream->unsubscribe != STREAM_STAY && unsubscribe_token(keys, subject, &token);
    if (ok && stream->unsubscribe == STREAM_ONE_CLICK)
        ok = buf_addf(out, "%s/%.*s", http_url, SPAN_ARG(buf_span(&token)));
    else if (ok)
        ok = unsubscribe_url(stream->url, buf_span(&token), subject, out);
    buf_fini(&token);
    return ok;
}

/* ---- what an application sets itself ---- */

/* Does one of the URIs between angle brackets begin so? */
static bool names_uri(struct span value, struct span scheme)
{
    while (value.len > 0) {
        span_take(&value, '<');
        if (span_starts_nocase(value, scheme))
            return span_find(value, '>') < value.len;
    }
    return false;
}

struct verdict unsubscribe_check(struct span header)
{
    struct field list;
    struct field post;
    bool has_list = message_find(header, SPAN("List-Unsubscribe"), 0, &list);
    bool has_post = message_find(header, SPAN("List-Unsubscribe-Post"), 0, &post);
    struct field again;
    if (message_find(header, SPAN("List-Unsubscribe"), 1, &again) ||
        message_find(header, SPAN("List-Unsubscribe-Post"), 1, &again))
        return verdict_make(550, "5.6.0",
                            "List-Unsubscribe and List-Unsubscribe-Post may occur once each: keep "
                            "one (RFC 8058 3.1)");
    if (has_list && !names_uri(list.value, SPAN("https:")) &&
        !names_uri(list.value, SPAN("mailto:")) && !names_uri(list.value, SPAN("http:")))
        return verdict_make(550, "5.6.0",
                            "List-Unsubscribe names no URI: write it as "
                            "<https://...> (RFC 2369 2)");
    if (!has_list || !has_post)
        return verdict_make(250, "2.0.0", "OK");
    if (!span_equal_nocase(span_trim(post.value), span_of(post_value)))
        return verdict_make(550, "5.6.0",
                            "List-Unsubscribe-Post must be exactly "
                            "\"List-Unsubscribe=One-Click\" (RFC 8058 3.1)");
    if (!names_uri(list.value, SPAN("https:")))
        return verdict_make(550, "5.6.0",
                            "List-Unsubscribe-Post needs an https URI in "
                            "List-Unsubscribe (RFC 8058 3.1)");
    return verdict_make(250, "2.0.0", "OK");
}
