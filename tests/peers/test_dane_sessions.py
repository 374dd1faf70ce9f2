"""DANE over time: sessions of TLS that stand for a verification, and keys that are rolled over while mail flows.

The kind of fault: a resumed handshake sees no certificate, so a session that outlives what it was verified by lets anybody in who has its
ticket; and a roll-over as RFC 7671 8.1 describes it holds up mail.
"""

import re
import ssl
import threading
import time

import pytest

from apart import STREAMS, tenants
from conftest import wait_for
from test_dane import WRONG, World, context_of, line_of
from dane_zone import tlsa
from mailhost import authority


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost, ttl=1)
    yield made
    made.tree.stop()


def owner(w, domain):
    return f"_{w.port}._tcp.mx.{domain}"


def deliver(relay, host, to):
    """One message on a connection of its own: was its session resumed?"""
    id = relay.send(to=to)
    relay.wait_kind(id, "delivered")
    connection = host.connections[-1]
    wait_for(lambda: "QUIT" in connection.lines, 20)
    line = line_of(relay, id)
    assert (line["tls_policy"], line["tls_result"], line["verified"]) == ("dane", "ok", "yes"), line
    return connection.resumed


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_a_session_is_resumed_while_the_records_stay(world, relay_factory, version):
    world.zone("session.test")
    world.host("mx.session.test")
    world.mx("session.test", "mx.session.test")
    world.tlsa("mx.session.test", (3, 1, 1))
    host = world.hosts["mx.session.test"]
    host.context.maximum_version = version
    relay = relay_factory("", dns=world.tree)
    world.tree.start()
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { reuse = 1  ", 1))
    relay.start()
    assert [deliver(relay, host, f"a{n}@session.test") for n in range(3)] == [False, True, True]
    world.tlsa("mx.session.test", (3, 1, 1), (3, 0, 1))
    world.tree.publish()
    asked = len(world.tree.asked)
    wait_for(lambda: not deliver(relay, host, "b@session.test"), 60)  # as soon as the old ones have left the caches
    assert (owner(world, "session.test"), "TLSA") in world.tree.asked[asked:]
    assert deliver(relay, host, "c@session.test")


def test_a_session_does_not_let_another_server_in(world, relay_factory):
    """Who has the ticket's key and another certificate resumes; once the records are others it has to show that certificate."""
    world.zone("moved.test")
    world.host("mx.moved.test")
    world.mx("moved.test", "mx.moved.test")
    world.tlsa("mx.moved.test", (3, 1, 1))
    host = world.hosts["mx.moved.test"]
    relay = relay_factory("", dns=world.tree)
    world.tree.start()
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { reuse = 1  ", 1))
    relay.start()
    assert [deliver(relay, host, f"a{n}@moved.test") for n in range(2)] == [False, True]
    world.tree.add(owner(world, "moved.test"), "TLSA", "3 1 1 " + "ab" * 32)
    world.tree.publish()

    def held_back():
        id = relay.send(to="b@moved.test")
        return wait_for(lambda: [e for e in relay.trace(id) if e["kind"] in ("delivered", "deferred")], 30)[0]["kind"] == "deferred"

    wait_for(held_back, 60)


class Rolled:
    """A domain whose host changes what it is known by, a round at a time: first both are published, then it shows the next alone. It
    takes five messages on a connection, so that there are handshakes all the time."""

    def __init__(self, w, domain):
        self.w, self.domain = w, domain
        w.zone(domain)
        w.host(f"mx.{domain}", tls=False, answer=lambda line, c: "HANG UP" if line.startswith("MAIL") and len(c.messages) == 5 else None)
        w.mx(domain, f"mx.{domain}")
        self.host = w.hosts[f"mx.{domain}"]
        self.certificate, self.record, self.chain = self.make(0)
        self.show()

    def make(self, number):
        """By its key (RFC 7671 8.1)."""
        pair = self.w.issue(f"{number}.{self.domain}")
        return pair, tlsa(pair[0], 3, 1, 1), None

    def publish(self, *records):
        self.w.tree.add(owner(self.w, self.domain), "TLSA", *records)

    def show(self):
        self.host.context = context_of(self.certificate, self.chain)
        self.publish(self.record)

    def announce(self, number):
        old, (self.certificate, self.record, self.chain) = self.record, self.make(number)
        self.publish(old, self.record)


class RolledAuthority(Rolled):
    def make(self, number):
        place = self.w.path / f"authority{number}"
        place.mkdir()
        pair = authority(place)(f"mx.{self.domain}")
        return pair, tlsa(place / "ca.pem", 2, 0, 1), place / "ca.pem"


class ComesAndGoes(Rolled):
    """Its host stays; every other round it has no records."""

    def announce(self, number):
        self.publish(*[self.record] if number % 2 else [])

    def show(self):
        if not self.host.context:
            super().show()


@pytest.mark.parametrize("shards", [1, 2])
def test_keys_are_rolled_over_while_mail_flows(world, relay_factory, shards):
    """Of three domains a key, an authority, and DANE itself: nothing waits, and all of it is verified by what there is."""
    rolled = [Rolled(world, "roll.test"), RolledAuthority(world, "authority.test"), ComesAndGoes(world, "comes.test")]
    relay = world.relay(relay_factory, f"shards = {shards}")
    ids, done = [], threading.Event()

    def flow(name):
        while not done.is_set():
            for one in rolled:
                ids.append(relay.send(to=f"{name}{len(ids)}@{one.domain}"))

    def go_on():
        """Until then the ones before may be in caches, rightly: the TTL, which the resolver counts in whole seconds, and the relay again."""
        world.tree.publish()
        time.sleep(3.2)
        sent = len(ids)
        wait_for(lambda: len(ids) > sent + 9, 60)

    flows = [threading.Thread(target=flow, args=(name,)) for name in "ab"]
    for thread in flows:
        thread.start()
    try:
        for number in range(1, 4):
            for one in rolled:
                one.announce(number)
            go_on()
            for one in rolled:
                one.show()
            go_on()
    finally:
        done.set()
        for thread in flows:
            thread.join()
    wait_for(lambda: not relay.queue(), 60)
    lines = [line for line in relay.log().splitlines() if re.match(r"\S+ (delivered|deferred|bounced) ", line)]
    assert len(lines) == len(ids) and all(" delivered " in line for line in lines), [l for l in lines if " delivered " not in l]
    assert sum(len(one.host.messages) for one in rolled) == len(ids) and all(m.tls for one in rolled for m in one.host.messages)
    assert all("tls_policy=dane " in l and "verified=yes" in l for l in lines if "@comes.test" not in l)
    assert {re.search(r"tls_policy=(\S+)", l)[1] for l in lines if "@comes.test" in l} == {"dane", "opportunistic"}


def test_a_host_that_is_not_trusted_does_not_fill_the_log(world, relay_factory):
    """40 messages of one tenant's to it, and one of another's: a few lines about it, and his. Each sender is told all the same."""
    world.zone("wrong.test")
    world.host("mx.wrong.test")
    world.mx("wrong.test", "mx.wrong.test")
    world.tlsa("mx.wrong.test", WRONG)
    relay = relay_factory(STREAMS, dns=world.tree)
    for name in ("eve", "bob"):
        world.zone(f"{name}.test", "insecure")
    world.tree.start()
    senders = tenants(relay, "eve", "bob")
    for i in range(40):
        senders["eve"].send(f"x{i}@wrong.test", f"eve {i}", sender="hello@eve.test")
    wait_for(lambda: relay.log().count(" deferred ") == 40, 60)
    senders["bob"].send("bob@wrong.test", "bob", sender="hello@bob.test")
    wait_for(lambda: relay.log().count(" deferred ") == 41, 60)
    lines = [line for line in relay.log().splitlines() if " tls_distrusted " in line]
    bob = [line for line in relay.log().splitlines() if "rcpt=bob@" in line][0]
    id = re.search(r" id=\S+", bob)[0]
    assert any(id in line for line in lines) and len(lines) <= 5 * 3 + 1, lines  # three minutes, on a slow machine
    assert any(" left_out=" in line for line in lines), lines


def test_a_wrong_trust_anchor_is_named(world, relay_factory):
    """By the log, and by what becomes of mail: not as if the network were down."""
    world.zone("here.test")
    world.host("mx.here.test")
    world.mx("here.test", "mx.here.test")
    relay = relay_factory("", dns=world.tree)
    world.tree.start()
    text = world.tree.anchor.read_text().rstrip()
    wrong = relay.path / "wrong.ds"
    wrong.write_text("".join(f"{line[:-1]}{'0' if line[-1] != '0' else '1'}\n" for line in text.splitlines()))
    relay.config.write_text(relay.config.read_text().replace(str(world.tree.anchor), str(wrong)))
    relay.start()
    line = wait_for(lambda: [l for l in relay.log().splitlines() if " dnssec_fails " in l], 60)[0]
    assert "trust_anchor" in line and "wrong.ds" in line, line
    reply = relay.wait_kind(relay.send(to="x@here.test"), "deferred", 60)[0]["reply"]
    assert "DNSSEC" in reply and "wrong.ds" in reply and "network down" not in reply, reply
    assert relay.json("status")["dnssec"] == "fails" and "DNSSEC fails" in relay.command("status")
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace(str(wrong), str(world.tree.anchor)))
    relay.start()
    status = wait_for(lambda: (s := relay.json("status"))["dnssec"] == "validates" and s, 60)
    assert status["trust_anchor"] == str(world.tree.anchor) and f"by the trust anchor {world.tree.anchor}" in relay.command("status")
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace('dnssec = "on"', 'dnssec = "off"'))
    relay.start()
    assert relay.json("status")["dnssec"] == "off" and "DANE is off: dns { dnssec }" in relay.command("status")
