// SPDX-License-Identifier: BSD-2-Clause
/* tls_need.c - The words for what a message demands of TLS, and which of them counts. */
#include "tls_need.h"

static const char *const names[TLS_NEEDS] = {[TLS_NEED_NONE] = "",
                                             [TLS_NEED_WAIVED] = "tls-waived",
                                             [TLS_NEED_VERIFIED] = "tls-verified",
                                             [TLS_NEED_PASSED_ON] = "requiretls"};

const char *tls_need_name(enum tls_need need)
{
    return names[need];
}

enum tls_need tls_need_of(int64_t stored)
{
    return stored > 0 && stored < TLS_NEEDS ? (enum tls_need)stored : TLS_NEED_NONE;
}

bool tls_need_verifies(enum tls_need need)
{
    return need >= TLS_NEED_VERIFIED;
}

enum tls_need tls_need_decide(const struct tls_need_said *said)
{
    if (said->requiretls)
        return TLS_NEED_PASSED_ON;
    if (said->verified)
        return TLS_NEED_VERIFIED;
    return said->waived ? TLS_NEED_WAIVED : TLS_NEED_NONE;
}
