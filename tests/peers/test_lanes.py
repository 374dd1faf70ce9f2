"""One domain's zone has no say in where another domain's mail goes. The kind of fault is a connection that was opened as one domain's DNS
says, and carries mail of another one whose DNS says something else: other hosts, or the same in another order of preference."""

import ssl
import time

import pytest

from apart import STREAMS, Sender
from conftest import wait_for
from mailhost import trusting

VICTIM, BACKUP, THIEF = "127.0.5.1", "127.0.5.2", "127.0.5.3"
ROUNDS = 6


def refuses_others(line, connection):
    """The victim's own servers take mail for the victim only; after other mail the connection is of no more use."""
    if line.startswith("RCPT") and "evil.test" in line:
        connection.spoiled = True
        return "550 5.7.1 relaying denied"
    return "HANG UP" if line.startswith("MAIL") and getattr(connection, "spoiled", False) else None


def refuses_all(line, connection):
    """A backup that knows nobody."""
    return "550 5.1.1 no such user here" if line.startswith("RCPT") else None


def spellings(name, count):
    letters = [i for i, c in enumerate(name) if c.isalpha()]
    for n in range(count):
        yield "".join(c.upper() if i in letters and n >> letters.index(i) & 1 else c for i, c in enumerate(name))


def certified(issue, *names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue(*names))
    return context


def victims_hosts(kind):
    if kind == "provider":
        return ["aspmx.l.google.com", "alt1.aspmx.l.google.com"]
    return ["mx0.victim.test"]


def more_than_are_used(kind):
    """The victim's hosts again and again, which are sure to be chosen, and many of evil's own, which have their turn."""
    hosts = victims_hosts(kind)
    count = 15 // len(hosts) + 1
    theirs = [s for h in hosts for s in ([h] * count if kind == "dup" else spellings(h, count))]
    own = list(spellings("z0.evil.test", 32)) if kind == "verify" else [f"z{i}.evil.test" for i in range(30)]
    return [f"10 {h}." for h in theirs + own]


@pytest.mark.parametrize("kind", ["case", "dup", "provider", "verify"])
def test_more_hosts_than_are_used_take_nobodys_mail(relay_factory, dns, mailhost, issue, tmp_path, kind):
    names = victims_hosts(kind)
    victim = mailhost(refuses_others, context=certified(issue, *names), host=VICTIM)
    thief = mailhost(context=certified(issue, "z0.evil.test"), host=THIEF)
    dns.add("victim.test", "MX", *[f"{i + 1} {n}." for i, n in enumerate(names)])
    dns.add("evil.test", "MX", *more_than_are_used(kind))
    for name in names:
        dns.add(name, "A", VICTIM)
    for i in range(30):
        dns.add(f"z{i}.evil.test", "A", THIEF)
    relay = relay_factory(STREAMS + ('route "*" { tls = "verify" }\n' if kind == "verify" else ""))
    sender = Sender(trusting(relay, tmp_path))
    for i in range(20):  # equal hosts have their turn: until one of evil's own has
        if not thief.messages:
            sender.send(f"first{i}@evil.test", f"first {i}")
            time.sleep(0.15)
    for i in range(ROUNDS):
        sender.send(f"e{i}@evil.test", f"evil {i}")
        time.sleep(0.2)
        sender.send(f"v{i}@victim.test", f"victim {i}")
        time.sleep(0.2)
    mine = [f"v{i}@victim.test" for i in range(ROUNDS)]
    wait_for(lambda: all(victim.reached(m) or thief.reached(m) for m in mine), 10)
    assert [m for m in mine if thief.reached(m)] == []


@pytest.mark.parametrize("kind", ["order", "equal"])
def test_another_zone_does_not_turn_the_order_round(relay_factory, dns, mailhost, kind):
    primary = mailhost(refuses_others, host=VICTIM)
    backup = mailhost(refuses_all, host=BACKUP)
    dns.mail("victim.test", f"mx0.victim.test={VICTIM}", f"mx1.victim.test={BACKUP}")
    dns.add("evil.test", "MX", "10 mx1.victim.test.", f"{20 if kind == 'order' else 10} mx0.victim.test.")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(ROUNDS):
        sender.send(f"e{i}@evil.test", f"evil {i}")
        time.sleep(0.2)
        sender.send(f"v{i}@victim.test", f"victim {i}")
        time.sleep(0.2)
    wait_for(lambda: all(primary.reached(f"v{i}@victim.test") for i in range(ROUNDS)), 10)
    assert not any("victim.test>" in line for c in backup.connections for line in c.lines if line.startswith("RCPT"))


def test_the_same_zone_shares_its_connections(relay_factory, dns, mailhost):
    """Domains with the same hosts in the same order, however they are written, use one connection."""
    host = mailhost(host=VICTIM)
    dns.mail("victim.test", f"mx0.victim.test={VICTIM}")
    dns.add("friend.test", "MX", "5 MX0.victim.test.", "7 mx0.Victim.test.")
    sender = Sender(relay_factory(STREAMS).start())
    for i, domain in enumerate(["victim.test", "friend.test"] * 4):
        sender.send(f"u{i}@{domain}", f"{domain} {i}")
        wait_for(lambda: host.reached(f"u{i}@{domain}"), 10)
    assert len(host.connections) <= 2
