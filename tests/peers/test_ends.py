"""How deliveries end: every recipient by its time, whatever the reason; nothing is sent late; what was deferred together goes
together again.

The kind of fault: a reason that is our own (no key, no DNS, no route, a destination that rests) stopped a message's time, so that
its sender never heard of it, and a code that nobody can use any more was delivered at last.
"""

import email
import threading
import time

import pytest

from conftest import slack, wait_for

pytestmark = pytest.mark.memory

LATE = 0.7  # by the relay's own clock, as the commands that ask for it are slower


def streams(life, retry="1, 1"):
    return f'stream "code" {{ class = "security"  expires = {life}  retry = {{{retry}}} }}\nthrottle = "off"\n'


def code(relay, to, sender="hello@club.test"):
    """Its id."""
    return relay.send(to=to, sender=sender, message=f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: code\r\n"
                                                    f"Sealpost-Stream: code\r\n\r\n123456\r\n")


def codes(relay, recipients, sender="hello@club.test"):
    """The ids of one code for each, in one session: logging in takes its time on a busy machine."""
    def one(client, to):
        text = f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: code\r\nSealpost-Stream: code\r\n\r\n123456\r\n"
        assert client.mail(sender)[0] == 250 and client.rcpt(to)[0] == 250
        code, said = client.data(text.encode())
        assert code == 250, said
        return said.decode().split()[-1]

    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        return [one(client, to) for to in recipients]


def end_of(relay, id, timeout=45):
    """The last event of it, and how many seconds after its acceptance that was."""
    def over():
        events = relay.trace(id)
        return [(e, (e["at"] - events[0]["at"]) / 1000) for e in events if e["kind"] in ("expired", "bounced", "delivered")]

    return wait_for(over, timeout, 0.05)[0]


def ends_in_time(relay, id, life):
    event, after = end_of(relay, id)
    assert event["kind"] in ("expired", "bounced"), event
    assert after < life + slack(LATE), (after, event)
    return event


def test_without_a_key_it_expires_and_nobody_is_connected_to(relay_factory, dns, mailhost):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = mailhost()
    relay = relay_factory(streams(8)).start()
    relay.command("domain", "capture", "club.test")
    id = code(relay, "bob@dest.test")
    next((relay.path / "state" / "keys").glob("club.test.*.pem")).write_text("no key\n")
    relay.reload()  # files are read again
    relay.command("domain", "release", "club.test")
    relay.command("queue", "release", id)
    event = ends_in_time(relay, id, 8)
    assert event["kind"] == "expired" and event["enhanced"] == "4.7.5" and host.connections == []
    assert relay.log().count(f"error not_sent id={id}") == 1


def test_while_dns_is_down_it_expires_and_is_not_delivered_late(relay_factory, dns, mailhost):
    host = mailhost()
    relay = relay_factory(streams(6)).start()
    dns.zone["all"] = "SERVFAIL"
    id = code(relay, "bob@dest.test")
    assert "forward" in ends_in_time(relay, id, 6)["reply"]
    wait_for(lambda: [row for row in relay.queue() if row["recipient"] == "hello@club.test"])  # its sender is told of it
    del dns.zone["all"]
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    time.sleep(4)
    assert not host.reached("bob@dest.test")


def test_without_a_way_to_the_host_it_ends_in_time(relay_factory, dns):
    """No route at all, or none of that family; or nobody listens, and the destination rests for longer than it has."""
    hosts = {"multicast": "224.0.0.1", "reserved": "240.0.0.1", "six": "2001:db8::1", "deaf": "127.0.0.9"}
    for name, address in hosts.items():
        dns.mail(f"{name}.test", f"mx.{name}.test={address}")
    relay = relay_factory(streams(8)).start()
    sent = []
    for name in hosts:
        sent.append(code(relay, f"bob@{name}.test"))
    time.sleep(3)  # these come while the others' failures are remembered
    for name in hosts:
        sent.append(code(relay, f"alice@{name}.test"))
    for id in sent:
        ends_in_time(relay, id, 8)


@pytest.mark.parametrize("mute_at", ["", "EHLO", "the slots"])
def test_behind_a_mute_host_it_ends_in_time_and_is_not_sent_late(relay_factory, dns, mailhost, mute_at):
    """The first messages hold all slots of the destination; those behind them wait for one."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    life = 4

    def answer(line, connection):
        if line[:4] == ("" if mute_at == "the slots" else mute_at):
            time.sleep(life + 3)

    host = mailhost(answer)
    relay = relay_factory(streams(life)).start()
    if mute_at == "the slots":  # held by others, who have time
        for number in range(8):
            relay.send(to=f"slow{number}@dest.test")
        wait_for(lambda: len(host.connections) >= 1)
    sent = codes(relay, [f"r{number}@dest.test" for number in range(12)])
    for id in sent:
        event, after = end_of(relay, id)
        assert event["kind"] == "expired" and after < life + slack(LATE), (after, event)
    time.sleep(3)
    assert not any(line.startswith("MAIL") and "r" in line for c in host.connections if mute_at != "the slots" for line in c.lines)
    assert not any("code" in m.data.decode() for m in host.messages)


def test_a_host_that_is_slow_gets_nothing_that_is_late(relay_factory, dns, mailhost):
    """It answers, but so late that the code is of no more use when MAIL could be said."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = mailhost(lambda line, connection: time.sleep(1.6) if line.startswith(("EHLO", "")) and not line.startswith("QUIT") else None)
    relay = relay_factory(streams(3)).start()
    id = code(relay, "bob@dest.test")
    ends_in_time(relay, id, 3)
    time.sleep(3)
    assert not any(line.startswith("MAIL") for c in host.connections for line in c.lines)


def test_what_expires_while_the_relay_is_down_is_not_sent(relay_factory, dns, mailhost):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(streams(4)).start()
    began = time.monotonic()
    id = code(relay, "bob@dest.test")
    relay.wait_kind(id, "deferred")
    relay.stop()
    host = mailhost()
    time.sleep(max(0.0, began + 4.5 - time.monotonic()))
    relay.start()
    event, _ = end_of(relay, id)
    assert event["kind"] == "expired" and "refused" in event["reply"] and not host.reached("bob@dest.test")


def test_a_last_try_is_made_in_time(relay_factory, dns, mailhost):
    """The schedule would go on for longer than it has: it is tried once more just before its end, and arrives."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    refused = []

    def answer(line, connection):
        if line.startswith("MAIL") and not refused:
            refused.append(line)
            return "451 4.3.0 not yet"

    host = mailhost(answer)
    relay = relay_factory(streams(10, "600")).start()
    id = code(relay, "bob@dest.test")
    event, after = end_of(relay, id)
    assert event["kind"] == "delivered" and 8 < after < 10 + slack(LATE) and len(host.messages) == 1


@pytest.mark.parametrize("refused_at", ["RCPT", "MAIL", "."])
def test_recipients_greylisted_together_go_together_again(relay_factory, dns, mailhost, refused_at):
    """What is drawn at random is drawn for the message and its destination, not for each recipient."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    began = time.monotonic()

    def answer(line, connection):
        if line.startswith(refused_at) and time.monotonic() - began < 6:
            return "451 4.7.1 greylisted, come back later"

    host = mailhost(answer)
    relay = relay_factory('throttle = "off"\nstream "list" { class = "digest"  retry = {8} }\n').start()
    wanted = [f"r{number}@dest.test" for number in range(60)]
    body = ("x" * 70 + "\r\n") * 15000
    began = time.monotonic()
    relay.send(to=wanted, message="From: <hello@club.test>\r\nTo: <list@club.test>\r\nSubject: x\r\nSealpost-Stream: list\r\n\r\n" + body)
    wait_for(lambda: sorted(r for m in host.messages for r in m.recipients) == sorted(wanted), 30)
    assert len(host.messages) <= 2


def test_ninety_domains_that_fail_make_one_report(relay_factory, dns, mailhost):
    dns.mail("club.test", "mx.club.test=127.0.0.1")
    host = mailhost()
    relay = relay_factory('throttle = "off"\n').start()
    wanted = [f"bob@nosuch{number}.example" for number in range(90)]
    relay.send(to=wanted, message="From: <hello@club.test>\r\nTo: <list@club.test>\r\nSubject: x\r\n\r\nhello\r\n")
    wait_for(lambda: host.messages, 60)
    time.sleep(2)
    assert len(host.messages) == 1 and all(w.encode() in host.messages[0].data for w in wanted)


def returned(sink):
    """(text for people, fields of the recipient) of the one report."""
    text, status = email.message_from_bytes(sink.wait(1, 60)[0][1]).get_payload()[:2]
    return text.get_payload(), status.get_payload()[1]


@pytest.mark.parametrize("how", ["by an operator", "nobody listens", "a limit"])
def test_what_was_never_tried_says_what_it_waited_for(relay_factory, dns, mailhost, sink_factory, delivery_port, how):
    """Kind: the queue knows why mail waits, and the sender, the event and the log hear that its time is over, and nothing else."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    place = f"mx.dest.test:{delivery_port}"
    relay = relay_factory(streams(8))
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    if how != "nobody listens":
        mailhost(lambda line, c: "450 4.7.1 too much mail" if how == "a limit" and line.startswith("MAIL") else None)
    # a limit is asked again and again: for a moment it does not rest
    want = f"waited for {place}, which has rested" + ("" if how == "a limit" else " for ")
    said = {"by an operator": "s by an operator's order: they move", "nobody listens": "connection refused",
            "a limit": "450 4.7.1 too much mail"}[how]
    if how == "by an operator":
        relay.command("destination", "rest", place, "--for", "1h", "--why", "they move")
    ids = codes(relay, [f"u{i}@dest.test" for i in range(1 if how == "by an operator" else 16)])
    events = [end_of(relay, id)[0] for id in ids]
    untried = [e for e, id in zip(events, ids) if "deferred" not in relay.kinds(id) and e["reply"].startswith("Expired") and
               e["reply"] != "Expired before it could be sent"]  # one may just have been asked with
    assert untried, events
    for event in untried:
        assert event["kind"] == "expired" and event["enhanced"] == "4.4.7" and want in event["reply"] and said in event["reply"], event
    lines = [line for line in relay.log().splitlines() if " expired " in line and f"id={untried[0]['id']}" in line]
    assert len(lines) == 1 and want in lines[0] and said in lines[0], lines
    if how == "by an operator":
        text, fields = returned(back)
        assert "they move" in text and fields["Status"] == "4.4.7" and fields["Diagnostic-Code"] is None, text


def test_who_was_heard_before_is_named_at_the_end(relay_factory, dns, mailhost, sink_factory, delivery_port):
    """Deferred by its server, then held back by a rest until its time is over: that server's last answer is why."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    relay = relay_factory(streams(8, "3, 3"))
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    mailhost(lambda line, c: "450 4.2.0 greylisted" if line.startswith("RCPT") else None)
    id = code(relay, "bob@dest.test")
    relay.wait_kind(id, "deferred")
    relay.command("destination", "rest", f"mx.dest.test:{delivery_port}", "--for", "1h")
    event = ends_in_time(relay, id, 8)
    assert (event["kind"], event["enhanced"], event["reply"]) == ("expired", "4.2.0", "greylisted"), event
    assert event["remote"] == "mx.dest.test[127.0.0.1]", event
    line, = [line for line in relay.log().splitlines() if " expired " in line]
    assert " mx=mx.dest.test[127.0.0.1] " in line and "code=450" in line, line
    text, fields = returned(back)
    assert "The server mx.dest.test answered" in text and fields["Remote-MTA"] == "dns; mx.dest.test", (text, fields)


@pytest.mark.parametrize("how", ["delete", "bounce"])
def test_what_is_ended_by_a_person_while_it_is_under_way_and_arrives_is_told(relay_factory, dns, mailhost, how):
    """Its events say so, so that nobody takes for deleted what a mailbox has got; what was to be returned and arrives is not returned."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    go_on = threading.Event()
    asked = threading.Event()

    def answer(line, connection):
        if line == ".":
            asked.set()
            go_on.wait(40)
        return None

    host = mailhost(answer)
    relay = relay_factory(streams(60)).start()
    id = code(relay, "bob@dest.test")
    assert asked.wait(20)
    relay.command("queue", how, id)
    go_on.set()
    wait_for(lambda: [e for e in relay.trace(id) if e["kind"] == "delivered"], 20, 0.1)
    assert len(host.messages) == 1
    kinds = [e["kind"] for e in relay.trace(id) if e["kind"] in ("deleted", "bounced", "delivered")]
    assert kinds == {"delete": ["deleted", "delivered"], "bounce": ["delivered"]}[how], relay.trace(id)
    last = relay.trace(id)[-1]
    assert last["recipient"] == "bob@dest.test" and last["code"] == 250 and "mx.dest.test" in last["remote"], last
