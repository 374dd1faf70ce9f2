"""Mail that waits as an operator meets it: when it is tried next, and why not now, in the text and the JSON of each command that shows it.
The kind of fault: a command that knows less than another of the same mail. Several tenants, two shards, the release build."""

import re
import time

import pytest
from apart import STREAMS, tenants
from conftest import wait_for

LATER = STREAMS + '\nstream "later" { class = "notification" retry = {600} }'


def seconds(text):
    """How long "in 9 min" is, at least."""
    number, unit = re.search(r"\bin (\d+) (s|min|h)\b", text).groups()
    return int(number) * {"s": 1, "min": 60, "h": 3600}[unit]


def until(at):
    return at / 1000 - time.time()


@pytest.fixture
def busy(dns, mailhost, delivery_port):
    """busy.test, whose server answers 450 to each RCPT, and its destination."""
    dns.mail("busy.test", "mx.busy.test=127.0.0.9")
    mailhost(answer=lambda line, _: "450 4.2.0 greylisted" if line.upper().startswith("RCPT") else None, host="127.0.0.9")
    return f"mx.busy.test:{delivery_port}"


def send(sender, to, tenant, stream="later"):
    """Submit one message; its id."""
    text = f"From: <hello@{tenant}.test>\r\nTo: <{to}>\r\nSubject: test\r\nSealpost-Stream: {stream}\r\n\r\nhello\r\n"
    client = sender.client
    assert client.mail(f"hello@{tenant}.test")[0] == 250 and client.rcpt(to)[0] == 250
    code, said = client.data(text.encode())
    assert code == 250, said
    return said.decode().split()[-1]


def defer(relay, senders, *names):
    """One message of each to busy.test; their ids, once all are deferred."""
    ids = [send(senders[name], "x@busy.test", name) for name in names]
    wait_for(lambda: all(row["tries"] and not row.get("trying") for row in relay.json("queue", "list")))
    return ids


@pytest.mark.parametrize("stopped", [False, True])
def test_due_is_not_before_a_rest_ends(relay_factory, busy, stopped):
    """Of mail that was tried, and of mail that comes meanwhile; by an operator's order, with a reason and without one."""
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank", "shop")
    defer(relay, senders, "bank")
    relay.command("queue", "retry", "--all")
    defer(relay, senders, "shop")
    relay.command("destination", "rest", busy, "--for", "2h", *([] if stopped else ["--why", "they move"]))
    id = relay.json("queue", "list")[0]["id"]
    relay.command("queue", "retry", "--all")
    if stopped:
        relay.stop()
    why = "by an operator" if stopped else "by an operator: they move"
    for row in relay.json("queue", "list") + relay.json("queue", "show", id):
        assert 7000 < until(row["due"]) <= 7200 and row["next_try"] == row["due"] and 7000 < row["rests_s"] <= 7200, row
        assert row["by_operator"] and row["why"] == ("" if stopped else "they move") and row["destination"] == busy, row
    for command in (("list",), ("show", id), ("list", "--by", "destination")):
        text = relay.command("queue", *command)
        assert 7000 <= seconds(text.splitlines()[1]), text
    assert why in relay.command("queue", "list", "--by", "destination")
    group, = relay.json("queue", "list", "--by", "destination")
    assert group["by_operator"] and 7000 < until(group["next_try"]) <= 7200, group
    told = f'x@busy.test waits: destination "{busy}" rests for '
    for command in (("queue", "show", id), ("trace", id)):
        text = relay.command(*command)
        assert told in text and text.rstrip().endswith(f"s, {why}"), text
    waits = [row for row in relay.json("trace", id) if row["kind"] == "waits"]
    assert [row["destination"] for row in waits] == [busy] and 7000 < until(waits[0]["next_try"]) <= 7200 and waits[0]["by_operator"], waits
    if stopped:
        return
    for text in (relay.command("destination", "list"), relay.command("destination", "show", busy)):
        assert why in text, text
    assert 7000 <= seconds(relay.command("destination", "list"))


def test_a_rest_of_its_own_counts_as_well(relay_factory, dns, delivery_port):
    """A destination where nobody listens, whose rest is longer than the mail's own schedule."""
    dns.mail("down.test", "mx.down.test=127.0.0.7")
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "bank")
    id = send(senders["bank"], "x@down.test", "bank", "code")
    row = wait_for(lambda: [r for r in relay.json("queue", "list") if r.get("rests_s", 0) > 2])[0]
    assert until(row["due"]) > row["rests_s"] - 2 and "refused" in row["why"] and not row["by_operator"], row
    assert [r["rests_s"] > 0 for r in relay.json("trace", id) if r["kind"] == "waits"] == [True]


def test_those_deferred_say_whose_they_are_and_what_they_heard(relay_factory, busy):
    """Nothing is due there, no connection is open, and nothing rests: it is listed all the same, with what to know."""
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank", "shop")
    defer(relay, senders, "bank", "bank", "shop")
    rows = wait_for(lambda: [r for r in relay.json("destination", "list") if r["busy"] + r["idle"] + r["opening"] + r["waiting"] == 0])
    assert [(r["destination"], r["deferred"], r["last_reply"]) for r in rows] == [(busy, 3, "450 4.2.0 greylisted")], rows
    assert 300 < until(rows[0]["next_try"]) < 900, rows
    text = relay.command("destination", "list")
    assert "450 4.2.0 greylisted" in text and seconds(text) > 200 and text.endswith("1 destination\n"), text
    one = relay.json("destination", "show", busy)
    assert one["deferred_by_class"] == {"notification": 3} and one["last_replies"] == [{"reply": "450 4.2.0 greylisted", "count": 3}], one
    assert one["deferred_by_tenant"] == [{"tenant": "bank", "deferred": 2}, {"tenant": "shop", "deferred": 1}], one
    assert one["next_try"] == rows[0]["next_try"]
    text = relay.command("destination", "show", busy)
    for words in ("deferred     3, notification 3; tenants bank 2, shop 1\n", "last reply   3: 450 4.2.0 greylisted\n", "next try     in "):
        assert words in text, text
    group, = relay.json("queue", "list", "--by", "destination")
    assert (group["deferred"], group["last_reply"]) == (3, "450 4.2.0 greylisted"), group
    assert "450 4.2.0 greylisted" in relay.command("queue", "list", "--by", "destination")


def test_a_retry_names_the_rests_of_its_own_mail_only(relay_factory, dns, busy, delivery_port):
    """An operator's rest elsewhere is not its business; nor is any when nothing was changed."""
    dns.mail("other.test", "mx.other.test=127.0.0.8")
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank")
    defer(relay, senders, "bank")
    other = f"mx.other.test:{delivery_port}"
    for name in (busy, other):
        relay.command("destination", "rest", name)
    send(senders["bank"], "y@other.test", "bank")
    for options, names in (("--domain busy.test", [busy]), ("--domain other.test", [other]), ("--all", [busy, other])):
        wait_for(lambda: len([r for r in relay.json("queue", "list") if r.get("destination")]) == 2)
        done = relay.json("queue", "retry", *options.split())
        assert sorted(done["resting"]) == names and done["changed"] == len(names), done
        wait_for(lambda: len([r for r in relay.json("queue", "list") if r.get("destination")]) == 2)  # DNS was asked again
        text = relay.command("queue", "retry", *options.split())
        assert [line for line in text.splitlines() if "rests" in line] == \
            [f'destination "{name}" rests, by an operator: its mail waits on' for name in sorted(names)], text
    done = relay.command("queue", "retry", "--domain", "none.test", check=False)
    assert done.returncode == 1 and done.stdout == "0 recipients changed\n", done
    done = relay.command("--json", "queue", "retry", "--domain", "none.test", check=False)
    assert done.stdout == '{"changed":0}\n', done


def test_a_tenants_mail_is_chosen_by_its_name(relay_factory, busy):
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank", "shop")
    defer(relay, senders, "bank", "shop", "shop")
    assert [r["tenant"] for r in relay.json("queue", "list", "--tenant", "shop")] == ["shop", "shop"]
    assert relay.json("queue", "hold", "--tenant", "bank")["changed"] == 1
    assert [r["tenant"] for r in relay.json("queue", "list", "--held")] == ["bank"]
    assert relay.json("queue", "delete", "--tenant", "shop")["changed"] == 2
    assert relay.json("queue", "list", "--tenant", "shop") == [] and len(relay.json("queue", "list")) == 1


def test_status_says_how_much_waits_and_rests(relay_factory, busy):
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank", "shop")
    defer(relay, senders, "bank", "shop")
    relay.command("queue", "hold", "--tenant", "shop")
    relay.command("destination", "rest", busy)
    row = relay.json("status")
    assert {key: row[key] for key in ("queued", "waiting", "deferred", "held", "resting")} == \
        {"queued": 2, "waiting": 0, "deferred": 1, "held": 1, "resting": 1}, row
    title, line = relay.command("status").splitlines()[:2]
    assert re.search(r"QUEUED +WAITING +DEFERRED +HELD +RESTING", title) and re.search(r" 2 +0 +1 +1 +1 ", line), (title, line)


def test_a_rest_of_one_tenants_mail_is_seen(relay_factory, dns, mailhost, delivery_port):
    """421 to MAIL of one tenant alone: whose mail waits there, until when and why, in each command that shows it or them; and not of others."""
    dns.mail("picky.test", "mx.picky.test=127.0.0.9")
    name = f"mx.picky.test:{delivery_port}"
    mailhost(answer=lambda line, _: "421 4.7.0 not from you" if line.upper().startswith("MAIL FROM:<HELLO@BANK") else None, host="127.0.0.9")
    relay = relay_factory(LATER + 'stream "quick" { class = "security" retry = {1} }')
    senders = tenants(relay, "bank", "shop")
    id = send(senders["bank"], "x@picky.test", "bank", "quick")
    wait_for(lambda: relay.json("events", "--kind", "destination_rests"))

    def see(*command):
        """What the command says while the tenant's mail rests, which is for five seconds at a time."""
        return wait_for(lambda: [text for text in [relay.command(*command)] if "421 4.7.0 not from you" in text and "tenant bank only" in text], 30, 0.05)[0]

    text = see("destination", "show", name)
    assert re.search(r"\n  rests        for \d s, mail of tenant bank only: 421 4.7.0 not from you\n", text), text
    text = see("destination", "list")
    assert re.search(r"for \d s, mail of tenant bank only: 421 4.7.0 not from you\n", text), text
    assert f'x@picky.test waits: destination "{name}" rests for ' in see("trace", id)
    see("queue", "show", id)
    rest = wait_for(lambda: relay.json("destination", "show", name).get("tenant_rest"), 20, 0.1)
    assert rest["tenant"] == "bank" and 0 < rest["rests_s"] <= 5 and until(rest["next_try"]) <= 5, rest
    row = wait_for(lambda: [r for r in relay.json("queue", "list", "--tenant", "bank") if r.get("rests_s")], 20, 0.1)[0]
    assert "tenant bank only" in row["why"] and until(row["due"]) >= row["rests_s"] - 2, row
    relay.wait_kind(send(senders["shop"], "x@picky.test", "shop", "quick"), "delivered")


def test_a_host_that_is_avoided_is_shown(relay_factory, dns, mailhost, delivery_port):
    """Of two hosts the first does not listen: mail goes by the second, and who looks is told of the first, and that the limit has a share for security."""
    dns.mail("two.test", "mx1.two.test=127.0.0.7", "mx2.two.test=127.0.0.9")
    mailhost(host="127.0.0.9")
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "bank")
    for _ in range(20):
        relay.wait_kind(send(senders["bank"], "x@two.test", "bank", "code"), "delivered")
        one = relay.json("destination", "show", "two.test")
        if one["avoided"]:
            break
    host, = one["avoided"]
    assert host["host"] == "mx1.two.test" and host["ip"] == "127.0.0.7" and 0 < host["for_s"] <= 10 and host["failures"] >= 1, one
    assert one["kept_for_security"] >= 1 and one["stuck"] == 0, one
    text = relay.command("destination", "show", "two.test")
    assert re.search(r"\n  avoided      mx1\.two\.test\[127\.0\.0\.7\] for \d+ s: no connection, failures in a row: \d+\n", text), text
    assert re.search(r"limit \d+, \d+ of it kept for class security\n", text), text


def test_a_connection_that_is_stuck_is_shown(relay_factory, dns, mailhost):
    """The server takes ten seconds and more for an answer."""
    dns.mail("slow.test", "mx.slow.test=127.0.0.9")
    mailhost(answer=lambda line, _: time.sleep(30) if line.upper().startswith("MAIL") else None, host="127.0.0.9")
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank")
    for _ in range(3):
        send(senders["bank"], "x@slow.test", "bank")
    row = wait_for(lambda: [r for r in relay.json("destination", "list") if r["stuck"]], 25, 0.5)[0]
    text = relay.command("destination", "show", "slow.test")
    assert row["stuck"] <= 3 and re.search(r" [1-3] busy, [1-3] of them stuck, ", text), text  # more may be by now


def test_the_limit_of_what_is_not_known_yet_is_not_told(relay_factory, delivery_port):
    """Put to rest before any mail has led there."""
    relay = relay_factory().start()
    name = f"mx.ahead.test:{delivery_port}"
    relay.command("destination", "rest", name)
    assert relay.json("destination", "show", name)["limit"] == 0 and "limit not known yet\n" in relay.command("destination", "show", name)
    assert "1000" not in relay.command("destination", "list").splitlines()[1].replace(name, "")


def test_who_sends_most_is_found_by_tenant(relay_factory, busy):
    """Of several credentials of one tenant's together."""
    relay = relay_factory(LATER)
    senders = tenants(relay, "bank", "shop")
    secret = relay.json("user", "add", "second", "--tenant", "shop", "--domain", "shop.test")["secret"]
    for name, count in (("bank", 2), ("shop", 2)):
        for _ in range(count):
            send(senders[name], "x@busy.test", name)
    with relay.client(user="second", secret=secret) as client:
        client.sendmail("hello@shop.test", "x@busy.test", "From: <hello@shop.test>\r\nSubject: x\r\n\r\nx\r\n")
    rows = wait_for(lambda: [r for r in [relay.json("quota", "top", "--by", "tenant")] if sum(x["accepted"] for x in r) == 5])[0]
    assert [(r["who"], r["accepted"]) for r in rows] == [("shop", 3), ("bank", 2)], rows
