"""Destinations as an operator meets them: which rests and why, who waits there, and how to hold mail back or try again."""

import json
import re
import time

import pytest
from conftest import wait_for


def one_line(done, code, *words):
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("sealpost: "), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


QUICK = 'stream "quick" { class = "security" retry = {1} }'  # due again at once: it waits for the destination alone


def send(relay, to="bob@dest.test"):
    return relay.send(to, "From: <hello@club.test>\r\nSubject: test\r\nSealpost-Stream: quick\r\n\r\nhello\r\n")


def show(relay, name):
    return relay.json("destination", "show", name)


def resting(relay, name, failures=1, timeout=15):
    """The row of a destination once it rests by itself after so many failures."""
    def rests():
        rows = [r for r in relay.json("destination", "list") if r["destination"] == name]
        return [r for r in rows if r["rests_s"] > 0 and r["failures"] >= failures]
    return wait_for(rests, timeout, 0.2)[0]


def events(relay, kind):
    return relay.json("events", "--kind", kind)


@pytest.fixture
def place(dns, delivery_port):
    """The destination of dest.test."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    return f"mx.dest.test:{delivery_port}"


@pytest.mark.memory
def test_where_nothing_listens_rests_and_it_is_said_why(relay_factory, sink_factory, place):
    relay = relay_factory(QUICK).start()
    id = send(relay)
    resting(relay, place)
    row = wait_for(lambda: [r for r in relay.json("destination", "list") if r["waiting"] == 1])[0]
    assert "refused" in row["why"] and not row["by_operator"] and row["next_try"] > time.time() * 1000, row
    assert row["waiting_by_class"]["security"] == 1, row
    text = relay.command("destination", "list")
    assert place in text and "NEXT TRY" in text and "refused" in text and text.endswith("1 destination\n"), text
    assert [r["destination"] for r in relay.json("queue", "list", "--by", "destination")] == [place]
    assert f'bob@dest.test waits: destination "{place}" rests for ' in relay.command("trace", id)
    told = events(relay, "destination_rests")
    assert told[0]["recipient"] == place and told[0]["reply"].startswith("for 5 s, failure 1 in a row: "), told
    assert "refused" in told[0]["reply"] and told[0]["id"] == "0000000000000"

    one = wait_for(lambda: [s for s in [show(relay, place)] if s["waiting_by_tenant"]])[0]  # not while it is tried again
    assert one["domains"] == 1 and one["some_domains"] == ["dest.test"], one
    assert one["waiting_by_tenant"] == [{"tenant": "default", "waiting": 1}], one
    assert len(one["connections_by_shard"]) == 2 and one["window"] <= one["limit"], one
    text = wait_for(lambda: [t for t in [relay.command("destination", "show", place)] if "default 1" in t])[0]
    assert "refused" in text and "dest.test" in text, text

    sink = sink_factory(records=relay.records)
    assert "is tried again" in relay.command("destination", "resume", place)
    sink.wait(1, 5)
    relay.wait_kind(id, "delivered")
    told, = wait_for(lambda: events(relay, "destination_resumed"))
    assert told["reply"].startswith("a connection works again; it was: "), told
    assert show(relay, place)["rests_s"] == 0
    assert " waits: " not in relay.command("trace", id)


def test_it_resumes_by_itself(relay_factory, sink_factory, place):
    relay = relay_factory(QUICK).start()
    id = send(relay)
    resting(relay, place)
    sink_factory(records=relay.records)
    relay.wait_kind(id, "delivered")
    told = wait_for(lambda: events(relay, "destination_resumed"))
    assert told[0]["recipient"] == place and told[0]["reply"].startswith("a connection works again; it was: "), told
    rows = relay.json("audit", "tail")
    assert not [r for r in rows if r["what"].startswith("destination")], rows  # nobody needs to be told of one failure


@pytest.mark.memory
def test_an_operators_rest_holds_all_mail_until_he_ends_it(relay_factory, sink_factory, place):
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    send(relay)
    sink.wait(1)
    done = relay.json("destination", "rest", place, "--for", "30m", "--why", "they are \"moving\"")
    assert done["next_try"] > time.time() * 1000 + 29 * 60 * 1000
    id = send(relay)
    wait_for(lambda: show(relay, place)["waiting"] == 1)
    relay.reload()
    relay.command("queue", "retry", "--all")
    time.sleep(1.5)
    assert len(sink.messages()) == 1
    row = show(relay, place)
    assert row["by_operator"] and 1700 < row["rests_s"] <= 1800 and row["why"] == 'they are "moving"', row
    assert relay.command("trace", id).endswith('s, by an operator: they are "moving"\n')
    told = events(relay, "destination_rests")
    assert [e["reply"] for e in told] == ['for 1800 s, by uid 0: they are "moving"'], told
    assert 'destination.rest' in relay.command("audit", "tail")
    relay.command("destination", "resume", place)
    sink.wait(2, 5)
    assert len(events(relay, "destination_resumed")) == 1
    one_line(relay.command("destination", "rest", place, "--for", "soon", check=False), 2, "--for takes a time")
    one_line(relay.command("destination", "rest", place, "--for", "31d", check=False), 2, "30 days")
    one_line(relay.command("destination", "rest", place, "--why", "x" * 151, check=False), 2, "longer than")


def test_an_operators_rest_outlives_a_restart(relay_factory, sink_factory, dns, delivery_port, place):
    """The kind: an order that only memory keeps. Of a host set, of a provider, and one that is over meanwhile."""
    dns.add("big.test", "MX", "10 in.mail.protection.outlook.com.")
    dns.add("in.mail.protection.outlook.com", "A", "127.0.0.1")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    for domain in ("dest.test", "big.test"):
        send(relay, f"bob@{domain}")
    sink.wait(2)
    provider = [r["destination"] for r in relay.json("destination", "list") if r["provider"]][0]
    relay.command("destination", "rest", place, "--for", "30m", "--why", "they are moving")
    relay.command("destination", "rest", provider, "--for", "30m")
    relay.stop()
    relay.start()
    names = {r["destination"]: r for r in relay.json("destination", "list")}
    assert set(names) == {place, provider}, names  # though no mail has led there yet
    ids = [send(relay), send(relay, "bob@big.test")]
    wait_for(lambda: show(relay, place)["waiting"] == 1 and show(relay, provider)["waiting"] == 1)
    time.sleep(1)
    row = show(relay, place)
    assert len(sink.messages()) == 2 and row["by_operator"] and row["why"] == "they are moving" and 1700 < row["rests_s"] <= 1800, row
    assert show(relay, provider)["provider"], show(relay, provider)
    relay.command("destination", "resume", place)
    relay.wait_kind(ids[0], "delivered", 10)
    relay.command("destination", "rest", provider, "--for", "2s")
    relay.stop()
    time.sleep(2)
    relay.start()
    relay.wait_kind(ids[1], "delivered", 10)
    relay.wait_kind(send(relay), "delivered", 10)
    assert not [r for r in relay.json("destination", "list") if r["by_operator"]]


def test_the_third_failure_in_a_row_is_an_alert_and_retry_does_not_wait_for_the_rest(relay_factory, sink_factory, place):
    relay = relay_factory(QUICK).start()
    id = send(relay)
    assert resting(relay, place, 3, 40)["rests_s"] > 10
    wait_for(lambda: len(events(relay, "destination_rests")) == 3)
    rows = [r for r in relay.json("audit", "tail") if r["what"] == "destination_rests"]
    assert len(rows) == 1 and rows[0]["about"].startswith(f"{place}: for 20 s, failure 3 in a row: "), rows
    assert re.search(r" \(mail of tenant [^ ]+\)$", rows[0]["about"]), rows
    sink = sink_factory(records=relay.records)
    relay.command("queue", "retry", id)
    sink.wait(1, 5)
    told = wait_for(lambda: events(relay, "destination_resumed"))
    assert told[0]["reply"].startswith("a connection works again; it was: "), told


def test_a_name_with_blanks_is_one_argument(relay_factory, sink_factory, place):
    relay = relay_factory(QUICK + '\nroute "dest.test" { tls = "require" }').start()
    sink_factory(records=relay.records).wait(0)
    id = send(relay)
    relay.wait_kind(id, "delivered")
    name = f"{place} require"
    assert show(relay, name)["destination"] == name
    relay.command("destination", "rest", name)
    assert 3590 < show(relay, name)["rests_s"] <= 3600
    done = relay.command("destination", "resume", place, "require", check=False)
    one_line(done, 2, "too many arguments")
    assert relay.json("destination", "resume", place)["destination"] == name  # a part of it that is no other's


@pytest.mark.memory
def test_a_name_that_is_none(relay_factory, place):
    relay = relay_factory(QUICK)
    for words in (("list",), ("show", place), ("rest", place), ("resume", place)):
        one_line(relay.command("destination", *words, check=False), 3, "no relay is running")
    relay.start()
    assert relay.json("destination", "list") == [] and relay.command("destination", "list").endswith("0 destinations\n")
    one_line(relay.command("destination", "show", place, check=False), 1, f'no destination "{place}"', "destination list")
    send(relay)
    resting(relay, place)
    for verb in ("show", "rest", "resume"):
        done = relay.command("destination", verb, "mx.dst.test", check=False)
        one_line(done, 1, 'no destination "mx.dst.test')
        assert "did you mean" not in done.stderr  # that would be somebody else's host
        one_line(relay.command("destination", verb, "MX.dest", check=False), 1, f'did you mean "{place}"?')
        one_line(relay.command("destination", verb, "elsewhere\x1b[31m:25", check=False), 1, "no destination \"elsewhere", "\\x1b")
    assert not [r for r in relay.json("audit", "tail") if r["what"].startswith("destination.")]  # nothing was changed
    one_line(relay.command("queue", "list", "--by", "domain", check=False), 2, "--by takes")
    one_line(relay.command("queue", "list", "--by", "destination", "--held", check=False), 2, "--limit only")


def test_those_with_the_most_mail_come_first(relay_factory, dns, delivery_port):
    relay = relay_factory(QUICK).start()
    counts = {"a": 1, "b": 3, "c": 2}
    for letter, count in counts.items():
        dns.mail(f"{letter}.test", f"mx.{letter}.test=127.0.0.{2 + count}")
        send(relay, [f"u{i}@{letter}.test" for i in range(count)])
    for letter in counts:
        resting(relay, f"mx.{letter}.test:{delivery_port}")
    rows = wait_for(lambda: [r for r in [relay.json("destination", "list")] if sum(x["waiting"] for x in r) == 6])[0]
    assert [r["destination"].split(".")[1] for r in rows] == ["b", "c", "a"], rows
    assert [r["destination"] for r in relay.json("destination", "list", "--limit", "1")] == [rows[0]["destination"]]
    assert relay.command("destination", "list", "--limit", "2").endswith("3 destinations; the first are shown: see --limit\n")
    assert len(json.loads(relay.command("--json", "destination", "list", "--limit", "0"))) == 3
    one_line(relay.command("destination", "list", "--limit", "all", check=False), 2, "--limit is a number")


@pytest.mark.parametrize("restarts", [False, True])
def test_a_host_that_rests_keeps_what_leads_there_later(relay_factory, sink_factory, dns, delivery_port, place, restarts):
    """The kind: an order that holds for what was known when it was given."""
    dns.mail("later.test", "mx1.later.test=127.0.0.1", "MX.dest.test=127.0.0.1")
    dns.mail("third.test", "mx.third.test=127.0.0.1")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    send(relay, "bob@dest.test")
    sink.wait(1)
    done = relay.json("destination", "rest", "--host", "mx.dest.test", "--for", "30m", "--why", "it burns")
    assert [row["destination"] for row in done["destinations"]] == [place], done
    if restarts:
        relay.stop()
        relay.start()
    waits = send(relay, "bob@later.test")
    relay.wait_kind(send(relay, "bob@third.test"), "delivered")
    time.sleep(1)
    assert len(sink.messages()) == 2
    rows = {row["destination"]: row["why"] for row in relay.json("destination", "list") if row["by_operator"]}
    assert len(rows) == 2 and set(rows.values()) == {"it burns"}, rows
    assert "it burns" in relay.command("trace", waits)
    assert len(events(relay, "destination_rests")) == 2
    relay.command("destination", "resume", "--host", "mx.dest.test")
    sink.wait(3, 10)
    if restarts:
        relay.stop()
        relay.start()
    dns.mail("last.test", "mx9.last.test=127.0.0.1", "mx.dest.test=127.0.0.1")
    send(relay, "bob@last.test")
    sink.wait(4, 10)


@pytest.mark.parametrize("restarts", [False, True])
def test_of_two_orders_about_one_place_the_longer_counts(relay_factory, sink_factory, dns, delivery_port, restarts):
    """The kind: an order that undoes another one, which nobody has ended."""
    dns.mail("two.test", "mx1.two.test=127.0.0.1", "mx2.two.test=127.0.0.1")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    send(relay, "bob@two.test")
    sink.wait(1)
    name = f"mx1.two.test,mx2.two.test:{delivery_port}"
    relay.command("destination", "rest", "--host", "mx1.two.test", "--for", "1h", "--why", "it burns")
    relay.command("destination", "rest", "--host", "mx2.two.test", "--for", "10m", "--why", "it smokes")
    relay.command("destination", "rest", name, "--for", "20m", "--why", "they asked")
    if restarts:
        relay.stop()
        relay.start()
    send(relay, "bob@two.test")

    def rests():
        row = relay.json("destination", "show", name)
        return row["by_operator"] and (round(row["rests_s"], -2), row["why"])

    wait_for(lambda: relay.json("destination", "list"))
    assert rests() == (3600, "it burns"), relay.json("destination", "show", name)
    relay.command("destination", "resume", "--host", "mx1.two.test")
    assert rests() == (600, "it smokes"), relay.json("destination", "show", name)
    assert len(sink.messages()) == 1
    relay.command("destination", "resume", "--host", "mx2.two.test")
    sink.wait(2, 10)
    assert not rests()


def test_a_host_rests_wherever_it_is_used(relay_factory, sink_factory, dns, delivery_port, place):
    """One machine of somebody's is known to be down: whatever set it belongs to."""
    dns.mail("two.test", "mx.dest.test=127.0.0.1", "mx2.two.test=127.0.0.1")
    dns.mail("third.test", "mx.third.test=127.0.0.1")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    domains = ("dest.test", "two.test", "third.test")
    for domain in domains:
        send(relay, f"bob@{domain}")
    sink.wait(3)
    done = relay.json("destination", "rest", "--host", "MX.dest.test", "--for", "30m", "--why", "it burns")
    names = sorted(row["destination"] for row in done["destinations"])
    assert len(names) == 2 and place in names and done["host"] == "mx.dest.test", done
    assert done["next_try"] > time.time() * 1000 + 29 * 60 * 1000
    relay.stop()
    relay.start()
    ids = {domain: send(relay, f"bob@{domain}") for domain in domains}
    relay.wait_kind(ids["third.test"], "delivered")
    rows = {row["destination"]: row for row in relay.json("destination", "list") if row["by_operator"]}
    assert sorted(rows) == names and all(row["why"] == "it burns" for row in rows.values()), rows
    time.sleep(1)
    assert len(sink.messages()) == 4
    assert "it burns" in relay.command("trace", ids["two.test"])
    shown = relay.command("destination", "resume", "--host", "mx.dest.test")
    assert sorted(line.rsplit(" is tried again", 1)[0] for line in shown.splitlines()) == names, shown
    sink.wait(6, 10)
    audit = relay.command("audit", "tail")
    assert "destination.rest" in audit and "destination.resume" in audit and "mx.dest.test" in audit, audit
    assert len(events(relay, "destination_rests")) == 2 == len(events(relay, "destination_resumed"))
    one_line(relay.command("destination", "rest", "--host", "mx.nowhere.test", check=False), 1, "mx.nowhere.test")
    one_line(relay.command("destination", "resume", "--host", "mx.nowhere.test", check=False), 1, "mx.nowhere.test")
    one_line(relay.command("destination", "rest", check=False), 2, "--host")
    one_line(relay.command("destination", "rest", place, "--host", "mx.dest.test", check=False), 2, "--host")
    one_line(relay.command("destination", "resume", "--host", "no host", check=False), 2, "not a host name")


def more_than_are_used(dns, domain, *hosts):
    """MX records for more hosts than one destination's name has room for."""
    names = [*hosts, *[f"m{i}.{domain}" for i in range(31)]]
    dns.add(domain, "MX", *[f"{10 if name in hosts else 20} {name}." for name in names])
    for name in names:
        dns.add(name, "A", "127.0.0.1")


@pytest.mark.parametrize("restarts", [False, True])
def test_a_host_rests_also_where_no_name_shows_it(relay_factory, sink_factory, dns, delivery_port, place, restarts):
    """The kind: an order about a host that is kept by how destinations are called. A domain with more hosts than fit is called by itself."""
    more_than_are_used(dns, "wide.test", "mx.dest.test")
    more_than_are_used(dns, "later.test", "MX.dest.test")
    more_than_are_used(dns, "other.test")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    for domain in ("wide.test", "other.test"):
        send(relay, f"bob@{domain}")
    sink.wait(2)
    wide, later = f"wide.test/mx:{delivery_port}", f"later.test/mx:{delivery_port}"
    done = relay.json("destination", "rest", "--host", "mx.dest.test", "--for", "30m", "--why", "it burns")
    assert [row["destination"] for row in done["destinations"]] == [wide], done
    if restarts:
        relay.stop()
        relay.start()
    ids = {domain: send(relay, f"bob@{domain}") for domain in ("wide.test", "later.test", "dest.test", "other.test")}
    relay.wait_kind(ids["other.test"], "delivered")
    time.sleep(1)
    assert len(sink.messages()) == 3
    rows = {row["destination"]: row["why"] for row in relay.json("destination", "list") if row["by_operator"]}
    assert rows == {name: "it burns" for name in (wide, later, place)}, rows
    assert "it burns" in relay.command("trace", ids["later.test"])
    shown = relay.command("destination", "resume", "--host", "mx.dest.test")
    assert sorted(line.rsplit(" is tried again", 1)[0] for line in shown.splitlines()) == sorted(rows), shown
    sink.wait(6, 10)


def test_a_providers_host_is_not_put_to_rest_alone(relay_factory, sink_factory, dns, delivery_port):
    """Mail for all its customers goes to a provider together: it is said what to do instead."""
    dns.mail("small.test", "aspmx.l.google.com=127.0.0.1")
    dns.mail("mixed.test", "aspmx.l.google.com=127.0.0.1", "mx.mixed.test=127.0.0.1")
    relay = relay_factory(QUICK).start()
    sink = sink_factory(records=relay.records)
    send(relay, "bob@small.test")
    sink.wait(1)
    for what in ("rest", "resume"):
        one_line(relay.command("destination", what, "--host", "ASPMX.l.google.com", check=False), 1, f"google:{delivery_port}")
    send(relay, "bob@mixed.test")
    sink.wait(2)
    done = relay.json("destination", "rest", "--host", "aspmx.l.google.com")
    assert [row["destination"] for row in done["destinations"]] == [f"aspmx.l.google.com,mx.mixed.test:{delivery_port}"], done
    assert done["provider"] == "google" and done["go_on"] == [f"google:{delivery_port}"], done
    shown = relay.command("destination", "rest", "--host", "aspmx.l.google.com", "--for", "2h")
    assert f"google:{delivery_port} has no rest by a host" in shown.splitlines()[-1], shown
    relay.command("destination", "resume", "--host", "aspmx.l.google.com")
    send(relay, "bob@mixed.test")
    sink.wait(3)
