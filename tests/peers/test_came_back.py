"""Kind: what comes back late is lost, or somebody who writes to the relay changes what he has no part in. Bounces, complaints and automatic
answers come over SMTP, as from other servers: true ones count once, all others change nothing, and nothing is ever sent because of them."""

import json
import random
import re
import smtplib
import socket
import sqlite3
import ssl

import pytest

from conftest import free_port, wait_for, wait_port
from mailhost import MailHost
from test_webhooks import endpoint  # noqa: F401  (a fixture)

DOMAIN = 'domain "club.test" { return_path = "bounce.club.test"  feedback_loop = on }\n'
BOUNCE = """From: MAILER-DAEMON@mx.dest.test
To: {token}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b

It failed.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.dest.test

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}
--b--
"""
GONE = {"action": "failed", "status": "5.1.1", "said": "550 5.1.1 No such user"}
COMPLAINT = """From: feedback@provider.test
To: fbl@bounce.club.test
Subject: FW: hello
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b"

--b

This is a report of abuse.
--b
Content-Type: message/feedback-report

Feedback-Type: {type}
User-Agent: Provider/1.0
Version: 1

--b
Content-Type: message/rfc822

Return-Path: <{token}>
From: <hello@club.test>
To: <bob@dest.test>
Subject: hello

hello
--b--
"""
AWAY = "From: bob@dest.test\nTo: {token}\nSubject: Re: hello\nAuto-Submitted: auto-replied (vacation)\n\nI am away. 550 5.1.1 no such user\n"
READ = """From: bob@dest.test
Content-Type: multipart/report; report-type=disposition-notification; boundary="b"

--b

read
--b
Content-Type: message/disposition-notification

Final-Recipient: rfc822; bob@dest.test
Disposition: manual-action/MDN-sent-manually; displayed
--b--
"""
PERSON = "From: bob@dest.test\nTo: hello@club.test\nSubject: Re: hello\n\nThank you. When does it begin?\n"


class Back:
    """A relay whose mail arrives somewhere, and the port that what comes back is brought to."""

    def __init__(self, relay_factory, dns, delivery_port, extra="", host=lambda port, back: MailHost(port), **options):
        self.port = free_port()
        self.host = host(delivery_port, self.port)
        dns.mail("dest.test", "mx.dest.test=127.0.0.1")
        self.relay = relay_factory(f'listener back {{ address = "127.0.0.1:{self.port}"  returns = on }}\n' + (extra or DOMAIN), **options)
        self.relay.start()
        wait_port(self.port)

    def sent(self, recipient="bob@dest.test", **options):
        """Whose message that is, and from where it came."""
        id = self.relay.send([recipient], **options)
        self.relay.wait_kind(id, "delivered", 60)
        return id, self.host.reached(recipient)[-1].sender

    def client(self):
        return smtplib.SMTP("127.0.0.1", self.port, timeout=60)

    def bring(self, to, text, client=None, sender=""):
        """The answers to RCPT and to the message; None: it did not come to that."""
        one = client or self.client()
        try:
            one.ehlo_or_helo_if_needed()
            one.mail(sender)
            code, said = one.rcpt(to)
            if code != 250:
                if code != 421:
                    one.rset()
                return (code, said), None
            return (code, said), one.data(text.replace("\n", "\r\n"))
        finally:
            if not client:
                one.close()

    def bounce(self, token, recipient="bob@dest.test", client=None, **fields):
        (code, _), said = self.bring(token, BOUNCE.format(token=token, recipient=recipient, **{**GONE, **fields}), client)
        return code, said and said[0]

    def kinds(self, id):
        return self.relay.kinds(id)

    def suppressed(self):
        return {(r["address"], r["reason"]) for r in self.relay.json("suppress", "list")}

    def stop(self):
        self.relay.stop()
        self.host.stop()


@pytest.fixture
def back(relay_factory, dns, delivery_port):
    made = []

    def make(extra="", **options):
        made.append(Back(relay_factory, dns, delivery_port, extra, **options))
        return made[-1]

    yield make
    for one in made:
        one.host.stop()


def forged(token, random=random.Random(7)):
    at = random.randrange(2, 34)
    return token[:at] + random.choice([c for c in "abcdefghijklmnopqrstuvwxyz234567" if c != token[at]]) + token[at + 1:]


@pytest.mark.memory
def test_a_late_bounce_is_an_event_after_the_end_and_suppresses(back, endpoint):
    b, taker = back("webhooks { allow_private = on }\n" + DOMAIN), endpoint()
    b.relay.json("webhook", "add", taker.url)
    id, token = b.sent()
    assert b.bounce(token.upper()) == (250, 250)
    assert b.kinds(id) == ["accepted", "delivered", "returned"]
    event = b.relay.json("trace", id)[-1]
    assert (event["recipient"], event["code"], event["enhanced"], event["category"]) == ("bob@dest.test", 550, "5.1.1", "mailbox_unknown")
    assert b.suppressed() == {("bob@dest.test", "bounce")}
    told = taker.wait(1, "returned")[0]["data"]
    assert (told["id"], told["recipient"], told["category"], told["sender"]) == (id, "bob@dest.test", "mailbox_unknown", "hello@club.test")
    b.relay.kill()
    b.relay.start()  # 250 was said of what is on the disk
    assert b.kinds(id)[-1] == "returned" and b.suppressed()


def test_what_is_forged_or_replayed_changes_nothing(back):
    b = back()
    id, token = b.sent()
    other, theirs = b.sent("amy@dest.test")
    with b.client() as client:
        assert b.bounce(token, client=client) == (250, 250)
    events = len(b.relay.json("events", "--limit", "1000"))
    for _ in range(8):
        with b.client() as client:  # the same again
            assert {b.bounce(token, client=client) for _ in range(100)} == {(250, 250)}
    for _ in range(50):
        with b.client() as client:  # a client that guesses is sent away
            assert [b.bounce(forged(theirs), client=client)[0] for _ in range(5)] == [550] * 4 + [421]
    assert len(b.relay.json("events", "--limit", "1000")) == events
    assert b.suppressed() == {("bob@dest.test", "bounce")} and b.kinds(other) == ["accepted", "delivered"]
    assert b.kinds(id).count("returned") == 1


def test_nothing_is_taken_for_others_and_all_hear_the_same(back):
    b = back('limits { size = "2M" }\n' + DOMAIN + 'domain "shop.test" { return_path = "bounce.shop.test" }\n')
    b.relay.add_domain("shop.test")
    id, token = b.sent()
    local = token.split("@")[0]
    assert re.fullmatch("b-[a-z2-7]{32}", local)
    wrong = [forged(token), f"{local}@bounce.shop.test", f"{local}@club.test", f"{local}@dest.test", "bob@dest.test", "hello@club.test",
             "fbl@bounce.shop.test", "postmaster", f"bob%dest.test@bounce.club.test", f'"{token}"@bounce.club.test', local[:-1] + "@bounce.club.test"]
    said = {b.bring(to, PERSON)[0] for to in wrong}
    assert said == {(550, b"5.1.1 No such address: only reports on mail that was sent are taken here")}
    with b.client() as client:
        code, offered = client.ehlo()
        assert code == 250 and b"AUTH" not in offered and b"DSN" not in offered and b"SIZE 4194304" in offered
        assert client.docmd("AUTH PLAIN AGEAYg==")[0] == 502
        assert client.mail("", ["SIZE=4194305"])[0] == 552
        client.mail("anybody@else.test")
        assert client.rcpt(token)[0] == 250 and client.rcpt(token)[0] == 452
        assert client.data(PERSON)[0] == 550  # nobody reads it, and its sender hears that
        client.mail("")
        client.rcpt(token)
        assert client.data("x: " + "y" * 500 + "\r\n\r\n" + ("z" * 900 + "\r\n") * 4700)[0] == 552
    assert b.kinds(id) == ["accepted", "delivered"] and not b.suppressed()
    assert len(b.host.messages) == 1 and b.relay.json("queue", "list") == []


def test_a_bounce_with_all_of_a_large_message_is_taken(back):
    """qmail, Domino and others return it whole: what is behind the first 256 KB is thrown away."""
    b = back()
    id, token = b.sent()
    text = BOUNCE.format(token=token, recipient="bob@dest.test", **GONE).replace("--b--\n", "--b\nContent-Type: message/rfc822\n\nSubject: x\n\n")
    assert b.bring(token, text + ("z" * 998 + "\n") * 20000 + "--b--\n")[1][0] == 250
    assert b.kinds(id)[-1] == "returned" and b.suppressed() == {("bob@dest.test", "bounce")}


def test_an_address_outlives_the_setting_that_made_it(back):
    b = back()
    (id, token), (other, theirs) = b.sent(), b.sent("amy@dest.test")
    text = b.relay.config.read_text()
    for setting, message, to, address in (('domain "club.test" { return_path = "back.club.test" }\n', id, "bob@dest.test", token),
                                          ('domain "club.test" { }\n', other, "amy@dest.test", theirs)):
        assert DOMAIN in text
        b.relay.config.write_text(text.replace(DOMAIN, setting))
        b.relay.reload()
        assert b.bring("fbl@bounce.club.test", PERSON)[0][0] == 550 and b.bounce(forged(address), to)[0] == 550
        assert b.bounce(address, to) == (250, 250)
        assert b.kinds(message)[-1] == "returned"


def test_a_complaint_counts_by_our_address_in_it_and_spares_security_mail(back):
    b = back('stream "login" { class = "security" }\n' + DOMAIN)
    id, token = b.sent()
    for text in (COMPLAINT.format(token=forged(token), type="abuse"), COMPLAINT.format(token="", type="abuse"),
                 COMPLAINT.format(token=token, type="not-spam"), BOUNCE.format(token=token, recipient="bob@dest.test", **GONE)):
        assert b.bring("fbl@bounce.club.test", text)[1][0] == 250
    assert b.kinds(id) == ["accepted", "delivered"] and not b.suppressed()
    for _ in range(2):
        assert b.bring("FBL@bounce.club.test", COMPLAINT.format(token=token, type="abuse"), sender="feedback@provider.test")[1][0] == 250
    assert b.kinds(id) == ["accepted", "delivered", "complained"] and b.suppressed() == {("bob@dest.test", "complaint")}
    with pytest.raises(AssertionError, match="has complained"):
        b.relay.send(["bob@dest.test"])
    b.sent(message="From: <hello@club.test>\r\nSealpost-Stream: login\r\nSubject: code\r\n\r\n123456\r\n")


def test_a_complaint_about_what_is_not_known_any_more_is_taken(back):
    """A provider can do nothing about a refusal, and would stop telling."""
    b = back()
    id, token = b.sent()
    b.relay.stop()
    with sqlite3.connect(b.relay.path / "state" / "state.db") as database:
        assert database.execute("DELETE FROM return_path").rowcount == 1
    database.close()
    b.relay.start()
    wait_port(b.port)
    assert b.bring("fbl@bounce.club.test", COMPLAINT.format(token=token, type="abuse"), sender="feedback@provider.test")[1] == (250, b"2.0.0 OK")
    assert b.bring(token, COMPLAINT.format(token=token, type="abuse"))[0][0] == 550  # its own address is over
    assert b.kinds(id) == ["accepted", "delivered"] and not b.suppressed()
    b.relay.stop()
    assert re.search(r"complaints_too_old.* 1\b|complaints_too_old.*=1\b", b.relay.log()), b.relay.log()[-1000:]


def test_each_of_many_recipients_has_an_address(back):
    b = back("limits { recipients = 400 }\n" + DOMAIN)
    to = [f"u{n}@dest.test" for n in range(300)]
    id = b.relay.send(to)
    wait_for(lambda: b.relay.kinds(id).count("delivered") == 300, 120, 0.5)
    tokens = {r: b.host.reached(r)[-1].sender for r in to}
    assert len(set(tokens.values())) == 300 and all(re.fullmatch("b-[a-z2-7]{32}@bounce.club.test", t) for t in tokens.values())
    for n in (0, 255, 256, 299):
        assert b.bounce(tokens[to[n]], to[n]) == (250, 250)
    returned = [e["recipient"] for e in b.relay.trace(id) if e["kind"] == "returned"]
    assert returned == [to[n] for n in (0, 255, 256, 299)]


def test_a_report_about_several_of_ours_is_about_the_one_whose_address_it_came_to(back):
    """Who got one address does not say what became of others, who got the same message."""
    b = back()
    id = b.relay.send(["bob@dest.test", "amy@dest.test", "eve@dest.test"])
    wait_for(lambda: b.relay.kinds(id).count("delivered") == 3, 60, 0.2)
    token = b.host.reached("eve@dest.test")[-1].sender
    text = BOUNCE.format(token=token, recipient="bob@dest.test", **GONE)
    block = text[text.index("Final-Recipient"):text.index("--b--")]
    several = text.replace("--b--", block.replace("bob@", "amy@") + "\n" + block.replace("bob@", "eve@").replace("5.1.1", "5.2.2").replace("No such user", "Mailbox full") + "--b--")
    assert b.bring(token, several)[1][0] == 250
    assert [(e["recipient"], e["enhanced"]) for e in b.relay.trace(id) if e["kind"] == "returned"] == [("eve@dest.test", "5.2.2")]
    assert not b.suppressed()
    bob = b.host.reached("bob@dest.test")[-1].sender
    crowd = text.replace("--b--", "".join(block.replace("bob@", f"x{n}@") + "\n" for n in range(300)) + "--b--")
    assert b.bring(bob, crowd)[1][0] == 250  # more than are read
    assert b.suppressed() == {("bob@dest.test", "bounce")}


def test_automatic_answers_and_delays_never_suppress(back):
    b = back()
    id, token = b.sent()
    for text in (AWAY, READ, BOUNCE.format(token=token, recipient="bob@dest.test", action="delayed", status="4.4.1", said="451 later"),
                 BOUNCE.format(token=token, recipient="bob@dest.test", action="delivered", status="2.0.0", said="250 ok")):
        for sender in ("", "bob@dest.test"):
            assert b.bring(token, text.format(token=token), sender=sender)[1][0] == 250
    assert b.kinds(id) == ["accepted", "delivered", "auto_replied", "late_delay"] and not b.suppressed()
    full, token = b.sent("full@dest.test")
    assert b.bounce(token, "full@dest.test", status="5.2.2", said="552 5.2.2 Mailbox full") == (250, 250)
    assert b.relay.json("trace", full)[-1]["category"] == "mailbox_full" and not b.suppressed()
    # It was forwarded, and what is not there is another mailbox: once is not enough.
    forwarded, token = b.sent("club@dest.test")
    assert b.bounce(token, "eve@elsewhere.test") == (250, 250)
    assert b.kinds(forwarded)[-1] == "returned" and not b.suppressed()


def test_a_plain_notice_from_the_null_sender_is_a_bounce(back):
    b = back()
    id, token = b.sent()
    plain = "From: system@dest.test\nTo: {}\nSubject: Your message\n\ncould not be delivered.\n<bob@dest.test>: 550 5.1.1 user unknown\n"
    assert b.bring(token, plain.format(token), sender="system@dest.test")[1][0] == 550  # by a person: he hears that nobody reads it
    assert b.kinds(id) == ["accepted", "delivered"]
    assert b.bring(token, plain.format(token))[1][0] == 250
    assert b.kinds(id)[-1] == "returned" and b.relay.json("trace", id)[-1]["category"] == "mailbox_unknown"


def test_what_comes_back_of_very_many_suppresses_no_more(back):
    b = back()
    tokens = {to: b.sent(to)[1] for to in (f"u{i}@dest.test" for i in range(24))}
    with b.client() as client:
        for to, token in tokens.items():
            assert b.bounce(token, to, client=client) == (250, 250)
    assert len(b.suppressed()) == 19 and b.relay.json("events", "--kind", "suppression_paused")  # until it was too much
    assert len(b.relay.json("events", "--kind", "returned", "--limit", "100")) == 24


def test_nor_before_the_relay_knows_what_became_of_it(back):
    """The answer to the dot that was lost, or a server that takes a message and says otherwise: it comes back while it waits."""
    b = back(host=lambda port, back: MailHost(port, lambda line, connection: "450 4.3.0 Later" if line == "." else None))
    for i in range(24):
        b.relay.send([f"u{i}@dest.test"])
    tokens = {}

    def tried():
        for connection in list(b.host.connections):
            senders = [line.split("<")[1].split(">")[0] for line in connection.lines if line.upper().startswith("MAIL FROM")]
            recipients = [line.split("<")[1].split(">")[0] for line in connection.lines if line.upper().startswith("RCPT TO")]
            tokens.update(zip(recipients, senders))
        return len(tokens) == 24

    assert wait_for(tried, 60)
    with b.client() as client:
        for to, token in tokens.items():
            assert b.bounce(token, to, client=client) == (250, 250)
    assert len(b.suppressed()) == 19
    paused = b.relay.json("events", "--kind", "suppression_paused")
    assert len(paused) == 1 and "dest.test" in json.dumps(paused), paused


def test_places_and_time_are_bounded_and_tls_is_offered(back):
    b = back()
    _, token = b.sent()
    with b.client() as client:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        assert client.starttls(context=context)[0] == 220
        assert b.bounce(token, client=client) == (250, 250)
    idle = [socket.create_connection(("127.0.0.1", b.port), timeout=60) for _ in range(30)]
    for one in idle:
        one.recv(1)
    gone = wait_for(lambda: b.relay.log().count("returns_turned_away") or sum(is_closed(one) for one in idle) >= 18, 60)
    assert gone
    assert b.bounce(token) == (250, 250)  # whoever comes still has a place
    b.relay.send(["bob2@dest.test"])  # and so has who hands mail in
    for one in idle:
        one.close()


def is_closed(one):
    one.setblocking(False)
    try:
        while one.recv(4096):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_what_belongs_together_is_said(relay_factory):
    relay = relay_factory()
    for wrong, why in (('listener back { address = "127.0.0.1:2525"  tls = "implicit"  returns = on }', "starttls"),
                       ('domain "club.test" { feedback_loop = on }', "return_path"),
                       ('domain "club.test" { return_path = "b.eu.club.test" }\n'
                        'domain "eu.club.test" { return_path = "b.eu.club.test" }', "that of domain club.test")):
        (relay.path / "wrong.conf").write_text(relay.config.read_text() + wrong)
        done = relay.command("-c", str(relay.path / "wrong.conf"), "config", "check", config=False, check=False)
        assert done.returncode == 1 and why in done.stderr, done.stderr


def test_what_is_alone_is_noted(relay_factory):
    relay = relay_factory()
    for alone in ('listener back { address = "127.0.0.1:2525"  returns = on }', 'domain "club.test" { return_path = "bounce.club.test" }'):
        (relay.path / "alone.conf").write_text(relay.config.read_text() + alone)
        done = relay.command("-c", str(relay.path / "alone.conf"), "config", "check", config=False, check=False)
        assert done.returncode == 0 and 'returns = "on"' in done.stdout + done.stderr, done


def test_its_records_lead_here_and_are_checked(back, dns):
    b = back()

    def record():
        done = b.relay.command("--json", "dns", "club.test", "--check", check=False)
        return next(r for r in json.loads(done.stdout)["records"] if r["role"] == "return-path")

    wanted = record()
    assert (wanted["name"], wanted["type"], wanted["value"], wanted["need"], wanted["state"]) == \
        ("bounce.club.test", "MX", "10 mail.club.test", "required", "missing")
    dns.add("bounce.club.test", "MX", "10 mx.else.test.")
    assert record()["state"] == "missing"  # the one that is needed
    dns.add("bounce.club.test", "MX", "10 mail.club.test.", "20 mx.else.test.")
    both = record()
    assert both["state"] == "ok" and "lost" in json.dumps(both)
    dns.add("bounce.club.test", "MX", "10 mail.club.test.")
    assert record()["state"] == "ok"


def from_proxy(b, header, *commands, source="127.0.0.1"):
    """All that is heard after this header."""
    with socket.create_connection(("127.0.0.1", b.port), timeout=30, source_address=(source, 0)) as one:
        heard = b""
        try:
            one.sendall(header)
            for command in commands:
                one.sendall(command)
            one.shutdown(socket.SHUT_WR)
            while more := one.recv(65536):
                heard += more
        except OSError:  # it is closed before all was said
            pass
        return heard


def test_a_proxy_says_whose_connection_it_is(relay_factory, dns, delivery_port):
    b = Back(relay_factory, dns, delivery_port, DOMAIN)
    text = b.relay.config.read_text()
    try:
        _, token = b.sent()
        b.relay.stop()
        b.relay.config.write_text(text.replace("returns = on }", 'returns = on  proxies = {"127.0.0.1"} }'))
        b.relay.start()
        wait_port(b.port)
        session = f"EHLO mx\r\nMAIL FROM:<>\r\nRCPT TO:<{token}>\r\nQUIT\r\n".encode()
        v1 = b"PROXY TCP4 203.0.113.9 198.51.100.25 40000 25\r\n"
        v2 = bytes.fromhex("0d0a0d0a000d0a515549540a2111000ccb007109c63364199c400019")
        local = bytes.fromhex("0d0a0d0a000d0a515549540a20000000")
        for header in (v1, v2, local):
            heard = from_proxy(b, header, session)
            assert heard.startswith(b"220 ") and b"250 2.1.5" in heard and b"221 " in heard, heard
        assert from_proxy(b, v1 + session).count(b"220 ") == 1  # in one piece
        for wrong in (b"", b"EHLO mx\r\n", b"PROXY UNKNOWN\r\n", b"PROXY TCP4 203.0.113.9 198.51.100.25 40000\r\n", v2[:-1], b"PROXY " + b"x" * 200):
            assert from_proxy(b, wrong) == b"", wrong  # nothing is said to whom nobody knows
        assert from_proxy(b, v1, session, source="127.0.0.7") == b""  # not one of its proxies
        # Each of its clients has its own places: one that holds many takes none of another's.
        held = []
        for _ in range(20):
            held.append(socket.create_connection(("127.0.0.1", b.port), timeout=30))
            held[-1].sendall(v1)
            assert held[-1].recv(100).startswith(b"220 ")
        assert wait_for(lambda: sum(is_closed(one) for one in held) == 8, 30)
        assert b"250 2.1.5" in from_proxy(b, b"PROXY TCP6 2001:db8::9 2001:db8::25 40000 25\r\n", session)
        for one in held:
            one.close()
        b.relay.stop()
        assert 'returns_turned_away count=13 what="203.0.113.0/24 8, 127.0.0.0/24 5"' in b.relay.log()
    finally:
        b.host.stop()


def test_proxies_are_for_what_comes_back(relay_factory):
    relay = relay_factory()
    for wrong, why in (('listener back { address = "127.0.0.1:2525"  proxies = {"10.0.0.1"} }', 'proxies needs returns = "on"'),
                       ('listener back { address = "127.0.0.1:2525"  returns = on  proxies = {"10.0.0.1/8"} }', "without host bits")):
        (relay.path / "wrong.conf").write_text(relay.config.read_text() + wrong)
        done = relay.command("-c", str(relay.path / "wrong.conf"), "config", "check", config=False, check=False)
        assert done.returncode == 1 and why in done.stderr, done.stderr
