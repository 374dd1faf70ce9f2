"""MTA-STS (RFC 8461): what a domain's own policy makes of a delivery, from policy hosts that speak HTTPS with an authority of the tests.

The kind of fault: mail that a policy protects leaves without TLS, to a host that the policy does not name, or to a certificate that is not
the host's; or mail waits or comes back because of a policy that is not one, or of a policy host that is slow.
"""

import pytest

from conftest import wait_for
from policy_host import StsWorld, text_of, reply_of
from test_dane import line_of


@pytest.fixture
def world(tmp_path, dns, delivery_port, mailhost):
    made = StsWorld(tmp_path, dns, delivery_port, mailhost)
    yield made
    made.stop()


def judged(relay, id, kind, timeout=60):
    relay.wait_kind(id, kind, timeout)
    line = line_of(relay, id)
    return line["kind"], line.get("tls_policy"), line.get("tls_result")


def one(domain, mode="enforce", mx=None, policy=True, **host):
    def build(w):
        w.domain(domain, **host)
        if policy:
            w.policy(domain, mode, mx)
    return build


def second_is_fine(w):
    """The first host is not named, the second is."""
    w.domain("two.test", "a.two.test", "b.two.test")
    w.policy("two.test", mx=["b.two.test"])


def refused_by_policy_host(w):
    w.domain("down.test")
    w.policy("down.test").stop()


def private(w):
    """Its policy host is where DNS may not lead."""
    w.domain("private.test")
    w.record("private.test", "v=STSv1; id=1;")
    w.dns.add("mta-sts.private.test", "A", "10.0.0.1")


STS, PLAIN = ("delivered", "sts", "ok"), ("delivered", "opportunistic", "ok")
CASES = {
    "good.test": (one("good.test"), *STS),
    "wild.test": (one("wild.test", mx=["*.wild.test"]), *STS),
    "deep.test": (one("deep.test", mx=["*.test"]), "deferred", "sts", "validation-failure"),
    "other.test": (one("other.test", mx=["mx.elsewhere.test"]), "deferred", "sts", "validation-failure"),
    "cert.test": (one("cert.test", names=["elsewhere.test"]), "deferred", "sts", "certificate-host-mismatch"),
    "clear.test": (one("clear.test", tls=False), "deferred", "sts", "starttls-not-supported"),
    "two.test": (second_is_fine, *STS),
    "testing.test": (one("testing.test", "testing"), "delivered", "sts-testing", "ok"),
    "tcert.test": (one("tcert.test", "testing", names=["elsewhere.test"]), "delivered", "sts-testing", "certificate-host-mismatch"),
    "tother.test": (one("tother.test", "testing", ["mx.elsewhere.test"]), "delivered", "sts-testing", "validation-failure"),
    "tclear.test": (one("tclear.test", "testing", tls=False), "delivered", "sts-testing", "starttls-not-supported"),
    "none.test": (one("none.test", "none", []), *PLAIN),
    "free.test": (one("free.test", policy=False), *PLAIN),
    "down.test": (refused_by_policy_host, "delivered", "opportunistic", "sts-policy-fetch-error"),
    "private.test": (private, "delivered", "opportunistic", "sts-policy-fetch-error"),
    "off.test": (one("off.test", tls=False), "delivered", "opportunistic", "starttls-not-supported"),
    "report.test": (one("report.test", names=["elsewhere.test"]), "delivered", "sts", "certificate-host-mismatch"),
    "route.test": (one("route.test", names=["elsewhere.test"]), "delivered", "route", "ok"),
}
ROUTES = """
route "off.test" { mta_sts = "off" }
route "report.test" { mta_sts = "report" }
route "route.test" { tls = "require" }
"""


@pytest.mark.memory
def test_the_policy_of_a_domain_decides(world, relay_factory):
    for build, *_ in CASES.values():
        build(world)
    relay = world.relay(relay_factory, ROUTES)
    ids = {domain: relay.send(to=f"x@{domain}") for domain in CASES}
    for domain, (_, kind, *result) in CASES.items():
        assert list(judged(relay, ids[domain], kind)) == [kind, *result], domain
    for domain, (_, kind, policy, result) in CASES.items():
        if policy == "sts" and domain != "report.test":
            hosts = [h for name, h in world.hosts.items() if name.endswith("." + domain)]
            assert all(m.tls for h in hosts for m in h.messages), domain
            assert (kind == "delivered") == any(h.messages for h in hosts), domain
        if kind == "deferred":
            reply = relay.wait_kind(ids[domain], "deferred")[0]["reply"]
            assert f"MTA-STS: host mx.{domain} of {domain}" in reply and result in reply, reply
            assert "bounced" not in relay.kinds(ids[domain])
    assert not world.policies["off.test"].requests and not world.policies["route.test"].requests
    assert len(world.policies["good.test"].requests) == 1
    assert world.dns.asked.count(("_mta-sts.off.test", "TXT")) == 0
    for name in ("a.two.test", "mx.other.test", "mx.deep.test"):  # not named: nothing of a message is said
        assert not any(l.startswith("MAIL") for c in world.hosts[name].connections for l in c.lines), name


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_policy_outlives_the_relay_and_its_policy_host(world, relay_factory, how):
    one("kept.test")(world)
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@kept.test"), "delivered") == STS
    getattr(relay, how)()
    world.policies["kept.test"].stop()
    world.record("kept.test", [])
    host = world.hosts["mx.kept.test"]
    host.context = None  # whoever is on the path takes all of it away
    relay.start()
    assert judged(relay, relay.send(to="y@kept.test"), "deferred")[1:] == ("sts", "starttls-not-supported")
    host.context = world.context("mx.kept.test")
    assert judged(relay, relay.send(to="z@kept.test"), "delivered") == STS


def test_what_the_owner_has_changed_counts_before_mail_waits(world, relay_factory):
    """New hosts and a new id while the relay still has the policy of before, and the record in its caches."""
    world.dns.ttl = 600
    world.domain("moves.test", "old.moves.test")
    world.policy("moves.test", mx=["old.moves.test"])
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@moves.test"), "delivered") == STS
    relay.stop()  # what the queue knows of its hosts goes with it
    world.domain("moves.test", "new.moves.test")
    world.policy("moves.test", mx=["new.moves.test"], id="2")
    relay.start()
    id = relay.send(to="y@moves.test")
    assert judged(relay, id, "delivered") == STS and "deferred" not in relay.kinds(id)
    assert len(world.policies["moves.test"].requests) == 2


# ---- what an operator sees and may do ----


def test_commands_show_fetch_and_forget(world, relay_factory):
    one("good.test", mx=["mx.good.test", "*.good.test"])(world)
    refused_by_policy_host(world)
    relay = world.relay(relay_factory)
    assert relay.json("sts", "show") == [] and "nothing" in relay.command("sts", "show", "good.test")
    assert judged(relay, relay.send(to="x@good.test"), "delivered") == STS
    relay.send(to="x@down.test")
    wait_for(lambda: len(relay.json("sts", "show")) == 2, 30)
    rows = {row["domain"]: row for row in relay.json("sts", "show")}
    assert rows["good.test"]["mode"] == "enforce" and rows["good.test"]["mx"] == ["mx.good.test", "*.good.test"]
    assert rows["good.test"]["policy"] == text_of("enforce", ["mx.good.test", "*.good.test"]) and "error" not in rows["good.test"]
    assert rows["down.test"]["error"] == "sts-policy-fetch-error" and "mode" not in rows["down.test"]
    shown = relay.command("sts", "show", "GOOD.test")
    assert "counts     enforce" in shown and "*.good.test" in shown
    down = relay.command("sts", "show", "down.test", check=False)
    assert down.returncode == 1 and "none: sts-policy-fetch-error (connect-failed)" in down.stdout, down.stdout

    world.policy("good.test", "testing", id="1")  # the same id: the owner has forgotten it
    assert "counts     testing" in relay.command("sts", "refresh", "good.test")
    assert relay.json("sts", "refresh", "good.test")["standing"]["counts"] == "testing"
    assert judged(relay, relay.send(to="y@good.test"), "delivered")[1] == "sts-testing"
    assert "counts     none" in relay.command("sts", "refresh", "nothing.test")

    world.policies["good.test"].stop()
    assert relay.command("sts", "forget", "good.test").startswith("good.test is forgotten")
    assert "good.test" not in {row["domain"] for row in relay.json("sts", "show")}
    assert judged(relay, relay.send(to="z@good.test"), "delivered")[1:] == ("opportunistic", "sts-policy-fetch-error")
    assert relay.command("sts", "forget", "unknown.test", check=False).returncode == 1
    relay.stop()
    assert relay.command("sts", "refresh", "good.test", check=False).returncode == 3
    assert {row["domain"] for row in relay.json("sts", "show")} == {"down.test", "good.test"}
    relay.command("sts", "forget", "good.test")
