// SPDX-License-Identifier: BSD-2-Clause
/* config_text.c - Processes the characters of a config file: quotes, comments, brackets, includes.
 * What is not closed is reported with the line where it began, as libconfuse would report the end
 * of the file. */
#include "config_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 1024 * 1024, NEST_MAX = 32, NAMES_MAX = 64 * 1024 };

struct scan {
    struct config_text *text;
    const struct opener *opener;
    config_text_tell *tell;
    void *context;
    unsigned depth; /* of includes */
    bool whole;     /* nothing is left open */
};

/* ---- files ---- */

static void end_line(struct config_text *t, size_t file, size_t number)
{
    if (t->line_count % 256 == 0)
        t->lines = xgrow(t->lines, t->line_count + 256, sizeof(*t->lines));
    t->lines[t->line_count++] = (struct config_line){file, number};
}

static const char *read_bytes(const struct opener *opener, const char *path, struct buf *bytes)
{
    ssize_t got = 0;
    int fd = opener_open(opener, path);
    if (fd < 0)
        return opener_why(errno);
    do {
        char *to = buf_reserve(bytes, 4096);
        got = to ? read(fd, to, 4096) : 0;
        if (got > 0)
            buf_commit(bytes, (size_t)got);
    } while (got > 0);
    const char *why = got < 0 ? strerror(errno) : NULL;
    close(fd);
    return why               ? why
           : bytes->overflow ? "is over 1 MB"
           : bytes->len >= 2 && (memcmp(bytes->ptr, "\xff\xfe", 2) == 0 ||
                                 memcmp(bytes->ptr, "\xfe\xff", 2) == 0)
               ? "is UTF-16: save it as UTF-8"
           : span_find(buf_span(bytes), '\0') < bytes->len ? "is no text: it holds a NUL byte"
                                                           : NULL;
}

/* ---- characters ---- */

/* The file that is being taken in. */
struct source {
    const char *path;
    size_t file;   /* its number */
    size_t number; /* of the line */
    struct span rest;
    size_t open[NEST_MAX]; /* the lines where sections and lists begin */
    size_t nested;
    bool at_start; /* of a statement */
};

static bool take_file(struct scan *s, const char *path, const char *by, size_t line);

static void tell(struct scan *s, const struct source *f, size_t line, const char *what)
{
    s->tell(s->context, f->path, line, what, true);
}

static void put(struct scan *s, struct source *f, char c)
{
    buf_add_char(&s->text->all, c);
    f->rest = span_from(f->rest, 1);
    if (c == '\n')
        end_line(s->text, f->file, f->number++);
}

/* ${NAME} that nobody has set is a mistake, not the empty text. ${NAME:-else} may be unset. */
static void check_variable(struct scan *s, const struct source *f)
{
    char name[128];
    char what[200];
    size_t end = span_find(f->rest, '}');
    if (!span_starts_nocase(f->rest, SPAN("${")) || end == f->rest.len)
        return;
    struct span inside = span_from(span_first(f->rest, end), 2);
    if (span_search(inside, SPAN(":-")) < inside.len || !span_copy(inside, name, sizeof(name)) ||
        getenv(name))
        return;
    snprintf(what, sizeof(what), "the environment variable %s is not set", name);
    tell(s, f, f->number, what);
}

static void take_quoted(struct scan *s, struct source *f)
{
    size_t began = f->number;
    char quote = f->rest.ptr[0];
    put(s, f, quote);
    while (f->rest.len > 0 && f->rest.ptr[0] != quote) {
        if (f->rest.ptr[0] == '\\' && f->rest.len > 1)
            put(s, f, '\\');
        else if (quote == '"' && f->rest.ptr[0] == '$')
            check_variable(s, f);
        put(s, f, f->rest.ptr[0]);
    }
    if (f->rest.len > 0) {
        put(s, f, quote);
        return;
    }
    tell(s, f, began, "a quote that begins here is not closed");
    s->whole = false;
}

static void blank_to(struct scan *s, struct source *f, size_t len)
{
    while (len-- > 0 && f->rest.len > 0)
        put(s, f, f->rest.ptr[0] == '\n' ? '\n' : ' ');
}

/* False when none begins here. libconfuse counts three lines for each. */
static bool take_comment(struct scan *s, struct source *f)
{
    if (f->rest.ptr[0] == '#' || span_starts_nocase(f->rest, SPAN("//"))) {
        blank_to(s, f, span_find(f->rest, '\n'));
        return true;
    }
    if (!span_starts_nocase(f->rest, SPAN("/*")))
        return false;
    size_t end = span_search(f->rest, SPAN("*/"));
    if (end == f->rest.len) {
        tell(s, f, f->number, "a comment that begins here is not closed");
        s->whole = false;
    }
    blank_to(s, f, end + 2);
    return true;
}

static void take_bracket(struct scan *s, struct source *f)
{
    bool opens = f->rest.ptr[0] == '{';
    if (opens && f->nested < NEST_MAX) {
        f->open[f->nested++] = f->number;
    } else if (!opens && f->nested > 0) {
        f->nested--;
    } else {
        tell(s, f, f->number, opens ? "sections are nested too deep" : "a } that closes nothing");
        s->whole = false;
    }
    put(s, f, f->rest.ptr[0]);
}

/* ---- includes ---- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static void keep_pattern(struct config_text *t, const char *pattern)
{
    t->patterns = xgrow(t->patterns, t->pattern_count + 1, sizeof(*t->patterns));
    t->patterns[t->pattern_count++] = xstrdup(pattern);
}

/* The files that a pattern names; a plain name must be there. */
static void take_matches(struct scan *s, struct source *f, const char *pattern)
{
    char full[2048];
    char what[2200];
    const char *slash = strrchr(f->path, '/');
    int len =
        snprintf(full, sizeof(full), "%.*s%s",
                 pattern[0] == '/' || !slash ? 0 : (int)(slash - f->path + 1), f->path, pattern);
    bool fits = len >= 0 && (size_t)len < sizeof(full);
    struct buf names;
    buf_init(&names, NAMES_MAX);
    int error = fits ? opener_match(s->opener, full, &names) : ENAMETOOLONG;
    if (fits)
        keep_pattern(s->text, full);
    bool none = error == ENOENT && strpbrk(pattern, "*?[");
    snprintf(what, sizeof(what), "include \"%.200s\": %s", pattern,
             none ? "no file matches" : opener_why(error));
    if (error)
        s->tell(s->context, f->path, f->number, what, !none);
    s->whole = s->whole && (!error || none);
    for (struct span rest = buf_span(&names); !error && rest.len > 0;) {
        const char *name = rest.ptr;
        rest = span_from(rest, strlen(name) + 1);
        if (!take_file(s, name, f->path, f->number))
            s->whole = false;
    }
    buf_fini(&names);
}

/* False when no include stands here. */
static bool take_include(struct scan *s, struct source *f)
{
    const struct span word = SPAN("include");
    char pattern[1024];
    struct span rest = span_from(f->rest, word.len);
    if (!span_starts_nocase(f->rest, word) || rest.len == 0 || is_word(rest.ptr[0]))
        return false;
    while (rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t'))
        rest = span_from(rest, 1);
    struct span name = rest.len > 1 && rest.ptr[0] == '"' ? span_from(rest, 1) : SPAN_NONE;
    size_t end = span_find(name, '"');
    if (end == name.len || end == 0 ||
        !span_copy(span_first(name, end), pattern, sizeof(pattern)) || f->nested > 0) {
        tell(s, f, f->number,
             f->nested > 0 ? "include stands outside of all sections"
                           : "include needs a file name: include \"conf.d/*.conf\"");
        s->whole = false;
        blank_to(s, f, span_find(f->rest, '\n'));
        return true;
    }
    blank_to(s, f, (size_t)(name.ptr + end + 1 - f->rest.ptr));
    buf_add_char(&s->text->all, '\n');
    end_line(s->text, f->file, f->number);
    take_matches(s, f, pattern);
    return true;
}

/* ---- one file ---- */

static void take_characters(struct scan *s, struct source *f)
{
    bool word = false; /* inside of one */
    while (f->rest.len > 0) {
        char c = f->rest.ptr[0];
        bool begins = is_word(c) && !word;
        word = is_word(c);
        if (c == '"' || c == '\'')
            take_quoted(s, f);
        else if (c == '{' || c == '}')
            take_bracket(s, f);
        else if (take_comment(s, f))
            continue;
        else if (begins && f->at_start && take_include(s, f))
            word = false;
        else
            put(s, f, c == '\r' ? ' ' : c);
        /* a statement begins on a line of its own, or behind a bracket */
        f->at_start = c == '\n' || c == '}' || (f->at_start && isspace((unsigned char)c));
    }
}

/* `by`: the file that includes it, and the line there; NULL none. */
static bool take_file(struct scan *s, const char *path, const char *by, size_t line)
{
    struct config_text *t = s->text;
    struct buf bytes;
    buf_init(&bytes, TEXT_MAX);
    const char *why = s->depth > CONFIG_TEXT_DEPTH_MAX ? "is included by itself, or too deep"
                      : t->file_count == CONFIG_TEXT_FILES_MAX
                          ? "is one file too many"
                          : read_bytes(s->opener, path, &bytes);
    if (why) {
        char what[2300];
        bool none = !by && strcmp(why, strerror(ENOENT)) == 0;
        snprintf(what, sizeof(what), "%s%s%s%s", by ? path : "", by ? ": " : "", why,
                 none ? ": make it with \"sealpost init DOMAIN\", or name another file with -c"
                      : "");
        s->tell(s->context, by ? by : path, line, what, true);
        buf_fini(&bytes);
        return false;
    }
    t->files = xgrow(t->files, t->file_count + 1, sizeof(*t->files));
    t->files[t->file_count] = xstrdup(path);
    struct source f = {.path = t->files[t->file_count],
                       .file = t->file_count++,
                       .number = 1,
                       .rest = buf_span(&bytes),
                       .at_start = true};
    if (span_starts_nocase(f.rest, SPAN("\xef\xbb\xbf"))) /* a byte order mark says nothing here */
        f.rest = span_from(f.rest, 3);
    s->depth++;
    take_characters(s, &f);
    s->depth--;
    if (f.nested > 0) {
        tell(s, &f, f.open[f.nested - 1], "a { that is opened here is not closed");
        s->whole = false;
    }
    buf_add_char(&t->all, '\n');
    end_line(t, f.file, f.number);
    buf_fini(&bytes);
    return true;
}

/* ---- the public face ---- */

bool config_text_read(struct config_text *t, const char *path, const struct opener *opener,
                      config_text_tell *on_tell, void *context)
{
    struct scan s = {
        .text = t, .opener = opener, .tell = on_tell, .context = context, .whole = true};
    *t = (struct config_text){0};
    buf_init(&t->all, (size_t)16 * TEXT_MAX);
    bool ok = take_file(&s, path, NULL, 0) && s.whole && !t->all.overflow;
    t->copy = xstrdup(buf_text(&t->all));
    if (ok)
        config_statements_parse(&t->statements, t->copy);
    return ok;
}

void config_text_free(struct config_text *t)
{
    for (size_t i = 0; i < t->file_count; i++)
        free(t->files[i]);
    for (size_t i = 0; i < t->pattern_count; i++)
        free(t->patterns[i]);
    free(t->files);
    free(t->patterns);
    free(t->lines);
    config_statements_free(&t->statements);
    free(t->copy);
    buf_fini(&t->all);
}

const char *config_text_place(const struct config_text *t, size_t line, size_t *line_r)
{
    if (line == 0 || line > t->line_count)
        line = t->line_count;
    *line_r = line > 0 ? t->lines[line - 1].number : 0;
    return t->file_count > 0 ? t->files[line > 0 ? t->lines[line - 1].file : 0] : "";
}

const struct config_statement *config_text_find(const struct config_text *t, const char *section,
                                                const char *title, const char *setting)
{
    return config_statements_find(&t->statements, span_of(section), title, setting);
}

void config_text_where(const struct config_text *t, const char *section, const char *title,
                       const char *setting, struct buf *out)
{
    size_t number = 0;
    const struct config_statement *s =
        setting ? config_text_find(t, section, title, setting) : NULL;
    if (!s && section[0])
        s = config_text_find(t, section, title, NULL);
    const char *file = s                   ? config_text_place(t, s->line, &number)
                       : t->file_count > 0 ? t->files[0]
                                           : "";
    if (s)
        buf_addf(out, "%s:%zu: ", file, number);
    else if (file[0])
        buf_addf(out, "%s: ", file);
}

size_t config_text_nth(const struct config_text *t, const char *section, size_t nth)
{
    size_t count = 0;
    for (size_t i = 0; i < t->statements.count; i++) {
        const struct config_statement *s = &t->statements.list[i];
        if (s->parent == SIZE_MAX && span_equal(s->name, span_of(section)) && ++count == nth)
            return s->line;
    }
    return 0;
}

bool config_text_drop(struct config_text *t, size_t line, const char *name)
{
    const struct config_statement *found = NULL;
    for (size_t i = 0; i < t->statements.count; i++) {
        const struct config_statement *s = &t->statements.list[i];
        bool there = s->end > s->begin && s->line <= line && line <= s->last &&
                     (span_equal(s->name, span_of(name)) || span_equal(s->title, span_of(name))) &&
                     !isspace((unsigned char)t->all.ptr[s->begin]);
        if (there && (!found || s->line >= found->line) && !(found && found->line == s->line))
            found = s;
    }
    for (size_t i = found ? found->begin : 0; found && i < found->end; i++)
        if (t->all.ptr[i] != '\n')
            t->all.ptr[i] = ' ';
    return found != NULL;
}
