"""Zones whose answers take long to validate, on the one thread that validates everybody's. The kind of fault: because of what one tenant
asks, another one may ask little at once, so that a few of its names that are never answered hold up all its others."""

import pytest

from apart import STREAMS, tenants
from conftest import wait_for
from dane_zone import SignedZones
from receivers import Receiver

COSTLY, ALIASES, QUIET = 250, 8, 24


@pytest.fixture
def tree(tmp_path):
    """Each of the hosts of costly.test is an alias of an alias of …, each of which is signed by P-384."""
    tree = SignedZones(tmp_path / "zones", ttl=300)
    tree.zone("costly.test", "P-384")
    tree.zone("plain.test", "insecure")
    for n in range(COSTLY):
        tree.add(f"d{n}.costly.test", "MX", f"10 h{n}x0.costly.test.")
        for i in range(ALIASES):
            tree.add(f"h{n}x{i}.costly.test", "CNAME", f"h{n}x{i + 1}.costly.test.")
        tree.add(f"h{n}x{ALIASES}.costly.test", "A", "127.0.0.9")
    tree.mail("good.plain.test", "mx.good.plain.test=127.0.0.3")
    for n in range(QUIET):
        tree.add(f"quiet{n}.plain.test", "MX", "10 mx.good.plain.test.")
        tree.faults[f"quiet{n}.plain.test", "MX"] = "SILENCE"
    yield tree
    tree.stop()


def costly_asked(tree):
    return len({name for name, kind in list(tree.asked) if kind == "A" and name.endswith("x0.costly.test")})


def test_what_is_costly_for_one_tenant_leaves_others_their_questions(tree, relay_factory, delivery_port):
    """Its own go on, two at a time; the other one has many names that nobody answers for, and behind them one that is answered."""
    healthy = Receiver("127.0.0.3", delivery_port)
    try:
        relay = relay_factory(STREAMS, dns=tree)
        for name in ("eve", "bob"):
            tree.zone(f"{name}.test", "insecure")
        tree.start()
        senders = tenants(relay, "eve", "bob")
        tree.publish()
        senders["bob"].send([f"x@quiet{n}.plain.test" for n in range(QUIET)], "quiet", "news", "hello@bob.test")
        wait_for(lambda: len({name for name, _ in list(tree.asked) if name.startswith("quiet")}) == QUIET, 30)
        for start in range(0, COSTLY, 50):
            senders["eve"].send([f"x@d{n}.costly.test" for n in range(start, start + 50)], "costly", "news", "hello@eve.test")
        wait_for(lambda: costly_asked(tree) > 30, 60)
        senders["bob"].send(["x@good.plain.test"], "good", "news", "hello@bob.test")
        wait_for(lambda: "good" in healthy.subjects(), 60)
        assert costly_asked(tree) < COSTLY
    finally:
        healthy.stop()
