"""Names that DNS answers slowly, or never, harm no others: one tenant writes to two thousand of them, and codes of another one's, to
names that nobody has asked for, arrive as ever."""

import time

import pytest

from apart import STREAMS, delays, tenants
from conftest import slack
from receivers import Receiver
from slow_dns import SlowDns

NAMES = 2000


def hang(name, kind):
    return ("SILENCE", 0)


def fail_late(name, kind):
    """As a resolver does whose authorities are mute."""
    return ("SERVFAIL", 19)


def name_mute_hosts(name, kind):
    """Fifteen mail servers at once, and then nothing about any of them: thirty questions a domain."""
    return ([f"10 h{i}.{name}." for i in range(15)], 0) if kind == "MX" else ("SERVFAIL", 19)


@pytest.mark.parametrize("stream", ["code", "news"])
@pytest.mark.parametrize("how", [hang, fail_late, name_mute_hosts])
def test_slow_names_of_one_tenant_leave_others_theirs(relay_factory, dns, delivery_port, how, stream):
    dns.slow = lambda name, kind: how(name, kind) if name.endswith(".evil.test") else None
    for i in range(60):
        dns.mail(f"v{i}.test", f"mx.v{i}.test=127.0.0.3")
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        senders = tenants(relay_factory(STREAMS), "eve", "bob", "carl")
        for i in range(0, NAMES, 100):
            senders["eve"].send([f"x@e{k}.evil.test" for k in range(i, i + 100)], f"eve {i}", stream, "hello@eve.test")
        accepted = {}
        for i in range(30):
            accepted[f"code {i}"] = senders["bob"].send(f"b{i}@v{i}.test", f"code {i}", "code", "hello@bob.test")
        took = delays(healthy, accepted, 60)
        assert took[-1] < slack(2), took
        accepted = {f"news {i}": senders["carl"].send(f"c{i}@v{30 + i}.test", f"news {i}", "news", "hello@carl.test") for i in range(30)}
        took = delays(healthy, accepted, 60)
        assert took[-1] < slack(3), took
    finally:
        healthy.stop()


def test_a_name_is_not_left_to_the_turn_of_who_asked_first(relay_factory, dns, delivery_port):
    """One tenant has more to ask than it may, and healthy names among it. Another one's code goes to those: it does not wait for the
    first one's turns."""
    dns.slow = lambda name, kind: name_mute_hosts(name, kind) if name.endswith(".evil.test") else None
    for i in range(60):
        dns.mail(f"v{i}.test", f"mx.v{i}.test=127.0.0.3")
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        senders = tenants(relay_factory(STREAMS), "eve", "bob")
        for begin in (0, 30):
            names = [f"x@e{k}.evil.test" for k in range(begin, begin + 30)]  # few enough to be looked up at once
            senders["eve"].send(names, f"eve {begin}", "code", "hello@eve.test")
            time.sleep(1)
            senders["eve"].send([f"x@v{begin + k}.test" for k in range(30)], f"eve too {begin}", "code", "hello@eve.test")
            time.sleep(0.2)
            accepted = {}
            for i in range(begin, begin + 30):
                accepted[f"code {i}"] = senders["bob"].send(f"b{i}@v{i}.test", f"code {i}", "code", "hello@bob.test")
            took = delays(healthy, accepted, 60)
            assert took[-1] < slack(2), took
    finally:
        healthy.stop()


@pytest.fixture
def dns():
    server = SlowDns(lambda name, kind: None)
    yield server
    server.stop()
