// SPDX-License-Identifier: BSD-2-Clause
/* body_hash.c - Most of a body is canonical as it stands, so that it is hashed where it lies.
 *
 * `run` is what comes next in the canonical form and has not been hashed: bytes of the chunk, or of
 * a constant. It grows for as long as the next canonical bytes are those that lie behind it. When
 * they are others, it is hashed, by way of `gathered` if it is short.
 *
 * Relaxed: a machine takes one byte at a time; within a line's text it first skips what it would
 * not change, a vector at a time.
 * Simple: all up to the line ends of the chunk's end stands as it is.
 *
 * Only bytes that no message of ours holds (a bare CR or LF: the submission is refused) are ever
 * treated in another way than RFC 6376 says: in the relaxed form as libopendkim does.
 */
#include "body_hash.h"

#include "secret.h"
#include "vector.h"

#include <stdlib.h>
#include <string.h>

enum { GATHERED = 2048, LONG_RUN = 512 };

struct body_hash {
    enum body_canon canon;
    struct secret_hash *hash;
    struct span run;
    size_t behind; /* how many bytes lie behind it */
    char gathered[GATHERED];
    size_t gathered_len;

    size_t line_ends;  /* simple: bytes of CRLFs that have not been followed by anything */
    size_t blanks;     /* relaxed: empty lines that have not */
    bool in_blanks;    /* relaxed: nothing has been seen in this line */
    bool unterminated; /* relaxed: text has come since the last blank or line end */
    enum { LINE, BLANK, RETURN, TEXT } after; /* relaxed: a line end, a blank, a CR, text */
};

struct body_hash *body_hash_begin(enum body_canon canon)
{
    struct body_hash *h = xcalloc(1, sizeof(*h));
    h->canon = canon;
    h->run = SPAN_NONE;
    h->in_blanks = true;
    h->hash = secret_hash_begin();
    return h;
}

/* ---- what is canonical ---- */

static void hash_gathered(struct body_hash *h)
{
    if (h->gathered_len > 0)
        secret_hash_add(h->hash, (struct span){h->gathered, h->gathered_len});
    h->gathered_len = 0;
}

static void hash_run(struct body_hash *h)
{
    if (h->run.len >= LONG_RUN || h->run.len > GATHERED - h->gathered_len)
        hash_gathered(h);
    if (h->run.len >= LONG_RUN) {
        secret_hash_add(h->hash, h->run);
    } else if (h->run.len > 0) {
        memcpy(h->gathered + h->gathered_len, h->run.ptr, h->run.len);
        h->gathered_len += h->run.len;
    }
    h->run = SPAN_NONE;
    h->behind = 0;
}

/* The next canonical bytes; `behind` of the same chunk lie behind them. */
static void put(struct body_hash *h, struct span bytes, size_t behind)
{
    const char *next = h->run.ptr + h->run.len;
    if (h->behind >= bytes.len && (next == bytes.ptr || memcmp(next, bytes.ptr, bytes.len) == 0)) {
        h->run.len += bytes.len;
        h->behind -= bytes.len;
        return;
    }
    hash_run(h);
    h->run = bytes;
    h->behind = behind;
}

static void put_blanks(struct body_hash *h)
{
    for (; h->blanks > 0; h->blanks--)
        put(h, SPAN("\r\n"), 0);
}

/* ---- relaxed ---- */

/* How much at the front, where the byte before is text, is canonical as it stands: single spaces
 * within a line, and lines that end with text and CRLF and are followed by one that begins with
 * text. In whole vectors, up to the first byte that may be none of it. */
static size_t canonical_run(struct span s)
{
    size_t at = 0;
    for (; at + sizeof(vector) <= s.len; at += sizeof(vector)) {
        vector these = vector_at(s.ptr + at);
        vector before = vector_at(s.ptr + at - 1);
        vector blank_or_cr = (vector)(these == VECTOR_OF(' ')) | (vector)(these == VECTOR_OF('\r'));
        vector behind_blank_or_lf =
            (vector)(before == VECTOR_OF(' ')) | (vector)(before == VECTOR_OF('\n'));
        vector alone = (vector)(these == VECTOR_OF('\n')) ^ (vector)(before == VECTOR_OF('\r'));
        vector other =
            (vector)(these == VECTOR_OF('\t')) | (blank_or_cr & behind_blank_or_lf) | alone;
        if (vector_any(other))
            return at + vector_first(other);
    }
    return at;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Take such a run. Its last byte may be a blank or a CR: what follows decides about it. */
static void take_canonical_run(struct body_hash *h, struct span run, size_t behind)
{
    if (run.len == 0)
        return;
    char last = run.ptr[run.len - 1];
    size_t open = last == ' ' || last == '\r';
    put(h, span_first(run, run.len - open), behind + open);
    h->after = last == ' ' ? BLANK : last == '\r' ? RETURN : last == '\n' ? LINE : TEXT;
    h->in_blanks = last == '\n';
    h->unterminated = last != ' ' && last != '\n';
}

static void take_text(struct body_hash *h, const char *c, size_t behind)
{
    put_blanks(h);
    if (h->after == BLANK)
        put(h, SPAN(" "), 0);
    put(h, (struct span){c, 1}, behind);
    h->in_blanks = false;
    h->unterminated = true;
    if (h->after != RETURN || *c != '\r')
        h->after = TEXT;
}

static void end_line(struct body_hash *h)
{
    if (h->in_blanks) {
        h->blanks++;
    } else {
        put_blanks(h);
        put(h, SPAN("\r\n"), 0);
        h->unterminated = false;
        h->in_blanks = true;
    }
    h->after = LINE;
}

static void take_blank(struct body_hash *h)
{
    if (h->after == TEXT || h->after == RETURN) {
        put_blanks(h);
        h->unterminated = false;
    }
    h->after = BLANK;
}

static void take_relaxed(struct body_hash *h, const char *c, size_t behind)
{
    if (h->after == RETURN && *c == '\n')
        end_line(h);
    else if (is_blank(*c))
        take_blank(h);
    else if (*c == '\r' && h->after != RETURN)
        h->after = RETURN;
    else
        take_text(h, c, behind);
}

static void add_relaxed(struct body_hash *h, struct span chunk)
{
    while (chunk.len > 0) {
        take_relaxed(h, chunk.ptr, chunk.len - 1);
        chunk = span_from(chunk, 1);
        if (h->after != TEXT)
            continue;
        size_t run = canonical_run(chunk);
        take_canonical_run(h, span_first(chunk, run), chunk.len - run);
        chunk = span_from(chunk, run);
    }
}

/* ---- simple ---- */

static void put_line_ends(struct body_hash *h)
{
    while (h->line_ends > 0) {
        struct span next = span_first(SPAN("\r\n"), h->line_ends);
        put(h, next, 0);
        h->line_ends -= next.len;
    }
}

/* Only what the body ends with is changed: to one CRLF. */
static void add_simple(struct body_hash *h, struct span chunk)
{
    struct span text = chunk;
    while (text.len > 0 && (text.ptr[text.len - 1] == '\r' || text.ptr[text.len - 1] == '\n'))
        text.len--;
    if (text.len > 0) {
        put_line_ends(h);
        put(h, text, 0);
    }
    h->line_ends += chunk.len - text.len;
}

/* ---- both ---- */

void body_hash_add(struct body_hash *h, struct span chunk)
{
    if (chunk.len == 0)
        return;
    if (h->canon == BODY_RELAXED)
        add_relaxed(h, chunk);
    else
        add_simple(h, chunk);
    hash_run(h); /* the chunk is only borrowed */
}

bool body_hash_end(struct body_hash *h, unsigned char hash_r[BODY_HASH])
{
    bool ok = h->canon == BODY_SIMPLE || !h->unterminated;
    if (h->canon == BODY_SIMPLE)
        put(h, SPAN("\r\n"), 0);
    hash_run(h);
    hash_gathered(h);
    secret_hash_end_whole(h->hash, hash_r);
    h->hash = NULL;
    return ok;
}

void body_hash_free(struct body_hash *h)
{
    unsigned char unused[BODY_HASH];
    if (h && h->hash)
        secret_hash_end_whole(h->hash, unused);
    free(h);
}
