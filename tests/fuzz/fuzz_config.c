// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_config.c - A config file: it is refused with a line that names it, or what it prints is a config file again. */
#include "config.h"
#include "place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128];
    struct err err = {0};
    struct config *config = NULL;
    snprintf(path, sizeof(path), "%s/conf", place_path());
    place_write(path, data, size);
    if (!config_read(path, NULL, &config, &err)) {
        CHECK(err.kind == ERR_CONFIG && err.text[0]);
        return 0;
    }
    struct buf text;
    buf_init(&text, 1024 * 1024);
    config_print(config, &text);
    (void)config_route(config, "dest.test");
    buf_fini(&text);
    config_free(config);
    return 0;
}
