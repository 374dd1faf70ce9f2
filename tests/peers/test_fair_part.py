"""What a tenant calls urgent goes first for its fair part of a destination's turns, and no more: the destination takes one message
at a time, and slowly. The kind of fault is a word that a tenant says of its own mail, and another's mail that waits for that."""

import time

import pytest

from apart import STREAMS, receiver, tenants
from conftest import wait_for

TAKES_S = 0.25


def one_at_a_time(relay_factory, dns, receiver):
    """A relay with two tenants' sessions, and the server: of two domains, with one connection."""
    server = receiver("127.0.0.7", takes_s=TAKES_S)
    for name in ("one", "other"):
        dns.mail(f"{name}.test", "mx.shared.test=127.0.0.7")
    relay = relay_factory(STREAMS + 'stream "order" { class = "confirmation" }\n')
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { connections = 1  ", 1))
    return server, tenants(relay, "eve", "bob")


def arrived(server, who):
    return sum(subject.startswith(who) for subject in server.subjects())


@pytest.mark.parametrize("evil", ["code", "order"])
def test_others_have_their_part_beside_a_flood_of_what_is_urgent(relay_factory, dns, receiver, evil):
    """Of as many turns each has half, after the hundred that a class may go ahead."""
    server, senders = one_at_a_time(relay_factory, dns, receiver)
    for i in range(150):
        senders["eve"].send(f"u{i}@one.test", f"eve {i}", evil, "hello@eve.test")
    for i in range(60):
        senders["bob"].send(f"u{i}@other.test", f"bob {i}", "news", "hello@bob.test")
    wait_for(lambda: arrived(server, "bob") >= 8, 60)  # it is beyond its part
    eve, bob = arrived(server, "eve"), arrived(server, "bob")
    time.sleep(10)
    eve, bob = arrived(server, "eve") - eve, arrived(server, "bob") - bob
    assert eve + bob >= 15 and bob * 100 >= (eve + bob) * 35, (eve, bob)


@pytest.mark.parametrize("flood", ["code", "news"])
def test_a_few_codes_go_next_beside_a_flood(relay_factory, dns, receiver, flood):
    """Of the same class or of another: the next turn, or the one after it."""
    server, senders = one_at_a_time(relay_factory, dns, receiver)
    for i in range(150):
        senders["eve"].send(f"u{i}@one.test", f"eve {i}", flood, "hello@eve.test")
    wait_for(lambda: arrived(server, "eve") >= 3, 20)
    took = []
    for i in range(5):
        began = senders["bob"].send(f"c{i}@other.test", f"bob {i}", "code", "hello@bob.test")
        wait_for(lambda: f"bob {i}" in server.subjects(), 20)
        took.append(time.monotonic() - began)
    assert max(took) < 4 * TAKES_S + 1, took
