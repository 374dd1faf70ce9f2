// SPDX-License-Identifier: BSD-2-Clause
/* fingerprint.c - Digests the visible text of a message in a normalized form, so that two copies
 * with the same content get the same fingerprint. */
#include "fingerprint.h"

#include "message.h"
#include "mime.h"
#include "secret.h"

#include <stdio.h>

enum { TEXT_MAX = 4 * 1024 * 1024, TOKEN_MIN = 16, CODE_MIN = 6, CODE_MAX = 8 };

struct writer {
    struct secret_hash *hash;
    bool squash;
};

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '%';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A code to type in, or a token that no human has chosen. */
static bool is_random(struct span word)
{
    size_t digits = 0;
    size_t upper = 0;
    size_t lower = 0;
    for (size_t i = 0; i < word.len; i++) {
        digits += word.ptr[i] >= '0' && word.ptr[i] <= '9';
        upper += word.ptr[i] >= 'A' && word.ptr[i] <= 'Z';
        lower += word.ptr[i] >= 'a' && word.ptr[i] <= 'z';
    }
    if (digits == word.len)
        return word.len >= CODE_MIN && word.len <= CODE_MAX;
    return word.len >= TOKEN_MIN && (digits > 0 || (upper > 3 && lower > 3));
}

/* Without what is random, and with one blank for any number of them. */
static void squash(struct span s, struct buf *out)
{
    while (s.len > 0) {
        size_t n = 0;
        if (is_blank(s.ptr[0])) {
            while (n < s.len && is_blank(s.ptr[n]))
                n++;
            buf_add_char(out, ' ');
        } else if (is_word(s.ptr[0])) {
            while (n < s.len && is_word(s.ptr[n]))
                n++;
            struct span word = span_first(s, n);
            buf_add(out, is_random(word) ? SPAN("*") : word);
        } else {
            buf_add_char(out, s.ptr[n++]);
        }
        s = span_from(s, n);
    }
}

/* Each piece with its length, so that no two sequences of pieces are the same bytes. */
static void add_piece(struct writer *w, struct span s)
{
    char length[32];
    int digits = snprintf(length, sizeof(length), "%zu:", s.len);
    secret_hash_add(w->hash, (struct span){length, (size_t)digits});
    secret_hash_add(w->hash, s);
}

static void add_text(struct writer *w, struct span s)
{
    struct buf squashed;
    if (!w->squash) {
        add_piece(w, span_trim(s));
        return;
    }
    buf_init(&squashed, TEXT_MAX);
    squash(span_trim(s), &squashed);
    add_piece(w, buf_span(&squashed));
    buf_fini(&squashed);
}

static void add_field(struct writer *w, struct span header, const char *name)
{
    struct field f;
    struct buf value;
    buf_init(&value, MESSAGE_FIELD_MAX);
    if (message_find(header, span_of(name), 0, &f))
        mime_decode_words(f.value, &value);
    add_text(w, buf_span(&value));
    buf_fini(&value);
}

static void add_leaf(void *context, const struct mime_entity *leaf)
{
    struct writer *w = context;
    struct buf body;
    bool encoded = span_equal_nocase(leaf->encoding, SPAN("quoted-printable")) ||
                   span_equal_nocase(leaf->encoding, SPAN("base64"));
    add_piece(w, leaf->type);
    if (!mime_is_text(leaf)) {
        add_piece(w, leaf->body);
    } else if (!encoded) {
        add_text(w, leaf->body);
    } else {
        buf_init(&body, TEXT_MAX);
        mime_decode(leaf->encoding, leaf->body, &body);
        add_text(w, buf_span(&body));
        buf_fini(&body);
    }
}

void fingerprint_make(struct span header, struct span body, enum stream_class class,
                      unsigned char print_r[FINGERPRINT_BYTES])
{
    static const char *const fields[] = {"From", "Reply-To", "Subject"};
    struct writer w = {.hash = secret_hash_begin(), .squash = class == STREAM_SECURITY};
    add_piece(&w, span_of(stream_class_name(class)));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        add_field(&w, header, fields[i]);
    mime_leaves(header, body, add_leaf, &w);
    secret_hash_end(w.hash, print_r);
}
