// SPDX-License-Identifier: BSD-2-Clause
/* fetcher.c - Finds the program, and sees to it that one runs.
 *
 *   start - THERE - its end of the socket closes - AWAY - the wait is over - start …
 *
 * Failure modes: it is killed, or crashes: what its children are fetching goes on, orders that
 * nobody has taken fail (fetch.c), and who has given them asks again - it ends each time, or cannot
 * be started: the waits double, and whoever asks meanwhile hears that it is not there.
 */
#include "fetcher.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SOCKET = 3,
    FIRST_WAIT_MS = 1000,
    LONGEST_WAIT_MS = 300 * 1000,
    CALM_MS = LONGEST_WAIT_MS /* what has lived as long is started again at once */
};

/* One process; freed in the close callback of its watch. */
struct life {
    uv_poll_t watch;
    struct fetcher *fetcher;
    int socket;
};

struct fetcher {
    uv_loop_t *loop;
    uv_timer_t wait;
    fetcher_on_start *start;
    fetcher_on_away *away; /* NULL: nobody is told */
    void *context;
    struct life *life; /* NULL: it is away */
    int64_t begun_ms;  /* the steady clock's */
    unsigned ends;     /* in sequence, and starts that have failed */
};

/* ---- the program ---- */

/* From the folder of this program. */
static const char *const places[] = {"sealpost-fetcher", "../libexec/sealpost/sealpost-fetcher"};

bool fetcher_find(char *path_r, size_t size, struct err *err)
{
    char own[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (!slash)
        return err_set(err, ERR_SYSTEM, "finding this program in /proc: %s", strerror(errno));
    slash[1] = '\0'; /* "/usr/bin/" */
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if ((size_t)snprintf(path_r, size, "%s%s", own, places[i]) < size &&
            access(path_r, X_OK) == 0)
            return true;
    slash[0] = '\0';
    slash = strrchr(own, '/');
    return err_set(err, ERR_SYSTEM,
                   "the program sealpost-fetcher is neither in %.120s nor in "
                   "%.*s/libexec/sealpost: install Sealpost as a whole",
                   own, slash ? (int)(slash - own) : 0, own);
}

/* What of the environment it needs: OpenSSL's own (X509_get_default_cert_file(3)). */
static void keep_environment(char *kept_r[3])
{
    size_t count = 0;
    for (char **entry = environ; *entry && count < 2; entry++)
        if (strncmp(*entry, "SSL_CERT_FILE=", 14) == 0 || strncmp(*entry, "SSL_CERT_DIR=", 13) == 0)
            kept_r[count++] = *entry;
    kept_r[count] = NULL;
}

_Noreturn void fetcher_become(int program, const char *path, int socket)
{
    char *arguments[] = {(char *)(uintptr_t)path, NULL};
    char *environment[3];
    keep_environment(environment);
    if (dup2(socket, SOCKET) >= 0 && fcntl(SOCKET, F_SETFD, 0) == 0)
        fexecve(program, arguments, environment); /* what else is open is closed by that */
    _exit(127);
}

bool fetcher_spawn(void *context, int *socket_r, struct err *err)
{
    char path[PATH_MAX];
    int ends[2];
    (void)context;
    if (!fetcher_find(path, sizeof(path), err))
        return false;
    int program = open(path, O_PATH | O_CLOEXEC);
    if (program < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        err_set(err, ERR_SYSTEM, "making the fetcher's socket: %s", strerror(errno));
        if (program >= 0)
            close(program);
        return false;
    }
    pid_t pid = _Fork(); /* as the helper */
    if (pid == 0)
        fetcher_become(program, path, ends[1]);
    close(program);
    close(ends[1]);
    *socket_r = ends[0];
    if (pid > 0)
        return true;
    close(ends[0]);
    return err_set(err, ERR_SYSTEM, "making the fetcher: %s", strerror(errno));
}

/* ---- in the relay ---- */

static void on_closed(uv_handle_t *handle)
{
    struct life *l = handle->data;
    close(l->socket);
    free(l);
}

static void end_life(struct fetcher *f)
{
    if (f->life)
        uv_close((uv_handle_t *)&f->life->watch, on_closed);
    f->life = NULL;
}

static void on_wait_over(uv_timer_t *timer);

static uint64_t wait_ms(const struct fetcher *f)
{
    uint64_t wait_ms = f->ends > 0 ? FIRST_WAIT_MS : 0;
    for (unsigned i = 1; i < f->ends && wait_ms < LONGEST_WAIT_MS; i++)
        wait_ms *= 2;
    return wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS;
}

static void start_again(struct fetcher *f, const char *why)
{
    char what[sizeof(((struct err *)0)->text) + 48];
    uint64_t after_ms = wait_ms(f);
    f->ends++;
    snprintf(what, sizeof(what), "%s: it is started again %s", why,
             after_ms == 0 ? "at once" : "after a while");
    log_event(after_ms == 0 ? LOG_WARN : LOG_ERROR, "fetcher_ended", "what", what);
    if (after_ms > 0 && f->away)
        f->away(f->context, what);
    uv_timer_start(&f->wait, on_wait_over, after_ms, 0);
}

static void on_ended(uv_poll_t *watch, int status, int events)
{
    struct life *l = watch->data;
    struct fetcher *f = l->fetcher;
    (void)status;
    (void)events;
    end_life(f);
    if (clock_steady_ms() - f->begun_ms >= CALM_MS)
        f->ends = 0;
    start_again(f, "what speaks HTTP has ended");
}

static bool begin(struct fetcher *f, struct err *err)
{
    int socket = -1;
    if (!f->start(f->context, &socket, err))
        return false;
    struct life *l = f->life = xcalloc(1, sizeof(*l));
    l->fetcher = f;
    l->socket = socket;
    l->watch.data = l;
    f->begun_ms = clock_steady_ms();
    CHECK(uv_poll_init(f->loop, &l->watch, socket) == 0);
    CHECK(uv_poll_start(&l->watch, UV_DISCONNECT, on_ended) == 0);
    return true;
}

static void on_wait_over(uv_timer_t *timer)
{
    struct fetcher *f = timer->data;
    struct err err = {0};
    if (begin(f, &err))
        log_event(LOG_INFO, "fetcher_started", "what", "it speaks HTTP again");
    else
        start_again(f, err.text);
}

bool fetcher_new(uv_loop_t *loop, fetcher_on_start *start, void *context,
                 struct fetcher **fetcher_r, struct err *err)
{
    struct fetcher *f = *fetcher_r = xcalloc(1, sizeof(*f));
    f->loop = loop;
    f->start = start;
    f->context = context;
    uv_timer_init(loop, &f->wait);
    f->wait.data = f;
    return begin(f, err);
}

void fetcher_tell(struct fetcher *f, fetcher_on_away *away)
{
    f->away = away;
}

void fetcher_close(struct fetcher *f)
{
    end_life(f);
    uv_close((uv_handle_t *)&f->wait, NULL);
}

void fetcher_free(struct fetcher *f)
{
    free(f);
}

int fetcher_socket(const struct fetcher *f)
{
    return f->life ? f->life->socket : -1;
}
