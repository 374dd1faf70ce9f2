// SPDX-License-Identifier: BSD-2-Clause
/* fingerprint.c - Write down what a message says in a form that two copies share, and digest it. */
#include "fingerprint.h"

#include "message.h"
#include "mime.h"
#include "secret.h"

enum { TEXT_MAX = 4 * 1024 * 1024, TOKEN_MIN = 16, CODE_MIN = 6, CODE_MAX = 8 };

struct writer {
    struct buf text;
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

/* Blanks of any kind and number are one. */
static void write_text(struct writer *w, struct span s)
{
    while (s.len > 0) {
        size_t n = 0;
        if (is_blank(s.ptr[0])) {
            while (n < s.len && is_blank(s.ptr[n]))
                n++;
            buf_add_char(&w->text, ' ');
        } else if (is_word(s.ptr[0])) {
            while (n < s.len && is_word(s.ptr[n]))
                n++;
            struct span word = span_first(s, n);
            buf_add(&w->text, w->squash && is_random(word) ? SPAN("*") : word);
        } else {
            buf_add_char(&w->text, s.ptr[n++]);
        }
        s = span_from(s, n);
    }
}

static void write_field(struct writer *w, struct span header, const char *name)
{
    struct field f;
    struct buf value;
    buf_addf(&w->text, "\n%s:", name);
    if (!message_find(header, span_of(name), 0, &f))
        return;
    buf_init(&value, MESSAGE_FIELD_MAX);
    mime_decode_words(f.value, &value);
    write_text(w, span_trim(buf_span(&value)));
    buf_fini(&value);
}

/* The line before a leaf cannot be part of the one before: write_text() leaves no line ends. */
static void write_leaf(void *context, const struct mime_entity *leaf)
{
    struct writer *w = context;
    struct buf body;
    bool text = mime_is_text(leaf);
    buf_add_char(&w->text, '\n');
    write_text(w, leaf->type);
    if (!text) {
        buf_addf(&w->text, ":%zu:", leaf->body.len);
        buf_add(&w->text, leaf->body);
        return;
    }
    buf_add_char(&w->text, ':');
    buf_init(&body, TEXT_MAX);
    mime_decode(leaf->encoding, leaf->body, &body);
    write_text(w, span_trim(buf_span(&body)));
    buf_fini(&body);
}

void fingerprint_make(struct span header, struct span body, enum stream_class class,
                      unsigned char print_r[FINGERPRINT_BYTES])
{
    static const char *const fields[] = {"From", "Reply-To", "Subject"};
    struct writer w = {.squash = class == STREAM_SECURITY};
    buf_init(&w.text, TEXT_MAX);
    buf_addf(&w.text, "%s", stream_class_name(class));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        write_field(&w, header, fields[i]);
    mime_leaves(header, body, write_leaf, &w);
    secret_digest(buf_span(&w.text), print_r);
    buf_fini(&w.text);
}
