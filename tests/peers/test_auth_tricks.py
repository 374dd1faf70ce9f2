"""AUTH by those who do not mean it: SCRAM by a client that lies, lines that never end, steps that never come, AUTH in the wrong place."""

import base64
import hashlib
import hmac
import ssl
import threading
import time

import pytest
from test_access import Raw


@pytest.fixture
def relay(relay_factory, dns):
    return relay_factory("limits { login = 6  idle = 8 }\n").start()


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


class Scram:
    """A client's side of SCRAM-SHA-256 with the right password; what it says may be changed."""

    def __init__(self, relay, session=None, password=None, header="n,,", nonce="clientnonce", mechanism="SCRAM-SHA-256", name="app"):
        self.session = session or Raw(relay, None)
        self.password, self.header, self.bare = password or relay.secret, header, f"n={name},r={nonce}"
        code, text = self.session.say(f"AUTH {mechanism} " + b64(header + self.bare))
        assert code == 334, (code, text)
        self.first = base64.b64decode(text[4:]).decode()
        self.nonce, self.salt, self.rounds = (part[2:] for part in self.first.split(",", 2))

    def final(self, binding=b"", nonce=None, rounds=None, extra="", salt=None):
        bare = f"c={b64(self.header.encode() + binding)},r={nonce or self.nonce}{extra}"
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), base64.b64decode(salt or self.salt), int(rounds or self.rounds))
        key = hmac.new(salted, b"Client Key", "sha256").digest()
        auth = f"{self.bare},{self.first},{bare}".encode()
        proof = bytes(a ^ b for a, b in zip(key, hmac.new(hashlib.sha256(key).digest(), auth, "sha256").digest()))
        return f"{bare},p={b64(proof)}"

    def end(self, final):
        code, text = self.session.say(b64(final))
        if code == 334:
            code, text = self.session.say("")
        return code


def unlock(relay):
    for what in ("127.0.0.1", "app"):
        relay.command("auth", "unlock", what, check=False)


def usable(session):
    return session.say("NOOP")[0] == 250 and session.say("MAIL FROM:<hello@club.test>")[0] == 530


def test_C14_scram_by_a_client_that_lies(relay):
    """A proof is good for its own nonce, salt, header and iterations, once."""
    good = Scram(relay)
    final = good.final()
    assert good.end(final) == 235
    for label, how in {
        "replayed": lambda s: final,
        "of another nonce": lambda s: s.final(nonce=good.nonce),
        "shorter nonce": lambda s: s.final(nonce=s.nonce[:-1]),
        "the client's nonce alone": lambda s: s.final(nonce="clientnonce"),
        "fewer iterations": lambda s: s.final(rounds=1),
        "another salt": lambda s: s.final(salt=b64(b"0123456789abcdef")),
        "bound to what was not asked for": lambda s: s.final(binding=bytes(32)),
    }.items():
        s = Scram(relay)
        assert s.end(how(s)) in (535, 501), label
        assert usable(s.session), label
        unlock(relay)


def test_C14_plus_with_wrong_binding_data(relay):
    for data in (b"", bytes(32), bytes(31), bytes(33), b"\xff" * 4000):
        s = Scram(relay, header="p=tls-exporter,,", mechanism="SCRAM-SHA-256-PLUS")
        code = s.end(s.final(binding=data))
        assert code in (535, 501, 500), (len(data), code)
        assert usable(s.session)
        unlock(relay)
    s = Scram(relay)  # not asked to be bound
    assert s.end(s.final()) == 235


FIRSTS = ["", "n", "n,", "n,,", "n,,n=,r=x", "n,,n=app,r=", "n,,r=x,n=app", "n,,n=app,r=x,r=y", ",,n=app,r=x", "n,,n=a=pp,r=x", "n,,n=app=2,r=x", "n,a=,n=app,r=x",
          "n,a=app=3,n=app,r=x", "n,,m=ext,n=app,r=x", "n,,n=app,r=x\0y", "n,,n=a\0p,r=x", "n,,n=app,r=\u00e4", "p=,,n=app,r=x", "p=tls-server-end-point,,n=app,r=x", "y", "N,,n=app,r=x",
          "n,,n=" + "a" * 5000 + ",r=x", "n,,n=app,r=" + "x" * 5000, "n,,n=app,r=" + "x" * 8900, "n,," + "," * 4000, "n,a=" + "b" * 4000 + ",n=app,r=x"]


def test_C14_first_messages_of_every_kind(relay):
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        for text in FIRSTS:
            session = Raw(relay, None)
            code, _ = session.say(f"AUTH {mechanism} " + (b64(text) or "="))
            if code == 334:
                code, _ = session.say("*")
            assert code in (501, 535, 500), (mechanism, text[:40], code)
            assert usable(session), (mechanism, text[:40])
        unlock(relay)


FINALS = ["", ",", "c=", "c=biws", "c=biws,r=", "p=", "c=biws,r=x,p=", "c=biws,,p=AAAA", "x" * 5000, "c=" + "A" * 8000, "r=x,c=biws,p=AAAA"]


def test_C14_final_messages_of_every_kind(relay):
    for text in FINALS + ["own,p=", "own,p=AAAA", "own,p=" + b64(bytes(31)), "own,p=" + b64(bytes(33)), "own,p=" + "A" * 6000, "own,p=!!!!", "own,x=y"]:
        s = Scram(relay)
        if text.startswith("own"):
            text = f"c=biws,r={s.nonce}" + text[3:]
        code = s.session.say(b64(text) or "=")[0]
        assert code in (501, 535, 500), (text[:40], code)
        assert usable(s.session), text[:40]
        unlock(relay)


GARBAGE = ["!", "A", "AA", "AAA", "A===", "====", "AAAA=", "AAAA====", "AA=A", "AAAA AAAA", "AAAA\tAAAA", "AA==AA==", "\u00e4\u00f6", "-_-_", "AAAA\0AAAA", "=AAA", "AB==", "AAB="]


def test_base64_with_garbage(relay):
    """Neither as what comes with the command nor as an answer of its own; only the canonical form is one."""
    for mechanism in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        for text in GARBAGE:
            for ahead in (True, False):
                session = Raw(relay, None)
                code = session.say(f"AUTH {mechanism} {text}" if ahead else f"AUTH {mechanism}")[0]
                if not ahead:
                    assert code == 334
                    code = session.say(text)[0]
                assert code in (501, 500, 535, 504) or (mechanism == "LOGIN" and code == 334), (mechanism, text, ahead, code)
                if code != 334:
                    assert usable(session), (mechanism, text, ahead)
        unlock(relay)


def test_auth_twice_and_in_the_wrong_place(relay):
    token = b64(f"\0app\0{relay.secret}")
    session = Raw(relay)
    assert session.say(f"AUTH PLAIN {token}")[0] == 503
    assert session.say("AUTH SCRAM-SHA-256")[0] == 503
    assert session.say("MAIL FROM:<hello@club.test>")[0] == 250
    assert session.say(f"AUTH PLAIN {token}")[0] == 503
    assert session.say("RCPT TO:<x@dest.test>")[0] == 250
    session = Raw(relay, None)
    s = Scram(relay, session)
    assert session.say(f"AUTH PLAIN {token}")[0] == 501  # is an answer, and not a good one
    assert usable(session)
    s = Scram(relay, session)
    assert session.say(b64(s.final()))[0] == 334  # proven, and not yet in
    assert session.say(f"AUTH PLAIN {token}")[0] in (501, 535)
    assert usable(session)
    s = Scram(relay, session)
    assert session.say(b64(s.final()))[0] == 334
    assert session.say("*")[0] == 501
    assert usable(session)
    for line in ("AUTH", "AUTH ", "AUTH  PLAIN", "AUTH PLAIN  " + token, "AUTH PLAIN " + token + " x", "AUTH ANONYMOUS", "AUTH \0", "AUTH EXTERNAL ="):
        assert session.say(line)[0] in (501, 504, 500, 535), line
    assert usable(session)


def test_auth_amid_pipelining(relay):
    """What was sent ahead is what the mechanism asks for, and then commands, in order; nothing is lost or done before its time."""
    token = b64(f"\0app\0{relay.secret}")
    session = Raw(relay, None)
    session.send(f"AUTH PLAIN\r\n{token}\r\nMAIL FROM:<hello@club.test>\r\nRCPT TO:<x@dest.test>\r\nRSET\r\n")
    assert [session.reply()[0] for _ in range(5)] == [334, 235, 250, 250, 250]
    session = Raw(relay, None)
    session.send(f"AUTH PLAIN {b64(chr(0) + 'app' + chr(0) + 'wrong')}\r\nMAIL FROM:<hello@club.test>\r\nAUTH PLAIN {token}\r\nMAIL FROM:<hello@club.test>\r\n")
    assert [session.reply()[0] for _ in range(4)] == [535, 530, 235, 250]
    session = Raw(relay, None)
    session.send("MAIL FROM:<hello@club.test>\r\nAUTH LOGIN\r\n*\r\nNOOP\r\n")
    assert [session.reply()[0] for _ in range(4)] == [530, 334, 501, 250]
    session = Raw(relay, None)
    session.send(f"AUTH PLAIN {token}\r\n" * 5 + "NOOP\r\n" * 200)
    assert [session.reply()[0] for _ in range(6)] == [235, 503, 503, 503, 503, 250]


SLOW = {
    "byte by byte": ("AUTH PLAIN " + "A" * 4000, 0.3),
    "an answer byte by byte": ("AUTH PLAIN\r\n" + "A" * 4000, 0.3),
    "no answer": ("AUTH PLAIN\r\n", 0),
    "no second answer": ("AUTH LOGIN\r\nYXBw\r\n", 0),
    "no final message": ("AUTH SCRAM-SHA-256 " + b64("n,,n=app,r=x") + "\r\n", 0),
    "again and again": ("AUTH LOGIN\r\n*\r\n" * 4000, 0.05),
    "nothing": ("", 0),
}


def test_slow_auth_has_its_time(relay):
    """limits.login holds whatever is going on; all at once."""
    ends = {}

    def go(label, text, gap):
        session = Raw(relay, None)
        began = time.monotonic()
        try:
            if gap:
                for c in (text if "again" not in label else [text[i:i + 15] for i in range(0, len(text), 15)]):
                    session.send(c)
                    time.sleep(gap)
                    if time.monotonic() - began > 25:
                        break
            else:
                session.send(text)
            while session.file.readline():
                pass
        except (OSError, ssl.SSLError):
            pass
        ends[label] = time.monotonic() - began
    threads = [threading.Thread(target=go, args=(label, *how)) for label, how in SLOW.items()]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(end < 15 for end in ends.values()), ends


def test_lines_without_end(relay):
    session = Raw(relay, None)
    session.send("AUTH PLAIN " + "A" * 100000 + "\r\n")
    assert session.reply()[0] in (500, 501)
    session = Raw(relay, None)
    assert session.say("AUTH PLAIN")[0] == 334
    session.send("A" * 100000 + "\r\n")
    assert session.reply()[0] in (500, 501)
    assert usable(session)


def test_reloads_while_logins_wait_and_messages_arrive(relay_factory, dns):
    """Checks that wait for their turn, steps of SCRAM, messages half received: all get their answers."""
    relay = relay_factory("shards = 2\n").start()
    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    waiting = [Raw(relay, None, source=f"127.{10 + i}.0.1") for i in range(30)]
    scrams = [Scram(relay) for _ in range(5)]
    messages = [Raw(relay) for _ in range(5)]
    for s in messages:
        s.begin()
        s.send("From: <hello@club.test>\r\nTo: <x@dest.test>\r\n")
    for i, s in enumerate(waiting):
        name, secret = ("human", "correct horse battery") if i % 3 == 0 else (f"nobody{i}", "a wrong password")
        s.send("AUTH PLAIN " + b64(f"\0{name}\0{secret}") + "\r\n")
    for _ in range(5):
        relay.reload()
    assert [s.end(s.final()) for s in scrams] == [235] * 5
    for s in messages:
        s.send("Subject: x\r\n\r\nx\r\n.\r\n")
        assert s.reply()[0] == 250
    answers = [s.reply()[0] for s in waiting]  # on a slow machine some have waited long enough
    assert answers[0] == 235 and set(answers[::3]) <= {235, 454} and set(answers[1::3] + answers[2::3]) <= {535, 454}
