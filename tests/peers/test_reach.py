"""From a domain to a greeted connection: which addresses are tried, in which order, and what a dead one costs."""

import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import slack, wait_for
from test_delivery import Script, script  # noqa: F401 (a fixture)
from test_descriptors import start_with

pytestmark = pytest.mark.memory


def deliver(relay, domain, timeout=20):
    """Send a message there; how long it took, and what became of it."""
    began = time.monotonic()
    id = relay.send(to=f"x@{domain}")
    event = wait_for(lambda: [e for e in relay.trace(id) if e["kind"] in ("delivered", "deferred", "bounced")], timeout, 0.02)[0]
    return time.monotonic() - began, event


# ---- addresses that somebody's DNS may not choose ----

INSIDE = """
    A     127.0.0.1         5.4.6  our own
    A     127.255.255.254   5.4.6  loopback
    A     192.0.2.10        5.4.6  our own
    A     0.0.0.0           5.4.4  this network
    A     0.1.2.3           5.4.4  this network
    A     10.1.2.3          5.4.4  private
    A     172.31.0.1        5.4.4  private
    A     192.168.1.1       5.4.4  private
    A     100.100.1.1       5.4.4  NAT
    A     169.254.169.254   5.4.4  link-local
    A     224.0.0.1         5.4.4  multicast
    A     240.0.0.1         5.4.4  reserved
    A     255.255.255.255   5.4.4  reserved
    A     198.19.0.1        5.4.4  benchmark
    A     203.0.113.7       5.4.4  documentation
    A     192.0.0.8         5.4.4  protocol
    AAAA  ::1               5.4.6  loopback
    AAAA  ::                5.4.4  unspecified
    AAAA  ::ffff:7f00:1     5.4.6  our own
    AAAA  ::ffff:808:808    5.4.4  mapped
    AAAA  ::7f00:1          5.4.6  our own
    AAAA  ::808:808         5.4.4  compatible
    AAAA  ::ffff:0:808:808  5.4.4  translated
    AAAA  64:ff9b::7f00:1   5.4.6  our own
    AAAA  64:ff9b::7f00:9   5.4.6  loopback
    AAAA  64:ff9b::c000:20a 5.4.6  our own
    AAAA  2002:c000:20a::1  5.4.6  our own
    AAAA  64:ff9b:1::c000:20a 5.4.6 our own
    AAAA  64:ff9b::a00:1    5.4.4  private
    AAAA  64:ff9b:1::1      5.4.4  NAT64
    AAAA  2002:7f00:1::1    5.4.6  our own
    AAAA  2002:c0a8:101::1  5.4.4  private
    AAAA  fe80::1           5.4.4  link-local
    AAAA  fd12::1           5.4.4  private
    AAAA  ff02::1           5.4.4  multicast
    AAAA  2001:db8::1       5.4.4  documentation
    AAAA  100::1            5.4.4  discarded
    AAAA  4000::1           5.4.4  global unicast
    AAAA  e000::1           5.4.4  global unicast
    AAAA  fec0::1           5.4.4  site-local
    AAAA  2001::c000:20a    5.4.4  protocol
"""


def test_mail_never_goes_where_a_record_leads_inside(strict, dns):
    """The kind: an address that no public host has. A stranger's DNS chooses it, and we are the ones who stand inside."""
    rows = [line.split(None, 3) for line in INSIDE.strip().splitlines()]
    for n, (kind, address, _, _) in enumerate(rows):
        dns.add(f"n{n}.test", "MX", f"10 mx.n{n}.test.")
        dns.add(f"mx.n{n}.test", kind, address)
    ids = [strict.send(to=f"x@n{n}.test") for n in range(len(rows))]
    for n, (_, address, enhanced, word) in enumerate(rows):
        event = strict.wait_kind(ids[n], "bounced")[0]
        assert event["enhanced"] == enhanced and f"mx.n{n}.test" in event["reply"] and word in event["reply"], (address, event)


def test_the_implicit_mx_leads_no_further(strict, dns):
    dns.add("implicit.test", "A", "127.0.0.1")
    assert deliver(strict, "implicit.test")[1]["enhanced"] == "5.4.6"


@pytest.fixture
def strict(relay_factory):
    """One that nobody has told of a private network; bounces to club.test go nowhere."""
    return relay_factory(loopback=False).start()


def test_what_is_left_of_an_mx_set_is_used(relay_factory, dns, script, delivery_port):
    """An inner address beside others costs nothing; a setting and a route say what is meant."""
    outside, inside = script(host="127.0.2.1"), script(host="127.0.0.1")
    relay = relay_factory(f'route "routed.test" {{ host = "127.0.0.1"  port = {delivery_port} }}', loopback=False)
    relay.config.write_text(relay.config.read_text().replace("delivery { ", 'delivery { private_networks = {"127.0.2.0/24"}  '))
    relay.start()
    dns.add("both.test", "MX", "10 in.both.test.", "20 out.both.test.")
    dns.add("in.both.test", "A", "127.0.0.1", "10.0.0.1")
    dns.add("out.both.test", "A", "127.0.2.1", "127.0.0.1")
    seconds, event = deliver(relay, "both.test")
    assert event["kind"] == "delivered" and seconds < 5 and len(outside.messages) == 1 and inside.connections == 0
    assert deliver(relay, "routed.test")[1]["kind"] == "delivered" and inside.connections == 1


def test_a_reload_changes_what_is_meant(strict, dns, script):
    script()
    dns.mail("later.test", "mx.later.test=127.0.0.1")
    assert deliver(strict, "later.test")[1]["kind"] == "bounced"
    strict.config.write_text(strict.config.read_text().replace("delivery { ", 'delivery { private_networks = {"127.0.0.1"}  '))
    strict.reload()
    assert deliver(strict, "later.test")[1]["kind"] == "delivered"


def test_a_network_that_is_none_is_refused(relay_factory):
    relay = relay_factory(loopback=False)
    text = relay.config.read_text()
    for network in ("10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "::ffff:0:0/96", "localhost", "10.0.0.0/", ""):
        relay.config.write_text(text.replace("delivery { ", f'delivery {{ private_networks = {{"{network}"}}  '))
        done = relay.command("config", "check", check=False)
        assert done.returncode != 0 and "private_networks" in done.stderr and "10.0.0.0/8" in done.stderr, done.stderr
    relay.config.write_text(text.replace("delivery { ", 'delivery { private_networks = {"10.0.0.0/8", "::1"}  '))
    assert 'private_networks = {"10.0.0.0/8", "::1/128"}' in relay.command("config", "show")


# ---- DNS answers as they come ----

@pytest.mark.parametrize("silent", [("AAAA",), ("A", "AAAA")])
@pytest.mark.parametrize("preference", [5, 10, 20])
def test_a_lookup_that_hangs_holds_up_only_its_own_host(relay, dns, script, silent, preference):
    """The kind: one name of an MX set whose DNS does not answer, wholly or in one family, better, equal or worse."""
    script(host="127.0.0.2")
    dns.add("hang.test", "MX", f"{preference} a.hang.test.", "10 b.hang.test.")
    dns.add("b.hang.test", "A", "127.0.0.2")
    dns.add("a.hang.test", "A", "127.0.0.2")
    for kind in silent:
        dns.add("a.hang.test", kind, "SILENCE")
    seconds, event = deliver(relay, "hang.test", 40)
    assert event["kind"] == "delivered" and seconds < slack(5 if preference == 5 else 2), (seconds, event)


def test_aaaa_may_hang_where_a_answers(relay, dns, script):
    """As a name server behind a wrong firewall does: one host, and half of its answers."""
    script()
    dns.mail("half.test", "mx.half.test=127.0.0.1")
    dns.add("mx.half.test", "AAAA", "SILENCE")
    seconds, event = deliver(relay, "half.test", 40)
    assert event["kind"] == "delivered" and seconds < slack(2), (seconds, event)


def test_a_host_whose_dns_fails_leaves_the_others(relay, dns, script):
    script(host="127.0.0.2")
    dns.add("broken.test", "MX", "10 a.broken.test.", "10 b.broken.test.", "20 c.broken.test.")
    dns.add("a.broken.test", "ANY", "SERVFAIL")
    dns.add("b.broken.test", "A", "127.0.0.2")
    dns.add("c.broken.test", "ANY", "SILENCE")
    seconds, event = deliver(relay, "broken.test", 40)
    assert event["kind"] == "delivered" and seconds < slack(3), (seconds, event)


# ---- addresses that do not answer ----

class Hole:
    """An address whose SYNs are dropped: a server that accepts nothing, with a full queue. Without `full`, connections are made,
    and nothing is ever said on them."""

    def __init__(self, host, port, full=True):
        self.server = socket.socket()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((host, port))
        self.server.listen(0 if full else 100)
        self.clients = [socket.socket() for _ in range(4 if full else 0)]
        for client in self.clients:
            client.setblocking(False)
            client.connect_ex((host, port))
        time.sleep(0.1)

    def close(self):
        for each in [self.server, *self.clients]:
            each.close()


@pytest.fixture
def hole(delivery_port):
    made = []

    def make(host, full=True):
        made.append(Hole(host, delivery_port, full))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_dead_first_host_costs_two_seconds_once(relay, dns, script, hole):
    """The kind: an address that swallows what is sent to it. It is remembered for everybody, other domains too, and what is tried
    when its rest is over is not waited for."""
    hole("127.0.0.3")
    script(host="127.0.0.2", offers=["LIMITS MAILMAX=1"])  # each message wants a connection
    dns.mail("dead.test", "a.dead.test=127.0.0.3", "b.dead.test=127.0.0.2")
    dns.mail("also.test", "a.dead.test=127.0.0.3", "b.also.test=127.0.0.2")
    seconds, event = deliver(relay, "dead.test")
    assert event["kind"] == "delivered" and 1.5 < seconds < 10, seconds
    took, end = [], time.monotonic() + 8  # its first rest ends meanwhile
    while time.monotonic() < end:
        seconds, event = deliver(relay, "also.test" if len(took) % 2 else "dead.test")
        assert event["kind"] == "delivered"
        took.append(seconds)
        time.sleep(0.6)
    assert statistics.median(took) < slack(0.5) and sum(t > slack(1.9) for t in took) <= 1, took


def test_a_host_that_says_nothing_costs_ten_seconds_once(relay, dns, script, hole):
    hole("127.0.0.3", full=False)
    script(host="127.0.0.2", offers=["LIMITS MAILMAX=1"])
    dns.mail("mute.test", "a.mute.test=127.0.0.3", "b.mute.test=127.0.0.2")
    seconds, event = deliver(relay, "mute.test")
    assert event["kind"] == "delivered" and seconds < 14, seconds
    assert deliver(relay, "mute.test")[0] < 5


def test_a_greeting_is_waited_for_where_nothing_else_can_be_tried(relay, dns, delivery_port):
    """A slow greeting is no dead host: the first connection is kept while others are tried."""
    class Slow(Script):
        def serve(self, client):
            time.sleep(14)
            super().serve(client)

    server = Slow(delivery_port, host="127.0.0.3")
    try:
        dns.mail("slow.test", "a.slow.test=127.0.0.3", "b.slow.test=127.0.0.4")  # nobody listens at the second
        seconds, event = deliver(relay, "slow.test", 30)
        assert event["kind"] == "delivered" and seconds < 20 and server.connections == 1, (seconds, event)
    finally:
        server.stop()


def test_an_address_that_is_there_again_is_found(relay, dns, script, hole):
    dead = hole("127.0.0.3")
    backup = script(host="127.0.0.2", offers=["LIMITS MAILMAX=1"])
    dns.mail("back.test", "a.back.test=127.0.0.3", "b.back.test=127.0.0.2")
    deliver(relay, "back.test")
    dead.close()
    first = script(host="127.0.0.3", offers=["LIMITS MAILMAX=1"])
    wait_for(lambda: deliver(relay, "back.test")[1] and first.messages, 30, 0.7)
    assert deliver(relay, "back.test")[0] < 5 and backup.messages


def test_a_dead_address_rests_for_every_domain(relay, dns, script, hole):
    """It is asked once, by whoever came first; the others wait without a try, and get through when it is there."""
    dead = hole("127.0.0.3")
    for name in ("one", "two"):
        dns.mail(f"{name}.test", f"mx.{name}.test=127.0.0.3")
    dns.mail("one.test", "mx.one.test=127.0.0.3", "mx2.one.test=127.0.0.2")
    script(host="127.0.0.2")
    deliver(relay, "one.test")
    id = relay.send(to="x@two.test")
    time.sleep(1.5)
    assert relay.queue()[0]["tries"] == 0 and "delivered" not in relay.kinds(id)
    dead.close()
    script(host="127.0.0.3")
    wait_for(lambda: not relay.queue(), 40, 0.5)


@pytest.mark.parametrize("hosts, addresses", [(30, 1), (1, 12), (5, 6)])
def test_all_addresses_are_tried(relay, dns, script, hosts, addresses):
    """30 hosts of one preference, or many addresses of one: all but one refuse."""
    script(host="127.0.4.200")
    dns.add("many.test", "MX", *[f"10 mx{h}.many.test." for h in range(hosts)])
    for h in range(hosts):
        found = [f"127.0.4.{1 + h * addresses + a}" for a in range(addresses)]
        dns.add(f"mx{h}.many.test", "A", *(found if h else [*found[:-1], "127.0.4.200"]))
    seconds, event = deliver(relay, "many.test")
    late = event["kind"] == "deferred"  # DNS had not said all after 0.2 s, as the machine was busy: by now it has
    if late:
        seconds, event = deliver(relay, "many.test", 60)
    assert event["kind"] == "delivered" and (late or seconds < slack(5)), (seconds, event)


def test_of_too_many_hosts_none_is_given_up_untried(relay_factory, dns, script):
    """The kind: what there is no room for counts as if it did not exist. Two best hosts with 16 dead addresses each beside a backup;
    more MX than one lookup asks for, of which only the worst has an address, or is alive."""
    relay = relay_factory('throttle = "off"\nstream "t" { class = "notification"  retry = {2s, 2s} }\n').start()
    script(host="127.0.4.200")
    dns.add("live.h.test", "A", "127.0.4.200")
    for n in (0, 1):
        dns.add(f"many{n}.h.test", "A", *[f"127.0.{30 + n}.{k}" for k in range(1, 17)])
    for n in range(30):
        dns.add(f"dead{n}.h.test", "A", f"127.0.32.{n + 1}")
    dns.add("two.test", "MX", "5 many0.h.test.", "5 many1.h.test.", "10 live.h.test.")
    dns.add("nowhere.test", "MX", *[f"{n} nope{n}.h.test." for n in range(34)], "900 live.h.test.")
    dns.add("dead.test", "MX", *[f"{n} dead{n}.h.test." for n in range(30)], "900 live.h.test.")
    ids = {name: relay.send(to=f"a@{name}", message=f"From: <hello@club.test>\r\nTo: <a@{name}>\r\nSealpost-Stream: t\r\n\r\nx\r\n")
           for name in ("two.test", "nowhere.test", "dead.test")}
    for name, id in ids.items():
        wait_for(lambda: {"delivered", "bounced"} & set(relay.kinds(id)), 70, 0.2)  # by lot: most likely at once
        assert "bounced" not in relay.kinds(id), (name, relay.trace(id))
    assert "deferred" not in relay.kinds(ids["two.test"])
    assert len(relay.json("destination", "list")) <= 3  # the lot makes no other destination of a domain


def test_the_worse_preferences_are_tried_too(relay, dns, script):
    script(host="127.0.4.200")
    dns.mail("worse.test", *[f"mx{n}.worse.test=127.0.4.{n}" for n in range(1, 12)], "last.worse.test=127.0.4.200")
    assert deliver(relay, "worse.test")[1]["kind"] == "delivered"


def test_the_addresses_of_a_host_and_both_families_get_their_share(relay, dns, script):
    """The kind: always the first one, or whatever chance makes of it. Each connection takes one message here, and their addresses are
    taken in turn: 4 for each of one family, 16 for the other."""
    servers = [script(host=f"127.0.5.{n}", offers=["LIMITS MAILMAX=1"]) for n in range(1, 5)]
    servers.append(script(host="::1", offers=["LIMITS MAILMAX=1"]))
    dns.add("share.test", "MX", "10 mx.share.test.")
    dns.add("mx.share.test", "A", *[f"127.0.5.{n}" for n in range(1, 5)])
    dns.add("mx.share.test", "AAAA", "::1")
    for _ in range(32):
        relay.send(to="x@share.test")
    wait_for(lambda: not relay.queue(), 30)
    counts = [len(server.messages) for server in servers]
    assert sum(counts) == 32 and min(counts[:4]) >= 3 and 14 <= counts[4] <= 18, counts


def test_connections_are_counted_by_address_too(relay, dns, script):
    """Each domain has an MX name of its own, and all have one address, as with a large provider: 20 connections, however many
    domains. One that is idle makes way for another domain."""
    server = script(delay=0.1)
    count = 100
    for n in range(count):
        dns.mail(f"d{n}.test", f"mx.d{n}.test=127.0.0.1")
    began = time.monotonic()
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: relay.send(to=f"x@d{n}.test"), range(count)))
    wait_for(lambda: not relay.queue(), 40, 0.1)
    assert len(server.messages) == count and server.most_open <= 25, server.most_open  # it sees the ends late
    assert time.monotonic() - began < 15


def test_a_busy_provider_leaves_its_address_to_others(relay_factory, dns, script):
    """The kind: whoever has the places keeps them. Domains with much mail and one MX name hold all 20; a letter to another name at
    the same address is not the last."""
    server, relay = script(delay=min(slack(0.4), 1.2)), relay_factory(shards=1).start()
    for n in range(40):
        dns.mail(f"big{n}.test", "mx.big.test=127.0.0.1")
    dns.mail("small.test", "mx.small.test=127.0.0.1")
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda n: relay.send(to=f"x{n}@big{n % 40}.test"), range(400)))
    wait_for(lambda: len(server.messages) >= 60, 30)
    id = relay.send(to="y@small.test")
    relay.wait_kind(id, "delivered", 30)
    assert len(relay.queue()) > 100, len(relay.queue())
    wait_for(lambda: not relay.queue(), 120, 0.2)
    assert len(server.messages) == 401


def test_who_waits_for_a_full_address_is_not_blamed_for_it(relay_factory, dns, script, release, delivery_port):
    """The kind: waiting taken for failing. All places at an address are held by one destination, and all places of the relay are wanted
    by others: what does not open is given up. Another destination at that address has done nothing to be put to rest."""
    server = script(answer=lambda line: time.sleep(12) if line == "DATA" else None)
    silent = socket.create_server(("127.0.0.7", delivery_port), backlog=2000)  # takes connections, says nothing
    relay = relay_factory("shards = 2\n")
    relay.config.write_text(relay.config.read_text().replace("delivery { ", "delivery { connections = 1  "))
    start_with(relay, 352)
    dns.mail("big.test", "mx.big.test=127.0.0.1")
    dns.mail("small.test", "mx.small.test=127.0.0.1")
    for i in range(60):
        dns.mail(f"d{i}.test", f"mx{i}.d{i}.test=127.0.0.7")
    for i in range(4):
        relay.send(to=f"x{i}@big.test")
    wait_for(lambda: server.open == 1, 10)
    id = relay.send(to="y@small.test")
    time.sleep(0.5)
    with relay.client() as client:
        for at in range(0, 60, 20):
            client.sendmail("hello@club.test", [f"a@d{i}.test" for i in range(at, at + 20)], "From: <hello@club.test>\r\nSubject: x\r\n\r\nx\r\n")
    relay.wait_kind(id, "delivered", 50)
    assert "deferred" not in relay.kinds(id)
    told = [e["recipient"] for e in relay.json("events", "--kind", "destination_rests", "--limit", "1000")]
    assert told and not [name for name in told if name.startswith(("mx.small.", "mx.big."))], told
    silent.close()


def test_a_resume_ends_the_rest_of_its_own_addresses_only(relay, dns, script, hole, delivery_port):
    """The kind: what one destination is told ends what is known of others' addresses. Theirs are dead as before, and cost two seconds."""
    hole("127.0.0.3")
    hole("127.0.0.4")
    script(host="127.0.0.2", offers=["LIMITS MAILMAX=1"])
    for name, dead in (("mine", 3), ("other", 4)):
        dns.mail(f"{name}.test", f"a.{name}.test=127.0.0.{dead}", f"b.{name}.test=127.0.0.2")
        assert deliver(relay, f"{name}.test")[0] > 1.5
    relay.command("destination", "resume", f"a.mine.test,b.mine.test:{delivery_port}")
    assert deliver(relay, "other.test")[0] < 1.5
    assert deliver(relay, "mine.test")[0] > 1.5


def test_a_better_host_that_is_back_gets_the_mail_again(relay, dns, script):
    """The kind: what was second best stays for ever. A busy connection to a backup is never idle for long enough to end; yet mail does
    not stay with it for more than half a minute when the first one works again."""
    backup = script(host="127.0.0.2")
    dns.mail("back.test", "a.back.test=127.0.0.3", "b.back.test=127.0.0.2")  # nobody listens at the first
    assert deliver(relay, "back.test")[1]["kind"] == "delivered"
    first = script(host="127.0.0.3")
    began = time.monotonic()
    while not first.messages and time.monotonic() - began < 45:
        deliver(relay, "back.test")
        time.sleep(0.5)
    assert 10 < time.monotonic() - began < 45 and backup.connections <= 4, (time.monotonic() - began, backup.connections)
    assert deliver(relay, "back.test") and deliver(relay, "back.test") and len(first.messages) == 3
