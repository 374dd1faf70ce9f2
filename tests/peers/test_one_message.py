"""A connection that breaks over one message, or over one of its recipients, says something of that message first: it waits, and all
others go on.

The kind of fault: one recipient whose RCPT is answered 421 kept a whole destination waiting for five seconds at a time, and was the
first to be tried when that was over; its companions in one message were never delivered."""

import threading
import time

import pytest

from apart import Sender
from conftest import free_port, wait_for
from mailhost import MailHost

pytestmark = pytest.mark.memory

HOW = ["421 4.3.2 mailbox busy", "HANG UP"]


@pytest.fixture
def mailhost(delivery_port):
    made = []

    def make(answer=None, **options):
        made.append(MailHost(delivery_port, answer, **options))
        return made[-1]

    yield make
    for each in made:
        each.stop()



def breaking_at(word, reply):
    """`reply`, and the connection ends, wherever `word` is in a line."""
    def answer(line, connection):
        if getattr(connection, "over", False):
            return "HANG UP"
        if word in line:
            connection.over = True
            return reply
        return None
    return answer


def domain(dns, mailhost, number, answer, hosts=1):
    dns.mail(f"d{number}.test", *[f"mx{n}.d{number}.test=127.0.{number}.{n}" for n in range(1, hosts + 1)])
    return [mailhost(answer, host=f"127.0.{number}.{n}") for n in range(1, hosts + 1)]


def last(relay, id):
    return {e["recipient"].split("@")[0]: e["kind"] for e in relay.trace(id) if e.get("recipient") and e["kind"] != "accepted"}


@pytest.mark.parametrize("reply", HOW)
def test_whose_recipients_break_connections_keeps_nobody_elses_waiting(relay, dns, mailhost, reply):
    [host] = domain(dns, mailhost, 10, breaking_at("<poison", reply))
    poison = [relay.send(to=f"poison{n}@d10.test") for n in range(30)]
    took = []
    for n in range(15):
        id = relay.send(to=f"good{n}@d10.test")
        relay.wait_kind(id, "delivered", 30)
        trace = relay.trace(id)
        took.append((next(e for e in trace if e["kind"] == "delivered")["at"] - trace[0]["at"]) / 1000)
        assert "deferred" not in relay.kinds(id)
    assert sum(took) < 30 and sorted(took)[len(took) // 2] < 1, took
    for id in poison:  # each of them is tried, and by its schedule
        relay.wait_kind(id, "deferred", 20)
    assert all(row["tries"] >= 1 for row in relay.queue() if row["recipient"].startswith("poison"))


@pytest.mark.parametrize("hosts", [1, 2])
@pytest.mark.parametrize("reply", HOW)
def test_one_bad_recipient_takes_nobody_along(relay, dns, mailhost, reply, hosts):
    for number, place in enumerate((0, 1, 2), 20):  # first, in the middle, last
        domain(dns, mailhost, number, breaking_at("<bad", reply), hosts)
        to = [f"a@d{number}.test", f"c@d{number}.test"]
        to.insert(place, f"bad@d{number}.test")
        id = relay.send(to=to)
        wait_for(lambda: len(last(relay, id)) >= 3, 20, 0.1)
        assert last(relay, id) == {"a": "delivered", "c": "delivered", "bad": "deferred"}, (place, relay.trace(id))
        assert [row["tries"] for row in relay.queue() if row["id"] == id] == [1]


def test_a_server_that_bears_no_error_is_sent_the_others(relay, dns, mailhost):
    """As Postfix with smtpd_hard_error_limit = 1: the refusal is final, and what comes after it is hung up on."""
    def answer(line, connection):
        if getattr(connection, "error", False):
            connection.over = True
            return "HANG UP" if getattr(connection, "told", False) else told(connection)
        if line.startswith("RCPT TO:<bad"):
            connection.error = True
            return "550 5.1.1 no such user"
        return None

    def told(connection):
        connection.told = True
        return "421 4.7.0 too many errors"

    domain(dns, mailhost, 30, answer)
    id = relay.send(to=["a@d30.test", "bad@d30.test", "c@d30.test", "bad2@d30.test", "e@d30.test"])
    wait_for(lambda: len(last(relay, id)) >= 5, 20, 0.1)
    assert last(relay, id) == {"a": "delivered", "c": "delivered", "e": "delivered", "bad": "bounced", "bad2": "bounced"}
    assert "deferred" not in relay.kinds(id)


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
def test_a_connection_that_takes_one_message_only_costs_no_try(relay, dns, mailhost, stage):
    def answer(line, connection):
        return "421 4.7.0 one is enough" if connection.messages and line.startswith(stage) else None

    [host] = domain(dns, mailhost, 40, answer)
    ids = [relay.send(to=f"u{n}@d40.test") for n in range(6)]
    for id in ids:
        relay.wait_kind(id, "delivered", 15)
        assert "deferred" not in relay.kinds(id), relay.trace(id)


def test_a_refusal_during_the_body_is_the_answer(relay, dns, delivery_port, mailhost):
    """The server refuses when it has seen enough, and closes while we still send."""
    class Full(MailHost):
        def take(self, stream, say, message):
            stream.readline()
            stream.write(b"552 5.3.4 message too big\r\n")
            stream.flush()
            time.sleep(1.5)  # its window is full meanwhile
            raise ConnectionAbortedError

    host = Full(delivery_port, host="127.0.50.1")
    dns.mail("d50.test", "mx.d50.test=127.0.50.1")
    try:
        line = "x" * 70 + "\r\n"
        id = relay.send(to="u@d50.test", message="From: <hello@club.test>\r\nSubject: big\r\n\r\n" + line * 80000)
        event = relay.wait_kind(id, "bounced", 30)[0]
        assert event["code"] == 552 and event["enhanced"] == "5.3.4", event
    finally:
        host.stop()


@pytest.mark.parametrize("alone", ["RCPTMAX", "one-click"])
def test_in_parts_is_recorded_part_by_part(relay_factory, dns, mailhost, alone):
    """Each recipient alone, and one stalls: a crash repeats nobody of those before it. Nothing was recorded until all had an answer."""
    stalls, recipients = threading.Event(), [f"u{n:02}@d16.test" for n in range(30)]

    def answer(line, connection):
        if line.startswith("EHLO") and alone == "RCPTMAX":
            return "250-mailhost\r\n250-LIMITS RCPTMAX=1\r\n250 PIPELINING"
        if line.startswith("RCPT") and "<u25@" in line and not stalls.is_set():
            stalls.wait(60)
            return "HANG UP"
        return None

    [host] = domain(dns, mailhost, 16, answer)
    unsubscribe = "none" if alone == "RCPTMAX" else "one-click"
    relay = relay_factory(f'stream "news" {{ class = "digest"  unsubscribe = "{unsubscribe}" }}\n'
                          f'http {{ address = "127.0.0.1:{free_port()}"  url = "https://u.club.test" }}').start()
    Sender(relay).send(recipients, "many")
    wait_for(lambda: relay.log().count(" delivered ") >= 25, 30)
    relay.kill()
    stalls.set()
    relay.start()
    named = lambda: sorted(r for m in host.messages for r in m.recipients)
    wait_for(lambda: set(named()) == set(recipients), 60)
    wait_for(lambda: relay.log().count(" delivered ") >= 30, 30)
    assert named() == recipients
