"""What one tenant does harms nobody else's mail: each test lets one of them take all it can get, and looks at how the mail of the
others fares. Several domains, two shards, the release build."""

import time

import pytest

from apart import STREAMS, delays, each_arrives, few_places, healthy_domains, receiver, tenants
from conftest import slack, wait_for
from mailhost import MailHost


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
    assert took[-2] < slack(1) and took[-1] < slack(3), took[-10:]
    took = each_arrives(senders["carl"], "carl", healthy, "news")
    assert took[-2] < slack(1) and took[-1] < slack(3), took[-10:]


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
    assert took[-2] < slack(3) and took[-1] < slack(5), took[-10:]
    assert not relay.json("events", "--kind", "destination_rests")


def test_who_is_busy_in_vain_gives_way(relay_factory, dns, receiver, tmp_path):
    """Stalled servers of so many tenants that no place is left: a server has ten seconds for an answer while others wait, not five minutes."""
    evil = [receiver(f"127.5.0.{i + 1}", stalls=True) for i in range(20)]
    healthy = receiver("127.0.0.3")
    healthy_domains(dns)
    for i in range(7 * 20):
        dns.mail(f"e{i}.evil.test", f"mx{i}.evil.test=127.5.0.{i % 20 + 1}")
    relay = relay_factory(STREAMS)
    few_places(relay, tmp_path, 356)
    names = [f"eve{i}" for i in range(7)]
    senders = tenants(relay, "bob", *names)
    for i, name in enumerate(names):
        senders[name].send([f"x@e{i * 20 + k}.evil.test" for k in range(20)], name, "news", f"hello@{name}.test")
    time.sleep(3)
    assert sum(one.open for one in evil) >= 3
    accepted = {"bob": senders["bob"].send("u@h1.test", "bob", "news", "hello@bob.test")}
    took = delays(healthy, accepted, 60)
    assert 1 < took[0] < 45, took


def test_large_copies_are_made_in_tenants_turns(relay_factory, dns, delivery_port):
    """One tenant's 20 MB of 8-bit text, as urgent as can be, to 40 servers without 8BITMIME, each of which needs a copy of its own to be
    converted. Another's large code is not made behind all of these."""
    def answer(line, connection):
        return "250 mailhost" if line.startswith("EHLO") else "450 4.2.0 later" if line.startswith("RCPT") else None

    evil = [MailHost(delivery_port, answer, host=f"127.0.{20 + i}.1") for i in range(40)]
    healthy = MailHost(delivery_port, host="127.0.0.3")
    said = lambda word: sum(any(line.startswith(word) for c in host.connections for line in c.lines) for host in evil)
    for i in range(len(evil)):
        dns.mail(f"d{i}.evil.test", f"mx.d{i}.evil.test=127.0.{20 + i}.1")
    dns.mail("u.dest.test", "mx.u.dest.test=127.0.0.3")
    senders = tenants(relay_factory(STREAMS), "eve", "bob")

    def send(name, recipients, line, size):
        client = senders[name].client
        assert client.mail(f"hello@{name}.test", ["BODY=8BITMIME"])[0] == 250
        assert all(client.rcpt(recipient)[0] == 250 for recipient in recipients)
        code, text = client.data(f"From: <hello@{name}.test>\r\nTo: <{recipients[0]}>\r\nSubject: {name}\r\nSealpost-Stream: code\r\n"
                                 "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
                                 "\r\n".encode() + line * (size // len(line)))
        assert code == 250, text

    try:
        send("eve", [f"x@d{i}.evil.test" for i in range(len(evil))], "é ".encode() * 36 + b"\r\n", 20 << 20)
        wait_for(lambda: said("EHLO") > 30, 30)
        send("bob", ["b@u.dest.test"], b"e " * 36 + b"\r\n", 1_300_000)
        wait_for(lambda: healthy.messages, 60, 0.01)
        assert said("MAIL") < said("EHLO") - 5, (said("MAIL"), said("EHLO"))
    finally:
        for host in (healthy, *evil):
            host.stop()
