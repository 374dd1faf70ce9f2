"""TLS reports that the relay sends (RFC 8460): sessions of one day arrive as one report on the next, by mail or https, exactly once.

The kind of fault: a report that lies (counts twice, or on the wrong day, or about itself), that comes twice or never after a crash, or
that leads us where no mail may go. The clock is that of the shim of the crash tests: a day passes at once.
"""

import base64
import email
import email.policy
import gzip
import importlib.util
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import threading
import time
import types
from unittest import mock

import dkim
import jsonschema
import pytest

from conftest import SEALPOST, wait_for
from mailhost import authority
from test_dane import WRONG, World
from test_sts_dane import add_policy
from test_tlsrpt import SCHEMA, by_ajv
from zones import own_addresses

DAY_MS = 86400 * 1000
TELLS = 'tlsrpt { contact = "tls@club.test"  organization = "The Club" }'
CHECKED = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))


def context_of(issue, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue(name))
    return context


@pytest.fixture
def hosts(dns, mailhost, issue):
    """Domains with a host each: with TLS, without, or with one whose handshake fails; and where reports about them go."""
    made = {}

    def make(domain, kind="tls", rua="mailto:tls@reports.test", answer=None):
        ip = f"127.0.1.{len(made) + 1}"
        context = {"tls": lambda: context_of(issue, f"mx.{domain}"), "clear": lambda: None,
                   "broken": lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}[kind]()
        dns.mail(domain, f"mx.{domain}={ip}")
        if rua:
            dns.add(f"_smtp._tls.{domain}", "TXT", f"v=TLSRPTv1; rua={rua}")
        made[domain] = mailhost(answer, host=ip, context=context)
        return made[domain]

    return make


@pytest.fixture
def reporter(relay_factory, shim):
    def make(extra="", settings=TELLS, **options):
        relay = relay_factory(f"{settings}\n{extra}", **options)
        relay.environment = dict(shim.environment)
        relay.start()
        return relay

    return make


def listed(relay, command="list"):
    return relay.look("tlsrpt", command)


def send_all(relay, *recipients):
    """Each one is settled before the next is sent, on a connection of its own."""
    ids = [relay.send(r) for r in recipients]
    for id in ids:
        wait_for(lambda: any(e["kind"] in ("delivered", "bounced", "deferred") for e in relay.trace(id)), 60, 0.1)
    return ids


def next_day(shim, days=1):
    """To the time when all reports of the day before are due, whatever the time is now."""
    now_ms = int(time.time() * 1000)
    shim.set(clock_ms=(now_ms // DAY_MS + days) * DAY_MS + 5 * 3600 * 1000 - now_ms)


def reports_of(*servers):
    """Messages with a report, of all these hosts."""
    return [m for server in servers for m in server.messages if b"report-type=\"tlsrpt\"" in m.data]


def opened(message, relay=None):
    """The report in a message, after all that RFC 8460 asks of the message is seen to hold."""
    parsed = email.message_from_bytes(bytes(message.data), policy=email.policy.default)
    assert parsed["TLS-Required"] == "No" and parsed.get_content_type() == "multipart/report"
    text, packed = parsed.iter_parts()
    assert text.get_content_type() == "text/plain" and packed.get_content_type() == "application/tlsrpt+gzip"
    report = json.loads(gzip.decompress(packed.get_payload(decode=True)))
    CHECKED.validate(report)
    domain, submitter = parsed["TLS-Report-Domain"], parsed["TLS-Report-Submitter"]
    assert submitter == "club.test" and str(parsed["From"]).strip("<>") == "tls@club.test"
    assert " ".join(parsed["Subject"].split()) == f"Report Domain: {domain} Submitter: {submitter} Report-ID: <{report['report-id']}>"
    begin = report["date-range"]["start-datetime"]
    assert report["report-id"] == f"{begin[:10]}.{domain}@{submitter}"
    assert re.fullmatch(rf"club\.test!{re.escape(domain)}!\d+!\d+\.json\.gz", packed.get_filename())
    if relay:
        signed_s = int(re.search(rb"\bt=(\d+)", message.data)[1])  # by the clock of the shim, which may be a day ahead
        with mock.patch.object(dkim, "time", types.SimpleNamespace(time=lambda: signed_s)):
            keys = relay.dns.zone
            assert dkim.verify(bytes(message.data)[:-3], dnsfunc=lambda name, **_: keys.get((name.decode().rstrip("."), "TXT"), [""])[0].encode())
        assert b" l=" not in message.data.split(b"\r\n\r\n")[0]
    return domain, report


def sums(report):
    """{(policy type, result): sessions}"""
    found = {}
    for policy in report["policies"]:
        kind, summary = policy["policy"]["policy-type"], policy["summary"]
        found[kind, "ok"] = summary["total-successful-session-count"]
        failures = policy.get("failure-details", [])
        assert sum(f["failed-session-count"] for f in failures) == summary["total-failure-session-count"]
        for f in failures:
            found[kind, f["result-type"]] = found.get((kind, f["result-type"]), 0) + f["failed-session-count"]
    return {key: count for key, count in found.items() if count}


# ---- read by others: no parser made for these reports is in Debian or in npm's registry ----


def by_node(messages):
    """The message by mailparser, what is in it by Node.js, and its form by ajv."""
    modules = os.environ.get("NODE_MODULES", "node_modules")
    if not (pathlib.Path(modules) / "mailparser").exists():
        if os.environ.get("CI"):
            pytest.fail("mailparser is missing: npm install in tests/peers")
        pytest.skip("mailparser is not installed")
    done = subprocess.run(["node", pathlib.Path(__file__).with_name("read_reports.js")], text=True, capture_output=True, timeout=60,
                          input=json.dumps([base64.b64encode(m).decode() for m in messages]), env={**os.environ, "NODE_PATH": modules})
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert by_ajv([one["report"] for one in read]) == [[]] * len(read)
    return {one["domain"]: sums(one["report"]) for one in read}


def by_parsedmarc(messages):
    """From PyPI: what shows most reports to their readers."""
    import parsedmarc

    found = {}
    for message in messages:
        parsed = parsedmarc.parse_report_email(message, offline=True)
        assert parsed["report_type"] == "smtp_tls"
        report = parsed["report"]
        domain = report["report_id"].split("@")[0][11:]
        counts = [((p["policy_type"], "ok"), p["successful_session_count"]) for p in report["policies"]]
        counts += [((p["policy_type"], f["result_type"]), f["failed_session_count"])
                   for p in report["policies"] for f in p.get("failure_details", [])]
        found[domain] = {key: count for key, count in counts if count}
    return found


WITHOUT_PARSEDMARC = pytest.mark.skipif(importlib.util.find_spec("parsedmarc") is None,
                                        reason="parsedmarc is not installed: neither Debian nor npm has it")


@pytest.mark.parametrize("reader", [by_node, pytest.param(by_parsedmarc, marks=WITHOUT_PARSEDMARC)])
def test_others_read_in_them_what_was_counted(tmp_path, delivery_port, mailhost, relay_factory, shim, reader):
    """Of a domain without a policy, of two by DANE, and of one by MTA-STS."""
    world = World(tmp_path, delivery_port, mailhost)
    address = own_addresses(30)[29]
    policy = None
    try:
        records_of = {"plain.test": [], "fits.test": [(3, 1, 1), (3, 0, 2)], "wrong.test": [WRONG], "sts.test": []}
        for name, records in records_of.items():
            world.zone(name, "secure" if records else "insecure")
            world.host(f"mx.{name}", names=["elsewhere.test"] if name == "sts.test" else None)
            world.mx(name, f"mx.{name}")
            if records:
                world.tlsa(f"mx.{name}", *records)
            world.tree.add(f"_smtp._tls.{name}", "TXT", "v=TLSRPTv1; rua=mailto:tls@inbox.test")
        policy = add_policy(world, address, "sts.test", "enforce", True)
        world.zone("inbox.test")
        world.host("mx.inbox.test", tls=False)
        world.mx("inbox.test", "mx.inbox.test")
        relay = relay_factory(TELLS, dns=world.tree)
        relay.environment = {**shim.environment, "SSL_CERT_FILE": str(world.ca)}
        world.tree.start()
        relay.start()
        send_all(relay, *[f"a@{name}" for name in records_of])
        wait_for(lambda: len(listed(relay)) == 4)
        next_day(shim)
        inbox = world.hosts["mx.inbox.test"]
        wait_for(lambda: len(reports_of(inbox)) == 4, 90)
        messages = [bytes(m.data)[:-3] for m in reports_of(inbox)]
        wanted = {domain: sums(report) for domain, report in map(opened, reports_of(inbox))}
        assert wanted["plain.test"] == {("no-policy-found", "ok"): 1} and wanted["fits.test"] == {("tlsa", "ok"): 1}
        assert set(wanted["wrong.test"]) == {("tlsa", "validation-failure")}
        assert set(wanted["sts.test"]) == {("sts", "certificate-host-mismatch")}
        assert reader(messages) == wanted
    finally:
        world.tree.stop()
        if policy:
            policy.stop()


@pytest.mark.memory
def test_a_day_of_sessions_is_one_signed_report_for_each_domain_that_asks(reporter, hosts, shim, tmp_path):
    good, clear, broken, nobody = hosts("good.test"), hosts("clear.test", "clear"), hosts("broken.test", "broken"), hosts("nobody.test", rua=None)
    inbox = hosts("reports.test", rua="mailto:tls@reports.test")
    relay = reporter()
    send_all(relay, "a@good.test", "b@clear.test", "c@broken.test", "d@nobody.test")
    wait_for(lambda: {r["domain"] for r in listed(relay)} == {"good.test", "clear.test", "broken.test"}, 30)
    assert all(r["state"] == "counting" and r["tenant"] == "default" for r in listed(relay))
    assert not reports_of(inbox)
    next_day(shim)
    wait_for(lambda: len(reports_of(inbox)) == 3, 90)
    got = dict(opened(m, relay) for m in reports_of(inbox))
    assert sums(got["good.test"]) == {("no-policy-found", "ok"): 1}
    assert sums(got["clear.test"]) == {("no-policy-found", "starttls-not-supported"): 1}
    assert sums(got["broken.test"]) == {("no-policy-found", "validation-failure"): 1}
    details = got["clear.test"]["policies"][0]["failure-details"][0]
    assert details["sending-mta-ip"] == "192.0.2.10" and details["receiving-mx-hostname"] == "mx.clear.test" and details["receiving-ip"] == "127.0.1.2"
    assert [got[d]["policies"][0]["failure-details"][0]["receiving-mx-helo"] for d in ("clear.test", "broken.test")] == ["mailhost"] * 2
    assert got["good.test"]["organization-name"] == "The Club" and got["good.test"]["contact-info"] == "tls@club.test"
    if os.environ.get("CI") or pathlib.Path(os.environ.get("NODE_MODULES", "node_modules"), "ajv").exists():
        assert by_ajv(list(got.values())) == [[], [], []]
    wait_for(lambda: all(r["state"] == "sent" for r in listed(relay)), 30)
    assert not listed(relay, "pending")  # the reports' own sessions are in none, though reports.test asks for reports
    (tmp_path / "one.eml").write_bytes(bytes(reports_of(inbox)[0].data))
    shown = json.loads(subprocess.run([SEALPOST, "--json", "tlsrpt", "show", tmp_path / "one.eml"], capture_output=True, check=True).stdout)
    assert shown[0]["warnings"] == []


def test_a_connection_counts_once_and_mail_that_is_not_delivered_counts_too(reporter, hosts, shim, relay_factory):
    good = hosts("good.test", answer=lambda line, connection: "550 5.1.1 nobody" if line.startswith("RCPT TO:<none") else None)
    inbox = hosts("reports.test", rua=None)
    relay = reporter()
    with relay.client() as client:
        for i in range(6):
            client.sendmail("hello@club.test", f"{'none' if i == 2 else 'bob'}@good.test", f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nx\r\n")
    wait_for(lambda: len(good.messages) == 5 and not relay.queue(), 60)
    sessions = sum(1 for c in good.connections if c.tls)
    wait_for(lambda: listed(relay) and listed(relay)[0]["successful"] == sessions, 30)
    next_day(shim)
    wait_for(lambda: reports_of(inbox), 60)
    assert sums(opened(reports_of(inbox)[0])[1]) == {("no-policy-found", "ok"): sessions}


def test_each_day_has_a_report_of_its_own_and_old_ones_are_dropped(reporter, hosts, shim):
    """The day's end is in UTC. What was missed while the relay was down goes out for two days, and not for more."""
    hosts("good.test")
    inbox = hosts("reports.test", rua=None)
    now_ms = int(time.time() * 1000)
    midnight = (now_ms // DAY_MS + 1) * DAY_MS
    shim.set(clock_ms=midnight - 60 * 60 * 1000 - now_ms)
    relay = reporter()
    send_all(relay, "a@good.test")
    wait_for(lambda: sum(r["successful"] for r in listed(relay)) == 1)
    time.sleep(0.1)
    relay.stop()
    shim.set(clock_ms=midnight + 1000 - int(time.time() * 1000))
    relay.start()
    send_all(relay, "b@good.test")
    wait_for(lambda: len(listed(relay)) == 2)
    first, second = listed(relay)
    assert (first["successful"], second["successful"]) == (1, 1) and first["day"] != second["day"]
    assert not reports_of(inbox)
    relay.stop()
    shim.set(clock_ms=midnight + 2 * DAY_MS + 5 * 3600 * 1000 - int(time.time() * 1000))  # the first day is too old by then
    relay.start()
    wait_for(lambda: reports_of(inbox), 60)
    wait_for(lambda: {r["state"] for r in listed(relay)} == {"dropped", "sent"}, 30)
    assert opened(reports_of(inbox)[0])[1]["date-range"]["start-datetime"].startswith(second["day"])
    assert "tls_report_dropped" in relay.log() and len(reports_of(inbox)) == 1


POINTS = [(point, action, hit) for point in (2, 3, 6, 7) for action in (1, 2) for hit in (1, 3)]


@pytest.mark.parametrize("point, action, hit", POINTS[::3] + [(6, 5, 2)])
def test_killed_in_the_roll_up_each_report_comes_exactly_once(reporter, hosts, shim, point, action, hit):
    """Before and after writes and syncs of mail (2, 3) and of the database's log (6, 7)."""
    for domain in ("a.test", "b.test"):
        hosts(domain)
    inbox = hosts("reports.test", rua=None)
    relay = reporter()
    send_all(relay, "x@a.test", "x@b.test")
    wait_for(lambda: len(listed(relay)) == 2)
    shim.set(pid=relay.process.pid, action=action, countdown=hit)
    next_day(shim)
    shim.set(point=point)
    wait_for(lambda: relay.process.poll() is not None or len(reports_of(inbox)) == 2, 60)
    shim.set(point=0)
    if relay.process.poll() is not None:
        relay.kill()
        relay.start()
    wait_for(lambda: {r["state"] for r in listed(relay)} == {"sent"}, 90, 0.2)
    ids = [opened(m)[1]["report-id"] for m in reports_of(inbox)]
    assert {id.split("@")[0][11:] for id in ids} == {"a.test", "b.test"}
    # As any mail one may be delivered again when the relay is killed behind its 250; it is queued once.
    assert len(relay.look("events", "--kind", "accepted", "--recipient", "tls@reports.test")) == 2


class Collector:
    """Takes reports by https: the bodies, and the status that it answers with."""

    def __init__(self, context, status=204):
        self.context, self.status, self.bodies, self.heads = context, status, [], []
        self.silent = threading.Event()  # it takes the report, and does not answer
        self.taken = lambda: None  # called when it has a report, before it answers
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            self.take(self.context.wrap_socket(client, server_side=True))
        except OSError:
            pass

    def take(self, client):
        with client, client.makefile("rwb") as stream:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += stream.readline()
            self.bodies.append(stream.read(int(re.search(rb"(?i)content-length: (\d+)", head)[1])))
            self.heads.append(head)
            self.taken()
            if self.silent.is_set():
                stream.read()
                return
            stream.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % self.status)

    def stop(self):
        self.socket.close()


@pytest.fixture
def collector(issue, dns, tmp_path):
    made = []

    def make(host="collect.test", **options):
        dns.add(host, "A", "127.0.0.1")
        made.append(Collector(context_of(issue, host), **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def trusting_environment(relay, tmp_path):
    relay.stop()
    relay.environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    return relay.start()


def test_by_https_and_by_the_next_place_when_one_refuses(reporter, hosts, collector, shim, tmp_path):
    takes, refuses = collector(), collector("refuse.test", status=500)
    hosts("a.test", rua=f"https://collect.test:{takes.port}/v1/report?d=a")
    hosts("b.test", rua=f"https://refuse.test:{refuses.port}/,mailto:tls@reports.test")
    inbox = hosts("reports.test", rua=None)
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, "x@a.test", "x@b.test")
    wait_for(lambda: len(listed(relay)) == 2)
    next_day(shim)
    wait_for(lambda: takes.bodies and reports_of(inbox), 60)
    report = json.loads(gzip.decompress(takes.bodies[0]))
    CHECKED.validate(report)
    assert takes.heads[0].startswith(b"POST /v1/report?d=a HTTP/1.1\r\n") and b"Content-Type: application/tlsrpt+gzip" in takes.heads[0]
    assert sums(report) == {("no-policy-found", "ok"): 1} and len(refuses.bodies) == 1
    assert opened(reports_of(inbox)[0])[0] == "b.test"
    wait_for(lambda: {r["state"] for r in listed(relay)} == {"sent"}, 30)
    assert {r["domain"]: r["to"].split(":")[0] for r in listed(relay)} == {"a.test": "https", "b.test": "mailto"}
    assert len(takes.bodies) == 1


@pytest.mark.memory
def test_a_place_that_hangs_holds_up_neither_the_end_nor_the_next_start(reporter, hosts, collector, shim, tmp_path):
    place = collector()
    place.silent.set()
    hosts("a.test", rua=f"https://collect.test:{place.port}/")
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, "x@a.test")
    wait_for(lambda: len(listed(relay)) == 1)
    next_day(shim)
    wait_for(lambda: place.heads, 60)
    relay.stop()
    place.silent.clear()
    relay.start()
    wait_for(lambda: listed(relay)[0]["state"] == "sent", 60)
    first, second = [json.loads(gzip.decompress(body)) for body in place.bodies]
    assert first == second  # the same report under the same id


LOG_WRITE, LOG_SYNC, KILL_BEFORE, KILL_AFTER = 6, 7, 1, 2
UNANSWERED = None


@pytest.mark.parametrize("point, action, times", [(UNANSWERED, None, {2}), (LOG_WRITE, KILL_BEFORE, {2}), (LOG_SYNC, KILL_AFTER, {1, 2})])
def test_killed_around_a_post_it_comes_again_as_it_was(reporter, hosts, collector, shim, tmp_path, point, action, times):
    """What dns.md promises: by https a report may come twice after a crash, with the same report-id. Nobody can know whether a post whose
    2xx was not written down has arrived; who gets both knows by the id, and finds the same bytes. Killed when the place has it and has not
    answered, or, after the 2xx, at the writes and syncs of the mark."""
    takes = collector()
    hosts("a.test", rua=f"https://collect.test:{takes.port}/")
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, "x@a.test", "y@a.test")
    wait_for(lambda: len(listed(relay)) == 1)
    process, armed = relay.process, threading.Event()

    def kill():
        if armed.is_set():
            return
        armed.set()
        if point is UNANSWERED:
            process.kill()
        else:
            shim.set(action=action, countdown=1, point=point)

    takes.taken = kill
    shim.set(pid=process.pid)
    next_day(shim)
    wait_for(lambda: process.poll() is not None, 60)
    shim.set(point=0)
    relay.kill()
    relay.start()
    wait_for(lambda: listed(relay)[0]["state"] == "sent", 60)
    relay.stop()
    relay.start()
    wait_for(lambda: len(takes.bodies) in times, 30)
    assert listed(relay)[0]["state"] == "sent" and listed(relay)[0]["to"].startswith("https:")
    assert len(takes.bodies) in times and len({*takes.bodies}) == 1 and len({*takes.heads}) == 1, [len(b) for b in takes.bodies]
    report = json.loads(gzip.decompress(takes.bodies[0]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d\.a\.test@club\.test", report["report-id"])


def test_a_report_never_goes_where_no_mail_may(reporter, hosts, collector, shim, tmp_path):
    """A record that leads to the relay's own machine or network is nowhere."""
    inside = collector("inside.test")
    hosts("a.test", rua=f"https://inside.test:{inside.port}/")
    hosts("b.test", rua=",".join(f"https://127.0.0.{i}:{inside.port}/" for i in (1, 2, 3)))
    relay = trusting_environment(reporter(), tmp_path)
    send_all(relay, "x@a.test", "x@b.test")
    wait_for(lambda: len(listed(relay)) == 2)
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace('private_networks = {"127.0.0.0/8", "::1"}', "private_networks = {}"))
    next_day(shim)
    relay.start()
    wait_for(lambda: sum("tls_report_deferred" in line for line in relay.log().splitlines()) >= 2, 60)
    assert all("not a public one" in r["why"] for r in listed(relay, "pending"))
    assert sum("tls_report_refused" in line for line in relay.log().splitlines()) == 2  # once for all places of a record
    assert not inside.bodies


def test_it_arrives_although_tls_is_what_fails_and_comes_back_quietly(reporter, hosts, shim):
    hosts("good.test", rua="mailto:gone@broken.test,mailto:tls@broken.test")
    broken = hosts("broken.test", "broken", answer=lambda line, connection: "550 5.1.1 nobody" if line.startswith("RCPT TO:<gone") else None)
    relay = reporter()
    send_all(relay, "x@good.test")
    wait_for(lambda: len(listed(relay)) == 1)
    next_day(shim)
    wait_for(lambda: reports_of(broken), 90)
    assert opened(reports_of(broken)[0], relay)[0] == "good.test"
    wait_for(lambda: listed(relay)[0]["state"] == "sent", 30)
    assert [r["domain"] for r in listed(relay)] == ["good.test"]  # broken.test's own sessions were with reports only
    assert len(broken.messages) == 1 and not relay.queue()  # nobody is told that the first one came back


def test_what_brings_a_report_is_reported_to_nobody(reporter, hosts, shim):
    """Two domains that have their reports sent to each other: each report would be another's reason, for ever."""
    hosts("a.test", rua="mailto:tls@b.test")
    inbox = hosts("b.test", rua="mailto:tls@a.test")
    relay = reporter()
    send_all(relay, "x@a.test")
    wait_for(lambda: len(listed(relay)) == 1)
    next_day(shim)
    wait_for(lambda: inbox.messages, 90)
    wait_for(lambda: [e for e in relay.json("events", "--kind", "delivered") if e["recipient"] == "tls@b.test"], 60)
    assert [(r["domain"], r["state"]) for r in listed(relay)] == [("a.test", "sent")]


def test_what_dane_says_is_told_by_its_own_words(tmp_path, delivery_port, mailhost, relay_factory, shim):
    world = World(tmp_path, delivery_port, mailhost)
    try:
        for name, records in (("fits.test", [(3, 1, 1)]), ("wrong.test", ["3 1 1 " + "ab" * 32])):
            world.zone(name)
            world.host(f"mx.{name}")
            world.mx(name, f"mx.{name}")
            world.tlsa(f"mx.{name}", *records)
            world.tree.add(f"_smtp._tls.{name}", "TXT", "v=TLSRPTv1; rua=mailto:tls@inbox.test")
        world.zone("inbox.test")
        world.host("mx.inbox.test", tls=False)
        world.mx("inbox.test", "mx.inbox.test")
        relay = world.relay(lambda extra, dns: (made := relay_factory(extra, dns=dns), made.environment.update(shim.environment))[0], TELLS)
        send_all(relay, "a@fits.test", "a@wrong.test")
        wait_for(lambda: len(listed(relay)) == 2)
        next_day(shim)
        inbox = world.hosts["mx.inbox.test"]
        wait_for(lambda: len(reports_of(inbox)) == 2, 90)
        got = dict(opened(m) for m in reports_of(inbox))
        assert sums(got["fits.test"]) == {("tlsa", "ok"): 1}
        policy = got["fits.test"]["policies"][0]["policy"]
        assert policy["policy-domain"] == "mx.fits.test" and re.fullmatch(r"3 1 1 [0-9a-f]{64}", policy["policy-string"][0])
        assert set(sums(got["wrong.test"])) == {("tlsa", "validation-failure")}
    finally:
        world.tree.stop()


def test_two_tenants_mail_to_one_domain_is_one_report(reporter, hosts, shim):
    hosts("good.test")
    inbox = hosts("reports.test", rua=None)
    relay = reporter()
    relay.add_domain("shop.test", "--tenant", "shop")
    secret = relay.json("user", "add", "shop", "--domain", "shop.test", "--tenant", "shop")["secret"]
    send_all(relay, "a@good.test")
    with relay.client(user="shop", secret=secret) as client:
        client.sendmail("x@shop.test", "b@good.test", "From: <x@shop.test>\r\nSubject: 2\r\n\r\nx\r\n")
    wait_for(lambda: not relay.queue(), 30)
    wait_for(lambda: len(listed(relay)) == 1)
    next_day(shim)
    wait_for(lambda: reports_of(inbox), 60)
    assert len(reports_of(inbox)) == 1 and opened(reports_of(inbox)[0])[0] == "good.test"


def test_settings_that_receivers_would_not_believe_are_refused(relay_factory):
    relay = relay_factory('tlsrpt { contact = "tls@club.test"  from = "tls@other.test"  sign = "club.test" }')
    done = relay.command("config", "check", check=False)
    assert done.returncode != 0 and "so that receivers believe it" in done.stderr + done.stdout
    relay = relay_factory('tlsrpt { contact = "nobody" }')
    assert "an email address in ASCII" in relay.command("config", "check", check=False).stderr
    relay = relay_factory('tlsrpt { contact = "tls@reports.club.test"  sign = "club.test"  success_reports = off }')
    assert relay.command("config", "check", check=False).returncode == 0


def test_without_a_contact_nothing_is_counted(relay_factory, hosts, dns):
    hosts("good.test")
    relay = relay_factory().start()
    send_all(relay, "x@good.test")
    assert listed(relay) == [] and not any(name.startswith("_smtp._tls") for name, _ in dns.asked)
