// SPDX-License-Identifier: BSD-2-Clause
/* mta_sts_policy.c - The text of a policy, read with the mildness of RFC 8461 section 3.2 and no
 * more: what has one meaning only is taken, so that a slip does not end a domain's protection. */
#include "mta_sts.h"

#include "normal.h"

#include <stdlib.h>
#include <string.h>

/* Keys of which the first counts; the order is that of the faults. */
enum { VERSION, MODE, MAX_AGE, KEYS };
static const char *const keys[KEYS] = {"version", "mode", "max_age"};
static const enum mta_sts_fault missing[KEYS] = {MTA_STS_MISSING_VERSION, MTA_STS_MISSING_MODE,
                                                 MTA_STS_MISSING_MAX_AGE};
static const char *const modes[] = {"none", "testing", "enforce"};

struct reading {
    struct mta_sts_policy *policy;
    bool there[KEYS];
    struct span values[KEYS];
    bool bad_mx;
};

const char *mta_sts_fault_name(enum mta_sts_fault fault)
{
#define WORD(name, word) word,
    static const char *const words[] = {MTA_STS_FAULTS(WORD)};
#undef WORD
    CHECK(fault < MTA_STS_FAULT_COUNT);
    return words[fault];
}

const char *mta_sts_mode_name(enum mta_sts_mode mode)
{
    CHECK((size_t)mode < COUNT_OF(modes));
    return modes[mode];
}

bool mta_sts_mode_parse(struct span word, enum mta_sts_mode *mode_r)
{
    size_t index = 0;
    bool ok = span_among(word, modes, COUNT_OF(modes), &index);
    *mode_r = (enum mta_sts_mode)index;
    return ok;
}

/* ---- mx ---- */

static bool is_label(struct span label, bool *digits_r)
{
    bool ok =
        label.len >= 1 && label.len <= 63 && label.ptr[0] != '-' && label.ptr[label.len - 1] != '-';
    *digits_r = true;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.ptr[i];
        bool digit = c >= '0' && c <= '9';
        ok = ok && (digit || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-');
        *digits_r = *digits_r && digit;
    }
    return ok;
}

/* A-labels, and no IP address: no host's name ends with a number. */
static bool is_name(struct span name)
{
    bool digits = true;
    bool ok = name.len > 0 && name.len <= ADDRESS_DOMAIN_MAX && name.ptr[name.len - 1] != '.';
    while (ok && name.len > 0)
        ok = is_label(span_take(&name, '.'), &digits);
    return ok && !digits;
}

static struct span without_dot(struct span name)
{
    return span_ends_nocase(name, SPAN(".")) ? span_first(name, name.len - 1) : name;
}

static void add_lower(struct buf *out, struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        buf_add_char(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
}

void mta_sts_policy_init(struct mta_sts_policy *policy_r, enum mta_sts_mode mode,
                         uint32_t max_age_s)
{
    *policy_r = (struct mta_sts_policy){.mode = mode, .max_age_s = max_age_s};
    buf_init_peer(&policy_r->mx, MTA_STS_BODY_MAX);
}

bool mta_sts_policy_add(struct mta_sts_policy *policy, struct span pattern)
{
    struct span name = without_dot(pattern);
    bool wild = span_starts_nocase(name, SPAN("*."));
    if (!is_name(span_from(name, wild ? 2 : 0)))
        return false;
    add_lower(&policy->mx, name);
    buf_add_char(&policy->mx, '\n');
    return true;
}

static bool pattern_matches(struct span pattern, struct span host)
{
    size_t first = span_find(host, '.');
    if (!span_starts_nocase(pattern, SPAN("*.")))
        return span_equal(pattern, host);
    return first > 0 && span_equal(span_from(pattern, 2), span_from(host, first + 1));
}

bool mta_sts_matches(const struct mta_sts_policy *policy, struct span host)
{
    char name[ADDRESS_DOMAIN_MAX + 1];
    struct buf lower;
    bool matches = false;
    buf_init(&lower, sizeof(name) - 1);
    add_lower(&lower, without_dot(host));
    bool ok = span_is_ascii(host) ? span_copy(buf_span(&lower), name, sizeof(name))
                                  : normal_domain(without_dot(host), name);
    buf_fini(&lower);
    for (struct span rest = buf_span(&policy->mx); ok && rest.len > 0 && !matches;)
        matches = pattern_matches(span_take(&rest, '\n'), span_of(name));
    return matches;
}

/* ---- lines ---- */

static bool take_line(struct reading *r, struct span line)
{
    size_t colon = span_find(line, ':');
    struct span key = span_first(line, colon);
    struct span value = span_trim(span_from(line, colon + 1));
    size_t index = 0;
    if (colon == line.len)
        return span_trim(line).len == 0;
    if (span_equal(key, SPAN("mx")) && !mta_sts_policy_add(r->policy, value))
        r->bad_mx = true;
    if (span_among(key, keys, KEYS, &index) && !r->there[index]) {
        r->there[index] = true;
        r->values[index] = value;
    }
    return true;
}

static enum mta_sts_fault read_age(struct span value, uint32_t *seconds_r)
{
    uint64_t seconds = 0;
    if (value.len > 10 || !span_number(value, &seconds))
        return MTA_STS_BAD_MAX_AGE;
    *seconds_r = seconds < MTA_STS_AGE_MAX_S ? (uint32_t)seconds : MTA_STS_AGE_MAX_S;
    return MTA_STS_SOUND;
}

static enum mta_sts_fault judge(const struct reading *r, size_t i)
{
    if (!r->there[i])
        return missing[i];
    if (i == VERSION)
        return span_equal(r->values[i], SPAN("STSv1")) ? MTA_STS_SOUND : MTA_STS_BAD_VERSION;
    if (i == MODE)
        return mta_sts_mode_parse(r->values[i], &r->policy->mode) ? MTA_STS_SOUND
                                                                  : MTA_STS_BAD_MODE;
    return read_age(r->values[i], &r->policy->max_age_s);
}

enum mta_sts_fault mta_sts_policy_read(struct span body, struct mta_sts_policy *policy_r)
{
    struct reading r = {.policy = policy_r};
    enum mta_sts_fault fault = MTA_STS_SOUND;
    mta_sts_policy_init(policy_r, MTA_STS_MODE_NONE, 0);
    if (body.len > MTA_STS_BODY_MAX)
        return MTA_STS_TOO_LARGE;
    for (struct span rest = body; rest.len > 0;)
        if (!take_line(&r, span_take(&rest, '\n')))
            return MTA_STS_NOT_A_PAIR;
    if (span_find(body, '\0') < body.len)
        return MTA_STS_CONTROL_CHARACTER;
    for (size_t i = 0; i < KEYS && fault == MTA_STS_SOUND; i++)
        fault = judge(&r, i);
    if (fault != MTA_STS_SOUND)
        return fault;
    if (r.bad_mx || policy_r->mx.overflow)
        return MTA_STS_BAD_MX;
    return policy_r->mx.len == 0 && policy_r->mode != MTA_STS_MODE_NONE ? MTA_STS_MISSING_MX
                                                                        : MTA_STS_SOUND;
}

void mta_sts_policy_fini(struct mta_sts_policy *policy)
{
    buf_fini(&policy->mx);
}
