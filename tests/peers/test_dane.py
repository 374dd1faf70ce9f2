"""DANE (RFC 7672): what TLSA records of signed zones make of a delivery, each with the relay's own libunbound from a root of the tests.

The kind of fault: a host that DNSSEC vouches for gets mail without TLS, or by a certificate that its records do not fit; or mail waits
or comes back because of a zone that has nothing to do with DANE. test_dane_postfix.py compares what is decided with what Postfix decides.
"""

import json
import re
import ssl
import threading
import time

import dns.query
import pytest

from conftest import wait_for
from dane_zone import SignedZones, tlsa
from mailhost import authority

WRONG = "3 1 1 " + "ab" * 32
PKIX_ONLY = "1 1 1 " + "cd" * 32


def context_of(pair, chain=None):
    """`chain`: a file that follows the host's own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = pair
    if chain:
        whole = certificate.with_suffix(".chain")
        whole.write_bytes(certificate.read_bytes() + chain.read_bytes())
        certificate = whole
    context.load_cert_chain(certificate, key)
    return context


class World:
    """Domains with their hosts in a tree of zones: each host has an address of its own, and the relay's port for mail."""

    def __init__(self, path, port, mailhost, **options):
        self.path, self.port, self.make_host = path, port, mailhost
        self.tree = SignedZones(path / "zones", **options)
        self.issue = authority(path)
        self.ca = path / "ca.pem"
        self.hosts, self.number = {}, 10

    def zone(self, name, state="secure"):
        self.tree.zone(name, state)

    def host(self, name, tls=True, names=None, chain=None, answer=None):
        """A mail server under this name."""
        self.number += 1
        ip = f"127.0.{self.number}.1"
        pair = self.issue(*(names or [name]))
        self.hosts[name] = self.make_host(answer, host=ip, context=context_of(pair, chain) if tls else None)
        self.hosts[name].certificate = pair[0]
        self.tree.add(name, "A", ip)

    def mx(self, domain, *hosts):
        self.tree.add(domain, "MX", *[f"{10 * (i + 1)} {h}." for i, h in enumerate(hosts)])

    def tlsa(self, base, *records):
        """Records as text, or (usage, selector, matching) of the host's own certificate."""
        self.tree.add(f"_{self.port}._tcp.{base}", "TLSA", *[r if isinstance(r, str) else tlsa(self.hosts[base].certificate, *r) for r in records])

    def fault(self, base, kind, fault):
        name = f"_{self.port}._tcp.{base}" if kind == "TLSA" else base
        self.tree.faults[name, kind] = fault

    def relay(self, relay_factory, extra=""):
        relay = relay_factory(extra, dns=self.tree)
        self.tree.start()
        return relay.start()


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


def line_of(relay, id):
    """The last of the log about this message's recipient."""
    lines = [l for l in relay.log().splitlines() if f" id={id} " in l and re.match(r"\S+ (delivered|deferred|bounced) ", l)]
    return dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', lines[-1])) | {"kind": lines[-1].split()[1]}


# ---- the table: what is in DNS, and what becomes of the mail ----


def one(domain, records=((3, 1, 1),), zone="secure", tls=True, **host):
    """A domain with one host in its own zone."""
    def build(w):
        w.zone(domain, zone)
        w.host(f"mx.{domain}", tls=tls, **host)
        w.mx(domain, f"mx.{domain}")
        if records:
            w.tlsa(f"mx.{domain}", *records)
    return build


def with_fault(domain, kind, fault, **options):
    def build(w):
        one(domain, **options)(w)
        w.fault(domain if kind == "MX" else f"mx.{domain}", kind, fault)
    return build


def half(w):
    """The domain is not signed, its host's zone is."""
    w.zone("half.test", "insecure")
    w.zone("halfhost.test")
    w.host("mx.halfhost.test")
    w.mx("half.test", "mx.halfhost.test")
    w.tlsa("mx.halfhost.test", (3, 1, 1))


def half_wrong(w):
    w.zone("halfwrong.test", "insecure")
    w.zone("halfwronghost.test")
    w.host("mx.halfwronghost.test")
    w.mx("halfwrong.test", "mx.halfwronghost.test")
    w.tlsa("mx.halfwronghost.test", WRONG)


def trust_anchor(w):
    w.zone("anchor.test")
    w.host("mx.anchor.test", chain=w.ca)
    w.mx("anchor.test", "mx.anchor.test")
    w.tlsa("mx.anchor.test", tlsa(w.ca, 2, 0, 1))


def anchor_for_next_hop(w):
    """The certificate names the domain, not the host."""
    w.zone("hop.test")
    w.host("mx.hop.test", names=["hop.test"], chain=w.ca)
    w.mx("hop.test", "mx.hop.test")
    w.tlsa("mx.hop.test", tlsa(w.ca, 2, 0, 1))


def anchor_for_others(w):
    w.zone("foreign.test")
    w.host("mx.foreign.test", names=["elsewhere.test"], chain=w.ca)
    w.mx("foreign.test", "mx.foreign.test")
    w.tlsa("mx.foreign.test", tlsa(w.ca, 2, 0, 1))


def second_is_fine(w):
    w.zone("two.test")
    for name in ("a.two.test", "b.two.test"):
        w.host(name)
        w.tlsa(name, (3, 1, 1))
    w.mx("two.test", "a.two.test", "b.two.test")
    w.fault("a.two.test", "TLSA", "SERVFAIL")


def second_has_none(w):
    """Preference counts, not TLSA: but a host that fails DANE is not used."""
    w.zone("mixed.test")
    w.host("a.mixed.test")
    w.host("b.mixed.test", tls=False)
    w.tlsa("a.mixed.test", WRONG)
    w.mx("mixed.test", "a.mixed.test", "b.mixed.test")


def alias(domain, target_zone, base_is_target):
    """The host is an alias into another zone; the records are at one of the two names."""
    def build(w):
        w.zone(domain)
        w.zone(f"{domain[:-5]}target.test", target_zone)
        target = f"h.{domain[:-5]}target.test"
        w.host(target, names=[target, f"mx.{domain}"])
        w.hosts[f"mx.{domain}"] = w.hosts[target]
        w.tree.add(f"mx.{domain}", "CNAME", f"{target}.")
        w.mx(domain, f"mx.{domain}")
        w.tlsa(target if base_is_target else f"mx.{domain}", (3, 1, 1))
    return build


def implicit(w):
    w.zone("implicit.test")
    w.host("implicit.test")
    w.tlsa("implicit.test", (3, 1, 1))


def owner_alias(w):
    """The TLSA name is an alias: the base does not change."""
    one("owner.test", records=None)(w)
    w.tree.add("_dane.owner.test", "TLSA", tlsa(w.hosts["mx.owner.test"].certificate, 3, 1, 1))
    w.tree.add(f"_{w.port}._tcp.mx.owner.test", "CNAME", "_dane.owner.test.")


def nobody(w):
    w.zone("unsigned.test", "insecure")


DANE, HALF = ("delivered", "dane", "ok"), ("delivered", "dane-mx-insecure", "ok")
PLAIN = ("delivered", "opportunistic")
CASES = {
    "ee.test": (one("ee.test"), *DANE),
    "ee2.test": (one("ee2.test", ((3, 0, 2),)), *DANE),
    "full.test": (one("full.test", ((3, 1, 0),)), *DANE),
    "name.test": (one("name.test", names=["other.test"]), *DANE),  # RFC 7672 3.1.1: names of no matter
    "roll.test": (one("roll.test", (WRONG, (3, 1, 1))), *DANE),
    "anchor.test": (trust_anchor, *DANE),
    "hop.test": (anchor_for_next_hop, *DANE),
    "foreign.test": (anchor_for_others, "deferred", "dane", "certificate-host-mismatch"),
    "wrong.test": (one("wrong.test", (WRONG,)), "deferred", "dane", "validation-failure"),
    "clear.test": (one("clear.test", (WRONG,), tls=False), "deferred", "dane", "starttls-not-supported"),
    "half.test": (half, *HALF),
    "halfwrong.test": (half_wrong, "deferred", "dane-mx-insecure", "validation-failure"),
    "rsa.test": (one("rsa.test", zone="RSA"), *DANE),
    "costly.test": (one("costly.test", zone="costly RSA"), "deferred"),  # as if it were bogus
    "onebad.test": (with_fault("onebad.test", "MX", "1 BAD"), *DANE),
    "sevenbad.test": (with_fault("sevenbad.test", "MX", "7 BAD"), "deferred"),  # few are tried
    "plain.test": (one("plain.test", (WRONG,), zone="insecure"), *PLAIN, "ok"),
    "island.test": (one("island.test", (WRONG,), zone="island"), *PLAIN, "ok"),
    "none.test": (one("none.test", None), *PLAIN, "ok"),
    "noneclear.test": (one("noneclear.test", None, tls=False), *PLAIN, "starttls-not-supported"),
    "unusable.test": (one("unusable.test", (PKIX_ONLY,)), "delivered", "dane-unusable", "tlsa-invalid"),
    "short.test": (one("short.test", ("3 1 1 abcd",)), "delivered", "dane-unusable", "tlsa-invalid"),
    "badfull.test": (one("badfull.test", ("3 1 0 abcd",)), "delivered", "dane-unusable", "tlsa-invalid"),
    "unclear.test": (one("unclear.test", (PKIX_ONLY,), tls=False), "deferred", "dane-unusable", "starttls-not-supported"),
    "servfail.test": (with_fault("servfail.test", "TLSA", "SERVFAIL"), "deferred", "dane", "dnssec-invalid"),
    "bogus.test": (with_fault("bogus.test", "TLSA", "BOGUS"), "deferred", "dane", "dnssec-invalid"),
    "strip.test": (with_fault("strip.test", "TLSA", "STRIPPED"), "deferred", "dane", "dnssec-invalid"),
    "denied.test": (with_fault("denied.test", "TLSA", "NXDOMAIN"), "deferred", "dane", "dnssec-invalid"),
    "silent.test": (with_fault("silent.test", "TLSA", "SILENCE"), "deferred", "dane", "dnssec-invalid"),
    "brokenplain.test": (with_fault("brokenplain.test", "TLSA", "SERVFAIL", zone="insecure"), *PLAIN, "ok"),
    "six.test": (with_fault("six.test", "AAAA", "SERVFAIL"), *DANE),
    "two.test": (second_is_fine, *DANE),
    "mixed.test": (second_has_none, *PLAIN, "starttls-not-supported"),
    "target.test": (alias("target.test", "secure", True), *DANE),
    "original.test": (alias("original.test", "secure", False), *DANE),
    "leaves.test": (alias("leaves.test", "insecure", False), *DANE),
    "leaves2.test": (alias("leaves2.test", "insecure", True), *PLAIN, "ok"),
    "implicit.test": (implicit, *DANE),
    "owner.test": (owner_alias, *DANE),
    "mxbogus.test": (with_fault("mxbogus.test", "MX", "BOGUS"), "deferred"),
    "mxservfail.test": (with_fault("mxservfail.test", "MX", "SERVFAIL"), "deferred"),
    "mxsilent.test": (with_fault("mxsilent.test", "MX", "SILENCE"), "deferred"),
    "unsigned.test": (nobody, "bounced"),
    "off.test": (one("off.test", (WRONG,)), *PLAIN, "ok"),
    "report.test": (one("report.test", (WRONG,)), "delivered", "dane", "validation-failure"),
    "reportclear.test": (one("reportclear.test", (WRONG,), tls=False), "delivered", "dane", "starttls-not-supported"),
    "route.test": (one("route.test", (WRONG,)), "delivered", "route", "ok"),
}
ROUTES = """
route "off.test" { dane = "off" }
route "report.test" { dane = "report" }
route "reportclear.test" { dane = "report" }
route "route.test" { tls = "require" }
"""


def test_what_dns_says_decides(world, relay_factory):
    for build, *_ in CASES.values():
        build(world)
    relay = world.relay(relay_factory, ROUTES)
    ids = {domain: relay.send(to=f"x@{domain}") for domain in CASES}
    for domain, (_, kind, *judged) in CASES.items():
        relay.wait_kind(ids[domain], kind, 60)
        line = line_of(relay, ids[domain])
        assert [line["kind"], line.get("tls_policy"), line.get("tls_result")][:1 + len(judged)] == [kind, *judged], (domain, line)
        if judged:
            assert (line.get("verified") == "yes") == (judged == ["dane", "ok"]), (domain, line)
        said = line.get("tls", "").partition(" TLSA ")[2].rstrip("\"")
        assert bool(said) == (judged[:1] in (["dane"], ["dane-mx-insecure"]) and judged[1:] == ["ok"]), (domain, line)
        assert relay.wait_kind(ids[domain], kind)[0].get("tlsa", "") == said, (domain, line)
    check_texts(relay, ids, world)
    check_nothing_in_clear(world)
    check_questions(world)


def check_texts(relay, ids, world):
    """Who waits learns of what: domain, host, record, and why."""
    for domain in ("wrong.test", "servfail.test", "clear.test", "unclear.test", "foreign.test"):
        reply = relay.wait_kind(ids[domain], "deferred")[0]["reply"]
        assert f"mx.{domain} of {domain}" in reply and f"_{world.port}._tcp.mx.{domain}" in reply, reply
        assert line_of(relay, ids[domain])["tls_result"] in reply, reply
    assert "not for mx.foreign.test or foreign.test" in relay.wait_kind(ids["foreign.test"], "deferred")[0]["reply"]
    slow = "dns-servfail|dns-timeout"  # a machine that takes half a second for an error cannot tell
    for name, word in {"bogus": "dnssec-bogus", "servfail": slow, "silent": "dns-timeout"}.items():
        for domain in (f"mx{name}.test", f"{name}.test"):  # its MX, and its TLSA records
            reply = relay.wait_kind(ids[domain], "deferred")[0]["reply"]
            assert re.search(rf"\(({word})\)", reply), (domain, reply)
            assert re.search(rf"\(({word})\)", json.dumps(relay.json("queue", "show", str(ids[domain])))), domain
    assert not any("bounced" in relay.kinds(ids[d]) for d, case in CASES.items() if case[1] != "bounced")


def check_nothing_in_clear(world):
    for domain, (_, kind, *judged) in CASES.items():
        host = world.hosts.get(f"mx.{domain}")
        if host and judged[:1] in (["dane"], ["dane-mx-insecure"], ["dane-unusable"]) and not domain.startswith("report"):
            assert all(m.tls for m in host.messages), domain
            assert (kind == "delivered") == bool(host.messages), domain
            if kind == "deferred":
                assert not any(l.startswith("MAIL") for c in host.connections for l in c.lines), domain


def check_questions(world):
    """Where the addresses are not secure nobody is asked for TLSA records: many such servers cannot answer."""
    for domain in ("plain.test", "island.test", "brokenplain.test", "off.test", "route.test"):
        assert world.tree.count(f"_{world.port}._tcp.mx.{domain}", "TLSA") == 0, domain


# ---- who takes TLS away ----

STRIPPED = {
    "hidden": (False, None),
    "refused": (True, lambda line, connection: "454 4.7.0 not now" if line == "STARTTLS" else None),
    "unknown": (True, lambda line, connection: "500 what?" if line == "STARTTLS" else None),
    "dropped": (True, lambda line, connection: "HANG UP" if line == "STARTTLS" else None),
    "old": (True, lambda line, connection: "502 no" if line.startswith("EHLO") else None),
    "mute": (True, lambda line, connection: "HANG UP" if line.startswith("EHLO") else None),
    "garbled": (True, lambda line, connection: "220 go\r\n250 and more" if line == "STARTTLS" else None),
}


def test_mail_for_a_host_with_records_never_leaves_in_clear_text(world, relay_factory):
    """Whoever is on the path takes STARTTLS away, in all ways. The same without records is delivered, as nothing forbids it."""
    for how, (tls, answer) in STRIPPED.items():
        one(f"{how}.test", tls=tls, answer=answer)(world)
        one(f"{how}free.test", None, tls=tls, answer=answer)(world)
    relay = world.relay(relay_factory)
    ids = {how: [relay.send(to=f"x@{how}{more}.test") for more in ("", "free")] for how in STRIPPED}
    for how, (bound, free) in ids.items():
        relay.wait_kind(bound, "deferred", 60)
        assert line_of(relay, bound)["tls_policy"] == "dane", how
        if how not in ("old", "mute", "garbled"):
            relay.wait_kind(free, "delivered", 60)
        assert not any(l.startswith("MAIL") for c in world.hosts[f"mx.{how}.test"].connections for l in c.lines), how
        assert "bounced" not in relay.kinds(bound), how


# ---- what changes ----


def test_an_answer_that_fails_once_costs_a_code_one_try(world, relay_factory):
    """It is tried again after 15 seconds: then the records are asked for again, as the domain's hosts would be."""
    with_fault("once.test", "TLSA", "SERVFAIL")(world)
    relay = world.relay(relay_factory, 'stream "code" { class = "security" }')
    text = "From: <hello@club.test>\r\nSealpost-Stream: code\r\nSubject: x\r\n\r\n123456\r\n"
    id = relay.send(to="x@once.test", message=text)
    relay.wait_kind(id, "deferred")
    assert line_of(relay, id)["tls_result"] == "dnssec-invalid"
    world.fault("mx.once.test", "TLSA", None)
    relay.wait_kind(id, "delivered", 60)
    assert relay.kinds(id).count("deferred") == 1 and line_of(relay, id)["tls_policy"] == "dane"


@pytest.mark.memory
@pytest.mark.parametrize("shards", [1, 2])
def test_records_that_change_with_the_certificate_hold_up_nothing(world, relay_factory, shards):
    """A roll-over while the relay has the old records in its caches: they are asked for once more before the host is judged."""
    one("change.test")(world)
    relay = world.relay(relay_factory, f"shards = {shards}")
    relay.wait_kind(relay.send(to="a@change.test"), "delivered")
    host = world.hosts["mx.change.test"]
    asked = world.tree.count(f"_{world.port}._tcp.mx.change.test", "TLSA")
    pair = world.issue("next.change.test")
    world.tree.add(f"_{world.port}._tcp.mx.change.test", "TLSA", tlsa(pair[0], 3, 1, 1))
    world.tree.publish()
    host.context = context_of(pair)
    wait_for(lambda: all(not c.lines or c.lines[-1] == "QUIT" for c in host.connections), 30)
    id = relay.send(to="b@change.test")
    relay.wait_kind(id, "delivered")
    assert "deferred" not in relay.kinds(id) and line_of(relay, id)["tls_result"] == "ok"
    assert world.tree.count(f"_{world.port}._tcp.mx.change.test", "TLSA") > asked
    relay.wait_kind(relay.send(to="c@change.test"), "delivered")


class FirstHangsUp:
    """The TLS of several addresses: the first connection shows a certificate that fits nothing, and hangs up once that is asked about."""

    def __init__(self, wrong, right):
        self.wrong, self.right, self.lock = wrong, right, threading.Lock()
        self.shown, self.asked_anew = threading.Event(), threading.Event()

    def wrap_socket(self, client, **options):
        with self.lock:
            is_first = not self.shown.is_set()
            self.shown.set()
        if not is_first:
            return self.right.wrap_socket(client, **options)
        client = self.wrong.wrap_socket(client, **options)
        self.asked_anew.wait(8)
        client.close()
        raise ConnectionAbortedError


@pytest.mark.memory
def test_an_answer_for_a_connection_that_has_ended_changes_no_other(world, relay_factory, mailhost):
    """A host at two addresses: one does not fit and hangs up while its records are asked for anew. The answer is another one by then, and
    comes while the other address, judged by the first, is about to have the mail."""
    base, name = "mx.pair.test", f"_{world.port}._tcp.mx.pair.test"
    judged, answered, lock = threading.Event(), threading.Event(), threading.Lock()

    def answer(line, connection):
        if line.startswith("EHLO") and connection.tls:
            judged.set()
            answered.wait(3)

    world.zone("pair.test")
    world.host(base, tls=False, answer=answer)
    fits, misfits = world.issue(base), world.issue("first.pair.test")
    host = world.hosts[base]
    host.certificate, host.context = fits[0], FirstHangsUp(context_of(misfits), context_of(fits))
    mailhost(answer, host="127.0.9.1", context=host.context)
    world.tree.add(base, "A", "127.0.9.1", *world.tree.find(base).records[base, "A"])
    world.mx("pair.test", base)
    world.tlsa(base, (3, 1, 1))

    def late(query, reply):
        if not host.context.shown.is_set():
            return reply
        host.context.asked_anew.set()
        judged.wait(8)
        with lock:
            if not answered.is_set():
                world.tlsa(base, (3, 1, 1), WRONG)
                world.tree.publish()
                threading.Timer(0.5, answered.set).start()
        return dns.query.udp(query, world.tree.inner, 5)

    world.fault(base, "TLSA", late)
    relay = world.relay(relay_factory, "shards = 1")
    id = relay.send(to="a@pair.test")
    relay.wait_kind(id, "delivered", 60)
    assert "deferred" not in relay.kinds(id) and line_of(relay, id)["tls_result"] == "ok"
    assert relay.process.poll() is None and host.context.asked_anew.is_set()


@pytest.mark.memory
def test_a_certificate_that_does_not_fit_is_asked_about_once(world, relay_factory):
    one("wrong.test", (WRONG,))(world)
    relay = world.relay(relay_factory)
    relay.wait_kind(relay.send(to="a@wrong.test"), "deferred")
    assert world.tree.count(f"_{world.port}._tcp.mx.wrong.test", "TLSA") == 2
    assert len([c for c in world.hosts["mx.wrong.test"].connections if c.lines]) == 2  # none while that is asked for


def test_a_certificate_that_does_not_fit_is_asked_about_now_and_then_however_much_mail_falls_due(world, relay_factory):
    one("wrong.test", (WRONG,))(world)
    relay = world.relay(relay_factory)
    begun = time.monotonic()
    for n in range(12):  # one after the other: each is due after all that was asked before
        relay.wait_kind(relay.send(to=f"x{n}@wrong.test"), "deferred")
    spans = 1 + (time.monotonic() - begun) // 5
    assert world.tree.count(f"_{world.port}._tcp.mx.wrong.test", "TLSA") <= 1 + spans, "one question more in 5 seconds"


@pytest.mark.memory
def test_a_connection_carries_only_mail_that_it_has_proven_itself_for(world, relay_factory):
    """One host with a trust anchor, for two domains: its certificate names one of them. And one by whom DANE is off."""
    world.zone("mine.test")
    world.zone("others.test")
    world.zone("careless.test")
    world.zone("shared.test")
    world.host("mx.shared.test", names=["mine.test"], chain=world.ca)
    for domain in ("mine.test", "others.test", "careless.test"):
        world.mx(domain, "mx.shared.test")
    world.tlsa("mx.shared.test", tlsa(world.ca, 2, 0, 1))
    relay = world.relay(relay_factory, 'route "careless.test" { dane = "off" }\nshards = 1')
    for round in range(2):
        relay.wait_kind(relay.send(to=f"a{round}@careless.test"), "delivered")
        relay.wait_kind(relay.send(to=f"a{round}@mine.test"), "delivered")
    other = relay.send(to="a@others.test")
    assert "certificate-host-mismatch" in relay.wait_kind(other, "deferred")[0]["reply"]
    careless = relay.send(to="b@careless.test")
    relay.wait_kind(careless, "delivered")
    assert line_of(relay, careless)["tls_policy"] == "opportunistic"
    assert not any("others.test" in r for m in world.hosts["mx.shared.test"].messages for r in m.recipients)


@pytest.mark.memory
def test_a_domain_whose_host_is_not_trusted_holds_up_no_other(world, relay_factory):
    """A domain that is not signed names another one's host, whose certificate has the name of that domain only. And records of which there
    is no answer: each message waits by itself, and nothing rests."""
    world.zone("bob.test")
    world.zone("eve.test", "insecure")
    world.host("mx.bob.test", names=["bob.test"], chain=world.ca)
    for domain in ("bob.test", "eve.test"):
        world.mx(domain, "mx.bob.test")
    world.tlsa("mx.bob.test", tlsa(world.ca, 2, 0, 1))
    with_fault("servfail.test", "TLSA", "SERVFAIL")(world)
    relay = world.relay(relay_factory, "shards = 1")
    unknown = relay.send(to="a@servfail.test")
    for number in range(2):
        relay.wait_kind(relay.send(to=f"a{number}@eve.test"), "deferred", 60)
        relay.wait_kind(relay.send(to=f"a{number}@bob.test"), "delivered", 60)
    relay.wait_kind(unknown, "deferred", 60)
    assert "destination_rests" not in relay.log()
    assert all("bob.test" in m.recipients[0] for m in world.hosts["mx.bob.test"].messages)


@pytest.mark.memory
def test_domains_share_a_verified_connection(world, relay_factory):
    for domain in ("one.test", "two.test", "host.test"):
        world.zone(domain)
    world.host("mx.host.test")
    for domain in ("one.test", "two.test"):
        world.mx(domain, "mx.host.test")
    world.tlsa("mx.host.test", (3, 1, 1))
    relay = world.relay(relay_factory, "shards = 1")
    for number in range(4):
        relay.wait_kind(relay.send(to=f"a{number}@{'one' if number % 2 else 'two'}.test"), "delivered")
    assert any(len({m.recipients[0].split("@")[1] for m in c.messages}) == 2 for c in world.hosts["mx.host.test"].connections)
