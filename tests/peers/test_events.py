"""Searching in what has happened, on a relay as it is installed.

The kind: a list that is cut shows its newest end, in order, whole and once; what somebody knows of a message (recipient,
sender, Message-ID, credential, time) finds all that became of it; and looking never costs the mail anything.
"""

import json
import pathlib
import re
import sqlite3
import subprocess
import threading
import time

import pytest

from conftest import SEALPOST, wait_for


@pytest.fixture
def busy(relay_factory, sink_factory, dns):
    """Four messages to four people, one of whose domains does not exist; its bounce bounces, too. Nothing is written after."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    dns.mail("other.test", "mx.other.test=127.0.0.1")
    relay = relay_factory().start()
    sink_factory(records=relay.records)
    ids = []
    for to, number in (("Bob@dest.test", 1), ("ann@dest.test", 2), ("carl@other.test", 3), ("bob@nowhere.invalid", 4)):
        ids.append(relay.send(to, f"From: <hello@club.test>\r\nTo: <{to}>\r\nMessage-ID: <m{number}@club.test>\r\n"
                                  f"Subject: {number}\r\n\r\nhello {number}\r\n", sender=f"s{number}@club.test"))
    for id in ids[:3]:
        relay.wait_kind(id, "delivered")
    relay.wait_kind(ids[3], "bounced")
    wait_for(lambda: relay.json("events", "--recipient", "s4@club.test", "--kind", "bounced") and not relay.queue())
    relay.ids = ids
    return relay


def ids(relay, *options):
    return [event["event"] for event in relay.json("events", *options)]


def test_a_list_that_is_cut_ends_with_the_newest(busy):
    all_of_them = ids(busy, "--limit", "1000")
    assert all_of_them == sorted(all_of_them) and len(all_of_them) >= 11
    for limit in (1, 3, len(all_of_them) - 1, len(all_of_them)):
        assert ids(busy, "--limit", str(limit)) == all_of_them[-limit:]
    assert ids(busy, "--after", str(all_of_them[2]), "--limit", "2") == all_of_them[3:5]
    assert ids(busy, "--after", "0", "--limit", "1000") == all_of_them


def test_pages_are_whole_and_do_not_overlap(busy):
    all_of_them, pages, before = ids(busy, "--limit", "1000"), [], []
    while True:
        page = ids(busy, "--limit", "3", *before)
        if not page:
            break
        pages = page + pages
        before = ["--before", str(page[0])]
    assert pages == all_of_them


KNOWN = [
    (["--recipient", "bob@DEST.test"], {0}), (["--recipient", "@dest.test"], {0, 1}), (["--recipient", "dest.test"], set()),
    (["--sender", "s3@club.test"], {2}), (["--sender", "S3@club.TEST"], {2}), (["--message-id", "<m4@club.test>"], {3}),
    (["--message-id", "m4@club.test"], {3}),  # as applications write it down
    (["--message-id", "<m4@club.test>", "--sender", "s3@club.test"], set()), (["--user", "app"], {0, 1, 2, 3}),
    (["--user", "nobody"], set()), (["--kind", "bounced"], {3}), (["--kind", "delivered", "--sender", "s1@club.test"], {0}),
    (["--since", "1h"], {0, 1, 2, 3}), (["--until", "1h"], set()), (["--since", "2020-01-01", "--until", "2020-01-02"], set()),
    (["--recipient", "' OR 1=1 --"], set()), (["--recipient", "%"], set()), (["--recipient", ""], set()),
]


def test_what_is_known_of_a_message_finds_it(busy):
    for options, found in KNOWN:
        seen = {event["id"] for event in busy.json("events", *options)}
        assert seen & set(busy.ids) == {busy.ids[i] for i in found}, options


def test_a_search_by_sender_tells_the_whole_story(busy):
    kinds = [event["kind"] for event in busy.json("events", "--sender", "s1@club.test")]
    assert kinds[0] == "accepted" and kinds[-1] == "delivered"


def test_wrong_options_are_one_line(busy):
    for options in (["--since", "yesterday"], ["--limit", "0"], ["--limit", "x"], ["--after", "-1"], ["--until", "2026-13-01"],
                    ["--before", "99999999999999999999"]):
        done = busy.command("events", *options, check=False)
        assert done.returncode == 2 and done.stdout == "" and options[0] in done.stderr, options


def test_following_prints_no_titles_again_and_takes_filters(busy):
    follower = subprocess.Popen([SEALPOST, "-c", str(busy.config), "events", "--follow", "--kind", "delivered", "--limit", "1"],
                                stdout=subprocess.PIPE, text=True)
    lines = []
    threading.Thread(target=lambda: lines.extend(iter(follower.stdout.readline, "")), daemon=True).start()
    try:
        wait_for(lambda: len(lines) >= 1)
        for number in (5, 6):
            busy.wait_kind(busy.send("ann@dest.test", f"From: <hello@club.test>\r\nSubject: {number}\r\n\r\n{number}\r\n"), "delivered")
        wait_for(lambda: len(lines) >= 3)
    finally:
        follower.terminate()
        follower.wait()
    assert len(lines) == 3 and all(" delivered " in line for line in lines), lines
    assert not any("RECIPIENT" in line for line in lines)


@pytest.mark.alone("measures how long mail waits")
def test_a_table_of_a_million_is_searched_beside_the_mail(relay_factory, sink_factory, dns):
    """The search runs in steps with a database of its own; each 250 meanwhile comes as it does otherwise."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    sink_factory(records=relay.records)
    relay.wait_kind(relay.send("first@dest.test"), "delivered")
    relay.stop()
    db = sqlite3.connect(relay.path / "state" / "state.db")
    db.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) "
               "INSERT INTO event(at, kind, message, recipient, code, enhanced, reply, remote, message_id) "
               "SELECT (SELECT max(at) FROM event), 'accepted', i, 'r' || i || '@many.test', 250, '2.0.0', 'hello@club.test', "
               "'', '<' || i || '@many.test>' FROM n")
    db.commit()
    db.close()
    relay.start()
    search = subprocess.Popen([SEALPOST, "-c", str(relay.config), "--json", "events", "--recipient", "first@dest.test"],
                              stdout=subprocess.PIPE, text=True)
    slowest = 0
    while search.poll() is None:
        begun = time.monotonic()
        relay.send("later@dest.test", f"From: <hello@club.test>\r\nSubject: x\r\n\r\n{begun}\r\n")
        slowest = max(slowest, time.monotonic() - begun)
    assert [e["kind"] for e in json.loads(search.stdout.read())] == ["accepted", "delivered"]
    assert slowest < 2.0
    begun = time.monotonic()
    assert len(relay.json("events", "--since", "1h", "--recipient", "r999999@many.test")) == 1
    assert time.monotonic() - begun < 10


def kinds_of(relay):
    text = relay.command("events", "--kind", "?????????", check=False).stderr
    return text.split("known are ")[1].strip().split(", ")


@pytest.mark.parametrize("word, near", [("delivred", "delivered"), ("bounce", "bounced"), ("Deferred", "deferred"), ("supressed", "suppressed"),
                                        ("auth-refused", "auth_refused"), ("xyzzy", None), ("", None), ("delivered,bounced", None)])
def test_a_kind_that_is_none_is_refused_with_those_that_are(relay_factory, word, near):
    """It would find nothing for ever, and --follow would wait for it."""
    relay = relay_factory()
    for options in ((), ("--follow",)):
        done = relay.command("events", "--kind", word, *options, check=False)
        assert done.returncode == 2 and done.stdout == "" and f'no kind of event "{word}"' in done.stderr, done.stderr
        assert f'did you mean "{near}"?' in done.stderr if near else "known are accepted, " in done.stderr, done.stderr


def test_every_kind_that_is_written_can_be_asked_for(busy):
    """Those of this store, and those in the program's text."""
    kinds = kinds_of(busy)
    assert kinds == sorted(kinds) and {row["kind"] for row in busy.json("events", "--limit", "1000")} <= set(kinds)
    source = pathlib.Path(__file__).resolve().parents[2] / "relay"
    found = set()
    for path in source.rglob("*.c"):
        text = path.read_text()
        found |= set(re.findall(r'\.kind = "(\w+)"', text)) | set(re.findall(r'rows_mail_event\([^;]*?, "(\w+)",', text))
        found |= set(re.findall(r'\bnote(?:_change)?\((?:db|p), (?:report, )?"(\w+)"', text)) | set(re.findall(r'MAIL_\w+, "(\w+)"\}', text))
    alerts = (source.parent / "policy" / "limits" / "alert.c").read_text()
    found |= set(re.findall(r'\[ALERT_\w+\] = "(\w+)"', alerts)) - {"admin"}  # which is no event, but a row of the audit trail
    assert len(found) > 22 and found <= set(kinds), found - set(kinds)
    assert "admin" not in kinds
    for kind in kinds:
        busy.json("events", "--kind", kind)
