"""Blocking is not counting: who gets no more mail is exactly the mailbox that its server has refused, by an answer to its own RCPT;
for so long, and for password resets only when it was said twice."""

import re
import time

import pytest

from conftest import wait_for
from test_delivery import Script

CONFIG = '''stream "reset" { class = "security" }
stream "receipt" { class = "confirmation" }
'''
GONE = "550 5.1.1 The email account that you tried to reach does not exist"


@pytest.fixture
def server(delivery_port):
    """A receiver that answers by `said`: the beginning of a line -> an answer."""
    said = {}
    script = Script(delivery_port, lambda line: next((a for begin, a in said.items() if line.upper().startswith(begin.upper())), None))
    script.said = said
    yield script
    script.stop()


@pytest.fixture
def relay(relay_factory, dns, server):
    dns.mail("corp.test", "mx.corp.test=127.0.0.1")
    return relay_factory(CONFIG).start()


def message(stream=None, **fields):
    head = {"From": "<hello@club.test>", "Subject": f"at {time.monotonic()}", **fields}
    if stream:
        head["Sealpost-Stream"] = stream
    return "".join(f"{name}: {value}\r\n" for name, value in head.items()) + "\r\nx\r\n"


def listed(relay):
    return [(row["address"], row["reason"]) for row in relay.json("suppress", "list")]


def is_blocked(relay, to, stream=None):
    """Is mail to that address refused at submission?"""
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        assert client.rcpt(to)[0] == 250
        code, text = client.data(message(stream).encode())
        assert code == 250 or b"no such mailbox" in text, text
        return code == 550


# What was refused, and others that count as the same or look like it.
@pytest.mark.parametrize("refused,others", [
    ("victim+nosuch@corp.test", ["victim@corp.test", "victim+other@corp.test"]),
    ("victim@corp.test", ["victim+tag@corp.test", "v.ictim@corp.test"]),
    ('"victim+x y"@corp.test', ["victim@corp.test"]),
    ("victim+@corp.test", ["victim@corp.test"]),
    ("vict\u00ecm+1@corp.test", ["vict\u00ecm@corp.test", "victim@corp.test"]),
], ids=["tagged", "plain", "quoted", "empty-tag", "not-ascii"])
def test_a_block_holds_for_what_was_refused_and_for_nobody_else(relay, server, refused, others):
    server.offers = ("SMTPUTF8", "8BITMIME")
    server.said[f"RCPT TO:<{refused}>"] = GONE
    utf8 = ["SMTPUTF8"] if not refused.isascii() else []
    relay.wait_kind(relay.send(to=refused, mail_options=utf8), "bounced")
    entry = relay.json("suppress", "list")[0]
    assert (entry["address"], entry["reason"], entry["tenant"]) == (refused, "bounce", "default")
    assert abs(entry["expires"] / 1000 - time.time() - 90 * 86400) < 60  # it ends by itself
    for other in others:
        if other.isascii():
            assert not is_blocked(relay, other), other
        for stream in ("reset", "receipt"):
            assert not other.isascii() or not is_blocked(relay, other, stream), (other, stream)
    if refused.isascii():
        assert is_blocked(relay, refused)
        assert is_blocked(relay, refused.replace("victim", "VICTIM").replace("corp", "CORP"))  # case is no other mailbox
        assert relay.command("suppress", "remove", refused)
        assert not is_blocked(relay, refused)


def test_a_password_reset_is_held_back_only_after_two_answers(relay, server):
    """Two on one day are one: the store's own test lets the days pass."""
    server.said["RCPT TO:<bob@corp.test>"] = GONE
    for stream in ("receipt", "reset", "reset"):
        relay.wait_kind(relay.send(to="bob@corp.test", message=message(stream)), "bounced")
    assert is_blocked(relay, "bob@corp.test", "receipt") and not is_blocked(relay, "bob@corp.test", "reset")


# Where the answer was given, and what it said: none is about the recipient.
@pytest.mark.parametrize("begin,answer", [
    ("MAIL", "550 5.1.1 No such user"),
    ("MAIL", "550 5.1.8 Domain of sender address hello@club.test does not exist"),
    ("MAIL", "550 5.1.7 Bad sender address"),
    ("DATA", "550 5.1.1 User unknown"),
    (".", "550 5.1.1 User unknown"),
    ("RCPT", "550 5.1.1 <hello@club.test>: Sender address rejected: User unknown in virtual mailbox table"),
    ("RCPT", "550 Verification failed for <hello@club.test> No such user here"),
    ("RCPT", "553 Domain of sender address hello@club.test does not exist"),
    ("RCPT", "550 5.1.8 Sender address rejected: Domain not found"),
    ("RCPT", "550 5.1.1 too many messages"),
    ("RCPT", "550 5.1.1 rate limited"),
    ("RCPT", "550 5.1.1 You have reached your hourly limit"),
    ("RCPT", "552 5.1.1 Nothing more for this one"),
    ("RCPT", "550 5.7.1 Nothing for this one"),
    ("RCPT", "550 Zeitgeist"),
    ("RCPT", "550 5.2.1 This mailbox is disabled"),
    ("RCPT", "450 5.1.1 User unknown"),
], ids=lambda value: re.sub("[^A-Za-z0-9]+", "-", value)[:30])
def test_what_is_not_said_of_the_mailbox_blocks_nobody(relay, server, begin, answer):
    server.said[begin] = answer
    id = relay.send(to=["bob@corp.test", "amy@corp.test"], message=message())
    wait_for(lambda: [k for k in relay.kinds(id) if k in ("bounced", "deferred")], 20)
    assert listed(relay) == []
    assert not is_blocked(relay, "bob@corp.test")


def test_of_two_recipients_the_one_that_was_refused_is_blocked(relay, server):
    server.said["RCPT TO:<bob@corp.test>"] = GONE
    server.said["DATA"] = "554 5.1.1 User unknown"
    id = relay.send(to=["bob@corp.test", "amy@corp.test"], message=message())
    wait_for(lambda: relay.kinds(id).count("bounced") == 2)
    assert listed(relay) == [("bob@corp.test", "bounce")]


def test_what_holds_for_every_spelling_goes_out_and_in_again(relay):
    """What an older version has written, and a stop of all mail by its owner."""
    rows = "address,reason,spellings\njdoe@gmail.com,unsubscribe,every\nann@corp.test,manual,\n"
    assert relay.command("suppress", "import", "-", input=rows).startswith("2 entries read, 2")
    out = relay.command("suppress", "export")
    for name in ("J.Doe+x@gmail.com", "ann@corp.test"):
        assert len(relay.json("suppress", "list", "--address", name)) == 1
        relay.command("suppress", "remove", name)
    assert relay.json("suppress", "list") == []
    relay.command("suppress", "import", "-", input=out)
    assert relay.command("suppress", "export") == out and out.count("every\r\n") + out.count("every\n") >= 1
    assert relay.command("suppress", "remove", "ann+x@corp.test", check=False).returncode == 1
    done = relay.command("suppress", "import", "-", input="address,spellings\na@corp.test,some\n", check=False)
    assert done.returncode != 0 and 'spellings is "every" or empty' in done.stderr
    assert " 1970-" not in relay.command("suppress", "list")


def test_how_long_is_a_setting(relay_factory, dns, server):
    dns.mail("corp.test", "mx.corp.test=127.0.0.1")
    relay = relay_factory(CONFIG)
    text = relay.config.read_text()
    for wrong in ("0", "-1", "4000"):
        relay.config.write_text(text.replace("delivery { ", f"delivery {{ suppress_days = {wrong} "))
        done = relay.command("config", "check", check=False)
        assert done.returncode != 0 and "suppress_days" in done.stderr and "days" in done.stderr, done.stderr
    relay.config.write_text(text.replace("delivery { ", "delivery { suppress_days = 7 "))
    assert "suppress_days = 7" in relay.command("config", "show")
    relay.start()
    server.said["RCPT TO:<bob@corp.test>"] = GONE
    relay.wait_kind(relay.send(to="bob@corp.test"), "bounced")
    assert abs(relay.json("suppress", "list")[0]["expires"] / 1000 - time.time() - 7 * 86400) < 60


# ---- counting: the other way round, every spelling is one mailbox ----

def spellings(n):
    """The n-th way of writing one mailbox at each provider, by the name of its domain."""
    dots = "".join(c + ("." if (n >> i) & 1 and i < 6 else "") for i, c in enumerate("annqlee"))
    mixed = "".join(c + ("._-"[(n >> i) % 3] if (n >> i) & 1 and i < 6 else "") for i, c in enumerate("annqlee"))
    pick = lambda *domains: domains[n % len(domains)]
    return {
        "gmail.com": f"{dots}+{n}@{pick('gmail.com', 'googlemail.com')}",
        "outlook.com": f"ANNQLEE+{n}@Outlook.com",
        "yahoo.com": pick(f"annqlee-{n}@yahoo.com", f"annqlee+{n}@yahoo.com"),
        "proton.me": f"{mixed.replace('..', '.')}@{pick('proton.me', 'protonmail.com', 'pm.me', 'protonmail.ch')}",
        "icloud.com": f"annqlee+{n}@{pick('icloud.com', 'me.com', 'mac.com')}",
        "fastmail.com": pick(f"shop{n}@annqlee.fastmail.com", f"annqlee+{n}@fastmail.com"),
        "yandex.ru": f"{pick('ann.lee', 'ann-lee')}+{n}@{pick('yandex.ru', 'ya.ru', 'yandex.com', 'yandex.kz')}",
        "posteo.de": f"annqlee+{n}@{pick('posteo.de', 'posteo.net', 'posteo.com')}",
        "mail.ru": f"annqlee+{n}@mail.ru", "gmx.de": f"annqlee+{n}@gmx.de", "qq.com": f"annqlee+{n}@qq.com",
    }


def test_at_no_provider_is_one_mailbox_many(relay_factory, dns, server):
    """300 spellings at each; a message to one is counted for all, and the neighbours get theirs."""
    relay = relay_factory(CONFIG + 'throttle = "enforce"\nlimit "first_time" { per_day = 0 }\n').start()
    for domain in spellings(0):
        passed = []
        for begin in (0, 100, 200):
            with relay.client() as client:
                client.ehlo_or_helo_if_needed()
                for n in range(begin, begin + 100, 20):
                    client.mail("hello@club.test")
                    codes = [client.rcpt(spellings(i)[domain])[0] for i in range(n, n + 20)]
                    if 250 not in codes:
                        client.rset()
                        continue
                    code, text = client.data(message("receipt").encode())
                    if code == 250:
                        passed.append(text.decode().split()[4])
        got = sum(event["kind"] == "accepted" for id in passed for event in relay.trace(id)) - \
            sum(event["kind"] == "throttled" for id in passed for event in relay.trace(id))
        assert 1 <= got <= 10, (domain, got)  # the burst of the class, and what is paced
        with relay.client() as client:
            client.ehlo_or_helo_if_needed()
            for neighbour in ("annqleer", "bnnqlee", "annqlee2"):
                client.mail("hello@club.test")
                assert client.rcpt(f"{neighbour}@{domain}")[0] == 250
                assert client.data(message("receipt").encode())[0] == 250, (domain, neighbour)
