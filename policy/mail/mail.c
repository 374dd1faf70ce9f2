// SPDX-License-Identifier: BSD-2-Clause
/* mail.c - Memory of a message's facts; message ids in Crockford's base 32, which can be read
 * aloud. */
#include "mail.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
static const char *const state_names[MAIL_STATES] = {[MAIL_WAITING] = "waiting",
                                                     [MAIL_HELD] = "held",
                                                     [MAIL_DONE] = "done",
                                                     [MAIL_BOUNCED] = "bounced"};

struct mail *mail_new(void)
{
    return xcalloc(1, sizeof(struct mail));
}

bool mail_is_tls_report(const struct mail *m)
{
    return !m->protocol[0] && strcmp(m->stream, MAIL_TLS_REPORT) == 0;
}

void mail_free(struct mail *m)
{
    if (!m)
        return;
    envelope_clear(&m->envelope);
    free(m->message_id);
    free(m->rows);
    free(m);
}

void mail_id_print(int64_t id, char *text_r)
{
    for (int i = 12; i >= 0; i--) {
        text_r[i] = alphabet[id & 31];
        id = (int64_t)((uint64_t)id >> 5);
    }
    text_r[13] = '\0';
}

bool mail_id_parse(struct span text, int64_t *id_r)
{
    uint64_t id = 0;
    if (text.len != 13)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.ptr[i] ? strchr(alphabet, text.ptr[i]) : NULL;
        if (!at || id > (UINT64_C(1) << 58))
            return false;
        id = id << 5 | (uint64_t)(at - alphabet);
    }
    *id_r = (int64_t)id;
    return id <= INT64_MAX;
}

const char *mail_state_name(enum mail_state state)
{
    CHECK((unsigned)state < MAIL_STATES);
    return state_names[state];
}

bool mail_state_parse(struct span name, enum mail_state *state_r)
{
    size_t i = 0;
    bool found = span_among(name, state_names, COUNT_OF(state_names), &i);
    if (found)
        *state_r = (enum mail_state)i;
    return found;
}
