// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_control.c - Requests at the control socket, a line each, against a store: each gets an answer of one line, and the audit
 * trail stays whole.
 */
#include "audit.h"
#include "control.h"
#include "place.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool verify(struct database *db, void *context, struct err *err)
{
    return database_audit_verify(db, NULL, context, err);
}

static void ask(struct span line, const char *state_dir)
{
    struct control *c = NULL;
    struct err err = {0};
    struct buf answer;
    struct buf body;
    struct mail *mail = NULL;
    buf_init(&answer, 64 * 1024 * 1024);
    buf_init(&body, 1024 * 1024);
    bool ok = control_parse(line, &c, &err);
    if (ok && control_kind(c) == CONTROL_SUBMIT) {
        ok = control_mail(c, &mail, &body, &err);
    } else if (ok) {
        control_from(c, "uid 0", NULL);
        ok = store_run_alone(state_dir, control_run, c, &err);
    }
    control_answer(c, ok ? NULL : &err, &answer);
    CHECK(answer.len > 2 && span_find(buf_span(&answer), '\n') == answer.len - 1);
    if (mail)
        mail_free(mail);
    control_free(c);
    buf_fini(&answer);
    buf_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool made;
    struct err err = {0};
    struct audit_verdict verdict;
    struct span rest = {(const char *)data, size};
    if (!made)
        CHECK(store_create(place_path(), &err));
    made = true;
    for (int i = 0; i < 8 && rest.len > 0; i++)
        ask(span_take(&rest, '\n'), place_path());
    CHECK(store_run_alone(place_path(), verify, &verdict, &err) && verdict.broken == 0);
    return 0;
}
