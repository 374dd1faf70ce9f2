"""The log never holds up mail: nobody reads the pipe, the terminal or the socket that is stderr, or the disk is full."""

import os
import pty
import re
import socket
import subprocess
import time

import pytest
from conftest import RELEASE, wait_for, wait_port

pytestmark = pytest.mark.usefixtures("release")
LINE = re.compile(rb"(error|warn|info|debug) [a-z_]+( [a-z_]+=(\"([^\"\\]|\\.)*\"|[^ \"]*))*")


def serve(relay, stderr):
    relay.log_file = open(relay.path / "serve.log", "ab")  # stays empty
    relay.process = subprocess.Popen([RELEASE, "-c", str(relay.config), "serve"], stderr=stderr, stdout=subprocess.DEVNULL)
    wait_port(relay.submission, process=relay.process)
    wait_port(relay.submissions, process=relay.process)


def flood(relay, count):
    """One line each: a connection that fails in its handshake, at debug."""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", relay.submission), timeout=5) as s:
            assert s.recv(4) == b"220 "


def read_all(read, process=None, quiet_s=1.5):
    """All lines until nothing more comes for a while."""
    text, last = b"", time.monotonic()
    while time.monotonic() - last < quiet_s:
        piece = read()
        if piece:
            text, last = text + piece, time.monotonic()
        else:
            time.sleep(0.02)
    return text


def make_pipe():
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    return writer, reader


def make_terminal():
    try:
        reader, writer = pty.openpty()
    except OSError:
        pytest.skip("no terminals here")
    os.set_blocking(reader, False)
    return writer, reader


def make_socket():
    a, b = socket.socketpair()
    b.setblocking(False)
    return os.dup(a.fileno()), os.dup(b.fileno())


def take(fd):
    try:
        return os.read(fd, 65536)
    except (BlockingIOError, OSError):
        return b""


@pytest.mark.parametrize("kind", [make_pipe, make_terminal, make_socket])
def test_a_log_that_nobody_reads_holds_up_nobody(relay_factory, dns, sink_factory, kind):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory()
    relay = relay_factory('log = "debug"\n')
    writer, reader = kind()
    blocking = os.get_blocking(writer)
    serve(relay, writer)
    assert os.get_blocking(writer) == blocking  # others have it, too
    began = time.monotonic()
    flood(relay, 5000)  # two lines each
    for i in range(3):
        relay.send(message=f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nx\r\n")
    assert len(sink.wait(3, 20)) == 3
    assert time.monotonic() - began < 40
    text = read_all(lambda: take(reader))  # somebody reads again: what was kept, how much was lost, what comes now
    lost = re.findall(rb"warn log_lines_lost count=(\d+)", text)
    assert sum(map(int, lost)) > 500, text[-500:]
    relay.send(message="From: <hello@club.test>\r\nSubject: again\r\n\r\nx\r\n")
    sink.wait(4, 20)
    text += read_all(lambda: take(reader))
    lines = text.replace(b"\r\n", b"\n").split(b"\n")
    assert lines.pop() == b"" and [line for line in lines if not LINE.fullmatch(line)] == []
    assert text.count(b" delivered ") >= 1 and len(lines) > 300
    # and while it is held up again it stops when it is told to
    flood(relay, 4000)
    relay.process.terminate()
    assert relay.process.wait(timeout=30) == 0
    relay.process = None
    os.close(writer)
    os.close(reader)


def test_the_last_lines_are_there(relay_factory):
    """Into a pipe that is read: in order, to the very end."""
    relay = relay_factory()
    writer, reader = make_pipe()
    serve(relay, writer)
    os.close(writer)
    relay.process.terminate()
    text = read_all(lambda: take(reader))
    assert relay.process.wait(timeout=30) == 0
    relay.process = None
    words = [line.split()[1] for line in text.decode().splitlines()]
    assert words[-2:] == ["stopping", "stopped"] and words.index("shut_in") < words.index("started"), words
    os.close(reader)


def test_nobody_is_there_any_more(relay_factory):
    relay = relay_factory()
    reader, writer = os.pipe()
    serve(relay, writer)
    os.close(writer)
    os.close(reader)
    flood(relay, 50)
    relay.client().quit()
    relay.process.terminate()
    assert relay.process.wait(timeout=30) == 0
    relay.process = None
