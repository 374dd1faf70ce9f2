// SPDX-License-Identifier: BSD-2-Clause
/* grammar.c - Parses paths and parameters. Each parameter has a row with its name and the function
 * that parses its value. */
#include "grammar.h"

/* "FROM:" or "TO:", then a path. On return `args` is what follows the path. Source routes are
 * accepted and ignored (RFC 5321 appendix C).
 */
static enum grammar_fault take_path(struct span *args, struct span keyword, struct span *path_r)
{
    struct span s = *args;
    if (!span_starts_nocase(s, keyword))
        return GRAMMAR_SYNTAX;
    s = span_from(s, keyword.len);
    if (span_starts_nocase(s, SPAN(" ")))
        s = span_from(s, 1);
    if (s.len == 0 || s.ptr[0] != '<')
        return GRAMMAR_SYNTAX;
    bool quoted = false;
    size_t end = 1;
    for (; end < s.len && (quoted || s.ptr[end] != '>'); end++) {
        if (quoted && s.ptr[end] == '\\')
            end++;
        else if (s.ptr[end] == '"')
            quoted = !quoted;
    }
    if (end >= s.len)
        return GRAMMAR_SYNTAX;
    struct span path = span_from(span_first(s, end), 1);
    if (path.len > 0 && path.ptr[0] == '@')
        span_take(&path, ':');
    *path_r = path;
    *args = span_from(s, end + 1);
    return args->len == 0 || args->ptr[0] == ' ' ? GRAMMAR_OK : GRAMMAR_SYNTAX;
}

static bool is_xtext(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c < '!' || c > '~' || c == '=')
            return false;
        if (c != '+')
            continue;
        for (size_t k = 1; k <= 2; k++)
            if (i + k >= s.len || !((s.ptr[i + k] >= '0' && s.ptr[i + k] <= '9') ||
                                    (s.ptr[i + k] >= 'A' && s.ptr[i + k] <= 'F')))
                return false;
        /* What is hidden may not be a control character: it would reach headers and logs. */
        if (s.ptr[i + 1] < '2' || (s.ptr[i + 1] == '7' && s.ptr[i + 2] == 'F'))
            return false;
        i += 2;
    }
    return s.len > 0;
}

static bool read_size(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    return value.len <= 20 && span_number(value, &mail->size);
}

static bool read_body(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    mail->body_8bit = span_equal_nocase(value, SPAN("8BITMIME"));
    return mail->body_8bit || span_equal_nocase(value, SPAN("7BIT"));
}

static bool read_smtputf8(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    mail->smtputf8 = true;
    return value.ptr == NULL; /* RFC 6531 section 3.4: no value */
}

static bool read_requiretls(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    mail->requiretls = true;
    return value.ptr == NULL; /* RFC 8689 section 2: no value */
}

static bool read_ret(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    if (span_equal_nocase(value, SPAN("FULL")))
        mail->report = RETURN_FULL;
    else if (span_equal_nocase(value, SPAN("HDRS")))
        mail->report = RETURN_HEADERS;
    return mail->report != RETURN_UNSAID;
}

static bool read_envid(struct span value, void *to)
{
    struct grammar_mail *mail = to;
    mail->envelope_id = value;
    return value.ptr && value.len <= 100 && is_xtext(value);
}

/* Who submitted the message first (RFC 4954 section 5). We say nobody's but our own word, so it is
 * not looked at: xtext, "<>", and what programs write instead (lower-case digits, plain addresses).
 */
static bool read_auth(struct span value, void *to)
{
    (void)to;
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] <= ' ' || value.ptr[i] == 0x7f)
            return false;
    return value.len > 0 && value.len <= 500;
}

static bool read_notify(struct span value, void *to)
{
    static const struct {
        struct span name;
        unsigned flag;
    } names[] = {{{"NEVER", 5}, NOTIFY_NEVER},
                 {{"SUCCESS", 7}, NOTIFY_SUCCESS},
                 {{"FAILURE", 7}, NOTIFY_FAILURE},
                 {{"DELAY", 5}, NOTIFY_DELAY}};
    struct grammar_rcpt *rcpt = to;
    if (!value.ptr || span_ends_nocase(value, SPAN(",")))
        return false;
    while (value.len > 0) {
        struct span word = span_take(&value, ',');
        unsigned flag = 0;
        for (size_t i = 0; i < COUNT_OF(names); i++)
            if (span_equal_nocase(word, names[i].name))
                flag = names[i].flag;
        if (flag == 0 || (rcpt->notify & flag))
            return false;
        rcpt->notify |= flag;
    }
    return rcpt->notify != 0 && (!(rcpt->notify & NOTIFY_NEVER) || rcpt->notify == NOTIFY_NEVER);
}

static bool read_orcpt(struct span value, void *to)
{
    struct grammar_rcpt *rcpt = to;
    rcpt->original = value;
    if (!value.ptr || value.len > 500)
        return false;
    struct span type = span_take(&value, ';');
    return (span_equal_nocase(type, SPAN("rfc822")) || span_equal_nocase(type, SPAN("utf-8"))) &&
           is_xtext(value);
}

struct parameter {
    struct span name;
    bool (*read)(struct span value, void *to);
};

static const struct parameter mail_parameters[] = {
    {{"SIZE", 4}, read_size},
    {{"BODY", 4}, read_body},
    {{"SMTPUTF8", 8}, read_smtputf8},
    {{"RET", 3}, read_ret},
    {{"ENVID", 5}, read_envid},
    {{"AUTH", 4}, read_auth},
    {{"REQUIRETLS", 10}, read_requiretls},
};

static const struct parameter rcpt_parameters[] = {{{"NOTIFY", 6}, read_notify},
                                                   {{"ORCPT", 5}, read_orcpt}};

static enum grammar_fault read_parameters(struct span args, const struct parameter *table,
                                          size_t count, void *to)
{
    unsigned seen = 0;
    while (args.len > 0) {
        struct span value = span_take(&args, ' ');
        if (value.len == 0)
            continue;
        bool has_value = span_find(value, '=') < value.len;
        struct span name = span_take(&value, '=');
        size_t i = 0;
        while (i < count && !span_equal_nocase(name, table[i].name))
            i++;
        if (i == count)
            return GRAMMAR_UNKNOWN;
        if ((seen & (1U << i)) || !table[i].read(has_value ? value : (struct span){NULL, 0}, to))
            return GRAMMAR_PARAMETER;
        seen |= 1U << i;
    }
    return GRAMMAR_OK;
}

enum grammar_fault grammar_mail(struct span args, struct grammar_mail *mail_r)
{
    struct address address;
    *mail_r = (struct grammar_mail){.sender = SPAN_NONE, .envelope_id = SPAN_NONE};
    enum grammar_fault fault = take_path(&args, SPAN("FROM:"), &mail_r->sender);
    if (fault == GRAMMAR_OK)
        fault = read_parameters(args, mail_parameters, COUNT_OF(mail_parameters), mail_r);
    if (fault != GRAMMAR_OK)
        return fault;
    if (!span_is_ascii(mail_r->sender) && !mail_r->smtputf8)
        return GRAMMAR_UTF8;
    return mail_r->sender.len == 0 || address_parse(mail_r->sender, &address) ? GRAMMAR_OK
                                                                              : GRAMMAR_ADDRESS;
}

enum grammar_fault grammar_rcpt(struct span args, bool smtputf8, struct grammar_rcpt *rcpt_r)
{
    struct address address;
    *rcpt_r = (struct grammar_rcpt){.original = SPAN_NONE};
    enum grammar_fault fault = take_path(&args, SPAN("TO:"), &rcpt_r->address);
    if (fault == GRAMMAR_OK)
        fault = read_parameters(args, rcpt_parameters, COUNT_OF(rcpt_parameters), rcpt_r);
    if (fault != GRAMMAR_OK)
        return fault;
    if (!span_is_ascii(rcpt_r->address) && !smtputf8)
        return GRAMMAR_UTF8;
    if (span_equal_nocase(rcpt_r->address, SPAN("postmaster")))
        return GRAMMAR_OK;
    return address_parse(rcpt_r->address, &address) ? GRAMMAR_OK : GRAMMAR_ADDRESS;
}

bool grammar_is_helo(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return text.len > 0 && text.len <= 255;
}
