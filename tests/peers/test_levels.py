"""Memory and descriptors stay level over reloads, commands and sessions; one domain's silence holds up no other.

A tenth of the numbers that are promised, unless SEALPOST_LEVELS=1 asks for all: 1,000 reloads, 10,000 commands, 100,000 sessions.
"""

import json
import os
import socket
import threading
import time

import pytest

from conftest import wait_for

pytestmark = pytest.mark.usefixtures("authorities")

SCALE = 1 if os.environ.get("SEALPOST_LEVELS") else 10


def resident_kb(relay):
    status = open(f"/proc/{relay.process.pid}/status").read()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(relay):
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


def stored_kb(relay):
    return (relay.path / "state" / "state.db").stat().st_size // 1024


def stays_level(relay, times, do, grown_kb=4096):
    """A quarter of it first, for what is allocated once; then three quarters must leave nothing behind but pages of the database, which
    its cache keeps up to 64 MB: a page costs somewhat more in memory than on disk."""
    do(times // 4)
    time.sleep(0.5)
    memory, files, stored = resident_kb(relay), descriptors(relay), stored_kb(relay)
    do(times - times // 4)
    grown_kb += 1.3 * (stored_kb(relay) - stored)
    wait_for(lambda: descriptors(relay) <= files + 20, 10)  # connections to the receiver are kept for a while
    print(f"{times}: {memory} KB, then {resident_kb(relay)} KB; {files} descriptors")
    assert resident_kb(relay) - memory < grown_kb, (memory, resident_kb(relay))


def ask(relay, request):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(relay.path / "state" / "control.sock"))
        s.sendall(json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            piece = s.recv(65536)
            if not piece:
                break
            answer += piece
    return json.loads(answer)


def say_hello(relay):
    with socket.create_connection(("127.0.0.1", relay.submission)) as s, s.makefile("rwb") as f:
        assert f.readline().startswith(b"220")
        f.write(b"EHLO client.test\r\nQUIT\r\n")
        f.flush()
        assert b"221" in f.read()


def side_by_side(count, do, threads=4):
    def run():
        for _ in range(count // threads):
            do()

    group = [threading.Thread(target=run) for _ in range(threads)]
    for thread in group:
        thread.start()
    for thread in group:
        thread.join()


@pytest.fixture
def busy(relay_factory, dns, sink_factory):
    """A relay that signs for ten domains."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory()
    domains = [f"d{i}.test" for i in range(9)]
    for domain in domains:
        relay.add_domain(domain)
    relay.secrets = {d: relay.json("user", "add", f"app-{d}", "--domain", d)["secret"] for d in domains}
    relay.start()
    sink_factory(records=relay.records)

    clients = {domain: relay.client(user=f"app-{domain}", secret=secret) for domain, secret in relay.secrets.items()}

    def sign_for_all():
        for domain, client in clients.items():
            client.sendmail(f"hello@{domain}", ["bob@dest.test"], f"From: <hello@{domain}>\r\nSubject: x\r\n\r\nx\r\n")

    relay.sign_for_all = sign_for_all
    yield relay
    for client in clients.values():
        client.close()


def test_reloads_leave_nothing_behind(busy):
    def reload(times):
        for i in range(times):
            busy.reload()
            if i % 50 == 0:
                busy.send()

    busy.sign_for_all()
    with busy.client() as idle:  # holds settings of before
        stays_level(busy, 1000 // SCALE, reload)
        assert idle.noop()[0] == 250
        idle.sendmail("hello@club.test", ["bob@dest.test"], "From: <hello@club.test>\r\nSubject: old\r\n\r\nx\r\n")
    busy.sign_for_all()


def test_commands_leave_nothing_behind(busy):
    def command(times):
        for i in range(times):
            if i % 5 == 1:
                busy.sign_for_all()
            name = ("domain.release", {"name": f"d{i % 9}.test"}) if i % 5 == 0 else \
                ("suppress.add", {"rows": [{"address": f"a{i % 50}@dest.test", "reason": "manual"}]})
            answer = ask(busy, {"do": name[0], **name[1]})
            assert answer["ok"], answer

    stays_level(busy, 10_000 // SCALE, command)
    wait_for(lambda: not busy.queue("--limit", "1"), 30, 0.2)


def test_sessions_leave_nothing_behind(busy):
    stays_level(busy, 100_000 // SCALE, lambda times: side_by_side(times, lambda: say_hello(busy)))
    busy.sign_for_all()


def test_a_silent_name_server_holds_up_no_other_domains_keys(relay_factory, dns):
    relay = relay_factory()
    silent = [f"a{i}.test" for i in range(3)]
    for domain in (*silent, "z.test"):
        relay.add_domain(domain)
        relay.command("key", "rotate", domain)
    for domain in silent:
        for name in (domain, f"_domainkey.{domain}"):
            dns.add(name, "ANY", "SILENCE")
    asked = dns.asked
    relay.start()
    wait_for(lambda: any(name.endswith("a0.test") for name, _ in asked), 20)
    for _ in range(2):  # again and again
        asked.clear()
        wait_for(lambda: any(name.endswith("z.test") for name, _ in asked), 20)
