// SPDX-License-Identifier: BSD-2-Clause
/* optout.h - Unsubscribing by a link: what a recipient has ended, ending it, and taking that back.
 *
 * Whoever ends something that was not ended gets a mark, with which they, and nobody else, can take
 * it back. If somebody without the mark requests the same again, nobody can take it back any more:
 * the entry's source is then "page, repeated". If the one with the mark does, there is a new mark,
 * and older ones are worthless.
 */
#ifndef OPTOUT_H
#define OPTOUT_H

#include "database.h"

enum optout_kind {
    OPTOUT_STREAM, /* one stream of a tenant */
    OPTOUT_ALL,    /* all optional mail of a tenant */
    OPTOUT_FLOOD,  /* everything of a tenant but security mail, for a day */
    OPTOUT_KINDS
};

struct optout {
    const char *recipient;
    const char *tenant, *stream;
    int64_t marks[OPTOUT_KINDS]; /* whoever asks has these; 0: none */
};

struct optout_standing {
    int64_t since_ms[OPTOUT_KINDS],
        until_ms;  /* 0: it is not ended; of the flood, when it is over */
    bool can_undo; /* something, by the marks */
    bool is_new;   /* something was ended by the page, less than a day ago */
};

/* Reads only. */
MUST_CHECK bool database_optout_standing(struct database *db, const struct optout *who,
                                         int64_t now_ms, struct optout_standing *standing_r,
                                         struct err *err);

/* In the store's transaction. `one_click`: by a mail program, which gets no mark. `mark_r` is 0
 * when there is none. */
MUST_CHECK bool database_optout(struct database *db, const struct optout *who,
                                enum optout_kind kind, bool one_click, int64_t now_ms,
                                int64_t *mark_r, struct err *err);
/* Take back all that the marks allow; how many were. */
MUST_CHECK bool database_optout_undo(struct database *db, const struct optout *who, int64_t now_ms,
                                     int64_t *count_r, struct err *err);

#endif
