// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_reply.c - A refusal: its words stay in their bounds and are their own when they are read again, every judgement is one of
 * the table, only a 5yz to RCPT suppresses, and another address, host or URL in it changes nothing.
 */
#include "reply.h"
#include "reply_words.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(struct span text)
{
    static const char *const first_words[] = {"user .. unknown", "^ .. $", "*n't .. exist", "a|b* c"};
    struct reply_words w;
    reply_words_read(&w, text);
    CHECK(w.count <= REPLY_WORDS_MAX && w.used <= sizeof(w.bytes));
    for (size_t i = 0; i < w.count; i++) {
        CHECK(w.list[i].len > 0 && w.list[i].ptr >= w.bytes && w.list[i].ptr + w.list[i].len <= w.bytes + w.used);
        for (size_t k = 0; k < w.list[i].len; k++)
            CHECK(w.list[i].ptr[k] > ' ' && !(w.list[i].ptr[k] >= 'A' && w.list[i].ptr[k] <= 'Z'));
    }
    for (size_t i = 0; i < COUNT_OF(first_words); i++)
        (void)reply_words_fit(&w, span_of(first_words[i]));
}

static void check_judgement(const struct verdict *answer, enum reply_stage stage, size_t turn)
{
    static const char *const providers[] = {"", "google", "outlook", "yahoo", "nobody"};
    struct reply_input in = {.answer = answer, .stage = stage, .provider = span_of(providers[turn % COUNT_OF(providers)])};
    struct reply_judgement j = reply_judge(&in);
    CHECK(reply_category_name(j.category)[0] && reply_about_name(j.about)[0] && j.rule[0]);
    CHECK(j.retry || answer->code >= 500);
    CHECK(j.suppress_after <= 2 && (j.suppress_after == 0 || (answer->code >= 500 && stage == REPLY_AT_RCPT && !j.retry)));
    CHECK(stage >= REPLY_AT_RCPT || j.about != REPLY_MAILBOX);
}

/* What somebody could have chosen, between two texts of whatever kind. */
static void check_marks(struct span before, struct span after, size_t turn)
{
    static const char *const chosen[][2] = {{"<bob@club.test>", "<spam.policy@relay.test>"},
                                            {"club.test", "spam-relay.policy.test"},
                                            {"https://club.test/x", "https://spam.test/relay?policy=full"},
                                            {"192.0.2.1", "198.51.100.254"}};
    const char *const *now = chosen[turn % COUNT_OF(chosen)];
    int code = turn % 3 ? 550 : 450;
    struct verdict a = verdict_make(code, "", "%.*s %s %.*s", SPAN_ARG(before), now[0], SPAN_ARG(after));
    struct verdict b = verdict_make(code, "", "%.*s %s %.*s", SPAN_ARG(before), now[1], SPAN_ARG(after));
    struct reply_input in = {.answer = &a, .stage = REPLY_AT_RCPT, .provider = SPAN_NONE};
    struct reply_judgement first = reply_judge(&in);
    in.answer = &b;
    CHECK(strcmp(first.rule, reply_judge(&in).rule) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = {(const char *)data, size};
    struct verdict answer;
    check_words(text);
    if (reply_read(text, &answer))
        check_judgement(&answer, (enum reply_stage)(size % REPLY_STAGES), size / REPLY_STAGES);
    /* "<" and quotes bind what stands between them; a URL goes on to the next blank. */
    bool open = memchr(data, '<', size) || memchr(data, '"', size) || memchr(data, 0, size);
    if (!open && size < 200)
        check_marks(span_first(text, size / 2), span_from(text, size / 2), size);
    return 0;
}
