"""Who may submit, and until when: sessions end with their credential, nothing is accepted that cannot be signed."""

import base64
import hashlib
import json
import re
import smtplib
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import wait_for

MESSAGE = "From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: test\r\n\r\nhello\r\n"


class Raw:
    """A session by hand: TLS from the first byte, logged in."""

    def __init__(self, relay, user="app", secret=None, source="127.0.0.1"):
        plain = socket.create_connection(("127.0.0.1", relay.submissions), timeout=20, source_address=(source, 0))
        self.socket = relay.context().wrap_socket(plain)
        self.file = self.socket.makefile("rb")
        assert self.reply()[0] == 220
        assert self.say("EHLO client.test")[0] == 250
        if user:
            token = base64.b64encode(f"\0{user}\0{secret or relay.secret}".encode()).decode()
            assert self.say(f"AUTH PLAIN {token}")[0] == 235

    def send(self, text):
        self.socket.sendall(text.encode())

    def reply(self):
        text = b""
        while True:
            line = self.file.readline()
            if not line:
                return 0, text.decode()
            text += line
            if line[3:4] != b"-":
                return int(line[:3]), text.decode()

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def begin(self, sender="hello@club.test"):
        assert self.say(f"MAIL FROM:<{sender}>")[0] == 250
        assert self.say("RCPT TO:<bob@dest.test>")[0] == 250
        assert self.say("DATA")[0] == 354

    def ended(self):
        """Is nothing more to come?"""
        try:
            return self.file.readline() == b""
        except (ConnectionError, ssl.SSLError):
            return True


CHANGES = {
    "disabled": ("user", "disable", "app"),
    "deleted": ("user", "delete", "app"),
    "rotated": ("user", "rotate", "app"),
    "domain": ("domain", "remove", "club.test"),
}


@pytest.fixture
def club(relay_factory, sink_factory, dns):
    """Two shards, so that sessions are on several threads."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("shards = 2\n").start()
    relay.sink = sink_factory(records=relay.records)
    return relay


@pytest.mark.parametrize("change", CHANGES)
def test_sessions_end_with_what_they_logged_in_with(club, change):
    """On each shard; whoever is idle, between commands, or in the middle of a message."""
    other = club.json("user", "add", "other", "--domain", "other.test")["secret"]
    idle = [Raw(club) for _ in range(8)]
    busy = [Raw(club) for _ in range(4)]
    for session in busy:
        session.begin()
        session.send(MESSAGE)
    stuck = Raw(club)
    stuck.begin()
    stuck.send("From: <hello@club.test>\r\n")
    stranger = Raw(club, "other", other)
    club.command(*CHANGES[change])
    began = time.monotonic()
    for session in busy:
        code, text = session.say(".")
        assert code in (451, 550) and ("login" in text or "log in" in text or "removed" in text), text
        assert session.reply()[0] == 421 and session.ended()
    for session in idle:
        code, text = session.reply()
        assert code == 421 and " 4.7.0 " in text and "log in again" in text, text
        assert session.ended()
    assert stuck.reply()[0] == 421 and stuck.ended()
    assert time.monotonic() - began < 3
    assert stranger.say("NOOP")[0] == 250  # nobody else's
    assert club.sink.messages() == []
    assert club.log().count(" session_ended ") == 13


def test_the_next_command_is_refused_even_when_it_was_sent_already(club):
    """Pipelined behind the change: none of it is answered with success."""
    session = Raw(club)
    club.command("user", "disable", "app")
    try:
        session.send("MAIL FROM:<hello@club.test>\r\nRCPT TO:<bob@dest.test>\r\nDATA\r\n" + MESSAGE + ".\r\n")
        replies = [session.reply()]
    except ConnectionError:
        return  # it has ended already
    assert replies[0][0] == 421 and session.ended()


def test_no_message_is_accepted_after_the_change(club):
    """Clients that send as fast as they can: what is answered after the command has ended is no 250."""
    import threading
    ended, late, sent = threading.Event(), [], []

    def run():
        session = Raw(club)
        try:
            while True:
                begun_after = ended.is_set()
                for line in ("MAIL FROM:<hello@club.test>", "RCPT TO:<bob@dest.test>", "DATA"):
                    if session.say(line)[0] >= 400:
                        return
                session.send(MESSAGE + ".\r\n")
                after = ended.is_set()
                code, text = session.reply()
                if code != 250:
                    return
                (late if after or begun_after else sent).append(text)
        except (OSError, ValueError):
            return

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(sent) > 30)
    club.command("user", "disable", "app")
    ended.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert late == [] and len(sent) > 30


def test_a_large_message_that_is_being_stored_away_is_refused_too(club):
    session = Raw(club)
    session.begin()
    session.send(MESSAGE + ("x" * 76 + "\r\n") * 20000)
    club.command("user", "rotate", "app")
    session.send(".\r\n")
    assert session.reply()[0] == 451 and session.reply()[0] == 421
    assert club.queue() == []
    wait_for(lambda: len(list((club.path / "state" / "spool").glob("*.seg"))) <= 1)


def test_what_changes_nothing_for_a_session_ends_none(club):
    session = Raw(club)
    for command in (("domain", "add", "more.test"), ("user", "add", "new", "--domain", "more.test"),
                    ("user", "disable", "new"), ("domain", "remove", "more.test"),
                    ("suppress", "add", "amy@dest.test")):
        club.command(*command)
    session.begin()
    session.send(MESSAGE)
    assert session.say(".")[0] == 250


def test_a_large_message_after_one_that_was_too_large_is_whole(relay_factory, sink_factory, dns):
    """What was stored away of a refused one is no part of the next one."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("limits { size = 2000000 }\n").start()
    sink = sink_factory(records=relay.records)
    session = Raw(relay)
    session.begin()
    session.send(MESSAGE + ("refused " * 9 + "\r\n") * 40000 + ".\r\n")
    assert session.reply()[0] == 552
    session.begin()
    session.send(MESSAGE + ("taken " * 9 + "\r\n") * 20000 + ".\r\n")
    assert session.reply()[0] == 250
    session.begin()  # and all at once
    session.send(MESSAGE + ("refused " * 9 + "\r\n") * 40000 + ".\r\nMAIL FROM:<hello@club.test>\r\n"
                 "RCPT TO:<bob@dest.test>\r\nDATA\r\n" + MESSAGE + ("taken " * 9 + "\r\n") * 20000 + ".\r\n")
    assert [session.reply()[0] for _ in range(5)] == [552, 250, 250, 354, 250]
    for _, raw in sink.wait(2):
        assert b"refused" not in raw and raw.count(b"taken") == 180000
    session.say("QUIT")
    wait_for(lambda: len(list((relay.path / "state" / "spool").glob("*.seg"))) <= 1)


# ---- what cannot be signed ----


def try_to_send(relay, user, secret, sender, extra=""):
    """The answer to the end of one message."""
    with relay.client(user=user, secret=secret) as client:
        client.ehlo_or_helo_if_needed()
        code, text = client.mail(sender)
        if code != 250:
            return code, text.decode()
        assert client.rcpt("bob@dest.test")[0] == 250
        code, text = client.data(f"From: <{sender}>\r\nTo: <bob@dest.test>\r\nSubject: t\r\n{extra}\r\nhello\r\n")
        return code, text.decode()


def test_mail_that_cannot_be_signed_is_refused_and_the_refusal_names_the_command(club):
    """Whatever the reason: no key was ever made, it waits for DNS, all are over, its file cannot be read."""
    done = club.command("user", "add", "shop", "--domain", "shop.example", "--domain", "*.club.test", "--json",
                        check=False)
    made = json.loads(done.stdout)
    assert any('sealpost domain add shop.example' in warning for warning in made["warnings"]), made
    code, text = try_to_send(club, "shop", made["secret"], "hello@shop.example")
    assert code == 550 and text == '5.7.20 No DKIM key for shop.example: run "sealpost domain add shop.example"'
    code, text = try_to_send(club, "shop", made["secret"], "hello@deep.club.test")
    assert code == 550 and 'run "sealpost domain add deep.club.test"' in text
    done = club.command("send-test", "bob@dest.test", "--from", "hello@shop.example", check=False)
    assert done.returncode == 1 and "sealpost domain add" in done.stderr
    assert club.queue() == []
    club.add_domain("shop.example")
    assert try_to_send(club, "shop", made["secret"], "hello@shop.example")[0] == 250
    club.add_domain("deep.club.test")
    keys = list((club.path / "state" / "keys").glob("deep.club.test.*.pem"))
    keys[0].chmod(0o644)
    code, text = try_to_send(club, "shop", made["secret"], "hello@deep.club.test")
    assert code == 451 and "5." not in text.split()[0] and "deep.club.test cannot be read" in text, text
    assert "chmod 600" in club.log()
    keys[0].chmod(0o600)
    assert try_to_send(club, "shop", made["secret"], "hello@deep.club.test")[0] == 250


@pytest.mark.parametrize("state, hint", [("pending", "key list"), ("retired", "key rotate club.test"),
                                         ("revoked", "key rotate club.test"), ("retiring", "key rotate club.test")])
def test_keys_that_do_not_sign_accept_no_mail(relay_factory, dns, state, hint):
    import sqlite3
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory()
    database = sqlite3.connect(relay.path / "state" / "state.db")
    database.execute("UPDATE signing_key SET state = ?", (state,))
    database.commit()
    database.close()
    relay.start()
    code, text = try_to_send(relay, "app", relay.secret, "hello@club.test")
    assert code == 550 and text.startswith("5.7.20 ") and hint in text, text


# ---- what a credential may do ----

STREAMS = 'stream "reset" { class = "security" }\nstream "news" { class = "digest" }\nstream "other" { class = "notification" }\n'


def test_a_credential_names_the_streams_that_it_may(relay_factory, sink_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(STREAMS).start()
    secret = relay.json("user", "add", "shop", "--domain", "club.test", "--stream", "other", "--streams", "news")["secret"]

    def stream(name):
        return try_to_send(relay, "shop", secret, "hello@club.test", f"Sealpost-Stream: {name}\r\n" if name else "")

    for name in ("news", "other", ""):
        assert stream(name)[0] == 250, name
    code, text = stream("reset")
    assert code == 550 and text.startswith("5.7.1 ") and '"reset"' in text and '"shop"' in text and "news" in text
    relay.command("user", "change", "shop", "--streams", "news,reset")
    assert stream("reset")[0] == 250
    assert [u["streams"] for u in relay.json("user", "list") if u["name"] == "shop"] == ["news reset"]
    relay.command("user", "change", "shop", "--streams", "reset", "--stream", "")
    assert stream("other")[0] == 550 and stream("")[0] == 250
    relay.command("user", "change", "shop", "--streams", "*")
    assert stream("news")[0] == 250 and stream("other")[0] == 250
    done = relay.command("user", "add", "typo", "--domain", "club.test", "--streams", "news,rest", check=False)
    assert done.returncode == 0 and 'stream "rest"' in done.stderr and "news" not in done.stderr.replace("news,", "")
    for bad in ("", ",", "a\nb", "a,,b", "<a>"):
        assert relay.command("user", "add", "bad", "--domain", "club.test", "--streams", bad, check=False).returncode == 2


def test_users_are_enabled_and_changed(club):
    """Enabling is its own command, and a change says what there is now; the old secret stays good."""
    secret = club.json("user", "add", "shop", "--domain", "club.test")["secret"]

    def may(sender):
        return try_to_send(club, "shop", secret, sender)[0]

    club.add_domain("more.test")
    assert may("hello@club.test") == 250 and may("hello@more.test") == 550
    club.command("user", "change", "shop", "--add-domain", "more.test", "--add-domain", "club.test")
    assert may("hello@club.test") == 250 and may("hello@more.test") == 250
    club.command("user", "change", "shop", "--remove-domain", "club.test")
    assert may("hello@club.test") == 550 and may("hello@more.test") == 250
    club.command("user", "change", "shop", "--domain", "hello@club.test", "--domain", "*.more.test")
    assert [u["allowed"] for u in club.json("user", "list") if u["name"] == "shop"] == ["hello@club.test *.more.test"]
    refused = (("--remove-domain", "club.test"), ("--domain", "not a domain"), (), ("--add-domain", "@"),
               ("--remove-domain", "hello@club.test", "--remove-domain", "*.more.test"))
    for options in refused:
        done = club.command("user", "change", "shop", *options, check=False)
        assert done.returncode != 0 and done.stderr.count("\n") == 1, (options, done)
    done = club.command("user", "change", "nobody", "--add-domain", "club.test", check=False)
    assert done.returncode == 1 and "user list" in done.stderr
    club.command("user", "disable", "shop")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        club.client(user="shop", secret=secret)
    done = club.command("user", "rotate", "shop", check=False)
    assert done.returncode == 0 and "user enable" in done.stderr
    secret = re.search(r"secret\s+(\S+)", done.stdout)[1]
    with pytest.raises(smtplib.SMTPAuthenticationError):
        club.client(user="shop", secret=secret)
    club.command("user", "enable", "shop")
    assert may("hello@club.test") == 250
    assert club.command("user", "enable", "nobody", check=False).returncode == 1


@pytest.mark.parametrize("zone", ["", 'dkim { zone = "keys.test"  server = "127.0.0.1"  tsig_key = "tsig" }\n'])
def test_a_domain_that_comes_back_gets_keys_of_its_own(relay_factory, zone):
    """No key file is ever written over: what was signed with it may be on its way, and DNS may still have its record."""
    relay = relay_factory()
    if zone:
        (relay.path / "tsig").write_text('key "k" { algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"; };\n')
        (relay.path / "tsig").chmod(0o600)
        relay.config.write_text(relay.config.read_text() + zone.replace('"tsig"', f'"{relay.path}/tsig"'))
    place = relay.path / "state" / "keys"
    kept, selectors = {}, []
    for _ in range(4):
        relay.command("domain", "add", "shop.example", "--ed25519")
        selectors += [key["selector"] for key in relay.json("key", "list", "--domain", "shop.example")]
        files = {f.name: f.read_bytes() for f in place.glob("shop.example.*")}
        assert set(kept.values()) <= set(files.values()) and len(files) == len(kept) + 2
        kept = files
        relay.command("domain", "remove", "shop.example")
    assert zone or len(set(selectors)) == 8


# ---- guessing ----


def authenticate(relay, name, secret, source="127.0.0.1"):
    """The reply to one try on a connection of its own."""
    session = Raw(relay, user=None, source=source)
    token = base64.b64encode(f"\0{name}\0{secret}".encode()).decode()
    try:
        return session.say(f"AUTH PLAIN {token}")
    finally:
        session.socket.close()


@pytest.mark.parametrize("password", ["generated", "chosen password 1"])
def test_guessing_has_a_budget_where_the_owner_has_logged_in(club, password):
    """From the owner's own address, at its own name, many at once; the owner comes in all the same, later."""
    from concurrent.futures import ThreadPoolExecutor
    if password == "generated":
        name, secret = "app", club.secret
    else:
        name, secret = "amy", password
        club.command("user", "add", name, "--domain", "club.test", "--password-stdin", input=password + "\n")
    assert authenticate(club, name, secret)[0] == 235  # known here from now on
    began = time.monotonic()
    with ThreadPoolExecutor(40) as pool:
        replies = list(pool.map(lambda i: authenticate(club, name, f"wrong {i}"), range(80)))
    codes = [code for code, _ in replies]
    looked_at = 14 + 4 * (time.monotonic() - began) / 6  # each 6 s one more, or as many as are looked at side by side
    assert codes.count(235) == 0 and codes.count(535) <= looked_at and codes.count(454) >= 30, (codes, looked_at)
    began = time.monotonic()
    assert authenticate(club, name, secret)[0] == 235
    assert time.monotonic() - began < 20
    assert "slowed down after too many failed logins" in club.log()


def test_guessing_at_one_name_locks_nobody_else_behind_the_same_address(club):
    """A balancer, or an office: names are locked one by one there, until there are too many of them."""
    from concurrent.futures import ThreadPoolExecutor
    other = club.json("user", "add", "other", "--domain", "club.test")["secret"]
    assert authenticate(club, "app", club.secret, "127.0.0.9")[0] == 235
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda i: authenticate(club, "root", f"wrong {i}", "127.0.0.9"), range(12)))
    assert authenticate(club, "root", "a", "127.0.0.9")[0] == 454
    assert authenticate(club, "other", other, "127.0.0.9")[0] == 235  # never seen there before
    assert authenticate(club, "app", club.secret, "127.0.0.9")[0] == 235
    listed = [row["what"] for row in club.json("auth", "list") if row["locked_s"] > 0]
    assert listed == ["root from 127.0.0.9"]
    club.command("auth", "unlock", "root")
    assert authenticate(club, "root", "a", "127.0.0.9")[0] == 535


# ---- what was refused, and how it is said ----

LIBRARIES = {  # how they find the queue id in the reply to the end of a message
    "PHPMailer": r"[\d]{3} 2\.0\.0 Ok: queued as (.*)",
    "node, anchored": r"^250[ -]2\.0\.0 Ok: queued as ([A-Za-z0-9]{5,32})\s*$",
    "scripts": r"queued as (\w+)$",
}


def test_libraries_find_the_queue_id_in_every_250(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('throttle = "enforce"\n').start()
    replies = []
    session = Raw(relay)
    for i in range(6):
        session.begin()
        session.send(f"From: <hello@club.test>\r\nMessage-ID: <{min(i, 5)}@club.test>\r\n\r\nbooking {i}\r\n.\r\n")
        replies.append(session.reply()[1])
    session.begin()
    session.send("From: <hello@club.test>\r\nMessage-ID: <0@club.test>\r\n\r\nbooking 0\r\n.\r\n")
    replies.append(session.reply()[1])
    assert "paced" in replies[-2] and "duplicate of" in replies[-1]
    for reply in replies:
        for name, pattern in LIBRARIES.items():
            found = re.search(pattern, reply.replace("\r\n", "\n"), re.M)
            assert found and relay.trace(found[1]), (name, reply)


def refusals(relay, **wanted):
    return [e for e in relay.json("events", "--after", "0", "--limit", "1000") if e["kind"] in ("refused", "auth_refused")
            and all(e.get(key) == value for key, value in wanted.items())]


def test_each_refusal_is_an_event_and_a_line_and_says_what_to_change(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("limits { size = 300000  recipients = 2  messages = 20 }\n").start()
    session = Raw(relay)
    said = {}

    def refused(line, code, *words):
        got, text = session.say(line)
        assert got == code and all(word in text for word in words), text
        said[line] = text.strip()[10:]

    refused("MAIL FROM:<hello@other.test>", 550, "hello@other.test", "club.test")
    refused("MAIL FROM:<hello@club.test", 501, "hello@club.test")
    refused("MAIL FROM:<hello@club.test> SIZE=300001", 552, "300000")
    refused("MAIL FROM:<hello@club.test> FOO=bar", 555, "FOO=bar")
    assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
    refused("RCPT TO:<bob@@dest.test>", 501, "bob@@dest.test")
    refused("RCPT TO:<bob@dest.test> NOTIFY=ALWAYS", 501, "NOTIFY=ALWAYS")
    refused("DATA", 503)
    for name in ("a", "b"):
        assert session.say(f"RCPT TO:<{name}@dest.test>")[0] == 250
    refused("RCPT TO:<c@dest.test>", 452, "2")
    assert session.say("DATA")[0] == 354
    big = "From: <hello@club.test>\r\nMessage-ID: <big@club.test>\r\n\r\n" + ("x" * 70 + "\r\n") * 6000
    code, text = (session.send(big), session.say("."))[1]
    assert code == 552 and "300000" in text
    session.begin()
    code, text = (session.send("From: <x@other.test>\r\nMessage-ID: <foreign@club.test>\r\n\r\nx\r\n"), session.say("."))[1]
    assert code == 550
    found = wait_for(lambda: len(refusals(relay)) >= len(said) + 2 and refusals(relay))
    for line, text in said.items():
        about = line.partition(" ")[2]
        about = about if about.startswith(("FROM", "TO")) else ""
        event = [e for e in found if e["recipient"] == about and e["reply"] == f"{line[:4]}: {text}"]
        assert len(event) == 1 and event[0]["user"] == "app" and event[0]["remote"] == "127.0.0.1", (line, text, found)
    by_id = {e["message_id"]: e for e in found if e["message_id"]}
    assert set(by_id) == {"<big@club.test>", "<foreign@club.test>"}
    assert by_id["<big@club.test>"]["recipient"] == "a@dest.test" and by_id["<foreign@club.test>"]["sender"] == "hello@club.test"
    lines = [line for line in relay.log().splitlines() if line.startswith("info refused ")]
    assert len(lines) == len(said) + 2
    assert sum("message_id=<big@club.test>" in line or 'message_id="<big@club.test>"' in line for line in lines) == 1
    id = relay.send(message="From: <hello@club.test>\r\nMessage-ID: <taken@club.test>\r\n\r\nx\r\n")
    assert relay.trace(id)[0]["message_id"] == "<taken@club.test>" and "<taken@club.test>" in relay.log()


def test_refused_logins_name_the_user_and_no_secret(relay_factory, dns):
    relay = relay_factory().start()
    for name in ("app", "nobody", "line\nfeed", "x" * 300, "ü\x7f", "a\" code=250"):
        session = Raw(relay, user=None)
        token = base64.b64encode(f"\0{name}\0not the secret 42".encode()).decode()
        assert session.say(f"AUTH PLAIN {token}")[0] in (501, 535)
    session = Raw(relay, user=None)
    assert session.say("AUTH PLAIN !!!not base64")[0] == 501
    log = relay.log()
    lines = [line for line in log.splitlines() if " auth_refused " in line]
    assert any(" user=app " in line for line in lines) and any(" user=nobody " in line for line in lines)
    assert any('user="a\\" code=250"' in line or 'user="a\\" code\\=250"' in line for line in lines), lines
    assert all(len(line) < 400 for line in lines) and "not the secret" not in log and token not in log and "!!!not" not in log
    wait_for(lambda: refusals(relay, recipient="nobody"))
    assert "not the secret" not in json.dumps(refusals(relay))


def test_noise_hides_no_guesses_at_a_password(relay_factory, dns):
    """The kind: what costs a stranger nothing uses up what tells of an attack on a user: commands, and logins of nobody."""
    relay = relay_factory().start()
    wait_for(lambda: 15 < time.monotonic() % 60 < 35, 60)  # the shares are of a minute

    def guess(name, source):
        token = base64.b64encode(f"\0{name}\0wrong".encode()).decode()
        return Raw(relay, user=None, source=source).say(f"AUTH PLAIN {token}")[0]

    with ThreadPoolExecutor(10) as pool:
        said = pool.map(lambda i: Raw(relay, user=None, source=f"127.0.9.{i + 1}").say("MAIL FROM:<a@b.test>")[0], range(30))
        assert set(said) == {530}
    with ThreadPoolExecutor(40) as pool:
        said = pool.map(lambda i: guess("app" if i < 10 else f"nobody{i}", f"127.0.8.{i + 1}"), reversed(range(40)))
        assert set(said) <= {454, 535}
    lines = [line for line in relay.log().splitlines() if re.search(r" (auth_refused|auth_kept_out) ", line)]
    assert sum(" user=app " in line for line in lines) == 10 and len(lines) == 10 + 20, lines
    wait_for(lambda: "refused_more" in relay.log(), 70)
    more = re.search(r"refused_more count=(\d+) logins=(\d+) ", relay.log())
    assert int(more[1]) == 10 + int(more[2]) and int(more[2]) == 10, more


def test_refusals_without_end_fill_neither_log_nor_store(relay_factory, dns):
    """Ten thousand of them: so many a minute are written, and how many more there were."""
    relay = relay_factory().start()
    session = Raw(relay)
    assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
    ended = 0
    for _ in range(10):
        session.send("RCPT TO:<bob@@dest.test>\r\n" * 1000)
        for _ in range(1000):
            code = session.reply()[0]
            if code == 421:
                ended += 1
                session = Raw(relay)
                break
            assert code in (501, 503)
    assert 5 < len(refusals(relay)) <= 60 + 60 + 2 and relay.log().count(" refused ") <= 122  # in two minutes at most
    assert session.say("NOOP")[0] == 250


def test_who_is_refused_all_the_time_hides_nobody_elses_refusals(relay_factory, dns):
    """Each credential has a share of what is written down, however many others there are; all together have a bound."""
    relay = relay_factory().start()
    names = [f"noisy{i}" for i in range(14)] + ["quiet"]
    secrets = {name: relay.json("user", "add", name, "--domain", "club.test")["secret"] for name in names}
    for name in names:
        session = Raw(relay, name, secrets[name])
        assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
        count = 3 if name == "quiet" else 100
        for i in range(count):
            session.send("RCPT TO:<bob@@dest.test>\r\n")
            assert session.reply()[0] == 501
    shares = wait_for(lambda: (found := relay.json("events", "--kind", "refused", "--user", "quiet", "--limit", "5000")) and
                      len(found) == 3 and [len(relay.json("events", "--kind", "refused", "--user", name, "--limit", "5000"))
                                           for name in names[:-1]])
    assert min(shares) >= 5 and shares[0] >= 60 and sum(shares) <= 2 * (600 + 14 * 5), shares


def control(relay, **request):
    """One command by the socket, without a program for each."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(relay.path / "state" / "control.sock"))
        s.sendall(json.dumps(request).encode() + b"\n")
        answer = json.loads(s.makefile().readline())
    assert answer["ok"], answer


def test_a_user_changed_a_thousand_times_is_known_by_what_it_is(club):
    """While 20 clients log in and send: nobody is refused who is right, nobody's session ends but the changed user's, and
    after the last change nothing of it is accepted."""
    other = club.json("user", "add", "other", "--domain", "club.test")["secret"]
    digest = "sha256$" + hashlib.sha256(club.secret.encode()).hexdigest()
    disabled, done, late, wrong, counts = threading.Event(), threading.Event(), [], [], {"app": 0, "other": 0, "ended": 0}

    def run(user, secret):
        while not done.is_set():
            begun_after = disabled.is_set()
            try:
                session = Raw(club, user, secret)
                for line, code in (("MAIL FROM:<hello@club.test>", 250), ("RCPT TO:<bob@dest.test>", 250), ("DATA", 354)):
                    assert session.say(line)[0] == code
                session.send(MESSAGE.replace("hello\r\n", f"{counts[user]} {time.monotonic_ns()}\r\n") + ".\r\n")
                after = disabled.is_set()
                code, text = session.reply()
                if code == 250 and (after or begun_after):
                    late.append(text) if user == "app" else None
                assert code == 250, text
                counts[user] += 1
                session.socket.close()
            except (AssertionError, OSError, ssl.SSLError) as error:
                if user == "other":
                    wrong.append(repr(error))
                    return
                counts["ended"] += 1
                if disabled.is_set():
                    return

    threads = [threading.Thread(target=run, args=(("app", None), ("other", other))[i % 2]) for i in range(20)]
    for thread in threads:
        thread.start()
    for i in range(1000):
        control(club, do="user.rotate", name="app", hash=digest, scram=f"changed {i}")
        if i % 100 == 0:
            Raw(club).socket.close()  # it is let in behind each change
    control(club, do="user.disable", name="app")
    disabled.set()
    time.sleep(0.5)
    done.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert late == [] and wrong == [] and counts["other"] > 10, (late, wrong, counts)
    log = club.log()
    assert " user=other" not in "".join(line for line in log.splitlines(True) if " session_ended " in line)
    assert "auth_refused" not in log.split("disabl")[0]


def test_mail_that_waits_of_a_domain_that_is_removed_is_told_and_held_when_it_is_added_again(relay_factory, sink_factory, dns):
    """New keys are in nobody's DNS: what waited for the old ones is not signed with them and sent, whatever is retried."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()  # nobody listens: the mail waits
    relay.add_domain("more.test")
    relay.command("user", "change", "app", "--add-domain", "more.test")
    mine, other = relay.send(sender="a@more.test"), relay.send()
    assert [row["state"] for row in relay.json("queue", "list")] == ["waiting"] * 2
    done = relay.command("domain", "remove", "more.test", check=False)
    assert done.returncode == 0 and "1 recipients of mail of more.test" in done.stderr and re.search(r"refused: app$", done.stderr, re.M), done
    done = relay.command("domain", "add", "more.test", check=False)
    assert done.returncode == 0 and "1 recipients of mail of more.test waited, and are held" in done.stderr, done
    sink = sink_factory()
    relay.command("queue", "retry", "--all")
    wait_for(lambda: [row["id"] for row in relay.json("queue", "list")] == [mine], 30)
    assert [row["state"] for row in relay.json("queue", "list")] == ["held"] and len(sink.messages()) == 1 and other != mine
    relay.command("queue", "release", "--id", mine)
    wait_for(lambda: relay.json("queue", "list") == [], 30)


def test_a_credential_with_the_domain_of_another_tenant_is_told(relay_factory):
    """By an administrator's typing error one tenant's application would send as another's domain. The domain of "default" is everybody's."""
    relay = relay_factory().start()
    relay.command("domain", "add", "swim.example", "--tenant", "swim")
    told = "swim.example is a domain of tenant swim, and this credential is tenant club's"
    done = relay.command("user", "add", "evil", "--domain", "club.test", "--domain", "info@swim.example", "--tenant", "club", check=False)
    assert done.returncode == 0 and done.stderr.count("tenant swim") == 1 and told in done.stderr, done
    for words in (["user", "add", "own", "--domain", "swim.example", "--tenant", "swim"],
                  ["user", "add", "fair", "--domain", "club.test", "--tenant", "club"]):
        assert "is a domain of" not in relay.command(*words, check=False).stderr, words
    done = relay.command("user", "change", "fair", "--add-domain", "swim.example", check=False)
    assert done.returncode == 0 and told in done.stderr, done
    assert any(told in warning for warning in relay.json("user", "add", "more", "--domain", "swim.example", "--tenant", "club")["warnings"])
