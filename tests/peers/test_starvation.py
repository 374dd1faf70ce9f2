"""Those who take and give nothing: connections, slow bytes, memory. Normal mail goes on beside them."""

import os
import select
import smtplib
import socket
import time

import conftest
import pytest
from conftest import wait_for


def connect(relay, address="127.0.0.1"):
    s = socket.create_connection(("127.0.0.1", relay.submission), timeout=90, source_address=(address, 0))
    return s, s.recv(1000)


@pytest.mark.memory
def is_open(s):
    """Nothing was said that ends it."""
    s.setblocking(False)
    try:
        return b"421" not in (s.recv(1000, socket.MSG_PEEK) or b"421")
    except BlockingIOError:
        return True
    except OSError:
        return False


def test_nobody_takes_all_connections(relay_factory, dns):
    relay = relay_factory("limits { connections = 40 }").start()
    one = [connect(relay, "127.5.0.1") for _ in range(25)]
    wait_for(lambda: sum(is_open(s) for s, _ in one) == 20)  # half of them, from one address; the newest
    assert all(g.startswith(b"220") for _, g in one) and all(is_open(s) for s, _ in one[-4:])
    network = [connect(relay, f"127.5.0.{i}") for i in range(2, 15)]
    wait_for(lambda: sum(is_open(s) for s, _ in one + network) == 30)  # three quarters, from one network
    relay.client().quit()  # and others come in
    for s, _ in one + network:
        s.close()
    wait_for(lambda: connect(relay, "127.5.0.1")[1][:3] == b"220")
    shown = relay.command("config", "show")
    assert "per_address = 20" in shown and "per_network = 30" in shown


@pytest.mark.memory
def test_one_byte_at_a_time_is_no_way_to_stay(relay_factory, dns):
    """C5, T11: neither a command nor a message that never ends holds a connection for long."""
    relay = relay_factory("limits { idle = 12 }").start()
    dribbler, _ = connect(relay)
    silent = socket.create_connection(("127.0.0.1", relay.submissions), timeout=90)  # no handshake at all
    slow = relay.client()
    slow.mail("hello@club.test")
    slow.rcpt("bob@dest.test")
    slow.putcmd("DATA")
    assert slow.getreply()[0] == 354
    steady = relay.client()
    steady.mail("hello@club.test")
    steady.rcpt("bob@dest.test")
    steady.putcmd("DATA")
    assert steady.getreply()[0] == 354
    steady.send("From: <hello@club.test>\r\nSubject: slow, but not too slow\r\n\r\n")
    begun, ended = time.monotonic(), {}
    while time.monotonic() - begun < 80 and len(ended) < 3:
        for name, s in (("dribbler", dribbler), ("slow", slow.sock), ("silent", silent)):
            if name in ended:
                continue
            try:
                if name != "silent":
                    s.send(b"N")
                if select.select([s], [], [], 0)[0]:
                    ended[name] = (time.monotonic() - begun, s.recv(1000))
            except OSError:
                ended[name] = (time.monotonic() - begun, b"")
        steady.send("x" * 148 + "\r\n")
        time.sleep(1)
    assert set(ended) == {"dribbler", "slow", "silent"}, ended
    assert 10 < ended["dribbler"][0] < 25 and b"421" in ended["dribbler"][1]
    assert 10 < ended["slow"][0] < 30 and relay.log().count("too_slow") >= 2
    steady.send(".\r\n")
    assert steady.getreply()[0] == 250


@pytest.mark.memory
def test_a_slow_reader_is_not_fed(relay_factory, dns):
    """Commands without end whose answers nobody reads: the relay stops reading, and then closes."""
    relay = relay_factory("limits { idle = 8 }").start()
    s, _ = connect(relay)
    s.settimeout(2)
    sent = 0
    with pytest.raises(OSError):
        while sent < 200_000_000:
            sent += s.send(b"VRFY someone@dest.test\r\n" * 2000)
    assert sent < 50_000_000
    wait_for(lambda: relay.log().count("disconnected") > 0 or s.fileno() >= 0 and closed(s), 30, 0.5)
    relay.client().quit()


def closed(s):
    try:
        s.settimeout(1)
        while s.recv(1_000_000):
            pass
        return True
    except TimeoutError:
        return False
    except OSError:
        return True


def test_memory_ends_with_a_refusal(relay_factory, dns):
    relay = relay_factory("limits { memory = 36  connections = 1000 }").start()
    waiting = relay.client()
    clients = []
    piece = "x" * 998 + "\r\n"
    for _ in range(250):
        try:
            client = relay.client()
        except (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected):
            break
        if client.mail("hello@club.test")[0] == 452:
            break
        client.rcpt("bob@dest.test")
        client.putcmd("DATA")
        assert client.getreply()[0] == 354
        client.send("From: <hello@club.test>\r\n\r\n" + piece * 240)
        clients.append(client)
    wait_for(lambda: "memory_short" in relay.log())
    assert len(clients) > 20
    assert waiting.mail("hello@club.test")[:2] == (452, b"4.3.1 Insufficient system memory: try again in a minute")
    assert b"421 4.3.2" in connect(relay)[1]
    clients[0].send(".\r\n")  # what has begun may end
    assert clients[0].getreply()[0] == 250
    for client in clients[1:]:
        client.close()
    wait_for(lambda: "memory_enough" in relay.log())
    assert waiting.mail("hello@club.test")[0] == 250
    relay.client().quit()


def test_descriptors_are_counted_before_they_run_out(relay_factory, dns, monkeypatch):
    import resource
    relay = relay_factory("limits { connections = 5000  per_address = 5000  per_network = 5000 }")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    relay.environment = {}
    wrapper = relay.path / "few"
    wrapper.write_text(f"#!/bin/sh\nulimit -n 1000\nexec {os.path.abspath(conftest.SEALPOST)} \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setattr(conftest, "SEALPOST", str(wrapper))
    relay.start()
    assert "fewer_connections" in relay.log()
    all = [connect(relay) for _ in range(700)]
    wait_for(lambda: sum(not is_open(s) for s, _ in all) >= 100)
    assert all[-1][1].startswith(b"220") and all[0][0].recv(1000).startswith(b"421 4.3.2 ")  # said, not silent
    relay.command("queue", "list")  # there is room for the rest
    for s, _ in all:
        s.close()
    wait_for(lambda: connect(relay)[1][:3] == b"220")
    relay.client().quit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before
