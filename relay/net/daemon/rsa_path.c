// SPDX-License-Identifier: BSD-2-Clause
/* rsa_path.c - Measures RSA as OpenSSL computes it, and without the ADX instructions.
 *
 * Where there is no AVX512-IFMA, OpenSSL 3.0 prefers code for ADX to code for AVX2, which is 1.2 to
 * 1.6 times faster on some processors. Only the environment can tell it so, before it is loaded:
 *
 *   measure - exec with OPENSSL_ia32cap - measure - go on, or exec without it - go on
 *
 * What was measured is handed on in a variable of our own. Neither stays in the environment.
 */
#include "rsa_path.h"

#include "buf.h"
#include "config.h"
#include "key.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

enum { ROUNDS = 8, ARGUMENTS_MAX = 64 * 1024, GAIN_PERCENT = 10 };
enum { LONGEST_NS = 1000000000 };

static const char capabilities[] = "OPENSSL_ia32cap", without_adx[] = ":~0x80000";
static const char handed_on[] = "SEALPOST_RSA_NS";

/* Intel's manual, CPUID leaf 7, EBX. */
static bool may_gain(enum config_rsa_path wanted)
{
#ifdef __x86_64__
    enum {
        AVX2 = 1 << 5,
        BMI2 = 1 << 8,
        ADX = 1 << 19,
        IFMA = 1 << 21,
        NEEDED = AVX2 | BMI2 | ADX
    };
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    bool known = __get_cpuid_count(7, 0, &a, &b, &c, &d) == 1;
    return known && (b & NEEDED) == NEEDED && (wanted == RSA_PATH_ALWAYS || (b & IFMA) == 0);
#else
    (void)wanted;
    return false;
#endif
}

/* The best of some: others may have the processor in between. */
static long long measure_ns(void)
{
    long long best_ns = LLONG_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec before;
        struct timespec after;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        key_exercise();
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        long long ns =
            (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    return best_ns;
}

MUST_CHECK static bool read_arguments(struct buf *text, struct err *err)
{
    static const char path[] = "/proc/self/cmdline";
    char *to = buf_reserve(text, ARGUMENTS_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(to != NULL);
    ssize_t got = fd >= 0 ? read(fd, to, ARGUMENTS_MAX) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return err_set(err, ERR_SYSTEM, "read %s: %s", path, strerror(error));
    if (got == ARGUMENTS_MAX)
        return err_set(err, ERR_LIMIT, "the command line has %d bytes or more", ARGUMENTS_MAX);
    if (got == 0 || to[got - 1] != '\0')
        return err_set(err, ERR_MALFORMED, "%s does not end an argument", path);
    buf_commit(text, (size_t)got);
    return true;
}

/* This program, by this process, with these arguments. Returns only when that fails. */
static void start_anew(struct err *err)
{
    static const char path[] = "/proc/self/exe";
    char program[PATH_MAX];
    struct buf text;
    buf_init(&text, ARGUMENTS_MAX);
    ssize_t len = readlink(path, program, sizeof(program) - 1);
    bool ok = len > 0 || err_set(err, ERR_SYSTEM, "read %s: %s", path, strerror(errno));
    if (ok && read_arguments(&text, err)) {
        size_t count = 0;
        char **arguments = xcalloc(text.len + 1, sizeof(*arguments));
        program[len] = '\0';
        for (char *at = text.ptr; at < text.ptr + text.len; at += strlen(at) + 1)
            arguments[count++] = at;
        execv(program, arguments);
        err_set(err, ERR_SYSTEM, "start %s: %s", program, strerror(errno));
        free(arguments);
    }
    buf_fini(&text);
}

static bool is_wanted(const char *config_path)
{
    struct config *config = NULL;
    struct err err = {0};
    if (getauxval(AT_SECURE) != 0 || !may_gain(RSA_PATH_ALWAYS))
        return false; /* with capabilities of its file it would lose them */
    if (!config_look(config_path, &config, &err)) { /* as an error by who reads it next */
        log_event(LOG_DEBUG, "rsa_not_measured", "what", err.text);
        return false;
    }
    bool wanted = config->rsa_path != RSA_PATH_OFF && may_gain(config->rsa_path);
    config_free(config);
    return wanted;
}

static char measured[160]; /* while there is one thread; "" nothing was */

static void note(long long default_ns, long long other_ns, bool chosen)
{
    snprintf(measured, sizeof(measured),
             "RSA-2048 takes %.2f ms as OpenSSL computes it by default, %.2f ms without ADX: %s",
             (double)default_ns / 1e6, (double)other_ns / 1e6,
             chosen ? "ADX is not used" : "the default is used");
}

void rsa_path_tell(void)
{
    if (measured[0])
        log_event(LOG_INFO, "rsa_measured", "what", measured);
}

/* The program was started anew with ADX switched off: is that better? */
static void compare(long long default_ns)
{
    char text[64];
    struct err err = {0};
    long long other_ns = measure_ns();
    bool better = other_ns * 100 <= default_ns * (100 - GAIN_PERCENT);
    unsetenv(capabilities); /* it has been read, and is nobody else's */
    if (!better) {
        snprintf(text, sizeof(text), "%lld %lld", default_ns, other_ns);
        setenv(handed_on, text, 1);
        start_anew(&err);
        err_wrap(&err, "ADX is not used, as the program could not be started anew");
        log_event(LOG_WARN, "rsa_measured", "what", err.text);
    }
    note(default_ns, other_ns, better);
}

static void begin(void)
{
    char text[32];
    struct err err = {0};
    snprintf(text, sizeof(text), "%lld", measure_ns());
    setenv(handed_on, text, 1);
    setenv(capabilities, without_adx, 1);
    start_anew(&err);
    unsetenv(capabilities);
    log_event(LOG_WARN, "rsa_not_measured", "what", err.text);
}

/* Anybody may have set the variable. */
static bool read_ns(struct span text, long long *ns_r)
{
    uint64_t ns = 0;
    if (!span_number(text, &ns) || ns == 0 || ns > LONGEST_NS)
        return false;
    *ns_r = (long long)ns;
    return true;
}

void rsa_path_choose(const char *config_path)
{
    long long default_ns = 0;
    long long other_ns = 0;
    const char *mask = getenv(capabilities);
    const char *given = getenv(handed_on);
    struct span both = given ? span_of(given) : SPAN_NONE;
    size_t first = span_find(both, ' ');
    bool begun = read_ns(both, &default_ns);
    bool done = read_ns(span_first(both, first), &default_ns) &&
                read_ns(span_from(both, first + 1), &other_ns);
    if (is_wanted(config_path)) {
        if (begun && mask && strcmp(mask, without_adx) == 0)
            compare(default_ns);
        else if (done && !mask)
            note(default_ns, other_ns, false);
        else if (!mask)
            begin();
    }
    unsetenv(handed_on);
}
