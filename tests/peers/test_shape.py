"""What holds for a domain's mail, and which line gave it: as an operator asks, of a relay whose mail meets servers that are slow, rest
or are paused. The kind of fault is a limit that holds up mail and of which no command says whose it is, why, and until when."""

import pytest

from apart import STREAMS, Sender, tenants
from conftest import wait_for

TOO_FAST = "450 4.7.28 Too many messages from your IP address, slow down"
NO_MORE = "451 4.3.2 Please try again later"

pytestmark = pytest.mark.memory


def limit(shape, name):
    return next(row for row in shape["limits"] if row["limit"] == name)


def class_of(shape, name):
    return next(row for row in shape["classes"] if row["class"] == name)


def explain(relay, domain, *options):
    return relay.json("shape", "explain", domain, *options)


def test_each_limit_says_which_line_gave_it(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory(STREAMS).start()
    mailhost()
    Sender(relay).send("u@dest.test", "hello")
    name = f"mx.dest.test:{delivery_port}"
    shape = wait_for(lambda: [s for s in [explain(relay, "dest.test")] if s["state"] == "leads"], 20, 0.1)[0]
    assert shape["leads_to"] == name and shape["known"] and not shape["looked_up"], shape
    assert limit(shape, "connections")["value"] == 20 and limit(shape, "connections")["from"] == "delivery.connections: default", shape
    assert limit(shape, "window")["value"] == 2 and "begins with 2" in limit(shape, "window")["why"], shape
    assert limit(shape, "tenant_connections")["value"] >= 1 and limit(shape, "kept_for_security")["value"] == 1, shape
    wait_for(lambda: all(row["may_go"] for row in explain(relay, "dest.test")["classes"]), 20, 0.1)
    said = relay.command("shape", "explain", "dest.test")
    assert f"goes to      {name}" in said and "20 connections" not in said.split("route")[0], said
    assert "20 at most" in said and "(delivery.connections: default)" in said and "none in the config file" in said, said


def test_a_setting_and_a_route_are_told_by_file_and_line(relay_factory, dns):
    dns.add("smart.test", "A", "127.0.0.1")
    relay = relay_factory('route "by.test" { host = "smart.test" }\n')
    relay.config.write_text(relay.config.read_text().replace("delivery {", "delivery { connections = 7 "))
    relay.start()
    shape = explain(relay, "by.test")
    lines = relay.config.read_text().splitlines()
    at = 1 + next(i for i, line in enumerate(lines) if line.startswith('route "by.test"'))
    assert shape["route"] == "by.test" and shape["route_from"] == f"{relay.config}:{at}", shape
    number = limit(shape, "connections")
    at = 1 + next(i for i, line in enumerate(lines) if "connections = 7" in line)
    assert number["value"] == 7 and number["from"] == f"delivery.connections: {relay.config}:{at}", number


def test_a_domain_that_nobody_knows_is_looked_up(relay_factory, dns, delivery_port):
    """And one that is not there is said to be none; a large provider's row by its name."""
    dns.mail("new.test", "mx.new.test=127.0.0.1")
    dns.mail("workspace.test", "aspmx.l.google.com=127.0.0.1")
    relay = relay_factory(STREAMS).start()
    shape = explain(relay, "new.test")
    assert not shape["known"] and shape["looked_up"] and shape["leads_to"] == f"mx.new.test:{delivery_port}", shape
    assert all(row["may_go"] for row in shape["classes"]), shape
    shape = explain(relay, "workspace.test")
    assert shape["leads_to"] == f"google:{delivery_port}" and shape["provider"] == "google", shape
    assert limit(shape, "messages_a_connection")["value"] == 50 and 'row "google"' in limit(shape, "connections")["from"], shape
    relay.command("shape", "pause", shape["leads_to"])  # known from now on, but for its limits
    shape = explain(relay, "workspace.test")
    assert limit(shape, "connections")["value"] == 20 and class_of(shape, "digest")["waits_for"] == "operator", shape
    assert not [row for row in shape["limits"] if row["limit"] == "tenant_connections"], shape
    said = relay.command("shape", "explain", "nowhere.test", check=False)
    assert said.returncode == 1 and "the domain does not exist" in said.stdout, said
    assert "waits for hosts that take it" in said.stdout and "may go now" not in said.stdout, said
    assert relay.command("shape", "explain", "not a domain", check=False).returncode == 2
    assert explain(relay, "new.test", "--tenant", "nobody")["tenant"] == "nobody"
    relay.stop()
    shape = explain(relay, "new.test")
    assert not shape["running"] and limit(shape, "connections")["value"] == 20, shape
    assert "no relay is running" in relay.command("shape", "explain", "new.test")


def test_a_tenant_that_is_slowed_is_told_so_and_no_other(relay_factory, mailhost, dns, delivery_port):
    for i in range(4):
        dns.mail(f"d{i}.test", "mx.slow.test=127.0.0.1")
    dns.mail("other.test", "mx.other.test=127.0.0.2")
    mailhost(lambda line, connection: TOO_FAST if line.startswith("RCPT") else None)
    mailhost(host="127.0.0.2")
    relay = relay_factory(STREAMS + 'stream "late" { class = "digest"  unsubscribe = "none"  retry = {2} }\n')
    senders = tenants(relay, "alpha", "beta")
    name = f"mx.slow.test:{delivery_port}"
    for i in range(40):
        senders["alpha"].send(f"u{i}@d{i % 4}.test", f"news {i}", "late", "hello@alpha.test")
    senders["alpha"].send("u@other.test", "other", "late", "hello@alpha.test")

    def slowed():
        shape = explain(relay, "d1.test", "--tenant", "alpha")
        return shape if "speed" in shape.get("destination", {}) and not class_of(shape, "digest")["may_go"] else None

    shape = wait_for(slowed, 30, 0.1)
    speed = shape["destination"]["speed"]
    assert speed["tenant"] == "alpha" and speed["reply"] == TOO_FAST and speed["since"] > 0, speed
    assert class_of(shape, "digest")["waits_for"] == "speed" and class_of(shape, "digest")["for_s"] >= 1, shape
    assert class_of(shape, "security")["may_go"], shape
    shape = explain(relay, "d2.test", "--tenant", "beta")
    assert all(row["may_go"] for row in shape["classes"]), shape
    said = relay.command("shape", "explain", "d1.test", "--tenant", "alpha")
    assert "for mail of tenant alpha, since " in said and f"by the reply: {TOO_FAST}" in said and "its turn, as messages go apart" in said, said
    rows = relay.json("shape", "list")
    assert [(row["destination"], row["limited"]) for row in rows] == [(name, "slowed")], rows
    assert relay.json("shape", "list", "--tenant", "beta") == []
    assert [row["destination"] for row in relay.json("shape", "list", "--tenant", "alpha")] == [name]
    listed = relay.command("shape", "list")
    assert "slowed" in listed and "alpha" in listed, listed


def test_a_pause_is_shown_and_ends(relay_factory, mailhost, dns, delivery_port):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    host = mailhost()
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    name = f"mx.dest.test:{delivery_port}"
    assert "rests for 2h" in relay.command("shape", "pause", name, "--for", "2h", "--why", "they asked")
    shape = explain(relay, "dest.test")
    assert shape["known"] and shape["looked_up"], shape
    assert [(row["by"], row["why"]) for row in shape["rests"]] == [("operator", "they asked")], shape
    assert {row["waits_for"] for row in shape["classes"]} == {"operator"} and 7100 < class_of(shape, "security")["for_s"] <= 7200, shape
    assert "paused by an operator for all mail, for " in relay.command("shape", "explain", "dest.test")
    assert [(row["destination"], row["limited"]) for row in relay.json("shape", "list")] == [(name, "paused")]
    assert [row["destination"] for row in relay.json("destination", "list")] == [name]
    sender.send("u@dest.test", "hello")
    relay.command("shape", "resume", name)
    wait_for(lambda: len(host.messages) == 1, 20, 0.1)
    assert relay.json("shape", "list") == [] and "no destination is limited" in relay.command("shape", "list")


def test_what_rests_says_who_and_until_when(relay_factory, mailhost, dns):
    """A limit told at MAIL is one tenant's; a host that is down is everybody's."""
    dns.mail("full.test", "mx.full.test=127.0.0.1")
    dns.mail("down.test", "mx.down.test=127.0.0.9")
    mailhost(lambda line, connection: NO_MORE if line.startswith("MAIL") else None)
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "alpha", "beta")
    for i in range(10):
        senders["alpha"].send(f"u{i}@full.test", f"news {i}", sender="hello@alpha.test")
    senders["beta"].send("u@down.test", "news", sender="hello@beta.test")

    def rests(domain, tenant):
        return explain(relay, domain, "--tenant", tenant)["rests"]

    mine = wait_for(lambda: rests("full.test", "alpha"), 30, 0.1)
    assert [(row["by"], row.get("tenant")) for row in mine] == [("refused", "alpha")] and NO_MORE[4:] in mine[0]["why"], mine
    assert rests("full.test", "beta") == [] and class_of(explain(relay, "full.test", "--tenant", "beta"), "digest")["may_go"]
    down = wait_for(lambda: rests("down.test", "alpha"), 30, 0.1)
    assert [row["by"] for row in down] == ["failure"] and down[0]["rests_s"] > 0, down
    said = relay.command("shape", "explain", "down.test")
    assert "no connection works for all mail, for " in said and "waits for the end of a rest" in said, said
