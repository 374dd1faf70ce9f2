"""serve --trace: what is said on the chosen connections, and only there, is in the log, without logins and without messages."""

import base64
import os
import re
import smtplib
import ssl

import pytest
from conftest import free_port, wait_for
from mailhost import trusting

pytestmark = pytest.mark.usefixtures("release")


def traced(relay):
    """Unquoted, and commands in one case."""
    return [line.replace('"', "").replace("rcpt TO", "RCPT TO").replace("mail FROM", "MAIL FROM").replace("ehlo ", "EHLO ")
            for line in relay.log().splitlines() if "info trace " in line]


def spellings(secret, name="app"):
    """The secret as it might be found in a log."""
    plain = base64.b64encode(f"\0{name}\0{secret}".encode()).decode()
    return [secret, plain, plain.rstrip("="), base64.b64encode(secret.encode()).decode().rstrip("=")]


def test_a_client_is_traced_without_its_secrets(relay_factory, dns, sink_factory):
    """Each way to log in, right, wrong, and at the wrong place: none of it is in the log, and the rest is."""
    relay = relay_factory()
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink_factory()
    relay.options = ("--trace", "127.0.0.1")
    relay.start()
    for mechanism in ("PLAIN", "LOGIN"):
        for secret in (relay.secret, "wrong-" + relay.secret):
            client = smtplib.SMTP("127.0.0.1", relay.submission, timeout=30)
            client.starttls(context=relay.context())
            client.ehlo("club.test")
            client.user, client.password = "app", secret
            try:
                client.auth(mechanism, getattr(client, f"auth_{mechanism.lower()}"))
                client.sendmail("hello@club.test", ["bob@dest.test"], "From: hello@club.test\r\nSubject: hi\r\n\r\nsecret-of-a-message\r\n")
            except smtplib.SMTPAuthenticationError:
                for line in spellings(secret):  # as if it had been asked for
                    client.docmd(line)
            client.close()
    wait_for(lambda: any("s=250 2" in line for line in traced(relay)))
    relay.stop()
    log = relay.log()
    for text in [*spellings(relay.secret), *spellings("wrong-" + relay.secret), "secret-of-a-message"]:
        assert text not in log, text
    lines = traced(relay)
    for wanted in (r"c=EHLO club\.test", r"c=STARTTLS", r"c=\(authentication\)", r"c=MAIL FROM:<hello@club\.test>", r"c=\(a message\)",
                   r"c=\(not a command\)", r"s=220 ", r"s=235 ", r"s=354 "):
        assert any(re.search(wanted, line) for line in lines), wanted
    assert "warn tracing what=127.0.0.1" in log


def test_nobody_else_is_traced(relay_factory, dns, sink_factory):
    """One credential, from its login on; one domain of two at one server; and nothing without the switch."""
    relay = relay_factory()
    second = relay.json("user", "add", "second", "--domain", "club.test")
    for domain in ("dest.test", "other.test"):
        dns.mail(domain, f"mx.{domain}=127.0.0.1")
    sink = sink_factory()
    message = "From: hello@club.test\r\nSubject: hi\r\n\r\nx\r\n"
    relay.options = ("--trace", "SECOND, dest.test")
    relay.start()
    for user, secret, to in (("app", relay.secret, "of-app@other.test"), ("second", second["secret"], "of-second@other.test"),
                             ("app", relay.secret, "bob@dest.test")):
        with relay.client(user=user, secret=secret) as client:
            client.sendmail("hello@club.test", [to], message)
    sink.wait(3)
    relay.stop()
    lines = traced(relay)
    assert [line for line in lines if "RCPT TO:<of-second@other.test>" in line and " mx=" not in line], lines
    assert not [line for line in lines if "of-app" in line]
    assert [line for line in lines if "RCPT TO:<bob@dest.test>" in line and "mx=mx.dest.test" in line], lines
    assert not [line for line in lines if "mx=mx.other.test" in line]
    count = len(lines)
    relay.options = ()
    relay.start()
    relay.send("bob@dest.test")
    sink.wait(4)
    relay.stop()
    assert len(traced(relay)) == count


def test_a_login_at_a_smart_host_is_not_shown(relay_factory, dns, tmp_path, mailhost, issue):
    """The other way round: our own password."""
    port = free_port()
    dns.add("smart.dest.test", "A", "127.0.0.1")
    host = mailhost(port=port, context=server(issue("smart.dest.test")), users={"me": "our-own-password"})
    (tmp_path / "password").write_text("our-own-password\n")
    relay = relay_factory(f'route "*" {{ host = "smart.dest.test"  port = {port}  username = "me"  password_file = "{tmp_path}/password" }}')
    relay.options = ("--trace", "all")
    trusting(relay, tmp_path)
    relay.wait_kind(relay.send(to="bob@anywhere.test"), "delivered")
    relay.stop()
    assert host.reached("bob@anywhere.test")
    for text in [*spellings("our-own-password", "me"), *spellings(relay.secret)]:
        assert text not in relay.log(), text
    for wanted in ("c=(authentication)", "c=RCPT TO:<bob@anywhere.test>", "c=DATA"):
        assert [line for line in traced(relay) if wanted in line and "mx=smart.dest.test" in line], wanted


def server(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def limit(process, name):
    text = open(f"/proc/{process.pid}/limits").read()
    return re.search(rf"^{name}\s+(\S+)", text, re.M).group(1)


@pytest.mark.parametrize("options, dumpable", [((), False), (("--core-dumps",), True)])
def test_core_dumps_only_where_they_are_wanted(relay_factory, options, dumpable):
    relay = relay_factory()
    relay.options = options
    relay.start()
    assert (limit(relay.process, "Max core file size") != "0") == dumpable
    owner = os.stat(f"/proc/{relay.process.pid}/status").st_uid  # root, when nobody may look into it
    assert (owner == os.stat(relay.path / "state").st_uid) == dumpable or os.stat(relay.path / "state").st_uid == 0
    relay.stop()
