// SPDX-License-Identifier: BSD-2-Clause
/* destinations.c - Frees the copies that a running relay makes of its destinations. */
#include "destinations.h"

#include <stdlib.h>

void destinations_list_fini(struct destinations_list *list)
{
    buf_fini(&list->texts);
    free(list->rows);
}

void destinations_detail_fini(struct destinations_detail *detail)
{
    for (size_t i = 0; i < detail->tenant_count; i++)
        free(detail->tenants[i].name);
    free(detail->tenants);
    destinations_list_fini(&detail->one);
}

void destinations_shape_fini(struct destinations_shape *shape)
{
    destinations_detail_fini(&shape->detail);
}

void destinations_pauses_fini(struct destinations_pauses *pauses)
{
    for (size_t i = 0; i < pauses->count * QUEUE_PAUSE_TEXTS; i++)
        free(pauses->texts[i]);
    free(pauses->texts);
    free(pauses->rows);
}

void progress_fini(struct progress *progress)
{
    free(progress->rows);
    *progress = (struct progress){0};
}
