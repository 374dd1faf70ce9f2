"""What certificates and keys of strangers cost the relay before anybody has judged them.

The kind of fault: OpenSSL decodes each certificate's key while it reads the message that it comes in, on the loop that serves all
connections. Whoever is sent one message chooses the keys, and so how long everybody else waits. The same of keys in DNS, and of the hosts
that serve policies.
"""

import ssl
import subprocess

from apart import STREAMS, tenants
from conftest import wait_for
from dear_certificates import dear_key, lengthen, long_kept
from mailhost import MailHost, trusting
from policy_host import StsWorld
from test_control import memory_kb
from test_costly_handshake import CPU_S, cpu_s
from test_dane import World, line_of
from test_sts_hostile import GOOD, PKIX
from test_sts import judged
from zones import own_addresses

DEAR = 10  # 2.8 s to parse; 54 fit into a message of 32 KB
REFUSED = "certificate refused: its key has curve parameters of its own (RFC 5480 section 2.1.1)"


def context_of(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def test_a_host_with_dear_keys_beside_its_own_holds_up_nobody(relay_factory, dns, delivery_port, issue):
    """One message to it by each version of TLS, on the only shard, with another tenant's session and delivery behind each."""
    pair = issue("mx.dear.test")
    lengthen(pair[0], DEAR)
    context = context_of(pair)
    dear, good = MailHost(delivery_port, host="127.0.61.1", context=context), MailHost(delivery_port, host="127.0.62.1")
    dns.mail("good.test", "mx.good.test=127.0.62.1")
    try:
        relay = relay_factory("shards = 1\n" + STREAMS)
        senders = tenants(relay, "eve", "bob")
        for n, version in enumerate((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, version
            dns.mail(f"dear{n}.test", f"mx.dear{n}.test=127.0.61.1")
            before = cpu_s(relay)
            senders["eve"].send(f"x@dear{n}.test", f"dear {n}", sender="hello@eve.test")
            wait_for(lambda: len(dear.connections) > n, 20)
            relay.client(user="bob", secret=senders["bob"].who["secret"]).quit()
            senders["bob"].send("x@good.test", f"good {n}", "code", sender="hello@bob.test")
            wait_for(lambda: len(good.messages) > n, 20)
            wait_for(lambda: len(dear.messages) > n, 20)
            assert cpu_s(relay) - before < CPU_S, version
            assert not dear.messages[n].tls  # it has no other certificate
            assert relay.log().count(REFUSED) == n + 1
    finally:
        dear.stop()
        good.stop()


def test_a_certificate_that_openssl_keeps_long_is_not_taken(relay_factory, dns, delivery_port, tmp_path):
    """The kind: what is small as it comes, and large when it has been verified. The host hangs afterwards: what is kept, is kept."""
    long_kept(tmp_path / "long.pem", "mx.long.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "long.pem")
    long, good = MailHost(delivery_port, host="127.0.61.1", context=context), MailHost(delivery_port, host="127.0.62.1")
    dns.mail("good.test", "mx.good.test=127.0.62.1")
    try:
        relay = relay_factory("shards = 1\n" + STREAMS)
        senders = tenants(relay, "eve", "bob")
        for n, version in enumerate((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)):
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1_2, version
            dns.mail(f"long{n}.test", f"mx.long{n}.test=127.0.61.1")
            before, memory = cpu_s(relay), memory_kb(relay)
            senders["eve"].send(f"x@long{n}.test", f"long {n}", sender="hello@eve.test")
            wait_for(lambda: len(long.messages) > n, 20)
            senders["bob"].send("x@good.test", f"good {n}", "code", sender="hello@bob.test")
            wait_for(lambda: len(good.messages) > n, 20)
            assert cpu_s(relay) - before < CPU_S and memory_kb(relay) - memory < 30000, version
            assert not long.messages[n].tls  # it has no other certificate
            assert relay.log().count("certificate refused: it names lists of revoked certificates relative to its issuer") == n + 1
    finally:
        long.stop()
        good.stop()


def test_dear_keys_in_dns_are_of_no_use(tmp_path, delivery_port, mailhost, relay_factory):
    """TLSA 3 1 0: as if the record were none, and nothing of it is parsed. Beside it one that fits counts."""
    world = World(tmp_path, delivery_port, mailhost, ttl=3600)
    world.zone("dear.test")
    for name, more in (("alone", []), ("beside", [(3, 1, 1), (3, 0, 0)])):
        world.host(f"mx.{name}.dear.test")
        world.mx(f"{name}.dear.test", f"mx.{name}.dear.test")
        world.tlsa(f"mx.{name}.dear.test", *["3 1 0 " + dear_key(n).hex() for n in range(10)], *more)
    try:
        relay = world.relay(relay_factory)
        for name, result in (("alone", "tlsa-invalid"), ("beside", "ok")):
            before = cpu_s(relay)
            id = relay.send(to=f"x@{name}.dear.test")
            relay.wait_kind(id, "delivered")
            assert cpu_s(relay) - before < CPU_S
            assert line_of(relay, id)["tls_result"] == result
        assert all(h.messages[0].tls for h in world.hosts.values())
    finally:
        world.tree.stop()


def test_a_policy_host_with_dear_keys_is_not_trusted(tmp_path, dns, delivery_port, mailhost, relay_factory):
    """Nothing is fetched from it; another domain's policy is had beside it."""
    world = StsWorld(tmp_path, dns, delivery_port, mailhost)
    pair = world.issue("mta-sts.dear.test")
    lengthen(pair[0], DEAR)
    world.domain("dear.test")
    world.policy("dear.test", context=context_of(pair))
    world.domain("good.test")
    world.policy("good.test")
    try:
        relay = world.relay(relay_factory)
        ids = {name: relay.send(to=f"x@{name}.test") for name in ("dear", "good")}
        assert judged(relay, ids["good"], "delivered")[1:] == GOOD
        assert judged(relay, ids["dear"], "delivered")[1:] == PKIX
        assert not world.policies["dear.test"].requests
    finally:
        world.stop()


KEYS = {
    "rsa2048": ["rsa:2048"], "rsa4096": ["rsa:4096"], "pss": ["rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
    "p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], "ed25519": ["ed25519"], "ed448": ["ed448"],
}


class Chains:
    """Made by openssl(1) below `path`: an authority whose key is of this kind, and what it and others sign."""

    def __init__(self, path):
        self.path = path

    def make(self, name, kind, signer, *extensions):
        own = [part for e in extensions for part in ("-addext", e)]
        by = ["-CA", self.path / f"{signer}.pem", "-CAkey", self.path / f"{signer}.key"] if signer else []
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "2", "-config", "/dev/null", "-subj", f"/CN={name}", "-newkey", *KEYS[kind],
                        "-keyout", self.path / f"{name}.key", "-out", self.path / f"{name}.pem", *by, *own], check=True, capture_output=True)

    def cross_sign(self, name, of, signer):
        """A second certificate of the same authority and key."""
        subprocess.run(["openssl", "req", "-x509", "-days", "2", "-config", "/dev/null", "-subj", f"/CN={of}", "-key", self.path / f"{of}.key", "-out",
                        self.path / f"{name}.pem", "-CA", self.path / f"{signer}.pem", "-CAkey", self.path / f"{signer}.key",
                        "-addext", "basicConstraints=critical,CA:TRUE"], check=True, capture_output=True)

    def text(self, *names):
        return b"".join((self.path / f"{name}.pem").read_bytes() for name in names)


def test_usual_certificates_are_taken_as_before(tmp_path, dns, relay_factory, mailhost):
    """Each kind of key, as the host's own and its issuer's, in a chain with a cross-signed certificate; by both versions of TLS."""
    chains, authority = Chains(tmp_path), "basicConstraints=critical,CA:TRUE"
    chains.make("ca", "p256", None, authority)
    chains.make("other", "p256", None, authority)
    addresses, hosts = iter(own_addresses(2 * len(KEYS))), {}
    for kind in KEYS:
        chains.make(f"issuer-{kind}", kind, "ca", authority)
        chains.cross_sign(f"crossed-{kind}", f"issuer-{kind}", "other")
        chains.make(f"mx-{kind}", kind, f"issuer-{kind}", f"subjectAltName=DNS:mx.{kind}-2.test,DNS:mx.{kind}-3.test")
        (tmp_path / "chain").write_bytes(chains.text(f"mx-{kind}", f"issuer-{kind}", f"crossed-{kind}", "other"))
        for version in ("TLSv1_2", "TLSv1_3"):
            name, address = f"{kind}-{version[-1]}.test", next(addresses)
            context = context_of((tmp_path / "chain", tmp_path / f"mx-{kind}.key"))
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
            hosts[name] = mailhost(None, host=address, context=context)
            dns.mail(name, f"mx.{name}={address}")
    relay = trusting(relay_factory(), tmp_path)
    ids = {name: relay.send(to=f"x@{name}") for name in hosts}
    for name, id in ids.items():
        relay.wait_kind(id, "delivered")
        line = line_of(relay, id)
        assert (line["tls"].strip('"')[:7], line["verified"]) == ("TLSv1." + name[-6], "yes"), (name, line)
