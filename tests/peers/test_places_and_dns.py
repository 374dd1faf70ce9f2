"""What DNS, or a policy, has to say of a tenant's domain may take long, and the domain may name hosts, and addresses, that others' mail goes
to. The kind of fault: a place there is held while it is awaited, and the others wait, too. No connection is made, or kept, meanwhile."""

import pytest

from apart import STREAMS, tenants
from conftest import wait_for
from policy_host import StsWorld, text_of, reply_of
from slow_dns import SlowDns
from test_dane import WRONG, World, one

MANY = 30


@pytest.fixture
def dns():
    made = SlowDns(lambda name, kind: None)
    yield made
    made.stop()


def of_evil(relay, recipients):
    """How often each has been put off so far, or was delivered."""
    return [line for line in relay.log().splitlines() if line.split()[1:2] in (["deferred"], ["delivered"]) and any(r in line for r in recipients)]


@pytest.mark.memory
def test_a_policy_that_names_no_host_here_holds_no_place_there(tmp_path, dns, delivery_port, mailhost, relay_factory):
    """It is asked for anew before their mail is put off. Nobody answers that for some seconds, and their mail is put off by it, without a
    connection to the hosts that it must not go to."""
    world = StsWorld(tmp_path, dns, delivery_port, mailhost)
    try:
        evil = [f"e{n}.evil.test" for n in range(MANY)]
        world.domain("honest.test", "mx1.honest.test", "mx2.honest.test")
        host = world.policies_at_one_host(evil, "mx1.honest.test", reply_of(text_of("enforce", ["elsewhere.test"])))
        for name in evil:
            dns.add(name, "MX", "10 mx1.honest.test.", "20 mx2.honest.test.")
        relay = relay_factory(STREAMS)
        relay.environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        senders = tenants(relay, "eve", "bob")
        senders["eve"].send([f"learn@{name}" for name in evil], "learn", "news", "hello@eve.test")
        wait_for(lambda: len(of_evil(relay, ["learn@"])) == MANY, 60)
        assert host.requests and not [c for name in ("mx1.honest.test", "mx2.honest.test") for c in world.hosts[name].connections]
        dns.slow = lambda name, kind: ("SERVFAIL", 3) if name.startswith("_mta-sts.") and "evil" in name else None
        senders["eve"].send([f"late@{name}" for name in evil], "late", "news", "hello@eve.test")
        senders["eve"].send([f"code@{name}" for name in evil], "code", "code", "hello@eve.test")
        wait_for(lambda: [question for question in dns.asked if question[0].startswith("_mta-sts.")], 30)
        senders["bob"].send(["x@honest.test"], "bob", "news", "hello@bob.test")
        wait_for(lambda: world.hosts["mx1.honest.test"].messages + world.hosts["mx2.honest.test"].messages, 30)
        wait_for(lambda: len(of_evil(relay, ["late@", "code@"])) == 2 * MANY, 200)
        assert sum(len(world.hosts[name].connections) for name in ("mx1.honest.test", "mx2.honest.test")) == 1
    finally:
        world.stop()


@pytest.fixture
def signed(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


@pytest.mark.memory
def test_hosts_whose_records_are_awaited_hold_no_place_at_their_address(signed, relay_factory):
    """Their address is that of another host."""
    one("honest.test")(signed)
    signed.zone("evil.test")
    address = signed.tree.find("mx.honest.test").records["mx.honest.test", "A"][0]
    for n in range(MANY):
        signed.tree.add(f"m{n}.evil.test", "A", address)
        signed.mx(f"d{n}.evil.test", f"m{n}.evil.test")
        signed.tree.add(f"_{signed.port}._tcp.m{n}.evil.test", "TLSA", WRONG)
        signed.fault(f"m{n}.evil.test", "TLSA", "SILENCE")
    relay = relay_factory(STREAMS, dns=signed.tree)
    signed.tree.start()
    senders = tenants(relay, "eve", "bob")
    senders["eve"].send([f"x@d{n}.evil.test" for n in range(MANY)], "evil", "news", "hello@eve.test")
    wait_for(lambda: [name for name, kind in asked(signed) if kind == "TLSA"], 30)
    assert not signed.hosts["mx.honest.test"].connections
    senders["bob"].send(["x@honest.test"], "bob", "news", "hello@bob.test")
    wait_for(lambda: signed.hosts["mx.honest.test"].messages, 30)
    wait_for(lambda: len(of_evil(relay, ["evil.test"])) == MANY, 120)
    assert len(signed.hosts["mx.honest.test"].connections) == 1


def asked(world):
    return [question[:2] for question in world.tree.asked]
