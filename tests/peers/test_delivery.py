"""The way out: where mail goes, how it is converted, what becomes of refusals."""

import datetime
import email
import os
import re
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dnslib
import pytest

from conftest import Relay, dkim_passes, free_port, split_copy, wait_for, wait_port
from nsd import Nsd

pytestmark = pytest.mark.memory


class Script(threading.Thread):
    """A mail server that answers from a function: line -> reply or None to hang up. DATA's content is kept."""

    def __init__(self, port, answer=None, offers=(), host="127.0.0.1", delay=0.0):
        super().__init__(daemon=True)
        self.answer, self.offers, self.delay = answer or (lambda line: None), offers, delay
        self.lines, self.messages, self.connections, self.open, self.most_open = [], [], 0, 0, 0
        self.lock = threading.Lock()
        self.socket = socket.create_server((host, port), backlog=1024,
                                           family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            self.serve(client)
        except OSError:
            pass
        finally:
            client.close()
            with self.lock:
                self.open -= 1

    def reply_to(self, line):
        mine = self.answer(line)
        if mine is not None:
            return mine
        if line.startswith("EHLO"):
            return "\r\n".join(["250-script"] + [f"250-{o}" for o in self.offers] + ["250 ENHANCEDSTATUSCODES"])
        if line == "DATA":
            return "354 go"
        return "221 bye" if line == "QUIT" else "250 2.0.0 ok"

    def serve(self, client):
        f = client.makefile("rwb")

        def say(text):
            f.write(text.encode() + b"\r\n")
            f.flush()

        say("220 script ESMTP")
        while True:
            line = f.readline()
            if not line:
                return
            line = line.decode("utf-8", "replace").rstrip("\r\n")
            self.lines.append(line)
            reply = self.reply_to(line)
            if reply == "HANG UP":
                return
            say(reply)
            if line == "DATA" and reply.startswith("354"):
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    got = f.readline()
                    if not got:
                        return
                    data += got
                time.sleep(self.delay)
                end = self.reply_to(".")
                if end.startswith("250"):
                    self.messages.append(data[:-3].replace(b"\r\n..", b"\r\n."))
                say(end)
            if line == "QUIT":
                return

    def stop(self):
        self.socket.close()


@pytest.fixture
def script(delivery_port):
    made = []

    def make(answer=None, **options):
        server = Script(options.pop("port", delivery_port), answer, **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


def test_mail_arrives_over_tls_signed_and_unchanged(relay, sink, dns):
    message = "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nBcc: <hidden@dest.test>\r\nSubject: hi\r\n\r\n.dot\r\n\r\n\r\n"
    relay.send(message=message)
    about, raw = sink.wait(1)[0]
    assert about["tls"].startswith("TLSv1.3") and about["dkim"] == "pass" and about["dkim_domain"] == "club.test"
    signature, received, rest = split_copy(raw)
    assert b"with ESMTPSA id" in received and b"for <bob@dest.test>" in received
    head, body = rest.split(b"\r\n\r\n", 1)
    assert body == b".dot\r\n\r\n\r\n"
    assert b"Bcc" not in head and b"Date: " in head and b"Message-ID: <" in head
    assert dkim_passes(raw, dns)
    tags = signature.replace(b"\r\n", b"").replace(b"\t", b"").replace(b" ", b"")
    assert b"a=rsa-sha256" in tags and b"c=relaxed/relaxed" in tags and b";l=" not in tags
    assert b"t=" in tags and b"x=" in tags
    signed = re.search(rb";h=([^;]*)", tags).group(1).lower().split(b":")
    for name in ("from to cc subject date message-id reply-to in-reply-to references mime-version content-type "
                 "content-transfer-encoding content-disposition auto-submitted disposition-notification-to list-unsubscribe "
                 "list-unsubscribe-post feedback-id resent-from resent-sender resent-to resent-cc resent-date "
                 "resent-message-id").split():
        present = 1 if (name + ":").encode() in head.lower() else 0
        assert signed.count(name.encode()) == present + 1, name


def test_a_second_field_added_later_breaks_the_signature(relay, sink, dns):
    relay.send()
    _, raw = sink.wait(1)[0]
    assert dkim_passes(raw, dns)
    for field in (b"Subject: other", b"From: <evil@club.test>", b"List-Unsubscribe: <https://evil.test>", b"To: x@y.test",
                  b"Sender: x@y.test", b"Content-Disposition: attachment", b"Auto-Submitted: auto-replied",
                  b"Disposition-Notification-To: x@y.test", b"Resent-From: x@y.test", b"Resent-Sender: x@y.test",
                  b"Resent-To: x@y.test", b"Resent-Date: Thu, 26 Nov 2026 14:36:47 +0000"):
        assert not dkim_passes(field + b"\r\n" + raw, dns)


def test_ed25519_is_a_second_signature(relay, sink, dns):
    relay.add_domain("two.test", "--ed25519")
    relay.command("user", "add", "two", "--domain", "two.test", "--password-stdin", input="a long password\n")
    with relay.client(user="two", secret="a long password") as client:
        client.sendmail("a@two.test", "bob@dest.test", "From: <a@two.test>\r\nSubject: x\r\n\r\nx\r\n")
    _, raw = sink.wait(1)[0]
    signatures, _, _ = split_copy(raw)
    assert b"a=ed25519-sha256" in signatures and b"a=rsa-sha256" in signatures
    assert dkim_passes(raw, dns)


def test_recipients_of_one_domain_share_a_transaction(relay, sink):
    relay.send(to=["a@dest.test", "b@dest.test", "c@dest.test"])
    messages = sink.wait(1)
    assert messages[0][0]["to"] == ["a@dest.test", "b@dest.test", "c@dest.test"]
    assert b"for <" not in split_copy(messages[0][1])[1]


def test_mx_order_fallback_and_implicit_mx(relay, dns, sink_factory, delivery_port):
    dns.add("first.test", "MX", "20 b.first.test.", "10 a.first.test.")
    dns.add("a.first.test", "A", "127.0.0.3")  # nobody listens there
    dns.add("b.first.test", "A", "127.0.0.2")
    dns.add("implicit.test", "A", "127.0.0.2")
    sink = sink_factory(host="127.0.0.2", records=relay.records)
    relay.wait_kind(relay.send(to="x@first.test"), "delivered")
    relay.wait_kind(relay.send(to="x@implicit.test"), "delivered")
    assert len(sink.wait(2)) == 2


def test_ipv6(relay, dns, sink_factory):
    dns.mail("six.test", "mx.six.test=::1")
    sink = sink_factory(host="::1", records=relay.records)
    relay.wait_kind(relay.send(to="x@six.test"), "delivered")
    assert sink.wait(1)[0][0]["peer"] == "::1"


@pytest.mark.parametrize("zone, code, text", [
    ({("null.test", "MX"): ["0 ."]}, 556, "does not accept mail"),
    ({}, 550, "does not exist"),
    ({("null.test", "MX"): ["10 mail.club.test."]}, 554, "its MX is ourselves"),
    ({("null.test", "MX"): [[10, dnslib.DNSLabel((b"a.b", b"test"))]]}, 550, "its MX record holds no valid host name"),
    ({("null.test", "MX"): ["0 .", [10, dnslib.DNSLabel((b"a\0b", b"test"))]], ("null.test", "A"): ["127.0.0.1"]}, 550, "holds no valid host name"),
], ids=["null MX", "no such domain", "loop", "a dot in a label", "a null MX beside a zero in a label"])
def test_domains_that_take_no_mail_bounce_at_once(relay, dns, sink, zone, code, text):
    dns.mail("club.test", "mx.dest.test=127.0.0.1")
    dns.zone.update(zone)
    event = relay.wait_kind(relay.send(to="x@null.test"), "bounced")[0]
    assert event["code"] == code and text in event["reply"]
    about, raw = sink.wait(1)[0]
    assert about["from"] == "" and about["to"] == ["hello@club.test"]


def test_dns_trouble_defers(relay, dns):
    dns.add("lame.test", "MX", "SERVFAIL")
    event = relay.wait_kind(relay.send(to="x@lame.test"), "deferred", 40)[0]
    assert event["code"] == 451 and relay.queue()[0]["tries"] == 1


def test_a_network_that_is_down_costs_no_try(relay, dns):
    dns.zone["all"] = "SERVFAIL"
    event = relay.wait_kind(relay.send(to="x@dest.test"), "deferred", 60)[0]
    assert "network down" in event["reply"] and relay.queue()[0]["tries"] == 0


def test_a_refusal_becomes_a_signed_bounce(relay, dns, script, sink_factory):
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    back = sink_factory(host="127.0.0.2", records=relay.records)
    script(lambda line: "550 5.1.1 no \x1b[31msuch user" if line.startswith("RCPT") else None)
    id = relay.send(to="ghost@dest.test", mail_options=["ENVID=e+2B1", "RET=HDRS"],
                    rcpt_options=["ORCPT=rfc822;Ghost@dest.test"])
    relay.wait_kind(id, "bounced")
    about, raw = back.wait(1)[0]
    assert about["from"] == "" and about["to"] == ["hello@club.test"] and about["dkim"] == "pass"
    assert dkim_passes(raw, dns)
    bounce = email.message_from_bytes(raw)
    assert bounce["Auto-Submitted"] == "auto-replied" and bounce.get_content_type() == "multipart/report"
    assert bounce.get_param("report-type") == "delivery-status"
    text, status, headers = bounce.get_payload()
    assert "no ?[31msuch user" in text.get_payload()
    blocks = status.get_payload()
    assert blocks[0]["Reporting-MTA"] == "dns; mail.club.test" and blocks[0]["Original-Envelope-Id"] == "e+1"
    assert blocks[1]["Final-Recipient"] == "rfc822; ghost@dest.test" and blocks[1]["Action"] == "failed"
    assert blocks[1]["Status"] == "5.1.1" and blocks[1]["Original-Recipient"] == "rfc822; Ghost@dest.test"
    assert blocks[1]["Remote-MTA"] == "dns; mx.dest.test"
    assert blocks[1]["Diagnostic-Code"].startswith("smtp; 550 5.1.1")
    assert headers.get_content_type() == "text/rfc822-headers" and "Subject: test" in headers.get_payload()
    assert relay.queue() == []


def test_nobody_is_told_of_mail_from_the_null_sender(relay, script, sink_factory):
    script(lambda line: "550 5.1.1 no" if line.startswith("RCPT") else None)
    id = relay.send(sender="", message="From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")
    relay.wait_kind(id, "bounced")
    assert relay.queue() == []
    assert len([e for e in relay.json("events", "--after", "0") if e["kind"] == "accepted"]) == 1


def test_notify_never_is_obeyed_and_success_is_reported(relay, dns, script, sink_factory):
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    back = sink_factory(host="127.0.0.2", records=relay.records)
    script(lambda line: "550 5.1.1 no" if "ghost" in line else None)
    relay.wait_kind(relay.send(to="ghost@dest.test", rcpt_options=["NOTIFY=NEVER"]), "bounced")
    relay.wait_kind(relay.send(to="real@dest.test", rcpt_options=["NOTIFY=SUCCESS"]), "delivered")
    messages = back.wait(1)
    assert len(messages) == 1 and b"Action: relayed" in messages[0][1]


def test_dsn_parameters_are_passed_on(relay, script):
    server = script(offers=["DSN"])
    id = relay.send(mail_options=["ENVID=abc", "RET=FULL"],
                    rcpt_options=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;x+2By@dest.test"])
    relay.wait_kind(id, "delivered")
    assert any(line.startswith("MAIL FROM:<hello@club.test>") and " RET=FULL ENVID=abc" in line for line in server.lines)
    assert "RCPT TO:<bob@dest.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@dest.test" in server.lines


def test_a_4xx_is_tried_again_and_a_5xx_never(relay, script):
    answers = {"later": "451 4.7.1 greylisted", "never": "550 5.1.1 no"}
    server = script(lambda line: next((a for w, a in answers.items() if f"<{w}@" in line and "RCPT" in line), None))
    id = relay.send(to=["later@dest.test", "never@dest.test", "fine@dest.test"])
    relay.wait_kind(id, "deferred")
    relay.wait_kind(id, "delivered")
    relay.wait_kind(id, "bounced")
    row = [r for r in relay.queue() if r["id"] == id][0]
    assert row["recipient"] == "later@dest.test" and row["tries"] == 1 and "greylisted" in row["last_reply"]
    assert 290 < row["due"] / 1000 - time.time() < 320  # just after five minutes
    del answers["later"]
    relay.command("queue", "retry", id)
    wait_for(lambda: relay.kinds(id).count("delivered") == 2)
    assert sum("<never@" in line for line in server.lines) == 1


def test_a_mailbox_that_does_not_exist_is_asked_once(relay, dns, script):
    """A refusal for another reason is none of the mailbox's."""
    answers = {"ghost": "550 5.1.1 The email account that you tried to reach does not exist",
               "spam": "550 5.7.1 Message rejected: likely unsolicited", "busy": "550 5.2.1 Receiving mail at a rate that is too high",
               "gone": "550 5.5.0 Requested action not taken: mailbox unavailable", "plain": "550 User unknown"}
    script(lambda line: next((a for w, a in answers.items() if f"<{w}@" in line and "RCPT" in line), None))
    for who in answers:
        relay.wait_kind(relay.send(to=f"{who}@dest.test"), "bounced")
    rows = relay.json("suppress", "list")
    assert [(row["address"], row["reason"], row["tenant"], row["stream"]) for row in rows] == \
        [(f"{who}@dest.test", "bounce", "default", "") for who in ("ghost", "gone", "plain")]
    assert rows[0]["source"].startswith("mx.dest.test")
    with relay.client() as client:
        for who, code in (("Ghost", 550), ("ghost+1", 250), ("spam", 250)):
            client.ehlo_or_helo_if_needed()
            client.mail("hello@club.test")
            client.rcpt(f"{who}@dest.test")
            answered, text = client.data(b"From: <hello@club.test>\r\nSubject: once more\r\n\r\nx\r\n")
            assert answered == code and (code == 250 or b"no such mailbox" in text), text


def test_a_security_stream_is_tried_again_within_seconds(relay_factory, dns, script):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    refused = []

    def answer(line):
        if line.startswith("RCPT") and len(refused) < 1:
            refused.append(line)
            return "451 4.7.1 greylisted"
        return None

    script(answer)
    id = relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: security\r\n\r\ncode 1234\r\n")
    relay.wait_kind(id, "deferred")
    assert relay.queue()[0]["class"] == "security" and relay.queue()[0]["due"] / 1000 - time.time() < 20.1
    relay.wait_kind(id, "delivered", 25)


def send_to_utf8_recipient(relay, subject, *others):
    with relay.client() as client:
        client.ehlo()
        client.putcmd("mail", "FROM:<hello@club.test> SMTPUTF8")
        client.getreply()
        for recipient in ("ü@dest.test", *others):
            client.sock.sendall(f"RCPT TO:<{recipient}>\r\n".encode())
            assert client.getreply()[0] == 250
        code, text = client.data(f"From: <hello@club.test>\r\nSubject: {subject}\r\n\r\nx\r\n".encode())
        assert code == 250, text
        return text.decode().split()[-1]


@pytest.mark.parametrize("victim, other", [("vic", "\uff56ic"), ("kim", "\u212aim"), ("j\u00f6rg", "jo\u0308rg")])
def test_nobody_is_suppressed_by_who_looks_like_him(relay, dns, script, victim, other):
    """The kind: what is said of one mailbox holds for another. Anybody can sign up under such a name; its server truthfully says
    that there is none, as Debian's Postfix does."""
    server = script(lambda line: "550 5.1.1 No such user" if line == f"RCPT TO:<{other}@dest.test>" else None, offers=["8BITMIME", "SMTPUTF8"])

    def send(to):
        with relay.client() as client:
            client.ehlo()
            client.putcmd("mail", "FROM:<hello@club.test> SMTPUTF8")
            client.getreply()
            client.sock.sendall(f"RCPT TO:<{to}@dest.test>\r\n".encode())
            client.getreply()
            code, text = client.data(b"From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")
            assert code == 250, text
            return text.decode().split()[-1]

    relay.wait_kind(send(other), "bounced")
    assert [row["address"] for row in relay.json("suppress", "list")] == [f"{other}@dest.test"]
    relay.wait_kind(send(victim), "delivered")
    assert server.messages


SIGNED_8BIT = ("From: <hello@club.test>\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s; protocol=x\r\n\r\n"
               "--s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n--s\r\nContent-Type: application/x\r\n\r\nx\r\n--s--\r\n").encode()
UTF8_REPLY_TO = "From: <hello@club.test>\r\nReply-To: <ü@club.test>\r\nSubject: x\r\n\r\nx\r\n".encode()


@pytest.mark.parametrize("answer, known", [("HANG UP", False), ("502 5.5.1 what", True)])
def test_only_a_server_that_answered_ehlo_can_lack_something(relay, dns, script, answer, known):
    """The kind: what a server failed to say for the moment is taken for its last word, and mail is returned for good."""
    server = script(lambda line: answer if line.startswith("EHLO") else None)
    fate = "bounced" if known else "deferred"
    for id, code in ((relay.send(message=SIGNED_8BIT, mail_options=["BODY=8BITMIME"]), "6.3"),
                     (relay.send(message=UTF8_REPLY_TO, mail_options=["SMTPUTF8"]), "6.7"), (send_to_utf8_recipient(relay, "x"), "6.7")):
        event = relay.wait_kind(id, fate)[0]
        assert event["enhanced"] == f"{5 if known else 4}.{code}" and (known or "EHLO" in event["reply"]), event
    both = send_to_utf8_recipient(relay, "x", "plain@dest.test")  # who can be told without, is
    assert relay.wait_kind(both, fate)[0]["recipient"] == "ü@dest.test"
    relay.wait_kind(both, "delivered")
    plain = relay.send(message="From: <hello@club.test>\r\nSubject: x\r\n\r\nGrüße\r\n".encode(), mail_options=["BODY=8BITMIME"])
    relay.wait_kind(plain, "delivered")
    assert all(m.isascii() for m in server.messages) and any(line.startswith("HELO") for line in server.lines)


def test_another_host_is_asked_where_ehlo_fails_at_one(relay, dns, script):
    dns.add("two.test", "MX", "10 a.two.test.", "20 b.two.test.")
    dns.add("a.two.test", "A", "127.0.0.1")
    dns.add("b.two.test", "A", "127.0.0.2")
    first = script(lambda line: "451 later" if line.startswith("EHLO") else None)
    second = script(host="127.0.0.2", offers=["8BITMIME", "SMTPUTF8"])
    relay.wait_kind(relay.send(to="bob@two.test", message=SIGNED_8BIT, mail_options=["BODY=8BITMIME"]), "delivered")
    assert not first.messages and "Grüße".encode() in second.messages[0]


def test_a_bounce_about_a_utf8_recipient_reaches_a_sender_without_smtputf8(relay, dns, script, sink_factory):
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    plain = script(host="127.0.0.2")
    script(lambda line: "550 5.1.1 no" if line.startswith("RCPT") else None, offers=["SMTPUTF8"])
    send_to_utf8_recipient(relay, "x")
    raw = wait_for(lambda: plain.messages)[0]
    raw.decode("ascii")  # converted for this 7-bit hop
    assert b"failed" in raw and dkim_passes(raw, dns)


def test_smtputf8_is_passed_on(relay, sink):
    send_to_utf8_recipient(relay, "Grüße")
    about, raw = sink.wait(1)[0]
    assert about["to"] == ["ü@dest.test"] and "Subject: Grüße".encode() in raw and about["dkim"] == "pass"


def test_required_tls_defers_instead_of_falling_back(relay_factory, dns, script):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    server = script()
    relay = relay_factory('route "dest.test" { tls = "require" }').start()
    event = relay.wait_kind(relay.send(), "deferred")[0]
    assert "STARTTLS" in event["reply"] and event["enhanced"] == "4.7.10" and server.messages == []


def test_verified_tls_wants_a_certificate_for_the_host(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory()
    relay = relay_factory('route "dest.test" { tls = "verify" }').start()
    event = relay.wait_kind(relay.send(), "deferred")[0]
    assert "certificate" in event["reply"] and sink.messages() == []


def sign_expired(path):
    """As the others are signed, by another tool: newer versions of openssl make no certificate that has expired."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    ca = x509.load_pem_x509_certificate((path / "ca.pem").read_bytes())
    request = x509.load_pem_x509_csr((path / "expired.csr").read_bytes())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder(ca.subject, request.subject, request.public_key(), x509.random_serial_number()).not_valid_before(
        now - datetime.timedelta(days=2)).not_valid_after(now - datetime.timedelta(days=1)).add_extension(names, False).sign(
        serialization.load_pem_private_key((path / "ca.key").read_bytes(), None), hashes.SHA256())
    (path / "expired.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))


def certificates(path):
    """A certificate authority, and server certificates by it: good, for another name, expired; and a self-signed one."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=path)

    short = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")  # keys that are made in no time; one of RSA is enough
    openssl("req", "-x509", "-newkey", *short, "-nodes", "-subj", "/CN=test ca", "-days", "2", "-keyout", "ca.key",
            "-out", "ca.pem")
    for name, host in (("good", "mx.dest.test"), ("other", "mx.other.test"), ("expired", "mx.dest.test")):
        key = ("rsa:2048",) if name == "good" else short
        openssl("req", "-newkey", *key, "-nodes", "-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (path / "extensions").write_text(f"subjectAltName=DNS:{host}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "extensions", "-out", f"{name}.pem")
    sign_expired(path)
    openssl("req", "-x509", "-newkey", *short, "-nodes", "-subj", "/CN=mx.dest.test", "-addext",
            "subjectAltName=DNS:mx.dest.test", "-days", "2", "-keyout", "self.key", "-out", "self.pem")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("policy, certificate, delivered, words", [
    ("verify", "good", True, "verified=yes"),
    ("verify", "other", False, "ertificate"),
    ("verify", "expired", False, "ertificate"),
    ("verify", "self", False, "ertificate"),
    ("verify", "old tls", False, "TLS"),
    ("require", "self", True, "TLSv1"),
    ("require", "old tls", False, "TLS"),
    ("may", "expired", True, "TLSv1"),
    ("may", "old tls", True, "tls=none"),
])
def test_t8_certificates_and_policies(relay_factory, dns, tmp_path, delivery_port, policy, certificate, delivered, words):
    import ssl
    from aiosmtpd.controller import Controller

    taken = []

    class Handler:
        async def handle_DATA(self, server, session, envelope):
            taken.append(envelope.content)
            return "250 2.0.0 taken"

    certificates(tmp_path)
    name = "good" if certificate == "old tls" else certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    if certificate == "old tls":
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1
    server = Controller(Handler(), hostname="127.0.0.1", port=delivery_port, tls_context=context)
    server.start()
    try:
        dns.mail("dest.test", "mx.dest.test=127.0.0.1")
        relay = relay_factory(f'route "dest.test" {{ tls = "{policy}" }}')
        relay.config.write_text(relay.config.read_text().replace(
            f"port = {delivery_port} }}", f'port = {delivery_port}  ca_file = "{tmp_path}/ca.pem" }}', 1))
        relay.start()
        id = relay.send()
        if delivered:
            relay.wait_kind(id, "delivered", 30)
            line = [l for l in relay.log().splitlines() if " delivered " in l][0]
            assert words in line and len(taken) == 1
        else:
            assert words in relay.wait_kind(id, "deferred", 30)[0]["reply"] and taken == []
    finally:
        server.stop()


def test_a_servers_limits_are_obeyed(relay, script):
    server = script(offers=["LIMITS RCPTMAX=2 MAILMAX=2"])
    id = relay.send(to=[f"r{i}@dest.test" for i in range(5)])
    wait_for(lambda: relay.kinds(id).count("delivered") == 5)
    assert len(server.messages) == 3 and server.connections == 2
    before = 0
    for line in server.lines:
        before = before + 1 if line.startswith("RCPT") else 0 if line.startswith("MAIL") else before
        assert before <= 2


def test_a_server_that_takes_only_so_many_at_once_gets_the_rest_at_once(relay, script):
    seen = []

    def answer(line):
        if line.startswith("MAIL"):
            seen.clear()
        if line.startswith("RCPT"):
            seen.append(line)
            return "452 4.5.3 too many recipients" if len(seen) > 2 else None
        return None

    server = script(answer)
    id = relay.send(to=[f"r{i}@dest.test" for i in range(5)])
    wait_for(lambda: relay.kinds(id).count("delivered") == 5)
    assert len(server.messages) == 3 and "deferred" not in relay.kinds(id)


def test_a_broken_handshake_falls_back_to_clear_text_where_tls_is_optional(relay, dns, script):
    """For one delivery: the next connection tries TLS again, also for another domain with the same host."""
    server = script(lambda line: "220 go" if line == "STARTTLS" else None, offers=["STARTTLS"])
    dns.mail("other.test", "mx.dest.test=127.0.0.1")
    for n, domain in enumerate(("dest.test", "dest.test", "other.test"), 1):
        relay.wait_kind(relay.send(to=f"x@{domain}"), "delivered", 30)
        assert len(server.messages) == n == server.lines.count("STARTTLS") == relay.log().count(" tls_failed ")
        assert server.connections == 2 * n  # what was an exception is not kept for others


def test_a_smart_host_gets_the_password_inside_tls_only(relay_factory, tmp_path, script, sink_factory):
    (tmp_path / "password").write_text("smart secret\n")
    port = free_port()
    server = script(offers=["AUTH PLAIN"], port=port)
    relay = relay_factory(f'route "*" {{ host = "127.0.0.1"  port = {port}  tls = "may"  username = "me"  '
                          f'password_file = "{tmp_path}/password" }}').start()
    event = relay.wait_kind(relay.send(to="x@anywhere.test"), "deferred")[0]
    assert event["enhanced"] == "4.3.5" and "password" not in event["reply"]
    assert "password not sent" in relay.log()
    assert not any(line.startswith("AUTH") for line in server.lines)


def test_a_relay_can_be_the_smart_host_of_another(relay_factory, dns, tmp_path, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    second = relay_factory().start()
    sink = sink_factory(records=second.records)
    (tmp_path / "password").write_text(second.secret + "\n")
    first = relay_factory(f'route "*" {{ host = "127.0.0.1"  port = {second.submission}  tls = "require"  '
                          f'username = "app"  password_file = "{tmp_path}/password" }}').start()
    first.wait_kind(first.send(), "delivered")
    _, raw = sink.wait(1)[0]
    assert raw.count(b"DKIM-Signature:") == 2 and raw.count(b"Received: by") == 2


def test_connections_are_reused_and_limited(relay, script):
    server = script(delay=0.1)
    for _ in range(30):
        relay.send()
    wait_for(lambda: len(server.messages) == 30, 30)
    assert server.most_open <= 20 and server.connections < 30


def test_without_a_key_mail_waits_and_nothing_leaves_unsigned(relay, script):
    """Accepted while there was one; without one nothing would have been accepted."""
    relay.command("domain", "capture", "club.test")
    relay.send()
    id = relay.queue("--held")[0]["id"]
    server = script()
    key = next((relay.path / "state" / "keys").glob("club.test.*.pem"))
    kept = key.read_bytes()
    key.write_text("no key\n")
    relay.reload()  # files are read again; a change of the domain alone does not touch its keys
    relay.command("domain", "release", "club.test")
    relay.command("queue", "release", id)
    event = relay.wait_kind(id, "deferred")[0]
    assert event["enhanced"].startswith("4.7.") and server.messages == [] and relay.queue()[0]["tries"] == 0
    assert "error not_sent" in relay.log()
    key.write_bytes(kept)
    relay.command("queue", "retry", id)
    relay.wait_kind(id, "delivered")


def test_a_damaged_record_is_held_and_stops_nobody(relay, dns, script):
    dns.mail("slow.test", "mx.slow.test=127.0.0.9")
    id = relay.send(to="x@slow.test")
    relay.wait_kind(id, "deferred", 40)
    segment = next((relay.path / "state" / "spool").glob("*.seg"))
    with open(segment, "r+b") as f:
        f.seek(60)
        f.write(b"\x00\x01\x02")
    slow, server = script(host="127.0.0.9"), script()
    time.sleep(5.5)  # the site's rest is over
    relay.command("queue", "retry", id)
    wait_for(lambda: relay.queue("--held"), 20)
    assert slow.messages == []
    held = relay.queue("--held")[0]
    assert held["id"] == id and held["state"] == "held" and "damaged" in held["last_reply"]
    relay.wait_kind(relay.send(), "delivered")
    assert len(server.messages) == 1 and b"Subject: test" in server.messages[0]


def test_a_record_damaged_half_way_holds_only_those_who_have_not_got_it(relay, script):
    server = script(offers=["LIMITS RCPTMAX=1"], delay=1.0)
    id = relay.send(to=["first@dest.test", "second@dest.test"])
    wait_for(lambda: any(line == "DATA" for line in server.lines))
    with open(next((relay.path / "state" / "spool").glob("*.seg")), "r+b") as f:
        f.seek(60)
        f.write(b"\x00\x01\x02")
    relay.wait_kind(id, "held")
    assert [(e["kind"], e["recipient"]) for e in relay.trace(id)[2:]] == [
        ("delivered", "first@dest.test"), ("held", "second@dest.test")]
    assert [r["recipient"] for r in relay.queue("--held")] == ["second@dest.test"] and len(server.messages) == 1


def test_mail_waits_on_disk_while_the_relay_is_down(relay, dns, sink_factory):
    dns.mail("slow.test", "mx.slow.test=127.0.0.9")
    id = relay.send(to="x@slow.test")
    relay.wait_kind(id, "deferred", 40)
    relay.stop()
    assert relay.queue()[0]["id"] == id  # the command reads the store itself
    dns.mail("slow.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory(records=relay.records)
    relay.command("queue", "retry", "--all")
    relay.start()
    relay.wait_kind(id, "delivered")
    assert len(sink.wait(1)) == 1


def test_hold_release_delete(relay, dns):
    dns.mail("slow.test", "mx.slow.test=127.0.0.9")
    id = relay.send(to=["a@slow.test", "b@slow.test"])
    wait_for(lambda: relay.kinds(id).count("deferred") == 2, 40)
    assert "1 recipient changed" in relay.command("queue", "hold", "--recipient", "a@slow.test")
    assert [r["state"] for r in relay.queue(f"--id", id)] == ["held", "waiting"]
    relay.command("queue", "release", id)
    assert [r["state"] for r in relay.queue()] == ["waiting", "waiting"]
    relay.command("queue", "delete", "--domain", "slow.test")
    assert relay.queue() == [] and relay.kinds(id).count("deleted") == 2
    assert relay.command("queue", "delete", id, check=False).returncode == 1


def test_send_test_shows_the_dialogue(relay, sink):
    text = relay.command("send-test", "someone@dest.test")
    assert "C: MAIL FROM:<postmaster@club.test>" in text and "S: 250 2.0.0 OK taken" in text
    assert "A receiver would say pass: DKIM, SPF and DMARC pass for club.test" in text


def test_a_login_code_overtakes_digests(relay_factory, dns, script, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    server = script(delay=0.3)
    relay = relay_factory()
    relay.config.write_text(relay.config.read_text().replace(f"port = {delivery_port} }}",
                                                             f"port = {delivery_port}  connections = 1 }}", 1))
    relay.start()
    message = "From: <hello@club.test>\r\nSealpost-Stream: {}\r\nSubject: {}\r\n\r\nx\r\n"
    for i in range(6):
        relay.send(message=message.format("digest", i))
    relay.send(message=message.format("security", "code"))
    gone = len(server.messages) + 1  # and one is under way
    wait_for(lambda: len(server.messages) == 7, 30)
    subjects = [email.message_from_bytes(m)["Subject"] for m in server.messages]
    assert subjects.index("code") <= max(3, gone) and server.most_open == 1
    assert [s for s in subjects if s != "code"] == list("012345")


def test_an_idle_connection_that_has_died_costs_the_next_message_nothing(relay, script):
    def answer(line):
        mails = sum(l.startswith("MAIL") for l in server.lines)
        return "HANG UP" if line.startswith("MAIL") and mails == 2 else None

    server = script(answer)
    relay.wait_kind(relay.send(), "delivered")
    id = relay.send()
    relay.wait_kind(id, "delivered")
    assert relay.kinds(id) == ["accepted", "delivered"] and server.connections == 2


def test_a_thousand_domains_whose_dns_speaks_tcp_disturb_no_connection(relay_factory, tmp_path, delivery_port):
    """More TCP streams than the resolver has at first make it close one for another. It once read from the closed one's
    descriptor, which was a connection's by then."""
    count = 1000
    lines = [line for i in range(count) for line in (f"d{i} MX 10 mx.d{i}", f"mx.d{i} A 127.2.{i // 250}.{i % 250 + 1}")]
    server = Nsd(tmp_path / "nsd", lines, udp_max=20)
    target = Script(delivery_port, host="0.0.0.0")
    relay = relay_factory()
    relay.config.write_text(relay.config.read_text().replace(f"@{relay.dns.port}", f"@{server.port}"))
    try:
        relay.start()
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(relay.send, [[f"u@d{i}.test" for i in range(k, k + 50)] for k in range(0, count, 50)]))
        wait_for(lambda: not relay.queue(), 60, 0.5)
        assert "libunbound" not in relay.log()
    finally:
        server.stop()
        target.socket.close()
