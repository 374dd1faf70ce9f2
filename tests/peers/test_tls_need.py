"""What a message demands of TLS: the field Sealpost-TLS, a stream's `tls`, REQUIRETLS and TLS-Required (RFC 8689).

The kind of fault: a message that demands verified TLS is written to a host that nothing vouches for; or it comes back for what may pass;
or mail that demands it and mail that does not hold up each other.
"""

import json

import pytest

from conftest import wait_for
from test_dane import World, WRONG, line_of, one

VERIFY = "From: <hello@club.test>\r\nSealpost-TLS: verify\r\nSubject: a code\r\n\r\nsecret\r\n"
PLAIN = "From: <hello@club.test>\r\nSubject: news\r\n\r\nhello\r\n"


@pytest.fixture
def world(tmp_path, delivery_port, mailhost):
    made = World(tmp_path, delivery_port, mailhost)
    yield made
    made.tree.stop()


def half(world, domain, **host):
    """DANE behind an MX that anybody may have changed."""
    world.zone(domain, "insecure")
    world.zone(f"of-{domain}")
    world.host(f"mx.of-{domain}", **host)
    world.mx(domain, f"mx.of-{domain}")
    world.tlsa(f"mx.of-{domain}", (3, 1, 1))


def never_said(world, host):
    return not any(line.startswith("MAIL") for c in world.hosts[host].connections for line in c.lines)


# ---- Sealpost-TLS: verify ----

HOLDS = {  # what the domain has -> (builder, the policy that the log names, the result)
    "none": (lambda w: one("none.test", None)(w), "opportunistic"),
    "half": (lambda w: half(w, "half.test"), "dane-mx-insecure"),
    "unusable": (lambda w: one("unusable.test", ("0 1 1 " + "cd" * 32,))(w), "dane-unusable"),
    "badlength": (lambda w: one("badlength.test", ("3 1 1 abcd",))(w), "dane-unusable"),
    "unsigned": (lambda w: one("unsigned.test", ((3, 1, 1),), zone="insecure")(w), "opportunistic"),
    "wrong": (lambda w: one("wrong.test", (WRONG,))(w), "dane"),
    "servfail": (lambda w: (one("servfail.test")(w), w.fault("mx.servfail.test", "TLSA", "SERVFAIL")), "dane"),
    "clear": (lambda w: one("clear.test", tls=False)(w), "dane"),
    "noneclear": (lambda w: one("noneclear.test", None, tls=False)(w), "opportunistic"),
}


@pytest.mark.memory
def test_mail_that_demands_verified_tls_goes_to_verified_hosts_only(world, relay_factory):
    """Its domain's other mail goes as ever, before, after and beside it."""
    one("signed.test")(world)
    for build, _ in HOLDS.values():
        build(world)
    relay = world.relay(relay_factory)
    held = {name: relay.send(to=f"a@{name}.test", message=VERIFY) for name in HOLDS}
    sent = relay.send(to="a@signed.test", message=VERIFY)
    relay.wait_kind(sent, "delivered")
    assert line_of(relay, sent)["verified"] == "yes"
    got = world.hosts["mx.signed.test"].messages[-1]
    assert b"sealpost-tls" not in got.data.lower() and b"secret" in got.data and got.tls
    for name, id in held.items():
        relay.wait_kind(id, "deferred", 60)
        line = line_of(relay, id)
        assert line["tls_policy"] == HOLDS[name][1], (name, line)
        assert line["dsn"].startswith("4.7."), (name, line)
        assert (line["tls_result"] == "starttls-not-supported") == name.endswith("clear"), (name, line)
    assert "the MX of half.test is not signed" in line_of(relay, held["half"])["reply"]
    assert "nothing says what certificate host mx.none.test" in line_of(relay, held["none"])["reply"]
    plain = {name: relay.send(to=f"b@{name}.test", message=PLAIN) for name in HOLDS if HOLDS[name][1] != "dane"}
    for name, id in plain.items():
        relay.wait_kind(id, "delivered", 60)
    for host in world.hosts.values():
        assert not any(b"secret" in m.data for m in host.messages) or host is world.hosts["mx.signed.test"]
    assert "destination_rests" not in relay.log()


@pytest.mark.memory
def test_a_host_that_cannot_be_verified_is_passed_over(world, relay_factory):
    world.zone("two.test")
    world.zone("other.test", "insecure")
    world.host("mx.other.test")
    world.host("mx.two.test")
    world.mx("two.test", "mx.other.test", "mx.two.test")
    world.tlsa("mx.two.test", (3, 1, 1))
    relay = world.relay(relay_factory)
    id = relay.send(to="a@two.test", message=VERIFY)
    relay.wait_kind(id, "delivered")
    assert never_said(world, "mx.other.test") and len(world.hosts["mx.two.test"].messages) == 1


def test_a_stream_demands_it_for_all_its_mail(world, relay_factory):
    one("signed.test")(world)
    one("none.test", None)(world)
    relay = world.relay(relay_factory, 'stream "reset" { class = "security"  tls = "verify"  expires = "8s" }')
    message = PLAIN.replace("Subject", "Sealpost-Stream: reset\r\nSubject")
    relay.wait_kind(relay.send(to="a@signed.test", message=message), "delivered")
    id = relay.send(to="a@none.test", message=message)
    assert "verified TLS" in relay.wait_kind(id, "expired", 60)[0]["reply"]
    assert never_said(world, "mx.none.test")


def test_a_route_that_verifies_is_enough(world, relay_factory):
    for domain in ("mine.test", "lax.test"):
        one(domain, None, zone="insecure")(world)
    relay = world.relay(relay_factory, 'route "mine.test" { tls = "verify" }\nroute "lax.test" { tls = "require" }')
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{world.ca}"  ', 1))
    relay.start()
    id = relay.send(to="a@mine.test", message=VERIFY)
    relay.wait_kind(id, "delivered")
    assert line_of(relay, id)["verified"] == "yes"
    lax = relay.send(to="a@lax.test", message=VERIFY)
    relay.wait_kind(lax, "deferred")
    assert line_of(relay, lax)["tls_policy"] == "route" and never_said(world, "mx.lax.test")
    relay.wait_kind(relay.send(to="b@lax.test", message=PLAIN), "delivered")


def test_a_route_that_verifies_tells_what_was_wrong(world, relay_factory):
    one("mine.test", None, zone="insecure", names=["elsewhere.test"])(world)
    relay = world.relay(relay_factory, 'route "mine.test" { tls = "verify" }')
    relay.stop()
    relay.config.write_text(relay.config.read_text().replace("delivery { ", f'delivery {{ ca_file = "{world.ca}"  ', 1))
    relay.start()
    id = relay.send(to="a@mine.test", message=PLAIN)
    relay.wait_kind(id, "deferred")
    line = line_of(relay, id)
    assert (line["tls_policy"], line["tls_result"]) == ("route", "certificate-host-mismatch"), line
    assert 'route \\"mine.test\\": host mx.mine.test: certificate refused: hostname mismatch' in line["reply"]
    assert never_said(world, "mx.mine.test")


@pytest.mark.parametrize("tls", ["verify", "require"])
def test_a_route_tells_of_a_host_without_starttls(world, relay_factory, tls):
    one("clear.test", None, zone="insecure", tls=False)(world)
    relay = world.relay(relay_factory, f'route "clear.test" {{ tls = "{tls}" }}')
    id = relay.send(to="a@clear.test", message=PLAIN)
    relay.wait_kind(id, "deferred")
    line = line_of(relay, id)
    assert (line["tls_policy"], line["tls_result"]) == ("route", "starttls-not-supported"), line
    assert 'route \\"clear.test\\": host mx.clear.test: Server does not offer STARTTLS' in line["reply"]
    shown = json.loads(relay.command("--json", "check", "destination", "clear.test", check=False).stdout)["hosts"][0]["outcomes"]["plain"]
    assert (shown["tls_result"], shown["why"]) == ("starttls-not-supported", "it offers no STARTTLS, which is demanded")


def test_dane_that_only_reports_holds_for_mail_that_demands_it(world, relay_factory):
    one("wrong.test", (WRONG,))(world)
    one("signed.test")(world)
    one("off.test")(world)
    relay = world.relay(relay_factory, 'route "off.test" { dane = "off" }\nroute "*" { dane = "report" }')
    relay.wait_kind(relay.send(to="a@wrong.test", message=PLAIN), "delivered")
    relay.wait_kind(relay.send(to="a@signed.test", message=VERIFY), "delivered")
    for domain in ("wrong.test", "off.test"):
        relay.wait_kind(relay.send(to=f"b@{domain}", message=VERIFY), "deferred")
    assert len(world.hosts["mx.wrong.test"].messages) == 1 and never_said(world, "mx.off.test")


@pytest.mark.parametrize("value", ["", "maybe", "no", "verify, please", "REQUIRE"])
def test_another_value_is_refused(relay, value):
    with relay.client() as client:
        client.ehlo_or_helo_if_needed()
        client.mail("hello@club.test")
        client.rcpt("bob@dest.test")
        code, text = client.data(VERIFY.replace("verify", value, 1).encode())
    assert code == 550 and b'Sealpost-TLS must be "verify"' in text


@pytest.mark.memory
@pytest.mark.parametrize("shards", [1, 2])
def test_a_need_holds_over_a_restart_and_a_retry(world, relay_factory, shards):
    one("none.test", None)(world)
    relay = world.relay(relay_factory, f"shards = {shards}")
    id = relay.send(to="a@none.test", message=VERIFY)
    relay.wait_kind(id, "deferred")
    relay.stop()
    relay.start()
    for _ in range(2):
        before = len(relay.kinds(id))
        relay.command("queue", "retry", id)
        wait_for(lambda: len(relay.kinds(id)) >= before + 2, 30)
    assert never_said(world, "mx.none.test") and "delivered" not in relay.kinds(id)
    relay.stop()  # which forgets that there are no records
    world.tlsa("mx.none.test", (3, 1, 1))
    world.tree.publish()
    relay.start()
    relay.command("queue", "retry", id)
    relay.wait_kind(id, "delivered")


@pytest.mark.memory
@pytest.mark.parametrize("shards", [1, 2])
def test_a_connection_that_is_not_verified_carries_no_mail_that_demands_it(world, relay_factory, shards):
    """Both kinds of mail of two tenants at once to one host, of a domain that is signed and one that is not."""
    one("signed.test")(world)
    world.zone("alias.test", "insecure")
    world.mx("alias.test", "mx.signed.test")
    one("none.test", None)(world)
    relay = world.relay(relay_factory, f"shards = {shards}")
    relay.add_domain("other.test")
    ids = []
    for number in range(6):
        for domain in ("signed.test", "alias.test", "none.test"):
            ids.append((domain, relay.send(to=f"v{number}@{domain}", message=VERIFY), relay.send(to=f"p{number}@{domain}", message=PLAIN)))
    for domain, verified, plain in ids:
        relay.wait_kind(plain, "delivered", 60)
        relay.wait_kind(verified, "delivered" if domain == "signed.test" else "deferred", 60)
    got = [m for m in world.hosts["mx.signed.test"].messages if b"secret" in m.data]
    assert sorted(r for m in got for r in m.recipients) == [f"v{n}@signed.test" for n in range(6)]
    assert not any(b"secret" in m.data for m in world.hosts["mx.none.test"].messages)
    assert "destination_rests" not in relay.log() and relay.process.poll() is None


# ---- REQUIRETLS (RFC 8689) ----

REQUIRED = {"mail_options": ["REQUIRETLS"], "message": PLAIN.replace("hello", "secret")}
OFFERED = 'requiretls = "on"'


def offering(line, connection):
    """A receiver that hands it on so; within TLS only."""
    if line.startswith("EHLO") and connection.tls:
        return "250-mailhost\r\n250-PIPELINING\r\n250-DSN\r\n250-ENHANCEDSTATUSCODES\r\n250 REQUIRETLS"
    return None


def everywhere(line, connection):
    """One that offers it before TLS, and not within it: whoever is on the path may have said that."""
    if line.startswith("EHLO") and not connection.tls:
        return "250-mailhost\r\n250-STARTTLS\r\n250 REQUIRETLS"
    return None


def test_it_is_offered_by_setting_and_within_tls_only(relay_factory, dns):
    relay = relay_factory().start()
    with relay.client(implicit=True) as client:
        client.ehlo_or_helo_if_needed()
        assert not client.has_extn("requiretls")
        assert client.mail("hello@club.test", ["REQUIRETLS"])[0] == 555
    relay.config.write_text(OFFERED + "\n" + relay.config.read_text())
    relay.reload()
    with relay.client() as client:
        client.ehlo()
        assert client.has_extn("requiretls")
        assert client.mail("hello@club.test", ["REQUIRETLS=yes"])[0] == 501
        assert client.mail("hello@club.test", ["REQUIRETLS", "REQUIRETLS"])[0] == 501
        assert client.mail("hello@club.test", ["SIZE=100", "requiretls"])[0] == 250
        client.rset()
        assert client.mail("hello@club.test")[0] == 250


@pytest.mark.memory
@pytest.mark.parametrize("shards", [1, 2])
def test_it_is_handed_on_to_verified_hosts_that_offer_it(world, relay_factory, shards):
    """And what no host can ever take comes back: not verifiable, or verified and without it."""
    one("offers.test", answer=offering)(world)
    one("lacks.test")(world)
    one("liar.test", answer=everywhere)(world)
    one("none.test", None, answer=offering)(world)
    half(world, "half.test", answer=offering)
    one("unusable.test", ("0 1 1 " + "cd" * 32,), answer=offering)(world)
    relay = world.relay(relay_factory, f"shards = {shards}\n{OFFERED}")
    for number in range(2):
        id = relay.send(to=f"a{number}@offers.test", **REQUIRED)
        relay.wait_kind(id, "delivered")
        assert line_of(relay, id)["verified"] == "yes"
    plain = relay.send(to="b@offers.test", message=PLAIN)
    relay.wait_kind(plain, "delivered")
    said = [l for c in world.hosts["mx.offers.test"].connections for l in c.lines if l.startswith("MAIL")]
    assert [" REQUIRETLS" in line for line in said] == [True, True, False]
    for domain, code in (("lacks", "5.7.30"), ("liar", "5.7.30"), ("none", "5.7.10"), ("half", "5.7.10"), ("unusable", "5.7.10")):
        id = relay.send(to=f"a@{domain}.test", **REQUIRED)
        event = relay.wait_kind(id, "bounced", 60)[0]
        assert event["enhanced"] == code and "REQUIRETLS" in event["reply"], event
        relay.wait_kind(relay.send(to=f"b@{domain}.test", message=PLAIN), "delivered")
    assert not any(b"secret" in m.data for name, h in world.hosts.items() if name != "mx.offers.test" for m in h.messages)
    assert "destination_rests" not in relay.log() and relay.process.poll() is None


@pytest.mark.memory
def test_trouble_that_may_pass_returns_nothing(world, relay_factory):
    """DNS that does not answer, a wrong certificate, TLS that is not offered, or another host that is not reached."""
    one("wrong.test", (WRONG,))(world)
    one("servfail.test")(world)
    world.fault("mx.servfail.test", "TLSA", "SERVFAIL")
    one("clear.test", tls=False)(world)
    world.zone("down.test")
    world.host("mx.down.test")
    world.tree.add("gone.down.test", "A", "127.0.5.9")
    world.mx("down.test", "mx.down.test", "gone.down.test")
    world.tlsa("mx.down.test", (3, 1, 1))
    world.zone("lost.test")
    world.host("mx.lost.test")
    world.mx("lost.test", "mx.lost.test", "nowhere.lost.test")
    world.fault("nowhere.lost.test", "A", "SERVFAIL")
    one("off.test")(world)
    relay = world.relay(relay_factory, f'{OFFERED}\nroute "off.test" {{ dane = "off" }}')
    ids = {domain: relay.send(to=f"a@{domain}.test", **REQUIRED) for domain in ("wrong", "servfail", "clear", "down", "lost", "off")}
    for domain, id in ids.items():
        relay.wait_kind(id, "deferred", 60)
        assert "bounced" not in relay.kinds(id), domain
    assert all(never_said(world, host) for host in world.hosts)


@pytest.mark.memory
def test_another_host_that_offers_it_gets_it(world, relay_factory):
    world.zone("three.test")
    for name, answer in (("a", None), ("b", None), ("c", offering)):
        world.host(f"{name}.three.test", answer=answer)
    world.mx("three.test", "a.three.test", "b.three.test", "c.three.test")
    world.tlsa("b.three.test", (3, 1, 1))
    world.tlsa("c.three.test", (3, 1, 1))
    relay = world.relay(relay_factory, OFFERED)
    for number in range(3):
        relay.wait_kind(relay.send(to=f"a{number}@three.test", **REQUIRED), "delivered")
    assert never_said(world, "a.three.test") and never_said(world, "b.three.test")
    assert len(world.hosts["c.three.test"].messages) == 3


@pytest.mark.parametrize("options, message", [({"mail_options": ["REQUIRETLS", "RET=FULL"]}, PLAIN), ({"mail_options": ["RET=FULL"]}, VERIFY)])
def test_a_report_about_it_has_the_header_only(world, relay_factory, options, message):
    one("lacks.test", answer=lambda line, connection: "550 5.1.1 no" if line.startswith("RCPT") else None)(world)
    one("club.test", None)(world)
    relay = world.relay(relay_factory, OFFERED)
    relay.send(to="a@lacks.test", message=message.replace("\r\n\r\n", "\r\n\r\nthe body ", 1), **options)
    wait_for(lambda: world.hosts["mx.club.test"].messages, 60)
    report = world.hosts["mx.club.test"].messages[0].data
    assert b"text/rfc822-headers" in report and b"Subject:" in report and b"the body" not in report


# ---- TLS-Required: No (RFC 8689 section 3) ----

WAIVED = "From: <hello@club.test>\r\nTLS-Required: No\r\nSubject: x\r\n\r\nwaived\r\n"


@pytest.mark.memory
def test_what_waives_tls_is_honoured_by_setting_only(world, relay_factory):
    """A web form must not take the protection off a password mail. Honoured, it goes where all other mail waits; REQUIRETLS counts more."""
    one("wrong.test", (WRONG,))(world)
    one("clear.test", tls=False)(world)
    relay = world.relay(relay_factory, OFFERED)
    strict = relay.send(to="a@wrong.test", message=WAIVED)
    relay.wait_kind(strict, "deferred")
    relay.config.write_text('allow_tls_optional = "on"\n' + relay.config.read_text())
    relay.reload()
    for domain in ("wrong.test", "clear.test"):
        plain = relay.send(to=f"p@{domain}", message=PLAIN)
        id = relay.send(to=f"b@{domain}", message=WAIVED)
        relay.wait_kind(id, "delivered", 60)
        assert line_of(relay, id)["tls_policy"] == "waived"
        relay.wait_kind(plain, "deferred", 60)
        got = world.hosts[f"mx.{domain}"].messages[-1]
        assert b"TLS-Required: No" in got.data and got.tls == (domain == "wrong.test")
    for options in ({"mail_options": ["REQUIRETLS"], "message": WAIVED},
                    {"message": WAIVED.replace("Subject", "Sealpost-TLS: verify\r\nSubject")}):
        id = relay.send(to="c@wrong.test", **options)
        relay.wait_kind(id, "deferred", 60)
        assert line_of(relay, id)["tls_policy"] == "dane"
    assert all(len(world.hosts[f"mx.{domain}"].messages) == 1 for domain in ("wrong.test", "clear.test"))


# ---- where it waits ----


def busy(line, connection):
    """One that has no time for p@…, which is ordinary mail."""
    return "450 4.2.0 busy" if line.startswith("RCPT TO:<p@") else None


def places(relay):
    return {r["destination"]: (r["deferred"], r["held"], r.get("last_reply", "")) for r in relay.json("queue", "list", "--by", "destination")}


@pytest.mark.parametrize("shards", [1, 2])
def test_what_waits_is_listed_where_it_leads(world, relay_factory, shards):
    """Whatever else of its domain waits or was sent: a command by destination is for that destination's mail only."""
    one("none.test", None, answer=busy)(world)
    relay = world.relay(relay_factory, f"shards = {shards}")
    usual = f"mx.none.test:{world.port}"
    own = f"{usual} tls-verified"
    verified = relay.send(to="v@none.test", message=VERIFY)
    relay.wait_kind(verified, "deferred")
    for _ in range(2):  # before ordinary mail was delivered there, and after
        assert list(places(relay)) == [own]
        assert relay.json("queue", "show", verified)[0]["destination"] == own
        assert [r["id"] for r in relay.queue("--destination", own)] == [verified]
        shown = relay.json("destination", "show", own)
        assert shown["deferred"] == 1 and "verified TLS" in shown["last_replies"][0]["reply"]
        assert {r["destination"]: r["deferred"] for r in relay.json("destination", "list") if r["deferred"]} == {own: 1}
        relay.wait_kind(relay.send(to="b@none.test", message=PLAIN), "delivered")
    plain = relay.send(to="p@none.test", message=PLAIN)
    relay.wait_kind(plain, "deferred")
    told = places(relay)
    assert set(told) == {own, usual} and told[usual][2] == "450 4.2.0 busy" and "verified TLS" in told[own][2]
    due = relay.json("queue", "show", verified)[0]["next_try"]
    relay.command("destination", "rest", usual, "--for", "1h", "--why", "a move")
    assert relay.json("queue", "show", plain)[0]["why"] == "a move"
    row = relay.json("queue", "show", verified)[0]
    assert row["next_try"] == due and "why" not in row and row["tls_need"] == "tls-verified"
    for change, left in (("hold", {usual: 1, own: 0}), ("release", {usual: 0, own: 0}), ("bounce", None)):
        assert "1 recipient changed" in relay.command("queue", change, "--destination", usual)
        assert left is None or {name: row[1] for name, row in places(relay).items()} == left
    wait_for(lambda: [r["id"] for r in relay.queue() if r["recipient"]] == [verified], 30)
    assert "1 recipient changed" in relay.command("queue", "hold", "--destination", own)
    relay.command("destination", "resume", usual)
    relay.stop()
    assert places(relay) == {"none.test tls-verified": (0, 1, "")}
    relay.start()  # which knows nothing of destinations yet
    assert [r["id"] for r in relay.queue("--destination", "none.test tls-verified")] == [verified]
    assert [r["id"] for r in relay.queue("--destination", "none.test")] == [verified]
