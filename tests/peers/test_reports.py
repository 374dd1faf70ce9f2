"""Reports on delivery: mail that we make ourselves, and that an application can make us send to whoever it may name as its sender.
One report a message, counted on who gets it; what is not sent is told by the trace."""

import email
import email.policy
import json
import os
import pathlib
import subprocess
import time

import pytest

from conftest import wait_for
from test_delivery import Script


@pytest.fixture
def server(delivery_port):
    """Refuses whoever is called a ghost, lets wait whoever is late; says nothing of reports."""
    said = {"ghost": "550 5.1.1 no such user", "late": "451 4.3.0 later"}
    script = Script(delivery_port, lambda line: next((a for w, a in said.items() if line.startswith("RCPT") and w in line), None))
    script.said = said
    yield script
    script.stop()


@pytest.fixture
def strict(relay_factory, dns, server, sink_factory):
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    for i in range(100):
        dns.mail(f"d{i}.test", "mx.dest.test=127.0.0.1")
    limits = "".join(f'limit "{name}" {{ every = 1  burst = 1000  per_day = 0 }}\n' for name in ("notification", "tenant", "domain", "recipient"))
    relay = relay_factory('throttle = "enforce"\n' + limits)
    relay.back = sink_factory(host="127.0.0.2", records=relay.records)
    return relay.start()


def blocks(raw):
    """(recipient, action) of a report's recipients."""
    status = email.message_from_bytes(raw).get_payload()[1].get_payload()
    return sorted((b["Final-Recipient"].split("; ")[1], b["Action"]) for b in status[1:])


def send(relay, to, notify=None, n=0):
    message = f"From: <hello@club.test>\r\nSubject: {n} {time.monotonic()}\r\n\r\nx\r\n"
    return relay.send(to=to, message=message, rcpt_options=[f"NOTIFY={notify}"] if notify else [])


def settled(relay, id, kind, count, timeout=60):
    wait_for(lambda: relay.kinds(id).count(kind) >= count, timeout, 0.2)


def keyless(relay_factory, dns, server, hostname="mail.club.test"):
    """A relay that cannot sign for shop.test any more, with a message of it that is about to expire."""
    relay = relay_factory('stream "brief" { class = "security"  retry = {2}  expires = 8 }\n')
    relay.config.write_text(relay.config.read_text().replace("mail.club.test", hostname))
    relay.start()
    server.said["late"] = "450 4.2.1 later"
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay.add_domain("shop.test")
    made = relay.json("user", "add", "shop", "--domain", "shop.test")
    dns.mail("shop.test", "mx.shop.test=127.0.0.2")
    with relay.client(user="shop", secret=made["secret"]) as client:
        client.sendmail("hello@shop.test", ["late@dest.test"],
                        "From: <hello@shop.test>\r\nSubject: x\r\nSealpost-Stream: brief\r\n\r\nx\r\n")
    wait_for(lambda: any(row["tries"] for row in relay.queue()))
    relay.command("domain", "remove", "shop.test")
    return relay


def told_of_key(relay, what="mail"):
    return [row["about"] for row in relay.json("audit", "tail") if row["what"] == "key" and row["about"].startswith(f"{what} of shop.test: ")]


def test_a_report_is_signed_by_the_relay_when_its_domain_has_no_key_any_more(relay_factory, dns, server, sink_factory):
    """The kind: a report that waits for a key which nobody has, until it is over, while nobody knows."""
    relay = keyless(relay_factory, dns, server)
    back = sink_factory(host="127.0.0.2", records=relay.records)
    wait_for(lambda: told_of_key(relay), 8)
    about, raw = back.wait(1, 40)[0]
    report = email.message_from_bytes(raw)
    assert report["From"].endswith("<mailer-daemon@club.test>") and about["dkim"] == "pass" and about["to"] == ["hello@shop.test"]
    assert "d=club.test" in report["DKIM-Signature"] and blocks(raw) == [("late@dest.test", "failed")]
    assert "sealpost domain add shop.test" in told_of_key(relay)[0]
    assert "hostname" not in relay.command("config", "check")


def test_a_report_that_nobody_can_sign_waits_and_the_operator_is_told(relay_factory, dns, server, sink_factory):
    relay = keyless(relay_factory, dns, server, "mail.elsewhere.test")
    back = sink_factory(host="127.0.0.2", records=relay.records)
    said = wait_for(lambda: told_of_key(relay, "report on mail"), 40)
    assert "sealpost domain add shop.test" in said[0], said
    assert back.messages() == [] and [m["sender"] for m in relay.queue()] == [""]
    note = relay.command("config", "check")
    assert "note: " in note and "mail.elsewhere.test" in note and "domain add" in note
    relay.add_domain("shop.test")
    relay.command("queue", "retry", "--all")
    assert b"d=shop.test" in back.wait(1, 30)[0][1]  # the sink knows the old key only


def test_a_message_to_a_hundred_is_reported_once(strict):
    """Three messages, each to a hundred recipients in as many domains, whose success is to be told to a colleague."""
    everybody = [f"u@d{i}.test" for i in range(100)]
    ids = [send(strict, everybody, "SUCCESS", n) for n in range(3)]
    for id in ids:
        settled(strict, id, "delivered", 100)
    reports = strict.back.wait(3, 40)
    time.sleep(1)
    assert len(strict.back.messages()) == 3
    for _, raw in reports:
        assert blocks(raw) == sorted((to, "relayed") for to in everybody)


SAID = {"ghost": ("550 5.1.1 no such user", "userunknown", "There is no such mailbox."),
        "full": ("552 5.2.2 mailbox is full", "mailboxfull", "That mailbox is full."),
        "huge": ("552 5.3.4 message size exceeds fixed limit", "mesgtoobig", "The message is too large"),
        "odd": ("550 no", "", "")}


def by_sisimai(raw, path):
    """What a program reads that knows the reports of sixty systems: (recipient, reason, Message-ID) of each."""
    (path / "report.eml").write_bytes(raw)
    script = 'use Sisimai; my $d = (Sisimai->can("rise") || Sisimai->can("make"))->("Sisimai", $ARGV[0]) || []; printf("%s %s %s\\n", $_->recipient->address, $_->reason, $_->messageid) for @$d;'
    done = subprocess.run(["perl", "-e", script, path / "report.eml"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return sorted(tuple(line.split()) for line in done.stdout.splitlines())


def by_mailparser(raw):
    """What a mail program in a browser shows: subject and text."""
    modules = pathlib.Path(os.environ.get("NODE_MODULES", "node_modules"))
    if not (modules / "mailparser").exists():
        if os.environ.get("CI"):
            pytest.fail("mailparser is missing: npm install in tests/peers")
        pytest.skip("mailparser is not installed")
    script = 'require("mailparser").simpleParser(require("fs").readFileSync(0)).then(m => console.log(JSON.stringify([m.subject, m.text])))'
    done = subprocess.run(["node", "-e", script], input=raw, capture_output=True, timeout=60, env={**os.environ, "NODE_PATH": str(modules)})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_people_and_programs_read_the_same(strict, server, tmp_path):
    """Of messages without Date and Message-ID: plain words, what was said, the machine's part, and the original as it left. Read by
    Python's email, mailparser (as mail programs in browsers show it) and Sisimai."""
    server.said.update({word: answer for word, (answer, _, _) in SAID.items()})
    to = [f"{word}@d{n}.test" for n, word in enumerate(SAID)]
    id = strict.send(to=to, message="From: <hello@club.test>\r\nSubject: =?utf-8?q?K=C3=BCche?=\r\n\r\nx\r\n")
    settled(strict, id, "bounced", len(to))
    _, raw = strict.back.wait(1)[0]
    report = email.message_from_bytes(raw, policy=email.policy.default)
    words, status, original = report.get_payload()
    text = words.get_content()
    for address, (answer, reason, plain) in zip(to, SAID.values()):
        about = text.split(f"<{address}>")[1].split("<")[0]
        assert about.index(plain) < about.index(answer[:3]) and answer[10:] in about
    copy = email.message_from_string(original.get_payload(), policy=email.policy.default)
    assert copy["Message-ID"] == f"<{id}@mail.club.test>" and copy["Date"] and copy["Subject"] == "Küche"
    found = by_sisimai(raw, tmp_path)
    assert [(address, reason) for address, reason, _ in found if reason in dict.fromkeys(r for _, r, _ in SAID.values())] == sorted(
        (address, reason) for address, (_, reason, _) in zip(to, SAID.values()) if reason)
    assert len(found) == len(to) and {name for _, _, name in found} == {f"{id}@mail.club.test"}
    subject, shown = by_mailparser(raw)
    assert subject.startswith("Not delivered: your message to ") and shown.startswith("This is the mail system at mail.club.test.")
    assert all(f"<{address}>" in shown for address in to)


def test_a_sender_is_told_once_that_a_message_is_late(relay_factory, dns, server, sink_factory):
    """Who has asked for it, when its class's time is over; by the stream's setting also who has asked for nothing; never who forbids it."""
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    dns.mail("d1.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('stream "told" { delay_notice = 1  retry = {1}  expires = 300 }\nstream "asked" { retry = {1}  expires = 4 }\n'
                          'stream "slow" { retry = {1} }\n')
    relay.back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()

    def waits(stream, notify=None):
        message = f"From: <hello@club.test>\r\nSubject: {stream}\r\nSealpost-Stream: {stream}\r\n\r\nx\r\n"
        return relay.send(to="late@d1.test", message=message, rcpt_options=[f"NOTIFY={notify}"] if notify else [])

    told, forbids, asked, slow = waits("told"), waits("told", "NEVER"), waits("asked", "DELAY"), waits("slow", "DELAY")
    for id in (told, forbids, slow):
        settled(relay, id, "deferred", 4)
    reports = relay.back.wait(2, 40)
    assert len(relay.back.messages()) == 2
    about = {}
    for _, raw in reports:
        report = email.message_from_bytes(raw)
        assert report["Subject"].startswith("Delayed: ") and blocks(raw) == [("late@d1.test", "delayed")]
        about[report.get_payload()[1].get_payload()[0]["X-Sealpost-ID"]] = report.get_payload()[0].get_payload()
    assert set(about) == {told, asked}
    assert "has not been delivered yet. It is tried again until" in about[told] and "nothing to do" in about[told]


def test_failures_and_successes_are_one_report(strict):
    to = [f"ghost@d{i}.test" for i in range(30)] + ["u@d1.test", "v@d2.test"]
    id = send(strict, to, "SUCCESS,FAILURE")
    settled(strict, id, "bounced", 30)
    settled(strict, id, "delivered", 2)
    _, raw = strict.back.wait(1)[0]
    assert blocks(raw) == sorted((a, "failed" if "ghost" in a else "relayed") for a in to)
    report = email.message_from_bytes(raw)
    assert report["Subject"].startswith("Not delivered: your message to ") and report["Subject"].endswith(" and others")
    text = report.get_payload()[0].get_payload()
    assert text.index("could not be delivered") < text.index("was passed on") and "<u@d1.test>" in text
    time.sleep(0.5)
    assert len(strict.back.messages()) == 1 and strict.queue() == []


@pytest.mark.parametrize("notify,to,action", [("SUCCESS", "u@d1.test", "relayed"), (None, "ghost@d1.test", "failed")])
def test_a_hundred_messages_are_counted_on_who_is_told(strict, notify, to, action):
    """The rest is dropped, or waits, and each trace says so. Nobody's password reset is spent by it."""
    ids = [send(strict, to if action == "relayed" else f"ghost{n}@d1.test", notify, n) for n in range(50)]
    for id in ids:
        strict.wait_kind(id, "delivered" if action == "relayed" else "bounced")
    events = wait_for(lambda: len(e := [e for e in strict.json("events", "--after", "0", "--limit", "1000")
                                        if e["kind"] in ("report_dropped", "paced")]) >= 30 and e, 30)
    burst = {"relayed": 10, "failed": 20}[action]  # a part is kept for failures
    strict.back.wait(burst)
    time.sleep(0.5)
    assert burst <= len(strict.back.messages()) <= burst + 1
    if action == "relayed":
        assert len(events) == 40 and {e["recipient"] for e in events} == {"hello@club.test"}
        dropped = next(id for id in ids if "report_dropped" in strict.kinds(id))
        said = next(e["reply"] for e in strict.trace(dropped) if e["kind"] == "report_dropped")
        assert said.startswith('report on 1 recipient not sent: limit "report" (20 at once, then 1 per 60 s), one would conform in ')
    else:
        assert {e["kind"] for e in events} == {"paced"} and len(strict.queue()) == 30
    reset = {row["key"]: row for row in strict.json("quota", "show", "hello@club.test")["keys"] if row["class"] != "security"}
    assert reset["recipient"]["left"] >= 900  # mail to that mailbox is counted for itself


def test_a_failure_is_told_while_others_still_wait(strict):
    """Within half a minute; what comes to its end later is told then."""
    id = send(strict, ["ghost@d1.test", "late@d2.test", "u@d3.test"], "SUCCESS,FAILURE")
    settled(strict, id, "bounced", 1)
    settled(strict, id, "deferred", 1)
    time.sleep(1)
    assert strict.back.messages() == []
    first = strict.back.wait(1, 50)
    assert blocks(first[0][1]) == [("ghost@d1.test", "failed")]
    strict.stop()
    strict.start()
    strict.command("queue", "delete", "--recipient", "late@d2.test")
    both = strict.back.wait(2)
    assert blocks(both[1][1]) == [("u@d3.test", "relayed")]


def test_a_report_survives_a_kill(strict):
    """It is owed until it is accepted."""
    ids = []
    for n in range(8):
        ids.append(send(strict, [f"ghost{n}@d{n}.test", f"u{n}@d{n + 1}.test"], "SUCCESS,FAILURE", n))
        time.sleep(0.05 * n)
        strict.kill()
        strict.start()
    for id in ids:
        settled(strict, id, "bounced", 1)
        settled(strict, id, "delivered", 1)
    told = wait_for(lambda: len(m := strict.back.messages()) >= 8 and m, 90, 0.5)
    assert {a for _, raw in told for a, action in blocks(raw) if action == "failed"} == {f"ghost{n}@d{n}.test" for n in range(8)}


def test_a_report_that_is_made_while_the_relay_stops_comes_at_the_next_start(strict):
    """Nobody takes mail out of the store any more; it ends as it should."""
    for n in range(6):
        id = send(strict, f"ghost{n}@d{n}.test", None, n)
        time.sleep(0.004 * n)
        strict.stop()
        strict.start()
        strict.wait_kind(id, "bounced")
    assert len(strict.back.wait(6, 40)) == 6


def test_limits_can_be_set_and_off_means_off(relay_factory, dns, server, sink_factory):
    dns.mail("club.test", "mx.club.test=127.0.0.2")
    dns.mail("d1.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('throttle = "enforce"\nlimit "report" { every = 3600  burst = 2  reserve = 0  hold = 0 }\n')
    relay.back = sink_factory(host="127.0.0.2", records=relay.records)
    relay.start()
    ids = [send(relay, f"ghost{n}@d1.test", None, n) for n in range(4)]
    for id in ids:
        relay.wait_kind(id, "bounced")
    wait_for(lambda: sum("report_dropped" in relay.kinds(id) for id in ids) == 2)
    assert len(relay.back.wait(2)) == 2
    relay.config.write_text(relay.config.read_text().replace('throttle = "enforce"', 'throttle = "off"'))
    relay.reload()
    relay.wait_kind(send(relay, "ghost9@d1.test"), "bounced")
    assert len(relay.back.wait(3)) == 3


def test_a_clock_that_is_set_back_holds_up_no_report(strict, shim):
    """Somebody of the message still waits, so that the report is due in half a minute - by the clock as it is then."""
    strict.stop()
    strict.environment = shim.environment
    strict.start()
    id = send(strict, ["ghost@d1.test", "late@d2.test"])
    settled(strict, id, "bounced", 1)
    shim.set(clock_ms=-86400 * 1000)
    _, raw = strict.back.wait(1, 45)[0]
    assert blocks(raw) == [("ghost@d1.test", "failed")]
