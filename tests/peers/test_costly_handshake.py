"""What the other side of a handshake chooses costs the relay a bounded time.

The kind of fault: a handshake is computed where all connections are served; who may choose numbers that are expensive to compute with
stops everybody's mail.
"""

import base64
import datetime
import math
import os
import random
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from mailhost import MailHost

CPU_S = 1.5  # of the relay, in all: one handshake with 10,000 bits took 0.8 s


def der(tag, content):
    length = len(content)
    size = bytes([length]) if length < 128 else bytes([0x80 | (length.bit_length() + 7) // 8]) + length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag]) + size + content


def own_parameters(path, bits):
    """Any odd number does: nobody proves that it is prime."""
    p = (3 << (bits - 2)) | random.Random(bits).getrandbits(bits - 2) | 1
    number = [der(2, n.to_bytes(n.bit_length() // 8 + 1, "big")) for n in (p, 3, 256)]
    text = base64.encodebytes(der(0x30, b"".join(number))).decode()
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{text}-----END DH PARAMETERS-----\n")
    return path


def expensive(issue, path, bits):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue("mx.dear.test", rsa=True))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0")
    context.load_dh_params(str(own_parameters(path / f"dh{bits}.pem", bits)))
    return context


def long_exponent(path, names, bits=3072):
    """A server whose own key has a public exponent as long as the modulus: each verification with it costs as much as a hundred."""
    private = rsa.generate_private_key(65537, bits).private_numbers()
    p, q = private.p, private.q
    phi = (p - 1) * (q - 1)
    d = next(d for d in range(2**511 + 1, 2**512, 2) if math.gcd(d, phi) == 1)
    public = rsa.RSAPublicNumbers(pow(d, -1, phi), p * q)
    key = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - day).not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False).sign(key, hashes.SHA256()))
    (path / "long.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "long.pem")
    return context


def cpu_s(relay):
    fields = open(f"/proc/{relay.process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("bits", [2048, 10000])
def test_diffie_hellman_of_a_server_is_bounded(relay_factory, dns, delivery_port, tmp_path, issue, bits):
    for n in range(5):  # each of them is another host to the relay, and has a handshake of its own
        dns.mail(f"dear{n}.test", f"mx.dear{n}.test=127.0.0.1")
    host = MailHost(delivery_port, context=expensive(issue, tmp_path, bits))
    try:
        relay = relay_factory().start()
        before = cpu_s(relay)
        for n in range(5):
            relay.wait_kind(relay.send(to=f"r@dear{n}.test"), "delivered")
        assert cpu_s(relay) - before < CPU_S
        assert len(host.messages) == 5 and not any(m.tls for m in host.messages)  # it has nothing else
    finally:
        host.stop()


def test_a_server_with_a_long_exponent_has_no_tls(relay_factory, dns, delivery_port, tmp_path):
    """Opportunistic TLS, which verifies nothing, has the handshake itself signed with that key."""
    dns.mail("dear.test", "mx.dear.test=127.0.0.1")
    host = MailHost(delivery_port, context=long_exponent(tmp_path, ["mx.dear.test"]))
    try:
        relay = relay_factory().start()
        relay.wait_kind(relay.send(to="r@dear.test"), "delivered")
        assert len(host.messages) == 1 and not host.messages[0].tls
        assert "certificate refused" in relay.log()
    finally:
        host.stop()


def test_where_tls_is_required_nothing_goes_in_clear_instead(relay_factory, dns, delivery_port, tmp_path, issue):
    dns.mail("dear.test", "mx.dear.test=127.0.0.1")
    context = expensive(issue, tmp_path, 10000)
    host = MailHost(delivery_port, context=context)
    try:
        relay = relay_factory('route "dear.test" { tls = "require" }\n').start()
        relay.wait_kind(relay.send(to="r@dear.test"), "deferred")
        assert not host.messages and not any(line.startswith("MAIL") for c in host.connections for line in c.lines)
    finally:
        host.stop()


@pytest.mark.memory
def test_many_at_once_take_turns_and_all_are_made(relay_factory, dns, delivery_port, issue):
    """Forty hosts to the relay, each with a handshake of its own on one shard, and mail of class security between them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue("mx.dear.test", rsa=True))
    domains = [f"many{n}.test" for n in range(40)]
    for domain in domains:
        dns.mail(domain, f"mx.{domain}=127.0.0.1")
    host = MailHost(delivery_port, context=context)
    try:
        relay = relay_factory('shards = 1\nstream "code" { class = "security" }\n').start()
        ids = []
        for n, domain in enumerate(domains):
            stream = "Sealpost-Stream: code\r\n" if n % 4 == 0 else ""
            ids.append(relay.send(to=f"r@{domain}", message=f"From: <hello@club.test>\r\nTo: <r@{domain}>\r\n{stream}\r\nx\r\n"))
        for id in ids:
            relay.wait_kind(id, "delivered", 60)
        assert len(host.messages) == 40 and all(m.connection.tls for m in host.messages)
    finally:
        host.stop()
