// SPDX-License-Identifier: BSD-2-Clause
/* readable.c - Collects, in this order: files that only root may be able to read; their
 * directories, and those of include patterns; all other directories. */
#include "readable.h"

#include <stdlib.h>
#include <string.h>

static void add_path(struct readable *r, const char *path)
{
    r->paths[r->path_count++] = path;
}

static void add_place(struct readable *r, const char *path)
{
    r->places[r->place_count++] = path;
}

/* The directory that all it can name lies below; never the whole tree. */
static void add_directory(struct readable *r, const char *pattern)
{
    char *directory = xstrdup(pattern);
    r->own[r->own_count++] = directory;
    directory[strcspn(directory, "*?[\\")] = '\0';
    char *slash = strrchr(directory, '/');
    if (slash == directory)
        return;
    if (slash)
        *slash = '\0';
    add_place(r, slash ? directory : ".");
}

static void add_secrets(struct readable *r, const struct config *c)
{
    for (size_t i = 0; i < c->certificate_count; i++) {
        add_path(r, c->certificates[i].file);
        add_path(r, c->certificates[i].key);
    }
    for (size_t i = 0; i < c->route_count; i++)
        add_path(r, c->routes[i].password_file);
    add_path(r, c->dkim.tsig_key);
    add_path(r, c->path);
}

void readable_init(struct readable *r, const struct config *c)
{
    size_t most = 8 + 2 * c->certificate_count + c->route_count + c->file_count + c->pattern_count;
    *r = (struct readable){0};
    r->paths = xcalloc(most, sizeof(*r->paths));
    r->places = xcalloc(most, sizeof(*r->places));
    r->own = xcalloc(c->pattern_count + 1, sizeof(*r->own));
    add_secrets(r, c);
    for (size_t i = 0; i < r->path_count; i++)
        add_place(r, r->paths[i]);
    for (size_t i = 0; i < c->pattern_count; i++)
        add_directory(r, c->patterns[i]);
    for (size_t i = 0; i < c->file_count; i++) /* where links led */
        add_place(r, c->files[i]);
    r->secret = (struct opener_files){.paths = r->paths,
                                      .patterns = c->patterns,
                                      .places = r->places,
                                      .path_count = r->path_count,
                                      .pattern_count = c->pattern_count,
                                      .place_count = r->place_count};
    add_place(r, c->ca_file);
    add_place(r, c->trust_anchor);
}

void readable_fini(struct readable *r)
{
    for (size_t i = 0; i < r->own_count; i++)
        free(r->own[i]);
    free(r->own);
    free(r->paths);
    free(r->places);
}
