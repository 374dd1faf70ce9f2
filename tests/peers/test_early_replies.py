"""Servers that say yes to a message that they have not had.

The kind: what has been given to our own queue, or to the kernel's, counts as sent, so that a yes that came before it left is
believed, and a server that reads nothing has the time of one that thinks about what it has read.
"""

import socket
import time

import pytest

from test_forgiving import Odd, tls  # noqa: F401 (fixture)

pytestmark = pytest.mark.memory

SOON = 'throttle = "off"\nstream "t" { class = "notification"  retry = {3, 3, 3} }\n'
SIZES = [60_000, 200_000, 3_000_000]


class Hasty(Odd):
    """With a small window. On its first connection it says yes a second after 354, and has read nothing; `late`: it reads slowly
    instead, and says yes when it has all."""

    def __init__(self, *where, late=False, **options):
        self.late = late
        super().__init__(*where, **options)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def line(self, client, c):
        if c["lines"] and c["lines"][-1] == "DATA" and not c.get("waited"):
            c["waited"] = True
            time.sleep(1)
            if not self.late and c["number"] == 1:
                client.sendall(b"250 2.0.0 taken unread\r\n")
                time.sleep(5)
                raise ConnectionAbortedError
        return super().line(client, c)


def send(relay, domain, size):
    return relay.send(to=f"a@{domain}", message=f"From: <hello@club.test>\r\nTo: <a@{domain}>\r\nSealpost-Stream: t\r\nSubject: x\r\n\r\n"
                      + ("x" * 70 + "\r\n") * (size // 72))


@pytest.fixture
def hasty(dns, delivery_port):
    made = []

    def make(**options):
        n = len(made) + 1
        made.append(Hasty(delivery_port, host=f"127.21.{n}.1", **options))
        dns.mail(f"d{n}.test", f"mx.d{n}.test=127.21.{n}.1")
        return f"d{n}.test", made[-1]

    yield make
    for server in made:
        server.stop()


def test_a_yes_before_the_message_is_there_is_none(relay_factory, hasty, tls):  # noqa: F811
    relay = relay_factory(SOON).start()
    made = [(size, *hasty(context=tls[0] if secure else None)) for secure in (False, True) for size in SIZES]
    ids = [send(relay, domain, size) for size, domain, _ in made]
    for id, (size, domain, server) in zip(ids, made):
        relay.wait_kind(id, "delivered", 30)
        first, last = [e for e in relay.trace(id) if e["kind"] in ("deferred", "delivered")]
        assert first["kind"] == "deferred" and "before it had all of it" in first["reply"], (size, domain, first)
        assert [len(m) > size * 0.9 for m in server.messages] == [True], (size, domain)


def test_who_reads_slowly_and_then_says_yes_has_it(relay_factory, hasty, tls):  # noqa: F811
    relay = relay_factory(SOON).start()
    made = [hasty(late=True, context=tls[0] if secure else None) for secure in (False, True) for _ in SIZES]
    ids = [send(relay, domain, size) for (domain, _), size in zip(made, SIZES * 2)]
    for id, (domain, server) in zip(ids, made):
        relay.wait_kind(id, "delivered", 30)
        assert "deferred" not in relay.kinds(id) and len(server.messages) == 1, (domain, relay.trace(id))


def test_a_server_that_reads_nothing_is_not_one_that_thinks(relay_factory, hasty, dns, delivery_port):
    """All of a small message is in the kernel's hands, and stays there: that is no wait for an answer, which may take ten minutes."""
    relay = relay_factory('throttle = "off"\nstream "t" { class = "security"  retry = {3, 3, 3} }\n').start()
    domain, first = hasty(late=True)
    first.line = deaf(first.line)
    other = Odd(delivery_port, host="127.21.9.1")
    dns.mail(domain, f"mx.{domain}=127.21.1.1", f"mx2.{domain}=127.21.9.1")
    try:
        id = send(relay, domain, 60_000)
        relay.wait_kind(id, "deferred", 50)
        relay.wait_kind(id, "delivered", 20)
        assert len(other.messages) == 1
    finally:
        other.stop()


def deaf(line):
    """After DATA it reads no more."""
    def read(client, c):
        if c["lines"] and c["lines"][-1] == "DATA":
            time.sleep(90)
            raise ConnectionAbortedError
        return line(client, c)
    return read
