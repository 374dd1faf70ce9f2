// SPDX-License-Identifier: BSD-2-Clause
/* store.c - The store alone: producers that hand over a message and wait until it is durable.
 *
 *   bench-store --dir DIR [--producers N] [--size BYTES] [--seconds N]
 *               [--way store|settle|count|files|fill] [--messages N] [--domains N]
 *
 * store: accept only. settle: each message is also settled as delivered, in the background, as the
 * relay does it. files: what it is measured against, one file a message: write, fdatasync, rename,
 * fsync of the directory. count: like settle, into the store that is in DIR
 * already, each recipient counted by all keys of the throttle. fill: into the relay that is in DIR already, until there are --messages,
 * each deferred once and due in six hours. Prints one line of JSON.
 */
#include "check.h"
#include "clock.h"
#include "latency.h"
#include "store.h"
#include "wire.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] = "usage: bench-store --dir DIR [--producers N] [--size BYTES] "
                            "[--seconds N] [--way store|settle|count|files|fill] [--messages N] "
                            "[--domains N]\n";

struct bench {
    const char *dir;
    struct store *store;
    char *text;
    size_t size;
    bool settle, count, fill;
    struct throttle_settings throttle; /* counts everything and refuses nothing */
    int directory; /* for fsync */
    int64_t end_ns;
    unsigned messages; /* 0: until the end */
    unsigned domains;  /* of the recipients */
    atomic_uint next;
};

struct producer {
    struct bench *bench;
    pthread_t thread;
    sem_t done;
    struct latency latency;
};

/* ---- the store ---- */

static void on_stored(struct store_job *job)
{
    struct producer *p = job->owner;
    CHECK(store_has_accepted(OWNER_OF(job, struct store_accept, job)));
    store_job_free(job);
    sem_post(&p->done);
}

static void on_settled(struct store_job *job)
{
    CHECK(OWNER_OF(job, struct store_settle, job)->result == STORE_RECORDED);
    store_job_free(job);
}

static struct mail *make_mail(struct bench *b, unsigned number)
{
    char address[80];
    struct mail *m = mail_new();
    m->id = store_new_id(b->store);
    m->created_ms = clock_now_ms();
    m->expires_ms = m->created_ms + 3600 * 1000;
    m->class = STREAM_NOTIFICATION;
    snprintf(m->tenant, sizeof(m->tenant), "default");
    snprintf(m->credential, sizeof(m->credential), "app");
    snprintf(m->from_domain, sizeof(m->from_domain), "club.test");
    m->envelope.sender = xstrdup("hello@club.test");
    m->envelope.id = xstrdup("");
    snprintf(address, sizeof(address), "member%u@dest%u.test", number, number % b->domains);
    envelope_add(&m->envelope, span_of(address), strchr(address, '@') + 1, SPAN_NONE, 0);
    return m;
}

static void settle(struct bench *b, int64_t id)
{
    struct store_settle *settle = store_settle_new();
    struct store_outcome *o = store_settle_add(settle);
    settle->job.answer = on_settled;
    *o = (struct store_outcome){.message = id,
                                .state = MAIL_DONE,
                                .tries = 1,
                                .answer = verdict_make(250, "2.0.0", "OK"),
                                .kind = "delivered",
                                .remote = "mx.dest.test[192.0.2.1]"};
    if (b->fill) {
        o->state = MAIL_WAITING;
        o->due_ms = clock_now_ms() + 6 * 3600 * 1000;
        o->answer = verdict_make(451, "4.7.1", "Greylisted, try again");
        o->kind = "deferred";
    }
    store_put(b->store, &settle->job);
}

static void store_one(struct producer *p, unsigned number)
{
    struct bench *b = p->bench;
    struct store_accept *a = store_accept_new();
    a->job.answer = on_stored;
    a->job.owner = p;
    a->mail = make_mail(b, number);
    int64_t id = a->mail->id;
    if (b->count) {
        a->throttle = &b->throttle;
        a->has_fingerprint = true; /* of all the same one: the recipients differ */
    }
    buf_add(&a->body, (struct span){b->text, b->size});
    store_put(b->store, &a->job);
    sem_wait(&p->done);
    if (b->settle || b->fill)
        settle(b, id);
}

/* ---- one file a message ---- */

static void file_one(struct producer *p, unsigned number)
{
    char temporary[400];
    char path[400];
    struct bench *b = p->bench;
    snprintf(temporary, sizeof(temporary), "%s/tmp-%u", b->dir, number);
    snprintf(path, sizeof(path), "%s/%u", b->dir, number);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && write(fd, b->text, b->size) == (ssize_t)b->size && fdatasync(fd) == 0);
    close(fd);
    CHECK(rename(temporary, path) == 0 && fsync(b->directory) == 0);
}

/* ---- all of them ---- */

static void *run_producer(void *context)
{
    struct producer *p = context;
    struct bench *b = p->bench;
    for (int64_t began_ns = wire_now_ns(); b->messages > 0 || began_ns < b->end_ns;) {
        unsigned number = atomic_fetch_add(&b->next, 1);
        if (b->messages > 0 && number >= b->messages)
            break;
        if (b->store)
            store_one(p, number);
        else
            file_one(p, number);
        int64_t now_ns = wire_now_ns();
        latency_add(&p->latency, now_ns - began_ns);
        began_ns = now_ns;
    }
    return NULL;
}

static void report(struct producer *producers, unsigned producer_count, double seconds)
{
    struct latency all = {0};
    for (unsigned i = 0; i < producer_count; i++) {
        latency_merge(&all, &producers[i].latency);
        latency_fini(&producers[i].latency);
    }
    CHECK(all.count > 0);
    latency_sort(&all);
    printf("{\"accepts_per_s\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"max_ms\": %.2f, "
           "\"cpu_us\": %.1f}\n",
           (double)all.count / seconds, latency_percentile_ms(&all, 50),
           latency_percentile_ms(&all, 99), latency_percentile_ms(&all, 100),
           latency_cpu_s() * 1e6 / (double)all.count);
    latency_fini(&all);
}

static void run(struct bench *b, unsigned producer_count, double seconds)
{
    struct producer *producers = xcalloc(producer_count, sizeof(*producers));
    int64_t began_ns = wire_now_ns();
    b->end_ns = began_ns + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < producer_count; i++) {
        producers[i].bench = b;
        sem_init(&producers[i].done, 0, 0);
        CHECK(pthread_create(&producers[i].thread, NULL, run_producer, &producers[i]) == 0);
    }
    for (unsigned i = 0; i < producer_count; i++)
        pthread_join(producers[i].thread, NULL);
    report(producers, producer_count, (double)(wire_now_ns() - began_ns) / 1e9);
    free(producers);
}

static void on_due(void *context, const struct database_due *due, size_t count)
{
    (void)context;
    (void)due;
    (void)count;
}

static void on_stepped(void *context, int64_t step_ms)
{
    (void)context;
    (void)step_ms;
}

static void on_changed(void *context, enum database_changed what, const char *name)
{
    (void)context;
    (void)what;
    (void)name;
}

static void loosen(struct throttle_settings *s)
{
    throttle_defaults(s);
    const struct throttle_limit loose = {.every_ms = 1, .burst = 1000000, .per_day = 100000000};
    for (size_t i = 0; i < STREAM_CLASSES; i++)
        s->classes[i] = loose;
    s->tenant = s->recipient = s->domain = s->rate = loose;
}

/* A message of that size, of lines. */
static char *make_text(size_t size)
{
    static const char head[] =
        "From: Club <hello@club.test>\r\nSubject: Court 3 is yours\r\n\r\n";
    char *text = xcalloc(size + 2, 1);
    for (size_t i = 0; i < size; i++)
        text[i] = "Your court is booked.\r\n"[i % 23];
    memcpy(text, head, size < sizeof(head) - 1 ? size : sizeof(head) - 1);
    memcpy(text + (size > 2 ? size - 2 : 0), "\r\n", 2);
    return text;
}

int main(int argc, char **argv)
{
    enum { DIR, PRODUCERS, SIZE, SECONDS, WAY, MESSAGES, DOMAINS, OPTIONS };
    static const struct option options[] = {{"dir", 1, NULL, DIR},
                                            {"producers", 1, NULL, PRODUCERS},
                                            {"size", 1, NULL, SIZE},
                                            {"seconds", 1, NULL, SECONDS},
                                            {"way", 1, NULL, WAY},
                                            {"messages", 1, NULL, MESSAGES},
                                            {"domains", 1, NULL, DOMAINS},
                                            {0}};
    static const struct store_events events = {
        .due = on_due, .stepped = on_stepped, .changed = on_changed};
    const char *given[OPTIONS] = {
        [PRODUCERS] = "32", [SIZE] = "8192", [SECONDS] = "5", [WAY] = "settle", [MESSAGES] = "0", [DOMAINS] = "1000"};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0 && option < OPTIONS)
        given[option] = optarg;
    struct bench b = {.dir = given[DIR], .directory = -1, .size = strtoul(given[SIZE], NULL, 10)};
    unsigned producers = (unsigned)strtoul(given[PRODUCERS], NULL, 10);
    bool files = strcmp(given[WAY], "files") == 0;
    b.count = strcmp(given[WAY], "count") == 0;
    b.settle = b.count || strcmp(given[WAY], "settle") == 0;
    loosen(&b.throttle);
    b.fill = strcmp(given[WAY], "fill") == 0;
    b.messages = (unsigned)strtoul(given[MESSAGES], NULL, 10);
    b.domains = (unsigned)strtoul(given[DOMAINS], NULL, 10);
    if (option >= 0 || !b.dir || b.size == 0 || producers == 0 || b.domains == 0 ||
        !(files || b.settle || (b.fill && b.messages > 0) || strcmp(given[WAY], "store") == 0)) {
        fputs(usage, stderr);
        return 2;
    }
    struct err err = {0};
    b.text = make_text(b.size);
    if (files) {
        b.directory = open(b.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(b.directory >= 0);
    } else if ((!b.fill && !b.count && !store_create(b.dir, &err)) || !store_start(b.dir, &events, &b.store, &err)) {
        fprintf(stderr, "bench-store: %s\n", err.text);
        return 1;
    }
    run(&b, producers, strtod(given[SECONDS], NULL));
    if (b.store)
        store_stop(b.store);
    free(b.text);
    return 0;
}
