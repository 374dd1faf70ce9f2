"""Without descriptors: by a release build, with few from the start (ulimit -n), and with none left while it runs (prlimit)."""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import threading
import time

import conftest
import pytest
from conftest import RELEASE, free_port, wait_for
from test_page import CONFIG, ask, link

pytestmark = pytest.mark.usefixtures("release", "authorities")


def make(relay_factory, dns, sink_factory, extra=""):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    port = free_port()
    relay = relay_factory("shards = 2\n" + CONFIG.format(port=port, tls="none") + extra)
    relay.web, relay.web_tls = port, False
    relay.sink = sink_factory()
    return relay


def start_with(relay, limit, wait=True):
    """serve under `ulimit -n`, commands not."""
    relay.log_file = open(relay.path / "serve.log", "ab")
    relay.process = subprocess.Popen([RELEASE, "-c", str(relay.config), "serve"], stderr=relay.log_file, stdout=relay.log_file,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
    if wait:
        conftest.wait_port(relay.submission, process=relay.process)
        conftest.wait_port(relay.submissions, process=relay.process)
        wait_for(lambda: "info started " in relay.log())


def cpu_s(relay):
    fields = pathlib.Path(f"/proc/{relay.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(relay):
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


def test_too_few_are_refused_at_the_start_in_one_line(relay_factory, dns, sink_factory):
    relay = make(relay_factory, dns, sink_factory)
    start_with(relay, 64, wait=False)
    assert relay.process.wait(timeout=20) == 1
    relay.process = None
    lines = relay.log().splitlines()
    assert len(lines) == 1 and "64 file descriptors are too few, 318 are needed with 2 shards: raise LimitNOFILE or ulimit -n" in lines[0], lines


@pytest.mark.parametrize("limit,bulk", [(318, 40), (336, 120), (1428, 400)])
def test_few_work_slowly_for_all_at_once(relay_factory, dns, sink_factory, limit, bulk):
    """Clients that stay, visitors that stay, deliveries to many domains that hang and to one that works; then SIGTERM."""
    relay = make(relay_factory, dns, sink_factory, 'limits { connections = 5000  per_address = 5000  per_network = 5000 }\n')
    silent = socket.create_server(("127.0.0.7", relay.sink.port), backlog=2000)  # takes connections, says nothing
    for i in range(bulk):
        dns.mail(f"d{i}.test", f"mx{i}.d{i}.test=127.0.0.7")
    start_with(relay, limit)
    said = [line for line in relay.log().splitlines() if " fewer_connections " in line]
    assert len(said) == 1 and f"{limit} descriptors" in said[0] and "ulimit -n" in said[0]
    room = int(said[0].split("limit=")[1].split()[0])
    assert 0 < room < limit / 2
    with relay.client() as client:  # the recipients' domains take a connection each, and keep it
        for at in range(0, bulk, 20):
            client.sendmail("hello@club.test", [f"a@d{i}.test" for i in range(at, min(bulk, at + 20))],
                            f"From: <hello@club.test>\r\nSubject: {at}\r\n\r\nx\r\n")
    many = []
    for _ in range(2 * limit):
        try:
            s = socket.create_connection(("127.0.0.1", relay.submission if len(many) % 3 else relay.web), timeout=10)
        except OSError:
            break
        many.append(s)
    time.sleep(1)
    assert descriptors(relay) <= limit and relay.process.poll() is None
    begun = cpu_s(relay)
    time.sleep(2)
    assert cpu_s(relay) - begun < 1.2  # nobody tries for ever
    relay.command("queue", "list")  # the control socket has its own
    relay.reload()
    assert f"{limit} descriptors" in relay.log()
    for s in many:
        s.close()
    wait_for(lambda: greeting(relay) == b"220", 30, 0.2)
    again = [socket.create_connection(("127.0.0.1", relay.submission), timeout=20) for _ in range(room + 40)]
    time.sleep(1)
    stay = sum(stays(s) for s in again)  # the limit holds after a reload, too: the rest is told so
    assert room / 2 <= stay <= room, (stay, room)
    for s in again:
        s.close()
    wait_for(lambda: greeting(relay) == b"220", 30, 0.2)
    assert ask(relay, "GET", link(relay))[0] == 200
    relay.send(message="From: <hello@club.test>\r\nSubject: last\r\n\r\nlast\r\n")
    silent.close()
    relay.process.send_signal(signal.SIGTERM)
    assert relay.process.wait(timeout=60) == 0
    relay.process = None
    assert "Too many open files" not in relay.log() and "no descriptors left" not in relay.log(), relay.log()[-3000:]


def stays(s):
    """Is it greeted, and not told to go?"""
    s.settimeout(0.01)
    said = b""
    try:
        while piece := s.recv(1000):
            said += piece
        return False
    except TimeoutError:
        return said.startswith(b"220 ") and b"\r\n421 " not in said
    except OSError:
        return False


def greeting(relay):
    try:
        with socket.create_connection(("127.0.0.1", relay.submission), timeout=10) as s:
            return s.recv(100)[:3]
    except OSError:
        return b""


def test_none_left_while_it_runs(relay_factory, dns, sink_factory):
    """Each thread finds that there is none: nothing spins, nothing is lost, all is well when there are some again."""
    relay = make(relay_factory, dns, sink_factory, 'log = "debug"\n')
    relay.start()
    wait_for(lambda: "info started " in relay.log())
    client = relay.client()  # one that is there already
    taken = relay.send()
    relay.wait_kind(taken, "delivered")
    now = descriptors(relay)
    hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)[1]
    assert hard >= now
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (8, hard))
    waiting = []
    for port in (relay.submission, relay.submissions, relay.web) * 5:
        s = socket.create_connection(("127.0.0.1", port), timeout=10)
        waiting.append(s)
    code, text = client.docmd("NOOP")
    assert code == 250
    accepted = []
    big = b"From: <hello@club.test>\r\nSubject: big\r\n\r\n" + b"x" * 900 + b"\r\n" * 2
    for body in (b"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: small\r\n\r\nx\r\n", big + (b"y" * 900 + b"\r\n") * 3000):
        client.mail("hello@club.test")
        client.rcpt("bob@dest.test")
        code, text = client.data(body)
        assert code == 250 or 400 <= code < 500, (code, text)  # taken and kept, or said honestly
        accepted += [text.decode().split()[-1]] if code == 250 else []
    begun = cpu_s(relay)
    time.sleep(3)
    assert cpu_s(relay) - begun < 1.5 and relay.process.poll() is None
    assert "clients_wait" in relay.log()
    command = threading.Thread(target=lambda: relay.command("queue", "list", check=False))
    command.start()
    os.kill(relay.process.pid, signal.SIGHUP)  # a reload that cannot read its file is none
    wait_for(lambda: "reload_refused" in relay.log())
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, before)
    for s, expected in zip(waiting, (b"220 ", None, None) * 5):  # who has waited is served
        if expected:
            assert s.recv(4) == expected
        s.close()
    command.join(timeout=60)
    client.quit()
    relay.reload()
    assert ask(relay, "GET", link(relay))[0] == 200
    for id in accepted:
        relay.wait_kind(id, "delivered", 60)
    last = relay.send(message="From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: last\r\n\r\nx\r\n")
    relay.wait_kind(last, "delivered", 60)
    relay.command("queue", "list")
    relay.stop()


def test_sigterm_is_heard_without_any_descriptor(relay_factory, dns, sink_factory):
    relay = make(relay_factory, dns, sink_factory)
    relay.start()
    wait_for(lambda: "info started " in relay.log())
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (8, 8))
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in (relay.submission, relay.submissions, relay.web) * 10]
    time.sleep(1)
    relay.process.send_signal(signal.SIGTERM)
    assert relay.process.wait(timeout=40) == 0
    relay.process = None
    for s in waiting:
        s.close()
