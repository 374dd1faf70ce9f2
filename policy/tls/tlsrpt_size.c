// SPDX-License-Identifier: BSD-2-Clause
/* tlsrpt_size.c - How large a document a text would make, before it is made. */
#include "tlsrpt_parts.h"

struct tlsrpt_size tlsrpt_size_of(struct span text)
{
    struct tlsrpt_size s = {.values = 1};
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted)
            i += c == '\\';
        else if (c == '[' || c == '{')
            depth++;
        else if ((c == ']' || c == '}') && depth > 0)
            depth--;
        s.values += !quoted && (c == '[' || c == '{' || c == ',');
        s.depth = depth > s.depth ? depth : s.depth;
    }
    return s;
}
