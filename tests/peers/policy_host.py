"""Policy hosts of MTA-STS (RFC 8461): HTTPS servers at port 443 of addresses of their own, which say what they are told to.

    world = StsWorld(tmp_path, dns, delivery_port, mailhost)
    world.domain("a.test", mx=["mx.a.test"])             # a mail server with a certificate for its name
    world.policy("a.test", "enforce", ["mx.a.test"])     # its record, and a host that serves the policy
    relay = world.relay(relay_factory)
"""

import contextlib
import datetime
import re
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from zones import own_addresses


def text_of(mode, mx=(), max_age=86400):
    return "".join(f"{line}\r\n" for line in ["version: STSv1", f"mode: {mode}", *[f"mx: {m}" for m in mx], f"max_age: {max_age}"])


def reply_of(body, status="200 OK", head=()):
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", "Content-Type: text/plain", f"Content-Length: {len(body)}", *head]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Authority:
    """A certificate authority of one's own, in `path` as ca.pem; another one signs what nobody trusts."""

    def __init__(self, path):
        self.path, self.keys, self.count = path, {}, 0
        for name in ("ca", "other"):
            self.keys[name] = ec.generate_private_key(ec.SECP256R1())
            self.write(f"{name}.pem", self.build(name, name, self.keys[name].public_key(), [x509.BasicConstraints(True, None)]))

    def build(self, subject, signer, public, extensions, hours=(-1, 24)):
        now = datetime.datetime.now(datetime.timezone.utc)
        name = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, n)]) for n in (subject, signer)]
        made = x509.CertificateBuilder(name[1], name[0], public, x509.random_serial_number())
        made = made.not_valid_before(now + datetime.timedelta(hours=hours[0])).not_valid_after(now + datetime.timedelta(hours=hours[1]))
        for extension in extensions:
            made = made.add_extension(extension, False)
        return made.sign(self.keys[signer], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write(self, name, content):
        (self.path / name).write_bytes(content)
        return self.path / name

    def issue(self, *names, subject=None, signer="ca", hours=(-1, 24), ip=None, client=False):
        """(certificate, key). Without names the subject stands alone. `client`: it is for clients only."""
        key = ec.generate_private_key(ec.SECP256R1())
        said = [x509.DNSName(n) for n in names] + ([x509.IPAddress(ip)] if ip else [])
        extensions = [x509.SubjectAlternativeName(said)] if said else []
        extensions += [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])] if client else []
        self.count += 1
        return (self.write(f"{self.count}.pem", self.build(subject or names[0], signer, key.public_key(), extensions, hours)),
                self.write(f"{self.count}.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                                  serialization.NoEncryption())))


class PolicyHost:
    """`reply`: bytes, or a function of the connection that says them itself. `context`: None speaks in clear. Counts `requests`."""

    def __init__(self, address, context, reply, port=443):
        self.context, self.reply, self.requests, self.lock = context, reply, [], threading.Lock()
        self.most = self.now = 0
        self.socket = socket.create_server((address, port), backlog=128)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        with contextlib.suppress(OSError, ValueError):
            with client:
                client.settimeout(90)
                if self.context:
                    client = self.context.wrap_socket(client, server_side=True)
                request = b""
                while b"\r\n\r\n" not in request and (got := client.recv(65536)):
                    request += got
                self.requests.append(request)
                if callable(self.reply):
                    self.reply(client)
                else:
                    client.sendall(self.reply)
                if self.context:
                    client.unwrap()
        with self.lock:
            self.now -= 1

    def stop(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class StsWorld:
    def __init__(self, path, dns, port, mailhost):
        self.path, self.dns, self.port, self.make_host = path, dns, port, mailhost
        self.issue = Authority(path).issue
        self.addresses = iter(own_addresses(250))
        self.hosts, self.policies, self.pairs = {}, {}, {}

    def context(self, *names, pair=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(pair or self.issue(*names)))
        return context

    def host(self, name, tls=True, names=None, answer=None):
        """A mail server under this name, at an address of its own."""
        address = next(self.addresses)
        self.hosts[name] = self.make_host(answer, host=address, context=self.context(*(names or [name])) if tls else None)
        self.dns.add(name, "A", address)
        return self.hosts[name]

    def domain(self, domain, *mx, **host):
        mx = mx or [f"mx.{domain}"]
        self.dns.add(domain, "MX", *[f"{10 * (i + 1)} {m}." for i, m in enumerate(mx)])
        for name in mx:
            if name not in self.hosts:
                self.host(name, **host)

    def record(self, domain, text):
        self.dns.add(f"_mta-sts.{domain}", "TXT", *([text] if isinstance(text, str) else text))

    def policy(self, domain, mode="enforce", mx=None, id="1", reply=None, names=None, context=None, max_age=86400):
        """Its record, and its policy host; at another call what they say is changed."""
        self.record(domain, f"v=STSv1; id={id};")
        reply = reply if reply is not None else reply_of(text_of(mode, mx if mx is not None else [f"mx.{domain}"], max_age))
        if domain in self.policies:
            self.policies[domain].reply = reply
            return self.policies[domain]
        address = next(self.addresses)
        self.dns.add(f"mta-sts.{domain}", "A", address)
        context = context or self.context(*(names or [f"mta-sts.{domain}"]))
        self.policies[domain] = PolicyHost(address, None if context == "clear" else context, reply)
        return self.policies[domain]

    def policies_at_one_host(self, domains, mx, reply=None):
        """One policy host for all of these domains, whose mail is at host `mx`."""
        if mx not in self.hosts:
            self.host(mx)
        address = next(self.addresses)
        host = PolicyHost(address, self.context(*[f"mta-sts.{d}" for d in domains]), reply or reply_of(text_of("enforce", [mx])))
        for domain in domains:
            self.domain(domain, mx)
            self.record(domain, "v=STSv1; id=1;")
            self.dns.add(f"mta-sts.{domain}", "A", address)
            self.policies[domain] = host
        return host

    def relay(self, relay_factory, extra="", **options):
        relay = relay_factory(extra, **options)
        relay.environment = {"SSL_CERT_FILE": str(self.path / "ca.pem")}
        return relay.start()

    def stop(self):
        for host in self.policies.values():
            host.stop()
