"""What TLS reports tell others is their own fault and nothing else: a policy that could not be had has a reason of its own, and what a
message of ours demands is no affair of theirs.

The kind of fault: a domain reads that its mail server's certificate is wrong, or that it lacks TLS, because of something else.
"""

import pytest
from conftest import wait_for
from policy_host import StsWorld, reply_of
from test_tls_reports import TELLS, listed, next_day, opened, reports_of, sums

VERIFY = "From: <hello@club.test>\r\nSealpost-TLS: verify\r\nSubject: a code\r\n\r\nsecret\r\n"


@pytest.fixture
def world(tmp_path, dns, delivery_port, mailhost):
    made = StsWorld(tmp_path, dns, delivery_port, mailhost)
    yield made
    made.stop()


def start(world, relay_factory, shim, inbox="inbox.test"):
    world.domain(inbox)
    relay = relay_factory(TELLS)
    relay.environment = {**shim.environment, "SSL_CERT_FILE": str(world.path / "ca.pem")}
    return relay.start()


def wants(world, domain):
    world.dns.add(f"_smtp._tls.{domain}", "TXT", "v=TLSRPTv1; rua=mailto:tls@inbox.test")


def reasons(report):
    return {(f["result-type"], f.get("failure-reason-code", "")) for p in report["policies"] for f in p.get("failure-details", [])}


def test_why_a_policy_could_not_be_had_is_its_own_reason(world, relay_factory, shim):
    for domain in ("gone.test", "untrusted.test"):
        world.domain(domain, names=["another.test"])  # their mail servers' certificates are for another name
        wants(world, domain)
    world.policy("gone.test", reply=reply_of("", "404 Not Found"))
    world.policy("untrusted.test", names=["another.test"])
    relay = start(world, relay_factory, shim)
    for domain in ("gone.test", "untrusted.test"):
        relay.wait_kind(relay.send(f"u@{domain}"), "delivered", 60)
    wait_for(lambda: len(listed(relay)) == 2)
    next_day(shim)
    inbox = world.hosts["mx.inbox.test"]
    wait_for(lambda: len(reports_of(inbox)) == 2, 90)
    got = dict(opened(m) for m in reports_of(inbox))
    (result, reason), = reasons(got["gone.test"])
    assert result == "sts-policy-fetch-error" and "404" in reason
    (result, reason), = reasons(got["untrusted.test"])
    assert result == "sts-webpki-invalid" and reason and "hostname" not in reason.lower() and reason != "ok", reason


def test_what_a_message_demands_is_not_told(world, relay_factory, shim):
    """One host has TLS that nothing vouches for, one has none: messages that demand more are no sessions of theirs."""
    world.domain("plain.test", tls=False)
    world.domain("tls.test")
    for domain in ("plain.test", "tls.test"):
        wants(world, domain)
    relay = start(world, relay_factory, shim)
    demanding = [relay.send(f"u@{domain}", VERIFY) for domain in ("plain.test", "tls.test")]
    for id in demanding:
        relay.wait_kind(id, "deferred", 60)
    relay.wait_kind(relay.send("v@tls.test"), "delivered", 60)
    wait_for(lambda: len(listed(relay)) == 1, 30)
    next_day(shim)
    inbox = world.hosts["mx.inbox.test"]
    wait_for(lambda: reports_of(inbox), 90)
    domain, report = opened(reports_of(inbox)[0])
    assert domain == "tls.test" and set(sums(report)) == {("no-policy-found", "ok")}
    assert not [r for r in listed(relay) if r["domain"] == "plain.test"]
