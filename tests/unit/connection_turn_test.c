// SPDX-License-Identifier: BSD-2-Clause
/* connection_turn_test.c - Who has much to say is heard in turns: one connection's bytes never keep the loop from the others'. And who
 * waits for a turn of ours is not silent. */
#include "table.h"

#include "connection.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ = 64 * 1024 };

struct party {
    struct connection *connection;
    int peer; /* the other end */
    size_t written, heard;
    unsigned waited; /* so often its time was over while it waited for a turn */
    bool ended;
};

static void on_bytes(void *owner, struct span bytes)
{
    struct party *p = owner;
    p->heard += bytes.len;
}

static void on_ended(void *owner, const char *why)
{
    struct party *p = owner;
    (void)why;
    p->ended = true;
}

static bool on_timed_out(void *owner)
{
    struct party *p = owner;
    bool waits = connection_awaits_turn(p->connection);
    p->waited += waits;
    if (waits)
        connection_set_deadline(p->connection, 1);
    return waits;
}

static const struct connection_events events = {.bytes = on_bytes, .timed_out = on_timed_out, .ended = on_ended};

static struct party come(uv_loop_t *loop)
{
    static const int room = 1024 * 1024;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    return (struct party){.connection = connection_accept(loop, ends[0], &events, NULL), .peer = ends[1]};
}

static void begin(struct party *p)
{
    connection_hand_over(p->connection, &events, p);
    connection_want_bytes(p->connection, true);
}

/* As much as the kernel takes. */
static void fill(struct party *p)
{
    static const char piece[4096];
    for (ssize_t put; (put = write(p->peer, piece, sizeof(piece))) > 0;)
        p->written += (size_t)put;
}

static void end(uv_loop_t *loop, struct party *p)
{
    connection_close(p->connection, "done");
    while (!p->ended)
        uv_run(loop, UV_RUN_ONCE);
    close(p->peer);
}

static void one_read_in_each_turn(void **state)
{
    uv_loop_t loop;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct party loud = come(&loop), quiet = come(&loop);
    begin(&loud);
    begin(&quiet);
    fill(&loud);
    assert_true(loud.written > 2 * READ);
    assert_int_equal(write(quiet.peer, "x", 1), 1);
    for (size_t before = 0; loud.heard < loud.written; before = loud.heard) {
        uv_run(&loop, UV_RUN_NOWAIT);
        assert_true(loud.heard > before && loud.heard - before <= READ);
        assert_int_equal(quiet.heard, 1);
    }
    end(&loop, &loud);
    end(&loop, &quiet);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* What is left over is there when it is wanted, and the end of the stream after it. */
static void nothing_is_lost_between_turns(void **state)
{
    uv_loop_t loop;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    struct party loud = come(&loop);
    begin(&loud);
    fill(&loud);
    assert_int_equal(shutdown(loud.peer, SHUT_WR), 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(!loud.ended && loud.heard < loud.written);
    connection_want_bytes(loud.connection, false);
    size_t heard = loud.heard;
    for (int i = 0; i < 3; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(loud.heard, heard);
    connection_want_bytes(loud.connection, true);
    while (!loud.ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(loud.heard, loud.written);
    close(loud.peer);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* ---- turns at handshakes ---- */

int __real_clock_gettime(clockid_t id, struct timespec *t);
uint64_t __real_uv_hrtime(void);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
uint64_t __wrap_uv_hrtime(void);

static uint64_t burnt_us; /* by handshakes; the loop's clock does not see it */

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
    if (id != CLOCK_THREAD_CPUTIME_ID)
        return __real_clock_gettime(id, t);
    *t = (struct timespec){(time_t)(burnt_us / 1000000), (long)(burnt_us % 1000000) * 1000};
    return 0;
}

uint64_t __wrap_uv_hrtime(void)
{
    return __real_uv_hrtime() + burnt_us * 1000;
}

static void costs_an_hour(struct handshake *s)
{
    (void)s;
    burnt_us += UINT64_C(3600) * 1000000;
}

static void who_waits_for_a_turn_is_not_silent(void **state)
{
    static const char record[] = {0x16, 3, 3, 0, 80}; /* begins one */
    struct handshake dear = {.run = costs_an_hour, .tenant = "eve"}, later = {.run = costs_an_hour, .tenant = "bob"};
    struct tls_terms terms = {.host = "mx.test"};
    struct tls_context *client = NULL;
    struct err err = {0};
    uv_loop_t loop;
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(tls_client_context(NULL, &client, &err));
    struct handshakes *all = handshakes_new(&loop, &handshakes_with_servers);
    struct party p = come(&loop);
    begin(&p);
    connection_connect_tls(p.connection, client, &terms, &(struct handshake_terms){.all = all, .tenant = "eve"});
    handshakes_add(all, &dear);
    assert_int_equal(write(p.peer, record, sizeof(record)), sizeof(record));
    while (!connection_awaits_turn(p.connection))
        uv_run(&loop, UV_RUN_ONCE);
    connection_set_deadline(p.connection, 1);
    while (p.waited < 3 && !p.ended)
        uv_run(&loop, UV_RUN_ONCE);
    assert_true(connection_awaits_turn(p.connection) && !p.ended);
    for (uint64_t from = uv_now(&loop); uv_now(&loop) - from < 150; uv_sleep(5))
        uv_run(&loop, UV_RUN_NOWAIT);
    handshakes_add(all, &later); /* for so long eve has rested */
    while (connection_awaits_turn(p.connection))
        uv_run(&loop, UV_RUN_ONCE);
    assert_false(p.ended);
    unsigned waited = p.waited;
    uint64_t from = uv_now(&loop);
    while (!p.ended) /* as it says no more */
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(p.waited, waited);
    assert_true(uv_now(&loop) - from >= 100); /* it has the time that it had, and all that it has waited */
    close(p.peer);
    uv_run(&loop, UV_RUN_NOWAIT);
    handshakes_free(all);
    tls_context_free(client);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_read_in_each_turn), cmocka_unit_test(nothing_is_lost_between_turns),
                                       cmocka_unit_test(who_waits_for_a_turn_is_not_silent)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
