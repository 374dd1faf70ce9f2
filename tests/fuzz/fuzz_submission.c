// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_submission.c - Whole sessions: the first byte chooses the pieces, the rest is what the client says. */
#include "admit.h"
#include "submission.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_bind(void *bound, unsigned char *binding_r)
{
    (void)bound;
    memset(binding_r, 1, SCRAM_BINDING);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct submission_settings settings = {.hostname = "relay.test", .size_max = 4096, .rcpt_max = 3, .mail_max = 5,
                                           .room_from = 100};
    struct identity identity = {.name = "app", .allowed = "club.test"};
    static const char keys[] = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
                               "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    struct admission admission;
    struct submission s;
    size_t step = size > 0 ? 1U + data[0] % 32U : 1U;
    settings.open = size > 0 && data[0] >= 128;
    settings.returns = size > 0 && data[0] >= 192;
    settings.limited = size % 2;
    submission_init(&s, &settings);
    for (size_t at = 1; at < size && s.want != SUBMISSION_CLOSE;) {
        struct span rest = {(const char *)data + at, size - at};
        if (s.want == SUBMISSION_TLS) {
            submission_tls_started(&s);
            if (size % 3)
                submission_bind(&s, on_bind, NULL);
        } else if (s.want == SUBMISSION_KEYS) {
            submission_keys(&s, size % 5 ? keys : "");
        } else if (s.want == SUBMISSION_AUTH) {
            struct submission_claim claim = submission_auth(&s);
            if (claim.name.len % 7 == 0)
                submission_auth_locked(&s, 7);
            else
                submission_auth_decided(&s, claim.name.len % 2 && (!claim.proves || claim.proven) ? &identity : NULL,
                                        claim.secret.len % 5 == 0);
        } else if (s.want == SUBMISSION_ROOM) {
            struct verdict v = verdict_make(452, "4.3.1", "later");
            submission_room_decided(&s, s.declared % 2 ? &v : NULL);
        } else if (s.want == SUBMISSION_LIMIT) {
            struct verdict v = verdict_make(450, "4.7.28", "later");
            CHECK(s.envelope.count > 0);
            submission_rcpt_decided(&s, s.envelope.rcpts[s.envelope.count - 1].address[0] % 2 ? &v : NULL);
        } else if (s.want == SUBMISSION_SPILL) {
            submission_spilled(&s, NULL);
        } else if (s.want == SUBMISSION_ENQUEUE) {
            struct admit_input in = {.identity = &identity, .sender = span_of(s.envelope.sender),
                                     .header = submission_header(&s), .smtputf8 = s.envelope.smtputf8, .facts = s.facts};
            struct verdict v = admit_message(&in, &admission);
            submission_enqueue_decided(&s, &v);
        } else {
            submission_input(&s, span_first(rest, step));
            at += step;
        }
        buf_clear(&s.out);
    }
    submission_fini(&s);
    return 0;
}
