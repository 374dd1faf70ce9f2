"""What the measurements share: a release build, our load generator and counting sink, a relay, and Postfix beside it.

Everything listens on loopback, in a directory of its own, and ends by the process id it was started with.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SEALPOST_BENCH_BUILD", TOP / "build-bench"))
os.environ.setdefault("SEALPOST", str(BUILD / "sealpost"))
sys.path.insert(0, str(TOP / "tests" / "peers"))
sys.dont_write_bytecode = True

# On a fresh machine nothing of what follows is there yet.
if subprocess.run([TOP / "contrib/deps", "build", "core", "bench"]).returncode != 0:
    sys.exit(1)
from conftest import Dns, Relay, free_port, wait_for, wait_port  # noqa: E402
import postfix  # noqa: E402
from nsd import Nsd  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


def build():
    """A release build with the tools; one that the environment names is built already."""
    if "SEALPOST_BENCH_BUILD" in os.environ:
        return
    options = ["-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DSEALPOST_BENCH=ON"]
    subprocess.run(["cmake", "-S", TOP, "-B", BUILD, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", BUILD], check=True, stdout=subprocess.DEVNULL)


def machine():
    """One line that says what was measured on."""
    model = next(l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name"))
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / 1024 ** 2
    system = next(l.split("=")[1].strip().strip('"') for l in open("/etc/os-release") if l.startswith("PRETTY_NAME"))
    return f"{os.cpu_count()} cores {model}, {memory:.0f} GiB, {system}, Linux {os.uname().release}"


class Place:
    """A directory that postfix' own users may enter, removed at the end."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="sealpost-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")))
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


# ---- what a process tree costs ----

def tree(pid):
    """The process and all its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()
                parents.setdefault(int(fields[1]), []).append(int(entry))
            except OSError:
                pass
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_s(pids):
    """CPU seconds of these, and of their children that have ended."""
    total = 0
    for pid in pids:
        try:
            fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            total += sum(int(x) for x in fields[11:15])
        except OSError:
            pass
    return total / TICKS


def memory_kb(pids):
    """Proportional set size: what is shared counts once."""
    total = 0
    for pid in pids:
        try:
            total += next(int(l.split()[1]) for l in open(f"/proc/{pid}/smaps_rollup") if l.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total


def descriptors(pids):
    """How many they have open: connections among them."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


class Peak(threading.Thread):
    """The most memory that a relay's processes have, looked at once a second."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.pids, self.kb, self.over = pids, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.kb = max(self.kb, memory_kb(self.pids()))
            self.over.wait(1.0)

    def stop(self):
        self.over.set()
        self.join()
        self.kb = max(self.kb, memory_kb(self.pids()))
        return self.kb / 1024


# ---- our tools ----

class Stopped:
    """Used with `with`: ends when the block does."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Sink(Stopped):
    """The counting sink; its counters are a mapped file."""

    FIELDS = ("connections", "messages", "recipients", "bytes", "deferred", "first_ns", "last_ns")

    def __init__(self, path, certificate, key, *options, address="127.0.0.1", port=None):
        self.port, self.count = port or free_port(), path / f"count-{free_port()}"
        self.arrivals = self.count.with_suffix(".late")
        self.process = subprocess.Popen(
            [BUILD / "tests/bench/bench-sink", "--listen", f"{address}:{self.port}", "--cert", certificate, "--key", key,
             "--count", self.count, "--arrivals", self.arrivals, *map(str, options)])
        wait_port(self.port, process=self.process)

    def __getattr__(self, name):
        if name not in self.FIELDS:
            raise AttributeError(name)
        at = 8 * self.FIELDS.index(name)
        return struct.unpack("Q", self.count.read_bytes()[at:at + 8])[0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def load_arguments(port, secret, *options):
    return [str(x) for x in (BUILD / "tests/bench/bench-load", "--server", f"127.0.0.1:{port}", "--user", "app", "--secret",
                             secret, "--sender", "hello@club.test", *options)]


def load(port, secret, *options):
    """Run the generator to its end; what it says."""
    done = subprocess.run(load_arguments(port, secret, *options), stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


class Held(Stopped):
    """Connections that are open, secured, authenticated, and idle."""

    def __init__(self, port, secret, count):
        self.process = subprocess.Popen(load_arguments(port, secret, "--hold", "--connections", count),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.count = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


# ---- the relays ----

class Zone(Stopped):
    """NSD with one zone, for more questions than our own DNS server can answer in time: {domain: address of its host}."""

    def __init__(self, path, hosts):
        lines = []
        for domain, address in hosts.items():
            lines += [f"{domain}. 3600 MX 10 mx.{domain}.", f"mx.{domain}. 3600 A {address}"]
        self.server = Nsd(path, lines)
        self.port = self.server.port

    def add(self, *_):
        """What a relay would publish plays no part here."""

    def stop(self):
        self.server.stop()


class Sealpost(Stopped):
    """Delivers everything to one smart host, or by DNS when there is none. `program` may be another build's."""

    def __init__(self, path, sink_port, extra="", smart_host=True, dns=None, program=os.environ["SEALPOST"]):
        self.dns = dns or Dns()
        route = f'route "*" {{ host = "127.0.0.1" port = {sink_port} tls = "require" }}\n' if smart_host else ""
        limits = "" if "throttle" in extra else 'throttle = "enforce"\nlimit "domain" { every = 0 }\n'  # all mail goes to one domain
        self.relay = Relay(path, self.dns, sink_port, route + extra + limits, program=program, shards=None,
                           loopback=not smart_host)
        self.port, self.secret = self.relay.submission, self.relay.secret

    def __enter__(self):
        began = time.monotonic()
        self.relay.start()
        self.start_s = time.monotonic() - began
        return self

    def pids(self):
        return [self.relay.process.pid]

    def stop(self):
        if self.relay.process:
            self.relay.stop()
        self.dns.stop()


class Postfix(Stopped):
    """Debian's Postfix with OpenDKIM as a milter on a Unix socket: AUTH over STARTTLS in, RSA-2048, STARTTLS out."""

    def __init__(self, path, sink_port, certificate, key):
        self.port, self.secret = free_port(), "correct-horse-battery-staple"
        self.start_opendkim(path)
        passwords = path / "sasldb2"
        subprocess.run(["saslpasswd2", "-c", "-p", "-f", passwords, "-u", "club.test", "app"], check=True, text=True,
                       input=self.secret)
        shutil.chown(passwords, "postfix")
        sasl = f"pwcheck_method: auxprop\nauxprop_plugin: sasldb\nmech_list: PLAIN LOGIN\nsasldb_path: {passwords}\n"
        self.instance = postfix.Instance(path / "postfix", textwrap.dedent(f"""
            myhostname = mail.club.test
            smtpd_tls_security_level = encrypt
            smtpd_tls_auth_only = yes
            smtpd_tls_cert_file = {certificate}
            smtpd_tls_key_file = {key}
            smtpd_tls_session_cache_database = btree:{path}/postfix/data/smtpd_scache
            smtp_tls_session_cache_database = btree:{path}/postfix/data/smtp_scache
            smtpd_sasl_auth_enable = yes
            smtpd_sasl_local_domain = club.test
            smtpd_sasl_path = smtpd
            smtpd_relay_restrictions = permit_sasl_authenticated, reject
            smtpd_client_connection_count_limit = 0
            smtpd_client_connection_rate_limit = 0
            relayhost = [127.0.0.1]:{sink_port}
            smtp_tls_security_level = encrypt
            smtpd_milters = unix:{path}/opendkim.sock
            milter_default_action = tempfail
            """), self.port, {"sasl/smtpd.conf": sasl})

    def start_opendkim(self, path):
        subprocess.run(["openssl", "genrsa", "-out", path / "dkim.pem", "2048"], check=True, capture_output=True)
        (path / "dkim.pem").chmod(0o600)
        (path / "opendkim.conf").write_text(textwrap.dedent(f"""
            Mode s
            Domain club.test
            Selector bench
            KeyFile {path}/dkim.pem
            Canonicalization relaxed/relaxed
            Socket local:{path}/opendkim.sock
            UMask 000
            InternalHosts 127.0.0.1
            RequireSafeKeys no
            PidFile {path}/opendkim.pid
            """))
        self.opendkim = subprocess.Popen(["opendkim", "-f", "-x", path / "opendkim.conf"])
        wait_for(lambda: (path / "opendkim.sock").exists())

    def __enter__(self):
        wait_port(self.port)
        return self

    def pids(self):
        return tree(self.instance.process.pid) + tree(self.opendkim.pid)

    def stop(self):
        self.instance.stop()
        self.opendkim.terminate()
        self.opendkim.wait()


def certificate(path):
    """An ECDSA certificate, as `sealpost init` makes one."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    path / "tls.key", "-out", path / "tls.pem", "-days", "30", "-subj", "/CN=sink.test"], check=True,
                   capture_output=True)
    shutil.chown(path / "tls.key", "postfix")
    return path / "tls.pem", path / "tls.key"


EVERYBODY = ["--spread", 0]  # each message to somebody who has got none before: limits count, and none is reached


def warm(relay, sink):
    before = sink.messages
    load(relay.port, relay.secret, "--messages", 100, "--connections", 5, *EVERYBODY)
    wait_for(lambda: sink.messages - before >= 100, 60)


def run_job(relay, sink, messages, *options, timeout=900):
    """One job through a running relay, to the last arrival. Rates by the second, CPU in ms a message."""
    warm(relay, sink)
    before, cpu_before, sink_before = sink.messages, cpu_s(relay.pids()), cpu_s([sink.process.pid])
    peak = Peak(relay.pids)
    began_ns = time.monotonic_ns()
    said = load(relay.port, relay.secret, "--messages", messages, *EVERYBODY, *options)
    wait_for(lambda: sink.messages - before >= said["accepted"], timeout, 0.05)
    seconds = (sink.last_ns - began_ns) / 1e9
    time.sleep(0.5)  # the last outcomes are written down too
    return {"accepted_per_s": said["accepted"] / said["seconds"], "delivered_per_s": said["accepted"] / seconds,
            "p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"],
            "cpu_ms": (cpu_s(relay.pids()) - cpu_before) * 1000 / said["accepted"],
            "peak_mb": peak.stop(), "refused": said["refused"] + said["broken"],
            "load_cpu_ms": said["cpu_s"] * 1000 / said["accepted"],
            "sink_cpu_ms": (cpu_s([sink.process.pid]) - sink_before) * 1000 / said["accepted"]}


def percentile(values, percent):
    """Of a sorted list."""
    return values[min(len(values) - 1, len(values) * percent // 100)]


def run_rate(relay, sink, rate, seconds, *options):
    """An open loop: `rate` a second, each at its time, whether the relay keeps up or not. ms from that time on."""
    warm(relay, sink)
    before = sink.messages
    said = load(relay.port, relay.secret, "--rate", rate, "--messages", int(rate * seconds), *EVERYBODY, *options)
    wait_for(lambda: sink.messages - before >= said["accepted"], 60, 0.05)
    late = sorted(us / 1000 for us, in struct.iter_unpack("I", sink.arrivals.read_bytes()))
    return {"p50_ms": said["p50_ms"], "p99_ms": said["p99_ms"], "arrival_p50_ms": percentile(late, 50),
            "arrival_p99_ms": percentile(late, 99), "refused": said["refused"] + said["broken"]}


# ---- what is written to disk ----

WRITES = "write,pwrite64,writev,pwritev,pwritev2"
SYNCS = "fdatasync,fsync,sync_file_range"
CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(\d+<([^>]*)>| resumed>).*= (-?\d+)")
BEGUN = re.compile(r"^(\d+) +(\w+)\(\d+<([^>]*)>.*<unfinished \.\.\.>$")


class Strace(Stopped):
    """What a process, all its threads, writes to files below `where`: calls, bytes and syncs."""

    def __init__(self, pid, path, where):
        self.where, self.out = str(where), path / "strace"
        self.process = subprocess.Popen(["strace", "-f", "-y", "-s", "0", "-e", f"trace={WRITES},{SYNCS}", "-e", "signal=none", "-o",
                                         self.out, "-p", str(pid)], stderr=subprocess.PIPE, text=True)
        wait_for(lambda: "attached" in self.process.stderr.readline())
        self.drain = threading.Thread(target=self.process.stderr.read, daemon=True)
        self.drain.start()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait()

    def count(self):
        """{"calls": , "bytes": , "syncs": } and the same by file."""
        self.stop()
        total, files, begun = dict.fromkeys(("calls", "bytes", "syncs"), 0), {}, {}
        for line in open(self.out):
            waits = BEGUN.match(line)
            if waits:
                begun[waits[1]] = waits[3]
                continue
            call = CALL.match(line)
            name = call and (call[2] or begun.pop(line.split()[0], ""))
            if not name or not name.startswith(self.where):
                continue
            row = files.setdefault(re.sub(r"\d{6,}|[0-9a-f]{12,}", "*", name[len(self.where) + 1:]),
                                   dict.fromkeys(("calls", "bytes", "syncs"), 0))
            for counted in (total, row):
                counted["syncs" if call[1] in SYNCS else "calls"] += 1
                counted["bytes"] += 0 if call[1] in SYNCS else max(0, int(call[3]))
        return total, files


def run_writes(relay, sink, path, messages, *options):
    """Calls, bytes and syncs a message on the way through, accept and outcome together."""
    warm(relay, sink)
    time.sleep(0.5)
    before = sink.messages
    with Strace(relay.pids()[0], path, path / "state") as trace:
        said = load(relay.port, relay.secret, "--messages", messages, *EVERYBODY, *options)
        wait_for(lambda: sink.messages - before >= said["accepted"], 120, 0.05)
        time.sleep(0.5)
        total, files = trace.count()
    return ({key: value / said["accepted"] for key, value in total.items()},
            {name: {key: value / said["accepted"] for key, value in row.items()} for name, row in files.items()})
