// SPDX-License-Identifier: BSD-2-Clause
/* connection_turn_test.c - Who has much to say is heard in turns: one connection's bytes never keep the loop from the others'. */
#include "table.h"

#include "connection.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ = 64 * 1024 };

struct party {
    struct connection *connection;
    int peer; /* the other end */
    size_t written, heard;
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

static const struct connection_events events = {.bytes = on_bytes, .ended = on_ended};

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_read_in_each_turn), cmocka_unit_test(nothing_is_lost_between_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
