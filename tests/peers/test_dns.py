"""Thirty domains, each with something in DNS already that a careless generator would break: what is printed in every
format is read by that format's own tool, served by NSD, Knot and BIND, asked again, and is the same octet for octet."""

import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import subprocess

import dns.name
import dns.rdatatype
import dns.zone
import jsonschema
import pytest
import spf
import yaml

from conftest import SEALPOST, Relay, free_port, wait_for
from nsd import Nsd
from zones import BindServer, KnotServer, NsdServer, own_addresses, text, zone_file

pytestmark = pytest.mark.xdist_group("zones")  # thirty domains are made once for all
FIRST, SECOND, THIRD = own_addresses(3)
SELECTOR = datetime.datetime.now(datetime.timezone.utc).strftime("sp%Y%m%d")
OURS = ["192.0.2.10", "2001:db8::10"]
FORMATS = ["table", "bind", "json", "nsupdate", "terraform-cloudflare", "terraform-route53", "terraform-google",
           "terraform-azure", "octodns", "dnscontrol", "domain-connect"]
OTHER_KEY = "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMvoIp3gEn2WzFbTJEAxCvGeDWmGuBZkkD1+mEVbEjQeQ7nfzu6w0dQzZSVwHgyKqxzTvUoRVgM0W1QcYVFhXYUCAwEAAQ=="


def lookups(count, zone):
    return "v=spf1 " + " ".join(f"include:s{i}.{zone}" for i in range(count)) + " -all"


def included(count, zone):
    return [(f"s{i}.{zone}", "TXT", text(f"v=spf1 ip4:198.51.100.{i} -all")) for i in range(count)]


# What stands there: zone -> lines; `{key}` is our public key in base64. The domain is the zone, unless DOMAINS says otherwise.
TRAPS = {
    "plain.test": [],
    "redirect.test": [("redirect.test", "TXT", text("v=spf1 ip4:198.51.100.7 redirect=_spf.redirect.test")),
                      ("_spf.redirect.test", "TXT", text("v=spf1 ip4:198.51.100.8 -all"))],
    "onlyredirect.test": [("onlyredirect.test", "TXT", text("v=spf1 redirect=_spf.onlyredirect.test")),
                          ("_spf.onlyredirect.test", "TXT", text("v=spf1 ip4:198.51.100.8 ~all"))],
    "nine.test": [("nine.test", "TXT", text(lookups(9, "nine.test")))] + included(9, "nine.test"),
    "ten.test": [("ten.test", "TXT", text(lookups(10, "ten.test")))] + included(10, "ten.test"),
    "eleven.test": [("eleven.test", "TXT", text(lookups(11, "eleven.test")))] + included(11, "eleven.test"),
    "twospf.test": [("twospf.test", "TXT", text("v=spf1 ip4:198.51.100.7 -all")),
                    ("twospf.test", "TXT", text("v=spf1 mx ip4:198.51.100.9 redirect=_spf.twospf.test")),
                    ("_spf.twospf.test", "TXT", text("v=spf1 ip4:198.51.100.11 -all")),
                    ("twospf.test", "MX", "10 mx.twospf.test."), ("mx.twospf.test", "A", "198.51.100.10")],
    "orgonly.test": [("_dmarc.orgonly.test", "TXT", text("v=DMARC1; p=reject; rua=mailto:reports@orgonly.test")),
                     ("news.orgonly.test", "A", "198.51.100.1")],
    "apexalias.test": [("shop.apexalias.test", "CNAME", "shops.apexalias.test."), ("shops.apexalias.test", "A", "198.51.100.1")],
    "selalias.test": [(f"{SELECTOR}._domainkey.selalias.test", "CNAME", "key.selalias.test."),
                      ("key.selalias.test", "TXT", text("v=DKIM1; p=" + OTHER_KEY))],
    "delegated.test": [(f"{SELECTOR}._domainkey.delegated.test", "CNAME", "key.delegated.test."),
                       ("key.delegated.test", "TXT", "{key}")],
    "wildtext.test": [("*.wildtext.test", "TXT", text("v=spf1 -all"))],
    "wildall.test": [("*.wildall.test", "TXT", text("nothing here")), ("*.wildall.test", "A", "198.51.100.1"),
                     ("*._domainkey.wildall.test", "TXT", text("v=DKIM1; p="))],
    "xn--bcher-kva.test": [("xn--bcher-kva.test", "TXT", text("v=spf1 a -all")), ("xn--bcher-kva.test", "A", "198.51.100.1")],
    "long.test": [],
    "split.test": [("split.test", "TXT", text("v=spf1 ip4:198.51.100.1", "ip4:198.51.100.2 -all"))],
    "blanks.test": [(f"{SELECTOR}._domainkey.blanks.test", "TXT", "{blanks}")],
    "cut.test": [(f"{SELECTOR}._domainkey.cut.test", "TXT", "{cut}")],
    "quotes.test": [("quotes.test", "TXT", text('a "quoted" \\ back;slash ${x} %{y} $$ {z}')),
                    ("quotes.test", "TXT", text("v=spf1 ip4:198.51.100.1 -all")),
                    ("quotes.test", "TXT", text("a" * 190 + '"' * 60, "\\" * 40 + "tail"))],
    "octets.test": [("octets.test", "TXT", text(bytes(range(1, 256)))), ("octets.test", "TXT", text("v=spf1 -all"))],
    "reject.test": [("_dmarc.reject.test", "TXT", text("v=DMARC1;p=reject;adkim=s;aspf=s;rua=mailto:x@reject.test"))],
    "percent.test": [("_dmarc.percent.test", "TXT", text("v=DMARC1; p=none; pct=50; rua=mailto:x@percent.test; fo=1"))],
    "twodmarc.test": [("_dmarc.twodmarc.test", "TXT", text("v=DMARC1; p=none")),
                      ("_dmarc.twodmarc.test", "TXT", text("v=DMARC1; p=quarantine; rua=mailto:x@twodmarc.test"))],
    "baddmarc.test": [("_dmarc.baddmarc.test", "TXT", text("v=DMARC1; p=nothing"))],
    "plusall.test": [("plusall.test", "TXT", text("v=spf1 ip4:198.51.100.1 +all"))],
    "denied.test": [("denied.test", "TXT", text("v=spf1 -ip4:192.0.2.0/24 ip4:198.51.100.1 ?all"))],
    "shouting.test": [("shouting.test", "TXT", text("V=SPF1  IP4:198.51.100.1   -ALL"))],
    "ptr.test": [("ptr.test", "TXT", text("v=spf1 ptr ip4:198.51.100.1 ~all"))],
    "nullmx.test": [("nullmx.test", "MX", "0 ."), ("nullmx.test", "TXT", text("v=spf1 -all"))],
    "served.test": [("served.test", "MX", "10 mx.served.test."), ("mx.served.test", "A", "198.51.100.1"),
                    ("served.test", "CAA", '0 issue "ca.served.test"'),
                    ("_smtp._tls.served.test", "TXT", text("v=TLSRPTv1; rua=mailto:tls@served.test")),
                    ("_mta-sts.served.test", "TXT", text("v=STSv1; id=20260101")),
                    ("_submissions._tcp.served.test", "SRV", "0 1 465 other.served.test."),
                    ("served.test", "TXT", text("google-site-verification=abc"))],
    "order.test": [(f"{SELECTOR}._domainkey.order.test", "TXT", "{order}")],
    "twokeys.test": [(f"{SELECTOR}._domainkey.twokeys.test", "TXT", "{order}"),
                     (f"{SELECTOR}._domainkey.twokeys.test", "TXT", text("v=DKIM1; p=" + OTHER_KEY))],
    "huge.test": [("huge.test", "TXT", text("v=spf1", *[f" ip4:198.51.100.{i}" for i in range(28)], " -all"))],
}
DOMAINS = {"orgonly.test": "news.orgonly.test", "apexalias.test": "shop.apexalias.test"}
RELAY_ZONE = "relay.test"


def domain_of(zone):
    return DOMAINS.get(zone, zone)


def keyed(data, key):
    """Ways of writing our key record."""
    half = len(key) // 2
    ways = {"{key}": text("v=DKIM1; k=rsa; p=" + key[:200], key[200:]),
            "{order}": text("v=DKIM1;p=" + key[:200], key[200:] + ";k=rsa"),
            "{blanks}": text("v=DKIM1; k=rsa; p=" + key[:half], " " + key[half:]),
            "{cut}": text("v=DKIM1; k=rsa; p=" + key[:200])}
    return ways.get(data, data)


class World:
    """All zones at one server; a relay that sends for all domains."""

    relay = first = None

    def make(self, path):
        self.path = path

        class Nobody:
            port = 9

            def add(self, *_):
                pass

        self.relay_path = path / "relay"
        self.relay_path.mkdir()
        self.relay = Relay(self.relay_path, Nobody(), free_port(), domain="plain.test",
                           extra='')
        config = self.relay.config.read_text()
        config = re.sub(r'dns \{ forward = \{"[^"]*"\} \}', f'dns {{ forward = {{"{FIRST}"}} }}', config)
        config = config.replace('hostname  = "mail.club.test"', f'hostname  = "mail.{RELAY_ZONE}"')
        config = config.replace('public_ip = {"192.0.2.10"}', 'public_ip = {"192.0.2.10", "2001:db8::10"}')
        self.relay.config.write_text(config)
        self.relay.config.write_text(config + "dkim { rsa_bits = 4096 }\n")
        self.relay.command("domain", "add", "long.test", "--ed25519")
        self.relay.config.write_text(config)
        self.relay.start()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda zone: self.relay.command("domain", "add", domain_of(zone)), set(TRAPS) - {"plain.test", "long.test"}))
        self.keys = {row["domain"]: row["public"] for row in self.relay.json("key", "list") if row["algorithm"] == "rsa"}
        self.lines = {zone: [(o, k, keyed(d, self.keys[domain_of(zone)])) for o, k, d in lines] for zone, lines in TRAPS.items()}
        self.lines[RELAY_ZONE] = []
        zones = {zone: zone_file(zone, lines, [FIRST]) for zone, lines in self.lines.items()}
        delegations = "".join(f"{zone}. NS ns1.{zone}.\nns1.{zone}. A {FIRST}\n" for zone in zones)
        zones["test"] = zone_file("test", [], [FIRST]) + delegations
        zones["2.0.192.in-addr.arpa"] = zone_file("2.0.192.in-addr.arpa", [], [FIRST])
        zones["8.b.d.0.1.0.0.2.ip6.arpa"] = zone_file("8.b.d.0.1.0.0.2.ip6.arpa", [], [FIRST])
        self.initial = zones
        self.first = KnotServer(path / "first", FIRST, zones)  # NSD would slow down who asks so much
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            work = {(z, f): pool.submit(self.print, domain_of(z), f) for z in TRAPS for f in FORMATS}
            self.printed = {at: done.result() for at, done in work.items()}
        self.documents = {zone: json.loads(self.printed[zone, "json"]) for zone in TRAPS}

    def print(self, domain, format, *options):
        done = subprocess.run([SEALPOST, "-c", self.relay.config, "dns", domain, "--format", format, *options],
                              capture_output=True, timeout=60)
        assert done.returncode == 0, (domain, format, done.stderr)
        return done.stdout.decode()

    def publishable(self, zone):
        return [r for r in self.documents[zone]["records"]
                if r["need"] != "later" and not r["blocked"] and not r["aliased"] and not r["by_provider"] and r["value"]]

    def sets(self, zone, whole):
        """(name, type) -> values as they shall be; whole: with what stays beside them."""
        sets = {}
        for r in self.publishable(zone):
            values = sets.setdefault((r["name"], r["type"]), [])
            values.append(r["value"])
            values += [b for b in r["beside"] if whole and b not in values and r["type"] == "TXT"]
        return {at: sorted(values) for at, values in sets.items()}

    def row(self, zone, role, **wanted):
        rows = [r for r in self.documents[zone]["records"] if r["role"] == role and
                all(r[k] == v for k, v in wanted.items())]
        assert rows, (zone, role, wanted, self.documents[zone])
        return rows[0]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    world = World()
    try:
        world.make(tmp_path_factory.mktemp("dns"))
        yield world
    finally:
        for part in (world.relay, world.first):
            if part is not None:
                part.stop()


ALL = pytest.mark.parametrize("zone", TRAPS)


def merged_zone(world, zone):
    """The zone with what `--format bind` prints put in, and what it replaces taken out."""
    gone = {(r["name"], v) for r in world.documents[zone]["records"] for v in r["replaces"]}

    wanted = {(r["name"], r["type"], r["value"]) for r in world.publishable(zone)}

    def stays(owner, kind, data):
        text = b"".join(dns.rdata.from_text("IN", "TXT", data).strings).decode("latin1") if kind == "TXT" else data.rstrip(".")
        return (owner, text) not in gone and (owner, kind, text) not in wanted

    lines = [line for line in world.lines[zone] if stays(*line)]
    printed = world.printed[zone, "bind"]
    blocks = re.split(r"(?m)^\$ORIGIN (\S+)\.\n", printed)
    own = {blocks[i]: blocks[i + 1] for i in range(1, len(blocks), 2)}
    return zone_file(zone, lines, [FIRST], serial=2) + f"$ORIGIN {zone}.\n" + own.get(zone, ""), own.get(RELAY_ZONE, "")


@pytest.fixture(scope="module")
def merged(world):
    zones = {zone: merged_zone(world, zone)[0] for zone in TRAPS}
    zones[RELAY_ZONE] = zone_file(RELAY_ZONE, [], [FIRST], serial=2) + f"$ORIGIN {RELAY_ZONE}.\n" + merged_zone(world, "plain.test")[1]
    return zones


@pytest.fixture(scope="module")
def three(world, merged, tmp_path_factory):
    place = tmp_path_factory.mktemp("three")
    servers = [NsdServer(place / "nsd", SECOND, merged), KnotServer(place / "knot", THIRD, merged),
               BindServer(place / "bind", merged)]
    yield servers
    for server in servers:
        server.stop()


def octets(rdata):
    return b"".join(rdata.strings) if rdata.rdtype == dns.rdatatype.TXT else rdata.to_text().rstrip(".").encode()


def served_value(kind, value):
    """The oracle's value as a server gives it."""
    if kind == "TXT":
        return value.encode("latin1")
    return dns.rdata.from_text("IN", kind, value + "." if kind in ("MX", "CNAME", "SRV") else value).to_text().rstrip(".").encode()


@ALL
def test_zone_files_are_taken_by_three_checkers(merged, zone, tmp_path):
    for name in (zone, RELAY_ZONE):
        place = tmp_path / f"{name}.zone"
        place.write_text(merged[name])
        for tool in (["named-checkzone", name, place], ["kzonecheck", "-o", name, place], ["nsd-checkzone", name, place]):
            done = subprocess.run(tool, capture_output=True, text=True)
            assert done.returncode == 0, (tool, done.stdout, done.stderr, merged[name])


@ALL
def test_three_servers_say_what_was_meant(world, three, zone):
    for (name, kind), values in world.sets(zone, True).items():
        if not name.endswith((zone, RELAY_ZONE)):
            continue
        for server in three:
            wait_for(lambda server=server, name=name, kind=kind: server.ask(name, kind))
            said = sorted(octets(rdata) for rdata in server.ask(name, kind))
            wanted = sorted(served_value(kind, v) for v in values)
            assert said == wanted, (server.address, name, kind)


@ALL
def test_a_second_run_says_the_same(world, zone):
    for format in FORMATS[:4] if zone != "twospf.test" else FORMATS:
        assert world.print(domain_of(zone), format) == world.printed[zone, format]


# ---- formats ----

def node(script, texts):
    """All of them in one process."""
    modules = os.environ.get("NODE_MODULES", "")
    if not os.path.isdir(modules):
        pytest.skip("the npm packages are not installed")
    done = subprocess.run(["node", os.path.join(os.path.dirname(__file__), script)], input=json.dumps(texts),
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def terraform(world):
    return node("hcl.js", {f"{z} {f}": world.printed[z, f] for z in TRAPS for f in FORMATS if f.startswith("terraform")})


@pytest.fixture(scope="module")
def dnscontrol(world):
    return node("dnscontrol.js", {z: world.printed[z, "dnscontrol"] for z in TRAPS})


def hcl_text(value):
    return value.replace("$${", "${").replace("%%{", "%{")


def strings(value, octal=False):
    """What a list of quoted strings stands for."""
    def byte(match):
        digits = match.group(1)
        return chr(int(digits, 8 if octal else 10)) if digits.isdigit() else digits
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"', value)
    decoded = [re.sub(r"\\(\d\d\d|.)", byte, part) for part in parts]
    assert all(len(part) <= 255 for part in decoded)
    return "".join(decoded)


def resources(tree, names):
    for kind, by_name in tree["resource"].items():
        assert kind in names or kind.startswith("azurerm_dns_"), kind
        for bodies in by_name.values():
            assert len(bodies) == 1
            yield kind, bodies[0]


def plain(kind, value):
    value = hcl_text(value)
    return strings(value) if kind == "TXT" else value.rstrip(".")


@ALL
def test_terraform(world, terraform, zone):
    tree = terraform[f"{zone} terraform-cloudflare"]
    found = {}
    for _, body in resources(tree, ["cloudflare_dns_record"]):
        value = plain(body["type"], body["content"])
        if body["type"] == "MX":
            value = f"{body['priority']} {value}"
        if body["type"] in ("A", "AAAA", "CNAME"):
            assert body["proxied"] is False
        assert re.fullmatch(r"\$\{var\.zone_id_\S+\}", body["zone_id"])
        found.setdefault((body["name"], body["type"]), []).append(value)
    assert {at: sorted(v) for at, v in found.items()} == world.sets(zone, False)

    tree = terraform[f"{zone} terraform-route53"]
    found = {}
    for _, body in resources(tree, ["aws_route53_record"]):
        values = [hcl_text(v) for v in body["records"]]
        # The provider puts quotes around the whole.
        values = [strings(f'"{v}"'.replace('""', '" "') if v else v, True) if body["type"] == "TXT" else v.rstrip(".") for v in values]
        found[body["name"], body["type"]] = sorted(values)
    assert found == world.sets(zone, True)

    tree = terraform[f"{zone} terraform-google"]
    found = {(b["name"].rstrip("."), b["type"]): sorted(plain(b["type"], v) for v in b["rrdatas"])
             for _, b in resources(tree, ["google_dns_record_set"])}
    assert all(b["name"].endswith(".") for _, b in resources(tree, ["google_dns_record_set"]))
    assert found == world.sets(zone, True)

    tree = terraform[f"{zone} terraform-azure"]
    found = {}
    for resource, body in resources(tree, []):
        kind = resource.removeprefix("azurerm_dns_").removesuffix("_record").upper()
        name = body["zone_name"] if body["name"] == "@" else f"{body['name']}.{body['zone_name']}"
        if kind in ("A", "AAAA"):
            values = body["records"]
        elif kind == "MX":
            values = [f"{r['preference']} {r['exchange']}" for r in body["record"]]
        else:
            values = [hcl_text(r["value"]) for r in body["record"]]
        found[name, kind] = sorted(values)
    assert found == world.sets(zone, True)


@ALL
def test_octodns(world, zone):
    found = {}
    for document, comment in zip(yaml.safe_load_all(world.printed[zone, "octodns"]),
                                 re.findall(r"(?m)^# (\S+)\.yaml$", world.printed[zone, "octodns"])):
        for host, sets in document.items():
            for one in sets:
                name = f"{host}.{comment}" if host else comment
                values = one.get("values", [one.get("value")])
                if one["type"] == "TXT":
                    assert not any(re.search(r"(?<!\\);", v) for v in values)
                    values = [v.replace("\\;", ";") for v in values]
                elif one["type"] == "MX":
                    values = [f"{v['preference']} {v['exchange'].rstrip('.')}" for v in values]
                found[name, one["type"]] = sorted(v.rstrip(".") if one["type"] == "CNAME" else v for v in values)
    assert found == world.sets(zone, True)


@ALL
def test_dnscontrol(world, dnscontrol, zone):
    found = {}
    for r in dnscontrol[zone]:
        name = r["zone"] if r["host"] == "@" else f"{r['host']}.{r['zone']}"
        found.setdefault((name, r["type"]), []).append(" ".join(str(f) for f in r["fields"]).rstrip("."))
    assert {at: sorted(v) for at, v in found.items()} == world.sets(zone, False)


DOCUMENT = json.loads((pathlib.Path(__file__).resolve().parents[2] / "contrib" / "dns.schema.json").read_text())
TEMPLATE = {
    "type": "object", "required": ["providerId", "providerName", "serviceId", "serviceName", "records"],
    "properties": {"records": {"type": "array", "items": {
        "type": "object", "required": ["type", "host", "ttl"],
        "oneOf": [
            {"properties": {"type": {"enum": ["A", "AAAA", "CNAME"]}}, "required": ["pointsTo"]},
            {"properties": {"type": {"const": "MX"}, "priority": {"type": "integer"}}, "required": ["pointsTo", "priority"]},
            {"properties": {"type": {"const": "TXT"}}, "required": ["data"]},
            {"properties": {"type": {"const": "SPFM"}}, "required": ["spfRules"]},
        ]}}},
}


@ALL
def test_json_documents_keep_their_schema(world, zone):
    jsonschema.validate(world.documents[zone], DOCUMENT)
    for row in world.documents[zone]["records"]:
        if row["type"] == "TXT":
            assert "".join(row["strings"]) == row["value"]
        assert row["name"] == (row["zone"] if row["host"] == "@" else f"{row['host']}.{row['zone']}")
    template = json.loads(world.printed[zone, "domain-connect"])
    jsonschema.validate(template, TEMPLATE)
    mine = [r for r in world.publishable(zone) if r["zone"] == world.documents[zone]["zone"]]
    assert sum(r["type"] != "SPFM" for r in template["records"]) == sum(r["role"] != "spf" for r in mine)


def test_nsupdate_into_a_signed_zone(world, tmp_path):
    """All thirty at once, as they stood, signed by BIND; then what is printed is applied, and served."""
    bind = BindServer(tmp_path / "bind", {z: world.initial[z] for z in [*TRAPS, RELAY_ZONE]})
    try:
        applied = set()
        for zone in TRAPS:
            commands = world.printed[zone, "nsupdate"]
            blocks = [b for b in re.split(r"(?<=\nsend\n)", commands) if b.strip() and not b.startswith(";")]
            for block in blocks:
                if block in applied:
                    continue  # the relay's own host, for every domain the same
                applied.add(block)
                done = subprocess.run(["nsupdate"], input=f"server 127.0.0.1 {bind.port}\n{block}", capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, (zone, block, done.stderr)
        for zone in TRAPS:
            for (name, kind), values in world.sets(zone, True).items():
                said = sorted(octets(rdata) for rdata in bind.ask(name, kind))
                assert said == sorted(served_value(kind, v) for v in values), (zone, name, kind)
        assert bind.ask("plain.test", "DNSKEY"), "the zone is signed"
        # A second time nothing fits any more: somebody has been there before.
        again = next(b for b in applied if "plain.test" in b)
        done = subprocess.run(["nsupdate"], input=f"server 127.0.0.1 {bind.port}\n{again}", capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and "YXRRSET" in done.stderr
    finally:
        bind.stop()


# ---- what is said of each ----

def test_what_is_merged_and_what_is_respected(world):
    row = world.row
    assert row("plain.test", "spf")["value"] == "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"
    assert row("redirect.test", "spf")["value"] == \
        "v=spf1 ip4:198.51.100.7 ip4:192.0.2.10 ip6:2001:db8::10 redirect=_spf.redirect.test"
    assert row("onlyredirect.test", "spf")["value"] == "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 redirect=_spf.onlyredirect.test"
    assert "9 DNS lookups" in row("nine.test", "spf")["note"] and "10 DNS lookups" in row("ten.test", "spf")["note"]
    assert "end it with an error" in row("eleven.test", "spf")["note"]
    assert row("twospf.test", "spf")["value"] == \
        "v=spf1 ip4:198.51.100.7 mx ip4:198.51.100.9 include:_spf.twospf.test ip4:192.0.2.10 ip6:2001:db8::10 -all"
    assert len(row("twospf.test", "spf")["replaces"]) == 2
    covered = row("orgonly.test", "dmarc")
    assert covered["need"] == "recommended" and covered["value"] == "v=DMARC1; p=reject; rua=mailto:reports@orgonly.test"
    assert row("apexalias.test", "spf")["blocked"] and "CNAME" in row("apexalias.test", "spf")["note"]
    assert not row("apexalias.test", "dkim")["blocked"]
    assert row("selalias.test", "dkim")["replaces"] == ["key.selalias.test"]
    assert row("delegated.test", "dkim")["state"] == "ok" and "key.delegated.test" in row("delegated.test", "dkim")["note"]
    for zone in ("wildtext.test", "wildall.test"):
        assert row(zone, "dkim")["state"] == "missing" and "wildcard" in row(zone, "dkim")["note"]
        assert row(zone, "dmarc")["state"] == "missing" and row(zone, "dmarc")["replaces"] == []
    assert row("xn--bcher-kva.test", "spf")["value"] == "v=spf1 a ip4:192.0.2.10 ip6:2001:db8::10 -all"
    assert len(row("long.test", "dkim")["strings"]) == 3  # RSA-4096
    assert row("split.test", "spf")["blocked"] and "split at the wrong place" in row("split.test", "spf")["note"]
    assert row("blanks.test", "dkim")["state"] == "ok"
    assert row("cut.test", "dkim")["state"] == "wrong" and "cut off" in row("cut.test", "dkim")["note"]
    assert len(row("quotes.test", "spf")["beside"]) == 2
    assert row("reject.test", "dmarc")["state"] == "ok"
    assert not [r for r in world.documents["reject.test"]["records"] if r["role"] == "dmarc" and r["need"] == "later"]
    assert row("percent.test", "dmarc", need="later")["value"] == "v=DMARC1; p=quarantine; rua=mailto:x@percent.test; fo=1; t=y"
    assert row("twodmarc.test", "dmarc")["value"] == "v=DMARC1; p=quarantine; rua=mailto:x@twodmarc.test"
    assert len(row("twodmarc.test", "dmarc")["replaces"]) == 1
    assert row("baddmarc.test", "dmarc")["value"] == "v=DMARC1; p=none" and row("baddmarc.test", "dmarc")["state"] == "wrong"
    assert "+all" in row("plusall.test", "spf")["note"] and row("plusall.test", "spf")["state"] == "ok"
    assert row("denied.test", "spf")["value"] == \
        "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -ip4:192.0.2.0/24 ip4:198.51.100.1 ?all"
    assert "ptr" in row("ptr.test", "spf")["note"]
    assert any("null MX" in w for w in world.documents["nullmx.test"]["warnings"])
    assert row("served.test", "caa")["value"] == '0 issue "ca.served.test"'
    for role, value in (("tlsrpt", "v=TLSRPTv1; rua=mailto:tls@served.test"), ("mta-sts", "v=STSv1; id=20260101"),
                        ("submission", "0 1 465 other.served.test")):
        assert row("served.test", role)["value"] == value and row("served.test", role)["state"] == "ok"
    assert row("order.test", "dkim")["state"] == "ok"
    assert row("twokeys.test", "dkim")["state"] == "wrong" and len(row("twokeys.test", "dkim")["replaces"]) == 1
    assert "450" in row("huge.test", "spf")["note"]


def test_a_wildcard_is_not_taken_for_a_wrong_record(world):
    done = world.relay.command("--json", "dns", "wildall.test", "--check", check=False)
    rows = {r["role"]: r["state"] for r in json.loads(done.stdout)["records"] if r["need"] == "required"}
    assert done.returncode == 1 and rows["dkim"] == rows["dmarc"] == "missing"


def test_later_records_are_there_when_they_are_asked_for(world):
    printed = world.print("plain.test", "bind", "--later", "--rua", "reports@elsewhere.test", "--ca", "letsencrypt.org")
    for line in ("_submissions._tcp 3600 IN SRV 0 1", '@ 3600 IN CAA 0 issue "letsencrypt.org"',
                 '"v=DMARC1; p=none; rua=mailto:reports@elsewhere.test"', "plain.test._report._dmarc"):
        assert line in printed
    assert "p=quarantine" not in printed  # the next step is not for now


def test_a_return_path_of_its_own_takes_bounces_where_the_mail_goes(world):
    rows = json.loads(world.print("served.test", "json", "--return-path", "bounce.served.test"))["records"]
    found = {(r["role"], r["name"], r["type"]): r["value"] for r in rows if r["need"] != "later"}
    assert found["spf", "bounce.served.test", "TXT"] == "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 ~all"
    assert found["return-path", "bounce.served.test", "MX"] == "10 mx.served.test"
    assert ("spf", "served.test", "TXT") not in found


def test_the_host_of_the_links_is_needed_unless_somebody_answers_for_it(relay_factory, dns):
    relay = relay_factory('http { url = "https://u.club.test"  address = "127.0.0.1:%d" }\n'
                          'stream "news" { class = "digest"  unsubscribe = "one-click" }\n' % free_port())
    def row():
        return [(r["name"], r["type"], r["value"], r["need"], r["state"]) for r in relay.json("dns", "club.test")["records"]
                if r["role"] == "unsubscribe"]
    assert row() == [("u.club.test", "A", "192.0.2.10", "required", "missing")]
    dns.add("u.club.test", "A", "198.51.100.80")  # a proxy
    assert row() == [("u.club.test", "A", "198.51.100.80", "required", "ok")]


# ---- everything that was allowed still is ----

def allowed(record, address, zone, world):
    """pyspf's verdict, from what is served, with this record in place."""
    def lookup(name, kind, strict=True, timeout=20, level=0):
        name = name.rstrip(".").lower()
        if kind == "TXT" and name == zone:
            return [((name, "TXT"), (r.encode(),)) for r in record]
        if kind not in ("TXT", "A", "AAAA", "MX", "PTR"):
            return []
        try:
            found = world.first.ask(name, kind)
        except AssertionError:
            return []
        return [((name, kind), tuple(r.strings) if kind == "TXT" else (r.preference, r.exchange.to_text().rstrip("."))
                 if kind == "MX" else r.to_text().rstrip(".")) for r in found]
    spf.DNSLookup = lookup
    return spf.check2(i=address, s=f"a@{zone}", h=zone)[0]


def test_merging_takes_nothing_away(world):
    judged = 0
    for zone in TRAPS:
        rows = [r for r in world.documents[zone]["records"] if r["role"] == "spf" and not r["blocked"]]
        before = [r for r in world.lines[zone] if r[0] == zone and r[1] == "TXT" and "v=spf1" in r[2].lower()]
        if not rows or not before:
            continue
        old = [b"".join(dns.rdata.from_text("IN", "TXT", r[2]).strings).decode() for r in before]
        named = {a for r in world.lines[zone] for a in re.findall(r"198\.51\.100\.\d+|192\.0\.2\.\d+", r[2])}
        named |= {"192.0.2.10", "192.0.2.11", "203.0.113.5", "2001:db8::11"}
        for address in named:
            was, now = allowed(old, address, zone, world), allowed([rows[0]["value"]], address, zone, world)
            judged += 1
            if was == "pass":
                assert now == "pass", (zone, address, old, rows[0]["value"])
            elif now == "pass" and address not in OURS and was != "permerror":
                raise AssertionError((zone, address, was, now))
        for address in OURS:
            assert allowed([rows[0]["value"]], address, zone, world) == "pass", zone
    assert judged > 120


# ---- a signed zone ----

@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_tlsa_is_for_zones_that_are_signed(relay_factory, tmp_path, signed):
    server = Nsd(tmp_path / "nsd", ["mail.club A 192.0.2.10"], signed=signed, address=own_addresses(4)[3])
    try:
        relay = relay_factory()
        anchor = f'dnssec = "on"  trust_anchor = "{server.anchor}"' if signed else ""
        relay.config.write_text(re.sub(r"dns \{ forward = .* \}", f'dns {{ forward = {{"{server.address}"}} {anchor} }}',
                                       relay.config.read_text()))
        rows = [r for r in relay.json("dns", "club.test")["records"] if r["role"] == "tlsa"]
    finally:
        server.stop()
    key = subprocess.run("openssl x509 -in cert.pem -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum", shell=True,
                         cwd=relay.path, capture_output=True, text=True, check=True).stdout.split()[0]
    ports = (relay.submissions, relay.submission) if signed else ()
    assert [(r["name"], r["value"], r["need"]) for r in rows] == [(f"_{port}._tcp.mail.club.test", f"3 1 1 {key}", "later") for port in ports]
