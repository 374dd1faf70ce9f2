"""What DNS says of one tenant's domains takes no memory from the others: a tenant writes to thousands of domains of his own, each with
thirty mail servers of long names, under a small `limits.memory`."""

import struct
import threading
import time

import pytest

from apart import STREAMS, Sender, delays, tenants
from receivers import Receiver
from slow_dns import SlowDns

DOMAINS, HOSTS, POOL, SENDERS = 3000, 30, 499, 3
pytestmark = pytest.mark.usefixtures("release")

LABELS = ["a" * 63, "b" * 63, "c" * 63, "d" * 46]  # with what goes before and behind: 253 octets


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class LongLists(SlowDns):
    """Domains eN.evil.test: each has a choice of thirty of the same hosts, which no other one has. Each host has an address of its own."""

    hosts = [encode(".".join([f"h{i}", *LABELS, "evil.test"])) for i in range(POOL)]

    def __init__(self):
        self.lists = 0  # that were asked for
        super().__init__(lambda name, kind: None)

    async def reply(self, data):
        question = data[12:data.index(b"\0", 12) + 5]
        if not question[:-4].lower().endswith(encode("evil.test")):
            return await super().reply(data)
        first, kind = question[1:question[0] + 1].decode().lower(), struct.unpack("!H", question[-4:-2])[0]
        records = []
        if kind == 15 and first.startswith("e"):
            self.lists += 1
            number = int(first[1:])
            hosts = [self.hosts[(number + i * (1 + number // POOL)) % POOL] for i in range(HOSTS)]
            records = [struct.pack("!H", 10) + host for host in hosts]
        elif kind == 1 and first.startswith("h"):
            number = int(first[1:])
            records = [bytes([127, 9, number >> 8, number & 255])]
        head = data[:2] + struct.pack("!HHHHH", 0x8580, 1, len(records), 0, 0)
        body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 3600, len(r)) + r for r in records)
        return head + question + body

    @staticmethod
    def truncated(data):
        end = data.index(b"\0", 12) + 5
        return data[:2] + struct.pack("!HHHHH", 0x8780, 1, 0, 0, 0) + data[12:end]


@pytest.fixture
def dns():
    server = LongLists()
    yield server
    server.stop()


def test_long_lists_of_one_tenants_hosts_leave_others_their_memory(relay_factory, dns, delivery_port):
    for i in range(10):
        dns.mail(f"v{i}.test", f"mx.v{i}.test=127.0.0.3")
    healthy = Receiver("127.0.0.3", delivery_port)
    relay = relay_factory(STREAMS + "limits { memory = 64M }\n")
    try:
        senders = tenants(relay, "eve", "bob")
        secrets = {name: relay.json("user", "add", f"{name}2", "--domain", f"{name}.test", "--tenant", name)["secret"] for name in senders}

        def flood(k):
            eve = Sender(relay, user="eve2", secret=secrets["eve"])
            for i in range(k * 100, DOMAINS, SENDERS * 100):
                eve.send([f"x@e{n}.evil.test" for n in range(i, i + 100)], f"eve {i}", "news", "hello@eve.test")

        floods = [threading.Thread(target=flood, args=(k,)) for k in range(SENDERS)]
        for f in floods:
            f.start()
        accepted, until = {}, time.monotonic() + 60
        while len(accepted) < 20 or (dns.lists < DOMAINS and time.monotonic() < until):  # the lists that the relay has read
            number = len(accepted)
            accepted[f"code {number}"] = senders["bob"].send(f"b{number}@v{number % 10}.test", f"code {number}", "code", "hello@bob.test")
            relay.client(user="bob2", secret=secrets["bob"]).quit()
            time.sleep(0.3)
        for f in floods:
            f.join()
        assert "memory_short" not in relay.log()
        took = delays(healthy, accepted, 60)
        assert took[-1] < 10, took[-10:]
    finally:
        healthy.stop()
