"""MTA-STS beside DANE: where both speak of a host DANE decides, and a policy makes good for no host that fails it (RFC 8461 section 2).

The kind of fault: a policy of the web's authorities lets in a host that DNSSEC forbids, or keeps mail from one that it vouches for.
"""

import pytest

from policy_host import PolicyHost, reply_of, text_of
from test_dane import PKIX_ONLY, WRONG, context_of, line_of, one, with_fault, world  # noqa: F401: a fixture
from zones import own_addresses

BAD = {"names": ["elsewhere.test"]}
CASES = {
    "both.test": (one("both.test"), "enforce", True, "delivered", "dane", "ok"),
    "unnamed.test": (one("unnamed.test"), "enforce", False, "delivered", "dane", "ok"),
    "certificate.test": (one("certificate.test", **BAD), "enforce", True, "delivered", "dane", "ok"),
    "wrong.test": (one("wrong.test", (WRONG,)), "enforce", True, "deferred", "dane", "validation-failure"),
    "wrongtesting.test": (one("wrongtesting.test", (WRONG,)), "testing", True, "deferred", "dane", "validation-failure"),
    "servfail.test": (with_fault("servfail.test", "TLSA", "SERVFAIL"), "enforce", True, "deferred", "dane", "dnssec-invalid"),
    "unusable.test": (one("unusable.test", (PKIX_ONLY,)), "enforce", True, "delivered", "sts", "ok"),
    "refused.test": (one("refused.test", ("3 1 0 abcd",)), "enforce", True, "delivered", "sts", "ok"),
    "unusablebad.test": (one("unusablebad.test", (PKIX_ONLY,), **BAD), "enforce", True, "deferred", "sts", "certificate-host-mismatch"),
    "unusabletesting.test": (one("unusabletesting.test", (PKIX_ONLY,)), "testing", True, "delivered", "dane-unusable", "tlsa-invalid"),
    "insecure.test": (one("insecure.test", (WRONG,), zone="insecure"), "enforce", True, "delivered", "sts", "ok"),
    "absent.test": (one("absent.test", None), "enforce", False, "deferred", "sts", "validation-failure"),
    "report.test": (one("report.test", (WRONG,)), "enforce", True, "delivered", "sts", "ok"),
    "off.test": (one("off.test", (WRONG,)), "enforce", True, "deferred", "dane", "validation-failure"),
}
ROUTES = """
route "report.test" { dane = "report" }
route "off.test" { mta_sts = "off" }
"""


@pytest.fixture
def policies():
    made = []
    yield made
    for host in made:
        host.stop()


def add_policy(w, address, domain, mode, named):
    w.tree.add(f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1;")
    w.tree.add(f"mta-sts.{domain}", "A", address)
    text = text_of(mode, [f"mx.{domain}" if named else "mx.elsewhere.test"])
    return PolicyHost(address, context_of(w.issue(f"mta-sts.{domain}")), reply_of(text))


def test_dane_goes_before_the_policy(world, relay_factory, policies):  # noqa: F811
    addresses = iter(own_addresses(100)[20:])
    for domain, (build, mode, named, *_) in CASES.items():
        build(world)
        policies.append(add_policy(world, next(addresses), domain, mode, named))
    relay = relay_factory(ROUTES, dns=world.tree)
    relay.environment = {"SSL_CERT_FILE": str(world.ca)}
    world.tree.start()
    relay.start()
    ids = {domain: relay.send(to=f"x@{domain}") for domain in CASES}
    for domain, (*_, kind, policy, result) in CASES.items():
        relay.wait_kind(ids[domain], kind, 60)
        line = line_of(relay, ids[domain])
        assert (line["kind"], line.get("tls_policy"), line.get("tls_result")) == (kind, policy, result), (domain, line)
        assert kind != "delivered" or policy not in ("dane", "sts") or line["verified"] == "yes", (domain, line)
        assert all(m.tls for m in world.hosts[f"mx.{domain}"].messages) and (kind == "delivered") == bool(world.hosts[f"mx.{domain}"].messages)


def test_records_that_nobody_can_use_make_a_barred_host_none_that_is_trusted(world, relay_factory, policies):  # noqa: F811
    """What OpenSSL makes of a record is known only in the handshake: then the policy counts, which names the next host."""
    world.zone("next.test")
    for name in ("mx1.next.test", "mx2.next.test"):
        world.host(name)
    world.mx("next.test", "mx1.next.test", "mx2.next.test")
    world.tlsa("mx1.next.test", "3 0 0 abcd")
    world.tree.add("_mta-sts.next.test", "TXT", "v=STSv1; id=1;")
    address = own_addresses(100)[20]
    world.tree.add("mta-sts.next.test", "A", address)
    policies.append(PolicyHost(address, context_of(world.issue("mta-sts.next.test")), reply_of(text_of("enforce", ["mx2.next.test"]))))
    relay = relay_factory("", dns=world.tree)
    relay.environment = {"SSL_CERT_FILE": str(world.ca)}
    world.tree.start()
    relay.start()
    id = relay.send(to="x@next.test")
    relay.wait_kind(id, "delivered", 60)
    assert [len(world.hosts[name].messages) for name in ("mx1.next.test", "mx2.next.test")] == [0, 1]
