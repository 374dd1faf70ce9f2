"""A server that says at RCPT that it is sent too much: its mail goes apart, and no other's. The kind of fault is a limit on all of us
that is taken for each recipient's own, so that all that waits is refused, message by message."""

import time

import pytest

from apart import Sender, tenants
from conftest import wait_for

STREAMS = """
stream "news" { class = "digest"  unsubscribe = "none"  retry = {2} }
"""
TOO_FAST = "450 4.7.28 Too many messages from your IP address, slow down"

pytestmark = pytest.mark.memory


def test_its_mail_goes_apart_until_somebody_resumes_it(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("other.test", "mx.other.test=127.0.0.2")
    closed, refused = [True], []

    def answer(line, connection):
        if not closed[0] or not line.startswith("RCPT"):
            return None
        refused.append(line)
        return TOO_FAST

    host = mailhost(answer)
    other = mailhost(host="127.0.0.2")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    name = f"mx.dest.test:{delivery_port}"
    for i in range(200):
        sender.send(f"u{i}@dest.test", f"news {i}")
    row = wait_for(lambda: [r for r in [relay.json("destination", "show", name)] if "speed" in r], 30, 0.1)[0]
    assert row["speed"]["messages_a_minute"] >= 1, row
    assert "messages a minute" in relay.command("destination", "show", name)
    due = [r for r in relay.json("queue", "list", "--limit", "1000") if r["due"] <= time.time() * 1000 and r["state"] == "waiting" and "trying" not in r]
    assert due and all("messages go apart there, " in r.get("why", "") for r in due), due[:2]  # else it looks as if it were forgotten
    assert "messages go apart there, " in relay.command("queue", "list", "--limit", "1000")
    for i in range(50):
        sender.send(f"u{i}@other.test", f"other {i}")
    wait_for(lambda: len(other.messages) == 50, 60, 0.1)
    assert len(refused) < 60, len(refused)
    closed[0] = False
    assert "it was slowed" in relay.command("destination", "resume", name)
    wait_for(lambda: len(host.messages) == 200, 60, 0.1)
    assert "speed" not in relay.json("destination", "show", name)


def test_a_restart_sends_no_faster(relay_factory, mailhost, dns, delivery_port):
    """What a server takes is known again, and with which reply it said so; the operator's word ends that for good."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    closed, refused = [True], []

    def answer(line, connection):
        if not closed[0] or not line.startswith("RCPT"):
            return None
        refused.append(line)
        return TOO_FAST

    host = mailhost(answer)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    name = f"mx.dest.test:{delivery_port}"
    for i in range(100):
        sender.send(f"u{i}@dest.test", f"news {i}")
    wait_for(lambda: "speed" in relay.json("destination", "show", name), 30, 0.1)
    relay.stop()
    before = len(refused)
    relay.start()
    speed = relay.json("destination", "show", name)["speed"]
    assert 1 <= speed["messages_a_minute"] <= 60, speed
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(refused) > before, 60, 0.1)
    assert len(refused) < before + 50, (before, len(refused))
    closed[0] = False
    relay.command("destination", "resume", name)
    wait_for(lambda: len(host.messages) == 100, 60, 0.1)
    relay.stop()
    relay.start()
    assert "messages a minute" not in relay.command("destination", "show", name, check=False).stdout


@pytest.mark.parametrize("code", ["554 5.7.1 too many messages from your IP, rate limited", TOO_FAST])
def test_one_domain_at_a_shared_host_slows_no_other(relay_factory, mailhost, dns, delivery_port, code):
    """Whoever has a domain at a host that many share may choose the words that refuse his mail: said to two tenants, they slow
    nobody's mail to others there."""
    dns.mail("evil.test", "mx.shared.test=127.0.0.1")
    dns.mail("good.test", "mx.shared.test=127.0.0.1")

    def answer(line, connection):
        return code if line.startswith("RCPT") and "@evil.test" in line else None

    host = mailhost(answer)
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "one", "two")
    for i in range(4):
        for who, sender in senders.items():
            sender.send(f"u{i}@evil.test", f"evil {i}", sender=f"hello@{who}.test")
    name = f"mx.shared.test:{delivery_port}"
    wait_for(lambda: "speed" in relay.json("destination", "show", name), 30, 0.1)
    for i in range(20):
        for who, sender in senders.items():
            sender.send(f"u{i}@good.test", f"good {i}", sender=f"hello@{who}.test")
    wait_for(lambda: len(host.messages) == 40, 15, 0.1)
    assert "speed" in relay.json("destination", "show", name)


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
def test_a_421_slows_as_a_450_does(relay_factory, mailhost, dns, delivery_port, stage):
    """As Google says it: at RCPT or later, and ends the connection with it."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    mailhost(lambda line, connection: TOO_FAST.replace("450", "421") if line.startswith(stage) else None)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    name = f"mx.dest.test:{delivery_port}"
    for i in range(10):
        sender.send(f"u{i}@dest.test", f"news {i}")
    row = wait_for(lambda: [r for r in [relay.json("destination", "show", name)] if "speed" in r], 15, 0.1)[0]
    assert row["speed"]["messages_a_minute"] >= 1, row


def test_what_a_resume_ends_is_said(relay_factory, mailhost, dns, delivery_port):
    """Also where mail of some tenants alone rested, as what is refused at MAIL."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    mailhost(lambda line, connection: "450 4.7.1 Too many messages" if line.startswith("MAIL") and "@two.test" in line else None)
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "one", "two")
    for i in range(10):
        for who, sender in senders.items():
            sender.send(f"u{i}@dest.test", f"news {i}", sender=f"hello@{who}.test")
    name = f"mx.dest.test:{delivery_port}"
    wait_for(lambda: relay.json("destination", "show", name).get("tenant_rest", {}).get("rests_s", 0) > 1, 30, 0.1)
    text = relay.command("destination", "resume", name)
    assert "some of it rested" in text, text
