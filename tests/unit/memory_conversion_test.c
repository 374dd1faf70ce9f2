// SPDX-License-Identifier: BSD-2-Clause
/* memory_conversion_test.c - Without memory for a copy that a server which takes ASCII only is to have, it is tried again: no abort, no
 * bounce, nothing left out. Each large allocation fails in turn. */
#include "memory_stage.h"

#include "compose.h"

#include <stdlib.h>

/* Fields as large as a peer may make them, each of a form that is encoded in its own way. */
static const char *const large_fields[][2] = {
    {"Subject: ", ""},
    {"X-Note: ", ""},
    {"Reply-To: (", ") <b@dest.test>"},
    {"Keywords: \"", "\" x"},
    {"List-Help: <http://dest.test/", ">"},
    {"Content-Disposition: attachment; filename=\"", "\""},
    {"Content-Disposition: attachment; filename*7*=\"", "\""},
    {"Content-Type: application/octet-stream; name=\"", ".p7\""},
    {"Content-Type: (", ""},
};
static char large_header[256 * 1024], large_body[512 * 1024];
static struct span header_8bit, body_8bit;

static void add_large(struct buf *out, const char *const field[2])
{
    buf_addf(out, "%s", field[0]);
    for (size_t n = 0; n < 4500; n++)
        buf_add(out, SPAN("\xc3\xa4"));
    buf_addf(out, "%s\r\n", field[1]);
}

static struct span keep(struct buf *b, char *memory, size_t size)
{
    struct span all = buf_span(b);
    assert_false(b->overflow);
    assert_in_range(all.len, 1, size);
    memcpy(memory, all.ptr, all.len);
    buf_fini(b);
    return (struct span){memory, all.len};
}

static void make_8bit(void)
{
    struct buf b;
    buf_init(&b, sizeof(large_header));
    buf_add(&b, SPAN("From: <hello@club.test>\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: multipart/mixed; boundary=x\r\n"));
    for (size_t i = 0; i < 5; i++)
        add_large(&b, large_fields[i]);
    header_8bit = keep(&b, large_header, sizeof(large_header));
    buf_init(&b, sizeof(large_body));
    for (size_t i = 0; i < COUNT_OF(large_fields); i++) {
        buf_add(&b, SPAN("--x\r\n"));
        add_large(&b, large_fields[i]);
        buf_add(&b, SPAN("\r\n\xc3\xa4\r\n"));
    }
    for (size_t i = 0; i < 40000; i++) /* each part is noted */
        buf_add(&b, SPAN("--x\r\n\r\n"));
    buf_add(&b, SPAN("--x--\r\n"));
    body_8bit = keep(&b, large_body, sizeof(large_body));
}

struct reading {
    size_t at;
};

static bool read_8bit(void *context, struct span *chunk_r, struct err *err)
{
    struct reading *r = context;
    (void)err;
    *chunk_r = span_first(span_from(body_8bit, r->at), 64 * 1024);
    r->at += chunk_r->len;
    return true;
}

static void rewind_8bit(void *context)
{
    ((struct reading *)context)->at = 0;
}

/* As it is sent; false when memory was short. */
static bool send_8bit(const struct compose_output *out, struct buf *sent)
{
    struct buf piece;
    bool ok = true;
    struct err err = {0};
    buf_init_peer(&piece, COMPOSE_CONVERTED_MAX);
    sevenbit_write_header(out->conversion, &piece);
    ok = compose_converted(&piece, &err);
    buf_clear(&piece);
    for (size_t at = 0; ok && at <= body_8bit.len; at += COMPOSE_PIECE_MAX) {
        struct span part = span_first(span_from(body_8bit, at), COMPOSE_PIECE_MAX);
        sevenbit_write(out->conversion, part, &piece);
        ok = compose_converted(&piece, &err);
        buf_add(sent, buf_span(&piece));
        buf_clear(&piece);
    }
    sevenbit_write_end(out->conversion, &piece);
    ok = ok && compose_converted(&piece, &err);
    buf_add(sent, buf_span(&piece));
    assert_true(ok || err.kind == ERR_SYSTEM);
    buf_fini(&piece);
    return ok;
}

static enum compose_result compose_8bit(const struct signing_key *pair, struct compose_output *out)
{
    static struct reading reading;
    struct compose_input in = {.header = header_8bit,
                               .read_body = read_8bit,
                               .rewind_body = rewind_8bit,
                               .context = &reading,
                               .header_has_utf8 = true,
                               .body_has_8bit = true,
                               .hostname = "mail.club.test",
                               .protocol = SPAN("ESMTPSA"),
                               .id = "id1",
                               .domain = "club.test",
                               .keys = pair,
                               .key_count = 1};
    reading.at = 0;
    return compose(&in, out);
}

/* The same copy as ever, or our fault: never a bounce, an abort, or a copy with something left out.
 * Each large allocation fails in turn, while it is made and while it is sent. */
static void a_conversion_without_memory_is_our_fault(void **state)
{
    struct key *key = memory_make_key();
    struct signing_key pair = {.key = key, .selector = "s"};
    struct buf whole;
    struct buf sent;
    size_t head = 0;
    int faults = 0;
    (void)state;
    make_8bit();
    memory_large = 4096;
    memory_only_growing = true;
    buf_init(&whole, 4 * sizeof(large_body));
    buf_init(&sent, 4 * sizeof(large_body));
    CHECK(buf_reserve(&whole, whole.limit) && buf_reserve(&sent, sent.limit));
    bool failed = true;
    for (int at = 0; failed; at++) {
        struct compose_output out;
        memory_begin_to_fail(at);
        enum compose_result result = compose_8bit(&pair, &out);
        failed = at == 0 || memory_has_failed();
if (result == COMPOSE_NEVER) print_error("%s\n", out.verdict.text);
        assert_int_equal(result, at > 0 && failed ? COMPOSE_FAULT : COMPOSE_OK);
        faults += result == COMPOSE_FAULT;
        head = head > 0 ? head : out.head.len;
        assert_true(result != COMPOSE_OK || (out.head.len == head && out.conversion));
        compose_fini(&out);
    }
    assert_in_range(faults, 60, 10000);
    faults = 0;
    failed = true;
    for (int at = 0; failed; at++) {
        struct compose_output out;
        assert_int_equal(compose_8bit(&pair, &out), COMPOSE_OK);
        buf_clear(&sent);
        memory_begin_to_fail(at);
        bool ok = send_8bit(&out, at == 0 ? &whole : &sent);
        failed = at == 0 || memory_has_failed();
        assert_true(ok == (at == 0 || !failed));
        assert_true(at == 0 || !ok || span_equal(buf_span(&sent), buf_span(&whole)));
        faults += !ok;
        compose_fini(&out);
    }
    assert_in_range(faults, 60, 10000);
    memory_large = LARGE;
    memory_only_growing = false;
    buf_fini(&whole);
    buf_fini(&sent);
    key_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversion_without_memory_is_our_fault),
    };
    memory_of_openssl();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
