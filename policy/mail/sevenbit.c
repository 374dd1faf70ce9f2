// SPDX-License-Identifier: BSD-2-Clause
/* sevenbit.c - Converts content to 7 bit in one pass over the lines, with a stack of open
 * multiparts and messages (RFC 2045, 2046).
 *
 * Each line is a delimiter of an open multipart, or belongs to the current state:
 *
 *   HEADER   of an entity; collected until it ends, as its first line may depend on its last
 *   LEAF     an entity that contains no others
 *   OUTSIDE  preamble and epilogue of a multipart, which readers ignore (RFC 2046 section 5.1.1),
 *            so 8-bit octets become '?'
 *
 * Reading and writing use the same code. Reading decides what has to be done with each entity, in
 * order of appearance (`plan`); writing does it.
 */
#include "sevenbit.h"

#include "entity_header.h"
#include "message.h"
#include "transfer_encoding.h"

#include <stdlib.h>
#include <string.h>

enum { LINE_PIECE = 1024, PLAN_MAX = 256 * 1024 * 1024 };

/* An open multipart or message. */
struct level {
    size_t entity;
    const char *untouchable; /* why nothing inside may be changed; NULL: it may */
    bool message, digest, has_parts, closed;
    bool outside_8bit;
    size_t boundary_len;
    char boundary[ENTITY_BOUNDARY_MAX + 1];
};

struct sevenbit {
    bool protect;
    struct buf top;  /* the message's header */
    struct buf plan; /* an entity_action, in an octet, for each entity */
    const char *obstacle;
    bool needed, starved;

    /* the walk */
    struct buf *out; /* NULL: reading */
    enum { HEADER, LEAF, OUTSIDE } place;
    size_t entities, entity; /* seen so far; the one we are in */
    struct level levels[SEVENBIT_DEPTH_MAX];
    size_t depth;
    struct buf header;
    enum transfer_encoding how;   /* of a leaf that is encoded */
    const char *leaf_obstacle;    /* why it could not be */
    bool leaf_8bit, line_goes_on; /* it is noted already; no line begins here */
    bool held_crlf;               /* which may belong to a delimiter */
    struct transfer_encoder encoder;
    char line[LINE_PIECE];
    size_t line_len;
};

/* ---- what is to be done ---- */

static enum entity_action planned(const struct sevenbit *c, size_t entity)
{
    return entity < c->plan.len ? (enum entity_action)c->plan.ptr[entity] : ENTITY_KEEP;
}

static void plan(struct sevenbit *c, size_t entity, enum entity_action action)
{
    if (entity < c->plan.len) /* there was memory to note it */
        c->plan.ptr[entity] = (char)action;
    c->needed = true;
}

static void note_obstacle(struct sevenbit *c, const char *why)
{
    if (!c->obstacle)
        c->obstacle = why;
}

/* What was said is not held: whoever writes learns it from `out`. */
static void note_starved(struct sevenbit *c)
{
    c->starved = true;
    if (c->out)
        c->out->overflow = c->out->starved = true;
}

/* Something inside of the innermost level becomes 7-bit: so do all that hold it. */
static void note_inside(struct sevenbit *c)
{
    const char *untouchable = c->depth > 0 ? c->levels[c->depth - 1].untouchable : NULL;
    if (untouchable)
        note_obstacle(c, untouchable);
    c->needed = true;
    for (size_t i = c->depth; i > 0 && planned(c, c->levels[i - 1].entity) == ENTITY_KEEP; i--)
        plan(c, c->levels[i - 1].entity, ENTITY_RELABEL);
}

static void note_leaf(struct sevenbit *c)
{
    if (c->leaf_obstacle)
        note_obstacle(c, c->leaf_obstacle);
    plan(c, c->entity, c->how == TRANSFER_BASE64 ? ENTITY_ENCODE_BYTES : ENTITY_ENCODE_TEXT);
    note_inside(c);
    c->leaf_8bit = true;
}

static void emit(struct sevenbit *c, struct span bytes)
{
    if (c->out)
        buf_add(c->out, bytes);
}

/* ---- headers ---- */

/* The header is whole. The message's own is nobody's content. */
static void end_header(struct sevenbit *c)
{
    struct span header = buf_span(&c->header);
    enum entity_place place = c->entity == 0                                    ? ENTITY_TOP
                              : c->depth > 0 && c->levels[c->depth - 1].message ? ENTITY_MESSAGE
                                                                                : ENTITY_PART;
    if (c->out)
        entity_header_write(header, planned(c, c->entity), place, c->out);
    else if (c->entity > 0 && !span_is_ascii(header))
        note_inside(c);
}

static void begin_entity(struct sevenbit *c)
{
    c->entity = c->entities++;
    c->place = HEADER;
    buf_clear(&c->header);
    if (!c->out && !buf_add_char(&c->plan, ENTITY_KEEP)) {
        if (c->plan.starved)
            note_starved(c);
        else
            note_obstacle(c, "in too many parts");
        c->entity -= c->entity > 0;
    }
}

/* ---- entities ---- */

static const char *untouchable(const struct sevenbit *c, const struct entity_header *content)
{
    const char *why = c->protect ? content->protects : NULL;
    return why || c->depth == 0 ? why : c->levels[c->depth - 1].untouchable;
}

static void begin_leaf(struct sevenbit *c, const struct entity_header *content)
{
    bool global = span_starts_nocase(content->type, SPAN("message/global")); /* RFC 6532, 6533 */
    bool text = content->type.len == 0 || span_starts_nocase(content->type, SPAN("text/"));
    c->place = LEAF;
    c->leaf_8bit = false;
    c->how = text || global ? TRANSFER_QUOTED_PRINTABLE : TRANSFER_BASE64;
    c->leaf_obstacle = untouchable(c, content);
    if (span_starts_nocase(content->type, SPAN("multipart/")))
        c->leaf_obstacle = c->depth == SEVENBIT_DEPTH_MAX
                               ? "in parts nested over 100 deep"
                               : "in a multipart whose boundary cannot be read";
    else if (span_starts_nocase(content->type, SPAN("message/")) && !global)
        c->leaf_obstacle = c->depth == SEVENBIT_DEPTH_MAX
                               ? "in parts nested over 100 deep"
                               : "in a message part, which cannot be encoded (RFC 2046 5.2)";
    else if (!entity_header_is_identity(content->encoding))
        c->leaf_obstacle = "in a part that is labelled as encoded already";
    if (c->out && planned(c, c->entity) != ENTITY_KEEP)
        transfer_begin(&c->encoder, c->how);
    else
        transfer_begin(&c->encoder, TRANSFER_IDENTITY);
}

static struct level *push(struct sevenbit *c, const struct entity_header *content)
{
    const char *why = untouchable(c, content);
    struct level *level = &c->levels[c->depth++];
    level->entity = c->entity;
    level->untouchable = why;
    level->message = level->digest = level->has_parts = level->closed = false;
    level->outside_8bit = false;
    level->boundary_len = 0;
    return level;
}

/* The header has ended, and a body begins. */
static void begin_body(struct sevenbit *c, struct span separator)
{
    struct entity_header content;
    bool room = c->depth < SEVENBIT_DEPTH_MAX;
    entity_header_read(buf_span(&c->header), &content);
    if (content.starved)
        note_starved(c);
    if (content.type.len == 0 && c->depth > 0 && c->levels[c->depth - 1].digest)
        content.type = SPAN("message/rfc822"); /* RFC 2046 section 5.1.5 */
    end_header(c);
    if (!c->out && c->entity > 0 && c->protect && content.protects &&
        !span_is_ascii(buf_span(&c->header)))
        note_obstacle(c, content.protects);
    if (separator.len == 0 && c->entity > 0 && planned(c, c->entity) > ENTITY_RELABEL)
        separator = SPAN("\r\n"); /* the fields that were added have to end */
    emit(c, separator);
    if (room && span_starts_nocase(content.type, SPAN("multipart/")) && content.boundary_len > 0) {
        struct level *level = push(c, &content);
        level->digest = span_equal_nocase(content.type, SPAN("multipart/digest"));
        level->boundary_len = content.boundary_len;
        memcpy(level->boundary, content.boundary, content.boundary_len);
        c->place = OUTSIDE;
    } else if (room && span_equal_nocase(content.type, SPAN("message/rfc822")) &&
               entity_header_is_identity(content.encoding)) {
        push(c, &content)->message = true;
        begin_entity(c);
    } else {
        begin_leaf(c, &content);
    }
}

static void pop(struct sevenbit *c)
{
    const struct level *level = &c->levels[--c->depth];
    if (level->outside_8bit && !level->has_parts)
        note_obstacle(c, "in a multipart without parts");
}

/* Whatever the walk is in ends here. */
static void end_place(struct sevenbit *c)
{
    switch (c->place) {
    case HEADER:
        end_header(c);
        break;
    case LEAF:
        if (c->out)
            transfer_end(&c->encoder, c->out);
        break;
    case OUTSIDE:
        break;
    }
}

/* ---- lines ---- */

/* A CRLF before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1); others are content.
 */
static void release_crlf(struct sevenbit *c)
{
    if (c->held_crlf && c->out)
        transfer_line_end(&c->encoder, c->out);
    c->held_crlf = false;
}

/* Which open multipart's delimiter is it? The outermost, if two have the same. */
static struct level *find_delimiter(struct sevenbit *c, struct span line, bool *last_r)
{
    struct span text = span_from(span_trim(line), 2);
    size_t shorter = text.len > 2 && span_ends_nocase(text, SPAN("--")) ? text.len - 2 : 0;
    for (size_t i = 0; i < c->depth; i++) {
        struct level *level = &c->levels[i];
        size_t len = level->boundary_len;
        bool fits = len > 0 && (len == text.len || len == shorter) && !level->closed;
        if (fits && memcmp(level->boundary, text.ptr, len) == 0) {
            *last_r = len < text.len;
            return level;
        }
    }
    return NULL;
}

static void take_delimiter(struct sevenbit *c, struct level *level, struct span line, bool last)
{
    end_place(c);
    while (&c->levels[c->depth - 1] != level)
        pop(c);
    if (c->held_crlf)
        emit(c, SPAN("\r\n"));
    c->held_crlf = false;
    emit(c, line);
    level->closed = last;
    level->has_parts = true;
    c->entity = level->entity;
    c->place = OUTSIDE;
    transfer_begin(&c->encoder, TRANSFER_IDENTITY);
    if (!last)
        begin_entity(c);
}

static void take_outside(struct sevenbit *c, struct span text)
{
    struct level *level = &c->levels[c->depth - 1];
    if (span_is_ascii(text)) {
        emit(c, text);
        return;
    }
    level->outside_8bit = true;
    if (!c->out)
        note_inside(c);
    for (size_t i = 0; i < text.len && c->out; i++)
        buf_add_char(c->out, (unsigned char)text.ptr[i] < 0x80 ? text.ptr[i] : '?');
}

static void take_content(struct sevenbit *c, struct span line)
{
    bool crlf = span_ends_nocase(line, SPAN("\r\n"));
    struct span text = span_first(line, line.len - (crlf ? 2 : 0));
    release_crlf(c);
    if (c->place == OUTSIDE)
        take_outside(c, text);
    else if (c->out)
        transfer_text(&c->encoder, text, c->out);
    else if (!c->leaf_8bit && !span_is_ascii(text))
        note_leaf(c);
    c->held_crlf = crlf;
}

/* A field, more of one, or what begins an old mailbox's message? */
static bool is_header_line(const struct sevenbit *c, struct span line)
{
    struct span rest = line;
    struct span name = span_take(&rest, ':');
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return c->header.len > 0;
    if (span_starts_nocase(line, SPAN("From ")) || span_starts_nocase(line, SPAN(">From ")))
        return c->header.len == 0;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] > '~')
            return false;
    return name.len > 0 && name.len < line.len;
}

static void take_header_line(struct sevenbit *c, struct span line, bool begins)
{
    if (begins && (span_equal(line, SPAN("\r\n")) || span_equal(line, SPAN("\n")))) {
        begin_body(c, line);
    } else if (begins && !is_header_line(c, line)) {
        begin_body(c, SPAN_NONE);
        if (c->place == HEADER)
            take_header_line(c, line, begins);
        else
            take_content(c, line);
    } else if (!buf_add(&c->header, line) && c->header.starved) {
        note_starved(c);
    } else if (c->header.overflow) {
        note_obstacle(c, "in a message with a part whose header is over 256 KB");
    }
}

/* A line with its end, or a piece of one that is long. */
static void take_line(struct sevenbit *c, struct span line, bool begins)
{
    bool last = false;
    struct level *level = NULL;
    if (begins && line.len > 2 && line.ptr[0] == '-' && line.ptr[1] == '-')
        level = find_delimiter(c, line, &last);
    if (level)
        take_delimiter(c, level, line, last);
    else if (c->place == HEADER)
        take_header_line(c, line, begins);
    else
        take_content(c, line);
}

/* A CR may be the first half of a line's end: it waits for what comes. */
static void flush_line(struct sevenbit *c, bool ends)
{
    bool cr = !ends && c->line[c->line_len - 1] == '\r';
    struct span line = {c->line, c->line_len - cr};
    bool begins = !c->line_goes_on;
    c->line_len = cr;
    c->line_goes_on = !ends;
    if (line.len > 0)
        take_line(c, line, begins);
    c->line[0] = cr ? '\r' : c->line[0];
}

static void walk(struct sevenbit *c, struct span bytes)
{
    while (bytes.len > 0 && !((c->obstacle || c->starved) && !c->out)) {
        size_t at = span_find(bytes, '\n');
        bool ends = at < bytes.len;
        struct span line = span_first(bytes, ends ? at + 1 : at);
        if (ends && c->line_len == 0) {
            bool begins = !c->line_goes_on;
            c->line_goes_on = false;
            take_line(c, line, begins);
            bytes = span_from(bytes, line.len);
            continue;
        }
        struct span piece = span_first(line, sizeof(c->line) - c->line_len);
        memcpy(c->line + c->line_len, piece.ptr, piece.len);
        c->line_len += piece.len;
        bytes = span_from(bytes, piece.len);
        if ((ends && piece.len == line.len) || c->line_len == sizeof(c->line))
            flush_line(c, ends && piece.len == line.len);
    }
}

static void walk_end(struct sevenbit *c)
{
    flush_line(c, true);
    release_crlf(c);
    end_place(c);
    while (c->depth > 0)
        pop(c);
}

static void walk_start(struct sevenbit *c, struct buf *out)
{
    c->out = out;
    c->entities = c->depth = c->line_len = 0;
    c->held_crlf = c->line_goes_on = false;
    begin_entity(c);
    if (c->top.starved || !buf_add(&c->header, buf_span(&c->top)))
        note_starved(c); /* the limit is above its length */
    begin_body(c, SPAN_NONE);
}

/* ---- the interface ---- */

struct sevenbit *sevenbit_new(struct span header, bool protect)
{
    struct sevenbit *c = xcalloc(1, sizeof(*c));
    c->protect = protect;
    buf_init_peer(&c->top, header.len);
    buf_init_peer(&c->header, header.len > MESSAGE_HEADER_MAX ? header.len : MESSAGE_HEADER_MAX);
    buf_init_peer(&c->plan, PLAN_MAX);
    buf_add(&c->top, header);
    walk_start(c, NULL);
    return c;
}

void sevenbit_free(struct sevenbit *c)
{
    if (!c)
        return;
    buf_fini(&c->top);
    buf_fini(&c->header);
    buf_fini(&c->plan);
    free(c);
}

void sevenbit_read(struct sevenbit *c, struct span piece)
{
    walk(c, piece);
}

void sevenbit_read_end(struct sevenbit *c)
{
    walk_end(c);
}

const char *sevenbit_obstacle(const struct sevenbit *c)
{
    return c->obstacle;
}

bool sevenbit_starved(const struct sevenbit *c)
{
    return c->starved;
}

bool sevenbit_needed(const struct sevenbit *c)
{
    return c->needed;
}

void sevenbit_write_header(struct sevenbit *c, struct buf *out)
{
    walk_start(c, out);
}

void sevenbit_write(struct sevenbit *c, struct span piece, struct buf *out)
{
    c->out = out;
    walk(c, piece);
}

void sevenbit_write_end(struct sevenbit *c, struct buf *out)
{
    c->out = out;
    walk_end(c);
}
