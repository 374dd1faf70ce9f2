// SPDX-License-Identifier: BSD-2-Clause
/* certificates.c - Reads certificate and key files. Each file is opened once and parsed from
 * memory, as it may be replaced at any time. */
#include "certificates.h"

#include "secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PEM_MAX = 1024 * 1024, SOON_DAYS = 30 };

static bool fault(struct err *err, const char *path, bool opened)
{
    return err_set(err, ERR_TLS, "%s %s: %s%s", opened ? "reading" : "opening",
                   path[0] ? path : "\"\"", opener_why(errno), opener_advice(errno));
}

static bool read_file(const struct opener *opener, const char *path, struct buf *text,
                      struct err *err)
{
    ssize_t got = 0;
    int fd = opener_open(opener, path);
    if (fd < 0)
        return fault(err, path, false);
    do {
        char *to = buf_reserve(text, 8 * 1024);
        got = to ? read(fd, to, 8 * 1024) : 0;
        if (got > 0)
            buf_commit(text, (size_t)got);
    } while (got > 0);
    bool ok = got == 0 || fault(err, path, true);
    close(fd);
    return ok && (!text->overflow || err_set(err, ERR_TLS, "%s: over 1 MB", path));
}

/* Which of them is it? */
static bool blame(const struct config *c, size_t i, bool key, struct err *err)
{
    return i == 0
               ? config_blame(c, "tls", NULL, key ? "key" : "certificate", err)
               : config_blame(c, "certificate", c->certificates[i].name, key ? "key" : "file", err);
}

static bool blame_one(const struct config *c, const struct tls_pem *pems, struct err *err)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        struct tls_context *alone = NULL;
        bool ok = tls_server_context(&c->certificates[i], &pems[i], 1, &alone, err);
        tls_context_free(alone);
        if (!ok)
            return blame(
                c, i, span_starts_nocase(span_of(err->text), span_of(c->certificates[i].key)), err);
    }
    return false;
}

static void forget(struct buf *text)
{
    secret_clear(text->memory, text->size);
    buf_fini(text);
}

bool certificates_load(const struct config *config, const struct opener *opener,
                       struct tls_context **context_r, struct err *err)
{
    size_t count = config->certificate_count;
    struct buf *texts = xcalloc(2 * count + 1, sizeof(*texts));
    struct tls_pem *pems = xcalloc(count + 1, sizeof(*pems));
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        const struct tls_certificate *c = &config->certificates[i];
        buf_init(&texts[2 * i], PEM_MAX);
        buf_init(&texts[2 * i + 1], PEM_MAX);
        ok = ok && (read_file(opener, c->file, &texts[2 * i], err) || blame(config, i, false, err));
        ok = ok &&
             (read_file(opener, c->key, &texts[2 * i + 1], err) || blame(config, i, true, err));
        pems[i] = (struct tls_pem){buf_span(&texts[2 * i]), buf_span(&texts[2 * i + 1])};
    }
    ok = ok && (tls_server_context(config->certificates, pems, count, context_r, err) ||
                blame_one(config, pems, err));
    for (size_t i = 0; i < 2 * count; i++)
        forget(&texts[i]);
    free(texts);
    free(pems);
    return ok;
}

bool certificates_expire(struct tls_context *context, int64_t now_s, char *text_r, size_t size)
{
    const struct tls_expiry expiry = tls_expiry(context);
    int64_t left_days = (expiry.expires_s - now_s) / (24 * 3600);
    struct tm tm = {0};
    char day[16] = "";
    time_t at = (time_t)expiry.expires_s;
    if (left_days >= SOON_DAYS)
        return false;
    if (gmtime_r(&at, &tm))
        strftime(day, sizeof(day), "%Y-%m-%d", &tm);
    if (expiry.expires_s <= now_s)
        snprintf(text_r, size, "the certificate in %s has expired on %s: renew it", expiry.file,
                 day);
    else
        snprintf(text_r, size, "the certificate in %s expires in %lld days, on %s: renew it",
                 expiry.file, (long long)left_days, day);
    return true;
}

static uint64_t add_mark(uint64_t mark, const struct opener *opener, const char *path)
{
    struct stat s = {0};
    int fd = opener_open(opener, path);
    bool known = fd >= 0 && fstat(fd, &s) == 0;
    if (fd >= 0)
        close(fd);
    if (!known)
        return mark * 31;
    mark = mark * 1000003 + s.st_ino;
    mark = mark * 1000003 + (uint64_t)s.st_size;
    mark = mark * 1000003 + (uint64_t)s.st_mtim.tv_sec;
    return mark * 1000003 + (uint64_t)s.st_mtim.tv_nsec;
}

uint64_t certificates_mark(const struct config *config, const struct opener *opener)
{
    uint64_t mark = 1;
    for (size_t i = 0; i < config->certificate_count; i++)
        mark = add_mark(add_mark(mark, opener, config->certificates[i].file), opener,
                        config->certificates[i].key);
    return mark;
}
