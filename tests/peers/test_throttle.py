"""The recipient throttle: nobody can use the application to flood a mailbox, and nobody else notices that somebody tried."""

import concurrent.futures
import itertools
import re
import smtplib
import sqlite3
import threading
import time

import pytest

from conftest import wait_for

STREAMS = 'stream "reset" { class = "security" }\nstream "invite" { class = "invitation" }\nthrottle = "enforce"\n'


@pytest.fixture
def throttled(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("xn--bcher-kva.test", "mx.dest.test=127.0.0.1")

    def make(extra=""):
        return relay_factory(STREAMS + extra).start()

    return make


ONE_MORE = itertools.count()


def submit(client, to, stream=None, sender="hello@club.test", options=(), fields="", body=None):
    """(code, text) of one message; the first refusal counts. Without `body` no two messages say the same."""
    recipients = [to] if isinstance(to, str) else to
    header = f"From: <{sender}>\r\nSubject: x\r\n" + (f"Sealpost-Stream: {stream}\r\n" if stream else "") + fields
    client.ehlo_or_helo_if_needed()
    client.mail(sender, options)
    for recipient in recipients:
        code, text = client.rcpt(recipient)
        if code != 250:
            client.rset()
            return code, text.decode("utf-8")
    code, text = client.data((header + "\r\n" + (body or f"booking {next(ONE_MORE)}") + "\r\n").encode())
    return code, text.decode()


def counts(replies):
    """How many passed at once, were paced, deferred, rejected."""
    return (sum(c == 250 and "paced" not in t for c, t in replies), sum(c == 250 and "paced" in t for c, t in replies),
            sum(c == 450 for c, t in replies), sum(c == 550 for c, t in replies))


def test_the_ladder(throttled):
    relay = throttled()
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test") for _ in range(60)]
    assert [code for code, _ in replies[:7]] == [250] * 7
    passed, paced, deferred, rejected = counts(replies)
    assert (passed, paced) == (4, 3)  # 4 of the class at once; 10 of the tenant, of which 3 are for security
    assert deferred == 50 and rejected == 3
    assert re.fullmatch(r"2\.0\.0 paced, next slot in (8[89]\d|900) s\n2\.0\.0 Ok: queued as \w+", replies[4][1]), replies[4]
    assert re.fullmatch(r'4\.7\.28 bob@dest\.test: Recipient limit "class" for class "notification" is used up \(4 at once, then 1 per 900 s, '
                        r'20 a day\): try again in \d+ s', replies[7][1]), replies[7]
    assert replies[-1][1].startswith("5.7.28 bob@dest.test: Too much mail for this recipient for too long")
    kinds = [event["kind"] for event in relay.json("events", "--limit", "1000", "--after", "0")]
    assert kinds.count("paced") == 3 and kinds.count("throttled") == 1  # once for the window, not for each mail
    why = r'limit "class" for class "notification": its slot is in \d+ s'
    assert len([row for row in relay.queue() if re.fullmatch(why, row.get("why", ""))]) == 3
    assert len(re.findall(why, relay.command("queue", "list"))) == 3


SPELLINGS = ["bob@dest.test", "BOB@dest.test", "Bob@DEST.TEST", '"bob"@dest.test', '"b\\ob"@dest.test', "bob+1@dest.test",
             "bob+2@dest.test", '"bob+3"@dest.test', "bOb+x.y@dest.test"]
U_SPELLINGS = ["eva@bücher.test", "eva@BÜCHER.test", "eva@xn--bcher-kva.test", "EVA+1@xn--bcher-kva.test", "ｅｖａ@bücher.test"]


@pytest.mark.parametrize("spellings,options", [(SPELLINGS, ()), (U_SPELLINGS, ("SMTPUTF8",))], ids=["ascii", "utf8"])
def test_no_spelling_begins_a_new_count(throttled, spellings, options):
    relay = throttled()
    with relay.client() as client:
        client.command_encoding = "utf-8"
        replies = [submit(client, spellings[i % len(spellings)], options=options) for i in range(40)]
    assert counts(replies)[:2] == (4, 3), replies
    assert {code for code, _ in replies} <= {250, 450, 550}


@pytest.mark.parametrize("route", ["%s%%{d}@{d}", "{d}!%s@{d}", "{d}!{d}!%s@{d}", "{d}!%s%%{d}@{d}", '"%s@{d}"@{d}', '"%s%%{d}"@{d}'])
def test_no_route_in_the_local_part_begins_a_new_count(throttled, route):
    """Debian's Postfix takes each for bob@dest.test: allow_percent_hack, swap_bangpath, resolve_dequoted_address."""
    to = route.format(d="dest.test") % "bob"
    with throttled().client() as client:
        client.ehlo()
        client.mail("hello@club.test")
        code, text = client.rcpt(to)
        assert code == 553 and text.startswith(b"5.1.3") and b"itself" in text, (to, text)
        assert client.rcpt("bob@dest.test")[0] == 250


def test_nothing_the_sender_does_begins_a_new_count(throttled):
    relay = throttled()
    relay.command("user", "add", "other", "--domain", "*", "--password-stdin", input="a long password\n")
    relay.add_domain("second.test")
    replies = []
    for i in range(10):  # reconnecting, another credential of the tenant, another From domain
        with relay.client(user="other", secret="a long password") as client:
            replies.append(submit(client, "bob@dest.test", sender=f"a{i}@second.test"))
        with relay.client(implicit=i % 2 == 0) as client:
            replies.append(submit(client, "bob@dest.test"))
    relay.stop()
    relay.start()
    with relay.client() as client:  # many at once in one message
        replies.append(submit(client, [f"bob+{i}@dest.test" for i in range(20)]))
    relay.kill()
    relay.start()
    with relay.client() as client:
        replies += [submit(client, "bob@dest.test") for _ in range(5)]
    assert counts(replies)[:2] == (4, 3), replies


@pytest.mark.memory
def test_kill_9_in_the_middle(throttled, sink_factory):
    """Eight connections at one mailbox, and the relay dies four times: what was accepted was counted, and nothing else."""
    sink = sink_factory()
    relay = throttled()
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            try:
                with relay.client() as client:
                    while not stop.is_set():
                        submit(client, f"bob+{next(ONE_MORE)}@dest.test")
            except (OSError, smtplib.SMTPException):
                time.sleep(0.05)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(8):
            pool.submit(flood)
        for _ in range(4):
            time.sleep(0.3)
            relay.kill()
            relay.start()
        time.sleep(0.5)
        stop.set()
    events = relay.json("events", "--after", "0", "--limit", "1000")
    accepted = {e["id"] for e in events if e["kind"] == "accepted"}
    assert len(accepted) == 7  # whoever killed it gained nothing, and nothing was charged for mail that was not accepted
    wait_for(lambda: len([e for e in relay.json("events", "--after", "0", "--limit", "1000") if e["kind"] == "delivered"]) >= 4)
    assert 4 <= len(sink.messages()) <= 4 + 4  # C3: what was under way may arrive again


@pytest.mark.memory
def test_two_hundred_connections_at_once(throttled):
    relay = throttled()

    def one(i):
        with relay.client() as client:
            return submit(client, f"bob+{i}@dest.test")

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(one, range(200)))
    assert counts(replies)[:2] == (4, 3)


FLOOD = 20000


FROM_SECOND = {"sender": "hello@second.test"}
CC = "To: Bob <bob@dest.test>\r\nCc: BOB@dest.test, (it is me) Bob+2@dest.test\r\nBcc: bob@dest.test\r\n"


@pytest.mark.parametrize("ways", [
    [dict(sender=f"a{i}@{domain}") for i in range(2) for domain in ("club.test", "second.test")],
    [dict(fields="To: bob@dest.test\r\n"), dict(fields=CC), dict(fields="Bcc: bob@dest.test\r\n")],
    [dict(to=["bob@dest.test", "Bob+1@dest.test"], fields=CC), dict(to=["bob@DEST.test"] * 2), dict()],
    [dict(fields=f"Message-ID: <{i}@club.test>\r\nSealpost-Idempotency-Key: {i}\r\n") for i in range(30)],
    [dict(sender="")] + [dict(stream="invite")] * 2 + [dict(), dict(stream="invite", **FROM_SECOND)],
], ids=["from", "fields", "recipients", "keys", "streams"])
def test_no_way_of_writing_a_message_begins_a_new_count(throttled, sink_factory, ways):
    """What has arrived, and what will, is never more than the limits say; the mail of somebody else is not touched."""
    sink = sink_factory()
    relay = throttled()
    relay.add_domain("second.test")
    relay.command("user", "add", "other", "--domain", "*", "--password-stdin", input="a long password\n")
    with relay.client(user="other", secret="a long password") as client:
        for i in range(30):
            way = dict(ways[i % len(ways)])
            code, text = submit(client, way.pop("to", "bob@dest.test"), **{"sender": "hello@club.test", **way})
            assert code in (250, 450, 550), text
        assert submit(client, "amy@dest.test", **FROM_SECOND)[0] == 250
    wait_for(lambda: any("amy@dest.test" in str(about) for about, _ in sink.messages()))
    sent = [row for row in relay.json("events", "--after", "0", "--limit", "10000") if row["recipient"].lower().startswith("bob")]
    wait_for(lambda: not [row for row in relay.json("queue", "list") if row["due"] / 1000 < time.time()])
    refused = {row["id"] for row in sent if row["kind"] == "throttled"}
    let_in = [row for row in sent if row["kind"] == "accepted" and row["id"] not in refused]
    assert len(let_in) <= 10 and len([m for m in sink.messages() if "bob" in str(m[0]).lower()]) <= 7


@pytest.mark.parametrize("step", [-86400, -3600, 3600, 86400])
def test_setting_the_clock_frees_nobody_and_locks_nobody(relay_factory, dns, sink_factory, shim, step):
    sink_factory()
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('throttle = "enforce"\nlimit "notification" { every = 4  burst = 2  per_day = 0  hold = 0 }\n')
    relay.environment = shim.environment
    relay.start()
    with relay.client() as client:
        began = time.monotonic()
        assert [submit(client, "bob@dest.test")[0] for _ in range(3)] == [250, 250, 450]
        shim.set(clock_ms=step * 1000)
        relay.wait_kind(submit(client, "amy@dest.test")[1].split()[-1], "delivered")
        assert [submit(client, "bob@dest.test")[0] for _ in range(2)] == [450, 450]
        wait_for(lambda: submit(client, "bob@dest.test")[0] == 250, 10, 0.2)
        assert time.monotonic() - began > 3.9
        shown = [row for row in relay.json("quota", "show", "bob@dest.test")["keys"] if row["class"] == "notification"][0]
        assert abs(shown["tat"] / 1000 - step - time.time()) < 10  # by the clock that was set
    relay.stop()
    relay.start()
    with relay.client() as client:
        for _ in range(3):
            submit(client, "bob@dest.test")
        assert submit(client, "bob@dest.test")[0] == 450


@pytest.mark.alone("how long a bystander's mail takes beside a flood")
def test_a_flood_locks_nobody_out_and_delays_nobody(throttled, sink_factory):
    """Twenty thousand at one address; meanwhile mail to a bystander, then a password reset to that same address."""
    sink = sink_factory()
    relay = throttled()

    def flood(part):
        with relay.client() as client:
            return [submit(client, "bob@dest.test", "invite" if i % 3 else None) for i in range(part)]

    def bystander():
        """How long each of some messages to others takes, from the first command until it has arrived."""
        took = []
        for i in range(10):
            began = time.monotonic()
            with relay.client() as client:
                code, text = submit(client, f"eve{i}@dest.test")
            assert code == 250
            relay.wait_kind(text.split()[-1], "delivered")
            took.append(time.monotonic() - began)
            time.sleep(0.5)
        return took

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        other = pool.submit(bystander)
        replies = [reply for part in pool.map(flood, [FLOOD // 4] * 4) for reply in part]
    assert counts(replies)[0] + counts(replies)[1] <= 7
    assert max(other.result()) < 5, other.result()
    began = time.monotonic()
    with relay.client() as client:
        code, text = submit(client, "bob@dest.test", "reset")
    assert code == 250
    relay.wait_kind(text.split()[-1], "delivered")
    assert time.monotonic() - began < 5
    assert len(sink.messages()) <= 7 + 10 + 1
    first = relay.json("quota", "top")[0]
    assert first["who"] == "bob@dest.test" and first["refused"] == FLOOD - counts(replies)[0] - counts(replies)[1]


@pytest.mark.memory
def test_who_sends_and_gets_most_can_be_seen(throttled):
    relay = throttled()
    relay.command("user", "add", "other", "--domain", "*", "--password-stdin", input="a long password\n")
    with relay.client() as client:
        replies = [submit(client, SPELLINGS[i % len(SPELLINGS)]) for i in range(30)]
        submit(client, ["amy@dest.test", "eva@xn--bcher-kva.test"])
        submit(client, "amy@dest.test", fields="Message-ID: <same@club.test>\r\n", body="the same")
        submit(client, "amy@dest.test", fields="Message-ID: <same@club.test>\r\n", body="the same")
    with relay.client(user="other", secret="a long password") as client:
        submit(client, "Amy@dest.test")
    refused = sum(code != 250 for code, _ in replies)

    def top(*options):
        return [(row["who"], row["accepted"], row["paced"], row["collapsed"], row["refused"])
                for row in relay.json("quota", "top", *options)]

    assert top() == [("bob@dest.test", 7, 3, 0, refused), ("amy@dest.test", 3, 0, 1, 0), ("eva@xn--bcher-kva.test", 1, 0, 0, 0)]
    assert top("--by", "user", "--since", "10m") == [("app", 10, 3, 1, refused), ("other", 1, 0, 0, 0)]
    assert top("--by", "domain", "--limit", "1") == [("dest.test", 10, 3, 1, refused)]
    time.sleep(1.1)
    last = top("--by", "user", "--since", "1s")[:1]
    assert last == [] or last[0][:4] == ("app", 0, 0, 0) and last[0][4] <= refused, last  # refusals are counted by the minute
    assert "REFUSED" in relay.command("quota", "top")
    assert relay.command("quota", "top", "--since", "soon", check=False).returncode == 2
    assert relay.command("quota", "top", "--by", "colour", check=False).returncode == 2


def test_security_mail_is_limited_too(throttled):
    relay = throttled()
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test", "reset") for _ in range(20)]
    assert counts(replies)[:2] == (5, 0) and replies[5][0] == 450


@pytest.mark.memory
def test_in_a_message_to_many_the_refused_ones_are_reported_and_the_rest_go(throttled, sink_factory):
    sink = sink_factory()
    relay = throttled()
    with relay.client() as client:
        for _ in range(7):
            assert submit(client, "bob@dest.test")[0] == 250
        code, text = submit(client, ["bob@dest.test", "amy@dest.test", "joe@dest.test"])
        assert code == 250
    id = text.split()[-1]
    assert relay.wait_kind(id, "bounced")[0]["recipient"] == "bob@dest.test"
    wait_for(lambda: relay.kinds(id).count("delivered") == 2, 20)
    delivered = {event["recipient"] for event in relay.trace(id) if event["kind"] == "delivered"}
    assert delivered == {"amy@dest.test", "joe@dest.test"}
    assert relay.kinds(id).count("throttled") == 1
    assert len(sink.messages()) == 4 + 1  # the rest of bob's is paced
    events = relay.json("events", "--after", "0", "--limit", "1000")
    assert [e for e in events if e["recipient"] == "hello@club.test" and e["kind"] == "accepted"], "the sender is told"


def test_who_can_get_no_mail_at_all_is_refused_at_rcpt(throttled, sink_factory):
    """Then no message has to be taken first; others in the same message go on."""
    sink = sink_factory()
    relay = throttled()
    with relay.client() as client:
        for i in range(10):  # all that the tenant may send to bob, the reserve too
            assert submit(client, "bob@dest.test", "reset" if i >= 7 else None)[0] == 250, i
        assert submit(client, "bob@dest.test", "reset")[0] == 450
        client.mail("hello@club.test")
        code, text = client.rcpt("Bob+y@dest.test")
        assert code == 450 and re.fullmatch(r'4\.7\.28 Bob\+y@dest\.test: Recipient limit "tenant" is used up \(10 at once, then 1 per 120 s, 60 a '
                                            r'day\): try again in \d+ s', text.decode())
        assert client.rcpt("amy@dest.test")[0] == 250
        code, text = client.data(b"From: <hello@club.test>\r\n\r\nx\r\n")
        assert code == 250
        id = text.decode().split()[-1]
        assert {e["recipient"] for e in relay.wait_kind(id, "delivered")} == {"amy@dest.test"}
        client.mail("hello@club.test")
        codes = [client.rcpt("bob@dest.test")[0] for _ in range(60)]
        assert codes[0] == 450 and codes == sorted(codes)
        wait_for(lambda: client.rcpt("bob@dest.test")[0] == 550)  # the refusals themselves are written down behind
        assert client.docmd("DATA")[0] == 503  # nobody is left


def test_recipients_sent_ahead_are_answered_in_their_order(throttled):
    """They are looked at side by side: each gets its own answer, also between those that are refused at once, twice in one
    message, and when the client has gone before all of them are answered."""
    relay = throttled()
    with relay.client() as client:
        for i in range(10):
            assert submit(client, "bob@dest.test", "reset" if i >= 7 else None)[0] == 250, i
        assert submit(client, "bob@dest.test", "reset")[0] == 450
        kinds = {"Bob+{}@dest.test": 450, "amy{}@dest.test": 250, "no address {}": 501, "bob@dest.test": 450, "amy@dest.test": 250}
        asked = [(text.format(i), code) for i in range(24) for text, code in kinds.items()]
        lines = ["MAIL FROM:<hello@club.test>", *(f"RCPT TO:<{address}>" for address, _ in asked), "RSET", "NOOP"]
        client.sock.sendall("".join(line + "\r\n" for line in lines).encode())
        replies = [client.getreply() for _ in lines]
        assert replies[0][0] == 250 and [code for code, _ in replies[-2:]] == [250, 250]
        for (address, code), (got, text) in zip(asked, replies[1:-2]):
            assert got == code or (code, got) == (450, 550), (address, got, text)
            assert got not in (450, 550) or address in text.decode(), (address, text)
    for _ in range(20):
        client = relay.client()
        client.sock.sendall("".join(line + "\r\n" for line in lines).encode())
        client.close()
    with relay.client() as client:
        assert client.noop()[0] == 250


# What each version brought, newest first, taken back.
STEPS_BACK = {
    22: "DROP TABLE pause;",
    21: "ALTER TABLE event DROP COLUMN source;",
    20: "DROP TABLE speed;",
    19: "DROP TABLE return_path;",
    18: "DROP TABLE webhook; DROP TABLE outbox; ALTER TABLE recipient DROP COLUMN delays;",
    17: "ALTER TABLE recipient DROP COLUMN category;",
    16: "ALTER TABLE event DROP COLUMN category; ALTER TABLE event DROP COLUMN rule; ALTER TABLE suppression DROP COLUMN needed;",
    15: "DROP INDEX tlsrpt_under;",
    14: "ALTER TABLE message DROP COLUMN tls_need;",
    13: "".join(f"DROP TABLE {t};" for t in ("tlsrpt", "tlsrpt_policy", "tlsrpt_report", "tlsrpt_share", "tlsrpt_place")),
    12: "DROP TABLE sts_policy;",
    11: "ALTER TABLE event DROP COLUMN tls_policy; ALTER TABLE event DROP COLUMN tls_result; "
        "ALTER TABLE event DROP COLUMN tlsa;",
    10: "ALTER TABLE event DROP COLUMN first_time;",
    9: "DROP TABLE sent; DROP TABLE event_of; DROP TABLE indexed; CREATE INDEX event_message ON event(message);",
    8: "DROP TABLE rest;",
    7: "",
    6: "".join(f"ALTER TABLE suppression DROP COLUMN {c};" for c in ("every_spelling", "answers", "answered")) +
       "ALTER TABLE once DROP COLUMN content; DROP TABLE report; ALTER TABLE recipient DROP COLUMN report;",
    5: "ALTER TABLE credential DROP COLUMN streams; ALTER TABLE event DROP COLUMN message_id;"
       "ALTER TABLE event DROP COLUMN sender;",
    4: "DROP TABLE login; DROP TABLE audit; ALTER TABLE credential DROP COLUMN scram;",
    3: "".join(f"ALTER TABLE signing_key DROP COLUMN {c};" for c in ("delegated", "since", "seen", "wait")) +
       "ALTER TABLE domain DROP COLUMN captured;",
    2: "DROP TABLE known; DROP TABLE newcomers; DROP TABLE refused; DROP TABLE clock; DROP TABLE suppression;"
       "DROP INDEX recipient_fingerprint; ALTER TABLE recipient DROP COLUMN fingerprint;"
       "ALTER TABLE event DROP COLUMN credential;",
    1: "DROP TABLE rate; DROP TABLE once; DROP TABLE instance;",
}


@pytest.mark.parametrize("version", range(1, 23))
def test_a_store_of_a_version_before_is_brought_up_to_date(relay_factory, dns, version):
    relay = relay_factory(STREAMS)
    database = sqlite3.connect(relay.path / "state" / "state.db")
    for step, sql in STEPS_BACK.items():
        if step >= version:
            database.executescript(sql + f"PRAGMA user_version = {step};")
    database.close()
    relay.start()
    with relay.client() as client:
        assert counts([submit(client, "bob@dest.test") for _ in range(8)])[:2] == (4, 3)


def test_an_address_full_of_sql_is_an_address(throttled):
    relay = throttled()
    hostile = "\"x'); DROP TABLE rate; --\"@dest.test"
    with relay.client() as client:
        replies = [submit(client, hostile) for _ in range(20)]
        assert counts(replies)[:2] == (4, 3)
        assert submit(client, "y'--@dest.test")[0] == 250


def test_every_level_can_be_seen(throttled):
    relay = throttled()
    with relay.client() as client:
        replies = [submit(client, "Bob+x@dest.test") for _ in range(8)]
    shown = relay.json("quota", "show", "bob@DEST.test")
    assert shown["canonical"] == "bob@dest.test"
    keys = {(row["key"], row["class"]): row for row in shown["keys"]}
    assert keys["class", "notification"]["left"] == 0 and keys["class", "security"]["left"] == 5
    assert keys["tenant", ""]["left"] == 0 and keys["recipient", ""]["left"] == 10
    assert keys["class", "notification"]["next"] / 1000 - time.time() > 3000
    assert [d["kind"] for d in shown["decisions"]].count("accepted") == 7
    assert "bob@dest.test" in relay.command("quota", "show", "bob@dest.test")
    paced = replies[4][1].split()[-1]
    assert [row["kind"] for row in relay.json("quota", "explain", paced)] == ["paced"]
    assert "neither paced nor collapsed" in relay.command("quota", "explain", replies[0][1].split()[-1])
    would = relay.json("quota", "simulate", "--to", "bob@dest.test", "--class", "security", "--count", "4")
    assert [row["what"] for row in would] == ["passes", "passes", "passes", "is deferred"]
    fresh = relay.json("quota", "simulate", "--to", "new@dest.test", "--count", "8")
    assert [row["what"] for row in fresh] == ["passes"] * 4 + ["is paced"] * 3 + ["is deferred"]
    relay.command("quota", "reset", "BOB@dest.test")
    with relay.client() as client:
        assert counts([submit(client, "bob@dest.test") for _ in range(8)])[:2] == (4, 3)
    assert relay.command("quota", "show", "nobody", check=False).returncode == 1
    assert {row["tenant"] for row in relay.json("quota", "show", "app")["keys"]} == {"default"}


@pytest.mark.parametrize("field", ["Message-ID: <one@club.test>", "Sealpost-Idempotency-Key: order-7", "Resend-Idempotency-Key: x"])
def test_a_repetition_is_not_sent_again(throttled, sink_factory, field):
    """What a job queue does that has lost the answer."""
    sink = sink_factory()
    relay = throttled()
    fields = field + "\r\n"
    with relay.client() as client:
        code, first = submit(client, "bob@dest.test", fields=fields, body="the same")
        assert code == 250
        id = first.split()[-1]
        for to in ("bob@dest.test", "BOB@DEST.test"):
            code, text = submit(client, to, fields=fields, body="the same")
            assert code == 250 and re.fullmatch(rf"2\.0\.0 duplicate of {id}, not sent again\n2\.0\.0 Ok: queued as \w+", text), text
            assert relay.kinds(text.split()[-1]) == ["collapsed"]
        wait_for(lambda: "delivered" in relay.kinds(id))  # what is not recorded at the kill is delivered again, as promised
        relay.kill()
        relay.start()
    with relay.client() as client:
        assert f"duplicate of {id}" in submit(client, "bob@dest.test", fields=fields, body="the same")[1]
        code, text = submit(client, ["bob@dest.test", "amy@dest.test"], fields=fields, body="the same")  # one of them has not got it
        assert code == 250 and "duplicate" not in text
        wait_for(lambda: "delivered" in relay.kinds(text.split()[-1]))
    assert sorted(relay.kinds(text.split()[-1])) == ["accepted", "collapsed", "delivered"]
    time.sleep(0.3)
    assert len(sink.messages()) == 2
    keys = relay.json("quota", "show", "bob@dest.test")["keys"]
    assert [row["left"] for row in keys if row["class"] == "notification"] == [3]  # it was charged once


RESET = "Somebody wants a new password: https://club.test/reset/MQ/%s/"
BOOKED = "Court 3 is yours on Monday at 10:30."


def test_the_same_once_more_is_collapsed_while_it_waits(throttled):
    """Nobody listens at the receiver for now."""
    relay = throttled()
    with relay.client() as client:
        first = submit(client, "bob@dest.test", body=BOOKED)[1].split()[-1]
        relay.wait_kind(first, "deferred")
        for to in ("bob@dest.test", "Bob+again@DEST.test"):
            code, text = submit(client, to, body=BOOKED, fields="Message-ID: <second@club.test>\r\n" * (to[0] == "B"))
            assert code == 250 and re.fullmatch(rf"2\.0\.0 collapsed into {first}\n2\.0\.0 Ok: queued as \w+", text), text
            assert relay.kinds(text.split()[-1]) == ["collapsed"]
        again = submit(client, "Bob+again@DEST.test", body=BOOKED, fields="Message-ID: <second@club.test>\r\n")[1]
        assert f"duplicate of {first}" in again
        for other in (BOOKED.replace("10:30", "11:30"), BOOKED.replace("3", "4")):  # other bookings
            assert "queued as" in submit(client, "bob@dest.test", body=other)[1]
        assert "queued as" in submit(client, "amy@dest.test", body=BOOKED)[1]  # somebody else
        code, text = submit(client, ["bob@dest.test", "eve@dest.test"], body=BOOKED)
        assert code == 250 and sorted(relay.kinds(text.split()[-1]))[:2] == ["accepted", "collapsed"]
    relay.kill()
    relay.start()
    with relay.client() as client:
        assert f"collapsed into {first}" in submit(client, "bob@dest.test", body=BOOKED)[1]
    assert [row["kind"] for row in relay.json("quota", "explain", text.split()[-1])] == ["collapsed"]
    left = [row["left"] for row in relay.json("quota", "show", "bob@dest.test")["keys"] if row["class"] == "notification"]
    assert left == [1]  # three were charged


@pytest.mark.memory
def test_of_security_mail_the_newest_goes(throttled, sink_factory):
    relay = throttled()
    ids = []
    with relay.client() as client:
        for token in ("c8x4fy-5f1c0c7f2a9b8d4e", "c8x4g1-0b7ad93c55e1f207", "c8x4g9-77aa10ffb2c4e1d8"):
            code, text = submit(client, "bob@dest.test", "reset", body=RESET % token)
            ids.append(text.split()[-1])
            assert code == 250
            if len(ids) == 1:
                relay.wait_kind(ids[0], "deferred")
            else:
                assert re.search(r"paced, next slot in \d+ s\n", text)
                assert relay.kinds(ids[-2])[-1] == "collapsed"
        both = submit(client, ["bob@dest.test", "BOB+x@dest.test"], "reset", body=RESET % "c8x4h1-00aa10ffb2c4e1d9")[1].split()[-1]
    assert sorted(relay.kinds(both)) == ["accepted", "collapsed", "paced"]  # one slot is one mail
    assert [row["id"] for row in relay.json("queue", "list")] == [both]
    assert ids[-1] in [row["reply"] for row in relay.trace(both) if row["kind"] == "paced"][0]
    sink = sink_factory()
    sink.wait(1, 60)
    time.sleep(0.5)
    assert len(sink.messages()) == 1 and b"c8x4h1-00aa10ffb2c4e1d9" in sink.messages()[0][1]
    assert [row["left"] for row in relay.json("quota", "show", "bob@dest.test")["keys"] if row["class"] == "security"] == [4]


@pytest.mark.parametrize("setting", ['limit "alike" { every = 0 }\n', None], ids=["off", "observed"])
def test_collapsing_is_a_setting(throttled, relay_factory, dns, setting):
    relay = throttled(setting) if setting else relay_factory('throttle = "observe"\n').start()
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test", body=BOOKED) for _ in range(3)]
    assert all("queued as" in text for _, text in replies), replies


def test_what_has_failed_may_be_sent_again(throttled, dns, sink_factory):
    sink = sink_factory()
    relay = throttled()
    fields = "Message-ID: <one@club.test>\r\n"
    dns.add("late.test", "TXT", "no mail server yet")
    with relay.client() as client:
        first = submit(client, "bob@late.test", fields=fields, body="the same")[1].split()[-1]
        relay.wait_kind(first, "bounced")
        code, text = submit(client, "bob@late.test", fields=fields, body="the same")
        assert code == 250 and "duplicate" not in text


def test_who_suddenly_writes_to_many_strangers_is_stopped(throttled):
    relay = throttled('limit "first_time" { per_day = 6 }\n')
    with relay.client() as client:
        assert [submit(client, f"u{i}@dest.test")[0] for i in range(10)] == [250] * 10  # its first week
    relay.stop()
    database = sqlite3.connect(relay.path / "state" / "state.db")
    database.execute("DELETE FROM newcomers")
    database.execute("INSERT INTO newcomers(tenant, day, count) VALUES('default', ?, 1)", [int(time.time() // 86400) - 8])
    database.commit()
    database.close()
    relay.start()
    with relay.client() as client:
        assert submit(client, "u1@dest.test")[0] == 250  # known
        replies = [submit(client, f"v{i}@dest.test") for i in range(8)]
        assert [code for code, _ in replies] == [250] * 6 + [450] * 2
        relay.kill()
    relay.start()
    with relay.client() as client:
        assert submit(client, "w@dest.test")[0] == 450  # what was counted is counted still, and not twice
        assert 'limit "first_time"' in replies[6][1] and 0 < int(re.search(r"try again in (\d+) s", replies[6][1])[1]) <= 86400
        assert submit(client, "V1+x@dest.test")[0] == 250  # known by now
        code, text = submit(client, ["u2@dest.test", "stranger@dest.test"])
        assert code == 250 and relay.wait_kind(text.split()[-1], "bounced")[0]["recipient"] == "stranger@dest.test"
    told = [event["reply"] for event in relay.json("events", "--after", "0", "--limit", "1000") if event["kind"] == "newcomers"]
    assert ["3 first-time" in told[0], "6 first-time" in told[1], len(told)] == [True, True, 2]
    rows = {row["key"]: row for row in relay.json("quota", "show", "app")["keys"]}
    assert rows["first_time"]["left"] == 0 and rows["first_time"]["per_day"] == 6
    assert "first_time" in relay.command("quota", "show", "app")


def test_what_was_refused_is_no_repetition(throttled):
    relay = throttled('limit "notification" { every = 1  burst = 1  per_day = 0  hold = 0 }\n')
    with relay.client() as client:
        assert submit(client, "bob@dest.test", fields="Message-ID: <a@club.test>\r\n")[0] == 250
        assert submit(client, "bob@dest.test", fields="Message-ID: <b@club.test>\r\n", body="the same")[0] == 450
        time.sleep(1.1)
        code, text = submit(client, "bob@dest.test", fields="Message-ID: <b@club.test>\r\n", body="the same")
        assert code == 250 and "duplicate" not in text


def test_observe_lets_pass_and_writes_down(throttled, relay_factory, dns):
    relay = relay_factory('throttle = "observe"\n').start()
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test") for _ in range(20)]
        first = submit(client, "amy@dest.test", body=BOOKED)[1].split()[-1]
        again = submit(client, "amy@dest.test", body=BOOKED)[1].split()[-1]
    assert counts(replies) == (20, 0, 0, 0)
    assert relay.log().count("would_throttle") == 16 + 1
    observed = [e for e in relay.json("events", "--after", "0", "--limit", "1000") if e["kind"] == "observed"]
    assert [re.sub(r"\d+ s", "N s", e["reply"]) for e in observed] == \
        ['would be paced: limit "class", N s'] * 3 + ['would be deferred: limit "class", N s', 'would be collapsed: limit "alike", N s']
    assert [row["kind"] for row in relay.json("quota", "explain", again)] == ["observed"]
    assert relay.json("quota", "explain", first) == []


def test_each_stream_says_what_happens_over_the_limit(throttled):
    relay = throttled('stream "soft" { on_limit = "defer" }\nstream "hard" { on_limit = "reject" }\n')
    with relay.client() as client:
        for _ in range(4):
            assert submit(client, "bob@dest.test", "hard")[0] == 250
        assert submit(client, "bob@dest.test", "hard")[0] == 550
        assert submit(client, "bob@dest.test", "soft")[0] == 450
        assert "paced" in submit(client, "bob@dest.test")[1]


def test_a_stream_may_have_a_limit_of_its_own(throttled):
    relay = throttled('stream "chat" { burst = 2  every = 60  hold = 0 }\n')
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test", "chat") for _ in range(3)]
        assert [code for code, _ in replies] == [250, 250, 450] and "2 at once, then 1 per 60 s, 20 a day" in replies[2][1]
        assert [submit(client, "bob@dest.test")[0] for _ in range(4)] == [250] * 4  # the class is not touched
    rows = {(row["key"], row["class"]): row["left"] for row in relay.json("quota", "show", "bob@dest.test")["keys"]}
    assert rows["stream", "chat"] == 0 and rows["class", "notification"] == 0 and rows["class", "digest"] == 3

    def would(*options):
        return [row["what"] for row in relay.json("quota", "simulate", *options, "--count", "3")]

    assert would("--to", "bob@dest.test", "--stream", "chat") == ["is deferred"] * 3
    assert would("--to", "amy@dest.test", "--stream", "chat") == ["passes", "passes", "is deferred"]
    assert would("--to", "amy@dest.test", "--class", "notification") == ["passes"] * 3
    relay.command("quota", "reset", "bob@dest.test")
    with relay.client() as client:
        assert submit(client, "bob@dest.test", "chat")[0] == 250
    assert 'stream "chat" { class = "notification"  on_limit = "pace"  tls = "may"  unsubscribe = "none"  every = 60  burst = 2  per_day = 20  ' \
        'hold = 0  color = "#1a5fb4" }' in relay.command("config", "show")


def test_an_account_has_a_rate_and_a_quota(throttled):
    relay = throttled('limit "rate" { every = 1  burst = 5  per_day = 16 }\n')

    def spend():
        """Until the account may send no more; how many were taken, and what it hears then."""
        for taken in range(100):
            code, text = submit(client, f"u{next(ONE_MORE)}@dest.test")
            if code != 250:
                return taken, code, text
        return None

    with relay.client() as client:
        taken, code, text = spend()
        assert 5 <= taken <= 6 and code == 452 and re.fullmatch(r"4\.4\.5 Sending rate of this account is used up: try again in 1 s", text)
        time.sleep(4)
        taken, code, text = spend()
        assert code == 452 and text.startswith("4.5.3 Daily quota of this account is used up: try again in ")
        rows = {row["key"]: row for row in relay.json("quota", "show", "app")["keys"]}
        assert rows["rate"]["left"] == 0
        shown = relay.json("quota", "show", "app")["decisions"]
        assert len(shown) == 8 and {row["kind"] for row in shown} == {"accepted"}  # half of the day's quota at once
        relay.command("quota", "reset", "app")
        assert submit(client, "u@dest.test")[0] == 250


def test_limits_are_settings(throttled):
    relay = throttled('limit "notification" { every = 1  burst = 2  per_day = 0  hold = 0 }\n'
                      'limit "rate" { every = 1  burst = 6 }\n')
    with relay.client() as client:
        replies = [submit(client, "bob@dest.test") for _ in range(3)]
        assert [code for code, _ in replies] == [250, 250, 450]
        wait = int(re.search(r"try again in (\d+) s", replies[2][1])[1])
        assert wait == 1
        time.sleep(1.1)
        assert submit(client, "bob@dest.test")[0] == 250
        codes = [submit(client, f"u{i}@dest.test")[0] for i in range(8)]
        assert 452 in codes and codes[0] == 250
    shown = relay.command("config", "show")
    assert 'limit "notification" { every = 1  burst = 2  per_day = 0  reserve = 0  hold = 0 }' in shown
