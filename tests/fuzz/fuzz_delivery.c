// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_delivery.c - A hostile server: the first byte chooses pieces and settings, the rest is what it says. */
#include "delivery.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delivery_settings settings = {.hostname = "relay.test", .tls = DELIVERY_TLS_MAY, .password = "secret"};
    struct delivery_rcpt rcpts[3];
    struct delivery_mail mail;
    struct delivery d;
    size_t step = size > 0 ? 1U + data[0] % 32U : 1U;
    settings.tls_unsaid = size > 0 && data[0] / 32 % 2 == 1;
    settings.username = size > 0 && data[0] >= 128 ? "me" : NULL;
    settings.token = size > 0 && data[0] >= 192 ? "token" : NULL;
    delivery_init(&d, &settings);
    for (size_t at = 1; at < size && d.want != DELIVERY_CLOSE;) {
        struct span rest = {(const char *)data + at, size - at};
        switch (d.want) {
        case DELIVERY_DEMAND:
            settings.tls = data[0] % 2 ? DELIVERY_TLS_REQUIRE : DELIVERY_TLS_MAY;
            settings.tls_unsaid = false;
            if (data[0] % 64 == 63)
                delivery_distrust(&d, &(struct verdict){.what = VERDICT_DEFER, .code = 451});
            else
                delivery_demand(&d);
            break;
        case DELIVERY_TLS:
            delivery_tls_started(&d);
            break;
        case DELIVERY_READY:
            mail = (struct delivery_mail){.sender = SPAN("a@b.test"), .envelope_id = SPAN("x"), .rcpts = rcpts, .count = 3};
            for (size_t i = 0; i < 3; i++)
                rcpts[i] = (struct delivery_rcpt){.address = SPAN("c@d.test"), .original = SPAN_NONE, .notify = NOTIFY_DELAY};
            if (d.mails < 4)
                delivery_send(&d, &mail);
            else
                delivery_quit(&d);
            break;
        case DELIVERY_BODY:
            delivery_body(&d, SPAN("Subject: x\r\n\r\n.x\r\n"), true);
            break;
        case DELIVERY_DONE:
            for (size_t i = 0; i < 3; i++)
                CHECK(rcpts[i].answer.code != 0);
            delivery_next(&d);
            break;
        case DELIVERY_INPUT:
        case DELIVERY_CLOSE:
            delivery_input(&d, span_first(rest, step));
            at += step;
            break;
        }
        buf_clear(&d.out);
    }
    if (d.want != DELIVERY_CLOSE)
        delivery_lost(&d, "end");
    delivery_fini(&d);
    return 0;
}
