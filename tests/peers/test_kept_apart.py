"""What one receiver, tenant, domain or class does harms nobody else's mail: each test lets one of them take all it can get, and
looks at how the mail of the others fares. Several domains, two shards, the release build."""

import time

import pytest

from apart import Sender, STREAMS, codes_to_healthy, healthy_domains, receiver
from conftest import slack, wait_for


def test_a_provider_that_hangs_keeps_only_its_share(relay_factory, dns, receiver):
    """300 domains whose servers take connections and say nothing; 6,000 digests wait for them."""
    receiver("127.0.0.2", mute=True)
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    for i in range(300):
        dns.mail(f"d{i}.hang.test", f"mx{i % 7}.provider.test=127.0.0.2")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(60):
        sender.send([f"u{i}@d{(i % 3) * 100 + k}.hang.test" for k in range(100)], f"news {i}")
    took = codes_to_healthy(sender, healthy)
    assert took[98] < slack(1) and took[-1] < slack(3), took[-10:]


@pytest.mark.alone("how long codes take beside mute servers")
def test_mute_servers_keep_only_their_share(relay_factory, dns, receiver):
    """250 servers, each with an address of its own and a domain, that say nothing; 40 messages to them."""
    for i in range(250):
        receiver(f"127.3.0.{i + 1}", mute=True)
        dns.mail(f"m{i}.mute.test", f"mx{i}.mute.test=127.3.0.{i + 1}")
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    for i in range(40):
        sender.send([f"u{i}@m{(i * 100 + k) % 250}.mute.test" for k in range(100)], f"news {i}")
    took = codes_to_healthy(sender, healthy)
    assert took[98] < slack(1) and took[-1] < slack(3), took[-10:]


def test_a_code_overtakes_digests_of_other_domains(relay_factory, dns, receiver):
    """A smart host with 2,400 digests to 400 domains before it: the code goes at the next message boundary."""
    hub = receiver("127.0.0.4", takes_s=0.1)
    relay = relay_factory(STREAMS + f'route "*" {{ host = "127.0.0.4"  port = {hub.port}  tls = "may" }}\n').start()
    sender = Sender(relay)
    for i in range(24):
        sender.send([f"u{i}@n{(i % 4) * 100 + k}.test" for k in range(100)], f"news {i}")
    wait_for(lambda: len(hub.messages) > 50)
    sender.send("amy@other.test", "code", "code")
    before = len(hub.messages)  # from its 250 on: on a busy machine a score of them leave while it is handed over
    wait_for(lambda: "code" in hub.subjects())
    assert hub.subjects().index("code") - before <= 20


def test_slow_answers_stop_nobody(relay_factory, dns, receiver):
    """A server takes half a minute for some messages, as a scanner does, and refuses nothing: codes go on meanwhile, and the rest goes
    on when all have been busy for five seconds."""
    hub = receiver("127.0.0.4", takes_s=lambda subject: 30 if subject == "slow" else 0)
    dns.mail("dest.test", "mx.dest.test=127.0.0.4")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    sender.send("bob@dest.test", "code first", "code")
    wait_for(lambda: "code first" in hub.subjects())
    for i in range(3):
        sender.send(f"u{i}@dest.test", "slow")
    time.sleep(1)
    took = []
    for i in range(12):
        began = time.monotonic()
        sender.send("bob@dest.test", f"code {i}", "code")
        wait_for(lambda: f"code {i}" in hub.subjects(), 40)
        took.append(time.monotonic() - began)
        time.sleep(0.5)
    assert sorted(took)[-2] < 1 and max(took) < 3, took
    began = time.monotonic()
    sender.send("eve@dest.test", "quick")
    wait_for(lambda: "quick" in hub.subjects(), 40)
    assert time.monotonic() - began < 12


def test_tenants_take_turns(relay_factory, dns, receiver):
    """One has two thousand waiting for a server, the other's single message of the same class does not stand behind them."""
    hub = receiver("127.0.0.4", takes_s=0.1)
    relay = relay_factory(STREAMS + f'route "*" {{ host = "127.0.0.4"  port = {hub.port}  tls = "may" }}\n')
    relay.add_domain("golf.test", "--tenant", "golf")
    made = relay.json("user", "add", "golf", "--domain", "golf.test", "--tenant", "golf")
    relay.start()
    sender, other = Sender(relay), Sender(relay, user="golf", secret=made["secret"])
    for i in range(20):
        sender.send([f"u{i}@n{k}.test" for k in range(100)], f"news {i}")
    wait_for(lambda: len(hub.messages) > 20)
    before = len(hub.messages)
    other.send("amy@other.test", "golf", sender="pro@golf.test")
    wait_for(lambda: "golf" in hub.subjects())
    assert hub.subjects().index("golf") - before <= 50


def test_two_connections_are_all_that_is_needed(relay_factory, dns, receiver):
    """A server that takes two connections and answers the third 421: no message waits by the retry schedule, none is tried in vain."""
    narrow = receiver("127.0.0.5", takes_s=0.05, connections=2)
    dns.mail("narrow.test", "mx.narrow.test=127.0.0.5")
    relay = relay_factory(STREAMS).start()
    sender = Sender(relay)
    began = time.monotonic()
    for i in range(200):
        sender.send(f"u{i}@narrow.test", f"m {i}")
    wait_for(lambda: len(narrow.messages) == 200, 60)
    took = narrow.messages[-1][0] - began
    assert took < 1.5 * 200 * 0.055 / 2, (took, narrow.refused)
    assert not [e for e in relay.json("events", "--limit", "1000", "--kind", "deferred")]
    assert narrow.refused < 40
