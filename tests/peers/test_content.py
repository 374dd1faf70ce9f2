"""What an application may write into envelope and header, and what leaves of it: a release build, with its sandbox on."""

import email
import email.policy
import re
import time

import pytest

from conftest import dkim_passes, split_copy, wait_for
from test_delivery import Script


@pytest.fixture
def script(delivery_port):
    made = []

    def make(answer=None, **options):
        made.append(Script(delivery_port, answer, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


# Full-width and other characters that a mapping turns into ASCII which means something in SMTP.
SMUGGLED = [
    "bob@victim.test＞　orcpt＝rfc822；a7.evil.test",
    "bob@victim.test＞",
    "bob@victim.test　a.test",
    "bob@victim.test＝a.test",
    "bob＠victim.test@dest.test",
    "bob@a⒈b.test",
    "bob@℀.test",
    "bob@victim.test﹥.test",
    "bob@victim.test.",
    "bob＞　SIZE＝1@dest.test",
]


@pytest.mark.parametrize("domain", ["club.test＞", "a.test　b.test", "a＝b.test", "a＠b.test", "℀.test", "xn--a＞.test"])
def test_no_command_and_no_setting_takes_a_domain_that_becomes_another(relay_factory, domain):
    relay = relay_factory()
    for command in (("domain", "add", domain), ("user", "add", "x", "--domain", domain), ("user", "add", "y", "--domain", f"a@{domain}"),
                    ("check", "dmarc", "--from", f"a@{domain}"), ("address", "canonical", f"a@{domain}"),
                    ("suppress", "add", f"a@{domain}"), ("init", domain, "--dir", str(relay.path / "other"))):
        done = relay.command(*command, check=False)
        assert done.returncode != 0, (command, done.stdout)
    text = relay.config.read_text()
    for setting in (f'domain "{domain}" {{ alignment = "off" }}', f'operator = {{"a@{domain}"}}'):
        relay.config.write_text(f"{text}\n{setting}\n")
        assert relay.command("config", "check", check=False).returncode != 0, setting


def say(client, line):
    """One command, as it is; code and text of its answer."""
    client.sock.sendall(line.encode() + b"\r\n" if isinstance(line, str) else line + b"\r\n")
    code, text = client.getreply()
    return code, text.decode(errors="replace")


def test_no_address_becomes_another_one_on_its_way_out(relay, dns, script):
    """RCPT and MAIL with characters that normalise to '>', a blank and '='; the receiver offers no SMTPUTF8."""
    for name in ("victim.test", "a7.evil.test", "dest.test", "a.test", "a.b.test"):
        dns.mail(name, f"mx.{name}=127.0.0.1")
    dns.add("victim.test> orcpt=rfc822;a7.evil.test", "MX", "10 mx.a7.evil.test.")  # whoever attacks answers for evil.test
    receiver = script(offers=("8BITMIME",))
    taken = []
    with relay.client() as client:
        client.ehlo("app.test")
        for address in SMUGGLED:
            code, text = say(client, f"MAIL FROM:<{address}> SMTPUTF8")
            assert code in (501, 550, 553), (address, code, text)
            say(client, "MAIL FROM:<hello@club.test> SMTPUTF8")
            for parameters in ("", " NOTIFY=NEVER"):
                taken += [address] if say(client, f"RCPT TO:<{address}>{parameters}")[0] == 250 else []
            say(client, "RSET")
        say(client, "MAIL FROM:<hello@club.test> SMTPUTF8")
        for address in [*SMUGGLED, "bob@ｄest。test"]:
            code = say(client, f"RCPT TO:<{address}>")[0]
        assert code == 250
        assert client.data(b"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
    wait_for(lambda: receiver.messages)
    time.sleep(0.5)
    said = [line for line in receiver.lines if line.startswith(("MAIL", "RCPT"))]
    odd = [line for line in said
           if not re.fullmatch(r"(MAIL FROM|RCPT TO):<[a-z.]+@[a-z.]+>( [A-Z0-9]+(=[A-Z0-9]+)?)*", line)]
    assert not odd, odd
    assert not taken, taken
    assert [line for line in said if line.startswith("RCPT")] == ["RCPT TO:<bob@dest.test>"]


# ---- what the relay says of who submitted ----

NAMES = ["app_server.internal", "h\u00e9.test", b"h\xe9.test", "anna's-laptop", "anna's laptop", "[IPV6:2001:db8::1]", "[IPv6:::1]",
         "2001:db8::1", "::1", "[10.1.2.3]", "10.1.2.3", "client.test.", "localhost", "a" * 200, "x);(by evil.test", "(comment", "<>"]


def test_any_name_may_be_said_in_ehlo_and_the_trace_does_not_tell_it(relay, sink, dns):
    message = b"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\n\r\nx\r\n"
    for name in NAMES:
        with relay.client() as client:
            for verb in ("HELO", "EHLO"):
                code, text = say(client, verb.encode() + b" " + (name if isinstance(name, bytes) else name.encode()))
                assert code == 250, (name, text)
            assert say(client, "MAIL FROM:<hello@club.test>")[0] == 250
            assert say(client, "RCPT TO:<bob@dest.test>")[0] == 250
            assert client.data(message)[0] == 250
    for _, raw in sink.wait(len(NAMES)):
        received = split_copy(raw)[1]
        assert re.fullmatch(rb"Received: by mail\.club\.test with ESMTPSA id [0-9a-z]{13}\r\n\tfor <bob@dest\.test>;\r\n\t[^\r]*\r\n",
                            received), received
        assert b"127.0.0.1" not in received and dkim_passes(raw, dns)


def test_the_trace_tells_the_client_if_it_is_asked_to(relay_factory, sink):
    relay = relay_factory('trace_client = "full"').start()
    for name in NAMES:
        with relay.client() as client:
            say(client, b"EHLO " + (name if isinstance(name, bytes) else name.encode()))
            client.sendmail("hello@club.test", ["bob@dest.test"],
                            b"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\n\r\nx\r\n")
    found = set()
    for _, raw in sink.wait(len(NAMES)):
        received = split_copy(raw)[1]
        match = re.fullmatch(rb"Received: from ([!-~]+) \(\[127\.0\.0\.1\]\)\r\n\tby mail\.club\.test with ESMTPSA id [^\r]*\r\n"
                             rb"\tfor <bob@dest\.test>;\r\n\t[^\r]*\r\n", received)
        assert match and not re.search(rb"[()<>\\\",;]", match[1]), received
        found.add(match[1].decode())
    assert {"app_server.internal", "[IPV6:2001:db8::1]", "2001:db8::1", "client.test.", "a" * 200} <= found
    assert 'trace_client = "full"' in relay.command("config", "show")
    relay.config.write_text(relay.config.read_text().replace('trace_client = "full"', 'trace_client = "some"'))
    assert '"none" or "full"' in relay.command("config", "check", check=False).stderr


# ---- what the header says ----

def submit(relay, fields, body="x"):
    """A message with these fields behind From; code and text of the answer."""
    if not re.search("^from:", fields, re.I | re.M):
        fields = "From: <hello@club.test>\r\n" + fields
    with relay.client() as client:
        client.ehlo("app.test")
        say(client, "MAIL FROM:<hello@club.test>")
        say(client, "RCPT TO:<bob@dest.test>")
        code, text = client.data(f"{fields}\r\n\r\n{body}\r\n".encode())
    return code, " ".join(re.sub(r"^5\.\d\.\d ", "", line) for line in text.decode().splitlines())


REFUSED = [  # fields, and what the refusal must name: the field, the rule, where it stands
    ("Date: Do, 26 Nov 2026 14:36:47 +0100", ["Header field Date", "English day of the week", "RFC 5322 3.3"]),
    ("Date: 2026-11-26T14:36:47Z", ["Header field Date", "Thu, 26 Nov 2026 14:36:47 +0000", "RFC 5322 3.3"]),
    ("Date: Thu, 26 Nov 2026 14:36:47", ["Header field Date", "no zone", "+0000"]),
    ("Date: Tue, 31 Feb 2026 14:36:47 +0000", ["Header field Date", "its month does not have"]),
    ("Date: ", ["Header field Date", "leave the field out"]),
    ("To:", ["Header field To is empty", "leave the field out", "RFC 5322 3.6.3"]),
    ("To: a@@b", ["Header field To", "not an address local@domain"]),
    ("To: Smith, John <john@dest.test>", ["Header field To", "quote a display name that has a comma"]),
    ("Reply-To: ", ["Header field Reply-To is empty", "RFC 5322 3.6.2"]),
    ("Message-ID: <a@x@y>", ["Header field Message-ID", "one <left@right>", "RFC 5322 3.6.4"]),
    ("Message-ID: <<a@b>>", ["Header field Message-ID", "one <left@right>", "left out"]),
    ("To: " + ", ".join(["bob@dest.test"] * 80), ["Header field To", "has 1202 octets in line 2", "998 at most", "fold it"]),
    ("From bob Thu Nov 26 14:36:47 2026", ["From bob", "mbox", "leave it out"]),
    ("Sender: <ceo@bank.test>", ["Sender field ceo@bank.test", '"app"', "club.test"]),
    ("Resent-From: <hello@club.test>\r\nResent-From: <ceo@bank.test>", ["Resent-From field ceo@bank.test", '"app"']),
    ("Resent-Sender: <ceo@bank.test>", ["Resent-Sender field ceo@bank.test", '"app"']),
    ("From: hello@club.test (<ceo@bank.test>)", ["Header field From", "comment", "take the comment out"]),
    ('From: "ceo@bank.test" <hello@club.test>', ["Header field From", "ceo@bank.test", "display name", "Reply-To"]),
    ("From: =?utf-8?q?ceo=40bank.test?= <hello@club.test>", ["Header field From", "ceo@bank.test", "display name"]),
    *[(f"From: {email.header.Header(name, 'utf-8').encode()} <hello@club.test>", ["Header field From", "ceo@bank.test", "display name"])
      for name in ("ceo\u200b@\u200bbank.test", "ceo\u2060@bank.test", "ceo\u200e@ba\u00adnk.test", "ceo\u034f@bank\u3002test",
                   "ceo@\U000e0062bank\uff61test", "ceo \uff20 bank.test")],
    ('From: "ceo" "@" "bank.test" <hello@club.test>', ["Header field From", "ceo@bank.test", "display name"]),
    (f"From: {email.header.Header(chr(0x202e) + 'tset.knab@oec', 'utf-8').encode()} <hello@club.test>",
     ["Header field From", "U+202E", "reverses what readers see"]),
]


def test_what_receivers_refuse_is_refused_with_field_and_rule(relay):
    for fields, words in REFUSED:
        code, text = submit(relay, fields)
        assert code == 550, (fields, text)
        assert all(word in text for word in words), (fields, text)
    code, text = submit(relay, "Subject: x", "x" * 1200)
    assert code == 554 and all(word in text for word in ("line 4", "body", "1200 octets", "998 at most", "quoted-printable")), text


ACCEPTED = [
    "Date: Thu, 26 Nov 2026 14:36:47 +0100 (CET)",
    "Date: Thu, 26 Nov 2026 14:36:47 GMT",
    "Date: 26 Nov 2026 14:36 +0000",
    "Message-ID: <a@b> (comment)",
    "Message-ID: <1.2@[192.0.2.1]>",
    'Message-ID: <"a"@b.test>',
    "To: undisclosed-recipients:;",
    "To: b@dest.test <b@dest.test>, John Q. Public <c@dest.test>,",
    "Cc:",
    "In-Reply-To:\r\nReferences:",
    "Sender: hello@club.test",
    "Resent-From: hello@club.test\r\nResent-To: x@dest.test\r\nResent-Date: Thu, 26 Nov 2026 14:36:47 +0000",
    "From: hello@club.test (Club)",
    'From: "Club @ home" <hello@club.test>',
    'From: "hello@club.test" <hello@club.test>',
    "DKIM-Signature: of somebody else",
    "DKIM-Signature: v=1; v=1; a=rsa-sha256; d=; s==;;",
    "DKIM-Signature: v=1; a=rsa-sha256; d=bank.test; s=x; h=from; t=99999999999999999999; bh=AAAA; b=AAAA",
    "X;y: a name as RFC 5322 allows it",
]


def test_what_is_unusual_but_valid_arrives_signed(relay, sink, dns):
    for fields in ACCEPTED:
        code, text = submit(relay, fields)
        assert code == 250, (fields, text)
    arrived = [raw for _, raw in sink.wait(len(ACCEPTED))]
    for raw in arrived:
        head = raw.split(b"\r\n\r\n")[0] + b"\r\n"
        assert dkim_passes(raw, dns)
        assert not re.search(rb"^[A-Za-z-]+:[ \t]*\r\n(?![ \t])", head, re.M), head  # no field that says nothing
        assert len(re.findall(rb"^Date:", head, re.M)) == len(re.findall(rb"^Message-ID:", head, re.M)) == 1
        parsed = email.message_from_bytes(raw, policy=email.policy.SMTP)
        assert parsed["Date"].datetime.year >= 2026 and not parsed["From"].defects, head


def test_a_from_line_in_the_body_stays_body(relay, sink, dns):
    assert submit(relay, "Subject: x", "From bob Thu Nov 26 14:36:47 2026\r\nSubject: y")[0] == 250
    raw = sink.wait(1)[0][1]
    assert raw.endswith(b"\r\n\r\nFrom bob Thu Nov 26 14:36:47 2026\r\nSubject: y\r\n") and dkim_passes(raw, dns)


def test_nothing_that_others_wrote_moves_the_operators_cursor(relay, sink, tmp_path):
    """C1 controls, bidi overrides and what nobody sees: in commands, their JSON, the log and the sink's output."""
    nasty = "a\u009b2Jb\u0085c\u202ed\u2066e\u200bf\u2028g\x7fh"
    relay.command("suppress", "add", "x@dest.test", "--reason", nasty, check=False)
    (tmp_path / "list.csv").write_text(f"recipient,reason\ny@dest.test,{nasty}\n")
    relay.command("suppress", "import", str(tmp_path / "list.csv"), check=False)
    with relay.client() as client:
        say(client, f"EHLO {nasty}".replace("\x7f", ""))
        say(client, f"MAIL FROM:<{nasty}@club.test> SMTPUTF8")
        assert say(client, "MAIL FROM:<hello@club.test> SMTPUTF8")[0] == 250
        assert say(client, "RCPT TO:<bob@dest.test>")[0] == 250
        name = nasty.replace("\u202e", "")  # is refused there
        header = (f"From: {name} <hello@club.test>\nTo: <bob@dest.test>\nSubject: {nasty}\n"
                  "Message-ID: <a\u009b2J\u202eb@club.test>\n").replace("\x7f", "").replace("\n", "\r\n")
        code, text = client.data((header + "\r\nx\r\n").encode())
        assert code == 250, text
        id = text.decode().split()[-1]
        say(client, "MAIL FROM:<hello@club.test> SMTPUTF8")
        say(client, "RCPT TO:<bob@dest.test>")
        assert client.data((header.replace("hello@club.test", "x@evil.test") + "\r\nx\r\n").encode())[0] == 550
    sink.wait(1)
    shown = [relay.log(), (sink.dir / "out").read_text()]
    for options in ((), ("--json",)):
        for command in (("queue", "list"), ("events",), ("trace", id), ("suppress", "list"), ("audit", "tail"),
                        ("suppress", "show", "x@dest.test"), ("address", "canonical", "\u00fc\u202e@dest.test")):
            done = relay.command(*options, *command, check=False)
            shown += [done.stdout, done.stderr]
    hidden = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
    for text in shown:
        assert not hidden.search(text), text[max(0, hidden.search(text).start() - 60):][:120]
    assert r"\u202e" in "".join(shown)
