"""NSD, Knot and BIND serving zones; the first two on addresses of their own in 127.0.0.0/8, at port 53."""

import os
import pathlib
import signal
import socket
import subprocess
import textwrap

import dns.flags
import dns.message
import dns.query
import dns.rdatatype

from conftest import free_port, wait_port


def own_addresses(count):
    """Addresses that no other run of these tests uses just now."""
    number = os.getpid()
    return [f"127.{64 + number // 250 % 128}.{1 + number % 250}.{i + 1}" for i in range(count)]


def quoted(data):
    """One string of a TXT record, as a zone file has it."""
    return '"' + "".join(f"\\{chr(b)}" if b in b'"\\' else chr(b) if 32 <= b < 127 else f"\\{b:03d}" for b in data) + '"'


def text(*strings):
    raw = [s if isinstance(s, bytes) else s.encode() for s in strings]
    return " ".join(quoted(s[i:i + 255]) for s in raw for i in range(0, len(s), 255))


def zone_file(zone, lines, servers, serial=1, ttl=30):
    """`lines`: (owner, type, data) with full owners; `servers`: addresses of ns1, ns2 …"""
    out = [f"$ORIGIN {zone}.", f"$TTL {ttl}", f"@ SOA ns1 hostmaster {serial} 3600 600 86400 {ttl}"]
    for i, address in enumerate(servers, 1):
        out += [f"@ NS ns{i}", f"ns{i} A {address}"]
    return "\n".join(out + [f"{owner}. {kind} {data}" for owner, kind, data in lines]) + "\n"


class Server:
    """`zones`: name -> text of its zone file."""

    port = 53

    def __init__(self, path, address, zones):
        self.path, self.address, self.process = pathlib.Path(path), address, None
        with socket.socket() as s:
            assert s.connect_ex((address, self.port)) != 0, f"somebody else serves {address}"
        self.path.mkdir()
        self.zones = list(zones)
        for name, content in zones.items():
            self.write(name, content)
        self.start()

    def write(self, name, content):
        (self.path / f"{name}.zone").write_text(content)

    def start(self):
        self.configure()
        self.log = open(self.path / "log", "ab")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log)
        try:
            wait_port(self.port, self.address, self.process)
        except AssertionError as wrong:
            self.stop()
            raise AssertionError((self.path / "log").read_text()[-3000:]) from wrong

    def reload(self):
        """Read the zone files again."""
        self.process.send_signal(signal.SIGHUP)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.log.close()

    def ask(self, name, kind):
        """The rdatas of an authoritative answer; over TCP when it is long."""
        question = dns.message.make_query(name, kind)
        reply, _ = dns.query.udp_with_fallback(question, self.address, timeout=5, port=self.port)
        assert reply.flags & dns.flags.AA, (name, kind, reply)
        return [rdata for rrset in reply.answer if rrset.rdtype == dns.rdatatype.from_text(kind) for rdata in rrset]


class NsdServer(Server):
    def configure(self):
        zones = "".join(f'zone:\n    name: "{z}"\n    zonefile: "{z}.zone"\n' for z in self.zones)
        (self.path / "nsd.conf").write_text(textwrap.dedent(f"""
            server:
                ip-address: {self.address}
                server-count: 1
                username: ""
                zonesdir: "{self.path}"
                database: ""
                pidfile: "{self.path}/nsd.pid"
                xfrdfile: "{self.path}/xfrd.state"
                zonelistfile: "{self.path}/zone.list"
            remote-control:
                control-enable: no
            """) + zones)

    def command(self):
        return ["nsd", "-d", "-c", self.path / "nsd.conf"]


class KnotServer(Server):
    def configure(self):
        zones = "".join(f"  - domain: {z}\n    file: {z}.zone\n" for z in self.zones)
        (self.path / "knot.conf").write_text(textwrap.dedent(f"""
            server:
                rundir: {self.path}
                listen: {self.address}@53
                udp-workers: 1
                tcp-workers: 1
                background-workers: 1
            database:
                storage: {self.path}
            log:
              - target: stderr
                any: warning
            template:
              - id: default
                storage: {self.path}
            zone:
            """) + zones)

    def command(self):
        return ["knotd", "-c", self.path / "knot.conf"]


class BindServer(Server):
    """Primary for its zones, which it signs, and changes as it is told from loopback. It listens on addresses that an
    interface has, and so at another port."""

    def __init__(self, path, zones):
        self.port = free_port()
        super().__init__(path, "127.0.0.1", zones)

    def configure(self):
        zones = "".join(f'zone "{z}" {{ type primary; file "{z}.zone"; allow-update {{ 127.0.0.0/8; }}; '
                        f'dnssec-policy default; inline-signing no; }};\n' for z in self.zones)
        (self.path / "named.conf").write_text(textwrap.dedent(f"""
            options {{
                directory "{self.path}";
                pid-file "{self.path}/named.pid";
                session-keyfile "{self.path}/session.key";
                listen-on port {self.port} {{ {self.address}; }};
                listen-on-v6 {{ none; }};
                recursion no;
                notify no;
            }};
            controls {{ }};
            """) + zones)

    def command(self):
        return ["named", "-g", "-n", "1", "-c", self.path / "named.conf"]
