"""Streams that their recipients can end: the fields in the mail, the links, what suppresses what."""

import email
import re

import pytest
from conftest import dkim_passes, split_copy

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
    assert dkim_passes(raw, dns)
    signature = split_copy(raw)[0].decode()
    named = re.sub(r"\s", "", re.search(r"\bh=([^;]*);", signature)[1]).lower().split(":")
    for field in ("list-unsubscribe", "list-unsubscribe-post", "feedback-id"):
        assert named.count(field) == 2, named  # once for the field, once against another one
    for change in (raw.replace(token.encode(), token[:-1].encode() + (b"A" if token[-1] != "A" else b"B")),
                   raw.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
                   raw.replace(b"\r\nFeedback-ID:", b"\r\nList-Unsubscribe: <https://evil.test/>\r\nFeedback-ID:"),
                   raw.replace(b"\r\nFeedback-ID:", b"\r\nList-Unsubscribe-Post: x\r\nFeedback-ID:")):
        assert change != raw and not dkim_passes(change, dns)
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
    ('stream "x" { retry = {0} }', "expires and retry are seconds"),
    ('stream "x" { expires = -1 }', "expires and retry are seconds"),
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
    assert 'stream "quick" { class = "digest"  on_limit = "pace"  unsubscribe = "none"  expires = 4  retry = {1, 2} }' in shown
