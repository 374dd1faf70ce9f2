"""What a reload changes for those who are connected already, and which files it may read."""

import base64
import signal
import threading

import pytest
from conftest import wait_for
from test_access import Raw
from test_control import memory_kb

pytestmark = pytest.mark.usefixtures("release")

STREAMS = 'stream "news" { class = "digest" }\nstream "other" { class = "notification" }\n'
MESSAGE = "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: test\r\nSealpost-Stream: news\r\n\r\n"


def change(relay, old, new):
    text = relay.config.read_text()
    assert old in text
    relay.config.write_text(text.replace(old, new))
    relay.reload()


@pytest.fixture
def relay(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return relay_factory(STREAMS + "limits { size = 4M  messages = 20 }\n").start()


def events(relay):
    return [e["reply"] for e in relay.json("events", "--kind", "refused")]


@pytest.mark.parametrize("at", ["idle", "mail", "data", "spilled"])
def test_a_stream_that_is_gone_takes_no_mail_of_sessions_that_are_there(relay, at):
    sessions = [Raw(relay) for _ in range(8)]  # on each shard
    for session in sessions:
        if at == "mail":
            assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
        elif at in ("data", "spilled"):
            session.begin()
            session.send(MESSAGE + ("x" * 70 + "\r\n") * (20000 if at == "spilled" else 1))
    change(relay, 'stream "news" { class = "digest" }\n', "")
    for session in sessions:
        if at == "idle":
            session.begin()
        elif at == "mail":
            assert session.say("RCPT TO:<bob@dest.test>")[0] == 250
            assert session.say("DATA")[0] == 354
        if at in ("idle", "mail"):
            session.send(MESSAGE)
        code, text = session.say(".")
        assert code == 550 and 'Stream "news" is not configured' in text, text
    session = sessions[0]
    session.begin()  # it goes on
    session.send(MESSAGE.replace("news", "other"))
    assert session.say(".")[0] == 250
    wait_for(lambda: len(events(relay)) == 8)


def test_a_message_that_waits_for_its_verdict_is_judged_by_what_holds_then(relay, dns):
    """The answer from DNS comes after the reload, for a small message and for one that lies on the disk already."""
    for domain, body in (("small.test", "hello\r\n"), ("large.test", ("x" * 70 + "\r\n") * 10000)):
        dns.delay = 0
        secret = relay.json("user", "add", domain, "--domain", domain)["secret"]
        relay.add_domain(domain)
        session = Raw(relay, domain, secret)
        session.begin(f"hello@{domain}")
        dns.delay = 1
        answers = []
        asked = len(dns.asked)
        text = (MESSAGE + body).replace("club.test", domain) + "."
        waiter = threading.Thread(target=lambda: answers.append(session.say(text)))
        waiter.start()
        wait_for(lambda: len(dns.asked) > asked, step=0.01)
        change(relay, 'stream "news" { class = "digest" }\n', "")
        assert answers == []
        waiter.join()
        assert answers[0][0] == 550 and "is not configured" in answers[0][1], answers
        change(relay, 'stream "other"', 'stream "news" { class = "digest" }\nstream "other"')


def test_smaller_limits_hold_for_sessions_that_are_there(relay):
    """Size, recipients, messages of a session, idle time: the next command is judged by the new ones."""
    session, large, sent, idle = (Raw(relay) for _ in range(4))
    large.begin()
    large.send(MESSAGE + ("x" * 70 + "\r\n") * 20000)
    for _ in range(2):
        sent.begin()
        sent.send(MESSAGE)
        assert sent.say(".")[0] == 250
    change(relay, "limits { size = 4M  messages = 20 }", "limits { size = 1M  messages = 2  recipients = 1  idle = 10 }")
    assert session.say("MAIL FROM:<hello@club.test> SIZE=2000000")[0] == 552
    assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
    assert session.say("RCPT TO:<bob@dest.test>")[0] == 250
    assert session.say("RCPT TO:<ann@dest.test>")[0] == 452
    assert large.say(".")[0] == 552
    code, text = sent.say("MAIL FROM:<hello@club.test>")
    assert code in (421, 451, 452) and "2" in text, text
    assert "SIZE 1048576" in idle.say("EHLO client.test")[1]
    idle.socket.settimeout(30)
    assert idle.reply()[0] == 421


def test_nobody_is_harmed_by_a_reload(relay):
    """In the middle of a handshake, of a login, of a message: all go on."""
    raw = Raw(relay, user=None)
    assert raw.say("AUTH PLAIN")[0] == 334
    message = Raw(relay)
    message.begin()
    message.send(MESSAGE)
    for _ in range(5):
        relay.reload()
    assert raw.say(base64.b64encode(f"\0app\0{relay.secret}".encode()).decode())[0] == 235
    assert message.say(".")[0] == 250
    for session in (raw, message):
        session.begin()
        session.send(MESSAGE)
        assert session.say(".")[0] == 250


def test_after_a_thousand_reloads_only_what_somebody_holds_is_left(relay):
    """Settings are generations: each is freed when the last one lets go, be it a session that slept all the time. One is some 90 KB."""
    log = relay.path / "serve.log"
    sleepers = [Raw(relay) for _ in range(8)]
    sizes = []
    with log.open() as lines:
        for n in range(1000):
            relay.process.send_signal(signal.SIGHUP)
            wait_for(lambda: " reloaded " in lines.read(), step=0.001)
            if n % 100 == 0:  # some come and go meanwhile
                assert sleepers[n // 100 % 8].say("NOOP")[0] == 250
                relay.client().quit()
            if n in (199, 999):
                sizes.append(memory_kb(relay))
    assert sizes[1] - sizes[0] < 8 * 1024, sizes
    for session in sleepers:
        session.begin()
        session.send(MESSAGE)
        assert session.say(".")[0] == 250


def test_the_new_hostname_is_the_one_that_mail_would_come_back_to(relay_factory, dns):
    """Kind: a part that keeps its own copy of a setting. An MX that is this host, and what is worse, is not tried (RFC 5321 5.1)."""
    dns.mail("own.test", "new.club.test=127.0.0.1")
    relay = relay_factory().start()
    change(relay, '"mail.club.test"', '"new.club.test"')
    relay.send(to=["bob@own.test"])
    wait_for(lambda: relay.json("events", "--kind", "bounced"))
    assert "loop" in relay.json("events", "--kind", "bounced")[0]["reply"]


ROUTE = 'route "a.test" { host = "192.0.2.1"  username = "u"  password_file = "%s" }\n'
KEY = 'dkim { zone = "keys.test"  server = "127.0.0.1"  tsig_key = "%s" }\n'


@pytest.mark.parametrize("setting, word", [(ROUTE, "password_file"), (KEY, "tsig_key")], ids=["password", "key for updates"])
def test_a_reload_that_cannot_read_a_secret_is_refused(relay_factory, setting, word):
    """It says which file, and why; what was in force stays, with what was read then. The check says the same."""
    relay = relay_factory()
    secret = relay.path / "secret"
    secret.write_text('key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n')
    secret.chmod(0o600)
    relay.config.write_text(relay.config.read_text() + setting % secret)
    relay.start()
    relay.command("reload")
    secret.rename(relay.path / "elsewhere")
    for words in (("reload",), ("config", "check")):
        done = relay.command(*words, check=False)
        assert done.returncode == 1 and f"{word} {secret}: No such file" in done.stderr and f"{relay.config}:" in done.stderr, done
    assert f"{word} {secret}: No such file" in relay.json("status")["refused"] and " reload_refused " in relay.log()
    (relay.path / "elsewhere").rename(secret)
    relay.command("reload")
    assert "refused" not in relay.json("status")
