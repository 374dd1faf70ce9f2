// SPDX-License-Identifier: BSD-2-Clause
/* token_text.h - What a token command says: the token on one line, or JSON as of RFC 6749 section
 * 5.1, {"access_token": "…", "expires_in": 3600}. */
#ifndef TOKEN_TEXT_H
#define TOKEN_TEXT_H

#include "span.h"

#include <stdint.h>

/* Octets; in base64, with what stands beside it, it is a line of AUTH (RFC 4954 section 4). */
enum { TOKEN_MAX = 8000, TOKEN_USUAL_S = 300, TOKEN_WHY_SIZE = 80 };

struct token_said {
    struct span token; /* in `memory` of the caller */
    int64_t expires_s; /* TOKEN_USUAL_S: it does not say */
};

/* Read it; `memory` holds TOKEN_MAX + 1 bytes and is the caller's to wipe. NULL: it is good; else
 * what is wrong, without anything of the text. */
const char *token_text_read(struct span said, char *memory, struct token_said *said_r);

/* How the command ended: what follows the last "\nexit ". True: well, and `said` is cut down to
 * what it said itself; else what is wrong. */
bool token_text_judge(struct span *said, char why_r[TOKEN_WHY_SIZE]);

#endif
