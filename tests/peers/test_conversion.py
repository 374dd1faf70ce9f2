"""Mail for receivers without 8BITMIME or SMTPUTF8: what is converted, what is returned, and that nobody waits for it."""

import email
import email.header
import email.utils
import re
import smtplib
import socket
import threading
import time

import pytest

from conftest import dkim_passes, slack, wait_for

OFFERS = ["PIPELINING", "ENHANCEDSTATUSCODES", "SIZE 100000000"]


class Receiver(threading.Thread):
    """A server that takes what it offers to take, and refuses the rest."""

    def __init__(self, port, offers=()):
        super().__init__(daemon=True)
        self.offers, self.lines, self.messages, self.hangs_up = list(offers), [], [], False
        self.socket = socket.create_server(("127.0.0.1", port), backlog=100)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    def talk(self, client):
        with client, client.makefile("rb") as lines:
            def say(text):
                client.sendall(text.encode() + b"\r\n")

            say("220 receiver.test ESMTP")
            for line in lines:
                verb = line[:4].upper()
                self.lines.append(line)
                if verb == b"EHLO":
                    say("\r\n".join(f"250-{o}" for o in ["receiver.test"] + OFFERS + self.offers) + "\r\n250 HELP")
                    if self.hangs_up:
                        return
                elif verb == b"DATA":
                    say("354 go")
                    self.take(lines, say)
                elif verb == b"QUIT":
                    say("221 2.0.0 bye")
                    return
                elif not line.isascii() and "SMTPUTF8" not in self.offers:
                    say("500 5.6.7 no")
                else:
                    say("250 2.0.0 ok")

    def take(self, lines, say):
        data = bytearray(b"\r\n")
        while not data.endswith(b"\r\n.\r\n"):
            data += lines.read1(1 << 20)
        message = bytes(data[2:-3]).replace(b"\r\n..", b"\r\n.")
        head = message.partition(b"\r\n\r\n")[0]
        if not message.isascii() and "8BITMIME" not in self.offers:
            say("554 5.6.1 8-bit content was not offered")
        elif not head.isascii() and "SMTPUTF8" not in self.offers:
            say("554 5.6.7 UTF-8 in a header was not offered")
        else:
            self.messages.append(message)
            say("250 2.0.0 taken")


@pytest.fixture
def receiver(delivery_port):
    made = []

    def make(*offers):
        made.append(Receiver(delivery_port, offers))
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


@pytest.fixture
def relay(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return relay_factory().start()


HEAD = "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
TEXT = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"


def outcome(relay, id, timeout=30):
    """The first that is known of the message's fate."""
    return wait_for(lambda: [e for e in relay.trace(id) if e["kind"] in ("delivered", "bounced", "deferred")], timeout, 0.1)[0]


def delivered(relay, dns, receiver, message, timeout=30, **options):
    """Send it and take it, signed and whole."""
    before = len(receiver.messages)
    if isinstance(message, str):
        message = message.encode()
    event = outcome(relay, relay.send(message=message, mail_options=["BODY=8BITMIME", *options.pop("mail_options", [])]), timeout)
    assert event["kind"] == "delivered", event
    raw = receiver.messages[before]
    assert dkim_passes(raw, dns)
    return raw


def returned(relay, message, **options):
    """Send it and see it returned; the answer."""
    if isinstance(message, str):
        message = message.encode()
    id = relay.send(message=message, mail_options=["BODY=8BITMIME", *options.pop("mail_options", [])])
    event = outcome(relay, id)
    assert event["kind"] == "bounced", event
    return event


def nested(depth, inside):
    out = ""
    for i in range(depth):
        out += f'Content-Type: multipart/mixed; boundary="n{i}"\r\n\r\n--n{i}\r\n'
    return out + inside + "".join(f"--n{i}--\r\n" for i in reversed(range(depth)))


def leaf(message):
    while message.is_multipart():
        message = message.get_payload(0)
    return message


@pytest.mark.memory
@pytest.mark.parametrize("size", [900_000, 1_100_000, 3_000_000])
def test_a_large_8bit_message_reaches_a_7bit_server(relay, dns, receiver, size):
    """The kind: a copy that is handed over in one piece, however large it is, fails where a buffer ends."""
    server = receiver()
    text = "Grüße aus Köln, von weit her\r\n" * (size // 31)
    raw = delivered(relay, dns, server, HEAD + TEXT + text)
    assert email.message_from_bytes(raw).get_payload(decode=True).decode() == text
    attached = bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
    attached = b"\r\n".join(attached for _ in range(size // 256))
    raw = delivered(relay, dns, server, HEAD.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + attached + b"\r\n")
    assert email.message_from_bytes(raw).get_payload(decode=True) == attached + b"\r\n"
    said = [re.search(rb"SIZE=(\d+)", line) for line in server.lines if line.startswith(b"MAIL")]
    assert all(int(s[1]) == len(m) for s, m in zip(said, server.messages))


def greet(port):
    """How long a greeting and an EHLO take."""
    start = time.monotonic()
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        assert client.ehlo()[0] == 250
        return time.monotonic() - start


@pytest.mark.parametrize("kind", ["multiparts", "messages", "dashes"])
def test_nobody_waits_while_nested_parts_are_converted(relay_factory, dns, receiver, kind):
    """The kind: work that grows with the depth as well as with the size, on the loop that serves others."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("shards = 1").start()
    server = receiver()
    line = "Grüße, und noch eine Zeile, damit es lang wird und dauert\r\n"
    text = {"multiparts": line * (25_000_000 // len(line.encode())), "messages": line * (5_000_000 // len(line.encode())),
            "dashes": "ü\r\n" + "--not a boundary\r\n" * (2_000_000 // 18)}[kind]
    if kind == "messages":
        message = "Content-Type: message/rfc822\r\n\r\n" * 99 + TEXT + text
    else:
        message = nested(100, TEXT + text)
    id = relay.send(message=(HEAD + message).encode(), mail_options=["BODY=8BITMIME"])
    times = []
    end = time.monotonic() + 45
    while not server.messages:
        times.append(greet(relay.submission))
        assert time.monotonic() < end, max(times)
        time.sleep(0.01)
    assert outcome(relay, id)["kind"] == "delivered"
    assert leaf(email.message_from_bytes(server.messages[0])).get_payload(decode=True).decode().rstrip() == text.rstrip()
    assert dkim_passes(server.messages[0], dns)
    times.sort()
    assert times[-1] < slack(0.4) and times[len(times) * 9 // 10] < slack(0.1), times[-9:]  # another program may take the processor


def test_large_copies_are_given_up_when_the_relay_stops_or_the_server_goes_away(relay_factory, dns, receiver):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("shards = 2").start()
    server = receiver()
    server.hangs_up = True
    message = HEAD + nested(50, TEXT + "Grüße\r\n" * 500_000)
    ids = [relay.send(message=message.encode(), mail_options=["BODY=8BITMIME"]) for _ in range(4)]
    for id in ids:  # gone while the copy is made, or before it could be said
        assert outcome(relay, id)["kind"] == "deferred"
    relay.command("queue", "retry", "--all")
    relay.stop()  # also says that nothing is left behind
    server.hangs_up = False
    relay.start()
    relay.command("queue", "retry", "--all")
    for id in ids:
        relay.wait_kind(id, "delivered", 90)
    assert len(server.messages) >= 4 and all(m.isascii() for m in server.messages)


SIGNED = ('Content-Type: multipart/signed; boundary="s"; protocol="application/pgp-signature"; micalg=pgp-sha256\r\n\r\n'
          "--s\r\n%s\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\nxyz\r\n--s--\r\n")
MIXED = 'Content-Type: multipart/mixed; boundary="m"\r\n\r\n--m\r\n%s\r\n--m\r\n%s\r\n--m--\r\n'


MUST_NOT = [
    (SIGNED % (TEXT + "Grüße"), "multipart/signed"),
    (MIXED % (TEXT + "x", SIGNED % (TEXT + "Grüße")), "multipart/signed"),
    ("Content-Type: message/rfc822\r\n\r\n" + SIGNED % (TEXT + "Grüße"), "multipart/signed"),
    ("Content-Type: multipart/encrypted; boundary=e; protocol=x\r\n\r\n--e\r\nContent-Type: application/octet-stream\r\n\r\n"
     "\u00ff\u00fe\r\n--e--\r\n", "multipart/encrypted"),
    (MIXED % (TEXT + "x", "Content-Type: (x; y)\r\n multipart (z) / signed; boundary=s\r\n\r\n--s\r\n" + TEXT + "Grüße\r\n--s--"),
     "multipart/signed"),
    (MIXED % (TEXT + "x", "Content-Type: text/plain\r\n" + SIGNED % (TEXT + "Grüße")), "multipart/signed"),
    ("Content-Type: application/pkcs7-mime; smime-type=signed-data\r\nContent-Transfer-Encoding: binary\r\n\r\n0\u0082x\r\n",
     "pkcs7-mime"),
    (nested(101, TEXT + "Grüße\r\n"), "100 deep"),
    ("Content-Type: multipart/mixed\r\n\r\n--m\r\n\r\nGrüße\r\n--m--\r\n", "boundary"),
]


def test_what_must_not_be_changed_is_returned_at_once(relay, receiver):
    """The kind: content whose octets somebody vouches for, or that cannot be told apart, is never converted."""
    server = receiver()
    for content, named in MUST_NOT:
        event = returned(relay, HEAD + content)
        assert event["code"] == 550 and event["enhanced"] == "5.6.3", event
        assert named in event["reply"] and "8BITMIME" in event["reply"], event
    assert not server.messages and not any(line.startswith(b"MAIL FROM:<h") for line in server.lines)


def test_what_need_not_be_converted_stays_as_it_is(relay, dns, receiver):
    """The kind: labels and octets of parts that are 7-bit, however they are labelled and whatever stands beside them."""
    server = receiver()
    signed = SIGNED % (TEXT + "plain =20 text \r\n-- \r\nme")
    plain = "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nX-Odd:   kept\r\n\r\nno change  \r\n.dot"
    raw = delivered(relay, dns, server, HEAD + MIXED % (signed, plain)).decode()
    assert f"\r\n\r\n--m\r\n{signed}\r\n--m\r\n{plain}\r\n--m--\r\n" in raw
    raw = delivered(relay, dns, server, HEAD + MIXED % (MIXED.replace("m--", "k--").replace('"m"', '"k"').replace("--m\r", "--k\r")
                                                        % (signed, plain), TEXT + "Grüße")).decode()
    assert f"--k\r\n{signed}\r\n--k\r\n{plain}\r\n--k--" in raw
    assert "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe" in raw
    forwarded = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + HEAD + TEXT + "Grüße\r\n"
    raw = delivered(relay, dns, server, HEAD + forwarded).decode()
    assert "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n" in raw and "base64" not in raw
    assert email.message_from_string(raw).get_payload(0).get_payload(decode=True).decode() == "Grüße\r\n"
    text = "Grüße\r\n" + "lang " * 150 + "ä\r\n"
    raw = delivered(relay, dns, server, HEAD + MIXED % (TEXT + text, "Content-Type: application/octet-stream\r\n\r\n\xff\xfe raw"))
    part, binary = email.message_from_bytes(raw).get_payload()
    assert part.get_payload(decode=True).decode() == text and binary["Content-Transfer-Encoding"] == "base64" and raw.isascii()
    assert not any(b"BODY=8BITMIME" in line for line in server.lines)


def test_a_report_about_a_signed_message_is_converted_all_the_same(relay, dns, receiver):
    """Better a report with a changed copy than none."""
    dns.mail("club.test", "mx.club.test=127.0.0.1")
    server = receiver()
    id = relay.send(message=(HEAD + SIGNED % (TEXT + "Grüße")).encode(), mail_options=["BODY=8BITMIME", "RET=FULL"])
    assert outcome(relay, id)["enhanced"] == "5.6.3"
    report = wait_for(lambda: server.messages)[0]
    assert report.isascii() and b"multipart/signed" in report and dkim_passes(report, dns)


def words(value):
    """As people read it."""
    return "".join(part.decode(charset or "ascii") if isinstance(part, bytes) else part
                   for part, charset in email.header.decode_header(value.replace("\r\n", "")))


UTF8 = {"mail_options": ["SMTPUTF8"]}


def send_to_utf8(relay, recipient):
    with relay.client() as client:
        client.ehlo()
        client.putcmd("mail", "FROM:<hello@club.test> SMTPUTF8")
        assert client.getreply()[0] == 250
        client.sock.sendall(f"RCPT TO:<{recipient}>\r\n".encode())
        assert client.getreply()[0] == 250
        code, text = client.data(b"From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")
        assert code == 250, text
        return text.decode().split()[-1]


@pytest.mark.parametrize("offers", [(), ("8BITMIME",)], ids=["7bit", "8bit"])
def test_a_utf8_header_reaches_a_server_without_smtputf8(relay, dns, receiver, offers):
    """The kind: a header in UTF-8 that ASCII can say as well; before it is signed, so that the signature holds."""
    server = receiver(*offers)
    relay.add_domain("xn--bcher-kva.test")
    message = ("From: Jürgen Müller <hello@club.test>\r\n"
               'To: "Müßig, Øle" <bob@dest.test>, Çelik <c@bücher.test> (bei Büchers), plain@dest.test\r\n'
               "Reply-To: antwort@bücher.test\r\n"
               "Subject: Grüße aus Köln, und ein langer Betreff, der über die Zeile hinausgeht: 日本語 ist schön\r\n"
               "Message-ID: <ü1@club.test>\r\nList-Unsubscribe: <https://club.test/ende?für=ü>\r\n"
               "MIME-Version: 1.0\r\n"
               'Content-Type: text/plain; charset=utf-8; name="' + "Übersicht " * 50 + '.txt"\r\n'
               "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße\r\n")
    raw = delivered(relay, dns, server, message, **UTF8)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.isascii() and (body == "Grüße\r\n".encode()) == bool(offers)
    parsed = email.message_from_bytes(raw)
    assert words(parsed["From"]) == "Jürgen Müller <hello@club.test>"
    to = email.utils.getaddresses([parsed["To"].replace("\r\n", "")])
    assert [a for _, a in to] == ["bob@dest.test", "c@xn--bcher-kva.test", "plain@dest.test"]
    assert words(to[0][0]) == "Müßig, Øle" and words(to[1][0]).startswith("Çelik")
    assert parsed["Reply-To"] == "antwort@xn--bcher-kva.test"
    assert words(parsed["Subject"]) == "Grüße aus Köln, und ein langer Betreff, der über die Zeile hinausgeht: 日本語 ist schön"
    assert parsed.get_filename() == "Übersicht " * 50 + ".txt" and parsed["Message-ID"] == "<%C3%BC1@club.test>"
    assert parsed["List-Unsubscribe"] == "<https://club.test/ende?f%C3%BCr=%C3%BC>"
    assert parsed.get_payload(decode=True).decode() == "Grüße\r\n"
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert not any(b"SMTPUTF8" in line for line in server.lines if line.startswith(b"MAIL"))


def test_a_sender_with_a_u_label_domain_reaches_a_server_without_smtputf8(relay, dns, receiver):
    server = receiver("8BITMIME")
    relay.add_domain("bücher.test")
    relay.command("user", "add", "books", "--domain", "bücher.test", check=False)
    message = "From: Bücher <hello@bücher.test>\r\nTo: <bob@dest.test>\r\nSubject: ü\r\n\r\nx\r\n"
    made = relay.json("user", "add", "buecher", "--domain", "xn--bcher-kva.test")
    with relay.client(user="buecher", secret=made["secret"]) as client:
        client.ehlo()
        client.sock.sendall("MAIL FROM:<hello@bücher.test> SMTPUTF8\r\n".encode())
        assert client.getreply()[0] == 250
        assert client.rcpt("bob@dest.test")[0] == 250
        code, text = client.data(message.encode())
        assert code == 250, text
    wait_for(lambda: server.messages)
    raw = server.messages[0]
    assert b"<hello@xn--bcher-kva.test>" in raw and raw.isascii() and dkim_passes(raw, dns)
    assert any(line.startswith(b"MAIL FROM:<hello@xn--bcher-kva.test>") for line in server.lines)


def test_only_a_local_part_that_is_not_ascii_needs_smtputf8(relay, dns, receiver):
    server = receiver("8BITMIME")
    for field in ("To: <ü@dest.test>", "Cc: Jürgen <jürgen.müller@dest.test>", "Reply-To: ö@club.test"):
        event = returned(relay, f"From: <hello@club.test>\r\nSubject: Grüße\r\n{field}\r\n\r\nx\r\n", **UTF8)
        assert event["code"] == 550 and event["enhanced"] == "5.6.7", event
        assert field.split(":")[0] in event["reply"] and "SMTPUTF8" in event["reply"], event
    dns.mail("xn--bcher-kva.test", "mx.dest.test=127.0.0.1")
    for recipient, kind in (("ü@dest.test", "bounced"), ("plain@bücher.test", "delivered")):
        id = send_to_utf8(relay, recipient)
        assert relay.wait_kind(id, kind)[0]["enhanced"] == ("5.6.7" if kind == "bounced" else "2.0.0")
    assert b"RCPT TO:<plain@xn--bcher-kva.test>\r\n" in server.lines


def test_a_utf8_header_goes_unchanged_to_a_server_with_smtputf8(relay, dns, receiver):
    server = receiver("8BITMIME", "SMTPUTF8")
    raw = delivered(relay, dns, server, "From: Jürgen <hello@club.test>\r\nTo: ü@bücher.test\r\nSubject: Grüße\r\n\r\nx\r\n", **UTF8)
    assert "From: Jürgen <hello@club.test>\r\nTo: ü@bücher.test\r\nSubject: Grüße\r\n".encode() in raw
    assert any(b"SMTPUTF8" in line for line in server.lines if line.startswith(b"MAIL"))
    raw = delivered(relay, dns, server, "From: <hello@club.test>\r\nSubject: x\r\n" + TEXT + "Grüße\r\n")
    assert "8bit\r\n".encode() in raw and raw.endswith("\r\n\r\nGrüße\r\n".encode())
    assert b"BODY=8BITMIME" in server.lines[-1 - [line[:4] for line in reversed(server.lines)].index(b"MAIL")]
