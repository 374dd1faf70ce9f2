"""A host that has trouble with a message after its greeting: the next host of the domain, in the same attempt."""

import time

import pytest

from conftest import wait_for

pytestmark = pytest.mark.memory

TROUBLE = [(stage, reply) for stage in ("MAIL", "RCPT", "DATA", ".")
           for reply in ("421 4.3.2 closing", "452 4.3.1 no space", "451 4.3.0 error in processing", "451 error in processing",
                         "HANG UP")]
TROUBLE.remove((".", "HANG UP"))
OTHERS = [("MAIL", "450 4.1.8 who are you", "deferred"), ("RCPT", "450 4.2.1 mailbox busy", "deferred"),
          ("RCPT", "451 4.7.1 greylisted", "deferred"), ("RCPT", "452 4.2.2 mailbox full", "deferred"),
          ("MAIL", "550 5.7.1 no", "bounced"), ("RCPT", "550 5.1.1 no such user", "bounced"), (".", "554 5.6.0 no", "bounced"),
          (".", "HANG UP", "deferred")]  # it may have the message: RFC 1047


def saying(stage, reply):
    def answer(line, connection):
        return reply if line.split(" ")[0].split(":")[0] == stage else None
    return answer


def hosts(mailhost, dns, number, stage, reply):
    """Two for domain d{number}: the first has trouble."""
    pair = mailhost(saying(stage, reply), host=f"127.0.{number}.1"), mailhost(host=f"127.0.{number}.2")
    dns.mail(f"d{number}.test", f"a.d{number}.test=127.0.{number}.1", f"b.d{number}.test=127.0.{number}.2")
    return pair


def test_a_trouble_of_the_host_leads_to_the_next_one(relay, dns, mailhost):
    """The kind: the host cannot, at whatever stage and however it says so. Nobody waits for the retry, and nobody gets it twice."""
    pairs = [hosts(mailhost, dns, 10 + n, *case) for n, case in enumerate(TROUBLE)]
    began = time.monotonic()
    ids = [relay.send(to=[f"x@d{10 + n}.test", f"y@d{10 + n}.test"]) for n in range(len(pairs))]
    for case, id, (first, second) in zip(TROUBLE, ids, pairs):
        wait_for(lambda: relay.kinds(id).count("delivered") == 2 or "deferred" in relay.kinds(id), 20, 0.1)
        assert "deferred" not in relay.kinds(id), (case, relay.trace(id))
        assert [m.recipients for m in second.messages] == [second.messages[0].recipients] and len(second.messages[0].recipients) == 2
        assert len(first.connections) == 1 and first.messages == [], case
    assert time.monotonic() - began < 20


def test_what_is_no_trouble_of_the_host_stays_there(relay, dns, mailhost):
    """A mailbox, an address, a policy, a refusal: another host would say the same. And after the final dot without an answer
    nobody may be asked at once: the first may have the message."""
    pairs = [hosts(mailhost, dns, 50 + n, stage, reply) for n, (stage, reply, _) in enumerate(OTHERS)]
    ids = [relay.send(to=f"x@d{50 + n}.test") for n in range(len(OTHERS))]
    for (stage, reply, kind), id, (first, second) in zip(OTHERS, ids, pairs):
        relay.wait_kind(id, kind)
        assert second.connections == [], (stage, reply)


def test_who_has_a_final_answer_keeps_it(relay, dns, mailhost):
    def answer(line, connection):
        if line.startswith("RCPT TO:<ghost@"):
            return "550 5.1.1 no such user"
        return "451 4.3.0 error in processing" if line.startswith("RCPT") else None

    first, second = mailhost(answer, host="127.0.80.1"), mailhost(host="127.0.80.2")
    dns.mail("mixed.test", "a.mixed.test=127.0.80.1", "b.mixed.test=127.0.80.2")
    id = relay.send(to=["ghost@mixed.test", "x@mixed.test", "y@mixed.test"])
    wait_for(lambda: len(set(relay.kinds(id)) & {"bounced", "delivered"}) == 2 or "deferred" in relay.kinds(id))
    last = {e["recipient"]: e["kind"] for e in relay.trace(id) if e.get("recipient")}
    assert last["ghost@mixed.test"] == "bounced" and last["x@mixed.test"] == last["y@mixed.test"] == "delivered"
    assert [sorted(m.recipients) for m in second.messages] == [["x@mixed.test", "y@mixed.test"]], second.messages[0].recipients


def test_all_hosts_may_have_trouble(relay, dns, mailhost):
    """Then the mail waits with what the last one said, the destination does not rest, and there is an end to it."""
    made = [mailhost(saying("MAIL", "451 4.3.0 out of order"), host=f"127.0.90.{n}") for n in range(1, 9)]
    dns.mail("all.test", *[f"mx{n}.all.test=127.0.90.{n}" for n in range(1, 9)])
    id = relay.send(to="x@all.test")
    event = relay.wait_kind(id, "deferred")[0]
    asked = sum(len(host.connections) for host in made)
    assert "out of order" in event["reply"] and 2 <= asked <= 5 and relay.queue()[0]["tries"] == 1
    for host in made:
        host.answer = lambda line, connection: None
    relay.wait_kind(relay.send(to="x@all.test"), "delivered", 4)


def test_one_host_with_trouble_and_one_that_refuses(relay, dns, mailhost):
    mailhost(saying("MAIL", "452 4.3.1 no space"), host="127.0.91.1")  # nobody listens at the other
    dns.mail("two.test", "a.two.test=127.0.91.1", "b.two.test=127.0.91.2")
    event = relay.wait_kind(relay.send(to="x@two.test"), "deferred")[0]
    assert event["code"] == 452 and "no space" in event["reply"], event


def test_an_idle_connection_that_gets_into_trouble(relay, dns, mailhost):
    """What the connection's first parcel has tried is not what the next one has."""
    def answer(line, connection):
        return "451 4.3.0 error in processing" if line == "." and connection.messages else None

    first, second = mailhost(answer, host="127.0.92.1"), mailhost(host="127.0.92.2")
    dns.mail("idle.test", "a.idle.test=127.0.92.1", "b.idle.test=127.0.92.2")
    for _ in range(2):
        id = relay.send(to="x@idle.test")
        relay.wait_kind(id, "delivered")
        assert "deferred" not in relay.kinds(id)
    assert len(first.messages) == len(second.messages) == 1
