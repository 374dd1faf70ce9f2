"""Each thread does all that it can be asked to, under its own filter, and is refused nothing: strace(1) sees every call that fails."""

import pathlib
import re
import resource
import socket
import subprocess
import time

import conftest
import dnslib.server
import pytest
from conftest import RELEASE, free_port, wait_for
from test_page import ask, link
from test_tls import certify

pytestmark = pytest.mark.usefixtures("authorities")

CONFIG = '''shards = 2
log = "debug"
http {{ url = "https://u.club.test"  address = "127.0.0.1:{port}"  tls = "implicit" }}
stream "news" {{ class = "digest"  unsubscribe = "one-click" }}
alert {{ command = "{command}"  webhook = "https://localhost:1/"  interval = 1  on = {{"admin", "certificate", "key", "locked"}} }}
limits {{ memory = 64 }}
'''
# What may fail so, because something else is done then: no filter can see the flags of clone3(), so glibc takes clone(); a newer libuv
# asks for a ring, and does without; and the fetcher, whose libc would ask a daemon for names it remembers, asks DNS itself: no socket
# of this machine's is within its reach.
EXPECTED = {("clone3", "ENOSYS"), ("io_uring_setup", "ENOSYS"), ("socket(AF_UNIX", "ENOSYS")}


@pytest.fixture
def traced(monkeypatch, tmp_path):
    """sealpost whose `serve` is watched; it keeps its process id."""
    trace = tmp_path / "trace"
    wrapper = tmp_path / "sealpost"
    wrapper.write_text(f'#!/bin/sh\nfor word; do [ "$word" = serve ] && exec strace -D -f -qq -Z -o {trace} {RELEASE} "$@"; done\n'
                       f'exec {RELEASE} "$@"\n'.replace("\\n", "\n"))
    wrapper.chmod(0o755)
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("no strace, or nobody may trace here")
    monkeypatch.setattr(conftest, "SEALPOST", str(wrapper))
    monkeypatch.setattr(dnslib.server.DNSHandler, "udplen", 512)  # what is longer is asked again by TCP
    return trace


def denied(trace):
    """(call, error) of each call that a filter, Landlock or the lack of a capability may have refused."""
    found = re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*) = -1 (ENOSYS|EPERM|EACCES) ", trace.read_text(errors="replace"), re.M)
    named = [("socket(AF_UNIX" if call == "socket" and "AF_UNIX" in arguments else call, arguments, error) for call, arguments, error in found]
    return {(call, error): arguments for call, arguments, error in named if (call, error) not in EXPECTED}


def use_mail(relay, sink, dns):
    dns.add("many.test", "MX", *[f"10 mx{i}.many.test." for i in range(40)])
    for i in range(40):
        dns.add(f"mx{i}.many.test", "A", "127.0.0.1")
    big = "".join(f"{i:070d}\r\n" for i in range(20000))
    ids = [relay.send(to, f"From: <hello@club.test>\r\nTo: <{to}>\r\nSubject: {n}\r\n{extra}\r\n{body}")
           for n, (to, extra, body) in enumerate([("bob@dest.test", "", "x\r\n"), ("bob@dest.test", "", big), ("amy@many.test", "", "x\r\n"),
                                                  ("bob@dest.test", "Sealpost-Stream: news\r\n", "x\r\n"), ("bob@none.test", "", "x\r\n")])]
    sink.wait(4, 60)
    relay.wait_kind(ids[4], "bounced", 40)
    with relay.client(implicit=True) as client:
        client.docmd("NOOP")


def use_commands(relay):
    relay.command("user", "add", "human", "--domain", "club.test", "--password-stdin", input="correct horse battery\n")
    relay.client(user="human", secret="correct horse battery").quit()
    with pytest.raises(Exception):
        relay.client(user="human", secret="wrong")
    (relay.path / "list.csv").write_text("address,tenant,stream,reason,source,created,expires\nx@y.test,default,,manual,,,\n")
    for words in (("domain", "add", "more.test", "--no-capture"), ("key", "rotate", "more.test"), ("domain", "remove", "more.test"), ("queue", "list"),
                  ("suppress", "add", "z@y.test"), ("suppress", "export"), ("suppress", "remove", "z@y.test"), ("events",), ("audit", "verify"), ("quota", "top"),
                  ("user", "rotate", "human"), ("user", "disable", "human"), ("user", "delete", "human"), ("unsubscribe", "rotate"), ("domain", "list"),
                  ("auth", "list"), ("key", "list")):
        relay.command(*words)
    relay.command("suppress", "import", str(relay.path / "list.csv"), check=False)


def use_page(relay):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for method, body in (("GET", None), ("POST", "action=stream"), ("GET", None), ("POST", "action=undo"), ("POST", "List-Unsubscribe=One-Click"),
                         ("GET", None), ("POST", "x=y"), ("HEAD", None)):
        assert ask(relay, method, link(relay), body, **form)[0] < 500
    assert ask(relay, "GET", "/nothing")[0] == 404


def use_store(relay, dns, sink_factory):
    """What waits, is held, is damaged, is deleted, and is moved or cleared away."""
    dns.mail("down.test", "mx.down.test=127.0.0.9")
    for i in range(3):
        relay.send("a@down.test", f"From: <hello@club.test>\r\nSubject: {i}\r\n\r\n{'y' * 900}\r\n")
    relay.command("queue", "hold", "--all")
    for segment in (relay.path / "state" / "spool").glob("*.seg"):
        text = segment.read_bytes()
        segment.write_bytes(text.replace(b"y" * 900, b"z" * 900, 1))
    sink_factory(host="127.0.0.9")
    relay.command("queue", "release", "--all")
    relay.command("queue", "retry", "--all")
    wait_for(lambda: "not_sent" in relay.log(), 40, 0.2)
    relay.command("queue", "delete", "--all")


def use_settings(relay):
    relay.reload()
    text = relay.config.read_text()
    relay.config.write_text("nonsense {")
    relay.process.send_signal(1)
    wait_for(lambda: "reload_refused" in relay.log())
    relay.config.write_text(text)
    certify(relay.path, "fresh")
    for old, new in (("cert.pem", "fresh.crt"), ("key.pem", "fresh.key")):
        (relay.path / old).write_bytes((relay.path / new).read_bytes())
    wait_for(lambda: "certificate_changed" in relay.log(), 60, 0.2)


def use_up_descriptors(relay):
    hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)[1]
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (8, hard))
    waiting = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in (relay.submission, relay.submissions, relay.web)]
    wait_for(lambda: "clients_wait" in relay.log())
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, before)
    for s in waiting:
        s.close()
    wait_for(lambda: greets(relay))


def greets(relay):
    try:
        relay.client().quit()
        return True
    except OSError:
        return False


def test_nothing_that_a_thread_does_is_refused(traced, relay_factory, dns, sink_factory, tmp_path):
    command = tmp_path / "tell"
    command.write_text(f"#!/bin/sh\ncat >/dev/null; touch {tmp_path}/told\n")
    command.chmod(0o755)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    sink = sink_factory()
    port = free_port()
    relay = relay_factory(CONFIG.format(port=port, command=command))
    relay.web, relay.web_tls = port, True
    relay.start()
    wait_for(lambda: "info started" in relay.log(), 60)
    status = pathlib.Path(f"/proc/{relay.process.pid}/status").read_text()
    assert re.search(r"TracerPid:\t[1-9]", status) and "Seccomp:\t2" in status
    use_mail(relay, sink, dns)
    use_page(relay)
    use_commands(relay)
    use_store(relay, dns, sink_factory)
    use_settings(relay)
    use_up_descriptors(relay)
    use_page(relay)
    time.sleep(3)  # housekeeping, the clock, the rotator
    assert (tmp_path / "told").exists()
    relay.stop()
    assert traced.stat().st_size > 1000
    assert denied(traced) == {}
