"""`sealpost check destination`: it says of each domain and host what a delivery then does.

The kind of fault: what people are told about a domain is not what becomes of its mail; or a host that they only look at gets hold of
their terminal, their time, or a message.
"""

import contextlib
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dane_zone import Validator
from policy_host import StsWorld
from test_dane import CASES, ROUTES, WRONG, World, context_of, line_of, one
from test_dane_postfix import Fingers
from test_sts import CASES as STS_CASES
from test_sts import ROUTES as STS_ROUTES
from test_tls_need import PLAIN, VERIFY

SLOW = {"silent.test"}
# One of each kind; test_dane.py has the others, among them those for which the validator takes its time.
FINGER = ["ee.test", "anchor.test", "foreign.test", "wrong.test", "half.test", "none.test", "unusable.test", "leaves.test"]


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


@pytest.fixture
def policies(tmp_path, dns, delivery_port, mailhost, monkeypatch):
    made = StsWorld(tmp_path, dns, delivery_port, mailhost)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))  # the authorities that the relay has
    yield made
    made.stop()


def check(relay, domain, *options):
    """What is shown, with the exit status as it must follow from that."""
    done = relay.command("--json", "check", "destination", domain, *options, check=False)
    assert done.returncode in (0, 1), (domain, done.stderr)
    shown = json.loads(done.stdout)
    assert (done.returncode == 0) == shown["usable"] == (shown["outcomes"]["plain"]["outcome"] in ("delivered", "may be delivered")), shown
    return shown


def check_all(relay, domains, *options):
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(domains, pool.map(lambda d: check(relay, d, *options), domains)))


def taker(shown, kind="plain"):
    """What the host that takes such a message is to show; where none does, the first one that it is about."""
    name = shown["outcomes"][kind]["host"]
    return next((h for h in shown["hosts"] if h["name"] == name), None)


KINDS = {"delivered": "delivered", "deferred": "waits", "bounced": "returned"}


def agrees(relay, id, shown):
    """The log's words about a plain message, and ours about the host that it went to; "" if they agree."""
    line, outcome = line_of(relay, id), shown["outcomes"]["plain"]["outcome"]
    if outcome != KINDS[line["kind"]]:
        return f"{outcome}, and it was {line}"
    if "tls_policy" not in line or not shown["hosts"]:
        return ""
    said = [host["outcomes"]["plain"] for host in shown["hosts"]] if line["kind"] == "deferred" else [taker(shown)["outcomes"]["plain"]]
    same = any((line["tls_policy"], line["tls_result"]) == (p["tls_policy"], p["tls_result"]) for p in said)
    if not same or line["kind"] == "delivered" and said[0]["tls"] != (line["tls"] != "none"):
        return f"{said}, and it was {line}"
    mark = re.search(r"TLSA (\S+ \S+ \S+ depth \S+?)\"", line.get("tls", ""))
    if mark and taker(shown)["shown"]["tlsa_match"] != mark[1]:
        return f"{taker(shown)['shown']}, and it was {line}"
    return ""


def nothing_sent(host):
    return not any(line.split()[0] in ("MAIL", "RCPT", "DATA") for c in host.connections for line in c.lines)


def test_what_is_shown_is_what_deliveries_do(world, relay_factory):
    """All that test_dane.py knows, looked at before and delivered afterwards, plain and by verified TLS; and compared with posttls-finger."""
    domains = [d for d in CASES if d not in SLOW]
    for domain in domains:
        CASES[domain][0](world)
    relay = world.relay(relay_factory, ROUTES)
    shown = check_all(relay, domains)
    assert all(nothing_sent(host) for host in world.hosts.values())
    assert all(c.lines[-1] == "QUIT" for d in ("ee.test", "noneclear.test", "half.test") for c in world.hosts.get(
        f"mx.{d}", world.hosts["mx.halfhost.test"]).connections)
    ids = {d: (relay.send(to=f"a@{d}", message=PLAIN), relay.send(to=f"b@{d}", message=VERIFY)) for d in domains}
    wrong = []
    for domain, (plain, verified) in ids.items():
        relay.wait_kind(plain, CASES[domain][1], 60)
        wrong += [(domain, text)] if (text := agrees(relay, plain, shown[domain])) else []
        outcome = shown[domain]["outcomes"]["verify"]["outcome"]
        kind = next(k for k, word in KINDS.items() if word == outcome)
        relay.wait_kind(verified, kind, 60)
    assert not wrong, "\n".join(map(str, wrong))
    compare_with_finger(world, {d: shown[d] for d in FINGER})


def compare_with_finger(world, shown):
    """Debian's posttls-finger, whose connection is verified where ours is."""
    validator = Validator(world.path / "validator", world.tree)
    fingers = Fingers(validator, world.port)
    words = {"dane": "Verified", "dane-mx-insecure": "Trusted"}
    try:
        for domain, one_shown in shown.items():
            ours = taker(one_shown)["outcomes"]["plain"]
            fits = ours["outcome"] == "delivered" and ours["tls_result"] == "ok" and words.get(ours["tls_policy"])
            said, text = fingers.look(domain)
            assert said == fits if fits else said not in words.values(), (domain, said, text, ours)
            assert (said == "none") == ("shown" not in taker(one_shown) or ours["tls_result"] == "dnssec-invalid"), (domain, text)
    finally:
        validator.stop()


@pytest.mark.memory
def test_the_domains_policy_is_what_a_delivery_goes_by(policies, relay_factory):
    """Found out by the command before any mail has gone there; then as the relay keeps it, while it runs and while it does not."""
    for build, *_ in STS_CASES.values():
        build(policies)
    relay = policies.relay(relay_factory, STS_ROUTES)
    before = check_all(relay, STS_CASES)
    assert relay.json("sts", "show") == []  # it has written nothing down
    ids = {d: relay.send(to=f"a@{d}") for d in STS_CASES}
    for domain, (_, kind, *_) in STS_CASES.items():
        relay.wait_kind(ids[domain], kind, 60)
        assert not agrees(relay, ids[domain], before[domain]), (domain, agrees(relay, ids[domain], before[domain]))
    assert all(host["needs"] for shown in before.values() for host in shown["hosts"])
    assert before["good.test"]["mta_sts"]["from"] == "published" and before["good.test"]["outcomes"]["verify"]["outcome"] == "delivered"
    # what a host lacks is final only where DNSSEC can say that it is the domain's host, and here nothing validates
    assert before["free.test"]["outcomes"]["requiretls"]["outcome"] == "waits"
    assert before["down.test"]["mta_sts"]["reason"] == "connect-failed" and before["private.test"]["mta_sts"]["reason"] == "address-not-public"
    assert not before["off.test"]["mta_sts"]["asked"] and not before["route.test"]["mta_sts"]["asked"]
    for host in policies.policies.values():
        host.stop()
    for run in (True, False):
        if not run:
            relay.stop()
        kept = check(relay, "other.test")
        assert kept["mta_sts"]["from"] == "kept" and kept["outcomes"]["plain"]["outcome"] == "waits", kept
        assert "does not name it" in kept["outcomes"]["plain"]["why"]
        failed = check(relay, "down.test")
        assert failed["mta_sts"]["result"] == "sts-policy-fetch-error" and failed["usable"]
    policies.policy("other.test", mx=["mx.other.test"], id="2")  # nobody can fetch it: what is kept counts
    kept = check(relay, "other.test")
    assert (kept["mta_sts"]["record_id"], kept["mta_sts"]["id"], kept["usable"]) == ("2", "1", False), kept


def test_a_smart_host_that_is_missing_makes_mail_wait(world, relay_factory):
    """As a delivery does: it is the operator's to mend."""
    world.zone("signed.test")
    world.tree.add("empty.signed.test", "TXT", "x")
    relay = world.relay(relay_factory, "".join(f'route "{n}.test" {{ host = "{n}.signed.test" }}\n' for n in ("missing", "empty")))
    for name in ("missing", "empty"):
        id = relay.send(to=f"x@{name}.test")
        assert "Smart host" in relay.wait_kind(id, "deferred", 60)[0]["reply"]
        shown = check(relay, f"{name}.test")
        assert shown["outcomes"]["plain"]["outcome"] == "waits" and "smart host" in shown["mx"], shown
        text = relay.command("check", "destination", f"{name}.test", check=False).stdout
        assert "Mail: waits" in text and "does not exist" not in text, text


def test_people_can_read_it(world, relay_factory):
    world.zone("signed.test")
    world.host("mx.signed.test", names=["mx.signed.test", "*.signed.test"])
    world.mx("signed.test", "mx.signed.test")
    world.tlsa("mx.signed.test", (3, 1, 1))
    relay = world.relay(relay_factory, 'route "lax.test" { tls = "require"  host = "mx.signed.test" }')
    text = relay.command("check", "destination", "signed.test", "--no-connect")
    for words in ("MX secure by DNSSEC", f"found, at _{world.port}._tcp.mx.signed.test", "3 1 1 ", "tls_policy  dane", "Mail: may be delivered"):
        assert words in text, (words, text)
    assert not any(c.lines for c in world.hosts["mx.signed.test"].connections)
    text = relay.command("check", "destination", "signed.test")
    for words in ("which calls itself mailhost", "STARTTLS", "TLSv1.3", "mx.signed.test, *.signed.test", "CN=test ca", "ok: TLSA 3 1 1 depth 0",
                  "delivered by TLS, verified (dane, ok)", "it does not offer REQUIRETLS", "Mail: delivered, mx.signed.test",
                  "With REQUIRETLS: returned"):
        assert words in text, (words, text)
    route = relay.look("check", "destination", "lax.test")
    assert route["hosts"][0]["tls_policy"] == "route" and not route["hosts"][0]["verifiable"] and route["usable"]
    assert route["host_named"] and not route["mx_secure"]  # nobody has asked for an MX
    assert "; host named by the route\n" in relay.command("check", "destination", "lax.test")
    none = relay.command("check", "destination", "missing.signed.test", check=False)
    assert none.returncode == 1 and "does not exist" in none.stdout and "Mail: returned" in none.stdout
    assert "MTA-STS" not in none.stdout  # there is no host that it could be about
    assert none.stdout.count("does not exist") == 1 and "no route in the config file, port " in none.stdout and '"*"' not in none.stdout
    assert 'route "lax.test", port ' in relay.command("check", "destination", "lax.test")
    for wrong in (["no domain"], ["a.test", "--for", "pleasure"]):
        assert relay.command("check", "destination", *wrong, check=False).returncode == 2
    for kind, status in (("plain", 0), ("verify", 0), ("requiretls", 1)):
        assert relay.command("check", "destination", "signed.test", "--for", kind, check=False).returncode == status
    relay.stop()
    assert "Mail: delivered" in relay.command("check", "destination", "signed.test")


def test_each_kind_of_message_is_judged_by_its_own_need(world, relay_factory):
    """REQUIRETLS is offered within TLS only; a route that reports asks less of plain mail; a route that verifies asks for a certificate."""
    def passes_on(line, connection):
        return "250-mx\r\n250-STARTTLS\r\n250 REQUIRETLS" if line.startswith("EHLO") else None

    for name, options in (("passes.test", {"answer": passes_on}), ("report.test", {}), ("strict.test", {}), ("named.test", {"names": ["a.test"]})):
        one(name, ((3, 1, 1),) if name == "passes.test" else (WRONG,), **options)(world)
    relay = world.relay(relay_factory, 'route "report.test" { dane = "report" }\nroute "strict.test" { tls = "verify" }\n'
                                       'route "named.test" { tls = "verify" }')
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{world.ca}"  ', 1))
    relay.start()
    kinds = {d: [o["outcome"] for o in check(relay, d)["outcomes"].values()] for d in ("passes.test", "report.test", "strict.test", "named.test")}
    assert kinds == {"passes.test": ["delivered"] * 3, "report.test": ["delivered", "waits", "waits"],
                     "strict.test": ["delivered", "delivered", "returned"], "named.test": ["waits"] * 3}
    named = check(relay, "named.test")["hosts"][0]
    assert named["shown"]["certificate_result"] == "certificate-host-mismatch" and named["shown"]["certificate"]["names"] == ["a.test"]


def test_the_next_address_is_asked(world, relay_factory):
    """Nobody listens at the first, the second refuses, the third has the wrong certificate."""
    one("many.test")(world)
    right = world.hosts["mx.many.test"]
    wrong = world.make_host(None, host="127.0.99.3", context=context_of(world.issue("elsewhere.test")))
    refuses = world.make_host(lambda line, connection: "554 5.7.1 not you" if not line else None, host="127.0.99.2")
    addresses = world.tree.find("mx.many.test").records["mx.many.test", "A"]
    world.tree.add("mx.many.test", "A", "127.0.99.1", "127.0.99.2", "127.0.99.3", *addresses)
    relay = world.relay(relay_factory)
    shown = check(relay, "many.test")
    assert shown["outcomes"]["verify"]["outcome"] == "delivered" and shown["hosts"][0]["shown"]["address"] in addresses
    right.socket.shutdown(socket.SHUT_RDWR)
    shown = check(relay, "many.test")["hosts"][0]
    assert not shown["used"] and shown["outcomes"]["plain"]["tls_result"] == "validation-failure"
    assert shown["shown"]["address"] == "127.0.99.3" and nothing_sent(wrong) and nothing_sent(refuses)


# ---- hosts that mean it ill ----

EVIL = "\x1b]0;owned\x07\x1b[2J\u202e\x9b31m"


def trickle(client):
    while True:
        client.sendall(b"2")
        time.sleep(0.2)


def flood(client):
    while True:
        client.sendall(b"220-" + b"x" * 4000 + b"\r\n")


def says(*replies, tls=None):
    """Each reply to whatever comes; the first is the greeting. `tls`: a context, after the 220 to STARTTLS."""
    def talk(client):
        stream = client
        for i, reply in enumerate(replies):
            stream.sendall(reply if isinstance(reply, bytes) else reply.encode())
            if tls and i == 2:
                stream = tls.wrap_socket(client, server_side=True)
            if not stream.recv(65536):
                return
    return talk


def garbage_after_starttls(client):
    client.sendall(b"220 a\r\n")
    client.recv(1000)
    client.sendall(b"250-a\r\n250 STARTTLS\r\n")
    client.recv(1000)
    client.sendall(b"220 go\r\n")
    client.recv(1000)
    client.sendall(b"\x16\x03\x03\xff\xff" + bytes(100000))


OFFER = "250-mx\r\n250 STARTTLS\r\n"
HOSTILE = {
    "silent": lambda client: time.sleep(60),
    "trickle": trickle,
    "flood": flood,
    "closes": lambda client: None,
    "http": says("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "evilname": says(f"220 {EVIL} hello {EVIL}\r\n", f"250-{EVIL}\r\n250-SIZE {EVIL}\r\n250 {EVIL}\r\n"),
    "evilrefusal": says(f"554 5.7.1 {EVIL}\r\n"),
    "evilehlo": says("220 a\r\n", f"550 {EVIL}\r\n", f"421 {EVIL}\r\n"),
    "garbage": garbage_after_starttls,
    "injects": says("220 a\r\n", OFFER, "220 go\r\n250 injected\r\n"),
    "hangs in tls": says("220 a\r\n", OFFER, "220 go\r\n", ""),
    "endless greeting": says("220-" + "y" * 70000 + "\r\n" + "220-z\r\n" * 300),
    "binary": says(bytes(range(256)) * 300),
}


class Hostile:
    def __init__(self, address, port, talk):
        self.socket, self.talk = socket.create_server((address, port), backlog=64), talk
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, ValueError), client:
            client.settimeout(60)
            self.talk(client)


def evil_context(world):
    """A certificate with a hundred names, and an odd issuer."""
    from cryptography import x509
    from test_dane_postfix import sign
    files = sign(world.path, "a.test", names=["bell.test"] + [f"host{n}.test" for n in range(100)])
    assert x509.load_pem_x509_certificate(files[0].read_bytes())
    return context_of(files)


@pytest.mark.memory
def test_a_hostile_host_neither_holds_nor_floods_nor_owns_the_terminal(world, relay_factory):
    world.zone("evil.test")
    made = {**HOSTILE, "names": says("220 a\r\n", OFFER, "220 go\r\n", "250 mx\r\n", "221 bye\r\n", tls=evil_context(world))}
    hosts = []
    for n, (name, talk) in enumerate(made.items()):
        domain = f"{name.replace(' ', '')}.evil.test"
        world.tree.add(domain, "MX", f"10 mx.{domain}.")
        world.tree.add(f"mx.{domain}", "A", f"127.0.80.{n + 1}")
        hosts.append(Hostile(f"127.0.80.{n + 1}", world.port, talk))
    relay = world.relay(relay_factory)
    began = time.monotonic()
    commands = [(form, f"{name.replace(' ', '')}.evil.test") for name in made for form in ([], ["--json"])]
    with ThreadPoolExecutor(12) as pool:
        done = dict(zip([(d, bool(f)) for f, d in commands],
                        pool.map(lambda c: relay.command(*c[0], "check", "destination", c[1], check=False), commands)))
    assert time.monotonic() - began < 110
    for host in hosts:
        host.socket.close()
    for (domain, as_json), result in done.items():
        assert result.returncode in (0, 1) and "Sanitizer" not in result.stderr, (domain, result)
        text = result.stdout + result.stderr
        assert len(text) < 16000, (domain, len(text))
        assert all(c == "\n" or c.isprintable() for c in text), (domain, text)
        if as_json:
            json.loads(result.stdout)
    shown = json.loads(done["names.evil.test", True].stdout)["hosts"][0]["shown"]["certificate"]
    assert len(shown["names"]) == 20 and shown["more_names"] == 81
    for domain in ("silent.evil.test", "trickle.evil.test", "closes.evil.test", "binary.evil.test"):
        assert not json.loads(done[domain, True].stdout)["usable"], domain


def test_addresses_where_dns_may_not_lead_are_not_asked(dns, relay_factory, delivery_port, mailhost):
    """An MX of somebody else with an address of this machine, or of a private network."""
    inside = mailhost(host="127.0.44.1")
    dns.mail("inside.test", "mx.inside.test=127.0.44.1")
    dns.mail("private.test", "mx.private.test=10.9.9.9")
    relay = relay_factory(loopback=False)
    for domain in ("inside.test", "private.test"):
        shown = check(relay, domain)
        assert shown["outcomes"]["plain"]["outcome"] == "returned" and "shown" not in shown["hosts"][0], shown
    assert not inside.connections
