// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts.c - Which policy counts for a domain's mail, and what has to be asked to know it.
 *
 * The happy path:
 * - the TXT record is asked for, at each delivery (DNS caches it);
 * - its id is that of the policy that is kept: that one counts;
 * - it is another, or nothing is kept: the policy is fetched, counts, and is kept.
 *
 * What may fail, and what then counts (sections 3.3, 5.1):
 * - DNS fails: what is kept; else it is asked twice more, and mail goes on without;
 * - there is no record, or none that can be read: what is kept, else nothing;
 * - the fetch fails: what is kept, else nothing; with that id no other is tried for five minutes;
 * - there is a new id each time: what is kept, after three fetches in five minutes;
 * - what is kept is too old: it is as if there was nothing.
 *
 * What is fetched counts for a minute at least, so that mail has a domain's policy fetched once in
 * that time, however little its owner wants it kept; without that it would be once a message.
 *
 * A failure is reported where it leaves the mail without a policy, and not where one is kept. An
 * equal id never makes what is kept younger: only a fetch does.
 */
#include "mta_sts.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS (24 * MTA_STS_HOUR_MS)
#define WANTED_MS (30 * DAY_MS)  /* what mail has lately used is refreshed */
#define UNUSED_MS (180 * DAY_MS) /* what none has used is dropped */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t mta_sts_expires_ms(const struct mta_sts_kept *kept, int64_t now_ms)
{
    int64_t from_ms = earlier(kept->fetched_ms, now_ms);
    int64_t age_s = later(kept->policy.max_age_s, MTA_STS_AGE_LEAST_S);
    return kept->there ? from_ms + age_s * 1000 : 0;
}

#define NAME(name, word) word,
#define FAULT_NAME(name, word) "policy-" word,
const char *mta_sts_why_name(enum mta_sts_why why)
{
    static const char *const names[] = {MTA_STS_WHYS(NAME) MTA_STS_FAULTS(FAULT_NAME)};
    CHECK((size_t)why < COUNT_OF(names));
    return names[why];
}
#undef NAME
#undef FAULT_NAME

static bool is_within(int64_t pause_ms, int64_t then_ms, int64_t now_ms)
{
    return then_ms <= now_ms && now_ms - then_ms < pause_ms;
}

static bool is_paused(const struct mta_sts *s, int64_t now_ms)
{
    const struct mta_sts_kept *k = s->kept;
    int64_t pause_ms = s->aim == MTA_STS_ON_COMMAND ? MTA_STS_COMMAND_PAUSE_MS : MTA_STS_PAUSE_MS;
    return strcmp(k->failed_id, s->id) == 0 && is_within(pause_ms, k->failed_ms, now_ms);
}

/* Has mail had it fetched too often, while there is one that counts? Without one it is fetched. */
static bool flaps(const struct mta_sts *s, int64_t now_ms)
{
    const struct mta_sts_kept *k = s->kept;
    return s->aim == MTA_STS_TO_SEND && mta_sts_expires_ms(k, now_ms) > now_ms &&
           k->fetches >= MTA_STS_FETCHES && is_within(MTA_STS_PAUSE_MS, k->fetches_ms, now_ms);
}

/* What is kept counts, if it still does; else there is no policy, for this reason. */
static enum mta_sts_next fall_back(struct mta_sts *s, enum tls_result result, enum mta_sts_why why,
                                   int64_t now_ms)
{
    s->why = why;
    if (mta_sts_expires_ms(s->kept, now_ms) > now_ms) {
        s->policy = &s->kept->policy;
        return MTA_STS_DECIDED;
    }
    s->result = result;
    if (why == MTA_STS_WHY_HTTP_STATUS)
        snprintf(s->reason, sizeof(s->reason), "%s-%u", mta_sts_why_name(why), s->status);
    else if (result != TLS_RESULT_NONE)
        snprintf(s->reason, sizeof(s->reason), "%s", mta_sts_why_name(why));
    return MTA_STS_DECIDED;
}

enum mta_sts_next mta_sts_begin(struct mta_sts *s, const struct mta_sts_kept *kept,
                                enum mta_sts_aim aim, int64_t now_ms)
{
    *s = (struct mta_sts){.kept = kept, .aim = aim, .begun_ms = now_ms, .ask_at_ms = now_ms};
    buf_init(&s->fetched.mx, 0);
    return MTA_STS_ASK;
}

/* Once more, if there is time for it and something hangs on it. */
static enum mta_sts_next ask_again(struct mta_sts *s, int64_t now_ms)
{
    int64_t at_ms = now_ms + MTA_STS_QUESTIONS_MS / MTA_STS_QUESTIONS;
    bool kept = mta_sts_expires_ms(s->kept, now_ms) > now_ms;
    s->untried =
        kept || s->asked >= MTA_STS_QUESTIONS || at_ms >= s->begun_ms + MTA_STS_QUESTIONS_MS;
    if (s->untried)
        return fall_back(s, TLS_RESULT_STS_POLICY_FETCH_ERROR, MTA_STS_WHY_TXT_LOOKUP_FAILED,
                         now_ms);
    s->ask_at_ms = at_ms;
    return MTA_STS_ASK;
}

static const enum mta_sts_why of_record[] = {
    [MTA_STS_RECORD] = MTA_STS_WHY_NOTHING,
    [MTA_STS_NO_RECORD] = MTA_STS_WHY_NO_RECORD,
    [MTA_STS_SEVERAL_RECORDS] = MTA_STS_WHY_SEVERAL_RECORDS,
    [MTA_STS_RECORD_MALFORMED] = MTA_STS_WHY_RECORD_MALFORMED};

enum mta_sts_next mta_sts_told(struct mta_sts *s, const struct dns_answer *txt, int64_t now_ms)
{
    CHECK(txt->status != DNS_PENDING);
    s->asked++;
    if (txt->status == DNS_FAILED)
        return ask_again(s, now_ms);
    enum mta_sts_record record =
        txt->status == DNS_FOUND ? mta_sts_record_read(txt, s->id) : MTA_STS_NO_RECORD;
    if (record != MTA_STS_RECORD)
        return fall_back(s, TLS_RESULT_NONE, of_record[record], now_ms);
    bool same = strcmp(s->id, s->kept->id) == 0 && mta_sts_expires_ms(s->kept, now_ms) > now_ms;
    if (same && s->aim == MTA_STS_TO_SEND)
        return fall_back(s, TLS_RESULT_NONE, MTA_STS_WHY_NOTHING, now_ms);
    if (is_paused(s, now_ms))
        return fall_back(s, s->kept->failure, MTA_STS_WHY_FAILED_BEFORE, now_ms);
    if (flaps(s, now_ms))
        return fall_back(s, TLS_RESULT_NONE, MTA_STS_WHY_NOTHING, now_ms);
    return MTA_STS_FETCH;
}

static enum mta_sts_next fail(struct mta_sts *s, enum tls_result result, enum mta_sts_why why,
                              int64_t now_ms)
{
    s->change = MTA_STS_FAILED;
    s->failure = result;
    return fall_back(s, result, why, now_ms);
}

/* An answer of the policy host: only a 200 that is a policy is one (section 3.3). */
static enum mta_sts_next answered(struct mta_sts *s, const struct mta_sts_response *response,
                                  int64_t now_ms)
{
    s->status = response->status;
    if (response->status != 200)
        return fail(s, TLS_RESULT_STS_POLICY_FETCH_ERROR, MTA_STS_WHY_HTTP_STATUS, now_ms);
    enum mta_sts_fault fault = mta_sts_policy_read(response->body, &s->fetched);
    enum mta_sts_why why = (enum mta_sts_why)(MTA_STS_WHY_POLICY_SOUND + (unsigned)fault);
    if (fault == MTA_STS_TOO_LARGE)
        return fail(s, TLS_RESULT_STS_POLICY_FETCH_ERROR, why, now_ms);
    if (fault != MTA_STS_SOUND)
        return fail(s, TLS_RESULT_STS_POLICY_INVALID, why, now_ms);
    s->policy = &s->fetched;
    s->change = s->fetched.max_age_s > 0 ? MTA_STS_STORE : MTA_STS_BRIEF;
    return MTA_STS_DECIDED;
}

enum mta_sts_next mta_sts_fetched(struct mta_sts *s, const struct mta_sts_response *response,
                                  int64_t now_ms)
{
    snprintf(s->detail, sizeof(s->detail), "%s", response->detail ? response->detail : "");
    switch (response->end) {
    case MTA_STS_ANSWERED:
        return answered(s, response, now_ms);
    case MTA_STS_UNREACHABLE:
        return fail(s, TLS_RESULT_STS_POLICY_FETCH_ERROR, response->why, now_ms);
    case MTA_STS_DISTRUSTED:
        return fail(s, TLS_RESULT_STS_WEBPKI_INVALID, response->why, now_ms);
    case MTA_STS_UNTRIED:
        s->untried = true;
        return fall_back(s, TLS_RESULT_STS_POLICY_FETCH_ERROR, response->why, now_ms);
    }
    UNREACHABLE();
}

static void drop_policy(struct mta_sts_kept *kept)
{
    if (kept->there)
        mta_sts_policy_fini(&kept->policy);
    kept->there = false;
    kept->id[0] = '\0';
}

static void count_fetch(const struct mta_sts *s, struct mta_sts_kept *kept, int64_t now_ms)
{
    if (s->aim != MTA_STS_TO_SEND || s->change == MTA_STS_UNCHANGED)
        return;
    if (!is_within(MTA_STS_PAUSE_MS, kept->fetches_ms, now_ms))
        kept->fetches = 0;
    if (kept->fetches++ == 0)
        kept->fetches_ms = now_ms;
}

void mta_sts_keep(struct mta_sts *s, struct mta_sts_kept *kept, int64_t now_ms)
{
    CHECK(kept == s->kept);
    count_fetch(s, kept, now_ms);
    if (s->change == MTA_STS_STORE || s->change == MTA_STS_BRIEF) {
        drop_policy(kept);
        kept->failed_id[0] = '\0';
        kept->there = true;
        kept->brief = s->change == MTA_STS_BRIEF;
        kept->policy = s->fetched;
        kept->fetched_ms = now_ms;
        memcpy(kept->id, s->id, sizeof(kept->id));
        s->fetched = (struct mta_sts_policy){.mode = MTA_STS_MODE_NONE};
        buf_init(&s->fetched.mx, 0);
    } else if (s->change == MTA_STS_FAILED) {
        memcpy(kept->failed_id, s->id, sizeof(kept->failed_id));
        kept->failed_ms = now_ms;
        kept->failure = s->failure;
    }
    if (s->aim == MTA_STS_TO_SEND)
        kept->used_ms = now_ms;
    s->policy = NULL;
    s->change = MTA_STS_UNCHANGED;
}

void mta_sts_fini(struct mta_sts *s)
{
    mta_sts_policy_fini(&s->fetched);
}

void mta_sts_kept_fini(struct mta_sts_kept *kept)
{
    drop_policy(kept);
}

enum mta_sts_due mta_sts_upkeep(const struct mta_sts_kept *kept, uint32_t spread, int64_t now_ms,
                                int64_t *at_ms_r)
{
    int64_t pause_ms = kept->failed_id[0] ? earlier(kept->failed_ms, now_ms) + MTA_STS_PAUSE_MS : 0;
    int64_t drop_ms = earlier(mta_sts_expires_ms(kept, now_ms), kept->used_ms + UNUSED_MS);
    int64_t next_ms =
        earlier(kept->fetched_ms, now_ms) + 20 * MTA_STS_HOUR_MS + spread % (4 * MTA_STS_HOUR_MS);
    if (kept->failed_id[0])
        next_ms = later(next_ms, earlier(kept->failed_ms, now_ms) + MTA_STS_HOUR_MS +
                                     spread % MTA_STS_HOUR_MS);
    int64_t then_ms = later(next_ms, now_ms); /* nobody can do it before */
    bool refresh = kept->there && then_ms < drop_ms && then_ms <= kept->used_ms + WANTED_MS;
    *at_ms_r = refresh ? next_ms : later(drop_ms, pause_ms);
    return refresh ? MTA_STS_REFRESH : MTA_STS_DROP;
}
