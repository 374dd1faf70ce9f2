// SPDX-License-Identifier: BSD-2-Clause
/* cli_files.c - One file after the other is read; rows are laid out many at a time. */
#include "cli_files.h"

#include <errno.h>
#include <string.h>

enum { PAGE_ROWS = 5000 }; /* that are laid out together */

struct files {
    size_t bytes_max;
    cli_file_rows *add;
    void *context;
};

/* `content` has room for what is wanted of it. */
static bool read_into(FILE *f, struct buf *content, bool *more_r)
{
    char *room = buf_reserve(content, content->limit);
    if (!room) {
        errno = ENOMEM;
        return false;
    }
    buf_commit(content, fread(room, 1, content->limit, f));
    *more_r = fgetc(f) != EOF;
    return !ferror(f);
}

static bool read_file(struct cli_file *file, struct buf *content, struct err *err)
{
    FILE *f = strcmp(file->path, "-") == 0 ? stdin : fopen(file->path, "re");
    bool ok = f && read_into(f, content, &file->more);
    if (!ok)
        err_set(err, ERR_SYSTEM, "%s: %s", file->path, strerror(errno));
    if (f && f != stdin)
        fclose(f);
    file->content = buf_span(content);
    return ok;
}

static int add_file(const struct files *f, const char *path, json_t *rows)
{
    struct buf content;
    struct err err = {0};
    struct cli_file file = {.path = path};
    buf_init_peer(&content, f->bytes_max);
    bool ok = read_file(&file, &content, &err) && f->add(f->context, rows, &file, &err);
    buf_fini(&content);
    return ok ? CLI_OK : cli_fail(&err);
}

static void lay_out(struct cli_table *table, json_t *rows)
{
    cli_table_add(table, rows);
    json_array_clear(rows);
}

int cli_print_files(struct cli_table *table, size_t bytes_max, cli_file_rows *add, void *context)
{
    const struct cli *cli = table->cli;
    const struct files files = {.bytes_max = bytes_max, .add = add, .context = context};
    json_t *rows = json_array();
    int code = CLI_OK;
    for (size_t i = 0; i < cli->argument_count; i++) {
        int one = add_file(&files, cli->arguments[i], rows);
        code = one == CLI_OK ? code : one;
        if (json_array_size(rows) > PAGE_ROWS)
            lay_out(table, rows);
    }
    lay_out(table, rows);
    json_decref(rows);
    cli_table_end(table);
    return code;
}
