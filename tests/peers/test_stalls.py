"""A host that speaks and then says nothing more: the next host of the domain is tried in the same attempt, and the next message
begins there.

The kind of fault: the time that one host was given was all the time there was for trying hosts, so that whoever stalled after its
first bytes kept the mail for ever, however well the second host was."""

import threading
import time

import pytest

from conftest import wait_for
from mailhost import MailHost, authority

pytestmark = pytest.mark.memory

NEXT_HOST_AFTER = 2
# what it says last before it is silent, or None, where
STALLS = [("GREETING", "220-wait"), ("EHLO", None), ("EHLO", "250-wait"), ("MAIL", None), ("RCPT", None), ("RCPT", "250-wait"),
          ("DATA", None)]


@pytest.fixture
def mailhost(delivery_port):
    made, over = [], threading.Event()

    def make(stage=None, last=None, answer=None, **options):
        def stall(line, connection):
            if (line.split(" ")[0] or "GREETING") != stage:
                return None
            if last is None:
                over.wait(120)
                return "HANG UP"
            return last

        made.append(MailHost(delivery_port, answer or stall, **options))
        return made[-1]

    yield make
    over.set()
    for each in made:
        each.stop()


def relay_of(relay_factory, more="", stream=""):
    relay = relay_factory(stream)
    text = relay.config.read_text().replace("delivery {", f"delivery {{ next_host_after = {NEXT_HOST_AFTER}s {more} ", 1)
    relay.config.write_text(text)
    return relay.start()


def pair(mailhost, dns, number, *stall, **options):
    first, second = mailhost(*stall, host=f"127.0.{number}.1", **options), mailhost(host=f"127.0.{number}.2")
    dns.mail(f"d{number}.test", f"a.d{number}.test=127.0.{number}.1", f"b.d{number}.test=127.0.{number}.2")
    return first, second


@pytest.mark.parametrize("kind", ["ordinary", "security"])
def test_the_next_host_is_tried_where_the_first_stalls(relay_factory, dns, mailhost, kind):
    relay = relay_of(relay_factory, stream='stream "code" { class = "security" }\nthrottle = "off"\n')
    pairs = [pair(mailhost, dns, 10 + n, *stall) for n, stall in enumerate(STALLS)]

    def send(n):
        stream = "Sealpost-Stream: code\r\n" if kind == "security" else ""
        return relay.send(to=f"x@d{10 + n}.test", message=f"From: <hello@club.test>\r\nTo: <x@d{10 + n}.test>\r\n{stream}\r\nhello\r\n")

    ids = [send(n) for n in range(len(pairs))]
    for stall, id, (first, second) in zip(STALLS, ids, pairs):
        relay.wait_kind(id, "delivered", 25)
        assert "deferred" not in relay.kinds(id) and len(second.messages) == 1, (stall, relay.trace(id))
    tried = [len(first.connections) for first, _ in pairs]
    time.sleep(6)  # connections are kept for the next message only so long
    for n, (first, second) in enumerate(pairs):  # which begins with the host that works
        began = time.monotonic()
        relay.wait_kind(send(n), "delivered", 10)
        assert time.monotonic() - began < NEXT_HOST_AFTER and len(first.connections) == tried[n], (STALLS[n], kind)


def test_only_a_message_that_goes_through_ends_it(relay_factory, dns, mailhost, delivery_port):
    """Words alone do not: whoever stalls has spoken before. An operator's word does."""
    relay = relay_of(relay_factory)
    well = threading.Event()
    held = threading.Event()

    def answer(line, connection):
        if line.startswith("RCPT") and not well.is_set():
            held.wait(60)
            return "HANG UP"
        return None

    first, second = pair(mailhost, dns, 30, None, None, answer)
    relay.wait_kind(relay.send(to="x@d30.test"), "delivered", 20)
    well.set()
    held.set()
    tried = len(first.connections)
    time.sleep(6)
    relay.wait_kind(relay.send(to="x@d30.test"), "delivered", 10)
    assert len(first.connections) == tried and len(second.messages) == 2
    time.sleep(6)
    relay.command("destination", "resume", f"a.d30.test,b.d30.test:{delivery_port}")
    relay.wait_kind(relay.send(to="x@d30.test"), "delivered", 10)
    assert len(first.messages) == 1


def test_an_only_host_has_all_its_time(relay_factory, dns, mailhost):
    def slow(line, connection):
        time.sleep(NEXT_HOST_AFTER + 2 if line.startswith("MAIL") else 0)

    relay = relay_of(relay_factory)
    host = mailhost(answer=slow, host="127.0.40.1")
    dns.mail("d40.test", "a.d40.test=127.0.40.1")
    relay.wait_kind(relay.send(to="x@d40.test"), "delivered", 20)
    assert len(host.connections) == 1


SLOW = {"greeting": {"": 23}, "one answer": {"RCPT": 33}, "each answer": {"MAIL": 16, "RCPT": 16, "DATA": 16}}


def test_an_only_host_that_is_slow_gets_urgent_mail_too(relay_factory, dns, mailhost):
    """The kind: mail that is urgent has less time for a host even where no other host could have it, so that it never arrives
    where ordinary mail does."""
    def slow(seconds):
        def answer(line, connection):
            time.sleep(seconds.get(line.split(" ")[0].split(":")[0], 0))
        return answer

    relay = relay_of(relay_factory, stream='stream "code" { class = "security" }\nthrottle = "off"\n')
    ids = []
    for n, seconds in enumerate(SLOW.values(), 60):
        mailhost(answer=slow(seconds), host=f"127.0.{n}.1")
        dns.mail(f"d{n}.test", f"a.d{n}.test=127.0.{n}.1")
        ids.append(relay.send(to=f"x@d{n}.test", message=f"From: <hello@club.test>\r\nTo: <x@d{n}.test>\r\nSealpost-Stream: code\r\n\r\nhello\r\n"))
    for case, id in zip(SLOW, ids):
        relay.wait_kind(id, "delivered", 60)
        assert "deferred" not in relay.kinds(id), (case, relay.trace(id))


def test_a_relay_that_is_stopped_waits_no_longer_than_it_says(relay_factory, dns, mailhost):
    """And who may get a message twice is named: a server that has all of it, and has not answered."""
    relay = relay_of(relay_factory)
    domains = {"d50.test": mailhost("GREETING", "220-wait", host="127.0.50.1"), "d51.test": mailhost("RCPT", host="127.0.51.1"),
               "d52.test": mailhost(".", host="127.0.52.1")}
    for domain, host in domains.items():
        dns.mail(domain, f"mx.{domain}={host.socket.getsockname()[0]}")
    ids = {domain: relay.send(to=f"x@{domain}") for domain in domains}
    wait_for(lambda: all(host.connections for host in domains.values()))
    wait_for(lambda: "DATA" in domains["d52.test"].connections[0].lines)
    time.sleep(0.5)
    began = time.monotonic()
    relay.stop()
    assert time.monotonic() - began < 20
    unanswered = [line for line in relay.log().splitlines() if " unanswered " in line]
    assert len(unanswered) == 1 and f"id={ids['d52.test']}" in unanswered[0] and "twice" in unanswered[0]
