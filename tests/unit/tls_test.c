// SPDX-License-Identifier: BSD-2-Clause
/* tls_test.c - What a failed handshake is said to have failed by. */
#include "table.h"

#include "key.h"
#include "tls.h"

#include <string.h>

static struct tls_context *server, *client;

static int set_up(void **state)
{
    struct buf certificate;
    struct buf key;
    struct err err = {0};
    (void)state;
    buf_init(&certificate, 16384);
    buf_init(&key, 16384);
    bool ok = key_self_signed("mx.test", &certificate, &key, &err) &&
              tls_server_context_from(buf_span(&certificate), buf_span(&key), &server, &err) &&
              tls_client_context(NULL, &client, &err);
    buf_fini(&certificate);
    buf_fini(&key);
    return ok ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_free(server);
    tls_context_free(client);
    return 0;
}

/* A handshake whose last record from the server, after its certificate, is spoilt. */
static void shake(enum tls_demand demand, struct tls *c)
{
    struct tls s;
    tls_accept(&s, server, TLS_SMTP);
    tls_connect(c, client, "mx.test", demand);
    tls_input(&s, buf_span(&c->cipher));
    assert_true(s.cipher.len > 100);
    s.cipher.memory[s.cipher.len - 1] ^= 1;
    tls_input(c, buf_span(&s.cipher));
    assert_int_equal(c->state, TLS_FAILED);
    tls_fini(&s);
}

/* The kind: a certificate that nobody has asked to be valid is blamed for what has failed otherwise. */
static void a_certificate_is_blamed_only_where_it_is_checked(void **state)
{
    static const struct {
        enum tls_demand demand;
        bool blamed;
    } rows[] = {{TLS_ANY, false}, {TLS_STRONG, false}, {TLS_VERIFIED, true}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct tls c;
        shake(rows[i].demand, &c);
        EXPECT((strstr(c.err.text, "certificate refused") != NULL) == rows[i].blamed, c.err.text);
        assert_true(strlen(c.err.text) > 0);
        tls_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_certificate_is_blamed_only_where_it_is_checked)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
