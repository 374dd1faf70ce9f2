// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_sasl.c - AUTH with all that follows: each line of the input is one of the client, not yet in base64 when it begins with
 * "=". Nobody proves what they do not know.
 */
#include "sasl.h"
#include "base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char binding[SCRAM_BINDING] = {7};
    static char keys[SCRAM_KEYS_TEXT];
    struct span rest = {(const char *)data, size};
    struct sasl s;
    if (!keys[0])
        scram_keys_make(SPAN("no input says this"), keys);
    sasl_init(&s);
    enum sasl_step step = sasl_begin(&s, span_take(&rest, '\n'), size % 2 ? binding : NULL);
    while ((step == SASL_CHALLENGE || step == SASL_KEYS) && rest.len > 0) {
        struct span line = span_take(&rest, '\n');
        struct buf encoded;
        buf_init(&encoded, 16384);
        if (line.len > 0 && line.ptr[0] == '=' && base64_encode(span_from(line, 1), &encoded))
            line = buf_span(&encoded);
        step = step == SASL_KEYS ? sasl_keys(&s, size % 3 ? keys : "") : sasl_line(&s, line);
        buf_fini(&encoded);
    }
    CHECK(!s.proven);
    if (step == SASL_READY && !s.proves)
        CHECK(s.name.len > 0 && s.secret.len > 0 && span_find(buf_span(&s.name), '\0') == s.name.len);
    sasl_fini(&s);
    return 0;
}
