"""What a receiver means by a refusal: the category and the rule in the log and in the events, who is suppressed by it, and the command
that explains it."""

import json
import time

import pytest

from apart import STREAMS, tenants
from conftest import wait_for
from test_delivery import Script

# Local part of the recipient: the answer to its RCPT, the category, what becomes of it.
ANSWERS = {
    "gone": ("550 5.1.1 <spam.policy@relay.test>: Recipient address rejected: User unknown", "mailbox_unknown", "bounced"),
    "words": ("550 sorry, no mailbox here by that name", "mailbox_unknown", "bounced"),
    "nowhere": ("550 5.1.2 Recipient address rejected: Domain not found", "domain_unknown", "bounced"),
    "off": ("550 5.2.1 This mailbox is disabled", "mailbox_disabled", "bounced"),
    "full": ("552 5.2.2 Mailbox full", "mailbox_full", "bounced"),
    "listed": ("550 5.1.1 Your IP is listed by an RBL", "reputation", "bounced"),
    "spf": ("550 5.7.23 SPF check failed", "auth_failed", "bounced"),
    "relay": ("554 5.7.1 Relay access denied", "relay_denied", "bounced"),
    "grey": ("450 4.2.0 Greylisted, try again in 300 seconds", "greylisted", "deferred"),
    "rate": ("450 4.2.1 The user you are trying to contact is receiving mail too quickly", "recipient_rate", "deferred"),
    "down": ("451 4.3.0 Internal server error", "server_error", "deferred"),
    "what": ("550 Zeitgeist", "unknown", "bounced"),
}

APART = {"listed", "spf"}  # other mail to their domain waits because of them: test_pauses.py


@pytest.fixture
def script(delivery_port):
    def answer(line):
        who = line.partition("RCPT TO:<")[2].partition("@")[0]
        return ANSWERS[who][0] if who in ANSWERS else None

    server = Script(delivery_port, answer)
    yield server
    server.stop()


def lines_of(relay, id, kind):
    return [line for line in relay.log().splitlines() if f" {kind} " in line and f"id={id} " in line]


def test_log_and_events_say_what_a_refusal_means(relay_factory, dns, script):
    for domain in ("dest.test", *(f"{who}.test" for who in APART)):
        dns.mail(domain, "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    sent = {who: relay.send(to=f"{who}@{who if who in APART else 'dest'}.test") for who in ANSWERS}
    fine = relay.send(to="fine@dest.test")
    for who, (reply, category, kind) in ANSWERS.items():
        event = relay.wait_kind(sent[who], kind)[0]
        assert event["category"] == category and event["rule"], (who, event)
        line = wait_for(lambda: lines_of(relay, sent[who], kind), 20)[0]
        assert f" category={category} rule={event['rule']} " in line, line
    assert "category" not in relay.wait_kind(fine, "delivered")[0]
    rows = {row["address"].split("@")[0]: row for row in relay.json("suppress", "list")}
    assert set(rows) == {"gone", "words", "nowhere"}
    for who, days in (("gone", 90), ("nowhere", 30)):
        assert abs(rows[who]["expires"] / 1000 - time.time() - days * 86400) < 600, rows[who]
    said = [e for e in relay.json("events") if e["recipient"] == "off@dest.test" and e["kind"].startswith("suppress_")]
    assert [e["kind"] for e in said] == ["suppress_answered"]  # it counts, and does not hold yet


def test_what_the_relay_says_itself_means_nothing(relay_factory, dns):
    """No connection: nobody has said anything."""
    dns.mail("away.test", "mx.away.test=127.0.0.9")
    relay = relay_factory().start()
    event = relay.wait_kind(relay.send(to="bob@away.test"), "deferred")[0]
    assert "category" not in event and "rule" not in event, event


# REPLY, options, category, about, rule or None, class, on how many days it suppresses.
EXPLAINED = [
    ("550 5.1.1 The email account that you tried to reach does not exist", ["--mx", "gmail-smtp-in.l.google.com"], "mailbox_unknown", "mailbox",
     "google-no-account", "permanent", 1),
    ("550-5.1.1 The email account that you\\n550 5.1.1 tried to reach does not exist", [], "mailbox_unknown", "mailbox", None, "permanent", 1),
    ("550 5.5.0 Requested action not taken: mailbox unavailable", ["--mx", "mx00.gmx.net"], "recipient_refused", "mailbox", None, "permanent", 0),
    ("550 5.1.1 User unknown", ["--stage", "mail"], None, "sender", None, "permanent", 0),
    ("550 5.1.1 User unknown", ["--stage", "data"], "mailbox_unknown", "mailbox", None, "permanent", 0),
    ("525 5.7.13 User account disabled", [], "mailbox_disabled", "mailbox", None, "permanent", 2),
    ("554 5.7.1 spam", ["--stage", "data"], "content_refused", "message", None, "permanent", 0),
    ("550 5.7.25 Reverse DNS", ["--stage", "connect"], "auth_failed", "source", None, "permanent", 0),
    ("421 4.3.2 Service not available", [], "server_error", "server", None, "retry", 0),
    ("552 Too many recipients", [], "rate_limited", "message", None, "retry", 0),
    ("550", [], "unknown", "mailbox", "digit-5", "permanent", 0),
]


@pytest.mark.memory
@pytest.mark.parametrize("reply, options, category, about, rule, kind, days", EXPLAINED)
def test_a_reply_is_explained(relay_factory, reply, options, category, about, rule, kind, days):
    relay = relay_factory()
    said = json.loads(relay.command("--json", "reply", "explain", reply, *options))
    assert category in (None, said["category"]) and said["about"] == about and rule in (None, said["rule"]), said
    assert (said["class"], said["suppress"], said["suppress_after"]) == (kind, days > 0, days), said
    text = relay.command("reply", "explain", reply, *options)
    shown = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert shown["category"] == said["category"] and shown["about"] == about and shown["class"] == kind
    assert shown["rule"] == f"{said['rule']} ({said['by']})" and shown["follows"] == said["follows"]
    assert ("suppressed" in shown["follows"]) == (days > 0) and ("two days" in shown["follows"]) == (days == 2)


FOLLOWS = {  # as delivery.md has it
    "450 4.2.0 greylisted, come again in 300 seconds": ("rcpt", "tried again when the reply asks for it"),
    "450 4.2.0 greylisted": ("rcpt", "just after five minutes"),
    "421 4.7.0 Try again later": ("connect", "destination rests, and no attempt is counted"),
    "554 5.7.1 no mail from there": ("connect", "destination rests, and no attempt is counted"),
    "421 4.3.2 closing": ("mail", "another host is tried; else it is tried again by the schedule"),
    "451 4.3.0 disk": ("data", "it is tried again by the schedule"),
}


@pytest.mark.parametrize("reply", FOLLOWS)
def test_what_follows_is_what_a_delivery_does(relay_factory, reply):
    stage, follows = FOLLOWS[reply]
    said = json.loads(relay_factory().command("--json", "reply", "explain", reply, "--stage", stage))
    assert follows in said["follows"], said


def test_what_is_no_refusal_is_not_explained(relay_factory):
    relay = relay_factory()
    for arguments, why in ((["250 OK"], "begins with a code"), (["No such user"], "begins with a code"), ([], "usage"),
                           (["550 x", "--stage", "body"], "--stage is connect, mail, rcpt or data"),
                           (["550 x", "--mx", "bad host!"], "--mx is a host name")):
        done = relay.command("reply", "explain", *arguments, check=False)
        assert done.returncode == 2 and why in done.stderr, (arguments, done.stderr)


@pytest.mark.parametrize("mx, by", [("mta5.am0.yahoodns.net", "provider"), ("mx.limit.example", "text")])
def test_a_provider_decides_where_the_host_is_its_own(relay_factory, mx, by):
    said = json.loads(relay_factory().command("--json", "reply", "explain", "421 4.7.0 [TSS04] rate limited", "--stage", "mail", "--mx", mx))
    assert (said["rule"], said["by"]) == ("yahoo-deferred", by), said


def test_an_accident_of_a_receiver_suppresses_nobody(relay_factory, dns, delivery_port):
    """The kind: a provider whose directory has failed says for an hour that none of its mailboxes exists, and all of them get no mail for
    three months. Whom it has said so of comes off the list, the operator is told once, and another tenant's mail there changes nothing:
    what is said of two mailboxes of his own suppresses them."""
    failed = {"now": True}
    server = Script(delivery_port, lambda line: "550 5.1.1 No such user here" if failed["now"] and line.startswith("RCPT") else None)
    dns.mail("dest.test", "mx1.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.1")
    settings = "".join(f'limit "{name}" {{ every = 1  burst = 1000  per_day = 0 }}\n' for name in ("notification", "tenant", "domain", "recipient"))
    relay = relay_factory(STREAMS + settings)
    senders = tenants(relay, "eve", "bob")

    def listed(tenant):
        return [row["address"] for row in relay.json("suppress", "list") if row["tenant"] == tenant]

    def heard(kind):
        return [e["reply"] for e in relay.json("events", "--kind", kind)]

    try:
        for n in range(60):
            senders["eve"].send(f"member{n}@dest.test", f"{n}", "news", "eve@eve.test")
        wait_for(lambda: sum(e["recipient"].startswith("member") for e in relay.json("events", "--kind", "bounced", "--limit", "1000")) == 60, 60)
        assert listed("eve") == []
        paused = heard("suppression_paused")
        assert len(paused) == 1 and paused[0].startswith("dest.test says of 20 of 20 recipients within ten minutes"), paused
        assert "19 entries were taken back" in paused[0]
        for n in range(2):
            senders["bob"].send(f"friend{n}@dest.test", f"{n}", "news", "bob@bob.test")
        wait_for(lambda: len(listed("bob")) == 2, 20)
        failed["now"] = False
        assert len(relay.json("audit", "tail")) and heard("suppression_resumed") == []
        for n in range(600):
            senders["eve"].send(f"member{n % 60}@dest.test", f"again {n}", "news", "eve@eve.test")
        wait_for(lambda: heard("suppression_resumed"), 60)
        assert len(heard("suppression_paused")) == 1 and listed("eve") == []
    finally:
        server.stop()
