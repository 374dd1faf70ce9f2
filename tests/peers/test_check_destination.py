"""`sealpost check destination`: it says of each host what a delivery then does.

The kind of fault: what people are told about a domain is not what becomes of its mail.
"""

import json

import pytest

from test_dane import CASES, World, line_of
from test_tls_need import VERIFY


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()




def test_what_is_shown_is_what_deliveries_do(world, relay_factory):
    domains = [d for d in CASES if CASES[d][1] in ("delivered", "deferred")][:32:2] + ["mxbogus.test", "two.test", "mixed.test"]
    domains = list(dict.fromkeys(domains))
    for domain in domains:
        CASES[domain][0](world)
    relay = world.relay(relay_factory)
    ids = {domain: (relay.send(to=f"a@{domain}"), relay.send(to=f"b@{domain}", message=VERIFY)) for domain in domains}
    for domain, (plain, verified) in ids.items():
        done = relay.command("--json", "check", "destination", domain, check=False)
        shown = json.loads(done.stdout)
        assert done.returncode == (0 if shown["usable"] else 1), domain
        kind = CASES[domain][1]
        relay.wait_kind(plain, kind, 60)
        line = line_of(relay, plain)
        policies = {host["tls_policy"] for host in shown["hosts"]}
        if "tls_policy" in line:
            assert line["tls_policy"] in policies or "dane-unusable" in line["tls_policy"], (domain, line, shown)
        if not shown["usable"]:
            assert kind == "deferred", (domain, shown)
        verifiable = any(host["verifiable"] for host in shown["hosts"])
        if kind == "delivered" and line.get("verified") == "yes":
            assert verifiable and relay.wait_kind(verified, "delivered", 60), (domain, shown)
        else:
            relay.wait_kind(verified, "deferred", 60)


def test_people_can_read_it(world, relay_factory):
    world.zone("signed.test")
    world.host("mx.signed.test")
    world.mx("signed.test", "mx.signed.test")
    world.tlsa("mx.signed.test", (3, 1, 1))
    relay = world.relay(relay_factory, 'route "lax.test" { tls = "require"  host = "mx.signed.test" }')
    text = relay.command("check", "destination", "signed.test")
    for words in ("MX secure by DNSSEC", f"found, at _{world.port}._tcp.mx.signed.test", "3 1 1 ", "tls_policy dane", "verifiable yes"):
        assert words in text, (words, text)
    assert not any(c.lines for c in world.hosts["mx.signed.test"].connections)
    route = relay.look("check", "destination", "lax.test")
    assert route["hosts"][0]["tls_policy"] == "route" and not route["hosts"][0]["verifiable"]
    none = relay.command("check", "destination", "missing.signed.test", check=False)
    assert none.returncode == 1 and "does not exist" in none.stdout
    assert relay.command("check", "destination", "no domain", check=False).returncode == 2
