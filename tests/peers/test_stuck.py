"""Servers that take a message and never answer its final dot are waited for, as sending it again would make two of it. What they
hold of a tenant's connections, or a tenant of theirs, leaves something to the rest: codes, the tenant's other mail, other tenants."""

import time

from apart import STREAMS, few_places, healthy_domains, receiver, tenants
from conftest import wait_for

NEVER_S = 3600


def took(sender, name, healthy, to, stream):
    """How long that tenant's message is on its way."""
    subject = f"{name} {to} {time.monotonic()}"
    began = sender.send(to, subject, stream, f"hello@{name}.test")
    wait_for(lambda: subject in healthy.subjects(), 60)
    return time.monotonic() - began


def test_domains_that_never_answer_leave_their_tenant_something(relay_factory, dns, receiver, tmp_path):
    """70 of them, where a relay has 58 connections: digests to all, and codes to the first ten."""
    for i in range(70):
        receiver(f"127.5.0.{i + 1}", takes_s=NEVER_S)
        dns.mail(f"e{i}.silent.test", f"mx.e{i}.silent.test=127.5.0.{i + 1}")
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    relay = relay_factory(STREAMS)
    few_places(relay, tmp_path)
    senders = tenants(relay, "eve", "bob")
    assert took(senders["eve"], "eve", healthy, "a@h0.test", "news") < 3
    for i in range(70):
        senders["eve"].send(f"a@e{i}.silent.test", "news", "news", "hello@eve.test")
    for i in range(10):
        senders["eve"].send(f"b@e{i}.silent.test", "code", "code", "hello@eve.test")
    time.sleep(1)
    at_once = [took(senders["eve"], "eve", healthy, "b@h0.test", "code"), took(senders["bob"], "bob", healthy, "b@h1.test", "news"),
               took(senders["bob"], "bob", healthy, "c@h1.test", "code")]
    wait_for(lambda: "tenant_held_up" in relay.log(), 30)
    assert [line for line in relay.log().splitlines() if "tenant_held_up tenant=eve destination=mx.e" in line], relay.log()[-2000:]
    later = [took(senders[who], who, healthy, f"{who}{i}@h{i}.test", stream)
             for who in ("eve", "bob") for stream in ("code", "news") for i in (0, 5)]
    assert max(at_once) < 3 and max(later) < 3, (at_once, later)


def test_messages_without_an_answer_leave_places_at_their_server(relay_factory, dns, receiver):
    """A tenant's 40 hang at a server of many; another's go on: the first when all connections have been busy for five seconds."""
    hub = receiver("127.0.0.4", takes_s=lambda subject: NEVER_S if subject == "hangs" else 0)
    for name in ("one", "other"):
        dns.mail(f"{name}.test", "mx.shared.test=127.0.0.4")
    senders = tenants(relay_factory(STREAMS), "eve", "bob")
    for i in range(60):
        senders["eve"].send(f"q{i}@one.test", "quick", "news", "hello@eve.test")
    wait_for(lambda: len(hub.messages) == 60, 30)
    for i in range(40):
        senders["eve"].send(f"u{i}@one.test", "hangs", "news", "hello@eve.test")
    time.sleep(2)
    first = took(senders["bob"], "bob", hub, "a@other.test", "news")
    time.sleep(10)
    later = [took(senders["bob"], "bob", hub, f"b{i}@other.test", stream) for i in range(5) for stream in ("news", "code")]
    assert first < 15 and max(later) < 3, (first, later)
    assert hub.most <= 20
