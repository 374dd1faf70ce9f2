"""A tree of zones from a root of its own down, signed or not, with faults at single names; and a resolver that validates it.

    tree = SignedZones(tmp_path / "zones")
    tree.zone("good.test")                         # signed, and its parent says so
    tree.zone("plain.test", "insecure")
    tree.add("good.test", "MX", "10 mx.good.test.")
    tree.add("mx.good.test", "A", "127.0.0.5")
    tree.add("_25._tcp.mx.good.test", "TLSA", tlsa(certificate, 3, 1, 1))
    tree.start()
    tree.faults["_25._tcp.mx.other.test", "TLSA"] = "SERVFAIL"
    relay_factory(dns=tree)                        # it forwards to the tree, and validates

NSD or Knot serve the zones, signed by ldns. Before them stands a front, which notes each question in `asked`, and answers otherwise
where `faults` says so.
"""

import base64
import concurrent.futures
import contextlib
import hashlib
import math
import pathlib
import shlex
import socket
import struct
import subprocess
import textwrap
import threading

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.rrset

from conftest import free_port, wait_for
from zones import NsdServer, Server, own_addresses

# What the zone has, and what its parent says of it.
SIGNED, DS, OTHER_DS, RSA, COSTLY, P384 = "signed", "its DS", "the DS of a key that it has not", "by RSA", "with a long exponent", "by P-384"
STATES = {
    "secure": (SIGNED, DS),
    "RSA": (SIGNED, DS, RSA),
    "costly RSA": (SIGNED, DS, RSA, COSTLY),  # each signature costs a hundred times the usual to verify
    "P-384": (SIGNED, DS, P384),              # ten times those by P-256
    "insecure": (),
    "island": (SIGNED,),            # insecure: nothing leads to its keys
    "bogus": (SIGNED, OTHER_DS),
    "stripped": (DS,),              # bogus: there are keys, and no signatures
    "expired": (SIGNED, DS),        # bogus: the signatures have ended
}
DENIALS = {"nsec": [], "nsec3": ["-n"], "opt-out": ["-n", "-p"], "500 iterations": ["-n", "-t", "500"]}
LONG_AGO = ["-i", "20200101000000", "-e", "20200201000000"]


def tlsa(certificate, usage, selector, matching):
    """The data of a TLSA record for a certificate in PEM (text, bytes or a file)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    if isinstance(certificate, pathlib.Path):
        certificate = certificate.read_bytes()
    made = x509.load_pem_x509_certificate(certificate.encode() if isinstance(certificate, str) else certificate)
    of = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    whole = made.public_key().public_bytes(*of) if selector == 1 else made.public_bytes(serialization.Encoding.DER)
    return f"{usage} {selector} {matching} " + {0: whole.hex, 1: hashlib.sha256(whole).hexdigest,
                                                2: hashlib.sha512(whole).hexdigest}[matching]()


def make_rsa_key(path, owner, costly):
    """As ldns-keygen; the public exponent of a costly one is as long as its modulus."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = rsa.generate_private_key(65537, 2048).private_numbers()
    n, e, d, p, q = made.public_numbers.n, made.public_numbers.e, made.d, made.p, made.q
    if costly:
        d = next(d for d in range(2**40 + 1, 2**41, 2) if math.gcd(d, (p - 1) * (q - 1)) == 1)
        e = pow(d, -1, (p - 1) * (q - 1))
    raw = lambda number: number.to_bytes((number.bit_length() + 7) // 8, "big")
    text = lambda number: base64.b64encode(raw(number)).decode()
    length = len(raw(e)).to_bytes(1 if len(raw(e)) < 256 else 3, "big")
    key = dns.rdata.from_text("IN", "DNSKEY", "257 3 8 " + base64.b64encode(length + raw(e) + raw(n)).decode())
    name = f"K{owner}+008+{dns.dnssec.key_id(key):05d}"
    numbers = {"Modulus": n, "PublicExponent": e, "PrivateExponent": d, "Prime1": p, "Prime2": q, "Exponent1": d % (p - 1),
               "Exponent2": d % (q - 1), "Coefficient": pow(q, -1, p)}
    (path / f"{name}.key").write_text(f"{owner} IN {dns.rdatatype.to_text(key.rdtype)} {key}\n")
    (path / f"{name}.private").write_text("Private-key-format: v1.2\nAlgorithm: 8 (RSASHA256)\n"
                                          + "".join(f"{word}: {text(number)}\n" for word, number in numbers.items()))
    return name, [f"DS {dns.dnssec.make_ds(dns.name.from_text(owner), key, 'SHA256')}"]


class Zone:
    def __init__(self, path, name, state, denial, ttl):
        self.path, self.name, self.has, self.denial, self.ttl = path, name, STATES[state], DENIALS[denial], ttl
        self.dates = LONG_AGO if state == "expired" else []
        self.records, self.children, self.serial, self.key, self.ds = {}, [], 0, None, []
        if self.has:
            self.key, self.ds = self.make_key()
        if OTHER_DS in self.has:
            self.ds = self.make_key()[1]

    @property
    def owner(self):
        return "." if self.name == "." else f"{self.name}."

    def make_key(self):
        if RSA in self.has:
            return make_rsa_key(self.path, self.owner, COSTLY in self.has)
        algorithm = "ECDSAP384SHA384" if P384 in self.has else "ECDSAP256SHA256"
        made = subprocess.run(["ldns-keygen", "-k", "-r", "/dev/urandom", "-a", algorithm, self.owner], cwd=self.path,
                              check=True, capture_output=True, text=True)
        key = made.stdout.strip()
        return key, ["DS " + (self.path / f"{key}.ds").read_text().split("DS", 1)[1].strip()]

    def below(self, name):
        return self.name == "." or name == self.name or name.endswith("." + self.name)

    def text(self, address):
        ns = "a.root." if self.name == "." else f"ns.{self.name}."
        self.serial += 1
        lines = [f"$TTL {self.ttl}", f"{self.owner} SOA {ns} hostmaster.test. {self.serial} 3600 600 86400 {self.ttl}",
                 f"{self.owner} NS {ns}", f"{ns} A {address}"]
        for child in self.children:
            lines += [f"{child.owner} NS ns.{child.name}.", f"ns.{child.name}. A {address}"]
            lines += [f"{child.owner} {ds}" for ds in child.ds if DS in child.has or OTHER_DS in child.has]
        return "\n".join(lines + [f"{name}. {kind} {value}" for (name, kind), values in self.records.items() for value in values]) + "\n"

    def publish(self, address):
        """The text of its zone file, signed if it is to be."""
        text = self.text(address)
        if SIGNED not in self.has:
            return text
        (self.path / "plain").write_text(text)
        subprocess.run(["ldns-signzone", *self.denial, *self.dates, "-o", self.owner, "-f", "signed", "plain", self.key], cwd=self.path,
                       check=True, capture_output=True)
        return (self.path / "signed").read_text()


def reply_to(query, rcode):
    reply = dns.message.make_response(query, recursion_available=True)
    reply.set_rcode(rcode)
    return reply


def with_signatures(reply, change):
    """`change` makes another signature of each, or None."""
    for section in (reply.answer, reply.authority):
        for rrset in [r for r in section if r.rdtype == dns.rdatatype.RRSIG]:
            section.remove(rrset)
            changed = [c for c in map(change, rrset) if c]
            if changed:
                section.append(dns.rrset.from_rdata_list(rrset.name, rrset.ttl, changed))
    return reply


def with_bad_before(reply, count):
    """So many signatures that do not fit before each that does, by the same key."""
    for section in (reply.answer, reply.authority):
        for rrset in [r for r in section if r.rdtype == dns.rdatatype.RRSIG]:
            section.remove(rrset)
            bad = [s.replace(signature=s.signature[:-1] + bytes([s.signature[-1] ^ (n + 1)])) for s in rrset for n in range(count)]
            section.append(dns.rrset.from_rdata_list(rrset.name, rrset.ttl, bad + list(rrset)))
    return reply


FAULTS = {
    "SERVFAIL": lambda query, reply: reply_to(query, dns.rcode.SERVFAIL),
    "REFUSED": lambda query, reply: reply_to(query, dns.rcode.REFUSED),
    "NXDOMAIN": lambda query, reply: reply_to(query, dns.rcode.NXDOMAIN),  # and no proof of it
    "SILENCE": lambda query, reply: None,
    "BOGUS": lambda query, reply: with_signatures(reply, lambda s: s.replace(signature=bytes(b ^ 1 for b in s.signature))),
    "1 BAD": lambda query, reply: with_bad_before(reply, 1),
    "7 BAD": lambda query, reply: with_bad_before(reply, 7),
    "STRIPPED": lambda query, reply: with_signatures(reply, lambda s: None),
}


class Front:
    """Passes questions on to `server`, from its own address at port 53 and from 127.0.0.1 at a port of its choice. `fault`: in all."""

    def __init__(self, server, address, port, faults, asked):
        self.server, self.faults, self.asked, self.fault = server, faults, asked, None
        self.pool = concurrent.futures.ThreadPoolExecutor(16)
        self.sockets = []
        for place in ((address, 53), ("127.0.0.1", port)):
            udp = socket.socket(type=socket.SOCK_DGRAM)
            udp.bind(place)
            tcp = socket.create_server(place, backlog=64)
            self.sockets += [udp, tcp]
            threading.Thread(target=self.take_packets, args=(udp,), daemon=True).start()
            threading.Thread(target=self.take_streams, args=(tcp,), daemon=True).start()

    def take_packets(self, udp):
        def serve(packet, peer):
            answer = self.answer(packet, self.by_packet)
            if answer:
                with contextlib.suppress(OSError):
                    udp.sendto(answer, peer)

        with contextlib.suppress(OSError, RuntimeError):  # stopped
            while True:
                self.pool.submit(serve, *udp.recvfrom(65535))

    def take_streams(self, tcp):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve_stream, args=(tcp.accept()[0],), daemon=True).start()

    def serve_stream(self, client):
        with contextlib.suppress(OSError, EOFError), client:
            while True:
                answer = self.answer(self.read(client), self.by_stream)
                if answer:
                    client.sendall(struct.pack(">H", len(answer)) + answer)

    @staticmethod
    def read(stream):
        def exactly(count):
            data = b""
            while len(data) < count:
                piece = stream.recv(count - len(data))
                if not piece:
                    raise EOFError
                data += piece
            return data

        return exactly(*struct.unpack(">H", exactly(2)))

    def by_packet(self, packet):
        with socket.socket(type=socket.SOCK_DGRAM) as s:
            s.settimeout(20)
            s.connect((self.server, 53))
            s.send(packet)
            return s.recv(65535)

    def by_stream(self, packet):
        with socket.create_connection((self.server, 53), timeout=20) as s:
            s.sendall(struct.pack(">H", len(packet)) + packet)
            return self.read(s)

    def answer(self, packet, forward):
        query = dns.message.from_wire(packet)
        name, kind = query.question[0].name.to_text().lower().rstrip("."), dns.rdatatype.to_text(query.question[0].rdtype)
        self.asked.append((name, kind))
        fault = self.fault or self.faults.get((name, kind), self.faults.get((name, "ANY")))
        try:
            answer = forward(packet)
        except OSError:
            return None
        if not fault:
            return answer
        reply = FAULTS.get(fault, fault)(query, dns.message.from_wire(answer))
        return reply.to_wire(want_shuffle=False) if reply else None

    def stop(self):
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()
        self.pool.shutdown(wait=False)


class SignedZones:
    """`ttl` of all records, in seconds. It has what Relay asks of a Dns: `port`, add(), mail(), stop()."""

    def __init__(self, path, ttl=30, server=NsdServer):
        self.path, self.ttl, self.kind = pathlib.Path(path), ttl, server
        self.path.mkdir()
        self.inner, self.address = own_addresses(2)
        self.port = free_port()
        self.server = self.front = None
        self.faults, self.asked, self.zones, self.changed = {}, [], [], set()
        self.anchor = self.path / "root.ds"
        root = self.zone(".")
        self.anchor.write_text("".join(f". IN {ds}\n" for ds in root.ds))
        self.zone("test")

    def zone(self, name, state="secure", denial="nsec", ttl=None):
        """Declare one; the deepest that is above it delegates to it."""
        zone = Zone(self.path, name, state, denial, self.ttl if ttl is None else ttl)
        if self.zones:
            self.find(name).children.append(zone)
            self.changed.add(self.find(name))
        self.zones.append(zone)
        self.changed.add(zone)
        return zone

    def find(self, name):
        return max((z for z in self.zones if z.below(name)), key=lambda z: len(z.name) if z.name != "." else 0)

    def add(self, name, kind, *values):
        """These records instead of those of before; without values, none. TXT as plain text."""
        name = name.lower().rstrip(".")
        zone = self.find(name)
        if kind == "TXT":
            values = [" ".join('"%s"' % v[i:i + 250] for i in range(0, len(v), 250)) for v in values]
        zone.records[name, kind] = list(values)
        self.changed.add(zone)

    def mail(self, domain, *hosts):
        """MX records for hosts "name=address"."""
        self.add(domain, "MX", *[f"{10 * (i + 1)} {h.split('=')[0]}." for i, h in enumerate(hosts)])
        for host in hosts:
            name, address = host.split("=")
            self.add(name, "AAAA" if ":" in address else "A", address)

    def publish(self):
        """Sign what has changed; once this returns, it is served."""
        changed, self.changed = self.changed, set()
        texts = {zone.name: zone.publish(self.address) for zone in changed}
        if not self.server:
            self.server = self.kind(self.path / "server", self.inner, texts)
            return
        for name, text in texts.items():
            self.server.write(name, text)
        self.server.reload()
        for zone in changed:
            wait_for(lambda: self.server.ask(zone.owner, "SOA")[0].serial == zone.serial)

    def start(self):
        self.publish()
        self.front = Front(self.inner, self.address, self.port, self.faults, self.asked)
        return self

    def direct(self):
        """Where the server itself answers, without the front, which is slow: for `forward`."""
        return f"{self.inner}@53"

    def settings(self):
        """For the section dns of a relay that forwards to it."""
        return f'dnssec = "on"  trust_anchor = "{self.anchor}"'

    def count(self, name, kind):
        return self.asked.count((name, kind))

    def stop(self):
        if self.front:
            self.front.stop()
        if self.server:
            self.server.stop()


class Validator(Server):
    """Unbound: a resolver that follows the tree from its root, and validates. For programs that believe their resolver."""

    def __init__(self, path, tree):
        self.tree = tree
        super().__init__(path, own_addresses(3)[2], {})
        (self.path / "resolv.conf").write_text(f"nameserver {self.address}\noptions timeout:5 attempts:2\n")

    def configure(self):
        (self.path / "root.hints").write_text(f". 3600 NS a.root.\na.root. 3600 A {self.tree.address}\n")
        (self.path / "unbound.conf").write_text(textwrap.dedent(f"""
            server:
                interface: {self.address}
                access-control: 127.0.0.0/8 allow
                directory: "{self.path}"
                pidfile: "{self.path}/unbound.pid"
                chroot: ""
                username: ""
                use-syslog: no
                num-threads: 1
                do-ip6: no
                do-not-query-localhost: no
                root-hints: "{self.path}/root.hints"
                trust-anchor-file: "{self.tree.anchor}"
                val-log-level: 2
                local-zone: "test." nodefault
                local-zone: "127.in-addr.arpa." nodefault
            remote-control:
                control-enable: no
            """))

    def command(self):
        return ["unbound", "-d", "-c", self.path / "unbound.conf"]

    def believing(self, *command):
        """The command, for which this is the machine's resolver."""
        inside = f"mount --bind {shlex.quote(str(self.path))}/resolv.conf /etc/resolv.conf && exec " + shlex.join(map(str, command))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", inside]
