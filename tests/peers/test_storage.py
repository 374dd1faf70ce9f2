"""The queue's disk is shared: a tenant whose mail cannot be delivered fills its own share, and the others' mail goes on."""

import os
import sqlite3
import subprocess

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
    told = wait_for(lambda: relay.json("events", "--kind", "share_used_up"))
    assert [(e["recipient"], e["reply"].split(":")[0]) for e in told] == [("default", "storage")]  # once an hour
    line = next(x for x in relay.log().splitlines() if x.startswith("warn share_used_up tenant=default what=storage "))
    assert "may take 1024 KB (limits.tenant_storage)" in line, line
    assert stored(relay) == {"tenant": "default", "bytes": truth(relay)["default"], "limit": LIMIT}
    assert stored(relay, "other")["bytes"] == truth(relay)["other"]
    shown = relay.command("quota", "show", "second")  # the tenant's, whichever credential
    assert f"tenant default has {truth(relay)['default'] // 1024} KB in the queue, of 1024 KB (limits.tenant_storage)" in shown
    # nothing of what was refused is left on the disk
    wait_for(lambda: sum(p.stat().st_size for p in (relay.path / "state" / "spool").iterdir()) < sum(truth(relay).values()) + 700_000)


@pytest.mark.parametrize("size, code", [(300_000, 452), (1_100_000, 552)])
def test_what_has_no_room_is_refused_at_mail_when_its_size_is_declared(relay, size, code):
    """RFC 1870 6.1: who says how much it will be need not send it in vain."""
    while send(relay, 200_000)[0] == 250:
        pass
    with relay.client() as client:
        client.ehlo()
        answer = client.docmd("MAIL", f"FROM:<hello@club.test> SIZE={size}")
        assert answer[0] == code and b'Tenant "default"' in answer[1] or b'tenant "default"' in answer[1], answer
        assert client.rcpt("bob@dest.test")[0] == 503  # nothing of it is left
        assert client.docmd("MAIL", "FROM:<hello@club.test> SIZE=1000")[0] == 250
        assert client.rcpt("bob@dest.test")[0] == 250
        assert client.data(b"From: <hello@club.test>\r\nSubject: small\r\n\r\nx\r\n")[0] == 250
        client.docmd("RSET")
        client.send(f"MAIL FROM:<hello@club.test> SIZE={size}\r\nRCPT TO:<bob@dest.test>\r\nNOOP\r\n")  # pipelined
        assert [client.getreply()[0] for _ in range(3)] == [code, 503, 250]
    other = relay.client(user="other", secret=relay.other)
    other.ehlo()
    assert other.docmd("MAIL", "FROM:<hello@other.test> SIZE=300000")[0] == 250
    other.quit()
    wait_for(lambda: [e for e in relay.json("events", "--kind", "refused") if e["code"] == code])


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


def three_tenants(relay_factory, limits):
    relay = relay_factory(f"limits {{ {limits} }}\n").start()
    relay.others = {"app": relay.secret}
    for name in ("second", "third"):
        relay.add_domain(f"{name}.test", "--tenant", name)
        relay.others[name] = relay.json("user", "add", name, "--domain", f"{name}.test", "--tenant", name)["secret"]
    return relay


def fill(relay, user, size=200_000):
    """How many bytes it got accepted until it was refused, and how."""
    domain, accepted = "club.test" if user == "app" else f"{user}.test", 0
    with relay.client(user=user, secret=relay.others[user]) as client:
        client.ehlo()
        while True:
            client.mail(f"hello@{domain}")
            assert client.rcpt("bob@dest.test")[0] == 250
            code, text = client.data((f"From: <hello@{domain}>\r\nTo: <bob@dest.test>\r\nSubject: {send.number}\r\n\r\n" +
                                      ("x" * 70 + "\r\n") * (size // 72)).encode())
            send.number += 1
            if code != 250:
                return accepted, code, text.decode()
            accepted += size


def test_two_tenants_cannot_fill_the_disk_for_the_third(relay_factory, dns):
    """No setting of each tenant's: half of the room is kept, in equal parts; the rest is for whoever comes first."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = three_tenants(relay_factory, "storage = 6M")  # each is kept 1 MiB
    mib = 1024 * 1024
    accepted, code, text = fill(relay, "app")
    assert 3.7 * mib < accepted <= 4 * mib, (accepted, text)  # all that others are not kept
    assert code == 452 and text.startswith("4.3.1 ") and 'Tenant "default"' in text and "4096 KB" in text and "limits.storage" in text, text
    assert stored(relay)["limit"] == 4 * mib and "limits.storage" in relay.command("quota", "show", "app")
    for user in ("second", "third"):
        accepted, code, text = fill(relay, user)
        assert 0.7 * mib < accepted < 1.3 * mib and code == 452 and "limits.storage" in text, (user, accepted, text)
    assert sum(truth(relay).values()) <= 6 * mib
    # one that is newly there is kept its part, too; what is gone may be anybody's again
    relay.add_domain("fourth.test", "--tenant", "fourth")
    relay.others["fourth"] = relay.json("user", "add", "fourth", "--domain", "fourth.test", "--tenant", "fourth")["secret"]
    assert 500_000 < fill(relay, "fourth")[0] <= 6 * mib // 8
    relay.command("user", "delete", "fourth")
    relay.command("queue", "delete", "--all")
    relay.stop()
    relay.start()
    assert 3.7 * mib < fill(relay, "third")[0] <= 4 * mib


def test_a_limit_of_each_tenant_holds_beside_what_is_kept(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = three_tenants(relay_factory, "storage = 6M  tenant_storage = 2M")
    for user, most in (("app", 2), ("second", 2), ("third", 2)):
        accepted, code, text = fill(relay, user)
        assert (most - 0.3) * 1024 * 1024 < accepted <= most * 1024 * 1024, (user, accepted, text)
        assert code == 452 and "2048 KB" in text and ("limits.tenant_storage" in text or user == "third"), text


def test_what_never_fits_is_refused_for_good(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = three_tenants(relay_factory, "storage = 1M")
    accepted, code, text = fill(relay, "app", 700_000)  # two others are kept a sixth each
    assert (accepted, code) == (0, 552) and text.startswith("5.3.4 ") and "limits.storage" in text, text
    assert fill(relay, "app", 600_000)[0] == 600_000


def test_all_mail_may_have_half_of_the_disk_unless_set(relay_factory):
    relay = relay_factory()
    disk = os.statvfs(relay.path / "state")
    rows = {row["setting"]: row["value"] for row in relay.json("config", "show", "--origin")}
    assert int(rows["limits.storage"]) == (disk.f_blocks * disk.f_frsize // 2 >> 20) + 1  # MiB, as all of that kind
    assert int(rows["limits.tenant_storage"]) == 0  # its share
    relay.config.write_text(relay.config.read_text() + "limits { tenant_storage = 10K }\n")
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and "tenant_storage" in done.stderr and "whole MiB" in done.stderr
    relay.config.write_text(relay.config.read_text().replace("10K", "500G"))
    assert "tenant_storage = 512000 " in relay.command("config", "show")
    relay.config.write_text(relay.config.read_text().replace("tenant_storage = 500G", "storage = 1M  tenant_storage = 2M"))
    done = relay.command("config", "check", check=False)
    assert done.returncode == 1 and "tenant_storage" in done.stderr and "storage" in done.stderr


def test_what_is_never_finished_fills_no_more_than_a_share(relay_factory, dns):
    """Sessions of one tenant that each send 22 MB of a message and not its end: those that find no room are told, and others go on."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("limits { storage = 64M }\nshards = 2\n").start()
    relay.add_domain("other.test", "--tenant", "other")
    relay.other = relay.json("user", "add", "other", "--domain", "other.test", "--tenant", "other")["secret"]
    spool = relay.path / "state" / "spool"

    def used():
        return sum(f.stat().st_size for f in spool.glob("*.seg") if f.exists())

    held, refused = [], 0
    line = b"x" * 70 + b"\r\n"
    try:
        for _ in range(6):
            client = relay.client()
            client.ehlo()
            client.mail("hello@club.test")
            assert client.rcpt("bob@dest.test")[0] == 250
            client.putcmd("data")
            assert client.getreply()[0] == 354
            client.sock.sendall(b"From: <hello@club.test>\r\nSubject: never\r\n\r\n")
            for _ in range(22):
                client.sock.sendall(line * 14_500)
            held.append(client)
        wait_for(lambda: used() > 30 << 20, 20)
        assert used() < 70 << 20
        assert send(relay, 8_000_000, user="other")[0] == 250
        for client in held:  # whoever ends one that found no room is told
            client.sock.sendall(b".\r\n")
            refused += client.getreply()[0] == 452
        assert 1 <= refused < 6
        wait_for(lambda: [x for x in relay.log().splitlines() if x.startswith("warn share_used_up tenant=default what=receiving ")], 20)
    finally:
        for client in held:
            client.close()


def test_what_is_given_up_is_given_back(relay_factory, dns):
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")
    relay = relay_factory("limits { storage = 32M }\nshards = 2\n").start()
    relay.add_domain("other.test", "--tenant", "other")
    relay.other = relay.json("user", "add", "other", "--domain", "other.test", "--tenant", "other")["secret"]
    for _ in range(4):
        clients = []
        for _ in range(3):
            client = relay.client()
            client.ehlo()
            client.mail("hello@club.test")
            client.rcpt("bob@dest.test")
            client.putcmd("data")
            assert client.getreply()[0] == 354
            client.sock.sendall(b"From: <hello@club.test>\r\nSubject: never\r\n\r\n" + (b"x" * 70 + b"\r\n") * 90_000)
            clients.append(client)
        for client in clients:
            client.close()
        wait_for(lambda: not list((relay.path / "state" / "spool").glob("*.seg")), 20)
    assert send(relay, 15_000_000)[0] == 250
    assert send(relay, 3_000_000, user="other")[0] == 250


def test_what_a_killed_relay_had_allocated_is_given_back(relay_factory, dns):
    """Blocks behind the end of a segment, for mail that never came; the mail in it stays."""
    dns.mail("dest.test", "mx.dest.test=127.0.0.1")  # nobody listens there
    relay = relay_factory()
    relay.start()
    relay.send()
    relay.kill()
    segment = next((relay.path / "state" / "spool").glob("*.seg"))
    size = segment.stat().st_size
    if subprocess.run(["fallocate", "--keep-size", "--length", str(8 << 20), segment]).returncode != 0:
        pytest.skip("this file system allocates nothing ahead")
    relay.start()
    assert len(relay.queue()) == 1
    about = segment.stat()
    assert about.st_size == size and about.st_blocks * 512 < 1 << 20
