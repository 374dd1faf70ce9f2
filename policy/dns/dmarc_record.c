// SPDX-License-Identifier: BSD-2-Clause
/* dmarc_record.c - Parses DMARC records (RFC 9989 sections 4.7 and 4.8). */
#include "dmarc.h"

/* What was said, before the fall-backs. */
struct reading {
    struct dmarc_record *record;
    bool has_p, has_sp, has_np, has_rua;
    bool bad_sub; /* sp or np stands there and is not valid */
};

const char *dmarc_policy_name(enum dmarc_policy policy)
{
    static const char *const names[] = {[DMARC_POLICY_IS_NONE] = "none",
                                        [DMARC_POLICY_IS_QUARANTINE] = "quarantine",
                                        [DMARC_POLICY_IS_REJECT] = "reject"};
    CHECK((unsigned)policy < COUNT_OF(names));
    return names[policy];
}

static bool read_policy(struct span value, enum dmarc_policy *policy_r)
{
    for (unsigned i = 0; i <= DMARC_POLICY_IS_REJECT; i++) {
        if (span_equal_nocase(value, span_of(dmarc_policy_name((enum dmarc_policy)i)))) {
            *policy_r = (enum dmarc_policy)i;
            return true;
        }
    }
    return false;
}

static void take_p(struct reading *r, struct span value)
{
    r->has_p = read_policy(value, &r->record->p);
}

static void take_sp(struct reading *r, struct span value)
{
    r->has_sp = read_policy(value, &r->record->sp);
    r->bad_sub = r->bad_sub || !r->has_sp;
}

static void take_np(struct reading *r, struct span value)
{
    r->has_np = read_policy(value, &r->record->np);
    r->bad_sub = r->bad_sub || !r->has_np;
}

static void take_adkim(struct reading *r, struct span value)
{
    r->record->strict_dkim = span_equal_nocase(value, SPAN("s"));
}

static void take_aspf(struct reading *r, struct span value)
{
    r->record->strict_spf = span_equal_nocase(value, SPAN("s"));
}

static void take_psd(struct reading *r, struct span value)
{
    r->record->psd = span_equal_nocase(value, SPAN("y"))   ? DMARC_PSD_YES
                     : span_equal_nocase(value, SPAN("n")) ? DMARC_PSD_NO
                                                           : DMARC_PSD_UNSAID;
}

static void take_t(struct reading *r, struct span value)
{
    r->record->testing = span_equal_nocase(value, SPAN("y"));
}

static void take_pct(struct reading *r, struct span value)
{
    uint64_t percent = 0;
    if (span_number(value, &percent) && percent <= 100)
        r->record->percent = (unsigned)percent;
}

/* At least one URI: a scheme, a colon, something. */
static void take_rua(struct reading *r, struct span value)
{
    while (value.len > 0 && !r->has_rua) {
        struct span uri = span_trim(span_take(&value, ','));
        size_t colon = span_find(uri, ':');
        bool mail = span_starts_nocase(uri, SPAN("mailto:"));
        r->has_rua = colon > 0 && colon + 1 < uri.len && (!mail || span_find(uri, '@') < uri.len);
    }
}

static const struct tag {
    const char *name;
    void (*take)(struct reading *r, struct span value);
} tags[] = {
    {"p", take_p},         {"sp", take_sp},     {"np", take_np},
    {"adkim", take_adkim}, {"aspf", take_aspf}, {"psd", take_psd},
    {"t", take_t},         {"rua", take_rua},   {"pct", take_pct},
};

/* The first of each name counts. */
static void take_tag(struct reading *r, struct span name, struct span value, unsigned *seen)
{
    for (size_t i = 0; i < COUNT_OF(tags); i++) {
        if (!span_equal_nocase(name, span_of(tags[i].name)) || (*seen & 1U << i))
            continue;
        *seen |= 1U << i;
        tags[i].take(r, value);
    }
}

/* "v", blanks, "=", blanks, "DMARC1" in just these letters, then a semicolon or the end. */
static bool take_version(struct span *text)
{
    struct span value = span_take(text, ';');
    struct span name = span_take(&value, '=');
    return span_equal_nocase(span_trim(name), SPAN("v")) && name.ptr[0] != ' ' &&
           name.ptr[0] != '\t' && span_equal(span_trim(value), SPAN("DMARC1"));
}

bool dmarc_record_parse(struct span text, struct dmarc_record *record_r)
{
    struct reading r = {.record = record_r};
    unsigned seen = 0;
    *record_r = (struct dmarc_record){.percent = 100};
    if (!take_version(&text))
        return false;
    while (text.len > 0) {
        struct span value = span_take(&text, ';');
        struct span name = span_take(&value, '=');
        take_tag(&r, span_trim(name), span_trim(value), &seen);
    }
    /* Section 4.10.1: without a valid p, or with an invalid sp or np, the record asks for reports
     * at most. */
    bool sound = r.has_p && !r.bad_sub;
    record_r->usable = sound || r.has_rua;
    record_r->has_np = sound && r.has_np;
    if (!sound)
        record_r->p = DMARC_POLICY_IS_NONE;
    if (!sound || !r.has_sp)
        record_r->sp = record_r->p;
    if (!record_r->has_np)
        record_r->np = record_r->sp;
    return true;
}

bool dmarc_record_select(const struct dns_answer *answer, struct dmarc_record *record_r)
{
    struct dmarc_record record;
    size_t found = 0;
    for (size_t i = 0; i < answer->count; i++) {
        if (!dmarc_record_parse(answer->rrs[i].data, &record))
            continue;
        *record_r = record;
        found++;
    }
    return found == 1;
}
