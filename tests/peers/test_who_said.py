"""What was said, and by whom: an answer is shown as it was given, under the host that gave it; what the relay refuses, or cannot
do, is its own word."""

import email
import socket
import threading

import pytest

from conftest import wait_for
from mailhost import MailHost
from test_delivery import Script

pytestmark = pytest.mark.memory

CODE = 'stream "code" { class = "security"  expires = 8  retry = {1} }\nthrottle = "off"\n'


@pytest.fixture
def host(delivery_port):
    made = []

    def make(answer, address="127.0.0.1", **options):
        made.append(MailHost(delivery_port, lambda line, c: answer.get(line.split(" ")[0].upper()) if isinstance(answer, dict)
                             else answer(line), host=address, **options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def script_offers(delivery_port):
    made = []

    def make(offers):
        made.append(Script(delivery_port, offers=offers))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def code(to):
    return f"From: <hello@club.test>\r\nTo: <{to}>\r\nSubject: code\r\nSealpost-Stream: code\r\n\r\n1234\r\n"


def report(sink):
    """(text for people, fields of the first recipient) of the one report."""
    text, status = email.message_from_bytes(sink.wait(1, 40)[0][1]).get_payload()[:2]
    return text.get_payload(), status.get_payload()[1]


@pytest.mark.parametrize("greeting", ["553 5.7.1 x", "554 no", "421 4.3.2 later", "450 4.7.1 not known"])
def test_a_refused_greeting_is_shown_as_it_was_said(relay, host, greeting):
    host({"": greeting})
    number, _, rest = greeting.partition(" ")
    enhanced, text = rest.split(" ", 1) if rest[0].isdigit() else ("", rest)
    event = relay.wait_kind(relay.send(), "deferred")[0]
    assert (event["code"], event["enhanced"], event["reply"]) == (int(number), enhanced, text)
    assert event["remote"] == "mx.dest.test[127.0.0.1]"
    [queued] = relay.queue()
    assert queued["state"] == "waiting" and queued["last_reply"] == greeting


def test_when_all_hosts_refuse_the_report_says_so(relay_factory, dns, host, sink_factory):
    dns.mail("dest.test", "mx1.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.3")
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    relay = relay_factory(CODE)
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    host({"": "554 5.7.1 no mail from you"})
    host({"": "554 5.7.1 nor here"}, "127.0.0.3")
    relay.send(to="b@dest.test", message=code("b@dest.test"))
    text, fields = report(back)
    assert "554" in text and "5.7.1" in text and ("no mail from you" in text or "nor here" in text)
    assert fields["Action"] == "failed"


def test_a_host_that_hangs_up_has_answered_nothing(relay_factory, dns, host, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    relay = relay_factory(CODE)
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    host(lambda line: "HANG UP" if line.startswith("RCPT") else None)
    id = relay.send(to="b@dest.test", message=code("b@dest.test"))
    assert relay.wait_kind(id, "deferred")[0]["remote"] == "mx.dest.test[127.0.0.1]"
    text, fields = report(back)
    assert "while at RCPT" in text and "answered" not in text and "mx.dest.test" in text
    assert fields["Diagnostic-Code"] is None and fields["Remote-MTA"] is None


def test_what_the_relay_refuses_is_its_own_word(relay, dns, script_offers, sink_factory):
    """Too large, or in a form that the receiver does not take; beside it another recipient gets the message from the same host."""
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    back = sink_factory(host="127.0.0.2", records=relay.records)
    server = script_offers(["SIZE 2000"])
    id = relay.send(to=["b@dest.test", "ü@dest.test"], mail_options=["SMTPUTF8"], message="From: <hello@club.test>\r\n\r\nx\r\n")
    wait_for(lambda: {"delivered", "bounced"} <= set(relay.kinds(id)))
    events = {e["kind"]: e for e in relay.trace(id)}
    assert events["delivered"]["remote"].startswith("mx.dest.test[") and len(server.messages) == 1
    assert events["bounced"]["enhanced"] == "5.6.7" and events["bounced"]["remote"] == ""
    id = relay.send(message="From: <hello@club.test>\r\n\r\n" + ("y" * 70 + "\r\n") * 50)
    event = relay.wait_kind(id, "bounced")[0]
    assert event["enhanced"] == "5.3.4" and event["remote"] == "" and "mx.dest.test" in event["reply"]
    for _, raw in back.wait(2):
        assert b"Action: failed" in raw and b"Remote-MTA" not in raw and b"Diagnostic-Code" not in raw


@pytest.mark.parametrize("reply, status", [("450", "4.4.7"), ("451 hm", "4.4.7"), ("450 4.2.0 grey", "4.2.0")])
def test_what_has_expired_has_not_been_refused_for_good(relay_factory, dns, host, sink_factory, reply, status):
    """RFC 3463: X.4.7, unless the actual problem has a code of its own; the last answer stands beside it as it was given."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    relay = relay_factory(CODE)
    back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    host({"RCPT": reply})
    relay.send(to="b@dest.test", message=code("b@dest.test"))
    text, fields = report(back)
    assert fields["Action"] == "failed" and fields["Status"] == status and reply[:3] in fields["Diagnostic-Code"]


def test_where_it_was_connecting_is_said(relay, dns, delivery_port):
    """Who cannot be connected to has not come as far as a greeting."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.9")  # nobody listens there
    event = relay.wait_kind(relay.send(to="b@dest.test"), "deferred")[0]
    assert event["reply"] == f"connect to 127.0.0.9 port {delivery_port}: connection refused"
    assert event["remote"] == "mx.dest.test[127.0.0.9]"
    assert " mx=mx.dest.test[127.0.0.9] " in next(line for line in relay.log().splitlines() if " deferred " in line)


def test_a_host_that_this_machine_has_no_way_to(relay, dns, delivery_port):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::25", delivery_port))
            pytest.skip("this machine has a way to IPv6 addresses")
        except OSError:
            pass
    dns.mail("dest.test", "mx.dest.test=2001:db8::25")
    relay.config.write_text(relay.config.read_text().replace('"::1"}', '"::1", "2001:db8::/32"}'))
    relay.reload()
    event = relay.wait_kind(relay.send(to="b@dest.test"), "deferred")[0]
    assert "only IPv6 addresses" in event["reply"] and f"2001:db8::25 port {delivery_port}" in event["reply"]


@pytest.mark.parametrize("where, how", [("EHLO", "hang"), ("MAIL", "HANG UP"), ("RCPT", "HANG UP"), ("DATA", "HANG UP"), (".", "HANG UP"),
                                        ("RCPT", "250 good?\r\n999 what")])
def test_each_event_names_the_host_and_the_address_of_the_trouble(relay_factory, dns, host, where, how):
    """The kind: trouble that is nobody's answer, as a time-out of the second host after the first has refused."""
    dns.mail("dest.test", "mx1.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.2")
    end = threading.Event()
    host({"EHLO": "421 4.3.2 not now"})
    host(lambda line: (end.wait(30) and "HANG UP" if how == "hang" else how) if line.startswith(where) else None, "127.0.0.2")
    relay = relay_factory(CODE).start()
    id = relay.send(to="b@dest.test", message=code("b@dest.test"))
    wait_for(lambda: {"deferred", "expired"} & set(relay.kinds(id)), 30)
    end.set()
    told = [e for e in relay.trace(id) if e["kind"] in ("deferred", "expired")]
    assert all(e["remote"] in ("mx1.dest.test[127.0.0.1]", "mx2.dest.test[127.0.0.2]") for e in told), told
    assert told[0]["remote"].startswith("mx2") and "connect" not in told[0]["reply"].split(" (")[0].replace("connection", ""), told


def test_each_answer_stands_under_the_host_that_gave_it(relay_factory, dns, host):
    """One message: the first host knows one recipient not and cannot take another, whom the second host takes."""
    dns.mail("dest.test", "mx1.dest.test=127.0.0.1", "mx2.dest.test=127.0.0.2")
    refusals = {"a": "550 5.1.1 no such user", "b": "451 4.3.2 not now"}
    host(lambda line: refusals.get(line[9:10]) if line.startswith("RCPT") else None)
    host({}, "127.0.0.2")
    relay = relay_factory().start()
    id = relay.send(to=["a@dest.test", "b@dest.test"])
    wait_for(lambda: {"bounced", "delivered"} <= set(relay.kinds(id)), 30)
    events = {e["kind"]: e["remote"] for e in relay.trace(id)}
    assert events["bounced"] == "mx1.dest.test[127.0.0.1]" and events["delivered"] == "mx2.dest.test[127.0.0.2]", events
    lines = {line.split(" rcpt=")[1].split("@")[0]: line for line in relay.log().splitlines() if f"id={id}" in line and " rcpt=" in line}
    assert " mx=mx1.dest.test[127.0.0.1] " in lines["a"] and " mx=mx2.dest.test[127.0.0.2] " in lines["b"], lines
