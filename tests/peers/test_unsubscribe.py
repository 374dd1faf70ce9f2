"""Streams that their recipients can end: the fields in the mail, the links, what suppresses what."""

import csv
import email
import io
import json
import re
import time

import pytest
from conftest import dkim_passes, split_copy, wait_for
from test_servers import perl_passes

URL = "https://u.club.test"
CONFIG = f'''http {{ url = "{URL}/" }}
stream "news" {{ class = "digest"  unsubscribe = "one-click"  title = "Club news"  title_de = "Neues vom Verein" }}
stream "party" {{ class = "invitation"  unsubscribe = "own-url"  url = "https://club.test/bye?u={{recipient}}&t={{token}}" }}
stream "reset" {{ class = "security" }}
'''


@pytest.fixture
def relay(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(CONFIG)
    relay.sink = sink_factory()
    return relay.start()


def message(stream, fields=""):
    return f"From: <hello@club.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\nSealpost-Stream: {stream}\r\n{fields}\r\nhello\r\n"


def arrived(relay, count=1):
    """The copies, as (recipients, message, bytes)."""
    return [(about["recipients"] if "recipients" in about else about, email.message_from_bytes(raw), raw)
            for about, raw in relay.sink.wait(count)]


def link(m):
    assert m["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    return re.fullmatch(r"<(https://[\x21-\x7e]+)>", m["List-Unsubscribe"])[1]


def test_a_stream_carries_its_link_inside_the_signature(relay, dns):
    relay.send(message=message("news"))
    _, m, raw = arrived(relay)[0]
    token = link(m)[len(URL) + 1:]
    assert link(m).startswith(URL + "/") and re.fullmatch(r"[A-Za-z0-9_-]{50,120}", token)
    line = re.search(rb"^List-Unsubscribe: .*\r\n(?![ \t])", raw, re.M)
    assert line and len(line[0]) < 200  # never folded
    assert re.fullmatch(r"news:default:digest:sp[0-9a-f]{10}", m["Feedback-ID"])
    assert dkim_passes(raw, dns) and perl_passes(raw, dns)
    signature = split_copy(raw)[0].decode()
    named = re.sub(r"\s", "", re.search(r"\bh=([^;]*);", signature)[1]).lower().split(":")
    for field in ("list-unsubscribe", "list-unsubscribe-post", "feedback-id"):
        assert named.count(field) == 2, named  # once for the field, once against another one
    for change in (raw.replace(token.encode(), token[:-1].encode() + (b"A" if token[-1] != "A" else b"B")),
                   raw.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
                   raw.replace(b"\r\nFeedback-ID:", b"\r\nList-Unsubscribe: <https://evil.test/>\r\nFeedback-ID:"),
                   raw.replace(b"\r\nFeedback-ID:", b"\r\nList-Unsubscribe-Post: x\r\nFeedback-ID:")):
        assert change != raw and not dkim_passes(change, dns) and not perl_passes(change, dns)
    shown = relay.json("unsubscribe", "inspect", link(m))
    assert shown == {"recipient": "bob@dest.test", "stream": "news", "tenant": "default"}
    assert relay.json("unsubscribe", "link", "--to", "bob@dest.test", "--stream", "news")["url"] == link(m)


def test_everybody_gets_a_link_of_their_own(relay, dns):
    relay.send(to=["bob@dest.test", "amy@dest.test", "eve@dest.test"], message=message("news"))
    copies = arrived(relay, 3)
    whom = [relay.json("unsubscribe", "inspect", link(m))["recipient"] for _, m, _ in copies]
    assert sorted(whom) == ["amy@dest.test", "bob@dest.test", "eve@dest.test"]
    assert all(person in str(about) for person, (about, _, _) in zip(whom, copies))
    assert all(dkim_passes(raw, dns) for _, _, raw in copies)


def test_a_stream_without_links_leaves_as_one_copy(relay):
    relay.send(to=["bob@dest.test", "amy@dest.test"], message=message("reset"))
    _, m, _ = arrived(relay)[0]
    assert m["List-Unsubscribe"] is None and m["List-Unsubscribe-Post"] is None and m["Feedback-ID"] is None
    assert len(relay.sink.messages()) == 1


def test_the_operators_own_page(relay):
    relay.send(message=message("party"))
    _, m, _ = arrived(relay)[0]
    got = re.fullmatch(r"https://club\.test/bye\?u=bob%40dest\.test&t=([\w-]+)", link(m))
    assert relay.json("unsubscribe", "inspect", got[1])["stream"] == "party"
    assert relay.json("unsubscribe", "inspect", link(m))["recipient"] == "bob@dest.test"


def test_what_the_application_sets_is_kept_and_checked(relay, dns):
    own = "List-Unsubscribe: <mailto:u@club.test>, <https://club.test/u/7>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    relay.send(message=message("news", own + "Feedback-ID: a:b:c:mine5\r\n"))
    _, m, raw = arrived(relay)[0]
    assert m.get_all("List-Unsubscribe") == ["<mailto:u@club.test>, <https://club.test/u/7>"] and m.get_all("Feedback-ID") == ["a:b:c:mine5"]
    assert dkim_passes(raw, dns)
    with relay.client() as client:
        for wrong in ("List-Unsubscribe: <http://club.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
                      "List-Unsubscribe: https://club.test/u\r\n", own + "List-Unsubscribe: <https://evil.test/>\r\n"):
            client.mail("hello@club.test")
            client.rcpt("bob@dest.test")
            code, text = client.data(message("news", wrong).encode())
            assert code == 550 and text.startswith(b"5.6.0 List-Unsubscribe"), text


def test_keys_rotate_and_old_links_stay_good(relay):
    before = relay.json("unsubscribe", "link", "--to", "bob@dest.test", "--stream", "news")["url"]
    relay.command("unsubscribe", "rotate")
    relay.reload()
    relay.send(message=message("news"))
    _, m, _ = arrived(relay)[0]
    assert link(m) != before
    assert {relay.json("unsubscribe", "inspect", url)["recipient"] for url in (before, link(m))} == {"bob@dest.test"}
    for _ in range(14):
        relay.command("unsubscribe", "rotate")
    assert relay.json("unsubscribe", "inspect", before)["recipient"] == "bob@dest.test"  # sixteen keys
    relay.command("unsubscribe", "rotate")
    assert relay.command("unsubscribe", "inspect", before, check=False).returncode == 1
    assert relay.command("unsubscribe", "inspect", link(m)[:-1], check=False).returncode == 1


@pytest.mark.parametrize("stream,why", [
    ('stream "x" { class = "security"  unsubscribe = "one-click" }', "cannot be unsubscribed from"),
    ('stream "x" { unsubscribe = "one-click" }', "one-click links need http"),
    ('stream "x" { unsubscribe = "own-url"  url = "http://x.test/" }', "needs a url"),
    ('stream "x" { unsubscribe = "maybe" }', '"none", "one-click" or "own-url"'),
    ('stream "x" { retry = {0} }', "allowed is times from 1 to 31622400 s"),
    ('stream "x" { expires = -1 }', 'setting "expires" is "-1"'),
], ids=str)
def test_wrong_settings_are_explained(relay_factory, stream, why):
    relay = relay_factory(stream + "\n")
    checked = relay.command("config", "check", check=False)
    assert checked.returncode == 1 and why in checked.stderr and checked.stderr.count("\n") == 1


def test_a_stream_has_its_own_patience(relay_factory, dns):
    """Tried again when it says, given up when it says."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory('stream "quick" { class = "digest"  expires = 4  retry = {1, 2} }\n').start()
    id = relay.send(message=message("quick"))
    relay.wait_kind(id, "expired", 40)
    assert 1 <= relay.kinds(id).count("deferred") <= 4
    shown = relay.command("config", "show")
    assert 'stream "quick" { class = "digest"  on_limit = "pace"  tls = "may"  unsubscribe = "none"  color = "#1a5fb4"  expires = 4  retry = {1, 2} }' in shown


# ---- suppression ----

STREAMS = CONFIG + '''stream "reminder" { class = "notification" }
stream "receipt" { class = "confirmation" }
'''


@pytest.fixture
def strict(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(STREAMS)
    relay.sink = sink_factory()
    return relay.start()


def answer(client, stream, to="bob@dest.test"):
    """What is said to one message, "" for yes."""
    recipients = [to] if isinstance(to, str) else to
    client.ehlo_or_helo_if_needed()
    client.mail("hello@club.test")
    for recipient in recipients:
        assert client.rcpt(recipient)[0] == 250
    code, text = client.data(message(stream, f"X-Number: {time.monotonic()}\r\n").encode())
    return "" if code == 250 else f"{code} {text.decode()}"


EVERY = ["reset", "receipt", "reminder", "party", "news"]


@pytest.mark.parametrize("entry,kept_back", [
    (["--reason", "unsubscribe", "--stream", "news"], ["news"]),
    (["--reason", "unsubscribe", "--stream", "receipt"], ["receipt"]),
    (["--reason", "unsubscribe", "--stream", "reset"], []),
    (["--reason", "unsubscribe"], ["reminder", "party", "news"]),
    (["--reason", "complaint"], ["receipt", "reminder", "party", "news"]),
    (["--reason", "flood", "--tenant", ""], ["receipt", "reminder", "party", "news"]),
    (["--reason", "bounce"], ["receipt", "reminder", "party", "news"]),  # said once
    (["--reason", "manual"], EVERY),
    (["--reason", "manual", "--stream", "reset"], ["reset"]),
    (["--tenant", "others"], []),
    ([], EVERY),
], ids=lambda value: "-".join(value) or "none")
def test_what_keeps_back_what(strict, entry, kept_back):
    strict.command("suppress", "add", "Bob@DEST.test", *entry)
    with strict.client() as client:
        said = {stream: answer(client, stream, "BOB@dest.test") for stream in EVERY}
        assert [stream for stream, text in said.items() if text] == kept_back
        today = time.strftime("%Y-%m-%d", time.gmtime())
        assert all(text.startswith("550 5.7.1 BOB@dest.test: Recipient") and today in text for text in said.values() if text), said
        assert answer(client, "news", "amy@dest.test") == "" and answer(client, "news", "bob+x@dest.test") == ""
    if kept_back:
        assert "suppressed" in [e["kind"] for e in strict.json("events", "--after", "0", "--limit", "1000")]
    assert strict.command("suppress", "remove", "bob@dest.test")
    with strict.client() as client:
        assert not any(answer(client, stream) for stream in EVERY)


def test_in_a_message_to_many_the_others_get_it_and_the_sender_is_told(strict):
    strict.command("suppress", "add", "bob@dest.test", "--reason", "unsubscribe", "--stream", "reminder")
    with strict.client() as client:
        client.mail("hello@club.test")
        for to in ("bob@dest.test", "amy@dest.test"):
            client.rcpt(to)
        code, text = client.data(message("reminder").encode())
    id = text.decode().split()[-1]
    assert strict.wait_kind(id, "suppressed")[0]["recipient"] == "bob@dest.test"
    assert strict.wait_kind(id, "delivered")[0]["recipient"] == "amy@dest.test"
    told = wait_for(lambda: [e for e in strict.json("events", "--after", "0", "--limit", "1000")
                             if e["recipient"] == "hello@club.test" and e["kind"] == "accepted"])
    assert told and len(strict.sink.messages()) >= 1
    assert not any("bob" in str(about) for about, _ in strict.sink.messages())


def test_what_waits_stops_too(relay_factory, dns, sink_factory):
    """The receiver is away; meanwhile the recipient unsubscribes."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(STREAMS).start()
    ids = {stream: relay.send(message=message(stream)) for stream in ("news", "reset")}
    for id in ids.values():
        relay.wait_kind(id, "deferred")
    relay.command("suppress", "add", "bob@dest.test", "--reason", "unsubscribe", "--stream", "news")
    sink = sink_factory()
    relay.command("queue", "retry", "--all")
    assert relay.wait_kind(ids["news"], "suppressed", 40)[0]["reply"].startswith('Recipient has unsubscribed from "news"')
    relay.wait_kind(ids["reset"], "delivered", 40)
    assert relay.kinds(ids["news"])[-1] == "suppressed"
    assert not any(b"\r\nList-Unsubscribe: <" in raw for _, raw in sink.messages())


def test_the_list_goes_out_and_in_again(strict):
    for i in range(3):
        strict.command("suppress", "add", f"u{i}@dest.test", "--reason", "complaint", "--expires", "30d")
    strict.command("suppress", "add", '"a,b"@dest.test', "--stream", "news", "--reason", "unsubscribe")
    out = strict.command("suppress", "export")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["address"] for row in rows] == ['"a,b"@dest.test', "u0@dest.test", "u1@dest.test", "u2@dest.test"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["created"]) for row in rows)
    assert rows[0]["expires"] == "" and rows[1]["expires"] > rows[1]["created"]
    as_json = json.loads(strict.command("suppress", "export", "--format", "json"))
    assert [dict(row) for row in rows] == as_json
    for row in rows:
        strict.command("suppress", "remove", row["address"])
    assert strict.json("suppress", "list") == []
    kinds = [e["kind"] for e in strict.json("events", "--after", "0", "--limit", "1000")]
    assert kinds.count("suppress_added") == 4 and kinds.count("suppress_removed") == 4
    for name, text in (("list.csv", "\ufeff" + out), ("list.json", json.dumps(as_json))):
        (strict.path / name).write_text(text, encoding="utf-8", newline="")
        assert strict.command("suppress", "import", str(strict.path / name)).startswith("4 entries read, " + ("4" if name[5] == "c" else "0"))
    assert strict.command("suppress", "export") == out
    big = "address,reason\n" + "".join(f"m{i}@dest.test,manual\n" for i in range(2500))
    done = strict.command("suppress", "import", "-", input=big)
    assert done.startswith("2500 entries read, 2500")
    assert len(strict.json("suppress", "list")) == 2504
    for wrong, why in (("address\nnot an address\n", "is not an address"), ('address\n"open\n', "line 2"),
                       ("address,created\na@b.test,yesterday\n", "is not a time"), ("address,reason\na@b.test,spite\n", "is not a reason")):
        done = strict.command("suppress", "import", "-", input=wrong, check=False)
        assert done.returncode != 0 and why in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_an_entry_ends_by_itself(strict):
    strict.command("suppress", "add", "bob@dest.test", "--reason", "flood", "--tenant", "", "--expires", "2s")
    with strict.client() as client:
        assert "after a flood" in answer(client, "news")
        time.sleep(2.1)
        assert answer(client, "news") == ""
