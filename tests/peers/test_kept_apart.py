"""What one receiver, tenant, domain or class does harms nobody else's mail: each test lets one of them take all it can get, and
looks at how the mail of the others fares. Several domains, two shards, the release build."""

import smtplib
import time

import pytest

from conftest import wait_for
from receivers import Receiver

STREAMS = """
stream "code" { class = "security" }
stream "news" { class = "digest"  unsubscribe = "none" }
"""


@pytest.fixture
def receiver(delivery_port):
    made = []

    def make(address, **how):
        made.append(Receiver(address, delivery_port, **how))
        return made[-1]

    yield make
    for one in made:
        one.stop()


class Sender:
    """One session that stays logged in."""

    def __init__(self, relay, **who):
        self.client = relay.client(**who)
        self.client.ehlo_or_helo_if_needed()

    def send(self, recipients, subject, stream="news", sender="hello@club.test"):
        recipients = [recipients] if isinstance(recipients, str) else recipients
        text = f"From: <{sender}>\r\nTo: <{recipients[0]}>\r\nSubject: {subject}\r\nSealpost-Stream: {stream}\r\n\r\nhello\r\n"
        assert self.client.mail(sender)[0] == 250
        for recipient in recipients:
            code, said = self.client.rcpt(recipient)
            assert code == 250, said
        code, said = self.client.data(text.encode())
        assert code == 250, said
        return time.monotonic()


def delays(receiver, accepted, timeout):
    """How long each of these took to arrive, by subject; all of them must."""
    wait_for(lambda: set(accepted) <= set(receiver.subjects()), timeout, 0.05)
    return sorted(at - accepted[subject] for at, _, subject in receiver.messages if subject in accepted)


def codes_to_healthy(sender, healthy, count=100):
    """Security messages to ten domains of another server, one after the other; how long they took."""
    accepted = {}
    for i in range(count):
        accepted[f"code {i}"] = sender.send(f"u{i}@h{i % 10}.test", f"code {i}", "code")
    return delays(healthy, accepted, 20)


def healthy_domains(dns, address="127.0.0.3"):
    for i in range(10):
        dns.mail(f"h{i}.test", f"mx.h{i}.test={address}")


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
    assert took[98] < 1 and took[-1] < 3, took[-10:]


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
    assert took[98] < 1 and took[-1] < 3, took[-10:]


def test_a_code_overtakes_digests_of_other_domains(relay_factory, dns, receiver):
    """A smart host with 2,400 digests to 400 domains before it: the code goes at the next message boundary."""
    hub = receiver("127.0.0.4", takes_s=0.1)
    relay = relay_factory(STREAMS + f'route "*" {{ host = "127.0.0.4"  port = {hub.port}  tls = "may" }}\n').start()
    sender = Sender(relay)
    for i in range(24):
        sender.send([f"u{i}@n{(i % 4) * 100 + k}.test" for k in range(100)], f"news {i}")
    wait_for(lambda: len(hub.messages) > 50)
    before = len(hub.messages)
    sender.send("amy@other.test", "code", "code")
    wait_for(lambda: "code" in hub.subjects())
    assert hub.subjects().index("code") - before <= 20


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


def tenants(relay, *names):
    """Each with a domain NAME.test and a user NAME; started. Their secrets."""
    secrets = {}
    for name in names:
        relay.add_domain(f"{name}.test", "--tenant", name)
        secrets[name] = relay.json("user", "add", name, "--domain", f"{name}.test", "--tenant", name)["secret"]
    relay.start()
    return {name: Sender(relay, user=name, secret=secret) for name, secret in secrets.items()}


def few_places(relay, tmp_path, descriptors=1024):
    """A relay that has few descriptors has few connections."""
    program = tmp_path / "few"
    program.write_text(f'#!/bin/sh\nulimit -n {descriptors}\nexec {relay.program} "$@"\n')
    program.chmod(0o755)
    relay.given_program = str(program)


def each_arrives(sender, name, healthy, stream, count=30):
    """Some messages of that tenant to ten domains of the other server; how long they took."""
    accepted = {}
    for i in range(count):
        accepted[f"{stream} {i}"] = sender.send(f"{name}{i}@h{i % 10}.test", f"{stream} {i}", stream, f"hello@{name}.test")
        time.sleep(0.05)
    return delays(healthy, accepted, 20)


@pytest.mark.parametrize("stream", ["code", "news"])
def test_a_tenants_stalled_servers_leave_places_to_others(relay_factory, dns, receiver, tmp_path, stream):
    """700 domains of one tenant's, whose servers answer EHLO and then say nothing. Nothing that it may send takes the last place."""
    evil = [receiver(f"127.5.0.{i + 1}", stalls=True) for i in range(35)]
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    for i in range(700):
        dns.mail(f"e{i}.evil.test", f"mx{i}.evil.test=127.5.0.{i % 35 + 1}")
    relay = relay_factory(STREAMS)
    few_places(relay, tmp_path)
    senders = tenants(relay, "eve", "bob", "carl")
    for i in range(14):
        senders["eve"].send([f"x@e{i * 50 + k}.evil.test" for k in range(50)], f"eve {i}", stream, "hello@eve.test")
    wait_for(lambda: sum(one.open for one in evil) > 20)
    time.sleep(2)
    took = each_arrives(senders["bob"], "bob", healthy, "code")
    assert took[-2] < 1 and took[-1] < 3, took[-10:]
    took = each_arrives(senders["carl"], "carl", healthy, "news")
    assert took[-2] < 1 and took[-1] < 3, took[-10:]


def test_names_for_anothers_server_leave_it_to_him(relay_factory, dns, receiver):
    """300 domains of one tenant's lead to the server of another one's recipients, which takes ten connections: he is not refused."""
    server = receiver("127.0.0.6", takes_s=0.2, connections=10)
    healthy_domains(dns, "127.0.0.6")
    for i in range(300):
        dns.mail(f"e{i}.evil.test", f"mx{i}.evil.test=127.0.0.6")
    relay = relay_factory(STREAMS)
    senders = tenants(relay, "eve", "bob")
    for i in range(12):
        senders["eve"].send([f"x{i}@e{(i * 50 + k) % 300}.evil.test" for k in range(50)], f"eve {i}", "news", "hello@eve.test")
    wait_for(lambda: server.open >= 5)
    took = each_arrives(senders["bob"], "bob", server, "code")
    assert took[-2] < 3 and took[-1] < 5, took[-10:]
    assert not relay.json("events", "--kind", "destination_rests")


def test_who_is_busy_in_vain_gives_way(relay_factory, dns, receiver, tmp_path):
    """Stalled servers of so many tenants that no place is left: a server has ten seconds for an answer while others wait, not five minutes."""
    evil = [receiver(f"127.5.0.{i + 1}", stalls=True) for i in range(20)]
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    for i in range(7 * 20):
        dns.mail(f"e{i}.evil.test", f"mx{i}.evil.test=127.5.0.{i % 20 + 1}")
    relay = relay_factory(STREAMS)
    few_places(relay, tmp_path, 200)
    names = [f"eve{i}" for i in range(7)]
    senders = tenants(relay, "bob", *names)
    for i, name in enumerate(names):
        senders[name].send([f"x@e{i * 20 + k}.evil.test" for k in range(20)], name, "news", f"hello@{name}.test")
    time.sleep(3)
    assert sum(one.open for one in evil) >= 3
    accepted = {"bob": senders["bob"].send("u@h1.test", "bob", "news", "hello@bob.test")}
    took = delays(healthy, accepted, 60)
    assert 1 < took[0] < 45, took
