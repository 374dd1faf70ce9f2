"""Refusals that are not about the mail in hand: of the connection, of its lack of TLS, of what was said before. Nobody's mail is
returned for good by one, and nobody gets another's answer.

The kind: the code alone decides, whatever it was said to, and in what state the connection was.
"""

import os
import time

import pytest

from conftest import wait_for
from test_forgiving import Odd, by_verb, odd, tls  # noqa: F401 (fixtures)

pytestmark = pytest.mark.memory

AWAY = "nobody listens there"
SOON = 'throttle = "off"\nstream "t" { class = "notification"  retry = {3, 3, 3} }\n'


@pytest.fixture
def domain(dns, odd):  # noqa: F811
    """A domain with a server for each answer, each at an address of its own."""
    used = []

    def make(*answers, **options):
        number = len(used) + 1
        used.append(number)
        servers = [odd(answer, host=f"127.8.{os.getpid() % 250}.{number * 8 + i}", **options) for i, answer in enumerate(answers)
                   if answer is not AWAY]
        dns.mail(f"d{number}.test", *[f"mx{i}.d{number}.test=127.8.{os.getpid() % 250}.{number * 8 + i}" for i in range(len(answers))])
        return f"d{number}.test", servers

    return make


def send(relay, domain, *names, body="x\r\n", **options):
    to = [f"{name}@{domain}" for name in names or ("a",)]
    return relay.send(to=to, message=f"From: <hello@club.test>\r\nTo: <{to[0]}>\r\nSealpost-Stream: t\r\nSubject: x\r\n\r\n{body}", **options)


def fates(relay, id):
    """recipient -> its outcomes, in order."""
    found = {}
    for event in relay.trace(id):
        if event["kind"] in ("delivered", "deferred", "bounced", "expired", "suppressed"):
            found.setdefault(event["recipient"].split("@")[0], []).append(event)
    return found


# ---- who wants TLS ----

IN_CLEAR = {"530": "530 5.7.0 Must issue a STARTTLS command first", "550": "550 5.7.1 Encryption required",
            "554": "554 5.7.10 Encryption needed", "words": "553 sorry, only over SSL"}
BROKEN = ["handshake", "454 to STARTTLS", "closed at EHLO in TLS"]


def insisting(how, refusal):
    """The first connection cannot have TLS; without it MAIL is refused."""
    def answer(line, c):
        first = answer.broken is None or answer.broken == c["number"]
        if line == "STARTTLS" and first:
            answer.broken = c["number"]
            if how == "454 to STARTTLS":
                return "454 4.7.0 TLS not available due to temporary reason"
            if how == "handshake":
                return "220 go\r\nthis is no TLS at all"
        if line.startswith("EHLO") and c["tls"] and how == "closed at EHLO in TLS" and first:
            return Odd.HANG_UP
        return refusal if line.startswith("MAIL") and not c["tls"] else None
    answer.broken = None
    return answer


@pytest.mark.parametrize("how", BROKEN)
def test_who_wants_tls_gets_it_at_the_next_try(relay_factory, domain, tls, how):  # noqa: F811
    context, _ = tls
    relay = relay_factory(SOON).start()
    made = {name: domain(insisting(how, refusal), context=context) for name, refusal in IN_CLEAR.items()}
    ids = {name: send(relay, made[name][0]) for name in made}
    for name, id in ids.items():
        relay.wait_kind(id, "delivered", 20)
        [events] = fates(relay, id).values()
        assert [e["kind"] for e in events] == ["deferred", "delivered"], (name, events)
        assert events[0]["enhanced"] == "4.7.10" and IN_CLEAR[name] in events[0]["reply"], (name, events)
        assert made[name][1][0].messages


def test_who_wants_tls_may_have_another_host_that_can(relay_factory, domain, tls):  # noqa: F811
    context, _ = tls
    relay = relay_factory(SOON).start()
    name, servers = domain(by_verb(STARTTLS="454 4.7.0 not now", MAIL=IN_CLEAR["530"]), None, context=context)
    relay.wait_kind(send(relay, name), "delivered", 10)
    assert len(servers[1].messages) == 1


def test_other_refusals_in_clear_are_final(relay_factory, domain, tls):  # noqa: F811
    context, _ = tls
    relay = relay_factory(SOON).start()
    for refusals in (dict(RCPT="550 5.1.1 nobody"), dict(END="554 5.7.1 spam")):
        name, _ = domain(by_verb(STARTTLS="454 4.7.0 not now", **refusals), context=context)
        relay.wait_kind(send(relay, name), "bounced", 10)


# ---- who is out of step ----

def one_too_many(at, extra, when):
    """A reply too many behind that to `at`; a is refused for now, b for good."""
    def answer(line, c):
        word = {"": "GREETING"}.get(line, line.split(" ")[0].upper())
        usual = {"GREETING": "220 odd", "EHLO": "250 odd"}.get(word, "250 ok")
        if line.startswith("RCPT"):
            usual = "450 4.2.0 grey" if "<a@" in line else "550 5.1.1 nobody"
        if line == "DATA":
            usual = "503 5.5.1 no recipients"
        if word == at and when == "at once":
            return f"{usual}\r\n{extra}"
        if "owed" in c:  # as if it had come just after the next command was said: each answer is the last one's
            c["owed"].append(usual)
            return c["owed"].pop(0)
        if word == at:
            c["owed"] = [extra]
        return usual
    return answer


def test_nobody_gets_the_answer_of_another(relay_factory, domain):
    relay = relay_factory(SOON).start()
    cases = [(at, extra, when) for at, extra in (("GREETING", "220 b"), ("EHLO", "250 b"), ("MAIL", "250 b")) for when in ("at once", "late")]
    made = [domain(one_too_many(*case)) for case in cases]
    ids = [send(relay, name, "a", "b") for name, _ in made]
    for case, id in zip(cases, ids):
        wait_for(lambda: "a" in fates(relay, id), 20)
        assert [e["kind"] for e in fates(relay, id)["a"]][0] == "deferred", (case, fates(relay, id))
        assert "nobody" not in " ".join(e["reply"] for e in fates(relay, id)["a"]), case


# ---- who refuses EHLO ----

def test_a_server_that_is_busy_at_ehlo_is_asked_again(relay_factory, domain):
    """HELO would lose what it offers."""
    began = time.monotonic()
    relay = relay_factory(SOON).start()
    name, [server] = domain(lambda line, c: "451 4.3.0 busy" if line.startswith("EHLO") and time.monotonic() - began < 4 else None)
    id = send(relay, name)
    relay.wait_kind(id, "delivered", 20)
    assert server.said("HELO") == 0 and fates(relay, id)["a"][0]["kind"] == "deferred"


# ---- who has had enough ----

ENOUGH = ["503 5.5.1 Sender already specified", "554 5.5.0 too many messages in this session", "554 5.7.1 session limit",
          "500 5.5.1 command unrecognized", "451 4.7.1 one per session"]


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["plain", "pipelined"])
def test_a_connection_that_takes_no_more_costs_no_mail(relay_factory, domain, offers):
    relay = relay_factory(SOON).start()
    for refusal in ENOUGH:
        name, [server] = domain(lambda line, c: refusal if line.startswith("MAIL") and c["mails"] > 1 else None, offers=offers)
        for _ in range(3):
            id = send(relay, name)
            relay.wait_kind(id, "delivered", 10)
            assert [e["kind"] for e in fates(relay, id)["a"]] == ["delivered"], refusal
        assert len(server.messages) == 3


def test_a_fresh_connection_is_believed(relay_factory, domain):
    relay = relay_factory(SOON).start()
    name, [server] = domain(by_verb(MAIL="554 5.7.1 not you"))
    relay.wait_kind(send(relay, name), "bounced", 10)
    assert len(server.connections) == 1
    name, [server] = domain(lambda line, c: "550 5.1.8 no such sender" if line.startswith("MAIL") and server.messages else None)
    relay.wait_kind(send(relay, name), "delivered", 10)
    relay.wait_kind(send(relay, name), "bounced", 10)


def test_an_empty_message_reaches_nobody(relay_factory, domain):
    """MAIL refused, the recipients and DATA not: what is sent now would be delivered to them."""
    relay = relay_factory(SOON).start()
    name, [server] = domain(lambda line, c: "451 4.7.1 later" if line.startswith("MAIL") and c["number"] == 1 else None,
                            offers=["PIPELINING"])
    id = send(relay, name)
    relay.wait_kind(id, "delivered", 20)
    assert [e["kind"] for e in fates(relay, id)["a"]] == ["deferred", "delivered"]
    assert len(server.messages) == 1 and "Subject" in server.messages[0]


# ---- what a host cannot do ----

def utf8(relay, domain):
    with relay.client() as client:
        client.ehlo("client.test")
        client.putcmd("mail", "FROM:<hello@club.test> SMTPUTF8")
        assert client.getreply()[0] == 250
        client.sock.sendall(f"RCPT TO:<ü@{domain}>\r\n".encode())
        assert client.getreply()[0] == 250
        code, text = client.data(b"From: <hello@club.test>\r\nSealpost-Stream: t\r\nSubject: x\r\n\r\nx\r\n")
        assert code == 250, text
        return text.decode().split()[-1]


def offering(*offers):
    return by_verb(EHLO="\r\n".join([f"250-{o}" for o in ("odd", *offers)] + ["250 HELP"]))


NEEDS = {"SIZE": (offering("SIZE 100"), offering("SIZE 1000000"), send), "SMTPUTF8": (offering("8BITMIME"), offering("SMTPUTF8"), utf8)}


@pytest.mark.parametrize("need", NEEDS)
def test_a_host_answers_for_itself_alone(relay_factory, domain, need):
    """What one host lacks, another may have: mail is returned only when none has it."""
    relay = relay_factory(SOON).start()
    lacks, has, give = NEEDS[need]
    name, servers = domain(lacks, has)
    for _ in range(2):  # the second on a connection that is open, or not
        id = give(relay, name)
        relay.wait_kind(id, "delivered", 10)
        assert relay.kinds(id).count("deferred") == 0
    assert len(servers[1].messages) == 2 and not servers[0].messages
    for count in (1, 2, 7):
        name, servers = domain(*[lacks] * count)
        id = give(relay, name)
        event = relay.wait_kind(id, "bounced", 10)[0]
        assert f".{name}" in event["reply"] and "deferred" not in relay.kinds(id), event
        wait_for(lambda: sum(len(s.connections) for s in servers) == min(count, 5))


@pytest.mark.parametrize("need", NEEDS)
def test_a_host_that_is_away_may_have_it(relay_factory, domain, need):
    relay = relay_factory(SOON).start()
    lacks, _, give = NEEDS[need]
    name, _ = domain(lacks, AWAY)
    event = relay.wait_kind(give(relay, name), "deferred", 10)[0]
    assert event["code"] == 451 and event["enhanced"].startswith("4."), event


def test_an_open_connection_answers_for_its_host_alone(relay_factory, domain):
    relay = relay_factory(SOON).start()
    lacks, has, _ = NEEDS["SIZE"]
    name, servers = domain(offering("SIZE 3000"), has)
    relay.wait_kind(send(relay, name), "delivered", 10)
    id = send(relay, name, body=("x" * 70 + "\r\n") * 80)
    relay.wait_kind(id, "delivered", 10)
    assert "deferred" not in relay.kinds(id) and [len(s.messages) for s in servers] == [1, 1]


# ---- who is there ----

ABOUT_US = ["550 Reverse DNS lookup: 192.0.2.10 does not exist", "550 The domain club.test does not exist", "550 5.1.1 RBL: 192.0.2.10",
            "550 5.1.2 Host helo name mail.club.test does not exist", "550 5.1.1 tls required", "550 5.1.1 Bad HELO"]


def test_only_who_is_not_there_is_suppressed(relay_factory, domain):
    relay = relay_factory(SOON).start()
    gone, _ = domain(by_verb(RCPT="550 5.1.1 user unknown"))
    relay.wait_kind(send(relay, gone), "bounced", 10)
    made = [domain(by_verb(RCPT=reply))[0] for reply in ABOUT_US]
    for name, id in [(name, send(relay, name)) for name in made]:
        relay.wait_kind(id, "bounced", 10)
    listed = relay.command("suppress", "list")
    assert f"a@{gone}" in listed and not [reply for name, reply in zip(made, ABOUT_US) if f"a@{name}" in listed], listed
