// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_dkim_record.c - A DKIM key record beside our key: "ok" only for the very same key. */
#include "dkim_record.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char ours[] = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    struct span record = {(const char *)data, size};
    enum dkim_state state = dkim_record_compare(record, KEY_ED25519, span_of(ours));
    CHECK(state != DKIM_PENDING && state != DKIM_MISSING && state != DKIM_DUPLICATED);
    CHECK(*dkim_state_text(state));
    if (!dkim_state_passes(state))
        return 0;
    /* every character of the key stands there, in order */
    size_t at = 0;
    for (size_t i = 0; i < size && ours[at]; i++)
        at += data[i] == (unsigned char)ours[at];
    CHECK(at >= sizeof(ours) - 2);
    return 0;
}
