"""DNS as a whole fails: it gives no answer, or none that can be believed, as when the clock is wrong. The kind of fault: all mail waits,
and whoever runs the relay is told nothing of it, or something else."""

import re
import time

import pytest

from conftest import wait_for
from test_alerts import Hook, hook  # noqa: F401  (a fixture)
from test_dane import World

DAY = 86400
ALERTS = 'alert { interval = 1  webhook = "http://127.0.0.1:%d/" }'


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


def told(hook, kind):
    return [body for _, _, body in hook.taken if body["alert"] == kind]


def words(relay, word):
    return [line for line in relay.log().splitlines() if f" {word} " in line]


def set_clock(world, days):
    """All signatures as a relay sees them whose clock is so many days off: they begin later, or have ended."""
    at = [time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + DAY * (n - days))) for n in (0, 30)]
    for zone in world.tree.zones:
        zone.dates = ["-i", at[0], "-e", at[1]] if days else []
        world.tree.changed.add(zone)
    world.tree.publish() if world.tree.server else world.tree.start()


@pytest.mark.parametrize("when, days", [("at its start", -3), ("while it runs", -3)])
def test_a_clock_that_is_wrong_is_told(world, relay_factory, hook, when, days):
    """What was secure is in the caches, as it would be for a day."""
    for domain in ("here.test", "there.test"):
        world.zone(domain)
        world.host(f"mx.{domain}")
        world.mx(domain, f"mx.{domain}")
    relay = relay_factory(ALERTS % hook.port, dns=world.tree)
    set_clock(world, days if when == "at its start" else 0)
    relay.start()
    if when == "while it runs":
        relay.wait_kind(relay.send(to="x@here.test"), "delivered")
        assert relay.json("status")["dnssec"] == "validates"
        set_clock(world, days)
    id = relay.send(to="x@there.test")
    reply = relay.wait_kind(id, "deferred", 60)[0]["reply"]
    assert "dnssec-bogus" in reply and "network" not in reply, reply
    line = wait_for(lambda: words(relay, "dnssec_fails"), 60)[0]
    assert "the clock" in line, line
    wait_for(lambda: told(hook, "dnssec"), 30)
    assert relay.json("status")["dnssec"] == "fails" and "DNSSEC fails" in relay.command("status")
    if "the clock" not in reply:  # it was known only after it
        relay.command("queue", "retry", "--all")
        reply = wait_for(lambda: next((e["reply"] for e in relay.trace(id) if e["kind"] == "deferred" and "clock" in e["reply"]), None), 60)
    assert "trust_anchor" in reply and "the clock is wrong" in reply, reply
    set_clock(world, 0)
    wait_for(lambda: relay.json("status")["dnssec"] == "validates", 60)
    assert words(relay, "dnssec_validates")  # keys that have failed are kept for a minute: nobody waits for the mail here


def test_a_dns_that_is_dead_is_told_once_and_its_end(world, relay_factory, hook):
    """As a resolver says it that reaches nobody; one that says nothing comes to the same, and takes longer."""
    for domain in ("here.test", "there.test"):
        world.zone(domain)
        world.host(f"mx.{domain}")
        world.mx(domain, f"mx.{domain}")
    relay = relay_factory(ALERTS % hook.port, dns=world.tree)
    relay.config.write_text(relay.config.read_text().replace('dnssec = "on"', 'dnssec = "on"  silent_after = "1s"'))
    world.tree.start()
    relay.start()
    relay.wait_kind(relay.send(to="x@here.test"), "delivered")
    assert "dns_silent_since" not in relay.json("status") and "no answer" not in relay.command("status")
    world.tree.front.fault = "SERVFAIL"
    begun = time.time()
    id = relay.send(to="x@there.test")
    status = wait_for(lambda: (s := relay.json("status")).get("dns_silent_since") and s, 60)
    assert begun - 5 < status["dns_silent_since"] / 1000 < time.time() + 5
    assert "DNS gives no answer at all since" in relay.command("status")
    assert relay.wait_kind(id, "deferred", 60)[0]["reply"]
    wait_for(lambda: told(hook, "dns_silent"), 60)
    relay.command("queue", "retry", "--all")
    wait_for(lambda: any("DNS gives no answer at all" in e["reply"] for e in relay.trace(id) if e["kind"] == "deferred"), 60)
    world.tree.front.fault = None
    wait_for(lambda: len(told(hook, "dns_silent")) == 2, 60)
    assert len(words(relay, "dns_silent")) == len(words(relay, "dns_answers")) == 1
    begins, ends = told(hook, "dns_silent")
    assert begins["what"] == "dns_silent" and "look at DNS: mail waits" in begins["text"] and "since 20" in begins["text"], begins
    assert ends["what"] == "dns_answers" and "DNS answers again" in ends["text"] and "waits" not in ends["text"], ends
    assert "dns_silent_since" not in relay.json("status")
    assert relay.json("status")["dnssec"] == "validates"
    relay.command("queue", "retry", "--all")
    relay.wait_kind(id, "delivered", 60)


def test_each_outage_within_an_hour_is_told(world, relay_factory, hook):
    """The second one is another one, however soon it comes."""
    for domain in ("here.test", "there.test", "else.test"):
        world.zone(domain)
        world.host(f"mx.{domain}")
        world.mx(domain, f"mx.{domain}")
    relay = relay_factory(ALERTS % hook.port, dns=world.tree)
    relay.config.write_text(relay.config.read_text().replace('dnssec = "on"', 'dnssec = "on"  silent_after = "1s"'))
    world.tree.start()
    relay.start()
    relay.wait_kind(relay.send(to="x@here.test"), "delivered")
    for n, domain in ((1, "there.test"), (2, "else.test")):
        world.tree.front.fault = "SERVFAIL"
        relay.send(to=f"x@{domain}")
        wait_for(lambda: len(words(relay, "dns_silent")) == n, 60)
        world.tree.front.fault = None
        wait_for(lambda: len(words(relay, "dns_answers")) == n, 60)
    wait_for(lambda: sum(body["count"] for body in told(hook, "dns_silent")) == 4, 30)
    kinds = [e["kind"] for e in relay.json("events") if e["kind"].startswith("dns_")]
    assert kinds == ["dns_silent", "dns_answers"] * 2, kinds
