"""`sealpost dns DOMAIN --check` of mail to the domain: by DANE and MTA-STS, as others see it.

The kind of fault: its owner believes that mail is protected, or comes at all, and it is not so; or is told to mend what is right. What
senders do of the same is in test_dane.py, test_sts.py and test_sts_hostile.py.
"""

import json
import pathlib
import shutil

import jsonschema
import pytest

from dane_zone import tlsa
from policy_host import PolicyHost, reply_of, text_of
from test_dane import PKIX_ONLY, World, context_of
from zones import own_addresses

ENFORCE = "v=STSv1; id=20260101"
SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "contrib" / "dns.schema.json").read_text())


class Own(World):
    """Domains of one's own, whose hosts take mail at port 25, and their policy hosts."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.addresses, self.policies = iter(own_addresses(100)[20:]), []

    def own(self, domain, records=((3, 1, 1),), zone="secure", hosts=1, listens=False, certified=None, tls=True):
        self.zone(domain, zone)
        names = [f"mx{n + 1}.{domain}" for n in range(hosts)]
        for name in names:
            pair, address = self.issue(*(certified or [name])), next(self.addresses)
            self.tree.add(name, "A", address)
            if listens:
                self.hosts[name] = self.make_host(host=address, port=25, context=context_of(pair) if tls else None)
            if records:
                self.tree.add(f"_25._tcp.{name}", "TLSA", *[r if isinstance(r, str) else tlsa(pair[0], *r) for r in records])
        self.mx(domain, *names)

    def policy(self, domain, mode="enforce", mx=("*.{}",), record=ENFORCE, reply=None, name="mta-sts.{}", serve=True):
        self.tree.add(f"_mta-sts.{domain}", "TXT", *([record] if isinstance(record, str) else record))
        address = next(self.addresses)
        self.tree.add(f"mta-sts.{domain}", "A", address)
        reply = reply or reply_of(text_of(mode, [m.format(domain) for m in mx], 14 * 86400))
        if serve:
            self.policies.append(PolicyHost(address, context_of(self.issue(name.format(domain))), reply))

    def stop(self):
        self.tree.stop()
        for host in self.policies:
            host.stop()


@pytest.fixture
def own(tmp_path, delivery_port, mailhost, monkeypatch):
    made = Own(tmp_path, delivery_port, mailhost)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.ca))
    yield made
    made.stop()


def good(w, domain):
    w.own(domain)
    w.policy(domain)


def plain(w, domain):
    w.own(domain, None, "insecure")


def fault(kind):
    def build(w, domain):
        w.own(domain)
        w.tree.faults[f"_25._tcp.mx1.{domain}", "TLSA"] = kind
    return build


def unusable(w, domain):
    w.own(domain, (PKIX_ONLY,))


def shown(records, policy=False, **options):
    """Its host takes connections."""
    def build(w, domain):
        w.own(domain, records, listens=True, **options)
        if policy:
            w.policy(domain)
    return build


def half(w, domain):
    w.own(domain, None, hosts=2)
    w.tree.add(f"_25._tcp.mx1.{domain}", "TLSA", "3 1 1 " + "ab" * 32)


def sts(records=None, **options):
    def build(w, domain):
        w.own(domain, records, "insecure", hosts=2)
        w.policy(domain, **options)
    return build


def null(w, domain):
    w.zone(domain)
    w.tree.add(domain, "MX", "0 .")


# What is said of each, beside what is "missing" in all that are not signed: {(check, name): (state, words)}
DANE, STS = "dane", "mta-sts"
CASES = {
    "good.test": (good, {(DANE, "{}"): ("ok", "signed"), (DANE, "mx1.{}"): ("ok", "1 TLSA record at _25._tcp.mx1.{}"),
                         (STS, "_mta-sts.{}"): ("ok", "id 20260101"), (STS, "mta-sts.{}"): ("ok", "mode enforce"), (STS, "mx1.{}"): ("ok", "names it")}),
    "plain.test": (plain, {(DANE, "{}"): ("missing", "not signed"), (DANE, "mx1.{}"): ("missing", "not signed"),
                           (STS, "_mta-sts.{}"): ("missing", "no record")}),
    "servfail.test": (fault("SERVFAIL"), {(DANE, "mx1.{}"): ("wrong", "no usable answer")}),
    "bogus.test": (fault("BOGUS"), {(DANE, "mx1.{}"): ("wrong", "no usable answer")}),
    "unusable.test": (unusable, {(DANE, "mx1.{}"): ("wrong", "can be used")}),
    "half.test": (half, {(DANE, "mx1.{}"): ("ok", "1 TLSA"), (DANE, "mx2.{}"): ("missing", "no TLSA record")}),
    "fits.test": (shown(((3, 1, 1),)), {(DANE, "mx1.{}"): ("ok", "its certificate fits")}),
    "other.test": (shown(("3 1 1 " + "ab" * 32,)), {(DANE, "mx1.{}"): ("wrong", "validation-failure")}),
    "clear.test": (shown(((3, 1, 1),), tls=False), {(DANE, "mx1.{}"): ("wrong", "starttls-not-supported")}),
    "names.test": (shown(None, True, certified=["elsewhere.test"]), {(STS, "mx1.{}"): ("wrong", "certificate-host-mismatch")}),
    "both.test": (shown(((3, 1, 1),), True, certified=["elsewhere.test"]), {(DANE, "mx1.{}"): ("ok", "fits"), (STS, "mx1.{}"): ("ok", "names it")}),
    "testing.test": (sts(mode="testing"), {(STS, "mta-sts.{}"): ("ok", "mode testing")}),
    "unnamed.test": (sts(mx=["mx1.{}"]), {(STS, "mx1.{}"): ("ok", "names it"), (STS, "mx2.{}"): ("wrong", "does not name it")}),
    "two.test": (sts(record=[ENFORCE, ENFORCE + "1"]), {(STS, "_mta-sts.{}"): ("wrong", "several")}),
    "malformed.test": (sts(record="v=STSv1; id=2026-01-01"), {(STS, "_mta-sts.{}"): ("wrong", "not well-formed")}),
    "stale.test": (sts(record="v=STSv1; id=sp0123456789abcdef"), {(STS, "_mta-sts.{}"): ("wrong", "another policy")}),
    "down.test": (sts(serve=False), {(STS, "mta-sts.{}"): ("wrong", "connect-failed")}),
    "name.test": (sts(name="www.{}"), {(STS, "mta-sts.{}"): ("wrong", "sts-webpki-invalid")}),
    "moved.test": (sts(reply=reply_of("", "301 Moved", ["Location: /mta-sts.txt"])), {(STS, "mta-sts.{}"): ("wrong", "http-status-301")}),
    "mode.test": (sts(reply=reply_of("version: STSv1\nmode: on\nmx: *.mode.test\nmax_age: 1\n")), {(STS, "mta-sts.{}"): ("wrong", "policy-bad-mode")}),
    "null.test": (null, {}),
}


def test_each_fault_is_named_and_only_faults_change_the_exit_status(own, relay_factory):
    for domain, (build, _) in CASES.items():
        build(own, domain)
    relay = relay_factory(dns=own.tree)
    own.tree.add("mail.club.test", "A", "192.0.2.10")
    own.tree.add("10.2.0.192.in-addr.arpa", "PTR", "mail.club.test.")
    for domain in CASES:
        relay.add_domain(domain, "--ed25519")
    own.tree.start()
    for domain, (_, expected) in CASES.items():
        done = relay.command("--json", "dns", domain, "--check", check=False)
        shown = json.loads(done.stdout)
        jsonschema.validate(shown, SCHEMA)
        said = {(row["check"], row["name"]): row for row in shown["receiving"]}
        assert shown["green"], (domain, [r for r in shown["records"] if r["need"] == "required" and r["state"] != "ok"])
        assert all(row["advice"] for row in shown["receiving"] if row["state"] != "ok"), said
        for (check, name), (state, words) in expected.items():
            row = said[check, name.format(domain)]
            assert row["state"] == state and words.format(domain) in row["found"], (domain, row)
        wrong = {at for at, row in said.items() if row["state"] == "wrong"}
        assert wrong == {(check, name.format(domain)) for (check, name), (state, _) in expected.items() if state == "wrong"}, (domain, said)
        assert done.returncode == (1 if wrong else 0), (domain, done.stderr)
    assert said == {}  # of the last one: it takes no mail
    for host in own.hosts.values():
        assert host.connections and all(c.lines[0] == "EHLO mail.club.test" and c.lines[-1] == "QUIT" for c in host.connections)
        assert not any(line.startswith("MAIL") for c in host.connections for line in c.lines)
    text = relay.command("dns", "unnamed.test", "--check", check=False).stdout
    lines = [line for line in text.splitlines() if "mx2.unnamed.test: the policy does not name it; add mx: mx2.unnamed.test" in line]
    assert len(lines) == 1 and lines[0].startswith("  wrong    mta-sts  "), text
    assert "as others see it" not in relay.command("dns", "null.test", "--check")


class NeverShakes:
    """TLS that is offered, and comes to nothing until the client goes."""

    def wrap_socket(self, client, **options):
        while client.recv(4096):
            pass
        raise ConnectionAbortedError


def test_what_could_not_be_looked_at_is_unknown(own, relay_factory, tmp_path):
    """A host that is too slow for a look, where senders may wait: that is no fault of it. And a look that could not be had: no success."""
    own.own("slow.test", listens=True)
    own.hosts["mx1.slow.test"].context = NeverShakes()
    own.own("club.test")
    own.policy("club.test")
    relay = relay_factory(dns=own.tree)
    own.tree.add("mail.club.test", "A", "192.0.2.10")
    own.tree.add("10.2.0.192.in-addr.arpa", "PTR", "mail.club.test.")
    relay.add_domain("slow.test", "--ed25519")
    own.tree.start()
    alone = shutil.copy(relay.program, tmp_path / "sealpost")
    without = relay.command("--json", "dns", "club.test", "--check", check=False, program=alone)
    assert without.stdout, without
    shown = json.loads(without.stdout)
    jsonschema.validate(shown, SCHEMA)
    assert [(row["check"], row["state"]) for row in shown["receiving"]] == [(DANE, "unknown"), (STS, "unknown")]
    assert all("sealpost-fetcher" in row["found"] for row in shown["receiving"])
    assert shown["green"] and without.returncode == 1 and "sealpost-fetcher" in without.stderr, without.stderr
    slow = relay.command("--json", "dns", "slow.test", "--check", check=False)
    said = {(row["check"], row["name"]): row for row in json.loads(slow.stdout)["receiving"]}
    assert said[DANE, "mx1.slow.test"]["state"] == "unknown" and "too slow" in said[DANE, "mx1.slow.test"]["found"], said
    assert slow.returncode == 0, slow.stderr


def test_a_record_by_which_nobody_can_report_is_wrong(own, relay_factory):
    """The other faults of it are in records_test.c."""
    own.own("club.test")
    own.tree.add("_smtp._tls.club.test", "TXT", "v=TLSRPTv1; rua=ftp://reports.test/x")
    relay = relay_factory(dns=own.tree)
    own.tree.add("mail.club.test", "A", "192.0.2.10")
    own.tree.add("10.2.0.192.in-addr.arpa", "PTR", "mail.club.test.")
    own.tree.start()
    done = relay.command("dns", "club.test", "--check", check=False)
    assert "TLSRPT, later: wrong" in done.stdout and "no place that a report can be sent to" in done.stdout, done.stdout
    assert done.returncode == 1
