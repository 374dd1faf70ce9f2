// SPDX-License-Identifier: BSD-2-Clause
/* returns_public_test.c - Messages that came back to senders, from public collections: which kind each is, whom it is about, what
 * happened and why; nobody is suppressed by one that does not say that a mailbox is gone. And all of that again when chance has
 * chosen something else: line ends, boundaries, encodings, charsets; and not when somebody has attached the message to another. */
#include "vectors.h"

#include "base64.h"
#include "message.h"
#include "mime.h"
#include "returns.h"
#include "transfer_encoding.h"

enum { RAW_MAX = 1024 * 1024, WRONG_KINDS_PERCENT = 3 };

struct counts {
    unsigned messages, kinds, recipients, addresses, actions, statuses, status_all, replies, reply_all, categories, category_all;
    unsigned suppressed; /* that must not be */
};

static struct returns_reading *reading;
static bool loud;

static void read_raw(json_t *message, struct buf *raw)
{
    json_t *text = json_object_get(message, "raw");
    struct span all = {json_string_value(text), json_string_length(text)};
    buf_init(raw, RAW_MAX);
    if (*vectors_text(message, "encoding"))
        assert_true(base64_decode(all, raw));
    else
        buf_add(raw, all);
}

static bool has_kind(json_t *message, const char *kind)
{
    json_t *also = json_object_get(message, "also");
    bool has = strcmp(vectors_text(message, "kind"), kind) == 0;
    for (size_t i = 0; i < json_array_size(also); i++)
        has = has || strcmp(json_string_value(json_array_get(also, i)), kind) == 0;
    return has;
}

static bool must_not_suppress(json_t *object)
{
    json_t *must_not = json_object_get(object, "must_not");
    for (size_t i = 0; i < json_array_size(must_not); i++)
        if (strcmp(json_string_value(json_array_get(must_not, i)), "suppress") == 0)
            return true;
    return false;
}

static bool is_address(const struct returns_recipient *r, const char *address)
{
    return strcasecmp(r->address, address) == 0 || strcasecmp(r->final, address) == 0;
}

static const struct returns_recipient *find(const char *address)
{
    for (size_t i = 0; i < reading->recipient_count; i++)
        if (is_address(&reading->recipients[i], address))
            return &reading->recipients[i];
    return NULL;
}

static void say(json_t *message, const char *what, const char *want, const char *got)
{
    if (loud)
        fprintf(stderr, "%s: %s: %s, not %s\n", vectors_text(message, "id"), what, got, want);
}

static void compare_text(json_t *message, json_t *expected, const char *name, const char *got, unsigned *right, unsigned *all)
{
    char want[RETURNS_REPLY_MAX + 1];
    json_t *value = json_object_get(expected, name);
    if (!json_is_string(value) || !json_string_length(value))
        return;
    span_put(span_of(json_string_value(value)), want, sizeof(want));
    (*all)++;
    if (strcmp(want, got) == 0)
        (*right)++;
    else
        say(message, name, want, got);
}

/* At once, or when it is heard again; a mailbox that is said to be disabled must be so on a second day. */
static bool suppresses(const struct returns_judgement *judged)
{
    return judged->suppress_after == 1 || (judged->suppress_after > 1 && judged->reply.category != REPLY_MAILBOX_DISABLED);
}

static void compare_recipient(json_t *message, json_t *expected, struct counts *c)
{
    struct returns_judgement judged = {0};
    const struct returns_recipient *r = find(vectors_text(expected, "address"));
    c->recipients++;
    if (!r && strstr(vectors_text(expected, "address"), "\\x{")) /* it is decoded here (RFC 6533 section 3) */
        r = reading->recipients;
    if (!r) {
        say(message, "address", vectors_text(expected, "address"), reading->recipient_count ? reading->recipients[0].address : "none");
        return;
    }
    c->addresses++;
    if (strcmp(returns_action_name(r->action), vectors_text(expected, "action")) == 0)
        c->actions++;
    else
        say(message, "action", vectors_text(expected, "action"), returns_action_name(r->action));
    compare_text(message, expected, "status", r->status, &c->statuses, &c->status_all);
    compare_text(message, expected, "reply", r->reply, &c->replies, &c->reply_all);
    bool told = returns_judge(reading, (size_t)(r - reading->recipients), &judged);
    if (r->action == RETURNS_ACTION_FAILED)
        compare_text(message, expected, "category", told ? reply_category_name(judged.reply.category) : "none", &c->categories,
                     &c->category_all);
    if (must_not_suppress(expected) && told && suppresses(&judged)) {
        c->suppressed++;
        say(message, "suppressed", "never", reply_category_name(judged.reply.category));
    }
}

static void compare_whole(json_t *message, struct counts *c)
{
    for (size_t i = 0; must_not_suppress(message) && i < reading->recipient_count; i++) {
        struct returns_judgement judged;
        if (!returns_judge(reading, i, &judged) || !suppresses(&judged))
            continue;
        c->suppressed++;
        say(message, "suppressed", "never", reading->recipients[i].reply);
    }
}

static void compare(json_t *message, struct span raw, struct counts *c)
{
    json_t *recipients = json_object_get(message, "recipients");
    assert_true(returns_read(raw, RETURNS_SENDER_UNSAID, reading));
    c->messages++;
    if (has_kind(message, returns_kind_name(reading->kind)))
        c->kinds++;
    else
        say(message, "kind", vectors_text(message, "kind"), returns_kind_name(reading->kind));
    for (size_t i = 0; i < json_array_size(recipients); i++)
        compare_recipient(message, json_array_get(recipients, i), c);
    compare_whole(message, c);
}

static void print_counts(const char *what, const struct counts *c)
{
    fprintf(stderr, "%s: kind %u of %u; address %u, action %u of %u; status %u of %u; reply %u of %u; category %u of %u; wrongly suppressed %u\n",
            what, c->kinds, c->messages, c->addresses, c->actions, c->recipients, c->statuses, c->status_all, c->replies, c->reply_all,
            c->categories, c->category_all, c->suppressed);
}

static void as_they_came(void **state)
{
    (void)state;
    struct counts c = {0};
    json_t *all = vectors_load("returns-public.json");
    json_t *messages = json_object_get(all, "messages");
    loud = getenv("LOUD") != NULL;
    for (size_t i = 0; i < json_array_size(messages); i++) {
        struct buf raw;
        read_raw(json_array_get(messages, i), &raw);
        compare(json_array_get(messages, i), buf_span(&raw), &c);
        buf_fini(&raw);
    }
    json_decref(all);
    print_counts("as they came", &c);
    assert_int_equal(c.suppressed, 0);
    assert_true(100 * (c.messages - c.kinds) <= WRONG_KINDS_PERCENT * c.messages);
}

/* ---- what chance has chosen ---- */

enum { LEAVES_MAX = 60, BOUNDARIES_MAX = 20 };

struct leaves {
    struct mime_entity list[LEAVES_MAX];
    size_t count;
};

/* The message with other line ends. */
static void change_line_ends(struct span raw, const char *end, struct buf *out)
{
    while (raw.len > 0) {
        struct span line = span_take(&raw, '\n');
        if (span_ends_nocase(line, SPAN("\r")))
            line.len--;
        BUF_ADD(out, line, span_of(end));
    }
}

static void on_entity(void *context, const struct mime_entity *leaf)
{
    struct leaves *all = context;
    if (all->count < LEAVES_MAX)
        all->list[all->count++] = *leaf;
}

static void find_leaves(struct span message, struct leaves *all)
{
    size_t length = 0;
    all->count = 0;
    bool ended = message_header_length(message, &length);
    mime_leaves(span_first(message, length), ended ? span_from(message, length + 2) : SPAN_NONE, on_entity, all);
}

static bool is_changed(const struct mime_entity *leaf)
{
    static const char *const types[] = {"text/plain", "text/html", "message/delivery-status", "message/global-delivery-status",
                                        "message/feedback-report", "message/disposition-notification", ""};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (span_equal_nocase(leaf->type, span_of(types[i])))
            return true;
    return false;
}

/* A header without a field; `more` goes behind it. */
static void without_field(struct span header, struct span name, const char *more, struct buf *out)
{
    struct field f;
    while (message_next_field(&header, &f))
        if (!span_equal_nocase(f.name, name))
            buf_add(out, f.raw);
    buf_add(out, span_of(more));
}

static void change_encoding(const struct mime_entity *leaf, enum transfer_encoding encoding, struct buf *out)
{
    struct buf text;
    struct transfer_encoder e;
    char field[80];
    buf_init(&text, RAW_MAX);
    mime_decode(leaf->encoding, leaf->body, &text);
    snprintf(field, sizeof(field), "Content-Transfer-Encoding: %s\r\n\r\n", transfer_name(encoding));
    without_field(leaf->header, SPAN("Content-Transfer-Encoding"), field, out);
    transfer_begin(&e, encoding);
    for (struct span rest = buf_span(&text); rest.len > 0;) {
        struct span line = span_take(&rest, '\n');
        transfer_text(&e, span_ends_nocase(line, SPAN("\r")) ? span_first(line, line.len - 1) : line, out);
        transfer_line_end(&e, out);
    }
    transfer_end(&e, out);
    buf_add(out, SPAN("\r\n"));
    buf_fini(&text);
}

/* Each part that is looked at with another encoding; the rest as it is. */
static void change_encodings(struct span raw, enum transfer_encoding encoding, struct buf *out)
{
    struct leaves all;
    const char *from = raw.ptr;
    find_leaves(raw, &all);
    for (size_t i = 0; i < all.count; i++) {
        const struct mime_entity *leaf = &all.list[i];
        if (!is_changed(leaf) || leaf->body.len == 0)
            continue;
        buf_add(out, (struct span){from, (size_t)(leaf->header.ptr - from)});
        change_encoding(leaf, encoding, out);
        from = leaf->body.ptr + leaf->body.len;
    }
    buf_add(out, (struct span){from, (size_t)(raw.ptr + raw.len - from)});
}

static void to_base64(struct span raw, struct buf *out)
{
    change_encodings(raw, TRANSFER_BASE64, out);
}

static void to_quoted_printable(struct span raw, struct buf *out)
{
    change_encodings(raw, TRANSFER_QUOTED_PRINTABLE, out);
}

static void to_lf(struct span raw, struct buf *out)
{
    change_line_ends(raw, "\n", out);
}

static void to_cr(struct span raw, struct buf *out)
{
    change_line_ends(raw, "\r", out);
}

/* All that stands behind "boundary=", wherever it occurs, is another word. */
static void to_other_boundaries(struct span raw, struct buf *out)
{
    char boundaries[BOUNDARIES_MAX][MIME_BOUNDARY_MAX + 1];
    size_t count = 0;
    for (struct span rest = raw; count < BOUNDARIES_MAX;) {
        rest = span_from(rest, span_search(rest, SPAN("boundary=")));
        if (rest.len == 0)
            break;
        struct span value = span_from(rest, sizeof("boundary=") - 1);
        char quote = value.len > 0 && value.ptr[0] == '"' ? '"' : '\r';
        value = span_from(value, quote == '"');
        size_t end = span_find(value, quote);
        end = quote == '"' ? end : end < span_find(value, ';') ? end : span_find(value, ';');
        if (end > 8 && end < value.len && span_copy(span_first(value, end), boundaries[count], sizeof(boundaries[0])))
            count++;
        rest = span_from(rest, 9);
    }
    while (raw.len > 0) {
        size_t i = 0;
        while (i < count && !span_starts_nocase(raw, span_of(boundaries[i])))
            i++;
        if (i < count)
            buf_addf(out, "=_other.%zu.%zu", i, strlen(boundaries[i]) * 7919);
        else
            buf_add_char(out, raw.ptr[0]);
        raw = span_from(raw, i < count ? strlen(boundaries[i]) : 1);
    }
}

static bool same_reading(const struct returns_reading *a, const struct returns_reading *b)
{
    bool same = a->kind == b->kind && a->recipient_count == b->recipient_count && a->complaint == b->complaint && a->lost == b->lost &&
                strcmp(a->message_id, b->message_id) == 0;
    for (size_t i = 0; same && i < a->recipient_count; i++) {
        const struct returns_recipient *r = &a->recipients[i], *s = &b->recipients[i];
        same = strcmp(r->address, s->address) == 0 && r->action == s->action && strcmp(r->status, s->status) == 0 &&
               strcmp(r->reply, s->reply) == 0;
    }
    return same;
}

typedef void change(struct span raw, struct buf *out);

static void check_change(json_t *message, struct span raw, const char *what, change *to)
{
    struct returns_reading *changed = xcalloc(1, sizeof(*changed));
    struct buf other;
    buf_init(&other, 4 * RAW_MAX);
    to(raw, &other);
    assert_true(returns_read(buf_span(&other), RETURNS_SENDER_UNSAID, changed));
    if (!same_reading(reading, changed))
        fail_msg("%s with %s: %s, %zu recipients, \"%s\"", vectors_text(message, "id"), what, returns_kind_name(changed->kind),
                 changed->recipient_count, changed->recipients[0].reply);
    buf_fini(&other);
    free(changed);
}

static void changed_by_chance(void **state)
{
    static const struct {
        const char *what;
        change *to;
    } changes[] = {{"LF", to_lf},
                   {"CR", to_cr},
                   {"other boundaries", to_other_boundaries},
                   {"base64", to_base64},
                   {"quoted-printable", to_quoted_printable}};
    (void)state;
    json_t *all = vectors_load("returns-public.json");
    json_t *messages = json_object_get(all, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        struct buf raw, lines;
        read_raw(json_array_get(messages, i), &raw);
        buf_init(&lines, 2 * RAW_MAX);
        change_line_ends(buf_span(&raw), "\r\n", &lines);
        assert_true(returns_read(buf_span(&lines), RETURNS_SENDER_UNSAID, reading));
        for (size_t k = 0; k < COUNT_OF(changes); k++)
            check_change(json_array_get(messages, i), buf_span(&lines), changes[k].what, changes[k].to);
        buf_fini(&raw);
        buf_fini(&lines);
    }
    json_decref(all);
}

/* ---- in another message ---- */

#define ASKS                                                                                                         \
    "From: Person Name <user@club.example>\r\nTo: help@club.example\r\nSubject: Mail does not arrive\r\n"            \
    "Message-ID: <q@club.example>\r\nMIME-Version: 1.0\r\n"

static void check_is_human(json_t *message, const char *what, struct span raw)
{
    assert_true(returns_read(raw, RETURNS_SENDER_UNSAID, reading));
    if (reading->kind != RETURNS_HUMAN || reading->recipient_count > 0)
        fail_msg("%s, %s: %s", vectors_text(message, "id"), what, returns_kind_name(reading->kind));
}

static void attach(struct span raw, bool base64, struct buf *out)
{
    buf_addf(out, "%sContent-Type: multipart/mixed; boundary=\"=_outer\"\r\n\r\n--=_outer\r\n\r\nWhat is this?\r\n--=_outer\r\n", ASKS);
    buf_addf(out, "Content-Type: message/rfc822\r\n%s\r\n", base64 ? "Content-Transfer-Encoding: base64\r\n" : "");
    if (base64)
        assert_true(base64_encode(raw, out));
    else
        buf_add(out, raw);
    buf_add(out, SPAN("\r\n--=_outer--\r\n"));
}

static void quote(struct span raw, struct buf *out)
{
    buf_addf(out, "%s\r\nWhat is this?\r\n\r\n---------- Forwarded message ---------\r\n", ASKS);
    while (raw.len > 0) {
        struct span line = span_take(&raw, '\n');
        BUF_ADD(out, SPAN("> "), line, SPAN("\n"));
    }
}

static void attached_to_another(void **state)
{
    (void)state;
    json_t *all = vectors_load("returns-public.json");
    json_t *messages = json_object_get(all, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        struct buf raw, other;
        read_raw(json_array_get(messages, i), &raw);
        buf_init(&other, 4 * RAW_MAX);
        for (int base64 = 0; base64 < 2; base64++) {
            buf_clear(&other);
            attach(buf_span(&raw), base64, &other);
            if (!strstr(vectors_text(json_array_get(messages, i), "note"), "old Microsoft programme"))
                check_is_human(json_array_get(messages, i), "attached", buf_span(&other));
        }
        buf_clear(&other);
        quote(buf_span(&raw), &other);
        check_is_human(json_array_get(messages, i), "quoted", buf_span(&other));
        buf_fini(&raw);
        buf_fini(&other);
    }
    json_decref(all);
}

static int set_up(void **state)
{
    (void)state;
    reading = xcalloc(1, sizeof(*reading));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(reading);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_they_came),
        cmocka_unit_test(changed_by_chance),
        cmocka_unit_test(attached_to_another),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
