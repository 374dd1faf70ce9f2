"""The queue's disk is shared: a tenant whose mail cannot be delivered fills its own share, and the others' mail goes on."""

import os
import sqlite3

import pytest
from conftest import wait_for

pytestmark = pytest.mark.usefixtures("release")

LIMIT = 1024 * 1024


@pytest.fixture
def relay(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")  # nobody listens there: all of it waits
    relay = relay_factory("limits { tenant_storage = 1M }\nshards = 2\n").start()
    relay.add_domain("other.test", "--tenant", "other")
    relay.other = relay.json("user", "add", "other", "--domain", "other.test", "--tenant", "other")["secret"]
    relay.json("user", "add", "second", "--domain", "club.test")
    return relay


def send(relay, size, user="app", secret=None, rcpts=("bob@dest.test",)):
    domain = "other.test" if user == "other" else "club.test"
    with relay.client(user=user, secret=secret or (relay.other if user == "other" else relay.secret)) as client:
        client.ehlo()
        client.mail(f"hello@{domain}")
        for to in rcpts:
            assert client.rcpt(to)[0] == 250
        body = ("x" * 70 + "\r\n") * (size // 72)
        code, text = client.data(f"From: <hello@{domain}>\r\nTo: <bob@dest.test>\r\nSubject: {send.number}\r\n\r\n{body}".encode())
        send.number += 1
        return code, text.decode()


send.number = 0


def stored(relay, user="app"):
    return relay.json("quota", "show", user)["storage"]


def truth(relay):
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        rows = dict(database.execute("SELECT tenant, sum(length) FROM message GROUP BY tenant"))
    database.close()
    return rows


def test_who_has_filled_its_share_waits_and_others_go_on(relay):
    accepted = 0
    while (answer := send(relay, 200_000))[0] == 250:
        accepted += 1
    assert accepted == 5, answer
    code, text = answer
    assert code == 452 and text.startswith("4.3.1 ") and 'Tenant "default"' in text and "1024 KB" in text and "delivered" in text, text
    assert send(relay, 300_000)[0] == 452  # one that lies on the disk already when it is refused
    assert send(relay, 1000)[0] == 250  # what fits is taken
    for size in (200_000, 300_000, 1000):
        assert send(relay, size, "other")[0] == 250
    wait_for(lambda: [e for e in relay.json("events", "--kind", "refused") if e["code"] == 452 and "Tenant" in e["reply"]])
    assert stored(relay) == {"tenant": "default", "bytes": truth(relay)["default"], "limit": LIMIT}
    assert stored(relay, "other")["bytes"] == truth(relay)["other"]
    shown = relay.command("quota", "show", "second")  # the tenant's, whichever credential
    assert f"tenant default has {truth(relay)['default'] // 1024} KB in the queue, of 1024 KB (limits.tenant_storage)" in shown
    # nothing of what was refused is left on the disk
    wait_for(lambda: sum(p.stat().st_size for p in (relay.path / "state" / "spool").iterdir()) < sum(truth(relay).values()) + 700_000)


def test_what_is_gone_makes_room(relay):
    """Delivered, deleted, after a restart, after a command that was undone, and with smaller settings."""
    while send(relay, 200_000)[0] == 250:
        pass
    relay.stop()
    relay.start()
    assert send(relay, 200_000)[0] == 452
    relay.command("queue", "delete", relay.queue("--limit", "1")[0]["id"])
    assert send(relay, 200_000)[0] == 250 and send(relay, 200_000)[0] == 452
    assert relay.command("queue", "delete", "nonsense", check=False).returncode != 0
    assert send(relay, 200_000)[0] == 452
    relay.config.write_text(relay.config.read_text().replace("tenant_storage = 1M", "tenant_storage = 2M"))
    relay.reload()
    assert send(relay, 200_000)[0] == 250
    relay.command("queue", "delete", "--all")
    assert stored(relay)["bytes"] == 0 and send(relay, 200_000, rcpts=["a@dest.test", "b@dest.test", "c@dest.test"])[0] == 250
    assert 200_000 <= stored(relay)["bytes"] <= 210_000  # once, for whomever it is


def test_mail_that_is_held_counts_and_delivered_mail_makes_room(relay, sink_factory):
    sink_factory(records=relay.records)
    relay.command("domain", "capture", "club.test")
    while send(relay, 200_000)[0] == 250:
        pass
    assert stored(relay)["bytes"] > LIMIT - 200_000
    relay.command("domain", "release", "club.test")
    relay.command("queue", "release", "--all")
    wait_for(lambda: stored(relay)["bytes"] == 0, 30, 0.2)
    assert send(relay, 200_000)[0] == 250


def test_the_share_is_half_of_the_disk_unless_set(relay_factory):
    relay = relay_factory()
    disk = os.statvfs(relay.path / "state")
    rows = {row["setting"]: row["value"] for row in relay.json("config", "show", "--origin")}
    assert int(rows["limits.tenant_storage"]) == (disk.f_blocks * disk.f_frsize // 2 >> 20) + 1  # MiB, as all of that kind
    relay.config.write_text(relay.config.read_text() + "limits { tenant_storage = 10K }\n")
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and "tenant_storage" in done.stderr and "whole MiB" in done.stderr
    relay.config.write_text(relay.config.read_text().replace("10K", "500G"))
    assert "tenant_storage = 512000 " in relay.command("config", "show")
