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


def test_keys_are_rolled_over_while_mail_flows(world, relay_factory):
    """Both records, then the other certificate, then its record alone: nothing waits, and all of it is verified."""
    world.zone("roll.test")
    world.host("mx.roll.test")
    world.mx("roll.test", "mx.roll.test")
    world.tlsa("mx.roll.test", (3, 1, 1))
    host = world.hosts["mx.roll.test"]
    relay = world.relay(relay_factory, "shards = 1")
    ids, done = [], threading.Event()

    def flow(name):
        while not done.is_set():
            ids.append(relay.send(to=f"{name}{len(ids)}@roll.test"))

    flows = [threading.Thread(target=flow, args=(name,)) for name in "ab"]
    for thread in flows:
        thread.start()
    try:
        old = host.certificate
        for number in range(3):
            pair = world.issue(f"next{number}.roll.test")
            for records in ((old, pair[0]), (pair[0],)):
                if len(records) == 1:
                    host.context = context_of(pair)
                world.tree.add(owner(world, "roll.test"), "TLSA", *[tlsa(r, 3, 1, 1) for r in records])
                world.tree.publish()
                time.sleep(1.2)  # the TTL: until then the ones before may be in caches, rightly
                sent = len(ids)
                wait_for(lambda: len(ids) > sent + 5, 60)
            old = pair[0]
    finally:
        done.set()
        for thread in flows:
            thread.join()
    wait_for(lambda: not relay.queue(), 60)
    kinds = [line.split()[1] for line in relay.log().splitlines() if "@roll.test" in line and "tls_policy=dane" in line]
    assert kinds.count("delivered") == len(ids) and "deferred" not in kinds, (len(ids), kinds)
    assert len(host.messages) == len(ids) and all(m.tls for m in host.messages)
    assert all("verified=yes" in l for l in relay.log().splitlines() if " delivered " in l)


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
