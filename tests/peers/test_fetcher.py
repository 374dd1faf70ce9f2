"""Kind: what another host's HTTP server may do to the relay. Whatever it says is read by a process of its own, the fetcher, which has no
key, no store and no file but certificates of authorities; only a 2xx over TLS that was checked counts, and the reason of anything else
is told in one line. Names, certificates, redirects, sizes, nonsense."""

import os
import pathlib
import re
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from conftest import authority, wait_for
from dear_certificates import lengthen

UNTRUSTED, TOO_LARGE = 3, 6  # of include/fetch_order.h
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


class Host(threading.Thread):
    """A server that reads a request and says what it is told to."""

    def __init__(self, answer, certificate=None):
        super().__init__(daemon=True)
        self.answer, self.certificate, self.requests = answer, certificate, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            if self.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                connection = context.wrap_socket(connection, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request and (got := connection.recv(65536)):
                request += got
                if not request.startswith(b"POST"):
                    break  # TLS, which is not spoken here
            head, _, body = request.partition(b"\r\n\r\n")
            wanted = head.startswith(b"POST") and int(re.search(rb"(?i)content-length: (\d+)", head)[1])
            while len(body) < wanted and (got := connection.recv(65536)):
                body += got
            self.requests.append((head, body))
            connection.sendall(self.answer)
        except (OSError, TypeError):
            pass
        finally:
            connection.close()

    def stop(self):
        self.listener.close()


@pytest.fixture
def host():
    made = []

    def make(*arguments):
        made.append(Host(*arguments))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def alerting(relay_factory, url, authorities=None):
    relay = relay_factory(f'alert {{ on = {{"admin"}} interval = 1 webhook = "{url}" }}')
    if authorities:
        relay.environment = {"SSL_CERT_FILE": str(authorities)}
    relay.start()
    relay.command("suppress", "add", "x@dest.test")
    return relay


def test_over_tls_with_the_name_from_this_machines_hosts(relay_factory, host, issue, tmp_path):
    server = host(OK, issue("localhost"))
    relay = alerting(relay_factory, f"https://localhost:{server.port}/hook?key=secret", tmp_path / "ca.pem")
    wait_for(lambda: " alerted " in relay.log(), 30)
    (head, body), = server.requests
    assert head.startswith(b"POST /hook?key=secret HTTP/1.1\r\n") and b"Host: localhost" in head and b"x@dest.test" in body
    assert b"Expect:" not in head and "secret" not in relay.log()


def test_the_authority_that_the_config_file_names_vouches_for_the_webhook(relay_factory, host, issue, tmp_path):
    server = host(OK, issue("localhost"))
    relay = relay_factory(f'alert {{ on = {{"admin"}} interval = 1 webhook = "https://localhost:{server.port}/" }}')
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{tmp_path}/ca.pem"  ', 1))
    relay.start()
    relay.command("suppress", "add", "x@dest.test")
    wait_for(lambda: " alerted " in relay.log(), 30)
    assert len(server.requests) == 1


HOSTILE = [
    ("another name", OK, "https", "other.test", "certificate"),
    ("no authority", OK, "https", None, "certificate"),
    ("a redirect", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n", "http", None, "status 302"),
    ("an error", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "http", None, "status 500"),
    ("too much", b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000, "http", None, "too large"),
    ("chunks without end", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"2000\r\n" + b"x" * 8192 + b"\r\nffffffffffffffffff\r\n", "http", None, ""),
    ("HTTP/0.9", b"all is well\r\n", "http", None, "HTTP/0.9"),
    ("nothing", b"", "http", None, "Empty reply"),
    ("no TLS", OK, "https", "clear", "SSL"),
    ("a long head", b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 400_000 + b"\r\n\r\n", "http", None, ""),
]


@pytest.mark.memory
@pytest.mark.parametrize("answer, scheme, name, words", [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_what_no_server_should_say_is_told_and_nothing_is_followed(relay_factory, host, issue, tmp_path, answer, scheme, name, words):
    elsewhere = host(OK)
    certificate = issue(name or "localhost") if scheme == "https" and name != "clear" else None
    server = host(answer.replace(b"%d", b"%d" % elsewhere.port), certificate)
    relay = alerting(relay_factory, f"{scheme}://localhost:{server.port}/", tmp_path / "ca.pem" if name else None)
    wait_for(lambda: "alert_failed" in relay.log(), 60)
    line = next(line for line in relay.log().splitlines() if "alert_failed" in line)
    assert words in line and " alerted " not in relay.log(), line
    assert not elsewhere.requests
    assert scheme == "http" or all(not head.startswith(b"POST") for head, _ in server.requests)


def test_what_would_be_dear_to_parse_is_not(relay_factory, host, issue, tmp_path):
    """A certificate that the authority vouches for, with another behind it whose key has a curve of its own."""
    pair = issue("localhost")
    lengthen(pair[0], 1)
    server = host(OK, pair)
    relay = alerting(relay_factory, f"https://localhost:{server.port}/", tmp_path / "ca.pem")
    wait_for(lambda: "alert_failed" in relay.log(), 60)
    assert "certificate refused: its key has curve parameters of its own" in relay.log() and not server.requests


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None


def fetchers_of(relay):
    """Children of the helper."""
    return [child for helper in children_of(relay.process.pid) for child in children_of(helper) if name_of(child) == "sealpost-fetche"]


def fetcher_of(relay):
    return wait_for(lambda: fetchers_of(relay), 30)[0]


def test_it_has_nothing_but_a_socket(relay_factory, host):
    """By the release: its filter, no right, one descriptor of the relay's, an empty environment, no path on its command line."""
    relay = alerting(relay_factory, f"http://127.0.0.1:{host(OK).port}/secret")
    pid = fetcher_of(relay)
    wait_for(lambda: "Seccomp:\t2" in pathlib.Path(f"/proc/{pid}/status").read_text())
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and re.search(r"CapEff:\t0+\n", status)
    assert not {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")} - {0, 1, 2, 3}
    names = {entry.split(b"=")[0] for entry in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if entry}
    assert names <= {b"SSL_CERT_FILE", b"SSL_CERT_DIR"}
    assert pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().count(b"\0") == 1


@pytest.mark.memory
def test_it_is_started_again_when_it_has_ended(relay_factory, host):
    """Killed, and killed again: at once, then after a while; an alert that comes to nobody meanwhile is told later."""
    server = host(OK)
    relay = alerting(relay_factory, f"http://127.0.0.1:{server.port}/")
    wait_for(lambda: server.requests, 30)
    for times in (1, 2, 3):
        before = fetcher_of(relay)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: relay.log().count("fetcher_started") == times, 30)
        wait_for(lambda: [pid for pid in fetchers_of(relay) if pid != before])  # the old one may still wait to be reaped
        wait_for(lambda: before not in fetchers_of(relay))
        told = len(server.requests)
        relay.command("suppress", "add", f"x{times}@dest.test")
        wait_for(lambda: len(server.requests) > told, 30)
    ends = [line for line in relay.log().splitlines() if "fetcher_ended" in line]
    assert ["at once" in line for line in ends] == [True, False, False], ends


def test_without_it_mail_goes_on_and_the_alert_is_tried_again(relay_factory, host, dns, sink_factory):
    """Nor can it be started: whoever would is gone, too."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory()
    relay = relay_factory(f'alert {{ on = {{"admin"}} interval = 1 webhook = "http://127.0.0.1:{host(OK).port}/" }}').start()
    fetcher = fetcher_of(relay)
    helper = next(child for child in children_of(relay.process.pid) if fetcher in children_of(child))
    for pid in (helper, fetcher):
        os.kill(pid, signal.SIGKILL)
    relay.command("suppress", "add", "x@dest.test")
    wait_for(lambda: "alert_failed" in relay.log(), 30)
    assert "the fetcher has ended" in relay.log() and "asking the helper: it has ended" in relay.log()
    relay.send("bob@dest.test")
    sink.wait(1, 30)


def test_who_is_not_there_any_more_is_told(relay_factory, host):
    """A fetcher that ends again and again, by the helper's command; then the helper itself, by the webhook of the fetcher that still runs."""
    server = host(OK)
    relay = relay_factory(f'alert {{ on = {{"process_ended"}} interval = 1 webhook = "http://127.0.0.1:{server.port}/" }}').start()
    for times in (1, 2):
        os.kill(fetcher_of(relay), signal.SIGKILL)
        wait_for(lambda: relay.log().count("fetcher_started") == times, 60)
    wait_for(lambda: len(server.requests) == 1, 60)
    assert b'"process_ended"' in server.requests[0][1] and b"fetcher" in server.requests[0][1], server.requests
    fetcher = fetcher_of(relay)
    os.kill(next(child for child in children_of(relay.process.pid) if fetcher in children_of(child)), signal.SIGKILL)
    wait_for(lambda: len(server.requests) == 2, 60)
    assert b"helper" in server.requests[1][1] and " helper_ended " in relay.log()
    assert {e["kind"] for e in relay.json("events", "--kind", "process_ended")} == {"process_ended"}


def program_of(relay):
    program = pathlib.Path(relay.program).with_name("sealpost-fetcher")
    return program if program.exists() else program.parent.parent / "libexec/sealpost/sealpost-fetcher"


def test_it_is_for_the_relay_only(relay_factory):
    done = subprocess.run([program_of(relay_factory())], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and "run by 'sealpost serve' only" in done.stderr


@pytest.fixture
def fetcher(relay_factory):
    """The program as the relay starts it: a socket as descriptor 3, and SIGCHLD ignored."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def begin():
        os.dup2(its.fileno(), 3)
        os.set_inheritable(3, True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    process = subprocess.Popen([program_of(relay_factory())], preexec_fn=begin, close_fds=False)
    its.close()
    yield ours
    ours.close()
    assert process.wait(timeout=20) == 0


def fetch(fetcher, url, clear=True, authorities=None):
    """(outcome, status), as include/fetch_order.h has it."""
    one, other = socket.socketpair()
    name = str(authorities or "").encode()
    with one, other, open(authorities or os.devnull) as file:
        order = struct.pack("2048s1024s64s1024sII??1024s2x", url.encode(), b"", b"text/plain", name, 1024, 10, clear, False, b"")
        socket.send_fds(fetcher, [order], [other.fileno()] + [file.fileno()] * bool(authorities))
        one.shutdown(socket.SHUT_WR)
        other.close()
        return struct.unpack("Ii", one.recv(8, socket.MSG_WAITALL))


def test_it_serves_for_as_long_as_the_relay_lives(fetcher, host):
    """More fetches, one after the other, than it makes at once; and http only where that is allowed."""
    server = host(OK)
    for i in range(110):
        assert fetch(fetcher, f"http://127.0.0.1:{server.port}/{i}") == (0, 204), i
    assert fetch(fetcher, f"http://127.0.0.1:{server.port}/", clear=False)[0] != 0
    assert len(server.requests) == 110


def test_whom_it_trusts_is_read_again_once_it_has_changed(fetcher, host, issue, tmp_path):
    """Written over, replaced by another file, and emptied; the system's beside it."""
    server = host(OK, issue("localhost"))
    url, good = f"https://localhost:{server.port}/", (tmp_path / "ca.pem").read_bytes()
    (tmp_path / "other").mkdir()
    authority(tmp_path / "other")("localhost")
    other = (tmp_path / "other/ca.pem").read_bytes()
    ours = tmp_path / "ours.pem"

    def replaced(content):
        (tmp_path / "new.pem").write_bytes(content)
        (tmp_path / "new.pem").rename(ours)

    for put in (ours.write_bytes, replaced):
        for content, trusted in ((good, True), (other, False), (good + other, True)):
            put(content)
            for _ in range(2):
                assert (fetch(fetcher, url, authorities=ours)[0] == 0) == trusted
                assert fetch(fetcher, url)[0] == UNTRUSTED
    ours.write_bytes(b"")
    assert fetch(fetcher, url, authorities=ours)[0] != 0


FIELDS = b"X-Y: " + b"z" * 59 + b"\r\n"
ENDLESS = {
    "heads before the answer": b"HTTP/1.1 103 Early Hints\r\n" + FIELDS + b"\r\n",
    "fields of a head": b"HTTP/1.1 200 OK\r\n" + FIELDS,
    "fields of a trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + FIELDS,
}


@pytest.mark.memory
@pytest.mark.parametrize("start", ENDLESS.values(), ids=ENDLESS)
def test_what_comes_beside_an_answer_is_bounded(fetcher, start):
    """Of each kind of field, 12 MB and then silence: it is over, and nothing of it is kept for as long as the fetch may take."""
    more = start if start.endswith(b"\r\n\r\n") else FIELDS
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = []

        def speak():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    connection.sendall(start)
                    while sum(taken) < 12_000_000:
                        taken.append(connection.send(more * 100))
                    connection.recv(1)
                except OSError:
                    pass

        host = threading.Thread(target=speak)
        host.start()
        assert fetch(fetcher, f"http://127.0.0.1:{listener.getsockname()[1]}/")[0] == TOO_LARGE
        host.join()
    assert sum(taken) < 12_000_000
