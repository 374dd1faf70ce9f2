// SPDX-License-Identifier: BSD-2-Clause
/* spool.c - Framing of records, and reading them back. What is read is never believed before its
 * checksum. */
#include "spool.h"

#include "spool_record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "message.h"

static const char magic[4] = {'S', 'P', 'R', '1'};

static void put_number(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> (8 * i));
}

static uint64_t get_number(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << (8 * i);
    return number;
}

void spool_record_header(int64_t id, uint64_t length, uint32_t crc,
                         unsigned char header_r[SPOOL_RECORD_HEADER])
{
    memset(header_r, 0, SPOOL_RECORD_HEADER);
    memcpy(header_r, magic, sizeof(magic));
    put_number(header_r + 4, crc, 4);
    put_number(header_r + 8, (uint64_t)id, 8);
    put_number(header_r + 16, length, 8);
}

void spool_path(const char *state_dir, int64_t segment, char *path_r)
{
    snprintf(path_r, 4096, "%s/spool/%08lld.seg", state_dir, (long long)segment);
}

struct spool_shared {
    struct spool_shared *next;
    int fd;
    size_t users; /* the store, and messages that are read */
    char path[4096];
};

static struct {
    pthread_mutex_t mutex;      /* guards its users, too */
    struct spool_shared *first; /* those that are written */
} sharing = {.mutex = PTHREAD_MUTEX_INITIALIZER};

struct spool_shared *spool_share(const char *state_dir, int64_t segment, int fd)
{
    struct spool_shared *shared = xcalloc(1, sizeof(*shared));
    shared->fd = fd;
    shared->users = 1;
    spool_path(state_dir, segment, shared->path);
    pthread_mutex_lock(&sharing.mutex);
    shared->next = sharing.first;
    sharing.first = shared;
    pthread_mutex_unlock(&sharing.mutex);
    return shared;
}

static void leave(struct spool_shared *shared)
{
    pthread_mutex_lock(&sharing.mutex);
    bool last = --shared->users == 0;
    pthread_mutex_unlock(&sharing.mutex);
    if (!last)
        return;
    close(shared->fd);
    free(shared);
}

void spool_unshare(struct spool_shared *shared)
{
    if (!shared)
        return;
    pthread_mutex_lock(&sharing.mutex);
    struct spool_shared **at = &sharing.first;
    while (*at && *at != shared)
        at = &(*at)->next;
    if (*at)
        *at = shared->next;
    pthread_mutex_unlock(&sharing.mutex);
    leave(shared);
}

bool spool_is_read(struct spool_shared *shared)
{
    pthread_mutex_lock(&sharing.mutex);
    bool is = shared->users > 1;
    pthread_mutex_unlock(&sharing.mutex);
    return is;
}

/* With the store's descriptor, or with one of its own. */
static void open_segment(struct spool_message *m, const char *path)
{
    pthread_mutex_lock(&sharing.mutex);
    for (m->shared = sharing.first; m->shared && strcmp(m->shared->path, path) != 0;)
        m->shared = m->shared->next;
    if (m->shared)
        m->shared->users++;
    pthread_mutex_unlock(&sharing.mutex);
    m->fd = m->shared ? m->shared->fd : open(path, O_RDONLY | O_CLOEXEC);
}

void spool_unlink(const char *state_dir, int64_t segment)
{
    char path[4096];
    spool_path(state_dir, segment, path);
    unlink(path);
}

/* Read exactly `len` bytes, or say what is wrong: the record, or only this reading of it. */
static bool read_at(int fd, char *to, size_t len, int64_t at, struct err *err)
{
    while (len > 0) {
        ssize_t got = pread(fd, to, len, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set(err, ERR_SYSTEM, "reading the spool record: %s", strerror(errno));
        if (got == 0)
            return err_set(err, ERR_DAMAGED, "spool record is cut short");
        to += got;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool spool_read(const char *state_dir, const struct mail_place *place, struct buf *record,
                struct err *err)
{
    char path[4096];
    size_t len = SPOOL_RECORD_HEADER + (size_t)place->length;
    char *to = buf_reserve(record, len);
    spool_path(state_dir, place->segment, path);
    if (!to)
        return err_set(err, ERR_SYSTEM, "not enough memory for a spool record of %zu bytes", len);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_DAMAGED : ERR_SYSTEM, "opening %s: %s", path,
                       strerror(errno));
    memset(to, 0, len);
    bool ok = read_at(fd, to, len, place->offset, err) || err->kind == ERR_DAMAGED;
    close(fd);
    if (ok)
        buf_commit(record, len);
    return ok;
}

static bool lacks_memory(struct err *err)
{
    return err_set(err, ERR_SYSTEM, "not enough memory to read a message");
}

static bool damaged(struct spool_message *m, struct err *err, const char *what)
{
    spool_close(m);
    return err_set(err, ERR_DAMAGED, "spool record is damaged: %s", what);
}

/* Its header and its first bytes: in one call, unless that one is cut short. */
static bool read_record(int fd, int64_t at, unsigned char header[SPOOL_RECORD_HEADER], char *to,
                        size_t len, struct err *err)
{
    const struct iovec parts[] = {{header, SPOOL_RECORD_HEADER}, {to, len}};
    return preadv(fd, parts, 2, at) == (ssize_t)(SPOOL_RECORD_HEADER + len) ||
           (read_at(fd, (char *)header, SPOOL_RECORD_HEADER, at, err) &&
            read_at(fd, to, len, at + SPOOL_RECORD_HEADER, err));
}

bool spool_open(const char *state_dir, int64_t id, const struct mail_place *place,
                struct spool_message *m, struct err *err)
{
    char path[4096];
    unsigned char header[SPOOL_RECORD_HEADER];
    *m = (struct spool_message){.id = id, .length = (uint64_t)place->length, .fd = -1};
    buf_init_peer(&m->head, MESSAGE_HEADER_MAX + SPOOL_CHUNK);
    buf_init_peer(&m->chunk, SPOOL_CHUNK);
    spool_path(state_dir, place->segment, path);
    open_segment(m, path);
    if (m->fd < 0 && errno != ENOENT)
        return err_set(err, ERR_SYSTEM, "opening %s: %s", path, strerror(errno));
    if (m->fd < 0)
        return damaged(m, err, "its segment is gone");
    size_t first = m->length < MESSAGE_HEADER_MAX + SPOOL_CHUNK ? (size_t)m->length
                                                                : MESSAGE_HEADER_MAX + SPOOL_CHUNK;
    char *to = buf_reserve(&m->head, first);
    if (!to || !read_record(m->fd, place->offset, header, to, first, err)) {
        if (!to)
            lacks_memory(err);
        spool_close(m);
        return false;
    }
    if (memcmp(header, magic, sizeof(magic)) != 0 || (int64_t)get_number(header + 8, 8) != id ||
        get_number(header + 16, 8) != m->length)
        return damaged(m, err, "its frame is not the message's");
    m->crc_wanted = (uint32_t)get_number(header + 4, 4);
    m->at = place->offset + SPOOL_RECORD_HEADER;
    buf_commit(&m->head, first);
    m->verified = first == m->length && spool_crc(0, buf_span(&m->head)) == m->crc_wanted;
    if (first == m->length && !m->verified)
        return damaged(m, err, "its checksum is wrong");
    message_header_length(buf_span(&m->head), &m->header_len);
    spool_rewind(m);
    return true;
}

void spool_close(struct spool_message *m)
{
    if (m->shared)
        leave(m->shared);
    else if (m->fd >= 0)
        close(m->fd);
    m->shared = NULL;
    m->fd = -1;
    buf_fini(&m->head);
    buf_fini(&m->chunk);
}

struct span spool_header(const struct spool_message *m)
{
    return span_first(buf_span(&m->head), m->header_len);
}

void spool_rewind(struct spool_message *m)
{
    m->position = m->header_len + 2 < m->length ? m->header_len + 2 : m->length;
    if (!m->verified)
        m->crc = spool_crc(0, span_first(buf_span(&m->head), (size_t)m->position));
}

bool spool_next(void *context, struct span *chunk_r, struct err *err)
{
    struct spool_message *m = context;
    *chunk_r = SPAN_NONE;
    if (m->position >= m->length)
        return m->verified || m->crc == m->crc_wanted ||
               err_set(err, ERR_DAMAGED, "spool record is damaged: its checksum is wrong");
    if (m->position < m->head.len) {
        *chunk_r = span_from(buf_span(&m->head), (size_t)m->position);
    } else {
        uint64_t left = m->length - m->position;
        size_t len = left < SPOOL_CHUNK ? (size_t)left : SPOOL_CHUNK;
        buf_clear(&m->chunk);
        char *to = buf_reserve(&m->chunk, len);
        if (!to)
            return lacks_memory(err);
        if (!read_at(m->fd, to, len, m->at + (int64_t)m->position, err))
            return false;
        *chunk_r = (struct span){to, len};
    }
    m->position += chunk_r->len;
    if (!m->verified)
        m->crc = spool_crc(m->crc, *chunk_r);
    return true;
}
