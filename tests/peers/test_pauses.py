"""A receiver refuses mail for its source, its sending domain or as a mailbox gets too much: such mail waits, and no other. The kind of
fault is a refusal that goes on being provoked, message by message; and one that, by whoever receives mail, stops other mail."""

import time

import pytest

from apart import Sender, tenants
from conftest import wait_for

STREAMS = """
stream "news" { class = "digest"  unsubscribe = "none"  retry = {2} }
stream "code" { class = "security"  retry = {2} }
"""
LISTED = "450 4.7.1 Your IP is listed by an RBL"
RATE = "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address."
GOOGLE = "gmail-smtp-in.l.google.com"

pytestmark = pytest.mark.memory


class Host:
    """Refuses by script: `refuses` maps what a line holds to the answer; it writes down what it has refused."""

    def __init__(self, mailhost, **where):
        self.refuses, self.refused = {}, []
        self.host = mailhost(self.answer, **where)

    def answer(self, line, connection):
        for part, said in list(self.refuses.items()):
            if part in line:
                self.refused.append(line)
                return said
        return None

    def taken(self, part=""):
        return [m for m in self.host.messages if any(part in r for r in m.recipients)]


def pauses(relay, name):
    rows = [r for r in relay.json("destination", "list") if r["destination"] == name]
    return rows[0].get("pauses", []) if rows else []


def kinds(relay, kind):
    return relay.json("events", "--kind", kind, "--limit", "1000")


def quiet(seconds=3):
    time.sleep(seconds)  # two tries of what is refused, if it were tried


def test_mail_waits_for_one_that_is_refused_for_its_source(relay_factory, mailhost, dns, delivery_port):
    """One tenant's mail to that domain: neither another tenant's, nor his to another domain of the same hosts."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("other.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    senders = tenants(relay := relay_factory('alert { command = "/bin/true" }' + STREAMS), "eve", "bob")
    name = f"mx.dest.test:{delivery_port}"
    host.refuses["RCPT TO:<e"] = LISTED
    senders["eve"].send("e0@dest.test", "first", sender="hello@eve.test")
    row = wait_for(lambda: pauses(relay, name), 20, 0.1)[0]
    assert (row["tenant"], row["domain"], row["kind"], row["state"], row["row"]) == ("eve", "dest.test", "mail", "paused", "reputation"), row
    assert "RBL" in row["why"] and 580 < row["until"] / 1000 - time.time() <= 601 and row["until"] > row["since"], row
    host.refuses.clear()
    for i in range(20):
        senders["eve"].send(f"x{i}@dest.test", f"waits {i}", "code" if i % 2 else "news", "hello@eve.test")
        senders["eve"].send(f"x{i}@other.test", f"eve {i}", sender="hello@eve.test")
        senders["bob"].send(f"x{i}@dest.test", f"bob {i}", sender="hello@bob.test")
    wait_for(lambda: len(host.host.messages) == 40, 30, 0.1)
    quiet()
    assert len(host.host.messages) == 40 and len(host.refused) == 1
    text = relay.command("destination", "show", name)
    assert "paused" in text and "mail of eve to dest.test; reputation: 450 4.7.1" in text, text
    listed = {r["destination"]: r for r in relay.json("destination", "list")}
    assert listed[name]["pauses"][0]["tenant"] == "eve"
    told = kinds(relay, "mail_paused")
    assert len(told) == 1 and told[0]["recipient"].startswith(name) and "mail of tenant eve to dest.test" in told[0]["reply"], told
    assert "pauses of its mail that have ended: 1" in relay.command("destination", "resume", name)
    wait_for(lambda: len(host.host.messages) == 61, 40, 0.1)
    assert not pauses(relay, name) and len(kinds(relay, "mail_resumed")) == 1
    assert "had no rest" in relay.command("destination", "resume", name)


def test_one_message_finds_out_the_most_urgent_first(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    relay = relay_factory(STREAMS).start()
    sender, name = Sender(relay), f"mx.dest.test:{delivery_port}"
    host.refuses["RCPT"] = LISTED
    sender.send("a@dest.test", "first")
    wait_for(lambda: pauses(relay, name), 20, 0.1)
    for i in range(20):
        sender.send(f"n{i}@dest.test", f"news {i}")
    sender.send("code@dest.test", "code", "code")
    quiet()
    assert len(host.refused) == 1
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(host.refused) == 2, 20, 0.1)
    quiet()
    assert len(host.refused) == 2 and "code@" in host.refused[1], host.refused
    row = pauses(relay, name)[0]
    assert row["state"] == "paused" and row["for_s"] == 600, row  # asked before its time: that makes it no longer
    host.refuses.clear()
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(host.host.messages) == 22, 60, 0.1)
    assert len(kinds(relay, "mail_resumed")) == 1 and len(kinds(relay, "mail_paused")) == 2


def test_two_tenants_that_meet_it_show_that_it_is_everybodys(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    senders = tenants(relay := relay_factory(STREAMS), "eve", "bob", "amy")
    name = f"mx.dest.test:{delivery_port}"
    host.refuses["MAIL FROM"] = "550 5.7.1 Your IP is listed by an RBL"
    for who in ("eve", "bob"):
        senders[who].send("x@dest.test", "first", sender=f"hello@{who}.test")
        wait_for(lambda: [p for p in pauses(relay, name) if p["tenant"] == who], 20, 0.1)
    assert {(p["tenant"], p["domain"]) for p in pauses(relay, name)} == {("eve", ""), ("bob", ""), ("", "")}
    host.refuses.clear()
    senders["amy"].send("x@dest.test", "hers", "code", "hello@amy.test")
    quiet()
    assert not host.host.messages
    relay.command("destination", "resume", name)
    wait_for(lambda: len(host.host.messages) == 1, 20, 0.1)


def test_who_leads_domains_to_a_provider_stops_no_mail_there(relay_factory, mailhost, dns, delivery_port):
    """His domains' mail is refused by the provider's hosts, as he has told them, to all tenants: mail to others there goes on."""
    for domain in ["gmail.test", *[f"evil{i}.test" for i in range(6)]]:
        dns.mail(domain, f"{GOOGLE}=127.0.0.1")
    host = Host(mailhost)
    senders = tenants(relay := relay_factory(STREAMS), "eve", "bob", "amy")
    host.refuses["@evil"] = RATE
    for i in range(6):
        for who in ("eve", "bob"):
            senders[who].send(f"x@evil{i}.test", "evil", sender=f"hello@{who}.test")
    wait_for(lambda: len(host.refused) >= 12, 40, 0.1)
    paused = {(p["tenant"], p["domain"]) for p in pauses(relay, f"google:{delivery_port}") if p["state"] == "paused"}
    assert all(domain.startswith("evil") for _, domain in paused) and ("eve", "evil0.test") in paused, paused
    for i in range(20):
        for who in ("eve", "bob", "amy"):
            senders[who].send(f"{who}{i}@gmail.test", f"good {i}", "code" if i % 2 else "news", f"hello@{who}.test")
    wait_for(lambda: len(host.taken("@gmail.test")) == 60, 60, 0.1)
    quiet()
    assert len(host.refused) < 20, len(host.refused)


@pytest.mark.parametrize("code", ["421 4.7.0", "451 4.7.0", "553 5.7.2"])
def test_what_is_said_before_a_recipient_is_named_is_about_all_domains_there(relay_factory, mailhost, dns, delivery_port, code):
    """Of that tenant; whether the server then hangs up, asks to come later, or never."""
    for domain in ("yahoo.test", "aol.test"):
        dns.mail(domain, "mta5.am0.yahoodns.net=127.0.0.1")
    host = Host(mailhost)
    senders = tenants(relay := relay_factory(STREAMS), "eve", "bob")
    host.refuses["MAIL FROM:<hello@eve"] = f"{code} [TSS04] Messages from 192.0.2.10 temporarily deferred due to unexpected volume or user complaints"
    senders["eve"].send("x@yahoo.test", "first", sender="hello@eve.test")
    row = wait_for(lambda: pauses(relay, f"yahoo:{delivery_port}"), 20, 0.1)[0]
    assert (row["tenant"], row["domain"], row["row"], row["for_s"]) == ("eve", "", "yahoo-deferred", 1200), row
    host.refuses.clear()
    refused = len(host.refused)
    senders["eve"].send("y@aol.test", "waits", "code", "hello@eve.test")
    senders["bob"].send("y@aol.test", "goes", sender="hello@bob.test")
    wait_for(lambda: host.host.messages, 30, 0.1)
    quiet(8)
    assert len(host.host.messages) == 1 and len(host.refused) == refused


def test_the_providers_own_domain_waits_ten_minutes(relay_factory, mailhost, dns, delivery_port):
    """The same reply of another's host only slows, as nothing is known of it."""
    dns.mail("gmail.test", f"{GOOGLE}=127.0.0.1")
    dns.mail("dest.test", "mx.dest.test=127.0.0.2")
    google, other = Host(mailhost), Host(mailhost, host="127.0.0.2")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for host in (google, other):
        host.refuses["RCPT TO:<x"] = RATE
    for domain in ("gmail.test", "dest.test"):
        sender.send(f"x@{domain}", "first")
    row = wait_for(lambda: pauses(relay, f"google:{delivery_port}"), 20, 0.1)[0]
    assert row["row"] == "google-rate-of-source" and row["domain"] == "gmail.test" and row["for_s"] == 600, row
    wait_for(lambda: other.refused, 20, 0.1)
    sender.send("y@gmail.test", "waits", "code")
    sender.send("y@dest.test", "goes", "code")
    wait_for(lambda: other.taken("y@"), 20, 0.1)
    quiet()
    assert len(google.refused) == 1 and not google.host.messages
    assert not pauses(relay, f"mx.dest.test:{delivery_port}")


def test_a_sending_domain_waits_and_others_go_on(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("other.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    relay = relay_factory(STREAMS)
    relay.add_domain("shop.test")
    secret = relay.json("user", "add", "both", "--domain", "club.test", "--domain", "shop.test")["secret"]
    relay.start()
    sender, name = Sender(relay, user="both", secret=secret), f"mx.dest.test:{delivery_port}"
    host.refuses["RCPT TO:<first@"] = "550 5.7.23 SPF check failed"
    sender.send("first@dest.test", "first", sender="hello@club.test")
    row = wait_for(lambda: pauses(relay, name), 20, 0.1)[0]
    assert (row["kind"], row["about"], row["domain"]) == ("sender_domain", "club.test", "dest.test"), row
    for i in range(10):
        sender.send(f"x{i}@dest.test", f"waits {i}", "code", "hello@club.test")
        sender.send(f"x{i}@other.test", f"goes {i}", sender="hello@club.test")
        sender.send(f"y{i}@dest.test", f"shop {i}", sender="hello@shop.test")
    wait_for(lambda: len(host.host.messages) == 20, 30, 0.1)
    quiet()
    assert len(host.host.messages) == 20 and not host.taken("x0@dest")
    told = kinds(relay, "mail_paused")
    assert len(told) == 1 and "club.test" in told[0]["reply"] and "sealpost dns club.test --check" in told[0]["reply"], told
    assert "mail of default from club.test to dest.test; authentication" in relay.command("destination", "show", name)
    relay.command("destination", "resume", name)
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(host.host.messages) == 30, 30, 0.1)


def test_a_mailbox_that_gets_too_much_waits_alone(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    relay = relay_factory(STREAMS).start()
    sender, name = Sender(relay), f"mx.dest.test:{delivery_port}"
    host.refuses["RCPT TO:<bob@"] = "450 4.2.1 The user you are trying to contact is receiving mail too quickly"
    sender.send("bob@dest.test", "first")
    row = wait_for(lambda: pauses(relay, name), 20, 0.1)[0]
    assert (row["kind"], row["about"]) == ("mailbox", "bob@dest.test"), row
    for i in range(10):
        sender.send("bob@dest.test", f"bob {i}")
        sender.send(f"eve{i}@dest.test", f"eve {i}")
    wait_for(lambda: len(host.host.messages) == 10, 30, 0.1)
    quiet()
    shown = relay.json("destination", "show", name)
    assert len(host.refused) == 1 and shown["failures"] == 0 and shown["rests_s"] == 0 and "speed" not in shown, shown
    assert not kinds(relay, "mail_paused")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_a_pause_is_known_after_a_restart(relay_factory, mailhost, dns, delivery_port, how):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = Host(mailhost)
    relay = relay_factory(STREAMS).start()
    sender, name = Sender(relay), f"mx.dest.test:{delivery_port}"
    host.refuses["RCPT"] = LISTED
    sender.send("a@dest.test", "first")
    before = wait_for(lambda: pauses(relay, name), 20, 0.1)[0]
    time.sleep(5)  # until it is written down
    if how == "kill":
        relay.kill()
    else:
        relay.stop()
    relay.start()
    after = pauses(relay, name)[0]
    assert {k: after[k] for k in ("tenant", "domain", "why", "row", "state")} == {k: before[k] for k in ("tenant", "domain", "why", "row", "state")}
    assert abs(after["until"] - before["until"]) < 2000 and abs(after["since"] - before["since"]) < 2000, (before, after)
    sender.log_in()
    sender.send("b@dest.test", "second", "code")
    quiet()
    assert len(host.refused) == 1
    host.refuses.clear()
    relay.command("destination", "resume", name)
    wait_for(lambda: len(host.host.messages) == 2, 30, 0.1)
    relay.stop()
    relay.start()
    assert "pauses" not in str(relay.json("destination", "list"))
