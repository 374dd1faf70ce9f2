"""Kind: a row or a byte that all tenants share and that nobody is charged for. One tenant's credential is enough for the attacker; what it uses
up is its own share, the others go on, and the operator is told who it is."""

import sqlite3
import threading

import pytest
from conftest import wait_for

pytestmark = pytest.mark.usefixtures("release")

STREAM = 'stream "news" { class = "digest"  unsubscribe = "none" }\nstream "note" { class = "notification"  unsubscribe = "none" }\n'


def make(relay_factory, more):
    relay = relay_factory(STREAM + more)
    relay.start()
    relay.add_domain("eve.test", "--tenant", "eve")
    relay.secrets = {"club.test": ("app", relay.secret),
                     "eve.test": ("eve", relay.json("user", "add", "eve", "--domain", "eve.test", "--tenant", "eve")["secret"])}
    return relay


class Session:
    """Pipelines one message to many recipients."""

    def __init__(self, relay, domain="eve.test"):
        user, secret = relay.secrets[domain]
        self.client = relay.client(user=user, secret=secret)
        self.client.ehlo()
        self.domain = domain

    def send(self, rcpts, id, stream="news"):
        c = self.client
        c.send(f"MAIL FROM:<hello@{self.domain}>\r\n" + "".join(f"RCPT TO:<{r}>\r\n" for r in rcpts) + "DATA\r\n")
        codes = [c.getreply() for _ in range(len(rcpts) + 2)]
        if codes[-1][0] != 354:
            c.docmd("RSET")
            return codes[-1][0], codes[-1][1].decode()
        c.send(f"From: <hello@{self.domain}>\r\nTo: <x@evil.test>\r\nSubject: m\r\nMessage-ID: <{id}@{self.domain}>\r\n"
               f"Sealpost-Stream: {stream}\r\n\r\nx\r\n.\r\n")
        code, text = c.getreply()
        return code, text.decode()


def rows(relay, sql):
    database = sqlite3.connect(relay.path / "state" / "state.db")
    with database:
        found = database.execute(sql).fetchall()
    database.close()
    return found


def bytes_of_events(relay, domain):
    texts = " + ".join(f"length({column})" for column in ("kind", "recipient", "enhanced", "reply", "remote", "credential", "message_id", "sender"))
    return rows(relay, f"SELECT coalesce(sum({texts} + 64), 0) FROM event WHERE sender LIKE '%@{domain}'")[0][0]


def share(relay, tenant, name):
    return next(row for row in relay.json("quota", "shares", "--tenant", tenant) if row["share"] == name)


RCPTS = [f"{'l' * 50}{i}@evil.test" for i in range(100)]
LIMITS = "limits { storage = 2M }\n"  # 1 MiB of events: half is kept in equal parts, so that one of two may have three quarters
MOST = 3 * 1024 * 1024 // 4


@pytest.mark.parametrize("how", ["repeated", "suppressed"])
def test_what_is_sent_again_and_again_fills_no_more_than_a_share_of_the_events(relay_factory, dns, how):
    dns.mail("evil.test", "mx.evil.test=127.0.0.1")
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = make(relay_factory, 'alert { command = "/bin/true" }\n' + LIMITS)
    if how == "suppressed":
        rcpts, code = RCPTS[:20], 550
        for rcpt in rcpts:
            relay.command("suppress", "add", rcpt, "--tenant", "eve")
    else:
        rcpts, code = RCPTS, 250
        assert Session(relay).send(rcpts, "same")[0] == 250
    eve, number = Session(relay), 0
    for number in range(7000 // len(rcpts)):  # some 1.5 MB
        assert eve.send(rcpts, "same" if how == "repeated" else f"n{number}")[0] == code
    used = bytes_of_events(relay, "eve.test")
    assert MOST * 0.9 < used < MOST * 1.1
    # the operator hears who it is
    line = wait_for(lambda: [x for x in relay.log().splitlines() if x.startswith("warn share_used_up")], 20)[0]
    assert "tenant=eve" in line and "what=events" in line and "768 KB" in line, line
    told = wait_for(lambda: relay.json("events", "--kind", "share_used_up"), 20)[0]
    assert told["recipient"] == "eve" and "only counted" in told["reply"], told
    assert [r for r in relay.json("audit", "tail") if r["what"] == "share_used_up" and r["about"].startswith("eve: events: ")]
    wait_for(lambda: "alerted what=share_used_up" in relay.log(), 20)
    row = share(relay, "eve", "events")
    assert row["limit"] == MOST
    wait_for(lambda: share(relay, "eve", "events")["bytes"] > MOST * 0.9, 20, 0.5)  # as of some seconds ago
    assert "limits.storage" in relay.command("quota", "show", "eve")
    # what becomes of mail that is accepted is written, whoever's it is; and others' repetitions are
    code, text = eve.send(["bob@dest.test"], "fresh", "note")
    assert code == 250, text
    id = text.split()[-1]
    wait_for(lambda: [e["kind"] for e in relay.json("trace", id)][:2] == ["accepted", "deferred"])
    if how == "repeated":  # of a message that somebody gets, for those who do not, too
        code, text = eve.send(RCPTS[:2] + ["new@evil.test"], "same")
        kinds = [e["kind"] for e in relay.json("trace", text.split()[-1])]
        assert code == 250 and (kinds.count("collapsed"), kinds.count("accepted")) == (2, 1), (text, kinds)
    other = Session(relay, "club.test")
    assert [other.send(["carol@dest.test"], "twice", "note")[0] for _ in range(2)] == [250, 250]
    assert len(relay.json("events", "--kind", "collapsed", "--recipient", "carol@dest.test")) == 1
    # a restart does not forget it
    relay.stop()
    relay.start()
    eve = Session(relay)
    for number in range(number, number + 60):
        eve.send(rcpts, "same" if how == "repeated" else f"r{number}")
    assert bytes_of_events(relay, "eve.test") < used + 100_000


def test_mail_whose_events_would_be_more_than_a_share_is_not_accepted(relay_factory, dns):
    """What is accepted has its history, however much there is: so eve's is refused before her events take what is kept for the others."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = make(relay_factory, LIMITS)
    for domain in ("eve.test", "club.test"):
        relay.command("domain", "capture", domain)  # held: accepted is all that becomes of it
    eve, other = Session(relay), Session(relay, "club.test")
    taken = 0
    for number in range(200):
        code, text = eve.send([f"u{number}.{i}.{'l' * 40}@dest.test" for i in range(100)], f"n{number}")
        if code != 250:
            break
        taken += 1
    assert code == 452 and text.startswith('4.3.1 Tenant "eve" has ') and "KB of events" in text and "768 KB" in text, (taken, text)
    assert MOST * 0.7 < bytes_of_events(relay, "eve.test") < MOST * 1.05
    assert rows(relay, "SELECT count(*) FROM event WHERE kind = 'accepted' AND sender LIKE '%@eve.test'")[0][0] == 100 * taken
    line = wait_for(lambda: [x for x in relay.log().splitlines() if x.startswith("warn share_used_up")], 20)[0]
    assert "tenant=eve" in line and "what=events" in line, line
    # who has several credentials has one share
    relay.secrets["eve.test"] = ("eve2", relay.json("user", "add", "eve2", "--domain", "eve.test", "--tenant", "eve")["secret"])
    assert Session(relay).send(["new@dest.test"], "again")[0] == 452
    # of the others' nothing is missing: nor of what is only repeated
    mine = [f"b{i}.{'l' * 40}@dest.test" for i in range(100)]
    assert [other.send(mine, name, "note")[0] for name in ("first", "second", "first")] == [250] * 3
    kinds = [kind for kind, in rows(relay, "SELECT kind FROM event WHERE sender LIKE '%@club.test'")]
    assert (kinds.count("accepted"), kinds.count("collapsed")) == (200, 100), kinds
    # a restart does not forget it
    relay.stop()
    relay.start()
    assert Session(relay).send(RCPTS, "more")[0] == 452
    assert Session(relay, "club.test").send(mine, "third", "note")[0] == 250


@pytest.mark.parametrize("how", ["repeated", "suppressed", "collapsed"])
def test_what_is_not_sent_counts_in_the_rate(relay_factory, dns, how):
    """Else who has used it up may go on for ever with what costs it nothing."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = make(relay_factory, 'throttle = "enforce"\nlimit "rate" { burst = 10  every = 600 }\n')
    session = Session(relay)
    if how == "suppressed":
        relay.command("suppress", "add", "bob@dest.test", "--tenant", "eve")
    answers = [session.send(["bob@dest.test"], "same" if how == "repeated" else f"n{i}", "note") for i in range(12)]
    first = 550 if how == "suppressed" else 250
    assert [code for code, _ in answers] == [first] * 10 + [452] * 2, answers
    assert "Sending rate of this account is used up" in answers[-1][1]
    assert len(rows(relay, "SELECT 1 FROM event WHERE kind IN ('collapsed', 'suppressed')")) == (10 if how == "suppressed" else 9)
    assert Session(relay, "club.test").send(["bob@dest.test"], "other", "note")[0] == 250


def test_what_is_refused_by_the_rate_leaves_few_rows(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = make(relay_factory, 'throttle = "enforce"\nlimit "rate" { burst = 1  every = 3600 }\n')
    session = Session(relay)
    answers = [session.send([f"{i}@dest.test"], f"n{i}", "note")[0] for i in range(200)]
    assert answers == [250] + [452] * 199
    minutes = rows(relay, "SELECT minute, count(*), sum(count) FROM refused GROUP BY minute")
    assert sum(refused for _, _, refused in minutes) == 199 and all(count <= 31 for _, count, _ in minutes), minutes
    top = {row["who"]: row["refused"] for row in relay.json("quota", "top", "--limit", "100")}
    assert top["(others)"] > 100 and top["5@dest.test"] == 1
    assert {row["who"]: row["refused"] for row in relay.json("quota", "top", "--by", "user")}["eve"] == 199


def test_recipients_that_wait_fill_no_more_than_a_share_of_the_memory(relay_factory, dns):
    """16M of 128M are for recipients that wait, of which one of two tenants may have three quarters."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = make(relay_factory, "limits { memory = 128M }\n")
    relay.command("domain", "capture", "eve.test")  # held: nobody is asked for names that are not there
    pad = ".".join(("d" * 60, "e" * 60, "f" * 50))
    answers, lock, most = [], threading.Lock(), 12 * 1024 * 1024

    def fill(k):
        session, number = Session(relay), 0
        while True:
            number += 1
            answer = session.send([f"u{j}@{k}-{number}-{j}.{pad}.evil.test" for j in range(100)], f"{k}.{number}")
            with lock:
                answers.append(answer)
            if answer[0] != 250:
                return

    threads = [threading.Thread(target=fill, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code, text = answers[-1]
    assert code == 452 and text.startswith('4.3.1 Tenant "eve" has ') and "12288 KB" in text and "limits.memory" in text, text
    row = share(relay, "eve", "waiting")
    assert most * 0.98 < row["bytes"] <= most == row["limit"], row
    line = wait_for(lambda: [x for x in relay.log().splitlines() if x.startswith("warn share_used_up")], 20)[0]
    assert "tenant=eve" in line and "what=waiting" in line, line
    assert Session(relay, "club.test").send(["bob@dest.test"], "other", "note")[0] == 250
    # after a restart it is the same, and what is gone makes room
    relay.stop()
    relay.start()
    assert share(relay, "eve", "waiting")["bytes"] == row["bytes"]
    more = [f"more{j}@{j}.{pad}.evil.test" for j in range(100)]
    assert Session(relay).send(more, "more")[0] == 452
    relay.command("queue", "delete", relay.queue("--user", "eve", "--limit", "1")[0]["id"])
    assert share(relay, "eve", "waiting")["bytes"] < row["bytes"] - 100 * (120 + len(pad))
    assert Session(relay).send(more, "again")[0] == 250


def test_shares_are_shown_to_people_and_to_programs(relay_factory, dns):
    relay = make(relay_factory, "limits { storage = 8M  memory = 256M }\n")
    shown = {(row["tenant"], row["share"]): row for row in relay.json("quota", "shares")}
    assert set(shown) == {(tenant, name) for tenant in ("default", "eve") for name in ("storage", "waiting", "events", "webhooks")}
    mib = 1024 * 1024
    assert shown["eve", "storage"]["limit"] == 6 * mib and shown["eve", "events"]["limit"] == 3 * mib
    assert shown["eve", "waiting"]["limit"] == 60 * mib
    text = relay.command("quota", "shares", "--tenant", "eve").splitlines()
    assert text[0].split() == ["TENANT", "SHARE", "BYTES", "LIMIT", "OF"] and len(text) == 5
    assert [row["share"] for row in relay.json("quota", "show", "eve")["shares"]] == ["storage", "waiting", "events", "webhooks"]
    assert "of events for webhooks" in relay.command("quota", "show", "eve")
    assert shown["eve", "webhooks"]["bytes"] == 0 and shown["eve", "webhooks"]["limit"] == mib * 3 // 2
    relay.command("webhook", "add", "--tenant", "default", "https://hook.test/")
    relay.wait_kind(relay.send(to="x@dest.test"), "accepted")
    row = share(relay, "default", "webhooks")
    assert 200 < row["bytes"] < 5000 and row["of"] == "its share of a quarter of limits.storage"
