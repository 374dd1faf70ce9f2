// SPDX-License-Identifier: BSD-2-Clause
/* rcpts.c - Loops over recipients. */
#include "rcpts.h"

void rcpts_answer_all(struct delivery_mail *m, const struct verdict *v)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->rcpts[i].answer.code == 0 || m->rcpts[i].answer.what == VERDICT_ACCEPT)
            m->rcpts[i].answer = *v;
}

size_t rcpts_accepted(const struct delivery_mail *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += m->rcpts[i].answer.code != 0 && m->rcpts[i].answer.what == VERDICT_ACCEPT;
    return count;
}

void rcpts_forget(struct delivery_mail *m)
{
    for (size_t i = 0; i < m->count; i++) {
        m->rcpts[i].answer = (struct verdict){0};
        m->rcpts[i].own = false;
    }
}
