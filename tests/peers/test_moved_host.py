"""A receiving host moves to another address while mail for it never ends. The kind of fault is a decision made once, when a connection
opens, that then holds for as long as mail comes: whoever has the old address would go on getting it."""

import threading
import time

from apart import STREAMS, Sender
from conftest import wait_for
from receivers import Receiver


class Noted:
    """A stream that remembers what was read last."""

    def __init__(self, reader):
        self.reader, self.last = reader, b""

    async def readuntil(self, separator):
        self.last = await self.reader.readuntil(separator)
        return self.last


class Noting(Receiver):
    """Notes how each connection ends: `ends`, by the last command; and since when those that are open are: `since`."""

    def __init__(self, address, port):
        self.ends, self.since = [], []
        super().__init__(address, port, takes_s=0.05)

    async def talk(self, reader, writer):
        noted, since = Noted(reader), time.monotonic()
        self.since.append(since)
        try:
            await super().talk(noted, writer)
        finally:
            self.since.remove(since)
            self.ends.append(noted.last)


def test_mail_follows_a_host_that_moves(relay_factory, dns, delivery_port):
    """Beside it stays a host of two addresses that DNS gives in turn: its connections are not ended for that. And one gives its address
    to the worse host of the same domain: no more to the domain's mail than another's."""
    servers = [Noting(f"127.0.4.{i + 1}", delivery_port) for i in range(6)]
    old, new, one, two, given, better = servers
    dns.ttl = 1
    dns.mail("moves.test", "mx.moves.test=127.0.4.1")
    dns.mail("other.test", "mx.moves.test=127.0.4.1")
    dns.mail("turns.test", "mx.turns.test=127.0.4.3")
    for domain in ("gives.test", "too.test"):
        dns.mail(domain, "mx0.gives.test=127.0.4.5", "mx1.gives.test=127.0.4.9")
    relay = relay_factory(STREAMS)
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { connections = 1  ", 1))
    relay.start()
    sender, over, sent = Sender(relay), threading.Event(), []

    def flood():
        while not over.wait(0.1):
            for domain in ("moves.test", "turns.test", "gives.test"):
                subject = f"{domain} {len(sent)}"
                sent.append(subject)
                sender.send(f"x@{domain}", subject)

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        wait_for(lambda: old.messages and one.messages and given.messages)
        dns.add("mx.moves.test", "A", "127.0.4.2")
        dns.add("mx.turns.test", "A", "127.0.4.4")
        dns.add("mx0.gives.test", "A", "127.0.4.6")
        dns.add("mx1.gives.test", "A", "127.0.4.5")
        time.sleep(2)
        Sender(relay).send("x@other.test", "other")  # asks for the host that has moved
        Sender(relay).send("x@too.test", "too")
        moved = time.monotonic()
        wait_for(lambda: dns.asked.count(("mx.turns.test", "A")) >= 2, 80, 0.2)
        dns.add("mx.turns.test", "A", "127.0.4.3")  # from its next answer on, which is a minute later
        wait_for(lambda: new.messages and not old.open, 120, 0.2)
        assert 80 < time.monotonic() - moved < 110
        arrived = len(old.messages)
        time.sleep(3)
        assert len(old.messages) == arrived > 100 and len(new.messages) > 5
        wait_for(lambda: better.messages and not given.open, 20, 0.2)
        assert given.ends and all(end == b"QUIT\r\n" for end in given.ends), given.ends
        assert old.ends and all(end == b"QUIT\r\n" for end in old.ends), old.ends
        assert one.since and one.since[0] < moved and not one.ends, (one.since, moved)
    finally:
        over.set()
        thread.join()
    arrived = lambda: sorted(subject for server in servers for subject in server.subjects())  # noqa: E731
    wait_for(lambda: len(arrived()) > len(sent) + 1, 60)
    assert arrived() == sorted(sent + ["other", "too"])
    for server in servers:
        server.stop()
