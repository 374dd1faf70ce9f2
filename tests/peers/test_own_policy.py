"""One's own MTA-STS policy (RFC 8461): what `sealpost dns` writes, what the page's listener serves, and what a sender then does.

The kind of fault: a record whose id does not go with the policy, a policy that is not found or is another domain's, or one that leaves
out a host, so that senders have none, or keep mail back.
"""

import json
import re
import socket
import subprocess

import pytest

import conftest
from conftest import free_port
from policy_host import StsWorld, text_of
from test_page import link, listed
from test_sts import STS, judged

PATH = "/.well-known/mta-sts.txt"
AGE = 14 * 24 * 3600


def written(relay, domain, *options, code=0):
    """What --format mta-sts prints, octet for octet, and what it says to people."""
    done = subprocess.run([conftest.SEALPOST, "-c", relay.config, "dns", domain, "--format", "mta-sts", *options], capture_output=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stdout.decode(), done.stderr.decode()


def row(relay, role, domain, *options):
    rows = [r for r in relay.json("dns", domain, *options)["records"] if r["role"] == role]
    return rows[0] if rows else None


def id_of(relay, domain, *options):
    return row(relay, "mta-sts", domain, *options)["value"].removeprefix("v=STSv1; id=")


def set_policy(relay, domain, mode, *mx, more=""):
    text = re.sub(rf'domain "{domain}" .*\n', "", relay.config.read_text())
    names = ", ".join(f'"{name}"' for name in mx)
    relay.config.write_text(text + f'domain "{domain}" {{ mta_sts_mode = "{mode}"  mta_sts_mx = {{{names}}} {more}}}\n')


# ---- the generator ----


def test_the_file_its_record_and_the_steps_go_together(relay_factory, dns):
    dns.mail("club.test", "MX2.club.test=198.51.100.2", "mx1.club.test=198.51.100.1")
    relay = relay_factory()
    policy, steps = written(relay, "club.test")
    assert policy == text_of("testing", ["mx1.club.test", "mx2.club.test"], AGE)
    made = id_of(relay, "club.test")
    assert re.fullmatch("[a-z0-9]{1,32}", made) and f'TXT "v=STSv1; id={made}"' in steps
    places = [steps.index(words) for words in ("1. Lead mta-sts.club.test", "2. Have a certificate", "3. Put the file", "4. Then publish", "5. ")]
    assert places == sorted(places) and "--mta-sts enforce" in steps
    ids = {made}
    for options in (["--mta-sts", "enforce"], ["--mta-sts", "none"], ["--max-age", "7d"], ["--mta-sts", "enforce", "--max-age", "7d"]):
        policy, steps = written(relay, "club.test", *options)
        assert id_of(relay, "club.test", *options) in steps
        ids.add(id_of(relay, "club.test", *options))
    assert len(ids) == 5  # each policy has its own
    dns.mail("club.test", "mx1.club.test=198.51.100.3", "mx2.club.test=198.51.100.2")  # other addresses, in another order: the same policy
    assert id_of(relay, "club.test") == made
    dns.mail("club.test", "mx1.club.test=198.51.100.3", "mx3.club.test=198.51.100.2")
    assert id_of(relay, "club.test") != made
    assert "v=STSv1; id=" in relay.command("dns", "club.test", "--later", "--format", "bind", "--mta-sts", "enforce")


def test_what_stands_is_its_owners_until_a_policy_is_said(relay_factory, dns):
    dns.mail("club.test", "mx.club.test=198.51.100.1")
    dns.add("_mta-sts.club.test", "TXT", "v=STSv1; id=20260101")
    relay = relay_factory()
    assert row(relay, "mta-sts-host", "club.test") is None  # where its web server is nobody has said
    assert id_of(relay, "club.test") == "20260101" and row(relay, "mta-sts", "club.test")["state"] == "ok"
    wanted = row(relay, "mta-sts", "club.test", "--mta-sts", "testing")
    assert wanted["state"] == "wrong" and wanted["replaces"] == ["v=STSv1; id=20260101"]
    dns.add("mta-sts.club.test", "A", "198.51.100.80")
    assert row(relay, "mta-sts-host", "club.test")["value"] == "198.51.100.80"
    dns.add("_mta-sts.club.test", "TXT", wanted["value"])
    assert row(relay, "mta-sts", "club.test", "--mta-sts", "testing")["state"] == "ok"


def test_what_is_no_policy_or_a_poor_one_is_told(relay_factory, dns):
    relay = relay_factory()
    assert relay.json("dns", "club.test")["mta_sts"] is None and row(relay, "mta-sts", "club.test") is None
    policy, said = written(relay, "club.test", code=1)
    assert policy == "" and "no MX record" in said
    dns.add("club.test", "MX", "0 .")
    assert written(relay, "club.test", code=1)[0] == ""
    relay.command("domain", "add", "short.test")
    dns.mail("short.test", "mx.short.test=198.51.100.1")
    said = written(relay, "short.test", "--mta-sts", "enforce", "--max-age", "1h")[1]
    assert "senders forget the MTA-STS policy after 3600 seconds" in said and "mta_sts_max_age = 3600 }" in said, said
    for options in ([], ["--mta-sts", "none", "--max-age", "1h"]):
        assert "senders forget" not in written(relay, "short.test", *options)[1], options
    set_policy(relay, "short.test", "enforce", "mx.short.test", more="mta_sts_max_age = 3600 ")
    assert "mta_sts_max_age: senders forget the policy after 3600 seconds" in relay.command("config", "check")
    for options in (["--mta-sts", "off"], ["--max-age", "0s"], ["--max-age", "400d"], ["--max-age", "x"]):
        assert relay.command("dns", "club.test", *options, check=False).returncode == 2, options


# ---- the listener ----


@pytest.fixture
def world(tmp_path, dns, delivery_port, mailhost):
    made = StsWorld(tmp_path, dns, delivery_port, mailhost)
    yield made
    made.stop()


def serve(world, relay_factory, address="127.0.0.1", port=None, tls="implicit"):
    """A relay whose page is there, with certificates for two policy hosts."""
    port = port or free_port()
    relay = relay_factory(f'http {{ url = "https://u.club.test"  address = "{address}:{port}"  tls = "{tls}" }}\n'
                          'stream "news" { class = "digest"  unsubscribe = "one-click" }\n')
    for n, domain in enumerate(("club.test", "other.test")):
        certificate, key = world.issue(f"mta-sts.{domain}")
        relay.config.write_text(relay.config.read_text() + f'certificate "{n}" {{ file = "{certificate}"  key = "{key}"  server = "mta-sts.{domain}" }}\n')
    relay.web = port
    return relay


def ask(world, relay, host, path=PATH, *options, address="127.0.0.1", scheme="https"):
    """(status, type, body) by curl."""
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--path-as-is", "--cacert", str(world.path / "ca.pem"), "--resolve",
                           f"{host}:{relay.web}:{address}", "-w", "\n%{http_code} %{content_type}", *options, f"{scheme}://{host}:{relay.web}{path}"],
                          capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    body, _, told = done.stdout.decode().rpartition("\n")
    return int(told.split()[0]), told.partition(" ")[2], body


@pytest.mark.memory
def test_each_policy_host_has_its_own_policy_and_nothing_else(world, relay_factory):
    """By its certificate (SNI), to curl; two tenants, and a domain whose policy is served elsewhere."""
    world.dns.mail("club.test", "mx1.club.test=198.51.100.1", "mx2.club.test=198.51.100.2")
    relay = serve(world, relay_factory)
    for tenant in ("one", "two"):
        relay.add_domain({"one": "other.test", "two": "third.test"}[tenant], "--tenant", tenant)
    set_policy(relay, "club.test", "enforce", "mx2.club.test", "mx1.club.test")
    set_policy(relay, "other.test", "testing", "*.other.test", more='mta_sts_max_age = "1d" ')
    relay.start()
    club, other = text_of("enforce", ["mx1.club.test", "mx2.club.test"], AGE), text_of("testing", ["*.other.test"], 86400)
    assert ask(world, relay, "mta-sts.club.test") == (200, "text/plain", club)
    assert ask(world, relay, "mta-sts.other.test") == (200, "text/plain", other)
    assert ask(world, relay, "MTA-STS.club.test.", PATH, "-k")[2] == club
    assert written(relay, "club.test")[0] == club and "Reload this relay" in written(relay, "club.test")[1]
    assert relay.json("dns", "other.test")["mta_sts"] == {"id": id_of(relay, "other.test"), "served": True, "policy": other,
                                                         "url": f"https://mta-sts.other.test{PATH}"}
    host = row(relay, "mta-sts-host", "other.test")
    assert (host["type"], host["value"], host["need"], host["state"]) == ("CNAME", "u.club.test", "later", "missing")

    one_click, token = ["-d", "List-Unsubscribe=One-Click"], link(relay)
    assert ask(world, relay, "u.club.test", token, "-k")[0] == 200
    for path, *options in (["/"], ["/mta-sts.txt"], [PATH + "/"], [PATH + "x"], [PATH + "%00"], [PATH + "%00x"], ["/x" + PATH], ["/.well-known/../.well-known/mta-sts.txt"],
                           ["/style-112233.css"], ["/.well-known/security.txt"], ["//" + PATH[1:]], [token], [token, *one_click]):
        status, kind, body = ask(world, relay, "mta-sts.club.test", path, *options)
        assert (status, kind) == (404, "text/plain") and "STSv1" not in body and "<" not in body, path
    assert listed(relay) == []
    status, _, body = ask(world, relay, "mta-sts.club.test", PATH, "-i", *one_click)
    assert status == 405 and "Allow: GET, HEAD\r\n" in body and "version" not in body
    assert ask(world, relay, "mta-sts.club.test", PATH, "-I")[0] == 200
    for name in ("u.club.test", "club.test", "mta-sts.third.test", "mta-sts.sub.club.test", "xmta-sts.club.test", "127.0.0.1"):
        status, kind, body = ask(world, relay, name, PATH, "-k")
        assert status == 404 and kind.startswith("text/html") and "STSv1" not in body, name
    assert ask(world, relay, "mta-sts.club.test", PATH, "-H", "Host: mta-sts.other.test")[2] == other  # who is asked, by whomever reached
    assert ask(world, relay, "mta-sts.club.test", PATH, "-H", "Host: mta-sts.other.test:443")[2] == other
    target = ask(world, relay, "mta-sts.club.test", PATH, "--request-target", f"https://mta-sts.other.test{PATH}")
    assert target[2] == other  # RFC 9112 section 3.2.2

    set_policy(relay, "club.test", "off")
    set_policy(relay, "other.test", "none")
    relay.reload()
    assert ask(world, relay, "mta-sts.club.test")[0] == 404
    assert ask(world, relay, "mta-sts.other.test")[2] == text_of("none", [], AGE)


def test_two_hosts_are_none(world, relay_factory):
    relay = serve(world, relay_factory, tls="none")
    set_policy(relay, "club.test", "enforce", "mx.club.test")
    relay.start()
    assert ask(world, relay, "mta-sts.club.test", scheme="http")[2] == text_of("enforce", ["mx.club.test"], AGE)  # behind a proxy
    for hosts in (["mta-sts.club.test", "u.club.test"], ["u.club.test", "mta-sts.club.test"], ["mta-sts.club.test", "mta-sts.club.test"]):
        with socket.create_connection(("127.0.0.1", relay.web), timeout=20) as s:
            s.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {hosts[0]}\r\nhost: {hosts[1]}\r\n\r\n".encode())
            answer = b"".join(iter(lambda s=s: s.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 400 ") and answer.endswith(b"\r\n\r\nTwo hosts.\n"), answer


@pytest.mark.parametrize("settings,said", [
    ('domain "club.test" { mta_sts_mode = "enforce" }', "needs mta_sts_mx"),
    ('domain "club.test" { mta_sts_mode = "testing"  mta_sts_mx = {"mx.club.test", "192.0.2.1"} }', "mail server's name"),
    ('domain "club.test" { mta_sts_mode = "testing"  mta_sts_mx = {"mx.bücher.test"} }', "in ASCII"),
    ('domain "club.test" { mta_sts_mode = "on" }', "testing"),
    ('domain "club.test" { mta_sts_max_age = "2000d" }', "31557600"),
    ('http { url = "https://mta-sts.club.test/u" }\ndomain "club.test" { mta_sts_mode = "testing"  mta_sts_mx = {"mx.club.test"} }', "another host"),
])
def test_wrong_settings_are_explained(relay_factory, settings, said):
    relay = relay_factory(settings)
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and said in done.stderr + done.stdout, (done.stdout, done.stderr)


def received(relay, domain):
    """What --check says of mail to the domain."""
    rows = json.loads(relay.command("--json", "dns", domain, "--check", check=False).stdout)["receiving"]
    return {(row["check"], row["name"]): row["state"] for row in rows}


def test_a_sender_finds_it_and_goes_by_it(world, relay_factory, monkeypatch):
    """Our own relay is the sender: it fetches what another one serves, at the record that this one has made, and keeps to it."""
    address = next(world.addresses)
    world.domain("other.test", "mx.other.test")
    ours = serve(world, relay_factory, address, 443)
    ours.add_domain("other.test")
    set_policy(ours, "other.test", "enforce", "mx.other.test")
    ours.start()
    world.dns.add("u.club.test", "A", address)
    for role in ("mta-sts-host", "mta-sts"):
        record = row(ours, role, "other.test")
        world.dns.add(record["name"], record["type"], record["value"])
        assert row(ours, role, "other.test")["state"] == "ok"
    monkeypatch.setenv("SSL_CERT_FILE", str(world.path / "ca.pem"))
    assert received(ours, "other.test") == {("dane", "other.test"): "unknown", ("mta-sts", "_mta-sts.other.test"): "ok",
                                            ("mta-sts", "mta-sts.other.test"): "ok", ("mta-sts", "mx.other.test"): "ok"}
    sender = world.relay(relay_factory)
    assert judged(sender, sender.send(to="x@other.test"), "delivered") == STS
    kept = sender.json("sts", "show")[0]
    assert kept["id"] == id_of(ours, "other.test") and kept["policy"] == written(ours, "other.test")[0]

    set_policy(ours, "other.test", "enforce", "new.other.test")
    assert received(ours, "other.test")["mta-sts", "mta-sts.other.test"] == "missing"  # it is not served before the reload
    ours.reload()
    assert received(ours, "other.test")["mta-sts", "mx.other.test"] == "wrong"
    assert received(ours, "other.test")["mta-sts", "_mta-sts.other.test"] == "wrong"  # still the id of before
    world.dns.ttl = 0
    world.record("other.test", row(ours, "mta-sts", "other.test")["value"])
    sender.command("sts", "refresh", "other.test")
    assert sender.json("sts", "show")[0]["id"] == id_of(ours, "other.test") != kept["id"]
    assert judged(sender, sender.send(to="y@other.test"), "deferred")[1:] == ("sts", "validation-failure")
