"""Names that are never answered, at the one server that is asked for all: libunbound counts each question without an answer against the
server, gives it up in the end, and then fails everybody's questions without having asked. The kind of fault: one tenant's silent names
take from another one's mail its hosts and its policies, and what is meant for a policy leaves in clear."""

import time

import pytest

from receivers import Receiver
from slow_dns import SlowDns
from test_sts import world  # noqa: F401: a fixture
from test_sts_tenants import begin, first_outcome

TURN_S = 0.5
OTHERS = 4  # domains with a policy, and as many without


@pytest.fixture
def dns():
    """s0.evil.test has a host, and nobody says whether it has a policy; nobody says anything of m0.evil.test. The root is answered, and
    kept: it is asked when a domain's hosts are not found, and each answer would be one that the server has given lately."""
    def slow(name, kind):
        made.seen.add((name, kind))
        if not name:
            return (["ns.root.test."], 0) if kind == "NS" else None
        if name.startswith("_mta-sts.s") and name.endswith(".evil.test"):
            return ("SILENCE", 0)
        if name.endswith(".evil.test"):
            return (["10 mx.evil.test."], 0) if name.startswith("s") and kind == "MX" else ("SILENCE", 0)
        return None

    made = SlowDns(slow)
    made.seen = set()
    yield made
    made.stop()


class Trickle:
    """Mail to a few silent names, again and again: they need not be many."""

    def __init__(self, sender, kind):
        self.sender, self.kind, self.start, self.turns = sender, kind, time.monotonic(), 0

    def until(self, seconds):
        while self.turns * TURN_S < seconds:
            time.sleep(max(0, self.start + self.turns * TURN_S - time.monotonic()))
            names = [f"{self.kind}{self.turns}-{n}.evil.test" for n in range(4)]
            self.sender.send([f"x@{name}" for name in names], f"eve {self.turns}", "code", "hello@eve.test")
            self.turns += 1


# What libunbound waits for an answer doubles; from twelve seconds on it asks the server only when its last probe has ended.
@pytest.mark.parametrize("kind, filling_s", [("s", 26), ("m", 20)])
def test_silent_names_of_one_tenant_take_no_server_from_others(world, relay_factory, dns, delivery_port, kind, filling_s):  # noqa: F811
    """Codes of another tenant to names that nobody has asked for: each is asked for and goes at its first attempt, and where a policy is
    to be had nothing goes against it."""
    banks, plain = [f"bank{i}.test" for i in range(OTHERS)], [f"plain{i}.test" for i in range(OTHERS)]
    for domain in banks:
        world.policy(domain)
        world.domain(domain, tls=False)
    for domain in plain:
        dns.mail(domain, f"mx.{domain}=127.0.0.3")
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        relay, senders = begin(world, relay_factory, "eve", "bob")
        eve = Trickle(senders["eve"], kind)
        for i in range(OTHERS):
            eve.until(filling_s + i)
            for domain in (banks[i], plain[i]):
                senders["bob"].send(f"b@{domain}", f"code {domain}", "code", "hello@bob.test")
        ends = {domain: first_outcome(relay, f"b@{domain}") for domain in banks + plain}
        asked = sorted(domain for domain in plain + banks if (domain, "MX") in dns.seen)
        assert {ends[domain][0] for domain in plain} == {"delivered"} and len(asked) == 2 * OTHERS, (ends, asked)
        asked = [f"_mta-sts.{domain}" for domain in banks + plain if (f"_mta-sts.{domain}", "TXT") in dns.seen]
        assert {ends[domain] for domain in banks} == {("deferred", "sts", "starttls-not-supported")}, (ends, asked)
        assert len(asked) == 2 * OTHERS, asked
    finally:
        healthy.stop()
