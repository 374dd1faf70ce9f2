"""Attackers on the path, in network namespaces: they take TLS away, break it, or lead to servers of their own, by TCP or by DNS.

The kind of fault: content that a policy protects (DANE, MTA-STS, or the message's own demand) goes out in clear text or to another server;
or mail stays away when the attacker is gone. A domain without a policy shows that each of them is one.
"""

import contextlib
import re
import socket
import ssl
import threading

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from conftest import wait_for
from dane_zone import SignedZones, tlsa
from mailhost import Connection, MailHost
from path import Cutting, Injecting, Passing, Path, Refusing, Stripping, Unable, transparent
from policy_host import Authority, PolicyHost, reply_of, text_of

NAMESERVER, POLICIES = "10.77.2.53", "10.77.2.54"
ELSEWHERE = {"forge": "10.77.2.66", "forgeaddress": "10.77.2.67"}
ATTACKS = {  # how; what it is on the path; does mail without a policy fall to it?
    "strip": (Stripping, True),
    "later": (lambda: Refusing(b"454 4.7.0 TLS not available due to temporary reason\r\n"), True),
    "never": (lambda: Refusing(b"554 5.7.0 no\r\n"), True),
    "selfsigned": ("mx", True),  # a server of its own, with a certificate for the right name that nobody vouches for
    "ownname": ("mx.attacker.test", True),  # and one that an authority has issued, for its own name
    "inject": (Injecting, False),
    "cut": (Cutting, False),
    "forge": ("mx.attacker.test", True),  # all of DNS, without signatures: another host, and no policy
    "forgeaddress": ("mx.attacker.test", True),  # the host's address only
    "forgetlsa": ("mx.attacker.test", True),  # there are no TLSA records, it says, and leads to its own server
}
KINDS = ("dane", "kept", "first", "free")  # of domains: the policy host of "first" is asked while the attacker is there


class Attacker:
    """Sits on the path. Who a connection was for says how it is treated; what came to its own servers is in `taken`."""

    def __init__(self, attacks, authority):
        self.attacks, self.sessions, self.clients = attacks, [], []
        self.servers = {how: MailHost(2525, host=f"127.0.0.{n + 2}", context=self.context(authority, what))
                        for n, (how, (what, _)) in enumerate(ATTACKS.items()) if isinstance(what, str)}
        self.tcp = transparent(socket.SOCK_STREAM, "0.0.0.0", 25)
        self.udp = transparent(socket.SOCK_DGRAM, NAMESERVER, 53)
        for loop in (self.take_connections, self.take_questions):
            threading.Thread(target=loop, daemon=True).start()

    @staticmethod
    def context(authority, what):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = [f"mx.{kind}-selfsigned.test" for kind in KINDS] if what == "mx" else [what]
        context.load_cert_chain(*authority.issue(*names, signer="other" if what == "mx" else "ca"))
        return context

    def take_connections(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.tcp.accept()
                self.clients.append(client.dup())  # TLS takes the other over
                threading.Thread(target=self.run, args=(client, self.clients[-1]), daemon=True).start()

    def run(self, client, copy):
        self.serve(client)
        with contextlib.suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)

    def serve(self, client):
        address = client.getsockname()[0]
        how = self.attacks.get(address)
        with contextlib.suppress(OSError), client:
            if how in self.servers:
                self.servers[how].talk(client, Connection())
                return
            session = ATTACKS[how][0]() if how else Passing()
            self.sessions.append((how, session))
            session.talk(client, address, 25)

    def take_questions(self):
        with contextlib.suppress(OSError):
            while True:
                packet, peer = self.udp.recvfrom(65535)
                if not packet:  # stopped
                    return
                threading.Thread(target=self.answer, args=(packet, peer), daemon=True).start()

    def answer(self, packet, peer):
        query = dns.message.from_wire(packet)
        answer = self.forge(query)
        with contextlib.suppress(OSError):
            if answer is None:
                with socket.socket(type=socket.SOCK_DGRAM) as s:
                    s.settimeout(20)
                    s.connect((NAMESERVER, 53))
                    s.send(packet)
                    answer = s.recv(65535)
            self.udp.sendto(answer, peer)

    @staticmethod
    def forge(query):
        """None: the truth."""
        name, kind = query.question[0].name.to_text().lower(), dns.rdatatype.to_text(query.question[0].rdtype)
        if name.startswith("mx.") and "-forgeaddress.test" in name and kind == "A":
            values = {"A": ELSEWHERE["forgeaddress"]}
        elif name.startswith("_25.") and "-forgetlsa.test" in name:
            values = {}
        elif "-forge.test" in name and kind not in ("DS", "DNSKEY"):  # those of an unsigned zone are proven by the one above
            values = {"A": ELSEWHERE["forge"], "MX": f"10 evil.{'.'.join(name.split('.')[-3:])}"}
        else:
            return None
        reply = dns.message.make_response(query, recursion_available=True)
        if kind in values:
            reply.answer.append(dns.rrset.from_text(name, 1, "IN", kind, values[kind]))
        return reply.to_wire()

    def got(self, how, secret):
        """In clear text, or at a server of its own."""
        heard = any(secret in session.heard for said, session in self.sessions if said == how)
        return heard or how in self.servers and any(secret in m.data for m in self.servers[how].messages)

    def stop(self):
        for s in (self.tcp, self.udp, *self.clients):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


class World:
    """Of each attack four domains, each with a host of its own: in a signed zone with TLSA records; with a policy that is known; with one
    that is not known yet; and with nothing."""

    def __init__(self, place, path):
        self.path, self.authority, self.hosts, self.attacks = path, Authority(place), {}, {address: how for how, address in ELSEWHERE.items()}
        self.ca = place / "ca.pem"
        self.tree = SignedZones(place / "zones", ttl=1)
        self.tree.address = NAMESERVER
        named = [f"{kind}-{how}.test" for how in ATTACKS for kind in KINDS]
        for number, domain in enumerate(named):
            self.add(domain, f"10.77.2.{100 + number}")
        certificate = self.authority.issue(*[f"mta-sts.{d}" for d in named])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.policies = path.receivers.run(PolicyHost, POLICIES, context, reply_of(text_of("enforce", [f"mx.{d}" for d in named])))

    def add(self, domain, address):
        kind, how = domain.removesuffix(".test").split("-")
        # Who forges the DNS of an unsigned domain at the first contact takes its policy with it (RFC 8461 10.2).
        signed = kind == "dane" or (kind == "first" and how.startswith("forge"))
        self.tree.zone(domain, "secure" if signed else "insecure")
        self.tree.mail(domain, f"mx.{domain}={address}")
        self.attacks[address] = how
        certificate, key = self.authority.issue(f"mx.{domain}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.hosts[domain] = self.path.receivers.run(MailHost, 25, host=address, context=context)
        if kind == "dane":
            self.tree.add(f"_25._tcp.mx.{domain}", "TLSA", tlsa(certificate, 3, 1, 1))
        elif kind != "free":
            self.tree.add(f"_mta-sts.{domain}", "TXT", "v=STSv1; id=1;")
            self.tree.add(f"mta-sts.{domain}", "A", POLICIES)

    def relay(self, relay_factory):
        relay = relay_factory(dns=self.tree, port=25)
        text = relay.config.read_text().replace('"127.0.0.0/8"', '"10.77.0.0/16", "127.0.0.0/8"')
        relay.config.write_text(text.replace(f"127.0.0.1@{self.tree.port}", NAMESERVER))
        relay.environment["SSL_CERT_FILE"] = str(self.ca)
        self.path.receivers.run(self.tree.start)
        return relay.start()

    def stop(self):
        self.policies.stop()
        self.tree.stop()
        for host in self.hosts.values():
            host.stop()


@pytest.fixture
def path():
    try:
        with Path() as made:
            yield made
    except Unable as why:
        pytest.skip(f"no network namespaces: {why}")


@pytest.fixture
def world(tmp_path, path):
    made = World(tmp_path, path)
    yield made
    made.stop()


def settled(relay, kind):
    """{id: its last line} of all messages with such an outcome."""
    lines = [line for line in relay.log().splitlines() if re.match(rf"\S+ {kind} ", line)]
    return {re.search(r" id=(\S+)", line)[1]: line for line in lines}


def send(relay, domain, secret, verify=False):
    demand = "Sealpost-TLS: verify\r\n" if verify else ""
    return relay.send(to=f"a@{domain}", message=f"From: <hello@club.test>\r\n{demand}Subject: test\r\n\r\n{secret}\r\n")


def test_nobody_on_the_path_reads_what_a_policy_protects(path, world, relay_factory):
    relay = world.relay(relay_factory)
    before = [send(relay, f"kept-{how}.test", "known from now on") for how in ATTACKS]
    wait_for(lambda: set(before) <= set(settled(relay, "delivered")), 60)
    relay.stop()  # what it has of DNS goes with it, the policies stay

    attacker = path.path.run(Attacker, world.attacks, world.authority)
    for protocol, port in (("tcp", 25), ("udp", 53)):
        path.redirect(protocol, port)
    relay.start()
    bound, free = {}, {}
    for how in ATTACKS:
        for kind in KINDS[:3]:
            for verify in (False, True):
                secret = f"secret {kind} {how} {verify}"
                bound[send(relay, f"{kind}-{how}.test", secret, verify)] = how, f"{kind}-{how}.test", secret.encode()
        free[send(relay, f"free-{how}.test", f"nobody minds {how}")] = how, f"nobody minds {how}".encode()
    wait_for(lambda: set(bound) <= set(settled(relay, "deferred")), 90)
    wait_for(lambda: all(attacker.got(how, secret) for how, secret in free.values() if ATTACKS[how][1]), 60)
    for id, (how, domain, secret) in bound.items():
        assert not attacker.got(how, secret), (domain, secret, settled(relay, "deferred")[id])
    assert not set(bound) & {*settled(relay, "delivered"), *settled(relay, "bounced")}
    assert all(secret not in m.data for _, domain, secret in bound.values() for m in world.hosts[domain].messages)

    attacker.stop()
    for protocol, port in (("tcp", 25), ("udp", 53)):
        path.let_through(protocol, port)

    def waiting():
        """For whom mail still waits, by attack."""
        relay.command("queue", "retry", "--all", check=False)  # none may wait just now
        arrived = settled(relay, "delivered")
        return {how for id, (how, _, _) in bound.items() if id not in arrived}

    wait_for(lambda: waiting() <= {"forge", "forgeaddress", "forgetlsa"}, 120, 1)
    if waiting():  # an answer that was refused is remembered for a minute, or until a restart
        relay.stop()
        relay.start()
    wait_for(lambda: not waiting(), 60, 1)
    for id, (how, domain, secret) in bound.items():
        assert [m.tls for m in world.hosts[domain].messages if secret in m.data] == [True], (domain, secret)
        assert "verified=yes" in settled(relay, "delivered")[id], settled(relay, "delivered")[id]
