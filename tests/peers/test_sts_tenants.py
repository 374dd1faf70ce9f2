"""MTA-STS: what one tenant's mail does to the policies that another tenant's mail goes by. The kind of fault: mail for a domain whose
policy counts, or can be found out, leaves without it because of another tenant: what was kept is dropped for what the other one has,
what could not be done for the other one is told to everybody, or one's questions wait in the other one's turn.
"""

import os
import re
import signal
import sqlite3
import threading
import time

import pytest

from apart import STREAMS, few_places, tenants
from conftest import wait_for
from slow_dns import SlowDns
from test_fetcher import children_of, fetcher_of
from test_sts import world  # noqa: F401: a fixture

BY_POLICY = ("deferred", "sts", "certificate-host-mismatch")  # whoever answers for the domain has no certificate for its host


@pytest.fixture
def dns():
    """It says nothing of what quiet domains publish, and takes its time for where the late one's policy is."""
    def slow(name, kind):
        if name == "mta-sts.late.test" and kind == "A":
            return made.zone[(name, kind)], 0.3
        return ("SILENCE", 0) if name.startswith("_mta-sts.quiet") else None

    made = SlowDns(slow)
    yield made
    made.stop()


def begin(world, relay_factory, *names, before=None):  # noqa: F811
    relay = relay_factory(STREAMS)
    relay.environment = {"SSL_CERT_FILE": str(world.path / "ca.pem")}
    if before:
        before(relay)
    return relay, tenants(relay, *names)


def outcomes(relay, rcpt):
    """What became of it, by what policy, at each attempt."""
    lines = [line for line in relay.log().splitlines() if f"rcpt={rcpt}" in line]
    words = [(line.split()[1], *[(re.search(rf"{key}=(\S+)", line) or [0, ""])[1] for key in ("tls_policy", "tls_result")]) for line in lines]
    return [w for w in words if w[0] in ("delivered", "deferred", "bounced")]


def first_outcome(relay, rcpt, timeout=30):
    wait_for(lambda: outcomes(relay, rcpt), timeout)
    return outcomes(relay, rcpt)[0]


def taken_over(world, *domains):  # noqa: F811
    """Each has a policy that is enforced; who answers in its host's place has no certificate for its name."""
    for domain in domains:
        world.policy(domain)
        world.domain(domain, names=["elsewhere.test"])


def slow_domains(world, count, host="shared"):  # noqa: F811
    """So many at a policy host that says nothing."""
    names = [f"{host}{n}.test" for n in range(count)]
    held = threading.Event()
    return names, world.policies_at_one_host(names, f"mx.{host}.test", lambda client: held.wait(120)), held


def kept(relay):
    """Whose each domain is."""
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        rows = database.execute("SELECT domain, tenant FROM sts_policy").fetchall()
    database.close()
    return dict(rows)


def fill(relay, tenant, count, names=500):
    """So many policies, usually of 50 KB, of domains that this tenant has mail for, as if they had just been fetched."""
    mx = "".join(f"{n:04}.{'a' * 50}.{'b' * 43}.test\n" for n in range(names))
    now = int(time.time() * 1000)
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        database.executemany(
            "INSERT INTO sts_policy(domain, tenant, id, mode, max_age, mx, raw, fetched_at, expires, last_used) "
            "VALUES(?, ?, '1', 'enforce', 864000, ?, x'', ?, ?, ?)",
            [(f"b{n}.test", tenant, mx, now, now + 864000000, now) for n in range(count)])
    database.close()


@pytest.mark.memory
def test_a_policy_that_is_kept_is_not_dropped_for_another_tenants_sake(world, relay_factory):  # noqa: F811
    """Both have mail for it; then one has mail for so many domains with large policies that there is no room. Over a restart."""
    world.policy("a.test")
    world.domain("a.test")
    world.domain("next.test")
    relay, senders = begin(world, relay_factory, "eve", "bob")
    for tenant in ("eve", "bob"):
        senders[tenant].send([f"{tenant}@a.test"], "kept", "news", f"hello@{tenant}.test")
        assert first_outcome(relay, f"{tenant}@a.test")[1:] == ("sts", "ok")
    wait_for(lambda: kept(relay)["a.test"] == "*", 60)
    relay.stop()
    fill(relay, "eve", 400)
    relay.start()
    for sender in senders.values():
        sender.log_in()
    senders["eve"].send(["x@next.test"], "one more", "news", "hello@eve.test")
    wait_for(lambda: len(kept(relay)) < 380, 60)
    assert kept(relay)["a.test"] == "*"
    world.hosts["mx.a.test"].context = None  # and who is on the path takes TLS away
    world.policies["a.test"].stop()
    senders["bob"].send(["last@a.test"], "last", "news", "hello@bob.test")
    assert first_outcome(relay, "last@a.test") == ("deferred", "sts", "starttls-not-supported")


def test_mail_leaves_though_the_policies_of_its_tenant_fill_the_memory(world, relay_factory):  # noqa: F811
    """DNS says nothing of one domain's policy, the policy host of another one is down, a third one has none: what is known of that stays."""
    for domain in ("quiet.test", "down.test", "free.test"):
        world.domain(domain)
    world.policy("down.test").stop()
    relay, senders = begin(world, relay_factory, "eve")
    relay.stop()
    fill(relay, "eve", 17000, names=1)
    relay.start()
    senders["eve"].log_in()
    results = {"quiet.test": "sts-policy-fetch-error", "down.test": "sts-policy-fetch-error", "free.test": "ok"}
    for n in range(2):
        for domain, result in results.items():
            senders["eve"].send([f"x{n}@{domain}"], "hello", "news", "hello@eve.test")
            assert first_outcome(relay, f"x{n}@{domain}", 40) == ("delivered", "opportunistic", result)
    assert relay.log().count("sts_failed") == 1
    assert world.dns.asked.count(("free.test", "MX")) == 1


def test_a_policy_that_may_not_be_kept_is_found_once_though_another_ones_mail_found_none(world, relay_factory):  # noqa: F811
    """DNS does not answer for one; then it does, and what it leads to counts for the other one's mail, which has waited for it."""
    taken_over(world, "once.test")
    world.policy("once.test", max_age=0)
    world.dns.add("_mta-sts.once.test", "TXT", "SERVFAIL")
    relay, senders = begin(world, relay_factory, "eve", "bob")
    senders["eve"].send(["eve@once.test"], "without", "news", "hello@eve.test")
    assert first_outcome(relay, "eve@once.test") == ("delivered", "opportunistic", "sts-policy-fetch-error")
    world.record("once.test", "v=STSv1; id=1;")
    time.sleep(6)  # libunbound remembers a failure for five seconds
    senders["bob"].send(["bob@once.test"], "wanted", "news", "hello@bob.test")
    assert first_outcome(relay, "bob@once.test", 90) == BY_POLICY
    assert len(world.policies["once.test"].requests) <= 2  # and once past all caches before it waits


@pytest.mark.memory
def test_what_one_tenant_has_no_turn_for_is_no_failure_of_the_domain(world, relay_factory):  # noqa: F811
    """One has mail for hundreds of domains with a silent policy host, then mail for others, which another tenant has mail for, too."""
    names, host, held = slow_domains(world, 260)
    taken_over(world, "wanted.test", "late.test")
    relay, senders = begin(world, relay_factory, "eve", "bob")
    for start in range(0, 260, 65):
        senders["eve"].send([f"x@{d}" for d in names[start:start + 65]], "slow", "news", "hello@eve.test")
    wait_for(lambda: host.now >= 4, 30)
    wait_for(lambda: {f"mta-sts.{d}" for d in names} <= {name for name, kind in world.dns.asked}, 60)
    for tenant in ("eve", "bob"):
        senders[tenant].send([f"{tenant}@late.test"], "at the same time", "news", f"hello@{tenant}.test")
    assert first_outcome(relay, "bob@late.test") == BY_POLICY
    senders["eve"].send(["eve@wanted.test"], "wanted", "news", "hello@eve.test")
    assert first_outcome(relay, "eve@wanted.test") == BY_POLICY
    for stream in ("news", "code"):
        senders["bob"].send([f"{stream}@wanted.test"], "wanted", stream, "hello@bob.test")
        assert first_outcome(relay, f"{stream}@wanted.test") == BY_POLICY
    assert not relay.log().count("sts_failed") and host.now > 0
    held.set()


@pytest.mark.memory
def test_a_code_waits_ten_seconds_for_a_policy_however_many_wait_before_it(world, relay_factory):  # noqa: F811
    """Of its own tenant, for the same silent policy host. A code for a domain whose policy is elsewhere is by that at once."""
    names, host, held = slow_domains(world, 300)
    taken_over(world, "wanted.test")
    relay, senders = begin(world, relay_factory, "eve")
    for start in range(0, 299, 65):
        senders["eve"].send([f"x@{d}" for d in names[start:min(start + 65, 299)]], "slow", "code", "hello@eve.test")
    wait_for(lambda: {f"mta-sts.{d}" for d in names[:299]} <= {name for name, kind in world.dns.asked}, 60)
    for domain in ("wanted.test", names[299]):
        senders["eve"].send([f"code@{domain}"], "code", "code", "hello@eve.test")
    assert first_outcome(relay, "code@wanted.test") == BY_POLICY
    assert first_outcome(relay, f"code@{names[299]}", 60) == ("delivered", "opportunistic", "sts-policy-fetch-error")
    line = next(line for line in relay.log().splitlines() if f"rcpt=code@{names[299]}" in line and " delivered " in line)
    assert int(re.search(r" delay_ms=(\d+)", line)[1]) >= 10000
    held.set()


@pytest.mark.memory
def test_who_has_asked_for_all_kinds_of_mail_decides_for_nobody_else(world, relay_factory):  # noqa: F811
    """One's news and its security mail wait for a policy, behind others of its own: others' mail is by the policy at once."""
    slow = [slow_domains(world, 24, host) for host in ("one", "two")]
    taken_over(world, "late.test")
    relay, senders = begin(world, relay_factory, "eve", "bob", "carl")
    for stream in ("news", "code"):
        senders["eve"].send([f"{stream}@late.test"], "wanted", stream, "hello@eve.test")
    for names, _, _ in slow:
        senders["eve"].send([f"x@{d}" for d in names[:12]], "slow", "news", "hello@eve.test")
        senders["eve"].send([f"x@{d}" for d in names[12:]], "slow", "code", "hello@eve.test")
    wait_for(lambda: sum(host.now for _, host, _ in slow) >= 16, 30)
    for tenant in ("bob", "carl"):
        senders[tenant].send([f"{tenant}@late.test"], "wanted", "code", f"hello@{tenant}.test")
    for tenant in ("bob", "carl"):
        assert first_outcome(relay, f"{tenant}@late.test") == BY_POLICY
    assert len(world.policies["late.test"].requests) == 1
    for _, _, held in slow:
        held.set()


def test_a_code_waits_for_a_policy_as_long_as_codes_do_whoever_has_asked_before(world, relay_factory):  # noqa: F811
    """The policy host says nothing. The domain is looked up for plain mail of one, then, as that is slow, of another one, and then for a
    code, which goes on after ten seconds, while the others wait for a minute."""
    names, host, held = slow_domains(world, 1)
    relay, senders = begin(world, relay_factory, "eve", "bob")
    senders["eve"].send([f"eve@{names[0]}"], "slow", "news", "hello@eve.test")
    wait_for(lambda: host.now == 1, 30)
    time.sleep(2.5)  # so long it is not slow
    senders["bob"].send([f"bob@{names[0]}"], "slow", "news", "hello@bob.test")
    wait_for(lambda: relay.json("sts", "show", names[0])["standing"]["busy"], 30)
    senders["eve"].send([f"code@{names[0]}"], "code", "code", "hello@eve.test")
    assert first_outcome(relay, f"code@{names[0]}", 90) == ("delivered", "opportunistic", "sts-policy-fetch-error")
    assert not outcomes(relay, f"eve@{names[0]}") and not outcomes(relay, f"bob@{names[0]}")
    held.set()


def test_nobodys_questions_wait_in_another_tenants_turn(world, relay_factory, tmp_path):  # noqa: F811
    """One has mail for many domains of which DNS says nothing, and behind it for one that another tenant has mail for, too."""
    taken_over(world, "wanted.test")
    world.host("mx.shared.test")
    names = [f"quiet{n}.test" for n in range(200)]
    for name in names:
        world.dns.add(name, "MX", "10 mx.shared.test.")
    relay, senders = begin(world, relay_factory, "eve", "bob", before=lambda relay: few_places(relay, tmp_path, 428))
    senders["eve"].send([f"x@{d}" for d in names[:100]], "slow", "news", "hello@eve.test")
    wait_for(lambda: any(name.startswith("_mta-sts.quiet") for name, _ in world.dns.asked), 30)
    senders["eve"].send(["eve@wanted.test"], "wanted", "news", "hello@eve.test")
    senders["eve"].send([f"x@{d}" for d in names[100:]], "slow", "news", "hello@eve.test")
    wait_for(lambda: relay.json("sts", "show", "wanted.test")["standing"]["busy"], 30)
    senders["bob"].send(["bob@wanted.test"], "wanted", "news", "hello@bob.test")
    assert first_outcome(relay, "bob@wanted.test") == BY_POLICY


def test_a_fetcher_that_ends_is_no_failure_of_the_domain(world, relay_factory):  # noqa: F811
    """It is killed while the policy host is asked, with what it has begun."""
    taken_over(world, "wanted.test")
    host = world.policies["wanted.test"]
    answer, held = host.reply, threading.Event()
    host.reply = lambda client: held.wait(60) and client.sendall(answer)
    relay, senders = begin(world, relay_factory, "bob")
    senders["bob"].send(["bob@wanted.test"], "wanted", "news", "hello@bob.test")
    wait_for(lambda: host.now == 1, 30)
    fetcher = fetcher_of(relay)
    for pid in (fetcher, *children_of(fetcher)):
        os.kill(pid, signal.SIGKILL)
    held.set()
    assert first_outcome(relay, "bob@wanted.test", 50) == BY_POLICY
    assert not relay.log().count("sts_failed")
