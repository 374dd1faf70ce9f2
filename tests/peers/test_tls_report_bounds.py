"""TLS reports are sent where a record says, and a record may name anybody: what does it cost those who never asked for any?

The kind of fault: a domain's record has the relay do to others what their own limits, their list of who wants no mail, their refusals or
the addresses of their hosts forbid.
"""

import collections
import re
import socket
import threading
import time

import pytest
from conftest import wait_for
from mailhost import MailHost
from test_tls_reports import (DAY_MS, Collector, collector, context_of, hosts, listed, next_day, reporter, reports_of, send_all,
                              trusting_environment)  # noqa: F401 - fixtures

DOMAINS = 40


@pytest.fixture
def many(dns, delivery_port):
    """Domains of one organization with one host; `rua`: where reports on the i-th go."""
    made = []

    def make(rua, count=DOMAINS, zone="evil.test"):
        made.append(MailHost(delivery_port, host=f"127.0.5.{len(made) + 1}"))
        for i in range(count):
            dns.mail(f"e{i}.{zone}", f"mx.e{i}.{zone}=127.0.5.{len(made)}")
            dns.add(f"_smtp._tls.e{i}.{zone}", "TXT", f"v=TLSRPTv1; rua={rua(i)}")
        return made[-1]

    yield make
    for host in made:
        host.stop()


def deliver(relay, count=DOMAINS, zone="evil.test"):
    before = len(listed(relay))
    with relay.client() as client:
        for i in range(count):
            client.sendmail("hello@club.test", f"u@e{i}.{zone}", f"From: <hello@club.test>\r\nTo: <u@e{i}.{zone}>\r\nSubject: x\r\n\r\nx\r\n")
    wait_for(lambda: len(listed(relay)) == before + count, 90)


def states(relay, part=""):
    return collections.Counter(r["state"] for r in listed(relay) if part in r["domain"])


def settled(relay):
    """All are sent or dropped."""
    return not set(states(relay)) - {"sent", "dropped"}


def test_who_is_named_in_many_records_gets_few_reports_and_those_of_its_own_domains_besides(reporter, many, mailhost, dns, shim):
    inbox = mailhost(None, host="127.0.6.1")
    dns.mail("victim.test", "mx.victim.test=127.0.6.1")
    many(lambda i: "mailto:Ann@victim.test?subject=win")
    many(lambda i: "mailto:ann@victim.test", 3, "victim.test")
    relay = reporter('limit "tenant" { every = 0 }\nlimit "recipient" { every = 0 }')
    deliver(relay)
    deliver(relay, 3, "victim.test")
    next_day(shim)
    wait_for(lambda: settled(relay), 120)
    assert states(relay, "victim.test") == {"sent": 3}
    assert states(relay, "evil.test") == {"sent": 10, "dropped": 30}
    assert len(inbox.messages) == 13
    assert {r["why"] for r in listed(relay) if r["state"] == "dropped"} == {"ann@victim.test has had as many reports today as it may"}


def test_the_recipients_limits_hold_for_reports(reporter, many, mailhost, dns, shim):
    """With the limit of all tenants for a recipient, of three at once."""
    inbox = mailhost(None, host="127.0.6.1")
    dns.mail("victim.test", "mx.victim.test=127.0.6.1")
    many(lambda i: "mailto:ann@victim.test", 6)
    relay = reporter('throttle = "enforce"\nlimit "recipient" { every = "20h"  burst = 3  per_day = 0  reserve = 0 }')
    deliver(relay, 6)
    next_day(shim)
    wait_for(lambda: sum("tls_report_deferred" in line for line in relay.log().splitlines()) >= 3, 90)
    wait_for(lambda: states(relay) == {"sent": 3, "counting": 3}, 60)
    assert len(inbox.messages) == 3 and all("limit" in r["why"] for r in listed(relay, "pending"))


def test_what_a_tenant_has_reported_uses_up_no_others_limit(reporter, many, mailhost, dns, shim):
    """A tenant writes to domains of its own that name somebody for their reports: whoever else writes to him has his own limit left."""
    inbox = mailhost(None, host="127.0.6.1")
    dns.mail("victim.test", "mx.victim.test=127.0.6.1")
    many(lambda i: "mailto:ann@victim.test", 6)
    relay = reporter('throttle = "enforce"\nlimit "tenant" { every = "20h"  burst = 3  per_day = 0  reserve = 0 }')
    relay.add_domain("eve.test", "--tenant", "eve")
    secret = relay.json("user", "add", "eve", "--domain", "eve.test", "--tenant", "eve")["secret"]
    with relay.client(user="eve", secret=secret) as client:
        for i in range(6):
            client.sendmail("x@eve.test", f"u@e{i}.evil.test", f"From: <x@eve.test>\r\nTo: <u@e{i}.evil.test>\r\nSubject: x\r\n\r\nx\r\n")
    wait_for(lambda: len(listed(relay)) == 6, 60)
    next_day(shim)
    wait_for(lambda: states(relay) == {"sent": 3, "counting": 3}, 90)
    for i in range(3):
        relay.wait_kind(relay.send(to="ann@victim.test", message=f"From: <hello@club.test>\r\nTo: <ann@victim.test>\r\nSubject: for Ann {i}\r\n\r\n{i}\r\n"), "delivered", 60)
    assert len(inbox.messages) == 6


def test_who_is_suppressed_is_no_place_and_the_next_one_has_it(reporter, hosts, shim):
    inbox = hosts("reports.test", rua=None)
    hosts("a.test", rua="mailto:ann@reports.test,mailto:tls@reports.test")
    hosts("b.test", rua="mailto:ann@reports.test")
    relay = reporter()
    relay.command("suppress", "add", "ann@reports.test", "--reason", "complaint")
    send_all(relay, "x@a.test", "x@b.test")
    wait_for(lambda: len(listed(relay)) == 2)
    next_day(shim)
    wait_for(lambda: states(relay) == {"sent": 1, "dropped": 1}, 90)
    assert [m.recipients for m in inbox.messages] == [["tls@reports.test"]]
    assert "complained" in next(r["why"] for r in listed(relay) if r["state"] == "dropped")


def due_ms(domain):
    """After the day's end, as each domain has a time of its own (tlsrpt_gather.c)."""
    number = 2166136261
    for byte in domain.encode():
        number = (number ^ byte) * 16777619 & 0xFFFFFFFF
    return 10 * 60 * 1000 + number % (230 * 60 * 1000)


def test_what_a_mailbox_refuses_is_refused_for_all_domains_of_that_day(reporter, hosts, shim):
    def answer(line, connection):
        return "550 5.1.1 nobody" if line.lower().startswith("rcpt to:<gone") else None

    names = sorted((f"d{i}.test" for i in range(50)), key=due_ms)
    refuses = hosts("reports.test", rua=None, answer=answer)
    hosts(names[0], rua="mailto:gone@reports.test,mailto:tls@reports.test")
    hosts(names[-1], rua="mailto:GONE@reports.test?subject=x")
    relay = reporter()
    send_all(relay, f"x@{names[0]}", f"x@{names[-1]}")
    wait_for(lambda: len(listed(relay)) == 2)
    now_ms = int(time.time() * 1000)
    shim.set(clock_ms=(now_ms // DAY_MS + 1) * DAY_MS + due_ms(names[0]) + 60000 - now_ms)
    wait_for(lambda: states(relay, names[0]) == {"sent": 1}, 90)
    next_day(shim)
    wait_for(lambda: settled(relay), 90)
    assert len([line for c in refuses.connections for line in c.lines if answer(line, c)]) == 1
    assert next(r["why"] for r in listed(relay) if r["state"] == "dropped") == "gone@reports.test has refused a report today"


def test_many_mailboxes_of_a_domain_that_refuses_them_are_not_all_tried(reporter, many, mailhost, dns, shim):
    refuses = mailhost(lambda line, connection: "550 5.1.1 nobody" if line.startswith("RCPT") else None, host="127.0.6.1")
    dns.mail("victim.test", "mx.victim.test=127.0.6.1")
    many(lambda i: ",".join(f"mailto:a{i}x{k}@victim.test" for k in range(10)))
    relay = reporter()
    deliver(relay)
    next_day(shim)
    wait_for(lambda: states(relay) == {"dropped": DOMAINS}, 120)
    rcpts = [line for c in refuses.connections for line in c.lines if line.startswith("RCPT")]
    assert len(rcpts) <= 50, len(rcpts)


def test_a_host_that_refuses_is_posted_to_a_few_times_and_by_one_address_in_a_round(reporter, many, collector, shim, tmp_path):
    victim = collector("victim.test", status=503)
    many(lambda i: ",".join(f"https://victim.test:{victim.port}/{i}/{k}" for k in range(10)))
    relay = trusting_environment(reporter(), tmp_path)
    deliver(relay)
    next_day(shim)
    wait_for(lambda: all("victim.test" in r["why"] or "status 503" in r["why"] for r in listed(relay)), 120)
    wait_for(lambda: sum(states(relay).values()) == DOMAINS and "dropped" in states(relay), 60)
    paths = [re.match(rb"POST /(\d+)/", head)[1] for head in victim.heads]
    assert len(paths) <= 25 and max(collections.Counter(paths).values()) == 1, len(paths)


def test_names_that_lead_to_somebodys_address_do_not_close_it_for_others(reporter, many, collector, dns, shim, tmp_path):
    """TLS fails there for the names of another organization: that is counted, and what is beyond the count waits."""
    victim = collector("victim.test")
    for i in range(60):
        dns.add(f"h{i}.evil.test", "A", "127.0.0.1")
    many(lambda i: f"https://victim.test:{victim.port}/good", 1, "good.test")
    relay = trusting_environment(reporter(), tmp_path)
    deliver(relay, 1, "good.test")
    next_day(shim)
    wait_for(lambda: states(relay, "good.test") == {"sent": 1}, 90)
    many(lambda i: f"https://h{i}.evil.test:{victim.port}/", 60)
    many(lambda i: f"https://victim.test:{victim.port}/later", 2, "later.test")
    deliver(relay, 60)
    deliver(relay, 2, "later.test")
    next_day(shim, 2)
    wait_for(lambda: states(relay, "later.test") == {"sent": 2}, 120)
    wait_for(lambda: all(r["why"] for r in listed(relay, "pending")), 120)
    assert states(relay, "evil.test") == {"counting": 60}
    assert any("too many posts to have failed today" in r["why"] for r in listed(relay, "pending"))
    assert len(victim.bodies) == 3


def test_retry_after_is_honoured_for_all_who_name_the_host(reporter, many, issue, dns, shim, tmp_path):
    class Busy(Collector):
        def take(self, client):
            with client, client.makefile("rwb") as stream:
                while (line := stream.readline()) not in (b"\r\n", b""):
                    self.heads.append(line)
                stream.write(b"HTTP/1.1 429 x\r\nRetry-After: 7200\r\nContent-Length: 0\r\n\r\n")

    victim = Busy(context_of(issue, "victim.test"))
    dns.add("victim.test", "A", "127.0.0.1")
    many(lambda i: f"https://victim.test:{victim.port}/{i}", 20)
    relay = trusting_environment(reporter(), tmp_path)
    deliver(relay, 20)
    next_day(shim)
    wait_for(lambda: sum("tls_report_deferred" in line for line in relay.log().splitlines()) >= 20, 90)
    assert sum(line.startswith(b"POST") for line in victim.heads) <= 8  # those that were under way when it said so
    assert any("asked to be left alone" in r["why"] for r in listed(relay))
    victim.stop()


def test_numbers_that_are_no_names_lead_nowhere(reporter, hosts, dns, shim, tmp_path):
    """DNS says where the name is, and curl would take the number for another address."""
    touched = []
    spy = socket.create_server(("127.0.0.1", 0))
    port = spy.getsockname()[1]

    def run():
        while True:
            try:
                touched.append(spy.accept())
            except OSError:
                return

    threading.Thread(target=run, daemon=True).start()
    numbers = ["0x7f000001", "0x7f.1", "2130706433", "127.1", "017700000001"]
    for i, number in enumerate(numbers):
        dns.add(number, "A", "127.0.0.99")
        hosts(f"n{i}.test", rua=f"https://{number}:{port}/x,mailto:tls@reports.test")
    inbox = hosts("reports.test", rua=None)
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, *[f"x@n{i}.test" for i in range(len(numbers))])
    wait_for(lambda: len(listed(relay)) == len(numbers))
    next_day(shim)
    wait_for(lambda: len(reports_of(inbox)) == len(numbers), 90)
    assert not touched and not [name for name, _ in dns.asked if name in numbers]
    spy.close()
