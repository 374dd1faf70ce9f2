"""What the log and the queue say of destinations that do not work, and what an operator's own tries of them cost. The kind of fault is
a fact that is there and told nowhere, told wrong, or told too late."""

import socket
import time

import pytest

from apart import Sender
from conftest import free_port, slack, wait_for
from mailhost import trusting
from test_destinations import QUICK, resting, send, show
from test_route_trouble import modern

SLOW = 'stream "quick" { class = "security"  retry = {1} }\nstream "news" { class = "digest"  unsubscribe = "none"  retry = {1} }'


@pytest.fixture
def full():
    """A function that makes an address at which nobody answers a connection, not even its TCP."""
    made = []

    def make(host, port):
        server = socket.create_server((host, port), backlog=0)
        made.append(server)
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex((host, port))
            made.append(client)
        time.sleep(0.2)

    yield make
    for one in made:
        one.close()


@pytest.fixture
def place(dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return f"mx.dest.test:{delivery_port}"


def test_tries_that_an_operator_asks_for_make_no_rest_longer(relay_factory, place):
    relay = relay_factory(QUICK).start()
    send(relay)
    row = resting(relay, place, failures=3, timeout=30)
    ends = time.time() + row["rests_s"]
    for _ in range(5):
        relay.command("queue", "retry", "--domain", "dest.test")
        wait_for(lambda: show(relay, place)["rests_s"] > 0)
        time.sleep(0.5)
    after = show(relay, place)
    assert after["failures"] == 3 and time.time() + after["rests_s"] < ends + 3, (row, after)
    assert relay.queue()[0]["tries"] == 0  # no host took it
    relay.reload()
    relay.command("destination", "resume", place)
    wait_for(lambda: show(relay, place)["rests_s"] > 0)
    assert "destination_resumed" not in relay.log() and not relay.json("events", "--kind", "destination_resumed")  # nothing works yet


@pytest.mark.parametrize("how", ["refuses", "421 at the greeting", "421 at EHLO"])
def test_what_no_host_takes_is_no_try(relay_factory, mailhost, place, how):
    word = {"421 at the greeting": "", "421 at EHLO": "EHLO"}.get(how)
    host = mailhost(lambda line, c: "421 4.3.2 busy" if busy and line.split(" ")[0] == word else None) if word is not None else None
    busy = [True]
    relay = relay_factory(QUICK).start()
    send(relay)
    resting(relay, place, failures=2)
    assert relay.queue()[0]["tries"] == 0
    if host:
        busy.clear()
        wait_for(lambda: host.messages, 25)
        wait_for(lambda: show(relay, place)["why"] == "")  # it is no longer so


def test_a_host_that_is_avoided_is_told_once(relay_factory, mailhost, dns, delivery_port, full):
    dns.mail("dest.test", "mx1.dest.test=127.0.0.8", "mx2.dest.test=127.0.0.1")
    full("127.0.0.8", delivery_port)
    host = mailhost()
    relay = relay_factory(QUICK).start()
    for _ in range(5):
        send(relay)
    wait_for(lambda: len(host.messages) == 5, 40)
    lines = [line for line in relay.log().splitlines() if "host_avoided" in line]
    assert len(lines) == 1 and "mx=mx1.dest.test" in lines[0] and "address=127.0.0.8" in lines[0], lines


def test_a_refused_login_is_why_it_rests(relay_factory, dns, tmp_path, mailhost, issue):
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    mailhost(port=port, context=modern(issue), users={"me": "other"})
    (tmp_path / "password").write_text("secret\n")
    relay = relay_factory(f'route "dest.test" {{ host = "smart.dest.test"  port = {port}  username = "me"  '
                          f'password_file = "{tmp_path}/password" }}\n{QUICK}')
    trusting(relay, tmp_path)
    send(relay)
    row = wait_for(lambda: [r for r in relay.json("destination", "list") if r["rests_s"] > 0])[0]
    assert row["why"] == "login refused: 535 5.7.8 Authentication credentials invalid", row
    assert "cannot hand on" not in str(relay.json("events", "--kind", "destination_rests"))
    listed = relay.command("queue", "list")
    assert "its destination rests: login refused" in listed and "cannot hand on" not in listed, listed
    assert relay.queue()[0]["tries"] == 0


@pytest.mark.parametrize("how", ["tcp", "greeting", "EHLO"])
def test_a_stop_waits_for_nobody_who_opens(relay_factory, mailhost, place, full, delivery_port, how):
    if how == "tcp":
        full("127.0.0.1", delivery_port)
    else:
        mailhost(lambda line, c: time.sleep(40) if line.startswith("EHLO" if how == "EHLO" else "") else None)
    relay = relay_factory(QUICK).start()
    send(relay)
    wait_for(lambda: [r for r in relay.json("destination", "list") if r["opening"] == 1])
    time.sleep(0.5)
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < slack(3)
    assert relay.queue()[0]["tries"] == 0


def test_trying_again_is_told_with_its_message(relay_factory, mailhost, place):
    """A host that takes two messages on a connection."""
    host = mailhost(lambda line, c: "452 4.5.3 enough here" if line.startswith("MAIL") and len(c.messages) >= 2 else None)
    relay = relay_factory(SLOW).start()
    sender = Sender(relay)
    for i in range(20):
        sender.send(f"u{i}@dest.test", f"news {i}")
    wait_for(lambda: len(host.messages) == 20, 20)
    lines = [line for line in relay.log().splitlines() if "trying_again" in line]
    assert lines and all(" id=" in line and "code=452" in line and "warn" not in line for line in lines), lines
    assert "destination_rests" not in relay.log()
