"""Zones whose answers cost much to validate hold up only the tenant who writes there. The kind of fault: libunbound validates on one
thread, and what it has begun, or has in its line, everybody waits for.

Counted is what of the one tenant's gets on while the other's codes go, so that no clock decides. policy/queue/party_load.c is what it
stands on: when a party's load is never taken for busy, a third of these domains is done before a few codes are."""

import pytest

from apart import STREAMS, tenants
from conftest import wait_for
from dane_zone import SignedZones
from receivers import Receiver

DEAR, ALIASES, CODES, PASSED = 100, 8, 8, 18


@pytest.fixture
def tree(tmp_path):
    made = SignedZones(tmp_path / "zones")
    yield made
    made.stop()


def make_dear(tree, zone, number, address):
    """A domain whose MX, and the addresses of whose host, are at the end of a chain of aliases each: by P-384."""
    for kind, value in (("d", ("MX", f"10 m{number}.{zone}.")), ("m", ("A", address))):
        chain = [f"{kind}{number}.{zone}"] + [f"{kind}{number}-{k}.{zone}" for k in range(ALIASES)]
        for name, alias in zip(chain, chain[1:]):
            tree.add(name, "CNAME", f"{alias}.")
        tree.add(chain[-1], *value)


def test_costly_zones_of_one_tenant_leave_others_their_codes(tree, relay_factory, delivery_port):
    tree.zone("dear.test", "P-384")
    for name in ("eve", "bob"):
        tree.zone(f"{name}.test", "insecure")
    for number in range(DEAR):
        make_dear(tree, "dear.test", number, "127.0.41.1")
    for number in range(CODES):
        tree.add(f"f{number}.test", "MX", f"10 mx.f{number}.test.")
        tree.add(f"mx.f{number}.test", "A", "127.0.42.1")
    relay = relay_factory(STREAMS, dns=tree)
    tree.start()
    relay.config.write_text(relay.config.read_text().replace(f"127.0.0.1@{tree.port}", tree.direct()))
    dear, healthy = Receiver("127.0.41.1", delivery_port), Receiver("127.0.42.1", delivery_port)
    try:
        senders = tenants(relay, "eve", "bob")
        for first in range(0, DEAR, 40):
            senders["eve"].send([f"x@d{n}.dear.test" for n in range(first, first + 40)], f"eve {first}", sender="hello@eve.test")
        wait_for(lambda: len(dear.messages) > 4, 60)
        before = len(dear.messages)
        for number in range(CODES):
            senders["bob"].send(f"b@f{number}.test", f"code {number}", "code", "hello@bob.test")
            wait_for(lambda: f"code {number}" in healthy.subjects(), 60, 0.01)
        passed = len(dear.messages) - before
        assert passed < PASSED, (before, passed)  # six; 37 where the load is not looked at
    finally:
        dear.stop()
        healthy.stop()
