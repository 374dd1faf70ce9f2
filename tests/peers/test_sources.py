"""Mail leaves from the address that its stream's or its tenant's source says, and from no other: what a receiver refuses or slows for
one of them stays with that one. Two shards, several tenants, receivers on addresses of their own."""

import re
import ssl
import time

import pytest

from conftest import wait_for
from mailhost import MailHost, authority

HERE, THERE = "127.0.9.1", "127.0.9.2"  # two sources
SOURCES = f'''
source "here" {{ ipv4 = "{HERE}"  helo = "here.club.test" }}
source "there" {{ ipv4 = "{THERE}"  helo = "there.golf.test" }}
tenant "golf" {{ source = "there" }}
stream "news" {{ class = "digest"  source = "here" }}
stream "quick" {{ class = "security"  retry = {{1}} }}
'''


class Host(MailHost):
    """Asked who has called, and by which name."""

    def callers(self):
        return {connection.peer for connection in self.connections}

    def names(self):
        return {(c.peer, line.split()[1]) for c in self.connections for line in c.lines if line.startswith("EHLO")}

    def came_from(self, subject):
        return [m.connection.peer for m in self.messages if f"Subject: {subject}\r\n".encode() in m.data]


@pytest.fixture
def host_factory(delivery_port):
    made = []

    def make(host="127.0.0.1", answer=None, **options):
        made.append(Host(delivery_port, answer, host=host, **options))
        return made[-1]

    yield make
    for host in made:
        host.stop()


@pytest.fixture
def two_tenants(relay_factory):
    """A relay with sources; and how tenant golf sends through it."""
    def make(extra=""):
        relay = relay_factory(SOURCES + extra)
        relay.add_domain("golf.test", "--tenant", "golf")
        secret = relay.json("user", "add", "golf", "--domain", "golf.test", "--tenant", "golf")["secret"]
        relay.golf = ("golf", secret, "hello@golf.test")
        relay.club = ("app", None, "hello@club.test")
        return relay
    return make


def send(relay, who, to, subject, stream=None):
    user, secret, sender = who
    named = f"Sealpost-Stream: {stream}\r\n" if stream else ""
    with relay.client(user=user, secret=secret) as client:
        client.mail(sender)
        client.rcpt(to)
        code, text = client.data(f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\n{named}\r\nhello\r\n".encode())
    assert code == 250, text
    return text.decode().split()[-1]


def place(relay, words):
    """The row of the one destination whose name ends so."""
    rows = [r for r in relay.json("destination", "list") if r["destination"].endswith(words)]
    return rows[0] if rows else None


def test_each_leaves_from_its_own_address_by_its_own_name(two_tenants, host_factory, dns):
    host = host_factory()
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants().start()
    for i in range(6):
        send(relay, relay.golf, "bob@dest.test", f"golf {i}")
        send(relay, relay.club, "bob@dest.test", f"club {i}", "news")
        send(relay, relay.club, "bob@dest.test", f"plain {i}")
        send(relay, relay.golf, "bob@dest.test", f"golf news {i}", "news")
    wait_for(lambda: len(host.messages) == 24)
    for i in range(6):
        assert host.came_from(f"golf {i}") == [THERE]
        assert host.came_from(f"club {i}") == [HERE]
        assert host.came_from(f"golf news {i}") == [HERE], "the stream's is before the tenant's"
        assert host.came_from(f"plain {i}") == ["127.0.0.1"], "whichever the kernel takes"
    assert host.names() == {(HERE, "here.club.test"), (THERE, "there.golf.test"), ("127.0.0.1", "mail.club.test")}
    assert any(len(c.messages) > 1 for c in host.connections), "connections are used again"
    wait_for(lambda: relay.log().count(" delivered ") == 24)
    log = relay.log()
    assert len(re.findall(r"^.* delivered .*source=here", log, re.M)) == 12 and len(re.findall(r" delivered .*source=there", log)) == 6
    told = sorted(str(e.get("source")) for e in relay.json("events", "--kind", "delivered"))
    assert told == ["None"] * 6 + ["here"] * 12 + ["there"] * 6, told


def test_a_receiver_that_refuses_one_source_takes_the_others_mail(two_tenants, host_factory, dns, delivery_port):
    """At the greeting, as by a list of addresses; and by dropping connections. All of one address, several destinations."""
    def answer(line, connection):
        return "421 4.7.0 [TSS04] Messages from 127.0.9.2 temporarily deferred" if line == "" and connection.peer == THERE else None

    host = host_factory(answer=answer)
    for name in ("dest", "other"):
        dns.mail(f"{name}.test", f"mx.{name}.test=127.0.0.1")
    relay = two_tenants().start()
    for i in range(4):
        send(relay, relay.golf, f"u{i}@dest.test", f"golf {i}", "quick")
    row = wait_for(lambda: (r := place(relay, "source=there")) and r["rests_s"] > 0 and r, 20, 0.1)
    assert row["destination"] == f"mx.dest.test:{delivery_port} source=there" and row["source"] == "there", row
    assert "TSS04" in row["why"], row
    for name in ("dest", "other"):
        for i in range(4):
            began = time.monotonic()
            send(relay, relay.club, f"bob@{name}.test", f"{name} {i}", "news")
            wait_for(lambda: host.came_from(f"{name} {i}") == [HERE], 5)
            assert time.monotonic() - began < 3
    assert not [r for r in relay.json("destination", "list") if r["rests_s"] > 0 and r.get("source") != "there"]
    assert not host.came_from("golf 0")
    (queued,) = relay.json("queue", "list", "--recipient", "u0@dest.test")
    assert queued["source"] == "there" and queued["destination"] == row["destination"], queued
    assert f'waits: destination "{row["destination"]}" rests' in relay.command("trace", queued["id"])
    listed = relay.json("queue", "list", "--destination", "mx.dest.test source=there")
    assert len(listed) == 4
    groups = {r["destination"]: r for r in relay.json("queue", "list", "--by", "destination")}
    assert groups[row["destination"]]["domains"] == 1, groups


def test_a_limit_on_messages_slows_its_source_alone(two_tenants, host_factory, dns):
    def answer(line, connection):
        return "450 4.7.1 Error: too much mail from 127.0.9.2" if line.startswith("MAIL") and connection.peer == THERE else None

    host = host_factory(answer=answer)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants('tenant "default" { source = "here" }\n').start()
    for i in range(10):
        send(relay, relay.golf, f"u{i}@dest.test", f"golf {i}")
    wait_for(lambda: (r := place(relay, "source=there")) and (r["rests_s"] > 0 or r.get("tenant_rest")))
    for i in range(10):
        send(relay, relay.club, f"u{i}@dest.test", f"club {i}")
    wait_for(lambda: len(host.messages) == 10, 5)
    assert {m.connection.peer for m in host.messages} == {HERE}
    row = place(relay, "source=here")
    assert not row or (row["rests_s"] == 0 and "tenant_rest" not in row), row


def test_a_providers_limit_is_for_each_source(two_tenants, host_factory, dns):
    """T-Online allows five connections: it counts them by address."""
    busy = {}

    def answer(line, connection):
        if line == ".":
            for peer in (HERE, THERE):
                count = sum(c.peer == peer and c.lines[-1:] != ["QUIT"] for c in list(host.connections))
                busy[peer] = max(busy.get(peer, 0), count)
            time.sleep(0.7)

    host = host_factory(answer=answer)
    dns.mail("online.test", "mx00.t-online.de=127.0.0.1")
    relay = two_tenants('tenant "default" { source = "here" }\n').start()
    for i in range(30):
        send(relay, relay.golf, f"g{i}@online.test", f"golf {i}")
        send(relay, relay.club, f"c{i}@online.test", f"club {i}")
    wait_for(lambda: len(host.messages) == 60, 60)
    assert max(busy.values()) <= 5 < sum(busy.values()), busy


def test_a_tls_session_is_not_resumed_from_another_address(two_tenants, host_factory, dns, tmp_path):
    issue = authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*issue("mx.dest.test"))
    host = host_factory(context=context)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants("\n").start()

    def over(who, stream, subject):
        send(relay, who, "bob@dest.test", subject, stream)
        wait_for(lambda: host.came_from(subject))
        wait_for(lambda: host.connections[-1].lines[-1] == "QUIT", 20)
        return host.connections[-1].resumed

    assert not over(relay.club, "news", "first")
    assert over(relay.club, "news", "again"), "from the same address"
    assert not over(relay.golf, None, "other")
    assert over(relay.golf, None, "other again")


def test_a_host_of_the_other_family_is_waited_for(two_tenants, host_factory, dns, delivery_port):
    """Never another source: the mail waits, and it is said why."""
    v6, v4 = host_factory("::1"), host_factory("127.0.0.3")
    dns.mail("six.test", "mx.six.test=::1")
    dns.mail("both.test", "mx.both.test=127.0.0.3")
    dns.add("mx.both.test", "AAAA", "::1")
    relay = two_tenants('source "six" { ipv6 = "::1" }\nstream "six" { source = "six" }\n').start()
    id = send(relay, relay.golf, "bob@six.test", "waits")
    (event,) = relay.wait_kind(id, "deferred")
    assert 'its hosts have no IPv4 address, and mail from source "there" leaves from 127.0.9.2 only' in event["reply"], event
    assert v6.callers() == set()
    for i in range(4):
        send(relay, relay.golf, "bob@both.test", f"four {i}")
        send(relay, relay.golf, "bob@both.test", f"six {i}", "six")
    wait_for(lambda: len(v4.messages) == 4 and len(v6.messages) == 4)
    assert v4.callers() == {THERE} and v6.callers() == {"::1"}
    dns.mail("four.test", "mx.four.test=127.0.0.3")
    id = send(relay, relay.club, "bob@four.test", "no six", "six")
    (event,) = relay.wait_kind(id, "deferred")
    assert "its hosts have no IPv6 address" in event["reply"], event


def test_a_reload_moves_what_waits(two_tenants, host_factory, dns):
    """Mail that waits for a source that is refused leaves from the one that the settings name then."""
    def answer(line, connection):
        return "421 4.7.0 your address is on a list" if line == "" and connection.peer == THERE else None

    host = host_factory(answer=answer)
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants().start()
    for i in range(5):
        send(relay, relay.golf, f"u{i}@dest.test", f"golf {i}", "quick")
    wait_for(lambda: (r := place(relay, "source=there")) and r["rests_s"] > 0)
    text = relay.config.read_text()
    relay.config.write_text(text.replace('tenant "golf" { source = "there" }', 'tenant "golf" { source = "here" }'))
    relay.reload()
    wait_for(lambda: len(host.messages) == 5, 30)
    assert {m.connection.peer for m in host.messages} == {HERE}
    relay.config.write_text(text.replace('source "there"', 'source "elsewhere"').replace('source = "there"', 'source = "elsewhere"'))
    relay.reload()
    assert relay.queue() == []
    relay.config.write_text(re.sub(r'(source "there".*|tenant "golf".*)\n', "", text))
    relay.reload()
    send(relay, relay.golf, "bob@dest.test", "from anywhere")
    wait_for(lambda: host.came_from("from anywhere") == ["127.0.0.1"])


def test_a_restart_keeps_them_apart(two_tenants, host_factory, dns):
    host = host_factory("127.0.0.5")
    dns.mail("dest.test", "mx.dest.test=127.0.0.6")  # nobody is there yet
    relay = two_tenants().start()
    send(relay, relay.golf, "bob@dest.test", "golf")
    send(relay, relay.club, "bob@dest.test", "club", "news")
    wait_for(lambda: len(relay.json("queue", "list")) == 2)
    relay.kill()
    dns.mail("dest.test", "mx.dest.test=127.0.0.5")
    relay.start()
    relay.command("queue", "retry", "--all")
    wait_for(lambda: len(host.messages) == 2)
    assert host.came_from("golf") == [THERE] and host.came_from("club") == [HERE]


def test_dns_lists_the_sources_of_the_domains_tenant(two_tenants, dns):
    relay = two_tenants('source "nat" { ipv4 = "127.0.9.3"  public_ip = {"198.51.100.7"} }\ntenant "nat" { source = "nat" }\n')
    relay.add_domain("nat.test", "--tenant", "nat")

    def values(domain, kind):
        return {r["name"]: r["value"] for r in relay.json("dns", domain, "--offline")["records"] if r["type"] == kind}

    assert values("golf.test", "TXT")["golf.test"] == f"v=spf1 ip4:{THERE} ip4:{HERE} ~all"
    assert values("club.test", "TXT")["club.test"] == f"v=spf1 ip4:192.0.2.10 ip4:{HERE} ~all"
    assert values("nat.test", "TXT")["nat.test"] == f"v=spf1 ip4:198.51.100.7 ip4:{HERE} ~all"
    assert values("golf.test", "PTR")["2.9.0.127.in-addr.arpa"] == "there.golf.test"
    assert values("golf.test", "A")["there.golf.test"] == THERE
    spf = {r["name"]: {one["ip"] for one in r["spf"]} for r in relay.json("domain", "list")}
    assert spf == {"club.test": {"192.0.2.10", HERE}, "golf.test": {THERE, HERE}, "nat.test": {"198.51.100.7", HERE}}


@pytest.mark.parametrize("wrong, words", [
    ('source "a" { ipv4 = "192.0.2.77" }', ['source a: ipv4 needs an address of this machine, and 192.0.2.77 is none', "ip address"]),
    ('source "a" { ipv4 = "::1" }', ['ipv4 needs an IPv4 address: "::1" is none']),
    ('source "a" { ipv6 = "127.0.0.1" }', ['ipv6 needs an IPv6 address: "127.0.0.1" is none']),
    ('source "a" { helo = "a.test" }', ["source a: needs ipv4 or ipv6"]),
    ('source "a b" { ipv4 = "127.0.0.1" }', ["the name is of letters"]),
    ('source "a" { ipv4 = "127.0.0.1"  helo = "no host" }', ["helo"]),
    ('tenant "x" { source = "b" }', ['tenant x: source = "b" needs a section source "b"']),
    ('stream "x" { source = "b" }', ['stream x: source = "b" needs a section source "b"']),
    ('source "a" { ipv4 = "127.0.0.1"  tenants = {"y"} }\ntenant "x" { source = "a" }', ['tenant x: source "a" is for other tenants']),
    ('source "a" { ipv4 = "127.0.0.1" }\nsource "A" { ipv4 = "127.0.0.1" }', None),
])
def test_config_check_refuses_what_cannot_be(relay_factory, wrong, words):
    done = relay_factory(wrong).command("config", "check", check=False)
    if words is None:  # both are one to receivers, which is a note
        assert done.returncode == 0 and '127.0.0.1 is that of source "a" too' in done.stdout + done.stderr, done
        return
    assert done.returncode == 1, done
    for word in words:
        assert word in done.stdout + done.stderr, done


def test_a_source_that_is_kept_for_a_tenant_serves_no_other(two_tenants, host_factory, dns):
    """Whoever names the stream of somebody else's source leaves from his own."""
    host = host_factory()
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants('source "kept" { ipv4 = "127.0.9.4"  tenants = {"default"} }\nstream "kept" { source = "kept" }\n').start()
    send(relay, relay.golf, "bob@dest.test", "golf", "kept")
    send(relay, relay.club, "bob@dest.test", "club", "kept")
    wait_for(lambda: len(host.messages) == 2)
    assert host.came_from("golf") == [THERE] and host.came_from("club") == ["127.0.9.4"]


def test_an_operator_rests_one_source_or_the_host(two_tenants, host_factory, dns, delivery_port):
    host = host_factory()
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = two_tenants().start()
    send(relay, relay.golf, "bob@dest.test", "golf 0")
    send(relay, relay.club, "bob@dest.test", "club 0", "news")
    wait_for(lambda: len(host.messages) == 2)
    done = relay.command("destination", "rest", "mx.dest.test source=there", "--for", "1h")
    assert f"mx.dest.test:{delivery_port} source=there" in done, done
    id = send(relay, relay.golf, "bob@dest.test", "golf 1")
    send(relay, relay.club, "bob@dest.test", "club 1", "news")
    wait_for(lambda: host.came_from("club 1") == [HERE])
    assert 'source=there" rests' in relay.command("trace", id)
    relay.kill()
    relay.start()  # an order is kept
    send(relay, relay.club, "bob@dest.test", "club 2", "news")
    wait_for(lambda: host.came_from("club 2") == [HERE])
    assert not host.came_from("golf 1")
    relay.command("destination", "resume", "source=there")
    wait_for(lambda: host.came_from("golf 1") == [THERE])


def test_what_receivers_would_not_believe_from_a_source_is_refused(two_tenants, dns):
    """SPF is judged for the addresses of the domain's tenant, not for the relay's others."""
    relay = two_tenants()
    records = relay.json("dns", "golf.test", "--offline")["records"]
    dkim = [r["name"] for r in records if "_domainkey" in r["name"]]
    for name in dkim:
        dns.add(name, "TXT", "v=DKIM1; p=")
    dns.add("golf.test", "TXT", "v=spf1 ip4:192.0.2.10 -all")  # the relay's own
    dns.add("_dmarc.golf.test", "TXT", "v=DMARC1; p=reject")
    relay.start()
    user, secret, sender = relay.golf
    message = f"From: <{sender}>\r\nTo: <bob@dest.test>\r\nSubject: x\r\n\r\nhello\r\n"
    with relay.client(user=user, secret=secret) as client:
        client.mail(sender)
        client.rcpt("bob@dest.test")
        code, text = client.data(message.encode())
    assert code == 550 and THERE in text.decode(), (code, text)
    dns.add("golf.test", "TXT", f"v=spf1 ip4:{THERE} ip4:{HERE} -all")
    relay.stop()
    relay.start()
    assert send(relay, relay.golf, "bob@dest.test", "passes")


@pytest.mark.parametrize("first", ["golf", "pool"])
def test_one_tenants_source_says_nothing_of_anothers_mail(two_tenants, dns, first):
    """Both may send as one domain, and leave from different addresses: what is judged of one's mail is not the other's."""
    relay = two_tenants('tenant "pool" { source = "here" }\n')
    secret = relay.json("user", "add", "pool", "--domain", "golf.test", "--tenant", "pool")["secret"]
    for name in [r["name"] for r in relay.json("dns", "golf.test", "--offline")["records"] if "_domainkey" in r["name"]]:
        dns.add(name, "TXT", "v=DKIM1; p=")
    dns.add("golf.test", "TXT", f"v=spf1 ip4:{THERE} -all")  # golf's
    dns.add("_dmarc.golf.test", "TXT", "v=DMARC1; p=reject")
    dns.mail("dest.test", "mx.dest.test=127.0.0.9")
    relay.start()
    senders = {"golf": relay.golf[:2], "pool": ("pool", secret)}

    def answer(who):
        user, password = senders[who]
        with relay.client(user=user, secret=password) as client:
            client.mail("hello@golf.test")
            client.rcpt("bob@dest.test")
            code, text = client.data(b"From: <hello@golf.test>\r\nTo: <bob@dest.test>\r\nSubject: x\r\n\r\nhello\r\n")
        return code, text.decode()

    said = {who: answer(who) for who in (first, "pool" if first == "golf" else "golf")}
    assert said["golf"][0] == 250, said
    assert said["pool"][0] == 550 and HERE in said["pool"][1] and THERE not in said["pool"][1], said
