"""DANE beside Debian's Postfix: it receives by TLSA records of its own, and it sends to the same signed zones as the relay, which
posttls-finger looks at too.

The kind of fault: what we make of records and certificates is our own reading of them, and nobody else's.
"""

import concurrent.futures
import datetime
import re
import smtplib
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import postfix
from conftest import free_port, wait_for, wait_port
from dane_zone import Validator, tlsa
from test_dane import CASES, PKIX_ONLY, WRONG, World, context_of, line_of

NOW = datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


# ---- certificates of any kind ----


def sign(path, name, issuer=None, authority=False, days=(-1, 1), names=None, key=None):
    """A certificate in `path`/own as NAME.pem and NAME.key; `issuer`: such a pair; `days` from now; `names`: of the SAN, none for []."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    by, signer = subject, key
    if issuer:
        by = x509.load_pem_x509_certificate(issuer[0].read_bytes()).subject
        signer = serialization.load_pem_private_key(issuer[1].read_bytes(), None)
    made = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number()).not_valid_before(
        NOW + datetime.timedelta(days=days[0])).not_valid_after(NOW + datetime.timedelta(days=days[1]))
    made = made.add_extension(x509.BasicConstraints(authority, None), True)
    names = [name] if names is None and not authority else names
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
    (path / "own").mkdir(exist_ok=True)
    files = path / "own" / f"{name}.pem", path / "own" / f"{name}.key"
    files[0].write_bytes(made.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


# ---- Postfix receives ----


def test_postfix_receives_by_its_name(world, relay_factory):
    """It has two certificates; the one that the record means it shows to who asks for the base domain of the record (RFC 7672 8.1)."""
    path = world.path
    usual, meant = sign(path, "usual.test"), sign(path, "mx.sni.test")
    (path / "sni").write_text(f"mx.sni.test {meant[1]}, {meant[0]}\n")
    (path / "main.cf").write_text("")
    subprocess.run(["postmap", "-c", path, "-F", f"hash:{path}/sni"], check=True)
    instance = postfix.Instance(path / "postfix", f"""
        myhostname = mx.sni.test
        virtual_mailbox_domains = sni.test, other.test
        virtual_transport = discard:
        smtpd_tls_chain_files = {usual[1]}, {usual[0]}
        tls_server_sni_maps = hash:{path}/sni
        smtpd_tls_security_level = encrypt
        smtpd_tls_loglevel = 1
        """, world.port)
    try:
        wait_port(world.port, process=instance.process)
        for domain, record in (("sni.test", tlsa(meant[0], 3, 1, 1)), ("other.test", tlsa(meant[0], 3, 1, 1))):
            world.zone(domain)
            world.tree.mail(domain, f"mx.{domain}=127.0.0.1")
            world.tree.add(f"_{world.port}._tcp.mx.{domain}", "TLSA", record)
        relay = world.relay(relay_factory)
        good, bad = relay.send(to="a@sni.test"), relay.send(to="a@other.test")
        relay.wait_kind(good, "delivered")
        line = line_of(relay, good)
        assert (line["tls_policy"], line["tls_result"], line["verified"]) == ("dane", "ok", "yes"), line
        assert line["tls"].strip('"').endswith(" TLSA 3 1 1 depth 0"), line
        assert "validation-failure" in relay.wait_kind(bad, "deferred")[0]["reply"]
        assert len(re.findall(r"to=<a@sni\.test>.* status=sent", instance.log_text())) == 1
        assert "a@other.test" not in instance.log_text()
    finally:
        instance.stop()


# ---- Postfix sends ----

ZONE = "more.test"


def host_of(w, domain, records, certificate, chain=None, **options):
    """A domain below ZONE with one host, which shows this certificate; records as data."""
    name = f"mx.{domain}"
    w.host(name, tls=False, **options)
    w.hosts[name].context = context_of(certificate, chain)
    w.mx(domain, name)
    if records:
        w.tree.add(f"_{w.port}._tcp.{name}", "TLSA", *records)


def by_authority(domain, record, chain=True, names=None, days=(-1, 1), host=None):
    """Its certificate is issued by an authority of the tests; `record`: usage, selector and matching type of that."""
    def build(w):
        certificate = sign(w.path, host or f"mx.{domain}", w.own_ca, names=names, days=days)
        host_of(w, domain, [tlsa(w.own_ca[0], *record)], certificate, w.own_ca[0] if chain else None)
    return build


def by_key(domain, *records, days=(-1, 1), key=None, newest=None):
    """Its certificate is signed by itself; `records`: usage, selector and matching type of it, or text."""
    def build(w):
        certificate = sign(w.path, f"mx.{domain}", days=days, key=key)
        host_of(w, domain, [r if isinstance(r, str) else tlsa(certificate[0], *r) for r in records], certificate)
        if newest:
            w.hosts[f"mx.{domain}"].context.maximum_version = newest
    return build


def with_records(domain, change):
    """As by_key(), then something else in DNS."""
    def build(w):
        by_key(domain, (3, 1, 1))(w)
        change(w, f"mx.{domain}", f"_{w.port}._tcp.mx.{domain}")
    return build


def in_zone(name, state="secure", denial="nsec", records=((3, 1, 1),)):
    def build(w):
        w.tree.zone(name, state, denial=denial)
        by_key(name, *records)(w)
    return build


def move(w, owner, to):
    w.tree.add(to, "TLSA", *w.tree.find(owner).records[owner, "TLSA"])
    w.tree.add(owner, "TLSA")


def alias_of_record(to):
    def change(w, host, owner):
        move(w, owner, to)
        w.tree.add(owner, "CNAME", f"{to}.")
    return change


def star_for_record(w, host, owner):
    move(w, owner, f"*._tcp.{host}")


def record_in_unsigned_zone(w, host, owner):
    records = w.tree.find(owner).records.pop((owner, "TLSA"))
    w.tree.zone(f"_tcp.{host}", "insecure")
    w.tree.add(owner, "TLSA", *records)


def chain_of_aliases(w, host, owner):
    """The record is at the second of three names: nobody asks there (RFC 7672 2.2.2)."""
    address = w.tree.find(host).records.pop((host, "A"))
    w.tree.add(host, "CNAME", f"b.{host}.")
    w.tree.add(f"b.{host}", "CNAME", f"c.{host}.")
    w.tree.add(f"c.{host}", "A", *address)
    move(w, owner, f"_{w.port}._tcp.b.{host}")


def fault(kind, what):
    def change(w, host, owner):
        w.tree.faults[owner if kind == "TLSA" else host, kind] = what
    return change


def fault_at_mx(domain, kind, what):
    """As fault(), of the domain itself."""
    def build(w):
        by_key(domain, (3, 1, 1))(w)
        w.tree.faults[domain, kind] = what
    return build


def no_address(w, host, owner):
    w.tree.add(host, "A")


def at_another_port(w, host, owner):
    """What the usual port shows is of no matter to another one."""
    w.tree.add(owner, "TLSA")
    w.tree.add(f"_25._tcp.{host}", "TLSA", WRONG)


def beside_other_records(w, host, owner):
    """Names above and beside it exist, and none of them has a TLSA record."""
    w.tree.add(owner, "TLSA")
    w.tree.add(owner, "TXT", "nothing")
    w.tree.add(f"_x.{owner}", "TLSA", WRONG)


def star_for_mail(w):
    """The domain has no records of its own: those of a wildcard, and the proof that nothing is nearer."""
    by_key(f"stars.{ZONE}", (3, 1, 1))(w)
    w.tree.add(f"*.deep.stars.{ZONE}", "MX", f"10 mx.stars.{ZONE}.")


def branch_of_names(w):
    """The host lies below a DNAME, and its records below the name that this makes of it."""
    by_key(f"real.branch.{ZONE}", (3, 1, 1))(w)
    w.tree.add(f"branch2.{ZONE}", "DNAME", f"branch.{ZONE}.")
    w.mx(f"branches.{ZONE}", f"mx.real.branch2.{ZONE}")


def alias_with(domain, target_zone="secure", alias_zone="secure", at_target=None, at_alias=((3, 1, 1),), more=None):
    """The host is an alias of one in another zone, both with records, or None: which of them count (RFC 7672 2.2.2)?"""
    def build(w):
        name = domain.split(".")[0]
        w.tree.zone(f"{name}-from.test", alias_zone)
        w.tree.zone(f"{name}-to.test", target_zone)
        by_key(f"{name}-to.test")(w)
        host, target = f"mx.{name}-from.test", f"mx.{name}-to.test"
        w.mx(domain, host)
        w.tree.add(host, "CNAME", f"{target}.")
        certificate = w.path / "own" / f"{target}.pem"
        for base, records in ((target, at_target), (host, at_alias)):
            if records:
                w.tree.add(f"_{w.port}._tcp.{base}", "TLSA", *[r if isinstance(r, str) else tlsa(certificate, *r) for r in records])
        if more:
            w.tree.faults[f"_{w.port}._tcp.{target}", "TLSA"] = more
    return build


def behind_unsigned(name, records=(), authority=None, what=None):
    """An unsigned domain with a host in a signed zone (RFC 7672 2.2.1): `authority`: the names in a certificate issued by one."""
    def build(w):
        w.tree.zone(f"{name}.test", "insecure")
        domain = f"{name}.{ZONE}"
        if authority:
            by_authority(domain, (2, 0, 1), names=authority)(w)
        else:
            by_key(domain, *records)(w)
        w.mx(f"{name}.test", f"mx.{domain}")
        if what:
            fault("TLSA", what)(w, f"mx.{domain}", f"_{w.port}._tcp.mx.{domain}")
    return build


def with_intermediate(domain, of, sent):
    """Root, intermediate, host: the record is `of` one of them, and the server sends those besides its own."""
    def build(w):
        middle = sign(w.path, f"middle.{domain}", w.own_ca, authority=True)
        own = sign(w.path, f"mx.{domain}", middle)
        files = {"root": w.own_ca[0], "middle": middle[0]}
        chain = w.path / "own" / f"{domain}.chain"
        chain.write_bytes(b"".join(files[name].read_bytes() for name in sent))
        host_of(w, domain, [tlsa(files[of], 2, 0, 1)], own, chain if sent else None)
    return build


def old_authority(w):
    ca = sign(w.path, "old-authority.test", authority=True, days=(-9, -1))
    host_of(w, f"oldca.{ZONE}", [tlsa(ca[0], 2, 0, 1)], sign(w.path, f"mx.oldca.{ZONE}", ca), ca[0])


def either(domain, usage3, usage2):
    """Records of both usages, each right or not: one that fits is enough."""
    def build(w):
        by_authority(domain, (2, 1, 1))(w)
        own = w.path / "own" / f"mx.{domain}.pem"
        w.tree.add(f"_{w.port}._tcp.mx.{domain}", "TLSA", tlsa(own, 3, 1, 1) if usage3 else WRONG,
                   tlsa(w.own_ca[0], 2, 1, 1) if usage2 else "2 1 1 " + "cd" * 32)
    return build


def null_mx(w):
    w.tree.add(f"null.{ZONE}", "MX", "0 .")


def alias_for_mail(w):
    """The domain is an alias, and the certificate names what it is an alias for (RFC 7672 3.2.2)."""
    by_authority(f"real.{ZONE}", (2, 0, 1), names=[f"real.{ZONE}"])(w)
    w.tree.add(f"alias.{ZONE}", "CNAME", f"real.{ZONE}.")


def first_zone_is_broken(w):
    w.tree.zone("broken1.test", "bogus")
    by_key(f"second.{ZONE}", (3, 1, 1))(w)
    w.tree.add("a.broken1.test", "A", "127.0.9.9")
    w.mx(f"second.{ZONE}", "a.broken1.test", f"mx.second.{ZONE}")


def two_by_one_host(w):
    """Of two domains one is named by the certificate."""
    by_authority(f"shared.{ZONE}", (2, 1, 1), names=[f"first.{ZONE}"])(w)
    for domain in ("first", "other"):
        w.mx(f"{domain}.{ZONE}", f"mx.shared.{ZONE}")


OK, MISMATCH, EXPIRED, FAILS = (("delivered", "dane", "ok"), *(("deferred", "dane", r) for r in (
    "certificate-host-mismatch", "certificate-expired", "validation-failure")))
UNUSABLE, ANY, WAITS, NO_ANSWER = ("delivered", "dane-unusable", "tlsa-invalid"), ("delivered", "opportunistic", "ok"), ("deferred",), (
    "deferred", "dane", "dnssec-invalid")
RSA = rsa.generate_private_key(65537, 2048)
MORE = {f"{name}.{ZONE}" if "." not in name else name: (build, *what) for name, build, what in [
    # authorities
    ("whole", by_authority(f"whole.{ZONE}", (2, 0, 0), chain=False), OK),
    ("bare", by_authority(f"bare.{ZONE}", (2, 1, 0), chain=False), OK),
    ("unsent", by_authority(f"unsent.{ZONE}", (2, 0, 1), chain=False), FAILS),
    ("keyofca", by_authority(f"keyofca.{ZONE}", (2, 1, 2)), OK),
    ("itself", by_key(f"itself.{ZONE}", (2, 0, 1)), FAILS),
    ("oldleaf", by_authority(f"oldleaf.{ZONE}", (2, 0, 1), days=(-9, -1)), EXPIRED),
    ("early", by_authority(f"early.{ZONE}", (2, 0, 1), days=(1, 9)), ("deferred", "dane", "certificate-not-trusted")),
    ("onlycn", by_authority(f"onlycn.{ZONE}", (2, 0, 1), names=[]), OK),
    ("star", by_authority(f"star.{ZONE}", (2, 0, 1), names=[f"*.star.{ZONE}"], host=f"mx.star.{ZONE}"), OK),
    ("starabove", by_authority(f"starabove.{ZONE}", (2, 0, 1), names=[f"*.{ZONE}"]), OK),  # by the next hop
    ("partial", by_authority(f"partial.{ZONE}", (2, 0, 1), names=[f"m*.partial.{ZONE}"]), MISMATCH),
    ("xn--bcher-kva", by_authority(f"xn--bcher-kva.{ZONE}", (2, 0, 1)), OK),
    ("shared", two_by_one_host, MISMATCH),
    ("first", lambda w: None, OK),
    ("other", lambda w: None, MISMATCH),
    ("alias", alias_for_mail, OK),
    # keys
    ("old", by_key(f"old.{ZONE}", (3, 1, 1), days=(-9, -1)), OK),
    ("future", by_key(f"future.{ZONE}", (3, 0, 1), days=(1, 9)), OK),
    ("long", by_key(f"long.{ZONE}", (3, 0, 0), key=RSA), OK),
    ("many", by_key(f"many.{ZONE}", *[f"3 1 1 {n:064x}" for n in range(31)], (3, 1, 1)), OK),
    ("toomany", by_key(f"toomany.{ZONE}", *[f"3 1 1 {n:064x}" for n in range(200)]), FAILS),
    ("agile", by_key(f"agile.{ZONE}", (3, 1, 1), "3 1 2 " + "ab" * 64), FAILS),
    ("agile2", by_key(f"agile2.{ZONE}", WRONG, (3, 1, 2)), OK),
    ("agile3", by_key(f"agile3.{ZONE}", (3, 0, 1), "3 1 2 " + "ab" * 64), OK),
    ("besides", by_key(f"besides.{ZONE}", PKIX_ONLY, (3, 1, 1)), OK),
    ("besides2", by_key(f"besides2.{ZONE}", (1, 1, 1), WRONG), FAILS),
    ("types", by_key(f"types.{ZONE}", "3 1 9 abcd", "3 7 1 " + "ab" * 32, "9 1 1 " + "ab" * 32, "3 1 1 ab"), UNUSABLE),
    ("twelve", by_key(f"twelve.{ZONE}", (3, 1, 1), newest=ssl.TLSVersion.TLSv1_2), OK),
    # names of records
    ("starrecord", with_records(f"starrecord.{ZONE}", star_for_record), OK),
    ("alias1", with_records(f"alias1.{ZONE}", alias_of_record(f"_dane.{ZONE}")), OK),
    ("alias2", with_records(f"alias2.{ZONE}", alias_of_record("_dane.unsigned.test")), ANY),
    ("cut", with_records(f"cut.{ZONE}", record_in_unsigned_zone), ANY),
    ("chain", with_records(f"chain.{ZONE}", chain_of_aliases), ANY),
    # answers
    ("refused", with_records(f"refused.{ZONE}", fault("TLSA", "REFUSED")), NO_ANSWER),
    ("nohost", with_records(f"nohost.{ZONE}", fault("A", "SERVFAIL")), WAITS),
    ("badhost", with_records(f"badhost.{ZONE}", fault("A", "BOGUS")), WAITS),
    ("null", null_mx, ("bounced",)),
    ("second", first_zone_is_broken, OK),
    ("mxsilent", fault_at_mx(f"mxsilent.{ZONE}", "MX", "SILENCE"), WAITS),
    ("mxdenied", fault_at_mx(f"mxdenied.{ZONE}", "MX", "NXDOMAIN"), WAITS),  # without a proof
    ("mxstrip", fault_at_mx(f"mxstrip.{ZONE}", "MX", "STRIPPED"), WAITS),
    ("silenthost", with_records(f"silenthost.{ZONE}", fault("A", "SILENCE")), WAITS),
    ("nofamily", with_records(f"nofamily.{ZONE}", fault("ANY", "SERVFAIL")), WAITS),
    ("goneforgood", lambda w: None, ("bounced",)),  # NXDOMAIN, signed
    ("gone.unsigned.test", lambda w: None, ("bounced",)),  # and not
    ("nohosts", with_records(f"nohosts.{ZONE}", no_address), ("bounced",)),
    ("port25", with_records(f"port25.{ZONE}", at_another_port), ANY),
    ("others", with_records(f"others.{ZONE}", beside_other_records), ANY),
    (f"a.deep.stars.{ZONE}", star_for_mail, OK),
    ("branches", branch_of_names, OK),
    # aliases of hosts
    ("both", alias_with(f"both.{ZONE}", at_target=((3, 1, 1),), at_alias=(WRONG,)), OK),
    ("bothwrong", alias_with(f"bothwrong.{ZONE}", at_target=(WRONG,)), FAILS),
    ("bothunusable", alias_with(f"bothunusable.{ZONE}", at_target=(PKIX_ONLY,)), UNUSABLE),
    ("bothfault", alias_with(f"bothfault.{ZONE}", at_target=(WRONG,), more="SERVFAIL"), NO_ANSWER),
    ("bothnone", alias_with(f"bothnone.{ZONE}", at_alias=None), ANY),
    ("enters", alias_with(f"enters.{ZONE}", alias_zone="insecure", at_target=(WRONG,), at_alias=None), ANY),
    ("plainboth", alias_with(f"plainboth.{ZONE}", "insecure", "insecure", (WRONG,), (WRONG,)), ANY),
    ("brokenalias", alias_with(f"brokenalias.{ZONE}", "bogus"), WAITS),
    # unsigned domains
    ("halfname.test", behind_unsigned("halfname", authority=["halfname.test"]),
     ("deferred", "dane-mx-insecure", "certificate-host-mismatch")),
    ("halfhostname.test", behind_unsigned("halfhostname", authority=[f"mx.halfhostname.{ZONE}"]), ("delivered", "dane-mx-insecure", "ok")),
    ("halfnone.test", behind_unsigned("halfnone"), ANY),
    ("halfunusable.test", behind_unsigned("halfunusable", (PKIX_ONLY,)), UNUSABLE),
    ("halffault.test", behind_unsigned("halffault", ((3, 1, 1),), what="SERVFAIL"), ("deferred", "dane-mx-insecure", "dnssec-invalid")),
    # authorities between
    ("middle", with_intermediate(f"middle.{ZONE}", "middle", ["middle"]), OK),
    ("upper", with_intermediate(f"upper.{ZONE}", "root", ["middle", "root"]), OK),
    ("gap", with_intermediate(f"gap.{ZONE}", "root", ["root"]), FAILS),
    ("oldca", old_authority, EXPIRED),
    ("keyfits", either(f"keyfits.{ZONE}", True, False), OK),
    ("cafits", either(f"cafits.{ZONE}", False, True), OK),
    ("nonefits", either(f"nonefits.{ZONE}", False, False), FAILS),
    ("cnbeside", by_authority(f"cnbeside.{ZONE}", (2, 0, 1), names=["elsewhere.test"]), MISMATCH),
    ("deepstar", by_authority(f"deepstar.{ZONE}", (2, 0, 1), names=["*.test"]), MISMATCH),
    ("usage0", by_key(f"usage0.{ZONE}", (0, 0, 1)), UNUSABLE),
    ("agilefull", by_key(f"agilefull.{ZONE}", (3, 1, 0), "3 1 2 " + "ab" * 64), OK),
    # zones
    ("three.test", in_zone("three.test", denial="nsec3"), OK),
    ("optout.test", in_zone("optout.test", denial="opt-out"), OK),
    ("threenone.test", in_zone("threenone.test", denial="nsec3", records=()), ANY),
    ("optnone.test", in_zone("optnone.test", denial="opt-out", records=()), ANY),
    ("zonebogus.test", in_zone("zonebogus.test", "bogus"), WAITS),
    ("zonestripped.test", in_zone("zonestripped.test", "stripped"), WAITS),
    ("zoneexpired.test", in_zone("zoneexpired.test", "expired"), WAITS),
]}
OURS = {"off.test", "report.test", "reportclear.test", "route.test", "costly.test", "sevenbad.test"}  # by a setting of ours, or a limit
WORDS = {"dane": "Verified", "dane-mx-insecure": "Trusted"}


class Sender:
    """Postfix with one message for each domain; what became of each: how it was sent, with the word for its TLS."""

    def __init__(self, path, domains, port, validator):
        own = free_port()
        self.instance = postfix.Instance(path, """
            myhostname = sender.test
            mynetworks = 127.0.0.0/8
            smtpd_relay_restrictions = permit_mynetworks, reject
            smtp_tls_security_level = dane
            smtp_dns_support_level = dnssec
            smtp_host_lookup = dns
            smtp_tls_loglevel = 1
            smtp_bind_address = 127.0.0.1
            smtp_balance_inet_protocols = no
            default_destination_concurrency_limit = 2
            transport_maps = texthash:${config_directory}/transport
            """, own, {"transport": "".join(f"{d} smtp:{d}:{port}\n" for d in domains)}, validator)
        wait_port(own, process=self.instance.process)
        with smtplib.SMTP("127.0.0.1", own) as client:
            for domain in domains:
                client.sendmail("a@sender.test", [f"a@{domain}"], "Subject: test\r\n\r\nhello\r\n")
        self.outcomes = {d: None for d in domains}
        wait_for(lambda: self.read() or all(self.outcomes.values()), 120, 0.2)

    def read(self):
        """A line says which process has TLS with which host, a later one that it has sent something there."""
        tls = {}
        for line in self.instance.log_text().splitlines():
            process = re.search(r"postfix/smtp\[(\d+)\]", line)
            if found := re.search(r": (\w+) TLS connection established to (\S+): ", line):
                tls[process[1], found[2]] = found[1]
            if found := re.search(r" to=<a@([^>]+)>.* relay=([^,]+),.* status=(\w+)(.*)", line):
                sent = found[3] == "sent"
                self.outcomes[found[1]] = found[3], tls.pop((process[1], found[2]), None) if sent else None, found[4]

    def stop(self):
        self.instance.stop()


def expected(kind, policy=None, result=None):
    """What Postfix calls that."""
    if kind != "delivered":
        return kind, None
    if result == "starttls-not-supported":
        return "sent", None
    return "sent", WORDS.get(policy, "Untrusted") if result == "ok" else "Untrusted"


class Fingers:
    """What posttls-finger makes of domains: the word for the TLS that it got, and all that it said."""

    def __init__(self, validator, port):
        self.validator, self.port = validator, port
        (validator.path / "main.cf").write_text("compatibility_level = 3.6\ninet_protocols = ipv4\n")

    def look(self, domain):
        command = ["env", f"MAIL_CONFIG={self.validator.path}", "posttls-finger", "-c", "-t", "20", "-T", "20", "-l", "dane",
                   "-L", "summary,certmatch", f"{domain}:{self.port}"]
        done = subprocess.run(self.validator.believing(*command), capture_output=True, text=True, timeout=120)
        text = done.stdout + done.stderr
        found = re.search(r"(\w+) TLS connection established", text)
        return found[1] if found else "none", text

    def look_at(self, domains):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            return dict(zip(domains, pool.map(self.look, domains)))


def fingered(kind, policy=None, result=None):
    """What posttls-finger, which sends nothing, sees of the same."""
    if policy is None or result in ("dnssec-invalid", "starttls-not-supported"):
        return "none"
    return WORDS.get(policy, "Untrusted") if kind == "delivered" and result == "ok" else "Untrusted"


# Where they differ: (what Postfix does, what posttls-finger sees). None: as expected.
OTHERWISE = {
    # posttls-finger looks at one host, the first; mail goes on to the next.
    "mixed.test": (None, "Untrusted"),
    # Whoever forged the MX of an unsigned domain may have a certificate for that domain's name from the same authority: with an MX that is
    # not secure the host's name is the only one (RFC 7672 2.2.1 and 3.2.2). Postfix takes the domain's too; it calls that "Trusted" only.
    "halfname.test": (("sent", "Trusted"), "Trusted"),
}


def test_postfix_sends_where_the_relay_does(world, relay_factory):
    """More than a hundred domains: each is delivered by both of the same certificate, or by both not, and by neither in clear where it
    may not; and posttls-finger says the same."""
    world.own_ca = sign(world.path, "authority.test", authority=True)
    for name, state in ((ZONE, "secure"), ("unsigned.test", "insecure")):
        world.zone(name, state)
    every = {d: c for d, c in {**CASES, **MORE}.items() if d not in OURS}
    for domain, (build, *_) in every.items():
        if domain != "unsigned.test":
            build(world)
    relay = world.relay(relay_factory)
    ids = {domain: relay.send(to=f"x@{domain}") for domain in every}
    validator = Validator(world.path / "validator", world.tree)
    sender, beside = None, concurrent.futures.ThreadPoolExecutor(1)
    try:
        looking = beside.submit(Fingers(validator, world.port).look_at, every)
        sender = Sender(world.path / "postfix", list(every), world.port, validator)
        fingers = looking.result()
        wrong = []
        for domain, (_, kind, *judged) in every.items():
            relay.wait_kind(ids[domain], kind, 60)
            line = line_of(relay, ids[domain])
            if [line["kind"], line.get("tls_policy"), line.get("tls_result")][:1 + len(judged)] != [kind, *judged]:
                wrong.append((domain, "the relay", line))
            theirs, (otherwise, seen_otherwise) = sender.outcomes[domain], OTHERWISE.get(domain, (None, None))
            if theirs[:2] != (otherwise or expected(kind, *judged)):
                wrong.append((domain, "Postfix", theirs))
            word, text = fingers[domain]
            if word != (seen_otherwise or fingered(kind, *judged)):
                wrong.append((domain, "posttls-finger", word, text))
        assert not wrong, "\n".join(map(str, wrong))
        assert len(every) >= 120
    finally:
        beside.shutdown()
        if sender:
            sender.stop()
        validator.stop()
