"""The whole way against authoritative servers of the test's own: nothing published, all published, mail that passes, keys
that change under load, and not one message that fails at the moment it arrives."""

import base64
import json
import os
import re
import sqlite3
import subprocess
import threading
import time

import dkim
import dnslib
import dnslib.server
import pytest
import spf

from conftest import SEALPOST, DnsServers, Relay, Sink, free_port, wait_for
from zones import KnotServer, own_addresses, zone_file

ADDRESSES = own_addresses(2)
TTL = 2


class Primary(KnotServer):
    """Changes as it is told from loopback; the zone keys.test only with the key."""

    secret = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

    def configure(self):
        super().configure()
        config = (self.path / "knot.conf").read_text()
        config = config.replace("template:", f"key:\n  - id: updater\n    algorithm: hmac-sha256\n    secret: {self.secret}\n"
                                "acl:\n  - id: here\n    address: 127.0.0.0/8\n    action: update\n"
                                "  - id: signed\n    key: updater\n    action: update\ntemplate:")
        config = re.sub(r"(  - domain: (\S+)\n)", lambda m: m[1] + f"    acl: {'signed' if m[2] == 'keys.test' else 'here'}\n", config)
        (self.path / "knot.conf").write_text(config)

    def update(self, commands):
        done = subprocess.run(["nsupdate"], input=f"server {self.address}\n{commands}", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, (commands, done.stderr)


class Resolver(dnslib.server.BaseResolver):
    """Passes questions on; what is in `remembered` it answers itself, as a cache would."""

    def __init__(self):
        self.remembered = {}
        self.port = free_port()
        self.servers = DnsServers(self, self.port)

    def resolve(self, request, handler):
        name, kind = str(request.q.qname).lower().rstrip("."), dnslib.QTYPE[request.q.qtype]
        if (name, kind) in self.remembered:
            reply = request.reply()
            reply.add_answer(dnslib.RR(request.q.qname, request.q.qtype, ttl=77, rdata=dnslib.TXT(self.remembered[name, kind])))
            return reply
        return dnslib.DNSRecord.parse(request.send(ADDRESSES[0], 53, timeout=5))

    def add(self, *_):
        pass

    def stop(self):
        self.servers.stop()


class Receiver:
    """Takes mail and verifies each message as it arrives, asking the authoritative servers in turn."""

    def __init__(self, servers, port):
        from aiosmtpd.controller import Controller
        self.servers, self.results, self.selectors, self.to = servers, [], set(), []
        self.turn = 0
        self.controller = Controller(self, hostname="127.0.0.1", port=port)
        self.controller.start()

    def txt(self, name, timeout=5):
        self.turn += 1
        server, name = self.servers[self.turn % 2], name.decode().rstrip(".")
        alias = server.ask(name, "CNAME")
        found = server.ask(alias[0].to_text().rstrip(".") if alias else name, "TXT")
        return b"".join(found[0].strings) if found else None

    async def handle_DATA(self, server, session, envelope):
        raw = envelope.original_content if hasattr(envelope, "original_content") else envelope.content
        self.raw = raw
        try:
            self.results.append(dkim.verify(raw, dnsfunc=self.txt))
        except Exception as wrong:
            self.results.append(repr(wrong))
        self.to += envelope.rcpt_tos
        self.sender = envelope.mail_from
        self.selectors.add(re.search(rb"s=([\w-]+);", raw).group(1).decode())
        return "250 2.0.0 taken"

    def stop(self):
        self.controller.stop()


class World:
    def __init__(self, path):
        zones = {"test": zone_file("test", [(f"{z}.test", "NS", f"ns{i}.{z}.test.") for z in ("club", "shop", "dest", "keys") for i in (1, 2)] +
                                   [(f"ns{i}.{z}.test", "A", a) for z in ("club", "shop", "dest", "keys") for i, a in enumerate(ADDRESSES, 1)],
                                   ADDRESSES, ttl=TTL)}
        for zone, lines in (("club.test", [("club.test", "MX", "10 mx.dest.test.")]), ("shop.test", [("shop.test", "MX", "10 mx.dest.test.")]),
                            ("dest.test", [("dest.test", "MX", "10 mx.dest.test."), ("mx.dest.test", "A", "127.0.0.1")]),
                            ("keys.test", []), ("2.0.192.in-addr.arpa", [])):
            zones[zone] = zone_file(zone, lines, ADDRESSES, ttl=TTL)
        self.path, self.parts = path, []
        try:
            self.servers = [self.part(Primary(path / f"ns{i}", a, zones)) for i, a in enumerate(ADDRESSES, 1)]
            self.resolver = self.part(Resolver())
            self.port = free_port()
            self.receiver = self.part(Receiver(self.servers, self.port))
        except BaseException:
            self.stop()
            raise

    def part(self, part):
        self.parts.append(part)
        return part

    def relay(self, extra="", capture=True):
        """As init makes it."""
        path = self.path / "relay"
        path.mkdir()
        relay = Relay(path, self.resolver, self.port, extra + "dkim { lifetime = 15 }\n" if "dkim" not in extra else extra)
        if capture:
            with sqlite3.connect(relay.path / "state" / "state.db") as database:  # as "init" makes a domain
                database.execute("UPDATE domain SET captured = 1 WHERE name = 'club.test'")
            database.close()
        return self.part(relay)

    def update(self, commands, servers=None):
        for server in servers or self.servers:
            server.update(commands)

    def stop(self):
        for part in reversed(self.parts):
            part.stop()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.stop()


def check(relay, domain="club.test"):
    done = relay.command("--json", "dns", domain, "--check", check=False)
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    assert document["green"] == (done.returncode == 0)
    return document


def states(document, need="required"):
    return {f"{r['role']} {r['type']}": r["state"] for r in document["records"] if r["need"] == need}


def apply(world, relay, servers=None, domain="club.test"):
    """What the operator does: --format nsupdate, and the PTR that the provider sets."""
    commands = relay.command("dns", domain, "--format", "nsupdate", "--ttl", str(TTL))
    if not commands.startswith(";"):
        world.update(commands, servers)


def pointer(world, servers=None):
    world.update(f"update add 10.2.0.192.in-addr.arpa. {TTL} PTR mail.club.test.\nsend\n", servers)


def publish_everything(world, relay, domain="club.test"):
    apply(world, relay, domain=domain)
    pointer(world)
    wait_for(lambda: check(relay, domain)["green"], 30, 1)


def client_reply(relay, to):
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        client.rcpt(to)
        return client.data(f"From: <hello@club.test>\r\nTo: <{to}>\r\nSubject: x\r\n\r\nhello\r\n".encode())


def test_from_nothing_published_to_mail_that_passes(world):
    relay = world.relay('operator = {"op@dest.test"}\n').start()
    assert relay.json("domain", "list")[0]["captured"]

    # Taken and held; the operator's own address gets its mail.
    code, text = client_reply(relay, "bob@dest.test")
    assert code == 250 and b"held: the DNS records of club.test are not right yet" in text
    held = text.split()[-1].decode()
    assert [e["kind"] for e in relay.trace(held)] == ["accepted", "held"]
    code, text = client_reply(relay, "Op@dest.test")
    assert code == 250 and b"held" not in text
    wait_for(lambda: world.receiver.to == ["Op@dest.test"])
    assert [row["id"] for row in relay.queue("--held")] == [held]
    assert "captured: the DNS records of club.test are not right yet" in relay.command("queue", "list", "--held")
    assert "captured: the DNS records of club.test" in relay.queue("--held")[0]["why"]

    # The check says what is missing, and where.
    document = check(relay)
    assert states(document) == {"spf TXT": "missing", "dkim TXT": "missing", "dmarc TXT": "missing", "host A": "missing",
                                "ptr PTR": "missing"}
    assert {s["name"] for r in document["records"] if r["role"] == "spf" for s in r["servers"]} == {"ns1.club.test", "ns2.club.test"}
    done = relay.command("dns", "club.test", "--check", check=False)
    assert done.returncode == 1 and "Not all that mail needs is there yet." in done.stdout and "SPF, required: missing" in done.stdout

    # At one of two servers; at both, while a resolver remembers an older record; everywhere.
    apply(world, relay, world.servers[:1])
    pointer(world, world.servers[:1])
    assert set(states(check(relay)).values()) <= {"propagating", "ok"} and "propagating" in states(check(relay)).values()
    world.update("".join(f"update delete {name}. TXT\n" for name in ("club.test", "_dmarc.club.test", "mail.club.test")) +
                 "update delete mail.club.test. A\nsend\n", world.servers[:1])
    key = relay.json("key", "list")[0]["selector"]
    world.update(f"update delete {key}._domainkey.club.test. TXT\nsend\n", world.servers[:1])
    apply(world, relay)
    pointer(world, world.servers[1:])
    world.resolver.remembered["_dmarc.club.test", "TXT"] = ["v=DMARC1; p=reject"]
    row = next(r for r in check(relay)["records"] if r["role"] == "dmarc")
    assert row["state"] == "propagating" and row["remaining_ttl"] == 77
    watch = subprocess.Popen([SEALPOST, "-c", relay.config, "dns", "club.test", "--check", "--watch", "--every", "1s"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = watch.stderr.readline()
    assert "waiting for" in line and "_dmarc.club.test TXT (propagating)" in line
    world.resolver.remembered.clear()
    out, _ = watch.communicate(timeout=60)
    assert watch.returncode == 0 and "All that mail needs is there." in out and "leaves from now on" in out
    assert not relay.json("domain", "list")[0]["captured"]

    # What the operator holds by hand is not for a check to let go.
    relay.command("domain", "capture", "club.test")
    done = relay.command("dns", "club.test", "--check")
    assert "is held by hand" in done and "leaves from now on" not in done
    assert relay.json("domain", "list")[0]["captured"] and relay.json("domain", "list")[0]["by_hand"]
    relay.command("domain", "release", "club.test")

    # What was held is for the operator to let go; new mail leaves at once, and passes.
    assert [row["id"] for row in relay.queue("--held")] == [held]
    relay.command("queue", "release", held)
    relay.wait_kind(held, "delivered")
    relay.wait_kind(relay.send(), "delivered")
    assert world.receiver.results == [False, True, True]  # the first one came before the records

    def lookup(name, kind, strict=True, timeout=20, level=0):
        found = world.servers[1].ask(name.rstrip("."), kind) if kind in ("TXT", "A", "MX") else []
        return [((name, kind), tuple(r.strings) if kind == "TXT" else r.to_text()) for r in found]
    spf.DNSLookup = lookup
    assert spf.check2(i="192.0.2.10", s=world.receiver.sender, h="mail.club.test")[0] == "pass"
    judged = relay.json("check", "dmarc", "--from", "club.test", "--spf", "club.test=pass", "--dkim", "club.test=pass")
    assert judged["strict"]["result"] == "pass" and judged["deployed"]["result"] == "pass"
    opendmarc_agrees(world)

    # Somebody breaks it again: what stands there, what is wrong with it, the fix.
    world.update("update delete club.test. TXT\nupdate add club.test. 2 TXT \"v=spf1 ip4:198.51.100.1 -all\"\nsend\n")
    row = next(r for r in check(relay)["records"] if r["role"] == "spf")
    assert row["state"] == "wrong" and row["found"] == ["v=spf1 ip4:198.51.100.1 -all"]
    assert row["difference"] == "it lacks ip4:192.0.2.10" and row["value"] == "v=spf1 ip4:198.51.100.1 ip4:192.0.2.10 -all"


def opendmarc_agrees(world):
    """OpenDMARC itself, given the message with what dkimpy and pyspf have said of it, in a mount namespace where our server is
    its resolver; its history says what it found. Where there are no namespaces: the library's reading, above, is the same code."""
    place = world.path / "opendmarc"
    place.mkdir()
    (place / "resolv.conf").write_text(f"nameserver {ADDRESSES[1]}\n")
    (place / "conf").write_text(f"AuthservID here.test\nTrustedAuthservIDs here.test\nSyslog false\nHistoryFile {place}/history\n")
    (place / "message").write_bytes(b"Authentication-Results: here.test; spf=pass smtp.mailfrom=hello@club.test\r\n"
                                    b"Authentication-Results: here.test; dkim=pass header.d=club.test\r\n" + world.receiver.raw)
    done = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {place}/resolv.conf /etc/resolv.conf && "
                           f"exec opendmarc -t {place}/message -c {place}/conf"], capture_output=True, text=True, timeout=60)
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        return
    found = dict(line.split(" ", 1) for line in (place / "history").read_text().splitlines() if " " in line)
    assert (found["from"], found["pdomain"]) == ("club.test", "club.test") and found["p"] == str(ord("n")), (found, done)
    assert found["policy"] == "15" and found["align_dkim"] == "4", found  # DMARC_POLICY_PASS, aligned


class Load(threading.Thread):
    """One message after the other, until it is stopped."""

    def __init__(self, relay):
        super().__init__(daemon=True)
        self.relay, self.going, self.sent = relay, True, 0

    def run(self):
        while self.going:
            with self.relay.client() as client:
                for _ in range(50):
                    if not self.going:
                        break
                    client.sendmail("hello@club.test", [f"r{self.sent}@dest.test"],
                                    f"From: <hello@club.test>\r\nTo: <r{self.sent}@dest.test>\r\nSubject: {self.sent}\r\n\r\nhello\r\n")
                    self.sent += 1
                    time.sleep(0.02)

    def stop(self):
        self.going = False
        self.join(30)


def key_states(relay, domain="club.test"):
    return [row["state"] for row in relay.json("key", "list", "--domain", domain)]


@pytest.mark.memory
def test_keys_change_under_load_and_no_message_fails(world):
    relay = world.relay(capture=False).start()
    publish_everything(world, relay)
    load = Load(relay)
    load.start()
    try:
        made = relay.json("key", "rotate", "club.test")
        assert made["state"] == "pending" and made["name"] == f"{made['selector']}._domainkey.club.test"
        assert relay.command("key", "rotate", "club.test", check=False).returncode == 1  # one at a time
        wait_for(lambda: len(world.receiver.results) > 50, 60)

        # Not while one server lacks it.
        apply(world, relay, world.servers[:1])
        time.sleep(8)
        assert key_states(relay) == ["active", "pending"]
        apply_rest = relay.command("dns", "club.test", "--format", "bind")
        value = re.search(rf"{made['selector']}\S* \d+ IN TXT (.*)", apply_rest).group(1)
        world.update(f"update add {made['name']}. {TTL} TXT {value}\nsend\n", world.servers[1:])
        wait_for(lambda: key_states(relay) == ["retiring", "active"], 60, 0.2)
        switched = time.monotonic()
        before = len(world.receiver.results)
        wait_for(lambda: len(world.receiver.results) > before + 50, 60)

        # The old one stays until the last signature has expired; then its record may go.
        document = check(relay)
        assert document["green"] and not document["remove"]
        wait_for(lambda: key_states(relay) == ["retired", "active"], 60, 0.2)
        assert time.monotonic() - switched >= 9
        old = relay.json("key", "list")[0]["selector"]
        assert f"{old}._domainkey.club.test TXT may be taken out" in relay.command("dns", "club.test")
        commands = relay.command("dns", "club.test", "--format", "nsupdate")
        assert f"update delete {old}._domainkey.club.test." in commands
        world.update(commands)
        before = len(world.receiver.results)
        wait_for(lambda: len(world.receiver.results) > before + 50, 60)
    finally:
        load.stop()
    wait_for(lambda: len(world.receiver.results) == load.sent, 60)
    assert [r for r in world.receiver.results if r is not True] == []
    assert world.receiver.selectors == {old, made["selector"]}
    assert check(relay)["green"]
    relay.command("key", "retire", "club.test", old)
    assert key_states(relay) == ["active"]
    keys = [e["recipient"] for e in relay.json("events", "--after", "0", "--limit", "100000") if e["kind"] == "key"]
    assert keys.count(made["name"]) == 2 and keys.count(f"{old}._domainkey.club.test") == 3  # made, signs; fades, is over


def test_a_rotation_goes_on_after_a_kill_and_a_key_can_be_revoked(world):
    relay = world.relay(capture=False).start()
    publish_everything(world, relay)
    made = relay.json("key", "rotate", "club.test")
    relay.kill()
    apply(world, relay)  # without a daemon
    relay.start()
    wait_for(lambda: key_states(relay) == ["retiring", "active"], 60, 0.2)
    relay.kill()
    relay.start()
    wait_for(lambda: key_states(relay) == ["retired", "active"], 60, 0.2)

    assert "only key that signs" in relay.command("key", "retire", "club.test", made["selector"], check=False).stderr
    third = relay.json("key", "rotate", "club.test")
    apply(world, relay)
    wait_for(lambda: key_states(relay) == ["retired", "retiring", "active"], 60, 0.2)
    relay.command("key", "retire", "club.test", made["selector"])  # it has leaked
    assert key_states(relay)[1] == "revoked"
    row = next(r for r in check(relay)["records"] if r["name"] == made["name"])
    assert row["value"] == "v=DKIM1; k=rsa; p=" and row["state"] == "wrong"
    apply(world, relay)
    wait_for(lambda: next(r for r in check(relay)["records"] if r["name"] == made["name"])["state"] == "ok", 30, 1)
    relay.wait_kind(relay.send(), "delivered")
    assert world.receiver.results[-1] is True and world.receiver.selectors >= {third["selector"]}

    given_up = relay.json("key", "rotate", "club.test", "--ed25519")
    assert given_up["algorithm"] == "ed25519"
    assert json.loads(relay.command("--json", "key", "retire", "club.test", given_up["selector"]))["forgotten"]


def test_who_waits_for_a_key_has_its_record_at_once(relay_factory):
    """At the end of a pipe, too, where nothing comes before it is said to."""
    relay = relay_factory()
    relay.start()
    made = subprocess.Popen([SEALPOST, "-c", relay.config, "key", "rotate", "club.test", "--watch"], stdout=subprocess.PIPE, text=True)
    try:
        lines = [made.stdout.readline() for _ in range(5)]
        assert "_domainkey.club.test" in lines[2] and lines[4].split()[0] == "value" and made.poll() is None, lines
    finally:
        made.kill()
        made.wait()


def test_delegated_keys_rotate_by_age_without_the_owner(world):
    tsig = world.path / "tsig.key"
    tsig.write_text(f'key "updater" {{ algorithm hmac-sha256; secret "{Primary.secret}"; }};\n')
    relay = world.relay(capture=False)
    # The zone's primary; the test carries it to the other server, as a transfer would.
    relay.config.write_text(relay.config.read_text().replace(
        "dkim { lifetime = 15 }", f'dkim {{ lifetime = 15  rotate = 180  zone = "keys.test"  server = "{ADDRESSES[0]}"  '
                                  f'tsig_key = "{tsig}"  ttl = {TTL} }}'))
    relay.start()
    records = relay.json("domain", "add", "shop.test", "--no-capture")
    aliases = {r["name"]: r["value"] for r in records if r["type"] == "CNAME"}
    assert aliases == {f"sp{i}._domainkey.shop.test": f"sp{i}.shop.test.keys.test" for i in (1, 2)}
    relay.command("user", "add", "shop", "--domain", "shop.test")

    stop = threading.Event()

    def transfer():
        while not stop.wait(0.5):
            for i in (1, 2):
                found = world.servers[0].ask(f"sp{i}.shop.test.keys.test", "TXT")
                if found and [r.to_text() for r in found] != [r.to_text() for r in world.servers[1].ask(f"sp{i}.shop.test.keys.test", "TXT")]:
                    done = subprocess.run(["nsupdate", "-k", tsig], input=f"server {ADDRESSES[1]}\nupdate delete sp{i}.shop.test.keys.test. TXT\n"
                                          f"update add sp{i}.shop.test.keys.test. {TTL} TXT {found[0].to_text()}\nsend\n",
                                          capture_output=True, text=True)
                    assert done.returncode == 0, done.stderr

    carrier = threading.Thread(target=transfer, daemon=True)
    carrier.start()
    try:
        world.update("".join(f"update add {a}. {TTL} CNAME {v}.\n" for a, v in aliases.items()) + "send\n")
        wait_for(lambda: world.servers[0].ask("sp1.shop.test.keys.test", "TXT"), 30)  # by the relay itself
        spf_row = next(r for r in records if r["role"] == "spf")
        world.update(f'update add shop.test. {TTL} TXT "{spf_row["value"]}"\n'
                     f'update add _dmarc.shop.test. {TTL} TXT "v=DMARC1; p=reject"\nsend\n')
        apply(world, relay, domain="club.test")
        pointer(world)
        wait_for(lambda: check(relay, "shop.test")["green"], 40, 1)

        relay.stop()  # half a year later
        with sqlite3.connect(relay.path / "state" / "state.db") as database:
            database.execute("UPDATE signing_key SET since = since - 181 * 86400000 WHERE domain = 'shop.test'")
        database.close()
        relay.start()
        wait_for(lambda: key_states(relay, "shop.test")[-1:] == ["active"] and len(key_states(relay, "shop.test")) == 2, 90, 0.3)
        wait_for(lambda: sorted(key_states(relay, "shop.test")) == ["active", "retired"], 60, 0.3)
        assert check(relay, "shop.test")["green"]
        secret = relay.json("user", "rotate", "shop")["secret"]
        with relay.client(user="shop", secret=secret) as client:
            client.sendmail("hello@shop.test", ["bob@dest.test"], "From: <hello@shop.test>\r\nSubject: x\r\n\r\nhello\r\n")
        wait_for(lambda: "sp2" in world.receiver.selectors)
        assert world.receiver.results[-1] is True

        relay.command("key", "rotate", "shop.test")  # the first selector is free again
        wait_for(lambda: [(r["selector"], r["state"]) for r in relay.json("key", "list", "--domain", "shop.test")][-1] == ("sp1", "active"),
                 90, 0.3)
    finally:
        stop.set()
        carrier.join(10)
    assert "key_not_published" not in relay.log()
    assert os.path.exists(relay.path / "state" / "keys" / "shop.test.sp2.pem")


@pytest.mark.memory
def test_keys_are_made_while_the_config_is_read_again(relay_factory):
    """Making goes on, on another thread, when what it was begun with has been replaced twice."""
    relay = relay_factory("dkim { rotate = 30 }").start()
    domains = [f"d{i}.test" for i in range(6)]
    for domain in domains:
        relay.command("domain", "add", domain, "--no-capture")
    relay.stop()
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        database.execute("UPDATE signing_key SET created = created - 31 * 86400000, since = since - 31 * 86400000")
    relay.start()
    while relay.log().count("key_made") < len(domains):
        relay.reload()
    relay.stop()
