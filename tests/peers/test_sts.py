"""MTA-STS (RFC 8461): what a domain's own policy makes of a delivery, from policy hosts that speak HTTPS with an authority of the tests.

The kind of fault: mail that a policy protects leaves without TLS, to a host that the policy does not name, or to a certificate that is not
the host's; or mail waits or comes back because of a policy that is not one, or of a policy host that is slow.
"""

import contextlib
import json
import re
import sqlite3
import threading
import time

import pytest

from conftest import wait_for
from policy_host import StsWorld, reply_of, text_of
from test_dane import line_of


@pytest.fixture
def world(tmp_path, dns, delivery_port, mailhost):
    made = StsWorld(tmp_path, dns, delivery_port, mailhost)
    yield made
    made.stop()


def judged(relay, id, kind, timeout=60):
    relay.wait_kind(id, kind, timeout)
    wait_for(lambda: f"{kind} id={id} " in relay.log(), timeout)
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
            assert domain != "cert.test" or "it is for elsewhere.test, not for mx.cert.test" in reply, reply
            assert "bounced" not in relay.kinds(ids[domain])
    assert not world.policies["off.test"].requests and not world.policies["route.test"].requests
    assert len(world.policies["good.test"].requests) == 1
    assert world.dns.asked.count(("_mta-sts.off.test", "TXT")) == 0
    for name in ("a.two.test", "mx.other.test", "mx.deep.test"):  # not named: nothing of a message is said
        assert not any(l.startswith("MAIL") for c in world.hosts[name].connections for l in c.lines), name


def test_a_host_that_is_barred_hides_nothing_of_the_one_that_may_have_the_mail(world, relay_factory):
    """What people read of a deferral, and what follows, is of the host that the policy names; nobody doubts the policy."""
    world.host("mx1.busy.test", answer=lambda line, connection: "421 4.3.2 too busy now" if not line else None)
    world.dns.add("mx1.down.test", "A", "127.0.98.7")  # where nobody listens
    for domain in ("busy.test", "down.test"):
        world.host(f"mx2.{domain}")
        world.dns.add(domain, "MX", f"10 mx1.{domain}.", f"20 mx2.{domain}.")
        world.policy(domain, mx=[f"mx1.{domain}"])
    relay = world.relay(relay_factory)
    for domain, said in (("busy.test", "too busy now"), ("down.test", "127.0.98.7")):
        id = relay.send(to=f"x@{domain}")
        reply = relay.wait_kind(id, "deferred", 60)[0]["reply"]
        assert said in reply and "MTA-STS" not in reply, reply
        assert not world.hosts[f"mx2.{domain}"].messages and len(world.policies[domain].requests) == 1


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


class OneAfterTheOther(list):
    """Record data: each is given once, the last for ever."""

    def __iter__(self):
        yield self.pop(0) if len(self) > 1 else self[0]


def test_who_doubts_hears_nothing_from_before_the_doubt(world, relay_factory):
    """A policy that bars all hosts is being fetched, slowly, when mail doubts what is known; the owner has mended it by then."""
    world.dns.ttl = 1  # what is found counts for five seconds
    world.domain("turns.test")
    host = world.policy("turns.test", mx=["mx.elsewhere.test"])
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@turns.test"), "deferred")[1:] == ("sts", "validation-failure")
    record = "_mta-sts.turns.test", "TXT"
    before = world.dns.asked.count(record)

    def slow(client):
        with contextlib.suppress(AssertionError):
            wait_for(lambda: world.dns.asked.count(record) >= before + 2, 4)
        host.reply = reply_of(text_of("enforce", ["mx.turns.test"]))
        client.sendall(reply_of(text_of("enforce", ["mx.elsewhere.test"])))

    time.sleep(5.5)
    host.reply = slow
    world.dns.zone[record] = OneAfterTheOther(["v=STSv1; id=2;", "v=STSv1; id=3;"])
    id = relay.send(to="y@turns.test")
    assert judged(relay, id, "delivered") == STS and "deferred" not in relay.kinds(id)
    assert len(host.requests) == 3


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
    nothing = relay.command("sts", "refresh", "nothing.test")
    assert "counts     none" in nothing and "fetch      nothing: the domain has no MTA-STS record" in nothing
    assert relay.json("sts", "refresh", "nothing.test")["refreshed"] == "nothing"

    world.policies["good.test"].stop()
    assert relay.command("sts", "forget", "good.test").startswith("good.test is forgotten")
    assert "good.test" not in {row["domain"] for row in relay.json("sts", "show")}
    assert judged(relay, relay.send(to="z@good.test"), "delivered")[1:] == ("opportunistic", "sts-policy-fetch-error")
    assert relay.command("sts", "forget", "unknown.test", check=False).returncode == 1
    relay.stop()
    assert relay.command("sts", "refresh", "good.test", check=False).returncode == 3
    assert {row["domain"] for row in relay.json("sts", "show")} == {"down.test", "good.test"}
    relay.command("sts", "forget", "good.test")


def test_a_command_to_fetch_is_carried_out_after_a_failure(world, relay_factory):
    """Also within the five minutes in which mail does not ask again; what fails is said, and what is kept stays."""
    one("good.test")(world)
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@good.test"), "delivered") == STS
    host = world.policies["good.test"]
    host.reply = reply_of("moved", "404 Not Found")
    failed = relay.command("sts", "refresh", "good.test", check=False)
    assert failed.returncode == 1 and "fetch      failed: http-status 404" in failed.stdout, failed.stdout
    assert "counts     enforce" in failed.stdout and "stays in force" in failed.stdout
    line = wait_for(lambda: re.search(r"sts_failed domain=good.test .*", relay.log()), 30)[0]
    assert "reason=http-status status=404 " in line and "the policy that is kept counts" in line, line
    asked = len(host.requests)
    again = relay.command("sts", "refresh", "good.test", "--json", check=False)  # within the five seconds
    assert again.returncode == 1 and len(host.requests) - asked in (0, 1) and json.loads(again.stdout)["refreshed"] == "failed"
    assert json.loads(again.stdout)["standing"]["fetch"] == "http-status"  # which is why, not that it was not tried once more
    host.reply = reply_of(text_of("testing", ["mx.good.test"]))
    done = wait_for(lambda: (r := relay.command("sts", "refresh", "good.test", check=False)).returncode == 0 and r.stdout, 60)
    assert "fetch      done" in done and "counts     testing" in done
    world.record("good.test", [])
    gone = wait_for(lambda: (r := relay.command("sts", "refresh", "good.test", check=False)).returncode and r.stdout, 60)
    assert "failed: no-record" in gone and "counts     testing" in gone


# ---- over the days ----


def tables(relay, sql):
    database = sqlite3.connect(relay.path / "state" / "state.db")
    with database:
        database.execute(sql)
    database.close()


def policy_of(relay, domain):
    return next((row for row in relay.json("sts", "show") if row["domain"] == domain), None)


DAY = 24 * 3600 * 1000


def test_what_is_kept_is_refreshed_each_day_and_dropped_after_half_a_year(world, relay_factory):
    """Refetched although the id is the same, while mail goes there; a policy from a time to come counts no longer than one of now."""
    for domain in ("daily.test", "unused.test", "old.test", "future.test", "young.test"):
        one(domain)(world)
    relay = world.relay(relay_factory)
    for domain in ("daily.test", "unused.test", "old.test", "future.test", "young.test"):
        assert judged(relay, relay.send(to=f"x@{domain}"), "delivered") == STS
    relay.stop()
    past = lambda days: f"fetched_at = fetched_at - {days * DAY}, last_used = last_used - {days * DAY}"  # noqa: E731
    tables(relay, f"UPDATE sts_policy SET fetched_at = fetched_at - {30 * 3600 * 1000}, max_age = 31557600 WHERE domain = 'daily.test'")
    tables(relay, f"UPDATE sts_policy SET {past(40)}, max_age = 31557600 WHERE domain = 'unused.test'")
    tables(relay, f"UPDATE sts_policy SET {past(181)}, max_age = 31557600 WHERE domain = 'old.test'")
    tables(relay, f"UPDATE sts_policy SET fetched_at = fetched_at + {400 * DAY} WHERE domain = 'future.test'")
    world.policy("daily.test", "testing")
    relay.start()
    wait_for(lambda: policy_of(relay, "daily.test")["mode"] == "testing", 40)
    wait_for(lambda: policy_of(relay, "old.test") is None, 40)
    assert len(world.policies["daily.test"].requests) == 2
    assert [len(world.policies[d].requests) for d in ("unused.test", "young.test", "future.test")] == [1, 1, 1]
    assert policy_of(relay, "unused.test")["mode"] == "enforce"
    assert policy_of(relay, "future.test")["expires"] <= (time.time() + 86400) * 1000


def test_a_policy_that_may_not_be_kept_counts_for_the_mail_that_waits(world, relay_factory):
    world.domain("once.test", names=["elsewhere.test"])
    world.policy("once.test", max_age=0)
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@once.test"), "deferred")[1:] == ("sts", "certificate-host-mismatch")
    assert policy_of(relay, "once.test") is None


def test_a_cause_is_told_until_it_is_tried_again(world, relay_factory):
    """Nothing is kept; a command, another one and mail within the pause fetch nothing."""
    world.domain("down.test")
    world.policy("down.test").stop()
    relay = world.relay(relay_factory)
    for _ in range(2):
        told = json.loads(relay.command("sts", "refresh", "down.test", "--json", check=False).stdout)["standing"]
        assert (told["fetch"], told["reason"]) == ("connect-failed", "connect-failed")
    judged(relay, relay.send(to="x@down.test"), "delivered")
    told = json.loads(relay.command("sts", "show", "down.test", "--json", check=False).stdout)["standing"]
    assert (told["fetch"], told["reason"]) == ("connect-failed", "connect-failed")


@pytest.mark.parametrize("max_age", [0, 1])
def test_a_policy_that_may_not_be_kept_is_not_fetched_for_each_message(world, relay_factory, max_age):
    """Its records have a TTL of 0. One message after the other: all go by what was fetched for the first."""
    world.dns.ttl = 0
    world.domain("once.test", names=["elsewhere.test"])
    world.policy("once.test", max_age=max_age)
    relay = world.relay(relay_factory)
    for n in range(5):
        assert judged(relay, relay.send(to=f"x{n}@once.test"), "deferred")[1:] == ("sts", "certificate-host-mismatch")
        time.sleep(1.1)
    assert len(world.policies["once.test"].requests) == 1


# ---- who else ----


def test_behind_a_smart_host_its_own_policy_counts(world, relay_factory):
    world.domain("hop.test", "hop.test")
    world.policy("hop.test", mx=["hop.test"])
    one("dest.test", mx=["mx.elsewhere.test"])(world)
    relay = world.relay(relay_factory, f'route "dest.test" {{ host = "hop.test"  port = {world.port} }}')
    assert judged(relay, relay.send(to="x@dest.test"), "delivered") == STS
    assert world.hosts["hop.test"].messages and not world.policies["dest.test"].requests
    world.policy("hop.test", mx=["mx.elsewhere.test"], id="2")
    relay.command("sts", "refresh", "hop.test")
    assert judged(relay, relay.send(to="y@dest.test"), "deferred")[1:] == ("sts", "validation-failure")


def test_mail_that_demands_verified_tls_hears_that_a_policy_is_only_tested(world, relay_factory):
    one("testing.test", "testing")(world)
    relay = world.relay(relay_factory)
    id = relay.send(to="x@testing.test", message="From: <hello@club.test>\r\nSealpost-TLS: verify\r\n\r\nsecret\r\n")
    assert judged(relay, id, "deferred")[1] == "sts-testing"
    assert "the MTA-STS policy of testing.test is only tested" in line_of(relay, id)["reply"]


def test_mail_that_is_to_arrive_whatever_tls_waits_for_no_policy(world, relay_factory):
    """Its host says nothing: others wait for it, for up to a minute."""
    held = threading.Event()
    world.domain("slow.test")
    world.policy("slow.test", reply=lambda client: held.wait(60))
    relay = world.relay(relay_factory, 'allow_tls_optional = "on"')
    waits = relay.send(to="plain@slow.test")
    waived = relay.send(to="x@slow.test", message="From: <hello@club.test>\r\nTLS-Required: No\r\nSubject: x\r\n\r\nwaived\r\n")
    assert judged(relay, waived, "delivered")[1] == "waived"
    assert f"delivered id={waits}" not in relay.log()
    held.set()
    relay.wait_kind(waits, "delivered", 60)


@pytest.mark.memory
def test_connections_and_sessions_are_shared_by_what_they_have_proven(world, relay_factory):
    """One host of many domains: what was made for mail without a policy carries none that has one and whose certificate is not valid."""
    host = world.host("mx.shared.test", names=["elsewhere.test"])
    for domain in ("free.test", "testing.test", "strict.test", "none.test"):
        world.domain(domain, "mx.shared.test")
    world.policy("testing.test", "testing", ["mx.shared.test"])
    world.policy("strict.test", mx=["mx.shared.test"])
    world.policy("none.test", "none", [])
    relay = world.relay(relay_factory)
    for _ in range(3):
        assert judged(relay, relay.send(to="x@free.test"), "delivered")[1:] == ("opportunistic", "ok")
        assert judged(relay, relay.send(to="x@testing.test"), "delivered")[1:] == ("sts-testing", "certificate-host-mismatch")
        assert judged(relay, relay.send(to="x@strict.test"), "deferred")[1:] == ("sts", "certificate-host-mismatch")
        assert judged(relay, relay.send(to="x@none.test"), "delivered")[1:] == ("opportunistic", "ok")
    assert not host.reached("x@strict.test")
    relay.stop()
    host.context, before = world.context("mx.shared.test"), len(host.connections)
    relay.start()
    assert judged(relay, relay.send(to="y@strict.test"), "delivered") == STS
    assert judged(relay, relay.send(to="y@testing.test"), "delivered")[1:] == ("sts-testing", "ok")
    wait_for(lambda: all(c.lines[-1] == "QUIT" for c in host.connections[before:]), 30)
    assert judged(relay, relay.send(to="z@strict.test"), "delivered") == STS
    assert host.reached("z@strict.test")[0].connection.resumed


def test_mail_of_domains_without_a_policy_waits_for_nothing(world, relay_factory):
    """A name server that says nothing about the record: five seconds, once; then that is remembered for a while."""
    world.dns.add("_mta-sts.mute.test", "TXT", "SILENCE")
    world.domain("mute.test")
    world.domain("free.test")
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@free.test"), "delivered") == PLAIN
    asked = world.dns.asked.count(("_mta-sts.free.test", "TXT"))
    for n in range(5):
        assert judged(relay, relay.send(to=f"x{n}@free.test"), "delivered") == PLAIN
    assert asked == 1 and world.dns.asked.count(("_mta-sts.free.test", "TXT")) == 1
    assert judged(relay, relay.send(to="x@mute.test"), "delivered")[1:] == ("opportunistic", "sts-policy-fetch-error")
    asked = world.dns.asked.count(("_mta-sts.mute.test", "TXT"))
    assert judged(relay, relay.send(to="y@mute.test"), "delivered")[1:] == ("opportunistic", "sts-policy-fetch-error")
    assert world.dns.asked.count(("_mta-sts.mute.test", "TXT")) == asked


def test_a_failure_of_dns_is_asked_about_three_times(world, relay_factory):
    world.dns.add("_mta-sts.fails.test", "TXT", "SERVFAIL")
    world.domain("fails.test")
    world.policy("comes.test")
    world.dns.add("_mta-sts.comes.test", "TXT", "SERVFAIL")
    world.domain("comes.test")
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@fails.test"), "delivered")[1:] == ("opportunistic", "sts-policy-fetch-error")
    assert world.dns.asked.count(("_mta-sts.fails.test", "TXT")) >= 3
    id = relay.send(to="x@comes.test")
    wait_for(lambda: ("_mta-sts.comes.test", "TXT") in world.dns.asked, 30)
    world.record("comes.test", "v=STSv1; id=1;")
    assert judged(relay, id, "delivered") == STS


def test_a_policy_that_has_ended_is_fetched_anew_though_its_record_is_still_known(world, relay_factory):
    world.dns.ttl = 3600
    world.domain("short.test")
    world.policy("short.test", max_age=60)
    relay = world.relay(relay_factory)
    assert judged(relay, relay.send(to="x@short.test"), "delivered") == STS
    relay.stop()
    tables(relay, "UPDATE sts_policy SET fetched_at = fetched_at - 50000")  # it is over soon
    relay.start()
    assert judged(relay, relay.send(to="again@short.test"), "delivered") == STS
    ends = policy_of(relay, "short.test")["expires"] / 1000
    world.policy("short.test", "testing")
    wait_for(lambda: time.time() > ends + 0.1, 70)
    assert judged(relay, relay.send(to="y@short.test"), "delivered")[1:] == ("sts-testing", "ok")


# ---- whom the relay trusts ----


def test_one_setting_says_who_vouches_for_hosts_and_for_policies(world, relay_factory):
    """An authority of the operator's own, which the system does not know: what the config file names counts for both, and alone."""
    one("good.test")(world)
    one("elsewhere.test")(world)
    relay = relay_factory()
    settings = relay.config.read_text()
    relay.config.write_text(settings.replace("delivery { ", f'delivery {{ ca_file = "{world.path}/ca.pem"  ', 1))
    relay.start()
    assert judged(relay, relay.send(to="x@good.test"), "delivered") == STS
    relay.config.write_text(settings.replace("delivery { ", f'delivery {{ ca_file = "{world.path}/other.pem"  ', 1))
    relay.command("reload")
    assert judged(relay, relay.send(to="x@elsewhere.test"), "delivered") == ("delivered", "opportunistic", "sts-webpki-invalid")
    line = re.search(r"sts_failed domain=elsewhere.test .*", relay.log())[0]
    assert "reason=certificate " in line and "detail=" in line, line
