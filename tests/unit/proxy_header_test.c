// SPDX-License-Identifier: BSD-2-Clause
/* proxy_header_test.c - Public headers of the PROXY protocol, whole and cut at each byte. */
#include "vectors.h"

#include "proxy_header.h"

enum { BYTES_MAX = 16384 };

static size_t from_hex(const char *hex, char *bytes_r)
{
    size_t len = strlen(hex) / 2;
    assert_true(len <= BYTES_MAX);
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes_r[i] = (char)byte;
    }
    return len;
}

static const char *name_of(enum proxy_header h)
{
    static const char *const names[] = {"wait", "proxied", "peer", "reject"};
    return names[h];
}

/* What is recommended; else what may be. A checksum is not looked at (2.2.5: it is for who knows it). */
static bool is_right(json_t *v, const char *got)
{
    json_t *also = json_object_get(v, "also");
    const char *recommended = vectors_text(v, "recommend");
    if (*recommended && strcmp(vectors_text(v, "error"), "checksum") != 0)
        return strcmp(got, recommended) == 0;
    bool right = strcmp(got, vectors_text(v, "outcome")) == 0;
    for (size_t i = 0; i < json_array_size(also); i++)
        right = right || strcmp(got, json_string_value(json_array_get(also, i))) == 0;
    return right;
}

static void check_client(json_t *v, const struct endpoint *client)
{
    struct ip ip;
    json_t *src = json_object_get(v, "src");
    if (!json_array_size(src))
        return; /* of one whose checksum is wrong */
    assert_true(ip_parse(json_string_value(json_array_get(src, 0)), &ip));
    if (!ip_equal(&ip, &client->ip) || client->port != (unsigned)json_integer_value(json_array_get(src, 1)))
        fail_msg("%s: another client", vectors_text(v, "id"));
}

/* A byte more is needed until the last. */
static void check_cuts(json_t *v, struct span bytes, enum proxy_header whole, size_t length)
{
    struct endpoint client;
    size_t read;
    for (size_t i = 0; i < length; i++)
        if (proxy_header_read(span_first(bytes, i), &client, &read) != PROXY_HEADER_MORE)
            fail_msg("%s: whole after %zu bytes", vectors_text(v, "id"), i);
    assert_true(proxy_header_read(span_first(bytes, length), &client, &read) == whole && read == length);
}

static void public_headers(void **state)
{
    static char bytes[BYTES_MAX];
    json_t *all = vectors_load("proxy-public.json");
    json_t *list = json_object_get(all, "vectors");
    (void)state;
    assert_true(json_array_size(list) > 100);
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *v = json_array_get(list, i);
        struct endpoint client;
        size_t length;
        if (strncmp(vectors_text(v, "id"), "peer/", 5) == 0)
            continue; /* who may say it is not known here */
        struct span all_bytes = {bytes, from_hex(vectors_text(v, "bytes"), bytes)};
        enum proxy_header h = proxy_header_read(all_bytes, &client, &length);
        if (!is_right(v, name_of(h)))
            fail_msg("%s: %s", vectors_text(v, "id"), name_of(h));
        if (h != PROXY_HEADER_CLIENT && h != PROXY_HEADER_LOCAL)
            continue;
        assert_true(length <= all_bytes.len && length <= PROXY_HEADER_MAX);
        assert_int_equal(all_bytes.len - length, strlen(vectors_text(v, "rest")) / 2);
        if (h == PROXY_HEADER_CLIENT)
            check_client(v, &client);
        check_cuts(v, all_bytes, h, length);
    }
    json_decref(all);
}

static void nothing_is_read_beyond_its_end(void **state)
{
    static const char head[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x10\x00";
    char *exact = malloc(16);
    struct endpoint client;
    size_t length;
    (void)state;
    memcpy(exact, head, 16); /* a length, and nothing behind it */
    assert_int_equal(proxy_header_read((struct span){exact, 16}, &client, &length), PROXY_HEADER_MORE);
    exact[14] = 0x10;
    exact[15] = 0x01;
    assert_int_equal(proxy_header_read((struct span){exact, 16}, &client, &length), PROXY_HEADER_REFUSED);
    free(exact);
    assert_int_equal(proxy_header_read(SPAN_NONE, &client, &length), PROXY_HEADER_MORE);
    assert_int_equal(proxy_header_read(SPAN("PROXY \n"), &client, &length), PROXY_HEADER_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(public_headers), cmocka_unit_test(nothing_is_read_beyond_its_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
