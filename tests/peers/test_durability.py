"""The promise: 250 means on disk. Kill, fill, flood; then count."""

import json
import os
import random
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import wait_for

pytestmark = pytest.mark.memory

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "20"))


class Ledger:
    """Which messages were acknowledged, by the token in their subject."""

    def __init__(self):
        self.acknowledged, self.lock, self.next = set(), threading.Lock(), 0

    def token(self):
        with self.lock:
            self.next += 1
            return f"token-{self.next}"

    def submit(self, relay, count):
        """Submit messages until `count` are acknowledged or the connection breaks."""
        try:
            with relay.client() as client:
                for _ in range(count):
                    token = self.token()
                    client.sendmail("hello@club.test", "bob@dest.test",
                                    f"From: <hello@club.test>\r\nSubject: {token}\r\n\r\n" + "x\r\n" * random.randrange(1500))
                    with self.lock:
                        self.acknowledged.add(token)
        except (OSError, EOFError, smtplib.SMTPException):
            pass

    def flood(self, relay, clients, each):
        threads = [threading.Thread(target=self.submit, args=(relay, each)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        return threads


def arrived(sink):
    """How often each token arrived."""
    counts = {}
    for line in (sink.dir / "out").read_text().splitlines():
        subject = json.loads(line)["subject"]
        counts[subject] = counts.get(subject, 0) + 1
    return counts


def test_a_250_survives_kill_9_with_200_messages_in_flight(relay_factory, dns, sink_factory):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory().start()
    sink = sink_factory(records=relay.records)
    ledger = Ledger()
    for _ in range(ROUNDS):
        sink.process.send_signal(signal.SIGSTOP)
        for thread in ledger.flood(relay, 8, 25):
            thread.join()
        more = ledger.flood(relay, 4, 50)  # so that the kill also meets half-accepted ones
        sink.process.send_signal(signal.SIGCONT)
        time.sleep(random.uniform(0, 0.4))
        relay.kill()
        for thread in more:
            thread.join()
        began = time.monotonic()
        relay.start()
        assert time.monotonic() - began < 5
    assert len(ledger.acknowledged) >= ROUNDS * 200
    wait_for(lambda: not relay.queue("--limit", "1"), 120, 0.5)
    counts = arrived(sink)
    lost = ledger.acknowledged - set(counts)
    assert not lost, f"{len(lost)} acknowledged messages were lost"
    duplicates = sum(n - 1 for n in counts.values())
    print(f"{len(ledger.acknowledged)} acknowledged, {duplicates} duplicates in {ROUNDS} kills")
    assert duplicates <= ROUNDS * 20  # what was between the remote 250 and our commit (C3): at most one a connection
    spool = list((relay.path / "state" / "spool").glob("*.seg"))
    assert len(spool) <= 1  # nothing is left behind


def test_a_thousand_messages_and_a_clean_end(relay, sink):
    ledger = Ledger()
    for thread in ledger.flood(relay, 8, 125):
        thread.join()
    assert len(ledger.acknowledged) == 1000
    wait_for(lambda: len(arrived(sink)) == 1000, 60, 0.2)
    descriptors = len(os.listdir(f"/proc/{relay.process.pid}/fd"))
    assert descriptors < 120
    ends = re.compile(r" (delivered|bounced|expired) ")  # one line for each recipient, behind the commit
    wait_for(lambda: len([line for line in relay.log().splitlines() if ends.search(line)]) == 1000)
    relay.stop()  # the sanitizers speak now


@pytest.mark.alone("how long a small message takes beside 1,250 MiB")
def test_fifty_clients_with_25_mib_each_neither_exhaust_memory_nor_stall_the_others(relay, sink):
    size = 25 * 1024 * 1024 - 2000
    line = b"0123456789abcdef" * 60 + b"\r\n"
    body = b"From: <hello@club.test>\r\nSubject: large\r\n\r\n" + line * ((size - 100) // len(line)) + b".\r\n"

    def large():
        with socket.create_connection(("127.0.0.1", relay.submissions)) as raw:
            with relay.context().wrap_socket(raw) as s:
                f = s.makefile("rwb")

                def say(text):
                    f.write(text + b"\r\n")
                    f.flush()
                    while True:
                        reply = f.readline()
                        if reply[3:4] != b"-":
                            return reply

                f.readline()
                import base64
                say(b"EHLO c")
                assert say(b"AUTH PLAIN " + base64.b64encode(b"\0app\0" + relay.secret.encode())).startswith(b"235")
                say(b"MAIL FROM:<hello@club.test>")
                say(b"RCPT TO:<bob@held.test>")
                assert say(b"DATA").startswith(b"354")
                f.write(body)
                f.flush()
                results.append(f.readline())

    results, most, slowest = [], 0, 0.0
    threads = [threading.Thread(target=large) for _ in range(50)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        status = open(f"/proc/{relay.process.pid}/status").read()
        most = max(most, int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) // 1024)
        began = time.monotonic()
        relay.send()
        slowest = max(slowest, time.monotonic() - began)
    print(f"peak {most} MiB, slowest small message {slowest:.2f} s")
    assert all(r.startswith(b"250") for r in results) and len(results) == 50
    assert most < 700  # with the sanitizer's overhead; 1,250 MiB went through
    assert slowest < 10


def test_a_large_message_arrives_whole(relay, sink):
    body = "".join(f"{i:070d}\r\n" for i in range(60000))
    id = relay.send(message="From: <hello@club.test>\r\nSubject: large\r\n\r\n" + body)
    relay.wait_kind(id, "delivered", 60)
    about, raw = sink.wait(1)[0]
    assert about["dkim"] == "pass" and raw.split(b"\r\n\r\n", 1)[1].decode() == body
    assert not list((relay.path / "state" / "spool").glob("*.seg"))


def test_a_full_disk_refuses_mail_and_recovers(relay_factory, dns, tmp_path, sink_factory):
    """C5, on a small file system of the test's own."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory()
    state = relay.path / "state"
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "none", str(small)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("cannot mount here")
    try:
        subprocess.run(["cp", "-a", f"{state}/.", str(small)], check=True)
        relay.config.write_text(relay.config.read_text().replace(str(state), str(small)))
        relay.start()
        message = "From: <hello@club.test>\r\nSubject: x\r\n\r\n" + ("y" * 76 + "\r\n") * 4000
        with relay.client() as client:
            client.ehlo()
            for _ in range(300):
                client.mail("hello@club.test")
                client.rcpt("bob@dest.test")
                code, text = client.data(message)
                if code != 250:
                    break
        assert code in (452, 451) and text.startswith(b"4.3."), (code, text)
        sink = sink_factory(records=relay.records)
        relay.command("queue", "retry", "--all", check=False)
        wait_for(lambda: not relay.queue("--limit", "1"), 120, 0.5)
        relay.wait_kind(relay.send(), "delivered", 20)
        relay.stop()
        relay.start()  # nothing of how it found out that the disk has room again is left in the store
        relay.wait_kind(relay.send(), "delivered", 20)
        relay.stop()
    finally:
        if relay.process is not None:
            relay.kill()
        subprocess.run(["umount", "-l", str(small)])


def read_reply(f):
    while True:
        line = f.readline()
        if line[3:4] != b"-":
            return line


def half_a_message(relay):
    """A TLS client in the middle of DATA: (raw socket, TLS socket)."""
    import base64
    raw = socket.create_connection(("127.0.0.1", relay.submissions))
    s = relay.context().wrap_socket(raw)
    f = s.makefile("rwb", buffering=0)
    read_reply(f)
    for line in (b"EHLO c", b"AUTH PLAIN " + base64.b64encode(b"\0app\0" + relay.secret.encode()),
                 b"MAIL FROM:<hello@club.test>", b"RCPT TO:<bob@dest.test>", b"DATA"):
        f.write(line + b"\r\n")
        reply = read_reply(f)
    assert reply.startswith(b"354")
    f.write(b"From: <hello@club.test>\r\n\r\nhalf a mess")
    return s


def test_t9_after_close_notify_in_data_nothing_is_parsed(relay):
    s = half_a_message(relay)
    raw = socket.socket(fileno=os.dup(s.fileno()))
    s.settimeout(5)
    try:
        s.unwrap()  # close_notify, in the middle of the body
    except (OSError, ssl.SSLError):
        pass
    try:
        raw.sendall(b"age\r\n.\r\nMAIL FROM:<evil@club.test>\r\n")
        raw.settimeout(5)
        while raw.recv(4096):
            pass
    except OSError:
        pass
    time.sleep(0.3)
    assert "accepted" not in relay.log() and relay.queue() == []


def test_t10_a_message_cut_by_fin_is_never_accepted(relay):
    s = half_a_message(relay)
    raw = socket.socket(fileno=os.dup(s.fileno()))
    raw.shutdown(socket.SHUT_WR)
    time.sleep(0.3)
    assert "accepted" not in relay.log() and relay.queue() == []


def test_sigterm_finishes_what_is_under_way(relay, sink):
    ids = [relay.send() for _ in range(20)]
    relay.stop()
    done = len(sink.messages())
    assert done + len(relay.queue()) == len(ids)


def test_sighup_reads_the_config_again_and_a_bad_one_keeps_the_old(relay, sink):
    good = relay.config.read_text()
    relay.config.write_text(good + 'stream "extra" { class = "digest" }\n')
    relay.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "info reloaded" in relay.log())
    relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: extra\r\n\r\nx\r\n")
    relay.config.write_text(good + "nonsense = 1\n")
    relay.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "error reload_refused" in relay.log())
    relay.send(message="From: <hello@club.test>\r\nSealpost-Stream: extra\r\n\r\nx\r\n")
    relay.config.write_text(good)


def test_one_connection_too_many_is_told_so(relay_factory, dns):
    """Whoever comes can log in; of a tenant that has too many then, the one that was idle for longest is told 421."""
    relay = relay_factory("limits { connections = 20  per_address = 20  per_network = 20 }").start()
    time.sleep(0.5)  # the connections that looked whether it listens are gone
    clients = [relay.client(implicit=True) for _ in range(19)]
    code, text = clients[0].getreply()
    assert code == 421 and text.startswith(b"4.3.2 ")
    with socket.create_connection(("127.0.0.1", relay.submission)) as one_more:
        assert one_more.recv(200).startswith(b"220")
    for client in clients[1:]:
        assert client.noop()[0] == 250
        client.quit()
