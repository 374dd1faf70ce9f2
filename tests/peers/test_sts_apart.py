"""MTA-STS: one policy host, or one tenant's, with thousands of domains. The kind of fault: it is slow, and policies of others are fetched
too late, or not before the old ones have ended; and what an operator has forgotten comes back from what was under way."""

import sqlite3
import threading

import pytest

from conftest import wait_for
from policy_host import reply_of, text_of
from slow_store import SlowStore
from test_sts import judged, policy_of, tables, world  # noqa: F401: a fixture
from test_sts_hostile import GOOD

HOUR = 3600 * 1000


@pytest.mark.memory
def test_a_slow_host_of_many_domains_holds_up_no_other_domain(world, relay_factory):  # noqa: F811
    """All of one tenant: what another host has to say is had while the slow one has not said anything."""
    slow = [f"slow{n}.test" for n in range(40)]
    held = threading.Event()
    host = world.policies_at_one_host(slow, "mx.shared.test", lambda client: held.wait(120))
    world.policy("quick.test")
    world.domain("quick.test")
    relay = world.relay(relay_factory)
    for domain in slow:
        relay.send(to=f"x@{domain}")
    wait_for(lambda: relay.json("sts", "show", slow[-1])["standing"]["busy"], 30)
    wait_for(lambda: host.now >= 4, 30)
    assert judged(relay, relay.send(to="x@quick.test"), "delivered")[1:] == GOOD
    assert host.most <= 12 and not world.hosts["mx.shared.test"].messages, host.most
    held.set()


@pytest.mark.memory
def test_refreshes_of_one_tenants_policies_hold_up_nobody_elses(world, relay_factory):  # noqa: F811
    """All are due, and the first tenant's host says nothing."""
    slow = [f"slow{n}.test" for n in range(40)]
    held = threading.Event()
    host = world.policies_at_one_host(slow, "mx.shared.test")
    world.policy("young.test")
    world.domain("young.test")
    relay = world.relay(relay_factory)
    for domain in [*slow, "young.test"]:
        relay.send(to=f"x@{domain}")
    wait_for(lambda: len([row for row in relay.json("sts", "show") if row.get("mode")]) == 41, 60)
    relay.stop()
    tables(relay, f"UPDATE sts_policy SET fetched_at = fetched_at - {30 * HOUR}, max_age = 31557600")
    tables(relay, "UPDATE sts_policy SET tenant = 'shop' WHERE domain = 'young.test'")
    host.reply = lambda client: held.wait(120)
    world.policies["young.test"].reply = reply_of(text_of("testing", ["mx.young.test"]))
    before = len(host.requests)
    relay.start()
    wait_for(lambda: policy_of(relay, "young.test")["mode"] == "testing", 40)
    assert len(host.requests) > before and host.now > 0
    held.set()


ASKED, GO_ON = 0, 1
KEEP_FORGETTING = f"""
    if (strstr(sql, "DELETE FROM sts_policy"))
        for (page[{ASKED}] = 1; !page[{GO_ON}];)
            nap(5);
"""


def test_what_was_begun_before_it_was_forgotten_does_not_come_back(world, relay_factory, tmp_path):  # noqa: F811
    """It is fetched anew, and the store has it to write, when the command is answered."""
    store = SlowStore(tmp_path, before=KEEP_FORGETTING)
    world.policy("gone.test")
    world.domain("gone.test")
    relay = relay_factory()
    relay.environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), **store.environment}
    relay.start()
    assert judged(relay, relay.send(to="x@gone.test"), "delivered")[1:] == GOOD
    held = threading.Event()
    answer = reply_of(text_of("testing", ["mx.gone.test"]))
    host = world.policy("gone.test", id="2", reply=lambda client: held.wait(60) and client.sendall(answer))
    refresh = threading.Thread(target=relay.command, args=("sts", "refresh", "gone.test"), kwargs={"check": False})
    refresh.start()
    wait_for(lambda: host.now == 1, 30)
    forget = threading.Thread(target=relay.command, args=("sts", "forget", "gone.test"))
    forget.start()
    wait_for(lambda: store[ASKED] == 1, 30)
    held.set()
    wait_for(lambda: 'what="testing id 2"' in relay.log(), 30)  # from here on the store is to write it
    store[GO_ON] = 1
    forget.join()
    refresh.join()
    relay.stop()
    with sqlite3.connect(relay.path / "state" / "state.db") as database:
        assert database.execute("SELECT domain, mode FROM sts_policy").fetchall() == []
