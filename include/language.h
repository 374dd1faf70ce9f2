// SPDX-License-Identifier: BSD-2-Clause
/* language.h - The languages of the unsubscribe page, and their texts.
 *
 * They are the twenty in which most owners of mailboxes read mail: the languages with the most
 * users of the Internet (English, Chinese, Spanish, Arabic, Portuguese, Indonesian, French,
 * Japanese, Russian, German, Hindi, Bengali, Vietnamese, Turkish, Korean, Persian), and those of
 * the largest other European mail markets (Italian, Polish, Dutch, Ukrainian). Two are written from
 * right to left.
 *
 * The texts are data: policy/unsubscribe/languages/NAME.txt, with a key and its text on each line,
 * embedded by the build. All files have the same keys and placeholders as English. To add a
 * language, add its file and its line below.
 */
#ifndef LANGUAGE_H
#define LANGUAGE_H

#include "buf.h"

/* The first is for whoever reads none of them. The name is the file's, and in the config file that
 * of a stream's title: "title_fr". */
#define LANGUAGES(X) X(EN, "en") LANGUAGES_BUT_ENGLISH(X)
#define LANGUAGES_BUT_ENGLISH(X) \
    X(AR, "ar")                  \
    X(BN, "bn")                  \
    X(DE, "de")                  \
    X(ES, "es")                  \
    X(FA, "fa")                  \
    X(FR, "fr")                  \
    X(HI, "hi")                  \
    X(ID, "id")                  \
    X(IT, "it")                  \
    X(JA, "ja")                  \
    X(KO, "ko")                  \
    X(NL, "nl")                  \
    X(PL, "pl")                  \
    X(PT, "pt")                  \
    X(RU, "ru")                  \
    X(TR, "tr")                  \
    X(UK, "uk")                  \
    X(VI, "vi")                  \
    X(ZH, "zh")

enum language {
#define LANGUAGE_CONSTANT(constant, name) LANGUAGE_##constant,
    LANGUAGES(LANGUAGE_CONSTANT)
#undef LANGUAGE_CONSTANT
        LANGUAGE_COUNT
};

/* The tag of RFC 5646: "de", "pt" … */
const char *language_name(enum language language);

/* The best for an Accept-Language value (RFC 9110 section 12.5.4), by weight, then by order;
 * English when it names none of them. */
enum language language_accept(struct span accept);

/* The text of a key, borrowed for good; empty when the file does not have it. */
struct span language_text(enum language language, const char *key);
/* The whole file. */
struct span language_file(enum language language);

/* Append a day, or a minute, of UTC. */
void language_date(enum language language, int64_t at_ms, struct buf *out);
void language_moment(enum language language, int64_t at_ms, struct buf *out);

#endif
