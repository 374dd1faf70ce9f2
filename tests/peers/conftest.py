"""What the tests of real programs share: a relay, a sink, a DNS server of our own, and the message's way through them.

Everything listens on loopback, in a directory of its own, and ends by the process id it was started with.
"""

import atexit
import fcntl
import hashlib
import json
import os
import pathlib
import random
import re
import selectors
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import dnslib
import dnslib.server
import pytest

from mailhost import MailHost, authority

SEALPOST = os.environ.get("SEALPOST", "build/sealpost")
MADE = "SEALPOST_TESTS_MADE"  # where the processes of a run share what is slow to make
RELEASE = os.path.abspath(os.environ.get("SEALPOST_RELEASE", "build/sealpost"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """A directory of this run's own, which no other run of pytest clears away or closes to other users."""
    if not config.option.basetemp and not hasattr(config, "workerinput"):
        place = config.own_place = tempfile.mkdtemp(prefix="peers-")  # short, as sockets lie in it
        config.option.basetemp = os.path.join(place, "t")
        os.chmod(place, 0o755)
        if MADE not in os.environ:  # several runs may share it
            os.environ[MADE] = os.path.join(place, "made")
            os.mkdir(os.environ[MADE], 0o700)
    for marker in ("alone(why): compares speeds or needs the whole machine, so nothing may run beside it",
                   "memory: crosses memory or threads, so it also runs with the sanitizers",
                   "unsandboxed(why): cannot run in the relay's sandbox, so it runs with the sanitizers only"):
        config.addinivalue_line("markers", marker)


def pytest_sessionfinish(session, exitstatus):
    place = getattr(session.config, "own_place", None)
    if place and exitstatus == 0:
        shutil.rmtree(place, ignore_errors=True)


def vectors():
    """The shared test data, or None; a run in CI must have it."""
    place = pathlib.Path(__file__).resolve().parents[3] / "shared" / "vectors"
    return place if place.is_dir() else None


def need_vectors():
    if vectors() is None:
        if os.environ.get("CI"):
            pytest.fail("the shared vectors are missing")
        pytest.skip("the shared vectors are not here")
    return vectors()


class Ports:
    """Ports for tests that run side by side: each process claims blocks of them, below those that the kernel gives to clients.

    A claim is an abstract socket: it ends with the process, whatever happens to it.
    """

    FIRST, LAST, BLOCK = 10000, 32000, 100

    def __init__(self):
        self.claims, self.left = [], []

    def claim(self):
        blocks = list(range(self.FIRST, self.LAST, self.BLOCK))
        random.shuffle(blocks)
        for block in blocks:
            claim = socket.socket(socket.AF_UNIX)
            try:
                claim.bind(f"\0sealpost-test-ports-{block}")
            except OSError:
                claim.close()
                continue
            self.claims.append(claim)
            self.left = list(range(block, block + self.BLOCK))
            return
        raise AssertionError("all ports are claimed by other tests")

    def take(self):
        """One that nobody listens on, and a different one each time."""
        while True:
            if not self.left:
                self.claim()
            port = self.left.pop()
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                try:
                    tcp.bind(("0.0.0.0", port))
                    udp.bind(("0.0.0.0", port))
                except OSError:
                    continue
            return port


free_port = Ports().take


def wait_for(what, timeout=15.0, step=0.02):
    """Wait until `what()` is true; its value. The longer it waits, the less often it looks: often that is to run a command."""
    began = time.monotonic()
    while True:
        value = what()
        if value:
            return value
        waited = time.monotonic() - began
        if waited > timeout:
            raise AssertionError(f"waited {timeout} s in vain")
        time.sleep(max(step, min(waited / 20, 0.2)))


def slack(seconds):
    """What takes `seconds` at most where the cores are free takes longer where others want them too: by as much as there are runnable
    tasks for a core, and never more than eight times as long. A bound that is far from what it tells apart may use it."""
    return seconds * min(8, max(1, os.getloadavg()[0] / os.cpu_count()))


def wait_port(port, host="127.0.0.1", process=None):
    def is_open():
        if process is not None and process.poll() is not None:
            raise AssertionError("process ended early")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            return s.connect_ex((host, port)) == 0

    wait_for(is_open)


def rdata(kind, value):
    """Record data from text; TXT also from a list of strings, MX from a pair."""
    if kind == "TXT":
        strings = value if isinstance(value, list) else [value]
        strings = strings or [""]
        raw = [s.encode("utf-8") for s in strings]
        return dnslib.TXT([part[i:i + 255] for part in raw for i in range(0, max(len(part), 1), 255)])
    if kind == "MX":
        preference, host = value if isinstance(value, list) else value.split()
        return dnslib.MX(host, int(preference))
    return dnslib.RDMAP[kind](value)


class DnsServers:
    """`resolver` served by UDP and TCP at a port of 127.0.0.1, until stop(): dnslib's own loops look only twice a second for their end."""

    def __init__(self, resolver, port):
        logger = dnslib.server.DNSLogger("-request,-reply,-truncated,-error,-recv,-send,-data")
        self.servers = [dnslib.server.DNSServer(resolver, port=port, address="127.0.0.1", tcp=tcp, logger=logger).server
                        for tcp in (False, True)]
        self.end, self.ended = socket.socketpair()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with selectors.DefaultSelector() as selector:
            for server in self.servers:
                server.timeout = 0
                selector.register(server, selectors.EVENT_READ, server)
            selector.register(self.ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    key.data.handle_request()

    def stop(self):
        self.end.close()
        self.thread.join()
        self.ended.close()
        for server in self.servers:
            server.server_close()


class Dns(dnslib.server.BaseResolver):
    """An authoritative server for whatever `zone` holds: (name, type) -> list of record data, or "SERVFAIL" or "SILENCE"."""

    def __init__(self):
        self.ttl, self.delay = 60, 0
        self.zone = {}
        self.asked = []
        self.port = free_port()
        self.servers = DnsServers(self, self.port)

    def add(self, name, kind, *values):
        self.zone[(name.lower().rstrip("."), kind)] = list(values)

    def mail(self, domain, *hosts):
        """MX records for hosts "name=address"."""
        self.add(domain, "MX", *[f"{10 * (i + 1)} {h.split('=')[0]}." for i, h in enumerate(hosts)])
        for host in hosts:
            name, address = host.split("=")
            self.add(name, "AAAA" if ":" in address else "A", address)

    def resolve(self, request, handler):
        name = b".".join(request.q.qname.label).decode("latin1").lower()
        kind = dnslib.QTYPE[request.q.qtype]
        reply = request.reply()
        self.asked.append((name, kind))
        time.sleep(self.delay)
        data = self.zone.get((name, kind), self.zone.get((name, "ANY")))
        if data == ["SILENCE"] or self.zone.get("all") == "SILENCE":
            raise TimeoutError(name)  # no answer at all
        alias = self.zone.get((name, "CNAME"))
        if alias and not data:
            reply.add_answer(dnslib.RR(request.q.qname, dnslib.QTYPE.CNAME, ttl=self.ttl, rdata=dnslib.CNAME(alias[0])))
            return reply
        if data == ["SERVFAIL"] or self.zone.get("all") == "SERVFAIL":
            reply.header.rcode = dnslib.RCODE.SERVFAIL
        elif data:
            for value in data:
                reply.add_answer(dnslib.RR(request.q.qname, getattr(dnslib.QTYPE, kind), ttl=self.ttl,
                                           rdata=rdata(kind, value)))
        elif name != "" and not any(k != "all" and (k[0] == name or k[0].endswith("." + name)) for k in self.zone):
            reply.header.rcode = dnslib.RCODE.NXDOMAIN
        return reply

    def stop(self):
        self.servers.stop()


def needed(records):
    """SPF, DKIM and DMARC."""
    return [record for record in records if record["type"] == "TXT" and record["need"] == "required"]


class Made:
    """What `sealpost init` made, to be copied: an RSA key takes longer than all else in most tests.

    Each program, domain and place in a test has its own, in each run once. Only what is judged by its age is made anew.
    """

    @staticmethod
    def at(program, domain, path, init, anew):
        """Fill `path`; what init said."""
        if anew:
            return init()
        if MADE not in os.environ:  # not by pytest
            os.environ[MADE] = tempfile.mkdtemp(prefix="peers-made-")
            atexit.register(shutil.rmtree, os.environ[MADE], ignore_errors=True)
        room = pathlib.Path(os.environ[MADE], hashlib.sha256("\0".join([program, domain, path.name]).encode()).hexdigest()[:16])
        room.mkdir(exist_ok=True)
        with open(room / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (room / "said").exists():
                said = init()
                shutil.copytree(path, room / "copy")
                (room / "said").write_text(json.dumps([said, str(path)]))
                return said
        said, first = json.loads((room / "said").read_text())
        shutil.copytree(room / "copy", path, dirs_exist_ok=True)
        config = path / "sealpost.conf"
        config.write_text(config.read_text().replace(first, str(path)))
        return said


# Reading the system's authorities is half of a relay's start, and none of the tests' servers has a certificate from them.
NO_AUTHORITIES = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nonexistent"}


class Relay:
    """A relay as `sealpost init` makes it, in its own directory."""

    def __init__(self, path, dns, delivery_port, extra="", domain="club.test", program=None, shards=2, loopback=True):
        self.options = ()  # of serve
        self.path, self.given_program = path, program
        self.dns = dns
        self.submission, self.submissions = free_port(), free_port()
        self.process = None
        self.environment, self.asked = {}, set()
        self.config = path / "sealpost.conf"
        made = Made.at(self.program, domain, path, lambda: self.init(domain), anew="dkim" in extra)
        self.secret, self.records = made["secret"], needed(made["records"])
        text = self.config.read_text()
        text = text.replace("0.0.0.0:587", f"127.0.0.1:{self.submission}")
        text = text.replace("0.0.0.0:465", f"127.0.0.1:{self.submissions}")
        meant = 'private_networks = {"127.0.0.0/8", "::1"}  ' if loopback else ""  # where the tests' DNS may lead
        text = text.replace("delivery { port = 25 }", f"delivery {{ {meant}port = {delivery_port} }}")
        if shards and "shards" not in extra:
            text += f"shards = {shards}\n"  # more than one, whatever the machine has
        if "throttle" not in extra:
            text += 'throttle = "observe"\n'  # decides and writes down, and lets pass
        more = " " + dns.settings() if hasattr(dns, "settings") else ""
        text += f'dns {{ forward = {{"127.0.0.1@{dns.port}"}}{more} }}\n{extra}\n'
        self.config.write_text(text)
        self.publish(self.records)

    def init(self, domain):
        return json.loads(self.command("--json", "init", domain, "--dir", str(self.path), "--hostname", "mail.club.test",
                                       "--public-ip", "192.0.2.10", "--no-capture", config=False))

    @property
    def program(self):
        return self.given_program or SEALPOST

    def publish(self, records):
        for record in records:
            self.dns.add(record["name"], record["type"], record["value"])

    def command(self, *arguments, config=True, check=True, input=None, program=None):
        where = ["-c", str(self.config)] if config else []
        done = subprocess.run([program or self.program, *where, *arguments], capture_output=True, text=True, input=input, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: {done.returncode}: {done.stderr}")
        return done.stdout if check else done

    def json(self, *arguments):
        return json.loads(self.command("--json", *arguments))

    def look(self, *arguments):
        """As json(). What is asked again and again, while a test waits, the release asks: sanitizers take long to start."""
        again = arguments in self.asked and not self.given_program and os.path.exists(RELEASE)
        self.asked.add(arguments)
        return json.loads(self.command("--json", *arguments, program=RELEASE if again else None))

    def add_domain(self, domain, *options):
        records = needed(self.json("domain", "add", domain, "--no-capture", *options))
        self.publish(records)
        return records

    def start(self, wait=True):
        self.log_file = open(self.path / "serve.log", "ab")
        self.process = subprocess.Popen([self.program, "-c", str(self.config), "serve", *self.options], stderr=self.log_file,
                                        stdout=self.log_file, env={**os.environ, **NO_AUTHORITIES, **self.environment})
        if wait:
            wait_port(self.submission, process=self.process)
            wait_port(self.submissions, process=self.process)
        return self

    def log(self):
        return (self.path / "serve.log").read_text(errors="replace")

    def stop(self):
        """SIGTERM; the exit code must say that all went well, sanitizers included."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process = None
        self.log_file.close()
        assert code == 0, self.log()[-4000:]
        assert "ERROR: " not in self.log() and "runtime error" not in self.log(), self.log()[-8000:]

    def reload(self):
        done = self.log().count(" reloaded ")
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count(" reloaded ") > done)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None
        self.log_file.close()

    def context(self):
        context = ssl.create_default_context(cafile=str(self.path / "cert.pem"))
        context.check_hostname = False
        return context

    def client(self, implicit=False, user="app", secret=None):
        if implicit:
            client = smtplib.SMTP_SSL("127.0.0.1", self.submissions, context=self.context(), timeout=60)
        else:
            client = smtplib.SMTP("127.0.0.1", self.submission, timeout=60)
            client.starttls(context=self.context())
        client.login(user, secret or self.secret)
        return client

    def send(self, to="bob@dest.test", message=None, sender="hello@club.test", **options):
        """Submit one message; its id."""
        recipients = [to] if isinstance(to, str) else to
        if message is None:
            message = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: test\r\n\r\nhello\r\n"
        if isinstance(message, str):
            message = message.encode()
        with self.client() as client:
            client.ehlo_or_helo_if_needed()
            code, text = client.mail(sender, options.get("mail_options", ()))
            assert code == 250, text
            for recipient in recipients:
                code, text = client.rcpt(recipient, options.get("rcpt_options", ()))
                assert code == 250, text
            code, text = client.data(message)
            assert code == 250, text
        return text.decode().split()[-1]

    def trace(self, id):
        """Its events, without the row that says what it waits for."""
        return [event for event in self.look("trace", id) if event["kind"] != "waits"]

    def kinds(self, id):
        return [event["kind"] for event in self.trace(id)]

    def wait_kind(self, id, kind, timeout=20):
        return wait_for(lambda: [e for e in self.trace(id) if e["kind"] == kind], timeout, 0.1)

    def queue(self, *options):
        return self.look("queue", "list", *options)


class Sink:
    """`sealpost sink`: the messages it took."""

    def __init__(self, path, port, host="127.0.0.1", records=None):
        self.dir, self.port = path, port
        path.mkdir()
        arguments = ["--listen", f"[{host}]:{port}" if ":" in host else f"{host}:{port}", "--dir", str(path / "mail")]
        if records is not None:
            (path / "records.json").write_text(json.dumps(records))
            arguments += ["--records", str(path / "records.json")]
        self.process = subprocess.Popen([SEALPOST, "-c", "/nonexistent", "--json", "sink", *arguments],
                                        stdout=open(path / "out", "wb"), stderr=open(path / "err", "wb"))
        wait_port(port, host, self.process)

    def messages(self):
        """(description, bytes) of each message, in order."""
        return [(json.loads(p.read_text()), p.with_suffix(".eml").read_bytes())
                for p in sorted((self.dir / "mail").glob("*.json")) if p.stat().st_size > 0]

    def wait(self, count, timeout=20):
        wait_for(lambda: len(list((self.dir / "mail").glob("*.json"))) >= count, timeout)
        time.sleep(0.05)
        return self.messages()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        assert code == 0, (self.dir / "err").read_text()[-4000:]


def split_copy(raw):
    """What arrived at the sink: (DKIM-Signature fields, Received field of ours, the rest)."""
    match = re.match(rb"((?:DKIM-Signature: .*?\r\n(?:[ \t].*?\r\n)*)+)(Received: .*?\r\n(?:[ \t].*?\r\n)*)", raw)
    assert match, raw[:400]
    return match.group(1), match.group(2), raw[match.end():]


def dkim_passes(raw, dns):
    """Does dkimpy find every signature of ours good? (A message may bring others of its own.)"""
    import dkim

    def txt(name, timeout=5):
        values = dns.zone.get((name.decode().rstrip(".").lower(), "TXT"))
        return values[0].encode() if values else None

    verifier = dkim.DKIM(raw)
    fields = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    ours = [i for i, value in enumerate(fields) if re.search(rb"s=sp\d{8}", value)]
    return len(ours) > 0 and all(verifier.verify(idx=i, dnsfunc=txt) for i in ours)


@pytest.fixture
def release(monkeypatch):
    """The release build, which then makes and runs the relays of the test, whatever the others are tested with."""
    if not os.path.exists(RELEASE):
        pytest.fail(f"{RELEASE} is not there: tests/run builds it")
    monkeypatch.setattr(sys.modules[__name__], "SEALPOST", RELEASE)
    return RELEASE


@pytest.fixture
def authorities(monkeypatch):
    """The relays of the test read the system's authorities, as outside of tests."""
    monkeypatch.setattr(sys.modules[__name__], "NO_AUTHORITIES", {})


@pytest.fixture
def dns():
    server = Dns()
    yield server
    server.stop()


@pytest.fixture
def delivery_port():
    return free_port()


@pytest.fixture
def relay_factory(tmp_path, dns, delivery_port):
    made = []

    def make(extra="", **options):
        path = tmp_path / f"relay{len(made)}"
        path.mkdir()
        relay = Relay(path, options.pop("dns", dns), options.pop("port", delivery_port), extra, **options)
        made.append(relay)
        return relay

    yield make
    try:
        for relay in made:
            relay.stop()
    finally:
        for relay in made:
            if relay.process is not None:
                relay.kill()


@pytest.fixture
def sink_factory(tmp_path, delivery_port):
    made = []

    def make(host="127.0.0.1", port=None, records=None):
        sink = Sink(tmp_path / f"sink{len(made)}", port or delivery_port, host, records)
        made.append(sink)
        return sink

    yield make
    for sink in made:
        sink.stop()


@pytest.fixture
def relay(relay_factory, dns):
    """A running relay; dest.test's mail server is at 127.0.0.1."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return relay_factory().start()


@pytest.fixture
def sink(sink_factory, relay):
    return sink_factory(records=relay.records)


class Shim:
    """The shim of tests/crash, to be preloaded into a relay: what is in its page (control.h) goes wrong."""

    FIELDS = ("pid", "clock_ms", "point", "action", "countdown", "times")
    LOG_WRITE, ENOSPC = 6, 4

    def __init__(self, path):
        library, self.page = path / "shim.so", path / "page"
        source = pathlib.Path(__file__).resolve().parents[1] / "crash" / "shim.c"
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source, "-ldl"], check=True)
        self.page.write_bytes(bytes(8 * 64))
        linked = subprocess.run(["ldd", SEALPOST], check=True, capture_output=True, text=True).stdout
        first = re.findall(r"=> (\S*libasan\S*)", linked)  # it must come before all others
        self.environment = {"LD_PRELOAD": ":".join([*first, str(library)]), "CRASH_CONTROL": str(self.page)}

    def set(self, **values):
        with open(self.page, "r+b") as file:
            for name, value in values.items():
                file.seek(8 * self.FIELDS.index(name))
                file.write(value.to_bytes(8, "little", signed=True))


@pytest.fixture
def shim(tmp_path):
    return Shim(tmp_path)


@pytest.fixture
def mailhost(delivery_port):
    """A function that starts a mail server, on the port where mail is delivered if no other is given."""
    made = []

    def make(*arguments, **options):
        made.append(MailHost(options.pop("port", delivery_port), *arguments, **options))
        return made[-1]

    yield make
    for host in made:
        host.stop()


@pytest.fixture
def issue(tmp_path):
    """An authority of one's own."""
    return authority(tmp_path)
