"""A server that takes no more of our mail for now and says so at MAIL by a 4xx: it is left alone, and asked by one message at a time.
The kind of fault is a refusal for all of us that is taken for each message's own, so that each costs a connection, a line of the log
and a try."""

import shutil
import threading
import time

import pytest

import postfix
from apart import Sender, tenants
from conftest import wait_for, wait_port

STREAMS = """
stream "code" { class = "security"  retry = {2} }
stream "news" { class = "digest"  unsubscribe = "none"  retry = {2} }
"""
BUSY = "450 4.7.1 Error: too much mail from 192.0.2.10"

pytestmark = pytest.mark.memory


def at_mail(reply):
    """Says that to MAIL while `reply[0]` is set; how often, and when."""
    def answer(line, connection):
        said = line.startswith("MAIL") and reply[0] and (not reply[1] or reply[1] in line)
        if said:
            times.append(time.monotonic())
        if line.startswith("MAIL") or (connection.lines and connection.refused):
            connection.refused = said or (not line.startswith("MAIL") and connection.refused)
        if said:
            return reply[0]
        return "503 5.5.1 MAIL first" if connection.refused and line[:4] in ("RCPT", "DATA") else None
    times = []
    return answer, times


def at_once(times):
    """Of them: soon after another, so that nothing rested. Those that ask come two seconds after the last refusal, however busy the
    machine is."""
    return sum(later - earlier < 1.5 for earlier, later in zip(times, times[1:]))


@pytest.fixture(autouse=True)
def whole(monkeypatch):
    import mailhost
    monkeypatch.setattr(mailhost.Connection, "refused", False, raising=False)


def show(relay, port):
    return relay.json("destination", "show", f"mx.dest.test:{port}")


def test_it_rests_and_is_asked_by_one(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    reply = [BUSY, ""]
    answer, times = at_mail(reply)
    host = mailhost(answer)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(100):
        sender.send(f"u{i}@dest.test", f"news {i}")
    row = wait_for(lambda: [r for r in [show(relay, delivery_port)] if r["rests_s"] > 0], 30, 0.2)[0]
    assert row["why"].startswith("450 4.7.1 Error: too much mail"), row
    burst = at_once(times)
    wait_for(lambda: len(times) - at_once(times) > 4, 40, 0.1)
    assert burst <= 11 and at_once(times) <= burst + 1 and len(host.connections) <= len(times) + 2, (times, len(host.connections))
    assert relay.log().count("destination_rests") in (1, 2, 3, 4) and relay.log().count("trying_again") <= 8
    rows = relay.queue("--limit", "200")
    assert len(rows) == 100 and sum(r["tries"] for r in rows) <= 6, sum(r["tries"] for r in rows)
    sender.send("ann@dest.test", "code", "code")
    began = len(times)
    reply[0] = ""
    wait_for(lambda: len(host.messages) == 101, 40, 0.1)
    assert b"Subject: code" in host.messages[0].data, host.messages[0].data
    assert len(times) == began
    wait_for(lambda: not relay.queue(), 10)
    assert show(relay, delivery_port)["why"] == ""


def see_rest_of_eve(relay, port):
    """Whose mail waits, until when and why, in each command that shows it."""
    why = "mail of tenant eve only: " + BUSY
    rest = wait_for(lambda: show(relay, port).get("tenant_rest"), 20, 0.05)
    assert rest["tenant"] == "eve" and rest["rests_s"] > 0 and rest["why"] == why and rest["next_try"], rest
    for command in (("destination", "show", f"mx.dest.test:{port}"), ("destination", "list"), ("trace", relay.json("queue", "list", "--tenant", "eve")[0]["id"])):
        wait_for(lambda: why in relay.command(*command), 30, 0.1)
    row = wait_for(lambda: [r for r in relay.json("queue", "list", "--tenant", "eve") if r.get("rests_s")], 20, 0.1)[0]
    assert row["why"] == why, row


def test_what_one_tenant_meets_holds_up_no_other(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    answer, times = at_mail([BUSY, "eve.test"])
    host = mailhost(answer)
    senders = tenants(relay := relay_factory(STREAMS), "eve", "bob")
    for i in range(50):
        senders["eve"].send(f"u{i}@dest.test", f"eve {i}", "news", "hello@eve.test")
        senders["bob"].send(f"u{i}@dest.test", f"bob {i}", "news", "hello@bob.test")
    wait_for(lambda: len(host.messages) == 50, 30, 0.1)
    assert at_once(times) <= 11, times
    wait_for(lambda: "mail of tenant eve only: 450 4.7.1" in relay.log())
    assert show(relay, delivery_port)["rests_s"] == 0
    see_rest_of_eve(relay, delivery_port)
    senders["bob"].send("last@dest.test", "bob last", "news", "hello@bob.test")
    wait_for(lambda: len(host.messages) == 51)  # hers are never taken


def test_a_message_that_is_refused_for_good_ends_no_limit(relay_factory, mailhost, dns, delivery_port):
    """Of the messages that ask whether it is over the first is refused as itself: the limit is as before, and goes on."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    reply = [BUSY, ""]
    answer, times = at_mail(reply)

    def once(line, connection):
        said = answer(line, connection)
        if said and said.startswith("550"):
            reply[0] = BUSY
        return said

    mailhost(once)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(30):
        sender.send(f"u{i}@dest.test", f"news {i}")
    wait_for(lambda: show(relay, delivery_port)["rests_s"] > 0, 10, 0.1)
    reply[0] = "550 5.7.1 not this message"
    wait_for(lambda: reply[0] == BUSY, 20)  # it was said to one
    before = show(relay, delivery_port)["failures"]
    row = wait_for(lambda: [r for r in [show(relay, delivery_port)] if r["failures"] > before], 20, 0.1)[0]
    assert row["why"].startswith("450 4.7.1 Error"), row
    assert "destination_resumed" not in relay.log()


@pytest.mark.parametrize("reply", ["450 4.7.1 greylisted, come back", "451 4.7.1 greylisted", "450 greylisted"])
def test_greylisting_is_each_recipients_own(relay_factory, mailhost, dns, delivery_port, reply):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    known, lock = set(), threading.Lock()

    def answer(line, connection):
        with lock:
            fresh = line.startswith("RCPT") and line not in known
            known.add(line)
        return reply if fresh else None

    host = mailhost(answer)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(30):
        sender.send(f"u{i}@dest.test", f"news {i}")
    wait_for(lambda: len(host.messages) == 30, 20, 0.1)
    assert "destination_rests" not in relay.log()


def test_greylisting_at_mail_is_each_senders_own(relay_factory, mailhost, dns, delivery_port):
    """What waits for its time holds up no mail of senders that are known."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    until, lock = {}, threading.Lock()

    def answer(line, connection):
        if not line.startswith("MAIL") or "old" in line:
            connection.refused = connection.refused and not line.startswith("MAIL")
        else:
            with lock:
                connection.refused = time.monotonic() < until.setdefault(line.split(">")[0], time.monotonic() + 6)
            if connection.refused:
                return "450 4.7.1 Greylisted, see http://postgrey.example/help"
        return "503 5.5.1 MAIL first" if connection.refused and line[:4] in ("RCPT", "DATA") else None

    host = mailhost(answer)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(20):
        sender.send(f"u{i}@dest.test", f"new {i}", sender=f"new{i}@club.test")
    for i in range(20):
        sender.send(f"u{i}@dest.test", f"old {i}", sender="old@club.test")
    wait_for(lambda: len(host.messages) >= 20, 20, 0.05)
    assert all(b"Subject: old" in m.data for m in host.messages[:20])
    wait_for(lambda: len(host.messages) == 40, 60, 0.1)
    assert "destination_rests" not in relay.log()


def test_postfix_with_a_limit_of_messages(relay_factory, dns, delivery_port, tmp_path):
    """smtpd_client_message_rate_limit: 450 4.7.1 at MAIL; two tenants."""
    path = tmp_path / "server"
    path.mkdir()
    (path / "mail").mkdir()
    shutil.chown(path / "mail", 65534)
    server = postfix.Instance(path / "postfix", f"""
        myhostname = mx.dest.test
        virtual_mailbox_domains = dest.test
        virtual_mailbox_base = {path}/mail
        virtual_mailbox_maps = static:box/
        virtual_uid_maps = static:65534
        virtual_gid_maps = static:65534
        mynetworks = 192.0.2.1/32
        smtpd_client_event_limit_exceptions =
        smtpd_client_message_rate_limit = 40
        anvil_rate_time_unit = 10s
        """, delivery_port)
    try:
        wait_port(delivery_port, process=server.process)
        dns.mail("dest.test", "mx.dest.test=127.0.0.1")
        senders = tenants(relay := relay_factory(STREAMS), "eve", "bob")
        for i in range(40):
            for name in ("eve", "bob"):
                senders[name].send(f"u{i}@dest.test", f"{name} {i}", "news", f"hello@{name}.test")
        box = path / "mail/box/new"
        wait_for(lambda: box.is_dir() and len(list(box.glob("*"))) == 80, 40, 0.2)
        refused = server.log_text().count("Message delivery request rate limit exceeded")
        connections = server.log_text().count(": connect from")
        assert refused <= 150 and connections <= 100, (refused, connections)  # 401 and 205 where each message finds out for itself
        tries = len(relay.json("events", "--limit", "1000", "--kind", "deferred"))
        assert tries <= 4 + refused / 4, (tries, refused)  # two of each tenant, and what is heard in another order; else each refusal is one
        wait_for(lambda: not relay.queue(), 10)
    finally:
        server.stop()
