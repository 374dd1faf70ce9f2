// SPDX-License-Identifier: BSD-2-Clause
/* segments.c - Writing records: one pwritev and one fdatasync for a whole group.
 *
 * Happy path: add, add, … - sync - (commit by the store) - keep each.
 *
 * What is written over again is there already: its sync changes no length and allocates nothing,
 * and costs half. So a segment in which nothing lives any more begins anew; and as there is mostly
 * one message on its way, two small ones take turns: while one is written, the other one empties.
 *
 * Failure modes:
 * - a write fails: the group is refused; nobody refers to what lies behind the synced end
 * - a sync fails: the kernel may have dropped the pages, so nothing more is written to that segment
 *
 * Invariants:
 *   1. A place handed out lies wholly behind every synced record in its segment that is alive or
 *      read.
 *   2. A segment is unlinked only when no committed message lies in it and it is not the current
 *      one.
 *   3. The other one (`rest`) is written again only when a commit has been made in which nothing
 *      lives there, so that no row of one that failed can come up any more.
 */
#include "segments.h"

#include "clock.h"
#include "spool_record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uthash.h>

/* What nobody fills while it is not looked at. */
static const uint64_t roomy_bytes = UINT64_C(1024) * 1024 * 1024;
enum { LOOK_MS = 100 };

enum {
    SEGMENT_SIZE = 48 * 1024 * 1024,
    SLACK = 8 * 1024 * 1024, /* so much may be dead before anything is copied */
    GROUP_MAX = 512,
    AHEAD = 8 * 1024 * 1024,     /* allocated at once */
    TURN = 512 * 1024,           /* written, before the other one has its turn */
    TURNS_MAX = 8 * 1024 * 1024, /* no larger one takes turns */
    RESERVE_MAX = 64 * 1024 * 1024
};

struct segment {
    int64_t number;
    int64_t messages, bytes; /* alive */
    int64_t size;            /* of the file, as far as it is known */
    bool chosen;             /* what lives in it is to be copied */
    bool left;               /* it could not be copied */
    UT_hash_handle hh;
};

/* A file that is written. */
struct written {
    int fd;                      /* -1: none open */
    struct spool_shared *shared; /* with readers of mail; NULL: none open */
    int64_t number, end;         /* 0: none; end: of what is synced */
    int64_t allocated;           /* up to here, or that was tried */
};

struct segments {
    char *state_dir;
    _Atomic int64_t next;
    struct written current, rest; /* rest: has its turn again when it is empty */
    bool rest_is_empty;
    struct segment *all;
    int64_t roomy_until_ms; /* by the steady clock: the disk had much room */
    bool dead;              /* a segment may have become empty */
    struct iovec parts[2 * GROUP_MAX];
    unsigned char headers[GROUP_MAX][SPOOL_RECORD_HEADER];
    size_t records;
    int64_t group_bytes;
};

bool segments_fault(struct err *err, const char *doing, const char *what)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_SYSTEM, "%s %s: %s",
                   doing, what, strerror(errno));
}

static bool sync_directory(const char *state_dir, struct err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/spool", state_dir);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        segments_fault(err, "syncing", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Call `seen` for each segment file. */
static void each_file(struct segments *s, void (*seen)(struct segments *s, int64_t number))
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/spool", s->state_dir);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct span name = span_of(entry->d_name);
        uint64_t number = 0;
        if (span_ends_nocase(name, SPAN(".seg")) &&
            span_number(span_first(name, name.len - 4), &number))
            seen(s, (int64_t)number);
    }
    if (dir)
        closedir(dir);
}

static void note_highest(struct segments *s, int64_t number)
{
    if (number >= s->next)
        s->next = number + 1;
}

bool segments_open(const char *state_dir, struct segments **segments_r, struct err *err)
{
    char path[4096];
    struct segments *s = xcalloc(1, sizeof(*s));
    s->state_dir = xstrdup(state_dir);
    s->current.fd = s->rest.fd = -1;
    s->next = 1;
    *segments_r = s;
    snprintf(path, sizeof(path), "%s/spool", state_dir);
    if (access(path, W_OK | X_OK) != 0)
        return segments_fault(err, "opening", path);
    each_file(s, note_highest);
    return true;
}

static bool is_written(const struct segments *s, const struct segment *segment)
{
    return segment->number == s->current.number || segment->number == s->rest.number;
}

static struct segment *find(struct segments *s, int64_t number)
{
    struct segment *segment = NULL;
    HASH_FIND(hh, s->all, &number, sizeof(number), segment);
    return segment;
}

static void close_written(struct segments *s, struct written *w)
{
    struct segment *segment = find(s, w->number);
    if (segment)
        segment->size = w->end;
    if (w->allocated > w->end) /* gives back the rest */
        (void)!ftruncate(w->fd, w->end);
    spool_unshare(w->shared);
    *w = (struct written){.fd = -1};
}

void segments_free(struct segments *s)
{
    struct segment *segment;
    struct segment *next;
    if (!s)
        return;
    close_written(s, &s->current);
    close_written(s, &s->rest);
    HASH_ITER (hh, s->all, segment, next) {
        HASH_DEL(s->all, segment);
        free(segment);
    }
    free(s->state_dir);
    free(s);
}

int64_t segments_reserve(struct segments *s)
{
    return atomic_fetch_add(&s->next, 1);
}

static void begin_current(struct segments *s)
{
    s->current = (struct written){.fd = -1, .number = segments_reserve(s)};
}

static void close_rest(struct segments *s)
{
    s->rest_is_empty = false;
    if (!find(s, s->rest.number)) /* what was written there was not taken */
        spool_unlink(s->state_dir, s->rest.number);
    close_written(s, &s->rest);
}

/* The other one's, or a new one's, if it is worth it: where mail waits for long, segments become
 * large, so that there are few. */
static void take_turn(struct segments *s)
{
    bool small = s->current.end <= TURNS_MAX;
    struct written last = s->current;
    s->dead = true; /* the other one may be empty */
    if (s->rest_is_empty && !spool_is_read(s->rest.shared)) {
        s->current = s->rest;
        s->current.end = 0;
        s->rest = last;
        s->rest_is_empty = false;
    } else if (s->rest.number == 0 && small) {
        s->rest = last;
        begin_current(s);
    }
    if (s->rest.number != 0 && !small)
        close_rest(s);
}

static void add(struct segments *s, const unsigned char *header, struct span bytes,
                struct mail_place *place_r)
{
    CHECK(s->records < GROUP_MAX);
    if (s->records == 0 && (s->current.number == 0 || s->current.end > SEGMENT_SIZE)) {
        close_written(s, &s->current);
        s->dead = true;
        begin_current(s);
    } else if (s->records == 0 && s->current.end >= TURN) {
        take_turn(s);
    }
    *place_r =
        (struct mail_place){s->current.number, s->current.end + s->group_bytes, (int64_t)bytes.len};
    memcpy(s->headers[s->records], header, SPOOL_RECORD_HEADER);
    s->parts[2 * s->records] = (struct iovec){s->headers[s->records], SPOOL_RECORD_HEADER};
    s->parts[2 * s->records + 1] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
    s->records++;
    s->group_bytes += SPOOL_RECORD_HEADER + (int64_t)bytes.len;
}

void segments_add(struct segments *s, int64_t id, struct span bytes, struct mail_place *place_r)
{
    unsigned char header[SPOOL_RECORD_HEADER];
    spool_record_header(id, bytes.len, spool_crc(0, bytes), header);
    add(s, header, bytes, place_r);
}

void segments_copy(struct segments *s, struct span record, struct mail_place *place_r)
{
    CHECK(record.len >= SPOOL_RECORD_HEADER);
    add(s, (const unsigned char *)record.ptr, span_from(record, SPOOL_RECORD_HEADER), place_r);
}

static bool open_current(struct segments *s, struct err *err)
{
    char path[4096];
    struct written *w = &s->current;
    if (w->fd >= 0)
        return true;
    spool_path(s->state_dir, w->number, path);
    w->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (w->fd >= 0)
        w->shared = spool_share(s->state_dir, w->number, w->fd);
    return (w->fd >= 0 || segments_fault(err, "creating", path)) &&
           sync_directory(s->state_dir, err);
}

/* Blocks that are allocated one by one, between those of the log, lie scattered, and each sync
 * writes where, too. The file's size is only what is written. Where that cannot be done, or the
 * disk has little left, nothing is lost. */
static void allocate(struct segments *s, int64_t end)
{
    struct written *w = &s->current;
    if (end <= w->allocated)
        return;
    w->allocated = end + AHEAD;
    if (segments_disk_left(s->state_dir) / 64 > AHEAD)
        (void)!fallocate(w->fd, FALLOC_FL_KEEP_SIZE, w->end, w->allocated - w->end);
}

static bool write_group(struct segments *s, struct err *err)
{
    allocate(s, s->current.end + s->group_bytes);
    struct iovec *part = s->parts;
    size_t left = 2 * s->records;
    int64_t at = s->current.end;
    while (left > 0) {
        ssize_t put = pwritev(s->current.fd, part, left < 1024 ? (int)left : 1024, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return segments_fault(err, "writing", "the spool");
        at += put;
        for (; left > 0 && (size_t)put >= part->iov_len; part++, left--)
            put -= (ssize_t)part->iov_len;
        if (left > 0) {
            part->iov_base = (char *)part->iov_base + put;
            part->iov_len -= (size_t)put;
        }
    }
    return true;
}

/* What could not be synced is of no use: the file goes, unless earlier messages lie in it. */
static void abandon_current(struct segments *s)
{
    struct segment *segment = find(s, s->current.number);
    s->current.allocated = 0; /* it is not touched any more */
    if (!segment || segment->messages == 0)
        spool_unlink(s->state_dir, s->current.number);
    if (segment && segment->messages == 0) {
        HASH_DEL(s->all, segment);
        free(segment);
    }
    close_written(s, &s->current);
}

bool segments_sync(struct segments *s, struct err *err)
{
    if (s->records == 0)
        return true;
    bool ok = open_current(s, err) && write_group(s, err);
    if (ok && fdatasync(s->current.fd) != 0)
        ok = segments_fault(err, "syncing", "the spool");
    if (ok)
        s->current.end += s->group_bytes;
    else
        abandon_current(s);
    s->records = 0;
    s->group_bytes = 0;
    return ok;
}

void segments_keep(struct segments *s, const struct mail_place *place)
{
    struct segment *segment = find(s, place->segment);
    if (!segment) {
        segment = xcalloc(1, sizeof(*segment));
        segment->number = place->segment;
        HASH_ADD(hh, s->all, number, sizeof(segment->number), segment);
    }
    int64_t end = place->offset + SPOOL_RECORD_HEADER + place->length;
    segment->messages++;
    segment->bytes += place->length + SPOOL_RECORD_HEADER;
    segment->size = segment->size > end ? segment->size : end;
}

void segments_release(struct segments *s, const struct mail_place *place)
{
    struct segment *segment = find(s, place->segment);
    if (!segment)
        return;
    segment->messages--;
    segment->bytes -= place->length + SPOOL_RECORD_HEADER;
    s->dead = s->dead || segment->messages == 0;
}

/* Behind a commit. Where nothing lives at all, the other one is of no use. */
static void look_at_written(struct segments *s)
{
    const struct segment *current = find(s, s->current.number);
    const struct segment *rest = find(s, s->rest.number);
    bool is_empty = !current || current->messages == 0;
    s->rest_is_empty = s->rest.number != 0 && (!rest || rest->messages == 0);
    if (is_empty && s->current.shared && !spool_is_read(s->current.shared))
        s->current.end = 0;
    if (is_empty && s->rest_is_empty)
        close_rest(s);
}

void segments_sweep(struct segments *s)
{
    struct segment *segment;
    struct segment *next;
    if (!s->dead)
        return;
    s->dead = false;
    look_at_written(s);
    HASH_ITER (hh, s->all, segment, next) {
        if (segment->messages > 0 || is_written(s, segment))
            continue;
        spool_unlink(s->state_dir, segment->number);
        HASH_DEL(s->all, segment);
        free(segment);
    }
}

/* Its size, without the blocks that a relay which was killed had allocated behind it. */
static int64_t give_back(const char *path, const struct stat *about)
{
    enum { BLOCK = 512 };
    bool more = (int64_t)about->st_blocks * BLOCK > about->st_size + AHEAD / 2;
    int fd = more ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)!ftruncate(fd, about->st_size);
        close(fd);
    }
    return about->st_size;
}

/* A segment from before: is it known, and how large is it? */
static void look_at(struct segments *s, int64_t number)
{
    char path[4096];
    struct stat about;
    struct segment *segment = find(s, number);
    spool_path(s->state_dir, number, path);
    if (!segment)
        spool_unlink(s->state_dir, number);
    else if (stat(path, &about) == 0)
        segment->size = give_back(path, &about);
}

void segments_sweep_unknown(struct segments *s)
{
    each_file(s, look_at);
}

bool segments_choose(struct segments *s)
{
    struct segment *segment;
    struct segment *next;
    int64_t size = 0;
    int64_t bytes = 0;
    bool any = false;
    HASH_ITER (hh, s->all, segment, next) {
        segment->chosen = false;
        if (is_written(s, segment) || segment->left)
            continue;
        size += segment->size;
        bytes += segment->bytes;
    }
    if (size <= 2 * bytes + SLACK)
        return false;
    HASH_ITER (hh, s->all, segment, next) {
        segment->chosen =
            !is_written(s, segment) && !segment->left && segment->bytes < segment->size / 2;
        any = any || segment->chosen;
    }
    return any;
}

bool segments_is_chosen(struct segments *s, int64_t number)
{
    const struct segment *segment = find(s, number);
    return segment && segment->chosen;
}

void segments_leave(struct segments *s, int64_t number)
{
    struct segment *segment = find(s, number);
    if (segment) {
        segment->chosen = false;
        segment->left = true;
    }
}

bool segments_disk(const char *state_dir, struct store_disk *disk_r)
{
    struct statvfs disk;
    if (statvfs(state_dir, &disk) != 0)
        return false;
    uint64_t tenth = (uint64_t)disk.f_blocks * disk.f_frsize / 10;
    disk_r->free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    disk_r->kept_bytes = tenth < RESERVE_MAX ? tenth : RESERVE_MAX;
    return true;
}

uint64_t segments_disk_left(const char *state_dir)
{
    struct store_disk disk;
    if (!segments_disk(state_dir, &disk))
        return UINT64_MAX;
    return disk.free_bytes > disk.kept_bytes ? disk.free_bytes - disk.kept_bytes : 0;
}

bool segments_disk_fault(const char *state_dir, struct err *err)
{
    struct store_disk disk = {0};
    segments_disk(state_dir, &disk);
    return err_set(err, ERR_FULL,
                   "the disk of %s is full but for what outcomes of accepted mail need (%llu KB "
                   "free, %llu KB kept for them): new mail is refused until there is room",
                   state_dir, (unsigned long long)disk.free_bytes / 1024,
                   (unsigned long long)disk.kept_bytes / 1024);
}

bool segments_has_room(struct segments *s, struct err *err)
{
    int64_t now_ms = clock_steady_ms();
    if (now_ms < s->roomy_until_ms)
        return true;
    uint64_t left = segments_disk_left(s->state_dir);
    s->roomy_until_ms = left >= roomy_bytes ? now_ms + LOOK_MS : 0;
    return left > 0 || segments_disk_fault(s->state_dir, err);
}
