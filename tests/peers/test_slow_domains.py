"""Domains of one tenant whose DNS is never answered in time, many and with many hosts each. The kind of fault: they hold up the questions about
that tenant's other domains, which stand in one line with them, and whose mail is put off by it, or waits as long as they do."""

import pytest

from apart import STREAMS, Sender
from conftest import wait_for
from receivers import Receiver
from slow_dns import SlowDns

SLOW, HOSTS, GOOD = 250, 15, 6


@pytest.fixture(params=["mx", "hosts"])
def dns(request):
    """Nobody says which hosts eN.evil.test has; or it has fifteen, and nobody says where they are."""
    def slow(name, kind):
        if not name.endswith(".evil.test"):
            return None
        if request.param == "hosts" and kind == "MX":
            return ([f"10 h{n}.{name}." for n in range(HOSTS)], 0)
        return ("SERVFAIL", 19)

    made = SlowDns(slow)
    yield made
    made.stop()


@pytest.mark.parametrize("stream", ["news", "code"])
def test_slow_domains_hold_up_no_others_of_their_tenant(dns, relay_factory, delivery_port, stream):
    """Mail to new domains goes at its first attempt, one after the other, while none of the slow ones has been given up."""
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        for n in range(GOOD):
            dns.mail(f"good{n}.test", f"mx.good{n}.test=127.0.0.3")
        relay = relay_factory(STREAMS)
        relay.start()
        sender = Sender(relay)
        for at in range(0, SLOW, 50):
            sender.send([f"x@e{n}.evil.test" for n in range(at, at + 50)], "evil", stream)
        wait_for(lambda: len({name for name, kind in dns.asked if kind == "MX"}) > 20, 30)
        waited = []
        for n in range(GOOD):
            sender.send(f"g@good{n}.test", f"good {n}", stream)
            wait_for(lambda: f"good {n}" in healthy.subjects(), 60)
            waited.append(of_evil(relay))
        assert waited[GOOD // 2] < SLOW // 2, waited
        put_off = [line for line in relay.log().splitlines() if line.split()[1:2] == ["deferred"] and "good" in line]
        assert not put_off
    finally:
        healthy.stop()


def of_evil(relay):
    """How many of them have been given up for now."""
    return len([line for line in relay.log().splitlines() if line.split()[1:2] == ["deferred"] and "evil.test" in line])
