"""What DNS says of one tenant's sender domains costs the others nothing: a credential may use any name below its domain, and each message
has another one. The kind of fault is a cache, or a resolver, that all tenants share and that nobody is charged for."""

import itertools
import struct
import threading
import time

import pytest

from apart import STREAMS, Sender, few_places, tenants
from conftest import wait_for
from slow_dns import SlowDns

pytestmark = pytest.mark.usefixtures("release")

LONG = b"".join(bytes([255]) + b"x" * 255 for _ in range(200))  # 50 KB in one TXT record


class Names(SlowDns):
    """`how` of what is below eve.test: "silent", or "long"."""

    def __init__(self):
        self.how = None
        super().__init__(lambda name, kind: ("SILENCE", 0) if self.how == "silent" and name.endswith("x.eve.test") else None)

    async def reply(self, data):
        end = data.index(b"\0", 12) + 5
        if self.how != "long" or not data[12:end - 4].lower().endswith(b"\x01x\x03eve\x04test\0") or data[end - 3] != 16:
            return await super().reply(data)
        self.asked.append("long")
        return (data[:2] + struct.pack("!HHHHH", 0x8580, 1, 1, 0, 0) + data[12:end] + b"\xc0\x0c" +
                struct.pack("!HHIH", 16, 1, 3600, len(LONG)) + LONG)

    @staticmethod
    def truncated(data):
        return data[:2] + struct.pack("!HHHHH", 0x8780, 1, 0, 0, 0) + data[12:data.index(b"\0", 12) + 5]


@pytest.fixture
def dns():
    server = Names()
    yield server
    server.stop()


class Flood:
    """Some sessions of eve's; each message has a sender domain of its own."""

    def __init__(self, relay, sessions):
        made = relay.json("user", "add", "eve2", "--domain", "eve.test", "--domain", "*.eve.test", "--tenant", "eve")
        self.numbers, self.sent, self.ended = itertools.count(), 0, False
        self.threads = [threading.Thread(target=self.run, args=(Sender(relay, user="eve2", secret=made["secret"]),)) for _ in range(sessions)]
        for thread in self.threads:
            thread.start()

    def run(self, sender):
        text = "From: <hello@eve.test>\r\nTo: <x@dest.test>\r\nSubject: m\r\nSealpost-Stream: news\r\n\r\nhello {}\r\n"
        while not self.ended:
            number = next(self.numbers)
            code, said = sender.client.mail(f"hello@r{number}.x.eve.test")
            assert code == 250, said
            sender.client.rcpt(f"x{number}@dest.test")
            code, said = sender.client.data(text.format(number).encode())
            assert code == 250, said
            self.sent += 1

    def end(self):
        self.ended = True
        for thread in self.threads:
            thread.join()


def start(relay):
    relay.given = tenants(relay, "eve", "bob")
    made = relay.json("user", "add", "bob2", "--domain", "bob.test", "--domain", "*.bob.test", "--tenant", "bob")
    return Sender(relay, user="bob2", secret=made["secret"])


def test_slow_names_of_senders_hold_up_no_others(relay_factory, dns, tmp_path):
    relay = relay_factory(STREAMS)
    few_places(relay, tmp_path, 680)  # and so few questions at once
    bob = start(relay)
    dns.how = "silent"
    eve = Flood(relay, 30)
    try:
        wait_for(lambda: eve.sent >= 30)
        took = []
        for i in range(10):
            began = time.monotonic()
            assert bob.client.mail(f"hello@b{i}.bob.test")[0] == 250
            bob.client.rcpt("x@dest.test")
            code, said = bob.client.data(b"From: <hello@bob.test>\r\nSubject: m\r\nSealpost-Stream: news\r\n\r\nhello %d\r\n" % i)
            assert code == 250, said
            took.append(time.monotonic() - began)
        assert sorted(took)[7] < 2.5, took  # all that wait in vain wait 3 s
    finally:
        eve.end()


def test_long_answers_about_senders_leave_others_their_memory(relay_factory, dns):
    relay = relay_factory(STREAMS + "limits { memory = 64M }\n")
    bob = start(relay)
    dns.how = "long"
    eve = Flood(relay, 4)
    try:
        wait_for(lambda: eve.sent >= 700 or "memory_short" in relay.log(), 120, 0.2)
        assert "memory_short" not in relay.log()
        bob.send("x@dest.test", "m", "news", "hello@bob.test")
        assert "long" in dns.asked
    finally:
        eve.end()
