// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_config.c - A config file: it is refused with lines that name it, or what it prints is a config file again. */
#include "config.h"
#include "place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not the whole machine's files. */
static bool leads_elsewhere(const uint8_t *data, size_t size)
{
    return memmem(data, size, "include", 7) && memchr(data, '/', size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char part[] = "limits { size = 1M }\nstream \"p\" { }\n";
    char path[128];
    struct config_report report;
    struct config *config = NULL;
    if (leads_elsewhere(data, size))
        return 0;
    snprintf(path, sizeof(path), "%s/part.conf", place_path());
    place_write(path, (const uint8_t *)part, sizeof(part) - 1);
    snprintf(path, sizeof(path), "%s/conf", place_path());
    place_write(path, data, size);
    config_report_init(&report);
    if (!config_read_all(path, NULL, &config, &report)) {
        CHECK(report.count > 0 && report.first.kind == ERR_CONFIG && report.first.text[0]);
        config_report_fini(&report);
        return 0;
    }
    CHECK(report.count == 0 && report.faults.len == 0);
    config_report_fini(&report);
    struct buf text;
    buf_init(&text, 1024 * 1024);
    config_print(config, &text);
    (void)config_route(config, "dest.test");
    buf_fini(&text);
    config_free(config);
    return 0;
}
