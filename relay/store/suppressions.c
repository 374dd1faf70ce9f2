// SPDX-License-Identifier: BSD-2-Clause
/* suppressions.c - Who does not want, or cannot get, which mail. Each change is an event: who is on
 * the list, since when, and why can be told for as long as events are kept.
 *
 * A row's address is the form of exactly that mailbox, or, where it holds for every spelling, the
 * form that counts. Each look-up asks for both. */
#include "suppressions.h"

#include "db.h"
#include "events.h"
#include "outbox.h"

#include <limits.h>
#include <stdio.h>

static void read_entry(struct rows *s, struct suppress_entry *e)
{
    *e = (struct suppress_entry){
        .reason = (enum suppress_reason)((unsigned)rows_get_int(s, 3) % SUPPRESS_REASONS),
        .created_ms = rows_get_int(s, 5),
        .expires_ms = rows_get_int(s, 6)};
    rows_copy_text(s, 0, e->address, sizeof(e->address));
    rows_copy_text(s, 1, e->tenant, sizeof(e->tenant));
    rows_copy_text(s, 2, e->stream, sizeof(e->stream));
    rows_copy_text(s, 4, e->source, sizeof(e->source));
    e->every_spelling = rows_get_int(s, 7);
    e->answers = (unsigned)rows_get_int(s, 8);
    e->needed = (unsigned)rows_get_int(s, 9);
}

/* Without an address: any. */
static void bind_forms(struct rows *s, const char *address, struct address_forms *forms)
{
    if (!address)
        return;
    address_forms_make(address, forms);
    rows_text(s, 1, forms->same);
    rows_text(s, 2, forms->counted);
}

static void form_of(const struct suppress_entry *e, char form_r[ADDRESS_CANONICAL_MAX + 1])
{
    if (e->every_spelling)
        address_counted_as(e->address, form_r);
    else
        address_same_form(e->address, form_r);
}

bool database_suppressed_form(struct database *db, const struct mail *m,
                              const struct address_forms *forms, int64_t now_ms,
                              struct suppress_entry *entry_r, struct err *err)
{
    bool found = false;
    struct rows *s = ROWS(db, SQL_SUPPRESSED, TEXT(forms->same), TEXT(forms->counted));
    while (rows_next(db, s, err)) { /* of everybody's: there are few */
        struct suppress_entry e;
        read_entry(s, &e);
        if (!found && suppress_applies(&e, m->tenant, m->stream, m->class, now_ms)) {
            *entry_r = e;
            found = true;
        }
    }
    return found && err->kind == ERR_NONE;
}

bool database_suppressed(struct database *db, const struct mail *m, const char *recipient,
                         int64_t now_ms, struct suppress_entry *entry_r, struct err *err)
{
    struct address_forms forms;
    address_forms_make(recipient, &forms);
    return database_suppressed_form(db, m, &forms, now_ms, entry_r, err);
}

static bool note_change(struct database *db, const char *kind, const struct suppress_entry *e,
                        const char *source, int64_t now_ms, struct err *err)
{
    char text[320];
    snprintf(text, sizeof(text), "%s, tenant \"%s\", stream \"%s\", by %s",
             suppress_reason_name(e->reason), e->tenant, e->stream, source);
    struct database_event event = {.at_ms = now_ms,
                                   .kind = kind,
                                   .recipient = e->address,
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = ""};
    return rows_event(db, &event, err);
}

/* Endpoints of the tenant, or of all, are told who does not want its mail any more; those that
 * follow some streams, too, when it is all of them. */
static bool tell_unsubscribed(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                              struct err *err)
{
    const struct database_event event = {.at_ms = now_ms,
                                         .recipient = e->address,
                                         .tenant = e->tenant[0] ? e->tenant : NULL,
                                         .stream = e->stream[0] ? e->stream : NULL};
    return e->reason != SUPPRESS_UNSUBSCRIBE ||
           outbox_event_of(db, WEBHOOK_UNSUBSCRIBED, &event, rows_last_id(db), err);
}

bool database_suppress_import(struct database *db, const struct suppress_entry *e, bool *changed_r,
                              struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    form_of(e, form);
    struct rows *s = ROWS(db, SQL_SUPPRESS_ADD, TEXT(form), TEXT(e->tenant), TEXT(e->stream),
                          INT(e->reason), TEXT(e->source), INT(e->created_ms), INT(e->expires_ms),
                          INT(e->every_spelling), INT(e->answers > 0 ? e->answers : 1));
    *changed_r = false;
    while (rows_next(db, s, err))
        *changed_r = true;
    if (err->kind != ERR_NONE || *changed_r)
        return err->kind == ERR_NONE;
    s = ROWS(db, SQL_SUPPRESS_EXTEND, TEXT(form), TEXT(e->tenant), TEXT(e->stream), INT(e->reason),
             INT(e->expires_ms));
    return rows_run(db, s, err);
}

bool database_suppress(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                       bool *changed_r, struct err *err)
{
    return database_suppress_import(db, e, changed_r, err) &&
           (!*changed_r || (note_change(db, "suppress_added", e, e->source, now_ms, err) &&
                            tell_unsubscribed(db, e, now_ms, err)));
}

bool database_note_import(struct database *db, int64_t rows, int64_t added, int64_t now_ms,
                          struct err *err)
{
    char text[120];
    snprintf(text, sizeof(text), "%lld entries, %lld of them new", (long long)rows,
             (long long)added);
    struct database_event event = {.at_ms = now_ms,
                                   .kind = "suppress_imported",
                                   .recipient = "",
                                   .enhanced = "",
                                   .reply = text,
                                   .remote = ""};
    return rows_event(db, &event, err);
}

/* What servers have said of a mailbox before. */
struct answers {
    unsigned count, needed; /* count 0: nothing, or it has ended */
    int64_t last_ms;        /* when one last counted */
};

static bool find_answers(struct database *db, const struct suppress_entry *e, const char *form,
                         int64_t now_ms, struct answers *a, struct err *err)
{
    struct rows *s = ROWS(db, SQL_SUPPRESS_ANSWERS, TEXT(form), TEXT(e->tenant),
                          INT(SUPPRESS_BOUNCE), INT(now_ms));
    *a = (struct answers){.needed = UINT_MAX};
    while (rows_next(db, s, err)) {
        a->count = (unsigned)rows_get_int(s, 0);
        a->last_ms = rows_get_int(s, 1);
        a->needed = (unsigned)rows_get_int(s, 2);
    }
    return err->kind == ERR_NONE;
}

/* The surest answer says how many are needed. */
static struct answers add_answer(const struct answers *a, unsigned needed, int64_t now_ms)
{
    bool counts = a->count == 0 || suppress_is_another_day(a->last_ms, now_ms);
    needed = needed > 1 ? needed : 1;
    return (struct answers){.count = a->count + counts,
                            .needed = needed < a->needed ? needed : a->needed,
                            .last_ms = counts ? now_ms : a->last_ms};
}

bool database_suppress_answer(struct database *db, const struct suppress_entry *e, int64_t now_ms,
                              bool *first_r, struct err *err)
{
    char form[ADDRESS_CANONICAL_MAX + 1];
    struct answers was;
    address_same_form(e->address, form);
    if (!find_answers(db, e, form, now_ms, &was, err))
        return false;
    struct answers is = add_answer(&was, e->needed, now_ms);
    *first_r = was.count == 0;
    struct rows *s = ROWS(db, SQL_SUPPRESS_ANSWER, TEXT(form), TEXT(e->tenant),
                          INT(SUPPRESS_BOUNCE), TEXT(e->source), INT(now_ms), INT(e->expires_ms),
                          INT(is.count), INT(is.last_ms), INT(was.count == 0), INT(is.needed));
    if (!rows_run(db, s, err))
        return false;
    struct suppress_entry told = *e;
    snprintf(told.address, sizeof(told.address), "%s", form);
    bool held = was.count > 0 && was.count >= was.needed;
    bool holds = is.count >= is.needed;
    bool nothing_new = is.count == was.count && held == holds;
    return nothing_new || note_change(db, holds && !held ? "suppress_added" : "suppress_answered",
                                      &told, e->source, now_ms, err);
}

bool database_was_answered_today(struct database *db, const char *tenant, const char *address,
                                 int64_t now_ms, bool *was_r, struct err *err)
{
    struct suppress_entry e = {.reason = SUPPRESS_BOUNCE};
    struct answers was;
    char form[ADDRESS_CANONICAL_MAX + 1];
    span_put(span_of(tenant), e.tenant, sizeof(e.tenant));
    address_same_form(address, form);
    if (!find_answers(db, &e, form, now_ms, &was, err))
        return false;
    *was_r = was.count > 0 && !suppress_is_another_day(was.last_ms, now_ms);
    return true;
}

static void bind_key(struct rows *s, const struct suppress_entry *e)
{
    rows_text(s, 1, e->address);
    rows_text(s, 2, e->tenant);
    rows_text(s, 3, e->stream);
    rows_int(s, 4, e->reason);
}

bool database_suppress_again(struct database *db, const struct suppress_entry *e, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_SUPPRESS_AGAIN);
    bind_key(s, e);
    rows_text(s, 5, e->source);
    rows_int(s, 6, e->created_ms);
    rows_int(s, 7, e->expires_ms);
    return rows_run(db, s, err);
}

bool database_suppress_end(struct database *db, const struct suppress_entry *e, const char *source,
                           int64_t now_ms, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_SUPPRESS_END);
    bind_key(s, e);
    return rows_run(db, s, err) && note_change(db, "suppress_removed", e, source, now_ms, err);
}

enum { REMOVED_AT_ONCE = 100 };

bool database_unsuppress(struct database *db, const struct suppressions_filter *f,
                         const char *source, int64_t now_ms, int64_t *removed_r, struct err *err)
{
    struct suppress_entry gone[REMOVED_AT_ONCE];
    size_t count = 0;
    struct rows *s = rows_prepare(db, SQL_SUPPRESS_REMOVE);
    struct address_forms forms;
    bind_forms(s, f->address, &forms);
    rows_text(s, 3, f->tenant);
    rows_text(s, 4, f->stream);
    if (f->reason >= 0)
        rows_int(s, 5, f->reason);
    *removed_r = 0;
    while (rows_next(db, s, err)) {
        struct suppress_entry *e = &gone[count < REMOVED_AT_ONCE ? count : REMOVED_AT_ONCE - 1];
        *e = (struct suppress_entry){
            .reason = (enum suppress_reason)((unsigned)rows_get_int(s, 2) % SUPPRESS_REASONS)};
        rows_copy_text(s, 3, e->address, sizeof(e->address));
        rows_copy_text(s, 0, e->tenant, sizeof(e->tenant));
        rows_copy_text(s, 1, e->stream, sizeof(e->stream));
        count += count < REMOVED_AT_ONCE;
        (*removed_r)++;
    }
    bool ok = err->kind == ERR_NONE;
    for (size_t i = 0; ok && i < count; i++)
        ok = note_change(db, "suppress_removed", &gone[i], source, now_ms, err);
    return ok;
}

bool database_suppressions(struct database *db, struct suppressions_filter *f, int64_t limit,
                           database_on_suppression *on_entry, void *context, struct err *err)
{
    struct rows *s = rows_prepare(db, SQL_SUPPRESS_LIST);
    const struct suppress_entry after = f->after;
    struct address_forms forms;
    bind_forms(s, f->address, &forms);
    rows_text(s, 3, f->tenant);
    rows_text(s, 4, f->stream);
    if (f->reason >= 0)
        rows_int(s, 5, f->reason);
    rows_text(s, 6, after.address);
    rows_text(s, 7, after.tenant);
    rows_text(s, 8, after.stream);
    rows_int(s, 9, after.address[0] ? (int64_t)after.reason : -1);
    rows_int(s, 10, limit);
    while (rows_next(db, s, err)) {
        read_entry(s, &f->after);
        on_entry(context, &f->after);
    }
    return err->kind == ERR_NONE;
}
