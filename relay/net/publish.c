// SPDX-License-Identifier: BSD-2-Clause
/* publish.c - A child process that reads its commands from a pipe and says on another what went
 * wrong. It has no shell, and nothing of what it is told comes from outside.
 */
#include "publish.h"

#include "records_format.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 30 * 1000 };

struct publish {
    uv_process_t process;
    uv_pipe_t input, output;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct buf commands;
    char said[200]; /* the first of what it said */
    size_t said_len;
    char chunk[256];
    int64_t status;
    unsigned handles;
    publish_on_done *done;
    void *context;
};

static void on_closed(uv_handle_t *handle)
{
    struct publish *p = handle->data;
    if (--p->handles > 0)
        return;
    p->said[strcspn(p->said, "\r\n")] = '\0';
    const char *why = p->status == 0 ? NULL : p->said[0] ? p->said : "nsupdate failed";
    p->done(p->context, why);
    buf_fini(&p->commands);
    free(p);
}

static void close_all(struct publish *p)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&p->process, (uv_handle_t *)&p->input,
                              (uv_handle_t *)&p->output, (uv_handle_t *)&p->timer};
    for (size_t i = 0; i < COUNT_OF(handles); i++)
        if (!uv_is_closing(handles[i]))
            uv_close(handles[i], on_closed);
}

static void on_exit_status(uv_process_t *process, int64_t status, int number)
{
    struct publish *p = process->data;
    p->status = status != 0 ? status : number;
    close_all(p);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct publish *p = handle->data;
    (void)suggested;
    *buf = uv_buf_init(p->chunk, sizeof(p->chunk));
}

static void on_said(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct publish *p = stream->data;
    if (got < 0) {
        uv_read_stop(stream);
        return;
    }
    for (ssize_t i = 0; i < got && p->said_len + 1 < sizeof(p->said); i++)
        p->said[p->said_len++] = buf->base[i];
}

static void on_shut(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

static void on_written(uv_write_t *write, int status)
{
    struct publish *p = write->data;
    if (status == 0 && !uv_is_closing((uv_handle_t *)&p->input))
        uv_shutdown(&p->shutdown, (uv_stream_t *)&p->input, on_shut);
}

void publish_kill(struct publish *p)
{
    if (uv_is_active((uv_handle_t *)&p->process))
        uv_process_kill(&p->process, SIGKILL);
}

static void on_timer(uv_timer_t *timer)
{
    publish_kill(timer->data);
}

static void write_commands(struct publish *p, const struct config *config, const char *name,
                           const char *text)
{
    const struct config_dkim *d = &config->dkim;
    buf_init(&p->commands, 64 * 1024);
    buf_addf(&p->commands, "server %s %u\nzone %s.\nupdate delete %s. IN TXT\n", d->server, d->port,
             d->zone, name);
    buf_addf(&p->commands, "update add %s. %u IN TXT ", name, d->ttl_s);
    records_quote(span_of(text), &p->commands);
    buf_add(&p->commands, SPAN("\nsend\n"));
}

/* uv_spawn() says by its result that there is no such program. */
static int spawn(uv_loop_t *loop, struct publish *p, const struct config *config)
{
    char program[] = "nsupdate";
    char key_option[] = "-k";
    char key[sizeof(config->dkim.tsig_key)];
    snprintf(key, sizeof(key), "%s", config->dkim.tsig_key);
    char *arguments[] = {program, key_option, key, NULL};
    if (!key[0])
        arguments[1] = NULL;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&p->input},
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&p->output}};
    uv_process_options_t options = {.exit_cb = on_exit_status,
                                    .file = program,
                                    .args = arguments,
                                    .stdio_count = COUNT_OF(stdio),
                                    .stdio = stdio};
    return uv_spawn(loop, &p->process, &options);
}

struct publish *publish_start(uv_loop_t *loop, const struct config *config, const char *name,
                              const char *text, publish_on_done *done, void *context)
{
    struct publish *p = xcalloc(1, sizeof(*p));
    p->done = done;
    p->context = context;
    p->handles = 4;
    write_commands(p, config, name, text);
    uv_pipe_init(loop, &p->input, 0);
    uv_pipe_init(loop, &p->output, 0);
    uv_timer_init(loop, &p->timer);
    p->process.data = p->input.data = p->output.data = p->timer.data = p->write.data = p;
    int status = spawn(loop, p, config);
    if (status != 0) { /* told by `done`, like all else */
        p->status = 1;
        snprintf(p->said, sizeof(p->said), "nsupdate cannot be run: %s: install bind9-dnsutils",
                 uv_strerror(status));
        close_all(p);
        return p;
    }
    uv_buf_t bytes = uv_buf_init(p->commands.ptr, (unsigned)p->commands.len);
    uv_timer_start(&p->timer, on_timer, TIMEOUT_MS, 0);
    uv_read_start((uv_stream_t *)&p->output, on_alloc, on_said);
    uv_write(&p->write, (uv_stream_t *)&p->input, &bytes, 1, on_written);
    return p;
}
