// SPDX-License-Identifier: BSD-2-Clause
/* audit_log.c - The audit trail, as rows. The tables themselves refuse to change or delete
 * one. */
#include "audit.h"
#include "clock.h"
#include "db.h"
#include "events.h"
#include "secret.h"

#include <stdio.h>
#include <string.h>

static void hash_row(const char *before, const struct audit_row *row, char hash_r[AUDIT_HASH])
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    /* No value holds a line feed, see clean(). */
    buf_addf(&text, "%s\n%lld\n%lld\n%s\n%s\n%s", before, (long long)row->seq,
             (long long)row->at_ms, row->who, row->what, row->about);
    secret_sha256(buf_span(&text), hash_r);
    buf_fini(&text);
}

static void clean(const char *text, char *clean_r, size_t size)
{
    snprintf(clean_r, size, "%s", text);
    for (char *p = clean_r; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
}

static struct audit_row read_row(struct rows *s)
{
    return (struct audit_row){.seq = rows_get_int(s, 0),
                              .at_ms = rows_get_int(s, 1),
                              .who = rows_get_text(s, 2),
                              .what = rows_get_text(s, 3),
                              .about = rows_get_text(s, 4),
                              .hash = rows_get_text(s, 5)};
}

bool database_audit(struct database *db, const char *who, const char *what, const char *about,
                    struct err *err)
{
    char before[AUDIT_HASH] = "";
    char who_clean[128];
    char about_clean[1024];
    char hash[AUDIT_HASH];
    clean(who, who_clean, sizeof(who_clean));
    clean(about, about_clean, sizeof(about_clean));
    struct audit_row row = {
        .seq = 1, .at_ms = clock_now_ms(), .who = who_clean, .what = what, .about = about_clean};
    struct rows *s = rows_prepare(db, SQL_AUDIT_LAST);
    while (rows_next(db, s, err)) {
        row.seq = rows_get_int(s, 0) + 1;
        rows_copy_text(s, 5, before, sizeof(before));
    }
    if (err->kind != ERR_NONE)
        return false;
    hash_row(before, &row, hash);
    s = ROWS(db, SQL_AUDIT_ADD, INT(row.seq), INT(row.at_ms), TEXT(row.who), TEXT(row.what),
             TEXT(row.about), TEXT(hash));
    return rows_run(db, s, err);
}

bool database_note(struct database *db, const char *who, const char *kind, const char *about,
                   const char *text, struct err *err)
{
    char both[1024];
    const struct database_event event = {.at_ms = clock_now_ms(),
                                         .kind = kind,
                                         .recipient = about,
                                         .enhanced = "",
                                         .reply = text,
                                         .remote = ""};
    snprintf(both, sizeof(both), "%s: %s", about, text);
    return rows_event(db, &event, err) && database_audit(db, who, kind, both, err);
}

bool database_audit_rows(struct database *db, int64_t after, int64_t limit,
                         database_on_audit *on_row, void *context, struct err *err)
{
    struct rows *s = ROWS(db, SQL_AUDIT_ROWS, INT(after), INT(limit));
    while (rows_next(db, s, err)) {
        const struct audit_row row = read_row(s);
        on_row(context, &row);
    }
    return err->kind == ERR_NONE;
}

bool database_audit_last(struct database *db, int64_t *seq_r, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_AUDIT_LAST);
    *seq_r = 0;
    return rows_run_int(db, s, seq_r, err);
}

bool database_alerted(struct database *db, const char *kind, int64_t *seq_r, struct err *err)
{
    struct rows *s = ROWS(db, SQL_ALERTED, TEXT(kind));
    *seq_r = -1;
    return rows_run_int(db, s, seq_r, err);
}

bool database_set_alerted(struct database *db, const char *kind, int64_t seq, struct err *err)
{
    return rows_run(db, ROWS(db, SQL_ALERTED_SET, INT(seq), TEXT(kind)), err);
}

struct chain {
    const char *expected;
    struct audit_verdict verdict;
};

static void check_row(void *context, const struct audit_row *row)
{
    struct chain *c = context;
    struct audit_verdict *v = &c->verdict;
    char hash[AUDIT_HASH];
    hash_row(v->head, row, hash);
    v->rows++;
    bool fits = row->seq == v->rows && strcmp(hash, row->hash) == 0;
    if (!fits && v->broken == 0)
        v->broken = row->seq;
    v->found = v->found || (v->broken == 0 && c->expected && strcmp(hash, c->expected) == 0);
    snprintf(v->head, sizeof(v->head), "%s", row->hash);
}

bool database_audit_verify(struct database *db, const char *expected,
                           struct audit_verdict *verdict_r, struct err *err)
{
    struct chain c = {.expected = expected};
    bool ok = database_audit_rows(db, 0, INT64_MAX, check_row, &c, err);
    *verdict_r = c.verdict;
    return ok;
}
