"""The signed zones that the tests of DANE stand on are what they are taken for, as Unbound sees them."""

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from dane_zone import SignedZones, Validator
from zones import KnotServer, NsdServer


@pytest.fixture(scope="module", params=[NsdServer, KnotServer])
def tree(request, tmp_path_factory):
    tree = SignedZones(tmp_path_factory.mktemp("tree") / "zones", server=request.param)
    for number, state in enumerate(["secure", "insecure", "island", "bogus", "stripped", "expired"]):
        tree.zone(f"{state}.test", state, denial=["nsec", "nsec3", "opt-out"][number % 3])
        tree.add(f"mx.{state}.test", "A", "127.0.0.5")
    tree.add("alias.secure.test", "CNAME", "mx.insecure.test.")
    tree.add("alias2.secure.test", "CNAME", "alias3.secure.test.")
    tree.add("alias3.secure.test", "CNAME", "mx.secure.test.")
    tree.add("changes.secure.test", "A", "127.0.0.1")
    tree.add("*.wild.secure.test", "A", "127.0.0.6")
    for fault in ("SERVFAIL", "REFUSED", "BOGUS", "STRIPPED", "NXDOMAIN"):
        tree.add(f"{fault}.secure.test", "A", "127.0.0.5")
        tree.faults[f"{fault}.secure.test".lower(), "A"] = fault
    tree.start()
    yield tree
    tree.stop()


@pytest.fixture(scope="module")
def validator(tree, tmp_path_factory):
    validator = Validator(tmp_path_factory.mktemp("validator") / "unbound", tree)
    yield validator
    validator.stop()


def state(validator, name, kind="A"):
    query = dns.message.make_query(name, kind, flags=dns.flags.RD | dns.flags.AD)
    reply = dns.query.udp(query, validator.address, timeout=30)
    if reply.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return dns.rcode.to_text(reply.rcode())
    secure = "secure" if reply.flags & dns.flags.AD else "insecure"
    return secure + ("" if reply.answer else "-nodata" if reply.rcode() == dns.rcode.NOERROR else "-nxdomain")


def test_states(validator):
    expected = {
        "mx.secure.test": "secure",
        "mx.insecure.test": "insecure",
        "mx.island.test": "insecure",
        "mx.bogus.test": "SERVFAIL",
        "mx.stripped.test": "SERVFAIL",
        "mx.expired.test": "SERVFAIL",
        "nobody.secure.test": "secure-nxdomain",
        "nobody.insecure.test": "insecure-nxdomain",
        "alias.secure.test": "insecure",
        "alias2.secure.test": "secure",
        "anything.wild.secure.test": "secure",
        "servfail.secure.test": "SERVFAIL",
        "refused.secure.test": "SERVFAIL",
        "bogus.secure.test": "SERVFAIL",
        "stripped.secure.test": "SERVFAIL",
        "nxdomain.secure.test": "SERVFAIL",
    }
    assert {name: state(validator, name) for name in expected} == expected
    assert state(validator, "mx.secure.test", "TLSA") == "secure-nodata"
    assert state(validator, ".", "DNSKEY") == "secure"


def test_changes_are_served(tree):
    for number in range(2, 5):
        tree.add("changes.secure.test", "A", f"127.0.0.{number}")
        tree.publish()
        assert [str(r) for r in tree.server.ask("changes.secure.test", "A")] == [f"127.0.0.{number}"]
