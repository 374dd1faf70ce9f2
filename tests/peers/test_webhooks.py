"""Kind: an endpoint is not told of an event, is told of one that never happened or of another tenant's, or its trouble becomes that of
others. Endpoints are real HTTP servers; signatures are those of Standard Webhooks, checked here and by the libraries that receivers use."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import random
import re
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import threading
import time

import pytest
from conftest import slack, wait_for

OPEN = "webhooks { allow_private = on }"
ENDS = {"delivered", "bounced", "expired", "suppressed", "collapsed", "deleted"}


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Endpoint:
    """Takes what it is posted; `answer(post)` says with what: a status, or a status and header fields. None: it hangs."""

    def __init__(self, answer=lambda post: 204, certificate=None, port=0):
        self.posts, self.answer, self.lock = [], answer, threading.Lock()
        self.open, self.most_open = 0, 0
        self.let_go = threading.Event()
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                post = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body, "at": time.time(),
                        "id": self.headers["webhook-id"], **json.loads(body)}
                with endpoint.lock:
                    endpoint.posts.append(post)
                    endpoint.open += 1
                    endpoint.most_open = max(endpoint.most_open, endpoint.open)
                answer = endpoint.answer(post)
                if answer is None:
                    endpoint.let_go.wait(60)
                status, fields = answer if isinstance(answer, tuple) else (answer or 500, {})
                with endpoint.lock:
                    endpoint.open -= 1
                self.send_response(status)
                for name, value in {"Content-Length": "0", "Connection": "close", **fields}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"{'https://localhost' if certificate else 'http://127.0.0.1'}:{self.port}/hook"

    def of(self, *types):
        with self.lock:
            return [p for p in self.posts if not types or p["type"].partition(".")[2] in types]

    def wait(self, count, *types, timeout=60):
        return wait_for(lambda: len(self.of(*types)) >= count and self.of(*types), timeout)

    def stop(self):
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def endpoint():
    made = []

    def make(*arguments, **options):
        made.append(Endpoint(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def signatures(post):
    return post["headers"]["webhook-signature"].split(" ")


def signed(post, secret):
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{post['id']}.{post['headers']['webhook-timestamp']}.".encode() + post["body"]
    return "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() in signatures(post)


def add(relay, url, *options):
    return relay.json("webhook", "add", url, *options)


def row_of(relay, made):
    return next(r for r in relay.look("webhook", "list") if r["id"] == made["id"])


@pytest.fixture
def hooked(relay_factory, sink_factory, dns):
    """A relay that may tell endpoints of this machine, with somebody who takes its mail."""

    def make(extra="", **options):
        dns.mail("dest.test", "mx.dest.test=127.0.0.1")
        sink_factory()
        relay = relay_factory(OPEN + "\n" + extra, **options)
        return relay

    return make


@pytest.mark.memory
def test_an_endpoint_is_told_what_becomes_of_mail(hooked, endpoint):
    relay, taker = hooked().start(), endpoint()
    made = add(relay, taker.url)
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=", made["secret"])
    id = relay.send(message="From: <hello@club.test>\r\nMessage-ID: <one@club.test>\r\nSubject: x\r\n\r\nx\r\n")
    taker.wait(2)
    accepted, delivered = sorted(taker.of(), key=lambda p: p["data"]["seq"])
    assert [accepted["type"], delivered["type"]] == ["message.accepted", "message.delivered"]
    for post in (accepted, delivered):
        assert signed(post, made["secret"]) and len(signatures(post)) == 1
        assert abs(int(post["headers"]["webhook-timestamp"]) - time.time()) < 120 and "." not in post["id"]
        assert post["headers"]["content-type"] == "application/json" and len(post["body"]) < 20_000
        data = post["data"]
        assert (data["id"], data["recipient"], data["sender"], data["message_id"], data["user"]) == (
            id, "bob@dest.test", "hello@club.test", "<one@club.test>", "app")
    assert delivered["data"]["code"] == 250 and "127.0.0.1" in delivered["data"]["remote"]
    row = wait_for(lambda: row_of(relay, made)["waiting"] == 0 and row_of(relay, made))
    assert (row["state"], row["lost"], row["tenant"]) == ("on", 0, "default")
    assert made["secret"] not in relay.command("webhook", "list") + json.dumps(relay.json("webhook", "list")) + relay.log()
    relay.stop()


def sent_of(relay):
    """The ids of the events that an endpoint is to be told of, as the history has them: not of the relay's own reports to the sender."""
    told = {"accepted", *ENDS}
    return {f"evt_{e['at']:x}_{e['event']:x}" for e in relay.json("events", "--limit", "100000") if e["kind"] in told and e["recipient"] not in ("", "hello@club.test")}


CHECKER = """
const fs = require('fs'), posts = JSON.parse(fs.readFileSync(0));
const libraries = [require('standardwebhooks').Webhook, require('svix').Webhook];
const schema = new (require('ajv/dist/2020'))({allErrors: true, strict: true, strictRequired: false});
const fits = schema.compile(JSON.parse(fs.readFileSync(process.argv[1])));
let good = 0;
for (const p of posts) {
  for (const Webhook of libraries) new Webhook(p.secret).verify(p.body, p.headers);
  if (!fits(JSON.parse(p.body))) throw new Error(p.body + JSON.stringify(fits.errors));
  for (const Webhook of libraries) {
    let refused = false;
    try { new Webhook(p.secret).verify(p.body + ' ', p.headers); } catch { refused = true; }
    if (!refused) throw new Error('anything is taken');
  }
  good++;
}
console.log(good);
"""


def check_as_receivers_do(posts, secret):
    """By two libraries of receivers, and the schema that is published with the relay."""
    modules = os.environ.get("NODE_MODULES", "node_modules")
    if not os.environ.get("CI") and not pathlib.Path(modules, "svix").exists():
        pytest.skip("the packages of npm are not here")
    given = [{"secret": secret, "body": p["body"].decode(), "headers": p["headers"]} for p in posts]
    schema = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "webhook.schema.json"
    done = subprocess.run(["node", "-e", CHECKER, str(schema)], input=json.dumps(given), capture_output=True, text=True,
                          env={**os.environ, "NODE_PATH": modules})
    assert done.returncode == 0 and int(done.stdout) == len(posts), done.stderr[-2000:]


def test_every_end_is_told_and_receivers_libraries_take_every_signature(hooked, endpoint, dns, mailhost):
    """Each way in which a message comes to its end; a delay that comes again and again is told once until its time is nearly over."""
    dns.mail("host.test", "mx.host.test=127.0.0.2")

    def answer(line, connection):
        if line.startswith("RCPT TO:<later"):
            return "451 4.2.0 later, éé"
        return "550 5.1.1 nobody of that name" if line.startswith("RCPT TO:<none") else None

    mailhost(answer, host="127.0.0.2")
    relay, taker = hooked('stream "reset" { class = "security"   }\nstream "news" { class = "digest" }').start(), endpoint()
    made = add(relay, taker.url)
    text = "From: <hello@club.test>\r\nSubject: {0}\r\nSealpost-Stream: {1}\r\n\r\n{0}\r\n"
    relay.send()
    gone = relay.send(to="none@host.test")
    later = relay.send(to="later@host.test", message=text.format("later", "reset"))
    for n in (1, 2, 3):
        wait_for(lambda n=n: relay.kinds(later).count("deferred") >= n)
        relay.command("queue", "retry", later)
    relay.command("queue", "delete", later)
    relay.command("suppress", "add", "never@dest.test", "--reason", "unsubscribe", "--stream", "news")
    with pytest.raises(AssertionError):
        relay.send(to="never@dest.test", message=text.format("x", "news"))
    once = "From: <hello@club.test>\r\nMessage-ID: <once@club.test>\r\nSubject: once\r\n\r\nonce\r\n"
    relay.send(message=once)
    relay.send(message=once)
    for kind in ("delivered", "bounced", "delayed", "deleted", "suppressed", "unsubscribed", "collapsed"):
        taker.wait(1, kind)
    wait_for(lambda: relay.json("events", "--kind", "bounced", "--recipient", "hello@club.test"), 60)  # the report's own end, which is not told
    wait_for(lambda: row_of(relay, made)["waiting"] == 0)
    ids = {p["id"] for p in taker.of()}
    told = [p for p in taker.of() if p["type"] not in ("message.delayed", "message.unsubscribed")]
    assert {p["id"] for p in told} == sent_of(relay) and len(ids) == len(taker.of())
    assert len(taker.of("delayed")) == 1
    assert len(taker.of("bounced")) == 1
    bounced = taker.of("bounced")[0]["data"]
    assert (bounced["id"], bounced["code"], bounced["enhanced"]) == (gone, 550, "5.1.1") and bounced["category"] and bounced["rule"]
    assert taker.of("unsubscribed")[0]["data"] | {"seq": 0} == {"seq": 0, "recipient": "never@dest.test", "stream": "news"}
    order = [p["type"] for p in sorted(taker.of(), key=lambda p: p["data"]["seq"]) if p["data"].get("id") == later]
    assert order == ["message.accepted", "message.delayed", "message.deleted"]
    check_as_receivers_do(taker.of(), made["secret"])


def test_each_sees_its_own_and_what_it_asked_for(hooked, endpoint):
    relay = hooked('stream "reset" { class = "security" }').start()
    relay.add_domain("shop.test", "--tenant", "shop")
    secret = relay.json("user", "add", "shop", "--domain", "shop.test", "--tenant", "shop")["secret"]
    own, other, ends, resets, hashed = (endpoint() for _ in range(5))
    add(relay, own.url)
    add(relay, other.url, "--tenant", "shop")
    add(relay, ends.url, "--type", "delivered,message.bounced")
    add(relay, resets.url, "--stream", "reset,other")
    add(relay, hashed.url, "--hash-addresses")
    relay.send()
    relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: reset\r\nSubject: x\r\n\r\nx\r\n")
    with relay.client(user="shop", secret=secret) as client:
        client.sendmail("hello@shop.test", "ann@dest.test", "From: <hello@shop.test>\r\nSubject: x\r\n\r\nx\r\n")
    own.wait(4)
    other.wait(2)
    ends.wait(2)
    resets.wait(2)
    hashed.wait(4)
    wait_for(lambda: all(r["waiting"] == 0 for r in relay.look("webhook", "list")))
    assert {p["data"]["sender"] for p in own.of()} == {"hello@club.test"} and len(own.of()) == 4
    assert {p["data"]["sender"] for p in other.of()} == {"hello@shop.test"} and len(other.of()) == 2
    assert {p["type"] for p in ends.of()} == {"message.delivered"} and len(ends.of()) == 2
    assert {p["data"]["stream"] for p in resets.of()} == {"reset"} and len(resets.of()) == 2
    digest = hashlib.sha256(b"bob@dest.test").hexdigest()
    assert all(p["data"]["recipient_sha256"] == digest and b"@" not in p["body"].replace(b"@mail", b"") for p in hashed.of("delivered"))


def test_endpoints_that_hang_delay_no_other_and_no_mail(hooked, endpoint, sink_factory):
    """Sixteen of one tenant that never answer, and one of another."""
    relay = hooked().start()
    relay.add_domain("shop.test", "--tenant", "shop")
    secret = relay.json("user", "add", "shop", "--domain", "shop.test", "--tenant", "shop")["secret"]
    hung, good = endpoint(lambda post: None), endpoint()
    for i in range(16):
        add(relay, f"{hung.url}/{i}", "--tenant", "shop")
    refused = relay.command("webhook", "add", hung.url, "--tenant", "shop", check=False)
    assert refused.returncode == 1 and "has 16 webhooks" in refused.stderr
    made = add(relay, good.url)
    with relay.client(user="shop", secret=secret) as client:
        for i in range(20):
            client.sendmail("hello@shop.test", f"a{i}@dest.test", f"From: <hello@shop.test>\r\nSubject: {i}\r\n\r\nx\r\n")
    hung.wait(8)
    with relay.client() as client:
        for i in range(20):
            client.sendmail("hello@club.test", f"b{i}@dest.test", f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nx\r\n")
    good.wait(40)
    assert good.most_open <= 4
    assert not relay.queue()
    assert {p["id"] for p in good.of()} <= sent_of(relay)
    wait_for(lambda: row_of(relay, made)["waiting"] == 0)
    hung.let_go.set()


def test_a_tenant_with_many_endpoints_takes_no_more_of_the_store(hooked, endpoint):
    """Each of one tenant's recipients is told to sixteen endpoints that hang, in rows that count as its work: what it submits by eight
    connections at once passes another tenant's message by no more often than if there were no endpoint."""
    relay = hooked("limits { recipients = 100 }").start()
    relay.add_domain("shop.test", "--tenant", "shop")
    secret = relay.json("user", "add", "shop", "--domain", "shop.test", "--tenant", "shop")["secret"]
    hung, done, taken = endpoint(lambda post: None), threading.Event(), []

    def flood(k):
        with relay.client(user="shop", secret=secret) as client:
            for n in range(1000):
                if done.is_set():
                    return
                to = [f"a{k}x{n}x{i}@late.test" for i in range(50)]
                client.sendmail("hello@shop.test", to, f"From: <hello@shop.test>\r\nSubject: {k} {n}\r\n\r\nx\r\n")
                taken.append(n)

    def passed(name):
        """How many of the flood were taken for each message of the other."""
        done.clear()
        threads = [threading.Thread(target=flood, args=(f"{name}{k}",)) for k in range(8)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(taken) > 4, 60)
            before, began = len(taken), time.monotonic()
            with relay.client() as client:
                for i in range(8):
                    client.sendmail("hello@club.test", f"{name}{i}@dest.test", f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\nx\r\n")
            return (len(taken) - before) / 8, (time.monotonic() - began) / 8
        finally:
            done.set()
            for thread in threads:
                thread.join()
            taken.clear()

    without, took_without = passed("b")
    for i in range(16):
        add(relay, f"{hung.url}/{i}", "--tenant", "shop")
    beside, took = passed("c")
    hung.let_go.set()
    assert beside < without * 0.75, (beside, without)
    assert took < 4 * took_without + slack(0.5), (took, took_without)


def test_what_an_endpoint_answers(hooked, endpoint):
    """410: nothing more; 429 with Retry-After: left alone; a redirect: not followed, and a failure; an error: tried again."""
    relay = hooked('alert { on = {"webhook_disabled"} interval = 1 webhook = "ALERTS" }')
    alerts, elsewhere = endpoint(), endpoint()
    alerts.answer = lambda post: 204
    relay.config.write_text(relay.config.read_text().replace("ALERTS", ""))
    relay.start()
    gone, busy, moved, broken, good = endpoint(lambda post: 410), endpoint(lambda post: (429, {"Retry-After": "3600"})), endpoint(), endpoint(), endpoint()
    moved.answer = lambda post: (302, {"Location": elsewhere.url})
    failed = []
    broken.answer = lambda post: (failed.append(post["id"]) or 500) if len(failed) < 1 else 200
    rows = {name: add(relay, one.url, "--type", "accepted") for name, one in
            {"gone": gone, "busy": busy, "moved": moved, "broken": broken, "good": good}.items()}
    for i in range(6):
        relay.send(to=f"a{i}@dest.test")
    good.wait(6)
    broken.wait(7)  # the first one again, after five seconds
    wait_for(lambda: row_of(relay, rows["gone"])["state"] == "disabled")
    assert len({p["id"] for p in broken.of()}) == 6 and [p["id"] for p in broken.of()].count(failed[0]) == 2
    stamps = [int(p["headers"]["webhook-timestamp"]) for p in broken.of() if p["id"] == failed[0]]
    assert stamps[1] - stamps[0] >= 4
    assert (len(gone.of()), len(busy.of()), elsewhere.of()) == (1, 1, [])
    for name, why in (("gone", "410"), ("busy", "429"), ("moved", "302")):
        assert why in row_of(relay, rows[name])["why"], name
    assert row_of(relay, rows["busy"])["state"] == row_of(relay, rows["moved"])["state"] == "failing"
    assert "webhook_disabled" in {e["kind"] for e in relay.json("events")} and "webhook_disabled" in relay.command("audit", "tail")
    gone.answer = lambda post: 204
    relay.command("webhook", "enable", str(rows["gone"]["id"]))
    gone.wait(7)  # all that there is
    assert {p["id"] for p in gone.of()} == {p["id"] for p in good.of()}


def test_an_endpoint_that_is_given_up_is_told_by_another_channel(hooked, endpoint):
    alerts = endpoint()
    relay = hooked(f'alert {{ on = {{"webhook_disabled"}} interval = 1 webhook = "{alerts.url}" }}')
    heard = []
    alerts.server.RequestHandlerClass.do_POST = lambda self: (heard.append(self.rfile.read(int(self.headers["Content-Length"]))), self.send_response(204), self.end_headers())
    relay.start()
    gone = endpoint(lambda post: 410)
    add(relay, gone.url)
    relay.send()
    wait_for(lambda: heard, 60)
    assert b"webhook_disabled" in heard[0] and b"410" in heard[0]


def test_an_endpoint_that_is_gone_is_told_once_whatever_was_on_its_way(hooked, endpoint):
    relay, taker, let_go = hooked().start(), endpoint(), threading.Event()
    add(relay, taker.url)
    for _ in range(4):
        relay.send()
    taker.wait(8)
    taker.answer = lambda post: let_go.wait(60) and 410
    for _ in range(4):
        relay.send()
    wait_for(lambda: taker.open >= 3, 30)
    let_go.set()
    wait_for(lambda: "webhook_disabled" in {e["kind"] for e in relay.json("events")}, 30)
    wait_for(lambda: taker.open == 0, 30)
    time.sleep(0.5)
    assert [e["kind"] for e in relay.json("events")].count("webhook_disabled") == 1


def test_the_time_in_which_no_relay_ran_is_no_failure_of_an_endpoint(hooked, endpoint):
    relay, broken = hooked().start(), endpoint(lambda post: 500)
    made = add(relay, broken.url)
    relay.send()
    wait_for(lambda: row_of(relay, made)["state"] == "failing", 30)
    relay.stop()
    with sqlite3.connect(relay.path / "state" / "state.db") as database:  # all of this was six days ago
        database.execute(f"UPDATE event SET at = at - {6 * 86400000}")
        database.execute(f"UPDATE webhook SET failing = failing - {6 * 86400000}")
        database.execute("UPDATE outbox SET due = 0 WHERE due IS NOT NULL")
    database.close()
    tried = len(broken.of())
    relay.start()
    broken.wait(tried + 1)
    relay.send()
    wait_for(lambda: len(broken.of()) > tried + 1, 30)
    assert row_of(relay, made)["state"] == "failing"


def test_tls_with_a_certificate_for_the_name_by_an_authority_that_is_trusted(hooked, endpoint, issue, tmp_path):
    good = endpoint(certificate=issue("localhost"))
    other = endpoint(certificate=issue("other.test"))
    relay = hooked()
    relay.environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    relay.start()
    made = add(relay, good.url)
    bad = add(relay, other.url)
    relay.send()
    good.wait(2)
    row = wait_for(lambda: row_of(relay, bad)["state"] == "failing" and row_of(relay, bad))
    assert "certificate" in row["why"] or "SSL" in row["why"], row
    assert other.of() == [] and all(signed(p, made["secret"]) for p in good.of())


def test_no_address_that_is_not_a_public_hosts_is_connected_to(relay_factory, endpoint, issue, tmp_path, dns, sink_factory):
    inside = endpoint(certificate=issue("localhost"))
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink_factory()
    relay = relay_factory()
    relay.environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    relay.start()
    clear = relay.command("webhook", "add", "http://localhost/", check=False)
    assert clear.returncode == 2 and "allow_private" in clear.stderr
    rows = [add(relay, inside.url), add(relay, f"https://localhost:{inside.port}/other")]
    relay.send()
    for made in rows:
        row = wait_for(lambda made=made: row_of(relay, made)["state"] == "failing" and row_of(relay, made))
        assert "not a public one" in row["why"], row
    assert inside.of() == []
    for wrong in ("ftp://a.test/", "https://", "https://me:pw@a.test/", "wh.example:8444/hook", "https://a.test/#x", "https://a.test/ x",
                  "https://wh.example:99999/x", "https://0x7f.1/", "https://127.0.5.40:99999/", f"https://127.0.0.1:{inside.port}/",
                  f"https://[::ffff:127.0.0.1]:{inside.port}/", "https://10.1.2.3/"):
        said = [relay.command("webhook", command, wrong, check=False) for command in ("add", "test")]
        assert [one.returncode for one in said] == [2, 2], wrong
        why = {one.stderr.split("; usage:")[0] for one in said}
        assert len(why) == 1 and all(one.stderr.count("\n") == 1 for one in said), why
    assert inside.of() == []


def test_an_address_that_cannot_be_asked_fails_as_others_do(hooked):
    """The kind: what the fetcher cannot carry out is our own fault for ever, asked each second, and shown as if all were well."""
    relay = hooked().start()
    made = add(relay, "https://localhost/hook")
    relay.stop()
    with sqlite3.connect(relay.path / "state" / "state.db") as db:  # as an earlier version took it
        db.execute("UPDATE webhook SET url = 'https://localhost:8080x/hook'")
    db.close()
    relay.start()
    relay.send()
    row = wait_for(lambda: row_of(relay, made)["state"] == "failing" and row_of(relay, made), 30)
    assert row["why"], row
    time.sleep(3)
    assert sum("webhook_failed" in line for line in relay.log().splitlines()) <= 2


def test_a_new_secret_beside_the_old_one(hooked, endpoint):
    relay, taker = hooked().start(), endpoint()
    made = add(relay, taker.url, "--type", "accepted")
    relay.send()
    taker.wait(1)
    second = relay.json("webhook", "rotate", str(made["id"]), "--keep", "1h")
    relay.send()
    post = taker.wait(2)[-1]
    assert len(signatures(post)) == 2 and signed(post, made["secret"]) and signed(post, second["secret"])
    again = relay.command("webhook", "rotate", str(made["id"]), check=False)  # which would end the first one
    assert again.returncode == 2 and "the secret before this one signs for 60 minutes more" in again.stderr, again
    relay.send()
    assert signed(taker.wait(3)[-1], made["secret"])
    third = relay.json("webhook", "rotate", str(made["id"]), "--keep", "1s")
    time.sleep(1.1)
    relay.send()
    post = taker.wait(4)[-1]
    assert len(signatures(post)) == 1 and signed(post, third["secret"])
    assert len({made["secret"], second["secret"], third["secret"]}) == 3


@pytest.mark.memory
def test_replay_ping_test_disable_and_remove(hooked, endpoint):
    relay, taker = hooked().start(), endpoint()
    made = add(relay, taker.url)
    id = str(made["id"])
    title, row = relay.command("webhook", "list").splitlines()
    shown = dict(zip(title.split(), row.split()))
    assert (shown["STATE"], shown["TENANT"], row[title.index("TYPES"):].split()[:2], row[title.index("SINCE"):title.index("TYPES")].strip()) == (
        "on", "default", ["all", "all"], "")
    ping = relay.json("webhook", "ping", id)["event"]
    assert taker.wait(1)[0]["type"] == "webhook.ping" and taker.of()[0]["id"] == ping
    relay.send()
    taker.wait(3)
    first = {p["id"]: p["body"] for p in taker.of()}
    wait_for(lambda: row_of(relay, made)["waiting"] == 0)
    assert relay.json("webhook", "replay", id, "--since", "1h") == {"count": 3}
    taker.wait(6)
    again = {p["id"]: p["body"] for p in taker.of()[3:]}
    assert again == first  # the same ids and the same bytes, each signed anew
    wait_for(lambda: row_of(relay, made)["waiting"] == 0)
    assert "again: 1\n" in relay.command("webhook", "replay", id, "--id", ping)
    assert taker.wait(7)[-1]["id"] == ping
    assert relay.command("webhook", "replay", id, "--id", "evt_1_1", check=False).returncode == 1
    assert relay.command("webhook", "replay", id, check=False).returncode == 2
    relay.command("webhook", "disable", id)
    relay.send()
    wait_for(lambda: row_of(relay, made)["waiting"] == 2)
    assert len(taker.of()) == 7
    for asked in (("ping", id), ("replay", id, "--since", "1h"), ("replay", id, "--id", ping)):  # nothing would be sent
        refused = relay.command("webhook", *asked, check=False)
        assert refused.returncode == 1 and f'webhook {id} is disabled: "webhook enable {id}"' in refused.stderr, asked
    assert row_of(relay, made)["waiting"] == 2
    relay.command("webhook", "enable", id)
    taker.wait(9)
    relay.command("webhook", "remove", id)
    assert relay.json("webhook", "list") == [] and relay.command("webhook", "remove", id, check=False).returncode == 1
    relay.send()
    tried = relay.json("webhook", "test", taker.url)
    post = taker.wait(10)[-1]
    assert tried["taken"] and tried["status"] == 204 and post["id"] == tried["id"] and signed(post, tried["secret"])
    assert len(taker.of()) == 10
    taker.answer = lambda post: 500
    failed = relay.command("webhook", "test", taker.url, check=False)
    assert failed.returncode == 1 and "status 500" in failed.stdout
    relay.stop()


# ---- the end of either side ----

TAKER = """
import http.server, json, os, socketserver, sys
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        os.write(seen, (self.headers["webhook-id"] + "\\n").encode())
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_): pass
seen = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever(0.05)
"""


def test_whoever_is_killed_every_event_is_told_and_no_other(hooked, tmp_path):
    """Relay and endpoint end in the midst of it, in turns: what the endpoint has heard of is what has happened, each event under its id."""
    rounds = 100 if os.environ.get("SEALPOST_LONG") else 6
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    seen = tmp_path / "seen"
    chance = random.Random(7)
    relay = hooked().start()

    def listen():
        return subprocess.Popen([sys.executable, "-c", TAKER, str(port), str(seen)])

    taker = listen()
    try:
        made = add(relay, f"http://127.0.0.1:{port}/")
        for n in range(2 * rounds):
            try:
                with relay.client() as client:
                    for i in range(chance.randrange(1, 6)):
                        client.sendmail("hello@club.test", f"r{n}.{i}@dest.test", f"From: <hello@club.test>\r\nSubject: {n} {i}\r\n\r\nx\r\n")
            finally:
                time.sleep(chance.random() * 0.2)
            if n % 2:
                relay.kill()
                relay.start()
            else:
                taker.kill()
                taker.wait()
                taker = listen()
        wait_for(lambda: row_of(relay, made)["waiting"] == 0 and not relay.queue(), 300)
        heard = seen.read_text().split()
        assert set(heard) == sent_of(relay)
        assert len(heard) < 2 * len(set(heard))
        assert row_of(relay, made)["lost"] == 0
    finally:
        taker.kill()
        taker.wait()
