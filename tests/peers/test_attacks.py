"""The attack table's rows that need real connections, as server and as client; each test is named after its rows.

tests/attacks lists every row and where it is shown.
"""

import ctypes
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from conftest import free_port, slack, wait_for
from test_alignment import submit

pytestmark = pytest.mark.memory

# What may stand in no output of ours: controls (LF ends its lines), what turns text around, what nobody sees.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


# ---- OpenSSL as nobody should use it ----

class Libssl:
    """One TLS connection over a connected socket, made with libssl itself: it can do what Python's ssl cannot."""

    UPDATE_REQUESTED = 1

    def __init__(self, sock, server=None, version=None):
        """`server`: (certificate, key) to be the server."""
        self.lib = lib = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_client_method", "TLS_server_method", "SSL_CTX_new", "SSL_new"):
            getattr(lib, name).restype = ctypes.c_void_p
        for name, types in {"SSL_CTX_new": [ctypes.c_void_p], "SSL_new": [ctypes.c_void_p],
                            "SSL_CTX_ctrl": [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_void_p],
                            "SSL_CTX_use_certificate_file": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
                            "SSL_CTX_use_PrivateKey_file": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
                            "SSL_set_fd": [ctypes.c_void_p, ctypes.c_int], "SSL_connect": [ctypes.c_void_p],
                            "SSL_accept": [ctypes.c_void_p], "SSL_key_update": [ctypes.c_void_p, ctypes.c_int],
                            "SSL_do_handshake": [ctypes.c_void_p], "SSL_renegotiate": [ctypes.c_void_p],
                            "SSL_write": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
                            "SSL_read": [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int],
                            "SSL_shutdown": [ctypes.c_void_p]}.items():
            getattr(lib, name).argtypes = types
        self.sock = sock
        context = lib.SSL_CTX_new(lib.TLS_server_method() if server else lib.TLS_client_method())
        if version:
            for control in (123, 124):  # the lowest and the highest version
                lib.SSL_CTX_ctrl(context, control, version, None)
        if server:
            assert lib.SSL_CTX_use_certificate_file(context, str(server[0]).encode(), 1) == 1
            assert lib.SSL_CTX_use_PrivateKey_file(context, str(server[1]).encode(), 1) == 1
        self.ssl = lib.SSL_new(context)
        sock.settimeout(None)
        lib.SSL_set_fd(self.ssl, sock.fileno())
        assert (lib.SSL_accept if server else lib.SSL_connect)(self.ssl) == 1

    def write(self, data):
        return self.lib.SSL_write(self.ssl, data, len(data)) == len(data)

    def read(self):
        into = ctypes.create_string_buffer(16384)
        got = self.lib.SSL_read(self.ssl, into, 16384)
        return into.raw[:got] if got > 0 else b""

    def line(self):
        text = b""
        while not text.endswith(b"\r\n"):
            got = self.read()
            if not got:
                return text
            text += got
        return text

    def key_update(self):
        return self.lib.SSL_key_update(self.ssl, self.UPDATE_REQUESTED) == 1 and self.lib.SSL_do_handshake(self.ssl) == 1

    def renegotiate(self):
        return self.lib.SSL_renegotiate(self.ssl) == 1 and self.lib.SSL_do_handshake(self.ssl) == 1

    def close_notify(self):
        self.lib.SSL_shutdown(self.ssl)


def connect(relay, version=None):
    return Libssl(socket.create_connection(("127.0.0.1", relay.submissions)), version=version)


def resident_kb(relay):
    with open(f"/proc/{relay.process.pid}/status") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])


def test_T11_key_updates_without_end(relay):
    client = connect(relay)
    assert client.line().startswith(b"220")
    done = 0
    while done < 5000 and client.key_update():
        done += 1
    client.write(b"NOOP\r\n")  # cut off, whatever the kernel held of them
    assert b"250" not in client.line()
    client = connect(relay)
    assert client.line().startswith(b"220")
    for _ in range(50):  # as many as one likes, when something is said between
        assert client.key_update() and client.write(b"NOOP\r\n")
        assert client.line().startswith((b"250", b"530"))


def test_T11_a_handshake_inside_the_session(relay):
    client = connect(relay, version=0x0303)
    assert client.line().startswith(b"220")
    client.renegotiate()
    client.write(b"NOOP\r\n")
    while True:
        got = client.read()
        if not got:
            break
        assert b"250" not in got
    relay.send()  # and the next one is served


def test_T11_records_of_one_byte_and_one_too_large(relay, sink):
    client = connect(relay)
    client.line()
    for byte in b"EHLO c.test\r\n":
        assert client.write(bytes([byte]))
    assert client.line().startswith(b"250-")
    raw = socket.create_connection(("127.0.0.1", relay.submissions))
    context = relay.context()
    s = context.wrap_socket(raw)
    s.recv(100)
    bare = socket.socket(fileno=os.dup(s.fileno()))
    bare.settimeout(10)
    bare.sendall(b"\x17\x03\x03\x48\x01" + b"x" * 0x4801)
    with pytest.raises((ssl.SSLError, OSError)):
        if s.recv(100) == b"":
            raise ssl.SSLError("closed")
    relay.send()
    assert len(sink.wait(1)) == 1


def test_T11_no_early_data(relay, tmp_path):
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.submissions}", "-tls1_3", "-sess_out",
                                str(tmp_path / "session")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(slack(1))  # the ticket comes with the greeting
    assert "Max Early Data: 0" in process.communicate("QUIT\n", timeout=20)[0]
    (tmp_path / "early").write_text("EHLO early.test\r\n")
    again = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{relay.submissions}", "-tls1_3", "-sess_in",
                            str(tmp_path / "session"), "-early_data", str(tmp_path / "early")], input="QUIT\n",
                           capture_output=True, text=True, timeout=30)
    assert "Early data was accepted" not in again.stdout


BROWSER = (b"POST / HTTP/1.1\r\nHost: mail.club.test\r\nContent-Length: 120\r\n\r\nEHLO x\r\nAUTH PLAIN AGFwcABzZWNyZXQ=\r\n"
           b"MAIL FROM:<hello@club.test>\r\nRCPT TO:<bob@dest.test>\r\nDATA\r\n")


def test_T12_a_browser_that_was_sent_here(relay):
    """ALPACA: somebody's page makes a browser speak to us; and SMTP spoken to our page."""
    with socket.create_connection(("127.0.0.1", relay.submissions)) as raw, relay.context().wrap_socket(raw) as s:
        s.sendall(BROWSER)
        said = b"".join(iter(lambda: s.recv(4096), b""))
    assert re.fullmatch(rb"220 [^\r\n]*\r\n421 4\.7\.0 [^\r\n]*\r\n", said) and b"POST" not in said
    context = relay.context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", relay.submissions)) as raw, pytest.raises(ssl.SSLError):
        context.wrap_socket(raw)


def test_T12_smtp_spoken_to_the_page(relay_factory):
    page = free_port()
    relay = relay_factory(f'http {{ address = "127.0.0.1:{page}" tls = "implicit" url = "https://u.club.test" }}\n'
                          'stream "news" { class = "digest" unsubscribe = "one-click" }').start()
    with socket.create_connection(("127.0.0.1", page)) as raw, relay.context().wrap_socket(raw) as s:
        s.settimeout(20)
        s.sendall(b"EHLO evil.test\r\nMAIL FROM:<\x1b[2J@evil.test>\r\nRCPT TO:<b@dest.test>\r\nDATA\r\n\r\n")
        said = b""
        try:
            said = b"".join(iter(lambda: s.recv(4096), b""))
        except OSError:
            pass
    assert not said or said.startswith(b"HTTP/1.1 4") and b"evil" not in said and b"\x1b" not in said


# ---- hostile servers ----

class Hostile(threading.Thread):
    """A receiving server: each connection is given to `way(socket)`, in a thread of its own."""

    def __init__(self, port, way):
        super().__init__(daemon=True)
        self.socket, self.way, self.count, self.ended = socket.create_server(("127.0.0.1", port)), way, 0, 0
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            self.way(client)
        except (OSError, AssertionError):
            pass
        finally:
            client.close()
            self.ended += 1

    def stop(self):
        self.socket.close()


@pytest.fixture
def hostile(delivery_port):
    made = []

    def make(way):
        made.append(Hostile(delivery_port, way))
        return made[-1]

    yield make
    for server in made:
        server.stop()


def hear(client, count=1):
    """So many lines of the relay."""
    said = b""
    while said.count(b"\n") < count:
        got = client.recv(4096)
        if not got:
            raise OSError("closed")
        said += got
    return said


def greet(client, *offers):
    client.sendall(b"220 hostile.test\r\n")
    hear(client)
    client.sendall(b"".join(b"250-" + o + b"\r\n" for o in (b"hostile.test", *offers)) + b"250 ENHANCEDSTATUSCODES\r\n")


def to_data(client):
    """Up to 354; the message is being sent."""
    greet(client)
    for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        hear(client)
        client.sendall(reply)


def reply_of_10_mb(client):
    client.sendall(b"220-" + b"x" * 500 + b"\r\n" + (b"220-" + b"y" * 1000 + b"\r\n") * 10000 + b"220 z\r\n")


def line_of_10_mb(client):
    client.sendall(b"220 " + b"x" * 10_000_000 + b"\r\n")


def flood_after_ehlo(client):
    greet(client)
    for _ in range(1000):
        client.sendall(b"250 ok\r\n" * 1000)


def two_codes(client):
    client.sendall(b"220-a\r\n550 b\r\n")
    client.recv(100)


def nonsense(client):
    client.sendall(bytes(range(256)) * 100 + b"\r\n")
    client.recv(100)


def flood_at_the_end(client):
    to_data(client)
    hear(client, 8)
    client.sendall(b"250-2.0.0 x\r\n" * 1_000_000)


def resets(client):
    to_data(client)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")


@pytest.mark.parametrize("way", [reply_of_10_mb, line_of_10_mb, flood_after_ehlo, two_codes, nonsense,
                                 flood_at_the_end, resets])
def test_H8_T13_a_hostile_server_costs_its_own_mail_only(relay, hostile, dns, sink_factory, way):
    server = hostile(way)
    before = resident_kb(relay)
    id = relay.send()
    event = relay.wait_kind(id, "deferred", 60)[0]
    assert len(event["reply"]) < 600 and not CONTROL.search(event["reply"]), event
    assert server.count >= 1 and "delivered" not in relay.kinds(id)
    quarantine = 0 if os.environ.get("SEALPOST_RELEASE") == os.environ.get("SEALPOST") else 32_000  # of AddressSanitizer
    assert resident_kb(relay) - before < 40_000 + quarantine
    dns.mail("other.test", "mx.other.test=127.0.0.3")
    sink = sink_factory(host="127.0.0.3")
    relay.send(to="b@other.test")
    assert len(sink.wait(1)) == 1


def test_H8_one_byte_at_a_time_is_no_answer(relay, hostile):
    """A server has 10 seconds for its answer to QUIT, whatever trickles in; the other stages have minutes, by the same clock."""
    def trickle(client):
        to_data(client)
        hear(client, 8)
        client.sendall(b"250 2.0.0 taken\r\n")
        hear(client)
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 60:
                client.sendall(b"2")
                time.sleep(0.5)
        finally:
            took.append(time.monotonic() - begin)

    took = []
    hostile(trickle)
    relay.wait_kind(relay.send(), "delivered", 30)
    wait_for(lambda: took, 60)
    assert 8 < took[0] < 20


def as_told(offers, *answers):
    """A server that says `answers` in turn: each when it has heard so many lines; the message is one of them. Then it hangs up."""
    def way(client):
        client.sendall(b"220 hostile.test\r\n")
        hear(client)
        client.sendall(b"".join(b"250-" + o + b"\r\n" for o in (b"hostile.test", *offers)) + b"250 ENHANCEDSTATUSCODES\r\n")
        for lines, answer in answers:
            if lines == "message":
                said = b""
                while b"\r\n.\r\n" not in said:
                    said += hear(client)
            else:
                hear(client, lines)
            client.sendall(answer)
        time.sleep(0.5)
    return way


OK = (1, b"250 ok\r\n")


@pytest.mark.parametrize("name,answers", [
    ("more is wanted", (OK, OK, (1, b"354 go\r\n"), ("message", b"354 go on\r\n"))),
    ("before the message", (OK, OK, (1, b"354 go\r\n250 2.0.0 taken\r\n"), (1, b""))),
    ("all at once", ((1, b"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 taken\r\n"), (2, b""))),
])
def test_H8_what_was_not_taken_is_not_delivered(relay, hostile, name, answers):
    hostile(as_told((), *answers))
    id = relay.send()
    event = relay.wait_kind(id, "deferred", 30)[0]
    assert "protocol error" in event["reply"] and "delivered" not in relay.kinds(id), event


@pytest.mark.parametrize("offers,answers", [
    ((), ((1, b"250 ok\r\n250 ok\r\n"), (1, b"550 5.1.1 no such user\r\n"), OK, (1, b"354 go\r\n"))),
    ((b"PIPELINING",), ((4, b"250 ok\r\n250 ok\r\n550 5.1.1 no such user\r\n250 ok\r\n354 go\r\n"),)),
], ids=["one by one", "in a burst"])
def test_H8_an_answer_too_many_suppresses_nobody(relay, hostile, offers, answers):
    """The refusal of the first recipient is not taken for the second one's."""
    hostile(as_told(offers, *answers))
    id = relay.send(to=["a@dest.test", "b@dest.test"])
    # In a burst it is tried once more, one command at a time; that does not end, as the server waits for four.
    wait_for(lambda: relay.kinds(id).count("deferred") == 2 or 'what="no pipelining"' in relay.log(), 30)
    time.sleep(0.5)
    assert relay.json("suppress", "list") == [] and "bounced" not in relay.kinds(id)


def test_H8_a_refused_rset_bounces_nobody_else(relay, hostile):
    hostile(as_told((b"LIMITS RCPTMAX=1",), OK, (1, b"550 5.1.1 no such user\r\n"), (1, b"550 5.1.1 go away\r\n")))
    id = relay.send(to=["a@dest.test", "b@dest.test"])
    wait_for(lambda: sorted(relay.kinds(id))[-2:] == ["bounced", "deferred"] or "deferred" in relay.kinds(id), 30)
    kinds = {event["recipient"]: event["kind"] for event in relay.trace(id) if event["kind"] in ("bounced", "deferred")}
    assert kinds == {"a@dest.test": "bounced", "b@dest.test": "deferred"}


def certify(path, name, subject, alternative):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-utf8",
                    "-subj", subject, "-addext", f"subjectAltName={alternative}", "-keyout", str(path / f"{name}.key"), "-out",
                    str(path / f"{name}.pem")], check=True, capture_output=True)
    return path / f"{name}.pem", path / f"{name}.key"


def secure(client, files, **options):
    greet(client, b"STARTTLS")
    hear(client)
    client.sendall(b"220 go\r\n")
    return Libssl(client, server=files, **options)


def test_T11_a_server_with_key_updates_without_end(relay, hostile, tmp_path):
    files = certify(tmp_path, "mx", "/CN=mx.dest.test", "DNS:mx.dest.test")

    def way(client):
        tls = secure(client, files)
        while tls.key_update():
            pass

    hostile(way)
    id = relay.send()
    relay.wait_kind(id, "deferred", 30)  # where TLS is optional it is tried without
    assert "TLS handshake messages without end" in relay.log()


def test_T11_a_server_that_negotiates_again(relay, hostile, tmp_path):
    files = certify(tmp_path, "mx", "/CN=mx.dest.test", "DNS:mx.dest.test")

    def way(client):
        tls = secure(client, files, version=0x0303)
        tls.line()
        again.append(tls.renegotiate() and tls.write(b"250 x\r\n") and tls.line())

    again = []
    hostile(way)
    id = relay.send()
    relay.wait_kind(id, "deferred", 30)
    wait_for(lambda: again)
    assert not again[0] or b"MAIL" not in again[0]


@pytest.mark.parametrize("moment", ["in an answer", "in the message", "after the message"])
def test_T9_a_server_that_closes_tls(relay, hostile, tmp_path, moment):
    """close_notify, and then answers in clear text: none of them counts."""
    files = certify(tmp_path, "mx", "/CN=mx.dest.test", "DNS:mx.dest.test")

    def way(client):
        tls = secure(client, files)
        tls.line()
        tls.write(b"250 x\r\n")
        if moment == "in an answer":
            tls.write(b"250 o")
        else:
            for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                tls.line()
                tls.write(reply)
            while moment == "after the message" and not tls.read().endswith(b"\r\n.\r\n"):
                pass
        tls.close_notify()
        client.sendall(b"k\r\n250 ok\r\n354 go\r\n250 2.0.0 taken\r\n")
        time.sleep(0.5)

    hostile(way)
    id = relay.send()
    event = relay.wait_kind(id, "deferred", 30)[0]
    assert "delivered" not in relay.kinds(id) and "taken" not in event["reply"]


# ---- what comes from outside, and where it is shown ----

EVIL = "\r\n250 ok\x1b[2J\x07"


def shown_everywhere(relay, id=None):
    """What the operator may look at, joined."""
    commands = [("queue", "list"), ("events",), ("audit", "tail"), ("auth", "list"), ("user", "list"), ("domain", "list")]
    commands += [("trace", id), ("queue", "show", id)] if id else []
    texts = [relay.log()]
    for command in commands:
        for options in ((), ("--json",)):
            texts.append(relay.command(*options, *command, check=False).stdout)
    return "\n".join(texts)


def test_H8_what_a_server_says_is_shown_and_obeyed_nowhere(relay, hostile, sink_factory, dns):
    """Escape sequences, NUL, broken UTF-8 and 100 KB, in a refusal: in the log, the commands, their JSON and the bounce."""
    def way(client):
        greet(client)
        hear(client)
        client.sendall(b"250 ok\r\n")
        hear(client)
        client.sendall(b"550-5.1.1 no \x1b]0;owned\x07\x1b[2J\xff\xfe\0<b>&\"\\\r\n" + b"550-5.1.1 y\r\n" * 50 + b"550 5.1.1 " +
                       b"z" * 3000 + b"\r\n")
        hear(client)
        client.sendall(b"250 ok\r\n")

    hostile(way)
    dns.mail("club.test", "mx.club.test=127.0.0.3")
    sink = sink_factory(host="127.0.0.3")
    id = relay.send()
    relay.wait_kind(id, "bounced", 30)
    text = shown_everywhere(relay, id)
    assert not CONTROL.search(text) and "owned" in text
    assert max(len(line) for line in relay.log().splitlines()) < 2100
    bounce = sink.wait(1)[0][1]
    assert b"\x1b" not in bounce and b"\0" not in bounce and b"owned" in bounce
    assert all(len(line) <= 998 for line in bounce.split(b"\r\n"))
    assert json.loads(relay.command("--json", "trace", id))


def test_H8_certificate_names(relay, hostile, tmp_path):
    """A certificate's subject is whatever its owner likes; it is compared, and never shown raw."""
    files = certify(tmp_path, "evil", "/CN=mx.dest.test\x1b[2J\x07 250 ok/O=evil", "DNS:mx.dest.test.evil.test")

    def way(client):
        tls = secure(client, files)
        tls.line()
        tls.write(b"550 go away\r\n")

    relay.config.write_text(relay.config.read_text() + 'route "dest.test" { tls = "verify" }\n')
    relay.reload()
    hostile(way)
    id = relay.send()
    event = relay.wait_kind(id, "deferred", 30)[0]
    assert "certificate" in event["reply"].lower()
    assert not CONTROL.search(shown_everywhere(relay, id))


def test_H8_names_from_dns(relay, dns):
    """MX and PTR targets, and SPF's explanation, may hold any octet."""
    import dnslib

    def label(*parts):
        return dnslib.DNSLabel([p.encode("latin1") for p in parts])

    dns.add("dest.test", "MX", [10, label("a\r\nRCPT TO:<x@y>", "evil\x1b[2J", "test")])
    id = relay.send()
    wait_for(lambda: set(relay.kinds(id)) & {"deferred", "bounced"}, 30)
    dns.add("evil.test", "TXT", "v=spf1 ptr:evil.test exp=why.evil.test -all")
    dns.add("why.evil.test", "TXT", "because \x1b[2J\r\n250 ok %{p}")
    dns.zone[("9.2.0.192.in-addr.arpa", "PTR")] = [label("x\r\n250 ok\x1b[2J", "evil", "test")]
    for options in ((), ("--json",)):
        done = relay.command(*options, "check", "spf", "--mail-from", "a@evil.test", "--ip", "192.0.2.9", check=False)
        assert done.stdout and not CONTROL.search(done.stdout + done.stderr), done
    assert not CONTROL.search(shown_everywhere(relay, id))
    assert "RCPT TO" not in relay.trace(id)[-1].get("remote", "")


def test_no_name_is_asked_of_who_connects(relay, dns):
    """A client's PTR name can do no harm, as nobody asks for it."""
    relay.send()
    assert not [name for name, kind in dns.asked if kind == "PTR"]


@pytest.mark.parametrize("name", ["a\r\nb", "a\nb", "a\x1b[2Jb", "a\0b"[:1] + "\x7f", "x" * 400, "a\u202eb", "../../x", "a b\tc"])
def test_H3_names_of_our_own(relay, name):
    """Users, tenants, domains, suppressed addresses, tags: a name that is none is refused with one line, and shown nowhere raw."""
    for command in (("user", "add", name, "--domain", "club.test"), ("user", "add", "good", "--domain", "club.test", "--tenant", name),
                    ("domain", "add", name, "--no-capture"), ("suppress", "add", f"{name}@dest.test"), ("queue", "show", name),
                    ("key", "rotate", name), ("auth", "unlock", name), ("trace", name), ("user", "rotate", name)):
        done = relay.command(*command, check=False)
        assert done.returncode != 0 or command[0] in ("auth", "suppress"), command
        assert done.stderr.count("\n") == (done.returncode != 0), done.stderr
        assert not CONTROL.search(done.stdout + done.stderr), (command, done)
    assert not CONTROL.search(shown_everywhere(relay))


SETTINGS = ['hostname = "a%sb"', 'stream "a%sb" { class = "normal" }', 'stream "x" { class = "normal" feedback_id = "a%sb" }',
            'route "d.test" { smarthost = "a%sb" }', 'route "d%s.test" { tls = "require" }',
            'route "d.test" { username = "a%sb" password_file = "/dev/null" smarthost = "x.test" }',
            'http { address = "127.0.0.1:1" url = "https://u.test/%s" }', 'stream "x" { class = "digest" list_unsubscribe = "<https://x.test/%s>" }',
            'dns { forward = {"127.0.0.1@53%s"} }', 'certificate "a%sb" { file = "x" key = "y" }', 'dkim { algorithms = {"%s"} }']


@pytest.mark.parametrize("setting", SETTINGS)
def test_H3_settings(relay_factory, setting):
    """A setting that holds a line end is refused in one line, which shows it escaped."""
    relay = relay_factory()
    relay.config.write_text(relay.config.read_text() + setting % r"\r\nX-Evil: 1\x1b[2J" + "\n")
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and not CONTROL.search(done.stdout + done.stderr), done
    assert all(line.startswith("sealpost: ") for line in done.stderr.splitlines()), done


def test_C15_H8_what_a_client_says_of_itself(relay, sink):
    """EHLO's name, addresses, parameters and fields, in the log, the trace and the Received field."""
    with relay.client() as client:
        for name in ("[IPv6:2001:db8::1]", "x_y.test", "a" * 255):
            client.ehlo(name)
        client.docmd("EHLO", "a.test\x1b[2J")
        client.docmd("EHLO", "x);(by")
        client.ehlo("client.test")
        code, _ = client.mail('"a\x1b[2J"@club.test')
        assert code in (501, 553)
        code, _ = client.docmd("MAIL", "FROM:<hello@club.test> ENVID=a+0D+0A+1Bb")
        if code == 250:
            client.rcpt("bob@dest.test", ["ORCPT=rfc822;a+0D+0Ax@y.test"])
            client.rset()
    id = relay.send(message="From: =?utf-8?b?G1syShtbMko=?= <hello@club.test>\r\nSubject: =?utf-8?q?a=0D=0Ab=1B?=\r\nX: \x1b\r\n\r\nx\r\n"
                    .replace("X: \x1b\r\n", ""))
    assert len(sink.wait(1)) == 1
    assert not CONTROL.search(shown_everywhere(relay, id))


# ---- fields and bodies ----

def test_H4_headers_without_end(relay):
    for lines, codes in (("\r\n".join(f"X-{i}: y" for i in range(50_000)), (552, 554, 550)),
                         ("\r\n".join("Received: from a by b; x" for _ in range(10_000)), (554, 550, 552)),
                         ("X: " + "\r\n ".join(["y" * 900] * 1200), (552, 554, 550)),
                         ("X: " + "y" * 1_000_000, (552, 554, 550, 500))):
        code, reply = submit(relay, message=f"From: <hello@club.test>\r\n{lines}\r\n\r\nx\r\n".encode())
        assert code in codes, (code, reply)
    assert relay.queue() == []


def test_H5_bcc_leaves_in_no_form(relay, sink):
    code, _ = submit(relay, message="From: <hello@club.test>\r\nBcc: a@x.test\r\nResent-Bcc: b@x.test\r\nbcc: c@x.test,\r\n d@x.test\r\n"
                     "Subject: x\r\n\r\nhello\r\n")
    if code == 250:
        assert b"x.test" not in sink.wait(1)[0][1]
    assert code in (250, 550)


@pytest.mark.parametrize("fault", ["readable", "missing", "another kind", "nonsense"])
def test_K6_a_key_that_is_not_as_it_should_be(relay, sink, fault):
    """Nothing leaves unsigned: what waits stays, and says why; nothing new is accepted."""
    relay.command("domain", "capture", "club.test")
    relay.send()
    id = relay.queue("--held")[0]["id"]
    key = [p for p in (relay.path / "state" / "keys").glob("club.test.*.pem")] or list(relay.path.rglob("club.test.*.pem"))
    kept = [(p, p.read_bytes(), p.stat().st_mode & 0o777) for p in key]
    assert kept
    for path, _, _ in kept:
        if fault == "readable":
            path.chmod(0o644)
        elif fault == "missing":
            path.unlink()
        elif fault == "another kind":
            path.write_bytes(subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                                            capture_output=True, check=True).stdout)
        else:
            path.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    relay.reload()
    code, text = submit(relay, message="From: <hello@club.test>\r\nSubject: test\r\n\r\nhello\r\n")
    assert code == 451 and "key of club.test cannot be read" in str(text)
    assert "error key_unreadable" in relay.log()
    relay.command("domain", "release", "club.test")
    relay.command("queue", "release", id)
    event = relay.wait_kind(id, "deferred", 30)[0]
    assert "key" in event["reply"] and sink.messages() == []
    for path, content, mode in kept:
        path.write_bytes(content)
        path.chmod(mode)
    relay.reload()
    relay.command("queue", "retry", id)
    assert len(sink.wait(1)) == 1
