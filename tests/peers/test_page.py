"""The page behind the links: mail programs that post, scanners that look, people who press, and whoever means no good."""

import concurrent.futures
import http.client
import re
import socket
import ssl
import time

import pytest
from conftest import free_port, slack, wait_for

pytestmark = pytest.mark.memory

CONFIG = '''http {{ url = "https://u.club.test"  address = "127.0.0.1:{port}"  tls = "{tls}" }}
stream "news" {{ class = "digest"  unsubscribe = "one-click"  sender = "Sports Club <Süd>"  title = "Club news"  title_de = "Vereinspost" }}
stream "party" {{ class = "invitation"  unsubscribe = "one-click" }}
stream "reset" {{ class = "security" }}
stream "receipt" {{ class = "confirmation" }}
'''


@pytest.fixture(params=["none"])
def page(request, relay_factory, dns, sink_factory):
    return serve(relay_factory, dns, sink_factory, request.param)


def serve(relay_factory, dns, sink_factory, tls):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    port = free_port()
    relay = relay_factory(CONFIG.format(port=port, tls=tls))
    relay.web, relay.web_tls = port, tls == "implicit"
    relay.sink = sink_factory()
    return relay.start()


def link(relay, to="bob@dest.test", stream="news"):
    return relay.json("unsubscribe", "link", "--to", to, "--stream", stream)["url"][len("https://u.club.test"):]


def connect(relay):
    raw = socket.create_connection(("127.0.0.1", relay.web), timeout=20)
    if not relay.web_tls:
        return raw
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(raw, server_hostname="u.club.test")


def exchange(relay, data, pause=0.0):
    """All that comes back."""
    with connect(relay) as s:
        for part in [data] if isinstance(data, bytes) else data:
            s.sendall(part)
            time.sleep(pause)
        answer = b""
        try:
            while chunk := s.recv(65536):
                answer += chunk
        except (ConnectionResetError, ssl.SSLError):
            pass
    return answer


def ask(relay, method, path, body=None, **headers):
    """(status, headers, text) with an ordinary client."""
    kind = http.client.HTTPSConnection if relay.web_tls else http.client.HTTPConnection
    options = {"context": ssl._create_unverified_context()} if relay.web_tls else {}
    client = kind("127.0.0.1", relay.web, timeout=20, **options)
    client.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = client.getresponse()
    return answer.status, dict(answer.getheaders()), answer.read().decode()


def listed(relay):
    return [(row["address"], row["tenant"], row["stream"], row["reason"], row["source"]) for row in relay.json("suppress", "list")]


def refusal(relay, stream, to="bob@dest.test"):
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        client.rcpt(to)
        code, text = client.data(f"From: <hello@club.test>\r\nSubject: {time.monotonic()}\r\nSealpost-Stream: {stream}\r\n\r\nx\r\n".encode())
    return "" if code == 250 else text.decode()


BOUNDARY = "----=_Part_7"
PAIR = b"List-Unsubscribe=One-Click"
MULTIPART = (f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--{BOUNDARY}--\r\n').encode()
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
HOW = {
    "gmail": lambda p: b"POST %s HTTP/1.1\r\nHost: u.club.test\r\n" + FORM + b"Content-Length: 26\r\nUser-Agent: Google\r\n\r\n" + PAIR,
    "yahoo": lambda p: (b"POST %s HTTP/1.1\r\nHost: u.club.test\r\nContent-Type: multipart/form-data; boundary=\"" + BOUNDARY.encode() +
                        b"\"\r\nContent-Length: %d\r\n\r\n" % len(MULTIPART) + MULTIPART),
    "chunked": lambda p: b"POST %s HTTP/1.1\r\nHost: u\r\n" + FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\nList-\r\n15\r\nUnsubscribe=One-Click\r\n0\r\n\r\n",
    "http/1.0": lambda p: b"POST %s HTTP/1.0\r\n" + FORM + b"Content-Length: 26\r\n\r\n" + PAIR,
    "odd case": lambda p: b"POST %s HTTP/1.1\r\nhOST: u\r\ncontent-TYPE: APPLICATION/x-www-form-urlencoded\r\nCONTENT-length: 26\r\n\r\n" + PAIR,
    "encoded": lambda p: b"POST %s HTTP/1.1\r\nHost: u\r\n" + FORM + b"Content-Length: 28\r\n\r\nList%2DUnsubscribe=One-Click",
    "no type": lambda p: b"POST %s HTTP/1.1\r\nHost: u\r\nContent-Length: 26\r\n\r\n" + PAIR,
    "cookies": lambda p: b"POST %s HTTP/1.1\r\nHost: u\r\nCookie: a=b\r\nOrigin: https://evil.test\r\n" + FORM + b"Content-Length: 26\r\n\r\n" + PAIR,
}


@pytest.mark.parametrize("page", ["none", "implicit"], indirect=True)
@pytest.mark.parametrize("how", HOW)
def test_mail_programs_that_post(page, how):
    path = link(page, "Bob@dest.test").encode()
    request = HOW[how](path).replace(b"%s", path)
    for _ in range(2):  # and once more: nothing is different
        began = time.monotonic()
        answer = exchange(page, request)
        assert time.monotonic() - began < slack(1)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.[01] 200 ", head) and b"Location" not in head and b"Set-Cookie" not in head, answer
        assert len(body) < 100
    assert listed(page) == [("bob@dest.test", "default", "news", "unsubscribe", "one-click")]
    assert [e["kind"] for e in page.json("events", "--after", "0", "--limit", "100")].count("suppress_added") == 1


def test_one_click_from_the_mail_itself_ends_the_stream_and_nothing_else(page):
    """What arrives is posted back; the next digest is refused with the reason, the password reset still comes."""
    import email
    assert refusal(page, "news") == ""
    m = email.message_from_bytes(page.sink.wait(1)[0][1])
    url = m["List-Unsubscribe"].strip("<>")
    status, headers, _ = ask(page, "POST", url[len("https://u.club.test"):], m["List-Unsubscribe-Post"],
                             Content_Type="application/x-www-form-urlencoded")
    assert status == 200 and "Strict-Transport-Security" not in headers
    assert 'has unsubscribed from "news"' in refusal(page, "news")
    assert refusal(page, "reset") == refusal(page, "receipt") == refusal(page, "party") == refusal(page, "news", "amy@dest.test") == ""


def test_who_only_looks_changes_nothing(page):
    path = link(page)

    def look(i):
        method = "HEAD" if i % 2 else "GET"
        return ask(page, method, path, User_Agent=["curl/8", "Mozilla/5.0 scanner", "BingPreview/1.0b"][i % 3])

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(look, range(1000)))
    assert {status for status, _, _ in answers} == {200}
    assert {text == "" for (_, _, text), i in zip(answers, range(1000)) if i % 2} == {True}
    assert listed(page) == [] and refusal(page, "news") == ""
    status, headers, text = ask(page, "GET", path)
    assert "Set-Cookie" not in headers and "http-equiv" not in text
    assert "Club news" in text and "Sports Club &lt;Süd&gt;" in text and "<script" not in text and "bob" not in text
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer" and "noindex" in headers["X-Robots-Tag"]
    assert "default-src 'none'" in headers["Content-Security-Policy"] and "form-action 'self'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("action,entry,refused", [
    ("stream", ("default", "news", "unsubscribe", "page"), ["news"]),
    ("all", ("default", "", "unsubscribe", "page"), ["news", "party"]),
    ("flood", ("default", "", "flood", "page"), ["news", "party", "receipt"]),
])
def test_what_people_press_and_undo(page, action, entry, refused):
    path = link(page)
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    status, _, text = ask(page, "POST", path, f"action={action}", **form)
    assert status == 200 and 'role="status"' in text and 'value="undo"' in text and f'value="{action}"' not in text
    assert listed(page) == [("bob@dest.test", *entry)]
    assert [stream for stream in ("news", "party", "receipt", "reset") if refusal(page, stream)] == refused
    assert 'role="status"' in ask(page, "GET", path)[2]  # who comes back sees how it stands
    if action == "flood":
        left = page.json("suppress", "list")[0]["expires"] / 1000 - time.time()
        assert 86390 < left <= 86400


def test_a_second_visit_knows_the_first(page):
    """What is ended since when and until when, whose address it is, and what else can be ended."""
    path = link(page)
    today = time.strftime("%-d %B %Y", time.gmtime())
    text = ask(page, "GET", path)[2]
    assert "b…b@d…t.test" in text and "bob" not in text and 'role="' not in text and text.count("<button") == 3
    ask(page, "POST", path, "action=stream")
    text = ask(page, "GET", path)[2]
    assert "unsubscribed from “<bdi>Club news</bdi>” since <time datetime=" in text and today in text and "b…b@d…t.test" in text
    assert 'value="stream"' not in text and 'value="all"' in text and 'value="flood"' in text
    ask(page, "POST", path, "action=flood")
    text = ask(page, "GET", path)[2]
    until = page.json("suppress", "list", "--reason", "flood")[0]["expires"] / 1000
    assert "paused until" in text and time.strftime("%H:%M UTC", time.gmtime(until)) in text and "since" in text
    assert 'value="flood"' not in text and 'value="all"' in text
    ask(page, "POST", path, "action=all")
    assert "<button" not in ask(page, "GET", path)[2]
    other = ask(page, "GET", link(page, stream="party"))[2]
    assert "Optional emails from" in other and "<button" not in other
    page.command("suppress", "add", "amy@dest.test", "--reason", "complaint")
    assert "have been stopped since" in ask(page, "GET", link(page, "amy@dest.test"))[2]


@pytest.mark.parametrize("to,masked", [
    ("b@dest.test", "…@d…t.test"), ("bo@dest.test", "b…@d…t.test"), ("bob+lists@dest.test", "b…s@d…t.test"), ("jürgen@dest.test", "j…n@d…t.test"),
    ("ö@dest.test", "…@d…t.test"), ("öß@dest.test", "ö…@d…t.test"), ("用户名@dest.test", "用…名@d…t.test"), ("bob@a.b.co.test", "b…b@a…o.test"), ("bob@d.test", "b…b@….test"),
    ('"<b>x"@dest.test', "&quot;…&quot;@d…t.test")])
def test_the_address_is_masked(page, to, masked):
    text = ask(page, "GET", link(page, to))[2]
    assert f'<bdi dir="ltr">{masked}</bdi>' in text and to not in text


def test_errors_do_not_look_like_success(page):
    """An alert, with a colour and a sign of its own - and no status that says what is not so."""
    path = link(page)
    wrong = {"unclear": ask(page, "POST", path, "action=delete"), "not theirs": ask(page, "POST", path, "action=undo"),
             "invalid": ask(page, "GET", path[:-2])}
    for name, (status, _, text) in wrong.items():
        assert 400 <= status < 500 and 'class="note bad" role="alert"' in text and "note good" not in text and 'role="status"' not in text, name
    assert 'class="note bad"' not in ask(page, "POST", path, "action=stream")[2]


COLORS = ["#1a5fb4", "#ffffff", "#000000", "#ffd400", "#777777", "#ff0000", "#00ff00", "#7f3fbf", "#808080", "#e66100"]


def luminance(color):
    parts = [int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_any_colour_of_a_sender_can_be_read(page):
    """WCAG 2.2: 4.5 to 1 for text on the colour, and for text in it on either background."""
    for color in COLORS:
        status, headers, style = ask(page, "GET", f"/x/style-{color[1:]}.css")
        assert status == 200 and headers["Content-Type"] == "text/css; charset=utf-8"
        light, dark = [dict(re.findall(r"--([a-z-]+): *(#[0-9a-f]{6})", part)) for part in re.split(r"@media *\(prefers-color-scheme: *dark\)", style)[:2]]
        assert light["area"] == color
        dark = light | dark
        for theme in (light, dark):
            assert contrast(theme["area"], theme["on"]) >= 4.5, color
            for a, b in (("ink", "card"), ("text", "card"), ("soft", "card"), ("good", "good-area"), ("bad", "bad-area"), ("text", "page")):
                assert contrast(theme[a], theme[b]) >= 4.5, (color, a, theme)
    for wrong in ("style.css", "style-1a5fb.css", "style-1a5fbx.css", "style-1a5fb4%22.css", "style-1a5fb4;}.css"):
        assert ask(page, "GET", "/" + wrong)[0] == 404


@pytest.mark.parametrize("setting", ['color = "red"', 'color = "#12345"', 'color = "#12345g"', 'color = "#1234567"', 'color = "url(x)"'])
def test_wrong_colours_are_explained(relay_factory, setting):
    for where in (f'http {{ url = "https://u.club.test"  {setting} }}', f'stream "x" {{ {setting} }}'):
        relay = relay_factory(where + "\n")
        checked = relay.command("config", "check", check=False)
        assert checked.returncode == 1 and 'setting "color" is "' in checked.stderr and 'allowed is a color, as "#1a5fb4"' in checked.stderr and checked.stderr.count("\n") == 1


def test_the_sender_is_the_streams_or_everybodys(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(CONFIG.format(port=free_port(), tls="none").replace('tls = "none"', 'tls = "none"  sender = "نادي"  color = "#aa0033"')
                          .replace('stream "news" {', 'stream "news" { color = "#ffd400" '))
    relay.web, relay.web_tls = int(re.search(r"127.0.0.1:(\d+)\"  tls = \"none", relay.config.read_text())[1]), False
    relay.start()
    news, party = ask(relay, "GET", link(relay))[2], ask(relay, "GET", link(relay, stream="party"))[2]
    assert "style-ffd400.css" in news and "Sports Club" in news
    assert "style-aa0033.css" in party and "<bdi>نادي</bdi>" in party
    shown = relay.command("config", "show")
    assert 'color = "#aa0033"' in shown and 'color = "#ffd400"' in shown and 'sender = "نادي"' in shown


def test_a_post_that_asks_for_nothing_is_none(page):
    for body in ("", "x=y", "action=delete", "List-Unsubscribe=Two-Clicks", "One-Click", "List-Unsubscribe"):
        assert ask(page, "POST", link(page), body, Content_Type="application/x-www-form-urlencoded")[0] == 400, body
    assert ask(page, "PUT", link(page), "x")[0] == 405
    assert listed(page) == []


def test_what_we_have_not_made_hears_one_sentence(page):
    good = link(page)
    other = link(page, "amy@dest.test")
    wrong = ["/", "/x", good[:-1], good + "A", good[:20] + other[20:], "/" + "A" * 90, "/../../etc/passwd", "/" + "A" * 2000, good.swapcase()]
    texts = set()
    for path in wrong:
        for method in ("GET", "POST"):
            status, _, text = ask(page, method, path, "List-Unsubscribe=One-Click" if method == "POST" else None)
            assert status == 404, path
            texts.add(text)
    assert len(texts) == 1 and "This link is not valid" in texts.pop()
    assert listed(page) == []
    assert ask(page, "GET", "/some/prefix" + good)[0] == 200  # behind a proxy


@pytest.mark.parametrize("accept,language,words", [
    ("de-CH,de;q=0.9,en;q=0.5", "de", "„<bdi>Vereinspost</bdi>“ abbestellen"), ("fr;q=0.4, es;q=0.6", "es", "suscripción a «<bdi>Club news</bdi>»"),
    ("ja", "ja", "「<bdi>Club news</bdi>」の配信を停止する"), ("fr-CA", "fr", "Se désabonner de « <bdi>Club news</bdi> »"), ("pl, *;q=0.1", "pl", "Zrezygnuj"),
    ("eo, sw;q=0.9, uk;q=0.2", "uk", "Відписатися"), ("zh-TW", "zh-Hans", "退订"), ("in-ID", "id", "Berhenti"), ("PT-br", "pt", "Cancelar"),
    ("de;q=0, it;q=0.1", "it", "Annulla"), ("*", "en", "Unsubscribe"), ("eo", "en", "Unsubscribe"), ("", "en", "Unsubscribe"), (",;q=,;;,q", "en", "Unsubscribe")])
def test_the_page_speaks_the_readers_language(page, accept, language, words):
    text = ask(page, "GET", link(page), Accept_Language=accept)[2]
    assert f'<html lang="{language}" dir="ltr">' in text and words in text


@pytest.mark.parametrize("language", ["ar", "fa"])
def test_right_to_left(page, language):
    """Names and the address keep their own direction, in elements and in the title."""
    text = ask(page, "GET", link(page), Accept_Language=language)[2]
    assert f'<html lang="{language}" dir="rtl">' in text and "<bdi>Sports Club &lt;Süd&gt;</bdi>" in text
    assert re.search("<title>.*\u2068Sports Club &lt;Süd&gt;\u2069.*</title>", text) and '<bdi dir="ltr">b…b@d…t.test</bdi>' in text
    style = ask(page, "GET", "/" + re.search(r"style-\w+\.css", text)[0])[2]
    assert not re.search(r"(margin|padding|border)-(left|right)|text-align:(left|right)|[^-](left|right):", style)  # logical properties


def test_hostile_requests_are_bounded(page):
    path = link(page).encode()
    one = b"POST " + path + b" HTTP/1.1\r\nHost: u\r\n"
    smuggled = b"POST " + link(page, "amy@dest.test").encode() + b" HTTP/1.1\r\nHost: u\r\nContent-Length: 26\r\n\r\n" + PAIR
    cases = {
        "two lengths": one + b"Content-Length: 26\r\nContent-Length: 5\r\n\r\n" + PAIR,
        "length and chunks": one + b"Content-Length: 26\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + PAIR,
        "negative length": one + b"Content-Length: -1\r\n\r\n" + PAIR,
        "huge length": one + b"Content-Length: 99999999999999999999\r\n\r\n" + PAIR,
        "100 KB header": one + b"X: " + b"a" * 100000 + b"\r\n\r\n",
        "5,000 fields": one + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n",
        "100 KB body": one + b"Content-Length: 100000\r\n\r\n" + b"x" * 100000,
        "chunk without end": one + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + b"x" * 20000,
        "no http": b"\x16\x03\x01\x02\x00\x01\x00" + b"\xff" * 300,
        "smtp": b"EHLO x\r\nMAIL FROM:<a@b.test>\r\n",
        "nul": b"GET /\x00" + path + b" HTTP/1.1\r\nHost: u\r\n\r\n",
        "a long path": b"GET /" + b"a" * 60000 + b" HTTP/1.1\r\nHost: u\r\n\r\n",
    }

    def attack(name):
        began = time.monotonic()
        answer = exchange(page, cases[name])
        assert not answer or re.match(rb"HTTP/1\.[01] (4|5)\d\d ", answer), (name, answer[:200])
        assert time.monotonic() - began < 25, name

    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        list(pool.map(attack, cases))
    assert listed(page) == []
    answer = exchange(page, HOW["gmail"](b"").replace(b"%s", path) + smuggled)  # what follows is not read
    assert answer.count(b"HTTP/1.") == 1
    assert [entry[0] for entry in listed(page)] == ["bob@dest.test"]


def test_slow_ones_are_cut_off_and_hold_up_nobody(page):
    path = link(page).encode()
    began = time.monotonic()
    slow = [connect(page) for _ in range(40)]
    for s in slow:
        s.sendall(b"POST " + path + b" HTTP/1.1\r\nHost: u\r\nContent-Length: 26\r\n\r\nList")
    assert ask(page, "GET", path.decode())[0] == 200 and time.monotonic() - began < 5
    for _ in range(16):  # a byte now and then: the whole must still be over in half a minute
        time.sleep(2)
        for s in slow:
            try:
                s.sendall(b"-")
            except OSError:
                pass
    for s in slow:
        s.settimeout(5)
        try:
            while s.recv(1000):
                pass
        except ConnectionError:
            pass
        s.close()
    assert time.monotonic() - began < 45 and listed(page) == []


def test_a_thousand_connections(page):
    """Beyond what is served for one address they are closed; afterwards all is as before, and mail goes on meanwhile."""
    many = []
    for _ in range(1000):
        try:
            many.append(socket.create_connection(("127.0.0.1", page.web), timeout=5))
        except OSError:
            break
    for s in many:
        try:
            s.sendall(b"GET / HTTP/1.1\r\n")
        except OSError:
            pass
    assert refusal(page, "reset") == ""
    for s in many:
        s.close()
    wait_for(lambda: ask(page, "GET", link(page))[0] == 200)


def test_the_certificate_is_the_relays_and_is_read_again(relay_factory, dns, sink_factory):
    relay = serve(relay_factory, dns, sink_factory, "implicit")
    assert ask(relay, "GET", link(relay))[1]["Strict-Transport-Security"] == "max-age=31536000"
    before = connect(relay).getpeercert(True)
    fresh = relay.path / "fresh"
    relay.command("init", "other.test", "--dir", str(fresh), "--hostname", "u.club.test", config=False)
    for name in ("cert.pem", "key.pem"):
        (relay.path / name).write_bytes((fresh / name).read_bytes())
    relay.reload()
    assert connect(relay).getpeercert(True) != before
    assert ask(relay, "POST", link(relay), "List-Unsubscribe=One-Click")[0] == 200


def test_a_relay_that_ends_answers_what_it_has_begun(page):
    path = link(page)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(ask, page, "POST", path, "action=stream") for _ in range(50)]
        page.stop()
        done = [a for a in answers if a.exception() is None]
    assert all(a.result()[0] in (200, 503) for a in done)


@pytest.mark.parametrize("page", ["none"], indirect=True)
def test_the_end_may_come_while_more_is_asked(page):
    """Requests that come until the last moment, on connections that are open already: each is answered or closed, and the end is an orderly one."""
    path = link(page)
    request = f"POST {path} HTTP/1.1\r\nHost: u.club.test\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\nConnection: close\r\n\r\naction=stream".encode()

    def press_on():
        try:
            while True:
                exchange(page, request)
        except OSError:
            return

    for _ in range(12):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            pressed = [pool.submit(press_on) for _ in range(8)]
            time.sleep(0.2)
            page.stop()
        assert all(one.exception() is None for one in pressed)
        page.start()


def test_the_log_names_what_was_asked_for(page):
    path = link(page)
    forms = {"one-click": "List-Unsubscribe=One-Click", "nothing": "a=b", **{name: f"action={name}" for name in ("stream", "all", "flood", "undo")}}
    for form in forms.values():
        ask(page, "POST", path, form, Content_Type="application/x-www-form-urlencoded")
    lines = [line for line in page.log().splitlines() if " unsubscribe " in line]
    assert [line.split(" rcpt=bob@dest.test ")[1] for line in lines] == [f"stream=news what={name}" for name in forms], lines


def test_what_is_paused_is_the_mail_of_one_tenant(page):
    """By each spelling of the mailbox, in each of its streams but security; the others' mail goes on, and so do their links."""
    page.add_domain("other.test", "--tenant", "other")
    secret = page.json("user", "add", "other", "--domain", "other.test", "--tenant", "other")["secret"]

    def other(stream, to):
        with page.client(user="other", secret=secret) as client:
            client.ehlo_or_helo_if_needed()
            client.mail("hello@other.test")
            client.rcpt(to)
            text = f"From: <hello@other.test>\r\nSubject: {time.monotonic()}\r\nSealpost-Stream: {stream}\r\n\r\nx\r\n"
            return client.data(text.encode())[0]

    path = link(page, "bob@gmail.com")
    theirs = page.json("unsubscribe", "link", "--to", "bob@gmail.com", "--stream", "news", "--tenant", "other")["url"][len("https://u.club.test"):]
    assert ask(page, "POST", path, "action=flood")[0] == 200
    for to in ("bob@gmail.com", "B.o.b+x@gmail.com"):
        assert [s for s in ("news", "party", "receipt", "reset") if refusal(page, s, to)] == ["news", "party", "receipt"], to
        assert {other(s, to) for s in ("news", "party", "receipt", "reset")} == {250}, to
    text = ask(page, "GET", theirs)[2]
    assert "paused until" not in text and 'value="flood"' in text
    assert ask(page, "POST", theirs, "action=flood")[0] == 200
    assert other("receipt", "bob@gmail.com") == 550 and other("reset", "bob@gmail.com") == 250
    assert sorted(entry[1] for entry in listed(page)) == ["default", "other"]


def test_what_ends_all_is_not_what_pauses(page):
    """Two permits: whoever has the one cannot take the other back."""
    path = link(page)
    cookies = {}
    for action in ("all", "flood"):
        cookies[action] = re.search(r"(__Host-undo-\w+)=([^;]+)", ask(page, "POST", path, f"action={action}")[1]["Set-Cookie"]).groups()
    assert cookies["all"][0] != cookies["flood"][0]
    swapped = f"{cookies['all'][0]}={cookies['flood'][1]}; {cookies['flood'][0]}={cookies['all'][1]}"
    assert ask(page, "POST", path, "action=undo", Cookie=swapped)[0] == 403 and len(listed(page)) == 2
