"""What an application may write into envelope and header, and what leaves of it: a release build, with its sandbox on."""

import re
import smtplib
import time

import pytest

from conftest import split_copy, wait_for
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
