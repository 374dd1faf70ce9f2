"""A library between the relay and SQLite, which keeps those statements that a test chooses.

    store = SlowStore(tmp_path, before='if (strstr(sql, "DELETE FROM x")) nap(page[0]);')
    relay.environment = store.environment
    store[0] = 500

`before` and `after`: C, around each step of a statement `s` with the text `sql`, where `page` are 1024 numbers that the test has, too.
"""

import mmap
import re
import subprocess

import conftest

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
extern const char *sqlite3_sql(void *s);
extern void *sqlite3_db_handle(void *s);
extern int sqlite3_db_readonly(void *db, const char *name);
static _Atomic int *page;
__attribute__((constructor)) static void set_up(void)
{
    int fd = open(getenv("SLOW_PAGE"), O_RDWR | O_CLOEXEC);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
}
static inline void nap(int ms)
{
    struct timespec wait = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&wait, NULL);
}
int sqlite3_step(void *s)
{
    static int (*next)(void *);
    if (!next)
        next = (int (*)(void *))dlsym(RTLD_NEXT, "sqlite3_step");
    const char *sql = sqlite3_sql(s) ? sqlite3_sql(s) : "";
    (void)sql;
    BEFORE
    int result = next(s);
    AFTER
    return result;
}
"""


class SlowStore:
    def __init__(self, path, before="", after=""):
        (path / "slow.c").write_text(SOURCE.replace("BEFORE", before).replace("AFTER", after))
        (path / "slow.page").write_bytes(bytes(4096))
        subprocess.run(["cc", "-shared", "-fPIC", "-o", path / "slow.so", path / "slow.c", "-ldl"], check=True)
        linked = subprocess.run(["ldd", conftest.SEALPOST], check=True, capture_output=True, text=True).stdout
        first = re.findall(r"=> (\S*lib[at]san\S*)", linked)  # it must come before all others
        self.environment = {"LD_PRELOAD": ":".join([*first, str(path / "slow.so")]), "SLOW_PAGE": str(path / "slow.page")}
        with open(path / "slow.page", "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def __getitem__(self, at):
        return int.from_bytes(self.page[4 * at:4 * at + 4], "little")

    def __setitem__(self, at, value):
        self.page[4 * at:4 * at + 4] = value.to_bytes(4, "little")
